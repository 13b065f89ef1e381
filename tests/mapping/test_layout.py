"""Layers on physical arrays: blocks, places, what is written later, and the way there and back."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    MLP,
    TIO2,
    Crossbar,
    DifferentialPairs,
    Layout,
    LineFailures,
    ReferenceColumn,
    arrange,
    map_weights,
    share_arrays,
    transfer_matrix,
)
from tiocross.devices.programming import program
from tiocross.devices.writes import draw_line_failures, draw_writes
from tiocross.mapping.arrangements import arrange as arrange_in_room
from tiocross.mapping.draws import draw_chips
from tiocross.mapping.layout import Block, Carried, layer_shapes

RNG = np.random.default_rng
PAIRS = DifferentialPairs()
SOFTWARE_BIAS = DifferentialPairs(digital_output_bias=True)
SIZES = (2, 8, 1)
SHAPES = [(3, 16), (9, 2)]  # of a 2-8-1 network on pairs
CASES = [(SIZES, (8, 8)), (SIZES, (5, 7)), ((11, 11, 3, 1), (5, 8)), ((1, 1), (2, 2)), (SIZES, (64, 64))]
ONE_ARRAY = share_arrays(SIZES, (8, 8), mapping=SOFTWARE_BIAS)
LAYOUTS = {
    "one block an array": arrange(SIZES, (5, 7)),
    "an array a layer": arrange(SIZES),
    "one shared array": ONE_ARRAY,
    "shared arrays": share_arrays((5, 6, 4, 2), (6, 8)),
    "reference column": arrange((4, 6, 3), (3, 4), mapping=ReferenceColumn()),
    "shared with a reference": share_arrays((4, 6, 3), (7, 9), mapping=ReferenceColumn(digital_output_bias=True)),
}
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def some_layers(shapes, *leading, seed=0):
    rng = RNG(seed)
    return [rng.random((*leading, *shape)) for shape in shapes]


def scattered(layout, shape=(12, 18), seed=1):
    """The same blocks on larger arrays of their own, on scattered lines, in exchanged arrays."""
    rng = RNG(seed)
    arrays = rng.permutation(len(layout.blocks))
    return Layout(tuple(Block(block.layer, int(array), shape, block.layer_rows, block.layer_columns,
                              rng.permutation(shape[0])[: len(block.layer_rows)],
                              rng.permutation(shape[1])[: len(block.layer_columns)])
                        for block, array in zip(layout.blocks, arrays)), layout.layer_shapes, layout.mapping)


# Which device carries what.


def test_blocks_of_the_published_network_on_8_x_8():
    layout = arrange(SIZES, (8, 8))
    blocks = layout.blocks
    assert [(block.layer, len(block.layer_rows), len(block.layer_columns)) for block in blocks] == [
        (0, 3, 8), (0, 3, 8), (1, 5, 2), (1, 4, 2)]
    assert [block.array for block in blocks] == [0, 1, 2, 3] and layout.arrays == (0, 1, 2, 3)
    assert blocks[1].layer_columns.tolist() == list(range(8, 16)) and blocks[1].pairs.tolist() == [4, 5, 6, 7]
    # Next to the sense amplifiers, which are at the last word line, and to the sources, at the first bit line.
    assert blocks[3].layer_rows.tolist() == [5, 6, 7, 8] and blocks[3].word_lines.tolist() == [4, 5, 6, 7]
    assert blocks[0].word_lines.tolist() == [5, 6, 7] and blocks[2].bit_lines.tolist() == [0, 1]
    assert arrange is arrange_in_room


@pytest.mark.parametrize(("sizes", "array_shape"), CASES)
def test_fewest_arrays_and_even_blocks(sizes, array_shape):
    layout = arrange(sizes, array_shape)
    assert list(layout.layer_shapes) == [(n + 1, 2 * m) for n, m in zip(sizes, sizes[1:])]
    for layer, (n_rows, n_columns) in enumerate(layout.layer_shapes):
        blocks = [block for block in layout.blocks if block.layer == layer]
        assert len(blocks) == -(-n_rows // array_shape[0]) * -(-n_columns // (array_shape[1] // 2 * 2))
        for lengths in ({len(block.layer_rows) for block in blocks}, {len(block.pairs) for block in blocks}):
            assert max(lengths) - min(lengths) <= 1
        for block in blocks:
            assert block.holds_whole_pairs and block.shape == array_shape
            assert block.word_lines.tolist() == [*range(array_shape[0] - len(block.layer_rows), array_shape[0])]
            assert block.bit_lines.tolist() == [*range(len(block.layer_columns))]


def test_without_a_shape_each_layer_is_an_array_of_its_own_size():
    layout = arrange((5, 6, 4, 2), mapping=SOFTWARE_BIAS)
    assert layout.shapes == [(6, 12), (7, 8), (4, 4)] == list(layout.layer_shapes) and layout.arrays == (0, 1, 2)
    assert all(used.all() for used in layout.used)


def test_the_published_network_fills_one_8_x_8_array():
    """By hand: 3 x 16 is cut into two blocks of 3 x 8, one below the other; 8 x 2 fills the two word lines left by fours."""
    blocks = ONE_ARRAY.blocks
    assert [(block.layer, block.array, len(block.layer_rows), len(block.layer_columns)) for block in blocks] == [
        (0, 0, 3, 8), (0, 0, 3, 8), *[(1, 0, 2, 2)] * 4]
    assert [(int(block.word_lines[0]), int(block.bit_lines[0])) for block in blocks] == [
        (0, 0), (3, 0), (6, 0), (6, 2), (6, 4), (6, 6)]
    assert [block.layer_rows.tolist() for block in blocks[2:]] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert ONE_ARRAY.arrays == (0,) and ONE_ARRAY.shapes == [(8, 8)] and ONE_ARRAY.used[0].all()
    count = np.zeros((8, 8), dtype=int)
    for block in blocks:
        count[np.ix_(block.word_lines, block.bit_lines)] += 1
    assert (count == 1).all()


def test_sharing_takes_no_more_arrays_than_one_block_each():
    for sizes, shape, mapping in itertools.product([SIZES, (5, 6, 4, 2), (3, 20, 1), (17, 3)], [(8, 8), (5, 7), (3, 4)],
                                                   [PAIRS, SOFTWARE_BIAS, ReferenceColumn()]):
        shared, alone = share_arrays(sizes, shape, mapping=mapping), arrange(sizes, shape, mapping=mapping)
        assert len(shared.arrays) <= len(alone.arrays) and shared.arrays == tuple(range(len(shared.arrays)))
        n_devices = sum(rows * columns for rows, columns in layer_shapes(sizes, mapping))
        assert sum(int(used.sum()) for used in shared.used) == sum(int(used.sum()) for used in alone.used) == n_devices


@every_layout
@pytest.mark.parametrize("move", [lambda layout: layout, scattered], ids=["as made", "scattered"])
def test_every_device_carries_one_part_of_one_weight(layout, move):
    layout, seen = move(layout), {}
    for index, (shape, used) in enumerate(zip(layout.shapes, layout.used)):
        for i, j in np.ndindex(shape):
            carried = layout.carried_by(index, i, j)
            assert (carried is None) == (not used[i, j])
            if carried is not None:
                assert carried not in seen
                seen[carried] = index, i, j
    wanted, n_layers = set(), len(layout.layer_shapes)
    for layer, (n_rows, n_columns) in enumerate(layout.layer_shapes):
        has_bias = layer < n_layers - 1 or not layout.mapping.digital_output_bias
        for row, column in np.ndindex(n_rows, n_columns):
            source = "bias" if has_bias and row == n_rows - 1 else row
            if isinstance(layout.mapping, DifferentialPairs):
                wanted.add(Carried(layer, source, column // 2, -1 if column % 2 else 1))
            else:
                wanted.add(Carried(layer, source, *(("reference", -1) if column == n_columns - 1 else (column, 1))))
    assert set(seen) == wanted
    # The same places as those of the values: each device's number comes out where it was put.
    numbers = [np.arange(rows * columns).reshape(rows, columns) + 1000 * layer
               for layer, (rows, columns) in enumerate(layout.layer_shapes)]
    placed = layout.place(numbers)
    for (layer, source, output, polarity), (index, i, j) in seen.items():
        n_rows, n_columns = layout.layer_shapes[layer]
        row = n_rows - 1 if source == "bias" else source
        pairs = isinstance(layout.mapping, DifferentialPairs)
        column = 2 * output + (polarity < 0) if pairs else n_columns - 1 if output == "reference" else output
        assert placed[index][i, j] == 1000 * layer + n_columns * row + column


# There and back.


@pytest.mark.parametrize("move", [lambda layout: layout, scattered], ids=["as made", "scattered"])
@every_layout
def test_collect_undoes_place(layout, move):
    layout = move(layout)
    for leading in ((), (4,), (2, 3)):
        layers = some_layers(layout.layer_shapes, *leading)
        placed = layout.place(layers)
        assert [array.shape for array in placed] == [(*leading, *shape) for shape in layout.shapes]
        for array, used in zip(placed, layout.used, strict=True):
            np.testing.assert_array_equal(~np.isnan(array), np.broadcast_to(used, array.shape))
        for before, after in zip(layers, layout.collect(placed), strict=True):
            np.testing.assert_array_equal(before, after)
        for before, after in zip(placed, layout.place(layout.collect(placed)), strict=True):
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("sizes", "array_shape"), CASES[:4])
@pytest.mark.parametrize("move", [lambda layout: layout, scattered], ids=["as made", "scattered"])
def test_collect_undoes_place_on_arrays_of_many_shapes(sizes, array_shape, move):
    layout = move(arrange(sizes, array_shape))
    layers = some_layers(layout.layer_shapes)
    for before, after in zip(layers, layout.collect(layout.place(layers)), strict=True):
        np.testing.assert_array_equal(before, after)


def test_partial_sums_of_solved_arrays_add_up_to_the_layer():
    # With wires each array has a transfer matrix of its own; what its word lines do adds to the layer's outputs.
    layout = scattered(arrange((6, 6), (3, 6)), shape=(4, 7))
    arrays = [RNG(k).uniform(1e-4, 5e-4, shape) for k, shape in enumerate(layout.shapes)]
    matrices = [transfer_matrix(Crossbar(array, wire_resistance=5.0)) for array in arrays]
    inputs = RNG(9).normal(size=7)
    currents = np.zeros(12)
    for block, matrix in zip(layout.blocks, matrices):
        voltages = np.zeros(block.shape[0])
        voltages[block.word_lines] = inputs[block.layer_rows]
        currents[block.layer_columns] += (voltages @ matrix)[block.bit_lines]
    collected = layout.collect(matrices)[0]
    # Sums of seven terms in another order: some roundings of the largest.
    np.testing.assert_allclose(inputs @ collected, currents, rtol=0, atol=20 * np.finfo(float).eps * np.abs(currents).max())


def test_partial_sums_on_a_shared_array_add_up_to_each_layer():
    matrix = transfer_matrix(Crossbar(RNG(3).uniform(1e-4, 5e-4, (8, 8)), wire_resistance=5.0))
    collected = ONE_ARRAY.collect([matrix])
    for layer, (n_rows, n_columns) in enumerate(ONE_ARRAY.layer_shapes):
        inputs, currents = RNG(layer).normal(size=n_rows), np.zeros(n_columns)
        for block in (block for block in ONE_ARRAY.blocks if block.layer == layer):
            voltages = np.zeros(8)  # its own word lines driven, all others at 0 V
            voltages[block.word_lines] = inputs[block.layer_rows]
            currents[block.layer_columns] += (voltages @ matrix)[block.bit_lines]
        np.testing.assert_allclose(inputs @ collected[layer], currents, rtol=0,
                                   atol=20 * np.finfo(float).eps * np.abs(currents).max())


def test_weights_survive_the_arrays_bit_for_bit():
    network = MLP(2, 8, 1, rng=RNG(2))
    for layout in (arrange(SIZES, (5, 7)), ONE_ARRAY, share_arrays(SIZES, (7, 5), mapping=ReferenceColumn())):
        targets = map_weights(network, TIO2, layout=layout)
        back = targets.weights(layout.collect(layout.place(list(targets))))
        for there, again in zip(targets.weights(list(targets)), back, strict=True):
            np.testing.assert_array_equal(there, again)


# What is written later.


def brute_later_writes(layout):
    """For each device of each layer, how many in use come after it when its array is written word line by word line."""
    counts = [np.full(shape, -1) for shape in layout.layer_shapes]
    for array in layout.arrays:
        written = []
        for block in (block for block in layout.blocks if block.array == array):
            written += [(int(line), int(column), block.layer, int(row), int(other))
                        for line, row in zip(block.word_lines, block.layer_rows)
                        for column, other in zip(block.bit_lines, block.layer_columns)]
        for turn, (_, _, layer, row, column) in enumerate(sorted(written)):
            counts[layer][row, column] = len(written) - 1 - turn
    return counts


@pytest.mark.parametrize("move", [lambda layout: layout, scattered], ids=["as made", "scattered"])
@every_layout
def test_later_writes_are_those_of_raster_order_on_the_physical_array(layout, move):
    layout = move(layout)
    for got, wanted in zip(layout.n_later_writes, brute_later_writes(layout), strict=True):
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got, wanted)
    turns = [np.arange(rows * columns).reshape(rows, columns) for rows, columns in layout.shapes]
    for got, wanted in zip(layout.later_writes(turns), layout.n_later_writes, strict=True):
        np.testing.assert_array_equal(got, wanted)
    for got, wanted in zip(layout.later_writes([-turn for turn in turns]), layout.n_later_writes):
        sums = {int(n_in_use) - 1 for n_in_use in [used.sum() for used in layout.used]}
        assert set(np.unique(got + wanted)) <= sums  # backwards: what came later comes before


def test_later_writes_by_hand():
    plus, minus = (Block(0, 0, (2, 3), [0, 1], [side], [0, 1], [line]) for side, line in ((0, 2), (1, 0)))
    layout = Layout((plus, minus), ((2, 2),))
    # Array, - not in use:  [minus 0, -, plus 0], [minus 1, -, plus 1]; written in that order.
    assert layout.n_later_writes[0].tolist() == [[2, 3], [0, 1]]
    assert layout.later_writes([np.array([[5, 0, 1], [2, 9, 7]])])[0].tolist() == [[3, 1], [0, 2]]


# Chips.


@every_layout
def test_failed_lines_hit_exactly_the_devices_of_all_blocks_on_that_line(layout):
    lines = LineFailures(0.2, 0.15, 1e-6, 1e-3, "a choice of this test")
    device, n_chips = replace(TIO2.without("stuck"), lines=lines), 40
    rngs = [RNG([5, layer]) for layer in range(len(layout.layer_shapes))]
    writes, failures = draw_chips(device, layout, layout.n_later_writes, n_chips, rngs)
    rngs = [RNG([5, layer]) for layer in range(len(layout.layer_shapes))]
    sound, none = draw_chips(replace(device, lines=None), layout, layout.n_later_writes, n_chips, rngs)
    assert none == [None] * len(layout.arrays)
    n_failed = 0
    for array, used, (word_lines, bit_lines) in zip(layout.arrays, layout.used, failures, strict=True):
        rows, columns = (np.flatnonzero(used.any(axis=axis)) for axis in (1, 0))
        assert word_lines.shape == (n_chips, len(rows)) and bit_lines.shape == (n_chips, len(columns))
        n_failed += int((~np.isnan(word_lines)).sum()) + int((~np.isnan(bit_lines)).sum())
        for block in (block for block in layout.blocks if block.array == array):
            for (line, row), (other, column) in itertools.product(zip(block.word_lines, block.layer_rows),
                                                                  zip(block.bit_lines, block.layer_columns)):
                by_word = word_lines[:, rows.tolist().index(line)]
                by_bit = bit_lines[:, columns.tolist().index(other)]
                wanted = np.where(np.isnan(by_bit), by_word, by_bit)
                layer, plain, hit = writes[block.layer], sound[block.layer], ~np.isnan(wanted)
                np.testing.assert_array_equal(layer.stuck[:, row, column], hit)
                np.testing.assert_array_equal(layer.constant[hit, row, column], wanted[hit])
                assert not layer.linear[hit, row, column].any() and not layer.quadratic[hit, row, column].any()
                for name in ("constant", "linear", "quadratic"):  # the others are as if no line failed
                    np.testing.assert_array_equal(getattr(layer, name)[~hit, row, column],
                                                  getattr(plain, name)[~hit, row, column])
    assert n_failed > 0


def test_on_one_array_a_layer_draws_are_those_of_single_arrays():
    device = replace(TIO2, lines=LineFailures(0.1, 0.2, 1e-6, 1e-3, "a choice of this test"))
    network = MLP(2, 8, 1, rng=RNG(4))
    layout = arrange(SIZES)
    targets = map_weights(network, device, layout=layout)
    writes, failures = draw_chips(device, layout, layout.n_later_writes, 30, [RNG(7), RNG(8)])
    for layer, seed in enumerate((7, 8)):
        rng = RNG(seed)
        alone = draw_writes(device, layout.n_later_writes[layer], 30, rng)
        for got, wanted in zip(failures[layer], draw_line_failures(device.lines, layout.layer_shapes[layer], 30, rng)):
            np.testing.assert_array_equal(got, wanted)
        kept = writes[layer].stuck & ~alone.stuck
        assert kept.any()
        wanted = program(targets[layer], device, rng=RNG(seed), n_chips=30)
        np.testing.assert_array_equal(np.maximum(writes[layer].constant + targets[layer] * (
            writes[layer].linear + targets[layer] * writes[layer].quadratic), 0.0), wanted)


def test_a_line_that_fails_is_shared_by_the_layers_on_it():
    lines = LineFailures(1.0, 0.0, 1e-6, 1e-3, "every word line")
    writes, _ = draw_chips(replace(TIO2.ideal(), lines=lines), ONE_ARRAY, ONE_ARRAY.n_later_writes, 5, [RNG(1), RNG(2)])
    whole = ONE_ARRAY.place([layer.constant for layer in writes])[0]
    assert (whole == whole[:, :, :1]).all() and len(np.unique(whole[0])) == 8  # layer 1 on lines 6 and 7, in four blocks


# Files.


@every_layout
def test_json_round_trip(layout):
    layout = scattered(layout)
    again = Layout.from_json(json.loads(json.dumps(layout.to_json(), allow_nan=False)))
    assert again.to_json() == layout.to_json() and again.mapping == layout.mapping and again.arrays == layout.arrays
    assert again.layer_shapes == layout.layer_shapes and again.shapes == layout.shapes
    layers = some_layers(layout.layer_shapes)
    for first, second in zip(layout.place(layers), again.place(layers), strict=True):
        np.testing.assert_array_equal(first, second)


class OwnPairs(DifferentialPairs):
    """A mapping of a user's own."""


