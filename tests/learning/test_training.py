"""Training: what is learnt, the optimiser, bits that must repeat, and the techniques that simulate chips."""

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
from signed_coordinates import arrange_signed

from tiocross.tasks import Dataset, generate_moons
from tiocross.devices.device import Device, DisturbQuantiles, LineFailures, StuckDevices, TuningError
from tiocross.devices.tio2 import TIO2
from tiocross.devices.writes import apply_writes, draw_writes
from tiocross.learning import losses
from tiocross.learning.tensor import Tensor
from tiocross.learning.network import MLP
from tiocross.learning.on_devices import ChipSampler, WeightsOnDevices
from tiocross.learning.techniques import (
    ConductanceDropout,
    Course,
    NoiseInjection,
    RangePenalty,
    Technique,
    split_layers,
)
from tiocross.learning.optimisers import Adam
from tiocross.learning.settings import TrainingSettings
from tiocross.learning.training import draw_batches, train, train_many
from tiocross.mapping.arrangements import arrange, share_arrays
from tiocross.mapping.mappings import DifferentialPairs, ReferenceColumn
from tiocross.mapping.targets import map_weights
from tiocross.units import uS

EPS = np.finfo(float).eps
# Enough faults for a small network to be hit on every chip.
FAULTY = replace(TIO2, stuck=replace(TIO2.stuck, probability_lrs=0.1, probability_hrs=0.1))
# All that a device can suffer from.
EVERYTHING = replace(FAULTY, lines=LineFailures(0.05, 0.05, 1 * uS, 2000 * uS, source="made up"))
SHORT = TrainingSettings(n_steps=12, batch_size=16, n_chips=3)
TECHNIQUES = {
    "noise": NoiseInjection(),
    "dropout": ConductanceDropout(),
    "range": RangePenalty(1e-2),
}
SUBSETS = [names for n in (1, 2, 3) for names in itertools.combinations(TECHNIQUES, n)]


@pytest.fixture(scope="module")
def moons():
    return generate_moons(rng=np.random.default_rng(1), n_train=70, n_validation=10, n_test=10).train


@pytest.fixture(scope="module")
def clusters():
    """Three clusters of 30 points around the corners of a triangle, 8 standard deviations apart."""
    rng = np.random.default_rng(2)
    labels = np.arange(90) % 3
    corners = np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 3.5]])
    return Dataset(corners[labels] + rng.normal(0, 0.5, (90, 2)), labels)


def layout_of(sizes, mapping):
    return arrange_signed(sizes) if mapping == "signed" else arrange(sizes)


def start(*sizes, seed=3, dataset=None, **kwargs):
    network = MLP(*sizes, rng=np.random.default_rng(seed), **kwargs)
    if dataset is not None:
        network.centre_inputs(dataset)
    return network


def assert_same_bits(first, second):
    for a, b in zip(first.arrays, second.arrays, strict=True):
        assert a.shape == b.shape and a.tobytes() == b.tobytes()


def bits(network):
    return b"".join(array.tobytes() for array in network.arrays)


def plain_loss(network, dataset):
    """Mean cross-entropy by the textbook formula."""
    z = network.logits(dataset.points)
    if z.shape[1] == 1:
        z = np.concatenate([np.zeros_like(z), z], axis=1)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(dataset)), dataset.labels]).mean()


# Learning.


def test_it_learns_a_separable_problem():
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    points = rng.normal(0, 0.3, (80, 3)) + np.where(labels[:, None] == 1, 1.5, -1.5)
    dataset = Dataset(points, labels)
    trained = train(start(3, 4, 1), dataset, rng=rng, settings=TrainingSettings(n_steps=80, batch_size=20))
    np.testing.assert_array_equal(trained.predict(points), labels)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_it_learns_three_classes(clusters, activation):
    before = start(2, 6, 3, dataset=clusters, activation=activation)
    trained = train(before, clusters, rng=np.random.default_rng(0), settings=TrainingSettings(n_steps=150, batch_size=30))
    assert trained.activation == activation
    np.testing.assert_array_equal(trained.predict(clusters.points), clusters.labels)


def test_it_learns_the_moons_better_than_a_straight_line(moons):
    settings = TrainingSettings(n_steps=400, batch_size=35)
    accuracies = []
    for sizes in ((2, 8, 1), (2, 1)):
        before = start(*sizes, dataset=moons, activation="tanh")
        trained = train(before, moons, rng=np.random.default_rng(0), settings=settings)
        accuracies.append((trained.predict(moons.points) == moons.labels).mean())
    # A straight line gets 0.86 of these points right; 8 tanh units get all, from each of five starts tried.
    assert accuracies[0] >= 0.98 and accuracies[1] <= 0.9


def test_it_learns_through_noise_and_faults(moons):
    settings = TrainingSettings(n_steps=200, batch_size=35, n_chips=4)
    before = start(2, 8, 1, dataset=moons)
    trained = train(before, moons, list(TECHNIQUES.values()), device=FAULTY, rng=np.random.default_rng(0), settings=settings)
    assert (trained.predict(moons.points) == moons.labels).mean() >= 0.8


def test_two_outputs_learn_two_classes(moons):
    trained = train(start(2, 6, 2, dataset=moons), moons, rng=np.random.default_rng(0),
                    settings=TrainingSettings(n_steps=200, batch_size=35))
    assert (trained.predict(moons.points) == moons.labels).mean() >= 0.85


@pytest.mark.parametrize("sizes", [(2, 4, 1), (2, 4, 3)])
def test_the_first_step_goes_against_the_gradient_of_the_mean_loss(clusters, sizes):
    # The first step of Adam moves each weight by rate * grad / (|grad| + 1e-8): its sign and, for a gradient above
    # 1e-4, its size to 1e-4 follow from a finite difference of a loss written down independently.
    dataset = clusters if sizes[-1] == 3 else Dataset(clusters.points, clusters.labels % 2)
    network = start(*sizes, dataset=dataset)
    settings = TrainingSettings(n_steps=1, batch_size=len(dataset), learning_rate=0.01, schedule="constant")
    trained = train(network, dataset, rng=np.random.default_rng(0), settings=settings)
    for k, array in enumerate(network.arrays):
        for position in np.ndindex(array.shape):
            losses = []
            for step in (1e-5, -1e-5):
                moved = network.copy()
                moved.arrays[k][position] += step
                losses.append(plain_loss(moved, dataset))
            grad = (losses[0] - losses[1]) / 2e-5  # to about 1e-10 (truncation) and 1e-11 (rounding)
            assert abs(grad) > 1e-4, "choose another seed: this gradient is too small to tell"
            change = trained.arrays[k][position] - array[position]
            np.testing.assert_allclose(change, -0.01 * np.sign(grad), rtol=1.1e-4)


