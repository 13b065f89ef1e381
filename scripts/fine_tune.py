"""What a transfer costs a network of real size, and what a few hardware-aware epochs bring back.

A 784-64-10 network is trained in software on generated images of digits, and imported from its arrays as people bring theirs.
It is put on simulated TIO2 chips with tiles of 64 x 64. Then it is trained for ten more epochs with noise injection,
conductance dropout and the range penalty, and put on the same chips.

    python scripts/fine_tune.py [--quick] [--out DIR] [--chips N] [--wires OHM]
"""

import argparse
import time

import numpy as np
from options import make_folder, whole

from tiocross import (
    MLP, TIO2, ConductanceDropout, NoiseInjection, RangePenalty, TrainingSettings, arrange, tasks, train, transfer,
)
from tiocross.storage import replacing

SIZES, TILE = (784, 64, 10), (64, 64)
TECHNIQUES = [NoiseInjection(), ConductanceDropout(), RangePenalty(0.03)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/fine_tune", metavar="DIR", help="where it goes (default: %(default)s)")
    parser.add_argument("--chips", type=whole(1), default=100, metavar="N", help="simulated chips (default: %(default)s)")
    parser.add_argument("--wires", type=float, default=0.0, metavar="OHM", help="resistance of a segment (default: none)")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="of everything (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="fewer images, epochs and chips")
    arguments = parser.parse_args()
    folder = make_folder(parser, arguments.out)
    images, n_chips = make_images(arguments.quick, arguments.seed), min(arguments.chips, 10 if arguments.quick else 10**9)
    found, first = clock(train_in_software, images, arguments.quick, arguments.seed)
    before = MLP.from_arrays([(array[:-1], array[-1]) for array in found.arrays], activation="relu", orientation="in_out")
    after, second = clock(fine_tune, before, images, arguments.quick, arguments.seed)
    rows = {}
    for name, network, seconds in (("in software", before, first), ("fine-tuned", after, second)):
        network.save(folder / f"{name.replace(' ', '_')}.npz")
        found, taken = clock(judge, network, images.test, n_chips, arguments)
        rows[name] = (found, seconds, taken)
    report = format_rows(rows, n_chips, len(images.test)) + "\n"
    print(report, end="")
    with replacing(folder / "fine_tune.txt") as temporary:
        temporary.write_text(report, encoding="utf-8")
    print(f"results: {folder}")


def make_images(quick=False, seed=0):
    """The task."""
    counts = {"n_train": 1000, "n_validation": 10, "n_test": 200} if quick else {}
    return tasks.generate_glyphs(rng=np.random.default_rng([seed, 1]), **counts)


def train_in_software(images, quick=False, seed=0):
    """A network as people bring theirs: it knows nothing of devices."""
    start = MLP(*SIZES, rng=np.random.default_rng([seed, 2]), activation="relu")
    settings = TrainingSettings(n_epochs=10 if quick else 20, learning_rate=0.003, n_chips=1)
    return train(start, images.train, rng=np.random.default_rng([seed, 3]), settings=settings)


def fine_tune(network, images, quick=False, seed=0):
    """The same network after some hardware-aware epochs."""
    settings = TrainingSettings.fine_tuning(n_epochs=8) if quick else TrainingSettings.fine_tuning()
    return train(network, images.train, TECHNIQUES, device=TIO2, layout=arrange(network.sizes, TILE),
                 rng=np.random.default_rng([seed, 4]), settings=settings)


def judge(network, points, n_chips, arguments):
    """The network on simulated chips, the same for each."""
    return transfer(network, points, device=TIO2, layout=arrange(network.sizes, TILE), n_transfers=n_chips,
                    wire_resistance=arguments.wires, rng=np.random.default_rng([arguments.seed, 5]))


def clock(function, *arguments):
    """What a call gives, and its seconds."""
    start = time.perf_counter()
    return function(*arguments), time.perf_counter() - start


def format_rows(rows, n_chips, n_points):
    """Lines for people."""
    lines = [f"{'-'.join(map(str, SIZES))} on {n_chips} TIO2 chips, tiles of {TILE[0]} x {TILE[1]}, {n_points} images",
             f"{'':<12}{'nominal':>9}{'mean':>8}{'p05':>8}{'robust 95 %':>13}{'training':>11}{'transfer':>11}"]
    for name, (found, training, taken) in rows.items():
        told = found.summary()
        shown = [each.value for each in (told.nominal_accuracy, told.mean_accuracy, told.p05_accuracy, told.robust_fraction_95)]
        lines.append(f"{name:<12}{shown[0]:>9.3f}{shown[1]:>8.3f}{shown[2]:>8.3f}{shown[3]:>13.3f}{training:>9.1f} s"
                     f"{taken:>9.1f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
