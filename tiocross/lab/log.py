"""The pulse log: every reading, pulse and outcome of a programming run, one line each, and what can be learnt from it.

The file is CSV with a comment in front that states version and shape. A line is written through as it happens, so that
a crash costs at most the line that was being written.
"""

import math
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tiocross.checks import as_count, require_name, transposed_hint
from tiocross.lab.instrument import is_reading
from tiocross.lab.write_verify import OUTCOMES

KINDS = ("read", "pulse", "done", "readback")
_VERSION = "# tiocross pulse log 1; shape {} x {}"
_COLUMNS = "n_pass,turn,kind,row,column,target [S],amplitude [V],width [s],conductance [S],outcome"


class Event(NamedTuple):
    """One thing that happened while an array was programmed. Numbers that do not apply are NaN.

    Parameters
    ----------
    kind : str
        "read": reading of the device being tuned; "pulse": it gets a pulse, written before the pulse is given; "done": its
        tuning ended; "readback": reading of any device in the whole-array reading after a pass (unitless).
    turn : int
        Devices begun before it in the same pass (unitless).
    n_pass : int
        Pass, from 0 (unitless).
    row, column : int
        Word line and bit line of the device (unitless).
    target : float
        Its target [S].
    amplitude, width : float
        Amplitude as applied [V], and length of the pulse [s].
    conductance : float
        Reading; the last one in "done" [S].
    outcome : str
        Outcome in "done", otherwise empty (unitless).
    """

    kind: str
    turn: int
    n_pass: int
    row: int
    column: int
    target: float
    amplitude: float = math.nan
    width: float = math.nan
    conductance: float = math.nan
    outcome: str = ""


class EventLog:
    """A pulse log being written: a context manager, to be given to a driver as ``on_event``.

    Parameters
    ----------
    path : str or Path
        The file (unitless).
    shape : tuple of int
        (n_rows, n_columns) of the array (unitless).
    append : bool, optional
        Whether to go on with an existing log, as when a run is resumed (unitless).

    Raises
    ------
    ValueError
        If the file holds something and ``append`` is not set, or is no pulse log of an array of this shape.
    """

    def __init__(self, path, *, shape, append=False):
        path = Path(path)
        shape = tuple(as_count("n_rows, n_columns of shape", n) for n in shape)
        started = path.exists() and path.stat().st_size > 0
        if started and not append:
            raise ValueError(f"{path} exists and is not empty; choose another name, or pass append=True to go on with it")
        if started:
            _require_shape(path, shape)
            _drop_torn_line(path)
        self._file = path.open("a", encoding="utf-8", newline="\n")
        if not started:
            self._write(f"{_VERSION.format(*shape)}\n{_COLUMNS}\n")

    def __call__(self, event):
        """Append one `Event` and write it through (unitless)."""
        numbers = ",".join(repr(float(value)) for value in event[5:9])
        self._write(f"{event.n_pass},{event.turn},{event.kind},{event.row},{event.column},{numbers},{event.outcome}\n")

    def _write(self, text):
        self._file.write(text)
        self._file.flush()

    def close(self):
        """Close the file; closing twice is allowed."""
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.close()


def read_events(path):
    """Events of a pulse log.

    Parameters
    ----------
    path : str or Path
        The file (unitless).

    Returns
    -------
    list of Event
        In the order they happened, every number exactly as it was written. A last line without an end, which a crash
        while writing leaves behind, is dropped.

    Raises
    ------
    ValueError
        If the file is no pulse log, or a line is malformed; the text names the line.
    """
    shape, lines = _read_lines(path)
    events = []
    for number, line in enumerate(lines, start=3):
        try:
            events.append(_event_from(line, shape))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}; got {line[:120]!r}") from None
    return events


def log_shape(path):
    """(n_rows, n_columns) of the array of a pulse log, from its first line (unitless)."""
    return _read_lines(path)[0]


def tuning_pairs(events):
    """What tuning aimed at and what it left, for devices that converged.

    Parameters
    ----------
    events : iterable of Event
        A run, or several one after another (unitless).

    Returns
    -------
    targets, programmed : (n_samples,) ndarray
        Targets and last readings, one pair for each time a device converged [S].
    """
    pairs = [(event.target, event.conductance) for event in events if event.outcome == "converged"]
    targets, programmed = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return targets, programmed


