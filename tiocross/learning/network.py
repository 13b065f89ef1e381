"""Multilayer perceptrons: layers of weights, their forward pass in plain NumPy, files.

`forward` here is the plain version of the compiled forward passes in `layers_kernel` and `classes_kernel`: for one network
and many points, where NumPy is fast, and to test the compiled passes against. Training passes are of single precision; in
those of transfers the last bits differ, because their exp is a series.
"""

from __future__ import annotations

import math
import os

import numpy as np

from tiocross.checks import (
    as_count, as_finite, as_path, kind_of, nearest_name, require_generator, require_memory, transposed_hint,
)
from tiocross.learning.activations import ACTIVATIONS, find_activation
from tiocross.learning.steps import Step, dense_steps, shapes_of_steps
from tiocross.storage import replacing
from tiocross.tasks.dataset import Dataset

FORMAT = "tiocross network 1"
_MOST_BYTES = 100_000  # of a member that holds a few numbers or a text, and of the head of any other


class MLP:
    """A multilayer perceptron with one logit for two classes, or one logit for each class.

    Parameters
    ----------
    *sizes : int
        Number of inputs, of units of each hidden layer, of outputs, such as ``MLP(2, 8, 1, rng=rng)`` (unitless).
    rng : numpy.random.Generator
        Draws the weights at the start.
    activation : str, optional
        What hidden units make of their sums: "sigmoid", "tanh", "relu", "softplus" or "hardtanh".

    Attributes
    ----------
    arrays : list of (n_inputs + 1, n_outputs) ndarray
        Weights of each layer with the bias as the last row, as on the crossbar (unitless).
    input_offset, input_scale : (n_inputs,) ndarray
        The network sees (points - input_offset) * input_scale; both belong to it and are saved with it (unitless).

    Raises
    ------
    ValueError
        If there are fewer than two sizes, a size is below 1, or the activation is unknown.

    Notes
    -----
    Weights start uniform within +-sqrt(6 / (n_inputs + n_outputs)) of their layer [1]_, biases at zero.

    References
    ----------
    .. [1] Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, Proceedings of
       Machine Learning Research 9, 249 (2010).

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP
    >>> network = MLP(2, 8, 1, rng=np.random.default_rng(7), activation="tanh")
    >>> [array.shape for array in network.arrays]
    [(3, 8), (9, 1)]
    >>> network.predict([[0.0, 1.0], [1.0, 0.0]]).shape
    (2,)
    """

    def __init__(self, *sizes: int, rng: np.random.Generator, activation: str = "sigmoid"):
        if len(sizes) < 2:
            raise ValueError(f"an MLP needs a number of inputs and of outputs, such as MLP(2, 8, 1, rng=rng); got {sizes}")
        sizes = [as_count("a layer's size", size) for size in sizes]
        find_activation(activation)
        require_generator(rng)
        n_weights = sum((n_in + 1) * n_out for n_in, n_out in zip(sizes, sizes[1:]))
        require_memory(f"{n_weights} weights and biases", 8 * n_weights, "give smaller layers")
        self.activation = activation
        self.arrays = [_start_weights(n_in, n_out, rng) for n_in, n_out in zip(sizes, sizes[1:])]
        self.input_offset = np.zeros(sizes[0])
        self.input_scale = np.ones(sizes[0])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of inputs, of units of each hidden layer, of outputs."""
        return (len(self.arrays[0]) - 1, *(array.shape[1] for array in self.arrays))

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is done from layer to layer, a `Step` for each."""
        return dense_steps([self.activation] * (len(self.arrays) - 1) + ["linear"])

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(n_word_lines, n_outputs) of each layer on devices, the bias among its word lines."""
        return shapes_of_steps(self.steps, self.arrays)

    @property
    def n_classes(self) -> int:
        """Number of classes that it tells apart."""
        return max(2, self.sizes[-1])

    def __repr__(self):
        sees = "" if (self.input_offset == 0).all() and (self.input_scale == 1).all() else ", inputs shifted and scaled"
        return f"MLP {'-'.join(map(str, self.sizes))}, {self.activation} units{sees}"

    def copy(self) -> MLP:
        """A network of its own with the same weights."""
        return self.with_arrays([array.copy() for array in self.arrays])

    def with_arrays(self, arrays: list[np.ndarray]) -> MLP:
        """A network with other weights, and the same activation and input encoding.

        Parameters
        ----------
        arrays : list of (n_inputs + 1, n_outputs) ndarray
            Weights of each layer, bias last; float64 arrays are held as they are, not copied. Inputs must be as many as
            before; hidden layers and outputs may differ (unitless).

        Raises
        ------
        ValueError, TypeError
            If there is no layer, a weight is not a finite number, or the shapes of the layers do not follow on each other.
        """
        other = object.__new__(MLP)
        other.activation = self.activation
        other.arrays = _as_layers(arrays, self.sizes[0])
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
        return forward(self.arrays, self.encode(points), self.activation)

    def predict(self, points: np.ndarray) -> np.ndarray:
        """Class of each point, (n_points,): 1 where a single logit is positive, else the class of the largest logit.

        Parameters
        ----------
        points : (n_points, n_inputs) array_like
            Features (unitless).
        """
        return classify(self.logits(points))

    def save(self, path: str | os.PathLike) -> None:
        """Write the network as ``.npz`` without pickle. The file appears whole or not at all.

        Parameters
        ----------
        path : str or Path
            The file to write.
        """
        arrays = {f"layer_{k}": array for k, array in enumerate(self.arrays)}
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, format=FORMAT, sizes=self.sizes, activation=self.activation, input_offset=self.input_offset,
                     input_scale=self.input_scale, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> MLP:
        """The network in a file that `save` wrote, bit for bit.

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
        content = _read_npz(as_path("path", path))
        try:
            return cls._from_content(content, path)
        except TypeError as error:
            raise ValueError(f"{path} is damaged: {error}") from None

    @classmethod
    def _from_content(cls, content, path):
        if str(content.get("format")) != FORMAT:
            raise ValueError(f"{path} is not a network that tiocross saved: it lacks the mark {FORMAT!r}")
        sizes = as_finite(f"sizes of {path}", content.get("sizes", []), ndim=1).astype(int).tolist()
        keys = [f"layer_{k}" for k in range(len(sizes) - 1)]
        expected = {"format", "sizes", "activation", "input_offset", "input_scale", *keys}
        if len(sizes) < 2 or set(content) != expected:
            odd = sorted(expected ^ set(content))
            raise ValueError(f"{path} is damaged: {odd[0] if odd else 'sizes'!r} is missing or does not belong there")
        too_large = [name for name in sorted(expected) if content[name] is None]
        if too_large:
            raise ValueError(f"{path} is damaged: {too_large[0]!r} is larger than a network of sizes {sizes} has it")
        arrays = [as_finite(f"{key} of {path}", content[key], ndim=2) for key in keys]
        activation = str(content["activation"])
        if activation not in ACTIVATIONS:
            raise ValueError(f"{path} has the unknown activation {activation!r}; {nearest_name(activation, ACTIVATIONS)}")
        shapes = [(n_in + 1, n_out) for n_in, n_out in zip(sizes, sizes[1:])]
        if min(sizes) < 1 or [array.shape for array in arrays] != shapes:
            raise ValueError(f"{path} is damaged: layers of shapes {[a.shape for a in arrays]} do not have sizes {sizes}")
        network = object.__new__(cls)
        network.activation, network.arrays = activation, arrays
        network.input_offset = as_finite(f"input_offset of {path}", content["input_offset"], ndim=1)
        network.input_scale = as_finite(f"input_scale of {path}", content["input_scale"], ndim=1)
        if not len(network.input_offset) == len(network.input_scale) == network.sizes[0]:
            raise ValueError(f"{path} is damaged: input_offset and input_scale do not have {network.sizes[0]} entries")
        return network

    def _require_features(self, points):
        if points.shape[-1] != self.sizes[0]:
            raise ValueError(f"points must have {self.sizes[0]} features, as many as the network has inputs; "
                             f"got shape {points.shape}")


