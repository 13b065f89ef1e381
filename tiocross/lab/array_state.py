"""The numbers of one simulated array, as its kernel takes them, and normal draws as they are needed."""

import numpy as np

from tiocross.circuit.biasing import UNSELECTED
from tiocross.lab import port_kernel as of_devices
from tiocross.lab import pulses_kernel as kernel

_LEAST_DRAWN = 4096  # normal draws at a time
_FINENESS = 0.05  # largest change of the logarithm of a rate within a step of a pulse
_NONE = (np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0),
         np.zeros(0, dtype=np.int8), np.zeros(0, dtype=np.int64))  # what only a pass needs


class ArrayState:
    """Conductances, traits, circuits, clock and draws of an array; `run` does one of the jobs of `pulses_kernel`."""

    def __init__(self, model, shape, wire_resistance, schemes, rng):
        size = shape[0] * shape[1]
        self.rng = rng
        self.fields = np.zeros((of_devices.N_FIELDS, size))
        self.lines = np.zeros((of_devices.N_LINE_ROWS, max(shape)))
        self.numbers = _numbers_of(model, wire_resistance, schemes)
        self.counts = np.zeros(kernel.N_COUNTS, dtype=np.int64)
        self.counts[[kernel.ROWS, kernel.COLUMNS]] = shape
        self.counts[[kernel.PORT, kernel.PULSE_PORT, kernel.READ_PORT]] = -1
        self.counts[kernel.FLOATS], self.counts[kernel.GROUNDED] = schemes[0] == "floating", schemes[1] == "grounded"
        self.fields[of_devices.SECANTS] = 1.0
        self._active = np.zeros(size, dtype=np.int64)
        self._least = 2 * size + 2  # draws that any step can need
        self._noise = np.zeros(max(_LEAST_DRAWN, 4 * self._least))
        self.counts[kernel.DRAWN] = len(self._noise)

    def run(self, job, work=_NONE):
        """Do a job; ``work`` is what a pass is about."""
        while True:
            if len(self._noise) - self.counts[kernel.DRAWN] < self._least:
                self._draw()
            if kernel.operate(job, self.fields, self.lines, self.numbers, self.counts, self._active, self._noise,
                              *work) == kernel.FINISHED:
                return

    def normals(self, shape):
        """The next of the array's normal draws."""
        size = int(np.prod(shape))
        rest = self._noise[self.counts[kernel.DRAWN]:][:size]
        self.counts[kernel.DRAWN] += len(rest)
        return np.concatenate([rest, self.rng.standard_normal(size - len(rest))]).reshape(shape)

    def _draw(self):
        """Fill the draws up."""
        used = self.counts[kernel.DRAWN]
        rest = len(self._noise) - used
        self._noise[:rest] = self._noise[used:]
        self.rng.standard_normal(out=self._noise[rest:])
        self.counts[kernel.DRAWN] = 0


def _numbers_of(model, wire_resistance, schemes):
    """The vector of numbers of a chip."""
    pulse, read = (UNSELECTED[scheme](1.0) for scheme in schemes)
    ratio = model.read_voltage / model.nonlinearity
    given = {
        "WIRE": wire_resistance, "SERIES": model.series_resistance, "QUIET": model.quiet_voltage, "ON": model.g_on,
        "COMPLIANCE": np.inf if model.compliance is None else model.compliance, "OFF": model.g_off,
        "SET_SCALE": model.set_scale, "EXPONENT": model.reset_exponent, "WIDTH_0": model.reference_width,
        "CYCLE": model.cycle_spread, "SETTLING": model.settling, "FLUCTUATION": model.fluctuation,
        "V_0": model.nonlinearity, "READ_VOLTS": model.read_voltage, "SLOPE": ratio / np.sinh(ratio),
        "READ_NOISE": model.read_noise, "READ_STEP": model.read_step, "READ_OFFSET": model.read_offset,
        "EDGES": 2.0 * model.edge_time, "READ_TIME": model.read_time, "OVERHEAD": model.overhead,
        "OTHER_WORDS": pulse[0], "OTHER_BITS": pulse[1], "READ_WORDS": read[0], "READ_BITS": read[1],
        "FINENESS": _FINENESS}
    numbers = np.zeros(kernel.N_NUMBERS)
    for name, value in given.items():
        numbers[getattr(kernel, name)] = value
    return numbers
