"""Fake chips for the tests of drivers: a device that moves by a fixed law, and everything that can go wrong with it."""

import importlib.util
import math

import numpy as np
from conftest import ROOT

from tiocross.units import uS

NO_ANSWER = TimeoutError("no answer")


class FakeChip:
    """A device moves by a factor that grows with what an amplitude has above a threshold of 1 V; nothing is random."""

    def __init__(self, conductances, *, stuck=(), silent=(), fails_at=None, error=NO_ANSWER, disturb=0.0):
        self.conductances = np.array(conductances, dtype=float)
        self.shape = self.conductances.shape
        self.stuck, self.silent, self.disturb = set(stuck), set(silent), disturb
        self.fails_at, self.error, self.n_calls = fails_at, error, 0
        self.pulses, self.safe, self.closed = [], 0, 0

    def _count(self):
        self.n_calls += 1
        if self.n_calls - 1 == self.fails_at:
            raise self.error

    def read(self, row, column):
        self._count()
        return math.nan if (row, column) in self.silent else float(self.conductances[row, column])

    def pulse(self, row, column, amplitude, width):
        self._count()
        self.pulses.append((row, column, amplitude, width))
        self.conductances[row, :column] *= 1 + self.disturb * np.sign(amplitude)  # those of the row that came before
        if (row, column) not in self.stuck:
            self.conductances[row, column] *= math.exp(0.03 * (abs(amplitude) - 1) * np.sign(amplitude))

    def make_safe(self):
        self.safe += 1


class PlainChip(FakeChip):
    """One without make_safe, which can only be closed."""

    make_safe = property()  # hasattr says no

    def close(self):
        self.closed += 1


def random_chip(shape=(3, 4), seed=0, kind=FakeChip, **options):
    """A chip with devices in 100-500 uS, and targets in the same window."""
    conductances, targets = np.random.default_rng(seed).uniform(100 * uS, 500 * uS, (2, *shape))
    return kind(conductances, **options), targets


def load_script(name):
    """A file of scripts/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
