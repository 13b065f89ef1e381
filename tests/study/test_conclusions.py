"""What a study says follows from its rows, whichever is ahead, and claims nothing within the intervals."""

import numpy as np
import pytest

from tiocross.study.conclusions import conclude, difference
from tiocross.study.tables import align, format_table, half_width
from tiocross.study.words import about_99

LINE = "straight line, robustly trained"


def rows(half=0.005, wire=0.0, **figures):
    """Rows of names and (nominal, robust shares of the seeds); intervals of one half width."""
    found = []
    for name, (nominal, *shares) in figures.items():
        for seed, robust in enumerate(shares):
            ends = {"nominal_accuracy": [nominal - 0.004, nominal + 0.004], "robust_fraction_95": [robust - half, robust + half],
                    "robust_fraction_99": [0.62, 0.716]}
            found.append({"name": {"line": LINE, "ours": "ROBUST", "other": "hardware-aware, centred inputs"}.get(name, name),
                          "wire_resistance": wire, "seed": seed, "nominal_accuracy": nominal, "robust_fraction_95": robust,
                          "mean_accuracy": 0.9, "p05_accuracy": 0.8, "robust_fraction_99": 0.664, "n_devices": 66,
                          "n_transfers": 20_000, "intervals": ends})
    return found


def test_the_most_robust_row_leads_whichever_it_is():
    first, line, software = conclude(rows(regular=(0.97, 0.03, 0.05, 0.04), line=(0.86, 0.81, 0.81, 0.811),
                                          other=(0.969, 0.84, 0.845, 0.835), ours=(0.965, 0.93, 0.932, 0.934)))
    assert first.startswith("The most robust row is ROBUST: 0.932 +- 0.002 of the test points are right on at least 95 % of")
    assert first.endswith('next is "hardware-aware, centred inputs" with 0.840 (0.092 +- 0.017 less), 0.969 in software.')
    assert line == ("Above the straight line (0.810 robust, 0.860 in software), beyond the intervals: ROBUST and "
                    '"hardware-aware, centred inputs"; not above it: regular.')
    assert software == ("In software ROBUST gives up 0.005 +- 0.006 against regular, which may be chance; regular training keeps "
                        "0.040 +- 0.010 robust at 0.970 in software.")
    first, line, _ = conclude(rows(regular=(0.97, 0.03, 0.05), line=(0.86, 0.95, 0.952), ours=(0.93, 0.7, 0.702)))
    assert first.startswith(f'The most robust row is "{LINE}": 0.951') and "next is ROBUST with 0.701" in first
    assert line.startswith("No row is above the straight line (0.951 robust, 0.860 in software)")


@pytest.mark.parametrize(("half", "shares"), [(0.02, (0.93, 0.91)), (0.002, (0.93, 0.91, 0.92, 0.85, 0.88, 0.95))])
def test_no_difference_is_claimed_within_the_intervals_of_one_seed_or_of_several(half, shares):
    n = len(shares) // 2
    first, *_ = conclude(rows(half=half, ours=(0.96, *shares[:n]), other=(0.97, *shares[n:])))
    assert "cannot be told from it" in first and " less)" not in first
    n_apart = conclude(rows(half=half, ours=(0.96, *shares[:n]), other=(0.97, *(share - 0.5 for share in shares[n:]))))[0]
    assert " less)" in n_apart


def test_variants_of_the_recipe_take_no_part_unless_they_are_alone():
    variants = {"ROBUST, 31 hidden units": (0.96, 0.99), "ROBUST": (0.96, 0.93)}
    assert conclude(rows(regular=(0.97, 0.1), **variants))[0].startswith("The most robust row is ROBUST: 0.930")
    assert conclude(rows(**variants))[0].startswith('The most robust row is "ROBUST, 31 hidden units": 0.990')
    assert conclude(rows(regular=(0.97, 0.1))) == [
        "The most robust row is regular: 0.100 +- 0.005 of the test points are right on at least 95 % of the chips, and 0.970 in "
        "software."]


def test_the_interval_of_a_difference_is_student_over_seeds_with_that_of_points_and_chips():
    one, other = (rows(half=0.003, x=(0.9, *shares)) for shares in ((0.9, 0.91, 0.95), (0.8, 0.83, 0.84)))
    gaps = np.array([0.1, 0.08, 0.11])
    student = 4.302653 * gaps.std(ddof=1) / np.sqrt(3)  # t of two degrees of freedom at 97.5 %
    assert difference(one, other, "robust_fraction_95") == (pytest.approx(gaps.mean()), pytest.approx(np.hypot(student, np.hypot(
        0.003, 0.003)), rel=1e-5))
    assert difference(one[:1], other[:1], "robust_fraction_95")[1] == pytest.approx(0.003 * np.sqrt(2))


def test_a_table_for_a_narrow_terminal_shows_every_column_below_the_names():
    found = rows(**{"regular": (0.97, 0.03), "a training with a name that is long": (0.9, 0.8)})
    for width in (60, 45, 30):
        narrow = format_table(found, width=width)
        assert max(map(len, narrow.splitlines())) <= max(width, 49)  # the names and one column at least
        assert sorted(narrow.split()) != sorted(format_table(found).split())  # the names are there again
        assert set(narrow.split()) == set(format_table(found).split())


def test_robust_99_is_shown_as_its_interval_and_says_on_how_many_chips_it_hangs():
    table = format_table(rows(regular=(0.97, 0.03, 0.05)))
    assert table.splitlines()[2].split()[-2:] == ["0.62-0.72", "66"] and "0.664" not in table
    assert "hangs on the worst 200 of 20000 chips" in about_99(20_000) and "too few" in about_99(500)
    few = [{**row, "n_transfers": 600} for row in rows(regular=(0.97, 0.03))]
    assert format_table(few).splitlines()[2].split()[-2:] == ["-", "66"]


def test_tables_fit_a_hundred_columns_whatever_the_names():
    name = "ROBUST, 31 hidden units, spread, placed around known faults"
    many = [{**row, "kind": "x", "wire_resistance": wire} for wire in (0.0, 2.0, 10.0)
            for row in rows(**{name: (0.9, 0.8, 0.7), "regular": (0.97, 0.1, 0.2)})]
    for table in (format_table(many, {name: 123.4, "regular": 1.0}), format_table(rows(**{name: (0.9, 0.8)}))):
        assert max(map(len, table.splitlines())) <= 100
        assert " ".join(" ".join(line[:31] for line in table.splitlines()).split()).count("placed around known") == 1
    assert align([["", "a"], ["long " * 10, "1.5"]]).splitlines()[-1].endswith("  1.5")


def test_spread_is_over_seeds_or_the_interval_of_the_only_one():
    assert half_width(rows(x=(0.9, 0.8, 0.9)), "robust_fraction_95") == pytest.approx(np.std([0.8, 0.9], ddof=1))
    assert half_width(rows(half=0.004, x=(0.9, 0.8)), "robust_fraction_95") == pytest.approx(0.004)
