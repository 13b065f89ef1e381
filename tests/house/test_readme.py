"""READMEs: their blocks run, their links lead somewhere, their commands and rooms are those of the code."""

import json
import re
import sys

import pytest
from conftest import ROOT
from test_imports import ALLOWED, FILES, GROUND, imports_of, module_of, room_of

from tiocross.commands.main import main

sys.path.append(str(ROOT / "scripts"))
import readme_picture  # noqa: E402
import readme_tables  # noqa: E402

READMES = sorted(path for pattern in ("README.md", "*/README.md", "tiocross/*/README.md") for path in ROOT.glob(pattern))
TEXTS = {str(path.relative_to(ROOT).parent).replace(".", "top"): path.read_text(encoding="utf-8") for path in READMES}
BLOCKS = [(place, block) for place, text in TEXTS.items() for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]
COMMANDS = [line.split("  #")[0].strip() for text in TEXTS.values()
            for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.strip().splitlines()]
SET_UP = re.search(r"```sh\n(.*?)```", TEXTS["top"], re.DOTALL)[1].strip().splitlines()
ROOMS_WITH_README = ("circuit", "learning", "devices", "mapping", "transfers", "lab", "study", "tasks")


@pytest.mark.parametrize(("place", "block"), BLOCKS, ids=[f"{place}-{block.split(chr(10))[0][:30]}" for place, block in BLOCKS])
def test_python_block_runs_and_gives_what_its_comments_say(place, block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(block, f"README of {place}", "exec"), names)  # noqa: S102
    checked = 0
    for line in block.splitlines():
        expression, arrow, stated = line.rpartition("  # -> ")
        if arrow:
            expression = expression.split("  # ")[0]
            value = eval(expression.split(" = ", 1)[-1] if re.match(r"\w+ = ", expression) else expression, names)  # noqa: S307
            assert str(value).replace("\n", " ") == stated
            checked += 1
    assert checked or "# ->" not in block


def test_the_first_readme_is_for_the_first_day():
    assert len((ROOT / "README.md").read_bytes()) <= 8192
    assert {place.removeprefix("tiocross/") for place in TEXTS} >= {"top", "data", "scripts", "tests", *ROOMS_WITH_README}
    assert sum(place == "top" for place, _ in BLOCKS) == 2


def test_two_set_up_commands_that_ci_runs_too():
    assert len(SET_UP) == 2
    assert SET_UP[0].endswith("tiocross experiment") and SET_UP[1].endswith("pytest -q")
    assert ".venv/bin/python -m pytest -q -m slow" in TEXTS["top"]
    ci = (ROOT / ".ci" / "run").read_text()
    assert SET_UP[1] in ci


def test_links_lead_somewhere():
    broken = [f"{path.relative_to(ROOT)}: {target}" for path in READMES
              for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
              if not target.startswith("http") and not (path.parent / target).exists()]
    assert broken == []


def test_commands_and_their_options_exist(capsys):
    named = {}
    for line in COMMANDS:
        if line.startswith("tiocross "):
            named.setdefault(line.split()[1], set()).update(re.findall(r"--[a-z-]{3,}", line))
    assert set(named) >= {"experiment", "compare", "plan", "program", "calibrate", "describe", "solve"}
    for name, options in named.items():
        with pytest.raises(SystemExit):
            main([name, "--help"])
        shown = capsys.readouterr().out
        assert [option for option in options if option not in shown] == [], name


def test_scripts_and_their_options_exist():
    shown = {path.name for path in (ROOT / "scripts").glob("*.py")}
    assert [name for name in sorted(shown) if f"`{name}`" not in TEXTS["scripts"]] == []
    for line in COMMANDS:
        if line.startswith("python scripts/"):
            source = (ROOT / line.split()[1]).read_text()
            assert [option for option in re.findall(r"--[a-z-]{3,}", line) if f'"{option}"' not in source] == [], line


def pictured_rooms():
    """Room: rooms that it may import, as the README draws them."""
    drawn = re.search(r"```rooms\n(.*?)```", TEXTS["top"], re.DOTALL)[1].splitlines()
    ground = set(drawn[-1].split()[1:])
    rooms = {}
    for line in drawn[:-1]:
        said, _, behind = line.partition("->")
        rooms[said.split()[0]] = set().union(*({*ground} if name == "ground" else {name} for name in behind.split()))
    return rooms, ground


