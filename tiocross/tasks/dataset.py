"""Records of labelled points: a checked `Dataset`, and a `Task` of training and test points with their source."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tiocross.checks import as_finite

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
class Task:
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
