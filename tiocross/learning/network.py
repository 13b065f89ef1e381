"""Multilayer perceptrons: networks whose layers are all dense.

`forward` here is the plain version of the compiled forward passes in `layers_kernel` and `classes_kernel`, to test these
against. Training passes are of single precision; in those of transfers the last bits differ, because their exp is a series.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from tiocross.checks import as_count, require_generator, require_memory
from tiocross.learning.activations import find_activation
from tiocross.learning.imported import as_encoding, as_pairs, chain_of, oriented_arrays
from tiocross.learning.layer_kinds import Dense, chain_layers, require_output
from tiocross.learning.layered import Network, as_layers, classify, require_no_bias, start_weights
from tiocross.learning.network_files import FORMAT, write_network
from tiocross.learning.steps import Step, dense_steps

__all__ = ["FORMAT", "MLP", "Network", "activate", "classify", "forward"]


class MLP(Network):
    """A multilayer perceptron with one logit for two classes, or one logit for each class.

    Parameters
    ----------
    *sizes : int
        Number of inputs, of units of each hidden layer, of outputs, such as ``MLP(2, 8, 1, rng=rng)`` (unitless).
    rng : numpy.random.Generator
        Draws the weights at the start.
    activation : str or list of str, optional
        What hidden units make of their sums: "sigmoid", "tanh", "relu", "softplus" or "hardtanh"; or a name for each hidden
        layer.

    Attributes
    ----------
    activation : str or tuple of str
        As given.
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

    def __init__(self, *sizes: int, rng: np.random.Generator, activation: str | Sequence[str] = "sigmoid"):
        if len(sizes) < 2:
            raise ValueError(f"an MLP needs a number of inputs and of outputs, such as MLP(2, 8, 1, rng=rng); got {sizes}")
        sizes = [as_count("a layer's size", size) for size in sizes]
        activation = _as_activation(activation, len(sizes) - 2)
        require_generator(rng)
        n_weights = sum((n_in + 1) * n_out for n_in, n_out in zip(sizes, sizes[1:]))
        require_memory(f"{n_weights} weights and biases", 8 * n_weights, "give smaller layers")
        self._set(activation, [True] * (len(sizes) - 1), "linear",
                  [start_weights(n_in, n_out, rng) for n_in, n_out in zip(sizes, sizes[1:])])
        self.input_offset, self.input_scale = as_encoding(None, None, sizes[0])

    def _set(self, activation, biases, output, arrays):
        self.activation, self._biases, self._output, self.arrays = activation, tuple(biases), output, arrays

    @classmethod
    def from_arrays(cls, arrays: list, *, activation: str | Sequence[str], orientation: str | None = None,
                    input_offset: np.ndarray | float | None = None,
                    input_scale: np.ndarray | float | None = None) -> MLP:
        """A perceptron with weights from elsewhere; its predictions are those of the given weights.

        Parameters
        ----------
        arrays : list of tuple of ndarray
            (weights, bias) of each layer; None for the bias of a layer without. Weights are (n_inputs, n_outputs) or
            (n_outputs, n_inputs), biases (n_outputs,) (unitless).
        activation : str or list of str
            Of all hidden layers; or a name for each hidden layer, and, if given, one more for the output: "linear",
            "softmax" or, for one output, "sigmoid".
        orientation : str, optional
            "in_out" for weights (n_inputs, n_outputs), as NumPy and Keras have them, "out_in" for (n_outputs, n_inputs), as
            PyTorch has them. Recognised from the chain of sizes without it.
        input_offset, input_scale : (n_inputs,) ndarray or float, optional
            The network sees (points - input_offset) * input_scale (unitless).

        Returns
        -------
        MLP
            The network; weights are copied.

        Raises
        ------
        ValueError, TypeError
            If the layers do not follow on each other, do so either way (tell the orientation), or a number is not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from tiocross import MLP
        >>> weights = [(np.ones((3, 2)), np.zeros(3)), (np.ones((1, 3)), None)]
        >>> MLP.from_arrays(weights, activation=["relu", "sigmoid"])
        MLP 2-3-1, relu units, layer 1 without bias, sigmoid output
        """
        pairs = as_pairs(arrays)
        sizes = chain_of(pairs, orientation)
        hidden, output = _split_activation(activation, len(sizes) - 2)
        layers = [Dense(n_out, bias=bias is not None) for n_out, (_, bias) in zip(sizes[1:], pairs)]
        require_output(output, sizes[-1])
        other = object.__new__(MLP)
        other._set(hidden, [layer.bias for layer in layers], output,
                   oriented_arrays(pairs, layers, chain_layers(layers, sizes[:1]), orientation))
        other.input_offset, other.input_scale = as_encoding(input_offset, input_scale, sizes[0])
        return other

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of inputs, of units of each hidden layer, of outputs."""
        return (len(self.arrays[0]) - 1, *(array.shape[1] for array in self.arrays))

    @property
    def input_shape(self) -> tuple[int]:
        """(n_inputs,)."""
        return (len(self.arrays[0]) - 1,)

    @property
    def layers(self) -> tuple[Dense, ...]:
        """Its layers, as of `Network`."""
        names = (*self._hidden(), self._output)
        return tuple(Dense(array.shape[1], name, bias) for array, name, bias in zip(self.arrays, names, self._biases))

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is done from layer to layer, a `Step` for each."""
        return dense_steps((*self._hidden(), "linear"), self._biases)

    @property
    def is_plain(self) -> bool:
        """Whether it has one activation and a bias in each layer, as the compiled kernels take it."""
        return isinstance(self.activation, str) and all(self._biases)

    @property
    def architecture(self) -> str:
        """All of it but weights and input encoding, as a text; of a plain one its activation, for weights say the rest."""
        return self.activation if self._is_simple() else super().architecture

    def _is_simple(self):
        return self.is_plain and self._output == "linear"

    def _hidden(self):
        """Activation of each hidden layer."""
        n_hidden = len(self.arrays) - 1
        return (self.activation,) * n_hidden if isinstance(self.activation, str) else self.activation

    def __repr__(self):
        units = self.activation if isinstance(self.activation, str) else " and ".join(self.activation)
        lacking = ", ".join(f"layer {k} without bias" for k, bias in enumerate(self._biases) if not bias)
        output = f", {self._output} output" if self._output != "linear" else ""
        return f"MLP {'-'.join(map(str, self.sizes))}, {units} units{', ' * bool(lacking)}{lacking}{output}{self._sees()}"

    def with_arrays(self, arrays: list[np.ndarray]) -> MLP:
        """A network with other weights, and the same activation and input encoding.

        Parameters
        ----------
        arrays : list of (n_inputs + 1, n_outputs) ndarray
            Weights of each layer, bias last; float64 arrays are held as they are, not copied. Inputs must be as many as
            before; hidden layers and outputs may differ, hidden layers with activations of their own or without bias only
            in their number of units (unitless).

        Raises
        ------
        ValueError, TypeError
            If there is no layer, a weight is not a finite number, the shapes of the layers do not follow on each other, or a
            layer without bias is given one.
        """
        other = object.__new__(MLP)
        layers = as_layers(arrays, [self.sizes[0]])
        biases = self._biases if len(layers) == len(self._biases) else (True,) * len(layers)
        if len(layers) != len(self._biases) and not self.is_plain:
            raise ValueError(f"arrays must hold {len(self.arrays)} layers, for each has its own activation or bias; got "
                             f"{len(layers)}")
        other._set(self.activation, biases, self._output, layers)
        require_output(other._output, layers[-1].shape[1])
        require_no_bias(other.steps if not all(biases) else (), layers)
        other.input_offset, other.input_scale = self.input_offset.copy(), self.input_scale.copy()
        return other

    @classmethod
    def _of(cls, stored):
        """The network that a file holds."""
        names = [layer.activation for layer in stored.layers]
        if not all(isinstance(layer, Dense) for layer in stored.layers) or len(stored.input_shape) != 1:
            raise ValueError("the layers of an MLP are dense, and its inputs stand in a row")
        network = object.__new__(MLP)
        hidden = stored.activation or _as_activation(names[:-1], len(names) - 1)
        network._set(hidden, [layer.bias for layer in stored.layers], names[-1], stored.arrays)
        network.input_offset, network.input_scale = stored.input_offset, stored.input_scale
        return network

    def save(self, path: str | os.PathLike) -> None:
        """Write the network as ``.npz`` without pickle. The file appears whole or not at all.

        Parameters
        ----------
        path : str or Path
            The file to write.
        """
        if not self._is_simple():
            return super().save(path)
        write_network(path, self, {"format": FORMAT, "sizes": self.sizes, "activation": self.activation})


