"""After ``tiocross warmup`` nothing is compiled any more."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

from tiocross import jit
from tiocross.commands.main import main

TYPICAL = """
import json, sys
import numpy as np
from tiocross import (MLP, TIO2, Crossbar, Cubic, Dataset, Selector, Sinh, Tabulated, Transistor, custom, read_device,
                      sensitivities, solve, train, transfer, transfer_matrix, transfer_matrix_with_pullback, write_device)
from tiocross import NoiseInjection, TrainingSettings
rng = np.random.default_rng(0)
for shape in ((4, 3), (70, 60)):
    g = rng.uniform(1e-5, 1e-3, shape)
    x = Crossbar(g, 2.0, source_resistance=5.0)
    volts = rng.uniform(-0.2, 0.2, shape[0])
    solve(x, volts).power
    solve(x, np.tile(volts, (200, 1)))
    solve(Crossbar(np.asfortranarray(g), 2.0), volts)
    solve(Crossbar(np.stack([g, g]), 2.0), volts, workers=2)
    solve(x, read_device(x, 1, 2, 0.2))
    solve(x, custom(x, left=volts, right=0.1, bottom=0.0)).power
    sensitivities(x, volts, np.ones(shape[1]))
    transfer_matrix(x)
    if shape == (4, 3):
        dead = Crossbar(g * (np.arange(3) != 1), 2.0)
        solve(dead, read_device(dead, 2, 1, 0.2))
    for law in (Sinh(0.3), Cubic(2.0)):
        y = Crossbar(g, 2.0, iv=law)
        solve(y, volts)
        solve(y, write_device(y, 0, 1, 1.0, scheme="V/2"))
    for series in (Selector(Sinh(0.1), 1e-5), Transistor(1e3), Transistor(iv=Tabulated([-0.5, 0.5], [-1e-4, 2e-4]))):
        z = Crossbar(g, 2.0, series=series)
        solve(z, volts)
        solve(z, write_device(z, 0, 1, 1.0, scheme="V/2"))
matrix, pull = transfer_matrix_with_pullback(Crossbar(np.full((50, 49), 1e-4), 2.0))
pull(matrix)
solve(Crossbar(np.full((510, 500), 1e-4), 2.0), np.ones(510))
for n_outputs, activation in ((1, "tanh"), (3, "relu"), (1, "softplus")):
    network = MLP(2, 4, n_outputs, rng=rng, activation=activation)
    data = Dataset(rng.uniform(0, 1, (70, 2)), np.arange(70) % max(n_outputs, 2))
    train(network, data, [NoiseInjection()], device=TIO2, rng=rng, settings=TrainingSettings(n_steps=2, n_chips=2))
    transfer(network, data, device=TIO2, wire_resistance=3.0, n_transfers=3, rng=rng)
from dataclasses import replace
from tiocross import Converter, Nonlinearity, Periphery, ReadNoise, Sensing
device = replace(TIO2, read_noise=ReadNoise(0.01, "-"), nonlinearity=Nonlinearity(0.05, 0.2, "-"))
mirror = Periphery(dac=Converter(4), adc=Converter(6), sensing=Sensing("mirror", saturation=1.0), subtraction="analogue")
for own in (device, replace(device, nonlinearity=None)):
    transfer(network, data, device=own, wire_resistance=3.0, periphery=mirror, n_transfers=3, rng=rng)
from tiocross import TIO2_STATE, PulseScheme, SimulatedCrossbar, SimulatedFab, program, program_array
targets = rng.uniform(1e-4, 5e-4, (3, 4))
for biasing in ("V/2", "floating"):
    SimulatedFab(passes=2, biasing=biasing).program(targets, rng=rng, wire_resistance=2.0)
program_array(SimulatedCrossbar((3, 4), rng=rng), targets, PulseScheme(), max_passes=1)
for passes in (1, 3):
    program(targets, TIO2_STATE, rng=rng, n_chips=3, passes=passes)
    transfer(network, data, device=TIO2_STATE, passes=passes, n_transfers=3, rng=rng)
from tiocross import AveragePool2d, Conv2d, Dense, MLP, Network, RangePenalty
short = TrainingSettings(n_steps=2, n_chips=2)
images = Dataset(rng.uniform(0, 1, (70, 36)), np.arange(70) % 3)
layers = [Conv2d(3, 3, padding=1, activation="relu"), AveragePool2d(2), Conv2d(2, 2), Dense(3)]
for network in (Network(layers, (1, 6, 6), rng=rng), MLP(36, 40, 3, rng=rng), MLP(36, 100, 10, 3, rng=rng, activation="relu")):
    for techniques in ([], [NoiseInjection(), RangePenalty(0.1)]):
        train(network, images, techniques, device=TIO2, rng=rng, settings=short)
    transfer(network, images, device=TIO2, n_transfers=3, rng=rng)
    transfer(network.with_arrays([0 * array for array in network.arrays]), images, device=TIO2.ideal(), n_transfers=3, rng=rng)
"""


WARMUP = """
from tiocross.commands.main import main
assert main(["warmup"]) == 0
"""
KERNELS = """
import json, sys
from numba.core.dispatcher import Dispatcher
kernels = {f"{module.__name__}.{name}": value for module in list(sys.modules.values())
           if getattr(module, "__name__", "").endswith("_kernel") for name, value in vars(module).items()
           if isinstance(value, Dispatcher) and not value.targetoptions.get("no_cpython_wrapper")}  # no helpers
print(json.dumps({name: [[str(kind) for kind in kernel.signatures], sum(kernel.stats.cache_misses.values())]
                  for name, kernel in kernels.items()}))
"""


@pytest.mark.slow
def test_after_warming_up_nothing_is_compiled():
    """Every kernel that work calls has been called in warming up, with arguments of the same kind, and was kept.

    What is kept from earlier runs of anything may serve in warming up: compiling all anew takes a minute and shows no more.
    """
    def run(text):
        done = subprocess.run([sys.executable, "-W", "error", "-c", text + KERNELS], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    *said, warmed = run(WARMUP)
    assert said[-1].startswith("together") and any(line.startswith("transfer matrices") for line in said)
    kernels, warmed = json.loads(run(TYPICAL)[-1]), json.loads(warmed)
    assert len(kernels) >= 7
    assert kernels == {name: [warmed[name][0], 0] for name in kernels}  # the same kinds of arguments, and none was new
    assert all(len(kinds) == 1 for kinds, _ in kernels.values())


@pytest.mark.slow
def test_warming_up_in_vain_is_said(monkeypatch, capsys):
    monkeypatch.setattr(jit, "not_kept", lambda: "/full: No space left on device")
    assert main(["warmup"]) == 1
    assert "cannot be kept: /full: No space left on device" in capsys.readouterr().err
