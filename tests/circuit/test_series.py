"""Selectors and transistors in series with every device: closed forms, limits, Kirchhoff's laws, split voltages."""

import pickle

import numpy as np
import pytest

from tiocross import (AbsolutePolynomial, Asymmetric, Crossbar, Cubic, Polynomial, Selector, Sinh, Solution, Tabulated,
                      Transistor, custom, read_device, read_margin, sensitivities, solve, transfer_matrix, write_device)
from tiocross.circuit.pairs import Pair, in_series
from tiocross.circuit.sequence import CircuitSequence

G = np.random.default_rng(0).uniform(1e-4, 5e-4, (5, 4))
SATURATING = Tabulated(np.linspace(-1.0, 2.0, 31), 1e-3 * 0.3 * np.tanh(np.linspace(-1.0, 2.0, 31) / 0.3))
LAWS = [None, Sinh(0.3), Cubic(2.0), Polynomial(0.8, 1.0), AbsolutePolynomial(1e-5, 2e-5), SATURATING,
        Asymmetric(Sinh(0.05), None)]


# --- the law of a pair -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("other", LAWS)
def test_both_of_a_pair_carry_one_current_at_voltages_that_add_up(law, other):
    rng = np.random.default_rng(1)
    n = 300
    g, s = 10 ** rng.uniform(-5, -3, n), 10 ** rng.uniform(-5, -1, n)
    volts = rng.choice([-1, 1], n) * 10 ** rng.uniform(-12, 0.3, n)
    pair, rest = Pair(g, s, law, other), in_series(g, s)
    currents, slopes = pair.follow(rest, volts)
    first, second = pair.split(rest, volts)
    np.testing.assert_allclose(first + second, volts, rtol=1e-15)
    for each, conductances, share in ((law, g, first), (other, s, second)):
        own = share * conductances if each is None else each.currents(conductances, share)
        slope = conductances if each is None else each.slopes(conductances, share)
        # A share is known to a few roundings of the whole voltage.
        assert (np.abs(own - currents) <= 1e-14 * np.abs(currents) + 1e-14 * slope * np.abs(volts)).all()
    step = 1e-4 * np.abs(volts)
    difference = (pair.currents(rest, volts + step) - pair.currents(rest, volts - step)) / (2 * step)
    np.testing.assert_allclose(np.median(np.abs(difference / slopes - 1)), 0, atol=1e-6)
    assert (slopes >= pair.least_slopes(rest) * (1 - 1e-12)).all()
    known = 1e-14 * (np.abs(volts) + np.abs(currents) / slopes)  # a current that saturates hardly tells the voltage
    assert (np.abs(pair.voltages(rest, currents) - volts) <= known).all()


@pytest.mark.parametrize("other", LAWS)
def test_currents_of_a_pair_rise_and_are_odd_where_both_laws_are(other):
    volts = np.linspace(-2.5, 2.5, 2001)
    pair = Pair(3e-4, 1e-5, Sinh(0.2), other)
    currents = pair.currents(in_series(3e-4, 1e-5), volts)
    assert (np.diff(currents) > 0).all() and currents[1000] == 0
    if isinstance(other, (Sinh, Cubic)) or other is None:
        np.testing.assert_allclose(currents, -currents[::-1], rtol=1e-12)


def test_a_pair_of_very_different_devices_is_the_poorer_one():
    for g, s in ((1e-3, 1e-12), (1e-12, 1e-3)):
        volts = np.array([-1.0, 1e-6, 0.7])
        pair, lesser = Pair(g, s, Cubic(1.0), Sinh(0.5)), (Sinh(0.5), s) if s < g else (Cubic(1.0), g)
        np.testing.assert_allclose(pair.currents(1e-12, volts), lesser[0].currents(lesser[1], volts), rtol=1e-7)


# --- closed forms ----------------------------------------------------------------------------------------------------


def single(g, law, series, voltage, resistance=0.0):
    crossbar = Crossbar([[g]], source_resistance=resistance, iv=law, series=series)
    return solve(crossbar, [voltage], rtol=1e-12)


