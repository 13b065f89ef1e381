"""Kinds of layers, and what a chain of them does: dense, convolutions, average pooling.

A convolution is a matrix that is applied at every position (im2col): one kernel is one block of devices, which is read once
for each position. Between layers the features stand position by position, and at each position channel by channel. The
inputs of a network stand as its points give them: channel by channel, in each of them row by row.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from tiocross.checks import as_count, kind_of, require_memory, require_name, short_repr
from tiocross.learning.activations import ACTIVATIONS, find_activation
from tiocross.learning.steps import Step

OUTPUTS = ("linear", "softmax", "sigmoid")  # what may be made of the logits
_MOST_INPUTS, _MOST_SEEN = 2**22, 2**25  # features of a point; entries of an index of what positions see: 270 MB


@dataclass(frozen=True)
class Dense:
    """A layer whose outputs see all inputs.

    Parameters
    ----------
    n_outputs : int
        Number of outputs (unitless).
    activation : str, optional
        What is made of the sums: "linear" for nothing, "sigmoid", "tanh", "relu", "softplus" or "hardtanh"; in the last
        layer "linear", "softmax" or, for one output, "sigmoid".
    bias : bool, optional
        Whether it has a bias.
    """

    n_outputs: int
    activation: str = "linear"
    bias: bool = True

    def __post_init__(self):
        object.__setattr__(self, "n_outputs", as_count("n_outputs", self.n_outputs))
        _require_kind(self)

    def __str__(self):
        return f"Dense {self.n_outputs}{_manner(self)}"


@dataclass(frozen=True)
class _Convolution:
    """A kernel that is moved over positions: what Conv1d and Conv2d share."""

    n_channels: int
    kernel: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: int | tuple[int, ...] = 0
    activation: str = "relu"
    bias: bool = True

    n_axes: ClassVar[int] = 0

    def __post_init__(self):
        object.__setattr__(self, "n_channels", as_count("n_channels", self.n_channels))
        for name, low in (("kernel", 1), ("stride", 1), ("padding", 0)):
            object.__setattr__(self, name, _along_axes(name, getattr(self, name), self.n_axes, low))
        if any(padding >= size for padding, size in zip(self.padding, self.kernel)):
            raise ValueError(f"padding must be smaller than the kernel, or positions see nothing; got {self.padding} for a "
                             f"kernel of {self.kernel}")
        _require_kind(self)

    @property
    def n_outputs(self):
        """Number of outputs at each position (unitless)."""
        return self.n_channels

    def __str__(self):
        moved = f" in steps of {_times(self.stride)}" if set(self.stride) != {1} else ""
        padded = f" padded by {_times(self.padding)}" if any(self.padding) else ""
        return f"{type(self).__name__} {self.n_channels} of {_times(self.kernel)}{moved}{padded}{_manner(self)}"


@dataclass(frozen=True)
class Conv1d(_Convolution):
    """A convolution over a length: outputs at each position, from the inputs near it, with the same weights everywhere.

    Parameters
    ----------
    n_channels : int
        Number of outputs at each position (unitless).
    kernel : int
        Number of neighbouring inputs that a position sees of each channel (unitless).
    stride : int, optional
        Distance of the positions (unitless).
    padding : int, optional
        Zeros before and behind the inputs (unitless).
    activation : str, optional
        What is made of the sums, as for `Dense`.
    bias : bool, optional
        Whether it has a bias.
    """

    n_axes: ClassVar[int] = 1


@dataclass(frozen=True)
class Conv2d(_Convolution):
    """A convolution over an image: outputs at each position, from the inputs near it, with the same weights everywhere.

    Parameters
    ----------
    n_channels : int
        Number of outputs at each position (unitless).
    kernel : int or tuple of int
        Height and width of what a position sees of each channel; one number for both (unitless).
    stride : int or tuple of int, optional
        Distance of the positions (unitless).
    padding : int or tuple of int, optional
        Zeros around the inputs (unitless).
    activation : str, optional
        What is made of the sums, as for `Dense`.
    bias : bool, optional
        Whether it has a bias.
    """

    n_axes: ClassVar[int] = 2


@dataclass(frozen=True)
class _Pool:
    """Averages of neighbours: what AveragePool1d and AveragePool2d share."""

    size: int | tuple[int, ...]
    stride: int | tuple[int, ...] | None = None

    n_axes: ClassVar[int] = 0

    def __post_init__(self):
        object.__setattr__(self, "size", _along_axes("size", self.size, self.n_axes, 1))
        stride = self.size if self.stride is None else self.stride
        object.__setattr__(self, "stride", _along_axes("stride", stride, self.n_axes, 1))

    def __str__(self):
        moved = f" in steps of {_times(self.stride)}" if self.stride != self.size else ""
        return f"{type(self).__name__} {_times(self.size)}{moved}"


@dataclass(frozen=True)
class AveragePool1d(_Pool):
    """Average of neighbours in each channel, in software, after the activation of the layer before.

    Parameters
    ----------
    size : int
        Number of neighbours (unitless).
    stride : int, optional
        Distance of the averages; ``size`` without it (unitless).
    """

    n_axes: ClassVar[int] = 1


@dataclass(frozen=True)
class AveragePool2d(_Pool):
    """Average of neighbours in each channel, in software, after the activation of the layer before.

    Parameters
    ----------
    size : int or tuple of int
        Height and width of what is averaged; one number for both (unitless).
    stride : int or tuple of int, optional
        Distance of the averages; ``size`` without it (unitless).
    """

    n_axes: ClassVar[int] = 2


KINDS = {kind.__name__: kind for kind in (Dense, Conv1d, Conv2d, AveragePool1d, AveragePool2d)}


class Chain(NamedTuple):
    """What a chain of layers does: a step for each layer with weights, the shape of these, (n_seen + 1, n_outputs), the
    number of features before each and behind the last, and where the features of each channel, channel first, stand in what
    each layer gets."""

    steps: tuple
    shapes: tuple
    sizes: tuple
    places: tuple


def chain_layers(layers, input_shape):
    """`Chain` of checked layers on inputs of a shape: (n_inputs,), (n_channels, length) or (n_channels, height, width)."""
    input_shape, layers = _as_input_shape(input_shape), _as_layers(layers)
    here = np.arange(math.prod(input_shape)).reshape(input_shape)  # number of each feature, channel first
    steps, shapes, sizes, places, n_weighted = [], [], [here.size], [], len(weighted(layers))
    for layer in layers:
        if isinstance(layer, _Pool):
            pooled, here = _pool(layer, here)
            if steps[-1].pooled is not None:
                pooled = steps[-1].pooled[pooled].reshape(len(pooled), -1)
            steps[-1], sizes[-1] = _with_pooled(steps[-1], pooled), here.size
            continue
        places.append(here)
        seen, n_seen, here = _look(layer, here)
        activation = "linear" if len(steps) == n_weighted - 1 else layer.activation
        steps.append(Step(activation, seen, has_bias=layer.bias))
        shapes.append((n_seen + 1, layer.n_outputs))
        sizes.append(here.size)
    n_weights = sum(math.prod(shape) for shape in shapes)
    require_memory(f"{n_weights} weights and biases", 8 * n_weights, "give smaller layers")
    return Chain(tuple(steps), tuple(shapes), tuple(sizes), tuple(places))


def output_of(layers):
    """What the last layer with weights makes of its sums: "linear", "softmax" or "sigmoid"."""
    return next(layer for layer in reversed(layers) if not isinstance(layer, _Pool)).activation


def weighted(layers):
    """The layers that have weights."""
    return [layer for layer in layers if not isinstance(layer, _Pool)]


def require_output(activation, n_outputs):
    """Raise ValueError unless this may be made of the logits."""
    if activation not in OUTPUTS:
        raise ValueError(f"the last layer gives logits: its activation must be one of {', '.join(map(repr, OUTPUTS))}; got "
                         f"{short_repr(activation)}")
    if activation == "sigmoid" and n_outputs > 1:
        raise ValueError(f"a sigmoid output is for two classes and one output; got {n_outputs} outputs: use 'softmax', the "
                         "largest output is the class either way")


def _as_layers(layers):
    if not isinstance(layers, (list, tuple)) or not layers:
        raise TypeError(f"layers must be a list such as [Conv2d(4, 3), Dense(10)]; got {short_repr(layers)}")
    for layer in layers:
        if type(layer) not in KINDS.values():
            raise TypeError(f"a layer must be one of {', '.join(KINDS)}, such as Dense(10); got {short_repr(layer)}")
    if isinstance(layers[0], _Pool):
        raise ValueError(f"averages are taken of what a layer with weights gives; got {layers[0]} first. Average the points "
                         "themselves before")
    inner, last = weighted(layers)[:-1], weighted(layers)[-1]
    for layer in inner:
        find_activation(layer.activation)
    require_output(last.activation, last.n_outputs)
    return tuple(layers)


def _as_input_shape(shape):
    if not isinstance(shape, (tuple, list)) or not 1 <= len(shape) <= 3:
        raise TypeError("input_shape must be (n_inputs,), (n_channels, length) or (n_channels, height, width); got "
                        f"{short_repr(shape)}")
    shape = tuple(as_count("a length of input_shape", length) for length in shape)
    if math.prod(shape) > _MOST_INPUTS:
        raise ValueError(f"input_shape must have at most {_MOST_INPUTS} inputs; got {shape}")
    return shape


def _look(layer, here):
    """What each position of a layer sees, None for all; how much that is; the numbers of its outputs, channel first."""
    if isinstance(layer, Dense):
        return None, here.size, np.arange(layer.n_outputs)
    _require_axes(layer, here)
    if any(length + 2 * padding < size for length, padding, size in zip(here.shape[1:], layer.padding, layer.kernel)):
        raise ValueError(f"{layer} does not fit on inputs of {_times(here.shape[1:])}: the kernel is larger")
    outer = [(length + 2 * padding - size) // step + 1 for length, padding, size, step in
             zip(here.shape[1:], layer.padding, layer.kernel, layer.stride)]
    _require_few(layer, math.prod(outer) * max(here.shape[0] * math.prod(layer.kernel), layer.n_channels))
    padded = np.pad(here, [(0, 0), *((padding, padding) for padding in layer.padding)], constant_values=-1)
    seen = _windows(padded, layer.kernel, layer.stride)
    seen = np.moveaxis(seen, 0, layer.n_axes).reshape(math.prod(outer), -1)  # position, then channel and place in kernel
    return seen, seen.shape[1], _by_position(outer, layer.n_channels)


def _pool(layer, here):
    """Numbers of the features of each average, and the numbers of the averages, channel first."""
    _require_axes(layer, here)
    if any(length < size for length, size in zip(here.shape[1:], layer.size)):
        raise ValueError(f"{layer} does not fit on {_times(here.shape[1:])} positions")
    _require_few(layer, here.size * math.prod(layer.size))
    windows = _windows(here, layer.size, layer.stride)
    outer = windows.shape[1 : 1 + layer.n_axes]
    pooled = np.moveaxis(windows, 0, layer.n_axes).reshape(math.prod(outer) * len(here), -1)
    return pooled, _by_position(outer, len(here))


def _windows(numbers, size, stride):
    """(n_channels, *positions, *size) what each position sees."""
    axes = tuple(range(1, numbers.ndim))
    windows = np.lib.stride_tricks.sliding_window_view(numbers, size, axis=axes)
    return windows[(slice(None), *(slice(None, None, step) for step in stride))]


def _by_position(positions, n_channels):
    """(n_channels, *positions) numbers of features that stand position by position."""
    return np.moveaxis(np.arange(math.prod(positions) * n_channels).reshape(*positions, n_channels), -1, 0)


def _with_pooled(step, pooled):
    return Step(step.activation, step.seen, pooled, step.has_bias)


def _require_axes(layer, here):
    if here.ndim != 1 + layer.n_axes:
        wanted = ("(n_channels, length)", "(n_channels, height, width)")[layer.n_axes - 1]
        raise ValueError(f"{layer} needs inputs of shape {wanted}; it gets {tuple(here.shape)}")


def _require_few(layer, n_seen):
    if n_seen > _MOST_SEEN:
        raise ValueError(f"{layer} would see {n_seen} features at all positions together, of which {_MOST_SEEN} can be "
                         "handled; take a larger stride or fewer channels")


def _along_axes(name, value, n_axes, low):
    """A whole number for each axis."""
    values = value if isinstance(value, (tuple, list)) else (value,) * n_axes
    if len(values) != n_axes:
        raise ValueError(f"{name} must be one number, or {n_axes} of them; got {short_repr(value)}")
    return tuple(as_count(name, number, low=low) for number in values)


def _require_kind(layer):
    if layer.activation not in OUTPUTS:
        require_name("activation", layer.activation, (*ACTIVATIONS, "softmax"))
    if not isinstance(layer.bias, bool):
        raise TypeError(f"bias must be True or False; got {kind_of(layer.bias)}")


def _manner(layer):
    """Activation and lack of a bias, to be written behind a layer."""
    return f" {layer.activation}" * (layer.activation != "linear") + " without bias" * (not layer.bias)


def _times(sizes):
    return " x ".join(map(str, sizes))
