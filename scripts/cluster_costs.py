"""What a transfer costs beyond one computer: core-seconds, bytes that travel, and from when on a cluster pays.

One core is measured on a few chips: the time of a chip without points and of a point on a chip, and the bytes that a unit
of two seconds takes to a worker and brings back. The table of the README of transfers is what this prints:

    OPENBLAS_NUM_THREADS=1 python scripts/cluster_costs.py [--quick]

Times are those of one core of this machine, as its processor counts them; BLAS has one thread, as in a worker of Dask.
"""

import argparse
import os
import pickle
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy comes

import numpy as np

from tiocross import MLP, TIO2, Dataset, arrange
from tiocross.transfers.budget import MEMORY
from tiocross.transfers.chips import Chips
from tiocross.transfers.judging import Judge
from tiocross.transfers.units import BYTES_PER_SECOND, packed
from tiocross.work import UNIT_SECONDS

CASES = [  # sizes, tile, points, chips
    ((2, 8, 1), (8, 8), 4_000, 1_000_000), ((64, 32, 10), (64, 64), 2_000, 100_000),
    ((784, 64, 10), (64, 64), 10_000, 10_000), ((324, 400, 100, 1), (64, 64), 1_000, 10_000)]
WIRES = (0.0, 2.0)  # [ohm]
START_SECONDS = 60.0  # of a cluster's job, until its workers are there and have compiled
FEW, MANY = 2, 64  # cores


def measure(sizes, tile, n_points, wire_resistance, n_chips):
    """Cost of chips of one network.

    Parameters
    ----------
    sizes, tile : tuple of int
        Of the network's layers and of an array (unitless).
    n_points : int
        Test points (unitless).
    wire_resistance : float
        Of a segment [ohm].
    n_chips : int
        Chips that are measured (unitless).

    Returns
    -------
    dict
        ``n_devices``, ``seconds`` of one core for a chip, ``sent`` and ``returned``: bytes of a unit and of each chip in it.
    """
    rng = np.random.default_rng(0)
    network = MLP(*sizes, rng=rng)
    dataset = Dataset(rng.random((n_points, sizes[0])), rng.integers(0, max(sizes[-1], 2), n_points))
    chips = Chips(network, TIO2, layout=arrange(sizes, tile), wire_resistance=wire_resistance, rng=rng)
    judge = Judge(chips, dataset, MEMORY)
    judge.tally(range(1))  # compiles
    seconds = []
    for repeat in range(2):
        begun = time.process_time()
        tally = judge.tally(range(n_chips * repeat, n_chips * (repeat + 1)))
        seconds.append((time.process_time() - begun) / n_chips)
    return {"n_devices": chips.targets.n_devices, "seconds": min(seconds), "sent": len(packed(Judge, (chips, dataset))),
            "returned": len(pickle.dumps(tally)) - tally.by_points.nbytes, "per_chip": tally.by_points.nbytes / n_chips}


def describe(case, wire_resistance, found):
    """A line of the table."""
    sizes, _, n_points, n_chips = case
    unit_seconds = max(UNIT_SECONDS, found["sent"] / BYTES_PER_SECOND)
    core_seconds, chips_of_unit = n_chips * found["seconds"], max(unit_seconds / found["seconds"], 1)
    n_units = max(n_chips / chips_of_unit, 1)
    moved = n_units * (found["sent"] + found["returned"]) + n_chips * found["per_chip"]
    saved = 1 / FEW - 1 / MANY  # seconds for each core-second
    pays_from = START_SECONDS / saved / found["seconds"]
    return (f"| {'-'.join(map(str, sizes))} | {found['n_devices']} | {n_chips:,} x {n_points:,} | {wire_resistance:g} "
            f"| {_digits(found['seconds'] * 1e3)} ms | {core_seconds:,.0f} | {core_seconds / FEW:,.0f} s "
            f"| {core_seconds / min(MANY, n_units) + START_SECONDS:,.0f} s | {unit_seconds:.2g} s / {found['sent'] / 1e6:.2g} MB | {moved / 1e6:,.0f} MB "
            f"| {_rounded(pays_from):,} |").replace(",", " ")


def _digits(number):
    """A number with two digits."""
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"


def _rounded(number):
    """A number of chips with two digits."""
    return int(float(f"{number:.2g}"))


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the smallest networks and few chips: shows that all works")
    quick = parser.parse_args().quick
    print(f"| network | devices | chips x points | ohm | a chip | core-seconds | {FEW} cores | {MANY} cores | a unit | moved "
          "| a cluster pays from |\n|---|---|---|---|---|---|---|---|---|---|---|")
    for case in CASES[:2] if quick else CASES:
        for wire_resistance in WIRES:
            n_chips = 500 if case[0][0] == 2 else 20 if quick or len(case[0]) > 3 else 100 if case[0][0] == 64 else 30
            print(describe(case, wire_resistance, measure(*case[:3], wire_resistance, n_chips)), flush=True)


if __name__ == "__main__":
    main()
