"""The circuits of the benchmark, what each is timed against, and the error of what comes out."""

import os
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from benchmark_cholmod import cholmod_reference
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
PROMISED = RTOLS[-1]
_V0 = 0.3  # V
_C = 1 / (6 * _V0**2)  # 1/V^2, the first terms of the sinh's series
_SPLU_LINES = 256  # largest array for which splu and badcrossbar are a matter of seconds
_CHOLMOD_LINES = 1024  # takes a minute and several GB there
_SAMPLED = 20  # arrays of a batch that a slow reference solves


@dataclass(frozen=True, eq=False)
class Problem:
    """A crossbar and what is asked of it: `Crossbar`, voltages [V] or `Biasing`, threads."""

    crossbar: Crossbar
    inputs: object
    workers: int = 1

    @property
    def biasing(self):
        return self.inputs if isinstance(self.inputs, Biasing) else read_columns(self.crossbar, self.inputs)

    @property
    def n_arrays(self):
        return self.crossbar.conductances[..., 0, 0].size

    @property
    def n_inputs(self):
        return max(1, int(np.prod(self.biasing.batch)))

    def solve(self, rtol):
        return solve(self.crossbar, self.inputs, rtol=rtol, workers=self.workers)

    def currents(self, rtol):
        return self.solve(rtol).bit_line_currents

    def renewed(self, rtol):
        """What solves the same with a `Crossbar` that has never been solved, made now."""
        return partial(replace(self, crossbar=self.renewed_crossbar()).currents, rtol)

    def renewed_crossbar(self):
        return replace(self.crossbar)


@dataclass(frozen=True)
class Case:
    """A line of the table: name, the problem, goals, and an easier problem to compare with.

    goal [s] is of the problem, or of each array where there are many; ratios hold the goals beside others, by name.
    """

    name: str
    make: object
    goal: float = None
    ratios: dict = field(default_factory=dict)
    make_plain: object = None
    plain: str = "plain read"


# --- problems: devices of 100-500 uS, inputs of 0.05-0.2 V -------------------------------------------------------------


def draw(*shape, wire=1.0, n_inputs=(), iv=None, workers=1):
    """Arrays of ``shape`` with wires of ``wire`` ohm and as many inputs for each."""
    rng = np.random.default_rng(shape[-2:])
    crossbar = Crossbar(rng.uniform(100e-6, 500e-6, shape), wire, iv=iv)
    return Problem(crossbar, rng.uniform(0.05, 0.2, (*shape[:-2], *n_inputs, shape[-2])), workers)


def one_input(n, wire=1.0, iv=None, workers=1):
    return draw(n, n, wire=wire, iv=iv, workers=workers)


