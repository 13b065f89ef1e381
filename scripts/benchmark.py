"""How fast crossbars are solved and networks trained, beside other ways and beside what the machine could do.

One table: devices of 100-500 uS, wires of 1 ohm unless said, inputs of 0.05-0.2 V. The goal is a relative error of the
bit-line currents of at most 1e-6. ``rtol`` is a rigorous bound, far above the error, so each case is timed at the
largest rtol of 1e-2 .. 1e-6 whose measured error is small enough, and at rtol = 1e-6 besides. Ratios are of best times
taken in turns within this run. Constructing the Crossbar is not counted, nor is assembling the others' matrices.

    python scripts/benchmark.py [--full] [--quick] [--only PATTERN] [--repetitions N] [--json FILE]
"""

import argparse
import contextlib
import importlib.metadata
import os
import platform
import re
import statistics
import sys
from functools import partial

# Several threads in small factorisations cost more than they bring, and much on a busy machine. Before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from benchmark_cases import (
    choose_rtol,
    interleave,
    list_cases,
    list_references,
    one_input,
    relative_error,
)
from benchmark_machine import (
    floor_ns,
    floor_text,
    measure_bandwidth,
    measure_first_solutions,
    read_clock,
    run_child,
    working_bytes,
)
from benchmark_training import format_training, measure_training
from options import require_file_place, whole

from tiocross.storage import save_json

COLUMNS = (("case", -30), ("rtol", 4), ("error", 7), ("best", 7), ("median", 7), ("at 1e-6", 7), ("", 0), ("against", -28),
           ("its best", 13), ("ratio", 16), ("goal", 14))
