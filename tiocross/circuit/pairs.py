"""Two devices in series that carry one current: their law together, and how the voltage splits between them.

The current I of a pair solves v(I) + w(I) = V, where v and w are the voltages that the two need for it. One of these is at
least V / 2, so I is at least the lesser of their currents at V / 2. It is at most the lesser one at V. Newton's method for
the logarithm of I, kept between these, settles in some five steps.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tiocross.circuit.law import Law, as_law

_MOST_STEPS = 200  # halvings would need some 60
_SETTLED = 2.0**-50  # of a voltage: what is left of it when the search ends
_LARGEST = 1e300  # [A]


@dataclass(frozen=True, eq=False, repr=False)
class Pair(Law):
    """A memristor and what lies in series with it, with conductances [S] and laws of their own; an open one opens the pair.

    The conductances that its methods are given are those of the pairs at 0 V, or 0 S where there is none."""

    conductances: ArrayLike
    others: ArrayLike
    law: Law | None
    other_law: Law | None

    def __post_init__(self):
        pass  # both were checked as parts of a crossbar

    @property
    def parameters(self):
        """Conductances of both, then the parameters of both laws."""
        return (self.conductances, self.others, *as_law(self.law).parameters, *as_law(self.other_law).parameters)

    def with_parameters(self, values):
        """The same laws with other parameters, in their order."""
        count = 2 + len(as_law(self.law).parameters)
        laws = zip((self.law, self.other_law), (values[2:count], values[count:]))
        return Pair(*values[:2], *(None if law is None else law.with_parameters(given) for law, given in laws))

    def require_fitting(self, conductances):
        """Both were checked before."""

    @property
    def elements(self):
        """Both laws, with their conductances."""
        return tuple(zip(self._laws, (self.conductances, self.others)))

    def currents(self, conductances, voltages):
        """Current of each pair [A]."""
        return self.follow(conductances, voltages)[0]

    def slopes(self, conductances, voltages):
        """Slope dI/dV of each pair [S]."""
        return self.follow(conductances, voltages)[1]

    def voltages(self, conductances, currents):
        """Voltage across each pair that is not open [V]."""
        first, second = self._laws
        return first.voltages(self.conductances, currents) + second.voltages(self.others, currents)

    def follow(self, conductances, voltages):
        """Currents and slopes together [A, S]."""
        currents, slopes, _ = self._solve(conductances, voltages)
        return currents, slopes

    def split(self, conductances, voltages):
        """Voltages across the memristors and across what lies in series [V]; across whatever is open, all of it."""
        _, _, first = self._solve(conductances, voltages)
        return first, voltages - first

    def least_slopes(self, conductances):
        """Least slope of each pair at any voltage [S]."""
        first, second = self._laws
        least = in_series(first.least_slopes(self.conductances), second.least_slopes(self.others))
        return np.where(conductances > 0, least, 0.0)

    def by_conductance(self, conductances, voltages):
        """Derivative of each current by the conductance of the memristor [A/S]."""
        first, second = self._laws
        _, _, share = self._solve(conductances, voltages)
        slope, other = first.slopes(self.conductances, share), second.slopes(self.others, voltages - share)
        passed = np.where(other > 0, 1.0 / (1.0 + slope / np.where(other > 0, other, 1.0)), 0.0)
        return first.by_conductance(self.conductances, share) * passed

    @property
    def _laws(self):
        return as_law(self.law), as_law(self.other_law)

    def _solve(self, conductances, voltages):
        """Currents and slopes of the pairs, and voltages across their memristors."""
        parameters = np.broadcast_arrays(voltages, conductances, *self.parameters)
        voltages, conductances = parameters[:2]
        there = (conductances > 0) & (voltages != 0)
        at_rest = voltages == 0
        currents, slopes = np.zeros(voltages.shape), np.where(at_rest, conductances, 0.0)
        first = np.where((parameters[2] > 0) | (parameters[3] == 0), 0.0, voltages)  # all of it where it is open
        if there.any():
            chosen = self.with_parameters([values[there] for values in parameters[2:]])
            currents[there], slopes[there], first[there] = chosen._search(voltages[there])
        return currents, slopes, first

    def _search(self, voltages):
        """The same of pairs of which nothing is open, at voltages (K,) that are not zero."""
        first, second = self._laws
        both = (first, self.conductances), (second, self.others)
        with np.errstate(over="ignore", invalid="ignore"):
            high, low = (np.minimum(*(np.abs(law.currents(g, share * voltages)) for law, g in both)) for share in (1.0, 0.5))
        high, low, sign = np.minimum(high, _LARGEST), np.minimum(low, _LARGEST), np.sign(voltages)
        size = high
        for _ in range(_MOST_STEPS):
            shares = [law.voltages(g, sign * size) for law, g in both]
            with np.errstate(over="ignore"):
                each = [law.slopes(g, share) for (law, g), share in zip(both, shares)]
            slope = in_series(*each)
            wrong = sign * (shares[0] + shares[1] - voltages)
            todo = np.abs(wrong) > _SETTLED * (np.abs(voltages) + size / slope)  # rounding of the current counts too
            if not todo.any():
                break
            high, low = np.where(wrong > 0, size, high), np.where(wrong < 0, size, low)
            step = -wrong * slope / size
            inside = (step <= np.log(high / size)) & (step >= np.log(low / size))
            following = np.where(inside, size * np.exp(np.where(inside, step, 0.0)), np.sqrt(low) * np.sqrt(high))
            size = np.where(todo, following, size)
        steeper = each[0] > each[1]  # and so knows its voltage better
        return sign * size, slope, np.where(steeper, shares[0], voltages - shares[1])


def in_series(first, second):
    """Conductances in series, 0 where one is [S]."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    return low / (1.0 + np.divide(low, high, out=np.zeros(np.shape(low)), where=high > 0))
