"""The commands of a lab, as a user meets them: describe, solve, plan, program, calibrate."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from tiocross import MLP, TIO2, Crossbar, Sinh, tasks, load_device, save_device, solve
from tiocross.commands import program
from tiocross.commands.main import main
from tiocross.commands.recognition import recognise
from tiocross.devices.files import from_json as device_from_json
from tiocross.lab.resistance_maps import LabMap, read_lab_map, write_lab_map
from tiocross.lab.log import EventLog, read_events
from tiocross.lab.plan_files import load_readback
from tiocross.lab.plans import load_plan
from tiocross.lab.simulated import SimulatedCrossbar
from tiocross.lab.tables import read_conductance_csv, write_conductance_csv
from tiocross.storage import read_json
from tiocross.units import mV, uA, uS

HEADER = {"vread": 0.2, "Vmax_set": 2.0, "Vmin_reset": -2.0, "Vset": 1.1, "Vreset": -1.1, "tolerance": 0.02,
          "increment": 0.05, "PulseWidth": 8e-7, "RiseTime": 5e-7, "FallTime": 5e-7}


def run(capsys, *arguments):
    """Exit code, and what was printed on both streams."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def timeless(path):
    """Content of a file of a run, without the times of its log."""
    lines = path.read_bytes().split(b"\n")
    return [line.rpartition(b",")[0] for line in lines] if path.name.endswith("_log.csv") else lines


@pytest.fixture(scope="module", autouse=True)
def without_page():
    """The page of a run takes seconds to draw, and has tests of its own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(program, "write_report", lambda folder: folder / "report.html")
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One file of every kind."""
    path = tmp_path_factory.mktemp("lab")
    rng = np.random.default_rng(1)
    small = MLP(2, 3, 1, rng=rng)
    small.save(path / "network.npz")
    save_device(TIO2, path / "device.json")
    write_conductance_csv(path / "conductances.csv", rng.uniform(100 * uS, 500 * uS, (3, 2)))
    (path / "voltages.csv").write_text("# voltages [mV]\n200,-100,150\n50,50,0\n")
    conductances = rng.uniform(120 * uS, 480 * uS, (4, 6))
    conductances[1, 2], conductances[3, 0] = 20 * uS, 900 * uS
    write_lab_map(LabMap.from_conductances(conductances, HEADER), path / "map.csv")
    targets = rng.uniform(100 * uS, 500 * uS, 200)
    programmed = targets * (1 + 0.01 * rng.standard_normal(200))
    rows = "".join(f"{a!r},{b!r}\n" for a, b in zip(targets.tolist(), programmed.tolist()))
    (path / "tuning.csv").write_text("# measured by hand\ntarget [S],programmed [S]\n" + rows)
    EventLog(path / "begun.csv", shape=(4, 6)).close()
    return path


@pytest.fixture(scope="module")
def plan(folder):
    assert main(["plan", str(folder / "network.npz"), "--out", str(folder / "plan"), "--array-shape", "4x4"]) == 0
    return folder / "plan"


@pytest.fixture(scope="module")
def programmed(plan):
    out = plan.parent / "run"
    assert main(["program", str(plan), "--simulate", "--out", str(out), "--seed", "3", "--max-passes", "2"]) == 0
    return out


@pytest.mark.parametrize(("name", "kind", "parts"), [
    ("network.npz", "network", ["2-3-1, sigmoid", "3 word lines (the last one the bias), 6 bit lines", "26 devices"]),
    ("device.json", "device", ["window: 100 to 500 uS"]),
    ("conductances.csv", "conductances", ["3 word lines x 2 bit lines", "uS, median"]),
    ("voltages.csv", "voltages", ["2 inputs for 3 word lines; -0.1 to 0.2 V"]),
    ("map.csv", "lab map", ["vread 0.2", "4 word lines x 6 bit lines; 20 to 900 uS", "1.111 to 50 kohm"]),
    ("tuning.csv", "tuning", ["200 devices", "relative error"]),
    ("plan", "plan", ["tolerance 1 %, SET 1.1 to 2.1 V", "(3, 6), (4, 2)"]),
    ("plan/plan.json", "plan", ["targets (uS)"]),
    ("run/array_00_log.csv", "pulse log", ["array of 4 x 4", "amplitudes from", "converged"]),
    ("run/array_00_readback.csv", "conductances", ["4 word lines x 4 bit lines"]),
])
def test_describe_knows_files_by_their_content(folder, programmed, name, kind, parts, tmp_path, capsys):
    path = folder / name
    if path.is_file() and kind != "plan":
        (tmp_path / "anything").write_bytes(path.read_bytes())
        path = tmp_path / "anything"
    assert recognise(path) == kind
    code, text, error = run(capsys, "describe", path)
    assert (code, error) == (0, "") and f": {kind}\n" in text
    for part in parts:
        assert part in text


