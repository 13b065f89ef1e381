"""Signals through the chip on the table: measured crossbars behind a `Periphery`, or instruments that do the sensing."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tiocross.checks import require_generator
from tiocross.circuit.matrices import transfer_matrix
from tiocross.circuit.solver import solve
from tiocross.periphery.electronics import Periphery
from tiocross.periphery.parts import Driver, Sensing
from tiocross.transfers.curved import Currents, add_up, between_ends
from tiocross.transfers.signals import SignalPath, currents_of, needs_path, require_subtraction, warn_of_cut


class _Table(NamedTuple):
    """What `SignalPath` needs of the chips."""

    network: object
    targets: object
    layout: object
    device: object
    periphery: Periphery
    wire_resistance: float
    entropy: int


def goes_through(periphery, device):
    """Whether signals must be followed through a periphery, or through devices that are bent or noisy."""
    return periphery is not None or needs_path(device, Periphery())


def predict_through(network, targets, crossbars, points, device, periphery=None, rng=None):
    """(n_chips, n_points, n_outputs) outputs of chips of which ``crossbars``, with one leading axis, are the arrays."""
    periphery = periphery or Periphery()
    require_subtraction(periphery, targets.layout)
    table = _Table(network, targets, targets.layout, device, periphery, 0.0, seed_of(device, periphery, rng))
    circuits = [_circuit(crossbar, device.nonlinearity, periphery.resistances) for crossbar in crossbars]
    logits, cut = SignalPath(table, points).logits(circuits, targets.layers, targets.layout,
                                                   range(len(crossbars[0].conductances)))
    warn_of_cut(cut)
    return logits


def measure_through(network, targets, multiply_by, points, periphery):
    """(n_points, n_outputs) outputs of instruments, each with (n_points, n_columns) currents of (n_points, n_rows) voltages:
    voltages are those of the converter before the arrays, currents go through the one behind them."""
    require_subtraction(periphery, targets.layout)
    sensing = Sensing(gain_low=periphery.sensing.gain_low, gain_high=periphery.sensing.gain_high)
    outside = replace(periphery, driver=Driver(), sensing=sensing)
    table = _Table(network, targets, targets.layout, _NO_EFFECTS, outside, 0.0, 0)
    circuits = [_Instrument(*pair) for pair in zip(multiply_by, targets.layout.shapes)]
    logits, cut = SignalPath(table, points).logits(circuits, targets.layers, targets.layout, range(1))
    warn_of_cut(cut)
    return logits[0]


class _NoEffects(NamedTuple):
    """A device whose effects at read are those of the chip itself."""

    read_noise: None = None
    nonlinearity: None = None


_NO_EFFECTS = _NoEffects()


def seed_of(device, periphery, rng):
    """Seed of the lines and of the noise; ValueError if chance has a part and there is no generator."""
    noisy = device.read_noise is not None
    if not (noisy or periphery.is_random):
        return 0
    if rng is None:
        what = "the device's readings are noisy" if noisy else "the periphery's lines differ, or its readings are noisy"
        cure = "device.without('read_noise')" if noisy else "periphery.without_chance()"
        raise ValueError(f"{what}: give rng=np.random.default_rng(seed), or {cure}")
    require_generator(rng)
    return int(rng.integers(2**63))


def _circuit(crossbar, law, ends):
    """What gives the currents of one array of all chips."""
    crossbar = between_ends(crossbar, law, ends)
    if crossbar.iv is None:
        return _Matrix(transfer_matrix(crossbar))
    return _Solved([replace(crossbar, conductances=conductances) for conductances in crossbar.conductances])


class _Matrix:
    """An array by its transfer matrix, (n_chips, n_word_lines, n_bit_lines) [S]."""

    def __init__(self, matrix):
        self._matrix = matrix

    def __call__(self, block, volts, is_noisy):
        """`Currents` of a block's lines at the voltages of its word lines, all others at 0 V."""
        return currents_of(np.ascontiguousarray(self._matrix[(slice(None), *block.in_array)]), volts, is_noisy)


class _Solved:
    """An array whose devices obey another law: each chip and each point is solved."""

    def __init__(self, chips):
        self._chips = chips

    def __call__(self, block, volts, is_noisy):
        """As of `_Matrix`."""
        currents = np.empty((len(self._chips), len(block.bit_lines), volts.shape[2]))
        squares = np.empty_like(currents) if is_noisy else None
        for chip, crossbar in enumerate(self._chips):
            drive = np.zeros((volts.shape[2], crossbar.n_word_lines))
            drive[:, block.word_lines] = volts[chip if len(volts) > 1 else 0].T
            found = solve(crossbar, drive)
            currents[chip] = found.bit_line_currents[:, block.bit_lines].T
            if is_noisy:
                devices = crossbar.currents(found.device_voltages)[:, :, block.bit_lines]
                add_up(np.moveaxis(devices, 0, -1) ** 2, squares[chip])
        return Currents(currents, squares)


def lines_of(network, targets, points, periphery, seed):
    """``lines(block)`` of the chip that `predict_through` gives for this seed: gains and offsets of its sensing, or None."""
    table = _Table(network, targets, targets.layout, _NO_EFFECTS, periphery, 0.0, seed)
    return SignalPath(table, points).lines(range(1))


class _Instrument:
    """An array on the table, which is driven and tells currents."""

    def __init__(self, product, shape):
        self._product, self._shape = product, shape

    def __call__(self, block, volts, is_noisy):
        """As of `_Matrix`; what is noisy is the instrument itself."""
        drive = np.zeros((volts.shape[2], self._shape[0]))
        drive[:, block.word_lines] = volts[0].T
        return Currents(np.array(self._product(drive)[:, block.bit_lines].T[None], order="C"), None)
