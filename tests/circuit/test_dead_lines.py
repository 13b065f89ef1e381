"""Dead lines, islands and conductances far apart: defined answers, within the bound, for every scheme and law."""

import numpy as np
import pytest
from oracle import dense_circuit

from tiocross import (
    Crossbar,
    Cubic,
    Sinh,
    custom,
    read_columns,
    read_device,
    sensitivities,
    solve,
    transfer_matrix,
    write_device,
)

NAN = np.nan
LAWS = [None, Sinh(0.3), Cubic(2.0)]


def random_array(shape=(32, 24), dead=5, value=0.0):
    g = np.random.default_rng(0).uniform(1e-4, 5e-4, shape)
    g[:, dead] = value
    return g


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("scheme", ["floating", "grounded", "V/2", "V/3"])
def test_a_dead_bit_line_reads_nothing(scheme, law):
    crossbar = Crossbar(random_array(), 2.0, iv=law)
    solution = solve(crossbar, read_device(crossbar, 10, 5, 0.2, unselected=scheme))
    assert solution.bit_line_currents[5] == 0.0 == solution.uncertainty == solution.selected_current
    assert solution.selected_voltage == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("scheme", ["V/2", "V/3"])
def test_a_dead_word_line_is_written_in_vain(scheme, law):
    crossbar = Crossbar(random_array((24, 9)).T, 2.0, iv=law)
    solution = solve(crossbar, write_device(crossbar, 5, 3, 1.2, scheme=scheme))
    assert not solution.device_currents[5].any() and solution.end_currents.left[5] == 0.0
    others = np.delete(solution.crossbar.conductances, 5, axis=0)
    without = Crossbar(others, 2.0, iv=law)
    left, bottom = np.delete(solution.biasing.left, 5), solution.biasing.bottom
    # With wires of no length beside the missing line the rest is not quite the same circuit; the wires' drops are small.
    expected = solve(without, custom(without, left=left, bottom=bottom)).bit_line_currents
    np.testing.assert_allclose(solution.bit_line_currents, expected, rtol=0, atol=0.02 * np.abs(expected).max())


def test_a_floating_read_beside_an_open_word_line():
    g = np.array([[1e-4, 2e-4, 3e-4], [3e-4, 4e-4, 1e-4], [0, 0, 0]])
    crossbar = Crossbar(g, 2.0)
    solution = solve(crossbar, read_device(crossbar, 0, 0, 0.2))
    assert solution.bit_line_currents[0] == pytest.approx(44.5097e-6, rel=2e-6)
    assert solution.undetermined_word_lines.tolist() == [False, False, True]
    assert not solution.undetermined_bit_lines.any() and "1 undetermined lines" in repr(solution)
    assert np.isnan(solution.device_voltages[2]).all() and not solution.device_currents[2].any()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("scheme", ["floating", "grounded", "V/2", "V/3"])
def test_a_nearly_dead_bit_line_is_read_within_the_bound(scheme, law):
    """1e-12 S beside 1e-4 S: sweeps round to more than the whole current."""
    g = random_array((5, 4), dead=2, value=1e-12)
    crossbar = Crossbar(g, 2.0, iv=law)
    biasing = read_device(crossbar, 1, 2, 0.2, unselected=scheme)
    solution = solve(crossbar, biasing)
    iv = law if law is None else ("sinh", law.v0) if isinstance(law, Sinh) else ("cubic", law.c)
    exact = dense_circuit(g, biasing.left, NAN, NAN, biasing.bottom, word_line_resistance=2.0, bit_line_resistance=2.0,
                          iv=iv)
    error = abs(solution.bit_line_currents[2] + exact.end_currents.bottom[2])
    assert error <= solution.uncertainty <= 1e-9 * np.abs(exact.device_currents[:, 2]).sum() * (1 + 1e-6)


def test_lines_that_float_behind_tiny_conductances_have_their_voltages():
    crossbar = Crossbar([[0, 1e-12], [1e-3, 1e-13]])
    solution = solve(crossbar, custom(crossbar, left=[NAN, 0.5], bottom=[0.0, NAN]))
    assert np.abs(solution.word_line_voltages - 0.5).max() <= solution.voltage_uncertainty < 1e-12
    assert np.abs(solution.bit_line_voltages - [0.0, 0.5]).max() <= solution.voltage_uncertainty
    assert np.abs(solution.device_voltages - [[0.5, 0], [0.5, 0]]).max() <= 2 * solution.voltage_uncertainty


@pytest.mark.parametrize("rtol", [1e-9, 1e-3])
def test_a_chain_of_weakly_coupled_lines_is_known_as_well_as_it_says(rtol):
    g = np.full((6, 5), 1e-13)
    g[np.arange(5), np.arange(5)] = 1e-3
    g[np.arange(1, 6), np.arange(5)] = 1e-11
    crossbar = Crossbar(g, 1.0)
    ends = {"left": [0.5, *[NAN] * 5], "bottom": [NAN] * 4 + [0.0]}
    solution = solve(crossbar, custom(crossbar, **ends), rtol=rtol)
    exact = dense_circuit(g, right=NAN, top=NAN, word_line_resistance=1.0, bit_line_resistance=1.0, **ends)
    error = max(np.abs(solution.word_line_voltages - exact.word_line_voltages).max(),
                np.abs(solution.bit_line_voltages - exact.bit_line_voltages).max())
    assert error <= solution.voltage_uncertainty <= 1e3 * rtol * 0.5