def test_describe_measured_files_and_the_card(measured, capsys):
    code, text, _ = run(capsys, "describe", measured / "write_disturb.csv")
    assert code == 0 and "disturb\n" in text and "\n17692 changes after 1 to 54 later writes" in text
    for path in sorted(measured.glob("dead_xbar_*.csv")):
        assert "8 word lines x 8 bit lines" in run(capsys, "describe", path)[1]
    assert run(capsys, "describe", "tio2")[1] == f"{TIO2}\n"


@pytest.mark.parametrize(("content", "message"), [
    (b"1,2,3\n", "no CSV that states its unit"), (b"", "nothing that tiocross knows"),
    (b"{1: 2", "begins like JSON but is none"),
    (b"PK\x03\x04rest", "not a network that tiocross saved, or it is truncated"),
    (b"{\"format\": \"tiocross device 9\"}", "is not a device file"),
    (b"# tiocross pulse log 7; shape 2 x 2\n", "is not a pulse log"),
    (b"n_rows; n_columns\n2; 2\n1.0; 2.0\n", "is the file truncated?"),
    (b"# conductances [uS]\n1,2\n3\n", "truncated"), (b"\xff\xfe\x00", "nothing that tiocross knows"),
    (b"# resistances [ohm]\n1e-320,1\n", "conductances must be finite"),
    (b"target [S],programmed [S]\n0,1e-4\n", "targets must be above 0 and at most 1 S; got 0 S"),
    (b"target [S],programmed [S]\n200,201\n", "got 200 S (1 such); is the unit of the column right?"),
    (b"n_later_writes [-],delta_conductance [S]\n1e30,1e-6\n", "n_later_writes must be whole numbers from 0 to"),
])
def test_describe_refuses_what_it_does_not_know(content, message, tmp_path, capsys):
    (tmp_path / "odd").write_bytes(content)
    code, _, error = run(capsys, "describe", tmp_path / "odd")
    assert code == 2 and message in error and len(error.splitlines()) == 1
    assert run(capsys, "describe", tmp_path / "absent")[0] == 2
    code, _, error = run(capsys, "describe", tmp_path)
    assert code == 2 and "neither plan.json nor summary.json" in error


def test_solve_prints_and_writes_the_currents(folder, tmp_path, capsys):
    conductances = read_conductance_csv(folder / "conductances.csv")
    voltages = np.array([[200, -100, 150], [50, 50, 0]]) * mV
    crossbar = Crossbar(conductances, 25.0, bit_line_resistance=5.0, source_resistance=30.0, sense_resistance=7.0,
                        iv=Sinh(0.37))
    expected = solve(crossbar, voltages).bit_line_currents
    code, text, _ = run(capsys, "solve", folder / "conductances.csv", folder / "voltages.csv", "--wire-resistance", 25,
                        "--bit-line-resistance", 5, "--source-resistance", 30, "--sense-resistance", 7, "--iv", "sinh:0.37",
                        "--out", tmp_path / "out.csv")
    assert code == 0
    cells = [line.split() for line in text.splitlines()[2:6]]
    assert [cell[:2] for cell in cells] == [["0", "0"], ["0", "1"], ["1", "0"], ["1", "1"]]
    np.testing.assert_allclose([float(cell[2]) for cell in cells], expected.ravel() / uA, rtol=1e-5)
    ideal = np.einsum("bi,ij->bj", 0.37 * np.sinh(voltages / 0.37), conductances)
    np.testing.assert_allclose([float(cell[3]) for cell in cells], ideal.ravel() / uA, rtol=1e-5)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert "[A]" in lines[0]
    assert np.array_equal([[float(x) for x in line.split(",")] for line in lines[1:]], expected)  # to the last bit


