"""The table of known tasks: regular networks and ROBUST ones, with equal budgets, beside what was published."""

import time
from dataclasses import replace
from functools import partial

import numpy as np

from tiocross import __version__
from tiocross.devices.files import to_json
from tiocross.devices.tio2 import TIO2
from tiocross.ledger import read_units, require_same
from tiocross.study.choosing import RATE, SEEDS, Choice, try_recipe, with_values
from tiocross.study.crew import Crew, interrupts_held, stop_if_asked
from tiocross.study.finished import Finished, ledger_path
from tiocross.study.measured import taking_measured
from tiocross.study.published import RATES, STARTS, TRAINING
from tiocross.study.recipes import ExperimentSettings, as_plain
from tiocross.study.results import describe_choice
from tiocross.study.run import Study, Trained, group_by_training, train_and_judge
from tiocross.study.tables import align, format_csv, half_width, make_row, mean_of, rows_of
from tiocross.study.words import NOMINAL, NOT_MEANT, ROBUST_SHARE, about_spread, fill

_QUESTION = "What do networks trained as usual, and by ROBUST, reach on tasks whose answer is known from elsewhere?"
_FIGURES = {"nominal_accuracy": "nominal", "mean_accuracy": "mean", "p05_accuracy": "5th pct",
            "robust_fraction_95": "robust 95 %"}
_N_RESAMPLED = 400  # sets of chips, for intervals of weighed figures


