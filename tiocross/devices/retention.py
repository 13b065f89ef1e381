"""What time does to written devices: relaxation and retention.

A device that is written to the conductance G ends, a time t later, at

    G + mean(t, G) + spread(t, G) z + fluctuation(G) w,   not below zero.

z belongs to the device and is the same at all times, so that each device follows a course of its own: mean is the decay that
all share, spread how far their paces lie apart. w is new at every time. Both are drawn from N(0, 1).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import LARGEST_CONDUCTANCE, as_number, require_text, siemens_cure
from tiocross.records import ArrayRecord, array, check_fields
from tiocross.units import percent, uS

WIDEST = 0.01  # conductance up to which a law of straight lines is stated: the largest window [S]


@dataclass(frozen=True, eq=False, repr=False)
class Retention(ArrayRecord):
    """Change of a device's conductance with the time since its write: lines in log t, for each of several states.

    Parameters
    ----------
    times : (n_times,) array_like
        Increasing times since the write, two or more, above zero. Up to the first of them nothing happens; the last is
        the end of what was measured [s].
    conductances : (n_states,) array_like
        Increasing conductances after the write, from zero on; two or more [S].
    means : (n_times, n_states) array_like
        Mean change of a device of each state at each time; zero at the first time [S].
    spreads : (n_times, n_states) array_like
        Standard deviation between devices of the part of the change that each device follows at a pace of its own; zero
        at the first time [S].
    fluctuations : (n_states,) array_like
        Standard deviation of what is added anew at every time after the first [S].
    source : str
        Where the numbers come from.

    Notes
    -----
    Between the listed times the table is linear in log t, beyond the last its last line goes on, which is an
    extrapolation. Between the listed states it is linear in the conductance, beyond the last constant.

    A device follows mean + z spread, with one number z of N(0, 1) for all times. Where both are proportional to the
    conductance and to log t, a device so has, for small changes, a power law with an exponent of its own,
    G (t / t_0) ** -nu: nu is the relative change in a decade over -2.303.

    Examples
    --------
    >>> from tiocross import Retention
    >>> from tiocross.units import percent
    >>> law = Retention.linear(t_0=1.0, until=1e4, mean=-1 * percent, spread=0.5 * percent, source="a guess")
    >>> mean, spread, fluctuation = law.moments(100.0, [100e-6, 300e-6])
    >>> (mean * 1e6).round(6).tolist(), (spread * 1e6).round(6).tolist()
    ([-2.0, -6.0], [1.0, 3.0])
    """

    times: np.ndarray = array("s", ndim=1)
    conductances: np.ndarray = array("S", ndim=1, shown="uS")
    means: np.ndarray = array("S", ndim=2, shown="uS")
    spreads: np.ndarray = array("S", ndim=2, shown="uS")
    fluctuations: np.ndarray = array("S", ndim=1, shown="uS")
    source: str

    def __post_init__(self):
        check_fields(self)
        require_text("source", self.source)
        times, states = self.times, self.conductances
        if len(times) < 2 or times[0] <= 0 or (np.diff(times) <= 0).any():
            raise ValueError(f"times must be two or more, above zero and increasing; got {times}")
        if len(states) < 2 or states[0] != 0 or (np.diff(states) <= 0).any():
            raise ValueError(f"conductances must be two or more, increasing from 0; got {states}")
        for name, shape in (("means", (len(times), len(states))), ("spreads", (len(times), len(states))),
                            ("fluctuations", (len(states),))):
            self._check_table(name, getattr(self, name), shape)
        if states[-1] > LARGEST_CONDUCTANCE:
            raise ValueError(f"conductances must be at most 1 S; got {states[-1]:g}{siemens_cure(states[-1])}")

    def _check_table(self, name, table, shape):
        if table.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, {'times by ' if len(shape) > 1 else ''}conductances; "
                             f"got {table.shape}")
        if name != "means" and (table < 0).any():
            raise ValueError(f"{name} are standard deviations and must not be negative; got {table.min():g} S")
        if len(shape) > 1 and table[0].any():
            raise ValueError(f"{name} must be zero at the first of the times, until which nothing happens; got {table[0]}")
        if np.abs(table).max() > LARGEST_CONDUCTANCE:
            largest = table.flat[np.abs(table).argmax()]
            raise ValueError(f"{name} must lie in [-1, 1] S; got {largest:g}{siemens_cure(abs(largest))}")

    @classmethod
    def linear(cls, *, t_0: float, until: float, mean: float = 0.0, spread: float = 0.0, fluctuation: float = 0.0,
               mean_constant: float = 0.0, spread_constant: float = 0.0, source: str) -> "Retention":
        """A law of one straight line: (constant + relative x conductance) x decades since ``t_0``.

        Parameters
        ----------
        t_0 : float
            Time since the write from which on devices change [s].
        until : float
            End of what was measured, above ``t_0`` [s].
        mean, spread : float, optional
            Mean of the change in a decade of time, and its standard deviation between devices, relative to the
            conductance (unitless).
        fluctuation : float, optional
            Standard deviation of what is new at every time, relative to the conductance (unitless).
        mean_constant, spread_constant : float, optional
            Parts of the mean and of the standard deviation, in a decade, that are the same for all conductances [S].
        source : str
            Where the numbers come from.

        Returns
        -------
        Retention
            The law, with states of 0 and 10 mS.
        """
        t_0, until = (as_number(name, value, low=0.0, unit="s") for name, value in (("t_0", t_0), ("until", until)))
        if not 0 < t_0 < until:
            raise ValueError(f"t_0 must be above zero and below until; got {t_0:g} and {until:g} s")
        for name, value in (("mean", mean), ("spread", spread), ("fluctuation", fluctuation)):
            as_number(name, value, low=-1.0 if name == "mean" else 0.0, high=1.0)
        for name, value in (("mean_constant", mean_constant), ("spread_constant", spread_constant)):
            as_number(name, value, unit="S")
        states, decades = np.array([0.0, WIDEST]), np.log10(until / t_0)
        means, spreads = ((constant + relative * states) * decades for constant, relative in
                          ((mean_constant, mean), (spread_constant, spread)))
        return cls([t_0, until], states, [[0.0, 0.0], means], [[0.0, 0.0], spreads], fluctuation * states, source)

    @property
    def until(self) -> float:
        """End of what was measured [s]."""
        return float(self.times[-1])

    def moments(self, after: float, conductances: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean of the change, its spread between devices and the fluctuation, at a time.

        Parameters
        ----------
        after : float
            Time since the write [s].
        conductances : array_like
            Conductances after the write, of any shape [S].

        Returns
        -------
        tuple of three ndarray
            Each of the shape of ``conductances`` [S].
        """
        after = as_number("after", after, low=0.0, unit="s")
        return tuple(np.interp(conductances, self.conductances, row) for row in _rows_of(self, after))

    def moments_over(self, after: float, conductances: ArrayLike, *, relative: bool = False) -> tuple[float, float]:
        """Mean and standard deviation of the change, at a time ``after`` [s], of devices with these ``conductances`` [S],
        all alike many [S]; of the change relative to the conductance (unitless) where it is ``relative``."""
        mean, spread, fluctuation = self.moments(after, conductances)
        unit = np.asarray(conductances) if relative else 1.0
        middle = float((mean / unit).mean())
        squares = ((mean / unit - middle) ** 2 + (spread**2 + fluctuation**2) / np.square(unit)).mean()
        return middle, float(np.sqrt(squares))

    def __str__(self):
        top = self.conductances[-1]
        parts = []
        for g in self.conductances if len(self.conductances) <= 3 else self.conductances[[0, -1]]:
            mean, spread, fluctuation = (float(value) for value in self.moments(self.until, g))
            if g == top == WIDEST:  # of a law of straight lines
                parts.append(f"{mean / g / percent:.3g} +- {spread / g / percent:.3g} % of large conductances")
            else:
                parts.append(f"{mean / uS:.3g} +- {spread / uS:.3g} uS at {g / uS:g} uS")
        anew = f", +- {self.fluctuations.max() / uS:.3g} uS at most anew at every time" if self.fluctuations.any() else ""
        return (f"from {self.times[0]:.3g} s on along lines in log t, after {self.until:.3g} s " + ", ".join(parts)
                + f"{anew}; measured until {self.until:.3g} s")


