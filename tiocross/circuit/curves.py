"""A measured current-voltage curve as the law of all devices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_finite
from tiocross.circuit.law import TABLE, Law
from tiocross.records import freeze

_LEAST, _MOST = 0.1, 2.0  # slope at a point over the lesser mean slope beside it; below 3 the curve rises everywhere
_MOST_STEPS = 60  # of the search for a voltage; each at least halves what is left


@dataclass(frozen=True, eq=False, repr=False)
class Tabulated(Law):
    """A measured curve through (0 V, 0 A), of one form for all devices: I = G I_measured(V) / G_measured.

    G is the conductance of each device and G_measured the slope of the measured curve at 0 V, its ``conductance``: a device
    with that conductance shows the measured curve itself. Between the points the curve rises smoothly, with a continuous
    slope. Beyond the first and the last point it goes on straight.

    Parameters
    ----------
    measured_voltages : (n_points,) array_like
        At which currents were measured, increasing; 0 V need not be among them [V].
    measured_currents : (n_points,) array_like
        What was measured, increasing, with the signs of the voltages [A].

    Raises
    ------
    ValueError
        If voltages or currents do not increase from point to point, (0, 0) included.

    Notes
    -----
    Cubic polynomials between the points that keep the curve increasing [1]_; their slopes at the points are weighted
    harmonic means of the mean slopes beside them [2]_. Points on a straight line give that line.

    References
    ----------
    .. [1] F. N. Fritsch and R. E. Carlson, "Monotone piecewise cubic interpolation", SIAM J. Numer. Anal. 17, 238 (1980),
       doi:10.1137/0717021.
    .. [2] F. N. Fritsch and J. Butland, "A method for constructing local monotone piecewise cubic interpolants", SIAM J.
       Sci. Stat. Comput. 5, 300 (1984), doi:10.1137/0905021.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import Tabulated
    >>> from tiocross.units import uA, uS
    >>> law = Tabulated([-0.4, -0.2, 0.2, 0.4], np.array([-64, -23, 22, 60]) * uA)
    >>> round(law.conductance / uS, 1)  # of the measured device at 0 V
    112.4
    >>> [float(round(law.currents(law.conductance, volts) / uA, 1)) for volts in (0.2, 0.3, 0.4)]
    [22.0, 38.7, 60.0]
    """

    measured_voltages: ArrayLike
    measured_currents: ArrayLike

    code = TABLE

    def __post_init__(self):
        for name in ("measured_voltages", "measured_currents"):
            object.__setattr__(self, name, freeze(as_finite(name, getattr(self, name), ndim=1)))
        x, y = _with_zero(self.measured_voltages, self.measured_currents)
        slopes = _slopes_at_points(x, y)
        object.__setattr__(self, "conductance", float(slopes[x == 0.0][0]))
        object.__setattr__(self, "_curve", _Curve(x, y / self.conductance, slopes / self.conductance))

    @property
    def parameters(self) -> tuple[np.ndarray, ...]:
        """None: the curve is that of all devices."""
        return ()

    def with_parameters(self, values: Sequence[np.ndarray]) -> Law:
        """Itself."""
        return self

    def require_fitting(self, conductances: np.ndarray) -> None:
        """The curve fits any conductances."""

    def coefficients(self, conductances: np.ndarray, code: int) -> tuple:
        """None: zeros."""
        return 0.0, 0.0

    @property
    def table(self) -> np.ndarray:
        """The curve as `pairs_kernel` wants it."""
        return self._curve.table()

    def currents(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Current of each device [A] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * self._curve.values(np.asarray(voltages))

    def slopes(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Slope dI/dV of each device [S] with conductances [S] at 0 V, at voltages across it [V]."""
        return conductances * self._curve.slopes(np.asarray(voltages))

    def voltages(self, conductances: np.ndarray, currents: np.ndarray) -> np.ndarray:
        """Voltage [V] at which each device with conductances above zero [S] at 0 V carries currents [A]."""
        return self._curve.places(np.asarray(currents / conductances))

    def least_slopes(self, conductances: np.ndarray) -> np.ndarray:
        """Least slope of each device at any voltage [S]."""
        return conductances * self._curve.least_slope


