"""Networks as files of the commands: where they may be written, the record beside them, the arrays that they lie on."""

import hashlib
import os
import re
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from tiocross import __version__
from tiocross.commands.destinations import require_no_input
from tiocross.devices.files import to_json
from tiocross.learning.training import require_matching
from tiocross.mapping.mappings import DifferentialPairs
from tiocross.storage import read_json, require_writable_file, save_json
from tiocross.study.recipes import Arrangement, as_plain
from tiocross.study.results import command_of, task_sha256

RECORD = "tiocross training 1"
_MOST_DEVICES = 2**24  # of one array; more would fill the memory
NETWORK = "network.npz"  # in the folder of a plan, so that the folder is all that is needed


def record_path(network):
    """Where the record of a network stands: beside it, with the ending json."""
    return Path(network).with_suffix(".json")


def require_free(out, overwrite, *inputs):
    """Raise ValueError unless a file and its record can be written and take the place of nothing, or of what may be
    replaced."""
    if Path(out).suffix != ".npz":
        raise ValueError(f"--out {out} must end with .npz; the record stands beside it, with the ending .json")
    for path in (Path(out), record_path(out)):
        require_writable_file(path)
        require_no_input(path, *inputs)
        if path.exists() and not overwrite:
            raise ValueError(f"{path} exists already; choose another with --out, or replace it with --overwrite")


def require_fitting(path, network, points, source):
    """Raise ValueError, which names both, unless a network can classify these points."""
    try:
        require_matching(network, points)
    except ValueError as error:
        raise ValueError(f"{path} is not for these points ({source}): {error}") from None


def arrangement_of(arguments, usual):
    """How networks lie on arrays, from ``--array-shape`` and ``--share-arrays``; ``usual`` without them."""
    if arguments.array_shape is None and not arguments.share_arrays:
        return usual
    shape = usual.array_shape if arguments.array_shape is None else as_shape(arguments.array_shape)
    if arguments.share_arrays:
        return Arrangement(shape, shares_arrays=True, mapping=DifferentialPairs(digital_output_bias=True))
    return Arrangement(shape, mapping=usual.mapping)


def as_shape(text):
    """Word lines and bit lines of "64x64"."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})x([1-9][0-9]{0,8})", text)
    if not match:
        raise ValueError(f"--array-shape {text!r} must be word lines x bit lines, such as 8x8")
    shape = int(match[1]), int(match[2])
    if shape[0] * shape[1] > _MOST_DEVICES:
        raise ValueError(f"--array-shape must have at most {_MOST_DEVICES} devices; got {shape[0] * shape[1]}")
    return shape


def save_network(network, arguments, recipe, device, task, accuracies, seconds):
    """Write a network and the record of how it came about, which is given back."""
    scaling = task.scaling and {"offset": task.scaling.offset.tolist(), "scale": task.scaling.scale.tolist()}
    record = {
        "format": RECORD,
        "command": command_of(sys.argv[1:]),
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {"tiocross": __version__, **{name: metadata.version(name) for name in ("numpy", "numba")}},
        "data": {"task": arguments.task, "path": arguments.data, "sha256": file_sha256(arguments.data),
                 "label": arguments.label, "without": arguments.without, "split_seed": arguments.split_seed,
                 "source": task.source, "points_sha256": task_sha256(task), "class_names": list(task.class_names),
                 "feature_names": list(task.feature_names), "scaling": scaling},
        "recipe": as_plain(recipe),
        "seed": arguments.seed,
        "started_from": arguments.start,
        "device": to_json(device),
        "sizes": list(network.sizes),
        "software_accuracy": accuracies,
        "seconds": float(f"{seconds:.3g}"),
    }
    network.save(arguments.out)
    save_json(record_path(arguments.out), record)
    return record


def load_record(network):
    """The record beside a network; None where there is none."""
    path = record_path(network)
    if not path.is_file():
        return None
    record = read_json(path)
    data = record.get("data") if record.get("format") == RECORD else None
    wanted = {"task", "path", "sha256", "label", "without", "split_seed", "class_names", "points_sha256"}
    if not isinstance(data, dict) or not wanted <= set(data):
        return None  # a file of another kind that happens to have this name
    return record


def file_sha256(path):
    """SHA-256 of a file's bytes; None for a folder or no path."""
    if path is None or os.path.isdir(path):
        return None
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
