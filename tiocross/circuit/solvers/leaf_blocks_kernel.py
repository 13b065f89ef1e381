"""Small parts of a crossbar as blocks with ports, built device by device, and pulled back; LANES parts side by side.

A part has m word lines and n bit lines, together at least LANES / 2, that enter at its near side (left of word lines,
bottom of bit lines) and leave at its far side (right, top). Each line is given a voltage at its near port, and the current
drawn from it at its far port; the symmetric matrix F of the block answers with

    (current into the near ports, voltage at the far ports) = F (voltage at the near ports, current out of the far ports).

Bare lines without resistance have F = 1 between the two ends of each line and 0 elsewhere. From there
* one more segment of resistance r at the far end of a line lowers F[far, far] by r;
* a device G between the far ends w of a word line and t of a bit line adds g c c^T with c = F e, e being 1 at w, -1 at t
  and 0 elsewhere, g = s G, s = 1 / (1 + G z), and z = -e^T F e the resistance through which the device is fed.
Nothing is divided by a resistance: zero and tiny ones need no special case. Word lines are taken from the lowest up, and
ports in the order bottom ends, top ends, left and right end of each word line, so that those in use come first. F changes
for TOGETHER devices at once; each c takes the others of these before it into account.

Back: let a number change by sum(S dF), S symmetric, after a device. Then it changes by s^2 c^T S c dG with the device, and
by sum(S' dF) with F before it, where S' = S + g (e q^T + q e^T) + g^2 (c^T q) e e^T and q = S c.

symbol        shape                      meaning                                                              unit
shape         m, n                       word lines and bit lines of a part                                   -
order         (2m + 2n)                  port of each row of a block                                          -
devices       (K, m, n, LANES)           conductances, K vectors of blocks; the first word line is uppermost  S
words         (K, m, n, LANES)           resistance before each node of a word line, from the left        ohm
bits          (K, m, n, LANES)           resistance before each node of a bit line, from the bottom         ohm
form          (2m + 2n, 2m + 2n, LANES)  scratch: F, of which the lower half; S                               S, 1, ohm
group         (TOGETHER + 1, 2m + 2n, LANES)  scratch: c of devices; S c; the last one a row of F             1, ohm
columns       (K, m, n, 2m + 2n, LANES)  out, in: c of every device; of no device if it is empty              1, ohm
blocks        (LANES K, 2m + 2n, 2m + 2n)  out: F; in: S                                                      S, 1, ohm
gradient      (K, m, n, LANES)           out: change of the number with each device                           1/S
All arrays are flat.
"""

from tiocross.jit import helper, kernel
from tiocross.vectors import LANES, fill, load, store, transpose

TOGETHER = 4


@kernel
def build_leaf_blocks(n_vectors, shape, order, devices, words, bits, form, group, columns, blocks):
    """Fill ``blocks``, and ``columns`` unless it is empty."""
    m, n = shape
    n_ports = len(order)
    zero = fill(0.0)
    for b in range(n_vectors):
        _start(form, n_ports, n)
        for i in range(m - 1, -1, -1):
            w = 2 * (n + m - i) - 1
            row = w * n_ports
            for start in range(0, n, TOGETHER):
                for k in range(TOGETHER):
                    j = start + k
                    own = k * n_ports
                    if j >= n:
                        for p in range(w + 1):
                            store(group, (own + p) * LANES, zero)
                        continue
                    t = n + j
                    _lower(form, row + w, words, ((b * m + i) * n + j) * LANES)
                    _lower(form, t * n_ports + t, bits, ((b * m + i) * n + j) * LANES)
                    for p in range(w + 1):
                        other = t * n_ports + p if p <= t else p * n_ports + t
                        store(group, (own + p) * LANES, load(form, (row + p) * LANES) - load(form, other * LANES))
                    for k_before in range(k):
                        before = k_before * n_ports
                        g = _factor(devices, ((b * m + i) * n + start + k_before) * LANES, group, before,
                                    n + start + k_before, w)
                        share = g * (load(group, (before + w) * LANES) - load(group, (before + t) * LANES))
                        for p in range(w + 1):
                            at = (own + p) * LANES
                            store(group, at, load(group, at) + share * load(group, (before + p) * LANES))
                    if len(columns) > 0:
                        to = ((b * m + i) * n + j) * n_ports
                        for p in range(w + 1):
                            store(columns, (to + p) * LANES, load(group, (own + p) * LANES))
                _add_group(form, group, devices, ((b * m + i) * n + start) * LANES, n_ports, (n + start, w, 2 * n))
        _write(form, group, order, blocks, b)


