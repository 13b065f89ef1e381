"""The solver against closed forms (FACTS section 5), at sizes no dense matrix reaches where the form allows it."""

import numpy as np
import pytest
from circuit_cases import EPS
from oracle import (
    cubic_in_series,
    first_order_currents,
    floating_read_current,
    half_select_power,
    reduced_crossbar,
    series_current,
    spectral_device_voltages,
    third_select_power,
    uniform_ladder,
)

from tiocross import Crossbar, Cubic, Sinh, custom, read_device, solve, write_device

# Wanted of solve below; the forms themselves, and node voltages, are right to some 1e-14.
RTOL = 1e-12
ROUNDING = 1e-13


def test_one_device_in_series_5_1():
    for r_word, r_bit, r_source, r_sense in ((7.0, 11.0, 50.0, 20.0), (0.0, 11.0, 0.0, 20.0), (0.0, 0.0, 1e4, 0.0)):
        crossbar = Crossbar([[3e-4]], word_line_resistance=r_word, bit_line_resistance=r_bit, source_resistance=r_source,
                            sense_resistance=r_sense)
        expected = series_current(3e-4, 0.2, r_word, r_bit, r_source, r_sense)
        # A device hardly conducts beside its wires only: relative to the current itself.
        assert solve(crossbar, [0.2], rtol=RTOL).bit_line_currents[0] == pytest.approx(expected, rel=RTOL + ROUNDING)


@pytest.mark.parametrize("n", [8, 1000])
@pytest.mark.parametrize("r", [1e-3, 4.0, 90.0])
def test_uniform_row_and_column_5_2(n, r):
    g, volts = 4e-4, 0.3
    expected, current = uniform_ladder(g, r, volts, n)
    row = solve(Crossbar(np.full((1, n), g), word_line_resistance=r), [volts], rtol=RTOL)
    # Each device draws at most the whole current's error; beside a bit line of its own there is nothing to iterate.
    np.testing.assert_allclose(row.device_voltages[0], expected, rtol=0, atol=(RTOL + ROUNDING) * volts)
    assert row.end_currents.left[0] == pytest.approx(current, rel=n * (RTOL + ROUNDING))
    np.testing.assert_allclose(row.bit_line_currents, g * expected, rtol=0, atol=(RTOL + ROUNDING) * volts * g)
    column = solve(Crossbar(np.full((n, 1), g), bit_line_resistance=r), np.full(n, volts), rtol=RTOL)
    np.testing.assert_allclose(column.device_voltages[::-1, 0], expected, rtol=0, atol=(RTOL + ROUNDING) * volts)
    assert column.bit_line_currents[0] == pytest.approx(current, rel=n * (RTOL + ROUNDING))


@pytest.mark.parametrize("shape, r_word, r_bit", [((5, 8), 15.0, 40.0), ((7, 2), 0.3, 2.0), ((1, 6), 80.0, 5.0),
                                                  ((150, 90), 4.0, 1.5), ((60, 310), 0.5, 12.0)])
def test_uniform_array_5_3(shape, r_word, r_bit):
    g, volts = 3e-4, np.random.default_rng(1).uniform(-0.2, 0.2, shape[0])
    expected = spectral_device_voltages(g, volts, shape[1], r_word, r_bit)
    crossbar = Crossbar(np.full(shape, g), word_line_resistance=r_word, bit_line_resistance=r_bit)
    solution = solve(crossbar, volts, rtol=RTOL)
    gross = g * np.abs(expected).sum(axis=0).max()
    # The sum over modes is rounded too, by some roundings of the largest for each device of a line.
    limit = RTOL * gross + 40 * EPS * g * shape[0] * 0.2
    assert np.abs(solution.bit_line_currents - g * expected.sum(axis=0)).max() <= limit
    assert np.abs(g * (solution.device_voltages - expected)).max() <= limit


