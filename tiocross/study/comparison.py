"""The comparison of training methods as a study: one table, and curves of the robust share on chips that the networks
were not trained for: more stuck devices, stronger write disturb, longer wires. For other numbers of devices the networks
are trained anew."""

from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tiocross import plot
from tiocross.checks import as_number
from tiocross.devices.device import Device
from tiocross.devices.tio2 import TIO2
from tiocross.study import figures
from tiocross.study.methods import PAPER, ROBUST
from tiocross.study.run import Judged, Study, Trained, judge_wires, n_chips_for, train_and_judge
from tiocross.study.tables import make_comparison_row
from tiocross.transfers.summary import robust_fraction

FOLLOWED = ("regular", "hardware-aware (paper)", "ROBUST")  # the rows that have curves
STUCK_RATES = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)
DISTURB_FACTORS = (0.0, 0.5, 1.0, 1.5, 2.0)
WIRE_RESISTANCES = (0.0, 5.0, 10.0, 15.0, 20.0)  # [ohm]
HIDDEN_UNITS = (4, 8, 16, 31)  # of half moons: 34 to 250 devices
_MOST_SEEDS, _MOST_TRANSFERS = 5, 2_000  # of a curve
_NOTES = """\
nominal: accuracy in software. mean, 5th pct: accuracy over chips. robust p %: share of test points that are right on at
least p % of the chips. robust/nominal: robust 95 % over nominal, with its worst seed; a point that is wrong in software
cannot be robust, so 1 is the most. Read it beside the nominal accuracy: the straight line has few weights to go wrong."""


def make_comparison(task, device, settings):
    """The comparison on a task, ready for `Run`."""
    n_conditions = len(make_conditions(device)) + len(HIDDEN_UNITS)
    n_points = n_conditions * len(_followed(settings)) * len(_settings_of_curves(settings).seeds)
    return Study(task, device, settings, make_comparison_row, _notes(settings), _measure_and_draw_curves,
                 {"points of curves": n_points})


def _notes(settings):
    """What stands below the table: how to read it, and where the methods come from."""
    few = [f"{recipe.name}: {n_chips_for(recipe, settings)} chips only, each with weights of its own"
           for recipe in settings.recipes if n_chips_for(recipe, settings) < settings.n_transfers]
    sources = [f"  {recipe.name}: {recipe.source}" for recipe in settings.recipes if recipe.source]
    return "\n".join([_NOTES, *few, *(["sources:", *sources] if sources else [])])


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
    """The device with every change by later writes multiplied by a factor; one without write disturb stays without."""
    factor = as_number("factor", factor, low=0.0)
    if device.disturb is None:
        return device
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


def _followed(settings):
    return [recipe for recipe in settings.recipes if recipe.name in FOLLOWED]


def _settings_of_curves(settings):
    return replace(settings, seeds=settings.seeds[:_MOST_SEEDS], wire_resistances=(0.0,),
                   n_transfers=min(_MOST_TRANSFERS, settings.n_transfers))


def _measure_and_draw_curves(run, crew):
    """Measure the curves, write them, and draw the figures."""
    points = []
    for point in measure_curves(run, crew):
        points.append(point)
        run.report_progress("points of curves", len(points))
    order = list(figures.CURVES)
    points.sort(key=lambda point: (order.index(point.curve), point.name, point.x, point.seed))
    settings = run.study.settings
    run.folder.save_json("curves.json", {"n_transfers": _settings_of_curves(settings).n_transfers,
                                         "points": [point._asdict() for point in points]})
    rows = run.ordered_rows()
    resistance = rows[0]["wire_resistance"]
    jobs = {"methods": (figures.method_maps, _methods(rows, settings.recipes, resistance), resistance)}
    if points:
        names = [recipe.name for recipe in _followed(settings)]
        jobs["conditions"] = (figures.condition_curves, points, names, run.study.device)
    figures.draw_all(crew, run.folder, jobs)


def measure_curves(run, crew):
    """Yield the points of all curves as they are ready."""
    settings = _settings_of_curves(run.study.settings)
    study = replace(run.study, settings=settings)
    networks = [Trained(recipe, seed, run.networks[recipe.name, seed]) for recipe in _followed(settings)
                for seed in settings.seeds]
    jobs = [crew.start_thread(_measure, condition, trained, study, crew.stop)
            for condition in make_conditions(study.device) for trained in networks]
    yield from (job.result() for job in as_completed(jobs))
    yield from _measure_sizes(study, crew)


def _measure(condition, trained, study, stop):
    settings = replace(study.settings, wire_resistances=(condition.wire_resistance,))
    outcome, = judge_wires(trained, study.task, condition.device, settings, stop)
    return CurvePoint(condition.curve, condition.x, trained.recipe.name, trained.seed, outcome.nominal_accuracy,
                      robust_fraction(outcome.rates, 0.95))


def _measure_sizes(study, crew):
    """Points of the curve over the number of devices; its networks are trained for it."""
    resized = {f"{recipe.name}, {n_hidden}": (recipe, n_hidden) for recipe in _followed(study.settings)
               for n_hidden in HIDDEN_UNITS}
    recipes = tuple(replace(recipe, name=name, sizes=(2, n_hidden, 1)) for name, (recipe, n_hidden) in resized.items())
    for finished in train_and_judge(replace(study, settings=replace(study.settings, recipes=recipes)), crew):
        if isinstance(finished, Judged):
            row, (recipe, _) = finished.row, resized[finished.recipe.name]
            yield CurvePoint("devices", row["n_devices"], recipe.name, finished.seed, row["nominal_accuracy"],
                             row["robust_fraction_95"])


# What the figure of all methods shows.


def _methods(rows, recipes, wire_resistance):
    methods = []
    for recipe in recipes:
        group = [row for row in rows if row["name"] == recipe.name and row["wire_resistance"] == wire_resistance]
        nominal, robust = (np.array([row[column] for row in group]) for column in ("nominal_accuracy", "robust_fraction_95"))
        methods.append(plot.Method(recipe.name, kind_of_method(recipe), nominal, robust))
    return methods


def kind_of_method(recipe):
    """Which kind of method a row is, as the figure tells them apart."""
    if recipe.adaptation.knows_chip:
        return "adapted to each chip"
    if recipe.name.startswith("ROBUST"):
        as_large = (recipe.sizes, recipe.copies, recipe.arrangement) == (ROBUST.sizes, ROBUST.copies, ROBUST.arrangement)
        return "ROBUST, and without each of its parts" if as_large else "ROBUST with other sizes or layouts"
    return {"": "no knowledge of the hardware", PAPER: "recipe of Drolet et al."}.get(recipe.source, "of the literature")
