"""Instruments that give something else than they should: polarity, units, masks, floating lines; and steps too many."""

import numpy as np
import pytest
from lab_cases import FakeChip, random_chip

from tiocross import Crossbar, PulseScheme, SimulatedCrossbar, program_array, read_device, solve, tune_device
from tiocross.lab.floating import floating_readings
from tiocross.lab.instrument import as_reading, read_whole
from tiocross.lab.report import InstrumentError
from tiocross.lab.suspicion import N_AGAINST, N_STUCK, unit_hint
from tiocross.units import kohm, ohm, uS

SCHEME = PulseScheme()


class Inverted(FakeChip):
    """Leads exchanged: a positive amplitude lowers the conductance."""

    def pulse(self, row, column, amplitude, width):
        super().pulse(row, column, -amplitude, width)


class Unplugged(FakeChip):
    """Reads, but its pulses reach nothing."""

    def pulse(self, row, column, amplitude, width):
        self._count()
        self.pulses.append((row, column, amplitude, width))


# --- polarity ---

def test_inverted_polarity_ends_after_three_devices_with_a_report():
    chip, targets = random_chip((3, 4), seed=1, kind=Inverted)
    chip.conductances[0, 1] = targets[0, 1]  # one that needs no pulse tells nothing
    with pytest.raises(InstrumentError, match="3 devices in a row moved against their pulses.*turn the sign in pulse") as caught:
        program_array(chip, targets, SCHEME)
    report = caught.value.report
    assert (report.n_pulses > 0).sum() == N_AGAINST == 3 and report.outcomes[0].tolist()[1] == "converged"
    assert chip.safe == 1 and {pulse[:2] for pulse in chip.pulses} == {(0, 0), (0, 2), (0, 3)}


@pytest.mark.slow
def test_inverted_polarity_is_found_on_a_simulated_chip_too():
    chip = SimulatedCrossbar((5, 4), rng=np.random.default_rng(3))
    pulse = chip.pulse
    chip.pulse = lambda row, column, amplitude, width: pulse(row, column, -amplitude, width)
    with pytest.raises(InstrumentError, match="moved against their pulses"):
        program_array(chip, np.random.default_rng(4).uniform(200 * uS, 400 * uS, (5, 4)), SCHEME)


def test_a_run_with_the_right_leads_goes_on_with_the_devices_that_made_it_stop():
    chip, targets = random_chip((3, 4), seed=1, kind=Inverted)
    events = []
    with pytest.raises(InstrumentError):
        program_array(chip, targets, SCHEME, on_event=events.append)
    right = FakeChip(chip.conductances)
    report = program_array(right, targets, SCHEME, resume=events, on_event=events.append)
    assert (report.outcomes == "converged").all() and report.within.all()
    again = program_array(right, targets, SCHEME, resume=events)  # of the whole log, with its stop in the middle
    assert (again.outcomes == "converged").all() and (again.n_pulses == report.n_pulses).all()


def test_go_on_goes_on():
    for kind in (Inverted, Unplugged):
        chip, targets = random_chip((5, 4), seed=1, kind=kind)
        report = program_array(chip, targets, SCHEME, go_on=True)
        assert report.complete and report.stuck.sum() == 20 and (report.n_pulses > 0).all()


@pytest.mark.slow
def test_good_chips_move_against_nothing():
    """Of 300 devices of five simulated chips, programmed with all their write disturb and noise, none seems inverted."""
    for seed in range(5):
        chip = SimulatedCrossbar((10, 6), rng=np.random.default_rng([seed, 1]))
        targets = np.random.default_rng(seed).uniform(100 * uS, 500 * uS, (10, 6))
        assert program_array(chip, targets, SCHEME, max_passes=1).complete


