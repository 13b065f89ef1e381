"""How times are taken: in turns, so that a busy machine slows all alike, and the best counts."""

import gc
import time
from contextlib import contextmanager

_SHORTEST = 1e-3  # seconds a sample should take: shorter calls are repeated within it
_TURN = 1e-2  # seconds of a turn, samples one after the other; whoever shares the core rarely takes all of it
_PATIENCE = 10.0  # seconds after which something is timed no more


def interleave(makers, repetitions):
    """Seconds of a call, many samples of each of ``makers``, which have ``repetitions`` turns.

    Each gives, when called, a function without arguments: what it does is not timed, what the function does is. All have
    run before or run once untimed; ones that take long get fewer turns.
    """
    counts = [_plan(_sample(make, 1)) for make in makers]
    samples = [[] for _ in makers]
    for _ in range(repetitions):
        for make, (n_calls, n_samples), taken in zip(makers, counts, samples):
            if sum(taken) * n_calls <= _PATIENCE:
                taken += [_sample(make, n_calls) for _ in range(n_samples)]
    return samples


def _plan(seconds):
    """Calls in a sample and samples in a turn, for calls that take ``seconds``."""
    n_calls = max(1, round(_SHORTEST / seconds))
    return n_calls, max(1, round(_TURN / (n_calls * seconds)))


def again(function):
    """The same function every time, as `interleave` wants it."""
    return lambda: function


def _sample(make, count):
    functions = [make() for _ in range(count)]
    with _no_collection():
        stop = stopwatch()
        for function in functions:
            function()
        return stop() / count


def stopwatch():
    """A function that gives the seconds since now: by the wall, or of processor in all threads, whichever is less.

    Where one thread works that is what it would take with the core for itself; where several do, the wall's.
    """
    wall, processor = time.perf_counter(), time.process_time()
    return lambda: max(1e-9, min(time.perf_counter() - wall, time.process_time() - processor))


@contextmanager
def _no_collection():
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
