"""Write disturb by the state of each device: a record, and what the writes of whole arrays do by it.

The published table of write disturb knows how many devices are written later, and nothing else. Here a later write disturbs
by its direction and its amplitude, only where its pulses arrive, and each device by its own state.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tiocross.checks import LARGEST_CONDUCTANCE, require_name, require_text
from tiocross.devices.state_kernel import LAW, disturb
from tiocross.records import check_fields, count, number, stated
from tiocross.units import percent, uS

SHARES = {"V/2": 1 / 2, "V/3": 1 / 3}  # of a pulse that devices on the lines of the selected one see
N_TRAITS = 3  # voltages of SET and RESET, drift


@dataclass(frozen=True, kw_only=True)
class StateDisturb:
    """Write disturb that follows from what is written: direction and amplitude of later writes, the device's own state.

    Parameters
    ----------
    scheme : str
        Biasing of the unselected lines during a write: "V/2", under which devices on the lines of the selected one see half
        of each pulse and all others none; or "V/3", under which they see a third, and all others a third of it reversed.
    set_voltage, reset_voltage : float
        Magnitudes at which a pulse takes a mean device e times nearer to the end of its switching [V].
    set_spread, reset_spread : float
        Their standard deviation from device to device, relative; normal laws, cut at two standard deviations (unitless).
    set_scale : float
        Voltage that makes SET e times as fast [V].
    reset_exponent : float
        Exponent of the power law of RESET (unitless).
    g_off, g_on : float
        Conductances that RESET and SET tend to [S].
    increment : float
        What each pulse of a write adds to the magnitude of the last [V].
    set_limit, reset_limit : float
        Largest magnitudes, which a write of a stuck device reaches [V].
    pulses_at_limit : int
        Pulses that such a device is given there (unitless).
    overshoot_set, overshoot_reset : float
        How far a write by SET, or by RESET, passes its target before it comes back by the other, as a share of its way
        (unitless).
    drift, drift_spread : float
        Mean and standard deviation over devices of the drift just after a write, with each later write to the array [S].
    fluctuation : float
        Standard deviation of the random walk just after a write, with each later write [S].
    settling : float
        Later writes in which drift and walk slow down e times (unitless).
    initial_low, initial_high : float
        Before the first write devices are uniform between them [S].
    most_later : int
        Largest number of later writes in an array that the parameters were fitted to (unitless).
    strength : float, optional
        Factor of all doses, of drift and of fluctuation (unitless).
    source : str
        Where the numbers come from.

    Notes
    -----
    A write that moves its device from G_0 up to G takes x = ln[(g_on - G_0) / (g_on - G)] e-folds. With pulses of SET whose
    rate grows by 1 / q from one to the next, q = exp(-increment / set_scale), it ends at the amplitude
    V = V_set + set_scale ln[x (1 - q)], and a share s of its pulses gives a device with the voltage V'_set the dose
    exp[(s V - V'_set) / set_scale] / (1 - q**s). Downwards over y = ln[(G_0 - g_off) / (G - g_off)] e-folds the dose of
    RESET is y (s V_reset / V'_reset)**reset_exponent. After doses S of SET and R of RESET a device goes from G to
    G_end + (G - G_end) exp(-S - R), with G_end = (S g_on + R g_off) / (S + R).

    The state before the first write is not known: it is drawn. Doses are taken as evenly mixed in time.
    """

    scheme: str = stated("-")
    set_voltage: float = number("V", positive=True)
    set_spread: float = number("-", low=0.0, high=0.45, shown="%")
    set_scale: float = number("V", positive=True)
    reset_voltage: float = number("V", positive=True)
    reset_spread: float = number("-", low=0.0, high=0.45, shown="%")
    reset_exponent: float = number("-", low=0.0, high=50.0)
    g_off: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    g_on: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    increment: float = number("V", positive=True)
    set_limit: float = number("V", positive=True)
    reset_limit: float = number("V", positive=True)
    pulses_at_limit: int = count(low=0)
    overshoot_set: float = number("-", low=0.0, high=1.0, shown="%")
    overshoot_reset: float = number("-", low=0.0, high=1.0, shown="%")
    drift: float = number("S", low=-LARGEST_CONDUCTANCE, high=LARGEST_CONDUCTANCE, shown="uS")
    drift_spread: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    fluctuation: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    settling: float = number("-", positive=True)
    initial_low: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    initial_high: float = number("S", low=0.0, high=LARGEST_CONDUCTANCE, shown="uS")
    most_later: int = count()
    strength: float = number("-", default=1.0, low=0.0)
    source: str

    def __post_init__(self):
        check_fields(self)
        require_text("source", self.source)
        require_name("scheme", self.scheme, SHARES)
        for low, high in (("g_off", "g_on"), ("initial_low", "initial_high")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} must not exceed {high}; got {getattr(self, low):g} and {getattr(self, high):g} S")

    def __str__(self):
        return (f"by state, {self.scheme} pulses: RESET as V^{self.reset_exponent:.3g}, SET as exp(V / "
                f"{self.set_scale:.3g} V), voltages differ by {self.reset_spread / percent:.3g} % and "
                f"{self.set_spread / percent:.3g} %; overshoot {self.overshoot_set / percent:.2g} % and "
                f"{self.overshoot_reset / percent:.2g} %; drift "
                f"{self.drift / uS:.2g} +- {self.drift_spread / uS:.2g} uS and fluctuation {self.fluctuation / uS:.2g} uS a "
                f"write, settling in {self.settling:.3g}; before the first write {self.initial_low / uS:g} to "
                f"{self.initial_high / uS:g} uS" + (f"; x {self.strength:g}" if self.strength != 1.0 else ""))


def parameters_of(law):
    """Parameters of a `StateDisturb` as the kernel takes them."""
    ratio = np.exp(-law.increment / law.set_scale)
    stuck_set = np.exp((law.set_limit - law.set_voltage) / law.set_scale) * (
        1.0 / (1.0 - ratio) + law.pulses_at_limit)
    rungs = law.reset_limit / (law.increment * (law.reset_exponent + 1.0)) + law.pulses_at_limit
    stuck_reset = (law.reset_limit / law.reset_voltage) ** law.reset_exponent * rungs
    derived = {"share": SHARES[law.scheme], "reverses": law.scheme == "V/3", "stuck_set": stuck_set,
               "stuck_reset": stuck_reset}
    return np.array([derived[name] if name in derived else getattr(law, name) for name in LAW], dtype=np.float64)


class Wiring(NamedTuple):
    """Order of writing and lines of all devices of some arrays, which stand in one row: devices in the order of writing, and
    for each its word line, its bit line and its array, numbered through all arrays, (n,) int64 each."""

    sequence: np.ndarray
    word_lines: np.ndarray
    bit_lines: np.ndarray
    arrays: np.ndarray

    @classmethod
    def of_array(cls, n_later_writes):
        """Wiring of one array, word line by word line, with these numbers (n_word_lines, n_bit_lines) of later writes."""
        rows, columns = (index.ravel() for index in np.indices(n_later_writes.shape))
        return cls(np.argsort(-n_later_writes, axis=None, kind="stable"), rows, columns, np.zeros_like(rows))


@dataclass(frozen=True, eq=False)
class StateDraws:
    """What chance gives each device besides its write, of single precision: traits (..., 3, n), walks and levels of the
    state before the first write (..., n)."""

    traits: np.ndarray
    walks: np.ndarray
    levels: np.ndarray

    def of(self, devices):
        """The same for some of the devices, an index."""
        return StateDraws(self.traits[..., devices], self.walks[..., devices], self.levels[..., devices])


def draw_states(n_chips, n_devices, rng):
    """`StateDraws` of so many chips."""
    normals = rng.standard_normal((n_chips, N_TRAITS + 1, n_devices), dtype=np.float32)
    return StateDraws(normals[:, :N_TRAITS], normals[:, N_TRAITS], rng.random((n_chips, n_devices), dtype=np.float32))


def initial_states(law, levels):
    """Conductances before the first write [S] at levels in [0, 1)."""
    return law.initial_low + (law.initial_high - law.initial_low) * levels.astype(np.float64)


def disturb_by_state(law, wiring, due, stuck, before, targets, draws, ages):
    """Constant [S] and factor (C, n) of what writes of ``targets`` (1 or C, n) [S] to the devices that are ``due`` leave of
    each one's own write, or, of one not due, of what it was ``before`` [S]. ``ages``, writes since that of each device, -1
    for never, move on."""
    shape = due.shape
    n_words, n_bits, n_arrays = (int(numbers.max(initial=-1)) + 1 for numbers in wiring[1:])
    constant, factor = np.empty(shape), np.empty(shape)
    disturb(*(np.ascontiguousarray(part, dtype=np.int64) for part in wiring), due, stuck, before,
            np.ascontiguousarray(targets, dtype=np.float64), np.ascontiguousarray(draws.traits),
            np.ascontiguousarray(draws.walks), ages, parameters_of(law), np.empty((shape[1], 6)), np.empty((n_words, 4)),
            np.empty((n_bits, 4)), np.empty((n_arrays, 3)), constant, factor)
    return constant, factor
