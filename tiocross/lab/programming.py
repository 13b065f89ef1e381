"""Drivers: write-verify on a real or simulated instrument, for one device and for an array in several passes.

The instrument is left safe at every end. ``on_event`` gets every reading, pulse and outcome as it happens. It gets a pulse
before the instrument does, so that no pulse goes unlogged.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import LARGEST_CONDUCTANCE, as_count, as_finite, require_shape, siemens_cure
from tiocross.devices.writes import count_later_writes
from tiocross.lab.floating import warn_of_floating
from tiocross.lab.instrument import CrossbarInstrument, require_instrument, require_place
from tiocross.lab.log import Event
from tiocross.lab.passes import Run
from tiocross.lab.report import InstrumentError, ProgramReport
from tiocross.lab.safety import run_safely
from tiocross.lab.suspicion import unit_hint
from tiocross.lab.tuning import drive
from tiocross.lab.write_verify import Done, PulseScheme, WriteVerify, is_far, require_scheme


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
        If the instrument raises; or if the device reads so far above its target, more than 100 times, or 30 times and above
        10 mS, that it is a short or the reading in another unit: then nothing is pulsed.

    Notes
    -----
    At every end the instrument is left safe, as by `program_array`. Every exception on the way, KeyboardInterrupt too, has
    an attribute ``report``, a Done.

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

    def work():
        done = drive(instrument, device, (0, 0, row, column), on_event, should_stop)
        if device.n_pulses == 0 and is_far(device.reading, device.g_target):
            hint = unit_hint(device.reading, device.g_target) or ". The device is a short"
            raise InstrumentError(f"row {row}, column {column} reads {device.reading:g} S, far above its target of "
                                  f"{device.g_target:g} S{hint} Nothing was pulsed")
        return done, done.outcome == "aborted"

    return run_safely([instrument], work, device.abort)


def program_array(instrument: CrossbarInstrument, targets: ArrayLike, scheme: PulseScheme, *,
                  order: ArrayLike | None = None, max_passes: int = 3, mask: ArrayLike | None = None,
                  on_event: Callable[[Event], object] | None = None, should_stop: Callable[[], bool] | None = None,
                  resume: list[Event] | None = None, go_on: bool = False) -> ProgramReport:
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
        Events of an interrupted run with the same targets and scheme, as `read_events` gives them. It goes on where it was,
        in the middle of a device too; devices that made it stop are tried again.
    go_on : bool, optional
        Whether to go on although three devices in a row moved against their pulses, or very many ended stuck.

    Returns
    -------
    ProgramReport
        Outcomes, pulses and readings after each pass; of a resumed run, those before included.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong; nothing is pulsed.
    InstrumentError
        If the instrument raises; if three devices in a row, or the whole array, give no valid reading, or the whole array
        one in another unit; without ``go_on`` also if the first three devices read far above their targets, three devices
        in a row, of all or of one line, moved against their pulses, so that the polarity must be wrong, or more than two
        lines hold, and 16 or more, ended stuck.

    Warns
    -----
    RuntimeWarning
        If the instrument says that it reads with floating lines; with the error of such readings.

    Notes
    -----
    A run ends when no device is due, after ``max_passes``, or when two passes in a row brought no new best. Devices that
    ended stuck are not tried again. The chip stays as the last pass left it, which may not be the best: the report tells
    both.

    At every end ``make_safe()`` is called where the instrument has it, up to three times if it raises, then ``close()``.
    Ctrl-C waits meanwhile, except where a call takes more than five seconds. Without a ``make_safe`` a run that was stopped
    or failed calls ``close()``: an instrument that is to be used after a stop needs a ``make_safe``. Every exception on the
    way, KeyboardInterrupt and those of ``on_event`` too, has an attribute ``report`` with what was done.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import PulseScheme, SimulatedCrossbar, program_array
    >>> chip = SimulatedCrossbar((3, 2), rng=np.random.default_rng(1))
    >>> report = program_array(chip, np.full((3, 2), 300e-6), PulseScheme())
    >>> report.complete, report.n_passes, int((report.outcomes == "converged").sum()), int(report.within.sum())
    (True, 2, 6, 6)
    """
    shape = require_instrument(instrument)
    require_scheme(scheme)
    targets, mask = as_targets(targets, mask, shape)
    sequence = np.argsort(-count_later_writes(shape, order), axis=None)
    max_passes = as_count("max_passes", max_passes)
    _require_callables(on_event=on_event, should_stop=should_stop)
    run = Run(targets, mask, scheme, go_on)
    if resume is not None:
        run.replay(resume)
    warn_of_floating(instrument, targets, scheme.tolerance)
    run_safely([instrument], lambda: (None, not run.go(instrument, sequence, max_passes, on_event, should_stop)), run.report)
    return run.report()


def as_targets(targets, mask, shape):
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
