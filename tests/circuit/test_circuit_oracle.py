"""The reference for general circuits agrees with closed forms, exact arithmetic, conservation laws and limits."""

from fractions import Fraction

import numpy as np
import pytest
from oracle import (
    cubic_in_series,
    dense_circuit,
    first_order_currents,
    floating_read_current,
    half_select_power,
    kirchhoff_sums,
    random_circuit,
    reduced_crossbar,
    series_current,
    spectral_device_voltages,
    third_select_power,
    uniform_ladder,
)

pytestmark = pytest.mark.slow  # it tests the reference, which changes rarely

# Rounding of the closed forms (a few functions, each right to float64) or, without a wider np.longdouble, of the oracle.
ROUNDING = max(1e-14, 1e3 * float(np.finfo(np.longdouble).eps))
FLOATING = np.nan
RESISTANCES = ("word_line_resistance", "bit_line_resistance", "source_resistance", "sense_resistance")


def read(conductances, voltages, r_word, r_bit, **rest):
    return dense_circuit(conductances, voltages, FLOATING, FLOATING, 0.0, word_line_resistance=r_word,
                         bit_line_resistance=r_bit, **rest)


def out(solution):
    return -solution.end_currents.bottom


def nodal_crossbar(conductances, voltages, wire_resistance):
    """Currents [A] and node voltages [V] of one crossbar from the full nodal matrix, one conductance at a time.

    Nodes 0 .. MN-1 lie on word lines, MN .. 2MN-1 on bit lines. Word lines are driven at the left, bit lines grounded at
    the bottom, each through one segment. The wires must have a resistance above zero.
    """
    n_word, n_bit = np.shape(conductances)
    n = n_word * n_bit
    matrix, sources = np.zeros((2 * n, 2 * n)), np.zeros(2 * n)
    g_wire = 1 / wire_resistance

    def join(p, q, g):
        matrix[p, p] += g
        matrix[q, q] += g
        matrix[p, q] -= g
        matrix[q, p] -= g

    for i in range(n_word):
        for j in range(n_bit):
            word, bit = i * n_bit + j, n + i * n_bit + j
            join(word, bit, conductances[i][j])
            if j == 0:
                matrix[word, word] += g_wire
                sources[word] += g_wire * voltages[i]
            else:
                join(word, word - 1, g_wire)
            if i == n_word - 1:
                matrix[bit, bit] += g_wire
            else:
                join(bit, bit + n_bit, g_wire)
    nodes = np.linalg.solve(matrix, sources)
    word, bit = nodes[:n].reshape(n_word, n_bit), nodes[n:].reshape(n_word, n_bit)
    return bit[-1] * g_wire, word, bit


# --- closed forms --------------------------------------------------------------------------------------------------------


def test_one_device_in_series_5_1():
    for resistances in ((7.0, 11.0, 50.0, 20.0), (0.0, 11.0, 0.0, 20.0), (0.0, 0.0, 0.0, 0.0)):
        solution = read([[3e-4]], 0.2, *resistances[:2], source_resistance=resistances[2], sense_resistance=resistances[3])
        assert out(solution)[0] == pytest.approx(series_current(3e-4, 0.2, *resistances), rel=ROUNDING)


@pytest.mark.parametrize("r", [1e-3, 4.0, 90.0])
def test_uniform_row_and_column_5_2(r):
    g, volts, n = 4e-4, 0.3, 8
    expected, current = uniform_ladder(g, r, volts, n)
    row = read(np.full((1, n), g), volts, r, 0.0)
    np.testing.assert_allclose(row.device_voltages[0], expected, rtol=ROUNDING)
    assert row.end_currents.left[0] == pytest.approx(current, rel=ROUNDING)
    column = read(np.full((n, 1), g), volts, 0.0, r)
    np.testing.assert_allclose(column.device_voltages[::-1, 0], expected, rtol=ROUNDING)
    assert out(column)[0] == pytest.approx(current, rel=ROUNDING)


