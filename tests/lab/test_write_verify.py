"""Write-verify, free of I/O: its loop, its ends, and the traps of loops like it."""

import json
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

from tiocross.lab.write_verify import PulseScheme
from tiocross.lab.write_verify import OUTCOMES, Done, Pulse, WriteVerify
from tiocross.units import uS

SCHEME = PulseScheme(set_start=1.0, set_limit=1.5, reset_start=-1.2, reset_limit=-1.6, increment=0.1, width=1e-6,
                     confirmations=2, pulses_at_limit=3)
TARGET = 200 * uS
LOW, HIGH = 100 * uS, 300 * uS
HEADER = {"n_rows": "8", "n_columns": "8", "DC_NUMPOINTS": "100", "vread": "0.2", "Vmax_set": "3.0", "Vmin_reset": "-2.5",
          "Vset": "1.1", "Vreset": "-1.05", "tolerance": "0.02", "increment": "0.05", "PulseWidth": "0.0000008",
          "RiseTime": "4e-7", "FallTime": "6e-7"}


def steps(readings, scheme=SCHEME, target=TARGET):
    device = WriteVerify(target, scheme)
    return [device.step(g_read) for g_read in readings]


def amplitudes(readings, **options):
    return [step.amplitude for step in steps(readings, **options)]


def run_to_end(device, respond, most=10_000):
    """Steps of a device whose reading after a pulse is ``respond(amplitude)``, until Done; fails if there is no end."""
    taken, amplitude = [], 0.0
    for _ in range(most):
        step = device.step(respond(amplitude))
        taken.append(step)
        if isinstance(step, Done):
            return taken
        amplitude = step.amplitude
    raise AssertionError("no end")


def test_too_resistive_gives_rising_set_pulses_of_the_scheme_width():
    assert amplitudes([LOW] * 3) == pytest.approx([1.0, 1.1, 1.2])
    assert all(step.width == SCHEME.width for step in steps([LOW] * 3))


def test_too_conductive_gives_growing_reset_pulses():
    assert amplitudes([HIGH] * 3) == pytest.approx([-1.2, -1.3, -1.4])


def test_a_change_of_polarity_starts_again_from_both_starts():
    assert amplitudes([LOW, LOW, HIGH, HIGH, LOW, HIGH]) == pytest.approx([1.0, 1.1, -1.2, -1.3, 1.0, -1.2])


def test_a_reading_inside_neither_pulses_nor_resets_the_amplitude():
    assert amplitudes([LOW, LOW, TARGET, LOW]) == pytest.approx([1.0, 1.1, 0.0, 1.2])


def test_limit_is_reached_exactly_and_never_passed():
    # 1.0 + 0.3 k passes 1.5 at k = 2: the trap is to compare before the increment
    scheme = replace(SCHEME, increment=0.3, pulses_at_limit=4)
    assert amplitudes([LOW] * 6, scheme=scheme) == pytest.approx([1.0, 1.3, 1.5, 1.5, 1.5, 1.5])
    assert max(amplitudes([LOW] * 6, scheme=scheme)) == 1.5  # exactly
    assert min(amplitudes([HIGH] * 6, scheme=scheme)) == -1.6


@pytest.mark.parametrize("start, limit, increment, n_pulses", [(1.1, 2.1, 0.02, 51), (0.1, 0.3, 0.1, 3), (1.0, 1.0, 0.1, 1),
                                                               (1.0, 1.05, 0.1, 2)])
def test_ladder_has_one_pulse_a_step_whatever_rounding_does(start, limit, increment, n_pulses):
    scheme = PulseScheme(set_start=start, set_limit=limit, reset_start=-start, reset_limit=-limit, increment=increment)
    ups, downs = ([pulse.amplitude for pulse in ladder] for ladder in (scheme.set_pulses, scheme.reset_pulses))
    assert len(ups) == n_pulses and ups[0] == start and ups[-1] == limit and (np.diff(ups) > 0).all()
    assert downs == [-amplitude for amplitude in ups]


def test_confirmations_must_be_consecutive():
    scheme = replace(SCHEME, confirmations=3)
    inside = TARGET * 1.009
    taken = steps([inside, inside, LOW, inside, inside, TARGET], scheme=scheme)
    assert [step.amplitude for step in taken[:5]] == [0.0, 0.0, 1.0, 0.0, 0.0]
    assert taken[5] == Done("converged", TARGET, 1, 0)


def test_a_failed_reading_is_no_confirmation():
    taken = steps([TARGET, math.nan, TARGET, TARGET])
    assert taken[:3] == [Pulse(0.0, SCHEME.width)] * 3 and taken[3].outcome == "converged"


