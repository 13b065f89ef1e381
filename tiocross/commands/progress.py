"""One line of progress on a terminal; nothing anywhere else."""

import os
import sys
import time


class ProgressLine:
    """Progress of several counts, redrawn in place on standard error; ``totals`` says how many of each there are to do."""

    def __init__(self, **totals):
        self._totals = totals
        self._done = dict.fromkeys(totals, 0)
        self._start = self._drawn = time.monotonic()
        self._shown = sys.stderr.isatty() and not os.environ.get("CI")

    def update(self, name, done):
        """Set one count; redraws at most ten times a second."""
        self._done[name] = done
        if self._shown and time.monotonic() - self._drawn > 0.1:
            self._drawn = time.monotonic()
            counts = ", ".join(f"{done:g}/{self._totals[name]} {name}" for name, done in self._done.items())
            print(f"\r\x1b[K{counts}, {self._drawn - self._start:.0f} s", end="", file=sys.stderr, flush=True)

    def close(self):
        """Clear the line."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
