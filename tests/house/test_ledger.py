"""Finished units on disk: whatever byte a kill stops at, what was finished is there again and the rest is done anew."""

import json

import numpy as np
import pytest

from tiocross.ledger import Ledger, read_units

IDENTITY = {"seed": 3, "grid": [{"a": 1}]}


def write(path, n=3):
    ledger = Ledger(path, IDENTITY)
    for k in range(n):
        ledger.add(f"unit {k}", {"k": k, "share": 0.1 * k}, {"values": np.arange(k + 1.0)} if k else None)
    ledger.close()
    return path


def test_units_are_there_again_to_the_bit(tmp_path):
    again = Ledger(write(tmp_path / "work.jsonl"), IDENTITY, resume=True)
    assert len(again) == 3 and "unit 2" in again and again.get("unit 9") is None
    record, arrays = again.get("unit 2")
    assert record == {"k": 2, "share": 0.1 * 2} and np.array_equal(arrays["values"], [0, 1, 2])
    assert again.get("unit 0") == ({"k": 0, "share": 0.0}, {})
    again.add("unit 3", {"k": 3})
    again.close()
    assert list(read_units(tmp_path / "work.jsonl")[1]) == [f"unit {k}" for k in range(4)]


def test_a_ledger_cut_at_any_byte_goes_on(tmp_path):
    whole = write(tmp_path / "work.jsonl").read_bytes()
    for n_bytes in range(0, len(whole) + 1, 7):
        (tmp_path / "work.jsonl").write_bytes(whole[:n_bytes])
        ledger = Ledger(tmp_path / "work.jsonl", IDENTITY, resume=True)
        assert len(ledger) == max(whole[:n_bytes].count(b"\n") - 1, 0)
        for k in range(3):
            if f"unit {k}" not in ledger:
                ledger.add(f"unit {k}", {"k": k, "share": 0.1 * k}, {"values": np.arange(k + 1.0)} if k else None)
        ledger.close()
        assert (tmp_path / "work.jsonl").read_bytes() == whole


def test_a_unit_whose_arrays_are_damaged_is_not_finished(tmp_path):
    write(tmp_path / "work.jsonl")
    files = sorted((tmp_path / "work").iterdir())
    assert len(files) == 2
    for file in files:
        file.write_bytes(b"PK")
    ledger = Ledger(tmp_path / "work.jsonl", IDENTITY, resume=True)
    assert ledger.get("unit 1") is None and ledger.get("unit 0") is not None
    ledger.add("unit 1", {"k": 1}, {"values": np.ones(2)})
    assert np.array_equal(ledger.get("unit 1")[1]["values"], np.ones(2))
    ledger.remove()
    assert list(tmp_path.iterdir()) == []


def test_other_work_is_refused_with_what_differs(tmp_path):
    path = write(tmp_path / "work.jsonl")
    with pytest.raises(ValueError, match="holds 3 finished units of earlier work"):
        Ledger(path, IDENTITY)
    with pytest.raises(ValueError, match="holds other work: seed was 3, now it is 4"):
        Ledger(path, {**IDENTITY, "seed": 4}, resume=True)
    path.write_bytes(path.read_bytes().replace(b'"unit 1"', b'"unit 1'))
    with pytest.raises(ValueError, match="line 3 is not one that tiocross wrote"):
        Ledger(path, IDENTITY, resume=True)
    path.write_text(json.dumps({"format": "another", "identity": {}}) + "\n")
    with pytest.raises(ValueError, match="line 1 is not one"):
        Ledger(path, IDENTITY, resume=True)


def test_a_number_that_is_not_finite_leaves_nothing(tmp_path):
    ledger = Ledger(tmp_path / "work.jsonl", IDENTITY)
    with pytest.raises(ValueError):
        ledger.add("unit", {"share": np.nan}, {"values": np.ones(2)})
    assert list((tmp_path / "work").iterdir()) == [] and len(ledger) == 0
    ledger.close()
