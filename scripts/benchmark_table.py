"""The lines of the benchmark's table."""

import statistics

import numpy as np

COLUMNS = (("case", -30), ("fresh", 7), ("again", 7), ("device", 7), ("goal", 7), ("error", 7), ("loosest", 7), ("takes", 7),
           ("against", -24), ("its best", 9), ("ratio", 15), ("of again", 8), ("goal", 9))
LEGEND = """\
devices of 100-500 uS, wires of 1 ohm a segment unless said, inputs of 0.05-0.2 V; best times, taken in turns, by the wall
or of processor, whichever is less: where one thread works, what it takes with the core for itself
fresh: rtol = 1e-6, every solution with a Crossbar never solved before, made untimed; again: the same Crossbar every time
device: fresh over the number of devices (of 500 inputs: over devices times inputs); goal: of fresh
error: of a bit-line current at rtol = 1e-6, relative, the largest, against the first exact one of the case's lines, else
(and for arrays beyond those it solved) against rtol = 1e-12, or 1e-11 if that is not reached
loosest, takes: the largest rtol of 1e-2 .. 1e-6 with an error of at most 1e-6, and its time with the same Crossbar
ratio: between fresh and the other's best time; of again: between again and that (where that is an easier case of
tiocross, it is timed again too); for CHOLMOD of assembling, factoring and solving together
"""
HEADER = [title for title, _ in COLUMNS]


def describe_row(name, samples, goal, problem):
    """A row from the ``samples`` of the fresh, repeated and loosest solution, each array's share of the times [s]."""
    n_arrays = problem.n_arrays
    n_devices = problem.crossbar.conductances.size // n_arrays * (problem.n_inputs if n_arrays == 1 else 1)
    fresh, again, loose = (np.array(sample) / n_arrays for sample in samples)
    return {"case": name, "n_arrays": n_arrays, "fresh_s": float(min(fresh)), "fresh_median_s": statistics.median(fresh),
            "again_s": float(min(again)), "again_median_s": statistics.median(again), "loose_s": float(min(loose)),
            "device_ns": 1e9 * float(min(fresh)) / n_devices, "goal_s": goal, "against": []}


def describe_reference(reference, times, row, n_arrays):
    """What is printed of a reference beside the ``row``; ``times`` [s]: its samples, fresh and again if it has both."""
    found = {"name": reference.name, "n_circuits": reference.part.stop if reference.part else None,
             "scale": reference.scale, "longer": reference.longer, "goal": reference.goal}
    if reference.failure:
        return found | {"failure": reference.failure}
    share = reference.scale / n_arrays
    if reference.parts is not None:
        found["parts_s"] = {name: part * share for name, part in reference.parts().items()}
    return found | {"median_s": statistics.median(times[0]) * share} | describe_ratios(
        row, min(times[0]) * share, min(times[-1]) * share, reference.longer)


def describe_ratios(row, fresh, again, longer):
    """Best times [s] of another and the ratios of the row's to them."""
    ratios = [own / other if longer else other / own for own, other in ((row["fresh_s"], fresh), (row["again_s"], again))]
    return {"best_s": fresh, "again_s": again, "ratio": ratios[0], "again_ratio": ratios[1]}


def format_row(row):
    """A line for each reference, the case's own figures on the first, and one for each part of a reference."""
    lines, own = [], row_cells(row)
    for other in row["against"] or [None]:
        cells = [""] * 5 if other is None else reference_cells(other)
        lines.append(format_line([*own, *cells]))
        own = [""] * len(own)
        lines += [format_line([*own, f"  {name}", format_time(seconds), "", "", ""])
                  for name, seconds in (other or {}).get("parts_s", {}).items()]
    return lines


def row_cells(row):
    """The case's own figures."""
    goal = "" if row["goal_s"] is None else format_time(row["goal_s"])
    times = (row["fresh_s"], row["again_s"], 1e-9 * row["device_ns"])
    return [row["case"], *map(format_time, times), goal,
            f"{row['error']:.1e}", format_power(row["loose_rtol"]), format_time(row["loose_s"])]


def reference_cells(other):
    """A reference, its time, the ratio and the ratio's goal."""
    name = other["name"] + (f", {other['n_circuits']} x {other['scale']:g}" if other["n_circuits"] else "")
    goal = other["goal"]
    goal = "" if goal is None else f"<= {goal:g} x" if other["longer"] else f">= {goal:g} x"
    if "failure" in other:
        return [name, "failed", "", "", goal]
    return [name, format_time(other["best_s"]), format_ratio(other["ratio"], other["longer"]),
            format_number(other["again_ratio"]) + " x", goal]


def format_ratio(ratio, longer=False):
    """How many times as long, or faster, in words."""
    if longer:
        return f"{ratio:.2f} x as long"
    return f"{format_number(ratio)} x faster" if ratio >= 1 else f"{format_number(1 / ratio)} x SLOWER"


def format_number(ratio):
    """Three digits, or whole."""
    return f"{ratio:.3g}" if ratio < 1000 else f"{ratio:.0f}"


def format_line(cells):
    """One line of the table."""
    return "  ".join(f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}" for cell, (_, width) in zip(cells, COLUMNS))


def format_time(seconds):
    """Three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)):
        if seconds >= 0.9995 * size:
            break
    return f"{seconds / size:#.3g}".rstrip(".") + f" {unit}"


def format_power(rtol):
    """A power of ten."""
    return f"1e{round(np.log10(rtol))}"
