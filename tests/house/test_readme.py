"""README: its blocks run, its commands are the ones that CI uses, its numbers are those of the code."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0][:40])
def test_python_block_runs_and_gives_what_its_comments_say(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(block, "README.md", "exec"), names)  # noqa: S102
    checked = 0
    for line in block.splitlines():
        expression, arrow, stated = line.partition("  # -> ")
        if arrow:
            value = eval(expression.split(" = ", 1)[-1] if re.match(r"\w+ = ", expression) else expression, names)  # noqa: S307
            assert str(value).replace("\n", " ") == stated
            checked += 1
    assert checked or "# ->" not in block


def test_there_are_blocks_and_two_set_up_commands():
    assert len(BLOCKS) >= 3
    set_up = COMMANDS[0].strip().splitlines()
    assert len(set_up) == 2
    assert set_up[0].endswith("tiocross experiment") and "pytest" in set_up[1]


def test_ci_runs_the_test_command_of_the_readme():
    test_command = COMMANDS[0].strip().splitlines()[1]
    assert test_command in (ROOT / ".ci" / "run").read_text() or "sed" in (ROOT / ".ci" / "run").read_text()


def test_options_named_in_the_readme_exist():
    lines = [line.split("#")[0] for command in COMMANDS[1:] for line in command.splitlines()]
    lines = [line for line in lines if line.startswith("tiocross ")]
    assert {line.split()[1] for line in lines} >= {"experiment", "plan", "program", "calibrate", "describe", "solve"}
    for name in {line.split()[1] for line in lines}:
        text = subprocess.run([sys.executable, "-m", "tiocross", name, "--help"], capture_output=True, text=True, cwd=ROOT,
                              check=True).stdout
        for option in {option for line in lines if line.split()[1] == name for option in re.findall(r"--[a-z-]{3,}", line)}:
            assert option in text
