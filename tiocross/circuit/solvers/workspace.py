"""From the terms of a circuit to the kernel's: ends of lines, levels, scratch, calls of bounded length."""

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np

from tiocross.circuit.solvers.hierarchy import kinds_of_lines, lump_lines
from tiocross.circuit.solvers.levels import plan_for
from tiocross.circuit.solvers.circuits_kernel import FROM_GUESS, FROM_ZERO, GO_ON, solve_lines
from tiocross.circuit.solvers.lines_kernel import B, PITCH, W
from tiocross.circuit.solvers.lines_kernel import BLOCKS, VECTORS
from tiocross.circuit.solvers.parts_kernel import (
    BITS,
    CORRECT,
    FACTOR_BITS,
    FACTOR_WORDS,
    JUDGE,
    PREPARE,
    TAKE,
    WORDS,
    do_part,
)
from tiocross.circuit.solvers.results import (
    FAR_END,
    RHO,
    ROOT,
    ROOT_END,
    Nodes,
    Solved,
    allocate_results,
    part_of,
    rounding_step,
)
from tiocross.vectors import LANES

_CROSSINGS_PER_CALL = 3_000_000  # in one kernel call, about 0.1 s, so that Ctrl-C and progress get through
_MOST_SWEEPS_AT_ONCE = 200  # of small arrays, many in one call
_PATIENCE = 8  # calls without half the residual after which only rounding is left
LARGE = 250_000  # devices of an array from which it is solved job by job, about 0.01 s each
_MANY = LANES // 2 + 1  # arrays from which it pays to solve them side by side
_LARGEST_OF_MANY = 1_024  # devices of an array up to which they go side by side: LANES of them should fit into the cache
_KEPT, _MOST_KEPT = 8_000_000, 2  # numbers of scratch that are kept for the next circuit, and how many such
_NOTHING = np.empty(0)


class _Scratch:
    """Scratch between circuits: new memory costs as much time as some sweeps. Taking from a list and putting back are one
    step each, so no two threads hold the same."""

    def __init__(self):
        self._kept = []

    def take(self, size):
        """An array of at least ``size``."""
        try:
            pool = self._kept.pop()
        except IndexError:
            return np.empty(size)
        return pool if pool.size >= size else np.empty(size)

    def give_back(self, pool):
        """For whoever is next."""
        if len(self._kept) < _MOST_KEPT and pool.size <= _KEPT:
            self._kept.append(pool)


SCRATCH = _Scratch()


def goes_side_by_side(n_arrays, n_devices):
    """Whether so many arrays of so many devices are solved LANES at a time; the bits are the same."""
    return n_arrays >= _MANY and n_devices <= _LARGEST_OF_MANY


