"""Gauss-Seidel by whole lines on many small crossbars at once, read at all bit lines.

Word lines are driven at their left ends, bit lines held at 0 V at their bottom ends, the other ends float; devices obey
Ohm's law. Lines are eliminated in conductance form, from the open end to the connected one: looking outwards from a node
a line is a conductance Y and a current J, and one more segment r turns them into f Y and f J with f = 1 / (1 + r Y);
residuals are the changes G (b_new - b_old) of the devices' currents when the bit lines are solved. Up to K arrays go
side by side, the innermost axis, so that one instruction serves several; an array's result is taken at the sweep at which
it is solved, whatever its neighbours still need.

symbol      shape            meaning                                                              unit
arrays      (C, M, N)        devices                                                              S
voltages    (C or 1, B, M)   drives of each array, or of all                                      V
lines       (4, W)           resistances: word segment, source, bit segment, sense                ohm
currents    (C, B, N)        out of the bottom ends, filled                                       A
report      (C, B, 4)        sweeps, largest and summed residual, largest gross current; sweeps   -, A
                             stay 0 where ``max_sweeps`` were not enough
nodes       (C, B, 2, M, N)  bit-line and word-line voltages, filled; or (C, B, 2, 0, 0)          V
work        (6, M, N, K)     G, FW, FB, W, B: devices, attenuations of word and bit lines,        S, -, V
                             voltages; J of the nodes of the bit lines                            A
row         (11, X, K)       YW, YB: root voltage per unit J of word and bit lines, SHARE: root   V/A, -
                             voltage per unit drive, X: what a recurrence carries, LACK, TOTAL,   A
                             GROSS, LARGEST, OUT: residuals and currents of the bit lines,        A
                             R, END: resistance of a bit line's segment, and of its last one      ohm
                             with what is beyond; X is the larger of M and N
flat, long  (6, M, N K),     ``work`` and ``row`` again, with the last two axes as one
            (11, X K)
"""

from tiocross.jit import helper, kernel

G, FW, FB, W, B, J = range(6)
YW, YB, SHARE, X, LACK, TOTAL, GROSS, LARGEST, OUT, R, END = range(11)
WORD, SOURCE, BIT, SENSE = range(4)


@kernel
def solve_small(arrays, voltages, lines, rtol, max_sweeps, work, flat, row, long, currents, report, nodes):
    """Solve every array for every drive; returns how many circuits are not solved within ``max_sweeps``."""
    n_arrays, n_lanes = len(arrays), work.shape[3]
    n_open = 0
    for first in range(0, n_arrays, n_lanes):
        k = min(n_lanes, n_arrays - first)
        _pack(arrays, first, k, work)
        _factor(k, lines, work, flat, row, long)
        for b in range(voltages.shape[1]):
            left = k
            for sweep in range(1, max_sweeps + 1):
                _sweep_word_lines(voltages, first, b, k, lines, sweep == 1, work, row)
                _sweep_bit_lines(sweep == 1, work.shape[2] * n_lanes, flat, long)
                if sweep > 1:  # the first leaves too much
                    left -= _take_solved(first, b, k, sweep, rtol, work, row, currents, report, nodes)
                if left == 0:
                    break
            n_open += left
    return n_open


@helper
def _pack(arrays, first, n_lanes, work):
    """Devices side by side; lanes without an array hold open ones."""
    _, n_word, n_bit = arrays.shape
    for i in range(n_word):
        for j in range(n_bit):
            for k in range(n_lanes):
                work[G, i, j, k] = arrays[first + k, i, j]
            for k in range(n_lanes, work.shape[3]):
                for m in range(len(work)):
                    work[m, i, j, k] = 0.0


@helper
def _factor(n_lanes, lines, work, flat, row, long):
    n_word, n_bit = work.shape[1:3]
    for i in range(n_word):
        r = lines[WORD, i]
        for k in range(n_lanes):
            row[YW, i, k] = work[G, i, n_bit - 1, k]
        for j in range(n_bit - 1, 0, -1):
            for k in range(n_lanes):
                work[FW, i, j, k] = 1.0 / (1.0 + r * row[YW, i, k])
            for k in range(n_lanes):
                row[YW, i, k] = work[FW, i, j, k] * row[YW, i, k] + work[G, i, j - 1, k]
        r += lines[SOURCE, i]
        for k in range(n_lanes):
            row[SHARE, i, k] = 1.0 / (1.0 + r * row[YW, i, k])
            row[YW, i, k] = r * row[SHARE, i, k]
    for j in range(n_bit):
        for k in range(work.shape[3]):
            row[R, j, k] = lines[BIT, j]
            row[END, j, k] = lines[BIT, j] + lines[SENSE, j]
    for q in range(flat.shape[2]):
        long[YB, q] = flat[G, 0, q]
    for i in range(1, n_word):
        for q in range(flat.shape[2]):
            flat[FB, i, q] = 1.0 / (1.0 + long[R, q] * long[YB, q])
        for q in range(flat.shape[2]):
            long[YB, q] = flat[FB, i, q] * long[YB, q] + flat[G, i, q]
    for q in range(flat.shape[2]):
        long[YB, q] = 1.0 / (1.0 + long[END, q] * long[YB, q])


