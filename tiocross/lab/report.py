"""What a programming run did and left behind, and the error that carries it when the instrument fails."""

from dataclasses import dataclass
from os import PathLike

import numpy as np

from tiocross.checks import as_number, as_reals, plural, require_shape, with_article
from tiocross.lab.instrument import is_reading
from tiocross.lab.write_verify import OUTCOMES, Done
from tiocross.shown import table
from tiocross.storage import read_json, save_json
from tiocross.units import percent

FORMAT = "tiocross program report 1"


class InstrumentError(RuntimeError):
    """The instrument failed: it raised, gave what is no reading, or did not answer for several devices in a row.

    Attributes
    ----------
    report : ProgramReport or Done or None
        What was done until then: of an array, or of one device.
    """

    def __init__(self, message: str, report: "ProgramReport | Done | None" = None):
        super().__init__(message)
        self.report = report


@dataclass(frozen=True, eq=False)
class ProgramReport:
    """What programming an array did, and what it left behind.

    Parameters
    ----------
    targets : (n_word_lines, n_bit_lines) ndarray
        Targets, NaN where there is none [S].
    mask : (n_word_lines, n_bit_lines) bool ndarray
        Devices to be programmed (unitless).
    outcomes : (n_word_lines, n_bit_lines) ndarray of str
        How the last tuning of each device ended; empty where there was none (unitless).
    n_pulses : (n_word_lines, n_bit_lines) int ndarray
        Pulses given, all passes together (unitless).
    readings : (n_passes, n_word_lines, n_bit_lines) ndarray
        Whole-array reading after each pass that came so far [S].
    tolerance : float
        Largest distance from the target, as a fraction of it (unitless).
    complete : bool
        Whether the run came to its own end; False if it was stopped or failed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from tiocross import ProgramReport, PulseScheme, SimulatedCrossbar, program_array
    >>> chip = SimulatedCrossbar((3, 2), rng=np.random.default_rng(1))
    >>> report = program_array(chip, np.full((3, 2), 300e-6), PulseScheme())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report.save(f"{folder}/report.json")
    ...     ProgramReport.load(f"{folder}/report.json").summary() == report.summary()
    True
    """

    targets: np.ndarray
    mask: np.ndarray
    outcomes: np.ndarray
    n_pulses: np.ndarray
    readings: np.ndarray
    tolerance: float
    complete: bool

    @property
    def shape(self) -> tuple[int, int]:
        """(n_word_lines, n_bit_lines) of the array."""
        return self.targets.shape

    @property
    def n_passes(self) -> int:
        """Number of passes that ended with a whole-array reading."""
        return len(self.readings)

    @property
    def stuck(self) -> np.ndarray:
        """``(n_word_lines, n_bit_lines)`` bool: devices that ended stuck."""
        return (self.outcomes == "stuck_low") | (self.outcomes == "stuck_high")

    @property
    def rms_errors(self) -> np.ndarray:
        """``(n_passes,)`` root-mean-square relative error after each pass (unitless).

        Over the devices that are not stuck and gave a reading after every pass, so that passes compare; NaN without any.
        """
        used = self.mask & ~self.stuck & is_reading(self.readings).all(axis=0)
        if not used.any():
            return np.full(self.n_passes, np.nan)
        return np.sqrt(np.mean((self.readings[:, used] / self.targets[used] - 1) ** 2, axis=1))

    @property
    def best_pass(self) -> int | None:
        """Pass with the smallest of `rms_errors`, the first of equal ones; None before the first."""
        return int(self.rms_errors.argmin()) if self.n_passes else None

    @property
    def conductances(self) -> np.ndarray:
        """``(n_word_lines, n_bit_lines)`` last whole-array reading: what is on the chip now; NaN where unknown [S]."""
        return self.readings[-1] if self.n_passes else np.full(self.shape, np.nan)

    @property
    def errors(self) -> np.ndarray:
        """``(n_word_lines, n_bit_lines)`` relative errors of `conductances`, NaN where not to be programmed (unitless)."""
        return np.where(self.mask, self.conductances / self.targets - 1, np.nan)

    @property
    def within(self) -> np.ndarray:
        """``(n_word_lines, n_bit_lines)`` bool: devices whose last whole-array reading is within the tolerance."""
        return self.mask & (np.abs(self.conductances - self.targets) <= self.tolerance * self.targets)

    @property
    def due(self) -> np.ndarray:
        """``(n_word_lines, n_bit_lines)`` bool: devices that another pass would tune.

        Before the first pass all of them; then those that are outside the tolerance, gave a reading and are not stuck.
        """
        if not self.n_passes:
            return self.mask
        return self.mask & ~self.within & ~self.stuck & is_reading(self.conductances)

    def _repr_html_(self):
        """What became of the devices, and how far they are from their targets after each pass, for notebooks."""
        n_devices, tuned = int(self.mask.sum()), self.outcomes[self.mask]
        rows = [("pulses", f"{int(self.n_pulses.sum())}"), (f"within {self.tolerance / percent:g} % as last read",
                                                            f"{int(self.within.sum())}"),
                *((name, f"{int((tuned == name).sum())}") for name in OUTCOMES if (tuned == name).any())]
        errors = [(f"after pass {k}", "unknown" if np.isnan(error) else f"{error / percent:.3g} %")
                  for k, error in enumerate(self.rms_errors)]
        caption = f"{plural(n_devices, 'device')} of {with_article(str(self.shape[0]))} x {self.shape[1]} array" + (
            "" if self.complete else ", not complete")
        bodies = [("", rows), ("rms error of the devices that are not stuck", errors)]
        return table(caption, ("", "devices or pulses"), bodies)

    def to_dict(self) -> dict:
        """The report as plain numbers, texts and lists; keys of numbers state their unit, None stands for NaN."""
        return {"format": FORMAT, "tolerance [-]": float(self.tolerance), "complete": bool(self.complete),
                "targets [S]": _without_nan(self.targets), "mask": self.mask.tolist(), "outcomes": self.outcomes.tolist(),
                "n_pulses [-]": self.n_pulses.tolist(), "readings [S]": _without_nan(self.readings)}

    @classmethod
    def from_dict(cls, content: dict) -> "ProgramReport":
        """Report from what `to_dict` gave; ValueError naming what is missing or malformed."""
        found = content.get("format") if isinstance(content, dict) else None
        if found != FORMAT:
            raise ValueError(f"this is not a report of this version: it must hold \"format\": \"{FORMAT}\"; got {found!r}")
        try:
            tables = {name: as_reals(name, np.array(content[name], dtype=np.float64))
                      for name in ("targets [S]", "n_pulses [-]", "readings [S]")}
            outcomes, mask = np.array(content["outcomes"], dtype="<U10"), np.array(content["mask"])
            tolerance, complete = as_number("tolerance [-]", content["tolerance [-]"]), content["complete"]
        except KeyError as error:
            raise ValueError(f"the report lacks {error}") from None
        except (TypeError, OverflowError) as error:
            raise ValueError(f"the report is malformed: {error}") from None
        targets, n_pulses, readings = tables.values()
        readings = readings.reshape(-1, *targets.shape) if readings.size == 0 else readings
        for name, given in (("mask", mask), ("outcomes", outcomes), ("n_pulses [-]", n_pulses), ("readings [S]", readings)):
            require_shape(f"{name} of the report", given.shape[-2:], targets.shape, ", that of its targets")
        if targets.ndim != 2 or readings.ndim != 3 or mask.dtype != bool or not isinstance(complete, bool):
            raise ValueError("the report is malformed: it needs tables of targets and readings, and true or false in mask "
                             "and complete")
        if unknown := set(outcomes.ravel().tolist()) - {*OUTCOMES, ""}:
            raise ValueError(f"the report has the unknown outcome {min(unknown)!r}")
        return cls(targets, mask, outcomes, n_pulses.astype(np.int64), readings, tolerance, complete)

    def save(self, path: str | PathLike) -> None:
        """Write the report as JSON with every digit; the file appears whole or not at all."""
        save_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | PathLike) -> "ProgramReport":
        """Report from the file that `save` wrote."""
        try:
            return cls.from_dict(read_json(path))
        except ValueError as error:
            raise ValueError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None

    def __repr__(self):
        return (f"ProgramReport({self.shape[0]} x {self.shape[1]}: {int(self.within.sum())} of {int(self.mask.sum())} "
                f"devices within {self.tolerance / percent:g} % after {self.n_passes} passes and "
                f"{int(self.n_pulses.sum())} pulses"
                + ("" if self.complete else ", not complete") + ")")

    def __str__(self):
        return self.summary()

    def summary(self) -> str:
        """The report as text for people."""
        n_devices = int(self.mask.sum())
        counts = {name: int((self.outcomes == name).sum()) for name in (*OUTCOMES, "")}
        counts["not tuned"] = counts.pop("") - int((~self.mask).sum())
        array = f"{with_article(str(self.shape[0]))} x {self.shape[1]} array"
        lines = [f"{plural(n_devices, 'device')} of {array}, number of passes {self.n_passes}, "
                 f"of pulses {self.n_pulses.sum()}" + ("" if self.complete else "; NOT COMPLETE: stopped or failed"),
                 "last tuning: " + (", ".join(f"{n} {name}" for name, n in counts.items() if n) or "none")]
        if not self.n_passes:
            return "\n".join([*lines, "on the chip now: unknown, no pass came to its whole-array reading"])
        last, errors = self.n_passes - 1, self.rms_errors / percent
        rms = "" if np.isnan(errors[last]) else f", rms error {errors[last]:.3g} % of the devices that are not stuck"
        lines.append(f"on the chip {'now' if self.complete else 'when last read'}, after pass {last} (from 0): "
                     f"{self.within.sum()} of {n_devices} within {self.tolerance / percent:g} %{rms}")
        n_silent = int((self.mask & ~is_reading(self.conductances)).sum())
        if n_silent:
            lines.append(f"{plural(n_silent, 'device')} gave no valid reading")
        best = self.best_pass
        if errors[best] < errors[last]:
            lines.append(f"best was pass {best}, rms error {errors[best]:.3g} %: the chip is NOT in that state any more")
        return "\n".join(lines)


def _without_nan(values):
    """Nested lists of an array, None for NaN and what is infinite."""
    return np.where(np.isfinite(values), values, None).tolist()
