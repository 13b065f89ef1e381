"""Every circuit of a batch through the right solver."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tiocross.circuit.solvers.checks import require_anchored, require_consistent, require_resolved, require_solved
from tiocross.circuit.solvers.hierarchy import plan_arrays
from tiocross.circuit.solvers.small_arrays_kernel import solve_small
from tiocross.circuit.solvers.newton import solve_nonlinear
from tiocross.circuit.solvers.workspace import Workspace, connect, make_room

_LANES = 32  # arrays side by side: enough to fill the vector units, few enough to stay in the cache
_SMALL = 1_024  # devices of an array up to which many go side by side
_MOST_PLAIN_SWEEPS = 60
_CROSSINGS_PER_CALL = 1_000_000  # in one kernel call, about 0.1 s


def run_circuits(crossbar, ends, rtol, max_sweeps, *, selected=None, nodes=False):
    """Solve each array for each set of end voltages.

    Parameters
    ----------
    crossbar : Crossbar
        C arrays, in whatever leading axes (unitless).
    ends : (C or 1, B, 2, 2, n) ndarray
        For each array, or for all: root (left, bottom) and far (right, top) voltages of word lines and of bit lines, NaN
        where floating or beyond the last line [V].
    rtol : float
        Wanted sum of residuals, relative to the largest gross current of a sensed bit line (unitless).
    max_sweeps : int
        Most sweeps (unitless).
    selected : (int, int), optional
        Selected device, whose bit line then sets the scale (unitless).
    nodes : bool, optional
        Whether to keep the node voltages (unitless).

    Returns
    -------
    currents : (C, B, n_bit_lines) ndarray
        Out of the bottom ends [A].
    report : (C, B, 4) ndarray
        Sweeps, largest and summed residual [A], largest gross current of a sensed bit line [A].
    voltages : (C, B, 2, n_word_lines, n_bit_lines) ndarray or None
        Of bit-line and word-line nodes [V].

    Raises
    ------
    ConvergenceError
        If a circuit is not solved. That it can be is for `require_solvable` to find out before.
    """
    shape, n_arrays = crossbar.conductances.shape[-2:], len(crossbar.arrays)
    results = make_room((n_arrays, ends.shape[1]), shape, nodes)
    for of_arrays, of_inputs in _groups(ends, n_arrays):
        some = ends[of_arrays if len(ends) > 1 else slice(None)][:, of_inputs]
        found = _run_group(crossbar, of_arrays, some, rtol, max_sweeps, selected, nodes)
        for whole, piece in zip(results, found):
            whole[of_arrays, of_inputs] = piece
    currents, report, voltages = results
    currents[np.broadcast_to(np.isnan(ends[:, :, 1, 0, : shape[1]]), currents.shape)] = 0.0  # nothing leaves an open end
    require_solved(report, rtol, ends)
    return currents, report[..., :4], voltages if nodes else None


def require_solvable(crossbar, ends):
    """Raise ValueError where ends contradict each other or a line has no path to one that is connected.

    Parameters
    ----------
    crossbar : Crossbar
        C arrays (unitless).
    ends : (C or 1, B, 2, 2, n) ndarray
        As for `run_circuits` [V].
    """
    require_consistent(crossbar, ends)
    for of_arrays, of_inputs in _groups(ends, len(crossbar.arrays)):
        connected = ~np.isnan(ends[of_arrays.start if len(ends) > 1 else 0, of_inputs][0])
        require_anchored(crossbar.arrays, range(len(crossbar.arrays))[of_arrays], connected.any(axis=1))


def run_read(crossbar, voltages, rtol, max_sweeps, *, nodes=False):
    """Solve ohmic arrays read at all bit lines.

    Parameters
    ----------
    crossbar : Crossbar
        C arrays (unitless).
    voltages : (C or 1, B, n_word_lines) ndarray
        Drives for each array, or for all [V].
    rtol : float
        Wanted sum of residuals relative to the largest gross current of a bit line (unitless).
    max_sweeps : int
        Most sweeps (unitless).
    nodes : bool, optional
        Whether to keep the node voltages (unitless).

    Returns
    -------
    (ndarray, ndarray, ndarray)
        As of `run_circuits`, but not judged.
    """
    arrays = crossbar.arrays
    if arrays.shape[1] * arrays.shape[2] > _SMALL:
        everything = np.ones(crossbar.n_bit_lines, dtype=bool)
        drives = _read_drives(crossbar, voltages)
        return _run_plans(arrays, crossbar.read_plans, crossbar.read_resistances, drives, everything, rtol, max_sweeps,
                          nodes, read=True)
    results, n_open = _run_small(crossbar, voltages, rtol, max_sweeps, nodes)
    if n_open == 0:
        return results
    everything = np.ones(crossbar.n_bit_lines, dtype=bool)
    for c, k in np.argwhere(results[1][..., 0] == 0):  # too strongly coupled for plain sweeps
        drives = _read_drives(crossbar, voltages[min(c, len(voltages) - 1), k].reshape(1, 1, -1))
        plans = plan_arrays(arrays[c : c + 1], crossbar.read_resistances)
        found = _run_plans(arrays[c : c + 1], plans, crossbar.read_resistances, drives, everything, rtol, max_sweeps, nodes,
                           read=True)
        for whole, piece in zip(results, found):
            whole[c, k] = piece[0, 0]
    return results


def in_parts(solver, crossbar, inputs, rtol, max_sweeps, *, workers=1, **options):
    """Let several threads take a share of the arrays each; the results do not depend on their number.

    Parameters
    ----------
    solver : callable
        `run_circuits` or `run_read` (unitless).
    crossbar : Crossbar
        C arrays (unitless).
    inputs : (C or 1, ...) ndarray
        Its second argument [V].
    rtol : float
        Its third (unitless).
    max_sweeps : int
        Its fourth (unitless).
    workers : int, optional
        Threads (unitless).
    **options : dict
        Its others (unitless).

    Returns
    -------
    list
        What ``solver`` returns.
    """
    n_arrays = len(crossbar.arrays)
    n_parts = min(workers, n_arrays)
    if n_parts < 2:
        return solver(crossbar, inputs, rtol, max_sweeps, **options)
    edges = [n_arrays * k // n_parts for k in range(n_parts + 1)]

    def run(start, stop):
        part = slice(start, stop)
        return solver(crossbar.part(part), inputs[part] if len(inputs) > 1 else inputs, rtol, max_sweeps, **options)

    with ThreadPoolExecutor(n_parts, thread_name_prefix="tiocross") as executor:
        found = list(executor.map(run, edges[:-1], edges[1:]))
    return [None if pieces[0] is None else np.concatenate(pieces) for pieces in zip(*found)]


def _read_drives(crossbar, voltages):
    drives = np.zeros((*voltages.shape[:2], 2, 2, crossbar.read_resistances.shape[2]))
    drives[:, :, 0, 0, : voltages.shape[2]] = voltages
    return drives


def _run_small(crossbar, voltages, rtol, max_sweeps, nodes):
    """Many arrays side by side, by plain sweeps; sweeps stay 0 where these are too many, and are counted."""
    arrays = crossbar.arrays
    n_arrays, n_word, n_bit = arrays.shape
    n_lanes, n_inputs = min(n_arrays, _LANES), voltages.shape[1]
    results = make_room((n_arrays, n_inputs), (n_word, n_bit), nodes)
    currents, report, found = results
    work, row = np.empty((6, n_word, n_bit, n_lanes)), np.empty((11, max(n_word, n_bit), n_lanes))
    scratch = work, work.reshape(6, n_word, -1), row, row.reshape(11, -1)
    max_sweeps = min(max_sweeps, _MOST_PLAIN_SWEEPS)
    step = n_lanes * max(1, _CROSSINGS_PER_CALL // (n_lanes * n_inputs * n_word * n_bit))
    if n_arrays <= step:
        return results, solve_small(arrays, voltages, crossbar.read_lines, rtol, max_sweeps, *scratch, currents, report,
                                    found)
    n_open = 0
    for start in range(0, n_arrays, step):
        part = slice(start, start + step)
        n_open += solve_small(arrays[part], voltages[part] if len(voltages) > 1 else voltages, crossbar.read_lines, rtol,
                              max_sweeps, *scratch, currents[part], report[part], found[part])
    return results, n_open


def _run_plans(arrays, plans, resistances, drives, sensed, rtol, max_sweeps, nodes, read=False):
    """Arrays of any size, each by its plan."""
    if len(plans) == 1:
        return Workspace(resistances, plans[0][0], sensed).solve(arrays, drives, rtol, max_sweeps, read=read, nodes=nodes)
    results = make_room((len(arrays), drives.shape[1]), arrays.shape[1:], nodes)
    for plan, some in plans:
        found = Workspace(resistances, plan, sensed).solve(arrays[some], drives[some] if len(drives) > 1 else drives, rtol,
                                                           max_sweeps, read=read, nodes=nodes)
        for whole, piece in zip(results, found):
            whole[some] = piece
    return results


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


def _run_group(crossbar, of_arrays, ends, rtol, max_sweeps, selected, nodes):
    shape = crossbar.conductances.shape[-2:]
    connected = ~np.isnan(ends[0, 0])
    arrays = crossbar.arrays[of_arrays]
    if crossbar.iv is None and selected is None and _is_read(ends, connected, shape):
        voltages = np.ascontiguousarray(ends[:, :, 0, 0, : shape[0]])
        return run_read(crossbar.part(of_arrays), voltages, rtol, max_sweeps, nodes=nodes)
    sensed = connected[1, 0, : shape[1]].copy() if selected is None else np.arange(shape[1]) == selected[1]
    sensed |= ~sensed.any()
    resistances, drives = connect(crossbar, ends.reshape(-1, *ends.shape[2:]))
    drives = drives.reshape(*ends.shape[:2], *drives.shape[1:])
    if crossbar.iv is None:
        results = _run_plans(arrays, plan_arrays(arrays, resistances), resistances, drives, sensed, rtol, max_sweeps, nodes)
    else:
        parameters = crossbar.parameters[of_arrays]
        results = _run_nonlinear(crossbar.iv, parameters, arrays, resistances, drives, sensed, rtol, max_sweeps, nodes)
    require_resolved(arrays, resistances, drives, sensed, results[0], results[1], rtol)
    return results


def _run_nonlinear(law, parameters, arrays, resistances, drives, sensed, rtol, max_sweeps, nodes):
    """Circuit by circuit, Newton's method."""
    results = make_room((len(arrays), drives.shape[1]), arrays.shape[1:], nodes)
    for plan, some in plan_arrays(arrays, resistances):
        workspace = Workspace(resistances, plan, sensed)
        for c in some:
            parameter = np.require(parameters[c], requirements=["C", "W"])
            for k, drive in enumerate(drives[min(c, len(drives) - 1)]):
                results[0][c, k], results[1][c, k], solver = solve_nonlinear(workspace, law, parameter, arrays[c], drive,
                                                                             rtol, max_sweeps)
                if nodes:
                    results[2][c, k] = solver.node_voltages
    return results


def _is_read(ends, connected, shape):
    """Left ends driven, bottom ends at 0 V, everything else floating."""
    return (connected[0, 0, : shape[0]].all() and connected[1, 0, : shape[1]].all() and not connected[:, 1].any()
            and not ends[:, :, 1, 0, : shape[1]].any())
