"""Signals through converters, drivers, sensing, noise and bent devices, against a slow loop over chips and points."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    IDEAL_PERIPHERY, MLP, PERIPHERY_8_BIT, TIO2, Converter, Crossbar, Dataset, Driver, LineFailures, MeasuredCurve,
    Nonlinearity, Periphery, ReadNoise, Sensing, Sinh, arrange, solve, transfer, transfer_matrix)
from tiocross.transfers.chips import Chips
from tiocross.transfers.operation import Operation

SEED, N_CHIPS = 5, 6
LAW = Nonlinearity(0.25, 0.2, "an example")
CURVE = MeasuredCurve(np.linspace(-0.4, 0.4, 9), np.tanh(np.linspace(-3, 3, 9)), input_per_unit=0.1, source="an example")
BOARD = Periphery(dac=Converter(5), adc=Converter(6), driver=Driver(150.0), activation=CURVE,
                  sensing=Sensing(gain_low=900.0, gain_high=2_000.0, saturation=0.6, gain_spread=0.02, offset=0.01,
                                  resistance=20.0))
PERIPHERIES = {
    "converters": Periphery(dac=Converter(4), adc=Converter(5)),
    "stated ranges": Periphery(dac=Converter(6, -0.1, 0.25), adc=Converter(7, -0.05, 0.3), read_voltage=0.15),
    "after subtraction": Periphery(adc=Converter(5), subtraction="analogue", sensing=Sensing(gain_spread=0.05, offset=0.02)),
    "mirror": Periphery(sensing=Sensing("mirror", saturation=0.3, offset=0.01), adc=Converter(6)),
    "board": BOARD,
}


@pytest.fixture(scope="module")
def network():
    """A 2-5-3 network with tanh units."""
    rng = np.random.default_rng(1)
    made = MLP(2, 5, 3, rng=rng, activation="tanh")
    return made.with_arrays([rng.normal(size=array.shape) for array in made.arrays])


@pytest.fixture(scope="module")
def points(network):
    points = np.random.default_rng(2).normal(size=(30, 2))
    return Dataset(points, network.predict(points), n_classes=3)


def verdicts(network, points, **options):
    options = {"device": TIO2, "n_transfers": N_CHIPS} | options
    return transfer(network, points, rng=np.random.default_rng(SEED), keep_correct=True, **options).correct


def levels(value, bits, low, high):
    """The nearest of all levels."""
    grid = np.linspace(low, high, 2**bits - (low == -high))
    return grid[np.argmin(np.abs(grid - value))]


class SlowChip:
    """One chip, point by point and line by line, in plain words of NumPy; ranges are found from the targets anew."""

    def __init__(self, chips, number, periphery, law, wires):
        self.network, self.periphery, self.law, self.wires = chips.network, periphery, law, wires
        self.states = [layer[number] for layer in chips.programmed(range(N_CHIPS)).conductances]
        self.targets = chips.targets.layers
        self.wanted = [layer.conductances for layer in self.targets]
        stream = np.random.Generator(np.random.SFC64(np.random.SeedSequence(chips.entropy, spawn_key=(1_000_001, number))))
        self.chance = [stream.standard_normal((2, layer.shape[1])) for layer in self.states]

    def currents(self, conductances, volts):
        """Of one array at one set of voltages."""
        ends = {"source_resistance": self.periphery.driver.resistance, "sense_resistance": self.periphery.sensing.resistance}
        if self.law is None:
            return volts @ transfer_matrix(Crossbar(conductances, self.wires, **ends))
        scale = self.law.read_voltage / self.law.v0 / np.sinh(self.law.read_voltage / self.law.v0)
        bent = Crossbar(conductances * scale, self.wires, iv=Sinh(self.law.v0), **ends)
        return solve(bent, volts, rtol=1e-12).bit_line_currents

    def hidden(self, sums):
        return np.tanh(sums) if self.periphery.activation is None else self.periphery.activation.value(sums)

    def ranges(self, points):
        """Of each layer: largest input, whether inputs have both signs, largest and least current, largest difference."""
        signals, found = self.network.encode(points), []
        for k, wanted in enumerate(self.wanted):
            largest = max(1.0, np.abs(signals).max()) if k == 0 else 1.0
            driven = np.concatenate([signals, np.ones((len(signals), 1))], axis=1)
            lines = self.periphery.read_voltage * driven / largest @ wanted
            found.append((largest, (signals < 0).any(), lines.max(), lines.min(),
                          np.abs(lines[:, 0::2] - lines[:, 1::2]).max()))
            sums = signals @ self.network.arrays[k][:-1] + self.network.arrays[k][-1]
            signals = self.hidden(sums)
        return found

    def answer(self, point, ranges):
        p, signal = self.periphery, self.network.encode(point[None])[0]
        for k, (state, (largest, is_signed, most, least, difference)) in enumerate(zip(self.states, ranges)):
            volts = p.read_voltage * np.append(signal, 1.0) / largest
            if p.dac is not None:
                ends = (-p.read_voltage * is_signed, p.read_voltage) if p.dac.low is None else (p.dac.low, p.dac.high)
                volts = np.array([levels(volt, p.dac.bits, *ends) for volt in volts])
            lines = self.currents(state, volts)
            full = max(abs(most), abs(least))
            lines = lines * (1.0 + p.sensing.gain_spread * self.chance[k][0]) + p.sensing.offset * full * self.chance[k][1]
            gain = self.gain(full, difference)
            if p.sensing.saturation is not None:
                lines = np.clip(lines, -p.sensing.saturation / gain, p.sensing.saturation / gain)
            if p.sensing.kind == "mirror":
                lines = np.maximum(lines, 0.0)
            if p.adc is not None and p.subtraction == "digital":
                ends = (-1.1 * full * (least < 0), 1.1 * full) if p.adc.low is None else (p.adc.low / gain, p.adc.high / gain)
                lines = np.array([levels(line, p.adc.bits, *ends) for line in lines])
            pairs = lines[0::2] - lines[1::2]
            if p.adc is not None and p.subtraction == "analogue":
                pairs = np.array([levels(pair, p.adc.bits, -1.1 * difference, 1.1 * difference) for pair in pairs])
            sums = pairs * largest / p.read_voltage / self.targets[k].scale[0]
            signal = self.hidden(sums) if k == 0 else sums
        return int(np.argmax(signal))

    def gain(self, full, difference):
        p = self.periphery
        wanted = [] if p.sensing.saturation is None else [p.sensing.saturation / full]
        if p.adc is not None and p.adc.low is not None:
            wanted.append(max(abs(p.adc.low), p.adc.high) / (1.1 * full))
        ends = (0.0, np.inf) if p.sensing.gain_low is None else (p.sensing.gain_low, p.sensing.gain_high)
        return min(max(min(wanted), ends[0]), ends[1]) if wanted else None


@pytest.mark.parametrize("name", PERIPHERIES)
@pytest.mark.parametrize("law", [None, LAW], ids=["ohmic", "bent"])
def test_chips_give_what_a_slow_loop_gives(network, points, name, law):
    periphery, wires, device = PERIPHERIES[name], 2.0, replace(TIO2, nonlinearity=law)
    found = verdicts(network, points, device=device, periphery=periphery, wire_resistance=wires)
    chips = Chips(network, TIO2, operation=Operation(periphery=periphery), rng=np.random.default_rng(SEED))
    for number in range(N_CHIPS):
        chip = SlowChip(chips, number, periphery, law, wires)
        ranges = chip.ranges(points.points)
        given = [chip.answer(point, ranges) for point in points.points]
        assert np.array_equal(found[number], given == points.labels), number
