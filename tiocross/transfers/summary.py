"""Figures of a transfer over thousands of simulated chips, each with its 95 % interval.

Points share the chips and chips share the points, so an interval resamples both, in groups (`tiocross.intervals.Groups`).
Its ends are percentiles of the resampled figure less its bias, the difference of its mean from the figure: a sample of a
sample scatters twice, which shifts a figure that depends on a threshold or a tail to one side. The interval always holds
the figure itself. On simulated populations it covered the truth in 84 to 95 % of repetitions, except the robust fraction
at 99 % with 1000 chips or fewer (54 to 74 %): with so few chips a rate is hardly known to 1 %.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

import numpy as np

from tiocross.checks import kind_of, require_name
from tiocross.intervals import MOST_GROUPS, N_REPLICATES, NORMAL_975, ROUNDING, Groups, percentile
from tiocross.shown import table

_CHIPS_AT_ONCE = 65_536  # turned into single precision together
_MOST_MEANS = 20_000_000  # of chips on resampled points, in memory


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self):
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Summary:
    """What a transfer says about a network; print it."""

    nominal_accuracy: Estimate  # share of points right in software
    mean_accuracy: Estimate  # accuracy averaged over chips
    p05_accuracy: Estimate  # 5th percentile of the accuracy over chips: 95 % of the chips are better
    robust_fraction_95: Estimate  # share of points right on at least 95 % of the chips
    robust_fraction_99: Estimate  # and on at least 99 %
    n_undecided: Estimate  # points whose rate is too near 95 % to tell on which side it is, see `count_undecided`
    n_transfers: int
    n_points: int
    notes: tuple[str, ...] = ()  # what of the device's model was stretched beyond what was measured

    def __str__(self):
        undecided, strict = self.n_undecided, self.robust_fraction_99
        return "\n".join([
            f"{self.n_points} points on {self.n_transfers} simulated chips; 95 % intervals in brackets",
            f"  nominal accuracy            {self.nominal_accuracy}",
            f"  right on >= 95 % of chips   {self.robust_fraction_95}",
            f"  mean accuracy               {self.mean_accuracy}",
            f"  5th percentile              {self.p05_accuracy}",
            f"  right on >= 99 % of chips   {strict.value:.2f}  [{strict.low:.2f}, {strict.high:.2f}]  "
            f"(rests on {self.n_transfers / 100:.3g} chips)",
            f"  points undecided at 95 %    {undecided.value:.0f} [{undecided.low:.0f}, {undecided.high:.0f}]",
            *(f"  {note}" for note in self.notes),
        ])

    def _repr_html_(self):
        """The summary as a table, for notebooks."""
        digits = {"robust_fraction_99": 2, "n_undecided": 0}  # the first rests on few chips
        rows = [(title, *(f"{end:.{digits.get(name, 3)}f}" for end in asdict(getattr(self, name)).values()))
                for name, title in _TITLES.items()]
        return table(f"{self.n_points} points on {self.n_transfers} simulated chips; shares of one, with 95 % intervals",
                     ("", "value", "from", "to"), [("", rows)])

    def to_dict(self) -> dict:
        """The figures as plain numbers: for each its value and the ends of its 95 % interval (unitless); then the notes."""
        return {**asdict(self), "notes": list(self.notes)}


_TITLES = {"nominal_accuracy": "nominal accuracy", "robust_fraction_95": "points right on at least 95 % of the chips",
           "mean_accuracy": "mean accuracy", "p05_accuracy": "5th percentile of the accuracy",
           "robust_fraction_99": "points right on at least 99 % of the chips", "n_undecided": "points undecided at 95 %"}


def tabulate_summaries(summaries: Mapping, *, form: str = "csv") -> str:
    """Summaries of several networks as one table, for a spreadsheet or a paper.

    Parameters
    ----------
    summaries : dict of str to Summary
        The name of each row, and what it shows.
    form : str, optional
        "csv": each figure and the ends of its interval in columns; "latex": a tabular with the intervals in brackets.

    Returns
    -------
    str
        The table.

    Raises
    ------
    ValueError
        If the form is unknown or there is nothing to show.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, tabulate_summaries, tasks, transfer
    >>> moons, network = tasks.load_moons(), MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> outcome = transfer(network, moons.test, device=TIO2, n_transfers=100, rng=np.random.default_rng(11))
    >>> print(tabulate_summaries({"untrained": outcome.summary()})[:33])
    name,nominal_accuracy,nominal_acc
    """
    require_name("form", form, ("csv", "latex"))
    if not summaries:
        raise ValueError("there must be at least one summary to show; got none")
    for summary in summaries.values():
        if not isinstance(summary, Summary):
            raise TypeError(f"summaries must be those that Transfer.summary gives; got {kind_of(summary)}")
    return (_as_csv if form == "csv" else _as_latex)(summaries)


def _as_csv(summaries):
    figures = [place.name for place in fields(Summary) if place.name not in (*_COUNTS, "notes")]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", *(f"{name}{end}" for name in figures for end in ("", "_low", "_high")), *_COUNTS])
    for row, summary in summaries.items():
        ends = [getattr(getattr(summary, name), end) for name in figures for end in ("value", "low", "high")]
        table.writerow([row, *ends, summary.n_transfers, summary.n_points])
    return text.getvalue()


_COUNTS = ("n_transfers", "n_points")
_LATEX_COLUMNS = (("nominal_accuracy", "nominal"), ("robust_fraction_95", r"robust 95\,\%"), ("mean_accuracy", "mean"),
                  ("p05_accuracy", "5th percentile"))
_LATEX_SPECIAL = str.maketrans({letter: "\\" + letter for letter in "&%$#_{}"} |
                               {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"})


def _as_latex(summaries):
    titles = " & ".join(["", *(title for _, title in _LATEX_COLUMNS)])
    lines = [r"\begin{tabular}{l" + "r" * len(_LATEX_COLUMNS) + "}", titles + r" \\ \hline"]
    for row, summary in summaries.items():
        figures = (str(getattr(summary, name)) for name, _ in _LATEX_COLUMNS)
        lines.append(" & ".join([str(row).translate(_LATEX_SPECIAL), *figures]) + r" \\")
    return "\n".join([*lines, r"\end{tabular}", ""])


def robust_fraction(rates, level):
    """Share of points that are right on at least a fraction ``level`` of the chips, from their ``rates`` (n_points,)."""
    return float((np.asarray(rates) >= level - ROUNDING).mean())


def count_undecided(rates, n_transfers, level=0.95):
    """Number of points whose 95 % Wilson interval holds ``level``: more chips could move them to either side.

    The Wilson interval of a rate holds the level where |rate - level| <= z sqrt(level (1 - level) / n_transfers).
    """
    return int((np.abs(np.asarray(rates) - level) <= _undecided_band(level, n_transfers)).sum())


class GroupSums(NamedTuple):
    """How often chips were right, summed over groups: ``by_chips`` (n_chip_groups, n_points) with the points in a random
    order, ``by_points`` (n_transfers, n_point_groups)."""

    by_chips: np.ndarray
    by_points: np.ndarray


def summarise(correct, nominally_correct, *, rng):
    """`Summary` of ``correct`` (n_transfers, n_points) on chips and ``nominally_correct`` (n_points,) in software."""
    order = rng.permutation(correct.shape[1])
    return summarise_sums(sum_groups(correct, order), nominally_correct[order], rng=rng)


def summarise_sums(sums, nominally_correct, *, rng):
    """`summarise` from sums over groups, with the points in their order, which ``rng`` has just drawn."""
    n_transfers, n_points = len(sums.by_points), len(nominally_correct)
    band = _undecided_band(0.95, n_transfers)
    chips, points = Groups(n_transfers, rng), Groups(n_points, rng)
    rates = sums.by_chips.sum(axis=0, dtype=np.float64) / n_transfers
    accuracies = sums.by_points.sum(axis=1, dtype=np.float64) / n_points
    values = (nominally_correct.mean(), accuracies.mean(), percentile(accuracies, 0.05), robust_fraction(rates, 0.95),
              robust_fraction(rates, 0.99), count_undecided(rates, n_transfers))
    replicate_rates = chips.mean(sums.by_chips.astype(np.float32))  # (N_REPLICATES, n_points)
    weights = points.member_weights()
    replicates = (
        weights @ nominally_correct,
        (weights * replicate_rates).sum(axis=1),
        [percentile(chips.of_members(k, row), 0.05) for k, row in enumerate(_means_of_chips(sums.by_points, points))],
        (weights * (replicate_rates >= 0.95 - ROUNDING)).sum(axis=1),
        (weights * (replicate_rates >= 0.99 - ROUNDING)).sum(axis=1),
        n_points * (weights * (np.abs(replicate_rates - 0.95) <= band)).sum(axis=1),
    )
    tops = (1.0, 1.0, 1.0, 1.0, 1.0, n_points)
    figures = (estimate_from(*figure, high=top) for *figure, top in zip(values, replicates, tops))
    return Summary(*figures, n_transfers=n_transfers, n_points=n_points)


def _means_of_chips(by_points, points):
    """Yield the accuracy of all chips, (n_transfers,), on each resample of the points.

    Sums are whole numbers, exact in single precision, so that some chips and resamples at a time give the same."""
    at_once = max(1, _MOST_MEANS // len(by_points))
    for first in range(0, N_REPLICATES, at_once):
        means = np.empty((min(at_once, N_REPLICATES - first), len(by_points)), dtype=np.float32)
        for start in range(0, len(by_points), _CHIPS_AT_ONCE):
            part = slice(start, start + _CHIPS_AT_ONCE)
            means[:, part] = points.mean(by_points[part].astype(np.float32).T, slice(first, first + len(means)))
        yield from means


def estimate_from(value, replicates, *, low=0.0, high=1.0):
    """Estimate with the percentiles of the replicates less their bias, within [low, high] and holding the value."""
    value = float(value)
    ends = np.percentile(replicates, [2.5, 97.5]) - (np.mean(replicates, dtype=np.float64) - value)
    return Estimate(value, float(min(max(ends[0], low), value)), float(max(min(ends[1], high), value)))


def sum_groups(correct, order):
    """`GroupSums` of ``correct`` (n_transfers, n_points), with the points in the given order."""
    n_transfers, n_points = correct.shape
    n_chip_groups, n_point_groups = min(n_transfers, MOST_GROUPS), min(n_points, MOST_GROUPS)
    by_chips = np.zeros((n_chip_groups, n_points), dtype=np.uint32)
    by_points = np.zeros((n_transfers, n_point_groups), dtype=np.uint32)
    for start in range(0, n_transfers, n_chip_groups):
        part = correct[start : start + n_chip_groups].take(order, axis=1)
        by_chips[: len(part)] += part
        for first in range(0, n_points, n_point_groups):
            columns = part[:, first : first + n_point_groups]
            by_points[start : start + len(part), : columns.shape[1]] += columns
    return GroupSums(by_chips, by_points)


def _undecided_band(level, n_transfers):
    return NORMAL_975 * np.sqrt(level * (1 - level) / n_transfers)
