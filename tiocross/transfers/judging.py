"""Thousands of simulated weight transfers: map, program, solve, classify.

Between layers the electronics is taken as ideal: currents are sensed, subtracted in pairs, scaled, passed through the
activation and driven again.
"""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock

import numpy as np

from tiocross.tasks import Dataset
from tiocross.devices.device import Device
from tiocross.checks import as_count, kind_of, require_memory, short_repr
from tiocross.transfers.adaptation import Adaptation
from tiocross.transfers.budget import MEMORY, as_memory, chips_at_once
from tiocross.transfers.chips import Chips
from tiocross.transfers.classifying import classifier_for
from tiocross.transfers.draws import CHIPS_PER_BLOCK
from tiocross.transfers.operation import Operation
from tiocross.transfers.signals import SignalPath, needs_path
from tiocross.transfers.outcomes import Transfer, make_transfer
from tiocross.transfers.stopping import as_until, describe_end, looks_at, robust_share_so_far
from tiocross.transfers.tallies import Counter, Tally, order_of_points
from tiocross.transfers.units import Units
from tiocross.work import Executor, as_executor
from tiocross.intervals import MOST_GROUPS
from tiocross.learning.network import MLP
from tiocross.learning.training import require_matching
from tiocross.mapping.layout import Layout
from tiocross.periphery.electronics import Periphery


def transfer(network: MLP, dataset: Dataset, *, device: Device, layout: Layout | None = None, wire_resistance: float = 0.0,
             adaptation: Adaptation = Adaptation(), n_transfers: int | range = 2_000, rng: np.random.Generator,
             workers: int = 1, executor: Executor | None = None, memory: float = MEMORY, keep_correct: bool = False,
             until: float | None = None, chips: object | None = None, passes: int = 1, after: float = 0.0,
             periphery: Periphery | None = None, on_progress: Callable | None = None) -> Transfer:
    """Put a network on thousands of simulated chips and see which points each gets right.

    Parameters
    ----------
    network : MLP
        The trained network.
    dataset : Dataset
        Test points; nothing of them reaches the weights.
    device : Device
        What programming leaves behind.
    layout : Layout, optional
        Which device of which array carries what; as for `map_weights` without it.
    wire_resistance : float, optional
        Of one wire segment [ohm].
    adaptation : Adaptation, optional
        What is known of each chip and done with it; nothing without it.
    n_transfers : int or range, optional
        Number of chips; or which of the chips of the seed, such as ``range(2000, 4000)``, to share the work among
        computers and `Transfer.merge` what they found (unitless).
    rng : numpy.random.Generator
        Seeds the chips; the same seed gives the same chips for every network of the same layer sizes, whatever the
        wires and whatever is known, and chip 17 is the same for any number of chips and workers.
    workers : int, optional
        Threads; the outcome does not depend on it (unitless).
    executor : Executor, optional
        In place of threads: anything with ``submit`` of `concurrent.futures.Executor`, such as processes or a cluster. The
        outcome does not depend on it.
    memory : float, optional
        How much the work may take, all threads together, or each unit in an executor: it sets how many chips are in work at
        a time. The outcome does not depend on it [bytes].
    keep_correct : bool, optional
        Whether every verdict is kept, a byte for each chip and point, as `Transfer.correct`; else they are only counted.
    until : float, optional
        Half the width of the interval with which the robust share of these points is known well enough; fewer chips are
        judged then, and the notes say how many (unitless).
    chips : SimulatedFab, optional
        Programs every chip pulse by pulse, in place of the statistics of the device's card.
    passes : int, optional
        How often the card's programming goes over an array: from the second pass on it writes what left its tolerance
        again (unitless).
    after : float, optional
        Time since the last write, in which devices relax and lose what they were written to [s].
    periphery : Periphery, optional
        Converters, drivers and sensing between the arrays; ideal without it.
    on_progress : callable, optional
        Called as ``on_progress(n_done, n_transfers)`` from time to time; raise from it to stop.

    Returns
    -------
    Transfer
        How often chips are right, by chip and by point.

    Raises
    ------
    ValueError
        If a dataset does not fit the network, a weight is not finite, the resistance is negative, there are no transfers,
        the adaptation lacks training points or is impossible on the layout, or the memory does not hold one chip.

    Notes
    -----
    Inputs are driven as voltages, the largest encoded magnitude of the dataset (or the bias input of 1, if larger) at
    0.2 V; between layers, where relu knows no largest value, the electronics scales likewise. The circuit is linear, so
    these scales have no effect on the classes.

    With ``until`` the interval is looked at after 1000, 2000, 4000, ... chips. It is over chips alone, which is what more
    chips make narrow, and wide enough for all looks together to hold the truth in 95 % of the runs.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, tasks, transfer
    >>> moons, network = tasks.load_moons(), MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> outcome = transfer(network, moons.test, device=TIO2, n_transfers=100, rng=np.random.default_rng(11))
    >>> outcome.n_transfers, outcome.n_devices
    (100, 66)
    """
    require_matching(network, dataset)
    how = require_judging(dataset, n_transfers=n_transfers, by=who_judges(workers, executor), memory=memory,
                          keep_correct=keep_correct) | {"until": as_until(until)}
    operation = Operation(passes, after, periphery, chips)
    made = Chips(network, device, layout=layout, wire_resistance=wire_resistance, adaptation=adaptation, operation=operation,
                 rng=rng)
    return judge_chips(dataset, made, **how, on_progress=on_progress)


