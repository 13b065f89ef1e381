"""Thousands of chips at once against one chip done by hand."""

import numpy as np
import pytest
from oracle import classify_one_by_one, dense_crossbar
from signed_coordinates import arrange_signed

from tiocross import MLP, TIO2, Dataset, TrainingSettings, train, transfer
from tiocross.transfers.adaptation import Adaptation
from tiocross.transfers.chips import Chips
from tiocross.transfers.draws import CHIPS_PER_BLOCK
from tiocross.transfers.inference import PointClassifier, order_by_neighbourhood
from tiocross.transfers.outcomes import READ_VOLTAGE
from tiocross.learning.network import forward

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def few(moons):
    return Dataset(moons.test.points[:300], moons.test.labels[:300])


@pytest.mark.parametrize("wire_resistance", [0.0])
def test_ideal_chips_predict_exactly_what_software_predicts(network, moons, wire_resistance):
    outcome = transfer(network, moons.test, device=TIO2.ideal(), wire_resistance=wire_resistance, n_transfers=3, rng=RNG(1),
                       keep_correct=True)
    right = network.predict(moons.test.points) == moons.test.labels
    assert (outcome.correct == right).all()
    assert outcome.nominal_accuracy == right.mean() == outcome.accuracies[0]


def test_chips_with_wires_equal_the_dense_circuit_point_by_point(network, few):
    chips = Chips(network, TIO2, wire_resistance=15.0, rng=RNG(2))
    outcome = transfer(network, few, device=TIO2, wire_resistance=15.0, n_transfers=2, rng=RNG(2), keep_correct=True)
    states = chips.programmed(range(500)).conductances
    for chip in range(2):
        for index in range(0, 300, 23):
            signal = network.encode(few.points[index : index + 1])[0]
            for depth, state in enumerate(states):
                volts = READ_VOLTAGE * np.append(signal, 1.0)
                currents, _, _ = dense_crossbar(state[chip], volts, 15.0)
                scale = chips.targets.layers[depth].scale[0, 0]
                signal = (currents[0::2] - currents[1::2]) / (READ_VOLTAGE * scale)
                if depth == 0:
                    signal = 1 / (1 + np.exp(-signal))
            assert outcome.correct[chip, index] == ((signal[0] > 0) == few.labels[index])


def test_figures_follow_from_the_matrix_of_right_and_wrong(network, few):
    outcome = transfer(network, few, device=TIO2, wire_resistance=2.0, n_transfers=CHIPS_PER_BLOCK + 37, rng=RNG(3),
                       keep_correct=True)
    np.testing.assert_allclose(outcome.rates, outcome.correct.mean(axis=0), rtol=1e-15)
    np.testing.assert_allclose(outcome.accuracies, outcome.correct.mean(axis=1), rtol=1e-15)
    summary = outcome.summary()
    assert summary.mean_accuracy.value == pytest.approx(outcome.correct.mean(), abs=1e-6)
    assert summary.robust_fraction_95.value == pytest.approx((outcome.rates >= 0.95).mean())
    assert summary.nominal_accuracy.low < summary.nominal_accuracy.value < summary.nominal_accuracy.high
    assert str(summary) == str(outcome.summary())
    assert "right on >= 95 % of chips" in str(summary) and "[" in str(summary)
    assert outcome.n_devices == 66 and outcome.n_transfers == CHIPS_PER_BLOCK + 37


def test_chips_do_not_depend_on_workers_or_on_how_many_follow(network, few):
    options = {"device": TIO2, "wire_resistance": 2.0, "keep_correct": True}
    many = transfer(network, few, n_transfers=3 * CHIPS_PER_BLOCK, rng=RNG(4), workers=3, **options)
    some = transfer(network, few, n_transfers=CHIPS_PER_BLOCK + 1, rng=RNG(4), **options)
    assert np.array_equal(many.correct[: CHIPS_PER_BLOCK + 1], some.correct)


def test_every_network_meets_the_same_chips(moons):
    first, second = (MLP(2, 8, 1, rng=RNG(seed)) for seed in (5, 6))
    states = [Chips(network, TIO2.without("tuning", "disturb"), rng=RNG(7)).programmed(range(500)).conductances
              for network in (first, second)]
    for layer, (one, other) in enumerate(zip(*states)):
        targets = [Chips(network, TIO2, rng=RNG(7)).targets[layer] for network in (first, second)]
        stuck = [state != target for state, target in zip((one, other), targets)]
        assert stuck[0].any() and np.array_equal(stuck[0], stuck[1])
        assert np.array_equal(one[stuck[0]], other[stuck[0]])


def test_wires_leave_the_chips_as_they_are(network):
    with_wires = Chips(network, TIO2, wire_resistance=5.0, rng=RNG(8))
    without = Chips(network, TIO2, rng=RNG(8))
    numbers = range(500, 1000)
    for one, other in zip(with_wires.programmed(numbers).conductances, without.programmed(numbers).conductances):
        assert np.array_equal(one, other)
    assert all((np.abs(a) <= np.abs(b).max()).all() for a, b in zip(with_wires.weights(numbers), without.weights(numbers)))


@pytest.mark.parametrize(("sizes", "activation"), [((2, 8, 1), "sigmoid"), ((2, 5, 4, 1), "tanh"), ((2, 6, 1), "relu"),
                                                   ((2, 1), "sigmoid"), ((2, 7, 3), "tanh"), ((2, 4, 4), "relu")])
