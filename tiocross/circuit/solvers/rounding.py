"""What rounding may add to the error of a current.

Every device may carry a current beside its own, that of a rounded voltage, and so may every far end. The sum of all is a
bound for any current. Where one bit line is read, most of it flows out elsewhere: the share of a current, injected at a
node, that reaches the one sensed end is, by reciprocity, the voltage of that node while the end alone is at 1 V.
"""

import numpy as np

from tiocross.circuit.solvers.results import BITS, FAR, RHO, ROOT, ROOT_END, WORDS, rounding_step

SHARE_RTOL = 1e-6  # to which shares are solved; so much of the sum over all nodes is added


def bound_rounding(shape, resistances, drives, slopes, segments=None):
    """Bound for any current, (C, B) [A]; ``slopes`` (C, B or 1): sum over all devices [S]."""
    return _step(shape, drives) * (slopes + sum(ends.sum() for ends in _far_ends(shape, resistances, segments)))


def unit_drive(resistances, drives, sensed):
    """Drive [V], shaped (1, 1, 2, 2, W), of the one sensed bottom end at 1 V and all others at 0; None if it is not one."""
    line = np.flatnonzero(sensed)
    if len(line) != 1 or not np.isfinite(resistances[BITS, ROOT, line[0]]):
        return None
    unit = np.zeros((1, 1, *drives.shape[2:]))
    unit[..., BITS, ROOT_END, line[0]] = 1.0
    return unit


def rounding_that_arrives(shape, resistances, drive, slopes, shares, segments=None):
    """Bound for the sensed current alone [A]. ``drive`` (2, 2, W) [V]; ``slopes`` (M, N) of the devices [S]; ``shares`` are
    `Nodes` (M, N) of the solution for `unit_drive`."""
    words, bits = _far_ends(shape, resistances, segments)
    # A line is solved with the others held, and its rounded voltage leaves the node alone unbalanced: no pair of currents.
    arriving = (slopes * (np.abs(shares.word_lines) + np.abs(shares.bit_lines))).sum()
    arriving += (words * np.abs(shares.word_lines[:, -1])).sum() + (bits * np.abs(shares.bit_lines[0])).sum()
    everything = slopes.sum() + words.sum() + bits.sum()
    return float(_step(shape, drive[None, None])[0, 0] * (arriving + SHARE_RTOL * everything))


def _step(shape, drives):
    return rounding_step(sum(shape)) * np.abs(drives).max(axis=(2, 3, 4))


def _far_ends(shape, resistances, segments):
    """Conductance of each word line's and bit line's far end with its last segment, 0 where it floats; of a line whose last
    segment is none, that of the whole line, for so its current is found [S]."""
    last = [resistances[side, RHO, :n] for side, n in enumerate(shape)] if segments is None else (
        segments[WORDS][:, -1], segments[BITS][0])
    ends = [ohms + resistances[side, FAR, :n] for side, (ohms, n) in enumerate(zip(last, shape))]
    if segments is not None:
        whole = segments[WORDS].sum(axis=1), segments[BITS].sum(axis=0)
        ends = [np.where(last == 0.0, line, last) for line, last in zip(whole, ends)]
    with np.errstate(divide="ignore"):
        found = [1.0 / ohms for ohms in ends]
    return [np.where(np.isfinite(ends), ends, 0.0) for ends in found]