@helper
def _sweep_word_lines(voltages, first, b, n_lanes, lines, fresh, work, row):
    """With the bit lines held; ``fresh``: they are all at 0 V."""
    n_word, n_bit = work.shape[1:3]
    shared = len(voltages) == 1
    for i in range(n_word):
        for k in range(n_lanes):
            row[X, 0, k] = row[SHARE, i, k] * voltages[0 if shared else first + k, b, i]
        if not fresh:
            for k in range(n_lanes):
                work[J, 0, n_bit - 1, k] = work[G, i, n_bit - 1, k] * work[B, i, n_bit - 1, k]
            for j in range(n_bit - 1, 0, -1):
                for k in range(n_lanes):
                    work[J, 0, j - 1, k] = (work[G, i, j - 1, k] * work[B, i, j - 1, k]
                                            + work[FW, i, j, k] * work[J, 0, j, k])
            for k in range(n_lanes):
                row[X, 0, k] += row[YW, i, k] * work[J, 0, 0, k]
        for k in range(n_lanes):
            work[W, i, 0, k] = row[X, 0, k]
        for j in range(1, n_bit):
            if fresh:
                for k in range(n_lanes):
                    work[W, i, j, k] = work[FW, i, j, k] * work[W, i, j - 1, k]
            else:
                r = lines[WORD, i]
                for k in range(n_lanes):
                    work[W, i, j, k] = work[FW, i, j, k] * (work[W, i, j - 1, k] + r * work[J, 0, j, k])


@helper
def _sweep_bit_lines(fresh, n, flat, long):
    """With the word lines held, all bit lines of all arrays as one row of n; sums what the word lines now lack, except
    when ``fresh``."""
    n_word = flat.shape[1]
    for q in range(n):
        flat[J, 0, q] = flat[G, 0, q] * flat[W, 0, q]
        long[TOTAL, q] = 0.0
        long[GROSS, q] = 0.0
        long[LARGEST, q] = 0.0
    for i in range(1, n_word):
        for q in range(n):
            flat[J, i, q] = flat[G, i, q] * flat[W, i, q] + flat[FB, i, q] * flat[J, i - 1, q]
    for q in range(n):
        long[OUT, q] = long[YB, q] * flat[J, n_word - 1, q]
        long[X, q] = long[END, q] * long[OUT, q]
    for i in range(n_word - 1, -1, -1):
        if not fresh:
            for q in range(n):
                long[LACK, q] = abs(flat[G, i, q] * (long[X, q] - flat[B, i, q]))
            for q in range(n):
                long[TOTAL, q] += long[LACK, q]
                long[LARGEST, q] = long[LACK, q] if long[LACK, q] > long[LARGEST, q] else long[LARGEST, q]
            for q in range(n):
                long[GROSS, q] += abs(flat[G, i, q] * (flat[W, i, q] - long[X, q]))
        for q in range(n):
            flat[B, i, q] = long[X, q]
        if i > 0:
            for q in range(n):
                long[X, q] = flat[FB, i, q] * (long[X, q] + long[R, q] * flat[J, i - 1, q])


@helper
def _take_solved(first, b, n_lanes, sweep, rtol, work, row, currents, report, nodes):
    """Store the results of the arrays that are solved at this sweep; returns how many."""
    n_solved = 0
    for j in range(1, currents.shape[2]):
        for k in range(n_lanes):
            row[TOTAL, 0, k] += row[TOTAL, j, k]
        for k in range(n_lanes):
            row[GROSS, 0, k] = max(row[GROSS, 0, k], row[GROSS, j, k])
            row[LARGEST, 0, k] = max(row[LARGEST, 0, k], row[LARGEST, j, k])
    for k in range(n_lanes):
        c = first + k
        total, gross, largest = row[TOTAL, 0, k], row[GROSS, 0, k], row[LARGEST, 0, k]
        if report[c, b, 0] > 0.0:
            continue
        if total <= rtol * gross:
            n_solved += 1
            report[c, b, 0], report[c, b, 1], report[c, b, 2], report[c, b, 3] = sweep, largest, total, gross
            for j in range(currents.shape[2]):
                currents[c, b, j] = row[OUT, j, k]
            if nodes.size > 0:
                for i in range(work.shape[1]):
                    for j in range(work.shape[2]):
                        nodes[c, b, 0, i, j] = work[B, i, j, k]
                        nodes[c, b, 1, i, j] = work[W, i, j, k]
    return n_solved
