"""Training with the wires: each simulated chip computes with the transfer matrices of its solved arrays."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.solvers.dispatch import run_circuits
from tiocross.checks import as_number
from tiocross.learning.techniques import Technique
from tiocross.learning.tensor import Tensor

_RTOL, _MOST_SWEEPS = 1e-9, 1_000


@dataclass(frozen=True)
class WiresInLoop(Technique):
    """Train with IR drop: what is programmed goes through the wires of its array before it is a weight.

    Alone, arrays are programmed exactly; beside `NoiseInjection` or `ConductanceDropout`, as these leave them. The arrays
    are those of the layout, wired as those of `transfer`.

    Parameters
    ----------
    wire_resistance : float
        Of one wire segment [ohm].
    """

    wire_resistance: float

    def __post_init__(self):
        as_number("wire_resistance", self.wire_resistance, low=0.0, unit="ohm")

    def conduct(self, programmed, course):
        """Entries of the transfer matrices at the places of the devices, ``(n_networks, n_chips, n_devices)`` Tensor [S]."""
        if self.wire_resistance == 0:
            return programmed
        flat = programmed.value.reshape(-1, programmed.shape[-1])
        matrices, solved = np.empty_like(flat), []
        for places in _places_of_arrays(course.layout):
            arrays = _SolvedArrays(_pick(flat, places).reshape(-1, *places.shape[1:]), self.wire_resistance)
            _put(matrices, places, arrays.matrices.reshape(-1, *places.shape))
            solved.append((places, arrays))

        def pull(g):
            g, gradient = g.reshape(flat.shape), np.empty_like(flat)
            for places, arrays in solved:
                part = arrays.pull(_pick(g, places).reshape(-1, *places.shape[1:]))
                _put(gradient, places, part.reshape(-1, *places.shape))
            return (gradient.reshape(programmed.shape),)

        return Tensor(matrices.reshape(programmed.shape), (programmed,), pull)


def _pick(flat, places):
    """Values at the places, 0 where an array has no device in use."""
    return np.where(places < 0, 0.0, flat[:, places])


def _put(flat, places, values):
    in_use = places >= 0
    flat[:, places[in_use]] = values[:, in_use]


class _SolvedArrays:
    """Transfer matrices of many arrays of one shape, and the way back for gradients.

    Everything in here is seen from the corner from which there are at most as many word lines as bit lines.
    """

    def __init__(self, conductances, wire_resistance):
        self.is_turned = conductances.shape[-1] < conductances.shape[-2]
        self.wire_resistance = wire_resistance
        self.conductances = self._see(conductances)
        currents, self.voltages = _drive(self.conductances, wire_resistance, np.eye(self.conductances.shape[-2])[None])
        self.matrices = self._see(currents)

    def pull(self, g):
        """Gradient by the conductances from that by the matrices."""
        drives = self._see(g)[..., ::-1]  # the bottom ends, from the other corner
        _, answers = _drive(_turn(self.conductances), self.wire_resistance, drives)
        return self._see((self.voltages * _turn(answers)).sum(axis=1))

    def _see(self, arrays):
        return _turn(arrays) if self.is_turned else arrays


def _turn(arrays):
    """Word lines and bit lines exchanged, seen from the other corner: the same circuit, driven where it was sensed."""
    return arrays[..., ::-1, ::-1].swapaxes(-1, -2)


def _drive(conductances, wire_resistance, drives):
    """Bit-line currents [A] and device voltages [V] of each array for each row of ``drives`` [V]."""
    n_word_lines, n_bit_lines = conductances.shape[-2:]
    ends = np.full((*drives.shape[:2], 2, 2, max(n_word_lines, n_bit_lines)), np.nan)
    ends[:, :, 0, 0, :n_word_lines] = drives
    ends[:, :, 1, 0, :n_bit_lines] = 0.0
    crossbar = Crossbar(conductances, wire_resistance)
    currents, _, nodes = run_circuits(crossbar, ends, _RTOL, _MOST_SWEEPS, nodes=True)
    return currents, nodes[:, :, 1] - nodes[:, :, 0]


@lru_cache(maxsize=64)
def _places_of_arrays(layout):
    """Places of each physical array's devices among those of the network, -1 where none is in use: one
    (n_arrays, n_word_lines, n_bit_lines) index for each shape. Lines before and behind those in use are left out."""
    groups, start, numbers = {}, 0, []
    for shape in layout.layer_shapes:
        numbers.append(start + np.arange(shape[0] * shape[1]).reshape(shape))
        start += shape[0] * shape[1]
    for placed, used in zip(layout.place(numbers), layout.used):
        first, last = int(used.any(axis=1).argmax()), used.shape[1] - int(used.any(axis=0)[::-1].argmax())
        places = np.where(used, placed, -1.0)[first:, :last].astype(np.int64)
        groups.setdefault(places.shape, []).append(places)
    return [np.stack(places) for places in groups.values()]
