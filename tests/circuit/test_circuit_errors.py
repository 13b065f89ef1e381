"""Circuits that cannot be solved say why; where float64 ends nothing is silently wrong."""

import pickle

import numpy as np
import pytest
from oracle import dense_circuit

from tiocross import (
    Biasing,
    ConvergenceError,
    Crossbar,
    Cubic,
    Sinh,
    custom,
    read_columns,
    read_device,
    solve,
    transfer_matrix,
)

NAN = np.nan
G = np.random.default_rng(1).uniform(1e-4, 5e-4, (3, 2))
CROSSBAR = Crossbar(G, 5.0)


def open_at(*places):
    g = np.full((3, 4), 1e-4)
    for place in places:
        g[place] = 0.0
    return g


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Crossbar([[1e-4, 2e-4], [-1e-4, 1e-4]]), ValueError, "got -0.0001 at word line 1, bit line 0"),
    (lambda: Crossbar([[[1e-4, NAN]]]), ValueError, r"conductances must be finite; got nan at index \(0, 0, 1\)"),
    (lambda: Crossbar([[np.inf]]), ValueError, "conductances must be finite; got inf"),
    (lambda: Crossbar(np.full((2, 3, 4), 2.0)), ValueError, r"got 2 at array 0, word line 0, bit line 0 \(24 such\)"),
    (lambda: Crossbar(G, 5.0, word_line_resistance=[1.0, 2.0]), ValueError,
     r"word_line_resistance must .* \(3,\).*got \(2,\)"),
    (lambda: Crossbar(G, bit_line_resistance=[1.0, 2.0, 3.0]), ValueError,
     r"bit_line_resistance must .* \(2,\).*got \(3,\)"),
    (lambda: Crossbar(G, source_resistance=np.ones((3, 1))), ValueError, r"source_resistance must .* got \(3, 1\)"),
    (lambda: Crossbar(G, source_resistance=[1.0, -2.0, 3.0]), ValueError, "source_resistance .* got -2 at line 1"),
    (lambda: Crossbar(G, sense_resistance=[NAN, 1.0]), ValueError,
     r"sense_resistance must be finite; got nan at index \(0,\)"),
    (lambda: Crossbar(G, sense_resistance="large"), TypeError, "sense_resistance must be an array of real numbers"),
    (lambda: Crossbar(G, iv="sinh"), TypeError, r"iv must be Sinh\(v0\), Cubic\(c\), Polynomial\(a, b\), .* or None"),
    (lambda: Crossbar(G, iv=Sinh), TypeError, "iv must be Sinh"),
    (lambda: Crossbar(G, iv=Sinh(np.full((2, 3), 0.2))), ValueError,
     r"Sinh must .* fit the conductances \(3, 2\).*got \(2, 3\)"),
    (lambda: Crossbar(G, iv=Cubic(np.ones((4, 3, 2)))), ValueError, r"Cubic must .*got \(4, 3, 2\)"),
    (lambda: Sinh(0.0), ValueError, "v0 must be above zero; got 0"),
    (lambda: Sinh([[0.2, -0.1]]), ValueError, "v0 must be above zero; got -0.1"),
    (lambda: Sinh(NAN), ValueError, "v0 must be finite"),
    (lambda: Cubic(-1.0), ValueError, "c must be at least zero; got -1"),
    (lambda: Cubic("steep"), TypeError, "c must be an array of real numbers"),
])
def test_bad_crossbars(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: solve(CROSSBAR, [0.1, 0.2]), ValueError, r"voltages must have shape \(..., 3\), .*; got \(2,\)"),
    (lambda: solve(CROSSBAR, 0.1), ValueError, "voltages must have shape"),
    (lambda: solve(CROSSBAR, [0.1, NAN, 0.2]), ValueError, r"voltages must be finite; got nan at index \(1,\)"),
    (lambda: solve(CROSSBAR, np.zeros((4, 3)), rtol=0.0), ValueError, r"rtol must be finite and within \[1e-14, 1\]; got 0"),
    (lambda: solve(CROSSBAR, np.zeros(3), rtol=1.1), ValueError, "rtol must be finite and within"),
    (lambda: solve(CROSSBAR, np.zeros(3), rtol=NAN), ValueError, "rtol must be finite and within"),
    (lambda: solve(CROSSBAR, np.zeros(3), rtol="tight"), TypeError, "rtol must be a number; got 'tight'"),
    (lambda: solve(CROSSBAR, np.zeros(3), max_sweeps=0), ValueError, "max_sweeps must be at least 1; got 0"),
    (lambda: solve(CROSSBAR, np.zeros(3), max_sweeps=2.5), TypeError, "max_sweeps must be a whole number; got 2.5"),
    (lambda: transfer_matrix(CROSSBAR, rtol=0.0), ValueError, "rtol must be finite and within"),
    (lambda: transfer_matrix(Crossbar(G, iv=Sinh(0.2))), ValueError, "devices with a Sinh law have no transfer matrix"),
    (lambda: solve(G, np.zeros(3)), TypeError, "crossbar must be a Crossbar"),
    (lambda: solve(Crossbar(np.full((4, 3, 2), 1e-4)), np.zeros((5, 3))), ValueError, "do not broadcast against each other"),
    (lambda: solve(Crossbar(np.full((4, 1, 3, 2), 1e-4)), np.zeros((5, 2, 3))), ValueError, "do not broadcast"),
    # a biasing made for another array
    (lambda: solve(CROSSBAR, read_columns(Crossbar(G.T), [0.1, 0.2])), ValueError, r"left .*3.*got \(2,\)"),
    (lambda: solve(Crossbar(G[:, :1]), read_device(CROSSBAR, 1, 1, 0.2)), ValueError, "top .*1.*got"),
    # and one made by hand
    (lambda: Biasing(np.array([np.inf, 0, 0]), np.full(3, NAN), np.full(2, NAN), np.zeros(2)), ValueError,
     "left must be finite"),
    (lambda: Biasing(np.zeros((4, 3)), np.full((5, 3), NAN), np.full(2, NAN), np.zeros(2)), ValueError, "do not broadcast"),
    (lambda: solve(CROSSBAR, Biasing(np.zeros(3), np.full(3, NAN), np.full(2, NAN), np.zeros(2), (7, 0))), ValueError,
     "word line must lie in 0 .. 2; got 7"),
])
def test_bad_inputs(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_biasing_of_lists_is_taken():
    plain = solve(CROSSBAR, [0.1, 0.2, -0.1])
    by_hand = solve(CROSSBAR, Biasing([0.1, 0.2, -0.1], [NAN] * 3, [NAN] * 2, [0, 0]))
    assert np.array_equal(plain.bit_line_currents, by_hand.bit_line_currents)


@pytest.mark.parametrize("law", [None, Sinh(0.2)])
@pytest.mark.parametrize("resistance", [0.0, 5.0])
@pytest.mark.parametrize(("g", "ends", "words", "bits"), [
    (open_at(), {}, [0, 1, 2], [0, 1, 2, 3]),
    (open_at(np.s_[1]), {"bottom": 0.0}, [1], []),
    (open_at(np.s_[:, 2]), {"left": 0.1}, [], [2]),
    # word line 0 and bit line 3 are joined, but only to each other
    (open_at(np.s_[0, :3], np.s_[1:, 3]), {"left": [NAN, 0.1, NAN], "bottom": [0.0, NAN, NAN, NAN]}, [0], [3]),
])
def test_lines_that_no_end_reaches_are_undetermined_and_carry_nothing(g, ends, words, bits, resistance, law):
    crossbar = Crossbar(g, resistance, iv=law)
    solution = solve(crossbar, custom(crossbar, **ends))
    assert np.flatnonzero(solution.undetermined_word_lines).tolist() == words
    assert np.flatnonzero(solution.undetermined_bit_lines).tolist() == bits
    apart = np.isnan(solution.word_line_voltages) != np.isin(np.arange(3), words)[:, None]
    assert not apart.any() and np.isnan(solution.bit_line_voltages[:, bits]).all()
    assert not solution.device_currents[words].any() and not solution.device_currents[:, bits].any()
    inside = solution.device_voltages[np.ix_(words, bits)]
    assert np.array_equal(np.isnan(inside), g[np.ix_(words, bits)] == 0)  # an island has one voltage, whatever it is
    assert np.isfinite(solution.power) and np.isfinite(solution.bit_line_currents).all()
    assert "undetermined" in repr(solution) or not (g == 0).any()


def test_islands_are_of_their_own_array_and_long_paths_are_found():
    arrays = np.stack([open_at(), open_at(np.s_[2, :])])
    crossbar = Crossbar(arrays, 5.0)
    solution = solve(crossbar, custom(crossbar, left=[0.1, NAN, NAN], bottom=0.0))
    assert solution.undetermined_word_lines.tolist() == [[False] * 3, [False, False, True]]
    # A staircase: word line k joins bit lines k and k + 1, only the first is driven and only the last bit line sensed.
    staircase = np.where(np.abs(np.arange(6)[:, None] - np.arange(7) + 0.5) < 1, 1e-4, 0.0)
    crossbar = Crossbar(staircase)
    solution = solve(crossbar, custom(crossbar, top=[1.2, *[NAN] * 6], bottom=[*[NAN] * 6, 0.0]))
    assert solution.bit_line_currents[-1] == pytest.approx(1.2 / (12 / 1e-4), rel=1e-9)  # twelve devices in series


def test_lines_without_resistance_held_at_two_voltages():
    for name, first, last, wires in (("word line 1", "left", "right", {"bit_line_resistance": 5.0, "sense_resistance": 1.0}),
                                     ("bit line 1", "bottom", "top", {"word_line_resistance": 5.0})):
        crossbar = Crossbar(G, **wires)
        size = 3 if first == "left" else 2
        apart = np.full(size, 0.1)
        apart[1] = 0.2
        other = {"bottom": 0.0} if first == "left" else {"left": 0.3}
        with pytest.raises(ValueError, match=f"{name} has no resistance but its ends are held at 0.1 V and 0.2 V"):
            solve(crossbar, custom(crossbar, **{first: 0.1, last: apart}, **other))
        # Equal voltages contradict nothing, and any resistance allows a difference.
        both = solve(crossbar, custom(crossbar, **{first: 0.1, last: 0.1}, **other))
        one = solve(crossbar, custom(crossbar, **{first: 0.1}, **other))
        np.testing.assert_allclose(both.device_currents, one.device_currents, rtol=0, atol=1e-9 * one.device_currents.sum())
        wired = Crossbar(G, 5.0)
        assert solve(wired, custom(wired, **{first: 0.1, last: apart}, **other)).power > 0


def test_convergence_error_carries_its_numbers_and_can_be_pickled():
    conductances = np.random.default_rng(2).uniform(1e-4, 5e-4, (48, 40))
    for law in (None, Sinh(0.2)):
        with pytest.raises(ConvergenceError, match="after 2 sweeps.*Raise max_sweeps if") as caught:
            solve(Crossbar(conductances, 100.0, iv=law), np.full(48, 0.2), max_sweeps=2)
        error = caught.value
        assert error.n_sweeps == 2 and 0 < error.unbalanced <= error.uncertainty
        assert f"{error.uncertainty:.3g} A" in str(error) and isinstance(error, RuntimeError)
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is ConvergenceError and str(again) == str(error)
        assert (again.n_sweeps, again.unbalanced, again.uncertainty) == (error.n_sweeps, error.unbalanced, error.uncertainty)


def test_max_sweeps_holds_for_large_arrays_too():
    crossbar = Crossbar(np.random.default_rng(3).uniform(1e-4, 5e-4, (700, 600)), 20.0)
    with pytest.raises(ConvergenceError) as caught:
        solve(crossbar, np.full(700, 0.2), max_sweeps=3)
    assert caught.value.n_sweeps == 3
    with pytest.raises(ConvergenceError) as caught:
        solve(Crossbar(G, 20.0, iv=Sinh(0.2)), np.full(3, 2.0), max_sweeps=3)
    assert caught.value.n_sweeps == 3


@pytest.mark.parametrize("inputs", [[0.1, 0.2, -0.1], np.random.default_rng(4).uniform(-1, 1, (20, 3)),
                                    read_device(CROSSBAR, 2, 0, 0.3, unselected="V/2")])
def test_solutions_can_be_pickled(inputs):
    for law in (None, Cubic(2.0)):
        solution = solve(Crossbar(G, 5.0, iv=law), inputs)
        for _ in range(2):  # before and after the voltages were asked for
            again = pickle.loads(pickle.dumps(solution))
            for name in ("bit_line_currents", "uncertainty", "word_line_voltages", "device_currents", "power", "wire_power"):
                assert np.array_equal(getattr(again, name), getattr(solution, name))
            assert again.biasing.selected == solution.biasing.selected


# --- where float64 ends ----------------------------------------------------------------------------------------------------


def one_tiny_bit_line(factor):
    g = np.random.default_rng(5).uniform(1e-4, 5e-4, (9, 14))
    g[:, 3] *= factor
    return g


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("unselected", ["floating", "grounded", "V/2", "V/3"])
@pytest.mark.parametrize("rtol", [1e-9, 1e-12])
def test_a_tiny_selected_current_is_right_or_refused(factor, unselected, rtol):
    g = one_tiny_bit_line(factor)
    crossbar = Crossbar(g, 5.0)
    biasing = read_device(crossbar, 3, 3, 0.2, unselected=unselected)
    expected = dense_circuit(g, biasing.left, NAN, NAN, biasing.bottom, word_line_resistance=5.0, bit_line_resistance=5.0)
    try:
        solution = solve(crossbar, biasing, rtol=rtol)
    except ConvergenceError as error:
        # Only if currents beside it that are some 1e16 times larger than the wanted residual round to more than that:
        # at most 0.2 V * 126 devices * 5e-4 S * 2^-52.
        assert rtol * np.abs(expected.device_currents[:, 3]).sum() < error.uncertainty < 0.2 * 126 * 5e-4 * 2.0**-52
        assert unselected == "floating"
    else:
        gross = np.abs(expected.device_currents[:, 3]).sum()
        # Device voltages are right to four roundings of 0.2 V.
        limit = rtol * gross + 4 * 2.0**-52 * 0.2 * g[:, 3].sum()
        assert abs(solution.bit_line_currents[3] + expected.end_currents.bottom[3]) <= limit
        assert solution.uncertainty <= rtol * gross * (1 + 1e-6)


def test_devices_that_conduct_far_better_than_wires_are_solved_to_rounding():
    """Sweeps end at 1e-13 of the gross current here."""
    rng = np.random.default_rng(7)
    crossbar, volts = Crossbar(rng.uniform(0.5e-2, 1e-2, (60, 40)), 1e4), rng.uniform(-0.2, 0.2, 60)
    plain = solve(crossbar, volts, rtol=1e-12)
    tight = solve(crossbar, volts, rtol=1e-14)
    assert np.abs(tight.bit_line_currents - plain.bit_line_currents).max() <= plain.uncertainty + tight.uncertainty
    assert tight.n_sweeps < 500  # noticed, not tried for ever


def test_tiny_bit_line_currents_are_right_relative_to_the_largest_only():
    g = one_tiny_bit_line(1e-12)
    volts = np.random.default_rng(6).uniform(-0.2, 0.2, 9)
    expected = -dense_circuit(g, volts, NAN, NAN, 0.0, word_line_resistance=5.0, bit_line_resistance=5.0).end_currents.bottom
    for rtol in (1e-6, 1e-9, 1e-12):
        solution = solve(Crossbar(g, 5.0), volts, rtol=rtol)
        error = np.abs(solution.bit_line_currents - expected)
        assert error.max() <= solution.uncertainty + 4 * 2.0**-52 * 0.2 * g.sum()
        # A word-line voltage off by dV changes a tiny device's current by G dV: small relative to itself as well.
        word_lines_off = 9 * 14 * 5.0 * (solution.uncertainty + 1e-17)  # [V]
        assert error[3] <= word_lines_off * g[:, 3].sum() + 1e-12 * np.abs(g[:, 3] * volts).sum()


@pytest.mark.parametrize("steepness", [15, 100, 250, 400, 800])
def test_overflowing_laws_are_right_or_refused(steepness):
    for resistance in (0.0, 1e-3, 10.0):
        crossbar = Crossbar([[1e-4, 3e-4]], resistance, iv=Sinh(1.0 / steepness))
        try:
            found = solve(crossbar, [1.0]).bit_line_currents
        except ConvergenceError as error:
            assert resistance == 0.0 and steepness > 100 and error.uncertainty > 0
            continue
        if resistance == 0.0:
            np.testing.assert_allclose(found, np.array([1e-4, 3e-4]) / steepness * np.sinh(steepness), rtol=1e-9)
        else:
            expected = dense_circuit([[1e-4, 3e-4]], 1.0, NAN, NAN, 0.0, word_line_resistance=resistance,
                                     bit_line_resistance=resistance, iv=("sinh", 1.0 / steepness))
            np.testing.assert_allclose(found, -expected.end_currents.bottom, rtol=0, atol=1e-9 * found.max())


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (3, 2), (40, 30)])
@pytest.mark.parametrize("resistance", [0.0, 1e-300])
def test_currents_beyond_all_numbers_are_refused_with_the_cure(shape, resistance):
    crossbar = Crossbar(np.full(shape, 1e-4), resistance, iv=Sinh(1.0 / 720))  # sinh(720) is 1e312
    with pytest.raises(ConvergenceError, match="currents are beyond 1e308 A.* voltages, up to 1 V. Lower the voltages") as caught:
        solve(crossbar, np.ones(shape[0]))
    assert caught.value.uncertainty == np.inf


@pytest.mark.parametrize("scale", [1e-300, 1e-100, 1e100])
def test_voltages_of_any_size_scale(scale):
    volts = np.array([0.2, -0.1, 0.15])
    expected = solve(CROSSBAR, volts, rtol=1e-12).bit_line_currents
    found = solve(CROSSBAR, volts * scale, rtol=1e-12).bit_line_currents
    np.testing.assert_allclose(found / scale, expected, rtol=0, atol=3e-12 * np.abs(G).sum() * 0.2)
