"""What ``tiocross experiment`` and ``tiocross compare`` share: sizes from the command line, and a run with its messages."""

import os
import time

from tiocross.checks import as_count
from tiocross.commands.progress import ProgressLine
from tiocross.report.write import write_report
from tiocross.study.crew import interrupts_ignored
from tiocross.study.recipes import ExperimentSettings
from tiocross.study.results import FIGURE_KINDS, ResultsFolder
from tiocross.storage import require_unlocked
from tiocross.study.run import Run


def settings_from(arguments, recipes, *, n_seeds, n_transfers, first_seed=0):
    """Seeds, chips and wires as the command line states them; ``n_seeds`` and ``n_transfers`` where it does not."""
    n_seeds = as_count("the number of seeds", n_seeds if arguments.seeds is None else arguments.seeds)
    return ExperimentSettings(seeds=tuple(range(first_seed, first_seed + n_seeds)), recipes=tuple(recipes),
                              until=arguments.until,
                              n_transfers=n_transfers if arguments.transfers is None else arguments.transfers,
                              wire_resistances=tuple(float(r) for r in arguments.wire_resistance))


def prepare_run(study, arguments, announce=None):
    """The run of a study in the folder that the command line names, checked and ready to be called; what ``announce`` makes
    of the study and the number of workers is printed first."""
    progress = ProgressLine(**study.counts)
    out = f"results/{study.name}{'_quick' if arguments.quick else ''}" if arguments.out is None else arguments.out
    kinds = FIGURE_KINDS[:1] if arguments.quick else FIGURE_KINDS  # a first look is not for print
    require_unlocked(out)  # who writes there is named before what lies there
    folder = ResultsFolder(out, overwrite=arguments.overwrite, resume=arguments.resume, kinds=kinds)
    run = Run(study, folder, workers=count_workers(arguments.workers), on_progress=progress.update)
    held = folder.locked()  # the last step: all else is known to be good

    def go():
        if announce is not None and (announced := announce(study, run.workers)):
            print(announced, flush=True)
        run_and_print(run, progress, held, study.counts["transfers"], "results, networks and figures")

    return go


def count_workers(asked):
    """How many processes and threads to use: as many as asked for, or one for each CPU."""
    if asked is not None:
        return asked
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_and_print(run, progress, held, n_rows, what):
    """Execute a run, or a table, of ``n_rows`` rows while its folder is ``held``, and print what comes of it; ``what`` lies
    in the folder then."""
    start = time.monotonic()
    progress.start()
    try:
        with held:
            report = run.execute()
            page = write_report(run.folder.path)
    except KeyboardInterrupt:
        with interrupts_ignored():  # once is enough
            progress.close()
            kept = f"{len(run.rows)} of {n_rows} rows are in {run.folder.path / 'summary.json'}"
            print(f"stopped before the end; {kept if run.rows else 'no row was finished'}")
        raise
    finally:
        progress.close()
    print(f"{report}\n{what} are in {run.folder.path} ({time.monotonic() - start:.1f} s)"
          f"; a page to read is {page}")