def test_the_picture_of_the_rooms_is_true():
    rooms, ground = pictured_rooms()
    assert ground == GROUND
    assert set(rooms) == {path.parent.name for path in ROOT.glob("tiocross/*/__init__.py")}
    assert rooms == {room: ALLOWED[room] for room in rooms}
    order = [*rooms, "ground"]
    assert [(room, other) for room, behind in rooms.items() for other in behind
            if other in rooms and order.index(other) <= order.index(room)] == []  # arrows go down
    wrong = [f"{module_of(path)} imports {name}" for path in FILES if (room := room_of(module_of(path))) in rooms
             for name, _ in imports_of(path) if name.startswith("tiocross.")
             if (other := room_of(name.removeprefix("tiocross."))) not in {*rooms[room], room, "__version__"}]
    assert wrong == []


def make_results(folder, names=("regular", "ROBUST"), wires=(0.0, 2.0)):
    """A small results folder, as `tiocross compare` writes it."""
    rows = [{"name": name, "wire_resistance": wire, "seed": seed, "nominal_accuracy": 0.8, "mean_accuracy": 0.7,
             "p05_accuracy": 0.6, "robust_fraction_95": 0.4 + 0.2 * seed, "robust_fraction_99": 0.1, "n_devices": 66,
             **({} if folder.name == "experiment" else {"kind": "a kind"})}
            for name in names for wire in wires for seed in (0, 1)]
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"complete": True, "seeds": [0, 1], "n_transfers": 50,
                                                     "wire_resistances": wires, "data": {"n_test": 40}, "rows": rows,
                                                     "conclusion": ["One is ahead."], "choices": [
                                                         {"name": "regular", "text": "rate 0.3", "at_edge": []}]}))
    arguments = ["compare", "--only", "a b", "--overwrite", "--out", str(folder)]
    (folder / "provenance.json").write_text(json.dumps({"arguments": arguments, "core_seconds": {"regular": 1.25},
                                                        "choice_core_seconds": {"regular": 9.0}}))


def test_tables_are_made_from_results(tmp_path):
    for name in ("experiment", "compare"):
        make_results(tmp_path / "results" / name)
    make_results(tmp_path / "results" / "tasks", [f"iris: {name}" for name in ("regular", "ROBUST")], (0.0,))
    (tmp_path / "results" / "write_disturb").mkdir()
    (tmp_path / "results" / "write_disturb" / "write_disturb.txt").write_text("  k  1 %\n  1 -26.4\n")
    (tmp_path / "results" / "reconcile").mkdir()
    (tmp_path / "results" / "reconcile" / "reconcile.txt").write_text("card  -5.8\n")
    copies = [tmp_path / f"{path.parent.name}.md" for path in readme_tables.READMES]
    for path, copy in zip(readme_tables.READMES, copies, strict=True):
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    readme_tables.main(["--results", str(tmp_path / "results"), "--readme", *map(str, copies)])
    study, lab = (copy.read_text(encoding="utf-8") for copy in copies)
    assert study.count("2 seeds, 50 chips each, 40 test points") == 3  # the table of tasks has another number for each
    assert study.count("One is ahead.") == 2 and "rate 0.3" in study and "--overwrite" not in study.split("<!-- table: compare")[1][:200]
    assert 'tiocross compare --only "a b"   (' in study and "--out" not in re.search(r"```\ntiocross.*?```", study, re.DOTALL)[0]
    assert "regular  0.800 +- 0.000  0.500 +- 0.141  0.400  0.500       66     1.2" in study  # worst, 2 ohm, devices, core-s
    assert "2 seeds, 50 chips each)\n\niris   hidden 8; TiO2" in study and "published: 0.933 on a memristor crossbar" in study
    assert "  ROBUST   0.800 +- 0.000  0.700    0.600  0.500 +- 0.141       66" in study
    assert "python scripts/write_disturb.py   (" in lab and "  1 -26.4\n```\n<!-- end of table -->" in lab
    assert "python scripts/reconcile.py   (" in lab and "card  -5.8\n```" in lab
    again = [readme_tables.renew(text, tmp_path / "results") for text in (study, lab)]
    assert again == [(study, ["experiment", "compare", "choices", "tasks"]), (lab, ["write_disturb", "reconcile"])]


def test_tables_without_results_stay_as_they_are(tmp_path):
    for path in readme_tables.READMES:
        text = path.read_text(encoding="utf-8")
        assert readme_tables.renew(text, tmp_path) == (text, [])
        for block in re.findall(r"<!-- table: \w+ -->\n(.*?)<!-- end", text, re.DOTALL):  # command and date are stated
            assert re.match(r"```\n(tiocross|python scripts/).*\(20\d\d-\d\d-\d\d", block)


def test_the_picture_is_made_from_results(tmp_path):
    make_results(tmp_path / "compare")
    readme_picture.main(["--results", str(tmp_path / "compare"), "--out", str(tmp_path / "new" / "picture.png")])
    assert (tmp_path / "new" / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert all(path.stat().st_size < 60_000 for path in (ROOT / "data" / "pictures").iterdir())
