"""Compensated mapping: chips with wires compute with the weights that were wanted, as far as the window lets them."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import MLP, TIO2, TIO2_8X8, Crossbar, Dataset, compensate, transfer, transfer_matrix
from tiocross.devices.device import Device
from tiocross.transfers.chips import SimulatedChips
from tiocross.transfers.compensated import compensate_targets
from tiocross.transfers.judging import judge_chips
from tiocross.mapping.pairs import blocks_of_arrays, map_weights

RNG = np.random.default_rng
REACH = Device(g_min=1e-5, g_max=9e-4)  # no error of writing, and room at both ends of INNER
INNER = Device(g_min=1e-4, g_max=4e-4)


def weight_errors(network, block):
    return [np.linalg.norm(found - array) / np.linalg.norm(array) for array, found in zip(network.arrays, block)]


@pytest.mark.parametrize("array_shape", [None, (8, 8), (4, 6)])
def test_compensated_arrays_compute_with_the_networks_weights(array_shape):
    network, device = MLP(3, 7, 2, rng=RNG(20)), replace(REACH, array_shape=array_shape)
    mapped = map_weights(network, INNER)
    targets = compensate_targets(mapped, device, 20.0)
    assert [layer.scale.shape for layer in targets.layers] == [(4, 7), (8, 2)]
    for layer, before, array in zip(targets.layers, mapped.layers, network.arrays):
        assert layer.conductances.min() >= device.g_min and layer.conductances.max() <= device.g_max
        np.testing.assert_array_equal(layer.n_later_writes, before.n_later_writes)
        matrix = np.empty_like(layer.conductances)
        for block in blocks_of_arrays(matrix.shape, array_shape):
            matrix[block] = transfer_matrix(Crossbar(layer.conductances[block], 20.0), rtol=1e-12)
        np.testing.assert_allclose(layer.weights(matrix), array, rtol=0, atol=1e-8 * np.abs(array).max())


def test_the_window_leaves_the_error_of_the_compensation():
    network, device = MLP(2, 8, 1, rng=RNG(21)), TIO2_8X8.ideal()
    plain, compensated = (SimulatedChips(network, device, wire_resistance=20.0, rng=RNG(22), compensated=flag)
                          for flag in (False, True))
    squares = [sum((found.error * np.linalg.norm(layer.conductances[block])) ** 2
                   for block in blocks_of_arrays(layer.conductances.shape, (8, 8))
                   for found in [compensate(layer.conductances[block], 20.0, (device.g_min, device.g_max), scale="free")])
               for layer in plain.targets.layers]
    for array, layer, found, square in zip(network.arrays, plain.targets.layers, compensated.block(0, 2), squares):
        # The difference of a pair is off by its two devices' errors, by sqrt(2) times their length at most.
        assert np.linalg.norm((found[1] - array) * layer.scale) <= np.sqrt(2 * square) * (1 + 1e-6)
    before, after = (weight_errors(network, [array[0] for array in chips.block(0, 1)]) for chips in (plain, compensated))
    assert all(b < 0.35 * a for a, b in zip(before, after)) and max(after) > 1e-3


def test_nothing_to_compensate_changes_no_bit():
    network = MLP(2, 8, 1, rng=RNG(23))
    targets = map_weights(network, TIO2_8X8)
    assert compensate_targets(targets, TIO2_8X8, 0.0) is targets
    plain, compensated = (SimulatedChips(network, TIO2_8X8, rng=RNG(24), compensated=flag) for flag in (False, True))
    for one, other in zip(plain.block(1), compensated.block(1)):
        assert one.tobytes() == other.tobytes()
    open_devices = map_weights(network.with_arrays([0 * array for array in network.arrays]), Device(g_min=0.0, g_max=5e-4))
    for layer in compensate_targets(open_devices, Device(g_min=0.0, g_max=5e-4), 5.0).layers:
        assert not layer.conductances.any() and np.isfinite(layer.scale).all()


def test_compensated_chips_meet_the_same_chance_and_are_programmed_anew_for_other_wires():
    device = TIO2_8X8.without("tuning", "disturb")
    device = replace(device, stuck=replace(device.stuck, probability_lrs=0.1, probability_hrs=0.1))
    network = MLP(2, 8, 1, rng=RNG(25))
    plain, compensated = (SimulatedChips(network, device, rng=RNG(26), compensated=flag) for flag in (False, True))
    for resistance in (10.0, 0.0, 30.0):
        states = plain.with_wires(resistance).conductances(0)
        wired = compensated.with_wires(resistance)
        alone = SimulatedChips(network, device, wire_resistance=resistance, rng=RNG(26), compensated=True)
        for layer, (one, other, third) in enumerate(zip(states, wired.conductances(0), alone.conductances(0))):
            stuck = one != plain.targets[layer]
            assert stuck.any() and np.array_equal(one[stuck], other[stuck])
            free = np.broadcast_to(wired.targets[layer], one.shape)[~stuck]
            np.testing.assert_array_equal(other[~stuck], free)
            assert other.tobytes() == third.tobytes()
            assert (wired.targets[layer] == plain.targets[layer]).all() == (resistance == 0)


def test_compensated_chips_are_judged_like_others():
    network, points = MLP(2, 8, 1, rng=RNG(27)), RNG(0).uniform(-1, 1, (60, 2))
    few = Dataset(points, (points[:, 0] > 0).astype(int))
    chips = SimulatedChips(network, TIO2_8X8, wire_resistance=10.0, rng=RNG(28), compensated=True)
    outcome = judge_chips(network, few, chips, n_transfers=30)
    assert (outcome.wire_resistance, outcome.n_devices) == (10.0, 66)
    assert outcome.nominal_accuracy == transfer(network, few, device=TIO2_8X8, n_transfers=1, rng=RNG(0)).nominal_accuracy


def test_bad_compensation_is_named():
    network = MLP(2, 3, 1, rng=RNG(29))
    with pytest.raises(ValueError, match="signed coordinates are not conductances"):
        compensate_targets(map_weights(network, TIO2, mapping="signed"), TIO2, 2.0)
    with pytest.raises(ValueError, match="wire_resistance must be finite and at least 0 ohm"):
        compensate_targets(map_weights(network, TIO2), TIO2, -2.0)
    with pytest.raises(TypeError, match="targets must be Targets, such as map_weights"):
        compensate_targets([np.ones((2, 2))], TIO2, 2.0)
