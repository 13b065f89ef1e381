"""Work in units: order, errors, lost workers, stopping; on this process, threads, processes and executors of one's own."""

import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tiocross.errors import UnitError
from tiocross.work import as_executor, as_ready, in_order

UNITS = [(k, 10 - k) for k in range(10)]


def add(one, other):
    return one + 100 * other


def fail_at_three(one, other):
    if one == 3:
        raise ValueError("three is no number")
    return one


def die_once(one, marker):
    """The first to come kills its process."""
    if one == 4 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return one * one


class Inside:
    """An executor with nothing but submit, that loses some of its units."""

    def __init__(self, lost=(), error=BrokenExecutor("the worker is gone"), takes=10**9):
        self.lost, self.error, self.takes, self.n_taken = list(lost), error, takes, 0

    def submit(self, function, /, *arguments):
        if self.n_taken == self.takes:
            raise BrokenExecutor("no worker is left")
        self.n_taken += 1
        future = Future()
        if arguments[0] in self.lost:
            self.lost.remove(arguments[0])
            future.set_exception(self.error)
        else:
            try:
                future.set_result(function(*arguments))
            except Exception as error:
                future.set_exception(error)
        return future


def test_results_do_not_depend_on_the_executor():
    expected = [add(*unit) for unit in UNITS]
    assert list(in_order(as_ready(add, UNITS))) == expected
    with ThreadPoolExecutor(3) as threads:
        assert list(in_order(as_ready(add, UNITS, threads, n_ahead=4))) == expected
    assert list(in_order(as_ready(add, iter(UNITS), Inside()))) == expected


def test_results_come_as_they_are_ready():
    release = threading.Event()

    def wait_for_the_others(k):
        if k == 0:
            assert release.wait(10)
        return k

    with ThreadPoolExecutor(2) as threads:
        seen = []
        for index, result in as_ready(wait_for_the_others, [(k,) for k in range(6)], threads):
            seen.append(index)
            if len(seen) == 5:
                release.set()
    assert seen[-1] == 0 and sorted(seen) == list(range(6))


def test_no_more_units_are_handed_out_than_asked_for():
    executor, taken = Inside(), []
    for index, _ in as_ready(add, UNITS, executor, n_ahead=3):
        taken.append(executor.n_taken)
    assert taken[0] <= 3 and executor.n_taken == len(UNITS)


@pytest.mark.parametrize("executor", [None, Inside()])
def test_an_error_names_the_unit_and_keeps_its_cause(executor):
    with pytest.raises(UnitError, match=r"the unit \(3, 7\) failed: ValueError: three is no number") as caught:
        list(as_ready(fail_at_three, UNITS, executor, describe=lambda unit: f"the unit {unit}"))
    assert isinstance(caught.value.__cause__, ValueError)


class Killed(Exception):
    """Stands for the error of a cluster that this process has not imported."""


Killed.__name__ = "KilledWorker"


@pytest.mark.parametrize("error", [BrokenExecutor("gone"), CancelledError(), Killed("gone")])
def test_a_lost_unit_is_done_again_up_to_three_times(error):
    assert list(in_order(as_ready(add, UNITS, Inside([2, 2, 2, 5], error)))) == [add(*unit) for unit in UNITS]
    with pytest.raises(UnitError, match=r"\(2, 8\): its worker was lost 4 times"):
        list(as_ready(add, UNITS, Inside([2] * 4, error)))


def test_an_executor_that_takes_no_more_leaves_the_rest_to_this_process():
    with pytest.warns(RuntimeWarning, match="takes no more work .*no worker is left.*done in this process"):
        assert list(in_order(as_ready(add, UNITS, Inside(takes=4)))) == [add(*unit) for unit in UNITS]
    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    with pytest.warns(RuntimeWarning, match="takes no more work"):
        assert list(in_order(as_ready(add, UNITS, closed))) == [add(*unit) for unit in UNITS]


def test_what_waits_is_dropped_when_the_consumer_stops():
    done, release = [], threading.Event()

    def wait(k):
        done.append(k)
        if k:
            assert release.wait(10)

    with ThreadPoolExecutor(1) as threads:
        results = as_ready(wait, [(k,) for k in range(100)], threads)
        next(results)
        results.close()
        release.set()
    assert len(done) <= 3


def test_what_is_no_executor_is_refused():
    assert as_executor(None) is None
    for wrong in (4, "threads", [1, 2]):
        with pytest.raises(TypeError, match=r"executor must have submit\(function, \*arguments\)"):
            as_executor(wrong)


@pytest.mark.slow
def test_units_of_a_killed_process_are_done_again(tmp_path):
    units = [(k, str(tmp_path / "died")) for k in range(10)]
    with ProcessPoolExecutor(2, get_context("spawn")) as processes, pytest.warns(RuntimeWarning, match="takes no more work"):
        found = list(in_order(as_ready(die_once, units, processes)))
    assert found == [k * k for k in range(10)] and (tmp_path / "died").exists()


@pytest.mark.slow
def test_an_interrupt_leaves_at_once():
    def wait():
        time.sleep(3)

    begun = time.monotonic()
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    threads = ThreadPoolExecutor(1)
    with pytest.raises(KeyboardInterrupt):
        list(as_ready(wait, [()] * 5, threads))
    assert time.monotonic() - begun < 2
    threads.shutdown(cancel_futures=True)