def test_the_edge_of_the_tolerance_is_inside():
    scheme = replace(SCHEME, tolerance=0.25, confirmations=1)
    for factor, outcome in ((0.75, True), (1.25, True), (0.7499, False), (1.2501, False)):
        assert isinstance(WriteVerify(0.5, scheme).step(0.5 * factor), Done) == outcome


@pytest.mark.parametrize("reading, outcome, steps_to_limit", [(LOW, "stuck_low", 5), (0.0, "stuck_low", 5),
                                                              (HIGH, "stuck_high", 4)])
def test_a_stuck_device_costs_the_steps_to_the_limit_and_the_pulses_there(reading, outcome, steps_to_limit):
    done = run_to_end(WriteVerify(TARGET, SCHEME), lambda _: reading)[-1]
    assert done == Done(outcome, reading, steps_to_limit + SCHEME.pulses_at_limit, 0)


def test_a_slow_device_at_the_limit_is_not_stuck_as_long_as_it_comes_nearer():
    state = [LOW]

    def respond(amplitude):
        state[0] += 0.004 * TARGET * (amplitude > 0)  # 1.2 % in the 3 pulses at the limit, more than the tolerance of 1 %
        return state[0]

    assert run_to_end(WriteVerify(TARGET, SCHEME), respond)[-1].outcome == "converged"


def test_a_device_that_moves_away_at_the_limit_is_stuck():
    state = [LOW]

    def respond(amplitude):
        state[0] *= 0.9
        return state[0]

    done = run_to_end(WriteVerify(TARGET, SCHEME), respond)[-1]
    assert (done.outcome, done.n_pulses) == ("stuck_low", 5 + 3)


def test_a_device_that_moved_and_then_stopped_is_stuck():
    readings = [LOW] * 6 + [LOW * 1.02] * 100  # moves once, at the limit
    taken = steps(readings[:12])
    assert [type(step) for step in taken] == [Pulse] * 11 + [Done]  # five steps, three pulses with movement, three without
    assert taken[-1].outcome == "stuck_low"


def test_a_reversal_breaks_the_row_of_pulses_at_the_limit():
    scheme = replace(SCHEME, set_start=1.5, reset_start=-1.6)  # every pulse is at a limit
    assert amplitudes([LOW, LOW, HIGH, HIGH, HIGH, LOW], scheme=scheme) == [1.5, 1.5, -1.6, -1.6, -1.6, 1.5]


def test_a_reading_inside_breaks_the_row_of_pulses_at_the_limit():
    readings = [LOW] * 7 + [TARGET] + [LOW] * 3 + [LOW]
    taken = steps(readings)  # five steps and two pulses at the limit, a confirmation, three more at the limit
    assert [step.amplitude for step in taken[7:11]] == [0.0, 1.5, 1.5, 1.5] and taken[11].outcome == "stuck_low"


def test_pulses_run_out():
    scheme = replace(SCHEME, max_pulses=4)
    taken = steps([LOW] * 5, scheme=scheme)
    assert [type(step) for step in taken] == [Pulse] * 4 + [Done] and taken[-1] == Done("budget", LOW, 4, 0)


def test_reversals_run_out():
    scheme = replace(SCHEME, max_reversals=2)
    taken = steps([LOW, HIGH, LOW, HIGH], scheme=scheme)
    assert amplitudes([LOW, HIGH, LOW], scheme=scheme) == pytest.approx([1.0, -1.2, 1.0])
    assert taken[-1] == Done("budget", HIGH, 3, 2)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1e-9, 120.0])
def test_a_failed_reading_is_repeated_twice_and_never_pulsed_on(bad):
    taken = steps([LOW, bad, bad, bad])
    assert [step.amplitude for step in taken[1:3]] == [0.0, 0.0]
    assert (taken[3].outcome, taken[3].n_pulses) == ("read_error", 1)
    assert amplitudes([LOW, bad, bad, LOW, bad, bad, LOW]) == pytest.approx([1.0, 0, 0, 1.1, 0, 0, 1.2])


def test_readings_that_fail_in_turns_with_good_ones_come_to_an_end():
    readings = iter([TARGET, math.nan] * 100)
    assert run_to_end(WriteVerify(TARGET, SCHEME), lambda _: next(readings))[-1].outcome == "read_error"


def test_done_stays_done_and_abort_ends_only_what_is_under_way():
    device = WriteVerify(TARGET, SCHEME)
    move = device.step(LOW)
    assert device.abort() == Done("aborted", LOW, 1, 0) == device.step(TARGET)
    device = WriteVerify(TARGET, SCHEME)
    move = device.step(LOW)
    assert device.abort(refused=move).n_pulses == 0  # asked for, not given
    device = WriteVerify(TARGET, replace(SCHEME, confirmations=1))
    assert device.step(TARGET) is device.abort()
    assert math.isnan(WriteVerify(TARGET, SCHEME).abort().conductance)


