"""Netlists read back: those of tiocross bit for bit, those of others as grids of resistors."""

import numpy as np
import pytest
from circuit_cases import ENDS, RESISTANCES, build
from oracle import random_circuit

from tiocross import (
    AbsolutePolynomial, Asymmetric, Crossbar, Polynomial, Selector, Sinh, Transistor, custom, read_netlist, solve,
    write_netlist,
)

DIALECTS = ("ngspice", "xyce", "ltspice")


def are_same(one, other):
    """Whether two crossbars have the same numbers."""
    laws = [each.iv for each in (one, other)]
    parameters = [[np.broadcast_to(values, one.conductances.shape) for values in law.parameters] if law else [] for law in laws]
    return (type(laws[0]) is type(laws[1]) and one.wire_resistance == other.wire_resistance
            and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("conductances", *RESISTANCES))
            and all(map(np.array_equal, *parameters)))


@pytest.mark.parametrize("seed", range(24))
def test_what_was_written_is_read_bit_for_bit(seed, tmp_path):
    """Broken segments, floating ends, lines that nothing reaches, devices beyond Ohm's law, in every dialect."""
    crossbar, biasing = build(random_circuit(np.random.default_rng(seed), nonlinear=seed % 2 == 1, segments=seed % 4 > 1))
    write_netlist(crossbar, biasing, tmp_path / "circuit.cir", dialect=DIALECTS[seed % 3])
    read, held = read_netlist(tmp_path / "circuit.cir")
    assert are_same(read, crossbar)
    assert all(np.array_equal(getattr(held, end), getattr(biasing, end), equal_nan=True) for end in ENDS)


@pytest.mark.parametrize("iv", [Polynomial(-0.8, np.linspace(0.5, 1.5, 12).reshape(4, 3)), AbsolutePolynomial(1e-5, 3e-4),
                                Asymmetric(Sinh(0.3), None), Asymmetric(Polynomial(0.2, 0.4), Sinh(0.25))])
def test_laws_and_many_inputs_come_back(iv, tmp_path):
    rng = np.random.default_rng(4)
    crossbar = Crossbar(rng.uniform(1e-4, 5e-4, (4, 3)), 3.0, iv=iv)
    inputs = np.round(rng.uniform(-0.2, 0.2, (6, 4)), 2)  # some are the same
    inputs[:, 2] = 0.1
    write_netlist(crossbar, inputs, tmp_path / "circuit.cir")
    read, held = read_netlist(tmp_path / "circuit.cir")
    assert are_same(read, crossbar) and held.batch == (6,) and np.array_equal(held.left, inputs)


@pytest.mark.parametrize("series", [Selector(Sinh(0.1), np.linspace(1e-6, 1e-5, 12).reshape(4, 3)), Selector(None, 1e-3),
                                    Transistor(2e3, gates=[True, False, True, True]), Transistor(0.0, gates=[True, True, False, True])])
def test_what_lies_in_series_comes_back_as_the_same_circuit(series, tmp_path):
    crossbar = Crossbar(np.random.default_rng(1).uniform(1e-4, 5e-4, (4, 3)), 20.0, series=series)
    write_netlist(crossbar, [0.6, -0.5, 0.3, 0.1], tmp_path / "circuit.cir")
    wanted = solve(crossbar, [0.6, -0.5, 0.3, 0.1]).bit_line_currents
    assert np.allclose(solve(*read_netlist(tmp_path / "circuit.cir")).bit_line_currents, wanted, rtol=1e-9, atol=1e-18)


def by_others(path, rng):
    """A netlist of tiocross as others might write it: other names, resistors turned, in any order."""
    lines = [line.split() for line in path.read_text().splitlines()[1:] if line[0] in "RV"]
    nodes = sorted({node for line in lines for node in line[1:3]} - {"0"})
    names = {"0": "0", **{node: f"n{number}" for node, number in zip(nodes, rng.permutation(len(nodes)))}}
    made = []
    for k, (name, first, second, value) in enumerate(lines):
        first, second = (second, first) if name[0] == "R" and rng.random() < 0.5 else (first, second)
        made.append(f"{name[0]}{k} {names[first]} {names[second]} {value}\n")
    path.write_text("".join(["someone's array\n", *(made[k] for k in rng.permutation(len(made))), ".op\n.end\n"]))


