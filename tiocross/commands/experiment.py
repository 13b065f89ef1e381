"""``tiocross experiment``: the paper's experiment, end to end."""

from dataclasses import replace

from tiocross.checks import as_count
from tiocross.commands.points import chosen_task
from tiocross.commands.studies import prepare_run, settings_from
from tiocross.devices.published import find_device
from tiocross.devices.tio2 import TIO2
from tiocross.study.experiment import MORE_ROWS, QUICK_ROWS, ROWS, make_experiment


def prepare(arguments):
    """The run that the command line asks for, ready to be called."""
    rows = MORE_ROWS if arguments.more else QUICK_ROWS if arguments.quick else ROWS
    if arguments.hidden is not None:
        rows = with_hidden(rows, arguments.hidden)
    settings = settings_from(arguments, rows,
                             n_seeds=1 if arguments.quick else 3, n_transfers=2_000 if arguments.quick else 20_000)
    device = TIO2 if arguments.device is None else find_device(arguments.device)
    return prepare_run(make_experiment(chosen_task(arguments), device, settings), arguments)


def with_hidden(recipes, hidden):
    """Recipes with these hidden layers, but for a straight line, which has none."""
    hidden = tuple(as_count("--hidden", size) for size in hidden)
    return tuple(replace(recipe, sizes=(2, *hidden, 1)) if len(recipe.sizes) > 2 else recipe for recipe in recipes)
