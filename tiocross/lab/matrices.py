"""One array in a text file, in whichever form it is written: a matrix, a list of devices, or a table with titles.

A matrix has one line for each word line. A list has the columns ``row``, ``column`` and ``conductance [uS]``, one line a
device. A table with titles is a matrix under a line of column titles, each line beginning with the title of its row.
"""

import re
from dataclasses import dataclass

import numpy as np

from tiocross.checks import number_of_text, require_shape
from tiocross.sheets import (
    CONDUCTANCES, RESISTANCES, VOLTAGES, Sheet, name_and_unit, require_unit, shortened, unit_of_comments,
)

MATRIX, DEVICE_LIST, TITLED = "matrix", "list of devices", "table with titles"
_ROWS = {"row", "rows", "n_row", "word_line", "word line", "wordline", "wl", "i"}
_COLUMNS = {"column", "columns", "col", "n_column", "bit_line", "bit line", "bitline", "bl", "j"}
_VALUES = {"conductance", "conductances", "g", "resistance", "resistances", "r", "value", "voltage", "v"}
_SHAPE = re.compile(r"(\d{1,9})\s*word lines?\s*x\s*(\d{1,9})\s*bit lines?", re.ASCII)
_TITLE = re.compile(r"(\D*?)(\d{1,9})", re.ASCII)
_MOST_DEVICES = 10**7  # of an array given as a list: more is a slip of columns


@dataclass(frozen=True, eq=False)
class Matrix:
    """Values as they stand in the file, and what the file was understood as."""

    values: np.ndarray  # (n_rows, n_columns) in ``unit``
    unit: str
    form: str
    sheet: Sheet
    unit_place: str  # where the unit is stated
    first: int = 0  # number of the first row and column in the file's own counting

    def __str__(self):
        form = {MATRIX: "one line for each word line, one column for each bit line",
                DEVICE_LIST: f"one line for each device, row (word line) and column (bit line) counted from {self.first}",
                TITLED: "a table with titles, one line for each word line, one column for each bit line"}[self.form]
        return f"read as: [{self.unit}] ({self.unit_place}), {self.sheet}, {form}"


def form_of(sheet):
    """Form of the array in a sheet: a matrix unless its first row holds titles."""
    cells = sheet.rows[0][1] if sheet.rows else []
    names = {name_and_unit(cell)[0] for cell in cells}
    if names & _ROWS and names & _COLUMNS:
        return DEVICE_LIST
    if len(cells) > 1 and number_of_text(cells[0]) is None and _counted(cells[1:]):
        return TITLED
    return MATRIX


def matrix_of(sheet, units, example, *, allow_missing=False, shape=None):
    """The `Matrix` of a sheet, its unit one of ``units``; ValueError with the place of what is wrong."""
    if not sheet.rows:
        raise ValueError(f"{sheet.path} holds no values")
    form = form_of(sheet)
    sheet = sheet.titled() if form == MATRIX else sheet
    if not sheet.rows:
        raise ValueError(f"{sheet.path} holds a title, but no values")
    read = {MATRIX: _plain, DEVICE_LIST: _listed, TITLED: _titled}[form]
    stated = next((tuple(map(int, found.groups())) for _, text in sheet.comments if (found := _SHAPE.search(text))), None)
    missing = {"allow_missing": allow_missing, "missing": _cure_of_missing(units)}
    matrix = read(sheet, units, example, missing, shape or stated)
    if stated:
        require_values_shape(matrix, stated, ", as its comment says")
    if shape is not None:
        require_values_shape(matrix, shape)
    return matrix


def _cure_of_missing(units):
    """What to put where a value is missing."""
    if units == VOLTAGES:
        return "put 0 for a word line at 0 V"
    return ("put the conductance of the device there, 0 for an open one (of resistances a large one, 1e15 ohm); from Python "
            "allow_missing=True reads nan where no value is known")


