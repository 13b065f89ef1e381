"""The device of the simulations that followed Drolet et al., arXiv:2305.18495: defaults of their code, not measurements."""

from tiocross.devices.device import Device, StuckDevices, TuningError
from tiocross.devices.reads import ReadNoise
from tiocross.units import kohm, percent

_SOURCE = ("defaults in the code of the follow-up that the group of Drolet et al., arXiv:2305.18495, made public; not "
           "measurements")
_LOW, _HIGH = 1 / (15 * kohm), 1 / (5 * kohm)

TIO2_FOLLOW_UP = Device(
    name="TiO2, follow-up of Drolet et al.",
    g_min=_LOW,
    g_max=_HIGH,
    source=_SOURCE,
    tuning=TuningError(offset_mean=0.0, offset_std=0.0, spread_slope=0.0, spread_intercept=0.8 * percent, source=_SOURCE),
    stuck=StuckDevices(probability_lrs=5 * percent, lrs_mean=_HIGH, lrs_std=0.0, probability_hrs=5 * percent, hrs_low=_LOW,
                       hrs_high=_LOW, source=f"{_SOURCE}; taken to be stuck at the ends of the window"),
    read_noise=ReadNoise(0.2 * percent, source=_SOURCE),
)
