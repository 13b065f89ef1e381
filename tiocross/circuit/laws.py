"""Static current-voltage laws of devices, beyond Ohm's: increasing, with the conductance as slope at 0 V.

A new law is one class with the methods of `Law`, and its line in `LAWS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from tiocross.circuit.curves import Tabulated
from tiocross.circuit.law import POLYNOMIAL, SINH, Law, as_law
from tiocross.circuit.pairs import Pair


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

    code = SINH

    def _require_increasing(self):
        if (self.v0 <= 0).any():
            raise ValueError(f"v0 must be above zero; got {self.v0.min():g}")

    def currents(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Current of each device [A] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * self.v0 * np.sinh(voltages / self.v0)

    def slopes(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Slope dI/dV of each device [S] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * np.cosh(voltages / self.v0)

    def voltages(self, conductances: np.ndarray, currents: np.ndarray) -> np.ndarray:
        """Voltage [V] at which each device with conductances above zero [S] at 0 V carries currents [A]."""
        return self.v0 * np.arcsinh(currents / (conductances * self.v0))

    def coefficients(self, conductances: np.ndarray, code: int) -> tuple:
        """Voltage scale, and one over it."""
        return self.v0, 1.0 / self.v0


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

    code = POLYNOMIAL

    def _require_increasing(self):
        if (self.c < 0).any():
            raise ValueError(f"c must be at least zero; got {self.c.min():g}")

    def currents(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Current of each device [A] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * (voltages + self.c * voltages**3)

    def slopes(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Slope dI/dV of each device [S] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * (1.0 + 3.0 * self.c * voltages**2)

    def voltages(self, conductances: np.ndarray, currents: np.ndarray) -> np.ndarray:
        """Voltage [V] at which each device with conductances above zero [S] at 0 V carries currents [A]."""
        return _root_of_cubic(0.0, self.c, currents / conductances)

    def coefficients(self, conductances: np.ndarray, code: int) -> tuple:
        """Those of the quadratic and of the cubic term, relative to the conductance."""
        return 0.0, self.c


@dataclass(frozen=True, eq=False, repr=False)
class Polynomial(Law):
    """I = G (V + a V^2 + b V^3): a device that conducts better in one direction; Ohm's law for a = b = 0.

    For coefficients of the current itself, in A/V^2 and A/V^3, see `AbsolutePolynomial`.

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

    code = POLYNOMIAL

    def _require_increasing(self):
        a, b = _as_pair(self)
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

    def voltages(self, conductances: np.ndarray, currents: np.ndarray) -> np.ndarray:
        """Voltage [V] at which each device with conductances above zero [S] at 0 V carries currents [A]."""
        return _root_of_cubic(self.a, self.b, currents / conductances)

    def coefficients(self, conductances: np.ndarray, code: int) -> tuple:
        """Those of the quadratic and of the cubic term, relative to the conductance."""
        return self.a, self.b

    def least_slopes(self, conductances: np.ndarray) -> np.ndarray:
        """Least slope of each device at any voltage [S]."""
        return conductances * (1.0 - self.a**2 / np.where(self.b > 0, 3.0 * self.b, 1.0))


