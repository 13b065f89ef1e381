"""The one adjoint of a crossbar: how bit-line currents answer to a change of each device.

A change dG of an ohmic device with the voltage u draws the current u dG more from its word line into its bit line. By
reciprocity 1 A drawn there changes the currents out of the bottom ends, each times a weight y_j and summed, by the voltage a
across the same device when the bottom ends are held at -y_j V, all other connected ends at 0 V. So the derivative is u a.

Of the transfer matrix T: dT_ij/dG_kl = u_kl(i) a_kl(j), with u(i) the device voltages when 1 V drives word line i alone and
a(j) those when -1 V is at the bottom end of bit line j alone. A gradient W by T therefore gives the gradient
sum_i u_kl(i) b_kl(i) by G, where b(i) are the device voltages when all bottom ends j are held at -W_ij V at once.
"""

import numpy as np

from tiocross.circuit.biasing import Biasing
from tiocross.circuit.crossbar import Crossbar, turn_arrays
from tiocross.circuit.solver import find_nodes
from tiocross.circuit.solvers.checks import require_solved
from tiocross.circuit.solvers.dispatch import run_read
from tiocross.circuit.solvers.prepared import prepare
from tiocross.circuit.solvers.results import Goal

_RTOL, _MOST_SWEEPS = 1e-9, 1_000


def find_device_voltages(crossbar, biasing, rtol):
    """Device voltages of every circuit of a batch [V]."""
    return find_nodes(crossbar, biasing, Goal(rtol, _MOST_SWEEPS)).device_voltages


def find_line_voltages(crossbar, rtol):
    """Device voltages u (M, M, N) when 1 V drives each word line alone, and a (N, M, N) when -1 V is at the bottom end of
    each bit line alone [V]."""
    m, n = crossbar.conductances.shape
    left, bottom = np.zeros((m + n, m)), np.zeros((m + n, n))
    left[:m], bottom[m:] = np.eye(m), -np.eye(n)
    voltages = find_device_voltages(crossbar, Biasing(left, np.full(m, np.nan), np.full(n, np.nan), bottom), rtol)
    return voltages[:m], voltages[m:]


def matrices_with_pullback(conductances, wire_resistance):
    """Transfer matrices of ohmic arrays (n_arrays, n_word_lines, n_bit_lines) [S] with one resistance of all segments [ohm];
    and a function that turns a gradient by the matrices into the gradient by the conductances. The lines of the shorter
    side are driven, once for the matrices and once for a gradient."""
    turned = conductances.shape[-1] < conductances.shape[-2]

    def see(arrays):  # from the corner from which there are at most as many word lines as bit lines
        return turn_arrays(arrays) if turned else arrays

    seen = see(conductances)
    matrices, voltages = _drive(seen, wire_resistance, np.eye(seen.shape[-2])[None])

    def pull(gradient):
        drives = see(gradient)[..., ::-1]  # the bottom ends, from the other corner
        _, answers = _drive(turn_arrays(seen), wire_resistance, drives)
        return see((voltages * turn_arrays(answers)).sum(axis=1))

    return see(matrices), pull


def _drive(conductances, wire_resistance, drives):
    """Bit-line currents [A] and device voltages [V] of each array for each of its ``drives`` (C or 1, B, M) [V]."""
    circuit = prepare(Crossbar(conductances, wire_resistance))
    found = run_read(circuit, np.ascontiguousarray(drives), Goal(_RTOL, _MOST_SWEEPS, nodes=True))
    require_solved(found.report, _RTOL)
    return found.currents, found.nodes.device_voltages
