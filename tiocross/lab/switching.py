"""How the devices of a simulated chip answer to voltage: a switching model, its parameters with their sources.

A voltage V across a device of conductance G moves it at the rate

    SET,   V > 0:   dG/dt = (g_on - G) r,      r = e^z exp((V - V_set) / v_set) / t_0
    RESET, V < 0:   dG/dt = -(G - g_off) r,    r = e^z (|V| / V_reset)^p / t_0

Alibart et al. found an exponential SET and a power-law RESET in TiO2-x. Every device has its own V_set and V_reset, z is
drawn at every pulse, and below the quiet voltage nothing happens. V follows G through wires and what is in series. A
selected device takes large steps. A half-selected device, at half the voltage, moves by exp(-V / 2 v_set) or 2^-p of such a
step: so write disturb is a result of the model, not an input. A device that was written also drifts and fluctuates, more and
more slowly: t seconds later the pace is exp(-t / settling) of the first one.

Drift and fluctuation were fitted pulse by pulse, with one reading to each; how long that took on the measured arrays is not
published. Seconds come from the assumption that a pulse and its reading took 10 ms.
"""

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from tiocross.checks import LARGEST_CONDUCTANCE, as_number
from tiocross.devices.device import LineFailures, StuckDevices
from tiocross.devices.tio2 import TIO2
from tiocross.records import check_fields, declared, number
from tiocross.units import V, mV, ms, nA, ns, percent, uS

_FITTED = "fitted so that programming 8 x 8 arrays gives the write disturb of Drolet et al., arXiv:2305.18495"
_TIMED = f"{_FITTED}, with 10 ms for a pulse and its reading, an assumption"
_FARTHEST = 2.0  # standard deviations of a threshold from the mean: a normal law has no ends; fits a little better than 4


def _parameter(default, unit, source, low=0.0, high=math.inf, positive=False):
    return number(unit, default=default, source=source, low=low, high=high, positive=positive)


@dataclass(frozen=True)
class SwitchingModel:
    """Parameters of a simulated chip's devices; printing it shows each with its unit and source.

    Parameters
    ----------
    set_voltage, reset_voltage : float
        Mean over devices of the magnitudes at which the rate is 1 per reference width [V].
    set_spread, reset_spread : float
        Their standard deviation from device to device, relative; a normal law of which nothing lies beyond twice that
        (unitless).
    set_scale : float
        Voltage that makes SET e times as fast [V].
    reset_exponent : float
        Exponent p of RESET (unitless).
    reference_width : float
        Width t_0 at which the rates hold; they grow in proportion to the width [s].
    cycle_spread : float
        Standard deviation of z, from pulse to pulse (unitless).
    g_off, g_on : float
        Conductances that RESET and SET tend to [S].
    quiet_voltage : float
        Magnitude up to which a device keeps its state [V].
    drift, drift_spread : float
        Mean and standard deviation over devices of the drift just after a write [S/s].
    fluctuation : float
        Standard deviation of one second of the random walk just after a write [S/s^0.5].
    settling : float
        Time in which drift and walk slow down e times [s].
    read_voltage : float
        Of the reads, at which conductances are meant [V].
    read_noise : float
        Standard deviation of a reading, relative (unitless).
    read_step, read_offset : float
        Currents are read in these steps, from this offset [A].
    nonlinearity : float
        Voltage scale v_0 of the read current G' v_0 sinh(V / v_0) [V].
    series_resistance : float
        In series with every device [ohm].
    edge_time, read_time, overhead : float
        Time of one edge of a pulse, of reading one device, and of every call of the instrument besides [s].
    compliance : float or None
        Largest current of the driver of the selected word line during a pulse; beyond it the voltages of all lines are
        lowered together. None: no limit [A].
    initial_low, initial_high : float
        A fresh chip's devices are uniform between them [S].
    stuck : StuckDevices or None
        Devices that answer to nothing.
    lines : LineFailures or None
        Whole lines that answer to nothing.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """

    set_voltage: float = _parameter(1.96 * V, "V", _FITTED, positive=True)
    set_spread: float = _parameter(0.065, "-", f"{_FITTED}; below the 26 % of Kim et al. 2021", high=0.45)
    set_scale: float = _parameter(0.147 * V, "V", _FITTED, positive=True)
    reset_voltage: float = _parameter(2.52 * V, "V", _FITTED, positive=True)
    reset_spread: float = _parameter(0.2, "-", f"{_FITTED}; below the 26 % of Kim et al. 2021", high=0.45)
    reset_exponent: float = _parameter(6.35, "-", _FITTED, positive=True)
    reference_width: float = _parameter(1040 * ns, "s", "pulse width of a measured array, header of the group's files",
                                        positive=True)
    cycle_spread: float = _parameter(0.55, "-", _FITTED)
    g_off: float = _parameter(15 * uS, "S", f"{_FITTED}; devices stuck at HRS reach down to 10 uS", high=LARGEST_CONDUCTANCE)
    g_on: float = _parameter(970 * uS, "S", f"{_FITTED}; devices stuck at LRS reach up to 870 uS", high=LARGEST_CONDUCTANCE)
    quiet_voltage: float = _parameter(400 * mV, "V", "reads up to 0.4 V: Nili et al. 2020, IEEE Trans. Nanotechnol. 19")
    drift: float = _parameter(-1.3 * uS, "S/s", _TIMED, low=-LARGEST_CONDUCTANCE)
    drift_spread: float = _parameter(1.8 * uS, "S/s", _TIMED)
    fluctuation: float = _parameter(2.0 * uS, "S/s^0.5", _TIMED)
    settling: float = _parameter(15.0, "s", "chosen: the measured changes end at 54 later writes, some 1 300 pulses",
                                 positive=True)
    read_voltage: float = _parameter(200 * mV, "V", "headers of the group's files", positive=True)
    read_noise: float = _parameter(0.15 * percent, "-", _FITTED)
    read_step: float = _parameter(139 * nA, "A", "steps seen in the group's resistance maps")
    read_offset: float = _parameter(76 * nA, "A", "offset seen in the group's resistance maps", low=-1.0)
    nonlinearity: float = _parameter(368 * mV, "V", "I = 0.3205 G sinh(2.717 V), data-driven TiO2 model of the group",
                                     positive=True)
    series_resistance: float = _parameter(0.0, "ohm", "none: no measurement tells it from the device")
    edge_time: float = _parameter(500 * ns, "s", "rise and fall times, headers of the group's files")
    read_time: float = _parameter(0.1 * ms, "s", "chosen")
    overhead: float = _parameter(5 * ms, "s", "chosen: source meter and switch matrix, two calls in 10 ms")
    compliance: float | None = None
    initial_low: float = _parameter(TIO2.g_min, "S", "chosen: the tuning window", high=LARGEST_CONDUCTANCE)
    initial_high: float = _parameter(TIO2.g_max, "S", "chosen: the tuning window", high=LARGEST_CONDUCTANCE)
    stuck: StuckDevices | None = TIO2.stuck
    lines: LineFailures | None = None

    def __repr__(self):
        changed = (f"{place.name}={getattr(self, place.name)!r}" for place in fields(self)
                   if getattr(self, place.name) != place.default)
        return f"SwitchingModel({', '.join(changed)})"

    def __post_init__(self):
        check_fields(self)
        if self.compliance is not None and as_number("compliance", self.compliance, low=0.0, unit="A") == 0.0:
            raise ValueError("compliance must be above zero, or None for no limit; got 0 A")
        for low, high in (("g_off", "g_on"), ("initial_low", "initial_high")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} must not exceed {high}; got {getattr(self, low):g} and {getattr(self, high):g} S")

    def __str__(self):
        lines = [f"  {name} = {getattr(self, name):.6g} {rules['unit'].strip('-')}".rstrip() + f": {rules['source']}"
                 for name, rules in declared(self).items()]
        compliance = "off, for none was measured" if self.compliance is None else f"{self.compliance:.6g} A"
        lines.append(f"  compliance: {compliance}")
        for name in ("stuck", "lines"):
            value = getattr(self, name)
            lines.append(f"  {name}: {'off' if value is None else f'{value}: {value.source}'}")
        return "\n".join(["switching model", *lines])


