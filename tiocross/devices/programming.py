"""One verb: the conductances that programming leaves behind on simulated chips."""

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_conductances, as_count, as_number, as_reals, require_generator, require_memory
from tiocross.devices.device import Device, require_device
from tiocross.devices.retention import age, require_retention, time_words
from tiocross.devices.rewriting import Passes, Row, as_passes, draw_fresh, program_row
from tiocross.devices.state_disturb import StateDisturb, Wiring, draw_states
from tiocross.devices.writes import (
    Writes, apply_writes, count_later_writes, draw_line_failures, draw_numbers, failed_devices, require_within_window,
    writes_of,
)

_BYTES_PER_WRITE = 64  # four draws, three coefficients and the outcome
_BYTES_PER_REWRITE = 160  # the same again, and the state of each device


def program(targets: ArrayLike, device: Device, *, rng: np.random.Generator, n_chips: int | None = None,
            order: ArrayLike | None = None, passes: int | Passes = 1, after: float = 0.0) -> np.ndarray:
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

    passes : int or Passes, optional
        How often programming goes over the array: from the second pass on it writes again what is farther than 1 % from
        its target, or than the tolerance of `Passes` (unitless).
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
    own conductance, then failed lines, whose devices all have the line's; then time, for all others. Draws are
    independent between devices (or lines) and chips. A disturb by state takes the state before the first write from
    chance; devices without a target are
    not written, and stay out of it.

    In later passes stuck devices stay, and the others are disturbed by all writes since their own.

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
    passes = as_passes(passes)
    plain = passes.number == 1 and not isinstance(device.disturb, StateDisturb)
    require_memory(f"{count} chips of {targets.size} devices",
                   (_BYTES_PER_WRITE + (0 if plain else _BYTES_PER_REWRITE)) * count * targets.size,
                   "give a smaller n_chips, and go on with what was drawn in a loop")
    later = count_later_writes(targets.shape, order)
    numbers = draw_numbers(targets.shape, count, rng)
    writes = writes_of(device, _later_targets(wanted, later), numbers)
    if device.lines is not None:
        writes.fix_devices(failed_devices(*draw_line_failures(device.lines, targets.shape, count, rng)))
    held = np.where(wanted, targets, device.g_min)
    if plain:
        programmed = apply_writes(held, writes)
    else:
        row = Row(device, Wiring.of_array(later), held.reshape(1, -1), wanted.reshape(1, -1))
        flat = Writes(*(getattr(writes, part).reshape(count, -1) for part in ("constant", "linear", "quadratic", "stuck")))
        programmed = program_row(row, flat, _Drawn(numbers, rng), passes, floor=True).reshape(count, *targets.shape)
    programmed = np.where(wanted, _aged(programmed, device, after, writes.stuck, rng), np.nan)
    return programmed[0] if n_chips is None else programmed


def _aged(conductances, device, after, held, rng):
    """Conductances [S] a time ``after`` [s]; devices that are ``held`` by a fault stay."""
    if after == 0:
        return conductances
    own, seed = rng.standard_normal(conductances.shape), int(rng.integers(2**63))
    anew = np.random.default_rng([seed, *time_words(after)]).standard_normal(conductances.shape)
    return age(conductances, device.retention, after, own, anew, held)


class _Drawn:
    """`Chance` of one call of `program`: the numbers of its writes, and further ones as they are asked for."""

    def __init__(self, numbers, rng):
        self._levels, self._rng = numbers.levels.reshape(len(numbers.levels), -1), rng

    def states(self):
        return draw_states(*self._levels.shape, self._rng)

    def levels(self):
        return self._levels

    def fresh(self, turn):
        return draw_fresh(*self._levels.shape, self._rng)


def _later_targets(wanted, n_later):
    """Number of devices with a target that are programmed after each device, from that of all devices."""
    if wanted.all():
        return n_later
    turns = n_later.size - 1 - n_later
    n_before = np.cumsum(wanted.ravel()[np.argsort(turns, axis=None)])  # with a target, until each turn
    return int(wanted.sum()) - n_before[turns]
