"""``tiocross transfer``: one trained network on simulated chips."""

from pathlib import Path

import numpy as np

from tiocross.checks import as_count, as_number, require_name
from tiocross.circuit.crossbar import LARGEST_RESISTANCE
from tiocross.commands.networks import arrangement_of, file_sha256, load_record, record_path, require_free
from tiocross.commands.plan import load_planned
from tiocross.commands.points import all_points, as_measured, named_task, require_no_columns, task_of
from tiocross.commands.progress import ProgressLine
from tiocross.commands.studies import count_workers
from tiocross.devices.files import load_device
from tiocross.devices.tio2 import TIO2
from tiocross.learning.network import MLP
from tiocross.learning.training import require_matching
from tiocross.storage import save_json
from tiocross.study.recipes import Arrangement
from tiocross.study.results import task_sha256
from tiocross.transfers.judging import transfer

PARTS = ("test", "all")


def prepare(arguments):
    """The transfer that the command line asks for, ready to be called."""
    network, record = MLP.load(arguments.network), load_record(arguments.network)
    device = TIO2 if arguments.device is None else load_device(arguments.device)
    points, source = _points(arguments, record)
    require_matching(network, points)
    layout = _layout(arguments, network, device)
    as_number("--wire-resistance", arguments.wire_resistance, low=0.0, high=LARGEST_RESISTANCE, unit="ohm")
    for name, low in (("transfers", 1), ("seed", 0)):
        as_count(f"--{name}", getattr(arguments, name), low=low)
    if arguments.out is not None:
        require_free(arguments.out, arguments.overwrite, arguments.network, *filter(None, [arguments.data]))
    return lambda: _transfer(arguments, network, device, points, layout, source)


def _points(arguments, record):
    """Points to judge by, as measured, and what they are."""
    data = record["data"] if record is not None else {}
    if arguments.points is not None:
        require_name("--points", arguments.points, PARTS)
    if arguments.data is None and arguments.task is None and data.get("path") is not None:
        return _points_of_record(arguments, data)
    if arguments.data is None:
        require_no_columns(None, arguments.label, arguments.without)
        if arguments.points == "all":
            raise ValueError("--points all needs --data, a CSV file whose rows are all new to the network")
        task = named_task(arguments.task or data.get("task") or "moons")
        return as_measured(task).test, f"test points: {task.source}"
    return _points_of_file(arguments, data)


def _points_of_record(arguments, data):
    """Test points of the file that the network was trained with."""
    path = Path(data["path"])
    where = f"{record_path(arguments.network)} says that the network was trained with {path}, which"
    if not path.exists():
        raise ValueError(f"{where} is not there; name the points with --data")
    if file_sha256(path) != data["sha256"]:
        raise ValueError(f"{where} has changed since; name the points with --data")
    require_no_columns(None, arguments.label, arguments.without)
    task = task_of(path, data["label"], data["without"], data["split_seed"], tuple(data["class_names"]) or None)
    if task_sha256(task) != data["points_sha256"]:
        raise ValueError(f"{where} holds other points now; name the points with --data")
    return as_measured(task).test, f"test points: {task.source}"


def _points_of_file(arguments, data):
    """Points of the file or folder that the command line names."""
    path, names = arguments.data, tuple(data.get("class_names") or ()) or None
    is_own = data.get("sha256") is not None and file_sha256(path) == data["sha256"]
    if is_own and arguments.points != "all" and arguments.split_seed not in (0, data["split_seed"]):
        raise ValueError(f"--split-seed {arguments.split_seed}: the network was trained with another split of this file, of "
                         f"seed {data['split_seed']}, so these test points may have been trained with; leave the option out")
    if arguments.points == "all" or (arguments.points is None and data.get("sha256") is not None and not is_own):
        if Path(path).is_dir():
            raise ValueError(f"--points all needs a CSV file; {path} is a folder with half moons, which has test points")
        dataset = all_points(path, arguments.label or data.get("label"), arguments.without or data.get("without"), names)
        return dataset, f"all rows of {path}"
    label, without = (arguments.label, arguments.without) if not is_own else (data["label"], data["without"])
    task = task_of(path, label, without, data["split_seed"] if is_own else arguments.split_seed, names)
    return as_measured(task).test, f"test points: {task.source}"


def _layout(arguments, network, device):
    if arguments.layout is None:
        return arrangement_of(arguments, Arrangement()).layout(network.sizes, device)
    if arguments.array_shape is not None or arguments.share_arrays:
        raise ValueError("--layout states where everything lies; leave out --array-shape and --share-arrays")
    made, planned = load_planned(arguments.layout)
    if planned.sizes != network.sizes:
        raise ValueError(f"--layout {arguments.layout} is the plan of a network of sizes {planned.sizes}; "
                         f"{arguments.network} has {network.sizes}")
    return made.layout


def _transfer(arguments, network, device, points, layout, source):
    progress = ProgressLine(chips=arguments.transfers)
    progress.start()
    try:
        outcome = transfer(network, points, device=device, layout=layout, wire_resistance=arguments.wire_resistance,
                           n_transfers=arguments.transfers, rng=np.random.default_rng(arguments.seed),
                           workers=count_workers(arguments.workers),
                           on_progress=lambda done, total: progress.update("chips", done))
        summary = outcome.summary()
    finally:
        progress.close()
    if arguments.out is not None:  # before anything is printed, which may fail
        outcome.save(arguments.out)
        save_json(record_path(arguments.out), {
            "network": str(arguments.network), "network_sha256": file_sha256(arguments.network), "points": source,
            "device": device.name, "wire_resistance": arguments.wire_resistance, "seed": arguments.seed,
            "n_devices": outcome.n_devices, **summary.to_dict()})
    print(f"{network!r}, {outcome.n_devices} devices of {device.name}, {arguments.wire_resistance:g} ohm per wire segment\n"
          f"{source}\n{summary}")
    if arguments.out is not None:
        print(f"the outcome is in {arguments.out}, its summary in {record_path(arguments.out)}")
