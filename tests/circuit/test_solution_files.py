"""A saved solution comes back as it was; other files are refused. Solutions and crossbars print as a line."""

import numpy as np
import pytest

from tiocross import (AbsolutePolynomial, Asymmetric, Crossbar, Cubic, Polynomial, Selector, Sinh, Solution, Tabulated,
                      Transistor, custom, read_device, solve)

G = np.array([[1e-4, 2e-4, 3e-4, 0.0], [3e-4, 4e-4, 1e-4, 0.0], [2e-4, 5e-5, 1e-4, 0.0]])
EVERYTHING = ("bit_line_currents", "uncertainty", "voltage_uncertainty", "unbalanced", "n_sweeps", "word_line_voltages",
              "bit_line_voltages", "device_currents", "undetermined_bit_lines", "power", "wire_power")


@pytest.mark.parametrize("iv", [None, Cubic(2.0), Polynomial(0.5, np.full((3, 4), 1.0))])
@pytest.mark.parametrize("inputs", [
    [0.1, 0.2, -0.1], [[0.1, 0.2, -0.1], [0.3, 0.0, 0.1]], read_device(Crossbar(G), 2, 0, 0.3),
    read_device(Crossbar(G), [0, 1], [2, 1], 0.3, unselected="V/2"),
    custom(Crossbar(G), left=[0.1, np.nan, 0.3], bottom=0.0)])
def test_a_saved_solution_comes_back(tmp_path, inputs, iv):
    solution = solve(Crossbar(G, 5.0, iv=iv), inputs)
    solution.save(tmp_path / "state.npz")
    again = Solution.load(tmp_path / "state.npz")
    for name in EVERYTHING:
        np.testing.assert_array_equal(getattr(again, name), getattr(solution, name))
    if solution.biasing.selected is not None:
        np.testing.assert_array_equal(again.selected_current, solution.selected_current)
    assert repr(again) == repr(solution) and len(repr(solution)) < 160


@pytest.mark.parametrize("iv", [
    None, AbsolutePolynomial(1e-5, np.full((3, 4), 1e-4)), Asymmetric(Sinh(0.3), None),
    Asymmetric(Tabulated([-0.1, 0.4], [-1e-5, 5e-5]), Cubic(np.full((3, 4), 0.1)))])
@pytest.mark.parametrize("series", [
    None, Selector(None, 1e-3), Selector(Sinh(0.1), np.full((3, 4), 1e-6)), Selector(Tabulated([-0.1, 0.4], [-1e-5, 5e-5])),
    Transistor(500.0, gates=[True, True, False, True], along="bit lines"), Transistor(iv=Tabulated([0.3], [1e-4]))])
def test_laws_and_what_lies_in_series_come_back(tmp_path, iv, series):
    crossbar = Crossbar(G, 5.0, iv=iv, series=series)
    solution = solve(crossbar, read_device(crossbar, 2, 0, 0.3))
    solution.save(tmp_path / "state.npz")
    again = Solution.load(tmp_path / "state.npz")
    for name in (*EVERYTHING, "device_voltages", "series_voltages", "series_power"):
        np.testing.assert_array_equal(getattr(again, name), getattr(solution, name))
    assert repr(again.crossbar) == repr(crossbar) and repr(again.crossbar.iv) == repr(iv)
    assert repr(again.crossbar.series) == repr(series)


def test_what_is_no_solution_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    solve(Crossbar(G, 5.0), [0.1, 0.2, 0.3]).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="state.npz is not a solution that tiocross saved, or it is truncated"):
        Solution.load(path)
    path.write_bytes(whole)
    with np.load(path) as archive:
        content = dict(archive)
    for change, message in [({"extra": 1.0}, "'extra' is missing or does not belong there"),
                            ({"format": "other"}, "lacks the mark"),
                            ({"bit_line_currents": np.zeros(3)}, "is damaged: bit_line_currents has shape"),
                            ({"conductances": 2e6 * G}, "is damaged: conductances must lie in"),
                            ({"law": "Exp"}, "is damaged: the law 'Exp' is none of Sinh")]:
        np.savez(path, **{**content, **change})
        with pytest.raises(ValueError, match=message):
            Solution.load(path)
    with pytest.raises(FileNotFoundError):
        Solution.load(tmp_path / "nothing.npz")


def test_records_print_as_one_line():
    crossbar = Crossbar(np.full((128, 64), 1e-4), 2.0, source_resistance=np.linspace(1, 50, 128), iv=Cubic(2.0))
    assert repr(crossbar) == ("<Crossbar: 128 x 64 devices, 100 to 100 uS, wires 2 ohm, sources 1 to 50 ohm, Cubic>")
    assert repr(Crossbar(np.stack([G, G]))) == "<Crossbar: 2 arrays of 3 x 4 devices, 0 to 400 uS, 6 open, ideal wires>"
    text = repr(solve(Crossbar(G), [[0.1, 0.2, 0.3]] * 5))
    assert text.startswith("<Solution: 5 circuits of 3 x 4 devices, bit-line currents 0 to 130 uA, known to ")