@pytest.mark.parametrize(("options", "message"), [
    (["--iv", "sinn:0.3"], "unknown law 'sinn'; did you mean 'sinh'?"),
    (["--iv", "sinh"], "must be a law and its parameter, such as sinh:0.37"),
    (["--iv", "sinh:-1"], "--iv 'sinh:-1': v0 must be above zero"),
    (["--wire-resistance", "-2"], "--wire-resistance must be finite and within [0, 1e+15] ohm; got -2"),
    (["--sense-resistance", "inf"], "--sense-resistance must be finite"),
    (["--rtol", "0"], "--rtol must be"),
    (["--out", "no/such/folder/out.csv"], "is not a folder that can be written to"),
    (["--out", "."], "it is a folder"),
    (["--wire", "2"], "unknown argument '--wire'"),
])
def test_solve_refuses_bad_options(folder, options, message, capsys):
    code, out, error = run(capsys, "solve", folder / "conductances.csv", folder / "voltages.csv", *options)
    assert (code, out) == (2, "") and message in error and len(error.splitlines()) == 1


def test_solve_refuses_files_without_unit_or_of_another_shape(folder, tmp_path, capsys):
    voltages = tmp_path / "voltages.csv"
    for text, message in (("200,-100,150\n", "unit"), ("# voltages [mV]\n1,2\n3,4\n5,6\n", "transposed?"),
                          ("# voltages [mV]\n1,2,nan\n", "values must be finite")):
        voltages.write_text(text)
        code, _, error = run(capsys, "solve", folder / "conductances.csv", voltages)
        assert code == 2 and message in error


def test_plan_holds_all_that_programming_needs(folder, plan):
    made = load_plan(plan)
    network = MLP.load(plan / "network.npz")
    made.require_network(network)
    assert made.layout.layer_shapes == ((3, 6), (4, 2)) and set(made.layout.shapes) == {(4, 4)}
    for given, kept in zip(made.weights([np.nan_to_num(array) for array in made.expected]), network.arrays):
        np.testing.assert_allclose(given, kept, rtol=0, atol=1e-12)


def test_plan_around_a_measured_map_with_its_scheme(folder, tmp_path, capsys):
    code, text, error = run(capsys, "plan", folder / "network.npz", "--out", tmp_path / "plan", "--array-shape", "4x6", "--device",
                            folder / "device.json", "--scheme-from", folder / "map.csv", "--stuck", folder / "map.csv",
                            folder / "map.csv", "--order", "sensitive last")
    assert (code, error) == (0, "") and "tolerance 2 %" in text
    made = load_plan(tmp_path / "plan")
    assert made.scheme.increment == 0.05 and made.scheme.set_limit == 2.0
    assert made.layout.arrays == (0, 1)
    for stuck, targets in zip(made.stuck, made.targets):
        assert np.argwhere(~np.isnan(stuck)).tolist() == [[1, 2], [3, 0]]
        assert np.isnan(targets[~np.isnan(stuck)]).all()


