"""How fast crossbars are solved and networks trained, beside other ways and beside what the machine could do.

One table: devices of 100-500 uS, wires of 1 ohm unless said, inputs of 0.05-0.2 V, solved at rtol = 1e-6, which bounds the
error; goals beside the times. Every time is the best of several, all that are compared are taken in turns in this run.
Constructing the Crossbar is not counted. Of the others, badcrossbar and CHOLMOD assemble their equations within their time;
for splu and NumPy that is done before.

    python scripts/benchmark.py [--full] [--quick] [--only PATTERN] [--repetitions N] [--patience SECONDS] [--json FILE]
"""

import argparse
import contextlib
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from functools import partial

# Several threads in small factorisations cost more than they bring, and much on a busy machine. Before NumPy is imported.
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
for name in THREADS:
    os.environ.setdefault(name, "1")

import numpy as np
from benchmark_cases import PROMISED, judge_errors, list_cases, list_references, one_input, relative_error
from benchmark_clock import again, interleave
from benchmark_machine import read_clock, read_vectors
from benchmark_matrices import format_compensation, format_matrices, measure_compensation, measure_matrices
from benchmark_ngspice import SIZES, format_ngspice, is_ngspice_there, measure_beside_ngspice
from benchmark_processes import measure_first_solutions, run_child
from benchmark_sweeps import format_machine, format_sweeps, measure_machine, measure_sweeps
from benchmark_table import HEADER, LEGEND, describe_ratios, describe_reference, describe_row, format_line, format_row
from benchmark_training import format_training, measure_training
from options import require_file_place, whole

from tiocross import ConvergenceError
from tiocross.storage import save_json


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="also splu at 1024x1024, which takes minutes")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, in seconds: shows that all works, not how fast")
    parser.add_argument("--only", metavar="PATTERN", default="", help="only what this regular expression finds, by name")
    parser.add_argument("--repetitions", type=whole(1), metavar="N", help="turns of what is timed (default: 7, quick 1)")
    parser.add_argument("--patience", type=whole(1), metavar="SECONDS", default=400,
                        help="for one netlist in ngspice, and for one compensation (default: 400)")
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
    run_jobs(jobs, arguments.json)


def run_jobs(jobs, path):
    """Measure, print as it comes, and write everything to ``path`` if it is not None."""
    content = {"machine": describe_machine()}
    print("\n".join(content["machine"]), end="\n\n")
    for name, job in jobs.items():
        try:
            with progress(name):
                section, found, text = job()
        except ConvergenceError as error:
            section, found, text = "failed", [{"job": name, "error": str(error)}], f"{name}: FAILED: {error}"
        if section == "rows" and section not in content:
            print(LEGEND, format_line(HEADER), sep="\n")
        content.setdefault(section, []).extend(found)
        print(text, flush=True)
    if path is not None:
        save_json(path, content)
    if "failed" in content:
        sys.exit("not solved: " + "; ".join(each["job"] for each in content["failed"]))


def list_jobs(arguments):
    """Everything to measure: name -> function that gives the section, a list of figures, and their text."""
    quick, count, patience = arguments.quick, arguments.repetitions, arguments.patience
    sizes = (8, 12, 16) if quick else (64, 128, 256, 512, 1024)
    large = 24 if quick else 4096
    jobs = {case.name: partial(run_case, case, arguments) for case in list_cases(quick)}
    jobs[f"one input {large}x{large}"] = partial(run_large, large, quick, count)
    jobs[f"growth {sizes[0]} to {sizes[-1]}"] = partial(run_growth, sizes, count)
    few = (8, 12)
    jobs["matrices"] = partial(run_listed, "matrices", measure_matrices, format_matrices, few if quick else (64, 128, 256),
                               count)
    jobs["compensate"] = partial(run_listed, "compensation", measure_compensation, format_compensation,
                                 few if quick else (128, 256), patience)
    jobs["machine"] = partial(run_listed, "memory", measure_machine, format_machine, quick)
    jobs["sweeps"] = partial(run_listed, "sweeps", measure_sweeps, format_sweeps, (8, 16) if quick else (8, 64, 256, 1024),
                             count)
    jobs["ngspice"] = partial(run_listed, "ngspice", measure_beside_ngspice, format_ngspice, few if quick else SIZES, count,
                              patience)
    jobs["first solution"] = partial(run_first, arguments)
    jobs["training"] = partial(run_training, arguments)
    return jobs


def run_listed(section, measure, text, *arguments):
    found = measure(*arguments)
    return section, found, text(found)


