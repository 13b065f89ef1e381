"""Static current-voltage laws of a device, beyond Ohm's: odd, increasing, with the conductance as slope at 0 V."""

from dataclasses import dataclass

import numpy as np

from tiocross.checks import as_finite


@dataclass(frozen=True, eq=False)
class Sinh:
    """I = G v0 sinh(V / v0); Ohm's law for large v0.

    Parameters
    ----------
    v0 : float or (..., n_word_lines, n_bit_lines) array_like
        Voltage scale, above zero, of all devices or of each; 0.2-0.4 V in TiO2 [V].
    """

    v0: np.ndarray

    kind = 1  # what the kernel calls it

    def __post_init__(self):
        object.__setattr__(self, "v0", _as_parameter("v0", self.v0, positive=True))

    def __reduce__(self):
        return type(self), (self.v0,)  # read-only again

    @property
    def parameter(self):
        """v0, a scalar or an array [V]."""
        return self.v0

    def currents(self, conductances, voltages):
        """Current of each device [A] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * self.v0 * np.sinh(voltages / self.v0)

    def slopes(self, conductances, voltages):
        """Slope dI/dV of each device [S] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * np.cosh(voltages / self.v0)


@dataclass(frozen=True, eq=False)
class Cubic:
    """I = G (V + c V^3); Ohm's law for c = 0.

    Parameters
    ----------
    c : float or (..., n_word_lines, n_bit_lines) array_like
        Strength of the cubic term, at least zero, of all devices or of each [1/V^2].
    """

    c: np.ndarray

    kind = 2

    def __post_init__(self):
        object.__setattr__(self, "c", _as_parameter("c", self.c, positive=False))

    def __reduce__(self):
        return type(self), (self.c,)  # read-only again

    @property
    def parameter(self):
        """c, a scalar or an array [1/V^2]."""
        return self.c

    def currents(self, conductances, voltages):
        """Current of each device [A] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * (voltages + self.c * voltages**3)

    def slopes(self, conductances, voltages):
        """Slope dI/dV of each device [S] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * (1.0 + 3.0 * self.c * voltages**2)


def _as_parameter(name, values, *, positive):
    values = np.array(as_finite(name, values))
    if (values <= 0).any() if positive else (values < 0).any():
        raise ValueError(f"{name} must be {'above zero' if positive else 'at least zero'}; got {values.min():g}")
    values.flags.writeable = False
    return values
