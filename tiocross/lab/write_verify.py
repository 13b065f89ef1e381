"""Write-verify, free of I/O: from a reading to the next pulse, for one device.

Read; inside the tolerance, read again until enough readings in a row were inside. Too resistive: a SET pulse, positive.
Too conductive: a RESET pulse, negative. Each pulse is one increment stronger than the last of its polarity, up to a
limit; a change of polarity starts again at the start amplitude. Every way through the loop has an end: a device at the
limit that does not move is stuck, and pulses, reversals and failed readings are counted.
"""

import math
from dataclasses import dataclass

from tiocross.checks import LARGEST_CONDUCTANCE, as_number
from tiocross.lab.scheme import Pulse, PulseScheme

OUTCOMES = ("converged", "budget", "stuck_low", "stuck_high", "aborted", "read_error")
N_REREADS = 2  # failed readings that are simply repeated before the device is given up


@dataclass(frozen=True, slots=True)
class Done:
    """How the tuning of one device ended.

    Parameters
    ----------
    outcome : str
        "converged"; "budget": pulses or reversals used up; "stuck_low", "stuck_high": pulses at the SET or the RESET
        limit do not move it; "aborted"; "read_error": no valid reading (unitless).
    conductance : float
        Last reading, NaN if there was none [S].
    n_pulses, n_reversals : int
        Pulses and changes of their polarity (unitless).
    """

    outcome: str
    conductance: float
    n_pulses: int
    n_reversals: int


class WriteVerify:
    """Write-verify of one device: a reading in, what to do next out.

    Parameters
    ----------
    g_target : float
        Wanted conductance, above 0 and at most 1 S [S].
    scheme : PulseScheme
        Amplitudes, tolerance and budgets (unitless).

    Raises
    ------
    ValueError
        If the target is no such conductance.
    """

    __slots__ = ("g_target", "n_pulses", "n_reversals", "_scheme", "_ladders", "_margin", "_reread", "_last", "_done",
                 "_polarity", "_level", "_n_inside", "_n_failed", "_n_at_limit", "_g_at_limit")

    def __init__(self, g_target, scheme):
        require_scheme(scheme)
        self.g_target = require_target("g_target", g_target)
        self.n_pulses = self.n_reversals = 0
        self._scheme = scheme
        self._ladders = {1: scheme.set_pulses, -1: scheme.reset_pulses}
        self._margin = scheme.tolerance * self.g_target
        self._reread = Pulse(0.0, scheme.width)
        self._last, self._done = math.nan, None
        self._polarity = self._level = self._n_inside = self._n_failed = self._n_at_limit = 0
        self._g_at_limit = math.nan

    def step(self, g_read):
        """What to do after the reading ``g_read`` [S]: a `Pulse`, or the `Done` that ends the tuning.

        A reading that is NaN, infinite, negative or above 1 S has failed; it is repeated twice before it ends the tuning.
        """
        if self._done is not None:
            return self._done
        self._last = g_read
        if not 0.0 <= g_read <= LARGEST_CONDUCTANCE:
            self._n_inside, self._n_failed = 0, self._n_failed + 1
            return self._end("read_error") if self._n_failed > N_REREADS else self._reread
        error = g_read - self.g_target
        if -self._margin <= error <= self._margin:
            self._n_inside, self._n_at_limit = self._n_inside + 1, 0
            return self._end("converged") if self._n_inside >= self._scheme.confirmations else self._reread
        self._n_inside = 0
        return self._next_pulse(1 if error < 0 else -1, g_read)

    def abort(self, refused=None):
        """`Done` with the outcome "aborted", unless the tuning had ended; ``refused`` is the last Pulse if not given [V]."""
        if self._done is None and refused is not None:
            self.n_pulses -= refused.amplitude != 0
        return self._done or self._end("aborted")

    def _next_pulse(self, polarity, g_read):
        turns_back = self._polarity == -polarity
        if polarity != self._polarity:
            self._polarity, self._level, self._n_at_limit = polarity, 0, 0
        elif self._n_at_limit >= self._scheme.pulses_at_limit:
            # Only movement towards the target counts, so that neither a drift away nor noise keeps a dead device going.
            if polarity * (g_read - self._g_at_limit) <= self._scheme.tolerance * max(self.g_target, self._g_at_limit):
                return self._end("stuck_low" if polarity > 0 else "stuck_high")
            self._n_at_limit = 0
        if self.n_pulses >= self._scheme.max_pulses or (turns_back and self.n_reversals >= self._scheme.max_reversals):
            return self._end("budget")
        ladder = self._ladders[polarity]
        pulse = ladder[self._level]
        if self._level < len(ladder) - 1:
            self._level += 1
        else:
            self._g_at_limit = self._g_at_limit if self._n_at_limit else g_read
            self._n_at_limit += 1
        self.n_pulses += 1
        self.n_reversals += turns_back
        self._n_failed = 0
        return pulse

    def _end(self, outcome):
        self._done = Done(outcome, self._last, self.n_pulses, self.n_reversals)
        return self._done


def require_scheme(scheme):
    """Raise TypeError unless ``scheme`` is a PulseScheme."""
    if not isinstance(scheme, PulseScheme):
        raise TypeError(f"scheme must be a PulseScheme, for example PulseScheme(); got {str(scheme)[:80]!r}")


def require_target(what, g_target):
    """Float of a conductance to be programmed, above 0 and at most 1 S; ValueError with the cure otherwise [S]."""
    value = as_number(what, g_target, unit="S")
    if not 0 < value <= LARGEST_CONDUCTANCE:
        cure = ". If this is in microsiemens, multiply by tiocross.units.uS" if value > 0 else "; no pulse can reach it"
        raise ValueError(f"{what} must be above 0 and at most 1 S; got {value:g}{cure}")
    return value
