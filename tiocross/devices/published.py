"""The cards that come with tiocross, by their names."""

from pathlib import Path

from tiocross.devices.files import load_device
from tiocross.devices.follow_up import TIO2_FOLLOW_UP
from tiocross.devices.retention_cards import RRAM_B, RRAM_C, TIO2_RETENTION
from tiocross.devices.tio2 import TIO2, TIO2_8X8
from tiocross.devices.tio2_state import TIO2_STATE, TIO2_STATE_8X8

CARDS = {"TIO2": TIO2, "TIO2_8X8": TIO2_8X8, "TIO2_STATE": TIO2_STATE, "TIO2_STATE_8X8": TIO2_STATE_8X8,
         "TIO2_RETENTION": TIO2_RETENTION, "TIO2_FOLLOW_UP": TIO2_FOLLOW_UP, "RRAM_B": RRAM_B, "RRAM_C": RRAM_C}


def names_card(text):
    """Whether this is the name of a card, and no file."""
    return text.upper() in CARDS and not Path(text).exists()


def find_device(text):
    """The card of this name, or the device of the file at this path; a ValueError names the cards where it is neither."""
    if names_card(text):
        return CARDS[text.upper()]
    if not (Path(text).exists() or Path(text).suffix):
        raise ValueError(f"{text} is no file; cards that come with tiocross: {', '.join(CARDS)}")
    return load_device(text)
