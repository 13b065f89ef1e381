"""Transfers counted as they stream: tallies of parts add up, intervals come from sums, verdicts are kept on request."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tiocross import MLP, TIO2, Dataset, judge_plan, plan, transfer
from tiocross.intervals import MOST_GROUPS
from tiocross.transfers import draws
from tiocross.transfers.chips import Chips
from tiocross.transfers.judging import tally_chips
from tiocross.transfers.outcomes import Transfer, make_transfer
from tiocross.transfers.summary import sum_groups, summarise
from tiocross.transfers.tallies import Counter, Tally, order_of_points

RNG = np.random.default_rng


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(draws, "CHIPS_PER_BLOCK", 40)


@pytest.fixture(scope="module")
def few(moons):
    return Dataset(moons.test.points[:230], moons.test.labels[:230])


@pytest.fixture(scope="module")
def classes_of_three():
    network = MLP(2, 5, 3, rng=RNG(1))
    rng = RNG(2)
    return network, Dataset(rng.random((70, 2)), rng.integers(0, 3, 70))


def judge(network, few, n_transfers, **options):
    return transfer(network, few, **{"device": TIO2, "n_transfers": n_transfers, "rng": RNG(3), **options})


def assert_same_tally(one, other):
    for name in ("by_chips", "by_points", "confusion"):
        first, second = getattr(one, name), getattr(other, name)
        assert first.dtype == second.dtype and np.array_equal(first, second)
    assert (one.seed, one.numbers) == (other.seed, other.numbers)


@pytest.mark.parametrize("keep_correct", [False, True])
def test_tallies_of_parts_are_that_of_the_whole(network, few, keep_correct):
    """However chips are cut, and whatever becomes of tallies and chips on the way."""
    chips = Chips(network, TIO2, wire_resistance=2.0, rng=RNG(3))
    whole = tally_chips(chips, few, range(30, 270), keep_correct=keep_correct)
    for cuts in ([30, 31, 40, 41, 199, 270], [30, 250, 270]):
        parts = [pickle.dumps(tally_chips(pickle.loads(pickle.dumps(chips)), few, range(*ends), keep_correct=keep_correct))
                 for ends in zip(cuts, cuts[1:])]
        merged = Tally.merged(pickle.loads(part) for part in parts)
        assert_same_tally(merged, whole)
        first, rest = pickle.loads(parts[0]), [pickle.loads(part) for part in parts[1:]]
        assert_same_tally(Tally.merged([first, Tally.merged(rest)]), whole)
        assert (merged.correct is None) if not keep_correct else np.array_equal(merged.correct, whole.correct)
    outcome = make_transfer(whole, chips, few)
    assert outcome.summary() == judge(network, few, range(30, 270), wire_resistance=2.0).summary()


def test_tallies_that_do_not_follow_each_other_are_not_merged(network, few):
    chips = Chips(network, TIO2, rng=RNG(3))
    one, gap, other_seed = (tally_chips(chips, few, range(3)), tally_chips(chips, few, range(4, 6)),
                            tally_chips(Chips(network, TIO2, rng=RNG(4)), few, range(3, 6)))
    for second in (gap, other_seed, tally_chips(chips, few, range(3, 6), keep_correct=True), one):
        with pytest.raises(ValueError, match="of chips that follow each other; expected chip 3 of seed"):
            Tally.merged([one, second])
    with pytest.raises(ValueError, match="at least one tally"):
        Tally.merged([])
    with pytest.raises(TypeError, match="only tallies can be merged; got an int"):
        Tally.merged([1])


@pytest.mark.parametrize("n_transfers", [1, 7, 200, 431, range(13, 377)])
def test_counts_are_those_of_the_verdicts(classes_of_three, n_transfers):
    network, points = classes_of_three
    counted, kept = (judge(network, points, n_transfers, keep_correct=keep) for keep in (False, True))
    assert np.array_equal(counted.accuracies, kept.correct.mean(axis=1))
    assert np.array_equal(counted.rates, kept.correct.sum(axis=0) / len(kept.correct))
    assert np.array_equal(counted.confusion.diagonal(), [kept.correct[:, points.labels == k].sum() for k in range(3)])
    assert counted.confusion.sum() == kept.correct.size
    expected = sum_groups(kept.correct, order_of_points(kept.chips[0].seed, len(points)))
    for sums in (counted.sums, kept.sums):
        assert all(np.array_equal(one, other) for one, other in zip(sums, expected))
    direct = summarise(kept.correct, kept.nominally_correct, rng=np.random.default_rng(kept.chips[0].seed))
    assert counted.summary() == kept.summary() == direct  # to the last bit


def test_verdicts_that_were_not_kept_are_told_how_to_keep(network, few):
    with pytest.raises(ValueError, match=r"counted and not kept.*transfer\(\.\.\., keep_correct=True\)"):
        judge(network, few, 2).correct
    with pytest.raises(TypeError, match="keep_correct must be True or False; got an int"):
        judge(network, few, 2, keep_correct=1)
    made = plan(network, TIO2)
    assert judge_plan(made, network, few, n_transfers=3, rng=RNG(1), keep_correct=True).correct.shape == (3, 230)


@pytest.mark.parametrize("ends", [(0, 50, 90), (0, 130, 420), (10, 210, 411, 700)])
def test_a_run_in_parts_has_the_summary_of_the_whole(network, few, ends):
    parts = [judge(network, few, range(*pair)) for pair in zip(ends, ends[1:])]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    whole = judge(network, few, range(ends[0], ends[-1]))
    assert merged.summary() == whole.summary()
    assert np.array_equal(merged.accuracies, whole.accuracies) and np.array_equal(merged.rates, whole.rates)
    backwards = parts[1].merge(parts[0])
    assert backwards.n_transfers == parts[0].n_transfers + parts[1].n_transfers
    assert backwards.summary().mean_accuracy.value == pytest.approx(backwards.accuracies.mean(), abs=1e-12)


def test_transfers_of_several_seeds_need_their_verdicts_for_intervals(network, few):
    counted, kept = ([judge(network, few, 30, rng=RNG(seed), keep_correct=keep) for seed in (1, 2)]
                     for keep in (False, True))
    merged = counted[0].merge(counted[1])
    assert merged.n_transfers == 60
    with pytest.raises(ValueError, match="of several seeds, merged, need every verdict: judge them with keep_correct=True"):
        merged.summary()
    both = kept[0].merge(kept[1])
    rng = np.random.default_rng([part.seed for part in both.chips])
    assert both.summary() == summarise(both.correct, both.nominally_correct, rng=rng)
    assert np.array_equal(both.rates, merged.rates)


@pytest.mark.parametrize("keep_correct", [False, True])
def test_files_hold_what_was_counted(network, few, tmp_path, keep_correct):
    outcome = judge(network, few, 43, keep_correct=keep_correct)
    outcome.save(tmp_path / "outcome.npz")
    loaded = Transfer.load(tmp_path / "outcome.npz")
    assert loaded.summary() == outcome.summary()
    assert (loaded.verdicts is None) is not keep_correct
    assert loaded.merge(judge(network, few, range(43, 60))).summary() == judge(network, few, 60).summary()


def test_files_of_earlier_releases_are_read(network, few, tmp_path):
    """Format 1 holds every verdict and no sums."""
    outcome = judge(network, few, 43, keep_correct=True)
    names = "accuracies", "rates", "confusion", "nominally_correct", "n_devices", "wire_resistance", "volts_per_input"
    content = {name: getattr(outcome, name) for name in names}
    np.savez_compressed(tmp_path / "old.npz", format="tiocross transfer 1", correct=np.packbits(outcome.correct, axis=1),
                        chips=np.array(outcome.chips, dtype=np.int64), notes=np.array(outcome.notes, dtype=str), **content)
    loaded = Transfer.load(tmp_path / "old.npz")
    assert np.array_equal(loaded.correct, outcome.correct) and loaded.summary() == outcome.summary()


def test_counts_beyond_a_byte():
    """Sums of points and of chips that pass 8 and 16 bits, against plain sums."""
    rng, n_points = RNG(5), 300
    labels = (np.arange(n_points) % 10 > 0).astype(int)
    given = (rng.random((70_000, n_points), dtype=np.float32) < 0.95).astype(np.uint8)
    counter = Counter(7, 150, len(given), labels, 2)
    for start in range(0, len(given), 66_000):
        counter.count(given[start : start + 66_000])
    tally, order = counter.tally(), order_of_points(7, n_points)
    correct = given == labels[order]
    for group in (0, 149, 150, 199):
        chips = (np.arange(len(given)) + 150) % MOST_GROUPS == group
        assert np.array_equal(tally.by_chips[group], correct[chips].sum(axis=0))
    for group in (0, 99, 100):
        assert np.array_equal(tally.by_points[:, group], correct[:, group::MOST_GROUPS].sum(axis=1))
    assert tally.by_points.dtype == np.uint8 and tally.by_chips.dtype == np.uint16
    assert tally.confusion.sum() == given.size and tally.confusion.trace() == correct.sum()


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "n_transfers", "memory", "most"), [
    ((2, 8, 1), 200_000, 3e8, 5e8),  # a million chips at the standard budget take 0.6 GB, and 40 s
    ((324, 400, 100, 1), 24, 3e8, 5e8),  # Python, libraries and kernels take 0.2 GB of it
])
def test_memory_stays_within_its_bounds(sizes, n_transfers, memory, most):
    """The peak of a process of its own, with its summary. (What getrusage tells includes the peak of the parent.)"""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process is read from /proc")
    program = f"""
import numpy as np
from tiocross import MLP, TIO2, Dataset, arrange, transfer
rng = np.random.default_rng(1)
network, points = MLP(*{sizes}, rng=rng), Dataset(rng.random((1000, {sizes[0]})), rng.integers(0, 2, 1000))
transfer(network, points, device=TIO2, layout=arrange({sizes}, (64, 64)), n_transfers={n_transfers}, memory={memory},
         workers=2, rng=rng).summary()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    compiled = program.replace(f"n_transfers={n_transfers}", "n_transfers=24")  # compiling takes memory, too
    for text in (compiled, program):
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert 1024 * int(done.stdout) < most


@pytest.mark.slow
def test_many_chips_take_little_memory(few):
    """What is kept of a chip is a byte for each group of points, not one for each point."""
    network = MLP(2, 3, 2, rng=RNG(6))
    outcome = judge(network, few, 20_000, memory=1e8)
    kept = outcome.sums.by_points.nbytes + outcome.accuracies.nbytes
    assert kept < 250 * 20_000 and outcome.sums.by_points.dtype == np.uint8
