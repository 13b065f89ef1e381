"""The pages of ``tiocross experiment`` and ``tiocross compare``."""

import shlex

from tiocross.report import page as parts
from tiocross.report.cards import device_card
from tiocross.report.results import Results
from tiocross.shown import join, table

REGULAR, LINE = "regular", "straight line, robustly trained"
_COLUMNS = {"nominal_accuracy": "in software (%)", "robust_fraction_95": "robust 95 % (%)", "mean_accuracy": "mean over chips (%)",
            "p05_accuracy": "5th percentile (%)", "robust_fraction_99": "robust 99 % (%)"}
_QUESTIONS = {"experiment": "How well does a small network work on passive crossbars, and does training for them help?",
              "compare": "Which way of training gives networks that work on passive crossbars?"}
_FIGURES = {
    "decision_maps": ("Decision maps", "The plane of the two features, one panel for each way of training. The solid line is "
                      "the boundary in software. Grey is where chips disagree: the darker, the more of them answer against "
                      "the majority. Points are test points, coloured by the share of chips that are right there. Look for "
                      "grey that reaches into the crowd of points: these are lost on many chips.",
                      "Maps of where simulated chips disagree, with the decision boundary and test points"),
    "rate_curves": ("Rates of points", "Share of the test points that are right on at least x % of the chips. The height at "
                    "the left end is what one may hope for, the height at 95 % is the robust share of the table. A good "
                    "curve is high and stays level to the right.",
                    "Curves of the share of test points against the share of chips on which they are right"),
    "accuracy_histograms": ("Accuracies of chips", "How many chips have which accuracy. Dashed: mean. Dotted: 5th percentile; "
                            "95 % of the chips are better. A long tail to the left is chips that one would throw away.",
                            "Histograms of the accuracy over simulated chips, one for each way of training"),
    "conductance_maps": ("One chip", "Targets of one network, what a chip holds after programming, and the difference, layer "
                         "by layer. Word lines run from left to right, the bias is on the last of them. Deep colour in the "
                         "difference is a device that is stuck or was disturbed.",
                         "Maps of target conductances, programmed conductances and their difference"),
    "methods": ("All methods", "Each method at its accuracy in software (to the right is better) and its robust share "
                "(upwards is better). No method can be above the diagonal: a point that is wrong in software cannot be "
                "robust. Bars go from the lowest to the highest training seed. The right panel is the upper corner of the "
                "left one.", "Robust share against nominal accuracy of every method"),
    "conditions": ("Other chips", "Robust share of some methods on chips that they were not trained for. The grey line is what "
                   "they were trained for. A curve that falls early asks for training with the chips at hand.",
                   "Curves of the robust share over stuck devices, write disturb, wire resistance and number of devices"),
}
_OF_KIND = {"experiment": ("decision_maps", "rate_curves", "accuracy_histograms", "conductance_maps"),
            "compare": ("methods", "conditions")}
_NOT = ["It is not about real chips: devices, faults and writes are drawn from the device card, and a simulated chip is only as "
        "good as its card.",
        "Devices are linear at read. Read noise, converters, temperature and time after programming are not simulated.",
        "The intervals hold for these points and this card. They know nothing of what a card or a data set leaves out.",
        "A robust share says nothing without the accuracy in software beside it: a straight line is robust, and often wrong.",
        "The robust share at 99 % hangs on few chips; with 2 000 of them it can be off by tens of percent."]


def make_page(kind, summary, provenance, folder):
    """The page of a study's folder as text."""
    results = Results(summary)
    known = {name: _FIGURES[name] for name in _OF_KIND[kind]}
    return parts.page(
        f"tiocross {kind}", summary.get("question") or _QUESTIONS[kind], _lead(results, summary, provenance),
        parts.answer(*_answer(results)), _numbers(results), parts.pictures(folder, known),
        _assumed(results, summary, provenance), parts.section("What it does not mean", parts.bullets(_NOT)),
        _again(summary, provenance))