def test_weight_decay_alone_pulls_weights_and_biases_to_zero():
    # Opposite labels at the same place: with zero weights the loss has no gradient, so only the decay acts.
    dataset = Dataset([[1.0, 2.0], [1.0, 2.0]], [0, 1])
    network = start(2, 1).with_arrays([np.array([[2.0], [-1.0], [0.0]])])  # logit 0 at the point
    settings = TrainingSettings(n_steps=1, learning_rate=0.01, weight_decay=0.1, schedule="constant")
    trained = train(network, dataset, rng=np.random.default_rng(0), settings=settings)
    np.testing.assert_allclose(trained.arrays[0], [[1.99], [-0.99], [0.0]], rtol=1e-6)
    biased = start(2, 1).with_arrays([np.array([[0.0], [-1.0], [2.0]])])
    trained = train(biased, dataset, rng=np.random.default_rng(0), settings=settings)
    np.testing.assert_allclose(trained.arrays[0], [[0.0], [-0.99], [1.99]], rtol=1e-6)


def test_the_trained_network_keeps_the_encoding_of_the_start(moons):
    before = start(2, 3, 1, dataset=moons)
    trained = train(before, moons, rng=np.random.default_rng(0), settings=SHORT)
    np.testing.assert_array_equal(trained.input_offset, before.input_offset)
    np.testing.assert_array_equal(trained.input_scale, before.input_scale)
    assert not np.array_equal(before.input_offset, [0, 0])


# Repeatable bits.


@pytest.mark.parametrize("names", [(), *SUBSETS], ids="+".join)
def test_the_start_is_untouched_and_the_same_seed_gives_the_same_bits(moons, names):
    techniques = [TECHNIQUES[name] for name in names]
    before = start(2, 5, 1, dataset=moons)
    untouched = before.copy()
    first, second, other = (train(before, moons, techniques, device=FAULTY, rng=np.random.default_rng(seed), settings=SHORT)
                            for seed in (4, 4, 5))
    assert_same_bits(before, untouched)
    assert_same_bits(first, second)
    assert bits(first) != bits(other)
    assert all(not np.shares_memory(a, b) for a, b in zip(first.arrays, before.arrays))


@pytest.mark.parametrize("names", [(), *SUBSETS], ids="+".join)
@pytest.mark.parametrize("sizes, activation, mapping",
                         [((2, 8, 1), "sigmoid", "pairs"), ((2, 5, 4, 3), "tanh", "signed"), ((2, 3), "relu", "pairs")],
                         ids=["2-8-1", "2-5-4-3 signed", "2-3"])
def test_training_many_gives_the_bits_of_training_one_after_the_other(clusters, names, sizes, activation, mapping):
    dataset = clusters if sizes[-1] == 3 else Dataset(clusters.points, clusters.labels % 2)
    techniques, hardware = [TECHNIQUES[name] for name in names], {"device": FAULTY, "layout": layout_of(sizes, mapping)}
    networks = [start(*sizes, seed=seed, dataset=dataset, activation=activation) for seed in range(3)]
    networks[1].input_scale = networks[1].input_scale * 0.7  # each network brings its own encoding
    # 16 does not divide 90: the last batch of an epoch is smaller for all of them at once.
    together = train_many(networks, dataset, techniques, rngs=[np.random.default_rng(k) for k in range(3)], settings=SHORT,
                          **hardware)
    for k, network in enumerate(networks):
        alone = train(network, dataset, techniques, rng=np.random.default_rng(k), settings=SHORT, **hardware)
        assert_same_bits(together[k], alone)
        np.testing.assert_array_equal(together[k].input_scale, network.input_scale)


def test_training_many_leaves_its_starts_untouched(moons):
    networks = [start(2, 3, 1, seed=seed) for seed in (0, 1)]
    before = [bits(network) for network in networks]
    train_many(networks, moons, rngs=[np.random.default_rng(k) for k in (0, 1)], settings=SHORT)
    assert [bits(network) for network in networks] == before


def test_the_number_of_chips_drawn_at_once_does_not_limit_the_chips_of_a_step(moons):
    # 300 chips are more than the block of draws; 100 do not divide it.
    for n_chips in (100, 300):
        settings = TrainingSettings(n_steps=6, batch_size=8, n_chips=n_chips)
        networks = [start(2, 3, 1, seed=seed) for seed in (0, 1)]
        together = train_many(networks, moons, [TECHNIQUES["noise"]], device=TIO2, settings=settings,
                              rngs=[np.random.default_rng(k) for k in (0, 1)])
        alone = train(networks[1], moons, [TECHNIQUES["noise"]], device=TIO2, settings=settings,
                      rng=np.random.default_rng(1))
        assert_same_bits(together[1], alone)


@pytest.mark.parametrize("n_chips", [3, 100, 300])
def test_every_step_sees_chips_of_its_own(monkeypatch, moons, n_chips):
    seen = []
    sample = ChipSampler.sample

    def spy(self, weights, writes, *rest, **options):
        seen.append(writes.linear)
        return sample(self, weights, writes, *rest, **options)

    monkeypatch.setattr(ChipSampler, "sample", spy)
    settings = TrainingSettings(n_steps=5, batch_size=8, n_chips=n_chips)
    train(start(2, 3, 1), moons, [NoiseInjection()], device=TIO2, rng=np.random.default_rng(0), settings=settings)
    assert [writes.shape for writes in seen] == [(1, n_chips, 2 * (3 * 3 + 4 * 1), 1)] * 5
    assert len(np.unique(np.concatenate(seen, axis=1)[0, :, :, 0], axis=0)) == 5 * n_chips


