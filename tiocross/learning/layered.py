"""Chains of layers of weights: what they give for points in plain NumPy, and their files."""

from __future__ import annotations

import os

import numpy as np

from tiocross.checks import as_finite, kind_of, require_generator, short_repr, transposed_hint
from tiocross.learning.activations import sigmoid
from tiocross.learning.effects import effects_of_weights
from tiocross.learning.imported import as_encoding, as_pairs, oriented_arrays
from tiocross.learning.layer_kinds import chain_layers, output_of, weighted
from tiocross.learning.losses import softmax
from tiocross.learning.network_files import GENERAL_FORMAT, architecture_of, read_network, write_network
from tiocross.learning.steps import Step, run_steps, shapes_of_steps, width_of
from tiocross.tasks.dataset import Dataset


_VALUES_AT_ONCE = 2**24  # that the widest layer holds: 130 MB


class Network:
    """A chain of layers, such as convolutions, with one logit for two classes, or one logit for each class.

    Parameters
    ----------
    layers : list
        `Dense`, `Conv1d`, `Conv2d`, and behind one of these `AveragePool1d`, `AveragePool2d`. The last with weights gives
        the logits: its activation is "linear", "softmax" or, for one output, "sigmoid".
    input_shape : tuple of int
        Of a point: (n_inputs,), (n_channels, length) or (n_channels, height, width). A point's features stand channel by
        channel, in each of them row by row (unitless).
    rng : numpy.random.Generator
        Draws the weights at the start.

    Attributes
    ----------
    arrays : list of (n_seen + 1, n_outputs) ndarray
        Weights of each layer with the bias as the last row, as on the crossbar; zeros where there is no bias. In a
        convolution n_seen is what one position sees: channel by channel, in each of them row by row. Behind a convolution
        features stand position by position, in each of them channel by channel (unitless).
    input_offset, input_scale : (n_inputs,) ndarray
        The network sees (points - input_offset) * input_scale; both belong to it and are saved with it (unitless).

    Raises
    ------
    ValueError, TypeError
        If a layer is none, or does not fit on what the one before gives.

    Notes
    -----
    A convolution is computed as the matrix of its kernels, applied at every position: on a chip one block of devices, read
    once for each position. Weights start uniform within +-sqrt(6 / (n_seen + n_outputs)), biases at zero.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import AveragePool2d, Conv2d, Dense, Network
    >>> network = Network([Conv2d(4, 3), AveragePool2d(2), Dense(10)], (1, 8, 8), rng=np.random.default_rng(7))
    >>> [array.shape for array in network.arrays], network.sizes
    ([(10, 4), (37, 10)], (64, 36, 10))
    """

    def __init__(self, layers: list, input_shape: tuple[int, ...], *, rng: np.random.Generator):
        chain = chain_layers(layers, input_shape)
        require_generator(rng)
        self._set_layers(layers, input_shape, chain)
        self.arrays = [start_weights(rows - 1, columns, rng) for rows, columns in chain.shapes]
        self.input_offset, self.input_scale = as_encoding(None, None, chain.sizes[0])

    def _set_layers(self, layers, input_shape, chain):
        self.layers, self.input_shape = tuple(layers), tuple(input_shape)
        self._steps, self._sizes = chain.steps, chain.sizes

    @classmethod
    def from_arrays(cls, arrays: list, layers: list, input_shape: tuple[int, ...], *, orientation: str | None = None,
                    input_offset: np.ndarray | float | None = None,
                    input_scale: np.ndarray | float | None = None) -> Network:
        """A network with weights from elsewhere.

        Parameters
        ----------
        arrays : list of tuple of ndarray
            (weights, bias) of each layer that has weights; None for the bias of a layer without. By ``orientation`` weights
            are (n_outputs, n_inputs) and (n_channels, n_seen_channels, *kernel), or the other way round (unitless).
        layers : list
            As of `Network`.
        input_shape : tuple of int
            As of `Network` (unitless).
        orientation : str, optional
            "out_in", as PyTorch has it: a dense layer behind a convolution sees features channel by channel. "in_out", as
            Keras has it: position by position. Recognised from the shapes without it.
        input_offset, input_scale : (n_inputs,) ndarray or float, optional
            The network sees (points - input_offset) * input_scale (unitless).

        Raises
        ------
        ValueError, TypeError
            If the weights do not fit the layers, fit them either way, or are not finite numbers.
        """
        chain = chain_layers(layers, input_shape)
        other = object.__new__(Network)
        other._set_layers(layers, input_shape, chain)
        other.arrays = oriented_arrays(as_pairs(arrays), weighted(layers), chain, orientation)
        other.input_offset, other.input_scale = as_encoding(input_offset, input_scale, chain.sizes[0])
        return other

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of inputs, of features behind each layer that has weights, of outputs."""
        return self._sizes

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is done from layer to layer, a `Step` for each layer that has weights."""
        return self._steps

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(n_word_lines, n_outputs) of each layer on devices, the bias among its word lines."""
        return shapes_of_steps(self.steps, self.arrays)

    @property
    def n_classes(self) -> int:
        """Number of classes that it tells apart."""
        return max(2, self.sizes[-1])

    @property
    def output(self) -> str:
        """What is made of the logits: "linear" for nothing, "softmax" or "sigmoid"."""
        return output_of(self.layers)

    @property
    def is_plain(self) -> bool:
        """Whether it is a perceptron with one activation and a bias in each layer, as the compiled kernels take it."""
        return False

    @property
    def architecture(self) -> str:
        """All of it but weights and input encoding, as a text."""
        return architecture_of(type(self).__name__, self.input_shape, self.layers)

    def __repr__(self):
        shape = " x ".join(map(str, self.input_shape))
        return f"Network {shape}: {', '.join(map(str, self.layers))}{self._sees()}"

    def _sees(self):
        is_given = (self.input_offset == 0).all() and (self.input_scale == 1).all()
        return "" if is_given else ", inputs shifted and scaled"

    def copy(self) -> Network:
        """A network of its own with the same weights."""
        return self.with_arrays([array.copy() for array in self.arrays])

    def with_arrays(self, arrays: list[np.ndarray]) -> Network:
        """A network with other weights, and the same layers and input encoding.

        Parameters
        ----------
        arrays : list of (n_seen + 1, n_outputs) ndarray
            Weights of each layer, bias last; float64 arrays are held as they are, not copied (unitless).

        Raises
        ------
        ValueError, TypeError
            If the shapes are others than before, a weight is not a finite number, or a layer without bias is given one.
        """
        other = object.__new__(type(self))
        other.layers, other.input_shape, other._steps, other._sizes = self.layers, self.input_shape, self._steps, self._sizes
        other.arrays = as_layers(arrays, [len(array) - 1 for array in self.arrays])
        shapes, wanted = [array.shape for array in other.arrays], [array.shape for array in self.arrays]
        if shapes != wanted:
            raise ValueError(f"arrays must have shapes {wanted}; got {shapes}")
        require_no_bias(self.steps, other.arrays)
        other.input_offset, other.input_scale = self.input_offset.copy(), self.input_scale.copy()
        return other

    def centre_inputs(self, dataset: Dataset) -> None:
        """Make the network see the training points as spanning [-1, 1] in every feature.

        Parameters
        ----------
        dataset : Dataset
            Training points.

        Raises
        ------
        ValueError
            If the number of features is not the number of inputs.

        Notes
        -----
        A crossbar reads positive and negative voltages alike. Inputs centred on zero need no large bias and use the
        conductance window evenly. A constant feature is only centred.
        """
        if not isinstance(dataset, Dataset):
            raise TypeError(f"dataset must be a Dataset; got {kind_of(dataset)}")
        self._require_features(dataset.points)
        low, high = dataset.points.min(axis=0), dataset.points.max(axis=0)
        self.input_offset = (low + high) / 2
        self.input_scale = 2 / np.where(high > low, high - low, 2.0)

    def encode(self, points: np.ndarray) -> np.ndarray:
        """What the first layer sees of points: (points - input_offset) * input_scale.

        Parameters
        ----------
        points : (n_points, n_inputs) array_like
            Features (unitless).

        Returns
        -------
        (n_points, n_inputs) ndarray
            Encoded features (unitless).

        Raises
        ------
        ValueError
            If the number of features is not the number of inputs, or a value is not finite.
        """
        points = as_finite("points", points, ndim=2)
        self._require_features(points)
        return (points - self.input_offset) * self.input_scale

    def logits(self, points: np.ndarray) -> np.ndarray:
        """Outputs before the sigmoid or softmax, (n_points, n_outputs).

        Parameters
        ----------
        points : (n_points, n_inputs) array_like
            Features (unitless).
        """
        encoded = self.encode(points)
        at_once = max(1, _VALUES_AT_ONCE // width_of(self.steps, self.arrays, encoded.shape[1]))
        if len(encoded) <= at_once:
            return run_steps(self.steps, self.arrays, encoded)
        parts = [encoded[first : first + at_once] for first in range(0, len(encoded), at_once)]
        return np.concatenate([run_steps(self.steps, self.arrays, part) for part in parts])

    def predict(self, points: np.ndarray) -> np.ndarray:
        """Class of each point, (n_points,): 1 where a single logit is positive, else the class of the largest logit.

        Parameters
        ----------
        points : (n_points, n_inputs) array_like
            Features (unitless).
        """
        return classify(self.logits(points))

    def probabilities(self, points: np.ndarray) -> np.ndarray:
        """Probability of each class, (n_points, n_classes): softmax of the logits, or sigmoid of a single one for class 1.

        Parameters
        ----------
        points : (n_points, n_inputs) array_like
            Features (unitless).
        """
        logits = self.logits(points)
        if logits.shape[1] == 1:
            return np.concatenate([sigmoid(-logits), sigmoid(logits)], axis=1)
        return softmax(logits)[1]

    def effects(self, points: np.ndarray) -> list[np.ndarray]:
        """|d logit / d weight| of each weight and bias, mean over points, sum over outputs; one array a layer as ``arrays``.

        Parameters
        ----------
        points : (n_points, n_inputs) array_like
            Features (unitless).
        """
        return effects_of_weights(self.steps, self.arrays, self.encode(points))

    def save(self, path: str | os.PathLike) -> None:
        """Write the network as ``.npz`` without pickle. The file appears whole or not at all.

        Parameters
        ----------
        path : str or Path
            The file to write.
        """
        write_network(path, self, {"format": GENERAL_FORMAT, "architecture": self.architecture})

    @classmethod
    def load(cls, path: str | os.PathLike) -> Network:
        """The network in a file that `save` wrote, bit for bit: an `MLP`, or for ``Network.load`` another one, too.

        Parameters
        ----------
        path : str or Path
            The file to read.

        Raises
        ------
        ValueError
            If the file is no such file, or damaged; nothing that does not belong there is unpacked.
        TypeError
            If the path is neither a text nor a Path.
        """
        stored = read_network(path)
        try:
            if stored.kind not in _KINDS:
                raise ValueError(f"a network is one of {', '.join(_KINDS)}; got {short_repr(stored.kind)}")
            network = _KINDS[stored.kind]._of(stored)
            require_no_bias(network.steps, network.arrays)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} is damaged: {error}") from None
        if not isinstance(network, cls):
            raise ValueError(f"{path} holds no MLP but a {network!r}; read it with Network.load")
        return network

    @classmethod
    def _of(cls, stored):
        """The network that a file holds."""
        network = object.__new__(Network)
        network._set_layers(stored.layers, stored.input_shape, chain_layers(stored.layers, stored.input_shape))
        network.arrays, network.input_offset, network.input_scale = stored.arrays, stored.input_offset, stored.input_scale
        return network

    def __init_subclass__(cls):
        _KINDS[cls.__name__] = cls

    def _require_features(self, points):
        if points.shape[-1] != self.sizes[0]:
            raise ValueError(f"points must have {self.sizes[0]} features, as many as the network has inputs; "
                             f"got shape {points.shape}")


_KINDS = {"Network": Network}  # by the name that files have for them


def classify(logits):
    """Class of each point from ``(..., n_points, n_outputs)`` logits: sign of a single one, else the largest."""
    return (logits[..., 0] > 0).astype(np.int64) if logits.shape[-1] == 1 else logits.argmax(axis=-1)


def start_weights(n_inputs, n_outputs, rng):
    """Weights of one layer at the start, its biases zero."""
    bound = np.sqrt(6 / (n_inputs + n_outputs))
    return np.concatenate([rng.uniform(-bound, bound, (n_inputs, n_outputs)), np.zeros((1, n_outputs))])


def as_layers(arrays, n_inputs):
    """List of checked weights, layer by layer; ``n_inputs`` of each, or of the first, from which the others follow."""
    if not isinstance(arrays, list | tuple) or not arrays:
        raise TypeError(f"arrays must be a list with the weights of each layer; got {type(arrays).__name__} of "
                        f"{len(arrays) if isinstance(arrays, list | tuple) else np.shape(arrays)}")
    layers = [as_finite(f"arrays[{k}]", array, ndim=2) for k, array in enumerate(arrays)]
    n_inputs = n_inputs if len(n_inputs) == len(layers) > 1 else [*n_inputs[:1], *(layer.shape[1] for layer in layers)]
    for k, (layer, n_in) in enumerate(zip(layers, n_inputs)):
        if len(layer) != n_in + 1 or layer.shape[1] == 0:
            raise ValueError(f"arrays[{k}] must have {n_in + 1} rows, {n_in} inputs and the bias, and a column for each "
                             f"output; got shape {layer.shape}{transposed_hint(layer.shape, (n_in + 1, len(layer)))}")
    return layers


def require_no_bias(steps, arrays):
    """Raise ValueError if a layer without bias is given one."""
    for k, (step, array) in enumerate(zip(steps, arrays)):
        if not step.has_bias and array[-1].any():
            raise ValueError(f"layer {k} of the network has no bias: the last row of arrays[{k}] must be zero")
