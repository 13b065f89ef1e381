"""Conductances found from readings are those that gave the readings."""

import numpy as np
import pytest
from oracle import dense_circuit

from tiocross import Crossbar, Cubic, Sinh, read_crossbar, read_device, solve, transfer_matrix
from tiocross.units import nS, uA, uS


def draw(shape, seed, open_share=0.0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < open_share, 0.0, rng.uniform(50 * uS, 500 * uS, shape))


def read(crossbar, voltage, unselected):
    """Currents of all devices, one circuit each, solved by themselves."""
    currents = np.empty(crossbar.conductances.shape)
    for i, j in np.ndindex(*currents.shape):
        biasing = read_device(crossbar, i, j, voltage, unselected=unselected)
        currents[i, j] = solve(crossbar, biasing, rtol=1e-12).bit_line_currents[j]
    return currents


@pytest.mark.parametrize("unselected", ["grounded", "floating"])
@pytest.mark.parametrize(("resistance", "voltage", "iv"), [
    (0.0, 0.2, None), (2.0, 0.2, None), (20.0, -0.2, None), (20.0, 0.2, Sinh(0.37)), (2.0, -0.4, Cubic(5.0)),
    (0.0, 0.2, Sinh(np.linspace(0.2, 0.4, 12).reshape(3, 4)))])
def test_round_trip(unselected, resistance, voltage, iv):
    written = draw((3, 4), seed=1)
    ends = {"source_resistance": 40.0, "sense_resistance": np.array([0.0, 10.0, 30.0, 5.0])} if resistance else {}
    chip = Crossbar(written, resistance, iv=iv, **ends)
    currents = read(chip, voltage, unselected)
    found = read_crossbar(currents, voltage, wire_resistance=resistance, unselected=unselected, iv=iv, **ends)
    # Readings are met to 1e-11 of the largest; what they leave open of a device is a small multiple of it.
    np.testing.assert_allclose(found.conductances, written, rtol=1e-8)
    assert found.wire_resistance == resistance and found.iv is iv
    np.testing.assert_array_equal(found.sense_resistance, chip.sense_resistance)
    if resistance:
        assert np.abs(currents / voltage - written).max() > 0.05 * written.max()  # the readings alone are not the devices


@pytest.mark.parametrize(("shape", "unselected"), [((1, 5), "grounded"), ((5, 1), "floating"), ((7, 2), "floating"),
                                                   ((2, 9), "grounded")])
def test_odd_shapes(shape, unselected):
    chip = Crossbar(draw(shape, seed=2), 10.0)
    found = read_crossbar(read(chip, 0.2, unselected), 0.2, wire_resistance=10.0, unselected=unselected)
    np.testing.assert_allclose(found.conductances, chip.conductances, rtol=1e-8)


def test_grounded_readings_are_those_of_the_dense_reference():
    written = draw((3, 2), seed=3)
    currents = np.array([-dense_circuit(written, row, np.nan, np.nan, 0.0, word_line_resistance=15.0,
                                        bit_line_resistance=15.0, source_resistance=0.0,
                                        sense_resistance=0.0).end_currents.bottom for row in 0.2 * np.eye(3)])
    found = read_crossbar(currents, 0.2, wire_resistance=15.0)
    np.testing.assert_allclose(found.conductances, written, rtol=1e-8)


def test_two_devices_beside_each_other_by_hand():
    """One word line, wires of 10 ohm: both devices read at once, so that the sums of Ohm's law are simple."""
    first, second, wire, voltage = 300 * uS, 400 * uS, 10.0, 0.2
    node_2 = 1 / (wire + 1 / (1 / (1 / second + wire)))  # from the first node on, to ground over the second device
    node_1 = 1 / (1 / first + wire)
    at_1 = voltage / (1 + wire * (node_1 + node_2))
    at_2 = at_1 * node_2 * (1 / second + wire)
    currents = np.array([[at_1 * node_1, at_2 / (1 / second + wire)]])
    found = read_crossbar(currents, voltage, wire_resistance=wire)
    np.testing.assert_allclose(found.conductances, [[first, second]], rtol=1e-10)


@pytest.mark.slow
def test_64_by_64_at_2_ohm():
    chip = Crossbar(draw((64, 64), seed=4, open_share=0.02), 2.0)
    readings = transfer_matrix(chip, rtol=1e-13)
    found = read_crossbar(0.2 * readings, 0.2, wire_resistance=2.0).conductances
    assert np.abs(readings - chip.conductances).max() > 0.4 * 500 * uS
    np.testing.assert_allclose(found, chip.conductances, rtol=0, atol=1e-8 * 500 * uS)