def describe_machine():
    installed = []
    for package, name in (("numpy", "numpy"), ("numba", "numba"), ("scipy", "scipy"), ("badcrossbar", "badcrossbar"),
                          ("scikit-sparse", "scikit-sparse (CHOLMOD)")):
        try:
            installed.append(f"{name} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            installed.append(f"{name} not installed")
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    clock, (vectors, width) = read_clock(), read_vectors()
    clock = "" if clock is None else f", {clock / 1e9:.2f} GHz as the system tells (turbo may be faster)"
    return [f"{platform.machine()}, {os.cpu_count()} cores{clock}, vectors of {width} numbers ({vectors}){load}",
            ", ".join([f"Python {platform.python_version()}", *installed, describe_ngspice()]),
            f"linear algebra of NumPy, scipy and CHOLMOD: {', '.join(f'{name} = {os.environ[name]}' for name in THREADS)}; "
            "tiocross: one thread unless a line says two"]


def describe_ngspice():
    if not is_ngspice_there():
        return "ngspice not installed"
    text = subprocess.run(["ngspice", "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"ngspice-(\S+)", text)
    return f"ngspice {version[1] if version else 'of unknown version'}"


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
    error, truth, loose = judge_errors(problem, references)
    timed = [reference for reference in references if not reference.is_slow and not reference.failure]
    makers = [[reference.make, again(reference.run)] if reference.make else [again(reference.run)] for reference in timed]
    samples = interleave([partial(problem.renewed, PROMISED), again(partial(problem.currents, PROMISED)),
                          again(partial(problem.currents, loose)), *(make for some in makers for make in some)],
                         arguments.repetitions)
    row, taken = describe_row(case.name, samples[:3], case.goal, problem), iter(samples[3:])
    times = {id(reference): [next(taken) for _ in some] for reference, some in zip(timed, makers)}
    solution = problem.solve(PROMISED)
    row |= {"error": error, "error_against": truth, "loose_rtol": loose, "n_sweeps": int(np.max(solution.n_sweeps))}
    for reference in references:
        found = describe_reference(reference, times.get(id(reference), [[reference.seconds]]), row, problem.n_arrays)
        if not reference.longer and not reference.failure:
            currents = solution.bit_line_currents
            found["differs_by"] = relative_error(problem, currents if reference.part is None else currents[reference.part],
                                                 reference.currents)
        row["against"].append(found)
    return "rows", [row], "\n".join(format_row(row))


def run_large(n, quick, repetitions):
    """One array in a process of its own, by one thread and by two."""
    found, problem, rows = run_child("large", n, repetitions), one_input(n), []
    goals = (None, None) if quick else (None, 0.25)
    for name, goal in zip(("by_one", "by_two"), goals):
        row = describe_row(f"one input {n}x{n}" + (", 2 threads" if name == "by_two" else ""), found[name], goal, problem)
        rows.append(row | {"error": found["error"], "error_against": found["truth"], "loose_rtol": found["loose"]})
    rows[1] |= {"peak_bytes": found["peak_bytes"], "before_bytes": found["before_bytes"]}
    rows[1]["against"].append({"name": "one thread", "n_circuits": None, "scale": 1.0, "longer": False, "goal": None}
                              | describe_ratios(rows[1], rows[0]["fresh_s"], rows[0]["again_s"], longer=False))
    memory = format_line([""] * 8 + ["peak memory", f"{found['peak_bytes'] / 1e9:.2f} GB",
                                     f"{found['before_bytes'] / 1e9:.2f} GB before", "", "" if quick else "0.6 GB"])
    return "rows", rows, "\n".join([*format_row(rows[0]), *format_row(rows[1]), memory])


def run_growth(sizes, repetitions):
    """Exponent of time in the number of devices, at rtol = 1e-6."""
    samples = interleave([partial(one_input(n).renewed, PROMISED) for n in sizes], repetitions)
    bests = [min(sample) for sample in samples]
    exponent = float(np.polyfit(np.log(np.square(sizes)), np.log(bests), 1)[0])
    found = {"sizes": list(sizes), "bests_s": bests, "exponent": exponent}
    return "growth", [found], f"\nfrom {sizes[0]}x{sizes[0]} to {sizes[-1]}x{sizes[-1]} fresh grows with the number of " \
                              f"devices to the power {exponent:.2f} (goal: 1)"


# --- processes of their own ----------------------------------------------------------------------------------------------


def run_first(arguments):
    """Importing and first solutions in new processes."""
    found = measure_first_solutions(cold=not arguments.quick)
    lines = ["", "first solution in a new process [s]   " + "".join(f"{name:>17}" for name in found["cached"])]
    lines += [f"{name:36}  " + "".join(f"{seconds:17.3f}" for seconds in times.values()) for name, times in found.items()]
    lines += ["cold: nothing compiled yet; goal: solve under 5 s cold, under 0.5 s cached"]
    return "first_solution", [found], "\n".join(lines)


def run_training(arguments):
    """Seconds of training, beside plain NumPy."""
    found = measure_training(arguments.quick, arguments.repetitions)
    return "training", [found], format_training(found)


if __name__ == "__main__":
    main()
