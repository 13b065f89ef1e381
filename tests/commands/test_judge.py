"""`tiocross judge`: the chip at hand from the command line."""

import json

import numpy as np
import pytest

from tiocross import TIO2, judge_plan, judge_readback, program, save_readback
from tiocross.commands.main import main


def test_a_plan_is_judged_as_from_python(planned, network, moons, tmp_path, capsys):
    made, folder = planned
    out = tmp_path / "figures.json"
    assert main(["judge", str(folder), "--transfers", "40", "--seed", "3", "--out", str(out)]) == 0
    summary = judge_plan(made, network, moons.test, wire_resistance=2.0, n_transfers=40, rng=np.random.default_rng(3)).summary()
    assert capsys.readouterr().out == f"{summary}\n"
    assert json.loads(out.read_text()) == summary.to_dict()


def test_a_readback_is_judged_as_from_python(planned, network, moons, tmp_path, capsys):
    made, folder = planned
    read = [program(wanted, TIO2, rng=np.random.default_rng(k)) for k, wanted in enumerate(made.targets)]
    for array, conductances in zip(made.layout.arrays, read):
        save_readback(made, array, conductances, tmp_path / f"array_{array:02d}_readback.csv")
    assert main(["judge", str(folder), "--readback", str(tmp_path), "--wire-resistance", "0"]) == 0
    assert capsys.readouterr().out == f"{judge_readback(made, network, read, moons.test)}\n"


@pytest.mark.parametrize("arguments, message", [
    (["--readback", "nowhere"], "nowhere/array_00_readback.csv: No such file"),
    (["--readback", "PLAN"], "; --readback needs a folder with one such file for each of the 4 arrays, as tiocross program and "
                             "save_readback write them; it is the folder of a plan"),
    (["--readback", ".", "--transfers", "5"], "leave out --readback"),
    (["--transfers", "0"], "--transfers must be at least 1; got 0"),
    (["--wire-resistance", "-1"], "--wire-resistance must be finite and within"),
    (["--out", "nowhere/figures.json"], "nowhere is not a folder"),
])
def test_what_cannot_be_judged_is_said_at_once(planned, arguments, message, capsys):
    assert main(["judge", str(planned[1]), *(str(planned[1]) if one == "PLAN" else one for one in arguments)]) == 2
    assert message in capsys.readouterr().err


def test_what_is_no_plan_is_refused_with_what_was_expected(planned, network, tmp_path, capsys):
    made, folder = planned
    made.save(tmp_path / "alone")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "programming.json").write_text("{}")
    expected = "expected the folder of a plan, as tiocross plan or Plan.save writes it"
    for given, message in (
            (tmp_path / "R8", f"R8/plan.json: No such file; there is no folder {tmp_path / 'R8'}; {expected}"),
            (folder / "network.npz", f"network.npz is a file; {expected}: make a plan first, and give its folder"),
            (folder / "plan.json", f"plan.json is a file; {expected}: give its folder, {folder}"),
            (tmp_path / "run", f"{expected}; this one holds a programming run: give the folder of its plan"),
            (tmp_path / "alone", "alone/network.npz: No such file; tiocross plan writes the network beside the plan. Save it")):
        assert main(["judge", str(given)]) == 2
        error = capsys.readouterr().err
        assert message in error and len(error.splitlines()) == 1
