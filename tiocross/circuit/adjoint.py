"""The one adjoint of a crossbar: how bit-line currents answer to a change of each device.

A change dG of an ohmic device with the voltage u draws the current u dG more from its word line into its bit line. By
reciprocity 1 A drawn there changes the currents out of the bottom ends, each times a weight y_j and summed, by the voltage a
across the same device when the bottom ends are held at -y_j V, all other connected ends at 0 V. So the derivative is u a.

Of the transfer matrix T: dT_ij/dG_kl = u_kl(i) a_kl(j), with u(i) the device voltages when 1 V drives word line i alone and
a(j) those when -1 V is at the bottom end of bit line j alone. A gradient W by T therefore gives the gradient
sum_i u_kl(i) b_kl(i) by G, where b(i) are the device voltages when all bottom ends j are held at -W_ij V at once.
"""

from collections.abc import Callable

import numpy as np

from tiocross.checks import as_finite
from tiocross.circuit.crossbar import Crossbar, require_crossbar, turn, turn_arrays
from tiocross.circuit.matrices import eliminates, require_ohmic
from tiocross.circuit.series import currents_by_conductance
from tiocross.circuit.solver import find_nodes
from tiocross.circuit.solvers.checks import require_rtol, require_solved
from tiocross.circuit.solvers.dispatch import run_read
from tiocross.circuit.solvers.backwards import eliminate_with_pullback
from tiocross.circuit.solvers.prepared import prepare
from tiocross.circuit.solvers.results import Goal

_MOST_SWEEPS, _MOST_SWEEPS_OF_LINES = 1_000, 50
_NODES_AT_ONCE = 2**21  # devices of all circuits whose voltages are found together: some 50 MB


def transfer_matrix_with_pullback(crossbar: Crossbar, *, rtol: float = 1e-9) -> tuple[np.ndarray, Callable]:
    """Matrix T with bit-line currents = voltages @ T, and how a gradient by T becomes one by the conductances.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit, or many of one shape.
    rtol : float, optional
        As for `transfer_matrix`, for T and for the gradient (unitless).

    Returns
    -------
    matrix : (..., n_word_lines, n_bit_lines) ndarray
        T, as `transfer_matrix` gives it [S].
    pull : callable
        ``pull(W)`` is dL/dG for W = dL/dT of any loss L, for each array its own; both have the shape of the
        conductances. It may be called many times.

    Raises
    ------
    ValueError
        If the devices do not obey Ohm's law; from ``pull``, if W has another shape or is not finite.
    ConvergenceError
        If driving the lines does not reach the bound.

    Notes
    -----
    dL/dG_kl = sum_i u_kl(i) b_kl(i), with u(i) the device voltages when 1 V drives word line i alone and b(i) those when
    all bottom ends j are held at -W_ij V at once. Small arrays are driven line by line, once for T and once for each
    gradient. From 48 x 48 on the elimination that gives T is run backwards: a gradient costs two to three more transfer
    matrices, whatever the number of devices, and what it needs, some 1 kB for each device, is kept as long as ``pull`` is.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import Crossbar, transfer_matrix_with_pullback
    >>> from tiocross.units import ohm, uS
    >>> conductances = np.array([[120, 300], [450, 100], [250, 200]]) * uS
    >>> matrix, pull = transfer_matrix_with_pullback(Crossbar(conductances, 25 * ohm))
    >>> (matrix / uS).round(1).tolist()
    [[114.5, 285.5], [429.1, 96.1], [242.4, 194.0]]
    >>> pull(np.ones((3, 2))).round(3).tolist()  # of the sum of all entries; with ideal wires all 1
    [[0.91, 0.906], [0.909, 0.923], [0.94, 0.941]]
    """
    require_crossbar(crossbar)
    require_rtol(rtol)
    matrix, pull = find_matrix_with_pullback(require_ohmic(crossbar), rtol, rtol)
    shape = crossbar.conductances.shape
    shares = currents_by_conductance(crossbar, np.ones(shape))  # of devices behind what lies in series with them

    def pull_checked(gradient):
        gradient = as_finite("gradient", gradient)
        if gradient.shape != shape:
            raise ValueError(f"gradient must have the shape {shape} of the conductances; got {gradient.shape}")
        return shares * pull(gradient)

    return matrix, pull_checked


def find_matrix_with_pullback(crossbar, rtol, rtol_back):
    """As `transfer_matrix_with_pullback` of a crossbar of ohmic devices, with another ``rtol`` for gradients."""
    shape = crossbar.conductances.shape
    if crossbar.is_ideal or crossbar.conductances.size == 0:
        matrix, pull = crossbar.conductances.copy(), np.array
    elif eliminates(crossbar, rtol):
        matrix, pull = eliminate_with_pullback(prepare(crossbar).arrays, crossbar.word_line_resistance,
                                               crossbar.bit_line_resistance, crossbar.source_resistance,
                                               crossbar.sense_resistance)
    else:
        matrix, pull = _drive_with_pullback(crossbar, rtol, rtol_back)
    return (np.ascontiguousarray(matrix).reshape(shape),
            lambda gradient: pull(gradient.reshape(-1, *shape[-2:])).reshape(shape))


def _drive_with_pullback(crossbar, rtol, rtol_back):
    """The lines of the shorter side are driven, once for the matrices and once for a gradient; both (C, M, N)."""
    turned = crossbar.n_bit_lines < crossbar.n_word_lines

    def see(arrays):  # from the corner from which there are at most as many word lines as bit lines
        return turn_arrays(arrays) if turned else arrays

    seen = turn(crossbar) if turned else crossbar
    matrices, voltages = _drive(seen, np.eye(seen.n_word_lines)[None], rtol)

    def pull(gradient):
        _, answers = _drive(turn(seen), see(gradient)[..., ::-1], rtol_back)  # the bottom ends, from the other corner
        return see((voltages * turn_arrays(answers)).sum(axis=1))

    return see(matrices), pull


def _drive(crossbar, drives, rtol):
    """Bit-line currents [A] and device voltages [V] of each array for each of its ``drives`` (C or 1, B, M) [V]."""
    found = run_read(prepare(crossbar), np.ascontiguousarray(drives), Goal(rtol, _MOST_SWEEPS, nodes=True))
    require_solved(found.report, rtol)
    return found.currents, found.nodes.device_voltages


def find_device_voltages(crossbar, biasing, rtol):
    """Device voltages of every circuit of a batch [V]."""
    return find_nodes(crossbar, biasing, Goal(rtol, _MOST_SWEEPS)).device_voltages


def find_line_voltages(crossbar, rtol, dtype=np.float64):
    """Device voltages u (M, M, N) when 1 V drives each word line alone, and a (N, M, N) when -1 V is at the bottom end of
    each bit line alone [V]; where ``rtol`` is not reached, as near as the sweeps came."""
    word_lines = _drive_one_by_one(crossbar, rtol, dtype)
    return word_lines, turn_arrays(_drive_one_by_one(turn(crossbar), rtol, dtype)[::-1])


def _drive_one_by_one(crossbar, rtol, dtype):
    circuit, drives = prepare(crossbar), np.eye(crossbar.n_word_lines)
    voltages = np.empty((len(drives), *circuit.shape), dtype)
    step = max(1, _NODES_AT_ONCE // circuit.n_devices)
    for start in range(0, len(drives), step):
        found = run_read(circuit, drives[None, start : start + step], Goal(rtol, _MOST_SWEEPS_OF_LINES, nodes=True))
        voltages[start : start + step] = found.nodes.device_voltages[0]
    return voltages
