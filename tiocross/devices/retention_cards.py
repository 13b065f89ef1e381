"""Cards whose devices relax, with the public readings that they come from.

TiO2: of all readings the mean change is -1.3 % after 1e3 s and -3.2 % (standard deviation 4.1 %) after 1e4 s, of those above
60 uS -0.9 % (1.4 %) after 1e4 s. The line through the two means begins at 207 s. Above 60 uS the change is taken as
proportional to the conductance, below as a straight line through its value at 60 uS. How many readings lie below 60 uS is
not stated: if half of them do, log-uniform from 20 to 60 uS, the line begins at -3.36 +- 1.22 uS.

Relaxation tables: standard deviations at listed times over the levels of technologies B and C; no means. The line through
the first two is continued to zero. The tables do not tell whether a device keeps its place among others: it is taken to.
"""

from dataclasses import replace

import numpy as np

from tiocross.devices.device import Device
from tiocross.devices.retention import Retention
from tiocross.devices.tio2 import TIO2
from tiocross.units import percent, uS

_READINGS = ("public readings of TiO2 devices every 10 s over 5 to 36 h: all -1.3 % after 1e3 s, -3.2 +- 4.1 % after 1e4 s; "
             "above 60 uS -0.9 +- 1.4 %; half of them taken as log-uniform in 20 to 60 uS")
_TABLES = "MIT-licensed relaxation tables, technology {}, standard deviations on a full scale of {} uS"
_FULL_SCALE = "full scale of the MIT-licensed relaxation tables, technology {}; other effects are not in them"

_ABOVE = 60.0  # uS
_TOP = 1000.0  # uS, above every conductance of the window

_START = 10 ** (3 - 1.3 / (3.2 - 1.3))  # s, where the line through both means is zero

TIO2_RETENTION = replace(
    TIO2,
    name="TiO2 (Drolet et al. 2023) with retention",
    retention=Retention(
        times=[_START, 1e4],
        conductances=np.array([0.0, _ABOVE, _TOP]) * uS,
        means=[[0.0] * 3, [-3.364 * uS, -0.9 * percent * _ABOVE * uS, -0.9 * percent * _TOP * uS]],
        spreads=[[0.0] * 3, [1.224 * uS, 1.4 * percent * _ABOVE * uS, 1.4 * percent * _TOP * uS]],
        fluctuations=[0.0] * 3,
        source=_READINGS,
    ),
)


def _relaxing(technology, full_scale, spreads):
    """Device of one technology, from the standard deviations [uS] at listed times [s]."""
    times, values = np.array(list(spreads)), np.array(list(spreads.values()))
    pace = (values[1] - values[0]) / np.log10(times[1] / times[0])
    times = np.concatenate([[times[0] * 10 ** (-values[0] / pace)], times])
    table = np.concatenate([[0.0], values])[:, None] * np.ones(2) * uS
    law = Retention(times, np.array([0.0, full_scale]) * uS, np.zeros(table.shape), table, [0.0] * 2,
                    _TABLES.format(technology, full_scale))
    return Device(g_min=0.0, g_max=full_scale * uS, name=f"RRAM, technology {technology}",
                  source=_FULL_SCALE.format(technology), retention=law)


RRAM_B = _relaxing("B", 128, {1e-2: 2.27, 1e-1: 3.49, 1.0: 4.54, 1e2: 5.21, 1e3: 5.83, 1e4: 7.79})
RRAM_C = _relaxing("C", 40, {1e-2: 0.93, 1e-1: 1.56, 1.0: 2.05, 4.0: 2.31, 1e5: 3.64})
