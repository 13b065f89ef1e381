"""``tiocross experiment``: train in processes, transfer in threads, write results as they come."""

import itertools
import os
import signal
import time
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import fields, is_dataclass, replace

from tiocross.study.crew import Crew, interrupts_held, stop_if_asked
from tiocross.commands.progress import ProgressLine
from tiocross.study.results import FIGURES, ResultsFolder, draw_figure, fingerprint
from tiocross.tasks import Task, load_moons
from tiocross.devices.device import Device
from tiocross.devices.files import load_device, to_json
from tiocross.devices.tio2 import TIO2
from tiocross.checks import as_count
from tiocross.transfers.adaptation import Adaptation
from tiocross.transfers.chips import Chips
from tiocross.study.recipes import (
    MORE_RECIPES, RECIPES, ExperimentSettings, as_plain, chip_generator, format_table, make_row, train_recipe,
)
from tiocross.transfers.judging import compile_kernels, judge_chips

_LARGEST_MEMORY = 16e9  # [bytes] of transfers in flight
READING_NOTES = """\
nominal: accuracy in software. mean, 5th pct: accuracy over chips. robust p %: share of test points that are right on at
least p % of the chips. Read it beside the nominal accuracy: the straight line has few weights to go wrong.
"hardware-aware (paper)": the paper's techniques on physical devices; its headline belongs to other coordinates (README)."""


def prepare(arguments):
    """The run that the command line asks for, ready to be called."""
    quick, n_seeds, n_transfers = arguments.quick, arguments.seeds, arguments.transfers
    return Experiment(out=arguments.out, data=arguments.data, device=arguments.device,
                      n_seeds=n_seeds if n_seeds is not None else (1 if quick else 3),
                      n_transfers=n_transfers if n_transfers is not None else (2_000 if quick else 20_000),
                      wire_resistances=arguments.wire_resistance, workers=count_workers(arguments.workers),
                      recipes=(*RECIPES, *MORE_RECIPES) if arguments.more else RECIPES).run


def count_workers(asked):
    """How many processes and threads to use: as many as asked for, or one for each CPU."""
    if asked is not None:
        return asked
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Experiment:
    """The experiment, ready to run: making it checks everything that can be wrong, before anything is changed.

    Parameters
    ----------
    out : str
        Results folder (unitless).
    data : str, Task or None
        Folder with half moons, or the points themselves; None for the shipped ones (unitless).
    device : str, Device or None
        Device file, or the device itself; None for the published card (unitless).
    n_seeds, n_transfers, workers : int
        Training seeds, chips for each network, processes and threads (unitless).
    wire_resistances : list of float
        Of one wire segment [ohm].
    recipes : tuple of Recipe, optional
        Rows of the table (unitless).
    training : TrainingSettings, optional
        Of the recipes that bring none of their own; that of `ExperimentSettings` without it (unitless).
    first_seed : int, optional
        The first training seed (unitless).

    Raises
    ------
    ValueError, TypeError, OSError
        For bad input; nothing was written then.
    """

    notes = READING_NOTES
    more_counts = {}  # of the progress line, besides networks and transfers

    def __init__(self, *, out, data, device, n_seeds, n_transfers, wire_resistances, workers, recipes=RECIPES,
                 training=None, first_seed=0):
        as_count("the number of seeds", n_seeds)
        self.workers = as_count("the number of workers", workers)
        given = {} if training is None else {"training": training}
        self.settings = ExperimentSettings(seeds=tuple(range(first_seed, first_seed + n_seeds)), n_transfers=n_transfers,
                                           wire_resistances=tuple(float(r) for r in wire_resistances),
                                           recipes=recipes, **given)
        self.moons = data if isinstance(data, Task) else load_moons(data)
        self.device = TIO2 if device is None else device if isinstance(device, Device) else load_device(device)
        n_bytes = n_transfers * len(self.moons.test) * self.workers
        if n_bytes > _LARGEST_MEMORY:
            raise ValueError(f"{n_transfers} transfers of {len(self.moons.test)} points with {self.workers} workers take "
                             f"{n_bytes / 1e9:.0f} GB of memory; ask for fewer")
        self.folder = ResultsFolder(out)

    def run(self):
        """Train, transfer, draw, and write the results folder."""
        results = _Results(self)
        crew = Crew(self.workers)
        try:
            for kind, *result in self.run_all(crew, self.settings):
                with interrupts_held():  # what is in memory, in the files and in the message shall agree
                    (results.add_network if kind == "network" else results.add_row)(*result)
            report = _report(results.ordered_rows(), self)
            self.folder.save_text("table.txt", report)
            self.illustrate(crew, results)
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
        print(f"{report}\nresults, networks and figures are in {self.folder.path} "
              f"({time.monotonic() - results.started:.1f} s)")

    def illustrate(self, crew, results):
        """Draw the figures of finished rows."""
        draw_all(crew, [(draw_figure, name, self.folder.path, self.moons, self.device, self.settings, results.networks,
                         results.outcomes) for name in FIGURES])

    def make_row(self, recipe, seed, outcome):
        """Row of ``summary.json``."""
        return make_row(recipe, seed, outcome)

    def run_all(self, crew, settings):
        """Yield ("network", recipe, seed, network) and ("row", ...) as they are ready."""
        waiting = group_by_training(settings.recipes)
        training, transfers = {}, set()
        compiled = crew.start_thread(compile_kernels)  # while the first networks are trained
        while waiting or training or transfers:
            # Few are handed out ahead: with one worker handing out is doing, and rows should come early.
            while waiting and len(training) < crew.n_ahead:
                recipes = waiting.pop(0)
                training[crew.start(_train_task, recipes[0], self.moons, self.device, settings)] = recipes
            done, _ = wait({*training, *transfers}, return_when=FIRST_COMPLETED)
            for future in done:
                if future in transfers:
                    transfers.remove(future)
                    yield from future.result()
                    continue
                for recipe, (seed, network) in itertools.product(training.pop(future), zip(settings.seeds, future.result())):
                    yield "network", recipe, seed, network
                    job = (self._judge_task, compiled, network, recipe, seed, settings, crew.stop)
                    transfers.add(crew.start_thread(*job))

    def _judge_task(self, compiled, network, recipe, seed, settings, stop):
        """("row", ...) of one network for each wire resistance."""
        compiled.result()
        rows = []
        for outcome in judge_wires(recipe, network, seed, self.moons, self.device, settings, stop):
            row = self.make_row(recipe, seed, outcome)
            rows.append(("row", recipe, seed, outcome.wire_resistance, row, outcome.rates, outcome.accuracies))
        return rows


