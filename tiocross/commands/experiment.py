"""``tiocross experiment``: train in processes, transfer in threads, write results as they come."""

import contextlib
import gc
import itertools
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait

from tiocross.commands.progress import ProgressLine
from tiocross.commands.results import FIGURES, ResultsFolder, draw_figure, fingerprint
from tiocross.datasets import load_moons
from tiocross.devices.files import load_device, to_json
from tiocross.devices.tio2 import TIO2
from tiocross.errors import as_count
from tiocross.experiment.half_moons import (
    MORE_RECIPES, RECIPES, ExperimentSettings, chip_generator, format_table, make_row, train_recipe)
from tiocross.experiment.transfers import SimulatedChips, compile_kernels, judge_chips

_LARGEST_MEMORY = 16e9  # [bytes] of transfers in flight
READING_NOTES = """\
nominal: accuracy in software. mean, 5th pct: accuracy over chips. robust p %: share of test points that are right on at
least p % of the chips. Read it beside the nominal accuracy: the straight line has few weights to go wrong.
"hardware-aware (paper)": the paper's techniques on physical devices; its headline belongs to other coordinates (README)."""
_stop = None  # in a training process: the event that asks it to stop


def prepare(arguments):
    """The run that the command line asks for, ready to be called."""
    quick, n_seeds, n_transfers, workers = arguments.quick, arguments.seeds, arguments.transfers, arguments.workers
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Experiment(out=arguments.out, data=arguments.data, device=arguments.device,
                      n_seeds=n_seeds if n_seeds is not None else (1 if quick else 3),
                      n_transfers=n_transfers if n_transfers is not None else (2_000 if quick else 20_000),
                      wire_resistances=arguments.wire_resistance, workers=cpus if workers is None else workers,
                      recipes=(*RECIPES, *MORE_RECIPES) if arguments.more else RECIPES).run


class Experiment:
    """The experiment, ready to run: making it checks everything that can be wrong, before anything is changed.

    Parameters
    ----------
    out : str
        Results folder (unitless).
    data, device : str or None
        Folder with half moons and device file; None for the shipped ones (unitless).
    n_seeds, n_transfers, workers : int
        Training seeds, chips for each network, processes and threads (unitless).
    wire_resistances : list of float
        Of one wire segment [ohm].
    recipes : tuple of Recipe, optional
        Rows of the table (unitless).

    Raises
    ------
    ValueError, TypeError, OSError
        For bad input; nothing was written then.
    """

    def __init__(self, *, out, data, device, n_seeds, n_transfers, wire_resistances, workers, recipes=RECIPES):
        as_count("the number of seeds", n_seeds)
        self.workers = as_count("the number of workers", workers)
        self.settings = ExperimentSettings(seeds=tuple(range(n_seeds)), n_transfers=n_transfers,
                                           wire_resistances=tuple(float(r) for r in wire_resistances),
                                           recipes=recipes)
        self.moons = load_moons(data)
        self.device = TIO2 if device is None else load_device(device)
        n_bytes = n_transfers * len(self.moons.test) * self.workers
        if n_bytes > _LARGEST_MEMORY:
            raise ValueError(f"{n_transfers} transfers of {len(self.moons.test)} points with {self.workers} workers take "
                             f"{n_bytes / 1e9:.0f} GB of memory; ask for fewer")
        self.folder = ResultsFolder(out)

    def run(self):
        """Train, transfer, draw, and write the results folder."""
        results = _Results(self)
        crew = _Crew(self.workers)
        try:
            for kind, *result in _run_all(crew, self.moons, self.device, self.settings):
                with _interrupts_held():  # what is in memory, in the files and in the message shall agree
                    (results.add_network if kind == "network" else results.add_row)(*result)
            _draw_all(crew, self, results)
            results.save(complete=True)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough; what follows takes a moment
            results.progress.close()
            crew.abandon()
            kept = f"{len(results.rows)} of {results.n_rows} rows are in {self.folder.path / 'summary.json'}"
            print(f"stopped before the end; {kept if results.rows else 'no row was finished'}")
            raise
        finally:
            results.progress.close()
            crew.dismiss()
        report = _report(results.ordered_rows(), self)
        self.folder.save_text("table.txt", report)
        print(f"{report}\nresults, networks and figures are in {self.folder.path} "
              f"({time.monotonic() - results.started:.1f} s)")


