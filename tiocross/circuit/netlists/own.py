"""Netlists of one array that tiocross wrote, read back: the same crossbar and the same voltages, bit for bit.

What was read is written again and must give the same elements: so nothing that was edited goes unseen.
"""

import math
import re
from decimal import Decimal

import numpy as np

from tiocross.circuit.biasing import Biasing
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.laws import LAWS, Asymmetric
from tiocross.circuit.netlists.dialects import DIALECTS
from tiocross.circuit.netlists.elements import CURRENTS, ENDS_OF, guessed, labels_of, siemens_of
from tiocross.circuit.netlists.statements import number_of, statements_of
from tiocross.circuit.netlists.writing import ENDS, deck
from tiocross.circuit.series import Selector

_TITLE = re.compile(r"\* tiocross, (\w+): ([0-9]{1,7}) x ([0-9]{1,7}) devices;")
_SWEEP = re.compile(r"^\.dc vindex 0 ([0-9]+) 1\s*$", re.ASCII | re.IGNORECASE | re.MULTILINE)
_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_MOST_DEVICES = 2**24
_LAWS = {law.__name__: law for law in LAWS}
_CURE = "; correct it, or take the first line away: then the resistors are read as those of any grid"


def require_array(path, text):
    """Raise ValueError if a netlist of tiocross is of a whole network."""
    if re.match(r"\* tiocross, \w+: network ", text):
        raise ValueError(f"{path} holds a whole network, with amplifiers and activations; what can be read is a netlist of "
                         "one array: write_netlist(crossbar, voltages, path)")


def title_of(text):
    """Dialect and shape of the array that a netlist of tiocross is of; None for another netlist."""
    match = _TITLE.match(text)
    if match is None or match[1] not in DIALECTS or not 0 < int(match[2]) * int(match[3]) <= _MOST_DEVICES:
        return None
    return DIALECTS[match[1]], (int(match[2]), int(match[3]))


def read_own(path, text, dialect, shape):
    """Crossbar and Biasing of a netlist with this title; ValueError at the first line that tiocross would not write."""
    statements = statements_of(path, text)
    by_name = {statement.words[0]: statement for statement in statements}
    if len(by_name) < len(statements):
        names = [statement.words[0] for statement in statements]
        twice = next(each for k, each in enumerate(statements) if each.words[0] in names[:k])
        raise ValueError(f"{path}, line {twice.line}: a second {twice.words[0]}{_CURE}")
    try:
        ends = _ends(by_name, shape, _n_inputs(text, by_name))
        made = _crossbar(by_name, dialect, shape, ends), Biasing(**ends)
    except (ValueError, TypeError, IndexError, ArithmeticError) as error:
        raise ValueError(f"{path} was edited, or is damaged: {error}{_CURE}") from None
    written = "".join(deck(*made, dialect))
    if (first := text.split("\n", 1)[0].rstrip()) != (wanted := written.split("\n", 1)[0]):
        raise ValueError(f"{path}, line 1 was edited, or what follows was: {first[:200]!r} instead of {wanted!r}{_CURE}")
    _require_same(path, by_name, statements_of(path, written))
    return made


def _n_inputs(text, by_name):
    """How many inputs a sweep has; None where there is one input and no sweep."""
    found = _SWEEP.search(text)
    if "vindex" not in by_name or found is None or (found[1] == "0" and ".print" in text):
        return None
    return int(found[1]) + 1


def _ends(by_name, shape, n_inputs):
    """Voltages of all ends, as of a Biasing [V]."""
    ends = {}
    for name, n_lines, other in zip(ENDS, (shape[0], shape[0], shape[1], shape[1]), ("left", "left", "bottom", "bottom")):
        columns = [_volts(by_name, name, other, k, n_inputs) for k in range(n_lines)]
        ends[name] = np.array(columns, dtype=np.float64).T.reshape(n_inputs or 1, n_lines)
        ends[name] = ends[name] if n_inputs else ends[name][0]
    return ends


def _volts(by_name, name, other, k, n_inputs):
    """Voltages of one end, one for each input; NaN where it floats [V]."""
    statement = by_name.get(f"v{name}{k}")
    if statement is None:
        return [np.nan] * (n_inputs or 1)
    if statement.left_out:  # the other end of a line of one node
        return _volts(by_name, other, None, k, n_inputs)
    if statement.words[2] == "0":
        return [float(_number(statement))] * (n_inputs or 1)
    table = "".join(by_name[f"bdrive_{name}{k}"].words[3:]) if f"bdrive_{name}{k}" in by_name else ""
    numbers = re.findall(rf"(?<=[,(]){_NUMBER}(?=[,)])", table.split("v(index)")[-1])
    if len(numbers) != 2 * (n_inputs or 1):
        raise ValueError(f"the source of {name}{k} has {len(numbers) // 2} voltages for {n_inputs or 1} inputs")
    return [float(number) for number in numbers[1::2]]


def _number(statement):
    """Decimal of the value of a resistor or a source; ValueError if it has none."""
    value = Decimal(math.inf) if statement.words[3:] == ("inf",) else number_of("".join(statement.words[3:]))
    if value is None:
        raise ValueError(f"line {statement.line}: {statement.text} has no value")
    return value


