"""Half moons and other labelled points as CSV files whose header states a unit."""

import csv
import os
from importlib import resources
from pathlib import Path

import numpy as np

from tiocross.checks import as_path, number_of_text
from tiocross.storage import replacing
from tiocross.tasks.dataset import PARTS, Dataset, Task


def load_moons(folder: str | os.PathLike | None = None) -> Task:
    """Half moons from a folder, or those that tiocross ships.

    Parameters
    ----------
    folder : str or Path, optional
        Folder with ``moons_train.csv``, ``moons_test.csv`` and, where there is one, ``moons_validation.csv``.
        Without it the shipped set: 875, 4 000 and 125 points, disjoint, noise 0.2, scaled to [0, 1].

    Returns
    -------
    Task
        The parts.

    Raises
    ------
    ValueError
        If a file is not of the form described at `read_dataset`, or does not hold two features and two classes.
    FileNotFoundError
        If the training or test points are not there.

    Examples
    --------
    >>> from tiocross import tasks
    >>> moons = tasks.load_moons()
    >>> len(moons.train), len(moons.test), moons.overlaps["test_points_in_train"]
    (875, 4000, 0)
    """
    folder = shipped_folder() if folder is None else as_path("folder", folder)
    files = {name: folder / f"moons_{name}.csv" for name in PARTS}
    parts = {name: read_dataset(path) for name, path in files.items() if name != "validation" or path.exists()}
    for name, part in parts.items():
        if part.n_features != 2 or part.n_classes != 2:
            raise ValueError(f"{files[name]} must hold 2 features and labels 0 and 1; "
                             f"got {part.n_features} features and labels up to {part.n_classes - 1}")
    return Task(**parts, source=_stated_source(files["train"]) or str(folder))


def _stated_source(path):
    """What the comment on top of a file says of where it comes from."""
    with open(path, encoding="utf-8-sig") as file:
        first = file.readline()
    return first.removeprefix("# Half moons, train part; ").strip() if first.startswith("# Half moons, train part; ") else ""


def save_moons(moons: Task, folder: str | os.PathLike) -> None:
    """Write each part as CSV that `load_moons` reads back bit for bit.

    Parameters
    ----------
    moons : Task
        The points.
    folder : str or Path
        An existing folder.

    Raises
    ------
    ValueError
        If there are no validation points to replace those that an earlier task left in the folder.
    FileNotFoundError
        If the folder is not there.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from tiocross import tasks
    >>> moons = tasks.generate_moons(rng=np.random.default_rng(7), n_train=20, n_test=30)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tasks.save_moons(moons, folder)
    ...     len(tasks.load_moons(folder).test)
    30
    """
    folder = as_path("folder", folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {folder}, into which the points are to be written, does not exist; make it "
                                "first")
    left = folder / "moons_validation.csv"
    if moons.validation is None and left.exists():
        raise ValueError(f"{left} is there, but these points have no validation part and would be read back with a foreign "
                         "one; remove the file or choose another folder")
    for name, part in moons.parts.items():
        with (replacing(folder / f"moons_{name}.csv") as temporary,
              open(temporary, "w", newline="", encoding="utf-8") as file):
            file.write(f"# Half moons, {name} part; {moons.source}\n")
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([f"x{k} [-]" for k in range(part.n_features)] + ["label [-]"])
            writer.writerows([*map(repr, map(float, point)), int(label)] for point, label in zip(part.points, part.labels))


def read_dataset(path: str | os.PathLike, *, n_classes: int | None = None) -> Dataset:
    """Labelled points from a CSV file whose header states a unit behind every name.

    Parameters
    ----------
    path : str or Path
        File with comment lines (``#``), a header such as ``x0 [-],x1 [-],label [-]`` and one row a point. The last
        column is the label.
    n_classes : int, optional
        Number of classes, where not every class has a point in the file (unitless).

    Returns
    -------
    Dataset
        The points and labels.

    Raises
    ------
    ValueError
        If the header states no unit or another one than ``[-]``, or a row is not of the header's length or not numbers, or
        labels leave out a class.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tiocross import tasks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "points.csv"
    ...     _ = path.write_text("height [-],label [-]\\n1.5,0\\n2.5,1\\n")
    ...     tasks.read_dataset(path).labels.tolist()
    [0, 1]
    """
    path = as_path("path", path)
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
        return Dataset(table[:, :-1], table[:, -1], n_classes)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _parse_row(path, line, row, n_columns):
    if len(row) != n_columns:
        raise ValueError(f"{path}, line {line}: expected {n_columns} values as in the header; got {len(row)}")
    values = [number_of_text(value) for value in row]
    if None in values:
        raise ValueError(f"{path}, line {line}: not numbers: {row}")
    return values


def shipped_folder():
    """Folder of the data that tiocross ships: installed with it, or of the clone."""
    installed = resources.files("tiocross").joinpath("data")
    return Path(str(installed)) if installed.is_dir() else Path(__file__).resolve().parents[2] / "data"