def test_every_combination_of_techniques_gives_a_result_of_its_own(moons):
    before = start(2, 5, 1, dataset=moons)
    results = {names: bits(train(before, moons, [TECHNIQUES[name] for name in names], device=FAULTY,
                                 rng=np.random.default_rng(4), settings=SHORT))
               for names in [(), *SUBSETS]}
    assert len(set(results.values())) == 8


@pytest.mark.parametrize("names", SUBSETS, ids="+".join)
def test_every_combination_gives_finite_weights(moons, names):
    trained = train(start(2, 5, 1, dataset=moons), moons, [TECHNIQUES[name] for name in names], device=FAULTY,
                    rng=np.random.default_rng(4), settings=SHORT)
    assert all(np.isfinite(array).all() for array in trained.arrays)


def test_the_order_of_the_techniques_does_not_matter(moons):
    before = start(2, 5, 1, dataset=moons)
    forth, back = (train(before, moons, techniques, device=FAULTY, rng=np.random.default_rng(4), settings=SHORT)
                   for techniques in ([*TECHNIQUES.values()], [*TECHNIQUES.values()][::-1]))
    assert_same_bits(forth, back)


def test_techniques_on_a_device_without_effects_change_nothing_but_rounding(moons):
    # The whole set in each step, so that draws for the chips, which shift the random order, do not matter. The way
    # through conductances costs some 10 roundings a step, which may round a weight to another number of single precision;
    # 12 steps of Adam amplify that only mildly.
    settings = replace(SHORT, batch_size=len(moons))
    before = start(2, 5, 1, dataset=moons)
    techniques = [NoiseInjection(), ConductanceDropout()]
    through_chips = train(before, moons, techniques, device=TIO2.ideal(), rng=np.random.default_rng(4), settings=settings)
    directly = train(before, moons, rng=np.random.default_rng(4), settings=settings)
    for a, b, c in zip(through_chips.arrays, directly.arrays, before.arrays):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
        assert np.abs(a - c).max() > 0.1  # so that the comparison says something


def test_each_technique_lets_its_own_effects_through():
    def let_in(*techniques):
        return ChipSampler(list(techniques), EVERYTHING, arrange((2, 3, 1)), (2, 3, 1)).device

    assert let_in(NoiseInjection()) == EVERYTHING.only("tuning", "disturb") == EVERYTHING.without("stuck", "lines")
    assert let_in(ConductanceDropout()) == EVERYTHING.only("stuck", "lines") == EVERYTHING.without("tuning", "disturb")
    assert let_in(NoiseInjection(), RangePenalty(0.1), ConductanceDropout()) == EVERYTHING
    assert not ChipSampler([RangePenalty(0.1)], EVERYTHING, arrange((2, 3, 1)), (2, 3, 1)).is_on


# Adam, the schedule, the batches, progress.


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_adam_equals_a_reference_for_several_steps(weight_decay):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 2, 5))
    expected = weights.copy()
    adam = Adam(weights, weight_decay=weight_decay)
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for t in range(1, 30):
        grad = rng.normal(size=weights.shape) * 10.0 ** rng.integers(-6, 3, weights.shape)
        rate = 0.1 / t
        adam.step(grad, rate)
        # Algorithm 1 of arXiv:1412.6980 with beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8.
        grad = grad + weight_decay * expected
        mean = 0.9 * mean + 0.1 * grad
        square = 0.999 * square + 0.001 * grad**2
        expected = expected - rate * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
        # The two write the means differently: a few roundings a step of steps of at most about 3 rates.
        np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-13)


def test_adam_steps_by_the_rate_whatever_the_size_of_the_gradient():
    weights = np.array([1.0, 1.0, 1.0])
    Adam(weights).step(np.array([1e-3, -5.0, 1e6]), 0.25)
    np.testing.assert_allclose(weights, [0.75, 1.25, 0.75], rtol=1e-5)  # epsilon is 1e-5 of the smallest gradient


def test_adam_works_in_place_and_leaves_the_gradient():
    weights, grad = np.ones(3), np.array([1.0, 0.0, -1.0])
    before = grad.copy()
    adam = Adam(weights, weight_decay=0.5)
    adam.step(grad, 0.1)
    assert adam.weights is weights and weights[0] < 1
    np.testing.assert_array_equal(grad, before)


def recorded_rates(monkeypatch, dataset, settings):
    rates = []
    monkeypatch.setattr(Adam, "step", lambda self, grad, learning_rate: rates.append(learning_rate))
    train(start(2, 1), dataset, rng=np.random.default_rng(0), settings=settings)
    return rates


def test_cosine_schedule_falls_from_the_rate_to_nearly_zero(monkeypatch, moons):
    rates = recorded_rates(monkeypatch, moons, TrainingSettings(n_steps=8, learning_rate=0.2))
    expected = [0.2 * np.cos(np.pi * step / 16) ** 2 for step in range(8)]  # (1 + cos x) / 2 = cos(x/2)^2
    np.testing.assert_allclose(rates, expected, rtol=0, atol=4 * EPS)
    assert rates[0] == 0.2 and rates[4] == pytest.approx(0.1) and rates[-1] < 0.2 * 0.04


def test_constant_schedule_stays(monkeypatch, moons):
    settings = TrainingSettings(n_steps=5, learning_rate=0.2, schedule="constant")
    assert recorded_rates(monkeypatch, moons, settings) == [0.2] * 5


@pytest.mark.parametrize("n_points, batch_size, sizes",
                         [(10, 4, [4, 4, 2]), (12, 4, [4, 4, 4]), (5, 8, [5]), (3, 1, [1, 1, 1])])
def test_batches_cover_every_point_once_an_epoch(n_points, batch_size, sizes):
    batches = draw_batches(n_points, batch_size, np.random.default_rng(0))
    orders = []
    for _ in range(4):
        epoch = [next(batches) for _ in sizes]
        assert [len(batch) for batch in epoch] == sizes
        orders.append(tuple(np.concatenate(epoch)))
        assert sorted(orders[-1]) == list(range(n_points))
    assert len(set(orders)) > 1  # a new order each epoch


