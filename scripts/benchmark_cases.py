"""The circuits of the benchmark, what each is timed against, and how times and errors are taken."""

import os
import time
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from benchmark_references import (
    DENSE_LINES,
    Reference,
    badcrossbar_reference,
    dense_reference,
    is_installed,
    splu_reference,
)

from tiocross import ConvergenceError, Crossbar, Cubic, Sinh, read_columns, read_device, solve, write_device
from tiocross.circuit.biasing import Biasing

WANTED_ERROR = 1e-6  # of the currents, relative
RTOLS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
_V0 = 0.3  # V
_C = 1 / (6 * _V0**2)  # 1/V^2, the first terms of the sinh's series
_SPLU_LINES = 256  # largest array for which splu is a matter of seconds
_SAMPLED = 20  # arrays of a batch that a slow reference solves
_SHORTEST = 1e-2  # seconds a sample should take: shorter calls are repeated within it
_PATIENCE = 10.0  # seconds after which a reference is timed no more


@dataclass(frozen=True, eq=False)
class Problem:
    """A crossbar and what is asked of it: `Crossbar`, voltages [V] or `Biasing`."""

    crossbar: Crossbar
    inputs: object

    @property
    def biasing(self):
        return self.inputs if isinstance(self.inputs, Biasing) else read_columns(self.crossbar, self.inputs)

    @property
    def workers(self):
        """A thread for each core where the arrays are many and large enough to be worth it."""
        return os.cpu_count() if self.crossbar.conductances.ndim > 2 and self.crossbar.conductances.size > 1e6 else 1

    def solve(self, rtol):
        return solve(self.crossbar, self.inputs, rtol=rtol, workers=self.workers)

    def currents(self, rtol):
        return self.solve(rtol).bit_line_currents


@dataclass(frozen=True)
class Case:
    """A line of the table: name, the problem, an easier one to compare with, goal as printed and how to call that one."""

    name: str
    make: object
    goal: str = ""
    make_plain: object = None
    plain: str = "plain read"


# --- problems: devices of 100-500 uS, inputs of 0.05-0.2 V -------------------------------------------------------------


def draw(*shape, wire=1.0, n_inputs=(), iv=None):
    """Arrays of ``shape`` with wires of ``wire`` ohm and as many inputs for each."""
    rng = np.random.default_rng(shape[-2:])
    crossbar = Crossbar(rng.uniform(100e-6, 500e-6, shape), wire, iv=iv)
    return Problem(crossbar, rng.uniform(0.05, 0.2, (*shape[:-2], *n_inputs, shape[-2])))


def one_input(n, wire=1.0, iv=None):
    return draw(n, n, wire=wire, iv=iv)