def one_device(n, scheme):
    """One device in the middle of an array, read or written at 0.2 V."""
    crossbar = one_input(n).crossbar
    verb, _, scheme = scheme.partition(" ")
    if verb == "write":
        return Problem(crossbar, write_device(crossbar, n // 2, n // 3, 0.2, scheme=scheme))
    return Problem(crossbar, read_device(crossbar, n // 2, n // 3, 0.2, unselected=scheme))


# array: goal [s], goals of the ratios
_SINGLES = {8: (6e-6, {"splu": 40, "CHOLMOD": 45, "badcrossbar": 300}),
            64: (50e-6, {"splu": 350, "CHOLMOD": 500, "badcrossbar": 1200}),
            256: (0.7e-3, {"splu": 1500, "CHOLMOD": 1200, "badcrossbar": 2500}),
            1024: (15e-3, {"splu": 8000, "CHOLMOD": 2500})}


def list_cases(quick):
    """All lines but those that need a process of their own; a few tiny ones, which have no goals, with ``quick``."""
    cases = [*_list_plain_reads(quick), *_list_multiples(quick)]
    return [replace(case, goal=None, ratios={}) for case in cases] if quick else cases


def _list_plain_reads(quick):
    singles = {n: (None, {}) for n in (4, 8, 12, 16)} if quick else _SINGLES
    largest, middle, large = (16, 12, 12) if quick else (1024, 64, 256)
    many, fewer, n_inputs = (30, 20, 40) if quick else (1000, 200, 500)
    cores = min(2, os.cpu_count() or 1)
    cases = [Case(f"one input {n}x{n}", partial(one_input, n), goal, ratios) for n, (goal, ratios) in singles.items()]
    cases += [Case(f"one input {largest}x{largest}, 2 threads", partial(one_input, largest, workers=2), 8e-3,
                   make_plain=partial(one_input, largest), plain="one thread"),
              Case(f"{many} arrays of 8x8, each", partial(draw, many, 8, 8), 0.2e-6, {"splu": 1200}),
              Case(f"{fewer} arrays of {middle}x{middle}, each", partial(draw, fewer, middle, middle), 25e-6, {"splu": 400}),
              Case(f"{fewer} of {middle}x{middle}, {cores} threads", partial(draw, fewer, middle, middle, workers=cores),
                   make_plain=partial(draw, fewer, middle, middle), plain="one thread"),
              Case(f"{n_inputs} inputs on one {large}x{large}", partial(draw, large, large, n_inputs=(n_inputs,)), 40e-3,
                   {"splu": 250})]
    return cases


def _list_multiples(quick):
    """What is given as a multiple of a plain read of the same array with 1 ohm, taken in turns with it."""
    middle, large, largest = (8, 12, 16) if quick else (64, 256, 1024)
    plain = "plain read, 1 ohm"
    cases = [Case(f"{wire:g} ohm {n}x{n}", partial(one_input, n, wire), None, {plain: 1.5} if wire < 100 else {},
                  partial(one_input, n), plain)
             for wire, n in ((20.0, middle), (20.0, large), (20.0, largest), (100.0, middle))]
    for n in (middle, large):
        cases += [Case(f"{scheme} {n}x{n}", partial(one_device, n, scheme), None, {plain: 1.5}, partial(one_input, n), plain)
                  for scheme in ("read floating", "write V/2", "write V/3", "read grounded", "read V/2", "read V/3")]
        cases += [Case(f"{name} {n}x{n}", partial(one_input, n, iv=law), None, {plain: 3.0}, partial(one_input, n), plain)
                  for name, law in ((f"sinh, v0 = {_V0} V,", Sinh(_V0)), (f"cubic, c = {_C:.3g}/V^2,", Cubic(_C)))]
    return cases


def list_references(case, problem, full):
    """What a case is timed against, with the goals of the ratios."""
    references = []
    if case.make_plain is not None:
        plain = case.make_plain()
        references = [Reference(case.plain, partial(plain.currents, PROMISED), partial(plain.renewed, PROMISED),
                                longer=problem.workers == 1)]
    solvers = _list_solvers(problem, _CHOLMOD_LINES if full else _SPLU_LINES)
    references += solvers if case.make_plain is None else [each for each in solvers if each.name == "splu"]
    for reference in references:
        reference.goal = case.ratios.get(reference.name)
    return references


def _list_solvers(problem, splu_lines):
    crossbar, biasing = problem.crossbar, problem.biasing
    n, whole, references = max(crossbar.conductances.shape[-2:]), problem.n_inputs, []
    if crossbar.iv is not None:
        return references
    some = min(_SAMPLED, whole) if problem.n_arrays > 1 else whole
    single = not biasing.batch
    if is_installed("scipy") and n <= splu_lines:
        references.append(splu_reference(crossbar, biasing, some))
        if single and n <= _SPLU_LINES:
            references.append(splu_reference(crossbar, biasing, 1, ordering="MMD_AT_PLUS_A"))
    if is_installed("sksparse") and n <= _CHOLMOD_LINES and biasing.selected is None:
        references.append(cholmod_reference(crossbar, biasing, some))
    if n <= DENSE_LINES:
        references.append(dense_reference(crossbar, biasing, min(100, whole) if problem.n_arrays > 1 else whole))
    if is_installed("badcrossbar") and n <= _SPLU_LINES and (problem.n_arrays > 1 or whole == 1):
        references.append(badcrossbar_reference(crossbar, biasing, some))
    return references


# --- errors --------------------------------------------------------------------------------------------------------------


def relative_error(problem, currents, truth):
    """Largest error of a bit-line current, relative to itself; with a selected device, of its bit line."""
    selected = problem.biasing.selected
    lines = slice(None) if selected is None else selected[1]
    return float(np.abs(currents[..., lines] / truth[..., lines] - 1).max())


def judge_errors(problem, references):
    """The error at the promised rtol, what it was measured against, and the largest rtol that reaches the wanted error.

    ``rtol`` bounds the error and is far above it: to be asked for 1e-6 is to be asked for much more than that.
    """
    truths = [(reference.part, reference.currents, reference.name) for reference in references
              if reference.exact and not reference.failure][:1]
    if not truths or truths[0][0] is not None:
        truths.append((None, *solve_strictly(problem)))

    def find_error(rtol):
        currents = problem.currents(rtol)
        return max(relative_error(problem, currents if part is None else currents[part], truth) for part, truth, _ in truths)

    loose = next((rtol for rtol in RTOLS if find_error(rtol) <= WANTED_ERROR), PROMISED)
    return find_error(PROMISED), " and ".join(name for _, _, name in truths), loose


def solve_strictly(problem):
    """Currents for the smallest rtol that can be reached, and its name."""
    for rtol in (1e-12, 1e-11, 1e-10):
        try:
            return problem.currents(rtol), f"rtol {rtol:.0e}"
        except ConvergenceError:
            pass
    raise SystemExit(f"no solution to rtol = 1e-10 of {problem.crossbar.conductances.shape}: nothing to compare with")
