"""What lies where: which device of which physical array carries which weight of a network.

A block is a part of one layer, some of its word lines (inputs) and some of its bit lines (outputs), each on a line of its
own of a physical array. Several blocks, of one layer or of several, may share an array. What the blocks of one layer
measure is put together digitally: a block that holds other inputs adds to the same outputs, a block that holds other
outputs gives further ones. A block is read with its own word lines driven and all other lines at 0 V.

An array is programmed word line by word line (raster order). So the layout also says how many devices of the same array
are written after each device.
"""

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tiocross.checks import as_count, as_reals, as_shape, short_repr
from tiocross.mapping.mappings import PAIRS, DifferentialPairs, Mapping, ReferenceColumn, as_layer_shapes
from tiocross.records import freeze, short_text

_KINDS = {"differential pairs": DifferentialPairs, "reference column": ReferenceColumn}  # mappings that a file can name


@dataclass(frozen=True, eq=False)
class Block:
    """A part of one layer on a physical array.

    Parameters
    ----------
    layer : int
        Number of the layer, from 0 (unitless).
    array : int
        Number of the physical array (unitless).
    shape : tuple of int
        (n_word_lines, n_bit_lines) of the physical array (unitless).
    layer_rows, layer_columns : (n,), (m,) array_like of int
        Word lines and bit lines of the layer that are here (unitless).
    word_lines, bit_lines : (n,), (m,) array_like of int
        Line of the physical array that carries each of them (unitless).
    """

    layer: int
    array: int
    shape: tuple[int, int]
    layer_rows: np.ndarray
    layer_columns: np.ndarray
    word_lines: np.ndarray
    bit_lines: np.ndarray

    def __repr__(self):
        return short_text(self)

    def __post_init__(self):
        for name in ("layer", "array"):
            object.__setattr__(self, name, as_count(name, getattr(self, name), low=0))
        object.__setattr__(self, "shape", as_shape("the shape of an array", self.shape))
        for name in ("layer_rows", "layer_columns", "word_lines", "bit_lines"):
            _freeze_indices(self, name)
        for lines, physical, size, kind in ((self.layer_rows, self.word_lines, self.shape[0], "word lines"),
                                            (self.layer_columns, self.bit_lines, self.shape[1], "bit lines")):
            n_lines = len(lines)
            if not n_lines == len(physical) == len(np.unique(lines)) == len(np.unique(physical)) or physical.max() >= size:
                raise ValueError(f"a block needs one of its array's {size} {kind} for each of the layer's that it carries; "
                                 f"got {physical.tolist()} for {lines.tolist()}")

    @cached_property
    def in_layer(self):
        """Index of the block's devices among those of its layer, as `numpy.ix_` gives it."""
        return self.layer_rows[:, None], self.layer_columns[None]

    @cached_property
    def in_array(self):
        """Index of the block's devices among those of its array, as `numpy.ix_` gives it."""
        return self.word_lines[:, None], self.bit_lines[None]

    @property
    def pairs(self):
        """Outputs that are here, for blocks of whole differential pairs."""
        return self.layer_columns[0::2] // 2

    @property
    def holds_whole_pairs(self):
        """Whether every other column is a plus side 2 j, followed by its minus side 2 j + 1."""
        plus, minus = self.layer_columns[0::2], self.layer_columns[1::2]
        return len(plus) == len(minus) and not (plus % 2).any() and (minus == plus + 1).all()


class Carried(NamedTuple):
    """What a device carries: its part of the weight from ``input`` (a number, or "bias") to ``output`` (a number, or
    "reference") in ``layer``, with ``polarity`` 1 where its current is added and -1 where it is subtracted."""

    layer: int
    input: int | str
    output: int | str
    polarity: int


