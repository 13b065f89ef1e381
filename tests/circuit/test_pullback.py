"""Transfer matrices with their pullback: gradients of any loss by the conductances."""

import numpy as np
import pytest
from oracle import dense_circuit

from tiocross import (
    Crossbar,
    Selector,
    Sinh,
    sensitivities,
    transfer_matrix,
    transfer_matrix_with_pullback,
)
from tiocross.units import uS

WIRES = {"word_line_resistance": 3.0, "bit_line_resistance": 5.0, "source_resistance": 40.0, "sense_resistance": 10.0}


def draw(shape, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(100 * uS, 500 * uS, shape), rng.normal(size=shape), rng.uniform(-1 * uS, 1 * uS, shape)


def slopes(conductances, weights, step, **wires):
    """Of the weighted sums of the entries along a step, of fourth order."""
    near, far = (transfer_matrix(Crossbar(conductances + k * step, **wires), rtol=1e-12)
                 - transfer_matrix(Crossbar(conductances - k * step, **wires), rtol=1e-12) for k in (1, 2))
    return ((8.0 * near - far) / 12.0 * weights).sum(axis=(-1, -2))


@pytest.mark.parametrize("shape", [(4, 3), (3, 7), (2, 3, 9, 5), (1, 6), (49, 52), (3, 60, 48)])
def test_gradients_against_differences(shape):
    conductances, weights, step = draw(shape, seed=sum(shape))
    matrix, pull = transfer_matrix_with_pullback(Crossbar(conductances, **WIRES), rtol=1e-11)
    np.testing.assert_allclose(matrix, transfer_matrix(Crossbar(conductances, **WIRES), rtol=1e-12), rtol=0,
                               atol=1e-10 * matrix.max())
    gradient = pull(weights)
    assert gradient.shape == shape
    # Entries are known to 1e-12 of a row's gross conductance, 1e-2 S at most; steps of 1e-6 S then to 1e-8 of a device's.
    np.testing.assert_allclose((gradient * step).sum(axis=(-1, -2)), slopes(conductances, weights, step, **WIRES), rtol=0,
                               atol=1e-7 * np.abs(gradient * step).sum(axis=(-1, -2)).min())


@pytest.mark.parametrize("shape", [(5, 8), (52, 50)])
def test_one_row_of_weights_is_the_gradient_of_one_input(shape):
    conductances, weights, _ = draw(shape, seed=2)
    crossbar, inputs = Crossbar(conductances, **WIRES), np.random.default_rng(3).uniform(-0.2, 0.2, shape[0])
    _, pull = transfer_matrix_with_pullback(crossbar)
    expected = sensitivities(crossbar, inputs, weights[0], rtol=1e-9)
    np.testing.assert_allclose(pull(np.outer(inputs, weights[0])), expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_every_entry_is_the_product_of_dense_device_voltages():
    conductances, _, _ = draw((3, 4), seed=4)
    _, pull = transfer_matrix_with_pullback(Crossbar(conductances, **WIRES), rtol=1e-12)
    driven = dense_circuit(conductances, np.eye(3)[1], np.nan, np.nan, 0.0, **WIRES).device_voltages
    sensed = dense_circuit(conductances, 0.0, np.nan, np.nan, -np.eye(4)[2], **WIRES).device_voltages
    weights = np.zeros((3, 4))
    weights[1, 2] = 1.0
    np.testing.assert_allclose(pull(weights), driven * sensed, rtol=1e-9, atol=1e-10)


def test_ideal_wires_hand_the_gradient_on():
    conductances, weights, _ = draw((2, 3, 4), seed=5)
    matrix, pull = transfer_matrix_with_pullback(Crossbar(conductances))
    assert np.array_equal(matrix, conductances) and np.array_equal(pull(weights), weights)


def test_devices_behind_ohmic_selectors():
    conductances, weights, step = draw((4, 5), seed=6)
    wires = {"wire_resistance": 10.0, "series": Selector(None, 200 * uS)}
    _, pull = transfer_matrix_with_pullback(Crossbar(conductances, **wires), rtol=1e-11)
    np.testing.assert_allclose((pull(weights) * step).sum(), slopes(conductances, weights, step, **wires), rtol=1e-6)


@pytest.mark.parametrize("shape", [(6, 4), (50, 51)])
def test_a_resistance_per_segment(shape):
    conductances, weights, step = draw(shape, seed=7)
    rng = np.random.default_rng(8)
    wires = {"word_line_resistance": rng.uniform(1.0, 9.0, (shape[0], shape[1] + 1)),
             "bit_line_resistance": rng.uniform(1.0, 9.0, (shape[0] + 1, shape[1]))}
    matrix, pull = transfer_matrix_with_pullback(Crossbar(conductances, **wires), rtol=1e-10)
    if shape == (6, 4):
        row = dense_circuit(conductances, np.eye(6)[2], np.nan, np.nan, 0.0, source_resistance=0.0, sense_resistance=0.0, **wires)
        np.testing.assert_allclose(matrix[2], -row.end_currents.bottom, rtol=1e-9)
    gradient = pull(weights)
    near = (transfer_matrix(Crossbar(conductances + step, **wires), rtol=1e-11)
            - transfer_matrix(Crossbar(conductances - step, **wires), rtol=1e-11)) / 2.0
    np.testing.assert_allclose((gradient * step).sum(), (near * weights).sum(), rtol=0,
                               atol=1e-5 * np.abs(gradient * step).sum())


def test_wrong_arguments():
    crossbar = Crossbar(np.full((3, 4), 1e-4), 2.0)
    with pytest.raises(ValueError, match="devices with a Sinh law have no transfer matrix"):
        transfer_matrix_with_pullback(Crossbar(np.full((3, 4), 1e-4), 2.0, iv=Sinh(0.2)))
    with pytest.raises(TypeError, match="crossbar must be a Crossbar"):
        transfer_matrix_with_pullback(np.full((3, 4), 1e-4))
    with pytest.raises(ValueError, match="rtol must be"):
        transfer_matrix_with_pullback(crossbar, rtol=0.0)
    _, pull = transfer_matrix_with_pullback(crossbar)
    with pytest.raises(ValueError, match=r"gradient must have the shape \(3, 4\) of the conductances; got \(4, 3\)"):
        pull(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="gradient must be finite; got nan"):
        pull(np.full((3, 4), np.nan))
