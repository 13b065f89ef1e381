"""Peripheries to begin with. Those with bits are assumptions for comparison; none of them was measured."""

from pathlib import Path

from tiocross.periphery.electronics import Periphery
from tiocross.periphery.files import load_periphery
from tiocross.periphery.parts import Converter, Sensing
from tiocross.units import kohm, mV, ns

_ASSUMED = "an assumption for comparison, not measured"
_FOLLOW_UP = ("defaults in the code of the follow-up that the group of Drolet et al., arXiv:2305.18495, made public; not "
              "measurements")


def _converters(bits):
    converter = Converter(bits, source=_ASSUMED)
    return Periphery(dac=converter, adc=converter, name=f"{bits}-bit converters", source=_ASSUMED)


IDEAL_PERIPHERY = Periphery(name="ideal", source="ideal; nothing is claimed")
PERIPHERY_8_BIT = _converters(8)
PERIPHERY_6_BIT = _converters(6)
PERIPHERY_FOLLOW_UP = Periphery(
    sensing=Sensing(gain_low=1 * kohm, gain_high=6 * kohm, source=_FOLLOW_UP),
    subtraction="analogue",
    read_voltage=200 * mV,
    pulse_length=300 * ns,
    edge=1 * ns,
    name="follow-up of Drolet et al.",
    source=_FOLLOW_UP,
)
PRESETS = {"ideal": IDEAL_PERIPHERY, "8bit": PERIPHERY_8_BIT, "6bit": PERIPHERY_6_BIT, "follow-up": PERIPHERY_FOLLOW_UP}


def find_periphery(text):
    """The preset of this name, or the periphery of the file at this path; ValueError if it is neither."""
    if text in PRESETS:
        return PRESETS[text]
    if not Path(text).is_file():
        raise ValueError(f"{text!r} is no preset and no file of a periphery; presets: {', '.join(PRESETS)}; files are "
                         "written by tiocross.save_periphery")
    return load_periphery(text)
