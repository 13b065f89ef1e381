"""A netlist is the same circuit: ngspice finds the same currents and voltages."""

import shutil
import subprocess

import numpy as np
import pytest
from circuit_cases import build
from oracle import random_circuit

from tiocross import (
    AbsolutePolynomial,
    Asymmetric,
    Crossbar,
    Polynomial,
    Selector,
    Sinh,
    Tabulated,
    Transistor,
    custom,
    solve,
    write_netlist,
)

NGSPICE = shutil.which("ngspice")
needs_ngspice = pytest.mark.skipif(NGSPICE is None, reason="ngspice is not installed")


def run_ngspice(deck):
    """Voltages of nodes and currents of sources by their names, as ngspice finds them."""
    raw = deck.with_suffix(".raw")
    subprocess.run([NGSPICE, "-b", "-r", raw, deck], check=True, capture_output=True, timeout=60)
    head, values = raw.read_bytes().split(b"Binary:\n", 1)
    names = [line.split()[1].decode() for line in head.split(b"Variables:\n")[1].splitlines()]
    return dict(zip(names, np.frombuffer(values)))


def compare(crossbar, biasing, folder):
    """Largest error of a bit-line current over the largest device current, and of a node voltage over the largest held."""
    deck = folder / "circuit.cir"
    write_netlist(crossbar, biasing, deck)
    found, solution = run_ngspice(deck), solve(crossbar, biasing, rtol=1e-12)
    currents = [found.get(f"i(vbottom{j})", 0.0) for j in range(crossbar.n_bit_lines)]
    scale = np.abs(solution.device_currents).max()
    apart = np.abs(np.array(currents) - solution.bit_line_currents).max() / (scale or 1.0)
    volts = [abs(found[f"v({line}{i}_{j})"] - values[i, j])
             for line, values in (("w", solution.word_line_voltages), ("b", solution.bit_line_voltages))
             for i, j in np.ndindex(values.shape) if f"v({line}{i}_{j})" in found]
    held = max(np.nanmax(np.abs(getattr(biasing, end)), initial=0.0) for end in ("left", "right", "top", "bottom"))
    return apart, max(volts, default=0.0) / (held or 1.0)


@needs_ngspice
@pytest.mark.parametrize("seed", range(12))
def test_ngspice_agrees_on_random_circuits(seed, tmp_path):
    """Any ends, ideal lines, open devices and device laws among them; wires are at least 1e-3 ohm."""
    circuit = random_circuit(np.random.default_rng(seed), nonlinear=seed % 2 == 1)
    apart, volts = compare(*build(circuit), tmp_path)
    assert apart <= 1e-9 and volts <= 1e-9


@needs_ngspice
@pytest.mark.parametrize("seed", range(6))
def test_ngspice_agrees_on_circuits_with_broken_lines(seed, tmp_path):
    """Of nodes that nothing reaches there is no trace: else its matrix would be singular. What its double precision loses in
    the current of a wire of 1e-3 ohm, 1e-13 A/V, may lift a piece behind a device of 1e-9 S by 1e-4."""
    circuit = random_circuit(np.random.default_rng(seed), nonlinear=seed % 2 == 1, segments=True)
    apart, volts = compare(*build(circuit), tmp_path)
    assert apart <= 1e-9 and volts <= 1e-4


@needs_ngspice
@pytest.mark.parametrize("devices", [
    {"iv": Polynomial(-0.8, 1.5)}, {"iv": AbsolutePolynomial(1e-4, 3e-4)}, {"iv": Asymmetric(Sinh(0.3), None)},
    {"series": Transistor(2e3, gates=[True, False, True, True], along="bit lines")}, {"series": Transistor(0.0)},
    {"series": Selector(Sinh(0.1), np.linspace(1e-7, 1e-6, 20).reshape(5, 4))},
    {"iv": Sinh(0.4), "series": Transistor(1e3, iv=Asymmetric(None, Polynomial(0.5, 1.0)))}])
def test_ngspice_agrees_on_devices_of_every_kind(devices, tmp_path):
    crossbar = Crossbar(np.random.default_rng(1).uniform(1e-4, 5e-4, (5, 4)), 20.0, **devices)
    biasing = custom(crossbar, left=[0.6, -0.5, 0.3, -0.2, 0.0], bottom=0.0)
    apart, volts = compare(crossbar, biasing, tmp_path)
    assert apart <= 1e-9 and volts <= 1e-9


def test_every_segment_and_device_is_in_the_netlist_and_no_other(tmp_path):
    crossbar = Crossbar([[1e-4, 2e-4, 0.0], [3e-4, 1e-4, 2e-4]], 2.0, source_resistance=5.0)
    write_netlist(crossbar, [0.2, 0.1], tmp_path / "circuit.cir")
    lines = (tmp_path / "circuit.cir").read_text().splitlines()
    resistors = {tuple(sorted(line.split()[1:3])): float(line.split()[3]) for line in lines if line[0] == "R"}
    word_wires = {("left0", "w0_0"): 7.0, ("left1", "w1_0"): 7.0, ("w0_0", "w0_1"): 2.0, ("w0_1", "w0_2"): 2.0,
                  ("w1_0", "w1_1"): 2.0, ("w1_1", "w1_2"): 2.0}
    bit_wires = {("b0_0", "b1_0"): 2.0, ("b0_1", "b1_1"): 2.0, ("b0_2", "b1_2"): 2.0, ("b1_0", "bottom0"): 2.0,
                 ("b1_1", "bottom1"): 2.0, ("b1_2", "bottom2"): 2.0}
    devices = {("b0_0", "w0_0"): 1e4, ("b0_1", "w0_1"): 5e3, ("b1_0", "w1_0"): 1 / 3e-4, ("b1_1", "w1_1"): 1e4,
               ("b1_2", "w1_2"): 5e3}
    assert resistors == word_wires | bit_wires | devices
    sources = {line.split()[1]: float(line.split()[3]) for line in lines if line[0] == "V"}
    assert sources == {"left0": 0.2, "left1": 0.1, "bottom0": 0.0, "bottom1": 0.0, "bottom2": 0.0}


def test_a_line_without_resistance_that_is_held_at_both_ends_has_one_source(tmp_path):
    crossbar = Crossbar([[1e-4, 2e-4]], word_line_resistance=3.0)
    write_netlist(crossbar, custom(crossbar, left=0.1, top=0.0, bottom=0.0), tmp_path / "circuit.cir")
    sources = [line.split()[0] for line in (tmp_path / "circuit.cir").read_text().splitlines() if line[0] == "V"]
    assert sources == ["Vleft0", "Vbottom0", "Vbottom1"]


def test_a_measured_curve_has_no_expression(tmp_path):
    crossbar = Crossbar([[1e-4]], iv=Tabulated([0.2], [2e-5]))
    with pytest.raises(ValueError, match="devices with a Tabulated law cannot be written; those with Ohm's law, Sinh"):
        write_netlist(crossbar, [0.1], tmp_path / "circuit.cir")


def test_many_circuits_are_no_netlist(tmp_path):
    crossbar = Crossbar(np.full((3, 2), 1e-4), 1.0)
    with pytest.raises(ValueError, match=r"of one circuit; got .* leading axes \(4,\): write one after the other"):
        write_netlist(crossbar, np.zeros((4, 3)), tmp_path / "circuit.cir")
    assert not list(tmp_path.iterdir())
