"""Figures and intervals of a transfer: against direct resampling, known models, and the definition of each figure."""

import math
from dataclasses import fields
from fractions import Fraction

import numpy as np
import pytest

from tiocross.intervals import N_REPLICATES, percentile, weighted_median, wilson_interval
from tiocross.transfers.summary import Estimate, Summary, count_undecided, robust_fraction, summarise

FIGURES = ("nominal_accuracy", "mean_accuracy", "p05_accuracy", "robust_fraction_95", "robust_fraction_99", "n_undecided")
# Rates and accuracies are summed in single precision: sums of whole numbers are exact, one division rounds to 6e-8,
# and a mean of replicates adds up to some hundred weights of 6e-8 relative error each.
SINGLE = 2e-6


def draw_transfer(n_transfers, n_points, seed=0):
    """Chips of different quality on points of different difficulty: right where margin + quality + noise is positive."""
    rng = np.random.default_rng([seed, n_transfers, n_points])
    margins, qualities = rng.normal(2.5, 1.5, n_points), rng.normal(0, 0.8, (n_transfers, 1))
    correct = margins + qualities + rng.normal(0, 0.5, (n_transfers, n_points)) > 0
    return correct, margins > 0


def draw_independent(n_transfers, n_points, seed=0):
    """Chips that differ only by chance: each point has a rate, and the chips draw independently."""
    rng = np.random.default_rng([seed, n_transfers, n_points])
    rates = rng.beta(20, 1, n_points)
    return rng.random((n_transfers, n_points)) < rates, rates > 0.5


def naive_percentile(values, fraction):
    """Smallest value with at least this fraction of the values at or below it, in exact arithmetic."""
    for value in sorted(values):
        if Fraction(sum(other <= value for other in values), len(values)) >= fraction:
            return value


def naive_figures(correct, nominally_correct):
    """The six figures by their definitions, with counts as whole numbers."""
    n_transfers, n_points = correct.shape
    counts = correct.sum(axis=0)
    accuracies = correct.sum(axis=1) / n_points
    undecided = 0
    for count in counts:
        low, high = wilson_interval(int(count), n_transfers)
        undecided += low <= 0.95 <= high
    return (nominally_correct.mean(), correct.mean(), naive_percentile(accuracies, Fraction(5, 100)),
            np.mean([100 * int(count) >= 95 * n_transfers for count in counts]),
            np.mean([100 * int(count) >= 99 * n_transfers for count in counts]), undecided)


def ends_of(summary):
    return {name: (getattr(summary, name).low, getattr(summary, name).high) for name in FIGURES}


# The figures.


@pytest.mark.parametrize("shape", [(40, 70), (20, 33), (1, 9), (13, 1), (200, 150), (201, 199), (450, 630), (1037, 223)])
@pytest.mark.parametrize("draw", [draw_transfer, draw_independent])
def test_figures_are_exact(shape, draw):
    correct, nominal = draw(*shape)
    summary = summarise(correct, nominal, rng=np.random.default_rng(1))
    assert (summary.n_transfers, summary.n_points) == shape
    for name, expected in zip(FIGURES, naive_figures(correct, nominal)):
        # Shares rounded to single precision, 6e-8, and the mean of as many of them.
        assert getattr(summary, name).value == pytest.approx(expected, rel=0, abs=2e-7), name


def test_figures_do_not_depend_on_the_generator_or_the_layout_of_the_array():
    correct, nominal = draw_transfer(230, 70)
    summary = summarise(correct, nominal, rng=np.random.default_rng(1))
    for other in (summarise(correct, nominal, rng=np.random.default_rng(2)),
                  summarise(np.asfortranarray(correct), nominal, rng=np.random.default_rng(1)),
                  summarise(np.repeat(correct, 2, axis=1)[:, ::2], nominal, rng=np.random.default_rng(1))):
        for name in FIGURES:
            assert getattr(other, name).value == pytest.approx(getattr(summary, name).value, rel=0, abs=1e-6), name