def test_training_sees_the_points_in_these_batches(monkeypatch, moons):
    # Labels that name their point: the loss receives them batch by batch.
    seen = []
    loss = losses.classification_loss

    def spy(logits, labels):
        seen.append(labels.copy())
        return loss(logits, labels)

    monkeypatch.setattr(losses, "classification_loss", spy)
    named = Dataset(moons.points[:20], np.arange(20))
    train(start(2, 20), named, rng=np.random.default_rng(6), settings=TrainingSettings(n_steps=6, batch_size=8))
    batches = draw_batches(20, 8, np.random.default_rng(6))
    for labels in seen:
        np.testing.assert_array_equal(labels.ravel(), next(batches))
    assert len(seen) == 6


def test_progress_is_told_after_each_step(moons):
    calls = []
    train(start(2, 1), moons, rng=np.random.default_rng(0), settings=SHORT, on_progress=lambda *args: calls.append(args))
    assert calls == [(k, 12) for k in range(1, 13)]


def test_progress_does_not_change_the_result(moons):
    before = start(2, 3, 1)
    first = train(before, moons, rng=np.random.default_rng(0), settings=SHORT)
    second = train(before, moons, rng=np.random.default_rng(0), settings=SHORT, on_progress=lambda n_done, n_steps: None)
    assert_same_bits(first, second)


@pytest.mark.parametrize("error", [RuntimeError("enough"), KeyboardInterrupt()])
def test_an_exception_from_progress_stops_training(moons, error):
    before = start(2, 3, 1)
    untouched, calls = bits(before), []

    def stop(n_done, n_steps):
        calls.append(n_done)
        if n_done == 5:
            raise error

    with pytest.raises(type(error)) as caught:
        train(before, moons, rng=np.random.default_rng(0), settings=SHORT, on_progress=stop)
    assert caught.value is error
    assert calls == [1, 2, 3, 4, 5]
    assert bits(before) == untouched


def test_a_loss_that_is_not_finite_is_an_error_and_not_a_network(moons):
    settings = TrainingSettings(n_steps=50, learning_rate=1e200, schedule="constant")
    with np.errstate(over="ignore", invalid="ignore"):
        with pytest.raises(FloatingPointError, match=r"the loss is .* at step \d+; lower the learning rate \(1e\+200\)"):
            train(start(2, 4, 1, activation="relu"), moons, [RangePenalty(1.0)], rng=np.random.default_rng(0),
                  settings=settings)


# The simulated chips of training.


def flatten(network):
    """All weights, one below the other, as `ChipSampler.sample` takes them: (1, 1, n_weights, 1)."""
    return np.concatenate([array.reshape(-1, 1) for array in network.arrays])[None, None]


def pair_scale(network, device, mapping):
    """Conductance per unit weight of every weight, by a plain loop over the layers; (n_weights, 1)."""
    span = device.g_max - device.g_min
    scales = []
    for array in network.arrays:
        rows = np.empty_like(array)
        if mapping == "pairs":
            rows[:] = span / np.abs(array).max()
        else:
            rows[:-1], rows[-1] = 2 * span / np.abs(array[:-1]).max(), 2 * span / np.abs(array[-1]).max()
        scales.append(rows.reshape(-1, 1))
    return np.concatenate(scales)


def in_pairs(values):
    """(n_chips, n_mapped, 2) of one network's drawn (1, n_chips, n_devices, 1)."""
    return values[0, :, :, 0].reshape(values.shape[1], -1, 2)


def by_hand(weights, held, writes, scale, low, mapping):
    """(n_chips, n_weights) weights on chips for a given, constant scale.

    ``weights`` (n_weights,) move, ``held`` (n_weights,) are used where a stuck device holds the weight.
    """
    hit = in_pairs(writes.stuck).any(axis=-1)  # (n_chips, n_mapped): the authors' output bias is on no device
    n = hit.shape[1]
    values = np.where(hit, held[:n], weights[:n])
    plus = low + scale[:n, 0] * np.maximum(values, 0.0)
    minus = low + scale[:n, 0] * np.maximum(-values, 0.0)
    pairs = np.stack([plus, minus], axis=-1)
    programmed = in_pairs(writes.constant) + in_pairs(writes.linear) * pairs + in_pairs(writes.quadratic) * pairs**2
    if mapping == "pairs":
        programmed = np.maximum(programmed, 0.0)
    sampled = (programmed[..., 0] - programmed[..., 1]) / scale[:n, 0]
    return np.concatenate([sampled, np.broadcast_to(weights[n:], (len(sampled), len(weights) - n))], axis=1)


# A window that starts near zero and strong disturb, so that the floor at zero conductance is reached often.
LOW_WINDOW = Device(
    g_min=20 * uS, g_max=400 * uS,
    tuning=TuningError(offset_mean=0.01, offset_std=0.02, spread_slope=-40.0, spread_intercept=0.05, source="made up"),
    disturb=DisturbQuantiles(n_later_writes=[1, 4], probabilities=[0, 0.5, 1],
                             changes=np.array([[-60, 0, 60], [-90, -5, 80]]) * uS, growth_exponent=0.3, source="made up"),
    stuck=StuckDevices(0.1, 400 * uS, 50 * uS, 0.1, 0.0, 20 * uS, source="made up"),
)
BOTH = [NoiseInjection(), ConductanceDropout()]
LAYOUTS = {"pairs": arrange((3, 5, 2)), "signed": arrange_signed((3, 5, 2)),
           "digital output bias": arrange((3, 5, 2), mapping=DifferentialPairs(digital_output_bias=True)),
           "reference": arrange((3, 5, 2), mapping=ReferenceColumn()),
           "reference, digital output bias": arrange((3, 5, 2), mapping=ReferenceColumn(digital_output_bias=True)),
           "one shared array": share_arrays((3, 5, 2), (12, 16)), "small arrays": arrange((3, 5, 2), (3, 4))}
