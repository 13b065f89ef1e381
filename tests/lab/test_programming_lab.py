"""Drivers on fake chips: one device, an array in passes, and an instrument that fails in every way."""

import math
import time

import numpy as np
import pytest
from lab_cases import FakeChip, PlainChip, load_script, random_chip

from tiocross.lab.instrument import CrossbarInstrument, read_whole, require_instrument
from tiocross.lab.log import EventLog, read_events
from tiocross.lab.programming import program_array, tune_device
from tiocross.lab.report import InstrumentError
from tiocross.lab.write_verify import PulseScheme
from tiocross.units import uS

SCHEME = PulseScheme()


def kinds(events, kind):
    return [event for event in events if event.kind == kind]


def untimed(events):
    """What happened, whenever; an end that was only a stop left out."""
    return [event._replace(time=math.nan) for event in events if event.outcome != "aborted"]


def reports_equal(one, other):
    return (one.outcomes == other.outcomes).all() and np.array_equal(one.conductances, other.conductances, equal_nan=True)


# --- one device ---

@pytest.mark.parametrize("start, sign", [(120 * uS, 1), (450 * uS, -1)])
def test_device_converges_and_every_pulse_is_told_as_applied(start, sign):
    chip, events = FakeChip(np.full((2, 3), start)), []
    done = tune_device(chip, 1, 2, g_target=250 * uS, scheme=SCHEME, on_event=events.append)
    assert done.outcome == "converged" and abs(done.conductance / (250 * uS) - 1) <= 0.01
    assert done.conductance == chip.conductances[1, 2]
    assert [(e.row, e.column, e.amplitude, e.width) for e in kinds(events, "pulse")] == chip.pulses
    assert done.n_pulses == len(chip.pulses) > 3 and all(sign * pulse[2] > 0 for pulse in chip.pulses)
    assert events[-1].kind == "done" and events[-1].outcome == "converged" and chip.safe == 1
    assert (chip.conductances.ravel()[:5] == start).all()


def test_device_already_there_costs_readings_only():
    chip = FakeChip(np.full((2, 3), 250 * uS))
    assert tune_device(chip, 0, 1, g_target=250.5 * uS, scheme=SCHEME).n_pulses == 0
    assert chip.pulses == [] and chip.n_calls == SCHEME.confirmations


@pytest.mark.parametrize("kind, ends", [(FakeChip, (1, 0)), (PlainChip, (0, 1))])
def test_should_stop_is_asked_before_every_pulse(kind, ends):
    chip, asked = kind(np.full((2, 3), 100 * uS)), []

    def should_stop():
        asked.append(len(chip.pulses))
        return len(asked) == 5

    done = tune_device(chip, 0, 0, g_target=400 * uS, scheme=SCHEME, should_stop=should_stop)
    assert asked == [0, 1, 2, 3, 4] and done.outcome == "aborted" and done.n_pulses == len(chip.pulses) == 4
    assert (chip.safe, chip.closed) == ends


def test_failing_device_carries_what_was_done():
    chip = FakeChip(np.full((2, 3), 100 * uS), fails_at=5)  # reads 0, 2, 4; pulses 1, 3, 5
    text = r"pulsing row 0, column 2 in pass 0, pulse 3, the last of \+1.14 V and 1.04e-06 s: TimeoutError: no answer"
    with pytest.raises(InstrumentError, match=text) as caught:
        tune_device(chip, 0, 2, g_target=400 * uS, scheme=SCHEME)
    assert isinstance(caught.value.__cause__, TimeoutError) and caught.value.report.n_pulses == 3 and chip.safe == 1


def test_device_outside_the_array_is_refused():
    chip = FakeChip(np.full((2, 3), 100 * uS))
    for place in ((2, 0), (0, 3), (-1, 0)):
        with pytest.raises(ValueError, match="outside the array of 2 x 3|at least 0"):
            tune_device(chip, *place, g_target=400 * uS, scheme=SCHEME)
    with pytest.raises(ValueError, match="multiply by tiocross.units.uS"):
        tune_device(chip, 0, 0, g_target=400, scheme=SCHEME)
    assert chip.n_calls == 0


# --- an array ---

