"""Convolutions, layers without bias and activations of their own on chips: planned, driven, read, judged."""

import numpy as np
import pytest

from tiocross import (
    MLP, TIO2, Adaptation, AveragePool2d, ConductanceDropout, Conv2d, Crossbar, Dense, DifferentialPairs, InstrumentError,
    Network, NoiseInjection, RangePenalty, Sinh, TrainingSettings, WiresInLoop, arrange, infer, judge_plan, judge_readback,
    load_plan, map_weights, measure_logits, plan, predict_logits, refit_output, share_arrays, train, transfer,
)
from tiocross.circuit.matrices import transfer_matrix
from tiocross.learning.steps import run_steps
from tiocross.tasks import Dataset
from tiocross.transfers.adaptation import refit_gain
from tiocross.transfers.chips import Chips

RNG = np.random.default_rng


def make(seed=0):
    """A small convolutional network of which one layer has no bias."""
    rng = RNG(seed)
    network = Network([Conv2d(3, 2, stride=(2, 1)), AveragePool2d((1, 2)), Dense(4, "tanh", bias=False), Dense(3)], (1, 4, 5),
                      rng=rng)
    for array, step in zip(network.arrays, network.steps):
        array[-1] = rng.normal(size=array.shape[1]) * step.has_bias
    network.arrays[-1][-1] -= network.logits(rng.normal(size=(200, 20))).mean(axis=0)  # so that each class has points
    return network


def mixed():
    rng = RNG(5)
    return MLP.from_arrays([(rng.normal(size=(4, 6)), rng.normal(size=6)), (rng.normal(size=(6, 5)), None),
                            (rng.normal(size=(5, 3)), rng.normal(size=3))], activation=["relu", "tanh", "softmax"])


NETWORKS = {"convolution": make, "mixed": mixed}
LAYOUTS = {"own": lambda shapes: arrange(shapes), "tiles": lambda shapes: arrange(shapes, (4, 4)),
           "shared": lambda shapes: share_arrays(shapes, (8, 8), mapping=DifferentialPairs(digital_output_bias=True))}
POINTS = {"convolution": RNG(1).normal(size=(6, 20)), "mixed": RNG(1).normal(size=(6, 4))}


class Array:
    """An array on the table that counts how often it is driven."""

    def __init__(self, conductances):
        self.conductances, self.shape, self.n_driven = np.nan_to_num(conductances), conductances.shape, 0

    def multiply(self, voltages):
        assert np.abs(voltages).max() <= 0.2 * (1 + 1e-12)
        self.n_driven += len(voltages)
        return voltages @ self.conductances


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("lies", LAYOUTS)
def test_ideal_arrays_give_the_logits_of_software(name, lies):
    network, points = NETWORKS[name](), POINTS[name]
    layout = LAYOUTS[lies](network.shapes)
    arrays = [np.nan_to_num(array) for array in layout.place(list(map_weights(network, TIO2, layout=layout)))]
    found = predict_logits(network, [Crossbar(array) for array in arrays], points, layout=layout)
    # Differences of conductances of 5e-4 S: rounding of 1e-16 of the largest weight, added up over three layers.
    np.testing.assert_allclose(found, network.logits(points), rtol=0, atol=1e-11)
    instruments = [Array(array) for array in arrays]
    np.testing.assert_allclose(measure_logits(network, instruments, points, layout=layout), network.logits(points), atol=1e-11)
    assert np.array_equal(infer(network, [Crossbar(array) for array in arrays], points, layout=layout), network.predict(points))


def test_a_kernel_is_driven_once_for_each_position():
    network, points = make(), POINTS["convolution"]
    instruments = [Array(array) for array in map_weights(network, TIO2)]
    measure_logits(network, instruments, points)
    assert [instrument.n_driven for instrument in instruments] == [6 * 2 * 4, 6, 6]


def test_wires_and_laws_are_those_of_each_array_at_each_position():
    network, points = make(), POINTS["convolution"]
    targets = map_weights(network, TIO2)
    crossbars = [Crossbar(array, wire_resistance=5.0) for array in targets]
    arrays = targets.weights([transfer_matrix(crossbar) for crossbar in crossbars])
    expected = run_steps(network.steps, arrays, network.encode(points))
    np.testing.assert_allclose(predict_logits(network, crossbars, points), expected, rtol=0, atol=1e-11)
    bent = predict_logits(network, [Crossbar(array, iv=Sinh(1.0)) for array in targets], points)
    assert bent.shape == (6, 3) and 0 < np.abs(bent - network.logits(points)).max() < 0.2


