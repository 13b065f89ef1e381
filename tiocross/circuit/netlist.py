"""A solved circuit as a netlist for SPICE programs: an independent look at the same equations.

Nodes ``w{i}_{j}`` and ``b{i}_{j}`` are those of word line i and bit line j beside device (i, j); ``left{i}``, ``right{i}``,
``top{j}`` and ``bottom{j}`` are connected ends, each held by a source of the same name after a V. Nodes that a segment
without resistance joins are one, with the name of the first. Behind a device that has something in series lies
``m{i}_{j}``. What no path joins to a connected end is left out.
"""

from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import kind_of
from tiocross.circuit.biasing import Biasing, as_biasing, join_ends
from tiocross.circuit.crossbar import Crossbar, require_crossbar, spread_segments
from tiocross.circuit.laws import Asymmetric
from tiocross.circuit.solvers.checks import require_consistent
from tiocross.circuit.solvers.paths import find_unreached
from tiocross.circuit.solvers.prepared import prepare
from tiocross.storage import replacing

_CURRENTS = {  # of a law, with its parameters, in terms of the conductance g and of the voltage v across a device
    "Sinh": "{g!r}*{0!r}*sinh({v}/{0!r})",
    "Cubic": "{g!r}*{v}*(1+{0!r}*{v}*{v})",
    "Polynomial": "{g!r}*{v}*(1+{v}*({0!r}+{1!r}*{v}))",
    "AbsolutePolynomial": "{v}*({g!r}+{v}*({0!r}+{1!r}*{v}))",
}
_OPTIONS = ".options reltol=1e-12 vntol=1e-15 abstol=1e-18 itl1=1000\n"


def write_netlist(crossbar: Crossbar, inputs: ArrayLike | Biasing, path: str | PathLike) -> None:
    """Write one circuit as a netlist that ngspice solves: every wire segment, every device, every source.

    Parameters
    ----------
    crossbar : Crossbar
        One array.
    inputs : (n_word_lines,) array_like, or Biasing
        As for `solve`, without a batch [V].
    path : str or Path
        The file to write. It appears whole or not at all.

    Raises
    ------
    ValueError
        If there are many circuits, the devices' law has no expression in SPICE, or as for `solve`.

    Notes
    -----
    ``ngspice -b -r found.raw circuit.cir`` writes node voltages and currents of the sources to ``found.raw``, in double
    precision. ``i(vbottom0)`` is the current out of bit line 0, as in ``bit_line_currents``, ``i(vleft0)`` out of the left
    end of word line 0. Devices beyond Ohm's law are B sources. The tolerances asked for are those of double precision.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tiocross import Crossbar, write_netlist
    >>> crossbar = Crossbar([[1e-4, 0.0], [3e-4, 4e-4]], wire_resistance=2.0, sense_resistance=10.0)
    >>> path = pathlib.Path(tempfile.mkdtemp(), "circuit.cir")
    >>> write_netlist(crossbar, [0.2, 0.1], path)
    >>> print(path.read_text())  # doctest: +ELLIPSIS
    * tiocross: 2 x 2 devices; currents out of the bottom ends are i(vbottom0) to i(vbottom1)
    Rleft0 left0 w0_0 2.0
    Rw0_0 w0_0 w0_1 2.0
    Vleft0 left0 0 0.2
    Rd0_0 w0_0 b0_0 10000.0
    ...
    Rbottom1 b1_1 bottom1 12.0
    Vbottom1 bottom1 0 0.0
    .options reltol=1e-12 vntol=1e-15 abstol=1e-18 itl1=1000
    .op
    .end
    <BLANKLINE>
    """
    require_crossbar(crossbar)
    biasing = as_biasing(crossbar, inputs)
    if crossbar.conductances.ndim > 2 or biasing.batch:
        raise ValueError(f"a netlist is of one circuit; got conductances of shape {crossbar.conductances.shape} and inputs "
                         f"with leading axes {biasing.batch}: write one after the other")
    require_consistent(prepare(crossbar.equivalent), join_ends(biasing, (1, 1)))
    for law in (crossbar.iv, None if crossbar.series is None else crossbar.series.iv):
        _require_expressions(law)
    with replacing(path) as temporary, open(temporary, "w", encoding="ascii") as file:
        file.writelines(_deck(crossbar, biasing))


