"""Intervals, quantiles and tests of goodness: everything here that SciPy or a table would give.

Intervals hold the true value in 95 % of the experiments. Quantiles of the usual laws are integrated numerically, each in a
variable in which its density is smooth and falls off fast: x = sqrt(n) sinh(u) for Student's t, x = exp(u) for chi
squared, x = 1 / (1 + exp(-u)) for the beta law.

The bootstrap of grouped units serves tables of chips and points: units that are exchangeable are dealt out to groups of
equal size, and groups are resampled instead of single units. Means over groups carry the same variance at a fraction of
the cost.
"""

import math
from statistics import NormalDist

import numpy as np

NORMAL_975 = 1.959963984540054  # 97.5 % quantile of the normal law; NormalDist gives other last digits
N_REPLICATES = 200  # resamples of grouped units
ROUNDING = 1e-7  # of a share in single precision; shares of n units lie 1 / n apart
MOST_GROUPS = 200  # resampled units at most
_TAIL = 0.025  # on either side of a 95 % interval
_GRID = np.linspace(-40.0, 40.0, 20_001)  # in standard deviations; fine enough for five digits


def wilson_interval(n_hits, n_total):
    """Wilson's 95 % interval (low, high) of a share of ``n_hits`` in ``n_total``."""
    share, spread = n_hits / n_total, NORMAL_975 * NORMAL_975 / n_total
    middle = (share + spread / 2) / (1 + spread)
    half = np.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    return max(float(middle - half), 0.0), min(float(middle + half), 1.0)


def clopper_pearson_interval(n_hits, n_total):
    """Clopper and Pearson's interval (low, high): holds the probability in at least 95 % of the experiments."""
    low = 0.0 if n_hits == 0 else beta_quantile(_TAIL, n_hits, n_total - n_hits + 1)
    return low, 1.0 if n_hits == n_total else beta_quantile(1 - _TAIL, n_hits + 1, n_total - n_hits)


def normal_intervals(values):
    """Intervals (low, high) of the mean and of the standard deviation of a normal law, from two or more draws."""
    n_free, std = len(values) - 1, values.std(ddof=1)
    reach = half_width_of_mean(values)
    ends = [std * math.sqrt(n_free / chi_squared_quantile(level, n_free)) for level in (1 - _TAIL, _TAIL)]
    return (values.mean() - reach, values.mean() + reach), tuple(ends)


def half_width_of_mean(values):
    """Half the width of the interval of the mean of a normal law, along the first axis, from two or more draws."""
    return t_quantile(1 - _TAIL, len(values) - 1) * values.std(axis=0, ddof=1) / math.sqrt(len(values))


def uniform_intervals(values):
    """Exact intervals (low, high) of the lower and of the upper end of a uniform law, from two or more draws.

    (Distance from an end to the nearest draw) / (range of the n draws) exceeds t with probability (1 + t) ** (1 - n).
    """
    low, high = values.min(), values.max()
    reach = (high - low) * math.expm1(-math.log(2 * _TAIL) / (len(values) - 1))
    return (low - reach, low), (high, high + reach)


def student_interval(estimate, std, ratios, least=-math.inf):
    """Interval from simulated ratios of Student, (replicate - estimate) / its std; reaches at least ``least`` stds."""
    low, high = np.quantile(ratios, [_TAIL, 1 - _TAIL], axis=0)
    return estimate - np.maximum(high, least) * std, estimate - np.minimum(low, -least) * std


def uniform_goodness(values):
    """P-value of Kolmogorov and Smirnov's test of a uniform law with unknown ends; 1 for fewer than five draws."""
    if len(values) < 5 or np.ptp(values) == 0:
        return 1.0
    # Given the smallest and the largest draw, the others are uniform between them: no parameter is estimated.
    inner = (np.sort(values)[1:-1] - values.min()) / np.ptp(values)
    steps = np.arange(len(inner) + 1) / len(inner)
    distance = max((steps[1:] - inner).max(), (inner - steps[:-1]).max())
    root = math.sqrt(len(inner))
    scaled = (root + 0.12 + 0.11 / root) * distance  # finite size: Stephens, J. R. Stat. Soc. B 32, 115 (1970)
    if scaled < 0.3:
        return 1.0  # the series below converges slowly; the chance of less is 1e-5
    return float(np.clip(2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 60)), 0, 1))