class TaskTable:
    """One run over known tasks: rows so far, in memory and in a `ResultsFolder`. Making it writes nothing.

    ``on_progress(name, done)`` is called with the names of ``counts``."""

    def __init__(self, known, folder, *, seeds, n_transfers, share_of_steps=1.0, workers=1, on_progress=None):
        self.known, self.folder, self.workers = known, folder, workers
        self.seeds, self.n_transfers, self.share = tuple(seeds), n_transfers, share_of_steps
        self.rows, self.costs, self.choices, self._chosen = [], {}, [], {}  # recipes with chosen rates, by name
        self.report_progress = on_progress or (lambda name, done: None)
        self._identity = self._what_it_is()
        if folder.resume and ledger_path(folder.path).exists():
            found, _ = read_units(ledger_path(folder.path))
            require_same(found or self._identity, self._identity, f"the output folder {folder.path}")
        self._started = self._n_tried = self._n_trained = 0

    @property
    def counts(self):
        """How many of each thing there are to do, by name."""
        n_networks = sum(len(task.rows) for task in self.known) * len(self.seeds)
        n_groups = sum(len(group_by_training(task.recipes())) for task in self.known)
        return {"rates tried": n_groups * len(RATES), "networks trained": n_networks, "networks judged": n_networks}

    def execute(self):
        """Train, judge, and write the folder; gives the report. Finished rows are in the folder after an interrupt."""
        self._started = time.monotonic()
        self.folder.begin()
        with Finished(self.folder.path, self._identity, resume=self.folder.resume) as kept:
            self._save(complete=False)
            with Crew(self.workers) as crew:
                for known in self.known:
                    study = self._choose(self._study(known), crew, kept)
                    for finished in train_and_judge(study, crew, kept):
                        with interrupts_held():
                            self._add(study.task, finished, kept)
            report = self._save_tables()
            kept.forget()
        return report

    def _save_tables(self):
        report = format_tasks(self.known, self.rows, self._notes())
        self.folder.save_text("table.txt", report)
        self.folder.save_text("table.csv", format_csv(self.rows))
        self._save(complete=True)
        return report

    def _what_it_is(self):
        """What tells this run from another."""
        rows = [as_plain(recipe) for known in self.known for recipe in known.recipes(self.share)]
        return {"study": "tasks", "version of tiocross": __version__, "seeds": list(self.seeds), "chips": self.n_transfers,
                "devices": [to_json(known.device) for known in self.known], "rows": rows}

    def _study(self, known):
        settings = ExperimentSettings(self.seeds, (0.0,), self.n_transfers, recipes=known.recipes(self.share),
                                      keep_correct=known.weights is not None)
        return Study("tasks", known.make(), known.device, settings, partial(_make_row, known), is_timed=True)

    def _choose(self, study, crew, kept):
        """The study with the learning rate for each row that serves best on validation points; on training points where
        there are no others."""
        settings, task = study.settings, study.task
        judged = task if task.validation is not None else replace(task, validation=task.train)
        groups = group_by_training(settings.recipes)
        found = {(k, rate): kept.record("tried", group[0].name, rate) for k, group in enumerate(groups) for rate in RATES}
        jobs = [(k, rate, groups[k][0], judged, study.device) for (k, rate), tried in found.items() if tried is None]
        self._n_tried += len(found) - len(jobs)
        for (k, rate, recipe, *_), tried in crew.each(_try, jobs):
            found[k, rate] = tried
            kept.keep(("tried", recipe.name, rate), tried)
            self._n_tried += 1
            self.report_progress("rates tried", self._n_tried)
        for k, group in enumerate(groups):
            best = max(RATES, key=lambda rate: found[k, rate][0])  # of equal ones the first
            trials = [({RATE: rate}, found[k, rate][0]) for rate in RATES]
            seconds = sum(found[k, rate][1] for rate in RATES)
            for recipe in group:
                self.choices.append(Choice(recipe.name, {RATE: best}, trials, seconds))
                self._chosen[recipe.name] = with_values(recipe, {RATE: best}, None, study.device)
        recipes = tuple(self._chosen[recipe.name] for recipe in settings.recipes)
        return replace(study, settings=replace(settings, recipes=recipes))

    def _add(self, task, finished, kept):
        if isinstance(finished, Trained):
            in_file = taking_measured(finished.network, task.scaling)
            self.folder.save_network(in_file, finished.recipe, finished.seed)
            kept.keep_network(finished)
            self.costs[finished.recipe.name] = float(f"{finished.core_seconds:.3g}")
            self._n_trained += 1
            self.report_progress("networks trained", self._n_trained)
            return
        self.rows.append(finished.row)
        kept.keep_row(finished)
        order = [recipe.name for task in self.known for recipe in task.recipes()]
        self.rows.sort(key=lambda row: (order.index(row["name"]), row["seed"]))
        self.report_progress("networks judged", len(self.rows))
        self._save(complete=False)

    def _notes(self):
        steps = max(1, round(self.share * TRAINING.n_steps))
        return [NOMINAL, ROBUST_SHARE, about_spread(len(self.seeds)),
                f"Every row: {steps} steps, {TRAINING.n_chips} chips a step where chips are simulated, the best of "
                f"{len(STARTS)} starts ({', '.join(STARTS)}) where there are hidden units, and a learning rate of "
                f"{', '.join(f'{rate:g}' for rate in RATES)}, chosen by the robust share on validation points (on training "
                f"points where there are no others) with {len(SEEDS)} seeds of their own.",
                f"{self.n_transfers} chips without wire resistance for each network. Hardware of others differs from the "
                "simulated chips in more than is modelled: their figures are landmarks and no rivals."]

    def _save(self, complete):
        """Everything so far. The keys are those of a study, so that its page and description serve here too."""
        recipes = [self._chosen.get(recipe.name, recipe) for known in self.known for recipe in known.recipes(self.share)]
        self.folder.save_json("summary.json", {
            "schema": 2, "study": "tasks", "complete": complete, "question": _QUESTION, "conclusion": [],
            "assumptions": [f"{known.name}: {_device_of(known)}." for known in self.known], "not_meant": list(NOT_MEANT[:2]),
            "how_to_read": [*self._notes(), *(f"{known.name}: {_published(known)}" for known in self.known)],
            "figures": [], "n_transfers": self.n_transfers, "seeds": list(self.seeds), "wire_resistances": [0.0],
            "data": {"source": "one for each task", "n_test": "each task's own"}, "arrays": [],
            "choices": [{**describe_choice(choice, ()), "rows": [choice.name]} for choice in self.choices],
            "tasks": [{"name": known.name, "published": known.published, "reference": known.reference,
                       "device": _device_of(known), "note": known.note} for known in self.known],
            "rows": self.rows})
        self.folder.save_provenance(
            device=to_json(TIO2), devices={known.name: to_json(known.device) for known in self.known}, workers=self.workers,
            training=as_plain(TRAINING), recipes=[as_plain(recipe) for recipe in recipes],
            core_seconds=dict(self.costs), seconds=round(time.monotonic() - self._started, 2))


