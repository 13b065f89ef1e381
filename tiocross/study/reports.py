"""What a run prints: the conclusion, the table, what was chosen, and how to read it."""

from tiocross.study.conclusions import conclude
from tiocross.study.tables import align, format_table
from tiocross.study.words import describe_chips, fill


def format_report(run):
    """The table of a run with what is needed to read it, at most 100 characters wide."""
    study, rows = run.study, run.ordered_rows()
    first, *others = conclude(rows)
    parts = [fill(first), format_table(rows, run.core_seconds()).rstrip(), "\n".join(map(fill, others)), _chosen(run),
             "\n".join(map(fill, [*describe_chips(study), *_overlaps(study.task), *study.notes]))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _chosen(run):
    if not run.choices:
        return ""
    lines = [["chosen values", "", "at the edge of the grid", "core-s"]]
    lines += [[choice.name, choice.text, ", ".join(choice.at_edge), f"{choice.core_seconds:.0f}"] for choice in run.choices]
    return align(lines)


def _overlaps(task):
    found = task.overlaps
    if any(found.values()):
        yield (f"note: {found['test_points_in_train']} of the test points also stand in the training data, "
               f"{found['test_points_in_validation']} in the validation data; this may flatter every row")
