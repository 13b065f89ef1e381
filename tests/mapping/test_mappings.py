"""Weights on devices and back: pairs, a reference column, and a mapping of a user's own."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from tiocross import (
    MLP,
    TIO2,
    DifferentialPairs,
    Mapping,
    ReferenceColumn,
    Targets,
    arrange,
    map_weights,
    place_around,
    share_arrays,
)
from tiocross.devices.writes import apply_writes, draw_writes
from tiocross.learning.tensor import Tensor
from tiocross.mapping.mappings import PAIRS
from tiocross.mapping.sensitivity import device_effects, sensitive_last, weight_effects

RNG = np.random.default_rng
MID = 0.5 * (TIO2.g_min + TIO2.g_max)
NETWORK = MLP(3, 7, 4, 2, rng=RNG(1))
NETWORK = NETWORK.with_arrays([array + 0.3 * RNG(2).normal(size=array.shape) for array in NETWORK.arrays])  # biases, too


@dataclass(frozen=True)
class SignedCoordinates(Mapping):
    """One number a weight, within g_min - g_max and g_max - g_min: no conductance."""

    acts_on_single_weights = True
    is_physical = False

    def n_bit_lines(self, n_outputs):
        return n_outputs

    def span(self, device):
        return device.g_max - device.g_min

    def conductances(self, weights, device, scale):
        return weights * scale

    def differences(self, conductances):
        return conductances

    def added(self, values):
        return values

    def per_device(self, effects):
        return effects

    def touched(self, stuck):
        return stuck


class AuthorsPairs(DifferentialPairs):
    """Pairs in the coordinates of the authors' simulation: each device within g_min - g_max and g_max - g_min; the largest
    weight and the largest bias of a layer are scaled to the end each."""

    has_partners = False
    is_physical = False

    def span(self, device):
        return 2 * (device.g_max - device.g_min)

    def scale_groups(self, n_word_lines):
        return [n_word_lines - 1, 1]

    def conductances(self, weights, device, scale):
        return super().conductances(weights, device, scale) - device.g_max


MAPPINGS = {"pairs": DifferentialPairs(), "pairs, digital bias": DifferentialPairs(digital_output_bias=True),
            "reference": ReferenceColumn(), "reference, digital bias": ReferenceColumn(digital_output_bias=True),
            "own": SignedCoordinates(), "own, digital bias": SignedCoordinates(digital_output_bias=True),
            "authors' pairs": AuthorsPairs()}
every_mapping = pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)


def mapped(mapping, network=NETWORK, device=TIO2):
    return map_weights(network, device, layout=arrange(network.sizes, mapping=mapping))


# There and back.


@every_mapping
def test_weights_come_back(mapping):
    targets = mapped(mapping)
    for got, wanted in zip(targets.weights(list(targets)), NETWORK.arrays, strict=True):
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())
    chips = [np.stack([array, 0.5 * array]) for array in targets]
    for one, both in zip(targets.weights([0.5 * array for array in targets]), targets.weights(chips), strict=True):
        np.testing.assert_array_equal(both[1], one)


def test_a_bias_in_software_comes_back_exactly_and_takes_no_device():
    for name in ("pairs", "reference", "own"):
        hard, soft = mapped(MAPPINGS[name]), mapped(MAPPINGS[f"{name}, digital bias"])
        assert [layer.digital_bias is None for layer in soft.layers] == [True, True, False]
        np.testing.assert_array_equal(soft.layers[-1].digital_bias, NETWORK.arrays[-1][-1])
        for factor in (1.0, 0.7):  # whatever the devices do
            got = soft.weights([factor * array for array in soft])
            np.testing.assert_array_equal(got[-1][-1], NETWORK.arrays[-1][-1])
        assert [array.shape for array in soft][:-1] == [array.shape for array in hard][:-1]
        assert soft[-1].shape == (hard[-1].shape[0] - 1, hard[-1].shape[1])
        assert hard.n_devices - soft.n_devices == hard[-1].shape[1]


def test_a_large_bias_in_software_takes_no_part_of_the_window():
    arrays = [array.copy() for array in NETWORK.arrays]
    arrays[-1][-1] = 50.0
    network = NETWORK.with_arrays(arrays)
    hard, soft = (mapped(DifferentialPairs(digital_output_bias=flag), network) for flag in (False, True))
    assert hard.layers[-1].scale[0, 0] == pytest.approx((TIO2.g_max - TIO2.g_min) / 50)
    assert soft.layers[-1].scale[0, 0] == pytest.approx((TIO2.g_max - TIO2.g_min) / np.abs(arrays[-1][:-1]).max())


# Each mapping by what it states.


def test_pairs_hold_each_weight_above_the_low_end_on_the_side_of_its_sign():
    for layer, array in zip(mapped(PAIRS).layers, NETWORK.arrays):
        plus, minus = layer.conductances[:, 0::2], layer.conductances[:, 1::2]
        rounding = 4 * np.finfo(float).eps * TIO2.g_max
        np.testing.assert_allclose(np.minimum(plus, minus), TIO2.g_min, rtol=0, atol=rounding)
        np.testing.assert_allclose(np.maximum(plus, minus), TIO2.g_min + np.abs(array) * layer.scale, rtol=0, atol=rounding)
        assert ((plus > minus) == (array > 0)).all()
        assert layer.conductances.max() == pytest.approx(TIO2.g_max, rel=1e-14)


def test_a_reference_column_is_subtracted_from_one_device_a_weight():
    for mapping in (MAPPINGS["reference"], MAPPINGS["reference, digital bias"]):
        targets = mapped(mapping)
        arrays = [array[: layer.conductances.shape[0]] for array, layer in zip(NETWORK.arrays, targets.layers)]
        assert [array.shape for array in targets] == [(len(array), array.shape[1] + 1) for array in arrays]
        assert targets.n_devices == sum(len(array) * (array.shape[1] + 1) for array in arrays)
        for layer, array in zip(targets.layers, arrays):
            held, slack = layer.conductances, 1e-15 * TIO2.g_max
            np.testing.assert_array_equal(held[:, -1], MID)  # to the bit: nothing is added but zero
            assert held.min() >= TIO2.g_min - slack and held.max() <= TIO2.g_max + slack
            place = np.unravel_index(np.abs(array).argmax(), array.shape)
            end = TIO2.g_max if array[place] > 0 else TIO2.g_min
            assert held[:, :-1][place] == pytest.approx(end, rel=1e-13)
            np.testing.assert_allclose(layer.scale, 0.5 * (TIO2.g_max - TIO2.g_min) / np.abs(array).max(), rtol=1e-15)
            np.testing.assert_allclose(held[:, :-1], MID + layer.scale * array, rtol=1e-14)


def test_a_reference_costs_half_the_devices_and_half_the_window():
    pairs, reference = mapped(PAIRS), mapped(ReferenceColumn())
    for one, other in zip(pairs.layers, reference.layers):
        np.testing.assert_allclose(other.scale, 0.5 * one.scale, rtol=1e-15)
    assert reference.n_devices == pairs.n_devices / 2 + sum(len(array) for array in NETWORK.arrays)


def test_an_error_of_the_reference_moves_every_weight_of_its_word_line():
    targets = mapped(ReferenceColumn())
    states = [array.copy() for array in targets]
    states[0][1, -1] += 1e-5
    change = targets.weights(states)[0] - targets.weights(list(targets))[0]
    np.testing.assert_allclose(change[1], -1e-5 / targets.layers[0].scale[1, 0], rtol=1e-9)
    assert not np.delete(change, 1, axis=0).any()


def test_a_mapping_of_a_users_own_is_mapped_and_written_like_any_other():
    targets = mapped(SignedCoordinates(digital_output_bias=True))
    window = TIO2.g_max - TIO2.g_min
    assert [array.shape for array in targets] == [(4, 7), (8, 4), (4, 2)]
    for layer, array in zip(targets.layers, NETWORK.arrays):
        on_devices = array[: len(layer.scale)]
        np.testing.assert_allclose(layer.conductances, on_devices * (window / np.abs(on_devices).max()), rtol=1e-14)
    writes = draw_writes(TIO2.ideal(), targets.layout.n_later_writes[0], 3, RNG(0))
    np.testing.assert_array_equal(apply_writes(targets[0], writes, floor=False), np.broadcast_to(targets[0], (3, 4, 7)))
    layout = share_arrays(NETWORK.sizes, (8, 8), mapping=SignedCoordinates())
    assert layout.carried_by(0, 0, 1) == (0, 0, 1, 1)
    with pytest.raises(ValueError, match="the layout must hold whole pairs"):
        place_around(targets, TIO2, [np.full(array.shape, np.nan) for array in targets])


def test_the_authors_coordinates_are_two_lines_of_a_subclass():
    low, high = TIO2.g_min - TIO2.g_max, TIO2.g_max - TIO2.g_min
    for layer, array in zip(mapped(AuthorsPairs()).layers, NETWORK.arrays):
        largest = np.array([np.abs(array[:-1]).max()] * (len(array) - 1) + [np.abs(array[-1]).max()])[:, None]
        magnitudes = np.abs(array) * (high - low) / largest
        for side, sign in ((0, 1), (1, -1)):
            wanted = np.where(sign * array > 0, low + magnitudes, low)
            np.testing.assert_allclose(layer.conductances[:, side::2], wanted, rtol=0, atol=1e-14 * high)
        assert layer.conductances[:-1].max() == pytest.approx(high, rel=1e-13)
        assert layer.conductances[-1].max() == pytest.approx(high, rel=1e-13)  # the biases by themselves


@every_mapping
def test_what_a_mapping_says_of_itself_holds_together(mapping):
    for n_outputs in (1, 3):
        weights = RNG(3).normal(size=(5, n_outputs))
        scale = mapping.scale_of(weights, TIO2)
        held = mapping.conductances(weights, TIO2, scale)
        assert scale.shape == (5, 1) and held.shape == (5, mapping.n_bit_lines(n_outputs))
        np.testing.assert_allclose(mapping.differences(held) / scale, weights, rtol=0, atol=1e-13 * np.abs(weights).max())
        # The devices that `touched` names are those by which a single weight changes.
        for j in range(held.shape[1]):
            moved, stuck = held.copy(), np.zeros(held.shape, dtype=bool)
            moved[2, j] += 1e-5
            stuck[2, j] = True
            changed = mapping.differences(moved) != mapping.differences(held)
            if mapping.touched(stuck).any():
                np.testing.assert_array_equal(mapping.touched(stuck), changed)
                output, polarity = mapping.output_of(j, held.shape[1])
                change = (mapping.differences(moved) - mapping.differences(held))[2, output]
                assert change == pytest.approx(polarity * 1e-5, rel=1e-6)
            else:
                assert mapping.output_of(j, held.shape[1]) == ("reference", -1) and changed[2].all()
        # Variances add: of devices with independent errors of 1 S, each weight has the sum of squared slopes.
        slopes = mapping.differences(np.eye(held.shape[1]))
        np.testing.assert_array_equal(mapping.added(np.ones(held.shape))[0], (slopes**2).sum(axis=0))
        # A device's effect: what its slopes make of the weights' effects.
        effects = RNG(4).random((5, n_outputs))
        np.testing.assert_allclose(mapping.per_device(effects), effects @ np.abs(slopes).T, rtol=1e-14)


@every_mapping
def test_leading_axes_are_batch(mapping):
    weights = RNG(5).normal(size=(2, 3, 5, 4))
    scale = mapping.scale_of(weights, TIO2)
    held = mapping.conductances(weights, TIO2, scale)
    assert scale.shape == (2, 3, 5, 1)
    for place in np.ndindex(2, 3):
        np.testing.assert_array_equal(scale[place], mapping.scale_of(weights[place], TIO2))
        np.testing.assert_array_equal(held[place], mapping.conductances(weights[place], TIO2, scale[place]))
        np.testing.assert_array_equal(mapping.differences(held)[place], mapping.differences(held[place]))


@every_mapping
def test_vanishing_weights_have_a_finite_scale(mapping):
    network = NETWORK.with_arrays([0 * array for array in NETWORK.arrays])
    targets = mapped(mapping, network)
    for layer in targets.layers:
        assert np.isfinite(layer.scale).all() and np.isfinite(layer.conductances).all()
    for got in targets.weights(list(targets)):
        assert not got.any()
    tiny = NETWORK.with_arrays([1e-300 * array for array in NETWORK.arrays])
    assert all(np.isfinite(layer.scale).all() for layer in mapped(mapping, tiny).layers)


# Training.


@every_mapping
def test_gradients_through_devices_are_those_of_central_differences(mapping):
    weights = RNG(6).normal(size=(2, 5, 3))
    factors = RNG(7).normal(size=(2, 5, mapping.n_bit_lines(3)))
    scale = mapping.scale_of(weights, TIO2)

    def loss(values):
        held = mapping.conductances(values, TIO2, scale)
        back = mapping.differences(held * factors) / scale  # devices off by factors of their own
        return (back * back).sum() + (mapping.added(held * factors) * 1e3).sum()

    tensor = Tensor(weights)
    loss(tensor).backward()
    step = 1e-4
    assert np.abs(weights).min() > step  # pairs have a kink at zero; elsewhere the loss is quadratic, without a third order
    for place in np.ndindex(weights.shape):
        ends = []
        for sign in (-1, 1):
            moved = weights.copy()
            moved[place] += sign * step
            ends.append(loss(moved))
        # Rounding of a loss of the order of 100, over the step.
        assert tensor.grad[place] == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-9, abs=1e-9)


@every_mapping
def test_tensors_and_arrays_give_the_same_devices(mapping):
    weights = RNG(8).normal(size=(5, 3))
    scale = mapping.scale_of(weights, TIO2)
    held = mapping.conductances(Tensor(weights), TIO2, scale)
    np.testing.assert_array_equal(held.value, mapping.conductances(weights, TIO2, scale))
    np.testing.assert_array_equal(mapping.differences(held).value, mapping.differences(held.value))


# What matters, and when it is written.


@pytest.mark.parametrize("mapping", [PAIRS, ReferenceColumn(), ReferenceColumn(digital_output_bias=True)], ids=repr)
def test_device_effects_are_those_of_moving_each_device(mapping):
    network = MLP(2, 3, 1, rng=RNG(9))
    points, targets = RNG(10).random((1, 2)), mapped(mapping, network)  # one point, so that no sign averages out
    effects = device_effects(weight_effects(network, points), targets)
    here = [array.copy() for array in network.arrays]
    for layer, values in enumerate(effects):
        assert values.shape == targets[layer].shape
        for place in np.ndindex(values.shape):
            states = [array.copy() for array in targets]
            states[layer][place] += 1e-9
            moved = targets.weights(states)[layer] - targets.weights(list(targets))[layer]
            change = 0.0
            for i, j in np.argwhere(moved):
                ends = []
                for sign in (-1, 1):
                    arrays = [array.copy() for array in here]
                    arrays[layer][i, j] += sign * 1e-5
                    ends.append(network.with_arrays(arrays).logits(points))
                change += abs(moved[i, j]) * float(np.abs(ends[1] - ends[0]).sum()) / 2e-5
            assert values[place] == pytest.approx(change / 1e-9, rel=1e-4, abs=1e-3)


def test_sensitive_last_leaves_the_fewest_later_writes_to_what_matters():
    layout = share_arrays((2, 8, 1), (8, 8), mapping=DifferentialPairs(digital_output_bias=True))
    network = MLP(2, 8, 1, rng=RNG(11))
    targets, effects = map_weights(network, TIO2, layout=layout), weight_effects(network, RNG(12).random((20, 2)))
    later = layout.later_writes(sensitive_last(effects, targets))
    flat = np.concatenate([count.ravel() for count in later])
    values = np.concatenate([value.ravel() for value in device_effects(effects, targets)])
    assert sorted(flat) == list(range(64))
    assert (np.diff(values[np.argsort(flat)]) <= 0).all()  # layers of one array are compared with each other
    # Of equal ones the first in raster order comes last: the plus device of a pair, left of its minus device.
    assert all((count[:, 1::2] == count[:, 0::2] + 1).all() for count in later)


# What is refused.


def test_what_is_not_finite_is_refused():
    broken = NETWORK.copy()
    broken.arrays[0] *= np.nan
    with pytest.raises(ValueError, match="weights of layer 0 must be finite"):
        map_weights(broken, TIO2)
    with pytest.raises(TypeError, match="device must be a Device"):
        map_weights(NETWORK, "TIO2")
    with pytest.raises(TypeError, match="network must be an MLP, or have its arrays; got a list"):
        map_weights([np.zeros((2, 2))], TIO2)


def test_the_devices_shape_is_the_default_layout():
    targets = map_weights(NETWORK, replace(TIO2, array_shape=(5, 7)))
    assert isinstance(targets, Targets) and targets.layout.to_json() == arrange(NETWORK.sizes, (5, 7)).to_json()
    assert map_weights(NETWORK, replace(TIO2, array_shape=None)).layout.to_json() == arrange(NETWORK.sizes).to_json()


def test_a_base_mapping_names_what_a_subclass_must_give():
    with pytest.raises(NotImplementedError, match="Mapping does not give n_bit_lines"):
        arrange((2, 8, 1), mapping=Mapping())
    for name, arguments in (("span", (TIO2,)), ("conductances", (np.ones((2, 1)), TIO2, np.ones((2, 1)))),
                            ("differences", (np.ones((2, 1)),)), ("added", (np.ones((2, 1)),)),
                            ("per_device", (np.ones((2, 1)),)), ("touched", (np.ones((2, 1), dtype=bool),))):
        with pytest.raises(NotImplementedError, match=f"Mapping does not give {name}; see Mapping"):
            getattr(Mapping(), name)(*arguments)
    with pytest.raises(TypeError, match="digital_output_bias must be True or False; got 'no'"):
        DifferentialPairs(digital_output_bias="no")
