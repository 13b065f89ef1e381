"""Nested elimination against the dense equation, closed forms and symmetries."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tiocross.circuit.solvers import leaves
from tiocross.circuit.solvers.backwards import eliminate_with_pullback
from tiocross.circuit.solvers.elimination import eliminate

# Around the largest leaf (17 lines), uneven, padded, and much longer than wide.
SHAPES = [(1, 1), (1, 9), (7, 1), (3, 17), (16, 5), (17, 18), (34, 20), (20, 35), (130, 3), (2, 150), (1, 260), (5, 70)]
# Rounding grows with the number of joins only; the dense solution adds condition * eps, small for these resistances.
PROMISE = 1e-11


def dense(conductances, word, bit, source, sense):
    """Transfer matrix from the equation for the device voltages u, which is regular at zero resistance:

    u_ij + sum_l K_il G_lj u_lj + sum_k K'_jk G_ik u_ik = V_i, with K_il the resistance that the paths of devices (i, j)
    and (l, j) to the bottom end share, K'_jk what those of (i, j) and (i, k) share from the left end.
    """
    n_word, n_bit = conductances.shape
    from_left, from_bottom = np.arange(1, n_bit + 1), np.arange(n_word, 0, -1)
    system = np.eye(n_word * n_bit).reshape(n_word, n_bit, n_word, n_bit)
    for i in range(n_word):
        system[i, :, i, :] += (word[i] * np.minimum.outer(from_left, from_left) + source[i]) * conductances[i]
    for j in range(n_bit):
        system[:, j, :, j] += (bit[j] * np.minimum.outer(from_bottom, from_bottom) + sense[j]) * conductances[:, j]
    units = np.repeat(np.eye(n_word), n_bit, axis=0)
    voltages = np.linalg.solve(system.reshape(units.shape[0], -1), units).reshape(n_word, n_bit, n_word)
    return np.einsum("ij,ijv->vj", conductances, voltages)


def random_case(shape, seed, resistances=(1e-1, 1e2), conductances=(1e-6, 1e-3)):
    """Everything spread evenly over decades, one device in ten open."""
    rng = np.random.default_rng(seed)

    def spread(size, low, high):
        return 10.0 ** rng.uniform(np.log10(low), np.log10(high), size)

    devices = np.where(rng.random(shape) < 0.1, 0.0, spread(shape, *conductances))
    return devices, *(spread(shape[k], *resistances) for k in (0, 1, 0, 1))


def worst(matrix, expected, axis=-1):
    """Largest error relative to the largest entry of its row (or column)."""
    scale = np.abs(expected).max(axis=axis, keepdims=True)
    error = np.abs(matrix - expected)
    assert not error[np.broadcast_to(scale == 0.0, error.shape)].any()
    return (error / np.where(scale == 0.0, 1.0, scale)).max()


def one(conductances, *resistances):
    return eliminate(conductances[None], *resistances)[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_equal_to_the_dense_equation(shape):
    case = random_case(shape, seed=sum(shape))
    matrix = one(*case)
    assert matrix.shape == shape and matrix.flags.c_contiguous
    assert worst(matrix, dense(*case)) < PROMISE


@pytest.mark.parametrize("resistances", [(1e-6, 1e-5), (1e-6, 1e4), (1.0, 10.0), (1e3, 1e4)])
@pytest.mark.parametrize("shape", [(18, 23), (35, 17)])
def test_seven_decades_of_conductance_and_ten_of_resistance(shape, resistances):
    case = random_case(shape, 3, resistances, conductances=(1e-9, 1e-2))
    # Conductance of a line times resistance, here up to 35 * 1e-2 S * 1e4 ohm = 3500, times eps is 8e-13 in either solution.
    assert worst(one(*case), dense(*case)) < PROMISE


@pytest.mark.parametrize("zero", [(1, 2, 3, 4), (1, 2), (1, 3), (2,), (3, 4)])
def test_any_resistance_may_be_zero(zero):
    case = list(random_case((19, 21), 4))
    for k in zero:
        case[k] = np.zeros_like(case[k])
    matrix = one(*case)
    assert worst(matrix, dense(*case)) < PROMISE
    if len(zero) == 4:
        assert worst(matrix, case[0]) < 1e-14  # ideal wires: the conductances themselves


@pytest.mark.parametrize("shape", [(60, 47), (7, 200), (300, 2)])
def test_turned_by_180_degrees_about_the_diagonal(shape):
    conductances, word, bit, source, sense = random_case(shape, 5)
    turned = one(np.ascontiguousarray(conductances[::-1, ::-1].T), bit[::-1], word[::-1], sense[::-1], source[::-1])
    # Each is exact relative to the rows as it sees them; the larger of both scales holds for the difference.
    matrix = one(conductances, word, bit, source, sense)
    assert np.abs(turned[::-1, ::-1].T - matrix).max() < 1e-13 * matrix.max()


def test_one_word_line_of_equal_devices():
    """2 sinh(t/2) = sqrt(r g), V_j = V cosh((N + 1/2 - j) t) / cosh((N + 1/2) t)."""
    n, g, r = 77, 2e-4, 3.0
    t = 2 * np.arcsinh(np.sqrt(r * g) / 2)
    expected = g * np.cosh((n + 0.5 - np.arange(1, n + 1)) * t) / np.cosh((n + 0.5) * t)
    nothing = np.zeros(n)
    row = one(np.full((1, n), g), np.array([r]), nothing, np.zeros(1), nothing)
    column = one(np.full((n, 1), g), nothing, np.array([r]), nothing, np.zeros(1))
    np.testing.assert_allclose(row[0], expected, rtol=1e-13)
    np.testing.assert_allclose(column[::-1, 0], expected, rtol=1e-13)


def test_equal_devices_of_a_large_array():
    """The spectral solution of FACTS, for random inputs."""
    (n_word, n_bit), g, r_word, r_bit = (150, 90), 1e-4, 4.0, 1.5
    voltages = np.random.default_rng(6).uniform(-0.2, 0.2, n_word)
    m, n = 2 * np.arange(1, n_word + 1) - 1, 2 * np.arange(1, n_bit + 1) - 1
    resist_bit = 4 / r_bit * np.sin(m * np.pi / (2 * (2 * n_word + 1))) ** 2
    resist_word = 4 / r_word * np.sin(n * np.pi / (2 * (2 * n_bit + 1))) ** 2
    upward, across = np.arange(n_word, 0, -1)[:, None], np.arange(1, n_bit + 1)[:, None]
    phi = np.sqrt(4 / (2 * n_word + 1)) * np.sin(m * np.pi * upward / (2 * n_word + 1))
    psi = np.sqrt(4 / (2 * n_bit + 1)) * np.sin(n * np.pi * across / (2 * n_bit + 1))
    modes = phi.T @ np.repeat(voltages[:, None], n_bit, axis=1) @ psi / (1 + g / resist_bit[:, None] + g / resist_word)
    expected = g * (phi @ modes @ psi.T).sum(axis=0)
    matrix = one(np.full((n_word, n_bit), g), np.full(n_word, r_word), np.full(n_bit, r_bit),
                 np.zeros(n_word), np.zeros(n_bit))
    assert np.abs(voltages @ matrix - expected).max() < 1e-12 * (np.abs(voltages) @ matrix).max()


def test_scaling_conductances_up_and_resistances_down():
    conductances, *resistances = random_case((40, 31), 7)
    matrix = one(conductances, *resistances)
    # Powers of two scale without rounding, and nothing but products and sums of like quantities is ever formed.
    assert np.array_equal(one(conductances * 2.0**-9, *(r * 2.0**9 for r in resistances)), matrix * 2.0**-9)


def test_every_current_is_positive_and_no_larger_than_with_ideal_wires():
    conductances, *resistances = random_case((50, 64), 8)
    matrix = one(conductances, *resistances)
    assert (matrix >= -1e-15 * matrix.max(axis=1, keepdims=True)).all()
    assert (matrix.sum(axis=1) <= conductances.sum(axis=1) * (1 + 1e-12)).all()


def test_lines_without_devices_carry_nothing():
    conductances, *resistances = random_case((24, 37), 9)
    conductances[5] = 0.0
    conductances[:, 20] = 0.0
    matrix = one(conductances, *resistances)
    assert not matrix[5].any() and not matrix[:, 20].any()
    assert not one(np.zeros((24, 37)), *resistances).any()


def test_arrays_one_by_one_and_in_strips_give_the_same(monkeypatch):
    _, *resistances = random_case((70, 100), 10)
    arrays = np.stack([random_case((70, 100), seed)[0] for seed in (11, 12, 13)])
    matrices = eliminate(arrays, *resistances)
    assert eliminate(arrays[:0], *resistances).shape == (0, 70, 100)
    for limit in (2**16, 2**12, 1):  # whole arrays, two strips, as many as there are
        monkeypatch.setattr(leaves, "DEVICES_AT_ONCE", limit)
        for array, matrix in zip(arrays, matrices):
            assert worst(one(array, *resistances), matrix) < 1e-13


def test_a_wide_array_against_its_own_halves():
    """Bit lines right of the last device of a word line change nothing: with the right half open, T is the left half's."""
    conductances, word, bit, source, sense = random_case((260, 280), 14)
    conductances[:, 120:] = 0.0
    left = one(np.ascontiguousarray(conductances[:, :120]), word, bit[:120], source, sense[:120])
    assert worst(one(conductances, word, bit, source, sense)[:, :120], left) < PROMISE


