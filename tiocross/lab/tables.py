"""CSV tables with a unit in their header: matrices of conductances and voltages, lists of changes and of writes.

A matrix is preceded by a comment that states its unit, ``# conductances [S], 3 word lines x 4 bit lines``; the columns of
a list each state theirs, ``target [S],programmed [S]``. Without a unit nothing is read.
"""

import math
import re
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import LARGEST_CONDUCTANCE, as_conductances, as_count, as_shape, require_shape
from tiocross.storage import replacing
from tiocross.units import Mohm, kohm, mS, mV, nS, ohm, uS

_CONDUCTANCES = {"S": 1.0, "mS": mS, "uS": uS, "nS": nS}
_RESISTANCES = {"ohm": ohm, "kohm": kohm, "Mohm": Mohm}
_VOLTAGES = {"V": 1.0, "mV": mV}
_MOST_WRITES = 10**9  # after one device; more is a slip of columns
_UNIT = re.compile(r"\[([^\]]*)\]")
_SHAPE = re.compile(r"(\d+)\s*word lines?\s*x\s*(\d+)\s*bit lines?")


def read_conductance_csv(path: str | PathLike, *, shape: tuple[int, int] | None = None,
                         allow_missing: bool = False) -> np.ndarray:
    """Conductances of one array from a CSV matrix, one row a word line.

    Parameters
    ----------
    path : str or Path
        File with a comment that states the unit, [S], [mS], [uS], [nS], [ohm], [kohm] or [Mohm], and one line of
        comma-separated values for each word line.
    shape : tuple of int, optional
        (n_word_lines, n_bit_lines) that the matrix must have (unitless).
    allow_missing : bool, optional
        Whether values may be ``nan``.

    Returns
    -------
    (n_word_lines, n_bit_lines) ndarray
        Conductances [S].

    Raises
    ------
    ValueError
        If there is no unit, the matrix is not rectangular or of another shape, or a value is no conductance.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tiocross import read_conductance_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "measured.csv")
    ...     _ = path.write_text("# measured [kohm]\\n2,5\\n10,4\\n")
    ...     conductances = read_conductance_csv(path)
    >>> (conductances * 1e6).round(1).tolist()
    [[500.0, 200.0], [100.0, 250.0]]
    """
    comment, matrix = _read_matrix(path, allow_missing)
    unit = _unit_of(path, comment, {**_CONDUCTANCES, **_RESISTANCES}, "# conductances [S]")
    if stated := _SHAPE.search(comment):
        _require_matrix(path, matrix, tuple(map(int, stated.groups())), ", as its comment says")
    if shape is not None:
        _require_matrix(path, matrix, as_shape("shape", shape))
    if unit in _RESISTANCES:
        if (bad := matrix <= 0).any():
            row, column = np.argwhere(bad)[0]
            raise ValueError(f"{path}: resistances must be above zero; got {matrix[row, column]:g} {unit} at row {row}, "
                             f"column {column} ({int(bad.sum())} such)")
        with np.errstate(over="ignore"):  # infinite conductances are refused below
            matrix = 1 / (matrix * _RESISTANCES[unit])
    else:
        matrix = matrix * _CONDUCTANCES[unit]
    try:
        as_conductances("conductances", np.where(np.isnan(matrix), 0.0, matrix))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return matrix


def write_conductance_csv(path: str | PathLike, conductances: ArrayLike) -> None:
    """Write conductances of one array as a CSV matrix with every digit.

    Parameters
    ----------
    path : str or Path
        The file to write. It appears whole or not at all.
    conductances : (n_word_lines, n_bit_lines) array_like
        Conductances, NaN where there is none [S].

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tiocross import write_conductance_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "targets.csv")
    ...     write_conductance_csv(path, [[500e-6, 200e-6, 120e-6]])
    ...     print(path.read_text(), end="")
    # conductances [S], 1 word lines x 3 bit lines
    0.0005,0.0002,0.00012
    """
    matrix = np.asarray(conductances, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"conductances must have shape (n_word_lines, n_bit_lines); got {matrix.shape}")
    as_conductances("conductances", np.where(np.isnan(matrix), 0.0, matrix))
    lines = [f"# conductances [S], {matrix.shape[0]} word lines x {matrix.shape[1]} bit lines"]
    lines += [",".join(map(repr, row)) for row in matrix.tolist()]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def read_voltage_csv(path: str | PathLike, *, n_word_lines: int | None = None) -> np.ndarray:
    """Voltages from a CSV matrix, one row an input vector.

    Parameters
    ----------
    path : str or Path
        File with a comment that states the unit, [V] or [mV], and one line of comma-separated values for each input.
    n_word_lines : int, optional
        Number of columns that the matrix must have (unitless).

    Returns
    -------
    (n_inputs, n_word_lines) ndarray
        Voltages [V].

    Raises
    ------
    ValueError
        If there is no unit, the matrix is not rectangular or of another width, or a value is not finite.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tiocross import read_voltage_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "inputs.csv")
    ...     _ = path.write_text("# inputs [mV]\\n200,-100\\n0,50\\n")
    ...     read_voltage_csv(path, n_word_lines=2).tolist()
    [[0.2, -0.1], [0.0, 0.05]]
    """
    comment, matrix = _read_matrix(path, False)
    unit = _unit_of(path, comment, _VOLTAGES, "# voltages [V]")
    if n_word_lines is not None:
        wanted = matrix.shape[0], as_count("n_word_lines", n_word_lines)
        _require_matrix(path, matrix, wanted, ", a value for each word line")
    return matrix * _VOLTAGES[unit]


