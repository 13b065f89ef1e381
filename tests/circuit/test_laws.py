"""Laws of the devices: increasing, odd where they say so, refused where a current could fall; the kernel knows each."""

import numpy as np
import pytest

from tiocross import (AbsolutePolynomial, Asymmetric, Crossbar, Cubic, Polynomial, Sinh, Tabulated, custom, read_crossbar,
                      read_device, sensitivities, solve)
from tiocross.circuit.laws import LAWS, Law


MEASURED = np.array([[-1.2, -0.7, -0.3, -0.1, 0.15, 0.4, 0.5, 1.1], [-9e-4, -3e-4, -8e-5, -2e-5, 3e-5, 1e-4, 2.5e-4, 6e-4]])
CURVE = Tabulated(*MEASURED)
EACH = [Sinh(0.3), Cubic(2.0), Polynomial(0.8, 1.0), Polynomial(-1.7, 1.0), Polynomial(0.0, 0.0),
        AbsolutePolynomial(2e-4, 3e-4), AbsolutePolynomial(0.0, 0.0), CURVE, Asymmetric(Sinh(0.3), Cubic(1.0)),
        Asymmetric(None, CURVE)]
VOLTS = np.linspace(-1.5, 1.5, 61)


def test_every_law_is_tried_here():
    assert {type(law) for law in EACH} == set(LAWS)



@pytest.mark.parametrize("law", EACH)
def test_currents_rise_from_zero_with_the_slopes_that_are_told(law):
    currents, slopes, step = law.currents(3e-4, VOLTS), law.slopes(3e-4, VOLTS), 1e-5
    assert law.currents(3e-4, 0.0) == 0 and law.slopes(3e-4, 0.0) == 3e-4
    assert (np.diff(currents) > 0).all() and (slopes >= law.least_slopes(3e-4)).all() and law.least_slopes(3e-4) > 0
    joints = np.append(MEASURED[0], 0.0)  # where the second derivative may jump
    smooth = np.abs(VOLTS[:, None] - joints).min(axis=1) > 1e-4
    differences = (law.currents(3e-4, VOLTS + step) - law.currents(3e-4, VOLTS - step)) / (2 * step)
    # Third derivative of sinh at 1.5 V / 0.3 V: slope / 0.3^2; times step^2 / 6, and rounding of 2e-16 I / step.
    np.testing.assert_allclose(differences[smooth], slopes[smooth], rtol=1e-8)


@pytest.mark.parametrize("law", EACH)
def test_voltages_are_those_at_which_the_currents_flow(law):
    volts = np.concatenate([VOLTS, 1e-9 * VOLTS, MEASURED[0]])
    back = law.voltages(3e-4, law.currents(3e-4, volts))
    np.testing.assert_allclose(back, volts, rtol=1e-14, atol=1e-30)


@pytest.mark.parametrize("law", EACH)
def test_a_conductance_is_found_from_its_current(law):
    volts = VOLTS[VOLTS != 0]
    np.testing.assert_allclose(law.scaled_to(law.currents(3e-4, volts), volts), 3e-4, rtol=1e-12)
    change = 1e-8  # of the conductance; laws are straight in it
    difference = (law.currents(3e-4 + change, volts) - law.currents(3e-4 - change, volts)) / (2 * change)
    np.testing.assert_allclose(law.by_conductance(3e-4, volts), difference, rtol=1e-9)


@pytest.mark.parametrize("law", EACH)
def test_circuits_obey_every_law(law):
    """Kirchhoff's law at each node, with the currents that the law gives."""
    g = np.random.default_rng(2).uniform(1e-4, 5e-4, (5, 4))
    crossbar = Crossbar(g, 20.0, iv=law)
    volts = np.array([1.2, -0.9, 0.4, -1.3, 0.0])
    for biasing in (volts, read_device(crossbar, 1, 2, 0.9)):
        solution = solve(crossbar, biasing)
        u = solution.device_voltages
        currents = law.currents(g, u)
        np.testing.assert_allclose(currents.sum(axis=0)[solution.biasing.bottom == 0],
                                   solution.bit_line_currents[solution.biasing.bottom == 0], rtol=0,
                                   atol=1e-8 * np.abs(currents).sum(axis=0).max())
        nodes, drive = solution.word_line_voltages, solution.biasing.left[:, None]
        drops = np.cumsum(currents[:, ::-1], axis=1)[:, ::-1] * 20.0
        driven = ~np.isnan(drive[:, 0])
        before = np.concatenate([drive, nodes[:, :-1]], axis=1)
        np.testing.assert_allclose((before - nodes)[driven], drops[driven], atol=1e-7)
        assert solution.power == pytest.approx(solution.device_power + solution.wire_power, rel=1e-7)


