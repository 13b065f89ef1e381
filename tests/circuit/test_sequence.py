"""Circuits that follow one another on an array give what each gives on its own."""

import numpy as np
import pytest

from tiocross import Crossbar, Sinh, custom, read_device, solve, write_device
from tiocross.circuit.sequence import CircuitSequence
from tiocross.units import ohm, uS

RTOL = 1e-6


def random_crossbar(shape, wire, rng):
    return Crossbar(rng.uniform(100, 500, shape) * uS, wire, source_resistance=3 * wire, sense_resistance=wire)


def biasings(crossbar, i, j):
    yield write_device(crossbar, i, j, 1.0)
    yield write_device(crossbar, i, j, 1.0, scheme="V/3")
    yield read_device(crossbar, i, j, 1.0, unselected="grounded")
    yield read_device(crossbar, i, j, 1.0)
    yield custom(crossbar, left=0.3, right=1.0, top=0.0, bottom=-0.2)


@pytest.mark.parametrize("shape, wire", [((7, 5), 2.0), ((5, 9), 20.0), ((6, 4), 0.0), ((40, 33), 5.0)])
def test_every_circuit_is_as_if_solved_alone(shape, wire):
    rng = np.random.default_rng(4)
    crossbar = random_crossbar(shape, wire * ohm, rng)
    sequence = CircuitSequence(crossbar, rtol=RTOL)
    state = crossbar.conductances.copy()
    for _ in range(3):
        i, j = (int(rng.integers(n)) for n in shape)
        for biasing in biasings(crossbar, i, j):
            if wire == 0 and not np.isnan(biasing.right).all():
                continue  # both ends of a line without resistance cannot be held at two voltages
            sequence.bias(biasing)
            for factor in (1.0, 1.1, -1.5):
                state[i, j] *= 1.07
                currents, voltages = sequence.solve(state, factor)
                alone = solve(Crossbar(state, wire * ohm, source_resistance=3 * wire, sense_resistance=wire),
                              custom(crossbar, **{end: factor * getattr(biasing, end)
                                                  for end in ("left", "right", "top", "bottom")}), rtol=1e-12)
                # rtol bounds residuals relative to the largest gross current; 1e-6 of it is at most 2 n_lines times the
                # largest device current, which drops at most as many segments: 1e-6 * 2 * 40 * 5e-4 S * 200 ohm = 1e-5 V.
                np.testing.assert_allclose(voltages, alone.device_voltages, rtol=0, atol=1e-5)
                gross = np.abs(alone.device_currents).sum(axis=0).max()
                connected = ~np.isnan(biasing.bottom)
                np.testing.assert_allclose(currents[connected], alone.bit_line_currents[connected], rtol=0, atol=RTOL * gross)


def test_another_biasing_forgets_the_last_circuit():
    rng = np.random.default_rng(5)
    crossbar = random_crossbar((6, 9), 10 * ohm, rng)
    fresh, used = CircuitSequence(crossbar), CircuitSequence(crossbar)
    used.bias(read_device(crossbar, 0, 8, 1.0))
    used.solve(crossbar.conductances, 7.0)
    for sequence in (fresh, used):
        sequence.bias(write_device(crossbar, 5, 0, 1.0))
    np.testing.assert_array_equal(used.solve(crossbar.conductances)[1], fresh.solve(crossbar.conductances)[1])


def test_no_voltage_gives_no_current():
    crossbar = random_crossbar((3, 4), 2 * ohm, np.random.default_rng(6))
    sequence = CircuitSequence(crossbar)
    sequence.bias(write_device(crossbar, 1, 2, 1.0))
    sequence.solve(crossbar.conductances, 1.0)
    currents, voltages = sequence.solve(crossbar.conductances, 0.0)
    assert not currents.any() and not voltages.any()
    assert sequence.solve(crossbar.conductances, 1.0)[1][1, 2] > 0.9


def test_what_few_sweeps_do_not_solve_is_solved_all_the_same(monkeypatch):
    rng = np.random.default_rng(7)
    crossbar = random_crossbar((20, 30), 500 * ohm, rng)
    monkeypatch.setattr("tiocross.circuit.sequence._MOST_SWEEPS", 1)
    sequence = CircuitSequence(crossbar, rtol=1e-9)
    biasing = write_device(crossbar, 19, 29, 1.0)
    sequence.bias(biasing)
    np.testing.assert_array_equal(sequence.solve(crossbar.conductances)[1],
                                  solve(crossbar, biasing, rtol=1e-9).device_voltages)


def test_bad_input_is_refused():
    crossbar = random_crossbar((3, 4), 2 * ohm, np.random.default_rng(8))
    with pytest.raises(ValueError, match="one array of ohmic devices"):
        CircuitSequence(Crossbar(np.stack([crossbar.conductances] * 2)))
    with pytest.raises(ValueError, match="one array of ohmic devices"):
        CircuitSequence(Crossbar(crossbar.conductances, iv=Sinh(0.4)))
    with pytest.raises(TypeError, match="must be a Crossbar"):
        CircuitSequence(crossbar.conductances)
    sequence = CircuitSequence(crossbar)
    with pytest.raises(ValueError, match="batch"):
        sequence.bias(custom(crossbar, left=np.zeros((2, 3)), bottom=0.0))
    with pytest.raises(ValueError, match=r"shape \(..., 4\)"):
        sequence.bias(write_device(Crossbar(np.full((3, 5), 1e-4)), 0, 0, 1.0))
    sequence.bias(read_device(crossbar, 0, 0, 1.0))
    state = crossbar.conductances.copy()
    state[:, 2] = 0.0
    currents, voltages = sequence.solve(state)  # nothing reaches bit line 2
    assert currents[0] > 0 and not voltages[:, 2].any()