def read_disturb_csv(path: str | PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Changes after later writes from a CSV list.

    Parameters
    ----------
    path : str or Path
        File with the columns ``n_later_writes [-],delta_conductance [S]``, or [uS] and so on. Comment lines start with #.

    Returns
    -------
    n_later_writes : (n_samples,) int ndarray
        Numbers of later writes (unitless).
    changes : (n_samples,) ndarray
        Changes of conductance [S].

    Raises
    ------
    ValueError
        If a column or its unit is missing, or a value is not finite or no whole number of writes.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tiocross import read_disturb_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "disturb.csv")
    ...     _ = path.write_text("n_later_writes [-],delta_conductance [uS]\\n1,-2.5\\n12,3\\n")
    ...     k, changes = read_disturb_csv(path)
    >>> k.tolist(), (changes * 1e6).round(1).tolist()
    ([1, 12], [-2.5, 3.0])
    """
    later, changes = _read_columns(path, {"n_later_writes": {"-": 1.0}, "delta_conductance": _CONDUCTANCES})
    if (bad := (later < 0) | (later % 1 != 0) | (later > _MOST_WRITES)).any():
        raise ValueError(f"{path}: n_later_writes must be whole numbers from 0 to {_MOST_WRITES}; got {later[bad][0]:g} "
                         f"({int(bad.sum())} such)")
    return later.astype(np.int64), changes


def read_tuning_csv(path: str | PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Conductances wanted and reached from a CSV list.

    Parameters
    ----------
    path : str or Path
        File with the columns ``target [S],programmed [S]``, or [uS] and so on. Comment lines start with #.

    Returns
    -------
    targets, programmed : (n_samples,) ndarray
        Conductances wanted and reached [S].

    Raises
    ------
    ValueError
        If a column or its unit is missing, a value is not finite, or a target is not above zero and at most 1 S.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tiocross import read_tuning_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "tuning.csv")
    ...     _ = path.write_text("target [uS],programmed [uS]\\n100,101\\n300,298\\n")
    ...     targets, programmed = read_tuning_csv(path)
    >>> (programmed / targets - 1).round(4).tolist()
    [0.01, -0.0067]
    """
    targets, programmed = _read_columns(path, {"target": _CONDUCTANCES, "programmed": _CONDUCTANCES})
    if (bad := (targets <= 0) | (targets > LARGEST_CONDUCTANCE)).any():
        raise ValueError(f"{path}: targets must be above 0 and at most 1 S; got {targets[bad][0]:g} S ({int(bad.sum())} "
                         "such); is the unit of the column right?")
    return targets, programmed


def _read_lines(path):
    """Comments as one text, and the other lines with their numbers."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error}") from None
    kept = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    comments = " ".join(line for _, line in kept if line.startswith("#"))
    return comments, [(number, line) for number, line in kept if not line.startswith("#")]


def _read_matrix(path, allow_missing):
    comment, lines = _read_lines(path)
    rows = [(number, line.removesuffix(",").split(",")) for number, line in lines]
    if not rows:
        raise ValueError(f"{path} holds no values")
    for number, row in rows:
        if len(row) != len(rows[0][1]):
            cure = "; is the file truncated?" if number == rows[-1][0] and len(row) < len(rows[0][1]) else ""
            raise ValueError(f"{path}, line {number}: expected {len(rows[0][1])} values as in the first row; "
                             f"got {len(row)}{cure}")
    return comment, np.array([_numbers(path, number, row, allow_missing) for number, row in rows])


def _numbers(path, number, texts, allow_missing=False):
    values = []
    for place, text in enumerate(texts, 1):
        try:
            values.append(float(text))
        except ValueError:
            raise ValueError(f"{path}, line {number}, value {place}: not a number: {text!r}") from None
        if not (math.isfinite(values[-1]) or (allow_missing and math.isnan(values[-1]))):
            raise ValueError(f"{path}, line {number}, value {place}: values must be finite; got {text.strip()}")
    return values


def _read_columns(path, units_by_name):
    """Values of the named columns, in SI units."""
    _, lines = _read_lines(path)
    wanted = ",".join(f"{name} [{next(iter(units))}]" for name, units in units_by_name.items())
    if not lines:
        raise ValueError(f"{path} is empty; expected a header such as {wanted!r} and one line a value")
    names = [name.strip() for name in lines[0][1].split(",")]
    scales = []
    for name, (stated, units) in zip(names, units_by_name.items()):
        if _UNIT.sub("", name).strip() != stated:
            raise ValueError(f"{path}, line {lines[0][0]}: column {name!r} should be {stated!r}; expected {wanted!r}")
        scales.append(units[_unit_of(path, name, units, f"{stated} [{next(iter(units))}]")])
    if len(names) != len(units_by_name):
        raise ValueError(f"{path}, line {lines[0][0]}: expected the columns {wanted!r}; got {names}")
    rows = []
    for number, line in lines[1:]:
        row = line.split(",")
        if len(row) != len(names):
            raise ValueError(f"{path}, line {number}: expected {len(names)} values as in the header; got {len(row)}")
        rows.append(_numbers(path, number, row))
    table = np.array(rows).reshape(-1, len(names)) * scales
    return tuple(table.T.copy())


def _unit_of(path, text, units, example):
    """The first unit in brackets that is one of ``units``."""
    found = [unit.strip().replace("\u00b5", "u").replace("\u03bc", "u") for unit in _UNIT.findall(text)]  # both micro signs
    for unit in found:
        if unit in units:
            return unit
    problem = f"the unit [{found[0]}] is unknown" if found else "the unit is not stated"
    raise ValueError(f"{path}: {problem}; expected {', '.join(f'[{name}]' for name in units)}, as in {example!r}")


def _require_matrix(path, matrix, wanted, why=""):
    require_shape(f"the {matrix.shape[0]} x {matrix.shape[1]} values in {path}", matrix.shape, wanted, why)
