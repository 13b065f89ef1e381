"""What a write leaves behind: draws, and pure functions of (targets, draws).

For given draws the conductance of a device is a polynomial in its target,

    G = constant + target (linear + quadratic target),

with the tuning error in `linear` and `quadratic`, the write disturb in `constant`, and a stuck device as a constant
alone. That makes one function serve simulation, where targets are arrays, and training, where they are tensors.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from tiocross.devices.device import Device, require_device
from tiocross.devices.retention import age, require_retention, time_words
from tiocross.checks import as_conductances, as_count, as_number, as_reals, require_generator, require_memory

_BYTES_PER_WRITE = 64  # four draws, three coefficients and the outcome


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
        return Writes(self.constant[chips], self.linear[chips], self.quadratic[chips], self.stuck[chips])

    def fix_devices(self, conductances, where=...):
        """Make devices keep ``conductances`` [S], in place; NaN for those that are written. ``where`` picks the devices."""
        held = ~np.isnan(conductances)
        self.constant[where] = np.where(held, conductances, self.constant[where])
        for values in (self.linear, self.quadratic):
            values[where] = np.where(held, 0.0, values[where])
        self.stuck[where] |= held


def stack_writes(drawn, axis=0):
    """Writes of several draws as one, along a new axis."""
    return Writes(*(np.stack([getattr(writes, field.name) for writes in drawn], axis=axis) for field in fields(Writes)))


def program(targets: ArrayLike, device: Device, *, rng: np.random.Generator, n_chips: int | None = None,
            order: ArrayLike | None = None, after: float = 0.0) -> np.ndarray:
    """Conductances that a write of ``targets`` leaves behind on simulated chips.

    Parameters
    ----------
    targets : (n_word_lines, n_bit_lines) array_like
        Wanted conductances, within the device's window; NaN where a device is not programmed, as in a plan [S].
    device : Device
        What a write leaves behind.
    rng : numpy.random.Generator
        Source of chance; the same numbers are drawn whichever effects are on.
    n_chips : int, optional
        Number of chips; without it one chip and no leading axis (unitless).
    order : (n_word_lines, n_bit_lines) array_like of int, optional
        Turn of each device, a permutation of 0 to n_devices - 1; raster order, word line by word line, without it
        (unitless).
    after : float, optional
        Time since the last write, in which devices relax and lose what they were written to [s].

    Returns
    -------
    (n_chips, n_word_lines, n_bit_lines) ndarray
        Programmed conductances, floored at zero, which no passive device can pass; NaN where there was no target [S].

    Raises
    ------
    ValueError
        If targets are not conductances or lie outside the window, ``order`` is no permutation, or time should pass
        for a device without retention.

    Notes
    -----
    Tuning, then disturb by the k devices of the array that are programmed later, then stuck devices, which keep their
    own conductance, then failed lines, whose devices all have the line's; then time, for all others. Draws are independent
    between devices (or lines) and chips.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import TIO2, program
    >>> from tiocross.units import uS
    >>> targets = np.array([[100, 500, 300], [200, 400, 100]]) * uS
    >>> programmed = program(targets, TIO2, rng=np.random.default_rng(1), n_chips=1000)
    >>> programmed.shape, bool((np.abs(np.median(programmed, axis=0) / targets - 1) < 0.1).all())
    ((1000, 2, 3), True)
    """
    require_device(device)
    targets = as_reals("targets", targets)
    wanted = ~np.isnan(targets)
    as_conductances("targets", np.where(wanted, targets, 0.0))
    if targets.ndim != 2:
        raise ValueError(f"targets must have shape (n_word_lines, n_bit_lines); got {targets.shape}")
    require_generator(rng)
    require_within_window("targets", targets, device)
    require_retention(device, after := as_number("after", after, low=0.0, unit="s"))
    count = 1 if n_chips is None else as_count("n_chips", n_chips)
    require_memory(f"{count} chips of {targets.size} devices", _BYTES_PER_WRITE * count * targets.size,
                   "give a smaller n_chips, and go on with what was drawn in a loop")
    writes = draw_array_writes(device, _later_targets(wanted, count_later_writes(targets.shape, order)), count, rng)
    programmed = apply_writes(np.where(wanted, targets, device.g_min), writes)
    if after > 0:
        own, seed = rng.standard_normal(programmed.shape), int(rng.integers(2**63))
        anew = np.random.default_rng([seed, *time_words(after)]).standard_normal(programmed.shape)
        programmed = age(programmed, device.retention, after, own, anew, writes.stuck)
    programmed = np.where(wanted, programmed, np.nan)
    return programmed[0] if n_chips is None else programmed


def _later_targets(wanted, n_later):
    """Number of devices with a target that are programmed after each device, from that of all devices."""
    if wanted.all():
        return n_later
    turns = n_later.size - 1 - n_later
    n_before = np.cumsum(wanted.ravel()[np.argsort(turns, axis=None)])  # with a target, until each turn
    return int(wanted.sum()) - n_before[turns]


def count_later_writes(shape, order=None):
    """Number of devices of an array of this shape that are programmed after each device, (n_word_lines, n_bit_lines).

    ``order`` is the turn of each, a permutation of 0 to n_devices - 1; raster order without it."""
    n_devices = int(np.prod(shape))
    turns = np.arange(n_devices).reshape(shape) if order is None else as_reals("order", order)
    if turns.size == 0 or turns.shape != tuple(shape) or not np.array_equal(np.sort(turns, axis=None), np.arange(n_devices)):
        raise ValueError(f"order must be a permutation of 0 to {n_devices - 1} in shape {tuple(shape)}; "
                         f"got shape {turns.shape}" + (f", values {turns.min()} to {turns.max()}" if turns.size else ""))
    return n_devices - 1 - turns.astype(np.int64)


def draw_writes(device, n_later_writes, n_chips, rng):
    """`Writes` of ``n_chips`` chips for devices with these numbers of later writes; lines do not fail here.

    Every number is drawn whether its effect is on or off: switching one off leaves the others' draws as they were."""
    shape = (n_chips, *n_later_writes.shape)
    offsets, spreads = rng.standard_normal((2, *shape))
    levels, fates = rng.random((2, *shape))
    constant, linear, quadratic = np.zeros(shape), np.ones(shape), np.zeros(shape)
    stuck = np.zeros(shape, dtype=bool)
    if device.tuning is not None:
        tuning = device.tuning
        linear += tuning.offset_mean + tuning.offset_std * offsets + tuning.spread_intercept * spreads
        quadratic += tuning.spread_slope * spreads
    if device.disturb is not None:
        constant += disturb_changes(device.disturb, n_later_writes, levels)
    if device.stuck is not None:
        faults = device.stuck
        stuck = fates < faults.probability_lrs + faults.probability_hrs
        lrs = np.maximum(faults.lrs_mean + faults.lrs_std * spreads[stuck], 0.0)
        hrs = faults.hrs_low + (faults.hrs_high - faults.hrs_low) * levels[stuck]
        constant[stuck] = np.where(fates[stuck] < faults.probability_lrs, lrs, hrs)
        linear[stuck] = quadratic[stuck] = 0.0
    return Writes(constant, linear, quadratic, stuck)


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
    measured = 0 if device.disturb is None else int(device.disturb.n_later_writes.max())
    if device.disturb is None or most_later_writes <= 2 * measured:
        return []
    return [f"write disturb: measured after up to {measured} later writes, here up to {most_later_writes}: the changes "
            f"beyond are extrapolated, their spread growing as the number of writes to the power "
            f"{device.disturb.growth_exponent:g}"]


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