@pytest.mark.parametrize("law", EACH)
def test_sensitivities_are_the_derivatives_of_currents(law):
    rng = np.random.default_rng(3)
    g, volts, weights, direction = (rng.uniform(1e-4, 5e-4, (4, 3)), rng.uniform(-0.8, 0.8, 4), rng.normal(size=3),
                                    rng.uniform(-1e-4, 1e-4, (4, 3)))
    found = (sensitivities(Crossbar(g, 30.0, iv=law), volts, weights, rtol=1e-12) * direction).sum()
    step = 3e-3
    near, far = (sum(sign * solve(Crossbar(g + sign * k * step * direction, 30.0, iv=law), volts,
                                  rtol=1e-13).bit_line_currents @ weights for sign in (1, -1)) for k in (1, 2))
    assert found == pytest.approx((8 * near - far) / (12 * step), rel=1e-8)  # rounding over the step: 1e-10


def test_a_measured_curve_passes_its_points_and_rises_between_them():
    at = law_of_measured = CURVE.currents(CURVE.conductance, MEASURED[0])
    np.testing.assert_allclose(law_of_measured, MEASURED[1], rtol=1e-14)
    fine = np.linspace(-2.0, 2.0, 4001)
    assert (np.diff(CURVE.currents(1.0, fine)) > 0).all() and CURVE.slopes(1.0, fine).min() >= CURVE.least_slopes(1.0)
    beyond = CURVE.slopes(1.0, np.array([-5.0, -1.2, 1.1, 7.0]))
    assert beyond[0] == pytest.approx(beyond[1], rel=1e-14) and beyond[2] == pytest.approx(beyond[3], rel=1e-14)
    inner = MEASURED[0][1:-1]
    np.testing.assert_allclose(CURVE.slopes(1.0, inner - 1e-9), CURVE.slopes(1.0, inner + 1e-9), rtol=1e-6)  # no kink
    np.testing.assert_allclose(at, MEASURED[1], rtol=1e-14)


def test_points_on_a_straight_line_are_an_ohmic_device():
    line = Tabulated([-0.7, -0.1, 0.3, 0.9], 2e-4 * np.array([-0.7, -0.1, 0.3, 0.9]))
    assert line.conductance == pytest.approx(2e-4, rel=1e-15)
    np.testing.assert_allclose(line.currents(3e-4, VOLTS), 3e-4 * VOLTS, rtol=1e-14)
    g = np.random.default_rng(0).uniform(1e-4, 5e-4, (5, 4))
    one, other = (solve(Crossbar(g, 20.0, iv=law), np.linspace(-1, 1, 5), rtol=1e-12) for law in (line, None))
    np.testing.assert_allclose(one.bit_line_currents, other.bit_line_currents, rtol=1e-11, atol=1e-16)


@pytest.mark.parametrize("points", [[0.2], [0.1, 0.4], [-0.3], [-0.3, 0.0, 0.2], [0.0, 0.2]])
def test_a_curve_may_have_few_points_and_lie_on_one_side(points):
    points = np.array(points)
    law = Tabulated(points, 1e-4 * np.sinh(points))
    np.testing.assert_allclose(law.currents(law.conductance, points), 1e-4 * np.sinh(points), rtol=1e-14)
    assert (np.diff(law.currents(1e-4, VOLTS)) > 0).all()


def test_a_dense_table_of_a_law_is_that_law():
    """Cubics are off by the fourth power of the spacing, away from the ends."""
    volts = np.linspace(-1.0, 1.0, 401)
    table, law = Tabulated(volts, 1e-4 * 0.3 * np.sinh(volts / 0.3)), Sinh(0.3)
    at = np.linspace(-0.9, 0.9, 777)
    np.testing.assert_allclose(table.currents(1e-4, at), law.currents(1e-4, at), rtol=2e-4)
    g = np.random.default_rng(0).uniform(1e-4, 5e-4, (6, 5))
    one, other = (solve(Crossbar(g, 20.0, iv=each), np.linspace(-0.8, 0.8, 6)).bit_line_currents for each in (table, law))
    np.testing.assert_allclose(one, other, rtol=0, atol=2e-4 * np.abs(other).max())


