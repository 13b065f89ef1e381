"""Gauss-Seidel by whole lines on crossbars of linear devices, corrected on coarse crossbars; LANES lines or arrays at once.

What remains after a sweep is smooth and lives on a smaller crossbar: neighbouring lines are lumped, and lumped devices
add up; a lumped line stands at the middle of its block and has the resistance of its lines in parallel. Corrections are
linear along a line and constant across a block. The coarsest crossbar is solved by conjugate gradients on its word
lines, with the word-line solution as preconditioner. Coarse corrections are those of multigrid (A. Brandt, Math. Comp. 31,
333 (1977)); conjugate gradients are those of M. R. Hestenes and E. Stiefel, J. Res. Natl. Bur. Stand. 49, 409 (1952).

Symbols are those of `lines_kernel`, and of `solve_lines`:

symbol      shape             meaning                                                                         unit
devices     flat              of all arrays; of one array with rows and their number filled up to vectors     S
injected    flat, as devices  into word-line nodes, and drawn from bit-line nodes; empty for none             A
drives      (C or 1, B, E, W) voltages at root ends of word lines and, unless E = 1, at their far ends, at    V
                              root and far ends of bit lines; 0 where floating
edges       (L, 5, W)         CHUNK_W, CHUNK_B first line of each chunk; FIRST node along a word line beyond  -
                              so many coarse nodes; BEFORE: coarse nodes at or above each node of a bit line
start       scalar            FROM_GUESS, if all bit lines are read; FROM_ZERO; FROM_LAST: from the bit-line  -
                              voltages of the last circuit; GO_ON with it
strict      bool              whether voltages are wanted as well as currents: all residuals count in full        -
currents    (C, B, N)         out of the bottom ends, filled                                                  A
figures     (C, B, 8)         SWEEPS; RESIDUAL, the largest at a node; BOUND on the error of a current;       -, A
                              CURRENT: gross current; SMALLEST bound so far; WAITED: sweeps since without
                              half of it, -1 once solved; TAKEN: scratch; SUM of residuals; filled
nodes       (C, B, 2, M, N)   bit-line and word-line voltages, filled; or (C, B, 2, 0, 0)                     V
"""

from tiocross.circuit.solvers.lines_kernel import (
    AT_W,
    B,
    B_STEP,
    BLOCKS,
    CHUNKS,
    CHUNK_B,
    CHUNK_W,
    DRIVE,
    END,
    FAR_SLOPE,
    FAR_VALUE,
    FAR_VOLTS,
    FED,
    FIRST,
    G,
    GRADIENTS,
    GROSS,
    G_PITCH,
    LARGEST,
    LEAK,
    LINE_B,
    LINE_W,
    M,
    N,
    OUT,
    PITCH,
    PLAIN,
    Q,
    ROOT,
    ROOT_SLOPE,
    ROOT_VALUE,
    ROOT_VOLTS,
    ROW,
    ROWS,
    SCRATCH,
    SEGMENTS_B,
    SENSED,
    SHARE,
    SHARE_W,
    TABLE_B,
    TABLE_W,
    TOTAL,
    VECTORS,
    W,
    WIDE,
    X,
    add_correction,
    factor_bit_lines,
    factor_word_lines,
    of_line,
    of_row,
    solve_all_bit_lines,
    solve_word_lines,
)
from tiocross.jit import helper, kernel
from tiocross.vectors import LANES, fill, lane, larger, load, store, transpose, where_above

SWEEPS, RESIDUAL, BOUND, CURRENT, SMALLEST, WAITED, TAKEN, SUM, N_FIGURES = range(9)  # of ``figures``
FROM_GUESS, FROM_ZERO, FROM_LAST, GO_ON = 3, 2, 1, 0  # of ``start``: where the bit-line voltages come from
PATIENCE = 6  # sweeps without half the residual, after which the caller must help
STEPS = 20_000_000  # devices times steps of conjugate gradients in one go, about 0.2 s; the sweep around them goes on


@helper
def clear(pool, start, size):
    """Zeros."""
    for at in range(start, start + size, LANES):
        store(pool, at, fill(0.0))


