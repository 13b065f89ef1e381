"""Nested elimination that can be run backwards: from a gradient by transfer matrices to one by the conductances.

The same as in `elimination`, block by block, so that for each join what leads back through it can be kept (see `blocks`).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tiocross.circuit.solvers.blocks import Block, Run, join
from tiocross.circuit.solvers.leaves import Cut, Leaves, portions, spread_wires
from tiocross.circuit.solvers.memory import NewMemory

_NONE = slice(0, 0)


def eliminate_with_pullback(conductances, words, bits, source_resistance, sense_resistance):
    """Transfer matrices as `eliminate` gives them, and a function that turns a gradient by them into the gradient by the
    conductances, both (C, M, N). What it needs is kept until then: some 150 numbers for each device."""
    wires = spread_wires(conductances.shape[1:], words, bits, source_resistance, sense_resistance)
    done = [(part, _Elimination(conductances[part], *wires)) for part in portions(conductances)]

    def pull(gradient):
        return np.concatenate([arrays.pull(gradient[part]) for part, arrays in done])

    return np.concatenate([arrays.matrix for _, arrays in done]), pull


class _Elimination:
    """Of some arrays: their transfer ``matrix``, and gradients pulled back."""

    def __init__(self, conductances, words, bits):
        cut = self._cut = Cut(*conductances.shape)
        padded = [cut.pad(values) for values in (conductances, words[None], bits[None])]
        self._strips = [_Strip(cut, padded, rows) for rows in cut.strips]
        grid = [row for strip in self._strips for row in strip.hand_over()]
        m, n = cut.n_down * cut.m // len(grid), cut.n_across * cut.n // len(grid[0])
        self._whole = _merge(grid, m, n)
        matrix = self._whole.matrix[..., self._whole.driven, self._whole.sensed]
        self.matrix = -cut.trim(matrix)  # F counts the current into the bottom ends

    def pull(self, gradient):
        """Gradient by the conductances for that by the matrices."""
        cut = self._cut
        weights = np.zeros(self._whole.shape)
        cut.trim(weights[..., self._whole.driven, self._whole.sensed])[:] = -gradient
        _pull_back(self._whole, weights)
        return cut.trim(np.concatenate([strip.pull() for strip in self._strips], axis=1))


@lru_cache(maxsize=64)
def _order(m, n):
    """Ports of a leaf in the order around it, as the kernel counts them."""
    upwards, right = np.arange(m), np.arange(n)
    return np.concatenate([2 * n + 2 * upwards[::-1], right, 2 * n + 2 * upwards + 1, n + right[::-1]])


class _Strip:
    """The parts of some rows of parts, side by side in vectors, and joined as long as all are alike."""

    def __init__(self, cut, padded, rows):
        self._lowest, self._uppermost = rows.stop == cut.n_down, rows.start == 0
        self._leaves = Leaves(cut, padded, rows, _order(cut.m, cut.n))
        leaves = Block(self._leaves.build(NewMemory(), keep=True), _runs_of_leaf(cut.m, cut.n), _NONE, _NONE)
        self._wide = _join_all(leaves, "RL") if cut.n_across > 1 else leaves
        self._high = _join_all(self._wide, "TB") if rows.stop - rows.start > 1 else self._wide
        self._weights = None

    def hand_over(self):
        """Rows of blocks, without ports at the open ends."""
        down, across = self._high.shape[1:3]
        rows = [[self._bounded(i, j, {"L": j == 0, "B": self._lowest and i == down - 1, "R": j == across - 1,
                                      "T": self._uppermost and i == 0}) for j in range(across)] for i in range(down)]
        self._high.matrix = None
        return rows

    def _bounded(self, i, j, ends):
        """One of the blocks, with what stands at ``ends`` of the array driven, sensed or left out."""
        matrix, inner, shift = self._high.matrix[:, i, j], self._high.inner, 0
        if ends["L"] and inner[0].side == inner[-1].side == "L" and len(inner) > 1:  # no longer cut by the beginning
            shift = inner[-1].length
            matrix = np.roll(matrix, shift, axis=-2)
            inner = [run._replace(row=run.row + shift) for run in inner[:-1]]
            inner[0] = inner[0]._replace(row=0, length=inner[0].length + shift)
        bound = {run.side: run for run in inner if ends[run.side]}
        return Block(matrix, [run for run in inner if not ends[run.side]], bound["L"].rows if ends["L"] else _NONE,
                     bound["B"].columns if ends["B"] else _NONE, _Bounded(self, (i, j), shift))

    def put(self, place, weights):
        """Take S of one of the blocks."""
        if self._weights is None:
            self._weights = np.empty(self._high.shape)
        self._weights[(slice(None), *place)] = 0.5 * (weights + weights.swapaxes(-1, -2))

    def pull(self):
        """Gradient by the conductances, once all have been put."""
        weights, self._weights = self._weights, None
        if self._high is not self._wide:
            weights = _pull_all(self._high, weights)
        return self._leaves.pull(weights if self._wide.joined is None else _pull_all(self._wide, weights))


class _Bounded(NamedTuple):
    """Whence a block comes that is one of a strip: rows shifted, what lies at open ends left out."""

    strip: _Strip
    place: tuple
    shift: int

    blocks = ()

    def pull(self, weights):
        """Hand them over."""
        self.strip.put(self.place, np.roll(weights, -self.shift, axis=-2) if self.shift else weights)
        return ()


_FIRST = {"RL": np.s_[:, :, ::2], "TB": np.s_[:, 1::2]}  # blocks a and b of all pairs that are joined
_SECOND = {"RL": np.s_[:, :, 1::2], "TB": np.s_[:, ::2]}


def _join_all(block, sides):
    """Neighbours joined, all at once."""
    a, b = (Block(block.matrix[part[sides]], block.inner, _NONE, _NONE) for part in (_FIRST, _SECOND))
    return join(a, b, sides)


def _pull_all(block, weights):
    """S of the blocks that were joined all at once."""
    first, second = block.joined.pull(weights)
    across = block.joined.ports[0][0].side == "R"
    return np.stack([first, second] if across else [second, first], axis=3 if across else 2).reshape(
        *(n * (1 + (axis == (2 if across else 1))) for axis, n in enumerate(first.shape)))


def _merge(grid, m, n):
    """One block of a grid of them, the shorter sides joined first; m and n lines in each."""
    while len(grid) > 1 or len(grid[0]) > 1:
        if len(grid) == 1 or len(grid[0]) > 1 and n <= m:
            grid, n = [[join(a, b, "RL") for a, b in zip(row[::2], row[1::2])] for row in grid], 2 * n
        else:
            pairs = zip(grid[1::2], grid[::2])
            grid, m = [[join(a, b, "TB") for a, b in zip(low, high)] for low, high in pairs], 2 * m
    return grid[0][0]


def _pull_back(block, weights):
    """Pull S of a block back to the strips."""
    for part, pulled in zip(block.joined.blocks, block.joined.pull(weights)):
        _pull_back(part, pulled)


def _runs_of_leaf(m, n):
    starts = np.cumsum([0, m, n, m]).tolist()
    return [Run(side, start, start, length) for side, start, length in zip("LBRT", starts, (m, n, m, n))]
