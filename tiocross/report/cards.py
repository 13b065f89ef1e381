"""What was assumed: the device card with every value, its unit and its source, and how networks lie on arrays."""

import numpy as np

from tiocross.devices.device import DisturbQuantiles, effects_shown
from tiocross.devices.files import from_json
from tiocross.report.page import folded, paragraph, scrolling
from tiocross.shown import element, join, records_table, table
from tiocross.units import percent, uS

_TOLD = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)  # quantiles of the short table of write disturb
_SAYINGS = {
    "tuning": "A device with the target G ends at G (1 + offset + spread(G) z), with z from the standard normal law and "
              "spread(G) = slope G + intercept.",
    "disturb": "A device changes by a random amount after k later writes in the same array; the table has its quantiles.",
    "disturb by state": "A later write changes the devices that its pulses reach, by its direction and amplitude and by "
                        "the state of each.",
    "stuck": "Some devices answer to no write; they are drawn anew for each chip.",
    "lines": "Some lines fail as a whole; they are drawn anew for each chip.",
    "retention": "With the time since its write a device moves along lines in log t, at a pace of its own.",
}


def device_card(content):
    """The device of a results folder, ``content`` being that of a device file, as parts of a page."""
    device = from_json(content)
    shown = effects_shown(device)
    groups = {"tuning window": device, **shown}
    has_table = isinstance(device.disturb, DisturbQuantiles)
    by_state = device.disturb is not None and not has_table
    effects = join(*(paragraph(element("strong", effect), f": {_SAYINGS[_by_state(effect, by_state)]}")
                     for effect, value in shown.items() if value is not None))
    caption = f"Device card: {device.name}. Every value has its unit; the source stands above each group."
    card = records_table(caption, groups)
    return join(scrolling(card, "device card"), effects, _disturb_table(device.disturb) if has_table else "")


def _by_state(effect, by_state):
    return "disturb by state" if effect == "disturb" and by_state else effect


def _disturb_table(disturb):
    """Quantiles of write disturb: the usual ones, and folded all of them."""
    caption = "Change of conductance (µS) after k later writes, quantiles"
    told = [int(np.abs(disturb.probabilities - level).argmin()) for level in _TOLD]
    few, everything = sorted(set(told)), range(len(disturb.probabilities))
    return join(scrolling(_quantiles(caption, disturb, few), "write disturb"),
                folded("All quantiles of the card", scrolling(_quantiles(caption, disturb, everything), "all quantiles")))


def _quantiles(caption, disturb, columns):
    header = ("k", *(f"{disturb.probabilities[j] / percent:g} %" for j in columns))
    rows = [(f"{k:g}", *(f"{row[j] / uS:.2f}" for j in columns)) for k, row in zip(disturb.n_later_writes, disturb.changes)]
    return table(caption, header, [("", rows)])
