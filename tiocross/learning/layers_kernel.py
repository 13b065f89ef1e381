"""Many copies of a small network on the same points: logits, gradients by the weights, classes.

Training runs 16 simulated chips on 256 points in a step; a transfer asks thousands of chips for the class of thousands of
points. Every array in between is small, so that one call of NumPy an operation costs more than the arithmetic. Here the
inner loops run over points and vectorise; what a copy needs stays in the cache.

There is one forward pass, `_run_copy`, for training and for judging, and one pair of functions that knows the activations:
`_activate` gives their values, `_slope` their slopes from their values. Codes are those of `learning.activations`.

The gradient is that of reverse mode: slopes at the logits go back through weights and activations, layer by layer.

Most points need no evaluation to be classified. They come in tiles of W neighbours, each inside a small box of input space.
Interval arithmetic through the layers (weights are given, activations increase) bounds the single logit over a box. Where
both bounds have one sign, so have all points of the tile. W boxes are bounded at a time. The classes are the same either
way.

symbol       shape                     meaning
weights      (C, n_weights)            all layers of each copy, one after the other; of a layer n_inputs + 1 rows of
                                       n_outputs weights, bias last
sizes        (n_layers + 1,)           number of inputs, hidden units, outputs
activation   int                       0 sigmoid, 1 tanh, 2 relu, 3 softplus, 4 hardtanh
inputs       (S, n_inputs, P)          encoded points, feature by feature; S sets of them
sources      (C,) int                  which set each copy sees
signals      (C, n_hidden, P)          outputs of all hidden units, layer after layer; left by one kernel for the other
logits       (C, n_outputs, P)         out
slopes       (C, n_outputs, P)         gradient by the logits
back         (2, widest layer, P)      scratch: gradient by a layer's sums, and by those of the layer before
lanes        (16,)                     scratch: partial sums, which vectorise where a single sum must wait for itself
gradient     (C, n_weights)            out: gradient by the weights
points       (T, n_inputs, W)          encoded points in T tiles, feature by feature
places       (T, W) int                column of ``classes`` for each point; a last tile is filled up with one point
box_low      (ceil(T / W), n_inputs, W)    lower corner of each tile's box, W tiles together
box_high     (ceil(T / W), n_inputs, W)    upper corner
hidden       (2, n_hidden, W)          scratch: outputs of hidden units, or their lower and upper bounds
ends         (2, n_outputs, W)         scratch: logits, or their lower and upper bounds
verdicts     (W,) uint8                scratch
classes      (C, n_points) uint8       out: class of each point

All numbers are unitless.
"""

import math

from tiocross.jit import kernel


@kernel
def run_layers(weights, sizes, activation, inputs, sources, signals, logits):
    """Fill ``signals`` and ``logits``."""
    for c in range(weights.shape[0]):
        _run_copy(weights[c], sizes, activation, inputs[sources[c]], signals[c], logits[c])
    return weights.shape[0]


@kernel
def pull_layers(weights, sizes, activation, inputs, sources, signals, slopes, back, lanes, gradient):
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
            below = inputs[sources[c]] if layer == 0 else signals[c, first - n_in : first]
            for k in range(n_out):
                gradient[c, start + n_in * n_out + k] = _sum(back[now, k], lanes)
                for i in range(n_in):
                    gradient[c, start + i * n_out + k] = _product(below[i], back[now, k], lanes)
            if layer > 0:
                for i in range(n_in):
                    for p in range(slopes.shape[2]):
                        back[1 - now, i, p] = 0.0
                    for k in range(n_out):
                        weight = weights[c, start + i * n_out + k]
                        for p in range(slopes.shape[2]):
                            back[1 - now, i, p] += weight * back[now, k, p]
                _slope(below, back[1 - now], activation)
                now = 1 - now
                first -= n_in
    return n_layers


