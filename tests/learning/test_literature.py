"""Methods of the literature: each against its formula by hand, its law, its gradient, and inside training.

A generator of the same seed gives a test the draws that a method uses, so that its values can be written down one by one.
"""

import dataclasses

import numpy as np
import pytest

from tiocross.tasks import generate_moons
from tiocross.devices.device import Device, DisturbQuantiles, TuningError
from tiocross.devices.tio2 import TIO2
from tiocross.learning.tensor import Tensor
from tiocross.learning.literature import (
    CensoredNoise,
    FaultDropConnect,
    GaussianNoise,
    LipschitzPenalty,
    LogNormalNoise,
    duplicate_units,
)
from tiocross.learning.network import MLP
from tiocross.learning.sharpness import SharpnessAware
from tiocross.learning.on_devices import ChipSampler
from tiocross.learning.techniques import Course, NoiseInjection
from tiocross.learning.training import TrainingSettings, train, train_many
from tiocross.mapping.arrangements import arrange, share_arrays
from tiocross.mapping.mappings import DifferentialPairs, ReferenceColumn

SHAPES = [(3, 2), (3, 1)]  # 2-2-1
LAYERS = [slice(0, 6), slice(6, 9)]
METHODS = [GaussianNoise(0.1), GaussianNoise(0.1, 1.0), CensoredNoise(0.2, 0.5), CensoredNoise(0.2, 0.5, both_tails=False),
           LogNormalNoise(0.3), FaultDropConnect(0.2, 0.3)]
EPS = np.finfo(float).eps


def weights_of(n_networks=2, seed=0):
    """(n_networks, 1, 9, 1) weights in [-1, 1], those of the first layer 5 times as large."""
    weights = np.random.default_rng(seed).uniform(-1, 1, (n_networks, 1, 9, 1))
    weights[:, :, LAYERS[0]] *= 5.0
    return weights


def rngs_of(*seeds):
    return [np.random.default_rng(seed) for seed in seeds]


def course_of(seeds=(11, 12), n_chips=4, device=None, layout=None, shapes=SHAPES):
    return Course(shapes, n_chips, rngs_of(*seeds), device, layout)


def disturbed(method, weights, n_chips=4, seeds=(11, 12), device=None):
    return method.perturb(Tensor(weights), course_of(seeds, n_chips, device)).value


def draws_of(kind, n_chips=4, seeds=(11, 12)):
    return np.stack([getattr(rng, kind)((n_chips, 9, 1)) for rng in rngs_of(*seeds)])


def largest_by_hand(weights):
    """Largest magnitude of each weight's layer, network by network."""
    largest = np.empty(weights.shape)
    for network in range(len(weights)):
        for layer in LAYERS:
            largest[network, 0, layer] = max(abs(weight) for weight in weights[network, 0, layer, 0])
    return largest


# Formulas.


def test_gaussian_noise_is_relative_to_the_largest_weight_of_its_layer():
    weights = weights_of()
    expected = weights + 0.1 * largest_by_hand(weights) * draws_of("standard_normal")
    np.testing.assert_allclose(disturbed(GaussianNoise(0.1), weights), expected, rtol=0, atol=20 * EPS)


def test_clipping_bounds_the_weights_before_the_noise():
    weights = np.array([3.0, -1.0, 1.0, -1.0, 1.0, -3.0, 0.5, 0.0, -0.5]).reshape(1, 1, 9, 1)
    # By hand: mean squares 22/6 and 1/6, means zero.
    first, second = np.sqrt(22 / 6), np.sqrt(1 / 6)
    clipped = np.array([first, -1.0, 1.0, -1.0, 1.0, -first, second, 0.0, -second]).reshape(1, 1, 9, 1)
    largest = np.array([first] * 6 + [second] * 3).reshape(1, 1, 9, 1)
    noise = 0.1 * largest * draws_of("standard_normal", seeds=(11,))
    given = disturbed(GaussianNoise(0.1, 1.0), weights, seeds=(11,))
    np.testing.assert_allclose(given, clipped + noise, rtol=0, atol=20 * EPS)