LEGEND = """devices of 100-500 uS, wires of 1 ohm a segment unless said, inputs of 0.05-0.2 V; wanted: currents right to 1e-6
rtol: largest of 1e-2 .. 1e-6 that gives this; error: of a bit-line current, relative, the largest, against splu where it
stands in the case's lines, else (and for arrays beyond those it solved) against rtol = 1e-12, or 1e-11 if that is not
reached; best, median: time at that rtol; at 1e-6: best time at rtol = 1e-6; ratio: of best times, taken in turns
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="also splu at 1024x1024, which takes minutes")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, in seconds: shows that all works, not how fast")
    parser.add_argument("--only", metavar="PATTERN", default="", help="only what this regular expression finds, by name")
    parser.add_argument("--repetitions", type=whole(1), metavar="N", help="samples of each time (default: 7, quick 1)")
    parser.add_argument("--json", metavar="FILE", help="write everything measured there too")
    arguments = parser.parse_args()
    arguments.repetitions = arguments.repetitions if arguments.repetitions is not None else 1 if arguments.quick else 7
    if arguments.json is not None:
        require_file_place(parser, "--json", arguments.json)
    jobs = list_jobs(arguments)
    try:
        jobs = {name: job for name, job in jobs.items() if re.search(arguments.only, name)}
    except re.error as error:
        parser.error(f"--only must be a regular expression: {error}")
    if not jobs:
        parser.error("--only finds none of: " + "; ".join(list_jobs(arguments)))
    content = {"machine": describe_machine()}
    print("\n".join(content["machine"]), end="\n\n")
    for name, job in jobs.items():
        with progress(name):
            section, found, text = job()
        if section == "rows" and section not in content:
            print(LEGEND, *format_line([title for title, _ in COLUMNS]), sep="\n")
        content.setdefault(section, []).append(found)
        print(text, flush=True)
    if arguments.json is not None:
        save_json(arguments.json, content)


def list_jobs(arguments):
    """Everything to measure: name -> function that gives the section, the figures and their text."""
    sizes = (8, 12, 16) if arguments.quick else (64, 128, 256, 512, 1024)
    large = 24 if arguments.quick else 4096
    jobs = {case.name: partial(run_case, case, arguments) for case in list_cases(arguments.quick)}
    jobs[f"one input {large}x{large}"] = partial(run_large, large, arguments)
    jobs[f"growth {sizes[0]} to {sizes[-1]}"] = partial(run_growth, sizes, arguments)
    jobs["first solution"] = partial(run_first, arguments)
    jobs["sweeps"] = partial(run_sweeps, sizes[::2], arguments)
    jobs["training"] = partial(run_training, arguments)
    return jobs


def describe_machine():
    installed = []
    for package in ("numpy", "numba", "scipy", "badcrossbar"):
        try:
            installed.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            installed.append(f"{package} not installed")
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    python = f"Python {platform.python_version()}"
    return [f"{platform.machine()}, {os.cpu_count()} cores{load}; {', '.join([python, *installed])}",
            f"linear algebra of NumPy and scipy: OPENBLAS_NUM_THREADS = {os.environ['OPENBLAS_NUM_THREADS']}; tiocross: one "
            "thread, but one for each core for 1000 arrays of 64x64"]


@contextlib.contextmanager
def progress(name):
    """The name of what is being measured, on a terminal."""
    shown = sys.stderr.isatty()
    if shown:
        print(f"\r\x1b[K{name} ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


# --- the table -----------------------------------------------------------------------------------------------------------


def run_case(case, arguments):
    problem = case.make()
    references = list_references(case, problem, arguments.full)
    for reference in references:
        reference.start()
    rtol, error, truth = choose_rtol(problem, references)
    timed = [reference for reference in references if not reference.is_slow and not reference.failure]
    own, strict, *others = interleave([partial(problem.currents, rtol), partial(problem.currents, 1e-6),
                                       *(reference.run for reference in timed)], arguments.repetitions)
    row = describe_row(case.name, rtol, error, truth, own, strict, case.goal)
    solution = problem.solve(rtol)
    row["n_sweeps"] = int(np.max(solution.n_sweeps))
    times = {id(reference): seconds for reference, seconds in zip(timed, others)}
    for reference in references:
        seconds = times.get(id(reference), [reference.seconds])
        row["against"].append(describe_reference(reference, seconds, row["best_s"], problem, solution.bit_line_currents))
    return "rows", row, "\n".join(format_row(row))


def describe_reference(reference, seconds, own, problem, currents):
    found = {"name": reference.name, "n_circuits": reference.part.stop if reference.part else None,
             "scale": reference.scale, "longer": reference.longer}
    if reference.failure:
        return found | {"failure": reference.failure}
    if not reference.longer:
        here = currents if reference.part is None else currents[reference.part]
        found["differs_by"] = relative_error(problem, here, reference.currents)
    best = min(seconds) * reference.scale
    return found | {"best_s": best, "median_s": statistics.median(seconds) * reference.scale,
                    "ratio": own / best if reference.longer else best / own}


def describe_row(name, rtol, error, truth, own, strict, goal):
    return {"case": name, "rtol": rtol, "error": error, "error_against": truth, "best_s": min(own),
            "median_s": statistics.median(own), "strict_best_s": min(strict), "strict_median_s": statistics.median(strict),
            "against": [], "goal": goal}


def run_large(n, arguments):
    found = run_child("large", n, arguments.repetitions)
    row = describe_row(f"one input {n}x{n}", found["rtol"], found["error"], found["truth"], found["seconds"],
                       found["strict_seconds"], "< 1 s, < 1 GB")
    row["peak_bytes"], row["before_bytes"] = found["peak_bytes"], found["before_bytes"]
    text = format_row(row)
    text[0] = format_line([*row_cells(row), "", f"peak memory {found['peak_bytes'] / 1e9:.2f} GB", "",
                           f"{found['before_bytes'] / 1e9:.2f} GB before", row["goal"]])[0]
    return "rows", row, "\n".join(text)


def run_growth(sizes, arguments):
    """Exponent of time in the number of devices, at rtol = 1e-6."""
    problems = [one_input(n) for n in sizes]
    errors = [choose_rtol(problem, [])[1] for problem in problems]
    samples = interleave([partial(problem.currents, 1e-6) for problem in problems], arguments.repetitions)
    exponent = float(np.polyfit(np.log(np.square(sizes)), np.log([min(sample) for sample in samples]), 1)[0])
    name = f"growth {sizes[0]} to {sizes[-1]}"
    row = {"case": name, "rtol": 1e-6, "error": max(errors), "exponent": exponent, "sizes": list(sizes),
           "bests_s": [min(sample) for sample in samples], "against": [], "goal": "^ 1"}
    cells = [name, format_power(1e-6), *[""] * 5, "number of devices", "", f"^ {exponent:.2f}", row["goal"]]
    return "rows", row, format_line(cells)[0]


def row_cells(row):
    return [row["case"], format_power(row["rtol"]), f"{row['error']:.1e}", format_time(row["best_s"]),
            format_time(row["median_s"]), format_time(row["strict_best_s"])]


def format_row(row):
    """A line for each reference, the case's own figures on the first."""
    lines, own, goal = [], row_cells(row), row["goal"]
    for other in row["against"] or [{"name": "", "n_circuits": None}]:
        name = other["name"] + (f", {other['n_circuits']} x {other['scale']:g}" if other["n_circuits"] else "")
        if "ratio" in other:
            lines += format_line([*own, "", name, format_time(other["best_s"]), format_ratio(other), goal])
        else:
            lines += format_line([*own, "", name, "failed" if "failure" in other else "", "", goal])
        own, goal = [""] * len(own), ""
    return lines


