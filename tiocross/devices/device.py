"""What is known of one kind of memristive cell: its tuning window, and what a write leaves behind.

Each effect is a record of its own: `TuningError`, `DisturbQuantiles` or `StateDisturb`, `StuckDevices`, `LineFailures`, for
the time after the write `Retention`, for readings `ReadNoise` and `Nonlinearity`. A `Device` holds at most one of each. How
chips are drawn from them is in `tiocross.devices.writes`.
"""

from dataclasses import dataclass, replace

import numpy as np

from tiocross.checks import LARGEST_CONDUCTANCE, as_count, as_shape, require_name, require_text, siemens_cure, with_article
from tiocross.devices.reads import Nonlinearity, ReadNoise
from tiocross.devices.retention import Retention
from tiocross.devices.state_disturb import StateDisturb
from tiocross.records import ArrayRecord, array, check_fields, number, stated
from tiocross.shown import records_table
from tiocross.units import mS, percent, uS

LARGEST_WINDOW = 10 * mS  # what a device is tuned to; 100 ohm
_LEAST_ODD_ERROR = 0.5  # relative errors from here on are percents that were taken for fractions


@dataclass(frozen=True)
class TuningError:
    """Error of the write itself, relative to the target conductance.

    Parameters
    ----------
    offset_mean, offset_std : float
        Mean and standard deviation of the relative offset, as fractions (unitless).
    spread_slope : float
        Change of the relative spread with conductance [1/S].
    spread_intercept : float
        Relative spread extrapolated to zero conductance, as a fraction (unitless).
    source : str
        Where the numbers come from.

    Notes
    -----
    A device with the target G ends at G (1 + offset + spread(G) z). The offset is drawn from N(offset_mean, offset_std),
    z from N(0, 1), and spread(G) = spread_slope G + spread_intercept, which must not be negative within the window.
    """

    offset_mean: float = number("-", low=-1.0, high=1.0, shown="%")
    offset_std: float = number("-", low=0.0, high=1.0, shown="%")
    spread_slope: float = number("1/S", shown="%/uS")
    spread_intercept: float = number("-", low=0.0, high=1.0, shown="%")
    source: str

    def __post_init__(self):
        check_fields(self)
        require_text("source", self.source)
        if max(abs(self.offset_mean), self.offset_std) >= _LEAST_ODD_ERROR:
            raise ValueError(f"an offset of {max(abs(self.offset_mean), self.offset_std) / percent:g} % is no tuning; give "
                             "fractions, as in 0.5 * tiocross.units.percent")

    def __str__(self):
        slope = self.spread_slope * uS / percent
        return (f"relative offset N({self.offset_mean / percent:.3g} %, {self.offset_std / percent:.3g} %), "
                f"spread ({slope:.3g} %/uS) G + {self.spread_intercept / percent:.3g} %")


@dataclass(frozen=True, eq=False, repr=False)
class DisturbQuantiles(ArrayRecord):
    """Additive conductance change of a programmed device after k later writes in its array, as quantiles.

    Parameters
    ----------
    n_later_writes : (n_k,) array_like
        Increasing numbers k >= 1 of devices programmed later (unitless).
    probabilities : (n_p,) array_like
        Increasing, from 0 to 1 (unitless).
    changes : (n_k, n_p) array_like
        Change of the conductance at each k and probability [S].
    growth_exponent : float
        Exponent of the extrapolation beyond the largest k (unitless).
    source : str
        Where the numbers come from.

    Notes
    -----
    Between the listed k the quantiles are interpolated linearly in k, between the listed probabilities linearly in
    probability. Beyond the largest listed k every quantile grows as (k / k_max) ** growth_exponent. k = 0 means no change.
    """

    n_later_writes: np.ndarray = array("-", ndim=1)
    probabilities: np.ndarray = array("-", ndim=1)
    changes: np.ndarray = array("S", ndim=2, shown="uS")
    growth_exponent: float = number("-")
    source: str

    def __post_init__(self):
        check_fields(self)
        require_text("source", self.source)
        k, p, changes = self.n_later_writes, self.probabilities, self.changes
        if len(k) == 0 or k[0] < 1 or (np.diff(k) <= 0).any():
            raise ValueError(f"n_later_writes must increase from 1 or more; got {k}")
        if len(p) < 2 or p[0] != 0 or p[-1] != 1 or (np.diff(p) <= 0).any():
            raise ValueError(f"probabilities must increase from 0 to 1; got {p}")
        if changes.shape != (len(k), len(p)) or (np.diff(changes, axis=1) < 0).any():
            raise ValueError(f"changes must have shape {len(k), len(p)} and not fall along a row; got {changes.shape}")
        largest = changes.flat[np.abs(changes).argmax()]
        if abs(largest) > LARGEST_CONDUCTANCE:
            raise ValueError(f"changes must lie in [-1, 1] S; got {largest:g}{siemens_cure(abs(largest))}")

    def __str__(self):
        middle = [f"{np.interp(0.5, self.probabilities, row) / uS:.2g}" for row in self.changes[[0, -1]]]
        k_max = self.n_later_writes[-1]
        return (f"quantile table for k = {self.n_later_writes[0]:g} to {k_max:g} later writes (median {middle[0]} to "
                f"{middle[1]} uS, extremes {self.changes.min() / uS:.3g} to {self.changes.max() / uS:.3g} uS), "
                f"beyond that x (k/{k_max:g})^{self.growth_exponent:g}")


