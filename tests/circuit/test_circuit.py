"""Crossbars against dense nodal matrices, closed forms and conservation laws."""

import numpy as np
import pytest
from oracle import dense_crossbar, kirchhoff_sums, plain_read, reduced_crossbar

from tiocross import ConvergenceError, Crossbar, custom, solve, transfer_matrix
from tiocross.units import mV, ohm, uS

SHAPES = [(1, 1), (1, 7), (6, 1), (3, 16), (9, 2), (5, 8), (12, 10)]
# solve() promises currents to 1e-9 of the largest gross current of a bit line, the sum of its devices' currents without
# their signs; the dense solution adds condition * eps, far below that here.
PROMISE = 1e-9


def random_case(shape, seed, low=1e-6, high=1e-3):
    rng = np.random.default_rng(seed)
    conductances = np.exp(rng.uniform(np.log(low), np.log(high), shape))
    return conductances, rng.uniform(-0.2, 0.2, shape[0])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("resistance", [0.01, 2.0, 20.0, 300.0])
def test_currents_and_node_voltages_equal_the_dense_solution(shape, resistance):
    conductances, voltages = random_case(shape, seed=11)
    solution = solve(Crossbar(conductances, resistance), voltages)
    currents, word, bit = dense_crossbar(conductances, voltages, resistance)
    scale = np.abs(conductances * (word - bit)).sum(axis=0).max()
    assert np.abs(solution.bit_line_currents - currents).max() <= PROMISE * scale
    # A node voltage is off by at most the unbalanced current times the resistance of the longest way out.
    slack = PROMISE * scale * resistance * sum(shape) + 1e-15
    assert np.abs(solution.word_line_voltages - word).max() <= slack
    assert np.abs(solution.bit_line_voltages - bit).max() <= slack
    np.testing.assert_allclose(solution.device_voltages, solution.word_line_voltages - solution.bit_line_voltages)


@pytest.mark.parametrize("seed", range(20))
def test_random_circuits_equal_the_reduced_equation(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 12, 2))
    resistance = float(10 ** rng.uniform(-3, 2.5))
    conductances, voltages = random_case(shape, seed=100 + seed, low=1e-9, high=1e-2)
    expected, gross = reduced_crossbar(conductances, voltages, resistance, resistance)
    found = solve(Crossbar(conductances, resistance), voltages).bit_line_currents
    assert np.abs(found - expected).max() <= PROMISE * gross


@pytest.mark.parametrize("resistance", [0.0, 1e-9, 1e-3, 20.0])
def test_inputs_that_cancel_are_solved_to_the_gross_current(resistance):
    voltages = np.array([0.2, -0.2, 0, 0, 0, 0, 0, 0])
    solution = solve(Crossbar(np.full((8, 8), 3e-4), resistance), voltages)
    expected, gross = reduced_crossbar(np.full((8, 8), 3e-4), voltages, resistance, resistance)
    assert np.abs(solution.bit_line_currents - expected).max() <= PROMISE * gross
    assert solution.uncertainty <= PROMISE * gross


def test_one_driven_line_far_from_the_sense_end():
    conductances = np.full((128, 8), 5e-4)
    solution = solve(Crossbar(conductances, 20.0), np.eye(128)[0])
    expected, gross = reduced_crossbar(conductances, np.eye(128)[0], 20.0, 20.0)
    assert np.abs(solution.bit_line_currents - expected).max() <= PROMISE * gross


def test_ideal_wires_multiply_by_the_conductances():
    conductances, voltages = random_case((7, 4), seed=1)
    solution = solve(Crossbar(conductances), voltages)
    np.testing.assert_allclose(solution.bit_line_currents, voltages @ conductances, rtol=1e-13, atol=1e-20)
    assert solution.n_sweeps == 0 and solution.unbalanced == 0.0
    assert (solution.word_line_voltages == voltages[:, None]).all() and not solution.bit_line_voltages.any()
    assert np.array_equal(transfer_matrix(Crossbar(conductances)), conductances)


