"""Ways to train for the hardware. Each is usable alone and in any combination.

`NoiseInjection` and `ConductanceDropout` send each training step through the very functions that map weights and
program simulated chips; what they differ in is which of the device's effects they let through.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from tiocross.devices.device import EFFECTS, Device, require_device
from tiocross.devices.writes import Writes, apply_writes, draw_writes
from tiocross.checks import as_number, require_name
from tiocross.learning.tensor import Tensor, hold
from tiocross.mapping.pairs import (
    MAPPINGS,
    count_pair_writes,
    largest_magnitudes,
    pair_conductances,
    pair_differences,
    window_of,
)


@dataclass(frozen=True)
class NoiseInjection:
    """Train with tuning error and write disturb: w -> w + error(w), with fresh draws at every step.

    The reparametrisation trick: errors are a differentiable function of the weight and of draws that do not depend on
    it, so gradients flow to the weights through the same function that programs chips. The mapping's scale, set by the
    largest weight of a layer, is a constant in the gradient (straight-through).

    Parameters
    ----------
    device : Device
        Its tuning error and write disturb are injected (unitless).
    mapping : str, optional
        "pairs" or "signed", as in `map_weights` (unitless).
    """

    device: Device
    mapping: str = "pairs"

    def __post_init__(self):
        _require_device(self)

    @property
    def simulated_device(self):
        """The device with the effects that this technique lets through."""
        return self.device.without("stuck", "lines")


@dataclass(frozen=True)
class ConductanceDropout:
    """Train with stuck devices: a weight hit by a sampled stuck device, or failed line, takes that conductance for the step.

    Such a weight is not updated through that chip: no gradient flows to it, neither through the stuck device nor
    through its partner.

    Parameters
    ----------
    device : Device
        Its stuck devices and line failures are sampled (unitless).
    mapping : str, optional
        "pairs" or "signed", as in `map_weights` (unitless).
    """

    device: Device
    mapping: str = "pairs"

    def __post_init__(self):
        _require_device(self)

    @property
    def simulated_device(self):
        """The device with the effects that this technique lets through."""
        return self.device.without("tuning", "disturb")


@dataclass(frozen=True)
class RangePenalty:
    """Add strength * sum over layers of (largest |weight|)^2 to the loss.

    The largest magnitude of a layer lands on the end of the conductance window, so an error of one device, in
    siemens, weighs less when the range of the weights is small.

    Parameters
    ----------
    strength : float
        Factor of the penalty (unitless).
    """

    strength: float

    def __post_init__(self):
        as_number("strength", self.strength, low=0.0)

    def penalty(self, arrays):
        """The penalty of a network.

        Parameters
        ----------
        arrays : list of (..., n_inputs + 1, n_outputs) Tensor
            Weights of each layer, bias last; leading axes are networks, whose penalties add up (unitless).

        Returns
        -------
        Tensor
            A number to add to the loss (unitless).
        """
        return sum((abs(array).max(axis=(-2, -1)) ** 2).sum() for array in arrays) * self.strength


class ChipSampler:
    """Weights as simulated chips would hold them, differentiable, for the simulating techniques of a list.

    All layers go through the mapping and the write in one pass: put one below the other they are a single tall layer
    with one output, of shape (n_weights, 1), each row with its own layer's scale.

    Parameters
    ----------
    techniques : list
        Techniques; those with a ``simulated_device`` are combined into one device, and what they program goes through
        ``conduct`` of the one that has it (unitless).
    sizes : tuple of int
        Layer sizes of the network (unitless).

    Raises
    ------
    ValueError
        If two of them disagree on the mapping, the device's window or an effect, or one conducts where there is nothing
        physical to conduct.
    """

    def __init__(self, techniques, sizes):
        simulating = [technique for technique in techniques if hasattr(technique, "simulated_device")]
        self.mapping = simulating[0].mapping if simulating else "pairs"
        self.device = None
        for technique in simulating:
            if technique.mapping != self.mapping:
                raise ValueError(f"techniques must share one mapping; got {self.mapping!r} and {technique.mapping!r}")
            self.device = _combine(self.device, technique.simulated_device)
        self._conducting = [technique for technique in techniques if hasattr(technique, "conduct")]
        if self._conducting and (len(self._conducting) > 1 or not simulating or self.mapping != "pairs"):
            raise ValueError("wires join programmed pairs: give WiresInLoop once, beside NoiseInjection or "
                             f"ConductanceDropout with mapping='pairs'; got it {len(self._conducting)} times, "
                             + (f"beside mapping={self.mapping!r}" if simulating else "with nothing that programs"))
        self._shapes = [(n_in + 1, n_out) for n_in, n_out in zip(sizes, sizes[1:])]
        array_shape = None if self.device is None else self.device.array_shape
        self._n_later_writes = [count_pair_writes(shape, self.mapping, array_shape) for shape in self._shapes]
        self._digital = np.zeros((sum(rows * columns for rows, columns in self._shapes), 1))
        if self.mapping == "signed":
            self._digital[-sizes[-1] :] = 1.0  # the output bias is not put on devices

    def draw(self, n_chips, rngs):
        """Draws for simulated chips.

        Parameters
        ----------
        n_chips : int
            Chips from each generator (unitless).
        rngs : list of numpy.random.Generator
            Sources of chance, one for each network (unitless).

        Returns
        -------
        Writes
            Arrays of shape (n_networks, n_chips, n_weights, 2).
        """
        drawn = [[draw_writes(self.device, later, n_chips, rng) for later in self._n_later_writes] for rng in rngs]

        def joined(name):
            return np.stack([np.concatenate([getattr(writes, name).reshape(n_chips, -1, 2) for writes in layers], axis=1)
                             for layers in drawn])

        return Writes(*(joined(field.name) for field in fields(Writes)))

    def sample(self, weights, writes, *, through_scale=False):
        """Weights on chips.

        Parameters
        ----------
        weights : (n_networks, 1, n_weights, 1) Tensor
            All layers, one below the other (unitless).
        writes : Writes
            Draws of shape (n_networks, n_chips, n_weights, 2) (unitless).
        through_scale : bool, optional
            Whether gradients flow through the mapping's scale too: then a smaller largest weight, which makes every error
            of a device weigh less, is worth something. Otherwise the scale is a constant (straight-through) (unitless).

        Returns
        -------
        (n_networks, n_chips, n_weights, 1) Tensor
            What each chip computes with (unitless).
        """
        low, high = window_of(self.device, self.mapping)
        scale = (high - low) / largest_of_layers(weights if through_scale else weights.value, self._shapes, self.mapping)
        hit = writes.stuck.any(axis=-1, keepdims=True)
        targets = pair_conductances(hold(weights, hit), low, scale)
        programmed = apply_writes(targets, writes, floor=self.mapping == "pairs")
        for technique in self._conducting:
            programmed = technique.conduct(programmed, self._shapes, self.device.array_shape)
        sampled = pair_differences(programmed) / scale
        if self.mapping == "signed":
            sampled = sampled * (1.0 - self._digital) + weights * self._digital
        return sampled


def split_layers(weights, shapes):
    """Arrays of the layers that stand one below the other in ``weights``.

    Parameters
    ----------
    weights : (..., n_weights, 1) ndarray or Tensor
        All layers (unitless).
    shapes : list of tuple of int
        (n_inputs + 1, n_outputs) of each layer (unitless).

    Returns
    -------
    list of (..., n_inputs + 1, n_outputs) ndarray or Tensor
        One array a layer; views, if ``weights`` is an array (unitless).
    """
    arrays, start = [], 0
    for rows, columns in shapes:
        part = weights[..., start : start + rows * columns, :]
        arrays.append(part.reshape(*part.shape[:-2], rows, columns))
        start += rows * columns
    return arrays


def largest_of_layers(weights, shapes, mapping="pairs"):
    """Largest magnitude of each weight's layer; of a Tensor, gradients flow to it, shared equally among ties.

    Parameters
    ----------
    weights : (..., n_weights, 1) ndarray or Tensor
        All layers, one below the other (unitless).
    shapes : list of tuple of int
        (n_inputs + 1, n_outputs) of each layer (unitless).
    mapping : str, optional
        As for `largest_magnitudes`, whose values these are; gradients are known for "pairs" only (unitless).

    Returns
    -------
    (..., n_weights, 1) ndarray or Tensor
        The magnitudes, 1 in layers that vanish (unitless).
    """
    parts = []
    for array in split_layers(getattr(weights, "value", weights), shapes):
        magnitudes = np.broadcast_to(largest_magnitudes(array, mapping), array.shape)
        parts.append(magnitudes.reshape(*array.shape[:-2], -1, 1))
    total = np.concatenate(parts, axis=-2)
    if not isinstance(weights, Tensor):
        return total
    counts = [rows * columns for rows, columns in shapes]
    firsts = np.cumsum([0, *counts[:-1]])
    hit = np.abs(weights.value) == total

    def pull(g):
        n_ties = np.maximum(np.add.reduceat(hit, firsts, axis=-2, dtype=np.float64), 1.0)
        shares = np.repeat(np.add.reduceat(g, firsts, axis=-2) / n_ties, counts, axis=-2)
        return (shares * hit * np.sign(weights.value),)

    return Tensor(total, (weights,), pull)


def _combine(first, second):
    if first is None:
        return second
    if (first.g_min, first.g_max) != (second.g_min, second.g_max):
        raise ValueError(f"techniques must share one window; got {first.g_min:g} to {first.g_max:g} S and "
                         f"{second.g_min:g} to {second.g_max:g} S")
    if first.array_shape != second.array_shape:
        raise ValueError(f"techniques must share one array_shape; got {first.array_shape} and {second.array_shape}")
    chosen = {}
    for effect in EFFECTS:
        ours, theirs = getattr(first, effect), getattr(second, effect)
        if ours is not None and theirs is not None and ours != theirs:
            raise ValueError(f"two techniques bring different {effect!r} effects; give both the same device")
        chosen[effect] = theirs if ours is None else ours
    return replace(first, **chosen)


def _require_device(technique):
    require_device(technique.device)
    require_name("mapping", technique.mapping, MAPPINGS)
