"""Many copies of a small network on the same points, as training needs them: logits, and gradients by the weights.

A step of training runs 16 simulated chips of each network on 256 points. Every array in between is small, so that one call
of NumPy an operation costs more than the arithmetic. Here the inner loops run over points and vectorise; what a copy needs
stays in the cache. Numbers are of single precision: it halves the traffic, and what it loses is far below the noise that
training sees. Judging chips, where a class must not depend on rounding, has a kernel of its own, `classes_kernel`.

The gradient is that of reverse mode: slopes at the logits go back through weights and activations, layer by layer. Sums over
points are added up in a fixed order, the same on every processor: eighths of a row side by side, then what is left.

symbol       shape                     meaning
weights      (C, n_weights)            all layers of each copy, one after the other; of a layer n_inputs + 1 rows of
                                       n_outputs weights, bias last
sizes        (n_layers + 1,) int64     number of inputs, hidden units, outputs
kinds        (C,) int64                kind of each copy's activation: 0 curved, 1 clipped, 2 softplus
terms        (C, 7)                    its numbers: gain, shift, low, high, slope_0, slope_1, slope_2, see `activations`
inputs       (S, n_inputs, P)          encoded points, feature by feature; S sets of them. P is a multiple of 32
sources      (C,) int64                which set each copy sees
signals      (C, n_hidden, P)          outputs of all hidden units, layer after layer; left by one kernel for the other
logits       (C, n_outputs, P)         out
slopes       (C, n_outputs, P)         gradient by the logits
back         (2, widest layer, P)      scratch: gradient by a layer's sums, and by those of the layer before
part         (P / 8,)                  scratch: partial sums
gradient     (C, n_weights)            out: gradient by the weights

All numbers are unitless, of single precision unless stated.
"""

import math

import numpy as np

from tiocross.jit import helper, kernel

_ZERO, _ONE, _FAR = np.float32(0.0), np.float32(1.0), np.float32(8.0)
# tanh(x) = x (p_0 + p_1 y + ...) / (1 + q_1 y + ...) with y = x^2: a fit on [0, 8] that is least wrong in the worst place,
# 1.5e-7 of the value. At 8 tanh is 1 - 2.3e-7.
_P0, _P1, _P2, _P3 = [np.float32(p) for p in (0.999999855, 0.129256573, 0.00295101761, 1.14283574e-05)]
_Q1, _Q2, _Q3, _Q4 = [np.float32(q) for q in (0.462588729, 0.023815529, 0.000238668299, 2.45918998e-07)]


@kernel
def run_layers(weights, sizes, kinds, terms, inputs, sources, signals, logits):
    """Fill ``signals`` and ``logits``."""
    n_layers = len(sizes) - 1
    for c in range(weights.shape[0]):
        start = 0
        first = 0  # row of the layer's first unit in ``signals``
        for layer in range(n_layers):
            n_in, n_out = sizes[layer], sizes[layer + 1]
            below = inputs if layer == 0 else signals
            source = sources[c] if layer == 0 else c
            lowest = 0 if layer == 0 else first - n_in
            for k in range(n_out):
                bias = weights[c, start + n_in * n_out + k]
                if layer == n_layers - 1:
                    _weigh(logits, c, k, bias, weights, c, start + k, n_out, n_in, below, source, lowest)
                else:
                    _weigh(signals, c, first + k, bias, weights, c, start + k, n_out, n_in, below, source, lowest)
                    _activate(signals, c, first + k, kinds[c], terms)
            first += n_out
            start += (n_in + 1) * n_out
    return n_layers


@kernel
def pull_layers(weights, sizes, kinds, terms, inputs, sources, signals, slopes, back, part, gradient):
    """Fill ``gradient``."""
    n_layers = len(sizes) - 1
    for c in range(weights.shape[0]):
        start = weights.shape[1]
        first = signals.shape[1]
        now = 0
        for k in range(slopes.shape[1]):
            for p in range(slopes.shape[2]):
                back[now, k, p] = slopes[c, k, p]
        for layer in range(n_layers - 1, -1, -1):
            n_in, n_out = sizes[layer], sizes[layer + 1]
            start -= (n_in + 1) * n_out
            first -= n_in
            below = inputs if layer == 0 else signals
            source = sources[c] if layer == 0 else c
            lowest = 0 if layer == 0 else first
            for k in range(n_out):
                gradient[c, start + n_in * n_out + k] = _sum(back, now, k, part)
                for i in range(n_in):
                    gradient[c, start + i * n_out + k] = _product(below, source, lowest + i, back, now, k, part)
            if layer > 0:
                for i in range(n_in):
                    _weigh(back, 1 - now, i, _ZERO, weights, c, start + i * n_out, 1, n_out, back, now, 0)
                    _slope(signals, c, first + i, back, 1 - now, i, kinds[c], terms)
                now = 1 - now
    return n_layers


