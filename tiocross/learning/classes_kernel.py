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
hidden       (2, 1, n_hidden, W)       scratch: outputs of hidden units, or their lower and upper bounds
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
    n_outputs, width = ends.shape[2], ends.shape[3]
    n_bounded = 0
    for c in range(weights.shape[0]):
        for tile in range(points.shape[1]):
            if n_outputs == 1 and tile % width == 0:
                _run_copy(weights, c, sizes, kind, terms, boxes, tile // width, hidden, ends)
                for p in range(width):
                    low, high = ends[0, 0, 0, p], ends[1, 0, 0, p]
                    slack = 1e-12 * (abs(low) + abs(high))  # rounding must not decide
                    verdicts[p] = 1 if low > slack else (0 if high < -slack else 2)
            verdict = verdicts[tile % width] if n_outputs == 1 else 2
            if verdict < 2:
                n_bounded += 1
            else:
                _run_copy(weights, c, sizes, kind, terms, points, tile, hidden, ends)
            for p in range(width):
                best = verdict
                if verdict == 2:
                    best = 1 if n_outputs == 1 and ends[0, 0, 0, p] > 0.0 else 0
                    for k in range(1, n_outputs):
                        if ends[0, 0, k, p] > ends[0, 0, best, p]:
                            best = k
                classes[c, places[tile, p]] = best
    return n_bounded


@helper
def _run_copy(weights, c, sizes, kind, terms, inputs, tile, hidden, ends):
    """Fill ``hidden`` and ``ends`` for one tile of ``inputs``: points, or lower and upper bounds, which change sides where
    a weight is negative."""
    n_layers = len(sizes) - 1
    n_sides = inputs.shape[0]
    start = 0
    first = 0  # row of the layer's first unit in ``hidden``
    for layer in range(n_layers):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        below = inputs if layer == 0 else hidden
        source = tile if layer == 0 else 0
        lowest = 0 if layer == 0 else first - n_in
        here = ends if layer == n_layers - 1 else hidden
        row = 0 if layer == n_layers - 1 else first
        for k in range(n_out):
            for side in range(n_sides):
                bias = weights[c, start + n_in * n_out + k]
                for i in range(0, n_in, 2):  # two inputs at a time: half the reading and writing of sums
                    j = min(i + 1, n_in - 1)
                    weight = weights[c, start + i * n_out + k]
                    other = weights[c, start + j * n_out + k] if j > i else 0.0
                    a = side if weight > 0.0 else n_sides - 1 - side
                    b = side if other > 0.0 else n_sides - 1 - side
                    if i == 0:
                        for p in range(here.shape[3]):
                            here[side, 0, row + k, p] = bias + (weight * below[a, source, lowest, p]
                                                                + other * below[b, source, lowest + j, p])
                    else:
                        for p in range(here.shape[3]):
                            here[side, 0, row + k, p] += (weight * below[a, source, lowest + i, p]
                                                          + other * below[b, source, lowest + j, p])
                if layer < n_layers - 1:
                    _activate(hidden, side, row + k, kind, terms)
        first += n_out
        start += (n_in + 1) * n_out


@helper
def _activate(hidden, side, row, kind, terms):
    """Turn a unit's sums into its outputs, in place. Each activation increases."""
    if kind == 0:
        gain, shift = terms[0], terms[1]
        for p in range(hidden.shape[3]):
            hidden[side, 0, row, p] = shift + gain * (2.0 / (1.0 + _exp(-2.0 * gain * hidden[side, 0, row, p])) - 1.0)
    elif kind == 1:
        low, high = terms[2], terms[3]
        for p in range(hidden.shape[3]):
            hidden[side, 0, row, p] = min(max(hidden[side, 0, row, p], low), high)
    else:
        for p in range(hidden.shape[3]):
            x = hidden[side, 0, row, p]
            hidden[side, 0, row, p] = max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@helper
def _exp(x):
    """exp(x), held within exp(+-40), to 1e-14 where sigmoid and tanh are not yet flat in double precision: seven terms of
    the series at x / 256 and eight squarings. Unlike a call of the library it vectorises."""
    y = min(max(x * (1.0 / 256.0), -40.0 / 256.0), 40.0 / 256.0)
    e = 1.0 + y * (1.0 + y * (1 / 2 + y * (1 / 6 + y * (1 / 24 + y * (1 / 120 + y * (1 / 720))))))
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    return e * e
