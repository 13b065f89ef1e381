"""`tiocross netlist`: what Python writes, from the command line."""

import numpy as np

from tiocross import (
    TIO2, Crossbar, Sinh, arrange, map_weights, program, save_readback, write_conductance_csv, write_netlist,
)
from tiocross.commands.main import main
from tiocross.units import mV


def test_a_plan_is_written_with_its_targets_or_its_readbacks(planned, network, moons, tmp_path, capsys):
    made, folder = planned
    out, wanted = tmp_path / "out.cir", tmp_path / "wanted.cir"
    assert main(["netlist", str(folder), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"a netlist of 20 inputs is in {out}; solve it with ngspice -b -r found.raw {out}\n"
    write_netlist(made, moons.test.points[:20], wanted, network=network, wire_resistance=2.0)
    assert out.read_text() == wanted.read_text()
    read = [program(targets, TIO2, rng=np.random.default_rng(k)) for k, targets in enumerate(made.targets)]
    for array, conductances in zip(made.layout.arrays, read):
        save_readback(made, array, conductances, tmp_path / f"array_{array:02d}_readback.csv")
    assert main(["netlist", str(folder), "--readback", str(tmp_path), "--inputs", "3", "--wire-resistance", "0",
                 "--dialect", "xyce", "--out", str(out), "--overwrite"]) == 0
    write_netlist(read, moons.test.points[:3], wanted, network=network, layout=made, dialect="xyce")
    assert out.read_text() == wanted.read_text()


def test_a_network_and_an_array_are_written(planned, network, moons, tmp_path, capsys):
    out, wanted = tmp_path / "out.cir", tmp_path / "wanted.cir"
    assert main(["netlist", str(planned[1] / "network.npz"), "--array-shape", "8x8", "--out", str(out)]) == 0
    targets = map_weights(network, TIO2, layout=arrange(network.shapes, (8, 8)))
    write_netlist(targets.layout.place(list(targets)), moons.test.points[:20], wanted, network=network, layout=targets,
                  wire_resistance=2.0)
    assert out.read_text() == wanted.read_text()
    conductances = np.array([[1e-4, 2e-4], [3e-4, 4e-4], [1e-4, 5e-4]])
    write_conductance_csv(tmp_path / "conductances.csv", conductances)
    (tmp_path / "voltages.csv").write_text("# voltages [mV]\n200,-100,150\n50,50,0\n")
    assert main(["netlist", str(tmp_path / "conductances.csv"), "--voltages", str(tmp_path / "voltages.csv"), "--dialect",
                 "ltspice", "--wire-resistance", "5", "--sense-resistance", "7", "--iv", "sinh:0.3", "--out", str(out),
                 "--overwrite"]) == 0
    crossbar = Crossbar(conductances, 5.0, sense_resistance=7.0, iv=Sinh(0.3))
    write_netlist(crossbar, np.array([[200, -100, 150], [50, 50, 0]]) * mV, wanted, dialect="ltspice")
    assert out.read_text() == wanted.read_text()
