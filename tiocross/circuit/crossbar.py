"""Passive crossbars with resistive wires: the circuit, its solution, its transfer matrix.

Word line i is driven at its left end through one wire segment, bit line j ends in virtual ground at the bottom after
one segment; ``conductances[i, j]`` joins them. Ideal wires give ``voltages @ conductances``.
"""

from dataclasses import dataclass

import numpy as np

from tiocross.circuit.kernels.line_gauss_seidel import sweep_until_balanced
from tiocross.errors import ConvergenceError, as_conductances, as_count, as_finite, as_number

_SMALLEST_RTOL = 1e-14  # below, rounding alone would be taken for imbalance
_NODES_PER_CALL = 4_000_000  # node updates in one kernel call, about 0.1 s, so that Ctrl-C and other threads get through


@dataclass(frozen=True, eq=False)
class Crossbar:
    """One crossbar, or many of the same shape.

    Parameters
    ----------
    conductances : (..., n_word_lines, n_bit_lines) array_like
        Devices, each in [0, 1] S; leading axes are separate arrays [S].
    wire_resistance : float, optional
        Resistance of one wire segment, of word lines and bit lines alike; zero for ideal wires [ohm].

    Raises
    ------
    ValueError
        If a conductance is negative, not finite or above 1 S, or the resistance is negative.
    """

    conductances: np.ndarray
    wire_resistance: float = 0.0

    def __post_init__(self):
        conductances = np.array(as_conductances("conductances", self.conductances))
        conductances.flags.writeable = False  # what was checked stays as it was
        object.__setattr__(self, "conductances", conductances)
        resistance = as_number("wire_resistance", self.wire_resistance, low=0.0, unit="ohm")
        object.__setattr__(self, "wire_resistance", resistance)

    @property
    def n_word_lines(self):
        """Number of word lines (unitless)."""
        return self.conductances.shape[-2]

    @property
    def n_bit_lines(self):
        """Number of bit lines (unitless)."""
        return self.conductances.shape[-1]


@dataclass(frozen=True, eq=False)
class Solution:
    """State of a solved crossbar; leading axes are arrays and inputs, broadcast against each other.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit (unitless).
    bit_line_currents : (..., n_bit_lines) ndarray
        Currents into virtual ground [A].
    word_line_voltages, bit_line_voltages : (..., n_word_lines, n_bit_lines) ndarray
        Node voltages at the two ends of each device [V].
    n_sweeps : (...) int ndarray
        Sweeps until the residual was reached; 0 with ideal wires (unitless).
    unbalanced : (...) ndarray
        Largest Kirchhoff residual at a node [A].
    uncertainty : (...) ndarray
        Bound on the error of any bit-line current that the residuals leave open: their sum [A].
    """

    crossbar: Crossbar
    bit_line_currents: np.ndarray
    word_line_voltages: np.ndarray
    bit_line_voltages: np.ndarray
    n_sweeps: np.ndarray
    unbalanced: np.ndarray
    uncertainty: np.ndarray

    @property
    def device_voltages(self):
        """Voltage across each device, word line minus bit line, (..., n_word_lines, n_bit_lines) [V]."""
        return self.word_line_voltages - self.bit_line_voltages


