"""Measured changes after later writes to a `DisturbQuantiles` table.

Neighbouring k are pooled until a knot has enough changes; the knot stands at their mean k. The quantiles are those of the
sample: nothing is assumed of the law but that it changes little within a knot. The growth exponent is the slope of log std
against log k, knots weighted by their counts.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_count, as_finite, as_number, require_generator, siemens_cure
from tiocross.devices.calibration.fit import SUSPICIOUS, Fit
from tiocross.devices.device import DisturbQuantiles
from tiocross.intervals import student_interval

PROBABILITIES = (0, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, *(p / 100 for p in range(10, 91, 5)),
                 0.925, 0.95, 0.965, 0.98, 0.99, 0.995, 1)
_FEWEST = 20  # changes at a knot: fewer hold neither a quartile nor an interval of the median
_COMFORTABLE = 40  # changes at a knot: below it the bootstrap misses much of a heavy tail
_ENOUGH = 200  # changes at a knot: more are not pooled, so that the law can follow k
_N_REPLICATES = 499
_TEST = "power law of the spread against k (bootstrap)"


def fit_disturb(n_later_writes: ArrayLike, changes: ArrayLike, *, source: str, cut: float | None = None,
                n_per_knot: int | None = None, rng: np.random.Generator | None = None) -> Fit:
    """Write disturb of a device, from changes of conductance after later writes.

    Parameters
    ----------
    n_later_writes : (n_samples,) array_like
        Number k >= 1 of devices of the same array programmed after each device (unitless).
    changes : (n_samples,) array_like
        Change of its conductance [S].
    source : str
        Where the data come from.
    cut : float, optional
        Largest magnitude of a change that counts. Larger ones are taken for failures and left out; the warning says
        how many [S].
    n_per_knot : int, optional
        Least number of changes at a k of the table; without it an eighth of all, but from 20 to 200 (unitless).
    rng : numpy.random.Generator, optional
        Source of randomness of the bootstrap. Without it a fixed one, so that the same data give the same fit.

    Returns
    -------
    Fit
        A `DisturbQuantiles`; intervals of its growth exponent and, at each of its k, of median and standard deviation.

    Raises
    ------
    ValueError
        If a change is not finite or not in siemens, a k is not a whole number from 1, or the data do not fill two knots.

    Notes
    -----
    Intervals of medians are order statistics (exact), the others come from the bootstrap within knots. Goodness compares
    the squared distances of log std from its line, over their variances, with those of bootstrap samples drawn about the
    line. All samples count as independent. If many of them are of the same device, intervals are too short and the
    goodness is too small.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import fit_disturb
    >>> rng = np.random.default_rng(0)
    >>> k = np.repeat([1, 4, 16], 100)
    >>> changes = 5e-6 * k**0.3 * rng.standard_normal(300)
    >>> fit = fit_disturb(k, changes, source="simulated")
    >>> fit.value.n_later_writes.tolist()
    [1.0, 4.0, 16.0]
    >>> low, high = fit.intervals["growth_exponent"]
    >>> bool(low < 0.3 < high)
    True
    """
    k, changes, n_cut = _check(n_later_writes, changes, cut)
    low = min(_ENOUGH, max(_FEWEST, len(k) // 8)) if n_per_knot is None else as_count("n_per_knot", n_per_knot, low=_FEWEST)
    knots = _pool(k, low)
    samples = [np.sort(changes[here]) for here in knots]
    rng = np.random.default_rng(0) if rng is None else rng
    require_generator(rng)
    later = np.array([k[here].mean().round(1) for here in knots])
    (log_stds, variances), drawn = _spreads(samples, rng)
    x = np.log(later)
    lever = _lever(x, np.array([float(len(values)) for values in samples]))
    exponent = float(log_stds @ lever)
    table = np.array([np.quantile(values, PROBABILITIES) for values in samples])
    value = DisturbQuantiles(later, PROBABILITIES, table, exponent, source)
    estimates = {"growth_exponent": exponent, "median": np.array([np.median(values) for values in samples]),
                 "std": np.exp(log_stds)}
    ratios = drawn[..., 0] @ lever / np.sqrt(drawn[..., 1] @ lever**2)
    low, high = student_interval(exponent, np.sqrt(variances @ lever**2), ratios)
    ends = student_interval(log_stds, np.sqrt(variances), drawn[..., 0] / np.sqrt(drawn[..., 1]))
    intervals = {"growth_exponent": (float(low), float(high)), "median": _median_intervals(samples),
                 "std": tuple(map(np.exp, ends))}
    goodness = _growth_goodness(x, log_stds, variances, drawn)
    return Fit(value, estimates, intervals, len(k), _TEST, goodness, _warning(goodness, samples, n_cut))


def _check(k, changes, cut):
    k, changes = as_finite("n_later_writes", k, ndim=1), as_finite("changes", changes, ndim=1)
    if k.shape != changes.shape:
        raise ValueError(f"n_later_writes must hold one number for each of {len(changes)} changes; got {len(k)}")
    if (bad := (k < 1) | (k % 1 != 0)).any():
        raise ValueError(f"n_later_writes must be whole numbers from 1; got {k[bad][0]:g} at index {int(bad.argmax())} "
                         f"({int(bad.sum())} such). A device that was programmed last is undisturbed: leave it out")
    if (bad := np.abs(changes) > 1).any():
        raise ValueError(f"changes must lie in [-1, 1] S; got {changes[bad][0]:g} ({int(bad.sum())} such)"
                         f"{siemens_cure(abs(changes[bad][0]))}")
    if cut is None:
        return k, changes, 0
    kept = np.abs(changes) <= as_number("cut", cut, low=0.0, high=1.0, unit="S")
    return k[kept], changes[kept], int((~kept).sum())


def _pool(k, n_least):
    """Positions of the samples of each knot: neighbouring k together until they are enough."""
    knots, pool = [], []
    for one in np.unique(k):
        pool.append(np.flatnonzero(k == one))
        if sum(map(len, pool)) >= n_least:
            knots.append(np.concatenate(pool))
            pool = []
    if len(knots) < 2:
        raise ValueError(f"the write disturb needs at least two knots of {n_least} changes at different numbers of later "
                         f"writes, {2 * n_least} in all; got {len(k)} changes at {len(np.unique(k))} different numbers")
    knots[-1] = np.concatenate([knots[-1], *pool])
    return knots


def _spreads(samples, rng):
    """Log std [S] and its variance at each knot (n_k, 2); the same of bootstrap samples, less the log std they come from."""
    seen, drawn = [], []
    for values in samples:
        if np.ptp(values) == 0:
            raise ValueError(f"all {len(values)} changes of a knot are {values[0]:g} S; a spread cannot be fitted")
        std = values.std()
        seen.append(_log_std(values / std) + [math.log(std), 0.0])
        drawn.append(_log_std((values / std)[rng.integers(0, len(values), (_N_REPLICATES, len(values)))]))
    return np.transpose(seen), np.stack(drawn, axis=1)


def _log_std(values):
    """Logarithm of the standard deviation along the last axis, and its variance by the fourth moment."""
    squares = np.square(values - values.mean(axis=-1, keepdims=True))
    variance = np.maximum(squares.mean(axis=-1), 1e-12)  # a bootstrap sample may hold one value only
    excess = np.square(squares).mean(axis=-1) / variance**2 - 1
    return np.stack([0.5 * np.log(variance), np.maximum(excess, 1e-3) / (4 * values.shape[-1])], axis=-1)


def _lever(x, weights):
    """Weights with which values at x add up to the slope of their line."""
    centred = weights * (x - np.average(x, weights=weights))
    return centred / (centred @ x)


def _growth_goodness(x, log_stds, variances, drawn):
    """Share of bootstrap samples about a power law that lie farther from their line than the data do."""
    distances = [_distance(x, y, 1 / v) for y, v in ((log_stds[None], variances[None]), (drawn[..., 0], drawn[..., 1]))]
    return float((1 + (distances[1] >= distances[0]).sum()) / (1 + len(drawn)))


def _distance(x, y, weights):
    """Weighted squared distance of each row of y from its best line in x."""
    x, y = (values - (weights * values).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True) for values in (x, y))
    slopes = (weights * x * y).sum(axis=1, keepdims=True) / (weights * x * x).sum(axis=1, keepdims=True)
    return (weights * (y - slopes * x) ** 2).sum(axis=1)


def _median_intervals(samples):
    """Order statistics between which the median lies with 95 %: it is below each value like a tossed coin."""
    ends = []
    for values in samples:
        n = len(values)
        choose = np.array([math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(n)])
        below = max(int(np.searchsorted(np.cumsum(np.exp(choose - n * math.log(2))), 0.025)) - 1, 0)
        ends.append((values[below], values[n - 1 - below]))
    return tuple(np.transpose(ends))


def _warning(goodness, samples, n_cut):
    parts, fewest = [], min(map(len, samples))
    if goodness < SUSPICIOUS:
        parts.append("the spread does not grow as a power of k, so that the extrapolation beyond the largest k is doubtful")
    if len(samples) == 2:
        parts.append("two knots only: a power law fits any two, it could not be tested")
    if fewest < _COMFORTABLE:
        parts.append(f"only {fewest} changes at a knot: if they are heavy-tailed, intervals of the spread are too short")
    if n_cut:
        parts.append(f"{n_cut} changes were larger than the cut and left out")
    return "; ".join(parts)
