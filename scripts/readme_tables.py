"""Write the result tables of the READMEs from the results folders, with the command and the date of each.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`. Tables whose results are not there stay as they
are. What makes the results of each:

    experiment      tiocross experiment
    compare         tiocross compare
    tasks           tiocross compare --task circles --out results/circles   (and spirals, patterns)
    layouts         tiocross compare --only "ROBUST" "ROBUST, spread" "ROBUST, all on one array" --out results/layouts
    write_disturb   python scripts/write_disturb.py

    python scripts/readme_tables.py [--results DIR] [--readme FILE ...]
"""

import argparse
import json
import re
import statistics
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READMES = (ROOT / "tiocross" / "study" / "README.md", ROOT / "tiocross" / "lab" / "README.md")
TASKS = ("circles", "spirals", "patterns")
EXPERIMENT_COLUMNS = {"nominal_accuracy": "nominal", "mean_accuracy": "mean", "p05_accuracy": "5th pct",
                      "robust_fraction_95": "robust 95 %", "robust_fraction_99": "robust 99 %"}
_MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


class Results:
    """One results folder: rows by name and wire resistance, and what made them."""

    def __init__(self, folder):
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        self.arguments = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["arguments"]
        self.made = date.fromtimestamp((folder / "summary.json").stat().st_mtime)
        self.n_seeds, self.n_chips = len(summary["seeds"]), summary["n_transfers"]
        self.n_points, self.wires = summary["data"]["n_test"], summary["wire_resistances"]
        self.rows, self.is_complete = summary["rows"], summary["complete"]
        self.names = list(dict.fromkeys(row["name"] for row in self.rows))

    def values(self, name, key, wire_resistance):
        """A figure of every seed, in their order."""
        chosen = [row for row in self.rows if (row["name"], row["wire_resistance"]) == (name, wire_resistance)]
        return [row[key] for row in sorted(chosen, key=lambda row: row["seed"])]

    def ratios(self, name, wire_resistance):
        """Robust at 95 % over nominal accuracy, of every seed."""
        return [robust / nominal for robust, nominal in zip(self.values(name, "robust_fraction_95", wire_resistance),
                                                            self.values(name, "nominal_accuracy", wire_resistance))]

    @property
    def heading(self):
        """Command, date and size of the run."""
        return (f"{command_of(self.arguments)}   ({self.made}; {self.n_seeds} seeds, {self.n_chips} chips each, "
                f"{self.n_points} test points{'' if self.is_complete else '; unfinished'})")


def command_of(arguments):
    """The command as one would type it, without what does not change the numbers."""
    shown = list(arguments)
    for option in ("--out", "--workers"):
        if option in shown:
            place = shown.index(option)
            del shown[place : place + 2]
    return " ".join(["tiocross", *(f'"{word}"' if " " in word else word for word in shown)])


def spread(values, digits=3):
    """Mean and standard deviation over seeds, or the one value."""
    if not values:
        return "-"
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} +- {statistics.stdev(values):.{digits}f}"


def align(rows):
    """Lines of cells: names to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.rjust(width) if place else cell.ljust(width)
                               for place, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def experiment_table(results):
    """Every figure of every row, one block for each wire resistance."""
    run = Results(results / "experiment")
    blocks = []
    for resistance in run.wires:
        rows = [[f"{resistance:g} ohm per wire segment", *EXPERIMENT_COLUMNS.values(), "devices"]]
        rows += [[name, *(spread(run.values(name, key, resistance)) for key in EXPERIMENT_COLUMNS),
                  str(run.values(name, "n_devices", resistance)[0])] for name in run.names]
        blocks.append(align(rows))
    return "\n\n".join([run.heading, *blocks])


def compare_table(results):
    """Robust points of every method without wires, and the ratio to the nominal accuracy with wires."""
    return _table_of_rows(Results(results / "compare"))


def layouts_table(results):
    """The same for layouts of one network."""
    return _table_of_rows(Results(results / "layouts"))


def _table_of_rows(run):
    first, *others = run.wires
    rows = [["", "nominal", "robust 95 %", "robust/nominal", "worst", *(f"{wire:g} ohm" for wire in others), "devices"]]
    for name in run.names:
        ratios = run.ratios(name, first)
        rows.append([name, f"{statistics.fmean(run.values(name, 'nominal_accuracy', first)):.3f}",
                     spread(run.values(name, "robust_fraction_95", first)), spread(ratios), f"{min(ratios):.3f}",
                     *(f"{statistics.fmean(found):.3f}" if (found := run.ratios(name, wire)) else "-" for wire in others),
                     str(run.values(name, "n_devices", first)[0])])
    return f"{run.heading}\n\n{align(rows)}"


def tasks_table(results):
    """Robust points of the methods on other tasks, with the nominal accuracy in brackets."""
    runs = {task: Results(results / task) for task in TASKS}
    names = list(dict.fromkeys(name for run in runs.values() for name in run.names))
    rows = [["", *TASKS]]
    for name in names:
        rows.append([name, *(_robust_and_nominal(run, name) for run in runs.values())])
    return "\n".join([run.heading for run in runs.values()]) + f"\n\n{align(rows)}"


def _robust_and_nominal(run, name):
    nominal = run.values(name, "nominal_accuracy", run.wires[0])
    if not nominal:
        return "-"
    return f"{spread(run.values(name, 'robust_fraction_95', run.wires[0]))} ({statistics.fmean(nominal):.3f})"


def write_disturb_table(results):
    """What `scripts/write_disturb.py` printed."""
    path = results / "write_disturb" / "write_disturb.txt"
    made = date.fromtimestamp(path.stat().st_mtime)
    return f"python scripts/write_disturb.py   ({made})\n\n{path.read_text(encoding='utf-8').rstrip()}"


MAKERS = {"experiment": experiment_table, "compare": compare_table, "layouts": layouts_table, "tasks": tasks_table,
          "write_disturb": write_disturb_table}


def renew(text, results):
    """A README with its tables made anew, and the names of those that were."""
    made = []

    def replace(found):
        try:
            table = MAKERS[found[2]](results)
        except FileNotFoundError:
            return found[0]
        made.append(found[2])
        return f"{found[1]}```\n{table}\n```\n{found[3]}"

    return _MARKED.sub(replace, text), made


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "results", metavar="DIR", help="folder of the results folders")
    parser.add_argument("--readme", type=Path, nargs="+", default=READMES, metavar="FILE", help="files to write")
    arguments = parser.parse_args(arguments)
    for path in arguments.readme:
        try:
            text, made = renew(path.read_text(encoding="utf-8"), arguments.results)
        except (OSError, ValueError, KeyError) as error:
            parser.error(f"{path} or results in {arguments.results}: {error}")
        path.write_text(text, encoding="utf-8")
        print(f"{path}: {', '.join(made) or 'no results, nothing written'}")


if __name__ == "__main__":
    main()
