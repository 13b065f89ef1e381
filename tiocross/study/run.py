"""The engine of a study: it trains networks in processes, puts them on chips in threads, and writes rows as they come.

`Study` says what is measured, `Run` measures it. Nothing is printed here: `Run` tells how far it is by a callback.
"""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from tiocross import __version__
from tiocross.checks import as_count
from tiocross.devices.device import Device
from tiocross.devices.files import to_json
from tiocross.ledger import read_units, require_same
from tiocross.learning.network import MLP
from tiocross.study.choosing import clock, warm_up
from tiocross.study.crew import Crew, interrupts_held, stop_if_asked
from tiocross.study.measured import taking_measured
from tiocross.study.finished import Finished, Nothing, ledger_path
from tiocross.study.recipes import ExperimentSettings, Recipe, as_plain, chip_generator, train_recipe
from tiocross.study.reports import format_report
from tiocross.study.results import task_sha256
from tiocross.study.starts import finish_network, start_network
from tiocross.study.tables import make_row
from tiocross.tasks import Task
from tiocross.transfers.chips import Chips
from tiocross.transfers.judging import compile_kernels, judge_chips
from tiocross.work import as_executor

_LARGEST_MEMORY = 16e9  # [bytes] of transfers in flight


def _measure_no_more(run, crew):
    """What follows the last row where nothing does."""


@dataclass(frozen=True)
class Study:
    """What is measured: recipes, seeds, wires and chips are in ``settings``."""

    name: str
    task: Task
    device: Device
    settings: ExperimentSettings
    make_row: Callable = make_row  # (recipe, seed, transfer): a row of summary.json
    question: str = ""
    notes: Sequence[str] = ()  # sentences on how to read the table
    captions: Mapping = field(default_factory=dict)  # what each figure shows
    after_rows: Callable = _measure_no_more  # (run, crew): measures what else there is, and draws the figures
    more_counts: Mapping = field(default_factory=dict)  # how much there is to choose, and to do after the rows
    choose: Callable | None = None  # (run, crew): a `Choice` for each method, before any network of a row is trained
    use: Callable | None = None  # (recipes, choices): the recipes with these values
    is_timed: bool = False  # whether the cost of training is reported

    @property
    def counts(self):
        """How many of each thing there are to do, by name."""
        n_networks = len(self.settings.recipes) * len(self.settings.seeds)
        return {"networks trained": n_networks, "transfers": n_networks * len(self.settings.wire_resistances),
                **self.more_counts}


class Trained(NamedTuple):
    """A network is ready."""

    recipe: Recipe
    seed: int
    network: MLP
    core_seconds: float = 0.0  # of its training, on one core [s]


class Outcome(NamedTuple):
    """What the chips of one network did, as the figures need it."""

    rates: np.ndarray  # (n_points,): share of chips on which each point is right (unitless)
    accuracies: np.ndarray  # (n_chips,): accuracy of each chip (unitless)


class Judged(NamedTuple):
    """A row is ready."""

    recipe: Recipe
    seed: int
    wire_resistance: float  # of a segment [ohm]
    row: dict
    outcome: Outcome