def test_one_ohmic_device_behind_a_transistor_and_wires():
    solution = single(2e-4, None, Transistor(3_000.0), 0.4, 500.0)
    current = 0.4 / (5_000.0 + 3_000.0 + 500.0)
    assert solution.bit_line_currents[0] == pytest.approx(current, rel=1e-13)
    assert solution.device_voltages[0, 0] == pytest.approx(5_000.0 * current, rel=1e-13)
    assert solution.series_voltages[0, 0] == pytest.approx(3_000.0 * current, rel=1e-13)


@pytest.mark.parametrize("voltage", [-2.0, -0.1, 0.3, 1.5])
def test_a_cubic_device_behind_a_transistor_is_the_root_of_cardano(voltage):
    """V = u + R G (u + c u^3): the real root of u^3 + 3 p u = 2 q."""
    g, c, on, wire = 3e-4, 2.0, 4_000.0, 700.0
    k = (on + wire) * g
    p, q = (1 + k) / (3 * k * c), voltage / (2 * k * c)
    root = np.sqrt(q**2 + p**3)
    u = np.cbrt(q + root) + np.cbrt(q - root)
    solution = single(g, Cubic(c), Transistor(on), voltage, wire)
    assert solution.device_voltages[0, 0] == pytest.approx(u, rel=1e-10)
    assert solution.series_voltages[0, 0] == pytest.approx(on * g * (u + c * u**3), rel=1e-10)


@pytest.mark.parametrize("voltage", [0.8, 1.5, 3.0])
def test_an_ohmic_device_behind_an_exponential_selector_is_lambert_w(voltage):
    """Far above v0, sinh is half an exponential: V = I R + v0 ln(2 I / S v0), so I = (v0 / R) W((R S / 2) exp(V / v0))."""
    g, s, v0 = 2e-4, 1e-9, 0.05
    z = np.log(s / (2 * g)) + voltage / v0
    w = z
    for _ in range(50):
        w = w * (1 + z - np.log(w)) / (1 + w)  # Newton's method for w + ln w = z
    solution = single(g, None, Selector(Sinh(v0), s), voltage)
    # The other half is (S v0 / 2 I)^2 of it.
    assert solution.bit_line_currents[0] == pytest.approx(g * v0 * w, rel=1e-9)
    assert solution.series_voltages[0, 0] == pytest.approx(voltage - v0 * w, rel=1e-9)


# --- ohmic pairs -----------------------------------------------------------------------------------------------------


def test_ohmic_devices_behind_transistors_stay_ohmic():
    on = np.random.default_rng(1).uniform(1e3, 4e3, G.shape)
    crossbar = Crossbar(G, 20.0, series=Transistor(on))
    plain = Crossbar(G / (1 + G * on), 20.0)
    assert crossbar.equivalent.iv is None
    np.testing.assert_allclose(transfer_matrix(crossbar), transfer_matrix(plain), rtol=1e-12)
    batch = np.random.default_rng(2).uniform(-0.2, 0.2, (70, 5))
    currents = solve(crossbar, batch).bit_line_currents
    np.testing.assert_allclose(currents, batch @ transfer_matrix(plain), rtol=1e-8, atol=1e-14)
    solution = solve(crossbar, batch[0])
    np.testing.assert_allclose(solution.device_voltages * G, solution.series_voltages / on, rtol=1e-12)
    assert (solution.uncertainty < 1e-9 * np.abs(solution.device_currents).sum(axis=0).max()).all()


