"""``tiocross experiment``: train in processes, transfer in threads, write results as they come."""

import contextlib
import itertools
import multiprocessing
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, ThreadPoolExecutor, wait

from tiocross.commands.progress import ProgressLine
from tiocross.commands.results import ResultsFolder, draw_figures, fingerprint
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
from tiocross.experiment.transfers import transfer

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
    try:
        for kind, *result in _run_all(moons, card, settings, workers):
            (results.add_network if kind == "network" else results.add_row)(*result)
        draw_figures(folder, moons, card, settings, results.networks, results.outcomes)
        results.save(complete=True)
    except KeyboardInterrupt:
        results.progress.close()
        print(f"interrupted: {len(results.rows)} of {results.n_rows} rows are in {folder.path / 'summary.json'}")
        raise
    finally:
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
        return [self.rows[name, seed, resistance] for name, resistance, seed in keys if (name, seed, resistance) in self.rows]

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


def _run_all(moons, device, settings, workers):
    """Yield ("network", recipe, seed, network) and ("row", ...) as they are ready."""
    if workers == 1:
        for recipe in RECIPES:
            for seed, network in zip(settings.seeds, train_recipe(recipe, moons, device, settings)):
                yield "network", recipe, seed, network
                for resistance in settings.wire_resistances:
                    yield "row", *_transfer_task(network, recipe, seed, resistance, moons, device, settings, None)
        return
    context = multiprocessing.get_context("spawn")
    stop_training, stop_transfers = context.Event(), threading.Event()
    trainers = ProcessPoolExecutor(min(workers, len(RECIPES)), context, _begin_process, (stop_training,))
    judges = ThreadPoolExecutor(workers, thread_name_prefix="tiocross")
    try:
        with _interrupts_held():  # a Ctrl-C while processes start would leave them half made
            training = {trainers.submit(_train_task, recipe, moons, device, settings): recipe for recipe in RECIPES}
        transfers = set()
        while training or transfers:
            done, _ = wait({*training, *transfers}, return_when=FIRST_COMPLETED)
            for future in done:
                if future in transfers:
                    transfers.remove(future)
                    yield "row", *future.result()
                    continue
                recipe = training.pop(future)
                for seed, network in zip(settings.seeds, future.result()):
                    yield "network", recipe, seed, network
                    transfers |= {judges.submit(_transfer_task, network, recipe, seed, resistance, moons, device, settings,
                                                stop_transfers) for resistance in settings.wire_resistances}
    finally:
        stop_training.set()
        stop_transfers.set()
        judges.shutdown(wait=True, cancel_futures=True)
        trainers.shutdown(wait=True, cancel_futures=True)


def _transfer_task(network, recipe, seed, resistance, moons, device, settings, stop):
    def check(done, total):
        if stop is not None and stop.is_set():
            raise InterruptedError("the transfer was asked to stop")

    outcome = transfer(network, moons.test, device=device, wire_resistance=resistance, n_transfers=settings.n_transfers,
                       rng=chip_generator(seed), on_progress=check)
    return recipe, seed, resistance, make_row(recipe, seed, outcome), outcome.rates, outcome.accuracies


def _begin_process(stop):
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides


def _train_task(recipe, moons, device, settings):
    def check(done, total):
        if done % 64 == 0 and _stop.is_set():
            raise InterruptedError("training was asked to stop")

    return train_recipe(recipe, moons, device, settings, on_progress=check)


@contextlib.contextmanager
def _interrupts_held():
    """Deliver an interrupt after the block instead of within it."""
    arrived = []
    try:
        before = signal.signal(signal.SIGINT, lambda *_: arrived.append(True))
    except ValueError:  # not the main thread: no interrupts come here
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if arrived:
        raise KeyboardInterrupt
