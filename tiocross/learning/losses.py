"""Losses of classification: what a training step lowers. Each value stands beside its pullback.

A loss is a subclass of `Loss`. It is called with the logits of every point on every chip and gives one number for all
networks that are trained together. The margin of a point on a chip is the logit of its class less log(sum(exp)) over the
other classes; with one logit it is the logit with the sign of the class. The cross-entropy is log(1 + exp(-margin)).
"""

from dataclasses import dataclass

import numpy as np

from tiocross.checks import as_number
from tiocross.learning.tensor import Tensor


class RememberedRates:
    """Error rates that training points had over the chips of earlier steps. The few chips of one step tell little of a
    point; with the earlier ones they tell more."""

    def __init__(self, n_networks, n_points):
        self._rates = np.full((n_networks, n_points), np.nan)
        self._batch = None

    def select(self, batch):
        """Say which points come next: (n_networks, n_batch) int indices."""
        self._batch = np.arange(len(batch))[:, None], batch

    def blend(self, rates, memory):
        """``memory`` parts of the remembered rates of the selected points, the rest (n_networks, n_batch) ``rates``."""
        before = self._rates[self._batch]
        blended = np.where(np.isnan(before), rates, memory * before + (1 - memory) * rates)
        self._rates[self._batch] = blended
        return blended


class Loss:
    """What a training step lowers. A subclass is a frozen dataclass with its own `__call__`."""

    def __call__(self, logits: Tensor, labels: np.ndarray, remembered: RememberedRates | None = None) -> Tensor:
        """A number, the sum over networks, for (n_networks, n_chips, n_points, n_outputs) logits and (n_networks, 1,
        n_points) labels. ``remembered`` holds what earlier steps saw of these points; most losses ignore it."""
        raise NotImplementedError


@dataclass(frozen=True)
class MeanLoss(Loss):
    """Cross-entropy averaged over chips and points.

    Notes
    -----
    The loss of a network is the mean of log(1 + exp(-m)) over all its chips and points, with m the margin of a point on a
    chip: binary cross-entropy for one logit, softmax cross-entropy for several.
    """

    def __call__(self, logits: Tensor, labels: np.ndarray, remembered: RememberedRates | None = None) -> Tensor:
        return classification_loss(logits, labels) * len(logits.value)


