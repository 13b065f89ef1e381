"""Which nodes current can reach, and through how much resistance, over devices and wires from connected ends.

What no broken segment divides is a *piece* of a line. ``along_words`` (M, N + 1) and ``along_bits`` (N, M + 1): resistances
met along each line from the left and from the top, those at the ends included; infinite where a segment is broken or an
end floats [ohm].
"""

import numpy as np

from tiocross.circuit.solvers.results import BITS, FAR_END, ROOT_END, WORDS

BROKEN = 1e30  # ohm and more: a broken segment of a `PreparedCrossbar`


def find_along(resistances, shape, segments=None):
    """``along_words`` and ``along_bits``; ``resistances`` (2, 3, W) as for a `Workspace`, ``segments`` as of a
    `PreparedCrossbar`."""
    along = []
    for side, n in enumerate(shape):
        if segments is None:
            wires = np.repeat(resistances[side, 0, :n, None], shape[1 - side] + 1, axis=1)
        else:
            wires = segments[side].copy() if side == WORDS else segments[side].T.copy()
            wires[wires >= BROKEN] = np.inf
        wires[:, 0 if side == WORDS else -1] += resistances[side, 1 + ROOT_END, :n]
        wires[:, -1 if side == WORDS else 0] += resistances[side, 1 + FAR_END, :n]
        along.append(wires)
    return along


def find_islands(arrays, connected, segments=None):
    """Nodes of word lines (C, M, N) and of bit lines (C, M, N), bool, each one for all of a line where no segment is broken,
    from which no path over devices and wires leads to a connected end, or None if there are none: their voltage could be
    anything. ``arrays`` (C, M, N) [S]; ``connected`` (2, 2, n) bool: root and far ends of word lines and of bit lines."""
    m, n = arrays.shape[1:]
    if segments is not None and any((wires >= BROKEN).any() for wires in segments):
        resistances = np.where(connected, 0.0, np.inf)
        resistances = np.concatenate([np.zeros_like(resistances[:, :1]), resistances], axis=1)
        along = find_along(resistances, (m, n), segments)
        lost = [np.stack(found) for found in zip(*(find_unreached(array, *along) for array in arrays))]
        return tuple(lost) if lost[0].any() or lost[1].any() else None
    words, bits = (connected[side, :, :lines].any(axis=0) for side, lines in enumerate((m, n)))
    if words.all() and bits.all():
        return None
    joined = arrays > 0
    words, bits = np.tile(words, (len(arrays), 1)), np.tile(bits, (len(arrays), 1))
    while not (words.all() and bits.all()):
        more_words = words | (joined & bits[:, None, :]).any(axis=2)
        more_bits = bits | (joined & words[:, :, None]).any(axis=1)
        if (more_words == words).all() and (more_bits == bits).all():
            return ~words[:, :, None], ~bits[:, None, :]
        words, bits = more_words, more_bits
    return None


def find_unreached(array, along_words, along_bits):
    """Nodes of word lines and of bit lines, bool (M, N) each, of one array that no path joins to a connected end."""
    words, bits = (_number_pieces(along) for along in (along_words, along_bits))
    of_words, of_bits = (_reached_from_ends(*each) for each in ((words, along_words), (bits, along_bits)))
    joining = (array > 0) & ~(of_words[words] & of_bits[bits].T)
    at_words, at_bits = words[joining], bits.T[joining]  # the pieces that these devices join
    before, now = -1, 0
    while now != before:
        of_words[at_words[of_bits[at_bits]]] = True
        of_bits[at_bits[of_words[at_words]]] = True
        before, now = now, int(of_words.sum() + of_bits.sum())
    return ~of_words[words], ~of_bits[bits].T


def longest_way(array, resistances, segments=None):
    """Resistance [ohm] to a connected end that no node's is above, whatever the other devices do; of islands, none.
    ``array`` (M, N): the least that each device conducts [S]; ``resistances`` (2, 3, W) as for a `Workspace`."""
    if segments is not None:
        return _longest_way_in_pieces(array, find_along(resistances, array.shape, segments))
    along = [array.shape[1 - side] * resistances[side, 0, :n] for side, n in enumerate(array.shape)]
    words, bits = (wire + resistances[side, 1:, : len(wire)].min(axis=0) for side, wire in ((WORDS, along[0]),
                                                                                           (BITS, along[1])))
    if not (np.isfinite(words).all() and np.isfinite(bits).all()):
        with np.errstate(divide="ignore"):
            devices = 1.0 / array
        while True:
            over = along[0] + (devices + bits).min(axis=1), along[1] + (devices + words[:, None]).min(axis=0)
            if (over[0] >= words).all() and (over[1] >= bits).all():
                break
            words, bits = np.minimum(words, over[0]), np.minimum(bits, over[1])
    return max(np.where(np.isfinite(line), line, 0.0).max() for line in (words, bits))


def _longest_way_in_pieces(array, along):
    (words, in_words, from_words), (bits, in_bits, from_bits) = (_measure_pieces(wires) for wires in along)
    at_words, at_bits = words.ravel(), bits.T.ravel()  # the pieces that each device joins
    with np.errstate(divide="ignore"):
        devices, before = 1.0 / array.ravel(), (np.inf, np.inf)
    while not (np.array_equal(from_words, before[0]) and np.array_equal(from_bits, before[1])):
        before = from_words.copy(), from_bits.copy()
        np.minimum.at(from_words, at_words, in_words[at_words] + devices + before[1][at_bits])
        np.minimum.at(from_bits, at_bits, in_bits[at_bits] + devices + before[0][at_words])
    return max(np.where(np.isfinite(ways), ways, 0.0).max() for ways in (from_words, from_bits))


def _number_pieces(along):
    """For each node of each line the number of its piece."""
    starts = np.isinf(along[:, :-1])
    starts[:, 0] = True
    return np.cumsum(starts).reshape(starts.shape) - 1


def _reached_from_ends(pieces, along):
    reached = np.zeros(pieces[-1, -1] + 1, dtype=bool)
    reached[pieces[:, 0][np.isfinite(along[:, 0])]] = True
    reached[pieces[:, -1][np.isfinite(along[:, -1])]] = True
    return reached


def _measure_pieces(along):
    """Numbers of the pieces, resistance from end to end of each, and that of the way from its farthest node to a connected
    end, infinite if it has none [ohm]."""
    pieces = _number_pieces(along)
    inner = np.where(np.isfinite(along[:, 1:-1]), along[:, 1:-1], 0.0)
    within = np.bincount(pieces[:, 1:].ravel(), inner.ravel(), pieces[-1, -1] + 1)
    ways = np.full(len(within), np.inf)
    for end, at in ((0, pieces[:, 0]), (-1, pieces[:, -1])):
        ways[at] = np.minimum(ways[at], within[at] + along[:, end])
    return pieces, within, ways
