"""Records of labelled points: a checked `Dataset`, and a `Task` of training and test points with their source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tiocross.checks import as_count, as_finite, require_shape
from tiocross.tasks.labels import as_shares, notes_on, number_classes, require_enough
from tiocross.tasks.splitting import number_groups, split_groups

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled points. They are checked once and cannot be changed.

    Parameters
    ----------
    points : (n_points, n_features) array_like
        Features, finite (unitless).
    labels : (n_points,) array_like
        Class of each point, whole numbers from 0 (unitless).
    n_classes : int, optional
        Number of classes. State it where not every class has a point, as in a part of a larger set; without it every number
        from 0 to the largest label must occur (unitless).

    Raises
    ------
    ValueError
        If a value is not finite, the shapes do not fit, there is no point, all points are of one class, or a class has no
        point and ``n_classes`` does not say that there are others.

    Examples
    --------
    >>> from tiocross import Dataset
    >>> points = Dataset([[0.0, 0.1], [0.9, 1.0], [0.2, 0.0]], [0, 1, 0])
    >>> len(points), points.n_features, points.n_classes
    (3, 2, 2)
    """

    points: np.ndarray
    labels: np.ndarray
    n_classes: int | None = None

    def __repr__(self):
        return f"<Dataset: {self.points.shape[0]} points, {self.points.shape[1]} features, {self.n_classes} classes>"

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
        object.__setattr__(self, "n_classes", _count_classes(labels, self.n_classes))
        points.flags.writeable = labels.flags.writeable = False  # what was checked stays as it was
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "labels", labels)

    def __len__(self):
        return len(self.labels)

    @property
    def n_features(self) -> int:
        """Number of features of a point."""
        return self.points.shape[1]

    def part(self, chosen: np.ndarray | slice) -> Dataset:
        """Some of the points, with as many classes.

        Parameters
        ----------
        chosen : slice or array_like
            Which points, as an index of the arrays (unitless).
        """
        return Dataset(self.points[chosen], self.labels[chosen], self.n_classes)


def _count_classes(labels, stated):
    """Number of classes; ValueError where one has no point and nobody says that there are others."""
    n_classes = int(labels.max()) + 1
    if stated is not None:
        if as_count("n_classes", stated, low=2) < n_classes:
            raise ValueError(f"labels must be below n_classes, {stated}; got {n_classes - 1}")
        return int(stated)
    present = np.unique(labels)
    if len(present) < n_classes:
        missing = np.setdiff1d(np.arange(n_classes), present)
        first = ", ".join(map(str, present[:5])) + (", ..." if len(present) > 5 else "")
        raise ValueError(f"labels must number the classes from 0 without gaps; got {first} and no {missing[0]}. Number them "
                         "anew, for example with np.unique(labels, return_inverse=True)[1], or state n_classes if the class "
                         "has points elsewhere")
    return n_classes


