"""From the terms of a circuit to the kernel's: ends of lines, geometry, scratch, calls of bounded length."""

from functools import cached_property

import numpy as np

from tiocross.circuit.solvers.hierarchy import kinds_of_lines, plan_levels
from tiocross.circuit.solvers.multilevel_kernel import AT_ONCE, solve_arrays

_CROSSINGS_PER_CALL = 3_000_000  # in one kernel call, about 0.1 s, so that Ctrl-C and progress get through
_PATIENCE = 8  # calls without half the residual after which only rounding is left
N_FIGURES = 6  # the kernel's report on a circuit: sweeps, largest and summed residual, gross current, two of its own


def make_room(count, shape, nodes):
    """Currents, reports and node voltages of circuits, to be filled.

    Parameters
    ----------
    count : (int, int)
        Numbers of arrays and inputs (unitless).
    shape : (int, int)
        Numbers of word lines and bit lines (unitless).
    nodes : bool
        Whether node voltages are wanted; else they have no content (unitless).

    Returns
    -------
    (ndarray, ndarray, ndarray)
        As of `Workspace.solve`.
    """
    return (np.empty((*count, shape[1])), np.zeros((*count, N_FIGURES)),
            np.empty((*count, 2, *(shape if nodes else (0, 0)))))


class Workspace:
    """Solves linear circuits of one shape with the same wires and the same ends connected.

    Parameters
    ----------
    resistances : (2, 3, n) ndarray
        Of a segment, and behind the root (left, bottom) and far (right, top) ends, of word lines and of bit lines;
        infinite where an end floats [ohm].
    plan : Plan
        Geometry of the coarse crossbars (unitless).
    sensed : (n_bit_lines,) bool ndarray
        Bit lines whose gross current sets the scale of the tolerance (unitless).
    """

    def __init__(self, resistances, plan, sensed):
        self.resistances, self.plan, self.sensed = resistances, plan, sensed
        self.n_word_lines, self.n_bit_lines = (int(n) for n in plan.numbers[0, 0, :2])
        width = _padded(self.n_bit_lines)
        self.fine = np.empty((4, self.n_word_lines, width))
        self.scratch = (np.empty((plan.n_wide, width)), np.empty(plan.pool),
                        np.zeros((len(plan.numbers), 2, 8, resistances.shape[2])),
                        np.empty((self.n_word_lines, min(width, AT_ONCE))), np.empty((11, width)))
        self.nothing = np.empty((0, self.n_bit_lines))

    def solve(self, arrays, drives, rtol, max_sweeps, *, read=False, nodes=False):
        """Solve every array for every drive.

        Parameters
        ----------
        arrays : (n_arrays, n_word_lines, n_bit_lines) ndarray
            Devices [S].
        drives : (n_arrays or 1, n_inputs, 2, 2, n) ndarray
            For each array or for all: root and far voltages of word lines and of bit lines, 0 where an end floats [V].
        rtol : float
            Wanted sum of residuals relative to the largest gross current of a sensed bit line (unitless).
        max_sweeps : int
            Most sweeps (unitless).
        read : bool, optional
            Whether left ends are driven, bottom ends at 0 V and the others floating, which allows a good guess (unitless).
        nodes : bool, optional
            Whether to keep the node voltages (unitless).

        Returns
        -------
        currents : (n_arrays, n_inputs, n_bit_lines) ndarray
            Out of the bottom ends [A].
        report : (n_arrays, n_inputs, 6) ndarray
            Sweeps, largest and summed residual [A], gross current [A], and two figures of the kernel's own.
        voltages : (n_arrays, n_inputs, 2, n_word_lines, n_bit_lines) ndarray
            Of bit-line and word-line nodes, without content unless wanted [V].
        """
        count = (len(arrays), drives.shape[1])
        currents, report, voltages = make_room(count, (self.n_word_lines, self.n_bit_lines), nodes)
        crossings = self.n_word_lines * self.n_bit_lines
        if 8 * crossings <= _CROSSINGS_PER_CALL:
            n_open, step = 0, max(1, _CROSSINGS_PER_CALL // (8 * crossings * count[1]))
            for start in range(0, len(arrays), step):
                part = slice(start, start + step)
                n_open += self._call(arrays[part], self.nothing, drives[part] if len(drives) > 1 else drives, rtol,
                                     min(max_sweeps, 200), 3 if read else 2, (currents[part], report[part], voltages[part]))
            if n_open == 0:
                return currents, report, voltages
        for c, k in np.argwhere(~(report[..., 2] <= rtol * report[..., 3]) | (report[..., 0] == 0)):
            drive = drives[min(c, len(drives) - 1), k]
            solver = self._solve_in_steps(arrays[c], drive, rtol, max_sweeps, currents[c, k], report[c, k],
                                          3 if read else 2)
            if nodes:
                voltages[c, k] = solver.node_voltages
        return currents, report, voltages

    def advance(self, array, injected, drive, budget, start, currents, report, rtol=0.0):
        """Sweep one circuit with currents injected at its word-line nodes and drawn from its bit-line nodes.

        Parameters
        ----------
        array : (n_word_lines, n_bit_lines) ndarray
            Devices [S].
        injected : (n_word_lines, n_bit_lines) ndarray
            Currents [A].
        drive : (2, 2, n) ndarray
            Root and far voltages of word lines and of bit lines [V].
        budget : int
            Sweeps (unitless).
        start : int
            2 from zero, 1 with new devices, 0 with the same ones (unitless).
        currents : (n_bit_lines,) ndarray
            Filled with the currents out of the bottom ends [A].
        report : (6,) ndarray
            Added to; the caller is the one to lose patience (unitless).
        rtol : float, optional
            Where to stop before the budget is used up (unitless).
        """
        report[4:] = np.inf, 0.0  # as if no sweep had been without success
        self._call(array[None], injected, drive[None, None], rtol, budget, start,
                   (currents[None, None], report[None, None], np.empty((1, 1, 2, 0, 0))))

    @property
    def node_voltages(self):
        """Bit-line and word-line voltages of the circuit solved last, (2, n_word_lines, n_bit_lines) [V]."""
        return self.fine[:2, :, : self.n_bit_lines]

    @cached_property
    def robust(self):
        """The same for circuits that do not converge here: corrected on the array itself, by conjugate gradients, which
        always converge, instead of on coarse crossbars, which are much faster where they are good pictures of it."""
        shape = (self.n_word_lines, self.n_bit_lines)
        plan = plan_levels(*shape, kinds_of_lines(self.resistances, shape), (1,))
        return Workspace(self.resistances, plan, self.sensed)

    def _solve_in_steps(self, array, drive, rtol, max_sweeps, currents, report, start):
        """A circuit that is too large for one call, or one that did not converge; returns the workspace with its nodes."""
        solver, best, waiting = self, np.inf, 0
        if report[0] > 0:
            solver, start = self.robust, 2
            solver.node_voltages[0] = 0.0
        budget = max(1, min(8, _CROSSINGS_PER_CALL // array.size))
        while report[0] < max_sweeps and waiting < _PATIENCE:
            sweeps = min(budget, max_sweeps - int(report[0]))
            solver.advance(array, self.nothing, drive, sweeps, start, currents, report, rtol)
            if report[2] <= rtol * report[3]:
                break
            start, waiting = 0, 0 if report[2] < 0.5 * best else waiting + 1
            best = min(best, report[2])
            if waiting >= 3 and solver is self:
                solver = self.go_robust()
                start = 1
        return solver

    def go_robust(self):
        """The robust workspace, with this one's bit-line voltages as its start."""
        self.robust.node_voltages[0] = self.node_voltages[0]
        return self.robust

    def _call(self, arrays, injected, drives, rtol, budget, start, into):
        places, numbers, _, _ = self.plan
        return solve_arrays(arrays, injected, drives, self.resistances, places, numbers, self.sensed, rtol, budget, start,
                            self.fine, *self.scratch, *into)


def _padded(n):
    """Row length of scratch: a power of two would map all rows to the same places of the cache."""
    return n + 8 if n % 64 == 0 else n


def connect(crossbar, ends):
    """The kernel's view of connected ends.

    Parameters
    ----------
    crossbar : Crossbar
        Its resistances (unitless).
    ends : (n_inputs, 2, 2, n) ndarray
        Root (left, bottom) and far (right, top) voltages of word lines and of bit lines, NaN where floating; one pattern
        of floating ends for all inputs [V].

    Returns
    -------
    resistances : (2, 3, W) ndarray
        As for `Workspace` [ohm].
    drives : (n_inputs, 2, 2, W) ndarray
        As for `Workspace.solve` [V].
    """
    resistances = crossbar.read_resistances.copy()
    drives = np.zeros((len(ends), 2, 2, resistances.shape[2]))
    for side, n in enumerate(crossbar.conductances.shape[-2:]):
        voltages = ends[:, side, :, :n].copy()
        beyond = resistances[side, 1, :n].copy()
        ideal = (resistances[side, 0, :n] + beyond == 0) & ~np.isnan(voltages[0, 1])
        # A line that drops nothing has one voltage: what holds it at the far end may as well hold it at the root.
        voltages[:, 0, ideal], voltages[:, 1, ideal] = voltages[:, 1, ideal], np.nan
        floating = np.isnan(voltages)
        resistances[side, 1:, :n] = np.where(floating[0], np.inf, beyond)
        drives[:, side, :, :n] = np.where(floating, 0.0, voltages)
    return resistances, drives
