"""Which lines current can reach, and through how much resistance, over devices from lines with a connected end."""

import numpy as np

from tiocross.circuit.solvers.results import BITS, WORDS


def find_islands(arrays, connected):
    """Lines from which no path over devices leads to a connected end, bool (C, M) and (C, N), or None if there are none:
    their voltage could be anything. ``arrays`` (C, M, N) [S]; ``connected`` (2, n) bool: whether an end of a line is."""
    words, bits = (connected[side, :n] for side, n in enumerate(arrays.shape[1:]))
    if words.all() and bits.all():
        return None
    joined = arrays > 0
    words, bits = np.tile(words, (len(arrays), 1)), np.tile(bits, (len(arrays), 1))
    while not (words.all() and bits.all()):
        more_words = words | (joined & bits[:, None, :]).any(axis=2)
        more_bits = bits | (joined & words[:, :, None]).any(axis=1)
        if (more_words == words).all() and (more_bits == bits).all():
            return ~words, ~bits
        words, bits = more_words, more_bits
    return None


def longest_way(array, resistances):
    """Resistance [ohm] to a connected end that no node's is above, whatever the other devices do; of islands, none.
    ``array`` (M, N): the least that each device conducts [S]; ``resistances`` (2, 3, W) as for a `Workspace`."""
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


def find_unreached(array, along_words, along_bits):
    """Nodes of word lines and of bit lines, bool (M, N) each, from which no path over devices and wires leads to a connected
    end. ``along_words`` (M, N + 1), ``along_bits`` (N, M + 1): resistances along each line, infinite where a segment is
    broken or an end floats [ohm]."""
    words, bits = (_number_pieces(along) for along in (along_words, along_bits))
    of_words, of_bits = (_reached_from_ends(*each) for each in ((words, along_words), (bits, along_bits)))
    at_words, at_bits = words[array > 0], bits.T[array > 0]  # the pieces that each device joins
    before, now = -1, 0
    while now != before:
        of_words[at_words[of_bits[at_bits]]] = True
        of_bits[at_bits[of_words[at_words]]] = True
        before, now = now, int(of_words.sum() + of_bits.sum())
    return ~of_words[words], ~of_bits[bits].T


def _number_pieces(along):
    """For each node of each line the number of its piece: what no broken segment divides."""
    starts = np.isinf(along[:, :-1])
    starts[:, 0] = True
    return np.cumsum(starts).reshape(starts.shape) - 1


def _reached_from_ends(pieces, along):
    reached = np.zeros(pieces[-1, -1] + 1, dtype=bool)
    reached[pieces[:, 0][np.isfinite(along[:, 0])]] = True
    reached[pieces[:, -1][np.isfinite(along[:, -1])]] = True
    return reached