class Run:
    """One run of a study: what is finished so far, in memory and in its `ResultsFolder`.

    Making it checks what can be wrong, before anything is changed. ``on_progress(name, done)`` is called with the names
    of ``study.counts``.
    """

    def __init__(self, study, folder, *, workers=1, executor=None, on_progress=None):
        self.study, self.folder, self.executor = study, folder, as_executor(executor)
        self.workers = as_count("the number of workers", workers)
        n_transfers, n_points = study.settings.n_transfers, len(study.task.test)
        if n_transfers * n_points * workers > _LARGEST_MEMORY:
            raise ValueError(f"{n_transfers} transfers of {n_points} points with {workers} workers take "
                             f"{n_transfers * n_points * workers / 1e9:.0f} GB of memory; ask for fewer")
        _require_possible(study)
        self.networks = {}  # (name, seed): MLP
        self.choices, self.costs = [], {}  # `Choice` records; name: seconds of one core for each seed
        self.rows, self.outcomes = {}, {}  # (name, seed, wire resistance): dict, Outcome
        self.report_progress = on_progress or (lambda name, done: None)
        self._data_sha256 = task_sha256(study.task)
        self._identity, self.finished = self._what_it_is(), Nothing()
        if folder.resume and ledger_path(folder.path).exists():
            found, _ = read_units(ledger_path(folder.path))
            require_same(found or self._identity, self._identity, f"the output folder {folder.path}")
        self._started = None

    def execute(self):
        """Train, transfer, measure the rest, draw, and write the folder; gives the report with the table. What a resumed
        folder holds is not done again. A KeyboardInterrupt ends it within a second; finished rows are in the folder then.
        """
        self._started = time.monotonic()
        self.folder.begin()
        self._save_provenance()
        with Finished(self.folder.path, self._identity, resume=self.folder.resume) as self.finished:
            report = self._execute()
            self.finished.forget()
        return report

    def _execute(self):
        with Crew(self.workers, self.executor) as crew:
            self._choose(crew)
            for finished in train_and_judge(self.study, crew, self.finished):
                with interrupts_held():  # what is in memory, in the files and in the message shall agree
                    (self._add_network if isinstance(finished, Trained) else self._add_row)(finished)
            report = format_report(self)
            self.folder.save_tables(report, self.ordered_rows(), self.core_seconds())
            self.study.after_rows(self, crew)
            self._save_rows(complete=True)
        return report

    def ordered_rows(self):
        """Finished rows, by recipe, wire resistance and seed."""
        settings = self.study.settings
        keys = [(recipe.name, seed, resistance) for recipe in settings.recipes for resistance in settings.wire_resistances
                for seed in settings.seeds]
        return [self.rows[key] for key in keys if key in self.rows]

    def core_seconds(self):
        """Seconds of one core that training one network of each row took, a median over seeds; empty if not timed."""
        costs = self.costs if self.study.is_timed else {}
        return {name: _rounded(np.median(seconds)) for name, seconds in costs.items()}

    def _choose(self, crew):
        if self.study.choose is not None:
            self.choices = self.study.choose(self, crew)
            recipes = tuple(self.study.use(self.study.settings.recipes, self.choices))
            self.study = replace(self.study, settings=replace(self.study.settings, recipes=recipes))
            self._save_provenance()

    def _add_network(self, trained):
        self.costs.setdefault(trained.recipe.name, []).append(trained.core_seconds)
        self.networks[trained.recipe.name, trained.seed] = trained.network
        in_file = taking_measured(trained.network, self.study.task.scaling)
        self.folder.save_network(in_file, trained.recipe, trained.seed)
        self.finished.keep_network(trained)
        self.report_progress("networks trained", len(self.networks))

    def _add_row(self, judged):
        key = judged.recipe.name, judged.seed, judged.wire_resistance
        self.rows[key], self.outcomes[key] = judged.row, judged.outcome
        self.finished.keep_row(judged)
        self.report_progress("transfers", len(self.rows))
        self._save_rows(complete=False)

    def _what_it_is(self):
        """What tells this run from another."""
        study, settings = self.study, self.study.settings
        return {"study": study.name, "version of tiocross": __version__, "device": to_json(study.device),
                "SHA-256 of the data": self._data_sha256, "seeds": list(settings.seeds), "chips": settings.n_transfers,
                "wire resistances": list(settings.wire_resistances), "until": settings.until,
                "training": as_plain(settings.training), "rows": [as_plain(recipe) for recipe in settings.recipes],
                "amounts": dict(study.counts)}

    def _save_rows(self, complete):
        self.folder.save_rows(self.ordered_rows(), self, complete=complete)
        self._save_provenance()

    def _save_provenance(self):
        self.folder.save_provenance(
            device=to_json(self.study.device),
            data_sha256=self._data_sha256,
            workers=self.workers,
            training=as_plain(self.study.settings.training),
            recipes=[as_plain(recipe) for recipe in self.study.settings.recipes],
            core_seconds=self.core_seconds(),
            choice_core_seconds={choice.name: _rounded(choice.core_seconds) for choice in self.choices},
            seconds=round(time.monotonic() - self._started, 2),
        )


def _rounded(seconds):
    """Seconds with three digits: what took little is not nothing."""
    return float(f"{seconds:.3g}")


