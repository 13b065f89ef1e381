"""Transfers that travel: parts of a run put together, files, counts by class, tables."""

import csv
import io
from dataclasses import fields, replace

import numpy as np
import pytest

from tiocross import MLP, TIO2, Dataset, tabulate_summaries, transfer
from tiocross.transfers import draws
from tiocross.transfers.adaptation import RETRAINING, Adaptation
from tiocross.transfers.chips import Chips
from tiocross.transfers.outcomes import Transfer

RNG = np.random.default_rng
NAN = np.nan
BRIEF = replace(RETRAINING, n_steps=4, n_chips=2, batch_size=16)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(draws, "CHIPS_PER_BLOCK", 4)


@pytest.fixture(scope="module")
def few(moons):
    return Dataset(moons.test.points[:40], moons.test.labels[:40])


def judge(network, few, n_transfers, seed=1, **options):
    return transfer(network, few, device=TIO2, n_transfers=n_transfers, rng=RNG(seed), **{"keep_correct": True, **options})


def assert_same(one, other):
    for place in fields(Transfer):
        assert np.array_equal(getattr(one, place.name), getattr(other, place.name)), place.name


@pytest.mark.parametrize("workers", [1, 2])
def test_parts_of_a_run_are_the_run(network, few, workers):
    whole = judge(network, few, 11)
    first, last = (judge(network, few, part, workers=workers) for part in (range(3), range(3, 11)))
    assert np.array_equal(last.correct, whole.correct[3:])
    merged = first.merge(last)
    assert np.array_equal(merged.correct, whole.correct) and np.array_equal(merged.confusion, whole.confusion)
    assert np.array_equal(merged.rates, whole.rates)
    assert [tuple(part)[1:] for part in merged.chips] == [(0, 3), (3, 8)]


def test_transfers_with_chips_in_common_or_of_other_networks_are_not_merged(network, few):
    one = judge(network, few, 6)
    with pytest.raises(ValueError, match="have chips in common: 6 from number 0 on and 4 from number 5 on"):
        one.merge(judge(network, few, range(5, 9)))
    assert one.merge(judge(network, few, 6, seed=2)).n_transfers == 12
    with pytest.raises(ValueError, match="wire_resistance differs"):
        one.merge(judge(network, few, 6, seed=2, wire_resistance=1.0))
    with pytest.raises(TypeError, match="only transfers can be merged; got a list"):
        one.merge([])


@pytest.mark.parametrize("numbers", [range(0), range(0, 8, 2), range(-2, 3)])
def test_ranges_that_are_no_chips_are_refused(network, few, numbers):
    with pytest.raises(ValueError, match=r"such as range\(2000, 4000\); got range"):
        judge(network, few, numbers)


def test_a_file_gives_back_every_bit(network, few, tmp_path):
    outcome = judge(network, few, 5, wire_resistance=2.0)
    outcome.save(tmp_path / "outcome.npz")
    loaded = Transfer.load(tmp_path / "outcome.npz")
    assert_same(outcome, loaded)
    assert loaded.correct.dtype == bool and loaded.summary() == outcome.summary()
    assert [path.name for path in tmp_path.iterdir()] == ["outcome.npz"]


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04damaged"])
def test_what_is_no_transfer_is_refused_by_name(tmp_path, content):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="other.npz is not a transfer that tiocross saved"):
        Transfer.load(path)
    with pytest.raises(FileNotFoundError):
        Transfer.load(tmp_path / "absent.npz")


def test_answers_are_counted_by_class():
    """Three classes: counted one by one."""
    rng = RNG(3)
    network = MLP(2, 5, 3, rng=rng)
    points = Dataset(rng.random((50, 2)), rng.integers(0, 3, 50))
    outcome = transfer(network, points, device=TIO2, n_transfers=6, rng=RNG(4), keep_correct=True)
    chips = Chips(network, TIO2, rng=RNG(4))
    counted = np.zeros((3, 3), dtype=int)
    for block, n_chips in ((0, 4), (1, 2)):
        for weights in zip(*chips.weights(range(4 * block, 4 * block + n_chips))):
            for label, given in zip(points.labels, network.with_arrays(list(weights)).predict(points.points)):
                counted[label, given] += 1
    assert np.array_equal(outcome.confusion, counted)
    assert outcome.confusion.trace() == outcome.correct.sum() and outcome.confusion.sum() == 300


def test_training_for_single_chips_tells_how_far_it_is(network, few):
    heard = []
    adaptation = Adaptation(training=few, layer_by_layer=True, retraining=BRIEF)
    judge(network, few, 4, adaptation=adaptation, on_progress=lambda done, total: heard.append((done, total)))
    assert heard == sorted(heard) and heard[-1] == (4, 4) and len(heard) > 3


def test_work_for_single_chips_can_be_stopped(network, few):
    def stop(done, total):
        raise InterruptedError("enough")

    with pytest.raises(InterruptedError):
        judge(network, few, 4, adaptation=Adaptation(training=few, layer_by_layer=True, retraining=BRIEF), on_progress=stop)


def test_summaries_as_tables(network, few):
    summary = judge(network, few, 5).summary()
    rows = list(csv.DictReader(io.StringIO(tabulate_summaries({"a, b": summary}))))
    assert len(rows) == 1 and rows[0]["name"] == "a, b"
    assert float(rows[0]["robust_fraction_95_low"]) == summary.robust_fraction_95.low
    assert summary.to_dict()["mean_accuracy"]["high"] == summary.mean_accuracy.high
    latex = tabulate_summaries({"50 % & more": summary}, form="latex")
    assert r"50 \% \& more & " + str(summary.nominal_accuracy) in latex
    for wrong, message in (({}, "at least one summary"), ({"a": 1}, "those that Transfer.summary gives; got an int")):
        with pytest.raises((ValueError, TypeError), match=message):
            tabulate_summaries(wrong)


def test_disturb_beyond_what_was_measured_is_said():
    """On one array of 16 x 12 devices up to 191 writes follow, of which 43 were measured."""
    rng = RNG(5)
    network, points = MLP(15, 6, 2, rng=rng), Dataset(rng.random((20, 15)), rng.integers(0, 2, 20), n_classes=2)
    outcome = transfer(network, points, device=TIO2, n_transfers=3, rng=RNG(6))
    assert len(outcome.notes) == 1 and "measured after up to 43 later writes, here up to 191" in outcome.notes[0]
    assert outcome.notes[0] in str(outcome.summary()) and outcome.summary().to_dict()["notes"] == list(outcome.notes)
    quiet = transfer(network, points, device=TIO2.without("disturb"), n_transfers=3, rng=RNG(6))
    assert quiet.merge(replace(quiet, chips=(quiet.chips[0]._replace(seed=1),), notes=outcome.notes)).notes == outcome.notes
    assert quiet.notes == () and quiet.merge(transfer(network, points, device=TIO2.without("disturb"), n_transfers=2,
                                                      rng=RNG(7))).notes == ()