def test_one_exchanged_bit_line_is_found_although_its_devices_never_follow_each_other():
    chip, targets = random_chip((6, 4), seed=1)
    pulse = chip.pulse
    chip.pulse = lambda row, column, amplitude, width: pulse(row, column, -amplitude if column == 2 else amplitude, width)
    with pytest.raises(InstrumentError, match="3 devices in a row on bit line 2 moved against their pulses, last") as caught:
        program_array(chip, targets, SCHEME)
    driven = {pulse[:2] for pulse in chip.pulses if pulse[1] == 2}
    assert driven == {(0, 2), (1, 2), (2, 2)} and (caught.value.report.outcomes[:2, [0, 1, 3]] == "converged").all()


# --- stuck ---

def test_very_many_stuck_in_a_row_end_the_run_with_a_report():
    chip, targets = random_chip((5, 4), seed=1, kind=Unplugged)
    with pytest.raises(InstrumentError, match="16 devices in a row ended stuck.*pulses reach the devices") as caught:
        program_array(chip, targets, SCHEME)
    assert caught.value.report.stuck.sum() == N_STUCK == 16 and chip.safe == 1
    chip, targets = random_chip((3, 30), seed=1, kind=Unplugged)
    with pytest.raises(InstrumentError, match="61 devices in a row ended stuck"):  # more than two dead word lines
        program_array(chip, targets, SCHEME)


def test_two_dead_lines_of_an_array_are_no_reason_to_stop():
    chip, targets = random_chip((4, 9), seed=1, stuck=[(i, j) for i in (1, 2) for j in range(9)])
    chip.conductances[1:3] = 5 * uS
    report = program_array(chip, targets, SCHEME)
    assert report.complete and report.stuck.sum() == 18 and (report.outcomes == "converged").sum() == 18


# --- units ---

@pytest.mark.parametrize("factor, text", [(1 / uS, "microsiemens: multiply by tiocross.units.uS"),
                                          (1e3, "millisiemens: multiply by tiocross.units.mS")])
def test_readings_in_another_unit_get_the_cure(factor, text):
    chip, targets = random_chip((5, 4), seed=8, kind=Unplugged)
    chip.conductances *= factor
    with pytest.raises(InstrumentError, match=f"Readings must be in siemens; is this {text}"):
        program_array(chip, targets, SCHEME)


@pytest.mark.parametrize("shape", [(3, 4), (2, 1)])
def test_readings_in_millisiemens_are_found_before_any_pulse(shape):
    chip, targets = random_chip(shape, seed=8)
    read = chip.read
    chip.read = lambda row, column: read(row, column) * 1e3
    if targets.size < 3:  # too few to tell a slip from shorts; they are not pulsed all the same
        assert program_array(chip, targets, SCHEME).stuck.all()
    else:
        with pytest.raises(InstrumentError, match="first 3 devices all read far above their .*is this millisiemens: mul"):
            program_array(chip, targets, SCHEME)
    assert chip.pulses == []
    right = random_chip(shape, seed=8)[0]
    assert program_array(right, targets, SCHEME).within.all()


def test_a_device_read_in_millisiemens_is_not_pulsed_and_the_unit_is_named():
    chip = FakeChip(np.full((1, 2), 150 * uS / 1e-3))
    with pytest.raises(InstrumentError, match="row 0, column 1 reads 0.15 S.*is this millisiemens") as caught:
        tune_device(chip, 0, 1, g_target=200 * uS, scheme=SCHEME)
    assert caught.value.report.outcome == "stuck_high" and chip.pulses == [] and chip.safe == 1


def test_a_run_whose_unit_was_set_right_goes_on_with_the_devices_that_made_it_stop():
    chip, targets = random_chip((3, 4), seed=8)
    wrong, events = FakeChip(chip.conductances * 1e3), []
    with pytest.raises(InstrumentError):
        program_array(wrong, targets, SCHEME, on_event=events.append)
    assert program_array(chip, targets, SCHEME, resume=events).within.all()


