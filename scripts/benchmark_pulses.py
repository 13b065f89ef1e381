"""How long programming pulse by pulse takes: the compiled kernel, one pulse at a time, and whole transfers.

Arrays are programmed to targets uniform in the window by one core, the least time of some repetitions, the making of the
chips included. The transfer is of a 2-8-1 network on four arrays of 8 x 8.

    python scripts/benchmark_pulses.py [--quick] [--chips N]
"""

import argparse
import time

import numpy as np
from benchmark_steps import best
from options import whole

from tiocross import MLP, TIO2, SimulatedCrossbar, SimulatedFab, arrange, program_array, tasks, transfer
from tiocross.units import ms

WIRES, WORKERS = 2.0, 2  # [ohm], threads of the transfer
CASES = [  # shape, passes, biasing, arrays
    ((8, 8), 1, "V/2", 20), ((8, 8), 3, "V/2", 20), ((8, 8), 1, "V/3", 20), ((8, 8), 1, "floating", 20),
    ((16, 16), 1, "V/2", 4), ((32, 32), 1, "V/2", 1)]
SIZES = (2, 8, 1)


def measure_arrays(cases, n_repeated):
    """A row for each case: pulses of an array, seconds by the kernel and one pulse at a time."""
    for shape, passes, biasing, n_chips in cases:
        targets = np.random.default_rng(1).uniform(TIO2.g_min, TIO2.g_max, shape)
        fab = SimulatedFab(passes=passes, biasing=biasing)
        n_pulses = []

        def by_kernel():
            made = fab.program(targets, rng=np.random.default_rng(2), n_chips=n_chips, wire_resistance=WIRES)
            n_pulses.append(made.n_pulses.sum() / n_chips)

        def one_at_a_time():
            for number in range(n_chips):
                chip = SimulatedCrossbar(shape, fab.model, rng=np.random.default_rng([2, number]), wire_resistance=WIRES,
                                         scheme=biasing)
                program_array(chip, targets, fab.scheme, max_passes=passes, go_on=True)

        by_kernel()  # loads it
        seconds = [best(work, n_repeated) / n_chips for work in (by_kernel, one_at_a_time)]
        yield shape, passes, biasing, n_pulses[-1], *seconds


def measure_transfer(n_chips):
    """Seconds of a transfer on chips programmed pulse by pulse in three passes, and the number of its points."""
    network, points = MLP(*SIZES, rng=np.random.default_rng(7)), tasks.load_moons().test
    options = {"device": TIO2, "layout": arrange(SIZES, (8, 8)), "wire_resistance": WIRES, "workers": WORKERS}
    start = time.perf_counter()
    transfer(network, points, n_transfers=n_chips, rng=np.random.default_rng(11), chips=SimulatedFab(passes=3), **options)
    return time.perf_counter() - start, len(points)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the first row alone, once, and 20 chips")
    parser.add_argument("--chips", type=whole(1), default=2_000, metavar="N",
                        help="chips of the transfer (default: %(default)s)")
    arguments = parser.parse_args()
    cases, n_repeated = (CASES[:1], 1) if arguments.quick else (CASES, 3)
    print(f"an array with wires of {WIRES:g} ohm a segment, one core")
    print(f"{'array':>9}{'passes':>8}{'biasing':>10}{'pulses':>9}{'kernel':>12}{'one at a time':>16}")
    for (m, n), passes, biasing, n_pulses, quick, slow in measure_arrays(cases, n_repeated):
        print(f"{f'{m} x {n}':>9}{passes:>8}{biasing:>10}{n_pulses:>9.0f}{quick / ms:>9.3g} ms{slow / ms:>13.4g} ms")
    n_chips = 20 if arguments.quick else arguments.chips
    seconds, n_points = measure_transfer(n_chips)
    print(f"transfer of {'-'.join(map(str, SIZES))}, four arrays, three passes: {n_chips} chips at {n_points} points in "
          f"{seconds:.3g} s, {WORKERS} workers")


if __name__ == "__main__":
    main()