@pytest.mark.parametrize("shape, r_word, r_bit", [((5, 8), 15.0, 40.0), ((7, 2), 0.3, 2.0), ((1, 6), 80.0, 5.0)])
def test_uniform_array_5_3(shape, r_word, r_bit):
    g, volts = 3e-4, np.random.default_rng(1).uniform(-0.2, 0.2, shape[0])
    expected = spectral_device_voltages(g, volts, shape[1], r_word, r_bit)
    solution = read(np.full(shape, g), volts, r_word, r_bit)
    np.testing.assert_allclose(solution.device_voltages, expected, rtol=0, atol=10 * ROUNDING * 0.2)
    np.testing.assert_allclose(out(solution), g * expected.sum(axis=0), rtol=0, atol=10 * ROUNDING * 0.2 * g * shape[0])


@pytest.mark.parametrize("resistance", [0.0, 1e-3, 5.0])
def test_any_array_5_4(resistance):
    rng = np.random.default_rng(2)
    g, volts = 10 ** rng.uniform(-8, -2, (6, 4)), rng.uniform(-0.3, 0.3, 6)
    expected, gross = reduced_crossbar(g, volts, resistance, 3 * resistance)
    np.testing.assert_allclose(out(read(g, volts, resistance, 3 * resistance)), expected, rtol=0, atol=1e-13 * gross)
    if resistance:
        _, word, bit = nodal_crossbar(g, volts, resistance)
        solution = read(g, volts, resistance, resistance)
        # The nodal matrix of plain float64 loses as many digits as its conductances are apart: 1e3 S to 1e-8 S.
        np.testing.assert_allclose(solution.word_line_voltages, word, rtol=0, atol=1e-11)
        np.testing.assert_allclose(solution.bit_line_voltages, bit, rtol=0, atol=1e-11)


def test_sensitivity_is_a_product_of_device_voltages_5_5():
    rng = np.random.default_rng(3)
    g, volts, step = rng.uniform(1e-4, 5e-4, (3, 5)), rng.uniform(-0.3, 0.3, 3), 1e-8
    driven = read(g, volts, 20.0, 30.0).device_voltages
    for c in range(5):
        adjoint = dense_circuit(g, 0.0, FLOATING, FLOATING, -np.eye(5)[c], word_line_resistance=20.0,
                                bit_line_resistance=30.0)
        change = np.zeros_like(g)
        change[1, 4] = step
        slope = (out(read(g + change, volts, 20.0, 30.0)) - out(read(g - change, volts, 20.0, 30.0)))[c] / (2 * step)
        # Rounding of a current of 1e-4 A over the step, and the third order of the step: (r g)^2 of 1e-10.
        assert slope == pytest.approx((driven * adjoint.device_voltages)[1, 4], rel=1e-8, abs=1e-11)


def test_first_order_in_the_resistances_5_6():
    rng = np.random.default_rng(4)
    g, volts = rng.uniform(1e-4, 5e-4, (4, 6)), rng.uniform(-0.2, 0.2, 4)

    def left_over(r):
        return out(read(g, volts, r, 2 * r)) - first_order_currents(g, volts, r, 2 * r)

    np.testing.assert_allclose(left_over(0.0), 0.0, atol=1e-18)  # 5.7: I = V G, rounded
    # Second order is left: a hundredth of it at a tenth of the resistance, and third order by which that is not exact.
    np.testing.assert_allclose(left_over(1e-2) / left_over(1e-3), 100.0, rtol=1e-3)


def test_floating_read_5_8():
    selected, word_line, bit_line, others = 4e3, 9e3, 6e3, 2e3
    resistances = np.full((4, 6), others)
    resistances[2], resistances[:, 3], resistances[2, 3] = word_line, bit_line, selected
    left, bottom = np.full(4, FLOATING), np.full(6, FLOATING)
    left[2], bottom[3] = 0.5, 0.0
    solution = dense_circuit(1 / resistances, left, FLOATING, FLOATING, bottom, word_line_resistance=0.0,
                             bit_line_resistance=0.0)
    expected = floating_read_current(selected, word_line, bit_line, others, 4, 6, 0.5)
    assert out(solution)[3] == pytest.approx(expected, rel=ROUNDING)
    assert np.count_nonzero(solution.end_currents.bottom) == 1 and solution.end_currents.left[2] == pytest.approx(expected)