def test_chips_side_by_side_are_predicted_like_one_after_the_other():
    network, points = make(), POINTS["convolution"]
    targets = map_weights(network, TIO2)
    chips = [RNG(2).uniform(0.9, 1.1, (3, *array.shape)) * array for array in targets]
    together = predict_logits(network, [Crossbar(array) for array in chips], points)
    for chip in range(3):
        alone = predict_logits(network, [Crossbar(array[chip]) for array in chips], points)
        np.testing.assert_allclose(together[chip], alone, rtol=0, atol=1e-12)


def test_an_instrument_that_fails_is_named():
    class Broken(Array):
        def multiply(self, voltages):
            return super().multiply(voltages)[:, :-1]

    with pytest.raises(InstrumentError, match="instrument 0 failed when multiplying 48 points"):
        measure_logits(make(), [Broken(array) for array in map_weights(make(), TIO2)], POINTS["convolution"])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("order", ["raster", "sensitive last"])
def test_plans_come_back_from_their_files_with_all_weights(name, order, tmp_path):
    network, points = NETWORKS[name](), POINTS[name]
    made = plan(network, TIO2, layout=(6, 6), order=order, points=points)
    made.save(tmp_path / "plan")
    loaded = load_plan(tmp_path / "plan")
    assert loaded.sha256 == made.sha256 and loaded.layout.without_bias == made.layout.without_bias
    for found, array in zip(loaded.weights(loaded.expected), network.arrays):
        np.testing.assert_allclose(found, array, rtol=0, atol=1e-13)
    targets = loaded.targets_of(network)
    arrays = [Crossbar(np.nan_to_num(array)) for array in loaded.expected]
    np.testing.assert_allclose(predict_logits(network, arrays, points, layout=targets), network.logits(points), atol=1e-11)
    biases = {(device.layer, device.input) for device in made.device_table() if device.input == "bias"}
    assert biases == {(layer, "bias") for layer, shape in enumerate(network.shapes) if shape.has_bias}
    assert judge_readback(made, network, made.expected, Dataset(points, [0, 1, 2] * 2)).same_class == 1.0


def test_plans_tell_networks_apart_that_differ_in_more_than_weights():
    first = make()
    other = Network.from_arrays([(array[:-1].T if k else array[:-1].T.reshape(3, 1, 2, 2), None if k == 1 else array[-1])
                                 for k, array in enumerate(first.arrays)],
                                [Conv2d(3, 2, stride=(2, 1), activation="tanh"), AveragePool2d((1, 2)),
                                 Dense(4, "tanh", bias=False), Dense(3)], (1, 4, 5), orientation="out_in")
    assert plan(first, TIO2).network_sha256 != plan(other, TIO2).network_sha256
    with pytest.raises(ValueError, match="the plan is for another network"):
        plan(first, TIO2).require_network(other)


