"""The pulse log: every reading, pulse and outcome of a programming run, one line each, and what can be learnt from it.

The file is CSV with a comment in front that states version and shape. A line is written through as it happens, so that
a crash costs at most the line that was being written. Devices have the row (word line) and the column (bit line) of the
instrument protocol. Logs of version 1, without times, are read and gone on with as well, and what spreadsheets add to a
file: a byte-order mark, commas at the ends of lines, lines of commas.
"""

import math
import os
import re
from collections.abc import Iterable
from os import PathLike
from typing import NamedTuple

import numpy as np

from tiocross.checks import as_path, as_shape, require_name, require_shape
from tiocross.lab.instrument import is_reading, require_place
from tiocross.lab.write_verify import OUTCOMES

KINDS = ("read", "pulse", "done", "readback")
_VERSION = "# tiocross pulse log {}; shape {} x {}"
_COLUMNS = {1: "n_pass,turn,kind,row,column,target [S],amplitude [V],width [s],conductance [S],outcome"}
_COLUMNS[2] = f"{_COLUMNS[1]},time [s]"
_NEWEST = 2


class Event(NamedTuple):
    """One thing that happened while an array was programmed. Numbers that do not apply are NaN.

    "read" is a reading of the device being tuned; "pulse" comes before the pulse is given; "done" ends its tuning;
    "readback" is a reading of any device in the whole-array reading after a pass.
    """

    kind: str  # one of KINDS
    turn: int  # devices begun before it in the same pass
    n_pass: int  # from 0
    row: int
    column: int
    target: float  # [S]
    amplitude: float = math.nan  # as applied [V]
    width: float = math.nan  # [s]
    conductance: float = math.nan  # reading; the last one in "done" [S]
    outcome: str = ""  # in "done" one of OUTCOMES
    time: float = math.nan  # when it happened, since 1970-01-01 00:00 UTC [s]


class EventLog:
    """A pulse log being written: a context manager, to be given to a driver as ``on_event``.

    Parameters
    ----------
    path : str or Path
        The file.
    shape : tuple of int
        (n_rows, n_columns) of the array (unitless).
    append : bool, optional
        Whether to go on with an existing log, as when a run is resumed. What a crash left unfinished at its end is cut off:
        a line, or a whole-array reading, which is then taken again.

    Raises
    ------
    ValueError
        If the file holds something and ``append`` is not set, or is no pulse log of an array of this shape.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from tiocross import EventLog, PulseScheme, SimulatedCrossbar, read_events, tune_device
    >>> chip = SimulatedCrossbar((3, 2), rng=np.random.default_rng(1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with EventLog(f"{folder}/log.csv", shape=chip.shape) as log:
    ...         done = tune_device(chip, 0, 1, g_target=300e-6, scheme=PulseScheme(), on_event=log)
    ...     events = read_events(f"{folder}/log.csv")
    >>> events[-1].kind, events[-1].outcome, sum(event.kind == "pulse" for event in events) == done.n_pulses
    ('done', 'converged', True)
    """

    def __init__(self, path: str | PathLike, *, shape: tuple[int, int], append: bool = False):
        path, shape, self._version = as_path("path", path), as_shape("shape", shape), _NEWEST
        started = path.exists() and path.stat().st_size > 0
        if started and not append:
            raise ValueError(f"{path} exists and is not empty; choose another name, or pass append=True to go on with it")
        if started:
            self._version, logged, _ = _read_lines(path)
            require_shape(f"the array logged in {path}", shape, logged, ", as the log says")
            _drop_torn_end(path, math.prod(shape))
        self._file = path.open("a", encoding="utf-8", newline="\n")
        if not started:
            self._write(f"{_VERSION.format(_NEWEST, *shape)}\n{_COLUMNS[_NEWEST]}\n")

    def __call__(self, event: Event) -> None:
        """Append one `Event` and write it through."""
        numbers = ",".join(repr(float(value)) for value in event[5:9])
        time = f",{float(event.time)!r}" if self._version > 1 else ""
        self._write(f"{event.n_pass},{event.turn},{event.kind},{event.row},{event.column},{numbers},{event.outcome}{time}\n")

    def _write(self, text):
        self._file.write(text)
        self._file.flush()

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.close()


def read_events(path: str | PathLike) -> list[Event]:
    """Events of a pulse log.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    list of Event
        In the order they happened, every number exactly as it was written. A last line without an end, which a crash
        while writing leaves behind, is dropped.

    Raises
    ------
    ValueError
        If the file is no pulse log, or a line is malformed; the text names the line.

    Examples
    --------
    >>> import tempfile
    >>> from tiocross import EventLog, read_events
    >>> from tiocross.lab.log import Event
    >>> event = Event("read", turn=0, n_pass=0, row=2, column=1, target=300e-6, conductance=295e-6)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with EventLog(f"{folder}/log.csv", shape=(3, 4)) as log:
    ...         log(event)
    ...     read_events(f"{folder}/log.csv")[0].conductance
    0.000295
    """
    version, shape, lines = _read_lines(path)
    events = []
    for number, line in enumerate(lines, start=3):
        try:
            if line.strip(", "):
                events.append(_event_from(line, shape, _COLUMNS[version].split(",")))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}; got {line[:120]!r}") from None
    return events


