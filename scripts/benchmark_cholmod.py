"""Crossbars by sparse Cholesky, CHOLMOD through sksparse: assembled, factored, solved, each timed.

Plain reads with any wires above zero ohm. The lower triangle is written down column by column, as CHOLMOD wants it, by a
few NumPy calls: nothing is sorted or summed, so that assembling costs little beside factoring.
"""

from functools import partial

import numpy as np
from benchmark_clock import stopwatch
from benchmark_references import Reference, scaling, shape_like

_TOGETHER = 50  # inputs solved at once


def cholmod_reference(crossbar, biasing, n_circuits):
    """A `Reference` by CHOLMOD for the first ``n_circuits``: one factorisation for each array, its parts kept."""
    arrays = crossbar.conductances.reshape(-1, *crossbar.conductances.shape[-2:])
    voltages = np.broadcast_to(biasing.left, (*biasing.batch, crossbar.n_word_lines)).reshape(-1, crossbar.n_word_lines)
    circuits = [(0, voltages)] if len(arrays) == 1 else [(c, voltages[c : c + 1]) for c in range(n_circuits)]
    parts = []

    def run():
        spent, currents = np.zeros(3), []
        for c, inputs in circuits:
            found, seconds = solve_read(arrays[c], inputs, crossbar)
            currents.append(found)
            spent += seconds
        parts.append(spent)
        return shape_like(np.concatenate(currents), biasing)

    return Reference("CHOLMOD", run, exact=True, parts=partial(_best_parts, parts), **scaling(biasing, n_circuits))


def _best_parts(parts):
    """Seconds of each part in the fastest run."""
    return dict(zip(("assembled", "factored", "solved"), map(float, min(parts, key=np.sum))))


def solve_read(conductances, inputs, crossbar):
    """Bit-line currents [A] for inputs [V], and seconds of assembling, factoring and solving."""
    from sksparse.cholmod import cholesky

    stop, times = stopwatch(), [0.0]
    lower = assemble(conductances, crossbar)
    times.append(stop())
    factors = cholesky(lower, ordering_method="amd")  # supernodes where they pay; METIS is slower from 8 to 256 squared
    times.append(stop())
    n_bit_lines = conductances.shape[1]
    drive = 1 / (crossbar.word_line_resistance + crossbar.source_resistance)
    sense = 1 / (crossbar.bit_line_resistance + crossbar.sense_resistance)
    first = np.arange(len(conductances)) * n_bit_lines
    currents = np.empty((len(inputs), n_bit_lines))
    for start in range(0, len(inputs), _TOGETHER):
        some = inputs[start : start + _TOGETHER]
        amperes = np.zeros((lower.shape[0], len(some)))
        amperes[first] = (some * drive).T
        currents[start : start + _TOGETHER] = factors(amperes)[-n_bit_lines:].T * sense
    times.append(stop())
    return currents, np.diff(times)


def assemble(conductances, crossbar):
    """Lower triangle of the nodal matrix [S]: nodes of the word lines, then those of the bit lines, row by row of devices.

    A column holds its diagonal and at most two entries below: to the next node of the line and, of word lines, the device.
    """
    from scipy.sparse import csc_matrix

    m, n = conductances.shape
    word, bit = 1 / crossbar.word_line_resistance[:, None], 1 / crossbar.bit_line_resistance
    values, rows, kept = np.empty((2, m, n, 3)), np.empty((2, m, n, 3), np.int32), np.ones((2, m, n, 3), bool)
    nodes = np.arange(2 * m * n, dtype=np.int32).reshape(2, m, n)
    values[0, ..., 0] = conductances + 2 * word
    values[0, :, 0, 0] += 1 / (crossbar.word_line_resistance + crossbar.source_resistance) - word[:, 0]
    values[0, :, -1, 0] -= word[:, 0]
    values[1, ..., 0] = conductances + 2 * bit
    values[1, 0, :, 0] -= bit
    values[1, -1, :, 0] += 1 / (crossbar.bit_line_resistance + crossbar.sense_resistance) - bit
    values[0, ..., 1], values[1, ..., 1], values[0, ..., 2] = -word, -bit, -conductances
    rows[..., 0], rows[0, ..., 1], rows[1, ..., 1], rows[0, ..., 2] = nodes, nodes[0] + 1, nodes[1] + n, nodes[1]
    kept[0, :, -1, 1], kept[1, -1, :, 1], kept[1, ..., 2] = False, False, False
    starts = np.zeros(2 * m * n + 1, np.int32)
    np.cumsum(kept.reshape(-1, 3).sum(axis=1), out=starts[1:])
    return csc_matrix((values[kept], rows[kept], starts), shape=(2 * m * n,) * 2)
