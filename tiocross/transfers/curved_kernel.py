"""Voltages across devices whose current is a hyperbolic sine of the voltage, behind wires, for many inputs of one array.

A word line i is held at its source, through which the currents of its devices flow: at device j it is lower by what each
current I_j' drops over the resistance that both share, ``words[j, j']``. A bit line j rises likewise by ``bits[i, i']``. So

    u_ij = v_i - sum_j' words[j, j'] I_ij' - sum_i' bits[i, i'] I_i'j,    I_ij = G_ij v0 sinh(u_ij / v0),

one equation for each device, solved by Newton's method with one slope for all: that of the chord half way to the largest
voltage. What is wrong shrinks with every step by the share by which slopes differ, or less where wires are short.

symbol      shape       meaning
volts       (M, P)      voltages of the sources [V]
g           (D,)        conductances at 0 V, D = M N devices, word line by word line [S]
words       (N, N)      resistance that the currents of two devices of a word line share [ohm]
bits        (M, M)      the same of two devices of a bit line [ohm]
steps       (D, D)      inverse of 1 + resistances times slopes (unitless)
u           (D, P)      in: first guess; out: voltages across the devices [V]
currents    (D, P)      out: currents of the devices [A]
wrong       (D, P)      scratch [V]
"""

import math

from tiocross.jit import helper, kernel


@helper
def _follow(g, v0, u, currents):
    """Fill ``currents`` at these voltages; returns how many."""
    for d in range(len(g)):
        scale = g[d] * v0
        for p in range(u.shape[1]):
            currents[d, p] = scale * math.sinh(u[d, p] / v0)
    return currents.size


@helper
def _miss(source, words, bits, currents, i, j, u, wrong):
    """Fill the row of ``wrong`` of the device (i, j); returns its number."""
    n_bits = len(words)
    d = i * n_bits + j
    row = wrong[d]
    for p in range(len(source)):
        row[p] = source[p] - u[d, p]
    for k in range(n_bits):
        resistance = words[k]
        flow = currents[i * n_bits + k]
        for p in range(len(source)):
            row[p] -= resistance * flow[p]
    for k in range(len(bits)):
        resistance = bits[k]
        flow = currents[k * n_bits + j]
        for p in range(len(source)):
            row[p] -= resistance * flow[p]
    return d


@kernel
def settle(volts, g, words, bits, steps, v0, rtol, most, u, currents, wrong):
    """Fill ``u`` and ``currents``; returns the number of steps, or -1 where ``most`` were not enough for ``rtol`` of the
    largest voltage."""
    n_words, n_points = volts.shape
    n_bits = len(words)
    largest = 0.0
    for i in range(n_words):
        for p in range(n_points):
            largest = max(largest, abs(volts[i, p]))
    for step in range(most):
        _follow(g, v0, u, currents)
        for i in range(n_words):
            for j in range(n_bits):
                _miss(volts[i], words[j], bits[i], currents, i, j, u, wrong)
        moved = 0.0
        for d in range(len(g)):
            row = u[d]
            for e in range(len(g)):
                factor = steps[d, e]
                source = wrong[e]
                for p in range(n_points):
                    row[p] += factor * source[p]
            for p in range(n_points):
                moved = max(moved, abs(wrong[d, p]))
        if not moved < 1e3 * largest + 1e-300:  # no longer a number, or far from any voltage here
            return -1
        if moved <= rtol * largest:
            _follow(g, v0, u, currents)
            return step + 1
    return -1
