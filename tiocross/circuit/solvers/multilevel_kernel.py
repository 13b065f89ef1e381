"""Gauss-Seidel by whole lines on a crossbar of linear devices, corrected on coarse crossbars.

Every crossing (i, j) has a word-line node and a bit-line node joined by a device. A line is eliminated from its far end
(right, top) to its root (left, bottom): looking outwards from a node it is a conductance Y and a current J, and one
more segment r turns them into f Y and f J with f = 1 / (1 + r Y), the line's *attenuation*. Nothing is divided by a
resistance and nothing positive is ever subtracted: zero, tiny and huge resistances need no special case. A sweep solves
every word line with the bit lines held, then every bit line with the word lines held. The bit lines are then balanced
exactly, and what is missing at a word-line node is the change of its device's current, G (b_new - b_old): the Kirchhoff
residual without a difference of wire currents.

What remains after a sweep is smooth and lives on a smaller crossbar: neighbouring lines are lumped, and lumped devices
add up; a lumped line stands at the middle of its block and has the resistance of its lines in parallel. Corrections are
linear along a line and constant across a block. The coarsest crossbar is solved by conjugate gradients on its word
lines, with the word-line solution as preconditioner. Eliminating a line node by node is the Thomas algorithm; coarse
corrections are those of multigrid (A. Brandt, Math. Comp. 31, 333 (1977)); conjugate gradients are those of M. R. Hestenes
and E. Stiefel, J. Res. Natl. Bur. Stand. 49, 409 (1952).

symbol     shape                meaning                                                            unit
g          (M, N)               devices                                                            S
b, w       (M, N)               bit-line and word-line node voltages                               V
f          (M, N)               attenuation from node j - 1 to j (words), i - 1 to i (bits)        -
line       (9, M) or (9, N)     one column a line: RHO resistance per segment, ROOT and FAR        ohm
                                resistance behind the end segments (inf: floating), PASS           ohm
                                root voltage per unit J, SHARE root voltage per unit drive,        V/A, -
                                END conductance at the far end, DRIVE and FED: what the ends add   S, V, A
                                ONE: 1 for each line                                               -
at         (N + 2,), (M + 2,)   positions of the nodes along the line, its two ends included       segments
q          (M, N)               current injected at word-line nodes                                A
norton     (M, AT_ONCE)         scratch: J of each node of AT_ONCE bit lines, or of 4 word lines   A
row        (11, N)              VOLTAGE, CHANGE, SUM, TOTAL, GROSS, LARGEST, OUT (current at the   V, A
                                root) of each bit line, and J of the nodes of four word lines

and of `solve_arrays`:
conductances  (C, M, N)         devices of the arrays                                              S
injected   (M, N) or (0, N)     currents injected at the word-line nodes and drawn from the        A
                                bit-line nodes; (0, N) for none
drives     (C or 1, B, 2, 2, W) root (left, bottom) and far (right, top) voltages of word lines    V
                                and of bit lines, 0 where floating
ends       (2, 3, W)            RHO, ROOT, FAR of word lines and of bit lines                      ohm
sensed     (N,) bool            bit lines whose gross current sets the scale of ``rtol``           -
start      scalar               FROM_GUESS, if all bit lines are read; FROM_ZERO; FROM_LAST: from  -
                                the bit-line voltages of the last circuit; GO_ON with it
currents   (C, B, N)            out of the bottom ends, filled                                     A
report     (C, B, 6)            sweeps, largest and summed residual, gross current, smallest sum   -, A
                                so far, sweeps since without half of it; filled
nodes      (C, B, 2, M, N)      bit-line and word-line voltages, filled; or (C, B, 2, 0, 0)        V
all others                      scratch
"""

import numpy as np

from tiocross.jit import helper, kernel

