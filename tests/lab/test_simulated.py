"""The simulated chip: circuits and switching against their own oracles, limits, chance, bad input."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import Crossbar, Selector, Sinh, StuckDevices, read_device, solve, write_device
from tiocross.devices.device import LineFailures
from tiocross.lab.instrument import CrossbarInstrument, require_instrument
from tiocross.lab.simulated import SimulatedCrossbar
from tiocross.lab.switching import TIO2_SWITCHING, SwitchingModel, draw_traits
from tiocross.units import mV, nA, ohm, uS, us

QUIET = replace(TIO2_SWITCHING, cycle_spread=0.0, drift=0.0, drift_spread=0.0, fluctuation=0.0, read_noise=0.0,
                read_step=0.0, stuck=None)  # nothing left to chance but what the devices are


def make_chip(shape=(6, 5), model=QUIET, seed=0, **options):
    return SimulatedCrossbar(shape, model, rng=np.random.default_rng(seed), **options)


def as_crossbar(chip):
    """The chip as the circuit of its readings: a sinh law through the conductance at the read voltage."""
    ratio = chip.model.read_voltage / chip.model.nonlinearity
    return Crossbar(chip.conductances * ratio / np.sinh(ratio), chip.wire_resistance, iv=Sinh(chip.model.nonlinearity))


def test_it_is_an_instrument():
    chip = make_chip()
    assert isinstance(chip, CrossbarInstrument)
    assert require_instrument(chip) == (6, 5)


@pytest.mark.parametrize("unselected", ["grounded", "floating", "V/2", "V/3"])
@pytest.mark.parametrize("wire", [0.0, 2.0, 30.0])
def test_readings_are_those_of_the_nonlinear_circuit(unselected, wire):
    chip = make_chip(wire_resistance=wire * ohm, read_scheme=unselected)
    crossbar, v_read = as_crossbar(chip), chip.model.read_voltage
    expected = np.empty(chip.shape)
    for i, j in np.ndindex(*chip.shape):
        biasing = read_device(crossbar, i, j, v_read, unselected=unselected)
        expected[i, j] = solve(crossbar, biasing, rtol=1e-12).bit_line_currents[j] / v_read
    # Secants are found to 1e-4 of a device, circuits to 1e-4 of the largest current: a reading is right to a few 1e-4 of it.
    np.testing.assert_allclose(chip.read_array(), expected, rtol=3e-4, atol=0)
    each = [[chip.read(i, j) for j in range(chip.shape[1])] for i in range(chip.shape[0])]
    np.testing.assert_allclose(each, expected, rtol=3e-4, atol=0)


@pytest.mark.parametrize("unselected", ["grounded", "floating"])
def test_a_law_that_bends_strongly_is_read_right_too(unselected):
    """On floating lines the secants of sinh(V / 30 mV) do not settle."""
    chip = make_chip(model=replace(QUIET, nonlinearity=30 * mV), read_scheme=unselected, wire_resistance=20 * ohm)
    crossbar = as_crossbar(chip)
    expected = np.empty(chip.shape)
    for i, j in np.ndindex(*chip.shape):
        biasing = read_device(crossbar, i, j, 0.2, unselected=unselected)
        expected[i, j] = solve(crossbar, biasing, rtol=1e-12).bit_line_currents[j] / 0.2
    np.testing.assert_allclose(chip.read_array(), expected, rtol=1e-3)  # of the largest current of the circuit 1e-4 at most


def test_multiplying_is_the_read_of_all_columns_of_the_nonlinear_circuit():
    chip = make_chip((7, 4), wire_resistance=20 * ohm)
    voltages = np.random.default_rng(1).uniform(-200, 200, (9, 7)) * mV
    expected = solve(as_crossbar(chip), voltages, rtol=1e-12).bit_line_currents
    gross = np.abs(voltages).sum(axis=1, keepdims=True) * chip.conductances.max()  # rtol 1e-4 of it at most
    assert (np.abs(chip.multiply(voltages) - expected) < 1e-4 * gross).all()
    assert chip.multiply(voltages[0]).shape == (4,)
    noisy = make_chip((7, 4), replace(QUIET, read_step=139 * nA, read_offset=76 * nA), wire_resistance=20 * ohm)
    steps = (noisy.multiply(voltages) - 76 * nA) / (139 * nA)
    np.testing.assert_allclose(steps, steps.round(), atol=1e-6)
    assert noisy.multiply(voltages).min() < 0
    with pytest.raises(ValueError, match="within the quiet voltage of 0.4 V"):
        chip.multiply(np.full(7, 0.41))
    with pytest.raises(ValueError, match="shape"):
        chip.multiply(np.zeros(4))


def test_without_wires_a_grounded_reading_is_the_conductance():
    chip = make_chip(wire_resistance=0.0)
    np.testing.assert_allclose(chip.read_array(), chip.conductances, rtol=1e-9)


def integrated(chip, place, amplitude, width, n_steps=100):
    """Conductances after a pulse, by the law of the module's docstring in many small steps, the whole array solved in each."""
    model, scheme, g = chip.model, chip.scheme, chip.conductances
    traits = draw_traits(model, chip.shape, np.random.default_rng(0))  # the first numbers that the chip draws
    series = Selector(None, 1.0 / model.series_resistance) if model.series_resistance else None
    started, energy = None, 0.0
    for _ in range(n_steps):
        circuit = Crossbar(g, chip.wire_resistance, series=series)
        biasing = (read_device(circuit, *place, amplitude) if scheme == "floating"
                   else write_device(circuit, *place, amplitude, scheme=scheme))
        solution = solve(circuit, biasing, rtol=1e-10)
        v = solution.device_voltages
        driver = np.abs(solution.device_currents[place[0]].sum())
        held = min(1.0, (model.compliance or np.inf) / driver)
        v, energy = v * held, energy + held**2 * solution.power * width / n_steps
        started = v if started is None else started
        rates = np.where(v > 0, np.exp((v - traits.set_voltages) / model.set_scale),
                         (np.abs(v) / traits.reset_voltages) ** model.reset_exponent) / model.reference_width
        ends = np.where(v > 0, model.g_on, model.g_off)
        moves = (ends - g) * -np.expm1(-rates * width / n_steps)
        g = g + np.where((np.abs(started) > model.quiet_voltage) & ((ends > g) == (v > 0)), moves, 0.0)
    return g, energy