def test_asymmetric_laws_are_one_law_for_each_direction():
    law = Asymmetric(Sinh(0.2), Polynomial(0.5, 1.0))
    up, down = VOLTS[VOLTS > 0], VOLTS[VOLTS < 0]
    np.testing.assert_array_equal(law.currents(1e-4, up), Sinh(0.2).currents(1e-4, up))
    np.testing.assert_array_equal(law.slopes(1e-4, down), Polynomial(0.5, 1.0).slopes(1e-4, down))
    g = np.random.default_rng(0).uniform(1e-4, 5e-4, (5, 4))
    one, other = (solve(Crossbar(g, 20.0, iv=each), np.linspace(-1, 1, 5)).bit_line_currents
                  for each in (Asymmetric(Sinh(0.3), Sinh(0.3)), Sinh(0.3)))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-8 * np.abs(other).max())


def test_absolute_coefficients_stay_when_the_conductance_changes_and_open_devices_stay_open():
    g = np.array([[1e-4, 0.0, 3e-4], [2e-4, 4e-4, 0.0]])
    law = AbsolutePolynomial(a=1e-4, b=2e-4)
    crossbar = Crossbar(g, iv=law)
    volts = np.array([0.5, -0.4])
    expected = np.where(g > 0, g * volts[:, None] + 1e-4 * volts[:, None] ** 2 + 2e-4 * volts[:, None] ** 3, 0.0)
    np.testing.assert_allclose(solve(crossbar, volts).bit_line_currents, expected.sum(axis=0), rtol=1e-9)
    relative = Crossbar(g, 20.0, iv=Polynomial(*(np.divide(c, g, out=np.zeros_like(g), where=g > 0) for c in (1e-4, 2e-4))))
    one, other = (solve(each, volts, rtol=1e-12).bit_line_currents for each in (Crossbar(g, 20.0, iv=law), relative))
    np.testing.assert_allclose(one, other, rtol=1e-11)


def test_a_polynomial_without_a_quadratic_term_is_the_cubic_law():
    np.testing.assert_allclose(Polynomial(0.0, 2.0).currents(1e-4, VOLTS), Cubic(2.0).currents(1e-4, VOLTS), rtol=1e-14)
    g = np.random.default_rng(0).uniform(1e-4, 5e-4, (5, 4))
    one, other = (solve(Crossbar(g, 20.0, iv=law), np.linspace(-1, 1, 5)) for law in (Cubic(2.0), Polynomial(0.0, 2.0)))
    np.testing.assert_allclose(one.device_voltages, other.device_voltages, rtol=0, atol=1e-9)


def test_a_polynomial_device_behind_a_resistance_obeys_both_laws():
    """V = u + R G (u + a u^2 + b u^3), in both directions."""
    crossbar = Crossbar([[1e-3]], source_resistance=2_000.0, iv=Polynomial(1.2, 0.6))
    for voltage in (-3.0, -0.4, 0.4, 3.0):
        solution = solve(crossbar, custom(crossbar, left=voltage, bottom=0.0))
        u = float(solution.device_voltages[0, 0])
        assert u + 2.0 * (u + 1.2 * u**2 + 0.6 * u**3) == pytest.approx(voltage, rel=1e-8)
    forth, back = (abs(solve(crossbar, custom(crossbar, left=v, bottom=0.0)).bit_line_currents[0]) for v in (0.4, -0.4))
    assert forth > 1.05 * back


@pytest.mark.parametrize("unselected", ["grounded", "floating"])
@pytest.mark.parametrize("law", [Polynomial(0.7, 0.9), AbsolutePolynomial(1e-4, 2e-4), Asymmetric(Sinh(0.3), Cubic(1.0)),
                                 CURVE])
