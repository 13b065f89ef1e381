"""The benchmark measures what it says: tiny sizes, accuracies and the table's shape, no times."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

SCRIPT = ROOT / "scripts" / "benchmark.py"


pytestmark = pytest.mark.slow  # runs the benchmark from end to end


def run(*arguments, check=True):
    done = subprocess.run([sys.executable, str(SCRIPT), "--quick", *arguments], capture_output=True, text=True, cwd=ROOT,
                          check=False)
    assert not check or (done.returncode, done.stderr) == (0, "")
    return done


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    path = tmp_path_factory.mktemp("benchmark") / "all.json"
    return run("--json", str(path)).stdout.splitlines(), json.loads(path.read_text())


def test_every_case_is_a_line_and_every_line_has_its_columns(everything):
    lines, content = everything
    top = next(k for k, line in enumerate(lines) if line.startswith("case "))
    table = lines[top : lines.index("", top)]
    assert table[0].split() == ["case", "rtol", "error", "best", "median", "at", "1e-6", "against", "its", "best", "ratio",
                                "goal"]
    assert len({len(line) for line in table}) == 1
    assert len(table) == 1 + sum(max(1, len(row["against"])) for row in content["rows"])
    named = [line[:30].strip() for line in table[1:] if line[:30].strip()]
    assert named == [row["case"] for row in content["rows"]]
    for wanted in ("one input 8x8", "30 arrays of 8x8", "40 inputs on one 12x12", "20 ohm", "100 ohm", "write V/2",
                   "write V/3", "read floating", "read grounded", "sinh", "cubic", "one input 24x24", "growth"):
        assert any(name.startswith(wanted) for name in named), wanted


def test_every_case_reaches_the_wanted_accuracy(everything):
    for row in everything[1]["rows"]:
        assert row["error"] <= 1e-6, row["case"]
        assert row["rtol"] in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def test_references_solve_the_same_circuit(everything):
    # The references are dense and sparse solutions: only tiocross's own error, at most 1e-6, is between them.
    rows = [row for row in everything[1]["rows"] if row["case"].startswith(("one input", "30 arrays", "40 inputs"))]
    found = [other for row in rows for other in row["against"]]
    assert [other for other in found if other["name"] == "NumPy dense"]
    for other in found:
        assert other.get("failure") is None
        assert other["differs_by"] <= 1.001e-6


def test_ratios_are_of_the_best_times(everything):
    for row in everything[1]["rows"]:
        for other in row["against"]:
            ratio = other["best_s"] / row["best_s"]
            assert other["ratio"] == pytest.approx(1 / ratio if other["longer"] else ratio)
            assert other["scale"] >= 1
            assert (other["n_circuits"] is None) == (other["scale"] == 1)


def test_sweeps_stand_beside_bandwidth_and_floor(everything):
    lines, content = everything
    (sweeps,) = content["sweeps"]
    assert [row["n"] for row in sweeps["rows"]] == [8, 16]
    assert all(row["bandwidth"] > 0 and row["by_bytes_ns"] > 0 and row["by_operations_ns"] > 0 for row in sweeps["rows"])
    assert any("four lines in flight" in line for line in lines)
    assert "OPENBLAS_NUM_THREADS = " in lines[1]
    (first,) = content["first_solution"]
    assert set(first["cached"]) == {"import", "solve", "nonlinear", "transfer_matrix", "solve again"}
    assert next(row for row in content["rows"] if row["case"] == "one input 24x24")["peak_bytes"] > 1e7


def test_training_is_timed_beside_the_same_training_in_plain_numpy(everything):
    lines, content = everything
    (training,) = content["training"]
    assert [row["n_networks"] for row in training["steps"]] == [1, 2]
    for row in training["steps"]:
        assert row["ratio"] == pytest.approx(row["plain_best_s"] / row["best_s"])
        assert row["differs_by"] < 1e-6  # four steps from the same start; compiled passes are of single precision
    assert [row["case"] for row in training["whole"]] == ["one robust 2-8-1 network", "retrained for one chip"]
    assert any(line.startswith("retrained for one chip: ") for line in lines)


def test_only_some_cases_on_request():
    output = run("--only", "^read (V/2|floating) 8x8").stdout
    assert [line.split()[1] for line in output.splitlines() if line.startswith("read ")] == ["floating", "V/2"]
    assert "nanoseconds" not in output


@pytest.mark.parametrize("arguments, message", [
    (("--only", "no such case"), "--only finds none of: one input"),
    (("--only", "("), "--only must be a regular expression"),
    (("--repetitions", "0"), "argument --repetitions: must be at least 1; got 0"),
])
def test_bad_arguments_are_refused_before_any_measurement(arguments, message):
    done = run(*arguments, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_references_agree_with_the_oracle(monkeypatch):
    from oracle import dense_circuit

    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from benchmark_references import dense_reference

    from tiocross import Crossbar, custom

    rng = np.random.default_rng(5)
    wires = {"word_line_resistance": rng.uniform(1, 9, 3), "bit_line_resistance": rng.uniform(1, 9, 4),
             "source_resistance": rng.uniform(0, 50, 3), "sense_resistance": rng.uniform(0, 50, 4)}
    crossbar = Crossbar(rng.uniform(1e-5, 1e-3, (3, 4)), **wires)
    ends = {"left": np.array([0.2, np.nan, -0.1]), "right": np.array([np.nan, np.nan, 0.3]),
            "top": np.array([np.nan, 0.1, np.nan, np.nan]), "bottom": np.array([0.0, 0.05, np.nan, 0.0])}
    expected = dense_circuit(crossbar.conductances, **ends, **wires)
    found = dense_reference(crossbar, custom(crossbar, **ends), 1).run()
    # wires conduct some 1e4 times as well as devices: as many units of rounding
    np.testing.assert_allclose(found, -expected.end_currents.bottom, rtol=1e-11, atol=1e-18)