@dataclass(frozen=True, eq=False)
class Scaling:
    """How features are made from what was measured: (values - offset) * scale.

    Parameters
    ----------
    offset : (n_features,) array_like
        Subtracted from each column, in the unit of the column [any].
    scale : (n_features,) array_like
        What the difference is multiplied by, none of them zero, in one over that unit [1/any].

    Raises
    ------
    ValueError
        If a number is not finite, a scale is zero, or the two differ in length.

    Examples
    --------
    >>> from tiocross import tasks
    >>> tasks.Scaling([10.0, 0.0], [0.5, 2.0]).apply([[12.0, 0.25]]).tolist()
    [[1.0, 0.5]]
    """

    offset: np.ndarray
    scale: np.ndarray

    def __post_init__(self):
        offset, scale = (np.array(as_finite(name, getattr(self, name), ndim=1)) for name in ("offset", "scale"))
        require_shape("scale", scale.shape, offset.shape, " as offset has")
        if (scale == 0).any():
            raise ValueError(f"scale must not be zero; got 0 for column {int(np.argmin(scale != 0))}")
        for name, values in (("offset", offset), ("scale", scale)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    def __repr__(self):
        return f"<Scaling of {len(self.offset)} features>"

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Features of measured values.

        Parameters
        ----------
        values : (n_points, n_features) array_like
            As measured, each column in its own unit [any].

        Returns
        -------
        (n_points, n_features) ndarray
            Features (unitless).
        """
        values = as_finite("values", values, ndim=2)
        require_shape("values", values.shape, (len(values), len(self.offset)), ", a column for each feature")
        return (values - self.offset) * self.scale

    def undo(self, features: np.ndarray) -> np.ndarray:
        """Measured values of features, but for rounding.

        Parameters
        ----------
        features : (n_points, n_features) array_like
            As `apply` gives them (unitless).

        Returns
        -------
        (n_points, n_features) ndarray
            Each column in its own unit [any].
        """
        features = as_finite("features", features, ndim=2)
        require_shape("features", features.shape, (len(features), len(self.offset)), ", a column for each feature")
        return features / self.scale + self.offset


@dataclass(frozen=True)
class Task:
    """Points to train with, points to judge by, and where they come from.

    Parameters
    ----------
    train, test : Dataset
        Points of the same features and classes.
    source : str
        Where the points come from.
    validation : Dataset, optional
        Further points, kept apart from both; `train` reports how a network does on them if it is given them.
    class_names : tuple of str, optional
        Names of the classes, in the order of their numbers.
    feature_names : tuple of str, optional
        Names of the features, in their order.
    scaling : Scaling, optional
        How the features were made from what was measured, to be applied to new points too.
    notes : tuple of str, optional
        What a user should know of the points, such as columns that never change.

    Examples
    --------
    >>> from tiocross import Dataset, Task
    >>> train = Dataset([[0.0], [1.0], [2.0]], [0, 1, 1])
    >>> task = Task(train, test=Dataset([[0.0], [3.0]], [0, 1]), source="typed by hand")
    >>> task.overlaps["test_points_in_train"]
    1
    """

    train: Dataset
    test: Dataset
    source: str
    validation: Dataset | None = None
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    scaling: Scaling | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def from_arrays(cls, values: np.ndarray, labels: np.ndarray, *, test_share: float = 0.2, validation_share: float = 0.2,
                    seed: int = 0, source: str = "arrays", class_names: tuple[str, ...] | None = None,
                    feature_names: tuple[str, ...] | None = None) -> Task:
        """A task from measured values and their labels.

        Parameters
        ----------
        values : (n_points, n_features) array_like
            As measured, finite; each column in its own unit [any].
        labels : (n_points,) array_like
            Class of each point: texts or whole numbers, any number of classes (unitless).
        test_share, validation_share : float, optional
            Share of each class that goes into these parts; a validation share of 0 leaves this part out (unitless).
        seed : int, optional
            Of the split (unitless).
        source : str, optional
            Where the points come from.
        class_names : tuple of str, optional
            Classes in the order of their numbers. Without it the labels that occur, in the order of size or alphabet.
        feature_names : tuple of str, optional
            Names of the columns.

        Returns
        -------
        Task
            Three parts, or two. The split is stratified: every part has its share of every class. Points that are equal in
            every feature stay in one part. Features are scaled so that the training points span [0, 1] in each.

        Raises
        ------
        ValueError
            If a value is not finite, there are fewer than two classes, a class has too few points for the parts, or the
            labels look like a quantity.

        Examples
        --------
        >>> import numpy as np
        >>> from tiocross import tasks
        >>> values = np.random.default_rng(7).normal(size=(60, 3))
        >>> task = tasks.Task.from_arrays(values, np.where(values[:, 0] > 0, "warm", "cold"), seed=3)
        >>> task.class_names, len(task.train), len(task.test), task.overlaps["test_points_in_train"]
        (('cold', 'warm'), 36, 12, 0)
        """
        values = as_finite("values", values, ndim=2)
        shares = as_shares(test_share, validation_share)
        seed = as_count("seed", seed, low=0)
        numbers, class_names = number_classes(labels, class_names)
        if len(numbers) != len(values):
            raise ValueError(f"values and labels must be equally many; got {len(values)} points, {len(numbers)} labels")
        if values.shape[1] == 0:
            raise ValueError("values must have at least one column")
        groups = number_groups(values)
        require_enough(numbers, groups, class_names, sum(share > 0 for share in shares))
        part = split_groups(numbers, groups, shares, np.random.default_rng(seed))
        low, high = (function(values[part == 0], axis=0) for function in (np.min, np.max))
        scaling = Scaling(low, 1 / np.where(high > low, high - low, 1.0))
        parts = {name: Dataset(scaling.apply(values[part == k]), numbers[part == k], len(class_names))
                 for k, name in enumerate(PARTS) if (part == k).any()}
        names = feature_names or tuple(f"column {k + 1}" for k in range(values.shape[1]))
        words = " and ".join(f"{100 * share:g} % {name}" for name, share in zip(PARTS[1:], shares[1:]) if share > 0)
        return cls(**parts, source=f"{source}; split with seed {seed}, {words}, scaled to [0, 1] by the training points",
                   class_names=class_names, feature_names=tuple(names), scaling=scaling,
                   notes=tuple(notes_on(values, low == high, names, numbers, groups)))

    def __repr__(self):
        sets = ", ".join(f"{len(points)} {name}" for name, points in
                         (("training", self.train), ("validation", self.validation), ("test", self.test)) if points)
        return f"<Task: {sets} points, {self.train.points.shape[1]} features, {self.train.n_classes} classes>"

    @property
    def parts(self) -> dict[str, Dataset]:
        """The parts that are there, by name: train, validation, test."""
        return {name: getattr(self, name) for name in PARTS if getattr(self, name) is not None}

    @cached_property
    def overlaps(self) -> dict[str, int]:
        """How many test points also stand in ``train`` and in ``validation``, to be reported."""
        known = 0 if self.validation is None else count_shared_points(self.test, self.validation)
        return {"test_points_in_train": count_shared_points(self.test, self.train), "test_points_in_validation": known}


def count_shared_points(first, second):
    """Number of points of one Dataset that also stand in another, compared to 9 decimals."""
    known = set(map(tuple, np.round(second.points, 9) + 0.0))
    return sum(tuple(point) in known for point in np.round(first.points, 9) + 0.0)
