"""What the benchmark measures in processes of their own: with nothing compiled, and where memory is counted.

    python benchmark_processes.py start              seconds of importing and of first solutions, as JSON
    python benchmark_processes.py large N COUNT      times of solving N x N devices, and peak memory, as JSON
    python benchmark_processes.py compensate N SCALE time and peak memory of compensating N x N devices, as JSON
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import partial

import numpy as np
from benchmark_clock import again, interleave, stopwatch


def run_child(*arguments, cache=None, patience=None):
    """Result of this file run with ``arguments``, compiled kernels in the folder ``cache`` if given.

    None if it is not there after ``patience`` seconds.
    """
    environment = dict(os.environ) | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    try:
        done = subprocess.run([sys.executable, __file__, *map(str, arguments)], capture_output=True, text=True,
                              env=environment, check=False, timeout=patience)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        raise SystemExit(f"{arguments[0]}: the process failed\n{done.stderr}")
    return json.loads(done.stdout)


def measure_first_solutions(cold):
    """Seconds with nothing compiled, if ``cold``, and with everything compiled by an earlier process."""
    if not cold:
        return {"cached": run_child("start")}
    with tempfile.TemporaryDirectory() as folder:
        return {name: run_child("start", cache=folder) for name in ("cold", "cached")}


def first_solutions():
    """Seconds of importing and of the first calls."""
    # Imported here, for it is what is measured.
    stop = stopwatch()
    from tiocross import Crossbar, Sinh, solve, transfer_matrix

    seconds, g, v = {"import": stop()}, np.full((64, 64), 3e-4), np.full(64, 0.1)
    for name, call in (("solve", lambda: solve(Crossbar(g, 1.0), v)),
                       ("nonlinear", lambda: solve(Crossbar(g, 1.0, iv=Sinh(0.3)), v)),
                       ("transfer_matrix", lambda: transfer_matrix(Crossbar(g, 1.0))),
                       ("solve again", lambda: solve(Crossbar(g, 1.0), v))):
        stop = stopwatch()
        call()
        seconds[name] = stop()
    return seconds


def large(n, repetitions):
    """One array, by one thread and by two, in turns; memory by two, before anything else is solved."""
    from benchmark_cases import PROMISED, judge_errors, one_input

    by_two, by_one = one_input(n, workers=2), one_input(n)
    one_input(64).currents(PROMISED)  # compiles
    before = resident_bytes("VmRSS")
    by_two.currents(PROMISED)
    peak = resident_bytes("VmHWM")  # now: the strict solution that errors are measured against takes more
    error, truth, loose = judge_errors(by_two, [])
    makers = [make for problem in (by_one, by_two)
              for make in (partial(problem.renewed, PROMISED), again(partial(problem.currents, PROMISED)),
                           again(partial(problem.currents, loose)))]
    samples = interleave(makers, repetitions)
    return {"by_one": samples[:3], "by_two": samples[3:], "error": error, "truth": truth, "loose": loose,
            "peak_bytes": peak, "before_bytes": before}


def compensate(n, scale):
    """Targets of 100-500 uS in a window of 50-500 uS, once; smaller ones first, to compile."""
    from benchmark_cases import one_input

    from tiocross import ConvergenceError, compensate

    targets = one_input(n).crossbar.conductances
    for few in (8, min(n, 56)):
        compensate(targets[:few, :few], 1.0, (50e-6, 500e-6), scale=scale)
    before, stop = resident_bytes("VmRSS"), stopwatch()
    try:
        found = compensate(targets, 1.0, (50e-6, 500e-6), scale=scale)
    except ConvergenceError as error:
        return {"failure": str(error), "seconds": stop()}
    return {"seconds": stop(), "peak_bytes": resident_bytes("VmHWM"), "before_bytes": before,
            "error": found.error, "error_before": found.error_before, "optimality": found.optimality,
            "n_iterations": found.n_iterations}


def resident_bytes(name):
    """Resident memory now (VmRSS) or at most so far (VmHWM); where /proc is missing, at most so far for both.

    getrusage would count the memory of the parent process too, if that was larger when it started this one.
    """
    try:
        with open("/proc/self/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields[name].split()[0]) * 1024
    except (OSError, KeyError):
        import resource  # not on Windows

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


_WANTED = {"start": first_solutions, "large": lambda n, count: large(int(n), int(count)),
           "compensate": lambda n, scale: compensate(int(n), scale)}

if __name__ == "__main__":
    print(json.dumps(_WANTED[sys.argv[1]](*sys.argv[2:])))
