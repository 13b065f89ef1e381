"""What surrounds the command: terminals of all widths, full disks, closed streams, notebooks, threads, settings of others."""

import errno
import io
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT

from tiocross import TIO2, TrainingSettings, plot, tasks, write_conductance_csv
from tiocross.commands import progress as progress_module
from tiocross.commands.arguments import INTRODUCTION
from tiocross.commands.main import main
from tiocross.commands.progress import ProgressLine, duration
from tiocross.commands.streams import OUTPUT_CLOSED, Stream, close_standard_streams, printable, wrap
from tiocross.study.crew import Crew, interrupts_held
from tiocross.study.figures import draw_all
from tiocross.study.recipes import RECIPES
from tiocross.study.results import ResultsFolder

COMMANDS = ("experiment", "compare", "train", "transfer", "effects", "energy", "tasks", "plan", "program", "judge", "calibrate", "describe", "report", "solve", "example",
            "warmup")


def end_of(arguments):
    """Exit code of the command in this process."""
    try:
        return main(arguments)
    except SystemExit as stop:
        return stop.code or 0


class Terminal(io.StringIO):
    """A terminal without a size of its own."""

    def isatty(self):
        return True


class Full(io.StringIO):
    """A stream on a full disk, or whose reader went away."""

    def __init__(self, number):
        super().__init__()
        self.number, self.n_writes = number, 0

    def write(self, text):
        self.n_writes += 1
        raise OSError(self.number, os.strerror(self.number))


@pytest.fixture
def terminal(monkeypatch):
    """Standard error as a terminal of 80 columns."""
    monkeypatch.setattr(progress_module, "sys", SimpleNamespace(stderr=Terminal()))  # pytest puts its own back in sys
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress_module, "width_of", lambda stream: 80)
    return progress_module.sys.stderr


# ---------------------------------------------------------------- first contact

def test_without_arguments_three_commands_to_try_are_shown(capsys):
    assert main([]) == 2  # not 0: an empty variable in a script is a mistake
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err == INTRODUCTION + "\n"
    tried = [line.split()[1] for line in INTRODUCTION.splitlines() if line.startswith("  tiocross ")]
    assert len(tried) == 3 and set(tried) <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("columns", ["60", "120"])
