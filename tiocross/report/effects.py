"""The page of ``tiocross effects``: which effect of the chips costs robust points, and which to work on first."""

from tiocross.report import page as parts
from tiocross.shown import table

_QUESTION = "What costs this network robust points?"
_CAPTION = ("Blue: robust points that come back when one effect is switched off and all others stay. Orange: robust points "
            "that one effect takes while all others are off. Lines at the ends are 95 % intervals over chips and points. "
            "The upper bar says what to work on first; where the lower one is much longer, other effects spoil the same "
            "points.")
_NOT = ["Effects do not add up. A point that each of two effects spoils comes back only without both.",
        "An effect that the card, the wires and the periphery do not name is not in the table. That does not mean that the "
        "chips do not have it.",
        "Another network, trained otherwise, may suffer from other effects: training works against some of them."]


def make_page(found, folder):
    """The page of a comparison as text; ``found`` is the content of effects.json."""
    figure = {"effects": ("What costs robust points", _CAPTION, "Ranked bars of what each effect costs")}
    return parts.page(
        "tiocross effects", _QUESTION, _lead(found), parts.answer(*_answer(found)), _numbers(found),
        parts.pictures(folder, figure), parts.section("What it does not mean", parts.bullets([*_NOT, *found["notes"]])),
        _again(found))


def _lead(found):
    return parts.paragraph(
        f"The network {found['network']} was put on {found['n_transfers']} simulated chips of {found['device_name']} with "
        "all effects, with each of them switched off, and with each alone, on the same chips throughout, and judged by "
        f"{found['n_points']} points ({found['points']}). The robust share is the share of points that are right on at "
        "least 95 % of the chips.", class_="soft")


def _answer(found):
    total, first = found["total"], found["costs"][0]
    yield (f"Of the points {found['robust']:.3f} are robust with all effects, {found['robust_ideal']:.3f} with none: "
           f"together they cost {_text(total)}.")
    if first["removed"]["low"] > 0:
        yield f"Most comes back without {first['label']}: {_text(first['removed'])}."
    else:
        yield "No single effect, switched off, surely brings points back: work on several, or on training."


def _numbers(found):
    rows = [(cost["label"], *(parts.with_interval(cost[name]["value"], cost[name]["low"], cost[name]["high"], digits=3)
                              for name in ("removed", "alone", "removed_mean", "alone_mean"))) for cost in found["costs"]]
    numbers = table("Shares of one, with 95 % intervals in brackets. Mean: of the mean accuracy over chips.",
                    ("effect", "robust, comes back without it", "robust, costs alone", "mean, comes back",
                     "mean, costs alone"),
                    [("", rows)])
    return parts.section("The numbers", parts.scrolling(numbers, "what each effect costs"))


def _again(found):
    names = {"seed": "seed of the chips", "wire_resistance [ohm]": "wires (ohm per segment)", "passes [-]": "passes",
             "after [s]": "seconds after the last write", "periphery": "periphery", "network_sha256": "network (SHA-256)"}
    return parts.section("How to do it again", parts.code(found["command"]),
                         parts.facts([(name, found[key]) for key, name in names.items() if key in found]),
                         parts.paragraph("In this folder: effects.json (everything), effects.csv, and the figure as PNG and "
                                         "PDF.", class_="soft"))


def _text(estimate):
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"
