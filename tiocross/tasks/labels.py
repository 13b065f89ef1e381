"""Labels of any kind as numbers of classes, and what is wrong or odd with points and labels."""

import numpy as np

from tiocross.checks import as_finite, as_number, plural, short_repr

_MOST_NUMBERED = 10  # distinct numbers as labels, beyond which they may be a quantity and no classes
_FEWEST_OF_CLASS = 5  # points of a class on average, below which numbers are taken for a quantity
_SHOWN = 5  # names in a message


def as_shares(test_share, validation_share):
    """Shares of training, validation and test points, in this order."""
    test, validation = (as_number(name, share, low=0.0, high=1.0) for name, share in
                        (("test_share", test_share), ("validation_share", validation_share)))
    if test == 0.0 or test + validation >= 1.0:
        raise ValueError("test_share must be above 0, and with validation_share leave something to train with; got "
                         f"{test:g} and {validation:g}")
    return 1.0 - test - validation, validation, test


def number_classes(labels, class_names=None):
    """(n_points,) number of each label's class, and the names of the classes."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iufbUSO":
        raise TypeError(f"labels must be texts or whole numbers, one for each point; got {short_repr(labels)}")
    if labels.dtype.kind in "SO":
        labels = labels.astype(str)
    if labels.dtype.kind == "f":
        as_finite("labels", labels)
        require_classes(labels)
    present, numbers = np.unique(labels, return_inverse=True)
    names = tuple(f"{name:g}" if labels.dtype.kind == "f" else str(name) for name in present)
    if class_names is not None:
        unknown = [name for name in names if name not in class_names]
        if unknown:
            raise ValueError(f"class {unknown[0]!r} is unknown; the classes are {listed(class_names)}")
        return np.array([class_names.index(name) for name in names])[numbers], tuple(class_names)
    if len(names) < 2:
        raise ValueError(f"a task needs at least two classes; all {len(labels)} labels are {listed(names)}")
    return numbers, names


def require_classes(numbers, where="labels"):
    """Raise ValueError where numbers look like a quantity, which is predicted by regression, and like no classes."""
    n_distinct = len(np.unique(numbers))
    fractional = (np.asarray(numbers) % 1 != 0).any()
    if n_distinct > _MOST_NUMBERED and (fractional or len(numbers) < _FEWEST_OF_CLASS * n_distinct):
        raise ValueError(f"{where}: {n_distinct} different numbers in {len(numbers)} rows look like a quantity, not like "
                         "classes; name another label column, or divide the values into ranges with names")


def require_enough(numbers, groups, class_names, n_parts):
    """Raise ValueError where a class has fewer different points than there are parts."""
    for label in np.unique(numbers):
        n_different = len(np.unique(groups[numbers == label]))
        if n_different < n_parts:
            raise ValueError(f"class {class_names[label]!r} has {plural(n_different, 'point')} of its own, fewer than the "
                             f"{n_parts} parts of the task; leave the class out, join it with another, or give it more "
                             "points")


def notes_on(values, is_constant, names, numbers, groups):
    """Sentences on the points."""
    if is_constant.any():
        which = [name for name, constant in zip(names, is_constant) if constant]
        yield (f"{plural(len(which), 'column')} without any change in the training points, of no use: {listed(which)}")
    counts = np.bincount(groups)
    if (counts > 1).any():
        yield (f"{int(counts[counts > 1].sum())} points occur more than once; equal points are kept in one part")
        labels_of = len(np.unique(np.stack([groups, numbers]), axis=1).T) - len(counts)
        if labels_of:
            yield f"{plural(labels_of, 'group')} of equal points {'has' if labels_of == 1 else 'have'} more than one label"
    if values.shape[1] and len(values) < 10 * values.shape[1]:
        yield f"{len(values)} points are few for {values.shape[1]} features"


def listed(names):
    """Some names in quotes, for a message."""
    shown = ", ".join(repr(str(name)) for name in list(names)[:_SHOWN])
    return shown + (", ..." if len(names) > _SHOWN else "")
