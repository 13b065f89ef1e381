"""Records: frozen dataclasses whose fields state their unit and their bounds.

A field is declared in one line, ``g_min: float = number("S", low=0.0, high=1.0)``. From this line follow the check when a
record is made (`check_fields`), the key in JSON files (``"g_min [S]"``) and the unit that people are shown. The unit of a
pure number is "-".
"""

import math
from dataclasses import MISSING, field, fields, is_dataclass

import numpy as np

from tiocross.checks import as_count, as_finite, as_number, nearest_name
from tiocross.storage import read_json


def number(unit, *, default=MISSING, low=-math.inf, high=math.inf, positive=False, optional=False, shown="", source=""):
    """Field for a finite float; ``shown`` is the unit for people, ``source`` says where the default comes from. With
    ``optional`` None stands for "not stated"."""
    def check(name, value):
        if optional and value is None:
            return None
        value = as_number(name, value, low=low, high=high, unit=unit.strip("-"))
        if positive and value <= 0.0:
            raise ValueError(f"{name} must be above zero; got {value:g}")
        return value

    return _declare(default, unit, check, shown, source)


def count(*, default=MISSING, low=1):
    """Field for a whole number of at least ``low``."""
    return _declare(default, "-", lambda name, value: as_count(name, value, low=low))


def array(unit, *, ndim, shown=""):
    """Field for a read-only float64 array with ``ndim`` axes."""
    return _declare(MISSING, unit, lambda name, value: freeze(as_finite(name, value, ndim=ndim)), shown)


def stated(unit, *, default=MISSING):
    """Field with a unit whose value the record checks itself."""
    return _declare(default, unit, None)


def check_fields(record):
    """Replace every declared field by its checked value; a TypeError or ValueError names the first that is wrong."""
    for name, rules in declared(record).items():
        if rules["check"] is not None:
            object.__setattr__(record, name, rules["check"](name, getattr(record, name)))


def declared(record):
    """Declarations of the fields with a unit by name: a dict with "unit", "shown", "source" and "check" each."""
    return {place.name: place.metadata for place in fields(record) if "unit" in place.metadata}


def freeze(values):
    """A copy of an array that cannot be written to."""
    values = np.array(values)
    values.flags.writeable = False
    return values


class LayerShape(tuple):
    """(n_word_lines, n_outputs) of a layer, a pair that also knows whether its last word line is a bias: ``has_bias``."""

    def __new__(cls, n_word_lines, n_outputs, has_bias=True):
        pair = super().__new__(cls, (n_word_lines, n_outputs))
        pair.has_bias = has_bias
        return pair

    def __getnewargs__(self):
        return (*self, self.has_bias)


class ArrayRecord:
    """Equality, hash and short text of frozen records that hold arrays, by content; they are declared with repr=False."""

    def __repr__(self):
        return short_text(self)

    def __eq__(self, other):
        return type(self) is type(other) and all(
            np.array_equal(getattr(self, place.name), getattr(other, place.name)) for place in fields(self))

    def __hash__(self):
        values = (getattr(self, place.name) for place in fields(self))
        return hash(tuple(value.tobytes() if isinstance(value, np.ndarray) else value for value in values))


def short_text(record):
    """A record on one line: its name and its fields, arrays by their shape."""
    places = fields(record) if is_dataclass(record) else ()  # a law of one's own may be none
    shown = (f"{place.name}={_short(getattr(record, place.name))}" for place in places)
    return f"{type(record).__name__}({', '.join(shown)})"


def _short(value):
    if isinstance(value, np.ndarray):
        return f"<{' x '.join(map(str, value.shape))} array>" if value.ndim else repr(value.item())
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def to_json(record):
    """Declared fields as plain numbers and lists, the unit in every key; then the source, if the record has one."""
    content = {f"{name} [{rules['unit']}]": _plain(getattr(record, name)) for name, rules in declared(record).items()}
    return {**content, "source": record.source} if hasattr(record, "source") else content


def load(path, from_json):
    """What ``from_json`` makes of the content of a JSON file; its errors name the file."""
    content = read_json(path)
    try:
        return from_json(content)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{path}: {error}") from None


def values_from_json(where, content, kind, extra=()):
    """Values by field name from what `to_json` gave; ValueError, beginning with ``where``, for a key unknown or missing.

    ``extra`` names further keys, without a unit.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{where} must be an object; got {content!r}")
    keys = {f"{name} [{rules['unit']}]": name for name, rules in declared(kind).items()}
    texts = ["source"] if any(place.name == "source" for place in fields(kind)) else []
    keys.update({name: name for name in (*extra, *texts)})
    for key in content:
        if key not in keys:
            raise ValueError(f"{where} has the unknown key {key!r}; {nearest_name(key, keys)}")
    missing = [key for key in keys if key not in content]
    if missing:
        raise ValueError(f"{where} lacks {missing[0]!r}")
    return {keys[key]: value for key, value in content.items()}


def _declare(default, unit, check, shown="", source=""):
    return field(default=default, metadata={"unit": unit, "shown": shown, "source": source, "check": check})


def _plain(value):
    return value.tolist() if isinstance(value, np.ndarray) else value
