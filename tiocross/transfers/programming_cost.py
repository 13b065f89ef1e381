"""What it took to program chips pulse by pulse: yield, pulses, time and energy of each."""

from dataclasses import dataclass, fields

import numpy as np

from tiocross.records import short_text
from tiocross.units import percent

_UJ = 1e-6  # [J]


@dataclass(frozen=True, eq=False)
class Programming:
    """What it took to program each of the chips, arrays (n_chips,): arrays of a chip follow each other on the lab's clock."""

    n_devices: np.ndarray  # to be programmed
    n_within: np.ndarray  # of them within the tolerance when last read
    n_stuck: np.ndarray  # that ended stuck
    n_pulses: np.ndarray
    n_passes: np.ndarray  # of the array with most
    seconds: np.ndarray  # [s]
    pulse_energy: np.ndarray  # of pulses, with half-selected devices and wires [J]
    read_energy: np.ndarray  # of the sensed currents of readings [J]

    def __repr__(self):
        return short_text(self)

    @property
    def yields(self) -> np.ndarray:
        """Share of the devices of each chip within the tolerance when last read, (n_chips,) (unitless)."""
        return self.n_within / np.maximum(self.n_devices, 1)

    def __str__(self):
        rows = {"devices within the tolerance, last read": (self.yields / percent, "%"),
                "devices that ended stuck": (self.n_stuck / np.maximum(self.n_devices, 1) / percent, "%"),
                "pulses": (self.n_pulses, ""), "passes": (self.n_passes, ""), "time": (self.seconds, "s"),
                "energy of pulses": (self.pulse_energy / _UJ, "uJ"), "energy of readings": (self.read_energy / _UJ, "uJ")}
        lines = ["programmed pulse by pulse, a chip: mean, 5th to 95th percentile"]
        for name, (values, unit) in rows.items():
            low, high = np.quantile(values, [0.05, 0.95])
            lines.append(f"  {name:<40}{values.mean():.4g} {unit}".rstrip() + f", {low:.4g} to {high:.4g}")
        return "\n".join(lines)

    def table(self) -> np.ndarray:
        """All of it as (n_chips, n_figures) numbers."""
        return np.stack([getattr(self, place.name) for place in fields(self)], axis=1).astype(np.float64)

    @classmethod
    def from_table(cls, table) -> "Programming":
        """What `table` gave."""
        return cls(*np.asarray(table, dtype=np.float64).T)

    @staticmethod
    def of_arrays(table):
        """(n_figures,) of a chip from those of its arrays: sums, but of the passes the most."""
        whole, place = table.sum(axis=0), [place.name for place in fields(Programming)].index("n_passes")
        whole[place] = table[:, place].max()
        return whole
