"""Rows of ``summary.json``, and the table of them for people."""

import numpy as np

_FIGURES = ("nominal_accuracy", "mean_accuracy", "p05_accuracy", "robust_fraction_95", "robust_fraction_99", "n_undecided")
_COLUMNS = {"nominal_accuracy": "nominal", "mean_accuracy": "mean", "p05_accuracy": "5th pct",
            "robust_fraction_95": "robust 95 %", "robust_fraction_99": "robust 99 %"}
_COMPARISON_COLUMNS = {"ratio": "robust/nominal", "worst": "worst seed"}


def make_row(recipe, seed, outcome):
    """Row of one network and one wire resistance, from its `Transfer`: plain names and numbers.

    Every figure has its 95 % interval under ``intervals``."""
    summary = outcome.summary()
    figures = {name: getattr(summary, name) for name in _FIGURES}
    return {
        "name": recipe.name,
        "wire_resistance": outcome.wire_resistance,
        "seed": seed,
        **{name: estimate.value for name, estimate in figures.items()},
        "n_undecided": int(summary.n_undecided.value),
        "n_devices": outcome.n_devices,
        "intervals": {name: [estimate.low, estimate.high] for name, estimate in figures.items()},
    }


def make_comparison_row(recipe, seed, outcome):
    """The same with ``ratio``, the robust share at 95 % over the nominal accuracy, the method's source and the number of
    chips."""
    row = make_row(recipe, seed, outcome)
    ratio = row["robust_fraction_95"] / row["nominal_accuracy"] if row["nominal_accuracy"] else 0.0
    return {**row, "ratio": float(np.round(ratio, 12)), "source": recipe.source, "n_transfers": outcome.n_transfers}


def format_table(rows):
    """Table of mean and spread over seeds: one line for each recipe and wire resistance."""
    columns = _COLUMNS | (_COMPARISON_COLUMNS if all("ratio" in row for row in rows) else {})
    width = max(len(row["name"]) for row in rows)
    cell = 16 if len({row["seed"] for row in rows}) > 1 else 22
    lines = []
    for resistance in dict.fromkeys(row["wire_resistance"] for row in rows):
        here = [row for row in rows if row["wire_resistance"] == resistance]
        lines += [f"wire resistance {resistance:g} ohm per segment",
                  "  " + "".ljust(width) + "".join(title.rjust(cell) for title in columns.values()) + "  devices"]
        for name in dict.fromkeys(row["name"] for row in here):
            group = [row for row in here if row["name"] == name]
            cells = "".join(_mean_and_spread(group, column).rjust(cell) for column in columns)
            lines.append(f"  {name.ljust(width)}{cells}{group[0]['n_devices']:9d}")
        lines.append("")
    return "\n".join(lines)


def _mean_and_spread(group, column):
    """Mean and standard deviation over seeds; for a single seed the interval over chips and points."""
    if column == "worst":
        return f"{min(row['ratio'] for row in group):.3f}"
    values = [row[column] for row in group]
    if len(values) == 1 and column not in group[0]["intervals"]:
        return f"{values[0]:.3f}"
    if len(values) == 1:
        low, high = group[0]["intervals"][column]
        return f"{values[0]:.3f} [{low:.3f}, {high:.3f}]"
    return f"{np.mean(values):.3f} +- {np.std(values, ddof=1):.3f}"


def format_report(rows, study):
    """The table of a study, with what is needed to read it."""
    task, settings = study.task, study.settings
    n_seeds, overlaps = len(settings.seeds), task.overlaps
    spread = "mean +- standard deviation over seeds" if n_seeds > 1 else "95 % interval over chips and points in brackets"
    shape = study.device.array_shape
    chips = f"chips of {study.device.name}" + (f" on {shape[0]} x {shape[1]} arrays" if shape else "")
    lines = [f"{len(task.test)} test points ({task.source})",
             f"{settings.n_transfers} {chips}; training seeds: {n_seeds}; {spread}"]
    if any(overlaps.values()):
        lines.append(f"note: {overlaps['test_points_in_train']} of the test points also stand in the training data, "
                     f"{overlaps['test_points_in_validation']} in the validation data; this may flatter every row")
    return "\n".join([*lines, "", format_table(rows), study.notes, ""])
