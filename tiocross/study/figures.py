"""The figures of a study: four of the experiment, two of the comparison. Each function gives a matplotlib Figure."""

import numpy as np

from tiocross import plot
from tiocross.study.recipes import chip_generator
from tiocross.transfers.chips import Chips
from tiocross.transfers.classifying import classifier_for
from tiocross.transfers.draws import CHIPS_PER_BLOCK
from tiocross.units import uS

_N_GRID = 120  # points of a decision map along each axis
_HEIGHT_NEAR_BEST = 0.06  # robust share below the best method, and ...
_WIDTH_NEAR_BEST = 0.01  # ... nominal accuracy, within which a method is named in the panel of the best
CURVES = {"stuck": ("stuck devices (%)", 100), "drift": ("write disturb relative to that trained for", 1),
          "wires": ("resistance of a wire segment (ohm)", 1), "devices": ("number of devices", 1)}  # label, factor


def draw_all(crew, folder, figures):
    """Draw figures in processes and save them; ``figures`` gives a function and its arguments for each name."""
    for drawn in [crew.start_here(_draw, folder, name, *job) for name, job in figures.items()]:
        drawn.result()


@plot.house_style()
def _draw(folder, name, function, *arguments):
    folder.save_figure(function(*arguments), name)


def decision_maps(names, task, device, settings, networks, outcomes):
    """Where the chips of a network disagree, for the first seed and the longest wires."""
    seed, resistance = settings.seeds[0], settings.wire_resistances[-1]
    low, high = task.test.points.min(axis=0), task.test.points.max(axis=0)
    grid = tuple(np.linspace(a, b, _N_GRID) for a, b in zip(low - 0.05, high + 0.05))
    points = np.stack(np.meshgrid(*grid), axis=-1).reshape(-1, 2)
    n_columns = 2 if len(names) < 5 else 3
    figure, axes = plot.new_figure(2, n_columns, width=5 * n_columns, height=8)
    for panel, name in zip(axes.flat, names):
        network = networks[name, seed]
        chips = Chips(network, device, wire_resistance=resistance, rng=chip_generator(seed))
        classes = classifier_for(network, points).classify(chips.weights(range(CHIPS_PER_BLOCK)))
        shares = classes.mean(axis=0).reshape(_N_GRID, _N_GRID)
        nominal = network.logits(points).reshape(_N_GRID, _N_GRID)
        plot.decision_map(panel, grid, shares, nominal, task.test, outcomes[name, seed, resistance].rates, title=name)
    for panel in axes.flat[len(names):]:
        panel.set_axis_off()
    plot.decision_colour_bars(figure, axes)
    _name_axes_and_classes(task, axes)
    figure.suptitle(f"Seed {seed}, {resistance:g} ohm per wire segment. Solid: boundary in software. "
                    f"Dashed: 5 % and 95 % of {CHIPS_PER_BLOCK} chips answer "
                    f"{_plain(task.class_names[1]) if task.class_names else 'class 1'}.", fontsize=10)
    return figure


def _plain(name):
    """A name as it stands; between dollars it would be a formula."""
    return name.replace("$", "\\$")


def _name_axes_and_classes(task, axes):
    """Names that the task gives to its two features and classes, in place of numbers; the legend."""
    legend = axes[0, 0].legend(loc="lower left", fontsize=8)
    for handle in legend.legend_handles:
        handle.set(array=None, facecolor="0.5")  # the marker tells the class; colour is the rate
    for text, name in zip(legend.get_texts(), task.class_names):
        text.set_text(_plain(name))
    if task.feature_names:
        names = [_plain(name) + ("" if task.scaling is None else ", scaled") for name in task.feature_names]
        for panel in axes.flat:
            panel.set(xlabel=names[0], ylabel=names[1])


def rate_curves(names, settings, outcomes):
    """Share of points that are right on at least x % of the chips, for each wire resistance."""
    figure, axes = plot.new_figure(1, len(settings.wire_resistances), width=5.6 * len(settings.wire_resistances), height=4.6)
    for panel, resistance in zip(axes[0], settings.wire_resistances):
        rates = {name: [outcomes[name, seed, resistance].rates for seed in settings.seeds] for name in names}
        plot.rate_curves(panel, rates, title=f"{resistance:g} ohm per wire segment")
    axes[0, 0].legend(fontsize=8, loc="best")  # curves may be anywhere
    figure.suptitle(f"Mean and range over {len(settings.seeds)} training seed(s)", fontsize=10)
    return figure