@pytest.mark.parametrize("scheme", ["V/2", "V/3", "floating"])
@pytest.mark.parametrize("amplitude, change", [(1.9, {}), (-2.2, {}), (2.3, {"series_resistance": 500.0}),
                                               (2.3, {"compliance": 1.5e-3})])
def test_a_pulse_is_the_time_integral_of_the_law_on_the_solved_array(scheme, amplitude, change):
    chip = make_chip(scheme=scheme, wire_resistance=20 * ohm, model=replace(QUIET, **change))
    before, width = chip.conductances, 0.7 * us
    expected, energy = integrated(chip, (4, 3), amplitude, width)
    chip.pulse(4, 3, amplitude, width)
    # A rate may change by a twentieth within a step, which is taken with the one in its middle: less than 1 %; others' own
    # wires are those of the pulse's beginning.
    np.testing.assert_allclose(chip.conductances - before, expected - before, rtol=1e-2, atol=1e-12)
    assert abs(chip.pulse_energy / energy - 1) < 5e-3
    moved = chip.conductances != before
    assert abs(chip.conductances[4, 3] - before[4, 3]) > 10 * uS
    if scheme == "V/2":  # only what shares a line with the selected device sees half the voltage
        assert not np.delete(np.delete(moved, 4, axis=0), 3, axis=1).any()
        assert np.delete(moved[4], 3).all() and np.delete(moved[:, 3], 4).all()
    if scheme == "V/3":
        assert moved.all()  # a third, of either sign: 0.63 V and more are not quiet


def test_half_selected_devices_creep_by_a_small_share_of_a_step():
    """Nili et al. 2020 give a V/2 SET step of 1e-4 to 9e-3 of the full step."""
    model = replace(QUIET, set_spread=0.0)
    chip = make_chip((2, 2), replace(model, initial_low=200 * uS, initial_high=200 * uS), wire_resistance=0.0)
    chip.pulse(0, 0, 1.6, model.reference_width)
    steps = chip.conductances - 200 * uS
    assert 1e-4 < steps[0, 1] / steps[0, 0] < 9e-3
    assert steps[0, 1] == steps[1, 0] and steps[1, 1] == 0.0


