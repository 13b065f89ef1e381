"""Chips of which something is known: refits, placement, retraining, layer by layer."""

import time
from dataclasses import replace
from itertools import repeat

import numpy as np
import pytest

from tiocross import (
    MLP,
    TIO2,
    Dataset,
    LineFailures,
    NoiseInjection,
    TrainingSettings,
    offset_partners,
    place_around,
    train,
    transfer,
)
from tiocross.devices.writes import apply_writes, draw_writes
from tiocross.learning.network import forward
from tiocross.learning.techniques import Course
from tiocross.learning.tensor import Tensor
from tiocross.mapping.arrangements import arrange, share_arrays
from tiocross.mapping.faults import offset_known
from tiocross.mapping.mappings import ReferenceColumn
from tiocross.mapping.sensitivity import sensitive_last, weight_effects
from tiocross.mapping.targets import map_weights
from tiocross.transfers.adaptation import RETRAINING, Adaptation, refit_gain, refit_output, retrain_around
from tiocross.transfers.chips import Chips
from tiocross.transfers.known_chips import KnownChips, offset_pairs

RNG = np.random.default_rng
ARRAYS = replace(TIO2, array_shape=(8, 8))
FAULTY = replace(ARRAYS, stuck=replace(TIO2.stuck, probability_lrs=0.05, probability_hrs=0.02))
BRIEF = replace(RETRAINING, n_steps=25, n_chips=3, batch_size=64)


@pytest.fixture(scope="module")
def network(moons):
    """A 2-8-1 network whose boundary is curved, which stuck devices and disturb spoil."""
    rng = RNG(3)
    start = MLP(2, 8, 1, rng=rng, activation="tanh")
    start.centre_inputs(moons.train)
    trained = train(start, moons.train, [NoiseInjection()], device=ARRAYS, rng=rng,
                    settings=TrainingSettings(n_steps=600, n_chips=4))
    assert (trained.predict(moons.test.points) == moons.test.labels).mean() > 0.95
    return trained


@pytest.fixture(scope="module")
def training(moons):
    return Dataset(moons.train.points[:300], moons.train.labels[:300])


@pytest.fixture(scope="module")
def everything(training):
    return Adaptation(training, map_known=True, sensitive_last=True, retraining=BRIEF, layer_by_layer=True, refit="output")


@pytest.fixture(scope="module")
def few(moons):
    return Dataset(moons.test.points[:200], moons.test.labels[:200])


@pytest.fixture(scope="module")
def three_classes():
    rng = RNG(2)
    labels = np.arange(150) % 3
    centres = np.array([[0.0, 0.0], [1.5, 0.3], [0.4, 1.4]])
    return Dataset(centres[labels] + rng.normal(0, 0.5, (150, 2)), labels)


def read_back(network, n_chips=5, seed=1):
    return Chips(network, FAULTY, rng=RNG(seed)).weights(range(n_chips))


def loss_of(network, arrays, output, dataset, shares, ridge):
    """Cross-entropy and ridge, written out class by class."""
    logits = forward([*arrays[:-1], output], network.encode(dataset.points), network.activation)
    if logits.shape[-1] == 1:
        logits, shares = np.concatenate([0 * logits, logits], axis=-1), np.concatenate([1 - shares, shares], axis=-1)
    chances = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return -(shares * np.log(chances)).sum(axis=-1).mean() + 0.5 * ridge * ((output - network.arrays[-1]) ** 2).sum()


def shares_of(network, dataset, teacher):
    if teacher == "labels":
        return np.eye(network.n_classes)[dataset.labels][:, -network.sizes[-1] :]
    logits = network.logits(dataset.points)
    if logits.shape[1] == 1:
        return 1 / (1 + np.exp(-logits))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


# Refits.


