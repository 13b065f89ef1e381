"""The command line as a user meets it."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT

from tiocross import MLP, TrainingSettings, __version__, save_device, tasks, transfer
from tiocross.commands.main import main
from tiocross.devices.tio2 import TIO2
from tiocross.study import experiment
from tiocross.study.experiment import make_experiment
from tiocross.study.recipes import RECIPES, ExperimentSettings, chip_generator
from tiocross.study.results import ResultsFolder
from tiocross.study.run import Run

SHORT = TrainingSettings(n_steps=200, n_chips=2)
ROWS = tuple(replace(recipe, training=SHORT, weight_decay=0.0) for recipe in RECIPES
             if recipe.name in ("regular", "straight line, robustly trained"))
ROW_KEYS = {"name": str, "wire_resistance": float, "seed": int, "nominal_accuracy": float, "mean_accuracy": float,
            "p05_accuracy": float, "robust_fraction_95": float, "robust_fraction_99": float, "n_devices": int}


def command(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "tiocross", *arguments], capture_output=True, text=True, cwd=ROOT, **options)


def run_rows(out, data, recipes, *, n_seeds=1, n_transfers=20, wires=(0.0,), workers=1):
    """Run rows of the experiment in this process, without figures."""
    settings = ExperimentSettings(seeds=tuple(range(n_seeds)), wire_resistances=wires, n_transfers=n_transfers, recipes=recipes)
    study = replace(make_experiment(tasks.load_moons(data), TIO2, settings), after_rows=lambda run, crew: None)
    return Run(study, ResultsFolder(out, overwrite=True), workers=workers).execute()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with half moons of its own."""
    folder = tmp_path_factory.mktemp("run")
    tasks.save_moons(tasks.generate_moons(rng=np.random.default_rng(1), n_test=400), folder)
    return folder


@pytest.fixture(scope="module")
def finished(data):
    """What a small run of the command printed on both streams, and its folder."""
    folder = data
    arguments = ["experiment", "--seeds", "1", "--data", str(folder), "--transfers", "600", "--out", str(folder / "out"),
                 "--wire-resistance", "0", "5", "--workers", "2"]
    output, error = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output), contextlib.redirect_stderr(error):
        patch.setattr("tiocross.commands.experiment.ROWS", ROWS)
        patch.setattr(sys, "argv", ["tiocross", *arguments])
        code = main(arguments)
    assert code == 0, error.getvalue()
    return output.getvalue(), error.getvalue(), folder


def test_results_folder_holds_what_is_promised(finished):
    *_, folder = finished
    names = {path.name for path in (folder / "out").iterdir()}
    figures = {f"{name}.{kind}" for name in ("decision_maps", "rate_curves", "accuracy_histograms", "conductance_maps")
               for kind in ("png", "pdf")}
    assert names == {"summary.json", "provenance.json", "table.txt", "table.csv", "table.tex", "report.html", "networks",
                     *figures}
    for name in figures:
        start = (folder / "out" / name).read_bytes()[:8]
        assert start.startswith(b"\x89PNG" if name.endswith("png") else b"%PDF")
    assert len(list((folder / "out" / "networks").glob("*.npz"))) == len(ROWS)
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 4
    assert all(f"<h2>{part}</h2>" in page for part in ("The answer", "The numbers", "What was assumed"))