SAMPLER_CASES = {  # techniques, device, mapping
    "noise": (BOTH[:1], LOW_WINDOW, "pairs"),
    "dropout": (BOTH[1:], LOW_WINDOW, "pairs"),
    "both": (BOTH, LOW_WINDOW, "pairs"),
    "published device": (BOTH, FAULTY, "pairs"),
    "signed": (BOTH, FAULTY, "signed"),
}


def away_from_zero(*sizes):
    """A network with magnitudes of 0.2 and more: away from the kink at w = 0."""
    network, rng = start(*sizes, seed=8), np.random.default_rng(9)
    for array in network.arrays:
        array[:] = rng.choice([-1.0, 1.0], array.shape) * rng.uniform(0.2, 1.5, array.shape)
    return network


def course_of(network, device, layout, n_chips):
    return Course([array.shape for array in network.arrays], n_chips, [np.random.default_rng(0)], device, layout)


def sampled_case(case, n_chips=7, sizes=(3, 5, 2)):
    techniques, device, mapping = SAMPLER_CASES[case]
    network, layout = away_from_zero(*sizes), layout_of(sizes, mapping)
    sampler = ChipSampler(techniques, device, layout, network.sizes)
    writes = sampler.draw(n_chips, [np.random.default_rng(10)])
    low = device.g_min if mapping == "pairs" else device.g_min - device.g_max
    return network, sampler, writes, low, mapping, course_of(network, device, layout, n_chips)


@pytest.mark.parametrize("case", SAMPLER_CASES)
def test_sampled_weights_equal_the_formula_by_hand(case):
    network, sampler, writes, low, mapping, course = sampled_case(case)
    weights = flatten(network)
    scale = pair_scale(network, sampler.device, mapping)
    sampled = sampler.sample(Tensor(weights), writes, course).value
    assert sampled.shape == (1, 7, weights.shape[2], 1)
    flat = weights[0, 0, :, 0]
    expected = by_hand(flat, flat, writes, scale, low, mapping)
    # Sums and products of conductances up to 1 mS at 1e-4 S per unit weight and more: results below 10, 10 roundings.
    np.testing.assert_allclose(sampled[0, :, :, 0], expected, rtol=0, atol=100 * EPS)
    if case in ("noise", "both"):
        raw = writes.constant + writes.linear * low  # a device at the low end of the window
        assert (raw < 0).mean() > 0.05, "the floor at zero must be reached for this case to test it"


@pytest.mark.parametrize("case", SAMPLER_CASES)
def test_gradient_through_sampled_chips_with_the_scale_held_constant(case):
    # The scale counts as a constant in differentiation (straight-through), hence also in the finite difference; and
    # so do weights that a stuck device hits, on the chips where it does.
    network, sampler, writes, low, mapping, course = sampled_case(case)
    scale = pair_scale(network, sampler.device, mapping)
    weights = flatten(network)
    flat = weights[0, 0, :, 0]
    rng = np.random.default_rng(11)
    factors = rng.uniform(0.5, 1.5, (7, flat.size))
    direction = rng.normal(size=flat.size)
    direction /= np.linalg.norm(direction)

    def value_at(step):
        moved = flat + step * direction
        return (by_hand(moved, flat, writes, scale, low, mapping) * factors).sum()

    step = 1e-6
    # No floor within the step: a conductance moves by at most step * scale, far below 1e-8 S.
    tensor = Tensor(weights)
    (sampler.sample(tensor, writes, course) * factors[None, :, :, None]).sum().backward()
    quotient = (value_at(step) - value_at(-step)) / (2 * step)
    size = np.abs(by_hand(flat, flat, writes, scale, low, mapping) * factors).sum()
    # Between the kinks sampled weights are quadratic in w: a central difference has no truncation error. Rounding:
    # a few eps of the sum of magnitudes, and of conductances over the scale, divided by the step.
    tolerance = 50 * EPS * size / step
    assert abs(quotient - (tensor.grad[0, 0, :, 0] * direction).sum()) <= tolerance
    assert abs(quotient) > 1000 * tolerance  # so that the comparison says something


@pytest.mark.parametrize("mapping", ["pairs", "signed", "reference", "digital output bias"])
@pytest.mark.parametrize("techniques", [("noise",), ("dropout",), ("noise", "dropout")], ids="+".join)
def test_noise_of_training_is_the_function_that_programs_chips(mapping, techniques):
    network = start(3, 5, 2, seed=8)
    for bias in (array[-1] for array in network.arrays):
        bias[:] = np.random.default_rng(0).normal(size=bias.shape)
    layout = LAYOUTS[mapping]
    sampler = ChipSampler([TECHNIQUES[name] for name in techniques], FAULTY, layout, network.sizes)
    writes = sampler.draw(6, [np.random.default_rng(12)])
    sampled = split_layers(sampler.sample(Tensor(flatten(network)), writes, course_of(network, FAULTY, layout, 6)).value,
                           [array.shape for array in network.arrays])

    device = {("noise",): TIO2.without("stuck"), ("dropout",): FAULTY.without("tuning", "disturb")}.get(techniques, FAULTY)
    targets = map_weights(network, device, layout=layout)
    rng, floor = np.random.default_rng(12), mapping != "signed"
    programmed = [apply_writes(layer.conductances, draw_writes(device, later, 6, rng), floor=floor)
                  for layer, later in zip(targets.layers, layout.n_later_writes)]
    for ours, theirs in zip(sampled, targets.weights(programmed), strict=True):
        assert ours.shape == (1, *theirs.shape)
        # The same operations on the same numbers; only the layout of the arrays differs.
        np.testing.assert_allclose(ours[0], theirs, rtol=0, atol=4 * EPS * np.abs(theirs).max())
        assert np.abs(theirs - theirs[:1]).max() > 0  # chips do differ


