"""One crossbar as a netlist: an independent look at the same equations."""

import numpy as np

from tiocross.circuit.biasing import Biasing, as_biasing, join_ends
from tiocross.circuit.crossbar import require_crossbar
from tiocross.circuit.netlists.elements import LEFT_OUT, array_lines, end_sources, require_expressions
from tiocross.circuit.solvers.checks import require_consistent
from tiocross.circuit.solvers.prepared import prepare
from tiocross.storage import replacing

ENDS = ("left", "right", "top", "bottom")
TITLE = "* tiocross, {0}: {1} x {2} devices; currents out of the bottom ends are i(vbottom0) to i(vbottom{3})\n"


def write_circuit(crossbar, inputs, path, dialect):
    """Write one crossbar with its inputs, or its Biasing, many or one, as a `Dialect` wants it."""
    require_crossbar(crossbar)
    biasing = as_biasing(crossbar, inputs)
    require_writable(crossbar, biasing)
    write_lines(path, deck(crossbar, biasing, dialect))


def write_lines(path, lines):
    """Write a text, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "w", encoding="ascii", newline="\n") as file:
        file.writelines(lines)


def require_writable(crossbar, biasing):
    """Raise ValueError unless this can be one netlist."""
    if crossbar.conductances.ndim > 2:
        raise ValueError(f"a netlist is of one array; got conductances of shape {crossbar.conductances.shape}: write one "
                         "after the other")
    if 0 in biasing.batch:
        raise ValueError(f"a netlist needs one input or more; got a batch of shape {biasing.batch}")
    flat = _flat(biasing)
    for name in ENDS:
        floats = np.isnan(getattr(flat, name))
        if (differs := floats != floats[0]).any():
            raise ValueError(f"an end must float for all inputs of a netlist or for none; {name} end "
                             f"{int(differs.any(axis=0).argmax())} does for some: write these apart")
    require_consistent(prepare(crossbar.equivalent), join_ends(flat, (1, len(flat.left))))
    require_expressions(crossbar)


def deck(crossbar, biasing, dialect):
    """Pieces of the text."""
    n, flat = crossbar.n_bit_lines, _flat(biasing)
    yield TITLE.format(dialect.name, crossbar.n_word_lines, n, n - 1)
    yield from array_lines(crossbar, flat, dialect)
    for name, node, volts, own in end_sources(crossbar, flat):
        if node is None:
            yield f"{LEFT_OUT}V{name} {own} 0\n"
        else:
            yield dialect.source(name, node, volts.tolist())
    shown = [f"i(vbottom{j})" for j in range(n) if not np.isnan(flat.bottom[0, j])]
    yield dialect.ending(len(flat.left) if biasing.batch else None, shown)


def _flat(biasing):
    """The same with (n_inputs, n) voltages at all ends."""
    ends = {name: getattr(biasing, name) for name in ENDS}
    return Biasing(**{name: np.broadcast_to(end, (*biasing.batch, end.shape[-1])).reshape(-1, end.shape[-1])
                      for name, end in ends.items()})
