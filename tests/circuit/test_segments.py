"""Resistances of single segments, and broken ones: against the oracle, closed forms, and circuits that must be the same."""

import copy
import dataclasses
import pickle
from functools import partial

import numpy as np
import pytest
from circuit_cases import ENDS, build, device_rounding, gross_current
from oracle import dense_circuit, random_circuit, series_current, uniform_ladder

from tiocross import (
    Crossbar,
    Sinh,
    Solution,
    custom,
    read_device,
    read_errors,
    read_margin,
    sensitivities,
    solve,
    transfer_matrix,
    write_device,
)
from tiocross.circuit.crossbar import turn, turn_arrays
from tiocross.circuit.sequence import CircuitSequence
from tiocross.circuit.solvers.paths import find_along, find_unreached, longest_way
from tiocross.circuit.solvers.prepared import prepare

NAN, INF = np.nan, np.inf
G = np.random.default_rng(7).uniform(1e-4, 5e-4, (4, 3))
V = np.array([0.2, -0.1, 0.15, 0.05])


def random_segments(seed, shape, broken=()):
    segments = 10 ** np.random.default_rng(seed).uniform(-2, 3, shape)
    for at in broken:
        segments[at] = INF
    return segments


def oracle_read(crossbar, left, **ends):
    return dense_circuit(crossbar.conductances, left, **{"right": NAN, "top": NAN, "bottom": 0.0} | ends,
                         word_line_resistance=crossbar.word_line_resistance,
                         bit_line_resistance=crossbar.bit_line_resistance, source_resistance=crossbar.source_resistance,
                         sense_resistance=crossbar.sense_resistance)


# --- the oracle --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nonlinear", [False, True])
@pytest.mark.parametrize("seed", range(15))
def test_random_circuits_agree_with_the_oracle(seed, nonlinear):
    """Resistances over decades, zeros, breaks anywhere, any ends: currents of all ends, nodes, powers, and the bounds."""
    circuit = random_circuit(np.random.default_rng([seed, nonlinear]), segments=True, nonlinear=nonlinear)
    exact, (crossbar, biasing) = dense_circuit(**circuit), build(circuit)
    solution, rounding = solve(crossbar, biasing), device_rounding(circuit, np.nan_to_num(exact.device_voltages))
    for found, wanted in ((solution.word_line_voltages, exact.word_line_voltages),
                          (solution.bit_line_voltages, exact.bit_line_voltages)):
        assert np.array_equal(np.isnan(found), np.isnan(wanted))
        assert np.nanmax(np.abs(found - wanted), initial=0.0) <= solution.voltage_uncertainty
    error = np.abs(solution.bit_line_currents + exact.end_currents.bottom).max()
    gross = max(gross_current(circuit, exact.device_currents), np.abs(exact.end_currents.bottom).max())
    assert error <= solution.uncertainty and error <= 1e-9 * gross + rounding
    largest = max(np.abs(exact.device_currents).sum(), *(np.abs(amperes).max() for amperes in exact.end_currents))
    for end in ENDS:
        apart = getattr(solution.end_currents, end) - getattr(exact.end_currents, end)
        assert np.abs(apart).max() <= 1e-8 * largest + rounding
    most = 1e-8 * max(abs(solution.power), exact.device_power, exact.wire_power) + 1e-30
    assert abs(solution.wire_power - exact.wire_power) <= most and abs(solution.device_power - exact.device_power) <= most
    assert abs(solution.power - solution.wire_power - solution.device_power) <= most