def test_a_first_look_has_the_rows_of_the_figures_trained_as_ever(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr("tiocross.commands.experiment.prepare_run", lambda study, _: made.append(study) or (lambda: None))
    assert main(["experiment", "--quick", "--out", str(tmp_path / "out")]) == 0
    whole = {recipe.name: recipe for recipe in experiment.ROWS}
    assert len(made[0].settings.recipes) == 5 and made[0].settings.training == ExperimentSettings().training
    assert all(recipe == whole[recipe.name] for recipe in made[0].settings.recipes)


def test_summary_follows_its_schema(finished):
    *_, folder = finished

    def refuse(word):
        raise AssertionError(f"{word} in summary.json")

    summary = json.loads((folder / "out" / "summary.json").read_text(), parse_constant=refuse)
    assert (summary["schema"], summary["n_transfers"], summary["seeds"], summary["complete"]) == (2, 600, [0], True)
    assert summary["study"] == "experiment" and summary["choices"] == [] and len(summary["figures"]) == 4
    assert all(text.endswith((".", "?")) for key in ("conclusion", "assumptions", "not_meant", "how_to_read")
               for text in [summary["question"], *summary[key]])
    assert [(row["n_devices"], row["layout"]) for row in summary["arrays"]] == [
        (66, "1 array(s) of 3 x 16, 1 array(s) of 9 x 2"), (6, "1 array(s) of 3 x 2")]
    assert summary["wire_resistances"] == [0.0, 5.0]
    assert len(summary["rows"]) == 2 * len(ROWS)
    for row in summary["rows"]:
        assert ROW_KEYS.items() <= {key: type(value) for key, value in row.items()}.items()
        for key in ("nominal_accuracy", "mean_accuracy", "robust_fraction_95"):
            low, high = row["intervals"][key]
            assert 0 <= low <= row[key] <= high <= 1
    assert {row["name"]: row["n_devices"] for row in summary["rows"]}["straight line, robustly trained"] == 6
    assert summary["data"]["test_points_in_train"] == 0


def test_rows_can_be_reproduced_from_the_saved_networks(finished):
    *_, folder = finished
    rows = json.loads((folder / "out" / "summary.json").read_text())["rows"]
    row = next(row for row in rows if row["name"] == "regular" and row["wire_resistance"] == 5.0)
    network = MLP.load(folder / "out" / "networks" / "regular_seed0.npz")
    moons = tasks.load_moons(folder)
    outcome = transfer(network, moons.test, device=TIO2, wire_resistance=5.0, n_transfers=600, rng=chip_generator(0))
    assert outcome.accuracies.mean() == pytest.approx(row["mean_accuracy"], abs=1e-6)
    assert (outcome.rates >= 0.95).mean() == pytest.approx(row["robust_fraction_95"], abs=1e-12)


def test_provenance_names_versions_arguments_and_device(finished):
    *_, folder = finished
    facts = json.loads((folder / "out" / "provenance.json").read_text())
    assert facts["versions"]["tiocross"] == __version__ and set(facts["versions"]) >= {"python", "numpy", "numba", "matplotlib"}
    assert facts["arguments"][:2] == ["experiment", "--seeds"]
    assert facts["command"].startswith("tiocross experiment --seeds 1 --data ")
    assert facts["device"]["g_max [S]"] == 5e-4 and facts["training"]["n_steps"] > 0 and len(facts["data_sha256"]) == 64


def test_table_and_warnings_are_printed_and_progress_stays_quiet(finished):
    output, error, folder = finished
    assert error == ""
    assert "Read it beside the nominal" in " ".join(output.split()) and str(folder / "out") in output
    assert output.startswith("The most robust row is ") and max(map(len, output.splitlines()[:-1])) <= 100
    assert (folder / "out" / "table.txt").read_text() in output
    for recipe in ROWS:
        assert output.count(f"\n{recipe.name} ") == 2


def test_outcome_does_not_depend_on_workers(finished, tmp_path):
    *_, folder = finished
    report = run_rows(tmp_path, folder, ROWS, n_transfers=600, wires=(0.0, 5.0))
    assert (tmp_path / "summary.json").read_bytes() == (folder / "out" / "summary.json").read_bytes()
    assert (folder / "out" / "table.txt").read_text() == report


def test_overlap_of_test_and_training_points_is_reported(finished, tmp_path):
    *_, folder = finished
    moons = tasks.load_moons(folder)
    shared = tasks.Task(moons.train, tasks.Dataset(moons.train.points[:50], moons.train.labels[:50]), "x", moons.validation)
    tasks.save_moons(shared, tmp_path)
    report = run_rows(tmp_path / "out", tmp_path, ROWS[1:])
    note = "note: 50 of the test points also stand in the training data"
    assert note in report and note in (tmp_path / "out" / "table.txt").read_text()
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["data"]["test_points_in_train"] == 50


@pytest.mark.parametrize(("arguments", "message"), [
    (["experiment", "--transfers", "0"], "n_transfers must be at least 1; got 0"),
    (["experiment", "--wire-resistance", "-3"], "wire_resistance must be finite and within [0, 1e+09] ohm; got -3"),
    (["experiment", "--wire-resistance", "2", "2"], "wire_resistances must differ"),
    (["experiment", "--seeds", "0"], "the number of seeds must be at least 1; got 0"),
    (["experiment", "--workers", "0"], "the number of workers must be at least 1; got 0"),
    (["experiment", "--transfer", "10"], "unknown argument '--transfer'; did you mean '--transfers'?"),
    (["experimnt"], "unknown command 'experimnt'; did you mean 'experiment'?"),
    (["experiment", "--transfers", "many"], "--transfers: must be a whole number; got 'many'"),
    (["experiment", "--data", "no/such/folder"], "no/such/folder: No such file or directory"),
    (["experiment", "--device", "no_device.json"], "no_device.json: No such file or directory"),
    (["experiment", "--out", ""], "the output folder needs a name"),
    (["experiment", "--transfers", "1000000000"], "GB of memory; ask for fewer"),
    (["experiment", "--out", "README.md/results"], "README.md is not a folder; choose another with --out"),
    (["compare", "--only", "regular", "ROBUS"], "row 'ROBUS' is unknown; did you mean 'ROBUST'?"),
    (["experiment", "--wire-resistance", "0", "1e16"], "wire_resistance must be finite and within [0, 1e+09] ohm; got 1e+16"),
    (["compare", "--device", "TIO2.json", "--only", "ROBUST, all on one array"], "TIO2.json: No such file or directory"),
    (["compare", "--task", "moon"], "task 'moon' is unknown; did you mean 'moons'?"),
    (["compare", "--task", "circles", "--data", "."], "--data . and --task circles name two tasks; leave one of them out"),
    (["compare", "--seeds", "0"], "the number of seeds must be at least 1; got 0"),
])
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    before = set(ROOT.iterdir())
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    error = capsys.readouterr().err
    assert code == 2 and message in error and len(error.splitlines()) == 1
    assert set(ROOT.iterdir()) == before


def test_unwritable_folder_is_refused_before_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert main(["experiment", "--out", str(tmp_path / "results")]) == 2
    assert "is not writable; choose another with --out" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_bad_files_end_with_exit_code_2_and_their_name(tmp_path, capsys):
    save_device(TIO2, tmp_path / "device.json")
    text = (tmp_path / "device.json").read_text()
    (tmp_path / "device.json").write_text(text.replace("g_max [S]", "g_max [uS]"))
    assert main(["experiment", "--device", str(tmp_path / "device.json"), "--out", str(tmp_path / "out")]) == 2
    assert "did you mean 'g_max [S]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_failure_while_computing_is_exit_code_1(tmp_path, monkeypatch, capsys):
    for error, text in ((FloatingPointError("the loss is nan at step 3"), "the loss is nan at step 3"),
                        (OSError(28, "No space left on device", "summary.json"), "summary.json: No space left on device"),
                        (MemoryError("80 GB"), "not enough memory (80 GB); ask for fewer transfers or smaller arrays")):
        def fail(self, error=error):
            raise error

        monkeypatch.setattr(Run, "execute", fail)
        assert main(["experiment", "--out", str(tmp_path / "out")]) == 1
        assert f"tiocross: failed: {text}\n" == capsys.readouterr().err


def test_folder_with_files_of_others_is_left_alone(tmp_path, capsys):
    (tmp_path / "networks").mkdir()
    mine = [tmp_path / "summary.json", tmp_path / "networks" / "my_seed_study.npz"]
    for file in mine:
        file.write_text("{}")
    for more in ([], ["--overwrite"]):
        assert main(["experiment", "--out", str(tmp_path), *more]) == 2
        assert "holds files that tiocross did not write; choose another with --out" in capsys.readouterr().err
    assert all(file.read_text() == "{}" for file in mine) and len(list(tmp_path.iterdir())) == 2


def test_new_run_takes_the_place_of_an_earlier_one_only(finished, tmp_path):
    *_, folder = finished
    networks = tmp_path / "out" / "networks"
    run_rows(tmp_path / "out", folder, (replace(ROWS[1], name="a name of mine"),), n_seeds=2)
    assert {path.name for path in networks.iterdir()} == {"a_name_of_mine_seed0.npz", "a_name_of_mine_seed1.npz"}
    mine = [tmp_path / "out" / "notes.txt", networks / "my_seed_study.npz", networks / "regular_seed7.npz"]
    for file in mine:
        file.write_text("mine")
    half = [tmp_path / "out" / ".tiocross-0123456789abcdef.txt", networks / ".tiocross-0123456789abcdef.npz"]  # of a killed run
    for file in half:
        file.write_text("half a file")
    run_rows(tmp_path / "out", folder, ROWS[1:])
    assert {path.name for path in networks.iterdir()} == {
        "straight_line_robustly_trained_seed0.npz", *(path.name for path in mine[1:])}
    assert all(file.read_text() == "mine" for file in mine) and not any(file.exists() for file in half)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_earlier_results_stay_unless_overwrite_is_asked_for_and_all_else_is_good(finished, capsys):
    *_, folder = finished
    before = contents(folder / "out")
    for arguments, message in (
            ([], "holds results of an earlier run (tiocross experiment --seeds 1"),
            (["--overwrite", "--wire-resistance", "0", "1e16"], "within [0, 1e+09] ohm"),
            (["--overwrite", "--device", "none.json"], "none.json: No such file"),
            (["--overwrite", "--workers", "0"], "the number of workers must be at least 1")):
        assert main(["experiment", "--out", str(folder / "out"), *arguments]) == 2
        assert message in capsys.readouterr().err
        assert contents(folder / "out") == before
    assert main(["compare", "--out", str(folder / "out")]) == 2
    assert "or replace them with --overwrite" in capsys.readouterr().err


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_in_which_a_run_died_early_is_used_without_asking(tmp_path, overwrite):
    (tmp_path / "networks").mkdir()
    (tmp_path / ".tiocross-0123456789abcdef.json").write_text("{")
    (tmp_path / ".lock").touch()
    folder = ResultsFolder(tmp_path, overwrite=overwrite)
    with folder.locked():
        folder.begin()
        folder.save_provenance()
    assert {path.name for path in tmp_path.iterdir()} == {"networks", "provenance.json"}
    ResultsFolder(tmp_path).require_free()  # it died before its first row
    (tmp_path / "summary.json").write_text(json.dumps({"rows": [{}]}))
    with pytest.raises(ValueError, match="holds results of an earlier run"):
        ResultsFolder(tmp_path)
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(ValueError, match="holds results of an earlier run"):
        ResultsFolder(tmp_path)
    ResultsFolder(tmp_path, overwrite=True)


def test_two_runs_do_not_write_into_one_folder(tmp_path, capsys):
    with ResultsFolder(tmp_path / "out").locked():
        assert main(["experiment", "--quick", "--out", str(tmp_path / "out")]) == 2
        assert "another process writes to" in capsys.readouterr().err
        (tmp_path / "out" / "summary.json").write_text("{")  # results that one would replace: who writes comes first
        assert main(["experiment", "--quick", "--out", str(tmp_path / "out")]) == 2
        assert "another process writes to" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["summary.json"]


def test_layouts_that_a_row_cannot_have_are_refused_before_any_training(tmp_path, capsys):
    save_device(TIO2, tmp_path / "card.json")
    assert main(["compare", "--device", str(tmp_path / "card.json"), "--only", "ROBUST, all on one array", "--out",
                 str(tmp_path / "out")]) == 2
    assert "layers share arrays of a stated size" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_figure_that_no_later_run_would_remove_is_refused(tmp_path):
    with pytest.raises(ValueError, match="figure 'mine' must be one of decision_maps, "):
        ResultsFolder(tmp_path).save_figure(None, "mine")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent differently there")
def test_interrupt_ends_the_run_soon_and_keeps_finished_rows(data, tmp_path):
    process = subprocess.Popen([sys.executable, "-m", "tiocross", "experiment", "--data", str(data), "--out", str(tmp_path)],
                               cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    summary = tmp_path / "summary.json"
    deadline = time.monotonic() + 120
    while not summary.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    start = time.monotonic()
    output, error = process.communicate(timeout=60)
    # "Within a second" is what a user sees; a loaded test machine may take longer, but not the minute of a full run.
    assert time.monotonic() - start < 10
    assert process.returncode == 130, (output, error)
    assert error.strip() == "interrupted"
    rows = json.loads(summary.read_text())
    assert rows["complete"] is False and f"{len(rows['rows'])} of " in output
    assert not list(tmp_path.rglob(".*"))  # no half-written file


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no process group to look at")
def test_processes_do_not_train_on_when_the_run_is_killed(data, tmp_path):
    arguments = ["compare", "--only", "ROBUST", "--workers", "2", "--transfers", "20", "--data", str(data), "--out", str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-m", "tiocross", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "provenance.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(8.0)  # until they train, which takes them a minute at least
    process.kill()
    process.wait()
    start = time.monotonic()
    while is_alive(process.pid) and time.monotonic() - start < 60:
        time.sleep(0.1)
    assert not is_alive(process.pid), "processes of the killed run are still there"
    assert time.monotonic() - start < 20


def is_alive(group):
    """Whether any process of a group runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_version_and_help():
    assert command("--version").stdout == f"tiocross {__version__}\n"
    for name in ("experiment", "compare"):
        text = command(name, "--help").stdout
        for part in ("--wire-resistance OHM", "in ohm", "exit codes", "--quick"):
            assert part in text
