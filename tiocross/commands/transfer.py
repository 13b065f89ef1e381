"""``tiocross transfer``: one trained network on simulated chips."""

import numpy as np

from tiocross.checks import as_count, as_number
from tiocross.circuit.crossbar import LARGEST_RESISTANCE
from tiocross.commands.judged_points import fitting_points
from tiocross.commands.networks import arrangement_of, file_sha256, record_path, require_free
from tiocross.commands.operation import describe_operation, keywords_of, operation_of, operation_record
from tiocross.commands.plan import load_planned
from tiocross.commands.progress import ProgressLine
from tiocross.commands.studies import count_workers
from tiocross.devices.published import find_device
from tiocross.devices.tio2 import TIO2
from tiocross.learning.network import Network
from tiocross.storage import save_json
from tiocross.study.recipes import Arrangement
from tiocross.transfers.fabricated import make_chips
from tiocross.transfers.judging import transfer
from tiocross.transfers.stopping import as_until

TRANSFER_RECORD = "tiocross transfer 1"
GB = 1e9  # [bytes]
_LEAST_MEMORY = 0.001  # [GB]


def prepare(arguments):
    """The transfer that the command line asks for, ready to be called."""
    network, device, points, source, layout, operation = what_to_judge(arguments)
    as_until(arguments.until)
    if arguments.out is not None:
        require_free(arguments.out, arguments.overwrite, arguments.network, *filter(None, [arguments.data]))
    return lambda: _transfer(arguments, (network, device, points, layout, operation), source)


def what_to_judge(arguments):
    """Network, device, points, what these are, layout and operation, as the command line names them; its numbers are
    checked, too."""
    network = Network.load(arguments.network)
    device = TIO2 if arguments.device is None else find_device(arguments.device)
    points, source = fitting_points(arguments, network)
    layout = _layout(arguments, network, device)
    as_number("--wire-resistance", arguments.wire_resistance, low=0.0, high=LARGEST_RESISTANCE, unit="ohm")
    for name, low in (("transfers", 1), ("seed", 0)):
        as_count(f"--{name}", getattr(arguments, name), low=low)
    if hasattr(arguments, "memory"):
        as_number("--memory", arguments.memory, low=_LEAST_MEMORY, unit="GB")
    operation = operation_of(arguments, device)
    make_chips(network, device, layout=layout, wire_resistance=arguments.wire_resistance, rng=np.random.default_rng(0),
               operation=operation)  # what cannot be is refused before any work
    return network, device, points, source, layout, operation


def _layout(arguments, network, device):
    if arguments.layout is None:
        return arrangement_of(arguments, Arrangement()).layout(network.shapes, device)
    if arguments.array_shape is not None or arguments.share_arrays:
        raise ValueError("--layout states where everything lies; leave out --array-shape and --share-arrays")
    made, planned = load_planned(arguments.layout)
    if planned.shapes != network.shapes:
        raise ValueError(f"--layout {arguments.layout} is the plan of a network with layers of {planned.shapes}; "
                         f"{arguments.network} has {network.shapes}")
    return made.layout


def _transfer(arguments, judged, source):
    network, device, points, layout, operation = judged
    progress = ProgressLine(chips=arguments.transfers)
    progress.start()
    try:
        outcome = transfer(network, points, device=device, layout=layout, wire_resistance=arguments.wire_resistance,
                           n_transfers=arguments.transfers, rng=np.random.default_rng(arguments.seed),
                           workers=count_workers(arguments.workers), memory=arguments.memory * GB,
                           until=arguments.until, **keywords_of(operation),
                           on_progress=lambda done, total: progress.update("chips", done))
        summary = outcome.summary()
    finally:
        progress.close()
    if arguments.out is not None:  # before anything is printed, which may fail
        outcome.save(arguments.out)
        save_json(record_path(arguments.out), {
            "format": TRANSFER_RECORD, "network": str(arguments.network), "network_sha256": file_sha256(arguments.network),
            "points": source,
            "device": device.name, "wire_resistance": arguments.wire_resistance, "seed": arguments.seed,
            **operation_record(operation), "n_devices": outcome.n_devices, **summary.to_dict()})
    print(f"{network!r}, {outcome.n_devices} devices of {device.name}, {arguments.wire_resistance:g} ohm per wire segment\n"
          + "".join(f"{line}\n" for line in (describe_operation(operation), source) if line) + str(summary))
    if arguments.out is not None:
        print(f"the outcome is in {arguments.out}, its summary in {record_path(arguments.out)}")
