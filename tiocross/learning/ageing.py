"""Training against time: what weights are a while after they were written.

With its draws given, the change of a device is a straight line in the conductance between two states of the card. So an
aged write is again a polynomial of the target, and goes where writes go; the line is that of the target.
"""

import warnings
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tiocross.checks import as_number, short_repr
from tiocross.devices.retention import lines_of, require_retention, retention_notes, segments_of
from tiocross.devices.writes import Writes
from tiocross.learning.techniques import Technique


@dataclass(frozen=True)
class Ageing(Technique):
    """Train with relaxation and retention: each simulated chip is used a while after its last write.

    Parameters
    ----------
    after : float or tuple of float
        Time since the write; or the ends (low, high) of times that are drawn log-uniform, one for each chip and step [s].

    Notes
    -----
    Gradients flow through the change as a function of the conductance. Stuck devices and failed lines do not age. A network
    on a device without retention cannot be trained so; times beyond the measured ones are warned of.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2_RETENTION, Ageing, NoiseInjection, TrainingSettings, tasks, train
    >>> moons, rng = tasks.load_moons(), np.random.default_rng(1)
    >>> network = train(MLP(2, 4, 1, rng=rng), moons.train, [NoiseInjection(), Ageing((1e3, 1e4))], device=TIO2_RETENTION,
    ...                 rng=rng, settings=TrainingSettings(n_steps=10))
    >>> network.sizes
    (2, 4, 1)
    """

    after: float | tuple[float, float]
    effects: ClassVar[tuple[str, ...]] = ("retention",)

    def __post_init__(self):
        ends = self.after if isinstance(self.after, tuple) else (self.after, self.after)
        if len(ends) != 2:
            raise ValueError(f"after must be a time, or the two ends of times (low, high); got {short_repr(self.after)}")
        low, high = (as_number("after", end, low=0.0, unit="s") for end in ends)
        if isinstance(self.after, tuple) and not 0 < low < high:
            raise ValueError(f"the ends of after must be above zero and increase; got {low:g} and {high:g} s")

    def times(self, n_chips: int, rng: np.random.Generator) -> np.ndarray:
        """(n_chips,) times since the write [s]."""
        if not isinstance(self.after, tuple):
            return np.full(n_chips, float(self.after))
        low, high = self.after
        return low * (high / low) ** rng.random(n_chips)


@dataclass(frozen=True, eq=False)
class AgedWrites:
    """`Writes` of shape (n_networks, n_chips, n_devices, 1) and what time does: normal numbers of each device, those that
    are new at every time or None, and the times (n_networks, n_chips) [s]."""

    writes: Writes
    own: np.ndarray
    anew: np.ndarray | None
    after: np.ndarray

    def __getitem__(self, at):
        return AgedWrites(self.writes[at], self.own[at], None if self.anew is None else self.anew[at], self.after[at])


def ageing_among(techniques, device):
    """The technique that lets retention in, None where there is none or the device has no retention that it may let in."""
    found = [technique for technique in techniques if "retention" in technique.effects]
    aged = [technique for technique in found if isinstance(technique, Ageing)]
    for technique in aged:
        latest = float(np.max(technique.after))
        require_retention(device, latest)
        for note in retention_notes(device, latest):
            warnings.warn(note, stacklevel=2)
    if not found or device.retention is None:
        return None
    if len(found) > 1 or not aged:
        raise ValueError("one technique, an Ageing(after=...), says at which times retention is let into training; got "
                         f"{', '.join(type(technique).__name__ for technique in found)}")
    return aged[0]


def draw_ages(writes, ageing, retention, rngs):
    """`AgedWrites` of these writes, whose networks have the generators ``rngs``."""
    shape, kind = writes.stuck.shape[1:], writes.linear.dtype
    own = np.stack([rng.standard_normal(shape, dtype=kind) for rng in rngs])
    anew = np.stack([rng.standard_normal(shape, dtype=kind) for rng in rngs]) if retention.fluctuations.any() else None
    return AgedWrites(writes, own, anew, np.stack([ageing.times(shape[0], rng) for rng in rngs]))


def age_writes(aged, targets, retention):
    """`Writes` that end where `AgedWrites` of targets (n_networks, 1, n_devices, 1) [S] do: lines about the targets."""
    writes, kind = aged.writes, aged.writes.linear.dtype
    constants, slopes = lines_of(retention, aged.after)  # (3, n_networks, n_chips, n_states)
    at = segments_of(retention, targets[:, 0, :, 0])[None, :, None]

    def sum_of(lines):
        mean, spread, fluctuation = np.take_along_axis(lines.astype(kind), at, axis=-1)[..., None]
        change = mean + spread * aged.own
        return change if aged.anew is None else change + fluctuation * aged.anew

    held = np.broadcast_to(writes.stuck, np.broadcast_shapes(writes.stuck.shape, (len(targets), 1, 1, 1)))
    constant, factor = np.where(held, 0.0, sum_of(constants)), np.where(held, 1.0, 1.0 + sum_of(slopes))
    constant += factor * writes.constant
    parts = (constant, factor * writes.linear, factor * writes.quadratic)
    return Writes(*(part.astype(kind, copy=False) for part in parts), held)


def shortened(aged, writes):
    """The same ages of other writes, in their precision."""
    kind = writes.linear.dtype
    anew = None if aged.anew is None else aged.anew.astype(kind)
    return replace(aged, writes=writes, own=aged.own.astype(kind), anew=anew)