def test_array_is_programmed_row_by_row_and_read_back():
    chip, targets = random_chip((3, 4), disturb=0)
    events = []
    report = program_array(chip, targets, SCHEME, on_event=events.append)
    assert (report.outcomes == "converged").all() and report.complete and report.within.all() and chip.safe == 1
    assert report.readings.shape == (1, 3, 4) and report.best_pass == 0
    np.testing.assert_array_equal(report.conductances, chip.conductances)
    assert np.abs(report.errors).max() <= 0.01
    assert [divmod(i, 4) for i in range(12)] == [(e.row, e.column) for e in kinds(events, "done")]
    assert [e.turn for e in kinds(events, "done")] == list(range(12)) and len(kinds(events, "readback")) == 12
    assert report.n_pulses.sum() == len(chip.pulses)
    for row, column in np.ndindex(3, 4):
        assert report.n_pulses[row, column] == sum(p[:2] == (row, column) for p in chip.pulses)


def test_order_and_mask_say_who_and_when():
    chip, targets = random_chip((2, 3), seed=2)
    order, events = np.array([[5, 3, 1], [4, 2, 0]]), []
    targets[0, 1] = np.nan
    report = program_array(chip, targets, SCHEME, order=order, on_event=events.append)
    assert [(e.row, e.column) for e in kinds(events, "done")] == [(1, 2), (0, 2), (1, 1), (1, 0), (0, 0)]
    assert [e.turn for e in kinds(events, "done")] == list(range(5))
    assert report.outcomes[0, 1] == "" and report.n_pulses[0, 1] == 0 and np.isnan(report.errors[0, 1])
    assert np.isfinite(report.conductances[0, 1]) and not report.mask[0, 1]
    assert "5 devices of a 2 x 3 array" in report.summary()
    again = program_array(random_chip((2, 3), seed=2)[0], random_chip((2, 3), seed=2)[1], SCHEME, order=order,
                          mask=~np.isnan(targets))
    assert reports_equal(report, again)


def test_disturbed_devices_are_tuned_again_in_the_same_order():
    chip, targets = random_chip((2, 5), seed=1, disturb=0.0005)
    events = []
    report = program_array(chip, targets, SCHEME, max_passes=4, on_event=events.append)
    outside = np.abs(report.readings[0] / targets - 1) > 0.01
    assert 0 < outside.sum() < 10
    second = [(e.row, e.column) for e in kinds(events, "done") if e.n_pass == 1]
    assert second == [tuple(place) for place in np.argwhere(outside).tolist()]
    assert report.rms_errors[-1] < report.rms_errors[0] and report.within.all() and report.n_passes < 4


def test_passes_end_at_their_number():
    chip, targets = random_chip((2, 5), seed=1, disturb=0.005)
    report = program_array(chip, targets, SCHEME, max_passes=2)
    assert report.n_passes == 2 and report.complete and not report.within.all()


class Worsening(FakeChip):
    """Each whole-array reading finds all devices further from where they were left."""

    drift = 1.0

    def read_array(self):
        self.drift *= 1.03
        return self.conductances * self.drift


def test_best_pass_is_kept_and_told_and_patience_ends_the_run():
    chip, targets = random_chip((2, 3), seed=4, kind=Worsening)
    report = program_array(chip, targets, SCHEME, max_passes=10)
    assert report.n_passes == 3 and report.best_pass == 0  # two passes in a row that brought nothing
    assert (np.diff(report.rms_errors) > 0).all() and not np.array_equal(report.readings[0], report.conductances)
    text = report.summary()
    assert "best was pass 0" in text and "the chip is NOT in that state any more" in text and "0 of 6 within 1 %" in text


def test_stuck_devices_are_tried_once_and_do_not_count_for_the_best_pass():
    chip, targets = random_chip((2, 4), seed=5, stuck=[(0, 1), (1, 3)], disturb=0.0007)
    chip.conductances[0, 1], chip.conductances[1, 3], events = 20 * uS, 900 * uS, []
    report = program_array(chip, targets, SCHEME, on_event=events.append)
    assert report.n_passes > 1
    assert report.outcomes[1, 3] == "stuck_high" and report.stuck.sum() == 2
    assert report.n_pulses[1, 3] == len(SCHEME.reset_pulses) - 1 + SCHEME.pulses_at_limit
    assert [e.n_pass for e in kinds(events, "done") if (e.row, e.column) in chip.stuck] == [0, 0]
    good = ~report.stuck
    expected = np.sqrt(np.mean((report.readings[:, good] / targets[good] - 1) ** 2, axis=1))
    np.testing.assert_allclose(report.rms_errors, expected, rtol=1e-12)
    assert "1 stuck_low, 1 stuck_high" in report.summary()


