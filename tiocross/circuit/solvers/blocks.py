"""Blocks of a crossbar, and two neighbours joined into one.

A block answers to the voltages at the ports where its lines enter (sides L and B) and to the currents drawn where they
leave (R and T) with the currents and voltages there, through a symmetric matrix F. Its ports stand in the order in which
one goes around it: L downwards, B to the right, R upwards, T to the left. Where the array ends, nothing is drawn at R and
T, and nothing is asked but how the bottom ends answer to the left ends: of F there are only rows for left ends (driven)
and inner ports, and columns for bottom ends (sensed) and inner ports.

Joining block a and its neighbour b, with a's ports R next to b's ports L (or T next to B), the wires between have a current
i and a voltage v with

    v = F_Rx x - Z i,   i = F'_Lx' x' + Y v,   Z = -F_RR,   Y = F'_LL,   hence with W = (1 + Y Z)^-1:
    i = W (Y F_Rx x + F'_Lx' x'),   v = F_Rx x - Z i.

Z is a matrix of resistances, Y one of conductances, and the eigenvalues of Y Z are not negative: nothing is divided by
a resistance or a conductance, so that zero and tiny ones of either keep their digits.

The other way: let a number change by sum(dF * S) with the joined F, S symmetric, and let i = I x, v = V x for the ports x of
the joined block. Then it changes with a by S between ports that a keeps, S I^T between those and R, I S I^T between R and R;
with b by S, S V^T and V S V^T. What has rows or columns only counts half in S.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Run(NamedTuple):
    """Ports of one side that stand together: from which row and column of the block's matrix on, and how many."""

    side: str
    row: int
    column: int
    length: int

    @property
    def rows(self):
        """Their slice of the rows."""
        return slice(self.row, self.row + self.length)

    @property
    def columns(self):
        """Their slice of the columns."""
        return slice(self.column, self.column + self.length)


class _Ends(NamedTuple):
    """Driven rows and sensed columns of a block: where they begin, and how many."""

    driven: int
    n_driven: int
    sensed: int
    n_sensed: int


class Block:
    """``matrix`` (..., rows, columns), one for each of the leading axes; ``inner`` runs of ports in the order around it;
    slices of the rows of ``driven`` left ends, of the columns of ``sensed`` bottom ends; how it was ``joined``."""

    def __init__(self, matrix, inner, driven, sensed, joined=None):
        self.matrix, self.inner, self.driven, self.sensed, self.joined = matrix, inner, driven, sensed, joined
        self.shape = matrix.shape
        self.n_driven, self.n_sensed = driven.stop - driven.start, sensed.stop - sensed.start

    @property
    def signature(self):
        """Where driven and sensed ports are: rows from, number, columns from, number."""
        return _Ends(self.driven.start, self.n_driven, self.sensed.start, self.n_sensed)

    def around(self, side):
        """Runs of a side in the order around the block, and those of the other sides in the order from there on."""
        places = [k for k, run in enumerate(self.inner) if run.side == side]
        if len(places) == 2:  # the side is cut by the beginning
            return [self.inner[-1], self.inner[0]], self.inner[1:-1]
        k = places[0]
        return [self.inner[k]], self.inner[k + 1 :] + self.inner[:k]


def join(a, b, sides):
    """The block of a and its neighbour b, joined at ``sides``: "RL" with b on the right, "TB" with b above."""
    (far, a_runs), (near, b_runs) = a.around(sides[0]), b.around(sides[1])
    at_a, at_b = _gather(a, far, a_runs, 1), _gather(b, near, b_runs, -1)
    rr, ll = at_a.loop, at_b.loop
    loop = ll @ rr  # Y (-Z)
    gain = np.linalg.inv(np.subtract(np.eye(loop.shape[-1]), loop, out=loop))  # W
    symmetric = gain @ ll  # W Y
    place = _find_places(a.signature, b.signature, tuple(a_runs), tuple(b_runs))
    out = np.empty((*a.matrix.shape[:-2], place.n_driven + place.n_inner, place.n_sensed + place.n_inner))
    current_a, current_b = symmetric @ at_a.columns, gain @ at_b.columns
    _add_products(out, place.a, place.a, at_a, current_a, a.matrix)
    _add_products(out, place.a, place.b, at_a, current_b)
    _add_products(out, place.b, place.b, at_b, rr @ current_b, b.matrix)
    out[..., place.b.inner_rows, place.a.inner_columns] = _turned(out[..., place.a.inner_rows, place.b.inner_columns])
    n_sensed, turned = a.n_sensed, _turned(gain)
    if b.n_driven:
        voltage_a = turned @ at_a.columns
        np.matmul(at_b.driven, voltage_a[..., :n_sensed], out=out[..., place.b.driven, place.a.sensed])
        np.matmul(at_b.driven, voltage_a[..., n_sensed:], out=out[..., place.b.driven, place.a.inner_columns])
    if n_sensed and place.b.n_inner:
        np.matmul(at_b.inner, turned @ at_a.columns[..., :n_sensed], out=out[..., place.b.inner_rows, place.a.sensed])
    currents = _currents(symmetric, gain, at_a, at_b, current_a, current_b)
    joined = _Joined((a, b), (far, near), place, at_a, currents)
    a.matrix = b.matrix = None  # no longer needed
    return Block(out, place.runs, slice(0, place.n_driven), slice(0, place.n_sensed), joined)


