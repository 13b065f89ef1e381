"""The scripts run as they stand, on small numbers."""

import importlib.util
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from tiocross import Crossbar, solve


def run(name, *arguments):
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / name), *arguments], capture_output=True, text=True, cwd=ROOT,
                          check=True)
    assert done.stderr == ""
    return done.stdout


def test_paper_coordinates_prints_both_networks_under_both_mappings():
    output = run("paper_coordinates.py", "--seeds", "2", "--transfers", "200", "--steps", "50")
    rows = [line.split()[:2] for line in output.splitlines() if line.startswith(("regular", "hardware-aware"))]
    assert rows == [["regular", "signed"], ["regular", "pairs"], ["hardware-aware", "signed"], ["hardware-aware", "pairs"]]
    assert "the paper: regular 0.185, hardware-aware 0.795" in output


def test_crossbar_physics_draws_four_figures_and_prints_their_numbers(tmp_path):
    output = run("crossbar_physics.py", "--quick", "--out", str(tmp_path / "new" / "folder"))
    names = ("ir_drop", "read_schemes", "approximations", "half_select")
    made = {path.name: path.read_bytes() for path in (tmp_path / "new" / "folder").iterdir()}  # and no temporary files
    assert set(made) == {f"{name}.{kind}" for name in names for kind in ("png", "pdf")}
    assert all(content.startswith(b"\x89PNG" if name.endswith("png") else b"%PDF") for name, content in made.items())
    cells = (re.split(r"  +", line.strip()) for line in output.splitlines() if line.startswith("  "))
    rows = {name: [float(cell.split()[0]) for cell in rest if cell.endswith(("%", "ohm"))] for name, *rest in cells}
    assert all(rows["5 ohm"][1] > loss for loss in rows["20 ohm"][1:])  # losses are negative
    assert rows["floating"][-1] > rows["floating"][0] > 0 > rows["grounded"][0] > rows["grounded"][-1]
    assert all(first > 5 * ideal for ideal, first in zip(rows["ideal wires"], rows["first order"]))
    assert 100 > rows["nearest corner"][-1] > rows["farthest corner"][-1] > rows["farthest, sinh law"][-1] > 50


def test_crossbar_physics_refuses_a_file_in_place_of_its_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run("crossbar_physics.py", "--quick", "--out", str(tmp_path / "file"))
    assert "cannot be made" in caught.value.stderr and "Traceback" not in caught.value.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_first_order_of_the_figures_is_the_slope_of_exact_currents():
    script = load("crossbar_physics")
    rng = np.random.default_rng(8)
    conductances, voltages = rng.uniform(1e-4, 5e-4, (2, 5, 3)), rng.uniform(-0.2, 0.2, (2, 5))
    resistance = 1e-3  # the second order is about (r G N^2)^2 = 1e-10 of the current, 1e-5 of the first
    exact = solve(Crossbar(conductances, resistance), voltages, rtol=1e-14).bit_line_currents
    losses = (np.einsum("ki,kij->kj", voltages, conductances) - exact) / resistance
    np.testing.assert_allclose(script.first_order_losses(conductances, voltages), losses, rtol=1e-4,
                               atol=1e-4 * np.abs(losses).max())


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
