"""Everything that keeps simulated chips from computing what software does, as a list of effects that can be switched off.

An effect of the device is one of `tiocross.devices.device.EFFECTS`; a new one joins here by standing there. The others are
the wires, and each part of the periphery that is not ideal. Switching one off leaves what chance does of the others as it
was. Where a fab programs by pulses these are one effect, in place of the card's tuning error and write disturb, and faults
are the fab's; without the pulses faults are drawn anew, as often as the fab's: those chips are others of the same kind.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from tiocross.devices.device import EFFECTS, Device
from tiocross.transfers.operation import Operation

WIRES = "wires"
PULSES = "pulses"
_AGEING = ("retention",)  # of the device: what time alone does
_OF_WRITES, _OF_FAULTS = ("tuning", "disturb"), ("stuck", "lines")  # which a fab has of its own
_LABELS = {"tuning": "tuning error", "disturb": "write disturb", "stuck": "stuck devices", "lines": "failed lines",
           "nonlinearity": "I-V nonlinearity", WIRES: "wire resistance", PULSES: "programming by pulses"}


class _Part(NamedTuple):
    """A part of the periphery that can be switched off: its name for people, whether it is on, and all else without it."""

    label: str
    is_on: Callable
    off: Callable


def _of_sensing(label, name, off=0.0):
    """A number of the sensing that is ``off`` where it does nothing."""
    return _Part(label, lambda periphery: getattr(periphery.sensing, name) != off,
                 lambda periphery: replace(periphery, sensing=replace(periphery.sensing, **{name: off})))


def _whole(label, name):
    """A part that is None where signals pass as they are."""
    return _Part(label, lambda periphery: getattr(periphery, name) is not None,
                 lambda periphery: replace(periphery, **{name: None}))


PARTS = {
    "dac": _whole("DAC", "dac"),
    "driver": _Part("driver resistance", lambda periphery: periphery.driver.resistance > 0,
                    lambda periphery: replace(periphery, driver=replace(periphery.driver, resistance=0.0))),
    "sensing_resistance": _of_sensing("sensing resistance", "resistance"),
    "mirror": _of_sensing("one-way mirror", "kind", "transimpedance"),
    "gain_spread": _of_sensing("gain spread", "gain_spread"),
    "offset": _of_sensing("sense offset", "offset"),
    "noise": _of_sensing("sense noise", "noise"),
    "saturation": _of_sensing("saturation", "saturation", None),
    "adc": _whole("ADC", "adc"),
    "activation": _whole("measured activation", "activation"),
}


class Conditions(NamedTuple):
    """What chips suffer: the device with its effects, the wires [ohm], programming and use."""

    device: Device
    wire_resistance: float = 0.0
    operation: Operation = Operation()

    @property
    def periphery(self):
        """What stands between the arrays, None where it is ideal."""
        return self.operation.periphery

    @property
    def effects(self):
        """Names of the effects that are on, in the order in which they come to bear."""
        on = [name for name in EFFECTS if getattr(self.device, name) is not None]
        if self.operation.after == 0:
            on = [name for name in on if name not in _AGEING]
        if (fab := self.operation.fab) is not None:
            own = [name for name in _OF_FAULTS if getattr(fab.model, name) is not None]
            on = [PULSES, *own, *(name for name in on if name not in (*_OF_WRITES, *_OF_FAULTS))]
        parts = [name for name, part in PARTS.items() if self.periphery is not None and part.is_on(self.periphery)]
        return (*on, *(WIRES,) * (self.wire_resistance > 0), *parts)

    def without(self, *effects):
        """The same with some effects switched off."""
        device = self.device.without(*(name for name in effects if name in EFFECTS))
        device, operation = self._without_pulses(device, effects)
        if any(name in _AGEING for name in effects):
            operation = replace(operation, after=0.0)
        for name in effects:
            if name in PARTS and operation.periphery is not None:
                operation = replace(operation, periphery=PARTS[name].off(operation.periphery))
        return Conditions(device, 0.0 if WIRES in effects else self.wire_resistance, operation)

    def _without_pulses(self, device, effects):
        """Device and operation where a fab is without some effects; without its pulses the device has its faults."""
        operation, fab = self.operation, self.operation.fab
        if fab is None:
            return device, operation
        fab = replace(fab, model=replace(fab.model, **{name: None for name in _OF_FAULTS if name in effects}))
        if PULSES not in effects:
            return device, replace(operation, fab=fab)
        faults = {name: getattr(fab.model, name) for name in _OF_FAULTS}
        return replace(device.without(*_OF_WRITES), **faults), replace(operation, fab=None, passes=1)

    def only(self, *effects):
        """The same with all other effects switched off."""
        return self.without(*(name for name in self.effects if name not in effects))


def label_of(effect):
    """What people call an effect."""
    return PARTS[effect].label if effect in PARTS else _LABELS.get(effect, effect.replace("_", " "))
