"""Training with the wires: each simulated chip computes with the transfer matrices of its solved arrays."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tiocross.checks import as_number
from tiocross.circuit.adjoint import transfer_matrix_with_pullback
from tiocross.circuit.crossbar import Crossbar
from tiocross.learning.techniques import Course, Technique
from tiocross.learning.tensor import Tensor
from tiocross.mapping.layout import lines_that_count


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

    def conduct(self, programmed: Tensor, course: Course) -> Tensor:
        """Entries of the transfer matrices at the places of the devices, ``(n_networks, n_chips, n_devices)`` Tensor [S]."""
        if self.wire_resistance == 0:
            return programmed
        flat = programmed.value.reshape(-1, programmed.shape[-1])
        matrices, solved = np.empty_like(flat), []
        for places in _places_of_arrays(course.layout):
            arrays = _pick(flat, places).reshape(-1, *places.shape[1:])
            found, pull_back = transfer_matrix_with_pullback(Crossbar(arrays, self.wire_resistance))
            _put(matrices, places, found.reshape(-1, *places.shape))
            solved.append((places, pull_back))

        def pull(g):
            g, gradient = g.reshape(flat.shape), np.empty_like(flat)
            for places, pull_back in solved:
                part = pull_back(_pick(g, places).reshape(-1, *places.shape[1:]))
                _put(gradient, places, part.reshape(-1, *places.shape))
            return (gradient.reshape(programmed.shape),)

        return Tensor(matrices.reshape(programmed.shape), (programmed,), pull)


def _pick(flat, places):
    """Values at the places, 0 where an array has no device in use."""
    return np.where(places < 0, 0.0, flat[:, places])


def _put(flat, places, values):
    in_use = places >= 0
    flat[:, places[in_use]] = values[:, in_use]


@lru_cache(maxsize=64)
def _places_of_arrays(layout):
    """Places of each physical array's devices among those of the network, -1 where none is in use: one
    (n_arrays, n_word_lines, n_bit_lines) index for each shape. Lines before and behind those in use are left out."""
    groups, start, numbers = {}, 0, []
    for shape in layout.layer_shapes:
        numbers.append(start + np.arange(shape[0] * shape[1]).reshape(shape))
        start += shape[0] * shape[1]
    for placed, used in zip(layout.place(numbers), layout.used):
        places = np.where(used, placed, -1.0)[lines_that_count(used)].astype(np.int64)
        groups.setdefault(places.shape, []).append(places)
    return [np.stack(places) for places in groups.values()]