def _currents(symmetric, gain, at_a, at_b, current_a, current_b):
    """I in parts: for driven, sensed and inner ports of the joined block."""
    n_a, n_b = at_a.n_sensed, at_b.n_sensed
    return (np.concatenate([gain @ _turned(at_b.driven), symmetric @ _turned(at_a.driven)], axis=-1),
            np.concatenate([current_a[..., :n_a], current_b[..., :n_b]], axis=-1),
            np.concatenate([current_a[..., n_a:], current_b[..., n_b:]], axis=-1))


class _Gathered(NamedTuple):
    """Parts of F at the ports to be joined: with themselves, with the columns that stay, with the driven rows."""

    loop: np.ndarray
    columns: np.ndarray
    driven: np.ndarray
    n_sensed: int

    @property
    def inner(self):
        """With the rows of inner ports."""
        return _turned(self.columns[..., self.n_sensed :])


def _gather(block, ports, runs, step):
    """Parts at the ``ports``, taken in this order or (``step`` -1) the other way round."""
    matrix, n_ports = block.matrix, sum(run.length for run in ports)
    leading = matrix.shape[:-2]
    loop, driven = np.empty((*leading, n_ports, n_ports)), np.empty((*leading, block.n_driven, n_ports))
    columns = np.empty((*leading, n_ports, block.n_sensed + sum(run.length for run in runs)))
    turned_loop, turned_driven, turned_columns = loop[..., ::step, ::step], driven[..., ::step], columns[..., ::step, :]
    at = 0
    for run in ports:
        rows = _from(at, run.length)
        other_at = 0
        for other in ports:
            turned_loop[..., rows, _from(other_at, other.length)] = matrix[..., run.rows, other.columns]
            other_at += other.length
        turned_driven[..., rows] = matrix[..., block.driven, run.columns]
        turned_columns[..., rows, : block.n_sensed] = matrix[..., run.rows, block.sensed]
        other_at = block.n_sensed
        for other in runs:
            turned_columns[..., rows, _from(other_at, other.length)] = matrix[..., run.rows, other.columns]
            other_at += other.length
        at += run.length
    return _Gathered(loop, columns, driven, block.n_sensed)


@lru_cache(maxsize=1024)
def _find_places(a, b, a_runs, b_runs):
    return _Places(a, b, a_runs, b_runs)


class _Places:
    """Where ports of a and b stand in the joined block: driven of the upper before those of the lower, sensed of a before
    those of b, inner of a before those of b."""

    def __init__(self, a, b, a_runs, b_runs):
        n_a, n_b = (sum(run.length for run in runs) for runs in (a_runs, b_runs))
        self.n_driven, self.n_sensed, self.n_inner = a.n_driven + b.n_driven, a.n_sensed + b.n_sensed, n_a + n_b
        self.a = _Place(a, a_runs, (b.n_driven, 0), (self.n_driven, self.n_sensed), n_a)
        self.b = _Place(b, b_runs, (0, a.n_sensed), (self.n_driven + n_a, self.n_sensed + n_a), n_b)
        runs, row, column = [], self.n_driven, self.n_sensed
        for k, run in enumerate(a_runs + b_runs):
            if runs and runs[-1].side == run.side and (k != len(a_runs) or run.side in "BR"):
                last = runs.pop()
                runs.append(last._replace(length=last.length + run.length))
            else:
                runs.append(Run(run.side, row, column, run.length))
            row, column = row + run.length, column + run.length
        self.runs = runs


class _Place:
    """Of one of the two: slices of the joined block; ``pieces``: pairs of slices of rows and of columns (own, joined)."""

    def __init__(self, block, runs, ends, inner, n_inner):
        self.n_inner = n_inner
        self.driven, self.sensed = _from(ends[0], block.n_driven), _from(ends[1], block.n_sensed)
        self.inner_rows, self.inner_columns = _from(inner[0], n_inner), _from(inner[1], n_inner)
        pieces, at = [], 0  # own row and column, place among the inner ports, length
        for run in runs:
            if pieces and run.row == pieces[-1][0] + pieces[-1][3] and run.column == pieces[-1][1] + pieces[-1][3]:
                pieces[-1][3] += run.length
            else:
                pieces.append([run.row, run.column, at, run.length])
            at += run.length
        self.inner_pieces = [(Run("", row, column, n), _from(at, n)) for row, column, at, n in pieces]
        self.row_pieces = [(_from(row, n), _from(inner[0] + at, n)) for row, _, at, n in pieces]
        self.column_pieces = [(_from(column, n), _from(inner[1] + at, n)) for _, column, at, n in pieces]
        if block.n_driven:
            self.row_pieces.insert(0, (_from(block.driven, block.n_driven), self.driven))
        if block.n_sensed:
            self.column_pieces.insert(0, (_from(block.sensed, block.n_sensed), self.sensed))


