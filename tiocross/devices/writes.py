"""What a write leaves behind: draws, and pure functions of (targets, draws).

For given draws the conductance of a device is a polynomial in its target,

    G = constant + target (linear + quadratic target),

with the tuning error in `linear` and `quadratic`, the write disturb in `constant`, and a stuck device as a constant
alone. That makes one function serve simulation, where targets are arrays, and training, where they are tensors.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from tiocross.checks import as_reals
from tiocross.devices.device import DisturbQuantiles
from tiocross.devices.state_disturb import StateDisturb


@dataclass(frozen=True, eq=False)
class Writes:
    """Outcome of programming ``n_chips`` arrays, for any targets.

    Parameters
    ----------
    constant : (n_chips, n_word_lines, n_bit_lines) ndarray
        Part that does not depend on the target: disturb, or the value of a stuck device [S].
    linear : (n_chips, n_word_lines, n_bit_lines) ndarray
        Factor of the target (unitless).
    quadratic : (n_chips, n_word_lines, n_bit_lines) ndarray or float
        Factor of the target squared [1/S].
    stuck : (n_chips, n_word_lines, n_bit_lines) bool ndarray
        Devices that do not answer (unitless).
    """

    constant: np.ndarray
    linear: np.ndarray
    quadratic: np.ndarray
    stuck: np.ndarray

    def __getitem__(self, chips):
        """The same for some of the chips."""
        return type(self)(*(getattr(self, place.name)[chips] for place in fields(self)))

    def fix_devices(self, conductances, where=...):
        """Make devices keep ``conductances`` [S], in place; NaN for those that are written. ``where`` picks the devices."""
        held = ~np.isnan(conductances)
        self.constant[where] = np.where(held, conductances, self.constant[where])
        for values in (self.linear, self.quadratic):
            values[where] = np.where(held, 0.0, values[where])
        self.stuck[where] |= held


def stack_writes(drawn, axis=0):
    """Writes of several draws as one, along a new axis."""
    kind = type(drawn[0])
    return kind(*(np.stack([getattr(writes, place.name) for writes in drawn], axis=axis) for place in fields(kind)))


def count_later_writes(shape, order=None):
    """Number of devices of an array of this shape that are programmed after each device, (n_word_lines, n_bit_lines).

    ``order`` is the turn of each, a permutation of 0 to n_devices - 1; raster order without it."""
    n_devices = int(np.prod(shape))
    turns = np.arange(n_devices).reshape(shape) if order is None else as_reals("order", order)
    if turns.size == 0 or turns.shape != tuple(shape) or not np.array_equal(np.sort(turns, axis=None), np.arange(n_devices)):
        raise ValueError(f"order must be a permutation of 0 to {n_devices - 1} in shape {tuple(shape)}; "
                         f"got shape {turns.shape}" + (f", values {turns.min()} to {turns.max()}" if turns.size else ""))
    return n_devices - 1 - turns.astype(np.int64)


class WriteNumbers(NamedTuple):
    """Random numbers of writes, each (n_chips, ...): normal ones of offset and spread, levels of the disturb and fates in
    [0, 1)."""

    offsets: np.ndarray
    spreads: np.ndarray
    levels: np.ndarray
    fates: np.ndarray


def draw_numbers(shape, n_chips, rng):
    """`WriteNumbers` of devices of this shape.

    Every number is drawn whether its effect is on or off: switching one off leaves the others' draws as they were."""
    shape = (n_chips, *shape)
    return WriteNumbers(*rng.standard_normal((2, *shape)), *rng.random((2, *shape)))


def draw_writes(device, n_later_writes, n_chips, rng):
    """`Writes` of ``n_chips`` chips for devices with these numbers of later writes; lines do not fail here."""
    return writes_of(device, n_later_writes, draw_numbers(n_later_writes.shape, n_chips, rng))


def writes_of(device, n_later_writes, numbers):
    """`Writes` of these numbers. A disturb by state is not in them: it needs to know what is written."""
    shape = numbers.fates.shape
    constant, stuck = np.zeros(shape), np.zeros(shape, dtype=bool)
    linear, quadratic = tuned_parts(device.tuning, numbers.offsets, numbers.spreads)
    if isinstance(device.disturb, DisturbQuantiles):
        constant += disturb_changes(device.disturb, n_later_writes, numbers.levels)
    if device.stuck is not None:
        faults, fates = device.stuck, numbers.fates
        stuck = fates < faults.probability_lrs + faults.probability_hrs
        lrs = np.maximum(faults.lrs_mean + faults.lrs_std * numbers.spreads[stuck], 0.0)
        hrs = faults.hrs_low + (faults.hrs_high - faults.hrs_low) * numbers.levels[stuck]
        constant[stuck] = np.where(fates[stuck] < faults.probability_lrs, lrs, hrs)
        linear[stuck] = quadratic[stuck] = 0.0
    return Writes(constant, linear, quadratic, stuck)


