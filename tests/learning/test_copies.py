"""Many copies of a network in one operation: the same logits and gradients as the plain forward pass on tensors."""

import numpy as np
import pytest

from tiocross.learning.tensor import Tensor
from tiocross.learning.copies import run_copies
from tiocross.learning.network import ACTIVATIONS, forward
from tiocross.learning.techniques import split_layers

SIZES = ((3, 2), (2, 8, 1), (3, 5, 4, 2), (1, 2, 6, 3, 1))


def make_case(sizes, n_points, seed=0, spread=1.0):
    rng = np.random.default_rng(seed)
    shapes = [(n_in + 1, n_out) for n_in, n_out in zip(sizes, sizes[1:])]
    weights = spread * rng.normal(size=(2, 3, sum(rows * columns for rows, columns in shapes), 1))
    return shapes, weights, rng.normal(size=(2, sizes[0], n_points)), rng.normal(size=(2, 3, n_points, sizes[-1]))


def run_plainly(weights, shapes, inputs, activation):
    return forward(split_layers(weights, shapes), np.swapaxes(inputs, -1, -2)[:, None], activation)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("n_points", [1, 15, 16, 37])  # sums go by 16 points and a rest
def test_logits_and_gradients_are_those_of_the_plain_pass(sizes, activation, n_points):
    shapes, weights, inputs, slopes = make_case(sizes, n_points)
    ours, plain = Tensor(weights), Tensor(weights)
    logits, expected = run_copies(ours, sizes, inputs, activation), run_plainly(plain, shapes, inputs, activation)
    assert logits.shape == expected.shape == slopes.shape
    # 1e-14 of the activations, weighed by a few weights of order 1 in each of at most four layers
    np.testing.assert_allclose(logits.value, expected.value, rtol=0, atol=1e-12)
    (logits * slopes).sum().backward()
    (expected * slopes).sum().backward()
    np.testing.assert_allclose(ours.grad, plain.grad, rtol=0, atol=1e-12 * max(1.0, np.abs(plain.grad).max()))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_large_sums_saturate_without_a_warning(activation):
    shapes, weights, inputs, slopes = make_case((2, 8, 1), 20, spread=1e4)
    ours = Tensor(weights)
    with np.errstate(all="raise", under="ignore"):
        logits = run_copies(ours, (2, 8, 1), inputs, activation)
        (logits * slopes).sum().backward()
    expected = run_plainly(weights, shapes, inputs, activation)
    np.testing.assert_allclose(logits.value, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    assert np.isfinite(ours.grad).all()


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
