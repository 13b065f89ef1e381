"""ngspice, where it is installed, and what it found once, for where it is not: ``python tests/ngspice_runs.py`` solves anew."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tiocross import (
    MLP, TIO2, TIO2_8X8, Crossbar, NoiseInjection, Sinh, TrainingSettings, map_weights, share_arrays, tasks, train,
    write_netlist,
)
from tiocross.mapping.mappings import DifferentialPairs

NGSPICE = shutil.which("ngspice")
needs_ngspice = pytest.mark.skipif(NGSPICE is None, reason="ngspice is not installed")
SOLVED = Path(__file__).with_name("solved_by_ngspice.json")


def run_ngspice(deck):
    """Voltages of nodes and currents of sources by their names, as ngspice finds them; one for each input of a sweep."""
    raw = deck.with_suffix(".raw")
    subprocess.run([NGSPICE, "-b", "-r", raw, deck], check=True, capture_output=True, timeout=60)
    head, values = raw.read_bytes().split(b"Binary:\n", 1)
    names = [line.split()[1].decode() for line in head.split(b"Variables:\n")[1].splitlines()]
    return dict(zip(names, np.frombuffer(values).reshape(-1, len(names)).T))


def array_case():
    """A crossbar of nonlinear devices, and many voltages of its word lines."""
    i, j = np.ogrid[:4, :3]
    crossbar = Crossbar((100 + 35 * ((5 * i + 3 * j) % 11)) * 1e-6, 20.0, source_resistance=50.0, iv=Sinh(0.3))
    return crossbar, 0.1 * ((np.arange(7)[:, None] * np.arange(1, 5)) % 9) - 0.3


def network_case(stored):
    """The stored 2-8-1 network, its targets on one shared array or on 8 x 8 arrays, crossbars that miss them, and points."""
    network = MLP.from_arrays([(np.array(array[:-1]), np.array(array[-1])) for array in stored["arrays"]], activation="tanh",
                              orientation="in_out", input_offset=np.array(stored["input_offset"]),
                              input_scale=np.array(stored["input_scale"]))
    k = np.arange(20)
    points = np.stack([(7 * k % 20) / 10 - 0.5, (3 * k % 20) / 20 - 0.2], axis=1)
    layouts = {"8x8": None, "shared": share_arrays(network.shapes, (8, 8), mapping=DifferentialPairs(digital_output_bias=True))}
    for name, layout in layouts.items():
        targets = map_weights(network, TIO2_8X8, layout=layout)
        arrays = [np.nan_to_num(each) for each in targets.layout.place(list(targets))]
        missed = [each * (1.0 + 0.04 * np.sin(np.arange(each.size)).reshape(each.shape)) for each in arrays]
        yield name, network, targets, [Crossbar(each, 2.0) for each in missed], points


def solve_all():
    """Train a network, and solve all cases; what is kept of them."""
    moons, rng = tasks.load_moons(), np.random.default_rng(3)
    start = MLP(2, 8, 1, rng=rng, activation="tanh")
    start.centre_inputs(moons.train)
    network = train(start, moons.train, [NoiseInjection()], device=TIO2, rng=rng, settings=TrainingSettings(n_steps=600))
    stored = {"arrays": [array.tolist() for array in network.arrays], "input_offset": network.input_offset.tolist(),
              "input_scale": network.input_scale.tolist()}
    with tempfile.TemporaryDirectory() as folder:
        deck = Path(folder, "circuit.cir")
        write_netlist(*array_case(), deck)
        found = run_ngspice(deck)
        stored["bit_line_currents"] = np.stack([found[f"i(vbottom{j})"] for j in range(3)], axis=1).tolist()
        for name, network, targets, crossbars, points in network_case(stored):
            write_netlist(crossbars, points, deck, network=network, layout=targets)
            stored[f"logits {name}"] = run_ngspice(deck)["v(logit0)"].tolist()
    return stored


if __name__ == "__main__":
    SOLVED.write_text(json.dumps(solve_all(), indent=1) + "\n", encoding="utf-8")
