"""``tiocross warmup``: compile beforehand what is otherwise compiled when it is first needed."""

import time
from dataclasses import replace

import numpy as np

from tiocross import jit
from tiocross.circuit.adjoint import transfer_matrix_with_pullback
from tiocross.circuit.biasing import read_device
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.laws import Sinh
from tiocross.circuit.series import Selector
from tiocross.circuit.solver import solve
from tiocross.devices.reads import Nonlinearity, ReadNoise
from tiocross.devices.tio2 import TIO2
from tiocross.devices.tio2_state import TIO2_STATE
from tiocross.lab.fab import SimulatedFab
from tiocross.learning.layer_kinds import AveragePool1d, Conv1d, Dense
from tiocross.learning.layered import Network
from tiocross.learning.network import MLP
from tiocross.learning.techniques import NoiseInjection
from tiocross.learning.settings import TrainingSettings
from tiocross.learning.training import train
from tiocross.periphery.parts import Sensing
from tiocross.periphery.presets import PERIPHERY_8_BIT
from tiocross.tasks.dataset import Dataset
from tiocross.transfers.judging import transfer


def prepare(arguments):
    """The compilation, ready to be called."""
    return warm_up


def warm_up():
    """Compile every kernel by small uses of each, and say how long it took; OSError if that was in vain."""
    start = time.monotonic()
    print("compiling what tiocross computes with; once on this computer, until tiocross or numba is updated")
    for name, use in _USES.items():
        before = time.monotonic()
        use()
        print(f"{name:<46}{time.monotonic() - before:>6.1f} s", flush=True)
    print(f"{'together':<46}{time.monotonic() - start:>6.1f} s")
    lost = jit.not_kept()
    if lost:
        raise OSError(f"what was compiled cannot be kept: {lost}; set NUMBA_CACHE_DIR to a folder that can be written")


def _solve_circuit():
    solve(_crossbar(3, 2), np.ones(3))


def _solve_large():
    solve(_crossbar(510, 500), np.ones(510))


def _solve_nonlinear():
    solve(_crossbar(3, 2, iv=Sinh(0.3)), np.ones(3))


def _solve_pairs():
    solve(_crossbar(3, 2, series=Selector(Sinh(0.1), 1e-5)), np.ones(3))


def _solve_dead_line():
    crossbar = Crossbar([[1e-4, 0.0], [1e-4, 0.0], [1e-4, 0.0]], 2.0, iv=Sinh(0.3))
    solve(crossbar, read_device(crossbar, 0, 1, 1.0))


def _make_matrix():
    transfer_matrix_with_pullback(_crossbar(50, 49))[1](np.ones((50, 49)))


def _crossbar(*shape, iv=None, series=None):
    return Crossbar(np.full(shape, 1e-4), 2.0, iv=iv, series=series)


def _train(network=None, n_inputs=2):
    train(_network() if network is None else network, _points(n_inputs), [NoiseInjection()], device=TIO2,
          rng=np.random.default_rng(0), settings=TrainingSettings(n_steps=1, batch_size=8, n_chips=2))


def _use_large():
    rng = np.random.default_rng(0)
    layers = [Conv1d(2, 3, activation="relu"), AveragePool1d(2), Conv1d(2, 2), Dense(600, activation="tanh"), Dense(1)]
    network = Network(layers, (1, 8), rng=rng)
    _train(network, 8)
    transfer(network, _points(8), device=TIO2, wire_resistance=2.0, n_transfers=2, rng=rng)
    network = network.with_arrays([0 * array for array in network.arrays])
    transfer(network, _points(8), device=TIO2.ideal(), n_transfers=2, rng=rng)  # without wires every point is a draw


def _transfer():
    transfer(_network(), _points(), device=TIO2, wire_resistance=2.0, n_transfers=2, rng=np.random.default_rng(0))


def _follow_signals():
    periphery = replace(PERIPHERY_8_BIT, sensing=Sensing(offset=0.01))
    noisy = replace(TIO2, read_noise=ReadNoise(0.01, "any"))
    for device in (noisy, replace(noisy, nonlinearity=Nonlinearity(0.3, 0.2, "any"))):
        transfer(_network(), _points(), device=device, wire_resistance=2.0, n_transfers=2, periphery=periphery,
                 rng=np.random.default_rng(0))


def _program_by_pulses():
    transfer(_network(), _points(), device=TIO2, wire_resistance=2.0, chips=SimulatedFab(passes=1), n_transfers=1,
             rng=np.random.default_rng(0))


def _disturb_by_state():
    transfer(_network(), _points(), device=TIO2_STATE, n_transfers=2, rng=np.random.default_rng(0))


def _network():
    return MLP(2, 3, 1, rng=np.random.default_rng(0))


def _points(n_inputs=2):
    return Dataset(np.random.default_rng(0).uniform(0.0, 1.0, (16, n_inputs)), np.arange(16) % 2)


_USES = {
    "circuits of any connections": _solve_circuit,
    "circuits of more than 250 000 devices": _solve_large,
    "devices with curved current-voltage laws": _solve_nonlinear,
    "selectors, transistors and measured curves": _solve_pairs,
    "circuits with dead lines": _solve_dead_line,
    "transfer matrices": _make_matrix,
    "training": _train,
    "large networks": _use_large,
    "classes of points on simulated chips": _transfer,
    "signals through converters and sensing": _follow_signals,
    "chips programmed pulse by pulse": _program_by_pulses,
    "write disturb by state": _disturb_by_state,
}