def test_wires_take_their_share_of_a_pulse():
    """Rows are driven at the left, columns held at 0 V at the bottom: the device at the bottom left loses least."""
    steps = {}
    for place in ((15, 0), (15, 11), (0, 0), (0, 11)):
        chip = make_chip((16, 12), replace(QUIET, set_spread=0.0, initial_low=300 * uS, initial_high=300 * uS),
                         wire_resistance=10 * ohm)
        chip.pulse(*place, 1.6, 1 * us)
        steps[place] = chip.conductances[place] - 300 * uS
    assert steps[15, 0] > max(steps[15, 11], steps[0, 0]) > min(steps[15, 11], steps[0, 0]) > steps[0, 11] > 0
    assert steps[15, 0] > 5 * steps[0, 11]


def test_readings_leave_the_state_alone_and_small_pulses_too():
    chip = make_chip()
    before = chip.conductances
    chip.read_array()
    chip.pulse(1, 1, 0.4, 1e-3)
    np.testing.assert_array_equal(chip.conductances, before)
    assert (chip.n_pulses, chip.n_reads) == (1, 30)


def test_stuck_devices_and_lines_answer_to_nothing():
    everything = StuckDevices(0.3, 600 * uS, 50 * uS, 0.2, 10 * uS, 90 * uS, source="test")
    model = replace(TIO2_SWITCHING, stuck=everything, lines=LineFailures(0.1, 0.1, 1 * uS, 5e-3, source="test"))
    chip = make_chip((20, 30), model, seed=3)
    before = chip.conductances
    assert 0.4 < chip.stuck.mean() < 0.8
    assert chip.stuck.all(axis=1).any() and chip.stuck.all(axis=0).any()
    for k in range(20):
        chip.pulse(k, k, 2.0, 1 * us)
        chip.pulse(k, k + 9, -2.4, 1 * us)
    chip.read_array()
    np.testing.assert_array_equal(chip.conductances[chip.stuck], before[chip.stuck])
    written = np.zeros(chip.shape, dtype=bool)
    written[np.arange(20), np.arange(20)] = True
    assert (chip.conductances[written & ~chip.stuck] != before[written & ~chip.stuck]).all()


def test_stuck_devices_may_be_given():
    known = np.full((3, 4), np.nan)
    known[0, 3], known[2, 1] = 20 * uS, 900 * uS
    chip = make_chip((3, 4), TIO2_SWITCHING, stuck=known)
    np.testing.assert_array_equal(chip.stuck, ~np.isnan(known))
    for place in np.ndindex(3, 4):
        chip.pulse(*place, 2.0, 1 * us)
    assert (chip.conductances[0, 3], chip.conductances[2, 1]) == (20 * uS, 900 * uS)
    assert not make_chip((3, 4), TIO2_SWITCHING, stuck=np.full((3, 4), np.nan)).stuck.any()
    for bad, text in ((known.T, "shape"), (known / uS, "must lie in"), (known * -1, "must lie in")):
        with pytest.raises(ValueError, match=text):
            make_chip((3, 4), stuck=bad)


def test_drift_and_fluctuation_begin_with_a_write_and_come_to_rest():
    model = replace(QUIET, drift=-0.02 * uS, drift_spread=0.05 * uS, fluctuation=0.3 * uS, settling=100.0, quiet_voltage=0.0,
                    set_voltage=100.0, reset_voltage=100.0)  # every pulse is a write, and none moves anything
    chip = make_chip((50, 40), model, wire_resistance=0.0)
    before, traits = chip.conductances, draw_traits(model, (50, 40), np.random.default_rng(0))
    for _ in range(50):
        chip.pulse(0, 0, 0.1, 1 * us)
    chip.read_array()
    np.testing.assert_array_equal(chip.conductances, before)  # a fresh chip is at rest
    chip._paces[:] = 1.0  # as if all had just been written
    walks = []
    for n in (80, 2000):
        start = chip.conductances
        for _ in range(n):
            chip.pulse(0, 0, 0.1, 1 * us)
        assert (chip.conductances == start).all()  # told when another device is looked at
        chip.read_array()
        assert chip.conductances[0, 0] == before[0, 0]  # the device that is written does not drift meanwhile
        walks.append((chip.conductances - start).ravel()[1:])
    drifts, share = traits.drifts.ravel()[1:], np.exp(-0.8)
    for walk, of_drift, of_walk in ((walks[0], 1 - share, 1 - share**2), (walks[1], share, share**2)):
        random = walk - 100 * of_drift * drifts
        sigma = 0.3 * uS * np.sqrt(50 * of_walk)
        # 1999 devices: the mean to 4 sigma / sqrt(1999) = 9 %, the spread to 4 / sqrt(3998) = 6 % of sigma
        assert abs(random.mean()) < 0.09 * sigma
        assert abs(random.std() / sigma - 1) < 0.07
    clipped = 0.9594  # standard deviation of a normal law clipped at 2
    assert abs(traits.drifts.std() / (clipped * 0.05 * uS) - 1) < 0.07


