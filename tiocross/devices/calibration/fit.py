"""What every fit of measured data gives, and the intervals and tests that the fits share.

Intervals hold the true value in 95 % of the experiments. Quantiles of the usual laws are integrated numerically, each in a
variable in which its density is smooth and falls off fast: x = sqrt(n) sinh(u) for Student's t, x = exp(u) for chi
squared, x = 1 / (1 + exp(-u)) for the beta law.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tiocross.units import percent, uS

SUSPICIOUS = 0.01  # a goodness below this is a warning
_TAIL = 0.025  # on either side of a 95 % interval
_GRID = np.linspace(-40.0, 40.0, 20_001)  # in standard deviations; fine enough for five digits
_SHOWN = {"%": percent, "uS": uS, "%/uS": percent / uS, "": 1.0}
_UNITS = {  # parameter -> unit for people
    "offset_mean": "%", "offset_std": "%", "spread_slope": "%/uS", "spread_intercept": "%",
    "growth_exponent": "", "median": "uS", "std": "uS",
    "probability_lrs": "%", "lrs_mean": "uS", "lrs_std": "uS", "probability_hrs": "%", "hrs_low": "uS", "hrs_high": "uS",
    "probability_word_line": "%", "probability_bit_line": "%", "g_low": "uS", "g_high": "uS",
}
_MOST_ROWS = 6  # of a table, when it is shown to people


@dataclass(frozen=True, eq=False)
class Fit:
    """One effect of a device, fitted to measured data.

    Parameters
    ----------
    value : TuningError or DisturbQuantiles or StuckDevices or LineFailures
        The effect (unitless).
    estimates : dict of str to float or (n_k,) ndarray
        Estimate of each parameter, in the units of ``value``; arrays belong to its ``n_later_writes`` [SI].
    intervals : dict of str to tuple
        Ends (low, high) of the 95 % interval, floats or arrays as in ``estimates``; a parameter that the data do not
        tell has none [SI].
    n_samples : int
        Number of measured values used (unitless).
    test : str
        Name of the test of goodness (unitless).
    goodness : float
        Its p-value, the chance of data at least as odd if the model is right (unitless).
    warning : str, optional
        What is wrong, or empty (unitless).
    """

    value: object
    estimates: dict
    intervals: dict
    n_samples: int
    test: str
    goodness: float
    warning: str = ""

    def __str__(self):
        lines = [str(self.value)]
        for name, estimate in self.estimates.items():
            lines += [f"  {row}" for row in self._rows(name, np.atleast_1d(estimate))]
        lines.append(f"  {self.n_samples} values; {self.test}: p = {self.goodness:.2g}")
        return "\n".join(lines + ([f"  WARNING: {self.warning}"] if self.warning else []))

    def _rows(self, name, estimates):
        unit = _UNITS[name]
        scale, space = _SHOWN[unit], f" {unit}" if unit else ""
        low, high = (np.atleast_1d(end) / scale for end in self.intervals.get(name, (math.nan, math.nan)))
        for k in np.unique(np.linspace(0, len(estimates) - 1, _MOST_ROWS).round().astype(int)):
            where = f" at k = {self.value.n_later_writes[k]:.3g}" if len(estimates) > 1 else ""
            bounds = f"[{low[k]:.3g}, {high[k]:.3g}]{space}" if name in self.intervals else "not told by these data"
            yield f"{name}{where}: {estimates[k] / scale:.3g}{space}, 95 % interval {bounds}"


def t_quantile(level, n_free):
    """Quantile of Student's law with ``n_free`` degrees of freedom at ``level`` (unitless)."""
    u = _GRID / math.sqrt(n_free)
    return math.sqrt(n_free) * math.sinh(_quantile(-n_free * np.log(np.cosh(u)), u, level))


def chi_squared_quantile(level, n_free):
    """Quantile of the chi squared law with ``n_free`` degrees of freedom at ``level`` (unitless)."""
    u = math.log(n_free) + _GRID / math.sqrt(n_free)
    return math.exp(_quantile(0.5 * (n_free * u - np.exp(u)), u, level))


def share_interval(n_hits, n_total):
    """Clopper and Pearson's 95 % interval of a probability.

    Parameters
    ----------
    n_hits, n_total : int
        How often it happened, of how many (unitless).

    Returns
    -------
    tuple of float
        (low, high), which holds the probability in at least 95 % of the experiments (unitless).
    """
    low = 0.0 if n_hits == 0 else _beta_quantile(_TAIL, n_hits, n_total - n_hits + 1)
    return low, 1.0 if n_hits == n_total else _beta_quantile(1 - _TAIL, n_hits + 1, n_total - n_hits)


