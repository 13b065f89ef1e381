"""Training for single chips: known stuck devices, layers already programmed and read back, an order of programming."""

import numpy as np

from tiocross.devices.writes import Writes, apply_writes, draw_writes
from tiocross.learning.techniques import largest_of_layers
from tiocross.mapping.pairs import pair_conductances, pair_differences

_STEPS_PER_DRAW = 32


class KnownChips:
    """Technique of `train_many` where each network is meant for one chip: its stuck devices keep their conductances, their
    partners make up for them, and the other devices suffer tuning error and disturb drawn anew at every step.

    Parameters
    ----------
    device : Device
        What a write leaves behind; its stuck devices are replaced by the known ones (unitless).
    stuck : list of (n_chips, n_inputs + 1, 2 n_outputs) ndarray
        Conductances of stuck devices in each layer, NaN where healthy [S].
    n_later_writes : list of (n_inputs + 1, 2 n_outputs) int ndarray
        Number of devices of the same array programmed after each device (unitless).
    measured : list of (n_chips, n_inputs + 1, n_outputs) ndarray, optional
        What the first layers, already programmed, were read to compute with; they are not trained (unitless).
    """

    def __init__(self, device, stuck, n_later_writes, measured=()):
        self._device = device.without("stuck", "lines")
        n_chips = len(stuck[0])
        self._stuck = _joined(stuck, n_chips, 2)[:, None]
        self._later = _joined([array[None] for array in n_later_writes], 1, 2)[0]
        n_weights = self._stuck.shape[2]
        known = [np.reshape(array, (n_chips, -1, 1)) for array in measured]
        n_known = sum(array.shape[1] for array in known)
        self._measured = np.concatenate([*known, np.zeros((n_chips, n_weights - n_known, 1))], axis=1)
        self._trained = (np.arange(n_weights) >= n_known).astype(np.float64)[:, None]
        self._draws = None

    def perturb(self, weights, shapes, n_chips, rngs):
        """Weights as the chips will compute with them.

        Parameters
        ----------
        weights : (n_networks, 1, n_weights, 1) Tensor
            All layers, one below the other (unitless).
        shapes : list of tuple of int
            (n_inputs + 1, n_outputs) of each layer (unitless).
        n_chips : int
            Draws of each chip's writes (unitless).
        rngs : list of numpy.random.Generator
            Sources of chance, one for each network (unitless).

        Returns
        -------
        (n_networks, n_chips, n_weights, 1) Tensor
            The weights.
        """
        if self._draws is None:
            self._draws = self._draw(n_chips, rngs)
        scale = (self._device.g_max - self._device.g_min) / largest_of_layers(weights, shapes)
        targets = offset_pairs(weights, scale, self._stuck, self._device)
        sampled = pair_differences(apply_writes(targets, next(self._draws))) / scale
        return sampled * self._trained + self._measured[:, None]

    def _draw(self, n_chips, rngs):
        while True:
            drawn = [draw_writes(self._device, self._later, _STEPS_PER_DRAW * n_chips, rng) for rng in rngs]
            for step in range(_STEPS_PER_DRAW):
                here = slice(step * n_chips, (step + 1) * n_chips)
                parts = (np.stack([getattr(writes, name)[here] for writes in drawn])
                         for name in ("constant", "linear", "quadratic"))
                yield keep_stuck(Writes(*parts, stuck=None), self._stuck)


def _joined(arrays, n_chips, width):
    return np.concatenate([np.reshape(array, (n_chips, -1, width)) for array in arrays], axis=1)


def keep_stuck(writes, stuck):
    """Writes in which known stuck devices keep their conductances.

    Parameters
    ----------
    writes : Writes
        What a write leaves behind on healthy devices (unitless).
    stuck : (..., n_word_lines, n_bit_lines) ndarray
        Conductances of stuck devices, NaN where healthy [S].

    Returns
    -------
    Writes
        The same elsewhere.
    """
    healthy = np.isnan(stuck)
    return Writes(np.where(healthy, writes.constant, stuck), writes.linear * healthy, writes.quadratic * healthy,
                  np.broadcast_to(~healthy, writes.linear.shape))


def offset_pairs(weights, scale, stuck, device):
    """Targets in which partners of stuck devices make up for them: `offset_partners` for many chips, differentiable.

    Parameters
    ----------
    weights : (..., n_inputs + 1, n_outputs) ndarray or Tensor
        Wanted weights, bias last (unitless).
    scale : (..., n_inputs + 1, 1) ndarray
        Conductance per unit weight [S].
    stuck : (..., n_inputs + 1, 2 n_outputs) ndarray
        Conductances of stuck devices, NaN where healthy [S].
    device : Device
        Its window holds what is programmed (unitless).

    Returns
    -------
    (..., n_inputs + 1, 2 n_outputs) ndarray or Tensor
        Wanted conductances of healthy devices; of stuck ones, what a healthy one would get [S].
    """
    targets = pair_conductances(weights, device.g_min, scale)
    partners = np.stack([stuck[..., 1::2], stuck[..., 0::2]], axis=-1).reshape(stuck.shape)
    offset = np.isnan(stuck) & ~np.isnan(partners)
    if not offset.any():
        return targets
    differences = (weights[..., None] * (scale[..., None] * np.array([1.0, -1.0]))).reshape(*targets.shape)
    wanted = differences + np.where(offset, partners, 0.0)
    values = getattr(wanted, "value", wanted)
    held = np.clip(values, device.g_min, device.g_max)
    within = offset & (held == values)
    return targets * ~offset + wanted * within + np.where(offset & ~within, held, 0.0)


def rank_within_arrays(values, layout):
    """Number of larger values on the same array: the later writes of each device, if the largest are written last.

    Parameters
    ----------
    values : list of (n_word_lines, n_bit_lines) ndarray
        How much an error of each device matters, one array a layer [1/S].
    layout : Layout
        Which devices share an array (unitless).

    Returns
    -------
    list of (n_word_lines, n_bit_lines) int ndarray
        Ranks from 0, the largest value, on; ties in raster order (unitless).
    """
    ranks = [np.empty(layer.shape, dtype=np.int64) for layer in values]
    for tile in layout.tiles:
        here = np.ix_(tile.rows, tile.columns)
        order = np.argsort(-values[tile.layer][here], axis=None, kind="stable")
        ranks[tile.layer][here] = np.argsort(order).reshape(len(tile.rows), len(tile.columns))
    return ranks
