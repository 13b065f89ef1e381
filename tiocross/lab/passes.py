"""Passes over an array: devices one after another, then a reading of all; and what the events of an earlier run tell."""

import math
import time
from os import PathLike
from types import SimpleNamespace

import numpy as np

from tiocross.lab.instrument import is_reading, read_whole
from tiocross.lab.log import Event
from tiocross.lab.report import InstrumentError, ProgramReport
from tiocross.lab.safety import named
from tiocross.lab.suspicion import Suspicion, unit_hint
from tiocross.lab.tuning import drive
from tiocross.lab.write_verify import Done, WriteVerify, is_far

N_PATIENCE = 2  # passes in a row without a new best after which a run ends


class Run:
    """A run under way: what a report is made of, and where it stands."""

    def __init__(self, targets, mask, scheme, go_on):
        self.targets, self.mask, self.scheme = targets, mask, scheme
        self.outcomes = np.full(targets.shape, "", dtype="<U10")
        self.n_pulses = np.zeros(targets.shape, dtype=np.int64)
        self.readings = []
        self.complete = False
        self.suspicion = Suspicion(targets.shape, scheme, go_on)
        self.settled, self.begun, self.turn = set(), {}, 0  # of the pass under way; begun: devices by place, unfinished

    def report(self):
        """`ProgramReport` of what was done so far."""
        readings = np.array(self.readings).reshape(-1, *self.targets.shape)
        return ProgramReport(self.targets, self.mask, self.outcomes.copy(), self.n_pulses.copy(), readings,
                             self.scheme.tolerance, self.complete)

    def go(self, instrument, sequence, max_passes, on_event, should_stop):
        """Passes until nothing is left to do; False if stopped before."""
        should_stop = should_stop or (lambda: False)
        while not self._is_over(max_passes):
            due = self.report().due.ravel()
            for index in sequence[due[sequence]].tolist():
                place = divmod(index, self.targets.shape[1])
                if place not in self.settled and (should_stop() or not self._tune(instrument, place, on_event, should_stop)):
                    return False
            if should_stop():
                return False
            self._read_back(instrument, on_event)
        self.complete = True
        return True

    def _is_over(self, max_passes):
        return bool(self.readings) and is_over(self.report(), max_passes)

    def _begin(self, place, turn):
        self.turn = max(self.turn, turn + 1)
        device = WriteVerify(float(self.targets[place]), self.scheme)
        self.begun[place] = SimpleNamespace(device=device, turn=turn, move=None, n_given=0)
        return self.begun[place]

    def _tune(self, instrument, place, on_event, should_stop):
        """Tune one device, from where it stands, and take its result in; False if stopped."""
        begun = self.begun.get(place) or self._begin(place, self.turn)
        device = begun.device
        try:
            done = drive(instrument, device, (begun.turn, len(self.readings), *place), on_event, should_stop, begun.move)
        finally:  # what was done counts, whatever went wrong
            self.n_pulses[place] += device.n_pulses - begun.n_given
            self.outcomes[place] = device.abort().outcome
        if text := self._end_device(place, device, done.outcome):
            raise InstrumentError(text)
        return done.outcome != "aborted"

    def _end_device(self, place, device, outcome):
        """Take in how a device ended; text of what the last devices make plain, or none."""
        if outcome == "aborted":
            return ""
        del self.begun[place]
        self.settled.add(place)
        return self.suspicion.note(place, device, outcome)

    def _read_back(self, instrument, on_event):
        n_pass = len(self.readings)
        try:
            readings = read_whole(instrument)
        except Exception as error:
            raise InstrumentError(f"the whole-array reading after pass {n_pass} failed: {named(error)}") from error
        if self.mask.any() and not is_reading(readings[self.mask]).any():
            raise InstrumentError(f"the whole-array reading after pass {n_pass} gave no valid reading"
                                  f"{self._hint(readings)}; check the instrument, then resume")
        tuned = readings[(self.outcomes == "converged") & is_reading(readings)]
        if tuned.size and is_far(np.median(tuned), np.nanmedian(self.targets)):
            raise InstrumentError(f"the whole-array reading after pass {n_pass} gave {np.median(tuned):g} S for devices "
                                  f"tuned to {np.nanmedian(self.targets):g} S{self._hint(tuned) or '.'} Nothing more is "
                                  "pulsed; correct read_array(), then resume")
        if on_event is not None:
            for (row, column), g_read in np.ndenumerate(readings):
                on_event(Event("readback", self.turn, n_pass, row, column, float(self.targets[row, column]),
                               conductance=float(g_read), time=time.time()))
        self._end_pass(readings)

    def _hint(self, readings):
        """In which unit whole-array readings may be."""
        numbers = readings[np.isfinite(readings)]
        return unit_hint(float(np.median(numbers)), float(np.nanmedian(self.targets))) if numbers.size else ""

    def _end_pass(self, readings):
        self.readings.append(readings)
        self.settled, self.begun, self.turn = set(), {}, 0

    def replay(self, events):
        """Take over what the events of an interrupted run tell; a device under way stands where it stood."""
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
            else:
                self._replay_device(place, event)

    def _replay_device(self, place, event):
        begun = self.begun.get(place)
        if begun is None or begun.turn != event.turn:
            begun = self._begin(place, event.turn)
        if event.outcome != "aborted":
            _require_due(event, begun.move)
        if event.kind == "read":
            begun.move = begun.device.step(event.conductance)
        elif event.kind == "pulse":
            begun.move, begun.n_given = None, begun.n_given + 1
            self.n_pulses[place] += 1
        else:
            self.outcomes[place] = event.outcome
            if self._end_device(place, begun.device, event.outcome):
                for released in self.suspicion.release():
                    self.settled.discard(released)
                    self.outcomes[released] = ""


def is_over(report, max_passes):
    """Whether a run that left this report after a pass is at its end."""
    return (report.n_passes >= max_passes or not report.due.any()
            or report.n_passes - 1 - report.best_pass >= N_PATIENCE)


def _require_due(event, move):
    """Raise ValueError unless an event is what write-verify does after the readings before."""
    due = "a reading"
    if type(move) is Done:
        due = f"the end, {move.outcome}"
    elif move is not None and move.amplitude:
        due = f"a pulse of {move.amplitude!r} V and {move.width!r} s"
    found = {"read": "a reading", "done": f"the end, {event.outcome}",
             "pulse": f"a pulse of {event.amplitude!r} V and {event.width!r} s"}[event.kind]
    if found != due:
        raise ValueError(f"resume is of another run, or was edited: row {event.row}, column {event.column} in pass "
                         f"{event.n_pass} got {found}, where {due} is due. Use the same scheme, or start anew")


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
