"""Arrays too large for a dense matrix: independent Kirchhoff sums, elimination against sweeps, superposition, cost."""

import numpy as np
import pytest
from circuit_cases import ENDS, EPS, RESISTANCES, build
from oracle import kirchhoff_sums

from tiocross import Crossbar, Cubic, Sinh, custom, read_device, solve, transfer_matrix, write_device

SHAPES = [(70, 45), (130, 33), (40, 200)]


def large_circuit(shape, seed, *, decades=False, iv=None):
    """Arguments of ``dense_circuit``: every line its own resistance, one line in five connected another way."""
    rng, (m, n) = np.random.default_rng(seed), shape
    g = 10 ** rng.uniform(-9, -2, shape) if decades else rng.uniform(1e-4, 5e-4, shape)
    circuit = {"conductances": g, "left": rng.uniform(-0.3, 0.3, m), "right": np.full(m, np.nan), "top": np.full(n, np.nan),
               "bottom": np.zeros(n), "iv": iv}
    for name, lines in zip(RESISTANCES, (m, n, m, n)):
        circuit[name] = 10 ** rng.uniform(0, 1.3, lines)
    circuit["right"][rng.random(m) < 0.2] = 0.1
    circuit["top"][rng.random(n) < 0.2] = -0.1
    circuit["left"][rng.random(m) < 0.2] = np.nan
    circuit["bottom"][rng.random(n) < 0.2] = np.nan
    return circuit


def sums_of(circuit, solution):
    """Sum over all nodes of what is unbalanced, and what rounding of the voltages adds to it [A]."""
    sums = np.abs(kirchhoff_sums(solution.word_line_voltages, solution.bit_line_voltages, **circuit))
    wires = [np.mean(1 / circuit[name]) for name in RESISTANCES[:2]]
    # Half a rounding of at most 0.3 V at the node, twice, and at its two neighbours on the line; of both ends of a device,
    # whose slope is at most cosh(0.6 V / 0.2 V) = 10 times that at 0 V.
    rounding = 0.3 * EPS / 2 * circuit["conductances"].size * (4 * sum(wires) + 40 * circuit["conductances"].mean())
    return sums.sum(), rounding


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("decades", [False, True])
@pytest.mark.parametrize("iv", [None, ("sinh", 0.2), ("cubic", 3.0)])
def test_kirchhoffs_law_at_every_node(shape, decades, iv):
    circuit = large_circuit(shape, seed=sum(shape), decades=decades, iv=iv)
    crossbar, biasing = build(circuit)
    solution = solve(crossbar, biasing)
    total, rounding = sums_of(circuit, solution)
    gross = np.abs(solution.device_currents).sum(axis=0)[~np.isnan(biasing.bottom)].max()
    assert total <= solution.uncertainty + rounding
    assert solution.uncertainty <= 1e-9 * gross * (1 + 1e-6)
    assert rounding <= 2e-9 * gross  # or the above would say nothing
    # A lacking current at a node lacks there at 0.6 V at most.
    spent = solution.device_power + solution.wire_power
    assert abs(solution.power - spent) <= 0.6 * (2 * solution.uncertainty + rounding)
    entering = sum(getattr(solution.end_currents, end).sum() for end in ENDS)
    assert abs(entering) <= solution.uncertainty + rounding


@pytest.mark.parametrize("shape", SHAPES)
def test_superposition_of_ends(shape):
    circuit = large_circuit(shape, seed=7)
    crossbar, biasing = build(circuit)
    alone = [solve(crossbar, custom(crossbar, **{name: getattr(biasing, name) * (name == end) for name in ENDS}))
             for end in ENDS]
    whole = solve(crossbar, biasing)
    limit = whole.uncertainty + sum(part.uncertainty for part in alone) + 1e-12 * np.abs(whole.bit_line_currents).max()
    assert np.abs(whole.bit_line_currents - sum(part.bit_line_currents for part in alone)).max() <= limit


