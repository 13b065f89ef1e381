"""Read margins and errors of conductances found from noisy reads, each against another way to them."""

import numpy as np
import pytest
from oracle import dense_circuit

from tiocross import Crossbar, Sinh, read_crossbar, read_device, read_errors, read_margin, solve
from tiocross.units import nA, uS

LOW, HIGH = 100 * uS, 500 * uS


@pytest.mark.parametrize("iv", [None, Sinh(0.1)])
@pytest.mark.parametrize("unselected", ["floating", "grounded", "V/2", "V/3"])
def test_margins_are_those_of_two_dense_solutions(unselected, iv):
    g = np.random.default_rng(1).uniform(LOW, HIGH, (5, 4))
    crossbar = Crossbar(g, 2.0, iv=iv)
    found = read_margin(crossbar, [0, 4], [3, 0], 0.2, low=LOW, high=HIGH, unselected=unselected)
    for k, (i, j) in enumerate([(0, 3), (4, 0)]):
        biasing, currents = read_device(crossbar, i, j, 0.2, unselected=unselected), []
        for value in (LOW, HIGH):
            each = g.copy()
            each[i, j] = value
            exact = dense_circuit(each, biasing.left, np.nan, np.nan, biasing.bottom, word_line_resistance=2.0,
                                  bit_line_resistance=2.0, iv=iv and ("sinh", iv.v0))
            currents.append(-exact.end_currents.bottom[j])
        assert found[k] == pytest.approx(1 - currents[0] / currents[1], rel=1e-7)


def test_without_wires_grounded_lines_lose_no_margin():
    crossbar = Crossbar(np.full((4, 3), HIGH))
    assert read_margin(crossbar, 2, 1, 0.2, low=LOW, high=HIGH, unselected="grounded") == pytest.approx(0.8, rel=1e-12)
    assert read_margin(crossbar, 2, 1, 0.0, low=LOW, high=HIGH) == 0.0


@pytest.mark.parametrize("unselected", ["grounded", "floating"])
def test_errors_are_the_scatter_of_repeated_read_outs(unselected):
    chip, noise, rng = Crossbar(np.random.default_rng(2).uniform(LOW, HIGH, (4, 3)), 5.0), 1 * nA, np.random.default_rng(3)
    words, bits = (lines.ravel() for lines in np.indices((4, 3)))
    clean = solve(chip, read_device(chip, words, bits, 0.2, unselected=unselected)).bit_line_currents[np.arange(12), bits]
    found = [read_crossbar(clean.reshape(4, 3) + noise * rng.standard_normal((4, 3)), 0.2, wire_resistance=5.0,
                           unselected=unselected).conductances for _ in range(40)]
    ratio = np.sqrt(((np.array(found) - chip.conductances) ** 2).mean() / (read_errors(chip, 0.2, noise,
                                                                                       unselected=unselected) ** 2).mean())
    # 480 correlated squares: a tenth is three standard deviations and more.
    assert 0.85 < ratio < 1.15


@pytest.mark.parametrize(("n", "times"), [(8, 8), pytest.param(16, 20, marks=pytest.mark.slow)])
def test_floating_reads_amplify_noise(n, times):
    chip = Crossbar(np.random.default_rng(4).uniform(LOW, HIGH, (n, n)), 2.0)
    words, bits = (lines.ravel() for lines in np.indices((n, n)))
    shares = {}
    for unselected in ("floating", "grounded"):
        solution = solve(chip, read_device(chip, words, bits, 0.2, unselected=unselected))
        readings = (solution.selected_current + solution.sneak_current).reshape(n, n)
        errors = read_errors(chip, 0.2, 0.01 * np.abs(readings), unselected=unselected)
        shares[unselected] = np.sqrt(((errors / chip.conductances) ** 2).mean()) / 0.01
    assert 0.6 * times < shares["floating"] < 1.6 * times
    assert 0.8 < shares["grounded"] < 1.2


def test_ideal_grounded_reads_pass_noise_on():
    chip = Crossbar([[1e-4, 0.0, 3e-4], [2e-4, 5e-4, 1e-4]])
    np.testing.assert_allclose(read_errors(chip, -0.2, 1e-9), [[5e-9, 0, 5e-9], [5e-9] * 3], rtol=1e-9)


@pytest.mark.parametrize(("call", "message"), [
    (lambda x: read_margin(x, 0, 0, 0.2, low=HIGH, high=LOW), "low must be below high; got 0.0005 and 0.0001 S"),
    (lambda x: read_margin(x, 0, 9, 0.2, low=LOW, high=HIGH), "bit_line must lie in 0 .. 2; got 9"),
    (lambda x: read_margin(x, 0, 0, 0.2, low=100.0, high=500.0), "low must be finite and within"),
    (lambda x: read_margin(Crossbar(np.full((2, 3, 4), 1e-4)), 0, 0, 0.2, low=LOW, high=HIGH), "must be one array"),
    (lambda x: read_errors(x, 0.0, 1e-9), "voltage must not be 0 V"),
    (lambda x: read_errors(x, 0.2, -1e-9), "noise must be one number .* at least -1e-09 A"),
    (lambda x: read_errors(x, 0.2, 1e-9, unselected="floatin"), "did you mean 'floating'"),
    (lambda x: read_errors(Crossbar(np.full((40, 30), 1e-4)), 0.2, 1e-9), "up to 1024 devices"),
])
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(Crossbar(np.full((4, 3), 1e-4), 2.0))
