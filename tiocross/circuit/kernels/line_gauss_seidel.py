"""Gauss-Seidel by whole lines on a crossbar of linear devices.

Every crossing (i, j) has a word-line node and a bit-line node joined by a device. Word line i is driven at its left end
through one segment of r_word, bit line j is grounded at its bottom after one segment of r_bit. Instead of the node
voltages the kernel keeps the *drops* along the lines in units of current: the word-line node sits r_word * drop_word
below its drive, the bit-line node r_bit * drop_bit above ground. Kirchhoff's law at the two nodes of a crossing is then

    (L_word drop_word)_ij = G_ij u_ij,   (L_bit drop_bit)_ij = G_ij u_ij,
    u_ij = V_i - r_word drop_word_ij - r_bit drop_bit_ij            (voltage across the device),

with L the ladder matrix of a line (2 on the diagonal, 1 at the open end, -1 beside it). In this form nothing is divided
by a resistance: zero and tiny resistances need no special case, residuals are in ampere, and the current of a bit
line is simply its last drop. A sweep solves every word line exactly with the bit lines held (a tridiagonal
system, Thomas's algorithm), then every bit line with the word lines held.

symbol          shape                 meaning                                             unit
conductances    (C, M, N)             devices of C arrays                                 S
voltages        (C, B, M)             B input vectors for each array                      V
r_word, r_bit   scalar                wire resistance of one segment                      ohm
drop_word       (C, B, M, N)          see above; start values in, solution out            A
drop_bit        (C, B, M, N)          see above; start values in, solution out            A
pivot_word      (M, N)                scratch: reciprocal pivots of the word lines        -
pivot_bit       (M, N)                scratch: reciprocal pivots of the bit lines         -
n_sweeps        (C, B) int            sweeps done, added to                               -
unbalanced      (C, B)                largest Kirchhoff residual at a node                A
uncertainty     (C, B)                sum of all |residuals|: bounds the error of every   A
                                      bit-line current, because a current injected at a
                                      node leaves through the ends of the lines
gross           (C, B)                largest sum of |device currents| of a bit line      A
column          (N,)                  scratch                                             A
"""

from tiocross.circuit.kernels.jit import kernel


@kernel
def sweep_until_balanced(conductances, voltages, r_word, r_bit, rtol, budget, drop_word, drop_bit,
                         pivot_word, pivot_bit, column, n_sweeps, unbalanced, uncertainty, gross):
    """Sweep each circuit up to ``budget`` times or until uncertainty <= rtol * gross.

    Returns the number of circuits that are not there yet; call again to go on.
    """
    n_arrays, n_word, n_bit = conductances.shape
    n_inputs = voltages.shape[1]
    n_open = 0
    for c in range(n_arrays):
        g = conductances[c]
        factored = False
        for b in range(n_inputs):
            if uncertainty[c, b] <= rtol * gross[c, b]:
                continue
            if not factored:
                _factor(g, r_word, r_bit, pivot_word, pivot_bit)
                factored = True
            word, bit, v = drop_word[c, b], drop_bit[c, b], voltages[c, b]
            done = False
            for _ in range(budget):
                _solve_word_lines(g, v, r_word, r_bit, pivot_word, word, bit)
                _solve_bit_lines(g, v, r_word, r_bit, pivot_bit, word, bit)
                n_sweeps[c, b] += 1
                unbalanced[c, b], uncertainty[c, b] = _residual(g, v, r_word, r_bit, word, bit, column)
                gross[c, b] = column.max()
                if uncertainty[c, b] <= rtol * gross[c, b]:
                    done = True
                    break
            if not done:
                n_open += 1
    return n_open


@kernel
def _factor(g, r_word, r_bit, pivot_word, pivot_bit):
    """Reciprocal pivots. A word line is eliminated from its open right end, a bit line from its open top end, so that
    every pivot is at least 1 and no digits cancel."""
    n_word, n_bit = g.shape
    for i in range(n_word):
        pivot_word[i, n_bit - 1] = 1.0 / (1.0 + r_word * g[i, n_bit - 1])
        for j in range(n_bit - 2, -1, -1):
            pivot_word[i, j] = 1.0 / (2.0 + r_word * g[i, j] - pivot_word[i, j + 1])
    for j in range(n_bit):
        pivot_bit[0, j] = 1.0 / (1.0 + r_bit * g[0, j])
    for i in range(1, n_word):
        for j in range(n_bit):
            pivot_bit[i, j] = 1.0 / (2.0 + r_bit * g[i, j] - pivot_bit[i - 1, j])


@kernel
def _solve_word_lines(g, v, r_word, r_bit, pivot, word, bit):
    n_word, n_bit = g.shape
    for i in range(n_word):
        carried = 0.0
        for j in range(n_bit - 1, -1, -1):
            carried = (g[i, j] * (v[i] - r_bit * bit[i, j]) + carried) * pivot[i, j]
            word[i, j] = carried
        for j in range(1, n_bit):
            word[i, j] += word[i, j - 1] * pivot[i, j]


@kernel
def _solve_bit_lines(g, v, r_word, r_bit, pivot, word, bit):
    n_word, n_bit = g.shape
    for j in range(n_bit):
        bit[0, j] = g[0, j] * (v[0] - r_word * word[0, j]) * pivot[0, j]
    for i in range(1, n_word):
        for j in range(n_bit):
            bit[i, j] = (g[i, j] * (v[i] - r_word * word[i, j]) + bit[i - 1, j]) * pivot[i, j]
    for i in range(n_word - 2, -1, -1):
        for j in range(n_bit):
            bit[i, j] += bit[i + 1, j] * pivot[i, j]


@kernel
def _residual(g, v, r_word, r_bit, word, bit, column):
    """Largest |residual| and sum of |residuals| over all nodes; the segment currents are formed first. Fills ``column``
    with the sum of |device currents| of each bit line."""
    n_word, n_bit = g.shape
    column[:] = 0.0
    largest = 0.0
    total = 0.0
    for i in range(n_word):
        for j in range(n_bit):
            device = g[i, j] * (v[i] - r_word * word[i, j] - r_bit * bit[i, j])
            column[j] += abs(device)
            before = word[i, j] - (word[i, j - 1] if j > 0 else 0.0)
            after = word[i, j + 1] - word[i, j] if j < n_bit - 1 else 0.0
            at_word = abs(before - after - device)
            above = bit[i - 1, j] - bit[i, j] if i > 0 else 0.0
            below = bit[i, j] - (bit[i + 1, j] if i < n_word - 1 else 0.0)
            at_bit = abs(below - above - device)
            largest = max(largest, at_word, at_bit)
            total += at_word + at_bit
    return largest, total
