"""What is asked of the solvers, and what they fill: currents, figures and node voltages of many circuits."""

from typing import NamedTuple

import numpy as np

N_FIGURES = 8  # of each circuit; smallest bound so far, and sweeps since without half of it, are the kernel's own
_SWEEPS, _LARGEST, _TOTAL, _GROSS, _SMALLEST, _WAITED, _VOLTAGE_ERROR, _SUM = range(N_FIGURES)
_LARGEST_CURRENT = 1e120  # [A]; beyond, powers might not be numbers
WORDS, BITS = range(2)  # of the axes of ends and drives (..., 2, 2, n): word lines and bit lines;
ROOT_END, FAR_END = range(2)  # left or bottom, and right or top
RHO, ROOT, FAR = range(3)  # rows of the resistances (2, 3, W): of a segment, and behind the root and the far end


class Goal(NamedTuple):
    """When a circuit counts as solved, when to give up, and whether its node voltages are wanted."""

    rtol: float  # wanted sum of residuals, relative to the largest gross current of a sensed bit line
    max_sweeps: int
    nodes: bool = False
    workers: int = 1  # threads that may share one large array


class Report(NamedTuple):
    """How well each circuit of a batch is solved; ``figures`` (..., N_FIGURES) are what the kernels fill."""

    figures: np.ndarray

    @property
    def n_sweeps(self):
        """Sweeps done."""
        return self.figures[..., _SWEEPS]

    @property
    def largest(self):
        """Largest residual at a node [A]."""
        return self.figures[..., _LARGEST]

    @property
    def total(self):
        """Bound on the error of a current: what of the residuals may arrive, and rounding where it was looked at [A]."""
        return self.figures[..., _TOTAL]

    @property
    def residuals(self):
        """Sum of all residuals [A]."""
        return self.figures[..., _SUM]

    @property
    def gross(self):
        """Largest sum of the currents of a sensed bit line's devices, without their signs [A]."""
        return self.figures[..., _GROSS]

    @property
    def voltage_error(self):
        """Bound on the error of a node voltage, where voltages were wanted [V]."""
        return self.figures[..., _VOLTAGE_ERROR]

    def of_one(self):
        """Sweeps, residuals and gross current of one circuit, as plain numbers and quickly [-, A, A]."""
        figures = self.figures.tolist()
        return int(figures[_SWEEPS]), figures[_SUM], figures[_GROSS]

    def add_residuals(self, total, largest):
        """Of one circuit: their sum, and the largest at a node [A]; tangents do not tell how much of it leaks."""
        figures = self.figures
        figures[_SUM] += total
        figures[_TOTAL] = figures[_SUM]
        figures[_LARGEST] += largest

    def add_rounding(self, current):
        """Of one circuit [A]."""
        self.figures[_TOTAL] += current

    def is_one_within(self, rtol):
        """Whether it is about one circuit, which is solved; ten times as fast as to compare arrays."""
        figures = self.figures
        return figures.size == N_FIGURES and figures.item(_TOTAL) <= rtol * figures.item(_GROSS) < _LARGEST_CURRENT

    def lose_no_patience(self):
        """As if no sweep had been without success: the caller is the one to lose patience."""
        self.figures[..., _SMALLEST:_VOLTAGE_ERROR] = np.inf, 0.0


class Nodes(NamedTuple):
    """Voltages of the nodes, each (..., n_word_lines, n_bit_lines) [V]."""

    bit_lines: np.ndarray
    word_lines: np.ndarray
    error: np.ndarray | None = None  # bound on that of all nodes of a circuit (...), where it was looked for [V]

    @property
    def device_voltages(self):
        """Word line minus bit line [V]."""
        return self.word_lines - self.bit_lines


class Solved(NamedTuple):
    """C x B circuits, filled by the kernels: bit-line currents (C, B, N) [A], figures (C, B, N_FIGURES), bit-line and
    word-line voltages (C, B, 2, M, N) [V], without content where they are not wanted. The leading axes may be missing."""

    currents: np.ndarray
    figures: np.ndarray
    voltages: np.ndarray

    @property
    def report(self):
        """How well they are solved."""
        return Report(self.figures)

    @property
    def nodes(self):
        """Views of the node voltages."""
        return Nodes(self.voltages[..., 0, :, :], self.voltages[..., 1, :, :], self.report.voltage_error)

    def at(self, *where):
        """Views of some of the circuits."""
        return Solved(*(values[where] for values in self))

    def put(self, where, other):
        """Store other circuits at some places."""
        for whole, piece in zip(self, other):
            whole[where] = piece


def part_of(values, which):
    """Values (C or 1, ...) of some arrays: theirs, or those that are for all."""
    return values[which] if len(values) > 1 else values


def allocate_results(count, shape, nodes):
    """Room for ``count`` (C, B) circuits of a shape (M, N), with or without node voltages, to be filled."""
    return Solved(np.empty((*count, shape[1])), np.zeros((*count, N_FIGURES)),
                  np.empty((*count, 2, *(shape if nodes else (0, 0)))))


def make_report(batch, uncertainty):
    """Report of circuits that needed no sweeps, with residuals [A] that broadcast against the batch."""
    report = Report(np.zeros((*batch, N_FIGURES)))
    report.largest[...] = report.total[...] = report.residuals[...] = uncertainty
    return report


def rounding_step(n_lines):
    """Rounding of a node voltage at the end of lines with so many devices, over the largest voltage: every device may carry
    a current beside its own, that of this voltage (unitless)."""
    return 4.0 * 2.0**-53 * np.sqrt(n_lines)
