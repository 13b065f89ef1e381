"""Compensated mapping: targets that give, through the wires, the weights that are wanted."""

from dataclasses import replace

import numpy as np

from tiocross.circuit.compensation import compensate
from tiocross.devices.device import require_device
from tiocross.checks import as_number
from tiocross.mapping.pairs import Targets, blocks_of_arrays


def compensate_targets(targets, device, wire_resistance):
    """Targets whose solved transfer matrices, times a gain for each array, are nearest to the given targets.

    Parameters
    ----------
    targets : Targets
        Of a network on "pairs", as `map_weights` gives them [S].
    device : Device
        Its window holds the new targets, too; its ``array_shape`` tells the arrays (unitless).
    wire_resistance : float
        Of one wire segment [ohm].

    Returns
    -------
    Targets
        Others to write, with each array's gain in the scale, which is then one number for each pair; the same object if
        the wires are ideal [S].

    Raises
    ------
    ValueError
        If the targets are signed coordinates, or the resistance is negative.

    Notes
    -----
    Each array is compensated alone, see `compensate`, with the gain free: what all its entries lose alike is made up for
    after it, by the electronics that scale its currents. Devices at the ends of the window leave an error.
    """
    require_device(device)
    resistance = as_number("wire_resistance", wire_resistance, low=0.0, unit="ohm")
    if not isinstance(targets, Targets):
        raise TypeError(f"targets must be Targets, such as map_weights(network, device); got a {type(targets).__name__}")
    if resistance == 0:
        return targets
    if targets.mapping != "pairs":
        raise ValueError(f"signed coordinates are not conductances and cannot be compensated; use mapping='pairs'; got "
                         f"{targets.mapping!r}")
    return replace(targets, layers=tuple(_compensate_layer(layer, device, resistance) for layer in targets.layers))


def _compensate_layer(layer, device, wire_resistance):
    conductances, gains = layer.conductances.copy(), np.ones(layer.conductances.shape)
    for block in blocks_of_arrays(conductances.shape, device.array_shape):
        if conductances[block].any():  # open devices conduct nothing through any wires
            found = compensate(conductances[block], wire_resistance, (device.g_min, device.g_max), scale="free")
            conductances[block], gains[block] = found.conductances, found.gain
    return replace(layer, conductances=conductances, scale=layer.scale / gains[:, 0::2])
