"""Characterising a chip: exact accounts on a fake one, and the write disturb of simulated chips beside the measured."""

import math

import numpy as np
import pytest
from lab_cases import FakeChip, PlainChip, random_chip

from tiocross import TIO2, PulseScheme, SimulatedCrossbar
from tiocross.lab.characterisation import characterise
from tiocross.lab.report import InstrumentError
from tiocross.units import uS

SCHEME = PulseScheme()
MEASURED = {1: 1259, 4: 994, 16: 429}  # later writes: number of measured samples, Drolet et al., arXiv:2305.18495


class Walking(FakeChip):
    """A device that was tuned gains 3 uS for each device of another place that is pulsed after it, and nothing else."""

    last = None

    def pulse(self, row, column, amplitude, width):
        if self.last is not None and self.last != (row, column):
            self.written = getattr(self, "written", set()) | {self.last}
            for place in self.written - {(row, column)}:
                self.conductances[place] += 3 * uS
        self.last = row, column
        super().pulse(row, column, amplitude, width)


def walking_chip(shape, seed, **options):
    """Every device starts below its target, so that every one is pulsed."""
    chip, targets = random_chip(shape, seed=seed, kind=Walking, **options)
    chip.conductances[:] = 90 * uS
    return chip, targets


@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (1, 4)])
def test_changes_are_those_after_each_number_of_later_writes(shape):
    chip, targets = walking_chip(shape, 1)
    found = characterise(chip, targets, SCHEME)
    n = chip.conductances.size
    assert (found.report.outcomes == "converged").all() and found.report.n_passes == 1 and (found.report.n_pulses > 0).all()
    # After device t was tuned, each of the t before it is read: it has t - turn later writes, the nearest fewest.
    assert found.n_later_writes.tolist() == [t - turn for t in range(n) for turn in range(t)]
    np.testing.assert_allclose(found.changes, 3 * uS * found.n_later_writes, rtol=1e-9)
    np.testing.assert_array_equal(found.targets, targets.ravel())
    assert (np.abs(found.programmed / found.targets - 1) <= SCHEME.tolerance).all()
    assert np.isnan(found.stuck).all() and found.stuck.shape == shape


def test_order_says_what_is_later():
    chip, targets = walking_chip((2, 3), 2)
    order = np.array([[5, 3, 1], [4, 2, 0]])
    events = []
    found = characterise(chip, targets, SCHEME, order=order, on_event=events.append)
    places = [(e.row, e.column) for e in events if e.kind == "done"]
    assert places == [(1, 2), (0, 2), (1, 1), (0, 1), (1, 0), (0, 0)]
    np.testing.assert_array_equal(found.targets, [targets[place] for place in places])
    assert sum(e.kind == "readback" for e in events) == 6  # readings between devices are no events


def test_stuck_devices_are_mapped_and_tell_nothing_of_tuning_and_disturb():
    chip, targets = walking_chip((3, 4), 3, stuck=[(0, 1), (2, 3)])
    chip.conductances[0, 1], chip.conductances[2, 3] = 20 * uS, 900 * uS
    targets[1, 0] = np.nan
    found = characterise(chip, targets, SCHEME)
    outcomes = found.report.outcomes
    assert (outcomes[0, 1], outcomes[2, 3], outcomes[1, 0]) == ("stuck_low", "stuck_high", "")
    assert np.argwhere(~np.isnan(found.stuck)).tolist() == [[0, 1], [2, 3]]
    assert found.stuck[2, 3] >= 900 * uS and found.stuck[0, 1] < 100 * uS
    assert len(found.targets) == 9  # of twelve, two are stuck and one has no target
    # The stuck device counts as a later write of the one before it; of itself no change is told.
    turns = [turn for turn in range(11) if turn not in (1, 10)]
    assert found.n_later_writes.tolist() == [t - turn for t in range(11) for turn in turns if turn < t]