def straightness(values):
    """Squared correlation of samples (..., n) with the order that a normal law expects: 1 if perfectly normal.

    The statistic of Shapiro and Francia, J. Am. Stat. Assoc. 67, 215 (1972), doi:10.1080/01621459.1972.10481232.
    """
    n = values.shape[-1]
    scores = np.array([NormalDist().inv_cdf((i + 0.625) / (n + 0.25)) for i in range(n)])
    ordered = np.sort(values, axis=-1)
    centred = ordered - ordered.mean(axis=-1, keepdims=True)
    squares = (centred**2).sum(axis=-1) * (scores @ scores)
    return np.divide((centred @ scores) ** 2, squares, out=np.zeros_like(squares), where=squares > 0.0)  # 0: all equal


def t_quantile(level, n_free):
    """Quantile of Student's law with ``n_free`` degrees of freedom at ``level``."""
    u = _GRID / math.sqrt(n_free)
    return math.sqrt(n_free) * math.sinh(_quantile(-n_free * np.log(np.cosh(u)), u, level))


def chi_squared_quantile(level, n_free):
    """Quantile of the chi squared law with ``n_free`` degrees of freedom at ``level``."""
    u = math.log(n_free) + _GRID / math.sqrt(n_free)
    return math.exp(_quantile(0.5 * (n_free * u - np.exp(u)), u, level))


def beta_quantile(level, a, b):
    """Quantile of the beta law with parameters ``a`` and ``b`` at ``level``."""
    u = math.log(a / b) + _GRID * math.sqrt(1 / a + 1 / b)
    return 1 / (1 + math.exp(-_quantile(-a * np.logaddexp(0, -u) - b * np.logaddexp(0, u), u, level)))


def percentile(values, fraction):
    """Smallest of the values with at least this fraction of them, within (0, 1], at or below it."""
    rank = int(np.ceil(fraction * len(values) * (1 - ROUNDING))) - 1
    return float(np.partition(values, rank)[rank])


def weighted_median(values, weights):
    """First value, from the smallest on, with which half of the weight is reached; weights are above zero."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(reached, 0.5 * reached[-1])]])


class Groups:
    """Units 0 .. n-1 dealt out to at most 200 groups, and N_REPLICATES resamples of the groups."""

    def __init__(self, n, rng):
        self.n_units, self.n_groups = n, min(n, MOST_GROUPS)
        self.sizes = np.bincount(np.arange(n) % self.n_groups)
        self.drawn = rng.integers(0, self.n_groups, (N_REPLICATES, self.n_groups))
        self.counts = np.stack([np.bincount(row, minlength=self.n_groups) for row in self.drawn]).astype(np.float32)

    def mean(self, group_sums, some=slice(None)):
        """(N_REPLICATES, ...) mean over the units of each resample, or of some of them."""
        counts = self.counts[some]
        return (counts @ group_sums) / (counts @ self.sizes.astype(np.float32))[:, None]

    def of_members(self, resample, values):
        """Values of the units of one resample, with repeats, from those of all units; in no order that counts."""
        groups, n_whole = self.drawn[resample], self.n_units // self.n_groups * self.n_groups
        rounds = values[:n_whole].reshape(-1, self.n_groups)[:, groups]
        return np.concatenate([rounds.ravel(), values[n_whole:][groups[groups < self.n_units - n_whole]]])

    def member_weights(self):
        """(N_REPLICATES, n_units) share of each unit in each resample."""
        weights = self.counts[:, np.arange(self.n_units) % self.n_groups]
        return weights / weights.sum(axis=1, keepdims=True)


def _quantile(log_density, grid, level):
    density = np.exp(log_density - log_density.max())
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return float(np.interp(level * cumulative[-1], cumulative, grid))