def test_classes_equal_a_loop_over_points_and_units(sizes, activation):
    rng = RNG(9)
    network = MLP(*sizes, rng=rng, activation=activation)
    points = rng.uniform(-1, 1, (101, 2))  # not a multiple of the tile
    copies = [array * 6 + rng.normal(0, 2, (3, *array.shape)) for array in network.arrays]
    found = PointClassifier(network, points).classify(copies)
    for copy in range(3):
        layers = [(array[copy, :-1], array[copy, -1]) for array in copies]
        assert np.array_equal(found[copy], classify_one_by_one(layers, points, activation))


def test_many_copies_of_thousands_of_points_equal_the_plain_forward_pass(network, moons):
    chips = Chips(network, TIO2, rng=RNG(10)).weights(range(500))
    found = PointClassifier(network, moons.test.points).classify(chips)
    logits = forward(chips, network.encode(moons.test.points), network.activation)[..., 0]
    clear = np.abs(logits) > 1e-9  # nearer to zero than this, rounding may decide either way
    assert clear.mean() > 0.999999
    assert np.array_equal(found[clear], (logits > 0)[clear])


@pytest.mark.parametrize("size", [1, 5, 32])
def test_neighbourhood_order_is_a_permutation_into_compact_groups(size):
    points = RNG(11).uniform(0, 1, (257, 3))
    order = order_by_neighbourhood(points, size)
    assert np.array_equal(np.sort(order), np.arange(257))
    groups = [points[order[k : k + size]] for k in range(0, 257, size)]
    if size > 1:
        extent = np.mean([np.ptp(group, axis=0).max() for group in groups])
        assert extent < 0.9 * np.mean([np.ptp(points[k : k + size], axis=0).max() for k in range(0, 257, size)])


def test_multi_class_transfer():
    rng = RNG(12)
    labels = np.arange(240) % 3
    points = np.stack([np.cos(2.1 * labels), np.sin(2.1 * labels)], axis=1) + rng.normal(0, 0.2, (240, 2))
    data = Dataset(points, labels)
    network = train(MLP(2, 3, rng=rng), data, rng=rng, settings=TrainingSettings(n_steps=200))
    outcome = transfer(network, data, device=TIO2, wire_resistance=1.0, n_transfers=60, rng=rng)
    assert outcome.nominal_accuracy > 0.98
    assert 0.7 < outcome.accuracies.mean() <= 1.0


def test_inputs_stay_within_the_read_voltage(network, few):
    outcome = transfer(network, few, device=TIO2.ideal(), n_transfers=1, rng=RNG(13))
    assert np.abs(network.encode(few.points)).max() * outcome.volts_per_input <= READ_VOLTAGE * (1 + 1e-12)


def test_progress_is_reported_and_can_stop_the_work(network, few):
    calls = []
    transfer(network, few, device=TIO2, n_transfers=1200, rng=RNG(14), workers=2,
             on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(500, 1200), (1000, 1200), (1200, 1200)]

    def stop(done, total):
        raise InterruptedError("enough")

    for workers in (1, 2):
        with pytest.raises(InterruptedError, match="enough"):
            transfer(network, few, device=TIO2, n_transfers=100_000, rng=RNG(14), workers=workers, on_progress=stop)


@pytest.mark.parametrize(("options", "message"), [
    ({"n_transfers": 0}, "n_transfers must be at least 1; got 0"),
    ({"n_transfers": 10.5}, "n_transfers must be a whole number"),
    ({"wire_resistance": -2.0}, "wire_resistance must be finite and at least 0 ohm; got -2 ohm"),
    ({"device": "TIO2"}, "device must be a Device, for example tiocross.TIO2; got 'TIO2'"),
    ({"rng": 3}, "rng must be a numpy.random.Generator"),
    ({"workers": 0}, "workers must be at least 1"),
    ({"layout": arrange_signed(), "wire_resistance": 1.0}, "wires join conductances, which SignedCoordinates does not give"),
    ({"layout": "signed"}, r"layout must be a Layout, such as arrange\(network.shapes, \(8, 8\)\); got a str"),
    ({"layout": arrange_signed((2, 7, 1))}, "the layout is for layers of shapes .*; the network has"),
    ({"adaptation": "refit"}, r"adaptation must be Adaptation\(\.\.\.\); got 'refit'"),
    ({"adaptation": Adaptation}, r"adaptation must be Adaptation\(\.\.\.\); got <class"),
])
def test_bad_transfers_are_named(network, few, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        transfer(network, few, **{"device": TIO2, "rng": RNG(0), **options})


def test_dataset_that_does_not_fit_the_network_is_named(network):
    with pytest.raises(ValueError, match="the network has 2 inputs but the dataset has 3 features"):
        transfer(network, Dataset(np.eye(3), [0, 1, 0]), device=TIO2, rng=RNG(0))
    with pytest.raises(ValueError, match="2 classes apart but the dataset has labels up to 2"):
        transfer(network, Dataset(np.ones((3, 2)), [0, 1, 2]), device=TIO2, rng=RNG(0))
    with pytest.raises(TypeError, match="dataset must be a Dataset"):
        transfer(network, [[0.0, 1.0]], device=TIO2, rng=RNG(0))
