"""The pulse scheme: which amplitudes write-verify may use, how close it must come, and when it gives up."""

import math
from dataclasses import dataclass
from functools import cached_property

from tiocross.checks import as_count, as_number, nearest_name, require_name

LARGEST_AMPLITUDE = 100.0  # [V]; a choice: no memristive device needs it, a number in millivolts usually passes it
LARGEST_WIDTH = 1.0  # [s]; a choice: a number in nanoseconds or microseconds usually passes it

_UNITS = {  # field -> unit in files
    "set_start": "V", "set_limit": "V", "reset_start": "V", "reset_limit": "V", "increment": "V", "width": "s",
    "tolerance": "-", "confirmations": "-", "max_pulses": "-", "max_reversals": "-", "pulses_at_limit": "-",
    "read_voltage": "V", "rise_time": "s", "fall_time": "s",
}
_LAB_KEYS = {  # key in the header of the lab's CSV -> field
    "vread": "read_voltage", "Vmax_set": "set_limit", "Vmin_reset": "reset_limit", "Vset": "set_start",
    "Vreset": "reset_start", "tolerance": "tolerance", "increment": "increment", "PulseWidth": "width",
    "RiseTime": "rise_time", "FallTime": "fall_time",
}


@dataclass(frozen=True, slots=True)
class Pulse:
    """What to do next: apply a pulse, then read.

    Parameters
    ----------
    amplitude : float
        Positive for SET, negative for RESET; 0 means that no pulse is due, only another reading [V].
    width : float
        Length of the pulse [s].
    """

    amplitude: float
    width: float


@dataclass(frozen=True, kw_only=True)
class PulseScheme:
    """Parameters of write-verify.

    Voltages and times are by default those of a measured lab file of the Sherbrooke group (Drolet et al. 2023,
    dead_xbar_P464EC_HD.csv), as is the tolerance; the counts are choices of this package.

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
    """

    set_start: float = 1.1
    set_limit: float = 2.1
    reset_start: float = -1.1
    reset_limit: float = -2.4
    increment: float = 0.02
    width: float = 1.04e-6
    tolerance: float = 0.01
    confirmations: int = 2
    max_pulses: int = 400
    max_reversals: int = 20
    pulses_at_limit: int = 5
    read_voltage: float = 0.2
    rise_time: float = 5e-7
    fall_time: float = 5e-7

    def __post_init__(self):
        for name, unit in _UNITS.items():
            if unit == "-" and name != "tolerance":
                value = as_count(name, getattr(self, name), low=0 if name == "max_reversals" else 1)
            else:
                value = as_number(name, getattr(self, name), unit=unit.strip("-"))
            object.__setattr__(self, name, value)
        for polarity, sign in (("set", 1), ("reset", -1)):
            _require_amplitudes(polarity, sign, getattr(self, f"{polarity}_start"), getattr(self, f"{polarity}_limit"))
        for name in ("increment", "read_voltage", "width"):
            _require_positive(name, getattr(self, name), LARGEST_WIDTH if name == "width" else LARGEST_AMPLITUDE)
        for name in ("rise_time", "fall_time"):
            as_number(name, getattr(self, name), low=0.0, high=LARGEST_WIDTH, unit="s")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance must lie between 0 and 1; got {self.tolerance:g}. It is a fraction: if this is in "
                             "percent, multiply by tiocross.units.percent")

    @cached_property
    def set_pulses(self):
        """Every SET pulse from the start to the limit, weakest first: what amplitudes can leave write-verify [V]."""
        return self._ladder(1, self.set_start, self.set_limit)

    @cached_property
    def reset_pulses(self):
        """Every RESET pulse from the start to the limit, weakest first [V]."""
        return self._ladder(-1, self.reset_start, self.reset_limit)

    def _ladder(self, sign, start, limit):
        # 1e-9 of a step: a limit that is a whole number of increments away must not get one more by rounding.
        n_steps = (abs(limit) - abs(start)) / self.increment - 1e-9
        n_below = math.ceil(min(n_steps, self.max_pulses))  # the budget ends before a longer ladder does
        below = [start + sign * k * self.increment for k in range(n_below)]
        return tuple(Pulse(amplitude, self.width) for amplitude in (*below, limit))

    @classmethod
    def from_lab_header(cls, header, **changes):
        """Scheme from the header of the lab's CSV.

        Parameters
        ----------
        header : dict
            Keys vread, Vmax_set, Vmin_reset, Vset, Vreset [V], tolerance (unitless), increment [V], PulseWidth, RiseTime and
            FallTime [s], each with its number or its text; others are passed over.
        **changes : float or int
            Fields that take these values instead of the header's or the default ones (unitless, V or s).

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
            require_name("field", name, _UNITS)
        needed = {key: name for key, name in _LAB_KEYS.items() if name not in changes}
        missing = [key for key in needed if key not in header]
        if missing:
            raise ValueError(f"the lab header lacks {', '.join(map(repr, missing))}; add what is missing, or give "
                             f"{', '.join(f'{needed[key]}=...' for key in missing)}")
        return cls(**{name: _header_number(key, header[key]) for key, name in needed.items()}, **changes)

    def to_json(self):
        """The scheme as a dict of plain numbers; every key states its unit, as in ``"increment [V]"``."""
        return {f"{name} [{unit}]": getattr(self, name) for name, unit in _UNITS.items()}

    @classmethod
    def from_json(cls, content):
        """Scheme from what `to_json` gave; ValueError naming a missing or unknown key (unitless)."""
        keys = {f"{name} [{unit}]": name for name, unit in _UNITS.items()}
        if not isinstance(content, dict):
            raise ValueError(f"a pulse scheme must be an object; got {content!r}")
        for key in content:
            if key not in keys:
                raise ValueError(f"the pulse scheme has the unknown key {key!r}; {nearest_name(key, keys)}")
        missing = [key for key in keys if key not in content]
        if missing:
            raise ValueError(f"the pulse scheme lacks {missing[0]!r}")
        return cls(**{keys[key]: value for key, value in content.items()})


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


def _require_positive(name, value, high):
    unit, cure = _UNITS[name], "ns or tiocross.units.us" if _UNITS[name] == "s" else "mV"
    if not 0 < value <= high:
        raise ValueError(f"{name} must be above 0 and at most {high:g} {unit}; got {value:g}. Everything is in SI units: "
                         f"multiply by tiocross.units.{cure}")


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
