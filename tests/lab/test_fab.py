"""Chips programmed by one compiled kernel: the same decisions as one pulse at a time, streams, strategies, bad input."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import PulseScheme, SimulatedCrossbar, SimulatedFab, program_array
from tiocross.devices.device import LineFailures, StuckDevices
from tiocross.lab.fab import LOW, make_chip, program_chip, resetting, run_passes
from tiocross.lab.programming import as_targets
from tiocross.lab.switching import TIO2_SWITCHING
from tiocross.units import mV, uS, us

FAULTY = replace(TIO2_SWITCHING, stuck=StuckDevices(0.05, 700 * uS, 100 * uS, 0.03, 10 * uS, 90 * uS, source="test"),
                 lines=LineFailures(0.02, 0.02, 1 * uS, 5e-3, source="test"), cycle_spread=0.9)
MODELS = (TIO2_SWITCHING, FAULTY, replace(TIO2_SWITCHING, series_resistance=150.0, compliance=1.5e-3),
          replace(TIO2_SWITCHING, stuck=None, read_noise=0.02))
SCHEMES = (PulseScheme(), PulseScheme(tolerance=0.04, confirmations=1, max_reversals=3),
           PulseScheme(set_limit=1.4, reset_limit=-1.4, pulses_at_limit=2, width=2 * us),
           PulseScheme(max_pulses=15, increment=60 * mV), PulseScheme(polarity="SET"), PulseScheme(polarity="RESET"))


def case(k):
    """A fab, targets, an order and wires, all different."""
    rng = np.random.default_rng([k, 5])
    shape = (int(rng.integers(1, 6)), int(rng.integers(1, 7)))
    targets = rng.uniform(100 * uS, 500 * uS, shape)
    targets[rng.random(shape) < 0.15] = np.nan
    if k % 11 == 0:
        targets *= 0.01  # devices that read far above are not pulsed
    fab = SimulatedFab(MODELS[k % 4], SCHEMES[k % 6], passes=1 + k % 4, biasing=("V/2", "V/3", "V/2", "floating")[k // 2 % 4])
    return fab, targets, rng.permutation(targets.size).reshape(shape), (0.0, 2.0, 25.0)[k % 3]


def test_every_decision_is_that_of_write_verify_on_a_simulated_chip():
    """400 arrays of all settings, one pulse at a time and by the kernel: equal to the last bit."""
    outcomes, n_reads = set(), 0
    for k in range(400):
        fab, targets, order, wire = case(k)
        one, other = (make_chip(fab, targets.shape, np.random.default_rng(k), wire) for _ in range(2))
        expected = program_array(one, targets, fab.scheme, order=order, max_passes=fab.passes, go_on=True)
        found = run_passes(other, *as_targets(targets, None, targets.shape), fab.scheme, np.argsort(order, axis=None),
                           fab.passes)
        np.testing.assert_array_equal(found.readings, expected.readings)
        np.testing.assert_array_equal(found.outcomes, expected.outcomes)
        np.testing.assert_array_equal(found.n_pulses, expected.n_pulses)
        np.testing.assert_array_equal(other.conductances, one.conductances)
        for name in ("n_pulses", "n_reads", "clock", "pulse_energy", "read_energy"):
            assert getattr(one, name) == getattr(other, name)
        outcomes |= set(found.outcomes.ravel().tolist())
        n_reads += one.n_reads
    assert outcomes == {"", "converged", "budget", "stuck_low", "stuck_high"} and n_reads > 20_000


def test_reset_first_is_two_runs_of_program_array():
    targets = np.random.default_rng(1).uniform(150 * uS, 450 * uS, (4, 5))
    fab = SimulatedFab(strategy="reset first", passes=2)
    one, other = (SimulatedCrossbar((4, 5), rng=np.random.default_rng(8)) for _ in range(2))
    low, down = resetting(targets, fab.scheme)
    first = program_array(one, low, down, max_passes=1, go_on=True)
    assert (first.conductances[~one.stuck] < 1.2 * LOW * targets.min()).all()
    up = program_array(one, targets, replace(fab.scheme, polarity="SET"), max_passes=2, go_on=True)
    assert {str(outcome) for outcome in up.outcomes.ravel()} <= {"converged", "budget", "stuck_low"}
    made = program_chip(fab, other, *as_targets(targets, None, targets.shape), np.arange(20))
    np.testing.assert_array_equal(made.conductances, one.conductances)
    np.testing.assert_array_equal(made.n_pulses, first.n_pulses + up.n_pulses)
    assert made.n_passes == 1 + up.n_passes and made.seconds == one.clock


def test_a_chip_is_the_same_for_any_number_of_chips_and_workers():
    targets = np.random.default_rng(1).uniform(100 * uS, 500 * uS, (3, 4))
    fab = SimulatedFab(passes=1)
    many, few, threads = (fab.program(targets, rng=np.random.default_rng(3), n_chips=n, workers=w)
                          for n, w in ((6, 1), (3, 1), (6, 3)))
    for whole, part, other in zip(many, few, threads):
        np.testing.assert_array_equal(whole[:3], part)
        np.testing.assert_array_equal(whole, other)
    assert (many.conductances[0] != many.conductances[1]).any()


@pytest.mark.slow
def test_large_arrays_are_programmed():
    """At 0.1 ohm a segment nearly all devices of a 64 x 64 array are tuned; the circuit is that of `solve` in the end."""
    targets = np.random.default_rng(1).uniform(100 * uS, 500 * uS, (40, 48))
    made = SimulatedFab(passes=1).program(targets, rng=np.random.default_rng(3), wire_resistance=0.1)
    assert (made.outcomes == "converged").mean() > 0.97


@pytest.mark.parametrize("change, error, text", [
    ({"model": "TIO2"}, TypeError, "model must be a SwitchingModel"), ({"scheme": None}, TypeError, "PulseScheme"),
    ({"passes": 0}, ValueError, "passes must be at least 1"), ({"biasing": "V/4"}, ValueError, "biasing 'V/4' is unknown"),
    ({"strategy": "all"}, ValueError, "strategy 'all' is unknown"),
    ({"strategy": "reset first", "scheme": PulseScheme(polarity="SET")}, ValueError, "needs pulses of both polarities")])
def test_settings_that_cannot_be_are_refused(change, error, text):
    with pytest.raises(error, match=text):
        SimulatedFab(**change)


def test_pulses_of_one_polarity_end_where_the_other_is_needed():
    chip = SimulatedCrossbar((1, 2), replace(TIO2_SWITCHING, stuck=None), rng=np.random.default_rng(1))
    report = program_array(chip, [[90 * uS, 480 * uS]], PulseScheme(polarity="SET"), max_passes=1)
    assert report.outcomes[0].tolist()[0] == "budget" and report.n_pulses[0, 0] == 0 and report.n_pulses[0, 1] > 0
    scheme = PulseScheme(polarity="RESET")
    assert PulseScheme.from_json(scheme.to_json()) == scheme and "polarity" not in PulseScheme().to_json()
    with pytest.raises(ValueError, match="polarity 'up' is unknown"):
        PulseScheme(polarity="up")
