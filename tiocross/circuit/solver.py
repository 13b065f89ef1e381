"""Solving crossbars: any conductances, resistances, connections and device laws, one or many at once."""

import math
from dataclasses import replace
from functools import partial

import numpy as np

from tiocross.circuit.biasing import Biasing, as_biasing, join_ends, read_columns
from tiocross.circuit.solvers.checks import as_values_of_lines, require_rtol, require_solved
from tiocross.circuit.crossbar import require_crossbar
from tiocross.circuit.solvers.dispatch import in_parts, require_solvable, run_circuits, run_read
from tiocross.circuit.matrices import matrix_pays, transfer_matrix
from tiocross.circuit.solution import Solution
from tiocross.errors import ConvergenceError
from tiocross.checks import as_count

_LARGEST_KEPT = 100_000  # devices of a single biased circuit whose voltages are kept, for they are mostly asked for


def solve(crossbar, inputs, *, rtol=1e-9, max_sweeps=1_000, workers=1):
    """Solve a crossbar for one or many inputs.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit, or many of one shape (unitless).
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
        If shapes do not fit, a voltage is not finite, a line is held at two voltages without any resistance between them,
        or a line has no path to a connected end.
    ConvergenceError
        If the bound is not reached; it carries the numbers.

    Notes
    -----
    Gauss-Seidel by whole lines with corrections on coarse crossbars; devices that do not obey Ohm's law by Newton's
    method around it. The residuals are summed at every sweep: a current injected at any node leaves through the ends of
    the lines, so no current of an end is off by more than that sum. For many inputs to ohmic devices the transfer matrix
    is found instead, and checked against one input solved this way.
    """
    require_crossbar(crossbar)
    require_rtol(rtol)
    as_count("max_sweeps", max_sweeps)
    as_count("workers", workers)
    if not isinstance(inputs, Biasing):
        inputs = as_values_of_lines("voltages", inputs, crossbar.n_word_lines, "word line")
        if inputs.ndim == 1 and crossbar.iv is None and not crossbar.is_ideal:
            return _solve_read(crossbar, inputs, rtol, max_sweeps, workers)
    biasing = as_biasing(crossbar, inputs)
    batch, n_axes = arrange_batch(crossbar, biasing)
    request = partial(find_nodes, crossbar, biasing, rtol, max_sweeps)
    ohmic_read = crossbar.iv is None and _is_plain_read(biasing)
    if 0 in batch or ohmic_read and crossbar.is_ideal:
        return _multiply(crossbar, biasing, crossbar.conductances, batch, request)
    if ohmic_read and matrix_pays(crossbar, math.prod(batch[n_axes:])):
        solution = _solve_by_matrix(crossbar, biasing, batch, rtol, max_sweeps, request)
        if solution is not None:
            return solution
    return _solve_circuits(crossbar, biasing, batch, n_axes, rtol, max_sweeps, request, workers)


def _solve_read(crossbar, voltages, rtol, max_sweeps, workers):
    """The usual case, one input to ohmic devices, with the least ado."""
    voltages = voltages.copy()
    currents, report, _ = in_parts(run_read, crossbar, voltages.reshape(1, 1, -1), rtol, max_sweeps, workers=workers)
    require_solved(report, rtol)
    batch = crossbar.conductances.shape[:-2]
    return Solution(crossbar, voltages, currents.reshape(*batch, -1), report.reshape(*batch, -1),
                    partial(find_nodes, crossbar, voltages, rtol, max_sweeps))


def arrange_batch(crossbar, biasing):
    """How the leading axes of arrays and inputs go together.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit, or many of one shape (unitless).
    biasing : Biasing
        Its inputs (unitless).

    Returns
    -------
    batch : tuple of int
        Shape of the batch (unitless).
    n_axes : int
        How many of its leading axes tell arrays apart; the others are inputs of one array (unitless).
    """
    arrays, inputs = crossbar.conductances.shape[:-2], biasing.batch
    try:
        batch = np.broadcast_shapes(arrays, inputs)
    except ValueError:
        raise ValueError(f"leading axes of conductances {crossbar.conductances.shape} and of the inputs {inputs} do not "
                         "broadcast against each other") from None
    differ = [axis for axis, length in enumerate((1,) * (len(batch) - len(arrays)) + arrays) if length != 1]
    return batch, differ[-1] + 1 if differ else 0


def _is_plain_read(biasing):
    """Left ends driven, bottom ends at 0 V, everything else floating."""
    return (np.isnan(biasing.right).all() and np.isnan(biasing.top).all() and not np.isnan(biasing.left).any()
            and not biasing.bottom.any())