@dataclass(frozen=True, eq=False)
class Layout:
    """Blocks that together hold every device of a network's layers exactly once; made by `arrange` or `share_arrays`.

    Lists of arrays, such as `place` gives and `collect` takes, are in the order of ``arrays``.

    Parameters
    ----------
    blocks : tuple of Block
        The parts of all layers.
    layer_shapes : tuple of tuple of int
        (n_word_lines, n_bit_lines) of each layer's devices (unitless).
    mapping : Mapping, optional
        How weights stand on devices.
    without_bias : tuple of int, optional
        Numbers of the layers that have no bias, neither on a word line nor in software (unitless).
    """

    blocks: tuple[Block, ...]
    layer_shapes: tuple[tuple[int, int], ...]
    mapping: Mapping = field(default=PAIRS)
    without_bias: tuple[int, ...] = ()

    def __repr__(self):
        layers = ", ".join(f"{rows} x {columns}" for rows, columns in self.layer_shapes)
        arrays = ", ".join(f"{array} ({rows} x {columns})" for array, (rows, columns) in zip(self.arrays[:8], self.shapes))
        more = ", ..." if len(self.arrays) > 8 else ""
        return f"<Layout: layers of {layers} on arrays {arrays}{more}; {self.mapping!r}>"

    def __post_init__(self):
        object.__setattr__(self, "blocks", tuple(self.blocks))
        _require_mapping(self.mapping)
        shapes = tuple(as_shape("the shape of a layer", shape) for shape in self.layer_shapes)
        object.__setattr__(self, "layer_shapes", shapes)
        lacking = tuple(as_count("without_bias", layer, low=0) for layer in self.without_bias)
        if max(lacking, default=0) >= len(shapes) > 0:
            raise ValueError(f"without_bias must name some of the {len(shapes)} layers; got {lacking}")
        object.__setattr__(self, "without_bias", lacking)
        odd = [shape for shape in shapes if shape[1] % self.mapping.lines_per_output]
        if odd or not shapes:
            raise ValueError(f"layers must have {self.mapping.lines_per_output} bit lines for each output; got "
                             f"{f'the shape {odd[0]}' if odd else 'no layer'}")
        self._require_each_device_once()
        self._require_arrays_not_shared_twice()

    def _require_each_device_once(self):
        counts = [np.zeros(shape, dtype=np.int64) for shape in self.layer_shapes]
        for index, block in enumerate(self.blocks):
            ends = self.layer_shapes[block.layer] if block.layer < len(counts) else (0, 0)
            if block.layer_rows.max() >= ends[0] or block.layer_columns.max() >= ends[1]:
                raise ValueError(f"block {index} holds lines that layer {block.layer} does not have; layers have shapes "
                                 f"{list(self.layer_shapes)}")
            counts[block.layer][block.in_layer] += 1
        for layer, count in enumerate(counts):
            if (count != 1).any():
                i, j = np.argwhere(count != 1)[0]
                raise ValueError(f"blocks must hold each device of a layer once; got word line {i}, bit line {j} of layer "
                                 f"{layer} {count[i, j]} times")

    def _require_arrays_not_shared_twice(self):
        counts = {}
        for block in self.blocks:
            count = counts.setdefault(block.array, np.zeros(block.shape, dtype=np.int64))
            if count.shape != block.shape:
                raise ValueError(f"array {block.array} has one shape; got {count.shape} and {block.shape}")
            count[block.in_array] += 1
            if count.max() > 1:
                i, j = np.argwhere(count > 1)[0]
                raise ValueError(f"a device carries one weight; got two for word line {i}, bit line {j} of array "
                                 f"{block.array}")

    @cached_property
    def arrays(self) -> tuple[int, ...]:
        """Numbers of the physical arrays in use, in the order of their first blocks (unitless)."""
        return tuple(dict.fromkeys(block.array for block in self.blocks))

    @cached_property
    def shapes(self) -> list[tuple[int, int]]:
        """(n_word_lines, n_bit_lines) of each of the ``arrays`` (unitless)."""
        found = {block.array: block.shape for block in self.blocks}
        return [found[array] for array in self.arrays]

    @cached_property
    def used(self) -> list[np.ndarray]:
        """``(n_word_lines, n_bit_lines)`` bool ndarray for each of the ``arrays``: which devices carry something."""
        masks = [np.zeros(shape, dtype=bool) for shape in self.shapes]
        for mask, blocks in zip(masks, self.blocks_of):
            for block in blocks:
                mask[block.in_array] = True
        return masks

    @cached_property
    def blocks_of(self) -> list[list[Block]]:
        """The blocks on each of the ``arrays``."""
        groups = {array: [] for array in self.arrays}
        for block in self.blocks:
            groups[block.array].append(block)
        return list(groups.values())

    @cached_property
    def n_later_writes(self) -> list[np.ndarray]:
        """Number of devices of the same array that are written after each device, in raster order; one array a layer."""
        return self.later_writes([np.cumsum(used, axis=None).reshape(used.shape) for used in self.used])

    def later_writes(self, turns: list) -> list[np.ndarray]:
        """Number of devices of the same array that are written after each device, for another order.

        Parameters
        ----------
        turns : list of (n_word_lines, n_bit_lines) array_like of int
            For each of the ``arrays`` the turn of each device; only the order among devices in use counts (unitless).

        Returns
        -------
        list of (n_word_lines, n_bit_lines) int ndarray
            One array a layer (unitless).
        """
        counts = []
        for order, used in zip(_as_arrays("turns", turns, self.shapes), self.used):
            count = np.zeros(used.shape)
            count[used] = np.argsort(np.argsort(-order[used], kind="stable"))
            counts.append(count)
        return [layer.astype(np.int64) for layer in self.collect(counts)]

    def require_sizes(self, sizes: tuple) -> None:
        """Raise ValueError unless the layout is for a network of these layer sizes, or of layers of these shapes."""
        wanted = layer_shapes(sizes, self.mapping)
        if list(self.layer_shapes) != wanted:
            raise ValueError(f"the layout is for layers of shapes {list(self.layer_shapes)}; the network has {wanted}")
        lacking = layers_without_bias(sizes)
        if self.without_bias != lacking:
            raise ValueError(f"the layout has layers {self.without_bias} without bias, network.shapes has {lacking}")

    def has_bias_line(self, layer: int) -> bool:
        """Whether the last word line of a layer carries its bias."""
        is_digital = self.mapping.digital_output_bias and layer == len(self.layer_shapes) - 1
        return not is_digital and layer not in self.without_bias

    def place(self, layers: list) -> list[np.ndarray]:
        """Values of the layers' devices at their places on the physical arrays.

        Parameters
        ----------
        layers : list of (..., n_word_lines, n_bit_lines) array_like
            One array a layer, for example targets [S].

        Returns
        -------
        list of (..., n_word_lines, n_bit_lines) ndarray
            One array for each of ``arrays``; NaN where the array has no device in use [S].
        """
        layers = _as_arrays("layers", layers, self.layer_shapes)
        placed = []
        for shape, blocks in zip(self.shapes, self.blocks_of):
            leading = _common_leading("layers that share an array", [layers[block.layer] for block in blocks])
            array = np.full((*leading, *shape), np.nan)
            for block in blocks:
                array[(..., *block.in_array)] = layers[block.layer][(..., *block.in_layer)]
            placed.append(array)
        return placed

    def collect(self, arrays: list) -> list[np.ndarray]:
        """Values of the layers' devices from those of the physical arrays; the inverse of `place`.

        Parameters
        ----------
        arrays : list of (..., n_word_lines, n_bit_lines) array_like
            One for each of ``arrays``: conductances, or the transfer matrix of the whole physical array [S].

        Returns
        -------
        list of (..., n_word_lines, n_bit_lines) ndarray
            One array a layer [S].

        Notes
        -----
        A linear array gives the currents ``voltages @ matrix``. Where a layer's inputs are split over blocks A and B, the
        digital sum ``v_A @ matrix_A + v_B @ matrix_B`` is the product of all inputs with both blocks, one below the
        other; where its outputs are split, the blocks stand side by side. So one matrix a layer says what the blocks
        compute together.
        """
        arrays = _as_arrays("arrays", arrays, self.shapes)
        leading = _common_leading("arrays", arrays)
        layers = [np.full((*leading, *shape), np.nan) for shape in self.layer_shapes]
        for array, blocks in zip(arrays, self.blocks_of):
            for block in blocks:
                layers[block.layer][(..., *block.in_layer)] = array[(..., *block.in_array)]
        return layers

    def carried_by(self, index: int, word_line: int, bit_line: int) -> Carried | None:
        """What a device of a physical array carries; ValueError if the array has no such device.

        Parameters
        ----------
        index : int
            Place of the array in ``arrays`` (unitless).
        word_line, bit_line : int
            Lines of the physical array (unitless).

        Returns
        -------
        Carried or None
            None, if the device is not in use.
        """
        for name, number in (("index", index), ("word_line", word_line), ("bit_line", bit_line)):
            as_count(name, number, low=0)
        ends = self.shapes[index] if index < len(self.arrays) else (0, 0)
        if not (word_line < ends[0] and bit_line < ends[1]):
            raise ValueError(f"there is no word line {word_line}, bit line {bit_line} on array {index} of the layout; its "
                             f"arrays have shapes {self.shapes}")
        for block in self.blocks_of[index]:
            rows = block.layer_rows[block.word_lines == word_line]
            columns = block.layer_columns[block.bit_lines == bit_line]
            if len(rows) and len(columns):
                return self._carried(block.layer, int(rows[0]), int(columns[0]))
        return None

    def _carried(self, layer, row, column):
        n_word_lines, n_bit_lines = self.layer_shapes[layer]
        is_bias = self.has_bias_line(layer) and row == n_word_lines - 1
        return Carried(layer, "bias" if is_bias else row, *self.mapping.output_of(column, n_bit_lines))

    def to_json(self) -> dict:
        """Content of a file: plain numbers, lists and dicts."""
        names = [field.name for field in fields(Block)]
        blocks = [{name: np.asarray(getattr(block, name)).tolist() for name in names} for block in self.blocks]
        kind = next((name for name, kind in _KINDS.items() if type(self.mapping) is kind), None)
        if kind is None:
            raise ValueError(f"files know the mappings {', '.join(_KINDS)}; got {type(self.mapping).__name__}")
        lacking = {"without_bias": list(self.without_bias)} if self.without_bias else {}
        return {"mapping": kind, "digital_output_bias": self.mapping.digital_output_bias,
                "layer_shapes": [list(shape) for shape in self.layer_shapes], **lacking, "blocks": blocks}

    @classmethod
    def from_json(cls, content: dict) -> "Layout":
        """Layout that `to_json` gave as ``content``."""
        try:
            mapping = _KINDS[content["mapping"]](content["digital_output_bias"])
            return cls(tuple(Block(**block) for block in content["blocks"]), content["layer_shapes"], mapping,
                       tuple(content.get("without_bias", ())))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("layout must hold 'mapping', 'layer_shapes' and 'blocks' as Layout.to_json writes them: "
                             f"{error}") from None