def test_every_help_text_has_an_example_and_fits_the_terminal(name, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert end_of([name, "--help"]) == 0
    text = capsys.readouterr().out
    example = text[text.index("\nexample"):]
    typed = [line for line in example.splitlines() if line.startswith(f"  tiocross {name}")]
    assert typed and "exit codes: 0 done" in text
    prose = [line for line in text.splitlines() if line not in typed]
    assert max(map(len, prose)) <= int(columns)


# ---------------------------------------------------------------- streams

@pytest.mark.parametrize(("name", "shown"), [
    ("a\x1b[31mb", "a\\x1b[31mb"), ("bell\x07", "bell\\x07"), ("back\x08\r", "back\\x08\\r"), ("c1\x9b", "c1\\x9b"),
    ("turn\u202eed", "turn\\u202eed"), ("\u00b5S, \u03a9, \u4e2d", "\u00b5S, \u03a9, \u4e2d"), ("two\tlines\n", "two\tlines\n")])
def test_control_characters_are_shown_and_not_obeyed(name, shown):
    assert printable(name) == shown


def test_names_in_errors_are_printed_on_one_line_and_cannot_steer_the_terminal(capsys):
    assert main(["describe", "./a\x1b[2Jb\nerror: none"]) == 2
    assert capsys.readouterr().err == "tiocross: error: a\\x1b[2Jb\\nerror: none: No such file or directory\n"
    assert end_of(["describe", "x", "--a\x1b[2J"]) == 2
    assert "unknown argument '--a\\x1b[2J'" in capsys.readouterr().err


def test_a_stream_that_fails_is_tried_once_and_remembers_why():
    stream = Stream(Full(errno.ENOSPC))
    for _ in range(3):
        assert stream.write("text") == 4
    assert stream._stream.n_writes == 1 and stream.error.errno == errno.ENOSPC
    closed = Stream(io.StringIO())
    closed.close()
    closed.write("text")
    assert isinstance(closed.error, ValueError)


@pytest.mark.parametrize(("number", "code", "after", "message"), [
    (errno.ENOSPC, 0, 1, "tiocross: failed: standard output: No space left on device\n"),
    (errno.EPIPE, 0, OUTPUT_CLOSED, ""), (errno.ENOSPC, 2, 2, ""), (errno.EPIPE, 130, 130, "")])
def test_output_that_did_not_arrive_changes_the_exit_code(number, code, after, message, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Stream(Full(number)))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    print("a result")
    assert close_standard_streams(code) == after
    assert sys.stderr.getvalue() == message


def test_prose_is_wrapped_between_words_and_tables_are_not():
    table = "input  bit line  current (uA)  ideal wires (uA)"
    text = f"  one two three four five six\n{table}\nshort\n"
    assert wrap(text, 20) == f"  one two three four\n    five six\n{table}\nshort\n"
    assert wrap(text, 60) == text
    path = "/a/very/long/path/that/has-no-blanks"
    assert wrap(f"results are in {path}", 20) == f"results are in\n  {path}"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a shell is needed")
@pytest.mark.parametrize(("redirection", "code", "error"), [
    ("> /dev/full", 1, "tiocross: failed: standard output: No space left on device\n"), (">&-", 0, ""), (">&- 2>&-", 0, ""),
    ("2> /dev/full", 0, ""), ("| true; exit ${PIPESTATUS[0]}", OUTPUT_CLOSED, ""), ("<&-", 0, "")])
def test_files_are_written_wherever_standard_output_goes(redirection, code, error, tmp_path):
    write_conductance_csv(tmp_path / "g.csv", np.full((2, 3), 1e-4))
    (tmp_path / "v.csv").write_text("# voltages [V]\n0.1,0.2\n")
    command = f"{sys.executable} -m tiocross solve g.csv v.csv --out out.csv {redirection}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert (done.returncode, done.stderr) == (code, error)
    last = (tmp_path / "out.csv").read_text().splitlines()[-1]
    assert [float(value) for value in last.split(",")] == pytest.approx([3e-5] * 3, rel=1e-12)


def test_solve_writes_its_file_before_it_prints(tmp_path, monkeypatch):
    write_conductance_csv(tmp_path / "g.csv", np.full((2, 3), 1e-4))
    (tmp_path / "v.csv").write_text("# voltages [V]\n0.1,0.2\n")
    monkeypatch.setattr(sys, "stdout", Full(errno.ENOSPC))
    assert main(["solve", str(tmp_path / "g.csv"), str(tmp_path / "v.csv"), "--out", str(tmp_path / "out.csv")]) == 1
    assert (tmp_path / "out.csv").exists()


# ---------------------------------------------------------------- progress

def line_after(seconds, since_last, **done):
    """A progress line of 40 networks and 60 transfers, and the time at which it is looked at."""
    line = ProgressLine(networks=40, transfers=60)
    line._began, line._updated = 100.0, 100.0 + seconds - since_last
    line._done.update(done)
    return line.text(100.0 + seconds)


def test_progress_tells_what_is_left(terminal):
    assert line_after(30, 0, networks=10, transfers=10) == "30 s, about 2 min left: 10/40 networks, 10/60 transfers"
    assert line_after(30, 5, networks=10, transfers=40) == "30 s, about 20 s left: 10/40 networks, 40/60 transfers"  # 25/0.5-30
    assert line_after(1, 0, networks=10) == "1 s: 10/40 networks, 0/60 transfers"  # too early
    assert line_after(30, 0, networks=2) == "30 s: 2/40 networks, 0/60 transfers"  # too little
    assert line_after(90, 60, networks=40, transfers=10) == "90 s: 40/40 networks, 10/60 transfers"  # the guess was wrong
    alone = ProgressLine()  # where nothing can be counted
    alone._began = alone._updated = 0.0
    assert alone.text(7.0) == "7 s"
    assert [duration(seconds) for seconds in (0.4, 99, 100, 3600, 7500)] == ["0 s", "99 s", "2 min", "60 min", "2 h 5 min"]


def test_progress_moves_while_nothing_is_finished(terminal, monkeypatch):
    monkeypatch.setattr(progress_module, "_PERIOD", 0.005)
    line = ProgressLine(transfers=4)
    line.update("transfers", 1)
    line._began -= 7
    deadline = time.monotonic() + 5
    while "7 s" not in terminal.getvalue() and time.monotonic() < deadline:
        time.sleep(0.002)
    line.close()
    shown = terminal.getvalue()
    assert "7 s" in shown and "1/4 transfers" in shown
    assert shown.endswith("\r") and shown.split("\r")[-2].strip() == ""  # cleared
    assert "\x1b" not in shown  # neither colours nor other codes: NO_COLOR has nothing to forbid
    assert not any(thread.name == "tiocross progress" for thread in threading.enumerate())


@pytest.mark.parametrize("columns", [20, 50, 120])
def test_progress_fits_the_terminal(terminal, monkeypatch, columns):
    monkeypatch.setattr(progress_module, "width_of", lambda stream: columns)
    line = ProgressLine(**{"networks trained": 40, "transfers": 60})
    line._updated = time.monotonic()
    line._began = line._updated - 30
    line._done.update({"networks trained": 10, "transfers": 10})
    line._draw(line.text(time.monotonic()))
    text = terminal.getvalue().lstrip("\r")
    assert len(text) < columns and text.startswith("30 s, about 2 min"[: columns - 4])
    assert text.endswith("transfers" if columns == 120 else "...")


def test_compilation_is_told_once_it_takes_longer_than_a_second(terminal, monkeypatch):
    for seconds, told in ((0.0, False), (0.9, False), (3.0, True)):
        monkeypatch.setattr("tiocross.jit.compiling", lambda seconds=seconds: seconds, raising=False)
        assert line_after(1, 0).startswith("compiling kernels (once) ... 1 s") == told


@pytest.mark.parametrize(("isatty", "environment", "shown"), [
    (True, {}, True), (False, {}, False), (True, {"CI": "true"}, False), (True, {"TERM": "dumb"}, False),
    (True, {"NO_COLOR": "1"}, True)])
def test_progress_shows_on_a_terminal_only(terminal, monkeypatch, isatty, environment, shown):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(terminal, "isatty", lambda: isatty)
    line = ProgressLine(transfers=4)
    line.update("transfers", 2)
    deadline = time.monotonic() + (5 if shown else 0)
    while "2/4" not in terminal.getvalue() and time.monotonic() < deadline:
        time.sleep(0.002)
    line.close()
    assert ("2/4 transfers" in terminal.getvalue()) == shown


def test_progress_survives_a_terminal_that_went_away(monkeypatch, terminal):
    line = ProgressLine(transfers=4)
    progress_module.sys.stderr = Full(errno.EIO)
    line.update("transfers", 2)
    line.close()
    progress_module.sys.stderr = None
    assert not ProgressLine(transfers=4)._shown


# ---------------------------------------------------------------- threads and settings of others

def in_thread(function):
    """What a function gives, or raises, in a thread of its own."""
    found = []

    def call():
        try:
            found.append(function())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return found[0]


def test_commands_run_outside_the_main_thread(tmp_path, capsys):
    (tmp_path / "v.csv").write_text("# voltages [V]\n0.1,0.2\n")
    assert in_thread(lambda: main(["describe", str(tmp_path / "v.csv")])) == 0
    assert in_thread(lambda: main(["describe", str(tmp_path / "no.csv")])) == 2

    def hold_and_leave():
        with interrupts_held(), Crew(2) as crew:
            held = crew.start_thread(int, "3").result()
        try:
            with Crew(1) as crew:
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            return held

    assert in_thread(hold_and_leave) == 3


@pytest.mark.slow
def test_a_study_runs_outside_the_main_thread(tmp_path, capsys, monkeypatch):
    short = replace(RECIPES[0], training=TrainingSettings(n_steps=50, n_chips=2), weight_decay=0.0)
    monkeypatch.setattr("tiocross.commands.experiment.ROWS", (short,))
    tasks.save_moons(tasks.generate_moons(rng=np.random.default_rng(1), n_train=40, n_test=40), tmp_path)
    arguments = ["experiment", "--seeds", "1", "--transfers", "10", "--workers", "1", "--data", str(tmp_path),
                 "--out", str(tmp_path / "out")]
    assert in_thread(lambda: main(arguments)) == 0, capsys.readouterr().err


def draw_one(text):
    """A figure with the kinds of text that LaTeX would set."""
    figure, axes = plot.new_figure()
    plot.tuning_fit(axes[0, 0], [2e-4, 4e-4], [2.01e-4, 3.98e-4], TIO2.tuning, title=text)
    return figure


@pytest.mark.slow  # pictures in 2 x 2 files
def test_settings_of_the_user_neither_stop_nor_change_figures(tmp_path):
    import matplotlib

    made = []
    for settings in ({}, {"text.usetex": True, "font.size": 30.0, "savefig.bbox": "tight", "axes.grid": True}):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        with matplotlib.rc_context(settings), Crew(1) as crew:
            draw_all(crew, ResultsFolder(folder), {"methods": (draw_one, "100 % of it & more_")})
            assert all(matplotlib.rcParams[name] == value for name, value in settings.items())  # still the user's
        made.append((folder / "methods.png").read_bytes())
    assert made[0] == made[1]


def figure_of_a_process(path, **environment):
    """The bytes of a figure drawn by a process of its own."""
    code = ("import sys\nfrom tiocross import plot\nwith plot.house_style():\n    figure, axes = plot.new_figure()\n"
            "    axes[0, 0].set_title('title')\n    figure.savefig(sys.argv[1])\n"
            "assert 'matplotlib.pyplot' not in sys.modules\n")
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=ROOT,
                          env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return path.read_bytes()


@pytest.fixture(scope="module")
def plain_figure(tmp_path_factory):
    return figure_of_a_process(tmp_path_factory.mktemp("plain") / "plain.png")


@pytest.mark.slow  # a process for each
@pytest.mark.parametrize(("variable", "value"), [
    ("MPLBACKEND", "module://matplotlib_inline.backend_inline"), ("MPLBACKEND", "no such backend"), ("MPLBACKEND", "tkagg"),
    ("MATPLOTLIBRC", "text.usetex: True\nfont.size: many\n"), ("MATPLOTLIBRC", b"\xff\xfe\x00")])
def test_figures_are_drawn_whatever_matplotlib_is_told(variable, value, plain_figure, tmp_path):
    if variable == "MATPLOTLIBRC":
        (tmp_path / "rc").write_bytes(value if isinstance(value, bytes) else value.encode())
        value = str(tmp_path / "rc")
    assert figure_of_a_process(tmp_path / "told.png", **{variable: value}) == plain_figure
