"""Elements of one array as lines of a netlist: segments of wires, devices, and the sources of its ends.

Nodes ``w{i}_{j}`` and ``b{i}_{j}`` are those of word line i and bit line j beside device (i, j); ``left{i}``, ``right{i}``,
``top{j}`` and ``bottom{j}`` are connected ends, each held by a source of the same name after a V. Between an end and the
first segment of its line lies ``in_left{i}`` and so on, where something drives or senses through a resistance. Nodes that
nothing lies between are one, with the name of the first. Behind a device that has something in series lies ``m{i}_{j}``.
What no path joins to a connected end stands in comments, "* left out: ...", for the way back. Many arrays in one netlist
have a prefix each.
"""

from decimal import Context, Decimal

import numpy as np

from tiocross.checks import kind_of
from tiocross.circuit.crossbar import spread_segments
from tiocross.circuit.laws import Asymmetric
from tiocross.circuit.solvers.paths import find_unreached

LEFT_OUT = "* left out: "
CURRENTS = {  # of a law, with its parameters, in terms of the conductance g and of the voltage v across a device
    "Sinh": "{g!r}*{0!r}*sinh({v}/{0!r})",
    "Cubic": "{g!r}*{v}*(1+{0!r}*{v}*{v})",
    "Polynomial": "{g!r}*{v}*(1+{v}*({0!r}+{1!r}*{v}))",
    "AbsolutePolynomial": "{v}*({g!r}+{v}*({0!r}+{1!r}*{v}))",
}
ENDS_OF = {"w": ("left", "right", "source"), "b": ("top", "bottom", "sense")}  # ends of lines, and what drives or senses
_DIGITS = Context(prec=25)


def array_lines(crossbar, biasing, dialect, prefix=""):
    """Lines of the passive part: wires and devices. ``biasing``, without a batch, says which ends are connected."""
    n = crossbar.n_bit_lines
    words, bits = lines_of(crossbar, biasing)
    lost = find_unreached(crossbar.equivalent.conductances, *(_met_along(lines) for lines in (words, bits)))
    nodes = [[_joined(line, prefix) for line in lines] for lines in (words, bits)]
    for i, (line, names) in enumerate(zip(words, nodes[0])):
        yield from _segments(line, names, lost[0][i], prefix)
        yield from _devices(crossbar, i, names[2 : n + 2], [each[i + 2] for each in nodes[1]],
                            lost[0][i] | lost[1][i], (dialect, prefix))
    for j, (line, names) in enumerate(zip(bits, nodes[1])):
        yield from _segments(line, names, lost[1][:, j], prefix)


def end_sources(crossbar, biasing, prefix=""):
    """(name, node, voltages [V], own node) of the source of each connected end; the second end of a line of one node has
    None for its node: two sources would be a loop."""
    for lines, roots, fars, root in ((lines_of(crossbar, biasing)[0], "left", "right", 0),
                                     (lines_of(crossbar, biasing)[1], "bottom", "top", -1)):
        for k, line in enumerate(lines):
            names, held = _joined(line, prefix), []
            for end, at in ((roots, root), (fars, -1 - root)):
                volts = getattr(biasing, end)[..., k]
                if not np.isnan(volts).any():
                    is_second = bool(held) and names[0] == names[-1]
                    held.append((f"{prefix}{end}{k}", None if is_second else names[at], volts, names[at]))
            yield from held


def lines_of(crossbar, biasing):
    """`_line` of each word line, from the left, and of each bit line, from the top."""
    (m, n), (words, bits) = crossbar.conductances.shape, spread_segments(crossbar)
    ends = {name: np.isnan(getattr(biasing, name).reshape(-1, size)[0])
            for name, size in (("left", m), ("right", m), ("top", n), ("bottom", n))}
    return ([_line("w", i, [f"w{i}_{j}" for j in range(n)], words[i], float(crossbar.source_resistance[i]),
                   (ends["left"][i], ends["right"][i])) for i in range(m)],
            [_line("b", j, [f"b{i}_{j}" for i in range(m)], bits[:, j], float(crossbar.sense_resistance[j]),
                   (ends["top"][j], ends["bottom"][j])) for j in range(n)])


def _line(letter, k, own, segments, beyond, floats):
    """One line: its nodes, resistances and their labels from end to end, and which ends float."""
    first, last, _ = ENDS_OF[letter]
    nodes = [f"{first}{k}", f"in_{first}{k}", *own, f"in_{last}{k}", f"{last}{k}"]
    return nodes, labels_of(letter, k, own), [beyond, *segments.tolist(), beyond], floats


def labels_of(letter, k, own):
    """What the resistors of a line are called, from end to end, after an R."""
    first, last, kind = ENDS_OF[letter]
    return [f"{kind}_{first}{k}", f"{first}{k}", *own[:-1], f"{last}{k}", f"{kind}_{last}{k}"]


