"""Outputs off whatever happens: instruments are left safe at every end, however often somebody presses Ctrl-C.

A first Ctrl-C ends the work. From then on, and from any other end of the work on, signals that would stop the program wait
until ``make_safe()`` came to its end. What it raises itself, interrupts included, makes it be called again, and ``close()``
in the end. Only then the signals that waited are passed on. SIGTERM and SIGHUP, the end of a remote session, are treated
like Ctrl-C where they would end the process. Python gives signals to the main thread only; elsewhere nothing is to be held.
"""

import contextlib
import logging
import signal
import threading
import time
from types import SimpleNamespace

from tiocross.lab.report import InstrumentError

N_ATTEMPTS = 3  # calls of make_safe(), or of close(), before the next means is tried
PATIENCE = 5.0  # [s] of one call, after which a further Ctrl-C breaks it off: the connection may be dead
_SIGNALS = [getattr(signal, name) for name in ("SIGHUP", "SIGTERM", "SIGINT") if hasattr(signal, name)]  # SIGINT last


def run_safely(instruments, work, report=lambda: None):
    """First part of what ``work()`` gives, the second is whether it ended early, with outputs off at every end of it: each
    of ``instruments`` has ``make_safe()`` called; one without it is closed, after an early end or an exception. Every
    exception that leaves has ``report()`` as its attribute ``report``."""
    switches = [_Switch(instrument) for instrument in instruments]
    signals, end = _Signals(), SimpleNamespace(result=None, is_early=True, reason=None)
    try:
        signals.begin()
        try:
            end.result, end.is_early = work()
        except BaseException as error:
            end.reason = error
        signals.are_held = True
        _switch_off(switches, end.is_early, signals)
    except BaseException as error:  # a signal between two of these lines; it is the last one that does not wait
        signals.are_held = True
        end.reason = end.reason or error
        _switch_off(switches, end.is_early, signals)
    try:
        _raise_due(switches, end.reason, report)
    except BaseException as error:
        signals.waiting.discard(signal.SIGINT)  # the run ends anyway, and why must not be lost
        if (signals.waiting or signals.fatal) and not all(switch.is_off for switch in switches):
            logging.getLogger("tiocross").critical("%s", error)  # nobody will see the exception
        signals.end(report)
        raise
    signals.end(report)
    return end.result


class _Switch:
    """The ways to switch an instrument off, looked up before its outputs can be on, and how they went."""

    def __init__(self, instrument):
        self.name = type(instrument).__name__
        self.make_safe, self.close = (getattr(instrument, name, None) for name in ("make_safe", "close"))
        self.is_off, self.raised = False, []

    def attempt(self, way, signals):
        """Whether one of some calls of ``way()`` came to its end."""
        for _ in range(N_ATTEMPTS):
            signals.patient_until = time.monotonic() + PATIENCE
            try:
                way()
                return True
            except BaseException as error:  # interrupts too: outputs come first
                self.raised.append(error)
        return False

    def turn(self, is_early, signals):
        """Make the instrument safe; without ``make_safe()`` close it, if the end came early."""
        if callable(self.make_safe):
            self.is_off = self.attempt(self.make_safe, signals)
        elif is_early and callable(self.close):
            self.is_off = self.attempt(self.close, signals)
            return
        else:
            self.is_off = True
        if not self.is_off and callable(self.close):
            said = list(self.raised)
            self.attempt(self.close, signals)
            self.raised = said  # why it could not be made safe


def _switch_off(switches, is_early, signals):
    for switch in switches:
        if not switch.is_off:
            switch.turn(is_early, signals)


def _raise_due(switches, reason, report):
    """Raise what is to be raised at the end: outputs that may be on before all else, then why the work ended."""
    raised = [error for switch in switches for error in switch.raised]
    left = [switch for switch in switches if not switch.is_off]
    if left:
        before = "" if reason is None else f". Before that: {named(reason)}"
        error = left[0].raised[-1]
        raise InstrumentError("the instrument could not be made safe, switch its outputs off by hand: "
                              f"{named(error)}{before}", report()) from error
    interrupts = [error for error in raised if not isinstance(error, Exception)]
    if reason is None and interrupts:
        reason = interrupts[0]
    for error in raised:
        logging.getLogger("tiocross").info("make_safe() was called again, for it raised %s", named(error))
    if reason is not None:
        _attach(reason, report)
        raise reason


def _attach(error, report):
    with contextlib.suppress(AttributeError, TypeError):  # an exception with slots takes none
        error.report = report() or getattr(error, "report", None)


class _Signals:
    """Signals that stop the program: passed on, until ``are_held`` is set; from then on they wait for `end`."""

    def __init__(self):
        self.are_held, self.patient_until, self._handlers = False, float("inf"), {}
        self.waiting, self.fatal = set(), set()  # those with a handler, and those that end the process

    def begin(self):
        """Take the signals over; outside the main thread there are none."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if handler not in (None, signal.SIG_IGN):
                self._handlers[number] = handler
                signal.signal(number, self._take)

    def _take(self, number, frame):
        handler = self._handlers[number]
        if self.are_held:
            (self.fatal if handler is signal.SIG_DFL else self.waiting).add(number)
            if number == signal.SIGINT and time.monotonic() > self.patient_until:
                raise KeyboardInterrupt("make_safe() takes long")
            return
        self.are_held = True  # before anything is raised: no further signal comes between that and make_safe()
        if handler is signal.SIG_DFL:
            self.fatal.add(number)  # ends the process when the outputs are off
            raise KeyboardInterrupt(signal.Signals(number).name)
        handler(number, frame)
        self.are_held = False  # a handler that only takes note

    def end(self, report):
        """Give the signals back and pass on those that waited."""
        while self._handlers:
            signal.signal(*self._handlers.popitem())
        try:
            for number in sorted(self.waiting) + sorted(self.fatal):
                signal.raise_signal(number)
        except BaseException as error:
            _attach(error, report)
            raise


def named(error):
    """Class and text of an exception, for the text of another."""
    return f"{type(error).__name__}: {error}"
