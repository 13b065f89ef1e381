"""Energy of a classification: a dense nodal solution, the closed form of ideal wires, and stated numbers added up by hand."""

from dataclasses import replace

import numpy as np
import pytest
from oracle import dense_circuit

from tiocross import (
    MLP, TIO2, Converter, Crossbar, Driver, Nonlinearity, Periphery, Sensing, arrange, energy_of, map_weights,
    measure_logits, plot, share_arrays, solve,
)

READ = 300e-9


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(4)
    return MLP(3, 4, 2, rng=rng, activation="tanh"), rng.uniform(-1.0, 1.0, (6, 3))


def driven_layers(network, points):
    """Voltages on the word lines of each layer, the largest input of all points, or 1, at 0.2 V; for plain perceptrons."""
    signal = network.encode(points)
    for k, array in enumerate(network.arrays):
        unit = 0.2 / (max(1.0, np.abs(signal).max()) if k == 0 else 1.0)
        yield unit * np.concatenate([signal, np.ones((len(signal), 1))], axis=1)
        signal = np.tanh(signal @ array[:-1] + array[-1])


def test_ideal_wires_dissipate_the_sum_of_conductance_times_voltage_squared(small):
    network, points = small
    found = energy_of(network, points, device=TIO2, read_time=READ)
    for layer, targets, volts in zip(found.layers, map_weights(network, TIO2), driven_layers(network, points)):
        powers = (volts**2) @ targets.sum(axis=1)
        assert np.allclose([layer.device_power, layer.largest_power], [powers.mean(), powers.max()], rtol=1e-9)
        assert layer.wire_power < 1e-15 and np.isclose(layer.energy, powers.mean() * READ, rtol=1e-9)
    assert np.isclose(found.energy, sum(layer.energy for layer in found.layers))
    assert found.latency == 2 * READ and np.isclose(found.power, found.energy / (2 * READ))


def test_wires_and_ends_dissipate_what_a_dense_solution_says(small):
    """Layer after layer: what the first array really gives drives the second."""
    network, points = small
    periphery = Periphery(driver=Driver(resistance=40.0), sensing=Sensing(resistance=25.0), pulse_length=READ, edge=30e-9)
    found = energy_of(network, points, device=TIO2, wire_resistance=20.0, periphery=periphery)
    signal, unit = network.encode(points), 0.2 / np.abs(network.encode(points)).max(initial=1.0)
    for layer, targets in zip(found.layers, map_weights(network, TIO2).layers):
        supplied, dissipated, sums = [], [], []
        for v in unit * np.concatenate([signal, np.ones((len(signal), 1))], axis=1):
            right = dense_circuit(targets.conductances, v, np.nan, np.nan, 0.0, word_line_resistance=20.0,
                                  bit_line_resistance=20.0, source_resistance=40.0, sense_resistance=25.0)
            dissipated.append(right.device_power)
            supplied.append((v * right.end_currents.left).sum())
            currents = -right.end_currents.bottom
            sums.append((currents[0::2] - currents[1::2]) / (unit * targets.scale[0]))
        assert np.isclose(layer.device_power, np.mean(dissipated), rtol=1e-6)
        assert np.isclose(layer.device_power + layer.wire_power, np.mean(supplied), rtol=1e-6)
        assert np.isclose(layer.largest_power, np.max(supplied), rtol=1e-6)
        assert np.isclose(layer.energy, np.mean(supplied) * (READ - 2 * 30e-9 * 2 / 3), rtol=1e-6)
        signal, unit = np.tanh(sums), 0.2


class Meter:
    """An array on the table that notes the power of everything it is driven with."""

    def __init__(self, conductances, noted):
        self.crossbar, self.shape, self.noted = Crossbar(np.nan_to_num(conductances), 5.0), conductances.shape, noted

    def multiply(self, voltages):
        solution = solve(self.crossbar, voltages)
        self.noted.append((self, solution.power))
        return solution.bit_line_currents