def _crossbar(by_name, dialect, shape, ends):
    m, n = shape
    floats = {name: np.isnan(ends[name].reshape(-1, ends[name].shape[-1])[0]) for name in ENDS}
    words = [_resistances(by_name, "w", i, [f"w{i}_{j}" for j in range(n)], floats) for i in range(m)]
    bits = [_resistances(by_name, "b", j, [f"b{i}_{j}" for i in range(m)], floats) for j in range(n)]
    conductances, law = _devices(by_name, "d", shape, dialect)
    series = None
    if any(name[1:2] == "s" and name[2:3].isdigit() for name in by_name):
        others, other_law = _devices(by_name, "s", shape, dialect)
        is_open = (others == 0.0) | (conductances == 0.0)
        others = np.where(is_open, others[~is_open][0] if (~is_open).any() else 0.0, others)
        series, conductances = Selector(other_law, _shared(others)), np.where(is_open, 0.0, conductances)
    wires = [np.array([line[1:-1] for line in lines]) for lines in (words, bits)]
    beyond = [[line[0] if not floats[first][k] else line[-1] for k, line in enumerate(lines)]
              for lines, first in ((words, "left"), (bits, "top"))]
    return Crossbar(conductances, None, wires[0], wires[1].T, *beyond, iv=law, series=series)


def _resistances(by_name, letter, k, own, floats):
    """Resistances along one line, from end to end [ohm]."""
    first, last, _ = ENDS_OF[letter]
    floating = bool(floats[first][k]), bool(floats[last][k])
    labels = labels_of(letter, k, own)
    ohms = [float(_number(by_name["r" + label])) if "r" + label in by_name else None for label in labels]
    end = len(ohms) - 1
    known = [0.0 if value is None else value for value in ohms]
    for at in (1, end - 1, 0, end):
        if ohms[at] is None and floating[0 if at < 2 else 1]:
            known[at] = guessed(known, floating, at)
    return known


def _devices(by_name, letter, shape, dialect):
    """Conductances at 0 V of all devices, or of all that lies in series with them [S], and their law."""
    conductances, found = np.zeros(shape), {}
    for i, j in np.ndindex(*shape):
        if (resistor := by_name.get(f"r{letter}{i}_{j}")) is not None:
            conductances[i, j] = siemens_of(_number(resistor))
        elif (source := by_name.get(f"b{letter}{i}_{j}")) is not None:
            _, first, second, *rest = source.words
            formula = "".join(rest).removeprefix("i=").strip("{}").replace(f"v({first},{second})", "v")
            kind, conductances[i, j], values = _law_of(formula, dialect)
            found[i, j] = kind, values
    return conductances, _join_laws(found, shape)


def _law_of(formula, dialect):
    """Kind of a law, the conductance and the parameters in its formula; of an Asymmetric, a pair of kinds."""
    choice = re.escape(dialect.choose("v>0", "@", "@")).replace("@", "(.+)")
    if (match := re.fullmatch(choice, formula)) is not None:
        (first, g, values), (second, _, more) = (_law_of(side, dialect) for side in match.groups())
        return (first, second), g, [*values, *more]
    for kind, template in {**CURRENTS, None: "{g!r}*{v}"}.items():
        text = re.escape(template.replace("!r", "").format("@0@", "@1@", g="@g@", v="v"))
        seen = []
        for mark in re.findall("@(.)@", text):
            text = text.replace(f"@{mark}@", f"(?P=n{mark})" if mark in seen else f"(?P<n{mark}>{_NUMBER})", 1)
            seen.append(mark)
        if (match := re.fullmatch(text, formula)) is not None:
            numbers = match.groupdict()
            return kind, float(numbers["ng"]), [float(numbers[key]) for key in ("n0", "n1") if key in numbers]
    raise ValueError(f"{formula!r} is no current of a law that tiocross writes")


def _join_laws(found, shape):
    """The law of all devices, from the kind and the parameters of each that has one."""
    kinds = {kind for kind, _ in found.values()}
    if not kinds:
        return None
    if len(kinds) > 1:
        raise ValueError(f"the devices have laws of {len(kinds)} kinds; all must have one")
    count = len(next(iter(found.values()))[1])
    tables = np.tile(np.array(next(iter(found.values()))[1])[:, None, None], (1, *shape)) if count else np.zeros((0, *shape))
    for (i, j), (_, values) in found.items():
        tables[:, i, j] = values
    tables = [_shared(table) for table in tables]
    kind = kinds.pop()
    if not isinstance(kind, tuple):
        return _LAWS[kind](*tables)
    first = kind[0] and 2 - (kind[0] in ("Sinh", "Cubic")) or 0
    sides = (each and _LAWS[each](*part) for each, part in zip(kind, (tables[:first], tables[first:])))
    return Asymmetric(*sides)


def _shared(table):
    """One number where all are equal."""
    return table.flat[0] if (table == table.flat[0]).all() else table


def _require_same(path, by_name, written):
    """Raise ValueError at the first element that is not as it is written again."""
    due = {statement.words[0]: statement for statement in written}
    for name, statement in by_name.items():
        wanted = due.get(name)
        if wanted is None or wanted.left_out != statement.left_out or not _are_alike(statement.words, wanted.words):
            instead = f"instead of {wanted.text}" if wanted is not None else "which no array of this shape has"
            raise ValueError(f"{path}, line {statement.line} was edited, or is damaged: {statement.text} {instead}{_CURE}")
    if missing := [statement for name, statement in due.items() if name not in by_name]:
        raise ValueError(f"{path} was edited, or is damaged: there is no {missing[0].text}{_CURE}")


def _are_alike(words, wanted):
    return len(words) == len(wanted) and all(map(_are_equal, words, wanted))


def _are_equal(word, wanted):
    """Whether two words are one, or numbers of one value or of one conductance."""
    if word == wanted:
        return True
    numbers = number_of(word), number_of(wanted)
    return None not in numbers and (numbers[0] == numbers[1] or 0 not in numbers and
                                    siemens_of(numbers[0]) == siemens_of(numbers[1]))