def _met_along(lines):
    """Resistances along lines with what lies beyond their ends, infinite where an end floats [ohm]."""
    found = []
    for _, _, ohms, floats in lines:
        found.append([np.inf if floats[0] else ohms[0] + ohms[1], *ohms[2:-2],
                      np.inf if floats[1] else ohms[-2] + ohms[-1]])
    return np.array(found)


def _joined(line, prefix):
    """Names of the nodes of a line; each of what nothing lies between has the name of the first."""
    nodes, _, ohms, floats = line
    names = [prefix + name for name in nodes]
    for k, resistance in enumerate(ohms):
        if resistance == 0.0 and not (floats[0] and k < 2 or floats[1] and k > len(ohms) - 3):
            names[k + 1] = names[k]
    if names[-1] == names[-2] == prefix + nodes[-2]:
        names[-2:] = [prefix + nodes[-1]] * 2
    return names


def _segments(line, names, lost, prefix):
    """Resistors of one line; those without current, whose value is not that of their neighbour, as comments."""
    _, labels, ohms, floats = line
    last = len(ohms) - 1
    lost = [floats[0], floats[0], *lost.tolist(), floats[1], floats[1]]
    for k, (label, resistance) in enumerate(zip(labels, ohms)):
        text = f"R{prefix}{label} {names[k]} {names[k + 1]} {resistance!r}\n"
        if floats[0] and k < 2 or floats[1] and k > last - 2:
            if resistance != guessed(ohms, floats, k):
                yield LEFT_OUT + text
        elif resistance > 0.0:
            yield LEFT_OUT + text if lost[k] or lost[k + 1] or resistance == np.inf else text


def guessed(ohms, floats, k):
    """Resistance of a segment beyond the nodes of a line whose end floats, from those that are known [ohm]."""
    if k in (0, len(ohms) - 1):
        other = len(ohms) - 1 - k
        return 0.0 if all(floats) else ohms[other]
    inner = 2 if k == 1 else len(ohms) - 3
    is_known = 1 < inner < len(ohms) - 2 or not floats[0 if inner < 2 else 1]
    return ohms[inner] if is_known else 0.0


def _devices(crossbar, i, words, bits, lost, how):
    """Devices of word line i and, between them and the bit lines, what lies in series."""
    (dialect, prefix), shape, series = how, crossbar.conductances.shape, crossbar.series
    kinds = [("d", crossbar.conductances, crossbar.iv)]
    if series is not None:
        kinds += [("s", np.broadcast_to(series.at_rest(), shape), series.iv)]
    rows = [(letter, values[i].tolist(), None if law is None else law.spread(lambda each: np.broadcast_to(each, shape)[i]))
            for letter, values, law in kinds]
    for j, (p, q) in enumerate(zip(words, bits)):
        there = [(letter, values[j], law) for letter, values, law in rows if values[j] < np.inf]
        is_open = any(g == 0.0 for _, g, _ in there)
        if is_open and (series is not None or crossbar.iv is None):
            continue
        nodes = [p, f"{prefix}m{i}_{j}", q] if len(there) > 1 else [p, q]
        for (letter, g, law), first, second in zip(there, nodes, nodes[1:]):
            text = _device(f"{prefix}{letter}{i}_{j} {first} {second}", g, law, j, dialect)
            yield LEFT_OUT + text if lost[j] or is_open else text


def _device(name, g, law, j, dialect):
    if law is None:
        return f"R{name} {ohms_of(g)}\n"
    first, second = name.split()[1:]
    return f"B{name} i={dialect.of(_current(law, g, j, f'v({first},{second})', dialect))}\n"


def _current(law, g, j, volts, dialect):
    """Current of device j of a row, in terms of the voltage across it."""
    if law is None:
        return f"{g!r}*{volts}"
    if isinstance(law, Asymmetric):
        return dialect.choose(f"{volts}>0", *(_current(side, g, j, volts, dialect) for side in (law.forward, law.reverse)))
    values = (float(each[j]) for each in law.parameters)
    return CURRENTS[type(law).__name__].format(*values, g=g, v=volts)


def ohms_of(g):
    """Resistance of a conductance above zero, with the digits from which `siemens_of` finds it again."""
    short = repr(1.0 / g)
    return short if siemens_of(short) == g else str(_DIGITS.divide(Decimal(1), Decimal(g)))


def siemens_of(ohms):
    """Conductance of a resistance above zero, a Decimal or a text of one [S]."""
    return float(_DIGITS.divide(Decimal(1), Decimal(ohms)))


def require_expressions(crossbar):
    """Raise ValueError if there is no formula for a law of the crossbar's devices."""
    for law in (crossbar.iv, None if crossbar.series is None else crossbar.series.iv):
        for each in (law.forward, law.reverse) if isinstance(law, Asymmetric) else (law,):
            if each is not None and type(each).__name__ not in CURRENTS:
                raise ValueError(f"devices with {kind_of(each)} law cannot be written; those with Ohm's law, "
                                 f"{', '.join(CURRENTS)} or an Asymmetric of these can")
