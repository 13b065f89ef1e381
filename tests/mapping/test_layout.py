"""Layers on several arrays: blocks, places, and the way there and back."""

import json

import numpy as np
import pytest

from tiocross import MLP, TIO2, Crossbar, map_weights, transfer_matrix
from tiocross.mapping.layout import Carried, Layout, Tile, arrange

SHAPES = [(3, 16), (9, 2)]  # of a 2-8-1 network
CASES = [(SHAPES, (8, 8)), (SHAPES, (5, 7)), ([(12, 22), (12, 6), (4, 2)], (5, 8)), ([(1, 2)], (1, 2)), (SHAPES, (64, 64))]


def some_layers(shapes, *leading, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random((*leading, *shape)) for shape in shapes]


def scattered(layout, shape=(11, 13), seed=1):
    """The same blocks on larger arrays, on scattered lines, in exchanged arrays."""
    rng = np.random.default_rng(seed)
    arrays = rng.permutation(len(layout.tiles))
    return Layout([Tile(tile.layer, int(array), shape, tile.rows, tile.columns,
                        rng.permutation(shape[0])[: len(tile.rows)], rng.permutation(shape[1])[: len(tile.columns)])
                   for tile, array in zip(layout.tiles, arrays)], layout.layer_shapes)


def test_blocks_of_the_published_network_on_8_x_8():
    tiles = arrange(SHAPES, (8, 8)).tiles
    blocks = [(tile.layer, len(tile.rows), len(tile.columns)) for tile in tiles]
    assert blocks == [(0, 3, 8), (0, 3, 8), (1, 5, 2), (1, 4, 2)]
    assert [tile.array for tile in tiles] == [0, 1, 2, 3]
    assert tiles[1].columns.tolist() == list(range(8, 16)) and tiles[1].pairs.tolist() == [4, 5, 6, 7]
    assert tiles[3].rows.tolist() == [5, 6, 7, 8] and tiles[3].word_lines.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("shapes", "tile_shape"), CASES)
