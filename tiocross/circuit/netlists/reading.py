"""Netlists read: those that tiocross wrote, and those of resistors on a grid."""

from os import PathLike

from tiocross.circuit.biasing import Biasing
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.netlists.grids import read_grid
from tiocross.circuit.netlists.own import read_own, require_array, title_of
from tiocross.circuit.netlists.resistors import circuit_of
from tiocross.circuit.netlists.statements import read_text, statements_of


def read_netlist(path: str | PathLike) -> tuple[Crossbar, Biasing]:
    """The crossbar in a netlist, and how its ends are held: of one that tiocross wrote, or of any resistors on a grid.

    Parameters
    ----------
    path : str or Path
        A netlist of one array that `write_netlist` wrote, in any dialect. Or one of resistors and constant voltage sources
        against ground, of any names, in the SPICE of any program, without subcircuits and parameters.

    Returns
    -------
    crossbar : Crossbar
        The array.
    biasing : Biasing
        For `solve`: the voltages of the sources, NaN where an end floats; one entry for each input of a sweep in a netlist
        of `write_netlist`.

    Raises
    ------
    ValueError
        If the file is neither; it names the line and what to do.

    Notes
    -----
    A netlist of tiocross gives the same crossbar and voltages bit for bit: what was left out of the circuit stands in its
    comments. Leading axes of a batch come back as one, selected devices are not named, and what lies in series with the
    devices comes back as a `Selector` of the same conductances, open devices where a gate was off.

    Other resistors are sorted into wires and devices: by a gap between their values of at least a factor of 2, the
    largest that gives a grid; else by the beginnings of their names; else, where every node is held or no gap is a
    factor of 10, all are devices on lines without resistance. Wires must form lines without branches. Each device joins
    two lines, and all lines of one kind meet those of the other in one order. Word lines are those whose ends have the
    largest voltages, driven at the left, or those named first where that does not tell; bit lines end at the bottom.
    Where a line has one resistor more at its held end than it needs, that is what drives or senses. Sources of 0 V and
    resistors of 0 ohm between two nodes make them one. Of analyses nothing is read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tiocross import read_netlist, solve
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "drawn.cir")
    ...     _ = path.write_text("by hand\\nV1 in 0 200m\\nRw1 in a 10\\nRw2 a b 10\\nRx a p 5k\\nRy b q 2.5k\\n"
    ...                         "Rb1 p 0 10\\nRb2 q 0 10\\n.end\\n")
    ...     crossbar, biasing = read_netlist(path)
    >>> crossbar
    <Crossbar: 1 x 2 devices, 200 to 400 uS, wires 10 ohm>
    >>> (solve(crossbar, biasing).bit_line_currents * 1e6).round(2).tolist()  # [uA]
    [39.68, 78.89]
    """
    text = read_text(path)
    require_array(path, text)
    title = title_of(text)
    if title is not None:
        return read_own(path, text, *title)
    statements = [statement for statement in statements_of(path, text) if not statement.left_out]
    return read_grid(path, circuit_of(path, statements))