@pytest.mark.parametrize("teacher", ["network", "labels"])
@pytest.mark.parametrize("sizes", [(2, 5, 1), (2, 4, 3), (2, 1), (2, 4, 3, 1)])
def test_refit_is_where_the_loss_is_flat_and_no_neighbour_is_better(three_classes, sizes, teacher):
    dataset = three_classes if sizes[-1] == 3 else Dataset(three_classes.points, three_classes.labels > 0)
    network = MLP(*sizes, rng=RNG(4), activation="tanh")
    weights = [array * RNG(5).normal(1.0, 0.2, (3, *array.shape)) for array in network.arrays]
    shares, ridge = shares_of(network, dataset, teacher), 1e-2
    found = refit_output(network, weights, dataset, ridge=ridge, teacher=teacher)
    assert found.shape == (3, sizes[-2] + 1, sizes[-1])
    rng = RNG(6)
    for chip in range(3):
        arrays = [array[chip] for array in weights]
        best = loss_of(network, arrays, found[chip], dataset, shares, ridge)
        assert best < loss_of(network, arrays, arrays[-1], dataset, shares, ridge)
        for _ in range(5):
            away = rng.normal(0, 1e-4, found[chip].shape)
            both = [loss_of(network, arrays, found[chip] + sign * away, dataset, shares, ridge) for sign in (1, -1)]
            # flat to first order: both ends rise, and by the same to the third order of 1e-4
            assert min(both) > best and both[0] - best == pytest.approx(both[1] - best, rel=1e-2)


def test_refit_equals_plain_gradient_descent(training):
    network = MLP(2, 3, 1, rng=RNG(7), activation="tanh")
    weights = [array + RNG(8).normal(0, 0.1, array.shape) for array in network.arrays]
    found = refit_output(network, weights, training, ridge=0.1, teacher="labels")
    signals = np.tanh(network.encode(training.points) @ weights[0][:-1] + weights[0][-1])
    signals = np.concatenate([signals, np.ones((len(signals), 1))], axis=1)
    output = np.zeros((4, 1))
    for _ in range(3000):  # the slowest direction shrinks by 1 - 0.5 * 0.1 a step
        away = 1 / (1 + np.exp(-signals @ output)) - training.labels[:, None]
        output -= 0.5 * (signals.T @ away / len(signals) + 0.1 * (output - network.arrays[-1]))
    np.testing.assert_allclose(found, output, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("refit", [refit_output, refit_gain])
def test_refit_of_many_chips_equals_one_by_one(network, training, refit, monkeypatch):
    weights = read_back(network, 7)
    monkeypatch.setattr("tiocross.transfers.adaptation._VALUES_AT_ONCE", 3 * 8 * len(training))  # three chips at a time
    together = refit(network, weights, training)
    for chip in range(7):
        alone = refit(network, [array[chip] for array in weights], training)
        np.testing.assert_allclose(together[chip], alone, rtol=1e-6, atol=1e-8)  # loss is flat to 1e-12 in both


def test_chips_that_compute_as_the_network_need_no_refit(network, training):
    for refit in (refit_output, refit_gain):
        np.testing.assert_allclose(refit(network, network.arrays, training), network.arrays[-1], rtol=1e-6, atol=1e-7)


def test_gain_and_offset_are_found_again_on_every_output(three_classes):
    network = MLP(2, 4, 3, rng=RNG(9), activation="tanh")
    spoilt = network.arrays[-1] * np.array([0.5, 2.0, 1.25])
    spoilt[-1] += [0.3, -0.4, 0.2]
    mended = refit_gain(network, [network.arrays[0], spoilt], three_classes, ridge=1e-9)
    logits = [forward([network.arrays[0], array], three_classes.points, "tanh") for array in (mended, network.arrays[-1])]
    logits = [values - values.mean(axis=1, keepdims=True) for values in logits]  # what all outputs share says nothing
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-4)


def test_refit_mends_chips(network, moons):
    device = ARRAYS
    blind = transfer(network, moons.test, device=device, n_transfers=150, rng=RNG(11))
    gains, outputs = (transfer(network, moons.test, adaptation=Adaptation(moons.train, refit=refit), device=device,
                               n_transfers=150, rng=RNG(11)) for refit in ("gain", "output"))
    means = [outcome.accuracies.mean() for outcome in (blind, gains, outputs)]
    assert means[0] + 0.001 < means[1] and means[1] + 0.02 < means[2]