@dataclass(frozen=True)
class StuckDevices:
    """Independent devices that do not answer to writes, drawn anew for each chip.

    Parameters
    ----------
    probability_lrs, probability_hrs : float
        Probability that a device is stuck at low or at high resistance, as fractions (unitless).
    lrs_mean, lrs_std : float
        Normal law of the conductance of a device stuck at low resistance, floored at zero [S].
    hrs_low, hrs_high : float
        Uniform law of the conductance of a device stuck at high resistance [S].
    source : str
        Where the numbers come from.
    """

    probability_lrs: float = number("-", low=0.0, high=1.0, shown="%")
    lrs_mean: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    lrs_std: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    probability_hrs: float = number("-", low=0.0, high=1.0, shown="%")
    hrs_low: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    hrs_high: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    source: str

    def __post_init__(self):
        check_fields(self)
        require_text("source", self.source)
        if self.probability_lrs + self.probability_hrs > 1:
            raise ValueError("probability_lrs and probability_hrs must add up to at most 1; got "
                             f"{self.probability_lrs:g} and {self.probability_hrs:g}")
        if self.hrs_low > self.hrs_high:
            raise ValueError(f"hrs_low must not exceed hrs_high; got {self.hrs_low:g} and {self.hrs_high:g} S")

    def __str__(self):
        return (f"{self.probability_lrs / percent:g} % stuck at LRS, N({self.lrs_mean / uS:g}, {self.lrs_std / uS:g}) uS; "
                f"{self.probability_hrs / percent:g} % stuck at HRS, U({self.hrs_low / uS:g}, {self.hrs_high / uS:g}) uS")


@dataclass(frozen=True)
class LineFailures:
    """Whole word lines or bit lines that fail: all devices of such a line share one conductance.

    Parameters
    ----------
    probability_word_line, probability_bit_line : float
        Probability that a word line, or a bit line, fails, as fractions (unitless).
    g_low, g_high : float
        Ends of the log-uniform law of a failed line's conductance, both above zero [S].
    source : str
        Where the numbers come from.

    Notes
    -----
    Lines fail independently and are drawn anew for each chip. The law is log-uniform because measured failures spread over
    decades. Where two failed lines cross, the device has the conductance of the bit line.
    """

    probability_word_line: float = number("-", low=0.0, high=1.0, shown="%")
    probability_bit_line: float = number("-", low=0.0, high=1.0, shown="%")
    g_low: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    g_high: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    source: str

    def __post_init__(self):
        check_fields(self)
        require_text("source", self.source)
        if not 0 < self.g_low <= self.g_high:
            raise ValueError(f"g_low must be above zero and not exceed g_high; got {self.g_low:g} and {self.g_high:g} S")

    def __str__(self):
        return (f"{self.probability_word_line / percent:g} % of word lines and {self.probability_bit_line / percent:g} % of "
                f"bit lines fail at a conductance log-uniform in {self.g_low / uS:g} to {self.g_high / uS:g} uS")


EFFECTS = {"tuning": TuningError, "disturb": (DisturbQuantiles, StateDisturb), "stuck": StuckDevices, "lines": LineFailures,
           "retention": Retention, "read_noise": ReadNoise, "nonlinearity": Nonlinearity}
YOUNG = ("retention", "read_noise", "nonlinearity")  # effects that most cards do not know: shown and saved where they are on


def kinds_of(effect):
    """The records that may be this effect of a `Device`, a tuple; the first is the usual one."""
    kinds = EFFECTS[effect]
    return kinds if isinstance(kinds, tuple) else (kinds,)


