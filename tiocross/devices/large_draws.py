"""Draws of what writes leave behind in large networks: the law of `writes`, in single precision and in one compiled pass.

Every chip has a generator of its own, so that any number of chips can be drawn at once. Every number is drawn whether its
effect is on or off: switching one off leaves the others' draws as they were.
"""

from itertools import pairwise

import numpy as np

from tiocross.devices.device import DisturbQuantiles
from tiocross.devices.draws_kernel import fill_writes, program_writes
from tiocross.devices.writes import Writes, growth_of_disturb, interpolated_quantiles

LARGE = 2_048  # networks with more devices are drawn here
_FULL = 2**32  # numbers of 32 bits
_NO_LEVELS = np.array([0.0, 1.0])  # where nothing is disturbed
RANDOM_BYTES = 16  # of a device while it is drawn: two normal numbers and 64 bits


class LargeDraws:
    """What writes of one device's kind leave behind in devices with these numbers of later writes.

    ``n_later_writes`` has any shape; draws have it behind an axis of chips."""

    def __init__(self, device, n_later_writes):
        self.shape = n_later_writes.shape
        later, rows = np.unique(n_later_writes, return_inverse=True)
        self._law = (*_disturb_law(device.disturb, later, rows.ravel()), *_other_laws(device))
        self._floats = np.empty((2, rows.size), dtype=np.float32)

    def draw(self, rngs):
        """`Writes` of single precision, a chip for each generator."""
        shape = (len(rngs), *self.shape)
        constant, linear, quadratic = (np.empty(shape, dtype=np.float32) for _ in range(3))
        stuck = np.empty(shape, dtype=bool)
        for chip, numbers in enumerate(self._random(rngs)):
            fill_writes(*numbers, *self._law, constant[chip].ravel(), linear[chip].ravel(), quadratic[chip].ravel(),
                        stuck[chip].ravel())
        return Writes(constant, linear, quadratic, stuck)

    def program(self, targets, rngs, *, floor=True, out=None):
        """Conductances (n_chips, ...) of single precision [S] that writes of ``targets`` (...) [S] leave behind: to the bit
        those of `draw`, without keeping what was drawn. ``floor``: none below zero."""
        out = np.empty((len(rngs), *self.shape), dtype=np.float32) if out is None else out
        wanted = np.ascontiguousarray(targets, dtype=np.float32).ravel()
        least = np.float32(0.0 if floor else -np.inf)
        for chip, numbers in enumerate(self._random(rngs)):
            program_writes(*numbers, *self._law, wanted, least, out[chip].reshape(-1))
        return out

    def levels(self, rngs):
        """Levels of the write disturb in [0, 1), (n_chips, ...) of single precision: those of the same `draw`."""
        found = np.empty((len(rngs), *self.shape), dtype=np.float32)
        for chip, (_, bits) in enumerate(self._random(rngs)):
            found[chip].reshape(-1)[:] = (bits[:, 0] >> 8) * np.float32(2.0**-24)
        return found

    def _random(self, rngs):
        """Random numbers of one chip after the other; an array is used again for the next."""
        size = self._floats.shape[1]
        floats = np.empty_like(self._floats)
        for rng in rngs:
            rng.standard_normal(out=floats, dtype=np.float32)
            bits = rng.integers(0, _FULL * _FULL - 1, size, dtype=np.uint64, endpoint=True)
            yield floats, bits.view(np.uint32).reshape(-1, 2)


def _disturb_law(disturb, later, rows):
    """The write disturb as the kernel takes it: rows, growth, table, edges, inverse, guide."""
    if not isinstance(disturb, DisturbQuantiles):  # one by state needs to know what is written
        table, edges, growth = np.zeros((1, 2)), _NO_LEVELS, np.zeros(rows.size)
        rows = np.zeros(rows.size)
    else:
        edges, largest = disturb.probabilities, int(disturb.n_later_writes.max())
        growth = growth_of_disturb(disturb, later)[rows]
        within, rows_within = np.unique(np.minimum(later, largest), return_inverse=True)
        table, rows = interpolated_quantiles(disturb, within), rows_within[rows]
    guide = np.searchsorted(edges, np.arange(256) / 256, side="right") - 1
    steps = np.array([high - low for low, high in pairwise(edges)])
    return (rows.astype(np.int32), growth.astype(np.float32), np.ascontiguousarray(table, dtype=np.float32),
            _single_edges(edges), (1.0 / steps).astype(np.float32), guide.astype(np.int32))


def _single_edges(edges):
    """Edges in single precision, the last above every level."""
    edges = edges.astype(np.float32)
    edges[-1] = 1.0
    return edges


def _other_laws(device):
    """Tuning error, stuck devices and their chances as the kernel takes them."""
    tuning, stuck = device.tuning, device.stuck
    tuned = np.array([1.0, 0.0, 0.0, 0.0] if tuning is None else
                     [1.0 + tuning.offset_mean, tuning.offset_std, tuning.spread_intercept, tuning.spread_slope])
    held = np.zeros(4) if stuck is None else np.array([stuck.lrs_mean, stuck.lrs_std, stuck.hrs_low,
                                                       stuck.hrs_high - stuck.hrs_low])
    chances = [0.0, 0.0] if stuck is None else np.cumsum([stuck.probability_lrs, stuck.probability_hrs])
    fates = np.array([min(round(chance * _FULL), _FULL) for chance in chances], dtype=np.int64)
    return tuned.astype(np.float32), held.astype(np.float32), fates
