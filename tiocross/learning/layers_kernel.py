"""Logits of many copies of a small network on a batch of points, and the gradient by their weights.

A step of training runs 16 simulated chips on 256 points; every array in between is small, so that one call of NumPy an
operation costs more than the arithmetic. Here the inner loops run over points and vectorise; what a copy needs stays in the
cache. The gradient is that of reverse mode: slopes at the logits go back through weights and activations, layer by layer.

symbol       shape                     meaning
weights      (C, n_weights)            all layers of each copy, one after the other; of a layer n_inputs + 1 rows of
                                       n_outputs weights, bias last
sizes        (n_layers + 1,)           number of inputs, hidden units, outputs
activation   int                       0 sigmoid, 1 tanh, 2 relu
inputs       (S, n_inputs, P)          encoded points, feature by feature; S sets of them
sources      (C,) int                  which set each copy sees
signals      (C, n_hidden, P)          outputs of all hidden units, layer after layer; left by one kernel for the other
logits       (C, n_outputs, P)         out
slopes       (C, n_outputs, P)         gradient by the logits
back         (2, widest layer, P)      scratch: gradient by a layer's sums, and by those of the layer before
lanes        (16,)                     scratch: partial sums, which vectorise where a single sum must wait for itself
gradient     (C, n_weights)            out: gradient by the weights

All numbers are unitless.
"""

from tiocross.jit import kernel


@kernel
def run_layers(weights, sizes, activation, inputs, sources, signals, logits):
    """Fill ``signals`` and ``logits``."""
    n_layers = len(sizes) - 1
    for c in range(weights.shape[0]):
        start = 0
        first = 0  # row of the layer's first unit in ``signals``
        for layer in range(n_layers):
            n_in, n_out = sizes[layer], sizes[layer + 1]
            below = inputs[sources[c]] if layer == 0 else signals[c, first - n_in : first]
            here = logits[c] if layer == n_layers - 1 else signals[c, first : first + n_out]
            for k in range(n_out):
                bias = weights[c, start + n_in * n_out + k]
                for p in range(here.shape[1]):
                    here[k, p] = bias
                for i in range(n_in):
                    weight = weights[c, start + i * n_out + k]
                    for p in range(here.shape[1]):
                        here[k, p] += weight * below[i, p]
            if layer < n_layers - 1:
                _activate(here, activation)
                first += n_out
            start += (n_in + 1) * n_out
    return n_layers


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


@kernel
def _slope(signals, back, activation):
    """Turn gradients by a layer's outputs into those by its sums, in place."""
    for k in range(signals.shape[0]):
        for p in range(signals.shape[1]):
            y = signals[k, p]
            if activation == 0:
                back[k, p] *= y * (1.0 - y)
            elif activation == 1:
                back[k, p] *= 1.0 - y * y
            else:
                back[k, p] *= 1.0 if y > 0.0 else 0.0


@kernel
def _activate(signals, activation):
    """Sigmoid and tanh to 1e-14: exp by seven terms of its series at x / 256 and eight squarings, which, unlike a library
    call, vectorises. Beyond +-40 (tanh: +-20) they are flat in double precision."""
    scale = -1.0 if activation == 0 else -2.0
    top = 0.0 if activation == 0 else -1.0  # sigmoid 1 / (1 + e), tanh 2 / (1 + e) - 1
    rise = 1.0 if activation == 0 else 2.0
    for k in range(signals.shape[0]):
        for p in range(signals.shape[1]):
            x = signals[k, p]
            if activation == 2:
                signals[k, p] = max(x, 0.0)
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
                signals[k, p] = top + rise / (1.0 + e)