@pytest.mark.parametrize("seed", range(20))
def test_resistors_of_any_names_and_order_become_the_crossbar(seed, tmp_path):
    """Of ideal wires the order of lines is anything; every current is found again."""
    rng = np.random.default_rng(seed)
    conductances = rng.uniform(1e-4, 5e-4, rng.integers(2, 6, 2) + (0, 1))
    conductances[rng.random(conductances.shape) < 0.1 * (seed % 3 == 0)] = 0.0
    ends = {"source_resistance": 50.0 * (seed % 4 == 1), "sense_resistance": 30.0 * (seed % 2)}
    crossbar = Crossbar(conductances, 10.0 * (seed % 5 > 0), **ends)
    write_netlist(crossbar, volts := rng.uniform(0.05, 0.2, len(conductances)), tmp_path / "circuit.cir")
    by_others(tmp_path / "circuit.cir", rng)
    read, biasing = read_netlist(tmp_path / "circuit.cir")
    currents = [np.sort(solve(*each).bit_line_currents) for each in ((crossbar, volts), (read, biasing))]
    assert np.allclose(*currents, rtol=1e-12)
    if crossbar.wire_resistance and conductances.all():
        assert are_same(read, crossbar) and np.array_equal(biasing.left, volts)


def test_lines_driven_from_both_sides_keep_their_order(tmp_path):
    crossbar = Crossbar(np.random.default_rng(3).uniform(1e-4, 5e-4, (4, 5)), 4.0)
    biasing = custom(crossbar, left=[0.2, np.nan, 0.1, np.nan], right=[np.nan, 0.3, np.nan, 0.1], bottom=0.0)
    write_netlist(crossbar, biasing, tmp_path / "circuit.cir")
    by_others(tmp_path / "circuit.cir", np.random.default_rng(5))
    read, held = read_netlist(tmp_path / "circuit.cir")
    expected = solve(crossbar, biasing).bit_line_currents
    found = solve(read, held).bit_line_currents
    assert np.allclose(found, expected, rtol=1e-12) or np.allclose(found, expected[::-1], rtol=1e-12)


HAND = """drawn by hand, 2 x 2
* the drivers
VIN1 In1 0 DC 200mV
vin2 0 in2 -0.1 ; the other way round
Rw1 in1 a1 10
+ $ goes on
RW2 a1 a2 10.0ohm
Rw3 in2 c1 0.01k
Rw4 c1 c2 1e1
Rx1 a1 p1 2.5Kohm
Rx2 a2 q1 R=.005meg
Rx3 c1 p2 {10k}
Rx4 c2 q2 4K7
Rb1 p1 p2 10
Rb2 p2 out1 10
Rb3 q1 q2 10
Rb4 q2 gnd 10
Vmeter out1 0 0
.control
run
.endc
.options reltol=1e-6
.end
Rnever in1 in2 1
"""


def test_a_netlist_by_hand_is_understood(tmp_path):
    path = tmp_path / "hand.cir"
    path.write_text(HAND.replace("4K7", "4.7k"))
    crossbar, biasing = read_netlist(path)
    assert (1e-3 / crossbar.conductances).round(9).tolist() == [[2.5, 5.0], [10.0, 4.7]]
    assert crossbar.wire_resistance == 10.0 and not crossbar.source_resistance.any()
    assert biasing.left.tolist() == [0.2, 0.1] and biasing.bottom.tolist() == [0.0, 0.0]
    path.write_text(HAND.replace("4K7", "10"))  # a short: now the names tell wires from devices
    assert read_netlist(path)[0].conductances[1].tolist() == [1e-4, 0.1]