def test_the_network_to_put_on_a_chip_is_clipped_as_in_training():
    network = MLP(2, 2, 1, rng=np.random.default_rng(3))
    network.arrays[0][0, 0] = 9.0
    before = [array.copy() for array in network.arrays]
    flat = np.concatenate([array.reshape(-1, 1) for array in network.arrays])[None, None]
    method = GaussianNoise(0.0, 1.0)
    finished = method.finish(network)
    np.testing.assert_allclose(np.concatenate([array.reshape(-1, 1) for array in finished.arrays]),
                               disturbed(method, flat, n_chips=1, seeds=(0,))[0, 0], rtol=0, atol=20 * EPS)
    assert finished.arrays[0][0, 0] < 9.0 / 2  # five small weights beside it: std is near 9 sqrt(5) / 6 = 3.4
    for network_array, was in zip(network.arrays, before):
        np.testing.assert_array_equal(network_array, was)
    unclipped = GaussianNoise(0.1).finish(network)
    assert unclipped is not network and np.array_equal(unclipped.arrays[0], network.arrays[0])


def test_censored_draws_take_the_bound():
    weights = weights_of()
    z = draws_of("standard_normal", n_chips=30)
    assert (z > 0.5).any() and (z < -0.5).any()
    for both_tails in (True, False):
        cut = np.array([min(value, 0.5) if not both_tails else max(-0.5, min(value, 0.5)) for value in z.ravel()])
        expected = weights + 0.2 * largest_by_hand(weights) * cut.reshape(z.shape)
        given = disturbed(CensoredNoise(0.2, 0.5, both_tails=both_tails), weights, n_chips=30)
        np.testing.assert_allclose(given, expected, rtol=0, atol=20 * EPS)


def test_log_normal_noise_multiplies_by_the_exponential_of_its_draws():
    weights = weights_of()
    expected = weights * np.exp(0.3 * draws_of("standard_normal"))
    np.testing.assert_allclose(disturbed(LogNormalNoise(0.3), weights), expected, rtol=10 * EPS)


def test_probabilities_of_drop_connect_are_those_of_the_device_twice():
    weights, faulty = weights_of(), dataclasses.replace(TIO2, stuck=dataclasses.replace(
        TIO2.stuck, probability_lrs=0.1, probability_hrs=0.15))
    np.testing.assert_array_equal(disturbed(FaultDropConnect(), weights, device=faulty, n_chips=50),
                                  disturbed(FaultDropConnect(0.2, 0.3), weights, n_chips=50))
    np.testing.assert_array_equal(disturbed(FaultDropConnect(), weights, device=faulty.without("stuck")),
                                  np.repeat(weights, 4, axis=1))
    with pytest.raises(ValueError, match=r"FaultDropConnect\(\) takes its probabilities from a device: give train\(\.\.\., device"):
        disturbed(FaultDropConnect(), weights)
    with pytest.raises(TypeError, match="probability_hrs must be a number"):
        FaultDropConnect(0.1)


def test_a_weight_that_is_hit_vanishes_or_is_as_large_as_the_largest():
    weights = weights_of()
    given = disturbed(FaultDropConnect(0.2, 0.3), weights, n_chips=500)
    largest = np.broadcast_to(largest_by_hand(weights), given.shape)
    whole = np.broadcast_to(weights, given.shape)
    low, high, gone = given == largest, given == -largest, given == 0
    spared = given == whole
    assert (low | high | gone | spared).all()
    own = np.abs(whole) == largest  # there a hit by the low resistance state of its own sign shows as no hit
    n = (~own).sum()
    for hits, probability in ((low, 0.1), (high, 0.1), (gone, 0.3), (spared, 0.5)):
        # 5 standard deviations of a share of n draws.
        assert abs(hits[~own].mean() - probability) < 5 * np.sqrt(probability * (1 - probability) / n)


# Laws, with many copies of one network. Each moment is off by a known multiple of 1 / sqrt(n); 5 standard deviations.


