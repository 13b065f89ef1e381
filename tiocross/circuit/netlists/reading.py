"""Netlists read: those that tiocross wrote, and those of resistors on a grid."""

from os import PathLike

from tiocross.circuit.biasing import Biasing
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.netlists.grids import read_grid
from tiocross.circuit.netlists.own import read_own, title_of
from tiocross.circuit.netlists.resistors import circuit_of
from tiocross.circuit.netlists.statements import read_text, statements_of


def read_netlist(path: str | PathLike) -> tuple[Crossbar, Biasing]:
    """x"""
    text = read_text(path)
    title = title_of(text)
    if title is not None:
        return read_own(path, text, *title)
    statements = [statement for statement in statements_of(path, text) if not statement.left_out]
    return read_grid(path, circuit_of(path, statements))
