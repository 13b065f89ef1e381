"""Weights of large networks as simulated chips hold them on differential pairs, and the way back, one pass each.

The same as `on_devices.WeightsOnDevices.sample_pairs`, without arrays in between: nothing is kept for the way back but what
the writes left behind, from which it computes again.

A weight w stands on the plus device at g_min + max(w s, 0) and on the minus device at g_min + max(-w s, 0). What a write
makes of a target g is constant + g (linear + g quadratic), not below zero; the weight is the difference over s.

symbol       shape                     meaning                                                                unit
weights      (N, n_weights)            of each network                                                        -
scale        (N, n)                    of each weight on devices                                              S
places       (n,) int64                which of the weights those on devices are
g_min        number                    low end of the window                                                  S
constant     (1 or N, C, n, 2)         of the writes of C chips: plus and minus; one set for all, or one each S
linear       (1 or N, C, n, 2)         of the writes                                                          -
quadratic    (1 or N, C, n, 2)         of the writes                                                          1/S
stuck        (1 or N, C, n, 2) bool    devices that do not answer: their pairs pass no gradient
sampled      (N, C, n_weights)         out, at the places: what the chips compute with                        -
slopes       (N, C, n_weights)         gradient by ``sampled``
by_weight    (N, n_weights) float64    out, at the places: gradient by the weights, the scale held
by_scale     (N, n or 0) float64       out: gradient by the scale, where it is wanted                         1/S

Numbers are of single precision unless stated.
"""

import numpy as np

from tiocross.jit import helper, kernel

_ZERO, _HALF, _TWO = np.float32(0.0), np.float32(0.5), np.float32(2.0)


@helper
def _write(target, constant, linear, quadratic):
    """Conductance after the write."""
    left = constant + target * (linear + target * quadratic)
    return left if left > _ZERO else _ZERO


@helper
def _slope(target, constant, linear, quadratic):
    """Its derivative by the target."""
    left = constant + target * (linear + target * quadratic)
    return linear + _TWO * target * quadratic if left > _ZERO else _ZERO


@kernel
def sample_pairs(weights, scale, places, g_min, constant, linear, quadratic, sampled):
    """Fill ``sampled``."""
    for network in range(sampled.shape[0]):
        of = network if constant.shape[0] > 1 else 0
        for chip in range(sampled.shape[1]):
            for k in range(len(places)):
                s = scale[network, k]
                half = _HALF * weights[network, places[k]] * s
                above = abs(half) + g_min
                plus = _write(above + half, constant[of, chip, k, 0], linear[of, chip, k, 0], quadratic[of, chip, k, 0])
                minus = _write(above - half, constant[of, chip, k, 1], linear[of, chip, k, 1], quadratic[of, chip, k, 1])
                sampled[network, chip, places[k]] = (plus - minus) / s
    return len(places)


@kernel
def pull_pairs(weights, scale, places, g_min, constant, linear, quadratic, stuck, slopes, by_weight, by_scale):
    """Fill ``by_weight``, and ``by_scale`` unless it is empty."""
    through = by_scale.shape[1] > 0
    for network in range(slopes.shape[0]):
        of = network if constant.shape[0] > 1 else 0
        for k in range(len(places)):
            by_weight[network, places[k]] = 0.0
            if through:
                by_scale[network, k] = 0.0
        for chip in range(slopes.shape[1]):
            for k in range(len(places)):
                s = scale[network, k]
                weight = weights[network, places[k]]
                slope = slopes[network, chip, places[k]]
                half = _HALF * weight * s
                above = abs(half) + g_min
                side = 0 if weight >= _ZERO else 1  # the device that follows the weight; at zero both do by half
                answers = _slope(above + abs(half), constant[of, chip, k, side], linear[of, chip, k, side],
                                 quadratic[of, chip, k, side])
                if weight == _ZERO:
                    other = _slope(above, constant[of, chip, k, 1], linear[of, chip, k, 1], quadratic[of, chip, k, 1])
                    answers = _HALF * (answers + other)
                if not (stuck[of, chip, k, 0] or stuck[of, chip, k, 1]):
                    by_weight[network, places[k]] += slope * answers
                if through:
                    plus = _write(above + half, constant[of, chip, k, 0], linear[of, chip, k, 0], quadratic[of, chip, k, 0])
                    minus = _write(above - half, constant[of, chip, k, 1], linear[of, chip, k, 1], quadratic[of, chip, k, 1])
                    value = (plus - minus) / s
                    by_scale[network, k] += slope * ((answers * weight - value) / s)
    return len(places)