def test_refit_refuses_what_it_cannot_use(network, training):
    weights = read_back(network, 2)
    with pytest.raises(ValueError, match="ridge must be above zero"):
        refit_output(network, weights, training, ridge=0.0)
    with pytest.raises(ValueError, match="teacher 'label' is unknown; did you mean 'labels'"):
        refit_output(network, weights, training, teacher="label")
    with pytest.raises(ValueError, match="same leading axes"):
        refit_output(network, [weights[0][:1], weights[1]], training)
    with pytest.raises(ValueError, match="weights must have shapes"):
        refit_output(network, weights[:1], training)
    with pytest.raises(ValueError, match="weights of layer 1 must be finite"):
        refit_output(network, [weights[0], weights[1] * np.nan], training)
    with pytest.raises(ValueError, match="2 inputs but the dataset has 3 features"):
        refit_output(network, weights, Dataset(np.eye(3), [0, 1, 0]))


# Known stuck devices.


def some_stuck(network, seed, share=0.2):
    rng = RNG(seed)
    shapes = [(rows, 2 * columns) for rows, columns in (array.shape for array in network.arrays)]
    return [np.where(rng.random(shape) < share, rng.uniform(1e-5, 6e-4, shape), np.nan) for shape in shapes]


def as_column(values):
    return values.reshape(*values.shape[:-2], -1, 1)


def test_offset_of_many_equals_offset_partners_of_one(network):
    targets = map_weights(network, TIO2)
    chips = [some_stuck(network, seed) for seed in range(4)]
    for layer, (array, wanted) in enumerate(zip(network.arrays, targets)):
        stuck = np.stack([chip[layer] for chip in chips])
        scale = np.broadcast_to(targets.layers[layer].scale, array.shape)
        held = offset_known(wanted, stuck, TIO2)
        columns = as_column(wanted), as_column(array), as_column(scale), as_column(stuck)
        found = offset_pairs(*columns, TIO2).reshape(stuck.shape)
        by_tensor = offset_pairs(columns[0], Tensor(columns[1]), *columns[2:], TIO2).value.reshape(stuck.shape)
        np.testing.assert_array_equal(found, by_tensor)
        for chip in range(4):
            single = offset_partners([wanted], [stuck[chip]], TIO2)[0]
            np.testing.assert_array_equal(held[chip], single)
            healthy = np.isnan(stuck[chip])
            np.testing.assert_allclose(found[chip][healthy], single[healthy], rtol=1e-12)


def test_gradient_of_the_offset_equals_differences(network):
    array, stuck = as_column(network.arrays[0]), as_column(some_stuck(network, 5)[0])
    layout = arrange(network.sizes)
    scale = np.full(array.shape, map_weights(network, TIO2).layers[0].scale[0, 0])
    slopes = RNG(6).normal(size=stuck.shape)

    def value(weights):
        targets = layout.mapping.conductances(weights, TIO2, scale).reshape(*stuck.shape)
        return (offset_pairs(targets, weights, scale, stuck, TIO2) * slopes).sum()

    tensor = Tensor(array)
    value(tensor).backward()
    step = 1e-6 * np.abs(array).max()
    for index in np.ndindex(array.shape):
        moved = np.zeros(array.shape)
        moved[index] = step
        expected = (value(array + moved) - value(array - moved)) / (2 * step)
        assert tensor.grad[index] == pytest.approx(expected, rel=1e-5, abs=1e-9 * np.abs(scale * slopes[0]).max())