def test_files_know_only_the_mappings_that_can_be_named():
    with pytest.raises(ValueError, match="files know the mappings differential pairs, reference column; got OwnPairs"):
        arrange(SIZES, mapping=OwnPairs()).to_json()
    content = arrange(SIZES).to_json()
    for change in ({"mapping": "own pairs"}, {"mapping": ["differential pairs"]}, {"blocks": 3}, {"blocks": [{"layer": 0}]}):
        with pytest.raises(ValueError, match="layout must hold 'mapping', 'layer_shapes' and 'blocks'"):
            Layout.from_json({**content, **change})


# What is refused.


def test_blocks_are_frozen():
    with pytest.raises(ValueError, match="read-only"):
        arrange(SIZES, (8, 8)).blocks[0].layer_rows[0] = 5


def block(**changes):
    values = {"layer": 0, "array": 0, "shape": (3, 4), "layer_rows": [0, 1], "layer_columns": [0, 1], "word_lines": [0, 1],
              "bit_lines": [0, 1]}
    return Block(**{**values, **changes})


@pytest.mark.parametrize(("make", "message"), [
    (lambda: arrange(SIZES, (8, 1)), "at least 2 bit lines"),
    (lambda: share_arrays(SIZES, (8, 1)), "at least 2 bit lines"),
    (lambda: arrange(SIZES, (0, 8)), "array_shape must be at least 1; got 0"),
    (lambda: Layout((block(layer_columns=[0, 1, 2], bit_lines=[0, 1, 2]),), ((2, 3),)),
     r"layers must have 2 bit lines for each output; got the shape \(2, 3\)"),
    (lambda: Layout((), ()), "got no layer"),
    (lambda: arrange((2,), (8, 8)), "at least one layer"),
    (lambda: arrange((), (8, 8)), "at least one layer"),
    (lambda: block(word_lines=[1, 1]), r"one of its array's 3 word lines for each .* that it carries; got \[1, 1\]"),
    (lambda: block(bit_lines=[3, 4]), "one of its array's 4 bit lines"),
    (lambda: block(layer_rows=[0, 0]), "one of its array's 3 word lines"),
    (lambda: block(layer_rows=[-1, 0]), "layer_rows of a block must be a list of line numbers from 0"),
    (lambda: block(layer_columns=[0.0, 1.0]), "layer_columns of a block must be a list of line numbers"),
    (lambda: block(layer=-1), "layer must be at least 0; got -1"),
    (lambda: Layout((block(),), ((3, 2),)), "got word line 2, bit line 0 of layer 0 0 times"),
    (lambda: Layout((block(), block(array=1)), ((2, 2),)), "bit line 0 of layer 0 2 times"),
    (lambda: Layout((block(),), ((1, 2),)), "block 0 holds lines that layer 0 does not have"),
    (lambda: Layout((block(layer=1),), ((2, 2),)), "block 0 holds lines that layer 1 does not have"),
    (lambda: Layout((block(), block(layer=1)), ((2, 2), (2, 2))),
     "a device carries one weight; got two for word line 0, bit line 0 of array 0"),
    (lambda: Layout((block(), block(layer=1, word_lines=[1, 2], bit_lines=[1, 2])), ((2, 2), (2, 2))),
     "got two for word line 1, bit line 1 of array 0"),
    (lambda: Layout((block(), block(layer=1, shape=(4, 4), word_lines=[2, 3], bit_lines=[2, 3])), ((2, 2), (2, 2))),
     r"array 0 has one shape; got \(3, 4\) and \(4, 4\)"),
    (lambda: Layout.from_json({"blocks": []}), "layout must hold 'mapping', 'layer_shapes' and 'blocks'"),
    (lambda: arrange(SIZES, (8, 8)).place([np.zeros((16, 3)), np.zeros((9, 2))]), r"shapes .*\(16, 3\).*transposed\?"),
    (lambda: arrange(SIZES, (8, 8)).collect([np.zeros((8, 8))] * 3), "arrays must have shapes"),
    (lambda: arrange(SIZES, (8, 8)).carried_by(0, 8, 0), "no word line 8, bit line 0 on array 0"),
    (lambda: arrange(SIZES, (8, 8)).carried_by(4, 0, 0), "on array 4"),
    (lambda: arrange(SIZES, (8, 8)).carried_by(-1, 0, 0), "index must be at least 0; got -1"),
    (lambda: arrange(SIZES, (8, 8)).collect([np.zeros((2, 8, 8)), *[np.zeros((8, 8))] * 3]),
     r"same leading axes; got \[\(\), \(2,\)\]"),
    (lambda: ONE_ARRAY.place([np.zeros((2, 3, 16)), np.zeros((8, 2))]), "same leading axes"),
    (lambda: arrange(SIZES).require_sizes((2, 7, 1)),
     r"the layout is for layers of shapes .*; the network has \[\(3, 14\), "),
    (lambda: ONE_ARRAY.require_sizes((2, 8, 1, 1)), "the layout is for layers of shapes"),
    (lambda: map_weights(MLP(3, 8, 1, rng=RNG(0)), TIO2, layout=arrange(SIZES, (8, 8))),
     "the layout is for layers of shapes"),
    (lambda: arrange(SIZES).later_writes([np.zeros((16, 3)), np.zeros((9, 2))]), r"turns must have shapes .*transposed\?"),
    (lambda: arrange(SIZES).later_writes([np.zeros((3, 16))]), "turns must have shapes"),
])
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(("make", "message"), [
    (lambda: arrange(8, (8, 8)), r"sizes must be a network's layer sizes, such as \(2, 8, 1\); got 8"),
    (lambda: arrange(SIZES, 8), r"array_shape must be a pair such as \(8, 8\)"),
    (lambda: arrange([(3, 8), 9], (8, 8)), "the shape of a layer must be a pair"),
    (lambda: arrange(SIZES, (8, 8)).carried_by(0, 0, 1.5), "bit_line must be a whole number; got 1.5"),
    (lambda: arrange(SIZES, (8, 8)).place([np.zeros((3, 16)), "targets"]), r"layers\[1\] must be an array of real numbers"),
    (lambda: arrange(SIZES, mapping="pairs"), r"mapping must be a Mapping, such as DifferentialPairs\(\); got 'pairs'"),
    (lambda: share_arrays(SIZES, (8, 8), mapping=DifferentialPairs), "mapping must be a Mapping, such as DifferentialPairs"),
    (lambda: Layout((block(),), ((2, 2),), "pairs"), r"mapping must be a Mapping, such as DifferentialPairs\(\)"),
    (lambda: map_weights(MLP(2, 8, 1, rng=RNG(0)), TIO2, layout=(8, 8)),
     r"layout must be a Layout, such as arrange.*got a tuple"),
])
def test_other_kinds_of_values_are_refused(make, message):
    with pytest.raises(TypeError, match=message):
        make()
