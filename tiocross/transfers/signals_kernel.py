"""The way of signals through one array of many chips, in double precision, each sum added up in one order.

symbol       shape            meaning
volts        (C or 1, M, P)   voltages of the driven word lines at each point [V]; one for all chips where all see the same
matrix       (C, M, N)        transfer matrices [S]
currents     (C, N, P)        of bit lines [A]
squares      (C, N, P)        sum of the squares of the currents of a line's devices [A^2]
normals      (C, N, P)        of the normal law, single precision; (0, 0, 0) where nothing is noisy
gains        (C, N)           of the sensing of each line, relative (unitless)
offsets      (C, N)           of the sensing of each line [A]
signals      (n,)             in: what a converter gets; out: its nearest level, in any unit

C chips, M word lines, N bit lines, P points.
"""

import math

from tiocross.jit import kernel


@kernel
def multiply(volts, matrix, currents):
    """Fill ``currents``; returns the number of products."""
    n_points = volts.shape[2]
    own = 1 if volts.shape[0] == matrix.shape[0] else 0
    for c in range(matrix.shape[0]):
        given = volts[c * own]
        for n in range(matrix.shape[2]):
            total = currents[c, n]
            for p in range(n_points):
                total[p] = 0.0
            for m in range(matrix.shape[1]):
                conductance = matrix[c, m, n]
                row = given[m]
                for p in range(n_points):
                    total[p] += conductance * row[p]
    return matrix.size * n_points


@kernel
def add_squares(volts, matrix, squares):
    """Fill ``squares``; returns the number of products."""
    n_points = volts.shape[2]
    own = 1 if volts.shape[0] == matrix.shape[0] else 0
    for c in range(matrix.shape[0]):
        given = volts[c * own]
        for n in range(matrix.shape[2]):
            total = squares[c, n]
            for p in range(n_points):
                total[p] = 0.0
            for m in range(matrix.shape[1]):
                conductance = matrix[c, m, n]
                row = given[m]
                for p in range(n_points):
                    part = conductance * row[p]
                    total[p] += part * part
    return matrix.size * n_points


@kernel
def add_noise(currents, squares, relative, own, normals):
    """Add to ``currents`` the noise of all devices of a line, ``relative`` to each one's current (unitless), and that of its
    sensing with the standard deviation ``own`` [A]; returns how many."""
    for c in range(currents.shape[0]):
        for n in range(currents.shape[1]):
            row = currents[c, n]
            chance = normals[c, n]
            if relative > 0.0:
                square = squares[c, n]
                for p in range(len(row)):
                    row[p] += math.sqrt(relative * relative * square[p] + own * own) * chance[p]
            else:
                for p in range(len(row)):
                    row[p] += own * chance[p]
    return currents.size


@kernel
def sense(currents, gains, offsets, low, high):
    """Amplify and clip to [low, high] [A], in place; returns how many were clipped."""
    n_clipped = 0
    for c in range(currents.shape[0]):
        for n in range(currents.shape[1]):
            row = currents[c, n]
            gain = gains[c, n]
            offset = offsets[c, n]
            for p in range(len(row)):
                value = gain * row[p] + offset
                n_clipped += 1 if value < low or value > high else 0
                row[p] = min(max(value, low), high)
    return n_clipped


@kernel
def convert(signals, low, high, n_steps):
    """Round to the nearest of the levels from low to high, in place; returns how many lie over half a step beyond."""
    step = (high - low) / n_steps
    per_step = n_steps / (high - low)
    least = low - 0.5 * step
    most = high + 0.5 * step
    n_clipped = 0
    for p in range(len(signals)):
        value = signals[p]
        n_clipped += 1 if value < least or value > most else 0
        code = math.floor((min(max(value, low), high) - low) * per_step + 0.5)
        signals[p] = low + step * code
    return n_clipped
