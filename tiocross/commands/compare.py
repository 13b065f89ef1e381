"""``tiocross compare``: the recommended training beside other methods, one table, and how each stands other chips."""

from concurrent.futures import as_completed
from dataclasses import replace

import numpy as np

from tiocross import plot
from tiocross.commands.experiment import Experiment, count_workers, draw_all, judge_wires
from tiocross.study.results import ResultsFolder
from tiocross.tasks import generate_moons, load_moons
from tiocross.devices.files import load_device
from tiocross.devices.tio2 import TIO2_8X8
from tiocross.checks import require_name
from tiocross.study.conditions import HIDDEN_UNITS, make_conditions
from tiocross.study.recipes import ExperimentSettings
from tiocross.study.methods import COMPARED, CURVED, PAPER, QUICK, ROBUST, compare_row, shorten
from tiocross.transfers.summary import robust_fraction
from tiocross.storage import save_json
from tiocross.tasks import generate_circles, generate_patterns, generate_spirals

_TASKS = {"moons": generate_moons, "circles": generate_circles, "spirals": generate_spirals, "patterns": generate_patterns}
TASKS = tuple(_TASKS)
_TASK_SEED = 4_711  # of the generated points, half moons too: the shipped ones had a part in tuning the recipe
_FIRST_SEED = 100  # of training and chips; the first ones had a part in it too
_QUICK_STEPS = 1500
_CURVE_SEEDS, _CURVE_TRANSFERS = 5, 2_000
_CURVES = {"stuck": ("stuck devices (%)", 100), "drift": ("write disturb over that trained for (unitless)", 1),
           "wires": ("resistance of a wire segment (ohm)", 1), "devices": ("devices (unitless)", 1)}
_NOTES = """\
nominal: accuracy in software. mean, 5th pct: accuracy over chips. robust p %: share of test points that are right on at
least p % of the chips. robust/nominal: robust 95 % over nominal, with its worst seed; a point that is wrong in software
cannot be robust, so 1 is the most. Read it beside the nominal accuracy: the straight line has few weights to go wrong."""


def prepare(arguments):
    """The run that the command line asks for, ready to be called."""
    quick, n_seeds, n_transfers = arguments.quick, arguments.seeds, arguments.transfers
    training = replace(ExperimentSettings().training, n_steps=_QUICK_STEPS) if quick else None
    recipes = choose_recipes(arguments.only, quick)
    recipes = tuple(shorten(recipe, _QUICK_STEPS) for recipe in recipes) if quick else tuple(recipes)
    return Comparison(out=arguments.out, data=make_task(arguments.task, arguments.data),
                      device=TIO2_8X8 if arguments.device is None else load_device(arguments.device),
                      n_seeds=n_seeds if n_seeds is not None else (2 if quick else 10),
                      n_transfers=n_transfers if n_transfers is not None else (2_000 if quick else 20_000),
                      wire_resistances=arguments.wire_resistance, workers=count_workers(arguments.workers),
                      recipes=recipes, training=training, first_seed=_FIRST_SEED).run


def choose_recipes(names, quick):
    """Rows by their names, in the order of the table; without names all of them, or the few of a first look."""
    names = (QUICK if quick else [recipe.name for recipe in COMPARED]) if names is None else names
    for name in names:
        require_name("row", name, [recipe.name for recipe in COMPARED])
    return [recipe for recipe in COMPARED if recipe.name in names]


def make_task(task, data):
    """Points of a task; half moons may come from a folder."""
    require_name("task", task, TASKS)
    if task == "moons" and data is not None:
        return load_moons(data)
    if data is not None:
        raise ValueError(f"--data is for half moons; {task} are generated")
    return _TASKS[task](rng=np.random.default_rng(_TASK_SEED))


