"""A layer on several physical arrays, and which device carries which weight.

A tile is one physical array with one block of one layer on it: some of the layer's word lines (inputs) and some of its
bit lines (outputs, in pairs), each at a line of its own of the array. What the tiles of one layer measure is put together
digitally: a tile that holds other inputs adds to the same outputs, a tile that holds other outputs gives further ones.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from tiocross.checks import as_count, as_reals


@dataclass(frozen=True, eq=False)
class Tile:
    """One physical array and the block of a layer on it.

    Parameters
    ----------
    layer : int
        Number of the layer (unitless).
    array : int
        Number of the physical array (unitless).
    shape : tuple of int
        (n_rows, n_columns) of the physical array: word lines, bit lines (unitless).
    rows, columns : (n,), (m,) array_like of int
        Word lines and bit lines of the layer's array that are here; the two bit lines of a pair, 2 j and 2 j + 1, follow
        each other (unitless).
    word_lines, bit_lines : (n,), (m,) array_like of int
        Physical line that carries each of them (unitless).
    """

    layer: int
    array: int
    shape: tuple
    rows: np.ndarray
    columns: np.ndarray
    word_lines: np.ndarray
    bit_lines: np.ndarray

    def __post_init__(self):
        for name in ("layer", "array"):
            object.__setattr__(self, name, as_count(name, getattr(self, name), low=0))
        object.__setattr__(self, "shape", _as_shape("the shape of a tile", self.shape))
        for name in ("rows", "columns", "word_lines", "bit_lines"):
            _freeze_indices(self, name)
        for lines, physical, size, kind in ((self.rows, self.word_lines, self.shape[0], "word lines"),
                                            (self.columns, self.bit_lines, self.shape[1], "bit lines")):
            n_lines = len(lines)
            if not n_lines == len(physical) == len(np.unique(lines)) == len(np.unique(physical)) or physical.max() >= size:
                raise ValueError(f"a tile needs one of its {size} {kind} for each of the layer's that it carries; got "
                                 f"{physical.tolist()} for {lines.tolist()}")
        plus, minus = self.columns[0::2], self.columns[1::2]
        if len(plus) != len(minus) or (plus % 2 != 0).any() or (minus != plus + 1).any():
            raise ValueError(f"columns of a tile must be whole pairs, 2 j followed by 2 j + 1; got {self.columns.tolist()}")

    @property
    def pairs(self):
        """Outputs of the layer that are here, one for two bit lines (unitless)."""
        return self.columns[0::2] // 2

    @property
    def used(self):
        """``(n_rows, n_columns)`` bool ndarray: which devices of the array carry something (unitless)."""
        used = np.zeros(self.shape, dtype=bool)
        used[np.ix_(self.word_lines, self.bit_lines)] = True
        return used


class Carried(NamedTuple):
    """What a device carries: its part of the weight from ``input`` (a number, or "bias") to ``output`` in ``layer``,
    with ``polarity`` 1 on the plus side of its pair and -1 on the minus side."""

    layer: int
    input: int | str
    output: int
    polarity: int


@dataclass(frozen=True, eq=False)
class Layout:
    """Tiles that together hold every device of a network's layers exactly once.

    Lists of arrays, such as `place` gives and `collect` takes, are in the order of ``tiles``.

    Parameters
    ----------
    tiles : tuple of Tile
        One for each physical array in use (unitless).
    layer_shapes : tuple of tuple of int
        (n_inputs + 1, 2 n_outputs) of each layer's array (unitless).
    """

    tiles: tuple
    layer_shapes: tuple

    def __post_init__(self):
        object.__setattr__(self, "tiles", tuple(self.tiles))
        object.__setattr__(self, "layer_shapes", _as_layer_shapes(self.layer_shapes))
        counts = [np.zeros(shape, dtype=np.int64) for shape in self.layer_shapes]
        for index, tile in enumerate(self.tiles):
            ends = self.layer_shapes[tile.layer] if tile.layer < len(counts) else (0, 0)
            if tile.rows.max() >= ends[0] or tile.columns.max() >= ends[1]:
                raise ValueError(f"tile {index} holds lines that layer {tile.layer} does not have; layers have shapes "
                                 f"{list(self.layer_shapes)}")
            counts[tile.layer][np.ix_(tile.rows, tile.columns)] += 1
        for layer, count in enumerate(counts):
            if (count != 1).any():
                i, j = np.argwhere(count != 1)[0]
                raise ValueError(f"tiles must hold each device of a layer once; got word line {i}, bit line {j} of layer "
                                 f"{layer} {count[i, j]} times")
        arrays = [tile.array for tile in self.tiles]
        if len(set(arrays)) != len(arrays):
            raise ValueError(f"each tile needs a physical array of its own; got arrays {arrays}")

    @property
    def shapes(self):
        """(n_rows, n_columns) of each tile's physical array (unitless)."""
        return [tile.shape for tile in self.tiles]

    def place(self, layers):
        """Values of the layers' devices at their places on the physical arrays.

        Parameters
        ----------
        layers : list of (..., n_inputs + 1, 2 n_outputs) array_like
            One array a layer, for example targets [S].

        Returns
        -------
        list of (..., n_rows, n_columns) ndarray
            One array a tile; NaN where the array has no device in use [S].
        """
        layers = _as_arrays("layers", layers, self.layer_shapes)
        placed = []
        for tile in self.tiles:
            values = layers[tile.layer]
            array = np.full((*values.shape[:-2], *tile.shape), np.nan)
            array[..., tile.word_lines[:, None], tile.bit_lines] = values[..., tile.rows[:, None], tile.columns]
            placed.append(array)
        return placed

    def collect(self, arrays):
        """Values of the layers' devices from those of the physical arrays; the inverse of `place`.

        Parameters
        ----------
        arrays : list of (..., n_rows, n_columns) array_like
            One array a tile: conductances, or the transfer matrix of the whole physical array [S].

        Returns
        -------
        list of (..., n_inputs + 1, 2 n_outputs) ndarray
            One array a layer [S].

        Notes
        -----
        A linear array gives the currents ``voltages @ matrix``. Where a layer's inputs are split over tiles A and B, the
        digital sum ``v_A @ matrix_A + v_B @ matrix_B`` is the product of all inputs with both blocks, one below the
        other; where its outputs are split, the blocks stand side by side. So one matrix a layer says what the tiles
        compute together. Lines that are not in use are taken to be at 0 V, and their currents are not looked at.
        """
        arrays = _as_arrays("arrays", arrays, self.shapes)
        if len(leading := {array.shape[:-2] for array in arrays}) > 1:
            raise ValueError(f"arrays must all have the same leading axes; got {sorted(leading)}")
        layers = [np.full((*arrays[0].shape[:-2], *shape), np.nan) for shape in self.layer_shapes]
        for tile, array in zip(self.tiles, arrays):
            layers[tile.layer][..., tile.rows[:, None], tile.columns] = array[..., tile.word_lines[:, None], tile.bit_lines]
        return layers

    def where(self, layer, row, column):
        """Place of a device of a layer; ValueError if the layer has no such device.

        Parameters
        ----------
        layer, row, column : int
            The layer, and word line and bit line of its array (unitless).

        Returns
        -------
        tuple of int
            Tile, and word line and bit line of its physical array (unitless).
        """
        for index, tile in enumerate(self.tiles):
            word_lines, bit_lines = tile.word_lines[tile.rows == row], tile.bit_lines[tile.columns == column]
            if tile.layer == layer and len(word_lines) and len(bit_lines):
                return index, int(word_lines[0]), int(bit_lines[0])
        raise ValueError(f"no layer has word line {row}, bit line {column} as layer {layer}; layers have shapes "
                         f"{list(self.layer_shapes)}")

    def carried_by(self, tile, word_line, bit_line):
        """What a device of a physical array carries; ValueError if the array has no such device.

        Parameters
        ----------
        tile, word_line, bit_line : int
            Tile, and word line and bit line of its physical array (unitless).

        Returns
        -------
        Carried or None
            None, if the device is not in use.
        """
        for name, number in (("tile", tile), ("word_line", word_line), ("bit_line", bit_line)):
            as_count(name, number, low=0)
        ends = self.tiles[tile].shape if tile < len(self.tiles) else (0, 0)
        if not (word_line < ends[0] and bit_line < ends[1]):
            raise ValueError(f"there is no word line {word_line}, bit line {bit_line} on tile {tile}; tiles have shapes "
                             f"{self.shapes}")
        place = self.tiles[tile]
        rows, columns = place.rows[place.word_lines == word_line], place.columns[place.bit_lines == bit_line]
        if not (len(rows) and len(columns)):
            return None
        row, column = int(rows[0]), int(columns[0])
        n_inputs = self.layer_shapes[place.layer][0] - 1
        return Carried(place.layer, "bias" if row == n_inputs else row, column // 2, 1 - 2 * (column % 2))

    def to_json(self):
        """Content of a file: plain numbers, lists and dicts, counts and positions without unit (unitless)."""
        names = [field.name for field in fields(Tile)]
        tiles = [{name: np.asarray(getattr(tile, name)).tolist() for name in names} for tile in self.tiles]
        return {"layer_shapes": [list(shape) for shape in self.layer_shapes], "tiles": tiles}

    @classmethod
    def from_json(cls, content):
        """Layout that `to_json` gave as ``content`` (unitless)."""
        try:
            return cls(tuple(Tile(**tile) for tile in content["tiles"]), content["layer_shapes"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"layout must hold 'layer_shapes' and 'tiles' as Layout.to_json writes them: {error}") from None


def arrange(layer_shapes, tile_shape):
    """Layout of layers on arrays of one shape: the fewest arrays, blocks as even as possible, lines from 0 on.

    Parameters
    ----------
    layer_shapes : sequence of tuple of int
        (n_inputs + 1, 2 n_outputs) of each layer's array; ``[targets.shape for targets in map_weights(...)]`` (unitless).
    tile_shape : tuple of int
        (n_rows, n_columns) of every physical array: word lines, bit lines (unitless).

    Returns
    -------
    Layout
        Tile k on physical array k; the blocks of a layer follow each other in raster order.
    """
    n_rows, n_columns = tile_shape = _as_shape("tile_shape", tile_shape)
    if n_columns < 2:
        raise ValueError(f"tile_shape must have at least two bit lines, for a pair; got {tile_shape}")
    layer_shapes = _as_layer_shapes(layer_shapes)
    tiles = []
    for layer, (n_word_lines, n_bit_lines) in enumerate(layer_shapes):
        for rows in _split_evenly(n_word_lines, n_rows):
            for outputs in _split_evenly(n_bit_lines // 2, n_columns // 2):
                columns = np.arange(2 * outputs[0], 2 * outputs[-1] + 2)
                lines = np.arange(len(rows)), np.arange(len(columns))
                tiles.append(Tile(layer, len(tiles), tile_shape, rows, columns, *lines))
    return Layout(tuple(tiles), layer_shapes)


def _split_evenly(n_lines, most):
    """Lines 0 .. n_lines - 1 in the fewest groups of at most ``most``, larger ones first."""
    return np.array_split(np.arange(n_lines), -(-n_lines // most))


def _as_shape(what, shape):
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        raise TypeError(f"{what} must be a pair such as (8, 8), word lines and bit lines; got {shape!r}")
    return tuple(as_count(what, size) for size in shape)


def _as_layer_shapes(shapes):
    shapes = tuple(_as_shape("the shape of a layer", shape) for shape in shapes)
    odd = [shape for shape in shapes if shape[1] % 2]
    if odd or not shapes:
        raise ValueError(f"layers must have shapes (n_inputs + 1, 2 n_outputs), a pair of bit lines for each output; got "
                         f"{odd[0] if odd else 'none'}")
    return shapes


def _as_arrays(what, arrays, shapes):
    arrays = [as_reals(f"{what}[{index}]", array) for index, array in enumerate(arrays)]
    got = [array.shape[-2:] for array in arrays]
    if got != list(shapes):
        turned = any(one != other and one == other[::-1] for one, other in zip(got, shapes))
        raise ValueError(f"{what} must have shapes (..., *shape) of {list(shapes)}; got {[array.shape for array in arrays]}"
                         + ("; transposed?" if turned else ""))
    return arrays


def _freeze_indices(record, name):
    indices = np.array(getattr(record, name))
    if indices.ndim != 1 or not indices.size or indices.dtype.kind not in "iu" or indices.min() < 0:
        raise ValueError(f"{name} of a tile must be a list of line numbers from 0; got {getattr(record, name)!r}")
    indices = indices.astype(np.int64)
    indices.flags.writeable = False
    object.__setattr__(record, name, indices)
