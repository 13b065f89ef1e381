"""Exact solutions of whole lines of crossbars of linear devices, LANES lines or arrays at once.

Every crossing (i, j) has a word-line node and a bit-line node joined by a device. A line is eliminated from its far end
(right, top) to its root (left, bottom): looking outwards from a node it is a conductance Y and a current J, and one
more segment r turns them into f Y and f J with f = 1 / (1 + r Y), the line's *attenuation*. Nothing is divided by a
resistance and nothing positive is ever subtracted: zero, tiny and huge resistances need no special case. A sweep solves
every word line with the bit lines held, then every bit line with the word lines held. The bit lines are then balanced
exactly, and what is missing at a word-line node is the change of its device's current, G (b_new - b_old): the Kirchhoff
residual without a difference of wire currents. Of a current injected there at most the *leak* of the word line leaves
through the bit lines: the voltage at the end of the line when all bit lines are at 1 V and its source at 0 V.

All numbers are in two flat arrays, ``tables`` (what depends on wires and geometry alone) and ``pool`` (the rest), at the
places that ``numbers[level]`` names. Vectors hold the same node of LANES arrays (``many``), or LANES neighbours of one
array: of bit lines where nodes lie row by row, of word lines in the *word layout*, block by block and then along the line.
In both the arithmetic of a node, and the order of sums, is the same: so are the bits.

field       numbers of                    meaning                                                        unit
M N         word lines, bit lines
BLOCKS      vectors of word lines: M where many, else M / LANES rounded up
VECTORS     vectors of bit lines
PITCH       between rows i of all nodes; G_PITCH of the devices; W_PITCH between blocks in the word layout
CHUNKS      runs of word lines that the next coarser crossbar lumps
G           M rows                        devices (level 0 of one array: in ``devices``)                 S
F_WORD      word layout                   attenuation from node j - 1 to j; 1 at j = 0                   -
F_BIT       M rows                        attenuation from node i to i + 1; 1 in the last row            -
B, W        M rows                        bit-line and word-line node voltages                           V
Q           M rows                        current injected at word-line nodes                            A
WIDE        CHUNKS + 2 rows               sums over chunks; later the correction to be interpolated      S, A, V
LINE_W, _B  rows of one value a line      PASS root voltage per unit J, SHARE root voltage per unit      V/A, -
                                          drive, DRIVE and FED: what the ends add, ROOT_ and             V, A
                                          FAR_VOLTS: of the ends; LEAK of word lines, then of chunks     V, -
TABLE_W, _B rows of one value a line      END conductance at the far end, ROOT resistance to the root,   S, ohm
                                          slopes and values of the tapers at root and far ends           -
SEGMENTS_W, _B                            resistances between neighbours, every _LINE-th for the next    ohm
                                          word line, every _STEP-th for the next node along the line
SHARE_W, _B one value a node              weight of the coarse node after it, along the line             -
AT_W        N + 2 values                  positions along the word lines, ends included                  segments
X, TILE, J, ROWS                          scratch: a block of word lines, a square, J of a strip of bit
                                          lines, and sums and voltages of all bit lines

"""

from tiocross.jit import helper
from tiocross.vectors import LANES, fill, larger, load, magnitude, spread, store, transpose, where_above

(M, N, BLOCKS, VECTORS, PITCH, G_PITCH, W_PITCH, CHUNKS, G, F_WORD, F_BIT, B, W, Q, WIDE, GRADIENTS, LINE_W, LINE_B, TABLE_W,
 TABLE_B, SEGMENTS_W, W_LINE, W_STEP, SEGMENTS_B, B_STEP, SHARE_W, SHARE_B, AT_W, X, TILE, J, ROWS, ROW, STRIP, SENSED,
 RUN, N_FIELDS) = range(37)
PASS, SHARE, DRIVE, FED, ROOT_VOLTS, FAR_VOLTS, LEAK, N_LINE_ROWS = range(8)  # rows at LINE_W and LINE_B
END, ROOT, ROOT_SLOPE, ROOT_VALUE, FAR_SLOPE, FAR_VALUE, N_TABLE_ROWS = range(7)  # rows at TABLE_W and TABLE_B
VOLTAGE, TOTAL, PLAIN, GROSS, LARGEST, OUT, SCRATCH, N_ROWS = range(8)  # rows at ROWS
CHUNK_W, CHUNK_B, FIRST, BEFORE, N_EDGES = range(5)  # rows of ``edges``


