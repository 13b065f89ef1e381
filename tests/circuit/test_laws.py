"""Laws of the devices: increasing, odd where they say so, refused where a current could fall; the kernel knows each."""

import numpy as np
import pytest

from tiocross import Crossbar, Cubic, Polynomial, Sinh, custom, read_crossbar, read_device, solve
from tiocross.circuit.laws import LAWS, Law
from tiocross.circuit.solvers.tangents_kernel import CODES

EACH = [Sinh(0.3), Cubic(2.0), Polynomial(0.8, 1.0), Polynomial(-1.7, 1.0), Polynomial(0.0, 0.0)]
VOLTS = np.linspace(-1.5, 1.5, 61)


def test_every_law_is_tried_here_and_has_a_code_of_its_own_that_the_kernel_knows():
    assert {type(law) for law in EACH} == set(LAWS)
    assert sorted(law.code for law in LAWS) == sorted(CODES)


@pytest.mark.parametrize("law", EACH)
def test_currents_rise_from_zero_with_the_slopes_that_are_told(law):
    currents, slopes, step = law.currents(3e-4, VOLTS), law.slopes(3e-4, VOLTS), 1e-5
    assert law.currents(3e-4, 0.0) == 0 and law.slopes(3e-4, 0.0) == 3e-4
    assert (np.diff(currents) > 0).all() and (slopes > 0).all()
    differences = (law.currents(3e-4, VOLTS + step) - law.currents(3e-4, VOLTS - step)) / (2 * step)
    # Third derivative of sinh at 1.5 V / 0.3 V: slope / 0.3^2; times step^2 / 6, and rounding of 2e-16 I / step.
    np.testing.assert_allclose(differences, slopes, rtol=1e-8)


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
def test_readings_of_polynomial_devices_are_understood(unselected):
    g, law = np.random.default_rng(1).uniform(1e-4, 4e-4, (4, 3)), Polynomial(0.7, 0.9)
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
])
def test_bad_laws(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_laws_that_the_kernel_does_not_know_are_refused(monkeypatch):
    class Strange(Law):
        code = 9

        def _require_increasing(self):
            pass

    with pytest.raises(TypeError, match="iv must be Sinh"):
        Crossbar(np.full((3, 2), 1e-4), iv=object.__new__(Strange))
    crossbar = Crossbar(np.full((3, 2), 1e-4), 1.0, iv=Sinh(0.3))
    monkeypatch.setattr(Sinh, "code", 9)
    with pytest.raises(ValueError, match="Sinh has the code 9, for which tangents_kernel.py has no branch"):
        solve(crossbar, np.full(3, 0.1))
