"""Chips that suffer everything that there is."""

from dataclasses import replace

import numpy as np

from tiocross import (
    TIO2_RETENTION, Converter, Driver, LineFailures, MeasuredCurve, Nonlinearity, Periphery, ReadNoise, Sensing,
)
from tiocross.transfers.conditions import Conditions
from tiocross.transfers.operation import Operation


def everything():
    """Conditions under which every effect is on."""
    made_up = "a test"
    device = replace(TIO2_RETENTION, lines=LineFailures(0.01, 0.01, 1e-6, 1e-5, made_up),
                     read_noise=ReadNoise(0.01, made_up), nonlinearity=Nonlinearity(0.3, 0.2, made_up))
    sums = np.linspace(-6, 6, 9)
    sensing = Sensing(kind="mirror", resistance=5.0, gain_spread=0.03, offset=0.01, noise=0.01, saturation=1.0, gain_low=1e3,
                      gain_high=1e3)
    periphery = Periphery(dac=Converter(6), driver=Driver(10.0), adc=Converter(6), sensing=sensing,
                          activation=MeasuredCurve(sums, np.tanh(sums)))
    return Conditions(device, 2.0, Operation(1, 1e4, periphery))
