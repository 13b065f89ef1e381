"""Work in units, handed to any executor: in this process, threads, processes, a cluster.

An executor is anything with ``submit(function, *arguments)`` of `concurrent.futures.Executor`, see `Executor`. Neither
``map`` nor ``shutdown`` is asked of it: who made an executor closes it. Units are pure: done twice, or elsewhere, a unit
gives the same. So one whose worker was lost is done again. How long a unit should take and how many of them wait in the
executor is for the caller to say; a few seconds are long beside what it costs to send one.
"""

import concurrent.futures
import contextlib
import queue
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from tiocross.checks import kind_of
from tiocross.errors import UnitError

UNIT_SECONDS = 2.0  # [s] that a unit should take on one core
N_AHEAD = 1_024  # units that wait in an executor or are at work there
_MOST_LOST = 3  # times that a unit is done again after its worker was lost
_PATIENCE = 0.2  # [s] between two looks whether somebody pressed Ctrl-C
# Names of errors of the standard library, loky, MPI and Dask.
_LOST = {"BrokenExecutor", "BrokenProcessPool", "BrokenThreadPool", "TerminatedWorkerError", "KilledWorker",
         "CommClosedError", "CancelledError", "FutureCancelledError", "FuturesCancelledError"}


class Future(Protocol):
    """What becomes of a unit: `concurrent.futures.Future`, or another with these three methods."""

    def result(self) -> Any:
        """What the unit gave, or its error raised."""

    def add_done_callback(self, function: Callable) -> Any:
        """Call ``function(future)``, in any thread, once the unit is done, has failed or was cancelled."""

    def cancel(self) -> Any:
        """Drop the unit if it has not begun."""


class Executor(Protocol):
    """Where units are done: threads, processes, ``dask.distributed.Client.get_executor()``, ``MPIPoolExecutor``, loky's."""

    def submit(self, function: Callable, /, *arguments: Any) -> Future:
        """Hand a unit in; function, arguments and result travel by pickle, unless the executor is one of threads."""


def as_executor(executor):
    """The executor, or None; TypeError for anything that takes no work."""
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise TypeError(f"executor must have submit(function, *arguments), as those of concurrent.futures and Dask's "
                        f"client.get_executor() do; got {kind_of(executor)}")
    return executor


def as_ready(function: Callable, units: Iterable, executor=None, *, describe: Callable = repr, n_ahead: int = N_AHEAD,
             should_stop: Callable = bool):
    """Yield ``(k, function(*unit))`` for the k-th of the ``units``, tuples of arguments, as they are ready. The first error
    is raised as `UnitError` with what ``describe(unit)`` says, and InterruptedError once ``should_stop()``; what waits is
    dropped then, and when the consumer stops."""
    if executor is None:
        for k, unit in enumerate(units):
            yield k, _done_here(function, unit, describe)
        return
    handed_out = _HandedOut(function, executor, describe, n_ahead)
    handed_out.should_stop = should_stop
    try:
        yield from handed_out.results(enumerate(units))
    finally:
        handed_out.cancel()


def in_order(results):
    """Yield the results of `as_ready` in the order of their units; those that come early wait."""
    early, k = {}, 0
    for index, result in results:
        early[index] = result
        while k in early:
            yield early.pop(k)
            k += 1


class _HandedOut:
    """Units in an executor, and what came of them."""

    def __init__(self, function, executor, describe, n_ahead):
        self._function, self._executor, self._describe, self._n_ahead = function, executor, describe, n_ahead
        self._running, self._done = {}, queue.SimpleQueue()  # number of the hand-out: (k, unit, n_lost, future)
        self._n_handed_out, self._left, self._is_broken = 0, deque(), False
        self.should_stop = bool  # () -> False

    def results(self, numbered):
        """Yield ``(k, result)`` of all units."""
        self._fill(numbered)
        while self._running or self._left:
            if self._left:
                k, unit = self._left.popleft()
                yield k, _done_here(self._function, unit, self._describe)
            else:
                yield from self._next()
            self._fill(numbered)

    def cancel(self):
        """Drop what has not begun."""
        for *_, future in self._running.values():
            future.cancel()
        self._running.clear()

    def _fill(self, numbered):
        while len(self._running) + len(self._left) < self._n_ahead:
            k, unit = next(numbered, (None, None))
            if unit is None:
                return
            self._submit(k, unit, 0)

    def _submit(self, k, unit, n_lost):
        if not self._is_broken:
            try:
                future = self._executor.submit(self._function, *unit)
            except RuntimeError as error:  # broken, or closed
                self._give_up(error)
        if self._is_broken:
            self._left.append((k, unit))
            return
        number = self._n_handed_out
        self._n_handed_out += 1
        self._running[number] = (k, unit, n_lost, future)
        future.add_done_callback(lambda _, number=number: self._done.put(number))

    def _next(self):
        """Wait for one unit; yield its result, unless its worker was lost."""
        number = None
        while number is None:
            if self.should_stop():
                raise InterruptedError("asked to stop")
            with contextlib.suppress(queue.Empty):
                number = self._done.get(timeout=_PATIENCE)
        k, unit, n_lost, future = self._running.pop(number)
        try:
            result = future.result()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # cancelling may raise what is no Exception
            if not _is_loss(error):
                raise _failed(self._describe(unit), error) from error
            if n_lost == _MOST_LOST:
                raise UnitError(f"{self._describe(unit)}: its worker was lost {n_lost + 1} times, the last time with "
                                f"{_text_of(error)}; perhaps it takes more memory than a worker has") from error
            self._submit(k, unit, n_lost + 1)
        else:
            yield k, result

    def _give_up(self, error):
        self._is_broken = True
        warnings.warn(f"the executor takes no more work ({_text_of(error)}); what is left is done in this process",
                      RuntimeWarning, stacklevel=2)


def _done_here(function, unit, describe):
    try:
        return function(*unit)
    except Exception as error:
        raise _failed(describe(unit), error) from error


def _failed(name, error):
    return UnitError(f"{name} failed: {_text_of(error)}")


def _is_loss(error):
    """Whether an error says that a unit's worker is gone, and nothing about the unit."""
    if isinstance(error, (concurrent.futures.BrokenExecutor, concurrent.futures.CancelledError)):
        return True
    return any(kind.__name__ in _LOST for kind in type(error).__mro__)


def _text_of(error):
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
