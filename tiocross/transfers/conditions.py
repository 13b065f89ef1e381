"""Everything that keeps simulated chips from computing what software does, as a list of effects that can be switched off.

An effect of the device is one of `tiocross.devices.device.EFFECTS`; a new one joins here by standing there. The others are
the wires, and each part of the periphery that is not ideal. Switching one off leaves what chance does of the others as it
was.
"""

from dataclasses import replace
from typing import NamedTuple

from tiocross.devices.device import EFFECTS, Device
from tiocross.transfers.operation import Operation

WIRES = "wires"
_LABELS = {"tuning": "tuning error", "disturb": "write disturb", "stuck": "stuck devices", "lines": "failed lines",
           "nonlinearity": "I-V nonlinearity", WIRES: "wire resistance"}
_AGEING = ("retention",)  # of the device: what time alone does


class Conditions(NamedTuple):
    """What chips suffer: the device with its effects, the wires [ohm], programming and use."""

    device: Device
    wire_resistance: float = 0.0
    operation: Operation = Operation()

    @property
    def effects(self):
        """Names of the effects that are on, in the order in which they come to bear."""
        on = [name for name in EFFECTS if getattr(self.device, name) is not None]
        if self.operation.after == 0:
            on = [name for name in on if name not in _AGEING]
        return tuple(on) + (WIRES,) * (self.wire_resistance > 0)

    def without(self, *effects):
        """The same with some effects switched off."""
        device = self.device.without(*(name for name in effects if name in EFFECTS))
        operation = self.operation
        if any(name in _AGEING for name in effects):
            operation = replace(operation, after=0.0)
        return Conditions(device, 0.0 if WIRES in effects else self.wire_resistance, operation)

    def only(self, *effects):
        """The same with all other effects switched off."""
        return self.without(*(name for name in self.effects if name not in effects))


def label_of(effect):
    """What people call an effect."""
    return _LABELS.get(effect, effect.replace("_", " "))
