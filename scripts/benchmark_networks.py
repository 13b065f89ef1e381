"""How long transfers of networks of real size take, the memory they need, and the floor of both.

Each row has a process of its own, so that its peak of memory is its own too: networks with weights as they start, on TIO2
chips with tiles of 64 x 64, two workers, one thread of BLAS each. Rows are scaled from a share of their chips, unless
--whole; `benchmark_steps.py` has the rows of training. The floor adds up what no way of doing it can leave out, each
measured alone on this machine and by one thread: drawing the random numbers, the products of matrices in single precision,
moving what is written and read once, and with wires the products of the elimination, 28 multiplications for the cube of a
tile's lines, in double precision.

    python scripts/benchmark_networks.py [--quick] [--whole] [--json FILE]
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np
from benchmark_steps import best, peak_bytes
from options import whole

from tiocross import MLP, TIO2, Dataset, arrange, transfer

TILE, WIRES, WORKERS = (64, 64), 2.0, 2
CASES = [  # sizes, points, chips, seconds wanted without and with wires, share of the chips that is timed
    ((64, 32, 10), 2_000, 1_000, (0.8, 2.0), 0.3),
    ((784, 64, 10), 10_000, 1_000, (60.0, 120.0), 0.04),
    ((324, 400, 100, 1), 1_000, 1_000, (90.0, 240.0), 0.04),
]
SMALL = ((2, 8, 1), 4_000, 2_000, (None, None), 1.0)  # 66 devices, on arrays of 8 x 8
MANY = ((2, 8, 1), 1_000, 1_000_000, (None, None), 0.1)
GOAL_BYTES = {SMALL: 1e9, MANY: 1e9}
BYTES = 4 + 4 + 4 + 8 + 4 + 4  # a device: conductance written and read, weights in double and single precision


def measure_transfers(quick=False, whole_runs=False):
    """One row for each network, without and with wires.

    Parameters
    ----------
    quick : bool
        The smallest networks alone, few chips: shows that all works.
    whole_runs : bool
        All chips of every row instead of a share.

    Returns
    -------
    list of dict
        ``case``, ``n_devices``, ``n_points``, ``n_chips``, ``wires`` [ohm], ``n_timed`` chips, ``seconds`` for all chips,
        ``peak_bytes`` of the process, ``floor_s`` in parts, ``goal_s``.
    """
    jobs = [(number, wires) for number in range(len(_cases())) for wires in (0.0, WIRES)]
    jobs = [jobs[0], jobs[2]] if quick else jobs[:-1]  # a million chips once
    rows = []
    for number, wires in jobs:
        case = _cases()[number]
        n_timed = 20 if quick else int(case[2] * (1.0 if whole_runs else case[4]))
        arguments = ["--one", str(number), "--wires", str(wires), "--chips", str(n_timed)]
        done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True,
                              env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
        rows.append(json.loads(done.stdout))
    return rows


def _cases():
    return [SMALL, *CASES, MANY]


def measure_one(case, wires, n_timed):
    """The row of one network."""
    (sizes, n_points, n_chips, goals, _), rng = case, np.random.default_rng(1)
    points = Dataset(rng.random((n_points, sizes[0])), rng.permutation(n_points) % max(2, sizes[-1]))
    network = MLP(*sizes, rng=rng)
    layout = arrange(sizes, (8, 8) if sizes == (2, 8, 1) else TILE)
    options = {"device": TIO2, "layout": layout, "wire_resistance": wires, "workers": WORKERS}
    transfer(network, points, n_transfers=2, rng=np.random.default_rng(2), **options)  # loads kernels
    start = time.perf_counter()
    transfer(network, points, n_transfers=n_timed, rng=np.random.default_rng(2), **options)
    seconds = time.perf_counter() - start
    floor = {name: n_chips * value for name, value in find_floor(sizes, layout, n_points, wires).items()}
    return {"case": "-".join(map(str, sizes)), "n_devices": sum(n * m for n, m in layout.layer_shapes), "n_points": n_points,
            "n_chips": n_chips, "wires": wires, "n_timed": n_timed, "seconds": seconds * n_chips / n_timed,
            "peak_bytes": peak_bytes(), "floor_s": floor,
            "goal_s": goals[int(wires > 0)], "goal_bytes": GOAL_BYTES.get(case, 2e9)}


def find_floor(sizes, layout, n_points, wires):
    """Seconds of one chip: random numbers, matrix products, moving bytes, wires."""
    rng, n = np.random.default_rng(2), 2**20
    floats, some = np.empty(n, np.float32), np.ones((2, 2**23), np.float32)
    single, double = np.ones((2, 1024, 1024), np.float32), np.ones((2, 512, 512))
    normal = best(lambda: rng.standard_normal(out=floats, dtype=np.float32)) / n
    bits = best(lambda: rng.integers(0, 2**64 - 1, n, dtype=np.uint64, endpoint=True)) / n
    byte = best(lambda: np.copyto(some[0], some[1])) / some.nbytes
    flop = best(lambda: np.matmul(single[0], single[1])) / (2 * 1024**3)
    double_flop = best(lambda: np.matmul(double[0], double[1])) / (2 * 512**3)
    n_devices = sum(rows * columns for rows, columns in layout.layer_shapes)
    products = sum((n_in + 1) * n_out for n_in, n_out in zip(sizes, sizes[1:]))
    cubes = sum((len(block.word_lines) * len(block.bit_lines)) ** 1.5 for block in layout.blocks) if wires else 0.0
    return {"random": n_devices * (2 * normal + bits), "flops": 2 * n_points * products * flop,
            "bytes": (n_devices * BYTES + 8 * n_points * sum(sizes[1:])) * byte, "wires": 2 * 28 * cubes * double_flop}


def format_transfers(rows):
    """Lines for people."""
    lines = [f"transfers to TIO2 chips, tiles of {TILE[0]} x {TILE[1]}, {WORKERS} workers",
             f"{'network':>16}{'devices':>9}{'chips x points':>18}{'wires':>8}{'timed':>8}{'time':>10}{'goal':>8}{'peak':>9}"
             f"{'goal':>6}{'floor':>10}  random, flops, bytes, wires"]
    for row in rows:
        goal = "-" if row["goal_s"] is None else f"{row['goal_s']:g} s"
        parts = ", ".join(f"{seconds:.3g}" for seconds in row["floor_s"].values())
        chips = f"{row['n_chips']} x {row['n_points']}"
        lines.append(f"{row['case']:>16}{row['n_devices']:>9}{chips:>18}{row['wires']:>4g} ohm{row['n_timed']:>8}"
                     f"{row['seconds']:>8.3g} s{goal:>8}{row['peak_bytes'] / 1e9:>6.2f} GB{row['goal_bytes'] / 1e9:>3g} GB"
                     f"{sum(row['floor_s'].values()):>8.3g} s  {parts} s")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest networks alone, on few chips")
    parser.add_argument("--whole", action="store_true", help="all chips of every row, ten minutes")
    parser.add_argument("--json", metavar="FILE", help="where the rows go too")
    parser.add_argument("--one", type=whole(0), help=argparse.SUPPRESS)
    parser.add_argument("--wires", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--chips", type=whole(1), default=20, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        print(json.dumps(measure_one(_cases()[arguments.one], arguments.wires, arguments.chips)))
        return
    rows = measure_transfers(arguments.quick, arguments.whole)
    print(format_transfers(rows))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
