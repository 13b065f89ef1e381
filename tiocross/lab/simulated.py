"""A simulated passive crossbar behind the protocol of a real one: devices, wires, half-select, converters, a clock.

Every pulse is integrated in time on the whole array with its biasing scheme. Wires take their share of the voltage,
half-selected devices see about half of it, and all devices answer by the switching model. Every reading solves the array too
and goes through noise and converter. The true conductances are an attribute that a real chip does not have.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_finite, as_number, as_shape, require_generator, require_memory, require_name
from tiocross.circuit.biasing import READ_SCHEMES, WRITE_SCHEMES
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.laws import Sinh
from tiocross.circuit.series import Selector
from tiocross.circuit.solver import solve
from tiocross.devices.device import LARGEST_WINDOW, Device
from tiocross.devices.writes import draw_array_writes
from tiocross.lab.array_state import ArrayState
from tiocross.lab.instrument import require_place
from tiocross.lab.port_kernel import DRIFTS, FREE, G, READINGS, RESETS, SETS
from tiocross.lab.pulses_kernel import (
    AMPLITUDE, CLOCK, COLUMN, N_PULSES, N_READS, OVERHEAD, PULSE, PULSE_ENERGY, READ, READ_ALL, READ_ENERGY, READ_TIME,
    ROW, SLOPE, WAIT, WIDTH,
)
from tiocross.lab.switching import TIO2_SWITCHING, SwitchingModel, draw_traits
from tiocross.mapping.faults import as_stuck_maps
from tiocross.units import ohm

SCHEMES = (*WRITE_SCHEMES, "floating")
_LARGEST_AMPLITUDE = 10.0  # [V]; more is a slip of units
_RTOL = 1e-4  # of products, relative to the largest current: far below noise
_BYTES_PER_DEVICE = 400  # of its state, its traits and its circuits


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

    Notes
    -----
    Conductances are those at the read voltage. The nonlinearity of the devices is known at read voltages only. During a
    pulse devices are taken as ohmic: the sinh law, extrapolated to 2 V, would give tens of milliamperes. Temperature,
    capacitance and what edges of pulses switch are not simulated.

    The clock of the lab runs with every pulse, reading and `wait`, by the times of the model. Devices drift by it: the one
    in use with every call, the others when another device is looked at, or all.

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
        self.wire_resistance = as_number("wire_resistance", wire_resistance, low=0.0, unit="ohm")
        traits, conductances = draw_traits(model, self.shape, rng), rng.uniform(model.initial_low, model.initial_high, self.shape)
        faults = _draw_stuck(model, self.shape, rng) if stuck is None else as_stuck_maps([stuck], [self.shape], "array")[0]
        self.stuck = ~np.isnan(faults)
        own = np.random.Generator(np.random.SFC64(rng.integers(2**32, size=4)))  # drawn from ahead of time
        self.state = ArrayState(model, self.shape, self.wire_resistance, (scheme, read_scheme), own)
        given = {G: np.where(self.stuck, faults, conductances), FREE: ~self.stuck, SETS: traits.set_voltages,
                 RESETS: traits.reset_voltages, DRIFTS: traits.drifts}
        for row, values in given.items():
            self.state.fields[row] = values.reshape(-1)
        self._open = True

    def __repr__(self):
        return (f"SimulatedCrossbar({self.shape[0]} x {self.shape[1]}, {int(self.stuck.sum())} stuck, "
                f"{self.wire_resistance:g} ohm a segment, {self.scheme} pulses, {self.read_scheme} reads; {self.n_pulses} "
                f"pulses, {self.n_reads} reads)")

    @property
    def conductances(self) -> np.ndarray:
        """True conductances at the read voltage, (n_word_lines, n_bit_lines) [S]; a real chip does not tell."""
        return self.state.fields[G].reshape(self.shape).copy()

    @property
    def n_pulses(self) -> int:
        """Pulses given so far (unitless)."""
        return int(self.state.counts[N_PULSES])

    @property
    def n_reads(self) -> int:
        """Currents read so far (unitless)."""
        return int(self.state.counts[N_READS])

    @property
    def clock(self) -> float:
        """Time since the chip was made [s]."""
        return float(self.state.numbers[CLOCK])

    @property
    def pulse_energy(self) -> float:
        """Taken from the sources by all pulses so far, by half-selected devices and wires too [J]."""
        return float(self.state.numbers[PULSE_ENERGY])

    @property
    def read_energy(self) -> float:
        """Taken by the sensed currents of all readings so far, those of other bit lines left out [J]."""
        return float(self.state.numbers[READ_ENERGY])

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
        width = as_number("width", width, low=0.0, unit="s")
        if width == 0.0:
            raise ValueError("width must be above zero; got 0 s")
        self._select(row, column)
        self.state.numbers[[AMPLITUDE, WIDTH]] = amplitude, width
        self.state.run(PULSE)

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
        self.state.run(READ)
        return float(self.state.fields[READINGS, row * self.shape[1] + column])

    def read_array(self) -> np.ndarray:
        """All devices, each read alone, (n_rows, n_columns) [S]."""
        self._require_open()
        self.state.run(READ_ALL)
        return self.state.fields[READINGS].reshape(self.shape).copy()

    def wait(self, seconds: float) -> None:
        """Let time pass, in which devices that were written drift.

        Parameters
        ----------
        seconds : float
            How much [s].

        Raises
        ------
        ValueError
            If it is negative.
        """
        self._require_open()
        self._wait(as_number("seconds", seconds, low=0.0, unit="s"))

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
        numbers, n_vectors = self.state.numbers, voltages.size // self.shape[0] if self.shape[0] else 0
        self._wait(0.0)
        currents = self._convert(solve(self._as_crossbar(), voltages, rtol=_RTOL).bit_line_currents)
        self._wait(numbers[OVERHEAD] + n_vectors * numbers[READ_TIME])
        return currents

    def make_safe(self) -> None:
        """All lines to 0 V; between pulses a simulated chip is always safe."""

    def close(self) -> None:
        """End the use of the chip; reading or pulsing it is then an error."""
        self._open = False

    def _select(self, row, column):
        require_place(row, column, self.shape)
        self.state.counts[[ROW, COLUMN]] = row, column

    def _wait(self, seconds):
        self.state.numbers[WIDTH] = seconds
        self.state.run(WAIT)

    def _as_crossbar(self):
        """The chip at read voltages."""
        model = self.model
        series = Selector(None, 1.0 / model.series_resistance) if model.series_resistance > 0.0 else None
        conductances = self.state.fields[G].reshape(self.shape) * self.state.numbers[SLOPE]
        return Crossbar(conductances, self.wire_resistance, iv=Sinh(model.nonlinearity), series=series)

    def _convert(self, currents):
        """Currents after noise and converter [A]."""
        model = self.model
        self.state.counts[N_READS] += np.size(currents)
        currents = currents * (1.0 + model.read_noise * self.state.normals(np.shape(currents)))
        if model.read_step > 0.0:
            currents = np.round((currents - model.read_offset) / model.read_step) * model.read_step + model.read_offset
        return currents

    def _require_open(self):
        if not self._open:
            raise RuntimeError("the simulated chip was closed; make a new one")


def _draw_stuck(model, shape, rng):
    """Conductances of devices and lines that fail by chance, NaN elsewhere [S]."""
    device = Device(0.0, LARGEST_WINDOW, stuck=model.stuck, lines=model.lines)
    faults = draw_array_writes(device, np.zeros(shape, dtype=np.int64), 1, rng)
    return np.where(faults.stuck[0], faults.constant[0], np.nan)