def test_devices_out_of_budget_are_tried_again():
    chip, targets = random_chip((2, 3), seed=6)
    chip.conductances[:] = 100 * uS
    targets[:] = 110 * uS
    targets[1, 1] = 480 * uS
    events = []
    report = program_array(chip, targets, PulseScheme(max_pulses=25), max_passes=9, on_event=events.append)
    outcomes = [e.outcome for e in kinds(events, "done") if (e.row, e.column) == (1, 1)]
    assert outcomes[0] == "budget" and outcomes[-1] == "converged" and report.within.all()
    assert report.n_pulses[1, 1] > 25


def test_one_silent_device_is_passed_over():
    chip, targets = random_chip((3, 4), seed=7, silent=[(1, 1)])
    report = program_array(chip, targets, SCHEME)
    assert report.outcomes[1, 1] == "read_error" and report.n_pulses[1, 1] == 0
    assert (report.outcomes == "converged").sum() == 11
    assert report.n_passes == 1 and report.complete and "1 device gave no valid reading" in report.summary()
    assert np.isfinite(report.rms_errors).all() and not any(pulse[:2] == (1, 1) for pulse in chip.pulses)


def test_a_dead_instrument_is_not_pulsed_on():
    chip, targets = random_chip((3, 4), seed=7, silent=[(0, 3), (1, 0), (1, 1), (1, 3)])
    with pytest.raises(InstrumentError, match="3 devices in a row gave no valid .*, last row 1, column 1: nan S") as caught:
        program_array(chip, targets, SCHEME)
    report = caught.value.report
    assert (report.outcomes[0, :3] == "converged").all() and report.outcomes[1, 2] == "" and not report.complete
    assert chip.safe == 1 and not any(row > 0 for row, *_ in chip.pulses)
    scattered, targets = random_chip((3, 4), seed=7, silent=[(0, 3), (1, 0), (1, 2), (1, 3)])
    assert program_array(scattered, targets, SCHEME).complete


def test_readings_in_microsiemens_are_failed_readings_and_nothing_is_pulsed():
    chip, targets = random_chip((3, 4), seed=8)
    chip.conductances /= uS
    with pytest.raises(InstrumentError, match="no valid reading"):
        program_array(chip, targets, SCHEME)
    assert chip.pulses == []


def test_a_whole_array_reading_without_any_reading_is_a_failure_and_is_taken_again():
    chip, targets = random_chip((2, 3), seed=7)
    events = []
    chip.read_array = lambda: np.full((2, 3), np.nan)
    with pytest.raises(InstrumentError, match="whole-array reading after pass 0 gave no valid reading") as caught:
        program_array(chip, targets, SCHEME, on_event=events.append)
    assert chip.safe == 1 and caught.value.report.n_passes == 0 and not kinds(events, "readback")
    chip.read_array, n_pulses = lambda: chip.conductances, len(chip.pulses)
    report = program_array(chip, targets, SCHEME, resume=events)
    assert report.complete and report.within.all() and len(chip.pulses) == n_pulses


@pytest.mark.parametrize("masked", [True, False])
def test_nothing_to_program_is_a_run_with_a_reading(masked):
    chip, targets = random_chip((1, 4), seed=7)
    options = {"mask": np.zeros((1, 4), bool)} if masked else {}
    report = program_array(chip, targets if masked else np.full((1, 4), np.nan), SCHEME, **options)
    assert report.complete and report.n_passes == 1 and not chip.pulses and chip.safe == 1
    assert "last tuning: none" in report.summary() and "nan" not in report.summary()


def test_a_last_pass_as_good_as_the_best_is_not_another_state():
    chip, targets = random_chip((1, 4), seed=7)
    chip.read_array = lambda: np.full((1, 4), 300 * uS)
    report = program_array(chip, targets, SCHEME)
    assert report.n_passes == 3 and report.best_pass == 0 and "NOT in that state" not in report.summary()


