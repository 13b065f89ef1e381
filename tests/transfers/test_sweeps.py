"""Sweeps: points of a grid, seeds by content, what is kept, what a resumed one gives, and what is refused."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest
from conftest import ROOT

from tiocross import TIO2, Dataset, Sweep, sweep, transfer
from tiocross.errors import UnitError
from tiocross.transfers.sweeps import grid_points

GRID = {"a": [1, 2, 3], "word": ["x", "y"]}


def measure(a, word, rng):
    return {"sum": a + rng.random(), "text": word * a, "values": rng.random((2, a))}


def measure_or_fail(a, word, rng):
    if a == 3 and not os.environ.get("TIOCROSS_TEST_GOES_ON"):
        raise ValueError("three is too many")
    return {"sum": a + rng.random(), "values": rng.random(a)}


@dataclass
class Record:
    share: float
    n: int


def seeded():
    return np.random.default_rng(11)


def require_equal(one, other):
    assert (one.points, one.results, one.to_csv()) == (other.points, other.results, other.to_csv())
    for ours, theirs in zip(one.arrays, other.arrays, strict=True):
        assert list(ours) == list(theirs) and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_rows_and_arrays_stand_in_the_order_of_the_grid():
    found = sweep(measure, GRID, rng=seeded())
    assert len(found) == 6 and [(row["a"], row["word"]) for row in found.rows] == [(a, w) for a in (1, 2, 3) for w in "xy"]
    assert found.to_csv().splitlines()[0] == "a,word,sum,text"
    assert found.rows[4]["text"] == "xxx" and found.arrays[4]["values"].shape == (2, 3)
    assert len({result["sum"] - point["a"] for point, result in zip(found.points, found.results)}) == 6


def test_a_point_gives_the_same_in_any_grid_and_on_any_executor():
    found = sweep(measure, GRID, rng=seeded())
    alone = sweep(measure, [{"word": "y", "a": 2}], rng=seeded())
    assert alone.results[0] == found.results[3]
    assert sweep(measure, GRID, rng=np.random.default_rng(12)).results[3] != found.results[3]
    with ThreadPoolExecutor(3) as threads:
        require_equal(found, sweep(measure, GRID, rng=seeded(), executor=threads))


@pytest.mark.slow
def test_processes_give_the_same(tmp_path):
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        require_equal(sweep(measure, GRID, rng=seeded()), sweep(measure, GRID, rng=seeded(), executor=processes, folder=tmp_path))


def test_what_is_finished_stays_and_the_rest_is_done_later(tmp_path, monkeypatch):
    seen = []
    with pytest.raises(UnitError, match="the point a=3, word='x' of the sweep failed: ValueError: three is too many"):
        sweep(measure_or_fail, GRID, rng=seeded(), folder=tmp_path / "out")
    assert len(Sweep.load(tmp_path / "out")) == 4 and not (tmp_path / "out" / "table.csv").exists()
    monkeypatch.setenv("TIOCROSS_TEST_GOES_ON", "1")
    resumed = sweep(measure_or_fail, GRID, rng=seeded(), folder=tmp_path / "out", resume=True,
                    on_progress=lambda *counts: seen.append(counts))
    assert seen == [(4, 6), (5, 6), (6, 6)]
    whole = sweep(measure_or_fail, GRID, rng=seeded(), folder=tmp_path / "whole", resume=True)
    require_equal(resumed, whole)
    require_equal(whole, Sweep.load(tmp_path / "out"))
    assert (tmp_path / "out" / "table.csv").read_bytes() == (tmp_path / "whole" / "table.csv").read_bytes()
    assert (tmp_path / "out" / "sweep.jsonl").read_bytes() == (tmp_path / "whole" / "sweep.jsonl").read_bytes()


def test_another_sweep_is_refused_with_the_reason(tmp_path):
    sweep(measure, GRID, rng=seeded(), folder=tmp_path)
    again = partial(sweep, folder=tmp_path, resume=True)
    with pytest.raises(ValueError, match="holds 6 finished units of earlier work; go on with it by resume=True, or choose"):
        sweep(measure, GRID, rng=seeded(), folder=tmp_path)
    with pytest.raises(ValueError, match="holds other work: function was .*measure"):
        again(measure_or_fail, GRID, rng=seeded())
    with pytest.raises(ValueError, match="holds other work: grid was"):
        again(measure, {**GRID, "a": [1, 2]}, rng=seeded())
    with pytest.raises(ValueError, match="holds other work: seed was"):
        again(measure, GRID, rng=np.random.default_rng(12))
    with pytest.raises(ValueError, match="holds other work: until was null, now it is 0.1"):
        again(measure, GRID, rng=seeded(), until=0.1)
    text = (tmp_path / "sweep.jsonl").read_text()
    (tmp_path / "sweep.jsonl").write_text(text.replace(json.loads(text.split("\n")[0])["identity"]["source of the function"], "0"))
    with pytest.raises(ValueError, match="holds other work: source of the function was"):
        again(measure, GRID, rng=seeded())


def test_a_folder_of_others_or_in_use_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(ValueError, match="holds files that no sweep wrote, such as mine.txt"):
        sweep(measure, GRID, rng=seeded(), folder=tmp_path)
    with pytest.raises(ValueError, match="is not the folder of a sweep"):
        Sweep.load(tmp_path)

    def inside(a, word, rng):
        with pytest.raises(ValueError, match="another process writes to"):
            sweep(measure, GRID, rng=rng, folder=tmp_path / "out", resume=True)
        return {}

    assert sweep(inside, [{"a": 1, "word": ""}], rng=seeded(), folder=tmp_path / "out").results == ({},)


def test_transfers_become_rows_that_end_when_known(network, moons):
    points = Dataset(moons.test.points[:50], moons.test.labels[:50])

    def judge(wire_resistance, rng, until):
        return transfer(network, points, device=TIO2, wire_resistance=wire_resistance, n_transfers=2_000, until=until, rng=rng)

    found = sweep(judge, {"wire_resistance": [0.0, 5.0]}, rng=seeded(), until=0.4)
    assert [row["n_transfers"] for row in found.rows] == [1_000, 1_000]
    row, arrays = found.rows[1], found.arrays[1]
    assert row["robust_fraction_95_low"] <= row["robust_fraction_95"] <= row["robust_fraction_95_high"]
    assert row["mean_accuracy"] == pytest.approx(arrays["rates"].mean()) == pytest.approx(arrays["accuracies"].mean())


def test_records_count_as_results():
    assert sweep(lambda a, rng: Record(0.5, np.int64(a)), {"a": [3]}, rng=seeded()).rows == [{"a": 3, "share": 0.5, "n": 3}]


@pytest.mark.parametrize("grid, error, text", [
    ({}, ValueError, "at least one point"), ([], ValueError, "at least one point"), ({"a": []}, ValueError, "at least one point"),
    ({"a": 3}, TypeError, r"grid\['a'\] must be a list"), ({"a": "xyz"}, TypeError, r"grid\['a'\] must be a list"),
    ([{"a": 1}, {"a": 1}], ValueError, "a=1 is there 2 times"), ([3], TypeError, "must be a dict of values"),
    ({"rng": [1]}, ValueError, "other than rng and until"), ({"two words": [1]}, ValueError, "names of the grid"),
    ({"a": [TIO2]}, TypeError, "a is .*look up in the function"), ({"a": [np.inf]}, TypeError, "finite numbers")])
def test_bad_grids_are_refused(grid, error, text):
    with pytest.raises(error, match=text):
        sweep(measure, grid, rng=seeded())


@pytest.mark.parametrize("result, text", [({"share": np.nan}, "share is nan"), ({"a": 2}, "both have a"), (3, "a dict, a record"),
                                          ({"x": object()}, "results must be")])
def test_bad_results_name_the_point(result, text):
    with pytest.raises(UnitError, match=f"the point a=1 of the sweep failed: .*{text}"):
        sweep(lambda a, rng: result, {"a": [1]}, rng=seeded())


def test_numbers_of_numpy_are_points_like_others():
    assert grid_points({"a": np.array([1.5, 2.0]), "b": [np.int64(3)]}) == [{"a": 1.5, "b": 3}, {"a": 2.0, "b": 3}]
    with pytest.raises(ValueError, match="resume needs the folder"):
        sweep(measure, GRID, rng=seeded(), resume=True)
    with pytest.raises(TypeError, match="function must be callable"):
        sweep(3, GRID, rng=seeded())


_SCRIPT = """
import sys, time
import numpy as np
from tiocross import sweep

def measure(a, rng):
    time.sleep(0.1)
    return {"sum": a + rng.random(), "values": rng.random(1000)}

if __name__ == "__main__":
    sweep(measure, {"a": list(range(12))}, rng=np.random.default_rng(3), folder=sys.argv[1], resume=True)
"""


@pytest.mark.slow
def test_a_killed_sweep_goes_on_with_the_same_result(tmp_path):
    (tmp_path / "script.py").write_text(_SCRIPT)
    start = partial(subprocess.Popen, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    for n_kept in (2, 6):
        process = start([sys.executable, "script.py", "out"])
        ledger = tmp_path / "out" / "sweep.jsonl"
        deadline = time.monotonic() + 60
        while not ledger.exists() or ledger.read_bytes().count(b"\n") <= n_kept:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    n_before = len(Sweep.load(tmp_path / "out"))
    assert 6 <= n_before < 12 and not (tmp_path / "out" / "table.csv").exists()
    for folder in ("out", "whole"):
        assert start([sys.executable, "script.py", folder]).wait() == 0
    for name in ("table.csv", "sweep.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    require_equal(Sweep.load(tmp_path / "out"), Sweep.load(tmp_path / "whole"))
