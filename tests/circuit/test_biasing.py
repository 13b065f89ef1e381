"""Named boundary conditions, and what is told about the selected device."""

import numpy as np
import pytest
from oracle import dense_circuit, kirchhoff_sums

from tiocross import Biasing, Crossbar, Cubic, Sinh, custom, read_columns, read_device, solve, write_device

NAN = np.nan
SHAPE = (4, 3)  # a device at (1, 2)


def crossbar_of(shape=SHAPE, seed=1, **options):
    return Crossbar(np.random.default_rng(seed).uniform(1e-5, 5e-4, shape), **options)


def ends_of(biasing):
    return [getattr(biasing, end).tolist() for end in ("left", "right", "top", "bottom")]


def same(found, expected):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(found, expected))


@pytest.mark.parametrize(("scheme", "words", "bits"), [("floating", NAN, NAN), ("grounded", 0.0, 0.0), ("V/2", 0.3, 0.3),
                                                       ("V/3", 0.2, 0.4)])
def test_reads_of_one_device(scheme, words, bits):
    biasing = read_device(crossbar_of(), 1, 2, 0.6, unselected=scheme)
    left, right, top, bottom = ends_of(biasing)
    np.testing.assert_allclose(left, [words, 0.6, words, words], rtol=1e-15)
    np.testing.assert_allclose(bottom, [bits, bits, 0.0], rtol=1e-15)
    assert np.isnan([*right, *top]).all() and biasing.selected == (1, 2) and biasing.batch == ()


def test_writes_are_the_reads_with_the_others_at_fractions():
    crossbar = crossbar_of()
    for scheme in ("V/2", "V/3"):
        written = write_device(crossbar, 3, 0, -1.2, scheme=scheme)
        assert same(ends_of(written), ends_of(read_device(crossbar, 3, 0, -1.2, unselected=scheme)))
        assert written.left[3] == -1.2 and written.bottom[0] == 0.0 and written.selected == (3, 0)
    assert same(ends_of(write_device(crossbar, 3, 0, 1.0)), ends_of(write_device(crossbar, 3, 0, 1.0, scheme="V/2")))
    assert same(ends_of(read_device(crossbar, 3, 0, 1.0)), ends_of(read_device(crossbar, 3, 0, 1.0, unselected="floating")))


def test_columns_and_custom_ends():
    crossbar, volts = crossbar_of(), [0.1, 0.2, 0.3, -0.4]
    assert same(ends_of(read_columns(crossbar, volts)), [volts, [NAN] * 4, [NAN] * 3, [0.0] * 3])
    assert same(ends_of(custom(crossbar)), [[NAN] * 4, [NAN] * 4, [NAN] * 3, [NAN] * 3])
    biasing = custom(crossbar, left=[NAN, 1, NAN, 2], right=0.5, top=[[0, NAN, 1], [1, 2, 3]], bottom=np.zeros((5, 1, 3)))
    assert biasing.batch == (5, 2) and biasing.selected is None
    assert same(ends_of(biasing), [[NAN, 1, NAN, 2], [0.5] * 4, [[0, NAN, 1], [1, 2, 3]], np.zeros((5, 1, 3))])


def test_what_was_given_is_copied():
    volts = np.full(4, 0.1)
    biasing = custom(crossbar_of(), left=volts, bottom=0.0)
    volts[:] = 7.0
    assert (biasing.left == 0.1).all()


def test_a_read_of_columns_is_the_plain_solution():
    crossbar, volts = crossbar_of(wire_resistance=20.0), np.array([0.1, -0.2, 0.3, 0.05])
    plain = solve(crossbar, volts)
    for biasing in (read_columns(crossbar, volts), custom(crossbar, left=volts, bottom=0.0),
                    Biasing(volts, np.full(4, NAN), np.full(3, NAN), np.zeros(3))):
        assert np.array_equal(solve(crossbar, biasing).bit_line_currents, plain.bit_line_currents)


LAWS = [(None, None), (Sinh(0.25), ("sinh", 0.25)), (Cubic(4.0), ("cubic", 4.0))]


