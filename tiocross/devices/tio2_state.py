"""The published card with a write disturb by state, fitted to the simulated array."""

from dataclasses import replace

from tiocross.devices.state_disturb import StateDisturb
from tiocross.devices.tio2 import TIO2
from tiocross.units import V, mV, uS

_SOURCE = ("fitted to simulated 8 x 8 arrays (SimulatedCrossbar with TIO2_SWITCHING and PulseScheme(), which were fitted to "
           "the changes measured by Drolet et al., arXiv:2305.18495); not measured")

TIO2_STATE = replace(TIO2, name="TiO2 (Drolet et al. 2023), disturb by state", disturb=StateDisturb(
    scheme="V/2",
    set_voltage=1.96 * V,
    set_spread=0.0640,
    set_scale=140.6 * mV,
    reset_voltage=2.52 * V,
    reset_spread=0.191,
    reset_exponent=6.36,
    g_off=15 * uS,
    g_on=970 * uS,
    increment=20 * mV,
    set_limit=2.1 * V,
    reset_limit=2.4 * V,
    pulses_at_limit=5,
    overshoot_set=0.0,
    overshoot_reset=0.0908,
    drift=-0.306 * uS,
    drift_spread=0.339 * uS,
    fluctuation=1.55 * uS,
    settling=70.0,
    initial_low=TIO2.g_min,
    initial_high=TIO2.g_max,
    most_later=63,
    source=_SOURCE,
))
TIO2_STATE_8X8 = replace(TIO2_STATE, array_shape=(8, 8))