def tuned_parts(tuning, offsets, spreads):
    """Linear and quadratic part that a tuning error, or None, gives writes with these normal numbers."""
    linear, quadratic = np.ones(offsets.shape), np.zeros(offsets.shape)
    if tuning is not None:
        linear += tuning.offset_mean + tuning.offset_std * offsets + tuning.spread_intercept * spreads
        quadratic += tuning.spread_slope * spreads
    return linear, quadratic


def apply_writes(targets, writes, *, floor=True):
    """Conductances [S] after writing ``targets`` [S], arrays or tensors; ``floor``: none below zero."""
    programmed = writes.constant + targets * (writes.linear + targets * writes.quadratic)
    if floor and np.min(getattr(programmed, "value", programmed)) < 0:
        programmed = (programmed + abs(programmed)) * 0.5
    return programmed


def slope_of_writes(targets, writes):
    """Derivative of `apply_writes` by the targets, where the conductance is above zero (unitless)."""
    slopes = targets * writes.quadratic
    slopes *= 2.0
    slopes += writes.linear
    return slopes


def draw_array_writes(device, n_later_writes, n_chips, rng):
    """`draw_writes` of whole physical arrays, failed lines included."""
    writes = draw_writes(device, n_later_writes, n_chips, rng)
    if device.lines is not None:
        word_lines, bit_lines = draw_line_failures(device.lines, n_later_writes.shape, n_chips, rng)
        writes.fix_devices(failed_devices(word_lines, bit_lines))
    return writes


def failed_devices(word_lines, bit_lines):
    """(..., n, m) conductance of devices on failed lines, NaN elsewhere; where both failed, the bit line's holds [S]."""
    return np.where(np.isnan(bit_lines[..., None, :]), word_lines[..., :, None], bit_lines[..., None, :])


def draw_line_failures(lines, shape, n_chips, rng):
    """Conductance of each failed word line, (n_chips, n_word_lines), and bit line of an array; NaN where it is sound [S]."""
    found = []
    for probability, size in zip((lines.probability_word_line, lines.probability_bit_line), shape):
        fates, levels = rng.random((2, n_chips, size))
        found.append(np.where(fates < probability, lines.g_low * (lines.g_high / lines.g_low) ** levels, np.nan))
    return found


def disturb_changes(disturb, n_later_writes, levels):
    """Changes (n_chips, ...) [S] at probability levels (n_chips, ...) in [0, 1) after k later writes (...); 0 for k = 0."""
    later, rows = np.unique(n_later_writes, return_inverse=True)
    rows = rows.reshape(n_later_writes.shape)
    table = interpolated_quantiles(disturb, later)
    table *= growth_of_disturb(disturb, later)[:, None]
    edges = disturb.probabilities
    bins = np.searchsorted(edges, levels, side="right") - 1
    low, high = table[rows, bins], table[rows, bins + 1]
    return low + (high - low) * ((levels - edges[bins]) / (edges[bins + 1] - edges[bins]))


def interpolated_quantiles(disturb, later):
    """(n, n_probabilities) quantiles [S] of the change after ``later`` writes; beyond the measured range its last ones."""
    position = np.interp(later, disturb.n_later_writes, np.arange(len(disturb.n_later_writes)))
    below = np.minimum(position.astype(np.int64), max(len(disturb.n_later_writes) - 2, 0))
    above = np.minimum(below + 1, len(disturb.n_later_writes) - 1)
    return disturb.changes[below] + (position - below)[:, None] * (disturb.changes[above] - disturb.changes[below])


def disturb_notes(device, most_later_writes):
    """List with a sentence, where the write disturb of a device is extrapolated to more than twice the writes measured."""
    disturb = device.disturb
    if isinstance(disturb, StateDisturb):
        return [] if most_later_writes <= 2 * disturb.most_later else [
            f"write disturb: fitted to arrays with up to {disturb.most_later} later writes, here up to {most_later_writes}: "
            "longer lines, on which more devices are half-selected and pulses lose voltage, are an extrapolation"]
    measured = 0 if disturb is None else int(disturb.n_later_writes.max())
    if disturb is None or most_later_writes <= 2 * measured:
        return []
    return [f"write disturb: measured after up to {measured} later writes, here up to {most_later_writes}: the changes "
            f"beyond are extrapolated, their spread growing as the number of writes to the power "
            f"{disturb.growth_exponent:g}"]


def growth_of_disturb(disturb, k):
    """Factor of the extrapolation: 0 for k = 0, 1 within the measured range."""
    k_max = disturb.n_later_writes.max()
    return np.where(k > 0, (np.maximum(k, k_max) / k_max) ** disturb.growth_exponent, 0.0)


def require_within_window(what, targets, device):
    """Raise ValueError, naming the first outside, unless all ``targets`` [S] lie in the device's window; NaN passes."""
    slack = 1e-9 * device.g_max  # a target computed at the end of the window may pass it by rounding
    outside = (targets < device.g_min - slack) | (targets > device.g_max + slack)
    if outside.any():
        i, j = np.argwhere(outside)[0]
        raise ValueError(f"{what} must lie in the window of {device.name}, {device.g_min:g} to {device.g_max:g} S; got "
                         f"{targets[i, j]:g} at word line {i}, bit line {j} ({int(outside.sum())} such)")