@dataclass(frozen=True)
class Device:
    """One kind of memristive cell. An effect that is None is switched off.

    Parameters
    ----------
    g_min, g_max : float
        Ends of the tuning window, high and low resistance state [S].
    tuning : TuningError or None, optional
        Error of the write itself.
    disturb : DisturbQuantiles or StateDisturb or None, optional
        Change by later writes in the same array.
    stuck : StuckDevices or None, optional
        Devices that do not answer to writes.
    name : str, optional
        What to call it.
    source : str, optional
        Where the window comes from.
    lines : LineFailures or None, optional
        Whole lines that fail.
    array_shape : tuple of int or None, optional
        (n_word_lines, n_bit_lines) of the physical arrays: the default for layouts that are made without one. It is used
        once, when a network is mapped. None: each layer has one array of its own size (unitless).
    read_noise : ReadNoise or None, optional
        Noise of each reading.
    nonlinearity : Nonlinearity or None, optional
        Current-voltage law; Ohm's without it.
    retention : Retention or None, optional
        What time does after the write; it comes into play where a time is given, as by ``transfer(..., after=...)``.
    """

    g_min: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    g_max: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    tuning: TuningError | None = None
    disturb: DisturbQuantiles | StateDisturb | None = None
    stuck: StuckDevices | None = None
    name: str = "unnamed device"
    source: str = "not stated"
    lines: LineFailures | None = None
    array_shape: tuple[int, int] | None = stated("-", default=None)
    read_noise: ReadNoise | None = None
    nonlinearity: Nonlinearity | None = None
    retention: Retention | None = None

    def __post_init__(self):
        check_fields(self)
        for name in EFFECTS:
            kinds = kinds_of(name)
            if not isinstance(getattr(self, name), (*kinds, type(None))):
                raise TypeError(f"{name} must be {' or '.join(with_article(kind.__name__) for kind in kinds)}, "
                                f"or None to switch it off; got {getattr(self, name)!r}")
        for name in ("name", "source"):
            require_text(name, getattr(self, name))
        if self.array_shape is not None:
            object.__setattr__(self, "array_shape", as_shape("array_shape", self.array_shape))
            as_count("bit lines of array_shape", self.array_shape[1], low=2)
        if not self.g_min < self.g_max:
            raise ValueError(f"g_min must be below g_max; got {self.g_min:g} and {self.g_max:g} S")
        if self.g_max > LARGEST_WINDOW:
            raise ValueError(f"g_max must be at most {LARGEST_WINDOW:g} S, more than memristive devices are tuned to; got "
                             f"{self.g_max:g} S, {1 / self.g_max:.3g} ohm. If these are millisiemens, multiply by "
                             "tiocross.units.mS")
        if self.tuning is not None:
            self._check_spread()

    def _check_spread(self):
        tuning = self.tuning
        if tuning.spread_slope * self.g_max + tuning.spread_intercept < 0:
            raise ValueError(f"the relative spread of tuning becomes negative before g_max = {self.g_max:g} S; got slope "
                             f"{tuning.spread_slope:g} 1/S and intercept {tuning.spread_intercept:g}")
        largest = tuning.spread_intercept + max(tuning.spread_slope * self.g_min, tuning.spread_slope * self.g_max)
        if largest >= _LEAST_ODD_ERROR:
            raise ValueError(f"the relative spread of tuning reaches {largest / percent:g} % within the window, which is no "
                             "tuning; give fractions, as in 0.5 * tiocross.units.percent")

    def __repr__(self):
        on = ", ".join(effect for effect in EFFECTS if getattr(self, effect) is not None) or "no effects"
        shape = "" if self.array_shape is None else f", arrays of {self.array_shape[0]} x {self.array_shape[1]}"
        return f"<Device {self.name!r}: {self.g_min / uS:g} to {self.g_max / uS:g} uS{shape}; {on}>"

    def only(self, *effects: str) -> "Device":
        """The same device with the named effects alone.

        Parameters
        ----------
        *effects : str
            Any of "tuning", "disturb", "stuck", "lines", "retention", "read_noise", "nonlinearity".

        Returns
        -------
        Device
            A copy in which every other effect is switched off. An effect that was off stays off.

        Raises
        ------
        ValueError
            If an effect is unknown.

        Examples
        --------
        >>> from tiocross import TIO2
        >>> TIO2.only("tuning", "stuck") == TIO2.without("disturb", "lines")
        True
        """
        for effect in effects:
            require_name("effect", effect, EFFECTS)
        return self.without(*(effect for effect in EFFECTS if effect not in effects))

    def without(self, *effects: str) -> "Device":
        """The same device with some effects switched off.

        Parameters
        ----------
        *effects : str
            Any of "tuning", "disturb", "stuck", "lines", "retention", "read_noise", "nonlinearity".

        Returns
        -------
        Device
            A copy without them.

        Raises
        ------
        ValueError
            If an effect is unknown.
        """
        for effect in effects:
            require_name("effect", effect, EFFECTS)
        return replace(self, **dict.fromkeys(effects))

    def ideal(self) -> "Device":
        """The same window with every effect switched off."""
        return self.only()

    def __str__(self):
        lines = [self.name, f"  window: {self.g_min / uS:g} to {self.g_max / uS:g} uS", f"    source: {self.source}"]
        if self.array_shape is not None:
            lines.append(f"  arrays of {self.array_shape[0]} x {self.array_shape[1]}")
        for effect in EFFECTS:
            value = getattr(self, effect)
            if effect in ("lines", *YOUNG) and value is None:
                continue  # most cards do not know them; the others' "off" says that something was switched off
            lines.append(f"  {effect}: {'off' if value is None else value}")
            if value is not None:
                lines.append(f"    source: {value.source}")
        return "\n".join(lines)

    def _repr_html_(self):
        """The card as a table of all values with their units and sources, for notebooks."""
        return records_table(self.name, {"window": self, **effects_shown(self)})


def effects_shown(device):
    """The effects of a device by name, None where one is off; those that most cards lack only where they are on."""
    effects = {effect: getattr(device, effect) for effect in EFFECTS}
    return {effect: value for effect, value in effects.items() if value is not None or effect not in YOUNG}


def require_device(device):
    """Raise TypeError unless ``device`` is a Device."""
    if not isinstance(device, Device):
        raise TypeError(f"device must be a Device, for example tiocross.TIO2; got {str(device)[:80]!r}")
