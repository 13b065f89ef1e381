"""Sharpness-aware steps whose reach is measured in a device's standard deviations."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from tiocross.checks import as_number
from tiocross.devices.state_disturb import StateDisturb, disturb_by_state, draw_states, initial_states
from tiocross.devices.writes import disturb_changes
from tiocross.learning.techniques import Technique, split_layers
from tiocross.mapping.wiring import wiring_of

_N_CHIPS = 400  # on which the variance of a disturb by state is taken
_N_LEVELS = 1000  # probability levels at which a law of write disturb is averaged


@dataclass(frozen=True)
class SharpnessAware(Technique):
    """Take each step's gradient where the loss is about worst among the weights that the device may make of them.

    The weights are moved to w + radius s^2 g / ||s g||, where g is the gradient and s the standard deviation that tuning
    error and write disturb give each weight on its devices: of all moves with ||move / s|| <= radius this one raises the
    loss most, to first order. With one s for all weights and radius s as radius it is the plain sharpness-aware step.
    Stuck devices and failed lines, which are no spread around a target, are left out.

    Parameters
    ----------
    radius : float
        Length of the move in standard deviations, over all weights of a network together (unitless).
    """

    radius: float
    source: ClassVar[str] = "sharpness-aware steps scaled by a spread, as described in general use"

    def __post_init__(self):
        as_number("radius", self.radius, low=0.0)

    def ascend(self, weights, gradient, course):
        """The moved weights; a network without gradient, or on a device without spread, stays."""
        if course.device is None:
            raise ValueError("SharpnessAware measures its move by a device's spread: say which, train(..., device=TIO2)")
        spread = np.concatenate([_spread_of_weights(array, layer, course).reshape(*array.shape[:-2], -1, 1)
                                 for layer, array in enumerate(split_layers(weights, course.shapes))], axis=-2)
        uphill = spread * gradient
        length = np.sqrt((uphill**2).sum(axis=(-2, -1), keepdims=True))
        return weights + self.radius * spread * uphill / np.where(length > 0, length, 1.0)


def _spread_of_weights(array, layer, course):
    """Standard deviation of each weight of a layer, (..., n_inputs + 1, n_outputs); 0 for a bias that is on no device."""
    device, mapping = course.device, course.layout.mapping
    n_mapped = course.layout.layer_shapes[layer][0]
    on_devices = array[..., :n_mapped, :]
    scale = mapping.scale_of(on_devices, device)
    variance = _disturb_variance(device, course.layout)[layer]
    if device.tuning is not None:
        tuning, g = device.tuning, mapping.conductances(on_devices, device, scale)
        variance = variance + g**2 * (tuning.offset_std**2 + (tuning.spread_slope * g + tuning.spread_intercept) ** 2)
    spread = np.zeros(array.shape)
    spread[..., :n_mapped, :] = np.sqrt(mapping.added(variance)) / scale
    return spread


@lru_cache(maxsize=64)
def _disturb_variance(device, layout):
    """Variance of the change by later writes of each device, one array a layer [S^2]."""
    disturb = device.disturb
    if isinstance(disturb, StateDisturb):
        return _variance_by_state(device, layout)
    found = []
    for later in layout.n_later_writes:
        if disturb is None:
            found.append(np.zeros(later.shape))
            continue
        k, where = np.unique(later, return_inverse=True)
        levels = (np.arange(_N_LEVELS) + 0.5) / _N_LEVELS
        changes = disturb_changes(disturb, k, np.repeat(levels[:, None], len(k), axis=1))
        found.append(changes.var(axis=0)[where.reshape(later.shape)])
    return found


def _variance_by_state(device, layout):
    """The same of a disturb by state, for targets drawn uniformly from the window."""
    rng, shapes = np.random.default_rng(0), layout.layer_shapes
    n_devices = sum(rows * columns for rows, columns in shapes)
    targets = rng.uniform(device.g_min, device.g_max, (_N_CHIPS, n_devices))
    draws, ages = draw_states(_N_CHIPS, n_devices, rng), np.full(targets.shape, -1.0)
    due = np.ones(targets.shape, dtype=bool)
    constant, factor = disturb_by_state(device.disturb, wiring_of(layout, layout.n_later_writes), due, ~due,
                                        initial_states(device.disturb, draws.levels), targets, draws, ages)
    variance = (constant + (factor - 1.0) * targets).var(axis=0)
    parts = np.split(variance, np.cumsum([rows * columns for rows, columns in shapes])[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes)]
