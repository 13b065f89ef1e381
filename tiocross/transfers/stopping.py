"""When enough chips are judged: looks stated beforehand, and an interval that all of them together keep.

More chips tell the rates of the given points better; they tell nothing of other points. So what is to become narrow is the
interval of the robust share *of these points*, over chips alone. (The summary's interval, over chips and points, has a part
of the points that stays.) Chips are looked at when their number is 1000, 2000, 4000, ..., and at the end. With K looks each
interval is one of confidence 1 - 0.05 / K, so that all K hold the truth in 95 % of the runs at least, and with them the one
at which the run ends, whatever the rule to end (Bonferroni). It reaches z_K r to both sides, where r is the root mean
square of the resampled shares about the share: scatter, and the shift that a threshold gives to a plug-in figure. A run
must not end because few points happen to lie near the threshold just then, so r is a mean over thresholds within two
standard errors of a rate.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from tiocross.checks import as_number
from tiocross.intervals import MOST_GROUPS, ROUNDING, Groups

_N_LEVELS = 9
FIRST_LOOK = 1_000  # chips; five for each of the groups that are resampled


class Known(NamedTuple):
    """What the chips so far tell of the robust share of the given points (unitless)."""

    value: float
    low: float
    high: float

    @property
    def half_width(self):
        """Half of the width of the interval (unitless)."""
        return (self.high - self.low) / 2


def as_until(until):
    """Float of ``until``, above zero, or None."""
    if until is None:
        return None
    until = as_number("until", until, low=0.0, high=0.5)
    if until == 0.0:
        raise ValueError("until must be above zero; without it all chips are judged")
    return until


def looks_at(numbers, until):
    """Parts of the chips, ranges, with a look after each; without ``until`` one part."""
    cuts, n_chips = [numbers.start], FIRST_LOOK
    while until is not None and n_chips < len(numbers):
        cuts.append(numbers.start + n_chips)
        n_chips *= 2
    cuts.append(numbers.stop)
    return [range(*ends) for ends in zip(cuts, cuts[1:])]


def robust_share_so_far(tally, n_looks):
    """`Known` from a `Tally`, as one of ``n_looks`` looks."""
    n_chips = tally.n_chips
    by_chips = np.roll(tally.by_chips, -(tally.first % MOST_GROUPS), axis=0)[:n_chips].astype(np.float32)
    return robust_interval(by_chips, n_chips, n_looks, np.random.default_rng([tally.seed, n_chips]))


def robust_interval(by_chips, n_chips, n_looks, rng):
    """The same from ``by_chips`` (n_groups, n_points): how often points were right on the chips k with k % n_groups = 0, 1,
    ...; ``rng`` resamples them."""
    rates = by_chips.sum(axis=0, dtype=np.float64) / n_chips
    resampled = Groups(n_chips, rng).mean(by_chips.astype(np.float32))
    levels = 0.95 + np.linspace(-2, 2, _N_LEVELS) * math.sqrt(0.95 * 0.05 / n_chips)
    squares = [np.mean((_share(resampled, level) - _share(rates, level)) ** 2) for level in levels]
    reach = NormalDist().inv_cdf(1 - 0.025 / n_looks) * math.sqrt(np.mean(squares))
    share = float(_share(rates, 0.95))
    return Known(share, max(share - reach, 0.0), min(share + reach, 1.0))


def describe_end(known, n_chips, n_all, n_looks):
    """A sentence on where a run with ``until`` ended, for the notes."""
    so_far = f"ended after {n_chips} of {n_all} chips" if n_chips < n_all else f"all {n_all} chips were needed"
    return (f"{so_far}: right on >= 95 % of chips are {known.value:.4f} [{known.low:.4f}, {known.high:.4f}] of these points "
            f"(chips alone; 95 % over {n_looks} looks)")


def _share(rates, level):
    """Share of points, on the last axis, that are right on at least a fraction ``level`` of the chips."""
    return (rates >= level - ROUNDING).mean(axis=-1)