def forward(arrays, inputs, activation):
    """(..., n_points, n_outputs) logits of networks with ``arrays`` (..., n_inputs + 1, n_outputs), bias last, on
    (n_points, n_inputs) encoded points; leading axes are copies."""
    signal = inputs
    for depth, array in enumerate(arrays):
        if depth > 0:
            signal = activate(signal, activation)
        signal = signal @ array[..., :-1, :] + array[..., -1:, :]
    return signal


def classify(logits):
    """Class of each point from ``(..., n_points, n_outputs)`` logits: sign of a single one, else the largest."""
    return (logits[..., 0] > 0).astype(np.int64) if logits.shape[-1] == 1 else logits.argmax(axis=-1)


def activate(signal, activation):
    """What hidden units with this activation give for an ndarray of weighed sums."""
    return find_activation(activation).value(signal)


def _start_weights(n_inputs, n_outputs, rng):
    bound = np.sqrt(6 / (n_inputs + n_outputs))
    return np.concatenate([rng.uniform(-bound, bound, (n_inputs, n_outputs)), np.zeros((1, n_outputs))])


def _as_layers(arrays, n_inputs):
    """List of checked weights, layer by layer."""
    if not isinstance(arrays, list | tuple) or not arrays:
        raise TypeError(f"arrays must be a list with the weights of each layer; got {type(arrays).__name__} of "
                        f"{len(arrays) if isinstance(arrays, list | tuple) else np.shape(arrays)}")
    layers = [as_finite(f"arrays[{k}]", array, ndim=2) for k, array in enumerate(arrays)]
    for k, layer in enumerate(layers):
        if len(layer) != n_inputs + 1 or layer.shape[1] == 0:
            turned = f", {n_inputs} inputs and the bias"
            raise ValueError(f"arrays[{k}] must have {n_inputs + 1} rows{turned}, and a column for each output; got shape "
                             f"{layer.shape}{transposed_hint(layer.shape, (n_inputs + 1, layer.shape[0]))}")
        n_inputs = layer.shape[1]
    return layers