def test_output_layers_are_refitted_on_what_convolutions_give():
    network, data = make(), Dataset(RNG(1).normal(size=(60, 20)), RNG(2).integers(0, 3, 60))
    chips = [RNG(3).normal(size=(2, *array.shape)) * 0.01 + array for array in network.arrays]
    found = refit_output(network, chips, data)
    assert found.shape == (2, 5, 3)
    np.testing.assert_allclose(refit_output(network, [array[1] for array in chips], data), found[1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(refit_output(network, network.arrays, data), network.arrays[-1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(refit_gain(network, network.arrays, data), network.arrays[-1], rtol=0, atol=1e-9)


def test_a_refit_needs_a_dense_output_layer():
    network = Network([Conv2d(3, 2, activation="linear"), AveragePool2d(3)], (1, 4, 4), rng=RNG(0))
    data = Dataset(RNG(1).normal(size=(6, 16)), [0, 1, 2] * 2)
    for call in (lambda: refit_output(network, network.arrays, data), lambda: refit_gain(network, network.arrays, data),
                 lambda: transfer(network, data, device=TIO2, adaptation=Adaptation(training=data, refit="gain"), rng=RNG(0))):
        with pytest.raises(ValueError, match="where the last layer is dense; the network ends with AveragePool2d 3 x 3"):
            call()


# Simulated chips.


def labelled(network, n=40, seed=1):
    points = RNG(seed).normal(size=(n, network.sizes[0]))
    return Dataset(points, network.predict(points), n_classes=network.n_classes)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("resistance", [0.0, 4.0])
@pytest.mark.parametrize("lies", LAYOUTS)
def test_verdicts_are_those_of_each_chip_alone(name, resistance, lies):
    network = NETWORKS[name]()
    data, layout = labelled(network), LAYOUTS[lies](network.shapes)
    found = transfer(network, data, device=TIO2, layout=layout, wire_resistance=resistance, n_transfers=12, rng=RNG(3),
                     keep_correct=True)
    chips = Chips(network, TIO2, layout=layout, wire_resistance=resistance, rng=RNG(3))
    weights = chips.weights(range(12))
    assert [array.shape[1:] for array in weights] == [array.shape for array in network.arrays]
    for layer, step in zip(weights, network.steps):
        assert step.has_bias or not layer[:, -1].any()
    logits = run_steps(network.steps, weights, network.encode(data.points))
    np.testing.assert_array_equal(found.correct, logits.argmax(axis=-1) == data.labels)
    assert 0.3 < found.accuracies.mean() < 1.0 and found.nominal_accuracy == 1.0
    assert found.n_devices == sum(2 * rows * columns for rows, columns in layout.layer_shapes) // 2


def test_dense_layers_are_judged_as_the_perceptron_that_they_are():
    perceptron = MLP(3, 6, 2, rng=RNG(0), activation="tanh")
    chain = Network([Dense(6, "tanh"), Dense(2)], (3,), rng=RNG(1)).with_arrays(perceptron.arrays)
    data = labelled(perceptron)
    first, second = (transfer(network, data, device=TIO2, n_transfers=30, rng=RNG(3), keep_correct=True)
                     for network in (perceptron, chain))
    np.testing.assert_array_equal(first.correct, second.correct)


def test_planned_chips_are_judged():
    network = make()
    data = labelled(network)
    made = plan(network, TIO2, layout=(8, 8), points=data.points)
    found = judge_plan(made, network, data, n_transfers=10, rng=RNG(1), keep_correct=True)
    assert found.correct.shape == (10, 40) and 0.3 < found.accuracies.mean() < 1.0


@pytest.mark.parametrize("how", [{"map_known": True}, {"sensitive_last": True}, {"compensated": True}, {"refit": "output"},
                                 {"refit": "gain"}, {"map_known": True, "retraining": "short"},
                                 {"layer_by_layer": True, "retraining": "short"}])
@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_known_of_a_chip_is_made_use_of(how, name):
    network = NETWORKS[name]()
    data = labelled(network, 60)
    if "retraining" in how:
        how = {**how, "retraining": TrainingSettings(n_steps=5, n_chips=2, learning_rate=0.01)}
    kind = {"device": TIO2, "layout": arrange(network.shapes, (12, 12)), "n_transfers": 6, "wire_resistance": 3.0}
    found = transfer(network, data, adaptation=Adaptation(training=data, **how), rng=RNG(3), **kind)
    plain = transfer(network, data, rng=RNG(3), **kind)
    # None of these means makes six chips together worse by more than chance, some 5 %.
    assert found.accuracies.mean() > plain.accuracies.mean() - 0.05


# Training.


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("techniques", [[], [NoiseInjection(), ConductanceDropout(), RangePenalty(1e-3)],
                                        [NoiseInjection(), WiresInLoop(2.0)]])
def test_training_lowers_the_loss_and_leaves_missing_biases_out(name, techniques):
    network, rng = NETWORKS[name](), RNG(4)
    points = RNG(1).normal(size=(90, network.sizes[0]))
    data = Dataset(points, (points[:, 0] > 0).astype(int) + (points[:, 1] > 0.7), n_classes=3)
    device, layout = (TIO2, arrange(network.shapes, (8, 8))) if techniques else (None, None)
    trained = train(network, data, techniques, device=device, layout=layout, rng=rng,
                    settings=TrainingSettings(n_steps=60, n_chips=2, batch_size=90, learning_rate=0.02))
    before, after = (-np.log(each.probabilities(points)[np.arange(90), data.labels]).mean() for each in (network, trained))
    assert after < 0.9 * before
    assert type(trained) is type(network) and trained.architecture == network.architecture
    for array, shape in zip(trained.arrays, trained.shapes):
        assert array[-1].any() == shape.has_bias
