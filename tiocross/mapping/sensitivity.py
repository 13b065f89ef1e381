"""Which weights matter: what a change of each does to the outputs of its network."""

import numpy as np

from tiocross.checks import kind_of

_MOST_WEIGHTS = 4_096  # beyond, moving each bias takes long
_STEP = 1e-4  # of a bias, in central differences: their error is of the order of its square


def weight_effects(network, points):
    """|d logit / d weight| of each weight and bias, mean over points, sum over outputs: (n_inputs + 1, n_outputs) each."""
    if not hasattr(network, "with_arrays"):
        raise TypeError(f"network must be an MLP; got {kind_of(network)}")
    if np.shape(points)[:1] == (0,):
        raise ValueError("points must hold at least one point, to tell which weights matter; got none")
    is_large = sum(array.size for array in network.arrays) > _MOST_WEIGHTS and hasattr(network, "effects")
    if is_large or not getattr(network, "is_plain", True):
        return network.effects(points)  # weights may be used at several positions, or have no bias to be moved
    effects = []
    for layer, array in enumerate(network.arrays):
        # At one point the derivative by the weight from input i to unit j is that by the unit's bias, times the input.
        by_bias = [_bias_effects(network, layer, unit, points) for unit in range(array.shape[1])]
        inputs = np.abs(_inputs_of(network, layer, points))
        effects.append(inputs.T @ np.stack(by_bias, axis=1) / len(inputs))
    return effects


def effects_per_siemens(effects, targets):
    """What an error of each weight's difference does to the outputs, from what the weight does; one array a layer [1/S]."""
    return [effect[: len(layer.scale)] / layer.scale for effect, layer in zip(effects, targets.layers)]


def device_effects(effects, targets):
    """What an error of each device does to the outputs, from what each weight does; one array a layer [1/S]."""
    return [targets.layout.mapping.per_device(effect) for effect in effects_per_siemens(effects, targets)]


def sensitive_last(effects, targets):
    """Turn of each device of the layout's arrays when those that matter most are written last; of equal ones, the first in
    raster order is written last."""
    turns = []
    for values, used in zip(targets.layout.place(device_effects(effects, targets)), targets.layout.used):
        turn = np.zeros(values.shape, dtype=np.int64)
        order = np.argsort(-values[used], kind="stable")
        turn[used] = -np.argsort(order)
        turns.append(turn)
    return turns


def _bias_effects(network, layer, unit, points):
    """(n_points,) |d logit / d bias| of a unit, summed over outputs."""
    ends = []
    for step in (-_STEP, _STEP):
        arrays = list(network.arrays)
        arrays[layer] = arrays[layer].copy()
        arrays[layer][-1, unit] += step
        ends.append(network.with_arrays(arrays).logits(points))
    return np.abs(ends[1] - ends[0]).sum(axis=1) / (2 * _STEP)


def _inputs_of(network, layer, points):
    """(n_points, n_inputs + 1) what a layer multiplies its weights with, 1 for the bias last."""
    n_inputs = len(network.arrays[layer]) - 1
    passing = np.eye(n_inputs + 1, n_inputs)  # weights and bias of a layer that gives what it gets
    signals = network.with_arrays([*network.arrays[:layer], passing]).logits(points)
    return np.concatenate([signals, np.ones((len(signals), 1))], axis=1)
