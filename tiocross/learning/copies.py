"""Logits of many copies of a network, differentiable by the weights of all layers at once."""

import numpy as np

from tiocross.learning.tensor import Tensor
from tiocross.learning.layers_kernel import pull_layers, run_layers
from tiocross.learning.network import ACTIVATIONS

_LANES = 16


def run_copies(weights, sizes, inputs, activation):
    """`forward` for weights that stand one below the other, as one operation of the autograd.

    Parameters
    ----------
    weights : (n_networks, n_copies, n_weights, 1) Tensor
        All layers one below the other, bias last in each, see `split_layers` (unitless).
    sizes : tuple of int
        Number of inputs, hidden units, outputs (unitless).
    inputs : (n_networks, n_inputs, n_points) ndarray
        Encoded points of each network, the same for its copies (unitless).
    activation : str
        "sigmoid", "tanh" or "relu" (unitless).

    Returns
    -------
    (n_networks, n_copies, n_points, n_outputs) Tensor
        Logits (unitless).
    """
    leading, n_points = weights.shape[:2], inputs.shape[-1]
    flat = np.ascontiguousarray(weights.value.reshape(-1, weights.shape[2]))
    network = (flat, np.array(sizes), ACTIVATIONS.index(activation), np.ascontiguousarray(inputs),
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