def factors(method, n_chips=40_000):
    """What is added to weights of 1 and -1, which are their layers' largest."""
    weights = np.ones((1, 1, 9, 1))
    weights[:, :, ::2] = -1.0
    return (disturbed(method, weights, n_chips, seeds=(5,)) - weights).ravel(), weights


def test_gaussian_noise_has_the_wanted_law():
    added, _ = factors(GaussianNoise(0.25))
    slack = 5 / np.sqrt(len(added))
    assert abs(added.mean()) < 0.25 * slack
    assert added.std() == pytest.approx(0.25, rel=slack / np.sqrt(2))
    assert (np.abs(added) < 0.25).mean() == pytest.approx(0.682689, abs=0.5 * slack)


def test_censored_noise_has_the_wanted_law():
    for both_tails in (True, False):
        added, _ = factors(CensoredNoise(0.25, 1.0, both_tails=both_tails))
        slack = 5 / np.sqrt(len(added))
        assert (added > 0.25 * (1 - 1e-9)).mean() == pytest.approx(0.158655, abs=0.37 * slack)  # all at the bound
        assert added.max() == pytest.approx(0.25, rel=1e-12)
        # E min(z, 1) = -phi(1) + 1 - Phi(1) = -0.241971 + 0.158655; by symmetry 0 with both tails cut.
        assert added.mean() == pytest.approx(0.0 if both_tails else -0.25 * 0.083316, abs=0.25 * slack)
        assert (added.min() < -0.25 * 1.1) != both_tails


def test_log_normal_noise_has_the_wanted_law():
    added, weights = factors(LogNormalNoise(0.4))
    ratios = (added.reshape(-1, 9) + weights.ravel()) / weights.ravel()
    logs = np.log(ratios).ravel()
    slack = 5 / np.sqrt(len(logs))
    assert abs(logs.mean()) < 0.4 * slack
    assert logs.std() == pytest.approx(0.4, rel=slack / np.sqrt(2))


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_copies_weights_and_networks_are_disturbed_independently(method):
    weights = np.repeat(weights_of(1), 2, axis=0)
    given = disturbed(method, weights, n_chips=50)
    assert given.shape == (2, 50, 9, 1)
    assert len(np.unique(given[0, :, :, 0], axis=0)) > 20  # copies
    assert not np.array_equal(given[0], given[1])  # networks, of one and the same weights
    alone = disturbed(method, weights[1:], n_chips=50, seeds=(12,))
    np.testing.assert_array_equal(given[1:], alone)  # a network's draws do not depend on its company


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_weights_that_already_differ_by_chip_are_disturbed_chip_by_chip(method):
    chips = np.random.default_rng(8).uniform(-1, 1, (2, 4, 9, 1))
    given = disturbed(method, chips)
    first = np.stack([disturbed(method, chips[:, k : k + 1])[:, k] for k in range(4)], axis=1)
    np.testing.assert_array_equal(given, first)


@pytest.mark.parametrize("method", [GaussianNoise(0.0), CensoredNoise(0.2, 0.0), CensoredNoise(0.0, 1.0),
                                    LogNormalNoise(0.0), FaultDropConnect(0.0, 0.0)], ids=repr)
def test_without_noise_the_weights_stay(method):
    weights = weights_of()
    np.testing.assert_array_equal(disturbed(method, weights), np.repeat(weights, 4, axis=1))


# Gradients.


def gradient_of(method, weights, upstream):
    tensor = Tensor(weights)
    (method.perturb(tensor, course_of()) * upstream).sum().backward()
    return tensor.grad


@pytest.mark.parametrize("method", METHODS[:4], ids=repr)
def test_gradients_pass_straight_through_noise_and_clipping(method):
    upstream = np.random.default_rng(2).standard_normal((2, 4, 9, 1))
    np.testing.assert_allclose(gradient_of(method, weights_of(), upstream), upstream.sum(axis=1, keepdims=True), rtol=1e-12)


