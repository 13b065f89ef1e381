"""Training with the wires: each simulated chip computes with the transfer matrices of its solved arrays."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tiocross.checks import as_number
from tiocross.circuit.adjoint import transfer_matrix_with_pullback
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.matrices import transfer_matrix
from tiocross.learning.techniques import Course, Technique
from tiocross.learning.tensor import Tensor
from tiocross.mapping.layout import lines_that_count

_AT_ONCE = 2**18  # devices of all chips that are solved together, and whose solutions are kept for the way back: 1 kB each


@dataclass(frozen=True)
class WiresInLoop(Technique):
    """Train with IR drop: what is programmed goes through the wires of its array before it is a weight.

    Alone, arrays are programmed exactly; beside `NoiseInjection` or `ConductanceDropout`, as these leave them. The arrays
    are those of the layout, wired as those of `transfer`. Of large networks, from 262 144 devices of all chips of a step
    on, arrays are solved some at a time, and once more on the way back: memory does not grow with them.

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
        return solve_arrays(programmed, course.layout, (self.wire_resistance, 0.0, 0.0))


def solve_arrays(programmed, layout, resistances):
    """Entries of the transfer matrices at the places of the devices, (n_networks, n_chips, n_devices) Tensor [S], with the
    resistances of wire segments, sources and sensing [ohm]."""
    if not any(resistances):
        return programmed
    flat = programmed.value.reshape(-1, programmed.shape[-1]).astype(np.float64, copy=False)
    groups = _places_of_arrays(layout)
    conducted = _conduct_whole if flat.size <= _AT_ONCE else _conduct_in_pieces
    matrices, found = np.empty_like(flat), []
    for places in groups:
        matrix, pull_back = conducted(_pick(flat, places).reshape(-1, *places.shape[1:]), resistances)
        _put(matrices, places, matrix.reshape(-1, *places.shape))
        found.append((places, pull_back))

    def pull(g):
        g, gradient = g.reshape(flat.shape), np.empty_like(flat)
        for places, pull_back in found:
            part = pull_back(_pick(g, places).reshape(-1, *places.shape[1:]))
            _put(gradient, places, part.reshape(-1, *places.shape))
        return (gradient.reshape(programmed.shape),)

    return Tensor(matrices.reshape(programmed.shape), (programmed,), pull)


def _crossbar(arrays, resistances):
    wires, source, sense = resistances
    return Crossbar(arrays, wires, source_resistance=source, sense_resistance=sense)


def _conduct_whole(arrays, resistances):
    """Transfer matrices of all arrays together, and their pullback."""
    return transfer_matrix_with_pullback(_crossbar(arrays, resistances))


def _conduct_in_pieces(arrays, resistances):
    """The same, some arrays at a time: nothing is kept, and on the way back they are solved again."""
    step = max(1, _AT_ONCE // arrays[0].size)
    pieces = [slice(first, first + step) for first in range(0, len(arrays), step)]
    matrices = np.concatenate([transfer_matrix(_crossbar(arrays[piece], resistances)) for piece in pieces])

    def pull(gradient):
        return np.concatenate([_conduct_whole(arrays[piece], resistances)[1](gradient[piece]) for piece in pieces])

    return matrices, pull


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
