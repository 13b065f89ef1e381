"""Wires in the training loop: against chips with solved wires, and against central differences."""

from dataclasses import replace

import numpy as np
import pytest
from oracle import dense_circuit

from tiocross import MLP, TIO2, TIO2_8X8, Crossbar, Dataset, transfer_matrix
from tiocross.devices.writes import apply_writes
from tiocross.transfers.chips import SimulatedChips
from tiocross.transfers.wires import WiresInLoop
from tiocross.learning.tensor import Tensor
from tiocross.learning.techniques import ChipSampler, ConductanceDropout, NoiseInjection, RangePenalty, split_layers
from tiocross.learning.training import TrainingSettings, train, train_many
from tiocross.mapping.pairs import blocks_of_arrays, map_weights

RNG = np.random.default_rng
SHORT = TrainingSettings(n_steps=8, batch_size=20, n_chips=3)
# Layers with fewer lines on either side, whole and on arrays of their own with remainders at both edges.
CASES = [((2, 8, 1), None), ((2, 8, 1), (8, 8)), ((3, 5, 2), (3, 4)), ((4, 3), (2, 6)), ((6, 7, 4, 3), (8, 2))]


@pytest.fixture(scope="module")
def few():
    points = RNG(0).uniform(-1, 1, (60, 2))
    return Dataset(points, (points[:, 1] > points[:, 0] ** 2 - 0.3).astype(int))


def on_arrays(array_shape, device=TIO2):
    return replace(device, array_shape=array_shape)


def as_column(networks):
    return np.stack([np.concatenate([array.reshape(-1, 1) for array in network.arrays]) for network in networks])[:, None]


@pytest.mark.parametrize(("sizes", "array_shape"), CASES)
def test_programmed_chips_compute_as_simulated_chips_with_wires(sizes, array_shape):
    chips = SimulatedChips(MLP(*sizes, rng=RNG(1)), on_arrays(array_shape), wire_resistance=30.0, rng=RNG(2))
    states = [state[:5] for state in chips.conductances(0)]
    programmed = np.concatenate([state.reshape(5, -1, 2) for state in states], axis=1)
    shapes = [array.shape for array in MLP(*sizes, rng=RNG(1)).arrays]
    found = WiresInLoop(30.0).conduct(Tensor(programmed), shapes, array_shape).value
    assert found.shape == programmed.shape
    matrices = [part.reshape(state.shape) for part, state in zip(np.split(found, np.cumsum(
        [rows * columns for rows, columns in shapes])[:-1], axis=1), states)]
    for wired, expected in zip(chips.targets.weights(matrices), chips.block(0, 5)):
        # Both matrices to 1e-9 of a line's current per volt, some ten times an entry's difference.
        np.testing.assert_allclose(wired, expected, rtol=0, atol=3e-8 * np.abs(expected).max())


@pytest.mark.parametrize("array_shape", [None, (8, 8)])
def test_samples_of_several_networks_are_their_weights_through_the_wires(array_shape):
    device, networks = on_arrays(array_shape), [MLP(2, 8, 1, rng=RNG(seed)) for seed in (3, 4)]
    techniques = [NoiseInjection(device), ConductanceDropout(device)]
    sampler = ChipSampler([*techniques, WiresInLoop(20.0)], (2, 8, 1))
    writes = sampler.draw(3, [RNG(5), RNG(6)])
    sampled = sampler.sample(Tensor(as_column(networks)), writes)
    assert sampled.shape == (2, 3, 33, 1)
    layers = split_layers(sampled.value, [(3, 8), (9, 1)])
    for k, network in enumerate(networks):
        start = 0
        for depth, layer in enumerate(map_weights(network, device).layers):
            n = layer.conductances.size // 2
            drawn = type(writes)(*(getattr(writes, name)[k, :, start : start + n].reshape(3, *layer.conductances.shape)
                                   for name in vars(writes)))
            matrix = apply_writes(layer.conductances, drawn, floor=True)
            for block in blocks_of_arrays(matrix.shape[1:], array_shape):
                block = (slice(None), *block)
                matrix[block] = transfer_matrix(Crossbar(matrix[block], 20.0))
            expected = layer.weights(matrix)
            np.testing.assert_allclose(layers[depth][k], expected, rtol=0, atol=3e-8 * np.abs(expected).max())
            start += n


def test_the_matrix_is_what_the_dense_reference_solves():
    conductances = RNG(7).uniform(1e-4, 5e-4, (4, 6))
    found = WiresInLoop(50.0).conduct(Tensor(conductances.reshape(12, 2)), [(4, 3)], None).value.reshape(4, 6)
    for i, row in enumerate(np.eye(4)):
        solution = dense_circuit(conductances, row, np.nan, np.nan, 0.0, word_line_resistance=50.0, bit_line_resistance=50.0)
        np.testing.assert_allclose(found[i], -solution.end_currents.bottom, rtol=1e-8)


