"""Which weights matter: what a change of each does to the outputs of its network."""

import numpy as np

_STEP = 1e-4  # of a weight, in central differences: their error is of the order of its square


def weight_effects(network, points):
    """What a change of each weight does to the outputs.

    Parameters
    ----------
    network : MLP
        The network (unitless).
    points : (n_points, n_inputs) array_like
        Typical inputs (unitless).

    Returns
    -------
    list of (n_inputs + 1, n_outputs) ndarray
        |d logit / d weight|, averaged over points and summed over outputs, for each weight and bias (unitless).
    """
    effects = []
    for layer, array in enumerate(network.arrays):
        effects.append(np.empty(array.shape))
        for place in np.ndindex(array.shape):
            ends = [_nudged(network, layer, place, step).logits(points) for step in (-_STEP, _STEP)]
            effects[-1][place] = np.abs(ends[1] - ends[0]).sum(axis=1).mean() / (2 * _STEP)
    return effects


def _nudged(network, layer, place, step):
    arrays = list(network.arrays)
    arrays[layer] = arrays[layer].copy()
    arrays[layer][place] += step
    return network.with_arrays(arrays)
