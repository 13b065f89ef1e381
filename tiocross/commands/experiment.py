"""``tiocross experiment``: the paper's experiment, end to end."""

from tiocross.commands.points import chosen_task
from tiocross.commands.studies import prepare_run, settings_from
from tiocross.devices.files import load_device
from tiocross.devices.tio2 import TIO2
from tiocross.study.experiment import MORE_ROWS, QUICK_ROWS, ROWS, make_experiment


def prepare(arguments):
    """The run that the command line asks for, ready to be called."""
    rows = MORE_ROWS if arguments.more else QUICK_ROWS if arguments.quick else ROWS
    settings = settings_from(arguments, rows,
                             n_seeds=1 if arguments.quick else 3, n_transfers=2_000 if arguments.quick else 20_000)
    device = TIO2 if arguments.device is None else load_device(arguments.device)
    return prepare_run(make_experiment(chosen_task(arguments), device, settings), arguments)