@pytest.mark.parametrize(("options", "message"), [
    (["--array-shape", "8"], "--array-shape '8' must be word lines x bit lines"),
    (["--array-shape", "4x1"], "at least 2 bit lines"),
    (["--order", "rastr"], "did you mean 'raster'?"),
    (["--stuck", "map.csv"], "stuck"),
    (["--device", "map.csv"], "is not JSON"),
    (["--scheme-from", "tuning.csv"], "a map has three lines"),
    (["--out", "plan"], "exists already; choose another with --out"),
    (["--data", "no/folder"], "No such file"),
])
def test_plan_refuses_bad_options(folder, plan, options, message, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    before = set(folder.rglob("*"))
    code, _, error = run(capsys, "plan", "network.npz", "--out", "new", "--array-shape", "4x6", *options)
    assert code == 2 and message in error and len(error.splitlines()) == 1
    assert set(folder.rglob("*")) == before


def test_program_writes_logs_read_backs_and_a_prediction(plan, programmed, tmp_path, capsys):
    made = load_plan(plan)
    for array, targets in enumerate(made.targets):
        read = load_readback(made, array, programmed / f"array_{array:02d}_readback.csv")
        wanted = ~np.isnan(targets)
        assert np.median(np.abs(read / targets - 1)[wanted]) < 0.05  # tuned to 1 %, then disturbed
        events = read_events(programmed / f"array_{array:02d}_log.csv")
        assert {(e.row, e.column) for e in events if e.kind == "done"} == set(map(tuple, np.argwhere(wanted)))
        assert "devices" in (programmed / f"array_{array:02d}_report.txt").read_text()
    code, text, error = run(capsys, "program", plan, "--simulate", "--out", tmp_path / "again", "--seed", 3,
                            "--max-passes", 2)
    assert (code, error) == (0, "") and "predicted accuracy on 4000 test points: " in text and "in software" in text
    for path in programmed.iterdir():
        assert timeless(path) == timeless(tmp_path / "again" / path.name)  # the same chips
    code, again, _ = run(capsys, "program", plan, "--simulate", "--out", tmp_path / "again", "--seed", 3, "--max-passes", 2,
                         "--resume")
    assert code == 0 and again == text  # nothing was left to do


def test_an_interrupted_run_keeps_its_log_and_goes_on(plan, tmp_path, monkeypatch, capsys):
    pulse, count = SimulatedCrossbar.pulse, [0]

    def pulse_until_interrupted(self, *arguments):
        count[0] += 1
        if count[0] == 150:
            raise KeyboardInterrupt
        return pulse(self, *arguments)

    arguments = ["program", plan, "--simulate", "--out", tmp_path / "run", "--seed", 4]
    monkeypatch.setattr(SimulatedCrossbar, "pulse", pulse_until_interrupted)
    code, text, error = run(capsys, *arguments)
    assert code == 130 and "--resume" in text and error.strip() == "interrupted"
    before = read_events(tmp_path / "run" / "array_00_log.csv")
    assert sum(event.kind == "pulse" for event in before) == 150 and not list((tmp_path / "run").glob("*readback*"))
    code, _, error = run(capsys, *arguments)
    assert code == 2 and "choose another with --out, or replace them with --overwrite, or go on with --resume" in error
    content = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    for options, message in (([*arguments[:-1], 5], "seed was 4 and is 5 now"),
                             ([*arguments, "--wire-resistance", 3], "wire_resistance [ohm] was 2.0 and is 3.0 now"),
                             ([*arguments, "--max-passes", 1], "max_passes was 3 and is 1 now")):
        code, _, error = run(capsys, *options, "--resume")
        assert code == 2 and "run.json is of another run: " in error and message in error
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == content
    code, text, _ = run(capsys, *arguments, "--resume")
    assert code == 0 and "predicted accuracy" in text
    after = read_events(tmp_path / "run" / "array_00_log.csv")
    assert after[: len(before)] == before
    first = [(e.row, e.column) for e in after if e.kind == "done" and e.n_pass == 0]
    assert len(first) == len(set(first))  # what was done is not tuned again


def test_program_refuses_what_it_cannot_do(plan, folder, tmp_path, capsys):
    code, _, error = run(capsys, "program", plan, "--out", tmp_path / "run")
    assert code == 2 and "add --simulate" in error and "program_array(" in error
    for options, message in ((["--max-passes", 0], "--max-passes must be at least 1"),
                             (["--seed", -1], "--seed must be at least"),
                             (["--wire-resistance", "-1"], "--wire-resistance must be finite"),
                             (["--wire-resistance", "1e300"], "within [0, 1e+15] ohm"),
                             (["--data", "no"], "No such file")):
        code, _, error = run(capsys, "program", plan, "--simulate", "--out", tmp_path / "run", *options)
        assert code == 2 and message in error and len(error.splitlines()) == 1
    assert run(capsys, "program", folder, "--simulate", "--out", tmp_path / "run")[0] == 2
    assert not (tmp_path / "run").exists()


def test_a_network_of_other_inputs_has_no_accuracy(tmp_path, capsys):
    MLP(3, 2, rng=np.random.default_rng(2)).save(tmp_path / "network.npz")
    assert run(capsys, "plan", tmp_path / "network.npz", "--out", tmp_path / "plan", "--array-shape", "4x4")[0] == 0
    code, text, _ = run(capsys, "program", tmp_path / "plan", "--simulate", "--out", tmp_path / "run", "--max-passes", 1)
    assert code == 0 and "no accuracy: the network is not one for the half moons" in text
    tasks.save_moons(tasks.generate_moons(rng=np.random.default_rng(1), n_test=20), tmp_path)
    code, _, error = run(capsys, "program", tmp_path / "plan", "--simulate", "--out", tmp_path / "other", "--data", tmp_path)
    assert code == 2 and "points must have 3 features" in error


def test_calibrate_finds_what_the_files_were_made_of(folder, programmed, tmp_path, capsys):
    logs = sorted(programmed.glob("*_log.csv"))
    code, text, error = run(capsys, "calibrate", folder / "tuning.csv", "--g-min", 100, "--g-max", 500, "--out",
                            tmp_path / "device.json")
    assert (code, error) == (0, "") and "95 % interval" in text and "tuning:" in text
    device = load_device(tmp_path / "device.json")
    assert (device.g_min, device.g_max, device.name) == (100 * uS, 500 * uS, "device") and "tuning.csv" in device.source
    # 200 values of a spread of 1 %: its own standard deviation is 1 % / sqrt(400), four of them allowed.
    middle = device.tuning.spread_slope * 300 * uS + device.tuning.spread_intercept
    assert abs(middle - 0.01) < 4 * 0.01 / 20
    assert device.disturb is None and device.stuck is None
    options = ["--g-min", 100, "--g-max", 500, "--name", "chip", "--source", "a test", "--out", tmp_path / "chip.json"]
    assert len(logs) == 3
    code, text, error = run(capsys, "calibrate", folder / "map.csv", *logs, *options, "--effects", "faults", "tuning",
                            "--figures", tmp_path / "figures")
    assert (code, error) == (0, "") and "stuck: " in text and "tuning: " in text and "disturb" not in text
    device = load_device(tmp_path / "chip.json")
    # Two of 24 devices in the map lie outside the window, 900 and 20 uS; of the 48 on the three arrays 26 were tuned.
    assert device.name == "chip" and device.source == "a test" and device.stuck is not None
    n_stuck = sum(event.outcome == "stuck_low" for log in logs for event in read_events(log) if event.n_pass == 0)
    assert device.stuck.probability_lrs + device.stuck.probability_hrs == pytest.approx((2 + n_stuck) / (24 + 26), rel=1e-12)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "tuning.png", "faults.png", "calibration.json", "report.html"}
    content = read_json(tmp_path / "figures" / "calibration.json")
    assert device_from_json(content["device"]) == device
    assert content["figures"] == {"faults": "faults.png", "tuning": "tuning.png"}
    assert [file["kind"] for file in content["files"]] == ["lab map", *["pulse log"] * 3]
    found = {estimate["name"]: estimate for estimate in content["fits"]["stuck"]["estimates"]}["probability_lrs"]
    low, high = found["interval"]
    assert found["value"] == device.stuck.probability_lrs and 0 <= low < found["value"] < high and found["shown"] == "%"


