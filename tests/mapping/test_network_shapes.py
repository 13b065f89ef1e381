"""Layouts and targets of layers by their shapes: without bias, and with kernels that are used at many positions."""

import pickle

import numpy as np
import pytest

from tiocross import (
    MLP, TIO2, AveragePool2d, Conv2d, Dense, DifferentialPairs, Layout, Network, ReferenceColumn, arrange, map_weights,
    place_around, share_arrays,
)
from tiocross.mapping.layout import layer_shapes
from tiocross.mapping.mappings import as_layer_shapes
from tiocross.mapping.sensitivity import weight_effects
from tiocross.records import LayerShape

RNG = np.random.default_rng
MAPPINGS = (DifferentialPairs(), DifferentialPairs(digital_output_bias=True), ReferenceColumn())


def make(seed=0):
    """A small convolutional network of which two layers have no bias."""
    rng = RNG(seed)
    layers = [Conv2d(3, 2), AveragePool2d(2), Conv2d(4, 2, bias=False), Dense(5, "tanh"), Dense(2, bias=False)]
    network = Network(layers, (2, 7, 5), rng=rng)
    for array, step in zip(network.arrays, network.steps):
        array[-1] = rng.normal(size=array.shape[1]) * step.has_bias
    return network


def test_a_shape_knows_its_bias_and_is_a_pair():
    shape = LayerShape(5, 3, False)
    assert shape == (5, 3) and not shape.has_bias and LayerShape(5, 3).has_bias
    for other in (pickle.loads(pickle.dumps(shape)), as_layer_shapes([shape, (4, 1)])[0]):
        assert other == (5, 3) and other.has_bias is False
    assert as_layer_shapes([shape, (4, 1)])[1].has_bias


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("sizes", [(2, 8, 1), (3, 4), (5, 7, 2, 3)])
def test_shapes_of_a_perceptron_give_the_layouts_of_its_sizes(sizes, mapping):
    shapes = MLP(*sizes, rng=RNG(0)).shapes
    assert layer_shapes(shapes, mapping) == layer_shapes(sizes, mapping)
    for make_layout in (lambda of: arrange(of, (4, 6), mapping=mapping), lambda of: share_arrays(of, (4, 6), mapping=mapping)):
        if not isinstance(mapping, ReferenceColumn):
            assert make_layout(shapes).to_json() == make_layout(sizes).to_json()


def test_one_word_line_fewer_without_a_bias():
    network = make()
    assert layer_shapes(network.shapes) == [(9, 6), (12, 8), (9, 10), (5, 4)]
    layout = arrange(network.shapes, (6, 6))
    assert layout.layer_shapes == ((9, 6), (12, 8), (9, 10), (5, 4)) and layout.without_bias == (1, 3)
    assert [layout.has_bias_line(layer) for layer in range(4)] == [True, False, True, False]


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("place", [lambda shapes, mapping: arrange(shapes, mapping=mapping),
                                   lambda shapes, mapping: arrange(shapes, (8, 12), mapping=mapping),
                                   lambda shapes, mapping: share_arrays(shapes, (20, 12), mapping=mapping)])
def test_targets_give_the_weights_back(mapping, place):
    network = make()
    targets = map_weights(network, TIO2, layout=place(network.shapes, mapping))
    for found, array in zip(targets.weights(list(targets)), network.arrays):
        # A difference of conductances up to 5e-4 S over the largest weight: rounding of 1e-16 of it, some times.
        np.testing.assert_allclose(found, array, rtol=0, atol=1e-14 * max(1, np.abs(array).max()))
    arrays = [np.nan_to_num(array) for array in targets.layout.place(list(targets))]
    for found, wanted in zip(targets.layout.collect(arrays), targets):
        np.testing.assert_array_equal(found, wanted)
    targets.require_network(network)


def test_a_digital_output_bias_of_a_layer_without_is_none():
    network, mapping = make(), DifferentialPairs(digital_output_bias=True)
    assert layer_shapes(network.shapes, mapping)[-1] == (5, 4)
    targets = map_weights(network, TIO2, layout=arrange(network.shapes, mapping=mapping))
    assert not targets.layers[-1].digital_bias.any()


def test_carried_weights_are_named_with_and_without_bias():
    layout = arrange(make().shapes)
    assert layout.carried_by(0, 8, 5) == (0, "bias", 2, -1)
    assert layout.carried_by(1, 11, 0) == (1, 11, 0, 1)


def test_files_of_layouts_hold_what_has_no_bias():
    layout = arrange(make().shapes, (8, 8))
    loaded = Layout.from_json(layout.to_json())
    assert loaded.without_bias == (1, 3) and loaded.to_json() == layout.to_json()
    assert "without_bias" not in arrange((2, 8, 1), (8, 8)).to_json()


@pytest.mark.parametrize(("call", "message"), [
    (lambda: map_weights(make(), TIO2, layout=arrange(make().sizes)), "the layout is for layers of shapes"),
    (lambda: arrange([(3, 2), (3, 1)]).require_sizes([LayerShape(3, 2, False), (3, 1)]), r"without bias, network.shapes has \(0,\)"),
    (lambda: arrange([(0, 2)]), "the shape of a layer must be at least 1"),
    (lambda: arrange([(1, 2)], mapping=DifferentialPairs(digital_output_bias=True)), "a word line besides its bias"),
    (lambda: arrange((1_000_000, 10), (8, 8)), "would be cut into 375003 blocks on arrays of 8 x 8; .*give larger arrays"),
    (lambda: arrange((10**7, 10**7)), "GB of memory.*give smaller layers"),
    (lambda: share_arrays((1_000_000, 10), (8, 8)), "give larger arrays"),
])
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_numbers_of_layers_without_bias_are_checked():
    layout = arrange([(3, 2)])
    with pytest.raises(ValueError, match="without_bias must name some of the 1 layers"):
        Layout(layout.blocks, layout.layer_shapes, layout.mapping, (1,))


def test_placing_around_faults_leaves_kernels_where_their_next_layer_sees_several_features():
    network = make()
    targets = map_weights(network, TIO2, layout=arrange(network.shapes, (16, 16)))
    rng = RNG(3)
    stuck = [np.where(rng.random((16, 16)) < 0.05, rng.uniform(1e-5, 9e-4, (16, 16)), np.nan) for _ in range(4)]
    found = place_around(targets, TIO2, stuck, may_move_lines=False)
    assert found.layout.without_bias == (1, 3) and found.damage_after <= found.damage_before
    units = [np.concatenate([block.layer_columns for block in found.layout.blocks if block.layer == layer]) for layer in range(4)]
    assert all(np.array_equal(np.sort(columns), np.arange(len(columns))) for columns in units)
    assert np.array_equal(units[0], np.arange(6)) and np.array_equal(units[1], np.arange(8))  # layers behind see many places
    for found_array, wanted in zip(map_weights(network, TIO2, layout=found.layout), targets):
        np.testing.assert_array_equal(found_array, wanted)


def test_sensitivities_of_a_reused_kernel_are_sums_over_positions():
    network, points, step = make(), RNG(1).normal(size=(4, 70)), 1e-6
    effects = weight_effects(network, points)
    moved = network.copy()
    moved.arrays[0][3, 1] += step
    change = np.abs(moved.logits(points) - network.logits(points)).sum(axis=1).mean() / step
    np.testing.assert_allclose(effects[0][3, 1], change, rtol=1e-4)