def require_values_shape(matrix, wanted, why=""):
    """Raise ValueError unless a `Matrix` has this shape."""
    shape = matrix.values.shape
    require_shape(f"the {shape[0]} x {shape[1]} values in {matrix.sheet.path}", shape, wanted, why)


def _plain(sheet, units, example, missing, shape):
    line, unit = unit_of_comments(sheet, units, example)
    first = sheet.numbers(0, **missing)  # a title there is named before widths are compared
    sheet.require_width(len(first), "the first row")
    values = np.array([first, *(sheet.numbers(k, **missing) for k in range(1, len(sheet.rows)))])
    if unit not in VOLTAGES and shape is None and _looks_listed(values):  # voltages may be a truth table
        raise ValueError(f"{sheet.path}: three columns of which two count devices, as in a list of row, column and value; "
                         "name the columns, as in 'row,column,conductance [uS]', or state the shape in a comment, as in "
                         f"'# {len(values)} word lines x 3 bit lines'")
    return Matrix(values, unit, MATRIX, sheet, f"line {line}")


def _looks_listed(values):
    """Whether rows are (i, j, value) with every pair of a grid of at least 2 x 2 once."""
    if values.shape[1] != 3 or len(values) < 4:
        return False
    pairs = {tuple(pair) for pair in values[:, :2].tolist()}
    firsts, seconds = ({pair[k] for pair in pairs} for k in (0, 1))
    grid = len(firsts) * len(seconds) == len(pairs) == len(values) and min(len(firsts), len(seconds)) > 1
    return grid and all(ends <= set(range(int(min(ends)), int(min(ends)) + len(ends))) for ends in (firsts, seconds)
                        if np.isfinite(list(ends)).all())


def _titled(sheet, units, example, missing, shape):
    unit, place = _unit_of_header(sheet, name_and_unit(sheet.rows[0][1][0])[1], units, example)
    sheet.require_width(len(sheet.rows[0][1]), "the line of titles", 1)
    if len(sheet.rows) == 1:
        raise ValueError(f"{sheet.path} holds titles, but no values")
    titles = [row[0] for _, row in sheet.rows[1:]]
    if not _counted(titles):
        raise ValueError(f"{sheet.path}: the lines below the titles must begin with the titles of the rows, counted one by "
                         f"one; got {', '.join(map(shortened, titles[:3]))}")
    values = np.array([sheet.numbers(k, 1, **missing) for k in range(1, len(sheet.rows))])
    return Matrix(values, unit, TITLED, sheet, place)


def _unit_of_header(sheet, unit, units, example):
    """Unit and where it is stated: in the header, which no comment may contradict, or else in the comments."""
    if unit is None:
        number, unit = unit_of_comments(sheet, units, example)
        return unit, f"line {number}"
    require_unit(sheet.place(0), unit, units, example)
    line = sheet.rows[0][0]
    for number, other, has_quantity in sheet.stated_units():
        if has_quantity and other != unit:
            raise ValueError(f"{sheet.path}, lines {number} and {line}: two units are stated, [{other}] and [{unit}]; leave "
                             "one")
    return unit, f"line {line}"


def _counted(titles):
    """Whether titles are one name with numbers that count up from 0 or 1."""
    found = [_TITLE.fullmatch(title) for title in titles]
    if not all(found) or len({one[1] for one in found}) != 1:
        return False
    numbers = [int(one[2]) for one in found]
    return numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _listed(sheet, units, example, missing, shape):
    names = [name_and_unit(cell) for cell in sheet.rows[0][1]]
    row, column = (next(k for k, (name, _) in enumerate(names) if name in wanted) for wanted in (_ROWS, _COLUMNS))
    if len(names) != 3:
        raise ValueError(f"{sheet.place(0)}: expected three columns, as in 'row,column,conductance [uS]'; got {len(names)}: "
                         + ", ".join(shortened(cell) for cell in sheet.rows[0][1]))
    value = 3 - row - column
    name, unit = names[value]
    if name not in _VALUES:
        raise ValueError(f"{sheet.place(0)}: column {shortened(name)} should be a quantity with its unit, as in "
                         "'row,column,conductance [uS]'")
    unit, place = _unit_of_header(sheet, unit, units, "row,column,conductance [uS]")
    sheet.require_width(3, "the header", 1)
    if len(sheet.rows) == 1:
        raise ValueError(f"{sheet.path} holds a header, but no values")
    table = np.array([sheet.numbers(k, **missing) for k in range(1, len(sheet.rows))])
    places = _places(sheet, table[:, [row, column]])
    first = _first(sheet, places, shape)
    values = _placed(sheet, places - first, table[:, value], missing["allow_missing"], shape)
    return Matrix(values, unit, DEVICE_LIST, sheet, place, first)


