"""Drivers: write-verify on a real or simulated instrument, for one device and for an array in several passes.

The instrument is left safe at every end. ``on_event`` gets every reading, pulse and outcome as it happens. It gets a pulse
before the instrument does, so that no pulse goes unlogged.
"""

import contextlib
import math
from collections.abc import Callable
from os import PathLike
from types import SimpleNamespace

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import LARGEST_CONDUCTANCE, as_count, as_finite, require_shape, siemens_cure
from tiocross.devices.writes import count_later_writes
from tiocross.lab.instrument import CrossbarInstrument, is_reading, read_whole, require_instrument, require_place
from tiocross.lab.log import Event
from tiocross.lab.report import InstrumentError, ProgramReport
from tiocross.lab.write_verify import Done, PulseScheme, WriteVerify, require_scheme

N_SILENT = 3  # devices in a row without a valid reading after which the instrument counts as dead
N_PATIENCE = 2  # passes in a row without a new best after which a run ends


def tune_device(instrument: CrossbarInstrument, row: int, column: int, *, g_target: float, scheme: PulseScheme,
                on_event: Callable[[Event], object] | None = None, should_stop: Callable[[], bool] | None = None) -> Done:
    """Tune one device by write-verify.

    Parameters
    ----------
    instrument : CrossbarInstrument
        Reads and pulses.
    row, column : int
        Word line and bit line of the device (unitless).
    g_target : float
        Wanted conductance [S].
    scheme : PulseScheme
        Amplitudes, tolerance and budgets.
    on_event : callable, optional
        Called with each `Event` as it happens, for example an EventLog.
    should_stop : callable, optional
        Called before every pulse; if it gives True the outcome is "aborted".

    Returns
    -------
    Done
        Outcome, last reading, pulses and reversals.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong; nothing is pulsed.
    InstrumentError
        If the instrument raises; its ``report`` is a Done.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import PulseScheme, SimulatedCrossbar, tune_device
    >>> chip = SimulatedCrossbar((3, 2), rng=np.random.default_rng(1))
    >>> done = tune_device(chip, 0, 1, g_target=300e-6, scheme=PulseScheme())
    >>> done.outcome, bool(abs(done.conductance / 300e-6 - 1) <= 0.01)
    ('converged', True)
    """
    shape = require_instrument(instrument)
    row, column = as_count("row", row, low=0), as_count("column", column, low=0)
    require_place(row, column, shape)
    _require_callables(on_event=on_event, should_stop=should_stop)
    device = WriteVerify(g_target, scheme)
    with _left_safe(instrument) as stop:
        done = _drive(instrument, device, (0, 0, row, column), on_event, should_stop)
        stop.early = done.outcome == "aborted"
    return done


def program_array(instrument: CrossbarInstrument, targets: ArrayLike, scheme: PulseScheme, *,
                  order: ArrayLike | None = None, max_passes: int = 3, mask: ArrayLike | None = None,
                  on_event: Callable[[Event], object] | None = None, should_stop: Callable[[], bool] | None = None,
                  resume: list[Event] | None = None) -> ProgramReport:
    """Program an array: tune device after device, read all, tune again what is outside the tolerance.

    Parameters
    ----------
    instrument : CrossbarInstrument
        Reads and pulses.
    targets : (n_word_lines, n_bit_lines) array_like
        Wanted conductances, above 0 and at most 1 S; NaN where a device is not to be programmed [S].
    scheme : PulseScheme
        Amplitudes, tolerance and budgets.
    order : (n_word_lines, n_bit_lines) array_like of int, optional
        Turn of each device, a permutation of 0 to n_devices - 1; word line by word line without it (unitless).
    max_passes : int, optional
        Most passes, those of a resumed run included (unitless).
    mask : (n_word_lines, n_bit_lines) array_like of bool, optional
        Devices to be programmed; without it, those whose target is not NaN (unitless).
    on_event : callable, optional
        Called with each `Event` as it happens, for example an EventLog.
    should_stop : callable, optional
        Called before every device, pulse and whole-array reading; once it gives True the run ends.
    resume : list of Event, optional
        Events of an interrupted run with the same targets, as `read_events` gives them. Devices that were done in its last
        pass are not tuned again, except those with a failed reading; the passes go on where they ended.

    Returns
    -------
    ProgramReport
        Outcomes, pulses and readings after each pass; of a resumed run, those before included.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong; nothing is pulsed.
    InstrumentError
        If the instrument raises, or three devices in a row or the whole array give no valid reading; its ``report`` is what
        was done.

    Notes
    -----
    A run ends when no device is due, after ``max_passes``, or when two passes in a row brought no new best. Devices that
    ended stuck are not tried again. The chip stays as the last pass left it, which may not be the best: the report tells
    both. At every end ``make_safe()`` is called where the instrument has it. Where it has not, a run that was stopped or
    failed calls ``close()``: an instrument that is to be used after a stop needs a ``make_safe``.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import PulseScheme, SimulatedCrossbar, program_array
    >>> chip = SimulatedCrossbar((3, 2), rng=np.random.default_rng(1))
    >>> report = program_array(chip, np.full((3, 2), 300e-6), PulseScheme())
    >>> report.complete, report.n_passes, int((report.outcomes == "converged").sum()), int(report.within.sum())
    (True, 3, 6, 6)
    """
    shape = require_instrument(instrument)
    require_scheme(scheme)
    targets, mask = _as_targets(targets, mask, shape)
    sequence = np.argsort(-count_later_writes(shape, order), axis=None)
    max_passes = as_count("max_passes", max_passes)
    _require_callables(on_event=on_event, should_stop=should_stop)
    run = _Run(instrument, targets, mask, scheme, on_event, should_stop)
    if resume is not None:
        run.replay(resume)
    with _left_safe(instrument, run.report) as stop:
        run.complete = run.go(sequence, max_passes)
        stop.early = not run.complete
    return run.report()


