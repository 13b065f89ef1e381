"""Slow, obvious references. NumPy only, nothing of tiocross."""

import numpy as np


# Activations as formulas, of real and complex arrays; those with kinks go by the real part, as their derivatives do.
ACTIVATION_FORMULAS = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.where(np.real(x) > 0, x, 0.0),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "hardtanh": lambda x: np.where(np.abs(np.real(x)) < 1, x, np.sign(np.real(x))),
}


def dense_crossbar(conductances, voltages, wire_resistance):
    """Currents [A] and node voltages [V] of one crossbar from the full nodal matrix, one conductance at a time.

    Nodes 0 .. MN-1 lie on word lines, MN .. 2MN-1 on bit lines. Word lines are driven at the left, bit lines grounded at
    the bottom, each through one segment. The wires must have a resistance above zero.
    """
    n_word, n_bit = np.shape(conductances)
    n = n_word * n_bit
    matrix, sources = np.zeros((2 * n, 2 * n)), np.zeros(2 * n)
    g_wire = 1 / wire_resistance

    def join(p, q, g):
        matrix[p, p] += g
        matrix[q, q] += g
        matrix[p, q] -= g
        matrix[q, p] -= g

    for i in range(n_word):
        for j in range(n_bit):
            word, bit = i * n_bit + j, n + i * n_bit + j
            join(word, bit, conductances[i][j])
            if j == 0:
                matrix[word, word] += g_wire
                sources[word] += g_wire * voltages[i]
            else:
                join(word, word - 1, g_wire)
            if i == n_word - 1:
                matrix[bit, bit] += g_wire
            else:
                join(bit, bit + n_bit, g_wire)
    nodes = np.linalg.solve(matrix, sources)
    word, bit = nodes[:n].reshape(n_word, n_bit), nodes[n:].reshape(n_word, n_bit)
    return bit[-1] * g_wire, word, bit


def reduced_crossbar(conductances, voltages, r_word, r_bit):
    """Currents and largest gross current of a bit line [A], from the equation for the device voltages u alone:

    u + r_b K_b (G o u) + r_w (G o u) K_w = V 1^T with K_w[j, k] = min(j, k), K_b[i, l] = min(M + 1 - i, M + 1 - l),
    which is regular at zero resistance.
    """
    g = np.asarray(conductances, dtype=float)
    n_word, n_bit = g.shape
    j, i = np.arange(1, n_bit + 1), np.arange(1, n_word + 1)
    k_word = np.minimum.outer(j, j)
    k_bit = np.minimum.outer(n_word + 1 - i, n_word + 1 - i)
    system = np.eye(g.size) + (r_bit * np.kron(k_bit, np.eye(n_bit)) + r_word * np.kron(np.eye(n_word), k_word)) * g.ravel()
    u = np.linalg.solve(system, np.repeat(voltages, n_bit)).reshape(g.shape)
    return (g * u).sum(axis=0), np.abs(g * u).sum(axis=0).max()


def kirchhoff_residuals(conductances, voltages, wire_resistance, word, bit):
    """Current that leaves each node minus what enters [A], for node voltages ``word`` and ``bit``."""
    device = conductances * (word - bit)
    left = np.concatenate([np.asarray(voltages)[:, None], word], axis=1)
    along_word = (left[:, :-1] - left[:, 1:]) / wire_resistance  # current into each word-line node from the left
    onward = np.concatenate([along_word[:, 1:], np.zeros((len(word), 1))], axis=1)
    below = np.concatenate([bit, np.zeros((1, bit.shape[1]))])
    down = (below[:-1] - below[1:]) / wire_resistance  # current out of each bit-line node downwards
    arriving = np.concatenate([np.zeros((1, bit.shape[1])), down[:-1]])
    return along_word - onward - device, device + arriving - down


def classify_one_by_one(layers, points, activation):
    """Classes by a loop over points, layers and units; ``layers`` is a list of (weights, bias)."""
    classes = []
    for point in points:
        signal = list(point)
        for depth, (weights, bias) in enumerate(layers):
            sums = [sum(x * w for x, w in zip(signal, weights[:, k])) + bias[k] for k in range(len(bias))]
            signal = sums if depth == len(layers) - 1 else [float(ACTIVATION_FORMULAS[activation](z)) for z in sums]
        classes.append(int(signal[0] > 0) if len(signal) == 1 else int(np.argmax(signal)))
    return np.array(classes)
