"""A solved circuit as a netlist for SPICE programs: an independent look at the same equations.

Nodes ``w{i}_{j}`` and ``b{i}_{j}`` are those of word line i and bit line j beside device (i, j); ``left{i}``, ``right{i}``,
``top{j}`` and ``bottom{j}`` are connected ends, each held by a source of the same name after a V. Nodes that a segment
without resistance joins are one, with the name of the first. What no path joins to a connected end is left out.
"""

from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from tiocross.circuit.biasing import Biasing, as_biasing, join_ends
from tiocross.circuit.crossbar import Crossbar, require_crossbar, spread_segments
from tiocross.circuit.solvers.checks import require_consistent
from tiocross.circuit.solvers.paths import find_unreached
from tiocross.circuit.solvers.prepared import prepare
from tiocross.storage import replacing

_CURRENTS = {  # of a law, with its parameters, in terms of the conductance g and of the voltage v(p,q) across a device
    "Sinh": "{g!r}*{0!r}*sinh(v({p},{q})/{0!r})",
    "Cubic": "{g!r}*v({p},{q})*(1+{0!r}*v({p},{q})*v({p},{q}))",
    "Polynomial": "{g!r}*v({p},{q})*(1+v({p},{q})*({0!r}+{1!r}*v({p},{q})))",
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
    require_consistent(prepare(crossbar), join_ends(biasing, (1, 1)))
    law = crossbar.iv
    if law is not None and type(law).__name__ not in _CURRENTS:
        raise ValueError(f"devices with a {type(law).__name__} law cannot be written; those with {', '.join(_CURRENTS)} or "
                         "Ohm's law can")
    with replacing(path) as temporary, open(temporary, "w", encoding="ascii") as file:
        file.writelines(_deck(crossbar, biasing))


def _deck(crossbar, biasing):
    """Pieces of the text."""
    m, n = crossbar.n_word_lines, crossbar.n_bit_lines
    along_words, along_bits = (_with_ends(*each) for each in zip(
        (wires.T if side else wires for side, wires in enumerate(spread_segments(crossbar))),
        (crossbar.source_resistance, crossbar.sense_resistance), (biasing.left, biasing.top),
        (biasing.right, biasing.bottom)))
    unreached = find_unreached(crossbar.conductances, along_words, along_bits)
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
    """Devices of word line i."""
    conductances, law = crossbar.conductances[i].tolist(), crossbar.iv
    parameters = [] if law is None else [np.broadcast_to(values, crossbar.conductances.shape)[i].tolist()
                                         for values in law.parameters]
    for j, (g, p, q) in enumerate(zip(conductances, words, bits)):
        if g > 0.0 and p is not None and q is not None:
            if law is None:
                yield f"Rd{i}_{j} {p} {q} {1.0 / g!r}\n"
            else:
                current = _CURRENTS[type(law).__name__].format(*(values[j] for values in parameters), g=g, p=p, q=q)
                yield f"Bd{i}_{j} {p} {q} i={current}\n"
