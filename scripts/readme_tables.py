"""Write the result tables of the READMEs from the results folders, with the command and the date of each.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`. Tables whose results are not there stay as they
are. What makes the results of each:

    experiment      tiocross experiment
    compare         tiocross compare (and choices: what it chose for each method)
    tasks           tiocross tasks
    write_disturb   python scripts/write_disturb.py
    reconcile       python scripts/reconcile.py

    python scripts/readme_tables.py [--results DIR] [--readme FILE ...]
"""

import argparse
import json
import re
import statistics
import textwrap
from datetime import date
from functools import partial
from pathlib import Path

from tiocross.study.published import KNOWN
from tiocross.study.tables import align, format_table
from tiocross.study.task_table import format_tasks

ROOT = Path(__file__).resolve().parent.parent
READMES = (ROOT / "tiocross" / "study" / "README.md", ROOT / "tiocross" / "lab" / "README.md")
_MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


class Results:
    """One results folder: rows by name and wire resistance, and what made them."""

    def __init__(self, folder):
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        self.arguments, self.costs = provenance["arguments"], provenance.get("core_seconds", {})
        self.choice_costs = provenance.get("choice_core_seconds", {})
        self.conclusion, self.choices = summary.get("conclusion", []), summary.get("choices", [])
        self.made = date.fromtimestamp((folder / "summary.json").stat().st_mtime)
        self.n_seeds, self.n_chips = len(summary["seeds"]), summary["n_transfers"]
        self.n_points, self.wires = summary["data"]["n_test"], summary["wire_resistances"]
        self.rows, self.is_complete = summary["rows"], summary["complete"]
        self.names = list(dict.fromkeys(row["name"] for row in self.rows))

    def values(self, name, key, wire_resistance):
        """A figure of every seed, in their order."""
        chosen = [row for row in self.rows if (row["name"], row["wire_resistance"]) == (name, wire_resistance)]
        return [row[key] for row in sorted(chosen, key=lambda row: row["seed"])]

    @property
    def heading(self):
        """Command, date and size of the run."""
        return (f"{command_of(self.arguments)}   ({self.made}; {self.n_seeds} seeds, {self.n_chips} chips each, "
                f"{self.n_points} test points{self.ending})")

    @property
    def ending(self):
        """What is added to the heading of a run that was stopped."""
        return "" if self.is_complete else "; unfinished"


def command_of(arguments):
    """The command as one would type it, without what does not change the numbers."""
    shown = list(arguments)
    for option, n_words in (("--out", 2), ("--workers", 2), ("--overwrite", 1)):
        if option in shown:
            place = shown.index(option)
            del shown[place : place + n_words]
    return " ".join(["tiocross", *(f'"{word}"' if " " in word else word for word in shown)])


def spread(values, digits=3):
    """Mean and standard deviation over seeds, or the one value."""
    if not values:
        return "-"
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} +- {statistics.stdev(values):.{digits}f}"


def experiment_table(results):
    """What `tiocross experiment` printed: the conclusion, and every figure of every row."""
    return _printed(Results(results / "experiment"))


def compare_table(results):
    """The same of `tiocross compare`: every method, with longer wires and the cost of training."""
    return _printed(Results(results / "compare"))


def choices_table(results):
    """What `tiocross compare` chose for each method."""
    run = Results(results / "compare")
    rows = [["", "chosen", "at the edge of the grid", "core-s"]]
    rows += [[choice["name"], choice["text"], ", ".join(choice["at_edge"]) or "-", f"{run.choice_costs[choice['name']]:.0f}"]
             for choice in run.choices]
    return f"{run.heading}\n\n{align(rows)}"


def _printed(run):
    conclusion = "\n".join(textwrap.fill(sentence, 100) for sentence in run.conclusion)
    return "\n\n".join(part for part in (run.heading, conclusion, format_table(run.rows, run.costs).rstrip()) if part)


def tasks_table(results):
    """What `tiocross tasks` printed: every task beside what was published."""
    run = Results(results / "tasks")
    heading = f"{command_of(run.arguments)}   ({run.made}; {run.n_seeds} seeds, {run.n_chips} chips each{run.ending})"
    return f"{heading}\n\n{format_tasks(KNOWN, run.rows).rstrip()}"


def script_table(name, results):
    """What a script printed into its folder."""
    path = results / name / f"{name}.txt"
    made = date.fromtimestamp(path.stat().st_mtime)
    return f"python scripts/{name}.py   ({made})\n\n{path.read_text(encoding='utf-8').rstrip()}"


MAKERS = {"experiment": experiment_table, "compare": compare_table, "choices": choices_table, "tasks": tasks_table,
          **{name: partial(script_table, name) for name in ("write_disturb", "reconcile")}}


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