WORDS, BITS = range(2)
RHO, ROOT, FAR, PASS, SHARE, END, DRIVE, FED, ONE = range(9)  # rows of ``line``
VOLTAGE, CHANGE, SUM, TOTAL, GROSS, LARGEST, OUT = range(7)  # rows of ``row``
AT_WORD, AT_BIT, SHARE_WORD, SHARE_BIT = range(4)  # of ``places``
SIZE, BLOCK_WORD, BLOCK_BIT, FIRST, BEFORE = range(5)  # of ``numbers``
AT_ONCE = 1024  # bit lines solved together: their J should stay in the cache
STEPS = 20_000_000  # devices times steps of conjugate gradients in one go, about 0.2 s; the sweep around them goes on
SHORT = 1e-30  # ohm; only lumped lines can be held at their far end without any resistance
PATIENCE = 6  # sweeps without half the residual, after which the caller must help
FROM_GUESS, FROM_ZERO, FROM_LAST, GO_ON = 3, 2, 1, 0  # of ``start``: where the bit-line voltages come from
N_WORD, N_BIT, F_WORD, F_BIT, B, W, Q, G, WIDE, CG = range(10)  # of numbers[level, SIZE]: shape, and rows in ``pool``


@helper
def _factor_word_lines(g, n_word, n_bit, line, at, f):
    """Four lines at a time, for the recurrence waits for its own result; at the last lines some are done twice."""
    d = at[n_bit + 1] - at[n_bit]
    for i in range(n_word):
        line[END, i] = 1.0 / max(line[RHO, i] * d + line[FAR, i], SHORT)
    for i0 in range(0, n_word, 4):
        i1, i2, i3 = min(i0 + 1, n_word - 1), min(i0 + 2, n_word - 1), min(i0 + 3, n_word - 1)
        r0, r1, r2, r3 = line[RHO, i0], line[RHO, i1], line[RHO, i2], line[RHO, i3]
        y0, y1, y2, y3 = line[END, i0], line[END, i1], line[END, i2], line[END, i3]
        for j in range(n_bit - 1, -1, -1):
            d = at[j + 1] - at[j]
            y0 += g[i0, j]
            y1 += g[i1, j]
            y2 += g[i2, j]
            y3 += g[i3, j]
            if j > 0:
                f0, f1 = 1.0 / (1.0 + r0 * d * y0), 1.0 / (1.0 + r1 * d * y1)
                f2, f3 = 1.0 / (1.0 + r2 * d * y2), 1.0 / (1.0 + r3 * d * y3)
                f[i0, j], f[i1, j], f[i2, j], f[i3, j] = f0, f1, f2, f3
                y0 *= f0
                y1 *= f1
                y2 *= f2
                y3 *= f3
        line[PASS, i0], line[PASS, i1], line[PASS, i2], line[PASS, i3] = y0, y1, y2, y3
    _close_roots(line, n_word, at[1])


@helper
def _factor_bit_lines(g, n_word, n_bit, line, at, f):
    rho, far, end, past = line[RHO], line[FAR], line[END], line[PASS]
    g_i = g[0]
    for j in range(n_bit):
        r = rho[j] * at[1] + far[j]
        end[j] = 1.0 / (r if r > SHORT else SHORT)
        past[j] = end[j] + g_i[j]
    for i in range(1, n_word):
        d, f_i, g_i = at[i + 1] - at[i], f[i], g[i]
        for j in range(n_bit):
            f_i[j] = 1.0 / (1.0 + rho[j] * d * past[j])
        for j in range(n_bit):
            past[j] = f_i[j] * past[j] + g_i[j]
    _close_roots(line, n_bit, at[n_word + 1] - at[n_word])


@helper
def _close_roots(line, n_lines, d):
    """From Y at the root node, left in PASS: how J and the drive make its voltage. A line without device floats at 0."""
    for i in range(n_lines):
        y, r = line[PASS, i], line[RHO, i] * d + line[ROOT, i]
        if r == np.inf:
            line[PASS, i] = 1.0 / y if y > 0.0 else 0.0
            line[SHARE, i] = 0.0
        else:
            line[SHARE, i] = 1.0 / (1.0 + r * y)
            line[PASS, i] = r * line[SHARE, i]


