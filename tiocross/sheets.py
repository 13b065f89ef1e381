"""Text files of numbers as people, spreadsheets and instruments write them: comments, separators, decimal signs, units.

Read is what can mean one thing only. Separators are commas, semicolons, tabs or blanks, and what is in quotes is one cell;
commas are decimal signs where something else separates, or within quotes.
"""

import math
import re
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np

from tiocross.checks import as_path, number_of_text
from tiocross.foreign import foreign_kind
from tiocross.units import Mohm, kohm, mS, mV, nS, ohm, uS

CONDUCTANCES = {"S": 1.0, "mS": mS, "uS": uS, "nS": nS}
RESISTANCES = {"ohm": ohm, "kohm": kohm, "Mohm": Mohm}
VOLTAGES = {"V": 1.0, "mV": mV}
SEPARATORS = {";": "semicolons", "\t": "tabs", ",": "commas", " ": "blanks"}  # in the order in which they are looked for
_QUANTITIES = {"conductance": CONDUCTANCES, "resistance": RESISTANCES, "voltage": VOLTAGES}
_UNIT = re.compile(r"\[([^\[\]]*)\]")
_LAST_WORD = re.compile(r"([\w-]*)\W*\Z")
_FARTHEST = 40  # characters before a unit in which its quantity is looked for
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d*(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+", re.ASCII)
_QUOTED = re.compile(r'"([^"]*)"')
_HIDDEN = {ord(sign): chr(0xE000 + k) for k, sign in enumerate(SEPARATORS)}  # separators in quotes, which separate nothing
_SHOWN = {ord(hidden): chr(sign) for sign, hidden in _HIDDEN.items()}
_SEPARATOR_LINE = re.compile(r'\s*"?sep=(.)"?[\s,;]*', re.IGNORECASE)  # which Excel takes for a line about the file


@dataclass(frozen=True, eq=False)
class Sheet:
    """Lines of a text file: (line number, text) of its comments, (line number, cells) of the others."""

    path: str | PathLike
    comments: list
    rows: list
    separator: str  # for people; "" where no line holds two values
    decimal_commas: bool

    def place(self, k):
        """File and line of row ``k``."""
        return f"{self.path}, line {self.rows[k][0]}"

    def __str__(self):
        shown = f"separated by {self.separator}" if self.separator else "one value a line"
        return shown + (", with decimal commas" if self.decimal_commas else "")

    def numbers(self, k, start=0, *, allow_missing=False, missing="leave the line out"):
        """Values of row ``k`` from place ``start`` on; ValueError naming the first that is no finite number.

        ``missing`` says what to do where one is nan.
        """
        values = []
        for place, text in enumerate(self.rows[k][1][start:], start + 1):
            value = number_of_text(text)
            if value is None:
                raise ValueError(f"{self.place(k)}, value {place}: not a number: {shortened(text)}{_cure(text, self)}")
            if not (math.isfinite(value) or (allow_missing and math.isnan(value))):
                cure = f"; {missing}" if math.isnan(value) else ""
                raise ValueError(f"{self.place(k)}, value {place}: values must be finite; got {text[:40]}{cure}")
            values.append(value)
        return values

    def require_width(self, width, reference, first=0):
        """Raise ValueError unless all rows from ``first`` on hold ``width`` values; ``reference`` says why."""
        for k, (_, row) in enumerate(self.rows[first:], first):
            if len(row) != width:
                cure = "; is the file truncated?" if k == len(self.rows) - 1 and len(row) < width else ""
                raise ValueError(f"{self.place(k)}: expected {width} values as in {reference}; got {len(row)}{cure}")

    def table(self, first, width):
        """(n_rows, width) array of the numbers from row ``first`` on."""
        self.require_width(width, "the header", first)
        return np.array([self.numbers(k) for k in range(first, len(self.rows))]).reshape(-1, width)

    def stated_units(self):
        """(line number, unit, whether its quantity stands before it) of the comments' units; all if no quantity does.

        ValueError if one stands behind a quantity of which it is no unit.
        """
        found = []
        for number, text in self.comments:
            for place in _UNIT.finditer(text):
                before = _LAST_WORD.search(text[max(0, place.start() - _FARTHEST):place.start()])
                unit, quantity = plain_unit(place[1]), before[1].lower().removesuffix("s")
                if any(unit in units for units in _QUANTITIES.values()):
                    found.append((number, unit, quantity))
        for number, unit, quantity in found:
            self._require_own_unit(number, unit, quantity, found)
        found = [(number, unit, quantity in _QUANTITIES) for number, unit, quantity in found]
        return [one for one in found if one[2]] or found

    def _require_own_unit(self, number, unit, quantity, found):
        """Raise ValueError for a unit behind a quantity that has others, naming the other line that states one."""
        if unit not in _QUANTITIES.get(quantity, (unit,)):
            others = [other for other in found if other[0] != number]
            lines = sorted([number, *(other[0] for other in others[:1])])
            where = f"line{'s' * bool(others)} {' and '.join(map(str, lines))}"
            also = f", beside [{others[0][1]}]" if others else ""
            raise ValueError(f"{self.path}, {where}: '{quantity} [{unit}]'{also}: no {quantity} has the unit [{unit}]; "
                             f"state the quantity that the values are, with one of {', '.join(_QUANTITIES[quantity])}")

    def titled(self):
        """The sheet with a title such as ``conductance [uS]``, above all values, among its comments."""
        number, cells = self.rows[0]
        named = [cell for cell in cells if cell]
        is_title = len(named) == 1 or (self.separator in ("", SEPARATORS[" "]) and len(self.rows) > 1)
        has_unit = name_and_unit(" ".join(named))[1] is not None
        if is_title and has_unit and all(number_of_text(cell) is None for cell in named):
            return replace(self, comments=[*self.comments, (number, " ".join(named))], rows=self.rows[1:])
        return self


def read_sheet(path):
    """The `Sheet` of a file; ValueError unless it is UTF-8 text."""
    return sheet_of_text(path, read_text(path))


def read_text(path):
    """The text of a file; ValueError unless it is UTF-8 text."""
    data = as_path("path", path).read_bytes()
    if foreign := foreign_kind(data):
        raise ValueError(f"{path} is no CSV text: it is {foreign}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error}; save it as 'CSV UTF-8'") from None
    if "\0" in text:
        raise ValueError(f"{path} is not text: it holds zero bytes")
    return text


def sheet_of_text(path, text):
    """The `Sheet` of the text of a file."""
    lines = [(number, line.strip(" ")) for number, line in enumerate(re.split("\r\n|\r|\n", text), 1)
             if line.strip(" \t,;\"")]
    sign = _SEPARATOR_LINE.fullmatch(lines[0][1]) if lines else None
    lines = lines[1:] if sign else lines
    is_comment = [line.lstrip("\t \"").startswith("#") for _, line in lines]
    comments = [(number, line.strip("\t ,;\"")) for (number, line), is_one in zip(lines, is_comment) if is_one]
    others = [(number, _QUOTED.sub(lambda found: found[1].translate(_HIDDEN), line))
              for (number, line), is_one in zip(lines, is_comment) if not is_one]
    sign = sign[1] if sign else next((sign for sign in SEPARATORS if any(sign in line for _, line in others)), "")
    if sign and sign not in SEPARATORS:
        raise ValueError(f"{path}, line 1: {shortened(sign)} separates nothing that is read; separate values by "
                         f"{', '.join(SEPARATORS.values())}")
    rows = _aligned([(number, _cells(line, sign)) for number, line in others])
    decimal_commas = any(_DECIMAL_COMMA.fullmatch(cell) for _, row in rows for cell in row)
    if decimal_commas:
        is_clear = sign == ";" and not any(_HIDDEN[ord(",")] in line for _, line in others)
        rows = _with_points(path, rows, is_clear)
    return Sheet(path, comments, rows, SEPARATORS.get(sign, "") if any(len(row) > 1 for _, row in rows) else "",
                 decimal_commas)


def _aligned(rows):
    """Rows without the empty cells at their ends with which spreadsheets pad; those within the widest row are missing."""
    width = max((k for _, row in rows for k, cell in enumerate(row, 1) if cell), default=0)
    return [(number, row[:width]) for number, row in rows]


def _with_points(path, rows, is_clear):
    """Rows with decimal points for commas; ValueError for points among them, or where commas may divide thousands."""
    if pointed := [number for number, row in rows for cell in row if "." in cell and number_of_text(cell) is not None]:
        raise ValueError(f"{path}, line {pointed[0]}: a decimal point, though other lines have decimal commas; "
                         "use one of the two")
    found = [(number, cell) for number, row in rows for cell in row if _DECIMAL_COMMA.fullmatch(cell)]
    if not is_clear and all(_THOUSANDS.fullmatch(cell) for _, cell in found):
        number, cell = found[0]
        raise ValueError(f"{path}, line {number}: the comma in {shortened(cell)} may be a decimal comma or divide "
                         f"thousands; write {cell.replace(',', '.')} or {cell.replace(',', '')}")
    return [(number, [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in row])
            for number, row in rows]


def _cells(line, sign):
    """Parts of a line of which quoted separators are hidden, units beside their names."""
    parts = " ".join(line.split()).replace(" [", "[").split() if sign in (" ", "") else line.split(sign)
    return [part.translate(_SHOWN).strip().strip('"').strip() for part in parts]


def _cure(text, sheet):
    """What may be meant by a cell that is no number."""
    if text == "":
        return " (nothing between two separators, or at the line's end)"
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", text, re.ASCII):
        return f"; write thousands without commas, {text.replace(',', '')}"
    if sheet.separator == "commas" and " " in text.strip():
        return "; with decimal commas, separate values by semicolons or tabs"
    return "; numbers are written with digits, a decimal point and an exponent such as e-6"


def shortened(text):
    """A text in quotes, cut where it is long."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def plain_unit(text):
    """A unit as tiocross writes it, whichever sign for micro or ohm it had."""
    text = "".join(sign if sign.isprintable() else "?" for sign in text.strip())
    return re.sub("\u03a9|\u2126|Ohm|OHM", "ohm", re.sub("\u00b5|\u03bc", "u", text))


def name_and_unit(text):
    """A column's name in small letters without its unit, and the unit or None."""
    found = _UNIT.search(text)
    return _UNIT.sub("", text).strip().lower(), plain_unit(found[1]) if found else None


def require_unit(where, unit, units, example):
    """Raise ValueError unless ``unit``, None if none was stated, is one of ``units``."""
    if unit not in units:
        problem = "the unit is not stated" if unit is None else f"the unit [{unit}] is unknown"
        raise ValueError(f"{where}: {problem}; expected {', '.join(f'[{name}]' for name in units)}, as in {example!r}")


def unit_of_comments(sheet, units, example):
    """Line and unit that the comments state; ValueError for none, one that is not in ``units``, or two that differ."""
    stated = sheet.stated_units()
    for number, unit, _ in stated[1:]:
        if unit != stated[0][1]:
            first = stated[0]
            where = f"lines {first[0]} and {number}" if number != first[0] else f"line {number}"
            raise ValueError(f"{sheet.path}, {where}: two units are stated, [{first[1]}] and [{unit}]; leave one, or put "
                             f"its quantity before the one that holds, as in {example!r}")
    if not stated:
        unknown = [plain_unit(unit)[:20] for _, text in sheet.comments for unit in _UNIT.findall(text)]
        require_unit(sheet.path, unknown[0] if unknown else None, units, example)
    number, unit, _ = stated[0]
    require_unit(sheet.path, unit, units, example)
    return number, unit