def lines_that_count(used):
    """Index of the part of an array that its devices in use, a bool (n_word_lines, n_bit_lines) mask, are read through.

    Word lines before the first in use and bit lines behind the last carry no current to the sense amplifiers."""
    first, last = int(used.any(axis=1).argmax()), used.shape[1] - int(used.any(axis=0)[::-1].argmax())
    return np.s_[first:, :last]


def layer_shapes(sizes, mapping=PAIRS):
    """(n_word_lines, n_bit_lines) of each layer's devices, for layer sizes or ``network.shapes``."""
    _require_mapping(mapping)
    if not isinstance(sizes, (tuple, list)):
        raise TypeError(f"sizes must be a network's layer sizes, such as (2, 8, 1); got {short_repr(sizes)}")
    if any(isinstance(size, (tuple, list)) for size in sizes):
        sizes = [shape for shape in sizes if as_shape("the shape of a layer", shape)]
    elif len(sizes) < 2:
        raise ValueError(f"sizes must have inputs and outputs of at least one layer, as (2, 8, 1); got {short_repr(sizes)}")
    else:
        sizes = [as_count("a layer size", size) for size in sizes]
    shapes = mapping.shapes_of(sizes)
    if shapes[-1][0] < 1:
        raise ValueError(f"the last layer must have a word line besides its bias in software; got {tuple(sizes[-1])}")
    return [(n_word_lines, mapping.n_bit_lines(n_outputs)) for n_word_lines, n_outputs in shapes]


