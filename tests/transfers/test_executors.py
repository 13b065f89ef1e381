"""Transfers on executors: the same bits for any executor and any cut, and who is asked for what."""

import pickle
import zlib
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from tiocross import MLP, TIO2, Dataset, transfer
from tiocross.errors import UnitError
from tiocross.transfers import units
from tiocross.transfers.units import cut


class Inside:
    """An executor with nothing but submit; every unit and result travels by pickle."""

    def __init__(self):
        self.n_chips = []

    def submit(self, function, /, *arguments):
        function, arguments = pickle.loads(pickle.dumps((function, arguments)))
        self.n_chips.append(len(arguments[-1]))
        future = Future()
        try:
            future.set_result(pickle.loads(pickle.dumps(function(*arguments))))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture(scope="module")
def large():
    """A network of more devices than are drawn in blocks, and points for it."""
    rng = np.random.default_rng(5)
    return MLP(40, 26, 3, rng=rng), Dataset(rng.random((60, 40)), rng.integers(0, 3, 60))


def judged(network, dataset, **options):
    return transfer(network, dataset, device=TIO2, rng=np.random.default_rng(4), **options)


def require_equal(one, other):
    for name in ("accuracies", "rates", "confusion", "nominally_correct"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert (one.chips, one.notes, one.summary()) == (other.chips, other.notes, other.summary())


@pytest.mark.parametrize("seconds", [1e-6, 0.02, 50.0])
def test_small_networks_give_the_same_however_cut(network, moons, monkeypatch, seconds):
    monkeypatch.setattr(units, "UNIT_SECONDS", seconds)
    monkeypatch.setattr(units, "_MEASURED", 0.0)
    monkeypatch.setattr(units, "BYTES_PER_SECOND", 1e12)
    points = Dataset(moons.test.points[:101], moons.test.labels[:101])
    inside = Inside()
    numbers = range(130, 3_040)
    with ThreadPoolExecutor(3) as threads:
        for executor in (threads, inside):
            require_equal(judged(network, points, n_transfers=numbers),
                          judged(network, points, n_transfers=numbers, executor=executor))
    assert sum(inside.n_chips) <= len(numbers) - 500 and all(n % 500 in (0, 40) for n in inside.n_chips)


def test_large_networks_give_the_same_however_cut(large, monkeypatch):
    monkeypatch.setattr(units, "UNIT_SECONDS", 1e-6)
    monkeypatch.setattr(units, "_MEASURED", 0.0)
    monkeypatch.setattr(units, "BYTES_PER_SECOND", 1e12)
    inside = Inside()
    one = judged(*large, n_transfers=23, keep_correct=True, wire_resistance=2.0)
    other = judged(*large, n_transfers=23, keep_correct=True, wire_resistance=2.0, executor=inside)
    require_equal(one, other)
    assert np.array_equal(one.correct, other.correct) and inside.n_chips == [1] * 20


def test_progress_never_falls_and_ends_with_all(network, moons):
    seen = []
    with ThreadPoolExecutor(2) as threads:
        judged(network, moons.test, n_transfers=4_000, executor=threads, on_progress=lambda *counts: seen.append(counts))
    assert seen == sorted(seen) and seen[-1] == (4_000, 4_000)


def test_raising_from_progress_stops(network, moons):
    inside = Inside()

    def stop(n_done, n_all):
        raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        judged(network, moons.test, n_transfers=100_000, executor=inside, on_progress=stop)
    assert inside.n_chips == []


def test_an_error_of_a_unit_names_its_chips(network, moons, monkeypatch):
    monkeypatch.setattr(units, "_MEASURED", 0.0)
    monkeypatch.setattr(units, "packed", lambda *_: zlib.compress(b"no pickle"))
    with pytest.raises(UnitError, match="judging chips 1500 to .* failed: UnpicklingError"):
        judged(network, moons.test, n_transfers=5_000, executor=Inside())


def test_threads_and_an_executor_are_not_both_given(network, moons):
    with pytest.raises(ValueError, match=r"give workers, threads here, or an executor; got both \(2 workers\)"):
        judged(network, moons.test, workers=2, executor=Inside())
    with pytest.raises(TypeError, match="executor must have submit"):
        judged(network, moons.test, executor="processes")


def test_cuts_follow_each_other_and_lie_on_the_grid():
    rng = np.random.default_rng(0)
    for _ in range(200):
        start, n_chips, size, grid = (int(n) for n in rng.integers([0, 1, 1, 1], [900, 3_000, 1_500, 600]))
        parts = list(cut(range(start, start + n_chips), size, grid))
        assert [number for part in parts for number in part] == list(range(start, start + n_chips))
        assert all(part.stop % grid == 0 for part in parts[:-1]) and max(map(len, parts)) < size + grid