def _solve_circuits(crossbar, biasing, batch, n_axes, rtol, max_sweeps, request, workers):
    keep = math.prod(batch) == 1 and crossbar.conductances.size <= _LARGEST_KEPT
    currents, report, nodes = _run(crossbar, biasing, batch, n_axes, rtol, max_sweeps, keep, workers)
    if keep:
        request = partial(np.asarray, nodes)
    return Solution(crossbar, biasing, currents, report, request)


def _run(crossbar, biasing, batch, n_axes, rtol, max_sweeps, nodes, workers=1):
    """`run_circuits` with the axes of the batch."""
    shape = crossbar.conductances.shape[-2:]
    if 0 in batch:
        return np.zeros((*batch, shape[1])), np.zeros((*batch, 4)), np.zeros((*batch, 2, *shape))
    if math.prod(batch[:n_axes]) != len(crossbar.arrays):
        crossbar = _repeat(crossbar, batch, n_axes)
    inputs = (1,) * (len(batch) - len(biasing.batch)) + biasing.batch
    shared = math.prod(inputs[:n_axes]) == 1
    ends = join_ends(biasing, ((1,) * n_axes if shared else batch[:n_axes]) + batch[n_axes:])
    ends = ends.reshape(1 if shared else math.prod(batch[:n_axes]), math.prod(batch[n_axes:]), *ends.shape[-3:])
    require_solvable(crossbar, ends)
    found = in_parts(run_circuits, crossbar, ends, rtol, max_sweeps, workers=workers, selected=biasing.selected, nodes=nodes)
    return [None if values is None else values.reshape(*batch, *values.shape[2:]) for values in found]


def _repeat(crossbar, batch, n_axes):
    """The crossbar with all leading axes of the batch that tell arrays apart."""
    shape = (*batch, *crossbar.conductances.shape[-2:])
    part = (..., *(0,) * (len(batch) - n_axes), slice(None), slice(None))
    law = crossbar.iv
    if law is not None:
        parameter = np.broadcast_to(np.broadcast_to(law.parameter, crossbar.conductances.shape), shape)
        law = type(law)(parameter[part])
    return replace(crossbar, conductances=np.broadcast_to(crossbar.conductances, shape)[part], iv=law)


def find_nodes(crossbar, inputs, rtol, max_sweeps):
    """Node voltages of every circuit of a batch.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit, or many of one shape (unitless).
    inputs : ndarray or Biasing
        As for `solve` [V].
    rtol : float
        As for `solve` (unitless).
    max_sweeps : int
        As for `solve` (unitless).

    Returns
    -------
    (..., 2, n_word_lines, n_bit_lines) ndarray
        Bit lines, then word lines [V].
    """
    biasing = as_biasing(crossbar, inputs)
    batch, n_axes = arrange_batch(crossbar, biasing)
    return _run(crossbar, biasing, batch, n_axes, rtol, max_sweeps, True)[2]


def _multiply(crossbar, biasing, matrix, batch, request, uncertainty=0.0):
    """A solution by the matrix product."""
    currents = np.matmul(biasing.left[..., None, :], matrix)[..., 0, :] if matrix.ndim > 2 else biasing.left @ matrix
    report = np.zeros((*batch, 3))
    report[..., 1:] = np.asarray(uncertainty)[..., None]
    return Solution(crossbar, biasing, np.array(np.broadcast_to(currents, (*batch, crossbar.n_bit_lines))), report, request)


def _solve_by_matrix(crossbar, biasing, batch, rtol, max_sweeps, request):
    """Many inputs by the transfer matrix; None where the solution of one circuit does not confirm it."""
    tight = min(rtol, max(1e-3 * rtol, 1e-13))
    pattern = np.cos(np.arange(crossbar.n_word_lines))  # of all signs and sizes, so that a wrong entry shows
    probe = read_columns(crossbar, pattern)
    try:
        matrix = transfer_matrix(crossbar, rtol=tight)
        currents, report, _ = _run(crossbar, probe, *arrange_batch(crossbar, probe), tight, max_sweeps, False)
    except ConvergenceError:  # at an accuracy that was not asked for
        return None
    apart = np.abs(currents - pattern @ matrix).max(axis=-1) + report[..., 2]
    if (apart > rtol * report[..., 3]).any():
        return None
    return _multiply(crossbar, biasing, matrix, batch, request, apart * np.abs(biasing.left).sum(axis=-1))