def test_noise_and_steps_of_a_reading():
    model = replace(QUIET, read_noise=0.01)
    chip = make_chip((1, 2), model, wire_resistance=0.0)
    readings = np.array([chip.read(0, 1) for _ in range(2000)]) / chip.conductances[0, 1]
    assert abs(readings.mean() - 1) < 0.01 * 4 / np.sqrt(2000)
    assert abs(readings.std() / 0.01 - 1) < 4 / np.sqrt(4000)
    chip = make_chip((30, 2), replace(QUIET, read_step=139 * nA, read_offset=76 * nA), wire_resistance=0.0)
    steps = (chip.read_array() * 200 * mV - 76 * nA) / (139 * nA)
    np.testing.assert_allclose(steps, steps.round(), atol=1e-6)
    assert np.abs(chip.read_array() - chip.conductances).max() <= 0.5 * 139 * nA / (200 * mV) * (1 + 1e-9)
    open_chip = make_chip((2, 3), replace(QUIET, read_step=139 * nA, read_offset=76 * nA, initial_low=0.0, initial_high=0.0,
                                          g_off=0.0))
    assert (open_chip.read_array() >= 0).all()


def test_the_same_seed_is_the_same_chip_and_the_same_history():
    def history(seed):
        chip = make_chip((7, 4), TIO2_SWITCHING, seed)
        for k in range(30):
            chip.pulse(k % 7, k % 4, 1.7 if k % 3 else -2.0, 1 * us)
        return chip.read_array(), chip.conductances, chip.stuck

    for first, second in zip(history(5), history(5)):
        np.testing.assert_array_equal(first, second)
    assert (history(5)[1] != history(6)[1]).any()


def test_switching_tends_to_its_ends_and_never_passes_them():
    rng = np.random.default_rng(2)
    g = rng.uniform(QUIET.g_off, QUIET.g_on, 50)
    for volts, end in ((9.0, QUIET.g_on), (-9.0, QUIET.g_off)):
        after = switch(QUIET, g, np.full(50, volts), 1.0, np.full(50, 2.0), np.full(50, 2.5), rng)
        np.testing.assert_allclose(after, end)
    beyond = np.array([QUIET.g_on * 1.1, QUIET.g_off * 0.5])
    after = switch(QUIET, beyond, np.array([2.0, -2.0]), 1e-6, np.full(2, 2.0), np.full(2, 2.5), rng)
    np.testing.assert_array_equal(after, beyond)


def test_cycle_to_cycle_spread_is_lognormal_in_the_rate():
    model = replace(QUIET, cycle_spread=0.6)
    rng = np.random.default_rng(3)
    g = np.full(4000, 300 * uS)
    after = switch(model, g, np.full(4000, 1.4), model.reference_width, np.full(4000, 2.0), np.full(4000, 2.5), rng)
    logs = np.log(-np.log1p(-(after - g) / (model.g_on - g)))
    assert abs(logs.mean() - (1.4 - 2.0) / model.set_scale) < 4 * 0.6 / np.sqrt(4000)
    assert abs(logs.std() / 0.6 - 1) < 4 / np.sqrt(8000)


