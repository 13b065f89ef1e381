"""Thousands of simulated weight transfers: map, program, solve, classify.

Between layers the electronics is taken as ideal: currents are sensed, subtracted in pairs, scaled, passed through the
activation and driven again.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from tiocross.tasks import Dataset
from tiocross.devices.device import Device
from tiocross.checks import as_count
from tiocross.transfers.adaptation import Adaptation
from tiocross.transfers.chips import CHIPS_PER_BLOCK, Chips
from tiocross.transfers.inference import PointClassifier
from tiocross.transfers.summary import Summary, summarise
from tiocross.learning.network import MLP
from tiocross.learning.training import require_matching
from tiocross.mapping.layout import Layout

READ_VOLTAGE = 0.2  # [V] largest magnitude on a word line; the read voltage of the measured arrays


@dataclass(frozen=True, eq=False)
class Transfer:
    """Outcome of transferring one network to many simulated chips.

    Parameters
    ----------
    correct : (n_transfers, n_points) bool ndarray
        Whether each chip is right at each point (unitless).
    accuracies : (n_transfers,) ndarray
        Accuracy of each chip (unitless).
    rates : (n_points,) ndarray
        Fraction of chips on which each point is right (unitless).
    nominally_correct : (n_points,) bool ndarray
        Whether the network is right in software (unitless).
    n_devices : int
        Devices on a chip, all layers together (unitless).
    wire_resistance : float
        Of one wire segment [ohm].
    volts_per_input : float
        Voltage that stands for an encoded input of 1, and for the bias, on the first layer [V].
    summary_seed : int
        Seeds the resampling of `summary` (unitless).
    """

    correct: np.ndarray
    accuracies: np.ndarray
    rates: np.ndarray
    nominally_correct: np.ndarray
    n_devices: int
    wire_resistance: float
    volts_per_input: float
    summary_seed: int

    @property
    def n_transfers(self) -> int:
        """Number of chips (unitless)."""
        return len(self.correct)

    @property
    def nominal_accuracy(self) -> float:
        """Share of points right in software (unitless)."""
        return float(self.nominally_correct.mean())

    def summary(self) -> Summary:
        """The figures with their 95 % intervals, a `Summary`; the same every time."""
        return summarise(self.correct, self.nominally_correct, rng=np.random.default_rng(self.summary_seed))


def transfer(network: MLP, dataset: Dataset, *, device: Device, layout: Layout | None = None, wire_resistance: float = 0.0,
             adaptation: Adaptation = Adaptation(), n_transfers: int = 2_000, rng: np.random.Generator, workers: int = 1,
             on_progress: Callable | None = None) -> Transfer:
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
    n_transfers : int, optional
        Number of chips (unitless).
    rng : numpy.random.Generator
        Seeds the chips; the same seed gives the same chips for every network of the same layer sizes, whatever the
        wires and whatever is known, and chip 17 is the same for any number of chips and workers.
    workers : int, optional
        Threads; the outcome does not depend on it (unitless).
    on_progress : callable, optional
        Called as ``on_progress(n_done, n_transfers)`` from time to time; raise from it to stop.

    Returns
    -------
    Transfer
        Which chip is right at which point.

    Raises
    ------
    ValueError
        If a dataset does not fit the network, a weight is not finite, the resistance is negative, there are no transfers,
        or the adaptation lacks training points or is impossible on the layout.

    Notes
    -----
    Inputs are driven as voltages, the largest encoded magnitude of the dataset (or the bias input of 1, if larger) at
    0.2 V; between layers, where relu knows no largest value, the electronics scales likewise. The circuit is linear, so
    these scales have no effect on the classes.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, tasks, transfer
    >>> moons, network = tasks.load_moons(), MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> outcome = transfer(network, moons.test, device=TIO2, n_transfers=100, rng=np.random.default_rng(11))
    >>> outcome.n_transfers, outcome.n_devices
    (100, 66)
    """
    n_transfers = as_count("n_transfers", n_transfers)
    as_count("workers", workers)
    require_matching(network, dataset)
    chips = Chips(network, device, layout=layout, wire_resistance=wire_resistance, adaptation=adaptation, rng=rng)
    return judge_chips(dataset, chips, n_transfers=n_transfers, workers=workers, on_progress=on_progress)


def judge_chips(dataset, chips, *, n_transfers, workers=1, on_progress=None):
    """The second half of `transfer`: `Chips` asked for the class of every point."""
    network = chips.network
    classifier = PointClassifier(network, dataset.points)
    correct = np.empty((n_transfers, len(dataset)), dtype=bool)
    labels = dataset.labels.astype(np.uint8)

    def judge(start):
        stop = min(start + CHIPS_PER_BLOCK, n_transfers)
        classes = classifier.classify(chips.block(start // CHIPS_PER_BLOCK, stop - start))
        right = np.equal(classes, labels, out=correct[start:stop])
        return stop, right.mean(axis=1), right.sum(axis=0)  # here, while they are in the cache

    accuracies, counts = [], 0
    for stop, block_accuracies, block_counts in _in_threads(judge, range(0, n_transfers, CHIPS_PER_BLOCK), workers):
        accuracies.append(block_accuracies)
        counts = counts + block_counts
        if on_progress is not None:
            on_progress(stop, n_transfers)
    return Transfer(correct=correct, accuracies=np.concatenate(accuracies), rates=counts / n_transfers,
                    nominally_correct=network.predict(dataset.points) == dataset.labels,
                    n_devices=chips.targets.n_devices, wire_resistance=chips.wire_resistance,
                    volts_per_input=READ_VOLTAGE / max(1.0, float(np.abs(network.encode(dataset.points)).max())),
                    summary_seed=chips.entropy)


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
