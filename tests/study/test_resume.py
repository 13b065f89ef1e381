"""A study that was stopped goes on: the results are those of one that was not."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from conftest import ROOT

from tiocross import TrainingSettings, tasks
from tiocross.commands.main import main
from tiocross.devices.tio2 import TIO2, TIO2_8X8
from tiocross.study import choosing, comparison
from tiocross.study.comparison import make_comparison
from tiocross.study.experiment import make_experiment
from tiocross.study.methods import COMPARED
from tiocross.study.recipes import RECIPES, ExperimentSettings
from tiocross.study.results import ResultsFolder
from tiocross.study.run import Run

SHORT = TrainingSettings(n_steps=60, n_chips=2)
ROWS = tuple(replace(recipe, training=SHORT, weight_decay=0.0) for recipe in RECIPES
             if recipe.name in ("regular", "straight line, robustly trained"))
SAME = ("summary.json", "table.txt", "table.csv", "table.tex")


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def points():
    task = tasks.generate_moons(rng=np.random.default_rng(1), n_test=200)
    return replace(task, validation=task.train)


def make_study(points, **changes):
    settings = ExperimentSettings(seeds=(0, 1), wire_resistances=(0.0, 5.0), n_transfers=300, recipes=ROWS)
    return replace(make_experiment(points, TIO2, replace(settings, **changes)), after_rows=lambda run, crew: None)


def run_study(study, out, *, stop_after=None, executor=None, workers=1, **how):
    """A run that ends after so many counts of progress, as if killed."""
    n_seen = 0

    def count(name, done):
        nonlocal n_seen
        n_seen += 1
        if n_seen == stop_after:
            raise Killed

    return Run(study, ResultsFolder(out, **how), workers=workers, executor=executor, on_progress=count).execute()


def require_same(one, other, names=SAME):
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_a_stopped_experiment_gives_what_an_uninterrupted_one_gives(points, tmp_path):
    study = make_study(points)
    run_study(study, tmp_path / "whole")
    for stop_after in (1, 4, 9):
        with pytest.raises(Killed):
            run_study(study, tmp_path / "out", stop_after=stop_after, resume=True)
    trained, judged = [], []
    run = Run(study, ResultsFolder(tmp_path / "out", resume=True), on_progress=lambda name, done: judged.append(name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tiocross.study.run.train_recipe", lambda *a, **k: trained.append(a) or pytest.fail("trained again"))
        run.execute()
    require_same(tmp_path / "whole", tmp_path / "out")
    files = [{path.relative_to(folder): path.stat().st_size for path in sorted(folder.rglob("*.npz"))}
             for folder in (tmp_path / "whole", tmp_path / "out")]
    assert files[0] == files[1] and len(files[0]) == 4 and not (tmp_path / "out" / "finished.jsonl").exists()
    with pytest.raises(ValueError, match="are complete, or of a release that could not go on; there is nothing to resume"):
        ResultsFolder(tmp_path / "out", resume=True)


def test_an_executor_gives_the_same_bytes(points, tmp_path):
    run_study(make_study(points), tmp_path / "whole")
    with ThreadPoolExecutor(3) as threads:
        run_study(make_study(points), tmp_path / "out", executor=threads)
    require_same(tmp_path / "whole", tmp_path / "out")


def test_rows_end_when_known(points, tmp_path):
    run_study(make_study(points, n_transfers=4_000, until=0.2, seeds=(0,)), tmp_path)
    assert {row["n_transfers"] for row in json.loads((tmp_path / "summary.json").read_text())["rows"]} == {1_000}


def test_another_run_is_refused_before_anything_is_touched(points, tmp_path):
    with pytest.raises(Killed):
        run_study(make_study(points), tmp_path / "out", stop_after=7)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for changes, text in (({"n_transfers": 301}, "chips was 300, now it is 301"), ({"seeds": (0, 2)}, "seeds was"),
                          ({"until": 0.1}, "until was null"), ({"recipes": ROWS[:1]}, "rows was"),
                          ({"wire_resistances": (0.0,)}, "wire resistances was")):
        with pytest.raises(ValueError, match=f"holds other work: {text}"):
            run_study(make_study(points, **changes), tmp_path / "out", resume=True)
    others = tasks.generate_moons(rng=np.random.default_rng(2), n_test=200)
    with pytest.raises(ValueError, match="holds other work: SHA-256 of the data was"):
        run_study(make_study(others), tmp_path / "out", resume=True)
    with pytest.raises(ValueError, match="or go on with --resume"):
        ResultsFolder(tmp_path / "out")
    with pytest.raises(ValueError, match="give one of them"):
        ResultsFolder(tmp_path / "out", resume=True, overwrite=True)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    run_study(make_study(points, n_transfers=301), tmp_path / "out", overwrite=True)


@pytest.mark.slow
def test_a_stopped_comparison_keeps_values_and_curves(points, tmp_path, monkeypatch):
    """Costs differ, which are times; nothing else does."""
    monkeypatch.setattr(choosing, "N_CHIPS", 50)
    monkeypatch.setattr(comparison, "HIDDEN_UNITS", (4,))
    monkeypatch.setattr(comparison, "_draw", lambda run, crew, measured: drawn.append(sorted(
        point for k, point in enumerate(measured) if run.report_progress("points of curves", k) is None)))
    recipes = [replace(recipe, training=SHORT) for recipe in COMPARED if recipe.name == "regular"]
    settings = ExperimentSettings(seeds=(0,), wire_resistances=(0.0,), n_transfers=100, recipes=tuple(recipes))
    study, drawn = make_comparison(points, TIO2_8X8, settings), []
    run_study(study, tmp_path / "whole")
    assert drawn[0] and study.counts["values tried"] == 9
    for stop_after in (3, 6, 8):
        with pytest.raises(Killed):
            run_study(study, tmp_path / "out", stop_after=stop_after, resume=True)
    run_study(study, tmp_path / "out", resume=True)
    assert drawn[-1] == drawn[0]
    require_same(tmp_path / "whole", tmp_path / "out", ["summary.json"])


_SCRIPT = """
import sys
from dataclasses import replace
from tiocross import TrainingSettings
from tiocross.commands import experiment
from tiocross.commands.main import main