@helper
def _solve_word_lines(g, b, n_word, n_bit, f, line, at, q, injected, w, norton):
    for i0 in range(0, n_word, 4):
        i1, i2, i3 = min(i0 + 1, n_word - 1), min(i0 + 2, n_word - 1), min(i0 + 3, n_word - 1)
        for k in range(4):
            i = min(i0 + k, n_word - 1)
            for j in range(n_bit):
                norton[k, j] = g[i, j] * b[i, j]
            if injected:
                for j in range(n_bit):
                    norton[k, j] += q[i, j]
        c0, c1, c2, c3 = line[FED, i0], line[FED, i1], line[FED, i2], line[FED, i3]
        for j in range(n_bit - 1, -1, -1):
            c0 += norton[0, j]
            c1 += norton[1, j]
            c2 += norton[2, j]
            c3 += norton[3, j]
            norton[0, j], norton[1, j], norton[2, j], norton[3, j] = c0, c1, c2, c3
            c0 *= f[i0, j]
            c1 *= f[i1, j]
            c2 *= f[i2, j]
            c3 *= f[i3, j]
        c0 = line[PASS, i0] * norton[0, 0] + line[DRIVE, i0]
        c1 = line[PASS, i1] * norton[1, 0] + line[DRIVE, i1]
        c2 = line[PASS, i2] * norton[2, 0] + line[DRIVE, i2]
        c3 = line[PASS, i3] * norton[3, 0] + line[DRIVE, i3]
        w[i0, 0], w[i1, 0], w[i2, 0], w[i3, 0] = c0, c1, c2, c3
        r0, r1, r2, r3 = line[RHO, i0], line[RHO, i1], line[RHO, i2], line[RHO, i3]
        for j in range(1, n_bit):
            d = at[j + 1] - at[j]
            c0 = f[i0, j] * (c0 + r0 * d * norton[0, j])
            c1 = f[i1, j] * (c1 + r1 * d * norton[1, j])
            c2 = f[i2, j] * (c2 + r2 * d * norton[2, j])
            c3 = f[i3, j] * (c3 + r3 * d * norton[3, j])
            w[i0, j], w[i1, j], w[i2, j], w[i3, j] = c0, c1, c2, c3


@helper
def _eliminate_bit_lines(g, w, n_word, start, stop, f, line, drawn, norton, row):
    """Downwards, for some bit lines: J of every node; leaves the root nodes' voltages in row[VOLTAGE]. ``drawn``: what is
    injected at the word-line nodes is drawn from the bit-line nodes."""
    carried, fed, here = row[VOLTAGE], line[FED], norton[0]
    for j in range(start, stop):
        carried[j] = fed[j]
    for i in range(n_word):
        here, g_i, w_i = norton[i], g[i], w[i]
        for j in range(start, stop):
            here[j - start] = g_i[j] * w_i[j] + carried[j]
        if len(drawn) > 0:
            drawn_i = drawn[i]
            for j in range(start, stop):
                here[j - start] -= drawn_i[j]
        if i < n_word - 1:
            f_i = f[i + 1]
            for j in range(start, stop):
                carried[j] = f_i[j] * here[j - start]
    out, share, past, drive = row[OUT], line[SHARE], line[PASS], line[DRIVE]
    for j in range(start, stop):
        out[j] = share[j] * here[j - start]
        carried[j] = past[j] * here[j - start] + drive[j]


@helper
def _raise_bit_lines(i, g, w, start, stop, drawn, measure, b, row):
    """Store the new voltages of row i; count what its word-line nodes now lack and, to ``measure``, the devices' currents
    and the largest lack."""
    g_i, b_i, voltage = g[i], b[i], row[VOLTAGE]
    change, total, summed = row[CHANGE], row[TOTAL], row[SUM]
    for j in range(start, stop):
        change[j] = g_i[j] * (voltage[j] - b_i[j])
        b_i[j] = voltage[j]
    for j in range(start, stop):
        summed[j] += change[j]
        total[j] += abs(change[j])
    if measure:
        w_i, gross, largest = w[i], row[GROSS], row[LARGEST]
        for j in range(start, stop):
            lack, current = abs(change[j]), g_i[j] * (w_i[j] - voltage[j])
            largest[j] = lack if lack > largest[j] else largest[j]
            gross[j] += abs(current - drawn[i, j] if len(drawn) > 0 else current)


@helper
def _taper(p, x, r, rho):
    """Weight of a correction at distance p from an end beyond which a resistance r follows, the outermost coarse node
    being at distance x: falls towards zero at a source, stays on a floating line."""
    d = x * rho + r
    return (p * rho + r) / d if 0.0 < d < np.inf else 1.0