def test_whatever_the_device_does_amplitudes_keep_their_limits_and_there_is_an_end():
    rng = np.random.default_rng(4)
    seen = set()
    for _ in range(300):
        scheme = PulseScheme(set_start=rng.uniform(0.5, 1), set_limit=rng.uniform(1, 2), reset_start=-rng.uniform(0.5, 1),
                             reset_limit=-rng.uniform(1, 2), increment=rng.uniform(0.01, 0.7),
                             tolerance=rng.uniform(0.005, 0.1), confirmations=int(rng.integers(1, 4)),
                             max_pulses=int(rng.integers(1, 120)),
                             max_reversals=int(rng.integers(0, 6)), pulses_at_limit=int(rng.integers(1, 6)))
        target, state = rng.uniform(100 * uS, 500 * uS), [rng.uniform(10 * uS, 800 * uS)]
        strength, noise, silence = rng.choice([0.0, 0.02, 0.3]), rng.choice([0.0, 0.003]), rng.choice([0.0, 0.2])

        def respond(amplitude, state=state, strength=strength, noise=noise, silence=silence):
            state[0] *= math.exp(strength * amplitude)
            return math.nan if rng.random() < silence else state[0] * (1 + noise * rng.normal())

        taken = run_to_end(WriteVerify(target, scheme), respond)
        given = [step.amplitude for step in taken[:-1] if step.amplitude]
        assert all(scheme.set_start <= a <= scheme.set_limit or scheme.reset_limit <= a <= scheme.reset_start for a in given)
        assert len(given) == taken[-1].n_pulses <= scheme.max_pulses
        turns = sum(a * b < 0 for a, b in zip(given, given[1:], strict=False))
        assert taken[-1].n_reversals == turns <= scheme.max_reversals
        # Between two pulses at most 2 readings fail and at most confirmations - 1 in a row are inside, three times.
        assert len(taken) <= (len(given) + 1) * (3 * scheme.confirmations + 3)
        assert taken[-1].outcome in OUTCOMES
        if taken[-1].outcome == "converged":
            assert abs(taken[-1].conductance - target) <= scheme.tolerance * target
        if strength == noise == 0:
            assert len(given) <= len(max(scheme.set_pulses, scheme.reset_pulses, key=len)) - 1 + scheme.pulses_at_limit
        seen.add(taken[-1].outcome)
    assert seen == set(OUTCOMES) - {"aborted"}


def test_signs_of_pulses_follow_the_reading():
    rng = np.random.default_rng(5)
    device = WriteVerify(TARGET, replace(SCHEME, max_reversals=1000, max_pulses=10_000, confirmations=201))
    for g_read in rng.uniform(100 * uS, 300 * uS, 200):
        step = device.step(g_read)
        inside = abs(g_read - TARGET) <= 0.01 * TARGET
        assert inside or np.sign(step.amplitude) == np.sign(TARGET - g_read)


@pytest.mark.parametrize("target, text", [(0.0, "no pulse can reach it"), (-1e-4, "no pulse"),
                                          (200.0, "microsiemens, multiply by"), (math.nan, "must be finite"),
                                          (math.inf, "must be finite")])
def test_targets_that_are_no_conductances_are_refused(target, text):
    with pytest.raises(ValueError, match=f"g_target .*{text}"):
        WriteVerify(target, SCHEME)
    with pytest.raises(TypeError, match="scheme must be a PulseScheme"):
        WriteVerify(TARGET, {"set_start": 1})


# --- the scheme ---

@pytest.mark.parametrize("changes, text", [
    ({"set_start": -1.1}, r"set_start must be positive, as a SET pulse raises the .*; got -1.1 V\. Change its sign"),
    ({"set_limit": -2.1}, "set_limit must be positive"), ({"set_limit": 0.0}, "set_limit must be positive"),
    ({"reset_start": 1.1}, r"reset_start must be negative, as a RESET pulse lowers the conductance; got 1.1 V"),
    ({"reset_limit": 2.4}, "reset_limit must be negative"),
    ({"set_limit": 1.0}, r"set_limit must be at least as strong as set_start; got a limit of 1 V for a start of 1.1 V"),
    ({"reset_limit": -1.0}, "reset_limit must be at least as strong as reset_start"),
    ({"set_limit": 2100.0}, r"set_limit must lie within 100 V; got 2100\. If .* millivolts, multiply by tiocross.units.mV"),
    ({"increment": 0.0}, "increment must be above 0"), ({"increment": -0.02}, "increment must be above 0"),
    ({"width": 0.0}, "width must be above 0"), ({"width": 200.0}, r"width must be .* at most 1 s; got 200\. .*multiply by"),
    ({"rise_time": -1e-9}, "rise_time must be .*within"), ({"read_voltage": 0.0}, "read_voltage must be above 0"),
    ({"tolerance": 0.0}, "tolerance must lie between 0 and 1"), ({"tolerance": 1.0}, "multiply by tiocross.units.percent"),
    ({"confirmations": 0}, "confirmations must be at least 1"), ({"max_pulses": 0}, "max_pulses must be at least 1"),
    ({"max_reversals": -1}, "max_reversals must be at least 0"), ({"pulses_at_limit": 0}, "pulses_at_limit must be"),
    ({"set_limit": math.nan}, "set_limit must be finite"),
])
def test_bad_schemes_name_the_value_and_the_cure(changes, text):
    with pytest.raises(ValueError, match=text):
        PulseScheme(**changes)