def test_readings_of_devices_with_a_law_are_understood(unselected, law):
    g = np.random.default_rng(1).uniform(1e-4, 4e-4, (4, 3))
    chip = Crossbar(g, 10.0, iv=law)
    currents = [[solve(chip, read_device(chip, i, j, 0.3, unselected=unselected), rtol=1e-12).bit_line_currents[j]
                 for j in range(3)] for i in range(4)]
    found = read_crossbar(currents, 0.3, wire_resistance=10.0, unselected=unselected, iv=law)
    np.testing.assert_allclose(found.conductances, g, rtol=1e-6)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Polynomial(2.0, 1.0), ValueError, "a\\^2 < 3 b, or both zero.*got a = 2 and b = 1"),
    (lambda: Polynomial(0.1, 0.0), ValueError, "got a = 0.1 and b = 0"),
    (lambda: Polynomial(0.0, -0.1), ValueError, "got a = 0 and b = -0.1"),
    (lambda: Polynomial([0.1, 0.5], [[1.0], [0.01]]), ValueError, "got a = 0.5 and b = 0.01"),
    (lambda: Polynomial(np.zeros(3), np.ones(4)), ValueError, r"a \(3,\) and b \(4,\) do not fit each other"),
    (lambda: Polynomial(np.nan, 1.0), ValueError, "a must be finite"),
    (lambda: Polynomial(0.1, "steep"), TypeError, "b must be an array of real numbers"),
    (lambda: Crossbar(np.full((3, 2), 1e-4), iv=Polynomial(np.zeros((2, 3)), 1.0)), ValueError,
     r"the parameter a of Polynomial must .* fit the conductances \(3, 2\); got \(2, 3\)"),
    (lambda: AbsolutePolynomial(1e-4, 0.0), ValueError, "a\\^2 < 3 G b for every conductance G.*got a = 0.0001 and b = 0"),
    (lambda: Crossbar([[1e-4, 0.0], [1e-4, 1e-6]], iv=AbsolutePolynomial(1e-4, 1e-4)), ValueError,
     "got a = 0.0001 and b = 0.0001 for G = 1e-06 S at word line 1, bit line 1 .1 such.. Give every device its own"),
    (lambda: Crossbar([[1e-4]], iv=Asymmetric(AbsolutePolynomial(2e-4, 1e-4), None)), ValueError, "for G = 0.0001 S at"),
    (lambda: Asymmetric(Sinh(0.3), 2.0), TypeError, "reverse must be Sinh.*or None for Ohm's law; got 2.0"),
    (lambda: Asymmetric(Asymmetric(None, None), None), TypeError, "forward must be Sinh"),
    (lambda: Tabulated([0.1, 0.2], [1e-6, 2e-6, 3e-6]), ValueError, "must be as many, at least one; got 2 and 3"),
    (lambda: Tabulated([], []), ValueError, "at least one; got 0 and 0"),
    (lambda: Tabulated([0.0], [0.0]), ValueError, "a point other than 0 V"),
    (lambda: Tabulated([[0.1, 0.2]], [1e-6, 2e-6]), ValueError, "measured_voltages must have 1 axes"),
    (lambda: Tabulated([0.0, 0.2], [1e-9, 2e-6]), ValueError, "must pass through 0 A at 0 V; got 1e-09 A there, at point 0"),
    (lambda: Tabulated([0.1, 0.2, 0.3], [1e-6, 3e-6, 2e-6]), ValueError,
     "must increase.*got 3e-06 A at 0.2 V and then 2e-06 A at 0.3 V .1 such.. Order"),
    (lambda: Tabulated([0.3, 0.2], [1e-6, 3e-6]), ValueError, "got 1e-06 A at 0.3 V and then 3e-06 A at 0.2 V"),
    (lambda: Tabulated([-0.1, 0.2], [1e-9, 3e-6]), ValueError, "got 1e-09 A at -0.1 V and then 0 A at 0 V"),
])
def test_bad_laws(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_what_is_no_law_of_this_package_is_refused():
    class Strange(Law):
        def _require_increasing(self):
            pass

    with pytest.raises(TypeError, match="iv must be Sinh.v0., .*Tabulated.measured_voltages, .* or None"):
        Crossbar(np.full((3, 2), 1e-4), iv=object.__new__(Strange))


@pytest.mark.parametrize("law", [Sinh(0.3), CURVE, AbsolutePolynomial(1e-4, 2e-4)])
@pytest.mark.parametrize("shape", [(5, 4), (24, 19), (16, 8)])
def test_a_single_read_is_the_same_as_one_of_many(law, shape):
    """One array of voltages takes a shorter way."""
    rng = np.random.default_rng(0)
    g, volts = rng.uniform(1e-4, 5e-4, shape), rng.uniform(-0.7, 0.8, shape[0])
    g[1, 2] = 0.0
    crossbar = Crossbar(g, 12.0, source_resistance=30.0, iv=law)
    one, many = solve(crossbar, volts), solve(crossbar, np.stack([volts, 0.5 * volts]))
    gross = np.abs(one.device_currents).sum(axis=0).max()
    np.testing.assert_allclose(one.bit_line_currents, many.bit_line_currents[0], rtol=0, atol=2e-9 * gross)
    for name in ("word_line_voltages", "bit_line_voltages", "device_voltages"):
        np.testing.assert_allclose(getattr(one, name), getattr(many, name)[0], rtol=0, atol=1e-8)
    assert one.uncertainty <= 1e-9 * gross and one.voltage_uncertainty.shape == () and 0 < one.voltage_uncertainty < 1e-7
    volts[:] = 0.0  # what was given may be used again
    assert np.abs(one.word_line_voltages).max() > 0.1