TIO2_SWITCHING = SwitchingModel()


def switching_of(device):
    """Switching model of a device of whose switching nothing is known but window and faults: the rest is that of TiO2.

    Ends of switching, drift, fluctuation and steps of readings keep their ratio to the ends of the window."""
    if (device.g_min, device.g_max, device.stuck, device.lines) == (TIO2.g_min, TIO2.g_max, TIO2.stuck, TIO2.lines):
        return TIO2_SWITCHING
    low, high = device.g_min / TIO2.g_min, device.g_max / TIO2.g_max
    model = TIO2_SWITCHING
    return replace(model, g_off=model.g_off * low, g_on=model.g_on * high,
                   initial_low=device.g_min, initial_high=device.g_max, drift=model.drift * high,
                   drift_spread=model.drift_spread * high, fluctuation=model.fluctuation * high,
                   read_step=model.read_step * high, read_offset=model.read_offset * high, stuck=device.stuck,
                   lines=device.lines)


def require_switching(model, scheme):
    """Raise ValueError if the pulses of a scheme would leave the mean device of a model where it is, at their limits."""
    both = (("SET", scheme.set_limit, model.set_voltage), ("RESET", scheme.reset_limit, -model.reset_voltage))
    for name, limit, mean in both:
        if name == "SET":
            rate = math.exp(min((limit - mean) / model.set_scale, 50.0))
        else:
            rate = (limit / mean) ** model.reset_exponent
        share = -math.expm1(-rate * scheme.width / model.reference_width * scheme.pulses_at_limit)
        if abs(limit) <= model.quiet_voltage or share <= scheme.tolerance:
            raise ValueError(
                f"the pulse scheme does not switch the simulated chips: {scheme.pulses_at_limit} {name} pulses at its "
                f"limit, {limit:g} V and {scheme.width:g} s, move a device by {share:.2g} of the way. They switch as "
                f"published TiO2 does, at about {mean:g} V and {model.reference_width:g} s. Plan for the simulation with "
                "such a scheme; yours is for program_array on real chips, or on a SimulatedCrossbar with a model of "
                "your devices")


@dataclass(frozen=True, eq=False)
class Traits:
    """What distinguishes the devices of one chip, arrays (n_word_lines, n_bit_lines)."""

    set_voltages: np.ndarray  # magnitude at which the rate of SET is 1 per reference width [V]
    reset_voltages: np.ndarray  # and of RESET [V]
    drifts: np.ndarray  # drift just after a write [S/s]


def draw_traits(model, shape, rng):
    """`Traits` of the devices of a chip of ``shape`` (n_word_lines, n_bit_lines)."""
    sets, resets, drifts = np.clip(rng.standard_normal((3, *shape)), -_FARTHEST, _FARTHEST)
    return Traits(model.set_voltage * (1.0 + model.set_spread * sets),
                  model.reset_voltage * (1.0 + model.reset_spread * resets),
                  model.drift + model.drift_spread * drifts)
