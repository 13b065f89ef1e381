"""Classes that many copies of a small network give to the same points.

A transfer sweep asks each of thousands of chips for the class of thousands of points; little else takes time there. The
kernel evaluates W points at a time, so that the inner loops run over points and vectorise.

Most points need no evaluation. They come in tiles of W neighbours, each inside a small box of input space, and interval
arithmetic through the layers (weights are given, activations increase) bounds the single logit over a box. Where both
bounds have one sign, so have all points of the tile. W boxes are bounded at a time. The classes are the same either way.

symbol       shape                     meaning
weights      (C, n_weights)            all layers of each copy, one after the other; of a layer n_inputs + 1 rows of
                                       n_outputs weights, bias last
sizes        (n_layers + 1,)           number of inputs, hidden units, outputs
activation   int                       0 sigmoid, 1 tanh, 2 relu
points       (T, F, W)                 encoded points in T tiles, feature by feature
places       (T, W) int                column of ``classes`` for each point; a last tile is filled up with one point
box_low      (ceil(T / W), F, W)       lower corner of each tile's box, W tiles together
box_high     (ceil(T / W), F, W)       upper corner
signal       (4, widest layer, W)      scratch; inputs count as a layer
verdicts     (W,) uint8                scratch
classes      (C, n_points) uint8       out: class of each point

All numbers are unitless.
"""

from tiocross.jit import kernel


@kernel
def classify_points(weights, sizes, activation, points, places, box_low, box_high, signal, verdicts, classes):
    """Fill ``classes``; returns the number of tiles that were decided by their bounds."""
    n_tiles, _, width = points.shape
    n_outputs = sizes[len(sizes) - 1]
    n_bounded = 0
    for c in range(weights.shape[0]):
        for tile in range(n_tiles):
            if n_outputs == 1 and tile % width == 0:
                bounds = _bound_logits(weights, c, sizes, activation, box_low, box_high, tile // width, signal)
                for p in range(width):
                    low, high = signal[bounds, 0, p], signal[bounds + 1, 0, p]
                    slack = 1e-12 * (abs(low) + abs(high))  # rounding must not decide
                    verdicts[p] = 1 if low > slack else (0 if high < -slack else 2)
            if n_outputs == 1 and verdicts[tile % width] < 2:
                n_bounded += 1
                for p in range(width):
                    classes[c, places[tile, p]] = verdicts[tile % width]
                continue
            out = _evaluate(weights, c, sizes, activation, points, tile, signal)
            for p in range(width):
                best = 0
                if n_outputs == 1:
                    best = 1 if signal[out, 0, p] > 0.0 else 0
                for k in range(1, n_outputs):
                    if signal[out, k, p] > signal[out, best, p]:
                        best = k
                classes[c, places[tile, p]] = best
    return n_bounded


@kernel
def _evaluate(weights, c, sizes, activation, points, tile, signal):
    """Logits of the W points of a tile, left in ``signal[returned index]``."""
    into = 0
    start = 0
    for layer in range(len(sizes) - 1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        for k in range(n_out):
            bias = weights[c, start + n_in * n_out + k]
            for p in range(signal.shape[2]):
                signal[into, k, p] = bias
            for i in range(n_in):
                weight = weights[c, start + i * n_out + k]
                if layer == 0:
                    for p in range(signal.shape[2]):
                        signal[into, k, p] += weight * points[tile, i, p]
                else:
                    for p in range(signal.shape[2]):
                        signal[into, k, p] += weight * signal[1 - into, i, p]
        if layer < len(sizes) - 2:
            _activate(signal, into, n_out, activation)
        start += (n_in + 1) * n_out
        into = 1 - into
    return 1 - into


@kernel
def _bound_logits(weights, c, sizes, activation, box_low, box_high, group, signal):
    """Lower and upper bounds of the logits over W boxes, left in ``signal[returned index]`` and the one behind it."""
    into = 0
    start = 0
    for layer in range(len(sizes) - 1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        if layer == 0:  # bring the boxes to where later layers read
            for i in range(n_in):
                for p in range(signal.shape[2]):
                    signal[2, i, p] = box_low[group, i, p]
                    signal[3, i, p] = box_high[group, i, p]
        lows = 2 - into
        for k in range(n_out):
            bias = weights[c, start + n_in * n_out + k]
            for p in range(signal.shape[2]):
                signal[into, k, p] = bias
                signal[into + 1, k, p] = bias
            for i in range(n_in):
                weight = weights[c, start + i * n_out + k]
                from_low = lows if weight > 0.0 else lows + 1
                from_high = lows + 1 if weight > 0.0 else lows
                for p in range(signal.shape[2]):
                    signal[into, k, p] += weight * signal[from_low, i, p]
                    signal[into + 1, k, p] += weight * signal[from_high, i, p]
        if layer < len(sizes) - 2:
            _activate(signal, into, n_out, activation)
            _activate(signal, into + 1, n_out, activation)
        start += (n_in + 1) * n_out
        into = 2 - into
    return 2 - into


@kernel
def _activate(signal, row, n_units, activation):
    """Sigmoid and tanh to 1e-14: exp by seven terms of its series at x / 256 and eight squarings, which, unlike a library
    call, vectorises. The series is off by more only where both are flat; beyond +-40 (tanh: +-20) they are flat in
    double precision."""
    scale = -1.0 if activation == 0 else -2.0
    top = 0.0 if activation == 0 else -1.0  # sigmoid 1 / (1 + e), tanh 2 / (1 + e) - 1
    rise = 1.0 if activation == 0 else 2.0
    for k in range(n_units):
        for p in range(signal.shape[2]):
            x = signal[row, k, p]
            if activation == 2:
                signal[row, k, p] = max(x, 0.0)
            else:
                y = min(max(scale * x, -40.0), 40.0) * (1.0 / 256.0)
                e = 1.0 + y * (1.0 + y * (1 / 2 + y * (1 / 6 + y * (1 / 24 + y * (1 / 120 + y * (1 / 720))))))
                e = e * e
                e = e * e
                e = e * e
                e = e * e
                e = e * e
                e = e * e
                e = e * e
                e = e * e
                signal[row, k, p] = top + rise / (1.0 + e)
