"""Transfer matrices, their gradients and compensation: seconds, and what they cost beside a transfer matrix."""

from functools import partial

import numpy as np
from benchmark_cases import one_input
from benchmark_clock import interleave
from benchmark_processes import run_child
from benchmark_table import format_time

from tiocross import sensitivities, transfer_matrix

_GOALS = {128: "2 s", 256: "possible"}


def measure_matrices(sizes, repetitions):
    """A dict for each size: seconds of a transfer matrix and of the gradient of one input's currents."""
    rows = []
    for n in sizes:
        problem = one_input(n)
        weights = np.random.default_rng(n).uniform(-1, 1, n)
        matrix, gradient = interleave([lambda: partial(transfer_matrix, problem.renewed_crossbar()),
                                       lambda: partial(sensitivities, problem.renewed_crossbar(), problem.inputs, weights)],
                                      repetitions)
        rows.append({"n": n, "matrix_s": min(matrix), "device_ns": 1e9 * min(matrix) / n**2, "gradient_s": min(gradient)})
    return rows


def format_matrices(rows):
    """Lines for people."""
    lines = ["", "a transfer matrix, and the gradient of one input's weighted currents by every conductance (sensitivities)",
             "".join(f"{title:>15}" for title in ("array", "matrix", "ns/device", "one gradient"))]
    for row in rows:
        cells = (f"{row['n']}x{row['n']}", format_time(row["matrix_s"]), f"{row['device_ns']:.0f} ns",
                 format_time(row["gradient_s"]))
        lines.append("".join(f"{cell:>15}" for cell in cells))
    return "\n".join(lines)


def measure_compensation(sizes, patience):
    """A dict for each size and scale: seconds and peak memory, none where ``patience`` [s] was too short."""
    return [{"n": n, "scale": scale, "goal": _GOALS.get(n, ""), "patience": patience,
             "found": run_child("compensate", n, scale, patience=patience)} for n in sizes for scale in ("free", "fixed")]


def format_compensation(rows):
    """Lines for people."""
    titles = ("array", "scale", "time", "goal", "iterations", "error before", "error", "peak memory")
    lines = ["", "compensate: targets of 100-500 uS, window of 50-500 uS, 1 ohm",
             "".join(f"{title:>15}" for title in titles)]
    for row in rows:
        found, line = row["found"], f"{row['n']}x{row['n']}".rjust(15) + row["scale"].rjust(15)
        if found is None:
            lines.append(f"{line}  not measured: not finished after {row['patience']:g} s (goal: {row['goal']})")
            continue
        if "failure" in found:
            lines.append(f"{line}  failed after {format_time(found['seconds'])} (goal: {row['goal']}): {found['failure']}")
            continue
        cells = (format_time(found["seconds"]), row["goal"], found["n_iterations"], f"{found['error_before']:.2g}",
                 f"{found['error']:.2g}", f"{found['peak_bytes'] / 1e9:.2f} GB")
        lines.append(line + "".join(f"{cell:>15}" for cell in cells))
    return "\n".join(lines)