def _draw_all(crew, experiment, results):
    figures = [crew.start(draw_figure, name, experiment.folder.path, experiment.moons, experiment.device,
                          experiment.settings, results.networks, results.outcomes) for name in FIGURES]
    for figure in figures:
        figure.result()


class _Results:
    """What is finished so far, in memory and in the folder."""

    def __init__(self, experiment):
        self.started = time.monotonic()
        self.experiment, self.folder, self.settings = experiment, experiment.folder, experiment.settings
        self.networks, self.outcomes, self.rows = {}, {}, {}
        self.data_sha256 = fingerprint(experiment.moons)
        n_networks = len(self.settings.recipes) * len(self.settings.seeds)
        self.n_rows = n_networks * len(self.settings.wire_resistances)
        self.progress = ProgressLine(**{"networks trained": n_networks, "transfers": self.n_rows})
        self.folder.begin()
        self.save_provenance()

    def add_network(self, recipe, seed, network):
        self.networks[recipe.name, seed] = network
        self.folder.save_network(network, recipe, seed)
        self.progress.update("networks trained", len(self.networks))

    def add_row(self, recipe, seed, resistance, row, rates, accuracies):
        self.rows[recipe.name, seed, resistance] = row
        self.outcomes[recipe.name, seed, resistance] = rates, accuracies
        self.progress.update("transfers", len(self.rows))
        self.save(complete=False)

    def ordered_rows(self):
        names = [recipe.name for recipe in self.settings.recipes]
        keys = itertools.product(names, self.settings.wire_resistances, self.settings.seeds)
        return [self.rows[key] for name, resistance, seed in keys if (key := (name, seed, resistance)) in self.rows]

    def save(self, complete):
        self.folder.save_rows(self.ordered_rows(), self.settings, self.experiment.moons, complete=complete)
        self.save_provenance()

    def save_provenance(self):
        self.folder.save_provenance(
            device=to_json(self.experiment.device),
            data_sha256=self.data_sha256,
            workers=self.experiment.workers,
            training=vars(self.settings.training),
            recipes=[vars(recipe) for recipe in self.settings.recipes],
            seconds=round(time.monotonic() - self.started, 2),
        )


def _report(rows, experiment):
    """The table, with what is needed to read it."""
    moons, settings = experiment.moons, experiment.settings
    n_seeds, overlaps = len(settings.seeds), moons.overlaps
    spread = "mean +- standard deviation over seeds" if n_seeds > 1 else "95 % interval over chips and points in brackets"
    lines = [f"{len(moons.test)} test points ({moons.source})",
             f"{settings.n_transfers} chips of {experiment.device.name}; training seeds: {n_seeds}; {spread}"]
    if any(overlaps.values()):
        lines.append(f"note: {overlaps['test_points_in_train']} of the test points also stand in the training data, "
                     f"{overlaps['test_points_in_validation']} in the validation data; this may flatter every row")
    return "\n".join([*lines, "", format_table(rows), READING_NOTES, ""])