@dataclass(frozen=True)
class PointErrorRate(Loss):
    """How far the error rate of each point over the chips exceeds what is allowed, averaged over points.

    A point that is right on nearly all chips costs nothing. A point that is wrong on many chips counts less the more they
    are. So the network spends its weights on the points that can be won. A small share of cross-entropy keeps the others
    from being forgotten.

    Parameters
    ----------
    allowed : float, optional
        Error rate of a point that costs nothing, within [0, 1]; below the 5 % of the usual robust share (unitless).
    sharpness : float, optional
        Factor of the margin, above 0 (unitless).
    share : float, optional
        Weight of the cross-entropy, at least 0 (unitless).
    saturation : float, optional
        Error rate above which a point counts less, by (saturation / rate)^2; 1 counts all points alike (unitless).
    memory : float, optional
        Weight of earlier steps in the rate that decides how much a point counts, below 1; 0 for the present step alone.
        16 chips alone cannot tell 3 % from 8 % (unitless).

    Raises
    ------
    ValueError
        If a value lies outside its range, or ``saturation`` is not above ``allowed``.

    Notes
    -----
    The rate r of a point is soft: the mean over chips of 1 / (1 + exp(sharpness * margin)). With a = ``allowed`` and
    s = ``saturation`` the cost of a point is 0 up to a, r - a up to s, and 2 s - a - s^2 / r beyond. The gradient is the
    slope of this cost at the remembered rate times the gradient of the present rate.
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

    def __call__(self, logits: Tensor, labels: np.ndarray, remembered: RememberedRates | None = None) -> Tensor:
        margins, pull_margins = point_margins(logits.value, labels)
        entropies, wrong = softplus_and_sigmoid(margins * -self.sharpness)
        rates = wrong.sum(axis=-2) / wrong.shape[-2]
        if remembered is not None:
            rates = remembered.blend(rates, self.memory)
        costs, slopes = self._cost(rates)
        value = costs.sum() / costs.size + self.share * float(entropies.sum()) / entropies.size
        slopes = slopes.astype(wrong.dtype, copy=False)[:, None]

        def pull(g):
            steepness = 1 - wrong
            steepness *= slopes
            steepness += self.share
            steepness *= wrong
            steepness *= float(g) * -self.sharpness / (margins.size / len(margins))
            return (pull_margins(steepness),)

        return Tensor(value * len(margins), (logits,), pull)

    def _cost(self, rates):
        """Cost of points with these error rates, and its slope."""
        beyond = np.maximum(rates, self.saturation)
        costs = np.maximum(np.minimum(rates, self.saturation) - self.allowed, 0.0)
        slopes = (rates > self.allowed) * (self.saturation / beyond) ** 2
        return costs + self.saturation - self.saturation**2 / beyond, slopes


@dataclass(frozen=True)
class TailLoss(Loss):
    """Cross-entropy averaged over the worst chips only, the conditional value at risk.

    Parameters
    ----------
    tail : float, optional
        Share of the chips of a step that count, those with the largest loss; above 0, at most 1 (unitless).

    Raises
    ------
    ValueError
        If ``tail`` lies outside its range.

    References
    ----------
    Rockafellar and Uryasev, Optimization of conditional value-at-risk, Journal of Risk 2, 21 (2000),
    doi:10.21314/JOR.2000.038.
    """

    tail: float = 0.5

    def __post_init__(self):
        if as_number("tail", self.tail, low=0.0, high=1.0) == 0.0:
            raise ValueError("tail must be above zero; got 0")

    def __call__(self, logits: Tensor, labels: np.ndarray, remembered: RememberedRates | None = None) -> Tensor:
        margins, pull_margins = point_margins(logits.value, labels)
        entropies, wrong = softplus_and_sigmoid(-margins)
        n_worst = max(1, round(self.tail * margins.shape[1]))
        worst = np.argsort(entropies.mean(axis=-1), axis=-1)[:, -n_worst:]
        chosen = np.zeros(margins.shape[:2] + (1,), dtype=margins.dtype)
        np.put_along_axis(chosen[..., 0], worst, 1.0, axis=-1)
        weights = chosen / (n_worst * margins.shape[-1])
        return Tensor((weights * entropies).sum(), (logits,),
                      lambda g: (pull_margins(weights * wrong * -float(g)),))


def classification_loss(logits, labels):
    """Mean cross-entropy over points and copies, for a Tensor (..., n_points, n_outputs): binary for one logit, softmax for
    several. Leading axes of the labels (..., n_points) broadcast."""
    return (binary_cross_entropy if logits.shape[-1] == 1 else softmax_cross_entropy)(logits, labels)


def binary_cross_entropy(logits, labels):
    """Mean over points and copies of log(1 + exp(z)) - y z, with z the one logit of a point and y its label, 0 or 1."""
    z = logits.value
    y = labels[..., None].astype(z.dtype)
    losses, ones = softplus_and_sigmoid(z)
    losses = losses - y * z
    return Tensor(losses.sum() / losses.size, (logits,), lambda g: ((ones - y) * (float(g) / losses.size),))


def softmax_cross_entropy(logits, labels):
    """Mean over points and copies of log(sum(exp(z))) - z[y], with z the logits of a point and y its label."""
    shifted, shares, logs = softmax(logits.value)
    chosen = _is_own_class(shifted, labels)
    losses = logs - (shifted * chosen).sum(axis=-1)
    return Tensor(losses.mean(), (logits,), lambda g: ((shares - chosen) * (float(g) / losses.size),))


def softmax(logits):
    """Three arrays: z, the logits less the largest of the last axis; shares exp(z) / sum(exp(z)); log(sum(exp(z)))."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    exps = np.exp(shifted)
    total = exps.sum(axis=-1, keepdims=True)
    return shifted, exps / total, np.log(total[..., 0])


def point_margins(logits, labels):
    """(n_networks, n_chips, n_points) margins for (n_networks, n_chips, n_points, n_outputs) logits, and their pullback.
    A margin is positive where the point is right, with two classes; with more of them only where it is right."""
    if logits.shape[-1] == 1:
        signs = (2 * labels - 1).astype(logits.dtype)
        return logits[..., 0] * signs, lambda g: (g * signs)[..., None]
    chosen = _is_own_class(logits, labels)
    others = np.where(chosen, -np.inf, logits)
    _, shares, logs = softmax(others)
    own = np.where(chosen, logits, 0.0).sum(axis=-1)
    return own - others.max(axis=-1) - logs, lambda g: g[..., None] * (chosen - shares)


def softplus_and_sigmoid(x):
    """Two ndarrays, log(1 + exp(x)) and its slope 1 / (1 + exp(-x)), in the precision of ``x``, without overflow."""
    logs = np.maximum(x, -80.0 if x.dtype == np.float32 else -700.0)  # where both vanish but in the exponent
    total = np.negative(logs)
    np.exp(total, out=total)
    total += 1
    logs += np.log(total)
    return logs, np.reciprocal(total, out=total)


def _is_own_class(logits, labels):
    return np.arange(logits.shape[-1]) == labels[..., None]
