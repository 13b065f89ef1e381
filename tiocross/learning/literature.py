"""Methods of the literature for networks on noisy devices, each written down from its formula, to be compared with.

They go into `train` like the techniques of tiocross, alone or together. Noise is drawn independently for every weight,
bias included, of every copy of the network, and anew at every step; what is called relative is relative to the largest
magnitude of the weight's layer, bias included, which is what lands on the end of the conductance window. Each states as
``source`` where its formula comes from; where that says "general use", no one paper is followed. Sharpness-aware
steps stand in a module of their own.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tiocross.checks import as_count, as_number, kind_of
from tiocross.learning.tensor import Tensor
from tiocross.learning.network import MLP
from tiocross.learning.techniques import Technique

_GENERAL_USE = "as described in general use"
_CORRECTNET = "CorrectNet, arXiv:2211.14917"


class _WeightNoise(Technique):
    """What the methods share that disturb weights directly: draws, then `_disturb`."""

    def perturb(self, weights, course):
        """``(n_networks, n_chips, n_weights, 1)`` Tensor: what each disturbed copy computes with."""
        draws = np.stack([self._draw(rng, (course.n_chips, *weights.shape[2:])) for rng in course.rngs])
        return self._disturb(weights, course, draws)

    def _draw(self, rng, shape):
        return rng.standard_normal(shape)


@dataclass(frozen=True)
class GaussianNoise(_WeightNoise):
    """Train with weights that are clipped, then disturbed: w -> c(w) + sigma max|c(w)| z, with z from N(0, 1).

    c clips the weights of a layer to +- ``clip`` times their standard deviation, so that no single large weight sets the
    scale of the noise. Largest weight and clipping are constants in the gradient (straight-through): a clipped weight goes
    on learning.

    Parameters
    ----------
    sigma : float
        Standard deviation of the noise, relative to the layer's largest weight (unitless).
    clip : float or None, optional
        Bound in standard deviations; None leaves the weights as they are (unitless).
    """

    sigma: float
    clip: float | None = None
    source: ClassVar[str] = f"Gaussian weight noise with clipping, {_GENERAL_USE}"

    def __post_init__(self):
        as_number("sigma", self.sigma, low=0.0)
        if self.clip is not None and as_number("clip", self.clip, low=0.0) == 0:
            raise ValueError("clip must be above 0, or None for no clipping; got 0")

    def _disturb(self, weights, course, draws):
        clipped = weights.value if self.clip is None else _clip(weights.value, course.shapes, self.clip)
        return weights + (clipped - weights.value + self.sigma * _largest(clipped, course.shapes) * draws)

    def finish(self, network):
        """The network to put on a chip: its weights clipped as in training."""
        if self.clip is None:
            return network.copy()
        return network.with_arrays([_clip(array.reshape(-1, 1), [array.shape], self.clip).reshape(array.shape)
                                    for array in network.arrays])


@dataclass(frozen=True)
class CensoredNoise(_WeightNoise):
    """Train with Gaussian weight noise whose tails are censored: w -> w + sigma max|w| z, z from N(0, 1) cut at ``bound``.

    A draw beyond the bound takes the bound. The layer's largest weight is a constant in the gradient (straight-through).

    Parameters
    ----------
    sigma : float
        Standard deviation before the cut, relative to the layer's largest weight (unitless).
    bound : float
        Where the tails are cut, in standard deviations (unitless).
    both_tails : bool, optional
        Whether |z| is cut; False for the right tail alone, which is what "right-censored" says literally and gives the
        noise a mean below zero (unitless).
    """

    sigma: float
    bound: float
    both_tails: bool = True
    source: ClassVar[str] = f"right-censored Gaussian noise, {_GENERAL_USE}"

    def __post_init__(self):
        as_number("sigma", self.sigma, low=0.0)
        as_number("bound", self.bound, low=0.0)
        if not isinstance(self.both_tails, bool):
            raise TypeError(f"both_tails must be True or False; got {self.both_tails!r}")

    def _disturb(self, weights, course, draws):
        cut = np.clip(draws, -self.bound if self.both_tails else None, self.bound)
        return weights + self.sigma * _largest(weights.value, course.shapes) * cut


@dataclass(frozen=True)
class LogNormalNoise(_WeightNoise):
    """Train with log-normal weights: w -> w e^theta, with theta from N(0, sigma^2). The gradient is the true one, e^theta.

    Parameters
    ----------
    sigma : float
        Standard deviation of theta (unitless).
    """

    sigma: float
    source: ClassVar[str] = _CORRECTNET

    def __post_init__(self):
        as_number("sigma", self.sigma, low=0.0)

    def _disturb(self, weights, course, draws):
        return weights * np.exp(self.sigma * draws)


@dataclass(frozen=True)
class FaultDropConnect(_WeightNoise):
    """Train with weights that take a fault's value at random; no gradient reaches a weight that is hit.

    Hit by the high resistance state a weight's contribution vanishes, w -> 0; by the low one it is as large as the layer's
    largest weight, w -> +- max|w|, with either sign as likely, as either device of its pair may be hit.

    Parameters
    ----------
    probability_lrs, probability_hrs : float, optional
        Probability that a weight is hit by a fault of the low and of the high resistance state. Without them twice those
        of the device's stuck devices, for a weight stands on two; then the training needs a device (unitless).
    """

    probability_lrs: float | None = None
    probability_hrs: float | None = None
    source: ClassVar[str] = f"drop-connect with fault values, {_GENERAL_USE}"

    def __post_init__(self):
        given = [(name, getattr(self, name)) for name in ("probability_lrs", "probability_hrs")]
        if given[0][1] is None and given[1][1] is None:
            return
        lrs, hrs = (as_number(name, value, low=0.0, high=1.0) for name, value in given)
        if lrs + hrs > 1:
            raise ValueError(f"probability_lrs + probability_hrs must not exceed 1; got {lrs:g} + {hrs:g}")

    def _draw(self, rng, shape):
        return rng.random(shape)

    def _disturb(self, weights, course, draws):
        lrs, hrs = self._probabilities(course.device)
        signs = np.where(draws < lrs / 2, 1.0, -1.0) * (draws < lrs)
        return weights * (draws >= lrs + hrs) + signs * _largest(weights.value, course.shapes)

    def _probabilities(self, device):
        if self.probability_lrs is not None:
            return self.probability_lrs, self.probability_hrs
        if device is None:
            raise ValueError("FaultDropConnect() takes its probabilities from a device: give train(..., device=TIO2), or "
                             "both probabilities")
        stuck = device.stuck
        return (2 * stuck.probability_lrs, 2 * stuck.probability_hrs) if stuck else (0.0, 0.0)


@dataclass(frozen=True)
class LipschitzPenalty(Technique):
    """Add strength * sum over layers of ||W^T W - l^2 I||^2 (Frobenius) to the loss; l is `LipschitzPenalty.largest_gain`.

    It draws the gain of each layer towards l, which is small enough for the layer not to amplify errors even where
    log-normal noise (`LogNormalNoise`) enlarges its weights by three standard deviations.

    Parameters
    ----------
    sigma : float
        Standard deviation of the log-normal noise to withstand (unitless).
    strength : float
        Factor of the penalty (unitless).

    Notes
    -----
    W is the (n_inputs, n_outputs) matrix of a layer; the bias does not amplify and is left out. With W W^T instead the
    penalty would differ by the constant (n_inputs - n_outputs) l^4, so the gradient is the same. The source's digital
    compensation is not part of this.
    """

    sigma: float
    strength: float
    source: ClassVar[str] = f"{_CORRECTNET}, via a third-party re-implementation"

    def __post_init__(self):
        as_number("sigma", self.sigma, low=0.0)
        as_number("strength", self.strength, low=0.0)

    @property
    def largest_gain(self):
        """l = 1 / (e^(s^2/2) + 3 sqrt((e^(s^2) - 1) e^(s^2))): one over mean plus three standard deviations (unitless)."""
        square = np.exp(self.sigma**2)
        return 1 / (np.sqrt(square) + 3 * np.sqrt((square - 1) * square))

    def penalty(self, arrays):
        """strength * sum over layers of ||W^T W - l^2 I||^2, a Tensor."""
        return sum(_distance_from_rotation(array, self.largest_gain) for array in arrays) * self.strength


def duplicate_units(network, copies):
    """The same function on more hidden units, whose device errors average out: layer ensemble averaging.

    Copies of a unit stand side by side; weights behind them, not biases, are divided by ``copies``."""
    if not isinstance(network, MLP):
        raise TypeError(f"network must be an MLP; got {kind_of(network)}")
    copies = as_count("copies", copies)
    arrays = [array.copy() for array in network.arrays]
    for k in range(1, len(arrays)):
        arrays[k - 1] = np.repeat(arrays[k - 1], copies, axis=1)
        arrays[k] = np.concatenate([np.repeat(arrays[k][:-1] / copies, copies, axis=0), arrays[k][-1:]])
    return network.with_arrays(arrays)


def _largest(values, shapes):
    """Largest magnitude of each weight's layer."""
    return _by_layer(np.abs(values), shapes, np.max)


def _clip(values, shapes, clip):
    bound = clip * _by_layer(values, shapes, np.std)
    return np.clip(values, -bound, bound)


def _by_layer(values, shapes, statistic):
    """``statistic`` of each layer, at all of its weights; ``values`` are (..., n_weights, 1)."""
    sizes = [rows * columns for rows, columns in shapes]
    parts = np.split(values, np.cumsum(sizes)[:-1], axis=-2)
    return np.concatenate([np.repeat(statistic(part, axis=-2, keepdims=True), size, axis=-2)
                           for part, size in zip(parts, sizes)], axis=-2)


def _distance_from_rotation(array, gain):
    """||W^T W - gain^2 I||^2 of each network, added up."""
    weights = array.value[..., :-1, :]
    excess = np.swapaxes(weights, -1, -2) @ weights - gain**2 * np.eye(weights.shape[-1])

    def pull(g):
        grad = np.zeros(array.shape)
        grad[..., :-1, :] = 4 * g * (weights @ excess)
        return (grad,)

    return Tensor((excess**2).sum(), (array,), pull)