@pytest.mark.parametrize("old, new, message", [
    ("", "", "line 13: 'rx4 c2 q2 4k7' has no resistance that can be read"),
    ("4K7", "-4", "line 13: 'rx4 c2 q2 -4' has no resistance that can be read"),
    ("Rx4 c2", "Cx4 c2", "line 13: 'cx4 c2 q2 4.7k' is a capacitor; a crossbar is read from resistors and constant"),
    (".control", ".subckt cell a b", "line 19: .subckt cannot be read; write the circuit flat"),
    ("DC 200mV", "PULSE(0 1 0)", "line 3: 'vin1 in1 0 pulse\\(0 1 0\\)' is no constant voltage"),
    ("vin2 0 in2", "vin2 in1 in2", "line 4: 'vin2 in1 in2 -0.1' lies between two nodes"),
    ("vin2 0 in2", "vin2 0 in1", "line 4: 'vin2 0 in1 -0.1' holds a node that is held at 0.2 V already"),
    ("Rx4 c2 q2 4K7", "Rx4 c1 p2 4k", "line 13: rx4 lies beside rx3 of line 12, between"),
    ("Rx4 c2 q2 4K7", "Rx4 c2 p1 4k", "no grid that a crossbar could be: line 13: rx4 is a second device between the same two"),
    ("Rx4 c2 q2 4K7", "Rx4 c2 a2 4k", "no grid that a crossbar could be: a device joins the lines of"),
    ("Rx4 c2 q2 4K7", "Rx4 c2 c1 4k", "line 13: rx4 lies beside rw4 of line 9"),
    ("Rx4 c2 q2 4K7", "Rx4 c2 in2 4k", "line 13: rx4 joins a line with itself|a device joins"),
    ("Rw4 c1 c2 1e1", "Rw4 c1 c2 1e1\nRw5 c1 x 10", r"wires branch at 'c1': rw3 \(line 8\), rw4 \(line 9\), rw5"),
    ("Rx4 c2 q2 4K7", "Rx4 c2", "line 13: 'rx4 c2' lacks a node"),
    ("Rx4 c2 q2 4K7", "Rx3 c2 q2 4k", "line 13: a second rx3, beside that of line 12; give every element a name of its own"),
    (HAND[HAND.index("VIN1"):], "V1 a 0 1\n", "no grid that a crossbar could be: it has no resistors"),
    (HAND[HAND.index("VIN1"):], "V1 a 0 1\nR1 a 0 5m\n", "line 4: r1 has less than 1 ohm, which no device has"),
    ("VIN1", "+ VIN1", "line 3 goes on with a statement, but none stands before it"),
])
def test_what_is_no_grid_is_refused_with_its_line(old, new, message, tmp_path):
    (tmp_path / "hand.cir").write_text(HAND.replace(old, new).replace("4K7", "4.7k") if old else HAND)
    with pytest.raises(ValueError, match=message):
        read_netlist(tmp_path / "hand.cir")


@pytest.mark.parametrize("old, new, message", [
    ("Rw0_0 w0_0 w0_1 2.0", "Rw0_0 w0_0 b0_1 2.0", "line 3 was edited, or is damaged: 'rw0_0 w0_0 b0_1 2.0' instead of"),
    ("Rd0_0", "Rd9_9", "line 4 was edited, or is damaged: 'rd9_9 .* which no array of this shape has"),
    ("Rw0_0 w0_0 w0_1 2.0\n", "", "edited, or is damaged"),
    ("Rd0_0 w0_0 b0_0", "Rd0_1 w0_0 b0_0", "a second rd0_1"),
    ("10000.0", "ten", "was edited, or is damaged"),
    ("2 x 2", "2 x 3", "line 1 was edited, or what follows was"),
])
def test_an_edited_netlist_of_tiocross_is_refused_with_its_line(old, new, message, tmp_path):
    path = tmp_path / "circuit.cir"
    write_netlist(Crossbar([[1e-4, 2e-4], [3e-4, 4e-4]], 2.0), [0.2, 0.1], path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        read_netlist(path)


def test_a_resistance_may_be_edited_and_a_torn_file_is_refused(tmp_path):
    path = tmp_path / "circuit.cir"
    write_netlist(Crossbar([[1e-4, 2e-4], [3e-4, 4e-4]], 2.0), [0.2, 0.1], path)
    text = path.read_text()
    path.write_text(text.replace("10000.0", "12.5k"))
    assert read_netlist(path)[0].conductances[0, 0] == 1 / 12.5e3
    for cut in range(len(text.splitlines()[0]) + 2, text.index(".options"), 37):
        path.write_text(text[:cut])
        with pytest.raises(ValueError, match="circuit.cir"):
            read_netlist(path)
    path.write_bytes(b"\0" * 300)
    with pytest.raises(ValueError, match="not the text of a netlist"):
        read_netlist(path)