@helper
def of_line(array, at, k, many):
    """What is given for a line, or for each of LANES lines."""
    return spread(array, at + k) if many else load(array, at + LANES * k)


@helper
def of_row(array, at, i, many):
    """What vectors hold for word line i: of each of LANES arrays, or of one."""
    return load(array, at + LANES * i) if many else spread(array, at + i)


@helper
def factor_word_lines(s, first, last, many, here, g, pool, tables):
    """Attenuations, and how roots and leaks come out, of some vectors of word lines."""
    n, g_pitch, x, resistances = s[N], s[G_PITCH], s[X], s[SEGMENTS_W]
    width, n_lines, step = LANES * s[BLOCKS], s[BLOCKS], s[W_STEP]
    if not many:
        n_lines, step = LANES * n_lines, LANES * step
    for block in range(first, last):
        if not many:
            for v in range(s[VECTORS]):
                transpose(here, g + LANES * (block * g_pitch + v), g_pitch, pool, x + LANES * LANES * v, LANES)
        f, line, r_line = s[F_WORD] + block * s[W_PITCH], s[LINE_W] + LANES * block, block * s[W_LINE]
        y, passed = of_line(tables, s[TABLE_W] + END * n_lines, block, many), fill(1.0)
        held = where_above(y, fill(0.0), fill(1.0), fill(0.0))
        for j in range(n - 1, -1, -1):
            y += load(here, g + block * g_pitch + LANES * j) if many else load(pool, x + LANES * j)
            if j > 0:
                factor = 1.0 / (1.0 + of_line(tables, resistances + j * step, r_line, many) * y)
                store(pool, f + LANES * j, factor)
                y *= factor
                passed *= factor
        store(pool, f, fill(1.0))
        _close_roots(pool, line, width, of_line(tables, s[TABLE_W] + ROOT * n_lines, block, many), y)
        passed *= load(pool, line + SHARE * width)
        store(pool, line + LEAK * width, larger(held, 1.0 - passed * (1.0 - 1e-13)))


@helper
def factor_bit_lines(s, edges, first, last, many, here, g, pool, tables):
    """And sum the devices of each chunk."""
    y, table, width, n_lines = s[ROWS], s[TABLE_B], LANES * s[VECTORS], s[VECTORS] if many else LANES * s[VECTORS]
    for q in range(first, last):
        store(pool, y + LANES * q, of_line(tables, table + END * n_lines, q, many))
    for k in range(s[CHUNKS]):
        wide, top = s[WIDE] + k * s[PITCH], edges[CHUNK_W, k]
        for i in range(top, edges[CHUNK_W, k + 1]):
            f, resistances, devices, is_root = (s[F_BIT] + i * s[PITCH], s[SEGMENTS_B] + (i + 1) * s[B_STEP],
                                                g + i * s[G_PITCH], i == s[M] - 1)
            for q in range(first, last):
                at = LANES * q
                device, summed, factor = load(here, devices + at), load(pool, wide + at), fill(1.0)
                store(pool, wide + at, device if i == top else summed + device)
                total = load(pool, y + at) + device
                if not is_root:
                    factor = 1.0 / (1.0 + of_line(tables, resistances, q, many) * total)
                store(pool, f + at, factor)
                store(pool, y + at, factor * total)
    for q in range(first, last):
        _close_roots(pool, s[LINE_B] + LANES * q, width, of_line(tables, table + ROOT * n_lines, q, many),
                     load(pool, y + LANES * q))


@helper
def _close_roots(pool, line, width, r, y):
    """From Y at the root nodes: how J and the drive make their voltages. A line without device floats at 0."""
    none, is_open = fill(0.0), fill(1e300)
    joined = where_above(r, is_open, none, r)
    share = 1.0 / (1.0 + joined * y)
    floats = where_above(y, none, 1.0 / where_above(y, none, y, fill(1.0)), none)
    store(pool, line + PASS * width, where_above(r, is_open, floats, joined * share))
    store(pool, line + SHARE * width, where_above(r, is_open, none, share))


@helper
def add_correction(s, edges, first, last, pool, tables):
    """Add to the bit lines, at some word lines, what `expand` made of the coarse crossbar: linear along the lines."""
    last_row = s[CHUNKS]  # and one more: how the correction goes on above the first coarse node and below the last
    for i in range(first, last):
        above, weight, b = edges[BEFORE, i], tables[s[SHARE_B] + i], s[B] + i * s[PITCH]
        lower = s[WIDE] + (above - 1 if above > 0 else last_row) * s[PITCH]
        upper = s[WIDE] + (above if above < last_row else last_row + 1) * s[PITCH]
        for q in range(0, LANES * s[VECTORS], LANES):
            change = (1.0 - weight) * load(pool, lower + q) + weight * load(pool, upper + q)
            store(pool, b + q, load(pool, b + q) + change)


