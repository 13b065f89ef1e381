"""Logits of many copies of large networks by matrix products, differentiable by all weights, in single precision.

The same as `layers.run_copies`, for networks that its kernel is not made for: large ones, where a product of matrices by
BLAS is many times faster; convolutions; layers with an activation each, or without bias. Signals are rows of features,
``(n_features, n_points)``. What a convolution gathers is gathered again on the way back, so only outputs are kept.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tiocross.learning.activations import find_activation
from tiocross.learning.products_kernel import (
    average_rows, finish_rows, gather_rows, pull_rows, scatter_rows, spread_rows,
)
from tiocross.learning.tensor import Tensor


class _Layer(NamedTuple):
    """A layer of one network, as the kernels take it."""

    place: slice  # of its weights among those of the network
    shape: tuple  # (n_seen + 1, n_outputs)
    n_features: int  # that it sees
    seen: np.ndarray | None
    n_positions: int
    pooled: np.ndarray | None  # rows of outputs, kernel by kernel
    kind: int
    terms: np.ndarray
    has_bias: bool


def run_products(weights, shapes, inputs, steps):
    """Logits, a Tensor (n_networks, n_copies, n_points, n_outputs), of a Tensor of ``weights`` (n_networks, n_copies,
    n_weights, 1) and encoded points, ``inputs`` (n_networks, n_inputs, n_points); ``steps`` are those of each network."""
    n_weights = sum(rows * columns for rows, columns in shapes)
    if not isinstance(weights, Tensor) or weights.ndim != 4 or weights.shape[2:] != (n_weights, 1):
        raise ValueError(f"weights of layers of shapes {list(shapes)} must be a Tensor (n_networks, n_copies, {n_weights}, "
                         f"1); got {type(weights).__name__} {np.shape(getattr(weights, 'value', weights))}")
    inputs = np.ascontiguousarray(inputs, dtype=np.float32)
    flat = np.ascontiguousarray(weights.value[..., 0], dtype=np.float32)
    networks = [_layers_of(tuple(own), tuple(shapes), inputs.shape[1]) for own in steps]
    outputs = [_run_network(layers, copies, points) for layers, copies, points in zip(networks, flat, inputs, strict=True)]
    logits = np.stack([np.stack([kept[-1][1].T for kept in copies]) for copies in outputs])

    def pull(slopes):
        gradient = np.empty_like(flat)
        for layers, *network in zip(networks, flat, inputs, outputs, slopes, gradient):
            _pull_network(layers, *network)
        return (gradient[..., None],)

    return Tensor(logits, (weights,), pull)


@lru_cache(maxsize=32)
def _layers_of(steps, shapes, n_features):
    """The layers of a network that sees ``n_features``."""
    layers, start = [], 0
    for step, (rows, columns) in zip(steps, shapes, strict=True):
        n_positions = 1 if step.seen is None else len(step.seen)
        activation = find_activation(step.activation)
        layers.append(_Layer(slice(start, start + rows * columns), (rows, columns), n_features, step.seen, n_positions,
                             _rows_of_features(step, n_positions, columns), activation.kind,
                             np.array(activation.terms, dtype=np.float32), step.has_bias))
        start += rows * columns
        n_features = n_positions * columns if step.pooled is None else len(step.pooled)
    return layers


def _rows_of_features(step, n_positions, n_outputs):
    """Rows of outputs that each next feature averages; None where the rows are the features."""
    if step.pooled is None and n_positions == 1:
        return None
    outputs = np.arange(n_positions * n_outputs)[:, None] if step.pooled is None else step.pooled
    return np.ascontiguousarray(outputs % n_outputs * n_positions + outputs // n_outputs)


def _run_network(layers, copies, points):
    """For each copy what it sees and gives, layer by layer, and last of all what the network gives."""
    first = _gather(layers[0], points)  # the same for all copies
    return [_run_copy(layers, flat, points, first) for flat in copies]


def _run_copy(layers, flat, signal, seen):
    kept = []
    for depth, layer in enumerate(layers):
        array = flat[layer.place].reshape(layer.shape)
        seen = _gather(layer, signal) if depth > 0 else seen
        outputs = (array[:-1].T @ seen).reshape(-1, signal.shape[1])
        finish_rows(outputs, array[-1] if layer.has_bias else np.zeros_like(array[-1]), layer.kind, layer.terms)
        kept.append((signal, outputs))
        signal = _average(layer, outputs)
    return [*kept, (None, signal)]


def _pull_network(layers, copies, points, outputs, slopes, gradient):
    """Fill ``gradient``, (n_copies, n_weights), from slopes (n_copies, n_points, n_outputs) at the logits."""
    first = _gather(layers[0], points)
    for flat, kept, slope, own in zip(copies, outputs, slopes, gradient):
        _pull_copy(layers, flat, kept, np.array(slope.T, dtype=np.float32, order="C"), first, own)


def _pull_copy(layers, flat, kept, back, first, gradient):
    for depth in range(len(layers) - 1, -1, -1):
        layer, (signal, outputs) = layers[depth], kept[depth]
        back = _spread(layer, back, outputs)
        pull_rows(outputs, back, layer.kind, layer.terms)
        back = back.reshape(layer.shape[1], -1)
        own = gradient[layer.place].reshape(layer.shape)
        np.matmul(_gather(layer, signal) if depth > 0 else first, back.T, out=own[:-1])
        own[-1] = back.sum(axis=1) if layer.has_bias else 0.0
        if depth > 0:
            back = _scatter(layer, flat[layer.place].reshape(layer.shape)[:-1] @ back, len(signal[0]))


def _gather(layer, signal):
    """(n_seen, n_positions * n_points) inputs of the layer's matrix."""
    if layer.seen is None:
        return signal
    gathered = np.empty((layer.shape[0] - 1, layer.n_positions, signal.shape[1]), dtype=np.float32)
    gather_rows(signal, layer.seen, gathered)
    return gathered.reshape(len(gathered), -1)


def _scatter(layer, back, n_points):
    """Gradient by what the layer sees from that by the inputs of its matrix."""
    if layer.seen is None:
        return back
    found = np.empty((layer.n_features, n_points), dtype=np.float32)
    scatter_rows(back.reshape(len(back), layer.n_positions, n_points), layer.seen, found)
    return found


def _average(layer, outputs):
    """Features of the next layer."""
    if layer.pooled is None:
        return outputs
    signal = np.empty((len(layer.pooled), outputs.shape[1]), dtype=np.float32)
    average_rows(outputs, layer.pooled, np.float32(1.0 / layer.pooled.shape[1]), signal)
    return signal


def _spread(layer, back, outputs):
    """Gradient by the outputs from that by the next features; may be written to."""
    if layer.pooled is None:
        return back
    found = np.empty_like(outputs)
    spread_rows(back, layer.pooled, np.float32(1.0 / layer.pooled.shape[1]), found)
    return found
