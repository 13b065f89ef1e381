"""Half moons and other labelled points as CSV files whose header states a unit."""

import csv
from importlib import resources
from pathlib import Path

import numpy as np

from tiocross.storage import replacing
from tiocross.tasks.dataset import PARTS, Dataset, Task


def load_moons(folder=None):
    """Half moons from a folder, or those that tiocross ships.

    Parameters
    ----------
    folder : str or Path, optional
        Folder with ``moons_train.csv``, ``moons_validation.csv`` and ``moons_test.csv`` (unitless); without it the
        shipped set: 875, 125 and 4 000 points, disjoint, noise 0.2, scaled to [0, 1].

    Returns
    -------
    Task
        The three parts.

    Raises
    ------
    ValueError
        If a file is not of the form described at `read_dataset`.
    FileNotFoundError
        If one of the files does not exist.
    """
    folder = _shipped_folder() if folder is None else Path(folder)
    parts = [read_dataset(folder / f"moons_{part}.csv") for part in PARTS]
    for name, part in zip(PARTS, parts):
        if part.n_features != 2 or part.n_classes != 2:
            raise ValueError(f"{folder / f'moons_{name}.csv'} must hold 2 features and labels 0 and 1; "
                             f"got {part.n_features} features and labels up to {part.n_classes - 1}")
    return Task(*parts, source=_stated_source(folder / "moons_train.csv") or str(folder))


def _stated_source(path):
    """What the comment on top of a file says of where it comes from."""
    with open(path, encoding="utf-8-sig") as file:
        first = file.readline()
    return first.removeprefix("# Half moons, train part; ").strip() if first.startswith("# Half moons, train part; ") else ""


def save_moons(moons, folder):
    """Write the three parts as CSV that `load_moons` reads back bit for bit.

    Parameters
    ----------
    moons : Task
        The points (unitless).
    folder : str or Path
        An existing folder (unitless).
    """
    for name in PARTS:
        part = getattr(moons, name)
        with replacing(Path(folder) / f"moons_{name}.csv") as temporary, open(temporary, "w", newline="") as file:
            file.write(f"# Half moons, {name} part; {moons.source}\n")
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([f"x{k} [-]" for k in range(part.n_features)] + ["label [-]"])
            writer.writerows([*map(repr, map(float, point)), int(label)] for point, label in zip(part.points, part.labels))


def read_dataset(path):
    """Dataset from a CSV file whose header states a unit behind every name.

    Parameters
    ----------
    path : str or Path
        File with comment lines (``#``), a header such as ``x0 [-],x1 [-],label [-]`` and one row a point; the last
        column is the label (unitless).

    Returns
    -------
    Dataset
        The points and labels.

    Raises
    ------
    ValueError
        If the header states no unit or another one than ``[-]``, or a row is not of the header's length or not numbers.
    """
    path = Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [(n, row) for n, row in enumerate(csv.reader(file), 1) if row and not row[0].lstrip().startswith("#")]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not CSV text: {error}") from None
    if not rows:
        raise ValueError(f"{path} is empty; expected a header such as 'x0 [-],x1 [-],label [-]' and one row a point")
    header = [name.strip() for name in rows[0][1]]
    for name in header:
        if not name.endswith("[-]"):
            raise ValueError(f"{path}, line {rows[0][0]}: column {name!r} must end with its unit, here '[-]', "
                             "as in 'x0 [-],x1 [-],label [-]'")
    if len(header) < 2 or not header[-1].startswith("label"):
        raise ValueError(f"{path}, line {rows[0][0]}: the last column must be 'label [-]'; got {header}")
    table = np.array([_parse_row(path, line, row, len(header)) for line, row in rows[1:]]).reshape(-1, len(header))
    try:
        return Dataset(table[:, :-1], table[:, -1])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _parse_row(path, line, row, n_columns):
    if len(row) != n_columns:
        raise ValueError(f"{path}, line {line}: expected {n_columns} values as in the header; got {len(row)}")
    try:
        return [float(value) for value in row]
    except ValueError:
        raise ValueError(f"{path}, line {line}: not numbers: {row}") from None


def _shipped_folder():
    installed = resources.files("tiocross").joinpath("data")
    return Path(str(installed)) if installed.is_dir() else Path(__file__).resolve().parents[2] / "data"
