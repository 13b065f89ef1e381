"""Transfer matrices of linear crossbars by nested elimination, and back.

The array is cut into small parts. Each becomes a block: a matrix that says how the ends of its lines answer, whatever
it is joined to. Neighbours are joined in pairs, which eliminates the wires between them, until one block is left; its
answer at the bottom ends to voltages at the left ends is the transfer matrix. An n x n array takes about 28 n^3
multiplications, nearly all in products of matrices, and memory for some 50 n^2 numbers. Cutting a grid into parts and
eliminating them one inside the other is nested dissection (A. George, SIAM J. Numer. Anal. 10, 345 (1973)).

What is lost are about as many digits as the conductance of all devices of a line times its source or sense resistance has,
and those of rows of the transfer matrix that bit-line wires shield from the bottom ends by as many decades.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tiocross.circuit.solvers.blocks import Block, Run, join
from tiocross.circuit.solvers.leaf_blocks_kernel import TOGETHER, build_leaf_blocks, pull_leaf_blocks
from tiocross.vectors import LANES

_LARGEST_LEAF = 16  # most lines of a smallest part; with fewer, calling NumPy would cost more than its arithmetic
_DEVICES_AT_ONCE = 2**16  # treated together while blocks are small, so that they stay in the processor's cache
_NONE = slice(0, 0)


def eliminate(conductances, words, bits, source_resistance, sense_resistance):
    """Transfer matrices (C, M, N) [S] of arrays that share their wires, driven at the left ends and held at 0 V at the
    bottom, the right and top ends open. ``words`` and ``bits``: one resistance for the segments of each line, (M,) and (N,),
    or for each segment, (M, N + 1) and (M + 1, N) [ohm]."""
    wires = _spread_wires(conductances.shape[1:], words, bits, source_resistance, sense_resistance)
    matrix = np.empty(conductances.shape)
    for part in _portions(conductances):
        matrix[part] = _Elimination(conductances[part], *wires, keep=False).matrix
    return matrix


def eliminate_with_pullback(conductances, words, bits, source_resistance, sense_resistance):
    """Transfer matrices as `eliminate` gives them, and a function that turns a gradient by them into the gradient by the
    conductances, both (C, M, N). What it needs is kept until then: some 400 numbers for each device."""
    wires = _spread_wires(conductances.shape[1:], words, bits, source_resistance, sense_resistance)
    portions = [(part, _Elimination(conductances[part], *wires, keep=True)) for part in _portions(conductances)]

    def pull(gradient):
        return np.concatenate([done.pull(gradient[part]) for part, done in portions])

    return np.concatenate([done.matrix for _, done in portions]), pull


def _spread_wires(shape, words, bits, source_resistance, sense_resistance):
    """Resistance before each node of the word lines, from the left, and of the bit lines, from the bottom, (M, N) [ohm]."""
    words, bits = words[:, None] if words.ndim == 1 else words[:, :-1], bits if bits.ndim == 1 else bits[1:]
    before = np.array(np.broadcast_to(words, shape)), np.array(np.broadcast_to(bits, shape))
    before[0][:, 0] += source_resistance
    before[1][-1] += sense_resistance
    return before


def _portions(conductances):
    """Slices of arrays that are treated together."""
    n_arrays, n_word, n_bit = conductances.shape
    step = max(1, _DEVICES_AT_ONCE // (n_word * n_bit))
    return [slice(start, start + step) for start in range(0, n_arrays, step)]


class _Elimination:
    """Of some arrays: their transfer ``matrix``. With ``keep`` gradients can be pulled back."""

    def __init__(self, conductances, words, bits, keep):
        cut = self._cut = _Cut(*conductances.shape, keep)
        padded = [cut.pad(values) for values in (conductances, words[None], bits[None])]
        self._strips = [_Strip(cut, *padded, lines) for lines in cut.strips]
        grid = [row for strip in self._strips for row in strip.rows()]
        m, n = cut.n_down * cut.m // len(grid), cut.n_across * cut.n // len(grid[0])
        self._whole = _merge(grid, m, n, keep)
        matrix = self._whole.matrix[..., self._whole.driven, self._whole.sensed]
        self.matrix = -cut.trim(matrix)  # F counts the current into the bottom ends

    def pull(self, gradient):
        """Gradient by the conductances for that by the matrices."""
        cut = self._cut
        weights = np.zeros(self._whole.matrix.shape)
        cut.trim(weights[..., self._whole.driven, self._whole.sensed])[:] = -gradient
        _pull_back(self._whole, weights)
        return cut.trim(np.concatenate([strip.pull() for strip in self._strips], axis=1))


class _Cut:
    """How arrays are cut into parts of m x n lines, with lines without devices added at the open sides, the upper and the
    right one, to fill the last parts."""

    def __init__(self, n_arrays, n_word, n_bit, keep):
        self.n_arrays, self.n_word, self.n_bit, self.keep = n_arrays, n_word, n_bit, keep
        (self.n_down, self.m), (self.n_across, self.n) = _parts(n_word), _parts(n_bit)
        n_strips, n_devices = 1, n_arrays * self.n_down * self.m * self.n_across * self.n
        while n_strips < self.n_down and n_devices > n_strips * _DEVICES_AT_ONCE:
            n_strips *= 2
        self.parts_down = self.n_down // n_strips  # of a strip
        self.strips = [slice(start, start + self.parts_down) for start in range(0, self.n_down, self.parts_down)]

    def pad(self, values):
        """Values of all devices, zero on lines that are added."""
        above, right = self.n_down * self.m - self.n_word, self.n_across * self.n - self.n_bit
        return np.pad(values, ((0, 0), (above, 0), (0, right))) if above or right else values

    def trim(self, arrays):
        """Without the lines that were added."""
        return arrays[:, self.n_down * self.m - self.n_word :, : self.n_bit]


def _parts(n_lines):
    """Number of parts, a power of two, and lines in each, at least two."""
    n_parts = 1
    while n_lines > n_parts * _LARGEST_LEAF:
        n_parts *= 2
    return n_parts, max(2, -(-n_lines // n_parts))


@lru_cache(maxsize=64)
def _order(m, n):
    """Ports of a leaf in the order around it, as the kernel counts them."""
    upwards, right = np.arange(m), np.arange(n)
    return np.concatenate([2 * n + 2 * upwards[::-1], right, 2 * n + 2 * upwards + 1, n + right[::-1]])


class _Strip:
    """The parts of some rows of parts, side by side in vectors, and joined as long as all are alike."""

    def __init__(self, cut, conductances, words, bits, rows):
        self._cut, self._grid = cut, (cut.n_arrays, cut.parts_down, cut.n_across)
        self._lowest, self._uppermost = rows.stop == cut.n_down, rows.start == 0
        self._devices, words, bits = (self._vectors(values[:, rows.start * cut.m : rows.stop * cut.m])
                                      for values in (conductances, words, bits))
        n_vectors, shape, order = self._kernel
        n_ports = len(order)
        self._columns = np.empty(len(self._devices) * n_ports if cut.keep else 0)
        leaves = np.empty((n_vectors * LANES, n_ports, n_ports))
        build_leaf_blocks(n_vectors, shape, order, self._devices, words, bits, *_scratch(n_ports), self._columns,
                          leaves.ravel())
        leaves = leaves[: math.prod(self._grid)].reshape(*self._grid, n_ports, n_ports)
        leaves = Block(leaves, _runs_of_leaf(cut.m, cut.n), _NONE, _NONE)
        self._wide = _join_all(leaves, "RL", cut.keep) if cut.n_across > 1 else leaves
        self._high = _join_all(self._wide, "TB", cut.keep) if cut.parts_down > 1 else self._wide
        self._weights = None

    @property
    def _kernel(self):
        """Number of vectors and shape of a part, for the kernels."""
        return -(-math.prod(self._grid) // LANES), (self._cut.m, self._cut.n), _order(self._cut.m, self._cut.n)

    def _vectors(self, values):
        """Values of all devices, of LANES parts side by side; flat."""
        (_, down, across), m, n = self._grid, self._cut.m, self._cut.n
        values = values.reshape(-1, down, m, across, n).swapaxes(2, 3)
        values = _filled(np.broadcast_to(values, (*self._grid, m, n)).reshape(-1, m, n))
        return np.ascontiguousarray(np.moveaxis(values.reshape(-1, LANES, m, n), 1, -1)).ravel()

    def rows(self):
        """Rows of blocks, without ports at the open ends."""
        down, across = self._high.matrix.shape[1:3]
        return [[self._bounded(i, j, {"L": j == 0, "B": self._lowest and i == down - 1, "R": j == across - 1,
                                      "T": self._uppermost and i == 0}) for j in range(across)] for i in range(down)]

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
            self._weights = np.empty(self._high.matrix.shape)
        self._weights[:, *place] = 0.5 * (weights + weights.swapaxes(-1, -2))

    def pull(self):
        """Gradient by the conductances, once all have been put."""
        weights, self._weights = self._weights, None
        if self._high is not self._wide:
            weights = _pull_all(self._high, weights)
        if self._wide.joined is not None:
            weights = _pull_all(self._wide, weights)
        n_vectors, shape, order = self._kernel
        weights = _filled(weights.reshape(-1, len(order), len(order)))
        gradient = np.empty(len(self._devices))
        pull_leaf_blocks(n_vectors, shape, order, self._devices, self._columns, weights.ravel(), *_scratch(len(order)),
                         gradient)
        parts = np.moveaxis(gradient.reshape(n_vectors, *shape, LANES), -1, 1).reshape(-1, *shape)[: math.prod(self._grid)]
        n_arrays, down, across = self._grid
        return parts.reshape(*self._grid, *shape).swapaxes(2, 3).reshape(n_arrays, down * shape[0], across * shape[1])


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


def _join_all(block, sides, keep):
    """Neighbours joined, all at once."""
    a, b = (Block(block.matrix[part[sides]], block.inner, _NONE, _NONE) for part in (_FIRST, _SECOND))
    return join(a, b, sides, keep)


def _pull_all(block, weights):
    """S of the blocks that were joined all at once."""
    first, second = block.joined.pull(weights)
    across = block.joined.ports[0][0].side == "R"
    return np.stack([first, second] if across else [second, first], axis=3 if across else 2).reshape(
        *(n * (1 + (axis == (2 if across else 1))) for axis, n in enumerate(first.shape)))


def _merge(grid, m, n, keep):
    """One block of a grid of them, the shorter sides joined first; m and n lines in each."""
    while len(grid) > 1 or len(grid[0]) > 1:
        if len(grid) == 1 or len(grid[0]) > 1 and n <= m:
            grid, n = [[join(a, b, "RL", keep) for a, b in zip(row[::2], row[1::2])] for row in grid], 2 * n
        else:
            pairs = zip(grid[1::2], grid[::2])
            grid, m = [[join(a, b, "TB", keep) for a, b in zip(low, high)] for low, high in pairs], 2 * m
    return grid[0][0]


def _pull_back(block, weights):
    """Pull S of a block back to the strips."""
    for part, pulled in zip(block.joined.blocks, block.joined.pull(weights)):
        _pull_back(part, pulled)


def _filled(values):
    """With as many zeros behind as fill the last vector."""
    more = -len(values) % LANES
    return np.concatenate([values, np.zeros((more, *values.shape[1:]))]) if more else np.ascontiguousarray(values)


def _scratch(n_ports):
    return np.empty(n_ports * n_ports * LANES), np.empty((TOGETHER + 1) * n_ports * LANES)


def _runs_of_leaf(m, n):
    starts = np.cumsum([0, m, n, m]).tolist()
    return [Run(side, start, start, length) for side, start, length in zip("LBRT", starts, (m, n, m, n))]