def test_vanishing_wires_approach_ideal_ones_linearly():
    conductances, voltages = random_case((6, 5), seed=2)
    ideal = voltages @ conductances
    errors = [np.abs(solve(Crossbar(conductances, r), voltages, rtol=1e-13).bit_line_currents - ideal).max()
              for r in (1e-3, 1e-6, 1e-9, 1e-12)]
    assert errors[0] > 0
    # First order in the resistance, down to the rounding of the currents themselves.
    for coarse, fine in zip(errors, errors[1:]):
        assert fine <= 1.1e-3 * coarse + 4e-16 * np.abs(ideal).max() * 6


def test_first_order_in_the_resistance():
    conductances, voltages = random_case((4, 6), seed=3, low=1e-4, high=5e-4)
    n_word, n_bit = conductances.shape
    j, i = np.arange(1, n_bit + 1), np.arange(1, n_word + 1)
    k_word = np.minimum.outer(j, j)
    k_bit = np.minimum.outer(n_word + 1 - i, n_word + 1 - i)
    ideal = conductances * voltages[:, None]
    slope = -(conductances * (ideal @ k_word + k_bit @ ideal)).sum(axis=0)

    def remainder(r):
        return solve(Crossbar(conductances, r), voltages, rtol=1e-13).bit_line_currents - ideal.sum(axis=0) - r * slope

    # What is left is of second order: a hundredth of it at a tenth of the resistance.
    ratio = np.abs(remainder(0.1)).max() / np.abs(remainder(1.0)).max()
    assert 0.008 < ratio < 0.0125


def test_one_device_is_a_series_circuit():
    g, r, v = 250 * uS, 40 * ohm, 150 * mV
    current = solve(Crossbar([[g]], r), [v]).bit_line_currents[0]
    assert current == pytest.approx(v / (1 / g + 2 * r), rel=1e-9)


def test_uniform_array_has_the_spectral_solution():
    n_word, n_bit, g, r = 5, 9, 300 * uS, 15 * ohm
    voltages = np.array([0.2, -0.1, 0.05, 0.15, -0.2])
    m, n = np.arange(1, n_word + 1), np.arange(1, n_bit + 1)
    lam = 4 / r * np.sin((2 * m - 1) * np.pi / (2 * (2 * n_word + 1))) ** 2
    mu = 4 / r * np.sin((2 * n - 1) * np.pi / (2 * (2 * n_bit + 1))) ** 2
    phi = np.sqrt(4 / (2 * n_word + 1)) * np.sin(np.outer(n_word + 1 - m, 2 * m - 1) * np.pi / (2 * n_word + 1))
    psi = np.sqrt(4 / (2 * n_bit + 1)) * np.sin(np.outer(n, 2 * n - 1) * np.pi / (2 * n_bit + 1))
    modes = (phi.T @ np.outer(voltages, np.ones(n_bit)) @ psi) / (1 + g / lam[:, None] + g / mu[None])
    device_voltages = phi @ modes @ psi.T
    solution = solve(Crossbar(np.full((n_word, n_bit), g), r), voltages, rtol=1e-12)
    np.testing.assert_allclose(solution.device_voltages, device_voltages, rtol=0, atol=1e-11)
    np.testing.assert_allclose(solution.bit_line_currents, g * device_voltages.sum(axis=0), rtol=0, atol=1e-14)


def test_published_worst_column_loss():
    # All devices at 500 uS: 3 / 13 / 24 / 39 % at 1 / 5 / 10 / 20 ohm for 8x8, 65 % at 1 ohm for 64x64.
    for n, r, loss in [(8, 1, 3), (8, 5, 13), (8, 10, 24), (8, 20, 39), (64, 1, 65)]:
        currents = solve(Crossbar(np.full((n, n), 500 * uS), float(r)), np.full(n, 0.2), rtol=1e-6).bit_line_currents
        assert round(100 * (1 - currents.min() / (n * 500 * uS * 0.2))) == loss