def _read_npz(path):
    """Arrays of the file by name. The directory is read first: what does not belong to a network, or is larger than its
    sizes say, is not unpacked, and None stands for it."""
    try:
        with open(path, "rb") as file:
            if file.read(2) != b"PK":
                raise ValueError("it is no .npz archive")
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            unpacked = {info.filename.removesuffix(".npy"): info.file_size for info in archive.zip.infolist()}
            content = dict.fromkeys(unpacked)
            for name in content.keys() & {"format", "sizes", "activation"}:
                content[name] = archive[name] if unpacked[name] <= _MOST_BYTES else None
            sizes = content.get("sizes")
            for name, shape in _shapes_of_members([] if sizes is None else sizes.ravel()).items():
                if name in content and unpacked[name] <= _MOST_BYTES + 8 * math.prod(shape):
                    content[name] = archive[name]
            return content
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # a damaged archive can make zipfile and NumPy raise almost anything
        raise ValueError(f"{path} is not a network that tiocross saved, or it is truncated: {error}") from None


def _shapes_of_members(sizes):
    """Shapes of the arrays that a network of these sizes is saved with, by name."""
    sizes = [int(size) for size in sizes]
    layers = {f"layer_{k}": (n_in + 1, n_out) for k, (n_in, n_out) in enumerate(zip(sizes, sizes[1:]))}
    return {**layers, "input_offset": (sizes[0],), "input_scale": (sizes[0],)} if layers else {}
