"""The parts between arrays: converters, drivers, amplifiers. What a part leaves out is ideal; None stands for what it does
not state."""

from dataclasses import dataclass, replace

import numpy as np

from tiocross.checks import require_name, require_text
from tiocross.records import check_fields, count, number
from tiocross.units import kohm, mV, mW, ns, percent

KINDS = ("transimpedance", "mirror")
_LARGEST_RESISTANCE = 1e9  # [ohm]; more is no driver and no amplifier
_MOST_BITS = 24
_IDEAL = "ideal; nothing is claimed"


class Part:
    """What all parts know: their checks, a source, and their text."""

    def __post_init__(self):
        check_fields(self)
        require_text("source", self.source)

    def cost(self):
        """Stated power and energy in words, with a comma before them; nothing where none is stated."""
        power, energy = (getattr(self, name, None) for name in ("power", "energy"))
        stated = "" if power is None else f", {power / mW:g} mW"
        return stated + ("" if energy is None else f", {energy:g} J each")


@dataclass(frozen=True)
class Converter(Part):
    """A converter between numbers and voltages, for a `Periphery`: from bits to volts before an array, back behind it.

    Parameters
    ----------
    bits : int
        Number of bits, 1 to 24 (unitless).
    low, high : float or None, optional
        Ends of its range, both or neither; automatic without them: from 0 V, or from ``-high`` where a signal may be
        negative, to the largest signal that the network in software sends, on the points to be judged [V].
    power : float or None, optional
        What one converter takes while it works, if stated [W].
    energy : float or None, optional
        What one conversion takes, if stated [J].
    time : float or None, optional
        What one conversion takes, if stated [s].
    source : str, optional
        Where the numbers come from.

    Raises
    ------
    ValueError
        If the bits are not 1 to 24, one end is given without the other, or the low end is not below the high one.

    Notes
    -----
    A signal becomes the nearest of 2 ** bits levels, evenly from end to end; beyond them the end. A range about zero, from
    -high to high, has a level less, so that zero is among its levels; with one bit it is the two ends.

    Examples
    --------
    >>> from tiocross import Converter
    >>> Converter(2, 0.0, 0.3).convert([-0.1, 0.04, 0.06, 0.5], 0.0, 0.3).round(1).tolist()
    [0.0, 0.0, 0.1, 0.3]
    """

    bits: int = count()
    low: float | None = number("V", default=None, optional=True)
    high: float | None = number("V", default=None, optional=True)
    power: float | None = number("W", default=None, low=0.0, optional=True)
    energy: float | None = number("J", default=None, low=0.0, optional=True)
    time: float | None = number("s", default=None, low=0.0, optional=True)
    source: str = "not stated"

    def __post_init__(self):
        super().__post_init__()
        if self.bits > _MOST_BITS:
            raise ValueError(f"bits must be 1 to {_MOST_BITS}; got {self.bits}. Give None in place of the converter where "
                             "signals stay analogue")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"low and high must both be given, or neither for the automatic range; got {self.low} and "
                             f"{self.high} V")
        if self.low is not None and not self.low < self.high:
            raise ValueError(f"low must be below high; got {self.low:g} and {self.high:g} V")

    @property
    def is_automatic(self) -> bool:
        """Whether its range follows the signals."""
        return self.low is None

    def n_steps(self, low: float, high: float) -> int:
        """Steps between neighbouring levels from end to end (unitless)."""
        return max(1, 2**self.bits - 1 - (low == -high))

    def convert(self, signals: np.ndarray, low: float, high: float) -> np.ndarray:
        """The nearest levels of a converter with these ends, in the unit of the signals."""
        n_steps = self.n_steps(low, high)
        codes = np.floor((np.clip(signals, low, high) - low) * (n_steps / (high - low)) + 0.5)
        return low + (high - low) / n_steps * codes

    def __str__(self):
        ends = "automatic range" if self.is_automatic else f"{self.low / mV:g} to {self.high / mV:g} mV"
        return f"{self.bits} bit, {ends}{self.cost()}" + ("" if self.time is None else f", {self.time / ns:g} ns each")


@dataclass(frozen=True)
class Driver(Part):
    """What holds a word line at its voltage, for a `Periphery`.

    Parameters
    ----------
    resistance : float, optional
        Between the source and the end of the word line [ohm].
    power : float or None, optional
        What one driver takes beside what it gives to the array, if stated [W].
    source : str, optional
        Where the numbers come from.

    Raises
    ------
    ValueError
        If a number is negative.
    """

    resistance: float = number("ohm", default=0.0, low=0.0, high=_LARGEST_RESISTANCE)
    power: float | None = number("W", default=None, low=0.0, optional=True)
    source: str = _IDEAL

    def __str__(self):
        return f"{self.resistance:g} ohm{self.cost()}"


