"""The user's own task: a CSV file of any kind, with a header and one row a point."""

import os
import re

import numpy as np

from tiocross.checks import nearest_name, number_of_text
from tiocross.sheets import SEPARATORS, Sheet, read_text, sheet_of_text, shortened
from tiocross.tasks.dataset import Task
from tiocross.tasks.labels import listed, require_classes

_UNIT = re.compile(r"\s*\[[^\[\]]*\]\s*$")
_LARGE = 200_000  # characters of a file, from which on the fast way is tried first
_MISSING = {"", "nan", "na", "n/a", "#n/a", "null", "none", "?", "-", "--", "."}


def read_task(path: str | os.PathLike, *, label: str | None = None, without: tuple[str, ...] = (), test_share: float = 0.2,
              validation_share: float = 0.2, seed: int = 0, class_names: tuple[str, ...] | None = None) -> Task:
    """A task from a CSV file with a header: one row a point, one column the label, all others features.

    Parameters
    ----------
    path : str or Path
        The file. Commas, semicolons, tabs or blanks separate; decimal commas, quotes, a byte order mark, comment lines
        (``#``) and units behind names, such as ``length [cm]``, are understood.
    label : str, optional
        Name of the label's column, with or without its unit; the last column without it. Labels may be texts.
    without : tuple of str, optional
        Columns to leave out, such as numbers of samples.
    test_share, validation_share : float, optional
        As for `Task.from_arrays` (unitless).
    seed : int, optional
        Of the split (unitless).
    class_names : tuple of str, optional
        Classes in the order of their numbers; those that occur without it.

    Returns
    -------
    Task
        As `Task.from_arrays` makes it.

    Raises
    ------
    ValueError
        If a column is unknown, a value is missing or no number, a row is not as long as the header, the label looks like a
        quantity, or a class has too few points. The text names the file, line, column and value, and what to do.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tiocross import tasks
    >>> rows = [f"{k},{k % 7},{'left' if k < 10 else 'right'}" for k in range(20)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.csv"
    ...     _ = path.write_text("\\n".join(["length [cm],count,side", *rows]))
    ...     task = tasks.read_task(path, label="side")
    >>> task.class_names, task.feature_names, len(task.train)
    (('left', 'right'), ('length [cm]', 'count'), 12)
    """
    values, labels, names = read_points(path, label=label, without=without)
    try:
        return Task.from_arrays(values, labels, test_share=test_share, validation_share=validation_share, seed=seed,
                                source=os.path.basename(os.fspath(path)), class_names=class_names, feature_names=names)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_points(path, *, label=None, without=()):
    """(n_points, n_features) values as they stand in a CSV file, (n_points,) labels, and the names of the columns."""
    text = read_text(path)
    found = _plain_points(path, text, label, without) if len(text) > _LARGE else None
    return points_of_sheet(sheet_of_text(path, text), label=label, without=without) if found is None else found


def _plain_points(path, text, label, without):
    """The same of a large file without quotes, decimal commas and anything wrong, twenty times as fast; None of another."""
    lines = [line for line in re.split("\r\n|\r|\n", text) if line.strip(" \t,;") and not line.lstrip("\t ").startswith("#")]
    if '"' in text or len(lines) < 2 or any("#" in line for line in lines):
        return None
    peeked = sheet_of_text(path, "\n".join(lines[:2]))
    sign = next((sign for sign, name in SEPARATORS.items() if name == peeked.separator), " ")
    if sign == " " or any(other in text for other in ";\t," if other != sign):
        return None
    try:
        header, features, place = _columns(peeked, label, without)
    except ValueError:  # told with the true number of the line
        return None
    if any(line.count(sign) != len(header) - 1 for line in lines):
        return None
    if all(number_of_text(header[k]) is not None for k in features):  # perhaps no header
        return None
    labels = [line.split(sign)[place].strip() for line in lines[1:]]
    try:
        values = np.loadtxt(lines[1:], delimiter=sign, usecols=features, comments=None, ndmin=2)
    except ValueError:
        return None
    if not np.isfinite(values).all() or any(label.lower() in _MISSING for label in labels):
        return None
    return values, _as_labels(path, labels, header[place]), tuple(header[k] for k in features)


def points_of_sheet(sheet, *, label=None, without=()):
    """What `read_points` gives, of a `Sheet`."""
    header, features, place = _columns(sheet, label, without)
    if len(sheet.rows) < 2:
        raise ValueError(f"{sheet.path} has a header and no rows; expected one row a point")
    _require_rows(sheet, header)
    values = _values(sheet, header, features)
    _require_header(sheet, header, features, place)
    return values, _labels(sheet, header, place), tuple(header[k] for k in features)


def _columns(sheet, label, without):
    """Names of all columns, places of the features, place of the label."""
    header = _header(sheet)
    without = [_column(sheet, header, name, "the column to leave out") for name in without]
    kept = [k for k in range(len(header)) if k not in without]
    place = kept[-1] if label is None and kept else _column(sheet, header, label, "the label")
    features = [k for k in kept if k != place]
    if place in without or not features:
        raise ValueError(f"{sheet.path}: besides the label there must be a column with numbers; the header has "
                         f"{listed(header)}")
    return header, features, place