def judge_chips(dataset, chips, *, n_transfers, by=1, memory=MEMORY, keep_correct=False, until=None, on_progress=None):
    """The second half of `transfer`: `Chips` asked for the class of every point, ``by`` a number of threads or an
    `Executor`."""
    numbers, found = chip_numbers(n_transfers, dataset, keep_correct), None
    report = _monotonic(on_progress, len(numbers))
    team = (_Threads if isinstance(by, int) else Units)(by, Judge, (chips, dataset, as_memory(memory), by, keep_correct))
    looks = looks_at(numbers, until)
    for part in looks:
        tallies = team.tallies(part, lambda n_done, n_before=part.start - numbers.start: report(n_before, n_done))
        found = Tally.merged(tallies if found is None else itertools.chain([found], tallies))
        if until is None:
            return make_transfer(found, chips, dataset)
        known = robust_share_so_far(found, len(looks))
        if known.half_width <= until:
            break
    outcome = make_transfer(found, chips, dataset)
    end = describe_end(known, found.n_chips, len(numbers), len(looks))
    return replace(outcome, notes=(*outcome.notes, end))


def tally_chips(chips, dataset, numbers, *, memory=MEMORY, keep_correct=False, on_progress=None):
    """`Tally` of the verdicts on these chips, a range: a piece of work for any computer, within so much memory [bytes].

    `Tally.merged` of the parts of a range is the tally of the whole to the bit, and `make_transfer` the `Transfer` of it."""
    judge = Judge(chips, dataset, memory=as_memory(memory), keep_correct=keep_correct)
    numbers, report = chip_numbers(numbers, dataset, keep_correct), _monotonic(on_progress, len(numbers))
    found = judge.tally(numbers, on_progress=lambda n_done: report(0, n_done))
    report(0, len(numbers))
    return found


