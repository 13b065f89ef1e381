"""Thousands of simulated weight transfers: map, program, solve, classify.

Between layers the electronics is taken as ideal: currents are sensed, subtracted in pairs, scaled, passed through the
activation and driven again.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np

from tiocross.tasks import Dataset
from tiocross.devices.device import Device
from tiocross.checks import as_count, require_memory
from tiocross.transfers.adaptation import Adaptation
from tiocross.transfers.chips import CHIPS_PER_BLOCK, Chips
from tiocross.transfers.inference import PointClassifier
from tiocross.transfers.outcomes import ChipRange, Transfer
from tiocross.learning.network import MLP
from tiocross.learning.training import require_matching
from tiocross.mapping.layout import Layout

READ_VOLTAGE = 0.2  # [V] largest magnitude on a word line; the read voltage of the measured arrays


def transfer(network: MLP, dataset: Dataset, *, device: Device, layout: Layout | None = None, wire_resistance: float = 0.0,
             adaptation: Adaptation = Adaptation(), n_transfers: int | range = 2_000, rng: np.random.Generator,
             workers: int = 1, on_progress: Callable | None = None) -> Transfer:
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
    require_matching(network, dataset)
    chip_numbers(n_transfers, dataset)
    as_count("workers", workers)
    chips = Chips(network, device, layout=layout, wire_resistance=wire_resistance, adaptation=adaptation, rng=rng)
    return judge_chips(dataset, chips, n_transfers=n_transfers, workers=workers, on_progress=on_progress)


def judge_chips(dataset, chips, *, n_transfers, workers=1, on_progress=None):
    """The second half of `transfer`: `Chips` asked for the class of every point."""
    network, numbers = chips.network, chip_numbers(n_transfers, dataset)
    classifier = PointClassifier(network, dataset.points)
    correct = np.empty((len(numbers), len(dataset)), dtype=bool)
    labels = dataset.labels.astype(np.uint8)
    report = _monotonic(on_progress, len(numbers))

    def judge(block):
        start = max(numbers.start, block * CHIPS_PER_BLOCK)
        stop = min(numbers.stop, (block + 1) * CHIPS_PER_BLOCK)
        skipped, here = start - block * CHIPS_PER_BLOCK, slice(start - numbers.start, stop - numbers.start)
        weights = chips.block(block, stop - block * CHIPS_PER_BLOCK,
                              on_progress=lambda share: report(here.start, share * (stop - start)))
        classes = classifier.classify([array[skipped:] for array in weights])
        right = np.equal(classes, labels, out=correct[here])
        # Here, while they are in the cache.
        return here.stop, right.mean(axis=1), right.sum(axis=0), _count_answers(classes, labels, network.n_classes)

    blocks = range(numbers.start // CHIPS_PER_BLOCK, -(-numbers.stop // CHIPS_PER_BLOCK))
    accuracies, counts, confusion = [], 0, 0
    for stop, block_accuracies, block_counts, answers in _in_threads(judge, blocks, workers):
        accuracies.append(block_accuracies)
        counts, confusion = counts + block_counts, confusion + answers
        report(stop, 0.0)
    return Transfer(correct=correct, accuracies=np.concatenate(accuracies), rates=counts / len(numbers),
                    confusion=confusion, nominally_correct=network.predict(dataset.points) == dataset.labels,
                    n_devices=chips.targets.n_devices, wire_resistance=chips.wire_resistance,
                    volts_per_input=READ_VOLTAGE / max(1.0, float(np.abs(network.encode(dataset.points)).max())),
                    chips=(ChipRange(chips.entropy, numbers.start, len(numbers)),), notes=tuple(chips.notes))


def chip_numbers(n_transfers, dataset):
    """Numbers of the chips to judge, a range; ValueError if the verdicts, one byte each, do not fit into memory."""
    numbers = n_transfers if isinstance(n_transfers, range) else range(as_count("n_transfers", n_transfers))
    if numbers.step != 1 or len(numbers) == 0 or numbers.start < 0:
        raise ValueError(f"n_transfers must be a number of chips, or a range of chips that follow each other from 0 or more "
                         f"on, such as range(2000, 4000); got {n_transfers}")
    require_memory(f"the verdicts on {len(dataset)} points of {len(numbers)} chips", len(numbers) * (len(dataset) + 8),
                   "give a smaller n_transfers: 2000 chips tell an accuracy to a fraction of a percent")
    return numbers


def _count_answers(classes, labels, n_classes):
    """(n_classes, n_classes) how often points of each class, in rows, were given each class."""
    given = np.stack([(classes == name).sum(axis=0) for name in range(n_classes)], axis=1)
    return np.stack([given[labels == name].sum(axis=0) for name in range(n_classes)])


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
