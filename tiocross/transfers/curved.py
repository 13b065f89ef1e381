"""Currents of arrays of devices that do not obey Ohm's law at the read voltage, for many chips and points: solved, not
approximated. Behind ideal wires the law itself says them; behind wires all devices of an array are solved together."""

from dataclasses import replace
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


def scratch_of(n_chips, shapes, n_points):
    """Memory that `CurvedArrays` of so many chips take at so many points [bytes]."""
    n_devices = [rows * columns for rows, columns in shapes]
    steps = sum(min(n, _MOST_DEVICES) ** 2 for n in n_devices)  # of arrays beyond there are none
    return 8 * (n_chips * (2 * steps + sum(n_devices)) + 6 * max(n_devices) * n_points)


class CurvedArrays:
    """One physical array of many chips, its devices by a `Nonlinearity`, behind wires.

    ``array`` (n_chips, n_word_lines, n_bit_lines) holds their conductances [S], of which those ``used`` are read;
    ``resistances`` are those of a wire segment, of sources and of sensing [ohm]; ``largest`` is the largest voltage [V]."""

    def __init__(self, array, used, resistances, law, largest):
        self._rows, self._columns = lines_that_count(used | (array > 0).any(axis=0))
        self._resistances, self._law, self._largest = resistances, law, largest
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
                devices = self._solve(chip, source, block, currents[chip], is_noisy)
            else:
                devices = devices[:, block.bit_lines]
                add_up(devices, currents[chip])
            if is_noisy:
                add_up(devices**2, squares[chip])
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

    def _solve(self, chip, source, block, currents, is_noisy):
        """Fill the currents of one chip's lines by the solver of circuits; those of its devices where they are noisy [A]."""
        wire, source_resistance, sense_resistance = self._resistances
        crossbar = Crossbar(self._g[chip], wire, source_resistance=source_resistance, sense_resistance=sense_resistance,
                            iv=Sinh(self._law.v0))
        found = solve(crossbar, np.ascontiguousarray(source.T))
        currents[:] = found.bit_line_currents[:, block.bit_lines].T
        return np.moveaxis(crossbar.currents(found.device_voltages), 0, -1)[:, block.bit_lines] if is_noisy else None


def between_ends(crossbar, law, ends):
    """A crossbar behind drivers and before sensing of these resistances [ohm]; its devices have this law, a `Nonlinearity`,
    where they have none of their own."""
    crossbar = replace(crossbar, source_resistance=crossbar.source_resistance + ends[0],
                       sense_resistance=crossbar.sense_resistance + ends[1])
    if crossbar.iv is not None or law is None:
        return crossbar
    return replace(crossbar, conductances=law.at_zero * crossbar.conductances, iv=Sinh(law.v0))


def add_up(devices, total):
    """Fill ``total`` with the sums over the word lines, one after the other."""
    total[:] = devices[0]
    for row in devices[1:]:
        total += row
