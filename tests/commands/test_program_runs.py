"""Runs of ``tiocross program``: killed and gone on with, one writer at a time, folders with results, whose chip it is."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT

from tiocross import MLP, TIO2, Device, ProgramReport, PulseScheme, load_plan, plan, save_device
from tiocross.commands import program
from tiocross.commands.main import main
from tiocross.devices import files
from tiocross.devices.device import LARGEST_WINDOW
from tiocross.lab.log import EventLog, read_events
from tiocross.lab.plan_files import load_readback
from tiocross.lab.switching import TIO2_SWITCHING, switching_of
from tiocross.mapping.layout import Layout
from tiocross.storage import locked_folder
from tiocross.units import uS


class Killed(BaseException):
    """Stands for the end of the process: nothing of tiocross catches it."""


def run(capsys, *arguments):
    """Exit code, and what was printed on both streams."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def save_plan(folder, network, device=TIO2, **options):
    plan(network, device, layout=(4, 3), **options).save(folder)
    network.save(folder / "network.npz")
    return folder


@pytest.fixture(scope="module", autouse=True)
def without_page():
    """The page of a run takes seconds to draw, and has tests of its own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(program, "write_report", lambda folder: folder / "report.html")
        yield


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A plan for one array of 4 x 3 with six devices."""
    return save_plan(tmp_path_factory.mktemp("plans") / "plan", MLP(2, 1, rng=np.random.default_rng(2)))


def command(plan_folder, out, *options):
    return ["program", str(plan_folder), "--simulate", "--seed", "5", "--max-passes", "2", "--out", str(out), *options]


@pytest.fixture(scope="module")
def whole(small):
    """The uninterrupted run."""
    out = small.parent / "whole"
    assert main(command(small, out)) == 0
    return out


def contents(folder):
    """Every file of a run by name: all of it, of logs all but the times."""
    found = {}
    for path in sorted(folder.iterdir()):
        lines = path.read_text().splitlines()
        found[path.name] = [line.rpartition(",")[0] for line in lines] if path.name.endswith("_log.csv") else lines
    found.pop("report.html", None)  # shows times
    return found


def kill_at(monkeypatch, n_writes, torn):
    """Let the process end at a write to the log, of which ``torn`` characters arrive."""
    write, count = EventLog._write, [0]

    def write_until_killed(self, text):
        count[0] += 1
        if count[0] == n_writes:
            write(self, text[:torn])
            raise Killed
        write(self, text)

    monkeypatch.setattr(EventLog, "_write", write_until_killed)


def require_same_after_kills(monkeypatch, small, whole, out, kills):
    for n_writes, torn in kills:
        with monkeypatch.context() as patched:
            kill_at(patched, n_writes, torn)
            try:
                main(command(small, out, *(["--resume"] if out.exists() else [])))
            except Killed:
                continue
        break
    assert main(command(small, out, "--resume")) == 0
    assert contents(out) == contents(whole)