@pytest.mark.parametrize(("sizes", "array_shape"), CASES)
def test_gradient_agrees_with_central_differences(sizes, array_shape):
    rng, shapes = RNG(8), [(n_in + 1, n_out) for n_in, n_out in zip(sizes, sizes[1:])]
    n_weights = sum(rows * columns for rows, columns in shapes)
    programmed = rng.uniform(1e-4, 5e-4, (2, 3, n_weights, 2))  # networks, chips
    wanted = rng.normal(size=programmed.shape)
    wires = WiresInLoop(40.0)
    tensor = Tensor(programmed)
    (wires.conduct(tensor, shapes, array_shape) * wanted).sum().backward()
    for _ in range(3):
        direction = 1e-6 * rng.normal(size=programmed.shape)
        ends = [(wires.conduct(Tensor(programmed + sign * direction), shapes, array_shape).value * wanted).sum()
                for sign in (1, -1)]
        # Truncation goes with the square of the step, some 0.3 % of a device: 1e-5. Solving to 1e-9 of a line's current
        # leaves less of the sum's change, some 0.1 % of the sum.
        assert (tensor.grad * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2, rel=2e-5)


@pytest.mark.parametrize("through_scale", [False, True])
def test_gradient_by_weights_agrees_with_central_differences(through_scale):
    rng, network = RNG(9), MLP(2, 4, 1, rng=RNG(10))
    sampler = ChipSampler([NoiseInjection(TIO2_8X8), WiresInLoop(25.0)], network.sizes)
    writes, weights = sampler.draw(4, [RNG(11)]), as_column([network])
    wanted = rng.normal(size=(1, 4, weights.shape[2], 1))
    tensor = Tensor(weights)
    (sampler.sample(tensor, writes, through_scale=through_scale) * wanted).sum().backward()
    direction = 1e-5 * rng.normal(size=weights.shape)
    if not through_scale:  # the scale is a constant in the gradient: leave the largest of each layer
        for part, values in zip(split_layers(direction, [(3, 4), (5, 1)]), split_layers(weights, [(3, 4), (5, 1)])):
            part[np.abs(values) == np.abs(values).max()] = 0.0
    ends = [(sampler.sample(Tensor(weights + sign * direction), writes).value * wanted).sum() for sign in (1, -1)]
    assert (tensor.grad * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2, rel=1e-3)


def test_stuck_devices_pass_no_gradient_and_still_load_the_wires():
    device = TIO2_8X8.without("tuning", "disturb")
    device = replace(device, stuck=replace(device.stuck, probability_lrs=0.3, probability_hrs=0.3))
    network = MLP(2, 4, 1, rng=RNG(12))
    sampler = ChipSampler([ConductanceDropout(device), WiresInLoop(25.0)], network.sizes)
    writes = sampler.draw(1, [RNG(13)])
    tensor = Tensor(as_column([network]))
    sampler.sample(tensor, writes).sum().backward()
    hit = writes.stuck.any(axis=-1)[0, 0]
    assert hit.any() and not hit.all()
    np.testing.assert_array_equal(tensor.grad[0, 0, :, 0] != 0, ~hit)


def test_wires_without_resistance_change_no_bit(few):
    start = MLP(2, 4, 1, rng=RNG(14))
    ideal, without, wired = (train(start, few, [NoiseInjection(TIO2_8X8), *more], rng=RNG(15), settings=SHORT)
                             for more in ([WiresInLoop(0.0)], [], [WiresInLoop(40.0)]))
    for one, other, third in zip(ideal.arrays, without.arrays, wired.arrays):
        assert one.tobytes() == other.tobytes() != third.tobytes()


def test_networks_trained_together_have_the_bits_of_those_trained_alone(few):
    starts, techniques = [MLP(2, 4, 1, rng=RNG(seed)) for seed in (16, 17)], [NoiseInjection(TIO2_8X8), WiresInLoop(40.0)]
    together = train_many(starts, few, techniques, rngs=[RNG(18), RNG(19)], settings=SHORT)
    alone = [train(start, few, techniques, rng=RNG(seed), settings=SHORT) for start, seed in zip(starts, (18, 19))]
    for one, other in zip(together, alone):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one.arrays, other.arrays))


@pytest.mark.parametrize(("techniques", "message"), [
    ([WiresInLoop(2.0)], "got it 1 times, with nothing that programs"),
    ([WiresInLoop(2.0), RangePenalty(0.1)], "with nothing that programs"),
    ([WiresInLoop(2.0), NoiseInjection(TIO2, "signed")], "beside mapping='signed'"),
    ([WiresInLoop(2.0), WiresInLoop(2.0), NoiseInjection(TIO2)], "got it 2 times"),
])
def test_wires_without_pairs_are_named(few, techniques, message):
    with pytest.raises(ValueError, match=message):
        train(MLP(2, 3, 1, rng=RNG(0)), few, techniques, rng=RNG(1), settings=SHORT)


def test_negative_resistance_is_named():
    with pytest.raises(ValueError, match="wire_resistance must be finite and at least 0 ohm; got -2 ohm"):
        WiresInLoop(-2.0)
