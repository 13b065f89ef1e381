"""How signed weights stand on devices, whose conductances are never negative.

A mapping takes a layer's weights, bias last, to the devices of its word lines (inputs, then bias) and bit lines, and back.
``scale`` [S per unit weight] is one number for each group of word lines: the group's largest magnitude lands on the end of
the window. `DifferentialPairs` and `ReferenceColumn` are the physical ones; a new mapping is one more subclass of `Mapping`.

The methods take arrays or tensors: arithmetic, indexing and `reshape` behave alike on both, so one method serves training,
which differentiates, and programming, which does not.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tiocross.devices.device import Device
from tiocross.records import LayerShape

Values: TypeAlias = Any  # an ndarray, or a Tensor of the learning room
VANISHING = 1e-290  # smaller weights would give an infinite scale; they count as zero
_POLARITY = np.array([1.0, -1.0])


@dataclass(frozen=True)
class Mapping:
    """Base of all mappings: what a subclass must give, and what follows from it.

    A subclass gives `n_bit_lines`, `span`, `conductances`, `differences`, `added`, `per_device` and `touched`. Weights have
    shape ``(..., n_word_lines, n_outputs)``, devices ``(..., n_word_lines, n_bit_lines)``, scales
    ``(..., n_word_lines, 1)``.

    Parameters
    ----------
    digital_output_bias : bool, optional
        Whether the bias of the last layer stays in software, so that it takes no devices.
    """

    digital_output_bias: bool = False

    lines_per_output = 1  # neighbouring bit lines that belong to one output and stay together
    acts_on_single_weights = False  # whether a weight's devices depend on that weight alone
    has_partners = False  # whether the other device of a pair can make up for a stuck one
    is_physical = True  # whether targets are conductances: floored at 0 S, joined by wires

    def __post_init__(self):
        if not isinstance(self.digital_output_bias, bool):
            raise TypeError(f"digital_output_bias must be True or False; got {self.digital_output_bias!r}")

    def n_bit_lines(self, n_outputs: int) -> int:
        """Bit lines of a layer."""
        raise _not_given(self, "n_bit_lines")

    def span(self, device: Device) -> float:
        """Difference of conductance [S] that the largest magnitude takes."""
        raise _not_given(self, "span")

    def conductances(self, weights: Values, device: Device, scale: Values) -> Values:
        """Devices [S] that carry ``weights``."""
        raise _not_given(self, "conductances")

    def differences(self, conductances: Values) -> Values:
        """What the devices are worth, ``scale`` times the weights [S]; also of rows of currents."""
        raise _not_given(self, "differences")

    def touched(self, stuck: np.ndarray) -> np.ndarray:
        """Which weights have a device of their own among the stuck ones, (..., n_word_lines, n_outputs) bool."""
        raise _not_given(self, "touched")

    def added(self, values: np.ndarray) -> np.ndarray:
        """Sum over the devices of each weight, where `differences` subtracts: of variances, for example."""
        raise _not_given(self, "added")

    def per_device(self, effects: np.ndarray) -> np.ndarray:
        """What each device does, from what each weight's difference does; (n_word_lines, n_outputs) ndarray."""
        raise _not_given(self, "per_device")

    def output_of(self, bit_line: int, n_bit_lines: int) -> tuple:
        """Output and polarity (1 or -1) that one of a layer's bit lines carries."""
        return bit_line // self.lines_per_output, 1 - 2 * (bit_line % self.lines_per_output)

    def scale_groups(self, n_word_lines: int) -> list[int]:
        """Numbers of neighbouring word lines that share a scale."""
        return [n_word_lines]

    def shapes_of(self, sizes: tuple) -> list[tuple[int, int]]:
        """(n_word_lines, n_outputs) that each layer has on devices, for layer sizes or the shapes of layers."""
        shapes = as_layer_shapes(sizes)
        last = shapes[-1]
        if self.digital_output_bias and last.has_bias:
            shapes[-1] = LayerShape(last[0] - 1, last[1], False)
        return shapes

    def scale_of(self, weights: np.ndarray, device: Device) -> np.ndarray:
        """Scale of one layer, (..., n_word_lines, 1) [S]."""
        return self.span(device) / self.largest(weights)

    def largest(self, weights: np.ndarray) -> np.ndarray:
        """Largest magnitude of each word line's group, (..., n_word_lines, 1); 1 where all weights vanish."""
        magnitudes = np.abs(weights).max(axis=-1, keepdims=True)
        first = 0
        for n in self.scale_groups(magnitudes.shape[-2]):
            group = magnitudes[..., first : first + n, :]
            group[:] = group.max(axis=-2, keepdims=True)
            first += n
        return np.where(magnitudes > VANISHING, magnitudes, 1.0)


