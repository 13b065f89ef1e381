"""A netlist as statements: lines put together, comments taken away, numbers with the suffixes of SPICE."""

import re
from decimal import Decimal
from typing import NamedTuple

from tiocross.checks import as_path, short_repr
from tiocross.circuit.netlists.elements import LEFT_OUT

GROUND = "0"
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)([a-zµμ]*)", re.ASCII)
_SUFFIXES = {"t": 12, "g": 9, "meg": 6, "k": 3, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12, "f": -15}
_ANALYSES = (".op", ".dc", ".ac", ".tran", ".step", ".options", ".option", ".opt", ".print", ".plot", ".probe", ".save",
             ".temp", ".meas", ".measure", ".width", ".title", ".backanno", ".nodeset", ".ic")  # of these nothing is read


class Statement(NamedTuple):
    """An element, in small letters: number of its first line, its words, and whether it is one that was left out."""

    line: int
    words: tuple[str, ...]
    left_out: bool = False

    @property
    def text(self):
        """For people."""
        return short_repr(" ".join(self.words))


def read_text(path):
    """Text of a netlist; ValueError if it is none."""
    content = as_path("path", path).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # a micro sign of another age
    if "\0" in text:
        raise ValueError(f"{path} is not the text of a netlist: it holds zero bytes")
    return text


def statements_of(path, text):
    """Elements and, in netlists of tiocross, those left out; ValueError at the first line that is neither an element nor
    asks for an analysis."""
    found, inside = [], False
    for number, line in _whole_lines(path, text):
        word = line.split(maxsplit=1)[0]
        if word in (".control", ".endc"):
            inside = word == ".control"
        elif inside or word in _ANALYSES:
            continue
        elif word == ".end":
            break
        elif word[0] == ".":
            raise ValueError(f"{path}, line {number}: {word} cannot be read; write the circuit flat, with numbers: without "
                             "subcircuits, included files, models and parameters")
        elif line.startswith(LEFT_OUT.strip()):
            found.append(Statement(number, tuple(line[len(LEFT_OUT):].split()), True))
        else:
            found.append(Statement(number, tuple(line.split())))
    return found


def _whole_lines(path, text):
    """(number, line in small letters) without title, comments and blank lines; continued ones as one."""
    number, whole = 0, ""
    for k, line in enumerate(text.splitlines()[1:], start=2):
        line = line.strip().lower()
        if line.startswith("*") and not line.startswith(LEFT_OUT) or not line:
            continue
        if line[0] != "*":
            line = re.split(r";|\s\$|^\$|\s//", line)[0].strip()
        if line.startswith("+"):
            if not whole:
                raise ValueError(f"{path}, line {k} goes on with a statement, but none stands before it")
            whole += " " + line[1:].strip()
        elif line:
            if whole:
                yield number, whole
            number, whole = k, line
    if whole:
        yield number, whole


def number_of(word):
    """Decimal of a number with its suffix, such as 10k or 3.3Meg; None if the word is none."""
    match = _NUMBER.fullmatch(word.lower())
    if match is None:
        return None
    number, letters = Decimal(match[1]), match[2]
    if letters.startswith("mil"):
        return number * Decimal("25.4e-6")
    suffix = "meg" if letters.startswith("meg") else letters[:1]
    return number.scaleb(_SUFFIXES.get(suffix, 0))


def node_of(word):
    """A node's name; that of ground for its other one."""
    return GROUND if word == "gnd" else word
