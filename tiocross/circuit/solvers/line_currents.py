"""Currents along lines, from what their devices draw: no difference of node voltages enters, so they keep their digits.

``drawn`` (..., L, K) are currents from the nodes of L lines into their devices [A], ``along`` (L, K + 1) the resistances met
from one end to the other, infinite where a segment is broken [ohm].
"""

import numpy as np


def share_between_ends(drawn, along, root, far):
    """Currents into lines through their roots and their far ends [A]: all that one end feeds or, with both
    ends connected, as the drops along the line add up to the voltage between them. Ends (..., L) are NaN where floating."""
    floating, broken, total = np.isnan(root), np.isinf(along), drawn.sum(axis=-1)
    into_root, into_far = total, np.where(floating, total, 0.0)
    if broken.any() or not (floating | np.isnan(far)).all():
        gone, whole, resistance = _gone(drawn), ~broken.any(axis=-1), along.sum(axis=-1)
        drop = (np.where(broken, 0.0, along) * gone).sum(axis=-1) + np.nan_to_num(root) - np.nan_to_num(far)
        shared = whole & ~floating & ~np.isnan(far) & (resistance > 0.0)
        into_root = np.where(shared, drop / np.where(resistance > 0.0, resistance, 1.0), total)
        into_far = np.where(shared, total - into_root, into_far)
        first, last = broken.argmax(axis=-1), along.shape[-1] - 1 - broken[:, ::-1].argmax(axis=-1)
        lines = np.arange(len(along))
        into_root = np.where(whole, into_root, gone[..., lines, first])
        into_far = np.where(whole, into_far, total - gone[..., lines, last])
    return np.where(floating, 0.0, into_root), np.where(np.isnan(far), 0.0, into_far)


def follow_line(ends, drawn, along):
    """Current in each segment (..., L, K + 1), from those into both ends of a line and what its devices draw [A]."""
    gone, broken = _gone(drawn), np.isinf(along)
    last = np.maximum.accumulate(np.where(broken, np.arange(along.shape[1]), -1), axis=1)  # the broken segment before
    beyond = np.take_along_axis(gone, np.broadcast_to(np.maximum(last, 0), gone.shape), -1) if broken.any() else 0.0
    amperes = np.where(last < 0, ends[0][..., None], beyond) - gone
    amperes[..., -1] = -ends[1]
    return amperes


def _gone(drawn):
    """What the devices before each segment of a line draw (..., L, K + 1) [A]."""
    return np.concatenate([np.zeros((*drawn.shape[:-1], 1)), np.cumsum(drawn, axis=-1)], axis=-1)
