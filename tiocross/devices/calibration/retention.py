"""Traces of conductance against time, of many devices, to a `Retention`.

Each device gets a straight line in log t from t_0 on. Its residuals tell what is new at every time; its slope is that of all
devices, a function of the state, plus its own part, plus what the residuals make of a slope. Both standard deviations are
fitted by restricted maximum likelihood, so that the spread of paces is told apart from fluctuation and from common decay.

Axes: resampled data sets, devices. A device counts as often as it was resampled.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_finite, as_number, as_reals, require_generator, require_name, require_text, siemens_cure
from tiocross.devices.calibration.fit import SUSPICIOUS, Fit, describe_shape
from tiocross.devices.retention import WIDEST, Retention
from tiocross.intervals import chi_squared_quantile, straightness, t_quantile

LAWS = ("linear", "relative")
_NAMES = ("low", "high")  # of the ends of the states
_FEWEST = 20  # devices: below this the intervals hold the truth less often than they say
_FEWEST_TIMES = 4
_N_RESAMPLES = 499
_N_STARTS = 160  # candidates of t_0
_AT_ONCE = 1_000_000  # devices of all resamples that are fitted together
_NARROW = 1.2  # states within this factor do not tell a constant part from a relative one
_LEAST = 1e-3  # of a standard deviation, which keeps the likelihood finite
_TEST = "normal paces and straight lines in log t of the devices"
_UNITS = {"t_0": ("s", "s")}


class _Lines(NamedTuple):
    """Lines of the devices, for each candidate of t_0: (n_devices, n_candidates)."""

    states: np.ndarray  # conductance at t_0 [S]
    slopes: np.ndarray  # in a decade [S]
    widths: np.ndarray  # sum of squares of log t about its mean
    squares: np.ndarray  # of the residuals [S^2]
    free: np.ndarray  # (n_devices,) degrees of freedom of the residuals


def fit_retention(t: ArrayLike, G: ArrayLike, *, source: str, law: str = "linear", t_0: float | None = None,
                  rng: np.random.Generator | None = None) -> Fit:
    """Law of relaxation and retention, from traces of many devices.

    Parameters
    ----------
    t : (n_times,) array_like
        Increasing times since the write, four or more, above zero [s].
    G : (n_devices, n_times) array_like
        Conductance of each device at each time; NaN where it was not read [S].
    source : str
        Where the data come from.
    law : str, optional
        "linear": mean and spread are straight lines in the state; "relative": both are proportional to it.
    t_0 : float, optional
        Time from which on devices change; without it fitted, not before the first of ``t`` [s].
    rng : numpy.random.Generator, optional
        Source of randomness of the bootstrap. Without it a fixed one, so that the same data give the same fit.

    Returns
    -------
    Fit
        A `Retention`; relative changes in a decade of time at the least and at the largest state, mean and spread between
        devices; the fluctuation relative to these states; and t_0, all with 95 % intervals.

    Raises
    ------
    ValueError
        If times do not increase, a value is no conductance, none changes, there are fewer than 20 devices or 4 times, or the
        states lie too close together for ``law="linear"``.

    Notes
    -----
    The state of a device is its conductance at t_0. What it does before t_0 is taken for fluctuation. Intervals are
    Student's, with the standard deviation over 499 bootstrap samples of the devices, and assume that devices are
    independent, and fluctuations from one reading to the next. A spread that is not told from zero has an interval from zero
    to the largest at which paces scatter as little as these do in one data set of 40. Outside the range of states the law is
    held constant; what is beyond the last time is an extrapolation, and simulations that use it say so.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import fit_retention
    >>> rng, t = np.random.default_rng(0), np.logspace(1, 4, 13)
    >>> states, pace = rng.uniform(1e-4, 5e-4, 40), rng.normal(-0.01, 0.005, 40)  # -1 +- 0.5 % a decade
    >>> G = states[:, None] * (1 + pace[:, None] * np.log10(t / 10) + rng.normal(0, 0.002, (40, 13)))
    >>> fit = fit_retention(t, G, source="simulated")
    >>> low, high = fit.intervals["mean_high"]
    >>> bool(low < -0.01 < high)
    True
    """
    require_text("source", source)
    require_name("law", law, LAWS)
    t, G = _check(t, G)
    rng = np.random.default_rng(0) if rng is None else rng
    require_generator(rng)
    starts = _starts(t, t_0)
    lines = _device_lines(t, G, starts)
    picked, start = _best_start(lines, starts, np.ones((1, len(G))))
    best, ends = picked[0], _ends(lines.states[:, picked[0]], law)
    found = _estimate(lines, picked, np.ones((1, len(G))), ends)
    estimates, intervals = _bootstrap(found, lines, starts, ends, rng)
    _widen(intervals, found, lines, best, ends)
    estimates["t_0"] = float(start[0])
    if len(starts) > 1:
        reach = intervals["t_0"] * t_quantile(0.975, len(G) - 1)
        intervals["t_0"] = float(start[0] * math.exp(-reach)), float(start[0] * math.exp(reach))
    value = _retention(found, float(start[0]), float(t[-1]), ends, source)
    goodness, warning = _judge(lines, best, found, ends, (t, G, starts[best], rng))
    units = {**{name: ("-", "%") for name in estimates}, **_UNITS}
    return Fit(value, estimates, intervals, int((~np.isnan(G)).sum()), _TEST, goodness, warning, units)


def _check(t, G):
    t, G = as_finite("t", t, ndim=1), as_reals("G", G)
    if len(t) < _FEWEST_TIMES or t[0] <= 0 or (np.diff(t) <= 0).any():
        raise ValueError(f"t must be {_FEWEST_TIMES} or more times [s], above zero and increasing; got {len(t)} times"
                         + (f" from {t[0]:g} to {t[-1]:g} s" if len(t) else ""))
    if G.ndim != 2 or G.shape[1] != len(t):
        raise ValueError(f"G must have shape (n_devices, n_times) with {len(t)} times; got {G.shape}"
                         + ("; transposed?" if G.ndim == 2 and G.shape[0] == len(t) else ""))
    bad = ~np.isnan(G) & ~((G >= 0) & (G <= 1))
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise ValueError(f"G must be conductances in [0, 1] S; got {G[i, j]:g} of device {i} at {t[j]:g} s "
                         f"({int(bad.sum())} such){siemens_cure(float(G[i, j]))}")
    G = G[(~np.isnan(G)).sum(axis=1) >= 3]
    if len(G) < _FEWEST:
        raise ValueError(f"retention needs {_FEWEST} or more devices with three readings each; got {len(G)}")
    if (np.nanmax(G, axis=1) == np.nanmin(G, axis=1)).all():
        raise ValueError("no reading of any device differs from its others, so there is nothing to fit; are these targets?")
    return t, G


def _starts(t, t_0):
    """Candidates of t_0."""
    if t_0 is None:
        return np.geomspace(t[0], t[-3], _N_STARTS)
    t_0 = as_number("t_0", t_0, low=0.0, unit="s")
    if not 0 < t_0 < t[-2]:
        raise ValueError(f"t_0 must be above zero and before the last two times, {t[-2]:g} s; got {t_0:g} s")
    return np.array([t_0])


def _device_lines(t, G, starts):
    """`_Lines` of least squares."""
    logs = np.maximum(np.log10(t[:, None] / starts), 0.0)  # (n_times, n_candidates)
    read = ~np.isnan(G)
    n_read = read.sum(axis=1)[:, None]
    middle = np.nanmean(G, axis=1, keepdims=True)
    centred = np.where(read, G - middle, 0.0)
    mean_log = (read @ logs) / n_read
    widths = np.maximum(read @ logs**2 - n_read * mean_log**2, 0.0)
    products = centred @ logs
    usable = widths > 1e-9
    slopes = np.where(usable, products, 0.0) / np.where(usable, widths, 1.0)
    squares = np.maximum((centred**2).sum(axis=1)[:, None] - slopes * products, 0.0)
    return _Lines(middle - slopes * mean_log, slopes, np.where(usable, widths, 0.0), squares, n_read[:, 0] - 2)


def _misfit(lines, counts):
    """(n_sets, n_candidates) minus twice the log likelihood, but for what does not depend on t_0."""
    least = 1e-12 * lines.states.mean(axis=1, keepdims=True) ** 2  # readings without noise
    return counts @ (lines.free[:, None] * np.log(lines.squares + least))


def _best_start(lines, starts, counts):
    """The best candidate of each data set, and t_0 [s]: the vertex of the parabola through it and its neighbours."""
    misfit = _misfit(lines, counts)
    picked = misfit.argmin(axis=1)
    inner = np.clip(picked, 1, max(len(starts) - 2, 1))
    if len(starts) == 1:
        return picked, starts[picked]
    before, at, behind = (misfit[np.arange(len(counts)), inner + step] for step in (-1, 0, 1))
    bend = before - 2 * at + behind
    shift = np.where(bend > 0, np.clip(0.5 * (before - behind) / np.where(bend > 0, bend, 1.0), -1.0, 1.0), 0.0)
    vertex = starts[inner] * (starts[1] / starts[0]) ** shift
    return picked, np.where(picked == inner, vertex, starts[picked])


def _ends(states, law):
    """Least and largest state, between which the law is a line; the largest alone, where it is proportional [S]."""
    low, high = float(states.min()), float(states.max())
    if not 0 < high <= 1:
        raise ValueError(f"the traces give no conductance at t_0; got states from {low:g} to {high:g} S")
    if law == "relative":
        return np.array([high])
    if low <= 0 or high < _NARROW * low:
        raise ValueError(f"states from {low:g} to {high:g} S do not tell a line in the state; give law=\"relative\", or "
                         "traces of devices written to different conductances")
    return np.array([low, high])


def _basis(states, ends):
    """(n_ends, ...) share of each end in a state."""
    if len(ends) == 1:
        return (states / ends[0])[None]
    share = (states - ends[0]) / (ends[1] - ends[0])
    return np.stack([1 - share, share])


def _resamples(n, rng):
    """Counts (n_sets, n) of devices in bootstrap samples, some sets at a time."""
    left = _N_RESAMPLES
    while left:
        some = min(left, max(1, _AT_ONCE // n))
        yield np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(some)]).astype(np.float64)
        left -= some


def _estimate(lines, picked, counts, ends):
    """Mean, spread and fluctuation at each end, (n_sets, n_ends) [S], of data sets, each with its candidate of t_0."""
    at = (slice(None), picked)
    states, slopes, widths, squares = (values[at].T for values in lines[:4])
    basis = np.moveaxis(_basis(states, ends), 0, -1)  # (n_sets, n, n_ends)
    fluctuations = _fit_fluctuations(squares, lines.free, basis, counts)
    noise = np.einsum("snk,sk->sn", basis, fluctuations) ** 2
    known = np.where(widths > 0, noise / np.where(widths > 0, widths, 1.0), np.inf)
    means, spreads = _fit_paces(slopes, known, basis, counts)
    return {"mean": means, "spread": spreads, "fluctuation": fluctuations}


def _fit_fluctuations(squares, free, basis, counts):
    """Standard deviations at the ends, by Fisher's scoring."""
    start = np.sqrt((counts * squares).sum(axis=1) / (counts * free).sum(axis=1))
    stds = np.repeat(np.maximum(start, 1e-12)[:, None], basis.shape[-1], axis=1)
    least = _LEAST * stds
    for _ in range(30):
        each = np.maximum(np.einsum("snk,sk->sn", basis, stds), least[:, :1])
        score = np.einsum("sn,snk->sk", counts * (squares / each**2 - free) / each, basis)
        information = np.einsum("sn,snk,snl->skl", counts * 2 * free / each**2, basis, basis)
        stds = _stepped(stds, score, information, least)
    return stds


