"""Multilayer perceptrons: layers of weights, their forward pass in plain NumPy, files.

`forward` here is the plain version of the compiled forward passes in `layers_kernel` and `classes_kernel`: for one network
and many points, where NumPy is fast, and to test the compiled passes against. Training passes are of single precision; in
those of transfers the last bits differ, because their exp is a series.
"""

from __future__ import annotations

import os

import numpy as np

from tiocross.checks import as_count, as_finite, nearest_name, require_generator
from tiocross.learning.activations import ACTIVATIONS, find_activation
from tiocross.storage import replacing
from tiocross.tasks.dataset import Dataset

FORMAT = "tiocross network 1"


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
        self.activation = activation
        self.arrays = [_start_weights(n_in, n_out, rng) for n_in, n_out in zip(sizes, sizes[1:])]
        self.input_offset = np.zeros(sizes[0])
        self.input_scale = np.ones(sizes[0])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of inputs, of units of each hidden layer, of outputs."""
        return (len(self.arrays[0]) - 1, *(array.shape[1] for array in self.arrays))

    @property
    def n_classes(self) -> int:
        """Number of classes that it tells apart."""
        return max(2, self.sizes[-1])

    def copy(self) -> MLP:
        """A network of its own with the same weights."""
        return self.with_arrays([array.copy() for array in self.arrays])

    def with_arrays(self, arrays: list[np.ndarray]) -> MLP:
        """A network with other weights, and the same activation and input encoding.

        Parameters
        ----------
        arrays : list of (n_inputs + 1, n_outputs) ndarray
            Weights of each layer, bias last; held as they are, not copied (unitless).
        """
        other = object.__new__(MLP)
        other.activation = self.activation
        other.arrays = list(arrays)
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
            If the file is no such file, or damaged.
        """
        content = _read_npz(path)
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


def _read_npz(path):
    try:
        with open(path, "rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not hasattr(archive, "files"):
                raise ValueError("it holds a single array")
            return {name: archive[name] for name in archive.files}
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # a damaged archive can make zipfile and NumPy raise almost anything
        raise ValueError(f"{path} is not a network that tiocross saved, or it is truncated: {error}") from None
