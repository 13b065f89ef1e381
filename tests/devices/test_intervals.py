"""Quantiles, intervals and tests of goodness against tables, exact sums and their nominal rates."""

import math

import numpy as np
import pytest

from tiocross import intervals

RNG = np.random.default_rng
N_SETS, MOST_MISSES = 100, 10


def test_quantiles_of_the_tables():
    # Any table of Student's and chi squared laws; the grid gives five digits.
    for level, n, value in ((0.975, 1, 12.7062), (0.975, 4, 2.77645), (0.9, 30, 1.31042), (0.975, 10_000, 1.96020)):
        assert intervals.t_quantile(level, n) == pytest.approx(value, rel=2e-5)
        assert intervals.t_quantile(1 - level, n) == pytest.approx(-value, rel=2e-5)
    for level, n, value in ((0.025, 1, 0.000982069), (0.975, 1, 5.02389), (0.95, 4, 9.48773), (0.05, 100, 77.9295)):
        assert intervals.chi_squared_quantile(level, n) == pytest.approx(value, rel=3e-5)


@pytest.mark.parametrize(("n_hits", "n_total"), [(5, 100), (1, 7), (64, 64 * 20), (0, 30), (30, 30)])
def test_share_interval_is_that_of_clopper_and_pearson(n_hits, n_total):
    low, high = intervals.clopper_pearson_interval(n_hits, n_total)

    def at_most(n, p):
        return sum(math.comb(n_total, k) * p**k * (1 - p) ** (n_total - k) for k in range(n + 1))

    assert high == 1 if n_hits == n_total else at_most(n_hits, high) == pytest.approx(0.025, rel=1e-4)
    assert low == 0 if n_hits == 0 else 1 - at_most(n_hits - 1, low) == pytest.approx(0.025, rel=1e-4)


def test_uniform_and_normal_intervals_hold_the_truth():
    misses = np.zeros(4)
    for seed in range(200):
        ends = *intervals.uniform_intervals(RNG(seed).uniform(2, 5, 6)), *intervals.normal_intervals(RNG(seed).normal(2, 5, 6))
        misses += [not low <= truth <= high for (low, high), truth in zip(ends, (2, 5, 2, 5))]
    assert (misses <= 19).all() and (misses >= 1).all()  # 10 expected, spread 3.1: three of them either way


def test_uniform_goodness_is_uniform_and_sees_another_law():
    goodness = np.array([intervals.uniform_goodness(RNG(seed).uniform(-3, 9, 12)) for seed in range(400)])
    assert abs((goodness < 0.1).mean() - 0.1) < 0.045 and abs((goodness < 0.5).mean() - 0.5) < 0.075  # three sigma
    assert intervals.uniform_goodness(np.exp(RNG(1).normal(0, 2, 60))) < 1e-4
    assert intervals.uniform_goodness(np.array([1.0, 2.0])) == 1.0


def test_equal_values_are_not_straight():
    assert intervals.straightness(np.ones((2, 12))).tolist() == [0.0, 0.0]
