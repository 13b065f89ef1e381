"""What a study's rows say, in sentences that are made from them: true whichever row is ahead, and silent about differences
within the intervals."""

import numpy as np

from tiocross.intervals import half_width_of_mean
from tiocross.study.tables import half_width, mean_of, names_of, rows_of, wires_of

REGULAR, LINE, OURS = "regular", "straight line, robustly trained", "ROBUST"
_ROBUST = "robust_fraction_95"
_FEWEST_SEEDS = 3  # of which an interval over seeds is made


def conclude(rows):
    """Up to three sentences: which row is the most robust, which are no better than a straight line, what it costs.

    Of `ROBUST` and its variants only the recipe itself takes part, for the others have more devices, or know the chip.
    """
    wire = wires_of(rows)[0]
    names = [name for name in names_of(rows) if name == OURS or not name.startswith(OURS)]
    groups = {name: rows_of(rows, name, wire) for name in (names if len(names) > 1 else names_of(rows))}
    order = sorted(groups, key=lambda name: -mean_of(groups[name], _ROBUST))
    sentences = _most_robust(groups, order), _beside_the_line(groups, order), _in_software(groups, order)
    return [sentence for sentence in sentences if sentence]


def difference(first, second, figure):
    """Mean difference of two rows over their common seeds, and half of its 95 % interval: Student's over three seeds or more
    (two say next to nothing of their scatter) and the rows' own over chips and points, added as if independent, though the
    rows share chips: rather too wide."""
    pairs = {row["seed"]: row[figure] for row in second}
    apart = np.array([row[figure] - pairs[row["seed"]] for row in first if row["seed"] in pairs])
    n = len(apart)
    over_seeds = half_width_of_mean(apart) if n >= _FEWEST_SEEDS else 0.0
    halves = [np.mean([np.diff(row["intervals"][figure]).item() / 2 for row in group]) for group in (first, second)]
    return float(apart.mean()), float(np.sqrt(over_seeds**2 + halves[0] ** 2 + halves[1] ** 2))


def _most_robust(groups, order):
    best, *others = order
    text = (f"The most robust row is {_listed([best])}: {_figure(groups[best], _ROBUST)} of the test points are right on at "
            f"least 95 % of the chips, and {mean_of(groups[best], 'nominal_accuracy'):.3f} in software")
    tied = [name for name in others if not _is_apart(groups[best], groups[name])]
    if tied:
        return f"{text}; {_listed(tied)} cannot be told from it."
    if not others:
        return f"{text}."
    gap, half = difference(groups[best], groups[others[0]], _ROBUST)
    return (f"{text}; next is {_listed(others[:1])} with {mean_of(groups[others[0]], _ROBUST):.3f} ({gap:.3f} +- {half:.3f} "
            f"less), {mean_of(groups[others[0]], 'nominal_accuracy'):.3f} in software.")


def _beside_the_line(groups, order):
    if LINE not in groups or len(order) == 1:
        return ""
    robust, nominal = (mean_of(groups[LINE], figure) for figure in (_ROBUST, "nominal_accuracy"))
    line = f"the straight line ({robust:.3f} robust, {nominal:.3f} in software)"
    others = [name for name in order if name != LINE]
    above = [name for name in others if _is_above(groups[name], groups[LINE])]
    if not above:
        return f"No row is above {line}, beyond the intervals."
    below = [name for name in others if name not in above]
    return f"Above {line}, beyond the intervals: {_listed(above)}" + (f"; not above it: {_listed(below)}." if below else ".")


def _in_software(groups, order):
    """What the most robust row gives up in software, and what regular training keeps."""
    best = order[0]
    top = max(order, key=lambda name: mean_of(groups[name], "nominal_accuracy"))
    text = []
    if top != best:
        gap, half = difference(groups[top], groups[best], "nominal_accuracy")
        text.append(f"in software {_listed([best])} gives up {gap:.3f} +- {half:.3f} against {_listed([top])}"
                    + ("" if gap > half else ", which may be chance"))
    if REGULAR in groups and best != REGULAR:
        text.append(f"regular training keeps {_figure(groups[REGULAR], _ROBUST)} robust at "
                    f"{mean_of(groups[REGULAR], 'nominal_accuracy'):.3f} in software")
    joined = "; ".join(text)
    return f"{joined[0].upper()}{joined[1:]}." if joined else ""


def _is_apart(first, second):
    gap, half = difference(first, second, _ROBUST)
    return abs(gap) > half


def _is_above(first, second):
    gap, half = difference(first, second, _ROBUST)
    return gap > half


def _figure(group, figure):
    return f"{mean_of(group, figure):.3f} +- {half_width(group, figure):.3f}"


def _listed(names):
    """Names joined for people; those that hold commas in quotes."""
    shown = [f'"{name}"' if "," in name or " " in name else name for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