def later_changes(events):
    """How devices changed while others of the same pass were tuned.

    Parameters
    ----------
    events : iterable of Event
        One run (unitless).

    Returns
    -------
    n_later_writes : (n_samples,) int ndarray
        Devices tuned later in the same pass, at least 1 (unitless).
    changes : (n_samples,) ndarray
        Reading in the whole array after the pass less the last reading of the tuning, of devices that converged [S].

    Notes
    -----
    A device that was tuned twice in one pass, as happens when a run is resumed, counts with its last tuning.
    """
    finished, readback = {}, {}
    for event in events:
        device = (event.n_pass, event.row, event.column)
        if event.kind == "done":
            finished.pop(device, None)  # a dict keeps the order of insertion: back to the end
            finished[device] = event
        elif event.kind == "readback":
            readback[device] = event.conductance
    n_later, changes, tuned = [], [], {}
    for device, event in reversed(finished.items()):
        k = tuned.get(device[0], 0)
        tuned[device[0]] = k + 1
        if k and event.outcome == "converged" and is_reading(readback.get(device, math.nan)):
            n_later.append(k)
            changes.append(readback[device] - event.conductance)
    return np.array(n_later[::-1], dtype=np.int64), np.array(changes[::-1], dtype=np.float64)


def stuck_map(events, shape):
    """Where devices ended stuck, and at what conductance.

    Parameters
    ----------
    events : iterable of Event
        One run (unitless).
    shape : tuple of int
        (n_rows, n_columns) (unitless).

    Returns
    -------
    (n_rows, n_columns) ndarray
        Last reading of the tuning of devices that ended stuck, NaN elsewhere [S].
    """
    stuck = np.full(shape, np.nan)
    for event in events:
        if event.kind == "done":
            stuck[event.row, event.column] = event.conductance if event.outcome.startswith("stuck") else np.nan
    return stuck


def _read_lines(path):
    """Shape and complete lines after the column names."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a pulse log: {error}") from None
    *lines, _ = text.split("\n")  # what follows the last end of line is torn, or empty
    pattern = re.escape(_VERSION).replace(r"\{\}", "([1-9][0-9]*)")
    match = re.fullmatch(pattern, lines[0]) if lines else None
    if not match:
        raise ValueError(f"{path} is not a pulse log: line 1 must be {_VERSION.format('ROWS', 'COLUMNS')!r}; got "
                         f"{text[:80].splitlines()[:1]}")
    if len(lines) < 2 or lines[1] != _COLUMNS:
        raise ValueError(f"{path}, line 2 must name the columns {_COLUMNS!r}; got {[line[:200] for line in lines[1:2]]}")
    return (int(match[1]), int(match[2])), lines[2:]


def _event_from(line, shape):
    cells = line.split(",")
    names = _COLUMNS.split(",")
    if len(cells) != len(names):
        raise ValueError(f"a line must have {len(names)} values")
    n_pass, turn, row, column = (_count(names[i], cells[i]) for i in (0, 1, 3, 4))
    target, amplitude, width, conductance = (_number(names[i], cells[i]) for i in (5, 6, 7, 8))
    kind, outcome = cells[2], cells[9]
    require_name("kind", kind, KINDS)
    if kind == "done":
        require_name("outcome", outcome, OUTCOMES)
    elif outcome:
        raise ValueError(f"only a done event has an outcome, not {outcome!r}")
    if outcome == "converged" and not (target > 0 and is_reading(conductance)):
        raise ValueError("a device that converged has a target above 0 and a reading within 1 S")
    if row >= shape[0] or column >= shape[1]:
        raise ValueError(f"row {row}, column {column} is outside the array of {shape[0]} x {shape[1]}")
    return Event(kind, turn, n_pass, row, column, target, amplitude, width, conductance, outcome)


def _count(name, text):
    if not re.fullmatch("[0-9]+", text):
        raise ValueError(f"{name} must be a whole number from 0")
    return int(text)


def _number(name, text):
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number or nan") from None
    return value if value == value else math.nan  # one NaN object, so that equal events compare equal


def _require_shape(path, shape):
    found = log_shape(path)
    if found != shape:
        raise ValueError(f"{path} is the log of an array of {found[0]} x {found[1]}; got {shape[0]} x {shape[1]}"
                         + transposed_hint(found, shape))


def _drop_torn_line(path):
    content = path.read_bytes()
    os.truncate(path, content.rfind(b"\n") + 1)
