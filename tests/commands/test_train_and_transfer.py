"""Stage by stage from files: train, transfer, an experiment on a table of the user, the table of known tasks."""

import contextlib
import io
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from tiocross import MLP, TIO2, TrainingSettings, Transfer, arrange, plot, tasks, transfer
from tiocross.commands import program
from tiocross.commands.main import main
from tiocross.study.experiment import ROWS
from tiocross.study.figures import _name_axes_and_classes
from tiocross.study.measured import as_measured, taking_measured
from tiocross.study.published import KNOWN
from tiocross.study.task_table import TaskTable, weigh


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a user's table: three classes of points, in units of their own, with a name for each sample."""
    path = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(1)
    centres = np.array([[10.0, 0.1, 300.0], [14.0, 0.3, 200.0], [18.0, 0.1, 250.0]])
    rows = [f"s{k};{k % 3:g};" + ";".join(f"{value:.3f}".replace(".", ",") for value in
                                         centres[k % 3] + rng.normal(size=3) * [1.0, 0.05, 20.0]) + f";kind {'abc'[k % 3]}"
            for k in range(90)]
    (path / "mine.csv").write_text("sample;run;length [cm];width [m];weight [g];species\n" + "\n".join(rows) + "\n")
    return path


OPTIONS = ["--data", "mine.csv", "--label", "species", "--without", "sample", "run"]