@pytest.mark.parametrize("seed", range(10))
def test_nodes_that_nothing_reaches_are_those_that_the_oracle_finds_from_node_to_node(seed):
    circuit = random_circuit(np.random.default_rng(seed), shape=(3, 5), segments=True)
    circuit["word_line_resistance"] = random_segments(seed, (3, 6), [(0, 2), (1, 0), (2, 3), (2, 5)])
    circuit["conductances"][:, 3:] = 0.0
    exact, (crossbar, biasing) = dense_circuit(**circuit), build(circuit)
    resistances = np.zeros((2, 3, 5))
    for side, ends in enumerate(((biasing.left, biasing.right), (biasing.bottom, biasing.top))):
        for k, end in enumerate(ends, start=1):
            resistances[side, k, : len(end)] = np.where(np.isnan(end), INF, 0.0)
    lost = find_unreached(crossbar.conductances, *find_along(resistances, (3, 5), prepare(crossbar).segments))
    assert np.array_equal(lost[0], np.isnan(exact.word_line_voltages)) and lost[0].any()
    assert np.array_equal(lost[1], np.isnan(exact.bit_line_voltages))


def test_the_longest_way_out_leads_over_the_best_device_of_a_piece():
    """Nodes 1 and 2 of the word line lie beyond a break: 3 ohm between them, then a device and 4 ohm of its bit line."""
    resistances = np.array([[[1.0, 0.0, 0.0], [5.0, 0.0, 0.0], [INF, 0.0, 0.0]],
                            [[4.0, 4.0, 4.0], [0.0, 0.0, 0.0], [INF, INF, INF]]])
    segments = np.array([[2.0, 1e30, 3.0, 1.0]]), np.full((2, 3), 4.0)
    assert longest_way(np.array([[1.0, 1 / 50, 1 / 20]]), resistances, segments) == pytest.approx(3 + 20 + 4)
    assert longest_way(np.array([[1.0, 0.0, 0.0]]), resistances, segments) == pytest.approx(1 + 4)  # the rest is no way


# --- closed forms and circuits that must be the same -------------------------------------------------------------------


def test_one_device_sees_the_segments_that_its_current_flows_through():
    crossbar = Crossbar([[3e-4]], word_line_resistance=[[7.0, 1e3]], bit_line_resistance=[[1e4], [11.0]],
                        source_resistance=50.0, sense_resistance=20.0)
    expected = series_current(3e-4, 0.2, 7.0, 11.0, 50.0, 20.0)
    assert solve(crossbar, [0.2]).bit_line_currents[0] == pytest.approx(expected, rel=1e-12)
    other = solve(crossbar, custom(crossbar, right=0.2, top=0.0)).end_currents
    assert other.right[0] == pytest.approx(series_current(3e-4, 0.2, 1e3, 1e4, 50.0, 20.0), rel=1e-12)
    assert (other.left[0], other.bottom[0]) == (0.0, 0.0)


def test_a_line_that_is_held_without_a_last_segment():
    """The node beside the top end is at its voltage; so is that beside the right end, and carries what the rest takes."""
    crossbar = Crossbar([[3e-4]], word_line_resistance=[[7.0, 0.0]], bit_line_resistance=[[0.0], [11.0]])
    ends = solve(crossbar, custom(crossbar, left=0.4, right=0.2, top=0.1, bottom=-0.05)).end_currents
    device = 3e-4 * (0.2 - 0.1)
    assert ends.bottom[0] == pytest.approx((-0.05 - 0.1) / 11.0, rel=1e-12)
    assert ends.top[0] == pytest.approx(0.15 / 11.0 - device, rel=1e-12)
    assert ends.left[0] == pytest.approx(0.2 / 7.0, rel=1e-12)
    assert ends.right[0] == pytest.approx(device - 0.2 / 7.0, rel=1e-12)


@pytest.mark.parametrize("law", [None, Sinh(0.3)])
def test_nothing_flows_where_no_end_is_connected(law):
    crossbar = Crossbar(G, word_line_resistance=random_segments(1, (4, 4), [(0, 1)]), iv=law)
    solution = solve(crossbar, custom(crossbar))
    assert not solution.bit_line_currents.any() and not solution.device_currents.any() and solution.power == 0.0
    assert np.isnan(solution.word_line_voltages).all()


