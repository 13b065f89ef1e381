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

_MOST_COUNTED = 2**16 - 1  # of verdicts in a number of 16 bits


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
    """

    seed: int
    first: int
    by_chips: np.ndarray
    by_points: np.ndarray
    confusion: np.ndarray
    correct: np.ndarray | None = None

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
        parts, by_chips, confusion, first = [], None, 0, None
        for tally in tallies:
            if not isinstance(tally, Tally):
                raise TypeError(f"only tallies can be merged; got {kind_of(tally)}")
            if first is None:
                first, by_chips = tally, tally.by_chips.astype(np.uint32)
            else:
                _require_next(tally, first, first.first + sum(len(part[0]) for part in parts))
                by_chips += tally.by_chips
            confusion = confusion + tally.confusion
            parts.append((tally.by_points, tally.correct))
        if first is None:
            raise ValueError("there must be at least one tally to merge; got none")
        by_points, correct = ([part[k] for part in parts] for k in (0, 1))
        return cls(first.seed, first.first, smallest(by_chips), np.concatenate(by_points), confusion,
                   None if first.correct is None else np.concatenate(correct))


class Counter:
    """Counts the verdicts on some chips that follow each other, part by part."""

    def __init__(self, seed, first, labels, n_classes):
        self.order = order_of_points(seed, len(labels))
        self._seed, self._first, self._n_counted, self._n_classes = seed, first, 0, n_classes
        self._labels = labels[self.order].astype(np.uint8)
        self._by_chips = np.zeros((MOST_GROUPS, len(labels)), dtype=np.uint32)
        self._parts, self._wrong = [], np.zeros((n_classes, n_classes), dtype=np.int64)

    def count(self, classes):
        """(n_chips, n_points) uint8 classes that the next chips give to the points in their order."""
        for start in range(0, len(classes), _MOST_COUNTED):
            self._count(classes[start : start + _MOST_COUNTED])

    def _count(self, classes):
        by_chips = np.zeros(self._by_chips.shape, dtype=np.uint16)
        by_points = np.zeros((len(classes), min(classes.shape[1], MOST_GROUPS)), dtype=np.uint16)
        count_verdicts(classes, self._labels, (self._first + self._n_counted) % MOST_GROUPS, by_chips, by_points, self._wrong)
        self._by_chips += by_chips
        self._parts.append(by_points.astype(smallest_type(-(-classes.shape[1] // by_points.shape[1]))))
        self._n_counted += len(classes)

    def tally(self, correct=None):
        """`Tally` of all that was counted."""
        right = np.bincount(self._labels, self._by_chips.sum(axis=0, dtype=np.float64), self._n_classes).astype(np.int64)
        confusion = self._wrong + np.diag(right)
        if self._n_classes == 2:
            confusion[[0, 1], [1, 0]] = np.bincount(self._labels, minlength=2) * self._n_counted - right
        return Tally(self._seed, self._first, smallest(self._by_chips), np.concatenate(self._parts), confusion, correct)


def order_of_points(seed, n_points):
    """(n_points,) indices of the points in the order in which they are dealt out to groups."""
    return np.random.default_rng(seed).permutation(n_points)


def smallest_type(most):
    """The smallest unsigned type that holds counts up to ``most``."""
    return np.min_scalar_type(int(most))


def smallest(counts):
    """The same counts in the smallest unsigned type."""
    return counts.astype(smallest_type(counts.max(initial=0)))


def _require_next(tally, first, start):
    """Raise ValueError unless a tally is of the chips from ``start`` on, of the seed and points of the first one."""
    alike = (tally.seed == first.seed and tally.by_chips.shape == first.by_chips.shape
             and tally.confusion.shape == first.confusion.shape and (tally.correct is None) == (first.correct is None))
    if not alike or tally.first != start:
        raise ValueError(f"tallies to be merged must be of one seed, on the same points, of chips that follow each other; "
                         f"expected chip {start} of seed {first.seed} next, got {tally!r}")