class _Run:
    """A run under way: what a report is made of, and where it stands."""

    def __init__(self, instrument, targets, mask, scheme, on_event, should_stop):
        self.instrument, self.scheme, self.on_event = instrument, scheme, on_event
        self.should_stop = should_stop or (lambda: False)
        self.targets, self.mask = targets, mask
        self.outcomes = np.full(targets.shape, "", dtype="<U10")
        self.n_pulses = np.zeros(targets.shape, dtype=np.int64)
        self.readings = []
        self.complete = False
        self.settled, self.turn, self.n_silent = set(), 0, 0  # of the pass under way

    def report(self):
        readings = np.array(self.readings).reshape(-1, *self.targets.shape)
        return ProgramReport(self.targets, self.mask, self.outcomes.copy(), self.n_pulses.copy(), readings,
                             self.scheme.tolerance, self.complete)

    def go(self, sequence, max_passes):
        """Passes until nothing is left to do; False if stopped before."""
        while not self._is_over(max_passes):
            due = self.report().due.ravel()
            for index in sequence[due[sequence]].tolist():
                row, column = divmod(index, self.targets.shape[1])
                if (row, column) not in self.settled and (self.should_stop() or not self._tune(row, column)):
                    return False
            if self.should_stop():
                return False
            self._read_back()
        return True

    def _is_over(self, max_passes):
        if not self.readings:
            return False
        report = self.report()
        return (len(self.readings) >= max_passes or not report.due.any()
                or len(self.readings) - 1 - report.best_pass >= N_PATIENCE)

    def _tune(self, row, column):
        """Tune one device and take its result in; False if stopped."""
        device = WriteVerify(float(self.targets[row, column]), self.scheme)
        place = (self.turn, len(self.readings), row, column)
        self.turn += 1
        try:
            done = _drive(self.instrument, device, place, self.on_event, self.should_stop)
        finally:  # what was done counts, whatever went wrong
            self.n_pulses[row, column] += device.n_pulses
            self.outcomes[row, column] = device.abort().outcome
        self.n_silent = self.n_silent + 1 if done.outcome == "read_error" else 0
        if self.n_silent >= N_SILENT:
            raise InstrumentError(f"{N_SILENT} devices in a row gave no valid reading, last row {row}, column {column}: "
                                  f"{done.conductance:g} S. Nothing more is pulsed; check the instrument, then resume, "
                                  "or leave out devices that are open with mask=")
        return done.outcome != "aborted"

    def _read_back(self):
        n_pass = len(self.readings)
        try:
            readings = read_whole(self.instrument)
        except Exception as error:
            raise InstrumentError(f"the whole-array reading after pass {n_pass} failed: {named(error)}") from error
        if self.mask.any() and not is_reading(readings[self.mask]).any():
            raise InstrumentError(f"the whole-array reading after pass {n_pass} gave no valid reading; check the "
                                  "instrument, then resume")
        if self.on_event is not None:
            for (row, column), g_read in np.ndenumerate(readings):
                self.on_event(Event("readback", self.turn, n_pass, row, column, float(self.targets[row, column]),
                                    conductance=float(g_read)))
        self._end_pass(readings)

    def _end_pass(self, readings):
        self.readings.append(readings)
        self.settled, self.turn = set(), 0

    def replay(self, events):
        """Take over what the events of an interrupted run tell."""
        readings, n_read, last = np.full(self.targets.shape, np.nan), 0, tuple(n - 1 for n in self.targets.shape)
        for event in _resumable(events, self.targets):
            place = event.row, event.column
            if event.n_pass != len(self.readings):
                raise ValueError(f"resume must hold whole runs in their order; got an event of pass {event.n_pass} after "
                                 f"{len(self.readings)} whole passes")
            if event.kind == "readback":
                # Whole-array readings are told in raster order: one that stopped midway was taken again from its start.
                readings[place], n_read = event.conductance, 1 if place == (0, 0) else n_read + 1
                if place == last and n_read == readings.size:
                    self._end_pass(readings.copy())
                continue
            self.turn = max(self.turn, event.turn + 1)
            self.n_pulses[place] += event.kind == "pulse"
            if event.kind == "done":
                self.outcomes[place] = event.outcome
                if event.outcome not in ("aborted", "read_error"):
                    self.settled.add(place)


