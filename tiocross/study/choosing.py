"""How fast a method learns, and how strong it is: chosen from a small grid, of the same size for every method.

What is chosen is told by validation points on simulated chips. Training and chips have seeds of their own: neither test
points nor the networks and chips of the table have a part in it.
"""

import itertools
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tiocross.study.crew import stop_if_asked
from tiocross.study.finished import Nothing
from tiocross.study.starts import train_starts
from tiocross.transfers.chips import Chips
from tiocross.transfers.judging import compile_kernels, judge_chips
from tiocross.transfers.summary import robust_fraction

RATE = "rate"
RATES = (0.1, 0.4, 1.6)  # beside three strengths
ONLY_RATES = (0.1, 0.14, 0.2, 0.28, 0.4, 0.57, 0.8, 1.1, 1.6)  # where there is no strength: as many trials, the same range
SEEDS = (0, 1)  # each value is tried with
N_CHIPS = 500  # of each network that is tried


class Strength(NamedTuple):
    """What a method can do more or less of."""

    name: str  # as people read it
    values: tuple[float, ...]  # to try, in rising order (unitless)
    techniques: Callable  # (value, device) -> tuple of Technique


class Choice(NamedTuple):
    """What was chosen for a method, and from what."""

    name: str  # of its row
    values: dict  # "rate", and the strength under its name (unitless)
    trials: list  # pairs of values and the robust share that they gave on validation points (unitless)
    core_seconds: float  # of all trials, on one core [s]

    @property
    def at_edge(self):
        """Names of values that are the first or the last of the grid: more might be had beyond."""
        tried = {name: [values[name] for values, _ in self.trials] for name in self.values}
        return [name for name, value in self.values.items() if value in (min(tried[name]), max(tried[name]))]

    @property
    def text(self):
        """The values as people read them."""
        return text_of(self.values)


def text_of(values):
    """Values as people read them: "rate 0.3, noise 0.1"."""
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def grid_of(strength):
    """The values that are tried for a method; ``strength`` is None where it has none."""
    if strength is None:
        return [{RATE: rate} for rate in ONLY_RATES]
    return [{RATE: rate, strength.name: value} for rate, value in itertools.product(RATES, strength.values)]


def with_values(recipe, values, strength, device):
    """A recipe with these values in place of its own."""
    techniques = recipe.techniques if strength is None else strength.techniques(values[strength.name], device)
    return replace(recipe, techniques=techniques, training=replace(recipe.training, learning_rate=values[RATE]))


def choose_values(recipes, strengths, task, device, crew, on_trial=lambda n_done: None, kept=Nothing()):
    """`Choice` for each of the recipes; ``strengths`` has the `Strength` of those that have one, by name. ``kept`` is what
    a run has `Finished`."""
    jobs = [(k, values, with_values(recipe, values, strengths.get(recipe.name), device))
            for k, recipe in enumerate(recipes) for values in grid_of(strengths.get(recipe.name))]
    found, left = [{} for _ in recipes], []
    for k, values, recipe in jobs:
        tried = kept.record("tried", recipe.name, text_of(values))
        if tried is None:
            left.append((k, values, recipe, task, device))
        else:
            found[k][text_of(values)] = tried["share"], tried["core_seconds"]
    for n_done, ((k, values, *_), tried) in enumerate(crew.each(_try, left), len(jobs) - len(left) + 1):
        found[k][text_of(values)] = tried
        kept.keep(("tried", recipes[k].name, text_of(values)), {"share": tried[0], "core_seconds": tried[1]})
        on_trial(n_done)
    return [_best(recipe, grid_of(strengths.get(recipe.name)), tried) for recipe, tried in zip(recipes, found)]


def _best(recipe, grid, tried):
    """The values with the largest share; of equal ones the first."""
    shares = [tried[text_of(values)][0] for values in grid]
    return Choice(recipe.name, grid[int(np.argmax(shares))], list(zip(grid, shares)),
                  sum(seconds for _, seconds in tried.values()))


def _try(_, __, recipe, task, device):
    return try_recipe(recipe, task, device, on_progress=stop_if_asked)


def try_recipe(recipe, task, device, on_progress=None):
    """Robust share of a recipe on validation points, a mean over seeds, from one start of each kind of units; and the
    seconds of one core that this took."""
    once = replace(recipe, activations=tuple(dict.fromkeys(recipe.activations)))
    rngs = [np.random.default_rng([seed, 2]) for seed in SEEDS]
    warm_up(recipe, task, device, recipe.training)
    begun = clock()
    networks = train_starts(once, task.train, device, rngs=rngs, settings=recipe.training, on_progress=on_progress)
    shares = []
    for seed, network in zip(SEEDS, networks):
        chips = Chips(network, device, layout=recipe.layout(network.shapes, device), rng=np.random.default_rng([seed, 3]))
        shares.append(robust_fraction(judge_chips(task.validation, chips, n_transfers=N_CHIPS).rates, 0.95))
    return float(np.mean(shares)), clock() - begun


def warm_up(recipe, task, device, training):
    """Compile what training and judging need, so that it is not counted as cost."""
    compile_kernels()
    for activation in dict.fromkeys(recipe.activations):
        train_starts(replace(recipe, activations=(activation,)), task.train, device, rngs=[np.random.default_rng(0)],
                     settings=replace(training, n_steps=5, n_epochs=None))


def clock():
    """Seconds of one core that this process has used so far; in the main process, whose threads do other work, this
    thread [s]."""
    return time.process_time() if multiprocessing.parent_process() else time.thread_time()