def _try(_, rate, recipe, task, device):
    """Robust share of a recipe with this rate, and the seconds of one core that it took, as a list."""
    return list(try_recipe(with_values(recipe, {RATE: rate}, None, device), task, device, on_progress=stop_if_asked))


def _make_row(known, recipe, seed, outcome):
    """Row of one network; its figures weighed with the probabilities of the test points, where these are not equal."""
    row = {**make_row(recipe, seed, outcome), "task": known.name}
    if known.weights is None:
        return row
    weights = known.weights()
    figures, intervals = weigh(outcome.correct, outcome.nominally_correct, weights, np.random.default_rng(seed))
    return {**row, **figures, "intervals": {**row["intervals"], **intervals}}


def weigh(correct, nominally_correct, weights, rng):
    """Figures of a transfer whose points have probabilities, and their 95 % intervals over chips: the points are all there
    are."""
    accuracies, rates = correct @ weights, correct.mean(axis=0)
    nominal = float(weights[nominally_correct].sum())
    chosen = rng.integers(len(correct), size=(_N_RESAMPLED, len(correct)))
    counts = np.stack([np.bincount(row, minlength=len(correct)) for row in chosen])
    drawn = counts @ correct.astype(np.float32) / len(correct)
    resampled = {"mean_accuracy": accuracies[chosen].mean(axis=1),
                 "p05_accuracy": np.quantile(accuracies[chosen], 0.05, axis=1)}
    figures = {"nominal_accuracy": nominal, "mean_accuracy": float(accuracies.mean()),
               "p05_accuracy": float(np.quantile(accuracies, 0.05))}
    for level in (95, 99):
        figures[f"robust_fraction_{level}"] = float(weights[rates >= level / 100].sum())
        resampled[f"robust_fraction_{level}"] = (drawn >= level / 100 - 1e-9) @ weights
    intervals = {name: [float(end) for end in np.quantile(values, (0.025, 0.975))] for name, values in resampled.items()}
    return figures, {**intervals, "nominal_accuracy": [nominal, nominal]}


def format_tasks(known, rows, notes=()):
    """The table for people: a block for each task, with what was published above it."""
    blocks = []
    for task in known:
        found = [recipe.name for recipe in task.recipes() if rows_of(rows, recipe.name, 0.0)]
        if found:
            blocks.append(f"{task.name}   {_device_of(task)}\n" + fill(_published(task)) + "\n"
                          + align([["", *_FIGURES.values(), "devices"], *(_line(task, rows, name) for name in found)]))
    return "\n\n".join([*blocks, "\n".join(map(fill, notes))]).rstrip() + "\n"


def _line(task, rows, name):
    group = rows_of(rows, name, 0.0)
    digits = 4 if task.weights is not None else 3
    cells = [f"{mean_of(group, figure):.{digits}f}" + (f" +- {half_width(group, figure):.{digits}f}" if spread else "")
             for figure, spread in zip(_FIGURES, (True, False, False, True))]
    return [f"  {name.removeprefix(f'{task.name}: ')}", *cells, str(group[0]["n_devices"])]


def _published(task):
    text = f"published: {task.published}" + (f" ({task.reference})." if task.reference else ".")
    return f"{text} {task.note}".rstrip()


def _device_of(task):
    rows, columns = task.arrangement.array_shape
    note = f" ({task.device_note})" if task.device_note else ""
    sizes = f"hidden {'-'.join(map(str, task.hidden))}" if task.hidden else "no hidden units"
    return f"{sizes}; {task.device.name}{note}, arrays of {rows} x {columns}"
