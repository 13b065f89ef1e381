"""How well a network will work on the chip at hand: planned around its stuck devices, or programmed and read back."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from tiocross.checks import as_number, kind_of, require_generator
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.matrices import transfer_matrix
from tiocross.devices.retention import retention_notes
from tiocross.devices.rewriting import Passes
from tiocross.devices.writes import disturb_notes
from tiocross.intervals import wilson_interval
from tiocross.lab.plans import Plan
from tiocross.learning.network import MLP, Network, classify
from tiocross.learning.steps import run_steps
from tiocross.learning.training import require_matching
from tiocross.mapping.layout import lines_that_count
from tiocross.tasks import Dataset
from tiocross.transfers.ageing import AGED, age_layers, require_ageing
from tiocross.transfers.budget import DRAWN, KNOWN, MEMORY, WIRED
from tiocross.transfers.chips import Programmed
from tiocross.transfers.conducting import conduct
from tiocross.transfers.draws import draws_for, write_targets
from tiocross.transfers.judging import judge_chips, require_judging, who_judges
from tiocross.transfers.outcomes import Transfer
from tiocross.transfers.on_table import goes_through, predict_through
from tiocross.transfers.operation import Operation
from tiocross.transfers.passing import STATE, Passing
from tiocross.transfers.signals import require_path
from tiocross.transfers.summary import Estimate
from tiocross.periphery.electronics import Periphery, require_periphery
from tiocross.records import short_text


def judge_plan(plan: Plan, network: MLP, dataset: Dataset, *, map_known: bool = True, wire_resistance: float = 0.0,
               n_transfers: int | range = 2_000, rng: np.random.Generator, workers: int = 1, memory: float = MEMORY,
               keep_correct: bool = False, passes: int | Passes = 1, after: float = 0.0, periphery: Periphery | None = None,
               on_progress: Callable | None = None) -> Transfer:
    """Put a planned network on its chip thousands of times, and see which points it gets right each time.

    Parameters
    ----------
    plan : Plan
        The plan: its targets, order and stuck devices, and what a write leaves behind on its device.
    network : MLP
        The network that was planned.
    dataset : Dataset
        Test points; nothing of them reaches the weights.
    map_known : bool, optional
        Whether all devices that the plan does not know as stuck answer. With False further ones may be stuck, and lines
        may fail, as often as the plan's device says.
    wire_resistance : float, optional
        Of one wire segment [ohm].
    after : float, optional
        Time since the last write, in which devices relax and lose what they were written to [s].
    n_transfers : int or range, optional
        How often the chip is programmed; or which of these times, see `transfer` (unitless).
    rng : numpy.random.Generator
        Seeds the writes.
    workers : int, optional
        Threads; the outcome does not depend on it (unitless).
    memory : float, optional
        How much the work may take; the outcome does not depend on it [bytes].
    keep_correct : bool, optional
        Whether every verdict is kept, see `transfer`.
    passes : int or Passes, optional
        How often programming goes over the chip, see `transfer` (unitless).
    periphery : Periphery, optional
        Converters, drivers and sensing between the arrays, see `transfer`; ideal without it. Gains and offsets of its lines
        are drawn anew each time.
    on_progress : callable, optional
        Called as ``on_progress(n_done, n_transfers)`` from time to time; raise from it to stop.

    Returns
    -------
    Transfer
        How often the chip is right, by time and by point.

    Raises
    ------
    ValueError
        If the plan is for another network, the dataset does not fit, the resistance is negative, or time should pass for
        a device without retention.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, judge_plan, plan, tasks
    >>> from tiocross.units import uS
    >>> moons, network = tasks.load_moons(), MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> stuck = np.full((8, 8), np.nan)
    >>> stuck[2, 3] = 30 * uS  # as measured on the chip at hand
    >>> made = plan(network, TIO2, stuck=[stuck, *[np.full((8, 8), np.nan)] * 3], points=moons.train.points)
    >>> judge_plan(made, network, moons.test, n_transfers=100, rng=np.random.default_rng(1)).n_transfers
    100
    """
    _require_plan(plan, network)
    require_matching(network, dataset)
    require_generator(rng)
    how = require_judging(dataset, n_transfers=n_transfers, by=who_judges(workers, None), memory=memory,
                          keep_correct=keep_correct)
    if not isinstance(map_known, bool):
        raise TypeError(f"map_known must be True or False; got {map_known!r}")
    device = plan.device.without("stuck", "lines") if map_known else plan.device
    operation = Operation(passes, after, periphery)
    chips = _PlannedChips(plan, network, device, wire_resistance, rng, operation)
    return judge_chips(dataset, chips, **how, on_progress=on_progress)


class _PlannedChips:
    """One chip, programmed as planned again and again; what `judge_chips` needs of `Chips`."""

    def __init__(self, plan, network, device, wire_resistance, rng, operation):
        self.network, self.layout, self.device, self.operation = network, plan.layout, device, operation
        self.wire_resistance = as_number("wire_resistance", wire_resistance, low=0.0, unit="ohm")
        self.periphery, self.after = operation.periphery or Periphery(), operation.after
        require_path(device, self.periphery, self.layout)
        require_ageing(device, plan.layout.mapping, self.after)
        self.targets = plan.targets_of(network)
        self._stuck = plan.layout.collect(plan.stuck)
        self._later = plan.layout.later_writes(plan.orders)
        self.entropy = int(rng.integers(2**63))
        self._draws = draws_for(device, plan.layout, self._later, self.entropy)
        self._passing = Passing(device, plan.layout, self._later, self._draws, operation.passes)

    @property
    def notes(self):
        """As `Chips.notes`."""
        return [*disturb_notes(self.device, max(int(later.max()) for later in self._later)),
                *retention_notes(self.device, self.after)]

    @property
    def bytes_per_device(self):
        """As `Chips.bytes_per_device`."""
        return (DRAWN + KNOWN + (WIRED if self.wire_resistance > 0 else 0) + (STATE if self._passing.is_on else 0)
                + (AGED if self.after > 0 else 0))

    @property
    def block_bytes(self):
        """As `Chips.block_bytes`."""
        return self._draws.block_bytes

    def split(self, numbers, most):
        """As `Chips.split`."""
        return self._draws.split(numbers, most)

    def pop_figures(self, numbers):
        """As `Chips.pop_figures`."""

    def weights(self, numbers, *, on_progress=None):
        """As `Chips.weights`, of chips of one part."""
        made = self.to_be_read(numbers)
        return self.targets.weights(conduct(made.conductances, made.layouts, self.wire_resistance))

    def to_be_read(self, numbers, *, on_progress=None):
        """As `Chips.to_be_read`."""
        drawn, floor = self._draws.writes(numbers), self.layout.mapping.is_physical
        for writes, stuck in zip(drawn, self._stuck):
            writes.fix_devices(stuck)
        if self._passing.is_on:
            states = self._passing.program(list(self.targets), drawn, numbers, known=self._stuck, floor=floor)
        else:
            states = [write_targets(target, writes, floor=floor) for target, writes in zip(self.targets, drawn)]
        held = [writes.stuck for writes in drawn]
        if self.after > 0:
            states = age_layers(states, held, self._draws, numbers, self.device, self.after)
        return Programmed(states, list(self.targets.layers), [self.layout] * len(numbers), held)


@dataclass(frozen=True, eq=False)
class ReadbackAccuracy:
    """How well a network works on a chip that was read back; print it.

    Parameters
    ----------
    accuracy : Estimate
        Share of the points that the chip gets right, with its 95 % Wilson interval.
    nominal_accuracy : Estimate
        Share in software.
    confusion : (n_classes, n_classes) int ndarray
        How many points of class i the chip gives class j (unitless).
    same_class : float
        Share of the points to which chip and software give one class (unitless).
    """

    accuracy: Estimate
    nominal_accuracy: Estimate
    confusion: np.ndarray
    same_class: float

    def __repr__(self):
        return short_text(self)

    def to_dict(self) -> dict:
        """The figures as plain numbers and lists (unitless)."""
        return {**asdict(self), "confusion": self.confusion.tolist()}

    def __str__(self):
        names = range(len(self.confusion))
        rows = [f"{label!s:>10} " + "".join(f"{count:>9}" for count in row) for label, row in zip(names, self.confusion)]
        return "\n".join([
            f"{self.confusion.sum()} points on the chip as read back; 95 % intervals in brackets",
            f"  accuracy on the chip   {self.accuracy}",
            f"  accuracy in software   {self.nominal_accuracy}",
            f"  same class             {self.same_class:.3f}",
            "  points of class (rows) that were given class (columns):",
            f"{'':>11}" + "".join(f"{name:>9}" for name in names), *rows])


def judge_readback(plan: Plan, network: MLP, readbacks: list, dataset: Dataset, *,
                   wire_resistance: float = 0.0, periphery: Periphery | None = None,
                   rng: np.random.Generator | None = None) -> ReadbackAccuracy:
    """How well a planned network works on its chip as that was read back.

    Parameters
    ----------
    plan : Plan
        The plan that was programmed.
    network : MLP
        The network that was planned.
    readbacks : list of (n_word_lines, n_bit_lines) array_like
        Conductances of each of the plan's arrays, as `load_readback` gives them; where a device is not in use NaN stands
        for open [S].
    dataset : Dataset
        Test points.
    wire_resistance : float, optional
        Of one wire segment [ohm].
    periphery : Periphery, optional
        Converters, drivers and sensing between the arrays; ideal without it.
    rng : numpy.random.Generator, optional
        Source of chance, needed where lines of the periphery differ or readings are noisy.

    Returns
    -------
    ReadbackAccuracy
        Accuracy with its interval over points, beside that in software, and the answers by class.

    Raises
    ------
    ValueError
        If the plan is for another network, the dataset does not fit, or a read-back has another shape or is no
        conductance where a device is in use.

    Notes
    -----
    Readings are taken as true: their noise, and what happens to the chip after them, is not in the interval.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, judge_readback, plan, tasks
    >>> moons, network = tasks.load_moons(), MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> made = plan(network, TIO2)
    >>> judge_readback(made, network, made.expected, moons.test).same_class
    1.0
    """
    _require_plan(plan, network)
    require_matching(network, dataset)
    resistance = as_number("wire_resistance", wire_resistance, low=0.0, unit="ohm")
    require_periphery(periphery)
    plan.weights(readbacks)  # checks them
    if goes_through(periphery, plan.device):
        crossbars = [Crossbar(np.nan_to_num(np.asarray(read, dtype=np.float64))[None], resistance) for read in readbacks]
        logits = predict_through(network, plan.targets_of(network), crossbars, dataset.points, plan.device, periphery, rng)
        return _accuracy(network, dataset, classify(logits[0]))
    matrices = readbacks if resistance == 0 else [
        _matrix(np.asarray(read, dtype=np.float64), used, resistance) for read, used in zip(readbacks, plan.layout.used)]
    given = classify(run_steps(network.steps, plan.weights(matrices), network.encode(dataset.points)))
    return _accuracy(network, dataset, given)


def _accuracy(network, dataset, given):
    """`ReadbackAccuracy` of a chip that gives the points these classes."""
    nominal = network.predict(dataset.points)
    confusion = np.zeros((network.n_classes, network.n_classes), dtype=np.int64)
    np.add.at(confusion, (dataset.labels, given), 1)
    return ReadbackAccuracy(_share(given == dataset.labels), _share(nominal == dataset.labels), confusion,
                            float((given == nominal).mean()))


def _matrix(conductances, used, resistance):
    """Transfer matrix of one array [S]; devices that are not in use and were not read are open."""
    matrix = np.zeros(conductances.shape)
    here = lines_that_count(used | (np.nan_to_num(conductances) > 0))
    matrix[here] = transfer_matrix(Crossbar(np.nan_to_num(conductances[here]), resistance))
    return matrix


def _share(right):
    return Estimate(float(right.mean()), *wilson_interval(int(right.sum()), len(right)))


def _require_plan(plan, network):
    if not isinstance(plan, Plan):
        raise TypeError(f"plan must be a Plan, such as plan(network, device) gives; got {kind_of(plan)}")
    if not isinstance(network, Network):
        raise TypeError(f"network must be an MLP, or another Network; got {kind_of(network)}")
    plan.require_network(network)