def test_write_schemes_5_9():
    g, volts, (m, n) = 2e-4, 1.5, (5, 3)
    for word, bit, formula in ((1 / 2, 1 / 2, half_select_power), (1 / 3, 2 / 3, third_select_power)):
        left, bottom = np.full(m, word * volts), np.full(n, bit * volts)
        left[1], bottom[2] = volts, 0.0
        solution = dense_circuit(np.full((m, n), g), left, FLOATING, FLOATING, bottom, word_line_resistance=0.0,
                                 bit_line_resistance=0.0)
        assert solution.device_power == pytest.approx(formula(g, volts, m, n), rel=ROUNDING)
        supplied = left @ solution.end_currents.left + bottom @ solution.end_currents.bottom
        assert supplied == pytest.approx(solution.device_power, rel=ROUNDING) and solution.wire_power == 0.0


@pytest.mark.parametrize("volts", [-3.0, 1e-3, 0.4, 3.0])
@pytest.mark.parametrize("c, g, r", [(0.1, 2e-4, 5e3), (40.0, 1e-2, 100.0), (1e-6, 1e-5, 1.0)])
def test_cubic_device_in_series_5_10(volts, c, g, r):
    expected = cubic_in_series(g, c, r, volts)
    solution = read([[g]], volts, 0.3 * r, 0.2 * r, source_resistance=0.5 * r, iv=("cubic", c))
    assert solution.device_voltages[0, 0] == pytest.approx(expected, rel=ROUNDING)
    assert out(solution)[0] == pytest.approx(g * (expected + c * expected**3), rel=3 * ROUNDING)


@pytest.mark.parametrize("g, r", [(1e-2, 100.0), (1e-5, 3.0), (2e-4, 1e4)])
def test_sinh_device_in_series(g, r):
    v0, volts, low, high = 0.2, 3.0, 0.0, 3.0
    for _ in range(60):  # halve the interval that holds the root of u + R I(u) - V, which rises
        middle = (low + high) / 2
        low, high = (low, middle) if middle + r * g * v0 * np.sinh(middle / v0) > volts else (middle, high)
    solution = read([[g]], volts, 0.0, 0.25 * r, sense_resistance=0.75 * r, iv=("sinh", v0))
    assert solution.device_voltages[0, 0] == pytest.approx(low, rel=ROUNDING)
    assert out(solution)[0] == pytest.approx((volts - solution.device_voltages[0, 0]) / r, rel=1e-9)


def test_odd_symmetry_5_10():
    rng = np.random.default_rng(5)
    for law in (("sinh", rng.uniform(0.2, 0.4, (2, 5))), ("cubic", 2.0)):
        g, volts = rng.uniform(1e-4, 5e-4, (2, 5)), np.array([0.8, -0.3])
        plus, minus = (out(read(g, sign * volts, 10.0, 0.0, iv=law)) for sign in (1, -1))
        np.testing.assert_allclose(plus, -minus, rtol=ROUNDING)


# --- exact arithmetic ----------------------------------------------------------------------------------------------------


def exact_read(conductances, voltages, r_word, r_bit):
    """Device voltages of the default read in rational numbers, from u + r_b K_b (G o u) + r_w (G o u) K_w = V 1^T (5.4)."""
    m, n = conductances.shape
    g, r_word, r_bit = [Fraction(value) for value in conductances.ravel()], Fraction(r_word), Fraction(r_bit)
    rows = []
    for i in range(m):
        for j in range(n):
            row = [Fraction(0)] * (m * n) + [Fraction(voltages[i])]
            row[i * n + j] += 1
            for k in range(n):
                row[i * n + k] += r_word * (min(j, k) + 1) * g[i * n + k]
            for k in range(m):
                row[k * n + j] += r_bit * min(m - i, m - k) * g[k * n + j]
            rows.append(row)
    for k, pivot in enumerate(rows):  # Gauss-Jordan; the leading minors are positive
        pivot[:] = [value / pivot[k] for value in pivot]
        for row in rows:
            if row is not pivot:
                row[:] = [value - row[k] * above for value, above in zip(row, pivot)]
    return np.array([float(row[-1]) for row in rows]).reshape(m, n)