def test_a_run_killed_in_the_middle_of_a_device_goes_on_to_the_very_same_end(small, whole, tmp_path, monkeypatch):
    n_lines = len((whole / "array_00_log.csv").read_text().splitlines())
    require_same_after_kills(monkeypatch, small, whole, tmp_path / "run", [(n_lines // 3, 9), (40, 0), (n_lines // 4, 3)])


def test_a_run_killed_in_a_whole_array_reading_goes_on_to_the_very_same_end(small, whole, tmp_path, monkeypatch):
    lines = (whole / "array_00_log.csv").read_text().splitlines()
    first = next(k for k, line in enumerate(lines) if ",readback," in line)
    require_same_after_kills(monkeypatch, small, whole, tmp_path / "run", [(first + 4, 7)])


@pytest.mark.slow
def test_runs_killed_at_random_writes_go_on_to_the_very_same_end(small, whole, tmp_path, monkeypatch):
    rng, n_lines = np.random.default_rng(8), len((whole / "array_00_log.csv").read_text().splitlines())
    for k in range(25):
        kills = [(int(rng.integers(1, n_lines)), int(rng.integers(0, 60))) for _ in range(rng.integers(1, 4))]
        require_same_after_kills(monkeypatch, small, whole, tmp_path / f"run{k}", kills)


@pytest.mark.slow
def test_processes_killed_at_random_moments_are_gone_on_with_to_the_very_same_end(tmp_path):
    folder = save_plan(tmp_path / "plan", MLP(2, 3, 1, rng=np.random.default_rng(1)))
    assert main(command(folder, tmp_path / "whole")) == 0
    rng, n_killed = np.random.default_rng(3), 0
    for k in range(5):
        out = tmp_path / f"run{k}"
        for _ in range(2):
            arguments = [sys.executable, "-m", "tiocross", *command(folder, out, "--resume")]
            with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                until = time.monotonic() + 30
                while not (out / "array_00_log.csv").exists() and process.poll() is None and time.monotonic() < until:
                    time.sleep(0.002)
                time.sleep(rng.uniform(0, 0.5))
                n_killed += process.poll() is None
                process.send_signal(signal.SIGKILL if k % 2 else signal.SIGTERM)
        assert main(command(folder, out, "--resume")) == 0
        assert contents(out) == contents(tmp_path / "whole")
    assert n_killed >= 5


def test_a_second_process_in_the_folder_is_refused_in_one_line(small, whole, tmp_path, capsys):
    before = contents(whole)
    with locked_folder(whole):
        for options in ([], ["--resume"], ["--overwrite"]):  # who waits need not replace what is being written
            code, text, error = run(capsys, *command(small, whole, *options))
            assert (code, text) == (2, "") and "another process" in error and len(error.splitlines()) == 1
    assert contents(whole) == before
    (tmp_path / "run").mkdir()
    with locked_folder(tmp_path / "run"):
        assert run(capsys, *command(small, tmp_path / "run"))[0] == 2
    assert run(capsys, *command(small, tmp_path / "run"))[0] == 0


def test_the_lock_ends_with_the_run_however_it_ends(small, tmp_path, monkeypatch, capsys):
    for error in (KeyboardInterrupt, RuntimeError("broken"), OSError(28, "No space left on device")):
        monkeypatch.setattr(program, "program_array", lambda *args, error=error, **options: (_ for _ in ()).throw(error))
        assert run(capsys, *command(small, tmp_path / "run", "--overwrite"))[0] in (1, 130)
        with locked_folder(tmp_path / "run"):
            pass


def test_a_folder_with_results_is_refused_and_replaced_when_told_so(small, whole, tmp_path, capsys):
    out = tmp_path / "run"
    out.mkdir()
    for name in ("array_07_log.csv", "array_07_report.txt", "programming.json", "report.html", ".tiocross-0123456789abcdef.csv"):
        (out / name).write_text("old")
    code, text, error = run(capsys, *command(small, out))
    assert code == 2 and "holds results of an earlier run, such as 'array_07_log.csv'" in error and "--overwrite" in error
    assert "--resume" not in error and len(error.splitlines()) == 1 and len(list(out.iterdir())) == 5
    code, _, error = run(capsys, *command(small, out, "--overwrite", "--resume"))
    assert code == 2 and "give one of them" in error and len(list(out.iterdir())) == 5
    code, _, error = run(capsys, *command(small, out, "--overwrite", "--seed", "-1"))
    assert code == 2 and len(list(out.iterdir())) == 5  # all is checked before anything is removed
    assert run(capsys, *command(small, out, "--overwrite"))[0] == 0
    assert contents(out) == contents(whole)
    (out / "mine.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    code, _, error = run(capsys, *command(small, out, "--overwrite"))
    assert code == 2 and "files that tiocross program did not write, such as 'mine.txt'" in error
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_run_that_died_in_its_first_moment_is_no_obstacle(small, whole, tmp_path, capsys):
    out = tmp_path / "run"
    out.mkdir()
    for name in ("run.json", ".tiocross-0123456789abcdef.json", ".lock"):
        (out / name).write_text("")
    assert run(capsys, *command(small, out))[0] == 0
    assert contents(out) == contents(whole)


@pytest.mark.parametrize("options", [["--out", "file"], ["--out", "file/run"], ["--out", "no\0name"]])
def test_a_folder_that_cannot_be_is_refused_before_anything_is_made(small, options, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    code, text, error = run(capsys, *command(small, "x", *options))
    assert (code, text) == (2, "") and len(error.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name, content, message", [
    ("array_00_report.json", b"\xff\xfe", "is not JSON"), ("array_00_report.json", b"{}", "is not a report of this version"),
    ("array_00_report.json", None, "No such file"), ("array_00_readback.csv", b"\xff", "is not text"),
    ("array_00_log.csv", b"\xff\xfe\n", "is not a pulse log"), ("array_00_log.csv", b"# other\n", "is not a pulse log"),
])
def test_what_was_damaged_is_not_gone_on_from(small, whole, tmp_path, name, content, message, capsys):
    out = tmp_path / "run"
    out.mkdir()
    for path in whole.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    if name.endswith("log.csv"):
        (out / "array_00_report.txt").unlink()
    (out / name).unlink() if content is None else (out / name).write_bytes(content)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    code, text, error = run(capsys, *command(small, out, "--resume"))
    assert (code, text) == (2, "") and name in error and message in error and len(error.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize("kind, cell, value", [("pulse", 6, "1.5"), ("pulse", 7, "2e-06"), ("pulse", 6, "1e6"),
                                               ("read", 8, "0.0002"), ("done", 9, "budget"), ("read", 5, "0.0003"),
                                               ("readback", 8, "0.0002"), ("read", 1, "7")])
def test_a_log_edited_in_any_cell_is_not_gone_on_from(small, whole, tmp_path, kind, cell, value, capsys):
    out = tmp_path / "run"
    out.mkdir()
    for path in whole.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    (out / "array_00_report.txt").unlink()
    lines = (out / "array_00_log.csv").read_text().splitlines()
    number = [k for k, line in enumerate(lines) if f",{kind}," in line][4]
    cells = lines[number].split(",")
    cells[cell] = value
    (out / "array_00_log.csv").write_text("\n".join([*lines[:number], ",".join(cells), *lines[number + 1:], ""]))
    code, text, error = run(capsys, *command(small, out, "--resume"))
    assert (code, text) == (2, "") and "array_00_log.csv: " in error and len(error.splitlines()) == 1


@pytest.mark.parametrize("kind, cell, change", [("read", 8, 1.0001), ("pulse", 6, 1.5), ("pulse", 7, 2.0),
                                                ("readback", 8, 1.001)])
def test_a_finished_array_whose_log_was_edited_is_not_taken_as_it_is(small, whole, tmp_path, kind, cell, change, capsys):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    assert run(capsys, *command(small, out, "--resume"))[0] == 0  # as it was left
    lines = (out / "array_00_log.csv").read_text().splitlines()
    number = next(k for k, line in enumerate(lines) if f",{kind}," in line)
    cells = lines[number].split(",")
    cells[cell] = repr(float(cells[cell]) * change)
    (out / "array_00_log.csv").write_text("\n".join([*lines[:number], ",".join(cells), *lines[number + 1:], ""]))
    before = contents(out)
    code, text, error = run(capsys, *command(small, out, "--resume"))
    assert (code, text) == (2, "") and "array_00_log.csv: " in error and "edited" in error and len(error.splitlines()) == 1
    assert contents(out) == before


def test_a_finished_array_whose_readback_was_edited_is_not_taken_as_it_is(small, whole, tmp_path, capsys):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    *lines, last = (out / "array_00_readback.csv").read_text().splitlines()
    (out / "array_00_readback.csv").write_text("\n".join([*lines, "0.0002," + last.partition(",")[2], ""]))
    code, text, error = run(capsys, *command(small, out, "--resume"))
    assert (code, text) == (2, "") and "the conductances of array_00_readback.csv; one of them was edited" in error


# --- what a run leaves ---

def test_a_run_leaves_all_that_a_page_about_it_needs(small, whole):
    content, made = json.loads((whole / "programming.json").read_text()), load_plan(small)
    assert content["format"] == "tiocross programming 1" and content["plan_sha256"] == made.sha256
    assert (content["seed"], content["wire_resistance [ohm]"], content["max_passes"]) == (5, 2.0, 2)
    assert files.from_json(content["device"]) == TIO2 and PulseScheme.from_json(content["scheme"]) == made.scheme
    assert Layout.from_json(content["layout"]).to_json() == made.layout.to_json()
    [array] = content["arrays"]
    report = ProgramReport.load(whole / array["report"])
    assert report.summary() == array["summary"] == (whole / "array_00_report.txt").read_text().rstrip("\n")
    np.testing.assert_array_equal(report.targets, made.targets[0])
    np.testing.assert_array_equal(report.conductances, load_readback(made, 0, whole / array["readback"]))
    np.testing.assert_array_equal(np.array(array["expected [S]"], dtype=float), made.expected[0])
    events = read_events(whole / array["log"])
    assert sum(event.kind == "pulse" for event in events) == report.n_pulses.sum()
    times = np.array([event.time for event in events])
    assert (np.diff(times) >= 0).all() and time.time() - 3600 < times[0] <= times[-1] <= time.time()
    prediction = content["prediction"]
    assert prediction["n_points"] == 4000 and prediction["accuracy [-]"] == prediction["n_right"] / 4000
    assert prediction["low [-]"] < prediction["accuracy [-]"] < prediction["high [-]"] and not content["why_no_prediction"]


def test_a_run_can_be_described(small, whole, capsys):
    code, out, _ = run(capsys, "describe", whole)
    assert code == 0 and out.startswith(f"{whole}: programming run\n")
    assert "array 0: " in out and "within 1 %" in out and ("predicted accuracy on" in out or "no accuracy" in out)


def test_a_chip_unlike_its_network_keeps_its_results_and_says_why_there_is_no_accuracy(small, tmp_path, monkeypatch, capsys):
    def refuse(*args, **options):
        raise ValueError("the crossbars do not look like layer 0")

    monkeypatch.setattr(program, "infer", refuse)
    code, text, _ = run(capsys, *command(small, tmp_path / "run"))
    assert code == 0 and "no accuracy: the crossbars do not look like layer 0" in text
    content = json.loads((tmp_path / "run" / "programming.json").read_text())
    assert content["prediction"] is None and "do not look like layer 0" in content["why_no_prediction"]


@pytest.mark.slow
def test_a_run_ends_with_a_page_for_people(small, tmp_path):
    done = subprocess.run([sys.executable, "-m", "tiocross", *command(small, tmp_path / "run")], cwd=ROOT, text=True,
                          capture_output=True)
    assert done.returncode == 0 and "a page to read is" in done.stdout
    assert "<html" in (tmp_path / "run" / "report.html").read_text()[:300]


# --- whose chip ---

def test_the_published_card_is_simulated_as_itself(small, whole, tmp_path, capsys):
    assert switching_of(TIO2) == TIO2_SWITCHING
    _, text, _ = run(capsys, *command(small, tmp_path / "run"))
    assert text.splitlines()[0] == "simulated chips: they switch as TiO2 (Drolet et al. 2023) does"
    assert text.splitlines()[1].startswith("pulse scheme: the default one, of a measured array of TiO2 (Drolet et al. 2023)")


def test_a_device_of_ones_own_is_simulated_in_its_window_and_it_is_said_what_is_not_its_own(tmp_path, capsys):
    own = Device(20 * uS, 60 * uS, name="my chip", source="mine")
    network = MLP(2, 1, rng=np.random.default_rng(2))
    save_device(own, tmp_path / "own.json")
    network.save(tmp_path / "network.npz")
    code, text, _ = run(capsys, "plan", tmp_path / "network.npz", "--device", tmp_path / "own.json", "--out",
                        tmp_path / "plan", "--array-shape", "4x3")
    assert code == 0 and "note: pulse scheme: the default one, measured on TiO2 (Drolet et al. 2023), not on my chip" in text
    code, text, _ = run(capsys, *command(tmp_path / "plan", tmp_path / "run"))
    assert code == 0 and text.startswith("simulated chips: NOT my chip. Window and faults are that device's; voltages,")
    report = ProgramReport.load(tmp_path / "run" / "array_00_report.json")
    assert report.within.sum() >= 5 and report.mask.sum() == 6  # the chip reaches the window
    chip = json.loads((tmp_path / "run" / "programming.json").read_text())["chip"]
    assert chip["switching"] == text.splitlines()[0] and "not on my chip" in text


def test_switching_keeps_its_ratio_to_the_window():
    own = switching_of(Device(20 * uS, 60 * uS, name="own"))
    assert (own.initial_low, own.initial_high, own.stuck, own.lines) == (20 * uS, 60 * uS, None, None)
    assert own.g_off == pytest.approx(15 * uS / 5) and own.g_on == pytest.approx(970 * uS * 0.12)
    assert own.read_step / own.g_on == pytest.approx(TIO2_SWITCHING.read_step / TIO2_SWITCHING.g_on)
    assert own.set_voltage == TIO2_SWITCHING.set_voltage
    assert switching_of(replace(TIO2, stuck=None)).stuck is None
    wide = switching_of(Device(1e-3, LARGEST_WINDOW, name="wide"))  # the largest window that there is
    assert (wide.g_off, wide.g_on) == pytest.approx((0.15e-3, 19.4e-3))


@pytest.mark.parametrize("scheme", [PulseScheme(set_start=0.3, set_limit=0.8), PulseScheme(reset_start=-0.3, reset_limit=-0.9),
                                    PulseScheme(width=1e-10), PulseScheme(set_start=0.1, set_limit=0.3, width=1.0)])
def test_a_scheme_that_does_not_switch_the_simulated_chips_is_refused(scheme, tmp_path, capsys):
    folder = save_plan(tmp_path / "plan", MLP(2, 1, rng=np.random.default_rng(2)), scheme=scheme)
    code, text, error = run(capsys, *command(folder, tmp_path / "run"))
    assert (code, text) == (2, "") and "the pulse scheme does not switch the simulated chips" in error
    assert "yours is for program_array on real chips" in error and not (tmp_path / "run").exists()


def test_a_window_from_zero_is_refused_when_it_is_planned(tmp_path, capsys):
    network, device = MLP(2, 1, rng=np.random.default_rng(2)), Device(0.0, 2e-4, name="open")
    with pytest.raises(ValueError, match="a plan needs a window that begins above 0 S; that of open begins at 0 S, which no"):
        plan(network, device)
    save_device(device, tmp_path / "open.json")
    network.save(tmp_path / "network.npz")
    code, _, error = run(capsys, "plan", tmp_path / "network.npz", "--device", tmp_path / "open.json", "--out",
                         tmp_path / "plan")
    assert code == 2 and "Set g_min of the device to the lowest conductance" in error and not (tmp_path / "plan").exists()


def test_many_stuck_devices_end_the_run_with_its_report_and_go_on_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tiocross.lab.suspicion.N_STUCK", 1)
    monkeypatch.setattr("tiocross.lab.suspicion.N_LINES", 0)
    folder = save_plan(tmp_path / "plan", MLP(2, 1, rng=np.random.default_rng(2)))
    model = replace(TIO2_SWITCHING, set_voltage=30.0, reset_voltage=60.0)  # nothing moves
    monkeypatch.setattr(program, "switching_of", lambda device: model)
    monkeypatch.setattr(program, "require_switching", lambda *args: None)
    code, text, error = run(capsys, *command(folder, tmp_path / "run"))
    assert code == 1 and "NOT COMPLETE" in text and "1 device in a row ended stuck" in error and "--go-on" in error
    code, text, error = run(capsys, *command(folder, tmp_path / "run", "--resume", "--go-on"))
    assert code == 0 and "6 devices of a 4 x 3 array" in text and "NOT COMPLETE" not in text and "stuck" in text


def test_write_disturb_beyond_what_was_measured_is_said(tmp_path, capsys):
    network = MLP(12, 12, rng=np.random.default_rng(2))
    made = plan(network, TIO2, layout=(14, 26))
    assert made.notes == ["write disturb: measured after up to 43 later writes, here up to 311: the changes beyond are "
                          "extrapolated, their spread growing as the number of writes to the power 0.28"]
    assert plan(network, TIO2).notes == [] and plan(network, TIO2.without("disturb"), layout=(14, 26)).notes == []


# --- maps of stuck devices ---

def test_too_few_maps_name_shared_arrays_where_they_would_do(tmp_path, capsys):
    MLP(2, 8, 1, rng=np.random.default_rng(2)).save(tmp_path / "network.npz")
    (tmp_path / "map.csv").write_text("# stuck devices, conductances [uS]\n" + "\n".join([",".join(["nan"] * 16)] * 16) + "\n")
    arguments = ["plan", tmp_path / "network.npz", "--out", tmp_path / "plan", "--stuck", tmp_path / "map.csv"]
    code, _, error = run(capsys, *arguments, "--array-shape", "16x16")
    assert code == 2 and "2 arrays of 16x16 that the network takes; got 1: give 2 maps, or --share-arrays" in error
    assert len(error.splitlines()) == 1
    code, _, error = run(capsys, *arguments, "--array-shape", "8x8", "--share-arrays")
    assert code == 2 and "(16, 16)" in error  # one map of another shape
    MLP(2, 90, 1, rng=np.random.default_rng(2)).save(tmp_path / "network.npz")
    code, _, error = run(capsys, *arguments, "--array-shape", "16x16")  # no place for all on one array
    assert code == 2 and "got 1: give " in error and "--share-arrays" not in error
    MLP(2, 8, 1, rng=np.random.default_rng(2)).save(tmp_path / "network.npz")
    assert run(capsys, *arguments, "--array-shape", "16x16", "--share-arrays")[0] == 0


@pytest.mark.parametrize("text, stuck", [
    ("# conductances [uS]\n300,20,300\n300,300,900\n300,300,300\n300,300,300\n", {(0, 1): 20 * uS, (1, 2): 900 * uS}),
    ("# resistances [kohm]\n4,50,4\n4,4,4\n4,4,4\n4,4,4\n", {(0, 1): 20 * uS}),
    ("# stuck devices, conductances [uS]\nnan,20,nan\nnan,nan,300\nnan,nan,nan\nnan,nan,nan\n",
     {(0, 1): 20 * uS, (1, 2): 300 * uS}),  # 300 uS lies within the window
])
def test_a_plan_goes_around_what_a_map_of_any_form_says(tmp_path, text, stuck, capsys):
    MLP(2, 1, rng=np.random.default_rng(2)).save(tmp_path / "network.npz")
    (tmp_path / "map.csv").write_text(text)
    code, _, error = run(capsys, "plan", tmp_path / "network.npz", "--out", tmp_path / "plan", "--array-shape", "4x3",
                         "--stuck", tmp_path / "map.csv")
    assert (code, error) == (0, "")
    found = load_plan(tmp_path / "plan").stuck[0]
    assert {tuple(place): pytest.approx(found[tuple(place)]) for place in np.argwhere(~np.isnan(found)).tolist()} == stuck


@pytest.mark.parametrize("text, message", [
    ("# conductances [uS]\n300,nan,300\n300,300,900\n300,300,300\n300,300,300\n", "11 of 12 devices have a number, and all"),
    ("# voltages [V]\n1,2\n", "is a file of the kind voltages"), ("{}", "nothing that tiocross knows|is not a device"),
])
def test_what_is_no_map_of_stuck_devices_is_refused(tmp_path, text, message, capsys):
    MLP(2, 1, rng=np.random.default_rng(2)).save(tmp_path / "network.npz")
    (tmp_path / "map.csv").write_text(text)
    code, _, error = run(capsys, "plan", tmp_path / "network.npz", "--out", tmp_path / "plan", "--array-shape", "4x3",
                         "--stuck", tmp_path / "map.csv")
    assert code == 2 and any(part in error for part in message.split("|")) and len(error.splitlines()) == 1
    assert not (tmp_path / "plan").exists()
