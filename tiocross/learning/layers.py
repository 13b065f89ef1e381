"""Logits of many copies of a network, differentiable by the weights of all layers at once."""

import numpy as np

from tiocross.learning.activations import find_activation
from tiocross.learning.layers_kernel import pull_layers, run_layers
from tiocross.learning.tensor import Tensor

_LANES = 16  # partial sums of the kernel


def run_copies(weights, sizes, inputs, activation):
    """Logits, a Tensor (n_networks, n_copies, n_points, n_outputs), as one operation. ``weights`` is a Tensor (n_networks,
    n_copies, n_weights, 1) with all layers one below the other, bias last in each, see `split_layers`. ``inputs`` are
    (n_networks, n_inputs, n_points) encoded points, the same for all copies of a network."""
    n_weights = sum((n_in + 1) * n_out for n_in, n_out in zip(sizes, sizes[1:]))
    if not isinstance(weights, Tensor) or weights.ndim != 4 or weights.shape[2:] != (n_weights, 1):
        raise ValueError(f"weights of a {'-'.join(map(str, sizes))} network must be a Tensor (n_networks, n_copies, "
                         f"{n_weights}, 1); got {type(weights).__name__} {np.shape(getattr(weights, 'value', weights))}")
    leading, n_points = weights.shape[:2], inputs.shape[-1]
    flat = np.ascontiguousarray(weights.value.reshape(-1, weights.shape[2]))
    network = (flat, np.array(sizes), find_activation(activation).code, np.ascontiguousarray(inputs),
               np.repeat(np.arange(leading[0]), leading[1]))
    signals = np.empty((len(flat), sum(sizes[1:-1]), n_points))
    logits = np.empty((len(flat), sizes[-1], n_points))
    run_layers(*network, signals, logits)

    def pull(slopes):
        slopes = np.ascontiguousarray(np.swapaxes(slopes, -1, -2)).reshape(logits.shape)
        gradient = np.empty(flat.shape)
        pull_layers(*network, signals, slopes, np.empty((2, max(sizes), n_points)), np.empty(_LANES), gradient)
        return (gradient.reshape(weights.shape),)

    return Tensor(np.swapaxes(logits.reshape(*leading, sizes[-1], n_points), -1, -2), (weights,), pull)