def without_torn_reading(events, n_devices):
    """The events without a whole-array reading at their end that stopped midway."""
    first = len(events)
    while first and events[first - 1].kind == "readback":
        first -= 1
        if (events[first].row, events[first].column) == (0, 0):
            return events[:first] if len(events) - first < n_devices else events
    return events


def log_shape(path):
    """(n_rows, n_columns) of the array of a pulse log, from its first line."""
    return _read_lines(path)[1]


def tuning_pairs(events: Iterable[Event]):
    """Targets and last readings [S], one pair for each time that a device converged."""
    pairs = [(event.target, event.conductance) for event in events if event.outcome == "converged"]
    targets, programmed = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return targets, programmed


def later_changes(events: Iterable[Event]):
    """Of devices that converged: how many were tuned later in the same pass, and the change since then [S].

    A change is the reading in the whole array after the pass less the last reading of the device's own tuning.
    """
    finished, readback = {}, {}  # a device tuned twice in one pass, as in a resumed run, counts with its last tuning
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


def stuck_map(events: Iterable[Event], shape):
    """``shape`` array with the last reading [S] of devices whose tuning ended stuck, NaN elsewhere."""
    stuck = np.full(shape, np.nan)
    for event in events:
        if event.kind == "done":
            stuck[event.row, event.column] = event.conductance if event.outcome.startswith("stuck") else np.nan
    return stuck


def _read_lines(path):
    """Version, shape, and complete lines after the column names."""
    try:
        text = as_path("path", path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a pulse log: {error}") from None
    *lines, _ = text.split("\n")  # what follows the last end of line is torn, or empty
    first, names = (line.rstrip(", ") for line in (*lines, "", "")[:2])
    pattern = re.escape(_VERSION).replace(r"\{\}", "([1-9][0-9]{0,8})")
    match = re.fullmatch(pattern, first)
    if not match or int(match[1]) not in _COLUMNS:
        raise ValueError(f"{path} is not a pulse log of this version: line 1 must be "
                         f"{_VERSION.format(_NEWEST, 'ROWS', 'COLUMNS')!r}; got {text[:80].splitlines()[:1]}")
    version = int(match[1])
    if names != _COLUMNS[version]:
        cure = ". Save it with commas between the columns" if names.replace(";", ",") == _COLUMNS[version] else ""
        raise ValueError(f"{path}, line 2 must name the columns {_COLUMNS[version]!r}; got "
                         f"{[line[:200] for line in lines[1:2]]}{cure}")
    return version, (int(match[2]), int(match[3])), lines[2:]


def _event_from(line, shape, names):
    cells = [cell.strip() for cell in line.split(",")]
    while len(cells) > len(names) and not cells[-1]:
        cells.pop()  # a spreadsheet fills short lines up
    if len(cells) != len(names):
        raise ValueError(f"a line must have {len(names)} values")
    n_pass, turn, row, column = (_count(names[i], cells[i]) for i in (0, 1, 3, 4))
    target, amplitude, width, conductance = (_number(names[i], cells[i]) for i in (5, 6, 7, 8))
    kind, outcome = cells[2], cells[9]
    time = _number(names[10], cells[10]) if len(names) > 10 else math.nan
    require_name("kind", kind, KINDS)
    if kind == "done":
        require_name("outcome", outcome, OUTCOMES)
    elif outcome:
        raise ValueError(f"only a done event has an outcome, not {outcome!r}")
    if outcome == "converged" and not (target > 0 and is_reading(conductance)):
        raise ValueError("a device that converged has a target above 0 and a reading within 1 S")
    require_place(row, column, shape)
    return Event(kind, turn, n_pass, row, column, target, amplitude, width, conductance, outcome, time)


def _count(name, text):
    if not re.fullmatch("[0-9]{1,18}", text):
        raise ValueError(f"{name} must be a whole number from 0")
    return int(text)


def _number(name, text):
    try:
        if not text.isascii() or "_" in text:  # which float() takes
            raise ValueError
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number or nan") from None
    return value if value == value else math.nan  # one NaN object, so that equal events compare equal


def _drop_torn_end(path, n_devices):
    """Cut off a line without an end, and a whole-array reading that stopped midway."""
    lines = path.read_bytes().splitlines(keepends=True)
    kept = len(lines) - (not lines[-1].endswith(b"\n"))
    first = kept
    while first > 2 and b",readback," in lines[first - 1]:
        first -= 1
        if b",readback,0,0," in lines[first]:
            kept = first if kept - first < n_devices else kept
            break
    os.truncate(path, sum(map(len, lines[:kept])))