def test_shorted_devices_among_good_ones_are_stuck_without_a_pulse():
    chip, targets = random_chip((4, 5), seed=8)
    chip.conductances[1:3, 1:] = 50e-3  # more than three in a row, after good ones
    report = program_array(chip, targets, SCHEME)
    assert report.complete and report.stuck.sum() == 8 and (report.n_pulses[1:3, 1:] == 0).all()
    chip.conductances[:2] = 50e-3
    assert program_array(chip, targets, SCHEME, go_on=True).complete


def test_one_far_reading_of_a_good_device_is_repeated():
    chip, targets = random_chip((1, 3), seed=8)
    read, n_read = chip.read, []
    chip.read = lambda row, column: read(row, column) if n_read.append(0) or len(n_read) > 2 else 0.5
    assert program_array(chip, targets, SCHEME).within.all()


@pytest.mark.parametrize("change, text", [(lambda g: g / uS, "microsiemens: mul"), (lambda g: 1e3 * g, "millisiemens: "),
                                          (lambda g: 1 / g, "ohm: give"), (lambda g: 1e-3 / g, "kiloohm: give")])
def test_whole_array_readings_in_another_unit_get_the_cure(change, text):
    chip, targets = random_chip((3, 4), seed=8)
    chip.read_array = lambda: change(chip.conductances)
    with pytest.raises(InstrumentError, match=f"whole-array reading after pass 0 gave .*is this {text}") as caught:
        program_array(chip, targets, SCHEME)
    assert caught.value.report.n_passes == 0 and chip.safe == 1


def test_resistances_get_the_cure():
    chip, targets = random_chip((3, 4), seed=8)
    read = chip.read
    for unit, text in ((ohm, "ohm: give 1 / ohm"), (kohm, r"kiloohm: give 1 / \(1000 ohm\)")):
        chip.read = lambda row, column, unit=unit: 1 / read(row, column) / unit
        with pytest.raises(InstrumentError, match=f"3 devices in a row gave no valid .*is this {text}"):
            program_array(chip, targets, SCHEME)
        assert chip.pulses == []


@pytest.mark.parametrize("reading", [9.91e37 / 0.2, np.nan, np.inf, -1.0, 3e-4, 0.0])
def test_readings_that_no_unit_explains_get_none(reading):
    assert unit_hint(reading, 3e-4) == ""


# --- readings that are none ---

@pytest.mark.parametrize("value", [True, np.True_, 1e-4 + 0j, np.complex128(1e-4), "1e-4", b"1e-4", None, [1e-4],
                                   np.array([1e-4]), np.array("1e-4")])
def test_a_reading_is_one_real_number(value):
    with pytest.raises(TypeError, match=r"read\(\) must give a conductance as a float, in siemens; got"):
        as_reading(value)
    chip, targets = random_chip((2, 3), seed=1)
    chip.read = lambda row, column: value
    with pytest.raises(InstrumentError, match="reading row 0, column 0 in pass 0, pulse 0: TypeError: read") as caught:
        program_array(chip, targets, SCHEME)
    assert isinstance(caught.value.__cause__, TypeError) and chip.pulses == []


def test_numbers_of_all_kinds_are_readings_and_masked_ones_are_failed():
    for value in (1, 1.0, np.float32(1), np.int8(1), np.float64(1), np.array(1.0), np.array(1)):
        assert as_reading(value) == 1.0 and type(as_reading(value)) is float
    assert np.isnan(as_reading(np.ma.masked)) and np.isnan(as_reading(np.ma.array([1.0, 2.0], mask=[1, 0])[0]))


def test_a_masked_whole_array_reading_is_missing_where_it_is_masked():
    chip, targets = random_chip((2, 3), seed=1)
    mask = np.zeros((2, 3), bool)
    mask[1, 0] = True
    chip.read_array = lambda: np.ma.array(chip.conductances, mask=mask)
    np.testing.assert_array_equal(read_whole(chip), np.where(mask, np.nan, chip.conductances))
    report = program_array(chip, targets, SCHEME)
    assert np.isnan(report.conductances[1, 0]) and report.within.sum() == 5 and report.complete
    chip.read_array = lambda: np.ma.array(chip.conductances)  # masked type, nothing masked
    np.testing.assert_array_equal(read_whole(chip), chip.conductances)


