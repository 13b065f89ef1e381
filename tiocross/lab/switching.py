"""How the devices of a simulated chip answer to voltage: a switching model, its parameters with their sources.

A pulse of voltage V and width t across a device of conductance G:

    SET,   V > 0:   G -> G + (g_on - G) (1 - exp(-r)),    r = t / t_0 exp((V - V_set) / v_set) e^z
    RESET, V < 0:   G -> G - (G - g_off) (1 - exp(-r)),   r = t / t_0 (|V| / V_reset)^p e^z

An exponential SET and a power-law RESET are the forms that Alibart et al. found in TiO2-x. V_set and V_reset are each
device's own, z is drawn at every pulse, and below the quiet voltage nothing happens. A selected device takes large steps;
a half-selected one, at half the voltage, creeps by a share of exp(-V / 2 v_set) or 2^-p of them: write disturb is not put
in, it comes out. On top, a device that was written drifts and fluctuates, ever more slowly: after n further pulses given to
the array, which has no other clock, by exp(-n / settling) of the pace at first.
"""

import math
from dataclasses import dataclass, field, fields

import numpy as np

from tiocross.devices.device import LineFailures, StuckDevices
from tiocross.devices.tio2 import TIO2
from tiocross.checks import LARGEST_CONDUCTANCE, as_number
from tiocross.units import V, mV, nA, ns, percent, uS

_FITTED = "fitted so that programming 8 x 8 arrays gives the write disturb of Drolet et al., arXiv:2305.18495"
_FARTHEST = 2.0  # standard deviations of a threshold from the mean: a normal law has no ends; fits a little better than 4


def _parameter(default, unit, source, low=0.0, high=np.inf):
    return field(default=default, metadata={"unit": unit, "source": source, "low": low, "high": high})


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
        Devices that answer to nothing (unitless).
    lines : LineFailures or None
        Whole lines that answer to nothing (unitless).

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """

    set_voltage: float = _parameter(1.96 * V, "V", _FITTED)
    set_spread: float = _parameter(0.065, "-", f"{_FITTED}; below the 26 % of Kim et al. 2021", high=0.45)
    set_scale: float = _parameter(0.147 * V, "V", _FITTED)
    reset_voltage: float = _parameter(2.52 * V, "V", _FITTED)
    reset_spread: float = _parameter(0.2, "-", f"{_FITTED}; below the 26 % of Kim et al. 2021", high=0.45)
    reset_exponent: float = _parameter(6.35, "-", _FITTED)
    reference_width: float = _parameter(1040 * ns, "s", "pulse width of a measured array, header of the group's files")
    cycle_spread: float = _parameter(0.55, "-", _FITTED)
    g_off: float = _parameter(15 * uS, "S", f"{_FITTED}; devices stuck at HRS reach down to 10 uS", high=LARGEST_CONDUCTANCE)
    g_on: float = _parameter(970 * uS, "S", f"{_FITTED}; devices stuck at LRS reach up to 870 uS", high=LARGEST_CONDUCTANCE)
    quiet_voltage: float = _parameter(400 * mV, "V", "reads up to 0.4 V: Nili et al. 2020, IEEE Trans. Nanotechnol. 19")
    drift: float = _parameter(-0.013 * uS, "S", _FITTED, low=-LARGEST_CONDUCTANCE)
    drift_spread: float = _parameter(0.018 * uS, "S", _FITTED)
    fluctuation: float = _parameter(0.2 * uS, "S", _FITTED)
    settling: float = _parameter(1500.0, "-", "chosen: the measured changes end at 54 later writes, some 1 300 pulses")
    read_voltage: float = _parameter(200 * mV, "V", "headers of the group's files")
    read_noise: float = _parameter(0.15 * percent, "-", _FITTED)
    read_step: float = _parameter(139 * nA, "A", "steps seen in the group's resistance maps")
    read_offset: float = _parameter(76 * nA, "A", "offset seen in the group's resistance maps", low=-1.0)
    nonlinearity: float = _parameter(368 * mV, "V", "I = 0.3205 G sinh(2.717 V), data-driven TiO2 model of the group")
    initial_low: float = _parameter(TIO2.g_min, "S", "chosen: the tuning window", high=LARGEST_CONDUCTANCE)
    initial_high: float = _parameter(TIO2.g_max, "S", "chosen: the tuning window", high=LARGEST_CONDUCTANCE)
    stuck: StuckDevices | None = TIO2.stuck
    lines: LineFailures | None = None

    def __post_init__(self):
        for name, place in _numbers(self):
            value = as_number(name, getattr(self, name), low=place["low"], high=place["high"], unit=place["unit"].strip("-"))
            object.__setattr__(self, name, value)
        for name in ("set_voltage", "set_scale", "reset_voltage", "reset_exponent", "reference_width", "settling",
                     "read_voltage", "nonlinearity"):
            if getattr(self, name) <= 0.0:
                raise ValueError(f"{name} must be above zero; got {getattr(self, name):g}")
        for low, high in (("g_off", "g_on"), ("initial_low", "initial_high")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} must not exceed {high}; got {getattr(self, low):g} and {getattr(self, high):g} S")

    def __str__(self):
        lines = [f"  {name} = {getattr(self, name):.6g} {place['unit'].strip('-')}".rstrip() + f": {place['source']}"
                 for name, place in _numbers(self)]
        for name in ("stuck", "lines"):
            value = getattr(self, name)
            lines.append(f"  {name}: {'off' if value is None else f'{value}: {value.source}'}")
        return "\n".join(["switching model", *lines])


def _numbers(model):
    return [(place.name, place.metadata) for place in fields(model) if place.metadata]


TIO2_SWITCHING = SwitchingModel()


@dataclass(frozen=True, eq=False)
class Traits:
    """What distinguishes the devices of one chip, each (n_word_lines, n_bit_lines).

    Parameters
    ----------
    set_voltages, reset_voltages : ndarray
        Magnitudes at which the rate is 1 per reference width [V].
    drifts : ndarray
        Drift just after a write, with each pulse given to the array [S].
    """

    set_voltages: np.ndarray
    reset_voltages: np.ndarray
    drifts: np.ndarray


def draw_traits(model, shape, rng):
    """Traits of a chip's devices.

    Parameters
    ----------
    model : SwitchingModel
        Their laws (unitless).
    shape : (int, int)
        Numbers of word lines and bit lines (unitless).
    rng : numpy.random.Generator
        Source of chance (unitless).

    Returns
    -------
    Traits
    """
    sets, resets, drifts = np.clip(rng.standard_normal((3, *shape)), -_FARTHEST, _FARTHEST)
    return Traits(model.set_voltage * (1.0 + model.set_spread * sets),
                  model.reset_voltage * (1.0 + model.reset_spread * resets),
                  model.drift + model.drift_spread * drifts)


def switch(model, conductances, voltages, width, set_voltages, reset_voltages, rng):
    """Conductances of devices after a pulse.

    Parameters
    ----------
    model : SwitchingModel
        The model (unitless).
    conductances, voltages : (n,) ndarray
        Before the pulse [S], and across each device during it [V].
    width : float
        Of the pulse [s].
    set_voltages, reset_voltages : (n,) ndarray
        Of the devices, as in `Traits` [V].
    rng : numpy.random.Generator
        Source of chance, one number a device (unitless).

    Returns
    -------
    (n,) ndarray
        Conductances [S].
    """
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
