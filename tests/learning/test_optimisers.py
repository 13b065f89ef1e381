"""Optimisers on a quadratic, against closed forms."""

import numpy as np
import pytest

from tiocross.learning.optimisers import Adam, Momentum, Optimiser

CURVATURES = np.array([0.5, 2.0, 7.0])
START = np.array([1.0, -3.0, 0.2])


def iterate(optimiser, n_steps, rate):
    weights = START.copy()
    steps = optimiser(weights)
    trail = [weights.copy()]
    for _ in range(n_steps):
        steps.step(CURVATURES * weights, rate)
        trail.append(weights.copy())
    return np.array(trail)


def test_momentum_follows_its_closed_form():
    # w[n + 1] = (1 + m - rate a) w[n] - m w[n - 1] has the solution A p^n + B q^n, with p and q the roots of
    # z^2 - (1 + m - rate a) z + m, w[0] the start and w[1] = (1 - rate a) w[0].
    rate, momentum = 0.05, 0.9
    middle = (1 + momentum - rate * CURVATURES) / 2
    root = np.sqrt((middle**2 - momentum).astype(complex))
    p, q = middle + root, middle - root
    b = ((1 - rate * CURVATURES) - p) / (q - p)
    n = np.arange(41)[:, None]
    expected = (START * ((1 - b) * p**n + b * q**n)).real
    # Rounding of 40 steps, of weights below 3.
    np.testing.assert_allclose(iterate(Momentum, 40, rate), expected, rtol=0, atol=1e-13)


def test_adam_steps_by_the_rate_under_a_constant_gradient():
    weights, gradient = START.copy(), np.array([1e-3, -5.0, 1e6])
    adam = Adam(weights)
    for n in range(1, 30):
        adam.step(gradient, 0.25)  # mean / (1 - 0.9^n) is the gradient, the root of the mean square its magnitude
        expected = START - 0.25 * n * gradient / (np.abs(gradient) + 1e-8)
        np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-12)  # 1 - 0.999 loses 1000 eps of a step


def test_adam_is_the_algorithm_of_its_paper():
    # Weights of present and past gradients written out: m = 0.1 sum 0.9^(n - k) g_k, v = 0.001 sum 0.999^(n - k) g_k^2.
    trail = iterate(Adam, 12, 0.1)
    gradients = CURVATURES * trail[:-1]
    for n in range(1, 13):
        ages = np.arange(n - 1, -1, -1)[:, None]
        mean = (0.1 * 0.9**ages * gradients[:n]).sum(axis=0) / (1 - 0.9**n)
        square = (0.001 * 0.999**ages * gradients[:n] ** 2).sum(axis=0) / (1 - 0.999**n)
        np.testing.assert_allclose(trail[n], trail[n - 1] - 0.1 * mean / (np.sqrt(square) + 1e-8), rtol=1e-11)


@pytest.mark.parametrize("optimiser", [Adam, Momentum])
def test_optimisers_share_their_ways(optimiser):
    assert issubclass(optimiser, Optimiser)
    weights, decayed, gradient = START.copy(), START.copy(), CURVATURES.copy()
    optimiser(weights).step(gradient + 0.3 * START, 0.1)
    optimiser(decayed, weight_decay=0.3).step(gradient, 0.1)
    np.testing.assert_allclose(decayed, weights, rtol=1e-15)
    np.testing.assert_array_equal(gradient, CURVATURES)
    assert np.abs(iterate(optimiser, 400, 0.02)[-1]).max() < 0.1 * np.abs(START).max()


def test_the_base_class_takes_no_step():
    with pytest.raises(NotImplementedError):
        Optimiser(START.copy()).step(CURVATURES, 0.1)
