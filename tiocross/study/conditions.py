"""Other chips than those trained for: more stuck devices, stronger drift, longer wires, more devices."""

from dataclasses import dataclass, replace

from tiocross.devices.device import Device
from tiocross.devices.tio2 import TIO2
from tiocross.checks import as_number

STUCK_RATES = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)
DRIFT_STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0)
WIRE_RESISTANCES = (0.0, 5.0, 10.0, 15.0, 20.0)  # [ohm]
HIDDEN_UNITS = (4, 8, 16, 31)  # of half moons: 34 to 250 devices


@dataclass(frozen=True)
class Condition:
    """Chips of one point of a curve.

    Parameters
    ----------
    curve : str
        Which curve: "stuck", "drift" or "wires" (unitless).
    x : float
        Where on it: share of stuck devices, factor of the drift (unitless), or resistance of a wire segment [ohm].
    device : Device
        The device (unitless).
    wire_resistance : float
        Of one wire segment [ohm].
    """

    curve: str
    x: float
    device: Device
    wire_resistance: float = 0.0


def make_conditions(device):
    """Conditions of all curves.

    Parameters
    ----------
    device : Device
        The device to vary (unitless).

    Returns
    -------
    list of Condition
        The points of each curve.
    """
    return [*(Condition("stuck", rate, with_stuck_rate(device, rate)) for rate in STUCK_RATES),
            *(Condition("drift", factor, with_drift(device, factor)) for factor in DRIFT_STRENGTHS),
            *(Condition("wires", resistance, device, resistance) for resistance in WIRE_RESISTANCES)]


def with_stuck_rate(device, rate):
    """The device with another share of stuck devices.

    Parameters
    ----------
    device : Device
        The device; low and high resistance keep their shares of the stuck, those of the published card where it has none
        stuck (unitless).
    rate : float
        Share of devices that are stuck (unitless).

    Returns
    -------
    Device
        The changed device.
    """
    rate = as_number("rate", rate, low=0.0, high=1.0)
    stuck = device.stuck
    if stuck is None or stuck.probability_lrs + stuck.probability_hrs == 0.0:
        stuck = TIO2.stuck
    low = rate * (stuck.probability_lrs / (stuck.probability_lrs + stuck.probability_hrs))
    return replace(device, stuck=replace(stuck, probability_lrs=low, probability_hrs=rate - low))


def with_drift(device, factor):
    """The device with stronger or weaker write disturb.

    Parameters
    ----------
    device : Device
        The device (unitless).
    factor : float
        Multiplies every change by later writes (unitless).

    Returns
    -------
    Device
        The changed device; one without write disturb stays without.
    """
    factor = as_number("factor", factor, low=0.0)
    if device.disturb is None:
        return device
    return replace(device, disturb=replace(device.disturb, changes=device.disturb.changes * factor))