@helper
def _restrict(lack, n_bit, n, first, share, at, coarse_at, line, k, q):
    """Transpose of the interpolation along a word line of block k; first[c] is where its coarse node c - 1 is passed."""
    for c in range(n):
        q[c] = 0.0
    for j in range(first[1]):
        q[0] += lack[j] * _taper(at[j + 1], coarse_at[1], line[ROOT, k], line[RHO, k])
    for c in range(1, n):
        whole, upper = 0.0, 0.0
        for j in range(first[c], first[c + 1]):
            whole += lack[j]
            upper += lack[j] * share[j]
        q[c - 1] += whole - upper
        q[c] += upper
    for j in range(first[n], n_bit):
        q[n - 1] += lack[j] * _taper(at[n_bit + 1] - at[j + 1], at[n_bit + 1] - coarse_at[n], line[FAR, k], line[RHO, k])


@helper
def _prolong(coarse_b, m, n, n_word, n_bit, block, before, share, at, coarse_at, line, wide, b):
    """Add the correction of the bit lines: constant across a block, linear along the lines, tapered at their ends."""
    for k in range(m):
        for c in range(n):
            value = coarse_b[k, c]
            for j in range(block[c], block[c + 1]):
                wide[k, j] = value
    for c in range(n):  # two more rows: how the correction goes on above the first coarse node and below the last
        top = _taper(at[1], coarse_at[1], line[FAR, c], line[RHO, c])
        end = _taper(at[n_word + 1] - at[n_word], at[n_word + 1] - coarse_at[m], line[ROOT, c], line[RHO, c])
        for j in range(block[c], block[c + 1]):
            wide[m, j] = coarse_b[0, c] * top
            wide[m + 1, j] = coarse_b[m - 1, c] * end
    for i in range(n_word):
        lower = wide[before[i] - 1 if before[i] > 0 else m]
        upper = wide[before[i] if before[i] < m else m + 1]
        t, b_i = share[i], b[i]
        for j in range(n_bit):
            b_i[j] += (1.0 - t) * lower[j] + t * upper[j]


@helper
def _lump(g, weights, n_bit, m, n, block_word, block_bit, row, coarse):
    """Sums of g over the blocks, each word line times its weight."""
    summed = row[SUM]
    for k in range(m):
        for j in range(n_bit):
            summed[j] = 0.0
        for i in range(block_word[k], block_word[k + 1]):
            g_i, weight = g[i], weights[i]
            for j in range(n_bit):
                summed[j] += g_i[j] * weight
        for c in range(n):
            total = 0.0
            for j in range(block_bit[c], block_bit[c + 1]):
                total += summed[j]
            coarse[k, c] = total


@helper
def _join_lines(line, block, n_blocks, coarse_line):
    """Resistances of lines in parallel."""
    for k in range(n_blocks):
        for r in (RHO, ROOT, FAR):
            conductance, short = 0.0, False
            for i in range(block[k], block[k + 1]):
                if line[r, i] > 0.0:
                    conductance += 1.0 / line[r, i]
                else:
                    short = True
            coarse_line[r, k] = 0.0 if short else 1.0 / conductance if conductance > 0.0 else np.inf
        coarse_line[DRIVE, k] = coarse_line[FED, k] = 0.0


@helper
def _sweep_bit_lines(g, w, n_word, n_bit, f, b, drawn, measure, level, places, numbers, lines, wide, pool, norton, row):
    """Exact bit lines, as many at a time as leave their J in the cache; hands what the word lines now lack to the next
    coarser crossbar, if there is one. Counts are unsigned: an index that might be negative would not be vectorised."""
    line, at = lines[level, BITS], places[level, AT_BIT]
    rho, voltage, summed = line[RHO], row[VOLTAGE], row[SUM]
    row[SUM:OUT] = 0.0
    n_blocks = numbers[level + 1, SIZE, N_WORD] if level + 1 < len(numbers) else 0
    for first in range(0, n_bit, AT_ONCE):
        start, stop = np.uint64(first), np.uint64(min(first + AT_ONCE, n_bit))
        _eliminate_bit_lines(g, w, n_word, start, stop, f, line, drawn, norton, row)
        k = n_blocks - 1
        for i in range(n_word - 1, -1, -1):
            _raise_bit_lines(i, g, w, start, stop, drawn, measure, b, row)
            if i > 0:
                d, f_i, below = at[i + 1] - at[i], f[i], norton[i - 1]
                for j in range(start, stop):
                    voltage[j] = f_i[j] * (voltage[j] + rho[j] * d * below[j - start])
            if k >= 0 and i == numbers[level, BLOCK_WORD, k]:
                wide_k = wide[k]
                for j in range(start, stop):
                    wide_k[j] = summed[j]
                    summed[j] = 0.0
                k -= 1
    for k in range(n_blocks):
        size = numbers[level + 1, SIZE]
        _restrict(wide[k], n_bit, size[N_BIT], numbers[level, FIRST], places[level, SHARE_WORD], places[level, AT_WORD],
                  places[level + 1, AT_WORD], lines[level + 1, WORDS], k, pool[size[Q] + k])