class _Curve:
    """An increasing curve through (0, 0) with slope 1 there: in each piece y + c1 t + c2 t^2 + c3 t^3 from the end nearer to
    0, so that small values keep their digits; straight before the first point and behind the last."""

    def __init__(self, x, y, slopes):
        left = x[1:] <= 0.0  # pieces that begin at their right point
        begin = np.arange(len(left)) + left
        end = np.arange(len(left)) + ~left
        h = x[end] - x[begin]
        mean = (y[end] - y[begin]) / h
        c2, c3 = (3.0 * mean - 2.0 * slopes[begin] - slopes[end]) / h, (slopes[begin] + slopes[end] - 2.0 * mean) / h**2
        begin = np.concatenate([[0], begin, [len(x) - 1]])
        self._x, self._y = x, y
        self._from, self._base, self._c1 = x[begin], y[begin], slopes[begin]
        self._c2, self._c3 = (np.concatenate([[0.0], values, [0.0]]) for values in (c2, c3))
        self._ends = np.concatenate([[-np.inf], h, [np.inf]])
        turn = -self._c2 / np.where(self._c3 == 0.0, 1.0, 3.0 * self._c3)  # where a piece's slope has its extremum
        inside = (self._c3 != 0.0) & (np.sign(turn) == np.sign(self._ends)) & (np.abs(turn) < np.abs(self._ends))
        self.least_slope = float(min(slopes.min(), self._slope(np.flatnonzero(inside), turn[inside]).min(initial=np.inf)))

    def table(self):
        """Points, and all of its pieces."""
        return np.concatenate([self._x, self._y, self._from, self._base, self._c1, self._c2, self._c3, self._ends])

    def values(self, x):
        """Of the curve."""
        k = np.searchsorted(self._x, x, side="right")
        return self._base[k] + self._rise(k, x - self._from[k])

    def slopes(self, x):
        """Of the curve."""
        k = np.searchsorted(self._x, x, side="right")
        return self._slope(k, x - self._from[k])

    def places(self, y):
        """At which the curve has these values: Newton's method, halving where it would leave a piece."""
        k = np.searchsorted(self._y, y, side="right")
        y, far = y - self._base[k], self._ends[k]
        inner = np.isfinite(far)
        low, high = np.where(inner, np.minimum(far, 0.0), -np.inf), np.where(inner, np.maximum(far, 0.0), np.inf)
        t = y / self._c1[k]
        t = np.where(inner, np.clip(t, low, high), t)
        for _ in range(_MOST_STEPS):
            wrong = self._rise(k, t) - y
            low, high = np.where(wrong < 0.0, t, low), np.where(wrong > 0.0, t, high)
            following = t - wrong / self._slope(k, t)
            with np.errstate(invalid="ignore"):
                following = np.where((following >= low) & (following <= high), following, 0.5 * (low + high))
            t, before = np.where(wrong == 0.0, t, following), t
            if (np.abs(t - before) <= 2.0**-52 * np.abs(t)).all():
                break
        return self._from[k] + t

    def _rise(self, k, t):
        return t * (self._c1[k] + t * (self._c2[k] + t * self._c3[k]))

    def _slope(self, k, t):
        return self._c1[k] + t * (2.0 * self._c2[k] + 3.0 * t * self._c3[k])


def _with_zero(voltages, currents):
    """The points with (0, 0) among them; ValueError unless both increase."""
    if voltages.shape != currents.shape or voltages.size == 0:
        raise ValueError(f"measured_voltages and measured_currents must be as many, at least one; got {voltages.size} and "
                         f"{currents.size}")
    at = int(np.searchsorted(voltages, 0.0)) if (np.diff(voltages) > 0).all() else 0
    is_there = at < len(voltages) and voltages[at] == 0.0
    if is_there and currents[at] != 0.0:
        raise ValueError(f"the curve must pass through 0 A at 0 V; got {currents[at]:g} A there, at point {at}: take this "
                         "offset off all currents")
    if is_there and len(voltages) == 1:
        raise ValueError("the curve needs a point other than 0 V, 0 A")
    x, y = (values if is_there else np.insert(values, at, 0.0) for values in (voltages, currents))
    bad = ~((np.diff(x) > 0) & (np.diff(y) > 0))
    if bad.any():
        k = int(np.argmax(bad))
        raise ValueError(f"voltages and currents must increase from point to point, through 0 A at 0 V; got {y[k]:g} A at "
                         f"{x[k]:g} V and then {y[k + 1]:g} A at {x[k + 1]:g} V ({int(bad.sum())} such). Order the points, "
                         "take offsets off the currents, or smooth the noise away")
    return x, y


def _slopes_at_points(x, y):
    """Slopes at the points that keep the curve between them increasing."""
    h, mean = np.diff(x), np.diff(y) / np.diff(x)
    if len(mean) == 1:
        return np.repeat(mean, 2)
    before, after = 2.0 * h[1:] + h[:-1], h[1:] + 2.0 * h[:-1]
    inner = (before + after) / (before / mean[:-1] + after / mean[1:])
    first, last = (((2.0 * near[0] + far[0]) * near[1] - near[0] * far[1]) / (near[0] + far[0]) for near, far in (
        ((h[0], mean[0]), (h[1], mean[1])), ((h[-1], mean[-1]), (h[-2], mean[-2]))))
    least = np.concatenate([mean[:1], np.minimum(mean[:-1], mean[1:]), mean[-1:]])
    return np.clip(np.concatenate([[first], inner, [last]]), _LEAST * least, _MOST * least)
