"""``tiocross compare``: the recommended training beside other methods, on one task."""

from dataclasses import replace

import numpy as np

from tiocross.checks import require_name
from tiocross.commands.studies import prepare_run, settings_from
from tiocross.devices.files import load_device
from tiocross.devices.tio2 import TIO2_8X8
from tiocross.study.comparison import make_comparison
from tiocross.study.methods import COMPARED, shorten
from tiocross.study.recipes import ExperimentSettings
from tiocross.tasks import generate_circles, generate_moons, generate_patterns, generate_spirals, load_moons

_TASKS = {"moons": generate_moons, "circles": generate_circles, "spirals": generate_spirals, "patterns": generate_patterns}
_TASK_SEED = 4_711  # of the generated points, half moons too: the shipped ones had a part in tuning the recipe
_FIRST_SEED = 100  # of training and chips; the first ones had a part in it too
QUICK_ROWS = ("regular", "straight line, robustly trained", "hardware-aware (paper)", "hardware-aware, centred inputs",
              "ROBUST")
_QUICK_STEPS = 1500


def prepare(arguments):
    """The run that the command line asks for, ready to be called."""
    recipes = choose_recipes(arguments.only, arguments.quick)
    if arguments.quick:
        training = replace(ExperimentSettings().training, n_steps=_QUICK_STEPS)
        settings = settings_from(arguments, [shorten(recipe, _QUICK_STEPS) for recipe in recipes], n_seeds=2,
                                 n_transfers=2_000, first_seed=_FIRST_SEED, training=training)
    else:
        settings = settings_from(arguments, recipes, n_seeds=10, n_transfers=20_000, first_seed=_FIRST_SEED)
    device = TIO2_8X8 if arguments.device is None else load_device(arguments.device)
    return prepare_run(make_comparison(make_task(arguments.task, arguments.data), device, settings), arguments)


def choose_recipes(names, quick):
    """Rows by their names, in the order of the table; without names all of them, or the few of a first look."""
    names = (QUICK_ROWS if quick else [recipe.name for recipe in COMPARED]) if names is None else names
    for name in names:
        require_name("row", name, [recipe.name for recipe in COMPARED])
    return [recipe for recipe in COMPARED if recipe.name in names]


def make_task(name, folder):
    """Points of a task; half moons may come from a folder."""
    require_name("task", name, _TASKS)
    if name == "moons" and folder is not None:
        return load_moons(folder)
    if folder is not None:
        raise ValueError(f"--data is for half moons; {name} are generated")
    return _TASKS[name](rng=np.random.default_rng(_TASK_SEED))
