"""Tangents of devices that do not obey Ohm's law.

Near a voltage x a device carries I(x) + s (u - x), s = I'(x): a conductance s between its two nodes and, beside it, a
current s x - I(x) injected at its word-line node and drawn from its bit-line node. The tangent is taken at the voltage u
found, or, where the curve has risen far above the last tangent (|I(u)| > 2 |i|, i what that tangent carries), at the
voltage at which the device carries i: one step then multiplies a current at most by what the old slope allowed,
instead of overshooting along an exponential.

Hyperbolic functions: with x = k ln 2 + r and |r| <= ln 2 / 2, sinh x and cosh x are sums of 2^k, 2^-k, sinh r and cosh r
without any cancellation that counts, and those of r are Taylor series: right to some 3 units in the last place.

symbol      shape      meaning                                                      unit
code        scalar     SINH: I = g v sinh(u / v); POLYNOMIAL: I = g (u + a u^2 + b u^3)
g           (M, L)     conductance at 0 V; flat, as all with L: rows filled up with
                       0 S to a ``width`` of whole vectors, and more rows at will   S
p           (4, M, L)  v and 1 / v, or a and b, for u > 0; then for u < 0. Or
            or (4,)    those of all devices                                         V, 1/V, 1/V^2
nodes       flat       with voltages of bit lines from b on and of word lines from  V
                       w on, rows ``pitch`` apart
slope       (M, L)     s of the last tangent                                        S
injected    (M, L)     s x - I(x) of the last tangent                               A
new_*       (M, L)     the same of the next tangent                                 S, A
"""

import numpy as np

from tiocross.jit import helper, kernel
from tiocross.vectors import LANES, fill, lane, larger, load, magnitude, spread, store, two_to, where_above

SINH, POLYNOMIAL = 1, 2  # codes of the laws
_LARGEST_EXPONENT = 300.0  # beyond, squares might overflow; no tangent is taken there
_ROUNDER = 3.0 * 2.0**51  # added and taken away, leaves a whole number
_LN_2, _LN_2_LOW = 0.69314718036912381649, 1.90821492927058770002e-10  # the first one has 20 zero bits at its end


@helper
def _hyperbolic(x):
    """sinh and cosh."""
    x = where_above(x, fill(_LARGEST_EXPONENT), fill(_LARGEST_EXPONENT), x)
    x = where_above(fill(-_LARGEST_EXPONENT), x, fill(-_LARGEST_EXPONENT), x)
    k = (x * 1.4426950408889634 + _ROUNDER) - _ROUNDER
    r = (x - k * _LN_2) - k * _LN_2_LOW
    q = r * r
    odd = q * (1 / 6227020800.0) + 1 / 39916800.0
    odd = q * (q * (q * (q * (q * odd + 1 / 362880.0) + 1 / 5040.0) + 1 / 120.0) + 1 / 6.0)
    even = q * (1 / 479001600.0) + 1 / 3628800.0
    even = q * (q * (q * (q * (q * even + 1 / 40320.0) + 1 / 720.0) + 1 / 24.0) + 0.5)
    up, down = 0.5 * two_to(k), 0.5 * two_to(0.0 - k)
    odd, even, total, difference = r + r * odd, 1.0 + even, up + down, up - down
    return difference * even + total * odd, total * even + difference * odd


@helper
def _parameter(p, row, n, k, is_forward):
    """Of LANES devices; ``n`` is 0 where one serves all."""
    if n == 0:
        return where_above(is_forward, fill(0.0), spread(p, row), spread(p, row + 2))
    return where_above(is_forward, fill(0.0), load(p, row * n + k), load(p, (row + 2) * n + k))


@helper
def _limit(code, first, second, g, assumed):
    """Voltage at which one device carries a current, and its slope there."""
    y = assumed / g
    if code == SINH:
        y *= second
        return first * np.arcsinh(y), g * np.sqrt(1.0 + y * y)
    u, a, b = y, first, second
    if b > 0.0:  # u = t - shift: t^3 + 3 k t = z has one real root, for k > 0
        shift = a / (3.0 * b)
        k, z = 1.0 / (3.0 * b) - shift * shift, (y + shift) / b - 2.0 * shift * shift * shift
        u = 2.0 * np.sqrt(k) * np.sinh(np.arcsinh(0.5 * z / (k * np.sqrt(k))) / 3.0) - shift
    return u, g * (1.0 + u * (2.0 * a + 3.0 * b * u))


@helper
def _limit_row(code, g, p, n, first, width, nodes, b, w, slope, injected, new_slope, new_injected, beyond):
    """Tangents of devices of a row, if there are any, whose curve has risen far above the last ones."""
    excess = 0.0
    for k in range(LANES):
        excess = max(excess, lane(beyond, k))
    if excess > 0.0:
        for j in range(width):
            at, u = first + j, nodes[w + j] - nodes[b + j]
            assumed, current = slope[at] * u - injected[at], new_slope[at] * u - new_injected[at]
            if g[at] > 0.0 and assumed * u > 0.0 and abs(current) > 2.0 * abs(assumed):
                row, step = 0 if u > 0.0 else 2, n if n > 0 else 1
                place = row * step + (at if n > 0 else 0)
                u, tangent = _limit(code, p[place], p[place + step], g[at], assumed)
                new_slope[at], new_injected[at] = tangent, tangent * u - assumed


@kernel
def take_tangents(code, g, p, n_word, width, nodes, b, w, pitch, slope, injected, new_slope, new_injected):
    """Fill the next tangents; returns sum and largest of what the last ones got wrong [A], and the sum of slopes [S]."""
    n = len(g) if len(p) > 4 else 0
    total, largest, slopes, none = fill(0.0), fill(0.0), fill(0.0), fill(0.0)
    for i in range(n_word):
        beyond = none
        for j in range(0, width, LANES):
            at, conductance = i * width + j, load(g, i * width + j)
            u = load(nodes, w + i * pitch + j) - load(nodes, b + i * pitch + j)
            u = where_above(conductance, none, u, none)  # what lies beyond the last device need not be a number
            first, second = _parameter(p, 0, n, at, u), _parameter(p, 1, n, at, u)
            if code == SINH:
                current, tangent = _hyperbolic(u * second)
                current, tangent = conductance * first * current, conductance * tangent
            else:
                current = conductance * (u * (1.0 + u * (first + second * u)))
                tangent = conductance * (1.0 + u * (2.0 * first + 3.0 * second * u))
            assumed = load(slope, at) * u - load(injected, at)
            wrong = magnitude(current - assumed)
            total += wrong
            largest = larger(wrong, largest)
            slopes += tangent
            excess = magnitude(current) - 2.0 * magnitude(assumed)
            beyond = larger(where_above(assumed * u, none, excess, none), beyond)
            store(new_slope, at, tangent)
            store(new_injected, at, tangent * u - current)
        _limit_row(code, g, p, n, i * width, width, nodes, b + i * pitch, w + i * pitch, slope, injected, new_slope,
                   new_injected, beyond)
    wrong, most, every = 0.0, 0.0, 0.0
    for k in range(LANES):
        wrong += lane(total, k)
        most = max(most, lane(largest, k))
        every += lane(slopes, k)
    return wrong, most, every
