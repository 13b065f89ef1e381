"""How the devices of a simulated chip answer to voltage: a switching model, its parameters with their sources.

A pulse of voltage V and width t across a device of conductance G:

    SET,   V > 0:   G -> G + (g_on - G) (1 - exp(-r)),    r = t / t_0 exp((V - V_set) / v_set) e^z
    RESET, V < 0:   G -> G - (G - g_off) (1 - exp(-r)),   r = t / t_0 (|V| / V_reset)^p e^z

Alibart et al. found an exponential SET and a power-law RESET in TiO2-x. Every device has its own V_set and V_reset, z is
drawn at every pulse, and below the quiet voltage nothing happens. A selected device takes large steps. A half-selected
device, at half the voltage, moves by exp(-V / 2 v_set) or 2^-p of such a step: so write disturb is a result of the model,
not an input. A device that was written also drifts and fluctuates, more and more slowly. The array has no clock but its
pulses: after n further pulses the pace is exp(-n / settling) of the first one.
"""

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from tiocross.checks import LARGEST_CONDUCTANCE
from tiocross.devices.device import LineFailures, StuckDevices
from tiocross.devices.tio2 import TIO2
from tiocross.records import check_fields, declared, number
from tiocross.units import V, mV, nA, ns, percent, uS

_FITTED = "fitted so that programming 8 x 8 arrays gives the write disturb of Drolet et al., arXiv:2305.18495"
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
        Mean and standard deviation over devices of the drift just after a write, with each pulse given to the array [S].
    fluctuation : float
        Standard deviation of the random walk just after a write, with each pulse given to the array [S].
    settling : float
        Pulses given to the array in which drift and walk slow down e times (unitless).
    read_voltage : float
        Of the reads, at which conductances are meant [V].
    read_noise : float
        Standard deviation of a reading, relative (unitless).
    read_step, read_offset : float
        Currents are read in these steps, from this offset [A].
    nonlinearity : float
        Voltage scale v_0 of the read current G' v_0 sinh(V / v_0) [V].
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
    drift: float = _parameter(-0.013 * uS, "S", _FITTED, low=-LARGEST_CONDUCTANCE)
    drift_spread: float = _parameter(0.018 * uS, "S", _FITTED)
    fluctuation: float = _parameter(0.2 * uS, "S", _FITTED)
    settling: float = _parameter(1500.0, "-", "chosen: the measured changes end at 54 later writes, some 1 300 pulses",
                                 positive=True)
    read_voltage: float = _parameter(200 * mV, "V", "headers of the group's files", positive=True)
    read_noise: float = _parameter(0.15 * percent, "-", _FITTED)
    read_step: float = _parameter(139 * nA, "A", "steps seen in the group's resistance maps")
    read_offset: float = _parameter(76 * nA, "A", "offset seen in the group's resistance maps", low=-1.0)
    nonlinearity: float = _parameter(368 * mV, "V", "I = 0.3205 G sinh(2.717 V), data-driven TiO2 model of the group",
                                     positive=True)
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
        for low, high in (("g_off", "g_on"), ("initial_low", "initial_high")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} must not exceed {high}; got {getattr(self, low):g} and {getattr(self, high):g} S")

    def __str__(self):
        lines = [f"  {name} = {getattr(self, name):.6g} {rules['unit'].strip('-')}".rstrip() + f": {rules['source']}"
                 for name, rules in declared(self).items()]
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
    drifts: np.ndarray  # drift just after a write, with each pulse given to the array [S]


def draw_traits(model, shape, rng):
    """`Traits` of the devices of a chip of ``shape`` (n_word_lines, n_bit_lines)."""
    sets, resets, drifts = np.clip(rng.standard_normal((3, *shape)), -_FARTHEST, _FARTHEST)
    return Traits(model.set_voltage * (1.0 + model.set_spread * sets),
                  model.reset_voltage * (1.0 + model.reset_spread * resets),
                  model.drift + model.drift_spread * drifts)


def switch(model, conductances, voltages, width, set_voltages, reset_voltages, rng):
    """Conductances (n,) [S] after a pulse of ``width`` [s] with ``voltages`` (n,) [V] across the devices."""
    sets = voltages > 0
    exponents = model.cycle_spread * rng.standard_normal(len(voltages)) + math.log(width / model.reference_width)
    ends = np.where(sets, model.g_on, model.g_off)
    if not sets.all():  # of one sign they nearly always are
        magnitudes = np.maximum(np.abs(voltages), 1e-300) / reset_voltages
        exponents += np.where(sets, 0.0, model.reset_exponent * np.log(magnitudes))
    if sets.any():
        exponents += np.where(sets, (voltages - set_voltages) / model.set_scale, 0.0)
    shares = -np.expm1(-np.exp(np.minimum(exponents, 50.0)))  # of the way to the end
    ways = ends - conductances
    moves = (np.abs(voltages) > model.quiet_voltage) & (sets == (ways > 0))  # nothing comes back from beyond an end
    return conductances + ways * shares * moves
