"""Arrays before and after programming to a `StateDisturb`.

The record is simulated on the very arrays, with the same random numbers at every step of the fit. Changes are grouped by
target and by what is written later on a device's lines; what is made equal is the quantiles of each group, weighted by how
well the arrays tell them. Arrays are resampled as a whole, because devices that share lines are not independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tiocross.checks import as_count, as_finite, require_generator, require_name, require_text
from tiocross.devices.calibration.fit import SUSPICIOUS, Fit
from tiocross.devices.state_disturb import SHARES, StateDisturb, StateDraws, Wiring, disturb_by_state, draw_states
from tiocross.devices.writes import count_later_writes
from tiocross.records import declared, freeze
from tiocross.units import uS

FREE = ("set_spread", "set_scale", "reset_spread", "reset_exponent", "overshoot_set", "overshoot_reset", "drift",
        "drift_spread", "fluctuation")
_LEVELS = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
_N_STEPS = 12
_N_RESAMPLED = 200
_N_COPIES = 8  # simulated for each array
_LEAST_ERROR = 0.5 * uS  # of a quantile: no record is true to better than that
_FEWEST = 10  # arrays, for intervals
_STEP = 0.03  # of derivatives, relative; of the drift in microsiemens
_TEST = "quantiles of the changes (arrays resampled)"


@dataclass(frozen=True, eq=False)
class ArrayRuns:
    """Arrays that were programmed once, device by device: what `fit_state_disturb` takes.

    Parameters
    ----------
    before, after : (n_arrays, n_word_lines, n_bit_lines) array_like
        Conductances before the first write and after the last [S].
    targets : (n_arrays, n_word_lines, n_bit_lines) array_like
        What was wanted, NaN where nothing was written [S].
    stuck : (n_arrays, n_word_lines, n_bit_lines) array_like of bool
        Devices that did not reach their targets; their own changes do not count (unitless).
    scheme : str, optional
        Biasing of the unselected lines: "V/2" or "V/3".
    order : (n_word_lines, n_bit_lines) array_like of int, optional
        Turn of each device; word line by word line without it (unitless).
    """

    before: np.ndarray
    targets: np.ndarray
    after: np.ndarray
    stuck: np.ndarray
    scheme: str = "V/2"
    order: np.ndarray | None = None

    def __post_init__(self):
        require_name("scheme", self.scheme, SHARES)
        for name in ("before", "after"):
            object.__setattr__(self, name, freeze(as_finite(name, getattr(self, name), ndim=3)))
        targets = np.array(self.targets, dtype=np.float64)
        as_finite("targets", np.where(np.isnan(targets), 0.0, targets), ndim=3)
        object.__setattr__(self, "targets", freeze(targets))
        object.__setattr__(self, "stuck", freeze(np.array(self.stuck, dtype=bool)))
        if not self.before.shape == self.after.shape == self.targets.shape == self.stuck.shape:
            raise ValueError(f"before, after, targets and stuck must have one shape; got {self.before.shape}, "
                             f"{self.after.shape}, {self.targets.shape} and {self.stuck.shape}")


def fit_state_disturb(runs: Sequence[ArrayRuns], *, start: StateDisturb, source: str, free: Sequence[str] = FREE,
                      n_copies: int = _N_COPIES, rng: np.random.Generator | None = None) -> Fit:
    """Write disturb by state, from arrays before and after programming.

    Parameters
    ----------
    runs : sequence of ArrayRuns
        Arrays of one kind, ten or more; those of each biasing scheme stand together.
    start : StateDisturb
        Where the fit begins; what is not ``free`` keeps its value.
    source : str
        Where the data come from.
    free : sequence of str, optional
        Names of the parameters to fit.
    n_copies : int, optional
        How often each array is simulated (unitless).
    rng : numpy.random.Generator, optional
        Source of chance of the simulation; a fixed one without it.

    Returns
    -------
    Fit
        A `StateDisturb`, and intervals of the parameters that were free.

    Raises
    ------
    ValueError
        If a parameter is unknown or not positive at the start, there are fewer than ten arrays, or too few changes.

    Notes
    -----
    Least squares of quantiles, by steps of Gauss and Newton. Intervals carry the spread of the quantiles over resampled
    arrays through the last step.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    require_generator(rng)
    require_text("source", source)
    _require(runs, start, free)
    moments = _Moments(runs, start, as_count("n_copies", n_copies), rng)
    point = np.array([0.0 if name == "drift" else np.log(getattr(start, name)) for name in free])
    base = start.drift

    def record(values):
        found = {name: base + value * uS if name == "drift" else float(np.exp(value)) for name, value in zip(free, values)}
        return replace(start, **found, source=source)

    weights = 1.0 / moments.variances
    damping, residuals = 1e-2, moments.measured - moments.of(record(point))
    for _ in range(_N_STEPS):
        slopes = _slopes(lambda values: moments.of(record(values)), point)
        normal = slopes.T @ (slopes * weights[:, None])
        for _ in range(6):
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)) + np.eye(len(point)), slopes.T @ (residuals * weights))
            trial = point + np.clip(step, -0.5, 0.5)
            try:
                left = moments.measured - moments.of(record(trial))
            except ValueError:  # beyond the bounds of the record
                left = np.full(len(residuals), np.inf)
            if (left**2 * weights).sum() < (residuals**2 * weights).sum():
                point, residuals, damping = trial, left, damping / 4
                break
            damping *= 6
        else:
            break
    return _as_fit(record(point), free, point, base, slopes, normal, residuals, weights, moments, source)


