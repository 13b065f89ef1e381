"""The circuit of one array, solved again and again while its devices are pulsed and read: lines eliminated, then gradients.

Word lines are connected at their left ends, bit lines at their bottom ends, each through one segment; other ends are open.
A line is eliminated from its far end to its root as in `circuit.solvers.lines_kernel`. Word lines with the bit lines held,
then bit lines with the word lines held: what the word lines then lack is D (b_new - b_old) at each node. Conjugate gradients
for the word lines, with the eliminated lines as preconditioner, take that away.

The device in question, the *port*, is left out of the circuit. Two solutions say everything about it, whatever it becomes:
the voltages v of all devices while it carries nothing, and the amounts z by which they fall for each ampere that it carries
(Thevenin: its own are the open voltage and the resistance seen by it).

symbol    shape         meaning                                                            unit
f         fields, M N   numbers of each device or crossing, raster order; rows named here
D         row of f      device in the circuit, as its secant; 0 at the port                S
FW, FB    row of f      attenuation from node j - 1 to j, from node i to i + 1             -
W, B      row of f      voltages of the word-line and bit-line nodes                       V
Q, Y, P, BY, BP, TP     current that is lacking, and the vectors of the gradients          A, V
lines     rows, lines   PASS_W, _B root voltage per unit of current; SHARE_W, _B per unit  V/A, -
                        of drive; SOURCE_W, _B drives, 0 where a line floats; HELD_W, _B   V, -
k         (n,)          whole numbers, c: other numbers of a chip; see `pulses_kernel`
"""

from tiocross.jit import helper

(G, PACES, FREE, SETS, RESETS, DRIFTS, D, FW, FB, W, B, Q, Y, P, BY, BP, TP, V_PULSE, Z_PULSE, V_READ, Z_READ, SECANTS, FACTORS,
 READINGS, N_FIELDS) = range(25)  # rows of f
PASS_W, SHARE_W, SOURCE_W, HELD_W, PASS_B, SHARE_B, SOURCE_B, HELD_B, CARRIED, N_LINE_ROWS = range(10)  # rows of lines
_TOLERANCE = 3e-6  # of voltages, relative to the drive
_MOST_STEPS = 3000


@helper
def factor(f, lines, m, n, r):
    """Eliminate all lines of the circuit of the devices D."""
    for i in range(m):
        at, y = i * n, f[D, i * n + n - 1]
        for j in range(n - 1, 0, -1):
            factor_j = 1.0 / (1.0 + r * y)
            f[FW, at + j] = factor_j
            y = f[D, at + j - 1] + factor_j * y
        _close(lines, PASS_W, i, r, y)
    for j in range(n):
        lines[CARRIED, j] = f[D, j]
    for i in range(m - 1):
        at = i * n
        for j in range(n):
            y = lines[CARRIED, j]
            factor_i = 1.0 / (1.0 + r * y)
            f[FB, at + j] = factor_i
            lines[CARRIED, j] = f[D, at + n + j] + factor_i * y
    for j in range(n):
        _close(lines, PASS_B, j, r, lines[CARRIED, j])


@helper
def _close(lines, row, line, r, y):
    """How the root of a line answers to current and drive; a floating line without devices stays at 0 V."""
    if lines[row + HELD_W - PASS_W, line] > 0.0:
        share = 1.0 / (1.0 + r * y)
        lines[row, line], lines[row + SHARE_W - PASS_W, line] = r * share, share
    else:
        lines[row, line], lines[row + SHARE_W - PASS_W, line] = 1.0 / y if y > 0.0 else 0.0, 0.0


@helper
def _solve_words(f, lines, m, n, r, given, out, driven):
    """Voltages in row ``out`` of the word-line nodes for currents in row ``given``; ``driven``: how much of the drives."""
    for i in range(m):
        at, carried = i * n, 0.0
        for j in range(n - 1, 0, -1):
            carried += f[given, at + j]
            f[out, at + j] = carried
            carried *= f[FW, at + j]
        carried += f[given, at]
        volts = lines[PASS_W, i] * carried + driven * lines[SHARE_W, i] * lines[SOURCE_W, i]
        f[out, at] = volts
        for j in range(1, n):
            volts = f[FW, at + j] * (volts + r * f[out, at + j])
            f[out, at + j] = volts


