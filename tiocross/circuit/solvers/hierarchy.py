"""Which lines are lumped together on the coarse crossbars that correct a large one: geometry only.

Coarse crossbars follow the multigrid idea: what plain sweeps leave of the error is smooth, so a smaller crossbar, whose
lines are lumped neighbours, can correct it (A. Brandt, Math. Comp. 31, 333 (1977)). How much a plain sweep leaves is
estimated from the slowest mode of a uniform array: g / (g + lam) for each side, with 1 / lam = 0.4 r n^2 + R n for n
devices on a line of r a segment and R at its end.

``resistances`` (2, 3, W) are here of a segment, and behind the root and far ends, of word lines and of bit lines, infinite
where an end floats [ohm].
"""

import math
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


class _Wires(NamedTuple):
    """What the choice of levels needs to know of the lines: resistance of a segment and of the ends, of both sides [ohm]."""

    segments: tuple[float, float]
    ends: tuple[float, float]
    kinds: bytes


@lru_cache(maxsize=64)
def look_at(resistances, width, shape):
    """`_Wires` of resistances (2, 3, W) as bytes: the same for thousands of crossbars."""
    resistances = np.frombuffer(resistances).reshape(2, 3, width)
    segments = tuple(float(resistances[side, 0, :n].sum() / n) for side, n in enumerate(shape))
    ends = tuple(min(float(np.minimum(resistances[side, 1, :n], resistances[side, 2, :n]).max()), _OPEN)
                 for side, n in enumerate(shape))
    return _Wires(segments, ends, kinds_of_lines(resistances, shape))


def choose_blocks(mean, wires, shape):
    """Lines lumped into one on each coarse crossbar in turn, for an array of so much conductance a device [S]; none where
    plain sweeps converge at once."""
    left = 1.0
    for side, across in enumerate(reversed(shape)):  # devices on a line of this side
        load = mean * (0.4 * wires.segments[side] * across**2 + wires.ends[side] * across)
        left *= 1.0 - 1.0 / (1.0 + load)
    if left < _FAST_ENOUGH:
        return ()
    coupling = mean * math.sqrt(wires.segments[0] * wires.segments[1])
    first = _MANY if coupling * _MANY**2 <= _WEAK_COUPLING else _FEW
    n_further = math.log(_LARGEST_COUPLING / max(coupling * first**2, 1e-30)) // math.log(_FEW**2)
    return (first, *(_FEW,) * int(min(max(n_further, 0), _MOST_LEVELS)))


def find_geometries(arrays, resistances):
    """Levels for each array, as its own devices ask for: a list of (levels, numbers of its arrays)."""
    shape = arrays.shape[1:]
    wires = look_at(resistances.tobytes(), resistances.shape[2], shape)
    means = arrays.sum(axis=(1, 2)) / (shape[0] * shape[1])
    alike, other = (choose_blocks(float(mean), wires, shape) for mean in (means.min(), means.max()))
    if alike == other:  # and so are all between: choices follow the mean
        return [(lump_lines(*shape, wires.kinds, alike), np.arange(len(arrays)))]
    choices = {}
    for k, mean in enumerate(means.tolist()):
        choices.setdefault(choose_blocks(mean, wires, shape), []).append(k)
    return [(lump_lines(*shape, wires.kinds, blocks), np.array(some)) for blocks, some in choices.items()]


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
