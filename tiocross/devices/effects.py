"""Records of what a write leaves behind: tuning error, write disturb, stuck devices, failed lines."""

from dataclasses import dataclass, fields

import numpy as np

from tiocross.checks import as_finite, as_number
from tiocross.units import percent, uS


class _ArrayRecord:
    """Equality and hash of frozen records that hold arrays."""

    def __eq__(self, other):
        return type(self) is type(other) and all(
            np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    def __hash__(self):
        return hash((self.changes.tobytes(), self.source))


@dataclass(frozen=True)
class TuningError:
    """Error of the write itself, relative to the target conductance G.

    A device tuned to G ends at G (1 + offset + spread(G) z), with offset drawn from N(offset_mean, offset_std), z from
    N(0, 1) and spread(G) = spread_slope G + spread_intercept, which must not be negative within the window.

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
    """

    offset_mean: float
    offset_std: float
    spread_slope: float
    spread_intercept: float
    source: str

    def __post_init__(self):
        _store_number(self, "offset_mean", low=-1.0, high=1.0)
        _store_number(self, "offset_std", low=0.0, high=1.0)
        _store_number(self, "spread_slope", unit="1/S")
        _store_number(self, "spread_intercept", low=0.0, high=1.0)

    def __str__(self):
        slope = self.spread_slope * uS / percent
        return (f"relative offset N({self.offset_mean / percent:.3g} %, {self.offset_std / percent:.3g} %), "
                f"spread ({slope:.3g} %/uS) G + {self.spread_intercept / percent:.3g} %")


@dataclass(frozen=True, eq=False)
class DisturbQuantiles(_ArrayRecord):
    """Additive conductance change of a programmed device after k later writes in its array, as quantiles.

    Between the listed k the quantiles are interpolated linearly in k, between the listed probabilities linearly in
    probability. Beyond the largest listed k every quantile grows as (k / k_max) ** growth_exponent. k = 0 leaves a
    device undisturbed.

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
    """

    n_later_writes: np.ndarray
    probabilities: np.ndarray
    changes: np.ndarray
    growth_exponent: float
    source: str

    def __post_init__(self):
        k = _freeze(self, "n_later_writes", ndim=1)
        p = _freeze(self, "probabilities", ndim=1)
        changes = _freeze(self, "changes", ndim=2)
        _store_number(self, "growth_exponent")
        if len(k) == 0 or k[0] < 1 or (np.diff(k) <= 0).any():
            raise ValueError(f"n_later_writes must increase from 1 or more; got {k}")
        if len(p) < 2 or p[0] != 0 or p[-1] != 1 or (np.diff(p) <= 0).any():
            raise ValueError(f"probabilities must increase from 0 to 1; got {p}")
        if changes.shape != (len(k), len(p)) or (np.diff(changes, axis=1) < 0).any():
            raise ValueError(f"changes must have shape {len(k), len(p)} and not fall along a row; got {changes.shape}")
        _require_siemens("changes", changes)

    def __str__(self):
        middle = [f"{np.interp(0.5, self.probabilities, row) / uS:.2g}" for row in self.changes[[0, -1]]]
        k_max = self.n_later_writes[-1]
        return (f"quantile table for k = {self.n_later_writes[0]:g} to {k_max:g} later writes (median {middle[0]} to "
                f"{middle[1]} uS, extremes {self.changes.min() / uS:.3g} to {self.changes.max() / uS:.3g} uS), "
                f"beyond that x (k/{k_max:g})^{self.growth_exponent:g}")


@dataclass(frozen=True, eq=False)
class DisturbSamples(_ArrayRecord):
    """Additive conductance change after k later writes, resampled from measured values.

    A k that was not measured takes the samples of the nearest measured one; beyond the largest, its samples scaled by
    (k / k_max) ** growth_exponent. k = 0 leaves a device undisturbed.

    Parameters
    ----------
    n_later_writes : (n_samples,) array_like
        Number k >= 1 of devices programmed later, for each sample (unitless).
    changes : (n_samples,) array_like
        Measured change of the conductance [S].
    growth_exponent : float
        Exponent of the extrapolation beyond the largest k (unitless).
    source : str
        Where the samples come from.
    """

    n_later_writes: np.ndarray
    changes: np.ndarray
    growth_exponent: float
    source: str

    def __post_init__(self):
        k = _freeze(self, "n_later_writes", ndim=1)
        changes = _freeze(self, "changes", ndim=1)
        _store_number(self, "growth_exponent")
        if len(k) == 0 or len(k) != len(changes) or (k < 1).any() or (k % 1 != 0).any():
            raise ValueError("n_later_writes must hold a whole number from 1 for each of the changes; "
                             f"got {len(k)} for {len(changes)} changes")
        _require_siemens("changes", changes)

    def __str__(self):
        return (f"{len(self.changes)} measured samples for k = {self.n_later_writes.min():g} to "
                f"{self.n_later_writes.max():g} later writes (std {self.changes.std() / uS:.3g} uS), "
                f"beyond that x (k/{self.n_later_writes.max():g})^{self.growth_exponent:g}")


@dataclass(frozen=True)
class StuckDevices:
    """Independent devices that do not answer to writes, drawn anew for each chip.

    Parameters
    ----------
    probability_lrs, probability_hrs : float
        Chance that a device is stuck at low or at high resistance, as fractions (unitless).
    lrs_mean, lrs_std : float
        Normal law of the conductance of a device stuck at low resistance, floored at zero [S].
    hrs_low, hrs_high : float
        Uniform law of the conductance of a device stuck at high resistance [S].
    source : str
        Where the numbers come from.
    """

    probability_lrs: float
    lrs_mean: float
    lrs_std: float
    probability_hrs: float
    hrs_low: float
    hrs_high: float
    source: str

    def __post_init__(self):
        for name in ("probability_lrs", "probability_hrs", "lrs_mean", "lrs_std", "hrs_low", "hrs_high"):
            _store_number(self, name, low=0.0, high=1.0)
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

    Lines fail independently, drawn anew for each chip. The conductance of a failed line is drawn from a log-uniform law,
    because measured failures spread over decades; where two failed lines cross, the bit line's holds.

    Parameters
    ----------
    probability_word_line, probability_bit_line : float
        Chance that a word line, or a bit line, fails, as fractions (unitless).
    g_low, g_high : float
        Ends of the log-uniform law of a failed line's conductance, both above zero [S].
    source : str
        Where the numbers come from.
    """

    probability_word_line: float
    probability_bit_line: float
    g_low: float
    g_high: float
    source: str

    def __post_init__(self):
        _require_siemens("g_high", np.array([as_number("g_high", self.g_high)]))
        for name in ("probability_word_line", "probability_bit_line", "g_low", "g_high"):
            _store_number(self, name, low=0.0, high=1.0)
        if not 0 < self.g_low <= self.g_high:
            raise ValueError(f"g_low must be above zero and not exceed g_high; got {self.g_low:g} and {self.g_high:g} S")

    def __str__(self):
        return (f"{self.probability_word_line / percent:g} % of word lines and {self.probability_bit_line / percent:g} % of "
                f"bit lines fail at a conductance log-uniform in {self.g_low / uS:g} to {self.g_high / uS:g} uS")


def _store_number(record, name, **bounds):
    """Replace a field by its validated float."""
    object.__setattr__(record, name, as_number(name, getattr(record, name), **bounds))


def _freeze(record, name, *, ndim):
    """Replace a field by its validated, read-only array."""
    array = as_finite(name, getattr(record, name), ndim=ndim).copy()
    array.flags.writeable = False
    object.__setattr__(record, name, array)
    return array


def _require_siemens(what, changes):
    if np.abs(changes).max(initial=0.0) > 1.0:
        raise ValueError(f"{what} must lie in [-1, 1] S; got {changes.flat[np.abs(changes).argmax()]:g}. "
                         "If these are microsiemens, multiply by tiocross.units.uS")
