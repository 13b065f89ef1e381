"""The lab's resistance maps: CSV of three lines, read and written without losing a character.

Line 1 holds the names of the settings, line 2 their values, line 3 one flat list of n_rows * n_columns resistances in ohm;
all are separated by semicolons. The files do not say in which order the list runs; row by row ("C") is assumed unless
the reader is told that it is column by column ("F").
"""

import math
import re
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_conductances, as_finite, as_path, kind_of, number_of_text, require_name
from tiocross.records import freeze
from tiocross.storage import replacing

ORDERS = ("C", "F")
_LEAST = 1.0  # [ohm], for conductances end at 1 S
_NUMBERS = ("n_rows", "n_columns", "DC_NUMPOINTS", "vread", "Vmax_set", "Vmin_reset", "Vset", "Vreset", "tolerance",
            "increment", "PulseWidth", "RiseTime", "FallTime")  # the lab's settings, in SI units
_SEPARATOR_LINE = re.compile(r"\A\s*sep=;[;\s]*?[\r\n]+", re.IGNORECASE)  # which Excel takes for a line about the file


@dataclass(frozen=True, eq=False)
class LabMap:
    """A measured array and the settings it was measured with.

    Parameters
    ----------
    header : dict of str to str
        Settings as texts in SI units, "n_rows" and "n_columns" among them. Numbers are taken too and written in full.
    resistances : (n_word_lines, n_bit_lines) array_like
        Resistance of every device; the files call word lines rows and bit lines columns [ohm].
    text : str, optional
        The file's own text, where it comes from a file.
    """

    header: dict[str, str]
    resistances: np.ndarray
    text: str = ""

    def __post_init__(self):
        resistances = freeze(as_finite("resistances", self.resistances, ndim=2))
        if 0 in resistances.shape:
            raise ValueError("resistances must have shape (n_word_lines, n_bit_lines), none of them zero; got "
                             f"{resistances.shape}")
        if (bad := resistances <= 0).any():
            row, column = np.argwhere(bad)[0]
            raise ValueError(f"resistances must be above zero; got {resistances[row, column]:g} ohm at row {row}, column "
                             f"{column} ({int(bad.sum())} such)")
        if (bad := resistances < _LEAST).any():
            row, column = np.argwhere(bad)[0]
            raise ValueError(f"resistances must be at least {_LEAST:g} ohm; got {resistances[row, column]:g} at row {row}, "
                             f"column {column} ({int(bad.sum())} such). Kiloohm? Multiply by tiocross.units.kohm")
        shape = dict(zip(("n_rows", "n_columns"), map(str, resistances.shape)))
        missing = {key: count for key, count in shape.items() if key not in self.header}
        header = {key: _as_text(key, value) for key, value in {**missing, **self.header}.items()}
        for key, count in shape.items():
            if int(header[key]) != int(count):
                raise ValueError(f"{key} is {header[key]} in the header, but the resistances have shape {resistances.shape}")
        object.__setattr__(self, "header", header)
        object.__setattr__(self, "resistances", resistances)

    def __repr__(self):
        rows, columns = self.resistances.shape
        return (f"<LabMap of {rows} x {columns} devices, {self.resistances.min():.4g} to {self.resistances.max():.4g} ohm; "
                f"{len(self.header)} settings>")

    @classmethod
    def from_conductances(cls, conductances: ArrayLike, header: dict) -> "LabMap":
        """The map of an array of given conductances.

        Parameters
        ----------
        conductances : (n_word_lines, n_bit_lines) array_like
            Conductance of every device, above zero [S].
        header : dict
            Settings, texts or numbers in SI units; the counts of rows and columns are added.

        Returns
        -------
        LabMap
            With resistances in ohm.
        """
        conductances = as_conductances("conductances", conductances)
        if (bad := conductances == 0).any():
            position = ", ".join(map(str, np.argwhere(bad)[0]))
            raise ValueError(f"a resistance map cannot hold a conductance of zero; got one at {position}; "
                             "raise it to the instrument's resolution")
        return cls(header, 1 / conductances)

    @property
    def conductances(self) -> np.ndarray:
        """``(n_word_lines, n_bit_lines)`` ndarray of conductances [S]."""
        return 1 / self.resistances


def read_lab_map(path: str | PathLike, *, order: str = "C") -> LabMap:
    """Resistance map from a file of the lab.

    Parameters
    ----------
    path : str or Path
        The file to read.
    order : str, optional
        "C" if the list of resistances runs row by row, which the files do not say, "F" if column by column.

    Returns
    -------
    LabMap
        Settings, resistances and the file's text.

    Raises
    ------
    ValueError
        If the header is malformed, the number of resistances is not n_rows * n_columns, or one is not above zero.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tiocross import read_lab_map
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "map.csv")
    ...     _ = path.write_text("n_rows; n_columns; vread\\n1; 2; 0.2\\n2000; 5000; \\n")
    ...     lab_map = read_lab_map(path)
    >>> lab_map.header["vread"], lab_map.conductances.tolist()
    ('0.2', [[0.0005, 0.0002]])
    """
    require_name("order", order, ORDERS)
    try:
        text = as_path("path", path).read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error}") from None
    try:
        return _parse(text, order)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def is_lab_map(path):
    """Whether a file begins as the lab's resistance maps do."""
    with as_path("path", path).open("rb") as file:
        return _SEPARATOR_LINE.sub("", file.read(64).decode("utf-8-sig", errors="replace")).lstrip().startswith("n_rows")


