"""Fit the write disturb by state of the card TIO2_STATE to simulated arrays: its parameters with 95 % intervals.

Arrays of 8 x 8 are programmed once, pulse by pulse: with targets uniform in the window and with those that networks have,
under V/2 and under V/3. What they read before and after is all that the fit sees.

    python scripts/fit_state_disturb.py [--arrays N] [--seed N]
"""

import argparse

import numpy as np
from options import whole

from tiocross import TIO2, TIO2_STATE, ArrayRuns, PulseScheme, SimulatedCrossbar, fit_state_disturb
from tiocross.lab.fab import run_passes
from tiocross.records import declared

SHAPE = (8, 8)
KINDS = (("uniform", "V/2"), ("network", "V/2"), ("uniform", "V/3"), ("network", "V/3"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrays", type=whole(10), default=300, metavar="N",
                        help="simulated of each kind (%(default)s)")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="of the arrays (default: %(default)s)")
    arguments = parser.parse_args()
    runs = [make_runs(kind, biasing, arguments.arrays, [arguments.seed, k]) for k, (kind, biasing) in enumerate(KINDS)]
    fit = fit_state_disturb(runs, start=TIO2_STATE.disturb, source="simulated arrays")
    print(fit)
    print("\n".join(f"    {name}={getattr(fit.value, name)!r}," for name in declared(fit.value)))


def make_runs(kind, biasing, n_arrays, seed):
    """`ArrayRuns` of arrays programmed in one pass, pulse by pulse, as an instrument reads them."""
    found = []
    for number in range(n_arrays):
        rng = np.random.default_rng([*seed, number])
        chip = SimulatedCrossbar(SHAPE, rng=rng, scheme=biasing)
        targets = targets_of(kind, rng)
        before = chip.read_array()
        report = run_passes(chip, targets, np.ones(SHAPE, dtype=bool), PulseScheme(), np.arange(targets.size), 1)
        found.append((before, targets, report.conductances, report.outcomes != "converged"))
    return ArrayRuns(*(np.array(part) for part in zip(*found)), scheme=biasing)


def targets_of(kind, rng):
    """Targets of one array [S]: uniform in the window, or as a network has them: one device of each pair low."""
    if kind == "uniform":
        return rng.uniform(TIO2.g_min, TIO2.g_max, SHAPE)
    pairs = np.full((SHAPE[0], SHAPE[1] // 2, 2), TIO2.g_min)
    largest = (TIO2.g_max - TIO2.g_min) * rng.uniform(0.3, 1.0)  # of a layer, which need not be on this array
    above = largest * rng.beta(1.0, 1.5, pairs.shape[:2])
    np.put_along_axis(pairs, rng.integers(2, size=pairs.shape[:2])[..., None], TIO2.g_min + above[..., None], axis=-1)
    return pairs.reshape(SHAPE)


if __name__ == "__main__":
    main()
