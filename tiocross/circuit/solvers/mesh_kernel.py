"""Star-mesh elimination of a crossbar: every node, one after the other, without a subtraction.

A node k with conductances g_kp to its neighbours is replaced by conductances g_kp g_kq / sum_p g_kp between them, and a
current injected there goes to the neighbours in proportion to g_kp. Only positive numbers are added, multiplied and
divided, so each conductance that is left keeps its digits, however far apart those of the circuit are: relative errors
grow by a few roundings with each node and no more. What is left in the end are conductances between the *terminals*, the
connected ends of the lines. The current into terminal t is the sum of Y_ts (V_s - V_t), and a terminal that nothing
reaches has exactly none. Node voltages follow backwards, as means of voltages of neighbours. (Elimination without
subtractions: W. K. Grassmann, M. I. Taksar and D. P. Heyman, Oper. Res. 33, 1107 (1985).)

Nodes go row by row: those of word line i from the left, then those of the bit lines beside it. So only two nodes of a
word line and two of each bit line are in work at a time: the *front*. Neighbours that no resistance divides are one node;
if one of them is a connected end, they are its terminal. A node that nothing but open devices joins to the rest stays at
0 V.

symbol        shape              meaning                                                              unit
g             (M, N)             devices                                                              S
injected      (M, N), (0, N)     currents injected at the word-line nodes and drawn from the          A
                                 bit-line nodes; (0, N) for none
along_words   (M, N + 1)         resistances met along the word lines from the left, sources          ohm
                                 included; inf where one is broken or an end floats
along_bits    (M + 1, N)         the same along the bit lines from the top                            ohm
at_words      (M, N + 2) int     place of each node, ends included: in the front, or -1 - t if it     -
                                 is terminal t; of floating ends anything
at_bits       (M + 2, N) int     the same of the bit lines                                            -
numbers       (2, M, N) int      number of the node, which is that of the last of those joined        -
                                 without resistance; of word lines and of bit lines
volts         (K, C)             voltages of the terminals; C columns, one solution each; what is     V
                                 injected goes to column 0
front         (S, S)             scratch: conductances between the nodes in work, S = 2 N + 2         S
reach         (S, K)             scratch: conductances from these to the terminals                    S
moved         (S, 2)             scratch: currents injected at these, and their magnitudes            A
weights       (2 M N, S)         scratch: shares of the neighbours in a node's voltage                -
fed           (2 M N, C + 1)     scratch: what terminals and injections add to it; in the last        V
                                 column the magnitudes in column 0
slots         (2 M N,) int       scratch: place of a node in the front, -1 for none                   -
volts_now     (S, C + 1)         scratch: voltages of the nodes in work, on the way back              V
admittances   (K, K)             conductances between terminals, filled                               S
arrived       (K, 2)             injected currents that come out of terminals, and sums of their      A
                                 magnitudes, filled
nodes         (C + 1, 2, M, N)   bit-line and word-line voltages of each column, and the sums of      V
                                 magnitudes that the first is made of, filled
"""

import numpy as np

from tiocross.jit import helper, kernel

WORDS, BITS = range(2)


@helper
def _eliminate(s, k, volts, front, reach, moved, weights, fed, slots, admittances, arrived):
    """Eliminate the node in place s of the front, as number k."""
    n_front, n_terminals = reach.shape
    n_columns = volts.shape[1]
    total = 0.0
    for q in range(n_front):
        total += front[s, q]
    for t in range(n_terminals):
        total += reach[s, t]
    slots[k], scale = s, 1.0 / total if total > 0.0 else 0.0
    for c in range(n_columns + 1):
        fed[k, c] = 0.0
    for q in range(n_front):
        weights[k, q] = front[s, q] * scale
    for t in range(n_terminals):
        share = reach[s, t] * scale
        if share > 0.0:
            for c in range(n_columns):
                fed[k, c] += share * volts[t, c]
            fed[k, n_columns] += share * abs(volts[t, 0])
            arrived[t, 0] += share * moved[s, 0]
            arrived[t, 1] += share * moved[s, 1]
            for u in range(n_terminals):
                admittances[t, u] += share * reach[s, u]
    fed[k, 0] += scale * moved[s, 0]
    fed[k, n_columns] += scale * moved[s, 1]
    for p in range(n_front):
        share = weights[k, p]
        if share > 0.0:
            for q in range(n_front):
                front[p, q] += share * front[s, q]
            front[p, p] = front[p, s] = 0.0
            for t in range(n_terminals):
                reach[p, t] += share * reach[s, t]
            moved[p, 0] += share * moved[s, 0]
            moved[p, 1] += share * moved[s, 1]
    for q in range(n_front):
        front[s, q] = 0.0
    for t in range(n_terminals):
        reach[s, t] = 0.0
    moved[s, 0] = moved[s, 1] = 0.0


