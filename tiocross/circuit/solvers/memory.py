"""Memory for the arrays of one elimination, used again by the next: new memory costs more than what is written into it."""

import math

import numpy as np

_CHUNK = 2**18  # numbers
_MOST_KEPT = 2**23  # numbers, 64 MB


class Memory:
    """Arrays taken one after the other, and given back all at once."""

    def __init__(self):
        self._chunks, self._number, self._at = [], 0, 0

    @property
    def size(self):
        """Numbers it holds."""
        return sum(map(len, self._chunks))

    def take(self, *shape):
        """An array of the shape, with whatever it contains."""
        n_numbers = math.prod(shape)
        while self._number < len(self._chunks) and self._at + n_numbers > len(self._chunks[self._number]):
            self._number, self._at = self._number + 1, 0
        if self._number == len(self._chunks):
            self._chunks.append(np.empty(max(_CHUNK, n_numbers)))
        start, self._at = self._at, self._at + -(-n_numbers // 8) * 8
        return self._chunks[self._number][start : start + n_numbers].reshape(shape)

    def multiply(self, first, second):
        """first @ second in such an array."""
        return np.matmul(first, second, out=self.take(*first.shape[:-1], second.shape[-1]))

    def give_back(self):
        """All arrays that were taken."""
        self._number = self._at = 0


class NewMemory:
    """New arrays that live as long as somebody uses them."""

    def take(self, *shape):
        """An array of the shape, with whatever it contains."""
        return np.empty(shape)


class Memories:
    """``scratch`` for what one join needs; ``results`` of this turn, which last until the end of the next one."""

    def __init__(self):
        self.scratch, self.results, self._others = Memory(), Memory(), Memory()

    def turn(self):
        """Scratch and results of the next turn: what was a result in the last but one is no longer needed."""
        self.results, self._others = self._others, self.results
        self.results.give_back()
        self.scratch.give_back()
        return self.scratch, self.results

    @property
    def size(self):
        """Numbers they hold."""
        return self.scratch.size + self.results.size + self._others.size


_KEPT = []  # of threads that are done; taking and giving are single steps, so that no other thread comes between


def borrow():
    """Memories that nobody uses now."""
    return _KEPT.pop() if _KEPT else Memories()


def hand_back(memories):
    """For the next one, unless they are too many."""
    if not _KEPT and memories.size <= _MOST_KEPT:
        _KEPT.append(memories)
