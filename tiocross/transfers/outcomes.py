"""What came of transferring one network to many chips: right and wrong, counts by class; kept in files and put together."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tiocross.checks import as_path, kind_of
from tiocross.records import short_text
from tiocross.storage import replacing
from tiocross.transfers.summary import Summary, summarise

_FORMAT = "tiocross transfer 1"


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
    correct : (n_transfers, n_points) bool ndarray
        Whether each chip is right at each point (unitless).
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
    """

    correct: np.ndarray
    accuracies: np.ndarray
    rates: np.ndarray
    confusion: np.ndarray
    nominally_correct: np.ndarray
    n_devices: int
    wire_resistance: float
    volts_per_input: float
    chips: tuple[ChipRange, ...]
    notes: tuple[str, ...] = ()

    def __repr__(self):
        return short_text(self)

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
        rng = np.random.default_rng(self.chips[0].seed if len(self.chips) == 1 else [chip.seed for chip in self.chips])
        return replace(summarise(self.correct, self.nominally_correct, rng=rng), notes=self.notes)

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
        rates = np.average([self.rates, other.rates], axis=0, weights=n_chips)
        return Transfer(np.concatenate([self.correct, other.correct]), np.concatenate([self.accuracies, other.accuracies]),
                        rates, self.confusion + other.confusion, self.nominally_correct, self.n_devices,
                        self.wire_resistance, self.volts_per_input, self.chips + other.chips, self.notes)

    def save(self, path: str | Path) -> None:
        """Write everything to an npz file, eight verdicts a byte; it appears whole or not at all."""
        content = {place.name: getattr(self, place.name) for place in fields(self)}
        content["correct"] = np.packbits(self.correct, axis=1)
        content["chips"], content["notes"] = np.array(self.chips, dtype=np.int64), np.array(self.notes, dtype=str)
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, format=_FORMAT, **content)

    @classmethod
    def load(cls, path: str | Path) -> "Transfer":
        """Transfer from a file that `save` wrote; ValueError if it is none."""
        path = as_path("path", path)
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                content = {name: archive[name] for name in archive.files}
            if str(content.pop("format")) != _FORMAT:
                raise ValueError("it has another format")
            content["correct"] = np.unpackbits(content["correct"], axis=1, count=len(content["rates"])).astype(bool)
            content["chips"] = tuple(ChipRange(*map(int, row)) for row in content["chips"])
            content["notes"] = tuple(map(str, content["notes"]))
            for name in ("n_devices", "wire_resistance", "volts_per_input"):
                content[name] = content[name].item()
            return cls(**content)
        except OSError:
            raise
        except Exception as error:  # a damaged archive can make zipfile and NumPy raise almost anything
            raise ValueError(f"{path} is not a transfer that tiocross saved, or it is damaged: {error}") from None


def _require_alike(one, other):
    if not isinstance(other, Transfer):
        raise TypeError(f"only transfers can be merged; got {kind_of(other)}")
    for name in ("nominally_correct", "n_devices", "wire_resistance", "volts_per_input"):
        if not np.array_equal(getattr(one, name), getattr(other, name)):
            raise ValueError(f"transfers to be merged must be of one network, on the same points and wires; {name} differs")
    for ours in one.chips:
        for theirs in other.chips:
            if ours.seed == theirs.seed and ours.first < theirs.first + theirs.n_chips and \
                    theirs.first < ours.first + ours.n_chips:
                raise ValueError(f"the transfers have chips in common: {ours.n_chips} from number {ours.first} on and "
                                 f"{theirs.n_chips} from number {theirs.first} on of one seed. Use another seed, or other "
                                 "chips: n_transfers=range(2000, 4000)")