def test_a_hundredth_of_all_segments_broken_takes_few_sweeps():
    """Beyond a break the coarse crossbars once took lines for short circuits: 99 sweeps, most of them without these."""
    rng = np.random.default_rng(1)
    words, bits = (np.where(rng.random(shape) < 0.01, INF, 1.0) for shape in ((200, 181), (201, 180)))
    crossbar = Crossbar(rng.uniform(1e-4, 5e-4, (200, 180)), word_line_resistance=words, bit_line_resistance=bits)
    solution = solve(crossbar, np.full(200, 0.2), rtol=1e-6)
    assert solution.n_sweeps <= 35
    # What enters at the left leaves at the bottom, though every line is in pieces.
    assert solution.end_currents.left.sum() == pytest.approx(solution.bit_line_currents.sum(), rel=1e-6)


@pytest.mark.parametrize("kept", [1, 4, 6])
def test_a_driven_line_ends_at_its_break(kept):
    """5.2 of a row that is as long as what is left of it; beyond, nothing flows, and the nodes float at 0 V of their bit
    lines."""
    segments = np.full((1, 8), 30.0)
    segments[0, kept] = INF
    crossbar = Crossbar(np.full((1, 7), 4e-4), word_line_resistance=segments)
    solution, (volts, current) = solve(crossbar, [0.3]), uniform_ladder(4e-4, 30.0, 0.3, kept)
    np.testing.assert_allclose(solution.device_voltages[0, :kept], volts, rtol=1e-12)
    assert np.abs(solution.bit_line_currents[kept:]).max() <= 1e-29  # through 1e30 ohm
    assert np.abs(solution.word_line_voltages[0, kept:]).max() <= 1e-25
    assert solution.end_currents.left[0] == pytest.approx(current, rel=1e-12)
    assert not solution.undetermined_word_lines.any()


@pytest.mark.parametrize("shape, at, law", [((4, 6), 2, None), ((4, 6), 2, Sinh(0.3)), ((140, 170), 60, None)])
def test_an_array_that_is_broken_across_and_driven_at_both_ends_is_two(shape, at, law):
    (m, n), rng = shape, np.random.default_rng(1)
    g, volts = rng.uniform(1e-4, 5e-4, shape), rng.uniform(-0.2, 0.2, m)
    words, bits = random_segments(2, (m, n + 1)), random_segments(3, (m + 1, n))
    words[:, at] = INF
    whole = Crossbar(g, word_line_resistance=words, bit_line_resistance=bits, source_resistance=5.0, iv=law)
    found = solve(whole, custom(whole, left=volts, right=2 * volts, bottom=0.0))
    left = Crossbar(g[:, :at], word_line_resistance=words[:, : at + 1], bit_line_resistance=bits[:, :at],
                    source_resistance=5.0, iv=law)
    right = Crossbar(g[:, : at - 1 : -1], word_line_resistance=words[:, : at - 1 : -1], source_resistance=5.0,
                     bit_line_resistance=bits[:, : at - 1 : -1], iv=law)
    parts = solve(left, volts), solve(right, 2 * volts)
    expected = np.concatenate([parts[0].bit_line_currents, parts[1].bit_line_currents[::-1]])
    known = found.uncertainty + parts[0].uncertainty + parts[1].uncertainty
    assert known <= 1e-6 * np.abs(expected).max()
    np.testing.assert_allclose(found.bit_line_currents, expected, rtol=0, atol=known)
    assert found.power == pytest.approx(sum(part.power for part in parts), rel=1e-9)
    np.testing.assert_allclose(found.end_currents.right, parts[1].end_currents.left, rtol=0, atol=10 * known)


