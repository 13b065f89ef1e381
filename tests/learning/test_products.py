"""Training of large networks: passes by matrix products, sampled chips in one compiled pass, against the plain ones."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import MLP, TIO2, AveragePool1d, Conv1d, Dataset, Dense, Network
from tiocross.devices.device import LineFailures
from tiocross.devices.writes import Writes
from tiocross.learning.activations import ACTIVATIONS
from tiocross.learning.layers import is_served, run_copies
from tiocross.learning.on_devices import ChipSampler, WeightsOnDevices
from tiocross.learning.literature import GaussianNoise
from tiocross.learning.products import run_products
from tiocross.learning.products_kernel import average_rows, gather_rows, scatter_rows, spread_rows
from tiocross.learning.steps import Step, dense_steps, run_steps
from tiocross.learning.techniques import (
    ConductanceDropout, Course, NoiseInjection, RangePenalty, split_layers,
)
from tiocross.learning.tensor import Tensor
from tiocross.learning.training import TrainingSettings, train, train_many
from tiocross.mapping.arrangements import arrange
from tiocross.mapping.mappings import DifferentialPairs, ReferenceColumn
from tiocross.records import LayerShape
from tiocross.transfers.adaptation import retrain_around
from tiocross.transfers.wires import WiresInLoop

RNG = np.random.default_rng
FAULTY = replace(TIO2, stuck=replace(TIO2.stuck, probability_lrs=0.1, probability_hrs=0.2))


def convolution(height, width, side, stride=1, padding=0, n_channels=1):
    """(n_positions, n_seen) features of (row, column, channel) images that each position of a square kernel sees."""
    features = np.full((height + 2 * padding, width + 2 * padding, n_channels), -1)
    inner = np.arange(height * width * n_channels).reshape(height, width, n_channels)
    features[padding : padding + height, padding : padding + width] = inner
    return np.array([features[i : i + side, j : j + side].ravel() for i in range(0, height + 2 * padding - side + 1, stride)
                     for j in range(0, width + 2 * padding - side + 1, stride)])


def averages(n_positions, n_channels, n_averaged):
    """Averages of neighbouring positions, channel by channel."""
    outputs = np.arange(n_positions * n_channels).reshape(-1, n_averaged, n_channels)
    return np.swapaxes(outputs, 1, 2).reshape(-1, n_averaged)


SEEN, SEEN_THEN = convolution(5, 6, 3, stride=2, padding=1), convolution(3, 3, 2, n_channels=4)
# Steps, and shapes of the layers: 30 inputs everywhere. The first convolution has 9 positions, the second 4.
CASES = {
    "dense": (dense_steps(["tanh", "relu", "linear"]), [(31, 7), (8, 5), (6, 3)]),
    "no bias": (dense_steps(["sigmoid", "hardtanh", "linear"], [False, True, False]), [(31, 7), (8, 5), (6, 1)]),
    "one layer": (dense_steps(["linear"]), [(31, 3)]),
    "convolution": ((Step("relu", seen=SEEN), Step("linear")), [(10, 4), (37, 3)]),
    "two convolutions": ((Step("tanh", seen=SEEN), Step("softplus", seen=SEEN_THEN, has_bias=False), Step("linear")),
                         [(10, 4), (17, 2), (9, 3)]),
    "averaged": ((Step("sigmoid", seen=SEEN, pooled=averages(9, 4, 3)), Step("tanh", pooled=[[0, 4], [1, 1], [3, 2]]),
                  Step("linear")), [(10, 4), (13, 5), (4, 2)]),
    "convolution last": ((Step("tanh"), Step("linear", seen=convolution(2, 3, 2))), [(31, 6), (5, 2)]),
}


def make_case(name, n_points=13):
    steps, shapes = CASES[name]
    rng = RNG(1)
    weights = 0.5 * rng.normal(size=(2, 3, sum(rows * columns for rows, columns in shapes), 1))
    for array, step in zip(split_layers(weights, shapes), steps):
        array[..., -1, :] *= step.has_bias
    return steps, shapes, weights, rng.normal(size=(2, 30, n_points))


def run_plainly(steps, shapes, weights, inputs):
    return run_steps(steps, split_layers(weights, shapes), np.swapaxes(inputs, -1, -2)[:, None])


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_the_plain_pass(name):
    steps, shapes, weights, inputs = make_case(name)
    found = run_products(Tensor(weights), shapes, inputs, [steps, steps])
    assert found.value.dtype == np.float32
    # Sums of some 40 products of order 1 in single precision, in up to three layers.
    np.testing.assert_allclose(found.value, run_plainly(steps, shapes, weights, inputs), rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_that_of_central_differences(name):
    steps, shapes, weights, inputs = make_case(name)
    tensor, logits = Tensor(weights), run_plainly(steps, shapes, weights, inputs)
    slopes = RNG(2).normal(size=logits.shape)
    (run_products(tensor, shapes, inputs, [steps, steps]) * slopes).sum().backward()
    moves = 1e-6 * RNG(3).normal(size=(20, *weights.shape))
    for step, *arrays in zip(steps, *(split_layers(move, shapes) for move in moves)):
        for array in arrays:
            array[..., -1, :] *= step.has_bias
    ahead, behind = ([(slopes * run_plainly(steps, shapes, weights + sign * move, inputs)).sum() for move in moves]
                     for sign in (1, -1))
    differences = (np.array(ahead) - behind) / 2
    found = (tensor.grad * moves).sum(axis=(1, 2, 3, 4))
    assert np.abs(found - differences).max() < 1e-4 * np.abs(differences).mean()


@pytest.mark.parametrize("name", ["no bias", "two convolutions"])
def test_a_missing_bias_is_neither_used_nor_moved(name):
    steps, shapes, weights, inputs = make_case(name)
    disturbed = weights.copy()
    for array, step in zip(split_layers(disturbed, shapes), steps):
        array[..., -1, :] += 0.0 if step.has_bias else 1.0
    tensor = Tensor(disturbed)
    logits = run_products(tensor, shapes, inputs, [steps, steps])
    np.testing.assert_array_equal(logits.value, run_products(Tensor(weights), shapes, inputs, [steps, steps]).value)
    (logits * RNG(2).normal(size=logits.shape)).sum().backward()
    for array, step in zip(split_layers(tensor.grad, shapes), steps):
        assert array[..., -1, :].any() == step.has_bias


def test_gathering_and_averaging_have_their_exact_adjoints():
    rng = RNG(4)
    signal, back = rng.integers(-9, 9, (30, 5)).astype(np.float32), rng.integers(-9, 9, (9, 9, 5)).astype(np.float32)
    gathered, adjoint = np.empty_like(back), np.empty_like(signal)
    gather_rows(signal, SEEN, gathered)
    scatter_rows(back, SEEN, adjoint)
    assert (gathered * back).sum() == (signal * adjoint).sum() != 0  # of whole numbers, without rounding
    pooled = averages(9, 4, 3)
    outputs, then = rng.integers(-9, 9, (36, 5)).astype(np.float32), rng.integers(-9, 9, (12, 5)).astype(np.float32)
    features, spread = np.empty_like(then), np.empty_like(outputs)
    average_rows(outputs, pooled, np.float32(0.5), features)
    spread_rows(then, pooled, np.float32(0.5), spread)
    assert (features * then).sum() == (outputs * spread).sum() != 0


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "linear"])
def test_products_and_the_kernel_of_small_networks_agree(activation):
    rng, sizes = RNG(5), (6, 9, 4)
    shapes, inputs = [(7, 9), (10, 4)], rng.normal(size=(2, 6, 40))
    tensors = [Tensor(value) for value in [rng.normal(size=(2, 3, 103, 1))] * 2]
    steps = dense_steps([activation, "linear"])
    one, other = (run_copies(tensors[0], sizes, inputs, activation), run_products(tensors[1], shapes, inputs, [steps] * 2))
    np.testing.assert_allclose(one.value, other.value, rtol=0, atol=1e-5)
    slopes = rng.normal(size=one.shape)
    for logits in (one, other):
        (logits * slopes).sum().backward()
    np.testing.assert_allclose(tensors[0].grad, tensors[1].grad, rtol=0, atol=1e-4)


def test_which_networks_go_through_the_small_kernel():
    assert is_served(dense_steps(["tanh", "tanh", "linear"]), 100) and is_served(dense_steps(["linear"]), 100)
    assert not is_served(dense_steps(["tanh", "tanh", "linear"]), 100_000)
    for steps in (dense_steps(["tanh", "relu", "linear"]), dense_steps(["tanh", "linear"], [True, False]),
                  CASES["convolution"][0], CASES["averaged"][0], dense_steps(["tanh", "tanh"])):
        assert not is_served(steps, 100)


def test_weights_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"must be a Tensor \(n_networks, n_copies, 24, 1\); got Tensor \(1, 1, 23, 1\)"):
        run_products(Tensor(np.zeros((1, 1, 23, 1))), [(6, 4)], np.zeros((1, 5, 3)), [dense_steps(["linear"])])


# Chips of large networks.

SIZES = (40, 30, 5)  # 1385 weights on 2770 devices
SHAPES = [(41, 30), (31, 5)]


def as_column(*networks):
    return np.stack([np.concatenate([array.reshape(-1, 1) for array in network.arrays]) for network in networks])[:, None]


def large_case(layout, techniques=(NoiseInjection(), ConductanceDropout()), device=FAULTY, n_networks=2):
    sampler = ChipSampler(list(techniques), device, layout, SHAPES)
    weights = as_column(*(MLP(*SIZES, rng=RNG(seed)) for seed in range(n_networks)))
    weights[:, :, 17] = 0.0
    return sampler, weights, Course(SHAPES, 4, [], device, layout)


LAYOUTS = {"pairs": arrange(SIZES, (16, 16)), "digital bias": arrange(SIZES, mapping=DifferentialPairs(True))}


@pytest.mark.parametrize("through_scale", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("n_drawn", [1, 2])
def test_the_compiled_pass_samples_as_the_general_one(layout, n_drawn, through_scale):
    sampler, weights, course = large_case(layout)
    writes = sampler.draw(4, [RNG(8), RNG(9)][:n_drawn])
    assert sampler.is_large and writes.linear.dtype == np.float32 and writes.stuck.shape[:2] == (n_drawn, 4)
    view = WeightsOnDevices(FAULTY, layout, SHAPES)
    double = Writes(*(np.broadcast_to(np.asarray(part, dtype=kind), (2, *part.shape[1:])) for part, kind in
                      zip((writes.constant, writes.linear, writes.quadratic, writes.stuck), (float, float, float, bool))))
    found, expected = Tensor(weights), Tensor(weights)
    one = sampler.sample(found, writes, course, through_scale=through_scale)
    other = view.sample_generally(expected, view.scale_of(expected if through_scale else weights), double)
    assert one.value.dtype == np.float32
    # Of the largest weight, 0.3: g / scale is up to three times as large, rounded to 6e-8 of itself, four times.
    np.testing.assert_allclose(one.value, other.value, rtol=0, atol=5e-7)
    slopes = RNG(3).normal(size=one.shape)
    for sampled in (one, other):
        (sampled * slopes).sum().backward()
    np.testing.assert_allclose(found.grad, expected.grad, rtol=0, atol=1e-5 * np.abs(expected.grad).max())


@pytest.mark.parametrize("through_scale", [False, True])
def test_chips_sampled_some_at_a_time_are_those_sampled_together(monkeypatch, through_scale):
    layout = arrange(SIZES, mapping=ReferenceColumn())
    sampler, weights, course = large_case(layout)
    writes, found = sampler.draw(4, [RNG(8), RNG(9)]), []
    for at_once in (10**9, 6000):  # values of 1457 devices of two networks: all chips, or two
        monkeypatch.setattr("tiocross.learning.on_devices._VALUES_AT_ONCE", at_once)
        tensor = Tensor(weights)
        sampled = sampler.sample(tensor, writes, course, through_scale=through_scale)
        (sampled * RNG(3).normal(size=sampled.shape)).sum().backward()
        found.append((sampled.value, tensor.grad))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=0, atol=1e-12 * np.abs(found[0][1]).max())


def test_layers_without_bias_take_no_devices_for_it():
    layout = arrange([LayerShape(40, 30, False), LayerShape(31, 5)])
    sampler, weights, course = large_case(layout)
    writes, tensor = sampler.draw(4, [RNG(8), RNG(9)]), Tensor(weights)
    sampled = sampler.sample(tensor, writes, course)
    bias = np.s_[:, :, 40 * 30 : 41 * 30]
    np.testing.assert_array_equal(sampled.value[bias], np.broadcast_to(weights, sampled.shape).astype(np.float32)[bias])
    slopes = RNG(3).normal(size=sampled.shape)
    (sampled * slopes).sum().backward()
    np.testing.assert_allclose(tensor.grad[bias], slopes.sum(axis=1, keepdims=True)[bias], rtol=1e-5, atol=1e-5)
    view, general = WeightsOnDevices(FAULTY, layout, SHAPES), Tensor(weights)
    other = view.sample_generally(general, view.scale_of(weights), writes)
    (other * slopes).sum().backward()
    np.testing.assert_allclose(sampled.value, other.value, rtol=0, atol=5e-7)
    np.testing.assert_allclose(tensor.grad, general.grad, rtol=0, atol=1e-5 * np.abs(general.grad).max())


def test_lines_of_large_networks_fail_as_often_as_stated():
    lines = LineFailures(probability_word_line=0.2, probability_bit_line=0.1, g_low=1e-7, g_high=1e-3, source="test")
    layout = LAYOUTS["pairs"]
    sampler, _, _ = large_case(layout, device=replace(TIO2, lines=lines, stuck=None))
    writes = sampler.draw(200, [RNG(5)])
    layers = sampler._on_devices.layers_of_writes(writes[0])
    first = (np.s_[:], *layout.blocks_of[0][0].in_layer)
    failed, held = layers[0].stuck[first], layers[0].constant[first]
    whole = failed.all(axis=2)[:, :, None] | failed.all(axis=1)[:, None]
    np.testing.assert_array_equal(failed, whole)
    columns = failed.all(axis=1)
    assert (np.ptp(held, axis=1)[columns] == 0).all() and columns.any()  # a failed line has one conductance
    # 0.8 x 0.9 of all devices are sound; of 200 chips with some 240 lines each, 0.2 % more or less by chance.
    assert 1 - np.concatenate([layer.stuck.ravel() for layer in layers]).mean() == pytest.approx(0.72, abs=0.008)


@pytest.fixture(scope="module")
def stripes():
    """Four classes by where the bright stripe of a row of 40 pixels stands, with noise."""
    rng = RNG(0)
    labels = rng.permutation(300) % 5
    points = (np.arange(40) // 8 == labels[:, None]) + rng.normal(0, 0.3, (300, 40))
    return Dataset(points, labels)


SHORT = TrainingSettings(n_steps=60, batch_size=64, n_chips=3, learning_rate=0.02)


def test_large_networks_learn_and_have_the_same_bits_together_and_alone(stripes):
    techniques = [NoiseInjection(), ConductanceDropout(), RangePenalty(1e-3)]
    starts = [MLP(*SIZES, rng=RNG(k)) for k in (1, 2)]
    together = train_many(starts, stripes, techniques, device=TIO2, rngs=[RNG(3), RNG(4)], settings=SHORT)
    alone = [train(start, stripes, techniques, device=TIO2, rng=RNG(seed), settings=SHORT)
             for start, seed in zip(starts, (3, 4))]
    for one, other in zip(together, alone):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one.arrays, other.arrays))
        assert (one.predict(stripes.points) == stripes.labels).mean() > 0.95


def test_networks_of_one_generator_meet_the_same_chips(stripes):
    start, rng = MLP(*SIZES, rng=RNG(1)), RNG(3)
    one, other = train_many([start, start], stripes, [NoiseInjection()], device=TIO2, rngs=[rng, rng],
                            settings=replace(SHORT, n_steps=4))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one.arrays, other.arrays))


def convolutional(seed, activation="relu", has_bias=False):
    layers = [Conv1d(6, 5, stride=2, padding=1, activation=activation, bias=has_bias), AveragePool1d(2), Dense(5)]
    return Network(layers, (1, 40), rng=RNG(seed))


def test_passes_of_convolutional_networks_are_those_of_the_network(stripes):
    network = convolutional(1)
    weights = as_column(network)
    logits = run_products(Tensor(weights), [array.shape for array in network.arrays], stripes.points.T[None],
                          [network.steps])
    np.testing.assert_allclose(logits.value[0, 0], network.logits(stripes.points), rtol=0, atol=1e-5)


@pytest.mark.parametrize("techniques", [[], [NoiseInjection(), ConductanceDropout(), RangePenalty(1e-3)],
                                        [NoiseInjection(), GaussianNoise(0.05), WiresInLoop(2.0)]],
                         ids=["software", "hardware-aware", "noise and wires"])
def test_convolutional_networks_learn_and_keep_what_they_lack(stripes, techniques):
    starts = [convolutional(seed, activation) for seed, activation in ((1, "relu"), (2, "tanh"))]
    hardware = {"device": TIO2, "layout": arrange(starts[0].shapes, (16, 16))} if techniques else {}
    trained = train_many(starts, stripes, techniques, rngs=[RNG(3), RNG(4)], settings=SHORT, **hardware)
    for start, network in zip(starts, trained):
        assert (network.predict(stripes.points) == stripes.labels).mean() > 0.8
        assert not network.arrays[0][-1].any() and network.steps == start.steps
    alone = train(starts[1], stripes, techniques, rng=RNG(4), settings=SHORT, **hardware)
    assert all(one.tobytes() == other.tobytes() for one, other in zip(alone.arrays, trained[1].arrays))


def test_networks_of_one_training_are_built_alike(stripes):
    with pytest.raises(ValueError, match="must have the same layer"):
        train_many([convolutional(1), convolutional(2, has_bias=True)], stripes, rngs=[RNG(3), RNG(4)], settings=SHORT)
    other = Network([Conv1d(6, 5, stride=2, padding=1, bias=False), Dense(5)], (1, 40), rng=RNG(1))
    with pytest.raises(ValueError, match="must have the same layer"):
        train_many([convolutional(1), other], stripes, rngs=[RNG(3), RNG(4)], settings=SHORT)


def test_a_perceptron_from_elsewhere_is_fine_tuned_with_what_it_has(stripes):
    rng = RNG(6)
    given = [(rng.normal(0, 0.3, (40, 12)), None), (rng.normal(0, 0.3, (12, 8)), rng.normal(size=8)),
             (rng.normal(size=(8, 5)), None)]
    network = MLP.from_arrays(given, activation=["relu", "tanh"])
    techniques, settings = [NoiseInjection(), RangePenalty(1e-3)], TrainingSettings.fine_tuning(20, 0.02, 2)
    tuned = train(network, stripes, techniques, device=TIO2, layout=arrange(network.shapes, (16, 16)), rng=rng,
                  settings=settings)
    assert [bool(array[-1].any()) for array in tuned.arrays] == [False, True, False]
    assert (tuned.predict(stripes.points) == stripes.labels).mean() > 0.9
    assert [step.activation for step in tuned.steps] == ["relu", "tanh", "linear"]


def test_large_networks_are_retrained_around_the_stuck_devices_of_one_chip(stripes):
    network, layout = MLP(*SIZES, rng=RNG(1)), LAYOUTS["pairs"]
    stuck = [np.full(shape, np.nan) for shape in layout.layer_shapes]
    stuck[0][3, 8], stuck[1][2, 1] = FAULTY.g_max, 0.0
    settings = TrainingSettings(n_epochs=6, batch_size=64, n_chips=2, learning_rate=0.02)
    tuned = retrain_around(network, stripes, TIO2, stuck, rng=RNG(2), layout=layout, settings=settings)
    assert (tuned.predict(stripes.points) == stripes.labels).mean() > 0.9
