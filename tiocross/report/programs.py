"""The page of ``tiocross program``: the life of a chip, from targets to prediction."""

import io
from typing import NamedTuple

import numpy as np

from tiocross import plot
from tiocross.lab.report import ProgramReport
from tiocross.report import page as parts
from tiocross.report.cards import device_card
from tiocross.shown import element, join, table
from tiocross.units import percent, uS, us

_MOST_FIGURES = 6  # arrays that are drawn; the table has all of them
_WINDOW = 40 * uS  # ends of the scale of differences
_QUESTION = "What is on the chip after programming, and how well will the network work there?"
_OUTCOMES = {"converged": "converged", "budget": "out of pulses", "stuck_low": "stuck low", "stuck_high": "stuck high",
             "aborted": "aborted", "read_error": "no reading", "": "not tuned"}
_NOT = ["The chip is a simulated one. A real chip has its own faults and pulses; program it from Python and compare.",
        "The prediction is for what was read back. What devices do afterwards (retention, temperature, reads) is not in it.",
        "The interval of the accuracy is over the test points alone. Another chip, or the same programmed again, differs."]


class _Array(NamedTuple):
    """One programmed array: its number, what became of it, and which devices were known to be stuck before [S]."""

    number: int
    report: ProgramReport
    known: np.ndarray

    def count(self, outcome):
        """Devices whose last tuning ended so."""
        return int((self.report.mask & (self.report.outcomes == outcome)).sum())


def _read_array(entry, folder):
    report = ProgramReport.load(folder / entry["report"])
    known = np.array(entry["stuck [S]"], dtype=np.float64) if "stuck [S]" in entry else np.full(report.shape, np.nan)
    return _Array(entry["array"], report, known)


def make_page(run, folder):
    """The page of a finished programming run as text; ``run`` is the content of programming.json."""
    arrays = [_read_array(entry, folder) for entry in run["arrays"]]
    notes = [parts.warning(note) for note in run.get("notes", [])]
    return parts.page(
        "tiocross program", _QUESTION, parts.answer(*_answer(run, arrays)), *notes, _outcomes(arrays), _maps(arrays),
        _prediction(run), _assumed(run, arrays), parts.section("What it does not mean", parts.bullets(_NOT)), _again(run))


def _answer(run, arrays):
    n_devices, n_within, n_pulses = (sum(int(part) for part in found) for found in (
        [report.mask.sum() for _, report, _ in arrays], [report.within.sum() for _, report, _ in arrays],
        [report.n_pulses.sum() for _, report, _ in arrays]))
    n_stuck = sum(array.count("stuck_low") + array.count("stuck_high") for array in arrays)
    tolerance = "/".join(f"{value:g}" for value in sorted({report.tolerance / percent for _, report, _ in arrays}))
    first = (f"Of {n_devices} devices on {_many(len(arrays), 'array')}, {n_within} are within {tolerance} % of their "
             f"targets as last read, after {n_pulses} pulses; {n_stuck or 'none'} ended stuck.")
    found = run.get("prediction")
    if not found:
        why = run.get("why_no_prediction", "").removeprefix("no accuracy: ").rstrip(".") or "no points were given"
        return [first, f"There is no prediction of the accuracy: {why}."]
    low, high, nominal = (found[key] / percent for key in ("low [-]", "high [-]", "nominal_accuracy [-]"))
    accuracy = found["accuracy [-]"] / percent
    second = (f"As read back, the network is predicted to be right on {found['n_right']} of {found['n_points']} test "
              f"points: {accuracy:.2f} % [{low:.2f}, {high:.2f}].")
    lost = nominal - accuracy
    third = f"In software it is {nominal:.2f} %, so the chip " + (
        f"costs {lost:.2f} points, more than the 95 % interval over the points explains." if nominal > high else
        f"gains {-lost:.2f} points, more than the 95 % interval over the points explains." if nominal < low else
        f"{'costs' if lost >= 0 else 'gains'} {abs(lost):.2f} points, which is within the 95 % interval over the points.")
    return [first, second, third]


def _outcomes(arrays):
    kinds = [outcome for outcome in _OUTCOMES if any(array.count(outcome) for array in arrays)]
    header = ("array", "devices", "within tolerance", *(_OUTCOMES[kind] for kind in kinds), "passes", "pulses",
              "rms error (%)")
    rows = [(f"{array.number}", f"{int(array.report.mask.sum())}", f"{int(array.report.within.sum())}",
             *(f"{array.count(kind)}" for kind in kinds), f"{array.report.n_passes}", f"{int(array.report.n_pulses.sum())}",
             _error_text(array.report, array.report.n_passes - 1)) for array in arrays]
    caption = ("What became of the devices. How the last tuning of each ended, and how far they are from their targets as "
               "last read: later writes move devices that had converged.")
    unfinished = [f"array {array.number}" for array in arrays if not array.report.complete]
    return parts.section("Outcomes", parts.scrolling(table(caption, header, [("", rows)]), "outcomes"), _passes(arrays),
                         parts.warning(f"Not complete: {', '.join(unfinished)}.") if unfinished else "")


def _error_text(report, n_pass):
    """Error after a pass in percent."""
    error = report.rms_errors[n_pass] / percent if 0 <= n_pass < report.n_passes else np.nan
    return "-" if np.isnan(error) else f"{error:.2f}"