def test_blocks_of_a_layer_on_one_array_are_read_one_after_another(small):
    network, points = small
    layout = share_arrays(network.sizes, (6, 6))
    noted, mapped = [], map_weights(network, TIO2, layout=layout)
    meters = [Meter(array, noted) for array in layout.place([layer.conductances for layer in mapped.layers])]
    measure_logits(network, meters, points, device=TIO2, layout=layout)
    found = energy_of(network, points, device=TIO2, layout=layout, wire_resistance=5.0, periphery=Periphery(
        dac=Converter(8, energy=1e-12), adc=Converter(8, energy=2e-12), subtraction="analogue", pulse_length=READ))
    assert max(layer.n_reads for layer in found.layers) > 1
    for k, layer in enumerate(found.layers):
        blocks = [(meter, block) for meter, blocks in zip(meters, layout.blocks_of) for block in blocks if block.layer == k]
        powers, noted = np.array([power for _, power in noted[: len(blocks)]]), noted[len(blocks):]
        arrays = [meter for meter, _ in blocks]
        assert layer.n_arrays == len(set(arrays)) and layer.n_reads == max(map(arrays.count, arrays))
        assert np.isclose(layer.latency, layer.n_reads * READ)
        assert np.isclose(layer.device_energy + layer.wire_energy, powers.sum(axis=0).mean() * READ, rtol=1e-6)
        assert np.isclose(layer.parts["DAC"], 1e-12 * sum(len(block.word_lines) for _, block in blocks))
        assert np.isclose(layer.parts["ADC"], 2e-12 * sum(len(block.pairs) for _, block in blocks))
    assert not noted


def test_stated_power_is_added_and_what_is_not_stated_is_named(small):
    network, points = small
    periphery = Periphery(dac=Converter(8, energy=1e-12, time=5e-9), adc=Converter(8, power=1e-3, time=10e-9),
                          sensing=Sensing(power=2e-4), pulse_length=READ)
    found = energy_of(network, points, device=TIO2, periphery=periphery)
    for layer, (n, m) in zip(found.layers, ((4, 8), (5, 4))):
        assert np.isclose(layer.parts["DAC"], n * 1e-12) and np.isclose(layer.parts["ADC"], m * 1e-3 * 10e-9)
        assert np.isclose(layer.parts["sensing"], m * 2e-4 * READ) and layer.parts["driver"] is None
        assert np.isclose(layer.latency, READ + 15e-9)
    assert found.not_stated == ("driver", "activation") and "not stated, and not in these sums: driver" in str(found)
    pairs = energy_of(network, points, device=TIO2, periphery=replace(periphery, subtraction="analogue"))
    assert np.isclose(pairs.layers[0].parts["ADC"], 4 * 1e-3 * 10e-9)  # one converter for each pair
    assert found.to_dict()["layers"][0]["DAC energy [J]"] == found.layers[0].parts["DAC"]


def test_several_arrays_and_bent_devices(small):
    network, points = small
    whole = energy_of(network, points, device=TIO2, read_time=READ)
    parts = energy_of(network, points, device=TIO2, layout=arrange(network.sizes, (3, 4)), read_time=READ)
    assert [layer.n_arrays for layer in parts.layers] == [4, 2]
    assert np.allclose([layer.device_power for layer in parts.layers], [layer.device_power for layer in whole.layers], rtol=0.4)
    law = Nonlinearity(0.3, 0.2, "-")
    bent = energy_of(network, points, device=replace(TIO2, nonlinearity=law), read_time=READ)
    signal, unit = network.encode(points), 0.2 / np.abs(network.encode(points)).max(initial=1.0)
    for layer, targets in zip(bent.layers, map_weights(network, TIO2).layers):
        volts = unit * np.concatenate([signal, np.ones((len(signal), 1))], axis=1)
        bent_volts = 0.2 * np.sinh(volts / 0.3) / np.sinh(0.2 / 0.3)
        assert np.isclose(layer.device_power, (volts * bent_volts @ targets.conductances.sum(axis=1)).mean(), rtol=1e-6)
        currents = bent_volts @ targets.conductances
        signal, unit = np.tanh((currents[:, 0::2] - currents[:, 1::2]) / (unit * targets.scale[0])), 0.2


def test_what_is_not_known_is_asked_for(small):
    network, points = small
    with pytest.raises(ValueError, match="give read_time=, in seconds, or a periphery that states"):
        energy_of(network, points, device=TIO2)
    with pytest.raises(ValueError, match="needs one point or more"):
        energy_of(network, points[:0], device=TIO2, read_time=READ)
    with pytest.raises(TypeError, match="programming must be that of a transfer"):
        energy_of(network, points, device=TIO2, read_time=READ, programming=3)
    with pytest.raises(ValueError, match="hold two edges"):
        energy_of(network, points, device=TIO2, periphery=Periphery(pulse_length=READ, edge=1e-9), read_time=1e-9)


def test_the_figure_has_a_bar_for_each_layer(small):
    network, points = small
    found = energy_of(network, points, device=TIO2, wire_resistance=2.0, read_time=READ)
    axes = plot.energy(plot.new_figure()[1][0, 0], found)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["layer 0", "layer 1"]
    assert "not stated" in axes.get_legend().get_title().get_text() and len(axes.patches) == 4
    slow = energy_of(network, points, device=TIO2, read_time=3e-6)
    title = plot.energy(plot.new_figure()[1][0, 0], slow).get_title(loc="left")
    assert " and 6 µs a classification" in title and "e+" not in title
