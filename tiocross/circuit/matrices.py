"""A crossbar of ohmic devices as a matrix, and when to find it."""

import numpy as np

from tiocross.circuit.solvers.checks import require_rtol, require_solved
from tiocross.circuit.crossbar import Crossbar, require_crossbar
from tiocross.circuit.solvers.elimination import eliminate
from tiocross.circuit.solvers.dispatch import run_read

_ELIMINATED_FROM = 48  # lines on the shorter side from which elimination beats driving line by line
_INPUTS_WORTH_ELIMINATION = 60  # solutions that take as long


def transfer_matrix(crossbar, *, rtol=1e-9):
    """Matrix T with bit-line currents = voltages @ T: a crossbar of ohmic devices, read at all bit lines, is that matrix.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit, or many of one shape (unitless).
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
    Small arrays are driven line by line, from the side with fewer lines; from 48 x 48 on they are eliminated block by
    block, exact to rounding, unless that, which grows with the conductance of a whole line times its source or sense
    resistance, is more than ``rtol``. Rows that the wires shield from the bit lines' ends can be small beside what the
    bound refers to.
    """
    require_crossbar(crossbar)
    require_rtol(rtol)
    if crossbar.iv is not None:
        raise ValueError(f"devices with a {type(crossbar.iv).__name__} law have no transfer matrix; solve for each input, "
                         "or take iv=None for the matrix at small voltages")
    shape = crossbar.conductances.shape
    if crossbar.is_ideal or crossbar.conductances.size == 0:
        return crossbar.conductances.copy()
    if min(shape[-2:]) >= _ELIMINATED_FROM and _rounding(crossbar) <= rtol:
        matrix = eliminate(crossbar.arrays, crossbar.word_line_resistance, crossbar.bit_line_resistance,
                           crossbar.source_resistance, crossbar.sense_resistance)
        return np.ascontiguousarray(matrix).reshape(shape)
    # Reciprocity: driving the bit lines' ends and sensing the word lines' is the same crossbar turned by 180 degrees
    # about its diagonal, so the side with fewer lines is driven.
    turned = shape[-1] < shape[-2]
    driven = _turn(crossbar) if turned else crossbar
    n = driven.n_word_lines
    matrix, report, _ = run_read(driven, np.eye(n)[None], rtol, 1_000)
    require_solved(report, rtol)
    if turned:
        matrix = matrix[:, ::-1, ::-1].swapaxes(-1, -2)
    return np.ascontiguousarray(matrix).reshape(shape)


def _rounding(crossbar):
    """What elimination loses, relative to the largest entry of a row."""
    lines = crossbar.arrays.sum(axis=2).max(initial=0.0), crossbar.arrays.sum(axis=1).max(initial=0.0)
    ends = crossbar.source_resistance.max(), crossbar.sense_resistance.max()
    return 16 * np.finfo(float).eps * (1.0 + max(lines[0] * ends[0], lines[1] * ends[1]))


def matrix_pays(crossbar, n_inputs):
    """Whether the transfer matrix takes less time than ``n_inputs`` (unitless) solutions of each array (unitless)."""
    shorter = min(crossbar.conductances.shape[-2:])
    return n_inputs > (_INPUTS_WORTH_ELIMINATION if shorter >= _ELIMINATED_FROM else 1.5 * shorter + 2)


def _turn(crossbar):
    """The crossbar with word lines and bit lines exchanged, seen from the other corner."""
    return Crossbar(crossbar.conductances[..., ::-1, ::-1].swapaxes(-1, -2),
                    word_line_resistance=crossbar.bit_line_resistance[::-1],
                    bit_line_resistance=crossbar.word_line_resistance[::-1],
                    source_resistance=crossbar.sense_resistance[::-1], sense_resistance=crossbar.source_resistance[::-1])
