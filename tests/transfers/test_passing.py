"""Passes of `transfer` and a disturb by state, on small networks and on large ones."""

import numpy as np
import pytest

from tiocross import MLP, TIO2, TIO2_8X8, TIO2_STATE, TIO2_STATE_8X8, Passes, SimulatedFab, tasks, transfer
from tiocross.transfers.chips import Chips
from tiocross.transfers.operation import Operation

SMALL = MLP(2, 3, 1, rng=np.random.default_rng(0))
LARGE = MLP(30, 40, 4, rng=np.random.default_rng(0))  # 2 808 devices: streams of their own for each chip


def chips_of(network, device, **operation):
    return Chips(network, device, operation=Operation(**operation), rng=np.random.default_rng(3))


def errors(chips, numbers):
    made = chips.programmed(numbers)
    return [np.abs(layer - target) for layer, target in zip(made.conductances, chips.targets)]


@pytest.mark.parametrize("device", [TIO2, TIO2_STATE, TIO2_STATE_8X8], ids=["table", "state", "state on 8 x 8"])
@pytest.mark.parametrize("network", [SMALL, LARGE], ids=["small", "large"])
def test_passes_bring_chips_back(network, device):
    """More passes, smaller errors; one is what there is without them; each chip is the same whichever are asked for."""
    healthy = device.without("stuck")
    first, third = (chips_of(network, healthy, passes=passes) for passes in (1, 3))
    means = [np.mean([layer.mean() for layer in errors(chips, range(6))]) for chips in (first, third)]
    most = 0.8 if device is not TIO2 else 0.95 if network is SMALL else 1.0  # the table: any later write does the same harm
    assert means[1] < most * means[0]
    without = chips_of(network, healthy)
    for one, other in zip(first.programmed(range(6)).conductances, without.programmed(range(6)).conductances):
        np.testing.assert_array_equal(one, other)
    parts = [third.programmed(part).conductances for part in (range(4), range(4, 6))]
    for one, some in zip(third.programmed(range(6)).conductances, zip(*parts)):
        np.testing.assert_array_equal(one, np.concatenate(some))


@pytest.mark.parametrize("network", [SMALL, LARGE], ids=["small", "large"])
def test_stuck_devices_stay(network):
    once, often = (chips_of(network, TIO2_STATE_8X8, passes=passes).programmed(range(8)) for passes in (1, 4))
    n_stuck = 0
    for held, one, other in zip(once.held, once.conductances, often.conductances):
        np.testing.assert_array_equal(one[held], other[held])
        n_stuck += held.sum()
    assert n_stuck > 0


def test_transfer_takes_passes_and_says_what_cannot_be():
    moons = tasks.load_moons()

    def judged(passes, device=TIO2_STATE_8X8, **options):
        return transfer(SMALL, moons.test, device=device, n_transfers=40, rng=np.random.default_rng(1), passes=passes,
                        **options)

    once, often = judged(1), judged(Passes(3))
    assert not np.array_equal(once.accuracies, often.accuracies)
    np.testing.assert_array_equal(often.accuracies, judged(3, workers=2).accuracies)
    np.testing.assert_array_equal(judged(1, TIO2_8X8).accuracies,
                                  transfer(SMALL, moons.test, device=TIO2_8X8, n_transfers=40,
                                           rng=np.random.default_rng(1)).accuracies)
    with pytest.raises(ValueError, match="passes"):
        judged(0)
    with pytest.raises(ValueError, match="a fab has its own"):
        judged(3, chips=SimulatedFab())