class Judge:
    """Asks chips for the class of every point, as many at a time as the memory [bytes] holds: of all threads together, if
    ``by`` is their number."""

    def __init__(self, chips, dataset, memory, by=1, keep_correct=False):
        self._chips, self._labels, self._keeps = chips, dataset.labels, keep_correct
        self._order = order_of_points(chips.entropy, len(dataset))
        points, self._has_path = dataset.points[self._order], needs_path(chips.device, chips.periphery)
        self._classifier = SignalPath(chips, points) if self._has_path else classifier_for(chips.network, points)
        self._at_once = chips_at_once(chips, self._classifier, memory, by if isinstance(by, int) else 1)

    @property
    def grid(self):
        """Chips that are drawn together whoever asks for some of them: ranges that end at its multiples waste nothing."""
        together = len(self._chips.split(range(CHIPS_PER_BLOCK + 1), CHIPS_PER_BLOCK + 1)[0])
        return together if together <= CHIPS_PER_BLOCK else 1

    def parts(self, numbers, n_shares=1):
        """Parts of these chips that fit into memory, one or more for each of so many shares."""
        return self._chips.split(numbers, min(self._at_once, -(-len(numbers) // n_shares)))

    def tally(self, numbers, on_progress=None):
        """`Tally` of these chips; ``on_progress(n_done)`` hears how far it is. Threads may call it side by side."""
        counter = Counter(self._chips.entropy, numbers.start, len(numbers), self._labels, self._chips.network.n_classes)
        correct = np.empty((len(numbers), len(self._labels)), dtype=bool) if self._keeps else None
        for part in self.parts(numbers):
            n_before = part.start - numbers.start
            progress = on_progress and (lambda share, part=part, n=n_before: on_progress(n + share * len(part)))
            classes, cut = self._classify(part, progress)
            counter.count(classes, cut)
            if self._keeps:
                correct[n_before : n_before + len(part), self._order] = classes == self._labels[self._order]
            if on_progress and part.stop < numbers.stop:
                on_progress(n_before + len(part))
        return counter.tally(correct)

    def _classify(self, part, on_progress):
        """Classes that chips give to the points, and how many signals were cut off on the way, or None."""
        if self._has_path:
            return self._classifier.classify(self._chips.to_be_read(part, on_progress=on_progress), part)
        return self._classifier.classify(self._chips.weights(part, on_progress=on_progress)), None


class _Threads:
    """The work of a transfer in threads; as `Units`."""

    def __init__(self, workers, make_judge, what):
        self._workers, self._judge = workers, make_judge(*what)

    def tallies(self, numbers, report):
        """As `Units.tallies`; ``report`` also hears of what is at work."""
        def tally(part):
            return self._judge.tally(part, on_progress=lambda n_done: report(part.start - numbers.start + n_done))

        for found in _in_threads(tally, self._judge.parts(numbers, self._workers), self._workers):
            yield found
            report(found.numbers.stop - numbers.start)


def who_judges(workers, executor):
    """A number of threads, or an `Executor`."""
    if as_executor(executor) is not None and as_count("workers", workers) > 1:
        raise ValueError(f"give workers, threads here, or an executor; got both ({workers} workers)")
    return as_count("workers", workers) if executor is None else executor


def require_judging(dataset, *, n_transfers, by, memory, keep_correct):
    """The arguments, checked before any work."""
    chip_numbers(n_transfers, dataset, keep_correct)
    if not isinstance(keep_correct, bool):
        raise TypeError(f"keep_correct must be True or False; got {kind_of(keep_correct)}")
    return {"n_transfers": n_transfers, "by": by, "memory": as_memory(memory), "keep_correct": keep_correct}


def chip_numbers(n_transfers, dataset, keep_correct=False):
    """Numbers of the chips to judge, a range; ValueError if what is kept of each does not fit into memory."""
    numbers = n_transfers if isinstance(n_transfers, range) else range(as_count("n_transfers", n_transfers))
    n_chips = numbers.stop - numbers.start
    if numbers.step != 1 or n_chips < 1 or numbers.start < 0:
        raise ValueError(f"n_transfers must be a number of chips, or a range of chips that follow each other from 0 or more "
                         f"on, such as range(2000, 4000); got {short_repr(n_transfers)}")
    as_count("the largest of n_transfers", numbers.stop)
    n_bytes = len(dataset) if keep_correct else min(len(dataset), MOST_GROUPS)
    require_memory(f"the verdicts on {len(dataset)} points of {n_chips} chips", n_chips * (n_bytes + 8),
                   "give a smaller n_transfers: 2000 chips tell an accuracy to a fraction of a percent")
    return numbers


def _monotonic(on_progress, total):
    """``report(first, n_more)`` that calls ``on_progress(n_done, total)`` with whole numbers that never fall."""
    if on_progress is None:
        return lambda first, n_more: None
    most, lock = 0, Lock()

    def report(first, n_more):
        nonlocal most
        with lock:
            most = max(most, int(first + n_more))
            on_progress(most, total)

    return report


def compile_kernels():
    """Compile, or load from the cache, everything that `transfer` needs, so that its first call does not take seconds."""
    rng = np.random.default_rng(0)
    network = MLP(1, 1, rng=rng)
    device = Device(g_min=1e-4, g_max=5e-4)
    transfer(network, Dataset([[0.0], [1.0]], [0, 1]), device=device, wire_resistance=1.0, n_transfers=1, rng=rng)


def _in_threads(function, arguments, workers):
    """Results in order; when the consumer stops early, what has not begun is dropped."""
    if workers == 1:
        yield from map(function, arguments)
        return
    executor = ThreadPoolExecutor(workers, thread_name_prefix="tiocross")
    try:
        yield from executor.map(function, arguments)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
