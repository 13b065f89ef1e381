"""``tiocross tasks``: tasks whose answer was published, one table."""

import time

from tiocross.checks import as_count, nearest_name
from tiocross.commands.progress import ProgressLine
from tiocross.commands.studies import count_workers
from tiocross.report.write import write_report
from tiocross.storage import require_unlocked
from tiocross.study.crew import interrupts_ignored
from tiocross.study.published import KNOWN
from tiocross.study.results import ResultsFolder, file_name
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
    held = folder.locked()  # the last step: all else is known to be good
    return lambda: _run_and_print(table, held)


def list_tasks():
    """Print a line for each task."""
    for known in KNOWN:
        print(f"{_short(known.name)}  {known.name}: {known.published}")


def choose_tasks(names):
    """Known tasks by their names or short names, in the order of the table; all without names."""
    known = {task.name.lower(): task for task in KNOWN} | {_short(task.name): task for task in KNOWN}
    for name in names or ():
        if name.lower() not in known:
            raise ValueError(f"task {name!r} is unknown; {nearest_name(name.lower(), known)}")
    found = [known[name.lower()] for name in names or ()]
    return [task for task in KNOWN if names is None or task in found]


def _short(name):
    return file_name(name).lower().replace("_", "-")


def _run_and_print(table, held):
    began, progress = time.monotonic(), ProgressLine(**table.counts)
    table.report_progress = progress.update
    progress.start()
    try:
        with held:
            report = table.execute()
            page = write_report(table.folder.path)
    except KeyboardInterrupt:
        with interrupts_ignored():  # once is enough
            progress.close()
            print(f"stopped before the end; {len(table.rows)} of {table.counts['networks judged']} rows are in "
                  f"{table.folder.path / 'summary.json'}")
        raise
    finally:
        progress.close()
    print(f"{report}\nresults and networks are in {table.folder.path} ({time.monotonic() - began:.1f} s)"
          f"; a page to read is {page}")
