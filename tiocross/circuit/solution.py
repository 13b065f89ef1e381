"""What a solved crossbar tells: currents at once, voltages and powers on request."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike

import numpy as np

from tiocross.circuit.biasing import Biasing, is_plain_read, read_columns
from tiocross.circuit.crossbar import Crossbar, has_segments, spread_segments
from tiocross.circuit.series import split_pairs
from tiocross.circuit.solution_files import read_solution, write_solution
from tiocross.circuit.solvers.line_currents import follow_line, share_between_ends
from tiocross.circuit.solvers.mesh import is_affordable
from tiocross.circuit.solvers.results import Report, rounding_step
from tiocross.records import short_text


@dataclass(frozen=True, eq=False)
class EndCurrents:
    """Currents into the array through the ends of its lines, 0 where an end floats: left and right (..., n_word_lines),
    top and bottom (..., n_bit_lines) [A]."""

    left: np.ndarray
    right: np.ndarray
    top: np.ndarray
    bottom: np.ndarray

    def __repr__(self):
        return short_text(self)


@dataclass(frozen=True, eq=False, repr=False)
class Solution:
    """State of a solved crossbar; leading axes are arrays and inputs, broadcast against each other.

    Voltages cost memory and, for batches and large arrays, a second solution. They are found when first asked for, and so
    are the powers and the currents of the other ends.

    A line from which no path over devices leads to a connected end floats at an *undetermined* voltage, and so does a piece
    of a line beyond a broken segment. No current flows in it. The voltages of its nodes are NaN, and so are those across
    open devices beside them; ``undetermined_word_lines`` and ``undetermined_bit_lines`` name the lines that have such nodes.
    All currents and powers are numbers.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit.
    inputs : (..., n_word_lines) ndarray, or Biasing
        Voltages of the word lines, or how all ends are connected [V].
    bit_line_currents : (..., n_bit_lines) ndarray
        Out of the bottom ends; 0 where they float [A].

    Examples
    --------
    >>> from tiocross import Crossbar, solve
    >>> solution = solve(Crossbar([[1e-4, 2e-4], [3e-4, 4e-4], [5e-4, 1e-4]], wire_resistance=10.0), [0.2, 0.1, 0.2])
    >>> float(round(solution.power * 1e6, 2)), float(round(solution.wire_power * 1e6, 2))  # [uW]
    (42.31, 0.67)
    >>> bool(abs(solution.power - solution.device_power - solution.wire_power) < 1e-9 * solution.power)
    True
    """

    crossbar: Crossbar
    inputs: np.ndarray | Biasing
    bit_line_currents: np.ndarray
    _report: Report = field(init=False, repr=False)
    _find_nodes: Callable = field(init=False, repr=False)  # gives the `Nodes`

    @cached_property
    def biasing(self) -> Biasing:
        """How the ends are connected."""
        return self.inputs if isinstance(self.inputs, Biasing) else read_columns(self.crossbar, self.inputs)

    @property
    def n_sweeps(self) -> np.ndarray:
        """Sweeps until the residual was reached, (...); 0 where a matrix product served (unitless)."""
        return self._report.n_sweeps.reshape(self._batch).astype(np.int64)

    @property
    def unbalanced(self) -> np.ndarray:
        """Largest Kirchhoff residual at a node, (...) [A]."""
        return self._report.largest.reshape(self._batch)

    @cached_property
    def uncertainty(self) -> np.ndarray:
        """No bit-line current is off by more, (...): what sweeps left unbalanced, and rounding. With a selected device, that
        of its bit line; the others are known to ``rtol`` of the largest gross current of a bit line. Where a matrix product
        served, an estimate [A]."""
        total = self._report.total.reshape(self._batch)
        crossbar, biasing = self.crossbar.equivalent, self.biasing
        shape = crossbar.conductances.shape[-2:]
        small = has_segments(crossbar) and is_affordable(shape, sum(shape))
        if crossbar.iv is not None or small or not is_plain_read(biasing):
            return total  # rounding was looked at
        if crossbar.is_ideal:
            lost = np.matmul(np.abs(biasing.left)[..., None, :], crossbar.conductances)[..., 0, :]
            lost = lost.max(axis=-1) if biasing.selected is None else _pick(lost, biasing.selected[1:])
        elif biasing.selected is None:
            lost = np.abs(biasing.left).max(axis=-1) * crossbar.conductances.sum(axis=(-2, -1))
        else:
            return total
        return total + rounding_step(sum(shape)) * lost

    @property
    def voltage_uncertainty(self) -> np.ndarray:
        """No node voltage is off by more, (...), and no device voltage by more than twice as much [V]."""
        return self._nodes.error

    @cached_property
    def undetermined_word_lines(self) -> np.ndarray:
        """Which word lines float without any path over devices to a connected end, or have a piece that does,
        (..., n_word_lines) bool."""
        return np.isnan(self.word_line_voltages).any(axis=-1)

    @cached_property
    def undetermined_bit_lines(self) -> np.ndarray:
        """Which bit lines float without any path over devices to a connected end, or have a piece that does,
        (..., n_bit_lines) bool."""
        return np.isnan(self.bit_line_voltages).any(axis=-2)

    def save(self, path: str | PathLike) -> None:
        """Write it as ``.npz`` without pickle, with its node voltages. The file appears whole or not at all.

        Parameters
        ----------
        path : str or Path
            The file to write.
        """
        write_solution(self, self._nodes, self._report, path)

    @classmethod
    def load(cls, path: str | PathLike) -> "Solution":
        """The solution in a file that `save` wrote, bit for bit; its ``inputs`` are a `Biasing` then.

        Parameters
        ----------
        path : str or Path
            The file to read.

        Raises
        ------
        ValueError
            If the file is no such file, or damaged.
        """
        return read_solution(path, make_solution)

    def __repr__(self):
        batch, currents = self._batch, self.bit_line_currents
        of = f"{'x'.join(map(str, batch))} circuits of " if batch else ""
        text = f"Solution: {of}{self.crossbar.n_word_lines} x {self.crossbar.n_bit_lines} devices"
        if currents.size:
            text += (f", bit-line currents {currents.min() * 1e6:.4g} to {currents.max() * 1e6:.4g} uA, "
                     f"known to {np.max(self.uncertainty) * 1e6:.1g} uA")
        n_lines = self._count_undetermined()
        return f"<{text}{f'; {n_lines} undetermined lines' if n_lines else ''}>"

    def _count_undetermined(self):
        """Number of lines in the whole batch, found only where there may be some."""
        biasing = self.biasing
        pairs = (biasing.left, biasing.right), (biasing.top, biasing.bottom)
        floating = any((np.isnan(first) & np.isnan(last)).any() for first, last in pairs)
        floating |= any(np.isinf(wires).any() for wires in (self.crossbar.word_line_resistance,
                                                            self.crossbar.bit_line_resistance))
        if not floating or self.crossbar.equivalent.conductances.all() or not self.bit_line_currents.size:
            return 0
        return int(self.undetermined_word_lines.sum() + self.undetermined_bit_lines.sum())

    @property
    def _batch(self):
        return self.bit_line_currents.shape[:-1]

    @cached_property
    def _nodes(self):
        nodes = self._find_nodes()
        for voltages in nodes:
            voltages.flags.writeable = False  # powers and currents are computed from them later
        return nodes

    @property
    def bit_line_voltages(self) -> np.ndarray:
        """Voltage of each bit-line node, NaN where undetermined, (..., n_word_lines, n_bit_lines) [V]."""
        return self._nodes.bit_lines

    @property
    def word_line_voltages(self) -> np.ndarray:
        """Voltage of each word-line node, NaN where undetermined, (..., n_word_lines, n_bit_lines) [V]."""
        return self._nodes.word_lines

    @property
    def device_voltages(self) -> np.ndarray:
        """Voltage across each device itself, (..., n_word_lines, n_bit_lines): word line minus bit line, without what drops
        in series with it; NaN across an open device of an undetermined line, 0 across others there [V]."""
        voltages = self._pair_voltages
        return voltages if self.crossbar.series is None else split_pairs(self.crossbar, voltages)[0]

    @property
    def series_voltages(self) -> np.ndarray:
        """Voltage across what lies in series with each device, (..., n_word_lines, n_bit_lines), all of it where a gate is
        off; 0 where nothing does [V]."""
        voltages = self._pair_voltages
        return np.zeros_like(voltages) if self.crossbar.series is None else split_pairs(self.crossbar, voltages)[1]

    @property
    def device_currents(self) -> np.ndarray:
        """Current of each device from its word line to its bit line, (..., n_word_lines, n_bit_lines) [A]."""
        return self.crossbar.equivalent.currents(np.nan_to_num(self._nodes.device_voltages))

    @property
    def _pair_voltages(self):
        """Voltage between the nodes of each device."""
        voltages = self._nodes.device_voltages
        return np.where(np.isnan(voltages) & (self.crossbar.equivalent.conductances > 0), 0.0, voltages)

    @cached_property
    def end_currents(self) -> EndCurrents:
        """Currents into the array at all ends; of a line without any resistance that is connected at both ends all of it is
        counted at the left or bottom end."""
        biasing, (words, bits) = self.biasing, self._along
        left, right = share_between_ends(self.device_currents, words, biasing.left, biasing.right)
        from_bottom = -self.device_currents.swapaxes(-1, -2)[..., ::-1]
        bottom, top = share_between_ends(from_bottom, bits[:, ::-1], biasing.bottom, biasing.top)
        return EndCurrents(left, right, top, bottom)

    @property
    def _along(self):
        """Resistances that currents meet along word lines (M, N + 1) and along bit lines (N, M + 1), from the left and from
        the top, those beyond the ends included; infinite where a segment is broken [ohm]."""
        words, bits = (np.array(wires) for wires in spread_segments(self.crossbar))
        for wires, beyond in ((words, self.crossbar.source_resistance), (bits.T, self.crossbar.sense_resistance)):
            wires[:, 0] += beyond
            wires[:, -1] += beyond
        return words, bits.T

    @cached_property
    def power(self) -> np.ndarray:
        """Power that the sources supply, (...) [W]."""
        biasing, currents = self.biasing, self.end_currents
        return sum((np.nan_to_num(getattr(biasing, end)) * getattr(currents, end)).sum(axis=-1)
                   for end in ("left", "right", "top", "bottom"))

    @cached_property
    def device_power(self) -> np.ndarray:
        """Power dissipated in the devices, (...) [W]."""
        return (np.nan_to_num(self.device_voltages) * self.device_currents).sum(axis=(-2, -1))

    @cached_property
    def series_power(self) -> np.ndarray:
        """Power dissipated in what lies in series with the devices, (...) [W]."""
        return (np.nan_to_num(self.series_voltages) * self.device_currents).sum(axis=(-2, -1))

    @cached_property
    def wire_power(self) -> np.ndarray:
        """Power dissipated in wires, source and sense resistances, (...) [W]."""
        ends, (words, bits) = self.end_currents, self._along
        in_words = follow_line((ends.left, ends.right), self.device_currents, words)
        in_bits = follow_line((ends.top, ends.bottom), -self.device_currents.swapaxes(-1, -2), bits)
        return sum((amperes**2 * np.where(np.isinf(ohms), 0.0, ohms)).sum(axis=(-2, -1))
                   for amperes, ohms in ((in_words, words), (in_bits, bits)))

    @property
    def selected_current(self) -> np.ndarray:
        """Current through the selected device, (...) [A]."""
        return _pick(self.device_currents, self._selected)

    @property
    def selected_voltage(self) -> np.ndarray:
        """Voltage across the selected device, (...) [V]."""
        return _pick(self.device_voltages, self._selected)

    @property
    def sneak_current(self) -> np.ndarray:
        """What the selected bit line's current has besides the selected device's, (...) [A]."""
        return _pick(self.bit_line_currents, self._selected[1:]) - self.selected_current

    @property
    def _selected(self):
        if self.biasing.selected is None:
            raise ValueError("no device is selected; solve with a biasing from read_device or write_device")
        return self.biasing.selected


def _pick(values, lines):
    """Those of the selected lines: ``lines`` are numbers of the last axes, or arrays of them, with the axes of a batch."""
    if all(np.ndim(each) == 0 for each in lines):
        return values[(..., *lines)]
    batch = values.shape[: values.ndim - len(lines)]
    flat = values.reshape(-1, *values.shape[len(batch):])
    chosen = (np.broadcast_to(each, batch).ravel() for each in lines)
    return flat[(np.arange(len(flat)), *chosen)].reshape(batch)


def make_solution(crossbar, inputs, bit_line_currents, report, find_nodes):
    """Solution of the circuits that ``report`` is about; ``find_nodes`` gives their `Nodes` when they are asked for."""
    solution = object.__new__(Solution)  # a small array is solved in the time that the constructor would take
    solution.__dict__.update(crossbar=crossbar, inputs=inputs, bit_line_currents=bit_line_currents, _report=report,
                             _find_nodes=find_nodes)
    return solution


def replace_crossbar(solution, crossbar):
    """The same solution, told of the crossbar that the solved one is equivalent to."""
    return make_solution(crossbar, solution.inputs, solution.bit_line_currents, solution._report, solution._find_nodes)
