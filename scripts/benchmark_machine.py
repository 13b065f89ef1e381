"""What the machine could do, and what the benchmark measures in processes of their own.

    python benchmark_machine.py start            seconds of importing and of first solutions, as JSON
    python benchmark_machine.py large N COUNT    times of solving N x N devices, and peak memory, as JSON
"""

import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

# A sweep of the array in tiocross/circuit/solvers/multilevel_kernel.py: pass, arrays read, arrays written, operations that can
# run four devices at a time, operations that wait for the one before along a line (four lines at a time).
PASSES = (
    ("word lines", "g b f_word", "w", 3, 4),
    ("bit lines", "g w f_bit b", "b", 12, 0),  # down and up, so few lines at a time that nothing is fetched twice
    ("correction", "b", "b", 4, 0),
)
_COARSER = 8 / 7  # two sweeps on a sixteenth of the devices, four on a sixteenth of those ...
_ARRAYS = 5  # g, b, w, f_word, f_bit
_WAIT = 3  # cycles until the result of an addition or multiplication can be used
_PER_CYCLE = 8  # operations: two units of four numbers


def floor_text(clock_hz):
    """What the floor assumes."""
    loads, stores, operations, waiting = _count()
    return f"""\
floor: the larger of bytes / bandwidth and operations / speed, for one core. Counted a device and sweep: {loads} numbers
read, {stores} written (what was not read before counts twice: its line is fetched first), {operations} operations at
{_PER_CYCLE} a cycle, {waiting} that wait {_WAIT} cycles with four lines in flight, {clock_hz / 1e9:.2f} GHz as the
system tells (turbo may be faster); all x 8/7 for the coarser levels. Not counted: scratch, which stays in faster cache,
preparing, counting residuals. bandwidth: NumPy's c = a + b (four numbers an element) or c = a (three), whichever is faster,
on three arrays as large together as the five of a sweep; at 64x64 calling NumPy takes a tenth of that time."""


def _count():
    loads = sum(len(reads.split()) for _, reads, _, _, _ in PASSES)
    stores = sum(1 if written in reads.split() else 2 for _, reads, written, _, _ in PASSES)
    return loads, stores, sum(row[3] for row in PASSES), sum(row[4] for row in PASSES)


def floor_ns(bandwidth, clock_hz):
    """Nanoseconds a device and sweep by bytes, with ``bandwidth`` [B/s], and by operations."""
    loads, stores, operations, waiting = _count()
    cycles = operations / _PER_CYCLE + waiting * _WAIT / 4
    return 8e9 * (loads + stores) * _COARSER / bandwidth, 1e9 * cycles * _COARSER / clock_hz


def working_bytes(n):
    """Bytes of the arrays that a sweep of n x n devices goes through."""
    return 8 * _ARRAYS * n * n


def measure_bandwidth(n_bytes, seconds=0.2):
    """Best bytes per second of NumPy's addition and copy on three arrays of ``n_bytes`` together."""
    a, b, c = (np.ones(max(1, n_bytes // 24)) for _ in range(3))
    return max(4 * a.nbytes / _best(lambda: np.add(a, b, out=c), seconds),
               3 * a.nbytes / _best(lambda: np.copyto(c, a), seconds))


def _best(call, seconds):
    count = max(1, round(1e-4 / max(_timed(call, 1), 1e-9)))
    end, best = time.perf_counter() + seconds / 2, np.inf
    while time.perf_counter() < end:
        best = min(best, _timed(call, count))
    return best


def _timed(call, count):
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def read_clock():
    """Clock of the first core [Hz] as the system tells it, else 3 GHz."""
    try:
        with open("/proc/cpuinfo") as lines:
            return max(float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")) * 1e6
    except (OSError, ValueError):
        return 3e9


# --- processes of their own ----------------------------------------------------------------------------------------------


def run_child(*arguments, cache=None):
    """Result of this file run with ``arguments``, compiled kernels in the folder ``cache`` if given."""
    environment = dict(os.environ) | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    done = subprocess.run([sys.executable, __file__, *map(str, arguments)], capture_output=True, text=True, env=environment,
                          check=False)
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
    # Imported here, for it is what is measured.
    start = time.perf_counter()
    from tiocross import Crossbar, Sinh, solve, transfer_matrix

    seconds, g, v = {"import": time.perf_counter() - start}, np.full((64, 64), 3e-4), np.full(64, 0.1)
    for name, call in (("solve", lambda: solve(Crossbar(g, 1.0), v)),
                       ("nonlinear", lambda: solve(Crossbar(g, 1.0, iv=Sinh(0.3)), v)),
                       ("transfer_matrix", lambda: transfer_matrix(Crossbar(g, 1.0))),
                       ("solve again", lambda: solve(Crossbar(g, 1.0), v))):
        start = time.perf_counter()
        call()
        seconds[name] = time.perf_counter() - start
    return seconds


def large(n, repetitions):
    from benchmark_cases import choose_rtol, interleave, one_input

    problem = one_input(n)
    one_input(64).currents(1e-6)  # compiles
    before = resident_bytes("VmRSS")
    problem.currents(1e-6)
    peak = resident_bytes("VmHWM")  # now: the strict solution that errors are measured against takes more
    rtol, error, truth = choose_rtol(problem, [])
    own, strict = interleave([lambda: problem.currents(rtol), lambda: problem.currents(1e-6)], repetitions)
    return {"rtol": rtol, "error": error, "truth": truth, "seconds": own, "strict_seconds": strict,
            "peak_bytes": peak, "before_bytes": before}


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


if __name__ == "__main__":
    print(json.dumps(first_solutions() if sys.argv[1] == "start" else large(int(sys.argv[2]), int(sys.argv[3]))))