def test_same_seed_same_summary_and_inputs_stay_as_they_are():
    correct, nominal = draw_transfer(230, 70)
    before = correct.copy(), nominal.copy()
    first, second = (summarise(correct, nominal, rng=np.random.default_rng(1)) for _ in range(2))
    assert first == second
    assert ends_of(first) != ends_of(summarise(correct, nominal, rng=np.random.default_rng(2)))
    np.testing.assert_array_equal(correct, before[0])
    np.testing.assert_array_equal(nominal, before[1])


def test_a_point_right_on_exactly_95_percent_is_robust():
    # 19 of 20, 190 of 200 and 1900 of 2000: 0.95 as a float must not decide.
    for n_transfers in (20, 200, 2000):
        correct = np.ones((n_transfers, 3), dtype=bool)
        correct[: n_transfers // 20, 0] = False  # exactly 95 %
        correct[: n_transfers // 20 + 1, 1] = False  # one chip less
        assert summarise(correct, correct[-1], rng=np.random.default_rng(0)).robust_fraction_95.value == pytest.approx(2 / 3)


def test_a_point_right_on_exactly_99_percent_is_robust():
    for n_transfers in (100, 700, 2000):
        correct = np.ones((n_transfers, 4), dtype=bool)
        correct[: n_transfers // 100, 0] = False
        correct[: n_transfers // 100 + 1, 1:3] = False
        assert summarise(correct, correct[-1], rng=np.random.default_rng(0)).robust_fraction_99.value == pytest.approx(1 / 2)


def test_everything_right_and_everything_wrong_have_no_width():
    for right in (True, False):
        correct = np.full((300, 50), right)
        summary = summarise(correct, correct[0], rng=np.random.default_rng(0))
        for name in FIGURES[:-1]:
            estimate = getattr(summary, name)
            assert (estimate.value, estimate.low, estimate.high) == pytest.approx((float(right),) * 3, abs=1e-6), name
        assert ends_of(summary)["n_undecided"] == (0, 0)


# Robust fraction, percentile, undecided points.


def test_robust_fraction_counts_the_edge_as_robust():
    # 0.95 once in single precision is 1.2e-8 less, and a mean of twenty numbers may be a rounding less.
    rates = np.array([0.95, 0.9499, 19 / 20, np.nextafter(0.95, 0), float(np.float32(0.95)), 0.0, 1.0, 0.96])
    assert robust_fraction(rates, 0.95) == 6 / 8
    assert robust_fraction(rates, 0.0) == 1.0
    assert robust_fraction(rates, 1.0) == 1 / 8


@pytest.mark.parametrize("n_transfers", [20, 40, 200, 1000, 2000, 10_000])
def test_robust_fraction_of_every_possible_rate_in_single_and_double_precision(n_transfers):
    counts = np.arange(n_transfers + 1)
    for level in (0.95, 0.99):
        percent = round(100 * level)
        expected = (100 * counts >= percent * n_transfers).mean()
        for kind in (np.float64, np.float32):
            assert robust_fraction((counts / n_transfers).astype(kind), level) == expected


@pytest.mark.parametrize("n_values, percent", [  # 0.07 * 100 is a rounding more than 7
    (1, 1), (1, 100), (7, 50), (19, 5), (20, 5), (21, 5), (20, 95), (21, 95), (100, 1), (100, 7), (100, 100), (2000, 5),
    (2000, 7), (2000, 95)])
def test_percentile_is_the_smallest_value_with_enough_values_at_or_below_it(n_values, percent):
    values = np.random.default_rng([n_values, percent]).integers(0, max(2, n_values // 2), n_values) / 8  # with ties
    expected = sorted(values)[-(-percent * n_values // 100) - 1]
    assert percentile(values, percent / 100) == expected
    if n_values <= 100:
        assert naive_percentile(values, Fraction(percent, 100)) == expected


def test_percentile_by_hand():
    values = np.arange(100)[::-1] / 100
    assert percentile(values, 0.05) == 0.04  # five of a hundred values are at or below 0.04
    assert percentile(values, 0.051) == 0.05
    assert percentile(np.array([3.0, 1.0, 2.0]), 1.0) == 3.0
    assert percentile(np.array([3.0, 1.0, 2.0]), 1e-6) == 1.0


def test_percentile_leaves_its_values_in_order():
    values = np.array([3.0, 1.0, 2.0])
    percentile(values, 0.5)
    np.testing.assert_array_equal(values, [3.0, 1.0, 2.0])


@pytest.mark.parametrize("n_transfers", [1, 20, 37, 200, 2000])
@pytest.mark.parametrize("level", [0.95, 0.5, 0.99])
def test_undecided_points_are_those_whose_wilson_interval_holds_the_level(n_transfers, level):
    counts = np.arange(n_transfers + 1)
    intervals = [wilson_interval(int(count), n_transfers) for count in counts]
    expected = [low <= level <= high for low, high in intervals]
    for count, undecided in zip(counts, expected):
        assert count_undecided(np.array([count / n_transfers]), n_transfers, level) == undecided, count
    assert count_undecided(counts / n_transfers, n_transfers, level) == sum(expected) > 0


def test_undecided_band_at_2000_transfers():
    # A rate is undecided within 0.95 +- 1.96 sqrt(0.95 * 0.05 / 2000) = (0.9404, 0.9596).
    assert count_undecided(np.array([0.9400, 0.9405, 0.95, 0.9595, 0.9600]), 2000) == 3


# Wilson intervals.


@pytest.mark.parametrize("n_total, low, high", [(200, 0.910, 0.973), (1000, 0.935, 0.962), (2000, 0.940, 0.959),
                                                (10_000, 0.946, 0.954)])
def test_wilson_interval_of_95_percent(n_total, low, high):
    interval = wilson_interval(round(0.95 * n_total), n_total)
    assert interval == pytest.approx((low, high), rel=0, abs=0.5e-3)  # the table has three decimals


@pytest.mark.parametrize("share, low, high", [(0.795, 0.734, 0.845), (0.185, 0.137, 0.245)])
def test_wilson_interval_of_the_published_shares_of_200_points(share, low, high):
    assert wilson_interval(round(share * 200), 200) == pytest.approx((low, high), rel=0, abs=0.5e-3)


@pytest.mark.parametrize("n_right, n_total", [(3, 10), (1, 37), (190, 200), (1, 1), (0, 5), (5, 5)])
def test_wilson_ends_are_where_the_score_test_is_at_its_limit(n_right, n_total):
    z = 1.959963984540054
    for end in wilson_interval(n_right, n_total):
        # |share - p| = z sqrt(p (1 - p) / n), squared so that p may lie a rounding outside [0, 1].
        difference = (n_right / n_total - end) ** 2 - z * z * end * (1 - end) / n_total
        assert abs(difference) < 1e-14


def test_wilson_intervals_are_mirror_images():
    for n_right, n_total in ((0, 7), (2, 7), (30, 200)):
        low, high = wilson_interval(n_right, n_total)
        assert wilson_interval(n_total - n_right, n_total) == pytest.approx((1 - high, 1 - low), rel=0, abs=1e-15)


def test_wilson_intervals_hold_the_share_and_lie_within_zero_and_one():
    outside = []
    for n_total in (1, 2, 3, 10, 14, 16, 40, 46, 200, 2000):
        for n_right in range(0, n_total + 1, max(1, n_total // 50)):
            low, high = wilson_interval(n_right, n_total)
            rounding = 4 * np.finfo(float).eps
            assert low - rounding <= n_right / n_total <= high + rounding
            if not 0 <= low <= high <= 1:  # a share beyond 1 is none, not even by a rounding
                outside.append((n_right, n_total, low, high))
    assert outside == []


# Intervals against direct resampling.


def resample_one_by_one(correct, nominal, rng):
    """The intervals of `summarise` with every replicate written out: its chips, its points, its six figures.

    Draws like `summarise` when there are at most 200 chips and points: an order of the points, the chips of every
    replicate, the points of every replicate.
    """
    n_transfers, n_points = correct.shape
    order = rng.permutation(n_points)
    chips = rng.integers(0, n_transfers, (N_REPLICATES, n_transfers))
    points = order[rng.integers(0, n_points, (N_REPLICATES, n_points))]
    replicates = [naive_figures(correct[np.ix_(c, p)], nominal[p]) for c, p in zip(chips, points)]
    values = naive_figures(correct, nominal)
    tops = dict.fromkeys(FIGURES, 1.0) | {"n_undecided": n_points}
    return {name: ends_less_bias(column, value, tops[name]) for name, column, value in zip(FIGURES, zip(*replicates), values)}


def ends_less_bias(replicates, value, top):
    """Percentiles moved by the bias of the replicates, within [0, top], and out to the value if it lies beyond them."""
    low, high = (np.percentile(replicates, percent) - (np.mean(replicates) - value) for percent in (2.5, 97.5))
    return min(max(low, 0.0), value), max(min(high, top), value)


@pytest.mark.parametrize("shape", [(40, 70), (61, 23), (20, 50), (3, 11)])
@pytest.mark.parametrize("draw", [draw_transfer, draw_independent])
def test_intervals_equal_those_of_replicates_written_out(shape, draw):
    correct, nominal = draw(*shape)
    ends = ends_of(summarise(correct, nominal, rng=np.random.default_rng(5)))
    expected = resample_one_by_one(correct, nominal, np.random.default_rng(5))
    for name in FIGURES:
        slack = SINGLE * (shape[1] if name == "n_undecided" else 1)
        assert ends[name] == pytest.approx(expected[name], rel=0, abs=slack), name


def resample_by_counts(correct, nominal, n_replicates, rng):
    """(n_replicates,) values of each figure, drawn from single chips and points by how often each is drawn."""
    n_transfers, n_points = correct.shape
    chips = rng.multinomial(n_transfers, np.full(n_transfers, 1 / n_transfers), n_replicates)
    points = rng.multinomial(n_points, np.full(n_points, 1 / n_points), n_replicates) / n_points
    rates = chips @ correct.astype(float) / n_transfers
    accuracies = points @ correct.T.astype(float)
    band = 1.959963984540054 * math.sqrt(0.95 * 0.05 / n_transfers)
    p05 = [np.sort(np.repeat(row, count))[-(-n_transfers // 20) - 1] for row, count in zip(accuracies, chips)]
    return {
        "nominal_accuracy": points @ nominal,
        "mean_accuracy": (points * rates).sum(axis=1),
        "p05_accuracy": np.array(p05),
        "robust_fraction_95": (points * (rates > 0.95 - 1e-9)).sum(axis=1),
        "robust_fraction_99": (points * (rates > 0.99 - 1e-9)).sum(axis=1),
        "n_undecided": n_points * (points * (np.abs(rates - 0.95) <= band)).sum(axis=1),
    }


def test_groups_give_the_spread_of_single_chips_and_points():
    # 450 chips and 630 points make 200 groups each, of unequal sizes. Error of the comparison, as a share of a width:
    # 6 % from the ends of 300 replicates, 2 % from those of 2000, and sqrt(2 / 200) / 2 = 5 % for the chips and as much
    # for the points from dealing them into 200 groups: 9 % together; 3 of these, for a dozen comparisons.
    correct, nominal = draw_transfer(450, 630)
    ends = ends_of(summarise(correct, nominal, rng=np.random.default_rng(5)))
    replicates = resample_by_counts(correct, nominal, 2000, np.random.default_rng(6))
    for name in FIGURES:
        low, high = np.percentile(replicates[name], [2.5, 97.5])
        assert (ends[name][1] - ends[name][0]) / (high - low) == pytest.approx(1.0, abs=0.27), name
        # The middle: each end is known to 0.16 of a standard deviation, 0.04 of a width; 5 of these on top of ties.
        value = getattr(summarise(correct, nominal, rng=np.random.default_rng(5)), name).value
        middle = (low + high) / 2 - (replicates[name].mean() - value)
        assert np.mean(ends[name]) == pytest.approx(middle, rel=0, abs=0.2 * (high - low)), name


# What the intervals hold.


def outside_their_intervals(summary):
    estimates = {name: getattr(summary, name) for name in FIGURES}
    return [f"{name} {estimate}" for name, estimate in estimates.items()
            if not estimate.low - SINGLE <= estimate.value <= estimate.high + SINGLE]


@pytest.mark.parametrize("shape", [(40, 70), (60, 83), (300, 100), (450, 630)])
def test_intervals_hold_their_values(shape):
    for seed in range(8):
        correct, nominal = draw_transfer(*shape, seed=seed)
        summary = summarise(correct, nominal, rng=np.random.default_rng(seed))
        assert outside_their_intervals(summary) == []


def test_intervals_hold_their_values_where_chips_differ_only_by_chance():
    # No chip is better than another here, so a resample of the points widens the spread of the accuracies over chips.
    outside = []
    for seed in range(8):
        correct, nominal = draw_independent(450, 630, seed=seed)
        summary = summarise(correct, nominal, rng=np.random.default_rng(seed))
        outside += outside_their_intervals(summary)
    assert outside == []


def test_intervals_hold_their_values_where_every_point_is_on_the_edge():
    # Each of 40 points is wrong on exactly one of 20 chips: all of them are robust at 95 %, none at 99 %.
    correct = np.ones((20, 40), dtype=bool)
    correct[np.arange(40) % 20, np.arange(40)] = False
    summary = summarise(correct, correct[0], rng=np.random.default_rng(0))
    assert (summary.robust_fraction_95.value, summary.robust_fraction_99.value) == (1.0, 0.0)
    assert outside_their_intervals(summary) == []


MODELS = {  # chance that each chip is right at each point; its mean over chips and points is 0.75
    "points differ": lambda rng, n_transfers, n_points: rng.uniform(0.5, 1.0, (1, n_points)),
    "chips differ": lambda rng, n_transfers, n_points: rng.uniform(0.5, 1.0, (n_transfers, 1)),
    "both differ": lambda rng, n_transfers, n_points:
        rng.uniform(0.6, 0.9, (1, n_points)) + rng.uniform(-0.1, 0.1, (n_transfers, 1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_interval_of_the_mean_accuracy_covers_the_truth(model):
    # The number of 120 repetitions whose interval holds the truth follows the binomial law. With the promised 95 %,
    # 103 or fewer have a chance of 1e-4. Intervals that neglect the points in the first model, or the chips in the
    # second, hold it in about half of the repetitions.
    n_repetitions, n_right, widths, values = 120, 0, [], []
    for repetition in range(n_repetitions):
        rng = np.random.default_rng([repetition, 50, 80])
        correct = rng.random((50, 80)) < MODELS[model](rng, 50, 80)
        estimate = summarise(correct, correct[0], rng=rng).mean_accuracy
        n_right += estimate.low <= 0.75 <= estimate.high
        widths.append(estimate.high - estimate.low)
        values.append(estimate.value)
    assert n_right >= 104
    # Nor are they much too wide. The spread of the values is known to 1 / sqrt(240) = 6.5 %; resampling both chips and
    # points counts the chance of single answers up to three times, here at most a quarter of the variance of the mean.
    ratio = np.mean(widths) / (2 * 1.96 * np.std(values))
    assert 0.8 < ratio < 1.4


def test_interval_of_the_nominal_accuracy_is_that_of_a_share():
    # Only the points are resampled: 1.96 sqrt(p (1 - p) / n) on either side; 300 replicates know each end to 0.16 of a
    # standard deviation, 0.08 of this, and the share comes in steps of 1 / 400.
    nominal = np.arange(400) % 10 != 0
    correct = np.broadcast_to(nominal, (30, 400)).copy()
    estimate = summarise(correct, nominal, rng=np.random.default_rng(0)).nominal_accuracy
    half = 1.96 * math.sqrt(0.9 * 0.1 / 400)
    assert estimate.value == pytest.approx(0.9)
    # 200 groups of two points know the variance to sqrt(2 / 200) = 10 %, the width to 5 %.
    assert estimate.low == pytest.approx(0.9 - half, rel=0, abs=4 * 0.1 * half)
    assert estimate.high == pytest.approx(0.9 + half, rel=0, abs=4 * 0.1 * half)


def test_interval_of_the_5th_percentile_is_that_of_an_order_statistic():
    # 2000 chips with accuracies uniform in [0.5, 1], many points: the 5th percentile has the standard deviation
    # sqrt(0.05 * 0.95 / 2000) / density, 0.0024. The bootstrap estimates the density from some 40 chips: 16 %, with 6 %
    # from 300 replicates and 5 % from 200 groups 18 %; 3 of these. One chip of each group alone would give 3.2 times it.
    rng = np.random.default_rng(0)
    correct = rng.random((2000, 1500)) < rng.uniform(0.5, 1.0, (2000, 1))
    estimate = summarise(correct, correct[0], rng=rng).p05_accuracy
    expected = 2 * 1.96 * math.sqrt(0.05 * 0.95 / 2000) * 0.5
    assert (estimate.high - estimate.low) / expected == pytest.approx(1.0, abs=0.54)
    assert estimate.low <= estimate.value <= estimate.high


def test_more_chips_and_points_narrow_the_intervals():
    widths = []
    for shape in ((30, 40), (120, 160), (480, 640)):
        correct, nominal = draw_transfer(*shape)
        low, high = ends_of(summarise(correct, nominal, rng=np.random.default_rng(0)))["mean_accuracy"]
        widths.append(high - low)
    # Four times the chips and the points halve a width, give or take the error of a width and of the spread itself.
    assert widths[0] > 1.3 * widths[1] > 1.3**2 * widths[2]


# Texts.


def test_an_estimate_prints_with_its_interval():
    assert str(Estimate(0.95, 0.9104, 0.97349)) == "0.950 [0.910, 0.973]"


def test_a_summary_prints_every_figure_and_the_size_of_the_simulation():
    nominal, mean, tail, robust, strict = estimates = [Estimate(k / 10, k / 10 - 0.05, k / 10 + 0.05) for k in range(1, 6)]
    text = str(Summary(*estimates, Estimate(12.0, 7.0, 20.4), n_transfers=2000, n_points=4000))
    lines = text.splitlines()
    assert lines[0] == "4000 points on 2000 simulated chips; 95 % intervals in brackets"
    assert [line.split()[-3:] for line in lines[1:5]] == [str(shown).split() for shown in (nominal, robust, mean, tail)]
    assert lines[5].split()[-6:] == "0.50 [0.45, 0.55] (rests on 20 chips)".split()[-6:]
    assert lines[6].endswith("12 [7, 20]")
    assert [field.name for field in fields(Summary)][:6] == list(FIGURES)


def test_weighted_median_by_hand():
    values, weights = np.array([3.0, -1.0, 40.0, 2.0]), np.array([2.0, 1.0, 1.5, 1.0])
    assert weighted_median(values, weights) == 3.0  # of 5.5 in all, -1 and 2 have 2, with 3 it is 4
    assert weighted_median(values, np.ones(4)) == 2.0 and weighted_median(values[:1], weights[:1]) == 3.0