@helper
def _weigh(sums, c, row, bias, weights, copy, start, step, n, below, source, lowest):
    """Fill a row of ``sums`` with ``bias`` and ``n`` weighed rows of ``below``, two at a time: half the reading and writing.

    The weights are every ``step``-th of the copy's, from ``start`` on."""
    for i in range(0, n, 2):
        j = min(i + 1, n - 1)
        weight = weights[copy, start + i * step]
        other = weights[copy, start + j * step] if j > i else _ZERO
        if i == 0:
            for p in range(sums.shape[2]):
                sums[c, row, p] = bias + (weight * below[source, lowest, p] + other * below[source, lowest + j, p])
        else:
            for p in range(sums.shape[2]):
                sums[c, row, p] += weight * below[source, lowest + i, p] + other * below[source, lowest + j, p]


@helper
def _activate(signals, c, row, kind, terms):
    """Turn a unit's sums into its outputs, in place."""
    if kind == 0:
        gain, shift = terms[c, 0], terms[c, 1]
        for p in range(signals.shape[2]):
            signals[c, row, p] = shift + gain * _tanh(gain * signals[c, row, p])
    elif kind == 1:
        low, high = terms[c, 2], terms[c, 3]
        for p in range(signals.shape[2]):
            signals[c, row, p] = min(max(signals[c, row, p], low), high)
    else:
        for p in range(signals.shape[2]):
            signals[c, row, p] = max(signals[c, row, p], _ZERO) + math.log1p(math.exp(-abs(signals[c, row, p])))


@helper
def _slope(signals, c, row, back, side, to, kind, terms):
    """Turn the gradient by a unit's outputs ``signals`` into that by its sums, in place."""
    if kind < 2:
        low, high = terms[c, 2], terms[c, 3]
        constant, linear, quadratic = terms[c, 4], terms[c, 5], terms[c, 6]
        for p in range(back.shape[2]):
            y = signals[c, row, p]
            slope = constant + y * (linear + y * quadratic)
            back[side, to, p] *= slope if low < y and y < high else _ZERO
    else:
        for p in range(back.shape[2]):
            back[side, to, p] *= -math.expm1(-signals[c, row, p])


@helper
def _tanh(x):
    """tanh(x) in single precision; unlike a call of the library it vectorises."""
    x = min(max(x, -_FAR), _FAR)
    y = x * x
    return x * (_P0 + y * (_P1 + y * (_P2 + y * _P3))) / (_ONE + y * (_Q1 + y * (_Q2 + y * (_Q3 + y * _Q4))))


@helper
def _sum(values, a, i, part):
    """Sum of a row."""
    n = values.shape[2] // 8
    for p in range(n):
        part[p] = ((values[a, i, p] + values[a, i, n + p]) + (values[a, i, 2 * n + p] + values[a, i, 3 * n + p])) + (
            (values[a, i, 4 * n + p] + values[a, i, 5 * n + p]) + (values[a, i, 6 * n + p] + values[a, i, 7 * n + p]))
    return _total(part, n)


@helper
def _product(one, a, i, other, b, k, part):
    """Sum of the products of two rows."""
    n = one.shape[2] // 8
    for p in range(n):
        part[p] = ((one[a, i, p] * other[b, k, p] + one[a, i, n + p] * other[b, k, n + p])
                   + (one[a, i, 2 * n + p] * other[b, k, 2 * n + p] + one[a, i, 3 * n + p] * other[b, k, 3 * n + p])) + (
            (one[a, i, 4 * n + p] * other[b, k, 4 * n + p] + one[a, i, 5 * n + p] * other[b, k, 5 * n + p])
            + (one[a, i, 6 * n + p] * other[b, k, 6 * n + p] + one[a, i, 7 * n + p] * other[b, k, 7 * n + p]))
    return _total(part, n)


@helper
def _total(part, n):
    """Sum of ``n`` partial sums, a multiple of 4, four side by side: an addition need not wait for the one before."""
    one, two, three, four = _ZERO, _ZERO, _ZERO, _ZERO
    for p in range(0, n, 4):
        one += part[p]
        two += part[p + 1]
        three += part[p + 2]
        four += part[p + 3]
    return (one + two) + (three + four)
