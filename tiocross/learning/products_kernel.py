"""What stands between the matrix products of a large network: gathering, biases and activations, averaging, and back.

A layer is one matrix product for each copy, made by the BLAS library. The kernels here do what is left, row by row. A row
holds one feature of all points, so that inner loops run over points and vectorise.

A convolution gathers what each position sees; its product gives the outputs of a kernel for all positions side by side. So
rows of outputs come kernel by kernel, and position by position within each. `average_rows` puts them into the order of the
next layer's features, whether it averages several or copies one.

symbol       shape                            meaning
signal       (n_features, P)                  features that the layer sees
seen         (n_positions, n_seen) int64      features that each position sees, -1 for a zero of the padding
gathered     (n_seen, n_positions, P)         what the layer's matrix is multiplied with, or the gradient by it
sums         (n_outputs * n_positions, P)     in: products with the weights; out: outputs
bias         (n_outputs,)                     added to the products
kind         int                              kind of the activation: 0 curved, 1 clipped, 2 softplus
terms        (7,)                             its numbers, see `activations`
outputs      (n_outputs * n_positions, P)     outputs, after the activation
pooled       (n_features, n_averaged) int64   rows of outputs that each feature of the next layer is the average of
back         as what it is the gradient by    gradient
weight       number                           1 / n_averaged

All numbers are unitless, of single precision unless stated.
"""

import numpy as np

from tiocross.jit import kernel
from tiocross.learning.layers_kernel import activate, slope_back

_ZERO = np.float32(0.0)


@kernel
def gather_rows(signal, seen, gathered):
    """Fill ``gathered``."""
    for k in range(gathered.shape[0]):
        for position in range(gathered.shape[1]):
            feature = seen[position, k]
            row = gathered[k, position]
            if feature < 0:
                for p in range(len(row)):
                    row[p] = _ZERO
            else:
                source = signal[feature]
                for p in range(len(row)):
                    row[p] = source[p]
    return len(gathered)


@kernel
def scatter_rows(gathered, seen, back):
    """Fill ``back``, the gradient by a signal, from that by what was gathered of it: the adjoint of `gather_rows`."""
    for feature in range(back.shape[0]):
        row = back[feature]
        for p in range(len(row)):
            row[p] = _ZERO
    for k in range(gathered.shape[0]):
        for position in range(gathered.shape[1]):
            feature = seen[position, k]
            if feature >= 0:
                row = back[feature]
                source = gathered[k, position]
                for p in range(len(row)):
                    row[p] += source[p]
    return len(gathered)


@kernel
def finish_rows(sums, bias, kind, terms):
    """Add the bias and activate, in place."""
    n_positions = sums.shape[0] // len(bias)
    for r in range(sums.shape[0]):
        row = sums[r]
        added = bias[r // n_positions]
        for p in range(len(row)):
            row[p] += added
        activate(row, kind, terms)
    return n_positions


@kernel
def pull_rows(outputs, back, kind, terms):
    """Turn the gradient by outputs into that by their sums, in place."""
    for r in range(outputs.shape[0]):
        slope_back(outputs[r], back[r], kind, terms)
    return len(outputs)


@kernel
def average_rows(outputs, pooled, weight, signal):
    """Fill ``signal``, the features of the next layer."""
    for feature in range(signal.shape[0]):
        row = signal[feature]
        for k in range(pooled.shape[1]):
            source = outputs[pooled[feature, k]]
            if k == 0:
                for p in range(len(row)):
                    row[p] = weight * source[p]
            else:
                for p in range(len(row)):
                    row[p] += weight * source[p]
    return len(signal)


@kernel
def spread_rows(signal, pooled, weight, back):
    """Fill ``back``, the gradient by outputs, from ``signal``, that by the next features: the adjoint of `average_rows`."""
    for r in range(back.shape[0]):
        row = back[r]
        for p in range(len(row)):
            row[p] = _ZERO
    for feature in range(signal.shape[0]):
        source = signal[feature]
        for k in range(pooled.shape[1]):
            row = back[pooled[feature, k]]
            for p in range(len(row)):
                row[p] += weight * source[p]
    return len(signal)
