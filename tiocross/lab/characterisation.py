"""Measure what a chip's devices do when an array is programmed: tuning, write disturb, devices that are stuck."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tiocross.lab.instrument import CrossbarInstrument, is_reading, read_whole
from tiocross.lab.log import Event, stuck_map, tuning_pairs
from tiocross.lab.programming import program_array
from tiocross.lab.report import InstrumentError, ProgramReport
from tiocross.lab.safety import named
from tiocross.lab.write_verify import PulseScheme


@dataclass(frozen=True, eq=False)
class Characterisation:
    """What was measured, as `calibrate` takes it."""

    targets: np.ndarray  # (n_tuned,) targets of the devices that converged [S]
    programmed: np.ndarray  # (n_tuned,) last reading of their tuning [S]
    n_later_writes: np.ndarray  # (n_changes,) number k of devices programmed since
    changes: np.ndarray  # (n_changes,) reading after those k, less the last reading of the device's own tuning [S]
    stuck: np.ndarray  # (n_word_lines, n_bit_lines) last reading of devices that ended stuck, NaN elsewhere [S]
    report: ProgramReport  # outcome of the programming


def characterise(instrument: CrossbarInstrument, targets: ArrayLike, scheme: PulseScheme, *, order: ArrayLike | None = None,
                 on_event: Callable[[Event], object] | None = None,
                 should_stop: Callable[[], bool] | None = None, go_on: bool = False) -> Characterisation:
    """Program an array once, and after every device read all those programmed before.

    Parameters
    ----------
    instrument : CrossbarInstrument
        The chip; what is on it is overwritten.
    targets : (n_word_lines, n_bit_lines) array_like
        Wanted conductances, spread over the window, NaN for devices to leave alone [S].
    scheme : PulseScheme
        Amplitudes, tolerance and budgets.
    order : (n_word_lines, n_bit_lines) array_like of int, optional
        As in `program_array` (unitless).
    on_event, should_stop : callable, optional
        As in `program_array`.
    go_on : bool, optional
        As in `program_array`.

    Returns
    -------
    Characterisation
        Targets and readings, changes after later writes, stuck devices, and the report of the programming.

    Raises
    ------
    ValueError, TypeError, InstrumentError
        As `program_array`.

    Notes
    -----
    What was measured before an exception, KeyboardInterrupt too, is its attribute ``characterisation``.

    One array of n devices gives up to n (n - 1) / 2 changes. Those of one device, and of one array, are not independent:
    several arrays tell more than many readings of one.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import PulseScheme, SimulatedCrossbar, characterise
    >>> chip = SimulatedCrossbar((2, 2), rng=np.random.default_rng(1))
    >>> found = characterise(chip, [[200e-6, 300e-6], [400e-6, 250e-6]], PulseScheme())
    >>> len(found.targets), found.n_later_writes.tolist()
    (4, [1, 2, 1, 3, 2, 1])
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

    def found(report):
        later, amounts = np.array(changes, dtype=np.float64).reshape(-1, 2).T
        return Characterisation(*tuning_pairs(tuned), later.astype(np.int64), amounts, stuck_map(tuned, report.shape),
                                report)

    try:
        return found(program_array(instrument, targets, scheme, order=order, max_passes=1, on_event=watch,
                                   should_stop=should_stop, go_on=go_on))
    except BaseException as error:  # Ctrl-C too
        if getattr(error, "report", None) is not None:
            error.characterisation = found(error.report)
        raise


def _read_after(instrument, event):
    try:
        return read_whole(instrument)
    except Exception as error:
        raise InstrumentError(f"the whole-array reading after row {event.row}, column {event.column} failed: "
                              f"{named(error)}") from error