def test_calibrate_reads_maps_of_any_form(folder, tmp_path, capsys):
    conductances = read_lab_map(folder / "map.csv").conductances
    np.savetxt(tmp_path / "plain.csv", conductances / uS, header="conductances [uS]")
    rows = "".join(f"{i};{j};{str(1e-3 / g).replace('.', ',')}\n" for (i, j), g in np.ndenumerate(conductances))
    (tmp_path / "list.csv").write_text(f"row;column;resistance [kohm]\n{rows}")
    shown = []
    for path in (folder / "map.csv", tmp_path / "plain.csv", tmp_path / "list.csv"):
        code, text, error = run(capsys, "calibrate", path, "--source", "a map", "--out", tmp_path / "device.json")
        assert (code, error) == (0, "")
        shown.append(text)
    assert shown[0] == shown[1] == shown[2] and "stuck: 4.16667 % stuck at LRS" in shown[0]  # 2 of 24 outside the window


def test_calibrate_says_whose_window_it_is(folder, tmp_path, capsys):
    for options, note in (([], "window of the published TiO2 card: g_min 100 uS, g_max 500 uS"),
                          (["--g-max", 400], "window of the published TiO2 card: g_min 100 uS"),
                          (["--g-min", 100, "--g-max", 400], None)):
        code, text, _ = run(capsys, "calibrate", folder / "map.csv", *options, "--out", tmp_path / "device.json")
        source = load_device(tmp_path / "device.json").source
        assert code == 0 and source.startswith("measured: map.csv")
        if note is None:
            assert "TiO2 card" not in text + source
        else:
            assert f"note: {note}; give --g-min and --g-max" in text and source.endswith(f"; {note}")


@pytest.mark.parametrize(("text", "options", "message"), [
    ("# [uS]\n100,200,300\n400,150,250\n", ["--g-min", 0.1, "--g-max", 0.5], "6 of 6 devices in the maps lie outside the window of "
     "0.1 to 0.5 uS; they are at 100 to 400 uS. Give --g-min and --g-max in microsiemens, or --dead if no device answers"),
    ("target [uS],programmed [uS]\n100,101\n300,301\n", ["--g-min", 0.1, "--g-max", 0.5],
     "2 of 2 devices in the lists of tuning lie outside the window of 0.1 to 0.5 uS"),
    ("# [uS]\nnan,nan,600\n", [], "2 of 3 devices have no value (nan), so that the map does not tell how many are stuck"),
])
def test_calibrate_refuses_a_window_or_a_map_that_says_nothing(text, options, message, tmp_path, capsys):
    (tmp_path / "file.csv").write_text(text)
    code, _, error = run(capsys, "calibrate", tmp_path / "file.csv", *options, "--out", tmp_path / "device.json")
    assert code == 2 and message in error and len(error.splitlines()) == 1 and not (tmp_path / "device.json").exists()


