"""Classes that many copies of a small network give to the same points, in double precision.

A transfer asks thousands of chips for the class of thousands of points. Most points need no evaluation to be classified.
They come in tiles of W neighbours, each inside a small box of input space. Interval arithmetic through the layers (weights
are given, activations increase) bounds the single logit over a box. Where both bounds have one sign, so have all points of
the tile. W boxes are bounded at a time. The classes are the same either way.

symbol       shape                     meaning
weights      (C, n_weights)            all layers of each copy, one after the other; of a layer n_inputs + 1 rows of
                                       n_outputs weights, bias last
sizes        (n_layers + 1,) int64     number of inputs, hidden units, outputs
kind         int                       kind of the activation: 0 curved, 1 clipped, 2 softplus
terms        (7,)                      its numbers: gain, shift, low, high, and three of its slope, see `activations`
points       (1, T, n_inputs, W)       encoded points in T tiles, feature by feature
places       (T, W) int                column of ``classes`` for each point; a last tile is filled up with one point
boxes        (2, ceil(T / W), n_inputs, W)    lower and upper corner of each tile's box, W tiles together
hidden       (2, n_hidden * W)         scratch: outputs of hidden units, or their lower and upper bounds
ends         (2, 1, n_outputs, W)      scratch: logits, or their lower and upper bounds
verdicts     (W,) uint8                scratch
classes      (C, n_points) uint8       out: class of each point

All numbers are unitless.
"""

import math

from tiocross.jit import helper, kernel


@kernel
def classify_points(weights, sizes, kind, terms, points, places, boxes, hidden, ends, verdicts, classes):
    """Fill ``classes``; returns the number of tiles that were decided by their bounds."""
    n_outputs = ends.shape[2]
    width = ends.shape[3]
    logit = ends[0, 0, 0]
    highest = ends[1, 0, 0]
    n_bounded = 0
    for c in range(weights.shape[0]):
        for tile in range(points.shape[1]):
            if n_outputs == 1 and tile % width == 0:
                _run_copy(weights[c], sizes, kind, terms, boxes, tile // width, hidden, ends)
                for p in range(width):
                    slack = 1e-12 * (abs(logit[p]) + abs(highest[p]))  # rounding must not decide
                    verdicts[p] = 1 if logit[p] > slack else (0 if highest[p] < -slack else 2)
            verdict = verdicts[tile % width] if n_outputs == 1 else 2
            if verdict < 2:
                n_bounded += 1
            else:
                _run_copy(weights[c], sizes, kind, terms, points, tile, hidden, ends)
            for p in range(width):
                best = verdict
                if verdict == 2:
                    best = 1 if n_outputs == 1 and logit[p] > 0.0 else 0
                    for k in range(1, n_outputs):
                        if ends[0, 0, k, p] > ends[0, 0, best, p]:
                            best = k
                classes[c, places[tile, p]] = best
    return n_bounded


@helper
def _run_copy(weights, sizes, kind, terms, inputs, tile, hidden, ends):
    """Fill ``hidden`` and ``ends`` for one tile of ``inputs``: points, or lower and upper bounds, which change sides where
    a weight is negative."""
    last = len(sizes) - 2
    n_sides = inputs.shape[0]
    width = inputs.shape[3]
    start = 0
    first = 0  # row of the layer's first unit in ``hidden``
    for layer in range(last + 1):
        n_in = sizes[layer]
        n_out = sizes[layer + 1]
        for k in range(n_out):
            for side in range(n_sides):
                row = hidden[side, (first + k) * width : (first + k + 1) * width] if layer < last else ends[side, 0, k]
                bias = weights[start + n_in * n_out + k]
                for i in range(0, n_in, 2):  # two inputs at a time: half the reading and writing of sums
                    weight = weights[start + i * n_out + k]
                    second = weights[start + (i + 1) * n_out + k] if i + 1 < n_in else 0.0
                    j = i + 1 if i + 1 < n_in else i
                    a = side if weight > 0.0 else n_sides - 1 - side
                    b = side if second > 0.0 else n_sides - 1 - side
                    at = first - n_in
                    one = inputs[a, tile, i] if layer == 0 else hidden[a, (at + i) * width : (at + i + 1) * width]
                    other = inputs[b, tile, j] if layer == 0 else hidden[b, (at + j) * width : (at + j + 1) * width]
                    if i == 0:
                        for p in range(width):
                            row[p] = bias + (weight * one[p] + second * other[p])
                    else:
                        for p in range(width):
                            row[p] += weight * one[p] + second * other[p]
        if layer < last:  # of all units together: long rows keep the processor busy
            for side in range(n_sides):
                _activate(hidden[side, first * width : (first + n_out) * width], kind, terms)
        first += n_out
        start += (n_in + 1) * n_out


@helper
def _activate(row, kind, terms):
    """Turn a unit's sums into its outputs, in place. Each activation increases."""
    if kind == 0:
        gain = terms[0]
        shift = terms[1]
        steep = -2.0 * gain
        high = 2.0 * gain
        low = shift - gain
        for p in range(len(row)):
            row[p] = high / (1.0 + _exp(steep * row[p])) + low
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
            row[p] = (x if x > 0.0 else 0.0) + math.log1p(math.exp(-abs(x)))


@helper
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
