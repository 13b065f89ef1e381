"""Transfer matrices, their gradients and compensation: seconds, and what they cost beside a transfer matrix."""

from functools import partial

import numpy as np
from benchmark_cases import one_input
from benchmark_clock import interleave
from benchmark_processes import run_child
from benchmark_table import format_time

import tiocross
from tiocross import sensitivities, transfer_matrix

_GOALS = {128: "2 s", 256: "possible"}


def measure_matrices(sizes, repetitions):
    """A dict for each size: seconds of a transfer matrix, of it with a gradient by it pulled back to the conductances, and
    of the gradient of one input's currents."""
    rows, with_pullback = [], getattr(tiocross, "transfer_matrix_with_pullback", None)  # older versions have none
    for n in sizes:
        problem = one_input(n)
        cotangent = np.random.default_rng(n).uniform(-1, 1, (n, n))

        def pull(crossbar, cotangent=cotangent):
            return with_pullback(crossbar)[1](cotangent)

        calls = [transfer_matrix, partial(sensitivities, inputs=problem.inputs, weights=cotangent[0])]
        calls += [] if with_pullback is None else [pull]
        matrix, gradient, *both = map(min, interleave([_afresh(problem, call) for call in calls], repetitions))
        rows.append({"n": n, "matrix_s": matrix, "device_ns": 1e9 * matrix / n**2, "gradient_s": gradient,
                     "both_s": both[0] if both else None})
    return rows


def _afresh(problem, call):
    """What `interleave` wants: a function that calls with a `Crossbar` never solved before."""
    return lambda: partial(call, problem.renewed_crossbar())


def format_matrices(rows):
    """Lines for people."""
    titles = ("array", "matrix", "of a device", "with gradient", "over matrix", "one input's")
    lines = ["", "transfer matrix; with gradient: and a loss's gradient by it pulled back to all conductances; one input's: "
             "gradient of its weighted currents", "".join(f"{title:>15}" for title in titles)]
    for row in rows:
        both = row["both_s"]
        cells = (f"{row['n']}x{row['n']}", format_time(row["matrix_s"]), format_time(1e-9 * row["device_ns"]),
                 "none" if both is None else format_time(both), "" if both is None else f"{both / row['matrix_s']:.2f} x",
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
