"""Newton's method for devices that do not obey Ohm's law, around the linear solver."""

import numpy as np

from tiocross.circuit.solvers.tangents_kernel import take_tangents
from tiocross.circuit.solvers.workspace import N_FIGURES

_SWEEPS_PER_TANGENT = 2  # one coarse correction: more would be lost at the next tangent
_ROBUST_FROM = 3  # steps without half the residual after which coarse crossbars are given up
_PATIENCE = 30  # such steps after which only rounding is left


def solve_nonlinear(workspace, law, parameter, array, drive, rtol, max_sweeps):
    """Solve one circuit of devices with a law other than Ohm's; the voltages stay in a workspace.

    Parameters
    ----------
    workspace : Workspace
        Of the circuit's shape and ends (unitless).
    law : Sinh or Cubic
        Kind of the devices (unitless).
    parameter : (n_word_lines, n_bit_lines) ndarray
        Parameter of each device [V or 1/V^2].
    array : (n_word_lines, n_bit_lines) ndarray
        Conductances at 0 V [S].
    drive : (2, 2, n) ndarray
        One row of the workspace's drives [V].
    rtol : float
        As for the linear solver (unitless).
    max_sweeps : int
        Most sweeps (unitless).

    Returns
    -------
    currents : (n_bit_lines,) ndarray
        Out of the bottom ends [A].
    report : (6,) ndarray
        As of the linear solver; the residuals are those of the true devices.
    solver : Workspace
        The one that holds the voltages.

    Notes
    -----
    A sweep leaves the tangents' currents unbalanced by the linear residual, and the true currents differ from those of
    the tangents at both nodes of a device: the sum of residuals is at most the one plus twice the other.
    """
    currents, report = np.empty(workspace.n_bit_lines), np.zeros(N_FIGURES)
    slope, injected = array, np.zeros_like(array)
    new = [np.empty((2, *array.shape)) for _ in range(2)]
    start, best, waiting, turn, solver = 2, np.inf, 0, 0, workspace
    while True:
        budget = min(_SWEEPS_PER_TANGENT, max_sweeps - int(report[0]))
        solver.advance(slope, injected, drive, budget, start, currents, report)
        wrong, largest = take_tangents(law.kind, array, parameter, solver.fine, slope, injected, *new[turn])
        linear = report[2]
        total = linear + 2.0 * wrong
        if total <= rtol * report[3] or report[0] >= max_sweeps or waiting >= _PATIENCE:
            report[1:3] = report[1] + 2.0 * largest, total
            return currents, report, solver
        waiting = 0 if total < 0.5 * best else waiting + 1
        best = min(best, total)
        start = 0
        if wrong > 0.1 * linear:  # else the tangents are good and only the sweeps are not done
            slope, injected = new[turn]
            turn, start = 1 - turn, 1
        if waiting >= _ROBUST_FROM and solver is workspace:
            solver, start = workspace.go_robust(), 1