def _header(sheet: Sheet):
    if not sheet.rows:
        raise ValueError(f"{sheet.path} is empty; expected a header with the names of the columns, and one row a point")
    header = [re.sub(r"\s+", " ", name) for name in sheet.rows[0][1]]
    where = f"{sheet.place(0)}"
    if len(header) < 2:
        raise ValueError(f"{where}: one column only, {listed(header)}; separate features and label by commas, semicolons, "
                         "tabs or blanks")
    if all(number_of_text(name) is not None for name in header):
        raise ValueError(f"{where}: the first row must name the columns; it holds numbers only, {listed(header)}. Put a "
                         "header such as 'length,width,species' above it")
    unnamed = [k for k, name in enumerate(header, 1) if not name]
    if unnamed:
        raise ValueError(f"{where}: column {unnamed[0]} has no name; give it one, or remove the column")
    double = [name for name in header if header.count(name) > 1]
    if double:
        raise ValueError(f"{where}: two columns have the name {double[0]!r}; rename one of them")
    return header


def _require_header(sheet, header, features, place):
    """Raise ValueError for a first row that looks like the others: numbers, and a label that occurs."""
    if (all(number_of_text(header[k]) is not None for k in features)
            and any(row[place] == header[place] for _, row in sheet.rows[1:])):
        raise ValueError(f"{sheet.place(0)}: the first row must name the columns; it looks like a point, {listed(header)}. "
                         "Put a header such as 'length,width,species' above it")


def _column(sheet, header, name, what):
    """Place of a column, by its name with or without unit."""
    plain = [_UNIT.sub("", column) for column in header]
    for names in (header, plain, [column.lower() for column in plain]):
        found = [k for k, column in enumerate(names) if column in (name, str(name).lower())]
        if found:
            return found[0]
    raise ValueError(f"{sheet.path}: {what} {name!r} is none of the columns; {nearest_name(str(name), plain)}")


def _require_rows(sheet, header):
    """Raise ValueError for the first row that is not as long as the header."""
    wrong = [k for k in range(1, len(sheet.rows)) if len(sheet.rows[k][1]) != len(header)]
    if wrong:
        n = len(sheet.rows[wrong[0]][1])
        cure = ("put text that holds separators in quotes" if n > len(header) else
                "is the file truncated?" if wrong[0] == len(sheet.rows) - 1 else
                "fill the missing cells, or leave the row out")
        raise ValueError(f"{sheet.place(wrong[0])}: expected {len(header)} values as in the header; got {n}{_more(wrong)}; "
                         f"{cure}")


def _more(wrong):
    return f" ({len(wrong)} such rows)" if len(wrong) > 1 else ""


def _values(sheet, header, features):
    """(n_rows, n_features) numbers; ValueError for the first cell that holds none."""
    cells = [[row[k] for k in features] for _, row in sheet.rows[1:]]
    values = np.array([[_number(cell) for cell in row] for row in cells])
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = map(int, np.argwhere(bad)[0])
        text, name = cells[row][column], header[features[column]]
        wrong = np.flatnonzero(bad.any(axis=1)).tolist()
        where = f"{sheet.place(row + 1)}, column {name!r}"
        if text.strip().lower() in _MISSING:
            raise ValueError(f"{where}: the value is missing, {shortened(text)}{_more(wrong)}; fill it in, for example with "
                             "the column's median, or leave the row or the column out")
        if bad[:, column].all():
            raise ValueError(f"{where}: not a number: {shortened(text)}, like every value of the column; leave the column "
                             "out, give numbers in its place, or name it as the label")
        raise ValueError(f"{where}: not a finite number: {shortened(text)}{_more(wrong)}; write numbers with digits and a "
                         f"decimal point or comma{_thousands(text)}")
    return values


def _number(text):
    value = number_of_text(text)
    return np.nan if value is None else value


def _thousands(text):
    is_divided = re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", text)
    return f", thousands without commas ({text.replace(',', '')})" if is_divided else ""


def _labels(sheet, header, place):
    """(n_rows,) labels as texts; ValueError for a missing one, or numbers that look like a quantity."""
    labels = [row[place] for _, row in sheet.rows[1:]]
    missing = [k for k, label in enumerate(labels) if label.strip().lower() in _MISSING - {"none", "-", "."}]
    if missing:
        raise ValueError(f"{sheet.place(missing[0] + 1)}, column {header[place]!r}: the label is missing, "
                         f"{shortened(labels[missing[0]])}{_more(missing)}; leave the row out, or give it a label")
    return _as_labels(sheet.path, labels, header[place])


def _as_labels(path, labels, name):
    """Labels as numbers where all are, else as texts; ValueError for numbers that look like a quantity."""
    numbers = [number_of_text(label) for label in labels]
    if None in numbers:
        return np.array(labels)
    try:
        require_classes(np.array(numbers), f"column {name!r}, the label")
    except ValueError as error:
        raise ValueError(f"{path}, {error}") from None
    return np.array(numbers)