def test_calibrate_leaves_out_the_lines_of_devices_that_were_not_read(tmp_path, capsys):
    conductances = np.full((6, 4), 250.0)
    conductances[0, 1], conductances[2, 3], conductances[5, 0] = np.nan, 700.0, 20.0
    np.savetxt(tmp_path / "map.csv", conductances, header="conductances [uS]")
    code, text, error = run(capsys, "calibrate", tmp_path / "map.csv", "--out", tmp_path / "device.json")
    assert (code, error) == (0, "") and "1 devices without a value (nan) were not read" in text and "20 of 24 devices count" in text
    stuck = load_device(tmp_path / "device.json").stuck  # without word line 0, five word lines by four bit lines are left
    assert (stuck.probability_lrs, stuck.probability_hrs) == pytest.approx((1 / 20, 1 / 20), rel=1e-12)


def test_calibrate_touches_nothing_before_all_is_known_to_be_good(folder, tmp_path, capsys):
    levels = tmp_path / "levels.csv"
    levels.write_text("target [uS],programmed [uS]\n" + "".join(f"300,{300 + k % 7}\n" for k in range(40)))
    for options, message in (
            ([levels, "--out", tmp_path / "new.json"], "at least two different conductances to tell a slope; all are 0.0003 S. Prog"),
            ([levels, "--out", levels], "would take the place of"),
            ([folder / "tuning.csv", "--out", tmp_path / "new", "--figures", tmp_path / "new"], "would write one over the other"),
            ([folder / "tuning.csv", "--out", "/proc/new.json"], "/proc takes no new files"),
            ([folder / "tuning.csv", "--out", tmp_path / "new.json", "--name", "two\nlines"], "name must be text on one line"),
            ([folder / "tuning.csv", "--out", tmp_path / "new.json", "--g-max", "2e4"], "g_max must be at most 0.01 S")):
        code, _, error = run(capsys, "calibrate", *options)
        assert code == 2 and message in error and len(error.splitlines()) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["levels.csv"]


@pytest.mark.parametrize(("text", "said"), [
    ("# measured\n# conductances [uS]\n100;200,5\n", "read as: [uS] (line 2), separated by semicolons, with decimal commas, one line"),
    ("row,column,resistance [kohm]\n1,1,10\n1,2,5\n", "one line for each device, row (word line) and column (bit line) counted from 1"),
    ("# voltages [mV]\n100 200\n", "read as: [mV] (line 1), separated by blanks, one line for each input"),
    ("target [uS]\tprogrammed [uS]\n100\t101\n", "read as: target [uS], programmed [uS] (line 1), separated by tabs"),
    ("n_rows; n_columns\n1; 2\n2000; 4000; \n", "read as: [ohm], separated by semicolons, listed row (word line) by row"),
])
def test_describe_says_what_a_file_was_understood_as(text, said, tmp_path, capsys):
    (tmp_path / "file.csv").write_text(text)
    code, shown, _ = run(capsys, "describe", tmp_path / "file.csv")
    assert code == 0 and said in shown


@pytest.mark.slow
def test_calibrate_on_the_measured_data(measured, tmp_path, capsys):
    maps = sorted(measured.glob("dead_xbar_*.csv"))
    code, text, error = run(capsys, "calibrate", measured / "write_disturb.csv", *maps, "--dead", "--g-min", 100,
                            "--g-max", 500, "--figures", tmp_path / "figures", "--out", tmp_path / "device.json")
    assert (code, error) == (0, "") and "disturb:" in text and "lines:" in text
    device = load_device(tmp_path / "device.json")
    assert device.disturb is not None and device.lines is not None
    names = {path.name for path in (tmp_path / "figures").iterdir() if path.read_bytes().startswith(b"\x89PNG")}
    assert names == {"disturb.png", "faults.png"} and (tmp_path / "figures" / "calibration.json").exists()


