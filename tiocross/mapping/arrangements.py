"""Ready-made layouts: one block an array, or blocks of several layers on shared arrays."""

import numpy as np

from tiocross.checks import as_shape, require_memory
from tiocross.mapping.layout import Block, Layout, layer_shapes, layers_without_bias
from tiocross.mapping.mappings import PAIRS, Mapping

_MOST_BLOCKS = 100_000  # some 3 kB and 0.1 ms each
_BYTES_PER_DEVICE = 32  # while it is checked that each is there once


def arrange(sizes: tuple, array_shape: tuple[int, int] | None = None, *, mapping: Mapping = PAIRS) -> Layout:
    """Layout with one block on each array: the fewest such arrays, blocks as even as possible.

    Parameters
    ----------
    sizes : tuple of int or of tuple of int
        Layer sizes of a perceptron: inputs, hidden units, outputs; ``network.sizes``. Or the (n_word_lines, n_outputs) of
        each layer, bias included, of any network: ``network.shapes`` (unitless).
    array_shape : tuple of int, optional
        (n_word_lines, n_bit_lines) of every physical array; without it each layer has one array of its own size (unitless).
    mapping : Mapping, optional
        How weights stand on devices.

    Returns
    -------
    Layout
        Block k on physical array k, on the bit lines next to the sources and on the word lines next to the sense
        amplifiers, where wires drop the least; the blocks of a layer follow each other in raster order.

    Raises
    ------
    ValueError
        If an array has fewer bit lines than one output needs.

    Examples
    --------
    >>> from tiocross import arrange
    >>> layout = arrange((2, 8, 1), (8, 8))
    >>> [(block.layer, block.array, len(block.word_lines), len(block.bit_lines)) for block in layout.blocks]
    [(0, 0, 3, 8), (0, 1, 3, 8), (1, 2, 5, 2), (1, 3, 4, 2)]
    """
    shapes = layer_shapes(sizes, mapping)
    common = None if array_shape is None else _as_array_shape(array_shape, mapping)
    _require_feasible(shapes, common, mapping)
    blocks = []
    for layer, shape in enumerate(shapes):
        ends = common or shape
        for rows, columns in _cut(shape, ends, mapping.lines_per_output):
            word_lines = np.arange(len(rows)) + ends[0] - len(rows)
            blocks.append(Block(layer, len(blocks), ends, rows, columns, word_lines, np.arange(len(columns))))
    return Layout(tuple(blocks), tuple(shapes), mapping,
                  layers_without_bias(sizes))


def share_arrays(sizes: tuple, array_shape: tuple[int, int], *, mapping: Mapping = PAIRS) -> Layout:
    """Layout in which blocks of all layers share arrays, cut so that they fill what earlier blocks left free.

    Parameters
    ----------
    sizes : tuple of int or of tuple of int
        Layer sizes of a perceptron: inputs, hidden units, outputs; ``network.sizes``. Or the (n_word_lines, n_outputs) of
        each layer, bias included, of any network: ``network.shapes`` (unitless).
    array_shape : tuple of int
        (n_word_lines, n_bit_lines) of every physical array (unitless).
    mapping : Mapping, optional
        How weights stand on devices.

    Returns
    -------
    Layout
        Blocks on as few arrays as cutting row by row from the top finds.

    Notes
    -----
    Each free rectangle is filled from its upper left corner; what remains beside and below it is free again. A layer that
    does not fit is cut between word lines, its parts then add up digitally. The 2-8-1 network of Drolet et al.
    (arXiv:2305.18495), its output bias in software, fills one 8 x 8 array: 24 + 24 + 4 + 4 + 4 + 4 devices.

    Examples
    --------
    >>> from tiocross import DifferentialPairs, share_arrays
    >>> layout = share_arrays((2, 8, 1), (8, 8), mapping=DifferentialPairs(digital_output_bias=True))
    >>> layout.arrays, len(layout.blocks), int(layout.used[0].sum())
    ((0,), 6, 64)
    """
    ends = _as_array_shape(array_shape, mapping)
    shapes = layer_shapes(sizes, mapping)
    _require_feasible(shapes, ends, mapping)
    free, blocks, n_arrays = [], [], 0  # free: (array, first word line, first bit line, word lines, bit lines)
    for layer, (n_word_lines, n_bit_lines) in enumerate(shapes):
        for _, columns in _cut((1, n_bit_lines), ends, mapping.lines_per_output):
            first = 0
            while first < n_word_lines:
                if not any(space[4] >= len(columns) for space in free):
                    free.append((n_arrays, 0, 0, *ends))
                    n_arrays += 1
                found = next(space for space in free if space[4] >= len(columns))
                n = min(found[3], n_word_lines - first)
                blocks.append((found[0], layer, np.arange(first, first + n), columns, found[1], found[2]))
                free = _fill(free, found, n, len(columns))
                first += n
    return Layout(tuple(Block(layer, array, ends, rows, columns, top + np.arange(len(rows)), left + np.arange(len(columns)))
                        for array, layer, rows, columns, top, left in blocks), tuple(shapes), mapping,
                  layers_without_bias(sizes))


def _fill(free, space, n_word_lines, n_bit_lines):
    """Free rectangles after a block was put into the corner of one of them: beside it first, then below."""
    array, top, left, height, width = space
    beside = (array, top, left + n_bit_lines, n_word_lines, width - n_bit_lines)
    below = (array, top + n_word_lines, left, height - n_word_lines, width)
    at = free.index(space)
    return free[:at] + [rest for rest in (beside, below) if rest[3] and rest[4]] + free[at + 1 :]


def _cut(shape, ends, lines_per_output):
    """(rows, columns) of a layer in the fewest blocks that fit on arrays of shape ``ends``, outputs kept whole."""
    outputs = _split_evenly(shape[1] // lines_per_output, ends[1] // lines_per_output)
    return [(rows, np.arange(lines_per_output * group[0], lines_per_output * (group[-1] + 1)))
            for rows in _split_evenly(shape[0], ends[0]) for group in outputs]


def _split_evenly(n_lines, most):
    """Lines 0 .. n_lines - 1 in the fewest groups of at most ``most``, larger ones first."""
    return np.array_split(np.arange(n_lines), -(-n_lines // most))


def _require_feasible(shapes, ends, mapping):
    """Raise ValueError if a layout of these layers would be too large to be handled."""
    n_devices = sum(rows * columns for rows, columns in shapes)
    require_memory(f"a layout of {n_devices} devices", _BYTES_PER_DEVICE * n_devices, "give smaller layers")
    if ends is None:
        return
    outputs = ends[1] // mapping.lines_per_output
    n_blocks = sum(-(-rows // ends[0]) * -(-(columns // mapping.lines_per_output) // outputs) for rows, columns in shapes)
    if n_blocks > _MOST_BLOCKS:
        raise ValueError(f"layers of {n_devices} devices would be cut into {n_blocks} blocks on arrays of {ends[0]} x "
                         f"{ends[1]}; a layout has at most {_MOST_BLOCKS}: give larger arrays")


def _as_array_shape(shape, mapping):
    shape = as_shape("array_shape", shape)
    if shape[1] < mapping.lines_per_output:
        raise ValueError(f"array_shape must have at least {mapping.lines_per_output} bit lines, for one output; got {shape}")
    return shape
