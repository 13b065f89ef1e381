"""The work of a transfer in units for an executor: some of the chips, a few seconds long, sent as bytes.

How long a chip takes is measured here on the first ones, whose tallies count. What comes out does not depend on how the
chips are cut: tallies add up. A worker keeps the last networks and points that it was sent, unpacked.
"""

import hashlib
import pickle
import time
import zlib
from collections import OrderedDict

from tiocross.transfers.tallies import Tally
from tiocross.work import N_AHEAD, UNIT_SECONDS, as_ready, in_order

_MEASURED = 0.25  # [s] that a measurement should take at least
BYTES_PER_SECOND = 2e6  # of what units are sent, for each worker: a gigabit a second feeds sixty
_AHEAD_BYTES = 2e9  # [bytes] that wait in an executor
_MOST_KEPT = 2  # judges in a worker
_judges = OrderedDict()


class Units:
    """Tallies of chips from an executor; ``make_judge(*what)`` gives a `Judge` wherever it is called."""

    def __init__(self, executor, make_judge, what):
        chips, dataset, memory, _, keep_correct = what
        what = (chips, dataset, memory, 1, keep_correct)
        self._executor, self._judge = executor, make_judge(*what)
        self._sent = packed(make_judge, what)
        self._digest = hashlib.sha256(self._sent).hexdigest()
        self._seconds = None  # of a chip

    def tallies(self, numbers, report):
        """Yield the tallies of these chips, a range, in order; ``report(n_done)`` hears of those that are done."""
        start, n_done = numbers.start, 0
        if self._seconds is None:
            for tally in self._measure(numbers):
                start = tally.numbers.stop
                n_done += tally.n_chips
                yield tally
                report(n_done)
        parts = cut(range(start, numbers.stop), self._n_chips(), self._judge.grid)
        units = ((self._digest, self._sent, part) for part in parts)
        n_ahead = int(min(N_AHEAD, max(_AHEAD_BYTES / len(self._sent), 32)))

        def counted():
            nonlocal n_done
            for index, tally in as_ready(_tally, units, self._executor, describe=_describe, n_ahead=n_ahead):
                n_done += tally.n_chips
                report(n_done)
                yield index, tally

        yield from in_order(counted())

    def _n_chips(self):
        """Chips of one unit."""
        seconds = max(UNIT_SECONDS, len(self._sent) / BYTES_PER_SECOND)
        return max(int(seconds / max(self._seconds, 1e-9)), 1)

    def _measure(self, numbers):
        """Yield the tallies of the first chips, done here, until it is known how long a chip takes."""
        start, n_chips = numbers.start, self._judge.grid
        while start < numbers.stop:
            part = next(iter(cut(range(start, numbers.stop), n_chips, self._judge.grid)))
            begun = time.perf_counter()
            yield self._judge.tally(part)
            seconds, start = time.perf_counter() - begun, part.stop
            if part.start > numbers.start or self._seconds is None:  # the first may have to compile
                self._seconds = seconds / len(part)
            if part.start > numbers.start and seconds > _MEASURED:
                return
            n_chips *= 2


def packed(make_judge, what):
    """What a worker needs to make a judge, as bytes; layouts and images take a fraction of their memory."""
    return zlib.compress(pickle.dumps((make_judge, what), protocol=5), level=1)


def cut(numbers, n_chips, grid):
    """Yield parts of about ``n_chips`` of these chips, which end at multiples of ``grid``: chips drawn together stay so."""
    size, start = -(-n_chips // grid) * grid, numbers.start
    while start < numbers.stop:
        stop = min(numbers.stop, start - start % grid + size)
        yield range(start, stop)
        start = stop


def _tally(digest, sent, numbers) -> Tally:
    """In a worker: the tally of one unit."""
    judge = _judges.get(digest)
    if judge is None:
        make_judge, what = pickle.loads(zlib.decompress(sent))
        judge = _judges[digest] = make_judge(*what)
        while len(_judges) > _MOST_KEPT:
            try:
                _judges.popitem(last=False)
            except KeyError:  # another thread was first
                break
    return judge.tally(numbers)


def _describe(unit):
    numbers = unit[-1]
    return f"judging chips {numbers.start} to {numbers.stop - 1}"
