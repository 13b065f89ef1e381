"""What is asked of the solvers, and what they fill: currents, figures and node voltages of many circuits."""

from typing import NamedTuple

import numpy as np

N_FIGURES = 6  # of each circuit: those of a report, the smallest sum of residuals so far, sweeps since without half of it


class Goal(NamedTuple):
    """When a circuit counts as solved, when to give up, and whether its node voltages are wanted."""

    rtol: float  # wanted sum of residuals, relative to the largest gross current of a sensed bit line
    max_sweeps: int
    nodes: bool = False


class Report(NamedTuple):
    """How well each circuit of a batch is solved."""

    n_sweeps: np.ndarray
    largest: np.ndarray  # residual at a node [A]
    total: np.ndarray  # sum of all residuals [A]
    gross: np.ndarray  # largest sum of the currents of a sensed bit line's devices, without their signs [A]

    def reshape(self, batch):
        """The same with the axes of the batch."""
        return Report(*(figures.reshape(batch) for figures in self))


class Nodes(NamedTuple):
    """Voltages of the nodes, each (..., n_word_lines, n_bit_lines) [V]."""

    bit_lines: np.ndarray
    word_lines: np.ndarray

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
        """Views of the figures that count outside the solver."""
        figures = self.figures
        return Report(figures[..., 0], figures[..., 1], figures[..., 2], figures[..., 3])

    @property
    def nodes(self):
        """Views of the node voltages."""
        return Nodes(self.voltages[..., 0, :, :], self.voltages[..., 1, :, :])

    def at(self, *where):
        """Views of some of the circuits."""
        return Solved(*(values[where] for values in self))

    def put(self, where, other):
        """Store other circuits at some places."""
        for whole, piece in zip(self, other):
            whole[where] = piece


def make_room(count, shape, nodes):
    """Room for ``count`` (C, B) circuits of a shape (M, N), with or without node voltages, to be filled."""
    return Solved(np.empty((*count, shape[1])), np.zeros((*count, N_FIGURES)),
                  np.empty((*count, 2, *(shape if nodes else (0, 0)))))