def _passes(arrays):
    """Error after each pass, so that one sees whether another would help."""
    n_passes = max((array.report.n_passes for array in arrays), default=0)
    if n_passes < 2:
        return ""
    rows = [(f"{array.number}", *(_error_text(array.report, k) for k in range(n_passes))) for array in arrays]
    header = ("array", *(f"pass {k + 1}" for k in range(n_passes)))
    return parts.scrolling(table("Rms relative error after each pass (%), without stuck devices.", header, [("", rows)]),
                           "error after each pass")


def _maps(arrays):
    shown = arrays[:_MOST_FIGURES]
    more = parts.paragraph(f"The first {len(shown)} of {len(arrays)} arrays are drawn.") if len(shown) < len(arrays) else ""
    return parts.section("Targets, pulses, read-back", *map(_map, shown), more)


@plot.house_style()
def _map(array):
    """Targets, what was read back, the difference and the pulses of one array."""
    figure, axes = plot.new_figure(2, 2, width=9.6, height=7.2)
    figure.set_layout_engine(None)  # all panels are alike, and finding the layout takes as long as drawing
    figure.subplots_adjust(left=0.06, right=0.96, bottom=0.07, top=0.95, wspace=0.22, hspace=0.3)
    report, known = array.report, array.known
    before = ~np.isnan(known)
    read = np.where(report.mask | before, report.conductances, np.nan)
    wanted = report.targets[report.mask]
    window = (wanted.min(), wanted.max()) if wanted.size and wanted.min() < wanted.max() else None
    plot.conductance_map(axes[0, 0], np.where(report.mask, report.targets, known), window=window, stuck=before,
                         title="targets")
    plot.conductance_map(axes[0, 1], read, window=window, stuck=before | report.stuck, title="read back")
    plot.conductance_map(axes[1, 0], read - report.targets, window=(-_WINDOW, _WINDOW), difference=True,
                         stuck=report.stuck, title="read back - target")
    plot.count_map(axes[1, 1], np.where(report.mask, report.n_pulses, 0), label="pulses", title="pulses given")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return parts.picture(
        content.getvalue(), f"Array {array.number}", "White: not in use. Crossed out: stuck. Pointed ends of a colour bar: "
        "devices beyond it. Deep colour in the difference: a device that later writes have moved, or that does not answer.",
        f"Maps of array {array.number}: targets, read-back, difference, number of pulses", half=True)


def _prediction(run):
    found = run.get("prediction")
    if not found:
        return ""
    rows = [("in software", f"{found['nominal_accuracy [-]'] / percent:.2f}"),
            ("on the chip as read back", parts.with_interval(found["accuracy [-]"] / percent, found["low [-]"] / percent,
                                                             found["high [-]"] / percent, digits=2))]
    caption = f"Accuracy on {found['n_points']} test points ({found['data']}); 95 % Wilson interval over the points."
    shown = table(caption, ("where", "accuracy (%)"), [("", rows)])
    return parts.section("Prediction", parts.scrolling(shown, "prediction"))


def _assumed(run, arrays):
    chip, scheme = run.get("chip", {}), run.get("scheme", {})
    shapes = sorted({report.shape for _, report, _ in arrays})
    pairs = [("chip", chip.get("switching", "")),
             ("pulse scheme", chip.get("scheme", "").removeprefix("pulse scheme: ")),
             ("arrays", f"{_many(len(arrays), 'array')} of " + ", ".join(f"{n} x {m}" for n, m in shapes)
              + " (word lines x bit lines)"),
             ("wires", f"{run['wire_resistance [ohm]']:g} ohm per segment")]
    rows = [_quantity(key, value) for key, value in scheme.items() if " [" in key]
    pulses = table("Pulse scheme", ("quantity", "value", "unit"), [("", rows)])
    return parts.section("What was assumed", parts.facts([pair for pair in pairs if pair[1]]),
                         parts.scrolling(pulses, "pulse scheme") if rows else "", device_card(run["device"]))


def _quantity(key, value):
    """Name, value and unit of an entry such as ``"rise_time [s]": 5e-7``; short times in microseconds."""
    name, _, unit = key.rstrip("]").partition(" [")
    if unit == "s" and value < 1e-3:
        value, unit = value / us, "µs"
    return name.replace("_", " "), f"{value:.6g}" if isinstance(value, (int, float)) else str(value), unit.strip("-")


def _again(run):
    pairs = [("version", f"tiocross {run.get('tiocross', '')}"), ("plan", run.get("plan", "")),
             ("plan (SHA-256)", run.get("plan_sha256", "")), ("seed", run.get("seed", "")),
             ("most passes", run.get("max_passes", ""))]
    command = run.get("command") or parts.command(
        "tiocross", "program", run.get("plan", "PLAN"), "--simulate", "--seed", run.get("seed", 0), "--max-passes",
        run.get("max_passes", 3), "--wire-resistance", f"{run['wire_resistance [ohm]']:g}")
    return parts.section(
        "How to do it again", parts.code(command), parts.facts([pair for pair in pairs if pair[1] != ""]),
        parts.paragraph("In this folder: ", *_and(["programming.json", "array_NN_log.csv (every reading and pulse)",
                                                   "array_NN_readback.csv", "array_NN_report.json"]), ".", class_="soft"))


def _and(names):
    """Names as code, with commas between them."""
    return [join("" if k == 0 else ", ", element("code", name)) for k, name in enumerate(names)]


def _many(n, what):
    return f"{n} {what}" + ("" if n == 1 else "s")
