"""The compiled passes through many copies of a network: the plain forward pass, exact derivatives, classes, bounds."""

import numpy as np
import pytest
from oracle import ACTIVATION_FORMULAS

from tiocross import MLP, TIO2, Dataset, NoiseInjection, TrainingSettings, train, transfer
from tiocross.learning.activations import ACTIVATIONS, find_activation
from tiocross.learning.layers import run_copies
from tiocross.learning.network import classify, forward
from tiocross.learning.techniques import split_layers
from tiocross.learning.tensor import Tensor
from tiocross.transfers.inference import PointClassifier

RNG = np.random.default_rng
SIZES = ((3, 2), (2, 8, 1), (3, 5, 4, 2), (1, 2, 6, 3, 1))
# Points are filled up to a multiple of 32, which the sizes do not change: every size meets some number of points, and
# (2, 8, 1) all.
GRID = [((2, 8, 1), n_points) for n_points in (1, 31, 32, 37)] + [((3, 2), 15), ((3, 5, 4, 2), 37), ((1, 2, 6, 3, 1), 16)]
TINY = 1e-30


def make_case(sizes, n_points, seed=0, spread=1.0):
    rng = RNG(seed)
    shapes = [(n_in + 1, n_out) for n_in, n_out in zip(sizes, sizes[1:])]
    weights = spread * rng.normal(size=(2, 3, sum(rows * columns for rows, columns in shapes), 1))
    return shapes, weights, rng.normal(size=(2, sizes[0], n_points)), rng.normal(size=(2, 3, n_points, sizes[-1]))


def run_plainly(weights, shapes, inputs, activation):
    return forward(split_layers(weights, shapes), np.swapaxes(inputs, -1, -2)[:, None], activation)


def run_formulas(weights, shapes, inputs, activation):
    """Logits by the formulas, of real or complex weights."""
    signal = np.swapaxes(inputs, -1, -2)[:, None]
    for depth, array in enumerate(split_layers(weights, shapes)):
        signal = ACTIVATION_FORMULAS[activation](signal) if depth else signal
        signal = signal @ array[..., :-1, :] + array[..., -1:, :]
    return signal