def test_current_and_power_are_conserved():
    conductances, voltages = random_case((6, 9), seed=4)
    r = 12.0
    solution = solve(Crossbar(conductances, r), voltages, rtol=1e-12)
    word, bit = solution.word_line_voltages, solution.bit_line_voltages
    drawn = (voltages - word[:, 0]) / r
    scale = np.abs(drawn).sum()
    assert abs(drawn.sum() - solution.bit_line_currents.sum()) < 1e-9 * scale
    along = np.diff(np.concatenate([voltages[:, None], word], axis=1), axis=1)
    down = np.diff(np.concatenate([bit, np.zeros((1, 9))]), axis=0)
    burnt = (along**2).sum() / r + (down**2).sum() / r + (conductances * solution.device_voltages**2).sum()
    assert burnt == pytest.approx(drawn @ voltages, rel=1e-9)


def test_reported_residuals_equal_an_independent_kirchhoff_sum():
    conductances, voltages = random_case((8, 6), seed=5, low=1e-4, high=5e-4)
    solution = solve(Crossbar(conductances, 50.0), voltages, rtol=1e-4)  # loose, so that something is left
    at_word, at_bit = kirchhoff_sums(solution.word_line_voltages, solution.bit_line_voltages,
                                     **plain_read(conductances, voltages, 50.0))
    rounding = 0.2 / 50.0 * 1e-15 * 10
    assert solution.unbalanced > 100 * rounding
    assert max(np.abs(at_word).max(), np.abs(at_bit).max()) == pytest.approx(float(solution.unbalanced), abs=rounding)
    total = np.abs(at_word).sum() + np.abs(at_bit).sum()
    assert total == pytest.approx(solution._report.residuals.item(), abs=rounding * 96)
    assert 0.01 * total < solution.uncertainty < total  # most of what is left flows back into the sources


@pytest.mark.slow
@pytest.mark.parametrize("rtol", [1e-2, 1e-4, 1e-7])
def test_uncertainty_bounds_the_error(rtol):
    for seed in range(5):
        conductances, voltages = random_case((9, 14), seed=seed, low=1e-4, high=1e-3)
        solution = solve(Crossbar(conductances, 30.0), voltages, rtol=rtol)
        exact, word, bit = dense_crossbar(conductances, voltages, 30.0)
        error = np.abs(solution.bit_line_currents - exact).max()
        assert error <= solution.uncertainty + 1e-18
        gross = np.abs(conductances * solution.device_voltages).sum(axis=0).max()
        assert solution.uncertainty <= rtol * gross * (1 + 1e-12)
        assert gross == pytest.approx(np.abs(conductances * (word - bit)).sum(axis=0).max(), rel=30 * rtol)


def test_superposition_scaling_and_permutation_of_bit_lines():
    conductances, first = random_case((5, 7), seed=6)
    second = np.random.default_rng(7).uniform(-0.2, 0.2, 5)

    def currents(g, v, r=8.0):
        return solve(Crossbar(g, r), v, rtol=1e-13).bit_line_currents

    scale = np.abs(currents(conductances, first)).max()
    np.testing.assert_allclose(currents(conductances, 2 * first - 3 * second),
                               2 * currents(conductances, first) - 3 * currents(conductances, second), atol=1e-11 * scale)
    np.testing.assert_allclose(currents(conductances / 4, first, 32.0), currents(conductances, first) / 4, atol=1e-12 * scale)
    # Reversing the word lines' far ends is no symmetry, but equal bit lines may trade places.
    same = conductances.copy()
    same[:, 3] = same[:, 2]
    swapped = same[:, [0, 1, 3, 2, 4, 5, 6]]
    assert np.array_equal(currents(same, first), currents(swapped, first))


@pytest.mark.parametrize("shape", [(3, 16), (9, 2), (1, 4), (4, 1), (6, 7)])
def test_transfer_matrix_is_the_circuit_on_either_side_of_square(shape):
    conductances, voltages = random_case(shape, seed=8)
    matrix = transfer_matrix(Crossbar(conductances, 25.0))
    assert matrix.shape == shape
    for i, row in enumerate(matrix):
        expected, _, _ = dense_crossbar(conductances, np.eye(shape[0])[i], 25.0)
        # With reciprocity the accuracy is relative to the largest entry of a column, not of this row.
        np.testing.assert_allclose(row, expected, rtol=0, atol=2e-9 * matrix.max())
    solved = solve(Crossbar(conductances, 25.0), voltages).bit_line_currents
    np.testing.assert_allclose(voltages @ matrix, solved, rtol=0, atol=4e-9 * np.abs(voltages).sum() * matrix.max())