def normal_intervals(values):
    """95 % intervals of the mean and of the standard deviation of a normal law.

    Parameters
    ----------
    values : (n_values,) ndarray
        Two or more independent draws (unitless).

    Returns
    -------
    tuple of tuple of float
        (low, high) of the mean and of the standard deviation, in the unit of ``values``.
    """
    n_free, std = len(values) - 1, values.std(ddof=1)
    reach = t_quantile(1 - _TAIL, n_free) * std / math.sqrt(len(values))
    ends = [std * math.sqrt(n_free / chi_squared_quantile(level, n_free)) for level in (1 - _TAIL, _TAIL)]
    return (values.mean() - reach, values.mean() + reach), tuple(ends)


def uniform_intervals(values):
    """95 % intervals of the two ends of a uniform law.

    Parameters
    ----------
    values : (n_values,) ndarray
        Two or more independent draws (unitless).

    Returns
    -------
    tuple of tuple of float
        (low, high) of the lower and of the upper end, in the unit of ``values``.

    Notes
    -----
    Exact: the distance from an end to the nearest draw, over the range of the draws, exceeds t with chance
    (1 + t) ** (1 - n).
    """
    low, high = values.min(), values.max()
    reach = (high - low) * math.expm1(-math.log(2 * _TAIL) / (len(values) - 1))
    return (low - reach, low), (high, high + reach)


def uniform_goodness(values):
    """P-value of Kolmogorov and Smirnov's test of a uniform law whose ends are not known.

    Parameters
    ----------
    values : (n_values,) ndarray
        Independent draws (unitless).

    Returns
    -------
    float
        The p-value; 1 for fewer than five draws (unitless).

    Notes
    -----
    Given the smallest and the largest draw, the others are uniform between them, so the test of these has no
    estimated parameter. P-value with the finite-size factor of Stephens, J. R. Stat. Soc. B 32, 115 (1970).
    """
    if len(values) < 5 or np.ptp(values) == 0:
        return 1.0
    inner = (np.sort(values)[1:-1] - values.min()) / np.ptp(values)
    steps = np.arange(len(inner) + 1) / len(inner)
    distance = max((steps[1:] - inner).max(), (inner - steps[:-1]).max())
    root = math.sqrt(len(inner))
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.3:
        return 1.0  # the series below converges slowly; the chance of less is 1e-5
    return float(np.clip(2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 60)), 0, 1))


def straightness(values):
    """Straightness of the normal probability plot, the statistic of Shapiro and Francia's test of normality.

    Parameters
    ----------
    values : (..., n_values) ndarray
        Samples (unitless).

    Returns
    -------
    (...) ndarray
        Squared correlation with the expected order, 1 for a perfectly normal sample (unitless).

    References
    ----------
    S. S. Shapiro and R. S. Francia, J. Am. Stat. Assoc. 67, 215 (1972), doi:10.1080/01621459.1972.10481232.
    """
    n = values.shape[-1]
    scores = np.array([NormalDist().inv_cdf((i + 0.625) / (n + 0.25)) for i in range(n)])
    ordered = np.sort(values, axis=-1)
    centred = ordered - ordered.mean(axis=-1, keepdims=True)
    squares = (centred**2).sum(axis=-1) * (scores @ scores)
    return np.divide((centred @ scores) ** 2, squares, out=np.zeros_like(squares), where=squares > 0.0)  # 0: all equal


def describe_shape(values):
    """What makes a sample look other than normal.

    Parameters
    ----------
    values : (n_values,) ndarray
        Standardised residuals (unitless).

    Returns
    -------
    str
        Outliers, skewness, heavy or cut tails; the most telling of them.
    """
    n = len(values)
    z = (values - values.mean()) / values.std()
    skewness, excess = (z**3).mean(), (z**4).mean() - 3
    found = []
    if n_far := int((np.abs(values) > 4).sum()):
        found.append(f"{n_far} of {n} lie beyond 4 standard deviations (outliers)")
    if abs(skewness) > 3 * math.sqrt(6 / n):
        found.append(f"they are skewed (skewness {skewness:.2g})")
    if not found:
        tails = "cut tails, as a tolerance band leaves them" if excess < 0 else "heavy tails"
        found.append(f"they have {tails} (excess kurtosis {excess:.2g})")
    return ", ".join(found)


def _beta_quantile(level, a, b):
    u = math.log(a / b) + _GRID * math.sqrt(1 / a + 1 / b)
    return 1 / (1 + math.exp(-_quantile(-a * np.logaddexp(0, -u) - b * np.logaddexp(0, u), u, level)))


def _quantile(log_density, grid, level):
    density = np.exp(log_density - log_density.max())
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return float(np.interp(level * cumulative[-1], cumulative, grid))
