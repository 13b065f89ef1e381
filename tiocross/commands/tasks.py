"""``tiocross tasks``: tasks whose answer was published, one table."""

from tiocross.checks import as_count, nearest_name
from tiocross.commands.progress import ProgressLine
from tiocross.commands.studies import count_workers, run_and_print
from tiocross.storage import require_unlocked
from tiocross.study.published import KNOWN
from tiocross.study.results import ResultsFolder, short_name
from tiocross.study.task_table import TaskTable

_QUICK_SHARE = 0.2  # of the steps


def prepare(arguments):
    """The run that the command line asks for, ready to be called."""
    if arguments.list:
        return list_tasks
    known = choose_tasks(arguments.only)
    quick = arguments.quick
    n_seeds = as_count("the number of seeds", arguments.seeds if arguments.seeds is not None else 1 if quick else 3)
    n_transfers = 200 if quick else 1_000
    n_transfers = as_count("--transfers", n_transfers if arguments.transfers is None else arguments.transfers)
    out = arguments.out or f"results/tasks{'_quick' if quick else ''}"
    require_unlocked(out)
    folder = ResultsFolder(out, overwrite=arguments.overwrite, resume=arguments.resume)
    table = TaskTable(known, folder, seeds=range(n_seeds), n_transfers=n_transfers,
                      share_of_steps=_QUICK_SHARE if quick else 1.0, workers=count_workers(arguments.workers))
    progress = ProgressLine(**table.counts)
    table.report_progress = progress.update
    held = folder.locked()  # the last step: all else is known to be good
    return lambda: run_and_print(table, progress, held, table.counts["networks judged"], "results and networks")


def list_tasks():
    """Print a line for each task."""
    for known in KNOWN:
        print(f"{short_name(known.name)}  {known.name}: {known.published}")


def choose_tasks(names):
    """Known tasks by their names or short names, in the order of the table; all without names."""
    known = {task.name.lower(): task for task in KNOWN} | {short_name(task.name): task for task in KNOWN}
    for name in names or ():
        if name.lower() not in known:
            raise ValueError(f"task {name!r} is unknown; {nearest_name(name.lower(), known)}")
    found = [known[name.lower()] for name in names or ()]
    return [task for task in KNOWN if names is None or task in found]