def layers_without_bias(sizes):
    """Numbers of the layers without bias, for layer sizes or shapes of layers as `layer_shapes` takes them."""
    return tuple(layer for layer, shape in enumerate(as_layer_shapes(sizes)) if not shape.has_bias)


def _as_arrays(what, arrays, shapes):
    arrays = [as_reals(f"{what}[{index}]", array) for index, array in enumerate(arrays)]
    got = [array.shape[-2:] for array in arrays]
    if got != list(shapes):
        turned = any(one != other and one == other[::-1] for one, other in zip(got, shapes))
        raise ValueError(f"{what} must have shapes (..., *shape) of {list(shapes)}; got {[array.shape for array in arrays]}"
                         + ("; transposed?" if turned else ""))
    return arrays


def _require_mapping(mapping):
    if not isinstance(mapping, Mapping):
        raise TypeError(f"mapping must be a Mapping, such as DifferentialPairs(); got {mapping!r}")


def _common_leading(what, arrays):
    """The leading axes, which are batch, that all these arrays have."""
    if len(leading := {array.shape[:-2] for array in arrays}) > 1:
        raise ValueError(f"{what} must all have the same leading axes; got {sorted(leading)}")
    return leading.pop()


def _freeze_indices(record, name):
    indices = np.array(getattr(record, name))
    if indices.ndim != 1 or not indices.size or indices.dtype.kind not in "iu" or indices.min() < 0:
        raise ValueError(f"{name} of a block must be a list of line numbers from 0; got {getattr(record, name)!r}")
    object.__setattr__(record, name, freeze(indices.astype(np.int64)))