def _lead(results, summary, provenance):
    data = summary["data"]
    unfinished = "" if summary.get("complete", True) else parts.warning(
        "The run was stopped before its end: rows and figures may lack.")
    n_networks = len(results.names) * len(results.seeds)
    return join(parts.paragraph(
        f"{n_networks} networks ({len(results.names)} ways of training, {_many(len(results.seeds), 'seed')}) were put on "
        f"{summary['n_transfers']} simulated chips each ({provenance['device']['name']}) and judged by {data['n_test']} test "
        "points. Nominal accuracy is the share of points that are right in software; the robust share is the share of points "
        "that are right on at least 95 % of the chips.", class_="soft"), unfinished)


# The answer, from the numbers.


def _answer(results):
    """Three sentences: what is to be feared, what helps, and what it costs."""
    wire = results.wires[0]
    first = REGULAR if REGULAR in results.names else results.names[0]
    rivals = [name for name in results.names if name != first]
    best = max(rivals or [first], key=lambda name: results.figure(name, wire, "robust_fraction_95").value)
    return [_fear(results, first, wire), _help(results, first, best, wire) if rivals else "There is no other row to compare it with.",
            _cost(results, best, wire)]


def _fear(results, name, wire):
    nominal, robust = (results.figure(name, wire, column) for column in ("nominal_accuracy", "robust_fraction_95"))
    lost = nominal.value - robust.value
    how = "but only" if lost > 5 else "and"
    return (f"After training by the row “{name}”, {nominal} of the test points are right in software, {how} {robust} on at least "
            "95 % of the simulated chips.")


def _help(results, first, best, wire):
    nominal, robust = (results.figure(best, wire, column) for column in ("nominal_accuracy", "robust_fraction_95"))
    base = results.figure(first, wire, "robust_fraction_95")
    apart = results.difference(best, first, wire, "robust_fraction_95")
    n_devices = results.of(best, wire)[0].get("n_devices")
    told = f"Most robust of the others is “{best}”" + (f" ({n_devices} devices)" if n_devices else "") + \
        f" with {robust}, at {nominal} in software; "
    if apart is not None:
        span = f"{apart.value:+.1f} points [{apart.low:+.1f}, {apart.high:+.1f}] against “{first}” over the seeds"
        return told + (f"that is {span}." if apart.low > 0 or apart.high < 0 else f"{span} is no difference that can be told "
                       "from chance.")
    gained = robust.value - base.value
    sure = ("the 95 % intervals do not overlap" if robust.low > base.high or robust.high < base.low else
            "but the 95 % intervals overlap, so this run cannot tell them apart")
    return told + f"that is {gained:+.1f} points against “{first}”, and {sure}."


def _cost(results, best, wire):
    """What the most robust row gives up in software, and whether it is more than a straight line."""
    nominals = {name: results.figure(name, wire, "nominal_accuracy").value for name in results.names}
    top = max(nominals, key=nominals.get)
    given = nominals[top] - nominals[best]
    price = f"In software it gives up {given:.1f} points against the most accurate row (“{top}”)" if given >= 0.05 else \
        "In software no row is more accurate"
    if best == LINE:
        return f"{price}, and it is a straight line: no curved boundary of this run holds better on these chips."
    if LINE in results.names:
        line, robust = (results.figure(name, wire, "robust_fraction_95") for name in (LINE, best))
        more = robust.value - line.value
        return (f"{price}; a straight line, the least that any training must beat, keeps {line} robust, {abs(more):.1f} points "
                f"{'less' if more > 0 else 'more'}, at {nominals[LINE]:.1f}\N{NO-BREAK SPACE}% in software.")
    return f"{price}; read both columns side by side, for robust and wrong is easy."


# Tables.