def _fit_paces(slopes, known, basis, counts):
    """Means and spreads at the ends; ``known`` is the variance that fluctuation gives a slope."""
    usable = np.isfinite(known)
    counts, known = np.where(usable, counts, 0.0), np.where(usable, known, 1.0)
    middle = (counts * slopes).sum(axis=1, keepdims=True) / counts.sum(axis=1, keepdims=True)
    start = np.sqrt((counts * (slopes - middle) ** 2).sum(axis=1) / counts.sum(axis=1))
    spreads = np.repeat(np.maximum(start, 1e-12)[:, None], basis.shape[-1], axis=1)
    least = _LEAST * spreads
    for _ in range(40):
        each = np.maximum(np.einsum("snk,sk->sn", basis, spreads), least[:, :1])
        precision = counts / (each**2 + known)
        inverse = np.linalg.inv(np.einsum("sn,snk,snl->skl", precision, basis, basis))
        means = np.einsum("skl,sn,snl->sk", inverse, precision * slopes, basis)
        left = slopes - np.einsum("snk,sk->sn", basis, means)
        variance = each**2 + known
        leverage = np.einsum("snk,skl,snl->sn", basis, inverse, basis) / variance
        score = np.einsum("sn,snk->sk", precision * each * (left**2 / variance - 1 + leverage), basis)
        information = np.einsum("sn,snk,snl->skl", 2 * precision * each**2 / variance * np.maximum(1 - leverage, 0.05),
                                basis, basis)
        spreads = _stepped(spreads, score, information, least)
    return means, spreads


