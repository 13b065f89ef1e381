"""Resistances along a line that was recognised, as those of the segments of a crossbar.

A node without a device is one where the device is open. Where they do not come out even, resistances are shared equally:
no current leaves between them.
"""

from typing import NamedTuple

import numpy as np


class Segments(NamedTuple):
    """``segments`` (n + 1) of a line with n crossings, and what lies ``beyond`` its ends [ohm]."""

    segments: list
    beyond: float


def segments_of(line, places):
    """`Segments` of a line that meets ``places``: by the number of another line, its place along this one."""
    at = [k for k, node in enumerate(line.nodes) if node in line.devices]
    met = [sorted(places[other] for other in others) for others in line.met]
    segments, beyond = [None] * (len(places) + 1), 0.0
    for (k, here), (after, there) in zip(zip(at, met), zip(at[1:], met[1:])):
        segments[here[-1] + 1 : there[0] + 1] = _shared(line.ohms[k:after], there[0] - here[-1])
    for here in met:
        segments[here[0] + 1 : here[-1] + 1] = [0.0] * (here[-1] - here[0])
    first, last = ([*line.ohms[: at[0]]], line.volts[0]), ([*line.ohms[at[-1] :]][::-1], line.volts[1])
    wanted = met[0][0] + 1, len(places) - met[-1][-1]
    ends = [_end(*end, count, 0.0) for end, count in zip((first, last), wanted)]
    beyond = next((extra for (extra, _), (_, volts) in zip(ends, (first, last)) if not np.isnan(volts)), 0.0)
    ends = [_end(*end, count, beyond)[1] for end, count in zip((first, last), wanted)]
    segments[: wanted[0]], segments[len(segments) - wanted[1] :] = ends[0], ends[1][::-1]
    known = [value for value in segments if value is not None]
    for k in range(wanted[0] - 1, -1, -1):
        segments[k] = _or_next(segments[k], segments[k + 1 : k + 2], known)
    for k in range(len(segments) - wanted[1], len(segments)):
        segments[k] = _or_next(segments[k], segments[k - 1 : k], known)
    return Segments(segments, beyond)


def _end(ohms, volts, count, beyond):
    """What lies beyond one end of a line, and its first segments, from the end inwards; None for those that nobody knows."""
    if np.isnan(volts) and len(ohms) != count:
        return 0.0, [None] * count
    if len(ohms) == count + 1:
        return ohms[0], ([*ohms[1:]] if beyond == ohms[0] else [ohms[0] + ohms[1], *ohms[2:]])
    return 0.0, _shared(ohms, count)


def _shared(ohms, count):
    """So many segments with these resistances, in equal parts where they are more or fewer."""
    return [*ohms] if len(ohms) == count else [sum(ohms) / count] * count


def _or_next(value, neighbour, known):
    """A segment's resistance, that of its neighbour where nothing says it."""
    if value is not None:
        return value
    if neighbour and neighbour[0] is not None:
        return neighbour[0]
    return known[0] if known else 0.0
