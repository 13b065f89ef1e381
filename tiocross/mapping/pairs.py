"""Weights on differential pairs: each signed weight is the difference of two conductances, g_plus - g_minus.

An array holds one layer: word line i carries input i, the last word line the bias (driven like an input of 1); output
j has bit lines 2 j (plus) and 2 j + 1 (minus), side by side so that both see nearly the same wires. The device on the
side of the weight's sign carries scale |w| above the low end of the window, its partner stays at the low end. The scale
[S per unit weight] is one number a layer: the largest magnitude, bias included, lands on the high end.

The functions take arrays or tensors. The scale is a constant in differentiation (straight-through), unless it is given as
a tensor.
"""

from dataclasses import dataclass

import numpy as np

from tiocross.devices.device import require_device
from tiocross.devices.writes import count_later_writes
from tiocross.checks import as_finite, require_name
from tiocross.mapping.layout import arrange

MAPPINGS = ("pairs", "signed")
_VANISHING = 1e-290  # smaller weights would give an infinite scale; they count as zero
_POLARITY = np.array([1.0, -1.0])


@dataclass(frozen=True, eq=False)
class LayerTargets:
    """Targets of one layer's array, and what is needed to read weights back.

    Parameters
    ----------
    conductances : (n_inputs + 1, 2 n_outputs) ndarray
        Wanted conductances; in the "signed" mapping, the authors' signed coordinates [S].
    scale : (n_inputs + 1, 1) ndarray
        Difference of conductance per unit weight, for each word line [S].
    n_later_writes : (n_inputs + 1, 2 n_outputs) int ndarray
        Number of devices of the same array programmed after each device (unitless).
    kept_bias : (n_outputs,) ndarray or None
        Bias that stays in software, in the "signed" mapping's last layer (unitless).
    """

    conductances: np.ndarray
    scale: np.ndarray
    n_later_writes: np.ndarray
    kept_bias: np.ndarray | None = None

    def weights(self, conductances):
        """Weights that an array in the state ``conductances`` computes with (unitless).

        Takes ``(..., n_inputs + 1, 2 n_outputs)`` conductances or transfer matrices [S], gives
        ``(..., n_inputs + 1, n_outputs)``, bias last.
        """
        weights = pair_differences(conductances) / self.scale
        if self.kept_bias is not None:
            weights[..., -1, :] = self.kept_bias
        return weights


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets of a whole network, one array a layer; a sequence of its conductance arrays.

    Parameters
    ----------
    layers : tuple of LayerTargets
        First layer first (unitless).
    mapping : str
        "pairs" or "signed" (unitless).
    """

    layers: tuple
    mapping: str

    def __len__(self):
        return len(self.layers)

    def __getitem__(self, index):
        return tuple(self)[index]

    def __iter__(self):
        return (layer.conductances for layer in self.layers)

    @property
    def n_devices(self):
        """Number of devices, all layers together (unitless)."""
        return sum(layer.conductances.size for layer in self.layers)

    def weights(self, conductances):
        """Inverse map: one ``(..., n_inputs + 1, n_outputs)`` array of weights, bias last, for each layer (unitless).

        ``conductances`` is a list of ``(..., n_inputs + 1, 2 n_outputs)`` arrays [S].
        """
        return [layer.weights(state) for layer, state in zip(self.layers, conductances, strict=True)]


def map_weights(network, device, *, mapping="pairs"):
    """Target conductances of a network on differential pairs.

    Parameters
    ----------
    network : MLP
        Anything whose ``layers`` yields ``(weights (n_inputs, n_outputs), bias (n_outputs,))`` (unitless).
    device : Device
        Its window holds the targets (unitless).
    mapping : str, optional
        "pairs", the physical mapping; or "signed", the coordinates of the authors' simulation, where a device lies in
        [g_min - g_max, g_max - g_min], for comparison only (unitless).

    Returns
    -------
    Targets
        One ``(n_inputs + 1, 2 n_outputs)`` array a layer [S], and the way back.

    Raises
    ------
    ValueError
        If a weight is not finite or the mapping is unknown.

    Notes
    -----
    The signed mapping follows the authors' published code in what matters for its numbers: weights, biases and the two
    polarities are scaled and programmed as arrays of their own, and the output bias is not put on devices.
    """
    require_device(device)
    require_name("mapping", mapping, MAPPINGS)
    if not hasattr(network, "layers"):
        raise TypeError(f"network must be an MLP, or have its layers; got a {type(network).__name__}")
    stacked = [stack_layer(weights, bias, layer) for layer, (weights, bias) in enumerate(network.layers)]
    last = len(stacked) - 1
    layers = [map_layer(weights, device, mapping, is_output=(k == last)) for k, weights in enumerate(stacked)]
    return Targets(tuple(layers), mapping)


def stack_layer(weights, bias, layer=0):
    """One array of a layer's weights, with the bias as its last row.

    Parameters
    ----------
    weights : (n_inputs, n_outputs) array_like
        Weights (unitless).
    bias : (n_outputs,) array_like
        Bias (unitless).
    layer : int, optional
        Number to name in errors (unitless).

    Returns
    -------
    (n_inputs + 1, n_outputs) ndarray
        The layer (unitless).
    """
    weights = as_finite(f"weights of layer {layer}", weights, ndim=2)
    bias = as_finite(f"bias of layer {layer}", bias, ndim=1)
    return np.concatenate([weights, bias[None]])


def map_layer(weights, device, mapping="pairs", *, is_output=False):
    """Targets of one layer.

    Parameters
    ----------
    weights : (n_inputs + 1, n_outputs) ndarray
        Weights, bias last (unitless).
    device : Device
        Its window holds the targets (unitless).
    mapping : str, optional
        "pairs" or "signed" (unitless).
    is_output : bool, optional
        Whether this is the last layer, whose bias the signed mapping keeps in software (unitless).

    Returns
    -------
    LayerTargets
        Conductances and the way back.
    """
    low, high = window_of(device, mapping)
    scale = (high - low) / largest_magnitudes(weights, mapping)
    kept = weights[-1].copy() if mapping == "signed" and is_output else None
    later = count_pair_writes(weights.shape, mapping, device.array_shape)
    return LayerTargets(pair_conductances(weights, low, scale), scale, later, kept)


def window_of(device, mapping):
    """Ends of the range on which a mapping puts targets, (low, high) [S]."""
    if mapping == "signed":
        return device.g_min - device.g_max, device.g_max - device.g_min
    return device.g_min, device.g_max


def pair_conductances(weights, low, scale):
    """Conductances of the pairs that carry ``weights``.

    Parameters
    ----------
    weights : (..., n_inputs + 1, n_outputs) ndarray or Tensor
        Weights, bias last (unitless).
    low : float
        Low end of the window [S].
    scale : (n_inputs + 1, 1) ndarray or Tensor
        Conductance per unit weight [S].

    Returns
    -------
    (..., n_inputs + 1, 2 n_outputs) ndarray or Tensor
        Conductances, plus and minus side by side [S].
    """
    halves = weights[..., None] * (scale[..., None] * (0.5 * _POLARITY))
    pairs = halves + abs(halves) + low
    return pairs.reshape(*weights.shape[:-1], 2 * weights.shape[-1])


def pair_differences(conductances):
    """Difference g_plus - g_minus of each pair.

    Parameters
    ----------
    conductances : (..., n_inputs + 1, 2 n_outputs) ndarray or Tensor
        Conductances or a transfer matrix [S].

    Returns
    -------
    (..., n_inputs + 1, n_outputs) ndarray or Tensor
        Differences [S].
    """
    return conductances[..., 0::2] - conductances[..., 1::2]


def largest_magnitudes(weights, mapping):
    """Magnitude that lands on the end of the window.

    Parameters
    ----------
    weights : (..., n_inputs + 1, n_outputs) ndarray
        Weights of a layer, bias last (unitless).
    mapping : str
        "pairs": one for the layer; "signed": one for the weights, one for the bias (unitless).

    Returns
    -------
    (..., n_inputs + 1, 1) ndarray
        The magnitude for each word line; 1 where all weights are zero or below 1e-290 (unitless).
    """
    magnitudes = np.abs(weights).max(axis=-1, keepdims=True)
    groups = [slice(None)] if mapping == "pairs" else [slice(0, -1), slice(-1, None)]
    for group in groups:
        magnitudes[..., group, :] = magnitudes[..., group, :].max(axis=-2, keepdims=True)
    return np.where(magnitudes > _VANISHING, magnitudes, 1.0)


def count_pair_writes(shape, mapping, array_shape=None):
    """Number of later writes of each device of a layer, in raster order.

    Parameters
    ----------
    shape : tuple of int
        (n_inputs + 1, n_outputs) of the layer (unitless).
    mapping : str
        "pairs": the layer is one array; "signed": weights, bias and the two polarities are arrays of their own
        (unitless).

    array_shape : tuple of int, optional
        Of the physical arrays that the "pairs" of a larger layer are spread over, see `arrange` (unitless).

    Returns
    -------
    (n_inputs + 1, 2 n_outputs) int ndarray
        Number of devices of the same array programmed later (unitless).
    """
    n_word_lines, n_outputs = shape
    if mapping == "pairs":
        layer = n_word_lines, 2 * n_outputs
        counts = np.empty(layer, dtype=np.int64)
        for block in blocks_of_arrays(layer, array_shape):
            counts[block] = count_later_writes(counts[block].shape)
        return counts
    counts = [count_later_writes((n, n_outputs)) for n in (n_word_lines - 1, 1)]
    return np.repeat(np.concatenate(counts), 2, axis=1)


def blocks_of_arrays(shape, array_shape=None):
    """Where on the physical arrays a layer's devices are.

    Parameters
    ----------
    shape : tuple of int
        (n_inputs + 1, 2 n_outputs) of the layer's array (unitless).
    array_shape : tuple of int, optional
        Of the physical arrays that it is spread over, see `arrange`; without it the layer is one array (unitless).

    Returns
    -------
    list of (ndarray, ndarray)
        Index of each array's word lines and bit lines, such as `numpy.ix_` gives (unitless).
    """
    return [np.ix_(tile.rows, tile.columns) for tile in arrange([shape], array_shape or shape).tiles]