def test_closed_chip_and_bad_input():
    chip = make_chip()
    for place in ((6, 0), (0, 5), (-1, 0)):
        with pytest.raises(ValueError, match="outside the array of 6 x 5"):
            chip.read(*place)
        with pytest.raises(ValueError, match="outside the array"):
            chip.pulse(*place, 1.0, 1e-6)
    before = chip.conductances
    for amplitude, width in ((np.nan, 1e-6), (12.0, 1e-6), (1.0, -1e-6), (1.0, 0.0)):
        with pytest.raises(ValueError, match="amplitude|width"):
            chip.pulse(0, 0, amplitude, width)
    np.testing.assert_array_equal(chip.conductances, before)
    chip.make_safe()
    chip.close()
    with pytest.raises(RuntimeError, match="closed"):
        chip.read(0, 0)
    with pytest.raises(ValueError, match="scheme 'V/4' is unknown"):
        make_chip(scheme="V/4")
    with pytest.raises(TypeError, match="SwitchingModel"):
        SimulatedCrossbar((2, 3), "TIO2", rng=np.random.default_rng())
    with pytest.raises(TypeError, match="rng"):
        SimulatedCrossbar((2, 3), rng=7)
    for shape in ((3,), 3, (2, 3, 4), None):
        with pytest.raises(TypeError, match="shape must be a pair"):
            make_chip(shape)
    with pytest.raises(ValueError, match="shape must be at least 1; got 0"):
        SimulatedCrossbar((0, 3), rng=np.random.default_rng())


@pytest.mark.parametrize("change, text", [
    ({"set_scale": 0.0}, "set_scale must be above zero"), ({"g_off": 1e-3}, "g_off must not exceed g_on"),
    ({"g_on": 950}, "g_on must be"), ({"read_noise": -1}, "read_noise"), ({"fluctuation": np.nan}, "fluctuation"), ({"settling": 0}, "settling must be above zero")])
def test_bad_parameters_are_refused(change, text):
    with pytest.raises(ValueError, match=text):
        replace(TIO2_SWITCHING, **change)


def test_the_model_names_the_source_of_each_parameter():
    text = str(SwitchingModel())
    for name in ("set_voltage = 1.96 V:", "reset_exponent = 6.35:", "read_step = 1.39e-07 A:", "Nili", "stuck: 0.5 %",
                 "lines: off"):
        assert name in text
    assert all(line.count(":") for line in text.splitlines()[1:])


@pytest.mark.parametrize("g_dead", [0.0, 1e-12])  # open devices, and lines that fail as LineFailures draws them
@pytest.mark.parametrize("read_scheme", ["grounded", "floating", "V/2", "V/3"])
@pytest.mark.parametrize("scheme", ["V/2", "V/3", "floating"])
def test_dead_lines_are_read_and_pulsed_like_any_others(scheme, read_scheme, g_dead):
    """With a dead word line and a dead bit line a chip is, for all others, the smaller chip without them."""
    shape, row, column = (5, 4), 2, 1
    stuck = np.full(shape, np.nan)
    stuck[row], stuck[:, column] = g_dead, g_dead
    chip = make_chip(shape, wire_resistance=0.0, scheme=scheme, read_scheme=read_scheme, stuck=stuck)
    rows, columns = np.delete(np.arange(5), row), np.delete(np.arange(4), column)
    smaller = make_chip((4, 3), wire_resistance=0.0, scheme=scheme, read_scheme=read_scheme)
    smaller._state[:] = chip.conductances[np.ix_(rows, columns)]
    smaller._traits = type(chip._traits)(*(traits[np.ix_(rows, columns)] for traits in
                                          (chip._traits.set_voltages, chip._traits.reset_voltages, chip._traits.drifts)))
    for place, amplitude in (((0, 0), 1.9), ((3, 2), -2.1)):
        chip.pulse(int(rows[place[0]]), int(columns[place[1]]), amplitude, 1e-6)
        smaller.pulse(*place, amplitude, 1e-6)
    # Voltages to 1e-4 relative, secants to 1e-4: a few 1e-4 of a device; a dead line of 1e-12 S changes 1e-8 of it.
    np.testing.assert_allclose(chip.conductances[np.ix_(rows, columns)], smaller.conductances, rtol=1e-3)
    seen = chip.read_array()
    np.testing.assert_allclose(seen[np.ix_(rows, columns)], smaller.read_array(), rtol=1e-3)
    chip.pulse(row, column, 2.0, 1e-6)
    if read_scheme in ("grounded", "floating"):  # else other word lines, at a voltage, lead current to the bit line
        # Floating, all four devices of the dead word line lead current, 1e-12 S each and curved upwards by less than half.
        assert np.abs(seen[row]).max() <= 6e-12 and chip.read(row, column) <= 6e-12
