"""The lab's CSV files: exact round trips, and what is refused."""

import numpy as np
import pytest

from tiocross.lab.resistance_maps import LabMap, read_lab_map, write_lab_map
from tiocross.lab.tables import (
    read_conductance_csv,
    read_disturb_csv,
    read_tuning_csv,
    read_voltage_csv,
    write_conductance_csv,
)
from tiocross.units import kohm, mV, uS

NAMES = "n_rows; n_columns; vread; Vmax_set"
VALUES = "2; 3; 0.200000000; 2.100000000"
LISTED = "1000.500000; 2000; 4000; 304.368125; 5e3; 10000"


def put(tmp_path, text, name="map.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", ["P464EC_HD", "P464EC_TD", "P464EC_TG", "P464ED_BG", "P464ED_HD"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_measured_maps_are_written_as_they_were_read(name, order, measured, tmp_path):
    source = measured / f"dead_xbar_{name}.csv"
    lab_map = read_lab_map(source, order=order)
    write_lab_map(lab_map, tmp_path / "copy.csv", order=order)
    assert (tmp_path / "copy.csv").read_bytes() == source.read_bytes()
    assert lab_map.resistances.shape == (8, 8) and float(lab_map.header["vread"]) == 0.2
    np.testing.assert_array_equal(lab_map.resistances, read_lab_map(source, order="CF"[order == "C"]).resistances.T)


@pytest.mark.parametrize("end", ["", ";", "; ", "; \n", "\n", "\r\n", " ; \n\n", "\n  \n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_ends_of_lines_and_files_do_not_matter_and_are_kept(start, end, tmp_path):
    text = start + "\n".join([NAMES, VALUES, LISTED]) + end
    lab_map = read_lab_map(put(tmp_path, text))
    assert lab_map.resistances.tolist() == [[1000.5, 2000, 4000], [304.368125, 5000, 10000]]
    assert lab_map.header == {"n_rows": "2", "n_columns": "3", "vread": "0.200000000", "Vmax_set": "2.100000000"}
    np.testing.assert_array_equal(lab_map.conductances, 1 / lab_map.resistances)
    write_lab_map(lab_map, tmp_path / "copy.csv")
    assert (tmp_path / "copy.csv").read_bytes() == text.encode()


def test_column_order_is_selectable_and_written_anew_in_the_other(tmp_path):
    lab_map = read_lab_map(put(tmp_path, "\n".join([NAMES, VALUES, LISTED])), order="F")
    assert lab_map.resistances.tolist() == [[1000.5, 4000, 5000], [2000, 304.368125, 10000]]
    write_lab_map(lab_map, tmp_path / "rows.csv", order="C")
    again = read_lab_map(tmp_path / "rows.csv", order="C")
    np.testing.assert_array_equal(again.resistances, lab_map.resistances)
    with pytest.raises(ValueError, match="order 'rows' is unknown"):
        read_lab_map(tmp_path / "rows.csv", order="rows")


def test_new_maps_keep_every_digit(tmp_path):
    conductances = np.random.default_rng(0).uniform(1e-6, 9e-4, (4, 7))
    new = LabMap.from_conductances(conductances, {"vread": 0.2, "PulseWidth": np.float64(1.04e-6), "operator": "A. B."})
    for order in ("C", "F"):
        write_lab_map(new, tmp_path / "new.csv", order=order)
        again = read_lab_map(tmp_path / "new.csv", order=order)
        np.testing.assert_array_equal(again.resistances, 1 / conductances)
        assert again.header == new.header
        assert again.header == {"n_rows": "4", "n_columns": "7", "vread": "0.2", "PulseWidth": "1.04e-06",
                                "operator": "A. B."}


def test_changed_maps_lose_their_old_text(tmp_path):
    old = read_lab_map(put(tmp_path, "\n".join([NAMES, VALUES, LISTED])))
    write_lab_map(LabMap(old.header, 2 * old.resistances, old.text), tmp_path / "new.csv")
    np.testing.assert_array_equal(read_lab_map(tmp_path / "new.csv").resistances, 2 * old.resistances)
    write_lab_map(LabMap({**old.header, "vread": "0.3"}, old.resistances, old.text), tmp_path / "new.csv")
    assert read_lab_map(tmp_path / "new.csv").header["vread"] == "0.3"


def swap(line, text):
    lines = [NAMES, VALUES, LISTED]
    lines[line - 1] = text
    return "\n".join(lines)


@pytest.mark.parametrize(("text", "message"), [
    (swap(3, "1; 2; 3; 4; 5;"), "2 rows x 3 columns are 6 resistances; line 3 holds 5; is the file truncated"),
    (swap(3, LISTED + "; 7"), "line 3 holds 7; are n_rows and n_columns right"),
    (NAMES + "\n" + VALUES, "three lines.*got 2; is the file truncated"),
    ("", "three lines.*got 0"),
    ("\n".join([NAMES, VALUES, LISTED, LISTED]), "three lines.*got 4"),
    (swap(3, "1; 2; 3; 4; -5; 6"), "above zero.*got '-5' at row 1, column 1"),
    (swap(3, "1; 2; 0; 4; 5; 6"), "got '0' at row 0, column 2"),
    (swap(3, "1; nan; 3; 4; 5; 6"), "got 'nan' at row 0, column 1"),
    (swap(3, "1; inf; 3; 4; 5; 6"), "got 'inf' at row 0, column 1"),
    (swap(3, "1; 2; x; 4; 5; 6"), "got 'x' at row 0, column 2"),
    (swap(3, "1; ; 3; 4; 5; 6"), "got '' at row 0, column 1"),
    (swap(1, "n_rows; n_column; vread; Vmax_set"), "lacks 'n_columns'; it names n_rows, n_column, vread"),
    ("\n".join([NAMES, VALUES, LISTED]).replace(";", ","), "lacks 'n_rows'; .*; settings are separated by semicolons"),
    (swap(3, "1; 2; 3; 4; 0.136; 2630"), "at least 1 ohm; got 0.136 at row 1, column 1 .* Multiply by tiocross.units.kohm"),
    (swap(3, "1; 2; 3; 4; 5; 1e-320"), "at least 1 ohm; got"),
    (swap(1, "n_rows; n_columns; ; Vmax_set"), "place 3 is empty"),
    (swap(1, "n_rows; n_columns; vread; vread"), "names 'vread' twice"),
    (swap(2, "2; 3; 0.2"), "'Vmax_set' has none"),
    (swap(2, "2; 3; 0.2; 2.1; 9"), "'9' has no name"),
    (swap(2, "2; 3.5; 0.2; 2.1"), "n_columns must be a whole number from 1; got '3.5'"),
    (swap(2, "0; 3; 0.2; 2.1"), "n_rows must be a whole number from 1; got '0'"),
    (swap(2, "2; 3; 0.2 V; 2.1"), "vread must be a finite number; got '0.2 V'"),
    (b"\xff\xfe n_rows", "not UTF-8"),
])
def test_malformed_maps_are_refused_with_the_place(text, message, tmp_path):
    with pytest.raises(ValueError, match=rf"map.csv[ :].*{message}"):
        read_lab_map(put(tmp_path, text))


def test_the_place_of_a_bad_value_follows_the_order(tmp_path):
    with pytest.raises(ValueError, match="got '-4' at row 1, column 1"):
        read_lab_map(put(tmp_path, swap(3, "1; 2; 3; -4; 5; 6")), order="F")


@pytest.mark.parametrize(("make", "message"), [
    (lambda: LabMap({"n_rows": "3"}, np.ones((2, 3))), "n_rows is 3 in the header"),
    (lambda: LabMap({}, np.array([[1.0, -2.0]])), "at row 0, column 1"),
    (lambda: LabMap({"note": "a; b"}, np.ones((2, 3))), "semicolons"),
    (lambda: LabMap.from_conductances([[1e-4, 0.0]], {}), "zero; got one at 0, 1"),
    (lambda: LabMap.from_conductances([[100.0, 500.0]], {}), "microsiemens"),
])
def test_bad_new_maps_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_conductance_matrix_round_trip_is_exact(tmp_path):
    conductances = np.random.default_rng(1).uniform(0, 9e-4, (3, 5))
    write_conductance_csv(tmp_path / "g.csv", conductances)
    assert (tmp_path / "g.csv").read_text().startswith("# conductances [S], 3 word lines x 5 bit lines\n")
    np.testing.assert_array_equal(read_conductance_csv(tmp_path / "g.csv", shape=(3, 5)), conductances)
    conductances[1, 2] = np.nan
    write_conductance_csv(tmp_path / "g.csv", conductances)
    np.testing.assert_array_equal(read_conductance_csv(tmp_path / "g.csv", allow_missing=True), conductances)
    with pytest.raises(ValueError, match="line 3, value 3: values must be finite; got nan"):
        read_conductance_csv(tmp_path / "g.csv")


@pytest.mark.parametrize(("unit", "values"), [
    ("uS", "100,500"), ("\u00b5S", "100,500"), ("S", "1e-4,5e-4"), ("mS", "0.1,0.5"), ("kohm", "10,2"),
    ("ohm", "10000,2000"),
    ("Mohm", "0.01,0.002")])
def test_units_of_conductances_are_converted(unit, values, tmp_path):
    matrix = read_conductance_csv(put(tmp_path, f"# of chip 7 [{unit}]\n{values}\n{values},\n\n"))
    np.testing.assert_allclose(matrix, [[100 * uS, 1 / (2 * kohm)]] * 2, rtol=1e-14)


@pytest.mark.parametrize(("text", "message"), [
    ("1e-4,2e-4\n", r"the unit is not stated.*\[S\].*'# conductances \[S\]'"),
    ("# [V]\n1,2\n", r"the unit \[V\] is unknown"),
    ("# [S]\n100,500\n", "microsiemens"),
    ("# [S]\n1e-4,-5e-4\n", r"\[0, 1\] S; got -0.0005 at word line 0, bit line 1"),
    ("# [kohm]\n1,2\n0,1\n", "above zero; got 0 kohm at row 1, column 0"),
    ("# [S]\n1e-4,2e-4\n1e-4\n", "line 3: expected 2 values as in the first row; got 1; is the file truncated"),
    ("# [S]\n1e-4,2e-4\n1e-4,1e-4,1e-4\n", "line 3: expected 2 values as in the first row; got 3"),
    ("# [S]\n1e-4,x\n", "line 2, value 2: not a number: 'x'"),
    ("# [S]\n1e-4,inf\n", "must be finite; got inf"),
    ("# [S]\n", "holds no values"),
    ("# [S], 2 word lines x 1 bit lines\n1e-4,2e-4\n", r"must have shape \(2, 1\), as its comment says; got \(1, 2\); transposed"),
    ("# [S], 2 word lines x 2 bit lines\n1e-4,2e-4\n", r"must have shape \(2, 2\), as its comment says; got \(1, 2\)$"),
])
def test_bad_matrices_are_refused(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_conductance_csv(put(tmp_path, text))


def test_a_transposed_matrix_is_suspected(tmp_path):
    path = put(tmp_path, "# [S]\n1e-4,2e-4,3e-4\n1e-4,2e-4,3e-4\n")
    with pytest.raises(ValueError, match=r"map.csv must have shape \(3, 2\); got \(2, 3\); transposed"):
        read_conductance_csv(path, shape=(3, 2))


def test_nothing_that_is_no_conductance_is_written(tmp_path):
    for bad in ([[100.0]], [[-1e-9]], [[np.inf]], [1e-4]):
        with pytest.raises(ValueError):
            write_conductance_csv(tmp_path / "g.csv", bad)
    assert not list(tmp_path.iterdir())


def test_voltages_in_volt_and_millivolt(tmp_path):
    path = put(tmp_path, "# inputs [mV]\n200,-100,150\n0,0,1\n")
    np.testing.assert_allclose(read_voltage_csv(path, n_word_lines=3), [[0.2, -0.1, 0.15], [0, 0, 1 * mV]], rtol=1e-14)
    with pytest.raises(ValueError, match=r"must have shape \(2, 4\), a value for each word line; got \(2, 3\)"):
        read_voltage_csv(path, n_word_lines=4)
    with pytest.raises(ValueError, match="unit is not stated"):
        read_voltage_csv(put(tmp_path, "0.1,0.2\n"))


def test_lists_of_changes_and_of_writes(tmp_path):
    path = put(tmp_path, "# a comment\nn_later_writes [-],delta_conductance [uS]\n1,-2.5\n12,3\n")
    later, changes = read_disturb_csv(path)
    assert later.tolist() == [1, 12] and later.dtype.kind == "i"
    np.testing.assert_allclose(changes, [-2.5 * uS, 3 * uS], rtol=1e-14)
    targets, programmed = read_tuning_csv(put(tmp_path, "target [S],programmed [uS]\n1e-4,101\n"))
    np.testing.assert_allclose([*targets, *programmed], [1e-4, 1.01e-4], rtol=1e-14)


@pytest.mark.parametrize(("text", "message"), [
    ("n_later_writes [-],delta_conductance\n1,1e-6\n", r"unit is not stated.*'delta_conductance \[S\]'"),
    ("n_later_writes [-],delta_conductance [ohm]\n1,1\n", r"the unit \[ohm\] is unknown"),
    ("delta_conductance [S],n_later_writes [-]\n1e-6,1\n", r"column 'delta_conductance \[S\]' should be 'n_later_writes'"),
    ("n_later_writes [-]\n1\n", "expected the columns"),
    ("n_later_writes [-],delta_conductance [S]\n1.5,1e-6\n", "whole numbers from 0 to 1000000000; got 1.5"),
    ("n_later_writes [-],delta_conductance [S]\n1,1e-6\n1\n", "line 3: expected 2 values as in the header; got 1"),
    ("n_later_writes [-],delta_conductance [S]\n1,nan\n", "values must be finite"),
    ("", "is empty; expected a header such as"),
])
def test_bad_lists_are_refused(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_disturb_csv(put(tmp_path, text))


def test_measured_changes_are_read(measured):
    later, changes = read_disturb_csv(measured / "write_disturb.csv")
    assert len(later) == 17_692 and (later == 1).sum() == 1259 and later.max() == 54
    assert changes[later == 1].std() / uS == pytest.approx(6.68, abs=0.005)


@pytest.mark.parametrize(("text", "cure"), [
    ("# [uS]\n100,nan\n", r"value 2: values must be finite; got nan; put the conductance of the device there, 0 for an open one "
                          r"\(of resistances a large one, 1e15 ohm\); from Python allow_missing=True reads nan"),
    ("row,column,conductance [uS]\n0,0,nan\n", "value 3: .* got nan; put the conductance of the device there, 0 for an open"),
])
def test_a_missing_conductance_is_refused_with_what_to_put_there(text, cure, tmp_path):
    (tmp_path / "file.csv").write_text(text)
    with pytest.raises(ValueError, match=cure):
        read_conductance_csv(tmp_path / "file.csv")
    assert np.isnan(read_conductance_csv(tmp_path / "file.csv", allow_missing=True)).sum() == 1


def test_a_missing_voltage_and_a_missing_pair_are_refused_with_the_cure(tmp_path):
    (tmp_path / "file.csv").write_text("# voltages [V]\n0.1,nan\n")
    with pytest.raises(ValueError, match="got nan; put 0 for a word line at 0 V"):
        read_voltage_csv(tmp_path / "file.csv")
    (tmp_path / "file.csv").write_text("target [uS],programmed [uS]\n100,nan\n")
    with pytest.raises(ValueError, match="got nan; leave the line out"):
        read_tuning_csv(tmp_path / "file.csv")
