"""``tiocross plan``: the programming targets of a network."""

from pathlib import Path

import numpy as np

from tiocross.checks import plural
from tiocross.commands.describe import describe_plan
from tiocross.commands.judged_points import recorded_task
from tiocross.commands.networks import NETWORK, as_shape, load_record, record_path
from tiocross.commands.points import task_of
from tiocross.commands.recognition import recognise
from tiocross.storage import new_folder, require_new_folder, save_json
from tiocross.tasks import load_moons
from tiocross.devices.published import find_device
from tiocross.devices.tio2 import TIO2
from tiocross.lab.resistance_maps import read_lab_map
from tiocross.lab.tables import read_conductance_csv
from tiocross.lab.plans import load_plan, plan
from tiocross.lab.write_verify import PulseScheme
from tiocross.learning.network import Network
from tiocross.mapping.arrangements import arrange, share_arrays
from tiocross.mapping.faults import stuck_outside_window
from tiocross.mapping.mappings import DifferentialPairs
from tiocross.study.measured import as_measured


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
    device = TIO2 if arguments.device is None else find_device(arguments.device)
    scheme = None
    if arguments.scheme_from is not None:
        scheme = PulseScheme.from_lab_header(read_lab_map(arguments.scheme_from).header)
    stuck = None
    if arguments.stuck is not None:
        stuck = [_stuck_in(path, device) for path in arguments.stuck]
    layout = _layout(network, as_shape(arguments.array_shape), arguments.share_arrays)
    _require_maps(network, layout, stuck, arguments)
    record = load_record(arguments.network)
    made = plan(network, device, layout=layout, scheme=scheme, order=arguments.order, stuck=stuck,
                points=_points_for(network, arguments, record))
    return lambda: _write(made, network, record, Path(arguments.out))


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
            shared = _layout(network, as_shape(arguments.array_shape), True)
        except ValueError:
            shared = None
        if shared is not None and len(stuck) > max(shared.arrays):
            cure += f", or --share-arrays, which puts all layers on {plural(len(shared.arrays), 'array')}"
    raise ValueError(f"--stuck needs one map for each of the {len(layout.arrays)} arrays of {arguments.array_shape} that "
                     f"the network takes; got {len(stuck)}: {cure}")


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


def _points_for(network, arguments, record):
    """Training points, as measured: of what is named, else of what the network's record names, else the shipped half moons;
    none if neither is named and these do not fit."""
    if arguments.data is not None:
        return as_measured(task_of(arguments.data)).train.points
    if record is not None and record["data"]["path"] is not None:
        try:
            return as_measured(recorded_task(record["data"], arguments.network)).train.points
        except (OSError, ValueError):
            if arguments.order != "raster":  # else nothing depends on them
                raise
            return None
    points = load_moons().train.points
    return points if network.sizes[0] == points.shape[1] else None


def _write(made, network, record, folder):
    with new_folder(folder) as whole:
        made.save(whole)
        network.save(whole / NETWORK)
        if record is not None:
            save_json(record_path(whole / NETWORK), record)
    notes = "".join(f"note: {note}\n" for note in made.notes)
    print(f"{describe_plan(made)}\n{notes}the plan is in {folder}; program it with tiocross program {folder} --simulate, or "
          "from Python with program_array")