# --- ends of all kinds ---

@pytest.mark.parametrize("kind", [FakeChip, PlainChip])
@pytest.mark.parametrize("error, raised", [(TimeoutError("no answer"), InstrumentError), (SystemExit(), SystemExit),
                                           (KeyboardInterrupt(), KeyboardInterrupt)])
def test_instrument_that_raises_anywhere_is_left_safe(kind, error, raised):
    whole = random_chip((2, 3), seed=9)[0]
    program_array(whole, random_chip((2, 3), seed=9)[1], SCHEME)
    for fails_at in range(0, whole.n_calls, 3):
        chip, targets = random_chip((2, 3), seed=9, kind=kind, fails_at=fails_at, error=error)
        with pytest.raises(raised) as caught:
            program_array(chip, targets, SCHEME)
        assert (chip.safe, chip.closed) == ((1, 0) if kind is FakeChip else (0, 1))
        if raised is InstrumentError:
            report = caught.value.report
            assert caught.value.__cause__ is error and not report.complete and "NOT COMPLETE" in report.summary()
            assert report.n_pulses.sum() - len(chip.pulses) in (0, 1)  # one more if it failed while pulsing
            assert "TimeoutError: no answer" in str(caught.value)


@pytest.mark.parametrize("kind, ends", [(FakeChip, (1, 0)), (PlainChip, (0, 1))])
def test_on_event_that_raises_leaves_the_instrument_safe(kind, ends):
    chip, targets = random_chip((2, 3), seed=9, kind=kind)

    def on_event(event):
        if event.kind == "pulse" and event.row == 1:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        program_array(chip, targets, SCHEME, on_event=on_event)
    assert (chip.safe, chip.closed) == ends and all(row == 0 for row, *_ in chip.pulses)  # no pulse goes unlogged


@pytest.mark.parametrize("kind, normal, stopped", [(FakeChip, (1, 0), (1, 0)), (PlainChip, (0, 0), (0, 1))])
def test_normal_end_and_stop(kind, normal, stopped):
    chip, targets = random_chip((2, 3), seed=9, kind=kind)
    program_array(chip, targets, SCHEME)
    assert (chip.safe, chip.closed) == normal
    chip, targets = random_chip((2, 3), seed=9, kind=kind)
    report = program_array(chip, targets, SCHEME, should_stop=lambda: len(chip.pulses) >= 30)
    assert (chip.safe, chip.closed) == stopped and len(chip.pulses) == report.n_pulses.sum() == 30
    assert not report.complete and (report.outcomes == "aborted").sum() == 1 and report.best_pass is None
    assert np.isnan(report.conductances).all() and "unknown" in report.summary()
    chip, targets = random_chip((2, 3), seed=9)
    assert program_array(chip, targets, SCHEME, should_stop=lambda: True).n_pulses.sum() == chip.n_calls == 0


def test_instrument_that_cannot_be_made_safe_is_told_of_loudly():
    class Jammed(FakeChip):
        def make_safe(self):
            raise OSError("relay")

        def close(self):
            self.closed += 1

    for options, before in (({}, ""), ({"fails_at": 4}, r"\. Before that: InstrumentError: .* reading row 0")):
        chip, targets = random_chip((2, 3), seed=9, kind=Jammed, **options)
        with pytest.raises(InstrumentError, match=f"switch its outputs off by hand: OSError: relay{before}") as caught:
            program_array(chip, targets, SCHEME)
        assert chip.closed == 1 and caught.value.report.complete == (not options)


# --- going on ---

