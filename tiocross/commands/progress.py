"""One line of progress on a terminal; nothing anywhere else."""

import contextlib
import os
import sys
import threading
import time

from tiocross import jit
from tiocross.commands.streams import width_of

_PERIOD = 0.2  # [s] between two drawings
_SETTLED = 2.0, 0.05  # seconds and share of the work, before which nothing is said of the time left
_NOTICED = 1.0  # [s] of compilation, before which nothing is said of it


class ProgressLine:
    """Progress of several counts, redrawn in place on standard error; ``totals`` says how many of each there are to do.

    From `start`, or the first `update`, to `close` it moves by itself: long steps and compilation show that time passes.
    """

    def __init__(self, **totals):
        self._totals, self._done = totals, dict.fromkeys(totals, 0)
        self._began = self._updated = None  # [s] by the monotonic clock
        self._shown = _is_shown()
        self._drawn = 0  # characters on the line
        self._stop, self._thread = threading.Event(), None

    def start(self):
        """Show the line, if there is a terminal to show it on."""
        if self._began is None:
            self._began = self._updated = time.monotonic()
        if self._shown and self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._keep_drawing, name="tiocross progress", daemon=True)
            self._thread.start()

    def update(self, name, done):
        """Set one count."""
        self.start()
        if self._done[name] != done:
            self._done[name] = done
            self._updated = time.monotonic()

    def close(self):
        """Clear the line; the next update shows it again."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None

    def text(self, now):
        """The line at a time [s] of the monotonic clock."""
        counts = ", ".join(f"{done:g}/{self._totals[name]} {name}" for name, done in self._done.items())
        compiling = "compiling kernels (once) ... " if _seconds_of_compilation() > _NOTICED else ""
        return f"{compiling}{duration(now - self._began)}{self._rest(now)}" + (f": {counts}" if counts else "")

    def _rest(self, now):
        """What is left, from the pace until the last step; nothing while that is a guess, or once it was wrong."""
        share = sum(self._done.values()) / max(sum(self._totals.values()), 1)
        seconds, least = _SETTLED
        if share < least or now - self._began < seconds:
            return ""
        left = (self._updated - self._began) / share - (now - self._began)
        return f", about {duration(left)} left" if left > 0 else ""

    def _keep_drawing(self):
        while not self._stop.wait(_PERIOD):
            if not self._draw(self.text(time.monotonic())):
                return
        self._draw("")

    def _draw(self, text):
        """Replace what is on the line, in blanks and carriage returns only; whether that was possible."""
        columns = width_of(sys.stderr) or 80
        if len(text) >= columns:
            text = text[: max(columns - 4, 0)] + "..."
        blanks = " " * max(min(self._drawn, columns - 1) - len(text), 0)
        self._drawn = len(text)
        with contextlib.suppress(OSError, ValueError):
            getattr(sys.stderr, "write_raw", sys.stderr.write)(f"\r{text}{blanks}" + ("" if text else "\r"))
            sys.stderr.flush()
            return True
        return False


def duration(seconds):
    """Seconds for people: "40 s", "3 min", "2 h 5 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _is_shown():
    """Whether standard error is a terminal that can go back to the start of a line, with somebody before it."""
    try:
        terminal = sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False
    return terminal and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def _seconds_of_compilation():
    return getattr(jit, "compiling", lambda: 0.0)()
