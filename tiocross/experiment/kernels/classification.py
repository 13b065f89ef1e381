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
box_low      (ceil(T / W), F, W)       lower corner of each tile's box, W tiles together
box_high     (ceil(T / W), F, W)       upper corner
signal       (4, widest layer, W)      scratch
classes      (C, T, W) uint8           out: class of each point

All numbers are unitless.
"""

from tiocross.circuit.kernels.jit import kernel


@kernel
def classify_points(weights, sizes, activation, points, box_low, box_high, signal, classes):
    """Fill ``classes``; returns the number of tiles that were decided by their bounds."""
    n_tiles, _, width = points.shape
    n_outputs = sizes[len(sizes) - 1]
    n_bounded = 0
    for c in range(weights.shape[0]):
        for tile in range(n_tiles):
            if n_outputs == 1 and tile % width == 0:
                group = tile // width
                bounds = _bound_logits(weights[c], sizes, activation, box_low[group], box_high[group], signal)
                for p in range(min(width, n_tiles - tile)):
                    low, high = signal[bounds, 0, p], signal[bounds + 1, 0, p]
                    slack = 1e-12 * (abs(low) + abs(high))  # rounding must not decide
                    classes[c, tile + p, 0] = 1 if low > slack else (0 if high < -slack else 2)
            if n_outputs == 1 and classes[c, tile, 0] < 2:
                n_bounded += 1
                for p in range(1, width):
                    classes[c, tile, p] = classes[c, tile, 0]
                continue
            out = _evaluate(weights[c], sizes, activation, points[tile], signal)
            for p in range(width):
                best = 0
                if n_outputs == 1:
                    best = 1 if signal[out, 0, p] > 0.0 else 0
                for k in range(1, n_outputs):
                    if signal[out, k, p] > signal[out, best, p]:
                        best = k
                classes[c, tile, p] = best
    return n_bounded


@kernel
def _evaluate(weights, sizes, activation, points, signal):
    """Logits of W points, left in ``signal[returned index]``."""
    width = points.shape[1]
    into = 0
    start = 0
    for layer in range(len(sizes) - 1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        before = points if layer == 0 else signal[1 - into]
        for k in range(n_out):
            after = signal[into, k]
            after[:] = weights[start + n_in * n_out + k]
            for i in range(n_in):
                weight = weights[start + i * n_out + k]
                for p in range(width):
                    after[p] += weight * before[i, p]
            if layer < len(sizes) - 2:
                _activate(after, activation)
        start += (n_in + 1) * n_out
        into = 1 - into
    return 1 - into


@kernel
def _bound_logits(weights, sizes, activation, box_low, box_high, signal):
    """Lower and upper bounds of the logits over W boxes, left in ``signal[returned index]`` and the one behind it."""
    width = box_low.shape[1]
    into = 0
    start = 0
    for layer in range(len(sizes) - 1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        lows = box_low if layer == 0 else signal[2 - into]
        highs = box_high if layer == 0 else signal[3 - into]
        for k in range(n_out):
            low, high = signal[into, k], signal[into + 1, k]
            low[:] = weights[start + n_in * n_out + k]
            high[:] = low
            for i in range(n_in):
                weight = weights[start + i * n_out + k]
                for p in range(width):
                    low[p] += weight * (lows[i, p] if weight > 0.0 else highs[i, p])
                    high[p] += weight * (highs[i, p] if weight > 0.0 else lows[i, p])
            if layer < len(sizes) - 2:
                _activate(low, activation)
                _activate(high, activation)
        start += (n_in + 1) * n_out
        into = 2 - into
    return 2 - into


@kernel
def _activate(values, activation):
    """Sigmoid and tanh to 1e-13 relative: exp by ten terms of its series at x / 256 and eight squarings, which, unlike
    a library call, vectorises. Beyond +-40 (tanh: +-20) both are flat in double precision."""
    if activation == 2:
        for p in range(values.shape[0]):
            values[p] = max(values[p], 0.0)
        return
    factor = -1.0 if activation == 0 else -2.0
    for p in range(values.shape[0]):
        y = min(max(factor * values[p], -40.0), 40.0) * (1.0 / 256.0)
        e = 1.0 + y * (1.0 + y * (1 / 2 + y * (1 / 6 + y * (1 / 24 + y * (1 / 120 + y * (
            1 / 720 + y * (1 / 5040 + y * (1 / 40320 + y * (1 / 362880)))))))))
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        if activation == 0:
            values[p] = 1.0 / (1.0 + e)
        else:
            values[p] = (1.0 - e) / (1.0 + e)