def forward(arrays, inputs, activation):
    """(..., n_points, n_outputs) logits of networks with ``arrays`` (..., n_inputs + 1, n_outputs), bias last, on
    (n_points, n_inputs) encoded points; leading axes are copies."""
    signal = inputs
    for depth, array in enumerate(arrays):
        if depth > 0:
            signal = find_activation(activation).value(signal)
        signal = signal @ array[..., :-1, :] + array[..., -1:, :]
    return signal


def activate(signal, activation):
    """What hidden units with this activation give for an ndarray of weighed sums."""
    return find_activation(activation).value(signal)


def _as_activation(activation, n_hidden):
    """A name, or a tuple with a name for each hidden layer; one name where they are all the same."""
    if isinstance(activation, (list, tuple)):
        if len(activation) != n_hidden:
            raise ValueError(f"activation must be a name, or one for each of the {n_hidden} hidden layers; got {activation}")
        for name in activation:
            find_activation(name)
        return activation[0] if len(set(activation)) == 1 else tuple(activation) or "linear"
    find_activation(activation)
    return activation


def _split_activation(activation, n_hidden):
    """Activation of the hidden layers, and of the output."""
    if isinstance(activation, (list, tuple)) and len(activation) == n_hidden + 1:
        return _as_activation(activation[:-1], n_hidden), activation[-1]
    return _as_activation(activation, n_hidden), "linear"
