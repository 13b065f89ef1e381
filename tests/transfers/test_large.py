"""Networks of real size on simulated chips: draws by number, classes by matrix products, memory that sets the pace."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    MLP, TIO2, AveragePool2d, Conv2d, Dataset, Dense, LineFailures, Network, TrainingSettings, arrange, judge_plan, plan,
    transfer)
from tiocross.devices.large_draws import LARGE
from tiocross.devices.writes import apply_writes, draw_writes
from tiocross.learning.network import classify
from tiocross.learning.steps import Step, run_steps
from tiocross.transfers import products
from tiocross.transfers.adaptation import Adaptation
from tiocross.transfers.budget import chips_at_once
from tiocross.transfers.chips import Chips
from tiocross.transfers.draws import BlockDraws, SingleDraws
from tiocross.transfers.inference import PointClassifier
from tiocross.transfers.judging import Judge, tally_chips
from tiocross.transfers.products import ProductClassifier
from tiocross.units import uS

RNG = np.random.default_rng
SIZES = (30, 40, 4)  # 2808 devices
FAULTY = replace(TIO2, stuck=replace(TIO2.stuck, probability_lrs=0.003, probability_hrs=0.003))
WITH_LINES = replace(FAULTY, lines=LineFailures(0.01, 0.01, 1 * uS, 2000 * uS, source="made up"))
SETTINGS = TrainingSettings(n_steps=2, n_chips=1, batch_size=8)
ADAPTATIONS = {  # device, what is done with a chip
    "blind": (FAULTY, {}),
    "failed lines": (WITH_LINES, {}),
    "compensated": (FAULTY, {"compensated": True}),
    "placed": (WITH_LINES, {"map_known": True}),
    "retrained": (FAULTY, {"map_known": True, "retraining": SETTINGS}),
    "output refitted": (FAULTY, {"refit": "output"}),
    "gains refitted": (FAULTY, {"refit": "gain"}),
    "layer by layer": (FAULTY, {"layer_by_layer": True, "retraining": SETTINGS}),
}


@pytest.fixture(scope="module")
def large():
    return MLP(*SIZES, rng=RNG(1), activation="tanh")


@pytest.fixture(scope="module")
def points():
    return Dataset(RNG(2).uniform(-1, 1, (150, SIZES[0])), RNG(3).integers(0, 4, 150))


def make_chips(network, points, name="blind", wire_resistance=0.0, seed=5):
    device, changes = ADAPTATIONS[name]
    training = Dataset(points.points[:40], points.labels[:40])
    return Chips(network, device, layout=arrange(network.shapes, (44, 44)), wire_resistance=wire_resistance,
                 adaptation=Adaptation(training, **changes), rng=RNG(seed))


def assert_same_bits(one, other):
    assert [array.tobytes() for array in one] == [array.tobytes() for array in other]


@pytest.mark.parametrize("wire_resistance", [0.0, 2.0])
@pytest.mark.parametrize("name", ADAPTATIONS)
def test_a_chip_is_the_same_whichever_are_asked_for(large, points, name, wire_resistance):
    chips = make_chips(large, points, name, wire_resistance)
    whole = chips.weights(range(498, 502))
    again = pickle.loads(pickle.dumps(chips))
    parts = [again.weights(numbers) for numbers in (range(498, 499), range(499, 502))]
    assert_same_bits(whole, [np.concatenate(layer) for layer in zip(*parts)])
    assert [array.shape[1:] for array in whole] == [array.shape for array in large.arrays]
    assert all(np.isfinite(array).all() for array in whole)


def test_what_a_chip_meets_does_not_depend_on_what_is_known(large, points):
    """Chips of which the faults are known, and that have none, are those of which nothing is known."""
    device = replace(WITH_LINES, stuck=replace(TIO2.stuck, probability_lrs=1e-4, probability_hrs=1e-4),
                     lines=replace(WITH_LINES.lines, probability_word_line=1e-3, probability_bit_line=1e-3))
    layout, numbers = arrange(SIZES, (44, 44)), range(7, 19)
    blind, known = (Chips(large, device, layout=layout, adaptation=Adaptation(map_known=is_known), rng=RNG(5))
                    for is_known in (False, True))
    faults = blind.faults(numbers)
    sound = np.all([np.isnan(array[:, used]).all(axis=1) for array, used in zip(faults, layout.used)], axis=0)
    assert 0 < sound.sum() < 12
    for one, other in zip(blind.programmed(numbers).conductances, known.programmed(numbers).conductances):
        assert one[sound].tobytes() == other[sound].tobytes()
        assert one[~sound].tobytes() != other[~sound].tobytes()
    in_use = layout.place(blind.programmed(numbers).conductances)
    for array, used, programmed in zip(faults, layout.used, in_use):
        held = ~np.isnan(array) & used
        np.testing.assert_allclose(programmed[held], array[held], rtol=1e-6)


def test_large_chips_follow_the_law_of_small_ones(large):
    """The mean and the spread of every device, by the law drawn in double precision for as many chips."""
    n_chips = 1500
    chips = Chips(large, TIO2, layout=arrange(SIZES, (44, 44)), rng=RNG(6))
    assert type(chips._draws) is SingleDraws and chips.targets.n_devices > LARGE
    found = chips.programmed(range(n_chips)).conductances[1]
    later = chips.layout.n_later_writes[1]
    expected = apply_writes(chips.targets[1], draw_writes(TIO2, later, n_chips, RNG(7)))
    for level in (0.02, 0.25, 0.5, 0.75, 0.98):
        # Share of chips below the other draw's quantile: both scatter by sqrt(p (1 - p) / n), 5.5 of it for 328 devices.
        below = (found < np.quantile(expected, level, axis=0)).mean(axis=0)
        assert np.abs(below - level).max() < 5.5 * np.sqrt(2 * level * (1 - level) / n_chips)
    assert abs(np.corrcoef(found[:, 0, 0], found[:, 0, 1])[0, 1]) < 0.1  # devices are independent, and chips are
    assert abs(np.corrcoef(found[:-1, 3, 2], found[1:, 3, 2])[0, 1]) < 0.1


def test_chips_are_programmed_once_for_several_wires_if_they_are_small(network, large, points):
    small, big = Chips(network, TIO2, rng=RNG(1)), make_chips(large, points)
    for chips, is_kept in ((small, True), (big, False)):
        moved = chips.with_wires(2.0)
        one, other = (each.programmed(range(3)).conductances[0] for each in (chips, moved))
        assert np.array_equal(one, other) and np.shares_memory(one, other) == is_kept
    assert_same_bits(pickle.loads(pickle.dumps(small)).weights(range(4)), small.weights(range(4)))


def test_small_networks_keep_their_blocks(network):
    assert type(Chips(network, TIO2, rng=RNG(1))._draws) is BlockDraws
    with pytest.raises(ValueError, match=r"range\(499, 501\) are chips of several blocks of 500"):
        Chips(network, TIO2, rng=RNG(1)).programmed(range(499, 501))


@pytest.mark.parametrize("wire_resistance", [0.0, 2.0])
def test_the_outcome_does_not_depend_on_memory_or_workers(large, points, wire_resistance):
    options = {"device": TIO2, "layout": arrange(SIZES, (44, 44)), "wire_resistance": wire_resistance, "n_transfers": 23}
    given = [transfer(large, points, rng=RNG(8), keep_correct=True, **options, **more)
             for more in ({}, {"workers": 2}, {"memory": 2.45e7}, {"workers": 3, "memory": 7.4e7})]
    for outcome in given[1:]:
        assert outcome.correct.tobytes() == given[0].correct.tobytes()
        assert outcome.summary() == given[0].summary()


def test_one_chip_that_does_not_fit_is_named(large, points):
    with pytest.raises(ValueError, match=r"one chip of 2808 devices for each of 2 workers takes \d+\.?\d* MB with the 150 "
                                         r"points; memory is 0.01 MB. Give more, such as memory=\d"):
        transfer(large, points, device=TIO2, layout=arrange(SIZES, (44, 44)), memory=1e4, workers=2, rng=RNG(1))
    for wrong in (0, -1.0, float("nan"), "1e9"):
        with pytest.raises((ValueError, TypeError), match="memory must be"):
            transfer(large, points, device=TIO2, memory=wrong, rng=RNG(1))


def test_more_memory_holds_more_chips(large, points):
    chips, classifier = make_chips(large, points), ProductClassifier(large, points.points)
    counts = [chips_at_once(chips, classifier, memory, 1) for memory in (1e8, 2e8, 1e9)]
    assert counts[0] < counts[1] < counts[2]
    assert (counts[2] - counts[1]) * 40 * 2808 < 0.8e9


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "softplus", "hardtanh"])
@pytest.mark.parametrize("sizes", [(30, 40, 4), (20, 50, 30, 1), (10, 3), (12, 1)])
def test_classes_by_products_are_those_of_double_precision(activation, sizes):
    network = MLP(*sizes, rng=RNG(9), activation=activation)
    copies = [array + 0.1 * RNG(10).standard_normal((7, *array.shape)) for array in network.arrays]
    points = RNG(11).uniform(-2, 2, (1100, sizes[0]))
    found = ProductClassifier(network, points).classify(copies)
    for copy, given in enumerate(found):
        arrays = [array[copy] for array in copies]
        assert np.array_equal(given, classify(run_steps(network.steps, arrays, points)))
    if network.is_plain:
        assert np.array_equal(found, PointClassifier(network, points).classify(copies))


def near_ties(network, copies, rng):
    """Points within 1e-9 to 1e-4 of a boundary of one of the copies, found by halving between two points."""
    points = []
    for copy in range(len(copies[0])):
        arrays = [array[copy] for array in copies]
        ends = rng.uniform(-2, 2, (2, 40, len(network.arrays[0]) - 1))
        first = classify(run_steps(network.steps, arrays, ends[0]))
        for _ in range(35):
            middle = ends.mean(axis=0)
            same = classify(run_steps(network.steps, arrays, middle)) == first
            ends = np.where(same[:, None], [middle, ends[1]], [ends[0], middle])
        away = rng.standard_normal(ends[0].shape) * 10.0 ** rng.uniform(-9, -5, (len(first), 1))
        points.append(ends[0] + away)
    return np.concatenate(points)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("sizes", [(30, 40, 4), (20, 50, 30, 1)])
def test_near_ties_are_decided_in_double_precision(activation, sizes, monkeypatch):
    network = MLP(*sizes, rng=RNG(12), activation=activation)
    copies = [array + 0.5 * RNG(13).standard_normal((4, *array.shape)) for array in network.arrays]
    points = near_ties(network, copies, RNG(14))
    expected = np.stack([classify(run_steps(network.steps, [array[copy] for array in copies], points)) for copy in range(4)])
    assert np.array_equal(ProductClassifier(network, points).classify(copies), expected)
    monkeypatch.setattr(products, "_UNIT", 0.0)  # without the bound single precision gets some of them wrong
    assert (ProductClassifier(network, points).classify(copies) != expected).any()


def test_the_bound_holds_with_room_to_spare():
    """Errors of single precision against double, at every output of every copy."""
    for sizes, activation in (((300, 64, 10), "sigmoid"), ((100, 80, 60, 1), "relu"), ((50, 40, 3), "softplus")):
        network = MLP(*sizes, rng=RNG(15), activation=activation)
        copies = [(array + 0.1 * RNG(16).standard_normal((3, *array.shape))).astype(np.float32) for array in network.arrays]
        points = RNG(17).uniform(-1, 1, (400, sizes[0]))
        classifier = ProductClassifier(network, points)
        parts = [products._sizes_of(array, k, len(copies)) for k, array in enumerate(copies)]
        errors = products._Errors(classifier._norms)
        turned = [array.transpose(0, 2, 1).copy() for array in copies]
        turned[0] = turned[0].reshape(-1, sizes[0] + 1)
        single = classifier._run_dense(turned, classifier._inputs[0], parts, errors)
        bounds = errors.of_outputs(classifier._layers[-1], parts[-1], 1)
        exact = run_steps(network.steps, [array.astype(np.float64) for array in copies], points).transpose(0, 2, 1)
        ratios = np.abs(single - exact).max(axis=1) / bounds
        assert 1e-4 < ratios.max() < 0.25  # a quarter of the margin of eight: no error is near it


def convolutional():
    """Steps of a kernel of 3 x 2 over 5 positions with padding, averaged in pairs, then a dense layer; and its weights."""
    seen = np.arange(5)[:, None] + np.array([0, 1, 2]) - 1
    seen[seen > 4] = -1
    pooled = np.array([[2 * k, 2 * k + 2] for k in range(4)])
    return (Step("relu", seen, pooled), Step("tanh"), Step("linear")), [(4, 2), (5, 6), (7, 3)]


class _Stepped:
    """What a classifier needs of a network, with steps of any kind."""

    def __init__(self, steps, shapes, rng):
        self.steps, self.arrays = steps, [rng.standard_normal(shape) for shape in shapes]
        self.n_classes, self.is_plain = shapes[-1][1], False

    def encode(self, points):
        """The points themselves."""
        return points


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_kernels_reused_over_positions(scale):
    network = _Stepped(*convolutional(), RNG(18))
    copies = [scale * array + 0.1 * RNG(19).standard_normal((5, *array.shape)) for array in network.arrays]
    points = RNG(20).uniform(-1, 1, (1300, 5))
    points[:40] *= 1e-6
    found = ProductClassifier(network, points).classify(copies)
    for copy, given in enumerate(found):
        assert np.array_equal(given, classify(run_steps(network.steps, [array[copy] for array in copies], points)))


@pytest.mark.parametrize("name", ["blind", "compensated", "retrained", "output refitted"])
def test_convolutions_on_chips(name):
    """Judged as the logits of each chip say, with anything that is known of it."""
    network = Network([Conv2d(6, 3, padding=1), AveragePool2d(2), Dense(3)], (1, 6, 6), rng=RNG(27))
    points = Dataset(RNG(28).uniform(-1, 1, (60, 36)), RNG(29).integers(0, 3, 60))
    adaptation = Adaptation(points, **ADAPTATIONS[name][1])
    chips = Chips(network, FAULTY, wire_resistance=2.0, adaptation=adaptation, rng=RNG(30))
    found = transfer(network, points, device=FAULTY, wire_resistance=2.0, adaptation=adaptation, rng=RNG(30), n_transfers=3,
                     keep_correct=True)
    for chip, weights in enumerate(zip(*chips.weights(range(3)))):
        given = classify(run_steps(network.steps, list(weights), points.points))
        assert np.array_equal(found.correct[chip], given == points.labels)


def test_sums_beyond_single_precision_are_decided_in_double():
    network = MLP(6, 9, 2, rng=RNG(21), activation="relu")
    copies = [1e25 * np.stack([array, -array]) for array in network.arrays]
    points = RNG(22).uniform(-1, 1, (60, 6))
    found = ProductClassifier(network, points).classify(copies)
    for copy, given in enumerate(found):
        assert np.array_equal(given, classify(run_steps(network.steps, [array[copy] for array in copies], points)))


def test_ideal_chips_of_a_large_network_are_the_network(large, points):
    for wire_resistance in (0.0, 1e-9):
        outcome = transfer(large, points, device=TIO2.ideal(), layout=arrange(SIZES, (44, 44)), n_transfers=2,
                           wire_resistance=wire_resistance, rng=RNG(23), keep_correct=True)
        assert (outcome.correct == outcome.nominally_correct).all()


def test_a_plan_of_a_large_network_is_judged(large, points):
    made = plan(large, replace(FAULTY, array_shape=(44, 44)))
    whole, part = (judge_plan(made, large, points, n_transfers=numbers, rng=RNG(24), keep_correct=True, wire_resistance=1.0)
                   for numbers in (range(5), range(2, 5)))
    assert np.array_equal(whole.correct[2:], part.correct)


def test_several_activations_are_judged_by_products(points):
    """Layers with activations of their own, which the compiled way does not know: judged as their logits say."""
    rng = RNG(25)
    layers = [(rng.standard_normal((30, 9)), rng.standard_normal(9)), (rng.standard_normal((9, 5)), None),
              (rng.standard_normal((5, 4)), rng.standard_normal(4))]
    network = MLP.from_arrays(layers, activation=["relu", "tanh"], orientation="in_out")
    chips = Chips(network, TIO2, rng=RNG(26))
    tally = tally_chips(chips, points, range(12), keep_correct=True)
    for chip, weights in enumerate(zip(*chips.weights(range(12)))):
        given = classify(run_steps(network.steps, list(weights), points.points))
        assert np.array_equal(tally.correct[chip], given == points.labels)
    assert isinstance(Judge(chips, points, memory=1e9)._classifier, ProductClassifier)
