"""Whether a circuit can be solved, and whether it is."""

import numpy as np

from tiocross.checks import as_finite, as_number
from tiocross.circuit.solvers.multilevel_kernel import FAR, RHO
from tiocross.circuit.solvers.results import BITS, FAR_END, ROOT_END
from tiocross.errors import ConvergenceError


def require_rtol(rtol):
    """Raise ValueError unless ``rtol`` lies in [1e-14, 1]; below, rounding would be taken for imbalance."""
    as_number("rtol", rtol, low=1e-14, high=1.0)


def as_values_of_lines(what, values, n_lines, line):
    """Float64 array of finite ``values``, one for each ``line``, such as "word line", in the last axis; else ValueError."""
    values = as_finite(what, values)
    if values.ndim == 0 or values.shape[-1] != n_lines:
        raise ValueError(f"{what} must have shape (..., {n_lines}), one for each {line}; got {values.shape}")
    return values


def require_consistent(circuit, ends):
    """Raise ValueError where a line without any resistance is held at two voltages."""
    if np.isnan(ends[:, :, :, FAR_END]).all():
        return  # no line is held at both ends
    for side, (name, n_lines) in enumerate(zip(("word line", "bit line"), circuit.shape)):
        resistance = circuit.resistances[side, :2, :n_lines].sum(axis=0)
        root, far = np.moveaxis(ends[:, :, side, :, :n_lines], 2, 0)
        bad = (resistance == 0) & ~np.isnan(root) & ~np.isnan(far) & (root != far)
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            raise ValueError(f"{name} {at[-1]} has no resistance but its ends are held at {root[at]:g} V and {far[at]:g} V; "
                             "let one end float, or give the line or its source a resistance")


def require_anchored(arrays, which, connected):
    """Raise ValueError where from a line no path over devices leads to a connected end: its voltage could be anything.

    Looks at the arrays ``which`` of (C, M, N) [S]; ``connected`` (2, n) bool tells of each line whether an end of it is."""
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
    """Raise ConvergenceError for the worst circuit whose residuals are too large, unless all its ``ends`` are at one
    voltage: then no current flows, and rounding of the node voltages is all there is."""
    if report.is_one_within(rtol):
        return
    unsolved = ~(report.total <= rtol * report.gross)
    if ends is not None and unsolved.any():
        unsolved &= np.nanmax(ends, axis=(2, 3, 4)) > np.nanmin(ends, axis=(2, 3, 4))
    if unsolved.any():
        n_sweeps, largest, total, gross = report.n_sweeps, report.largest, report.total, report.gross
        worst = np.unravel_index(np.argmax(np.where(unsolved, total, -1.0)), total.shape)
        name = f"circuit {worst[1]} of array {worst[0]}" if total.size > 1 else "the circuit"
        raise ConvergenceError(
            f"{name} is not solved to rtol = {rtol:g} after {int(n_sweeps[worst])} sweeps: residuals add up to "
            f"{total[worst]:.3g} A, {largest[worst]:.3g} A at the worst node, beside a gross current of "
            f"{gross[worst]:.3g} A. Raise max_sweeps if these were all it allowed; if not, double precision does not "
            "resolve this circuit further, so raise rtol",
            n_sweeps=int(n_sweeps[worst]), unbalanced=float(largest[worst]), uncertainty=float(total[worst]))


def require_resolved(arrays, resistances, drives, sensed, solved, rtol):
    """Raise ConvergenceError where a sensed current is too small a difference of voltages for double precision.

    Rounding, 2^-53 of the largest voltage, acts on all devices of a bit line that is not at 0 V, and on its far end."""
    held = drives[:, :, BITS, ROOT_END, : len(sensed)] != 0.0
    if not held[:, :, sensed].any():
        return
    ends = np.maximum(resistances[BITS, RHO] + resistances[BITS, FAR], 1e-30)[: len(sensed)]
    devices = arrays.sum(axis=1)[:, None]
    step = 0.5 * np.finfo(float).eps * np.abs(drives).max(axis=(2, 3, 4))
    rounding = step * np.where(held & sensed, devices + 1.0 / ends, 0.0).max(axis=-1)
    report = solved.report
    gross = np.maximum(report.gross, np.abs(solved.currents[..., sensed]).max(axis=-1))
    nothing = 65536 * step * np.where(sensed, devices, 0.0).max(axis=-1)
    lost = (rounding > rtol * gross) & (gross > nothing)
    if lost.any():
        worst = tuple(np.argwhere(lost)[0])
        rounding = np.broadcast_to(rounding, gross.shape)[worst]
        raise ConvergenceError(
            f"rtol = {rtol:g} cannot be kept: rounding of the voltages leaves {rounding:.3g} A open of a gross current of "
            f"{gross[worst]:.3g} A on a bit line that is held at another voltage than 0 V. Refer all voltages to that bit "
            "line's, or raise rtol", n_sweeps=int(report.n_sweeps[worst]), unbalanced=float(report.largest[worst]),
            uncertainty=float(rounding))
