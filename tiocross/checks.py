"""Checks on arguments, made before any work is done.

Everything a caller can do wrong is a ``ValueError`` or ``TypeError`` whose text names the rule, what came and where, and
the cure.
"""

import difflib
import math
import numbers
import os
import re
from os import PathLike
from pathlib import Path

import numpy as np

_NUMBER = re.compile(r"\s*[+-]?(?:[0-9.]+(?:[eE][+-]?[0-9]+)?|nan|inf)\s*", re.ASCII | re.IGNORECASE)
_UNSHOWN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")  # control characters, halves of characters
_OHMS_FROM = 1_000.0
_LARGEST_COUNT = 2**53  # beyond it floats skip whole numbers
LARGEST_CONDUCTANCE = 1.0  # [S]; no memristive device comes near it, a number in microsiemens usually passes it


def nearest_name(name, valid_names):
    """What to say after an unknown name: the nearest valid one, or all of them."""
    matches = difflib.get_close_matches(name if isinstance(name, str) else short_repr(name), list(valid_names), n=1)
    if matches:
        return f"did you mean {matches[0]!r}?"
    return "valid names: " + ", ".join(sorted(map(str, valid_names)))


def require_name(what, name, valid_names):
    """Raise ValueError, with the nearest valid name, unless ``name`` is one of ``valid_names``."""
    if name not in valid_names:
        raise ValueError(f"{what} {short_repr(name)} is unknown; {nearest_name(name, valid_names)}")


def transposed_hint(shape, wanted):
    """What to add to an error about ``shape``: the question whether it is ``wanted`` transposed, where it looks like it."""
    return "; transposed?" if tuple(shape) == tuple(wanted)[::-1] != tuple(wanted) else ""


def siemens_cure(value):
    """What to add to an error about a conductance of ``value`` [S] outside [0, 1] S: in which unit it may be."""
    if not LARGEST_CONDUCTANCE < value < math.inf:
        return ""
    if value >= _OHMS_FROM:  # as microsiemens beyond the devices of memory, as ohms among them
        return ". If these are ohms, give 1 / values"
    return ". If these are microsiemens, multiply by tiocross.units.uS"


def with_article(text):
    """A noun, or a number such as the 8 of "8 x 8 array", with "a" or "an" before it."""
    sounded = re.match(r"[aeioAEIO]|ML|nd|8|1[18](?![0-9])|18\d\d\d(?![0-9])", text) is not None
    return f"{'an' if sounded else 'a'} {text}"


def kind_of(value):
    """Class of a value, for an error's text: "an int"."""
    return with_article(type(value).__name__)


def plural(n, noun):
    """How many of what: "1 seed", "2 seeds"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def require_text(what, value):
    """Raise TypeError unless ``value`` is a text, ValueError if it holds what no file and no terminal can show."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a text; got {short_repr(value)}")
    if odd := _UNSHOWN.search(value):
        raise ValueError(f"{what} must be text on one line that can be shown; got {odd[0]!r} at place {odd.start()}")


def as_path(what, value):
    """Path of a text or a path; TypeError otherwise, for ``open`` takes numbers for open files, and closes them."""
    if not isinstance(value, (str, PathLike)):
        raise TypeError(f"{what} must be a text or a Path; got {short_repr(value)} "
                        f"({type(value).__name__})")
    return Path(value)


def require_shape(what, shape, wanted, why=""):
    """Raise ValueError unless ``shape`` is ``wanted``; ``why`` says where the wanted shape comes from."""
    if tuple(shape) != tuple(wanted):
        raise ValueError(f"{what} must have shape {tuple(wanted)}{why}; got {tuple(shape)}{transposed_hint(shape, wanted)}")


def as_shape(what, shape, *, low=1):
    """(n_word_lines, n_bit_lines) as a tuple of ints of at least ``low``; a TypeError or ValueError names it otherwise."""
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        raise TypeError(f"{what} must be a pair such as (8, 8), word lines and bit lines; got {short_repr(shape)}")
    return tuple(as_count(what, size, low=low) for size in shape)


def as_reals(what, values):
    """Float64 array of ``values``, which may be NaN or infinite; TypeError unless they are real numbers."""
    _require_nothing_hidden(what, values)
    try:
        given = np.asarray(values)
    except ValueError as error:
        raise TypeError(f"{what} must be an array of numbers; got a ragged {type(values).__name__}: {error}") from None
    if given.dtype == object and isinstance(values, (list, tuple)):
        given = _as_floats(what, given)
    if given.dtype.kind not in "iuf" and given.size:
        raise TypeError(f"{what} must be an array of real numbers; got {kind_of(values)} of {given.dtype}")
    with np.errstate(over="ignore"):  # of longer floats
        return given.astype(np.float64, copy=False)


