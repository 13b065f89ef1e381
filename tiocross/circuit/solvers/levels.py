"""What `lines_kernel` needs to know of the array and its coarse crossbars: numbers, edges and tables, and how much scratch.

``resistances`` (2, 3, W) are of a segment, and behind the root (left, bottom) and far (right, top) ends, of word lines and
of bit lines; infinite where an end floats [ohm]. ``segments``: of every segment, word lines (M, N + 1) and bit lines
(M + 1, N), ends included [ohm]; None where all of a line are equal.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tiocross.circuit.solvers import lines_kernel as K
from tiocross.circuit.solvers.hierarchy import choose_blocks, look_at, lump_lines
from tiocross.circuit.solvers.paths import BROKEN
from tiocross.circuit.solvers.results import BITS, WORDS
from tiocross.vectors import LANES

_SHORT = 1e-30  # ohm; only lumped lines can be held at their far end without any resistance
_PAGE, _STAGGER = 512, 72  # numbers: rows that are used together should not lie at the same places of pages
_LARGE = 200_000  # numbers of an array that does not stay in the cache: few rows are followed at once then, for long
_LARGEST_STRIP = 128  # vectors of bit lines of such an array that are solved together
_STRIP = 65_536  # numbers J of a strip of bit lines, at most: they should stay in the cache


class Plan(NamedTuple):
    """``numbers`` (L, N_FIELDS), ``edges`` (L, N_EDGES, W), ``tables`` flat; ``size``: numbers in the pool, of which the
    last ``scratch`` are no more than that."""

    numbers: np.ndarray
    edges: np.ndarray
    tables: np.ndarray
    size: int
    scratch: int

    def numbers_of(self, thread):
        """The numbers for one of several threads at work on one array, each with scratch of its own."""
        numbers = self.numbers.copy()
        for field in (K.X, K.TILE, K.J):
            numbers[:, field] += thread * self.scratch
        return numbers

    def nodes(self, pool):
        """Views (M, N) of the bit-line and word-line voltages of one array."""
        bits, words, m, n, pitch = self.numbers[0, [K.B, K.W, K.M, K.N, K.PITCH]].tolist()
        return tuple(pool[at : at + m * pitch].reshape(m, pitch)[:, :n] for at in (bits, words))


class _Wires(NamedTuple):
    """Of one level: ohm of segments (2, lines) and of all segments, if they differ; beyond the root, and the far ends."""

    lines: tuple
    segments: tuple | None
    roots: tuple
    fars: tuple


@lru_cache(maxsize=32)
def _plan_cached(levels, resistances, width, sensed, many):
    return make_plan(levels, np.frombuffer(resistances).reshape(2, 3, width), None, np.frombuffer(sensed, bool), many)


def plan_of_read(resistances, shape, mean):
    """A `Plan` for one array (M, N) of so much conductance a device [S], read at all bit lines, quickly: wires are the same
    in thousands of crossbars."""
    key = resistances.tobytes(), resistances.shape[2], shape
    return _plan_of_read(*key, choose_blocks(mean, look_at(*key), shape))


@lru_cache(maxsize=32)
def _plan_of_read(resistances, width, shape, blocks):
    levels = lump_lines(*shape, look_at(resistances, width, shape).kinds, blocks)
    return make_plan(levels, np.frombuffer(resistances).reshape(2, 3, width), None, np.ones(shape[1], dtype=bool), False)


def plan_for(levels, resistances, segments, sensed, many):
    """A `Plan`, kept if all segments of a line are equal."""
    if segments is not None:
        return make_plan(levels, resistances, segments, sensed, many)
    return _plan_cached(_Levels(levels), resistances.tobytes(), resistances.shape[2], sensed.tobytes(), many)


class _Levels(tuple):
    """Levels that are the same only where they are the same object: `lump_lines` keeps them."""

    def __hash__(self):
        return id(self[0].at_word)

    def __eq__(self, other):
        return self[0].at_word is other[0].at_word


def make_plan(levels, resistances, segments, sensed, many):
    """Numbers, edges and tables of all levels. ``sensed`` (N,) bool: bit lines whose gross current sets the scale."""
    shape = levels[0].shape
    wires = _Wires(tuple(resistances[side, 0, :n] for side, n in enumerate(shape)), segments,
                   tuple(resistances[side, 1, :n] for side, n in enumerate(shape)),
                   tuple(resistances[side, 2, :n] for side, n in enumerate(shape)))
    writer, numbers = _Writer(many), []
    for level, finer, coarse in zip(levels, (None, *levels[:-1]), (*levels[1:], None)):
        number = np.zeros(K.N_FIELDS, np.int64)
        _size(number, level, many)
        if finer is None and not many:
            number[K.G_PITCH] = _whole(level.shape[1])
        _tabulate(number, level, finer, wires, writer)
        number[K.SENSED] = writer.table(_pad(sensed.astype(float), many, 0.0))
        _place(number, finer is not None, coarse is None and finer is not None, writer)
        numbers.append(number)
        if coarse is not None:
            wires = _lump(level, coarse, wires)
    scratch = _place_scratch(numbers, writer)
    width = max(max(level.shape) for level in levels) + 2
    edges = np.zeros((len(levels), K.N_EDGES, width), np.int64)
    for edge, level in zip(edges, levels):
        for row, values in ((K.CHUNK_W, level.chunks_word), (K.CHUNK_B, level.chunks_bit), (K.FIRST, level.first),
                            (K.BEFORE, level.before)):
            edge[row, : len(values)] = values
    return Plan(np.array(numbers), edges, np.concatenate(writer.tables), writer.size, scratch)


class _Writer:
    """Hands out places in the tables and in the pool."""

    def __init__(self, many):
        self.many, self.tables, self.length, self.size, self.n_rooms = many, [], 0, 0, 0

    def table(self, values):
        """Place of flat values."""
        place = self.length
        self.tables.append(np.ascontiguousarray(values, dtype=float).ravel())
        self.length += self.tables[-1].size
        return place

    def room(self, size):
        """Place of so many numbers in the pool."""
        self.n_rooms += 1
        place = self.size + (_STAGGER * self.n_rooms - self.size) % _PAGE if size > _PAGE else self.size
        self.size = place + int(size)
        return place


def _whole(n):
    """Up to a multiple of LANES."""
    return -(-n // LANES) * LANES


def _size(number, level, many):
    m, n = level.shape
    number[K.M], number[K.N] = m, n
    number[K.BLOCKS], number[K.VECTORS] = (m, n) if many else (_whole(m) // LANES, _whole(n) // LANES)
    pitch = LANES * number[K.VECTORS]
    number[K.W_PITCH] = pitch if many else LANES * n
    number[K.PITCH] = pitch + LANES if pitch % 64 == 0 else pitch
    number[K.G_PITCH] = number[K.PITCH]
    number[K.CHUNKS] = len(level.chunks_word) - 1


def _pad(values, many, filling):
    """One value a line, with as many more as vectors of one array need."""
    return values if many else np.concatenate([values, np.full(_whole(len(values)) - len(values), filling)])


def _tabulate(number, level, finer, wires, writer):
    many = writer.many
    for side, at in ((WORDS, level.at_word), (BITS, level.at_bit)):
        first, last = _root_and_far(at, side)
        inner = wires.segments[side] if wires.segments is not None else None
        if inner is None:
            root_segment, far_segment = wires.lines[side] * first, wires.lines[side] * last
        else:
            inner = inner if side == WORDS else inner[::-1].T
            root_segment, far_segment = inner[:, 0], inner[:, -1]
        with np.errstate(divide="ignore"):
            end = 1.0 / np.maximum(far_segment + wires.fars[side], _SHORT)
        root = root_segment + wires.roots[side]
        tapers = _tapers(level, finer, side, wires)
        rows = [end, root, *tapers]
        number[K.TABLE_W + side] = writer.table([_pad(row, many, 1.0) for row in rows])
    number[K.SEGMENTS_W], number[K.W_LINE], number[K.W_STEP] = _word_segments(level, wires, writer)
    number[K.SEGMENTS_B], number[K.B_STEP] = _bit_segments(level, wires, writer)
    number[K.SHARE_W], number[K.SHARE_B] = writer.table(level.share_word), writer.table(level.share_bit)
    number[K.AT_W] = writer.table(level.at_word)


def _tapers(level, finer, side, wires):
    """Weight of a correction at distance p from an end, slope and value at p = 0, for root and far end: beyond it a
    resistance follows, and the outermost coarse node is at distance x. Falls towards zero at a source, stays on a floating
    line. Of bit lines only the value at the outermost node of the finer level is wanted."""
    at = level.at_word if side == WORDS else level.at_bit
    distances, outermost = _root_and_far(at, side), (0.0, 0.0)
    if side == BITS and finer is not None:
        outermost = _root_and_far(finer.at_bit, side)
    rows = []
    for distance, p, beyond in zip(distances, outermost, (wires.roots[side], wires.fars[side])):
        whole = distance * wires.lines[side] + beyond
        tapers = (whole > 0.0) & (whole < np.inf)
        safe = np.where(tapers, whole, 1.0)
        slope, value = np.where(tapers, wires.lines[side] / safe, 0.0), np.where(tapers, beyond, 1.0) / safe
        rows += [slope, value + slope * p]
    return rows


def _root_and_far(at, side):
    """Distances of the outermost nodes from the root end and from the far end: bit lines have their root below."""
    return (at[1], at[-1] - at[-2]) if side == WORDS else (at[-1] - at[-2], at[1])


def _word_segments(level, wires, writer):
    """Place, step to the next vector of word lines, step along the line."""
    m, n = level.shape
    if wires.segments is None and _is_even(level.at_word):
        return writer.table(_pad(wires.lines[WORDS], writer.many, 1.0)), 1, 0
    if wires.segments is None:
        ohms = wires.lines[WORDS][:, None] * np.diff(level.at_word)[:n]
    else:
        ohms = wires.segments[WORDS][:, :n]
    if not writer.many:  # in the word layout
        ohms = np.concatenate([ohms, np.ones((_whole(m) - m, n))]).reshape(-1, LANES, n).swapaxes(1, 2)
    return writer.table(ohms), n, 1


def _bit_segments(level, wires, writer):
    """Place, and step to the next node along the lines."""
    m, n = level.shape
    if wires.segments is None and _is_even(level.at_bit):
        return writer.table(_pad(wires.lines[BITS], writer.many, 1.0)), 0
    if wires.segments is None:
        ohms = wires.lines[BITS] * np.diff(level.at_bit)[:m, None]
    else:
        ohms = wires.segments[BITS][:m]
    if not writer.many:
        ohms = np.concatenate([ohms, np.ones((m, _whole(n) - n))], axis=1)
    return writer.table(ohms), ohms.shape[1]


def _is_even(at):
    """Whether neighbouring nodes are one segment apart."""
    return bool((np.diff(at) == 1.0).all())


def _place(number, is_coarse, is_coarsest, writer):
    m, rows, pitch = number[K.M], number[K.BLOCKS] * (1 if writer.many else LANES), number[K.PITCH]
    if is_coarse or writer.many:
        number[K.G] = writer.room(rows * pitch)
    number[K.F_WORD] = writer.room(number[K.BLOCKS] * number[K.W_PITCH])
    number[K.F_BIT] = writer.room(m * pitch)
    number[K.B] = writer.room((max(rows, m + 2) if is_coarse else rows) * pitch)
    number[K.W] = writer.room(rows * pitch)
    if is_coarse:
        number[K.Q] = writer.room(rows * pitch)
    chunks = number[K.CHUNKS]
    number[K.WIDE] = writer.room((chunks + 2 if writer.many else max(_whole(chunks), chunks + 2)) * pitch)
    if is_coarsest:
        number[K.GRADIENTS] = writer.room(3 * m * pitch)
    number[K.LINE_W] = writer.room(LANES * (K.N_LINE_ROWS * number[K.BLOCKS] + chunks))
    number[K.LINE_B] = writer.room(LANES * K.N_LINE_ROWS * number[K.VECTORS])


def _place_scratch(numbers, writer):
    """The same for all levels, of which one is at work; returns how much of it each thread needs for itself."""
    row = max(number[K.PITCH] for number in numbers)
    rows = writer.room(K.N_ROWS * row)
    start = writer.size
    x = writer.room(2 * LANES * LANES * max(number[K.VECTORS] for number in numbers))
    tile, room = writer.room(LANES * LANES), 0
    for number in numbers:
        number[K.X], number[K.TILE], number[K.ROWS], number[K.ROW] = x, tile, rows, row
        large = number[K.M] * number[K.PITCH] > _LARGE
        number[K.RUN] = 2 if large else 8
        fitting = _LARGEST_STRIP if large else max(2, _STRIP // (LANES * number[K.M]))
        number[K.STRIP] = min(number[K.VECTORS], fitting)
        room = max(room, LANES * number[K.STRIP] * number[K.M])
    place = writer.room(room)
    for number in numbers:
        number[K.J] = place
    return writer.size - start


def _lump(level, coarse, wires):
    """Wires of the coarse crossbar: lines in parallel."""
    chunks = level.chunks_word, level.chunks_bit
    lines, roots, fars = ([_in_parallel(values[side], chunks[side]) for side in (WORDS, BITS)]
                          for values in (wires.lines, wires.roots, wires.fars))
    segments = None
    if wires.segments is not None:
        words = _resample(wires.segments[WORDS], level.at_word, coarse.at_word)
        bits = _resample(wires.segments[BITS].T, level.at_bit, coarse.at_bit)
        segments = _in_parallel(words, chunks[WORDS]), _in_parallel(bits, chunks[BITS]).T
    return _Wires(tuple(lines), segments, tuple(roots), tuple(fars))


def _in_parallel(ohms, chunks):
    with np.errstate(divide="ignore"):
        return 1.0 / np.add.reduceat(1.0 / ohms, chunks[:-1], axis=0)


def _resample(ohms, at, coarse_at):
    """Resistance between coarse positions along each line; where a segment is broken between two of them, that of one."""
    after = np.clip(np.searchsorted(at, coarse_at, side="right"), 1, len(at) - 1)
    weights = (coarse_at - at[after - 1]) / (at[after] - at[after - 1])
    broken = ohms >= BROKEN
    if not broken.any():
        return np.diff(_passed(ohms, after, weights), axis=1)
    n_broken = np.rint(_passed(broken, after, weights))  # apart from the others, whose sums would lose their digits
    whole = np.diff(_passed(np.where(broken, 0.0, ohms), after, weights), axis=1)
    return np.where(np.diff(n_broken, axis=1) > 0, BROKEN, whole)


def _passed(values, after, weights):
    """Sum of values from the first position on to others, between those before and after them."""
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    return sums[:, after - 1] * (1.0 - weights) + sums[:, after] * weights