@pytest.mark.parametrize("law", [None, Sinh(0.3)])
@pytest.mark.parametrize(("along", "gates"), [("word lines", [1, 0, 1, 1, 0]), ("bit lines", [0, 1, 1, 0])])
def test_a_gate_that_is_off_opens_its_devices(along, gates, law):
    gates = np.array(gates, bool)
    mask = np.broadcast_to(gates[:, None] if along == "word lines" else gates, G.shape)
    crossbar = Crossbar(G, 20.0, iv=law, series=Transistor(2_000.0, gates=gates, along=along))
    opened = Crossbar(np.where(mask, G, 0.0), 20.0, iv=law, series=Transistor(2_000.0))
    volts = np.linspace(-0.7, 0.8, 5)
    one, other = (solve(each, volts) for each in (crossbar, opened))
    np.testing.assert_allclose(one.bit_line_currents, other.bit_line_currents, rtol=1e-12, atol=1e-18)
    nodes = one.word_line_voltages - one.bit_line_voltages
    assert (one.device_voltages[~mask] == 0).all() and (one.series_voltages[~mask] == nodes[~mask]).all()
    assert (other.device_voltages[~mask] == nodes[~mask]).all() and (other.series_voltages[~mask] == 0).all()
    assert (one.device_currents[~mask] == 0).all()


def test_only_the_selected_word_line_is_written_where_the_gates_of_the_others_are_off():
    crossbar = Crossbar(G, 2.0, series=Transistor(1_000.0, gates=np.arange(5) == 3))
    solution = solve(crossbar, write_device(crossbar, 3, 1, 1.2))
    others = np.delete(solution.device_voltages, 3, axis=0)
    assert (others == 0).all() and solution.selected_voltage == solution.device_voltages[3, 1]
    assert solution.selected_voltage < 1.2 / (1 + 1_000.0 * G[3, 1])


def test_floating_lines_without_any_transistor_that_is_on_are_undetermined():
    crossbar = Crossbar(G, 2.0, series=Transistor(1_000.0, gates=np.arange(4) != 2, along="bit lines"))
    solution = solve(crossbar, custom(crossbar, left=0.2, bottom=[0.0, 0.0, np.nan, 0.0]))
    assert solution.undetermined_bit_lines.tolist() == [False, False, True, False]
    assert (solution.device_voltages[:, 2] == 0).all() and np.isnan(solution.series_voltages[:, 2]).all()
    assert np.isfinite(solution.power) and np.isfinite(solution.series_power)


# --- any laws --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", LAWS[:4])
@pytest.mark.parametrize("series", [
    Selector(Sinh(0.05), 1e-8), Selector(SATURATING), Transistor(2_000.0, gates=np.arange(5) != 1),
    Transistor(iv=SATURATING), Selector(Asymmetric(Sinh(0.1), Cubic(3.0)), np.full((5, 4), 1e-5))])
def test_circuits_of_pairs_obey_kirchhoff(law, series):
    crossbar = Crossbar(G, 20.0, iv=law, series=series)
    for biasing in ([1.2, -0.9, 0.4, -1.3, 0.0], read_device(crossbar, 0, 2, 0.9), write_device(crossbar, 3, 0, 1.5)):
        solution = solve(crossbar, biasing)
        u, s, currents = solution.device_voltages, solution.series_voltages, solution.device_currents
        nodes = solution.word_line_voltages - solution.bit_line_voltages
        np.testing.assert_allclose(u + s, nodes, rtol=0, atol=1e-15)
        np.testing.assert_allclose(crossbar.currents(u), currents, rtol=1e-10, atol=1e-16)
        drops = np.cumsum(currents[:, ::-1], axis=1)[:, ::-1] * 20.0
        before = np.concatenate([solution.biasing.left[:, None], solution.word_line_voltages[:, :-1]], axis=1)
        driven = ~np.isnan(solution.biasing.left)
        np.testing.assert_allclose((before - solution.word_line_voltages)[driven], drops[driven], atol=1e-7)
        sensed = ~np.isnan(solution.biasing.bottom)
        np.testing.assert_allclose(currents.sum(axis=0)[sensed], solution.bit_line_currents[sensed], rtol=0,
                                   atol=1e-8 * np.abs(currents).sum(axis=0).max())
        powers = solution.device_power, solution.series_power, solution.wire_power
        assert solution.power == pytest.approx(sum(powers), rel=1e-7) and min(powers) > 0


@pytest.mark.parametrize("law", [None, Sinh(0.3), AbsolutePolynomial(1e-5, 1e-4)])
@pytest.mark.parametrize("series", [
    Selector(Sinh(0.1), 1e-5), Transistor(2_000.0, gates=np.arange(4) != 1, along="bit lines"), Transistor(iv=SATURATING)])