class _Crew:
    """Processes for training and figures, which hold the interpreter, and threads for transfers, which do not.

    With one worker, training and figures run in this thread as they are handed in. Transfers and compilation are never
    in this thread, so that Ctrl-C always finds it awake.
    """

    def __init__(self, workers):
        self.stop = threading.Event()
        self.n_ahead = 2 * workers if workers > 1 else 1
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="tiocross")
        self._processes = None
        if workers > 1:
            context = multiprocessing.get_context("spawn")
            self._stop_processes = context.Event()
            self._processes = ProcessPoolExecutor(workers, context, _begin_process, (self._stop_processes,))

    def start(self, function, *arguments):
        """Future of ``function(*arguments)`` in a process; training looks at `_stop` there to see whether to go on."""
        if self._processes is None:
            return _done_now(function, *arguments)
        with _interrupts_held():  # a Ctrl-C while a process starts would leave it half made
            return self._processes.submit(function, *arguments)

    def start_thread(self, function, *arguments):
        """Future of ``function(*arguments)`` in a thread."""
        return self._threads.submit(function, *arguments)

    def dismiss(self):
        """Stop what runs, drop what waits, and return when all is quiet."""
        self.stop.set()
        if self._processes is not None:
            self._stop_processes.set()
            self._processes.shutdown(wait=True, cancel_futures=True)
        self._threads.shutdown(wait=True, cancel_futures=True)

    def abandon(self):
        """The same within a second: processes that do not stop by themselves are ended, threads are left to end at
        their next block of chips."""
        self.stop.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._processes is not None:
            self._stop_processes.set()
            closing = threading.Thread(target=self._processes.shutdown, kwargs={"cancel_futures": True}, daemon=True)
            closing.start()
            closing.join(0.5)
            for process in multiprocessing.active_children():
                process.terminate()
            closing.join(0.2)  # Python 3.10 may wait for ended processes for ever
        self._processes = self._stop_processes = None
        gc.collect()  # gives the processes' semaphores back, which a process that ends without clean-up would leak
        self.dismiss = lambda: None


def _run_all(crew, moons, device, settings):
    """Yield ("network", recipe, seed, network) and ("row", ...) as they are ready."""
    waiting = list(settings.recipes)
    training, transfers = {}, set()
    compiled = crew.start_thread(compile_kernels)  # while the first networks are trained
    while waiting or training or transfers:
        # Few are handed out ahead: with one worker handing out is doing, and rows should come early.
        while waiting and len(training) < crew.n_ahead:
            recipe = waiting.pop(0)
            training[crew.start(_train_task, recipe, moons, device, settings)] = recipe
        done, _ = wait({*training, *transfers}, return_when=FIRST_COMPLETED)
        for future in done:
            if future in transfers:
                transfers.remove(future)
                yield from future.result()
                continue
            recipe = training.pop(future)
            for seed, network in zip(settings.seeds, future.result()):
                yield "network", recipe, seed, network
                transfers.add(crew.start_thread(_transfer_task, compiled, network, recipe, seed, moons, device, settings,
                                                crew.stop))


def _transfer_task(compiled, network, recipe, seed, moons, device, settings, stop):
    """("row", ...) of one network for each wire resistance, on chips that are programmed once."""
    compiled.result()

    def check(done, total):
        if stop.is_set():
            raise InterruptedError("the transfer was asked to stop")

    chips, rows = SimulatedChips(network, device, rng=chip_generator(seed)), []
    for resistance in settings.wire_resistances:
        outcome = judge_chips(network, moons.test, chips.with_wires(resistance), n_transfers=settings.n_transfers,
                              on_progress=check)
        rows.append(("row", recipe, seed, resistance, make_row(recipe, seed, outcome), outcome.rates, outcome.accuracies))
    return rows


def _train_task(recipe, moons, device, settings):
    def check(done, total):
        if _stop is not None and done % 64 == 0 and _stop.is_set():
            raise InterruptedError("training was asked to stop")

    return train_recipe(recipe, moons, device, settings, on_progress=check)


def _begin_process(stop):
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides


def _done_now(function, *arguments):
    future = Future()
    future.set_result(function(*arguments))
    return future


@contextlib.contextmanager
def _interrupts_held():
    """Deliver an interrupt after the block instead of within it; processes started in the block never get one."""
    arrived = []
    before = signal.signal(signal.SIGINT, lambda *_: arrived.append(True))
    masks = hasattr(signal, "pthread_sigmask")  # elsewhere (Windows) the processes ignore it once they run
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masks else None
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
    if arrived:
        raise KeyboardInterrupt
