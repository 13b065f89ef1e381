"""Gradients of currents by the conductances against differences of the dense reference."""

import numpy as np
import pytest
from oracle import dense_circuit, random_circuit

from tiocross import Crossbar, Cubic, Polynomial, Sinh, custom, read_device, sensitivities, solve, write_device

WIRES = ("word_line_resistance", "bit_line_resistance", "source_resistance", "sense_resistance")
ENDS = ("left", "right", "top", "bottom")


def as_crossbar(circuit):
    law = circuit["iv"] and {"sinh": Sinh, "cubic": Cubic}[circuit["iv"][0]](circuit["iv"][1])
    return Crossbar(circuit["conductances"], **{name: circuit[name] for name in WIRES}, iv=law)


def as_biasing(crossbar, circuit):
    return custom(crossbar, **{name: circuit[name] for name in ENDS})


def weighted(circuit, weights, conductances):
    return -weights @ dense_circuit(**{**circuit, "conductances": conductances}).end_currents.bottom


STEP = 3e-3


def slope(circuit, weights, direction, step=STEP):
    """Derivative along a direction; of fourth order, so off by about step^4 = 1e-10 of it, and by rounding / step."""
    g = circuit["conductances"]
    near, far = (weighted(circuit, weights, g + k * step * direction) - weighted(circuit, weights, g - k * step * direction)
                 for k in (1, 2))
    return (8.0 * near - far) / (12.0 * step)


def check_direction(circuit, rng):
    crossbar = as_crossbar(circuit)
    weights = rng.normal(size=crossbar.n_bit_lines)
    biasing = as_biasing(crossbar, circuit)
    gradient = sensitivities(crossbar, biasing, weights, rtol=1e-12)
    # A device changes by a share of itself: the currents then differ by comparable amounts, however far apart devices are.
    direction = rng.uniform(-1.0, 1.0, crossbar.conductances.shape) * crossbar.conductances
    solution = dense_circuit(**circuit)
    # Currents that run along a bit line from end to end can be many times what the devices carry, and are rounded.
    rounding = 10 * np.finfo(float).eps * np.abs(weights * solution.end_currents.bottom).sum() / STEP
    found, expected = (gradient * direction).sum(), slope(circuit, weights, direction)
    assert abs(found - expected) <= 1e-8 * np.abs(gradient * direction).sum() + rounding + 1e-30


@pytest.mark.parametrize("seed", range(16))
def test_random_ohmic_circuits(seed):
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, shape=tuple(rng.permutation(7)[:2] + 1))
    check_direction(circuit, rng)


@pytest.mark.parametrize("seed", range(10))
def test_random_nonlinear_circuits(seed):
    rng = np.random.default_rng(100 + seed)
    circuit = random_circuit(rng, shape=tuple(rng.permutation(5)[:2] + 1), nonlinear=True)
    check_direction(circuit, rng)


@pytest.mark.parametrize("seed", range(6))
def test_every_entry_is_the_product_of_dense_device_voltages(seed):
    rng = np.random.default_rng(200 + seed)
    circuit = random_circuit(rng, shape=(5, 7))
    crossbar, weights = as_crossbar(circuit), rng.normal(size=7)
    adjoint = {name: np.where(np.isnan(circuit[name]), np.nan, 0.0) for name in ENDS}
    adjoint["bottom"] = adjoint["bottom"] - weights
    expected = dense_circuit(**circuit).device_voltages * dense_circuit(**{**circuit, **adjoint}).device_voltages
    found = sensitivities(crossbar, as_biasing(crossbar, circuit), weights, rtol=1e-13)
    # A residual of 1e-13 of a gross current of some mA is 1e-7 V on a line that floats behind a device of 1 nS.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_ideal_wires_give_the_inputs_times_the_weights():
    voltages, weights = np.array([0.2, -0.1, 0.3]), np.array([1.0, -2.0])
    found = sensitivities(Crossbar(np.full((3, 2), 2e-4)), voltages, weights)
    np.testing.assert_allclose(found, np.outer(voltages, weights), rtol=1e-13)


def test_one_device_in_series():
    g, r, volts = 3e-4, 200.0, 0.4
    found = sensitivities(Crossbar([[g]], source_resistance=r), [volts], [2.0])
    np.testing.assert_allclose(found, [[2.0 * volts / (1.0 + r * g) ** 2]], rtol=1e-9)  # I = V G / (1 + r G)


@pytest.mark.parametrize("law", [None, Sinh(0.2), Cubic(3.0)])
def test_an_open_device_has_the_gradient_of_closing_it(law):
    rng = np.random.default_rng(3)
    g, weights, voltages = rng.uniform(1e-4, 5e-4, (3, 4)), rng.normal(size=4), np.array([0.3, -0.2, 0.4])
    g[1, 2] = 0.0
    gradient = sensitivities(Crossbar(g, 5.0, iv=law), voltages, weights, rtol=1e-12)
    small = 1e-8
    closed = [g.copy(), g.copy(), g.copy()]
    closed[1][1, 2], closed[2][1, 2] = small, 2 * small
    f0, f1, f2 = (solve(Crossbar(g, 5.0, iv=law), voltages, rtol=1e-13).bit_line_currents @ weights for g in closed)
    # Second order in G r = 1e-7; currents of 1e-4 A to 1e-13 over 1e-8 S leave 1e-9 V.
    assert gradient[1, 2] == pytest.approx((4 * f1 - 3 * f0 - f2) / (2 * small), abs=2e-8)