def group_by_training(recipes):
    """Lists of recipes whose networks are the same, because they differ in how these are put on chips only."""
    groups = {}
    for recipe in recipes:
        groups.setdefault(replace(recipe, name="", source="", adaptation=Adaptation(), most_chips=None), []).append(recipe)
    return list(groups.values())


def judge_wires(recipe, network, seed, moons, device, settings, stop):
    """Yield the `Transfer` for each wire resistance of the settings; the event ``stop`` ends it.

    Chips of which nothing is known are programmed once for all resistances, unless the mapping makes up for the wires.
    """

    def check(done, total):
        if stop.is_set():
            raise InterruptedError("the transfer was asked to stop")

    chips = Chips(network, device, layout=recipe.layout(network.sizes, device), rng=chip_generator(seed),
                  adaptation=recipe.adaptation_on(moons.train))
    n_transfers = min(settings.n_transfers, recipe.most_chips or settings.n_transfers)
    for resistance in settings.wire_resistances:
        yield judge_chips(moons.test, chips.with_wires(resistance), n_transfers=n_transfers, on_progress=check)


def draw_all(crew, jobs):
    """Draw figures in processes; each job is a function and its arguments."""
    for figure in [crew.start(*job) for job in jobs]:
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
        counts = {"networks trained": n_networks, "transfers": self.n_rows, **experiment.more_counts}
        self.progress = ProgressLine(**counts)
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
            training=_plain(self.settings.training),
            recipes=[as_plain(recipe) for recipe in self.settings.recipes],
            seconds=round(time.monotonic() - self.started, 2),
        )


def _plain(value):
    """A record as JSON takes it; one within another states its kind."""
    if not is_dataclass(value):
        return value
    content = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return {name: {"kind": type(getattr(value, name)).__name__, **inner} if isinstance(inner, dict) else inner
            for name, inner in content.items()}


def _report(rows, experiment):
    """The table, with what is needed to read it."""
    moons, settings = experiment.moons, experiment.settings
    n_seeds, overlaps = len(settings.seeds), moons.overlaps
    spread = "mean +- standard deviation over seeds" if n_seeds > 1 else "95 % interval over chips and points in brackets"
    shape = experiment.device.array_shape
    chips = f"chips of {experiment.device.name}" + (f" on {shape[0]} x {shape[1]} arrays" if shape else "")
    lines = [f"{len(moons.test)} test points ({moons.source})",
             f"{settings.n_transfers} {chips}; training seeds: {n_seeds}; {spread}"]
    if any(overlaps.values()):
        lines.append(f"note: {overlaps['test_points_in_train']} of the test points also stand in the training data, "
                     f"{overlaps['test_points_in_validation']} in the validation data; this may flatter every row")
    return "\n".join([*lines, "", format_table(rows), experiment.notes, ""])


def _train_task(recipe, moons, device, settings):
    return train_recipe(recipe, moons, device, settings, on_progress=stop_if_asked)
