"""Static current-voltage laws of devices, beyond Ohm's: increasing, with the conductance as slope at 0 V.

A new law is one class here, one branch in each of the two helpers of ``solvers/tangents_kernel.py`` under the same code,
and its line in `LAWS`.
"""

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_finite
from tiocross.records import short_text


class Law:
    """Base of the laws: frozen dataclasses whose fields are the parameters of the devices."""

    code: ClassVar[int]  # of its branch in the kernel of tangents

    def __repr__(self):
        return short_text(self)

    def __post_init__(self):
        for field in fields(self):
            values = np.array(as_finite(field.name, getattr(self, field.name)))
            values.flags.writeable = False
            object.__setattr__(self, field.name, values)
        self._require_increasing()

    def __reduce__(self):
        return type(self), self.parameters  # read-only again

    @property
    def parameters(self) -> tuple[np.ndarray, ...]:
        """The parameters, each one number or one for each device."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def currents(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Current of each device [A] with conductances [S] at 0 V, at voltages across it [V]."""
        raise NotImplementedError

    def slopes(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Slope dI/dV of each device [S] with conductances [S] at 0 V, at voltages across it [V]."""
        raise NotImplementedError

    def least_slope(self, *parameters: np.ndarray) -> np.ndarray | float:
        """Least slope at any voltage of devices with these parameters, over that at 0 V (unitless)."""
        return 1.0

    def _require_increasing(self):
        raise NotImplementedError


@dataclass(frozen=True, eq=False, repr=False)
class Sinh(Law):
    """I = G v0 sinh(V / v0); Ohm's law for large v0.

    Parameters
    ----------
    v0 : float or (..., n_word_lines, n_bit_lines) array_like
        Voltage scale, above zero, of all devices or of each; 0.2-0.4 V in TiO2 [V].

    Examples
    --------
    >>> from tiocross import Sinh
    >>> law = Sinh(0.3)
    >>> float(round(law.currents(1e-4, 0.6) / (1e-4 * 0.6), 3))  # times the current of an ohmic device
    1.813
    """

    v0: ArrayLike

    code = 1

    def _require_increasing(self):
        if (self.v0 <= 0).any():
            raise ValueError(f"v0 must be above zero; got {self.v0.min():g}")

    def currents(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Current of each device [A] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * self.v0 * np.sinh(voltages / self.v0)

    def slopes(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Slope dI/dV of each device [S] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * np.cosh(voltages / self.v0)


@dataclass(frozen=True, eq=False, repr=False)
class Cubic(Law):
    """I = G (V + c V^3); Ohm's law for c = 0.

    Parameters
    ----------
    c : float or (..., n_word_lines, n_bit_lines) array_like
        Strength of the cubic term, at least zero, of all devices or of each [1/V^2].

    Examples
    --------
    >>> from tiocross import Cubic
    >>> law = Cubic(2.0)
    >>> float(round(law.currents(1e-4, 0.5) / (1e-4 * 0.5), 3))  # times the current of an ohmic device
    1.5
    """

    c: ArrayLike

    code = 2

    def _require_increasing(self):
        if (self.c < 0).any():
            raise ValueError(f"c must be at least zero; got {self.c.min():g}")

    def currents(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Current of each device [A] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * (voltages + self.c * voltages**3)

    def slopes(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Slope dI/dV of each device [S] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * (1.0 + 3.0 * self.c * voltages**2)


@dataclass(frozen=True, eq=False, repr=False)
class Polynomial(Law):
    """I = G (V + a V^2 + b V^3): a device that conducts better in one direction; Ohm's law for a = b = 0.

    Parameters
    ----------
    a : float or (..., n_word_lines, n_bit_lines) array_like
        Strength of the quadratic term, of all devices or of each; above zero if positive voltages find the better
        conductor [1/V].
    b : float or (..., n_word_lines, n_bit_lines) array_like
        Strength of the cubic term, of all devices or of each [1/V^2].

    Raises
    ------
    ValueError
        If ``a^2 >= 3 b`` for a device, unless both are zero.

    Notes
    -----
    The slope ``G (1 + 2 a V + 3 b V^2)`` stays above zero at all voltages only if ``a^2 < 3 b``; else a circuit could have
    several solutions.

    Examples
    --------
    >>> from tiocross import Polynomial
    >>> law = Polynomial(0.5, 1.0)
    >>> [float(round(law.currents(1e-4, volts) / (1e-4 * volts), 3)) for volts in (0.4, -0.4)]
    [1.36, 0.96]
    """

    a: ArrayLike
    b: ArrayLike

    code = 3

    def _require_increasing(self):
        try:
            a, b = np.broadcast_arrays(self.a, self.b)
        except ValueError:
            raise ValueError(f"the parameters a {self.a.shape} and b {self.b.shape} do not fit each other") from None
        bad = (a**2 >= 3.0 * b) & ((a != 0) | (b != 0))
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            raise ValueError(f"a and b must be such that a^2 < 3 b, or both zero, so that the current always rises with the "
                             f"voltage; got a = {a[at]:g} and b = {b[at]:g}")

    def currents(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Current of each device [A] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * (voltages * (1.0 + voltages * (self.a + self.b * voltages)))

    def slopes(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Slope dI/dV of each device [S] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * (1.0 + voltages * (2.0 * self.a + 3.0 * self.b * voltages))

    def least_slope(self, *parameters: np.ndarray) -> np.ndarray | float:
        """Least slope at any voltage of devices with these parameters, over that at 0 V (unitless)."""
        a, b = parameters
        return 1.0 - a**2 / np.where(b > 0, 3.0 * b, 1.0)


LAWS = (Sinh, Cubic, Polynomial)


def require_law(law, shape):
    """Raise TypeError unless ``law`` is one or None, ValueError unless its parameters fit conductances of this shape."""
    if law is None:
        return
    if not isinstance(law, LAWS):
        known = ", ".join(f"{each.__name__}({', '.join(field.name for field in fields(each))})" for each in LAWS)
        raise TypeError(f"iv must be {known} or None for Ohm's law; got {law!r}")
    for field, values in zip(fields(law), law.parameters):
        if not _fits(values.shape, shape):
            raise ValueError(f"the parameter {field.name} of {type(law).__name__} must be one number or fit the "
                             f"conductances {shape}; got {values.shape}")


def spread_law(law, wanted, part=...):
    """The law with each parameter of the wanted shape, or of a part of it; None stays None."""
    return None if law is None else type(law)(*(np.broadcast_to(values, wanted)[part] for values in law.parameters))


def _fits(shape, wanted):
    try:
        return np.broadcast_shapes(shape, wanted) == wanted
    except ValueError:
        return False
