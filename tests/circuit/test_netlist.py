"""A netlist is the same circuit: ngspice finds the same currents and voltages."""

import json

import numpy as np
import pytest
from circuit_cases import build
from ngspice_runs import SOLVED, array_case, needs_ngspice, run_ngspice
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
    write_device,
    write_netlist,
)

def compare(crossbar, biasing, folder):
    """Largest error of a bit-line current over the largest device current, and of a node voltage over the largest held."""
    deck = folder / "circuit.cir"
    write_netlist(crossbar, biasing, deck)
    found, solution = run_ngspice(deck), solve(crossbar, biasing, rtol=1e-12)
    currents = [found.get(f"i(vbottom{j})", np.zeros(1))[0] for j in range(crossbar.n_bit_lines)]
    scale = np.abs(solution.device_currents).max()
    apart = np.abs(np.array(currents) - solution.bit_line_currents).max() / (scale or 1.0)
    volts = [abs(found[f"v({line}{i}_{j})"][0] - values[i, j])
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
    word_wires = {("in_left0", "left0"): 5.0, ("in_left1", "left1"): 5.0, ("in_left0", "w0_0"): 2.0,
                  ("in_left1", "w1_0"): 2.0, ("w0_0", "w0_1"): 2.0, ("w0_1", "w0_2"): 2.0,
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


def test_many_inputs_in_one_netlist_are_a_sweep(tmp_path):
    """Here, or where it was solved before, ngspice finds what `solve` finds, of devices beyond Ohm's law too."""
    crossbar, inputs = array_case()
    wanted = solve(crossbar, inputs, rtol=1e-12).bit_line_currents
    stored = np.array(json.loads(SOLVED.read_text())["bit_line_currents"])
    assert np.abs(stored - wanted).max() <= 1e-9 * np.abs(wanted).max()
    write_netlist(crossbar, inputs, tmp_path / "circuit.cir")
    assert (tmp_path / "circuit.cir").read_text().splitlines()[-2] == f".dc Vindex 0 {len(inputs) - 1} 1"


@needs_ngspice
@pytest.mark.parametrize("count", [1, 7])
def test_ngspice_finds_now_what_it_found_before(count, tmp_path):
    crossbar, inputs = array_case()
    write_netlist(crossbar, inputs[:count], tmp_path / "circuit.cir")
    found = run_ngspice(tmp_path / "circuit.cir")
    stored = np.array(json.loads(SOLVED.read_text())["bit_line_currents"])[:count]
    assert np.abs(np.stack([found[f"i(vbottom{j})"] for j in range(3)], axis=1) - stored).max() <= 1e-12 * np.abs(stored).max()


@needs_ngspice
def test_ends_that_are_held_at_many_voltages_are_swept_too(tmp_path):
    """Writes of several devices, every line held: some ends change from one to the next, others do not."""
    crossbar = Crossbar(np.random.default_rng(2).uniform(1e-4, 5e-4, (3, 4)), 5.0)
    biasing = write_device(crossbar, [0, 1, 2], [3, 3, 0], [1.0, 1.2, -0.8])
    write_netlist(crossbar, biasing, tmp_path / "circuit.cir")
    found, solution = run_ngspice(tmp_path / "circuit.cir"), solve(crossbar, biasing)
    for i, j in np.ndindex(3, 4):
        apart = found[f"v(w{i}_{j})"] - found[f"v(b{i}_{j})"] - solution.device_voltages[:, i, j]
        assert np.abs(apart).max() <= 1e-9


def test_each_dialect_has_its_own_tables_formulas_and_tolerances(tmp_path):
    """Xyce and LTspice are not at hand: their text is as their manuals want it."""
    crossbar = Crossbar([[1e-4, 2e-4]], 2.0, iv=Asymmetric(Sinh(0.3), None))
    texts = {}
    for dialect in ("ngspice", "xyce", "ltspice"):
        write_netlist(crossbar, [[0.1], [0.3]], tmp_path / "circuit.cir", dialect=dialect)
        texts[dialect] = (tmp_path / "circuit.cir").read_text().replace("\n+", "").splitlines()
    volts = "v(w0_0,b0_0)"
    sides = f"0.0001*0.3*sinh({volts}/0.3)", f"0.0001*{volts}"
    assert {name: next(line.split("=", 1)[1] for line in lines if line.startswith("Bd0_0")) for name, lines in texts.items()} == {
        "ngspice": "(({}>0)?({}):({}))".format(volts, *sides), "xyce": "{{if({}>0,{},{})}}".format(volts, *sides),
        "ltspice": "if({}>0,{},{})".format(volts, *sides)}
    assert {name: next(line.split("=")[1] for line in lines if line.startswith("Bdrive")) for name, lines in texts.items()} == {
        "ngspice": "pwl(v(index), 0,0.1, 1,0.3)", "xyce": "{table(v(index), 0,0.1, 1,0.3)}",
        "ltspice": "table(v(index), 0,0.1, 1,0.3)"}
    assert all(".dc Vindex 0 1 1" in lines and lines[-1] == ".end" for lines in texts.values())
    assert ".print dc precision=16 v(index) i(vbottom0) i(vbottom1)" in texts["xyce"]
    assert "numdgt=15" in " ".join(texts["ltspice"]) and ".options nonlin reltol=1e-12" in " ".join(texts["xyce"])


@pytest.mark.parametrize("crossbars, inputs, options, message", [
    (np.full((2, 3, 2), 1e-4), np.zeros(3), {}, r"of one array; got conductances of shape \(2, 3, 2\): write one after"),
    (np.full((3, 2), 1e-4), np.zeros((0, 3)), {}, r"one input or more; got a batch of shape \(0,\)"),
    (np.full((3, 2), 1e-4), np.zeros(3), {"dialect": "ngspise"}, "dialect 'ngspise' is unknown; did you mean 'ngspice'"),
    (np.full((3, 2), 1e-4), np.zeros(3), {"wire_resistance": 2.0}, "cannot go with one Crossbar: .* a Crossbar has its own"),
])
def test_what_cannot_be_one_netlist_is_refused(crossbars, inputs, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_netlist(Crossbar(crossbars, 1.0), inputs, tmp_path / "circuit.cir", **options)
    assert not list(tmp_path.iterdir())


def test_an_end_that_floats_for_some_inputs_is_refused(tmp_path):
    crossbar = Crossbar(np.full((3, 2), 1e-4), 1.0)
    biasing = custom(crossbar, left=[[0.1, 0.2, 0.3], [0.1, np.nan, 0.2]], bottom=0.0)
    with pytest.raises(ValueError, match="must float for all inputs of a netlist or for none; left end 1 does for some"):
        write_netlist(crossbar, biasing, tmp_path / "circuit.cir")
