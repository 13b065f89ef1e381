"""Tangents of devices that do not obey Ohm's law.

Near a voltage x a device carries I(x) + s (u - x), s = I'(x): a conductance s between its two nodes and, beside it, a
current s x - I(x) injected at its word-line node and drawn from its bit-line node. The tangent is taken at the voltage u
found, or, where the curve has risen far above the last tangent (|I(u)| > |i|, i what that tangent carries), at the
voltage at which the device carries i: one step then multiplies a current at most by what the old slope allowed,
instead of overshooting along an exponential.

symbol      shape      meaning                                                      unit
kind        scalar     1: I = g p sinh(u / p); 2: I = g (u + p u^3)                 -
g           (M, N)     conductance at 0 V                                           S
p           (M, N)     voltage scale v0, or strength c                              V, 1/V^2
nodes       (2, M, W)  bit-line and word-line voltages, the first N of each row     V
slope       (M, N)     s of the last tangent                                        S
injected    (M, N)     s x - I(x) of the last tangent                               A
new_*       (M, N)     the same of the next tangent                                 S, A
"""

import numpy as np

from tiocross.jit import helper, kernel

_LARGEST_EXPONENT = 300.0  # beyond, exp might overflow; no tangent is taken there


@helper
def _current_and_slope(kind, g, p, u):
    if kind == 1:
        grown = np.expm1(min(abs(u / p), _LARGEST_EXPONENT))  # exact near zero, and of the magnitude: no cancellation
        sinh = 0.5 * (grown + grown / (grown + 1.0))
        return g * p * (sinh if u > 0.0 else -sinh), g * np.sqrt(1.0 + sinh * sinh)
    return g * (u + p * u * u * u), g * (1.0 + 3.0 * p * u * u)


@helper
def _voltage(kind, g, p, current):
    """Voltage at which a device carries a current."""
    if kind == 1:
        return p * np.arcsinh(current / (g * p))
    if p * (current / g) ** 2 < 1e-12:
        return current / g
    scale = np.sqrt(3.0 * p)  # the only real root of the cubic, in a form without cancellation
    return 2.0 / scale * np.sinh(np.arcsinh(1.5 * scale * current / g) / 3.0)


@kernel
def take_tangents(kind, g, p, nodes, slope, injected, new_slope, new_injected):
    """Fill the next tangents; returns the sum and the largest of what the last ones got wrong [A]."""
    n_word, n_bit = g.shape
    total, largest = 0.0, 0.0
    for i in range(n_word):
        for j in range(n_bit):
            u = nodes[1, i, j] - nodes[0, i, j]
            assumed = slope[i, j] * u - injected[i, j]
            current, tangent = _current_and_slope(kind, g[i, j], p[i, j], u)
            wrong = abs(current - assumed)
            total += wrong
            largest = max(largest, wrong)
            if abs(current) > 2.0 * abs(assumed) and assumed * u > 0.0:
                u = _voltage(kind, g[i, j], p[i, j], assumed)
                current, tangent = _current_and_slope(kind, g[i, j], p[i, j], u)
            new_slope[i, j] = tangent
            new_injected[i, j] = tangent * u - current
    return total, largest
