"""What training can and cannot compensate: for each effect of chips, how well training sees it, and what it costs.

A step of training takes a gradient on a few simulated chips. It holds the scale of the mapping constant, unless told
otherwise, and gives none to weights that a stuck device hits. Where the gradient so expected points elsewhere than that of
the expected loss, training works against something else than the effect; where it drowns in what differs from chip to chip,
training needs more chips or steps.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from tiocross.checks import as_count, require_generator
from tiocross.devices.device import Device, require_device
from tiocross.intervals import half_width_of_mean, t_quantile
from tiocross.learning.expected_loss import ExpectedLoss
from tiocross.learning.losses import Loss, MeanLoss
from tiocross.learning.network import MLP
from tiocross.learning.training import require_matching
from tiocross.mapping.layout import Layout
from tiocross.mapping.targets import layout_for
from tiocross.periphery.electronics import Periphery
from tiocross.tasks import Dataset
from tiocross.transfers.chips import Chips
from tiocross.transfers.conditions import Conditions, label_of
from tiocross.transfers.costs import Resampled, difference_of
from tiocross.transfers.judging import judge_chips
from tiocross.transfers.operation import Operation
from tiocross.transfers.strengths import Strength, strength_of, techniques_against
from tiocross.transfers.summary import Estimate

_N_GROUPS = 25  # of chips; intervals leave out one after the other
_MOST_WEIGHTS = 128  # up to here the expected loss is followed along every weight
_N_DIRECTIONS = 64  # random ones, along which it is followed in larger networks
_STEP, _STEP_OF_LEVELS = 0.002, 0.02  # of a central difference, relative to the root mean square of the weights; the
# second where converters round: over too short a step hardly any signal changes its level
_ALL = "all together"
_FOLLOWED = 0.9  # cosine from which on a gradient is as good as the true one
_NO_NOISE = 1e-10  # squared, relative; rounding
_COLUMNS = (("effect", 18), ("adds to the loss", 28), ("agreement", 22), ("own part", 22), ("with scale", 22),
            ("training", 0))


@dataclass(frozen=True)
class Compensable:
    """One effect alone, or all together, as training sees it; `Estimate` each (unitless, or as stated)."""

    effect: str
    added_loss: Estimate  # expected loss with it less that in software
    agreement: Estimate  # cosine between the gradient that training takes on average and that of the expected loss
    own_agreement: Estimate  # the same of what the effect adds to both
    own_agreement_with_scale: Estimate  # the same where gradients flow through the scale of the mapping, too
    signal_to_noise: Estimate  # length of the expected gradient over the standard deviation of a step's
    loss_per_unit: Estimate | None = None  # what the expected loss gains as the effect grows, others as they are, per `unit`
    robust_per_unit: Estimate | None = None  # what the share of points right on 95 % of the chips gains then
    unit: str = ""

    @property
    def label(self) -> str:
        """What people call the effect."""
        return label_of(self.effect)


@dataclass(frozen=True)
class Compensability:
    """How training sees the effects of a network's chips, that which adds most loss first; print it.

    Parameters
    ----------
    rows : tuple of Compensable
        The effects, and last all of them together.
    software_loss : float
        Mean cross-entropy, or other loss, without any effect (unitless).
    device_name : str
        The card.
    n_chips : int
        Chips in the step of training whose noise is told (unitless).
    n_simulated, n_points : int
        Chips and points that expectations are taken over (unitless).
    """

    rows: tuple[Compensable, ...]
    software_loss: float
    device_name: str
    n_chips: int
    n_simulated: int
    n_points: int

    def __getitem__(self, effect: str) -> Compensable:
        """The row of an effect, by its name."""
        for row in self.rows:
            if row.effect == effect:
                return row
        raise KeyError(f"{effect!r}; there are {', '.join(row.effect for row in self.rows)}")

    def __str__(self):
        lines = [f"what training sees of {self.device_name} at these weights: loss {self.software_loss:.4f} in software; "
                 f"{self.n_simulated} chips, {self.n_points} points; 95 % intervals in brackets",
                 "  " + "".join(f"{title:<{width}}" for title, width in _COLUMNS)]
        for row in self.rows:
            cells = (row.label, _text(row.added_loss, ".4f"), _text(row.agreement, ".2f"),
                     _text(row.own_agreement, ".2f"), _text(row.own_agreement_with_scale, ".2f"), self._said(row))
            lines.append("  " + "".join(f"{cell:<{width}}" for cell, (_, width) in zip(cells, _COLUMNS)).rstrip())
        lines += ["  agreement: cosine between the gradient that training takes on average and that of the expected loss;",
                  "  own part: of what the effect adds to both; with scale: with scale_gradient_from",
                  "as an effect grows, all others as they are:"]
        lines += [f"  {row.label:<18}loss {_text(row.loss_per_unit, '+.2g')}, robust share "
                  f"{_text(row.robust_per_unit, '+.2g')} per {row.unit}" for row in self.rows if row.unit]
        return "\n".join(lines)

    def _said(self, row):
        """A verdict in words."""
        if row.own_agreement.low >= _FOLLOWED:
            said = "follows it"
        elif row.own_agreement_with_scale.low >= _FOLLOWED:
            said = "follows it with scale_gradient_from"
        elif row.own_agreement_with_scale.high < _FOLLOWED:
            said = "follows it in part" if row.own_agreement_with_scale.low > 0 else "does not follow it"
        else:
            said = "not known: take more chips"
        ratio = row.signal_to_noise.value
        if not 0 < ratio < 1:
            return said
        return f"{said}; noise {1 / ratio:.3g} x signal with {self.n_chips} chips a step"

    def to_dict(self) -> dict:
        """Everything as plain numbers, for JSON."""
        return asdict(self)


def compensability(network: MLP, dataset: Dataset, *, device: Device, layout: Layout | None = None,
                   wire_resistance: float = 0.0, after: float = 0.0, periphery: Periphery | None = None, n_chips: int = 8,
                   n_simulated: int = 1_000, loss: Loss = MeanLoss(), rng: np.random.Generator,
                   on_progress: Callable | None = None) -> Compensability:
    """What training can compensate of each effect of a device, wires, age and periphery, for a network as it is.

    Parameters
    ----------
    network : MLP
        Where the gradients are taken.
    dataset : Dataset
        Points to take the loss of, such as those trained with; a few hundred tell enough.
    device, layout, wire_resistance, after, periphery
        As for `transfer`.
    n_chips : int, optional
        Chips in a step of training, whose gradient's noise is told (unitless).
    n_simulated : int, optional
        Chips that expectations are taken over, from 75 on; 25 groups of equal size are made (unitless).
    loss : Loss, optional
        What training lowers.
    rng : numpy.random.Generator
        Draws chips, and for large networks directions.
    on_progress : callable, optional
        Called as ``on_progress(n_done, n_all)`` in effects; raise from it to stop.

    Returns
    -------
    Compensability
        A row for each effect alone and for all together, with 95 % intervals.

    Raises
    ------
    ValueError, TypeError
        If the network does not fit the points, or there is no effect.

    Notes
    -----
    With g_k the gradient that training takes on chip k and d_k the derivative of the loss on chip k, from central
    differences with the same chance on both sides, the agreement is the cosine between the means of g and of d. Both hold
    the gradient in software, which may hide the effect: the agreement of its own part is that of g and d less those in
    software. They are compared along every weight of small networks and along 64 random directions of large ones. Products
    of different groups of chips alone are averaged, so that what two gradients share by chance does not count; intervals
    come from leaving out one group after the other, and with random directions from their number. Where a gradient vanishes
    within its error, its direction is not known, and the interval is [-1, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, Dataset, compensability, tasks
    >>> moons, network = tasks.load_moons(), MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> few = Dataset(moons.train.points[:100], moons.train.labels[:100])
    >>> found = compensability(network, few, device=TIO2, n_simulated=100, rng=np.random.default_rng(11))
    >>> found["tuning"].agreement.value > 0.9
    True
    """
    require_generator(rng)
    require_device(device)
    require_matching(network, dataset)
    as_count("n_chips", n_chips)
    as_count("n_simulated", n_simulated, low=3 * _N_GROUPS)
    conditions = Conditions(device, wire_resistance, Operation(1, after, periphery))
    if not conditions.effects:
        raise ValueError(f"there is nothing to compensate: {device.name} has no effect, and wires and periphery are ideal")
    view = _View(network, dataset, layout_for(network.shapes, device, layout), -(-n_simulated // _N_GROUPS), loss, rng)
    rows, effects = [], conditions.effects
    for n_done, effect in enumerate((*effects, _ALL)):
        some = conditions if effect == _ALL else conditions.only(effect)
        found = view.look(some, n_chips)
        strength = None if effect == _ALL else strength_of(conditions, effect, network, view.layout)
        rows.append(Compensable(effect, *found, *view.slopes(strength)))
        if on_progress is not None:
            on_progress(n_done + 1, len(effects) + 1)
    rows[:-1] = sorted(rows[:-1], key=lambda row: -row.added_loss.value)
    return Compensability(tuple(rows), view.software_loss, device.name, n_chips, view.n_simulated, len(dataset))


class _View:
    """A network on its points, looked at under several conditions with the same chips and along the same directions."""

    def __init__(self, network, dataset, layout, n_in_group, loss, rng):
        self.layout, self._network, self._dataset, self._loss = layout, network, dataset, loss
        self._n_in_group, self.n_simulated = n_in_group, n_in_group * _N_GROUPS
        self._seed = int(rng.integers(2**63))
        in_software = ExpectedLoss(network, dataset, (), (None, None), n_groups=1, n_chips=1, loss=loss, rng=rng)
        self._weights = in_software.weights
        self.software_loss = float(in_software.losses(self._weights)[0])
        self._directions = _directions(len(self._weights), rng)
        self._size = float(np.sqrt((self._weights**2).mean()) or 1.0)
        self._software_slopes = {step: self._slopes(in_software, step) for step in (_STEP, _STEP_OF_LEVELS)}
        self._software_gradient = in_software.gradients(self._weights) @ self._directions.T

    def _expected(self, conditions):
        return ExpectedLoss(self._network, self._dataset, techniques_against(conditions), (conditions.device, self.layout),
                            n_groups=_N_GROUPS, n_chips=self._n_in_group, loss=self._loss,
                            rng=np.random.default_rng(self._seed))

    def look(self, conditions, n_chips):
        """Estimates of added loss, of the agreements, and of signal over noise of a step with ``n_chips``."""
        expected, step = self._expected(conditions), _STEP_OF_LEVELS if _rounds(conditions.periphery) else _STEP
        taken, scaled = (expected.gradients(self._weights, through_scale=through) @ self._directions.T
                         for through in (False, True))
        true = self._slopes(expected, step)
        own, software = true - self._software_slopes[step], self._software_gradient
        n_random = len(self._directions) if len(self._directions) < len(self._weights) else None
        agreements = (agreement_of(*pair, n_random=n_random)
                      for pair in ((taken, true), (taken - software, own), (scaled - software, own)))
        return (_mean(expected.losses(self._weights) - self.software_loss), *agreements,
                signal_to_noise_of(taken, self._n_in_group / n_chips))

    def _slopes(self, expected, step):
        """(n_groups, n_directions) central differences of the loss over a step relative to the size of the weights."""
        moves = [step * self._size * direction[:, None] for direction in self._directions]
        ahead, behind = (np.stack([expected.losses(self._weights + sign * move) for move in moves], axis=1)
                         for sign in (1, -1))
        return (ahead - behind) / (2 * step * self._size)

    def slopes(self, strength: Strength | None):
        """What loss and robust share gain per unit as an effect grows, and the unit; (None, None, "") where nobody can say
        how it grows."""
        if strength is None:
            return None, None, ""
        more, less = (self._expected(conditions).losses(self._weights) for conditions in strength.conditions)
        return _mean((more - less) / strength.apart), self._robust_slope(strength), strength.unit

    def _robust_slope(self, strength):
        found = [judge_chips(self._dataset, self._chips(some), n_transfers=self.n_simulated) for some in strength.conditions]
        resampled = Resampled(found[0])
        found = difference_of(*(resampled.figures(transfer) for transfer in found), "robust")
        return Estimate(*(end / strength.apart for end in (found.value, found.low, found.high)))

    def _chips(self, some):
        return Chips(self._network, some.device, layout=self.layout, wire_resistance=some.wire_resistance,
                     operation=some.operation, rng=np.random.default_rng(self._seed))


def _rounds(periphery):
    """Whether converters round signals to levels."""
    return periphery is not None and not (periphery.dac is None and periphery.adc is None)


def _directions(n_weights, rng):
    """(n_directions, n_weights): every weight, or random directions."""
    if n_weights <= _MOST_WEIGHTS:
        return np.eye(n_weights)
    return rng.standard_normal((_N_DIRECTIONS, n_weights))


def _mean(values):
    """Mean of groups and its interval."""
    reach = half_width_of_mean(values)
    return Estimate(float(values.mean()), float(values.mean() - reach), float(values.mean() + reach))


def agreement_of(one, other, *, n_random=None):
    """`Estimate` of the cosine between the expectations of two vectors, from (n_groups, n_directions) means of groups; of so
    many random directions each tells a part only, and the interval is wider."""
    def cosine(products):
        squares = products[0] * products[2]
        return products[1] / np.sqrt(squares) if min(products[0], products[2]) > 0 else np.nan

    products = [_products(one, one), _products(one, other), _products(other, other)]
    along_some = 0.0
    if n_random is not None and np.isfinite(value := cosine([product[0] for product in products])):
        along_some = (1.0 - min(value**2, 1.0)) / np.sqrt(n_random)
    return _left_out(products, cosine, -1.0, 1.0, along_some)


def signal_to_noise_of(vectors, n_steps):
    """`Estimate` of the length of an expected vector over its standard deviation in a step; a group holds the chips of
    ``n_steps`` steps."""
    def ratio(products):
        variance = (products[1] - products[0]) * n_steps
        return np.sqrt(max(products[0], 0.0) / variance) if variance > _NO_NOISE * products[1] else np.inf

    squares = (vectors**2).sum(axis=1)
    own = np.append(squares.mean(), (squares.sum() - squares) / (len(squares) - 1))
    return _left_out([_products(vectors, vectors), own], ratio, 0.0, np.inf)


def _products(one, other):
    """Mean product of different groups: of all groups, then without each of them."""
    n, own = len(one), (one * other).sum(axis=1)
    totals = one.sum(axis=0), other.sum(axis=0)
    whole = (totals[0] @ totals[1] - own.sum()) / (n * (n - 1))
    left = ((totals[0] - one) * (totals[1] - other)).sum(axis=1) - (own.sum() - own)
    return np.append(whole, left / ((n - 1) * (n - 2)))


def _left_out(products, figure, low, high, also=0.0):
    """`Estimate` of a figure of products within [low, high], its interval from leaving out one group after the other, and
    from a standard deviation ``also``, of what has nothing to do with groups."""
    value, *others = (figure(column) for column in np.stack(products, axis=1))
    if value == np.inf:
        return Estimate(value, value, value)
    n = len(others)
    spread = np.sqrt((n - 1) / n * np.sum((np.array(others) - np.mean(others)) ** 2))
    if not np.isfinite([value, spread]).all():
        return Estimate(float(np.clip(np.nan_to_num(value), low, high)), low, high)
    reach = t_quantile(0.975, n - 1) * np.hypot(spread, also)
    return Estimate(*(float(np.clip(end, low, high)) for end in (value, value - reach, value + reach)))


def _text(estimate, form):
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"