def test_each_segment_its_own_resistance():
    """A line whose segments are r, 2 r, r, ... is one of segments r with more nodes, some without a device."""
    (n_word, n_bit), rng = (20, 19), np.random.default_rng(15)
    conductances = rng.uniform(1e-4, 5e-4, (n_word, n_bit))
    words, bits = np.full((n_word, n_bit + 1), 3.0), np.full((n_word + 1, n_bit), 2.0)
    words[:, 5] = 6.0  # before the device at bit line 5, seen from the left
    bits[8] = 4.0  # before word line 7, seen from the bottom
    finer = np.insert(np.insert(conductances, 5, 0.0, axis=1), 8, 0.0, axis=0)
    ends = np.full(n_word, 10.0), np.full(n_bit, 20.0)
    expected = one(finer, *(np.full(n + 1, r) for n, r in ((n_word, 3.0), (n_bit, 2.0), (n_word, 10.0), (n_bit, 20.0))))
    matrix = one(conductances, words, bits, *ends)
    assert worst(matrix, np.delete(np.delete(expected, 8, axis=0), 5, axis=1)) < 1e-13


@pytest.mark.parametrize("shape", [(1, 3), (5, 70), (17, 18), (33, 20), (70, 50), (20, 130)])
def test_a_gradient_pulled_back_is_that_of_differences(shape):
    _, *resistances = random_case(shape, 16)
    rng = np.random.default_rng(17)
    arrays, weights = rng.uniform(1e-5, 5e-4, (2, *shape)), rng.normal(size=(2, *shape))
    arrays[rng.random(arrays.shape) < 0.1] = 0.0
    step = 1e-3 * rng.uniform(-1, 1, arrays.shape) * 1e-4
    matrices, pull = eliminate_with_pullback(arrays, *resistances)
    np.testing.assert_allclose(matrices, eliminate(arrays, *resistances), rtol=0, atol=1e-13 * matrices.max())
    near, far = ((eliminate(arrays + k * step, *resistances) - eliminate(arrays - k * step, *resistances)) * weights
                 for k in (1, 2))
    slopes = (8.0 * near - far).sum(axis=(1, 2)) / 12.0  # of fourth order in a change of a thousandth of a device
    # Rounding of matrix entries up to 5e-4 S against changes of 1e-7 S: 1e-13 / 1e-3, and some for what cancels.
    np.testing.assert_allclose((pull(weights) * step).sum(axis=(1, 2)), slopes, rtol=0,
                               atol=1e-9 * np.abs(pull(weights) * step).sum(axis=(1, 2)).min())
    np.testing.assert_allclose(pull(-2.0 * weights), -2.0 * pull(weights), rtol=1e-12, atol=1e-15)


def test_gradients_in_strips_and_whole_are_the_same(monkeypatch):
    _, *resistances = random_case((70, 100), 18)
    array, weights = random_case((70, 100), 19)[0][None], np.random.default_rng(20).normal(size=(1, 70, 100))
    whole = eliminate_with_pullback(array, *resistances)[1](weights)
    monkeypatch.setattr(leaves, "DEVICES_AT_ONCE", 2**11)
    np.testing.assert_allclose(eliminate_with_pullback(array, *resistances)[1](weights), whole, rtol=0,
                               atol=1e-12 * np.abs(whole).max())


def test_threads_at_once_do_not_share_memory():
    cases = [random_case(shape, seed) for shape, seed in (((60, 70), 21), ((90, 50), 22), ((75, 75), 23), ((33, 99), 24))]
    expected = [one(*case) for case in cases]
    with ThreadPoolExecutor(4) as executor:
        for case, matrix in zip(cases * 6, executor.map(lambda case: one(*case), cases * 6)):
            assert np.array_equal(matrix, expected[next(k for k, other in enumerate(cases) if other is case)])
