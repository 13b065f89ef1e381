"""The page of ``tiocross calibrate``: what the measurements say of a device, and what they do not."""

from tiocross.report import page as parts
from tiocross.report.captions import CALIBRATION
from tiocross.report.cards import device_card
from tiocross.shown import SCALES, element, join, micro, table

_QUESTION = "What do these measurements say about the device, and how well does its card describe them?"
_TIED = "\N{NO-BREAK SPACE}"
_FEW = 6  # places k that the table tells of; all of them are folded below it
_SUSPICIOUS = 0.01  # a goodness below it is worth a warning
_EFFECTS = {"tuning": "error of writes", "disturb": "write disturb", "stuck": "stuck devices", "lines": "failed lines"}
_NOT = ["The card describes the devices and conditions that were measured. Other chips, temperatures and pulses may differ.",
        "The tuning window was chosen, not measured.",
        "A p-value that is not small does not prove the model: few data refute nothing.",
        "An effect without data is off in the card. That does not mean that the device does not have it."]


def make_page(found, folder):
    """The page of a calibration as text; ``found`` is the content of calibration.json."""
    fits = found["fits"]
    figures = {effect: CALIBRATION.get(effect, (effect, "", effect)) for effect in found.get("figures", {})}
    warnings = [parts.warning(text) for text in found.get("warnings", [])]
    return parts.page(
        "tiocross calibrate", _QUESTION, parts.answer(*_answer(found)), *warnings, _numbers(fits),
        parts.pictures(folder, figures) if figures else "", _assumed(found),
        parts.section("What it does not mean", parts.bullets(_NOT)), _again(found))


def _answer(found):
    fits, name = found["fits"], found["device"]["name"]
    counts = [f"{_EFFECTS.get(effect, effect)} (from {fit['n_samples [-]']} values)" for effect, fit in fits.items()]
    first = f"The card “{name}” describes {_and(counts)}."
    leading = [text for effect, fit in fits.items() if (text := _leading(effect, fit))]
    second = f"With 95 % intervals: {'; '.join(leading)}." if leading else "These data give no interval."
    bad = [_EFFECTS.get(effect, effect) for effect, fit in fits.items() if fit["goodness [-]"] < _SUSPICIOUS]
    good = [_EFFECTS.get(effect, effect) for effect in fits if _EFFECTS.get(effect, effect) not in bad]
    if bad:
        third = (f"The model does not describe the {_and(bad)} (p below {_SUSPICIOUS:g}), so use the card for rough answers "
                 "there" + (f"; nothing speaks against it for the {_and(good)}." if good else "."))
    else:
        third = f"Nothing in the data speaks against the model ({_and([f'p = {fit_p(fit)}' for fit in fits.values()])})."
    return [first, second, third]


def fit_p(fit):
    """Goodness of a fit as text."""
    return f"{fit['goodness [-]']:.2g}"


def _leading(effect, fit):
    """The estimates of an effect that a reader asks for first."""
    wanted = {"tuning": ("offset_mean", "spread_intercept"), "disturb": ("growth_exponent",),
              "stuck": ("probability_lrs", "probability_hrs"),
              "lines": ("probability_word_line", "probability_bit_line")}.get(effect, ())
    texts = []
    for estimate in fit["estimates"]:
        if estimate["name"] in wanted and estimate["interval"] is not None:
            value, bounds, unit = _shown(estimate)
            texts.append(f"{_words(estimate['name'])} " + f"{value} {bounds} {unit}".strip().replace(" ", _TIED))
    return _and(texts)


def _shown(estimate):
    """Value, interval and unit of an estimate, for people."""
    scale, unit = SCALES.get(estimate["shown"], 1.0), estimate["shown"] or estimate["unit"].strip("-")
    interval = estimate["interval"]
    bounds = "not told by these data" if interval is None else "[{}, {}]".format(*(_digits(end / scale) for end in interval))
    return _digits(estimate["value"] / scale), bounds, micro(unit)


def _digits(number):
    """A number with three digits, or all of them before the point."""
    return f"{number:.3g}" if abs(number) < 1000 else f"{number:.0f}"


def _numbers(fits):
    """Estimates with their intervals: of long series a few, and folded all of them."""
    few, everything = ({effect: {**fit, "estimates": pick(fit["estimates"])} for effect, fit in fits.items()}
                       for pick in (_some, list))
    shown = parts.scrolling(_table(few), "estimates")
    more = few != everything
    return parts.section("The numbers", shown, parts.folded("All estimates", parts.scrolling(
        _table(everything), "all estimates")) if more else "")


def _some(estimates):
    """Estimates without most of a series over the number of later writes."""
    places = sorted({estimate["k [-]"] for estimate in estimates if estimate.get("k [-]") is not None})
    kept = {places[round(j * (len(places) - 1) / (_FEW - 1))] for j in range(_FEW)} if places else set()
    return [estimate for estimate in estimates if estimate.get("k [-]") is None or estimate["k [-]"] in kept]


def _table(fits):
    bodies = []
    for effect, fit in fits.items():
        said = join(element("strong", _EFFECTS.get(effect, effect)), f": {fit['n_samples [-]']} values; {fit['test']}: "
                    f"p = {fit_p(fit)}. {fit['law']}")
        bodies.append((said, [(_words(estimate["name"]) + _place(estimate), *_shown(estimate))
                              for estimate in fit["estimates"]]))
    caption = ("What was fitted, with 95 % intervals. p is the probability of data at least as odd if the model is right; a "
               "small one speaks against the model.")
    return table(caption, ("quantity", "value", "95 % interval", "unit"), bodies)


def _place(estimate):
    k = estimate.get("k [-]")
    return "" if k is None else f" after k = {k:.3g} later writes"


def _words(name):
    words = {"lrs": "LRS", "hrs": "HRS", "std": "standard deviation"}
    return " ".join(words.get(word, word) for word in name.split("_"))


def _assumed(found):
    rows = [(entry["name"], entry["kind"], entry["understood"].removeprefix("read as: "))
            for entry in found.get("files", [])]
    files = table("Files, and how they were understood", ("file", "kind", "understood as"), [("", rows)])
    asked = ", ".join(found.get("effects asked", []))
    dead = ("every device of the resistance maps counts as stuck" if found.get("all devices dead") else
            "devices more than 10 % outside the tuning window count as stuck")
    pairs = [("effects asked for", asked), ("stuck", dead)]
    return parts.section("What was assumed", parts.scrolling(files, "files") if rows else "",
                         parts.facts([pair for pair in pairs if pair[1]]), device_card(found["device"]))


def _again(found):
    names = [entry["name"] for entry in found.get("files", [])]
    device = found["device"]
    command = parts.command("tiocross", "calibrate", *names, "--g-min", f"{device['g_min [S]'] / SCALES['uS']:g}", "--g-max",
                            f"{device['g_max [S]'] / SCALES['uS']:g}", "--effects", *found.get("effects asked", []),
                            *(["--dead"] if found.get("all devices dead") else []), "--out",
                            found.get("device_file", "device.json"), "--figures", "DIR")
    return parts.section(
        "How to do it again", parts.code(command),
        parts.paragraph("The same files give the same card, to the last digit; chance in the intervals is seeded. In this "
                        "folder: calibration.json (all numbers) and each figure as PNG.", class_="soft"))


def _and(texts):
    """Texts in a sentence."""
    texts = list(texts)
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else ""
