"""Logits of many copies of networks, differentiable by the weights of all layers at once, in single precision.

The layers of a copy stand one below the other in its weights, bias last in each, see `techniques.split_layers`. All copies
of a network see the same points. Networks of one pass have the same layer sizes, but may have activations of their own.
"""

from functools import lru_cache

import numpy as np

from tiocross.learning.activations import find_activation
from tiocross.learning.layers_kernel import pull_layers, run_layers
from tiocross.learning.tensor import Tensor

_MOST_WEIGHTS = 4_096  # up to here the kernel takes at most twice the time of BLAS, and needs no threads
_STRIDE = 32  # points are filled up to a multiple of it: the kernel adds up eighths, four numbers at a time


def is_served(steps, n_weights):
    """Whether `run_copies` is made for a network: dense layers with a bias and one activation of all hidden units, few
    weights. All others go through `products`."""
    hidden = {step.activation for step in steps[:-1]}
    plain = all(step.seen is None and step.pooled is None and step.has_bias for step in steps)
    return plain and len(hidden) < 2 and steps[-1].activation == "linear" and n_weights <= _MOST_WEIGHTS


def run_copies(weights, sizes, inputs, activations):
    """Logits, a Tensor (n_networks, n_copies, n_points, n_outputs), of a Tensor of ``weights`` (n_networks, n_copies,
    n_weights, 1) and encoded points, ``inputs`` (n_networks, n_inputs, n_points); ``activations`` is a name or a list."""
    n_weights = sum((n_in + 1) * n_out for n_in, n_out in zip(sizes, sizes[1:]))
    if not isinstance(weights, Tensor) or weights.ndim != 4 or weights.shape[2:] != (n_weights, 1):
        raise ValueError(f"weights of a {'-'.join(map(str, sizes))} network must be a Tensor (n_networks, n_copies, "
                         f"{n_weights}, 1); got {type(weights).__name__} {np.shape(getattr(weights, 'value', weights))}")
    leading, n_points = weights.shape[:2], inputs.shape[-1]
    names = (activations,) * leading[0] if isinstance(activations, str) else tuple(activations)
    flat = np.ascontiguousarray(weights.value.reshape(-1, n_weights), dtype=np.float32)
    network = (flat, *_of_copies(tuple(sizes), names, leading[1]))
    inputs = _fill_up(inputs)
    sources, length = np.repeat(np.arange(leading[0]), leading[1]), inputs.shape[-1]
    signals = np.empty((len(flat), sum(sizes[1:-1]), length), dtype=np.float32)
    logits = np.empty((len(flat), sizes[-1], length), dtype=np.float32)
    run_layers(*network, inputs, sources, signals, logits)

    def pull(slopes):
        slopes = _fill_up(np.swapaxes(slopes, -1, -2).reshape(len(flat), sizes[-1], n_points))
        back, part = np.empty((3, max(sizes), length), np.float32), np.empty(length // 8, np.float32)
        gradient = np.empty_like(flat)
        pull_layers(*network, inputs, sources, signals, slopes, back, part, gradient)
        return (gradient.reshape(weights.shape),)

    logits = logits[..., :n_points].reshape(*leading, sizes[-1], n_points)
    return Tensor(np.swapaxes(logits, -1, -2), (weights,), pull)


@lru_cache(maxsize=16)
def _of_copies(sizes, activations, n_copies):
    """Sizes, and kind and terms of the activation of each copy, as the kernel takes them."""
    found = [find_activation(name) for name in activations]
    kinds = np.repeat(np.array([activation.kind for activation in found], dtype=np.int64), n_copies)
    terms = np.repeat(np.array([activation.terms for activation in found], dtype=np.float32), n_copies, axis=0)
    return np.array(sizes, dtype=np.int64), kinds, terms


def _fill_up(rows):
    """Rows of single precision, with zeros behind up to a length that the kernel can add up."""
    n_points = rows.shape[-1]
    filled = np.empty((*rows.shape[:-1], -(-n_points // _STRIDE) * _STRIDE), dtype=np.float32)
    filled[..., :n_points] = rows
    filled[..., n_points:] = 0.0
    return filled
