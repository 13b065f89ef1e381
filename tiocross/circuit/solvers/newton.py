"""Newton's method for devices that do not obey Ohm's law, around the linear solver.

A sweep leaves the tangents' currents unbalanced by the linear residual, and the true currents differ from those of the
tangents at both nodes of a device: the sum of residuals is at most the one plus twice the other.
"""

import numpy as np

from tiocross.circuit.solvers.circuits_kernel import FROM_LAST, FROM_ZERO, GO_ON
from tiocross.circuit.solvers.tangents import Tangents

_SWEEPS_PER_TANGENT = 2  # one coarse correction: more would be lost at the next tangent
_ROBUST_FROM = 3  # steps without half the residual after which coarse crossbars are given up
_PATIENCE = 30  # such steps after which only rounding is left
_NOTHING = 1e-30  # of the largest voltage times the largest conductance: a gross current below it, ...
_LONG = 100  # ... after so many sweeps, goes to zero and never is


def solve_nonlinear(workspace, devices, drive, goal, into):
    """Solve one circuit of ``devices``: conductances at 0 V (M, N) [S], and their law. ``drive`` (2, 2, W) is one of the
    workspace's [V]; ``into`` is `Solved` without leading axes, to be filled. Returns `Nodes`."""
    array, law = devices
    tangents = Tangents(array, law)
    solver, report = workspace, into.report
    n_sweeps, left, gross = report.n_sweeps, report.residuals, report.gross  # views of what each call fills
    start, best, waiting = FROM_ZERO, np.inf, 0
    dead = _NOTHING * float(np.abs(drive).max() * array.max())
    while True:
        budget = min(_SWEEPS_PER_TANGENT, goal.max_sweeps - int(n_sweeps))
        solver.sweep_further(tangents.devices, drive, budget, start, into)
        wrong, largest = tangents.take(*solver.places)
        linear = float(left)
        total = linear + 2.0 * wrong
        is_solved, is_dead = total <= goal.rtol * float(gross), float(gross) <= dead and n_sweeps >= _LONG
        if is_solved or is_dead or n_sweeps >= goal.max_sweeps or waiting >= _PATIENCE:
            report.largest[...] += 2.0 * largest
            report.total[...] = left[...] = total  # tangents do not tell how much of it leaks
            return solver.nodes
        waiting = 0 if total < 0.5 * best else waiting + 1
        best = min(best, total)
        start = GO_ON
        if wrong > 0.1 * linear:  # else the tangents are good and only the sweeps are not done
            tangents.move_on()
            start = FROM_LAST
        if waiting >= _ROBUST_FROM and solver is workspace:
            solver, start = workspace.hand_over_to_robust(), FROM_LAST
