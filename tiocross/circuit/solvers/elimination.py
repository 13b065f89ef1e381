"""Transfer matrices of linear crossbars by nested elimination.

The array is cut into small parts. Each becomes a block: a matrix that says how the ends of its lines answer, whatever
it is joined to. Neighbours are joined in pairs, which eliminates the wires between them, until one block is left; its
answer at the bottom ends to voltages at the left ends is the transfer matrix. An n x n array takes about 28 n^3
multiplications, nearly all in products of matrices, and memory for some 50 n^2 numbers, which is kept for the next one if
it is less than 64 MB. Cutting a grid into parts and eliminating them one inside the other is nested dissection (A. George,
SIAM J. Numer. Anal. 10, 345 (1973)).

A block has four sets of ports: L and R, where its word lines enter at the left and leave at the right, B and T, where its
bit lines enter at the bottom and leave at the top. Given the voltages at L and B and the currents drawn out at R and T,
the block answers with the currents into L and B and the voltages at R and T through a symmetric matrix F, kept in ten
parts such as "LB" (port by port). Joining two blocks side by side, F on the left and F' on the right, the wires
between have a current i and a voltage v with

    v = F_R. x - Z i,   i = F'_L. x' + Y v,   Z = -F_RR,   Y = F'_LL,   hence with W = (1 + Y Z)^-1:
    i = W (Y F_R. x + F'_L. x'),   v = F_R. x - Z i.

Z is a matrix of resistances, Y one of conductances, and the eigenvalues of Y Z are not negative: nothing is divided by
a resistance or a conductance, so that zero and tiny ones of either keep their digits. What is lost are about as many
digits as the conductance of all devices of a line times its source or sense resistance has, and those of rows of the
transfer matrix that bit-line wires shield from the bottom ends by as many decades. Word and bit lines play the same part,
so joining blocks that stand on each other is the same with (L, R) and (B, T) exchanged. A port that the result does not
need is never computed: the right and top ends of the array are open, and how its left ends load their sources, or its
bottom ends each other, is not asked for.
"""

import numpy as np

from tiocross.circuit.solvers.leaves import Cut, Leaves, portions, spread_wires
from tiocross.circuit.solvers.memory import borrow, hand_back

_EXCHANGED = str.maketrans("LRBT", "BTLR")


def eliminate(conductances, words, bits, source_resistance, sense_resistance):
    """Transfer matrices (C, M, N) [S] of arrays that share their wires, driven at the left ends and held at 0 V at the
    bottom, the right and top ends open. ``words`` and ``bits``: one resistance for the segments of each line, (M,) and (N,),
    or for each segment, (M, N + 1) and (M + 1, N) [ohm]."""
    wires = spread_wires(conductances.shape[1:], words, bits, source_resistance, sense_resistance)
    matrix = np.empty(conductances.shape)
    for part in portions(conductances):
        matrix[part] = _whole(conductances[part], *wires)
    return matrix