def test_equal_segments_are_the_line_that_has_this_resistance():
    lines = [3.0, 0.0, 7.0, 1.0]
    each = Crossbar(G, 2.0, word_line_resistance=np.repeat(np.array(lines)[:, None], 4, axis=1))
    assert prepare(each).segments is None and each.word_line_resistance.tolist() == lines
    assert np.array_equal(solve(each, V).bit_line_currents, solve(Crossbar(G, 2.0, word_line_resistance=lines), V)
                          .bit_line_currents)
    alike = Crossbar(G, word_line_resistance=np.full((4, 4), 2.0), bit_line_resistance=np.full((5, 3), 2.0))
    assert alike.wire_resistance == 2.0
    assert Crossbar(G, 2.0, word_line_resistance=random_segments(1, (4, 4))).wire_resistance is None


def test_a_line_of_broken_segments_alone_is_no_line_of_equal_ones():
    crossbar = Crossbar(G, word_line_resistance=np.full((4, 4), INF), bit_line_resistance=np.full((5, 3), INF))
    assert crossbar.wire_resistance is None
    assert np.isinf(dataclasses.replace(crossbar, conductances=2 * G).word_line_resistance).all()
    assert np.array_equal(solve(crossbar, V).bit_line_currents, np.zeros(3)) and not crossbar.is_ideal


def test_the_transfer_matrix_is_what_is_read_line_by_line_and_turned_the_same():
    crossbar = Crossbar(G, word_line_resistance=random_segments(4, (4, 4), [(1, 2), (3, 0)]), source_resistance=3.0,
                        bit_line_resistance=random_segments(5, (5, 3), [(2, 1)]))
    matrix = transfer_matrix(crossbar)
    rows = [-oracle_read(crossbar, volts).end_currents.bottom for volts in np.eye(4)]
    np.testing.assert_allclose(matrix, rows, rtol=0, atol=1e-9 * matrix.max())
    assert matrix[3].max() <= 1e-29 and matrix[2, 1] > 10 * matrix[:2, 1].max() > 0.0  # these two over other lines
    np.testing.assert_allclose(transfer_matrix(turn(crossbar)), turn_arrays(matrix), rtol=0, atol=1e-9 * matrix.max())
    many = np.random.default_rng(1).uniform(-0.2, 0.2, (50, 4))
    currents = solve(crossbar, many).bit_line_currents
    np.testing.assert_allclose(currents, many @ matrix, rtol=0, atol=1e-9 * 0.2 * matrix.max())


def test_many_arrays_share_their_segments():
    arrays = np.stack([G, 2 * G, G[::-1]])
    crossbar = Crossbar(arrays, word_line_resistance=random_segments(4, (4, 4), [(1, 2)]), sense_resistance=[1.0, 0.0, 2.0])
    inputs = np.stack([V, V[::-1]])[:, None]
    found = solve(crossbar, inputs, workers=2)
    for k, volts in enumerate(inputs[:, 0]):
        for c, g in enumerate(arrays):
            exact = oracle_read(dataclasses.replace(crossbar, conductances=g), volts)
            np.testing.assert_allclose(found.bit_line_currents[k, c], -exact.end_currents.bottom, rtol=0, atol=1e-12)
            np.testing.assert_allclose(found.device_voltages[k, c], exact.device_voltages, rtol=0, atol=1e-9)
            assert found.wire_power[k, c] == pytest.approx(exact.wire_power, rel=1e-9)


# --- what follows from a solution ------------------------------------------------------------------------------------


