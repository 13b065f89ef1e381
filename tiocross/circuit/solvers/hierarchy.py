"""Which lines are lumped together on the coarse crossbars that correct a large one: geometry only.

Coarse crossbars follow the multigrid idea: what plain sweeps leave of the error is smooth, so a smaller crossbar, whose
lines are lumped neighbours, can correct it (A. Brandt, Math. Comp. 31, 333 (1977)). How much a plain sweep leaves is
estimated from the slowest mode of a uniform array: g / (g + lam) for each side, with 1 / lam = 0.4 r n^2 + R n for n
devices on a line of r a segment and R at its end.

``resistances`` (2, 3, W) are here of a segment, and behind the root and far ends, of word lines and of bit lines, infinite
where an end floats [ohm].
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

_MANY, _FEW = 8, 4  # lines lumped into one: many where the lumped devices are still weak beside the wires
_WEAK_COUPLING = 0.05  # segment resistance times lumped conductance up to which many lines are lumped
_LARGEST_COUPLING = 2.0  # and beyond which no further lines are
_MOST_LEVELS = 8
_SMALLEST = 9  # crossings of an array that is not lumped further
_OPEN = 1e30  # ohm, as good as infinite
_FAST_ENOUGH = 0.03  # contraction of plain sweeps below which nothing coarse is needed


def _choose_blocks(means, resistances, shape):
    """How many lines to lump, for each array: (n_arrays,) lines lumped into one from the array to its first coarse crossbar,
    0 where plain sweeps converge at once, and (n_arrays,) how often that is followed by lumping a few."""
    left, wires = np.ones(len(means)), []
    for side, n in enumerate(shape):
        across = shape[1 - side]  # devices on a line of this side
        wire = resistances[side, 0, :n].sum() / n
        ends = min(np.minimum(resistances[side, 1, :n], resistances[side, 2, :n]).max(), _OPEN)
        wires.append(wire)
        load = means * (0.4 * wire * across**2 + ends * across)
        left *= 1.0 - 1.0 / (1.0 + load)
    coupling = means * np.sqrt(wires[0] * wires[1])
    first = np.where(coupling * _MANY**2 <= _WEAK_COUPLING, _MANY, _FEW)
    lumped = np.maximum(coupling * first**2, 1e-30)
    n_further = np.clip(np.log(_LARGEST_COUPLING / lumped) // np.log(_FEW**2), 0, _MOST_LEVELS).astype(np.int64)
    needless = left < _FAST_ENOUGH
    return np.where(needless, 0, first), np.where(needless, 0, n_further)


def find_geometries(arrays, resistances):
    """Levels for each array, as its own devices ask for: a list of (levels, numbers of its arrays)."""
    shape = arrays.shape[1:]
    first, n_further = _choose_blocks(arrays.mean(axis=(1, 2)), resistances, shape)
    kinds = kinds_of_lines(resistances, shape)
    geometries = []
    for many, times in set(zip(first.tolist(), n_further.tolist())):
        blocks = (many, *(_FEW,) * times) if many else ()
        geometries.append((lump_lines(*shape, kinds, blocks), np.flatnonzero((first == many) & (n_further == times))))
    return geometries


def kinds_of_lines(resistances, shape):
    """One byte for each line, word lines first: which of its ends float."""
    floating = np.isinf(resistances[:, 1:])
    kinds = (floating[:, 0] + 2 * floating[:, 1]).astype(np.uint8)
    return kinds[0, : shape[0]].tobytes() + kinds[1, : shape[1]].tobytes()


class Level(NamedTuple):
    """Geometry of an array or of a coarse crossbar for it.

    ``at_word`` (N + 2,), ``at_bit`` (M + 2,): positions of the nodes along a word line and a bit line, two ends included.
    ``chunks_word``, ``chunks_bit``: first line of each block that is lumped for the next level, and the end of the last; of
    the last level, runs of word lines that are treated together. ``share_word`` (N,), ``share_bit`` (M,): weight of the
    coarse node after each node along a word line and a bit line. ``before`` (M,): coarse nodes at or above each node of a
    bit line. ``first``: first node along a word line beyond so many coarse nodes.
    """

    at_word: np.ndarray
    at_bit: np.ndarray
    chunks_word: np.ndarray
    chunks_bit: np.ndarray
    share_word: np.ndarray
    share_bit: np.ndarray
    before: np.ndarray
    first: np.ndarray

    @property
    def shape(self):
        """Numbers of word lines and bit lines."""
        return len(self.at_bit) - 2, len(self.at_word) - 2


@lru_cache(maxsize=64)
def lump_lines(n_word, n_bit, kinds, lines_per_block):
    """Levels, up to one more than there are block lengths. Only neighbours of one kind are lumped, for lines that float move
    together and a driven line beside them does not. With blocks of 1 line the coarse crossbar is the array itself, which
    conjugate gradients then solve."""
    kind_word, kind_bit = np.frombuffer(kinds[:n_word], np.uint8), np.frombuffer(kinds[n_word:], np.uint8)
    at_word, at_bit, levels = np.arange(n_bit + 2.0), np.arange(n_word + 2.0), []
    for length in (*lines_per_block, None):
        m, n = len(kind_word), len(kind_bit)
        if length is not None:
            chunks_word, chunks_bit = _blocks(kind_word, length), _blocks(kind_bit, length)
            is_last = length > 1 and (m * n <= _SMALLEST or 2 * (len(chunks_word) - 1) * (len(chunks_bit) - 1) > m * n)
        if length is None or is_last:
            nothing, runs = np.zeros(0), np.append(np.arange(0, m, _MANY), m)
            levels.append(Level(at_word, at_bit, runs, *[nothing] * 5))
            break
        coarse_word, coarse_bit = _centres(at_word, chunks_bit), _centres(at_bit, chunks_word)
        (before_word, share_word), (before_bit, share_bit) = _between(at_word, coarse_word), _between(at_bit, coarse_bit)
        first = np.searchsorted(before_word, np.arange(len(chunks_bit) + 1))
        levels.append(Level(at_word, at_bit, chunks_word, chunks_bit, share_word, share_bit, before_bit, first))
        at_word, at_bit = coarse_word, coarse_bit
        kind_word, kind_bit = kind_word[chunks_word[:-1]], kind_bit[chunks_bit[:-1]]
    return tuple(levels)


def _blocks(kinds, lines_per_block):
    """First line of each block and the end of the last: runs of one kind, cut into nearly equal pieces."""
    edges = [0, *(np.flatnonzero(np.diff(kinds)) + 1), len(kinds)]
    if len(kinds) <= 2:
        return np.arange(len(kinds) + 1)
    pieces = [np.linspace(a, b, -(-(b - a) // lines_per_block) + 1).round().astype(np.int64)[:-1]
              for a, b in zip(edges[:-1], edges[1:])]
    return np.concatenate([*pieces, [len(kinds)]])


def _centres(at, blocks):
    """Positions of the coarse nodes, the middle of their blocks, between the two ends of the line."""
    middles = np.add.reduceat(at[1:-1], blocks[:-1]) / np.diff(blocks)
    return np.concatenate([at[:1], middles, at[-1:]])


def _between(at, coarse):
    """For each node: how many coarse nodes lie at or before it, and the weight of the one after. Outside, the first or
    last node of the line itself stands for the coarse node that is not there."""
    nodes, inner = at[1:-1], coarse[1:-1]
    before = np.searchsorted(inner, nodes, side="right")
    lower = np.where(before > 0, inner[before - 1], nodes[0])
    upper = np.where(before < len(inner), inner[np.minimum(before, len(inner) - 1)], nodes[-1])
    apart = upper > lower
    return before, np.where(apart, (nodes - lower) / np.where(apart, upper - lower, 1.0), 0.0)