@pytest.mark.parametrize("scheme", ["floating", "grounded", "V/2", "V/3"])
@pytest.mark.parametrize("law, of_oracle", LAWS)
@pytest.mark.parametrize("resistances", [(0.0, 0.0, 0.0, 0.0), (5.0, 30.0, 100.0, 0.0), (0.0, 2.0, 0.0, 50.0)])
def test_selected_device_against_the_dense_solution(scheme, law, of_oracle, resistances):
    names = ("word_line_resistance", "bit_line_resistance", "source_resistance", "sense_resistance")
    wires = dict(zip(names, resistances))
    crossbar = crossbar_of((5, 8), seed=3, iv=law, **wires)
    for i, j, volts in ((0, 0, 0.8), (4, 7, -0.8), (2, 5, 1.5)):
        found = solve(crossbar, read_device(crossbar, i, j, volts, unselected=scheme))
        words, bits = {"floating": (NAN, NAN), "grounded": (0, 0), "V/2": (volts / 2, volts / 2),
                       "V/3": (volts / 3, 2 * volts / 3)}[scheme]
        left, bottom = np.full(5, words, float), np.full(8, bits, float)
        left[i], bottom[j] = volts, 0.0
        expected = dense_circuit(crossbar.conductances, left, NAN, NAN, bottom, iv=of_oracle, **wires)
        # rtol is relative to the gross current of the selected bit line; slopes of at most cosh(1.5 / 0.25) = 200 round.
        limit = 1e-9 * np.abs(expected.device_currents[:, j]).sum() + 200 * 4e-16 * 1.5 * crossbar.conductances.sum()
        assert abs(found.selected_current - expected.device_currents[i, j]) <= limit
        assert abs(found.bit_line_currents[j] + expected.end_currents.bottom[j]) <= limit
        sneak = -expected.end_currents.bottom[j] - expected.device_currents[i, j]
        assert abs(found.sneak_current - sneak) <= 2 * limit
        # A device conducts at least as at 0 V, so its voltage is off by no more than its current over that.
        slack = limit / crossbar.conductances[i, j] + 1e-15
        assert abs(found.selected_voltage - expected.device_voltages[i, j]) <= slack
        assert abs(found.device_power - expected.device_power) <= 3 * abs(volts) * limit
        assert abs(found.wire_power - expected.wire_power) <= 3 * abs(volts) * limit
        assert found.uncertainty <= limit


def test_sneak_currents_are_ordered_as_everyone_knows():
    crossbar = Crossbar(np.full((12, 7), 1e-4), 2.0)
    shares = {}
    for scheme in ("floating", "grounded", "V/2", "V/3"):
        solution = solve(crossbar, read_device(crossbar, 4, 3, 0.3, unselected=scheme))
        shares[scheme] = float(solution.sneak_current / solution.selected_current)
    # V/2: 11 half-selected devices on the bit line make 5.5; V/3 a third each; floating 1 / (1/11 + 1/6 + 1/66) = 3.7.
    assert shares["V/2"] == pytest.approx(5.5, rel=0.05) and shares["V/3"] == pytest.approx(11 / 3, rel=0.05)
    assert shares["floating"] == pytest.approx(66 / 18, rel=0.05)
    assert abs(shares["grounded"]) < 0.02


def test_disturb_of_half_and_third_selected_devices():
    crossbar = Crossbar(np.full((6, 9), 1e-6), 1.0)  # hardly any drop
    half = solve(crossbar, write_device(crossbar, 2, 7, 1.5, scheme="V/2")).device_voltages
    expected = np.zeros((6, 9))
    expected[2], expected[:, 7], expected[2, 7] = 0.75, 0.75, 1.5
    np.testing.assert_allclose(half, expected, atol=1.5 * 1e-6 * 1.0 * 60)
    third = solve(crossbar, write_device(crossbar, 2, 7, 1.5, scheme="V/3")).device_voltages
    expected[:] = -0.5
    expected[2], expected[:, 7], expected[2, 7] = 0.5, 0.5, 1.5
    np.testing.assert_allclose(third, expected, atol=1.5 * 1e-6 * 1.0 * 60)