def _stepped(stds, score, information, least):
    """Standard deviations after a step of Fisher's scoring, within a factor of three."""
    scale = np.einsum("skk->sk", information).max(axis=1)[:, None, None]
    information = information + 1e-9 * scale * np.eye(stds.shape[1])
    step = np.linalg.solve(information, score[..., None])[..., 0]
    return np.maximum(np.clip(stds + step, stds / 3, stds * 3), least)


def _squares(paces, spreads):
    """Squares of paces about their means, over what spreads at the ends and fluctuation give them."""
    slopes, known, basis = paces
    root = 1 / np.sqrt((spreads @ basis) ** 2 + known)
    means = np.linalg.lstsq((basis * root).T, slopes * root, rcond=None)[0]
    return (((slopes - means @ basis) * root) ** 2).sum()


def _largest_spread(paces, spreads, k, wanted):
    """The spread at end ``k`` at which the squares are ``wanted``, the other as it is; 0 if there is none [S]."""
    low, high = 0.0, 8 * float(spreads.max() + paces[0].std())
    unit = np.arange(len(spreads)) == k
    if _squares(paces, np.where(unit, 0.0, spreads)) <= wanted:
        return 0.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _squares(paces, np.where(unit, middle, spreads)) > wanted else (low, middle)
    return high