@helper
def gather(s, t, edges, many, restrict, target, pool, tables):
    """From sums over chunks of word lines to rows of the coarse crossbar ``t``: sums along the lines over chunks of bit
    lines or, to ``restrict``, with the weights of an interpolation: what its coarse nodes are to be given."""
    n, n_coarse, table = s[N], t[N], t[TABLE_W]
    n_lines = t[BLOCKS] if many else LANES * t[BLOCKS]
    for block in range(t[BLOCKS]):
        x = s[WIDE] + block * s[PITCH] if many else s[X]
        out = target + block * t[PITCH] if many else s[X] + LANES * LANES * s[VECTORS]
        if not many:
            for v in range(s[VECTORS]):
                transpose(pool, s[WIDE] + LANES * (block * s[PITCH] + v), s[PITCH], pool, x + LANES * LANES * v, LANES)
            for c in range(n_coarse, LANES * t[VECTORS]):
                store(pool, out + LANES * c, fill(0.0))
        if not restrict:
            for c in range(n_coarse):
                total = fill(0.0)
                for j in range(edges[CHUNK_B, c], edges[CHUNK_B, c + 1]):
                    total += load(pool, x + LANES * j)
                store(pool, out + LANES * c, total)
        else:
            slope, value = (of_line(tables, table + ROOT_SLOPE * n_lines, block, many),
                            of_line(tables, table + ROOT_VALUE * n_lines, block, many))
            carried = fill(0.0)
            for j in range(edges[FIRST, 1]):
                carried += load(pool, x + LANES * j) * (tables[s[AT_W] + j + 1] * slope + value)
            for c in range(1, n_coarse):
                whole, upper = fill(0.0), fill(0.0)
                for j in range(edges[FIRST, c], edges[FIRST, c + 1]):
                    lack = load(pool, x + LANES * j)
                    whole += lack
                    upper += lack * tables[s[SHARE_W] + j]
                store(pool, out + LANES * (c - 1), carried + (whole - upper))
                carried = upper
            slope, value = (of_line(tables, table + FAR_SLOPE * n_lines, block, many),
                            of_line(tables, table + FAR_VALUE * n_lines, block, many))
            for j in range(edges[FIRST, n_coarse], n):
                distance = tables[s[AT_W] + n + 1] - tables[s[AT_W] + j + 1]
                carried += load(pool, x + LANES * j) * (distance * slope + value)
            store(pool, out + LANES * (n_coarse - 1), carried)
        if not many:
            for v in range(t[VECTORS]):
                transpose(pool, out + LANES * LANES * v, LANES, pool, target + LANES * (block * t[PITCH] + v), t[PITCH])


@helper
def expand(s, t, edges, many, pool, tables):
    """From bit lines of the coarse crossbar ``t`` to the rows that `add_correction` wants: constant across a chunk, tapered
    at the ends of the lines."""
    m, n_lines = t[M], t[VECTORS] if many else LANES * t[VECTORS]
    for q in range(t[VECTORS]):
        b, last, table = t[B] + LANES * q, (m - 1) * t[PITCH], t[TABLE_B]
        far = of_line(tables, table + FAR_VALUE * n_lines, q, many)
        root = of_line(tables, table + ROOT_VALUE * n_lines, q, many)
        store(pool, b + m * t[PITCH], load(pool, b) * far)
        store(pool, b + (m + 1) * t[PITCH], load(pool, b + last) * root)
    for k in range(m + 2):
        b, wide = t[B] + k * t[PITCH], s[WIDE] + k * s[PITCH]
        for c in range(t[N]):
            if many:
                value = load(pool, b + LANES * c)
                for j in range(edges[CHUNK_B, c], edges[CHUNK_B, c + 1]):
                    store(pool, wide + LANES * j, value)
            else:
                for j in range(edges[CHUNK_B, c], edges[CHUNK_B, c + 1]):
                    pool[wide + j] = pool[b + c]


@helper
def _add_columns(s, at, many, pool):
    """Sum over the bit lines of a row."""
    total, number = fill(0.0), 0.0
    for j in range(s[N]):
        if many:
            total += load(pool, at + LANES * j)
        else:
            number += pool[at + j]
    return total if many else fill(number)