def _as_fit(value, free, point, base, slopes, normal, residuals, weights, moments, source):
    solve = np.linalg.solve(normal + 1e-9 * np.diag(np.diag(normal)), (slopes * weights[:, None]).T)
    moved = moments.resampled @ solve.T
    left = moments.resampled - moved @ slopes.T
    goodness = float(np.mean((left**2 * weights).sum(axis=1) >= (residuals**2 * weights).sum()))
    away = 1.96 * moved.std(axis=0)
    estimates = {name: getattr(value, name) for name in free}
    ends = {name: tuple(base + (v + s * a) * uS if name == "drift" else float(np.exp(v + s * a)) for s in (-1, 1))
            for name, v, a in zip(free, point, away)}
    warning = "" if goodness >= SUSPICIOUS else "quantiles differ from the measured ones by more than chance"
    return Fit(value, estimates, ends, moments.n_samples, _TEST, goodness, warning)


def _slopes(of, point):
    columns = []
    for k in range(len(point)):
        moved = [point.copy(), point.copy()]
        moved[0][k] += _STEP
        moved[1][k] -= _STEP
        columns.append((of(moved[0]) - of(moved[1])) / (2 * _STEP))
    return np.stack(columns, axis=1)


def _require(runs, start, free):
    for name in free:
        require_name("parameter", name, declared(start))
        if name != "drift" and not getattr(start, name) > 0:
            raise ValueError(f"{name} must be above zero at the start, or not free; got {getattr(start, name):g}")
    if min((len(run.targets) for run in runs), default=0) < _FEWEST:
        raise ValueError(f"a fit needs runs of {_FEWEST} arrays or more; got {[len(run.targets) for run in runs]}")


class _Moments:
    """Quantiles of the changes in each group of devices, measured and simulated."""

    def __init__(self, runs, start, n_copies, rng):
        self._runs = [_Run(run, start, n_copies, rng) for run in runs]
        self.measured = np.concatenate([run.quantiles(run.measured, run.groups) for run in self._runs])
        if not np.isfinite(self.measured).all():
            raise ValueError("a group of devices is empty: a fit needs targets spread over the window")
        self.resampled = np.concatenate([run.resampled(rng) for run in self._runs], axis=1) - self.measured
        self.variances = (self.resampled**2).mean(axis=0) + _LEAST_ERROR**2
        self.n_samples = sum(int((run.groups >= 0).sum()) for run in self._runs)

    def of(self, law):
        """Those that a record gives."""
        return np.concatenate([run.simulate(law) for run in self._runs])


class _Run:
    """One kind of runs: its groups, and the random numbers that every simulation of it takes."""

    def __init__(self, run, start, n_copies, rng):
        n, *shape = run.targets.shape
        self._n, self._scheme = n, run.scheme
        self._wiring = Wiring.of_array(count_later_writes(tuple(shape), run.order))
        flat = [values.reshape(n, -1) for values in (run.before, run.targets, run.after, run.stuck)]
        before, targets, after, self._stuck = flat
        self._due = ~np.isnan(targets)
        self._targets = np.where(self._due, targets, start.g_off)
        self.measured = after - self._targets
        self.groups = _groups(before, targets, self._stuck, self._wiring, shape)
        self._before = before
        self._many = [np.repeat(values, n_copies, axis=0) for values in (self._due, self._stuck, before, self._targets)]
        self._many_groups = np.repeat(self.groups, n_copies, axis=0)
        draws = draw_states(n * n_copies, targets.shape[1], rng)
        self._draws = StateDraws(draws.traits, draws.walks, draws.levels)

    def simulate(self, law):
        due, stuck, before, targets = self._many
        ages = np.full(due.shape, -1.0)
        constant, factor = disturb_by_state(replace(law, scheme=self._scheme), self._wiring, due, stuck, before, targets,
                                            self._draws, ages)
        return self.quantiles(constant + factor * targets - targets, self._many_groups)

    def quantiles(self, changes, groups):
        return np.concatenate([np.quantile(changes[groups == group], _LEVELS) if (groups == group).any()
                               else np.full(len(_LEVELS), np.nan) for group in range(self.groups.max() + 1)])

    def resampled(self, rng):
        found = []
        for _ in range(_N_RESAMPLED):
            some = rng.integers(self._n, size=self._n)
            found.append(self.quantiles(self.measured[some], self.groups[some]))
        return np.array(found)


def _groups(before, targets, stuck, wiring, shape):
    """Group of each device, -1 for those that do not count: terciles of the target, and of the net way that is written later
    on its lines."""
    ways = np.nan_to_num(targets - before)
    turns = np.empty(len(wiring.sequence), dtype=np.int64)
    turns[wiring.sequence] = np.arange(len(turns))
    later = turns[:, None] < turns[None]
    near = (wiring.word_lines[:, None] == wiring.word_lines) | (wiring.bit_lines[:, None] == wiring.bit_lines)
    net = ways @ (later & near).T
    counts = ~np.isnan(targets) & ~stuck
    groups = np.full(targets.shape, -1)
    first = _terciles(targets, counts)
    for level in range(3):
        here = counts & (first == level)
        groups[here] = 3 * level + _terciles(net, here)[here]
    return np.searchsorted(np.unique(groups[groups >= 0]), groups) - (groups < 0)


def _terciles(values, counts):
    """Tercile of each value among those that count; ties stay together."""
    edges = np.quantile(values[counts], [1 / 3, 2 / 3]) if counts.any() else [0.0, 0.0]
    return np.digitize(values, edges)
