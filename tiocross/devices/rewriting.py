"""Passes over arrays: what the writes of all devices leave behind, and what is written again because it left its tolerance.

All devices of some arrays stand in one row, ``(n_chips, n_devices)``, with a `Wiring`. After a pass all devices are read.
Those outside the tolerance of their targets are written again in the same order, with a fresh tuning error, and disturbed by
the writes of the pass that come later. All others are disturbed by all writes of the pass. Stuck devices stay.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol

import numpy as np

from tiocross.checks import as_count, as_number
from tiocross.devices.state_disturb import StateDisturb, StateDraws, Wiring, disturb_by_state, initial_states
from tiocross.devices.writes import Writes, apply_writes, disturb_changes, stack_writes, tuned_parts
from tiocross.units import percent

TOLERANCE = 1 * percent  # that of `PulseScheme`


@dataclass(frozen=True)
class Passes:
    """How often programming goes over an array, and which devices it writes again.

    Parameters
    ----------
    number : int
        Passes, the first included (unitless).
    tolerance : float, optional
        From the second pass on devices are written again that are farther from their target than this share of it
        (unitless).

    Examples
    --------
    >>> from tiocross import TIO2, Passes, program
    >>> import numpy as np
    >>> targets = np.full((8, 8), 300e-6)
    >>> programmed = program(targets, TIO2, rng=np.random.default_rng(1), n_chips=100, passes=Passes(3, tolerance=0.02))
    >>> bool(np.median(np.abs(programmed / targets - 1)) < 0.01)
    True
    """

    number: int
    tolerance: float = TOLERANCE

    def __post_init__(self):
        object.__setattr__(self, "number", as_count("passes", self.number))
        object.__setattr__(self, "tolerance", as_number("tolerance", self.tolerance, low=0.0))
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance must lie between 0 and 1; got {self.tolerance:g}. It is a fraction: if this is in "
                             "percent, multiply by tiocross.units.percent")


def as_passes(passes):
    """`Passes` from a number of passes, or from `Passes`."""
    return passes if isinstance(passes, Passes) else Passes(passes)


class Fresh(NamedTuple):
    """Random numbers of a later pass, (n_chips, n_devices) each: normal ones of offset, spread and walk, and levels."""

    offsets: np.ndarray
    spreads: np.ndarray
    walks: np.ndarray
    levels: np.ndarray


class Chance(Protocol):
    """Where the random numbers of the same chips and devices come from; each is asked for only if it is needed."""

    def states(self) -> StateDraws:
        """What a disturb by state takes."""

    def levels(self) -> np.ndarray:
        """Levels that the disturb of the first pass was drawn at, (n_chips, n_devices)."""

    def fresh(self, turn: int) -> Fresh:
        """What pass number ``turn`` takes, from 2 on."""


def draw_fresh(n_chips, n_devices, rng):
    """`Fresh` numbers of single precision."""
    return Fresh(*rng.standard_normal((3, n_chips, n_devices), dtype=np.float32),
                 rng.random((n_chips, n_devices), dtype=np.float32))


class Row(NamedTuple):
    """Devices of some arrays in one row: their device record and `Wiring`, what is wanted (1 or n_chips, n_devices) [S],
    and which of them are given pulses at all, a mask that broadcasts to them."""

    device: object
    wiring: Wiring
    targets: np.ndarray
    written: np.ndarray


def program_row(row, writes, chance, passes, *, floor):
    """Conductances (n_chips, n_devices) [S] after these passes; ``writes`` are those of the first, ``floor``: none below
    zero."""
    law = _ByState if isinstance(row.device.disturb, StateDisturb) else _ByTable
    state = law(row, writes, chance, floor, passes.number > 1)
    written = row.written & ~writes.stuck
    margins = passes.tolerance * row.targets
    for turn in range(2, passes.number + 1):
        due = written & (np.abs(state.conductances - row.targets) > margins)
        if not due.any():
            break
        fresh = chance.fresh(turn)
        linear, quadratic = tuned_parts(row.device.tuning, fresh.offsets, fresh.spreads)
        state.rewrite(due, row.targets * (linear + row.targets * quadratic), fresh)
        state.conductances = _floored(state.conductances, floor)
    return state.conductances


class _ByTable:
    """Devices whose disturb, if there is one, depends on the number of writes since their own."""

    def __init__(self, row, writes, chance, floor, goes_on):
        self.conductances = np.asarray(apply_writes(row.targets, writes, floor=floor), dtype=np.float64)
        self._wiring, self._stuck, self._disturb = row.wiring, writes.stuck, row.device.disturb
        if goes_on and self._disturb is not None:
            self._levels = chance.levels().astype(np.float64)
            self._tuned = row.targets * (writes.linear + row.targets * writes.quadratic)
            self._later, _ = count_writes(self._wiring, np.broadcast_to(row.written, writes.stuck.shape))

    def rewrite(self, due, tuned, fresh):
        """Write what is due, and disturb everything by it."""
        if self._disturb is None:
            self.conductances = np.where(due, tuned, self.conductances)
            return
        later, of_all = count_writes(self._wiring, due)
        self._later = np.where(due, later, self._later + of_all)
        self._levels = np.where(due, fresh.levels, self._levels)
        self._tuned = np.where(due, tuned, self._tuned)
        disturbed = self._tuned + disturb_changes(self._disturb, self._later, self._levels)
        self.conductances = np.where(self._stuck, self.conductances, disturbed)


class _ByState:
    """Devices whose disturb depends on what is written."""

    def __init__(self, row, writes, chance, floor, goes_on):
        self._row, self._stuck, self._law = row, writes.stuck, row.device.disturb
        self._draws, self._ages = chance.states(), np.full(writes.stuck.shape, -1.0)
        self.conductances = initial_states(self._law, self._draws.levels)
        own = np.asarray(apply_writes(row.targets, writes, floor=False), dtype=np.float64)
        self.conductances[writes.stuck] = own[writes.stuck]
        due = np.ascontiguousarray(np.broadcast_to(row.written, writes.stuck.shape))
        self._write(due, own, self._draws)
        self.conductances = _floored(self.conductances, floor)

    def rewrite(self, due, tuned, fresh):
        """Write what is due, and disturb everything by it."""
        self._write(due, tuned, StateDraws(self._draws.traits, fresh.walks, self._draws.levels))

    def _write(self, due, tuned, draws):
        constant, factor = disturb_by_state(self._law, self._row.wiring, due, self._stuck, self.conductances,
                                            self._row.targets, draws, self._ages)
        self.conductances = constant + factor * np.where(due & ~self._stuck, tuned, self.conductances)


@dataclass(frozen=True, eq=False)
class StateWrites(Writes):
    """Writes that later ones disturb by their state: with what `StateDraws` has for each device, (..., 3, n), (..., n) and
    (..., n). What they leave behind is known once `at_targets` has seen what is written."""

    traits: np.ndarray
    walks: np.ndarray
    levels: np.ndarray

    @classmethod
    def of(cls, writes, draws):
        """Writes with these `StateDraws`."""
        return cls(*(getattr(writes, place.name) for place in fields(Writes)), draws.traits, draws.walks, draws.levels)


def at_targets(law, wiring, targets, writes, *, known=False):
    """`Writes` (n_networks, n_chips, n_devices, 1) of the `StateWrites` (1 or n_networks, n_chips, n_devices, 1) with the
    disturb by the writes of all ``targets`` (n_networks, n_devices) [S]. These are constants here; what each device becomes
    still follows its own target. Devices ``known`` as stuck are given no pulses."""
    found = []
    for network, wanted in enumerate(targets):
        here = writes[network if len(writes.stuck) > 1 else 0]
        stuck = np.ascontiguousarray(here.stuck[..., 0])
        due, ages = ~stuck if known else np.ones(stuck.shape, dtype=bool), np.full(stuck.shape, -1.0)
        before = np.where(stuck, here.constant[..., 0], initial_states(law, here.levels))
        constant, factor = disturb_by_state(law, wiring, due, stuck, before, wanted[None],
                                            StateDraws(here.traits, here.walks, here.levels), ages)
        constant, factor = (part[..., None].astype(here.linear.dtype) for part in (constant, factor))
        found.append(Writes(constant + factor * here.constant, factor * here.linear, factor * here.quadratic, here.stuck))
    return stack_writes(found)


def count_writes(wiring, due):
    """How many devices of the same array are written after each, and how many in all, (n_chips, n_devices) each."""
    sequence = wiring.sequence
    arrays = wiring.arrays[sequence]  # those of one array follow each other
    ends = np.flatnonzero(np.append(np.diff(arrays) != 0, True))
    part = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))
    done = np.cumsum(due[:, sequence], axis=1)
    later, of_all = np.empty(due.shape, dtype=np.int64), np.empty(due.shape, dtype=np.int64)
    later[:, sequence] = done[:, ends[part]] - done
    of_all[:, sequence] = np.diff(done[:, ends], axis=1, prepend=0)[:, part]
    return later, of_all


def _floored(conductances, floor):
    return np.maximum(conductances, 0.0) if floor else conductances