@pytest.mark.parametrize("r_word, r_bit", [(1e-6, 1e-6), (0.0, 1e-6), (100.0, 1e-6), (1e-3, 100.0)])
def test_tiny_resistances_beside_tiny_conductances_cost_no_digits(r_word, r_bit):
    g = 10 ** np.random.default_rng(6).uniform(-9, -2, (3, 4))
    volts = np.array([0.2, -0.15, 0.3])
    expected = exact_read(g, volts, r_word, r_bit)
    solution = read(g, volts, r_word, r_bit)
    tolerance = 0.3 * max(4e-16, 1e3 * float(np.finfo(np.longdouble).eps))  # float64 of the record, or the stated accuracy
    np.testing.assert_allclose(solution.device_voltages, expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(solution.device_currents, g * expected, rtol=0, atol=tolerance * g.max())
    np.testing.assert_allclose(out(solution), (g * expected).sum(axis=0), rtol=0, atol=3 * tolerance * g.max())


# --- conservation, balance, limits -------------------------------------------------------------------------------------

SEEDS = range(40)
# A device between ends of at most 0.5 V sees 1 V: cosh(1 / 0.15) = 393 for sinh, 1 + 3 * 5 = 16 for cubic.
STEEPEST = 400.0


def end_voltages(circuit):
    return [np.nan_to_num(circuit[name]) for name in ("left", "right", "top", "bottom")]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_circuits_conserve_current_and_power(seed):
    circuit = random_circuit(np.random.default_rng(seed), nonlinear=seed % 2 == 1)
    solution = dense_circuit(**circuit)
    entering = np.concatenate(solution.end_currents)
    # Sums of at most 36 + 81 numbers of float64; the currents are right to 1e-17 of what devices carry at the largest end
    # voltage. Ends that drive each other through a line carry much more: it cancels in the sum, up to rounding.
    devices = STEEPEST * circuit["conductances"].sum()
    assert abs(entering.sum()) <= ROUNDING * (np.abs(entering).sum() + devices)
    supplied = sum(volts @ amps for volts, amps in zip(end_voltages(circuit), solution.end_currents))
    gross = sum(np.abs(volts) @ np.abs(amps) for volts, amps in zip(end_voltages(circuit), solution.end_currents))
    assert supplied == pytest.approx(solution.device_power + solution.wire_power, rel=0, abs=ROUNDING * (gross + devices))
    assert solution.device_power >= 0 and solution.wire_power >= 0
    in_devices = (solution.device_currents * solution.device_voltages).sum()
    assert solution.device_power == pytest.approx(in_devices, rel=1e-13, abs=0)
    for name, amps in zip(("left", "right", "top", "bottom"), solution.end_currents):
        assert not amps[np.isnan(circuit[name])].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_random_circuits_balance(seed):
    circuit = random_circuit(np.random.default_rng(seed), zeros=False, nonlinear=seed % 2 == 1)
    solution = dense_circuit(**circuit)
    sums = kirchhoff_sums(solution.word_line_voltages, solution.bit_line_voltages, **circuit)
    # The voltages were rounded to float64, at most 0.5 V * 2^-53 each: so much current through four neighbours' branches.
    smallest = min(np.min(circuit[name]) for name in RESISTANCES[:2])
    limit = 5 * 0.5 * 2.0**-52 * (1 / smallest + STEEPEST * circuit["conductances"].max())
    assert max(np.abs(part).max() for part in sums) <= limit
    # The ends by Ohm's law in the last segment: another way than summing the devices.
    last = [circuit[wire] + circuit[extra] for wire, extra in zip(RESISTANCES[:2], RESISTANCES[2:])]
    word, bit = solution.word_line_voltages, solution.bit_line_voltages
    neighbours = {"left": (word[:, 0], last[0]), "right": (word[:, -1], last[0]),
                  "top": (bit[0], last[1]), "bottom": (bit[-1], last[1])}
    for name, (volts, resistance) in neighbours.items():
        amps = np.nan_to_num((circuit[name] - volts) / resistance)
        np.testing.assert_allclose(amps, getattr(solution.end_currents, name), rtol=1e-13, atol=limit)


def test_kirchhoff_sums_of_one_node_by_hand():
    rng = np.random.default_rng(7)
    word, bit = rng.uniform(-1, 1, (2, 2, 3))
    g = rng.uniform(1e-4, 5e-4, (2, 3))
    word_sum, bit_sum = kirchhoff_sums(
        word, bit, g, [0.3, FLOATING], [FLOATING, 0.1], FLOATING, [0.0, FLOATING, -0.2], word_line_resistance=[2.0, 5.0],
        bit_line_resistance=[3.0, 4.0, 7.0], source_resistance=[10.0, 20.0], sense_resistance=30.0, iv=("cubic", 2.0))
    v = word - bit
    device = g * (v + 2 * v**3)
    assert word_sum[0, 0] == pytest.approx((0.3 - word[0, 0]) / 12 + (word[0, 1] - word[0, 0]) / 2 - device[0, 0])
    assert word_sum[1, 2] == pytest.approx((0.1 - word[1, 2]) / 25 + (word[1, 1] - word[1, 2]) / 5 - device[1, 2])
    assert bit_sum[1, 2] == pytest.approx((-0.2 - bit[1, 2]) / 37 + (bit[0, 2] - bit[1, 2]) / 7 + device[1, 2])
    assert bit_sum[0, 1] == pytest.approx((bit[1, 1] - bit[0, 1]) / 4 + device[0, 1])


@pytest.mark.parametrize("seed", range(24))
def test_zero_resistance_is_the_limit_of_small_ones(seed):
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, nonlinear=seed % 3 == 1)
    for name in RESISTANCES:
        circuit[name] = np.where(rng.random() < 0.3, 0.0, circuit[name])
    for first, last, *names in (("left", "right", *RESISTANCES[::2]), ("top", "bottom", *RESISTANCES[1::2])):
        bare = np.broadcast_to(sum(circuit[name] for name in names) == 0, circuit[last].shape)
        circuit[last] = np.where(bare & ~np.isnan(circuit[first]), np.nan, circuit[last])
        circuit[first] = np.where(np.isnan(circuit[first]) & np.isnan(circuit[last]), 0.0, circuit[first])

    def state(least):
        shifted = {name: np.where(circuit[name] == 0, least, circuit[name]) for name in RESISTANCES}
        solution = dense_circuit(**{**circuit, **shifted})
        return np.concatenate([solution.word_line_voltages.ravel(), solution.bit_line_voltages.ravel(),
                               *solution.end_currents, [solution.device_power, solution.wire_power]])

    limit = state(0.0)
    far, near = (state(least) - limit for least in (1e-5, 1e-6))
    # Linear in the small resistance, but for rounding and a second order: ten segments of 1e-5 ohm are 10 % of the least
    # resistance beside them, 1e-3 ohm, and stand in a first order that is itself ten times smaller here.
    np.testing.assert_allclose(near, far / 10, rtol=0, atol=1e-2 * np.abs(far).max() + 1e-15 * np.abs(limit).max())
    assert np.abs(near).max() <= 1e-2 * np.abs(limit).max()


