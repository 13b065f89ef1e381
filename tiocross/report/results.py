"""Rows of a study as its page needs them: figures of a row over training seeds, with intervals."""

from typing import NamedTuple

import numpy as np

from tiocross.intervals import normal_intervals
from tiocross.units import percent

_FEWEST_SEEDS = 3  # from which Student's interval of a difference tells something


class Figure(NamedTuple):
    """A figure with its 95 % interval, all in percent (unitless)."""

    value: float
    low: float
    high: float

    def __str__(self):
        return f"{self.value:.1f}\N{NO-BREAK SPACE}% [{self.low:.1f},\N{NO-BREAK SPACE}{self.high:.1f}]"


class Results:
    """The rows of ``summary.json``: names and wire resistances in their order, and figures over the seeds."""

    def __init__(self, summary):
        self.rows = summary["rows"]
        self.names = list(dict.fromkeys(row["name"] for row in self.rows))
        self.wires = list(dict.fromkeys(row["wire_resistance"] for row in self.rows))
        self.seeds = list(dict.fromkeys(row["seed"] for row in self.rows))

    def of(self, name, wire):
        """Rows of one name and wire resistance, a seed each."""
        return [row for row in self.rows if row["name"] == name and row["wire_resistance"] == wire]

    def figure(self, name, wire, column):
        """Mean over seeds, from the lower end of the lowest to the upper end of the highest interval of a seed."""
        rows = self.of(name, wire)
        ends = [row.get("intervals", {}).get(column, [row[column]] * 2) for row in rows]
        value = float(np.mean([row[column] for row in rows]))
        return Figure(*(number / percent for number in (value, min(low for low, _ in ends), max(high for _, high in ends))))

    def difference(self, one, other, wire, column):
        """Mean of one row less another's over the seeds of both, with Student's interval; None where these are too few."""
        first, second = ({row["seed"]: row[column] for row in self.of(name, wire)} for name in (one, other))
        apart = np.array([first[seed] - second[seed] for seed in first if seed in second]) / percent
        if len(apart) < _FEWEST_SEEDS:
            return None
        (low, high), _ = normal_intervals(apart)
        return Figure(float(apart.mean()), float(low), float(high))