def test_steep_devices_whose_slopes_pass_one_siemens():
    """3 V over 0.2 V: slopes cosh(15) times the conductance; wires then limit the current."""
    rng = np.random.default_rng(4)
    shape = (2, 3)
    circuit = {"conductances": rng.uniform(1e-3, 5e-3, shape), "left": np.array([3.0, 2.0]), "right": np.nan,
               "top": np.nan, "bottom": np.zeros(3), "iv": ("sinh", 0.2), "word_line_resistance": 1e-3,
               "bit_line_resistance": 2e-3, "source_resistance": 0.0, "sense_resistance": 0.0}
    crossbar = as_crossbar(circuit)
    slopes = crossbar.iv.slopes(crossbar.conductances, solve(crossbar, circuit["left"]).device_voltages)
    assert slopes.max() > 10.0
    check_direction(circuit, rng)


def test_batches_of_arrays_inputs_and_weights():
    rng = np.random.default_rng(5)
    g = rng.uniform(1e-4, 5e-4, (2, 1, 4, 3))
    voltages, weights = rng.uniform(-0.3, 0.3, (5, 4)), rng.normal(size=(2, 5, 3))
    for law in (None, Sinh(0.25), Cubic(rng.uniform(0.5, 4.0, (2, 1, 4, 3))),
                Polynomial(rng.uniform(-1.0, 1.0, (2, 1, 4, 3)), np.full((2, 1, 4, 3), 0.5))):
        crossbar = Crossbar(g, 3.0, iv=law)
        found = sensitivities(crossbar, voltages, weights)
        assert found.shape == (2, 5, 4, 3)
        for chip in range(2):
            of_chip = law
            if law is not None and law.parameters[0].ndim > 0:
                of_chip = type(law)(*(values[chip, 0] for values in law.parameters))
            for k in range(5):
                one = sensitivities(Crossbar(g[chip, 0], 3.0, iv=of_chip), voltages[k], weights[chip, k])
                np.testing.assert_allclose(found[chip, k], one, rtol=1e-7, atol=1e-9)
    assert sensitivities(Crossbar(g, 3.0), voltages[0], weights[0, :1]).shape == (2, 1, 4, 3)
    assert sensitivities(Crossbar(g[0, 0], 3.0), voltages[0], np.eye(3)).shape == (3, 4, 3)
    assert sensitivities(Crossbar(g[0, 0], 3.0), np.zeros((0, 4)), weights[0, 0]).shape == (0, 4, 3)


def test_ends_that_float_in_part_of_a_batch():
    rng = np.random.default_rng(6)
    crossbar, weights = Crossbar(rng.uniform(1e-4, 5e-4, (3, 4)), 10.0), rng.normal(size=4)
    left = np.array([[0.2, np.nan, 0.1], [0.2, 0.3, np.nan]])
    bottom = np.array([[0.0, 0.0, np.nan, 0.1], [0.0, 0.0, 0.0, 0.0]])
    found = sensitivities(crossbar, custom(crossbar, left=left, bottom=bottom), weights)
    for k in range(2):
        one = sensitivities(crossbar, custom(crossbar, left=left[k], bottom=bottom[k]), weights)
        np.testing.assert_allclose(found[k], one, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("biasing", [read_device, write_device])
def test_the_selected_device_matters_most(biasing):
    crossbar = Crossbar(np.full((6, 5), 2e-4), 1.0)
    gradient = sensitivities(crossbar, biasing(crossbar, 2, 3, 0.4), np.eye(5)[3])
    assert np.unravel_index(np.abs(gradient).argmax(), (6, 5)) == (2, 3)
    assert gradient[2, 3] == pytest.approx(0.4, rel=0.1)


def test_floating_bottom_ends_have_no_current_to_weigh():
    crossbar = Crossbar(np.full((3, 2), 2e-4), 1.0)
    biasing = custom(crossbar, left=[0.1, 0.2, 0.3], bottom=[0.0, np.nan])
    assert not sensitivities(crossbar, biasing, [0.0, 1.0]).any()


def test_a_bit_line_without_resistance_held_at_both_ends():
    """All its current counts as leaving at the bottom, as in `solve`."""
    crossbar = Crossbar(np.full((3, 2), 2e-4), word_line_resistance=20.0)
    both = sensitivities(crossbar, custom(crossbar, left=0.2, bottom=0.0, top=0.0), [1.0, -3.0])
    one = sensitivities(crossbar, custom(crossbar, left=0.2, bottom=0.0), [1.0, -3.0])
    np.testing.assert_allclose(both, one, rtol=1e-9)


def test_wrong_arguments():
    crossbar = Crossbar(np.full((3, 2), 2e-4), 1.0)
    with pytest.raises(ValueError, match=r"weights must have shape \(\.\.\., 2\), one for each bit line; got \(3,\)"):
        sensitivities(crossbar, np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="weights must be finite; got nan at index"):
        sensitivities(crossbar, np.ones(3), [1.0, np.nan])
    with pytest.raises(ValueError, match="weights .* do not broadcast"):
        sensitivities(crossbar, np.ones((4, 3)), np.ones((5, 2)))
    with pytest.raises(ValueError, match="must .*have shape"):
        sensitivities(crossbar, np.ones(2), np.ones(2))
    with pytest.raises(TypeError, match="crossbar must be a Crossbar"):
        sensitivities(np.ones((3, 2)), np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match="rtol"):
        sensitivities(crossbar, np.ones(3), np.ones(2), rtol=0.0)