def _as_floats(what, given):
    """Floats for whole numbers that are too large for NumPy, ValueError for one beyond floats; others stay objects."""
    if not all(type(value) in (int, float) for value in given.flat):
        return given
    for place, value in np.ndenumerate(given):
        if isinstance(value, int) and abs(value) >= 2**1024:
            raise ValueError(f"{what} must be finite; got a number beyond 1e308 at index {place}")
    return given.astype(np.float64)


def _require_nothing_hidden(what, values):
    """Raise TypeError for what NumPy would drop in silence: masks, and booleans among numbers."""
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            raise TypeError(f"{what} must not be masked; fill or drop the masked values first")
    elif isinstance(values, (list, tuple)):
        for value in values:
            if isinstance(value, (bool, np.bool_)):
                raise TypeError(f"{what} must be an array of real numbers; got {kind_of(values)} with {value}")
            if isinstance(value, (list, tuple, np.ma.MaskedArray)):
                _require_nothing_hidden(what, value)


def as_finite(what, values, *, ndim=None):
    """Float64 array of ``values``; ValueError with the position of the first value that is not finite."""
    if type(values) is np.ndarray and values.dtype == np.float64 and ndim in (None, values.ndim):
        if np.isfinite(values).all():
            return values  # the usual case, in a tenth of the time
    array = as_reals(what, values)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{what} must have {ndim} axes; got shape {array.shape}")
    bad = ~np.isfinite(array)
    if bad.any():
        position = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{what} must be finite; got {array[position]} at index {position} ({int(bad.sum())} such)")
    return array


def as_conductances(what, values):
    """``(..., n_word_lines, n_bit_lines)`` float64 array within [0, 1] S; ValueError naming the first device outside."""
    array = as_finite(what, values)
    if array.ndim < 2 or 0 in array.shape:
        raise ValueError(f"{what} must have shape (..., n_word_lines, n_bit_lines), none of them zero; got {array.shape}")
    bad = (array < 0) | (array > LARGEST_CONDUCTANCE)
    if bad.any():
        position = tuple(int(i) for i in np.argwhere(bad)[0])
        chip = f"array {', '.join(map(str, position[:-2]))}, " if len(position) > 2 else ""
        raise ValueError(f"{what} must lie in [0, 1] S; got {array[position]:g} at {chip}word line {position[-2]}, "
                         f"bit line {position[-1]} ({int(bad.sum())} such){siemens_cure(float(np.median(array[bad])))}.")
    return array


def as_number(what, value, *, low=-math.inf, high=math.inf, unit=""):
    """Finite float of ``value`` within [low, high]; a TypeError or ValueError names it otherwise."""
    if type(value) is float and low <= value <= high and -math.inf < value < math.inf:
        return value
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{what} must be a number; got {short_repr(value)} ({type(value).__name__})")
    space = f" {unit}" if unit else ""
    bounds = "" if low == -math.inf and high == math.inf else (
        f" and at least {low:g}{space}" if high == math.inf else f" and within [{low:g}, {high:g}]{space}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{what} must be finite{bounds}; got a number beyond 1e308") from None
    if not (math.isfinite(number) and low <= number <= high):
        cure = siemens_cure(number) if unit == "S" and high <= LARGEST_CONDUCTANCE else ""
        raise ValueError(f"{what} must be finite{bounds}; got {number:g}{space}{cure}")
    return number


def as_count(what, value, *, low=1):
    """Int of ``value`` of at least ``low``; a TypeError or ValueError names it otherwise."""
    if type(value) is int and low <= value <= _LARGEST_COUNT:
        return value
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{what} must be a whole number; got {short_repr(value)} ({type(value).__name__})")
    if value < low:
        raise ValueError(f"{what} must be at least {low}; got {short_repr(value)}")
    if value > _LARGEST_COUNT:
        raise ValueError(f"{what} must be at most 2**53; got {short_repr(value)}")
    return int(value)


def short_repr(value):
    """A value for an error's text, cut where it is long."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**20 else f"a number beyond {'-' * (value < 0)}1e20"
    try:
        text = repr(value)
    except ValueError:  # more digits than Python writes
        text = f"{kind_of(value)} with a number beyond 1e20"
    return text if len(text) <= 80 else f"{text[:77]}..."


def number_of_text(text):
    """Float of a number in plain digits, ``nan`` and ``inf`` among them; None if the text is no number."""
    if not _NUMBER.fullmatch(text):  # float() would take "1_0" and the digits of any script
        return None
    try:
        return float(text)
    except ValueError:
        return None


def require_memory(what, n_bytes, cure):
    """Raise ValueError, with the cure, if numbers of ``n_bytes`` do not fit into the memory of this machine."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows does not tell
        memory = 2**40
    if n_bytes > memory:
        raise ValueError(f"{what} would take {n_bytes / 1e9:.3g} GB of memory, of which this machine has "
                         f"{memory / 1e9:.3g}; {cure}")


def require_generator(rng):
    """Raise TypeError unless ``rng`` is a numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError("rng must be a numpy.random.Generator, for example "
                        f"numpy.random.default_rng(7); got {short_repr(rng)}")
