"""What programmed arrays conduct: devices at their places on the physical arrays, wires solved, read back by layer."""

from typing import NamedTuple

import numpy as np

from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.matrices import transfer_matrix
from tiocross.mapping.layout import lines_that_count

_DEVICES_AT_ONCE = 500_000  # solved together: more take more memory and no less time


class _Piece(NamedTuple):
    """One physical array of some chips: the chips, and for each block its layer, its lines in the layer, and its lines
    among those of the array that count."""

    chips: np.ndarray
    blocks: list


def conduct(layers, layouts, wire_resistance, only=None, ends=(0.0, 0.0)):
    """Transfer matrices of each layer of each chip, or of the layer ``only``, in the place of its conductances; both are
    lists of ``(n_chips, n_word_lines, n_bit_lines)`` [S], with a layout for each chip. Devices not in use are open; ``ends``
    are the resistances of the sources and of the sensing [ohm]."""
    if wire_resistance == 0 and not any(ends):
        return layers
    matrices = [np.empty(layer.shape) for layer in layers]
    for shape, pieces in _pieces_by_shape(layouts, only).items():
        for some in _portions(pieces, max(1, _DEVICES_AT_ONCE // (shape[0] * shape[1]))):
            arrays = np.zeros((sum(len(piece.chips) for piece in some), *shape))
            for piece, here in _places(some):
                for layer, in_layer, in_array in piece.blocks:
                    arrays[here][_of_all(in_array)] = _taken(layers[layer], piece.chips, in_layer)
            found = transfer_matrix(Crossbar(arrays, wire_resistance, source_resistance=ends[0], sense_resistance=ends[1]))
            for piece, here in _places(some):
                for layer, in_layer, in_array in piece.blocks:
                    _put(matrices[layer], piece.chips, in_layer, found[here][_of_all(in_array)])
    return matrices


def whole_arrays(programmed, layout, chips):
    """(n_chips, n_word_lines, n_bit_lines) of each physical array of some chips with one layout [S]. Devices not in use are
    open, unless ``programmed`` has whole arrays, as a fab gives them."""
    given, whole = getattr(programmed, "arrays", None), []
    for k, (shape, blocks) in enumerate(zip(layout.shapes, layout.blocks_of)):
        array = np.zeros((len(chips), *shape)) if given is None else np.stack([given[chip][k] for chip in chips])
        for block in blocks:  # what became of the devices in use since
            layer = programmed.conductances[block.layer][chips]
            array[(slice(None), *block.in_array)] = layer[(slice(None), *block.in_layer)]
        whole.append(array)
    return whole


def by_layout(layouts):
    """Each layout with the numbers of its chips."""
    groups = {}
    for chip, layout in enumerate(layouts):
        groups.setdefault(id(layout), (layout, []))[1].append(chip)
    return list(groups.values())


def _pieces_by_shape(layouts, only):
    """The physical arrays to be solved, by the shape of their part that counts."""
    pieces = {}
    for layout, chips in by_layout(layouts):
        for blocks, used in zip(layout.blocks_of, layout.used):
            if only is None or any(block.layer == only for block in blocks):
                rows, columns = lines_that_count(used)
                shape = len(used[rows]), len(used[0, columns])
                parts = [(block.layer, (_lines(block.layer_rows), _lines(block.layer_columns)),
                          (_lines(block.word_lines - rows.start), _lines(block.bit_lines))) for block in blocks]
                pieces.setdefault(shape, []).append(_Piece(np.array(chips), parts))
    return pieces


def _portions(pieces, most):
    """Lists of pieces with at most so many chips together; a larger piece is cut."""
    portion, n_chips = [], 0
    for piece in pieces:
        for start in range(0, len(piece.chips), most):
            part = piece._replace(chips=piece.chips[start : start + most])
            if n_chips + len(part.chips) > most:
                yield portion
                portion, n_chips = [], 0
            portion.append(part)
            n_chips += len(part.chips)
    yield portion


def _places(pieces):
    """Each piece and where its chips are among those of all."""
    start = 0
    for piece in pieces:
        yield piece, slice(start, start + len(piece.chips))
        start += len(piece.chips)


def _lines(numbers):
    """A slice where lines follow each other, which is taken without a copy; else their numbers."""
    first, last = int(numbers[0]), int(numbers[-1])
    return slice(first, last + 1) if (np.diff(numbers) == 1).all() else numbers


def _of_all(lines):
    """Index of these word lines and bit lines of every chip."""
    rows, columns = lines
    if isinstance(rows, np.ndarray) and isinstance(columns, np.ndarray):
        return slice(None), rows[:, None], columns
    return slice(None), rows, columns


def _taken(layer, chips, lines):
    """(n_chips, n, m) devices of a layer at these lines of some chips."""
    chips = _lines(chips)
    return layer[chips][_of_all(lines)]


def _put(matrix, chips, lines, values):
    """Give some chips' entries of a layer these values."""
    chips, (rows, columns) = _lines(chips), lines
    if isinstance(chips, slice):
        matrix[chips][_of_all(lines)] = values
        return
    rows, columns = (np.arange(n)[lines] for n, lines in zip(matrix.shape[1:], (rows, columns)))
    matrix[np.ix_(chips, rows, columns)] = values
