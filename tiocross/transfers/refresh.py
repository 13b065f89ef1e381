"""How long a chip works well enough before it must be programmed again."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from tiocross.checks import as_number
from tiocross.devices.device import Device, require_device
from tiocross.devices.retention import retention_notes
from tiocross.intervals import ROUNDING, Groups
from tiocross.learning.network import MLP
from tiocross.learning.training import require_matching
from tiocross.mapping.layout import Layout
from tiocross.tasks import Dataset
from tiocross.transfers.adaptation import Adaptation
from tiocross.transfers.budget import MEMORY
from tiocross.transfers.chips import Chips
from tiocross.transfers.judging import judge_chips, require_judging, who_judges
from tiocross.transfers.summary import Estimate

_N_TIMES, _N_HALVINGS = 10, 4
_BEYOND = 100.0  # times the measured time up to which is looked
_DAY = 86_400.0  # s
_UNITS = ((365.25 * _DAY, "years"), (_DAY, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (0.0, "us"))


@dataclass(frozen=True)
class RefreshSchedule:
    """How often a chip must be programmed again for a wanted share of points to stay robust; print it.

    Parameters
    ----------
    robust : float
        Wanted share of the points that are right on at least 95 % of the chips (unitless).
    longest : Estimate
        The longest time between refreshes, with its 95 % interval over chips: 0 where the share is not reached even just
        after programming, infinite where it is kept until the last of the times [s].
    times : tuple of float
        Times since the last write that were looked at, 0 the first [s].
    shares : tuple of Estimate
        Share of robust points at each, with its 95 % interval over chips alone.
    n_devices : int
        Devices that a refresh programs (unitless).
    until : float
        End of the times at which retention was measured [s].
    notes : tuple of str
        What was extrapolated.
    """

    robust: float
    longest: Estimate
    times: tuple
    shares: tuple
    n_devices: int
    until: float
    notes: tuple = ()

    def to_dict(self) -> dict:
        """The figures as plain numbers and lists; times in seconds."""
        return {**asdict(self), "times": list(self.times), "shares": [asdict(share) for share in self.shares],
                "notes": list(self.notes)}

    def __str__(self):
        rows = [f"  {_time(time) if time else 'fresh':>10}  {share}{'  extrapolated' if time > self.until else ''}"
                for time, share in zip(self.times, self.shares)]
        return "\n".join([self.verdict, "  after       right on >= 95 % of chips, 95 % interval over chips", *rows,
                          *(f"  {note}" for note in self.notes)])

    @property
    def verdict(self) -> str:
        """The answer in a sentence."""
        wanted, value = f"{self.robust:.3f} of the points right on >= 95 % of the chips", self.longest.value
        if value == 0:
            return (f"no refresh keeps {wanted}: just after programming it is {self.shares[0]}; train against what writes "
                    "leave behind, or want less")
        if math.isinf(value):
            return f"{wanted}: kept for {_time(self.times[-1])}, the longest time looked at; at its end {self.shares[-1]}"
        ends = [_time(end) if math.isfinite(end) else f"more than {_time(self.times[-1])}"
                for end in (self.longest.low, self.longest.high)]
        return (f"{wanted}: program all {self.n_devices} devices again every {_time(value)} [{ends[0]}, {ends[1]}] or "
                f"sooner, {_DAY / value:.3g} times a day; each time the chip is as fresh, {self.shares[0].value:.3f}")


def refresh_schedule(network: MLP, dataset: Dataset, *, device: Device, robust: float = 0.9, latest: float | None = None,
                     layout: Layout | None = None, wire_resistance: float = 0.0, adaptation: Adaptation = Adaptation(),
                     n_transfers: int = 2_000, rng: np.random.Generator, workers: int = 1, memory: float = MEMORY,
                     on_progress: Callable | None = None) -> RefreshSchedule:
    """The longest time between refreshes at which a wanted share of the points stays robust.

    Parameters
    ----------
    network : MLP
        The trained network.
    dataset : Dataset
        Test points.
    device : Device
        What programming leaves behind, and what time does to it.
    robust : float, optional
        Wanted share of the points that are right on at least 95 % of the chips (unitless).
    latest : float, optional
        The longest time to look at; a hundred times the measured ones without it [s].
    layout : Layout, optional
        As for `transfer`.
    wire_resistance : float, optional
        Of one wire segment [ohm].
    adaptation : Adaptation, optional
        What is known of each chip when it is programmed.
    n_transfers : int, optional
        Number of chips (unitless).
    rng : numpy.random.Generator
        Seeds the chips, which are the same at all times.
    workers : int, optional
        Threads; the outcome does not depend on it (unitless).
    memory : float, optional
        How much the work may take [bytes].
    on_progress : callable, optional
        Called as ``on_progress(n_done, n_times)``; raise from it to stop.

    Returns
    -------
    RefreshSchedule
        The time with its interval, and the shares at the times looked at.

    Raises
    ------
    ValueError
        If the device has no retention, ``robust`` is no share, or ``latest`` comes before devices begin to change; else as
        `transfer`.

    Notes
    -----
    A refresh programs the whole chip again: what a write leaves behind is drawn anew, stuck devices stay, and the time
    begins at zero. The share is that of the last moment before a refresh. The same chips are looked at at ten times, equal
    steps of log t apart, and at four more that halve the step in which the share is lost; between two times it is a line
    in log t. The interval resamples chips, all times alike, for these points.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2_RETENTION, refresh_schedule, tasks
    >>> moons, network = tasks.load_moons(), MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> found = refresh_schedule(network, moons.test, device=TIO2_RETENTION, robust=0.9, n_transfers=100,
    ...                          rng=np.random.default_rng(11))
    >>> found.longest.value  # an untrained network
    0.0
    """
    require_matching(network, dataset)
    how = require_judging(dataset, n_transfers=n_transfers, by=who_judges(workers, None), memory=memory, keep_correct=False)
    robust = as_number("robust", robust, low=0.0, high=1.0)
    chips = Chips(network, device, layout=layout, wire_resistance=wire_resistance, adaptation=adaptation, rng=rng)
    times = _times(device, latest)
    first = float(device.retention.times[0])
    course = _Course(robust, first, lambda after: judge_chips(dataset, chips.with_after(after), **how))
    for time in course.planned([0.0, *times]):
        course.look(time)
        if on_progress is not None:
            on_progress(len(course.found), _N_TIMES + _N_HALVINGS + 1)
    notes = dict.fromkeys(note for time in course.times for note in course.found[time].notes if "retention" not in note)
    longest = course.longest()
    reached = longest.high if math.isfinite(longest.high) else course.times[-1]
    return RefreshSchedule(robust, longest, course.times, tuple(course.shares()), chips.targets.n_devices,
                           device.retention.until, (*notes, *retention_notes(device, reached)))


def _times(device, latest):
    """Times to look at first [s]."""
    require_device(device)
    if device.retention is None:
        raise ValueError(f"a refresh schedule needs a device with retention, which {device.name!r} lacks: give "
                         "TIO2_RETENTION, RRAM_B or RRAM_C; or dataclasses.replace(device, retention=...), with a "
                         "Retention or fit_retention(...).value")
    first, until = float(device.retention.times[0]), device.retention.until
    latest = _BEYOND * until if latest is None else as_number("latest", latest, low=0.0, unit="s")
    if latest <= first:
        raise ValueError(f"latest must be later than {first:.3g} s, until which these devices do not change; got "
                         f"{latest:g} s")
    return np.geomspace(first, latest, _N_TIMES + 1)[1:].tolist()


class _Course:
    """Transfers of the same chips at several times; ``judge(after)`` gives one; until ``first`` [s] nothing changes."""

    def __init__(self, robust, first, judge):
        self._robust, self._first, self._judge, self.found = robust, first, judge, {}

    @property
    def times(self):
        """All times looked at, in order [s]."""
        return tuple(sorted(self.found))

    def look(self, time):
        """Judge the chips at a time."""
        self.found[time] = self._judge(time)

    def planned(self, times):
        """Times to look at: these until the share is lost at two of them, then some that halve the step in which it is."""
        for time in times:
            yield time
            if sum(share < self._robust for share in self._values()) > 1:
                break
        for _ in range(_N_HALVINGS):
            lost = next((k for k, share in enumerate(self._values()) if share < self._robust), 0)
            if lost:
                yield math.sqrt(max(self.times[lost - 1], self._first) * self.times[lost])

    def _values(self):
        return [_share(self.found[time].rates) for time in self.times]

    def resampled(self):
        """(n_replicates, n_times) shares on resampled chips, the same at all times, less their bias."""
        outcomes = [self.found[time] for time in self.times]
        groups = Groups(outcomes[0].n_transfers, np.random.default_rng(outcomes[0].chips[0].seed))
        shares = np.stack([_share(groups.mean(outcome.sums.by_chips.astype(np.float32))) for outcome in outcomes], axis=1)
        return shares - shares.mean(axis=0) + self._values()

    def shares(self):
        """`Estimate` at each time."""
        for outcome, drawn in zip((self.found[time] for time in self.times), self.resampled().T):
            value = float(_share(outcome.rates))
            low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
            yield Estimate(value, min(max(low, 0.0), value), max(min(high, 1.0), value))

    def longest(self):
        """`Estimate` of the time at which the share is lost [s]."""
        value = self._lost_at(np.array(self._values()))
        drawn = np.sort([self._lost_at(shares) for shares in self.resampled()])
        low, high = (float(drawn[int(round(level * (len(drawn) - 1)))]) for level in (0.025, 0.975))
        return Estimate(value, min(low, value), max(high, value))

    def _lost_at(self, shares):
        """Time at which these shares, one at each of the times, fall below the wanted one [s]."""
        lost = np.flatnonzero(shares < self._robust)
        if not len(lost):
            return math.inf
        k = int(lost[0])
        if k == 0:
            return 0.0
        part, before = (shares[k - 1] - self._robust) / (shares[k - 1] - shares[k]), max(self.times[k - 1], self._first)
        return float(before * (self.times[k] / before) ** part)


def _share(rates):
    """Share of points that are right on at least 95 % of the chips, on the last axis."""
    return (rates >= 0.95 - ROUNDING).mean(axis=-1)


def _time(seconds):
    """A time for people."""
    scale, unit = next((scale, unit) for scale, unit in _UNITS if seconds >= scale)
    return f"{seconds / (scale or 1e-6):.3g} {unit}"
