"""Rows of a study as its page needs them: figures of a row over training seeds, with intervals."""

import numpy as np


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
        """Mean over seeds, lower end of the lowest and upper end of the highest 95 % interval of a seed."""
        rows = self.of(name, wire)
        lows, highs = zip(*(row["intervals"][column] for row in rows))
        return float(np.mean([row[column] for row in rows])), min(lows), max(highs)