def test_gradient_of_log_normal_noise_is_the_true_one():
    weights, upstream, step = weights_of(), np.random.default_rng(2).standard_normal((2, 4, 9, 1)), 0.5
    direction = np.random.default_rng(3).standard_normal(weights.shape)
    ends = [(disturbed(LogNormalNoise(0.3), weights + sign * step * direction) * upstream).sum() for sign in (1, -1)]
    gradient = gradient_of(LogNormalNoise(0.3), weights, upstream)
    # Linear in the weights: a central difference is exact but for rounding of sums of some 72 numbers of up to 20.
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx((gradient * direction).sum(), abs=1e-11)


def test_no_gradient_reaches_a_weight_through_a_copy_where_it_is_hit():
    weights = weights_of()
    upstream = np.random.default_rng(2).uniform(1, 2, (2, 4, 9, 1))
    spared = draws_of("random") >= 0.5
    assert 0.2 < spared.mean() < 0.8
    gradient = gradient_of(FaultDropConnect(0.2, 0.3), weights, upstream)
    np.testing.assert_allclose(gradient, (upstream * spared).sum(axis=1, keepdims=True), rtol=1e-12)


# CorrectNet's penalty.


def test_largest_gain_by_hand():
    # sigma^2 = ln 2: e^(s^2/2) = sqrt 2, sqrt((2 - 1) 2) = sqrt 2; so l = 1 / (4 sqrt 2).
    assert LipschitzPenalty(np.sqrt(np.log(2)), 1.0).largest_gain == pytest.approx(1 / (4 * np.sqrt(2)), rel=1e-12)
    assert LipschitzPenalty(0.0, 1.0).largest_gain == 1.0


def test_penalty_by_hand():
    # No noise: l = 1. W = [[1, 2], [0, 1], [2, 0]]: W^T W = [[5, 2], [2, 5]], less I [[4, 2], [2, 4]]: 40.
    first = np.array([[1.0, 2.0], [0.0, 1.0], [2.0, 0.0], [7.0, 7.0]])
    second = np.array([[1.0], [2.0], [9.0]])  # W^T W = 5: 16
    assert LipschitzPenalty(0.0, 0.5).penalty([Tensor(first), Tensor(second)]).value == pytest.approx(0.5 * 56)
    # sigma^2 = ln 2, l^2 = 1/32: off the diagonal 2 and 2 as before.
    other = 2 * (5 - 1 / 32) ** 2 + 2 * 2**2 + (5 - 1 / 32) ** 2
    given = LipschitzPenalty(np.sqrt(np.log(2)), 2.0).penalty([Tensor(first), Tensor(second)])
    assert given.value == pytest.approx(2 * other)
    both = [Tensor(np.stack([array, 2 * array])[:, None]) for array in (first, second)]
    # Twice the weights: [[19, 8], [8, 19]]: 850, and 19^2 = 361.
    assert LipschitzPenalty(0.0, 0.5).penalty(both).value == pytest.approx(0.5 * (56 + 850 + 361))


def test_gradient_of_the_penalty_is_its_derivative():
    rng = np.random.default_rng(4)
    arrays = [rng.uniform(-1, 1, (2, 1, 4, 3)), rng.uniform(-1, 1, (2, 1, 4, 1))]
    directions = [rng.standard_normal(array.shape) for array in arrays]
    method, step = LipschitzPenalty(0.3, 0.7), 1e-4
    tensors = [Tensor(array) for array in arrays]
    method.penalty(tensors).backward()
    ends = [method.penalty([Tensor(array + sign * step * direction) for array, direction in zip(arrays, directions)]).value
            for sign in (1, -1)]
    expected = sum((tensor.grad * direction).sum() for tensor, direction in zip(tensors, directions))
    # A quartic of values near 50: its third derivative along directions of some 30 normal numbers is below 1e4, so that
    # truncation is below 1e-8 / 6 * 1e4 = 2e-5.
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(expected, abs=2e-5)
    assert abs(expected) > 0.1
    for tensor in tensors:
        assert (tensor.grad[..., -1, :] == 0).all()  # biases are free


# Sharpness-aware steps.


