"""The kernels give the same without compilation, and never reach outside their arrays."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

SCRIPT = """
import json, sys
import numpy as np
from tiocross import MLP, TIO2, Crossbar, Cubic, Dataset, Sinh, custom, read_device, solve, transfer, transfer_matrix
from tiocross.circuit.solvers.elimination import eliminate
from tiocross.devices.large_draws import LargeDraws
from tiocross import TrainingSettings, NoiseInjection, train
rng = np.random.default_rng(0)
g = rng.uniform(1e-5, 1e-3, (2, 4, 3))
solution = solve(Crossbar(g, 20.0), rng.uniform(-0.2, 0.2, 4))
network = MLP(2, 3, 1, rng=rng)
data = Dataset(rng.uniform(0, 1, (70, 2)), np.arange(70) % 2)
outcome = transfer(network, data, device=TIO2, wire_resistance=3.0, n_transfers=2, rng=np.random.default_rng(1),
                   keep_correct=True)
three = MLP(2, 4, 3, rng=rng, activation="tanh")
classes = transfer(three, Dataset(data.points, np.arange(70) % 3), device=TIO2, n_transfers=2, rng=rng,
                   keep_correct=True)
from dataclasses import replace
from tiocross import PERIPHERY_6_BIT, Nonlinearity, ReadNoise, Sensing
few = Dataset(data.points[:5], np.arange(5) % 3)
followed = [transfer(three, few, device=replace(TIO2, read_noise=ReadNoise(0.05, "-"), nonlinearity=law), n_transfers=2,
                     wire_resistance=wires, periphery=replace(PERIPHERY_6_BIT, sensing=Sensing(offset=0.05, saturation=1.0)),
                     rng=np.random.default_rng(3), keep_correct=True).correct.astype(int).tolist()
            for law, wires in ((None, 0.0), (Nonlinearity(0.3, 0.2, "-"), 5.0), (Nonlinearity(0.05, 0.2, "-"), 5.0))]
wide = rng.uniform(1e-4, 5e-4, (14, 11))  # large enough for coarse crossbars below it
volts = rng.uniform(-0.5, 0.5, 14)
open_ends = np.where(np.arange(14) % 3 == 1, np.nan, volts)
circuits = [solve(Crossbar(wide, 20.0), volts)]
for law in (None, Sinh(0.3), Cubic(2.0)):
    crossbar = Crossbar(wide[:7, :5], word_line_resistance=20.0, bit_line_resistance=3.0, source_resistance=9.0, iv=law)
    circuits.append(solve(crossbar, custom(crossbar, left=open_ends[:7], right=0.1, bottom=0.0)))
    circuits.append(solve(crossbar, read_device(crossbar, 5, 1, 0.4)))
short = TrainingSettings(n_steps=3, batch_size=20, n_chips=2)
trained = train(three, Dataset(data.points, np.arange(70) % 3), [NoiseInjection()], device=TIO2, rng=rng, settings=short)
from tiocross import AveragePool1d, Conv1d, ConductanceDropout, Dense, Network
eights = Dataset(rng.uniform(0, 1, (20, 8)), np.arange(20) % 2)
layers = [Conv1d(2, 3, padding=1, activation="tanh"), AveragePool1d(2), Conv1d(2, 2, bias=False), Dense(1)]
convolutional = train(Network(layers, (1, 8), rng=rng), eights, [NoiseInjection()], device=TIO2, rng=rng, settings=short)
many = MLP(8, 130, 1, rng=rng, activation="tanh")  # on 2602 devices
many = train(many, eights, [NoiseInjection(), ConductanceDropout()], device=TIO2, rng=rng,
             settings=TrainingSettings(n_steps=2, n_chips=2, scale_gradient_from=0.0))
draws = LargeDraws(TIO2, np.arange(300).reshape(20, 15))
programmed = draws.program(np.full((20, 15), 2e-4), [np.random.default_rng(5)])
writes = draws.draw([np.random.default_rng(5)])
one = np.ones(14)
eliminated = eliminate(wide[None], 20 * one, 3 * one[:11], 9 * one, 0 * one[:11])
general = {"general": np.concatenate([circuit.bit_line_currents for circuit in circuits]).tolist(),
           "powers": [float(circuit.power) for circuit in circuits],
           "sweeps": [int(circuit.n_sweeps) for circuit in circuits], "eliminated": eliminated.tolist()}
json.dump({**general, "currents": solution.bit_line_currents.tolist(), "n_sweeps": solution.n_sweeps.tolist(),
           "programmed": programmed.tolist(), "drawn": [writes.constant.tolist(), writes.linear.tolist()],
           "trained": [array.tolist() for array in trained.arrays],
           "large": [array.tolist() for array in (*convolutional.arrays, *many.arrays)],
           "matrix": transfer_matrix(Crossbar(g, 20.0)).tolist(), "correct": outcome.correct.astype(int).tolist(),
           "followed": followed, "classes": classes.correct.astype(int).tolist()}, sys.stdout)
"""


def run(**environment):
    done = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, check=True, cwd=ROOT,
                          env={**os.environ, **environment})
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def compiled():
    return run()


@pytest.mark.slow
@pytest.mark.parametrize("environment", [{"NUMBA_DISABLE_JIT": "1"}, {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": "checked"}])
def test_same_numbers_without_compilation_and_with_bounds_checked(compiled, environment, tmp_path):
    if "NUMBA_CACHE_DIR" in environment:  # bounds are checked by what is not optimised, too, and it is compiled sooner
        environment = {**environment, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_OPT": "0"}
    plain = run(**environment)
    assert plain["correct"] == compiled["correct"] and plain["classes"] == compiled["classes"]
    assert plain["followed"] == compiled["followed"]
    assert plain["n_sweeps"] == compiled["n_sweeps"] and plain["sweeps"] == compiled["sweeps"]
    assert plain["programmed"] == compiled["programmed"] and plain["drawn"] == compiled["drawn"]
    # Large ones swept until 1e-9 is left, so that rounding is seen through a residual 1e6 times as large.
    np.testing.assert_allclose(plain["general"], compiled["general"], rtol=1e-11, atol=1e-16)
    np.testing.assert_allclose(plain["powers"], compiled["powers"], rtol=1e-11)
    np.testing.assert_allclose(plain["eliminated"], compiled["eliminated"], rtol=0, atol=1e-13 * 5e-4)
    # The same operations in the same order; only the rounding of fused or reordered ones may differ.
    np.testing.assert_allclose(plain["currents"], compiled["currents"], rtol=1e-12)
    for array, expected in zip(plain["trained"], compiled["trained"]):
        np.testing.assert_allclose(array, expected, rtol=1e-11)
    for array, expected in zip(plain["large"], compiled["large"]):  # of single precision, after a few steps of Adam
        np.testing.assert_allclose(array, expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(plain["matrix"], compiled["matrix"], rtol=1e-12)


def test_kernels_compile_where_no_cache_can_be_written(monkeypatch):
    from tiocross import jit

    def refuse_cache(function):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(jit, "_Cache", refuse_cache)
    assert jit.kernel(lambda x: x + 1)(2) == 3