@pytest.mark.parametrize(("files", "options", "message"), [
    (["network.npz"], [], "(network) tells nothing of how devices are written"),
    (["tuning.csv", "absent.csv"], [], "absent.csv: No such file"),
    (["tuning.csv"], ["--effects", "tunning"], "did you mean 'tuning'?"),
    (["tuning.csv"], ["--effects", "disturb"], "calibrate needs data"),
    (["tuning.csv"], ["--g-min", "600"], "g_min must be below g_max"),
    (["tuning.csv"], ["--g-min", "1e-4", "--g-max", "5e6"], "g_max must"),
    (["tuning.csv"], ["--out", "no/folder/device.json"], "is not a folder that can be written to"),
    (["begun.csv"], [], "calibrate needs data"),  # a log in which no device was tuned to its end
    ([], [], "the following arguments are required: FILE"),
])
def test_calibrate_refuses_bad_input(folder, files, options, message, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    code, _, error = run(capsys, "calibrate", *files, "--g-min", 100, "--g-max", 500, "--out", "new.json", *options)
    assert code == 2 and message in error and len(error.splitlines()) == 1
    assert not (folder / "new.json").exists()


def test_calibrate_refuses_a_folder_of_figures_that_cannot_be_written_to(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "figures").mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: str(path) != str(tmp_path / "figures"))
    code, _, error = run(capsys, "calibrate", folder / "tuning.csv", "--g-min", 100, "--g-max", 500, "--figures",
                         tmp_path / "figures", "--out", tmp_path / "device.json")
    assert code == 2 and "figures is not a folder that can be written to" in error
    assert not (tmp_path / "device.json").exists()
    code, _, error = run(capsys, "plan", folder / "network.npz", "--out", tmp_path / "figures")
    assert code == 2 and "figures is not a folder that can be written to" in error


@pytest.mark.parametrize(("command", "parts"), [
    ("describe", ["DEVICE|NETWORK|FILE"]), ("solve", ["in ohm", "in volt", "1/V^2", "ampere"]), ("plan", ["(ohm)", "volt"]),
    ("program", ["in ohm", "siemens"]), ("calibrate", ["microsiemens", "[S]"]),
])
def test_help_states_units_and_exit_codes(command, parts, capsys):
    code, text, _ = run(capsys, command, "--help")
    assert code == 0
    for part in (*parts, "exit codes"):
        assert part in " ".join(text.split())


@pytest.mark.parametrize(("text", "parts"), [
    ("\ufeff# conductances [uS]\n100,200\n", ["1 word lines x 2 bit lines", "150 uS"]),
    ("\ufeffn_rows; n_columns\n1; 2\n2000; 4000; \n", ["lab map", "250 to 500 uS"]),
    ("# conductances [uS]\nnan,nan\n", ["1 word lines x 2 bit lines; no values"]),
    ("# conductances [uS]\nnan,100,nan\n", ["2 of 3 devices have no value (nan)", "100.0 % lie within the window"]),
    ("n_later_writes [-],delta_conductance [S]\n", ["0 changes: no values"]),
    ("target [S],programmed [S]\n", ["0 devices; targets: no values"]),
])
def test_describe_files_of_spreadsheets_and_files_without_values(text, parts, tmp_path, capsys):
    (tmp_path / "file.csv").write_text(text, encoding="utf-8")
    code, shown, error = run(capsys, "describe", tmp_path / "file.csv")
    assert (code, error) == (0, "")
    for part in parts:
        assert part in shown


def test_simulated_chips_are_stuck_where_the_plan_says(folder, tmp_path, capsys):
    assert run(capsys, "plan", folder / "network.npz", "--out", tmp_path / "plan", "--array-shape", "4x6", "--stuck",
               folder / "map.csv", folder / "map.csv")[0] == 0
    assert run(capsys, "program", tmp_path / "plan", "--simulate", "--out", tmp_path / "run", "--max-passes", 1,
               "--wire-resistance", 0)[0] == 0
    made = load_plan(tmp_path / "plan")
    for array, stuck in enumerate(made.stuck):
        events = [event for event in read_events(tmp_path / "run" / f"array_{array:02d}_log.csv") if event.kind == "readback"]
        read = np.array([event.conductance for event in events]).reshape(stuck.shape)
        known = ~np.isnan(stuck)
        # A reading is off by half a step of 0.7 uS and by noise of 0.15 %, of which seven sigma are allowed.
        assert known.sum() == 2 and (np.abs(read - stuck)[known] < 0.35 * uS + 0.0105 * stuck[known]).all()
        assert not any(event.outcome.startswith("stuck") for event in events)