def ascend(radius, device, weights, gradient, layout=None, shapes=SHAPES):
    layout = arrange((2, 2, 1)) if layout is None else layout
    return SharpnessAware(radius).ascend(weights, gradient, course_of(device=device, layout=layout, shapes=shapes))


def spread_seen(device, weights, layout=None):
    """Standard deviation of each weight, as the move along one weight's gradient shows it."""
    spread = np.empty(weights.shape)
    for k in range(9):
        gradient = np.zeros(weights.shape)
        gradient[:, :, k] = -3.0
        moved = ascend(2.0, device, weights, gradient, layout) - weights
        spread[:, :, k] = -moved[:, :, k] / 2.0
        assert (np.delete(moved, k, axis=2) == 0).all()
    return spread


@pytest.mark.parametrize("layout", [
    arrange((2, 2, 1)), arrange((2, 2, 1), (2, 2)), share_arrays((2, 2, 1), (6, 4)),
    arrange((2, 2, 1), mapping=DifferentialPairs(digital_output_bias=True)), arrange((2, 2, 1), mapping=ReferenceColumn()),
], ids=["one array a layer", "small arrays", "one shared array", "digital output bias", "reference column"])
def test_the_spread_is_what_programming_chips_gives(layout):
    weights = weights_of()
    sampler = ChipSampler([NoiseInjection()], TIO2, layout, (2, 2, 1))
    course = course_of(device=TIO2, layout=layout, n_chips=20_000)
    sampled = sampler.sample(Tensor(weights), sampler.draw(20_000, rngs_of(1, 2)), course).value
    # Kurtosis of the disturb is at most about 12: a standard deviation of n samples is off by sqrt(11 / 4 n), 5 sigma 6 %.
    np.testing.assert_allclose(spread_seen(TIO2, weights, layout), sampled.std(axis=1, keepdims=True), rtol=0.06, atol=1e-12)


def test_the_spread_by_hand():
    # One weight of 1 at the top of 100 to 300 uS, one of -1/2, in an array of 2 x 2: the devices stand at 300 and 100, 100
    # and 200 uS. Changes of +-2 uS after every later write, 3, 2, 1 and 0 of them; a spread of 1 % of the conductance.
    tuning = TuningError(offset_mean=0.3, offset_std=0.008, spread_slope=0.0, spread_intercept=0.006, source="test")
    table = np.array([[-2, -2, 2, 2]] * 3) * 1e-6
    disturb = DisturbQuantiles([1, 2, 3], [0, 0.5 - 1e-9, 0.5 + 1e-9, 1], table, 0.0, source="test")
    device = Device(100e-6, 300e-6, tuning=tuning, disturb=disturb)
    weights = np.array([1.0, -0.5]).reshape(1, 1, 2, 1)
    moved = ascend(1.0, device, weights, np.array([3.0, 4.0]).reshape(1, 1, 2, 1), arrange((1, 1)), [(2, 1)])
    first = np.sqrt(3**2 + 1**2 + 2**2 + 2**2) / 200  # in units of weight: 200 uS are 1
    second = np.sqrt(1**2 + 2**2 + 2**2) / 200
    length = np.hypot(3 * first, 4 * second)
    expected = [1 + 3 * first**2 / length, -0.5 + 4 * second**2 / length]
    np.testing.assert_allclose(moved.ravel(), expected, rtol=1e-9)


def test_no_other_move_within_reach_raises_the_loss_more():
    weights, rng, radius = weights_of(1), np.random.default_rng(6), 1.5
    gradient = rng.standard_normal(weights.shape)
    spread = spread_seen(TIO2, weights)
    move = ascend(radius, TIO2, weights, gradient) - weights
    assert np.linalg.norm(move / spread) == pytest.approx(radius, rel=1e-9)
    others = rng.standard_normal((1000, *weights.shape))
    others *= radius / np.linalg.norm(others.reshape(1000, -1), axis=1).reshape(-1, 1, 1, 1, 1)
    assert (others * spread * gradient).sum(axis=(1, 2, 3, 4)).max() < (move * gradient).sum()