def segments_of(retention, conductances):
    """Which of the lines of `lines_of` holds at each conductance."""
    return np.searchsorted(retention.conductances, conductances, side="right") - 1


def lines_of(retention, after):
    """Constants [S] and slopes (unitless), (3, *times, n_states), of the lines that mean, spread and fluctuation follow from
    each state on, at an array of times [s]."""
    rows, states = _rows_of(retention, after), retention.conductances
    slopes = np.concatenate([np.diff(rows) / np.diff(states), np.zeros((*rows.shape[:-1], 1))], axis=-1)
    return rows - slopes * states, slopes


def _rows_of(retention, after):
    """(3, *times, n_states) mean, spread and fluctuation of each state at a time, or several [S]."""
    after, logs = np.asarray(after), np.log10(retention.times)
    k = np.clip(np.searchsorted(retention.times, after), 1, len(logs) - 1)
    share = (np.log10(np.maximum(after, retention.times[0])) - logs[k - 1]) / (logs[k] - logs[k - 1])
    means, spreads = (table[k - 1] + share[..., None] * (table[k] - table[k - 1])
                      for table in (retention.means, retention.spreads))
    anew = np.where((after > retention.times[0])[..., None], retention.fluctuations, 0.0)
    return np.array([means, np.maximum(spreads, 0.0), anew])


def age(conductances, retention, after, own, anew, held):
    """Conductances [S] a time ``after`` [s] their write, in the precision of the given ones: ``own`` and ``anew`` are
    normal numbers of each device, ``held`` those that no write moved, and no time does."""
    mean, spread, fluctuation = retention.moments(after, conductances)
    spread *= own
    mean += spread
    if anew is not None:
        fluctuation *= anew
        mean += fluctuation
    mean += conductances
    aged = np.maximum(mean, 0.0, out=mean)
    return np.where(held, conductances, aged).astype(conductances.dtype, copy=False)


def time_words(after):
    """Two whole numbers that tell a time [s] from every other: seeds of what is new at every time."""
    return tuple(int(word) for word in np.array([after], dtype=np.float64).view(np.uint32))


def require_retention(device, after):
    """Raise ValueError if time should pass for a device of which nothing is known about time."""
    if after > 0 and device.retention is None:
        raise ValueError(f"after={after:g} s needs a device with retention, which {device.name!r} lacks: give "
                         "TIO2_RETENTION, RRAM_B or RRAM_C; or dataclasses.replace(device, retention=...), with a "
                         "Retention or fit_retention(...).value; or after=0")


def retention_notes(device, after):
    """List with a sentence, where the time is beyond what was measured."""
    if device.retention is None or after <= device.retention.until:
        return []
    return [f"retention: measured until {device.retention.until:.3g} s after the write, here {after:.3g} s: mean and spread "
            "are extrapolated along their last line in log t"]