def test_batches_of_inputs_and_arrays_equal_one_at_a_time():
    rng = np.random.default_rng(9)
    arrays, inputs = rng.uniform(1e-4, 5e-4, (4, 3, 6)), rng.uniform(-0.2, 0.2, (5, 3))
    one = Crossbar(arrays[0], 10.0)
    batch = solve(one, inputs)
    assert batch.bit_line_currents.shape == (5, 6) and batch.n_sweeps.shape == (5,)
    assert batch.word_line_voltages.shape == (5, 3, 6)
    for b in range(5):
        assert np.array_equal(batch.bit_line_currents[b], solve(one, inputs[b]).bit_line_currents)
    many = solve(Crossbar(arrays, 10.0), inputs[0])
    assert many.bit_line_currents.shape == (4, 6)
    both = solve(Crossbar(arrays[:, None], 10.0), inputs)
    assert both.bit_line_currents.shape == (4, 5, 6)
    matrices = transfer_matrix(Crossbar(arrays, 10.0))
    for c in range(4):
        assert np.array_equal(many.bit_line_currents[c], solve(Crossbar(arrays[c], 10.0), inputs[0]).bit_line_currents)
        assert np.array_equal(both.bit_line_currents[c], solve(Crossbar(arrays[c], 10.0), inputs).bit_line_currents)
        assert np.array_equal(matrices[c], transfer_matrix(Crossbar(arrays[c], 10.0)))


def test_memory_layout_and_type_of_the_input_do_not_matter():
    conductances, voltages = random_case((4, 6), seed=10)
    expected = solve(Crossbar(conductances, 5.0), voltages).bit_line_currents
    frozen = np.asfortranarray(conductances)
    frozen.flags.writeable = False
    assert np.array_equal(solve(Crossbar(frozen, 5.0), list(voltages)).bit_line_currents, expected)
    wide = np.repeat(conductances, 2, axis=1)[:, ::2]
    assert np.array_equal(solve(Crossbar(wide, 5), voltages).bit_line_currents, expected)
    assert solve(Crossbar([[1, 0], [0, 1]]), [1, 2]).bit_line_currents.tolist() == [1.0, 2.0]


def test_empty_batches_give_empty_results_and_arrays_are_kept_as_checked():
    crossbar = Crossbar(np.full((3, 2), 1e-4), 5.0)
    assert solve(crossbar, np.zeros((0, 3))).bit_line_currents.shape == (0, 2)
    mine = np.full((3, 2), 1e-4)
    crossbar = Crossbar(mine, 5.0)
    mine[0, 0] = np.nan
    assert crossbar.conductances[0, 0] == 1e-4
    with pytest.raises(ValueError, match="read-only"):
        crossbar.conductances[0, 0] = 1.0


def test_open_devices_and_undriven_arrays():
    conductances, voltages = random_case((4, 5), seed=12)
    conductances[:, 2] = 0.0
    solution = solve(Crossbar(conductances, 10.0), voltages)
    assert solution.bit_line_currents[2] == 0.0
    assert np.isfinite(solution.bit_line_currents).all()
    nothing = solve(Crossbar(conductances, 10.0), np.zeros(4))
    assert not nothing.bit_line_currents.any() and nothing.unbalanced == 0.0
    assert not transfer_matrix(Crossbar(np.zeros((3, 2)), 10.0)).any()


