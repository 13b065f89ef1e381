"""Rows of ``summary.json``, and the tables of them: for people, as CSV, as LaTeX."""

import textwrap

import numpy as np

WIDTH = 100  # of what is printed
FIGURES = {"nominal_accuracy": "nominal", "robust_fraction_95": "robust 95 %", "mean_accuracy": "mean",
           "p05_accuracy": "5th pct", "robust_fraction_99": "at 99 %"}
_LEADING = ("nominal_accuracy", "robust_fraction_95")  # with their spread, side by side
_NAME_WIDTH = 31  # longer names take another line
_FEWEST_CHIPS_FOR_99 = 1_000  # with fewer the interval holds the truth in half of the cases


def make_row(recipe, seed, outcome):
    """Row of one network and one wire resistance, from its `Transfer`: plain names and numbers.

    Every figure has its 95 % interval under ``intervals``."""
    summary = outcome.summary()
    figures = {name: getattr(summary, name) for name in (*FIGURES, "n_undecided")}
    return {
        "name": recipe.name,
        "wire_resistance": outcome.wire_resistance,
        "seed": seed,
        **{name: estimate.value for name, estimate in figures.items()},
        "n_undecided": int(summary.n_undecided.value),
        "n_devices": outcome.n_devices,
        "n_transfers": outcome.n_transfers,
        "source": recipe.source,
        "intervals": {name: [estimate.low, estimate.high] for name, estimate in figures.items()},
    }


def rows_of(rows, name, wire_resistance):
    """The rows of one name and wire resistance, one for each seed."""
    return [row for row in rows if (row["name"], row["wire_resistance"]) == (name, wire_resistance)]


def names_of(rows):
    """Names of rows in their order."""
    return list(dict.fromkeys(row["name"] for row in rows))


def wires_of(rows):
    """Wire resistances of rows in their order."""
    return list(dict.fromkeys(row["wire_resistance"] for row in rows))


def mean_of(group, figure):
    """Mean of a figure over seeds."""
    return float(np.mean([row[figure] for row in group]))


def half_width(group, figure):
    """Standard deviation over seeds; for a single seed the larger half of the 95 % interval over chips and points."""
    if len(group) > 1:
        return float(np.std([row[figure] for row in group], ddof=1))
    low, high = group[0].get("intervals", {}).get(figure, (group[0][figure],) * 2)
    return max(group[0][figure] - low, high - group[0][figure])


# Cells.


def comparison_cells(rows, costs=None):
    """One line for each name: what leads, robust 95 % with wires, devices, and the seconds of one core for a network."""
    first, *others = wires_of(rows)
    header = ["", *(FIGURES[figure] for figure in _LEADING), "worst", *(f"{wire:g} ohm" for wire in others), "devices"]
    lines = []
    for name in names_of(rows):
        group = rows_of(rows, name, first)
        wired = [rows_of(rows, name, wire) for wire in others]
        lines.append([name, *(_with_spread(group, figure) for figure in _LEADING),
                      f"{min(row['robust_fraction_95'] for row in group):.3f}",
                      *(f"{mean_of(other, 'robust_fraction_95'):.3f}" if other else "-" for other in wired),
                      str(group[0]["n_devices"])])
    if costs:
        header.append("core-s")
        for line in lines:
            line.append(f"{costs[line[0]]:.1f}" if line[0] in costs else "-")
    return [header, *lines]


def experiment_cells(rows, wire_resistance):
    """Every figure of every name with wires of one resistance."""
    lines = [["", *FIGURES.values(), "devices"]]
    for name in names_of(rows):
        if group := rows_of(rows, name, wire_resistance):
            lines.append([name, *(_with_spread(group, figure) for figure in _LEADING),
                          *(f"{mean_of(group, figure):.3f}" for figure in ("mean_accuracy", "p05_accuracy")),
                          _range_at_99(group), str(group[0]["n_devices"])])
    return lines


def _with_spread(group, figure):
    return f"{mean_of(group, figure):.3f} +- {half_width(group, figure):.3f}"