def test_failed_readings_are_no_changes():
    class Blinking(FakeChip):
        def read_array(self):
            readings = self.conductances.copy()
            readings[0] = math.nan, 9.91e37 / 0.2, -1e-6, math.inf  # an SCPI instrument's "not a number" among them
            return readings

    chip, targets = random_chip((2, 4), seed=4, kind=Blinking)
    found = characterise(chip, targets, SCHEME)
    assert found.n_later_writes.tolist() == [1, 2, 1, 3, 2, 1]  # of the second row only
    np.testing.assert_array_equal(found.changes, 0)


@pytest.mark.parametrize("kind, ends", [(FakeChip, (1, 0)), (PlainChip, (0, 1))])
def test_an_instrument_that_fails_between_devices_is_left_safe_and_says_where(kind, ends):
    class Failing(kind):
        def read_array(self):
            if self.conductances[0, 2] != start:
                raise TimeoutError("no answer")
            return self.conductances

    chip, targets = random_chip((2, 4), seed=4, kind=Failing)
    start = chip.conductances[0, 2]
    with pytest.raises(InstrumentError, match="reading after row 0, column 2 failed: TimeoutError: no answer") as caught:
        characterise(chip, targets, SCHEME)
    assert (chip.safe, chip.closed) == ends
    assert (caught.value.report.outcomes != "").sum() == 3 and not caught.value.report.complete


def test_stopped_early_it_tells_what_there_is():
    chip, targets = walking_chip((2, 4), 5)
    found = characterise(chip, targets, SCHEME, should_stop=lambda: len(chip.pulses) >= 150)
    n_tuned = (found.report.outcomes == "converged").sum()
    assert 0 < n_tuned < 8 and len(found.targets) == n_tuned and not found.report.complete
    none = characterise(chip, targets, SCHEME, should_stop=lambda: True)
    assert [len(part) for part in (none.targets, none.n_later_writes, none.changes)] == [0, 0, 0]


@pytest.mark.slow
def test_simulated_chips_are_disturbed_like_measured_ones():
    """Mean and standard deviation after k later writes, of the changes within 40 uS, as the measured ones are cut.

    Changes of one chip are not independent, chips are: the standard error of a figure is that of its mean over 8 chips.
    To it comes the measured one, of n samples: std / sqrt(n) of the mean and, with the kurtosis of 12 at most,
    std sqrt(11 / 4 n) of the standard deviation. Allowed are four, which Student's law with 7 degrees of freedom passes
    once in 200 times. A chip without half-select or without drift fails here.
    """
    chips = []
    for number in range(8):
        rng = np.random.default_rng([11, number])
        chip = SimulatedCrossbar((8, 8), rng=rng)
        chips.append(characterise(chip, rng.uniform(TIO2.g_min, TIO2.g_max, (8, 8)), SCHEME))
        assert (chips[-1].report.outcomes == "converged").sum() >= 58  # one in a hundred is stuck
        assert (np.abs(chips[-1].programmed / chips[-1].targets - 1) <= SCHEME.tolerance).all()
    for k, n_measured in MEASURED.items():
        kept = [chip.changes[(chip.n_later_writes == k) & (np.abs(chip.changes) <= 40 * uS)] for chip in chips]
        mean, std = law_of_the_table(k)
        for measured, figure, factor in ((mean, np.mean, 1.0), (std, np.std, 2.75)):
            simulated = np.array([figure(some) for some in kept])
            error = math.hypot(std * math.sqrt(factor / n_measured), simulated.std(ddof=1) / math.sqrt(8))
            assert abs(simulated.mean() - measured) < 4 * error, (k, measured / uS, simulated.mean() / uS)


def law_of_the_table(k):
    """Mean and standard deviation of the law that is linear between the measured quantiles [S]."""
    table = TIO2.disturb.changes[np.flatnonzero(TIO2.disturb.n_later_writes == k)[0]]
    widths, low, high = np.diff(TIO2.disturb.probabilities), table[:-1], table[1:]
    mean = (widths * (low + high) / 2).sum()
    return mean, math.sqrt((widths * (low**2 + low * high + high**2) / 3).sum() - mean**2)
