"""What is known of one kind of memristive cell: its tuning window and what a write leaves behind."""

from dataclasses import dataclass, replace

from tiocross.devices.effects import DisturbQuantiles, DisturbSamples, LineFailures, StuckDevices, TuningError
from tiocross.checks import LARGEST_CONDUCTANCE, as_count, as_number, require_name
from tiocross.units import uS

EFFECTS = {"tuning": (TuningError,), "disturb": (DisturbQuantiles, DisturbSamples), "stuck": (StuckDevices,),
           "lines": (LineFailures,)}


@dataclass(frozen=True)
class Device:
    """One kind of memristive cell. An effect that is None is switched off.

    Parameters
    ----------
    g_min, g_max : float
        Ends of the tuning window, high and low resistance state [S].
    tuning : TuningError or None, optional
        Error of the write itself, relative (unitless).
    disturb : DisturbQuantiles or DisturbSamples or None, optional
        Change by later writes in the same array, in siemens [S].
    stuck : StuckDevices or None, optional
        Devices that do not answer to writes (unitless).
    name : str, optional
        What to call it.
    source : str, optional
        Where the window comes from.
    lines : LineFailures or None, optional
        Whole lines that fail (unitless).
    array_shape : tuple of int or None, optional
        (n_word_lines, n_bit_lines) of a physical array, or of the block of it that is used: a larger layer is spread over
        several, and devices disturb each other within one only. None for as large as the layer (unitless).
    """

    g_min: float
    g_max: float
    tuning: TuningError | None = None
    disturb: DisturbQuantiles | DisturbSamples | None = None
    stuck: StuckDevices | None = None
    name: str = "unnamed device"
    source: str = "not stated"
    lines: LineFailures | None = None
    array_shape: tuple | None = None

    def __post_init__(self):
        for name in ("g_min", "g_max"):
            value = as_number(name, getattr(self, name), low=0.0, unit="S")
            if value > LARGEST_CONDUCTANCE:
                raise ValueError(f"{name} must lie in [0, 1] S; got {value:g}. If these are microsiemens, multiply by "
                                 "tiocross.units.uS")
            object.__setattr__(self, name, value)
        for name, kinds in EFFECTS.items():
            if not isinstance(getattr(self, name), (*kinds, type(None))):
                names = " or ".join(kind.__name__ for kind in kinds)
                raise TypeError(f"{name} must be a {names}, or None to switch it off; got {getattr(self, name)!r}")
        for name in ("name", "source"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a text; got {getattr(self, name)!r}")
        if self.array_shape is not None:
            object.__setattr__(self, "array_shape", _as_array_shape(self.array_shape))
        if not self.g_min < self.g_max:
            raise ValueError(f"g_min must be below g_max; got {self.g_min:g} and {self.g_max:g} S")
        if self.tuning is not None and self.tuning.spread_slope * self.g_max + self.tuning.spread_intercept < 0:
            raise ValueError(f"the relative spread of tuning becomes negative before g_max = {self.g_max:g} S; got slope "
                             f"{self.tuning.spread_slope:g} 1/S and intercept {self.tuning.spread_intercept:g}")

    def without(self, *effects):
        """The same device with some effects switched off.

        Parameters
        ----------
        *effects : str
            Any of "tuning", "disturb", "stuck", "lines" (unitless).

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

    def only(self, *effects):
        """The same device with these effects alone, any of "tuning", "disturb", "stuck", "lines"."""
        for effect in effects:
            require_name("effect", effect, EFFECTS)
        return self.without(*(effect for effect in EFFECTS if effect not in effects))

    def ideal(self):
        """The same window with every effect switched off."""
        return self.without(*EFFECTS)

    def __str__(self):
        lines = [self.name, f"  window: {self.g_min / uS:g} to {self.g_max / uS:g} uS", f"    source: {self.source}"]
        if self.array_shape is not None:
            lines.append(f"  arrays of {self.array_shape[0]} x {self.array_shape[1]}")
        for effect in EFFECTS:
            value = getattr(self, effect)
            if effect == "lines" and value is None:
                continue  # most cards know no failed lines; the others' "off" says that something was switched off
            lines.append(f"  {effect}: {'off' if value is None else value}")
            if value is not None:
                lines.append(f"    source: {value.source}")
        return "\n".join(lines)


def require_device(device):
    """Raise TypeError unless ``device`` is a Device."""
    if not isinstance(device, Device):
        raise TypeError(f"device must be a Device, for example tiocross.TIO2; got {str(device)[:80]!r}")


def _as_array_shape(shape):
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        raise TypeError(f"array_shape must be a pair such as (8, 8), or None; got {shape!r}")
    return as_count("word lines of array_shape", shape[0]), as_count("bit lines of array_shape", shape[1], low=2)
