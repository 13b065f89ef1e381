"""Tangents of devices with any law, and of pairs in series that carry one current: see `tangents_kernel` for what they are.

The current of a pair solves v(i) + w(i) = u, where v and w are the voltages that its two elements need. One of them takes
at least half of u, so i is at least the lesser of their currents at u / 2; it is at most the lesser one at u. Newton's
method for log i starts at what the last tangent carries, which is nearly right at the end; where that is far off or leads
nowhere, it starts anew as if both were straight up to u, and stays between the bounds.

symbol      shape         meaning                                                              unit
elements    (E, 2, 3)     of one element or two, for u > 0 and u < 0: code, and of a TABLE
                          where it begins and how many points it has
table       flat          of each curve with K points: x (K) and y (K), then of its K + 1      V
                          pieces x and y where they begin, c1, c2, c3, and their lengths
p           (E, 5, n)     conductance of the element; both coefficients for u > 0; for u < 0   S
g           (n,)          conductance of what stands between the nodes, at 0 V                 S
others      flat          as in `tangents_kernel`
"""

import numpy as np

from tiocross.jit import helper, kernel

SINH, POLYNOMIAL, TABLE = 1, 2, 3
_STEPS, _FREE_STEPS, _TABLE_STEPS = 200, 5, 60
_NEAR = 0.1  # of the voltage: a guess that is off by more is none
_LARGEST_EXPONENT = 300.0  # beyond, squares might overflow
_SETTLED, _EPSILON = 2.0**-50, 2.0**-52