def flatten(arrays, many):
    """Devices (C, M, N) as the kernel wants them: flat and, unless arrays go side by side, with rows and numbers of rows
    filled up to whole vectors."""
    m, n = arrays.shape[1:]
    if not many and (m % LANES or n % LANES):
        padded = np.zeros((len(arrays), -(-m // LANES) * LANES, -(-n // LANES) * LANES))
        padded[:, :m, :n] = arrays
        return padded.reshape(-1)
    return arrays.reshape(-1)


class Workspace:
    """Solves linear circuits of one shape with the same wires and the same ends connected.

    ``resistances`` (2, 3, W) and ``segments`` are as in `levels`. ``sensed`` (N,) bool: bit lines whose gross current sets
    the scale of the tolerance. Drives are root and far voltages of word lines and of bit lines, (..., 2, 2, W), 0 where an
    end floats [V]; or (..., 1, M), of the root ends of word lines alone.
    """

    def __init__(self, resistances, levels, sensed, segments=None):
        self.resistances, self.levels, self.sensed, self.segments = resistances, levels, sensed, segments
        self.n_word_lines, self.n_bit_lines = levels[0].shape

    @cached_property
    def plan(self):
        """Of one array."""
        return plan_for(self.levels, self.resistances, self.segments, self.sensed, False)

    @cached_property
    def pool(self):
        """Scratch for one array, with its voltages."""
        return np.zeros(self.plan.size)

    @cached_property
    def nodes(self):
        """`Nodes` of the circuit solved last; views, to be read or to start from."""
        return Nodes(*self.plan.nodes(self.pool))

    @property
    def places(self):
        """The pool, where voltages of bit lines and of word lines begin in it, and how far rows are apart."""
        return self.pool, *self.plan.numbers[0, [B, W, PITCH]].tolist()

    def solve(self, arrays, drives, goal, start=FROM_ZERO):
        """Solve every array (C, M, N) [S] for every drive (C or 1, B, ...): `Solved`, not judged."""
        count, crossings = (len(arrays), drives.shape[1]), self.n_word_lines * self.n_bit_lines
        solved = allocate_results(count, (self.n_word_lines, self.n_bit_lines), goal.nodes)
        if crossings > LARGE:
            for c, k in np.ndindex(count):
                drive = part_of(drives, slice(c, c + 1))[:, k : k + 1]
                self._solve_in_parts(arrays[c : c + 1], drive, goal, start, solved.at(slice(c, c + 1), slice(k, k + 1)))
        else:
            n_open, step = 0, max(LANES, _CROSSINGS_PER_CALL // (8 * crossings * count[1]) // LANES * LANES)
            budget = min(goal.max_sweeps, _MOST_SWEEPS_AT_ONCE)
            for first in range(0, len(arrays), step):
                part = slice(first, first + step)
                n_open += self._solve_some(arrays[part], part_of(drives, part), goal.rtol, budget, start, solved.at(part))
            if n_open == 0:
                return solved
        report = solved.report
        for c, k in np.argwhere(~(report.total <= goal.rtol * report.gross)):
            drive = drives[min(c, len(drives) - 1), k]
            if crossings <= LARGE or not report.total[c, k] <= self._rounding(arrays[c], drive):
                self._solve_by_gradients(arrays[c], drive, goal, solved.at(c, k))
        return solved

    def _rounding(self, array, drive):
        """What sweeps may leave for rounding alone [A]: minutes of a large array would not get below it."""
        return rounding_step(self.n_word_lines + self.n_bit_lines) * np.abs(drive).max() * array.sum()

    def _solve_in_parts(self, array, drive, goal, start, into):
        """One large circuit: all leading axes are 1. Threads share the lines."""
        plan, workers, n_levels = self.plan, goal.workers, len(self.levels)
        pool, devices = SCRATCH.take(plan.size + (workers - 1) * plan.scratch), flatten(array, False)
        arguments = devices, _all_ends(drive), *into, pool, plan.tables
        numbers = [plan.numbers_of(thread) for thread in range(workers)]

        def run(job, thread, first, last, flag):
            return do_part(job, first, last, flag, goal.nodes, goal.rtol, *arguments, numbers[thread], plan.edges)

        def share(job, n_vectors, flag):
            parts = [n_vectors * k // workers for k in range(workers + 1)]
            others = [executor.submit(run, job, k, parts[k], parts[k + 1], flag) for k in range(1, workers)]
            run(job, 0, parts[0], parts[1], flag)
            for other in others:
                other.result()

        run(FACTOR_WORDS, 0, 0, 0, False)  # nothing; it compiles, if need be, where Ctrl-C ends it
        blocks, vectors = (int(n) for n in plan.numbers[0, [BLOCKS, VECTORS]])
        with ThreadPoolExecutor(max(1, workers - 1), thread_name_prefix="tiocross") as executor:
            share(FACTOR_WORDS, blocks, False)
            share(FACTOR_BITS, vectors, False)
            guessed = start == FROM_GUESS and n_levels > 1
            run(PREPARE, 0, 0, 0, guessed)
            for sweep in range(goal.max_sweeps):
                corrected = n_levels > 1 and (guessed or sweep > 0)
                if corrected:
                    run(CORRECT, 0, 0, 0, guessed and sweep == 0)
                share(WORDS, blocks, corrected)
                share(BITS, vectors, sweep > 0)
                if not run(JUDGE, 0, 0, 0, sweep > 0):
                    break
            run(TAKE, 0, 0, 0, False)
        SCRATCH.give_back(pool)

    def _solve_some(self, arrays, drives, rtol, budget, start, into):
        """In one call, or two where few are left that do not fill a vector."""
        many, n_left = goes_side_by_side(len(arrays), arrays[0].size), len(arrays) % LANES
        if many and 0 < n_left < _MANY and len(arrays) > LANES:
            edge = len(arrays) - n_left
            return sum(self._solve_some(arrays[part], part_of(drives, part), rtol, budget, start, into.at(part))
                       for part in (slice(edge), slice(edge, None)))
        plan = plan_for(self.levels, self.resistances, self.segments, self.sensed, True) if many else self.plan
        pool = SCRATCH.take(plan.size)
        task = rtol, budget, start, into.voltages.size > 0
        n_open = call(plan, pool, (flatten(arrays, many), _NOTHING), drives, many, task, into)
        SCRATCH.give_back(pool)
        return n_open

    def sweep_further(self, devices, drive, budget, start, into, rtol=0.0, strict=False):
        """Sweep one circuit up to ``budget`` more times, or to ``rtol``. ``devices``: conductances (M, N) [S], and currents
        injected at the word-line nodes and drawn from the bit-line nodes, (M, N) or None [A]; or both as `flatten` makes
        them, the latter empty for None. ``into``: `Solved` without leading axes."""
        into.report.lose_no_patience()
        array, injected = devices
        if array.ndim == 2:
            devices = flatten(array[None], False), _NOTHING if injected is None else flatten(injected[None], False)
        alone = Solved(into.currents[None, None], into.figures[None, None], into.voltages[None, None])
        task = rtol, budget, start, strict or into.voltages.size > 0
        call(self.plan, self.pool, devices, drive[None, None], False, task, alone)

    @cached_property
    def robust(self):
        """The same for circuits that do not converge here: corrected on the array itself, by conjugate gradients, which
        always converge, instead of on coarse crossbars, which are much faster where they are good pictures of it."""
        shape = (self.n_word_lines, self.n_bit_lines)
        return Workspace(self.resistances, lump_lines(*shape, kinds_of_lines(self.resistances, shape), (1,)), self.sensed,
                         self.segments)

    def hand_over_to_robust(self):
        """The robust workspace, with this one's bit-line voltages as its start."""
        self.robust.nodes.bit_lines[:] = self.nodes.bit_lines
        return self.robust

    def _solve_by_gradients(self, array, drive, goal, into):
        """A circuit that did not converge, in calls of bounded length."""
        report, start, best, waiting = into.report, FROM_ZERO, np.inf, 0
        budget = max(1, min(8, _CROSSINGS_PER_CALL // array.size))
        while report.n_sweeps < goal.max_sweeps and waiting < _PATIENCE:
            sweeps = min(budget, goal.max_sweeps - int(report.n_sweeps))
            self.robust.sweep_further((array, None), drive, sweeps, start, into, goal.rtol)
            if report.total <= goal.rtol * report.gross:
                break
            start, waiting = GO_ON, 0 if report.total < 0.5 * best else waiting + 1
            best = min(best, float(report.total))


def call(plan, pool, devices, drives, many, task, into):
    """The kernel: ``devices`` flat, and what is injected; ``task``: rtol, most sweeps, start, and whether voltages are
    wanted; ``into`` `Solved` (C, B, ...). Returns how many circuits are open."""
    return solve_lines(*devices, _all_ends(drives), *into, pool, plan.tables, plan.numbers, plan.edges, many, *task)


def _all_ends(drives):
    """Those of root and far ends in one axis."""
    return drives.reshape(*drives.shape[:2], 4, drives.shape[4]) if drives.ndim == 5 else drives


def connect_ends(circuit, ends):
    """Resistances and drives as for `Workspace`, from the voltages of all ends (C, B, 2, 2, n) [V]: NaN where they float,
    the same ones in all circuits."""
    resistances = circuit.resistances.copy()
    drives = np.zeros((*ends.shape[:2], 2, 2, resistances.shape[2]))
    for side, n in enumerate(circuit.shape):
        voltages = ends[:, :, side, :, :n].copy()
        beyond = resistances[side, ROOT, :n].copy()
        ideal = (resistances[side, RHO, :n] + beyond == 0) & ~np.isnan(voltages[0, 0, FAR_END])
        # A line that drops nothing has one voltage: what holds it at the far end may as well hold it at the root.
        voltages[:, :, ROOT_END, ideal], voltages[:, :, FAR_END, ideal] = voltages[:, :, FAR_END, ideal], np.nan
        floating = np.isnan(voltages)
        resistances[side, ROOT:, :n] = np.where(floating[0, 0], np.inf, beyond)
        drives[:, :, side, :, :n] = np.where(floating, 0.0, voltages)
    return resistances, drives
