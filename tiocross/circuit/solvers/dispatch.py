"""Every circuit of a batch through the right solver.

``circuit`` is a `PreparedCrossbar` of C arrays. ``ends`` (C or 1, B, 2, 2, n) are for each array, or for all: root (left,
bottom) and far (right, top) voltages of word lines and of bit lines, NaN where an end floats or beyond the last line [V].
Results are `Solved`.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tiocross.circuit.solvers.checks import require_solved
from tiocross.circuit.solvers.hierarchy import find_geometries
from tiocross.circuit.solvers.mesh import Mesh, is_affordable
from tiocross.circuit.solvers.circuits_kernel import FROM_GUESS, FROM_ZERO
from tiocross.circuit.solvers.newton import solve_nonlinear
from tiocross.circuit.solvers.paths import BROKEN, find_islands, longest_way
from tiocross.circuit.solvers.results import (
    BITS,
    FAR_END,
    ROOT_END,
    WORDS,
    Goal,
    Solved,
    allocate_results,
    part_of,
    rounding_step,
)
from tiocross.circuit.solvers.rounding import SHARE_RTOL, bound_rounding, rounding_that_arrives, unit_drive
from tiocross.circuit.solvers.tangents import Form, Tangents
from tiocross.circuit.solvers.workspace import Workspace, connect_ends

_DEVICES_IN_A_PIECE = 400_000  # of arrays that threads share, times the number of threads
GOOD_VOLTAGES = 1e3  # times rtol times the largest voltage between ends: voltages known worse are found by elimination


def run_circuits(circuit, ends, selected=None, *, goal, workers=1):
    """Solve each array for each set of end voltages, NaN on lines that no connected end reaches; ConvergenceError if one is
    not solved. ``selected`` (C or 1, B): bit lines of selected devices, which set the scale of ``goal.rtol``. Contradictory
    ends are for `require_consistent` to find before. ``workers``: threads that may share one large array."""
    goal = goal._replace(workers=workers)
    solved = allocate_results((len(circuit), ends.shape[1]), circuit.shape, goal.nodes)
    for of_arrays, of_inputs, bit_line in _groups(ends, len(circuit), selected):
        some, part = part_of(ends, of_arrays)[:, of_inputs], circuit.part(of_arrays)
        islands = find_islands(part.arrays, ~np.isnan(some[0, 0]), part.segments)
        if islands is not None:
            part = part.without(islands)
        found = _run_group(part, some, goal, bit_line)
        if islands is not None and goal.nodes:
            found.nodes.word_lines[np.broadcast_to(islands[0][:, None], found.nodes.word_lines.shape)] = np.nan
            found.nodes.bit_lines[np.broadcast_to(islands[1][:, None], found.nodes.bit_lines.shape)] = np.nan
        solved.put((of_arrays, of_inputs), found)
    bottom = ends[:, :, BITS, ROOT_END, : circuit.shape[1]]
    solved.currents[np.broadcast_to(np.isnan(bottom), solved.currents.shape)] = 0.0  # nothing leaves an open end
    require_solved(solved.report, goal.rtol, ends)
    return solved


def run_read(circuit, voltages, goal, workers=1):
    """Solve ohmic arrays read at all bit lines, word lines driven by (C or 1, B, M) voltages [V]; not judged."""
    goal = goal._replace(workers=workers)
    solved = _run_workspaces(circuit.readers, circuit.arrays, voltages[:, :, None], goal, FROM_GUESS)
    _close_breaks(circuit, np.abs(voltages).max(initial=0.0), solved)
    return solved


def _close_breaks(circuit, volts, solved):
    """Take away what the resistance that stands for a broken segment lets through."""
    n_broken = 0 if circuit.segments is None else sum(int((wires >= BROKEN).sum()) for wires in circuit.segments)
    if n_broken:
        solved.currents[np.abs(solved.currents) <= 4.0 * n_broken * volts / BROKEN] = 0.0


def share_between_threads(solver, circuit, inputs, workers=1, *more):
    """Let several threads take a share of the arrays each: ``solver(part of the circuit, inputs (C or 1, ...) of it)``, and
    more such inputs. The results do not depend on their number."""
    n_parts = min(workers, len(circuit))
    if n_parts < 2:
        return solver(circuit, inputs, *more, workers=workers)  # who may share the lines of a large array
    n_pieces = max(n_parts, min(len(circuit), n_parts * len(circuit) * circuit.n_devices // _DEVICES_IN_A_PIECE))
    edges = [len(circuit) * k // n_pieces for k in range(n_pieces + 1)]  # short ones, so that Ctrl-C gets through

    def run(start, stop):
        part = slice(start, stop)
        return solver(circuit.part(part), *(part_of(values, part) for values in (inputs, *more)))

    with ThreadPoolExecutor(n_parts, thread_name_prefix="tiocross") as executor:
        found = [run(*edges[:2])]  # which compiles, if need be, where Ctrl-C ends it
        found += executor.map(run, edges[1:-1], edges[2:])
    return Solved(*(np.concatenate(pieces) for pieces in zip(*found)))


def _run_workspaces(workspaces, arrays, drives, goal, start):
    """Arrays of any size, each by its workspace: pairs of one and the numbers of its arrays, made one after the other."""
    solved = None
    for workspace, some in workspaces:
        if len(some) == len(arrays):
            return workspace.solve(arrays, drives, goal, start)
        if solved is None:
            solved = allocate_results((len(arrays), drives.shape[1]), arrays.shape[1:], goal.nodes)
        solved.put(some, workspace.solve(arrays[some], part_of(drives, some), goal, start))
    return solved


def _groups(ends, n_arrays, selected):
    """Arrays and inputs whose ends float alike and whose selected bit line is the same: slices or indices of arrays and of
    inputs, and the bit line, or None; usually one of all. ``selected`` (C or 1, B): bit lines, or None."""
    floating = np.isnan(ends)
    everything = slice(0, n_arrays)
    if (floating == floating[0, 0]).all() and (selected is None or (selected == selected[0, 0]).all()):
        yield everything, slice(None), None if selected is None else int(selected[0, 0])
        return
    for c in range(len(ends)):
        patterns = floating[c].reshape(ends.shape[1], -1)
        if selected is not None:
            patterns = np.column_stack([patterns, selected[c]])
        _, kinds = np.unique(patterns, axis=0, return_inverse=True)
        for kind in range(kinds.max() + 1):
            inputs = np.flatnonzero(kinds.ravel() == kind)
            bit_line = None if selected is None else int(selected[c, inputs[0]])
            yield (slice(c, c + 1) if len(ends) > 1 else everything), inputs, bit_line


def _run_group(circuit, ends, goal, selected):
    """Circuits whose ends float alike; ``selected`` is the bit line of the selected device, or None."""
    n_bit = circuit.shape[1]
    connected = ~np.isnan(ends[0, 0])
    resistances, drives = connect_ends(circuit, ends)
    is_read = circuit.law is None and selected is None and _is_read(ends, connected, circuit.shape)
    if is_read and circuit.segments is None:
        sensed = np.ones(n_bit, dtype=bool)
        solved = run_read(circuit, np.ascontiguousarray(ends[:, :, WORDS, ROOT_END, : circuit.shape[0]]), goal)
        slopes = circuit.arrays.sum(axis=(1, 2))[:, None]
        rounding = bound_rounding(circuit.shape, resistances, drives, slopes) if goal.nodes else 0.0
    else:
        sensed = connected[BITS, ROOT_END, :n_bit].copy() if selected is None else np.arange(n_bit) == selected
        sensed |= ~sensed.any()
        drives, given = drives.copy(), drives
        reference = _refer(drives, resistances, sensed)
        solved, slopes = _run_general(circuit, resistances, drives, sensed, goal)
        left = solved.report.total.copy()
        rounding = bound_rounding(circuit.shape, resistances, drives, slopes, circuit.segments)
        if not is_read or is_affordable(circuit.shape, sum(circuit.shape)):  # a large read is judged by what sweeps leave
            solved.report.total[...] += rounding
        _refine_rounding(circuit, resistances, drives, sensed, solved, left, goal)
        solved.voltages[...] += reference[..., None, None, None]
        drives = given
    if goal.nodes:
        bound_voltages(circuit, resistances, drives, solved, rounding)
    _close_breaks(circuit, np.abs(drives).max(initial=0.0), solved)
    _eliminate_others(circuit, resistances, drives, sensed, solved, goal)
    return solved


def _refer(drives, resistances, sensed):
    """Take the voltage of a sensed bit line off all others, in place, and return it (C or 1, B): what is at 0 V loses least
    to rounding."""
    connected = np.isfinite(resistances[:, 1:])
    roots = np.flatnonzero(connected[BITS, ROOT_END, : len(sensed)] & sensed)
    if len(roots):
        reference = drives[:, :, BITS, ROOT_END, roots[len(roots) // 2]].copy()
    else:
        given = drives[:, :, connected]
        reference = given[:, :, 0].copy() if given.shape[2] else np.zeros(drives.shape[:2])
    if reference.any():
        np.subtract(drives, reference[..., None, None, None], out=drives, where=connected & np.ones_like(drives, dtype=bool))
    return reference


def _run_general(circuit, resistances, drives, sensed, goal):
    """`Solved` by sweeps, and sums of the slopes of all devices (C, B or 1) [S]."""
    workspaces = ((Workspace(resistances, levels, sensed, circuit.segments), some)
                  for levels, some in find_geometries(circuit.arrays, resistances))
    if circuit.law is not None:
        return _run_nonlinear(workspaces, circuit, drives, goal)
    return _run_workspaces(workspaces, circuit.arrays, drives, goal, FROM_ZERO), circuit.arrays.sum(axis=(1, 2))[:, None]


def _refine_rounding(circuit, resistances, drives, sensed, solved, left, goal):
    """Where only the bound on rounding keeps circuits open, count what reaches the sensed end; ``left``: their residuals."""
    report = solved.report
    todo = (left <= goal.rtol * report.gross) & ~(report.total <= goal.rtol * report.gross)
    unit = unit_drive(resistances, drives, sensed) if todo.any() else None
    is_small = unit is not None and Mesh(resistances, circuit.shape, sensed, circuit.segments).is_affordable
    if unit is None or not goal.nodes and (is_small or circuit.law is not None):
        return
    shares_goal, shares, solved_for = Goal(SHARE_RTOL, goal.max_sweeps, nodes=True), None, None
    for c, k in np.argwhere(todo):
        slopes, currents = _slopes_and_currents(circuit, c, solved.at(c, k).nodes if goal.nodes else None)
        if is_small and not report.total[c, k] <= goal.rtol * np.abs(currents).sum(axis=0).max():
            continue  # other lines would be known worse than is promised; elimination knows them better
        if circuit.law is not None or c != solved_for:
            workspaces = ((Workspace(resistances, levels, sensed, circuit.segments), some)
                          for levels, some in find_geometries(slopes[None], resistances))
            shares, solved_for = _run_workspaces(workspaces, slopes[None], unit, shares_goal, FROM_ZERO), c
        if shares.report.is_one_within(SHARE_RTOL):
            report.total[c, k] = left[c, k] + rounding_that_arrives(
                circuit.shape, resistances, drives[min(c, len(drives) - 1), k], slopes, shares.at(0, 0).nodes,
                circuit.segments)


def _slopes_and_currents(circuit, c, nodes):
    """Of all devices of array ``c`` (M, N) [S, A]; ``nodes`` may be None for devices that obey Ohm's law, currents then
    too."""
    array = circuit.arrays[c]
    if circuit.law is None:
        return array, None if nodes is None else array * nodes.device_voltages
    currents, slopes = circuit.law_of(c).follow(array, nodes.device_voltages)
    return slopes, currents


def _eliminate_others(circuit, resistances, drives, sensed, solved, goal):
    """Find by elimination what sweeps left open, as far as it is small enough for that."""
    report = solved.report
    todo = ~(report.total <= goal.rtol * report.gross)
    if goal.nodes:
        todo |= report.voltage_error > GOOD_VOLTAGES * goal.rtol * _spans(resistances, drives)
    todo &= report.n_sweeps < goal.max_sweeps
    if not todo.any():
        return
    mesh = Mesh(resistances, circuit.shape, sensed, circuit.segments)
    if not mesh.is_affordable:
        return
    for c, k in np.argwhere(todo):
        law = None if circuit.law is None else circuit.law_of(c)
        found = allocate_results((), circuit.shape, goal.nodes)
        mesh.solve((circuit.arrays[c], law), drives[min(c, len(drives) - 1), k], goal, found)
        found.report.n_sweeps[...] += report.n_sweeps[c, k]
        if found.report.is_one_within(goal.rtol) or not report.total[c, k] <= goal.rtol * report.gross[c, k]:
            solved.put((c, k), found)
        elif found.report.voltage_error <= report.voltage_error[c, k]:
            solved.voltages[c, k] = found.voltages
            report.voltage_error[c, k] = found.report.voltage_error


def _spans(resistances, drives):
    """Largest voltage between ends of each circuit (C or 1, B) [V]."""
    connected = np.isfinite(resistances[:, 1:]) & np.ones_like(drives, dtype=bool)
    low = drives.min(axis=(2, 3, 4), initial=np.inf, where=connected)
    return np.maximum(drives.max(axis=(2, 3, 4), initial=-np.inf, where=connected) - low, 0.0)


def bound_voltages(circuit, resistances, drives, solved, rounding):
    """Bound the error of node voltages: residuals and ``rounding`` [A] may all go through the longest way to an end, and
    voltages are rounded."""
    largest = np.abs(drives).max(axis=(2, 3, 4))
    least = circuit.least_slopes()
    held = np.isfinite(resistances[:, 1:]).any(axis=1)
    if circuit.segments is None and all(held[side, :n].all() for side, n in enumerate(circuit.shape)):
        least = least[:1]  # the ways do not lead over devices
    ways = np.array([longest_way(array, resistances, circuit.segments) for array in least])[:, None]
    report = solved.report
    total = np.nan_to_num(report.residuals, nan=np.inf)
    unbalanced = np.where(ways > 0, (total + rounding) * np.maximum(ways, 1e-300), 0.0)
    report.voltage_error[...] = unbalanced + rounding_step(sum(circuit.shape) ** 2) * largest


def _run_nonlinear(workspaces, circuit, drives, goal):
    """Circuit by circuit, Newton's method: `Solved`, and sums of the slopes of all devices (C, B) [S]."""
    solved = allocate_results((len(circuit), drives.shape[1]), circuit.shape, goal.nodes)
    slopes = np.empty(solved.report.total.shape)
    for workspace, some in workspaces:
        for c in some:
            form = Form(circuit.arrays[c], circuit.law_of(c))
            for k, drive in enumerate(drives[min(c, len(drives) - 1)]):
                tangents = Tangents(form)
                solve_nonlinear(workspace, tangents, drive, goal, solved.at(c, k))
                slopes[c, k] = tangents.sum_of_slopes
    return solved, slopes


def _is_read(ends, connected, shape):
    """Left ends driven, bottom ends at 0 V, everything else floating."""
    n_word, n_bit = shape
    return (connected[WORDS, ROOT_END, :n_word].all() and connected[BITS, ROOT_END, :n_bit].all()
            and not connected[:, FAR_END].any() and not ends[:, :, BITS, ROOT_END, :n_bit].any())
