"""Card and chip reconciled: ROBUST networks on chips by statistics and on chips programmed pulse by pulse.

A table and a figure. Arrays are 8 x 8, wires 2 ohm a segment. Errors are those of devices with targets of 200 uS or more,
as read, of the networks' own targets on chips without stuck devices. Intervals of 95 % are over networks, each trained with
a seed of its own; trained networks stay in the folder, and are not trained again.

    python scripts/reconcile.py [--out DIR] [--seeds N] [--chips N] [--points N] [--steps N]
"""

import argparse
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from options import make_folder, whole
from robust_networks import points_of, train_seed

from tiocross import (
    MLP, TIO2_8X8, TIO2_STATE_8X8, TIO2_SWITCHING, SimulatedFab, plan, plot, program, transfer)
from tiocross.intervals import half_width_of_mean
from tiocross.storage import replacing
from tiocross.study.methods import ROBUST_TRAINING
from tiocross.units import ohm, uS

HIGH = 200 * uS
WIRE = 2.0 * ohm
BY_THIRDS = replace(TIO2_STATE_8X8, disturb=replace(TIO2_STATE_8X8.disturb, scheme="V/3"))


class Way(NamedTuple):
    """How chips come about: a card and its passes, or a fab."""

    device: object
    passes: int = 1
    fab: object = None


def by_pulses(passes, **options):
    """Chips programmed pulse by pulse."""
    return Way(TIO2_8X8, fab=SimulatedFab(passes=passes, **options))


WAYS = {
    "card": Way(TIO2_8X8),
    "card by state, one pass": Way(TIO2_STATE_8X8),
    "card by state, three passes": Way(TIO2_STATE_8X8, 3),
    "card by state, V/3, one pass": Way(BY_THIRDS),
    "pulse by pulse, one pass": by_pulses(1),
    "pulse by pulse, three passes": by_pulses(3),
    "V/3, one pass": by_pulses(1, biasing="V/3"),
    "V/3, three passes": by_pulses(3, biasing="V/3"),
    "reset first, then SET only, 1 pass": by_pulses(1, strategy="reset first"),
    "reset first, then SET only, 3 passes": by_pulses(3, strategy="reset first"),
}
FIGURES = ("mean error (uS)", "sd (uS)", "robust share", "mean accuracy", "5th percentile", "pulses", "time (s)")


@plot.house_style()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/reconcile", metavar="DIR", help="where it goes (default: %(default)s)")
    parser.add_argument("--seeds", type=whole(2), default=4, metavar="N", help="networks (default: %(default)s)")
    parser.add_argument("--chips", type=whole(2), default=200, metavar="N", help="of each network (default: %(default)s)")
    parser.add_argument("--points", type=whole(1), default=1_000, metavar="N", help="test points (default: %(default)s)")
    parser.add_argument("--steps", type=whole(1), default=ROBUST_TRAINING.n_steps, metavar="N",
                        help="of training (default: %(default)s)")
    arguments = parser.parse_args()
    folder = make_folder(parser, arguments.out)
    points = points_of(arguments)
    networks = [robust_network(folder, seed, arguments.steps) for seed in range(arguments.seeds)]
    found = {name: np.array([judge(network, points, way, arguments.chips) for network in networks])
             for name, way in WAYS.items()}
    report = (f"ROBUST on half moons, arrays of 8 x 8: {arguments.seeds} networks, {arguments.chips} chips each, "
              f"{len(points)} test points\n{format_table(found)}\n")
    print(report, end="")
    with replacing(folder / "reconcile.txt") as temporary:
        temporary.write_text(report, encoding="utf-8")
    figure = draw(found)
    for kind in ("png", "pdf"):
        with replacing(folder / f"reconcile.{kind}") as temporary:
            figure.savefig(temporary, dpi=120)
    print(f"results: {folder}")