def _deck(crossbar, biasing):
    """Pieces of the text."""
    m, n = crossbar.n_word_lines, crossbar.n_bit_lines
    along_words, along_bits = (_with_ends(*each) for each in zip(
        (wires.T if side else wires for side, wires in enumerate(spread_segments(crossbar))),
        (crossbar.source_resistance, crossbar.sense_resistance), (biasing.left, biasing.top),
        (biasing.right, biasing.bottom)))
    unreached = find_unreached(crossbar.equivalent.conductances, along_words, along_bits)
    words = [_names(resistances, f"left{i}", f"right{i}", [f"w{i}_{j}" for j in range(n)], lost)
             for i, (resistances, lost) in enumerate(zip(along_words, unreached[0]))]
    bits = [_names(resistances, f"top{j}", f"bottom{j}", [f"b{i}_{j}" for i in range(m)], lost)
            for j, (resistances, lost) in enumerate(zip(along_bits, unreached[1].T))]
    yield f"* tiocross: {m} x {n} devices; currents out of the bottom ends are i(vbottom0) to i(vbottom{n - 1})\n"
    for i, names in enumerate(words):
        yield from _segments(names, along_words[i], [f"left{i}", *(f"w{i}_{j}" for j in range(n - 1)), f"right{i}"])
        yield from _sources((f"left{i}", names[0], biasing.left[i]), (f"right{i}", names[-1], biasing.right[i]))
        yield from _devices(crossbar, i, names[1:-1], [each[i + 1] for each in bits])
    for j, names in enumerate(bits):
        yield from _segments(names, along_bits[j], [f"top{j}", *(f"b{i}_{j}" for i in range(m - 1)), f"bottom{j}"])
        yield from _sources((f"bottom{j}", names[-1], biasing.bottom[j]), (f"top{j}", names[0], biasing.top[j]))
    yield _OPTIONS + ".op\n.end\n"


def _with_ends(wires, beyond, first, last):
    """Resistances along each line with what lies beyond its ends, infinite where an end floats [ohm]."""
    along = wires.copy()
    along[:, 0] = np.where(np.isnan(first), np.inf, along[:, 0] + beyond)
    along[:, -1] = np.where(np.isnan(last), np.inf, along[:, -1] + beyond)
    return along


def _names(resistances, first, last, own, lost):
    """Names of the ends and nodes of a line, None for those that are left out; each of what no resistance lies between has
    the name of the first."""
    names = [first, *(None if out else name for name, out in zip(own, lost)), last]
    for k, resistance in enumerate(resistances):
        if resistance == 0.0:
            names[k + 1] = names[k]
    return names


def _segments(names, resistances, labels):
    """Resistors between the named nodes of one line."""
    for k, (label, resistance) in enumerate(zip(labels, resistances.tolist())):
        if 0.0 < resistance < np.inf and None not in names[k : k + 2]:
            yield f"R{label} {names[k]} {names[k + 1]} {resistance!r}\n"


def _sources(root, far):
    """Those of the ends of one line: (label, node, volts). A line of one node has one, for two would be a loop."""
    for label, node, volts in (root, far) if root[1] != far[1] or np.isnan(root[2]) else (root,):
        if not np.isnan(volts):
            yield f"V{label} {node} 0 {float(volts)!r}\n"


def _devices(crossbar, i, words, bits):
    """Devices of word line i and, between them and the bit lines, what lies in series."""
    shape, series = crossbar.conductances.shape, crossbar.series
    kinds = [("d", crossbar.conductances, crossbar.iv)]
    if series is not None:
        kinds += [("s", np.broadcast_to(series.at_rest(), shape), series.iv)]
    rows = [(letter, values[i].tolist(), None if law is None else law.spread(lambda each: np.broadcast_to(each, shape)[i]))
            for letter, values, law in kinds]
    for j, (p, q) in enumerate(zip(words, bits)):
        there = [(letter, values[j], law) for letter, values, law in rows if values[j] < np.inf]
        if p is not None and q is not None and all(g > 0.0 for _, g, _ in there):
            nodes = [p, f"m{i}_{j}", q] if len(there) > 1 else [p, q]
            for (letter, g, law), first, second in zip(there, nodes, nodes[1:]):
                yield _device(f"{letter}{i}_{j} {first} {second}", g, law, j, f"v({first},{second})")


def _device(name, g, law, j, volts):
    if law is None:
        return f"R{name} {1.0 / g!r}\n"
    return f"B{name} i={_current(law, g, j, volts)}\n"


def _current(law, g, j, volts):
    """Current of device j of a row, in terms of the voltage across it."""
    if law is None:
        return f"{g!r}*{volts}"
    if isinstance(law, Asymmetric):
        forward, reverse = (_current(side, g, j, volts) for side in (law.forward, law.reverse))
        return f"(({volts}>0)?({forward}):({reverse}))"
    values = (float(each[j]) for each in law.parameters)
    return _CURRENTS[type(law).__name__].format(*values, g=g, v=volts)


def _require_expressions(law):
    """Raise ValueError if there is no expression for the law."""
    for each in (law.forward, law.reverse) if isinstance(law, Asymmetric) else (law,):
        if each is not None and type(each).__name__ not in _CURRENTS:
            raise ValueError(f"devices with {kind_of(each)} law cannot be written; those with Ohm's law, "
                             f"{', '.join(_CURRENTS)} or an Asymmetric of these can")