def test_a_piece_that_nothing_reaches_is_undetermined_and_the_rest_of_its_line_is_not(tmp_path):
    g = G.copy()
    g[0, 1:] = 0.0  # beyond the break of word line 0 all devices are open
    crossbar = Crossbar(g, 2.0, word_line_resistance=random_segments(6, (4, 4), [(0, 1)]))
    solution = solve(crossbar, V)
    assert np.array_equal(np.isnan(solution.word_line_voltages), [[False, True, True]] + 3 * [[False] * 3])
    assert solution.undetermined_word_lines.tolist() == [True, False, False, False]
    assert not solution.undetermined_bit_lines.any() and "1 undetermined lines" in repr(solution)
    assert np.isnan(solution.device_voltages[0, 1:]).all() and not solution.device_currents[0, 1:].any()
    assert solution.power == pytest.approx(solution.device_power + solution.wire_power, rel=1e-9)
    solution.save(tmp_path / "solution.npz")
    loaded = Solution.load(tmp_path / "solution.npz")
    assert np.array_equal(loaded.crossbar.word_line_resistance, crossbar.word_line_resistance)
    assert np.array_equal(loaded.word_line_voltages, solution.word_line_voltages, equal_nan=True)
    assert loaded.wire_power == solution.wire_power


def test_gradients_are_those_of_a_small_change():
    crossbar = Crossbar(G, word_line_resistance=random_segments(8, (4, 4), [(1, 2), (2, 1)]),
                        bit_line_resistance=random_segments(9, (5, 3), [(2, 0)]))
    weights, direction = np.array([1.0, -2.0, 0.5]), np.random.default_rng(2).normal(size=G.shape)
    biasing = custom(crossbar, left=V, right=[NAN, 0.1, NAN, NAN], bottom=0.0)

    def weighted(step):
        changed = dataclasses.replace(crossbar, conductances=G + step * direction)
        return (solve(changed, biasing, rtol=1e-12).bit_line_currents * weights).sum()

    slope = (weighted(1e-8) - weighted(-1e-8)) / 2e-8
    assert (sensitivities(crossbar, biasing, weights) * direction).sum() == pytest.approx(slope, rel=1e-6)


def test_margins_and_errors_of_reads_know_the_segments():
    crossbar = Crossbar(G, word_line_resistance=random_segments(8, (4, 4)), bit_line_resistance=random_segments(9, (5, 3)))
    margin = read_margin(crossbar, 3, 2, 0.2, low=1e-4, high=5e-4, unselected="grounded")
    currents = []
    for value in (1e-4, 5e-4):
        g = G.copy()
        g[3, 2] = value
        exact = oracle_read(dataclasses.replace(crossbar, conductances=g), [0.0, 0.0, 0.0, 0.2])
        currents.append(-exact.end_currents.bottom[2])
    assert margin == pytest.approx(1 - currents[0] / currents[1], rel=1e-8)
    # One reading off by 1 nA: the conductances that explain it are off by the derivatives' inverse.
    errors = read_errors(crossbar, 0.2, 1e-9)
    reads = read_device(crossbar, *np.indices(G.shape).reshape(2, -1), 0.2, unselected="grounded")
    base, slopes = solve(crossbar, reads, rtol=1e-12).bit_line_currents, np.empty((12, 12))
    lines = np.arange(12), np.tile(np.arange(3), 4)
    for k in range(12):
        changed = dataclasses.replace(crossbar, conductances=G + 1e-9 * (np.arange(12) == k).reshape(G.shape))
        slopes[:, k] = (solve(changed, reads, rtol=1e-12).bit_line_currents - base)[lines] / 1e-9
    np.testing.assert_allclose(errors.ravel(), 1e-9 * np.sqrt((np.linalg.inv(slopes) ** 2).sum(axis=1)), rtol=1e-4)


def test_a_sequence_follows_circuits_with_broken_lines():
    crossbar = Crossbar(G, word_line_resistance=random_segments(8, (4, 4), [(1, 2)]), bit_line_resistance=1.0)
    sequence = CircuitSequence(crossbar, rtol=1e-9)
    sequence.bias(write_device(crossbar, 1, 2, 1.0))
    for step in range(3):
        currents, voltages = sequence.solve((1.0 + 0.1 * step) * G, factor=0.5 + step)
        each = dataclasses.replace(crossbar, conductances=(1.0 + 0.1 * step) * G)
        solution = solve(each, write_device(each, 1, 2, 0.5 + step))
        np.testing.assert_allclose(currents, solution.bit_line_currents, rtol=0, atol=1e-9 * np.abs(currents).max())
        np.testing.assert_allclose(voltages, solution.device_voltages, rtol=0, atol=1e-8)