def test_currents_through_a_line_without_resistance_are_known():
    g = np.array([[1e-4, 2e-4, 4e-4]])
    # The word line is one node; its current leaves through either end by the source resistances' share.
    solution = dense_circuit(g, 0.3, 0.2, [0.0, 0.0, FLOATING], [FLOATING, FLOATING, 0.1], word_line_resistance=0.0,
                             bit_line_resistance=0.0, source_resistance=500.0)
    node = (0.3 / 500 + 0.2 / 500 + 4e-4 * 0.1) / (2 / 500 + g.sum())
    np.testing.assert_allclose(solution.word_line_voltages, node, rtol=ROUNDING)
    assert solution.end_currents.left[0] == pytest.approx((0.3 - node) / 500, rel=ROUNDING)
    assert solution.end_currents.right[0] == pytest.approx((0.2 - node) / 500, rel=ROUNDING)
    np.testing.assert_allclose(solution.end_currents.top, [-1e-4 * node, -2e-4 * node, 0.0], rtol=ROUNDING)
    assert solution.end_currents.bottom[2] == pytest.approx(4e-4 * (0.1 - node), rel=ROUNDING)


@pytest.mark.parametrize("law", [("sinh", 0.2), ("cubic", 30.0)])
@pytest.mark.parametrize("resistance", [0.0, 1e-3, 10.0, 1e3])
def test_strong_devices_at_three_volts(law, resistance):
    rng = np.random.default_rng(8)
    g, left, bottom = 10 ** rng.uniform(-9, -2, (4, 6)), np.array([3.0, FLOATING, 1.5, FLOATING]), np.full(6, FLOATING)
    bottom[[1, 4]] = 0.0, 1.5
    circuit = {"conductances": g, "left": left, "right": FLOATING, "top": FLOATING, "bottom": bottom, "iv": law,
               "word_line_resistance": resistance, "bit_line_resistance": 2 * resistance}
    solution = dense_circuit(**circuit)
    # Each floating line gives as much as it takes, within 1e-13 of what passes.
    for amps, ends in ((solution.device_currents, left), (solution.device_currents.T, bottom)):
        assert (np.abs(amps.sum(axis=1))[np.isnan(ends)] <= 1e-13 * np.abs(amps).sum(axis=1)[np.isnan(ends)]).all()
    if resistance:
        sums = kirchhoff_sums(solution.word_line_voltages, solution.bit_line_voltages, **circuit)
        slopes = g * (np.cosh(solution.device_voltages / 0.2) if law[0] == "sinh" else 1 + 90 * solution.device_voltages**2)
        assert max(np.abs(part).max() for part in sums) <= 5 * 3.0 * 2.0**-52 * (1 / resistance + slopes.max())