def _widen(intervals, found, lines, best, ends):
    """Intervals of spreads that Cochran's Q does not tell from zero: the bootstrap of a bounded estimate is too short."""
    usable = lines.widths[:, best] > 0
    basis, spreads = _basis(lines.states[usable, best], ends), found["spread"][0]
    known = (found["fluctuation"][0] @ basis) ** 2 / lines.widths[usable, best]
    paces, names = (lines.slopes[usable, best], known, basis), [f"spread_{where}" for where in _NAMES[-len(ends):]]
    n_free, least = int(usable.sum()) - len(ends), np.array([intervals[name][0] for name in names]) * ends
    many, few = (chi_squared_quantile(level, n_free) for level in (0.975, 0.025))
    few *= min(1.0, _squares(paces, 0.0 * spreads) / n_free)  # where fluctuation explains more than there is
    for k, name in enumerate(names):
        if _largest_spread(paces, spreads, k, many) == 0:
            intervals[name] = 0.0, max(intervals[name][1], _largest_spread(paces, least, k, few) / float(ends[k]))


def _bootstrap(found, lines, starts, ends, rng):
    """Estimates relative to the states, their intervals by name, and the spread of log t_0 as that of "t_0"."""
    drawn, logs = {name: [] for name in found}, []
    for counts in _resamples(len(lines.free), rng):
        picked, start = _best_start(lines, starts, counts)
        logs.append(np.log(start))
        for name, values in _estimate(lines, picked, counts, ends).items():
            drawn[name].append(values)
    student = t_quantile(0.975, len(lines.free) - len(ends))
    estimates, intervals = {}, {"t_0": float(np.concatenate(logs).std())}
    for name, values in found.items():
        reach = student * np.concatenate(drawn[name]).std(axis=0)
        for k, where in enumerate(_NAMES[-len(ends):]):
            low, high = values[0, k] - reach[k], values[0, k] + reach[k]
            estimates[f"{name}_{where}"] = float(values[0, k] / ends[k])
            intervals[f"{name}_{where}"] = float((low if name == "mean" else max(low, 0.0)) / ends[k]), float(high / ends[k])
    if len(starts) == 1:
        del intervals["t_0"]
    return estimates, intervals