@helper
def _start(form, n_ports, n):
    """Bare lines."""
    one = fill(1.0)
    form[:] = 0.0
    for t in range(n, 2 * n):
        store(form, (t * n_ports + t - n) * LANES, one)
    for w in range(2 * n + 1, n_ports, 2):
        store(form, (w * n_ports + w - 1) * LANES, one)


@helper
def _lower(form, at, segments, of):
    """Resistance in series with a far end."""
    store(form, at * LANES, load(form, at * LANES) - load(segments, of))


@helper
def _factor(devices, at, group, own, t, w):
    """g of the device ``at`` between t and w, whose c is at ``own``."""
    conductance = load(devices, at)
    return conductance / (1.0 + conductance * (load(group, (own + t) * LANES) - load(group, (own + w) * LANES)))


@helper
def _add_group(form, group, devices, at, n_ports, ports):
    """F += g c c^T for all of a group; a device beyond the last bit line has c = 0, and any g."""
    t, w, end = ports
    g_0 = _factor(devices, at, group, 0, t, w)
    g_1 = _factor(devices, at + LANES if t + 1 < end else at, group, n_ports, min(t + 1, end - 1), w)
    g_2 = _factor(devices, at + 2 * LANES if t + 2 < end else at, group, 2 * n_ports, min(t + 2, end - 1), w)
    g_3 = _factor(devices, at + 3 * LANES if t + 3 < end else at, group, 3 * n_ports, min(t + 3, end - 1), w)
    second, third, fourth = n_ports * LANES, 2 * n_ports * LANES, 3 * n_ports * LANES
    for p in range(w + 1):
        f_0, f_1 = g_0 * load(group, p * LANES), g_1 * load(group, second + p * LANES)
        f_2, f_3 = g_2 * load(group, third + p * LANES), g_3 * load(group, fourth + p * LANES)
        row = p * n_ports * LANES
        for q in range(0, (p + 1) * LANES, LANES):
            store(form, row + q, load(form, row + q) + (f_0 * load(group, q) + f_1 * load(group, second + q))
                  + (f_2 * load(group, third + q) + f_3 * load(group, fourth + q)))


@helper
def _write(form, group, order, blocks, b):
    """F of a vector of blocks, with the rows in order."""
    n_ports = len(order)
    scratch = TOGETHER * n_ports * LANES
    for r in range(n_ports):
        for c in range(n_ports):
            high, low = max(order[r], order[c]), min(order[r], order[c])
            store(group, scratch + c * LANES, load(form, (high * n_ports + low) * LANES))
        to = (b * LANES * n_ports + r) * n_ports
        for c in range(0, n_ports, LANES):
            first = min(c, n_ports - LANES)
            transpose(group, scratch + first * LANES, LANES, blocks, to + first, n_ports * n_ports)