@pytest.fixture(scope="module")
def trained(folder):
    """A network that the command trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["train", *OPTIONS, "--recipe", "regular", "--hidden", "6", "5", "--activation", "tanh", "--epochs", "60",
                     "--out", "network.npz"]) == 0
    return folder / "network.npz"


def test_a_trained_network_takes_the_values_of_the_file_and_has_a_record(trained, folder):
    network, record = MLP.load(trained), json.loads((folder / "network.json").read_text())
    task = tasks.read_task(folder / "mine.csv", label="species", without=["sample", "run"])
    assert network.sizes == (3, 6, 5, 3) and record["sizes"] == [3, 6, 5, 3]
    accuracy = np.mean(network.predict(as_measured(task).test.points) == task.test.labels)
    assert accuracy > 0.9 and record["software_accuracy"]["test"] == pytest.approx(accuracy)
    assert record["data"]["class_names"] == ["kind a", "kind b", "kind c"] and record["seed"] == 0
    np.testing.assert_allclose(record["data"]["scaling"]["offset"], task.scaling.offset)
    assert record["recipe"]["training"]["n_steps"] == 60  # 54 points are one batch
    assert record["device"]["g_max [S]"] == 5e-4 and record["command"].startswith("tiocross")


def test_networks_of_measured_values_do_what_those_of_features_do():
    task = tasks.load("wine")
    network = MLP(13, 4, 3, rng=np.random.default_rng(3))
    network.centre_inputs(task.train)
    measured = as_measured(task)
    np.testing.assert_allclose(taking_measured(network, task.scaling).logits(measured.test.points),
                               network.logits(task.test.points), rtol=1e-9, atol=1e-9)
    moons = tasks.load_moons()
    assert as_measured(moons) is moons and taking_measured(network, None) is network


def test_a_transfer_takes_the_test_points_of_the_record_and_can_be_repeated(trained, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["transfer", "network.npz", "--transfers", "40", "--array-shape", "8x8", "--wire-resistance", "2",
                 "--out", "chips.npz", "--seed", "5", "--workers", "1"]) == 0
    shown = capsys.readouterr().out
    assert "18 points on 40 simulated chips" in shown and "nominal accuracy" in shown and "chips.json" in shown
    task = as_measured(tasks.read_task("mine.csv", label="species", without=["sample", "run"]))
    network = MLP.load(trained)
    outcome = transfer(network, task.test, device=TIO2, layout=arrange(network.sizes, (8, 8)), wire_resistance=2.0,
                       n_transfers=40, rng=np.random.default_rng(5))
    np.testing.assert_array_equal(Transfer.load("chips.npz").accuracies, outcome.accuracies)
    assert json.loads((folder / "chips.json").read_text())["mean_accuracy"]["value"] == pytest.approx(outcome.accuracies.mean())
    assert main(["transfer", "network.npz", "--out", "chips.npz"]) == 2  # nothing is overwritten unasked
    assert "exists already" in capsys.readouterr().err


def test_rows_of_another_file_are_all_judged_with_the_classes_of_the_network(trained, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    lines = (folder / "mine.csv").read_text().splitlines()
    (folder / "new.csv").write_text("\n".join(line for line in lines if not line.endswith("kind a")) + "\n")
    assert main(["transfer", "network.npz", "--data", "new.csv", "--transfers", "5"]) == 0
    assert "60 points on 5 simulated chips" in capsys.readouterr().out
    turned = [";".join(cells[k] for k in (0, 1, 4, 2, 3, 5)) for cells in (line.split(";") for line in lines)]
    (folder / "turned.csv").write_text("\n".join(line for line in turned if not line.endswith("kind a")) + "\n")
    assert main(["transfer", "network.npz", "--data", "new.csv", "--transfers", "5"]) == 0
    expected = capsys.readouterr().out
    assert main(["transfer", "network.npz", "--data", "turned.csv", "--transfers", "5"]) == 0  # columns by their names
    assert capsys.readouterr().out == expected.replace("new.csv", "turned.csv")
    (folder / "units.csv").write_text("\n".join(lines).replace("width [m]", "width [cm]") + "\n")
    assert main(["transfer", "network.npz", "--data", "units.csv"]) == 2
    assert "lacks the column 'width [m]' that the network was trained with" in capsys.readouterr().err
    assert main(["transfer", "network.npz", "--data", "turned.csv", "--points", "test"]) == 2
    assert "in another order" in capsys.readouterr().err
    (folder / "odd.csv").write_text("\n".join(lines).replace("kind b", "kind z") + "\n")
    assert main(["transfer", "network.npz", "--data", "odd.csv"]) == 2
    assert "class 'kind z' is unknown; the classes are 'kind a', 'kind b', 'kind c'" in capsys.readouterr().err
    assert main(["transfer", "network.npz", "--data", "mine.csv", "--split-seed", "3"]) == 2
    assert "may have been trained with" in capsys.readouterr().err
    assert main(["transfer", "network.npz", "--data", "mine.csv", "--label", "run"]) == 2
    assert "--label run: the network was trained on this file with --label species; leave" in capsys.readouterr().err
    MLP(3, 4, 3, rng=np.random.default_rng(0)).save(folder / "alone.npz")
    assert main(["transfer", "alone.npz"]) == 2
    assert "name its points with --data or --task" in capsys.readouterr().err
    assert main(["transfer", "network.npz", "--task", "wine"]) == 2
    assert "3 inputs but the dataset has 13 features" in capsys.readouterr().err


def test_a_file_that_changed_since_is_not_taken_for_the_one_trained_with(trained, folder, tmp_path, monkeypatch, capsys):
    for name in ("network.npz", "network.json", "mine.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    assert main(["transfer", "network.npz", "--transfers", "2"]) == 0
    (tmp_path / "mine.csv").write_text((folder / "mine.csv").read_text() + "s90;0;10,0;0,1;300,0;kind a\n")
    assert main(["transfer", "network.npz", "--transfers", "2"]) == 2
    assert "has changed since; name the points with --data" in capsys.readouterr().err
    (tmp_path / "mine.csv").unlink()
    assert main(["transfer", "network.npz", "--transfers", "2"]) == 2
    assert "is not there; name the points with --data" in capsys.readouterr().err


def test_training_goes_on_from_a_network_and_never_replaces_one_unasked(trained, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    more = ["train", *OPTIONS, "--from", "network.npz", "--recipe", "hardware-aware-paper", "--chips", "2", "--steps", "5"]
    assert main([*more, "--out", "tuned.npz"]) == 0
    before, after = MLP.load(trained), MLP.load(folder / "tuned.npz")
    assert 0 < np.abs(after.arrays[0] - before.arrays[0]).max() < 0.2 and after.sizes == before.sizes
    np.testing.assert_array_equal(after.input_offset, before.input_offset)
    record = json.loads((folder / "tuned.json").read_text())
    rate = record["recipe"]["training"]["learning_rate"]
    assert record["started_from"] == "network.npz" and rate == TrainingSettings.fine_tuning().learning_rate
    capsys.readouterr()
    assert main([*more, "--out", "tuned.npz"]) == 2 and "exists already" in capsys.readouterr().err
    assert main([*more, "--out", "network.npz", "--overwrite"]) == 2 and "which is read" in capsys.readouterr().err
    assert main([*more, "--out", "tuned.npz", "--overwrite", "--seed", "1"]) == 0
    assert not np.array_equal(MLP.load(folder / "tuned.npz").arrays[0], after.arrays[0])


def test_what_a_stage_wrote_can_be_looked_at(trained, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["transfer", "network.npz", "--transfers", "20", "--out", "looked_at.npz"]) == 0
    summary = [line for line in capsys.readouterr().out.splitlines() if "mean accuracy" in line]
    assert main(["describe", "looked_at.npz"]) == 0
    assert summary[0] in capsys.readouterr().out
    assert main(["describe", str(folder / "out.csv")]) == 2
    (folder / "out.csv").write_text("length [cm],species\n" + "\n".join(f"{k},{'ab'[k % 2]}" for k in range(20)))
    capsys.readouterr()
    assert main(["describe", str(folder / "out.csv")]) == 0
    assert "12 training, 4 validation, 4 test points, 1 features, 2 classes: a, b" in capsys.readouterr().out
    assert main(["describe", "looked_at.json"]) == 0
    shown = capsys.readouterr().out
    assert "network.npz, " in shown and "mean accuracy" in shown
    assert main(["describe", "network.json"]) == 0
    shown = capsys.readouterr().out
    assert "classes: kind a, kind b, kind c" in shown and "regular, 60 steps" in shown and "of the test points" in shown
    (folder / "half.json").write_text('{"format": "tiocross training 1"}')
    assert main(["describe", "half.json"]) == 2 and "is not a whole record" in capsys.readouterr().err


def test_the_layout_may_be_that_of_a_plan(trained, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["plan", "network.npz", "--out", "plan", "--array-shape", "16x16"]) == 0
    assert main(["transfer", "network.npz", "--layout", "plan", "--transfers", "3"]) == 0
    assert "simulated chips" in capsys.readouterr().out
    assert main(["judge", "plan", "--transfers", "20"]) == 0  # by the test points of the record, which the plan holds too
    assert "18 points on 20 simulated chips" in capsys.readouterr().out
    monkeypatch.setattr(program, "write_report", lambda folder: folder / "report.html")  # drawn elsewhere, for seconds
    assert main(["program", "plan", "--simulate", "--out", "programmed", "--wire-resistance", "0"]) == 0
    assert "predicted accuracy on 18 test points" in capsys.readouterr().out
    assert main(["judge", "plan", "--data", str(folder / "nothing.csv")]) == 2
    MLP(3, 4, 3, rng=np.random.default_rng(0)).save(folder / "other.npz")
    assert main(["transfer", "other.npz", *OPTIONS, "--layout", "plan"]) == 2
    assert "is the plan of a network with layers of ((4, 6), (7, 5), (6, 3))" in capsys.readouterr().err


def test_decision_maps_have_the_names_of_the_users_columns_and_classes():
    rng = np.random.default_rng(0)
    task = tasks.Task.from_arrays(rng.normal(size=(20, 2)), ["open", "cost $x$ \\frac"] * 10, feature_names=("I [uA]", "$V"))
    figure, axes = plot.new_figure(1, 2)
    for name in "ab":
        axes[0, 0].scatter([0], [0], c=[1.0], label=name)
    _name_axes_and_classes(task, axes)
    figure.canvas.draw()
    assert axes[0, 1].get_xlabel() == "I [uA], scaled" and axes[0, 1].get_ylabel() == "\\$V, scaled"
    assert [text.get_text() for text in axes[0, 0].get_legend().get_texts()] == ["cost \\$x\\$ \\frac", "open"]


def test_the_whole_experiment_runs_on_a_table_of_the_user(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    short = TrainingSettings(n_steps=50, n_chips=2)
    rows = tuple(replace(recipe, training=short, weight_decay=0.0) for recipe in ROWS
                 if recipe.name in ("regular", "straight line, robustly trained"))
    monkeypatch.setattr("tiocross.commands.experiment.ROWS", rows)
    assert main(["experiment", *OPTIONS, "--seeds", "1", "--transfers", "30", "--out", "out", "--workers", "1",
                 "--hidden", "9"]) == 0
    shown = capsys.readouterr().out
    assert "any two classes are told apart by one flat boundary" in " ".join(shown.split())
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert [figure["name"] for figure in summary["figures"]] == ["rate_curves", "accuracy_histograms", "conductance_maps"]
    assert not (folder / "out" / "decision_maps.png").exists() and (folder / "out" / "rate_curves.png").exists()
    assert {row["name"]: row["n_devices"] for row in summary["rows"]} == {
        "regular": 2 * (4 * 9 + 10 * 3), "straight line, robustly trained": 2 * 4 * 3}
    assert summary["data"]["class_names"] == ["kind a", "kind b", "kind c"] and len(summary["data"]["scaling"]["scale"]) == 3
    assert (folder / "out" / "report.html").exists()
    network = MLP.load(folder / "out" / "networks" / "regular_seed0.npz")  # takes the values of the file
    task = as_measured(tasks.read_task("mine.csv", label="species", without=["sample", "run"]))
    row = next(row for row in summary["rows"] if row["name"] == "regular")
    assert np.mean(network.predict(task.test.points) == task.test.labels) == pytest.approx(row["nominal_accuracy"])


# ---------------------------------------------------------------- known tasks

def test_known_tasks_are_tasks_with_an_equal_budget_for_every_row():
    for known in KNOWN:
        task, recipes = known.make(), known.recipes()
        assert known.published and len({recipe.training.n_steps for recipe in recipes}) == 1
        assert len({(recipe.training.n_chips, len(recipe.activations)) for recipe in recipes}) == 1
        layout = recipes[0].layout(recipes[0].sizes_for(task.train), known.device)
        assert max(max(used.shape) for used in layout.used) <= max(known.arrangement.array_shape)
    sizes = {known.name: known.recipes()[0].sizes_for(known.make().train) for known in KNOWN}
    assert sizes["surface code"] == (8, 24, 4) and sizes["letters"] == (9, 3) and sizes["digits"] == (64, 10)
    bayat = next(known for known in KNOWN if known.name == "patterns")
    layout = bayat.recipes()[0].layout(sizes["patterns"], bayat.device)
    assert sum(used.sum() for used in layout.used) == 428 and len(layout.used) == 2  # two arrays, as in the paper


def test_weighed_figures_of_the_decoder_are_its_exact_logical_error():
    known = KNOWN[0]
    weights, points = known.weights(), known.make().test
    code = tasks.enumerate_surface_code()
    answers = np.random.default_rng(2).integers(0, 4, (50, 256))
    correct = np.repeat(answers, 4, axis=1) == points.labels
    figures, intervals = weigh(correct, correct[0], weights, np.random.default_rng(0))
    np.testing.assert_allclose(figures["nominal_accuracy"], 1 - code.logical_error(answers[0]), rtol=1e-12)
    np.testing.assert_allclose(figures["mean_accuracy"], 1 - code.logical_error(answers).mean(), rtol=1e-12)
    low, high = intervals["mean_accuracy"]
    assert low < figures["mean_accuracy"] < high
    best = np.repeat(np.broadcast_to(code.best_classes, (3, 256)), 4, axis=1) == points.labels
    figures, _ = weigh(best, best[0], weights, np.random.default_rng(0))
    assert figures["robust_fraction_95"] == figures["robust_fraction_99"] == pytest.approx(1 - code.best_logical_error)


TABLE = ["tasks", "--quick", "--only", "iris", "letters", "--transfers", "20", "--workers", "1", "--out"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Folder of a table of known tasks that was not interrupted, and what the command printed."""
    folder, output = tmp_path_factory.mktemp("table") / "whole", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
        patch.setattr("tiocross.commands.tasks._QUICK_SHARE", 0.01)
        assert main([*TABLE, str(folder)]) == 0
    return folder, output.getvalue()