def format_ratio(other):
    if other["longer"]:
        return f"{other['ratio']:.2f} x as long"
    ratio, word = (other["ratio"], "faster") if other["ratio"] >= 1 else (1 / other["ratio"], "SLOWER")
    return f"{ratio:.3g} x {word}" if ratio < 1000 else f"{ratio:.0f} x {word}"


def format_line(cells):
    return ["  ".join(f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}" for cell, (_, width) in zip(cells, COLUMNS))]


def format_time(seconds):
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            break
    return f"{seconds / size:#.3g}".rstrip(".") + f" {unit}"


def format_power(rtol):
    return f"1e{round(np.log10(rtol))}"


# --- the machine ---------------------------------------------------------------------------------------------------------


def run_first(arguments):
    """Importing and first solutions in new processes."""
    found = measure_first_solutions(cold=not arguments.quick)
    lines = ["", "first solution in a new process [s]   " + "".join(f"{name:>17}" for name in found["cached"])]
    lines += [f"{name:36}  " + "".join(f"{seconds:17.3f}" for seconds in times.values()) for name, times in found.items()]
    lines += ["goal: solve under 5 s cold, under 0.5 s cached"]
    return "first_solution", found, "\n".join(lines)


def run_sweeps(sizes, arguments):
    """Nanoseconds a device and sweep, beside the floor."""
    clock = read_clock()
    titles = ("array", "sweeps", "whole solve", "one more sweep", "five arrays", "bandwidth", "by bytes", "by operations",
              "floor", "sweep / floor")
    lines = ["", "nanoseconds a device and sweep", "".join(f"{title:>15}" for title in titles)]
    rows = []
    for n in sizes:
        row = measure_sweeps(n, clock, arguments.repetitions)
        rows.append(row)
        floor = max(row["by_bytes_ns"], row["by_operations_ns"])
        cells = (f"{n}x{n}", str(row["n_sweeps"]), f"{row['whole_ns']:.1f} ns", f"{row['sweep_ns']:.1f} ns",
                 f"{working_bytes(n) / 1e6:.3g} MB", f"{row['bandwidth'] / 1e9:.1f} GB/s", f"{row['by_bytes_ns']:.1f} ns",
                 f"{row['by_operations_ns']:.1f} ns", f"{floor:.1f} ns", f"{row['sweep_ns'] / floor:.1f}")
        lines.append("".join(f"{cell:>15}" for cell in cells))
    lines += ["whole solve: at rtol = 1e-6, over its sweeps; one more sweep: from times at 1e-2 and 1e-11, all levels",
              floor_text(clock)]
    return "sweeps", {"rows": rows, "clock_hz": clock, "assumptions": floor_text(clock)}, "\n".join(lines)


def measure_sweeps(n, clock, repetitions):
    problem = one_input(n)
    rtols = (1e-2, 1e-6, 1e-11)
    sweeps = [int(problem.solve(rtol).n_sweeps) for rtol in rtols]
    samples = interleave([partial(problem.currents, rtol) for rtol in rtols], repetitions)
    low, middle, high = map(min, samples)
    bandwidth = measure_bandwidth(working_bytes(n))
    by_bytes, by_operations = floor_ns(bandwidth, clock)
    return {"n": n, "n_sweeps": sweeps[1], "whole_ns": 1e9 * middle / (n * n * sweeps[1]),
            "sweep_ns": 1e9 * (high - low) / (n * n * max(1, sweeps[2] - sweeps[0])), "bandwidth": bandwidth,
            "by_bytes_ns": by_bytes, "by_operations_ns": by_operations}


def run_training(arguments):
    """Seconds of training, beside plain NumPy."""
    found = measure_training(arguments.quick, arguments.repetitions)
    return "training", found, format_training(found)


if __name__ == "__main__":
    main()
