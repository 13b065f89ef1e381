"""Star-mesh elimination of a crossbar: every node, one after the other, without a subtraction.

A node k with conductances g_kp to its neighbours is replaced by conductances g_kp g_kq / sum_p g_kp between them, and a
current injected there goes to the neighbours in proportion to g_kp. Only positive numbers are added, multiplied and
divided, so each conductance that is left keeps its digits, however far apart those of the circuit are: relative errors
grow by a few roundings with each node and no more. What is left in the end are conductances between the *terminals*, the
connected ends of the lines. The current into terminal t is the sum of Y_ts (V_s - V_t), and a terminal that nothing
reaches has exactly none. Node voltages follow backwards, as means of voltages of neighbours. (Elimination without
subtractions: W. K. Grassmann, M. I. Taksar and D. P. Heyman, Oper. Res. 33, 1107 (1985).)

Nodes go row by row: those of word line i from the left, then those of the bit lines beside it. So only two nodes of a
word line and two of each bit line are in work at a time: the *front*. A line without resistance is one node; if it is
connected without resistance too, it is its terminal. A node that nothing but open devices joins to the rest stays at 0 V.

symbol        shape              meaning                                                              unit
g             (M, N)             devices                                                              S
injected      (M, N), (0, N)     currents injected at the word-line nodes and drawn from the          A
                                 bit-line nodes; (0, N) for none
ends          (2, 3, W)          resistance of a segment, behind the root and behind the far end      ohm
                                 (inf: floating), of word lines and of bit lines
terminals     (2, 2, W) int      number of the terminal at the root and at the far end, -1 if none    -
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

from tiocross.jit import helper, kernel

WORDS, BITS = range(2)
RHO, ROOT, FAR = range(3)


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
def _add_end(s, resistance, terminal, reach):
    if terminal >= 0:
        reach[s, terminal] += 1.0 / resistance


@helper
def _inject(s, terminal, current, moved, arrived):
    """At the node in place s of the front or, for s = -1, at a terminal."""
    if s >= 0:
        moved[s, 0] += current
        moved[s, 1] += abs(current)
    else:
        arrived[terminal, 0] += current
        arrived[terminal, 1] += abs(current)


@helper
def _add_device(g, current, word, word_terminal, bit, bit_terminal, front, reach, moved, admittances, arrived):
    """Between two places of the front, or the terminals there, where the place is -1."""
    if word >= 0 and bit >= 0:
        front[word, bit] += g
        front[bit, word] += g
    elif word >= 0:
        reach[word, bit_terminal] += g
    elif bit >= 0:
        reach[bit, word_terminal] += g
    else:
        admittances[word_terminal, bit_terminal] += g
        admittances[bit_terminal, word_terminal] += g
    if current != 0.0:
        _inject(word, word_terminal, current, moved, arrived)
        _inject(bit, bit_terminal, -current, moved, arrived)


@helper
def _is_terminal(line, ends, terminals, side):
    return terminals[side, 0, line] >= 0 and ends[side, RHO, line] + ends[side, ROOT, line] == 0.0


@helper
def _place_of_bit(i, j, n_bit, ends, terminals):
    """Place in the front of the node of bit line j beside word line i, -1 if it is a terminal."""
    if _is_terminal(j, ends, terminals, BITS):
        return -1
    return j if ends[BITS, RHO, j] == 0.0 else (i % 2) * n_bit + j


@helper
def _enter_bit_ends(i, n_word, n_bit, ends, terminals, reach):
    """The ends of the bit lines that are met at word line i."""
    for j in range(n_bit):
        s, rho = _place_of_bit(i, j, n_bit, ends, terminals), ends[BITS, RHO, j]
        if s >= 0 and i == 0:
            _add_end(s, rho + ends[BITS, FAR, j], terminals[BITS, 1, j], reach)
        if s >= 0 and i == (0 if rho == 0.0 else n_word - 1):
            _add_end(s, rho + ends[BITS, ROOT, j], terminals[BITS, 0, j], reach)


@helper
def _go_back(n_word, n_bit, ends, terminals, volts, weights, fed, slots, volts_now, nodes):
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
        for i in range(n_word):
            for j in range(n_bit):
                for side in range(2):
                    line, rho = (i, ends[WORDS, RHO, i]) if side == WORDS else (j, ends[BITS, RHO, j])
                    if _is_terminal(line, ends, terminals, side):
                        voltage = volts[terminals[side, 0, line], min(c, n_columns - 1) if c < n_columns else 0]
                        voltage = voltage if c < n_columns else abs(voltage)
                    elif side == WORDS:
                        voltage = fed[2 * n_bit * i + (0 if rho == 0.0 else j), c]
                    else:
                        voltage = fed[2 * n_bit * (n_word - 1 if rho == 0.0 else i) + n_bit + j, c]
                    nodes[c, 1 - side, i, j] = voltage


@kernel
def solve_mesh(g, injected, ends, terminals, volts, front, reach, moved, weights, fed, slots, volts_now, admittances,
               arrived, nodes):
    """Fill ``admittances``, ``arrived`` and ``nodes``."""
    n_word, n_bit = g.shape
    front[:], reach[:], moved[:], admittances[:], arrived[:] = 0.0, 0.0, 0.0, 0.0, 0.0
    slots[:] = -1
    for i in range(n_word):
        _enter_bit_ends(i, n_word, n_bit, ends, terminals, reach)
        rho = ends[WORDS, RHO, i]
        fixed = _is_terminal(i, ends, terminals, WORDS)
        for j in range(n_bit):
            s = -1 if fixed else 2 * n_bit + (0 if rho == 0.0 else j % 2)
            if s >= 0 and j == 0:
                _add_end(s, rho + ends[WORDS, ROOT, i], terminals[WORDS, 0, i], reach)
            if s >= 0 and j == (0 if rho == 0.0 else n_bit - 1):
                _add_end(s, rho + ends[WORDS, FAR, i], terminals[WORDS, 1, i], reach)
            _add_device(g[i, j], injected[i, j] if len(injected) > 0 else 0.0, s, terminals[WORDS, 0, i],
                        _place_of_bit(i, j, n_bit, ends, terminals), terminals[BITS, 0, j], front, reach, moved,
                        admittances, arrived)
            if s >= 0 and (rho > 0.0 or j == n_bit - 1):
                if rho > 0.0 and j < n_bit - 1:
                    beside = 2 * n_bit + (j + 1) % 2
                    front[s, beside] += 1.0 / rho
                    front[beside, s] += 1.0 / rho
                _eliminate(s, 2 * n_bit * i + (0 if rho == 0.0 else j), volts, front, reach, moved, weights, fed, slots,
                           admittances, arrived)
        for j in range(n_bit):
            s, rho = _place_of_bit(i, j, n_bit, ends, terminals), ends[BITS, RHO, j]
            if s >= 0 and (rho > 0.0 or i == n_word - 1):
                if rho > 0.0 and i < n_word - 1:
                    below = ((i + 1) % 2) * n_bit + j
                    front[s, below] += 1.0 / rho
                    front[below, s] += 1.0 / rho
                _eliminate(s, 2 * n_bit * i + n_bit + j, volts, front, reach, moved, weights, fed, slots, admittances,
                           arrived)
    _go_back(n_word, n_bit, ends, terminals, volts, weights, fed, slots, volts_now, nodes)
