"""Write-verify of one device on an instrument: reads and pulses, each told before or as it happens."""

import math
import time

from tiocross.lab.instrument import as_reading
from tiocross.lab.log import Event
from tiocross.lab.report import InstrumentError
from tiocross.lab.safety import named
from tiocross.lab.write_verify import Done


def drive(instrument, device, place, on_event, should_stop, move=None):
    """`Done` of a WriteVerify driven to its end at ``place``, (turn, n_pass, row, column); ``move`` is what is due first.

    An instrument that raises gives an InstrumentError whose ``report`` is a Done with the outcome "aborted"."""
    turn, n_pass, row, column = place
    read, pulse, step, target, clock = instrument.read, instrument.pulse, device.step, device.g_target, time.time
    last = None
    while True:
        if move is None:
            try:
                g_read = as_reading(read(row, column))
            except Exception as error:
                raise _failure("reading", place, device, last, error) from error
            if on_event is not None:
                on_event(Event("read", turn, n_pass, row, column, target, math.nan, math.nan, g_read, "", clock()))
            move = step(g_read)
        try:
            if type(move) is not Done and should_stop is not None and should_stop():
                move = device.abort(refused=move)
            if type(move) is Done:
                if on_event is not None:
                    on_event(Event("done", turn, n_pass, row, column, target, math.nan, math.nan, move.conductance,
                                   move.outcome, clock()))
                return move
            if move.amplitude and on_event is not None:
                on_event(Event("pulse", turn, n_pass, row, column, target, move.amplitude, move.width, math.nan, "",
                               clock()))
        except BaseException:
            if type(move) is not Done:
                device.abort(refused=move)  # it is not given
            raise
        if move.amplitude:
            try:
                pulse(row, column, move.amplitude, move.width)
            except Exception as error:
                raise _failure("pulsing", place, device, move, error) from error
            last = move
        move = None


def _failure(doing, place, device, move, error):
    _, n_pass, row, column = place
    last = f", the last of {move.amplitude:+g} V and {move.width:g} s" if move is not None else ""
    return InstrumentError(f"the instrument failed when {doing} row {row}, column {column} in pass {n_pass}, pulse "
                           f"{device.n_pulses}{last}: {named(error)}", device.abort())
