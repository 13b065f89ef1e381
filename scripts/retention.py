"""Cards with retention beside their sources, what time costs ROBUST networks, and what training against it brings back.

The figure has the cards as lines, the numbers of their sources as points. In the table every seed is a network of its own;
shares are of points right on 95 % of the chips, costs against the same chips just after programming, intervals of 95 % over
seeds. Both kinds of training go on from the same network for equally many steps.

    python scripts/retention.py [--out DIR] [--seeds N] [--chips N] [--points N] [--steps N]
"""

import argparse
from dataclasses import replace

import numpy as np
from options import make_folder, whole
from robust_networks import change, points_of, train_seed

from tiocross import (
    RRAM_B, RRAM_C, TIO2, TIO2_RETENTION, Ageing, ConductanceDropout, NoiseInjection, Retention, plot, tasks, train, transfer)
from tiocross.storage import replacing
from tiocross.study.methods import ROBUST_TRAINING
from tiocross.units import uS

OURS = "a choice for this table"
LOW = np.geomspace(20, 60, 200) * uS  # half of the TiO2 readings; the other half above 60 uS
HIGH = np.linspace(60, 500, 200) * uS
READINGS = {1e3: (-0.013, None), 1e4: (-0.032, 0.041)}
READINGS_ABOVE = {1e4: (-0.009, 0.014)}  # of those above 60 uS
TABLES = {"B": (RRAM_B, 128 * uS, {1e-2: 2.27, 1e-1: 3.49, 1.0: 4.54, 1e2: 5.21, 1e3: 5.83, 1e4: 7.79}),
          "C": (RRAM_C, 40 * uS, {1e-2: 0.93, 1e-1: 1.56, 1.0: 2.05, 4.0: 2.31, 1e5: 3.64})}
LATER = 10.0  # s, of the laws of one decade below


def random_retention(spread):
    """The TiO2 card whose devices change by chance, by this spread after LATER."""
    return replace(TIO2, retention=Retention.linear(t_0=1.0, until=LATER, spread=spread, source=OURS))


CASES = {"random, 10 %": (random_retention(0.10), LATER), "random, 5 %": (random_retention(0.05), LATER),
         "TIO2_RETENTION, 1e4 s": (TIO2_RETENTION, 1e4),
         "TIO2_RETENTION, a year": (TIO2_RETENTION, 3.15e7)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/retention", metavar="DIR", help="where it goes (default: %(default)s)")
    parser.add_argument("--seeds", type=whole(2), default=5, metavar="N", help="networks (default: %(default)s)")
    parser.add_argument("--chips", type=whole(1), default=500, metavar="N", help="of each network (default: %(default)s)")
    parser.add_argument("--points", type=whole(1), default=2_000, metavar="N", help="test points (default: %(default)s)")
    parser.add_argument("--steps", type=whole(1), default=ROBUST_TRAINING.n_steps, metavar="N",
                        help="of training, and of the training that goes on (default: %(default)s)")
    arguments = parser.parse_args()
    folder = make_folder(parser, arguments.out)
    draw(folder)
    report = "\n".join(tabulate(arguments)) + "\n"
    print(report, end="")
    with replacing(folder / "retention.txt") as temporary:
        temporary.write_text(report, encoding="utf-8")
    print(f"results: {folder}")


def tabulate(arguments):
    """Lines of the table."""
    training, points = tasks.load_moons().train, points_of(arguments)
    networks = [train_seed(seed, TIO2, arguments.steps) for seed in range(arguments.seeds)]

    def shares(networks, device, after):
        return np.array([(transfer(network, points, device=device, after=after, n_transfers=arguments.chips,
                                   rng=np.random.default_rng(5)).rates >= 0.95).mean() for network in networks])

    def go_on(device, *techniques):
        later = replace(ROBUST_TRAINING, n_steps=arguments.steps, learning_rate=0.1, loss_from=0.0, scale_gradient_from=0.0)
        return [train(network, training, [NoiseInjection(), ConductanceDropout(), *techniques], device=device,
                      rng=np.random.default_rng([seed, 78]), settings=later) for seed, network in enumerate(networks)]

    yield (f"ROBUST on half moons, {arguments.seeds} networks, {arguments.chips} chips each, {len(points)} test points, 0 ohm; "
           f"just after programming {shares(networks, TIO2, 0.0).mean():.3f}")
    yield f"{'':<26}{'share':>7}{'cost':>20}{'trained on without time':>26}{'trained on against it':>24}"
    same = go_on(TIO2)
    for name, (device, after) in CASES.items():
        found = shares(networks, device, after)
        without, against = (shares(some, device, after) - found for some in (same, go_on(device, Ageing(after))))
        cost = found - shares(networks, TIO2, 0.0)
        yield f"{name:<26}{found.mean():>7.3f}{change(cost, 3):>20}{change(without, 3):>26}{change(against, 3):>24}"


@plot.house_style()
def draw(folder):
    """The cards beside their sources."""
    figure, axes = plot.new_figure(2, 2, width=10.0, height=7.6)
    readings = (("all readings", np.concatenate([LOW, HIGH]), READINGS), ("above 60 µS", HIGH, READINGS_ABOVE))
    for place, (name, states, measured) in zip(axes[0], readings):
        plot.retention_course(place, TIO2_RETENTION.retention, states, measured=measured, relative=True,
                              title=f"TIO2_RETENTION: {name}")
    for place, (name, (card, level, spreads)) in zip(axes[1], TABLES.items()):
        measured = {time: (None, spread * uS) for time, spread in spreads.items()}
        plot.retention_course(place, card.retention, [level], measured=measured,
                              title=f"RRAM_{name}: technology {name}, no means stated")
    for kind in ("png", "pdf"):
        with replacing(folder / f"retention.{kind}") as temporary:
            figure.savefig(temporary, dpi=120)


if __name__ == "__main__":
    main()