@pytest.mark.parametrize("layout", [None, share_arrays((2, 8, 1), (8, 10))], ids=["8 x 8 arrays", "one shared array"])
def test_gradient_of_what_known_chips_compute_with_equals_differences(network, layout):
    """Through offsets, draws and the mapping's scale; where the first layer is given, nothing flows to it."""
    layout = arrange(network.sizes, (8, 8)) if layout is None else layout
    shapes = [array.shape for array in network.arrays]
    stuck = [np.stack(pair) for pair in zip(some_stuck(network, 31), some_stuck(network, 32))]
    weights = np.concatenate([array.reshape(-1, 1) for array in network.arrays])[None, None].repeat(2, axis=0)
    course = Course(shapes, 3, [RNG(34), RNG(35)], None, None)
    for measured, n_given in (((), 0), ((RNG(33).normal(size=(2, *shapes[0])),), network.arrays[0].size)):
        technique = KnownChips(ARRAYS, layout, network.sizes, stuck, layout.n_later_writes, measured)
        technique._draws = repeat(next(technique._draw(3, [RNG(34), RNG(35)])))
        slopes = RNG(36).normal(size=(2, 3, weights.shape[2], 1))

        def value(at, technique=technique, slopes=slopes):
            return (technique.perturb(Tensor(at), course) * slopes).sum()

        sampled = technique.perturb(Tensor(weights), course).value
        for given in measured:
            assert (sampled[:, :, :n_given] == given.reshape(2, 1, n_given, 1)).all()
        tensor = Tensor(weights)
        (technique.perturb(tensor, course) * slopes).sum().backward()
        assert (tensor.grad[:, :, :n_given] == 0).all()
        for index in range(n_given, weights.shape[2]):
            moved = np.zeros(weights.shape)
            moved[1, 0, index] = 1e-6
            expected = (value(weights + moved).value - value(weights - moved).value) / 2e-6
            assert tensor.grad[1, 0, index, 0] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_stuck_devices_keep_their_conductances_through_retraining(network, training):
    stuck = some_stuck(network, 8)
    layout = arrange(network.sizes)
    later = layout.n_later_writes
    assert all((k == np.arange(faults.size)[::-1].reshape(faults.shape)).all() for k, faults in zip(later, stuck))
    technique = KnownChips(TIO2, layout, network.sizes, [faults[None] for faults in stuck], later)
    writes = next(technique._draw(4, [RNG(1)]))
    flat = np.concatenate([faults.reshape(-1, 1) for faults in stuck])
    for target in (1e-4, 4e-4):
        programmed = writes.constant + target * (writes.linear + target * writes.quadratic)
        assert (programmed[0][:, ~np.isnan(flat)] == flat[~np.isnan(flat)]).all()
        assert (programmed[0][:, np.isnan(flat)].std(axis=0)[:-1] > 0).all()  # the last written is free of disturb only
    both = [np.ones(faults.shape) * 2e-4 for faults in stuck]  # nothing answers: nothing can be learnt
    same = retrain_around(network, training, TIO2, both, rng=RNG(2), settings=BRIEF)
    for before, after in zip(network.arrays, same.arrays):
        assert np.array_equal(before, after)
    chips = offset_known(map_weights(network, TIO2)[0], both[0], TIO2)
    held = draw_writes(TIO2.without("stuck"), later[0], 3, RNG(3))
    held.fix_devices(both[0])
    assert (held.constant + chips * (held.linear + chips * held.quadratic) == 2e-4).all()
    assert held.stuck.all()


def chip_accuracy(network, dataset, stuck, draws):
    """Mean accuracy of a chip with these stuck devices over draws of its writes."""
    targets, programmed = map_weights(network, TIO2), []
    for wanted, faults, writes in zip(offset_partners(targets, stuck, TIO2), stuck, draws):
        writes.fix_devices(faults)
        programmed.append(apply_writes(wanted, writes, floor=False))
    arrays = targets.weights(programmed)
    logits = forward(arrays, network.encode(dataset.points), network.activation)[..., 0]
    return ((logits > 0) == dataset.labels).mean()


