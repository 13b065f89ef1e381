"""What drives, senses and converts between the arrays of a network: one record, ideal as long as nothing else is said."""

from dataclasses import dataclass, field, replace

from tiocross.checks import kind_of, require_name, require_text, with_article
from tiocross.periphery.measured import MeasuredCurve
from tiocross.periphery.parts import Converter, Driver, Sensing
from tiocross.records import check_fields, number
from tiocross.shown import records_table
from tiocross.units import mV, ns

SUBTRACTIONS = ("digital", "analogue")
PARTS = {"dac": Converter, "driver": Driver, "sensing": Sensing, "adc": Converter, "activation": MeasuredCurve}
_OPTIONAL = ("dac", "adc", "activation")
_IDEAL = {"driver": Driver(), "sensing": Sensing()}


@dataclass(frozen=True)
class Periphery:
    """What stands between the arrays of a network; `Periphery()` is ideal.

    A number goes through ``dac`` and ``driver`` onto a word line; the current of each bit line through ``sensing``; the two
    lines of a pair are subtracted, before ``adc`` or behind it; what several arrays of a layer give is added, scaled and
    activated: by the network's own formula in software, or by the measured curve of a circuit.

    Parameters
    ----------
    dac : Converter or None, optional
        Before each word line; None where voltages are not bound to levels.
    driver : Driver, optional
        Between the converter and the word line.
    sensing : Sensing, optional
        Behind each bit line.
    adc : Converter or None, optional
        Behind the sensing; None where currents are told to all digits.
    subtraction : str, optional
        "digital", after a converter for each bit line; or "analogue", before one converter for each pair.
    activation : MeasuredCurve or None, optional
        What hidden units really give, in place of the network's formula.
    read_voltage : float, optional
        On the word line with the largest signal [V].
    pulse_length, edge : float or None, optional
        Of the pulses that inputs are driven with, and of each of their edges, if stated [s].
    name : str, optional
        What to call it.
    source : str, optional
        Where its numbers come from, beside the sources of its parts.

    Raises
    ------
    ValueError, TypeError
        If a part is of another kind, a number is negative, the edges are longer than the pulse, or settings contradict each
        other.

    Examples
    --------
    >>> from tiocross import Converter, Periphery, Sensing
    >>> ours = Periphery(dac=Converter(8), adc=Converter(8), sensing=Sensing(offset=0.01), name="our board")
    >>> ours.is_ideal, Periphery().is_ideal, ours.without_chance().sensing.offset
    (False, True, 0.0)
    """

    dac: Converter | None = None
    driver: Driver = field(default_factory=Driver)
    sensing: Sensing = field(default_factory=Sensing)
    adc: Converter | None = None
    subtraction: str = "digital"
    activation: MeasuredCurve | None = None
    read_voltage: float = number("V", default=0.2, low=0.0, high=5.0, positive=True)
    pulse_length: float | None = number("s", default=None, low=0.0, positive=True, optional=True)
    edge: float | None = number("s", default=None, low=0.0, optional=True)
    name: str = "unnamed periphery"
    source: str = "not stated"

    def __post_init__(self):
        for part, kind in PARTS.items():
            value = getattr(self, part)
            if not isinstance(value, (kind, type(None)) if part in _OPTIONAL else kind):
                also = ", or None to leave it out" if part in _OPTIONAL else ""
                raise TypeError(f"{part} must be {with_article(kind.__name__)}{also}; got {kind_of(value)}")
        check_fields(self)
        require_name("subtraction", self.subtraction, SUBTRACTIONS)
        for name in ("name", "source"):
            require_text(name, getattr(self, name))
        self._require_no_contradiction()

    def _require_no_contradiction(self):
        dac, adc, sensing = self.dac, self.adc, self.sensing
        if self.edge is not None and self.pulse_length is not None and 2.0 * self.edge > self.pulse_length:
            raise ValueError(f"two edges of {self.edge:g} s are longer than the pulse of {self.pulse_length:g} s; give a "
                             "longer pulse_length or a shorter edge")
        if dac is not None and not dac.is_automatic and max(-dac.low, dac.high) < self.read_voltage * (1.0 - 1e-9):
            raise ValueError(f"the DAC ends at {max(-dac.low, dac.high):g} V and cannot give the read voltage of "
                             f"{self.read_voltage:g} V; lower read_voltage or widen its range")
        if adc is not None and not adc.is_automatic and sensing.saturation is not None and adc.low >= sensing.saturation:
            raise ValueError(f"the ADC begins at {adc.low:g} V, where sensing saturates at {sensing.saturation:g} V; lower "
                             "its range or raise the saturation")
        if sensing.kind == "mirror" and adc is not None and not adc.is_automatic and self.subtraction == "digital" \
                and adc.high <= 0.0:
            raise ValueError(f"behind a current mirror voltages are positive; the ADC on each line ends at {adc.high:g} V. "
                             "Give a range above 0 V, or subtraction='analogue'")

    @property
    def is_ideal(self) -> bool:
        """Whether it does nothing to what is computed, whatever its read voltage, timing and power."""
        return self.dac is None and self.adc is None and self.activation is None and self.driver.resistance == 0.0 \
            and self.sensing.is_ideal

    @property
    def resistances(self) -> tuple[float, float]:
        """Of each driver, and of each sensing (ohm)."""
        return self.driver.resistance, self.sensing.resistance

    @property
    def is_random(self) -> bool:
        """Whether its lines differ, or its readings are noisy."""
        return self.sensing.without_chance() != self.sensing

    def without_chance(self) -> "Periphery":
        """The same with all lines alike and no noise."""
        return replace(self, sensing=self.sensing.without_chance())

    def __repr__(self):
        return f"<Periphery {self.name!r}: {'ideal' if self.is_ideal else '; '.join(self._texts())}>"

    def _texts(self):
        found = [f"{part.upper() if part in ('dac', 'adc') else part} {getattr(self, part)}" for part in PARTS
                 if getattr(self, part) is not None and getattr(self, part) != _IDEAL.get(part)]
        return found + ([f"{self.subtraction} subtraction"] if self.adc is not None else [])

    def __str__(self):
        timing = "" if self.pulse_length is None else f", pulses of {self.pulse_length / ns:g} ns"
        timing += "" if self.edge is None else f", edges of {self.edge / ns:g} ns"
        lines = [self.name, f"  read voltage: {self.read_voltage / mV:g} mV{timing}", f"    source: {self.source}"]
        for part in PARTS:
            value = getattr(self, part)
            absent = "the network's formula" if part == "activation" else "none"
            lines.append(f"  {part.upper() if part in ('dac', 'adc') else part}: {absent if value is None else value}")
            if value is not None:
                lines.append(f"    source: {value.source}")
        where = "behind a converter for each bit line" if self.subtraction == "digital" else "before one for each pair"
        return "\n".join([*lines, f"  subtraction: {self.subtraction}, {where}"])

    def _repr_html_(self):
        """All values with their units and sources as a table, for notebooks."""
        return records_table(self.name, {"reading": self, **{part: getattr(self, part) for part in PARTS}})


def require_periphery(periphery):
    """Raise TypeError unless ``periphery`` is a Periphery or None."""
    if not isinstance(periphery, (Periphery, type(None))):
        raise TypeError("periphery must be a Periphery, such as tiocross.PERIPHERY_8_BIT, or None for an ideal one; got "
                        f"{kind_of(periphery)}")