def solve(crossbar, voltages, *, rtol=1e-9, max_sweeps=100_000):
    """Solve a crossbar for one or many input vectors.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit, or many of one shape (unitless).
    voltages : (..., n_word_lines) array_like
        Drive of each word line; leading axes are a batch and broadcast against those of the conductances [V].
    rtol : float, optional
        Wanted bound on the error of the currents, relative to the largest gross current of a bit line: the sum of its
        devices' currents without their signs, which is its current where all inputs have one sign (unitless).
    max_sweeps : int, optional
        Give up after so many sweeps (unitless).

    Returns
    -------
    Solution
        Currents, node voltages and what is left unbalanced.

    Raises
    ------
    ValueError
        If the shapes do not fit or a voltage is not finite.
    ConvergenceError
        If the bound is not reached; it carries the numbers.

    Notes
    -----
    Line Gauss-Seidel. The residuals are summed at every sweep: a current injected at any node leaves through the ends
    of the lines, so no bit-line current is off by more than that sum.
    """
    _require_crossbar(crossbar)
    voltages = as_finite("voltages", voltages)
    if voltages.ndim == 0 or voltages.shape[-1] != crossbar.n_word_lines:
        raise ValueError(f"voltages must have shape (..., {crossbar.n_word_lines}), one for each word line; "
                         f"got {voltages.shape}")
    _require_rtol(rtol)
    as_count("max_sweeps", max_sweeps)
    try:
        batch = np.broadcast_shapes(crossbar.conductances.shape[:-2], voltages.shape[:-1])
    except ValueError:
        raise ValueError(f"leading axes of conductances {crossbar.conductances.shape} and voltages {voltages.shape} "
                         "do not broadcast against each other") from None
    if crossbar.wire_resistance == 0.0 or 0 in batch:
        return _solve_ideal(crossbar, voltages, batch)
    arrays, inputs = _arrange(crossbar.conductances, voltages, batch)
    drops, report = _sweep(arrays, inputs, crossbar.wire_resistance, rtol, max_sweeps)
    word, bit = (drop.reshape(*batch, *crossbar.conductances.shape[-2:]) for drop in drops)
    return Solution(
        crossbar=crossbar,
        bit_line_currents=bit[..., -1, :].copy(),
        word_line_voltages=voltages[..., None] - crossbar.wire_resistance * word,
        bit_line_voltages=crossbar.wire_resistance * bit,
        **{name: values.reshape(batch) for name, values in report.items()},
    )


def transfer_matrix(crossbar, *, rtol=1e-9):
    """Matrix T with bit-line currents = voltages @ T: a crossbar of linear devices is that matrix.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit, or many of one shape (unitless).
    rtol : float, optional
        Wanted bound on the error of an entry, relative to the largest entry of its row or, with fewer bit lines than
        word lines, where the bit lines' ends are driven instead, of its column (unitless).

    Returns
    -------
    (..., n_word_lines, n_bit_lines) ndarray
        Transfer conductances; with ideal wires the conductances themselves [S].

    Raises
    ------
    ConvergenceError
        If the bound is not reached.
    """
    _require_crossbar(crossbar)
    _require_rtol(rtol)
    if crossbar.wire_resistance == 0.0 or crossbar.conductances.size == 0:
        return crossbar.conductances.copy()
    shape = crossbar.conductances.shape
    arrays = crossbar.conductances.reshape(-1, *shape[-2:])
    # One unit voltage after the other. Reciprocity: driving the bit lines' ends and sensing the word lines' is the
    # same crossbar turned by 180 degrees about its diagonal, so the side with fewer lines is driven.
    turned = crossbar.n_bit_lines < crossbar.n_word_lines
    if turned:
        arrays = arrays[:, ::-1, ::-1].transpose(0, 2, 1)
    units = np.broadcast_to(np.eye(arrays.shape[1]), (len(arrays), arrays.shape[1], arrays.shape[1]))
    (_, bit), _ = _sweep(arrays, units, crossbar.wire_resistance, rtol, 100_000)
    matrix = bit[:, :, -1, :]
    if turned:
        matrix = matrix[:, ::-1, ::-1].transpose(0, 2, 1)
    return np.ascontiguousarray(matrix).reshape(shape)


def _require_crossbar(crossbar):
    if not isinstance(crossbar, Crossbar):
        raise TypeError(f"crossbar must be a Crossbar, such as Crossbar(conductances, wire_resistance=2.0); got a "
                        f"{type(crossbar).__name__}")


def _require_rtol(rtol):
    as_number("rtol", rtol, low=_SMALLEST_RTOL, high=1.0)


