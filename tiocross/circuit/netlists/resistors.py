"""The passive circuit of a netlist: resistors between nodes, and nodes that voltage sources or ground hold."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from tiocross.circuit.netlists.statements import GROUND, node_of, number_of
from tiocross.checks import short_repr

_PARTS = {"i": "a current source", "c": "a capacitor", "l": "an inductor", "d": "a diode", "x": "a subcircuit",
          "b": "a formula", "e": "an amplifier", "f": "an amplifier", "g": "an amplifier", "h": "an amplifier",
          "m": "a transistor", "q": "a transistor", "j": "a transistor", "s": "a switch"}


class Resistor(NamedTuple):
    """One resistor: line of the file, name, nodes, and its resistance, as a text [ohm]."""

    line: int
    name: str
    nodes: tuple[str, str]
    ohms: str


@dataclass(frozen=True)
class Resistors:
    """``resistors`` above 0 ohm, and ``held``, the voltage of each node that is held [V]."""

    resistors: tuple[Resistor, ...]
    held: dict


def circuit_of(path, statements):
    """`Resistors` of a netlist; ValueError at the first line that is neither a resistor nor a voltage source."""
    resistors, sources, joined, names = [], [], {}, {}
    for statement in statements:
        kind, words = statement.words[0][0], statement.words
        if names.setdefault(words[0], statement) is not statement:
            raise ValueError(f"{path}, line {statement.line}: a second {words[0]}, beside that of line "
                             f"{names[words[0]].line}; give every element a name of its own")
        if kind not in "rv":
            what = _PARTS.get(kind, "an element of another kind")
            raise ValueError(f"{path}, line {statement.line}: {statement.text} is {what}; a crossbar is read from resistors "
                             "and constant voltage sources alone: take it out, or put a resistor in its place")
        if len(words) < 3:
            raise ValueError(f"{path}, line {statement.line}: {statement.text} lacks a node; an element has a name, two "
                             "nodes and a value")
        nodes = node_of(words[1]), node_of(words[2])
        value = _ohms(path, statement) if kind == "r" else _volts(path, statement)
        if value == 0 and (kind == "r" or GROUND not in nodes):
            _join(joined, *nodes)
        elif kind == "r":
            resistors.append(Resistor(statement.line, words[0], nodes, str(value)))
        else:
            sources.append((statement, nodes, float(value)))
    resistors = [each._replace(nodes=tuple(_root(joined, node) for node in each.nodes)) for each in resistors]
    _require_apart(path, resistors)
    return Resistors(tuple(resistors), _held(path, sources, joined))


def _ohms(path, statement):
    words = statement.words
    text = re.sub(r"^r\s*=\s*", "", " ".join(words[3:])).strip("{}' ")
    value = number_of(text)
    if value is None or value < 0:
        raise ValueError(f"{path}, line {statement.line}: {statement.text} has no resistance that can be read; a resistor "
                         "has a name, two nodes and a number of ohms of at least zero, such as R1 a b 2.5k")
    return value


def _volts(path, statement):
    text = re.sub(r"^dc\b\s*=?\s*", "", " ".join(statement.words[3:])).strip("{}' ") or "0"
    value = number_of(text)
    if value is None:
        raise ValueError(f"{path}, line {statement.line}: {statement.text} is no constant voltage; a source has a name, two "
                         "nodes and a number of volts, such as V1 a 0 0.2")
    return value


def _held(path, sources, joined):
    """Voltage of each node that is held [V]."""
    held = {_root(joined, GROUND): 0.0}
    for statement, (plus, minus), volts in sources:
        if GROUND not in (plus, minus):
            raise ValueError(f"{path}, line {statement.line}: {statement.text} lies between two nodes; the ends of lines "
                             "are held against ground, node 0")
        node, value = (_root(joined, plus), volts) if minus == GROUND else (_root(joined, minus), -volts)
        if held.setdefault(node, value) != value:
            raise ValueError(f"{path}, line {statement.line}: {statement.text} holds a node that is held at "
                             f"{held[node]:g} V already")
    return held


def _require_apart(path, resistors):
    """Raise ValueError where a resistor is shorted or lies beside another one."""
    seen = {}
    for each in resistors:
        if each.nodes[0] == each.nodes[1]:
            raise ValueError(f"{path}, line {each.line}: both ends of {each.name} are one node, "
                             f"{short_repr(each.nodes[0])}; take it out")
        if (first := seen.setdefault(frozenset(each.nodes), each)) is not each:
            raise ValueError(f"{path}, line {each.line}: {each.name} lies beside {first.name} of line {first.line}, between "
                             f"{' and '.join(map(short_repr, each.nodes))}; give every bit line a source of its own, or put "
                             "both resistors together")


def _join(joined, first, second):
    first, second = _root(joined, first), _root(joined, second)
    if first != second:
        joined[max(first, second)] = min(first, second)  # ground before all names


def _root(joined, node):
    while node in joined:
        node = joined[node]
    return node
