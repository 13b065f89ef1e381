"""Records and tables as HTML, for notebooks and reports. Texts are escaped unless they are `Html` already."""

import html
import re
from itertools import zip_longest

import numpy as np

from tiocross.records import declared
from tiocross.units import percent, uS

SCALES = {"%": percent, "uS": uS, "%/uS": percent / uS}  # units for people; any other is shown as it is
_VOID = ("img", "meta")
_RIGHT, _LEFT = "text-align:right", "text-align:left"  # stated in place: notebooks have no style sheet of ours
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")  # would spoil a page


class Html(str):
    """Text that is HTML already, and goes on a page as it is."""


def element(tag, *parts, **attributes):
    """An element as `Html`; an attribute that is None is left out, ``class_`` is class and ``aria_label`` aria-label."""
    named = "".join(f' {name.rstrip("_").replace("_", "-")}="{_escape(value)}"' for name, value in attributes.items()
                    if value is not None)
    return Html(f"<{tag}{named}>" if tag in _VOID else f"<{tag}{named}>{join(*parts)}</{tag}>")


def join(*parts):
    """Parts as one `Html`, one after another; those that are plain text are escaped."""
    return Html("".join(part if isinstance(part, Html) else _escape(part) for part in parts))


def table(caption, header, bodies, **attributes):
    """A table as `Html`: ``bodies`` holds, for each group of rows, its heading (or "") and its rows.

    The first cell of a row is its heading. Numbers, and titles of columns that begin with one, are set to the right.
    """
    first = next((rows[0] for _, rows in bodies if rows), ())
    heads = [element("th", title, scope="col", style=_RIGHT if cell is not None and _is_number(cell) else _LEFT)
             for title, cell in zip_longest(header, (None, *first[1:]))]
    return element("table", element("caption", element("span", caption)) if caption else "",
                   element("thead", element("tr", *heads)),
                   *(_body(heading, rows, len(header)) for heading, rows in bodies), **attributes)


def micro(unit):
    """A unit with the letter for micro in place of u."""
    return re.sub(r"\bu(?=[A-Z])", "µ", unit)


def record_rows(record):
    """Name, value and unit, for people, of every field of a record that states its unit."""
    for name, rules in declared(record).items():
        unit = rules["shown"] or rules["unit"].strip("-")
        scale = SCALES.get(rules["shown"], 1.0)
        yield name.replace("_", " "), _value_text(getattr(record, name), scale), micro(unit)


def records_table(caption, records, **attributes):
    """A table of the fields of ``records`` by name, one group for each with its source; None stands for "off"."""
    bodies = []
    for name, record in records.items():
        source = getattr(record, "source", "")
        said = "off" if record is None else source
        heading = join(element("strong", name), f": {said}" if said else "") if name else ""
        bodies.append((heading, [] if record is None else list(record_rows(record))))
    return table(caption, ("quantity", "value", "unit"), bodies, **attributes)


def _body(heading, rows, width):
    first = [element("tr", element("th", heading, colspan=width, scope="rowgroup", class_="group",
                                   style=f"{_LEFT};font-weight:normal"))] if heading else []
    lines = [element("tr", element("th", row[0], scope="row", style=_LEFT), *map(_cell, row[1:])) for row in rows]
    return element("tbody", *first, *lines)


def _cell(content):
    numeric = _is_number(content)
    return element("td", content, class_="number" if numeric else None, style=_RIGHT if numeric else _LEFT)


def _is_number(content):
    """Whether a cell is a number, with or without its interval."""
    return re.fullmatch(r"[-+]?[\d.,]+(e[-+]?\d+)?( ?%)?( ?\[.*\])?|-", re.sub("<[^>]*>", "", str(content))) is not None


def _value_text(value, scale):
    if value is None:
        return "not stated"
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return " x ".join(map(str, value))
    if isinstance(value, np.ndarray):
        return f"{' x '.join(map(str, value.shape))} values, {value.min() / scale:.4g} to {value.max() / scale:.4g}"
    return f"{value / scale:.6g}"


def _escape(text):
    return html.escape(_UNSEEN.sub("\N{REPLACEMENT CHARACTER}", str(text)))