@dataclass(frozen=True)
class Sensing(Part):
    """What turns the current of a bit line into a voltage, for a `Periphery`: one for each bit line of each array.

    Parameters
    ----------
    kind : str, optional
        "transimpedance", an amplifier with a feedback resistance; or "mirror", a current mirror, which passes currents
        towards it and none the other way.
    gain_low, gain_high : float or None, optional
        Ends between which the gain is set for each layer: the feedback resistance; of a mirror its ratio times the load
        behind it. Equal for a fixed gain; None where nothing bounds it [ohm].
    resistance : float, optional
        What the bit line sees; 0 of an amplifier that holds it at 0 V [ohm].
    gain_spread : float, optional
        Standard deviation of the gains of lines, relative, as a fraction (unitless).
    offset : float, optional
        Standard deviation of the offsets of lines, as a fraction of full scale (unitless).
    noise : float, optional
        Standard deviation of the noise of each reading, as a fraction of full scale (unitless).
    saturation : float or None, optional
        Largest magnitude of the voltage behind it, None where nothing bounds it [V].
    power : float or None, optional
        What one takes while it works, if stated [W].
    source : str, optional
        Where the numbers come from.

    Raises
    ------
    ValueError
        If the kind is unknown, a number is negative, or one end of the gain is given without the other.

    Notes
    -----
    Full scale is the largest current of a line of the layer's arrays for the mapped targets on the points to be judged.
    A gain within its ends is chosen so that it fills the range of the converter behind, or reaches the saturation, whichever
    is less. Gains and offsets are drawn once for each physical line of each chip, noise for each reading.

    Examples
    --------
    >>> from tiocross import Sensing
    >>> print(Sensing(gain_low=1e3, gain_high=6e3, offset=0.01))
    transimpedance, gain 1 to 6 kohm, offset 1 % of full scale
    """

    kind: str = "transimpedance"
    gain_low: float | None = number("ohm", default=None, low=0.0, high=1e12, positive=True, optional=True)
    gain_high: float | None = number("ohm", default=None, low=0.0, high=1e12, positive=True, optional=True)
    resistance: float = number("ohm", default=0.0, low=0.0, high=_LARGEST_RESISTANCE)
    gain_spread: float = number("-", default=0.0, low=0.0, high=0.5, shown="%")
    offset: float = number("-", default=0.0, low=0.0, high=0.5, shown="%")
    noise: float = number("-", default=0.0, low=0.0, high=0.5, shown="%")
    saturation: float | None = number("V", default=None, low=0.0, positive=True, optional=True)
    power: float | None = number("W", default=None, low=0.0, optional=True)
    source: str = _IDEAL

    def __post_init__(self):
        require_name("kind of sensing", self.kind, KINDS)
        super().__post_init__()
        if (self.gain_low is None) != (self.gain_high is None):
            raise ValueError("gain_low and gain_high must both be given, equal for a fixed gain, or neither; got "
                             f"{self.gain_low} and {self.gain_high} ohm")
        if self.gain_low is not None and self.gain_low > self.gain_high:
            raise ValueError(f"gain_low must not exceed gain_high; got {self.gain_low:g} and {self.gain_high:g} ohm")

    @property
    def is_ideal(self) -> bool:
        """Whether it does nothing to what is read."""
        return self.kind == "transimpedance" and self.saturation is None and self.resistance == 0.0 and not (
            self.gain_spread or self.offset or self.noise)

    def without_chance(self) -> "Sensing":
        """The same with all lines alike and no noise."""
        return replace(self, gain_spread=0.0, offset=0.0, noise=0.0)

    def __str__(self):
        parts = [self.kind]
        if self.gain_low is not None:
            ends = f"{self.gain_low / kohm:g}" + (f" to {self.gain_high / kohm:g}" if self.gain_high > self.gain_low else "")
            parts.append(f"gain {ends} kohm")
        parts += [f"input {self.resistance:g} ohm"] if self.resistance else []
        parts += [f"gain spread {self.gain_spread / percent:g} %"] if self.gain_spread else []
        parts += [f"{name} {getattr(self, name) / percent:g} % of full scale" for name in ("offset", "noise")
                  if getattr(self, name)]
        parts += [f"saturates at {self.saturation:g} V"] if self.saturation is not None else []
        return ", ".join(parts) + self.cost()