def test_resume_goes_on_in_its_own_folder_only(plan, programmed, tmp_path, capsys):
    arguments = ["program", plan, "--simulate", "--seed", 3, "--max-passes", 2, "--resume", "--out", tmp_path / "run"]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    code, _, error = run(capsys, *arguments)
    assert code == 2 and "it has no run.json to go on from" in error
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]
    for name, content, message in (("run.json", "{", "run.json is not JSON"), ("run.json", "[]", "format was None"),
                                   ("array_01_readback.csv", None, "No such file"),
                                   ("array_01_readback.csv", "1,2\n", "is no read-back of array 1 of this plan")):
        shutil.rmtree(tmp_path / "run")
        shutil.copytree(programmed, tmp_path / "run")
        (tmp_path / "run" / name).unlink() if content is None else (tmp_path / "run" / name).write_text(content)
        code, _, error = run(capsys, *arguments)
        assert code == 2 and message in error and len(error.splitlines()) == 1


def test_an_edited_log_is_not_gone_on_from(plan, programmed, tmp_path, capsys):
    shutil.copytree(programmed, tmp_path / "run")
    (tmp_path / "run" / "array_02_report.txt").unlink()
    log = tmp_path / "run" / "array_02_log.csv"
    lines = log.read_text().splitlines()
    number = next(k for k, line in enumerate(lines) if ",read," in line)
    arguments = ["program", plan, "--simulate", "--seed", 3, "--max-passes", 2, "--resume", "--out", tmp_path / "run"]
    for cells, message in ((["1e-4", "", "0"], "of another chip"), (["many", "", "0"], "must be a number")):
        line = ",".join([*lines[number].split(",")[:-3], *cells])
        log.write_text("\n".join([*lines[:number], line, *lines[number + 1:], ""]))
        before = log.read_bytes()
        code, _, error = run(capsys, *arguments)
        assert code == 2 and message in error and log.read_bytes() == before
    log.write_text("\n".join([*lines, ""]))
    assert run(capsys, *arguments)[0] == 0
    for path in programmed.iterdir():
        assert timeless(path) == timeless(tmp_path / "run" / path.name)


def test_a_plan_is_whole_or_absent(folder, tmp_path, monkeypatch, capsys):
    def interrupted(self, path):
        raise KeyboardInterrupt

    monkeypatch.setattr(MLP, "save", interrupted)
    code, _, _ = run(capsys, "plan", folder / "network.npz", "--out", tmp_path / "plan")
    assert code == 130 and not list(tmp_path.iterdir())
    (tmp_path / "plan").mkdir()
    monkeypatch.undo()
    assert run(capsys, "plan", folder / "network.npz", "--out", tmp_path / "plan")[0] == 0  # an empty folder is taken
    assert MLP.load(tmp_path / "plan" / "network.npz").sizes == (2, 3, 1)


def test_unknown_commands_with_quotes_are_named(capsys):
    for name in ("it's", 'say "plan"', "plann"):
        code, _, error = run(capsys, name)
        assert code == 2 and f"unknown command {name!r}" in error


def test_output_that_the_terminal_cannot_show_and_early_interrupts(tmp_path):
    name = "gr\u00f6\u00dfe.csv"
    (tmp_path / name).write_text("# conductances [uS]\n100,200\n")
    options = {"capture_output": True, "text": True, "env": {**os.environ, "PYTHONIOENCODING": "ascii"}, "cwd": ROOT}
    done = subprocess.run([sys.executable, "-m", "tiocross", "describe", str(tmp_path / name)], **options)
    assert done.returncode == 0 and "gr\\xf6\\xdfe.csv" in done.stdout
    early = ("import sys, tiocross.__main__ as entry\nclass Finder:\n    def find_spec(self, name, *rest):\n"
             "        if name == 'tiocross.commands.main': raise KeyboardInterrupt\nsys.meta_path.insert(0, Finder())\nentry.run()")
    done = subprocess.run([sys.executable, "-c", early], **options)
    assert (done.returncode, done.stderr.strip()) == (130, "interrupted")


def test_commands_run_as_short_as_they_can_be_written(capsys, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "plan", folder / "network.npz", "--out", "plan", "--array-shape", "4x4")[0] == 0
    assert run(capsys, "program", "plan", "--simulate", "--max-passes", 1)[0] == 0
    assert (tmp_path / "plan_programmed" / "array_00_readback.csv").exists()
    code, text, _ = run(capsys, "calibrate", folder / "tuning.csv", "--out", "device.json")
    assert code == 0 and "window 100 to 500 uS" in text
