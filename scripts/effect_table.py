"""What costs robust points, before and after training against it: a regular network, the paper's recipe and ROBUST.

    python scripts/effect_table.py                      # the table of tiocross/transfers/README.md: a quarter of an hour
    python scripts/effect_table.py --only ROBUST --seeds 1 --steps 50 --transfers 100

Each network is trained by its recipe, for the published card on 8 x 8 arrays, and judged on chips that suffer more: time,
failed lines, read noise, bent currents, wires, converters, offsets. Then it is trained on through all of these, and judged
again on the same chips; as much training for the card alone tells what only more steps bring. Intervals are Student's over
the training seeds.
"""

import argparse
import json
import sys
import time
from dataclasses import replace

import numpy as np

from tiocross import (
    TIO2_8X8, TIO2_RETENTION, Ageing, ConductanceDropout, Converter, Dataset, LineFailures, NoiseInjection, Nonlinearity,
    Periphery, PeripheryInLoop, PointErrorRate, ReadNoise, ROBUST, Sensing, TrainingSettings, effect_costs, tasks, train,
    transfer,
)
from tiocross.intervals import half_width_of_mean
from tiocross.study.recipes import RECIPES, ExperimentSettings, chip_generator, train_recipe
from tiocross.transfers.conditions import label_of
from tiocross.transfers.summary import robust_fraction
from tiocross.units import ohm, uS

ASSUMED = "assumed for this table"
DEVICE = replace(
    TIO2_8X8, retention=TIO2_RETENTION.retention, read_noise=ReadNoise(0.01, ASSUMED),
    nonlinearity=Nonlinearity(0.2, 0.2, ASSUMED), lines=LineFailures(0.0, 0.01, 0.1 * uS, 1 * uS, ASSUMED),
    name="TiO2 on 8 x 8 arrays, with time, failed bit lines, read noise, sinh")
PERIPHERY = Periphery(dac=Converter(8), adc=Converter(8), sensing=Sensing(offset=0.01, gain_spread=0.03),
                      name="8 bit, offset 1 %, gain spread 3 %")
WIRES, AFTER = 2 * ohm, 1e4  # [ohm], [s]
_KNOWN = {recipe.name: recipe for recipe in RECIPES}
NETWORKS = {"regular": _KNOWN["regular"], "paper's recipe": _KNOWN["hardware-aware (paper)"], "ROBUST": ROBUST}


CARD = [NoiseInjection(), ConductanceDropout()]  # what the card alone asks for
ALL = [*CARD, Ageing(AFTER), PeripheryInLoop(PERIPHERY, WIRES)]


def train_on(network, techniques, points, n_steps, rng):
    """The network trained on with some techniques."""
    settings = TrainingSettings(n_steps=n_steps, n_chips=16, learning_rate=0.05, loss=PointErrorRate(), loss_from=0.0,
                                scale_gradient_from=0.0)
    return train(network, points, techniques, device=DEVICE, rng=rng, settings=settings)


def judge(network, points, seed, n_transfers):
    """What each effect costs it, on the chips of a seed."""
    return effect_costs(network, points, device=DEVICE, wire_resistance=WIRES, after=AFTER, periphery=PERIPHERY,
                        n_transfers=n_transfers, rng=chip_generator(seed), workers=2)


def rows_of(name, seed, options):
    """Two rows, before and after, of one network."""
    moons = tasks.load_moons()
    few = Dataset(moons.test.points[: options.points], moons.test.labels[: options.points])
    network = train_recipe(NETWORKS[name], moons, TIO2_8X8, ExperimentSettings(seeds=(seed,)))[0]
    card, after = (train_on(network, techniques, moons.train, options.steps, np.random.default_rng([seed, 2]))
                   for techniques in (CARD, ALL))
    rates = transfer(card, few, device=DEVICE, wire_resistance=WIRES, after=AFTER, periphery=PERIPHERY,
                     n_transfers=options.transfers, rng=chip_generator(seed), workers=2).rates
    for when, one in (("before", network), ("after", after)):
        yield {"network": name, "when": when, "seed": seed, "for_the_card": robust_fraction(rates, 0.95),
               **judge(one, few, seed, options.transfers).to_dict()}


def student(values):
    """Mean and the half width of its 95 % interval over seeds, in percent points."""
    values = 100 * np.asarray(values)
    if len(values) < 2:
        return f"{values.mean():.1f}"
    reach = half_width_of_mean(values)
    return f"{values.mean():.1f} +- {reach:.1f}"


def table(rows):
    """The rows as Markdown: for each effect what comes back without it, and what it costs alone."""
    columns = [key for key in dict.fromkeys((row["network"], row["when"]) for row in rows)]
    groups = {key: [row for row in rows if (row["network"], row["when"]) == key] for key in columns}
    head = ["", *(f"{network}, {when}" for network, when in columns)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for title, figure in (("robust with all effects", "robust"), ("robust with none", "robust_ideal")):
        cells = (student([row[figure] for row in groups[key]]) for key in columns)
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    for title, figure in (("gained by training on", "robust"), ("gained by as much for the card alone", "for_the_card")):
        lines.append(f"| {title} | " + " | ".join(_gain(groups, *key, figure) for key in columns) + " |")
    costs = {key: [{cost["effect"]: cost for cost in row["costs"]} for row in groups[key]] for key in columns}
    worst = {effect: np.mean([of[effect]["alone"]["value"] for key in columns for of in costs[key]])
             for effect in costs[columns[0]][0]}
    for effect in sorted(worst, key=worst.get, reverse=True):
        cells = (" / ".join(student([of[effect][figure]["value"] for of in costs[key]]) for figure in ("removed", "alone"))
                 for key in columns)
        lines.append(f"| {label_of(effect)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _gain(groups, network, when, figure):
    """What training on brought a network, seed by seed; nothing before it."""
    if when == "before":
        return ""
    before = {row["seed"]: row["robust"] for row in groups[network, "before"]}
    return student([row[figure] - before[row["seed"]] for row in groups[network, when]])


def main(argv=None):
    """Train, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=tuple(NETWORKS), default=tuple(NETWORKS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=800, help="of training against the effects")
    parser.add_argument("--transfers", type=int, default=500)
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--out", help="file to which rows are added, one a line as JSON; those that are there are kept")
    options = parser.parse_args(argv)
    rows = []
    if options.out:
        with open(options.out, "a+") as file:
            file.seek(0)
            rows = [json.loads(line) for line in file]
    done = {(row["network"], row["seed"]) for row in rows}
    for seed in range(options.seeds):
        for name in options.only:
            if (name, seed) in done:
                continue
            start = time.perf_counter()
            new = list(rows_of(name, seed, options))
            rows += new
            if options.out:
                with open(options.out, "a") as file:
                    file.writelines(json.dumps(row) + "\n" for row in new)
            print(f"{name}, seed {seed}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    print(table(rows))


if __name__ == "__main__":
    main()
