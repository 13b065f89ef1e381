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
nodes       (C, B, 2, M, N)  bit-line and word-line voltages, filled; or empty                    V
work        (6, M, N, K)     G, FW, FB, W, B: devices, attenuations of word and bit lines,        S, -, V
                             voltages; J of the nodes of the bit lines                            A
row         (9, M or N, K)   YW, YB: root voltage per unit J of word and bit lines, SHARE: root   V/A, -
                             voltage per unit drive, X: what a recurrence carries, LACK, TOTAL,
                             GROSS, LARGEST, OUT: residuals and currents of the bit lines         A
"""

from tiocross.circuit.kernels.jit import helper, kernel

G, FW, FB, W, B, J = range(6)
YW, YB, SHARE, X, LACK, TOTAL, GROSS, LARGEST, OUT = range(9)
WORD, SOURCE, BIT, SENSE = range(4)


@kernel
def solve_small(arrays, voltages, lines, rtol, max_sweeps, work, row, currents, report, nodes):
    """Solve every array for every drive; returns how many circuits are not solved within ``max_sweeps``."""
    n_arrays, n_lanes = len(arrays), work.shape[3]
    n_open = 0
    for first in range(0, n_arrays, n_lanes):
        k = min(n_lanes, n_arrays - first)
        _pack(arrays, first, k, work)
        _factor(k, lines, work, row)
        for b in range(voltages.shape[1]):
            left = k
            for sweep in range(1, max_sweeps + 1):
                _sweep_word_lines(voltages, first, b, k, lines, sweep == 1, work, row)
                _sweep_bit_lines(k, lines, sweep == 1, work, row)
                left -= _take_solved(first, b, k, sweep, rtol, work, row, currents, report, nodes)
                if left == 0:
                    break
            n_open += left
    return n_open


@helper
def _pack(arrays, first, n_lanes, work):
    _, n_word, n_bit = arrays.shape
    for k in range(n_lanes):
        for i in range(n_word):
            for j in range(n_bit):
                work[G, i, j, k] = arrays[first + k, i, j]


@helper
def _factor(n_lanes, lines, work, row):
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
        for k in range(n_lanes):
            row[YB, j, k] = work[G, 0, j, k]
    for i in range(1, n_word):
        for j in range(n_bit):
            r = lines[BIT, j]
            for k in range(n_lanes):
                work[FB, i, j, k] = 1.0 / (1.0 + r * row[YB, j, k])
            for k in range(n_lanes):
                row[YB, j, k] = work[FB, i, j, k] * row[YB, j, k] + work[G, i, j, k]
    for j in range(n_bit):
        r = lines[BIT, j] + lines[SENSE, j]
        for k in range(n_lanes):
            row[YB, j, k] = 1.0 / (1.0 + r * row[YB, j, k])


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
def _sweep_bit_lines(n_lanes, lines, fresh, work, row):
    """With the word lines held; sums what the word lines now lack."""
    n_word, n_bit = work.shape[1:3]
    for j in range(n_bit):
        r = lines[BIT, j]
        end = r + lines[SENSE, j]
        for k in range(n_lanes):
            work[J, 0, j, k] = work[G, 0, j, k] * work[W, 0, j, k]
            row[TOTAL, j, k] = 0.0
            row[GROSS, j, k] = 0.0
            row[LARGEST, j, k] = 0.0
        for i in range(1, n_word):
            for k in range(n_lanes):
                work[J, i, j, k] = work[G, i, j, k] * work[W, i, j, k] + work[FB, i, j, k] * work[J, i - 1, j, k]
        for k in range(n_lanes):
            row[OUT, j, k] = row[YB, j, k] * work[J, n_word - 1, j, k]
            row[X, j, k] = end * row[OUT, j, k]
        for i in range(n_word - 1, -1, -1):
            for k in range(n_lanes):
                row[LACK, 0, k] = abs(work[G, i, j, k] * (row[X, j, k] - (0.0 if fresh else work[B, i, j, k])))
            for k in range(n_lanes):
                row[TOTAL, j, k] += row[LACK, 0, k]
                row[LARGEST, j, k] = max(row[LARGEST, j, k], row[LACK, 0, k])
            for k in range(n_lanes):
                work[B, i, j, k] = row[X, j, k]
                row[GROSS, j, k] += abs(work[G, i, j, k] * (work[W, i, j, k] - row[X, j, k]))
            if i > 0:
                for k in range(n_lanes):
                    row[X, j, k] = work[FB, i, j, k] * (row[X, j, k] + r * work[J, i - 1, j, k])


@helper
def _take_solved(first, b, n_lanes, sweep, rtol, work, row, currents, report, nodes):
    """Store the results of the arrays that are solved at this sweep; returns how many."""
    n_solved = 0
    for k in range(n_lanes):
        c = first + k
        if report[c, b, 0] > 0.0:
            continue
        total, gross, largest = 0.0, 0.0, 0.0
        for j in range(currents.shape[2]):
            total += row[TOTAL, j, k]
            gross = max(gross, row[GROSS, j, k])
            largest = max(largest, row[LARGEST, j, k])
        if total <= rtol * gross:
            n_solved += 1
            report[c, b, 0], report[c, b, 1], report[c, b, 2], report[c, b, 3] = sweep, largest, total, gross
            for j in range(currents.shape[2]):
                currents[c, b, j] = row[OUT, j, k]
            if len(nodes) > 0:
                for i in range(work.shape[1]):
                    for j in range(work.shape[2]):
                        nodes[c, b, 0, i, j] = work[B, i, j, k]
                        nodes[c, b, 1, i, j] = work[W, i, j, k]
    return n_solved