# --- the record --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)),
                                       partial(dataclasses.replace, source_resistance=3.0)])
def test_copies_keep_their_segments(duplicate):
    crossbar = Crossbar(G, 2.0, word_line_resistance=random_segments(1, (4, 4), [(0, 1)]), source_resistance=3.0)
    found = duplicate(crossbar)
    assert np.array_equal(found.word_line_resistance, crossbar.word_line_resistance)
    assert not found.word_line_resistance.flags.writeable and found.bit_line_resistance.shape == (3,)
    assert np.array_equal(solve(found, V).bit_line_currents, solve(crossbar, V).bit_line_currents)


def test_the_short_text_tells_of_broken_segments():
    words = np.full((4, 4), 3.0)
    words[0, 1] = words[2, 2] = INF
    assert repr(Crossbar(G, 2.0, word_line_resistance=words)).endswith("wires 2 to 3 ohm, 2 broken segments>")
    words[2, 2] = 0.0
    assert repr(Crossbar(G, 2.0, word_line_resistance=words)).endswith("wires 0 to 3 ohm, 1 broken segment>")


@pytest.mark.parametrize("wires, message", [
    ({"word_line_resistance": np.ones((4, 3))}, r"word_line_resistance must be one number or have shape \(4,\), one for "
                                                r"each line or \(4, 4\), one for each segment; got \(4, 3\)$"),
    ({"bit_line_resistance": np.ones((3, 5))}, r"or \(5, 3\), one for each segment; got \(3, 5\); transposed\?"),
    ({"source_resistance": np.ones((4, 4))}, r"source_resistance must .* \(4,\), one for each line; got \(4, 4\)$"),
    ({"word_line_resistance": np.full((4, 4), NAN)}, "broken; got nan in segment 0 of line 0"),
    ({"word_line_resistance": np.diag([1.0, 1.0, -2.0, 1.0])}, "got -2 in segment 2 of line 2"),
    ({"bit_line_resistance": np.eye(5, 3, -2) * 1e16}, r"must lie in \[0, 1e\+15\] ohm, or be inf .* got 1e\+16 in segment "
                                                       "2 of line 0"),
    ({"bit_line_resistance": np.full((5, 3), -INF)}, "got -inf in segment 0 of line 0"),
    ({"word_line_resistance": [1.0, INF, 1.0, 1.0]}, r"word_line_resistance must be finite; got inf at index \(1,\)"),
    ({"word_line_resistance": np.ones((4, 4)), "bit_line_resistance": 2.0, "wire_resistance": 2.0}, "contradicts"),
])
def test_segments_that_are_none_are_refused(wires, message):
    with pytest.raises(ValueError, match=message):
        Crossbar(G, **wires)


@pytest.mark.parametrize("place", range(4))
def test_a_line_held_at_both_ends_may_have_all_its_resistance_in_one_segment(place):
    bits = np.zeros((4, 3))
    bits[place] = 2.0
    crossbar = Crossbar(np.full((3, 3), 2e-4), word_line_resistance=5.0, bit_line_resistance=bits)
    ends = {"left": [0.1, np.nan, 0.05], "top": [0.3, np.nan, 0.3], "bottom": [0.1, 0.2, 0.3]}
    solution = solve(crossbar, custom(crossbar, **ends))
    right, floating = np.full(3, np.nan), np.array([0.3, np.nan, 0.3])
    exact = dense_circuit(crossbar.conductances, left=ends["left"], right=right, top=floating, bottom=ends["bottom"],
                          word_line_resistance=np.full((3, 4), 5.0), bit_line_resistance=bits)
    np.testing.assert_allclose(solution.bit_line_currents, -exact.end_currents.bottom, rtol=0, atol=1e-12)