@pytest.mark.parametrize("resistances", [(0.0, 0.0), (0.0, 7.0), (3.0, 0.0), (1e-6, 50.0), (300.0, 100.0)])
def test_any_array_5_4(resistances):
    rng = np.random.default_rng(2)
    g, volts = 10 ** rng.uniform(-9, -2, (11, 17)), rng.uniform(-0.3, 0.3, 11)
    expected, gross = reduced_crossbar(g, volts, *resistances)
    crossbar = Crossbar(g, word_line_resistance=resistances[0], bit_line_resistance=resistances[1])
    found = solve(crossbar, volts).bit_line_currents
    assert np.abs(found - expected).max() <= (1e-9 + ROUNDING * len(volts)) * gross


def test_first_order_in_the_resistances_5_6():
    rng = np.random.default_rng(4)
    g, volts = rng.uniform(1e-4, 5e-4, (4, 6)), rng.uniform(-0.2, 0.2, 4)

    def left_over(r):
        crossbar = Crossbar(g, word_line_resistance=r, bit_line_resistance=3 * r)
        return solve(crossbar, volts, rtol=1e-14).bit_line_currents - first_order_currents(g, volts, r, 3 * r)

    # Second order is left: a hundredth of it at a tenth of the resistance. Third order by which that is not exact is
    # 10 lines * 0.3 ohm * 5e-4 S = 1.5e-3 of it; rounding is 1e-16 / (1.5e-4)^2, a few times 1e-9.
    np.testing.assert_allclose(left_over(0.1) / left_over(0.01), 100.0, rtol=1e-2)


def test_floating_read_of_uniform_groups_5_8():
    selected, word_line, bit_line, others = 4e3, 9e3, 6e3, 2e3
    for shape, at in (((4, 6), (2, 3)), ((90, 37), (80, 0))):
        resistances = np.full(shape, others)
        resistances[at[0]], resistances[:, at[1]], resistances[at] = word_line, bit_line, selected
        crossbar = Crossbar(1 / resistances)
        solution = solve(crossbar, read_device(crossbar, *at, 0.5), rtol=RTOL)
        expected = floating_read_current(selected, word_line, bit_line, others, *shape, 0.5)
        # Relative to the gross current, which exceeds it by the sneak currents that pass through the bit line: none here.
        assert solution.bit_line_currents[at[1]] == pytest.approx(expected, rel=RTOL + ROUNDING)
        assert solution.selected_current == pytest.approx(0.5 / selected, rel=ROUNDING)
        assert solution.sneak_current == pytest.approx(expected - 0.5 / selected, rel=RTOL + ROUNDING)
        assert np.count_nonzero(solution.bit_line_currents) == 1
        assert solution.end_currents.left[at[0]] == pytest.approx(expected, rel=RTOL + ROUNDING)


@pytest.mark.parametrize("shape, at", [((5, 3), (1, 2)), ((40, 61), (39, 0)), ((1, 4), (0, 3))])
def test_power_of_write_schemes_5_9(shape, at):
    g, volts = 2e-4, 1.5
    crossbar = Crossbar(np.full(shape, g))
    for scheme, formula in (("V/2", half_select_power), ("V/3", third_select_power)):
        solution = solve(crossbar, write_device(crossbar, *at, volts, scheme=scheme))
        expected = formula(g, volts, *shape)
        assert solution.device_power == pytest.approx(expected, rel=ROUNDING)
        assert solution.power == pytest.approx(expected, rel=ROUNDING)
        assert solution.wire_power == 0.0 and solution.selected_voltage == pytest.approx(volts, rel=ROUNDING)


@pytest.mark.parametrize("volts", [-3.0, 1e-3, 0.4, 3.0])
@pytest.mark.parametrize("c, g, r", [(0.1, 2e-4, 5e3), (40.0, 1e-2, 100.0), (1e-6, 1e-5, 1.0)])
def test_cubic_device_in_series_5_10(volts, c, g, r):
    expected = cubic_in_series(g, c, r, volts)
    crossbar = Crossbar([[g]], word_line_resistance=0.3 * r, bit_line_resistance=0.2 * r, source_resistance=0.5 * r,
                        iv=Cubic(c))
    solution = solve(crossbar, [volts], rtol=RTOL)
    # Current and voltage differ by the steepness of the law, d ln I / d ln V <= 3.
    assert solution.bit_line_currents[0] == pytest.approx(g * (expected + c * expected**3), rel=3 * (RTOL + ROUNDING))
    assert solution.device_voltages[0, 0] == pytest.approx(expected, rel=3 * (RTOL + ROUNDING))


