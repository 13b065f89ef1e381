"""Measured values and features: a task scales the first to the second for training. Networks in files take measured values,
so that nobody needs to know the scaling."""

from dataclasses import replace

from tiocross.tasks import Dataset, Task


def as_measured(task: Task):
    """A task with the features as they were measured, before scaling."""
    if task.scaling is None:
        return task
    parts = {name: Dataset(task.scaling.undo(part.points), part.labels, part.n_classes) for name, part in task.parts.items()}
    return replace(task, **parts, scaling=None)


def taking_measured(network, scaling):
    """A network that does to measured values what the given one does to scaled features."""
    if scaling is None:
        return network
    other = network.copy()
    other.input_offset = scaling.offset + network.input_offset / scaling.scale
    other.input_scale = network.input_scale * scaling.scale
    return other
