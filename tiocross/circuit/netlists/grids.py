"""Resistors on a grid, whatever their names, as a crossbar.

Resistors are sorted into wires and devices: by a gap between their values, else by their names; else, if there is no wide
gap, all are devices. Wires must then form lines without branches, and devices must join lines of two kinds, each pair at
most once, in one order along all of them. Word lines are those whose ends have the largest voltages, driven at the left; bit
lines end at the bottom.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from tiocross.circuit.biasing import Biasing
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.netlists.elements import siemens_of
from tiocross.circuit.netlists.orders import common_order
from tiocross.circuit.netlists.segments import segments_of

_MOST_GAPS, _LEAST_RATIO, _MOST_NAMES = 8, 2.0, 8
_SURE_RATIO = 10.0  # a gap of wires and devices: then lines are not taken for ideal, as any that close no odd ring could be


class NotAGrid(ValueError):
    """Why resistors, with some of them taken for devices, form no crossbar."""


@dataclass
class Line:
    """A line: its nodes from end to end, resistances between them [ohm], voltages of both ends, NaN where one floats [V],
    its place in the file and, by node, the devices there: pairs of resistor and number of the other line."""

    nodes: list
    ohms: list
    volts: list
    place: int
    devices: dict = field(default_factory=lambda: defaultdict(list))

    @property
    def met(self):
        """Numbers of the lines that it meets, node by node, from end to end."""
        return [[other for _, other in self.devices[node]] for node in self.nodes if node in self.devices]

    def turn(self):
        """Exchange its ends."""
        for values in (self.nodes, self.ohms, self.volts):
            values.reverse()


def read_grid(path, circuit):
    """Crossbar and Biasing of a `Resistors`; ValueError with the reason if they form no grid."""
    reasons = []
    if not circuit.resistors:
        raise ValueError(f"{path} is no grid that a crossbar could be: it has no resistors")
    for what, devices in _sortings(circuit):
        try:
            return _crossbar(circuit, devices)
        except NotAGrid as error:
            reasons.append(f"{error}{what}")
    raise ValueError(f"{path} is no grid that a crossbar could be: {reasons[0]}. Word lines and bit lines are chains of "
                     "resistors smaller than those of the devices, or single nodes; each device joins one word line and one "
                     "bit line; ends are held by voltage sources against ground")


def _sortings(circuit):
    """(what it is for people, names of the devices) for each way to sort the resistors, the likeliest first."""
    ohms = {each.name: float(each.ohms) for each in circuit.resistors}
    everything = ("", set(ohms))
    nodes = {node for each in circuit.resistors for node in each.nodes}
    if nodes <= set(circuit.held):
        yield everything  # every node is an end: there are no wires
    values = sorted(set(ohms.values()))
    gaps = sorted(((high / low, low, high) for low, high in zip(values, values[1:])), reverse=True)
    for ratio, low, high in gaps[:_MOST_GAPS]:
        if ratio >= _LEAST_RATIO:
            yield (f" (with resistors up to {low:g} ohm as wires, from {high:g} ohm as devices)",
                   {name for name, value in ohms.items() if value >= high})
    beginnings = {name: re.match("r[a-z_]*", name)[0] for name in ohms}
    if 1 < len(set(beginnings.values())) <= _MOST_NAMES:
        for beginning in dict.fromkeys(beginnings.values()):
            yield (f" (with those named {beginning}... as devices)",
                   {name for name, own in beginnings.items() if own == beginning})
    if not gaps or gaps[0][0] < _SURE_RATIO:
        yield everything


def _crossbar(circuit, devices):
    lines, of_node = _lines(circuit, devices)
    for each in circuit.resistors:
        if each.name in devices:
            _add_device(each, lines, of_node)
    if bare := [line for line in lines if not line.devices]:
        raise NotAGrid(f"no device joins the line of {_some(bare[0].nodes)} to another")
    words, bits = _two_kinds(lines)
    bits, words = _orient(lines, words, 0), _orient(lines, bits, -1)
    rows, columns = ({number: k for k, number in enumerate(kind)} for kind in (words, bits))
    conductances = np.zeros((len(words), len(bits)))
    for number, i in rows.items():
        for each, other in (pair for pairs in lines[number].devices.values() for pair in pairs):
            conductances[i, columns[other]] = siemens_of(each.ohms)
    of_words, of_bits = ([segments_of(lines[number], places) for number in kind]
                         for kind, places in ((words, columns), (bits, rows)))
    crossbar = Crossbar(conductances, None, np.array([each.segments for each in of_words]),
                        np.array([each.segments for each in of_bits]).T, [each.beyond for each in of_words],
                        [each.beyond for each in of_bits])
    volts = [np.array([lines[number].volts for number in kind]).T for kind in (words, bits)]
    return crossbar, Biasing(*volts[0], *volts[1])


def _lines(circuit, devices):
    """Lines that the wires form, each without a branch, and by node the number of its line."""
    wires, at_devices, place = defaultdict(list), set(), {}
    for k, each in enumerate(circuit.resistors):
        ends = list(each.nodes)
        for node in ends:
            place.setdefault(node, k)
        if each.name in devices:
            at_devices.update(ends)
    for k, each in enumerate(circuit.resistors):
        if each.name not in devices:
            first, second = (node if node not in circuit.held or node in at_devices else (node, k) for node in each.nodes)
            wires[first].append((each, second))
            wires[second].append((each, first))
    lines, of_node = [], {}
    nodes = [node for node in place if node in at_devices or node not in circuit.held]
    for start in [*nodes, *wires]:
        if start not in of_node and (len(wires[start]) < 2):
            line = _follow(start, wires, circuit, place)
            lines.append(line)
            of_node.update(dict.fromkeys(line.nodes, len(lines) - 1))
    if left := [node for node in wires if node not in of_node]:
        raise NotAGrid(f"the wires at {_some(left)} form a ring")
    return lines, of_node


def _follow(start, wires, circuit, place):
    """The line that begins at a node."""
    nodes, ohms, before = [start], [], None
    while ways := [(each, other) for each, other in wires[nodes[-1]] if each is not before]:
        if len(wires[nodes[-1]]) > 2:
            names = ", ".join(f"{each.name} (line {each.line})" for each, _ in wires[nodes[-1]][:3])
            raise NotAGrid(f"wires branch at {_some(nodes[-1:])}: {names}")
        before, following = ways[0]
        nodes.append(following)
        ohms.append(float(before.ohms))
    held = [circuit.held.get(_name(node), np.nan) for node in nodes]
    if inner := [node for node, volts in zip(nodes[1:-1], held[1:-1]) if not np.isnan(volts)]:
        raise NotAGrid(f"the line of {_some(nodes)} is held in its middle, at {_some(inner)}; lines are held at their ends")
    volts = [held[0], held[-1]] if len(nodes) > 1 else [held[0], np.nan]
    return Line(nodes, ohms, volts, min(place[_name(node)] for node in nodes))


def _add_device(each, lines, of_node):
    if float(each.ohms) < 1.0:
        raise NotAGrid(f"line {each.line}: {each.name} has less than 1 ohm, which no device has")
    first, second = (of_node[node] for node in each.nodes)
    if first == second:
        raise NotAGrid(f"line {each.line}: {each.name} joins a line with itself")
    for own, other, node in ((first, second, each.nodes[0]), (second, first, each.nodes[1])):
        if any(other == known for pairs in lines[own].devices.values() for _, known in pairs):
            raise NotAGrid(f"line {each.line}: {each.name} is a second device between the same two lines")
        lines[own].devices[node].append((each, other))


def _two_kinds(lines):
    """Numbers of the word lines and of the bit lines."""
    kind, words, bits = {}, [], []
    for start in range(len(lines)):
        if start in kind:
            continue
        group, kind[start] = [start], 0
        for number in group:  # which grows
            for other in (other for others in lines[number].met for other in others):
                if other not in kind:
                    kind[other] = 1 - kind[number]
                    group.append(other)
                elif kind[other] == kind[number]:
                    raise NotAGrid(f"a device joins the lines of {_some(lines[number].nodes)} and of "
                                   f"{_some(lines[other].nodes)}, but others say that both are word lines or both bit lines")
        sides = [[number for number in group if kind[number] == side] for side in (0, 1)]
        sides.sort(key=lambda side: (-max(np.nan_to_num(np.abs(lines[n].volts)).max() for n in side),
                                     min(lines[n].place for n in side)))
        words += sides[0]
        bits += sides[1]
    return words, bits


def _orient(lines, own, held_end):
    """Turn lines such that all meet the others in one order, and give these in it. A line with one held end decides first:
    that becomes its ``held_end``, 0 or -1."""
    met, position = [], {}
    for number in sorted(own, key=lambda n: (np.isnan(lines[n].volts).sum() != 1, -len(lines[n].met), lines[n].place)):
        line, held = lines[number], ~np.isnan(lines[number].volts)
        places = [[position[other] for other in others if other in position] for others in line.met]
        places = [np.mean(each) for each in places if each]
        rise = np.sign(np.diff(places)).sum()
        if rise < 0 or rise == 0 and held.sum() == 1 and not held[held_end]:
            line.turn()
        met.append(line.met)
        order = common_order(met, {other: lines[other].place for others in line.met for other in others} | {
            other: lines[other].place for other in position})
        if order is None:
            raise NotAGrid(f"the line of {_some(line.nodes)} meets others in an order that contradicts those before it")
        position = {other: k for k, other in enumerate(order)}
    return list(position)


def _name(node):
    """Of a node, or of an end that several lines share."""
    return node if isinstance(node, str) else node[0]


def _some(nodes):
    """The first nodes of a line, for people."""
    names = [repr(_name(node)) for node in nodes]
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
