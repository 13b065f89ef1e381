"""What costs robust points: every effect of the chips switched off by itself, and left on by itself, on the same chips.

Chips of one seed meet the same chance whichever effects are on, so transfers under two conditions are compared chip by chip
and point by point. The interval of a difference resamples chips and points of both alike: what they share drops out.
Where a fab programs, chips without its pulses are others of the same kind: their differences are known less well.
"""

import copy
import csv
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from tiocross.checks import require_generator
from tiocross.devices.device import Device, require_device
from tiocross.devices.rewriting import Passes
from tiocross.intervals import ROUNDING, Groups
from tiocross.lab.fab import SimulatedFab
from tiocross.learning.network import MLP
from tiocross.learning.training import require_matching
from tiocross.mapping.layout import Layout
from tiocross.periphery.electronics import Periphery
from tiocross.shown import table
from tiocross.tasks import Dataset
from tiocross.transfers.adaptation import Adaptation
from tiocross.transfers.budget import MEMORY
from tiocross.transfers.conditions import Conditions, label_of
from tiocross.transfers.fabricated import make_chips
from tiocross.transfers.judging import judge_chips, require_judging, who_judges
from tiocross.transfers.operation import Operation
from tiocross.transfers.summary import Estimate, estimate_from
from tiocross.work import Executor

_LEVEL = 0.95  # share of the chips on which a robust point is right


@dataclass(frozen=True)
class EffectCost:
    """What one effect costs, in shares of the points (unitless); `Estimate` each."""

    effect: str
    robust_without: float  # robust share with this effect switched off
    robust_alone: float  # robust share with all others switched off
    removed: Estimate  # robust share that comes back when it alone is switched off
    alone: Estimate  # robust share that it takes when all others are off
    removed_mean: Estimate  # the same of the mean accuracy
    alone_mean: Estimate

    @property
    def label(self) -> str:
        """What people call the effect."""
        return label_of(self.effect)