def _from(start, length):
    return slice(start, start + length)


def _add_products(out, rows, columns, gathered, answers, own=None):
    """Rows of one block times ``answers`` (joined ports, columns of one block) into the joined matrix, plus its own."""
    n_sensed = columns.sensed.stop - columns.sensed.start
    for row, left in ((rows.driven, gathered.driven), (rows.inner_rows, gathered.inner)):
        for column, right in ((columns.sensed, answers[..., :n_sensed]), (columns.inner_columns, answers[..., n_sensed:])):
            if left.shape[-2] and right.shape[-1]:
                np.matmul(left, right, out=out[..., row, column])
    if own is not None:
        for own_row, row in rows.row_pieces:
            for own_column, column in columns.column_pieces:
                out[..., row, column] += own[..., own_row, own_column]


def _turned(matrices):
    return matrices.swapaxes(-1, -2)


class _Joined:
    """How two blocks became one, to pull back through it."""

    def __init__(self, blocks, ports, places, at_a, currents):
        self.blocks, self.ports, self.places, self.at_a, self.currents = blocks, ports, places, at_a, currents

    def pull(self, weights):
        """S of the two blocks, like their matrices, for S of the joined one."""
        answers = _Weights(weights, self.places).times(self.currents)
        (a, b), at_a, place = self.blocks, self.at_a, self.places.a
        n_sensed, rr = at_a.n_sensed, at_a.loop
        own = _turned(at_a.driven), at_a.columns[..., :n_sensed], at_a.columns[..., n_sensed:]
        voltages = [part + answer @ rr for part, answer in zip(_Weights(weights, self.places).times(own, place), answers)]
        loop = _sum_of_products(own, [voltages[0][..., place.driven, :], voltages[1][..., place.sensed, :],
                                      voltages[2][..., : place.n_inner, :]])
        loop += rr @ _sum_of_products(self.currents, voltages)
        return (_spread(a, weights, place, 0, self.ports[0], 1, answers, _sum_of_products(self.currents, answers)),
                _spread(b, weights, self.places.b, place.n_inner, self.ports[1], -1, voltages, loop))


class _Weights:
    """S of a joined block in parts; D driven, S sensed, I inner ports."""

    def __init__(self, weights, places):
        d, s = slice(0, places.n_driven), slice(0, places.n_sensed)
        i, j = slice(places.n_driven, None), slice(places.n_sensed, None)
        self.ds, self.di, self.is_, self.ii = weights[..., d, s], weights[..., d, j], weights[..., i, s], weights[..., i, j]

    def times(self, parts, place=None):
        """S X^T for X in parts (driven, sensed, inner), of all ports or of those in one place (the first inner ones)."""
        ds, di, is_, ii = self.ds, self.di, self.is_, self.ii
        d, s, i = (_turned(part) for part in parts)
        rows, columns, inner = (place.driven, place.sensed, slice(0, place.n_inner)) if place else (slice(None),) * 3
        driven = ds[..., :, columns] @ s + di[..., :, inner] @ i
        sensed = _turned(ds[..., rows, :]) @ d + _turned(is_[..., inner, :]) @ i
        half = is_[..., :, columns] @ s + _turned(di[..., rows, :]) @ d
        return 0.5 * driven, 0.5 * sensed, ii[..., :, inner] @ i + 0.5 * half


def _sum_of_products(first, second):
    return sum(x @ y for x, y in zip(first, second) if x.shape[-1])


def _spread(block, weights, place, start, ports, step, answers, loop):
    """S of one of two blocks that were joined; ``answers``: S X^T in parts, ``loop`` X S X^T, X what is between them."""
    own = np.zeros(block.shape)
    for own_row, row in place.row_pieces:
        for own_column, column in place.column_pieces:
            own[..., own_row, own_column] = weights[..., row, column]
    driven, sensed = 2.0 * answers[0][..., place.driven, :], 2.0 * answers[1][..., place.sensed, :]
    inner = answers[2][..., start : start + place.n_inner, :]
    at = 0
    for run in ports if step > 0 else ports[::-1]:
        part = _from(at, run.length)
        at += run.length
        own[..., block.driven, run.columns] = driven[..., part][..., ::step]
        own[..., run.rows, block.sensed] = _turned(sensed[..., part])[..., ::step, :]
        for piece, joined in place.inner_pieces:
            own[..., piece.rows, run.columns] = inner[..., joined, part][..., ::step]
            own[..., run.rows, piece.columns] = _turned(inner[..., joined, part])[..., ::step, :]
        other_at = 0
        for other in ports if step > 0 else ports[::-1]:
            own[..., run.rows, other.columns] = loop[..., part, _from(other_at, other.length)][..., ::step, ::step]
            other_at += other.length
    return own
