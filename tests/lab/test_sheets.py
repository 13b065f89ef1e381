"""Files as people, spreadsheets and instruments write them: what means one thing is read, the rest refused with a cure."""

import re

import numpy as np
import pytest

from tiocross.lab.tables import read_array, read_conductance_csv, read_tuning_csv, read_voltage_csv, read_voltages
from tiocross.units import uS

MATRIX = [[100, 200.5, 300], [400, 150, 25e-1]]  # [uS]


def put(tmp_path, text):
    (tmp_path / "file.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path / "file.csv"


@pytest.mark.parametrize(("text", "said"), [
    ("# [uS]\n100,200.5,300\n400,150,25e-1\n", "separated by commas"),
    ("# [uS]\n100\t200.5\t300\n400\t150\t2.5\n", "separated by tabs"),
    ("# [uS]\n 100 200.5  300\n400 150 2.5 \n", "separated by blanks"),
    ("# [uS]\r\n100;200,5;300\r\n400;150;25e-1\r\n", "separated by semicolons, with decimal commas"),
    ("# [uS]\n100\t200,5\t3e2\n400\t150\t2,5\n", "separated by tabs, with decimal commas"),
    ("\ufeff\"# measured, [uS]\",,,,\n\"100\",\"200.5\",\"300\",,\n400,150,2.5,,\n,,,,\n", "separated by commas"),
    ("# " + "x" * 70_000 + "\n# [uS]\n100,200.5,300\n400,150,2.5\n", "line 2"),
    ("[uS],0,1,2\n0,100,200.5,300\n1,400,150,2.5\n", "a table with titles"),
    ("# [\u00b5S]\n;BL1;BL2;BL3\nWL1;100;200,5;300\nWL2;400;150;2,5\n", "a table with titles"),
    ("row,column,conductance [uS]\n1,2,2.5\n0,0,100\n0,1,200.5\n0,2,300\n1,0,400\n1,1,150\n", "counted from 0"),
    ("# [uS]\nBit line\tWord line\tG\n1\t1\t100\n2\t1\t200.5\n3\t1\t300\n1\t2\t400\n2\t2\t150\n3\t2\t2.5\n", "counted from 1"),
    ("n_rows; n_columns\n2; 3\n1e4; 4987.531172069826; 3333.333333333333; 2500; 6666.666666666667; 4e5;;;\n", None),
    ("n_rows; n_columns;;;;\n2; 3;;;;\n1e4; 4987.531172069826; 3333.333333333333; 2500; 6666.666666666667; 4e5\n", None),
])
def test_one_array_in_every_form_that_is_clear(text, said, tmp_path):
    path = put(tmp_path, text)
    np.testing.assert_allclose(read_conductance_csv(path, shape=(2, 3)) / uS, MATRIX, rtol=1e-13)
    if said:
        values, matrix = read_array(path)
        assert said in str(matrix) and "[uS]" in str(matrix) and values.shape == (2, 3)


def test_what_savetxt_writes_is_read(tmp_path):
    np.savetxt(tmp_path / "file.csv", MATRIX, header="conductances [uS]")
    np.testing.assert_allclose(read_conductance_csv(tmp_path / "file.csv") / uS, MATRIX, rtol=1e-13)
    np.savetxt(tmp_path / "file.csv", MATRIX, header="voltages [mV]", delimiter="\t")
    np.testing.assert_allclose(read_voltage_csv(tmp_path / "file.csv") * 1e3, MATRIX, rtol=1e-13)


@pytest.mark.parametrize(("text", "unit"), [
    ("# targets were set in [kohm]\n# conductances [uS]\n100,200\n", "uS"),
    ("# read at 0.2 [V]; conductances [uS]\n100,200\n", "uS"), ("# resistances [k\u03a9], read in [uS]\n100,200\n", "kohm"),
    ("# conductances [uS]\n# conductances [uS]\n100,200\n", "uS"),
])
def test_the_unit_is_that_of_the_quantity(text, unit, tmp_path):
    values, matrix = read_array(put(tmp_path, text))
    assert matrix.unit == unit
    np.testing.assert_allclose(values, [[1e-4, 2e-4]] if unit == "uS" else [[1e-5, 5e-6]], rtol=1e-14)


@pytest.mark.parametrize(("text", "message"), [
    ("# set in [kohm]\n# of chip 7 [uS]\n1,2\n", r"lines 1 and 2: two units are stated, \[kohm\] and \[uS\]; leave one"),
    ("# conductances [uS]\n1,2\n# conductances [mS]\n3,4\n", "lines 1 and 3: two units"),
    ("# conductances [uS]; resistances [kohm]\n1,2\n", "line 1: two units"),
    ("# resistances [kohm]\nrow,column,conductance [uS]\n0,0,1\n", "lines 1 and 2: two units"),
    ("# voltages [mV]\n1,2\n", r"the unit \[mV\] is unknown"),
    ("# [uS]\n0,5 0,25\n", "value 2: not a number: '5 0'; with decimal commas, separate values by semicolons or tabs"),
    ("# [uS]\n1,5;2.5\n", "line 2: a decimal point, though other lines have decimal commas"),
    ("# [uS]\n1_0,2\n", "not a number: '1_0'"), ("# [uS]\n\u0661,2\n", "not a number"), ("# [uS]\n1e400,2\n", "finite"),
    ("# [uS]\n1,,2\n", "nothing between two separators"), ("# [uS]\n0x10,2\n", "not a number"),
    ("# [uS]\n0,0,1\n0,1,2\n1,0,3\n1,1,4\n", "name the columns, as in 'row,column,conductance"),
    ("row,column,conductance [uS]\n0,0,1\n0,0,2\n", "lines 2 and 3: both give row 0, column 0"),
    ("row,column,conductance [uS]\n0,0,1\n1,1,2\n", "2 x 2 are 4 devices, the list holds 2; row 0, column 1"),
    ("row,column,conductance [uS]\n2,2,1\n3,3,1\n", "whether these count from 0 or 1 is not clear"),
    ("row,column,conductance [uS]\n0.5,0,1\n", "row and column must be whole numbers"),
    ("row,column,conductance [uS]\n0,9999999,1\n9999999,0,1\n", "an array has at most"),
    ("row,column,time [s]\n0,0,1\n", "should be a quantity with its unit"),
    ("row,column,chip,conductance [uS]\n0,0,1,2\n", "expected three columns"),
    ("row,column,conductance\n0,0,1\n", "the unit is not stated"),
    ("# [uS]\n,0,1\n0,1,2\n2,3,4\n", "must begin with the titles of the rows, counted one by one; got '0', '2'"),
    (b"# [uS]\n1,\xff\n", "is not UTF-8 text.*save it as 'CSV UTF-8'"), (b"# [uS]\n1,\x002\n", "zero bytes"),
])
def test_what_is_not_clear_is_refused_with_the_place_and_the_cure(text, message, tmp_path):
    with pytest.raises(ValueError, match=f"file.csv.*{message}") as raised:
        read_conductance_csv(put(tmp_path, text))
    assert len(str(raised.value).splitlines()) == 1


def test_a_file_of_conductances_is_never_read_as_voltages(tmp_path):
    with pytest.raises(ValueError, match=r"the unit \[uS\] is unknown"):
        read_voltages(put(tmp_path, "# read at 0.2 [V]; conductances [uS]\n100,200\n"))
    with pytest.raises(ValueError, match="two units"):
        read_voltages(put(tmp_path, "# of the array [uS], inputs [V]\n100,200\n"))
    truth = "# inputs [V]\n0,0,1\n0,1,1\n1,0,1\n1,1,1\n"  # not a list of places
    assert read_voltage_csv(put(tmp_path, truth), n_word_lines=3).tolist() == [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]


def test_devices_that_a_list_leaves_out_are_missing(tmp_path):
    path = put(tmp_path, "# 2 word lines x 3 bit lines\nrow;column;conductance [uS]\n1;2;100,5\n0;1;7\n")
    given = read_conductance_csv(path, allow_missing=True) / uS
    np.testing.assert_allclose(given, [[np.nan, 7, np.nan], [np.nan, np.nan, 100.5]], rtol=1e-14)
    with pytest.raises(ValueError, match="row 0, column 0"):
        read_conductance_csv(path)


def test_columns_of_lists_have_the_same_freedom(tmp_path):
    for text in ("target [uS];programmed [uS]\n100,5;101\n", "target [uS] programmed [uS]\n100.5 101\n",
                 "\ufeff# by hand\ntarget [uS]\tprogrammed [uS]\t\n100,5\t101\t\n"):
        targets, programmed = read_tuning_csv(put(tmp_path, text))
        np.testing.assert_allclose([*targets / uS, *programmed / uS], [100.5, 101], rtol=1e-14)
    with pytest.raises(ValueError, match=re.escape("not a number: '1_0'")):
        read_tuning_csv(put(tmp_path, "target [uS],programmed [uS]\n1_0,101\n"))


@pytest.mark.parametrize(("text", "wanted"), [
    ('# resistances [kohm]\n"12,5","13,5"\n"14,1","15,2"\n', [[1 / 12.5, 1 / 13.5], [1 / 14.1, 1 / 15.2]]),
    ('# conductances [mS]\n"0,125"\n"0,250"\n"0,375"\n', [[0.125], [0.25], [0.375]]),
    ('# conductances [mS]\n"0,1",2,"1,250"\n', [[0.1, 2, 1.25]]),
    ('# conductances [mS]\n"0.1";"0.2"\n', [[0.1, 0.2]]),
    ("# conductances [mS]\n0,125;1,250\n", [[0.125, 1.25]]),
])
def test_a_quoted_cell_is_one_cell_and_its_comma_a_decimal_comma(text, wanted, tmp_path):
    np.testing.assert_allclose(read_conductance_csv(put(tmp_path, text)) * 1e3, wanted, rtol=1e-13)


@pytest.mark.parametrize(("text", "message"), [
    ('# [nS]\n"120,000"\n"130,000"\n"140,500"\n',
     "line 2: the comma in '120,000' may be a decimal comma or divide thousands; write 120.000 or 120000"),
    ("# [nS]\n120,000\t130,000\n", "line 2: the comma in '120,000' may be"),
    ('# [nS]\n"120,000";"130,000"\n', "line 2: the comma in '120,000' may be"),
    ('# [nS]\n"1,200,000",5\n', "line 2, value 1: not a number: '1,200,000'; write thousands without commas, 1200000"),
    ('# [nS]\n"1,250.5",5\n', ".*not a number: '1,250.5'; write thousands without commas, 1250.5"),
    ('# [nS]\n"1,2,3"\n', "line 2, value 1: not a number: '1,2,3'"),
])
def test_commas_that_may_divide_thousands_are_refused_with_both_readings(text, message, tmp_path):
    with pytest.raises(ValueError, match=f"file.csv, {message}"):
        read_conductance_csv(put(tmp_path, text))


@pytest.mark.parametrize(("text", "message"), [
    ("# [uS]\n2,\n3,4\n", "line 2, value 2: not a number: ''"),
    ("# [uS]\n2,5,7\n3,1,\n", "line 3, value 3: not a number: ''"),
    ("# [uS]\n2,5,7\n3,1\n", "line 3: expected 3 values as in the first row; got 2; is the file truncated"),
])
def test_an_empty_cell_at_the_end_of_a_line_is_named_itself(text, message, tmp_path):
    with pytest.raises(ValueError, match=f"file.csv, {message}"):
        read_conductance_csv(put(tmp_path, text))


@pytest.mark.parametrize("text", [
    "sep=;\n# [uS]\n100;200,5\n", "\ufeffSEP=;\r\n# [uS]\r\n100;200.5\r\n", "sep=,\n# [uS]\n100,200.5\n",
    '"sep=\t"\n# [uS]\n100\t200,5\n', "sep=;\nn_rows; n_columns\n1; 2\n1e4; 4987.531172069826\n",
])
def test_the_separator_line_of_spreadsheets_is_understood(text, tmp_path):
    np.testing.assert_allclose(read_conductance_csv(put(tmp_path, text)) / uS, [[100, 200.5]], rtol=1e-13)


def test_a_separator_line_with_a_sign_that_separates_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="line 1: '\\|' separates nothing that is read; separate values by semicolons"):
        read_conductance_csv(put(tmp_path, "sep=|\n# [uS]\n1|2\n"))


