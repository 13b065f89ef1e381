"""Compensated mapping: chips with wires compute with the weights that were wanted, as far as the window lets them."""

from dataclasses import replace

import numpy as np
import pytest
from signed_coordinates import arrange_signed

from tiocross import MLP, TIO2, TIO2_8X8, Crossbar, Dataset, compensate, transfer, transfer_matrix
from tiocross.devices.device import Device
from tiocross.mapping.arrangements import arrange, share_arrays
from tiocross.mapping.mappings import ReferenceColumn
from tiocross.mapping.targets import map_weights
from tiocross.transfers.adaptation import Adaptation
from tiocross.transfers.chips import Chips
from tiocross.transfers.compensated import compensate_targets
from tiocross.transfers.judging import judge_chips

RNG = np.random.default_rng
REACH = Device(g_min=1e-5, g_max=9e-4)  # no error of writing, and room at both ends of INNER
INNER = Device(g_min=1e-4, g_max=4e-4)


def chips_of(network, device, *, compensated, **options):
    return Chips(network, device, adaptation=Adaptation(compensated=compensated), **options)


def solve_arrays(layout, layers, resistance, **options):
    """Transfer matrices of each layer, every physical array solved whole with open devices where it has none in use."""
    arrays = [np.nan_to_num(array, nan=0.0) for array in layout.place(layers)]
    return layout.collect([transfer_matrix(Crossbar(array, resistance), **options) for array in arrays])


def weight_errors(network, block):
    return [np.linalg.norm(found - array) / np.linalg.norm(array) for array, found in zip(network.arrays, block)]


LAYOUTS = {"a layer an array": arrange((3, 7, 2)), "8 x 8": arrange((3, 7, 2), (8, 8)), "4 x 6": arrange((3, 7, 2), (4, 6)),
           "one shared array": share_arrays((3, 7, 2), (13, 20)), "reference": arrange((3, 7, 2), mapping=ReferenceColumn())}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_compensated_arrays_compute_with_the_networks_weights(layout):
    network = MLP(3, 7, 2, rng=RNG(20))
    mapped = map_weights(network, INNER, layout=layout)
    targets = compensate_targets(mapped, REACH, 20.0)
    assert [layer.scale.shape for layer in targets.layers] == [(4, 7), (8, 2)]
    assert targets.layout is mapped.layout
    for layer in targets.layers:
        assert layer.conductances.min() >= REACH.g_min and layer.conductances.max() <= REACH.g_max
    # Where devices are not in use, the matrix is wanted to be zero but strays by 1e-3 of its largest entry, through what the
    # wires couple; the fit gives way a little, by about the square of that.
    slack = 1e-5 if layout.shapes == [(13, 20)] else 1e-8
    for found, array in zip(targets.weights(solve_arrays(layout, list(targets), 20.0, rtol=1e-12)), network.arrays):
        np.testing.assert_allclose(found, array, rtol=0, atol=slack * np.abs(array).max())


def test_the_window_leaves_the_error_of_the_compensation():
    network, device = MLP(2, 8, 1, rng=RNG(21)), TIO2_8X8.ideal()
    plain, compensated = (chips_of(network, device, wire_resistance=20.0, rng=RNG(22), compensated=flag)
                          for flag in (False, True))
    window = device.g_min, device.g_max
    squares = [sum((found.error * np.linalg.norm(layer.conductances[block.in_layer])) ** 2
                   for block in plain.layout.blocks if block.layer == k
                   for found in [compensate(layer.conductances[block.in_layer], 20.0, window, scale="free")])
               for k, layer in enumerate(plain.targets.layers)]
    for array, layer, found, square in zip(network.arrays, plain.targets.layers, compensated.weights(range(2)), squares):
        # The difference of a pair is off by its two devices' errors, by sqrt(2) times their length at most.
        assert np.linalg.norm((found[1] - array) * layer.scale) <= np.sqrt(2 * square) * (1 + 1e-6)
    before, after = (weight_errors(network, [array[0] for array in chips.weights(range(1))]) for chips in (plain, compensated))
    assert all(b < 0.35 * a for a, b in zip(before, after)) and max(after) > 1e-3