@helper
def solve_word_lines(s, edges, first, last, many, fresh, corrected, here, g, injected, extra, pool, tables):
    """Exact word lines; ``fresh``: all bit lines are at 0 V, and nothing comes in at far ends or is injected. ``corrected``:
    a correction is to be added to the bit lines first. ``extra``: where currents stand in ``injected``, rows as the devices,
    or -1."""
    n, x, pitch, width, resistances = s[N], s[X], s[PITCH], LANES * s[BLOCKS], s[SEGMENTS_W]
    step, w, n_vectors = s[W_STEP] if many else LANES * s[W_STEP], s[W], s[VECTORS]
    for block in range(first, last):
        f, line, r_line = s[F_WORD] + block * s[W_PITCH], s[LINE_W] + LANES * block, block * s[W_LINE]
        out = w + block * pitch if many else x
        carried = load(pool, line + FED * width)
        if corrected:
            add_correction(s, edges, block if many else LANES * block, min(s[M], block + 1 if many else LANES * (block + 1)),
                           pool, tables)
        if fresh:
            for j in range(0, LANES * n, LANES):
                store(pool, x + j, carried)
        else:
            if many:
                _push_into_line(block, x, s, here, g, injected, extra, pool)
            else:
                _push_into_block(block, x, s, here, g, injected, extra, pool)
            for j in range(LANES * (n - 1), -1, -LANES):
                carried += load(pool, x + j)
                store(pool, x + j, carried)
                carried *= load(pool, f + j)
        voltage = load(pool, line + PASS * width) * carried + load(pool, line + DRIVE * width)
        store(pool, out, voltage)
        for j in range(1, n):
            r, at = of_line(tables, resistances + j * step, r_line, many), LANES * j
            voltage = load(pool, f + at) * (voltage + r * load(pool, x + at))
            store(pool, out + at, voltage)
        if not many:
            to = w + LANES * block * pitch
            for v in range(n_vectors):
                transpose(pool, x + LANES * LANES * v, LANES, pool, to + LANES * v, pitch)


@helper
def _push_into_line(i, x, s, here, g, injected, extra, pool):
    """What devices push into word line i of LANES arrays from bit lines at their voltages."""
    at, b, more = g + i * s[G_PITCH], s[B] + i * s[PITCH], extra + i * s[G_PITCH]
    for j in range(0, LANES * s[N], LANES):
        current = load(here, at + j) * load(pool, b + j)
        if extra >= 0:
            current += load(injected, more + j)
        store(pool, x + j, current)


@helper
def _push_into_block(block, x, s, here, g, injected, extra, pool):
    """The same for LANES word lines of one array, in the word layout."""
    g_pitch, pitch, tile, n_lines = s[G_PITCH], s[PITCH], s[TILE], min(LANES, s[M] - LANES * block)
    devices, b, more = g + LANES * block * g_pitch, s[B] + LANES * block * pitch, extra + LANES * block * g_pitch
    for k in range(LANES * n_lines, LANES * LANES, LANES):
        store(pool, tile + k, fill(0.0))
    for v in range(0, LANES * s[VECTORS], LANES):
        for k in range(n_lines):
            current = load(here, devices + k * g_pitch + v) * load(pool, b + k * pitch + v)
            if extra >= 0:
                current += load(injected, more + k * g_pitch + v)
            store(pool, tile + LANES * k, current)
        transpose(pool, tile, LANES, pool, x + LANES * v, LANES)


@helper
def _solve_bit_lines(s, edges, first, last, many, measure, here, g, injected, extra, pool, tables):
    """Exact bit lines, some vectors of them; sums what the word lines now lack over each chunk and, to ``measure``, the
    devices' currents. ``extra``: where what is injected at the word-line nodes, and drawn from the bit-line nodes, stands
    in ``injected``, or -1."""
    _eliminate_bit_lines(s, first, last, here, g, injected, extra, pool)
    width, rows, row, line = LANES * s[VECTORS], s[ROWS], s[ROW], s[LINE_B]
    for q in range(LANES * first, LANES * last, LANES):
        carried = load(pool, rows + q)
        store(pool, rows + OUT * row + q, load(pool, line + SHARE * width + q) * carried)
        store(pool, rows + q, load(pool, line + PASS * width + q) * carried + load(pool, line + DRIVE * width + q))
        for r in range(TOTAL, OUT):
            store(pool, rows + r * row + q, fill(0.0))
    _raise_bit_lines(s, edges, first, last, many, measure, here, g, injected, extra, pool, tables)


