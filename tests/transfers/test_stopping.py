"""Chips until the robust share is known: looks, the interval, and what stopping does to it on populations that are known."""

from statistics import NormalDist

import numpy as np
import pytest

from tiocross import Dataset, transfer, TIO2
from tiocross.intervals import NORMAL_975
from tiocross.transfers.stopping import looks_at, robust_interval, robust_share_so_far
from tiocross.transfers.tallies import Tally


def population(n_points=300):
    """Rates of points, many near 1 and a tail, and the share of those that are robust."""
    rates = np.clip(1 - 0.25 * np.random.default_rng(5).beta(0.6, 3.0, n_points), 0.5, 0.9999)
    return rates, (rates >= 0.95).mean()


def draw_independent(rates, n_groups, n_per_group, rng):
    """How often points are right on each group of chips, if points have nothing in common."""
    return rng.binomial(n_per_group, rates, (n_groups, len(rates)))


def draw_together(rates, n_groups, n_per_group, rng):
    """The same if a chip that is wrong at a point is wrong at all that are harder."""
    quality = np.sort(rng.random((n_groups, n_per_group)), axis=1)
    return np.stack([np.searchsorted(row, rates) for row in quality])


def draw_mixed(rates, n_groups, n_per_group, rng):
    """The same if half of the points go together and the others are on their own."""
    half = len(rates) // 2
    order = np.argsort(np.random.default_rng(8).random(len(rates)))
    found = np.empty((n_groups, len(rates)), dtype=np.int64)
    found[:, order[:half]] = draw_together(rates[order[:half]], n_groups, n_per_group, rng)
    found[:, order[half:]] = draw_independent(rates[order[half:]], n_groups, n_per_group, rng)
    return found


def run_until(until, draw, seed, n_all=8_000):
    """Interval where a run of the rule ends, and with how many chips."""
    rng, rates = np.random.default_rng(seed), population()[0]
    looks, counts = looks_at(range(n_all), until), np.zeros((200, 300))
    for part in looks:
        counts = counts + draw(rates, 200, len(part) // 200, rng)
        known = robust_interval(counts, part.stop, len(looks), rng)
        if known.half_width <= until:
            break
    return known, part.stop


def in_the_long_run(*draws):
    """Each with as many runs as a statement about it takes; the quick tests have the first few of one."""
    return [pytest.param(draw, 120, marks=pytest.mark.slow) for draw in draws]


@pytest.mark.parametrize(("draw", "n_runs"), [(draw_mixed, 14), *in_the_long_run(draw_independent, draw_together, draw_mixed)])
def test_the_interval_where_a_run_ends_holds_the_truth(draw, n_runs):
    truth = population()[1]
    ends = [run_until(0.02, draw, [seed, 3]) for seed in range(n_runs)]
    covered = np.mean([known.low <= truth <= known.high for known, _ in ends])
    assert covered >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / n_runs)  # two standard errors of what a run of this length can tell
    n_chips = np.array([n_chips for _, n_chips in ends])
    assert n_chips.min() < 8_000 or draw is draw_together or n_runs < 120  # else nothing was stopped
    assert all(known.half_width <= 0.02 for known, n_chips in ends if n_chips < 8_000)


@pytest.mark.parametrize(("draw", "n_runs"), [(draw_independent, 14), *in_the_long_run(draw_independent, draw_mixed)])
def test_stopping_adds_no_bias(draw, n_runs):
    """The figure at the end of a run, less that of fresh chips of the same number, which nobody stopped."""
    rates = population()[0]
    differences = []
    for seed in range(n_runs):
        known, n_chips = run_until(0.02, draw, [seed, 4])
        fresh = draw(rates, 200, n_chips // 200, np.random.default_rng([seed, 5])).sum(axis=0) / n_chips
        differences.append(known.value - (fresh >= 0.95).mean())
    spread = np.std(differences) / np.sqrt(n_runs)
    assert abs(np.mean(differences)) < 0.001 + 2.5 * spread  # a twentieth of the half width, and chance
    assert spread < 0.002 or n_runs < 120


def test_looks_are_stated_beforehand():
    assert looks_at(range(20_000), 0.01) == [range(0, 1_000), range(1_000, 2_000), range(2_000, 4_000), range(4_000, 8_000),
                                             range(8_000, 16_000), range(16_000, 20_000)]
    assert looks_at(range(500, 1_500), 0.01) == [range(500, 1_500)] == looks_at(range(500, 1_500), None)


def test_one_look_at_points_that_go_together_has_the_width_of_a_binomial_law():
    """Points that are right and wrong together, at 0.95 exactly, and as many that are always right: the share is 1 or 1/2.
    With a threshold x standard errors away a share Phi(-|x|) of the resamples differs, by 1/2; r is a mean over x."""
    counts = np.full((200, 8), 100)
    counts[:, :4] = np.random.default_rng(1).binomial(100, 0.95, 200)[:, None]
    counts[0, :4] += 19_000 - counts[:, 0].sum()
    known = robust_interval(counts, 20_000, 1, np.random.default_rng(0))
    differing = np.mean([NormalDist().cdf(-abs(x)) for x in np.linspace(-2, 2, 9)])
    assert known.value == 1.0 == known.high
    assert 1 - known.low == pytest.approx(NORMAL_975 * np.sqrt(differing) / 2, rel=0.15)
    sure = robust_interval(np.full((200, 7), 100), 20_000, 4, np.random.default_rng(0))
    assert (sure.low, sure.value, sure.high) == (1.0, 1.0, 1.0)


def test_chips_of_any_first_number_are_dealt_out_alike():
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 6, (200, 50)).astype(np.uint32)
    for first in (0, 130):
        rolled = Tally(9, first, np.roll(counts, first, axis=0), np.zeros((1_000, 50), dtype=np.uint8), np.zeros((2, 2)))
        assert robust_share_so_far(rolled, 3) == robust_interval(counts, 1_000, 3, np.random.default_rng([9, 1_000]))


def test_transfer_ends_when_known_and_says_so(network, moons):
    points = Dataset(moons.test.points[:200], moons.test.labels[:200])
    all_of_them = transfer(network, points, device=TIO2, n_transfers=4_000, rng=np.random.default_rng(1))
    early = transfer(network, points, device=TIO2, n_transfers=4_000, until=0.2, rng=np.random.default_rng(1))
    assert early.n_transfers == 1_000 and all_of_them.n_transfers == 4_000
    assert np.array_equal(early.accuracies, all_of_them.accuracies[:1_000])
    assert early.summary().notes[-1].startswith("ended after 1000 of 4000 chips: right on >= 95 % of chips are 0.")
    whole = transfer(network, points, device=TIO2, n_transfers=4_000, until=1e-6, rng=np.random.default_rng(1))
    assert whole.summary().mean_accuracy == all_of_them.summary().mean_accuracy
    assert whole.notes[-1].startswith("all 4000 chips were needed") and "95 % over 3 looks" in whole.notes[-1]


@pytest.mark.parametrize("until, text", [(0.0, "until must be above zero"), (-1, "until must be finite and within"), (0.7, "until must be finite and within"),
                                         (np.nan, "until must be")])
def test_bad_widths_are_refused(network, moons, until, text):
    with pytest.raises(ValueError, match=text):
        transfer(network, moons.test, device=TIO2, until=until, rng=np.random.default_rng(1))