def test_fewest_arrays_and_even_blocks(shapes, tile_shape):
    layout = arrange(shapes, tile_shape)
    for layer, (n_rows, n_columns) in enumerate(shapes):
        tiles = [tile for tile in layout.tiles if tile.layer == layer]
        assert len(tiles) == -(-n_rows // tile_shape[0]) * -(-n_columns // (tile_shape[1] // 2 * 2))
        for sizes in ({len(tile.rows) for tile in tiles}, {len(tile.pairs) for tile in tiles}):
            assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("move", [lambda layout: layout, scattered], ids=["as arranged", "scattered"])
@pytest.mark.parametrize(("shapes", "tile_shape"), CASES[:4])
def test_collect_undoes_place(shapes, tile_shape, move):
    layout = move(arrange(shapes, tile_shape))
    for leading in ((), (4,), (2, 3)):
        layers = some_layers(shapes, *leading)
        placed = layout.place(layers)
        assert [array.shape for array in placed] == [(*leading, *tile.shape) for tile in layout.tiles]
        for array, tile in zip(placed, layout.tiles):
            np.testing.assert_array_equal(~np.isnan(array), np.broadcast_to(tile.used, array.shape))
        for before, after in zip(layers, layout.collect(placed)):
            np.testing.assert_array_equal(before, after)
        for before, after in zip(placed, layout.place(layout.collect(placed))):
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("move", [lambda layout: layout, scattered], ids=["as arranged", "scattered"])
def test_every_device_is_told_in_both_directions(move):
    layout = move(arrange(SHAPES, (5, 7)))
    seen = set()
    for layer, (n_rows, n_columns) in enumerate(SHAPES):
        for row in range(n_rows):
            for column in range(n_columns):
                place = layout.where(layer, row, column)
                source = "bias" if row == n_rows - 1 else row
                assert layout.carried_by(*place) == Carried(layer, source, column // 2, -1 if column % 2 else 1)
                seen.add(place)
    assert len(seen) == 3 * 16 + 9 * 2
    for index, tile in enumerate(layout.tiles):
        unused = [(index, int(i), int(j)) for i, j in np.argwhere(~tile.used)]
        assert not any(place in seen for place in unused) and {layout.carried_by(*place) for place in unused} <= {None}


def test_partial_sums_of_solved_arrays_add_up_to_the_layer():
    # With wires each array has a transfer matrix of its own; what its word lines do adds to the layer's outputs.
    layout = scattered(arrange([(7, 12)], (3, 6)), shape=(4, 7))
    arrays = [np.random.default_rng(k).uniform(1e-4, 5e-4, tile.shape) for k, tile in enumerate(layout.tiles)]
    matrices = [transfer_matrix(Crossbar(array, wire_resistance=5.0)) for array in arrays]
    inputs = np.random.default_rng(9).normal(size=7)
    currents = np.zeros(12)
    for tile, matrix in zip(layout.tiles, matrices):
        voltages = np.zeros(tile.shape[0])
        voltages[tile.word_lines] = inputs[tile.rows]
        currents[tile.columns] += (voltages @ matrix)[tile.bit_lines]
    collected = layout.collect(matrices)[0]
    # Sums of seven terms in another order: some roundings of the largest.
    np.testing.assert_allclose(inputs @ collected, currents, rtol=0, atol=20 * np.finfo(float).eps * np.abs(currents).max())


def test_weights_survive_the_tiles_bit_for_bit():
    network = MLP(2, 8, 1, rng=np.random.default_rng(2))
    targets = map_weights(network, TIO2)
    layout = arrange([array.shape for array in targets], (5, 7))
    for there, back in zip(targets.weights(list(targets)), targets.weights(layout.collect(layout.place(targets)))):
        np.testing.assert_array_equal(there, back)


def test_json_round_trip():
    layout = scattered(arrange(SHAPES, (5, 7)))
    again = Layout.from_json(json.loads(json.dumps(layout.to_json())))
    assert again.to_json() == layout.to_json()
    layers = some_layers(SHAPES)
    for first, second in zip(layout.place(layers), again.place(layers)):
        np.testing.assert_array_equal(first, second)


def test_tiles_are_frozen():
    with pytest.raises(ValueError, match="read-only"):
        arrange(SHAPES, (8, 8)).tiles[0].rows[0] = 5


def tile(**changes):
    values = {"layer": 0, "array": 0, "shape": (3, 4), "rows": [0, 1], "columns": [0, 1], "word_lines": [0, 1],
              "bit_lines": [0, 1]}
    return Tile(**{**values, **changes})


@pytest.mark.parametrize(("make", "message"), [
    (lambda: arrange(SHAPES, (8, 1)), "at least two bit lines"),
    (lambda: arrange(SHAPES, (0, 8)), "tile_shape must be at least 1; got 0"),
    (lambda: arrange([(3, 15)], (8, 8)), "a pair of bit lines for each output"),
    (lambda: arrange([], (8, 8)), "got none"),
    (lambda: tile(word_lines=[1, 1]), r"one of its 3 word lines for each of the layer's that it carries; got \[1, 1\]"),
    (lambda: tile(bit_lines=[3, 4]), "one of its 4 bit lines"),
    (lambda: tile(rows=[0, 0]), "one of its 3 word lines"),
    (lambda: tile(columns=[1, 2]), "whole pairs"),
    (lambda: tile(columns=[0, 1, 2], bit_lines=[0, 1, 2]), "whole pairs"),
    (lambda: tile(rows=[-1, 0]), "rows of a tile must be a list of line numbers from 0"),
    (lambda: Layout([tile()], [(3, 2)]), "got word line 2, bit line 0 of layer 0 0 times"),
    (lambda: Layout([tile(), tile(array=1)], [(2, 2)]), "bit line 0 of layer 0 2 times"),
    (lambda: Layout([tile()], [(1, 2)]), "tile 0 holds lines that layer 0 does not have"),
    (lambda: Layout([tile(), tile(layer=1)], [(2, 2), (2, 2)]), r"a physical array of its own; got arrays \[0, 0\]"),
    (lambda: Layout.from_json({"tiles": []}), "layout must hold 'layer_shapes' and 'tiles'"),
    (lambda: arrange(SHAPES, (8, 8)).place([np.zeros((16, 3)), np.zeros((9, 2))]), r"shapes .*\(16, 3\).*transposed\?"),
    (lambda: arrange(SHAPES, (8, 8)).collect([np.zeros((8, 8))] * 3), "arrays must have shapes"),
    (lambda: arrange(SHAPES, (8, 8)).where(0, 3, 0), "no layer has word line 3, bit line 0 as layer 0"),
    (lambda: arrange(SHAPES, (8, 8)).carried_by(0, 8, 0), "no word line 8, bit line 0 on tile 0"),
    (lambda: arrange(SHAPES, (8, 8)).carried_by(4, 0, 0), "on tile 4"),
    (lambda: arrange(SHAPES, (8, 8)).carried_by(-1, 0, 0), "tile must be at least 0; got -1"),
    (lambda: arrange(SHAPES, (8, 8)).collect([np.zeros((2, 8, 8)), *[np.zeros((8, 8))] * 3]),
     r"same leading axes; got \[\(\), \(2,\)\]"),
])
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_other_kinds_of_values_are_refused():
    with pytest.raises(TypeError, match=r"tile_shape must be a pair such as \(8, 8\)"):
        arrange(SHAPES, 8)
    with pytest.raises(TypeError, match="bit_line must be a whole number; got 1.5"):
        arrange(SHAPES, (8, 8)).carried_by(0, 0, 1.5)
    with pytest.raises(TypeError, match=r"layers\[1\] must be an array of real numbers"):
        arrange(SHAPES, (8, 8)).place([np.zeros((3, 16)), "targets"])