@helper
def _inject(place, current, moved, arrived):
    """At a place in the front, or at terminal t where it is -1 - t."""
    if place >= 0:
        moved[place, 0] += current
        moved[place, 1] += abs(current)
    else:
        arrived[-1 - place, 0] += current
        arrived[-1 - place, 1] += abs(current)


@helper
def _join(g, p, q, front, reach, admittances):
    """A conductance between two such places."""
    if p >= 0 and q >= 0:
        front[p, q] += g
        front[q, p] += g
    elif p >= 0:
        reach[p, -1 - q] += g
    elif q >= 0:
        reach[q, -1 - p] += g
    else:
        admittances[-1 - p, -1 - q] += g
        admittances[-1 - q, -1 - p] += g


@helper
def _join_wire(resistance, p, q, front, reach, admittances):
    if 0.0 < resistance < np.inf:
        _join(1.0 / resistance, p, q, front, reach, admittances)


@helper
def _go_back(at_words, at_bits, numbers, volts, weights, fed, slots, volts_now, nodes):
    """Voltages of all nodes, the last eliminated first."""
    n_front, n_columns = len(volts_now), volts.shape[1]
    for c in range(n_columns + 1):
        for s in range(n_front):
            volts_now[s, c] = 0.0
    for k in range(len(slots) - 1, -1, -1):
        if slots[k] >= 0:
            for c in range(n_columns + 1):
                voltage = fed[k, c]
                for q in range(n_front):
                    voltage += weights[k, q] * volts_now[q, c]
                fed[k, c] = voltage
            for c in range(n_columns + 1):
                volts_now[slots[k], c] = fed[k, c]
    for c in range(n_columns + 1):
        for side in range(2):
            for i in range(nodes.shape[2]):
                for j in range(nodes.shape[3]):
                    place = at_words[i, j + 1] if side == WORDS else at_bits[i + 1, j]
                    if place >= 0:
                        nodes[c, 1 - side, i, j] = fed[numbers[side, i, j], c]
                    else:
                        nodes[c, 1 - side, i, j] = volts[-1 - place, c] if c < n_columns else abs(volts[-1 - place, 0])


@kernel
def solve_mesh(g, injected, along_words, along_bits, at_words, at_bits, numbers, volts, front, reach, moved, weights, fed,
               slots, volts_now, admittances, arrived, nodes):
    """Fill ``admittances``, ``arrived`` and ``nodes``."""
    n_word, n_bit = g.shape
    front[:], reach[:], moved[:], admittances[:], arrived[:] = 0.0, 0.0, 0.0, 0.0, 0.0
    slots[:] = -1
    for i in range(n_word):
        for j in range(n_bit + 1):
            if j > 0:
                word, bit = at_words[i, j], at_bits[i + 1, j - 1]
                _join(g[i, j - 1], word, bit, front, reach, admittances)
                if len(injected) > 0:
                    _inject(word, injected[i, j - 1], moved, arrived)
                    _inject(bit, -injected[i, j - 1], moved, arrived)
            _join_wire(along_words[i, j], at_words[i, j], at_words[i, j + 1], front, reach, admittances)
            if j > 0 and at_words[i, j] >= 0 and along_words[i, j] > 0.0:
                _eliminate(at_words[i, j], numbers[WORDS, i, j - 1], volts, front, reach, moved, weights, fed, slots,
                           admittances, arrived)
        for j in range(n_bit):
            bit = at_bits[i + 1, j]
            if i == 0:
                _join_wire(along_bits[0, j], at_bits[0, j], bit, front, reach, admittances)
            _join_wire(along_bits[i + 1, j], bit, at_bits[i + 2, j], front, reach, admittances)
            if bit >= 0 and along_bits[i + 1, j] > 0.0:
                _eliminate(bit, numbers[BITS, i, j], volts, front, reach, moved, weights, fed, slots, admittances, arrived)
    _go_back(at_words, at_bits, numbers, volts, weights, fed, slots, volts_now, nodes)