@helper
def _dot(s, first, second, many, pool):
    """Sum of products over all nodes, the word lines of each bit line first."""
    at = s[ROWS] + SCRATCH * s[ROW]
    for q in range(0, LANES * s[VECTORS], LANES):
        total = fill(0.0)
        for i in range(0, s[M] * s[PITCH], s[PITCH]):
            total += load(pool, first + i + q) * load(pool, second + i + q)
        store(pool, at + q, total)
    return _add_columns(s, at, many, pool)


@helper
def _solve_coarsest(s, edges, many, pool, tables):
    """Conjugate gradients for S = (word lines) - g (bit lines)^-1 g, until a tenth of the residual's norm is left. Scratch
    holds S p, the bit lines of p, and the sum of those, which is wanted."""
    size = s[M] * s[PITCH]
    g, b, w, q, s_p, nothing, nowhere = s[G], s[B], s[W], s[Q], s[GRADIENTS], fill(0.0), -size
    p, summed = s_p + size, s_p + 2 * size
    clear(pool, s_p, 3 * size)
    start, before, p_s_p, alive = nothing, nothing, nothing, fill(1.0)
    for step in range(min(8 * s[M] * s[N], 20 + STEPS // (s[M] * s[N]))):
        clear(pool, b, size)
        solve_word_lines(s, edges, 0, s[BLOCKS], many, step < 0, step < 0, pool, g, pool, q, pool, tables)
        r_w = _dot(s, q, w, many, pool)
        start = r_w if step == 0 else start
        alive = where_above(r_w, 0.01 * start, alive, nothing)
        if not _is_any(alive):
            break
        solve_all_bit_lines(s, edges, 0, s[VECTORS], many, step < 0, pool, g, pool, nowhere, pool, tables)
        beta = where_above(alive, nothing, _ratio(r_w, before), nothing)
        for at in range(0, size, LANES):  # from here on b holds S w
            b_w = load(pool, b + at)
            store(pool, p + at, b_w + beta * load(pool, p + at))
            store(pool, b + at, load(pool, q + at) - load(pool, g + at) * b_w)
        p_s_p = _dot(s, w, b, many, pool) + beta * (2.0 * _dot(s, w, s_p, many, pool) + beta * p_s_p)
        alive = where_above(p_s_p, nothing, alive, nothing)  # else only rounding is left
        alpha, before = where_above(alive, nothing, _ratio(r_w, p_s_p), nothing), r_w
        for at in range(0, size, LANES):
            changed = load(pool, b + at) + beta * load(pool, s_p + at)
            store(pool, s_p + at, changed)
            store(pool, q + at, load(pool, q + at) - alpha * changed)
            store(pool, summed + at, load(pool, summed + at) + alpha * load(pool, p + at))
    for at in range(0, size, LANES):
        store(pool, b + at, load(pool, summed + at))


@helper
def _ratio(first, second):
    """0 where there is none."""
    return where_above(second, fill(0.0), first / where_above(second, fill(0.0), second, fill(1.0)), fill(0.0))


@helper
def _is_any(vector):
    for k in range(LANES):
        if lane(vector, k) > 0.0:
            return True
    return False


@helper
def _find_leaks(s, edges, many, pool):
    """Largest leak of each chunk of word lines, from those of the lines."""
    leaks = s[LINE_W] + LEAK * LANES * s[BLOCKS]
    for k in range(s[CHUNKS]):
        leak = fill(0.0)
        for i in range(edges[CHUNK_W, k], edges[CHUNK_W, k + 1]):
            leak = larger(leak, of_row(pool, leaks, i, many))
        store(pool, leaks + LANES * (s[BLOCKS] + k), leak)


@helper
def prepare(edges, many, given, devices, g, pool, tables, numbers):
    """Eliminate the lines of every level, but the first if that is ``given``, and lump the next."""
    for level in range(len(numbers)):
        s = numbers[level]
        here, at = (devices, g) if level == 0 and not many else (pool, s[G])
        if level > 0 or not given:
            factor_word_lines(s, 0, s[BLOCKS], many, here, at, pool, tables)
            factor_bit_lines(s, edges[level], 0, s[VECTORS], many, here, at, pool, tables)
        _find_leaks(s, edges[level], many, pool)
        if level > 0:
            first, n_rows = DRIVE * LANES, (ROOT_VOLTS - DRIVE) * LANES
            clear(pool, s[LINE_W] + first * s[BLOCKS], n_rows * s[BLOCKS])
            clear(pool, s[LINE_B] + first * s[VECTORS], n_rows * s[VECTORS])
        if level + 1 < len(numbers):
            t = numbers[level + 1]
            gather(s, t, edges[level], many, level < 0, t[G], pool, tables)


@helper
def _sweep(s, edges, many, measure, fresh, corrected, here, g, injected, extra, drawn, pool, tables):
    solve_word_lines(s, edges, 0, s[BLOCKS], many, fresh, corrected, here, g, injected, extra, pool, tables)
    solve_all_bit_lines(s, edges, 0, s[VECTORS], many, measure, here, g, injected, drawn, pool, tables)


@helper
def find_correction(edges, many, pool, tables, numbers):
    """From the currents that level 1 is given to its voltages: two sweeps at each level, each corrected likewise, and the
    solution of the coarsest."""
    last, level, again, never = len(numbers) - 1, 1, 0, len(numbers) < 0  # bit l of ``again``: whether l is swept once more
    nowhere = -len(numbers)  # a literal would have numba compile what it is given to once more
    while True:
        s = numbers[level]
        if level < last:
            if not again >> level & 1:
                clear(pool, s[B], s[M] * s[PITCH])
            _sweep(s, edges[level], many, never, never, bool(again >> level & 1), pool, s[G], pool, s[Q], nowhere, pool,
                   tables)
            t = numbers[level + 1]
            gather(s, t, edges[level], many, not never, t[Q], pool, tables)
            level += 1
            again &= ~(1 << level)
        else:
            _solve_coarsest(s, edges[level], many, pool, tables)
            while level > 1:
                level -= 1
                expand(numbers[level], numbers[level + 1], edges[level], many, pool, tables)
                if not again >> level & 1:
                    break
                add_correction(numbers[level], edges[level], 0, numbers[level, M], pool, tables)
            if level == last or again >> level & 1:
                return
            again |= 1 << level


@helper
def guess(edges, many, here, g, pool, tables, numbers):
    """Start of a read from ideal wires: every device drives g V into its bit line, which is lumped on the first coarse
    crossbar; leaves what its bit lines answer as a first correction, and what its word lines then lack as their current."""
    s, t = numbers[0], numbers[1]
    volts, never = s[LINE_W] + ROOT_VOLTS * LANES * s[BLOCKS], len(numbers) < 0
    for k in range(s[CHUNKS]):
        for q in range(0, LANES * s[VECTORS], LANES):
            total = fill(0.0)
            for i in range(edges[0, CHUNK_W, k], edges[0, CHUNK_W, k + 1]):
                total += load(here, g + i * s[G_PITCH] + q) * of_row(pool, volts, i, many)
            store(pool, s[WIDE] + k * s[PITCH] + q, -1.0 * total)
    gather(s, t, edges[0], many, never, t[Q], pool, tables)
    size = t[M] * t[PITCH]
    clear(pool, t[W], size)
    clear(pool, t[B], size)
    solve_all_bit_lines(t, edges[1], 0, t[VECTORS], many, never, pool, t[G], pool, t[Q], pool, tables)
    expand(s, t, edges[0], many, pool, tables)
    add_correction(s, edges[0], 0, s[M], pool, tables)
    for at in range(0, size, LANES):
        store(pool, t[Q] + at, load(pool, t[Q] + at) + load(pool, t[G] + at) * load(pool, t[B] + at))


@helper
def _pack(s, devices, first, n_arrays, pool):
    """Devices of LANES arrays side by side; open ones where there is no array."""
    n, size = s[N], s[M] * s[N]
    whole = n // LANES * LANES if n_arrays == LANES else 0
    for i in range(s[M]):
        at, to = first * size + i * n, s[G] + i * s[PITCH]
        for j in range(0, whole, LANES):
            transpose(devices, at + j, size, pool, to + LANES * j, LANES)
        for j in range(whole, n):
            for k in range(LANES):
                pool[to + LANES * j + k] = devices[at + k * size + j] if k < n_arrays else 0.0


@helper
def take_drives(s, many, drives, first, n_arrays, k, pool, tables):
    """What the ends add to the root voltages and far currents."""
    lanes = LANES if many else 1
    for side in range(2):
        line, table, blocks = s[LINE_W + side], s[TABLE_W + side], s[BLOCKS + side]
        width, n_lines = LANES * blocks, s[M + side]
        clear(pool, line + ROOT_VOLTS * width, 2 * width)
        for end in range(2):
            row = line + (ROOT_VOLTS + end) * width
            if 2 * side + end < drives.shape[2]:
                for c in range(n_arrays):
                    given = drives[first + c if len(drives) > 1 else 0, k, 2 * side + end]
                    for i in range(n_lines):
                        pool[row + lanes * i + c] = given[i]
        for q in range(blocks):
            share, at = load(pool, line + SHARE * width + LANES * q), line + LANES * q
            end = of_line(tables, table + END * (blocks if many else width), q, many)
            store(pool, at + DRIVE * width, share * load(pool, at + ROOT_VOLTS * width))
            store(pool, at + FED * width, end * load(pool, at + FAR_VOLTS * width))


@helper
def judge(s, many, measured, strict, rtol, pool, tables, figures):
    """Enter what the last sweep left into the ``figures`` of each array; returns how many are neither solved nor given up.
    ``strict``: all residuals count in full, for voltages are wanted."""
    rows, row, n_open = s[ROWS], s[ROW], 0
    total = _add_columns(s, rows + TOTAL * row, many, pool)
    plain = _add_columns(s, rows + PLAIN * row, many, pool)
    largest, gross = fill(0.0), fill(0.0)
    for q in range(s[VECTORS]):
        largest = larger(load(pool, rows + LARGEST * row + LANES * q), largest)
        gross = larger(load(pool, rows + GROSS * row + LANES * q) * of_line(tables, s[SENSED], q, many), gross)
    if not many:
        for k in range(1, LANES):
            largest = larger(fill(lane(largest, k)), largest)
            gross = larger(fill(lane(gross, k)), gross)
    gross = larger(gross - plain, fill(0.0))  # what is surely there
    for k in range(len(figures)):
        f = figures[k]
        if 0.0 <= f[WAITED] < PATIENCE:
            bound = lane(plain if strict else total, k)
            f[SWEEPS] += 1.0
            f[BOUND], f[SUM] = bound, lane(plain, k)
            better = f[SWEEPS] == 1.0 or bound < 0.5 * f[SMALLEST]
            f[SMALLEST] = bound if better else f[SMALLEST]
            f[WAITED] = 0.0 if better else f[WAITED] + 1.0
            if measured:
                f[RESIDUAL], f[CURRENT] = lane(largest, k), lane(gross, k)
                if bound <= rtol * lane(gross, k):
                    f[WAITED] = -1.0
            if 0.0 <= f[WAITED] < PATIENCE:
                n_open += 1
    return n_open


@helper
def take(s, k, many, n_ends, here, g, injected, pool, tables, currents, nodes):
    """Store currents and voltages of array k of those side by side. At 0 V a current is what the root makes of J, without
    any difference of voltages; else what passes the largest resistance along the line, and the devices' currents below."""
    m, n, pitch = s[M], s[N], s[PITCH]
    lanes, out, line, table = LANES if many else 1, s[ROWS] + OUT * s[ROW] + k, s[LINE_B] + k, s[TABLE_B]
    width, n_lines = LANES * s[VECTORS], s[VECTORS] if many else LANES * s[VECTORS]
    for j in range(n):
        q = lanes * j
        currents[j] = pool[out + q]
        if n_ends > 1 and tables[table + ROOT * n_lines + j] > 1e300:
            currents[j] = 0.0
        elif n_ends > 1 and pool[line + ROOT_VOLTS * width + q] != 0.0:
            end, top = tables[table + END * n_lines + j], 0
            current = end * (pool[line + FAR_VOLTS * width + q] - pool[s[B] + q + k])
            largest = 1.0 / end if end > 0.0 else 1e300
            for i in range(1, m):
                r, at = tables[s[SEGMENTS_B] + i * s[B_STEP] + j], s[B] + i * pitch + q + k
                if r > largest:
                    current, largest, top = (pool[at - pitch] - pool[at]) / r, r, i
            r = tables[table + ROOT * n_lines + j]
            if r > largest:
                current, top = (pool[s[B] + (m - 1) * pitch + q + k] - pool[line + ROOT_VOLTS * width + q]) / r, m
            for i in range(top, m):
                at = i * pitch + q + k
                current += here[g + i * s[G_PITCH] + q + k] * (pool[s[W] + at] - pool[s[B] + at])
                if len(injected) > 0:
                    current -= injected[i * s[G_PITCH] + q]
            currents[j] = current
    if nodes.size > 0:
        for i in range(m):
            for j in range(n):
                nodes[0, i, j] = pool[s[B] + i * pitch + lanes * j + k]
                nodes[1, i, j] = pool[s[W] + i * pitch + lanes * j + k]


@helper
def _close(figures):
    """Clear the scratch among them; returns how many circuits are open."""
    n_open = 0
    for f in figures:
        n_open += f[WAITED] >= 0.0
        f[TAKEN] = 0.0
    return n_open


@kernel
def solve_lines(devices, injected, drives, currents, figures, nodes, pool, tables, numbers, edges, many, rtol, budget,
                start, strict):
    """Solve C arrays for B sets of end voltages each, with up to ``budget`` sweeps; returns how many are not yet solved."""
    s, n_open, n_levels, never = numbers[0], 0, len(numbers), len(numbers) < 0
    n_side, extra, n_ends = LANES if many else 1, 0 if len(injected) > 0 else -1, drives.shape[2]
    is_plain = start >= FROM_ZERO and n_levels == 1 and n_ends == 1 and extra < 0
    for first in range(0, len(currents), n_side):
        n_arrays = min(n_side, len(currents) - first)
        here, g = (pool, s[G]) if many else (devices, first * LANES * s[BLOCKS] * s[G_PITCH])
        if start != GO_ON:
            if many:
                _pack(s, devices, first, n_arrays, pool)
            prepare(edges, many, never, devices, g, pool, tables, numbers)
        for k in range(currents.shape[1]):
            mine = figures[first:first + n_arrays, k]
            sweep, n_left = 0, n_arrays
            if start != GO_ON:
                take_drives(s, many, drives, first, n_arrays, k, pool, tables)
            if start >= FROM_ZERO:
                clear(pool, s[B], s[M] * s[PITCH])
            ready = start == FROM_GUESS and n_levels > 1
            if ready:
                guess(edges, many, here, g, pool, tables, numbers)
            while n_left > 0 and sweep < budget:
                corrected = n_levels > 1 and (ready or sweep > 0 or start == GO_ON)
                if corrected:
                    if not ready:
                        gather(s, numbers[1], edges[0], many, not never, numbers[1, Q], pool, tables)
                    find_correction(edges, many, pool, tables, numbers)
                    expand(s, numbers[1], edges[0], many, pool, tables)
                ready = False
                measure, fresh = sweep > 0 or start <= FROM_LAST or budget == 1, sweep == 0 and is_plain
                _sweep(s, edges[0], many, measure, fresh, corrected, here, g, injected, extra, extra, pool, tables)
                n_left = judge(s, many, measure, strict, rtol, pool, tables, mine)
                sweep += 1
                for c in range(n_arrays):
                    if mine[c, TAKEN] == 0.0 and (mine[c, WAITED] < 0.0 or n_left == 0 or sweep == budget):
                        mine[c, TAKEN] = 1.0
                        take(s, c, many, n_ends, here, g, injected, pool, tables, currents[first + c, k],
                              nodes[first + c, k])
            n_open += _close(mine)
    return n_open
