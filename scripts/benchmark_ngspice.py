"""Arrays of nonlinear devices beside ngspice, on the netlist that tiocross writes of the same circuit.

The sizes are those of the nearest published competitor, 163 times as fast on average as a commercial SPICE program. A size
that ngspice does not finish in the time given, or that it need not be asked for after that, is not measured, and so said.
"""

import re
import shutil
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from benchmark_cases import PROMISED, one_input
from benchmark_clock import again, interleave
from benchmark_table import format_time

from tiocross import Sinh, write_netlist

SIZES = (64, 128, 256, 512, 1024, 2048)
_V0 = 0.3  # V
_OPTIONS = f".options reltol={PROMISED:g} klu acct\n"  # klu: what versions without it ignore
_LEAST_GROWTH = 8  # of ngspice's time from one size to the next, seen 24 and more
_TIMES = {"analysis_s": "Total analysis time (seconds)", "ordering_s": "Matrix reorder time"}


def is_ngspice_there():
    """Whether the program can be run."""
    return shutil.which("ngspice") is not None


def measure_beside_ngspice(sizes, repetitions, patience):
    """A dict for each size: times of tiocross, and of ngspice or why there are none [s]."""
    rows, reason = [], None if is_ngspice_there() else "ngspice is not installed"
    for n in sizes:
        problem = one_input(n, iv=Sinh(_V0))
        fresh, kept = interleave([partial(problem.renewed, PROMISED), again(partial(problem.currents, PROMISED))],
                                 repetitions if n <= 1024 else min(3, repetitions))
        row = {"n": n, "fresh_s": min(fresh), "again_s": min(kept), "device_ns": 1e9 * min(fresh) / n**2}
        if reason is None:
            found = run_ngspice(problem, patience)
            row |= _compare(found, row["fresh_s"], problem) if isinstance(found, dict) else {"missing": found}
            reason = _reason_to_stop(n, found, patience)
        else:
            row["missing"] = f"not measured: {reason}"
        rows.append(row)
    return rows


def _reason_to_stop(n, found, patience):
    """Why a larger size is not tried, or None."""
    if not isinstance(found, dict):
        return f"{n}x{n} was not finished"
    if _LEAST_GROWTH * found["whole_s"] > patience:
        return f"{n}x{n} took {found['whole_s']:.0f} s, the limit is {patience:g} s"
    return None


def _compare(found, own, problem):
    truth = problem.currents(1e-10)
    found["differs_by"] = float(np.abs(found.pop("currents") / truth - 1).max())
    without = found["analysis_s"] - found["ordering_s"]
    return {"ngspice": found, "whole_ratio": found["whole_s"] / own, "analysis_ratio": found["analysis_s"] / own,
            "solving_ratio": without / own}


def run_ngspice(problem, patience):
    """Times [s], memory [bytes] and bit-line currents [A] of ngspice on the circuit, or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        deck, raw = Path(folder, "circuit.cir"), Path(folder, "found.raw")
        write_netlist(problem.crossbar, problem.inputs, deck)
        deck.write_text(re.sub(r"^\.options.*\n", _OPTIONS, deck.read_text(), flags=re.MULTILINE))
        start = time.perf_counter()
        try:
            done = subprocess.run(["ngspice", "-b", "-r", str(raw), str(deck)], capture_output=True, text=True, check=False,
                                  timeout=patience)
        except subprocess.TimeoutExpired:
            return f"not measured: not finished after {patience:g} s"
        whole = time.perf_counter() - start
        if done.returncode or not raw.exists():
            return "failed: " + " ".join((done.stderr or done.stdout).split())[-200:]
        return {"whole_s": whole, "currents": read_raw(raw, problem.crossbar.n_bit_lines), **_read_account(done.stdout)}


def _read_account(text):
    found = {name: float(re.search(re.escape(title) + r" = ([\d.e+-]+)", text)[1]) for name, title in _TIMES.items()}
    memory = re.search(r"Maximum ngspice program size = +([\d.]+) +(\w+)", text)
    found["peak_bytes"] = float(memory[1]) * {"k": 1e3, "M": 1e6, "G": 1e9}.get(memory[2][0], 1.0) if memory else None
    found["n_iterations"] = int(re.search(r"Total iterations = (\d+)", text)[1])
    return found


def read_raw(path, n_bit_lines):
    """Currents out of the bottom ends [A] from a file of results in binary."""
    head, _, values = path.read_bytes().partition(b"Binary:\n")
    names = [line.split()[1] for line in head.decode().split("Variables:\n")[1].splitlines() if line.strip()]
    at = {name: k for k, name in enumerate(names)}
    values = np.frombuffer(values, dtype=float, count=len(names))
    return values[[at[f"i(vbottom{j})"] for j in range(n_bit_lines)]]


def format_ngspice(rows):
    """Lines for people."""
    titles = ("array", "fresh", "again", "ns/device", "ngspice", "analysis", "solving", "memory", "differs", "ratio",
              "of analysis", "of solving")
    widths = (12, 9, 9, 11, 9, 10, 11, 9, 9, 10, 12, 11)
    lines = ["", f"nonlinear devices (sinh, v0 = {_V0} V) beside ngspice on the same netlist, both to {PROMISED:g}",
             "".join(f"{title:>{width}}" for title, width in zip(titles, widths))]
    for row in rows:
        cells = [f"{row['n']}x{row['n']}", format_time(row["fresh_s"]), format_time(row["again_s"]),
                 f"{row['device_ns']:.1f} ns"]
        line = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths))
        lines.append(line + ("  " + row["missing"] if "missing" in row else _format_other(row, widths[4:])))
    return "\n".join([*lines, _TEXT])


def _format_other(row, widths):
    found = row["ngspice"]
    times = (found["whole_s"], found["analysis_s"], found["analysis_s"] - found["ordering_s"])
    ratios = (row["whole_ratio"], row["analysis_ratio"], row["solving_ratio"])
    memory = "" if found["peak_bytes"] is None else f"{found['peak_bytes'] / 1e6:.0f} MB"
    cells = [*map(format_time, times), memory, f"{found['differs_by']:.0e}", *(f"{ratio:.0f} x" for ratio in ratios)]
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths))


_TEXT = """\
ngspice: the whole process; analysis: as it tells, without reading the netlist; solving: analysis without ordering the
matrix, which takes most of it; differs: largest relative difference of a bit-line current to tiocross at rtol = 1e-10
ratios: of these three to fresh; published: 163 on average from 128 to 2048, another solver to a commercial SPICE program"""
