"""The scripts run as they stand, on small numbers."""

import importlib.util
import json
import re
import runpy
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from tiocross import MLP, Crossbar, load_device, solve
from tiocross.lab.plan_files import load_readback
from tiocross.lab.plans import load_plan


def run(name, *arguments):
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / name), *arguments], capture_output=True, text=True, cwd=ROOT,
                          check=True)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.slow
def test_paper_coordinates_prints_both_networks_under_both_mappings():
    output = run("paper_coordinates.py", "--seeds", "2", "--transfers", "200", "--steps", "50")
    rows = [line.split()[:2] for line in output.splitlines() if line.startswith(("regular", "hardware-aware"))]
    assert rows == [["regular", "signed"], ["regular", "pairs"], ["hardware-aware", "signed"], ["hardware-aware", "pairs"]]
    assert "the paper: regular 0.185, hardware-aware 0.795" in output


@pytest.mark.slow
def test_periphery_costs_prints_a_row_for_each_effect():
    output = run("periphery_costs.py", "--seeds", "2", "--chips", "5", "--points", "20", "--steps", "3")
    assert output.count(" +- ") == 2 * 16 and "ADC on each line, 8 bit" in output


@pytest.mark.slow
def test_effect_table_has_a_row_for_each_effect_before_and_after(tmp_path):
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / "effect_table.py"), "--only", "ROBUST", "--seeds", "1", "--steps", "2",
                           "--transfers", "5", "--points", "20"], capture_output=True, text=True, cwd=ROOT, check=True)
    rows = [line.split(" | ") for line in done.stdout.splitlines()[2:]]
    assert len(rows) == 16 and all(len(row) == 3 for row in rows) and "stuck devices" in done.stdout


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_write_disturb_compares_every_quantile(tmp_path):
    output = run("write_disturb.py", "--chips", "2", "--seeds", "2", "--out", str(tmp_path / "new"))
    made = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert set(made) == {"write_disturb.txt", "write_disturb.png", "write_disturb.pdf"}
    assert made["write_disturb.png"].startswith(b"\x89PNG") and made["write_disturb.pdf"].startswith(b"%PDF")
    assert output == made["write_disturb.txt"].decode() + f"results: {tmp_path / 'new'}\n"
    assert "2 chips of 8 x 8" in output and "error when tuned: mean" in output
    rows = [line for line in output.splitlines() if re.match(r" *\d+ .*/", line)]
    assert [int(row.split()[0]) for row in rows] == [1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 36, 40, 43]
    first = re.findall(r"/ *(-?[\d.]+)", rows[0])  # measured, as FACTS: -26.99 ... 19.78
    assert [float(value) for value in first] == pytest.approx([-27.0, -9.0, -2.4, -0.1, 2.2, 7.7, 19.8], abs=0.06)
    n_apart = int(re.search(r"it does not follow at (\d+) of 105 places", output)[1])
    assert n_apart == sum(row.count("*") for row in rows)
    counts = re.findall(r"^  (\w+)\S* .*targets .* of 105 quantiles .* of 15 medians .*by seed (\d+) \d+$", output, re.MULTILINE)
    assert [kind for kind, _ in counts] == ["uniform", "network", "TIO2_STATE"] and int(counts[0][1]) == 105 - n_apart


@pytest.mark.slow
def test_a_lab_could_start_from_chip_on_the_table(tmp_path):
    folder = tmp_path / "chip"
    output = run("chip_on_the_table.py", "--quick", "--out", str(folder))
    titles = re.findall(r"^== (\w+)", output, flags=re.MULTILINE)
    assert titles == ["characterised", "calibrated", "trained", "planned", "programmed", "measured"]
    names = {path.name for path in folder.iterdir()}
    arrays = {f"array_{k:02d}_{what}" for k in range(4) for what in ("log.csv", "readback.csv", "report.json")}
    figures = {f"{name}.{kind}" for name in ("calibration", "chip_on_the_table") for kind in ("png", "pdf")}
    assert names == arrays | figures | {"device.json", "plan", "verdict.txt"}
    made = load_plan(folder / "plan")
    made.require_network(MLP.load(folder / "plan" / "network.npz"))
    assert str(made.device) == str(load_device(folder / "device.json")) and "source: 4 arrays" in output
    for array, targets in zip(made.layout.arrays, made.targets):
        wanted = ~np.isnan(targets)
        read = load_readback(made, array, folder / f"array_{array:02d}_readback.csv")
        assert np.median(np.abs(read / targets - 1)[wanted]) < 0.05  # tuned to 1 %, then disturbed
    shares = {name: float(share) for name, share in re.findall(r"^  (\w[\w -]+\w) +([\d.]+) %$", output, flags=re.MULTILINE)}
    assert set(shares) == {"in software", "predicted from the read-back", "measured on the arrays"}
    assert min(shares.values()) > 85 and abs(shares["predicted from the read-back"] - shares["measured on the arrays"]) < 1