def exact_gradient(weights, shapes, inputs, activation, slopes):
    """Gradient of sum(slopes * logits): the imaginary part at weights + i h, exact but for rounding where h is tiny."""
    gradient = np.empty(weights.shape)
    for k in range(weights.shape[2]):
        moved = weights.astype(complex)
        moved[:, :, k] += 1j * TINY
        gradient[:, :, k, 0] = (slopes * run_formulas(moved, shapes, inputs, activation).imag / TINY).sum(axis=(-2, -1))
    return gradient


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes, n_points", GRID)
def test_logits_and_gradients_are_the_plain_ones(sizes, n_points, activation):
    shapes, weights, inputs, slopes = make_case(sizes, n_points)
    tensor = Tensor(weights)
    logits = run_copies(tensor, sizes, inputs, activation)
    assert logits.shape == slopes.shape
    # 2e-7 of single precision and of the fit to tanh, weighed by a few weights of order 1 in each of at most four layers
    np.testing.assert_allclose(logits.value, run_plainly(weights, shapes, inputs, activation), rtol=0, atol=1e-5)
    (logits * slopes).sum().backward()
    expected = exact_gradient(weights, shapes, inputs, activation, slopes)
    np.testing.assert_allclose(tensor.grad, expected, rtol=0, atol=1e-5 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_gradient_is_that_of_a_central_difference_to_1e_4(activation):
    shapes, weights, inputs, slopes = make_case((2, 5, 3, 1), 20)
    tensor = Tensor(weights)
    (run_copies(tensor, (2, 5, 3, 1), inputs, activation) * slopes).sum().backward()
    # Of the plain pass in double precision, whose step of 1e-6 leaves some 1e-9: relu and hardtanh have no kink so near.
    moves = 1e-6 * RNG(3).normal(size=(30, *weights.shape))
    ahead, behind = ([(slopes * run_plainly(weights + sign * move, shapes, inputs, activation)).sum() for move in moves]
                     for sign in (1, -1))
    differences = (np.array(ahead) - behind) / 2
    found = (tensor.grad * moves).sum(axis=(1, 2, 3, 4))
    assert np.abs(found - differences).max() < 1e-4 * np.abs(differences).mean()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_table_and_kernel_hold_the_formulas(activation):
    x = np.concatenate([np.linspace(-30, 30, 601), [-0.0, 1.0, -1.0, 1e-9, -1e-9]])
    expected = ACTIVATION_FORMULAS[activation](x)
    np.testing.assert_allclose(find_activation(activation).value(x), expected, rtol=0, atol=4e-15)
    one_unit = np.array([1.0, 0.0, 1.0, 0.0]).reshape(1, 1, 4, 1)  # a hidden unit that sees x, an output that repeats it
    compiled = run_copies(Tensor(one_unit), (1, 1, 1), x[None, None], activation).value[0, 0, :, 0]
    np.testing.assert_allclose(compiled, expected, rtol=5e-7, atol=5e-7)
    assert (np.diff(find_activation(activation).value(np.sort(x))) >= 0).all()  # the bounds over boxes need that it increases


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_large_sums_give_no_warning(activation):
    shapes, weights, inputs, slopes = make_case((2, 8, 1), 20, spread=1e4)
    tensor = Tensor(weights)
    with np.errstate(all="raise", under="ignore"):
        logits = run_copies(tensor, (2, 8, 1), inputs, activation)
        (logits * slopes).sum().backward()
        expected = run_plainly(weights, shapes, inputs, activation)
    # Sums of 1e4 are wrong by 1e-3, in single precision, and weights of 1e4 behind them make 10 of that.
    np.testing.assert_allclose(logits.value, expected, rtol=0, atol=1e-3 * np.abs(expected).max())
    assert np.isfinite(tensor.grad).all()


def test_the_fitted_tanh_is_wrong_by_a_few_units_of_single_precision_at_most():
    x = np.concatenate([np.linspace(-12, 12, 40_001), np.geomspace(1e-30, 1, 1001)]).astype(np.float32)
    one_unit = np.array([1.0, 0.0, 1.0, 0.0]).reshape(1, 1, 4, 1)
    found = run_copies(Tensor(one_unit), (1, 1, 1), x[None, None], "tanh").value[0, 0, :, 0]
    np.testing.assert_allclose(found, np.tanh(x.astype(float)), rtol=5e-7, atol=0)
    assert (np.abs(found) <= 1 + 2e-7).all()


def test_networks_of_one_pass_may_have_activations_of_their_own():
    _, weights, inputs, _ = make_case((2, 8, 1), 21)
    together = run_copies(Tensor(weights), (2, 8, 1), inputs, ["relu", "sigmoid"]).value
    for network, activation in enumerate(["relu", "sigmoid"]):
        alone = run_copies(Tensor(weights[network : network + 1]), (2, 8, 1), inputs[network : network + 1], activation).value
        np.testing.assert_array_equal(alone[0], together[network])


def test_a_copy_does_not_see_the_others():
    _, weights, inputs, _ = make_case((2, 8, 1), 21)
    together = run_copies(Tensor(weights), (2, 8, 1), inputs, "tanh").value
    for network in range(2):
        for copy in range(3):
            alone = run_copies(Tensor(weights[network, copy][None, None]), (2, 8, 1), inputs[network][None], "tanh").value
            np.testing.assert_array_equal(alone[0, 0], together[network, copy])


def test_the_weights_are_left_as_they_are():
    _, weights, inputs, _ = make_case((2, 8, 1), 9)
    before = weights.copy(), inputs.copy()
    run_copies(Tensor(weights), (2, 8, 1), inputs, "sigmoid").sum().backward()
    np.testing.assert_array_equal(weights, before[0])
    np.testing.assert_array_equal(inputs, before[1])


def test_an_unknown_activation_is_refused_before_any_kernel_runs():
    _, weights, inputs, _ = make_case((2, 8, 1), 9)
    network = MLP(2, 8, 1, rng=RNG(0))
    network.activation = "softsign"
    for work in (lambda: run_copies(Tensor(weights), (2, 8, 1), inputs, "softsign"),
                 lambda: PointClassifier(network, inputs[0].T)):
        with pytest.raises(ValueError, match="activation 'softsign' is unknown"):
            work()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(2, 8, 1), (2, 5, 4, 1), (2, 6, 3)])
def test_classes_are_those_of_the_plain_pass_whether_bounded_or_evaluated(sizes, activation):
    # Weights of all sizes: with small ones a box seldom decides, with large ones nearly always.
    rng = RNG(5)
    network = MLP(*sizes, rng=rng, activation=activation)
    points = rng.uniform(-1, 1, (700, 2))
    spreads = rng.choice([0.3, 3.0, 30.0], (12, 1, 1))
    copies = [spreads * rng.normal(size=(12, *array.shape)) for array in network.arrays]
    logits = forward(copies, points, activation)
    ordered = np.sort(logits, axis=-1)
    apart = np.abs(logits[..., 0]) if sizes[-1] == 1 else ordered[..., -1] - ordered[..., -2]
    clear = apart > 1e-9 * np.abs(logits).max(axis=-1)  # nearer to a draw than this, rounding may decide either way
    assert clear.mean() > 0.99 or activation in ("relu", "hardtanh")  # whose hidden units may all be off
    found = PointClassifier(network, points).classify(copies)
    np.testing.assert_array_equal(found[clear], classify(logits)[clear])


@pytest.mark.parametrize("activation", ["softplus", "hardtanh"])
def test_networks_with_it_train_and_are_transferred(activation, moons):
    rng = RNG(4)
    start = MLP(2, 8, 1, rng=rng, activation=activation)
    start.centre_inputs(moons.train)
    settings = TrainingSettings(n_steps=300, n_chips=2)
    network = train(start, moons.train, [NoiseInjection()], device=TIO2, rng=rng, settings=settings)
    assert network.activation == activation
    outcome = transfer(network, Dataset(moons.test.points[:500], moons.test.labels[:500]), device=TIO2.ideal(), n_transfers=2,
                       rng=rng)
    assert outcome.nominal_accuracy > 0.85 and (outcome.accuracies == outcome.nominal_accuracy).all()
