"""Files of a programming plan: a folder of JSON and CSV going out, one CSV for each array read back.

``plan.json`` holds everything. Beside it, for people and for instruments that read CSV, ``devices.csv`` says of each device
which weight it carries, and each array has its targets and its order as tables, with a word line in each row and a bit line
in each column; when a plan is loaded they must be what plan.json says. Numbers are written such that they are read back to
the same bits; ``nan`` stands where there is none.
"""

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_conductances, as_path, as_reals
from tiocross.lab.tables import read_conductance_csv
from tiocross.storage import new_folder, read_json, replacing, save_json

if TYPE_CHECKING:
    from tiocross.lab.plans import Plan

PLAN = "plan.json"
_READBACK = "tiocross read-back 2"


def write_folder(folder, content, tables):
    """Write a plan's folder, whole or not at all: ``content`` as plan.json and the texts ``tables`` by file name."""
    folder = as_path("folder", folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(f"{folder} exists already; choose a new folder, or remove what is there")
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"{folder.parent}, where the folder {folder.name} is to be made, does not exist")
    with new_folder(folder) as whole:
        save_json(whole / PLAN, content)
        for name, text in tables.items():
            (whole / name).write_text(text, encoding="utf-8", newline="\n")


def read_content(folder):
    """Content of the plan.json in ``folder``."""
    folder = as_path("folder", folder)
    expected = "expected the folder of a plan, as tiocross plan or Plan.save writes it"
    if folder.is_file():
        cure = f"give its folder, {folder.parent}" if folder.name == PLAN else "make a plan first, and give its folder"
        raise NotADirectoryError(f"{folder} is a file; {expected}: {cure}")
    if folder.is_dir() and not (folder / PLAN).exists():
        what = "; this one holds a programming run: give the folder of its plan" * (folder / "programming.json").exists()
        raise FileNotFoundError(f"{folder / PLAN}: No such file; {expected}{what}")
    if not folder.exists():
        raise FileNotFoundError(f"{folder / PLAN}: No such file; there is no folder {folder}; {expected}")
    return read_json(folder / PLAN)


def require_tables(folder, tables):
    """Raise ValueError unless the tables in a folder are those of its plan.json, ``tables``."""
    for name, text in tables.items():
        path = Path(folder, name)
        lines, wanted = _read_text(path).splitlines(), text.splitlines()
        for number, (line, due) in enumerate(zip_longest(lines, wanted, fillvalue=""), start=1):
            if line != due:
                raise ValueError(f"{path}, line {number} is not what {PLAN} says: {line[:200]!r} instead of {due[:200]!r}. "
                                 "One of the files was edited, or is of another plan; make a new plan instead")


def save_readback(plan: "Plan", array: int, conductances: ArrayLike, path: str | Path) -> None:
    """Write what was read back from one array.

    Parameters
    ----------
    plan : Plan
        The plan that was programmed.
    array : int
        Number of the physical array (unitless).
    conductances : (n_word_lines, n_bit_lines) array_like
        Read conductances; devices that are not in use may be NaN [S].
    path : str or Path
        The CSV file to write; it appears whole or not at all.

    Raises
    ------
    ValueError
        If the shape is not the array's or a value is not a conductance; nothing is written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, load_readback, plan, save_readback
    >>> made = plan(MLP(2, 1, rng=np.random.default_rng(7)), TIO2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_readback(made, 0, made.expected[0], folder + "/read.csv")
    ...     float(np.nanmax(np.abs(load_readback(made, 0, folder + "/read.csv") - made.expected[0])))
    0.0
    """
    comment = _readback_comment(plan, array)
    text = table_text(comment, _as_readback(plan, array, conductances))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def load_readback(plan: "Plan", array: int, path: str | Path) -> np.ndarray:
    """Read-back of one array from a file that `save_readback` wrote.

    Parameters
    ----------
    plan : Plan
        The plan that was programmed.
    array : int
        Number of the physical array (unitless).
    path : str or Path
        The CSV file to read.

    Returns
    -------
    (n_word_lines, n_bit_lines) ndarray
        Read conductances, bit for bit as saved [S].

    Raises
    ------
    ValueError
        If the file belongs to another plan or array, has another shape, or a value is not a conductance.

    Examples
    --------
    See `save_readback`.
    """
    wanted = f"# {_readback_comment(plan, array)}"
    first = (_read_text(path).splitlines() or [""])[0]
    if first != wanted:
        raise ValueError(f"{path} is no read-back of array {array} of this plan: its first line must be {wanted!r}; got "
                         f"{first[:200]!r}")
    conductances = read_conductance_csv(path, shape=plan.layout.shapes[plan.index_of(array)], allow_missing=True)
    return _as_readback(plan, array, conductances)


def _as_readback(plan, array, conductances):
    used = plan.layout.used[plan.index_of(array)]
    conductances = as_reals(f"the read-back of array {array}", conductances)
    if conductances.shape != used.shape:
        hint = ". Transposed?" if conductances.shape == used.shape[::-1] else ""
        raise ValueError(f"the read-back of array {array} must have shape {used.shape}, word lines and bit lines; got "
                         f"{conductances.shape}{hint}")
    as_conductances(f"the read-back of array {array}", np.where(np.isnan(conductances) & ~used, 0.0, conductances))
    return conductances


def _readback_comment(plan, array):
    if not hasattr(plan, "index_of"):
        raise TypeError(f"plan must be a Plan, such as load_plan gives; got {plan!r}")
    plan.index_of(array)
    return f"{_READBACK}; plan {plan.sha256}; array {array}; conductances [S]"


def table_text(comment, table):
    """A table (n_rows, n_columns) as the text of a CSV file, ``comment`` first."""
    return "\n".join([f"# {comment}", *(",".join(map(repr, row)) for row in table.tolist())]) + "\n"


def _read_text(path):
    try:
        return as_path("path", path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text: {error}") from None
