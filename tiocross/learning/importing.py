"""Networks from files of weights: layers by their names, convolutions by the number of axes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tiocross.checks import as_finite, require_name, short_repr
from tiocross.learning.activations import ACTIVATIONS
from tiocross.learning.imported import ORIENTATIONS
from tiocross.learning.layer_kinds import AveragePool1d, AveragePool2d, Conv1d, Conv2d, Dense
from tiocross.learning.network import MLP, Network
from tiocross.learning.weight_files import read_weights
from tiocross.learning.weight_names import name_layers


class Convolving(NamedTuple):
    """What weights do not say of convolutions: the shape of the inputs, and one number for all convolutions, or one for
    each: ``stride``, ``padding``, and ``pool``, the size of the averages behind each, 1 for none."""

    input_shape: tuple[int, ...] | None = None
    stride: tuple[int, ...] = (1,)
    padding: tuple[int, ...] = (0,)
    pool: tuple[int, ...] = (1,)


class Imported(NamedTuple):
    """A network, and of each layer its `NamedLayer`; the orientation that the weights had."""

    network: Network
    layers: list
    orientation: str


def import_network(path: str | os.PathLike, *, activation: str | Sequence[str], orientation: str | None = None,
                   names: Sequence[str] | None = None, convolving: Convolving = Convolving(),
                   input_offset: np.ndarray | float | None = None,
                   input_scale: np.ndarray | float | None = None) -> Imported:
    """The network in a file of weights, and how the file was understood; see `MLP.from_arrays` for the arguments."""
    arrays = read_weights(path)
    try:
        layers = name_layers(arrays, names)
        for layer in layers:
            _require_finite(layer)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    pairs = [layer.arrays for layer in layers]
    for name in _names(activation, len(pairs))[:-1]:
        require_name("activation", name, ACTIVATIONS)
    encoding = {"input_offset": input_offset, "input_scale": input_scale}
    ways = ORIENTATIONS if orientation is None else (orientation,)
    for way in ways:
        require_name("orientation", way, ORIENTATIONS)
    found, errors = {}, {}
    for way in ways:
        try:
            if convolving.input_shape is None:
                found[way] = MLP.from_arrays(pairs, activation=activation, orientation=way, **encoding)
            else:
                described = _describe(pairs, _names(activation, len(pairs)), convolving, way)
                found[way] = Network.from_arrays(pairs, described, convolving.input_shape, orientation=way, **encoding)
        except ValueError as error:
            errors[way] = error
    if len(found) != 1:
        raise ValueError(_why_not(pairs, found, errors, orientation))
    way = next(iter(found))
    return Imported(found[way], layers, way)


def _require_finite(layer):
    """Raise ValueError, with the name in the file, for weights or a bias that are not finite."""
    for name, array in zip((layer.weights, layer.bias), layer.arrays):
        if array is not None:
            as_finite(name, array)


def _why_not(pairs, found, errors, orientation):
    """What to say where not exactly one orientation fits."""
    shapes = [weights.shape for weights, _ in pairs]
    if found:
        return (f"weights of shapes {shapes} fit both ways: tell the orientation, in_out for (n_inputs, n_outputs), as "
                "Keras has them, or out_in for (n_outputs, n_inputs), as PyTorch has them")
    if all("do not follow" in str(error) for error in errors.values()) and orientation is None:
        biases = [None if bias is None else len(bias) for _, bias in pairs]
        return (f"weights of shapes {shapes} and biases of lengths {biases} do not follow on each other, neither as "
                "(n_inputs, n_outputs) nor as (n_outputs, n_inputs); check their order and --names")
    if orientation is not None or len({str(error) for error in errors.values()}) == 1:
        return str(next(iter(errors.values())))
    told = "; ".join(f"as {way}: {error}" for way, error in errors.items())
    return f"weights of shapes {shapes} do not make a network. {told[0].upper()}{told[1:]}"


def _names(activation, n_layers):
    """Activation of each layer, the last included."""
    if isinstance(activation, str):
        return [activation] * (n_layers - 1) + ["linear"]
    names = list(activation)
    if len(names) == n_layers - 1:
        names.append("linear")
    if len(names) == 1:
        names = names * (n_layers - 1) + ["linear"]
    if len(names) != n_layers:
        raise ValueError(f"activation must be one name, or one for each of the {n_layers} layers; got {names}")
    return names


def _describe(pairs, activations, convolving, way):
    """The layers that weights of one orientation belong to."""
    n_convolutions = sum(np.ndim(weights) > 2 for weights, _ in pairs)
    strides, paddings, pools = (_for_each(name, getattr(convolving, name), n_convolutions)
                                for name in ("stride", "padding", "pool"))
    layers, k = [], 0
    for (weights, bias), activation in zip(pairs, activations):
        shape = np.shape(weights)
        if not 2 <= len(shape) <= 4:
            raise ValueError(f"weights have 2 axes, in convolutions 3 or 4; got shape {shape}")
        n_outputs, kernel = (shape[0], shape[2:]) if way == "out_in" else (shape[-1], shape[:-2])
        if len(shape) == 2:
            layers.append(Dense(n_outputs, activation, bias is not None))
            continue
        kind, pool = ((Conv1d, AveragePool1d), (Conv2d, AveragePool2d))[len(shape) - 3]
        layers.append(kind(n_outputs, kernel, strides[k], paddings[k], activation, bias is not None))
        layers += [pool(pools[k])] * (pools[k] > 1)
        k += 1
    return layers


def _for_each(name, values, n):
    if len(values) not in (1, n):
        raise ValueError(f"{name} must be one number, or one for each of the {n} convolutions; got {short_repr(values)}")
    return list(values) * n if len(values) == 1 else list(values)