# --- what is refused, what is drawn ----------------------------------------------------------------------------------------


def test_undetermined_circuits_are_refused():
    g = np.full((2, 3), 1e-4)
    for right in (0.1, 0.2):
        with pytest.raises(ValueError, match="both ends"):
            dense_circuit(g, 0.1, right, FLOATING, 0.0, word_line_resistance=0.0, bit_line_resistance=1.0)
    g[:, 1] = 0.0
    for resistance in (0.0, 1.0):
        with pytest.raises(ValueError, match="no path"):
            dense_circuit(g, 0.1, FLOATING, FLOATING, [0.0, FLOATING, 0.0], word_line_resistance=1.0,
                          bit_line_resistance=resistance)
    with pytest.raises(ValueError, match="unknown"):
        read(g, 0.1, 1.0, 1.0, iv=("exp", 1.0))


def test_random_circuits_are_varied_and_reproducible():
    draws = [random_circuit(np.random.default_rng(seed), nonlinear=True) for seed in range(60)]
    again = random_circuit(np.random.default_rng(5), nonlinear=True)
    assert all(np.array_equal(again[name], draws[5][name], equal_nan=True) for name in again if name != "iv")
    assert all(m != n and 1 <= min(m, n) and max(m, n) <= 9 for m, n in (draw["conductances"].shape for draw in draws))
    for first, last in (("left", "right"), ("top", "bottom")):
        ends = {pair for draw in draws for pair in zip(np.isnan(draw[first]), np.isnan(draw[last]))}
        assert len(ends) == 4  # both, either, neither connected
    for name in RESISTANCES:
        kinds = {(np.ndim(draw[name]), bool(np.any(draw[name] == 0))) for draw in draws}
        assert kinds == {(0, False), (0, True), (1, False), (1, True)}
    assert {draw["iv"][0] for draw in draws} == {"sinh", "cubic"}
    assert random_circuit(np.random.default_rng(0), shape=(2, 5))["conductances"].shape == (2, 5)