@pytest.mark.parametrize("disturb", [0.0, 0.0006])
def test_resumed_run_ends_as_an_uninterrupted_one_wherever_it_was_cut(tmp_path, disturb):
    def fresh(**options):
        chip, targets = random_chip((2, 4), seed=10, disturb=disturb, stuck=[(0, 2)], **options)
        chip.conductances[0, 2] = 20 * uS
        return chip, targets

    chip, targets = fresh()
    expected = program_array(chip, targets, SCHEME)
    assert (expected.n_passes == 1) == (disturb == 0) and expected.outcomes[0, 2] == "stuck_low"
    for cut in range(0, chip.n_calls, 23):
        path = tmp_path / f"{cut}.csv"
        chip, targets = fresh(fails_at=cut)
        with EventLog(path, shape=chip.shape) as log, pytest.raises(InstrumentError):
            program_array(chip, targets, SCHEME, on_event=log)
        with path.open("a") as file:
            file.write("0,3,read,1")  # torn
        with EventLog(path, shape=chip.shape, append=True) as log:
            report = program_array(chip, targets, SCHEME, on_event=log, resume=read_events(path))
        assert report.complete and (report.outcomes == expected.outcomes).all()
        if report.n_pulses.sum() == len(chip.pulses):  # it did not fail while pulsing, which costs the chip a pulse
            np.testing.assert_array_equal(report.readings, expected.readings)
            np.testing.assert_array_equal(report.n_pulses, expected.n_pulses)
        assert report.n_pulses.sum() - len(chip.pulses) in (0, 1)  # one more if it failed while pulsing
        finished = program_array(chip, targets, SCHEME, resume=read_events(path))  # nothing is left to do
        assert reports_equal(finished, report) and (finished.n_pulses == report.n_pulses).all()
        np.testing.assert_array_equal(finished.readings, report.readings)


def test_run_cut_between_devices_resumes_to_the_very_same_end():
    options = {"shape": (2, 5), "seed": 1, "disturb": 0.0007}
    chip, targets = random_chip(**options)
    events = []
    expected = program_array(chip, targets, SCHEME, on_event=events.append, max_passes=4)
    assert expected.n_passes >= 3
    for n_done in (0, 1, 7, 10, 11, len(kinds(events, "done"))):
        chip, targets = random_chip(**options)
        told = []
        report = program_array(chip, targets, SCHEME, on_event=told.append, max_passes=4,
                               should_stop=lambda told=told, n=n_done: len(kinds(told, "done")) >= n)
        assert not report.complete and report.n_pulses.sum() == len(chip.pulses)
        report = program_array(chip, targets, SCHEME, on_event=told.append, max_passes=4, resume=list(told))
        assert reports_equal(report, expected) and (report.n_pulses == expected.n_pulses).all()
        np.testing.assert_array_equal(report.readings, expected.readings)
        assert untimed(told) == untimed(events)  # turns and passes go on, too


def test_devices_with_failed_readings_are_tried_again_when_resumed():
    chip, targets = random_chip((2, 4), seed=7, silent=[(0, 1), (0, 2), (0, 3)])
    events = []
    with pytest.raises(InstrumentError):
        program_array(chip, targets, SCHEME, on_event=events.append)
    chip.silent = set()
    report = program_array(chip, targets, SCHEME, resume=events)
    assert (report.outcomes == "converged").all() and report.n_passes == 1


def test_device_stopped_midway_is_tuned_when_resumed():
    chip, targets = random_chip((2, 4), seed=7)
    events = []
    report = program_array(chip, targets, SCHEME, on_event=events.append, should_stop=lambda: len(chip.pulses) >= 40)
    assert (report.outcomes == "aborted").sum() == 1 and events[-1].outcome == "aborted"
    report = program_array(chip, targets, SCHEME, resume=events)
    assert (report.outcomes == "converged").all() and report.n_passes == 1 and report.n_pulses.sum() == len(chip.pulses)


def test_whole_array_reading_that_stopped_midway_is_taken_again():
    chip, targets = random_chip((2, 3), seed=11)
    events = []
    program_array(chip, targets, SCHEME, on_event=events.append)
    n_calls = chip.n_calls
    report = program_array(chip, targets, SCHEME, resume=events[:-2], on_event=events.append)
    assert chip.n_calls == n_calls + 6 and report.complete and report.n_passes == 1
    again = program_array(chip, targets, SCHEME, resume=events[:-8] + events[-6:])  # the torn reading, then the whole one
    assert again.n_passes == 1 and chip.n_calls == n_calls + 6


