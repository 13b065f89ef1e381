"""Whether a circuit can be solved, and whether it is."""

import numpy as np

from tiocross.errors import ConvergenceError
from tiocross.checks import as_finite, as_number


def require_rtol(rtol):
    """Raise ValueError unless ``rtol`` (unitless) lies in [1e-14, 1]; below, rounding would be taken for imbalance."""
    as_number("rtol", rtol, low=1e-14, high=1.0)


def as_values_of_lines(what, values, n_lines, line):
    """Float64 array of finite ``values``, one for each line in the last axis; ValueError otherwise.

    Parameters
    ----------
    what : str
        Name of the values (unitless).
    values : (..., n_lines) array_like
        Voltages or weights [V or unitless].
    n_lines : int
        How many there must be (unitless).
    line : str
        What there is one for, such as "word line" (unitless).

    Returns
    -------
    (..., n_lines) ndarray
    """
    values = as_finite(what, values)
    if values.ndim == 0 or values.shape[-1] != n_lines:
        raise ValueError(f"{what} must have shape (..., {n_lines}), one for each {line}; got {values.shape}")
    return values


def require_consistent(crossbar, ends):
    """Raise ValueError where a line without any resistance is held at two voltages.

    Parameters
    ----------
    crossbar : Crossbar
        Its resistances (unitless).
    ends : (C or 1, B, 2, 2, n) ndarray
        As for `run_circuits` [V].
    """
    if np.isnan(ends[:, :, :, 1]).all():
        return  # no line is held at both ends
    sides = (("word line", crossbar.word_line_resistance + crossbar.source_resistance),
             ("bit line", crossbar.bit_line_resistance + crossbar.sense_resistance))
    for side, (name, resistance) in enumerate(sides):
        root, far = np.moveaxis(ends[:, :, side, :, : len(resistance)], 2, 0)
        bad = (resistance == 0) & ~np.isnan(root) & ~np.isnan(far) & (root != far)
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            raise ValueError(f"{name} {at[-1]} has no resistance but its ends are held at {root[at]:g} V and {far[at]:g} V; "
                             "let one end float, or give the line or its source a resistance")


def require_anchored(arrays, which, connected):
    """Raise ValueError where from a line no path over devices leads to a connected end: its voltage could be anything.

    Parameters
    ----------
    arrays : (n_arrays, n_word_lines, n_bit_lines) ndarray
        Devices [S].
    which : sequence of int
        The arrays to look at (unitless).
    connected : (2, n) bool ndarray
        Whether an end of each word line, and of each bit line, is connected (unitless).
    """
    words, bits = (connected[side, :n] for side, n in enumerate(arrays.shape[1:]))
    if words.all() and bits.all():
        return
    for c in which:
        joined, word, bit = arrays[c] > 0, words, bits
        while True:
            more = word | (joined & bit).any(axis=1), bit | (joined & word[:, None]).any(axis=0)
            if (more[0] == word).all() and (more[1] == bit).all():
                break
            word, bit = more
        if not (word.all() and bit.all()):
            name, line = ("word line", np.argmin(word)) if not word.all() else ("bit line", np.argmin(bit))
            chip = f" of array {c}" if len(arrays) > 1 else ""
            raise ValueError(f"{name} {line}{chip} has no path to ground: it floats, and no device joins it to a line that "
                             "is driven or grounded; connect one of its ends")


def require_solved(report, rtol, ends=None):
    """Raise ConvergenceError for the worst circuit whose residuals are too large, unless all its ends are at one voltage:
    then no current flows, and rounding of the node voltages is all there is.

    Parameters
    ----------
    report : (C, B, 4 or more) ndarray
        As of `run_circuits` [A].
    rtol : float
        What was asked for (unitless).
    ends : (C or 1, B, 2, 2, n) ndarray, optional
        Voltages of the ends, NaN where floating [V].
    """
    if report.size == report.shape[-1] and report.item(2) <= rtol * report.item(3):
        return  # one circuit, ten times as fast
    unsolved = ~(report[..., 2] <= rtol * report[..., 3])
    if ends is not None and unsolved.any():
        unsolved &= np.nanmax(ends, axis=(2, 3, 4)) > np.nanmin(ends, axis=(2, 3, 4))
    if unsolved.any():
        n_sweeps, largest, total, gross = np.moveaxis(report[..., :4], -1, 0)
        worst = np.unravel_index(np.argmax(np.where(unsolved, total, -1.0)), total.shape)
        name = f"circuit {worst[1]} of array {worst[0]}" if total.size > 1 else "the circuit"
        raise ConvergenceError(
            f"{name} is not solved to rtol = {rtol:g} after {int(n_sweeps[worst])} sweeps: residuals add up to "
            f"{total[worst]:.3g} A, {largest[worst]:.3g} A at the worst node, beside a gross current of "
            f"{gross[worst]:.3g} A. Raise max_sweeps if these were all it allowed; if not, double precision does not "
            "resolve this circuit further, so raise rtol",
            n_sweeps=int(n_sweeps[worst]), unbalanced=float(largest[worst]), uncertainty=float(total[worst]))


def require_resolved(arrays, resistances, drives, sensed, currents, report, rtol):
    """Raise ConvergenceError where a sensed current is too small a difference of voltages for double precision.

    Rounding of the voltages, 2^-53 of the largest, acts on the devices of a bit line and, where its top end is connected
    too, on the end's wire; bit lines at 0 V are found without such differences.

    Parameters
    ----------
    arrays : (n_arrays, n_word_lines, n_bit_lines) ndarray
        Devices [S].
    resistances : (2, 3, n) ndarray
        As for `Workspace` [ohm].
    drives : (n_arrays or 1, n_inputs, 2, 2, n) ndarray
        As for `Workspace.solve` [V].
    sensed : (n_bit_lines,) bool ndarray
        Bit lines whose currents count (unitless).
    currents : (n_arrays, n_inputs, n_bit_lines) ndarray
        Out of the bottom ends [A].
    report : (n_arrays, n_inputs, 4 or more) ndarray
        As of `run_circuits` [A].
    rtol : float
        What was asked for (unitless).
    """
    held = drives[:, :, 1, 0, : len(sensed)] != 0.0
    if not held[:, :, sensed].any():
        return
    ends = np.maximum(resistances[1, 0] + resistances[1, 2], 1e-30)[: len(sensed)]
    devices = arrays.sum(axis=1)[:, None]
    step = 0.5 * np.finfo(float).eps * np.abs(drives).max(axis=(2, 3, 4))
    rounding = step * np.where(held & sensed, devices + 1.0 / ends, 0.0).max(axis=-1)
    gross = np.maximum(report[..., 3], np.abs(currents[..., sensed]).max(axis=-1))
    nothing = 65536 * step * np.where(sensed, devices, 0.0).max(axis=-1)
    lost = (rounding > rtol * gross) & (gross > nothing)
    if lost.any():
        worst = tuple(np.argwhere(lost)[0])
        rounding = np.broadcast_to(rounding, gross.shape)[worst]
        raise ConvergenceError(
            f"rtol = {rtol:g} cannot be kept: rounding of the voltages leaves {rounding:.3g} A open of a gross current of "
            f"{gross[worst]:.3g} A on a bit line that is held at another voltage than 0 V. Refer all voltages to that bit "
            "line's, or raise rtol", n_sweeps=int(report[worst][0]), unbalanced=float(report[worst][1]),
            uncertainty=float(rounding))
