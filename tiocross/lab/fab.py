"""Thousands of chips programmed pulse by pulse: simulated arrays made from a stream each and tuned by one compiled kernel.

Each array is a `SimulatedCrossbar`, and each decision that of `WriteVerify` and `program_array` with ``go_on=True``: the same
readings, pulses and conductances to the last bit. What a real instrument makes stop is left out, as the chip is known here.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_count, kind_of, require_generator, require_memory, require_name
from tiocross.devices.writes import count_later_writes
from tiocross.lab.passes import is_over
from tiocross.lab.port_kernel import READINGS
from tiocross.lab.programming import as_targets
from tiocross.lab.pulses_kernel import (
    ALLOWED, BEGIN, CONFIRMATIONS, MOST_LIMITED, MOST_PULSES, MOST_REVERSALS, PASS, STAGE, TOLERANCE, TURN, WIDTH,
)
from tiocross.lab.report import ProgramReport
from tiocross.lab.simulated import SCHEMES, SimulatedCrossbar
from tiocross.lab.switching import TIO2_SWITCHING, SwitchingModel
from tiocross.lab.write_verify import OUTCOMES, PulseScheme, require_scheme
from tiocross.units import ohm, percent

STRATEGIES = ("as targeted", "reset first")
LOW = 0.9  # of the lowest target: where "reset first" brings every device
_LOW_TOLERANCE = 10 * percent  # within which that is met
_BYTES_PER_DEVICE = 100  # of what is kept of each


class Programmed(NamedTuple):
    """What programming left of ``n_chips`` arrays, arrays (n_chips, ...)."""

    conductances: np.ndarray  # true ones, (n_chips, n_word_lines, n_bit_lines) [S]
    readings: np.ndarray  # the last whole-array reading, likewise [S]
    outcomes: np.ndarray  # of the last tuning of each device, text, likewise
    n_pulses: np.ndarray  # given to each device, likewise
    n_passes: np.ndarray  # (n_chips,)
    seconds: np.ndarray  # of the lab's clock, (n_chips,) [s]
    pulse_energy: np.ndarray  # (n_chips,) [J]
    read_energy: np.ndarray  # (n_chips,) [J]


@dataclass(frozen=True)
class SimulatedFab:
    """Makes simulated chips and programs them pulse by pulse.

    Parameters
    ----------
    model : SwitchingModel, optional
        What their devices are; stuck devices and failed lines come from it.
    scheme : PulseScheme, optional
        Amplitudes, tolerance and budgets of write-verify.
    passes : int, optional
        Most passes over an array (unitless).
    biasing : str, optional
        Unselected lines during a pulse: "V/2", "V/3" or "floating".
    strategy : str, optional
        "as targeted": every device is tuned from where it is. "reset first": a pass of RESET pulses brings every device
        low, to 0.9 of the array's lowest target, then pulses are SET pulses alone; a device that passes its target stays
        there.

    Raises
    ------
    ValueError, TypeError
        If a setting cannot be.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import SimulatedFab
    >>> fab = SimulatedFab(passes=2)
    >>> made = fab.program(np.full((3, 4), 300e-6), rng=np.random.default_rng(1), n_chips=5)
    >>> made.conductances.shape, made.outcomes[0, 0, 0].item()
    ((5, 3, 4), 'converged')
    """

    model: SwitchingModel = TIO2_SWITCHING
    scheme: PulseScheme = PulseScheme()
    passes: int = 3
    biasing: str = "V/2"
    strategy: str = "as targeted"

    def __post_init__(self):
        if not isinstance(self.model, SwitchingModel):
            raise TypeError(f"model must be a SwitchingModel, such as TIO2_SWITCHING; got {kind_of(self.model)}")
        require_scheme(self.scheme)
        object.__setattr__(self, "passes", as_count("passes", self.passes))
        require_name("biasing", self.biasing, SCHEMES)
        require_name("strategy", self.strategy, STRATEGIES)
        if self.strategy == "reset first" and self.scheme.polarity != "both":
            raise ValueError(f"strategy 'reset first' needs pulses of both polarities; got a scheme of {self.scheme.polarity} "
                             "pulses alone. Leave polarity out of the scheme")

    def program(self, targets: ArrayLike, *, rng: np.random.Generator, n_chips: int = 1, order: ArrayLike | None = None,
                wire_resistance: float = 2.0 * ohm, workers: int = 1) -> Programmed:
        """Make arrays and program each to the same targets.

        Parameters
        ----------
        targets : (n_word_lines, n_bit_lines) array_like
            Wanted conductances, NaN where a device is not to be programmed [S].
        rng : numpy.random.Generator
            Seeds the chips; chip 17 is the same for any number of chips and workers.
        n_chips : int, optional
            How many (unitless).
        order : (n_word_lines, n_bit_lines) array_like of int, optional
            Turn of each device, as in `program_array` (unitless).
        wire_resistance : float, optional
            Of one wire segment [ohm].
        workers : int, optional
            Threads (unitless).

        Returns
        -------
        Programmed
            Conductances, outcomes, pulses, passes, time and energy of every chip.
        """
        require_generator(rng)
        shape = np.shape(targets)
        targets, mask = as_targets(targets, None, shape)
        n_chips, workers = as_count("n_chips", n_chips), as_count("workers", workers)
        require_memory(f"{n_chips} chips of {targets.size} devices", _BYTES_PER_DEVICE * n_chips * targets.size,
                       "give a smaller n_chips, and go on in a loop")
        sequence = np.argsort(-count_later_writes(shape, order), axis=None)
        entropy = int(rng.integers(2**63))

        def one(number):
            stream = array_stream(entropy, number, 0)
            return program_chip(self, make_chip(self, shape, stream, wire_resistance), targets, mask, sequence)

        return stack(list(in_threads(one, range(n_chips), workers)))


def make_chip(fab, shape, rng, wire_resistance):
    """A fresh `SimulatedCrossbar` of a fab."""
    return SimulatedCrossbar(shape, fab.model, rng=rng, wire_resistance=wire_resistance, scheme=fab.biasing)


def program_chip(fab, chip, targets, mask, sequence):
    """Program a `SimulatedCrossbar` as a fab does: `Programmed` without the axis of chips. Targets are NaN outside the mask
    [S]; ``sequence`` holds the numbers of all devices in their turn."""
    before, n_resets, scheme = np.zeros(targets.shape, dtype=np.int64), 0, fab.scheme
    if fab.strategy == "reset first" and mask.any():
        low, down = resetting(targets, scheme)
        before, n_resets = run_passes(chip, low, mask, down, sequence, 1).n_pulses, 1
        scheme = replace(scheme, polarity="SET")
    report = run_passes(chip, targets, mask, scheme, sequence, fab.passes)
    return Programmed(chip.conductances, report.conductances, report.outcomes, report.n_pulses + before,
                      report.n_passes + n_resets, chip.clock, chip.pulse_energy, chip.read_energy)


def resetting(targets, scheme):
    """Targets and scheme of the pass with which "reset first" begins: for `program_array`, too."""
    low = np.where(np.isnan(targets), np.nan, LOW * np.nanmin(targets))
    return low, replace(scheme, polarity="RESET", tolerance=max(_LOW_TOLERANCE, scheme.tolerance))


def run_passes(chip, targets, mask, scheme, sequence, max_passes):
    """`ProgramReport` of a `SimulatedCrossbar` programmed by the kernel, as `program_array` with ``go_on=True`` does it.

    ``sequence`` holds the numbers of all devices in their turn."""
    state, goals = chip.state, targets.reshape(-1)
    done, pulses = np.full(goals.size, -1, dtype=np.int8), np.zeros(goals.size, dtype=np.int64)
    sets, resets = (np.array([pulse.amplitude for pulse in ladder]) for ladder in (scheme.set_pulses, scheme.reset_pulses))
    state.numbers[[TOLERANCE, WIDTH]] = scheme.tolerance, scheme.width
    state.counts[[CONFIRMATIONS, MOST_PULSES, MOST_REVERSALS, MOST_LIMITED, ALLOWED]] = (
        scheme.confirmations, scheme.max_pulses, scheme.max_reversals, scheme.pulses_at_limit,
        {"both": 0, "SET": 1, "RESET": -1}[scheme.polarity])
    readings, names = np.empty((0, *targets.shape)), np.array([*OUTCOMES, ""], dtype="<U10")
    while True:
        report = ProgramReport(targets, mask, names[done].reshape(targets.shape), pulses.reshape(targets.shape).copy(),
                               readings, scheme.tolerance, True)
        if readings.size and is_over(report, max_passes):
            return report
        state.counts[[STAGE, TURN]] = BEGIN, 0
        state.run(PASS, (goals, report.due.reshape(-1), sequence, sets, resets, done, pulses))
        readings = np.concatenate([readings, state.fields[READINGS].reshape(1, *targets.shape)])


def stack(arrays):
    """`Programmed` of many from those of each."""
    return Programmed(*(np.stack(parts) for parts in zip(*arrays)))


def array_stream(entropy, number, array):
    """Generator of one array of a chip, which nothing else has."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy, spawn_key=(1 << 20, array, number))))


def in_threads(function, arguments, workers):
    """Results in order."""
    if workers == 1:
        yield from map(function, arguments)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="tiocross") as executor:
        yield from executor.map(function, arguments)
