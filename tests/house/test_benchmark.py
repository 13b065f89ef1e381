"""The benchmark measures what it says: tiny sizes, accuracies and the table's shape, no times."""

import json
import runpy
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

SCRIPT = ROOT / "scripts" / "benchmark.py"


pytestmark = pytest.mark.slow  # runs the benchmark from end to end


def run(*arguments):
    done = subprocess.run([sys.executable, str(SCRIPT), "--quick", *arguments], capture_output=True, text=True, cwd=ROOT,
                          check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    path = tmp_path_factory.mktemp("benchmark") / "all.json"
    return run("--json", str(path)).stdout.splitlines(), json.loads(path.read_text())


def test_every_case_is_a_line_and_every_line_has_its_columns(everything):
    lines, content = everything
    top = next(k for k, line in enumerate(lines) if line.startswith("case "))
    table = lines[top : lines.index("", top)]
    assert table[0].split() == ["case", "fresh", "again", "device", "goal", "error", "loosest", "takes", "against", "its",
                                "best", "ratio", "of", "again", "goal"]
    assert len({len(line) for line in table}) == 1
    others = [other for row in content["rows"] for other in row["against"]]
    bare = sum(not row["against"] for row in content["rows"])
    assert len(table) == 2 + bare + len(others) + sum(len(other.get("parts_s", ())) for other in others)  # header, memory
    named = [line[:30].strip() for line in table[1:] if line[:30].strip()]
    assert named == [row["case"] for row in content["rows"]]
    for wanted in ("one input 8x8", "one input 16x16, 2 threads", "30 arrays of 8x8, each", "20 arrays of 12x12, each",
                   "40 inputs on one 12x12", "20 ohm", "100 ohm", "write V/2", "write V/3", "read floating", "read grounded",
                   "sinh", "cubic", "one input 24x24", "one input 24x24, 2 threads"):
        assert any(name.startswith(wanted) for name in named), wanted


def test_every_case_reaches_the_wanted_accuracy(everything):
    for row in everything[1]["rows"]:
        assert row["error"] <= 1e-6, row["case"]
        assert row["loose_rtol"] in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def test_references_solve_the_same_circuit(everything):
    # The references are dense and sparse solutions: only tiocross's own error, at most 1e-6, is between them.
    rows = [row for row in everything[1]["rows"] if row["case"].startswith(("one input", "30 arrays", "40 inputs"))]
    found = [other for row in rows for other in row["against"] if not other["name"].startswith("one thread")]
    assert [other for other in found if other["name"] == "NumPy dense"]
    for other in found:
        assert other.get("failure") is None
        assert other["differs_by"] <= 1.001e-6


def test_ratios_are_of_the_best_times(everything):
    for row in everything[1]["rows"]:
        for other in row["against"]:
            for own, its, ratio in (("fresh_s", "best_s", "ratio"), ("again_s", "again_s", "again_ratio")):
                faster = other[its] / row[own]
                assert other[ratio] == pytest.approx(1 / faster if other["longer"] else faster)
            assert other["scale"] >= 1
            assert (other["n_circuits"] is None) == (other["scale"] == 1)


def test_times_of_many_arrays_are_of_each(everything):
    rows = {row["case"]: row for row in everything[1]["rows"]}
    assert rows["30 arrays of 8x8, each"]["n_arrays"] == 30
    assert rows["30 arrays of 8x8, each"]["fresh_s"] == pytest.approx(64e-9 * rows["30 arrays of 8x8, each"]["device_ns"])
    assert rows["40 inputs on one 12x12"]["n_arrays"] == 1
    assert rows["40 inputs on one 12x12"]["fresh_s"] == pytest.approx(
        40 * 144e-9 * rows["40 inputs on one 12x12"]["device_ns"])


def test_sweeps_stand_beside_bandwidth_and_floor(everything):
    lines, content = everything
    sweeps = content["sweeps"]
    assert [row["n"] for row in sweeps] == [8, 16]
    assert all(row["bandwidth"] > 0 and row["by_bytes_ns"] > 0 and row["by_operations_ns"] > 0 for row in sweeps)
    for row in sweeps:
        sweep = max(row["by_bytes_ns"], row["by_operations_ns"])
        assert row["whole_floor_ns"] == pytest.approx(8 / 7 * (row["n_sweeps"] * sweep + row["factoring_ns"]))
    assert any(line.startswith("a sweep: 7 numbers read, 2 written, 1 more fetched") for line in lines)
    assert "OPENBLAS_NUM_THREADS = " in lines[2]
    (machine,) = content["memory"]
    assert [level["level"] for level in machine["levels"]] == ["L1"]
    assert min(machine["speed"].values()) > 0
    (first,) = content["first_solution"]
    assert set(first["cached"]) == {"import", "solve", "nonlinear", "transfer_matrix", "solve again"}
    large = next(row for row in content["rows"] if row["case"] == "one input 24x24, 2 threads")
    assert large["peak_bytes"] > 1e7


def test_what_ngspice_was_not_asked_for_is_said(everything):
    lines, content = everything
    assert [row["n"] for row in content["ngspice"]] == [8, 12]
    for row in content["ngspice"]:
        assert ("ngspice" in row) != ("missing" in row)
        if "ngspice" in row:
            assert row["ngspice"]["differs_by"] < 1e-6
            assert row["whole_ratio"] == pytest.approx(row["ngspice"]["whole_s"] / row["fresh_s"])
        else:
            assert row["missing"] == "not measured: ngspice is not installed"
            assert any(row["missing"] in line for line in lines)


def test_sizes_beyond_the_time_for_ngspice_are_not_tried(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import benchmark_ngspice

    asked = []

    def run_slowly(problem, patience):
        asked.append(problem.crossbar.n_word_lines)
        return {"whole_s": 3.0, "analysis_s": 2.5, "ordering_s": 0.5, "currents": problem.currents(1e-9)}

    monkeypatch.setattr(benchmark_ngspice, "is_ngspice_there", lambda: True)
    monkeypatch.setattr(benchmark_ngspice, "run_ngspice", run_slowly)
    first, second = benchmark_ngspice.measure_beside_ngspice((3, 4), 1, 20)
    assert asked == [3]
    assert first["solving_ratio"] == pytest.approx(2.0 / first["fresh_s"])
    assert second["missing"] == "not measured: 3x3 took 3 s, the limit is 20 s"
    assert second["fresh_s"] > 0


def test_compensation_and_matrices_are_timed(everything):
    content = everything[1]
    assert [(row["n"], row["scale"]) for row in content["compensation"]] == [(8, "free"), (8, "fixed"), (12, "free"),
                                                                             (12, "fixed")]
    assert all(row["found"]["error"] < row["found"]["error_before"] for row in content["compensation"])
    assert [row["n"] for row in content["matrices"]] == [8, 12]


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
    assert "beside the floor" not in output


@pytest.mark.parametrize("arguments, message", [
    (("--only", "no such case"), "--only finds none of: one input"),
    (("--only", "("), "--only must be a regular expression"),
    (("--repetitions", "0"), "argument --repetitions: must be at least 1; got 0"),
    (("--patience", "0"), "argument --patience: must be at least 1; got 0"),
])
def test_bad_arguments_are_refused_before_any_measurement(arguments, message, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--quick", *arguments])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    shown = capsys.readouterr()
    assert stop.value.code == 2 and message in shown.err and shown.out == ""


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


def test_assembled_for_cholmod_is_half_of_the_nodal_matrix(monkeypatch):
    sparse = pytest.importorskip("scipy.sparse")
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from benchmark_cholmod import assemble
    from benchmark_references import Nodal

    from tiocross import Crossbar, read_columns

    rng = np.random.default_rng(6)
    crossbar = Crossbar(rng.uniform(1e-5, 1e-3, (3, 4)), word_line_resistance=rng.uniform(1, 9, 3),
                        bit_line_resistance=rng.uniform(1, 9, 4), source_resistance=rng.uniform(0, 50, 3),
                        sense_resistance=rng.uniform(0, 50, 4))
    nodal = Nodal(crossbar, read_columns(crossbar, np.ones(3)), 0)
    whole = sparse.csc_matrix((nodal.siemens, (nodal.rows, nodal.columns)), shape=(24, 24)).toarray()
    lower = assemble(crossbar.conductances, crossbar)
    assert lower.has_sorted_indices
    np.testing.assert_allclose(lower.toarray(), np.tril(whole), rtol=1e-15, atol=1e-15)