def train_and_judge(study, crew, kept=Nothing()):
    """Yield a `Trained` for each network and a `Judged` for each row, as they are ready; first those that are ``kept``."""
    settings = study.settings
    waiting = group_by_training(settings.recipes)
    training, transfers = {}, set()
    crew.compiled = crew.start_thread(compile_kernels)  # while the first networks are trained
    while waiting or training or transfers:
        # Few are handed out ahead: with one worker handing out is doing, and rows should come early.
        while waiting and len(training) < crew.n_ahead:
            recipes = waiting.pop(0)
            found = kept.networks(recipes, settings.seeds)
            training[crew.start(_train, recipes[0], study.task, study.device, settings, study.is_timed) if found is None
                     else _given(found)] = recipes
        done, _ = wait({*training, *transfers}, return_when=FIRST_COMPLETED)
        for future in done:
            if future in transfers:
                transfers.remove(future)
                yield from future.result()
                continue
            recipes, (networks, seconds) = training.pop(future), future.result()
            for recipe, (seed, network) in itertools.product(recipes, zip(settings.seeds, networks)):
                trained = Trained(recipe, seed, network, seconds)
                yield trained
                rows = _kept_rows(kept, recipe, seed, settings)
                transfers.add(crew.start_judging(_judge, trained, study.task, study.device, settings, study.make_row)
                              if rows is None else _given(rows))


def _given(result):
    """Future of what is there already."""
    future = Future()
    future.set_result(result)
    return future


def _kept_rows(kept, recipe, seed, settings):
    """`Judged` rows of a network for all wires; None unless all are there."""
    found = [kept.row(recipe, seed, resistance) for resistance in settings.wire_resistances]
    if None in found:
        return None
    return [Judged(recipe, seed, resistance, row, Outcome(**arrays))
            for resistance, (row, arrays) in zip(settings.wire_resistances, found)]


def group_by_training(recipes):
    """Lists of recipes whose networks are the same, because they differ in how these are put on chips only."""
    groups = []
    for recipe in recipes:
        group = next((group for group in groups if group[0].trains_like(recipe)), None)
        if group is None:
            groups.append([recipe])
        else:
            group.append(recipe)
    return groups


def _train(recipe, task, device, settings, is_timed):
    """Networks of a recipe, one for each seed, and the seconds of one core that each took."""
    if is_timed:
        warm_up(recipe, task, device, recipe.training or settings.training)
    begun = clock()
    networks = train_recipe(recipe, task, device, settings, on_progress=stop_if_asked)
    return networks, (clock() - begun) / len(networks)


def _require_possible(study):
    """Raise what is wrong with a row before anything is trained: layouts, mappings, adaptations, wires."""
    for recipe in study.settings.recipes:
        network = start_network(recipe, study.task.train, np.random.default_rng(0), activation=recipe.activations[0])
        network = finish_network(recipe, network)
        chips = Chips(network, study.device, layout=recipe.layout(network.shapes, study.device),
                      adaptation=recipe.adaptation_on(study.task.train), rng=np.random.default_rng(0))
        for resistance in study.settings.wire_resistances:
            chips.with_wires(resistance)


def _judge(trained, task, device, settings, make_row, should_stop=bool):
    """Rows of one network."""
    rows = []
    for transfer in judge_wires(trained, task, device, settings, should_stop):
        row = make_row(trained.recipe, trained.seed, transfer)
        rows.append(Judged(trained.recipe, trained.seed, transfer.wire_resistance, row,
                           Outcome(transfer.rates, transfer.accuracies)))
    return rows


def judge_wires(trained, task, device, settings, should_stop=bool):
    """Yield the `Transfer` of one network for each wire resistance of the settings, until ``should_stop()``.

    Chips are programmed once for all resistances, unless what is programmed depends on the wires.
    """

    def check(done, total):
        if should_stop():
            raise InterruptedError("the transfer was asked to stop")

    recipe, seed, network = trained.recipe, trained.seed, trained.network
    chips = Chips(network, device, layout=recipe.layout(network.shapes, device),
                  adaptation=recipe.adaptation_on(task.train), rng=chip_generator(seed))
    for resistance in settings.wire_resistances:
        yield judge_chips(task.test, chips.with_wires(resistance), n_transfers=n_chips_for(recipe, settings),
                          until=settings.until, keep_correct=settings.keep_correct, on_progress=check)


def n_chips_for(recipe, settings):
    """Chips of each network of a recipe: as many as asked for, or fewer where every chip takes long."""
    return min(settings.n_transfers, recipe.most_chips or settings.n_transfers)
