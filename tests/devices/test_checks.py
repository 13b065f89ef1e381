"""What comes in as numbers: nothing is dropped in silence, and whatever is wrong is a TypeError or ValueError of one line."""

import re
from fractions import Fraction

import numpy as np
import pytest

from tiocross import Crossbar, custom, solve, write_conductance_csv
from tiocross.checks import (
    as_conductances, as_count, as_finite, as_number, as_reals, as_shape, number_of_text, require_generator, require_name, require_text,
)

HIDDEN = {
    "a mask": np.ma.masked_array([[1e-4, 2e-4, 3e-4]], mask=[[0, 1, 0]]),
    "a masked row": [np.ma.masked_array([1e-4, 2e-4], [0, 1])], "a masked value": [[np.ma.masked, 1e-4]],
    "imaginary parts": np.array([[1e-4 + 1j, 2e-4]]), "booleans": np.array([[True, False]]),
    "a boolean among numbers": [[True, 1e-4]], "texts": np.array([["1e-4", "2e-4"]]),
    "a text among numbers": [[1e-4, "2e-4"]], "objects": np.array([[1e-4, None]], dtype=object),
    "dates": np.array([["2026-01-01"]], "M8[D]"),
}


@pytest.mark.parametrize("values", HIDDEN.values(), ids=HIDDEN)
def test_nothing_that_numpy_would_drop_is_taken(values, tmp_path):
    crossbar = Crossbar([[1e-4, 2e-4]])
    for take in (lambda: as_reals("x", values), lambda: as_finite("x", values), lambda: as_conductances("x", values),
                 lambda: Crossbar(values), lambda: write_conductance_csv(tmp_path / "g.csv", values),
                 lambda: custom(crossbar, bottom=values)):
        with pytest.raises(TypeError) as raised:
            take()
        assert len(str(raised.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_masks_without_a_masked_value_and_plain_numbers_are_taken():
    for values in (np.ma.masked_array([[1.0, 2.0]]), [[1, 2.0]], ((1, 2),), np.array([[1, 2]], dtype=np.int8)):
        assert as_reals("x", values).tolist() == [[1.0, 2.0]] and as_reals("x", values).dtype == np.float64


@pytest.mark.parametrize(("value", "error", "message"), [
    (10**400, ValueError, "x must be finite; got a number beyond 1e308"), (-(10**400), ValueError, "beyond 1e308"),
    (Fraction(10**400), ValueError, "beyond 1e308"), (float("nan"), ValueError, "got nan"), (True, TypeError, "got True"),
    ("1", TypeError, "got '1'"), (1j, TypeError, "a number"), (None, TypeError, "got None"), ([10**400] * 99, TypeError, r"\.\.\."),
    (np.array([1.0, 2.0]), TypeError, "a number"),
])
def test_numbers_are_refused_in_one_short_line(value, error, message):
    with pytest.raises(error, match=message) as raised:
        as_number("x", value)
    assert len(str(raised.value)) < 200
    with pytest.raises((TypeError, ValueError)) as raised:
        as_count("x", value)
    assert len(str(raised.value)) < 200
    assert as_number("x", Fraction(1, 4)) == 0.25 and as_number("x", np.float32(0.5)) == 0.5


def test_huge_sizes_are_refused_before_any_work():
    for make in (lambda: Crossbar([[1e-4]], 10**400), lambda: as_shape("shape", (8, 10**400)), lambda: as_count("n", 2**53 + 1)):
        with pytest.raises(ValueError, match=r"beyond 1e308|at most 2\*\*53"):
            make()
    with pytest.raises(TypeError, match="must be a pair"):
        as_shape("shape", [])


@pytest.mark.parametrize(("values", "cure"), [
    ([[120.0, 300.0]], "microsiemens, multiply by tiocross.units.uS"), ([[2e3, 1e4]], r"ohms, give 1 / values"),
    ([[1e-4, 5e3]], "ohms"), ([[-1e-4, 1e-4]], r"such\)\.$"),
])
def test_the_cure_names_the_unit_that_fits(values, cure):
    with pytest.raises(ValueError, match=cure) as raised:
        as_conductances("conductances", values)
    assert ("ohms" in str(raised.value)) + ("microsiemens" in str(raised.value)) <= 1


def test_numbers_in_texts_have_plain_digits():
    assert [number_of_text(text) for text in ("1", " -2.5e-3 ", "+.5", "7.", "1E3")] == [1.0, -2.5e-3, 0.5, 7.0, 1e3]
    assert np.isnan(number_of_text("NaN")) and number_of_text("-inf") == -np.inf
    for text in ("", "1_0", "\u0661", "0x1", "1,5", ".", "1.2.3", "1e", "--1", "infinity", "1 2", "\uff11"):
        assert number_of_text(text) is None


@pytest.mark.parametrize("text", ["two\nlines", "bell\a", "\x1b[31mred", "half \ud800", "next\u2028line", "\x9b"])
def test_names_can_be_shown_and_saved(text):
    with pytest.raises(ValueError, match="name must be text on one line") as raised:
        require_text("name", text)
    str(raised.value).encode("utf-8")
    require_text("name", "P464EC \u00b5S, \u5fc6\u963b\u5668")


def test_voltages_as_a_column_are_asked_about():
    crossbar = Crossbar(np.full((5, 3), 1e-4))
    for make in (lambda: solve(crossbar, np.ones((5, 1))), lambda: custom(crossbar, left=np.ones((5, 2)), bottom=0.0),
                 lambda: custom(crossbar, bottom=np.ones((3, 5)))):
        with pytest.raises(ValueError, match=r"got \([53], [125]\); transposed\?$"):
            make()
    with pytest.raises(ValueError, match=r"got \(4,\)$"):
        solve(crossbar, np.ones(4))


@pytest.mark.parametrize(("values", "place"), [([10**400, 1], r"\(0,\)"), ([[1, 2, 3], [4, 5, -(10**5000)]], r"\(1, 2\)")])
def test_a_number_beyond_floats_in_an_array_is_named_with_its_place(values, place):
    with pytest.raises(ValueError, match=rf"x must be finite; got a number beyond 1e308 at index {place}$"):
        as_reals("x", values)
    assert as_reals("x", [[2**64, 1.5, 3]]).tolist() == [[2.0**64, 1.5, 3.0]]  # NumPy has no whole number for it, floats do


@pytest.mark.parametrize("huge", [10**400, [10**400] * 9, [10**5000], "x" * 9999])
def test_errors_show_no_number_in_hundreds_of_digits(huge):
    for check in (lambda: as_shape("shape", huge), lambda: require_generator(huge), lambda: require_name("name", huge, ("one", "two"))):
        with pytest.raises((TypeError, ValueError)) as raised:
            check()
        assert len(str(raised.value)) < 240 and re.search("; got |is unknown; valid names", str(raised.value))
