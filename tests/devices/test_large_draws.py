"""Draws of large networks: the law of `draw_writes`, whatever is switched on, one chip's numbers its own."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import TIO2
from tiocross.devices.device import Device, DisturbQuantiles, StuckDevices
from tiocross.devices.large_draws import LargeDraws
from tiocross.devices.writes import apply_writes, draw_writes

LATER = np.repeat([0, 1, 5, 30, 60, 4000], 20_000).reshape(300, 400)
TARGETS = np.tile(np.linspace(TIO2.g_min, TIO2.g_max, 400), (300, 1))


def generators(n, first=0):
    return [np.random.default_rng([7, first + chip]) for chip in range(n)]


def largest_distance(one, other):
    """Of two samples' distributions, in units of the one that chance exceeds with 1e-6 (Kolmogorov and Smirnov)."""
    values = np.sort(np.concatenate([one, other]))
    share = [np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (one, other)]
    return np.abs(share[0] - share[1]).max() / (2.7 * np.sqrt(1 / len(one) + 1 / len(other)))


@pytest.mark.parametrize("effects", [("tuning",), ("disturb",), ("stuck",), ("tuning", "disturb", "stuck")])
def test_large_draws_follow_the_law_of_small_ones(effects):
    device = TIO2.only(*effects)
    found = LargeDraws(device, LATER).program(TARGETS, generators(1))[0]
    expected = apply_writes(TARGETS, draw_writes(device, LATER, 1, np.random.default_rng(3)))[0]
    for later in np.unique(LATER):
        here = LATER == later
        one, other = (values[here] / TARGETS[here] - 1 for values in (found, expected))
        assert largest_distance(np.round(one, 6), np.round(other, 6)) < 1
    assert found.dtype == np.float32


def test_programming_at_once_gives_the_bits_of_drawn_writes():
    draws = LargeDraws(TIO2, LATER)
    writes, targets = draws.draw(generators(3)), TARGETS.astype(np.float32)
    np.testing.assert_array_equal(apply_writes(targets, writes), draws.program(TARGETS, generators(3)))
    assert writes.stuck.mean() == pytest.approx(0.01, abs=0.001)


def test_a_chip_does_not_depend_on_others():
    draws = LargeDraws(TIO2, LATER)
    together, alone = draws.program(TARGETS, generators(3)), draws.program(TARGETS, generators(1, first=2))
    np.testing.assert_array_equal(together[2:], alone)


def test_switching_an_effect_off_leaves_the_draws_of_others():
    whole, tuned = (LargeDraws(device, LATER).draw(generators(1)) for device in (TIO2, TIO2.only("tuning")))
    healthy = ~whole.stuck
    np.testing.assert_array_equal(whole.linear[healthy], tuned.linear[healthy])
    assert not tuned.stuck.any() and not tuned.constant.any()


def test_stuck_at_low_and_high_resistance_as_often_as_stated():
    stuck = replace(TIO2.stuck, probability_lrs=0.2, probability_hrs=0.1)
    found = LargeDraws(replace(TIO2.ideal(), stuck=stuck), LATER).program(TARGETS, generators(1))
    deviation = 4 * np.sqrt(0.2 * 0.8 / LATER.size)
    low = np.isin(np.round(found, 12), np.round(TARGETS.astype(np.float32), 12))
    assert 1 - low.mean() == pytest.approx(0.3, abs=deviation)
    assert ((found < 1e-4) & (found >= 1e-5 - 1e-12)).mean() == pytest.approx(0.1, abs=deviation)


def test_floor_and_no_floor():
    quantiles = DisturbQuantiles(n_later_writes=[1.0], probabilities=[0.0, 1.0], changes=[[-2e-3, -1e-3]],
                                 growth_exponent=0.0, source="a test")
    device = Device(1e-4, 5e-4, disturb=quantiles)
    draws = LargeDraws(device, np.ones((2, 3), dtype=np.int64))
    targets = np.full((2, 3), 2e-4)
    assert (draws.program(targets, generators(2)) == 0).all()
    assert (draws.program(targets, generators(2), floor=False) < 0).all()


def test_all_devices_stuck():
    stuck = StuckDevices(probability_lrs=1.0, lrs_mean=5e-4, lrs_std=0.0, probability_hrs=0.0, hrs_low=1e-5, hrs_high=1e-4,
                         source="a test")
    found = LargeDraws(replace(TIO2, stuck=stuck), LATER).program(TARGETS, generators(1))
    np.testing.assert_allclose(found, 5e-4, rtol=1e-6)
