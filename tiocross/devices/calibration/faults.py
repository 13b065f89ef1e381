"""Maps of devices that do not answer to writes, to `StuckDevices` or `LineFailures`: the maps say which of the two.

If devices fail independently, any permutation of the devices of a chip is as likely as the chip itself. The test takes the
sums of squares over lines of (number of failures) and of (sum of log conductance less the chip's mean), for word lines and
for bit lines, each standardised by its 499 permutations, and the largest of the four.

Failed lines are then found one by one: among the lines of which no device answers, the one whose devices are most alike,
without the devices that an earlier line explains.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_number, as_reals, kind_of, require_generator, siemens_cure
from tiocross.devices.calibration.fit import SUSPICIOUS, Fit, describe_shape
from tiocross.devices.device import LineFailures, StuckDevices
from tiocross.intervals import (
    clopper_pearson_interval, normal_intervals, straightness, uniform_goodness, uniform_intervals,
)
from tiocross.units import nS

_N_PERMUTATIONS = 499
_FEWEST_FOR_SHAPE = 10  # values of a law below which its shape is not judged
_OPEN = 1 * nS  # what an open device, read as 0 S, counts as: below what instruments tell from nothing; logarithms need it
_UNLIKE = 0.1  # spread of log conductance within a failed line above which it does not share one conductance, our choice


@dataclass(frozen=True, eq=False)
class _FailedLine:
    is_word_line: bool
    conductance: float  # geometric mean of the devices that no other line explains [S]
    spread: float  # standard deviation of their log conductance


def fit_faults(maps: list[ArrayLike], *, g_min: float, g_max: float, source: str,
               rng: np.random.Generator | None = None) -> Fit:
    """Law of the devices that do not answer: independent, or by whole lines.

    Parameters
    ----------
    maps : list of (n_word_lines, n_bit_lines) array_like
        For each chip the conductance of every device that does not answer, NaN for those that do; a map without NaN is
        that of a dead chip [S].
    g_min, g_max : float
        Ends of the window; its geometric middle divides devices stuck at low resistance from those at high [S].
    source : str
        Where the data come from.
    rng : numpy.random.Generator, optional
        Source of randomness of the permutations. Without it a fixed one, so that the same data give the same fit.

    Returns
    -------
    Fit
        `LineFailures` if the maps are not those of independent devices (p < 0.01) and lines are found of which no device
        answers, else `StuckDevices`. Goodness: of lines, whether their conductances are log-uniform; of independent
        devices, the p-value of the permutation test.

    Raises
    ------
    ValueError
        If a map has not two axes, or a conductance does not lie in [0, 1] S.

    Notes
    -----
    Probabilities have the intervals of Clopper and Pearson, means and spreads those of Student and chi squared, ends of
    uniform laws exact ones. Maps of dead chips alone do not tell how often a chip that works has a fault.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import fit_faults
    >>> state = np.full((8, 8), np.nan)
    >>> state[2, 5] = 600e-6  # one device of 64 is stuck, at low resistance
    >>> fit = fit_faults([state], g_min=100e-6, g_max=500e-6, source="one chip")
    >>> float(fit.value.probability_lrs)
    0.015625
    >>> [round(float(end), 4) for end in fit.intervals["probability_lrs"]]
    [0.0004, 0.084]
    """
    maps = _check(maps)
    g_min, g_max = (as_number(what, g, low=0.0, high=1.0, unit="S") for what, g in (("g_min", g_min), ("g_max", g_max)))
    if not 0 < g_min < g_max:
        raise ValueError(f"g_min must be above zero and below g_max; got {g_min:g} and {g_max:g} S")
    rng = np.random.default_rng(0) if rng is None else rng
    require_generator(rng)
    independence = line_goodness(maps, rng=rng)
    failed, n_left = find_failed_lines(maps) if independence < SUSPICIOUS else ([], 0)
    if failed:
        return _fit_lines(maps, failed, n_left, independence, source)
    return _fit_stuck(maps, g_min, g_max, independence, source, rng)


def line_goodness(maps, *, rng):
    """P-value of the hypothesis that devices fail independently of the lines they are on.

    Share of permutations whose failures gather on lines at least as much as those of the maps.
    """
    sums = np.zeros((4, _N_PERMUTATIONS + 1))
    for state in maps:
        failed, logs = ~np.isnan(state).ravel(), np.log(state).ravel()
        middle = logs[failed].mean() if failed.any() else 0.0
        places = np.tile(np.arange(state.size), (_N_PERMUTATIONS + 1, 1))
        places[1:] = rng.permuted(places[1:], axis=1)
        for k, parts in enumerate((failed.astype(float), np.where(failed, logs - middle, 0.0))):
            drawn = parts[places].reshape(-1, *state.shape)
            sums[2 * k] += np.square(drawn.sum(axis=2)).sum(axis=1)
            sums[2 * k + 1] += np.square(drawn.sum(axis=1)).sum(axis=1)
    spread = sums.std(axis=1, keepdims=True)
    varies = spread > 1e-9 * np.abs(sums).max(axis=1, keepdims=True)
    scores = np.where(varies, (sums - sums.mean(axis=1, keepdims=True)) / np.where(varies, spread, 1.0), 0.0)
    largest = np.round(scores.max(axis=0), 9)  # equal sums count as equal, whatever the order of summation
    return float((largest >= largest[0]).mean())


def find_failed_lines(maps):
    """List of the failed lines of all maps, and the number of failed devices that are on none of them."""
    failed, n_left = [], 0
    for state in maps:
        lines, left = _explain(np.log(state))
        failed += lines
        n_left += left
    return failed, n_left


def _explain(logs):
    """Failed lines of one map, and how many failed devices they leave; a line keeps at least half of its devices."""
    open_devices, found = ~np.isnan(logs), []
    whole = [open_devices.all(axis=1), open_devices.all(axis=0)]
    while True:
        best = None
        for axis in (0, 1):
            rows, waiting = np.moveaxis(logs, axis, 0), np.moveaxis(open_devices, axis, 0)
            for line in np.flatnonzero(whole[axis] & (2 * waiting.sum(axis=1) >= waiting.shape[1])):
                values = rows[line, waiting[line]]
                if best is None or values.std() < best[2].std():
                    best = axis, line, values
        if best is None:
            return found, int(open_devices.sum())
        axis, line, values = best
        found.append(_FailedLine(axis == 0, float(np.exp(values.mean())), float(values.std())))
        np.moveaxis(open_devices, axis, 0)[line] = False
        whole[axis][line] = False


def _fit_lines(maps, failed, n_left, independence, source):
    totals = np.sum([state.shape for state in maps], axis=0)
    counts = [sum(line.is_word_line for line in failed), sum(not line.is_word_line for line in failed)]
    logs = np.log([line.conductance for line in failed])
    estimates, intervals = {}, {}
    for name, n_hits, n_total in zip(("probability_word_line", "probability_bit_line"), counts, totals):
        estimates[name], intervals[name] = n_hits / int(n_total), clopper_pearson_interval(n_hits, int(n_total))
    estimates.update(g_low=float(np.exp(logs.min())), g_high=float(np.exp(logs.max())))
    if len(logs) > 1:
        low, high = uniform_intervals(logs)
        intervals.update(g_low=tuple(map(math.exp, low)), g_high=tuple(map(math.exp, high)))
    goodness = uniform_goodness(logs)
    test = (f"log-uniform conductances of {len(failed)} failed lines (Kolmogorov-Smirnov; for independent devices "
            f"p = {independence:.2g})")
    warning = _line_warning(maps, failed, n_left, goodness)
    value, n_devices = LineFailures(**estimates, source=source), sum(state.size for state in maps)
    return Fit(value, estimates, intervals, n_devices, test, goodness, warning)


def _line_warning(maps, failed, n_left, goodness):
    parts = []
    spread = math.sqrt(np.mean([line.spread**2 for line in failed]))
    if goodness < SUSPICIOUS:
        parts.append("the conductances of failed lines are not log-uniform")
    if spread > _UNLIKE:
        parts.append(f"devices of a failed line differ by a factor of {math.exp(spread):.2g} (one sigma), the model makes "
                     "them equal")
    if n_left:
        parts.append(f"{n_left} devices that do not answer lie on no failed line and are not described")
    if all(not np.isnan(state).any() for state in maps):
        parts.append("no device of any map answers: the probabilities hold for dead chips, and likeness alone says which of "
                     "the two lines at a device failed")
    return "; ".join(parts)


def _fit_stuck(maps, g_min, g_max, independence, source, rng):
    values = np.concatenate([state[~np.isnan(state)] for state in maps])
    n_devices = sum(state.size for state in maps)
    middle = math.sqrt(g_min * g_max)
    lrs, hrs = values[values >= middle], values[values < middle]
    # A law without values never comes into play, its probability is 0; the ends of the window fill the record.
    estimates = {"probability_lrs": len(lrs) / n_devices, "lrs_mean": float(lrs.mean()) if len(lrs) else g_max,
                 "lrs_std": float(lrs.std(ddof=1)) if len(lrs) > 1 else 0.0,
                 "probability_hrs": len(hrs) / n_devices, "hrs_low": float(hrs.min()) if len(hrs) else g_min,
                 "hrs_high": float(hrs.max()) if len(hrs) else g_min}
    intervals = {name: clopper_pearson_interval(len(some), n_devices)
                 for name, some in (("probability_lrs", lrs), ("probability_hrs", hrs))}
    if len(lrs) > 1:
        intervals["lrs_mean"], intervals["lrs_std"] = normal_intervals(lrs)
    if len(hrs) > 1:
        (low, start), intervals["hrs_high"] = uniform_intervals(hrs)
        intervals["hrs_low"] = max(low, 0.0), start
    test = f"independence of devices on a line ({_N_PERMUTATIONS} permutations)"
    warning = _stuck_warning(independence, lrs, hrs, rng)
    return Fit(StuckDevices(**estimates, source=source), estimates, intervals, n_devices, test, independence, warning)


def _stuck_warning(independence, lrs, hrs, rng):
    parts = []
    if independence < SUSPICIOUS:
        parts.append("devices that do not answer gather on lines, though no line fails as a whole")
    if len(lrs) >= _FEWEST_FOR_SHAPE:
        drawn = straightness(rng.standard_normal((_N_PERMUTATIONS, len(lrs))))
        if (1 + (drawn <= straightness(lrs)).sum()) / (1 + len(drawn)) < SUSPICIOUS:
            parts.append("conductances stuck at low resistance are not normal: "
                         + describe_shape((lrs - lrs.mean()) / lrs.std()))
    if uniform_goodness(hrs) < SUSPICIOUS:
        parts.append("conductances stuck at high resistance are not uniform")
    return "; ".join(parts)


def _check(maps):
    if not isinstance(maps, (list, tuple, np.ndarray)):
        raise TypeError(f"maps must be a list with one map for each chip; got {kind_of(maps)}")
    if isinstance(maps, np.ndarray) and maps.ndim == 2:
        maps = [maps]
    checked = []
    for k, state in enumerate(maps):
        state = as_reals(f"map {k}", state)
        if state.ndim != 2 or state.size == 0:
            raise ValueError(f"maps must be arrays of shape (n_word_lines, n_bit_lines); map {k} has shape {state.shape}")
        bad = ~np.isnan(state) & ~((state >= 0) & (state <= 1))
        if bad.any():
            i, j = np.argwhere(bad)[0]
            cure = siemens_cure(state[i, j]) or ". Give 0 for an open device; NaN stands for devices that answer"
            raise ValueError(f"conductances of devices that do not answer must lie in [0, 1] S; got {state[i, j]:g} "
                             f"in map {k} at word line {i}, bit line {j} ({int(bad.sum())} such){cure}.")
        checked.append(np.maximum(state, _OPEN))
    if not checked:
        raise ValueError("maps must hold at least one map; got none")
    return checked
