"""Weights to targets to what a write leaves behind."""

import numpy as np
import pytest

from tiocross import (
    MLP, TIO2, Device, DifferentialPairs, ReferenceColumn, StuckDevices, arrange, map_weights, program,
)
from tiocross.devices.writes import count_later_writes
from tiocross.units import uS

RNG = np.random.default_rng


def random_network(*sizes, seed=0, **options):
    network = MLP(*sizes, rng=RNG(seed), **options)
    for array in network.arrays:
        array[-1] = RNG(seed + 1).normal(0, 0.5, array.shape[1])
    return network


def test_pairs_carry_the_weight_on_the_side_of_its_sign():
    network = random_network(2, 3, 1)
    network.arrays[1][:] = np.array([[1.0], [-0.5], [0.0], [0.25]])  # three hidden units, then the bias
    targets = map_weights(network, TIO2)[1] / uS
    np.testing.assert_allclose(targets, [[500, 100], [100, 300], [100, 100], [200, 100]])


@pytest.mark.parametrize("mapping", [DifferentialPairs(), DifferentialPairs(digital_output_bias=True), ReferenceColumn()])
def test_inverse_map_gives_the_weights_back(mapping):
    network = random_network(3, 5, 2)
    targets = map_weights(network, TIO2, layout=arrange(network.sizes, mapping=mapping))
    for array, back in zip(network.arrays, targets.weights(list(targets))):
        np.testing.assert_allclose(back, array, rtol=0, atol=1e-13)
    for conductances in targets:
        assert conductances.min() >= 100e-6 - 1e-12 and conductances.max() <= 500e-6 + 1e-12
    n_bit_lines = [mapping.n_bit_lines(5), mapping.n_bit_lines(2)]
    n_word_lines = [4, 6 - mapping.digital_output_bias]
    assert targets.n_devices == np.dot(n_word_lines, n_bit_lines)


def test_largest_magnitude_of_each_layer_lands_on_the_end_of_the_window():
    network = random_network(2, 8, 1)
    network.arrays[0][2, 5] = 7.0  # a bias
    network.arrays[1][3, 0] = -40.0
    first, second = map_weights(network, TIO2)
    assert first[2, 10] == first.max() == pytest.approx(500 * uS)
    assert second[3, 1] == second.max() == pytest.approx(500 * uS)


def test_ideal_array_computes_the_layer():
    network = random_network(4, 3)
    targets = map_weights(network, TIO2)
    inputs = RNG(5).uniform(-1, 1, (7, 4))
    volts = 0.2 * np.concatenate([inputs, np.ones((7, 1))], axis=1)
    currents = volts @ targets[0]
    logits = (currents[:, 0::2] - currents[:, 1::2]) / targets.layers[0].scale[0] / 0.2
    np.testing.assert_allclose(logits, network.logits(inputs), atol=1e-12)


def test_layer_of_zeros_maps_to_the_low_end():
    network = random_network(2, 2)
    network.arrays[0][:] = 0.0
    targets = map_weights(network, TIO2)
    assert (targets[0] == TIO2.g_min).all()
    assert not targets.weights(list(targets))[0].any()


def test_networks_that_cannot_be_mapped_are_named():
    network = random_network(2, 3, 1)
    with pytest.raises(TypeError, match="layout must be a Layout, such as arrange"):
        map_weights(network, TIO2, layout=(8, 8))
    network.arrays[1][2, 0] = np.inf
    with pytest.raises(ValueError, match=r"weights of layer 1 must be finite; got inf at index \(2, 0\)"):
        map_weights(network, TIO2)


def test_raster_order_counts_down_word_line_by_word_line():
    assert count_later_writes((2, 3)).tolist() == [[5, 4, 3], [2, 1, 0]]
    assert count_later_writes((2, 2), [[3, 0], [1, 2]]).tolist() == [[0, 3], [2, 1]]


def test_ideal_device_keeps_the_targets_to_the_bit():
    targets = map_weights(random_network(2, 8, 1), TIO2)[0]
    assert np.array_equal(program(targets, TIO2.ideal(), rng=RNG(0)), targets)
    assert program(targets, TIO2.ideal(), rng=RNG(0), n_chips=4).shape == (4, *targets.shape)


def test_tuning_error_has_the_published_moments():
    targets = np.array([[100, 500, 300], [200, 400, 250]]) * uS
    chips = program(targets, TIO2.without("disturb", "stuck"), rng=RNG(1), n_chips=40_000)
    relative = chips / targets - 1
    spread = np.hypot(0.339, 0.691 - 6.24e-4 * targets / uS)  # [%]
    # One sigma of a mean of 40 000 is spread / 200 < 0.004 %, of a std 0.35 %; five sigma are allowed.
    np.testing.assert_allclose(100 * relative.mean(axis=0), -0.589, atol=0.02)
    np.testing.assert_allclose(100 * relative.std(axis=0), spread, rtol=0.018)


