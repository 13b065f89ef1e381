"""ROBUST networks on half moons, one for each seed, as several scripts judge them: points, training, changes over seeds."""

from dataclasses import replace

import numpy as np

from tiocross import Dataset, tasks, train_robust
from tiocross.intervals import half_width_of_mean
from tiocross.study.methods import ROBUST_TRAINING


def points_of(arguments):
    """The test points that the options ask for."""
    test = tasks.load_moons().test
    return Dataset(test.points[: arguments.points], test.labels[: arguments.points])


def train_seed(seed, device, n_steps):
    """The network of a seed."""
    return train_robust(tasks.load_moons().train, device, rng=np.random.default_rng([seed, 77]),
                        settings=replace(ROBUST_TRAINING, n_steps=n_steps))


def change(values, digits):
    """Mean of a change over all seeds, with half the width of its interval."""
    return f"{values.mean():+.{digits}f} +- {half_width_of_mean(values):.{digits}f}"
