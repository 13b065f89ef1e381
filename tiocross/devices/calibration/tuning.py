"""Measured (target, programmed) conductances to a `TuningError`.

The spread of the relative error is a straight line in the target. It is fitted by restricted maximum likelihood: that of
the errors less their mean (or the mean of their group), which does not shrink the spread as plain likelihood does.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_finite, as_number, require_generator, require_shape, siemens_cure
from tiocross.devices.calibration.fit import SUSPICIOUS, Fit, describe_shape
from tiocross.devices.device import TuningError
from tiocross.intervals import chi_squared_quantile, straightness, student_interval, t_quantile

_FEWEST = 30  # values more than groups: below this the intervals hold the truth less often than they say
_FEWEST_GROUPS = 3
_N_REPLICATES = 499  # simulated data sets behind intervals and goodness
_AT_ONCE = 1_000_000  # simulated values held at a time
_LEAST_SPREAD = 1e-3  # of the spread as a whole; keeps the likelihood finite
_TEST = "straight normal probability plot and no trend of the errors with the target (parametric bootstrap)"


class _Spreads(NamedTuple):
    """Fits of n_sets data sets."""

    ends: np.ndarray  # (n_sets, 2) spread at zero and at the top
    covariance: np.ndarray  # (n_sets, 2, 2) of the ends
    means: np.ndarray  # (n_sets, n_groups)
    weights: np.ndarray  # (n_sets, n_groups) inverse variance of each mean within its group
    residuals: np.ndarray | None  # (n_sets, n) standardised


@dataclass(frozen=True, eq=False)
class _Design:
    """What the data sets of one experiment share; samples are sorted by group."""

    basis: np.ndarray  # (2, n): spread = (spread at zero, spread at the top) @ basis
    groups: np.ndarray  # (n,) from 0
    starts: np.ndarray  # (n_groups,) first sample of each
    variance: float  # of the offset, where it is drawn for each sample

    def sums(self, values):
        return np.add.reduceat(values, self.starts, axis=-1)


def fit_tuning(targets: ArrayLike, programmed: ArrayLike, *, source: str, groups: ArrayLike | None = None,
               offset_std: float = 0.0, g_max: float | None = None, rng: np.random.Generator | None = None) -> Fit:
    """Tuning error of a device, from conductances wanted and reached.

    Parameters
    ----------
    targets : array_like
        Wanted conductances, of at least two different values [S].
    programmed : array_like
        Conductances read when the write had ended, in the order of ``targets`` [S].
    source : str
        Where the data come from.
    groups : array_like, optional
        Label of each value, such as the number of its chip: the values of a group share one offset (unitless).
    offset_std : float, optional
        Standard deviation of the offset, taken as known, where there are no groups (unitless).
    g_max : float, optional
        End of the window. Up to it the spread must not become negative. Without it the largest target [S].
    rng : numpy.random.Generator, optional
        Source of randomness of the bootstrap. Without it a fixed one, so that the same data give the same fit.

    Returns
    -------
    Fit
        A `TuningError`, the intervals of its four parameters, and the p-value of the standardised residuals.

    Raises
    ------
    ValueError
        If a value is no conductance, or there are fewer than 30 values more than groups, or fewer than 3 groups.

    Notes
    -----
    A device written once tells only the sum of two variances, that of its offset and that of its spread. Without
    ``groups`` the fit therefore gives all of it to the spread (``offset_std`` = 0), or what is left beside a stated
    ``offset_std``. With groups the offset's variance is that of the group means beyond what the spread explains: Paule
    and Mandel's estimate with the exact interval of the Q profile [1]_, and Student's interval for the mean.

    The other intervals and the p-value come from 499 data sets that are simulated with the fitted parameters and fitted
    in the same way (bootstrap of Student's ratio). The p-value so allows for the estimated parameters. Values must be
    independent, except for the offset that a group shares.

    References
    ----------
    .. [1] W. Viechtbauer, Stat. Med. 26, 37 (2007), doi:10.1002/sim.2514.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import fit_tuning
    >>> rng = np.random.default_rng(0)
    >>> targets = rng.uniform(1e-4, 5e-4, 60)
    >>> programmed = targets * (1 + rng.normal(0.002, 0.01, 60))  # 0.2 % too high, spread 1 %
    >>> fit = fit_tuning(targets, programmed, source="simulated")
    >>> low, high = fit.intervals["offset_mean"]
    >>> bool(low < 0.002 < high)
    True
    """
    targets, errors, groups = _check(targets, programmed, groups)
    variance = as_number("offset_std", offset_std, low=0.0, high=1.0) ** 2
    if variance and groups is not None:
        raise ValueError("give either groups, from which offset_std is estimated, or offset_std; got both")
    rng = np.random.default_rng(0) if rng is None else rng
    require_generator(rng)
    top = max(targets.max(), 0.0 if g_max is None else as_number("g_max", g_max, low=0.0, high=1.0, unit="S"))
    design, order = _design(targets / top, groups, variance)
    estimates, intervals, tests, residuals = _fit(errors[order], design, top, rng)
    value = TuningError(**estimates, source=source)
    goodness = min(1.0, 2 * min(tests))
    warning = _warning(tests, residuals) if goodness < SUSPICIOUS else ""
    return Fit(value, estimates, intervals, len(targets), _TEST, goodness, warning)


def _check(targets, programmed, groups):
    targets, programmed = (as_finite(what, values) for what, values in (("targets", targets), ("programmed", programmed)))
    require_shape("programmed", programmed.shape, targets.shape, ", that of targets")
    targets, programmed = targets.ravel(), programmed.ravel()
    for what, values, bad in (("targets", targets, targets <= 0), ("programmed", programmed, programmed < 0)):
        bad = bad | (values > 1)
        if bad.any():
            raise ValueError(f"{what} must lie in {'(0, 1]' if what == 'targets' else '[0, 1]'} S; got {values[bad][0]:g} "
                             f"({int(bad.sum())} such){siemens_cure(values[bad][0])}")
    n_groups = 1
    if groups is not None:
        groups = np.unique(np.asarray(groups).ravel(), return_inverse=True)[1]
        n_groups = groups.max(initial=-1) + 1
        if groups.shape != targets.shape or n_groups < _FEWEST_GROUPS:
            raise ValueError(f"groups must hold one label for each of {targets.size} targets, at least {_FEWEST_GROUPS} "
                             f"different; got {groups.size} labels, {n_groups} different")
    if targets.size < _FEWEST + n_groups:
        raise ValueError(f"the tuning error needs at least {_FEWEST + n_groups} pairs of target and programmed conductance; "
                         f"got {targets.size}")
    if np.ptp(targets) == 0:
        raise ValueError(f"targets must hold at least two different conductances to tell a slope; all are {targets[0]:g} S. "
                         "Program other levels too, or state the error of this one by hand, as in TuningError(0, 0, 0, "
                         "spread, source)")
    errors = programmed / targets - 1
    if np.ptp(errors) == 0:
        raise ValueError("programmed follows targets without any spread; give readings, not targets")
    return targets, errors, groups


def _design(x, groups, variance):
    """The design, and the order of samples in it."""
    groups = np.zeros(len(x), dtype=np.int64) if groups is None else groups
    order = np.argsort(groups, kind="stable")
    groups, x = groups[order], x[order]
    return _Design(np.stack([1 - x, x]), groups, np.searchsorted(groups, np.arange(groups[-1] + 1)), variance), order


def _fit(errors, design, top, rng):
    """Estimates and intervals by name, p-values of shape and trend, standardised residuals."""
    ends, covariance, means, weights, residuals = (part[0] for part in _fit_spreads(errors[None], design))
    spreads = np.sqrt((ends @ design.basis) ** 2 + design.variance)
    simulated, oddities = _refit(spreads, design, ends, rng)
    slope_of = np.array([-1.0, 1.0]) / top
    names = {"spread_slope": slope_of, "spread_intercept": np.array([1.0, 0.0])}
    estimates, intervals = {}, {}
    student = t_quantile(0.975, len(errors) - len(means) - 2)
    for name, part in names.items():
        std = math.sqrt(part @ covariance @ part)
        ratios = (simulated.ends - ends) @ part / np.sqrt(np.einsum("j,bjk,k->b", part, simulated.covariance, part))
        estimates[name] = float(ends @ part)
        intervals[name] = _interval(estimates[name], std, ratios, student)
    low, high = intervals["spread_intercept"]
    intervals["spread_intercept"] = max(low, 0.0), max(high, 0.0)
    estimates["offset_mean"], estimates["offset_std"] = float(means[0]), math.sqrt(design.variance)
    if len(means) > 1:
        _between_groups(means, weights, estimates, intervals)
    else:
        ratios = (simulated.means * np.sqrt(simulated.weights))[:, 0]
        intervals["offset_mean"] = _interval(estimates["offset_mean"], 1 / math.sqrt(weights[0]), ratios, student)
    seen = _oddities(residuals, design.basis[1])
    tests = [float((1 + (drawn >= value).sum()) / (1 + _N_REPLICATES)) for value, drawn in zip(seen, oddities)]
    return estimates, intervals, tests, residuals


def _refit(spreads, design, ends, rng):
    """`_Spreads` of simulated data sets and their `_oddities`, as many at a time as memory holds easily."""
    n_left, fits, oddities = _N_REPLICATES, [], []
    while n_left:
        n_sets = min(n_left, max(1, _AT_ONCE // len(spreads)))
        *fit, residuals = _fit_spreads(spreads * rng.standard_normal((n_sets, len(spreads))), design, start=ends)
        fits.append(fit)
        oddities.append(_oddities(residuals, design.basis[1]))
        n_left -= n_sets
    return _Spreads(*map(np.concatenate, zip(*fits)), residuals=None), [np.concatenate(parts) for parts in zip(*oddities)]


def _interval(estimate, std, ratios, student):
    """From simulated ratios, but not shorter than Student's own: near zero spread the simulated ones are."""
    return tuple(map(float, student_interval(estimate, std, ratios, least=student)))


def _oddities(residuals, x):
    """How far residuals are from normal and from having no trend, for each data set."""
    centred = x - x.mean()
    return 1 - straightness(residuals), np.abs(residuals @ centred) / np.sqrt((residuals**2).sum(axis=-1))


def _fit_spreads(errors, design, start=None):
    """`_Spreads` of (n_sets, n) data sets at once: restricted maximum likelihood by Fisher's scoring."""
    basis, groups = design.basis, design.groups
    raw = errors - (design.sums(errors) / np.bincount(groups))[:, groups]
    std = np.sqrt((raw**2).sum(axis=1, keepdims=True) / (len(groups) - len(design.starts)))
    ends = np.repeat(std, 2, axis=1) if start is None else np.repeat(start[None], len(errors), axis=0)
    products = np.stack([basis[0] ** 2, basis[0] * basis[1], basis[1] ** 2], axis=1)
    for _ in range(100 if start is None else 6):  # from the truth, a few steps are enough for simulated data
        spreads = ends @ basis
        precision = 1 / (spreads**2 + design.variance)
        weights = design.sums(precision)
        means = design.sums(precision * errors) / weights
        residuals = (errors - means[:, groups]) * np.sqrt(precision)
        leverage = precision / weights[:, groups]
        slopes = spreads * precision  # of half the log variance
        score = (slopes * (residuals**2 - 1 + leverage)) @ basis.T
        information = 2 * (slopes**2 * np.maximum(1 - leverage, 0) @ products)[:, [[0, 1], [1, 2]]]
        step = np.linalg.solve(information, score[..., None])[..., 0]
        after = np.maximum(np.clip(ends + step, ends / 3, ends * 3), _LEAST_SPREAD * std)
        settled = (np.abs(after - ends) < 1e-7 * std).all()
        ends = after
        if settled:
            break
    return _Spreads(ends, np.linalg.inv(information), means, weights, residuals)


def _between_groups(means, weights, estimates, intervals):
    """Add the offset's mean and standard deviation from group means whose own variances are 1 / weights."""
    n_free = len(means) - 1
    variance = _variance_between(means, weights, n_free)
    _, mean, std = _excess(means, weights, variance)
    reach = t_quantile(0.975, n_free) * std
    estimates.update(offset_mean=float(mean), offset_std=math.sqrt(variance))
    ends = (math.sqrt(_variance_between(means, weights, chi_squared_quantile(level, n_free))) for level in (0.975, 0.025))
    intervals.update(offset_mean=(float(mean - reach), float(mean + reach)), offset_std=tuple(ends))


def _excess(means, weights, variance):
    """Weighted squares of the means about their mean if groups differ by ``variance``; that mean and its std."""
    w = 1 / (1 / weights + variance)
    mean = (w @ means) / w.sum()
    return w @ (means - mean) ** 2, mean, 1 / math.sqrt(w.sum())


def _variance_between(means, weights, wanted):
    """Variance between groups at which the weighted squares of their means are ``wanted``, at least 0."""
    low, high = 0.0, np.ptp(means) ** 2 + 1 / weights.min()
    if _excess(means, weights, 0.0)[0] <= wanted:
        return 0.0
    while _excess(means, weights, high)[0] > wanted:
        high *= 2
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _excess(means, weights, middle)[0] > wanted else (low, middle)
    return high


def _warning(tests, residuals):
    shape, trend = tests
    parts = [f"the errors are not normal: {describe_shape(residuals)}"] if 2 * shape < SUSPICIOUS else []
    if 2 * trend < SUSPICIOUS:
        parts.append("their mean depends on the target, which the model does not know")
    return "; ".join(parts)
