"""Arrays cut into small parts, and the smallest blocks: the parts themselves, built side by side."""

import math

import numpy as np

from tiocross.circuit.solvers.leaf_blocks_kernel import TOGETHER, build_leaf_blocks, pull_leaf_blocks
from tiocross.vectors import LANES

_LARGEST_LEAF = 17  # most lines of a smallest part: 64 inputs and a bias, halved; with fewer, calling NumPy costs more
DEVICES_AT_ONCE = 2**16  # treated together while blocks are small, so that they stay in the processor's cache


def spread_wires(shape, words, bits, source_resistance, sense_resistance):
    """Resistance before each node of the word lines, from the left, and of the bit lines, from the bottom, (M, N) [ohm]."""
    words, bits = words[:, None] if words.ndim == 1 else words[:, :-1], bits if bits.ndim == 1 else bits[1:]
    before = np.array(np.broadcast_to(words, shape)), np.array(np.broadcast_to(bits, shape))
    before[0][:, 0] += source_resistance
    before[1][-1] += sense_resistance
    return before


def portions(conductances):
    """Slices of arrays that are treated together: as many as are not cut into strips, so that the bits of a matrix do not
    depend on how many arrays are beside it."""
    n_arrays, n_word, n_bit = conductances.shape
    (n_down, m), (n_across, n) = _parts(n_word), _parts(n_bit)
    step = max(1, DEVICES_AT_ONCE // (n_down * m * n_across * n))
    return [slice(start, start + step) for start in range(0, n_arrays, step)]


class Cut:
    """How arrays are cut into parts of m x n lines, with lines without devices added at the open sides, the upper and the
    right one, to fill the last parts."""

    def __init__(self, n_arrays, n_word, n_bit):
        self.n_arrays, self.n_word, self.n_bit = n_arrays, n_word, n_bit
        (self.n_down, self.m), (self.n_across, self.n) = _parts(n_word), _parts(n_bit)
        n_strips, n_devices = 1, n_arrays * self.n_down * self.m * self.n_across * self.n
        while n_strips < self.n_down and n_devices > n_strips * DEVICES_AT_ONCE:
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


class Leaves:
    """The smallest blocks of some rows of parts, with their ports in the ``order`` of the kernel's."""

    def __init__(self, cut, values, rows, order):
        self._cut, self._grid, self._order = cut, (cut.n_arrays, rows.stop - rows.start, cut.n_across), order
        lines = slice(rows.start * cut.m, rows.stop * cut.m)
        self._devices, self._words, self._bits = (self._vectors(part[:, lines]) for part in values)
        self._columns = np.empty(0)

    @property
    def _kernel(self):
        return -(-math.prod(self._grid) // LANES), (self._cut.m, self._cut.n), self._order

    def build(self, memory, keep=False):
        """The blocks (C, down, across, ports, ports), in ``memory``; with ``keep`` they can be pulled back."""
        n_vectors, _, order = self._kernel
        n_ports = len(order)
        if keep:
            self._columns = np.empty(len(self._devices) * n_ports)
        blocks = memory.take(n_vectors * LANES, n_ports, n_ports)
        build_leaf_blocks(*self._kernel, self._devices, self._words, self._bits, *_scratch(n_ports), self._columns,
                          blocks.reshape(-1))
        return blocks[: math.prod(self._grid)].reshape(*self._grid, n_ports, n_ports)

    def pull(self, weights):
        """Gradient by the conductances (C, lines, lines), for S of the blocks."""
        n_vectors, shape, order = self._kernel
        weights, gradient = _filled(weights.reshape(-1, len(order), len(order))), np.empty(len(self._devices))
        pull_leaf_blocks(*self._kernel, self._devices, self._columns, weights.reshape(-1), *_scratch(len(order)), gradient)
        parts = np.moveaxis(gradient.reshape(n_vectors, *shape, LANES), -1, 1).reshape(-1, *shape)[: math.prod(self._grid)]
        n_arrays, down, across = self._grid
        return parts.reshape(*self._grid, *shape).swapaxes(2, 3).reshape(n_arrays, down * shape[0], across * shape[1])

    def _vectors(self, values):
        """Values of all devices, of LANES parts side by side; flat."""
        (_, down, across), m, n = self._grid, self._cut.m, self._cut.n
        values = values.reshape(-1, down, m, across, n).swapaxes(2, 3)
        values = _filled(np.broadcast_to(values, (*self._grid, m, n)).reshape(-1, m, n))
        return np.ascontiguousarray(np.moveaxis(values.reshape(-1, LANES, m, n), 1, -1)).ravel()


def _filled(values):
    """With as many zeros behind as fill the last vector."""
    more = -len(values) % LANES
    return np.concatenate([values, np.zeros((more, *values.shape[1:]))]) if more else np.ascontiguousarray(values)


def _scratch(n_ports):
    return np.empty(n_ports * n_ports * LANES), np.empty((TOGETHER + 1) * n_ports * LANES)
