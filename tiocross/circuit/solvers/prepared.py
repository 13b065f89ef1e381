"""A crossbar as the solvers want it: made once for each crossbar, and kept as long as the crossbar is."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tiocross.circuit.crossbar import has_segments, spread_segments
from tiocross.circuit.solvers.hierarchy import find_geometries
from tiocross.circuit.solvers.levels import plan_of_read
from tiocross.circuit.solvers.paths import BROKEN
from tiocross.circuit.solvers.tangents import Form
from tiocross.circuit.solvers.workspace import LARGE, Workspace, flatten

LARGEST_KEPT = 100_000  # devices of a single circuit whose voltages are kept, for they are mostly asked for
_SOME = 1e-9  # ohm: a line with a broken segment is none without resistance


@dataclass(frozen=True, eq=False)
class PreparedCrossbar:
    """C arrays of one shape and the same wires.

    ``arrays`` (C, M, N): the devices, C-contiguous and writeable, so that kernels are compiled for one kind of array; not
    to be changed [S]. ``resistances`` (2, 3, W): of a segment, and behind the root (left, bottom) and far ends, of word
    lines and of bit lines, when all bit lines are read: infinite where an end floats [ohm]. ``law``: None for Ohm's, or
    with each parameter one number or (C, M, N). ``segments``: resistances of all segments of word lines (M, N + 1) and of
    bit lines (M + 1, N), from the left and from the top, 1e30 ohm where one is broken; None where those of a line are
    equal. With them, a segment's in ``resistances`` is a mean over its line, zero if all are.
    """

    arrays: np.ndarray
    resistances: np.ndarray
    law: object
    segments: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self):
        return len(self.arrays)

    @property
    def shape(self):
        """Numbers of word lines and bit lines."""
        return self.arrays.shape[1:]

    @cached_property
    def n_devices(self):
        """Devices of one array."""
        return self.arrays.shape[1] * self.arrays.shape[2]

    @cached_property
    def readers(self):
        """Workspace for each array when all bit lines are read, with the numbers of the arrays that it is for."""
        sensed = np.ones(self.shape[1], dtype=bool)
        return [(Workspace(self.resistances, levels, sensed, self.segments), some)
                for levels, some in find_geometries(self.arrays, self.resistances)]

    @cached_property
    def reader(self):
        """Plan, and flat devices, of a single array of ohmic devices when all bit lines are read; None if it is not one, or
        too large for one call, without any resistance, or with segments that differ."""
        if self.law is not None or not self._is_short(LARGE):
            return None
        return plan_of_read(self.resistances, self.shape, self.mean), self.flat

    @cached_property
    def curved_reader(self):
        """Workspace, and `Form` of the devices, of a single array of devices with a law when all bit lines are read; None if
        it is not one, or too large for its voltages to be kept, without any resistance, or with segments that differ."""
        if self.law is None or not self._is_short(LARGEST_KEPT):
            return None
        return self.readers[0][0], self.form

    @cached_property
    def flat(self):
        """Devices of a single array as the kernel wants them."""
        return flatten(self.arrays, False)

    @cached_property
    def form(self):
        """`Form` of the devices of a single array."""
        return Form(self.arrays[0], self.law_of(0))

    @cached_property
    def mean(self):
        """Mean conductance at 0 V of the devices of a single array [S]."""
        return float(self.arrays[0].sum()) / self.n_devices

    @cached_property
    def is_full(self):
        """Whether it is one short array, all of whose devices conduct: no line is an island, however it is connected."""
        return self._is_short(LARGEST_KEPT) and bool(self.arrays.all())

    def _is_short(self, most_devices):
        """Whether it is one array of so many devices at most, whose wires drop voltages and are equal along a line."""
        is_one = len(self) == 1 and self.segments is None and 0 < self.n_devices <= most_devices
        return is_one and bool(self.resistances[:, :2].any())

    def part(self, which):
        """A slice of the arrays; they share their memory."""
        if len(self.arrays[which]) == len(self):
            return self
        return replace(self, arrays=self.arrays[which], law=None if self.law is None else self.law_of(which))

    def law_of(self, which):
        """The law of one of the arrays, or of some."""
        return self.law.spread(lambda values: values[which] if values.ndim else values)

    def without(self, islands):
        """The same without the devices beside nodes that no connected end reaches, as `find_islands` gives them."""
        words, bits = islands
        return replace(self, arrays=np.where(words | bits, 0.0, self.arrays))

    def least_slopes(self):
        """Least slope of each device at any voltage, (C, M, N) [S]."""
        if self.law is None:
            return self.arrays
        return self.law.least_slopes(self.arrays)


def prepare(crossbar):
    """The crossbar as the solvers want it."""
    prepared = crossbar.__dict__.get("_prepared")
    if prepared is None:
        prepared = _prepare(crossbar)
        object.__setattr__(crossbar, "_prepared", prepared)
    return prepared


def _prepare(crossbar):
    crossbar = crossbar.equivalent
    shape, law = crossbar.conductances.shape, crossbar.iv
    arrays = crossbar.conductances.view()
    arrays.flags.writeable = True  # only this alias: see PreparedCrossbar
    resistances = np.zeros((2, 3, max(*shape[-2:], 8) + 2))
    differ = has_segments(crossbar)
    words, bits = spread_segments(crossbar) if differ else (crossbar.word_line_resistance, crossbar.bit_line_resistance)
    for side, (wires, beyond) in enumerate(((words, crossbar.source_resistance), (bits.T, crossbar.sense_resistance))):
        resistances[side, 0, : len(wires)] = _average(wires) if differ else wires
        resistances[side, 1, : len(wires)] = beyond
        resistances[side, 2, : len(wires)] = np.inf
    segments = tuple(np.where(np.isinf(wires), BROKEN, wires) for wires in (words, bits)) if differ else None
    arrays = arrays.reshape(-1, *shape[-2:])
    if law is not None:
        law = law.spread(lambda values: np.broadcast_to(values, shape).reshape(arrays.shape) if values.ndim else values)
    return PreparedCrossbar(arrays, resistances, law, segments)


def _average(wires):
    """Mean resistance of the unbroken segments of each line; above zero unless all are zero [ohm]."""
    whole = np.isfinite(wires)
    mean = np.where(whole, wires, 0.0).sum(axis=1) / np.maximum(whole.sum(axis=1), 1)
    return np.where(whole.all(axis=1), mean, np.maximum(mean, _SOME))
