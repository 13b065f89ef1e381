"""Small parts of a crossbar as blocks with ports, built device by device.

A part has m word lines and n bit lines that enter at its near side (left of word lines, bottom of bit lines) and leave
at its far side (right, top). Each line is given a voltage at its near port, and the current drawn from it at its far
port; the symmetric matrix F of the block answers with

    (current into the near ports, voltage at the far ports) = F (voltage at the near ports, current out of the far ports).

Bare lines without resistance have F = 1 between the two ends of each line and 0 elsewhere. From there
* one more segment of resistance r at the far end of a line lowers F[far, far] by r;
* a device G between the far ends w of a word line and t of a bit line adds g c c^T with c = F[:, w] - F[:, t] and
  g = G / (1 + G z), where z = c[t] - c[w] is the resistance through which the device is fed.
Nothing is divided by a resistance: zero and tiny ones need no special case. The ports stand in the order bottom ends,
top ends, then left and right end of word line 0, of word line 1 and so on: those in use so far come first.

symbol          shape                    meaning                                                    unit
conductances    (K, m, n)                devices of K blocks; word line 0 is the one at the bottom  S
first_word      (K, m)                   resistance before the first node of a word line            ohm
next_word       (K, m)                   resistance between neighbouring nodes of a word line       ohm
first_bit       (K, n)                   resistance before the first node of a bit line             ohm
next_bit        (K, n)                   resistance between neighbouring nodes of a bit line        ohm
form            (2m + 2n, 2m + 2n)       scratch: F                                                 S, 1, ohm
column          (2m + 2n)                scratch: c                                                 1, ohm
blocks          (K, 2m + 2n, 2m + 2n)    out: F with the ports in the order left, right, bottom,    S, 1, ohm
                                         top
"""

from tiocross.jit import kernel


@kernel
def build_leaf_blocks(conductances, first_word, next_word, first_bit, next_bit, form, column, blocks):
    """Fill ``blocks``."""
    n_blocks, m, n = conductances.shape
    n_ports = 2 * (m + n)
    for b in range(n_blocks):
        form[:] = 0.0
        for j in range(n):
            form[j, n + j] = form[n + j, j] = 1.0
        for left in range(2 * n, n_ports, 2):
            form[left, left + 1] = form[left + 1, left] = 1.0
        for i in range(m):
            w = 2 * n + 2 * i + 1
            for j in range(n):
                t = n + j
                form[w, w] -= next_word[b, i] if j > 0 else first_word[b, i]
                form[t, t] -= next_bit[b, j] if i > 0 else first_bit[b, j]
                for p in range(w + 1):
                    column[p] = form[w, p] - form[t, p]
                conductance = conductances[b, i, j]
                conductance /= 1.0 + conductance * (column[t] - column[w])
                for p in range(w + 1):
                    factor = conductance * column[p]
                    for q in range(w + 1):
                        form[p, q] += factor * column[q]
        for p in range(n_ports):
            to_row = 2 * m + p if p < 2 * n else (p - 2 * n) // 2 + m * (p % 2)
            for q in range(n_ports):
                to_column = 2 * m + q if q < 2 * n else (q - 2 * n) // 2 + m * (q % 2)
                blocks[b, to_row, to_column] = form[p, q]