def test_retraining_mends_what_offsets_leave_and_is_quick(network, moons):
    stuck = some_stuck(network, 9, share=0.3)
    started = time.process_time()
    retrained = retrain_around(network, moons.train, TIO2, stuck, rng=RNG(10))
    assert time.process_time() - started < 3
    draws = [draw_writes(TIO2.without("stuck"), np.arange(faults.size)[::-1].reshape(faults.shape), 100, RNG(11))
             for faults in stuck]
    before, after = (chip_accuracy(one, moons.test, stuck, draws) for one in (network, retrained))
    assert after > before + 0.02


def test_retraining_is_the_same_for_the_same_seed_only(network, training):
    stuck = some_stuck(network, 12)
    first, second, other = (retrain_around(network, training, ARRAYS, stuck, rng=RNG(seed), settings=BRIEF)
                            for seed in (1, 1, 2))
    assert all(np.array_equal(one, two) for one, two in zip(first.arrays, second.arrays))
    assert not np.array_equal(first.arrays[0], other.arrays[0])


def test_retraining_refuses_other_maps(network, training):
    stuck = some_stuck(network, 13)
    with pytest.raises(ValueError, match="one map for each of the 2 layers; got 1"):
        retrain_around(network, training, ARRAYS, stuck[:1], rng=RNG(1))
    with pytest.raises(ValueError, match="transposed"):
        retrain_around(network, training, ARRAYS, [stuck[0].T, stuck[1]], rng=RNG(1))
    with pytest.raises(TypeError, match="rng must be"):
        retrain_around(network, training, ARRAYS, stuck, rng=3)


# Whole chips.


@pytest.mark.parametrize("wire_resistance", [0.0, 5.0])
def test_chips_of_which_nothing_is_known_are_the_simulated_ones(network, training, wire_resistance):
    """Training points alone change nothing; a known map of a device that never fails nothing either."""
    healthy = FAULTY.without("stuck")
    for device, adaptation in ((FAULTY, Adaptation(training)), (healthy, Adaptation(training, map_known=True))):
        adapted = Chips(network, device, adaptation=adaptation, wire_resistance=wire_resistance, rng=RNG(14))
        blind = Chips(network, device, wire_resistance=wire_resistance, rng=RNG(14))
        assert adapted.entropy == blind.entropy
        for one, other in zip(adapted.weights(range(500, 540)), blind.weights(range(500, 540))):
            assert one.tobytes() == other.tobytes()


def test_stuck_devices_are_at_places_not_in_weights(network, training):
    chips = Chips(network, FAULTY, rng=RNG(15))
    arrays = chips.faults(range(500))
    share = np.mean([~np.isnan(array) for array in arrays])
    # 4 arrays of 64 devices on 500 chips, 7 % each: standard deviation sqrt(0.07 * 0.93 / 128000) = 0.0007
    assert share == pytest.approx(0.07, abs=0.003)
    known = Chips(network, FAULTY, adaptation=Adaptation(training, map_known=True, sensitive_last=True), rng=RNG(15))
    for one, other in zip(arrays, known.faults(range(500))):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("layout", [
    arrange((2, 8, 1), (8, 8)), share_arrays((2, 8, 1), (8, 10)), arrange((2, 8, 1), (8, 2))],
    ids=["8 x 8", "shared", "spread"])
def test_blind_chips_hold_the_stuck_devices_and_lines_that_a_map_would_show(network, training, layout):
    """Chip 17 is chip 17, whatever is known of it."""
    device = replace(FAULTY, lines=LineFailures(0.05, 0.05, 1e-6, 2e-3, source="made up"))
    blind = Chips(network, device.only("stuck", "lines"), layout=layout, rng=RNG(15))
    for adaptation in (Adaptation(), Adaptation(training), Adaptation(training, map_known=True)):
        chips = Chips(network, device, layout=layout, adaptation=adaptation, rng=RNG(15))
        faults = chips.faults(range(500))
        assert chips.entropy == blind.entropy
        for used, mine, expected in zip(layout.used, faults, layout.place(blind.programmed(range(500)).conductances)):
            hit = ~np.isnan(mine) & used
            assert 0.05 < hit[:, used].mean() < 0.4
            np.testing.assert_array_equal(mine[hit], expected[hit])
            healthy = np.isnan(mine) & used
            untouched = layout.place(list(blind.targets))
            wanted = next(array for array, mask in zip(untouched, layout.used) if mask is used)
            assert (expected[healthy] == np.broadcast_to(wanted, expected.shape)[healthy]).all()