@pytest.mark.parametrize("shape", [(70, 51), (51, 130), (49, 200)])
@pytest.mark.parametrize("decades", [False, True])
def test_elimination_and_sweeps_give_the_same(shape, decades):
    circuit = large_circuit(shape, seed=8, decades=decades)
    crossbar, _ = build(circuit)
    matrix = transfer_matrix(crossbar)
    rng = np.random.default_rng(9)
    for volts in (rng.uniform(-0.2, 0.2, shape[0]), np.full(shape[0], 0.2), np.eye(shape[0])[0], np.eye(shape[0])[-1]):
        solution = solve(crossbar, volts)
        gross = np.abs(solution.device_currents).sum(axis=0).max()
        # Elimination loses as many digits as a line's conductance times its resistance has: 200 * 1e-2 S * 20 ohm = 40.
        assert np.abs(volts @ matrix - solution.bit_line_currents).max() <= solution.uncertainty + 1e3 * EPS * gross


@pytest.mark.parametrize("shape", [(64, 64), (64, 100)])  # as published; and not square
def test_wires_of_100_ohm_at_which_another_solver_fails(shape):
    conductances = np.random.default_rng(10).uniform(1e-4, 5e-4, shape)
    solution = solve(Crossbar(conductances, 100.0), np.full(64, 0.2))
    assert 0 < solution.n_sweeps <= 15
    circuit = {"conductances": conductances, "left": 0.2, "right": np.nan, "top": np.nan, "bottom": 0.0,
               **{name: np.float64(100.0 if "line" in name else 0.0) for name in RESISTANCES}}
    total, rounding = sums_of(circuit, solution)
    assert total <= solution.uncertainty + rounding
    assert solution.uncertainty <= 1e-9 * solution.bit_line_currents.max()


@pytest.mark.parametrize("seed", range(4))
def test_seven_decades_of_conductance(seed):
    circuit = large_circuit((60, 37), seed, decades=True)
    assert circuit["conductances"].max() / circuit["conductances"].min() > 5e6
    crossbar, _ = build(circuit)
    volts = np.random.default_rng(seed).uniform(-0.2, 0.2, 60)
    solution = solve(crossbar, volts)
    gross = np.abs(solution.device_currents).sum(axis=0).max()
    assert np.abs(volts @ transfer_matrix(crossbar) - solution.bit_line_currents).max() <= 2e-9 * gross
    assert solution.n_sweeps <= 60


@pytest.mark.parametrize("shape", [(64, 65), (256, 70), (90, 256), (256, 250)])
def test_cost_hardly_depends_on_the_wires(shape):
    rng = np.random.default_rng(11)
    conductances = rng.uniform(1e-4, 5e-4, shape)
    for volts in (np.full(shape[0], 0.2), rng.uniform(-0.2, 0.2, shape[0])):
        n_sweeps = [int(solve(Crossbar(conductances, r), volts).n_sweeps) for r in (1.0, 2.0, 5.0, 10.0, 20.0)]
        # Plain sweeps by lines take hundreds at 20 ohm.
        assert 0 < min(n_sweeps) and max(n_sweeps) <= 12 and max(n_sweeps) - min(n_sweeps) <= 4


def test_cost_hardly_depends_on_the_scheme():
    rng = np.random.default_rng(12)
    for r in (1.0, 20.0):
        crossbar = Crossbar(rng.uniform(1e-4, 5e-4, (150, 110)), r)
        biasings = [read_device(crossbar, 20, 100, 0.2, unselected=name) for name in ("floating", "grounded", "V/2", "V/3")]
        # Line by line a floating array needs thousands.
        assert max(int(solve(crossbar, biasing).n_sweeps) for biasing in biasings) <= 15
    for law in (Sinh(0.2), Cubic(3.0)):
        crossbar = Crossbar(crossbar.conductances, 2.0, iv=law)
        for scheme in ("V/2", "V/3"):
            assert 0 < solve(crossbar, write_device(crossbar, 20, 100, 3.0, scheme=scheme)).n_sweeps <= 60


def test_voltages_of_a_large_circuit_are_those_of_its_currents():
    conductances, volts = np.random.default_rng(13).uniform(1e-4, 5e-4, (330, 310)), np.full(330, 0.2)
    solution = solve(Crossbar(conductances, 5.0), volts)  # too large to keep the voltages: found again when asked for
    by_ohm = (solution.bit_line_voltages[-1]) / 5.0
    gross = solution.bit_line_currents.max()
    assert np.abs(by_ohm - solution.bit_line_currents).max() <= 2 * solution.uncertainty + 1e-12 * gross
    assert np.abs(solution.device_currents.sum(axis=0) - solution.bit_line_currents).max() <= 1e-12 * gross