def test_each_generator_draws_chips_of_its_own_in_the_order_of_the_layers():
    sampler = ChipSampler([NoiseInjection()], TIO2, arrange((3, 5, 2)), (3, 5, 2))
    together = sampler.draw(4, [np.random.default_rng(k) for k in (1, 2)])
    assert together.linear.shape == (2, 4, 2 * (4 * 5 + 6 * 2), 1)
    for k, seed in enumerate((1, 2)):
        alone = sampler.draw(4, [np.random.default_rng(seed)])
        for name in ("constant", "linear", "quadratic", "stuck"):
            np.testing.assert_array_equal(getattr(together, name)[k], getattr(alone, name)[0])
    assert not np.array_equal(together.linear[0], together.linear[1])


@pytest.mark.parametrize("mapping", ["pairs", "signed"])
def test_a_weight_hit_by_a_stuck_device_is_not_updated_through_that_chip(mapping):
    network, layout = away_from_zero(2, 4, 1), layout_of((2, 4, 1), mapping)
    device = replace(FAULTY, stuck=replace(FAULTY.stuck, probability_lrs=0.2, probability_hrs=0.2))
    sampler = ChipSampler([ConductanceDropout()], device, layout, network.sizes)
    writes = sampler.draw(5, [np.random.default_rng(10)])
    weights, scale = flatten(network), pair_scale(network, device, mapping)[:, 0]
    hit = in_pairs(writes.stuck).any(axis=-1)
    assert hit.shape[1] == weights.shape[2] - (mapping == "signed")  # the output bias stays in software
    hit = np.concatenate([hit, np.zeros((5, weights.shape[2] - hit.shape[1]), dtype=bool)], axis=1)
    assert 0.3 < hit.mean() < 0.9

    low = device.g_min if mapping == "pairs" else device.g_min - device.g_max
    constant, stuck = in_pairs(writes.constant), in_pairs(writes.stuck)
    for chip in range(5):
        tensor = Tensor(weights)
        sampled = sampler.sample(tensor, writes, course_of(network, device, layout, 5))
        sampled[0, chip].sum().backward()
        grad = tensor.grad[0, 0, :, 0]
        np.testing.assert_array_equal(grad[hit[chip]], 0.0)
        # Without other effects an unharmed weight is itself: slope 1, after a division and products by the scale.
        np.testing.assert_allclose(grad[~hit[chip]], 1.0, rtol=8 * EPS)
        values = sampled.value[0, chip, :, 0]
        flat = weights[0, 0, :, 0]
        np.testing.assert_allclose(values[~hit[chip]], flat[~hit[chip]], rtol=0, atol=50 * EPS)
        for k in np.flatnonzero(hit[chip]):
            wanted = [low + scale[k] * max(flat[k], 0.0), low + scale[k] * max(-flat[k], 0.0)]
            plus, minus = (constant[chip, k, side] if stuck[chip, k, side] else wanted[side] for side in (0, 1))
            assert values[k] == pytest.approx((plus - minus) / scale[k], rel=0, abs=50 * EPS)


def test_stuck_conductances_follow_the_device():
    device = replace(TIO2, stuck=StuckDevices(0.3, 600 * uS, 0.0, 0.2, 15 * uS, 25 * uS, source="made up"))
    sampler = ChipSampler([ConductanceDropout()], device, arrange((3, 5, 2)), (3, 5, 2))
    writes = sampler.draw(500, [np.random.default_rng(0)])
    values = writes.constant[writes.stuck]
    at_lrs = values == 600 * uS
    assert ((values[~at_lrs] >= 15 * uS) & (values[~at_lrs] <= 25 * uS)).all()
    # 500 * 64 devices: shares of 0.3 and 0.2 to 5 standard deviations, 5 sqrt(0.25 / 32000) = 0.014.
    assert abs(writes.stuck.mean() - 0.5) < 0.014
    assert abs(at_lrs.sum() / writes.stuck.size - 0.3) < 0.014
    np.testing.assert_array_equal(writes.linear[writes.stuck], 0.0)
    np.testing.assert_array_equal(writes.linear[~writes.stuck], 1.0)


def test_split_layers_undoes_flattening():
    network = start(3, 5, 2)
    shapes = [array.shape for array in network.arrays]
    for part, array in zip(split_layers(flatten(network), shapes), network.arrays):
        np.testing.assert_array_equal(part, array[None, None])
    tensors = split_layers(Tensor(flatten(network)), shapes)
    assert [tensor.shape for tensor in tensors] == [(1, 1, 4, 5), (1, 1, 6, 2)]
    np.testing.assert_array_equal(tensors[1].value[0, 0], network.arrays[1])


# The range penalty.


def test_value_and_gradient_of_the_range_penalty():
    arrays = [Tensor([[1.0, -3.0], [2.0, 0.5], [0.0, 2.5]]), Tensor([[-0.5], [0.25]])]
    penalty = RangePenalty(0.1).penalty(arrays)
    np.testing.assert_allclose(penalty.value, 0.1 * (9 + 0.25), rtol=4 * EPS)
    penalty.backward()
    np.testing.assert_allclose(arrays[0].grad, [[0, 0.1 * 2 * -3], [0, 0], [0, 0]], rtol=4 * EPS)
    np.testing.assert_allclose(arrays[1].grad, [[0.1 * 2 * -0.5], [0]], rtol=4 * EPS)


def test_range_penalty_counts_the_bias_and_adds_up_over_networks():
    arrays = [Tensor(np.array([[[1.0], [4.0]], [[-2.0], [0.5]]]))]  # two networks; the first one's bias is the largest
    np.testing.assert_allclose(RangePenalty(2.0).penalty(arrays).value, 2 * (16 + 4), rtol=4 * EPS)


def test_range_penalty_shrinks_the_largest_weights(moons):
    settings = TrainingSettings(n_steps=150, batch_size=35)
    before = start(2, 5, 1, dataset=moons)
    largest = []
    for techniques in ([], [RangePenalty(1e-3)], [RangePenalty(1e-2)]):
        trained = train(before, moons, techniques, rng=np.random.default_rng(0), settings=settings)
        largest.append([np.abs(array).max() for array in trained.arrays])
    assert np.all(np.diff(largest, axis=0) < 0)  # in both layers, and the more the stronger