@helper
def _find(table, first, n, value):
    """Piece of a curve: how many of n increasing numbers are not above a value."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if table[first + middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@helper
def _along(table, piece, n, t):
    """Rise and slope of a curve t behind the begin of a piece."""
    c1, c2, c3 = table[piece + 2 * n], table[piece + 3 * n], table[piece + 4 * n]
    return t * (c1 + t * (c2 + t * c3)), c1 + t * (2.0 * c2 + 3.0 * t * c3)


@helper
def _current(elements, table, p, n, e, k, u):
    """Current and slope of one element at a voltage."""
    side = 0 if u > 0.0 else 1
    code, at = elements[e, side, 0], (5 * e + 1 + 2 * side) * n + k
    g, first, second = p[5 * e * n + k], p[at], p[at + n]
    if code == SINH:
        grown = np.expm1(min(abs(u * second), _LARGEST_EXPONENT))  # exact near zero, and of the magnitude: no cancellation
        sinh = 0.5 * (grown + grown / (grown + 1.0))
        return g * first * (sinh if u > 0.0 else -sinh), g * np.sqrt(1.0 + sinh * sinh)
    if code == POLYNOMIAL:
        return g * (u * (1.0 + u * (first + second * u))), g * (1.0 + u * (2.0 * first + 3.0 * second * u))
    start, points = elements[e, side, 1], elements[e, side, 2]
    piece = start + 2 * points + _find(table, start, points, u)
    rise, slope = _along(table, piece, points + 1, u - table[piece])
    return g * (table[piece + points + 1] + rise), g * slope


@helper
def _voltage(elements, table, p, n, e, k, current):
    """Voltage at which one element carries a current, and its slope there."""
    side = 0 if current > 0.0 else 1
    code, at = elements[e, side, 0], (5 * e + 1 + 2 * side) * n + k
    g, a, b = p[5 * e * n + k], p[at], p[at + n]
    y = current / g
    if code == SINH:
        return a * np.arcsinh(y * b), g * np.sqrt(1.0 + (y * b) ** 2)
    if code == POLYNOMIAL:
        u = y
        if b > 0.0:
            shift = a / (3.0 * b)
            q, z = 1.0 / (3.0 * b) - shift * shift, (y + shift) / b - 2.0 * shift * shift * shift
            u = 2.0 * np.sqrt(q) * np.sinh(np.arcsinh(0.5 * z / (q * np.sqrt(q))) / 3.0) - shift
            for _ in range(2):
                u -= (u * (1.0 + u * (a + b * u)) - y) / (1.0 + u * (2.0 * a + 3.0 * b * u))
        return u, g * (1.0 + u * (2.0 * a + 3.0 * b * u))
    start, points = elements[e, side, 1], elements[e, side, 2]
    piece = start + 2 * points + _find(table, start + points, points, y)
    wanted, length = y - table[piece + points + 1], table[piece + 5 * (points + 1)]
    low, high = min(length, 0.0), max(length, 0.0)
    t = wanted / table[piece + 2 * (points + 1)]
    if abs(length) < np.inf:
        t = min(max(t, low), high)
    slope = 0.0
    for _ in range(_TABLE_STEPS):
        rise, slope = _along(table, piece, points + 1, t)
        wrong = rise - wanted
        if wrong < 0.0:
            low = t
        elif wrong > 0.0:
            high = t
        step = wrong / slope
        if abs(step) <= _EPSILON * abs(t):
            break
        t = t - step if low <= t - step <= high else 0.5 * (low + high)
    return table[piece] + t, g * slope


@helper
def _stand(elements, table, p, n, k, current):
    """Voltage across all elements at a current, and their slope together."""
    u, resistance = 0.0, 0.0
    for e in range(len(elements)):
        share, slope = _voltage(elements, table, p, n, e, k, current)
        u += share
        resistance += 1.0 / slope
    return u, 1.0 / resistance


@helper
def _least(elements, table, p, n, k, u):
    """The lesser of the currents of the elements at a voltage, its slope, and one over the sum of one over all currents."""
    least, steepness, inverse = 1e300, 1e300, 0.0
    for e in range(len(elements)):
        current, slope = _current(elements, table, p, n, e, k, u)
        inverse += 1.0 / abs(current)
        if abs(current) < least:
            least, steepness = abs(current), slope
    return least, steepness, 1.0 / inverse


@helper
def _carry(elements, table, p, n, k, u, guess):
    """Current and slope of all elements at a voltage that is not zero."""
    size, sign, slope, wrong = guess, 1.0 if u > 0.0 else -1.0, 0.0, 0.0
    low, high, bounded = 0.0, np.inf, False
    is_one = len(elements) == 1
    for turn in range(_STEPS):
        is_far = turn > _FREE_STEPS or abs(wrong) > _NEAR * abs(u) or not 0.0 < size < 1e300
        if not bounded and (is_far or is_one):
            bounded = True
            for share in range(2 if is_one else 1, 3):
                low, (high, slope, size) = high, _least(elements, table, p, n, k, 0.5 * share * u)
            size = high if is_one else max(size, low)  # two straight lines: the current
            if is_one:
                break
        found, slope = _stand(elements, table, p, n, k, sign * size)
        wrong = sign * (found - u)
        if abs(wrong) <= _SETTLED * (abs(u) + size / slope):
            break
        if wrong > 0.0:
            high = size
        else:
            low = size
        following = size * np.exp(min(-wrong * slope / size, 700.0))
        if bounded and not low <= following <= high:
            following = np.sqrt(low) * np.sqrt(high)
        size = following
    return sign * size, slope


@kernel
def take_any_tangents(elements, table, p, g, shape, width, nodes, b, w, pitch, slope, injected, new_slope, new_injected):
    """Fill the next tangents; returns sum and largest of what the last ones got wrong [A], and the sum of slopes [S]."""
    n, total, largest, slopes = len(g), 0.0, 0.0, 0.0
    for i in range(shape[0]):
        for j in range(shape[1]):
            k, u = i * width + j, nodes[w + i * pitch + j] - nodes[b + i * pitch + j]
            if not g[k] > 0.0:
                continue
            assumed, current, tangent = slope[k] * u - injected[k], 0.0, g[k]
            if u != 0.0:
                current, tangent = _carry(elements, table, p, n, k, u, assumed if u > 0.0 else -assumed)
            wrong = abs(current - assumed)
            total += wrong
            largest = max(largest, wrong)
            if abs(current) > 2.0 * abs(assumed) and assumed * u > 0.0:
                u, tangent = _stand(elements, table, p, n, k, assumed)
                current = assumed
            slopes += tangent
            new_slope[k], new_injected[k] = tangent, tangent * u - current
    return total, largest, slopes