@helper
def _solve_coarsest(g, n_word, n_bit, f_word, f_bit, level, places, numbers, lines, q, w, b, p, pool, norton, row):
    """Conjugate gradients for S = (word lines) - g (bit lines)^-1 g, until a tenth of the residual's norm is left.
    ``p`` holds four arrays: zeros, S p, the bit lines of p, and the sum of those, which is wanted."""
    n, always = n_word, n_word > 0  # a literal True would have numba compile what it is given to once more
    p[:] = 0.0
    start, before, p_s_p = 0.0, 1.0, 0.0
    for step in range(min(8 * n_word * n_bit, 20 + STEPS // (n_word * n_bit))):
        _solve_word_lines(g, p, n_word, n_bit, f_word, lines[level, WORDS], places[level, AT_WORD], q, always, w, row[7:])
        r_w = 0.0
        for i in range(n):
            q_i, w_i, b_i = q[i], w[i], b[i]
            for j in range(n_bit):
                r_w += q_i[j] * w_i[j]
                b_i[j] = 0.0
        start = r_w if step == 0 else start
        if not r_w > 0.01 * start:
            break
        _sweep_bit_lines(g, w, n_word, n_bit, f_bit, b, q[:0], not always, level, places, numbers, lines, pool, pool,
                         norton, row)
        beta = r_w / before if step > 0 else 0.0
        w_s_w, w_s_p = 0.0, 0.0
        for i in range(n):
            q_i, g_i, b_i, w_i, s_i, p_i = q[i], g[i], b[i], w[i], p[n + i], p[2 * n + i]
            for j in range(n_bit):
                s_w = q_i[j] - g_i[j] * b_i[j]
                w_s_w += w_i[j] * s_w
                w_s_p += w_i[j] * s_i[j]
                s_i[j] = s_w + beta * s_i[j]
                p_i[j] = b_i[j] + beta * p_i[j]
        p_s_p = w_s_w + beta * (2.0 * w_s_p + beta * p_s_p)
        if not p_s_p > 0.0:  # only rounding is left
            break
        before, alpha = r_w, r_w / p_s_p
        for i in range(n):
            q_i, s_i, p_i, sum_i = q[i], p[n + i], p[2 * n + i], p[3 * n + i]
            for j in range(n_bit):
                q_i[j] -= alpha * s_i[j]
                sum_i[j] += alpha * p_i[j]
    for i in range(n):
        for j in range(n_bit):
            b[i, j] = p[3 * n + i, j]


@helper
def _prepare(g, fine, pool, places, numbers, lines, row):
    """Eliminate the lines of every level and lump the next."""
    for level in range(len(numbers)):
        s = numbers[level, SIZE]
        m, n = s[N_WORD], s[N_BIT]
        f_word = fine[2] if level == 0 else pool[s[F_WORD]:s[F_WORD] + m]
        f_bit = fine[3] if level == 0 else pool[s[F_BIT]:s[F_BIT] + m]
        _factor_word_lines(g, m, n, lines[level, WORDS], places[level, AT_WORD], f_word)
        _factor_bit_lines(g, m, n, lines[level, BITS], places[level, AT_BIT], f_bit)
        if level + 1 < len(numbers):
            t = numbers[level + 1, SIZE]
            coarse_g = pool[t[G]:t[G] + t[N_WORD]]
            _lump(g, lines[0, WORDS, ONE], n, t[N_WORD], t[N_BIT], numbers[level, BLOCK_WORD], numbers[level, BLOCK_BIT],
                  row, coarse_g)
            for side in range(2):
                _join_lines(lines[level, side], numbers[level, BLOCK_WORD + side], t[side], lines[level + 1, side])
            g = coarse_g


@helper
def _climb(level, twice, fine, wide, pool, places, numbers, lines):
    """Hand corrections to finer levels, up to one that is to be swept again; returns it."""
    while level > 0:
        level -= 1
        s, t = numbers[level, SIZE], numbers[level + 1, SIZE]
        wider = wide if level == 0 else pool[s[WIDE]:s[WIDE] + t[N_WORD] + 2]
        b = fine[0] if level == 0 else pool[s[B]:s[B] + s[N_WORD]]
        _prolong(pool[t[B]:t[B] + t[N_WORD]], t[N_WORD], t[N_BIT], s[N_WORD], s[N_BIT], numbers[level, BLOCK_BIT],
                 numbers[level, BEFORE], places[level, SHARE_BIT], places[level, AT_BIT], places[level + 1, AT_BIT],
                 lines[level + 1, BITS], wider, b)
        if not twice >> level & 1:
            break
    return level


@helper
def _sum_up(row, sensed, n_bit, measured, report):
    """Sum of the residuals and, where measured, the largest and the largest gross current of a sensed bit line."""
    largest, total, gross = 0.0, 0.0, 0.0
    for j in range(n_bit):
        total += row[TOTAL, j]
        largest = max(largest, row[LARGEST, j])
        if sensed[j]:
            gross = max(gross, row[GROSS, j])
    report[0] += 1.0
    report[2] = total
    better = report[0] == 1.0 or total < 0.5 * report[4]
    report[4] = total if better else report[4]
    report[5] = 0.0 if better else report[5] + 1.0
    if measured:
        report[1], report[3] = largest, gross


@helper
def _iterate(g, injected, fine, wide, pool, places, numbers, lines, sensed, rtol, budget, resumed, norton, row, report):
    """Up to ``budget`` sweeps of the array, each but the last followed by a coarse correction: two sweeps at each coarser
    level, corrected likewise, and the solution of the coarsest. True when the residuals' sum is within rtol * gross."""
    last = len(numbers) - 1
    once, twice = 0, 0  # bit l: how often level l has been swept since the next finer one was
    level = 1 if resumed and last > 0 else 0  # what the last sweep lacked is still in the pool
    while True:
        s = numbers[level, SIZE]
        m, n = s[N_WORD], s[N_BIT]
        here = g if level == 0 else pool[s[G]:s[G] + m]
        q = injected if level == 0 else pool[s[Q]:s[Q] + m]
        b = fine[0] if level == 0 else pool[s[B]:s[B] + m]
        w = fine[1] if level == 0 else pool[s[W]:s[W] + m]
        f_word = fine[2] if level == 0 else pool[s[F_WORD]:s[F_WORD] + m]
        f_bit = fine[3] if level == 0 else pool[s[F_BIT]:s[F_BIT] + m]
        if 0 < level == last:
            _solve_coarsest(here, m, n, f_word, f_bit, level, places, numbers, lines, q, w, b, pool[s[CG]:s[CG] + 4 * m],
                            pool, norton, row)
        else:
            if level > 0 and not once >> level & 1:
                for i in range(m):
                    for j in range(n):
                        b[i, j] = 0.0
            _solve_word_lines(here, b, m, n, f_word, lines[level, WORDS], places[level, AT_WORD], q, len(q) > 0, w, row[7:])
            # counting costs a quarter of a sweep and is needed only near the end
            measure = level == 0 and (budget == 1 or report[0] > 0.0 and report[2] <= 1e5 * rtol * report[3]
                                      or report[0] == 1.0)
            wider = wide if level == 0 else pool[s[WIDE]:]
            _sweep_bit_lines(here, w, m, n, f_bit, b, q if level == 0 else q[:0], measure, level, places, numbers, lines,
                             wider, pool, norton, row)
        if level == 0:
            budget -= 1
            once = twice = 0
            _sum_up(row, sensed, n, measure, report)
            done = measure and report[2] <= rtol * report[3]
            if done or budget <= 0 or report[5] >= PATIENCE:
                return done
        twice |= once & 1 << level
        once |= 1 << level
        if level < last:
            level += 1
            once, twice = once & ~(1 << level), twice & ~(1 << level)
        else:
            level = _climb(level, twice, fine, wide, pool, places, numbers, lines)


@helper
def _guess(g, voltages, fine, wide, pool, places, numbers, lines, norton, row):
    """Start of a read from ideal wires: every device drives g V into its bit line, which is lumped on the first coarse
    crossbar; leaves what its bit lines answer as a first correction, and what its word lines then lack in the pool."""
    s, t = numbers[0, SIZE], numbers[1, SIZE]
    m, n = t[N_WORD], t[N_BIT]
    here, q = pool[t[G]:t[G] + m], pool[t[Q]:t[Q] + m]
    b, w = pool[t[B]:t[B] + m], pool[t[W]:t[W] + m]
    _lump(g, voltages, s[N_BIT], m, n, numbers[0, BLOCK_WORD], numbers[0, BLOCK_BIT], row, q)
    for k in range(m):
        for c in range(n):
            q[k, c] = -q[k, c]
            w[k, c] = b[k, c] = 0.0
    level = 1 if m > 0 else 0  # a literal 1 would have numba compile what it is given to once more
    _sweep_bit_lines(here, w, m, n, pool[t[F_BIT]:t[F_BIT] + m], b, q, m < 0, level, places, numbers, lines, pool[t[WIDE]:],
                     pool, norton, row)
    _prolong(b, m, n, s[N_WORD], s[N_BIT], numbers[0, BLOCK_BIT], numbers[0, BEFORE], places[0, SHARE_BIT],
             places[0, AT_BIT], places[1, AT_BIT], lines[1, BITS], wide, fine[0])
    for k in range(m):
        for c in range(n):
            q[k, c] += here[k, c] * b[k, c]


@helper
def _collect(g, injected, fine, n_word, n_bit, line, voltages, row, currents):
    """Currents out of the bottom ends. At 0 V that is what the root makes of J, without any difference of voltages; else
    the devices' currents and what the top end brings in, for which all devices are gone through once more."""
    n_held = 0
    for j in range(n_bit):
        if voltages[0, j] != 0.0:
            n_held += 1
        currents[j] = line[END, j] * (voltages[1, j] - fine[0, 0, j])
    for i in range(n_word if n_held > 0 else 0):
        for j in range(n_bit):
            currents[j] += g[i, j] * (fine[1, i, j] - fine[0, i, j])
        if len(injected) > 0:
            for j in range(n_bit):
                currents[j] -= injected[i, j]
    for j in range(n_bit):
        if line[ROOT, j] == np.inf:
            currents[j] = 0.0
        elif voltages[0, j] == 0.0:
            currents[j] = row[OUT, j]


@kernel
def solve_arrays(conductances, injected, drives, ends, places, numbers, sensed, rtol, budget, start, fine, wide, pool,
                 lines, norton, row, currents, report, nodes):
    """Solve C arrays for B sets of end voltages each; returns how many circuits are not yet solved."""
    n_arrays, n_word, n_bit = conductances.shape
    n_open = 0
    for c in range(n_arrays):
        g = conductances[c]
        drive = drives[min(c, len(drives) - 1)]
        if start != GO_ON:
            for side in range(2):
                for r in range(3):
                    for i in range(ends.shape[2]):
                        lines[0, side, r, i] = ends[side, r, i]
            _prepare(g, fine, pool, places, numbers, lines, row)
        for k in range(len(drive)):
            if start != GO_ON:
                _take_drives(lines[0], drive[k])
            if start == FROM_ZERO or start == FROM_GUESS:
                fine[0] = 0.0
            guessed = start == FROM_GUESS and len(numbers) > 1
            if guessed:
                _guess(g, drive[k, WORDS, 0], fine, wide, pool, places, numbers, lines, norton, row)
            if not _iterate(g, injected, fine, wide, pool, places, numbers, lines, sensed, rtol, budget,
                            start == GO_ON or guessed, norton, row, report[c, k]):
                n_open += 1
            _collect(g, injected, fine, n_word, n_bit, lines[0, BITS], drive[k, BITS], row, currents[c, k])
            if nodes.size > 0:
                for i in range(n_word):
                    for j in range(n_bit):
                        nodes[c, k, 0, i, j] = fine[0, i, j]
                        nodes[c, k, 1, i, j] = fine[1, i, j]
    return n_open


@helper
def _take_drives(lines, voltages):
    """What the ends add to the root voltages and far currents."""
    for side in range(2):
        for i in range(lines.shape[2]):
            lines[side, DRIVE, i] = lines[side, SHARE, i] * voltages[side, 0, i]
            lines[side, FED, i] = lines[side, END, i] * voltages[side, 1, i]
