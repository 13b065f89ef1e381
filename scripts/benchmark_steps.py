"""How long a step of hardware-aware training of large networks takes, the memory it needs, and the floor of both.

Each network has a process of its own, so that its peak of memory is its own too. A step: 8 simulated TIO2 chips on tiles of
64 x 64, a batch of 256 points, noise injection and conductance dropout, Adam. The floor adds up what no way of doing it can
leave out, each measured alone on this machine: drawing the random numbers, the products of matrices, and moving the bytes of
what is drawn and used once.

    python scripts/benchmark_steps.py [--quick] [--wires OHM] [--repetitions N]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from options import whole

from tiocross import MLP, TIO2, ConductanceDropout, Dataset, NoiseInjection, TrainingSettings, WiresInLoop, arrange, train

GOALS = {(64, 32, 10): 0.02, (784, 64, 10): 0.25, (324, 400, 100, 1): 0.8}  # seconds, without wires
GOAL_BYTES = 2e9
N_CHIPS, N_POINTS, TILE = 8, 256, (64, 64)
NORMALS, BITS = 2, 1  # random numbers a device: of single precision, and of 64 bits
BYTES = 2 * 13 + 13 + 3 * 8  # a device: draws written and read twice; weights sampled, their gradient, read again


def measure_steps(quick=False, repetitions=12, wires=0.0):
    """One row for each network.

    Parameters
    ----------
    quick : bool
        The smallest network alone: shows that all works.
    repetitions : int
        Steps that are timed; the best counts (unitless).
    wires : float
        Resistance of a segment in the loop; 0 for none [ohm].

    Returns
    -------
    list of dict
        ``case``, ``n_devices``, ``best_s`` and ``median_s`` of a step, ``peak_bytes`` of the process, ``floor_s`` in parts,
        ``goal_s``.
    """
    rows = []
    for sizes in list(GOALS)[: 1 if quick else None]:
        arguments = ["--one", "-".join(map(str, sizes)), "--repetitions", str(repetitions), "--wires", str(wires)]
        done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout))
    return rows


def peak_bytes():
    """Peak of memory of this process [bytes]; what getrusage tells may be that of the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")))


def measure_one(sizes, repetitions, wires):
    """The row of one network."""
    rng, seconds = np.random.default_rng(1), []
    points = Dataset(rng.random((1024, sizes[0])), rng.permutation(1024) % max(2, sizes[-1]))
    techniques = [NoiseInjection(), ConductanceDropout(), *([WiresInLoop(wires)] if wires else [])]
    before = time.perf_counter()

    def take(*_):
        nonlocal before
        now = time.perf_counter()
        seconds.append(now - before)
        before = now

    settings = TrainingSettings(n_steps=repetitions + 1, batch_size=N_POINTS, n_chips=N_CHIPS, learning_rate=1e-3)
    layout = arrange(sizes, TILE)
    train(MLP(*sizes, rng=rng), points, techniques, device=TIO2, layout=layout, rng=rng, settings=settings, on_progress=take)
    n_devices = sum(rows * columns for rows, columns in layout.layer_shapes)
    return {"case": "-".join(map(str, sizes)), "n_devices": n_devices, "wires": wires,
            "best_s": min(seconds[1:]), "median_s": statistics.median(seconds[1:]),  # the first step loads kernels
            "peak_bytes": peak_bytes(),
            "floor_s": find_floor(sizes, n_devices), "goal_s": None if wires else GOALS.get(sizes)}


def find_floor(sizes, n_devices):
    """Seconds of random numbers, of matrix products and of moving bytes."""
    rng, n = np.random.default_rng(2), 2**20
    floats, one, other = np.empty(n, np.float32), np.ones((2, 2**24), np.float32), np.ones((2, 1024, 1024), np.float32)
    normal = best(lambda: rng.standard_normal(out=floats, dtype=np.float32)) / n
    bits = best(lambda: rng.integers(0, 2**64 - 1, n, dtype=np.uint64, endpoint=True)) / n
    byte = best(lambda: np.copyto(one[0], one[1])) / one.nbytes
    flop = best(lambda: np.matmul(other[0], other[1])) / (2 * 1024**3)
    layers = list(zip(sizes, sizes[1:]))
    products = sum(6 * (n_in + 1) * n_out for n_in, n_out in layers) - 2 * layers[0][0] * layers[0][1]
    return {"random": N_CHIPS * n_devices * (NORMALS * normal + BITS * bits), "flops": N_CHIPS * N_POINTS * products * flop,
            "bytes": N_CHIPS * n_devices * BYTES * byte}


def best(function, n=7):
    """Least seconds of some calls."""
    taken = []
    for _ in range(n):
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return min(taken)


def format_steps(rows):
    """Lines for people."""
    lines = [f"a hardware-aware step, {N_CHIPS} chips, {N_POINTS} points, tiles of {TILE[0]} x {TILE[1]}",
             f"{'network':>16}{'devices':>10}{'best':>10}{'median':>10}{'goal':>8}{'peak':>9}{'goal':>8}{'floor':>10}"
             "  random, flops, bytes"]
    for row in rows:
        goal = "-" if row["goal_s"] is None else f"{row['goal_s']:g} s"
        parts = ", ".join(f"{1e3 * seconds:.1f}" for seconds in row["floor_s"].values())
        lines.append(f"{row['case']:>16}{row['n_devices']:>10}{row['best_s']:>8.3f} s{row['median_s']:>8.3f} s{goal:>8}"
                     f"{row['peak_bytes'] / 1e9:>6.2f} GB{GOAL_BYTES / 1e9:>5g} GB"
                     f"{1e3 * sum(row['floor_s'].values()):>7.1f} ms  {parts} ms"
                     + (f", wires of {row['wires']:g} ohm" if row["wires"] else ""))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest network alone")
    parser.add_argument("--wires", type=float, default=0.0, metavar="OHM", help="resistance of a segment (default: none)")
    parser.add_argument("--repetitions", type=whole(1), default=12, metavar="N", help="steps timed (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="where the rows go too")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        sizes = tuple(int(size) for size in arguments.one.split("-"))
        print(json.dumps(measure_one(sizes, arguments.repetitions, arguments.wires)))
        return
    rows = measure_steps(arguments.quick, arguments.repetitions, arguments.wires)
    print(format_steps(rows))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
