"""CSV tables with a unit in their header: matrices of conductances and voltages, lists of changes and of writes.

A matrix is preceded by a comment that states its unit, ``# conductances [S], 3 word lines x 4 bit lines``; the columns of
a list each state theirs, ``target [S],programmed [S]``. Without a unit nothing is read. `sheets` has the separators and
decimal signs that are understood, `matrices` the forms of an array.
"""

from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import LARGEST_CONDUCTANCE, as_conductances, as_count, as_reals, as_shape, require_shape
from tiocross.lab.matrices import conductances_of, matrix_of, require_values_shape
from tiocross.lab.resistance_maps import is_lab_map, read_lab_map
from tiocross.sheets import (
    CONDUCTANCES, RESISTANCES, VOLTAGES, name_and_unit, read_sheet, require_unit, shortened,
)
from tiocross.storage import save_text

_MOST_WRITES = 10**9  # after one device; more is a slip of columns


def read_conductance_csv(path: str | PathLike, *, shape: tuple[int, int] | None = None,
                         allow_missing: bool = False) -> np.ndarray:
    """Conductances of one array from a CSV file, whichever of the usual forms it has.

    Parameters
    ----------
    path : str or Path
        File with a comment that states the unit, [S], [mS], [uS], [nS], [ohm], [kohm] or [Mohm], and one line of values for
        each word line, under a line of titles or not. Or a list with the columns ``row,column,conductance [uS]``, one line a
        device. Or the lab's resistance map, see `read_lab_map`. Values are separated by commas, semicolons, tabs or blanks.
    shape : tuple of int, optional
        (n_word_lines, n_bit_lines) that the matrix must have (unitless).
    allow_missing : bool, optional
        Whether values may be ``nan``, as in what `write_conductance_csv` writes of devices without a value.

    Returns
    -------
    (n_word_lines, n_bit_lines) ndarray
        Conductances [S].

    Raises
    ------
    ValueError
        If there is no unit or more than one, the matrix is not rectangular or of another shape, a value is no conductance,
        or the file can be read in more than one way.

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
    if is_lab_map(path):
        conductances = read_lab_map(path).conductances
        if shape is not None:
            require_shape(f"the {conductances.shape[0]} x {conductances.shape[1]} resistances in {path}", conductances.shape,
                          as_shape("shape", shape))
        return conductances
    return read_array(path, shape=shape, allow_missing=allow_missing)[0]


def read_array(path, *, shape=None, allow_missing=False):
    """Conductances [S] of one array in a CSV file of any form, and the `Matrix` that tells how the file was read."""
    wanted = None if shape is None else as_shape("shape", shape)
    matrix = matrix_of(read_sheet(path), {**CONDUCTANCES, **RESISTANCES}, "# conductances [S]", allow_missing=allow_missing,
                       shape=wanted)
    conductances = conductances_of(matrix)
    try:
        as_conductances("conductances", np.where(np.isnan(conductances), 0.0, conductances))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return conductances, matrix


def write_conductance_csv(path: str | PathLike, conductances: ArrayLike) -> None:
    """Write conductances of one array as a CSV matrix with every digit.

    Parameters
    ----------
    path : str or Path
        The file to write. It appears whole or not at all.
    conductances : (n_word_lines, n_bit_lines) array_like
        Conductances, NaN where there is none, which `read_conductance_csv` reads with ``allow_missing=True`` [S].

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
    matrix = as_reals("conductances", conductances)
    if matrix.ndim != 2:
        raise ValueError(f"conductances must have shape (n_word_lines, n_bit_lines); got {matrix.shape}")
    as_conductances("conductances", np.where(np.isnan(matrix), 0.0, matrix))
    lines = [f"# conductances [S], {matrix.shape[0]} word lines x {matrix.shape[1]} bit lines"]
    lines += [",".join(map(repr, row)) for row in matrix.tolist()]
    save_text(path, "\n".join(lines) + "\n")


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
    matrix = read_voltages(path)
    if n_word_lines is not None:
        wanted = matrix.values.shape[0], as_count("n_word_lines", n_word_lines)
        require_values_shape(matrix, wanted, ", a value for each word line")
    return matrix.values * VOLTAGES[matrix.unit]


def read_voltages(path):
    """The `Matrix` of a file of voltages, one row an input."""
    return matrix_of(read_sheet(path), VOLTAGES, "# voltages [V]")


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
    later, changes = _read_columns(path, {"n_later_writes": {"-": 1.0}, "delta_conductance": CONDUCTANCES})
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
    targets, programmed = _read_columns(path, {"target": CONDUCTANCES, "programmed": CONDUCTANCES})
    if (bad := (targets <= 0) | (targets > LARGEST_CONDUCTANCE)).any():
        raise ValueError(f"{path}: targets must be above 0 and at most 1 S; got {targets[bad][0]:g} S ({int(bad.sum())} "
                         "such); is the unit of the column right?")
    return targets, programmed


def _read_columns(path, units_by_name):
    """Values of the named columns, in SI units."""
    sheet = read_sheet(path)
    wanted = ",".join(f"{name} [{next(iter(units))}]" for name, units in units_by_name.items())
    if not sheet.rows:
        raise ValueError(f"{path} is empty; expected a header such as {wanted!r} and one line a value")
    names = sheet.rows[0][1]
    scales = []
    for name, (stated, units) in zip(names, units_by_name.items()):
        own, unit = name_and_unit(name)
        if own != stated:
            raise ValueError(f"{sheet.place(0)}: column {shortened(name)} should be {stated!r}; expected {wanted!r}")
        require_unit(path, unit, units, f"{stated} [{next(iter(units))}]")
        scales.append(units[unit])
    if len(names) != len(units_by_name):
        raise ValueError(f"{sheet.place(0)}: expected the columns {wanted!r}; got {names}")
    return tuple((sheet.table(1, len(names)) * scales).T.copy())