def one_device(n, scheme):
    """One device in the middle of an array, read or written at 0.2 V."""
    crossbar = one_input(n).crossbar
    verb, _, scheme = scheme.partition(" ")
    if verb == "write":
        return Problem(crossbar, write_device(crossbar, n // 2, n // 3, 0.2, scheme=scheme))
    return Problem(crossbar, read_device(crossbar, n // 2, n // 3, 0.2, unselected=scheme))


def list_cases(quick):
    """All lines but those that need a process of their own; a few tiny ones, which have no goals, with ``quick``."""
    singles = {4: "", 8: "", 12: "", 16: ""} if quick else {8: ">= 40 x", 16: "", 64: ">= 350 x", 256: ">= 1500 x",
                                                           1024: ">= 8000 x"}
    middle, large, largest = (8, 12, 16) if quick else (64, 256, 1024)
    count, n_inputs = (30, 40) if quick else (1000, 500)
    cases = [Case(f"one input {n}x{n}", partial(one_input, n), goal) for n, goal in singles.items()]
    cases += [Case(f"{count} arrays of {n}x{n}", partial(draw, count, n, n), goal)
              for n, goal in ((8, ">= 1200 x"), (large if quick else middle, ">= 400 x"))]
    cases += [Case(f"{n_inputs} inputs on one {large}x{large}", partial(draw, large, large, n_inputs=(n_inputs,)),
                   ">= 250 x")]
    cases += [Case(f"{wire:g} ohm {n}x{n}", partial(one_input, n, wire), goal, partial(one_input, n), "1 ohm")
              for wire, n, goal in ((20.0, large, "about 1"), (20.0, largest, "about 1"), (100.0, middle, "converges"))]
    for n in (middle, large):
        cases += [Case(f"{scheme} {n}x{n}", partial(one_device, n, scheme), "<= 5 x", partial(one_input, n))
                  for scheme in ("write V/2", "write V/3", "read floating", "read grounded", "read V/2", "read V/3")]
        cases += [Case(f"{name} {n}x{n}", partial(one_input, n, iv=law), "<= 10 x", partial(one_input, n))
                  for name, law in ((f"sinh, v0 = {_V0} V,", Sinh(_V0)), (f"cubic, c = {_C:.3g}/V^2,", Cubic(_C)))]
    return [replace(case, goal="") for case in cases] if quick else cases


def list_references(case, problem, full):
    """What a case is timed against."""
    if case.make_plain is not None:
        plain = case.make_plain()
        references = [Reference(case.plain, partial(plain.currents, choose_rtol(plain, [])[0]), longer=True)]
        return references + _list_solvers(problem, _SPLU_LINES)[:1]
    return _list_solvers(problem, 1024 if full else _SPLU_LINES)


def _list_solvers(problem, splu_lines):
    crossbar, biasing = problem.crossbar, problem.biasing
    n, whole, references = max(crossbar.conductances.shape[-2:]), int(np.prod(biasing.batch)), []
    if crossbar.iv is not None:
        return references
    many_arrays = crossbar.conductances[..., 0, 0].size > 1
    if is_installed("scipy") and n <= splu_lines:
        references.append(splu_reference(crossbar, biasing, min(_SAMPLED, whole) if many_arrays and n > 8 else whole))
        if not biasing.batch and n <= _SPLU_LINES:
            references.append(splu_reference(crossbar, biasing, 1, ordering="MMD_AT_PLUS_A"))
    if n <= DENSE_LINES:
        references.append(dense_reference(crossbar, biasing, min(100, whole) if many_arrays else whole))
    if is_installed("badcrossbar") and n <= _SPLU_LINES and (many_arrays or whole == 1):
        references.append(badcrossbar_reference(crossbar, biasing, min(_SAMPLED, whole)))
    return references


# --- errors and times ----------------------------------------------------------------------------------------------------


def relative_error(problem, currents, truth):
    """Largest error of a bit-line current, relative to itself; with a selected device, of its bit line."""
    selected = problem.biasing.selected
    lines = slice(None) if selected is None else selected[1]
    return float(np.abs(currents[..., lines] / truth[..., lines] - 1).max())


def choose_rtol(problem, references):
    """The largest rtol that reaches the wanted error, the error it has, and what that was measured against.

    ``rtol`` bounds the error and is far above it: to be asked for 1e-6 is to be asked for much more than that.
    """
    truths = [(reference.part, reference.currents, reference.name) for reference in references
              if reference.exact and not reference.failure][:1]
    if not truths or truths[0][0] is not None:
        truths.append((None, *solve_strictly(problem)))
    for rtol in RTOLS:
        currents = problem.currents(rtol)
        error = max(relative_error(problem, currents if part is None else currents[part], truth)
                    for part, truth, _ in truths)
        if error <= WANTED_ERROR:
            break
    return rtol, error, " and ".join(name for _, _, name in truths)


def solve_strictly(problem):
    """Currents for the smallest rtol that can be reached, and its name."""
    for rtol in (1e-12, 1e-11, 1e-10):
        try:
            return problem.currents(rtol), f"rtol {rtol:.0e}"
        except ConvergenceError:
            pass
    raise SystemExit(f"no solution to rtol = 1e-10 of {problem.crossbar.conductances.shape}: nothing to compare with")


def interleave(calls, repetitions):
    """Seconds of each call in ``repetitions`` samples, taken in turns so that a busy machine slows all alike.

    Every call has run before or runs once untimed; ones that take long get fewer samples.
    """
    counts = []
    for call in calls:
        start = time.perf_counter()
        call()
        counts.append(max(1, round(_SHORTEST / (time.perf_counter() - start))))
    samples = [[] for _ in calls]
    for _ in range(repetitions):
        for call, count, sample in zip(calls, counts, samples):
            if sum(sample) * count > _PATIENCE:
                continue
            start = time.perf_counter()
            for _ in range(count):
                call()
            sample.append((time.perf_counter() - start) / count)
    return samples