def test_large_schemes_balance_at_every_node():
    g = np.random.default_rng(4).uniform(1e-4, 5e-4, (70, 110))
    wires = {"word_line_resistance": 3.0, "bit_line_resistance": 1.0}
    crossbar = Crossbar(g, **wires)
    for scheme in ("floating", "grounded", "V/2", "V/3"):
        biasing = read_device(crossbar, 60, 100, 0.2, unselected=scheme)
        found = solve(crossbar, biasing)
        sums = np.abs(kirchhoff_sums(found.word_line_voltages, found.bit_line_voltages, g, biasing.left, NAN, NAN,
                                     biasing.bottom, **wires))
        # Voltages of 0.2 V, each rounded by half a unit, at the ends of two segments: 4 * 0.2 * 1.1e-16 A a node.
        assert sums.sum() <= found.uncertainty + sums.size * 4 * 0.2 * 1.2e-16
        assert found.uncertainty <= 1e-9 * np.abs(found.device_currents[:, 100]).sum() * (1 + 1e-6)
        assert found.selected_current == pytest.approx(g[60, 100] * found.device_voltages[60, 100])


CROSSBAR = crossbar_of()


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: read_device(CROSSBAR, 4, 0, 0.2), ValueError, r"word_line must lie in 0 .. 3; got 4"),
    (lambda: read_device(CROSSBAR, 0, 3, 0.2), ValueError, r"bit_line must lie in 0 .. 2; got 3"),
    (lambda: read_device(CROSSBAR, -1, 0, 0.2), ValueError, "word_line must lie in"),
    (lambda: read_device(CROSSBAR, 1.0, 0, 0.2), TypeError, "word_line must be a whole number; got 1.0"),
    (lambda: read_device(CROSSBAR, 0, True, 0.2), TypeError, "bit_line must be a whole number; got True"),
    (lambda: read_device(CROSSBAR, 0, 0, np.inf), ValueError, "voltage must be finite; got inf V"),
    (lambda: read_device(CROSSBAR, 0, 0, [0.1, NAN]), ValueError, r"voltage must be finite; got nan at index \(1,\)"),
    (lambda: read_device(CROSSBAR, [0, 4], 0, 0.1), ValueError, r"word_line must lie in 0 .. 3; got 4 at index \(1,\)"),
    (lambda: read_device(CROSSBAR, 0, [0.0, 1.0], 0.1), TypeError, "bit_line must be whole numbers; got an array of float"),
    (lambda: read_device(CROSSBAR, [0, 1], [0, 1, 2], 0.1), ValueError, "do not broadcast against each other"),
    (lambda: read_device(CROSSBAR, 0, 0, 0.2, unselected="V/4"), ValueError, "unselected 'V/4' is unknown; did you mean"),
    (lambda: write_device(CROSSBAR, 0, 0, 0.2, scheme="floating"), ValueError, "scheme 'floating' is unknown"),
    (lambda: read_device([[1e-4]], 0, 0, 0.2), TypeError, "crossbar must be a Crossbar"),
    (lambda: custom([[1e-4]]), TypeError, "crossbar must be a Crossbar"),
    (lambda: custom(CROSSBAR, left=[0.1, 0.2]), ValueError, r"left must .* shape \(..., 4\), .*; got \(2,\)"),
    (lambda: custom(CROSSBAR, top=np.zeros((2, 4))), ValueError, r"top must .* shape \(..., 3\)"),
    (lambda: custom(CROSSBAR, bottom=[0.0, np.inf, NAN]), ValueError, r"bottom must be finite; got inf at index \(1,\)"),
    (lambda: custom(CROSSBAR, right="high"), TypeError, "right must be an array of real numbers"),
    (lambda: custom(CROSSBAR, left=[0.1j, 0, 0, 0]), TypeError, "left must be an array of real numbers"),
    (lambda: custom(CROSSBAR, left=np.zeros((2, 4)), bottom=np.zeros((5, 3))), ValueError, "do not broadcast against each"),
    (lambda: read_columns(CROSSBAR, [0.1, 0.2, 0.3]), ValueError, "voltages must"),
])
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_nothing_is_selected_in_a_read_of_columns():
    solution = solve(CROSSBAR, [0.1, 0.2, 0.3, 0.4])
    for name in ("selected_current", "selected_voltage", "sneak_current"):
        with pytest.raises(ValueError, match="no device is selected; solve with a biasing from read_device or write_device"):
            getattr(solution, name)