def write_lab_map(lab_map: LabMap, path: str | PathLike, *, order: str = "C") -> None:
    """Write a resistance map in the lab's form.

    Parameters
    ----------
    lab_map : LabMap
        What to write. One that was read and not changed keeps its text to the last character.
    path : str or Path
        The file to write. It appears whole or not at all.
    order : str, optional
        "C" to list the resistances row by row, "F" column by column.

    Examples
    --------
    >>> import tempfile
    >>> from tiocross import LabMap, read_lab_map, write_lab_map
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_lab_map(LabMap.from_conductances([[500e-6, 200e-6]], {"vread": 0.2}), f"{folder}/map.csv")
    ...     read_lab_map(f"{folder}/map.csv").conductances.tolist()
    [[0.0005, 0.0002]]
    """
    require_name("order", order, ORDERS)
    if not isinstance(lab_map, LabMap):
        raise TypeError(f"lab_map must be a LabMap; got {kind_of(lab_map)}")
    with replacing(path) as temporary:
        temporary.write_bytes(_text_of(lab_map, order).encode("utf-8"))


def _text_of(lab_map, order):
    """The map's own text if it still says what the map holds, else a new one with every digit."""
    if lab_map.text:
        own = _parse(lab_map.text, order)
        if own.header == lab_map.header and np.array_equal(own.resistances, lab_map.resistances):
            return lab_map.text
    lines = [lab_map.header.keys(), lab_map.header.values(), map(repr, lab_map.resistances.ravel(order=order).tolist())]
    return "\n".join("; ".join(parts) for parts in lines) + "; \n"


def _parse(text, order):
    lines = _SEPARATOR_LINE.sub("", text.removeprefix("\ufeff")).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) != 3:
        raise ValueError(f"a map has three lines: names, values, resistances; got {len(lines)}"
                         + ("; is the file truncated?" if len(lines) < 3 else ""))
    names, values, listed = map(_split, lines)
    names, listed = _without_padding(names), _without_padding(listed)
    header = _header(names, values[:len(names)] + _without_padding(values[len(names):]))
    shape = int(header["n_rows"]), int(header["n_columns"])
    if len(listed) != shape[0] * shape[1]:
        guess = "is the file truncated?" if len(listed) < shape[0] * shape[1] else "are n_rows and n_columns right?"
        raise ValueError(f"{shape[0]} rows x {shape[1]} columns are {shape[0] * shape[1]} resistances; line 3 holds "
                         f"{len(listed)}; {guess}")
    resistances = np.empty(len(listed))
    for k, value in enumerate(listed):
        resistances[k] = _number(value)
        if not 0 < resistances[k] < math.inf:
            row, column = np.unravel_index(k, shape, order=order)
            raise ValueError(f"resistances must be finite and above zero [ohm]; got {value!r} at row {row}, column {column}")
    return LabMap(header, resistances.reshape(shape, order=order), text)


def _split(line):
    """Parts of a line; one separator at its end separates nothing."""
    parts = [part.strip() for part in line.split(";")]
    return parts[:-1] if not parts[-1] else parts


def _without_padding(parts):
    """Parts without the empty ones at the end, with which spreadsheets make lines equally long."""
    kept = len(parts)
    while kept and not parts[kept - 1]:
        kept -= 1
    return parts[:kept]


def _header(names, values):
    if not names or "" in names:
        raise ValueError(f"line 1 must name a setting in every place; place {names.index('') + 1 if names else 1} is empty")
    if repeated := [name for k, name in enumerate(names) if name in names[:k]]:
        raise ValueError(f"line 1 names {repeated[0]!r} twice")
    if len(values) != len(names):
        odd = f"{names[len(values)]!r} has none" if len(values) < len(names) else f"{values[len(names)]!r} has no name"
        raise ValueError(f"line 1 names {len(names)} settings, line 2 holds {len(values)} values: {odd}")
    for name in ("n_rows", "n_columns"):
        if name not in names:
            cure = "; settings are separated by semicolons" if len(names) == 1 else ""
            raise ValueError(f"line 1 lacks {name!r}; it names {', '.join(names)}{cure}")
    return {name: _as_text(name, value) for name, value in zip(names, values)}


def _as_text(key, value):
    """A setting as text; counts and the lab's known settings must be numbers."""
    text = value.strip() if isinstance(value, str) else repr(value.item() if isinstance(value, np.generic) else value)
    if set(text) & set(";\r\n") or ";" in key or not key.strip():
        raise ValueError(f"settings hold neither semicolons nor line breaks, and have a name; got {key!r}: {text!r}")
    if key in ("n_rows", "n_columns") and not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise ValueError(f"{key} must be a whole number from 1; got {text[:40]!r}")
    if key in _NUMBERS and not math.isfinite(_number(text)):
        raise ValueError(f"{key} must be a finite number; got {text!r}")
    return text


def _number(text):
    """Float of a text, NaN if it is none."""
    value = number_of_text(text)
    return math.nan if value is None else value
