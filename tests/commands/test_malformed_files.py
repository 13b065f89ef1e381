"""Malformed files through describe, calibrate and solve: one clear line and exit 2, or an answer, and nothing else."""

import json
import random

import numpy as np
import pytest

from tiocross import TIO2, save_device
from tiocross.commands.main import main
from tiocross.lab.log import EventLog

MATRIX = "# conductances [uS], 2 word lines x 3 bit lines\n100,200,300\n400,150,250\n"
TEXTS = {
    "matrix.csv": MATRIX,
    "tabs.csv": "# resistances [kohm]\n" + "10\t5\t2\n4\t8\t3\n",
    "decimal.csv": "# conductances [uS]\n100,5;200;3e2\n4;150,25;2\n",
    "titled.csv": "conductance [uS],BL0,BL1\nWL0,100,200\nWL1,300,400\n",
    "list.csv": "row,column,conductance [uS]\n0,0,100\n0,1,200\n1,0,300\n1,1,400\n",
    "voltages.csv": "# voltages [mV]\n200,-100\n0,50\n",
    "tuning.csv": "target [uS],programmed [uS]\n" + "".join(f"{100 + k},{100.5 + 1.001 * k}\n" for k in range(5)),
    "disturb.csv": "n_later_writes [-],delta_conductance [uS]\n1,-2.5\n2,3\n3,0.5\n",
    "map.csv": "n_rows; n_columns; vread\n2; 3; 0.2\n2000; 5000; 4000; 2500; 3000; 9000; \n",
    "summary.json": json.dumps({"n_transfers": 20, "seeds": [1], "complete": True, "rows": []}),
}
ODD = ("\0", "\ufeff", "\u0663", "1_0", "\ud7ff", "nan", "inf", "-inf", "1e400", "9" * 400, ",", ";", "\t", " ", "\n", "\r",
       "[uS]", "[V]", "[", "]", "#", "\"", "{", "}", ":", "null", "true", "-", "0", "word lines x", "\x1b[31m", "\u2028", "row",
       "e", "\u00b5")


def mutated(text, rng):
    """A text with one to four things wrong: signs lost, put in, doubled or moved, lines doubled, lost or swapped."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        lines = text.split("\n")
        k, m = rng.randrange(len(lines)), rng.randrange(len(lines))
        match rng.randrange(6):
            case 0: text = text[:at] + rng.choice(ODD) + text[at:]
            case 1: text = text[:at] + text[at + rng.randint(1, 5):]
            case 2: text = text[:at]
            case 3: text = "\n".join([*lines[:k], lines[m], *lines[k:]])
            case 4: text = "\n".join(lines[:k] + lines[k + 1:])
            case 5: text = text.replace(rng.choice(",.;\n0125[]"), rng.choice(ODD), rng.randint(1, 3))
    return text


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Good files of every kind that is text."""
    folder = tmp_path_factory.mktemp("good")
    save_device(TIO2.without("disturb"), folder / "device.json")
    EventLog(folder / "log.csv", shape=(2, 3)).close()
    return {**TEXTS, **{path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}}


def tried(arguments, folder, capsys):
    """Exit code of a command that may refuse its input, but only in one line and without a trace in the folder."""
    before = sorted(path.name for path in folder.iterdir())
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    error = capsys.readouterr().err
    assert code in (0, 2), (arguments, error)
    if code == 2:
        assert error.startswith("tiocross: error: ") and len(error.splitlines()) == 1, error
        assert sorted(path.name for path in folder.iterdir()) == before
    return code


@pytest.mark.parametrize("n_files", [12, pytest.param(600, marks=pytest.mark.slow)])
def test_malformed_files_are_described_or_refused_in_one_line(n_files, texts, tmp_path, capsys):
    rng, codes = random.Random(7), []
    for number in range(n_files):
        text = mutated(texts[rng.choice(sorted(texts))], rng)
        path = tmp_path / f"file {number}"
        path.write_bytes(text.encode("utf-8", "surrogatepass") if rng.random() < 0.95 else text.encode("utf-16"))
        codes.append(tried(["describe", path], tmp_path, capsys))
        path.unlink()
    assert 2 in codes and (n_files < 100 or 0 in codes)  # small faults are read over


@pytest.mark.slow
def test_malformed_data_are_calibrated_or_refused_in_one_line(texts, tmp_path, capsys):
    rng, names = random.Random(8), sorted(set(texts) - {"device.json", "summary.json", "voltages.csv"})
    for _ in range(60):
        (tmp_path / "data").write_bytes(mutated(texts[rng.choice(names)], rng).encode("utf-8", "surrogatepass"))
        if tried(["calibrate", tmp_path / "data", "--out", tmp_path / "device.json"], tmp_path, capsys) == 0:
            (tmp_path / "device.json").unlink()


@pytest.mark.slow
def test_malformed_circuits_are_solved_or_refused_in_one_line(texts, tmp_path, capsys):
    rng = random.Random(9)
    for _ in range(100):
        wrong = rng.choice(["matrix.csv", "list.csv", "decimal.csv", "voltages.csv"])
        for name, good in (("g", "titled.csv" if wrong == "voltages.csv" else wrong), ("v", "voltages.csv")):
            text = mutated(texts[good], rng) if good == wrong else texts[good]
            (tmp_path / name).write_bytes(text.encode("utf-8", "surrogatepass"))
        tried(["solve", tmp_path / "g", tmp_path / "v", "--out", tmp_path / "out.csv"], tmp_path, capsys)
        (tmp_path / "out.csv").unlink(missing_ok=True)


@pytest.mark.parametrize("content", [
    b"\x89PNG\r\n", b"PK\x03\x04 xl/workbook.xml", b"\xff\xfea\0b\0", b"%PDF-1.4", b"\x93NUMPY\x01\0",
])
def test_files_of_other_programs_are_called_by_their_name(content, tmp_path, capsys):
    (tmp_path / "file").write_bytes(content)
    assert main(["describe", str(tmp_path / "file")]) == 2
    error = capsys.readouterr().err
    assert "is nothing that tiocross knows: it is" in error and len(error.splitlines()) == 1


def test_arrays_of_random_bytes_are_refused(tmp_path, capsys):
    for seed in range(3):
        (tmp_path / "noise").write_bytes(np.random.default_rng(seed).bytes(300))
        assert tried(["describe", tmp_path / "noise"], tmp_path, capsys) == 2