def test_an_interrupted_table_of_known_tasks_goes_on(table, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tiocross.commands.tasks._QUICK_SHARE", 0.01)
    whole, cut = table[0], [*TABLE, str(tmp_path / "cut")]
    seen, add = [], TaskTable._add

    def stop_later(self, task, finished, kept):
        add(self, task, finished, kept)
        seen.append(finished)
        if len(seen) == 9:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TaskTable, "_add", stop_later)
        assert main(cut) == 130
    assert not json.loads((tmp_path / "cut" / "summary.json").read_text())["complete"]
    assert main([*cut, "--resume", "--transfers", "30"]) == 2 and "chips" in capsys.readouterr().err
    assert main([*cut, "--resume"]) == 0
    first, second = (json.loads((folder / "summary.json").read_text()) for folder in (whole, tmp_path / "cut"))
    assert first["rows"] == second["rows"]
    assert (whole / "table.txt").read_bytes() == (tmp_path / "cut" / "table.txt").read_bytes()


def test_known_tasks_can_be_sent_to_other_processes():
    for known in KNOWN:
        again = pickle.loads(pickle.dumps(known))
        assert again.name == known.name and len(again.make().train) == len(known.make().train)


def test_the_table_of_known_tasks_is_printed_beside_what_was_published(table, capsys):
    folder, shown = table
    assert "published: 0.933 on a memristor crossbar" in " ".join(shown.split()) and shown.index("letters") < shown.index("iris")
    summary = json.loads((folder / "summary.json").read_text())
    assert len(summary["choices"]) == 6 and summary["choices"][0]["grid"] == {"rate": [0.03, 0.1, 0.3]}
    assert summary["complete"] and len(summary["rows"]) == 6 and {row["task"] for row in summary["rows"]} == {"iris", "letters"}
    assert len(list((folder / "networks").iterdir())) == 6
    assert "Jeong" in (folder / "report.html").read_text() and (folder / "table.csv").exists()
    assert main(["describe", str(folder)]) == 0
    assert main(["tasks", "--only", "iris", "--out", str(folder)]) == 2
    assert "holds results of an earlier run" in capsys.readouterr().err


def test_effects_of_a_network_are_told_drawn_and_kept(network, tmp_path, capsys):
    network.save(tmp_path / "network.npz")
    arguments = ["effects", str(tmp_path / "network.npz"), "--task", "moons", "--transfers", "40", "--wire-resistance", "2",
                 "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "stuck devices" in printed and "wire resistance" in printed
    record = json.loads((tmp_path / "out" / "effects.json").read_text())
    assert {cost["effect"] for cost in record["costs"]} == {"tuning", "disturb", "stuck", "wires"}
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".csv", ".html", ".json", ".pdf", ".png"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert all(cost["label"] in page for cost in record["costs"]) and "data:image/png" in page
    assert main(["report", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert main(arguments) == 2 and "exists already" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0


def test_describe_puts_a_network_on_a_card(network, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tiocross.commands.on_card._N_SIMULATED", 75)
    monkeypatch.setattr("tiocross.commands.on_card._N_POINTS", 40)
    network.save(tmp_path / "network.npz")
    assert main(["describe", str(tmp_path / "network.npz"), "--device", "TIO2", "--task", "moons"]) == 0
    printed = capsys.readouterr().out
    assert "2-8-1" in printed and "what training sees of" in printed and "per 1 % of devices" in printed
