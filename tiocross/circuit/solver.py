"""Solving crossbars: any conductances, resistances, connections and device laws, one or many at once."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_count
from tiocross.circuit.biasing import (
    Biasing,
    as_biasing,
    is_plain_read,
    join_ends,
    read_columns,
    require_fitting,
)
from tiocross.circuit.crossbar import Crossbar, has_segments, require_crossbar
from tiocross.circuit.laws import spread_law
from tiocross.circuit.matrices import matrix_pays, transfer_matrix
from tiocross.circuit.solution import Solution, make_solution, replace_crossbar
from tiocross.circuit.solvers.checks import as_values_of_lines, require_consistent, require_moderate, require_rtol
from tiocross.circuit.solvers.dispatch import run_circuits, run_read, share_between_threads
from tiocross.circuit.solvers.prepared import LARGEST_KEPT, prepare
from tiocross.circuit.solvers.quick import bound_nodes, can_be_biased, read_at_once, read_curved_at_once, solve_biased
from tiocross.circuit.solvers.results import Goal, Solved, make_report, allocate_results
from tiocross.errors import ConvergenceError

_FLOAT64 = np.dtype(np.float64)


def solve(crossbar: Crossbar, inputs: ArrayLike | Biasing, *, rtol: float = 1e-9, max_sweeps: int = 1_000,
          workers: int = 1) -> Solution:
    """Currents and voltages of a crossbar for one or many inputs.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit, or many of one shape.
    inputs : (..., n_word_lines) array_like, or Biasing
        Drive of each word line's left end, with every bit line held at 0 V at its bottom end and the other ends floating;
        or how all ends are connected. Leading axes are a batch and broadcast against those of the conductances [V].
    rtol : float, optional
        Wanted bound on the error of the currents, relative to the largest gross current of a bit line: the sum of its
        devices' currents without their signs, which is its current where all inputs have one sign. With a selected
        device, of its bit line (unitless).
    max_sweeps : int, optional
        Give up after so many sweeps (unitless).
    workers : int, optional
        Threads that share the arrays, if there are many; the outcome does not depend on it (unitless).

    Returns
    -------
    Solution
        Currents and what is left unbalanced; voltages and powers on request.

    Raises
    ------
    ValueError
        If shapes do not fit, a voltage is not finite, or a line is held at two voltages without any resistance between
        them.
    ConvergenceError
        If the bound is not reached; it carries the numbers.

    Notes
    -----
    Gauss-Seidel by whole lines, each eliminated by the Thomas algorithm, with corrections on coarse crossbars [1]_; devices
    that do not obey Ohm's law by Newton's method around it. The residuals are summed at every sweep. A current injected at
    a node leaves through the ends of the lines. Of one injected into a word line, at most the leak of that line leaves
    through bit lines: the voltage of its last node when its source is at 0 V and all bit lines are at 1 V. So no bit-line
    current is off by more than the sum of the residuals, each times the leak of its line. For many inputs to ohmic devices
    the transfer matrix is found instead, and checked against one input solved this way.

    References
    ----------
    .. [1] A. Brandt, "Multi-level adaptive solutions to boundary-value problems", Math. Comp. 31, 333 (1977).

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import Crossbar, solve
    >>> from tiocross.units import mV, ohm, uA, uS
    >>> crossbar = Crossbar(np.array([[120, 300], [450, 100], [250, 200]]) * uS, wire_resistance=25 * ohm)
    >>> voltages = np.array([200, -100, 150]) * mV
    >>> (solve(crossbar, voltages).bit_line_currents / uA).round(2).tolist()  # through the wires
    [16.34, 76.59]
    >>> (voltages @ crossbar.conductances / uA).round(2).tolist()  # with ideal wires
    [16.5, 80.0]
    >>> solve(crossbar, np.zeros((1000, 3))).bit_line_currents.shape
    (1000, 2)
    """
    require_crossbar(crossbar)
    require_rtol(rtol)
    as_count("max_sweeps", max_sweeps)
    as_count("workers", workers)
    if crossbar.series is not None:
        found = solve(crossbar.equivalent, inputs, rtol=rtol, max_sweeps=max_sweeps, workers=workers)
        return replace_crossbar(found, crossbar)
    goal = Goal(rtol, max_sweeps)
    is_one = crossbar.conductances.ndim == 2
    if is_one and type(inputs) is np.ndarray and inputs.ndim == 1 and workers == 1:
        solution = _solve_at_once(crossbar, inputs, goal)
        if solution is not None:
            return solution
    if isinstance(inputs, Biasing):
        require_fitting(crossbar, inputs)
        solution = _solve_biased_at_once(crossbar, inputs, goal) if is_one else None
        if solution is not None:
            return solution
    else:
        inputs = as_values_of_lines("voltages", inputs, crossbar.n_word_lines, "word line")
        is_plain = crossbar.iv is None and not crossbar.is_ideal and not has_segments(crossbar)
        if is_plain and crossbar.conductances.size and inputs.shape[:-1] in ((), crossbar.conductances.shape[:-2]):
            return _solve_read(crossbar, inputs, goal, workers)
    biasing = as_biasing(crossbar, inputs)
    batch, n_axes = arrange_batch(crossbar, biasing)
    ohmic_read = crossbar.iv is None and is_plain_read(biasing)
    if 0 in batch or ohmic_read and crossbar.is_ideal:
        return _multiply(crossbar, biasing, crossbar.conductances, batch, goal)
    if ohmic_read and matrix_pays(crossbar, math.prod(batch[n_axes:])):
        solution = _solve_by_matrix(crossbar, biasing, batch, goal)
        if solution is not None:
            return solution
    return _solve_circuits(crossbar, biasing, batch, goal, workers)


def _solve_at_once(crossbar, voltages, goal):
    """The usual case, one input to one array, as quickly as possible; None where it is something else, or needs a closer
    look, such as at voltages that are no numbers."""
    circuit = prepare(crossbar)
    if voltages.dtype is not _FLOAT64 or len(voltages) != circuit.shape[0]:
        return None
    if circuit.reader is not None:
        voltages = voltages.copy()
        found = read_at_once(circuit, voltages, goal)
        currents, nodes = found.currents[0, 0], partial(find_nodes, crossbar, voltages, goal)
    elif circuit.curved_reader is not None:
        voltages = voltages.copy()
        found, kept = read_curved_at_once(circuit, voltages, goal)
        known = circuit.resistances, voltages.reshape(1, 1, 1, 1, -1), found, kept
        currents, nodes = found.currents, partial(_bound_nodes, crossbar, voltages, goal, known)
    else:
        return None
    report = found.report
    return make_solution(crossbar, voltages, currents, report, nodes) if report.is_one_within(goal.rtol) else None


def _solve_biased_at_once(crossbar, biasing, goal):
    """The same for one way to connect one array, such as the read or the write of a device."""
    circuit = prepare(crossbar)
    found = solve_biased(circuit, biasing, goal) if can_be_biased(circuit, biasing) else None
    if found is None or not found[0].report.is_one_within(goal.rtol):
        return None
    solved, nodes, resistances, drives = found
    look = partial(_bound_nodes, crossbar, biasing, goal, (resistances, drives, solved, nodes))
    return make_solution(crossbar, biasing, solved.currents, solved.report, look)


def _bound_nodes(crossbar, inputs, goal, kept):
    """`Nodes` of one circuit solved at once, with the bound on their error."""
    nodes = bound_nodes(prepare(crossbar), *kept, goal.rtol)
    return find_nodes(crossbar, inputs, goal) if nodes is None else nodes


def _solve_read(crossbar, voltages, goal, workers):
    """One input to ohmic devices, or one to each of many arrays."""
    voltages = voltages.copy()
    drives = voltages.reshape(-1, 1, voltages.shape[-1])
    found = share_between_threads(partial(run_read, goal=goal), prepare(crossbar), drives, workers)
    report, shape = found.report, crossbar.conductances.shape
    if not report.is_one_within(goal.rtol):
        require_moderate("voltages", voltages)
    if not report.is_one_within(goal.rtol) and not (report.total <= goal.rtol * report.gross).all():
        return _solve_circuits(crossbar, as_biasing(crossbar, voltages), shape[:-2], goal, workers)
    currents = found.currents[0, 0] if len(shape) == 2 else found.currents.reshape(*shape[:-2], shape[-1])
    return make_solution(crossbar, voltages, currents, report, partial(find_nodes, crossbar, voltages, goal))


def arrange_batch(crossbar, biasing):
    """Shape of the batch of arrays and inputs, and how many of its leading axes tell arrays apart; the others are inputs of
    one array."""
    arrays, inputs = crossbar.conductances.shape[:-2], biasing.batch
    try:
        batch = np.broadcast_shapes(arrays, inputs)
    except ValueError:
        raise ValueError(f"leading axes of conductances {crossbar.conductances.shape} and of the inputs {inputs} do not "
                         "broadcast against each other") from None
    differ = [axis for axis, length in enumerate((1,) * (len(batch) - len(arrays)) + arrays) if length != 1]
    return batch, differ[-1] + 1 if differ else 0


def _solve_circuits(crossbar, biasing, batch, goal, workers):
    keep = math.prod(batch) == 1 and crossbar.conductances.size <= LARGEST_KEPT
    keep = keep and not (crossbar.iv is None and is_plain_read(biasing))
    found = run_batch(crossbar, biasing, goal._replace(nodes=keep), workers)
    nodes = partial(getattr, found, "nodes") if keep else partial(find_nodes, crossbar, biasing, goal)
    return make_solution(crossbar, biasing, found.currents, found.report, nodes)


def run_batch(crossbar, biasing, goal, workers=1):
    """`Solved` circuits with the axes of the batch."""
    batch, n_axes = arrange_batch(crossbar, biasing)
    if 0 in batch:
        return allocate_results(batch, crossbar.conductances.shape[-2:], True)
    if math.prod(batch[:n_axes]) != math.prod(crossbar.conductances.shape[:-2]):
        crossbar = _spread_over_batch(crossbar, batch, n_axes)
    inputs = (1,) * (len(batch) - len(biasing.batch)) + biasing.batch
    shared = math.prod(inputs[:n_axes]) == 1
    ends = join_ends(biasing, ((1,) * n_axes if shared else batch[:n_axes]) + batch[n_axes:])
    ends = ends.reshape(1 if shared else math.prod(batch[:n_axes]), math.prod(batch[n_axes:]), *ends.shape[-3:])
    circuit = prepare(crossbar)
    require_consistent(circuit, ends)
    selected = ()
    if biasing.selected is not None:
        lines = np.broadcast_to(biasing.selected[1], biasing.batch).reshape(inputs)
        selected = (np.broadcast_to(lines, batch if not shared else (1,) * n_axes + batch[n_axes:]).reshape(ends.shape[:2]),)
    found = share_between_threads(partial(run_circuits, goal=goal), circuit, ends, workers, *selected)
    return Solved(*(values.reshape(*batch, *values.shape[2:]) for values in found))


def _spread_over_batch(crossbar, batch, n_axes):
    """The crossbar with all leading axes of the batch that tell arrays apart."""
    shape = (*batch, *crossbar.conductances.shape[-2:])
    part = (..., *(0,) * (len(batch) - n_axes), slice(None), slice(None))
    return replace(crossbar, conductances=np.broadcast_to(crossbar.conductances, shape)[part],
                   iv=spread_law(crossbar.iv, shape, part))


def find_nodes(crossbar, inputs, goal):
    """`Nodes` of every circuit of a batch, for inputs as `solve` takes them."""
    return run_batch(crossbar, as_biasing(crossbar, inputs), goal._replace(nodes=True)).nodes


def _multiply(crossbar, biasing, matrix, batch, goal, uncertainty=0.0):
    """A solution by the matrix product."""
    currents = np.matmul(biasing.left[..., None, :], matrix)[..., 0, :] if matrix.ndim > 2 else biasing.left @ matrix
    return make_solution(crossbar, biasing, np.array(np.broadcast_to(currents, (*batch, crossbar.n_bit_lines))),
                         make_report(batch, uncertainty), partial(find_nodes, crossbar, biasing, goal))


def _solve_by_matrix(crossbar, biasing, batch, goal):
    """Many inputs by the transfer matrix; None where the solution of one circuit does not confirm it."""
    tight = goal._replace(rtol=min(goal.rtol, max(1e-3 * goal.rtol, 1e-13)))
    pattern = np.cos(np.arange(crossbar.n_word_lines))  # of all signs and sizes, so that a wrong entry shows
    try:
        matrix = transfer_matrix(crossbar, rtol=tight.rtol)
        probe = run_batch(crossbar, read_columns(crossbar, pattern), tight)
    except ConvergenceError:  # at an accuracy that was not asked for
        return None
    apart = np.abs(probe.currents - pattern @ matrix).max(axis=-1) + probe.report.total
    if (apart > goal.rtol * probe.report.gross).any():
        return None
    return _multiply(crossbar, biasing, matrix, batch, goal, apart * np.abs(biasing.left).sum(axis=-1))
