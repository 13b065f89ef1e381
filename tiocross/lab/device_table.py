"""Which physical device carries which weight: a network's devices one by one, for people and for instruments."""

import math
from typing import NamedTuple

import numpy as np

_HEADER = "layer,input,output,polarity,array,row,column,target [S],stuck [S],turn"


class PlannedDevice(NamedTuple):
    """A device in use: its part of the weight from ``input`` (a number, or "bias") to ``output`` in ``layer``, with
    ``polarity`` 1 where its current is added and -1 where it is subtracted; its place, ``row`` (word line) and ``column``
    (bit line) of a physical ``array``; its ``target`` [S], NaN if it is stuck; the conductance at which it is ``stuck``
    [S], NaN if it is not; its ``turn`` among the devices of its array."""

    layer: int
    input: int | str
    output: int | str
    polarity: int
    array: int
    row: int
    column: int
    target: float
    stuck: float
    turn: int


def list_devices(plan):
    """`PlannedDevice` of each device in use, in the order of the network: by layer, input (bias last), output, plus before
    minus."""
    devices = []
    for index, (array, used) in enumerate(zip(plan.layout.arrays, plan.layout.used)):
        for row, column in np.argwhere(used).tolist():
            target, stuck, turn = (values[index][row, column] for values in (plan.targets, plan.stuck, plan.orders))
            devices.append(PlannedDevice(*plan.layout.carried_by(index, row, column), array, row, column,
                                         float(target), float(stuck), int(turn)))
    return sorted(devices, key=_place_in_network)


def device_text(comment, devices):
    """A list of PlannedDevice as the text of a CSV file, ``comment`` first."""
    return "\n".join([f"# {comment}", _HEADER, *(",".join(map(str, device)) for device in devices)]) + "\n"


def _place_in_network(device):
    return tuple(math.inf if isinstance(number, str) else number
                 for number in (device.layer, device.input, device.output)) + (-device.polarity,)
