"""The core of the solver: the same bits however arrays and lines are put into vectors, threads and jobs; leaks."""

import numpy as np
import pytest

from tiocross import Crossbar, read_device, solve
from tiocross.circuit.solvers.prepared import prepare
from tiocross.circuit.solvers.results import Goal, allocate_results
from tiocross.circuit.solvers.workspace import LARGE
from tiocross.jit import kernel
from tiocross.vectors import LANES, fill, lane, larger, load, magnitude, spread, store, transpose, where_above


@pytest.mark.parametrize("n_arrays", [1, 4, 5, LANES, LANES + 1, LANES + 5])
@pytest.mark.parametrize("shape, ohms", [((3, 5), 1.0), ((9, 17), 20.0), ((40, 24), 20.0)])
def test_an_array_has_the_same_bits_alone_and_among_others(shape, ohms, n_arrays):
    rng = np.random.default_rng(n_arrays)
    g, volts = rng.uniform(1e-4, 5e-4, (n_arrays, *shape)), rng.uniform(-0.2, 0.2, shape[0])
    together = solve(Crossbar(g, ohms), volts)
    for c, array in enumerate(g):
        alone = solve(Crossbar(array, ohms), volts)
        assert np.array_equal(alone.bit_line_currents, together.bit_line_currents[c])
        assert alone.uncertainty == together.uncertainty[c] and alone.n_sweeps == together.n_sweeps[c]


@pytest.mark.parametrize("n_arrays", [3, LANES + 2])
def test_reads_of_devices_have_the_same_bits_in_any_batch_and_number_of_threads(n_arrays):
    rng = np.random.default_rng(7)
    crossbar = Crossbar(rng.uniform(1e-4, 5e-4, (n_arrays, 12, 19)), 5.0)
    batch = read_device(crossbar, 3, 11, 0.2, unselected="V/2")
    one, two = (solve(crossbar, batch, workers=workers).bit_line_currents for workers in (1, 2))
    assert np.array_equal(one, two)


@pytest.mark.slow
def test_a_large_array_has_the_same_bits_in_one_call_and_job_by_job_for_any_number_of_threads():
    shape = (512, 490)
    assert shape[0] * shape[1] > LARGE
    rng = np.random.default_rng(3)
    crossbar, volts = Crossbar(rng.uniform(1e-4, 5e-4, shape), 1.0), rng.uniform(0.05, 0.2, shape[0])
    found = [solve(crossbar, volts, workers=workers) for workers in (1, 2, 3)]
    circuit = prepare(crossbar)
    ((workspace, _),), goal = circuit.readers, Goal(1e-9, 100)
    solved = allocate_results((1, 1), shape, False)
    workspace._solve_some(circuit.arrays, volts[None, None, None], goal.rtol, goal.max_sweeps, 3, solved)
    for each in found:
        assert np.array_equal(each.bit_line_currents, solved.currents[0, 0])
        assert each.uncertainty == found[0].uncertainty


def test_less_leaks_from_lines_that_lose_little():
    """What a word line with hardly any resistance lacks flows back into its source: the bound follows the wires."""
    rng = np.random.default_rng(5)
    g, volts = rng.uniform(1e-4, 5e-4, (16, 12)), rng.uniform(0.05, 0.2, 16)
    shares = []
    for ohms in (0.01, 1.0, 100.0):
        solution = solve(Crossbar(g, word_line_resistance=ohms, bit_line_resistance=30.0), volts, rtol=1e-3)
        exact = solve(solution.crossbar, volts, rtol=1e-11)
        assert np.abs(solution.bit_line_currents - exact.bit_line_currents).max() <= solution.uncertainty
        shares.append(float(solution._report.total.item() / solution._report.residuals.item()))
    assert shares[0] < 1e-3 < shares[1] < shares[2] <= 1.0


@kernel
def _exercise(numbers, out):
    first, second = load(numbers, 0), load(numbers, LANES)
    results = (first + second, first - 2.0 * second, first * second / (3.0 + magnitude(second)), larger(first, second),
               where_above(first, fill(0.0), first, spread(numbers, 1)))
    store(out, 0, results[0])
    store(out, LANES, results[1])
    store(out, 2 * LANES, results[2])
    store(out, 3 * LANES, results[3])
    store(out, 4 * LANES, results[4])
    transpose(numbers, 0, LANES, out, 5 * LANES, LANES)
    return lane(first, 2)


def test_vectors_compute_as_numpy_does():
    numbers = np.random.default_rng(1).normal(size=LANES * LANES)
    out = np.zeros((5 + LANES) * LANES)
    assert _exercise(numbers, out) == numbers[2]
    rows, (first, second) = out.reshape(-1, LANES), numbers.reshape(-1, LANES)[:2]
    expected = (first + second, first - 2.0 * second, first * second / (3.0 + np.abs(second)), np.maximum(first, second),
                np.where(first > 0, first, numbers[1]))
    for row, wanted in zip(rows, expected):
        assert np.array_equal(row, wanted)
    assert np.array_equal(rows[5:], numbers.reshape(LANES, LANES).T)
