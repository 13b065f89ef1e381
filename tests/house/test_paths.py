"""A path is a text or a path: numbers and booleans, which ``open`` takes for open files and closes, reach no file."""

import os
from pathlib import Path

import numpy as np
import pytest

import tiocross
from tiocross import tasks
from tiocross.lab.log import log_shape

NETWORK = tiocross.MLP(2, 1, rng=np.random.default_rng(7))
PLAN = tiocross.plan(NETWORK, tiocross.TIO2)
MOONS = tasks.generate_moons(rng=np.random.default_rng(1), n_train=4, n_test=4)
VERBS = {
    "read_conductance_csv": tiocross.read_conductance_csv, "read_voltage_csv": tiocross.read_voltage_csv,
    "read_disturb_csv": tiocross.read_disturb_csv, "read_tuning_csv": tiocross.read_tuning_csv,
    "read_lab_map": tiocross.read_lab_map, "load_device": tiocross.load_device, "load_plan": tiocross.load_plan,
    "read_events": tiocross.read_events, "log_shape": log_shape,
    "EventLog": lambda path: tiocross.EventLog(path, shape=(2, 3)),
    "load_readback": lambda path: tiocross.load_readback(PLAN, 0, path), "MLP.load": tiocross.MLP.load,
    "Transfer.load": tiocross.Transfer.load, "Solution.load": tiocross.Solution.load,
    "ProgramReport.load": tiocross.ProgramReport.load, "read_dataset": tasks.read_dataset, "load_moons": tasks.load_moons,
    "write_report": tiocross.write_report, "MLP.save": NETWORK.save, "Plan.save": PLAN.save,
    "save_device": lambda path: tiocross.save_device(tiocross.TIO2, path),
    "write_conductance_csv": lambda path: tiocross.write_conductance_csv(path, [[1e-4, 2e-4]]),
    "save_readback": lambda path: tiocross.save_readback(PLAN, 0, PLAN.expected[0], path),
    "save_moons": lambda path: tasks.save_moons(MOONS, path),
}


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("as_given", ["int", "bool", "int64", "bytes", "float"])
def test_what_is_no_path_is_refused_by_name_and_open_files_stay_open(name, as_given, tmp_path):
    there, back = os.pipe()
    given = {"int": there, "bool": True, "int64": np.int64(there), "bytes": b"name", "float": 1.0}[as_given]
    try:
        with pytest.raises(TypeError, match="(path|folder) must be a text or a Path; got "):
            VERBS[name](given)
        os.fstat(there)
        os.fstat(1)
    finally:
        os.close(there)
        os.close(back)


def test_texts_and_paths_are_taken(tmp_path):
    for path in (tmp_path / "device.json", str(tmp_path / "other.json"), os.fspath(Path(tmp_path, "third.json"))):
        tiocross.save_device(tiocross.TIO2, path)
        assert tiocross.load_device(path) == tiocross.TIO2


def test_points_saved_to_a_folder_that_is_not_there_name_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="the folder .*missing, into which the points are to be"):
        tasks.save_moons(MOONS, tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []
