"""Tangents of devices that do not obey Ohm's law.

Near a voltage x a device carries I(x) + s (u - x), s = I'(x): a conductance s between its two nodes and, beside it, a
current s x - I(x) injected at its word-line node and drawn from its bit-line node. The tangent is taken at the voltage u
found, or, where the curve has risen far above the last tangent (|I(u)| > 2 |i|, i what that tangent carries), at the
voltage at which the device carries i: one step then multiplies a current at most by what the old slope allowed,
instead of overshooting along an exponential.

symbol      shape      meaning                                                      unit
code        scalar     SINH: I = g v0 sinh(u / v0); CUBIC: I = g (u + c u^3);       -
                       POLYNOMIAL: I = g (u + a u^2 + b u^3)
g           (M, N)     conductance at 0 V                                           S
p           (P, M, N)  parameters: v0; c; a and b                                   V; 1/V^2; 1/V and 1/V^2
nodes       (2, M, W)  bit-line and word-line voltages, the first N of each row     V
slope       (M, N)     s of the last tangent                                        S
injected    (M, N)     s x - I(x) of the last tangent                               A
new_*       (M, N)     the same of the next tangent                                 S, A
"""

import numpy as np

from tiocross.jit import helper, kernel

SINH, CUBIC, POLYNOMIAL = 1, 2, 3  # codes of the laws; CODES are all that there are
CODES = (SINH, CUBIC, POLYNOMIAL)
_LARGEST_EXPONENT = 300.0  # beyond, exp might overflow; no tangent is taken there


@helper
def _current_and_slope(code, g, p, i, j, u):
    """NaN for a code that is none."""
    if code == SINH:
        v0 = p[0, i, j]
        grown = np.expm1(min(abs(u / v0), _LARGEST_EXPONENT))  # exact near zero, and of the magnitude: no cancellation
        sinh = 0.5 * (grown + grown / (grown + 1.0))
        return g * v0 * (sinh if u > 0.0 else -sinh), g * np.sqrt(1.0 + sinh * sinh)
    if code == CUBIC:
        c = p[0, i, j]
        return g * (u + c * u * u * u), g * (1.0 + 3.0 * c * u * u)
    if code == POLYNOMIAL:
        a, b = p[0, i, j], p[1, i, j]
        return g * (u * (1.0 + u * (a + b * u))), g * (1.0 + u * (2.0 * a + 3.0 * b * u))
    return np.nan, np.nan


@helper
def _voltage(code, g, p, i, j, current):
    """Voltage at which a device carries a current."""
    if code == SINH:
        v0 = p[0, i, j]
        return v0 * np.arcsinh(current / (g * v0))
    if code == CUBIC:
        c = p[0, i, j]
        if c * (current / g) ** 2 < 1e-12:
            return current / g
        scale = np.sqrt(3.0 * c)  # the only real root of the cubic, in a form without cancellation
        return 2.0 / scale * np.sinh(np.arcsinh(1.5 * scale * current / g) / 3.0)
    if code == POLYNOMIAL:
        a, b = p[0, i, j], p[1, i, j]
        if b == 0.0:  # and so is a
            return current / g
        shift = a / (3.0 * b)  # u = t - shift: t^3 + 3 k t = y has one real root, for k > 0
        k, y = 1.0 / (3.0 * b) - shift * shift, (current / g + shift) / b - 2.0 * shift * shift * shift
        return 2.0 * np.sqrt(k) * np.sinh(np.arcsinh(0.5 * y / (k * np.sqrt(k))) / 3.0) - shift
    return np.nan


@kernel
def take_tangents(code, g, p, nodes, slope, injected, new_slope, new_injected):
    """Fill the next tangents; returns the sum and the largest of what the last ones got wrong [A]."""
    n_word, n_bit = g.shape
    total, largest = 0.0, 0.0
    for i in range(n_word):
        for j in range(n_bit):
            u = nodes[1, i, j] - nodes[0, i, j]
            assumed = slope[i, j] * u - injected[i, j]
            current, tangent = _current_and_slope(code, g[i, j], p, i, j, u)
            wrong = abs(current - assumed)
            total += wrong
            largest = max(largest, wrong)
            if abs(current) > 2.0 * abs(assumed) and assumed * u > 0.0:
                u = _voltage(code, g[i, j], p, i, j, assumed)
                current, tangent = _current_and_slope(code, g[i, j], p, i, j, u)
            new_slope[i, j] = tangent
            new_injected[i, j] = tangent * u - current
    return total, largest