@pytest.mark.parametrize("change", [lambda g: g + 0j, lambda g: g > 0, lambda g: g.astype(str), lambda g: g.astype(object),
                                    lambda g: None, lambda g: [[1e-4, 1e-4, 1e-4], [1e-4]],
                                    lambda g: np.ma.array(g + 0j, mask=g > 2e-4)])
def test_a_whole_array_reading_that_holds_no_real_numbers_is_refused(change):
    chip, targets = random_chip((2, 3), seed=1)
    chip.read_array = lambda: change(chip.conductances)
    with pytest.raises(TypeError, match=r"the array that read_array\(\) gives must be an array of"):
        read_whole(chip)
    with pytest.raises(InstrumentError, match="whole-array reading after pass 0 failed: TypeError") as caught:
        program_array(chip, targets, SCHEME)
    assert caught.value.report.n_passes == 0 and (caught.value.report.outcomes == "converged").all() and chip.safe == 1


# --- floating lines ---

@pytest.mark.parametrize("shape", [(3, 4), (1, 5), (6, 2)])
def test_what_floating_readings_show_is_what_the_circuit_gives(shape):
    conductances = np.random.default_rng(2).uniform(100 * uS, 500 * uS, shape)
    crossbar = Crossbar(conductances)
    expected = [[solve(crossbar, read_device(crossbar, i, j, 0.2, unselected="floating")).bit_line_currents[j] / 0.2
                 for j in range(shape[1])] for i in range(shape[0])]
    np.testing.assert_allclose(floating_readings(conductances), expected, rtol=1e-8)


def test_write_verify_through_floating_lines_warns_with_the_error():
    targets = np.random.default_rng(1).uniform(100 * uS, 500 * uS, (8, 8))
    chip = FakeChip(targets)
    chip.read_scheme = "floating"
    errors = floating_readings(targets) / targets - 1
    assert 1.5 < errors.max() < 20  # shown is several times what is there
    with pytest.warns(RuntimeWarning, match=rf"by {100 * np.median(errors):.0f} % \(median\) to {100 * errors.max():.0f} % too"):
        program_array(chip, targets, SCHEME)


def test_floating_lines_that_change_no_reading_are_no_reason_to_warn():
    chip = FakeChip(np.full((1, 5), 200 * uS))
    chip.read_scheme = "floating"
    program_array(chip, np.full((1, 5), 200 * uS), SCHEME)  # one word line: there is no other way round
    chip = FakeChip(np.full((2, 5), 200 * uS))
    chip.read_scheme = "grounded"
    program_array(chip, np.full((2, 5), 200 * uS), SCHEME)  # a warning would be an error


# --- steps ---

def test_a_scheme_with_steps_too_many_to_hold_is_refused_at_once():
    for options in ({"increment": 1e-9, "max_pulses": 10**9}, {"increment": 5e-324, "max_pulses": 2**53}):
        with pytest.raises(ValueError, match="increment must leave at most 100000 pulses from start to limit"):
            PulseScheme(**options)
    with pytest.raises(ValueError, match=r"max_pulses must be at most 2\*\*53; got a number beyond 1e20"):
        PulseScheme(max_pulses=10**400)
    assert len(PulseScheme(increment=1e-9).set_pulses) == 401  # the budget ends before
    assert len(PulseScheme(max_pulses=10**9).set_pulses) == 51
    chip = FakeChip(np.full((1, 2), 200 * uS))
    assert tune_device(chip, 0, 1, g_target=200 * uS, scheme=PulseScheme(max_pulses=10**9)).outcome == "converged"