def _solve_ideal(crossbar, voltages, batch):
    """The matrix product: no wire drops any voltage."""
    nodes = (*batch, crossbar.n_word_lines, crossbar.n_bit_lines)
    return Solution(
        crossbar=crossbar,
        bit_line_currents=(voltages[..., None, :] @ crossbar.conductances)[..., 0, :],
        word_line_voltages=np.broadcast_to(voltages[..., None], nodes).copy(),
        bit_line_voltages=np.zeros(nodes),
        n_sweeps=np.zeros(batch, dtype=np.int64),
        unbalanced=np.zeros(batch),
        uncertainty=np.zeros(batch),
    )


def _arrange(conductances, voltages, batch):
    """Arrays (C, M, N) and inputs (C, B, M) with C * B the broadcast batch, without repeating one array for its inputs."""
    n_word, n_bit = conductances.shape[-2:]
    if conductances.ndim == 2:
        arrays = conductances.reshape(1, n_word, n_bit)
        inputs = np.broadcast_to(voltages, (*batch, n_word)).reshape(1, -1, n_word)
    else:
        arrays = np.broadcast_to(conductances, (*batch, n_word, n_bit)).reshape(-1, n_word, n_bit)
        inputs = np.broadcast_to(voltages, (*batch, n_word)).reshape(-1, 1, n_word)
    return arrays, inputs


def _sweep(arrays, inputs, resistance, rtol, max_sweeps):
    """Run the kernel in calls of bounded length until every circuit is balanced."""
    # One layout for the kernel (C order, writeable): a second one would cost a second compilation.
    arrays, inputs = (np.require(values, np.float64, ["C", "W"]) for values in (arrays, inputs))
    n_arrays, n_word, n_bit = arrays.shape
    count = inputs.shape[:2]
    drop_word, drop_bit = np.zeros((2, *count, n_word, n_bit))
    pivots, column = np.empty((2, n_word, n_bit)), np.empty(n_bit)
    n_sweeps, unbalanced = np.zeros(count, dtype=np.int64), np.zeros(count)
    uncertainty, gross = np.full(count, np.inf), np.zeros(count)
    nodes = count[1] * n_word * n_bit
    arrays_per_call = max(1, _NODES_PER_CALL // (8 * nodes))
    for start in range(0, n_arrays, arrays_per_call):
        part = slice(start, start + arrays_per_call)
        while True:
            budget = max(1, _NODES_PER_CALL // (nodes * len(arrays[part])))
            budget = min(budget, max_sweeps - int(n_sweeps[part].max()))
            if budget <= 0:
                raise _not_converged(n_sweeps, unbalanced, uncertainty, part, rtol)
            n_open = sweep_until_balanced(arrays[part], inputs[part], resistance, resistance, rtol, budget,
                                          drop_word[part], drop_bit[part], pivots[0], pivots[1], column,
                                          n_sweeps[part], unbalanced[part], uncertainty[part], gross[part])
            if n_open == 0:
                break
    return (drop_word, drop_bit), {"n_sweeps": n_sweeps, "unbalanced": unbalanced, "uncertainty": uncertainty}


def _not_converged(n_sweeps, unbalanced, uncertainty, part, rtol):
    worst = int(uncertainty[part].argmax())
    numbers = {"n_sweeps": int(n_sweeps[part].flat[worst]), "unbalanced": float(unbalanced[part].flat[worst]),
               "uncertainty": float(uncertainty[part].flat[worst])}
    return ConvergenceError(
        f"the circuit is not balanced to rtol = {rtol:g} after {numbers['n_sweeps']} sweeps: residuals add up to "
        f"{numbers['uncertainty']:.3g} A, {numbers['unbalanced']:.3g} A at the worst node. Raise max_sweeps for large "
        "arrays with resistive wires, or rtol if this is below what double precision can resolve", **numbers)
