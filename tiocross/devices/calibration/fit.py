"""What every fit of measured data gives, and how it is shown to people."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tiocross.records import declared
from tiocross.shown import SCALES

SUSPICIOUS = 0.01  # a goodness below this is a warning
_ARE_CHANGES = ("median", "std")  # estimates that are no fields of the effect but have the unit of its `changes`
_MOST_ROWS = 6  # of a table, when it is shown to people


@dataclass(frozen=True, eq=False)
class Fit:
    """One effect of a device, fitted to measured data; print it. Estimates and intervals are in the units of ``value``."""

    value: Any  # TuningError, DisturbQuantiles, StuckDevices, LineFailures or Retention
    estimates: dict  # name -> float, or (n_k,) ndarray that belongs to the `n_later_writes` of ``value``
    intervals: dict  # name -> ends (low, high) of the 95 % interval; what the data do not tell has none
    n_samples: int  # measured values used
    test: str  # name of the test of goodness
    goodness: float  # its p-value: the probability of data at least as odd if the model is right
    warning: str = ""  # what does not fit
    units: dict = field(default_factory=dict)  # of estimates that are no fields of ``value``: unit, and that for people

    def __repr__(self):
        warning = f"; WARNING: {self.warning}" if self.warning else ""
        return f"<Fit of {type(self.value).__name__} to {self.n_samples} values, p = {self.goodness:.2g}{warning}>"

    def to_json(self):
        """The fit as plain numbers and texts: a list with every estimate and its interval, in the unit that it states."""
        estimates = []
        for name, estimate in self.estimates.items():
            rules = self._rules(name)
            places = self.value.n_later_writes if np.ndim(estimate) else [None]
            ends = [np.atleast_1d(end) for end in self.intervals.get(name, ())]
            for k, value in enumerate(np.atleast_1d(estimate)):
                estimates.append({
                    "name": name, "unit": rules["unit"], "shown": rules["shown"],
                    "k [-]": None if places[k] is None else float(places[k]), "value": float(value),
                    "interval": [float(end[k]) for end in ends] or None})
        return {"law": str(self.value), "n_samples [-]": int(self.n_samples), "test": self.test,
                "goodness [-]": float(self.goodness), "warning": self.warning, "estimates": estimates}

    def _rules(self, name):
        if name in self.units:
            return dict(zip(("unit", "shown"), self.units[name]))
        return declared(self.value)["changes" if name in _ARE_CHANGES else name]

    def __str__(self):
        lines = [str(self.value)]
        for name, value, bounds, unit in self.rows():
            space = f" {unit}" if unit else ""
            lines.append(f"  {name}: {value}{space}, 95 % interval {f'{bounds}{space}' if bounds[0] == '[' else bounds}")
        lines.append(f"  {self.n_samples} values; {self.test}: p = {self.goodness:.2g}")
        return "\n".join(lines + ([f"  WARNING: {self.warning}"] if self.warning else []))

    def rows(self):
        """Name, value, interval and unit of each estimate as texts; of long tables a few rows."""
        for name, estimate in self.estimates.items():
            yield from self._rows_of(name, np.atleast_1d(estimate))

    def _rows_of(self, name, estimates):
        unit = self._rules(name)["shown"]
        scale = SCALES.get(unit, 1.0)
        low, high = (np.atleast_1d(end) / scale for end in self.intervals.get(name, (math.nan, math.nan)))
        for k in np.unique(np.linspace(0, len(estimates) - 1, _MOST_ROWS).round().astype(int)):
            where = f" at k = {self.value.n_later_writes[k]:.3g}" if len(estimates) > 1 else ""
            bounds = f"[{low[k]:.3g}, {high[k]:.3g}]" if name in self.intervals else "not told by these data"
            yield f"{name}{where}", f"{estimates[k] / scale:.3g}", bounds, unit


def describe_shape(values):
    """What makes standardised residuals look other than normal: outliers, skewness, heavy or cut tails."""
    n = len(values)
    z = (values - values.mean()) / values.std()
    skewness, excess = (z**3).mean(), (z**4).mean() - 3
    found = []
    if n_far := int((np.abs(values) > 4).sum()):
        found.append(f"{n_far} of {n} lie beyond 4 standard deviations (outliers)")
    if abs(skewness) > 3 * math.sqrt(6 / n):
        found.append(f"they are skewed (skewness {skewness:.2g})")
    if not found:
        tails = "cut tails, as a tolerance band leaves them" if excess < 0 else "heavy tails"
        found.append(f"they have {tails} (excess kurtosis {excess:.2g})")
    return ", ".join(found)
