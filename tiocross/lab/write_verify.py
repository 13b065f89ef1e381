"""Write-verify, free of I/O: the pulse scheme, and from a reading to the next pulse for one device.

Read; inside the tolerance, read again until enough readings in a row were inside. Too resistive: a SET pulse, positive.
Too conductive: a RESET pulse, negative. Each pulse is one increment stronger than the last of its polarity, up to a
limit; a change of polarity starts again at the start amplitude. Every way through the loop has an end: a device at the
limit that does not move is stuck, and pulses, reversals and failed readings are counted.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from tiocross import records
from tiocross.checks import LARGEST_CONDUCTANCE, as_number, require_name, siemens_cure
from tiocross.records import count, number

POLARITIES = ("both", "SET", "RESET")
OUTCOMES = ("converged", "budget", "stuck_low", "stuck_high", "aborted", "read_error")
_OPPOSITE = {1: "RESET", -1: "SET"}  # of a polarity: pulses of it alone forbid this one
N_REREADS = 2  # failed readings that are simply repeated before the device is given up
_FAR = 100.0  # times its target: what a device reads that no pulse has touched is then a short, or in another unit
_SHORT = 0.01  # [S]; the same above it already for 30 times the target
LARGEST_AMPLITUDE = 100.0  # [V]; a choice: no memristive device needs it, a number in millivolts usually passes it
MOST_STEPS = 100_000  # from start to limit; a choice: finer than 17 bits of a source, a slip of units usually passes it
LARGEST_WIDTH = 1.0  # [s]; a choice: a number in nanoseconds or microseconds usually passes it

_LAB_KEYS = {  # key in the header of the lab's CSV -> field
    "vread": "read_voltage", "Vmax_set": "set_limit", "Vmin_reset": "reset_limit", "Vset": "set_start",
    "Vreset": "reset_start", "tolerance": "tolerance", "increment": "increment", "PulseWidth": "width",
    "RiseTime": "rise_time", "FallTime": "fall_time",
}


@dataclass(frozen=True, slots=True)
class Pulse:
    """What to do next: apply a pulse, then read."""

    amplitude: float  # positive for SET, negative for RESET; 0 means that no pulse is due, only another reading [V]
    width: float  # [s]


@dataclass(frozen=True, slots=True)
class Done:
    """How the tuning of one device ended."""

    outcome: str  # one of OUTCOMES, see `WriteVerify.step`
    conductance: float  # last reading, NaN if there was none [S]
    n_pulses: int
    n_reversals: int  # changes of the pulses' polarity


@dataclass(frozen=True, kw_only=True)
class PulseScheme:
    """Parameters of write-verify.

    The default voltages, times and tolerance are those of a measured lab file of the Sherbrooke group (Drolet et al.
    2023, dead_xbar_P464EC_HD.csv). The default counts are choices of this package.

    Parameters
    ----------
    set_start, set_limit : float, optional
        First and largest amplitude of SET pulses, positive [V].
    reset_start, reset_limit : float, optional
        First and largest amplitude of RESET pulses, negative [V].
    increment : float, optional
        What each pulse adds to the magnitude of the last one of its polarity [V].
    width : float, optional
        Length of every pulse [s].
    tolerance : float, optional
        Largest distance of a reading from the target, as a fraction of the target (unitless).
    confirmations : int, optional
        Readings in a row that must be inside the tolerance, the first included (unitless).
    max_pulses, max_reversals : int, optional
        Most pulses, and most changes of polarity, for one device (unitless).
    pulses_at_limit : int, optional
        Pulses in a row at the limit after which a device that they did not move counts as stuck (unitless).
    read_voltage : float, optional
        Voltage of readings, for the instrument's set-up; drivers do not use it [V].
    rise_time, fall_time : float, optional
        Edges of the pulses, for the instrument's set-up; drivers do not use them [s].
    polarity : str, optional
        "both"; "SET" or "RESET" for pulses of one polarity alone: where the other is needed the tuning ends with the outcome
        "budget".
    """

    set_start: float = number("V", default=1.1)
    set_limit: float = number("V", default=2.1)
    reset_start: float = number("V", default=-1.1)
    reset_limit: float = number("V", default=-2.4)
    increment: float = number("V", default=0.02)
    width: float = number("s", default=1.04e-6)
    tolerance: float = number("-", default=0.01)
    confirmations: int = count(default=2)
    max_pulses: int = count(default=400)
    max_reversals: int = count(default=20, low=0)
    pulses_at_limit: int = count(default=5)
    read_voltage: float = number("V", default=0.2)
    rise_time: float = number("s", default=5e-7, low=0.0, high=LARGEST_WIDTH)
    fall_time: float = number("s", default=5e-7, low=0.0, high=LARGEST_WIDTH)
    polarity: str = "both"

    def __post_init__(self):
        records.check_fields(self)
        require_name("polarity", self.polarity, POLARITIES)
        for polarity, sign in (("set", 1), ("reset", -1)):
            _require_amplitudes(polarity, sign, getattr(self, f"{polarity}_start"), getattr(self, f"{polarity}_limit"))
        for name in ("increment", "read_voltage"):
            _require_positive(name, getattr(self, name), LARGEST_AMPLITUDE, "V", "mV")
        _require_positive("width", self.width, LARGEST_WIDTH, "s", "ns or tiocross.units.us")
        self._require_steps()
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance must lie between 0 and 1; got {self.tolerance:g}. It is a fraction: if this is in "
                             "percent, multiply by tiocross.units.percent")

    def _require_steps(self):
        both = (("SET", self.set_start, self.set_limit), ("RESET", self.reset_start, self.reset_limit))
        for polarity, start, limit in both:
            n_steps = (abs(limit) - abs(start)) / self.increment
            if min(n_steps, self.max_pulses) > MOST_STEPS:
                raise ValueError(f"increment must leave at most {MOST_STEPS} pulses from start to limit; got {n_steps:.3g} "
                                 f"steps of {self.increment:g} V from {start:g} to {limit:g} V for {polarity}. Everything "
                                 "is in SI units: if this is in millivolts, multiply by tiocross.units.mV; or lower "
                                 "max_pulses")

    @cached_property
    def set_pulses(self) -> tuple[Pulse, ...]:
        """Every SET pulse from the start to the limit, weakest first. Write-verify gives no other amplitudes."""
        return self._ladder(1, self.set_start, self.set_limit)

    @cached_property
    def reset_pulses(self) -> tuple[Pulse, ...]:
        """Every RESET pulse from the start to the limit, weakest first."""
        return self._ladder(-1, self.reset_start, self.reset_limit)

    def _ladder(self, sign, start, limit):
        # 1e-9 of a step: a limit that is a whole number of increments away must not get one more by rounding.
        n_steps = (abs(limit) - abs(start)) / self.increment - 1e-9
        n_below = math.ceil(min(n_steps, self.max_pulses))  # the budget ends before a longer ladder does
        below = [start + sign * k * self.increment for k in range(n_below)]
        return tuple(Pulse(amplitude, self.width) for amplitude in (*below, limit))

    @classmethod
    def from_lab_header(cls, header: dict, **changes: float) -> "PulseScheme":
        """Scheme from the header of the lab's CSV.

        Parameters
        ----------
        header : dict
            Keys vread, Vmax_set, Vmin_reset, Vset, Vreset, increment in volts, PulseWidth, RiseTime and FallTime in
            seconds, and tolerance, each with its number or its text. Other keys are passed over.
        **changes : float or int
            Fields that take these values instead of those of the header or the default ones [V], [s] or (unitless).

        Returns
        -------
        PulseScheme
            The scheme.

        Raises
        ------
        ValueError
            If a key is missing or malformed and its field not among ``changes``, or a field is unknown.
        """
        for name in changes:
            require_name("field", name, records.declared(cls))
        needed = {key: name for key, name in _LAB_KEYS.items() if name not in changes}
        missing = [key for key in needed if key not in header]
        if missing:
            raise ValueError(f"the lab header lacks {', '.join(map(repr, missing))}; add what is missing, or give "
                             f"{', '.join(f'{needed[key]}=...' for key in missing)}")
        return cls(**{name: _header_number(key, header[key]) for key, name in needed.items()}, **changes)

    def to_json(self) -> dict:
        """The scheme as a dict of plain numbers; every key states its unit, as in ``"increment [V]"``."""
        return records.to_json(self) | ({} if self.polarity == "both" else {"polarity": self.polarity})

    @classmethod
    def from_json(cls, content: dict) -> "PulseScheme":
        """Scheme from what `to_json` gave; ValueError naming a missing or unknown key."""
        extra = ("polarity",) if isinstance(content, dict) and "polarity" in content else ()
        return cls(**records.values_from_json("the pulse scheme", content, cls, extra))


class WriteVerify:
    """Write-verify of one device: a reading in, what to do next out.

    Parameters
    ----------
    g_target : float
        Wanted conductance, above 0 and at most 1 S [S].
    scheme : PulseScheme
        Amplitudes, tolerance and budgets.

    Attributes
    ----------
    g_target : float
        As given [S].
    n_pulses, n_reversals : int
        Pulses and changes of their polarity so far (unitless).
    reading : float
        The last one, NaN before the first [S].
    moved : float
        How far the device went in the direction of its pulses; negative if it went the other way [S].

    Raises
    ------
    ValueError
        If the target is no such conductance.

    Examples
    --------
    >>> from tiocross import PulseScheme, WriteVerify
    >>> device = WriteVerify(300e-6, PulseScheme())
    >>> device.step(250e-6)  # too resistive: a SET pulse
    Pulse(amplitude=1.1, width=1.04e-06)
    >>> device.step(301e-6)  # inside the tolerance: read again
    Pulse(amplitude=0.0, width=1.04e-06)
    >>> device.step(301e-6)
    Done(outcome='converged', conductance=0.000301, n_pulses=1, n_reversals=0)
    """

    __slots__ = ("g_target", "n_pulses", "n_reversals", "reading", "moved", "_scheme", "_ladders", "_margin", "_reread",
                 "_done", "_polarity", "_level", "_n_inside", "_n_failed", "_n_at_limit", "_g_at_limit", "_g_valid",
                 "_given")

    def __init__(self, g_target: float, scheme: PulseScheme):
        require_scheme(scheme)
        self.g_target = require_target("g_target", g_target)
        self.n_pulses = self.n_reversals = 0
        self._scheme = scheme
        self._ladders = {1: scheme.set_pulses, -1: scheme.reset_pulses}
        self._margin = scheme.tolerance * self.g_target
        self._reread = Pulse(0.0, scheme.width)
        self.reading, self.moved, self._done = math.nan, 0.0, None
        self._g_valid, self._given = math.nan, 0  # last valid reading; polarity of a pulse given since, 0 if none
        self._polarity = self._level = self._n_inside = self._n_failed = self._n_at_limit = 0
        self._g_at_limit = math.nan

    def step(self, g_read: float) -> Pulse | Done:
        """What to do after the reading ``g_read`` [S]: a `Pulse`, or the `Done` that ends the tuning.

        A reading that is NaN, infinite, negative or above 1 S has failed; it is repeated twice before it ends the tuning. So
        is, before the first pulse, one far above the target (`is_far`): such a device is not pulsed, and "stuck_high".
        Outcomes are "converged"; "budget", pulses or reversals used up; "stuck_low" and "stuck_high", pulses at the SET or
        the RESET limit do not move the device; "read_error", no valid reading.
        """
        if self._done is not None:
            return self._done
        self.reading = g_read
        if not 0.0 <= g_read <= LARGEST_CONDUCTANCE:
            self._n_inside, self._n_failed = 0, self._n_failed + 1
            return self._end("read_error") if self._n_failed > N_REREADS else self._reread
        if self.n_pulses == 0 and is_far(g_read, self.g_target):
            self._n_inside, self._n_failed = 0, self._n_failed + 1
            return self._end("stuck_high") if self._n_failed > N_REREADS else self._reread
        if self._given:
            self.moved += self._given * (g_read - self._g_valid)
        self._g_valid, self._given = g_read, 0
        error = g_read - self.g_target
        if -self._margin <= error <= self._margin:
            self._n_inside, self._n_at_limit = self._n_inside + 1, 0
            return self._end("converged") if self._n_inside >= self._scheme.confirmations else self._reread
        self._n_inside = 0
        return self._next_pulse(1 if error < 0 else -1, g_read)

    def abort(self, refused: Pulse | None = None) -> Done:
        """`Done` with the outcome "aborted", unless the tuning had ended; ``refused`` is a Pulse that was not given."""
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
        if self._scheme.polarity == _OPPOSITE[polarity]:
            return self._end("budget")
        if self.n_pulses >= self._scheme.max_pulses or (turns_back and self.n_reversals >= self._scheme.max_reversals):
            return self._end("budget")
        ladder = self._ladders[polarity]
        pulse = ladder[self._level]
        if self._level < len(ladder) - 1:
            self._level += 1
        else:
            self._g_at_limit = self._g_at_limit if self._n_at_limit else g_read
            self._n_at_limit += 1
        self._given = polarity
        self.n_pulses += 1
        self.n_reversals += turns_back
        self._n_failed = 0
        return pulse

    def _end(self, outcome):
        self._done = Done(outcome, self.reading, self.n_pulses, self.n_reversals)
        return self._done


def is_far(g_read, g_target):
    """Whether a reading [S] is so far above the target that the device is a short, or the reading in another unit."""
    return g_read > (30.0 if g_read > _SHORT else _FAR) * g_target


def require_scheme(scheme):
    """Raise TypeError unless ``scheme`` is a PulseScheme."""
    if not isinstance(scheme, PulseScheme):
        raise TypeError(f"scheme must be a PulseScheme, for example PulseScheme(); got {str(scheme)[:80]!r}")


def require_target(what, g_target):
    """Float of a conductance to be programmed, above 0 and at most 1 S; ValueError with the cure otherwise."""
    value = as_number(what, g_target, unit="S")
    if not 0 < value <= LARGEST_CONDUCTANCE:
        cure = siemens_cure(value) or "; no pulse can reach it"
        raise ValueError(f"{what} must be above 0 and at most 1 S; got {value:g}{cure}")
    return value


def _require_amplitudes(polarity, sign, start, limit):
    raises = "raises" if sign > 0 else "lowers"
    for name, value in ((f"{polarity}_start", start), (f"{polarity}_limit", limit)):
        if not sign * value > 0:
            raise ValueError(f"{name} must be {'positive' if sign > 0 else 'negative'}, as a {polarity.upper()} pulse "
                             f"{raises} the conductance; got {value:g} V. Change its sign, or exchange set_* and reset_*")
        if abs(value) > LARGEST_AMPLITUDE:
            raise ValueError(f"{name} must lie within {LARGEST_AMPLITUDE:g} V; got {value:g}. If these are millivolts, "
                             "multiply by tiocross.units.mV")
    if abs(limit) < abs(start):
        raise ValueError(f"{polarity}_limit must be at least as strong as {polarity}_start; got a limit of {limit:g} V "
                         f"for a start of {start:g} V. Raise the limit, or lower the start")


def _require_positive(name, value, high, unit, smaller):
    if not 0 < value <= high:
        raise ValueError(f"{name} must be above 0 and at most {high:g} {unit}; got {value:g}. Everything is in SI units: "
                         f"multiply by tiocross.units.{smaller}")


def _header_number(key, value):
    """Number of a header entry that may be a text."""
    if not isinstance(value, str):
        return as_number(f"{key!r} of the lab header", value)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{key!r} of the lab header must be a number; got {value!r}")
    return number