@helper
def _solve_bits(f, lines, m, n, r, words, out, driven, port, current):
    """Voltages in row ``out`` of the bit-line nodes with the word lines held at row ``words``; ``current`` enters at the
    port."""
    for j in range(n):
        lines[CARRIED, j] = 0.0
    for i in range(m):
        at = i * n
        for j in range(n):
            carried = lines[CARRIED, j] + f[D, at + j] * f[words, at + j]
            if at + j == port:
                carried += current
            f[out, at + j] = carried
            if i < m - 1:
                carried *= f[FB, at + j]
            lines[CARRIED, j] = carried
    at = (m - 1) * n
    for j in range(n):
        f[out, at + j] = lines[PASS_B, j] * f[out, at + j] + driven * lines[SHARE_B, j] * lines[SOURCE_B, j]
    for i in range(m - 2, -1, -1):
        at = i * n
        for j in range(n):
            f[out, at + j] = f[FB, at + j] * (f[out, at + n + j] + r * f[out, at + j])


@helper
def solve_array(f, lines, m, n, r, port, is_open, volts, falls):
    """Voltages of all devices in row ``volts``; where the port is open also, in row ``falls``, how far they fall for each
    ampere that is led from its word line to its bit line."""
    size = m * n
    for part in range(2 if is_open else 1):
        for i in range(m):
            for j in range(n):
                q = i * n + j
                f[B, q] = lines[SOURCE_B, j] if part == 0 else 0.0
                f[Q, q] = f[D, q] * f[B, q]
                f[W, q] = f[P, q] = f[BP, q] = f[TP, q] = 0.0
        if part == 1:
            f[Q, port] -= 1.0
        _solve_part(f, lines, m, n, r, 1.0 - part, port, 1.0 * part)
        for q in range(size):
            f[falls if part == 1 else volts, q] = f[B, q] - f[W, q] if part == 1 else f[W, q] - f[B, q]


@helper
def _solve_part(f, lines, m, n, r, driven, port, current):
    """Nodes in W and B from what word lines are given in Q: one step solves both kinds of lines, the others are gradients."""
    size, before, scale = m * n, 1.0, 0.0
    for step in range(-1, _MOST_STEPS):
        _solve_words(f, lines, m, n, r, Q, Y, driven if step < 0 else 0.0)
        product, largest = 0.0, 0.0
        for q in range(size):
            product += f[Q, q] * f[Y, q]
            largest = max(largest, abs(f[Y, q]))
        if step >= 0 and (largest <= _TOLERANCE * scale or not product > 0.0):
            break
        _solve_bits(f, lines, m, n, r, Y, BY, driven if step < 0 else 0.0, port, current if step < 0 else 0.0)
        if step < 0:
            for q in range(size):
                f[Q, q] = f[D, q] * (f[BY, q] - f[B, q])
                f[W, q], f[B, q] = f[Y, q], f[BY, q]
                scale = max(scale, max(abs(f[Y, q]), abs(f[BY, q])))
            continue
        beta, curved = product / before if step > 0 else 0.0, 0.0
        for q in range(size):
            f[P, q] = f[Y, q] + beta * f[P, q]
            f[BP, q] = f[BY, q] + beta * f[BP, q]
            f[TP, q] = f[Q, q] - f[D, q] * f[BY, q] + beta * f[TP, q]
            curved += f[P, q] * f[TP, q]
        if not curved > 0.0:
            break
        alpha, before = product / curved, product
        for q in range(size):
            f[W, q] += alpha * f[P, q]
            f[B, q] += alpha * f[BP, q]
            f[Q, q] -= alpha * f[TP, q]