@helper
def _eliminate_bit_lines(s, first, last, here, g, injected, extra, pool):
    """Downwards: J of every node."""
    pitch, g_pitch, step, rows, w, f = s[PITCH], s[G_PITCH], LANES * (last - first), s[ROWS], s[W], s[F_BIT]
    fed, norton = s[LINE_B] + FED * LANES * s[VECTORS], s[J] - LANES * first
    for q in range(LANES * first, LANES * last, LANES):
        store(pool, rows + q, load(pool, fed + q))
    for top in range(0, s[M], s[RUN]):
        end = min(top + s[RUN], s[M])
        for q in range(LANES * first, LANES * last, LANES):
            carried = load(pool, rows + q)
            for i in range(top, end):
                at = i * pitch + q
                carried += load(here, g + i * g_pitch + q) * load(pool, w + at)
                if extra >= 0:
                    carried -= load(injected, extra + i * g_pitch + q)
                store(pool, norton + i * step + q, carried)
                carried *= load(pool, f + at)
            store(pool, rows + q, carried)


@helper
def _raise_bit_lines(s, edges, first, last, many, measure, here, g, injected, extra, pool, tables):
    """Upwards: their voltages, and what the word lines now lack."""
    for k in range(s[CHUNKS] - 1, -1, -1):
        leak = load(pool, s[LINE_W] + LANES * ((LEAK + 1) * s[BLOCKS] + k))
        for end in range(edges[CHUNK_W, k + 1], edges[CHUNK_W, k], -s[RUN]):
            top, begins = max(edges[CHUNK_W, k], end - s[RUN]), end == edges[CHUNK_W, k + 1]
            _raise_run(top, end, begins, leak, s[WIDE] + k * s[PITCH], s,
                       first, last, many, measure, here, g, injected, extra, pool, tables)


@helper
def _raise_run(top, end, begins, leak, wide, s, first, last, many, measure, here, g, injected, extra, pool, tables):
    """The same for some word lines of a chunk; ``begins``: they are its first, from below."""
    pitch, g_pitch, step, rows, row, w, b = s[PITCH], s[G_PITCH], LANES * (last - first), s[ROWS], s[ROW], s[W], s[B]
    f, norton, resistances, r_step = s[F_BIT], s[J] - LANES * first, s[SEGMENTS_B], s[B_STEP]
    for q in range(LANES * first, LANES * last, LANES):
        voltage, largest = load(pool, rows + q), load(pool, rows + LARGEST * row + q)
        summed, total, gross = fill(0.0), fill(0.0), fill(0.0)
        if not begins:
            summed = load(pool, wide + q)
        for i in range(end - 1, top - 1, -1):
            device, at = load(here, g + i * g_pitch + q), i * pitch + q
            change = device * (voltage - load(pool, b + at))
            store(pool, b + at, voltage)
            summed += change
            change = magnitude(change)
            total += change
            largest = larger(change, largest)
            if measure:
                current = device * (load(pool, w + at) - voltage)
                if extra >= 0:
                    current -= load(injected, extra + i * g_pitch + q)
                gross += magnitude(current)
            if i > 0:
                r = of_line(tables, resistances + i * r_step, q // LANES, many)
                voltage = load(pool, f + at - pitch) * (voltage + r * load(pool, norton + (i - 1) * step + q))
        store(pool, wide + q, summed)
        store(pool, rows + q, voltage)
        store(pool, rows + LARGEST * row + q, largest)
        store(pool, rows + TOTAL * row + q, load(pool, rows + TOTAL * row + q) + leak * total)
        store(pool, rows + PLAIN * row + q, load(pool, rows + PLAIN * row + q) + total)
        store(pool, rows + GROSS * row + q, load(pool, rows + GROSS * row + q) + gross)


@helper
def solve_all_bit_lines(s, edges, first, last, many, measure, here, g, injected, extra, pool, tables):
    """Exact bit lines, some vectors of them, strip by strip, so that J stays in the cache."""
    for q in range(first, last, s[STRIP]):
        _solve_bit_lines(s, edges, q, min(q + s[STRIP], last), many, measure, here, g, injected, extra, pool, tables)
