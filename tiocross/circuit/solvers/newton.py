"""Newton's method for devices that do not obey Ohm's law, around the linear solver.

A sweep leaves the tangents' currents unbalanced by the linear residual, and the true currents differ from those of the
tangents at both nodes of a device: the sum of residuals is at most the one plus twice the other.
"""

import numpy as np

from tiocross.circuit.solvers.circuits_kernel import FROM_LAST, FROM_ZERO, GO_ON

_SWEEPS_PER_TANGENT = 2  # one coarse correction: more would be lost at the next tangent
_ROBUST_FROM = 3  # steps without half the residual after which coarse crossbars are given up
_PATIENCE = 30  # such steps after which only rounding is left
_NOTHING = 1e-30  # of the largest voltage times the largest conductance: a gross current below it, ...
_LONG = 100  # ... after so many sweeps, goes to zero and never is


def solve_nonlinear(workspace, tangents, drive, goal, into, start=FROM_ZERO):
    """Solve one circuit of devices with these `Tangents`. ``drive`` is one of the workspace's [V]; ``into`` is `Solved`
    without leading axes, to be filled. Returns `Nodes`."""
    solver, report, places = workspace, into.report, workspace.places
    best, waiting, n_sweeps, budget = np.inf, 0, 0, 1
    while True:
        solver.sweep_further(tangents.devices, drive, min(budget, goal.max_sweeps - n_sweeps), start, into)
        budget = _SWEEPS_PER_TANGENT
        wrong, largest = tangents.take(*places)
        n_sweeps, linear, gross = report.of_one()
        total = linear + 2.0 * wrong
        is_solved, is_dead = total <= goal.rtol * gross, n_sweeps >= _LONG and gross <= _nothing(drive, tangents)
        if is_solved or is_dead or n_sweeps >= goal.max_sweeps or waiting >= _PATIENCE:
            report.add_residuals(2.0 * wrong, 2.0 * largest)
            return solver.nodes
        waiting = 0 if total < 0.5 * best else waiting + 1
        best = min(best, total)
        start = GO_ON
        if wrong > 0.1 * linear:  # else the tangents are good and only the sweeps are not done
            tangents.move_on()
            start = FROM_LAST
        if waiting >= _ROBUST_FROM and solver is workspace:
            solver, start = workspace.hand_over_to_robust(), FROM_LAST
            places = solver.places


def _nothing(drive, tangents):
    """A gross current that goes to zero and never is [A]."""
    return _NOTHING * float(np.abs(drive).max() * tangents.form.g.max())
