"""What was counted on some of a seed's chips: small, picklable, put together in any way.

Verdicts are counted as they come and not kept, unless asked for. What the intervals of a summary need are sums over groups
of chips and over groups of points (`tiocross.intervals.Groups`): chip k of a seed belongs to group k % 200, and points are
dealt out in an order that only the seed tells. So the tallies of any parts of the chips add up to that of all of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tiocross.checks import kind_of
from tiocross.intervals import MOST_GROUPS
from tiocross.records import short_text
from tiocross.transfers.tally_kernel import count_verdicts


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts over chips ``first`` to ``first + n_chips - 1`` of a seed, with the points in `order_of_points`.

    Parameters
    ----------
    seed, first : int
        Seed of the chips, and number of the first one.
    by_chips : (200, n_points) unsigned int ndarray
        How often each point was right on the chips k with k % 200 = 0, 1, ... (unitless).
    by_points : (n_chips, n_groups) unsigned int ndarray
        At how many points k with k % n_groups = 0, 1, ... each chip is right (unitless).
    confusion : (n_classes, n_classes) int ndarray
        How often a point of class i was given class j (unitless).
    correct : (n_chips, n_points) bool ndarray or None
        Every verdict, with the points as in the dataset, if it was asked for.
    cut : (n_layers, 4, 2) int ndarray or None
        Signals that electronics cut off, of how many, at each place of `signals.KINDS`; None where it is ideal (unitless).
    """

    seed: int
    first: int
    by_chips: np.ndarray
    by_points: np.ndarray
    confusion: np.ndarray
    correct: np.ndarray | None = None
    cut: np.ndarray | None = None

    def __repr__(self):
        return short_text(self)

    @property
    def n_chips(self) -> int:
        """Number of chips (unitless)."""
        return len(self.by_points)

    @property
    def numbers(self) -> range:
        """Numbers of the chips."""
        return range(self.first, self.first + self.n_chips)

    @classmethod
    def merged(cls, tallies: Iterable["Tally"]) -> "Tally":
        """One tally of the chips of all, which follow each other; taken one by one, so they may come from a generator."""
        parts, by_chips, confusion, cut, first = [], None, 0, None, None
        for tally in tallies:
            if not isinstance(tally, Tally):
                raise TypeError(f"only tallies can be merged; got {kind_of(tally)}")
            if first is None:
                first, by_chips = tally, tally.by_chips.astype(np.uint32)
            else:
                _require_next(tally, first, first.first + sum(len(part[0]) for part in parts))
                by_chips += tally.by_chips
            confusion, cut = confusion + tally.confusion, add_cut(cut, tally.cut)
            parts.append((tally.by_points, tally.correct))
        if first is None:
            raise ValueError("there must be at least one tally to merge; got none")
        by_points, correct = ([part[k] for part in parts] for k in (0, 1))
        by_points = np.concatenate(by_points)
        return cls(first.seed, first.first, by_chips.astype(_type_of_sums(len(by_points))), by_points, confusion,
                   None if first.correct is None else np.concatenate(correct), cut)


class Counter:
    """Counts the verdicts on ``n_chips`` chips that follow each other from ``first`` on, part by part."""

    def __init__(self, seed, first, n_chips, labels, n_classes):
        self.order = order_of_points(seed, len(labels))
        n_groups = min(len(labels), MOST_GROUPS)
        self._seed, self._first, self._n_counted = seed, first, 0
        self._labels = labels[self.order].astype(np.uint8)
        self._by_chips = np.zeros((MOST_GROUPS, len(labels)), dtype=_type_of_sums(n_chips))
        self._by_points = np.zeros((n_chips, n_groups), dtype=np.min_scalar_type(-(-len(labels) // n_groups)))
        self._wrong, self._cut = np.zeros((n_classes, n_classes), dtype=np.int64), None

    def count(self, classes, cut=None):
        """(n_chips, n_points) uint8 classes that the next chips give to the points in their order, and what was cut off."""
        self._cut = add_cut(self._cut, cut)
        here = slice(self._n_counted, self._n_counted + len(classes))
        group = (self._first + self._n_counted) % MOST_GROUPS
        count_verdicts(classes, self._labels, group, self._by_chips, self._by_points[here], self._wrong)
        self._n_counted = here.stop

    def tally(self, correct=None):
        """`Tally` of all that was counted."""
        n_classes = len(self._wrong)
        right = np.bincount(self._labels, self._by_chips.sum(axis=0, dtype=np.float64), n_classes).astype(np.int64)
        confusion = self._wrong + np.diag(right)
        if n_classes == 2:
            confusion[[0, 1], [1, 0]] = np.bincount(self._labels, minlength=2) * self._n_counted - right
        return Tally(self._seed, self._first, self._by_chips, self._by_points, confusion, correct, self._cut)


def add_cut(one, other):
    """Counts of signals that were cut off, added; either may be None, for none."""
    return other if one is None else one if other is None else one + other


def order_of_points(seed, n_points):
    """(n_points,) indices of the points in the order in which they are dealt out to groups."""
    return np.random.default_rng(seed).permutation(n_points)


def _type_of_sums(n_chips):
    """The smallest unsigned type that holds sums over groups of so many chips."""
    return np.min_scalar_type(-(-n_chips // MOST_GROUPS))


def smallest(counts):
    """The same counts in the smallest unsigned type."""
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))


def _require_next(tally, first, start):
    """Raise ValueError unless a tally is of the chips from ``start`` on, of the seed and points of the first one."""
    alike = (tally.seed == first.seed and tally.by_chips.shape == first.by_chips.shape
             and tally.confusion.shape == first.confusion.shape and (tally.correct is None) == (first.correct is None))
    if not alike or tally.first != start:
        raise ValueError(f"tallies to be merged must be of one seed, on the same points, of chips that follow each other; "
                         f"expected chip {start} of seed {first.seed} next, got {tally!r}")
