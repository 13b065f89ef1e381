"""From the terms of a circuit to the kernel's: ends of lines, geometry, scratch, calls of bounded length."""

from functools import cached_property

import numpy as np

from tiocross.circuit.solvers.hierarchy import kinds_of_lines, lump_lines
from tiocross.circuit.solvers.multilevel_kernel import (
    AT_ONCE,
    FROM_LAST,
    FROM_ZERO,
    GO_ON,
    ONE,
    RHO,
    ROOT,
    solve_arrays,
)
from tiocross.circuit.solvers.results import FAR_END, ROOT_END, Nodes, Solved, allocate_results

_CROSSINGS_PER_CALL = 3_000_000  # in one kernel call, about 0.1 s, so that Ctrl-C and progress get through
_MOST_SWEEPS_AT_ONCE = 200  # of small arrays, many in one call
_PATIENCE = 8  # calls without half the residual after which only rounding is left
_ROBUST_FROM = 3  # such calls after which coarse crossbars are given up


class Workspace:
    """Solves linear circuits of one shape with the same wires and the same ends connected.

    ``resistances`` (2, 3, W): of a segment, and behind the root (left, bottom) and far (right, top) ends, of word lines and
    of bit lines; infinite where an end floats [ohm]. ``sensed`` (N,) bool: bit lines whose gross current sets the scale of
    the tolerance. Drives are root and far voltages of word lines and of bit lines, (..., 2, 2, W), 0 where an end floats
    [V].
    """

    def __init__(self, resistances, geometry, sensed):
        self.resistances, self.geometry, self.sensed = resistances, geometry, sensed
        self.n_word_lines, self.n_bit_lines = (int(n) for n in geometry.numbers[0, 0, :2])
        width = _padded(self.n_bit_lines)
        self.fine = np.empty((4, self.n_word_lines, width))
        self.scratch = (np.empty((geometry.n_wide, width)), np.empty(geometry.pool),
                        np.zeros((len(geometry.numbers), 2, 9, resistances.shape[2])),
                        np.empty((self.n_word_lines, min(width, AT_ONCE))), np.empty((11, width)))
        self.scratch[2][:, :, ONE] = 1.0
        self.nothing = np.empty((0, self.n_bit_lines))
        # Voltages of the circuit solved last; views, to be read or to start from.
        self.nodes = Nodes(self.fine[0, :, : self.n_bit_lines], self.fine[1, :, : self.n_bit_lines])

    def solve(self, arrays, drives, goal, start=FROM_ZERO):
        """Solve every array (C, M, N) [S] for every drive (C or 1, B, 2, 2, W): `Solved`, not judged."""
        count, crossings = (len(arrays), drives.shape[1]), self.n_word_lines * self.n_bit_lines
        solved = allocate_results(count, (self.n_word_lines, self.n_bit_lines), goal.nodes)
        if 8 * crossings <= _CROSSINGS_PER_CALL:
            n_open, step = 0, max(1, _CROSSINGS_PER_CALL // (8 * crossings * count[1]))
            budget = min(goal.max_sweeps, _MOST_SWEEPS_AT_ONCE)
            for first in range(0, len(arrays), step):
                part = slice(first, first + step)
                n_open += self._call((arrays[part], self.nothing), drives[part] if len(drives) > 1 else drives, goal.rtol,
                                     budget, start, solved.at(part))
            if n_open == 0:
                return solved
        report = solved.report
        for c, k in np.argwhere(~(report.total <= goal.rtol * report.gross) | (report.n_sweeps == 0)):
            self._solve_in_steps(arrays[c], drives[min(c, len(drives) - 1), k], goal, start, solved.at(c, k))
        return solved

    def sweep_further(self, devices, drive, budget, start, into, rtol=0.0):
        """Sweep one circuit up to ``budget`` more times, or to ``rtol``. ``devices``: conductances (M, N) [S], and currents
        injected at the word-line nodes and drawn from the bit-line nodes, (M, N) or (0, N) for none [A]. ``into``: `Solved`
        without leading axes."""
        into.report.lose_no_patience()
        array, injected = devices
        alone = Solved(into.currents[None, None], into.figures[None, None], into.voltages[None, None])
        self._call((array[None], injected), drive[None, None], rtol, budget, start, alone)

    @cached_property
    def robust(self):
        """The same for circuits that do not converge here: corrected on the array itself, by conjugate gradients, which
        always converge, instead of on coarse crossbars, which are much faster where they are good pictures of it."""
        shape = (self.n_word_lines, self.n_bit_lines)
        geometry = lump_lines(*shape, kinds_of_lines(self.resistances, shape), (1,))
        return Workspace(self.resistances, geometry, self.sensed)

    def hand_over_to_robust(self):
        """The robust workspace, with this one's bit-line voltages as its start."""
        self.robust.nodes.bit_lines[:] = self.nodes.bit_lines
        return self.robust

    def _solve_in_steps(self, array, drive, goal, start, into):
        """A circuit that is too large for one call, or one that did not converge."""
        report, solver, best, waiting = into.report, self, np.inf, 0
        if report.n_sweeps > 0:
            solver, start = self.robust, FROM_ZERO
            solver.nodes.bit_lines[:] = 0.0
        budget = max(1, min(8, _CROSSINGS_PER_CALL // array.size))
        while report.n_sweeps < goal.max_sweeps and waiting < _PATIENCE:
            sweeps = min(budget, goal.max_sweeps - int(report.n_sweeps))
            solver.sweep_further((array, self.nothing), drive, sweeps, start, into, goal.rtol)
            if report.total <= goal.rtol * report.gross:
                break
            start, waiting = GO_ON, 0 if report.total < 0.5 * best else waiting + 1
            best = min(best, float(report.total))
            if waiting >= _ROBUST_FROM and solver is self:
                solver, start = self.hand_over_to_robust(), FROM_LAST

    def _call(self, devices, drives, rtol, budget, start, into):
        geometry = self.geometry
        return solve_arrays(*devices, drives, self.resistances, geometry.places, geometry.numbers, self.sensed, rtol, budget,
                            start, self.fine, *self.scratch, *into)


def _padded(n):
    """Row length of scratch: a power of two would map all rows to the same places of the cache."""
    return n + 8 if n % 64 == 0 else n


def connect_ends(circuit, ends):
    """Resistances and drives as for `Workspace`, from the voltages of all ends (C, B, 2, 2, n) [V]: NaN where they float,
    the same ones in all circuits."""
    resistances = circuit.resistances.copy()
    drives = np.zeros((*ends.shape[:2], 2, 2, resistances.shape[2]))
    for side, n in enumerate(circuit.shape):
        voltages = ends[:, :, side, :, :n].copy()
        beyond = resistances[side, ROOT, :n].copy()
        ideal = (resistances[side, RHO, :n] + beyond == 0) & ~np.isnan(voltages[0, 0, FAR_END])
        # A line that drops nothing has one voltage: what holds it at the far end may as well hold it at the root.
        voltages[:, :, ROOT_END, ideal], voltages[:, :, FAR_END, ideal] = voltages[:, :, FAR_END, ideal], np.nan
        floating = np.isnan(voltages)
        resistances[side, ROOT:, :n] = np.where(floating[0, 0], np.inf, beyond)
        drives[:, :, side, :, :n] = np.where(floating, 0.0, voltages)
    return resistances, drives
