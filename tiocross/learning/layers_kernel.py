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
back         (3, widest layer, P)      scratch: gradients by the sums of a layer and of the one before, taking turns; ones
part         (P / 8,)                  scratch: partial sums
gradient     (C, n_weights)            out: gradient by the weights

All numbers are unitless, of single precision unless stated.
"""

import math

import numpy as np

from tiocross.jit import helper, kernel

_ZERO, _ONE, _NEAR, _FAR = np.float32(0.0), np.float32(1.0), np.float32(-8.0), np.float32(8.0)
# tanh(x) = x (p_0 + p_1 y + ...) / (1 + q_1 y + ...) with y = x^2: a fit on [-8, 8] that is least wrong in the worst place,
# 1.5e-7 of the value. At 8 tanh is 1 - 2.3e-7.
_P0, _P1, _P2, _P3 = [np.float32(p) for p in (0.999999855, 0.129256573, 0.00295101761, 1.14283574e-05)]
_Q1, _Q2, _Q3, _Q4 = [np.float32(q) for q in (0.462588729, 0.023815529, 0.000238668299, 2.45918998e-07)]


@kernel
def run_layers(weights, sizes, kinds, terms, inputs, sources, signals, logits):
    """Fill ``signals`` and ``logits``."""
    last = len(sizes) - 2
    for c in range(weights.shape[0]):
        start = 0
        below = inputs[sources[c]]
        first = 0
        for layer in range(last + 1):
            n_in = sizes[layer]
            n_out = sizes[layer + 1]
            here = signals[c, first:] if layer < last else logits[c]
            for k in range(n_out):
                bias = weights[c, start + n_in * n_out + k]
                row = here[k]
                _weigh(row, bias, weights[c, start + k:], n_out, below, n_in)
                if layer < last:
                    activate(row, kinds[c], terms[c])
            start += (n_in + 1) * n_out
            first += n_out
            below = here
    return last


@helper
def _weigh(row, bias, weights, step, below, n):
    """Fill ``row`` with ``bias`` and ``n`` weighed rows of ``below``, two at a time: half the reading and writing. Their
    weights are every ``step``-th of ``weights``."""
    for i in range(0, n, 2):
        weight = weights[i * step]
        one = below[i]
        if i + 1 < n:
            second = weights[(i + 1) * step]
            other = below[i + 1]
        else:
            second = _ZERO
            other = one
        if i == 0:
            for p in range(len(row)):
                row[p] = bias + (weight * one[p] + second * other[p])
        else:
            for p in range(len(row)):
                row[p] += weight * one[p] + second * other[p]


@helper
def activate(row, kind, terms):
    """Turn a unit's sums into its outputs, in place."""
    if kind == 0:
        gain = terms[0]
        shift = terms[1]
        for p in range(len(row)):
            x = gain * row[p]
            x = x if x < _FAR else _FAR
            x = x if x > _NEAR else _NEAR
            y = x * x
            row[p] = shift + gain * (x * (_P0 + y * (_P1 + y * (_P2 + y * _P3)))
                                     / (_ONE + y * (_Q1 + y * (_Q2 + y * (_Q3 + y * _Q4)))))
    elif kind == 1:
        low = terms[2]
        high = terms[3]
        for p in range(len(row)):
            x = row[p]
            x = x if x > low else low
            row[p] = x if x < high else high
    else:
        for p in range(len(row)):
            x = row[p]
            row[p] = (x if x > _ZERO else _ZERO) + math.log1p(math.exp(-abs(x)))


@helper
def slope_back(signal, back, kind, terms):
    """Turn the gradient by a unit's outputs ``signal`` into that by its sums, in place."""
    if kind < 2:
        low = terms[2]
        high = terms[3]
        constant = terms[4]
        linear = terms[5]
        quadratic = terms[6]
        for p in range(len(back)):
            y = signal[p]
            slope = constant + y * (linear + y * quadratic)
            back[p] *= slope if low < y and y < high else _ZERO
    else:
        for p in range(len(back)):
            back[p] *= -math.expm1(-signal[p])


@helper
def _product(one, other, part):
    """Sum of the products of two rows. Eighths of the rows go side by side, and what is left four by four: an addition need
    not wait for the one before."""
    n = len(one) // 8
    n2 = n + n
    n3 = n2 + n
    n4 = n3 + n
    n5 = n4 + n
    n6 = n5 + n
    n7 = n6 + n
    for p in range(n):
        part[p] = (
            ((one[p] * other[p] + one[n + p] * other[n + p]) + (one[n2 + p] * other[n2 + p] + one[n3 + p] * other[n3 + p]))
            + ((one[n4 + p] * other[n4 + p] + one[n5 + p] * other[n5 + p])
               + (one[n6 + p] * other[n6 + p] + one[n7 + p] * other[n7 + p])))
    a = _ZERO
    b = _ZERO
    c = _ZERO
    d = _ZERO
    for p in range(0, n, 4):
        a += part[p]
        b += part[p + 1]
        c += part[p + 2]
        d += part[p + 3]
    return (a + b) + (c + d)


@kernel
def pull_layers(weights, sizes, kinds, terms, inputs, sources, signals, slopes, back, part, gradient):
    """Fill ``gradient``."""
    n_layers = len(sizes) - 1
    ones = back[2, 0]
    for p in range(len(ones)):
        ones[p] = _ONE
    for c in range(weights.shape[0]):
        start = weights.shape[1]
        first = signals.shape[1]
        above = slopes[c]
        for layer in range(n_layers - 1, -1, -1):
            n_in = sizes[layer]
            n_out = sizes[layer + 1]
            start -= (n_in + 1) * n_out
            first -= n_in
            below = signals[c, first:] if layer > 0 else inputs[sources[c]]
            for i in range(n_in + 1):
                row = below[i] if i < n_in else ones
                for k in range(n_out):
                    gradient[c, start + i * n_out + k] = _product(row, above[k], part)
            if layer > 0:
                to = back[layer & 1]
                for i in range(n_in):
                    _weigh(to[i], _ZERO, weights[c, start + i * n_out:], 1, above, n_out)
                    slope_back(below[i], to[i], kinds[c], terms[c])
                above = to
    return n_layers