def test_nothing_to_compensate_changes_no_bit():
    network = MLP(2, 8, 1, rng=RNG(23))
    targets = map_weights(network, TIO2_8X8)
    assert compensate_targets(targets, TIO2_8X8, 0.0) is targets
    plain, compensated = (chips_of(network, TIO2_8X8, rng=RNG(24), compensated=flag) for flag in (False, True))
    for one, other in zip(plain.weights(range(500, 1000)), compensated.weights(range(500, 1000))):
        assert one.tobytes() == other.tobytes()
    open_devices = map_weights(network.with_arrays([0 * array for array in network.arrays]), Device(g_min=0.0, g_max=5e-4))
    for layer in compensate_targets(open_devices, Device(g_min=0.0, g_max=5e-4), 5.0).layers:
        assert not layer.conductances.any() and np.isfinite(layer.scale).all()


def test_compensated_chips_meet_the_same_chance_and_are_programmed_anew_for_other_wires():
    device = TIO2_8X8.without("tuning", "disturb")
    device = replace(device, stuck=replace(device.stuck, probability_lrs=0.1, probability_hrs=0.1))
    network = MLP(2, 8, 1, rng=RNG(25))
    plain, compensated = (chips_of(network, device, rng=RNG(26), compensated=flag) for flag in (False, True))
    for resistance in (10.0, 0.0, 30.0):
        states = plain.with_wires(resistance).programmed(range(500)).conductances
        wired = compensated.with_wires(resistance)
        alone = chips_of(network, device, wire_resistance=resistance, rng=RNG(26), compensated=True)
        programmed = [chips.programmed(range(500)).conductances for chips in (wired, alone)]
        for layer, (one, other, third) in enumerate(zip(states, *programmed)):
            stuck = one != plain.targets[layer]
            assert stuck.any() and np.array_equal(one[stuck], other[stuck])
            free = np.broadcast_to(wired.targets[layer], one.shape)[~stuck]
            np.testing.assert_array_equal(other[~stuck], free)
            assert other.tobytes() == third.tobytes()
            assert (wired.targets[layer] == plain.targets[layer]).all() == (resistance == 0)


def test_compensated_chips_are_judged_like_others():
    network, points = MLP(2, 8, 1, rng=RNG(27)), RNG(0).uniform(-1, 1, (60, 2))
    few = Dataset(points, (points[:, 0] > 0).astype(int))
    chips = chips_of(network, TIO2_8X8, wire_resistance=10.0, rng=RNG(28), compensated=True)
    outcome = judge_chips(few, chips, n_transfers=30, keep_correct=True)
    same = transfer(network, few, device=TIO2_8X8, wire_resistance=10.0, adaptation=Adaptation(compensated=True),
                    n_transfers=30, rng=RNG(28), keep_correct=True)
    assert np.array_equal(outcome.correct, same.correct)
    assert (outcome.wire_resistance, outcome.n_devices) == (10.0, 66)
    assert outcome.nominal_accuracy == transfer(network, few, device=TIO2_8X8, n_transfers=1, rng=RNG(0)).nominal_accuracy


def test_bad_compensation_is_named():
    network = MLP(2, 3, 1, rng=RNG(29))
    with pytest.raises(ValueError, match="targets that are not conductances cannot be compensated; .*SignedCoordinates"):
        compensate_targets(map_weights(network, TIO2, layout=arrange_signed(network.sizes)), TIO2, 2.0)
    with pytest.raises(ValueError, match="devices that ReferenceColumn subtracts from each other must share an array"):
        split = arrange(network.sizes, (8, 2), mapping=ReferenceColumn())
        compensate_targets(map_weights(network, TIO2, layout=split), TIO2, 2.0)
    with pytest.raises(ValueError, match="wire_resistance must be finite and at least 0 ohm"):
        compensate_targets(map_weights(network, TIO2), TIO2, -2.0)
    with pytest.raises(TypeError, match="targets must be Targets, such as map_weights"):
        compensate_targets([np.ones((2, 2))], TIO2, 2.0)
