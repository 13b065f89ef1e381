"""Losses over sampled chips: what a step lowers, once the network has learnt its task.

Each is called with the logits of every point on every chip and gives a number for all networks together. A point's margin
on a chip is the logit of its class less the log of the sum over the others; with one logit, the logit with the class's sign.
"""

from dataclasses import dataclass

import numpy as np

from tiocross.checks import as_number
from tiocross.learning.tensor import Tensor, sigmoid
from tiocross.learning.losses import classification_loss


class SeenRates:
    """Error rates that points had over the chips of earlier steps: what few chips a step tell of a point adds up.

    Parameters
    ----------
    n_networks, n_points : int
        Networks trained together, and training points (unitless).
    """

    def __init__(self, n_networks, n_points):
        self._rates = np.full((n_networks, n_points), np.nan)
        self._batch = None

    def select(self, batch):
        """Say which points come next: (n_networks, n_batch) int indices (unitless)."""
        self._batch = np.arange(len(batch))[:, None], batch

    def blend(self, rates, memory):
        """``memory`` parts of what was seen of the selected points, the rest (n_networks, n_batch) ``rates`` (unitless)."""
        before = self._rates[self._batch]
        blended = np.where(np.isnan(before), rates, memory * before + (1 - memory) * rates)
        self._rates[self._batch] = blended
        return blended


@dataclass(frozen=True)
class MeanLoss:
    """Cross-entropy averaged over chips and points."""

    def __call__(self, logits, labels, seen=None):
        """Number for ``(n_networks, n_chips, n_points, n_outputs)`` logits of points with these labels (unitless)."""
        return classification_loss(logits, labels) * len(logits.value)


@dataclass(frozen=True)
class PointErrorRate:
    """How far each point's error rate over the chips passes what is allowed, averaged over points.

    The rate is soft: the mean over chips of 1 / (1 + exp(sharpness * margin)). A point that is right on nearly all chips
    costs nothing more, and one that is wrong on many counts less the more they are, so what the network can give goes to the
    points that can be won. A small share of cross-entropy keeps the others from being forgotten.

    Parameters
    ----------
    allowed : float, optional
        Error rate of a point that costs nothing; below the 5 % of the usual robust share (unitless).
    sharpness : float, optional
        Factor of the margin (unitless).
    share : float, optional
        Weight of the cross-entropy (unitless).
    saturation : float, optional
        Error rate from which on a point counts less, by (saturation / rate)^2; 1 for all alike (unitless).
    memory : float, optional
        Weight of what earlier steps saw of a point in the rate that decides how much it counts: 16 chips alone cannot tell
        3 % from 8 %. 0 for the present step alone (unitless).

    Notes
    -----
    With r the rate, the cost of a point is 0 up to ``allowed`` a, r - a up to ``saturation`` s, 2 s - a - s^2 / r beyond.
    The gradient is the slope of that cost at the remembered rate times the gradient of the present one.
    """

    allowed: float = 0.03
    sharpness: float = 0.2
    share: float = 0.02
    saturation: float = 0.2
    memory: float = 0.9

    def __post_init__(self):
        for name in ("allowed", "saturation", "memory"):
            as_number(name, getattr(self, name), low=0.0, high=1.0)
        as_number("share", self.share, low=0.0)
        if as_number("sharpness", self.sharpness, low=0.0) == 0.0:
            raise ValueError("sharpness must be above zero; got 0")
        if self.saturation <= self.allowed:
            raise ValueError(f"saturation must be above allowed ({self.allowed:g}); got {self.saturation:g}")
        if self.memory == 1.0:
            raise ValueError("memory must be below one, or nothing new would be learnt; got 1")

    def __call__(self, logits, labels, seen=None):
        """Number for ``(n_networks, n_chips, n_points, n_outputs)`` logits of points with these labels (unitless)."""
        margins, pull_margins = point_margins(logits.value, labels)
        wrong = sigmoid(-self.sharpness * margins)
        rates = wrong.mean(axis=-2)
        if seen is not None:
            rates = seen.blend(rates, self.memory)
        costs, slopes = self._cost(rates)
        entropies = np.maximum(-self.sharpness * margins, 0.0) + np.log1p(np.exp(-np.abs(self.sharpness * margins)))
        value = costs.mean() + self.share * entropies.mean()

        def pull(g):
            steepness = -self.sharpness * wrong * (slopes[:, None] * (1 - wrong) + self.share)
            return (pull_margins(g * steepness / (margins.size / len(margins))),)

        return Tensor(value * len(margins), (logits,), pull)

    def _cost(self, rates):
        """Cost of points with these error rates, and its slope."""
        beyond = np.maximum(rates, self.saturation)
        costs = np.maximum(np.minimum(rates, self.saturation) - self.allowed, 0.0)
        slopes = (rates > self.allowed) * (self.saturation / beyond) ** 2
        return costs + self.saturation - self.saturation**2 / beyond, slopes


@dataclass(frozen=True)
class TailLoss:
    """Cross-entropy averaged over the worst chips only, the conditional value at risk.

    Parameters
    ----------
    tail : float, optional
        Share of the chips of a step, those with the largest loss (unitless).
    """

    tail: float = 0.5

    def __post_init__(self):
        if as_number("tail", self.tail, low=0.0, high=1.0) == 0.0:
            raise ValueError("tail must be above zero; got 0")

    def __call__(self, logits, labels, seen=None):
        """Number for ``(n_networks, n_chips, n_points, n_outputs)`` logits of points with these labels (unitless)."""
        margins, pull_margins = point_margins(logits.value, labels)
        entropies = np.maximum(-margins, 0.0) + np.log1p(np.exp(-np.abs(margins)))
        n_worst = max(1, round(self.tail * margins.shape[1]))
        worst = np.argsort(entropies.mean(axis=-1), axis=-1)[:, -n_worst:]
        chosen = np.zeros(margins.shape[:2] + (1,))
        np.put_along_axis(chosen[..., 0], worst, 1.0, axis=-1)
        weights = chosen / (n_worst * margins.shape[-1])
        return Tensor((weights * entropies).sum(), (logits,),
                      lambda g: (pull_margins(-g * weights * sigmoid(-margins)),))


def point_margins(logits, labels):
    """Margin of each point on each chip, and the pullback to the logits.

    Parameters
    ----------
    logits : (n_networks, n_chips, n_points, n_outputs) ndarray
        Outputs (unitless).
    labels : (n_networks, 1, n_points) int ndarray
        Classes (unitless).

    Returns
    -------
    margins : (n_networks, n_chips, n_points) ndarray
        Positive where right, with two classes; with more of them positive only where right (unitless).
    pull : callable
        Takes gradients by the margins, gives gradients by the logits.
    """
    if logits.shape[-1] == 1:
        signs = 2.0 * labels - 1.0
        return logits[..., 0] * signs, lambda g: (g * signs)[..., None]
    chosen = np.arange(logits.shape[-1]) == labels[..., None]
    others = np.where(chosen, -np.inf, logits)
    largest = others.max(axis=-1, keepdims=True)
    exps = np.exp(others - largest)
    total = exps.sum(axis=-1, keepdims=True)
    own = np.where(chosen, logits, 0.0).sum(axis=-1)
    return own - largest[..., 0] - np.log(total[..., 0]), lambda g: g[..., None] * (chosen - exps / total)


LOSSES = (MeanLoss, PointErrorRate, TailLoss)