@dataclass(frozen=True)
class DifferentialPairs(Mapping):
    """Each weight is the difference of two conductances, g_plus - g_minus, on neighbouring bit lines.

    Output j has bit lines 2 j (plus) and 2 j + 1 (minus), side by side so that both see nearly the same wires. The device
    on the side of the weight's sign carries scale |w| above the low end of the window; its partner stays at the low end.

    Parameters
    ----------
    digital_output_bias : bool, optional
        Whether the bias of the last layer stays in software, so that it takes no devices.
    """

    lines_per_output = 2
    acts_on_single_weights = True
    has_partners = True

    def n_bit_lines(self, n_outputs: int) -> int:
        """Bit lines of a layer: two for each output."""
        return 2 * n_outputs

    def span(self, device: Device) -> float:
        """Difference of conductance [S] that the largest magnitude takes: the whole window."""
        return device.g_max - device.g_min

    def conductances(self, weights: Values, device: Device, scale: Values) -> Values:
        """Devices [S] that carry ``weights``: plus and minus side by side."""
        halves = weights[..., None] * (scale[..., None] * (0.5 * _POLARITY))
        pairs = halves + abs(halves) + device.g_min
        return pairs.reshape(*weights.shape[:-1], 2 * weights.shape[-1])

    def differences(self, conductances: Values) -> Values:
        """g_plus - g_minus of each pair [S]."""
        return conductances[..., 0::2] - conductances[..., 1::2]

    def added(self, values: np.ndarray) -> np.ndarray:
        """Sum of each pair."""
        return values[..., 0::2] + values[..., 1::2]

    def per_device(self, effects: np.ndarray) -> np.ndarray:
        """Both devices of a pair do what the weight does."""
        return np.repeat(effects, 2, axis=-1)

    def touched(self, stuck: np.ndarray) -> np.ndarray:
        """Which weights have a stuck device in their pair."""
        return stuck[..., 0::2] | stuck[..., 1::2]


@dataclass(frozen=True)
class ReferenceColumn(Mapping):
    """Each weight is one device around the middle of the window, g = g_mid + scale w; a reference column is subtracted.

    The reference column is the layer's last bit line, all of its devices at g_mid. A layer takes half as many devices as on
    differential pairs; a weight has half the window, so an error in siemens weighs twice as much, and an error of a
    reference device moves every weight of its word line.

    Parameters
    ----------
    digital_output_bias : bool, optional
        Whether the bias of the last layer stays in software, so that it takes no devices.
    """

    def n_bit_lines(self, n_outputs: int) -> int:
        """Bit lines of a layer: one for each output, and the reference."""
        return n_outputs + 1

    def span(self, device: Device) -> float:
        """Difference of conductance [S] that the largest magnitude takes: half the window."""
        return 0.5 * (device.g_max - device.g_min)

    def conductances(self, weights: Values, device: Device, scale: Values) -> Values:
        """Devices [S] that carry ``weights``, the reference last."""
        n_outputs = weights.shape[-1]
        columns = np.append(np.arange(n_outputs), 0)  # the reference copies a column and drops its weights
        carries = np.append(np.ones(n_outputs), 0.0)
        return (weights * scale)[..., columns] * carries + 0.5 * (device.g_min + device.g_max)

    def differences(self, conductances: Values) -> Values:
        """Each column less the reference [S]."""
        return conductances[..., :-1] - conductances[..., -1:]

    def added(self, values: np.ndarray) -> np.ndarray:
        """Sum of each column and the reference."""
        return values[..., :-1] + values[..., -1:]

    def per_device(self, effects: np.ndarray) -> np.ndarray:
        """A reference device does what all weights of its word line do together."""
        return np.concatenate([effects, effects.sum(axis=-1, keepdims=True)], axis=-1)

    def touched(self, stuck: np.ndarray) -> np.ndarray:
        """Which weights stand on a stuck device; the reference belongs to no single weight."""
        return stuck[..., :-1]

    def output_of(self, bit_line: int, n_bit_lines: int) -> tuple:
        """Output and polarity of a bit line; the last one is "reference", subtracted from all."""
        return ("reference", -1) if bit_line == n_bit_lines - 1 else (bit_line, 1)


PAIRS = DifferentialPairs()


def as_layer_shapes(sizes):
    """List of a `LayerShape` for each layer: of dense layers with these sizes, (2, 8, 1), or of the (n_word_lines,
    n_outputs) of each layer, a `LayerShape` or a pair, the bias among its word lines."""
    if not any(isinstance(size, (tuple, list)) for size in sizes):
        return [LayerShape(n_in + 1, n_out) for n_in, n_out in zip(sizes, sizes[1:])]
    return [shape if isinstance(shape, LayerShape) else LayerShape(*shape) for shape in sizes]


def _not_given(mapping, name):
    """The error of a mapping that leaves out what it must give."""
    return NotImplementedError(f"{type(mapping).__name__} does not give {name}; see Mapping for what a mapping must give")