def _whole(conductances, words, bits):
    """Of arrays that are treated together; ``words`` and ``bits``: resistance before each node (M, N) [ohm]."""
    cut, memories = Cut(*conductances.shape), borrow()
    padded = [cut.pad(values) for values in (conductances, words[None], bits[None])]
    strips = []
    for rows in cut.strips[::-1]:  # upwards
        strip = _leaves(cut, padded, rows, memories)
        height = (rows.stop - rows.start) * cut.m
        strip = _merge_neighbours(strip, 1, max(1, cut.n_across * cut.n // (2 * height)))
        strips.append(strip.parts if len(cut.strips) == 1 else {ports: part.copy() for ports, part in strip.parts.items()})
    parts = strips[0] if len(strips) == 1 else {
        ports: np.concatenate([strip[ports] for strip in strips if ports in strip], axis=1)
        for ports in strips[0] | strips[-1]}
    blocks = _merge_neighbours(_Blocks(parts, (True, True), (True, True), memories), 1, 1)
    matrix = -cut.trim(blocks.parts["LB"][:, 0, 0, ::-1])  # F counts the current into the bottom ends
    hand_back(memories)
    return matrix


def _leaves(cut, padded, rows, memories):
    """Blocks of a strip of rows of parts."""
    m, n = cut.m, cut.n
    upwards, right = 2 * n + 2 * np.arange(m), np.arange(n)
    order = np.concatenate([upwards, upwards + 1, right, n + right])
    forms = Leaves(cut, padded, rows, order).build(memories.turn()[1])[:, ::-1]
    ends = rows.stop == cut.n_down, rows.start == 0
    n_upward, n_across = forms.shape[1:3]
    places = {"L": slice(0, m), "R": slice(m, 2 * m), "B": slice(2 * m, 2 * m + n), "T": slice(2 * m + n, 2 * (m + n))}
    parts = {}
    for ports in ("LL", "LR", "LB", "LT", "RR", "RB", "RT", "BB", "BT", "TT"):
        upward = slice(int(ports == "BB" and ends[0]), n_upward - ("T" in ports and ends[1]))
        across = slice(int(ports == "LL"), n_across - ("R" in ports))
        part = forms[:, upward, across, places[ports[0]], places[ports[1]]]
        if part.size:
            parts[ports] = part
    return _Blocks(parts, ends, (True, True), memories)


def _merge_neighbours(blocks, n_upward, n_across):
    """Join neighbours until there are only so many blocks, the shorter sides first."""
    while True:
        _, upward, across, height, width = blocks.parts["LB"].shape
        if upward <= n_upward and across <= n_across:
            return blocks
        if upward <= n_upward or across > n_across and width <= height:
            blocks = blocks.joined()
        else:
            blocks = blocks.exchanged().joined().exchanged()


class _Blocks:
    """A grid of equal blocks in each array: ``parts[ports]`` is (n_arrays, n_upward, n_across, ports, ports).

    Blocks upward count from the bottom, across from the left. If the grid begins and ends where the array does
    (``upward_ends``, ``across_ends``), R is not needed in the last across, T in the last upward, LL in the first across,
    BB in the first upward, and a part has that many blocks less, or is missing.
    """

    def __init__(self, parts, upward_ends, across_ends, memories):
        self.parts, self.upward_ends, self.across_ends, self._memories = parts, upward_ends, across_ends, memories

    def exchanged(self):
        """The same with word and bit lines exchanged."""
        parts = {}
        for ports, part in self.parts.items():
            part, ports = part.swapaxes(1, 2), ports.translate(_EXCHANGED)
            turned = ports in ("BL", "TL", "BR", "TR")
            parts[ports[::-1] if turned else ports] = part.swapaxes(-1, -2) if turned else part
        return _Blocks(parts, self.across_ends, self.upward_ends, self._memories)

    def pair(self, ports):
        """A part of the blocks 2c and of the blocks 2c + 1 across."""
        part, start = self.parts.get(ports), int(ports == "LL" and self.across_ends[0])
        return (None, None) if part is None else (part[:, :, start::2], part[:, :, 1 - start :: 2])

    def joined(self):
        """Blocks 2c and 2c + 1 across joined, for every c: the wires between them eliminated."""
        scratch, results = self._memories.turn()
        (left_ll, right_ll), (left_rr, right_rr), (left_lr, right_lr) = map(self.pair, ("LL", "RR", "LR"))
        loop = scratch.multiply(right_ll, left_rr)  # Y (-Z)
        gain = np.linalg.inv(np.subtract(np.eye(loop.shape[-1]), loop, out=loop))  # W
        symmetric = scratch.multiply(gain, right_ll)  # W Y
        new, cross = {}, {}
        for port in "BT":
            if "L" + port in self.parts:
                (left_l, right_l), (left_r, right_r) = self.pair("L" + port), self.pair("R" + port)
                n_upward = left_l.shape[1]
                # The current between for voltages or currents at this port of the left blocks, and of the right blocks.
                from_left = scratch.multiply(symmetric[:, :n_upward], left_r)
                from_right = scratch.multiply(gain[:, :n_upward], right_l)
                new["L" + port] = _beside(results, (left_lr[:, :n_upward], from_left, left_l),
                                          (left_lr[:, :n_upward], from_right))
                cross[port] = left_r, right_l, right_r, from_left, from_right
        if left_ll.size:
            last = left_lr[:, :, -left_ll.shape[2] :]
            new["LL"] = results.multiply(scratch.multiply(last, symmetric[:, :, -left_ll.shape[2] :]), _turned(last))
            new["LL"] += left_ll
        if right_lr.size:
            n_across = right_lr.shape[2]
            current = scratch.multiply(gain[:, :, :n_across], right_lr)  # between, for currents at the right ports
            voltage = _turned(scratch.multiply(left_rr[:, :, :n_across], current))
            new["LR"] = results.multiply(left_lr[:, :, :n_across], current)
            new["RR"] = results.multiply(voltage, right_lr)
            new["RR"] += right_rr
            current = _turned(current)
            for port, (left_r, right_l, right_r, _, _) in cross.items():
                n_upward = left_r.shape[1]
                new["R" + port] = _beside(results, (current[:, :n_upward], left_r[:, :, :n_across]),
                                          (voltage[:, :n_upward], right_l[:, :, :n_across], right_r))
        self._join_cross(new, cross, left_rr)
        return _Blocks(new, self.upward_ends, self.across_ends, self._memories)

    def _join_cross(self, new, cross, left_rr):
        """The parts of F between bottom and top ports."""
        voltages = {}
        for ports in ("BB", "BT", "TT"):
            if ports not in self.parts:
                continue
            left, right = self.pair(ports)
            upward = slice(-left.shape[1], None) if ports == "BB" else slice(left.shape[1])
            p_left, p_right, _, _, p_current = (values[:, upward] for values in cross[ports[0]])
            q_left, _, _, from_left, from_right = (values[:, upward] for values in cross[ports[1]])
            if ports[1] not in voltages:
                voltages[ports[1]] = self._memories.scratch.multiply(left_rr[:, upward], from_right)
            height, width = left.shape[-2:]
            part = new[ports] = self._memories.results.take(*left.shape[:3], 2 * height, 2 * width)
            _fill(part[..., :height, :width], _turned(p_left), from_left, left)
            _fill(part[..., :height, width:], _turned(p_left), from_right)
            _fill(part[..., height:, width:], _turned(p_right), voltages[ports[1]], right)
            if ports == "BT":
                _fill(part[..., height:, :width], _turned(p_current), q_left)
            else:
                part[..., height:, :width] = _turned(part[..., :height, width:])


def _turned(matrices):
    return matrices.swapaxes(-1, -2)


def _fill(out, first, second, added=None):
    """``out`` = first @ second + added."""
    np.matmul(first, second, out=out)
    if added is not None:
        out += added


def _beside(memory, left, right):
    """Two results of _fill side by side."""
    width = left[1].shape[-1]
    out = memory.take(*left[0].shape[:-1], width + right[1].shape[-1])
    _fill(out[..., :width], *left)
    _fill(out[..., width:], *right)
    return out