def test_a_range_penalty_of_zero_changes_nothing(moons):
    before = start(2, 5, 1, dataset=moons)
    without, zero = (train(before, moons, techniques, rng=np.random.default_rng(0), settings=SHORT)
                     for techniques in ([], [RangePenalty(0.0)]))
    assert all(np.array_equal(a, b) for a, b in zip(without.arrays, zero.arrays))


# Refusals.


def try_to_train(dataset, techniques=(), network=None, **kwargs):
    return train(start(2, 3, 1) if network is None else network, dataset, techniques, settings=SHORT,
                 **{"rng": np.random.default_rng(0), **kwargs})


def test_the_same_technique_twice_is_the_same_as_once(moons):
    once, twice = (try_to_train(moons, [NoiseInjection()] * n, device=TIO2) for n in (1, 2))
    assert_same_bits(once, twice)


@pytest.mark.parametrize("technique", ["noise", None, TIO2, 1e-4, NoiseInjection, ConductanceDropout, RangePenalty],
                         ids=["str", "None", "Device", "float", "class NoiseInjection", "class ConductanceDropout",
                              "class RangePenalty"])
def test_what_is_no_technique_is_refused(moons, technique):
    with pytest.raises(TypeError, match=r"techniques must be objects such as NoiseInjection\(\) or Range.*; got"):
        try_to_train(moons, [technique], device=TIO2)
    with pytest.raises(TypeError, match=r"techniques must be a list, such as \[NoiseInjection\(\)\]; got"):
        try_to_train(moons, NoiseInjection() if technique is None else technique, device=TIO2)


@pytest.mark.parametrize("technique", [NoiseInjection, ConductanceDropout])
def test_a_technique_that_simulates_a_device_needs_one(moons, technique):
    with pytest.raises(ValueError, match=rf"{technique.__name__} simulates a device: say which, for example train\(\.\.\., "
                                         r"device=TIO2\)"):
        try_to_train(moons, [RangePenalty(0.1), technique()])
    with pytest.raises(TypeError, match="a Device, for example .*TIO2; got 'TIO2'"):
        try_to_train(moons, [technique()], device="TIO2")


def test_a_layout_for_another_network_is_refused(moons):
    with pytest.raises(ValueError, match=r"layout is for layers of shapes \[\(3, 8\), \(5, 2\)\]; the network has \[\(3, 6\)"):
        try_to_train(moons, [NoiseInjection()], device=TIO2, layout=arrange((2, 4, 1)))
    with pytest.raises(TypeError, match=r"layout must be a Layout, such as arrange\(.*\); got a tuple"):
        try_to_train(moons, [NoiseInjection()], device=TIO2, layout=(8, 8))
    with pytest.raises(ValueError, match="give the device too"):
        try_to_train(moons, [], layout=arrange((2, 3, 1)))


@pytest.mark.parametrize("strength, kind", [(-1e-4, ValueError), (np.nan, ValueError), (np.inf, ValueError),
                                            ("1", TypeError), (True, TypeError)])
def test_a_wrong_strength_is_refused(strength, kind):
    with pytest.raises(kind, match="strength must be"):
        RangePenalty(strength)


def test_a_dataset_that_does_not_fit_the_network_is_refused(moons, clusters):
    with pytest.raises(ValueError, match="the network has 3 inputs but the dataset has 2 features"):
        try_to_train(moons, network=start(3, 4, 1))
    with pytest.raises(ValueError, match="the network tells 2 classes apart but the dataset has labels up to 2"):
        try_to_train(clusters, network=start(2, 4, 1))
    with pytest.raises(ValueError, match="the network tells 2 classes apart but the dataset has labels up to 2"):
        try_to_train(clusters, network=start(2, 4, 2))


def test_more_outputs_than_classes_are_allowed(moons):
    assert try_to_train(moons, network=start(2, 4, 5)).sizes == (2, 4, 5)


@pytest.mark.parametrize("rng", [7, None, np.random.RandomState(0)])
def test_training_takes_a_generator(moons, rng):
    with pytest.raises(TypeError, match=r"rng must be a numpy.random.Generator, for example"):
        try_to_train(moons, rng=rng)


def test_training_many_needs_networks_of_one_kind_and_a_generator_each(moons):
    rngs = [np.random.default_rng(k) for k in (0, 1)]
    with pytest.raises(ValueError, match="one generator for each network; got 1 networks, 2 rngs"):
        train_many([start(2, 3, 1)], moons, rngs=rngs)
    with pytest.raises(ValueError, match="one generator for each network; got 0 networks, 0 rngs"):
        train_many([], moons, rngs=[])
    with pytest.raises(ValueError, match=r"must have the same layer sizes; got \(2, 3, 1\) and \(2, 4, 1\)"):
        train_many([start(2, 3, 1), start(2, 4, 1)], moons, rngs=rngs)


def test_networks_of_different_activations_are_trained_together_as_alone(moons):
    networks = [start(2, 3, 1, seed=seed, activation=name) for seed, name in enumerate(["sigmoid", "tanh", "relu"])]
    techniques = [NoiseInjection(), ConductanceDropout()]
    together = train_many(networks, moons, techniques, device=FAULTY, settings=SHORT,
                          rngs=[np.random.default_rng(k) for k in range(3)])
    for k, network in enumerate(networks):
        assert together[k].activation == network.activation
        assert_same_bits(together[k], train(network, moons, techniques, device=FAULTY, settings=SHORT,
                                            rng=np.random.default_rng(k)))


def test_networks_with_one_generator_meet_the_same_points_and_chips(moons):
    # Twice the same start with one generator: the same network twice, and that of a training alone. Beside them a pair with
    # another generator, which must not change the first.
    techniques = [NoiseInjection(), ConductanceDropout()]
    one, other = np.random.default_rng(5), np.random.default_rng(6)
    networks = [start(2, 3, 1), start(2, 3, 1), start(2, 3, 1, seed=8), start(2, 3, 1)]
    together = train_many(networks, moons, techniques, device=FAULTY, settings=SHORT, rngs=[one, other, other, one])
    assert_same_bits(together[0], together[3])
    assert_same_bits(together[0], train(networks[0], moons, techniques, device=FAULTY, rng=np.random.default_rng(5),
                                        settings=SHORT))
    pair = train_many(networks[1:3], moons, techniques, device=FAULTY, settings=SHORT, rngs=[np.random.default_rng(6)] * 2)
    alone = train_many(networks[1:2], moons, techniques, device=FAULTY, settings=SHORT, rngs=[np.random.default_rng(6)])
    assert_same_bits(together[1], pair[0])
    assert_same_bits(together[2], pair[1])
    assert_same_bits(pair[0], alone[0])
    assert bits(pair[0]) != bits(pair[1])