@pytest.mark.parametrize("spare_lines", [True, False])
def test_chips_hold_what_their_placement_says(network, training, spare_lines):
    device = FAULTY.without("tuning", "disturb")
    adaptation = Adaptation(training, map_known=True, spare_lines=spare_lines)
    chips = Chips(network, device, adaptation=adaptation, rng=RNG(23))
    weights, arrays = chips.weights(range(25)), chips.faults(range(500))
    exchanged = 0
    for chip in range(25):
        per_siemens = [effect / layer.scale for effect, layer in zip(weight_effects(network, training.points),
                                                                     chips.targets.layers)]
        placed = place_around(chips.targets, device, [array[chip] for array in arrays], sensitivities=per_siemens,
                              may_move_lines=spare_lines)
        exchanged += [block.array for block in placed.layout.blocks] != [0, 1, 2, 3]
        for array, expected in zip(weights, chips.targets.weights(placed.conductances)):
            np.testing.assert_allclose(array[chip], expected, rtol=1e-9, atol=1e-9)
    assert spare_lines or exchanged > 5  # whole arrays change places where lines cannot


@pytest.mark.parametrize("wire_resistance", [0.0, 5.0])
def test_known_places_take_errors_away(network, training, wire_resistance):
    device = FAULTY.without("tuning", "disturb")
    blind, weights = (Chips(network, device, adaptation=known, wire_resistance=wire_resistance,
                            rng=RNG(16)).weights(range(60))
                      for known in (Adaptation(), Adaptation(training, map_known=True)))
    errors = [np.concatenate([np.abs(array - wanted).reshape(60, -1) for array, wanted in zip(chip, network.arrays)], axis=1)
              for chip in (weights, blind)]
    if wire_resistance == 0:
        assert (errors[0].max(axis=1) < 1e-9).mean() > 0.95  # nearly always there is a place without any damage
        assert (errors[1].max(axis=1) > 0.1).mean() > 0.9
    else:
        assert np.median(errors[0].sum(axis=1)) < 0.5 * np.median(errors[1].sum(axis=1))


def test_known_map_takes_stuck_devices_away(network, few, training):
    blind, fixed, placed = (
        transfer(network, few, adaptation=adaptation, device=FAULTY, n_transfers=80, rng=RNG(17))
        for adaptation in (Adaptation(), Adaptation(training, map_known=True, spare_lines=False),
                           Adaptation(training, map_known=True)))
    healthy = transfer(network, few, device=FAULTY.without("stuck"), n_transfers=80, rng=RNG(17))
    means = [outcome.accuracies.mean() for outcome in (blind, fixed, placed, healthy)]
    assert means[0] + 0.03 < min(means[1:3])  # exchanged arrays and units are nearly as good as spare lines
    assert means[1:3] == pytest.approx([means[3]] * 2, abs=0.01)
    assert placed.n_transfers == 80 and placed.n_devices == 66


@pytest.mark.slow
def test_chips_are_the_same_however_many_are_asked_for_and_in_threads(network, few, training, everything):
    many, some = (Chips(network, FAULTY, adaptation=everything, rng=RNG(18)).weights(range(n)) for n in (6, 2))
    for one, other in zip(many, some):
        np.testing.assert_allclose(one[:2], other, rtol=1e-6, atol=1e-8)
    adaptation = Adaptation(training, map_known=True, refit="gain")
    first, second = (transfer(network, few, adaptation=adaptation, device=ARRAYS, n_transfers=520, rng=RNG(19),
                              workers=workers, keep_correct=True) for workers in (1, 2))
    assert np.array_equal(first.correct, second.correct)


