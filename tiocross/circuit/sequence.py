"""One array solved again and again while its devices change little by little: each solution starts from the last."""

from dataclasses import replace

import numpy as np

from tiocross.circuit.biasing import Biasing, join_ends, require_fitting
from tiocross.circuit.crossbar import require_crossbar
from tiocross.circuit.solver import solve
from tiocross.circuit.solvers.checks import require_consistent, require_rtol
from tiocross.circuit.solvers.hierarchy import find_geometries
from tiocross.circuit.solvers.circuits_kernel import FROM_LAST
from tiocross.circuit.solvers.paths import find_islands
from tiocross.circuit.solvers.prepared import prepare
from tiocross.circuit.solvers.results import BITS, FAR_END, ROOT_END, allocate_results, rounding_step
from tiocross.circuit.solvers.workspace import Workspace, connect_ends

_MOST_SWEEPS = 60  # more, and the general solver takes over


class CircuitSequence:
    """Solves ohmic circuits that follow one another on the same wires, such as the pulses that program an array.

    Call `bias` to say how the ends are connected, then `solve` for each state of the devices and size of the voltages. The
    crossbar is one array of ohmic devices; its conductances do not matter. ``rtol`` is as for `tiocross.solve`.
    """

    def __init__(self, crossbar, *, rtol=1e-6):
        require_crossbar(crossbar)
        require_rtol(rtol)
        if crossbar.conductances[..., 0, 0].size != 1 or crossbar.equivalent is not crossbar or crossbar.iv is not None:
            raise ValueError(f"a sequence is of one array of ohmic devices with nothing in series; got "
                             f"{crossbar.conductances.shape}, iv = {crossbar.iv!r} and series = {crossbar.series!r}")
        self.crossbar, self.rtol = crossbar, rtol
        self._circuit = prepare(crossbar)
        self._shape = crossbar.conductances.shape[-2:]
        self._biasing = self._resistances = self._workspace = self._sensed = None
        self._solved = allocate_results((), self._shape, False)
        self._report = self._solved.report

    def bias(self, biasing):
        """Connect the ends of the lines as one Biasing says; ValueError if it contradicts itself or does not fit."""
        require_fitting(self.crossbar, biasing)
        if biasing.batch:
            raise ValueError(f"a sequence takes one biasing at a time; got a batch of {biasing.batch}")
        ends = join_ends(biasing, (1, 1))
        require_consistent(self._circuit, ends)
        self._biasing, self._connected = biasing, ~np.isnan(ends[0, 0])
        held = all(self._connected[side, :, :n].any(axis=0).all() for side, n in enumerate(self._shape))
        self._floats = self._circuit.segments is not None or not held
        resistances, drives = connect_ends(self._circuit, ends)
        if self._resistances is None or not np.array_equal(resistances, self._resistances):
            self._resistances, self._workspace = resistances, None
        self._drive, self._factor, self._largest = drives[0, 0], 0.0, np.abs(drives).max()
        selected = biasing.selected
        sensed = np.ones(self._shape[1], dtype=bool) if selected is None else np.arange(self._shape[1]) == selected[1]
        if self._workspace is not None and not np.array_equal(sensed, self._sensed):
            self._workspace = None
        self._sensed = sensed
        rooted = not (np.isnan(biasing.left).any() or np.isnan(biasing.bottom).any())
        self._held = None  # the device voltages, where every line is at the voltage of its end
        if self.crossbar.is_ideal and rooted and np.isnan(ends[0, 0, :, FAR_END]).all():
            self._held = biasing.left[:, None] - biasing.bottom

    def solve(self, conductances, factor=1.0):
        """Currents out of the bottom ends (n_bit_lines,) [A] and device voltages (n_word_lines, n_bit_lines) [V] of the next
        circuit: ``conductances`` C-contiguous float64 [S], all voltages of the biasing times ``factor``. Nothing is checked,
        for this is called a hundred thousand times. Voltages that are undetermined, all of open devices, are 0 V here."""
        if self._held is not None:
            voltages = factor * self._held
            return (conductances * voltages).sum(axis=0), voltages
        if factor != 0.0 and self._sweep(conductances, factor):
            return self._solved.currents.copy(), self._workspace.nodes.device_voltages
        self._workspace = None
        solution = solve(replace(self.crossbar, conductances=conductances), self._scaled(factor), rtol=self.rtol)
        return solution.bit_line_currents, np.nan_to_num(solution.device_voltages)

    def _sweep(self, array, factor):
        """Whether a few sweeps from the last circuit were enough."""
        if self._floats and find_islands(array[None], self._connected, self._circuit.segments) is not None:
            return False
        if self._workspace is None:
            levels = find_geometries(array[None], self._resistances)[0][0]
            self._workspace = Workspace(self._resistances, levels, self._sensed, self._circuit.segments)
            self._factor = 0.0
        start, drive = self._workspace.nodes.bit_lines, factor * self._drive
        if self._factor == 0.0:
            start[:] = drive[BITS, ROOT_END, : self._shape[1]]
        elif factor != self._factor:
            start *= factor / self._factor
        self._factor = factor
        self._solved.figures[:] = 0.0
        self._workspace.sweep_further((array, None), drive, _MOST_SWEEPS, FROM_LAST, self._solved,
                                      self.rtol, strict=True)
        lost = rounding_step(sum(self._shape)) * abs(factor) * self._largest * array.sum()
        return 0 < self._report.n_sweeps and self._report.total + lost <= self.rtol * self._report.gross

    def _scaled(self, factor):
        given = self._biasing
        ends = {name: factor * getattr(given, name) for name in ("left", "right", "top", "bottom")}
        return Biasing(**ends, selected=given.selected)
