"""The comparison of training methods as a study: one table, and curves of the robust share on chips that the networks
were not trained for: more stuck devices, stronger write disturb, longer wires. For other numbers of devices the networks
are trained anew."""

import itertools
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from tiocross import plot
from tiocross.checks import as_number
from tiocross.devices.device import Device
from tiocross.devices.state_disturb import StateDisturb
from tiocross.devices.tio2 import TIO2
from tiocross.study import figures
from tiocross.study.choosing import Choice, choose_values, grid_of, with_values
from tiocross.study.methods import CHOSEN, COMPARED, PAPER, ROBUST, STRENGTHS
from tiocross.study.run import Judged, Study, Trained, judge_wires, n_chips_for, train_and_judge
from tiocross.study.tables import make_row
from tiocross.study.words import ROBUST_SHARE, about_spread
from tiocross.transfers.summary import robust_fraction

FOLLOWED = ("regular", "hardware-aware (paper)", "ROBUST")  # the rows that have curves
STUCK_RATES = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)
DISTURB_FACTORS = (0.0, 0.5, 1.0, 1.5, 2.0)
WIRE_RESISTANCES = (0.0, 5.0, 10.0, 15.0, 20.0)  # [ohm]
_ADAPTED, _OTHER_SIZES = "adapted to each chip", "ROBUST with other sizes or layouts"
HIDDEN_UNITS = (4, 8, 16, 31)  # of half moons: 34 to 250 devices
_MOST_SEEDS, _MOST_TRANSFERS = 3, 2_000  # of a curve
_QUESTION = ("Which way of training leaves the most test points right on nearly every chip, at which accuracy in software "
             "and at what cost, if all have the same budget?")
_BUDGET = ("Budget of every method: 2 000 steps, 16 chips a step, the best of six starts with three kinds of units. Rows "
           "\"the paper's budget\" are those of tiocross experiment: 3 000 steps, 2 chips a step, one start.")
_CHOSEN_HERE = ("Learning rates and strengths were chosen by the robust share on validation points, from grids of nine "
                "values for each method, with training seeds and chips of their own.")
_CHOSEN_BEFORE = "Learning rates and strengths were chosen before, for half moons on the published card; not for this run."
_COLUMNS = ("nominal: accuracy in software. worst: robust 95 % of the worst seed. Columns in ohm: robust 95 % with wires of "
            "this resistance per segment. core-s: seconds of one core for training one network, choice of start included.")
_PARTS = ("Rows that change a part of ROBUST keep the learning rate of ROBUST. Rows that know each chip (placed, retrained, "
          "read back) and rows with more devices are no rivals of the others.")
_CAPTIONS = {
    "methods": "Robust share over accuracy in software: further up and to the right is better. The line joins the methods "
               "that no other one beats in both, among those of one size that know nothing of a chip.",
    "conditions": "Robust share on chips that the networks were not trained for.",
}


def make_comparison(task, device, settings, *, quick=False):
    """The comparison on a task, ready for `Run`. A quick one chooses no values, and trains nothing for its curves."""
    chosen = [] if quick else methods_to_choose(settings.recipes)
    curves = _draw_quick_curves if quick else _measure_and_draw_curves
    n_places = len(make_conditions(device)) + (0 if quick else len(HIDDEN_UNITS))
    counts = {"values tried": sum(len(grid_of(STRENGTHS.get(recipe.name))) for recipe in chosen),
              "points of curves": n_places * len(followed(settings)) * len(settings_of_curves(settings).seeds)}
    if quick:
        settings = replace(settings, recipes=tuple(_with_known_values(recipe, device) for recipe in settings.recipes))
    counts = {name: count for name, count in counts.items() if count}
    return Study("compare", task, device, settings, make_comparison_row, _QUESTION, _notes(settings, quick), _CAPTIONS,
                 curves, counts, choose=_choose if chosen else None, use=partial(use_choices, device=device), is_timed=True)


def _notes(settings, quick):
    """How to read the table, and where the methods come from."""
    few = [f"{recipe.name}: {n_chips_for(recipe, settings)} chips only." for recipe in settings.recipes
           if n_chips_for(recipe, settings) < settings.n_transfers]
    sources = [f"{recipe.name}: {recipe.source}." for recipe in settings.recipes if recipe.source]
    varied = [recipe for recipe in settings.recipes if recipe.name != ROBUST.name and recipe.name.startswith(ROBUST.name)]
    return [_COLUMNS, ROBUST_SHARE, about_spread(len(settings.seeds)), _BUDGET, _CHOSEN_BEFORE if quick else _CHOSEN_HERE,
            *([_PARTS] if varied else []), *few, *sources]