@dataclass(frozen=True)
class EffectCosts:
    """What each effect costs a network, the dearest first; print it, or draw it with `plot.effect_costs`.

    Parameters
    ----------
    costs : tuple of EffectCost
        Ranked by the robust share that comes back when the effect alone is switched off.
    robust : float
        Share of the points that are right on at least 95 % of the chips, with all effects (unitless).
    robust_ideal : float
        The same with all effects switched off: the accuracy in software (unitless).
    total : Estimate
        Their difference, and its 95 % interval.
    total_mean : Estimate
        The same of the mean accuracy.
    device_name : str
        The card.
    n_transfers, n_points : int
        Chips and points (unitless).
    notes : tuple of str
        What was extrapolated or cut off, with all effects.
    """

    costs: tuple[EffectCost, ...]
    robust: float
    robust_ideal: float
    total: Estimate
    total_mean: Estimate
    device_name: str
    n_transfers: int
    n_points: int
    notes: tuple[str, ...] = ()

    def __getitem__(self, effect: str) -> EffectCost:
        """The cost of an effect, by its name."""
        for cost in self.costs:
            if cost.effect == effect:
                return cost
        raise KeyError(f"{effect!r}; there are {', '.join(cost.effect for cost in self.costs) or 'none'}")

    def __str__(self):
        lines = [f"{self.n_points} points on {self.n_transfers} simulated chips of {self.device_name}; robust: right on >= "
                 "95 % of chips; 95 % intervals of the differences in brackets",
                 f"robust {self.robust:.3f} with all effects, {self.robust_ideal:.3f} with none: together they cost "
                 f"{self.total}",
                 f"  {'effect':<24}{'comes back without it':<26}costs alone"]
        lines += [f"  {cost.label:<24}{str(cost.removed):<26}{cost.alone}" for cost in self.costs]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def _repr_html_(self):
        """The ranking as a table, for notebooks."""
        rows = [(cost.label, str(cost.removed), str(cost.alone)) for cost in self.costs]
        return table(f"robust share {self.robust:.3f} with all effects, {self.robust_ideal:.3f} with none",
                     ("effect", "comes back without it", "costs alone"), [("", rows)])

    def to_dict(self) -> dict:
        """Everything as plain numbers, for JSON."""
        return {**asdict(self), "costs": [{**asdict(cost), "label": cost.label} for cost in self.costs]}

    def to_csv(self) -> str:
        """A row for each effect, all digits, for a spreadsheet."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        figures = ("removed", "alone", "removed_mean", "alone_mean")
        rows.writerow(["effect", "robust_without", "robust_alone",
                       *(f"{figure}{end}" for figure in figures for end in ("", "_low", "_high"))])
        for cost in self.costs:
            ends = [asdict(getattr(cost, figure))[end] for figure in figures for end in ("value", "low", "high")]
            rows.writerow([cost.effect, cost.robust_without, cost.robust_alone, *ends])
        return text.getvalue()


def effect_costs(network: MLP, dataset: Dataset, *, device: Device, layout: Layout | None = None,
                 wire_resistance: float = 0.0, adaptation: Adaptation = Adaptation(), n_transfers: int | range = 2_000,
                 rng: np.random.Generator, workers: int = 1, executor: Executor | None = None, memory: float = MEMORY,
                 chips: SimulatedFab | None = None, passes: int | Passes = 1, after: float = 0.0,
                 periphery: Periphery | None = None, on_progress: Callable | None = None) -> EffectCosts:
    """What each effect of the chips costs a network, one switched off and one left on at a time.

    Parameters
    ----------
    network : MLP
        The trained network.
    dataset : Dataset
        Test points.
    device : Device
        Its effects are those of `Device.only`; an effect that is off is not looked at.
    layout, wire_resistance, adaptation, n_transfers, rng, workers, executor, memory, chips, passes, after, periphery
        As for `transfer`, which gives the same chips with the same generator. Wires, age and each part of the periphery that
        is not ideal are effects, too; so is programming by pulses, where ``chips`` is a fab.
    on_progress : callable, optional
        Called as ``on_progress(n_done, n_all)`` in chips of all transfers; raise from it to stop.

    Returns
    -------
    EffectCosts
        The effects, the dearest first, with intervals.

    Raises
    ------
    ValueError, TypeError
        As `transfer`; or if there is no effect to switch off.

    Notes
    -----
    Effects do not add up: a point that two effects spoil each by itself comes back only without both. Then both seem cheap
    when switched off, and dear alone.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, effect_costs, tasks
    >>> moons, network = tasks.load_moons(), MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> found = effect_costs(network, moons.test, device=TIO2, n_transfers=100, rng=np.random.default_rng(11))
    >>> sorted(cost.effect for cost in found.costs)
    ['disturb', 'stuck', 'tuning']
    """
    require_generator(rng)
    require_device(device)
    require_matching(network, dataset)
    how = require_judging(dataset, n_transfers=n_transfers, by=who_judges(workers, executor), memory=memory,
                          keep_correct=False)
    conditions = Conditions(device, wire_resistance, Operation(passes, after, periphery, chips))

    def make(some):
        return make_chips(network, some.device, layout=layout, wire_resistance=some.wire_resistance, adaptation=adaptation,
                          operation=some.operation, rng=copy.deepcopy(rng))

    made = {name: make(some) for name, some in settings_of(conditions).items()}  # all that can be refused is refused here
    found = _judge_all(made, dataset, how, on_progress)
    rng.integers(2**63)  # as `transfer` does: the next seed is another
    return _compare(found, conditions)


def settings_of(conditions):
    """All conditions to be judged, by name; ValueError if nothing can be switched off."""
    if not conditions.effects:
        raise ValueError(f"there is nothing to switch off: {conditions.device.name} has no effect, and wires and periphery "
                         "are ideal. Give a device with effects, a wire resistance, or a periphery")
    settings = {"all": conditions, "none": conditions.only()}
    if len(conditions.effects) == 1:
        return settings
    for effect in conditions.effects:
        settings |= {("without", effect): conditions.without(effect), ("only", effect): conditions.only(effect)}
    return settings


def _judge_all(made, dataset, how, on_progress):
    """A `Transfer` of each."""
    found, n_before = {}, 0
    for name, chips in made.items():
        report = on_progress and (lambda n_done, n_chips, n=n_before: on_progress(n + n_done, n_chips * len(made)))
        found[name] = judge_chips(dataset, chips, **how, on_progress=report)
        n_before += found[name].n_transfers
    return found


def _compare(found, conditions):
    """`EffectCosts` of transfers on the same chips."""
    resampled = Resampled(found["all"])
    figures = {name: resampled.figures(transfer) for name, transfer in found.items()}
    whole, ideal, effects = figures["all"], figures["none"], conditions.effects
    costs = []
    for effect in effects:
        without = figures.get(("without", effect), ideal)  # of a single effect
        alone = figures.get(("only", effect), whole)
        costs.append(EffectCost(effect, without.robust, alone.robust, *(difference_of(*pair, name) for name in (
            "robust", "mean") for pair in ((without, whole), (ideal, alone)))))
    costs.sort(key=lambda cost: (-cost.removed.value, -cost.alone.value))
    totals = [difference_of(ideal, whole, name) for name in ("robust", "mean")]
    return EffectCosts(tuple(costs), whole.robust, ideal.robust, *totals, conditions.device.name, found["all"].n_transfers,
                       len(found["all"].rates), found["all"].notes)


class _Figures:
    """Robust share and mean accuracy of one transfer, and what they are on each resample of chips and points."""

    def __init__(self, rates, replicate_rates, weights):
        self.robust, self.mean = float((rates >= _LEVEL - ROUNDING).mean()), float(rates.mean())
        self.robust_replicates = (weights * (replicate_rates >= _LEVEL - ROUNDING)).sum(axis=1, dtype=np.float64)
        self.mean_replicates = (weights * replicate_rates).sum(axis=1, dtype=np.float64)


class Resampled:
    """The resamples that all transfers on the chips of one of them have in common."""

    def __init__(self, transfer):
        rng = np.random.default_rng(transfer.chips[0].seed)
        rng.permutation(len(transfer.rates))  # the order of the points in the sums, drawn first as by the summary
        self._chips = Groups(transfer.n_transfers, rng)
        self._weights = Groups(len(transfer.rates), rng).member_weights()

    def figures(self, transfer):
        """`_Figures` of a transfer."""
        by_chips = transfer.sums.by_chips
        rates = by_chips.sum(axis=0, dtype=np.float64) / transfer.n_transfers
        return _Figures(rates, self._chips.mean(by_chips.astype(np.float32)), self._weights)


def difference_of(better, worse, name):
    """`Estimate` of a figure under one condition less that under another."""
    replicates = getattr(better, f"{name}_replicates") - getattr(worse, f"{name}_replicates")
    return estimate_from(getattr(better, name) - getattr(worse, name), replicates, low=-1.0, high=1.0)
