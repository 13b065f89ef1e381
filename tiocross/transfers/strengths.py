"""How strong effects are, in units that a lab knows, and the techniques that let them into training."""

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from tiocross.devices.device import EFFECTS, DisturbQuantiles
from tiocross.devices.state_disturb import StateDisturb
from tiocross.learning.ageing import Ageing
from tiocross.learning.techniques import Technique
from tiocross.transfers.chips import Chips
from tiocross.transfers.conditions import WIRES, Conditions
from tiocross.transfers.electronics import PeripheryInLoop
from tiocross.transfers.wires import WiresInLoop
from tiocross.units import percent, uS

_LESS, _MORE = 0.5, 1.5  # of an effect's strength, between which the loss is followed
_N_CHIPS = 50  # that a root mean square is taken over
_GROWING = {  # fields that grow with an effect
    "tuning": ("offset_mean", "offset_std", "spread_slope", "spread_intercept"),
    "retention": ("means", "spreads", "fluctuations"),
    "stuck": ("probability_lrs", "probability_hrs"), "lines": ("probability_word_line", "probability_bit_line"),
    "read_noise": ("relative",),
}
_IN_PERIPHERY = {  # part and field that grows with an effect, and the unit in which it is told
    "driver": ("driver", "resistance", "ohm"), "sensing_resistance": ("sensing", "resistance", "ohm"),
    "gain_spread": ("sensing", "gain_spread", "1 % of spread"), "offset": ("sensing", "offset", "1 % of full scale"),
    "noise": ("sensing", "noise", "1 % of full scale"),
}
_CONVERTERS = ("dac", "adc")
_OF_DISTURB = {DisturbQuantiles: ("changes",), StateDisturb: ("strength",)}
_COUNTED = {"stuck": "1 % of devices", "lines": "1 % of lines", "read_noise": "1 % of noise"}  # by the sum of these fields
_AT_READ = ("read_noise", "nonlinearity")  # effects of the device that act on signals


class Strength(NamedTuple):
    """An effect stronger and weaker, with all others as they are: both conditions, and how many units lie between them."""

    conditions: tuple[Conditions, Conditions]
    apart: float
    unit: str


@dataclass(frozen=True)
class LetIn(Technique):
    """Effects of the device as chips are drawn with them."""

    names: tuple[str, ...]
    effects: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self):
        object.__setattr__(self, "effects", self.names)


def techniques_against(conditions):
    """Techniques that let all of the conditions' effects into training."""
    on, device = conditions.effects, conditions.device
    techniques = [LetIn(tuple(name for name in on if name in EFFECTS and name not in (*_AT_READ, "retention")))]
    techniques += [Ageing(conditions.operation.after)] if "retention" in on else []
    is_ideal = conditions.periphery is None or conditions.periphery.is_ideal
    if not is_ideal or any(getattr(device, name, None) is not None for name in _AT_READ):
        return [*techniques, PeripheryInLoop(conditions.periphery, conditions.wire_resistance)]
    return [*techniques, WiresInLoop(conditions.wire_resistance)] if conditions.wire_resistance > 0 else techniques


def strength_of(conditions, effect, network, layout):
    """`Strength` of an effect under conditions where it is on; None where it is unknown what makes it grow."""
    if effect in _CONVERTERS:
        return _bit_fewer(conditions, effect)
    more, less = (_scaled(conditions, effect, factor) for factor in (_MORE, _LESS))
    if more is None or less is None:
        return None
    amount, unit = _amount(conditions, effect, network, layout)
    return Strength((more, less), (_MORE - _LESS) * amount, unit)


def _bit_fewer(conditions, effect):
    converter = getattr(conditions.periphery, effect)
    if converter.bits == 1:
        return None
    coarser = replace(conditions.periphery, **{effect: replace(converter, bits=converter.bits - 1)})
    return Strength((_with_periphery(conditions, coarser), conditions), 1.0, "bit fewer")


def _with_periphery(conditions, periphery):
    return conditions._replace(operation=replace(conditions.operation, periphery=periphery))


def _scaled(conditions, effect, factor):
    """The conditions with one effect so many times as strong; None where nobody can say how."""
    if effect == WIRES:
        return conditions._replace(wire_resistance=conditions.wire_resistance * factor)
    if effect in _IN_PERIPHERY:
        part, name, _ = _IN_PERIPHERY[effect]
        record = getattr(conditions.periphery, part)
        grown = replace(record, **{name: getattr(record, name) * factor})
        return _with_periphery(conditions, replace(conditions.periphery, **{part: grown}))
    record = getattr(conditions.device, effect, None)
    if effect == "nonlinearity":
        return _with_effect(conditions, effect, replace(record, v0=record.v0 / np.sqrt(factor)))
    growing = _OF_DISTURB.get(type(record)) if effect == "disturb" else _GROWING.get(effect)
    if growing is None:
        return None
    return _with_effect(conditions, effect, replace(record, **{name: getattr(record, name) * factor for name in growing}))


def _with_effect(conditions, effect, record):
    return conditions._replace(device=replace(conditions.device, **{effect: record}))


def _amount(conditions, effect, network, layout):
    """How much of an effect there is, and the unit."""
    if effect == WIRES:
        return conditions.wire_resistance, "ohm"
    if effect in _IN_PERIPHERY:
        part, name, unit = _IN_PERIPHERY[effect]
        return getattr(getattr(conditions.periphery, part), name) / (1.0 if unit == "ohm" else percent), unit
    record = getattr(conditions.device, effect)
    if effect == "nonlinearity":
        return (1 - record.at_zero) / percent, "1 % less current near 0 V"
    if effect in _COUNTED:
        return sum(getattr(record, name) for name in _GROWING[effect]) / percent, _COUNTED[effect]
    some = conditions.only(effect)
    chips = Chips(network, some.device, layout=layout, operation=some.operation, rng=np.random.default_rng(0))
    states = chips.to_be_read(range(_N_CHIPS)).conductances
    squares = [((state - target) ** 2).ravel() for state, target in zip(states, chips.targets)]
    return float(np.sqrt(np.concatenate(squares).mean())) / uS, "uS of error"