def make_comparison_row(recipe, seed, outcome):
    """Row of one network and one wire resistance, with the kind of its method."""
    return {**make_row(recipe, seed, outcome), "kind": kind_of_method(recipe)}


# Values that are chosen.


def methods_to_choose(recipes):
    """The methods whose values some rows take, with the rows of `COMPARED` by these names."""
    names = list(dict.fromkeys(recipe.chosen_as for recipe in recipes if recipe.chosen_as))
    known = {recipe.name: recipe for recipe in COMPARED} | {recipe.name: recipe for recipe in recipes}
    return [known[name] for name in names]


def _choose(run, crew):
    study = run.study
    return choose_values(methods_to_choose(study.settings.recipes), STRENGTHS, study.task, study.device, crew,
                         partial(run.report_progress, "values tried"), run.finished)


def use_choices(recipes, choices: list[Choice], *, device):
    """Recipes with the values that were chosen for them."""
    values = {choice.name: choice.values for choice in choices}
    return [_with(recipe, values[recipe.chosen_as], device) if recipe.chosen_as in values else recipe for recipe in recipes]


def _with_known_values(recipe, device):
    values = CHOSEN.get(recipe.chosen_as)
    return recipe if values is None else _with(recipe, values, device)


def _with(recipe, values, device):
    """Rows that change a part of a method without strength keep their techniques."""
    return with_values(recipe, values, STRENGTHS.get(recipe.chosen_as), device)


# Chips that the networks were not trained for.


@dataclass(frozen=True)
class Condition:
    """Chips of one point of a curve: "stuck", "drift" (write disturb) or "wires"."""

    curve: str
    x: float  # share of stuck devices (unitless), factor of write disturb (unitless), resistance of a segment [ohm]
    device: Device
    wire_resistance: float = 0.0  # of a segment [ohm]


def make_conditions(device):
    """Conditions of all curves that the same networks run through."""
    return [*(Condition("stuck", rate, with_stuck_rate(device, rate)) for rate in STUCK_RATES),
            *(Condition("drift", factor, with_write_disturb(device, factor)) for factor in DISTURB_FACTORS),
            *(Condition("wires", resistance, device, resistance) for resistance in WIRE_RESISTANCES)]


def with_stuck_rate(device, rate):
    """The device with another share of stuck devices; low and high resistance keep their shares of them.

    A device without stuck ones takes these shares from the published card."""
    rate = as_number("rate", rate, low=0.0, high=1.0)
    stuck = device.stuck
    if stuck is None or stuck.probability_lrs + stuck.probability_hrs == 0.0:
        stuck = TIO2.stuck
    low = rate * (stuck.probability_lrs / (stuck.probability_lrs + stuck.probability_hrs))
    return replace(device, stuck=replace(stuck, probability_lrs=low, probability_hrs=rate - low))


def with_write_disturb(device, factor):
    """The device with every change by later writes, or its doses, times a factor; without write disturb it stays so."""
    factor = as_number("factor", factor, low=0.0)
    if device.disturb is None:
        return device
    if isinstance(device.disturb, StateDisturb):
        return replace(device, disturb=replace(device.disturb, strength=device.disturb.strength * factor))
    return replace(device, disturb=replace(device.disturb, changes=device.disturb.changes * factor))


# Curves.


class CurvePoint(NamedTuple):
    """One network on the chips of one condition."""

    curve: str
    x: float  # where on the curve, as in `Condition`; of "devices" their number (unitless)
    name: str
    seed: int
    nominal_accuracy: float  # (unitless)
    robust_fraction_95: float  # (unitless)


def followed(settings):
    """The rows that have curves."""
    return [recipe for recipe in settings.recipes if recipe.name in FOLLOWED]


def settings_of_curves(settings):
    """Seeds and chips of every point of a curve."""
    return replace(settings, seeds=settings.seeds[:_MOST_SEEDS], wire_resistances=(0.0,),
                   n_transfers=min(_MOST_TRANSFERS, settings.n_transfers))


def _measure_and_draw_curves(run, crew):
    """Measure the curves, write them, and draw the figures."""
    _draw(run, crew, measure_curves(run, crew))


def _draw_quick_curves(run, crew):
    """The same without networks that would have to be trained."""
    _draw(run, crew, measure_conditions(run, crew))


