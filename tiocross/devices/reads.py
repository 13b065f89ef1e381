"""What a device does when it is read: noise of each reading, and a current that is not in proportion to the voltage."""

from dataclasses import dataclass

import numpy as np

from tiocross.checks import require_text
from tiocross.records import check_fields, number
from tiocross.units import mV, percent


@dataclass(frozen=True)
class ReadNoise:
    """Noise of a device's current, drawn anew for each reading and each multiplication.

    Parameters
    ----------
    relative : float
        Standard deviation of the current, relative to it, as a fraction (unitless).
    source : str
        Where the number comes from.

    Raises
    ------
    ValueError
        If the spread is negative or above one half.
    """

    relative: float = number("-", low=0.0, high=0.5, shown="%")
    source: str

    def __post_init__(self):
        check_fields(self)
        require_text("source", self.source)

    def __str__(self):
        return f"each reading N(1, {self.relative / percent:g} %) times the current"


@dataclass(frozen=True)
class Nonlinearity:
    """A current that rises with the voltage as a hyperbolic sine, alike for all devices.

    Parameters
    ----------
    v0 : float
        Scale of the voltage, above zero; 0.2-0.4 V in TiO2 [V].
    read_voltage : float
        At which a device's conductance is meant: its current there is conductance times voltage [V].
    source : str
        Where the numbers come from.

    Raises
    ------
    ValueError
        If a voltage is not above zero, or the read voltage more than twenty times the scale.

    Notes
    -----
    I = G V_read sinh(V / v0) / sinh(V_read / v0). Below the read voltage a device carries less than G V.

    Examples
    --------
    >>> from tiocross import Nonlinearity
    >>> law = Nonlinearity(v0=0.3, read_voltage=0.2, source="an example")
    >>> round(law.at_zero, 3)  # slope at 0 V, for a conductance of 1 at the read voltage
    0.93
    """

    v0: float = number("V", low=0.0, high=1e3, positive=True)
    read_voltage: float = number("V", low=0.0, high=10.0, positive=True)
    source: str

    def __post_init__(self):
        check_fields(self)
        require_text("source", self.source)
        if self.read_voltage > 20.0 * self.v0:
            raise ValueError(f"read_voltage must be at most 20 v0, beyond which no device lives; got {self.read_voltage:g} "
                             f"V and v0 = {self.v0:g} V")

    @property
    def at_zero(self) -> float:
        """Conductance at 0 V over that at the read voltage (unitless)."""
        return float((self.read_voltage / self.v0) / np.sinh(self.read_voltage / self.v0))

    def __str__(self):
        scale = f"{self.v0 / mV:g} mV"
        return f"I = G V_read sinh(V / {scale}) / sinh(V_read / {scale}), V_read = {self.read_voltage / mV:g} mV"