@pytest.mark.parametrize("through_scale", [False, True])
@pytest.mark.parametrize("mapping", [DifferentialPairs(), DifferentialPairs(digital_output_bias=True)])
def test_pairs_in_one_operation_give_the_values_and_gradients_of_the_general_way(mapping, through_scale):
    sizes, device = (2, 3, 2, 1), replace(EVERYTHING, tuning=replace(TIO2.tuning, offset_std=0.3))
    view = WeightsOnDevices(device, arrange(sizes, mapping=mapping), sizes)
    weights = np.random.default_rng(2).normal(size=(2, 1, view.n_weights, 1))
    weights[0, 0, 3] = 0.0  # where plus and minus share the gradient
    writes = view.draw(device, view.layout.n_later_writes, 40, [np.random.default_rng(k) for k in (3, 4)])
    cotangent = np.random.default_rng(5).normal(size=(2, 40, view.n_weights, 1))
    found = []
    for sample in (view.sample_pairs, view.sample_generally):
        tensor = Tensor(weights)
        sampled = sample(tensor, view.scale_of(tensor if through_scale else weights), writes)
        (sampled * cotangent).sum().backward()
        found.append((sampled.value, tensor.grad))
    assert (writes.stuck.mean(), (apply_writes(1e-4, writes) == 0).mean()) > (0.1, 0.0)  # faults and floors are met
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12 * np.abs(other).max())


@pytest.mark.parametrize("name, value, kind", [
    ("n_steps", 0, ValueError), ("n_steps", 10.0, TypeError), ("batch_size", -1, ValueError), ("n_chips", 0, ValueError),
    ("learning_rate", -0.1, ValueError), ("learning_rate", np.nan, ValueError), ("weight_decay", -1e-9, ValueError),
    ("weight_decay", "0", TypeError), ("schedule", "cosin", ValueError),
])
def test_wrong_settings_are_refused_by_name_and_value(name, value, kind):
    with pytest.raises(kind, match=f"{name} .*{value}"):
        TrainingSettings(**{name: value})


def test_refusals_come_before_any_work(moons):
    rng = np.random.default_rng(0)
    state = copy.deepcopy(rng.bit_generator.state)
    for techniques, network, hardware in (([NoiseInjection(), ConductanceDropout()], None, {}),
                                          ([NoiseInjection()], None, {"device": TIO2, "layout": arrange((2, 4, 1))}),
                                          (["noise"], None, {}), ([], start(3, 1), {})):
        with pytest.raises((ValueError, TypeError)):
            try_to_train(moons, techniques, network, rng=rng, **hardware)
    assert rng.bit_generator.state == state


def test_validation_is_reported_by_checkpoints_and_changes_nothing(moons):
    validation = generate_moons(rng=np.random.default_rng(3), n_train=40, n_validation=10, n_test=10).train
    network, settings = start(2, 5, 1, dataset=moons), replace(SHORT, n_steps=50)
    kept, plain = [], []
    trained = train(network, moons, [NoiseInjection()], device=TIO2, rng=np.random.default_rng(4), settings=settings,
                    validation=validation, on_checkpoint=kept.append)
    train(network, moons, [NoiseInjection()], device=TIO2, rng=np.random.default_rng(4), settings=settings,
          on_checkpoint=plain.append)
    assert_same_bits(trained, train(network, moons, [NoiseInjection()], device=TIO2, rng=np.random.default_rng(4),
                                    settings=settings))
    assert len(kept) == 20 and kept[-1].n_done == 50 and set(np.diff([0, *(one.n_done for one in kept)])) == {2, 3}
    assert_same_bits(kept[-1].network, trained)
    assert all(one.validation_loss is one.validation_accuracy is None for one in plain)
    for one, other in zip(kept, plain):
        assert_same_bits(one.network, other.network)
        logits = one.network.logits(validation.points)[:, 0]
        right = np.where(validation.labels == 1, logits, -logits)
        assert one.validation_accuracy == np.mean(right > 0)
        assert one.validation_loss == pytest.approx(np.log1p(np.exp(-right)).mean(), rel=1e-12)
    assert bits(kept[0].network) != bits(kept[1].network)  # copies, not one network that goes on changing


def test_fewer_steps_than_checkpoints_give_one_after_each(moons):
    kept = []
    train(start(2, 3, 1), moons, rng=np.random.default_rng(0), settings=replace(SHORT, n_steps=3), on_checkpoint=kept.append)
    assert [one.n_done for one in kept] == [1, 2, 3]


def test_validation_that_nobody_would_see_or_that_does_not_fit_is_refused(moons):
    with pytest.raises(ValueError, match="validation points are reported by checkpoints: give on_checkpoint too"):
        try_to_train(moons, validation=moons)
    with pytest.raises(TypeError, match="dataset must be a Dataset; got a list"):
        try_to_train(moons, validation=[1], on_checkpoint=print)
    with pytest.raises(ValueError, match="the network has 2 inputs but the dataset has 3 features"):
        try_to_train(moons, validation=Dataset(np.ones((4, 3)), [0, 1, 0, 1]), on_checkpoint=print)


def test_a_gradient_that_is_not_finite_ends_training(moons):
    class Overflowing(Technique):
        def perturb(self, weights, course):
            return Tensor(weights.value, (weights,), lambda g: (np.where(g == g.max(), np.nan, g),))

    with pytest.raises(FloatingPointError, match="the gradient is not finite at step 0; lower the learning rate"):
        try_to_train(moons, [Overflowing()])
