"""What a network does from layer to layer: one record a layer, the same for dense and convolutional ones.

Signals are rows of features. A layer whose kernel is reused over positions first gathers the features that each position
sees; then its matrix is applied at every position, and what the positions give stands side by side, position by position.
"""

from dataclasses import dataclass

import numpy as np

from tiocross.learning.activations import find_activation
from tiocross.records import LayerShape, freeze


@dataclass(frozen=True, eq=False)
class Step:
    """One layer: gather, multiply by the weights with their bias, activate, average.

    Parameters
    ----------
    activation : str
        What is made of the sums; "linear" for nothing.
    seen : (n_positions, n_seen) int ndarray or None
        Features that each position sees, -1 for a zero of the padding; None where there is one position that sees all.
    pooled : (n_features, n_averaged) int ndarray or None
        Outputs that each feature of the next layer is the average of; None where the outputs are handed on.
    has_bias : bool
        Whether the bias is trained and takes devices; its row in the weights is zero where it is not.
    """

    activation: str
    seen: np.ndarray | None = None
    pooled: np.ndarray | None = None
    has_bias: bool = True

    def __post_init__(self):
        find_activation(self.activation)
        for name in ("seen", "pooled"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, freeze(np.array(getattr(self, name), dtype=np.int64)))

    def is_built_as(self, other):
        """Whether another step sees, averages and adds a bias alike."""
        pairs = ((self.seen, other.seen), (self.pooled, other.pooled))
        return self.has_bias == other.has_bias and all(
            one is two or one is not None and two is not None and np.array_equal(one, two) for one, two in pairs)

    def gather(self, signal):
        """(..., n_points, n_positions, n_seen) inputs of the layer's matrix from (..., n_points, n_features) signals;
        without positions the signals themselves."""
        if self.seen is None:
            return signal
        if self.seen.min() < 0:  # the last column stands for them
            signal = np.concatenate([signal, np.zeros((*signal.shape[:-1], 1), dtype=signal.dtype)], axis=-1)
        return signal.take(self.seen, axis=-1)

    def activate(self, sums):
        """Outputs from (..., n_outputs) sums."""
        return find_activation(self.activation).value(sums)

    def average(self, outputs):
        """Features of the next layer from (..., n_outputs) activated outputs."""
        if self.pooled is None:
            return outputs
        total = outputs.take(self.pooled[:, 0], axis=-1)
        for column in self.pooled.T[1:]:
            total += outputs.take(column, axis=-1)
        total *= total.dtype.type(1.0 / self.pooled.shape[1])
        return total


def run_steps(steps, arrays, inputs):
    """(..., n_points, n_outputs) outputs of the last layer, for the (..., n_seen + 1, n_outputs) weights of each layer, bias
    last, and (n_points, n_inputs) encoded points; leading axes are copies."""
    signal = inputs
    for step, array in zip(steps, arrays, strict=True):
        seen = step.gather(signal)
        if step.seen is not None:  # all positions of all points are rows of one product
            *leading, n_points, n_positions, n_seen = seen.shape
            seen = seen.reshape(*leading, n_points * n_positions, n_seen)
        sums = seen @ array[..., :-1, :] + array[..., -1:, :]
        if step.seen is not None:
            sums = sums.reshape(*sums.shape[:-2], n_points, n_positions * sums.shape[-1])
        signal = step.average(step.activate(sums))
    return signal


def shapes_of_steps(steps, arrays):
    """`LayerShape` of what each layer has on devices, for its (n_seen + 1, n_outputs) weights."""
    return tuple(LayerShape(len(array) - (not step.has_bias), array.shape[1], step.has_bias)
                 for step, array in zip(steps, arrays, strict=True))


def width_of(steps, arrays, n_inputs):
    """Most numbers that a layer sees or gives for one point, all positions together."""
    widths = [len(array) - 1 if step.seen is None else step.seen.size for step, array in zip(steps, arrays)]
    positions = [1 if step.seen is None else len(step.seen) for step in steps]
    return max(n_inputs, *widths, *(n * array.shape[-1] for n, array in zip(positions, arrays)))


def dense_steps(activations, biases=None):
    """Steps of dense layers with these activations, the last one's included."""
    biases = [True] * len(activations) if biases is None else biases
    return tuple(Step(name, has_bias=has_bias) for name, has_bias in zip(activations, biases, strict=True))