@dataclass(frozen=True, eq=False, repr=False)
class AbsolutePolynomial(Law):
    """I = G V + a V^2 + b V^3, with the coefficients as fits to measured curves give them.

    They do not follow the conductance G: a device that is written to another state keeps them, unless a crossbar is made
    with others. An open device, of 0 S, carries nothing. In `Polynomial` they are relative to G.

    Parameters
    ----------
    a : float or (..., n_word_lines, n_bit_lines) array_like
        Quadratic coefficient, of all devices or of each; above zero if positive voltages find the better conductor
        [A/V^2].
    b : float or (..., n_word_lines, n_bit_lines) array_like
        Cubic coefficient, of all devices or of each [A/V^3].

    Raises
    ------
    ValueError
        If b is below zero; and by `Crossbar`, if ``a^2 >= 3 G b`` for a device that is not open, unless both are zero: its
        current would not rise with the voltage everywhere.

    Examples
    --------
    >>> from tiocross import AbsolutePolynomial, Crossbar, solve
    >>> from tiocross.units import uA, uS
    >>> law = AbsolutePolynomial(a=50e-6, b=100e-6)
    >>> [float(round(law.currents(1e-4, volts) / uA, 1)) for volts in (0.4, -0.4)]  # of 100 uS
    [54.4, -38.4]
    >>> (solve(Crossbar([[100 * uS, 400 * uS]], iv=law), [0.4]).bit_line_currents / uA).round(1).tolist()
    [54.4, 174.4]
    """

    a: ArrayLike
    b: ArrayLike

    code = POLYNOMIAL

    def _require_increasing(self):
        a, b = _as_pair(self)
        bad = (b < 0) | (b == 0) & (a != 0)
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            raise ValueError(f"a and b must be such that a^2 < 3 G b for every conductance G, or both zero, so that the "
                             f"current always rises with the voltage; got a = {a[at]:g} and b = {b[at]:g}")

    def require_fitting(self, conductances: np.ndarray) -> None:
        """Raise ValueError unless the current of each device with such a conductance [S] rises with the voltage."""
        super().require_fitting(conductances)
        a, b, g = np.broadcast_arrays(self.a, self.b, conductances)
        bad = (a**2 >= 3.0 * g * b) & (g > 0) & ((a != 0) | (b != 0))
        if bad.any():
            at = tuple(int(k) for k in np.argwhere(bad)[0])
            raise ValueError(
                f"a and b of AbsolutePolynomial must be such that a^2 < 3 G b, so that the current always rises with the "
                f"voltage; got a = {a[at]:g} and b = {b[at]:g} for G = {g[at]:g} S at word line {at[-2]}, bit line {at[-1]} "
                f"({int(bad.sum())} such). Give every device its own a and b, or take Polynomial, whose are relative to G")

    def currents(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Current of each device [A] with conductances [S] at 0 V, at voltages across it [V]."""
        return np.where(conductances > 0, voltages * (conductances + voltages * (self.a + self.b * voltages)), 0.0)

    def slopes(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Slope dI/dV of each device [S] with conductances [S] at 0 V, at voltages across it [V]."""
        return np.where(conductances > 0, conductances + voltages * (2.0 * self.a + 3.0 * self.b * voltages), 0.0)

    def voltages(self, conductances: np.ndarray, currents: np.ndarray) -> np.ndarray:
        """Voltage [V] at which each device with conductances above zero [S] at 0 V carries currents [A]."""
        return _root_of_cubic(self.a / conductances, self.b / conductances, currents / conductances)

    def coefficients(self, conductances: np.ndarray, code: int) -> tuple:
        """Those of the quadratic and of the cubic term, relative to the conductance."""
        each = np.where(conductances > 0, conductances, 1.0)
        return self.a / each, self.b / each

    def least_slopes(self, conductances: np.ndarray) -> np.ndarray:
        """Least slope of each device at any voltage [S]."""
        return np.where(conductances > 0, conductances - self.a**2 / np.where(self.b > 0, 3.0 * self.b, 1.0), 0.0)

    def by_conductance(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Derivative of each current by the device's conductance [A/S]."""
        return voltages * np.ones_like(conductances)

    def scaled_to(self, currents: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Conductances [S] with which devices carry currents [A] at voltages [V], neither of them zero."""
        return currents / voltages - voltages * (self.a + self.b * voltages)


@dataclass(frozen=True, eq=False, repr=False)
class Asymmetric(Law):
    """One law for positive voltages, another one for negative; at 0 V both have the conductance as their slope.

    Parameters
    ----------
    forward : Sinh, Cubic, Polynomial, AbsolutePolynomial, Tabulated or None
        Law of voltages above zero: the word line is above the bit line; None for Ohm's law.
    reverse : Sinh, Cubic, Polynomial, AbsolutePolynomial, Tabulated or None
        Law of voltages below zero; None for Ohm's law.

    Examples
    --------
    >>> from tiocross import Asymmetric, Sinh
    >>> law = Asymmetric(forward=Sinh(0.2), reverse=Sinh(0.4))
    >>> [float(round(law.currents(1e-4, volts) / (1e-4 * volts), 3)) for volts in (0.4, -0.4)]
    [1.813, 1.175]
    """

    forward: Law | None
    reverse: Law | None

    def __post_init__(self):
        for name in ("forward", "reverse"):
            given = getattr(self, name)
            if given is not None and (not isinstance(given, LAWS) or isinstance(given, Asymmetric)):
                raise TypeError(f"{name} must be {_known(LAWS[:-1])} or None for Ohm's law; got {given!r}")

    @property
    def sides(self) -> tuple[Law, Law]:
        """The laws of positive and of negative voltages."""
        return as_law(self.forward), as_law(self.reverse)

    @property
    def parameters(self) -> tuple[np.ndarray, ...]:
        """Those of the forward law, then those of the reverse law."""
        return sum((side.parameters for side in self.sides), ())

    def with_parameters(self, values: Sequence[np.ndarray]) -> Law:
        """The same laws with other parameters, in their order."""
        count = len(as_law(self.forward).parameters)
        sides = zip((self.forward, self.reverse), (values[:count], values[count:]))
        return Asymmetric(*(None if side is None else side.with_parameters(given) for side, given in sides))

    def currents(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Current of each device [A] with conductances [S] at 0 V, at voltages across it [V]."""
        return self._join("currents", conductances, voltages)

    def slopes(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Slope dI/dV of each device [S] with conductances [S] at 0 V, at voltages across it [V]."""
        forward, reverse = self.sides
        return np.where(np.greater(voltages, 0.0), forward.slopes(conductances, np.maximum(voltages, 0.0)),
                        reverse.slopes(conductances, np.minimum(voltages, 0.0)))

    def voltages(self, conductances: np.ndarray, currents: np.ndarray) -> np.ndarray:
        """Voltage [V] at which each device with conductances above zero [S] at 0 V carries currents [A]."""
        return self._join("voltages", conductances, currents)

    def least_slopes(self, conductances: np.ndarray) -> np.ndarray:
        """Least slope of each device at any voltage [S]."""
        return np.minimum(*(side.least_slopes(conductances) for side in self.sides))

    def by_conductance(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Derivative of each current by the device's conductance [A/S]."""
        return self._join("by_conductance", conductances, voltages)

    def scaled_to(self, currents: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Conductances [S] with which devices carry currents [A] at voltages [V], neither of them zero."""
        sides = self.sides
        return np.where(np.greater(voltages, 0.0), *(side.scaled_to(currents, voltages) for side in sides))

    def require_fitting(self, conductances: np.ndarray) -> None:
        """Raise ValueError unless the parameters of both laws fit these conductances [S]."""
        for side in self.sides:
            side.require_fitting(conductances)

    def _join(self, what, conductances, values):
        """Both laws are zero at zero: each takes the values of its sign, and one of them gives nothing."""
        forward, reverse = (getattr(side, what) for side in self.sides)
        return forward(conductances, np.maximum(values, 0.0)) + reverse(conductances, np.minimum(values, 0.0))


FORMULAS = (Sinh, Cubic, Polynomial, AbsolutePolynomial)  # whose parameters are numbers
LAWS = (*FORMULAS, Tabulated, Asymmetric)


def require_law(law, conductances):
    """Raise TypeError unless ``law`` is one or None, ValueError unless it fits the conductances."""
    if law is None:
        return
    if not isinstance(law, (*LAWS, Pair)):
        raise TypeError(f"iv must be {_known(LAWS)} or None for Ohm's law; got {law!r}")
    law.require_fitting(conductances)


def spread_law(law, wanted, part=...):
    """The law with each parameter of the wanted shape, or of a part of it; None stays None."""
    return None if law is None else law.spread(lambda values: np.broadcast_to(values, wanted)[part])


def _known(laws):
    """Laws and their fields, for people."""
    return ", ".join(f"{each.__name__}({', '.join(field.name for field in fields(each))})" for each in laws)


def _as_pair(law):
    """Both parameters of a polynomial, broadcast against each other."""
    try:
        return np.broadcast_arrays(law.a, law.b)
    except ValueError:
        raise ValueError(f"the parameters a {law.a.shape} and b {law.b.shape} do not fit each other") from None


def _root_of_cubic(a, b, y):
    """The only real u with u + a u^2 + b u^3 = y, for a^2 < 3 b or a = b = 0 [V].

    u = t - a / 3b leaves t^3 + 3 k t = z with k > 0. A step of Newton's takes away what the shift costs in digits.
    """
    bent = np.where(b > 0, b, 1.0)
    shift = a / (3.0 * bent)
    k = np.where(b > 0, 1.0 / (3.0 * bent) - shift**2, 1.0)
    z = (y + shift) / bent - 2.0 * shift**3
    u = 2.0 * np.sqrt(k) * np.sinh(np.arcsinh(0.5 * z / (k * np.sqrt(k))) / 3.0) - shift
    for _ in range(2):
        u = u - (u * (1.0 + u * (a + b * u)) - y) / (1.0 + u * (2.0 * a + 3.0 * b * u))
    return np.where(b > 0, u, y)
