"""``tiocross experiment``: train in processes, transfer in threads, write results as they come."""

import contextlib
import multiprocessing
import signal
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

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
    networks, outcomes, rows = {}, {}, {}

    def save(complete):
        order = [row for name in RECIPES for r in settings.wire_resistances for seed in settings.seeds
                 if (row := rows.get((name.name, seed, r))) is not None]
        folder.save_rows(order, settings, moons, complete=complete)
        folder.save_provenance(device=to_json(card), data_sha256=fingerprint(moons), workers=workers,
                               training=vars(settings.training), seconds=round(time.time() - started, 2))
        return order

    tasks = [(recipe, seed) for seed in settings.seeds for recipe in RECIPES]
    n_runs = len(tasks) * len(settings.wire_resistances)
    progress = ProgressLine(**{"networks trained": len(tasks), "transfers": n_runs})
    try:
        for recipe, seed, network in _train_all(tasks, moons, card, settings, workers):
            networks[recipe.name, seed] = network
            progress.update("networks trained", len(networks))
            folder.save_network(network, recipe, seed)
            for resistance in settings.wire_resistances:
                outcome = transfer(network, moons.test, device=card, wire_resistance=resistance, n_transfers=n_transfers,
                                   rng=chip_generator(seed), workers=workers,
                                   on_progress=lambda done, total: progress.update("transfers", len(rows) + done / total))
                outcomes[recipe.name, seed, resistance] = outcome.rates, outcome.accuracies
                rows[recipe.name, seed, resistance] = make_row(recipe, seed, outcome)
            save(complete=False)
        draw_figures(folder, moons, card, settings, networks, outcomes)
        finished = save(complete=True)
    except KeyboardInterrupt:
        progress.close()
        print(f"interrupted: {len(rows)} of {n_runs} rows are in {folder.path / 'summary.json'}")
        raise
    finally:
        progress.close()
    table = format_table(finished)
    folder.save_text("table.txt", table)
    _print_report(table, settings, moons, card, folder, time.time() - started)
    return 0


def _print_report(table, settings, moons, card, folder, seconds):
    print(f"{len(moons.test)} test points ({moons.source}), {settings.n_transfers} chips each, {card.name}; "
          f"mean +- spread over {len(settings.seeds)} training seed(s)")
    print("robust p %: share of test points that are right on at least p % of the chips. A straight line wins it cheaply:")
    print("read it beside the nominal accuracy.\n")
    print(table)
    print(f"results, networks and figures are in {folder.path} ({seconds:.1f} s)")


def _train_all(tasks, moons, device, settings, workers):
    """Yield (recipe, seed, network) as they are ready; in this process if there is one worker."""
    if workers == 1:
        for recipe, seed in tasks:
            yield recipe, seed, train_recipe(recipe, moons, device, seed, settings.training)
        return
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    executor = ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=_begin_process, initargs=(stop,))
    try:
        with _interrupts_held():  # a Ctrl-C while processes start would leave them half made
            futures = {executor.submit(_train_task, recipe, moons, device, seed, settings.training): (recipe, seed)
                       for recipe, seed in tasks}
        for future in as_completed(futures):
            yield (*futures.pop(future), future.result())
    finally:
        stop.set()
        executor.shutdown(wait=True, cancel_futures=True)


def _begin_process(stop):
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides


def _train_task(recipe, moons, device, seed, training):
    def check(done, total):
        if done % 64 == 0 and _stop.is_set():
            raise InterruptedError("training was asked to stop")

    return train_recipe(recipe, moons, device, seed, training, on_progress=check)


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
