"""Which physical device carries which weight: a network's devices one by one, for people and for instruments."""

import math
from typing import NamedTuple

import numpy as np

_HEADER = "layer,input,output,polarity,tile,array,row,column,target [S],stuck [S],turn"


class PlannedDevice(NamedTuple):
    """A device in use: its part of the weight from ``input`` (a number, or "bias") to ``output`` in ``layer``, with
    ``polarity`` 1 on the plus side of its pair and -1 on the minus side; its place, ``row`` (word line) and ``column`` (bit
    line) of a physical ``array``, which is that of a ``tile``; its ``target`` [S], NaN if it is stuck; the conductance at
    which it is ``stuck`` [S], NaN if it is not; its ``turn`` among the devices of its array."""

    layer: int
    input: int | str
    output: int
    polarity: int
    tile: int
    array: int
    row: int
    column: int
    target: float
    stuck: float
    turn: int


def list_devices(plan):
    """Devices of a plan in the order of the network: by layer, input (bias last), output, plus before minus.

    Parameters
    ----------
    plan : Plan
        The plan (unitless).

    Returns
    -------
    list of PlannedDevice
        One for each device in use.
    """
    devices = []
    for index, tile in enumerate(plan.layout.tiles):
        for row, column in np.argwhere(tile.used).tolist():
            target, stuck, turn = (values[index][row, column] for values in (plan.targets, plan.stuck, plan.orders))
            devices.append(PlannedDevice(*plan.layout.carried_by(index, row, column), index, tile.array, row, column,
                                         float(target), float(stuck), int(turn)))
    return sorted(devices, key=_place_in_network)


def device_text(comment, devices):
    """A list of PlannedDevice as the text of a CSV file, ``comment`` first (unitless)."""
    return "\n".join([f"# {comment}", _HEADER, *(",".join(map(str, device)) for device in devices)]) + "\n"


def _place_in_network(device):
    return device.layer, math.inf if device.input == "bias" else device.input, device.output, -device.polarity