def test_rounding_is_part_of_the_uncertainty():
    crossbar = Crossbar([[1.0, 1e-15]])
    solution = solve(crossbar, custom(crossbar, bottom=[1.0, 2.0]))
    assert np.abs(solution.bit_line_currents - [1e-15, -1e-15]).max() <= solution.uncertainty < 1e-24
    crossbar = Crossbar(np.full((2, 2), 1e-4), 2.0)
    step = (1 + 1e-12) - 1.0
    found = solve(crossbar, custom(crossbar, left=[1 + 1e-12] * 2, bottom=1.0)).bit_line_currents
    np.testing.assert_allclose(found, solve(crossbar, [step, step]).bit_line_currents, rtol=1e-9)
    ideal = Crossbar([[1e-4, 2e-4], [3e-4, 4e-4], [5e-4, 1e-4]])
    assert 0 < solve(ideal, [0.1, 0.2, 0.3]).uncertainty < 1e-18  # a product of matrices rounds too


def test_driven_lines_into_nothing_carry_nothing():
    crossbar = Crossbar(np.zeros((3, 2)), 5.0)
    solution = solve(crossbar, custom(crossbar, left=[0.1, -0.3, 0.2], bottom=[0.0, NAN]))
    assert not solution.bit_line_currents.any() and not solution.end_currents.left.any() and solution.power == 0.0
    assert np.array_equal(solution.word_line_voltages, [[0.1] * 2, [-0.3] * 2, [0.2] * 2])
    assert solution.undetermined_bit_lines.tolist() == [False, True] and not solution.undetermined_word_lines.any()


def test_a_device_beside_an_island_has_no_sensitivity():
    crossbar = Crossbar([[1e-4, 0.0], [3e-4, 0.0], [2e-4, 0.0]], 5.0)
    gradient = sensitivities(crossbar, custom(crossbar, left=[0.1, 0.2, 0.1], bottom=[0.0, NAN]), [1.0, 1.0])
    assert (np.abs(gradient[:, 0]) > 0.05).all() and not gradient[:, 1].any()


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda x: sensitivities(x, [0.1, NAN, 0.1], [1.0, 1.0]), ValueError, r"voltages must be finite; got nan at index"),
    (lambda x: sensitivities(x, None, [1.0, 1.0]), TypeError, "inputs must be voltages .* got None"),
    (lambda x: read_columns(x, [0.1, NAN, 0.1]), ValueError, "voltages must be finite; got nan"),
    (lambda x: solve(x, [1e308] * 3), ValueError, r"voltages must be finite and at most 1e\+120 V; got 1e\+308 V"),
    (lambda x: solve(Crossbar(np.ones((3, 2))), [1e308] * 3), ValueError, r"at most 1e\+120 V"),
    (lambda x: custom(x, left=np.ma.array([0.1, 0.2, 0.3], mask=[0, 1, 0])), TypeError, "left must not be masked"),
    (lambda x: custom(x, left=[0.1, 0.2, 0.3j], bottom=0.0), TypeError, "left must be an array of real numbers"),
    (lambda x: custom(x, left=True, bottom=0.0), TypeError, "left must be an array of real numbers"),
])
def test_what_is_no_voltage_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(Crossbar(np.full((3, 2), 1e-4), 2.0))


def test_a_far_device_among_grounded_lines_is_read():
    """Most rounding of the other lines flows to their own ends, and does not count against the selected one; the transfer
    matrix, by another method, is the same circuit."""
    crossbar = Crossbar(np.random.default_rng(1).uniform(1e-4, 5e-4, (128, 120)), 2.0)
    matrix = transfer_matrix(crossbar, rtol=1e-12)
    for i, j in ((127, 119), (108, 81), (60, 65), (0, 0)):
        solution = solve(crossbar, read_device(crossbar, i, j, 0.2, unselected="grounded"))
        gross = solution.device_currents[:, j]
        assert solution.uncertainty <= 1e-9 * np.abs(gross).sum()
        apart = abs(solution.bit_line_currents[j] - 0.2 * matrix[i, j])
        assert apart <= solution.uncertainty + 1e-12 * np.abs(0.2 * matrix).max()


@pytest.mark.parametrize("law", [Sinh(0.1), Cubic(3.0)])
def test_a_far_device_of_another_law_is_read_too(law):
    crossbar = Crossbar(np.random.default_rng(1).uniform(1e-4, 5e-4, (128, 120)), 2.0, iv=law)
    solution = solve(crossbar, read_device(crossbar, 127, 119, 0.2, unselected="grounded"))
    tight = solve(crossbar, read_device(crossbar, 127, 119, 0.2, unselected="grounded"), rtol=1e-10)
    assert abs(solution.bit_line_currents[119] - tight.bit_line_currents[119]) <= solution.uncertainty + tight.uncertainty


def test_many_reads_of_near_and_far_devices_go_together():
    """Some of one batch need the share of rounding that arrives, some elimination, some neither."""
    crossbar = Crossbar(np.random.default_rng(4).uniform(1e-4, 5e-4, (40, 36)), 30.0)
    rows, columns = np.array([0, 39, 20, 39]), np.array([0, 35, 18, 0])
    together = solve(crossbar, read_device(crossbar, rows, columns, 0.2, unselected="grounded"))
    for k, (i, j) in enumerate(zip(rows, columns)):
        alone = solve(crossbar, read_device(crossbar, int(i), int(j), 0.2, unselected="grounded"))
        assert together.bit_line_currents[k, j] == pytest.approx(alone.bit_line_currents[j], rel=1e-8)


@pytest.mark.parametrize("law", LAWS)
def test_a_held_bit_line_of_open_devices_carries_nothing_and_says_so(law):
    crossbar = Crossbar([[0.0, 1.7e-4, 3.36e-4]], 1.0, iv=law)
    solution = solve(crossbar, custom(crossbar, bottom=[0.8, 0.0, NAN]))
    np.testing.assert_allclose(solution.bit_line_currents, 0.0, rtol=0, atol=1e-30)
    assert solution.uncertainty < 1e-18