def _numbers(results):
    wire = results.wires[0]
    columns = {column: title for column, title in _COLUMNS.items() if all(column in row for row in results.rows)}
    extra = [("devices", "n_devices")] if all("n_devices" in row for row in results.rows) else []
    rows = [(name, *(parts.with_interval(*results.figure(name, wire, column)) for column in columns),
             *(f"{results.of(name, wire)[0][key]}" for _, key in extra)) for name in results.names if results.of(name, wire)]
    many = "mean over the training seeds; in brackets from the lowest to the highest end of their 95 % intervals"
    caption = (f"Wires of {wire:g} ohm per segment. All but the devices in percent: "
               + (many if len(results.seeds) > 1 else "95 % intervals over chips and points in brackets") + ".")
    header = ("training", *columns.values(), *(title for title, _ in extra))
    main = parts.scrolling(table(caption, header, [("", rows)]), "results")
    explained = parts.paragraph(
        "In software: share of test points that the network classifies rightly without a chip (nominal accuracy). Robust p %: "
        "share of test points that are right on at least p % of the chips. Mean and 5th percentile are of the accuracy over "
        "chips; 95 % of the chips are better than the latter.", class_="soft")
    return parts.section("The numbers", main, explained, _wires(results) if len(results.wires) > 1 else "")


def _wires(results):
    """Robust share with each wire resistance."""
    header = ("training", *(f"{wire:g} ohm" for wire in results.wires))
    rows = [(name, *(parts.with_interval(*results.figure(name, wire, "robust_fraction_95")) if results.of(name, wire) else "-"
                     for wire in results.wires)) for name in results.names]
    caption = "Robust 95 % (in percent) with longer wires: resistance of a segment between neighbouring devices."
    return parts.scrolling(table(caption, header, [("", rows)]), "longer wires")


# What was assumed, and how to do it again.


def _assumed(results, summary, provenance):
    data, device = summary["data"], provenance["device"]
    shape = device.get("array_shape [-]")
    arrays = (f"arrays of {shape[0]} x {shape[1]} (word lines x bit lines); layers that are larger take several" if shape else
              "each layer has one array of its own size")
    overlaps = {name: data.get(f"test_points_in_{name}") for name in ("train", "validation")}  # names of data files
    pairs = [("points", f"{data['source']}; {data['n_train']} for training, {data['n_validation']} for validation, "
                        f"{data['n_test']} for the test"),
             ("overlaps", "; ".join(f"{n or 'none'} of the test points also in {name}" for name, n in overlaps.items()
                                    if n is not None)),
             ("chips", f"{summary['n_transfers']} for each network, the same for all networks of a seed"),
             ("arrays", f"{arrays}; a signed weight is a differential pair unless the row says otherwise"),
             ("wires", ", ".join(f"{wire:g}" for wire in results.wires) + " ohm per segment; drivers and sensing without "
                       "resistance"),
             ("training", _training(provenance.get("training", {})))]
    return parts.section("What was assumed", parts.facts([(name, text) for name, text in pairs if text]), device_card(device))


def _training(settings):
    told = {"n_steps": "{} steps", "batch_size": "batches of {}", "n_chips": "{} chips a step", "learning_rate": "rate {}",
            "optimiser": "{}"}
    text = ", ".join(form.format(settings[name]) for name, form in told.items() if settings.get(name) is not None)
    return f"{text}, unless the row has settings of its own (all of them are in provenance.json)" if text else ""


def _again(summary, provenance):
    versions = provenance.get("versions", {})
    command = shlex.join(["tiocross", *map(str, provenance.get("arguments", []))])
    pairs = [("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
             ("machine", provenance.get("platform", "")), ("workers", provenance.get("workers", "")),
             ("run time", f"{provenance['seconds']:g} s" if "seconds" in provenance else ""),
             ("training seeds", ", ".join(map(str, summary["seeds"]))),
             ("points (SHA-256)", provenance.get("data_sha256", ""))]
    return parts.section(
        "How to do it again", parts.code(command),
        parts.paragraph("The same seeds give the same numbers, bit for bit, for any number of workers, with the same versions."),
        parts.facts([(name, value) for name, value in pairs if value != ""]),
        parts.paragraph("In this folder: summary.json (all rows), table.txt, provenance.json (device, settings, versions), "
                        "networks/ (every trained network), and each figure as PNG and PDF.", class_="soft"))


def _many(n, what):
    return f"{n} {what}" + ("" if n == 1 else "s")