def _places(sheet, places):
    bad = ~((places >= 0) & (places < _MOST_DEVICES) & (places % 1 == 0)).all(axis=1)
    if bad.any():
        k = int(np.flatnonzero(bad)[0])
        raise ValueError(f"{sheet.place(k + 1)}: row and column must be whole numbers from 0 or 1; got {places[k, 0]:g} and "
                         f"{places[k, 1]:g}")
    return places.astype(np.int64)


def _first(sheet, places, shape):
    """0 or 1: the number of the first row and column, which all devices of the list together must tell."""
    low, high = places.min(axis=0), places.max(axis=0)
    if (low == 0).any():
        return 0
    n_devices = len({tuple(place) for place in places.tolist()})
    if (low == 1).all() and (n_devices == high.prod() if shape is None else tuple(high) == tuple(shape)):
        return 1
    raise ValueError(f"{sheet.path}: the list begins with row {low[0]}, column {low[1]}: whether these count from 0 or 1 is "
                     "not clear; list every device, 'nan' where there is no value, or state the shape in a comment, as in "
                     "'# 8 word lines x 8 bit lines'")


def _placed(sheet, places, values, allow_missing, shape):
    shape = tuple((places.max(axis=0) + 1).tolist()) if shape is None else shape
    if shape[0] * shape[1] > _MOST_DEVICES:
        raise ValueError(f"{sheet.path}: an array has at most {_MOST_DEVICES} devices; it is of {shape[0]} x {shape[1]}")
    if (places >= shape).any():
        k = int(np.flatnonzero((places >= shape).any(axis=1))[0])
        raise ValueError(f"{sheet.place(k + 1)}: row {places[k, 0]}, column {places[k, 1]} (from 0) lies beyond the array "
                         f"of {shape[0]} word lines x {shape[1]} bit lines")
    lines = {}
    for k, place in enumerate(map(tuple, places.tolist())):
        if place in lines:
            raise ValueError(f"{sheet.path}, lines {sheet.rows[lines[place] + 1][0]} and {sheet.rows[k + 1][0]}: both give "
                             f"row {place[0]}, column {place[1]} (from 0)")
        lines[place] = k
    matrix = np.full(shape, np.nan)
    matrix[places[:, 0], places[:, 1]] = values
    if not allow_missing and len(lines) < matrix.size:
        i, j = np.argwhere(np.isnan(matrix))[0]
        raise ValueError(f"{sheet.path}: {shape[0]} x {shape[1]} are {matrix.size} devices, the list holds {len(lines)}; "
                         f"row {i}, column {j} (from 0) is missing")
    return matrix


def conductances_of(matrix):
    """Conductances [S] of a `Matrix` of conductances or resistances; ValueError naming a resistance that is not above 0."""
    values = matrix.values
    if matrix.unit in CONDUCTANCES:
        return values * CONDUCTANCES[matrix.unit]
    if (bad := values <= 0).any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(f"{matrix.sheet.path}: resistances must be above zero; got {values[row, column]:g} {matrix.unit} "
                         f"at row {row}, column {column} ({int(bad.sum())} such)")
    with np.errstate(over="ignore", divide="ignore"):  # infinite conductances are refused by who reads them
        return 1 / (values * RESISTANCES[matrix.unit])