def robust_network(folder, seed, n_steps):
    """The network of a seed; one that the folder has is not trained again."""
    path = folder / f"robust_{n_steps}_steps_{seed}.npz"
    if not path.exists():
        train_seed(seed, TIO2_8X8, n_steps).save(path)
    return MLP.load(path)


def judge(network, points, way, n_chips):
    """The `FIGURES` of one network."""
    errors = device_errors(network, way, n_chips) / uS
    outcome = transfer(network, points, device=way.device, chips=way.fab, passes=way.passes, wire_resistance=WIRE,
                       n_transfers=n_chips, rng=np.random.default_rng(5))
    took = outcome.programming
    costs = (np.nan, np.nan) if took is None else (took.n_pulses.mean(), took.seconds.mean())
    accuracies = outcome.accuracies
    return (errors.mean(), errors.std(), (outcome.rates >= 0.95).mean(), accuracies.mean(), np.quantile(accuracies, 0.05),
            *costs)


def device_errors(network, way, n_chips):
    """How far devices with high targets end from them on chips without stuck devices [S]."""
    made, rng = plan(network, way.device), np.random.default_rng(6)
    errors = []
    for targets, order in zip(made.targets, made.orders):
        if way.fab is None:
            ends = program(targets, way.device.without("stuck"), rng=rng, n_chips=n_chips, order=order, passes=way.passes)
        else:
            fab = replace(way.fab, model=replace(TIO2_SWITCHING, stuck=None))
            ends = fab.program(targets, rng=rng, n_chips=n_chips, order=order).readings
        errors.append((ends - targets)[:, targets >= HIGH].ravel())
    return np.concatenate(errors)


def format_table(found):
    lines = [f"{'':<36}   error from 200 uS (uS)     robust share    mean accuracy   5th percentile  pulses  time (s)"]
    for name, values in found.items():
        mean, half = values.mean(axis=0), half_width_of_mean(values)
        shares = "   ".join(f"{m:.3f} +- {h:.3f}" for m, h in zip(mean[2:5], half[2:5]))
        costs = "       -         -" if np.isnan(mean[5]) else f"{mean[5]:>8.0f}{mean[6]:>10.1f}"
        lines.append(f"{name:<36} {mean[0]:>6.1f} +- {half[0]:>4.1f}, sd {mean[1]:>5.1f}   {shares}{costs}")
    lines.append("errors: mean of the devices with its interval, and their sd; pulses and time: of a chip")
    return "\n".join(lines)


def draw(found):
    figure, axes = plot.new_figure(1, 3, width=15, height=4.6)
    places = np.arange(len(found))[::-1]
    means = np.array([values.mean(axis=0) for values in found.values()])
    halves = np.array([half_width_of_mean(values) for values in found.values()])
    colours = [plot.COLOURS[0 if name.startswith("card") else 2] for name in found]
    titles = ("devices from 200 µS: mean error, bar: sd", "robust share", "5th percentile of the accuracy")
    for axis, column, spread, title in zip(axes[0], (0, 2, 4), (means[:, 1], halves[:, 2], halves[:, 4]), titles):
        for place, mean, half, colour in zip(places, means[:, column], spread, colours):
            axis.errorbar(mean, place, xerr=half, color=colour, marker="o", markersize=5, capsize=3)
        axis.set(title=title, yticks=places, yticklabels=list(found) if axis is axes[0, 0] else [""] * len(found))
        axis.grid(axis="x", alpha=0.3)
    axes[0, 0].axvline(0.0, color="0.6", linewidth=0.8)
    axes[0, 0].set_xlabel("read less target (µS)")
    axes[0, 1].set_xlabel("share of points right on 95 % of the chips")
    axes[0, 2].set_xlabel("accuracy")
    n_networks = len(next(iter(found.values())))
    figure.suptitle(f"ROBUST on half moons, {n_networks} networks. Black: cards; blue: pulse by pulse. Bars: 95 % over "
                    "networks; in the first panel sd of devices.", fontsize=10)
    return figure


if __name__ == "__main__":
    main()