@kernel
def pull_leaf_blocks(n_vectors, shape, order, devices, columns, blocks, form, group, gradient):
    """Fill ``gradient``; ``blocks`` is S."""
    m, n = shape
    n_ports = len(order)
    for b in range(n_vectors):
        _read(form, group, order, blocks, b)
        for i in range(m):
            w = 2 * (n + m - i) - 1
            line = (b * m + i) * n
            for start in range((n - 1) // TOGETHER * TOGETHER, -1, -TOGETHER):
                _multiply_group(form, columns, line + start, line + n - 1, group, n_ports, w)
                for k in range(min(TOGETHER, n - start) - 1, -1, -1):
                    t, own = n + start + k, k * n_ports
                    c = (line + start + k) * n_ports
                    conductance = load(devices, (line + start + k) * LANES)
                    share = 1.0 / (1.0 + conductance * (load(columns, (c + t) * LANES) - load(columns, (c + w) * LANES)))
                    g = conductance * share
                    square = _dot(columns, c, group, own, w)
                    store(gradient, (line + start + k) * LANES, share * share * square)
                    corner = g * g * square
                    for k_next in range(k):
                        other, c_next = k_next * n_ports, (line + start + k_next) * n_ports
                        e_c = g * (load(columns, (c_next + w) * LANES) - load(columns, (c_next + n + start + k) * LANES))
                        q_c = g * _dot(columns, c_next, group, own, w) + g * (e_c * square)
                        for p in range(w + 1):
                            at = (other + p) * LANES
                            store(group, at, load(group, at) + e_c * load(group, (own + p) * LANES))
                        store(group, (other + w) * LANES, load(group, (other + w) * LANES) + q_c)
                        store(group, (other + t) * LANES, load(group, (other + t) * LANES) - q_c)
                    for p in range(w + 1):
                        change = g * load(group, (own + p) * LANES)
                        change = change + (fill(0.5) * corner if p == w else fill(-0.5) * corner if p == t else fill(0.0))
                        _add_cross(form, n_ports, w, p, change)
                        _add_cross(form, n_ports, t, p, fill(0.0) - change)


@helper
def _add_cross(form, n_ports, line, p, change):
    """Add to S[line, p] and S[p, line]."""
    at = (line * n_ports + p) * LANES
    store(form, at, load(form, at) + change)
    at = (p * n_ports + line) * LANES
    store(form, at, load(form, at) + change)


@helper
def _dot(columns, c, group, own, w):
    """c^T q."""
    total = fill(0.0)
    for p in range(w + 1):
        total = total + load(columns, (c + p) * LANES) * load(group, (own + p) * LANES)
    return total


@helper
def _multiply_group(form, columns, first, last, group, n_ports, w):
    """S c of the devices from ``first`` on, the ``last`` of the line again where there are no more."""
    c_0, c_1 = first * n_ports * LANES, min(first + 1, last) * n_ports * LANES
    c_2, c_3 = min(first + 2, last) * n_ports * LANES, min(first + 3, last) * n_ports * LANES
    for p in range(w + 1):
        q_0, q_1, q_2, q_3 = fill(0.0), fill(0.0), fill(0.0), fill(0.0)
        row = p * n_ports * LANES
        for r in range(0, (w + 1) * LANES, LANES):
            s = load(form, row + r)
            q_0, q_1 = q_0 + s * load(columns, c_0 + r), q_1 + s * load(columns, c_1 + r)
            q_2, q_3 = q_2 + s * load(columns, c_2 + r), q_3 + s * load(columns, c_3 + r)
        store(group, p * LANES, q_0)
        store(group, (n_ports + p) * LANES, q_1)
        store(group, (2 * n_ports + p) * LANES, q_2)
        store(group, (3 * n_ports + p) * LANES, q_3)


@helper
def _read(form, group, order, blocks, b):
    """S of a vector of blocks, from rows in order."""
    n_ports = len(order)
    scratch = TOGETHER * n_ports * LANES
    for r in range(n_ports):
        start = (b * LANES * n_ports + r) * n_ports
        for c in range(0, n_ports, LANES):
            first = min(c, n_ports - LANES)
            transpose(blocks, start + first, n_ports * n_ports, group, scratch + first * LANES, LANES)
        for c in range(n_ports):
            store(form, (order[r] * n_ports + order[c]) * LANES, load(group, scratch + c * LANES))
