"""A simulated passive crossbar behind the protocol of a real one: devices, wires, half-select, converters.

Every pulse solves the whole array with its biasing scheme. Wires take their share of the voltage, half-selected devices
see about half of it, and all devices answer by the switching model. Every reading solves the array too and goes through
noise and converter. The true conductances are an attribute that a real chip does not have.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import (
    LARGEST_CONDUCTANCE, as_finite, as_number, as_shape, require_generator, require_memory, require_name,
)
from tiocross.circuit.biasing import READ_SCHEMES, WRITE_SCHEMES, read_device, write_device
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.laws import Sinh
from tiocross.circuit.sequence import CircuitSequence
from tiocross.circuit.solver import solve
from tiocross.devices.device import LARGEST_WINDOW, Device
from tiocross.devices.writes import draw_array_writes
from tiocross.lab.instrument import require_place
from tiocross.lab.switching import TIO2_SWITCHING, SwitchingModel, draw_traits, switch
from tiocross.mapping.faults import as_stuck_maps
from tiocross.units import ohm

SCHEMES = (*WRITE_SCHEMES, "floating")
_LARGEST_AMPLITUDE = 10.0  # [V]; more is a slip of units
_RTOL = 1e-4  # of the circuits, relative to the largest current: far below noise and cycle-to-cycle spread
_SECANT_CHANGE = 1e-4  # of a device's conductance at read, relative, below which it counts as found
_MOST_SECANTS = 20
_BYTES_PER_DEVICE = 200  # of its state, its traits and its circuits


class SimulatedCrossbar:
    """A simulated chip with the interface of an instrument (`CrossbarInstrument`); each generator makes another chip.

    Parameters
    ----------
    shape : tuple of int
        Numbers of rows (word lines) and columns (bit lines) (unitless).
    model : SwitchingModel, optional
        What its devices are.
    rng : numpy.random.Generator
        Makes the chip, and everything that happens by chance on it.
    wire_resistance : float, optional
        Of one wire segment; the 2 ohm are a choice, not a measurement [ohm].
    scheme : str, optional
        Unselected lines during a pulse: "V/2", "V/3" or "floating".
    read_scheme : str, optional
        Unselected lines during a reading: "grounded", "floating", "V/2" or "V/3".
    stuck : (n_word_lines, n_bit_lines) array_like, optional
        Conductances of the devices that answer to nothing, NaN for all others; without it the model draws them [S].

    Attributes
    ----------
    shape : tuple of int
        As given (unitless).
    stuck : (n_word_lines, n_bit_lines) bool ndarray
        Devices that answer to nothing; a real chip does not tell (unitless).
    n_pulses, n_reads : int
        Given so far (unitless).

    Notes
    -----
    Conductances are those at the read voltage. The nonlinearity of the devices is known at read voltages only. During a
    pulse devices are taken as ohmic: the sinh law, extrapolated to 2 V, would give tens of milliamperes. Temperature,
    capacitance and the rise and fall of pulses are not simulated.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import SimulatedCrossbar
    >>> chip = SimulatedCrossbar((8, 8), rng=np.random.default_rng(7))
    >>> before = chip.read(2, 3)
    >>> chip.pulse(2, 3, amplitude=2.0, width=1e-6)  # SET
    >>> chip.read(2, 3) > before
    True
    """

    def __init__(self, shape: tuple[int, int], model: SwitchingModel = TIO2_SWITCHING, *, rng: np.random.Generator,
                 wire_resistance: float = 2.0 * ohm, scheme: str = "V/2", read_scheme: str = "grounded",
                 stuck: ArrayLike | None = None):
        if not isinstance(model, SwitchingModel):
            raise TypeError(f"model must be a SwitchingModel, such as TIO2_SWITCHING; got {model!r}")
        require_generator(rng)
        require_name("scheme", scheme, SCHEMES)
        require_name("read_scheme", read_scheme, READ_SCHEMES)
        self.shape = as_shape("shape", shape)
        require_memory(f"an array of {self.shape[0]} x {self.shape[1]} devices", _BYTES_PER_DEVICE * math.prod(self.shape),
                       "simulate a smaller array")
        self.model, self.scheme, self.read_scheme = model, scheme, read_scheme
        self.n_pulses = self.n_reads = 0
        self._rng = rng
        self._traits = draw_traits(model, self.shape, rng)
        self._state = rng.uniform(model.initial_low, model.initial_high, self.shape)
        faults = _draw_stuck(model, self.shape, rng) if stuck is None else as_stuck_maps([stuck], [self.shape], "array")[0]
        self.stuck = ~np.isnan(faults)
        self._state[self.stuck] = faults[self.stuck]
        self._crossbar = Crossbar(self._state, wire_resistance)
        self._pulses, self._readings = (CircuitSequence(self._crossbar, rtol=_RTOL) for _ in range(2))
        self._slope = (model.read_voltage / model.nonlinearity) / np.sinh(model.read_voltage / model.nonlinearity)
        self._answers = ~self.stuck
        self._paces = np.zeros(self.shape)  # of drift and fluctuation: 1 when written, 0 when at rest, as a fresh chip is
        self._selected = self._pulsed = self._read_place = None
        self._n_waiting, self._open = 0, True

    def __repr__(self):
        return (f"SimulatedCrossbar({self.shape[0]} x {self.shape[1]}, {int(self.stuck.sum())} stuck, "
                f"{self.wire_resistance:g} ohm a segment, {self.scheme} pulses, {self.read_scheme} reads; {self.n_pulses} "
                f"pulses, {self.n_reads} reads)")

    @property
    def wire_resistance(self) -> float:
        """Of one wire segment [ohm]."""
        return self._crossbar.wire_resistance

    @property
    def conductances(self) -> np.ndarray:
        """True conductances at the read voltage, (n_word_lines, n_bit_lines) [S]; a real chip does not tell."""
        return self._state.copy()

    def pulse(self, row: int, column: int, amplitude: float, width: float) -> None:
        """Apply a pulse to one device; its row is at ``amplitude``, its column at 0 V.

        Parameters
        ----------
        row, column : int
            The device (unitless).
        amplitude : float
            Positive to SET [V].
        width : float
            Of the pulse [s].

        Raises
        ------
        ValueError
            If there is no such device, or amplitude or width cannot be.
        """
        self._require_open()
        amplitude = as_number("amplitude", amplitude, low=-_LARGEST_AMPLITUDE, high=_LARGEST_AMPLITUDE, unit="V")
        if as_number("width", width, low=0.0, unit="s") == 0.0:
            raise ValueError("width must be above zero; got 0 s")
        self._select(row, column)
        self.n_pulses += 1
        self._n_waiting += 1
        if self._pulsed != (row, column):
            self._pulses.bias(self._bias_pulse(row, column))
            self._pulsed = row, column
        _, voltages = self._pulses.solve(self._state, amplitude)
        active = (np.abs(voltages) > self.model.quiet_voltage) & self._answers
        if active[row, column]:
            self._paces[row, column] = 1.0
        active = np.flatnonzero(active)
        state, sets, resets = self._state.reshape(-1), self._traits.set_voltages, self._traits.reset_voltages
        state[active] = switch(self.model, state[active], voltages.reshape(-1)[active], width, sets.reshape(-1)[active],
                               resets.reshape(-1)[active], self._rng)

    def read(self, row: int, column: int) -> float:
        """Conductance of one device, as the instrument sees it [S].

        Parameters
        ----------
        row, column : int
            The device (unitless).

        Returns
        -------
        float
            Reading; IR drop, sneak currents, noise and converter included [S].
        """
        self._require_open()
        self._select(row, column)
        return float(self._as_reading(self._read_currents(row, column)[column]))

    def read_array(self) -> np.ndarray:
        """All devices, each read alone, (n_rows, n_columns) [S]."""
        self._require_open()
        self._pass_time()
        rows, columns = self.shape
        if self.read_scheme == "grounded":  # one circuit serves all columns
            return np.array([self._as_reading(self._read_currents(row, 0)) for row in range(rows)])
        return np.array([[self._as_reading(self._read_currents(row, column)[column]) for column in range(columns)]
                         for row in range(rows)])

    def multiply(self, voltages: ArrayLike) -> np.ndarray:
        """Currents of all bit lines with all word lines driven at once: what the crossbar computes.

        Parameters
        ----------
        voltages : (..., n_word_lines) array_like
            At the left ends of the word lines; the bit lines are held at 0 V [V].

        Returns
        -------
        (..., n_bit_lines) ndarray
            As the instrument sees them, noise and converter included [A].

        Raises
        ------
        ValueError
            If a voltage is beyond the quiet voltage, which would make it a pulse, or the shape does not fit.
        """
        self._require_open()
        model = self.model
        voltages = as_finite("voltages", voltages)
        if np.abs(voltages).max(initial=0.0) > model.quiet_voltage:
            raise ValueError(f"voltages must stay within the quiet voltage of {model.quiet_voltage:g} V, beyond which "
                             f"devices switch; got {np.abs(voltages).max():g} V")
        self._pass_time()
        return self._convert(solve(self._as_crossbar(), voltages, rtol=_RTOL).bit_line_currents)

    def make_safe(self) -> None:
        """All lines to 0 V; between pulses a simulated chip is always safe."""

    def close(self) -> None:
        """End the use of the chip; reading or pulsing it is then an error."""
        self._open = False

    def _select(self, row, column):
        """Let time pass where another device is meant than before."""
        if (row, column) != self._selected:
            require_place(row, column, self.shape)
            self._pass_time()
            self._selected = row, column

    def _bias_pulse(self, row, column):
        """Biasing of a pulse of 1 V."""
        if self.scheme == "floating":
            return read_device(self._crossbar, row, column, 1.0, unselected="floating")
        return write_device(self._crossbar, row, column, 1.0, scheme=self.scheme)

    def _pass_time(self):
        """Drift and fluctuation of all other devices during the pulses that the selected one was given."""
        if self._n_waiting:
            settling, paces = self.model.settling, self._paces
            after = paces * np.exp(-self._n_waiting / settling)
            after[self._selected] = paces[self._selected]
            walks = np.sqrt(settling / 2 * (paces**2 - after**2)) * self._rng.standard_normal(self.shape)
            moves = settling * (paces - after) * self._traits.drifts + self.model.fluctuation * walks
            np.copyto(self._state, np.clip(self._state + moves, 0.0, LARGEST_CONDUCTANCE), where=self._answers)
            self._paces, self._n_waiting = after, 0

    def _read_currents(self, row, column):
        """Currents of all bit lines [A]: secants of the devices until they are those of the voltages."""
        place = row, 0 if self.read_scheme == "grounded" else column  # grounded, one circuit serves all columns
        if place != self._read_place:
            self._readings.bias(read_device(self._crossbar, *place, self.model.read_voltage, unselected=self.read_scheme))
            self._read_place = place
            self._secants = np.full(self.shape, self._slope)  # conductance now over the one at the read voltage
            self._secants[row] = 1.0
        # Grounded, all other rows' devices see some millivolts, where the law is a straight line.
        bent = slice(row, row + 1) if self.read_scheme == "grounded" else slice(None)
        for _ in range(_MOST_SECANTS):
            currents, voltages = self._readings.solve(self._state * self._secants)
            secants = self._slope * _sinhc(voltages[bent] / self.model.nonlinearity)
            change = np.abs(secants - self._secants[bent]).max()
            self._secants[bent] = secants
            if change <= _SECANT_CHANGE:
                return currents
        # Where the law bends more than any measured one, secants need not settle on floating lines.
        biasing = read_device(self._crossbar, *place, self.model.read_voltage, unselected=self.read_scheme)
        return solve(self._as_crossbar(), biasing, rtol=_RTOL).bit_line_currents

    def _as_crossbar(self):
        """The chip at read voltages."""
        return Crossbar(self._state * self._slope, self.wire_resistance, iv=Sinh(self.model.nonlinearity))

    def _convert(self, currents):
        """Currents after noise and converter [A]."""
        model = self.model
        self.n_reads += np.size(currents)
        currents = currents * (1.0 + model.read_noise * self._rng.standard_normal(np.shape(currents)))
        if model.read_step > 0.0:
            currents = np.round((currents - model.read_offset) / model.read_step) * model.read_step + model.read_offset
        return currents

    def _as_reading(self, currents):
        """Conductances from currents; what noise and offset leave below zero is no conductance [S]."""
        return np.maximum(self._convert(currents), 0.0) / self.model.read_voltage

    def _require_open(self):
        if not self._open:
            raise RuntimeError("the simulated chip was closed; make a new one")


def _draw_stuck(model, shape, rng):
    """Conductances of devices and lines that fail by chance, NaN elsewhere [S]."""
    device = Device(0.0, LARGEST_WINDOW, stuck=model.stuck, lines=model.lines)
    faults = draw_array_writes(device, np.zeros(shape, dtype=np.int64), 1, rng)
    return np.where(faults.stuck[0], faults.constant[0], np.nan)


def _sinhc(x):
    """sinh(x) / x."""
    return np.divide(np.sinh(x), x, out=np.ones_like(x), where=x != 0.0)