def test_sensitivities_are_the_derivatives_by_the_conductances_of_the_devices(law, series):
    rng = np.random.default_rng(3)
    volts, weights, direction = rng.uniform(-0.8, 0.8, 5), rng.normal(size=4), rng.uniform(-1e-4, 1e-4, G.shape)
    found = (sensitivities(Crossbar(G, 30.0, iv=law, series=series), volts, weights, rtol=1e-12) * direction).sum()
    step = 3e-3
    near, far = (sum(sign * solve(Crossbar(G + sign * k * step * direction, 30.0, iv=law, series=series), volts,
                                  rtol=1e-12).bit_line_currents @ weights for sign in (1, -1)) for k in (1, 2))
    assert found == pytest.approx((8 * near - far) / (12 * step), rel=1e-7)  # rounding over the step: 1e-9


@pytest.mark.parametrize("law", [None, Cubic(1.0)])
def test_transistors_without_resistance_are_not_there(law):
    volts = np.linspace(-0.7, 0.8, 5)
    bare = solve(Crossbar(G, 20.0, iv=law), volts, rtol=1e-11)
    for on, apart in ((1e-3, 3e-6), (0.0, 1e-10)):  # of 1 / G = 2 kohm at least
        behind = solve(Crossbar(G, 20.0, iv=law, series=Transistor(on)), volts, rtol=1e-11)
        np.testing.assert_allclose(behind.bit_line_currents, bare.bit_line_currents, rtol=apart)
        np.testing.assert_allclose(behind.device_voltages, bare.device_voltages, rtol=0, atol=apart)


@pytest.mark.parametrize("law", [None, Cubic(1.0)])
def test_a_straight_measured_curve_is_a_resistance(law):
    volts = np.linspace(-0.7, 0.8, 5)
    line = Tabulated([-1.0, 0.2, 1.0], np.array([-1.0, 0.2, 1.0]) / 1_500.0)
    one, other = (solve(Crossbar(G, 20.0, iv=law, series=series), volts, rtol=1e-11).bit_line_currents
                  for series in (Transistor(iv=line), Selector(None, 1 / 1_500.0)))
    np.testing.assert_allclose(one, other, rtol=1e-10)


def test_many_arrays_and_inputs_are_solved_one_by_one():
    rng = np.random.default_rng(4)
    g, on, gates = rng.uniform(1e-4, 5e-4, (3, 1, 5, 4)), rng.uniform(1e3, 2e3, (5, 4)), rng.random((3, 1, 5)) < 0.7
    inputs = rng.uniform(-0.5, 0.5, (2, 5))
    for law in (None, Sinh(0.3)):
        solution = solve(Crossbar(g, 9.0, iv=law, series=Transistor(on, gates=gates)), inputs)
        assert solution.bit_line_currents.shape == (3, 2, 4)
        for c in range(3):
            for k in range(2):
                one = solve(Crossbar(g[c, 0], 9.0, iv=law, series=Transistor(on, gates=gates[c, 0])), inputs[k])
                np.testing.assert_allclose(solution.bit_line_currents[c, k], one.bit_line_currents, rtol=1e-7, atol=1e-12)
                np.testing.assert_allclose(solution.device_voltages[c, k], one.device_voltages, rtol=0, atol=1e-8)


def test_selectors_widen_the_margin_of_a_read():
    margins = [float(read_margin(Crossbar(np.full((8, 6), 4e-4), 2.0, series=series), 2, 3, 1.0, low=1e-4, high=4e-4))
               for series in (None, Selector(Sinh(0.05), 1e-8))]
    assert margins[0] < 0.3 and margins[1] > 0.4


# --- records and errors ----------------------------------------------------------------------------------------------