@pytest.mark.parametrize(("text", "message"), [
    ("# conductances [uS]\n100,200\n# conductances [kohm]\n100,200\n",
     r"lines 1 and 3: 'conductance \[kohm\]', beside \[uS\]: no conductance has the unit \[kohm\]"),
    ("# resistances [uS]\n100,200\n", r"line 1: 'resistance \[uS\]': no resistance has the unit \[uS\]"),
    ("# voltages [mS]\n# conductances [uS]\n100,200\n", r"lines 1 and 2: 'voltage \[mS\]', beside \[uS\]"),
])
def test_a_unit_behind_a_quantity_that_has_others_is_refused(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_conductance_csv(put(tmp_path, text))


@pytest.mark.parametrize("text", ["conductance [uS]\n100,200.5\n", "measured conductance [uS]\n100,200.5\n",
                                  "conductance [uS],\n100,200.5\n", "Conductance [uS]\n100 200.5\n"])
def test_a_title_with_the_unit_needs_no_number_sign(text, tmp_path):
    values, matrix = read_array(put(tmp_path, text))
    np.testing.assert_allclose(values / uS, [[100, 200.5]], rtol=1e-13)
    assert matrix.unit_place == "line 1"


def test_a_title_without_values_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds a title, but no values"):
        read_conductance_csv(put(tmp_path, "conductance [uS]\n"))


@pytest.mark.parametrize(("content", "what"), [
    (b"PK\x03\x04....xl/workbook.xml", "an Excel workbook; save the sheet as CSV"),
    (b"PK\x03\x04....content.xml", "an OpenDocument file; save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0....", "an old Excel workbook; save it as CSV"), (b"%PDF-1.7", "a PDF"),
    (b"\xff\xfe#\0", "text in UTF-16; save it as 'CSV UTF-8'"),
])
def test_files_of_other_programs_are_named(content, what, tmp_path):
    for read in (read_conductance_csv, read_voltage_csv, read_tuning_csv):
        with pytest.raises(ValueError, match=f"file.csv is no CSV text: it is {what}$"):
            read(put(tmp_path, content))
