"""``tiocross solve``: the currents of one crossbar, beside those with ideal wires."""

import math
from dataclasses import fields

import numpy as np

from tiocross.circuit.crossbar import LARGEST_RESISTANCE, Crossbar
from tiocross.circuit.laws import FORMULAS
from tiocross.circuit.solver import require_rtol, solve
from tiocross.commands.arguments import as_float
from tiocross.commands.destinations import require_no_input
from tiocross.commands.progress import ProgressLine
from tiocross.storage import require_writable_file, save_text
from tiocross.checks import as_number, nearest_name
from tiocross.lab.tables import read_conductance_csv, read_voltage_csv
from tiocross.units import uA

_LAWS = {law.__name__.lower(): law for law in FORMULAS}
_RESISTANCES = ("wire_resistance", "word_line_resistance", "bit_line_resistance", "source_resistance", "sense_resistance")
_MOST_LINES = 60  # of the table on the screen


def prepare(arguments):
    """The solution that the command line asks for, ready to be called."""
    law = as_law(arguments.iv)
    try:
        require_rtol(arguments.rtol)
    except ValueError as error:
        raise ValueError(f"--{error}") from None
    for name in _RESISTANCES:
        value = getattr(arguments, name)
        if value is not None:
            as_number(f"--{name.replace('_', '-')}", value, low=0.0, high=LARGEST_RESISTANCE, unit="ohm")
    conductances = read_conductance_csv(arguments.conductances)
    crossbar = Crossbar(conductances, arguments.wire_resistance, word_line_resistance=arguments.word_line_resistance,
                        bit_line_resistance=arguments.bit_line_resistance, source_resistance=arguments.source_resistance,
                        sense_resistance=arguments.sense_resistance, iv=law)
    voltages = read_voltage_csv(arguments.voltages)
    m, n = conductances.shape
    if voltages.shape[1] != m:
        turned = "; transposed?" if m in (n, len(voltages)) or voltages.shape[1] == n else ""
        raise ValueError(f"{arguments.voltages} has {voltages.shape[1]} columns, but {arguments.conductances} has {m} "
                         f"lines: one voltage for each word line{turned}")
    if arguments.out is not None:
        require_writable_file(arguments.out)
        require_no_input(arguments.out, arguments.conductances, arguments.voltages)
    return lambda: _solve(crossbar, voltages, arguments.rtol, arguments.out)


def as_law(text):
    """The law that ``--iv`` names, None for Ohm's; ValueError if it is none."""
    if text is None:
        return None
    name, _, numbers = text.partition(":")
    if name not in _LAWS:
        raise ValueError(f"--iv {text!r}: unknown law {name!r}; {nearest_name(name, _LAWS)}")
    try:
        values = [as_float(number) for number in numbers.split(",")]
    except ValueError:
        values = []
    if len(values) != len(fields(_LAWS[name])) or not all(map(math.isfinite, values)):
        raise ValueError(f"--iv {text!r} must be a law and its parameter, such as sinh:0.37 (volt), cubic:1.5 (1/V^2) or "
                         "polynomial:0.5,1.0 (1/V and 1/V^2), or absolutepolynomial:1e-5,2e-5 (A/V^2 and A/V^3)")
    try:
        return _LAWS[name](*values)
    except ValueError as error:
        raise ValueError(f"--iv {text!r}: {error}") from None


def _solve(crossbar, voltages, rtol, out):
    progress = ProgressLine()
    progress.start()
    try:
        solution = solve(crossbar, voltages, rtol=rtol)
    finally:
        progress.close()
    currents = solution.bit_line_currents
    if out is not None:  # before anything is printed, which may fail
        lines = ["# bit-line currents [A]; one line for each input, one column for each bit line"]
        lines += [",".join(map(repr, row)) for row in currents.tolist()]
        save_text(out, "\n".join(lines) + "\n")
    unwired = crossbar.currents(np.broadcast_to(voltages[..., None], (*voltages.shape, crossbar.n_bit_lines)))
    print(_table(crossbar, currents, unwired.sum(axis=-2)))
    print(f"error of a current at most {solution.uncertainty.max() / uA:.1e} uA, rounding aside")
    if out is not None:
        print(f"currents in ampere are in {out}")


def _table(crossbar, currents, ideal):
    n_inputs, n_bit_lines = currents.shape
    lines = [f"{crossbar.n_word_lines} word lines, {n_bit_lines} bit lines, {n_inputs} input{'s' * (n_inputs > 1)}",
             f"{'input':>5}{'bit line':>9}{'current (uA)':>14}{'ideal wires (uA)':>18}{'off by (%)':>12}"]
    for (i, j), current in np.ndenumerate(currents):
        if len(lines) - 2 >= _MOST_LINES:
            lines.append(f"... and {currents.size - _MOST_LINES} more; write them all with --out")
            break
        share = f"{100 * (current / ideal[i, j] - 1):.3f}" if ideal[i, j] else "-"
        lines.append(f"{i:>5}{j:>9}{current / uA:>14.6g}{ideal[i, j] / uA:>18.6g}{share:>12}")
    return "\n".join(lines)
