"""``tiocross compare``: the recommended training beside other methods, on one task."""

from dataclasses import replace

import numpy as np

from tiocross.checks import nearest_name
from tiocross.commands.points import GENERATED, SEED, chosen_task, named_task
from tiocross.commands.studies import prepare_run, settings_from
from tiocross.devices.published import find_device
from tiocross.devices.tio2 import TIO2_8X8
from tiocross.study.comparison import kind_of_method, make_comparison
from tiocross.study.effort import describe_effort
from tiocross.study.methods import COMPARED
from tiocross.study.results import short_name

_VALIDATION_SEED, _N_VALIDATION = 4_712, 1_000  # of the points that choose learning rates and strengths
_FIRST_SEED = 100  # of training and chips; the first ones had a part in it too
QUICK_ROWS = ("regular", "straight line, robustly trained", "hardware-aware (paper)", "hardware-aware, centred inputs",
              "ROBUST")


def prepare(arguments):
    """The run that the command line asks for, ready to be called."""
    if arguments.list:
        return list_rows
    recipes = choose_recipes(arguments.only, arguments.quick)
    settings = settings_from(arguments, recipes, n_seeds=2 if arguments.quick else 10,
                             n_transfers=2_000 if arguments.quick else 5_000, first_seed=_FIRST_SEED)
    device = TIO2_8X8 if arguments.device is None else find_device(arguments.device)
    task = make_task(arguments)
    return prepare_run(make_comparison(task, device, settings, quick=arguments.quick), arguments, announce=describe_effort)


def list_rows():
    """Print a line for each row: its short name, its name, its kind."""
    for recipe in COMPARED:
        print(f"{short_name(recipe.name)}  {recipe.name}: {kind_of_method(recipe)}")


def choose_recipes(names, quick):
    """Rows by their names, in the order of the table; without names all of them, or the few of a first look."""
    if names is None:
        found = QUICK_ROWS if quick else [recipe.name for recipe in COMPARED]
    else:
        found = [row for name in names for row in _rows_named(name)]
    return [recipe for recipe in COMPARED if recipe.name in found]


def _rows_named(name):
    """Rows that a word of the command line names: one, or several with commas between them."""
    names = [recipe.name for recipe in COMPARED]
    known = {name.lower(): name for name in names} | {short_name(name): name for name in names}
    if name.lower() in known:
        return [known[name.lower()]]
    parts = [part.strip().lower() for part in name.split(",")]
    if len(parts) > 1 and all(part in known for part in parts):
        return [known[part] for part in parts]
    hint = nearest_name(name.lower(), known)
    for spelling, row in known.items():
        hint = hint.replace(f"{spelling!r}", f"{row!r}")
    hint = hint if hint.startswith("did") else "tiocross compare --list shows all"
    raise ValueError(f"row {name!r} is unknown; {hint}")


def make_task(arguments):
    """The points that the command line names, with a thousand validation points where they are generated."""
    task = chosen_task(arguments, generated_task)
    if task.validation is None:
        what = f"--data {arguments.data}" if arguments.data is not None else f"--task {arguments.task}"
        raise ValueError(f"{what}: learning rates and strengths are chosen on validation points, of which it has none; put "
                         "some of the training points into moons_validation.csv, or take another task")
    return task


def generated_task(name):
    """A task by its name; of a generated one points that had no part in tuning."""
    if name not in GENERATED:
        return named_task(name)
    task = GENERATED[name](rng=np.random.default_rng(SEED))
    more = GENERATED[name](rng=np.random.default_rng(_VALIDATION_SEED), n_validation=_N_VALIDATION)
    return replace(task, validation=more.validation)