class Comparison(Experiment):
    """The comparison, ready to run; arguments as for `Experiment`."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.curved = [recipe for recipe in self.settings.recipes if recipe.name in CURVED]
        self.curve_settings = replace(self.settings, seeds=self.settings.seeds[:_CURVE_SEEDS], wire_resistances=(0.0,),
                                      n_transfers=min(_CURVE_TRANSFERS, self.settings.n_transfers))
        self.conditions = make_conditions(self.device)
        n_points = (len(self.conditions) + len(HIDDEN_UNITS)) * len(self.curved) * len(self.curve_settings.seeds)
        self.more_counts = {"points of curves": n_points}

    @property
    def notes(self):
        """What stands below the table: how to read it, and where the methods come from."""
        lines = [_NOTES]
        for name, n_chips in ((recipe.name, recipe.most_chips) for recipe in self.settings.recipes):
            if n_chips is not None and n_chips < self.settings.n_transfers:
                lines.append(f"{name}: {n_chips} chips only, each with weights of its own")
        sources = [f"  {recipe.name}: {recipe.source}" for recipe in self.settings.recipes if recipe.source]
        return "\n".join([*lines, *(["sources:", *sources] if sources else [])])

    def make_row(self, recipe, seed, outcome):
        """Row of ``summary.json``."""
        return compare_row(recipe, seed, outcome)

    def illustrate(self, crew, results):
        """Measure the curves, write them, and draw the figures."""
        points = []
        for point in self._measure_curves(crew, results.networks):
            points.append(point)
            results.progress.update("points of curves", len(points))
        points.sort(key=lambda point: (list(_CURVES).index(point["curve"]), point["name"], point["x"], point["seed"]))
        save_json(self.folder.path / "curves.json", {"n_transfers": self.curve_settings.n_transfers, "points": points})
        jobs = [(draw_methods, self.folder.path, results.ordered_rows(), self.settings.recipes)]
        if points:
            jobs.append((draw_curves, self.folder.path, points, self.device, [recipe.name for recipe in self.curved]))
        draw_all(crew, jobs)

    def _measure_curves(self, crew, networks):
        """Yield the points of all curves as they are ready."""
        jobs = [crew.start_thread(self._measure, condition, recipe, seed, networks[recipe.name, seed], crew.stop)
                for condition in self.conditions for recipe in self.curved for seed in self.curve_settings.seeds]
        yield from (job.result() for job in as_completed(jobs))
        other_sizes = tuple(replace(recipe, name=f"{recipe.name}, {n_hidden}", sizes=(2, n_hidden, 1))
                            for recipe in self.curved for n_hidden in HIDDEN_UNITS)
        names = {f"{recipe.name}, {n_hidden}": recipe.name for recipe in self.curved for n_hidden in HIDDEN_UNITS}
        for kind, recipe, seed, *result in self.run_all(crew, replace(self.curve_settings, recipes=other_sizes)):
            if kind == "row":
                row = result[1]
                yield _point("devices", row["n_devices"], names[recipe.name], seed, row["nominal_accuracy"],
                             row["robust_fraction_95"])

    def _measure(self, condition, recipe, seed, network, stop):
        settings = replace(self.curve_settings, wire_resistances=(condition.wire_resistance,))
        outcome, = judge_wires(recipe, network, seed, self.moons, condition.device, settings, stop)
        return _point(condition.curve, condition.x, recipe.name, seed, outcome.nominal_accuracy,
                      robust_fraction(outcome.rates, 0.95))


def _point(curve, x, name, seed, nominal, robust):
    return {"curve": curve, "x": x, "name": name, "seed": seed, "nominal_accuracy": nominal, "robust_fraction_95": robust}


def kind_of(recipe):
    """Which kind of method a row is, as the figure tells them apart."""
    if recipe.adaptation.knows_chip:
        return "adapted to each chip"
    if recipe.name.startswith("ROBUST"):
        as_large = (recipe.sizes, recipe.copies, recipe.arrangement) == (ROBUST.sizes, ROBUST.copies, ROBUST.arrangement)
        return "ROBUST, and without each of its parts" if as_large else "ROBUST on more devices or arrays"
    return {"": "no knowledge of the hardware", PAPER: "recipe of Drolet et al."}.get(recipe.source, "of the literature")


def draw_methods(path, rows, recipes):
    """Draw every method twice, all of them and those at the top, and save the figure."""
    resistance = rows[0]["wire_resistance"]
    methods = []
    for recipe in recipes:
        group = [row for row in rows if row["name"] == recipe.name and row["wire_resistance"] == resistance]
        methods.append((recipe.name, kind_of(recipe), *(np.array([row[column] for row in group])
                                                        for column in ("nominal_accuracy", "robust_fraction_95"))))
    means = {name: (nominal.mean(), robust.mean()) for name, _, nominal, robust in methods}
    best = max(means.values(), key=lambda pair: pair[1])
    least = best[0] - 0.01, best[1] - 0.06
    top = [name for name, mean in means.items() if mean[0] >= least[0] and mean[1] >= least[1]]
    figure, axes = plot.new_figure(1, 2, width=15, height=7)
    plot.method_map(axes[0, 0], methods, named=[name for name in means if name not in top], title="all methods")
    plot.method_map(axes[0, 1], methods, window=plot.window_of(methods, least), named=top,
                               title="the most robust of them")
    plot.kind_legend(axes[0, 0], list(dict.fromkeys(kind for _, kind, _, _ in methods)))
    figure.suptitle(f"{resistance:g} ohm per wire segment. Markers: mean over {len(group)} training seed(s). Bars: lowest "
                    "to highest seed.", fontsize=10)
    ResultsFolder(path).save_figure(figure, "methods")


def draw_curves(path, points, device, names):
    """Draw the robust share over every condition, and save the figure."""
    stuck = device.stuck
    trained = {"stuck": 100 * (stuck.probability_lrs + stuck.probability_hrs) if stuck else 0.0, "drift": 1.0, "wires": 0.0}
    figure, axes = plot.new_figure(2, 2, width=11, height=8)
    for panel, (curve, (label, factor)) in zip(axes.flat, _CURVES.items()):
        curves = {}
        for name in names:
            here = [point for point in points if point["curve"] == curve and point["name"] == name]
            places = sorted({point["x"] for point in here})
            robust = [[point["robust_fraction_95"] for point in here if point["x"] == x] for x in places]
            curves[name] = np.array(places) * factor, np.array(robust)
        plot.condition_curve(panel, curves, xlabel=label, trained_at=trained.get(curve))
    axes[0, 0].legend(fontsize=8)
    n_seeds = len({point["seed"] for point in points})
    figure.suptitle(f"Mean and range over {n_seeds} training seed(s). Grey line: what the networks were trained for; for "
                    "another number of devices they are trained anew.", fontsize=10)
    ResultsFolder(path).save_figure(figure, "conditions")
