"""Every circuit of a batch through the right solver.

``circuit`` is a `PreparedCrossbar` of C arrays. ``ends`` (C or 1, B, 2, 2, n) are for each array, or for all: root (left,
bottom) and far (right, top) voltages of word lines and of bit lines, NaN where an end floats or beyond the last line [V].
Results are `Solved`.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tiocross.circuit.solvers.checks import require_anchored, require_consistent, require_resolved, require_solved
from tiocross.circuit.solvers.hierarchy import find_geometries
from tiocross.circuit.solvers.multilevel_kernel import FROM_GUESS, FROM_ZERO
from tiocross.circuit.solvers.newton import require_known, solve_nonlinear
from tiocross.circuit.solvers.results import BITS, FAR_END, ROOT_END, WORDS, Solved, allocate_results
from tiocross.circuit.solvers.small_arrays_kernel import solve_small
from tiocross.circuit.solvers.workspace import Workspace, connect_ends

_LANES = 32  # arrays side by side: enough to fill the vector units, few enough to stay in the cache
_SMALL = 1_024  # devices of an array up to which many go side by side
_MOST_PLAIN_SWEEPS = 60
_CROSSINGS_PER_CALL = 1_000_000  # in one kernel call, about 0.1 s


def run_circuits(circuit, ends, goal, selected=None):
    """Solve each array for each set of end voltages; the bit line of a selected device sets the scale of ``goal.rtol``.

    ConvergenceError if one is not solved; whether it can be is for `require_solvable` to find out before."""
    solved = allocate_results((len(circuit), ends.shape[1]), circuit.shape, goal.nodes)
    for of_arrays, of_inputs in _groups(ends, len(circuit)):
        some = ends[of_arrays if len(ends) > 1 else slice(None)][:, of_inputs]
        solved.put((of_arrays, of_inputs), _run_group(circuit.part(of_arrays), some, goal, selected))
    bottom = ends[:, :, BITS, ROOT_END, : circuit.shape[1]]
    solved.currents[np.broadcast_to(np.isnan(bottom), solved.currents.shape)] = 0.0  # nothing leaves an open end
    require_solved(solved.report, goal.rtol, ends)
    return solved


def require_solvable(circuit, ends):
    """Raise ValueError where ends contradict each other or a line has no path to one that is connected."""
    require_consistent(circuit, ends)
    for of_arrays, of_inputs in _groups(ends, len(circuit)):
        connected = ~np.isnan(ends[of_arrays.start if len(ends) > 1 else 0, of_inputs][0])
        require_anchored(circuit.arrays, range(len(circuit))[of_arrays], connected.any(axis=1))


def run_read(circuit, voltages, goal):
    """Solve ohmic arrays read at all bit lines, word lines driven by (C or 1, B, M) voltages [V]; not judged."""
    if circuit.n_devices > _SMALL:
        return _run_large_read(circuit.arrays, circuit.read_geometries, circuit.resistances, voltages, goal)
    solved, n_open = _run_small(circuit, voltages, goal)
    if n_open > 0:
        for c, k in np.argwhere(solved.report.n_sweeps == 0):  # too strongly coupled for plain sweeps
            array = circuit.arrays[c : c + 1]
            found = _run_large_read(array, find_geometries(array, circuit.resistances), circuit.resistances,
                                    voltages[min(c, len(voltages) - 1), k].reshape(1, 1, -1), goal)
            solved.put((c, k), found.at(0, 0))
    return solved


def share_between_threads(solver, circuit, inputs, workers=1):
    """Let several threads take a share of the arrays each: ``solver(part of the circuit, inputs (C or 1, ...) of it)``.

    The results do not depend on their number."""
    n_parts = min(workers, len(circuit))
    if n_parts < 2:
        return solver(circuit, inputs)
    edges = [len(circuit) * k // n_parts for k in range(n_parts + 1)]

    def run(start, stop):
        part = slice(start, stop)
        return solver(circuit.part(part), inputs[part] if len(inputs) > 1 else inputs)

    with ThreadPoolExecutor(n_parts, thread_name_prefix="tiocross") as executor:
        found = list(executor.map(run, edges[:-1], edges[1:]))
    return Solved(*(np.concatenate(pieces) for pieces in zip(*found)))


def _run_large_read(arrays, geometries, resistances, voltages, goal):
    drives = np.zeros((*voltages.shape[:2], 2, 2, resistances.shape[2]))
    drives[:, :, WORDS, ROOT_END, : voltages.shape[2]] = voltages
    everything = np.ones(arrays.shape[2], dtype=bool)
    workspaces = ((Workspace(resistances, geometry, everything), some) for geometry, some in geometries)
    return _run_workspaces(workspaces, arrays, drives, goal, FROM_GUESS)


def _run_small(circuit, voltages, goal):
    """Many arrays side by side, by plain sweeps; sweeps stay 0 where these are too many, and are counted."""
    arrays = circuit.arrays
    n_arrays, n_word, n_bit = arrays.shape
    n_lanes, n_inputs = min(n_arrays, _LANES), voltages.shape[1]
    solved = allocate_results((n_arrays, n_inputs), (n_word, n_bit), goal.nodes)
    work, row = np.empty((6, n_word, n_bit, n_lanes)), np.empty((11, max(n_word, n_bit), n_lanes))
    scratch = work, work.reshape(6, n_word, -1), row, row.reshape(11, -1)
    max_sweeps = min(goal.max_sweeps, _MOST_PLAIN_SWEEPS)
    step = n_lanes * max(1, _CROSSINGS_PER_CALL // (n_lanes * n_inputs * n_word * n_bit))
    if n_arrays <= step:
        return solved, solve_small(arrays, voltages, circuit.read_lines, goal.rtol, max_sweeps, *scratch, *solved)
    n_open = 0
    for start in range(0, n_arrays, step):
        part = slice(start, start + step)
        n_open += solve_small(arrays[part], voltages[part] if len(voltages) > 1 else voltages, circuit.read_lines, goal.rtol,
                              max_sweeps, *scratch, *solved.at(part))
    return solved, n_open


def _run_workspaces(workspaces, arrays, drives, goal, start):
    """Arrays of any size, each by its workspace: pairs of one and the numbers of its arrays, made one after the other."""
    solved = None
    for workspace, some in workspaces:
        if len(some) == len(arrays):
            return workspace.solve(arrays, drives, goal, start)
        if solved is None:
            solved = allocate_results((len(arrays), drives.shape[1]), arrays.shape[1:], goal.nodes)
        solved.put(some, workspace.solve(arrays[some], drives[some] if len(drives) > 1 else drives, goal, start))
    return solved


def _groups(ends, n_arrays):
    """Arrays and inputs whose ends float alike, as pairs of slices or indices; usually one of all."""
    floating = np.isnan(ends)
    everything = slice(0, n_arrays)
    if (floating == floating[0, 0]).all():
        yield everything, slice(None)
        return
    for c in range(len(ends)):
        patterns = floating[c].reshape(ends.shape[1], -1)
        _, kinds = np.unique(patterns, axis=0, return_inverse=True)
        for kind in range(kinds.max() + 1):
            yield (slice(c, c + 1) if len(ends) > 1 else everything), np.flatnonzero(kinds.ravel() == kind)


def _run_group(circuit, ends, goal, selected):
    """Circuits whose ends float alike."""
    n_word, n_bit = circuit.shape
    connected = ~np.isnan(ends[0, 0])
    if circuit.law is None and selected is None and _is_read(ends, connected, circuit.shape):
        return run_read(circuit, np.ascontiguousarray(ends[:, :, WORDS, ROOT_END, :n_word]), goal)
    sensed = connected[BITS, ROOT_END, :n_bit].copy() if selected is None else np.arange(n_bit) == selected[1]
    sensed |= ~sensed.any()
    resistances, drives = connect_ends(circuit, ends)
    workspaces = ((Workspace(resistances, geometry, sensed), some)
                  for geometry, some in find_geometries(circuit.arrays, resistances))
    if circuit.law is None:
        solved = _run_workspaces(workspaces, circuit.arrays, drives, goal, FROM_ZERO)
    else:
        solved = _run_nonlinear(workspaces, circuit, drives, goal)
    require_resolved(circuit.arrays, resistances, drives, sensed, solved, goal.rtol)
    return solved


def _run_nonlinear(workspaces, circuit, drives, goal):
    """Circuit by circuit, Newton's method."""
    require_known(circuit.law)
    solved = allocate_results((len(circuit), drives.shape[1]), circuit.shape, goal.nodes)
    for workspace, some in workspaces:
        for c in some:
            devices = circuit.arrays[c], circuit.parameters[c]
            for k, drive in enumerate(drives[min(c, len(drives) - 1)]):
                solve_nonlinear(workspace, circuit.law.code, devices, drive, goal, solved.at(c, k))
    return solved


def _is_read(ends, connected, shape):
    """Left ends driven, bottom ends at 0 V, everything else floating."""
    n_word, n_bit = shape
    return (connected[WORDS, ROOT_END, :n_word].all() and connected[BITS, ROOT_END, :n_bit].all()
            and not connected[:, FAR_END].any() and not ends[:, :, BITS, ROOT_END, :n_bit].any())