def accuracy_histograms(names, settings, outcomes):
    """Accuracy over chips of all seeds together, for each row and wire resistance."""
    n_columns = len(settings.wire_resistances)
    lowest = min(outcomes[name, seed, resistance].accuracies.min() for name in names for seed in settings.seeds
                 for resistance in settings.wire_resistances)
    figure, axes = plot.new_figure(len(names), n_columns, width=5 * n_columns, height=1.75 * len(names))
    for k, name in enumerate(names):
        for panel, resistance in zip(axes[k], settings.wire_resistances):
            accuracies = np.concatenate([outcomes[name, seed, resistance].accuracies for seed in settings.seeds])
            plot.accuracy_histogram(panel, accuracies, lowest=lowest, colour=plot.COLOURS[k],
                                    title=f"{name}, {resistance:g} ohm per segment")
            panel.label_outer()
    figure.suptitle(f"All chips of {len(settings.seeds)} training seed(s) together. Dashed: mean. Dotted: 5th percentile.",
                    fontsize=10)
    return figure


def conductance_maps(name, device, seed, network):
    """Targets, programmed conductances and their difference, for each layer of one network on its first chip."""
    chips = Chips(network, device, rng=chip_generator(seed))
    figure, axes = plot.new_figure(len(chips.targets), 3, width=13, height=3.2 * len(chips.targets))
    for layer, (row, target, states) in enumerate(zip(axes, chips.targets, chips.programmed(range(1)).conductances)):
        programmed = states[0]
        window = (min(target.min(), programmed.min()), max(target.max(), programmed.max()))
        plot.conductance_map(row[0], target, title=f"layer {layer + 1}, target", window=window)
        plot.conductance_map(row[1], programmed, title=f"layer {layer + 1}, programmed (chip 0)", window=window)
        plot.conductance_map(row[2], programmed - target, title="programmed - target", window=(-40 * uS, 40 * uS),
                             difference=True)
    figure.suptitle(f"{name}, seed {seed}: bit lines 2 j and 2 j + 1 are the plus and minus side of output j", fontsize=10)
    return figure


def method_maps(methods, rivals, wire_resistance):
    """Robust share over nominal accuracy: all methods, and those at the top where there are several; ``rivals`` are the
    names among which the front is drawn."""
    means = {method.name: (method.nominal.mean(), method.robust.mean()) for method in methods}
    best = max(means.values(), key=lambda pair: pair[1])
    least = best[0] - _WIDTH_NEAR_BEST, best[1] - _HEIGHT_NEAR_BEST
    top = [method for method in methods if all(mean >= low for mean, low in zip(means[method.name], least))]
    panels = [(methods, "all methods")] + ([(top, "the most robust of them")] if 1 < len(top) < len(methods) else [])
    named = [method.name for method in top] if len(panels) == 2 else []
    figure, axes = plot.new_figure(1, len(panels), width=7.5 * len(panels), height=7)
    for panel, (shown, title) in zip(axes[0], panels):
        names = [name for name in means if (name in named) == (title != "all methods")]
        plot.method_map(panel, methods, limits=plot.limits_of(shown), named=names, front=rivals, title=title)
    plot.legend_of_kinds(axes[0, 0], list(dict.fromkeys(method.kind for method in methods)))
    n_seeds = len(methods[-1].nominal)
    bars = "Markers: mean. Bars: lowest to highest seed." if n_seeds > 1 else "One seed: no bars."
    figure.suptitle(f"{wire_resistance:g} ohm per wire segment, {n_seeds} training seed(s). {bars} Black line: no rival is "
                    "better in both.", fontsize=10)
    return figure


def condition_curves(points, names, device):
    """Robust share over the conditions of each curve; ``points`` are `CurvePoint` records."""
    stuck = device.stuck
    trained = {"stuck": 100 * (stuck.probability_lrs + stuck.probability_hrs) if stuck else 0.0, "drift": 1.0, "wires": 0.0}
    figure, axes = plot.new_figure(2, 2, width=11, height=8)
    for panel, (curve, (label, factor)) in zip(axes.flat, CURVES.items()):
        curves = {}
        for name in names:
            here = [point for point in points if point.curve == curve and point.name == name]
            places = sorted({point.x for point in here})
            robust = [[point.robust_fraction_95 for point in here if point.x == x] for x in places]
            if places:
                curves[name] = np.array(places) * factor, np.array(robust)
        if not curves:  # a first look trains nothing for other numbers of devices
            panel.set_axis_off()
            continue
        plot.condition_curve(panel, curves, xlabel=label, trained_at=trained.get(curve))
    axes[0, 0].legend(fontsize=8)
    figure.suptitle(f"Mean and range over {len({point.seed for point in points})} training seed(s). Grey line: what the "
                    "networks were trained for; for another number of devices they are trained anew.", fontsize=10)
    return figure
