"""Sharpness-aware steps whose reach is measured in a device's standard deviations."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from tiocross.devices.device import Device, require_device
from tiocross.devices.writes import disturb_changes
from tiocross.checks import as_number
from tiocross.learning.techniques import split_layers
from tiocross.mapping.pairs import count_pair_writes, largest_magnitudes, pair_conductances

_N_LEVELS = 1000  # probability levels at which a law of write disturb is averaged


@dataclass(frozen=True)
class SharpnessAware:
    """Take each step's gradient where the loss is about worst among the weights that the device may make of them.

    The weights are moved to w + radius s^2 g / ||s g||, where g is the gradient and s the standard deviation that tuning
    error and write disturb give each weight on the device's differential pairs: of all moves with ||move / s|| <= radius
    this one raises the loss most, to first order. With one s for all weights and radius s as radius it is the plain
    sharpness-aware step.

    Parameters
    ----------
    radius : float
        Length of the move in standard deviations, over all weights of a network together (unitless).
    device : Device
        Its tuning error and write disturb are what is guarded against; stuck devices and failed lines, which are no spread
        around a target, are left out (unitless).
    """

    radius: float
    device: Device
    source: ClassVar[str] = "sharpness-aware steps scaled by a spread, as described in general use"

    def __post_init__(self):
        as_number("radius", self.radius, low=0.0)
        require_device(self.device)

    def ascend(self, weights, gradient, shapes):
        """Weights at which the step's gradient is to be taken.

        Parameters
        ----------
        weights : (n_networks, 1, n_weights, 1) ndarray
            All layers, one below the other (unitless).
        gradient : (n_networks, 1, n_weights, 1) ndarray
            Gradient of the loss by the weights (unitless).
        shapes : list of tuple of int
            (n_inputs + 1, n_outputs) of each layer (unitless).

        Returns
        -------
        (n_networks, 1, n_weights, 1) ndarray
            The moved weights; a network without gradient, or on a device without spread, stays (unitless).
        """
        spread = np.concatenate([_spread_of_weights(array, self.device).reshape(*array.shape[:-2], -1, 1)
                                 for array in split_layers(weights, shapes)], axis=-2)
        uphill = spread * gradient
        length = np.sqrt((uphill**2).sum(axis=(-2, -1), keepdims=True))
        return weights + self.radius * spread * uphill / np.where(length > 0, length, 1.0)


def _spread_of_weights(array, device):
    """Standard deviation of each weight on the device's pairs, for weights of shape (..., n_inputs + 1, n_outputs)."""
    scale = (device.g_max - device.g_min) / largest_magnitudes(array, "pairs")
    variance = _disturb_variance(device.disturb, array.shape[-2:], device.array_shape)
    if device.tuning is not None:
        tuning, g = device.tuning, pair_conductances(array, device.g_min, scale)
        variance = variance + g**2 * (tuning.offset_std**2 + (tuning.spread_slope * g + tuning.spread_intercept) ** 2)
    return np.sqrt(variance[..., 0::2] + variance[..., 1::2]) / scale


@lru_cache(maxsize=64)
def _disturb_variance(disturb, shape, array_shape):
    """Variance of the change by later writes, (n_inputs + 1, 2 n_outputs) [S^2]."""
    later = count_pair_writes(shape, "pairs", array_shape)
    if disturb is None:
        return np.zeros(later.shape)
    k, where = np.unique(later, return_inverse=True)
    levels = (np.arange(_N_LEVELS) + 0.5) / _N_LEVELS
    changes = disturb_changes(disturb, k, np.repeat(levels[:, None], len(k), axis=1))
    return changes.var(axis=0)[where.reshape(later.shape)]
