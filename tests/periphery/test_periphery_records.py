"""Records of converters, drivers, sensing and measured activations: levels, curves, files, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    IDEAL_PERIPHERY, PERIPHERY_6_BIT, PERIPHERY_8_BIT, PERIPHERY_FOLLOW_UP, TIO2, TIO2_FOLLOW_UP, Converter, Driver,
    MeasuredCurve, Nonlinearity, Periphery, ReadNoise, Sensing, load_device, load_periphery, read_activation_csv,
    save_device, save_periphery)
from tiocross.periphery.presets import find_periphery

CURVE = MeasuredCurve([-0.2, -0.1, 0.0, 0.3], [0.0, 0.0, 0.4, 0.5], input_per_unit=0.1, power=1e-3, source="a bench")
FULL = Periphery(dac=Converter(6, 0.0, 0.25, time=1e-8), driver=Driver(50.0, power=2e-3), activation=CURVE,
                 sensing=Sensing("mirror", 500.0, 900.0, saturation=1.2, offset=0.01), subtraction="analogue",
                 adc=Converter(8, energy=2e-12), pulse_length=3e-7, edge=1e-9, name="all of it", source="made up")


def test_a_converter_gives_the_nearest_of_its_levels():
    signals = np.random.default_rng(1).uniform(-0.3, 0.3, 500)
    for bits, low, high, n_levels in ((1, -0.2, 0.2, 2), (3, -0.2, 0.2, 7), (4, 0.0, 0.2, 16), (5, -0.1, 0.2, 32)):
        grid = np.linspace(low, high, n_levels)
        nearest = grid[np.abs(signals[:, None] - grid).argmin(axis=1)]
        np.testing.assert_allclose(Converter(bits).convert(signals, low, high), nearest, atol=1e-15)


def test_a_measured_curve_meets_its_points_and_never_falls():
    at = np.array([-2.0, -1.0, 0.0, 3.0])
    np.testing.assert_allclose(CURVE.value(at), CURVE.outputs, atol=1e-15)
    sums = np.linspace(-4, 6, 4_001)
    values = CURVE.value(sums)
    assert (np.diff(values) >= 0).all() and values[0] == 0.0 and values[-1] == 0.5 and CURVE.largest == 0.5
    assert not values[(sums < -1.0)].any()  # flat where it was measured flat
    slope = (CURVE.value(sums + 1e-6) - CURVE.value(sums - 1e-6)) / 2e-6
    inner = (np.abs(sums[:, None] - at).min(axis=1) > 1e-5)
    np.testing.assert_allclose(CURVE.slope(sums)[inner], slope[inner], atol=1e-6)
    dense = MeasuredCurve(np.linspace(-6, 6, 200), np.tanh(np.linspace(-6, 6, 200)))
    np.testing.assert_allclose(dense.value(sums[:3000]), np.tanh(sums[:3000]), atol=3e-4)


def test_files_give_back_what_was_saved(tmp_path):
    for index, periphery in enumerate((FULL, IDEAL_PERIPHERY, PERIPHERY_8_BIT, PERIPHERY_6_BIT, PERIPHERY_FOLLOW_UP)):
        path = tmp_path / f"{index}.json"
        save_periphery(periphery, path)
        assert load_periphery(path) == periphery
    text = (tmp_path / "0.json").read_text()
    assert '"read_voltage [V]": 0.2' in text
    (tmp_path / "0.json").write_text(text.replace("read_voltage [V]", "read_voltage [mV]"))
    with pytest.raises(ValueError, match=r"0.json: periphery has the unknown key 'read_voltage \[mV\]'"):
        load_periphery(tmp_path / "0.json")
    noisy = replace(TIO2, read_noise=ReadNoise(0.01, "a bench"), nonlinearity=Nonlinearity(0.3, 0.2, "a bench"))
    for device in (noisy, TIO2, TIO2_FOLLOW_UP):
        save_device(device, tmp_path / "device.json")
        assert load_device(tmp_path / "device.json") == device
        assert ("nonlinearity" in (tmp_path / "device.json").read_text()) == (device is noisy)
    assert noisy.without("read_noise", "nonlinearity") == TIO2 and "read_noise: each reading" in str(noisy)
    assert "read_noise" not in str(TIO2) and "nonlinearity" in noisy._repr_html_() and "read_noise" not in TIO2._repr_html_()


def test_presets_and_files_are_found_by_name(tmp_path):
    save_periphery(FULL, tmp_path / "board.json")
    assert find_periphery("8bit") is PERIPHERY_8_BIT and find_periphery(str(tmp_path / "board.json")) == FULL
    with pytest.raises(ValueError, match="'8 bits' is no preset and no file of a periphery; presets: ideal, 8bit, 6bit"):
        find_periphery("8 bits")


def test_records_say_what_they_are_and_where_it_comes_from():
    text = str(FULL)
    for part in ("200 mV, pulses of 300 ns, edges of 1 ns", "6 bit, 0 to 250 mV, 10 ns each", "50 ohm, 2 mW", "mirror",
                 "offset 1 % of full scale", "saturates at 1.2 V", "8 bit, automatic range", "4 points", "source: a bench"):
        assert part in text, part
    assert "not measurements" in str(PERIPHERY_FOLLOW_UP) and "not measurements" in str(TIO2_FOLLOW_UP)
    assert TIO2_FOLLOW_UP.read_noise.relative == 0.002 and PERIPHERY_FOLLOW_UP.sensing.gain_high == 6e3
    assert "8 bit" in repr(PERIPHERY_8_BIT) and "ideal" in repr(Periphery()) and "FULL" not in FULL._repr_html_()


@pytest.mark.parametrize(("make", "text"), [
    (lambda: Converter(0), "bits must be at least 1"),
    (lambda: Converter(25), "bits must be 1 to 24; got 25"),
    (lambda: Converter(8, low=0.0), "low and high must both be given"),
    (lambda: Converter(8, 0.2, 0.2), "low must be below high"),
    (lambda: Sensing("tia"), "kind of sensing 'tia' is unknown"),
    (lambda: Sensing(gain_low=1e3), "gain_low and gain_high must both be given"),
    (lambda: Sensing(gain_low=2e3, gain_high=1e3), "gain_low must not exceed gain_high"),
    (lambda: Sensing(offset=3), r"offset must be finite and within \[0, 0.5\]; got 3"),
    (lambda: Driver(-1.0), "resistance must be finite and within"),
    (lambda: Periphery(dac=8), "dac must be a Converter, or None to leave it out; got an int"),
    (lambda: Periphery(sensing=None), "sensing must be a Sensing; got a NoneType"),
    (lambda: Periphery(subtraction="analog"), "did you mean 'analogue'"),
    (lambda: Periphery(pulse_length=1e-9, edge=1e-9), "longer than the pulse .* longer pulse_length"),
    (lambda: Periphery(dac=Converter(8, -0.1, 0.1)), "cannot give the read voltage of 0.2 V; lower read_voltage or widen"),
    (lambda: Periphery(adc=Converter(8, 1.0, 2.0), sensing=Sensing(saturation=0.5)), "sensing saturates at 0.5 V; lower"),
    (lambda: Periphery(adc=Converter(8, -1.0, 0.0), sensing=Sensing("mirror")), "subtraction='analogue'"),
    (lambda: MeasuredCurve([0, 1], [0, 1, 2]), "as many, two or more"),
    (lambda: MeasuredCurve([0, 1, 1], [0, 1, 2]), "inputs must increase; got 1 and then 1 V at point 2"),
    (lambda: MeasuredCurve([0, 1, 2], [2, 1, 0]), "outputs must not fall.* give its negative"),
    (lambda: MeasuredCurve([0, 1], [1, 1]), "outputs must rise somewhere"),
    (lambda: ReadNoise(2, "x"), "relative must be finite"),
    (lambda: Nonlinearity(0.0, 0.2, "x"), "v0 must be above zero"),
    (lambda: Nonlinearity(0.001, 0.2, "x"), "at most 20 v0"),
])
def test_what_cannot_be_is_refused_with_the_cure(make, text):
    with pytest.raises((ValueError, TypeError), match=text):
        make()


@pytest.mark.parametrize(("text", "problem"), [
    ("input [V],output [V]\n0,0\n1,x\n", "line 3, value 2: not a number"),
    ("input [V],output\n0,0\n1,1\n", r"column output: the unit is not stated.*as in 'input \[V\],output \[V\]'"),
    ("volts,amps\n0,0\n1,1\n", "must name the columns input and output"),
    ("", "an empty file"),
    ("input [mV],output [V]\n0,1\n1,0\n", "curve.csv: outputs must not fall"),
    ("input [V],output [V]\n0,0\n1\n", "expected 2 values"),
])
def test_a_curve_that_cannot_be_read_is_one_clear_error(tmp_path, text, problem):
    path = tmp_path / "curve.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=problem):
        read_activation_csv(path)


def test_a_curve_is_read_with_its_units(tmp_path):
    path = tmp_path / "curve.csv"
    path.write_text("# measured at 25 C\ninput [mV];output [V]\n-200;0,0\n0;0,4\n300;0,5\n")
    curve = read_activation_csv(path, input_per_unit=0.1, output_at_zero=0.1, source="a bench")
    np.testing.assert_allclose(curve.inputs, [-0.2, 0.0, 0.3])
    np.testing.assert_allclose(curve.value([0.0, 9.0]), [0.3, 0.4])
    assert curve.source == "a bench" and str(path) in read_activation_csv(path).source
