"""Compensated mapping: targets that give, through the wires, the weights that are wanted."""

from dataclasses import replace

import numpy as np

from tiocross.checks import as_number, kind_of
from tiocross.circuit.compensation import compensate
from tiocross.devices.device import Device, require_device
from tiocross.mapping.layout import lines_that_count
from tiocross.mapping.targets import Targets


def compensate_targets(targets: Targets, device: Device, wire_resistance: float, *, stuck: list | None = None) -> Targets:
    """Targets whose solved transfer matrices, times a gain for each array, are nearest to the given targets.

    Parameters
    ----------
    targets : Targets
        Of a network, as `map_weights` gives them.
    device : Device
        Its window holds the new targets, too.
    wire_resistance : float
        Of one wire segment [ohm].
    stuck : list of (n_word_lines, n_bit_lines) array_like, optional
        Conductances of known stuck devices of each layer, NaN where healthy: they stay as they are [S].

    Returns
    -------
    Targets
        Others to write, with each array's gain in the scale, which is then one number for each weight; the same object if
        the wires are ideal.

    Raises
    ------
    ValueError
        If the targets are not conductances, the resistance is negative, or devices that are subtracted from each other
        stand on different arrays.

    Notes
    -----
    Each array is compensated alone, see `compensate`, with the gain free: what all its entries lose alike is made up for
    after it, by the electronics that scale its currents. Devices at the ends of the window leave an error. Devices not in
    use are taken as open.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, compensate_targets, map_weights
    >>> from tiocross.units import ohm
    >>> targets = map_weights(MLP(3, 2, rng=np.random.default_rng(1)), TIO2)
    >>> compensate_targets(targets, TIO2, 5 * ohm).layers[0].scale.shape
    (4, 2)
    """
    require_device(device)
    resistance = as_number("wire_resistance", wire_resistance, low=0.0, unit="ohm")
    if not isinstance(targets, Targets):
        raise TypeError(f"targets must be Targets, such as map_weights(network, device); got {kind_of(targets)}")
    if resistance == 0:
        return targets
    layout = targets.layout
    if not layout.mapping.is_physical:
        raise ValueError("targets that are not conductances cannot be compensated; use DifferentialPairs(); got "
                         f"{type(layout.mapping).__name__}()")
    arrays, gains = layout.place(list(targets)), []
    pinned = [np.full(shape, np.nan) for shape in layout.shapes] if stuck is None else layout.place(stuck)
    for array, used, held in zip(arrays, layout.used, pinned):
        gains.append(np.ones(array.shape))
        here = lines_that_count(used)
        wanted = np.where(used[here], array[here], 0.0)
        if wanted.any():  # open devices conduct nothing through any wires
            found = compensate(wanted, resistance, _window(device, used[here], held[here]), scale="free")
            array[here], gains[-1][here] = found.conductances, found.gain
    layers = zip(targets.layers, layout.collect(arrays), layout.collect(gains))
    return replace(targets, layers=tuple(_scaled(layer, found, gain, layout.mapping) for layer, found, gain in layers))


def _window(device, used, stuck):
    """Ends between which each device may be chosen: the window's, its own where it is stuck, 0 where not in use [S]."""
    if used.all() and np.isnan(stuck).all():
        return device.g_min, device.g_max
    return tuple(np.where(np.isnan(stuck), np.where(used, end, 0.0), stuck) for end in (device.g_min, device.g_max))


def _scaled(layer, conductances, gains, mapping):
    """Targets of a layer with the gain of each device's array in the scale."""
    if mapping.differences(gains).any():
        raise ValueError(f"the devices that {type(mapping).__name__} subtracts from each other must share an array to be "
                         "compensated; use larger arrays or DifferentialPairs()")
    return replace(layer, conductances=conductances, scale=layer.scale / (0.5 * mapping.added(gains)))
