"""A network written as one netlist answers as `infer` says, in ngspice here or where it was solved before."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from ngspice_runs import SOLVED, needs_ngspice, network_case, run_ngspice

from tiocross import (
    MLP, PERIPHERY_8_BIT, TIO2, TIO2_8X8, AveragePool1d, Conv1d, Converter, Crossbar, Dense, Driver, MeasuredCurve, Network,
    Nonlinearity, Periphery, ReadNoise, Sensing, Sinh, arrange, infer, map_weights, plan, predict_logits, read_netlist,
    write_netlist,
)
from tiocross.learning.activations import ACTIVATIONS
from tiocross.learning.network import classify
from tiocross.mapping.mappings import ReferenceColumn
from tiocross.transfers import network_netlist


@pytest.fixture(scope="module")
def stored():
    return json.loads(SOLVED.read_text())


def test_twenty_inputs_of_a_trained_network_agree_with_infer(stored):
    """2-8-1, tanh, differential pairs, wires of 2 ohm, devices that miss their targets by up to 4 %."""
    for name, network, targets, crossbars, points in network_case(stored):
        found = np.array(stored[f"logits {name}"])[:, None]
        assert len(points) == 20
        assert np.abs(found - predict_logits(network, crossbars, points, layout=targets)).max() <= 1e-6
        assert (classify(found) == infer(network, crossbars, points, layout=targets)).all()
        assert np.abs(found - network.logits(points)).max() > 0.1  # it is the chip that answers


@needs_ngspice
def test_ngspice_answers_now_as_it_did(stored, tmp_path):
    for name, network, targets, crossbars, points in network_case(stored):
        write_netlist(crossbars, points, tmp_path / "circuit.cir", network=network, layout=targets)
        found = run_ngspice(tmp_path / "circuit.cir")["v(logit0)"]
        assert np.abs(found - stored[f"logits {name}"]).max() <= 1e-9


@needs_ngspice
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_and_more_layers_than_two(activation, tmp_path):
    """On reference columns, of nonlinear devices, layers over several arrays, three answers."""
    rng = np.random.default_rng(5)
    network = MLP(3, 6, 4, 3, rng=rng, activation=activation)
    targets = map_weights(network, TIO2, layout=arrange(network.shapes, (4, 6), mapping=ReferenceColumn()))
    crossbars = [Crossbar(np.nan_to_num(each), 3.0, source_resistance=20.0, iv=Sinh(0.3))
                 for each in targets.layout.place(list(targets))]
    points = rng.uniform(-1.0, 1.0, (4, 3))
    write_netlist(crossbars, points, tmp_path / "circuit.cir", network=network, layout=targets)
    found = run_ngspice(tmp_path / "circuit.cir")
    wanted = predict_logits(network, crossbars, points, layout=targets)
    assert np.abs(np.stack([found[f"v(logit{j})"] for j in range(3)], axis=1) - wanted).max() <= 1e-6


def test_every_activation_has_a_formula():
    assert set(network_netlist.ACTIVATIONS) == set(ACTIVATIONS)


@needs_ngspice
def test_a_plan_and_what_was_read_back_are_written(tmp_path):
    """Devices that are not in use may be nan, a stuck one is what it is."""
    network = MLP(2, 8, 1, rng=np.random.default_rng(7))
    stuck = [np.full((8, 8), np.nan) for _ in range(4)]
    stuck[0][1, 2] = 3e-5
    made = plan(network, TIO2_8X8, stuck=stuck)
    points, path = np.array([[0.1, 0.9], [0.8, 0.2]]), tmp_path / "circuit.cir"
    write_netlist(made, points, path, network=network, wire_resistance=2.0)
    text = path.read_text()
    write_netlist(made.expected, points, path, network=network, layout=made, wire_resistance=2.0)
    assert path.read_text() == text
    crossbars = [Crossbar(np.nan_to_num(each), 2.0) for each in made.expected]
    wanted = predict_logits(network, crossbars, points, layout=made.targets_of(network))
    assert np.abs(run_ngspice(path)["v(logit0)"] - wanted[:, 0]).max() <= 1e-6
    with pytest.raises(ValueError, match="holds a whole network, with amplifiers and activations; what can be read"):
        read_netlist(path)


def test_what_cannot_be_written_is_refused_before_any_file(tmp_path):
    rng, path, points = np.random.default_rng(1), tmp_path / "circuit.cir", np.zeros((2, 2))
    network = MLP(2, 3, 1, rng=rng)
    arrays = list(map_weights(network, TIO2))
    pictures = Network([Conv1d(2, 3), AveragePool1d(2), Dense(1)], (1, 6), rng=rng)
    missing = [np.where(np.arange(each.size).reshape(each.shape) == 4, np.nan, each) for each in arrays]
    for error, message, circuit, options in (
            (TypeError, "the circuit must be a Crossbar, a Plan, or a list", 3.0, {}),
            (TypeError, "network must be given with a plan or a list", arrays, {}),
            (ValueError, "layer 0 of the network is used at many positions", arrays, {"network": pictures}),
            (ValueError, "the network is on 2 arrays, of shapes .* got 1", arrays[:1], {"network": network}),
            (ValueError, "array 0 must have shape .*; transposed", [arrays[0].T, arrays[1]], {"network": network}),
            (ValueError, r"array 0 has no reading \(nan\) of row 0, column 4", missing, {"network": network}),
            (ValueError, "do not look like layer 0", [each / 9 for each in arrays], {"network": network}),
            (ValueError, "have their own wires", [Crossbar(each) for each in arrays],
             {"network": network, "wire_resistance": 2.0})):
        with pytest.raises(error, match=message):
            write_netlist(circuit, points, path, **options)
    for bad in (np.zeros((0, 2)), np.zeros((2, 3))):
        with pytest.raises(ValueError):
            write_netlist(arrays, bad, path, network=network)
    assert not list(tmp_path.iterdir())


SUMS = np.linspace(-4.0, 4.0, 9)
PERIPHERIES = {
    "8bit": PERIPHERY_8_BIT,
    "analogue": Periphery(dac=Converter(5), adc=Converter(6), subtraction="analogue", driver=Driver(resistance=30.0)),
    "chip": Periphery(sensing=Sensing(gain_spread=0.03, offset=0.02, saturation=0.4, gain_low=1e3, gain_high=1e4),
                      adc=Converter(10)),
    "measured": Periphery(activation=MeasuredCurve(SUMS, np.tanh(SUMS) * 0.9), sensing=Sensing(resistance=15.0)),
    "mirror": Periphery(sensing=Sensing("mirror", saturation=0.5)),
}


@needs_ngspice
@pytest.mark.parametrize("name", PERIPHERIES)
def test_a_periphery_is_written_as_infer_sees_it(name, tmp_path):
    rng, path = np.random.default_rng(6), tmp_path / "circuit.cir"
    network = MLP(3, 5, 2, rng=rng, activation="tanh")
    layout = arrange(network.shapes, (4, 6)) if name != "analogue" else None
    targets = map_weights(network, TIO2, layout=layout)
    crossbars = [Crossbar(0.97 * np.nan_to_num(each), 3.0) for each in targets.layout.place(list(targets))]
    points = rng.uniform(-1.0, 1.0, (6, 3))
    how = {"layout": targets, "periphery": PERIPHERIES[name],
           "device": replace(TIO2, nonlinearity=Nonlinearity(0.3, 0.2, "-")) if name == "8bit" else TIO2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is cut off here is meant to be
        wanted = predict_logits(network, crossbars, points, rng=np.random.default_rng(3), **how)
    write_netlist(crossbars, points, path, network=network, rng=np.random.default_rng(3), **how)
    found = run_ngspice(path)
    assert np.abs(np.stack([found[f"v(logit{j})"] for j in range(2)], axis=1) - wanted).max() <= 1e-6
    assert np.abs(wanted - predict_logits(network, crossbars, points, layout=targets)).max() > 1e-4


def test_noise_has_no_place_in_a_netlist(tmp_path):
    network = MLP(2, 3, 1, rng=np.random.default_rng(1))
    arrays, points, path = list(map_weights(network, TIO2)), np.zeros((2, 2)), tmp_path / "circuit.cir"
    for message, how in (("whose sensing has noise=0", {"periphery": Periphery(sensing=Sensing(noise=0.1))}),
                         ("device.without", {"device": replace(TIO2, read_noise=ReadNoise(0.01, "-"))}),
                         ("give rng=", {"periphery": Periphery(sensing=Sensing(offset=0.1))})):
        with pytest.raises(ValueError, match=message):
            write_netlist(arrays, points, path, network=network, **how)
    assert not list(tmp_path.iterdir())


@needs_ngspice
def test_halfway_between_two_levels_ngspice_takes_the_one_that_infer_takes(tmp_path):
    """Units whose sum is 0 give 0.5, halfway between levels of a converter from 0; in ngspice it may be 0.49999999999999994."""
    network = MLP(2, 8, 1, rng=np.random.default_rng(9))
    network = network.with_arrays([0.0 * network.arrays[0], network.arrays[1]])
    arrays, points, periphery = list(map_weights(network, TIO2)), np.zeros((3, 2)) + 0.3, Periphery(dac=Converter(2))
    crossbars = [Crossbar(each, 2.0 * k) for k, each in enumerate(arrays)]
    write_netlist(crossbars, points, tmp_path / "circuit.cir", network=network, periphery=periphery)
    wanted = predict_logits(network, crossbars, points, periphery=periphery)
    assert np.abs(run_ngspice(tmp_path / "circuit.cir")["v(logit0)"] - wanted[:, 0]).max() <= 1e-9