@pytest.mark.parametrize("volts", [-3.0, 1e-3, 0.4, 3.0])
@pytest.mark.parametrize("g, r", [(1e-2, 100.0), (1e-5, 3.0), (2e-4, 1e4)])
def test_sinh_device_in_series(volts, g, r):
    v0, low, high = 0.2, min(volts, 0.0), max(volts, 0.0)
    for _ in range(80):  # halve the interval that holds the root of u + R I(u) - V, which rises
        middle = (low + high) / 2
        low, high = (low, middle) if middle + r * g * v0 * np.sinh(middle / v0) > volts else (middle, high)
    crossbar = Crossbar([[g]], bit_line_resistance=0.25 * r, sense_resistance=0.75 * r, iv=Sinh(v0))
    solution = solve(crossbar, [volts], rtol=RTOL)
    expected = g * v0 * np.sinh(low / v0)
    # d ln I / d ln V = (V / v0) coth(V / v0) is 15 at 3 V.
    assert solution.bit_line_currents[0] == pytest.approx(expected, rel=16 * (RTOL + ROUNDING))
    assert solution.device_voltages[0, 0] == pytest.approx(low, rel=16 * (RTOL + ROUNDING))


def test_a_line_held_at_both_ends_halves_the_resistance():
    # A uniform row driven at both ends is two rows of half the length driven at one, seen from the middle.
    g, r, volts, n = 4e-4, 25.0, 0.3, 12
    crossbar = Crossbar(np.full((1, 2 * n), g), word_line_resistance=r)
    both = solve(crossbar, custom(crossbar, left=volts, right=volts, bottom=0.0), rtol=RTOL)
    t = 2 * np.arcsinh(np.sqrt(r * g) / 2)
    # By symmetry no current crosses the middle segment: V_j = V cosh((2n + 1 - 2j) t / 2) / cosh((2n + 1) t / 2).
    expected = volts * np.cosh((n + 0.5 - np.arange(1, 2 * n + 1)) * t) / np.cosh((n + 0.5) * t)
    np.testing.assert_allclose(both.device_voltages[0], expected, rtol=0, atol=(RTOL + ROUNDING) * volts)
    assert both.end_currents.left[0] == pytest.approx(both.end_currents.right[0], rel=RTOL + 10 * ROUNDING)
    assert both.power == pytest.approx(volts * g * expected.sum(), rel=n * (RTOL + ROUNDING))


def test_currents_through_a_line_without_resistance():
    g = np.array([[1e-4, 2e-4, 4e-4]])
    crossbar = Crossbar(g, source_resistance=500.0)
    solution = solve(crossbar, custom(crossbar, left=0.3, right=0.2, top=[0.0, 0.0, np.nan], bottom=[np.nan, np.nan, 0.1]))
    # The word line is one node; its current comes through either end by the source resistances' share.
    node = (0.3 / 500 + 0.2 / 500 + 4e-4 * 0.1) / (2 / 500 + g.sum())
    np.testing.assert_allclose(solution.word_line_voltages[0], node, rtol=ROUNDING)
    assert solution.end_currents.left[0] == pytest.approx((0.3 - node) / 500, rel=10 * ROUNDING)
    assert solution.end_currents.right[0] == pytest.approx((0.2 - node) / 500, rel=10 * ROUNDING)
    np.testing.assert_allclose(solution.end_currents.top, [-1e-4 * node, -2e-4 * node, 0.0], rtol=10 * ROUNDING)
    assert solution.end_currents.bottom[2] == pytest.approx(4e-4 * (0.1 - node), rel=10 * ROUNDING)
    np.testing.assert_allclose(solution.bit_line_currents, -solution.end_currents.bottom, rtol=10 * ROUNDING)
