"""The points that a command works on: a task by its name, a folder with half moons, or a CSV file of the user."""

from pathlib import Path

import numpy as np

from tiocross import tasks
from tiocross.checks import as_count, require_name
from tiocross.tasks import Dataset
from tiocross.tasks.labels import listed, number_classes
from tiocross.tasks.tables import read_points

GENERATED = {"moons": tasks.generate_moons, "circles": tasks.generate_circles, "spirals": tasks.generate_spirals,
             "patterns": tasks.generate_patterns, "yin-yang": tasks.generate_yin_yang}
SHIPPED = {name.replace(" ", "-"): name for name in tasks.SHIPPED}
ENUMERATED = {"letters": tasks.make_letters, "surface-code": lambda: tasks.enumerate_surface_code().task()}
NAMES = (*GENERATED, *SHIPPED, *ENUMERATED)
_MOST_SHOWN = 10  # names of classes
SEED = 4_711  # of generated points; the shipped half moons had a part in tuning the recipe


def named_task(name):
    """The task of a name; generated ones are drawn with a seed that is always the same, half moons are the shipped ones."""
    require_name("task", name, NAMES)
    if name == "moons":
        return tasks.load_moons()
    if name in SHIPPED:
        return tasks.load(SHIPPED[name])
    return ENUMERATED[name]() if name in ENUMERATED else GENERATED[name](rng=np.random.default_rng(SEED))


def task_of(data, label=None, without=(), seed=0, class_names=None):
    """The task in a folder with half moons, or in a CSV file."""
    if Path(data).is_dir():
        require_no_columns(data, label, without)
        return tasks.load_moons(data)
    return tasks.read_task(data, label=label, without=tuple(without or ()), seed=as_count("--split-seed", seed, low=0),
                           class_names=class_names)


def chosen_task(arguments, default=named_task):
    """The task that a command line states: ``--data``, or ``--task`` by its name."""
    if arguments.data is not None:
        if arguments.task is not None:
            raise ValueError(f"--data {arguments.data} and --task {arguments.task} name two tasks; leave one of them out")
        return task_of(arguments.data, arguments.label, arguments.without, arguments.split_seed)
    require_no_columns(None, arguments.label, arguments.without)
    return default(arguments.task or "moons")


def require_no_columns(data, label, without):
    """Raise ValueError for names of columns where there is no CSV file."""
    if label is not None or without:
        where = "there is no --data" if data is None else f"{data} is a folder with half moons"
        raise ValueError(f"--label and --without name columns of a CSV file, but {where}")


def all_points(data, label, without, class_names, feature_names=()):
    """Every row of a CSV file as a `Dataset`, as measured; its labels are among these classes, its columns in this order."""
    values, labels, names = read_points(data, label=label, without=tuple(without or ()))
    if feature_names:
        require_columns(data, names, feature_names)
        values = values[:, [names.index(name) for name in feature_names]]
    try:
        numbers, class_names = number_classes(labels, class_names)
        return Dataset(values, numbers, len(class_names))
    except ValueError as error:
        raise ValueError(f"{data}: {error}") from None


def require_columns(data, names, feature_names):
    """Raise ValueError unless a file has the columns, units included, that a network was trained with, in any order."""
    missing, more = ([name for name in these if name not in those] for these, those in
                     ((feature_names, names), (names, feature_names)))
    if missing:
        raise ValueError(f"{data} lacks the column {missing[0]!r} that the network was trained with{_instead(more)}; give "
                         "its columns the names and units of the training data")
    if more:
        raise ValueError(f"{data} has a column {more[0]!r} that the network was not trained with; leave it out with "
                         "--without")


def _instead(names):
    return f", and has {listed(names)} instead" if names else ""


def describe_points(task):
    """Lines on a task: its parts, its classes, what a user should know."""
    parts = ", ".join(f"{len(part)} {'training' if name == 'train' else name}" for name, part in task.parts.items())
    names = [*task.class_names[:_MOST_SHOWN], *(["..."] if len(task.class_names) > _MOST_SHOWN else [])]
    classes = f": {', '.join(names)}" if names else ""
    return [f"{parts} points, {task.train.n_features} features, {task.train.n_classes} classes{classes}", f"({task.source})",
            *(f"note: {note}" for note in task.notes)]