def test_networks_ascend_each_for_itself_and_stay_where_nothing_pushes():
    weights, gradient = weights_of(), np.random.default_rng(6).standard_normal((2, 1, 9, 1))
    before = weights.copy()
    both = ascend(1.0, TIO2, weights, gradient)
    np.testing.assert_array_equal(both[1:], ascend(1.0, TIO2, weights[1:], gradient[1:]))
    np.testing.assert_array_equal(weights, before)
    np.testing.assert_array_equal(ascend(1.0, TIO2, weights, np.zeros_like(gradient)), weights)
    np.testing.assert_array_equal(ascend(1.0, TIO2.ideal(), weights, gradient), weights)
    np.testing.assert_array_equal(ascend(0.0, TIO2, weights, gradient), weights)


def test_a_bias_that_is_on_no_device_has_no_spread():
    layout = arrange((2, 2, 1), mapping=DifferentialPairs(digital_output_bias=True))
    spread = spread_seen(TIO2, weights_of(), layout)
    assert (spread[:, :, -1] == 0).all() and (spread[:, :, :-1] > 0).all()


# Copies of units.


@pytest.mark.parametrize("sizes, copies, expected", [((2, 3, 1), 4, (2, 12, 1)), ((3, 2, 4, 3), 3, (3, 6, 12, 3)),
                                                     ((2, 1), 5, (2, 1)), ((2, 3, 1), 1, (2, 3, 1))])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_duplicated_units_leave_the_function_as_it_was(sizes, copies, expected, activation):
    rng = np.random.default_rng(7)
    network = MLP(*sizes, rng=rng, activation=activation)
    network.arrays = [array + rng.uniform(-1, 1, array.shape) for array in network.arrays]  # with biases
    network.input_offset += 0.3
    before = [array.copy() for array in network.arrays]
    larger = duplicate_units(network, copies)
    assert larger.sizes == expected and larger.activation == activation
    points = rng.uniform(-1, 1, (20, sizes[0]))
    # Sums of at most 12 numbers of order 10, three layers deep.
    np.testing.assert_allclose(larger.logits(points), network.logits(points), rtol=0, atol=1e-12)
    for array, was, new in zip(network.arrays, before, larger.arrays):
        assert np.array_equal(array, was) and not np.shares_memory(array, new)


def test_duplicated_units_by_hand():
    network = MLP(1, 2, 1, rng=np.random.default_rng(0))
    network.arrays = [np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[6.0], [8.0], [5.0]])]
    first, second = duplicate_units(network, 2).arrays
    np.testing.assert_array_equal(first, [[1, 1, 2, 2], [3, 3, 4, 4]])
    np.testing.assert_array_equal(second, [[3], [3], [4], [4], [5]])


def test_errors_of_single_weights_average_out_over_copies():
    rng = np.random.default_rng(7)
    network = MLP(2, 3, 1, rng=rng)
    points = rng.uniform(-1, 1, (5, 2))

    def spread(net, n=2000):
        moved = [net.arrays[0] + 0.01 * rng.standard_normal((n, *net.arrays[0].shape)), net.arrays[1]]
        signal = 1 / (1 + np.exp(-(points @ moved[0][:, :-1] + moved[0][:, -1:])))
        return (signal @ moved[1][:-1] + moved[1][-1:]).std(axis=0)

    # Sixteen copies with independent errors: a quarter of the spread; each of the two is off by 1 / sqrt(2 n) = 1.6 %.
    np.testing.assert_allclose(spread(network) / spread(duplicate_units(network, 16)), 4.0, rtol=5 * 0.016 * np.sqrt(2))


# In training.


FAULTY = dataclasses.replace(TIO2, stuck=dataclasses.replace(TIO2.stuck, probability_lrs=0.1, probability_hrs=0.1))
TRAINED = [*METHODS, LipschitzPenalty(0.3, 0.01), SharpnessAware(1.0), FaultDropConnect()]


