"""``tiocross plan``: the programming targets of a network."""

import re
from pathlib import Path

import numpy as np

from tiocross.checks import plural
from tiocross.commands.describe import describe_plan
from tiocross.commands.recognition import recognise
from tiocross.storage import new_folder, require_new_folder
from tiocross.tasks import load_moons
from tiocross.devices.files import load_device
from tiocross.devices.tio2 import TIO2
from tiocross.lab.resistance_maps import read_lab_map
from tiocross.lab.tables import read_conductance_csv
from tiocross.lab.plans import load_plan, plan
from tiocross.lab.write_verify import PulseScheme
from tiocross.learning.network import Network
from tiocross.mapping.arrangements import arrange, share_arrays
from tiocross.mapping.faults import stuck_outside_window
from tiocross.mapping.mappings import DifferentialPairs

_MOST_DEVICES = 2**24  # of one array; more would fill the memory
NETWORK = "network.npz"  # beside plan.json, so that the folder is all that is needed


def load_planned(folder):
    """The plan in a folder, and the network that lies beside it."""
    made, file = load_plan(folder), Path(folder) / NETWORK
    if not file.exists():
        raise FileNotFoundError(f"{file}: No such file; tiocross plan writes the network beside the plan. Save it there "
                                f"from Python: network.save({str(file)!r})")
    network = Network.load(file)
    made.require_network(network)
    return made, network


def prepare(arguments):
    """The plan that the command line asks for, made and ready to be written."""
    require_new_folder(arguments.out)
    network = Network.load(arguments.network)
    device = TIO2 if arguments.device is None else load_device(arguments.device)
    scheme = None
    if arguments.scheme_from is not None:
        scheme = PulseScheme.from_lab_header(read_lab_map(arguments.scheme_from).header)
    stuck = None
    if arguments.stuck is not None:
        stuck = [_stuck_in(path, device) for path in arguments.stuck]
    layout = _layout(network, _as_shape(arguments.array_shape), arguments.share_arrays)
    _require_maps(network, layout, stuck, arguments)
    made = plan(network, device, layout=layout, scheme=scheme, order=arguments.order, stuck=stuck,
                points=_points_for(network, arguments.data))
    return lambda: _write(made, network, Path(arguments.out))


def _layout(network, array_shape, shares_arrays):
    if not shares_arrays:
        return arrange(network.shapes, array_shape)
    return share_arrays(network.shapes, array_shape, mapping=DifferentialPairs(digital_output_bias=True))


def _require_maps(network, layout, stuck, arguments):
    """Raise ValueError if there is not a map for each array, with what would do with those that are given."""
    if stuck is None or len(stuck) > max(layout.arrays):
        return
    cure = f"give {plural(max(layout.arrays) + 1, 'map')}"
    if not arguments.share_arrays:
        try:
            shared = _layout(network, _as_shape(arguments.array_shape), True)
        except ValueError:
            shared = None
        if shared is not None and len(stuck) > max(shared.arrays):
            cure += f", or --share-arrays, which puts all layers on {plural(len(shared.arrays), 'array')}"
    raise ValueError(f"--stuck needs one map for each of the {len(layout.arrays)} arrays of {arguments.array_shape} that "
                     f"the network takes; got {len(stuck)}: {cure}")


def _as_shape(text):
    match = re.fullmatch(r"([1-9][0-9]{0,8})x([1-9][0-9]{0,8})", text)
    if not match:
        raise ValueError(f"--array-shape {text!r} must be word lines x bit lines, such as 8x8")
    shape = int(match[1]), int(match[2])
    if shape[0] * shape[1] > _MOST_DEVICES:
        raise ValueError(f"--array-shape must have at most {_MOST_DEVICES} devices; got {shape[0] * shape[1]}")
    return shape


def _stuck_in(path, device):
    """Stuck map from a file: a measured map, whose devices outside the window are stuck, or one with nan where healthy."""
    kind = recognise(path)
    if kind not in ("lab map", "conductances"):
        raise ValueError(f"--stuck needs a map of an array, in ohm or siemens; {path} is a file of the kind {kind}")
    given = read_lab_map(path).conductances if kind == "lab map" else read_conductance_csv(path, allow_missing=True)
    known = ~np.isnan(given)
    if known.all():
        return stuck_outside_window(given, g_min=device.g_min, g_max=device.g_max)
    if 2 * known.sum() > known.size:
        raise ValueError(f"{path} holds nan, as a map of stuck devices does where they are healthy, but {known.sum()} of "
                         f"{known.size} devices have a number, and all of them would count as stuck. Give a measured map "
                         "without nan, 0 for devices that are open, or numbers where devices are stuck only")
    return given


def _points_for(network, folder):
    """Training points; none if no folder was named and the shipped set does not fit."""
    points = load_moons(folder).train.points
    return points if folder is not None or network.sizes[0] == points.shape[1] else None


def _write(made, network, folder):
    with new_folder(folder) as whole:
        made.save(whole)
        network.save(whole / NETWORK)
    notes = "".join(f"note: {note}\n" for note in made.notes)
    print(f"{describe_plan(made)}\n{notes}the plan is in {folder}; program it with tiocross program {folder} --simulate, or "
          "from Python with program_array")
