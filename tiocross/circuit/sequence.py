"""One array solved again and again while its devices change little by little: each solution starts from the last."""

from dataclasses import replace

import numpy as np

from tiocross.circuit.biasing import Biasing, join_ends, require_fitting
from tiocross.circuit.solvers.checks import require_anchored, require_consistent, require_rtol
from tiocross.circuit.crossbar import require_crossbar
from tiocross.circuit.solvers.hierarchy import plan_arrays
from tiocross.circuit.solver import solve
from tiocross.circuit.solvers.workspace import N_FIGURES, Workspace, connect

_MOST_SWEEPS = 60  # more, and the general solver takes over
_FROM_BIT_LINES = 1  # start of a solution: the bit-line voltages of the workspace


class CircuitSequence:
    """Solves ohmic circuits that follow one another on the same wires, such as the pulses that program an array.

    Call `bias` to say how the ends are connected, then `solve` for each state of the devices and size of the voltages.

    Parameters
    ----------
    crossbar : Crossbar
        Its wires, source and sense resistances, and its shape; one array of ohmic devices (unitless).
    rtol : float, optional
        As for `solve` (unitless).

    Raises
    ------
    ValueError
        If it is more than one array, or its devices are not ohmic.
    """

    def __init__(self, crossbar, *, rtol=1e-6):
        require_crossbar(crossbar)
        require_rtol(rtol)
        if len(crossbar.arrays) != 1 or crossbar.iv is not None:
            raise ValueError(f"a sequence is of one array of ohmic devices; got {crossbar.conductances.shape} and "
                             f"iv = {crossbar.iv!r}")
        self.crossbar, self.rtol = crossbar, rtol
        self._shape = crossbar.conductances.shape[-2:]
        self._biasing = self._resistances = self._workspace = None
        self._currents, self._report = np.empty(self._shape[1]), np.zeros(N_FIGURES)

    def bias(self, biasing):
        """Connect the ends of the lines.

        Parameters
        ----------
        biasing : Biasing
            Their voltages; no batch (unitless).

        Raises
        ------
        ValueError
            If it does not fit the crossbar, or contradicts itself.
        """
        require_fitting(self.crossbar, biasing)
        if biasing.batch:
            raise ValueError(f"a sequence takes one biasing at a time; got a batch of {biasing.batch}")
        ends = join_ends(biasing, (1,))
        require_consistent(self.crossbar, ends[None])
        self._biasing, self._connected = biasing, ~np.isnan(ends[0]).all(axis=1)
        self._floats = not all(self._connected[side, :n].all() for side, n in enumerate(self._shape))
        resistances, drives = connect(self.crossbar, ends)
        if self._resistances is None or not np.array_equal(resistances, self._resistances):
            self._resistances, self._workspace = resistances, None
        self._drive, self._factor = drives[0], 0.0
        rooted = not np.isnan(ends[0, 0, 0, : self._shape[0]]).any() and not np.isnan(ends[0, 1, 0, : self._shape[1]]).any()
        self._held = None  # the device voltages, where every line is at the voltage of its end
        if self.crossbar.is_ideal and rooted and np.isnan(ends[0, :, 1]).all():
            self._held = biasing.left[:, None] - biasing.bottom

    def solve(self, conductances, factor=1.0):
        """Currents and voltages of the next circuit.

        Parameters
        ----------
        conductances : (n_word_lines, n_bit_lines) ndarray
            Devices, C-contiguous float64; not checked, for this is called a hundred thousand times [S].
        factor : float, optional
            All voltages of the biasing are multiplied by it (unitless).

        Returns
        -------
        bit_line_currents : (n_bit_lines,) ndarray
            Out of the bottom ends [A].
        device_voltages : (n_word_lines, n_bit_lines) ndarray
            Word line minus bit line [V].

        Raises
        ------
        ValueError
            If a floating line has no path to a connected end.
        ConvergenceError
            If the circuit is not solved to ``rtol``.
        """
        if self._held is not None:
            voltages = factor * self._held
            return (conductances * voltages).sum(axis=0), voltages
        if factor != 0.0 and self._sweep(conductances, factor):
            bits, words = self._workspace.node_voltages
            return self._currents.copy(), words - bits
        self._workspace = None
        solution = solve(replace(self.crossbar, conductances=conductances), self._scaled(factor), rtol=self.rtol)
        return solution.bit_line_currents, solution.device_voltages

    def _sweep(self, array, factor):
        """Whether a few sweeps from the last circuit were enough."""
        if self._floats:
            require_anchored(array[None], (0,), self._connected)
        if self._workspace is None:
            plan = plan_arrays(array[None], self._resistances)[0][0]
            self._workspace, self._factor = Workspace(self._resistances, plan, np.ones(self._shape[1], dtype=bool)), 0.0
        nodes, drive = self._workspace.node_voltages, factor * self._drive
        if self._factor == 0.0:
            nodes[0] = drive[1, 0, : self._shape[1]]
        elif factor != self._factor:
            nodes[0] *= factor / self._factor
        self._factor = factor
        self._report[:] = 0.0
        self._workspace.advance(array, self._workspace.nothing, drive, _MOST_SWEEPS, _FROM_BIT_LINES, self._currents,
                                self._report, self.rtol)
        return 0 < self._report[0] and self._report[2] <= self.rtol * self._report[3]

    def _scaled(self, factor):
        given = self._biasing
        ends = {name: factor * getattr(given, name) for name in ("left", "right", "top", "bottom")}
        return Biasing(**ends, selected=given.selected)
