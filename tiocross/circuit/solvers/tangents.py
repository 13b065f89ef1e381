"""Tangents of the devices of one array: by the kernel of vectors for what it knows, by that of pairs for the rest."""

import numpy as np

from tiocross.circuit.law import OHM, POLYNOMIAL, SINH, TABLE
from tiocross.circuit.solvers.pairs_kernel import take_any_tangents
from tiocross.circuit.solvers.tangents_kernel import take_tangents
from tiocross.vectors import LANES

_NOTHING = np.empty(0)


class Form:
    """Devices with conductances at 0 V (M, N) [S] and one law as the tangents want them: ``g`` flat, rows and numbers of
    rows filled up with zeros to whole vectors; ``known``: code, g and coefficients for the kernel of vectors, None if it
    does not know the law; ``program``: elements, table and coefficients for that of pairs then."""

    def __init__(self, array, law):
        self.shape, self.law, self.array = array.shape, law, array
        self.padded = tuple(-(-n // LANES) * LANES for n in array.shape)
        self.g = self._pad(array)
        codes = {side.code for side in law.sides} - {OHM}
        code = None if len(codes) > 1 else codes.pop() if codes else POLYNOMIAL
        self.known = (code, self.g, self._coefficients(code)) if code in (SINH, POLYNOMIAL) else None
        self.program = None if self.known is not None else (*_find_program(law), self._values_of_elements())

    def crop(self, values):
        """What is flat and filled up as a view (M, N)."""
        return values.reshape(self.padded)[: self.shape[0], : self.shape[1]]

    def _coefficients(self, code):
        values = [np.asarray(each) for side in self.law.sides for each in side.coefficients(self.array, code)]
        if any(each.ndim for each in values):
            values = [self._pad(np.broadcast_to(each, self.shape)) for each in values]
        return np.stack(values).reshape(-1)

    def _values_of_elements(self):
        """Conductance, and both coefficients of both sides, of each device and element."""
        values = []
        for law, conductances in self.law.elements:
            array = np.broadcast_to(self.array if conductances is None else conductances, self.shape)
            values.append(array)
            for side in law.sides:
                values += side.coefficients(array, side.code or POLYNOMIAL)
        return np.concatenate([self._pad(np.broadcast_to(each, self.shape)) for each in values])

    def _pad(self, array):
        if self.shape == self.padded:
            return np.ascontiguousarray(array).reshape(-1)
        padded = np.zeros(self.padded)
        padded[: self.shape[0], : self.shape[1]] = array
        return padded.reshape(-1)


class Tangents:
    """Tangents of the devices of a `Form`: flat ``slope`` and ``injected``, at first those at 0 V. ``pool``: scratch of five
    numbers for each of its devices, if there is any to be used."""

    sum_of_slopes = 0.0  # of the tangents taken last, over all devices [S]

    def __init__(self, form, pool=None):
        n, used = len(form.g), form.shape[0] * form.padded[1]
        pool = np.empty(5 * n) if pool is None else pool
        self.form, self.slope = form, form.g
        self.injected, self._turns = pool[4 * n : 5 * n], pool[: 4 * n].reshape(2, 2, n)
        self.injected[:], self._turns[:, :, used:] = 0.0, 0.0
        if form.known is None:
            self._turns[:] = 0.0

    @property
    def devices(self):
        """Slopes, and currents injected, for a `Workspace`."""
        return self.slope, _NOTHING if self.slope is self.form.g else self.injected

    def take(self, pool, bits, words, pitch):
        """Find the next tangents from voltages of bit lines at ``pool[bits]`` and of word lines at ``pool[words]``, rows
        ``pitch`` apart. Returns the sum and the largest of what the last ones got wrong [A]."""
        form, (slope, injected) = self.form, self._turns[0]
        if form.known is not None:
            wrong, largest, self.sum_of_slopes = take_tangents(*form.known, form.shape[0], form.padded[1], pool, bits, words,
                                                               pitch, self.slope, self.injected, slope, injected)
            return wrong, largest
        wrong, largest, self.sum_of_slopes = take_any_tangents(*form.program, form.g, form.shape, form.padded[1], pool, bits,
                                                               words, pitch, self.slope, self.injected, slope, injected)
        return wrong, largest

    def move_on(self):
        """Make the next tangents those that count."""
        self.slope, self.injected = self._turns[0]
        self._turns = self._turns[::-1]


def _find_program(law):
    """Codes of both sides of each element with the places of their curves, and the curves, flat."""
    elements, curves, size = np.zeros((len(law.elements), 2, 3), np.int64), [np.empty(0)], 0
    for element, (each, _) in zip(elements, law.elements):
        for numbers, side in zip(element, each.sides):
            numbers[0] = side.code or POLYNOMIAL
            if side.code == TABLE:
                curves.append(side.table)
                numbers[1:] = size, (len(side.table) - 6) // 8
                size += len(side.table)
    return elements, np.concatenate(curves)


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