def test_readings_within_the_noise_open_a_device():
    written = draw((5, 4), seed=5)
    written[1, 2] = written[3, 0] = 0.0
    chip = Crossbar(written, 20.0)
    currents = read(chip, 0.2, "grounded")
    noisy = currents + 0.2 * 0.5 * nS * np.random.default_rng(6).choice([-1, 1], currents.shape)
    noisy[3, 0] = -0.2 * 0.5 * nS
    found = read_crossbar(noisy, 0.2, noise_floor=0.3 * uS, wire_resistance=20.0).conductances
    assert np.argwhere(found == 0).tolist() == [[1, 2], [3, 0]]
    # The reading is known to 0.5 nS, and wires make of it some times that.
    np.testing.assert_allclose(found, written, rtol=0, atol=5 * nS)
    floating = read(Crossbar(written, 20.0), 0.2, "floating")
    assert (floating > 0.2 * 100 * uS).all()  # sneak paths hide the open devices
    found = read_crossbar(floating, 0.2, noise_floor=1 * nS, wire_resistance=20.0, unselected="floating")
    found = found.conductances
    assert np.argwhere(found == 0).tolist() == [[1, 2], [3, 0]]


@pytest.mark.parametrize("iv", [None, Sinh(0.3)])
def test_a_dead_line_is_open_also_where_lines_float(iv):
    written = draw((4, 3), seed=7)
    written[2] = 0.0
    chip = Crossbar(written, 5.0, iv=iv)
    currents = np.where(written > 0, read(chip, 0.2, "floating"), 0.0)
    found = read_crossbar(currents, 0.2, noise_floor=1e-12, wire_resistance=5.0, unselected="floating", iv=iv)
    np.testing.assert_allclose(found.conductances, written, rtol=1e-8)
    assert not read_crossbar(np.zeros((4, 3)), 0.2, unselected="floating", iv=iv).conductances.any()


@pytest.mark.parametrize("iv", [None, Sinh(0.3)])
@pytest.mark.parametrize("unselected", ["grounded", "floating"])
def test_a_device_that_was_not_read_leaves_the_others_alone(unselected, iv):
    written = draw((4, 3), seed=11)
    chip = Crossbar(written, 20.0, iv=iv)
    currents = read(chip, 0.2, unselected)
    currents[2, 1] = np.nan
    known = {"wire_resistance": 20.0, "unselected": unselected, "iv": iv}
    found = read_crossbar(currents, 0.2, unread=written[2, 1], **known).conductances
    np.testing.assert_allclose(found, written, rtol=1e-8)
    assert found[2, 1] == written[2, 1]
    assert read_crossbar(currents, 0.2, **known).conductances[2, 1] == 0.0  # open, if nothing else is said
    nothing = read_crossbar(np.full((2, 3), np.nan), 0.2, unread=1e-4).conductances
    assert np.array_equal(nothing, np.full((2, 3), 1e-4))


def test_noise_grows_little():
    """Readings off by 0.1 % give devices off by some tenths of a percent: the wires take up to 20 % here."""
    chip = Crossbar(draw((12, 10), seed=8), 5.0)
    currents = 0.2 * transfer_matrix(chip, rtol=1e-12)
    noisy = currents * (1 + 1e-3 * np.random.default_rng(9).standard_normal(currents.shape))
    found = read_crossbar(noisy, 0.2, wire_resistance=5.0).conductances
    assert 0.5e-3 < np.std(found / chip.conductances - 1) < 2e-3


@pytest.mark.parametrize("unselected", ["grounded", "floating"])
def test_readings_that_no_devices_give(unselected):
    with pytest.raises(ValueError, match="no conductances behind these wires .* word line .*noise_floor"):
        read_crossbar(np.full((3, 4), 300 * uS * 0.2), 0.2, wire_resistance=5_000.0, unselected=unselected)


def test_bad_readings():
    good = 0.2 * draw((3, 4), seed=10)
    against, at = good.copy(), (1, 2)
    against[at] *= -1
    with pytest.raises(ValueError, match=r"line 1, bit line 2 \(1 such\) flows against the voltage of 0.2 V.*noise_floor"):
        read_crossbar(against, 0.2)
    with pytest.raises(ValueError, match=r"flows against the voltage of -0.2 V"):
        read_crossbar(good, -0.2)
    with pytest.raises(ValueError, match=r"bit line 0 \(12 such\) at 0.2 V is more than .* 1 S .*tiocross.units.uA"):
        read_crossbar(good / uA, 0.2)
    broken = good.copy()
    broken[at] = np.inf
    with pytest.raises(ValueError, match=r"currents must be finite; got inf at index \(1, 2\)"):
        read_crossbar(broken, 0.2)
    with pytest.raises(ValueError, match="currents must have 2 axes"):
        read_crossbar(good[0], 0.2)
    with pytest.raises(ValueError, match="currents must have shape"):
        read_crossbar(np.zeros((0, 4)), 0.2)
    with pytest.raises(ValueError, match="voltage must not be 0 V"):
        read_crossbar(good, 0.0)
    with pytest.raises(TypeError, match="voltage must be a number"):
        read_crossbar(good, [0.2, 0.2])
    with pytest.raises(ValueError, match="noise_floor must be finite and within"):
        read_crossbar(good, 0.2, noise_floor=-1.0)
    with pytest.raises(ValueError, match="did you mean 'grounded'"):
        read_crossbar(good, 0.2, unselected="ground")
    with pytest.raises(ValueError, match="wire_resistance must be"):
        read_crossbar(good, 0.2, wire_resistance=-1.0)
    with pytest.raises(ValueError, match="up to 4096 devices; got 4225: read with the other lines grounded"):
        read_crossbar(np.full((65, 65), 1e-5), 0.2, unselected="floating")
