"""How strong effects are, in units that a lab knows, and the techniques that let them into training."""

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from tiocross.devices.device import EFFECTS
from tiocross.learning.techniques import Technique
from tiocross.transfers.chips import Chips
from tiocross.transfers.conditions import WIRES, Conditions
from tiocross.transfers.wires import WiresInLoop
from tiocross.units import percent, uS

_LESS, _MORE = 0.5, 1.5  # of an effect's strength, between which the loss is followed
_N_CHIPS = 50  # that a root mean square is taken over
_GROWING = {  # fields that grow with an effect
    "tuning": ("offset_mean", "offset_std", "spread_slope", "spread_intercept"), "disturb": ("changes",),
    "stuck": ("probability_lrs", "probability_hrs"), "lines": ("probability_word_line", "probability_bit_line"),
    "read_noise": ("relative",),
}
_COUNTED = {"stuck": "1 % of devices", "lines": "1 % of lines", "read_noise": "1 % of noise"}  # by the sum of these fields
_CHANGES_CONDUCTANCES = ("tuning", "disturb", "retention")


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
    techniques = [LetIn(tuple(name for name in conditions.effects if name in EFFECTS))]
    if conditions.wire_resistance > 0:
        techniques.append(WiresInLoop(conditions.wire_resistance))
    return techniques


def strength_of(conditions, effect, network, layout):
    """`Strength` of an effect under conditions where it is on; None where it is unknown what makes it grow."""
    more, less = (_scaled(conditions, effect, factor) for factor in (_MORE, _LESS))
    if more is None or less is None:
        return None
    amount, unit = _amount(conditions, effect, network, layout)
    return Strength((more, less), (_MORE - _LESS) * amount, unit)


def _scaled(conditions, effect, factor):
    """The conditions with one effect so many times as strong; None where nobody can say how."""
    if effect == WIRES:
        return conditions._replace(wire_resistance=conditions.wire_resistance * factor)
    record = getattr(conditions.device, effect, None)
    if effect not in _GROWING or not all(hasattr(record, name) for name in _GROWING[effect]):
        return None
    grown = replace(record, **{name: getattr(record, name) * factor for name in _GROWING[effect]})
    return conditions._replace(device=replace(conditions.device, **{effect: grown}))


def _amount(conditions, effect, network, layout):
    """How much of an effect there is, and the unit."""
    if effect == WIRES:
        return conditions.wire_resistance, "ohm"
    if effect in _COUNTED:
        record = getattr(conditions.device, effect)
        return sum(getattr(record, name) for name in _GROWING[effect]) / percent, _COUNTED[effect]
    some = conditions.only(effect)
    chips = Chips(network, some.device, layout=layout, operation=some.operation, rng=np.random.default_rng(0))
    programmed = chips.programmed(range(_N_CHIPS)).conductances
    squares = [((state - target) ** 2).ravel() for state, target in zip(programmed, chips.targets)]
    return float(np.sqrt(np.concatenate(squares).mean())) / uS, "uS of error"
