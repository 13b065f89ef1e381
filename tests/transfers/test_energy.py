"""Energy of a classification: a dense nodal solution, the closed form of ideal wires, and stated numbers added up by hand."""

from dataclasses import replace

import numpy as np
import pytest
from oracle import dense_circuit

from tiocross import (
    MLP, TIO2, Converter, Driver, Nonlinearity, Periphery, Sensing, arrange, energy_of, map_weights, plot,
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
    network, points = small
    periphery = Periphery(driver=Driver(resistance=40.0), sensing=Sensing(resistance=25.0), pulse_length=READ, edge=30e-9)
    found = energy_of(network, points, device=TIO2, wire_resistance=20.0, periphery=periphery)
    for layer, targets, volts in zip(found.layers, map_weights(network, TIO2), driven_layers(network, points)):
        supplied, dissipated = [], []
        for v in volts:
            right = dense_circuit(targets, v, np.nan, np.nan, 0.0, word_line_resistance=20.0, bit_line_resistance=20.0,
                                         source_resistance=40.0, sense_resistance=25.0)
            dissipated.append(right.device_power)
            supplied.append((v * right.end_currents.left).sum())
        assert np.isclose(layer.device_power, np.mean(dissipated), rtol=1e-6)
        assert np.isclose(layer.device_power + layer.wire_power, np.mean(supplied), rtol=1e-6)
        assert np.isclose(layer.energy, np.mean(supplied) * (READ - 2 * 30e-9 * 2 / 3), rtol=1e-6)


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
    for layer, targets, volts in zip(bent.layers, map_weights(network, TIO2), driven_layers(network, points)):
        currents = 0.2 * np.sinh(volts / 0.3) / np.sinh(0.2 / 0.3)
        assert np.isclose(layer.device_power, (volts * currents @ targets.sum(axis=1)).mean(), rtol=1e-6)


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
