"""Measure what a chip's devices do when an array is programmed: tuning, write disturb, devices that are stuck."""

from dataclasses import dataclass

import numpy as np

from tiocross.lab.driving import named
from tiocross.lab.instrument import is_reading, read_whole
from tiocross.lab.log import stuck_map, tuning_pairs
from tiocross.lab.programming import program_array
from tiocross.lab.report import InstrumentError, ProgramReport


@dataclass(frozen=True, eq=False)
class Characterisation:
    """What was measured, as `calibrate` takes it.

    Parameters
    ----------
    targets, programmed : (n_tuned,) ndarray
        Of the devices that converged: target, and last reading of the tuning [S].
    n_later_writes : (n_changes,) int ndarray
        Number k of devices programmed since (unitless).
    changes : (n_changes,) ndarray
        Reading after those k, less the last reading of the device's own tuning [S].
    stuck : (n_rows, n_columns) ndarray
        Last reading of the devices that ended stuck, NaN elsewhere, also where nothing was programmed [S].
    report : ProgramReport
        Outcome of the programming.
    """

    targets: np.ndarray
    programmed: np.ndarray
    n_later_writes: np.ndarray
    changes: np.ndarray
    stuck: np.ndarray
    report: ProgramReport


def characterise(instrument, targets, scheme, *, order=None, on_event=None, should_stop=None):
    """Program an array once, and after every device read all those programmed before.

    Parameters
    ----------
    instrument : CrossbarInstrument
        The chip; what is on it is overwritten (unitless).
    targets : (n_rows, n_columns) array_like
        Wanted conductances, spread over the window, NaN for devices to leave alone [S].
    scheme : PulseScheme
        Amplitudes, tolerance and budgets (unitless).
    order : (n_rows, n_columns) array_like of int, optional
        As in `program_array` (unitless).
    on_event, should_stop : callable, optional
        As in `program_array` (unitless).

    Returns
    -------
    Characterisation

    Raises
    ------
    ValueError, TypeError, InstrumentError
        As `program_array`.

    Notes
    -----
    One array of n devices gives up to n (n - 1) / 2 changes. Those of one device, and of one array, are not independent:
    several arrays tell more than many readings of one.
    """
    tuned, changes = [], []

    def watch(event):
        if on_event is not None:
            on_event(event)
        if event.kind != "done":
            return
        readings = _read_after(instrument, event)
        changes.extend((len(tuned) - turn, readings[earlier.row, earlier.column] - earlier.conductance)
                       for turn, earlier in enumerate(tuned)
                       if earlier.outcome == "converged" and is_reading(readings[earlier.row, earlier.column]))
        tuned.append(event)

    report = program_array(instrument, targets, scheme, order=order, max_passes=1, on_event=watch, should_stop=should_stop)
    later, amounts = np.array(changes, dtype=np.float64).reshape(-1, 2).T
    return Characterisation(*tuning_pairs(tuned), later.astype(np.int64), amounts, stuck_map(tuned, report.shape), report)


def _read_after(instrument, event):
    try:
        return read_whole(instrument)
    except Exception as error:
        raise InstrumentError(f"the whole-array reading after row {event.row}, column {event.column} failed: "
                              f"{named(error)}") from error