@pytest.mark.parametrize("method", TRAINED, ids=lambda method: type(method).__name__)
def test_training_takes_each_method_and_it_makes_a_difference(method):
    moons = generate_moons(rng=np.random.default_rng(0), n_train=60, n_validation=4, n_test=4)
    networks = [MLP(2, 2, 1, rng=np.random.default_rng(seed)) for seed in (1, 2)]
    settings = TrainingSettings(n_steps=5, n_chips=3)
    plain = train(networks[0], moons.train, rng=np.random.default_rng(5), settings=settings)
    one = train(networks[0], moons.train, [method], device=FAULTY, rng=np.random.default_rng(5), settings=settings)
    many = train_many(networks, moons.train, [method], device=FAULTY, rngs=rngs_of(5, 6), settings=settings)
    for array, alone, without in zip(method.finish(many[0]).arrays, one.arrays, plain.arrays):
        np.testing.assert_array_equal(array, alone)
        assert np.isfinite(alone).all() and not np.array_equal(alone, without)


def test_methods_go_together_with_simulated_chips():
    moons = generate_moons(rng=np.random.default_rng(0), n_train=60, n_validation=4, n_test=4)
    techniques = [NoiseInjection(), FaultDropConnect(0.01, 0.01), LipschitzPenalty(0.1, 0.01), SharpnessAware(1.0)]
    trained = train(MLP(2, 2, 1, rng=np.random.default_rng(1)), moons.train, techniques, device=TIO2, rng=np.random.default_rng(5),
                    settings=TrainingSettings(n_steps=5, n_chips=3))
    assert all(np.isfinite(array).all() for array in trained.arrays)


@pytest.mark.parametrize("method", TRAINED, ids=lambda method: type(method).__name__)
def test_each_states_its_source_and_is_a_record(method):
    assert method.source == type(method).source and len(method.source) > 10
    assert "source" not in {field.name for field in dataclasses.fields(method)}
    assert method == dataclasses.replace(method) and hash(method) == hash(dataclasses.replace(method))
    with pytest.raises(dataclasses.FrozenInstanceError):
        method.strength = 1.0


# What is refused.


REFUSED = [
    (lambda: GaussianNoise(-0.1), ValueError, "sigma must be"),
    (lambda: GaussianNoise("a"), TypeError, "sigma must be a number"),
    (lambda: GaussianNoise(0.1, 0), ValueError, "clip must be above 0, or None"),
    (lambda: GaussianNoise(0.1, -1.0), ValueError, "clip must be"),
    (lambda: GaussianNoise(0.1, np.nan), ValueError, "clip must be"),
    (lambda: CensoredNoise(np.inf, 1), ValueError, "sigma must be"),
    (lambda: CensoredNoise(0.1, -1.0), ValueError, "bound must be"),
    (lambda: CensoredNoise(0.1, 1.0, both_tails=1), TypeError, "both_tails must be True or False; got 1"),
    (lambda: LogNormalNoise(-1.0), ValueError, "sigma must be"),
    (lambda: FaultDropConnect(1.1, 0.0), ValueError, "probability_lrs"),
    (lambda: FaultDropConnect(0.1, -0.1), ValueError, "probability_hrs"),
    (lambda: FaultDropConnect(0.6, 0.6), ValueError, r"must not exceed 1; got 0.6 \+ 0.6"),
    (lambda: LipschitzPenalty(-1.0, 1.0), ValueError, "sigma must be"),
    (lambda: LipschitzPenalty(1.0, -1.0), ValueError, "strength must be"),
    (lambda: SharpnessAware(-1.0), ValueError, "radius must be"),
    (lambda: ascend(1.0, None, weights_of(), weights_of()), ValueError, r"spread: say which, .*train\(\.\.\., device=TIO2\)"),
    (lambda: duplicate_units([np.ones((2, 1))], 2), TypeError, "network must be an MLP; got a list"),
    (lambda: duplicate_units(MLP(2, 1, rng=np.random.default_rng(0)), 0), ValueError, "copies must be at least 1; got 0"),
    (lambda: duplicate_units(MLP(2, 1, rng=np.random.default_rng(0)), 1.5), TypeError, "copies must be a whole number"),
]


@pytest.mark.parametrize("make, error, text", REFUSED)
def test_bad_input_is_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()