def _drive(instrument, device, place, on_event, should_stop):
    """`Done` of one WriteVerify driven to its end at ``place``, (turn, n_pass, row, column).

    An instrument that raises gives an InstrumentError whose ``report`` is a Done with the outcome "aborted".
    """
    turn, n_pass, row, column = place
    read, pulse, step, target = instrument.read, instrument.pulse, device.step, device.g_target
    move = None
    while True:
        try:
            g_read = float(read(row, column))
        except Exception as error:
            raise _failure("reading", place, device, move, error) from error
        if on_event is not None:
            on_event(Event("read", turn, n_pass, row, column, target, math.nan, math.nan, g_read))
        move = step(g_read)
        if type(move) is not Done and should_stop is not None and should_stop():
            move = device.abort(refused=move)
        if type(move) is Done:
            if on_event is not None:
                on_event(Event("done", turn, n_pass, row, column, target, math.nan, math.nan, g_read, move.outcome))
            return move
        if move.amplitude:
            if on_event is not None:
                on_event(Event("pulse", turn, n_pass, row, column, target, move.amplitude, move.width))
            try:
                pulse(row, column, move.amplitude, move.width)
            except Exception as error:
                raise _failure("pulsing", place, device, move, error) from error


def _failure(doing, place, device, move, error):
    _, n_pass, row, column = place
    last = f", the last of {move.amplitude:+g} V and {move.width:g} s" if move is not None and move.amplitude else ""
    return InstrumentError(f"the instrument failed when {doing} row {row}, column {column} in pass {n_pass}, pulse "
                           f"{device.n_pulses}{last}: {named(error)}", device.abort())


@contextlib.contextmanager
def _left_safe(instrument, report=lambda: None):
    """Make the instrument safe at every end of the block; ``report()`` is that of an InstrumentError.

    An instrument without ``make_safe()`` is closed instead, after an exception or if the block set ``early``.
    """
    run = SimpleNamespace(early=False)
    try:
        yield run
    except BaseException as error:
        if isinstance(error, InstrumentError):
            error.report = report() or error.report
        _make_safe(instrument, True, report, error)
        raise
    _make_safe(instrument, run.early, report)


def _make_safe(instrument, is_early, report, reason=None):
    make_safe, close = (getattr(instrument, name, lambda: None) for name in ("make_safe", "close"))
    try:
        if hasattr(instrument, "make_safe"):
            make_safe()
        elif is_early:
            close()
    except Exception as error:
        with contextlib.suppress(Exception):
            close()
        before = "" if reason is None else f". Before that: {named(reason)}"
        raise InstrumentError("the instrument could not be made safe, switch its outputs off by hand: "
                              f"{named(error)}{before}", report()) from error


def named(error):
    """Class and text of an exception, for the text of another."""
    return f"{type(error).__name__}: {error}"


def _as_targets(targets, mask, shape):
    """Targets, NaN outside the mask, and the mask; ValueError naming the first device that is wrong."""
    if np.ma.is_masked(targets):
        raise TypeError("targets must not be a masked array; give NaN where a device is not to be programmed")
    given = np.asarray(targets)
    values = as_finite("targets", np.where(np.isnan(given), 1.0, given) if given.dtype.kind == "f" else given)
    missing = np.isnan(given) if given.dtype.kind == "f" else np.zeros(given.shape, dtype=bool)
    require_shape("targets", given.shape, shape, ", that of the instrument")
    if mask is None:
        mask = ~missing
    else:
        mask = np.asarray(mask)
        require_shape("mask", mask.shape, shape, ", that of the instrument")
        if mask.dtype != bool:
            raise TypeError(f"mask must hold True and False; got {mask.dtype}")
    for wrong, rule in ((missing, "a number where the mask is set"),
                        ((values <= 0) | (values > LARGEST_CONDUCTANCE), "above 0 and at most 1 S")):
        if (wrong & mask).any():
            i, j = np.argwhere(wrong & mask)[0]
            raise ValueError(f"targets must be {rule}; got {given[i, j]:g} at row {i}, column {j} "
                             f"({int((wrong & mask).sum())} such){siemens_cure(given[i, j])}")
    return np.where(mask, values, np.nan), mask.copy()


def _require_callables(**functions):
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be callable, or None; got {function!r}")


def _resumable(events, targets):
    """The events, each checked against the targets."""
    if isinstance(events, (str, PathLike)):
        raise TypeError(f"resume must be a list of events; got {events!r}. Read them with read_events({str(events)!r})")
    for event in events:
        if not isinstance(event, Event):
            raise TypeError(f"resume must hold events, as read_events gives them; got {event!r}")
        if event.row >= targets.shape[0] or event.column >= targets.shape[1]:
            raise ValueError(f"resume has an event at row {event.row}, column {event.column}, outside the array of "
                             f"{targets.shape[0]} x {targets.shape[1]}")
        target = targets[event.row, event.column]
        if event.target != target and not (math.isnan(event.target) and math.isnan(target)):
            raise ValueError(f"resume is of another run: the target of row {event.row}, column {event.column} was "
                             f"{event.target!r} S and is {float(target)!r} S now. Use the same targets, or start anew")
        yield event