def test_events_of_another_run_are_refused():
    chip, targets = random_chip((2, 3), seed=11)
    events = []
    program_array(chip, targets, SCHEME, on_event=events.append)
    n_calls = chip.n_calls
    other = targets.copy()
    other[1, 0] *= 1 + 1e-15
    with pytest.raises(ValueError, match=r"resume is of another run: the target of row 1, column 0 was .* and is .* now"):
        program_array(chip, other, SCHEME, resume=events)
    other[1, 0] = np.nan
    with pytest.raises(ValueError, match="row 1, column 0 .* is nan S now"):
        program_array(chip, other, SCHEME, resume=events)
    with pytest.raises(ValueError, match="row 2, column 0, outside the array of 2 x 3"):
        program_array(chip, targets, SCHEME, resume=[events[0]._replace(row=2)])
    with pytest.raises(ValueError, match="whole runs in their order; got an event of pass 1 after 0 whole passes"):
        program_array(chip, targets, SCHEME, resume=[events[0]._replace(n_pass=1)])
    with pytest.raises(TypeError, match=r"Read them with read_events\('log.csv'\)"):
        program_array(chip, targets, SCHEME, resume="log.csv")
    with pytest.raises(TypeError, match="must hold events"):
        program_array(chip, targets, SCHEME, resume=[("read", 0)])
    assert chip.n_calls == n_calls


# --- arguments ---

def with_one(targets, value):
    targets[2, 1] = value
    return targets


@pytest.mark.parametrize("change, error, text", [
    (lambda targets: {"targets": targets.T}, ValueError,
     r"targets must have shape \(3, 4\), that of the instrument; got \(4, 3\); transposed\?"),
    (lambda targets: {"targets": targets[:2]}, ValueError, r"got \(2, 4\)$"),
    (lambda targets: {"targets": targets / uS}, ValueError, "at most 1 S; .* row 0, column 0 .12 such.*tiocross.units.uS"),
    (lambda targets: {"targets": with_one(targets, 0)}, ValueError, r"got 0 at row 2, column 1 \(1 such\)$"),
    (lambda targets: {"targets": with_one(targets, -1)}, ValueError, "got -1 at row 2, column 1"),
    (lambda targets: {"targets": with_one(targets, np.inf)}, ValueError, "must be finite; got inf"),
    (lambda targets: {"targets": with_one(targets, np.nan), "mask": np.ones((3, 4), bool)}, ValueError,
     "a number where the mask is set; got nan at row 2, column 1"),
    (lambda targets: {"targets": targets.astype(str)}, TypeError, "targets must be an array of real numbers"),
    (lambda targets: {"targets": np.ma.array(targets, mask=targets > 3e-4)}, TypeError, "masked array; give NaN"),
    (lambda targets: {"mask": np.ones((4, 3), bool)}, ValueError, r"mask must have shape .*transposed"),
    (lambda targets: {"mask": np.ones((3, 4))}, TypeError, "mask must hold True and False; got float64"),
    (lambda targets: {"order": np.zeros((3, 4), int)}, ValueError, "order must be a permutation of 0 to 11"),
    (lambda targets: {"max_passes": 0}, ValueError, "max_passes must be at least 1"),
    (lambda targets: {"scheme": {"set_start": 1}}, TypeError, "scheme must be a PulseScheme"),
    (lambda targets: {"on_event": []}, TypeError, "on_event must be callable"),
    (lambda targets: {"should_stop": True}, TypeError, "should_stop must be callable"),
])
def test_wrong_arguments_are_refused_before_anything_is_pulsed(change, error, text):
    chip, targets = random_chip((3, 4))
    arguments = {"targets": targets, "scheme": SCHEME, **change(targets)}
    with pytest.raises(error, match=text):
        program_array(chip, arguments.pop("targets"), arguments.pop("scheme"), **arguments)
    assert chip.n_calls == 0


def test_targets_of_whole_numbers_are_numbers():
    chip = FakeChip(np.full((2, 3), 0.9))
    assert (program_array(chip, np.ones((2, 3), int), SCHEME).outcomes == "converged").all()


# --- the instrument ---

def test_protocol_asks_for_shape_read_and_pulse_only():
    chip = random_chip()[0]
    assert isinstance(chip, CrossbarInstrument) and not isinstance(object(), CrossbarInstrument)
    assert require_instrument(chip) == (3, 4)
    with pytest.raises(TypeError, match=r"a dict lacks read\(\), pulse\(\), shape"):
        require_instrument({})
    with pytest.raises(TypeError, match="not the class FakeChip; call it first"):
        require_instrument(FakeChip)
    for shape, error, text in ((8, TypeError, "must be a pair"), ((3, 4, 5), TypeError, "must be a pair"),
                               ((0, 4), ValueError, "the shape of the instrument must be at least 1"),
                               ((3, 4.5), TypeError, "the shape of the instrument must be a whole number")):
        chip.shape = shape
        with pytest.raises(error, match=text):
            require_instrument(chip)


