"""The pages of ``tiocross experiment`` and ``tiocross compare``."""

import re

from tiocross.report import page as parts
from tiocross.report.captions import COMPARISON, EXPERIMENT
from tiocross.report.cards import device_card
from tiocross.report.results import Results
from tiocross.shown import join, table

_COLUMNS = {"nominal_accuracy": "nominal", "robust_fraction_95": "robust\xa095\xa0%", "mean_accuracy": "mean",
            "p05_accuracy": "5th pct", "robust_fraction_99": "at\xa099\xa0%"}
_DIGITS = {"robust_fraction_99": 2}  # it rests on few chips
_FIGURES = {"experiment": EXPERIMENT, "compare": COMPARISON}


def make_page(kind, summary, provenance, folder):
    """The page of a study's folder as text."""
    results = Results(summary)
    return parts.page(
        f"tiocross {kind}", summary["question"], _lead(results, summary, provenance),
        parts.answer(*map(_typeset, summary["conclusion"])), _numbers(results, summary, provenance),
        parts.pictures(folder, _captions(kind, summary)), _assumed(summary, provenance), _choices(summary),
        parts.section("What it does not mean", parts.bullets(summary["not_meant"])), _again(summary, provenance))


def _lead(results, summary, provenance):
    data = summary["data"]
    unfinished = "" if summary.get("complete", True) else parts.warning(
        "The run was stopped before its end: rows and figures may lack.")
    n_networks = len(results.names) * len(results.seeds)
    return join(parts.paragraph(
        f"{n_networks} networks ({len(results.names)} ways of training, {_many(len(results.seeds), 'seed')}) were put on "
        f"{summary['n_transfers']} simulated chips each ({provenance['device']['name']}) and judged by {data['n_test']} "
        "test points. Nominal accuracy is the share of points that are right in software. The robust share is the share of "
        "points that are right on at least 95 % of the chips.", class_="soft"), unfinished)


def _captions(kind, summary):
    """Title, how to read it and alternative text of each figure that the folder names."""
    return {figure["name"]: _FIGURES[kind].get(figure["name"], (figure["name"].replace("_", " "), figure["caption"],
                                                                figure["caption"]))
            for figure in summary["figures"]}


# Tables.


def _numbers(results, summary, provenance):
    wire = results.wires[0]
    columns = {column: title for column, title in _COLUMNS.items() if all(column in row for row in results.rows)}
    more = _more_columns(results, provenance)
    rows = [(name, *(parts.with_interval(*results.figure(name, wire, column), digits=_DIGITS.get(column, 3))
                     for column in columns), *(cells.get(name, "-") for cells in more.values()))
            for name in results.names if results.of(name, wire)]
    spread = ("mean over the training seeds, in brackets from the lowest to the highest end of the seeds' 95 % intervals"
              if len(results.seeds) > 1 else "95 % intervals over chips and points in brackets")
    caption = f"Wires of {wire:g} ohm per segment. Shares of one; {spread}."
    main = table(caption, ("training", *columns.values(), *more), [("", rows)])
    return parts.section(
        "The numbers", parts.scrolling(main, "results"), parts.bullets(map(_typeset, summary["how_to_read"]), class_="soft"),
        _wires(results) if len(results.wires) > 1 else "")


def _more_columns(results, provenance):
    """Columns beside the shares, by title: a cell for each row's name."""
    costs = {name: f"{seconds:.3g}" for name, seconds in provenance.get("core_seconds", {}).items()}
    devices = {row["name"]: str(row["n_devices"]) for row in results.rows if "n_devices" in row}
    columns = {"devices": devices, "training (core s)": costs}
    return {title: cells for title, cells in columns.items() if cells}


def _wires(results):
    """Robust share with each wire resistance."""
    header = ("training", *(f"{wire:g} ohm" for wire in results.wires))
    rows = [(name, *(parts.with_interval(*results.figure(name, wire, "robust_fraction_95"), digits=3)
                     if results.of(name, wire) else "-" for wire in results.wires)) for name in results.names]
    caption = "Robust share (95 % of the chips) with longer wires: resistance of a segment between neighbouring devices."
    return parts.scrolling(table(caption, header, [("", rows)]), "longer wires")


def _choices(summary):
    """What was chosen for each row before it was judged, and from what."""
    choices = summary.get("choices")
    if not choices:
        return ""
    rows = [(choice["name"], choice["text"], ", ".join(choice.get("at_edge", ())) or "none",
             "; ".join(f"{name}: {', '.join(f'{value:g}' for value in values)}" for name, values in choice["grid"].items()))
            for choice in choices]
    caption = ("Strength and rate of each method were chosen on validation points and chips of their own, from the grid in "
               "the last column. A value at the edge of its grid might be better still beyond it.")
    shown = table(caption, ("training", "chosen", "at the edge", "grid"), [("", rows)])
    return parts.section("What was chosen", parts.scrolling(shown, "choices"))


# What was assumed, and how to do it again.


def _assumed(summary, provenance):
    pairs = [*_layouts(summary), ("overlaps", _overlaps(summary["data"])),
             ("training", _training(provenance.get("training") or {}))]
    return parts.section("What was assumed", parts.bullets(summary["assumptions"]),
                         parts.facts([pair for pair in pairs if pair[1]]), device_card(provenance["device"]))


def _layouts(summary):
    """Which rows lie how on arrays: a pair for each layout."""
    names = {}
    for entry in summary["arrays"]:
        names.setdefault(entry["layout"], []).append(entry["name"])
    for layout, rows in names.items():
        yield "layout", f"{_typeset(layout)}: " + ("all rows" if len(names) == 1 else ", ".join(rows))


def _typeset(text):
    """A sentence of the terminal with the signs of a page."""
    signs = text.replace(" +- ", "\xa0±\xa0").replace("+-", "±")
    return re.sub(r"\b(\d+) array\(s\)", lambda found: _many(int(found[1]), "array"), signs)


def _overlaps(data):
    counts = {name: data.get(f"test_points_in_{name}") for name in ("train", "validation")}
    if not any(counts.values()):
        return "no test point is also a training or validation point"
    return "; ".join(f"{n} of the test points are also in the {name} data; this may flatter every row"
                     for name, n in counts.items() if n)


def _training(settings):
    told = {"n_steps": "{} steps", "batch_size": "batches of {}", "n_chips": "{} chips a step", "learning_rate": "rate {}",
            "optimiser": "{}"}
    text = ", ".join(form.format(settings[name]) for name, form in told.items() if settings.get(name) is not None)
    return f"{text}, unless the row has settings of its own (all of them are in provenance.json)" if text else ""


def _again(summary, provenance):
    versions = provenance.get("versions", {})
    command = provenance.get("command") or parts.command("tiocross", *provenance.get("arguments", []))
    pairs = [("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
             ("machine", provenance.get("platform", "")), ("workers", provenance.get("workers", "")),
             ("run time", f"{provenance['seconds']:g} s" if "seconds" in provenance else ""),
             ("made", provenance.get("made", "")), ("training seeds", ", ".join(map(str, summary["seeds"]))),
             ("points (SHA-256)", provenance.get("data_sha256", ""))]
    return parts.section(
        "How to do it again", parts.code(command),
        parts.paragraph("With the same versions the same seeds give the same numbers, whatever the number of workers."),
        parts.facts([(name, value) for name, value in pairs if value != ""]),
        parts.paragraph("In this folder: summary.json (all rows), table.txt, provenance.json (device, settings, versions), "
                        "networks/ (every trained network), and each figure as PNG and PDF.", class_="soft"))


def _many(n, what):
    return f"{n} {what}" + ("" if n == 1 else "s")
