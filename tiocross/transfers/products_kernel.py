"""Classes from the outputs of many copies of a network, and outputs again, in double precision, where single does not tell.

symbol       shape                     meaning
row          (n,)                      in: sums of units with a curved activation; out: what they give, single precision
gain, shift  float32                   of the activation, shift + gain tanh(gain x)
outputs      (C, n_outputs, P)         last sums of each copy at each point, single precision
bounds       (C, P)                    how far the difference of two outputs, or a single one, can be off by rounding
classes      (C, P) uint8              out: class of each point
near         (C, P) uint8              out: 1 where rounding could decide, else 0
best         (2, P)                    scratch: largest and second largest output
inputs       (n, n_inputs)             what a layer sees, n a multiple of four
weights      (n_inputs + 1, n_outputs) of the layer, bias last
sums         (n, n_outputs)            out: the layer's sums, each added up from the bias on, input by input: the same bits
                                       for any other points beside

All numbers are unitless.
"""

import numpy as np

from tiocross.jit import kernel

_LEAST = np.float32(-np.inf)
_ONE, _TWO, _FARTHEST = np.float32(1.0), np.float32(2.0), np.float32(1.25)
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12 = (np.float32(1.0 / k) for k in (
    2, 6, 24, 120, 720, 5_040, 40_320, 362_880, 3_628_800, 39_916_800, 479_001_600))


@kernel
def activate_curved(row, gain, shift):
    """Turn sums into outputs, in place: shift - gain + 2 gain / (1 + exp(-2 gain x)); returns how many."""
    # The exponential is that of a 16th, by twelve terms of its series, squared four times: off by less than 2e-6 of itself,
    # the output by less than 5e-7 of its range. It is held within exp(+-20), where the output is flat. It vectorises.
    steep = -_TWO * gain / np.float32(16.0)
    high = _TWO * gain
    low = shift - gain
    for p in range(len(row)):
        y = min(max(steep * row[p], -_FARTHEST), _FARTHEST)
        e = _C11 + y * _C12
        e = _C9 + y * (_C10 + y * e)
        e = _C7 + y * (_C8 + y * e)
        e = _C5 + y * (_C6 + y * e)
        e = _C3 + y * (_C4 + y * e)
        e = _ONE + y * (_ONE + y * (_C2 + y * e))
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        row[p] = high / (_ONE + e) + low
    return len(row)


@kernel
def classify_outputs(outputs, bounds, best, classes, near):
    """Fill ``classes`` and ``near``; returns the number of points near a boundary."""
    n_near = 0
    largest = best[0]
    second = best[1]
    n_points = outputs.shape[2]
    for c in range(outputs.shape[0]):
        given = classes[c]
        for p in range(n_points):
            largest[p] = outputs[c, 0, p]
            second[p] = _LEAST
            given[p] = 0
        if outputs.shape[1] == 1:
            for p in range(n_points):
                given[p] = 1 if largest[p] > 0.0 else 0
                largest[p] = abs(largest[p])
                second[p] = 0.0
        for k in range(1, outputs.shape[1]):
            row = outputs[c, k]
            for p in range(n_points):
                value = row[p]
                leads = value > largest[p]
                lower = largest[p] if leads else value
                second[p] = lower if lower > second[p] else second[p]
                largest[p] = value if leads else largest[p]
                given[p] = k if leads else given[p]
        for p in range(n_points):
            is_near = 0 if largest[p] - second[p] > bounds[c, p] else 1  # 1 also where a sum is no number
            near[c, p] = is_near
            n_near += is_near
    return n_near


@kernel
def sum_inputs(inputs, weights, sums):
    """Fill ``sums``; returns the number of products."""
    n_inputs = inputs.shape[1]
    n_outputs = weights.shape[1]
    for p in range(0, len(inputs), 4):  # four points at a time: weights are read once for them
        one, two, three, four = sums[p], sums[p + 1], sums[p + 2], sums[p + 3]
        for k in range(n_outputs):
            bias = weights[n_inputs, k]
            one[k] = bias
            two[k] = bias
            three[k] = bias
            four[k] = bias
        for i in range(n_inputs):
            row = weights[i]
            a, b, c, d = inputs[p, i], inputs[p + 1, i], inputs[p + 2, i], inputs[p + 3, i]
            for k in range(n_outputs):
                weight = row[k]
                one[k] += a * weight
                two[k] += b * weight
                three[k] += c * weight
                four[k] += d * weight
    return len(inputs) * n_inputs * n_outputs