def _draw(run, crew, measured):
    points = []
    for point in measured:
        points.append(point)
        run.report_progress("points of curves", len(points))
    order = list(figures.CURVES)
    points.sort(key=lambda point: (order.index(point.curve), point.name, point.x, point.seed))
    settings = run.study.settings
    run.folder.save_json("curves.json", {"n_transfers": settings_of_curves(settings).n_transfers,
                                         "points": [point._asdict() for point in points]})
    rows = run.ordered_rows()
    resistance = rows[0]["wire_resistance"]
    methods = _methods(rows, settings.recipes, resistance)
    jobs = {"methods": (figures.method_maps, methods, rivals_of(methods), resistance)}
    if points:
        names = [recipe.name for recipe in followed(settings)]
        jobs["conditions"] = (figures.condition_curves, points, names, run.study.device)
    figures.draw_all(crew, run.folder, jobs)


def measure_curves(run, crew):
    """Yield the points of all curves as they are ready."""
    yield from measure_conditions(run, crew)
    yield from _measure_sizes(replace(run.study, settings=settings_of_curves(run.study.settings)), crew, run.finished)


def measure_conditions(run, crew):
    """Yield the points of the curves that the networks of the table run through."""
    settings = settings_of_curves(run.study.settings)
    study = replace(run.study, settings=settings)
    networks = [Trained(recipe, seed, run.networks[recipe.name, seed]) for recipe in followed(settings)
                for seed in settings.seeds]
    jobs = []
    for condition, trained in itertools.product(make_conditions(study.device), networks):
        point = run.finished.record(*_words(condition.curve, condition.x, trained.recipe.name, trained.seed))
        if point is None:
            jobs.append(crew.start_judging(_measure, condition, trained, study.task, settings))
        else:
            yield CurvePoint(**point)
    for job in as_completed(jobs):
        point = job.result()
        run.finished.keep(_words(point.curve, point.x, point.name, point.seed), point._asdict())
        yield point


def _words(*what):
    """Of which point of a curve the record is kept."""
    return ("point of a curve", *what)


def _measure(condition, trained, task, settings, should_stop=bool):
    settings = replace(settings, wire_resistances=(condition.wire_resistance,))
    outcome, = judge_wires(trained, task, condition.device, settings, should_stop)
    return CurvePoint(condition.curve, condition.x, trained.recipe.name, trained.seed, outcome.nominal_accuracy,
                      robust_fraction(outcome.rates, 0.95))


def _measure_sizes(study, crew, kept):
    """Points of the curve over the number of devices; its networks are trained for it."""
    resized = {f"{recipe.name}, {n_hidden}": (recipe, n_hidden) for recipe in followed(study.settings)
               for n_hidden in HIDDEN_UNITS}
    known = {name: [kept.record(*_words("devices", name, seed)) for seed in study.settings.seeds] for name in resized}
    done = [name for name, points in known.items() if None not in points]
    yield from (CurvePoint(**point) for name in done for point in known[name])
    recipes = tuple(replace(recipe, name=name, sizes=(2, n_hidden, 1)) for name, (recipe, n_hidden) in resized.items()
                    if name not in done)
    for finished in train_and_judge(replace(study, settings=replace(study.settings, recipes=recipes)), crew):
        if isinstance(finished, Judged):
            row, (recipe, _) = finished.row, resized[finished.recipe.name]
            point = CurvePoint("devices", row["n_devices"], recipe.name, finished.seed, row["nominal_accuracy"],
                               row["robust_fraction_95"])
            kept.keep(_words("devices", finished.recipe.name, finished.seed), point._asdict())
            yield point


# What the figure of all methods shows.


def _methods(rows, recipes, wire_resistance):
    methods = []
    for recipe in recipes:
        group = [row for row in rows if row["name"] == recipe.name and row["wire_resistance"] == wire_resistance]
        nominal, robust = (np.array([row[column] for row in group]) for column in ("nominal_accuracy", "robust_fraction_95"))
        methods.append(plot.Method(recipe.name, kind_of_method(recipe), nominal, robust))
    return methods


def rivals_of(methods):
    """Names of the methods that compare like with like: 66 devices on the same layout, nothing known of a chip."""
    return [method.name for method in methods if method.kind not in (_ADAPTED, _OTHER_SIZES)]


def kind_of_method(recipe):
    """Which kind of method a row is, as the figure tells them apart."""
    if recipe.adaptation.knows_chip:
        return _ADAPTED
    if recipe.name.startswith(ROBUST.name):
        as_large = (recipe.sizes, recipe.copies, recipe.arrangement) == (ROBUST.sizes, ROBUST.copies, ROBUST.arrangement)
        return "ROBUST, and with a part changed" if as_large else _OTHER_SIZES
    return {"": "no knowledge of the hardware", PAPER: "recipe of Drolet et al."}.get(recipe.source, "of the literature")