def test_large_resistive_array_converges_or_says_so():
    conductances = np.random.default_rng(13).uniform(1e-4, 5e-4, (48, 40))
    crossbar, voltages = Crossbar(conductances, 100.0), np.full(48, 0.2)
    solution = solve(crossbar, voltages)
    exact, _ = reduced_crossbar(conductances, voltages, 100.0, 100.0)
    assert np.abs(solution.bit_line_currents - exact).max() <= PROMISE * exact.max()
    with pytest.raises(ConvergenceError, match="not solved to rtol = 1e-09 after 3 sweeps.*Raise max_sweeps") as caught:
        solve(crossbar, voltages, max_sweeps=3)
    assert caught.value.n_sweeps == 3
    assert caught.value.unbalanced > 0 and caught.value.uncertainty >= caught.value.unbalanced


def test_precision_that_floating_point_cannot_give_is_refused():
    crossbar = Crossbar([[1e-4]], 1.0)
    nearly_balanced = custom(crossbar, left=1.0, right=-1.0 + 1e-8, bottom=0.0)
    with pytest.raises(ConvergenceError, match="double precision does not resolve"):
        solve(crossbar, nearly_balanced)
    assert solve(crossbar, nearly_balanced, rtol=1e-4).bit_line_currents[0] == pytest.approx(5e-13, rel=1e-3)
    with pytest.raises(ValueError, match="rtol must be finite and within"):
        solve(crossbar, [0.1], rtol=1e-19)


@pytest.mark.parametrize(("conductances", "message"), [
    ([[120.0, 300.0], [450.0, 100.0]], r"got 120 at word line 0, bit line 0 \(4 such\). If these are microsiemens"),
    ([[1e-4, -1e-4]], r"got -0.0001 at word line 0, bit line 1 \(1 such\)"),
    ([[1e-4], [np.nan]], r"must be finite; got nan at index \(1, 0\)"),
    ([1e-4, 2e-4], r"must have shape \(..., n_word_lines, n_bit_lines\)"),
    (np.zeros((0, 3)), "none of them zero"),
    ("many", "must be an array of real numbers; got a str"),
    ([[1e-4 + 1j]], "must be an array of real numbers; got a list of complex128"),
    ([[1e-4], [1e-4, 1e-4]], "must be an array of numbers; got a ragged list"),
    (np.ma.masked_array([[1e-4, 2e-4]], [[True, False]]), "must not be masked"),
])
def test_bad_conductances_are_named(conductances, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Crossbar(conductances)


def test_position_of_a_bad_conductance_in_a_batch_is_named():
    arrays = np.full((3, 2, 4), 1e-4)
    arrays[2, 1, 3] = -1.0
    with pytest.raises(ValueError, match="at array 2, word line 1, bit line 3"):
        Crossbar(arrays)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: Crossbar([[1e-4]], -1.0), "wire_resistance must be finite and at least 0 ohm; got -1 ohm"),
    (lambda: Crossbar([[1e-4]], np.inf), "wire_resistance must be finite"),
    (lambda: Crossbar([[1e-4]], "2 ohm"), "wire_resistance must be a number; got '2 ohm'"),
    (lambda: solve(Crossbar([[1e-4, 1e-4]]), [0.1, 0.1]), r"voltages must have shape \(..., 1\)"),
    (lambda: solve(Crossbar([[1e-4]]), [np.nan]), "voltages must be finite"),
    (lambda: solve(Crossbar([[1e-4]]), 0.2), "voltages must have shape"),
    (lambda: solve(np.array([[1e-4]]), [0.2]), "crossbar must be a Crossbar, such as .* got an ndarray"),
    (lambda: transfer_matrix([[1e-4]]), "crossbar must be a Crossbar"),
    (lambda: transfer_matrix(Crossbar([[1e-4]], 1.0), rtol="tight"), "rtol must be a number; got 'tight'"),
    (lambda: solve(Crossbar([[1e-4]]), [0.2], rtol=-1.0), "rtol must be finite and within"),
    (lambda: solve(Crossbar([[1e-4]]), [0.2], max_sweeps=0), "max_sweeps must be at least 1"),
    (lambda: solve(Crossbar(np.full((3, 1, 1), 1e-4)), np.zeros((2, 1))), "do not broadcast"),
])
def test_other_bad_input_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
