"""One device driven by write-verify, and an instrument that is left safe whatever happens."""

import contextlib
import math
from types import SimpleNamespace

from tiocross.lab.log import Event
from tiocross.lab.report import InstrumentError
from tiocross.lab.write_verify import Done


def drive(instrument, device, place, on_event, should_stop):
    """Drive one device until it is done.

    Parameters
    ----------
    instrument : CrossbarInstrument
        Reads and pulses (unitless).
    device : WriteVerify
        Says what to do after each reading (unitless).
    place : tuple of int
        (turn, n_pass, row, column), for the events (unitless).
    on_event, should_stop : callable or None
        As for `program_array` (unitless).

    Returns
    -------
    Done
        How it ended.

    Raises
    ------
    InstrumentError
        If the instrument raises; its ``report`` is a Done with the outcome "aborted".
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
def left_safe(instrument, report=lambda: None):
    """Make the instrument safe at every end of the block.

    Parameters
    ----------
    instrument : CrossbarInstrument
        ``make_safe()`` is called if it has it; otherwise ``close()`` after an exception or an early end (unitless).
    report : callable, optional
        Gives the report of an InstrumentError (unitless).

    Yields
    ------
    SimpleNamespace
        Its ``early`` is to be set if the run was stopped.
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
    """Class and text of an exception, for the text of another (unitless)."""
    return f"{type(error).__name__}: {error}"