if __name__ == "__main__":
    short = TrainingSettings(n_steps=20, n_chips=2)
    experiment.QUICK_ROWS = tuple(replace(recipe, training=short, weight_decay=0.0) for recipe in experiment.QUICK_ROWS[:2])
    sys.argv = ["tiocross", "experiment", "--quick", "--transfers", "1000", "--wire-resistance", "0", "--until", "0.01",
                "--workers", sys.argv[2], "--resume", "--out", sys.argv[1]]
    sys.exit(main())
"""


@pytest.mark.slow
def test_a_killed_command_goes_on(tmp_path):
    (tmp_path / "script.py").write_text(_SCRIPT)
    start = partial(subprocess.Popen, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                    env={**os.environ, "PYTHONPATH": str(ROOT)})
    process = start([sys.executable, "script.py", "out", "2"])
    ledger = tmp_path / "out" / "finished.jsonl"
    deadline = time.monotonic() + 300
    while not ledger.exists() or ledger.read_bytes().count(b"\n") <= 2:
        assert time.monotonic() < deadline and process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    for out, workers in (("out", "2"), ("whole", "1")):
        process = start([sys.executable, "script.py", out, workers])
        assert process.wait() == 0, process.stderr.read()
        process.stderr.close()
    require_same(tmp_path / "out", tmp_path / "whole", [*SAME, "rate_curves.png", "decision_maps.png"])


def test_the_command_line_refuses_what_cannot_go_on(tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["experiment", "--quick", "--until", "0", "--out", out]) == 2
    assert "until must be above zero" in capsys.readouterr().err
    assert main(["experiment", "--quick", "--resume", "--overwrite", "--out", out]) == 2
    assert "--resume goes on with earlier results" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