def test_layers_programmed_are_not_trained_again(network, everything, training):
    whole = Chips(network, FAULTY, adaptation=replace(everything, refit=None, map_known=False), rng=RNG(20))
    blind = Chips(network, FAULTY, adaptation=Adaptation(training, sensitive_last=True), rng=RNG(20))
    first, second = whole.weights(range(4)), blind.weights(range(4))
    np.testing.assert_array_equal(first[0], second[0])  # programmed before anything was read
    assert not np.isclose(first[1], second[1]).all()


def test_nothing_of_the_test_points_reaches_the_weights(network, few, everything):
    """The same chips with poisoned test points: inverted labels change every verdict and nothing else."""
    poisoned = Dataset(few.points, 1 - few.labels)
    honest, other = (transfer(network, dataset, adaptation=everything, device=FAULTY, n_transfers=3, rng=RNG(21),
                              keep_correct=True) for dataset in (few, poisoned))
    assert np.array_equal(honest.correct, ~other.correct)
    moved = Dataset(np.concatenate([few.points, 1e3 + few.points]), np.concatenate([few.labels, 1 - few.labels]))
    more = transfer(network, moved, adaptation=everything, device=FAULTY, n_transfers=3, rng=RNG(21), keep_correct=True)
    assert np.array_equal(honest.correct, more.correct[:, :200])


@pytest.mark.parametrize("layout", [arrange((2, 8, 1), (8, 8)), share_arrays((2, 8, 1), (8, 10)),
                                    arrange((2, 8, 1), mapping=ReferenceColumn())], ids=["8 x 8", "shared", "reference"])
def test_what_is_sensitive_is_written_last_on_its_own_array(network, training, layout):
    targets = map_weights(network, TIO2, layout=layout)
    effects = weight_effects(network, training.points)
    turns = sensitive_last(effects, targets)
    later = layout.place(layout.later_writes(turns))
    per_siemens = layout.place([layout.mapping.per_device(effect / layer.scale)
                                for effect, layer in zip(effects, targets.layers)])
    for used, count, value in zip(layout.used, later, per_siemens):
        mine, order = value[used], count[used]
        assert sorted(order) == list(range(used.sum()))
        assert mine[order == 0] == mine.max() and (np.diff(mine[np.argsort(order)]) <= 0).all()


def test_bad_input_is_named(network, few, training):
    with pytest.raises(TypeError, match="adaptation must be Adaptation"):
        Chips(network, ARRAYS, adaptation="refit", rng=RNG(1))
    for lacking in ({"sensitive_last": True}, {"refit": "gain"}, {"map_known": True, "retraining": BRIEF}):
        with pytest.raises(ValueError, match=f"{list(lacking)[-1]} needs training points: Adaptation\\(training="):
            transfer(network, few, device=ARRAYS, adaptation=Adaptation(**lacking), n_transfers=2, rng=RNG(1))
    with pytest.raises(TypeError, match="training must be a Dataset of training points, or None; got an ndarray"):
        Adaptation(training.points)
    with pytest.raises(ValueError, match="2 inputs but the dataset has 3 features"):
        transfer(network, few, device=ARRAYS, adaptation=Adaptation(Dataset(np.eye(3), [0, 1, 0])), rng=RNG(1))
    with pytest.raises(ValueError, match="refit must be one of 'output', 'gain'"):
        Adaptation(refit="offset")
    with pytest.raises(ValueError, match="give it retraining=RETRAINING"):
        Adaptation(layer_by_layer=True)
    with pytest.raises(ValueError, match="nothing is known"):
        Adaptation(retraining=TrainingSettings(n_steps=5))
    with pytest.raises(TypeError, match="retraining must be TrainingSettings"):
        Adaptation(map_known=True, retraining=300)
    with pytest.raises(ValueError, match="n_transfers must be at least 1"):
        transfer(network, few, adaptation=Adaptation(training), device=ARRAYS, n_transfers=0, rng=RNG(1))
