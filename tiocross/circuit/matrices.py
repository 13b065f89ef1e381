"""A crossbar of ohmic devices as a matrix, and when to find it."""

import numpy as np

from tiocross.checks import kind_of
from tiocross.circuit.crossbar import Crossbar, has_segments, require_crossbar, spread_segments, turn, turn_arrays
from tiocross.circuit.solvers.checks import require_rtol, require_solved
from tiocross.circuit.solvers.dispatch import run_circuits, run_read
from tiocross.circuit.solvers.elimination import eliminate
from tiocross.circuit.solvers.prepared import prepare
from tiocross.circuit.solvers.results import BITS, ROOT_END, WORDS, Goal

_ELIMINATED_FROM = 32  # lines on the shorter side from which elimination beats driving line by line, for many arrays by two
_INPUTS_WORTH_ELIMINATION = 45  # solutions that take as long
_MOST_SWEEPS = 1_000


def transfer_matrix(crossbar: Crossbar, *, rtol: float = 1e-9) -> np.ndarray:
    """Matrix T with bit-line currents = voltages @ T: a crossbar of ohmic devices, read at all bit lines, is that matrix.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit, or many of one shape.
    rtol : float, optional
        Wanted bound on the error of an entry where it is found by driving one line after the other: relative to the
        largest gross current per volt of a line on the other side, its devices' currents without their signs, when
        the entry's word line is driven or, with fewer bit lines than word lines, the end of its bit line (unitless).

    Returns
    -------
    (..., n_word_lines, n_bit_lines) ndarray
        Transfer conductances; without any resistance the conductances themselves [S].

    Raises
    ------
    ValueError
        If the devices do not obey Ohm's law.
    ConvergenceError
        If driving the lines does not reach the bound.

    Notes
    -----
    Small arrays are driven line by line, from the side with fewer lines. From 48 x 48 on they are eliminated block by
    block, a nested dissection [1]_, exact to rounding, unless that, which grows with the conductance of a whole line times
    its source or sense resistance, is more than ``rtol``. Rows that the wires shield from the bit lines' ends can be small
    beside what the bound refers to.

    References
    ----------
    .. [1] A. George, "Nested dissection of a regular finite element mesh", SIAM J. Numer. Anal. 10, 345 (1973).

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import Crossbar, transfer_matrix
    >>> from tiocross.units import ohm, uS
    >>> conductances = np.array([[120, 300], [450, 100], [250, 200]]) * uS
    >>> (transfer_matrix(Crossbar(conductances, 25 * ohm)) / uS).round(1).tolist()  # IR drop: below the conductances
    [[114.5, 285.5], [429.1, 96.1], [242.4, 194.0]]
    """
    require_crossbar(crossbar)
    require_rtol(rtol)
    crossbar = require_ohmic(crossbar)
    shape = crossbar.conductances.shape
    if crossbar.is_ideal or crossbar.conductances.size == 0:
        return crossbar.conductances.copy()
    if eliminates(crossbar, rtol):
        matrix = eliminate(prepare(crossbar).arrays, crossbar.word_line_resistance, crossbar.bit_line_resistance,
                           crossbar.source_resistance, crossbar.sense_resistance)
        return np.ascontiguousarray(matrix).reshape(shape)
    # Reciprocity: driving the bit lines' ends and sensing the word lines' is the same crossbar turned by 180 degrees
    # about its diagonal, so the side with fewer lines is driven.
    turned = shape[-1] < shape[-2]
    driven = turn(crossbar) if turned else crossbar
    found = _drive_word_lines(driven, Goal(rtol, _MOST_SWEEPS))
    require_solved(found.report, rtol)
    matrix = turn_arrays(found.currents) if turned else found.currents
    return np.ascontiguousarray(matrix).reshape(shape)


def _drive_word_lines(crossbar, goal):
    """`Solved` with each word line at 1 V in turn."""
    circuit, drives = prepare(crossbar), np.eye(crossbar.n_word_lines)[None]
    if circuit.segments is None:
        return run_read(circuit, drives, goal)
    ends = np.full((1, len(drives[0]), 2, 2, max(circuit.shape)), np.nan)  # with islands beyond broken segments
    ends[:, :, WORDS, ROOT_END, : circuit.shape[0]], ends[:, :, BITS, ROOT_END, : circuit.shape[1]] = drives, 0.0
    return run_circuits(circuit, ends, goal=goal)


def require_ohmic(crossbar):
    """The equivalent crossbar; ValueError unless its devices obey Ohm's law."""
    law = crossbar.iv if crossbar.series is None or crossbar.iv is not None else crossbar.series.iv
    if law is not None:
        raise ValueError(f"devices with {kind_of(law)} law have no transfer matrix; solve for each input, "
                         "or take iv=None for the matrix at small voltages")
    return crossbar.equivalent


def eliminates(crossbar, rtol):
    """Whether elimination gives the matrix: the array is large, no segment broken, and rounding is below ``rtol`` of the
    largest entry of a row. It grows with the conductance of a line times its source or sense resistance or a segment of its
    own."""
    if min(crossbar.conductances.shape[-2:]) < _ELIMINATED_FROM:
        return False
    ends = crossbar.source_resistance.max(), crossbar.sense_resistance.max()
    if has_segments(crossbar):
        ends = (np.add(*each) for each in zip(ends, (wires.max() for wires in spread_segments(crossbar))))
    lines = (crossbar.conductances.sum(axis=axis).max(initial=0.0) for axis in (-1, -2))
    largest = max(line * end if line > 0 else 0.0 for line, end in zip(lines, ends))
    return 16 * np.finfo(float).eps * (1.0 + largest) <= rtol


def matrix_pays(crossbar, n_inputs):
    """Whether the transfer matrix takes less time than ``n_inputs`` solutions of each array."""
    shorter = min(crossbar.conductances.shape[-2:])
    eliminated = shorter >= _ELIMINATED_FROM and not has_segments(crossbar)
    return n_inputs > (_INPUTS_WORTH_ELIMINATION if eliminated else 1.5 * shorter + 2)
