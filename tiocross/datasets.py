"""Small labelled data sets: half moons, generated or read from files that state their unit."""

import csv
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

import numpy as np

from tiocross.errors import as_count, as_finite, as_number, require_generator
from tiocross.storage import replacing

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled points, checked once so that nothing behind needs to check again.

    Parameters
    ----------
    points : (n_points, n_features) array_like
        Features, finite (unitless).
    labels : (n_points,) array_like
        Class of each point, whole numbers from 0 (unitless).

    Raises
    ------
    ValueError
        If a value is not finite, the shapes do not fit, there is no point, or all points are of one class.
    """

    points: np.ndarray
    labels: np.ndarray

    def __post_init__(self):
        points = np.array(as_finite("points", self.points, ndim=2))
        given = np.asarray(self.labels)
        labels = as_finite("labels", given.astype(int) if given.dtype == bool else self.labels, ndim=1)
        if len(points) == 0 or points.shape[1] == 0:
            raise ValueError(f"a dataset needs at least one point and one feature; got points of shape {points.shape}")
        if len(points) != len(labels):
            raise ValueError(f"points and labels must be equally many; got {len(points)} points, {len(labels)} labels")
        if (labels < 0).any() or (labels != np.round(labels)).any():
            raise ValueError(f"labels must be whole numbers from 0; got {labels[(labels < 0) | (labels % 1 != 0)][0]:g}")
        if (labels == labels[0]).all():
            raise ValueError(f"a dataset needs at least two classes; all {len(labels)} labels are {labels[0]:g}")
        if labels.max() > 65535:
            raise ValueError(f"labels number the classes from 0, at most 65535; got {labels.max():g}")
        labels = labels.astype(np.int64)
        points.flags.writeable = labels.flags.writeable = False  # what was checked stays as it was
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "labels", labels)

    def __len__(self):
        return len(self.labels)

    @property
    def n_features(self):
        """Number of features of a point (unitless)."""
        return self.points.shape[1]

    @property
    def n_classes(self):
        """One more than the largest label (unitless)."""
        return int(self.labels.max()) + 1


@dataclass(frozen=True)
class Moons:
    """Half moons in three parts, and where they come from.

    Parameters
    ----------
    train, validation, test : Dataset
        Points of two features with labels 0 and 1 (unitless).
    source : str
        Where the points come from.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    source: str

    @cached_property
    def overlaps(self):
        """Dict with the number of test points that also stand in ``train`` and in ``validation``, to be reported."""
        return {"test_points_in_train": count_shared_points(self.test, self.train),
                "test_points_in_validation": count_shared_points(self.test, self.validation)}


def count_shared_points(first, second):
    """Number of points of ``first`` that also stand in ``second``, compared to 9 decimals.

    Parameters
    ----------
    first, second : Dataset
        Two data sets (unitless).

    Returns
    -------
    int
        How many points of ``first`` have a twin in ``second`` (unitless).
    """
    known = set(map(tuple, np.round(second.points, 9) + 0.0))
    return sum(tuple(point) in known for point in np.round(first.points, 9) + 0.0)


def generate_moons(*, rng, n_train=875, n_validation=125, n_test=4000, noise=0.2):
    """Half moons, drawn anew and split into three disjoint parts.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance (unitless).
    n_train, n_validation, n_test : int, optional
        Number of points of each part (unitless).
    noise : float, optional
        Standard deviation of the Gaussian added to each coordinate, before scaling (unitless).

    Returns
    -------
    Moons
        The three parts. Features are scaled so that the *training* points span [0, 1]; the other points may lie
        slightly outside.

    Notes
    -----
    The formula of scikit-learn's ``make_moons``, which the paper's data follow (noise 0.2): with t in [0, pi], the
    outer moon (label 0) is (cos t, sin t), the inner one (label 1) is (1 - cos t, 1/2 - sin t). Here t is drawn at
    random instead of equally spaced, so that every part is a sample of the same law.
    """
    return draw_parts(_draw_moons, rng=rng, counts=(n_train, n_validation, n_test), noise=noise, name="generated")


def _draw_moons(labels, rng):
    t = rng.uniform(0, np.pi, len(labels))
    outer = np.stack([np.cos(t), np.sin(t)], axis=1)
    inner = np.stack([1 - np.cos(t), 0.5 - np.sin(t)], axis=1)
    return np.where(labels[:, None] == 0, outer, inner)


def draw_parts(draw, *, rng, counts, noise, name, n_classes=2):
    """A generated task in three disjoint parts, with as many points of each class as of any other, give or take one.

    Parameters
    ----------
    draw : callable
        Takes labels and the generator and gives the points without noise, (n_points, n_features) (unitless).
    rng : numpy.random.Generator
        Source of chance (unitless).
    counts : tuple of int
        Number of points of each part, at least one a class (unitless).
    noise : float
        Standard deviation of the Gaussian added to each feature, before scaling (unitless).
    name : str
        What the points are called in ``source``.
    n_classes : int, optional
        Number of classes (unitless).

    Returns
    -------
    Moons
        The three parts. Features are scaled so that the *training* points span [0, 1].
    """
    require_generator(rng)
    counts = [as_count(f"n_{part}", n, low=n_classes) for part, n in zip(PARTS, counts)]
    noise = as_number("noise", noise, low=0.0)
    raw = []
    for n_points in counts:
        labels = rng.permutation(n_points) % n_classes
        clean = draw(labels, rng)
        raw.append((clean + rng.normal(0, noise, clean.shape), labels))
    low, high = raw[0][0].min(axis=0), raw[0][0].max(axis=0)
    span = np.where(high > low, high - low, 1.0)  # a feature that is the same in every training point is only shifted
    parts = [Dataset((points - low) / span, labels) for points, labels in raw]
    return Moons(*parts, source=f"{name}, noise {noise:g}, scaled to [0, 1] by the training points")


def load_moons(folder=None):
    """Half moons from a folder, or those that tiocross ships.

    Parameters
    ----------
    folder : str or Path, optional
        Folder with ``moons_train.csv``, ``moons_validation.csv`` and ``moons_test.csv`` (unitless); without it the
        shipped set: 875, 125 and 4 000 points, disjoint, noise 0.2, scaled to [0, 1].

    Returns
    -------
    Moons
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
    return Moons(*parts, source=_stated_source(folder / "moons_train.csv") or str(folder))


def _stated_source(path):
    """What the comment on top of a file says of where it comes from."""
    with open(path, encoding="utf-8-sig") as file:
        first = file.readline()
    return first.removeprefix("# Half moons, train part; ").strip() if first.startswith("# Half moons, train part; ") else ""


def save_moons(moons, folder):
    """Write the three parts as CSV that `load_moons` reads back bit for bit.

    Parameters
    ----------
    moons : Moons
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
    return Path(str(installed)) if installed.is_dir() else Path(__file__).resolve().parent.parent / "data"