def _range_at_99(group):
    """From the lowest to the highest end of the seeds' intervals: the figure hangs on the worst hundredth of the chips."""
    if any(row.get("n_transfers", _FEWEST_CHIPS_FOR_99) < _FEWEST_CHIPS_FOR_99 for row in group):
        return "-"
    ends = [row.get("intervals", {}).get("robust_fraction_99", [row["robust_fraction_99"]] * 2) for row in group]
    low, high = (f"{end:.2f}" for end in (min(low for low, _ in ends), max(high for _, high in ends)))
    return low if low == high else f"{low}-{high}"


# Text.


def format_table(rows, costs=None, width=WIDTH):
    """The table for people, at most ``width`` characters wide: that of a comparison, whose rows have a kind, or a block for
    each wire resistance."""
    if all("kind" in row for row in rows):
        return align(comparison_cells(rows, costs), width) + "\n"
    return "\n".join(f"wire resistance {wire:g} ohm per segment\n{align(experiment_cells(rows, wire), width)}\n"
                     for wire in wires_of(rows))


def align(lines, width=10**6):
    """Lines of cells as text: names to the left, on several lines if they are long, figures to the right; where not all
    columns fit, the others below, with the names again."""
    room = width - max(len(part) for line in lines for part in _on_lines(line[0]))
    parts, left = [[]], room
    for k in range(1, len(lines[0])):
        needed = 2 + max(len(line[k]) for line in lines)
        if needed > left and parts[-1]:
            parts, left = [*parts, []], room
        parts[-1].append(k)
        left -= needed
    return "\n\n".join(_align([[line[0], *(line[k] for k in part)] for line in lines]) for part in parts)


def _on_lines(name):
    return textwrap.wrap(name, _NAME_WIDTH, subsequent_indent="  ") or [""]


def _align(lines):
    lines = [(_on_lines(name), cells) for name, *cells in lines]
    name_width = max(len(part) for names, _ in lines for part in names)
    widths = [max(map(len, column)) for column in zip(*(cells for _, cells in lines))]
    text = []
    for (*before, last), cells in lines:
        figures = "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths))
        text += [*before, f"{last:<{name_width}}{figures}"]
    return "\n".join(text)


def format_csv(rows, costs=None):
    """One line for each name and wire resistance with all digits; the header states the units."""
    kinds = "mean", "sd over seeds", "lowest end", "highest end"
    columns = [f"{figure} {kind} [-]" for figure in FIGURES for kind in kinds]
    text = [_joined(["name", "wire_resistance [ohm]", "n_seeds [-]", "n_transfers [-]", "n_devices [-]", *columns,
                     "training_of_one_network [core-s]"])]
    for wire in wires_of(rows):
        for name in names_of(rows):
            if group := rows_of(rows, name, wire):
                cost = (costs or {}).get(name)
                text.append(_joined([f'"{name}"', f"{wire:g}", len(group), group[0].get("n_transfers", ""),
                                     group[0]["n_devices"], *_csv_figures(group), "" if cost is None else f"{cost:.2f}"]))
    return "\n".join(text) + "\n"


def _csv_figures(group):
    for figure in FIGURES:
        ends = np.array([row["intervals"][figure] for row in group])
        spread = f"{half_width(group, figure):.9g}" if len(group) > 1 else ""
        yield from (f"{mean_of(group, figure):.9g}", spread, f"{ends[:, 0].min():.9g}", f"{ends[:, 1].max():.9g}")


def _joined(cells):
    return ",".join(map(str, cells))


def format_latex(rows, costs=None):
    """The table as LaTeX, one tabular for each wire resistance, or one for all of a comparison."""
    if all("kind" in row for row in rows):
        return _tabular(comparison_cells(rows, costs))
    return "\n".join(f"% wire resistance {wire:g} ohm per segment\n{_tabular(experiment_cells(rows, wire))}"
                     for wire in wires_of(rows))


def _tabular(lines):
    body = [" & ".join(map(_latex, line)) + r" \\" for line in lines]
    return "\n".join([rf"\begin{{tabular}}{{l{'r' * (len(lines[0]) - 1)}}}", r"\hline", body[0], r"\hline", *body[1:],
                      r"\hline", r"\end{tabular}", ""])


def _latex(cell):
    for plain, escaped in (("\\", r"\textbackslash "), ("&", r"\&"), ("%", r"\%"), ("_", r"\_"), ("#", r"\#"),
                           (" +- ", r" $\pm$ ")):
        cell = cell.replace(plain, escaped)
    return cell
