"""``tiocross experiment``: train in processes, transfer in threads, write results as they come."""

import contextlib
import itertools
import multiprocessing
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
    RECIPES,
    ExperimentSettings,
    chip_generator,
    format_table,
    make_row,
    train_recipe,
)
from tiocross.experiment.transfers import compile_kernels, transfer

_stop = None  # in a training process: the event that asks it to stop


def run_experiment(*, out, data, device, n_seeds, n_transfers, wire_resistances, workers):
    """Run the experiment and write its results folder.

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

    Returns
    -------
    int
        0.

    Raises
    ------
    ValueError
        For bad input, before anything is written or computed.
    """
    started = time.time()
    as_count("the number of seeds", n_seeds)
    as_count("the number of workers", workers)
    settings = ExperimentSettings(seeds=tuple(range(n_seeds)), n_transfers=n_transfers,
                                  wire_resistances=tuple(float(r) for r in wire_resistances))
    moons = load_moons(data)
    card = TIO2 if device is None else load_device(device)
    folder = ResultsFolder(out)
    folder.clear()
    overlaps = moons.overlaps
    if any(overlaps.values()):
        print(f"note: of the {len(moons.test)} test points {overlaps['test_points_in_train']} also stand in the training "
              f"data and {overlaps['test_points_in_validation']} in the validation data; this flatters every row")
    results = _Results(folder, settings, moons, card, workers, started)
    crew = _Crew(workers)
    try:
        for kind, *result in _run_all(crew, moons, card, settings):
            (results.add_network if kind == "network" else results.add_row)(*result)
        figures = [crew.start(draw_figure, name, folder.path, moons, card, settings, results.networks, results.outcomes)
                   for name in FIGURES]
        for figure in figures:
            figure.result()
        results.save(complete=True)
    except KeyboardInterrupt:
        results.progress.close()
        kept = f"{len(results.rows)} of {results.n_rows} rows are in {folder.path / 'summary.json'}"
        print(f"stopped before the end; {kept if results.rows else 'no row was finished'}")
        raise
    finally:
        crew.dismiss()
        results.progress.close()
    table = format_table(results.ordered_rows())
    folder.save_text("table.txt", table)
    _print_report(table, settings, moons, card, folder, time.time() - started)
    return 0


class _Results:
    """What is finished so far, in memory and in the folder."""

    def __init__(self, folder, settings, moons, device, workers, started):
        self.folder, self.settings, self.moons, self.device = folder, settings, moons, device
        self.workers, self.started = workers, started
        self.networks, self.outcomes, self.rows = {}, {}, {}
        n_networks = len(RECIPES) * len(settings.seeds)
        self.n_rows = n_networks * len(settings.wire_resistances)
        self.progress = ProgressLine(**{"networks trained": n_networks, "transfers": self.n_rows})

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
        keys = itertools.product((recipe.name for recipe in RECIPES), self.settings.wire_resistances, self.settings.seeds)
        return [self.rows[key] for name, resistance, seed in keys if (key := (name, seed, resistance)) in self.rows]

    def save(self, complete):
        self.folder.save_rows(self.ordered_rows(), self.settings, self.moons, complete=complete)
        self.folder.save_provenance(device=to_json(self.device), data_sha256=fingerprint(self.moons), workers=self.workers,
                                    training=vars(self.settings.training), seconds=round(time.time() - self.started, 2))


def _print_report(table, settings, moons, card, folder, seconds):
    print(f"{len(moons.test)} test points ({moons.source}), {settings.n_transfers} chips each, {card.name}; "
          f"mean +- spread over {len(settings.seeds)} training seed(s)")
    print("robust p %: share of test points that are right on at least p % of the chips. A straight line wins it cheaply:")
    print("read it beside the nominal accuracy.\n")
    print(table)
    print(f"results, networks and figures are in {folder.path} ({seconds:.1f} s)")


class _Crew:
    """Processes for training and figures, which hold the interpreter, and threads for transfers, which do not.

    With one worker everything runs in this thread, as it is handed in.
    """

    def __init__(self, workers):
        self.stop = threading.Event()
        self.n_ahead = 2 * workers if workers > 1 else 1
        self.compiles_first = workers > 1
        self._processes = self._threads = None
        if workers > 1:
            context = multiprocessing.get_context("spawn")
            self._stop_processes = context.Event()
            self._processes = ProcessPoolExecutor(workers, context, _begin_process, (self._stop_processes,))
            self._threads = ThreadPoolExecutor(workers, thread_name_prefix="tiocross")

    def start(self, function, *arguments):
        """Future of ``function(*arguments)`` in a process; it can ask `_check_stop` whether to go on."""
        if self._processes is None:
            return _done_now(function, *arguments)
        with _interrupts_held():  # a Ctrl-C while a process starts would leave it half made
            return self._processes.submit(function, *arguments)

    def start_thread(self, function, *arguments):
        """Future of ``function(*arguments)`` in a thread."""
        return _done_now(function, *arguments) if self._threads is None else self._threads.submit(function, *arguments)

    def dismiss(self):
        """Stop what runs, drop what waits, and return when all is quiet."""
        self.stop.set()
        if self._processes is not None:
            self._stop_processes.set()
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._processes.shutdown(wait=True, cancel_futures=True)


def _run_all(crew, moons, device, settings):
    """Yield ("network", recipe, seed, network) and ("row", ...) as they are ready."""
    waiting = list(RECIPES)
    training, transfers = {}, set()
    while waiting or training or transfers:
        # Few are handed out ahead: with one worker handing out is doing, and rows should come early.
        while waiting and len(training) < crew.n_ahead:
            recipe = waiting.pop(0)
            training[crew.start(_train_task, recipe, moons, device, settings)] = recipe
        if crew.compiles_first:
            compile_kernels()  # meanwhile, and in this thread, where Ctrl-C reaches it
            crew.compiles_first = False
        done, _ = wait({*training, *transfers}, return_when=FIRST_COMPLETED)
        for future in done:
            if future in transfers:
                transfers.remove(future)
                yield "row", *future.result()
                continue
            recipe = training.pop(future)
            for seed, network in zip(settings.seeds, future.result()):
                yield "network", recipe, seed, network
                for resistance in settings.wire_resistances:
                    transfers.add(crew.start_thread(_transfer_task, network, recipe, seed, resistance, moons, device,
                                                    settings, crew.stop))


def _transfer_task(network, recipe, seed, resistance, moons, device, settings, stop):
    def check(done, total):
        if stop.is_set():
            raise InterruptedError("the transfer was asked to stop")

    outcome = transfer(network, moons.test, device=device, wire_resistance=resistance, n_transfers=settings.n_transfers,
                       rng=chip_generator(seed), on_progress=check)
    return recipe, seed, resistance, make_row(recipe, seed, outcome), outcome.rates, outcome.accuracies


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
    if not hasattr(signal, "pthread_sigmask"):  # Windows: the processes ignore it once they run
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