def test_whole_reading_in_one_go_or_device_by_device():
    chip, _ = random_chip()
    np.testing.assert_array_equal(read_whole(chip), chip.conductances)
    assert chip.n_calls == 12
    chip.read_array = lambda: chip.conductances
    assert read_whole(chip) is not chip.conductances and chip.n_calls == 12
    chip.read_array = lambda: chip.conductances.T
    with pytest.raises(ValueError, match=r"read_array\(\) gives must have shape \(3, 4\), .*; got \(4, 3\); transposed"):
        read_whole(chip)
    with pytest.raises(InstrumentError, match="whole-array reading after pass 0 failed: ValueError: the array that read_array"):
        program_array(chip, np.full((3, 4), 2e-4), SCHEME)


def test_drivers_add_little_to_what_an_instrument_takes():
    chip, targets = random_chip((20, 30), seed=13)
    before = time.process_time()
    program_array(chip, targets, SCHEME)
    # The fake itself takes about 6 us a call; the drivers 1 us. A 64x64 array takes 1e5 to 4e5 calls, within a minute.
    assert (time.process_time() - before) / chip.n_calls < 1e-4


# --- the example adapter ---

class FakeMeter:
    """A source meter with a switch matrix: parses what the adapter writes and drives the device that is connected."""

    def __init__(self, chip):
        self.chip, self.connected, self.output, self.volts, self.written = chip, None, False, 0.0, []
        self.high, self.width = 0.0, 0.0

    def write(self, text):
        self.written.append(text)
        for command in text.replace(";WIDT", ";:SOUR:PULS:WIDT").split(";"):
            name, _, value = command.removeprefix(":").partition(" ")
            if name in ("ROUT:CLOS", "ROUT:OPEN:ALL"):
                assert not self.output, "relays switched under voltage"
                assert name == "ROUT:OPEN:ALL" or self.connected is None
                self.connected = tuple(int(n) - 1 for n in value[2:-1].split("!")) if value else None
            elif name == "OUTP":
                self.output = {"ON": True, "OFF": False}[value]
            elif name == "INIT":
                assert self.output
                self.chip.pulse(*self.connected, self.high, self.width)
            else:
                names = {"SOUR:VOLT": "volts", "SOUR:PULS:VOLT": "high", "SOUR:PULS:WIDT": "width"}
                setattr(self, names[name], float(value))

    def query(self, text):
        if text == "*OPC?":
            return "1"
        assert text == "MEAS:CURR?" and self.output
        reading = self.chip.read(*self.connected)
        return "+9.910000E+37" if math.isnan(reading) else repr(reading * self.volts)


def test_scpi_adapter_programs_a_chip_through_commands():
    chip, targets = random_chip((2, 3), seed=14, silent=[(1, 1)])
    meter = FakeMeter(chip)
    adapter = load_script("scpi_adapter").SourceMeterCrossbar(meter, (2, 3), read_voltage=0.25)
    assert require_instrument(adapter) == (2, 3)
    report = program_array(adapter, targets, SCHEME)
    assert report.outcomes[1, 1] == "read_error" and (report.outcomes == "converged").sum() == 5
    assert (np.abs(chip.conductances / targets - 1) <= 0.0101)[report.mask & (report.outcomes == "converged")].all()
    assert not meter.output and meter.connected is None and meter.volts == 0


def test_scpi_adapter_pulses_with_the_sign_and_width_asked_for():
    chip, _ = random_chip((2, 3), seed=14)
    adapter = load_script("scpi_adapter").SourceMeterCrossbar(FakeMeter(chip), (2, 3))
    before = chip.conductances[1, 2]
    assert adapter.read(1, 2) == pytest.approx(before, rel=1e-14)
    adapter.pulse(1, 2, 1.7, 2e-6)
    assert chip.pulses == [(1, 2, 1.7, 2e-6)] and chip.conductances[1, 2] > before
    adapter.pulse(1, 2, -1.9, 2e-6)
    assert chip.conductances[1, 2] < before
