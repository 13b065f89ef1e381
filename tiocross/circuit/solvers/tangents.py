"""Tangents of the devices of one array: by the kernel for the laws that it knows, else by NumPy."""

import numpy as np

from tiocross.circuit.law import OHM, POLYNOMIAL
from tiocross.circuit.solvers.tangents_kernel import take_tangents
from tiocross.vectors import LANES

_NOTHING = np.empty(0)


class Tangents:
    """Tangents of devices with conductances at 0 V (M, N) [S] and one law, at first those at 0 V without a current at 0 V.

    ``slope`` and ``injected`` are flat, rows and numbers of rows filled up with zeros to whole vectors."""

    def __init__(self, array, law):
        self.shape, self.law, self._array = array.shape, law, array
        self.padded = tuple(-(-n // LANES) * LANES for n in array.shape)
        self._g = self._pad(array)
        self.slope, self.injected = self._g, np.zeros_like(self._g)
        self._next = [np.zeros((2, len(self._g))) for _ in range(2)]
        self._turn = 0
        self._form = self._find_form()

    def take(self, pool, bits, words, pitch):
        """Find the next tangents from voltages of bit lines at ``pool[bits]`` and of word lines at ``pool[words]``, rows
        ``pitch`` apart. Returns the sum and the largest of what the last ones got wrong [A]."""
        slope, injected = self._next[self._turn]
        if self._form is None:
            return self._take_by_numpy(pool, bits, words, pitch)
        return take_tangents(*self._form, *self.shape[:1], self.padded[1], pool, bits, words, pitch, self.slope, self.injected,
                             slope, injected)

    @property
    def devices(self):
        """Slopes, and currents injected, for a `Workspace`."""
        return self.slope, _NOTHING if self.slope is self._g else self.injected

    def move_on(self):
        """Make the next tangents those that count."""
        self.slope, self.injected = self._next[self._turn]
        self._turn = 1 - self._turn

    def _take_by_numpy(self, pool, bits, words, pitch):
        m, n = self.shape
        voltages = (np.lib.stride_tricks.as_strided(pool[start:], (m, n), (8 * pitch, 8)) for start in (words, bits))
        last, following = ([values.reshape(self.padded)[:m, :n] for values in pair]
                           for pair in ((self.slope, self.injected), self._next[self._turn]))
        return follow_tangents(self._array, self.law, np.subtract(*voltages), last, following)

    def _find_form(self):
        """Code, conductances and coefficients for the kernel; None if it does not know the law."""
        codes = {side.code for side in self.law.sides} - {OHM}
        if len(codes) > 1 or None in codes:
            return None
        code = codes.pop() if codes else POLYNOMIAL
        values = [np.asarray(each) for side in self.law.sides for each in side.coefficients(self._array, code)]
        if any(each.ndim for each in values):
            values = [self._pad(np.broadcast_to(each, self.shape)) for each in values]
        return code, self._g, np.stack(values).reshape(-1)

    def crop(self, values):
        """What is flat and filled up as (M, N)."""
        return np.ascontiguousarray(values.reshape(self.padded)[: self.shape[0], : self.shape[1]])

    def _pad(self, array):
        padded = np.zeros(self.padded)
        padded[: self.shape[0], : self.shape[1]] = array
        return padded.reshape(-1)


def follow_tangents(array, law, u, last, following):
    """The same by NumPy, for any law: ``last`` and ``following`` are slopes and injected currents (M, N), the latter to be
    filled, at voltages ``u`` of the devices."""
    (slope, injected), (new_slope, new_injected) = last, following
    assumed = slope * u - injected
    with np.errstate(over="ignore", invalid="ignore"):  # a law may overflow; then it is not solved
        currents, new_slope[:] = law.follow(array, u)
        wrong = np.abs(currents - assumed)
        beyond = (np.abs(currents) > 2.0 * np.abs(assumed)) & (assumed * u > 0.0)
        if beyond.any():
            some, device = law.spread(lambda values: values[beyond] if values.ndim else values), array[beyond]
            u, currents = np.array(u), np.array(currents)
            currents[beyond] = assumed[beyond]
            u[beyond] = some.voltages(device, assumed[beyond])
            new_slope[beyond] = some.slopes(device, u[beyond])
        new_injected[:] = new_slope * u - currents
    return float(wrong.sum()), float(wrong.max())
