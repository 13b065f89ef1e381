"""Currents of arrays of devices that do not obey Ohm's law at the read voltage, for many chips and points: solved, not
approximated. Behind ideal wires the law itself says them; behind wires all devices of an array are solved together."""

from typing import NamedTuple

import numpy as np

from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.laws import Sinh
from tiocross.circuit.solver import solve
from tiocross.mapping.layout import lines_that_count
from tiocross.transfers.curved_kernel import settle

_MOST_DEVICES = 256  # of an array whose steps are prepared for all points at once: beyond it every point is solved alone
_MOST_STEPS = 200
_RTOL = 1e-12  # of the voltages, relative to the largest


class Currents(NamedTuple):
    """Currents (n_chips, n_bit_lines, n_points) of a block [A], and, where there is read noise, the sums of the squares of
    those of the devices of each line [A^2]."""

    currents: np.ndarray
    squares: np.ndarray | None


def bent(law, volts):
    """Voltages at which ohmic devices carry what those of a `Nonlinearity` carry at ``volts`` [V]."""
    return law.read_voltage / np.sinh(law.read_voltage / law.v0) * np.sinh(volts / law.v0)


class CurvedArrays:
    """One physical array of many chips, its devices by a `Nonlinearity`, behind wires.

    ``states`` are conductances of each layer, (n_chips, n_word_lines, n_bit_lines) [S]; ``resistances`` those of a wire
    segment, of sources and of sensing [ohm]; ``largest`` is the largest voltage of a word line [V]."""

    def __init__(self, states, blocks, used, resistances, law, largest):
        self._rows, self._columns = lines_that_count(used)
        self._resistances, self._law, self._largest = resistances, law, largest
        array = np.zeros((len(states[0]), *used.shape))
        for block in blocks:
            array[(slice(None), *block.in_array)] = states[block.layer][(slice(None), *block.in_layer)]
        self._g = np.ascontiguousarray(array[:, self._rows, self._columns]) * law.at_zero
        self._steps = None

    def __call__(self, block, volts, is_noisy):
        """`Currents` of a block's lines at the voltages of its word lines, all others at 0 V."""
        n_chips, n_words, _ = self._g.shape
        driven = np.zeros((len(volts), n_words, volts.shape[2]))
        driven[:, block.word_lines - self._rows.start] = volts
        currents = np.empty((n_chips, len(block.bit_lines), volts.shape[2]))
        squares = np.empty_like(currents) if is_noisy else None
        for chip in range(n_chips):
            source = driven[chip if len(driven) > 1 else 0]
            devices = self._settle(chip, source)
            if devices is None:
                devices = self._solve(chip, source)
            devices = devices[:, block.bit_lines]
            _add_up(devices, currents[chip])
            if is_noisy:
                _add_up(devices**2, squares[chip])
        return Currents(currents, squares)

    def _settle(self, chip, source):
        """(n_word_lines, n_bit_lines, n_points) currents of the devices of one chip by chords [A]; None without success."""
        n_words, n_bits = self._g.shape[1:]
        if n_words * n_bits > _MOST_DEVICES:
            return None
        if self._steps is None:
            self._steps = self._prepare()
        words, bits, steps = self._steps
        u = np.repeat(source, n_bits, axis=0)
        currents, wrong = np.empty_like(u), np.empty_like(u)
        n_steps = settle(source, self._g[chip].ravel(), words, bits, steps[chip], self._law.v0, _RTOL, _MOST_STEPS, u,
                         currents, wrong)
        return currents.reshape(n_words, n_bits, -1) if n_steps > 0 else None

    def _prepare(self):
        """Shared resistances of the lines, and the steps of each chip."""
        n_chips, n_words, n_bits = self._g.shape
        wire, source, sensing = self._resistances
        words = source + wire * (1.0 + np.minimum.outer(np.arange(n_bits), np.arange(n_bits)))
        bits = sensing + wire * (n_words - np.maximum.outer(np.arange(n_words), np.arange(n_words)))
        whole = np.kron(np.eye(n_words), words) + np.kron(bits, np.eye(n_bits))
        slopes = self._g.reshape(n_chips, 1, -1) * (0.5 + 0.5 * np.cosh(self._largest / self._law.v0))
        return words, bits, np.linalg.inv(np.eye(len(whole)) + whole * slopes)

    def _solve(self, chip, source):
        """Currents of the devices of one chip, (n_word_lines, n_bit_lines, n_points), by the solver of circuits [A]."""
        wire, source_resistance, sense_resistance = self._resistances
        crossbar = Crossbar(self._g[chip], wire, source_resistance=source_resistance, sense_resistance=sense_resistance,
                            iv=Sinh(self._law.v0))
        found = solve(crossbar, np.ascontiguousarray(source.T))
        return np.moveaxis(crossbar.currents(found.device_voltages), 0, -1)


def _add_up(devices, total):
    """Fill ``total`` with the sums over the word lines, one after the other."""
    total[:] = devices[0]
    for row in devices[1:]:
        total += row
