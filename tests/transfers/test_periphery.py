"""Signals through converters, drivers, sensing, noise and bent devices, against a slow loop over chips and points."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    IDEAL_PERIPHERY, MLP, PERIPHERY_8_BIT, TIO2, TIO2_8X8, Adaptation, AveragePool2d, Conv2d, Converter, Crossbar, Dataset,
    Dense, DifferentialPairs, Driver, LineFailures, MeasuredCurve, Network, Nonlinearity, Periphery, ReadNoise,
    ReferenceColumn, Sensing, SimulatedFab, Sinh, TrainingSettings, arrange, share_arrays, solve, transfer, transfer_matrix)
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
        if self.periphery.activation is not None:
            return self.periphery.activation.value(sums)
        return np.tanh(sums) if self.network.activation == "tanh" else np.maximum(sums, 0.0)

    def ranges(self, points):
        """Of each layer: largest input, whether inputs have both signs, largest and least current, largest difference."""
        signals, found = self.network.encode(points), []
        for k, wanted in enumerate(self.wanted):
            largest = max(1.0, np.abs(signals).max()) if k == 0 or self.network.activation == "relu" else 1.0
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
                ends = -1.1 * full * (least < 0), 1.1 * full
                ends = ends if p.adc.low is None else (p.adc.low / gain, p.adc.high / gain)
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


@pytest.mark.parametrize(("name", "law", "activation"), [
    *((name, law, "tanh") for name in PERIPHERIES for law in (None, LAW)), ("converters", None, "relu")])
def test_chips_give_what_a_slow_loop_gives(network, points, name, law, activation):
    periphery, wires, device = PERIPHERIES[name], 2.0, replace(TIO2, nonlinearity=law)
    if activation == "relu":
        network = MLP(2, 5, 3, rng=np.random.default_rng(0), activation="relu").with_arrays(network.arrays)
    found = verdicts(network, points, device=device, periphery=periphery, wire_resistance=wires)
    chips = Chips(network, TIO2, operation=Operation(periphery=periphery), rng=np.random.default_rng(SEED))
    for number in range(N_CHIPS):
        chip = SlowChip(chips, number, periphery, law, wires)
        ranges = chip.ranges(points.points)
        given = [chip.answer(point, ranges) for point in points.points]
        assert np.array_equal(found[number], given == points.labels), number


def test_wires_that_many_points_share_are_solved_as_each_point_alone():
    from tiocross.transfers.curved import CurvedArrays

    rng = np.random.default_rng(3)
    layout = arrange([(4, 3)], None)
    steep = Nonlinearity(0.03, 0.2, "an example")
    for resistances, law in (((2.0, 0.0, 0.0), LAW), ((5.0, 700.0, 40.0), LAW), ((1.0, 50.0, 0.0), steep)):
        array, volts = rng.uniform(1e-4, 5e-4, (2, 4, 6)), rng.uniform(-0.2, 0.2, (2, 4, 7))
        found = CurvedArrays(array, layout.used[0], resistances, law, 0.2)(layout.blocks[0], volts, True)
        crossbar = Crossbar(array[:, None] * law.at_zero, resistances[0], source_resistance=resistances[1],
                            sense_resistance=resistances[2], iv=Sinh(law.v0))
        wanted = solve(crossbar, volts.swapaxes(1, 2), rtol=1e-12)
        np.testing.assert_allclose(found.currents.swapaxes(1, 2), wanted.bit_line_currents, rtol=1e-9, atol=1e-16)
        devices = crossbar.currents(wanted.device_voltages)
        np.testing.assert_allclose(found.squares.swapaxes(1, 2), (devices**2).sum(axis=-2), rtol=1e-8)


def test_noise_of_a_line_has_the_variance_of_its_devices_and_of_its_sensing():
    from tiocross.transfers.signals_kernel import add_noise, add_squares, multiply

    rng = np.random.default_rng(4)
    n, relative, own = 40_000, 0.03, 2e-6
    matrix, volts = rng.uniform(1e-4, 5e-4, (1, 5, 2)), np.repeat(rng.uniform(-0.2, 0.2, (1, 5, 1)), n, axis=2)
    currents, squares = np.empty((1, 2, n)), np.empty((1, 2, n))
    multiply(volts, matrix, currents)
    add_squares(volts, matrix, squares)
    add_noise(currents, squares, relative, own, rng.standard_normal((1, 2, n), dtype=np.float32))
    each = volts[0, :, :1, None][:, 0] * matrix[0]  # device by device
    slow = (each * (1.0 + relative * rng.standard_normal((n, 5, 2)))).sum(axis=1) + own * rng.standard_normal((n, 2))
    np.testing.assert_allclose(currents[0].mean(axis=1), each.sum(axis=0), atol=4 * slow.std(axis=0).max() / n**0.5)
    np.testing.assert_allclose(currents[0].std(axis=1), slow.std(axis=0), rtol=0.02)
    np.testing.assert_allclose(slow.std(axis=0), np.sqrt(relative**2 * (each**2).sum(axis=0) + own**2), rtol=0.02)


NOISY = replace(BOARD, sensing=replace(BOARD.sensing, noise=0.01))
NOISY_DEVICE = replace(TIO2, read_noise=ReadNoise(0.02, "an example"), nonlinearity=LAW)


def test_a_chip_is_the_same_whoever_asks_and_with_whatever_memory(network, points):
    options = {"device": NOISY_DEVICE, "periphery": NOISY, "wire_resistance": 1.0}
    whole = verdicts(network, points, n_transfers=40, **options)
    assert np.array_equal(whole[7:11], verdicts(network, points, n_transfers=range(7, 11), **options))
    assert np.array_equal(whole, verdicts(network, points, n_transfers=40, workers=2, memory=6e7, **options))
    with ThreadPoolExecutor(2) as executor:
        assert np.array_equal(whole, verdicts(network, points, n_transfers=40, executor=executor, **options))
    quiet = verdicts(network, points, n_transfers=40, **options | {"periphery": BOARD})
    assert not np.array_equal(whole, quiet)


def test_electronics_that_do_nothing_leave_every_verdict_as_it_was(network, points):
    ideal = verdicts(network, points, n_transfers=40)
    silent = replace(IDEAL_PERIPHERY, read_voltage=0.1, pulse_length=1e-6)
    assert np.array_equal(ideal, verdicts(network, points, n_transfers=40, periphery=silent))
    fine = Periphery(dac=Converter(24), adc=Converter(24, -1.0, 1.0))
    assert np.array_equal(ideal, verdicts(network, points, n_transfers=40, periphery=fine))
    assert not np.array_equal(ideal, verdicts(network, points, n_transfers=40, periphery=Periphery(adc=Converter(4))))


def test_signals_take_the_same_way_whatever_chips_and_layouts(network, points):
    gain = Sensing(gain_low=100.0, gain_high=100.0)
    fine = Periphery(dac=Converter(24), adc=Converter(24, -1.0, 1.0), sensing=gain)
    faulty = replace(TIO2_8X8, stuck=replace(TIO2.stuck, probability_lrs=0.04),
                     lines=LineFailures(0.02, 0.02, 1e-6, 1e-3, "an example"))
    seen = Network([Conv2d(3, 3, activation="relu"), AveragePool2d(2), Dense(3)], (1, 6, 6), rng=np.random.default_rng(1))
    images = np.random.default_rng(2).uniform(0, 1, (12, 36))
    trained = {"training": points, "retraining": TrainingSettings(n_steps=3, n_chips=2, batch_size=8)}
    for given, dataset, options in (
            (network, points, {"device": faulty, "adaptation": Adaptation(map_known=True), "wire_resistance": 2.0}),
            (network, points, {"adaptation": Adaptation(layer_by_layer=True, **trained), "n_transfers": 2}),
            (network, points, {"device": faulty, "adaptation": Adaptation(compensated=True), "wire_resistance": 9.0}),
            (network, points, {"layout": share_arrays(network.shapes, (10, 16)), "wire_resistance": 2.0}),
            (network, points, {"layout": arrange(network.shapes, mapping=ReferenceColumn()), "wire_resistance": 2.0}),
            (network, points, {"layout": arrange(network.shapes, mapping=DifferentialPairs(digital_output_bias=True))}),
            (seen, Dataset(images, np.arange(12) % 3), {"wire_resistance": 1.0}),
            (network, points, {"device": TIO2_8X8, "chips": SimulatedFab(), "wire_resistance": 2.0, "n_transfers": 1})):
        ideal, *ways = (verdicts(given, dataset, periphery=periphery, **options) for periphery in
                        (None, fine, replace(fine, subtraction="analogue")))
        assert all(np.array_equal(ideal, way) for way in ways), options


def test_dead_lines_are_dead_on_the_way(network, points):
    dead = replace(TIO2.ideal(), lines=LineFailures(0.0, 1.0, 1e-12, 1e-12, "all bit lines"))
    found = verdicts(network, points, device=dead, periphery=PERIPHERY_8_BIT)
    assert (found == (points.labels == 0)).all()  # no current, no sum: the first class


def test_what_is_cut_off_is_said_with_its_number(network, points):
    narrow = Periphery(adc=Converter(6, -0.004, 0.004), sensing=Sensing(gain_low=100.0, gain_high=100.0))
    outcome = transfer(network, points, device=TIO2.ideal(), periphery=narrow, n_transfers=2, rng=np.random.default_rng(1))
    wanted = Chips(network, TIO2, rng=np.random.default_rng(1)).targets.layers[0].conductances
    driven = np.concatenate([network.encode(points.points), np.ones((len(points), 1))], axis=1)
    currents = 0.2 * driven / max(1.0, np.abs(driven).max()) @ wanted
    share = (np.abs(currents) > 4e-5 * (1 + 1 / 62)).mean()
    note = next(note for note in outcome.notes if "layer 0" in note)
    assert note.startswith(f"{100 * share:.2g} % of the signals of layer 0 are cut off by the ADC")
    wide = transfer(network, points, device=TIO2, periphery=PERIPHERY_8_BIT, n_transfers=20, rng=np.random.default_rng(1))
    assert not any("cut off" in note for note in wide.notes)