def test_scheme_wants_numbers():
    with pytest.raises(TypeError, match="increment must be a number; got '0.02'"):
        PulseScheme(increment="0.02")
    with pytest.raises(TypeError, match="max_pulses must be a whole number; got 2.5"):
        PulseScheme(max_pulses=2.5)


def test_defaults_are_those_of_the_measured_file(measured):
    keys, values, _ = (measured / "dead_xbar_P464EC_HD.csv").read_text().split("\n", 2)
    header = dict(zip(keys.split("; "), values.split("; "), strict=True))
    assert PulseScheme.from_lab_header(header) == PulseScheme()


def test_lab_header_as_texts_or_numbers_with_changes():
    scheme = PulseScheme.from_lab_header(HEADER, max_pulses=50, tolerance=0.03)
    assert (scheme.set_start, scheme.set_limit, scheme.reset_start, scheme.reset_limit) == (1.1, 3.0, -1.05, -2.5)
    assert (scheme.increment, scheme.width, scheme.rise_time, scheme.fall_time) == (0.05, 8e-7, 4e-7, 6e-7)
    assert (scheme.read_voltage, scheme.tolerance, scheme.max_pulses) == (0.2, 0.03, 50)
    numbers = {key: float(value) for key, value in HEADER.items()}
    assert PulseScheme.from_lab_header(numbers, max_pulses=50, tolerance=0.03) == scheme


def test_lab_header_that_lacks_or_garbles_keys_is_refused():
    short = {key: value for key, value in HEADER.items() if key not in ("Vset", "increment")}
    with pytest.raises(ValueError, match=r"lacks 'Vset', 'increment'; .*give set_start=..., increment=..."):
        PulseScheme.from_lab_header(short)
    assert PulseScheme.from_lab_header(short, set_start=1.0, increment=0.1).set_start == 1.0
    for value in ("1.1V", "", "nan", "inf"):
        with pytest.raises(ValueError, match=f"'Vset' of the lab header must be a number; got '{value}'"):
            PulseScheme.from_lab_header({**HEADER, "Vset": value})
    with pytest.raises(TypeError, match="'Vset' of the lab header must be a number; got None"):
        PulseScheme.from_lab_header({**HEADER, "Vset": None})
    with pytest.raises(ValueError, match="set_start must be positive"):
        PulseScheme.from_lab_header({**HEADER, "Vset": "-1.1"})
    with pytest.raises(ValueError, match="field 'incremet' is unknown; did you mean 'increment'"):
        PulseScheme.from_lab_header(HEADER, incremet=0.1)


def test_schemes_are_written_as_ever():
    assert json.dumps(PulseScheme(tolerance=0.02, max_pulses=50).to_json()) == (
        '{"set_start [V]": 1.1, "set_limit [V]": 2.1, "reset_start [V]": -1.1, "reset_limit [V]": -2.4, '
        '"increment [V]": 0.02, "width [s]": 1.04e-06, "tolerance [-]": 0.02, "confirmations [-]": 2, '
        '"max_pulses [-]": 50, "max_reversals [-]": 20, "pulses_at_limit [-]": 5, "read_voltage [V]": 0.2, '
        '"rise_time [s]": 5e-07, "fall_time [s]": 5e-07}')


def test_scheme_round_trips_through_json_with_units():
    scheme = PulseScheme(increment=0.1 / 3, max_pulses=77)
    scheme.set_pulses  # noqa: B018  what is kept beside the fields must not travel
    content = scheme.to_json()
    assert content["increment [V]"] == 0.1 / 3 and content["width [s]"] == 1.04e-6 and content["max_pulses [-]"] == 77
    assert PulseScheme.from_json(content) == scheme == pickle.loads(pickle.dumps(scheme))
    with pytest.raises(ValueError, match=r"unknown key 'width \[ns\]'; did you mean 'width \[s\]'"):
        PulseScheme.from_json({**content, "width [ns]": 1})
    del content["width [s]"]
    with pytest.raises(ValueError, match=r"lacks 'width \[s\]'"):
        PulseScheme.from_json(content)
    with pytest.raises(ValueError, match="must be an object"):
        PulseScheme.from_json([1])
