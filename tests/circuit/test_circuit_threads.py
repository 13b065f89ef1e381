"""Solving from several Python threads: same bits, and nobody waits."""

import threading
import time

import numpy as np
import pytest

from tiocross import Crossbar, Sinh, custom, solve, transfer_matrix

LONGEST_WAIT = 0.2  # [s]


def cases():
    """Calls that take different ways: one circuit, many arrays, many inputs, floating ends, another law, a matrix."""
    rng = np.random.default_rng(1)
    single, arrays = rng.uniform(1e-4, 5e-4, (120, 90)), rng.uniform(1e-4, 5e-4, (60, 8, 5))
    law = Crossbar(rng.uniform(1e-4, 5e-4, (40, 30)), 5.0, iv=Sinh(0.25))
    open_ends = np.where(rng.random(40) < 0.5, np.nan, 0.3)
    return [
        lambda: solve(Crossbar(single, 10.0), np.full(120, 0.2)),
        lambda: solve(Crossbar(arrays, 3.0), np.full(8, 0.2)),
        lambda: solve(Crossbar(single[:30, :20], 3.0), np.cos(np.arange(300)).reshape(10, 30)),
        lambda: solve(Crossbar(single[:9, :20], 3.0), np.cos(np.arange(900)).reshape(100, 9)),
        lambda: solve(law, custom(law, left=open_ends, bottom=0.0)),
        lambda: transfer_matrix(Crossbar(single, 2.0)),
    ]


def bits(result):
    if isinstance(result, np.ndarray):
        return result.tobytes()
    return b"".join(np.ascontiguousarray(part).tobytes() for part in (
        result.bit_line_currents, result.n_sweeps, result.uncertainty, result.word_line_voltages, result.power))


def test_two_threads_at_once_give_the_bits_of_one_after_the_other():
    calls = cases()
    expected = [bits(call()) for call in calls]
    assert len(set(expected)) == len(calls)
    found, start = {}, threading.Barrier(2)

    def work(name, order):
        for turn in range(3):
            start.wait(60)  # begin together: with the same case, and then with different ones
            for k in np.roll(order, turn):
                found[name, turn, int(k)] = bits(calls[k]())

    threads = [threading.Thread(target=work, args=(name, order)) for name, order in
               (("forth", np.arange(len(calls))), ("back", np.array([0, *range(len(calls) - 1, 0, -1)])))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 * 3 * len(calls)
    for (_, _, k), result in found.items():
        assert result == expected[k]


def waits_during(work):
    """How much later than asked for another thread woke up, each time during ``work`` [s]."""
    waits, stop = [], threading.Event()

    def beat():
        while not stop.is_set():
            before = time.perf_counter()
            time.sleep(0.005)
            waits.append(time.perf_counter() - before - 0.005)

    heart = threading.Thread(target=beat)
    heart.start()
    try:
        work()
    finally:
        stop.set()
        heart.join()
    return waits


@pytest.mark.slow
def test_other_threads_go_on_during_a_solution():
    rng = np.random.default_rng(2)
    conductances = rng.uniform(1e-4, 5e-4, (512, 500))
    linear, bent = Crossbar(conductances, 20.0), Crossbar(conductances, 20.0, iv=Sinh(0.25))
    # Not compilation, which holds the interpreter.
    for law in (None, Sinh(0.25)):
        solve(Crossbar(conductances[:40, :30], 20.0, iv=law), np.full(40, 0.2))
    transfer_matrix(Crossbar(conductances[:50, :60], 20.0))

    def work():
        for _ in range(4):
            solve(linear, np.full(512, 0.2)).word_line_voltages  # noqa: B018
        solve(bent, np.full(512, 0.5))
        transfer_matrix(linear)

    before = time.perf_counter()
    waits = waits_during(work)
    seconds = time.perf_counter() - before
    # One beat may be lost to a machine that is busy with something else; a solution that holds the interpreter delays
    # one beat for each of the eight parts of the work above, and leaves no time for others.
    assert sorted(waits)[-2] <= LONGEST_WAIT, sorted(waits)[-5:]
    assert len(waits) >= 0.2 * seconds / (0.005 + LONGEST_WAIT)
    assert np.median(waits) <= LONGEST_WAIT / 4