def refused(name, options, monkeypatch, capsys):
    """Exit code and error of a script that is run in this process, as if it were one of its own."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    monkeypatch.setattr(sys, "argv", [name, *options])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(ROOT / "scripts" / name), run_name="__main__")
    return stop.value.code, capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options", "message"), [
    ("write_disturb.py", ["--chips", "1"], "--chips: must be at least 2"),
    ("write_disturb.py", ["--seeds", "1"], "--seeds: must be at least 2"),
    ("reconcile.py", ["--seeds", "1"], "--seeds: must be at least 2"),
    ("chip_on_the_table.py", ["--seed", "-1"], "--seed: must be at least 0"),
    ("chip_on_the_table.py", ["--wire-resistance", "nan"], "--wire-resistance must be finite"),
])
def test_scripts_refuse_bad_options_before_they_write(name, options, message, tmp_path, monkeypatch, capsys):
    code, error = refused(name, ["--out", str(tmp_path / "new"), *options], monkeypatch, capsys)
    assert code == 2 and message in error and not (tmp_path / "new").exists()


def load(name):
    sys.path.append(str(ROOT / "scripts"))  # as for a script that is run
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options", "message"), [
    ("paper_coordinates.py", ["--steps", "0"], "--steps: must be at least 1; got 0"),
    ("paper_coordinates.py", ["--transfers", "0"], "--transfers: must be at least 1; got 0"),
    ("paper_coordinates.py", ["--seeds", "1_0"], "--seeds: must be a whole number; got '1_0'"),
    ("crossbar_physics.py", ["--out", ""], "--out needs the name of a folder; got an empty one"),
    ("write_disturb.py", ["--out", ""], "--out needs the name of a folder; got an empty one"),
    ("chip_on_the_table.py", ["--out", ""], "--out needs the name of a folder; got an empty one"),
    ("benchmark.py", ["--json", ""], "--json '' is no file that can be written"),
    ("benchmark.py", ["--repetitions", "0"], "--repetitions: must be at least 1; got 0"),
    ("readme_picture.py", ["--out", ""], "--out '.' is no file that can be written"),
    ("readme_picture.py", ["--results", "nowhere", "--out", "picture.png"], "--results nowhere holds no results of tiocross"),
    ("readme_tables.py", ["--readme", "nowhere.md"], "nowhere.md"),
])
def test_scripts_say_in_one_line_what_is_wrong_and_write_nothing(name, options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, error = refused(name, options, monkeypatch, capsys)
    assert code == 2 and message in error
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_few_hardware_aware_epochs_recover_what_the_transfer_lost(tmp_path):
    output = run("fine_tune.py", "--quick", "--out", str(tmp_path))
    rows = {line[:12].strip(): [float(cell) for cell in line[12:].replace(" s", "").split()]
            for line in output.splitlines() if line.startswith(("in software", "fine-tuned"))}
    before, after = rows["in software"], rows["fine-tuned"]  # nominal, mean, p05, robust 95 %
    assert before[1] < before[0] - 0.04
    assert all(now > then + 0.02 for now, then in zip(after[1:4], before[1:4])) and after[0] > before[0] - 0.05
    assert {path.name for path in tmp_path.iterdir()} == {"fine_tune.txt", "in_software.npz", "fine-tuned.npz"}


@pytest.mark.slow
def test_transfers_of_large_networks_are_timed_with_their_memory_and_their_floor():
    output = run("benchmark_networks.py", "--quick")
    assert "64-32-10     4820       1000 x 2000   0 ohm      20" in output and "random, flops, bytes, wires" in output
    largest = json.loads(run("benchmark_networks.py", "--one", "3", "--chips", "4", "--wires", "2"))
    assert largest["n_devices"] == 340_402 and largest["peak_bytes"] < 1e9


@pytest.mark.slow
def test_programming_pulse_by_pulse_is_timed_both_ways():
    *_, row, transfer = run("benchmark_pulses.py", "--quick").splitlines()
    kernel, one_at_a_time = (float(value) for value in re.findall(r"([\d.]+) ms", row))
    assert kernel < one_at_a_time and "20 chips at 4000 points in" in transfer


@pytest.mark.slow
def test_costs_beyond_one_computer_are_measured():
    *_, plain, wired = run("cluster_costs.py", "--quick").splitlines()
    assert plain.startswith("| 64-32-10 | 4820 | 100 000 x 2 000 | 0 |") and plain.count("|") == wired.count("|") == 12


@pytest.mark.slow
def test_steps_of_large_networks_are_timed_with_their_memory_and_their_floor():
    output = run("benchmark_steps.py", "--quick", "--repetitions", "1")
    # 8 chips of 340 402 devices: 35 MB of draws, 20 MB of weights, gradients and signals; the rest are Python and libraries.
    largest = json.loads(run("benchmark_steps.py", "--one", "324-400-100-1", "--repetitions", "1"))
    assert largest["peak_bytes"] < 0.5e9 and largest["n_devices"] == 340_402
    wired = json.loads(run("benchmark_steps.py", "--one", "784-64-10", "--repetitions", "1", "--wires", "2"))
    assert wired["peak_bytes"] < 1e9  # 262 144 devices are solved together, some 1 kB each
    assert re.search(r"64-32-10 +4820 +0\.\d+ s +0\.\d+ s +0\.02 s +0\.\d+ GB +2 GB +\d+\.\d ms  ", output)