def _retention(found, t_0, until, ends, source):
    """The law: constant outside the states measured, but proportional for a law that is."""
    decades, parts = math.log10(until / t_0), {name: values[0] for name, values in found.items()}
    if len(ends) == 1:
        states = np.array([0.0, WIDEST])
        parts = {name: np.array([0.0, values[0] * WIDEST / ends[0]]) for name, values in parts.items()}
    else:
        states = np.array([0.0, *ends])
        parts = {name: values[[0, 0, 1]] for name, values in parts.items()}
    means, spreads = (np.stack([np.zeros(len(states)), parts[name] * decades]) for name in ("mean", "spread"))
    return Retention([t_0, until], states, means, spreads, parts["fluctuation"], source)


def _judge(lines, best, found, ends, data):
    """P-value, and what does not fit: paces that are not normal, or a common course that is no line in log t."""
    t, G, t_0, rng = data
    basis = _basis(lines.states[:, best], ends)
    noise = (found["fluctuation"][0] @ basis) ** 2
    usable = lines.widths[:, best] > 0
    variance = (found["spread"][0] @ basis) ** 2 + noise / np.where(usable, lines.widths[:, best], np.inf)
    paces = ((lines.slopes[:, best] - found["mean"][0] @ basis) / np.sqrt(variance))[usable]
    drawn = straightness(rng.standard_normal((_N_RESAMPLES, len(paces))))
    shape = (1 + (drawn <= straightness(paces)).sum()) / (1 + len(drawn))
    logs = np.maximum(np.log10(t / t_0), 0.0)
    left = G - lines.states[:, best, None] - lines.slopes[:, best, None] * logs
    bend = np.nansum(left * (logs - logs.mean()) ** 2, axis=1) / np.sqrt(noise)
    flips = np.abs((rng.choice([-1.0, 1.0], (_N_RESAMPLES, len(bend))) * bend).mean(axis=1))
    straight = (1 + (flips >= abs(bend.mean())).sum()) / (1 + len(flips)) if bend.any() else 1.0
    goodness = min(1.0, 2 * min(float(shape), float(straight)))
    parts = [f"the paces of the devices are not normal: {describe_shape(paces)}"] if 2 * shape < SUSPICIOUS else []
    if 2 * straight < SUSPICIOUS:
        parts.append("the common course is no straight line in log t")
    return goodness, "; ".join(parts)