@kernel
def classify_points(weights, sizes, activation, points, places, box_low, box_high, hidden, ends, verdicts, classes):
    """Fill ``classes``; returns the number of tiles that were decided by their bounds."""
    n_tiles, _, width = points.shape
    n_outputs = sizes[len(sizes) - 1]
    n_bounded = 0
    for c in range(weights.shape[0]):
        for tile in range(n_tiles):
            if n_outputs == 1 and tile % width == 0:
                _bound_copy(weights[c], sizes, activation, box_low[tile // width], box_high[tile // width], hidden, ends)
                for p in range(width):
                    low, high = ends[0, 0, p], ends[1, 0, p]
                    slack = 1e-12 * (abs(low) + abs(high))  # rounding must not decide
                    verdicts[p] = 1 if low > slack else (0 if high < -slack else 2)
            if n_outputs == 1 and verdicts[tile % width] < 2:
                n_bounded += 1
                for p in range(width):
                    classes[c, places[tile, p]] = verdicts[tile % width]
                continue
            _run_copy(weights[c], sizes, activation, points[tile], hidden[0], ends[0])
            for p in range(width):
                best = 0
                if n_outputs == 1:
                    best = 1 if ends[0, 0, p] > 0.0 else 0
                for k in range(1, n_outputs):
                    if ends[0, k, p] > ends[0, best, p]:
                        best = k
                classes[c, places[tile, p]] = best
    return n_bounded


@kernel
def _run_copy(weights, sizes, activation, inputs, signals, logits):
    """Fill ``signals`` (n_hidden, P) and ``logits`` (n_outputs, P) of one copy."""
    n_layers = len(sizes) - 1
    start = 0
    first = 0  # row of the layer's first unit in ``signals``
    for layer in range(n_layers):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        below = inputs if layer == 0 else signals[first - n_in : first]
        here = logits if layer == n_layers - 1 else signals[first : first + n_out]
        for k in range(n_out):
            bias, weight = weights[start + n_in * n_out + k], weights[start + k]
            for p in range(here.shape[1]):
                here[k, p] = bias + weight * below[0, p]
            for i in range(2, n_in, 2):  # two inputs at a time: half the reading and writing of sums
                weight, other = weights[start + (i - 1) * n_out + k], weights[start + i * n_out + k]
                for p in range(here.shape[1]):
                    here[k, p] = here[k, p] + weight * below[i - 1, p] + other * below[i, p]
            if n_in % 2 == 0:
                weight = weights[start + (n_in - 1) * n_out + k]
                for p in range(here.shape[1]):
                    here[k, p] += weight * below[n_in - 1, p]
        if layer < n_layers - 1:
            _activate(here, activation)
            first += n_out
        start += (n_in + 1) * n_out
    return n_layers


@kernel
def _bound_copy(weights, sizes, activation, box_low, box_high, hidden, ends):
    """Fill ``ends`` with lower and upper bounds of the logits of one copy over W boxes."""
    n_layers = len(sizes) - 1
    start = 0
    first = 0
    for layer in range(n_layers):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        low_below = box_low if layer == 0 else hidden[0, first - n_in : first]
        high_below = box_high if layer == 0 else hidden[1, first - n_in : first]
        low = ends[0] if layer == n_layers - 1 else hidden[0, first : first + n_out]
        high = ends[1] if layer == n_layers - 1 else hidden[1, first : first + n_out]
        for k in range(n_out):
            bias = weights[start + n_in * n_out + k]
            for p in range(low.shape[1]):
                low[k, p] = bias
                high[k, p] = bias
            for i in range(n_in):
                weight = weights[start + i * n_out + k]
                if weight > 0.0:
                    for p in range(low.shape[1]):
                        low[k, p] += weight * low_below[i, p]
                        high[k, p] += weight * high_below[i, p]
                else:
                    for p in range(low.shape[1]):
                        low[k, p] += weight * high_below[i, p]
                        high[k, p] += weight * low_below[i, p]
        if layer < n_layers - 1:
            _activate(low, activation)
            _activate(high, activation)
            first += n_out
        start += (n_in + 1) * n_out
    return n_layers


@kernel
def _activate(signals, activation):
    """Turn a layer's sums into its outputs, in place. Each activation increases."""
    for k in range(signals.shape[0]):
        row = signals[k]
        if activation == 0:
            for p in range(len(row)):
                row[p] = 1.0 / (1.0 + _exp(-row[p]))
        elif activation == 1:
            for p in range(len(row)):
                row[p] = 2.0 / (1.0 + _exp(-(row[p] + row[p]))) - 1.0
        elif activation == 2:
            for p in range(len(row)):
                row[p] = max(row[p], 0.0)
        elif activation == 3:
            for p in range(len(row)):
                row[p] = max(row[p], 0.0) + math.log1p(math.exp(-abs(row[p])))
        elif activation == 4:
            for p in range(len(row)):
                row[p] = min(max(row[p], -1.0), 1.0)


@kernel
def _slope(signals, back, activation):
    """Turn gradients by a layer's outputs ``signals`` into those by its sums, in place."""
    for k in range(signals.shape[0]):
        row, grad = signals[k], back[k]
        if activation == 0:
            for p in range(len(row)):
                grad[p] *= row[p] * (1.0 - row[p])
        elif activation == 1:
            for p in range(len(row)):
                grad[p] *= 1.0 - row[p] * row[p]
        elif activation == 2:
            for p in range(len(row)):
                grad[p] *= 1.0 if row[p] > 0.0 else 0.0
        elif activation == 3:
            for p in range(len(row)):
                grad[p] *= -math.expm1(-row[p])
        elif activation == 4:
            for p in range(len(row)):
                grad[p] *= 1.0 if -1.0 < row[p] < 1.0 else 0.0


@kernel
def _exp(x):
    """exp(x), held within exp(+-40), to 1e-14 where sigmoid and tanh are not yet flat in double precision: seven terms of
    the series at x / 256 and eight squarings. Unlike a call of the library it vectorises."""
    y = x * (1.0 / 256.0)
    y = min(max(y, -40.0 / 256.0), 40.0 / 256.0)
    e = 1.0 + y * (1.0 + y * (1 / 2 + y * (1 / 6 + y * (1 / 24 + y * (1 / 120 + y * (1 / 720))))))
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    return e * e


@kernel
def _sum(values, lanes):
    """Sum of a row."""
    n_whole = len(values) - len(values) % 16
    lanes[:] = 0.0
    for p in range(0, n_whole, 16):
        for lane in range(16):
            lanes[lane] += values[p + lane]
    total = 0.0
    for lane in range(16):
        total += lanes[lane]
    for p in range(n_whole, len(values)):
        total += values[p]
    return total


@kernel
def _product(one, other, lanes):
    """Sum of the products of two rows."""
    n_whole = len(one) - len(one) % 16
    lanes[:] = 0.0
    for p in range(0, n_whole, 16):
        for lane in range(16):
            lanes[lane] += one[p + lane] * other[p + lane]
    total = 0.0
    for lane in range(16):
        total += lanes[lane]
    for p in range(n_whole, len(one)):
        total += one[p] * other[p]
    return total