def test_records_are_copied_and_shown():
    series = Transistor([[1e3] * 4] * 5, gates=np.arange(5) < 2, iv=Sinh(0.5))
    crossbar = Crossbar(G, 2.0, series=series)
    again = pickle.loads(pickle.dumps(crossbar))
    np.testing.assert_array_equal(again.equivalent.conductances, crossbar.equivalent.conductances)
    assert not again.series.on_resistance.flags.writeable and not again.series.gates.flags.writeable
    assert repr(again.series) == ("Transistor(on_resistance=<5 x 4 array>, gates=<5 array>, along='word lines', "
                                  "iv=Sinh(v0=0.5))")
    assert repr(crossbar).endswith("wires 2 ohm, Transistors in series>")
    assert Crossbar(G).equivalent.conductances is not None and Crossbar(G).series is None


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Crossbar(G, series=2_000.0), TypeError, "series must be a Selector, a Transistor or None; got 2000.0"),
    (lambda: Selector(Sinh(0.1)), ValueError, "conductances must be given, unless iv is a measured curve"),
    (lambda: Transistor(), ValueError, "on_resistance must be given, unless iv is a measured curve"),
    (lambda: Selector(None, 120.0), ValueError, r"conductances of the selectors must lie in \[0, 1\] S; got 120"),
    (lambda: Transistor(-1.0), ValueError, r"on_resistance must lie in \[0, 1e\+15\] ohm; got -1"),
    (lambda: Transistor(1e3, along="rows"), ValueError, "along 'rows' is unknown"),
    (lambda: Transistor(1e3, gates=[1.0, 0.3]), TypeError, "gates must be True or False, .*got a list of float64"),
    (lambda: Crossbar(G, series=Transistor(1e3, gates=[True] * 4)), ValueError,
     "gates must be one bool for each of the 5 word lines, along which the gate lines run; got 4"),
    (lambda: Crossbar(G, series=Transistor(np.full((4, 5), 1e3))), ValueError,
     r"gates and on_resistance of the Transistor must be one number or fit the conductances \(5, 4\)"),
    (lambda: Crossbar(G, series=Selector(None, np.full(3, 1e-3))), ValueError, "conductances of the Selector must be one"),
    (lambda: Crossbar(G, series=Selector(2.0, 1e-3)), TypeError, "iv must be Sinh"),
    (lambda: Crossbar(G, series=Selector(AbsolutePolynomial(1e-4, 1e-5), 1e-5)), ValueError, "for G = 1e-05 S at word line"),
    (lambda: transfer_matrix(Crossbar(G, series=Selector(Sinh(0.1), 1e-3))), ValueError, "a Sinh law have no transfer"),
    (lambda: CircuitSequence(Crossbar(G, series=Transistor(1e3))), ValueError, "with nothing in series; got"),
])
def test_bad_series(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("law", [None, Cubic(1.0)])
def test_segments_that_differ_and_broken_ones_go_with_transistors(law, tmp_path):
    rng = np.random.default_rng(5)
    segments = rng.uniform(1.0, 5.0, (5, 5))
    segments[2, 1] = np.inf
    wires, volts = {"wire_resistance": 3.0, "word_line_resistance": segments}, rng.uniform(-1.0, 1.0, 5)
    crossbar = Crossbar(G, **wires, iv=law, series=Transistor(2_000.0))
    solution = solve(pickle.loads(pickle.dumps(crossbar)), volts, rtol=1e-8)
    drops = solution.word_line_voltages[:, :-1] - solution.word_line_voltages[:, 1:]
    carried = np.cumsum(solution.device_currents[:, ::-1], axis=1)[:, ::-1][:, 1:]
    whole = np.arange(5) != 2
    np.testing.assert_allclose(drops[whole], (segments[:, 1:-1] * carried)[whole], rtol=0, atol=1e-7)
    powers = solution.device_power, solution.series_power, solution.wire_power
    assert solution.power == pytest.approx(sum(powers), rel=1e-7)
    solution.save(tmp_path / "state.npz")
    again = Solution.load(tmp_path / "state.npz")
    np.testing.assert_array_equal(again.series_voltages, solution.series_voltages)
    if law is None:
        plain = Crossbar(G / (1 + 2_000.0 * G), **wires)
        np.testing.assert_allclose(transfer_matrix(crossbar), transfer_matrix(plain), rtol=1e-9, atol=1e-18)
