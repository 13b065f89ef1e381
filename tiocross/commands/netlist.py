"""``tiocross netlist``: an array, or a network on its chip, for SPICE programs."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from tiocross.checks import as_count, as_number, plural
from tiocross.circuit.crossbar import LARGEST_RESISTANCE, Crossbar
from tiocross.circuit.netlists.dialects import as_dialect
from tiocross.circuit.netlists.writing import write_lines
from tiocross.commands.destinations import require_no_input
from tiocross.commands.judge import load_readbacks
from tiocross.commands.judged_points import points_of_plan, points_to_judge
from tiocross.commands.networks import arrangement_of
from tiocross.commands.plan import load_planned
from tiocross.commands.recognition import recognise
from tiocross.commands.solve import as_law
from tiocross.devices.published import find_device
from tiocross.devices.tio2 import TIO2
from tiocross.lab.tables import read_conductance_csv, read_voltage_csv
from tiocross.learning.network import Network
from tiocross.learning.training import require_matching
from tiocross.mapping.targets import map_weights
from tiocross.periphery.presets import find_periphery
from tiocross.storage import require_writable_file
from tiocross.study.recipes import Arrangement
from tiocross.transfers.netlists import netlist_lines

_N_POINTS, _WIRE_RESISTANCE = 20, 2.0  # [ohm]
_OF_ARRAY = ("voltages", "source_resistance", "sense_resistance", "iv")
_OF_CHIP = ("device", "array_shape", "share_arrays")
_FOREIGN = {"plan": (*_OF_ARRAY, *_OF_CHIP), "network": (*_OF_ARRAY, "readback"),
            "conductances": (*_OF_CHIP, "readback", "data", "periphery")}
_KINDS = {**{kind: kind for kind in _FOREIGN}, "lab map": "conductances"}
_NAMES = {"plan": "a plan", "network": "a network", "conductances": "the conductances of one array"}


def prepare(arguments):
    """The netlist that the command line asks for, ready to be written."""
    try:
        dialect = as_dialect(arguments.dialect).name
    except ValueError as error:
        raise ValueError(f"--{error}") from None
    kind = _kind(arguments)
    for name in ("wire_resistance", "source_resistance", "sense_resistance"):
        if (value := getattr(arguments, name)) is not None:
            as_number(f"--{name.replace('_', '-')}", value, low=0.0, high=LARGEST_RESISTANCE, unit="ohm")
    if arguments.inputs is not None:
        as_count("--inputs", arguments.inputs)
    _require_free(arguments)
    periphery = None if arguments.periphery is None else find_periphery(arguments.periphery)
    rng = np.random.default_rng(as_count("--seed", arguments.seed, low=0))
    circuit, inputs, options = {"plan": _plan, "network": _network, "conductances": _array}[kind](arguments)
    count = min(len(inputs), arguments.inputs or (len(inputs) if kind == "conductances" else _N_POINTS))
    lines = netlist_lines(circuit, inputs[:count], **options, electronics=(periphery, rng), dialect=dialect)
    return lambda: _write(arguments.out, lines, count, dialect)


def _kind(arguments):
    """What the subject is; ValueError if it is nothing to write, or options are given that are not for it."""
    found = recognise(arguments.subject)
    if found not in _KINDS:
        raise ValueError(f"a netlist is of the folder of a plan, a network or the conductances of one array; "
                         f"{arguments.subject} is a file of the kind {found}")
    kind = _KINDS[found]
    for name in _FOREIGN[kind]:
        if getattr(arguments, name) not in (None, False):
            homes = " or ".join(_NAMES[each] for each, names in _FOREIGN.items() if name not in names)
            raise ValueError(f"--{name.replace('_', '-')} is for {homes}; {arguments.subject} is a file of the kind "
                             f"{found}: leave the option out")
    return kind


def _require_free(arguments):
    """Raise ValueError unless the file can be written and takes the place of nothing, or of what may be replaced."""
    require_writable_file(arguments.out)
    require_no_input(arguments.out, arguments.subject, *filter(None, (arguments.voltages, arguments.data, arguments.device)))
    if Path(arguments.out).is_file() and not arguments.overwrite:
        raise ValueError(f"{arguments.out} exists already; choose another with --out, or replace it with --overwrite")


def _plan(arguments):
    made, network = load_planned(arguments.subject)
    data, _ = points_of_plan(arguments.subject, arguments.data)
    require_matching(network, data)
    circuit = made.expected if arguments.readback is None else load_readbacks(made, Path(arguments.readback))
    return circuit, data.points, {"network": network, "layout": made, "wire_resistance": _wires(arguments)}


def _network(arguments):
    network = Network.load(arguments.subject)
    device = TIO2 if arguments.device is None else find_device(arguments.device)
    nothing = SimpleNamespace(task=None, data=arguments.data, label=None, without=None, split_seed=0, points=None)
    data, _ = points_to_judge(nothing, arguments.subject)
    require_matching(network, data)
    targets = map_weights(network, device, layout=arrangement_of(arguments, Arrangement()).layout(network.shapes, device))
    return (targets.layout.place(list(targets)), data.points,
            {"network": network, "layout": targets, "device": device, "wire_resistance": _wires(arguments)})


def _wires(arguments):
    return _WIRE_RESISTANCE if arguments.wire_resistance is None else arguments.wire_resistance


def _array(arguments):
    if arguments.voltages is None:
        raise ValueError(f"the netlist of one array needs its inputs: give --voltages, one line for each input, one column "
                         f"for each word line of {arguments.subject}")
    conductances = read_conductance_csv(arguments.subject)
    crossbar = Crossbar(conductances, arguments.wire_resistance, source_resistance=arguments.source_resistance or 0.0,
                        sense_resistance=arguments.sense_resistance or 0.0, iv=as_law(arguments.iv))
    return crossbar, read_voltage_csv(arguments.voltages, n_word_lines=crossbar.n_word_lines), {}


def _write(out, lines, count, dialect):
    write_lines(out, lines)
    run = {"ngspice": f"ngspice -b -r found.raw {out}", "xyce": f"Xyce {out}", "ltspice": f"LTspice -b {out}"}
    print(f"a netlist of {plural(count, 'input')} is in {out}; solve it with {run[dialect]}")
