"""Weights from elsewhere as those of layers: which way round they stand, and the order of features behind a convolution."""

import math

import numpy as np

from tiocross.checks import as_finite, kind_of, require_name, short_repr
from tiocross.learning.layer_kinds import Dense

ORIENTATIONS = ("in_out", "out_in")


def as_pairs(arrays):
    """List of (weights, bias or None), finite float64; TypeError or ValueError that says which is not."""
    if not isinstance(arrays, (list, tuple)) or not arrays:
        raise TypeError(f"arrays must be a list with (weights, bias) of each layer; got {short_repr(arrays)}")
    pairs = []
    for k, pair in enumerate(arrays):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise TypeError(f"arrays[{k}] must be (weights, bias), None for the bias where the layer has none; got "
                            f"{kind_of(pair)}")
        weights = as_finite(f"the weights of layer {k}", pair[0])
        if weights.ndim < 2 or 0 in weights.shape:
            raise ValueError(f"the weights of layer {k} must have an axis of inputs and one of outputs; got shape "
                             f"{weights.shape}")
        pairs.append((weights, None if pair[1] is None else as_finite(f"the bias of layer {k}", pair[1], ndim=1)))
    return pairs


def chain_of(pairs, orientation):
    """Layer sizes of dense layers with these weights."""
    for k, (weights, _) in enumerate(pairs):
        if weights.ndim != 2:
            raise ValueError(f"the weights of layer {k} must have 2 axes; got shape {weights.shape}. Convolutions need the "
                             "shape of the inputs: Network.from_arrays, or --input-shape")
    _require_orientation(orientation)
    chains = {way: [_ends(weights, way) for weights, _ in pairs] for way in ORIENTATIONS}
    fitting = [way for way, ends in chains.items() if _follow(ends, pairs)]
    way = _choose(fitting, orientation, [weights.shape for weights, _ in pairs])
    return (chains[way][0][0], *(n_out for _, n_out in chains[way]))


def oriented_arrays(pairs, layers, chain, orientation):
    """(n_seen + 1, n_outputs) weights of each layer, bias last, from (weights, bias) of either orientation."""
    _require_orientation(orientation)
    if len(pairs) != len(layers):
        raise ValueError(f"the network has {len(layers)} layers with weights; got the weights of {len(pairs)}")
    for k, (layer, (_, bias)) in enumerate(zip(layers, pairs)):
        if (bias is not None) != layer.bias:
            raise ValueError(f"layer {k}, {layer}, has {'a' if layer.bias else 'no'} bias; got "
                             f"{'none' if bias is None else f'one of shape {bias.shape}'}. Tell it by bias={not layer.bias}")
    shapes = {way: [_wanted(layer, here, way) for layer, here in zip(layers, chain.places)] for way in ORIENTATIONS}
    fitting = [way for way, wanted in shapes.items()
               if all(weights.shape == shape and (bias is None or len(bias) == layer.n_outputs)
                      for (weights, bias), shape, layer in zip(pairs, wanted, layers))]
    if not fitting:
        raise ValueError(f"the weights must have shapes {shapes['out_in']} (out_in) or {shapes['in_out']} (in_out), with a "
                         f"bias for each output; got {[weights.shape for weights, _ in pairs]}, biases "
                         f"{[None if bias is None else bias.shape for _, bias in pairs]}")
    way = _choose(fitting, orientation, [weights.shape for weights, _ in pairs])
    return [_matrix(weights, bias, here, way) for (weights, bias), here in zip(pairs, chain.places)]


def as_encoding(offset, scale, n_inputs):
    """Offset and scale of the inputs, (n_inputs,) each, of their own; a number stands for all inputs, None for 0 and 1."""
    found = []
    for name, value, without in (("input_offset", offset, 0.0), ("input_scale", scale, 1.0)):
        values = as_finite(name, without if value is None else value)
        if values.shape not in ((), (n_inputs,)):
            raise ValueError(f"{name} must be a number, or one for each of the {n_inputs} inputs; got shape {values.shape}")
        found.append(np.broadcast_to(values, (n_inputs,)).copy())
    return found


def _require_orientation(orientation):
    if orientation is not None:
        require_name("orientation", orientation, ORIENTATIONS)


def _ends(weights, way):
    """Inputs and outputs of dense weights."""
    return weights.shape if way == "in_out" else weights.shape[::-1]


def _follow(ends, pairs):
    """Whether layers with these inputs and outputs follow on each other, and biases fit."""
    chained = all(before[1] == after[0] for before, after in zip(ends, ends[1:]))
    return chained and all(bias is None or len(bias) == n_out for (_, n_out), (_, bias) in zip(ends, pairs))


def _choose(fitting, orientation, shapes):
    """The orientation told, or the only one that fits."""
    if orientation is not None:
        if orientation not in fitting:
            other = f"; they fit as {fitting[0]!r}" if fitting else ""
            raise ValueError(f"weights of shapes {shapes} and their biases do not follow on each other as "
                             f"{orientation!r}{other}")
        return orientation
    if not fitting:
        raise ValueError("the layers must follow on each other, the outputs of one being the inputs of the next, with a "
                         f"bias for each output; got weights of shapes {shapes}, which fit neither as (n_inputs, n_outputs) "
                         "nor as (n_outputs, n_inputs). Check their order, and the lengths of the biases")
    if len(fitting) > 1:
        raise ValueError(f"weights of shapes {shapes} fit both ways: tell orientation='in_out' for (n_inputs, n_outputs), "
                         "as Keras has them, or 'out_in' for (n_outputs, n_inputs), as PyTorch has them")
    return fitting[0]


def _wanted(layer, here, way):
    """Shape of a layer's weights, for the numbers of the features it sees, channel first."""
    kernel = () if isinstance(layer, Dense) else layer.kernel
    n_seen = here.size if isinstance(layer, Dense) else len(here)
    return (layer.n_outputs, n_seen, *kernel) if way == "out_in" else (*kernel, n_seen, layer.n_outputs)


def _matrix(weights, bias, here, way):
    """(n_seen + 1, n_outputs) of one layer, of its own."""
    n_outputs = weights.shape[0] if way == "out_in" else weights.shape[-1]
    if weights.ndim > 2:  # in_out: places of the kernel, then channels
        weights = weights if way == "out_in" else np.moveaxis(weights, (-1, -2), (0, 1))
        rows = weights.reshape(n_outputs, -1).T
    elif way == "out_in":  # channel by channel
        rows = np.empty((math.prod(here.shape), n_outputs))
        rows[here.ravel()] = weights.T
    else:
        rows = weights
    return np.concatenate([rows, np.zeros((1, n_outputs)) if bias is None else bias[None]])
