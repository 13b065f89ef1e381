"""Files of a programming plan: a folder of JSON and CSV going out, one CSV for each array read back.

``plan.json`` holds everything. Beside it, for people and for instruments that read CSV, ``devices.csv`` says of each device
which weight it carries, and each tile has its targets and its order as tables, with a word line in each row and a bit line
in each column; when a plan is loaded they must be what plan.json says. Numbers are written such that they are read back to
the same bits; ``nan`` stands where there is none.
"""

import json
import os
import tempfile
from itertools import zip_longest
from pathlib import Path

import numpy as np

from tiocross.checks import as_conductances, as_count, as_reals
from tiocross.lab.tables import read_conductance_csv
from tiocross.storage import replacing, save_json

PLAN = "plan.json"
_READBACK = "tiocross read-back 1"


def write_folder(folder, content, tables):
    """Write a plan's folder, whole or not at all.

    Parameters
    ----------
    folder : str or Path
        A folder that does not exist or is empty (unitless).
    content : dict
        What goes into plan.json (unitless).
    tables : dict
        File name -> text (unitless).

    Raises
    ------
    ValueError
        If something is there already.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(f"{folder} exists already; choose a new folder, or remove what is there")
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"{folder.parent}, where the folder {folder.name} is to be made, does not exist")
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        whole = Path(temporary, "plan")
        whole.mkdir()
        save_json(whole / PLAN, content)
        for name, text in tables.items():
            (whole / name).write_text(text, encoding="utf-8", newline="\n")
        os.replace(whole, folder)


def read_content(folder):
    """Content of the plan.json in ``folder`` (unitless)."""
    path = Path(folder) / PLAN
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None


def require_tables(folder, tables):
    """Raise ValueError unless the tables in a folder are those of its plan.json.

    Parameters
    ----------
    folder : str or Path
        Folder of the plan (unitless).
    tables : dict
        As for `write_folder` (unitless).
    """
    for name, text in tables.items():
        path = Path(folder, name)
        lines, wanted = _read_text(path).splitlines(), text.splitlines()
        for number, (line, due) in enumerate(zip_longest(lines, wanted, fillvalue=""), start=1):
            if line != due:
                raise ValueError(f"{path}, line {number} is not what {PLAN} says: {line[:200]!r} instead of {due[:200]!r}. "
                                 "One of the files was edited, or is of another plan; make a new plan instead")


def save_readback(plan, tile, conductances, path):
    """Write what was read back from the array of one tile.

    Parameters
    ----------
    plan : Plan
        The plan that was programmed (unitless).
    tile : int
        Number of the tile (unitless).
    conductances : (n_rows, n_columns) array_like
        Read conductances; devices that are not in use may be NaN [S].
    path : str or Path
        The CSV file to write; it appears whole or not at all (unitless).

    Raises
    ------
    ValueError
        If the shape is not the tile's or a value is not a conductance; nothing is written.
    """
    comment = _readback_comment(plan, tile)
    text = table_text(comment, _as_readback(plan, tile, conductances))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def load_readback(plan, tile, path):
    """Read-back of one tile from a file that `save_readback` wrote.

    Parameters
    ----------
    plan : Plan
        The plan that was programmed (unitless).
    tile : int
        Number of the tile (unitless).
    path : str or Path
        The CSV file to read (unitless).

    Returns
    -------
    (n_rows, n_columns) ndarray
        Read conductances, bit for bit as saved [S].

    Raises
    ------
    ValueError
        If the file belongs to another plan or tile, has another shape, or a value is not a conductance.
    """
    wanted = f"# {_readback_comment(plan, tile)}"
    first = (_read_text(path).splitlines() or [""])[0]
    if first != wanted:
        raise ValueError(f"{path} is no read-back of tile {tile} of this plan: its first line must be {wanted!r}; got "
                         f"{first[:200]!r}")
    conductances = read_conductance_csv(path, shape=plan.layout.tiles[tile].shape, allow_missing=True)
    return _as_readback(plan, tile, conductances)


def _as_readback(plan, tile, conductances):
    used = plan.layout.tiles[tile].used
    conductances = as_reals(f"the read-back of tile {tile}", conductances)
    if conductances.shape != used.shape:
        hint = ". Transposed?" if conductances.shape == used.shape[::-1] else ""
        raise ValueError(f"the read-back of tile {tile} must have shape {used.shape}, word lines and bit lines; got "
                         f"{conductances.shape}{hint}")
    as_conductances(f"the read-back of tile {tile}", np.where(np.isnan(conductances) & ~used, 0.0, conductances))
    return conductances


def _readback_comment(plan, tile):
    if not hasattr(plan, "layout"):
        raise TypeError(f"plan must be a Plan, such as load_plan gives; got {plan!r}")
    n_tiles = len(plan.layout.tiles)
    if as_count("tile", tile, low=0) >= n_tiles:
        raise ValueError(f"the plan has tiles 0 to {n_tiles - 1}; got {tile}")
    return f"{_READBACK}; plan {plan.sha256}; tile {tile}; conductances [S]"


def table_text(comment, table):
    """A table (n_rows, n_columns) as the text of a CSV file, ``comment`` first (unitless)."""
    return "\n".join([f"# {comment}", *(",".join(map(repr, row)) for row in table.tolist())]) + "\n"


def _read_text(path):
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text: {error}") from None
