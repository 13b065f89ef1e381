"""What came of transferring one network to many chips: right and wrong, counts by class; kept in files and put together."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tiocross.checks import as_path, kind_of
from tiocross.intervals import MOST_GROUPS
from tiocross.records import short_text
from tiocross.storage import replacing
from tiocross.transfers.operation import fingerprint_of
from tiocross.transfers.programming_cost import Programming
from tiocross.transfers.signals import describe_cut
from tiocross.transfers.summary import GroupSums, Summary, sum_groups, summarise_sums
from tiocross.transfers.tallies import order_of_points, smallest

_FORMAT = "tiocross transfer 2"
_FORMAT_WITH_VERDICTS = "tiocross transfer 1"  # of earlier releases: every verdict, no sums


READ_VOLTAGE = 0.2  # [V] largest magnitude on a word line; the read voltage of the measured arrays


class ChipRange(NamedTuple):
    """Which chips: ``n_chips`` from number ``first`` on of all that ``seed`` gives."""

    seed: int
    first: int
    n_chips: int


@dataclass(frozen=True, eq=False)
class Transfer:
    """Outcome of transferring one network to many simulated chips.

    Parameters
    ----------
    accuracies : (n_transfers,) ndarray
        Accuracy of each chip (unitless).
    rates : (n_points,) ndarray
        Fraction of chips on which each point is right (unitless).
    confusion : (n_classes, n_classes) int ndarray
        Answers of all chips to all points: how often a point of class i was given class j (unitless).
    nominally_correct : (n_points,) bool ndarray
        Whether the network is right in software (unitless).
    n_devices : int
        Devices on a chip, all layers together (unitless).
    wire_resistance : float
        Of one wire segment [ohm].
    volts_per_input : float
        Voltage that stands for an encoded input of 1, and for the bias, on the first layer [V].
    chips : tuple of ChipRange
        Which chips these are: seed, number of the first, how many.
    notes : tuple of str
        What of the device's model was stretched beyond what was measured.
    sums : GroupSums or None
        What the intervals of the summary need; None where transfers of several seeds were merged without their verdicts.
    verdicts : (n_transfers, n_points) bool ndarray or None
        Whether each chip is right at each point, if that was kept (unitless); see `correct`.
    programming : Programming or None
        Yield, pulses, time and energy of each chip, where a SimulatedFab programmed them.
    conditions : str
        Fingerprint of the device and of how chips were programmed and used; empty in files of earlier releases.
    """

    accuracies: np.ndarray
    rates: np.ndarray
    confusion: np.ndarray
    nominally_correct: np.ndarray
    n_devices: int
    wire_resistance: float
    volts_per_input: float
    chips: tuple[ChipRange, ...]
    notes: tuple[str, ...] = ()
    sums: GroupSums | None = None
    verdicts: np.ndarray | None = None
    programming: Programming | None = None
    conditions: str = ""

    def __repr__(self):
        return short_text(self)

    @property
    def n_transfers(self) -> int:
        """Number of chips (unitless)."""
        return len(self.accuracies)

    @property
    def correct(self) -> np.ndarray:
        """Whether each chip is right at each point, (n_transfers, n_points) bool (unitless); ValueError if not kept."""
        if self.verdicts is None:
            raise ValueError("verdicts were counted and not kept: rates, accuracies and confusion tell what they add up to. "
                             "To have each of them, a byte, ask for it: transfer(..., keep_correct=True)")
        return self.verdicts

    @property
    def nominal_accuracy(self) -> float:
        """Share of points right in software (unitless)."""
        return float(self.nominally_correct.mean())

    def summary(self) -> Summary:
        """The figures with their 95 % intervals, a `Summary`; the same every time.

        Raises
        ------
        ValueError
            If transfers of several seeds were merged without their verdicts.
        """
        if self.sums is None:
            raise ValueError("intervals of transfers of several seeds, merged, need every verdict: judge them with "
                             "keep_correct=True. Other chips of one seed, n_transfers=range(2000, 4000), need none")
        rng = np.random.default_rng(_seed_of(self.chips))
        order = rng.permutation(len(self.rates))
        notes = self.notes if self.programming is None else (*self.notes, *str(self.programming).split("\n"))
        return replace(summarise_sums(self.sums, self.nominally_correct[order], rng=rng), notes=notes)

    def merge(self, other: "Transfer") -> "Transfer":
        """The same network on the chips of both, such as those of two computers.

        Parameters
        ----------
        other : Transfer
            Of the same network and points, on other chips.

        Returns
        -------
        Transfer
            Of all chips, those of ``other`` last.

        Raises
        ------
        ValueError
            If the two differ in points, network, wires or devices, or have a chip in common.
        """
        _require_alike(self, other)
        n_chips = self.n_transfers, other.n_transfers
        n_right = [np.rint(transfer.rates * transfer.n_transfers) for transfer in (self, other)]  # exact, as from the start
        chips, verdicts = self.chips + other.chips, None
        if self.verdicts is not None and other.verdicts is not None:
            verdicts = np.concatenate([self.verdicts, other.verdicts])
        notes, programming = tuple(dict.fromkeys(self.notes + other.notes)), None
        if self.programming is not None:
            programming = Programming.from_table(np.concatenate([self.programming.table(), other.programming.table()]))
        return Transfer(np.concatenate([self.accuracies, other.accuracies]), sum(n_right) / sum(n_chips),
                        self.confusion + other.confusion, self.nominally_correct, self.n_devices, self.wire_resistance,
                        self.volts_per_input, chips, notes, _merged_sums(self, other, chips, verdicts), verdicts,
                        programming, self.conditions or other.conditions)

    def save(self, path: str | Path) -> None:
        """Write everything to an npz file, eight verdicts a byte; it appears whole or not at all."""
        content = {place.name: getattr(self, place.name) for place in fields(self)}
        sums, verdicts, programming = (content.pop(name) for name in ("sums", "verdicts", "programming"))
        if programming is not None:
            content["programming"] = programming.table()
        if verdicts is not None:
            content["correct"] = np.packbits(verdicts, axis=1)
        if sums is not None:
            content |= sums._asdict()
        content["chips"], content["notes"] = np.array(self.chips, dtype=np.int64), np.array(self.notes, dtype=str)
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, format=_FORMAT, **content)

    @classmethod
    def load(cls, path: str | Path) -> "Transfer":
        """Transfer from a file that `save` wrote, of this release or an earlier one; ValueError if it is none."""
        path = as_path("path", path)
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                content = {name: archive[name] for name in archive.files}
            return cls(**_from_file(content))
        except OSError:
            raise
        except Exception as error:  # a damaged archive can make zipfile and NumPy raise almost anything
            raise ValueError(f"{path} is not a transfer that tiocross saved, or it is damaged: {error}") from None


def _from_file(content):
    """Fields of a transfer from the arrays of its file."""
    if (form := str(content.pop("format"))) not in (_FORMAT, _FORMAT_WITH_VERDICTS):
        raise ValueError("it has another format")
    content["chips"] = tuple(ChipRange(*map(int, row)) for row in content["chips"])
    content["notes"] = tuple(map(str, content["notes"]))
    content["conditions"] = str(content.get("conditions", ""))
    for name in ("n_devices", "wire_resistance", "volts_per_input"):
        content[name] = content[name].item()
    if (packed := content.pop("correct", None)) is not None:
        content["verdicts"] = np.unpackbits(packed, axis=1, count=len(content["rates"])).astype(bool)
    if "programming" in content:
        content["programming"] = Programming.from_table(content["programming"])
    sums = [content.pop(name, None) for name in GroupSums._fields]
    if form == _FORMAT_WITH_VERDICTS:
        sums = _sums_of(content["verdicts"], content["chips"])
    return content | {"sums": None if sums[0] is None else GroupSums(*sums)}


def make_transfer(tally, chips, dataset):
    """`Transfer` from the `Tally` of some of the ``chips``, a `Chips`, on the dataset."""
    network, n_chips, n_points = chips.network, tally.n_chips, len(dataset)
    largest = max(1.0, float(np.abs(network.encode(dataset.points)).max()))
    notes = (*chips.notes, *(() if tally.cut is None else describe_cut(tally.cut)))
    counts = np.empty(n_points)
    counts[order_of_points(tally.seed, n_points)] = tally.by_chips.sum(axis=0, dtype=np.float64)
    by_position = np.roll(tally.by_chips, -(tally.first % MOST_GROUPS), axis=0)[:n_chips]
    return Transfer(accuracies=tally.by_points.sum(axis=1, dtype=np.float64) / n_points, rates=counts / n_chips,
                    confusion=tally.confusion, nominally_correct=network.predict(dataset.points) == dataset.labels,
                    n_devices=chips.targets.n_devices, wire_resistance=chips.wire_resistance,
                    volts_per_input=chips.periphery.read_voltage / largest,
                    chips=(ChipRange(tally.seed, tally.first, n_chips),), notes=notes,
                    sums=GroupSums(by_position, tally.by_points), verdicts=tally.correct,
                    programming=None if tally.programming is None else Programming.from_table(tally.programming),
                    conditions=fingerprint_of(chips.device, chips.operation))


def _seed_of(chips):
    """Seed of the intervals: that of the chips; of all in turn where they have several."""
    return chips[0].seed if len({part.seed for part in chips}) == 1 else [part.seed for part in chips]


def _sums_of(verdicts, chips):
    sums = sum_groups(verdicts, order_of_points(_seed_of(chips), verdicts.shape[1]))
    return GroupSums(*map(smallest, sums))


def _merged_sums(one, other, chips, verdicts):
    """`GroupSums` of both, if they have one seed or their verdicts tell; else None."""
    if len({part.seed for part in chips}) > 1:
        return None if verdicts is None else _sums_of(verdicts, chips)
    by_chips = np.zeros((MOST_GROUPS, len(one.rates)), dtype=np.uint32)
    for transfer, n_before in ((one, 0), (other, one.n_transfers)):  # chip k of both together belongs to group k % 200
        rows = (np.arange(len(transfer.sums.by_chips)) + n_before) % MOST_GROUPS
        by_chips[rows] += transfer.sums.by_chips
    by_points = np.concatenate([one.sums.by_points, other.sums.by_points])
    return GroupSums(smallest(by_chips[: len(by_points)]), by_points)


def _require_alike(one, other):
    if not isinstance(other, Transfer):
        raise TypeError(f"only transfers can be merged; got {kind_of(other)}")
    for name in ("nominally_correct", "n_devices", "wire_resistance", "volts_per_input"):
        if not np.array_equal(getattr(one, name), getattr(other, name)):
            raise ValueError(f"transfers to be merged must be of one network, on the same points and wires; {name} differs")
    if (one.programming is None) != (other.programming is None):
        raise ValueError("transfers to be merged must both be of chips programmed pulse by pulse, or both of a card's")
    if one.conditions and other.conditions and one.conditions != other.conditions:
        raise ValueError("transfers to be merged must be of one device, programmed and used alike; the device, "
                         "passes, time, periphery or fab differ")
    for ours in one.chips:
        for theirs in other.chips:
            if ours.seed == theirs.seed and ours.first < theirs.first + theirs.n_chips and \
                    theirs.first < ours.first + ours.n_chips:
                raise ValueError(f"the transfers have chips in common: {ours.n_chips} from number {ours.first} on and "
                                 f"{theirs.n_chips} from number {theirs.first} on of one seed. Use another seed, or other "
                                 "chips: n_transfers=range(2000, 4000)")