def test_disturb_depends_on_how_many_devices_follow():
    targets = np.full((5, 9), 300 * uS)
    device = TIO2.without("tuning", "stuck")
    changes = program(targets, device, rng=RNG(2), n_chips=20_000) - targets
    assert not changes[:, 4, 8].any()  # the last one
    std = changes.std(axis=0).ravel() / uS
    # 6.6 uS k^0.28 describes the measured spread to about 15 %.
    np.testing.assert_allclose(std[:-1], 6.6 * np.arange(44, 0, -1) ** 0.28, rtol=0.17)
    order = np.arange(45).reshape(5, 9)[::-1, ::-1]
    reversed_changes = program(targets, device, rng=RNG(2), n_chips=500, order=order) - targets
    assert not reversed_changes[:, 0, 0].any() and reversed_changes[:, 4, 8].any()


def test_stuck_devices_come_at_the_published_rates_and_values():
    targets = np.full((4, 10), 300 * uS)
    chips = program(targets, TIO2.without("tuning", "disturb"), rng=RNG(3), n_chips=50_000)
    stuck = chips != 300 * uS
    high, low = chips[stuck & (chips > 100 * uS)] / uS, chips[stuck & (chips <= 100 * uS)] / uS
    n = chips.size
    for found in (high, low):  # binomial, five sigma
        assert abs(len(found) - 0.005 * n) < 5 * np.sqrt(0.005 * n)
    assert high.mean() == pytest.approx(573, abs=5 * 99 / np.sqrt(len(high)))
    assert high.std() == pytest.approx(99, rel=5 / np.sqrt(2 * len(high)))
    assert 10 <= low.min() < 11 and 99 < low.max() <= 100
    assert low.mean() == pytest.approx(55, abs=5 * 26 / np.sqrt(len(low)))
    # P(no stuck device among 64) is 53 %, as stated for one 8x8 array.
    clean = program(np.full((8, 8), 2e-4), TIO2.without("tuning", "disturb"), rng=RNG(4), n_chips=20_000) == 2e-4
    assert clean.all(axis=(1, 2)).mean() == pytest.approx(0.99**64, abs=5 * 0.5 / np.sqrt(20_000))


def test_switching_one_effect_off_leaves_the_others_draws():
    targets = map_weights(random_network(2, 8, 1), TIO2)[0]
    both = program(targets, TIO2.without("stuck"), rng=RNG(5), n_chips=50)
    tuned = program(targets, TIO2.without("stuck", "disturb"), rng=RNG(5), n_chips=50)
    moved = program(targets, TIO2.without("stuck", "tuning"), rng=RNG(5), n_chips=50)
    np.testing.assert_allclose(both - targets, (tuned - targets) + (moved - targets), rtol=0, atol=1e-18)
    everything = program(targets, TIO2, rng=RNG(5), n_chips=50)
    hit = everything != both
    assert 0 < hit.sum() < 0.03 * hit.size  # one percent of 2400


def test_conductances_never_fall_below_zero():
    weak = Device(1 * uS, 20 * uS, disturb=TIO2.disturb)
    chips = program(np.full((3, 7), 5 * uS), weak, rng=RNG(6), n_chips=2000)
    assert chips.min() == 0.0


def test_draws_are_independent_of_the_targets():
    quiet = Device(1e-4, 5e-4, stuck=StuckDevices(0.3, 5e-4, 1e-5, 0.3, 1e-5, 1e-4, ""))
    first = program(np.full((2, 5), 2e-4), quiet, rng=RNG(7), n_chips=30)
    second = program(np.full((2, 5), 4e-4), quiet, rng=RNG(7), n_chips=30)
    assert np.array_equal(first == 2e-4, second == 4e-4)


@pytest.mark.parametrize(("targets", "options", "message"), [
    ([[50e-6, 2e-4]], {}, r"window of TiO2 \(Drolet et al. 2023\), 0.0001 to 0.0005 S; got 5e-05 at word line 0, bit line 0"),
    ([[250, 300]], {}, "If these are microsiemens"),
    ([[[2e-4]]], {}, r"targets must have shape \(n_word_lines, n_bit_lines\)"),
    ([[2e-4, 2e-4]], {"order": [[0, 2]]}, r"order must be a permutation of 0 to 1 in shape \(1, 2\)"),
    ([[2e-4]], {"n_chips": 0}, "n_chips must be at least 1; got 0"),
    ([[2e-4]], {"rng": 7}, "rng must be a numpy.random.Generator"),
])
def test_bad_programming_input_is_named(targets, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        program(targets, TIO2, **{"rng": RNG(0), **options})
