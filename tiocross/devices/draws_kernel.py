"""What a write leaves behind in the devices of large networks, from random numbers that NumPy has drawn: one pass.

A device is described as in `writes`: G = constant + target (linear + quadratic target), not below the floor. Of the 64
random bits of a device 24 tell its level, where in the law of the write disturb it lies, and 32 its fate, whether it is
stuck.

Numbers are of single precision: it rounds a conductance by 6e-8 of itself, a hundred thousandth of the least tuning error.

symbol       shape                meaning                                                          unit
normals      (2, n)               drawn from N(0, 1): offset and spread of the tuning error        -
bits         (n, 2) uint32        uniform: level in the upper 24 bits of the first, fate
rows         (n,) int32           row of the table for each device
growth       (n,)                 factor of its changes: 0 if nothing is written after it          -
table        (n_rows, n_p)        quantiles of the write disturb after so many later writes        S
edges        (n_p,)               their probabilities                                              -
inverse      (n_p - 1,)           1 over the differences of probabilities                          -
guide        (256,) int32         last edge at or below each 256th level: where to begin to look
tuning       (4,)                 offset: 1 + mean, std; spread: intercept, slope [1/S]            -
stuck        (4,)                 conductance of stuck devices: mean and std of low resistance, low
                                  end and range of high resistance                                 S
fates        (2,) int64           bits below the first: stuck at low resistance, below the second: at high
targets      (n,)                 wanted conductances                                              S
constant     (n,)                 out                                                              S
linear       (n,)                 out                                                              -
quadratic    (n,)                 out                                                              1/S
is_stuck     (n,) bool            out
programmed   (n,)                 out: conductances after the write                                S
floor        scalar               least conductance                                                S
"""

import numpy as np

from tiocross.jit import helper, kernel

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_LEVEL = np.float32(2.0**-24)


@helper
def _change(level_bits, row, growth, table, edges, inverse, guide):
    """Change by later writes at a level."""
    level = np.float32(level_bits >> 8) * _LEVEL
    k = guide[level_bits >> 24]
    while edges[k + 1] <= level:
        k += 1
    low = table[row, k]
    return growth * (low + (table[row, k + 1] - low) * ((level - edges[k]) * inverse[k]))


@helper
def _stuck_at(spread, level_bits, is_low, stuck):
    """Conductance of a stuck device."""
    if is_low:
        return max(stuck[0] + stuck[1] * spread, _ZERO)
    return stuck[2] + stuck[3] * (np.float32(level_bits >> 8) * _LEVEL)


@kernel
def fill_writes(normals, bits, rows, growth, table, edges, inverse, guide, tuning, stuck, fates, constant, linear, quadratic,
                is_stuck):
    """Fill ``constant``, ``linear``, ``quadratic`` and ``is_stuck``; returns the number of stuck devices."""
    n_stuck = 0
    for d in range(len(rows)):
        spread = normals[1, d]
        held = np.int64(bits[d, 1]) < fates[1]
        is_stuck[d] = held
        if held:
            n_stuck += 1
            constant[d] = _stuck_at(spread, bits[d, 0], np.int64(bits[d, 1]) < fates[0], stuck)
            linear[d] = _ZERO
            quadratic[d] = _ZERO
        else:
            constant[d] = _change(bits[d, 0], rows[d], growth[d], table, edges, inverse, guide)
            linear[d] = tuning[0] + tuning[1] * normals[0, d] + tuning[2] * spread
            quadratic[d] = tuning[3] * spread
    return n_stuck


@kernel
def program_writes(normals, bits, rows, growth, table, edges, inverse, guide, tuning, stuck, fates, targets, floor,
                   programmed):
    """Fill ``programmed`` with what writes of ``targets`` leave behind; returns the number of stuck devices."""
    n_stuck = 0
    for d in range(len(rows)):
        spread = normals[1, d]
        if np.int64(bits[d, 1]) < fates[1]:
            n_stuck += 1
            programmed[d] = _stuck_at(spread, bits[d, 0], np.int64(bits[d, 1]) < fates[0], stuck)
        else:
            change = _change(bits[d, 0], rows[d], growth[d], table, edges, inverse, guide)
            linear = tuning[0] + tuning[1] * normals[0, d] + tuning[2] * spread
            target = targets[d]
            programmed[d] = max(change + target * (linear + target * (tuning[3] * spread)), floor)
    return n_stuck
