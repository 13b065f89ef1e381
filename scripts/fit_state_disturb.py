"""Fit the write disturb by state of the card TIO2_STATE to simulated arrays: its parameters with 95 % intervals.

Arrays of 8 x 8 are programmed once, pulse by pulse: with targets uniform in the window and with those that networks have,
under V/2 and under V/3. What they read before and after is all that the fit sees. With --check nothing is fitted: a table
compares the card with arrays, by what devices were written to and by what was written later on their lines.

    python scripts/fit_state_disturb.py [--arrays N] [--seed N] [--check]
"""

import argparse
from dataclasses import replace

import numpy as np
from options import whole

from tiocross import TIO2, TIO2_STATE, ArrayRuns, PulseScheme, SimulatedCrossbar, fit_state_disturb
from tiocross.devices.state_disturb import Wiring, disturb_by_state, draw_states
from tiocross.devices.writes import count_later_writes
from tiocross.lab.fab import run_passes
from tiocross.records import declared
from tiocross.units import uS

SHAPE = (8, 8)
OWN, LATER = np.array([99, 200, 350, 501]) * uS, np.array([-np.inf, -600, 0, 600, np.inf]) * uS
COPIES, FEWEST = 10, 200  # of each array by the card; devices of a group
KINDS = (("uniform", "V/2"), ("network", "V/2"), ("uniform", "V/3"), ("network", "V/3"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrays", type=whole(10), default=300, metavar="N",
                        help="simulated of each kind (%(default)s)")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="of the arrays (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="compare the card with the arrays, and fit nothing")
    arguments = parser.parse_args()
    runs = [make_runs(kind, biasing, arguments.arrays, [arguments.seed, k]) for k, (kind, biasing) in enumerate(KINDS)]
    if arguments.check:
        print("\n".join(["from target to last reading [uS]: mean +- sd of arrays, of TIO2_STATE; devices",
                         *(line for kind, run in zip(KINDS, runs) for line in compare(kind, run))]))
        return
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


def compare(kind, run):
    """Lines of changes on arrays and by the card, grouped by target and by the sum of the later ways on a device's lines."""
    rng, law = np.random.default_rng(7), replace(TIO2_STATE.disturb, scheme=run.scheme)
    n, wanted = len(run.targets) * COPIES, np.tile(run.targets.reshape(len(run.targets), -1), (COPIES, 1))
    before, stuck = (np.tile(part.reshape(len(part), -1), (COPIES, 1)) for part in (run.before, run.stuck))
    wiring, draws = Wiring.of_array(count_later_writes(SHAPE)), draw_states(n, wanted.shape[1], rng)
    constant, factor = disturb_by_state(law, wiring, np.ones(stuck.shape, dtype=bool), stuck, before, wanted, draws,
                                        np.full(stuck.shape, -1.0))
    by_card = constant + factor * wanted * (1.0 + run.tolerance * rng.uniform(-1.0, 1.0, wanted.shape)) - wanted
    on_arrays = np.tile((run.after - run.targets).reshape(len(run.targets), -1), (COPIES, 1))
    near = (wiring.word_lines[:, None] == wiring.word_lines) | (wiring.bit_lines[:, None] == wiring.bit_lines)
    later = (wanted - before) @ np.tril(near, -1)  # row by row: a device's number is its turn
    for low, high in zip(OWN, OWN[1:]):
        for down, up in zip(LATER, LATER[1:]):
            here = ~stuck & (wanted >= low) & (wanted < high) & (later >= down) & (later < up)
            if here.sum() >= FEWEST * COPIES:
                parts = [f"{part[here].mean() / uS:>7.1f} +-{part[here].std() / uS:>6.1f}" for part in (on_arrays, by_card)]
                yield (f"{kind[0]:<8}{kind[1]}  target {low / uS:.0f} to {high / uS:.0f}, later ways {down / uS:+.0f} to "
                       f"{up / uS:+.0f}".ljust(62) + "  ".join(parts) + f"{here.sum() // COPIES:>8}")


if __name__ == "__main__":
    main()
