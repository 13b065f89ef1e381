"""What a programming run did and left behind, and the error that carries it when the instrument fails."""

from dataclasses import dataclass

import numpy as np

from tiocross.lab.instrument import is_reading
from tiocross.lab.write_verify import OUTCOMES, Done
from tiocross.shown import table
from tiocross.units import percent


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
        caption = f"{n_devices} devices of a {self.shape[0]} x {self.shape[1]} array" + (
            "" if self.complete else ", not complete")
        bodies = [("", rows), ("rms error of the devices that are not stuck", errors)]
        return table(caption, ("", "devices or pulses"), bodies)

    def summary(self) -> str:
        """The report as text for people."""
        n_devices = int(self.mask.sum())
        counts = {name: int((self.outcomes == name).sum()) for name in (*OUTCOMES, "")}
        counts["not tuned"] = counts.pop("") - int((~self.mask).sum())
        lines = [f"{n_devices} devices of a {self.shape[0]} x {self.shape[1]} array, number of passes {self.n_passes}, "
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
            lines.append(f"{n_silent} devices gave no valid reading")
        best = self.best_pass
        if errors[best] < errors[last]:
            lines.append(f"best was pass {best}, rms error {errors[best]:.3g} %: the chip is NOT in that state any more")
        return "\n".join(lines)
