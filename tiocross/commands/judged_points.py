"""Which points a trained network is judged by: those that its record names, or others that the command line names."""

from pathlib import Path
from types import SimpleNamespace

from tiocross.checks import require_name
from tiocross.commands.networks import NETWORK, file_sha256, load_record, record_path, require_fitting
from tiocross.commands.points import all_points, named_task, require_columns, require_no_columns, task_of
from tiocross.study.results import task_sha256
from tiocross.study.measured import as_measured

PARTS = ("test", "all")
_SCALED = ", scaled to [0, 1] by the training points"  # of a source; the network gets values as measured


def fitting_points(arguments, network):
    """Points that the command line or the record beside the network's file names, and what they are."""
    if arguments.data is None and arguments.task is None and load_record(arguments.network) is None:
        raise ValueError(f"{arguments.network} has no record of training beside it ({record_path(arguments.network)}), "
                         "so it is not known what it is for: name its points with --data or --task")
    points, source = points_to_judge(arguments, arguments.network)
    require_fitting(arguments.network, network, points,
                    arguments.data or arguments.task or "those of its record")
    return points, source


def points_to_judge(arguments, network):
    """Points to judge a network by, as measured, and what they are: of the task or file that the command line names, else of
    what the record beside the network's file says it was trained with."""
    record = load_record(network)
    data = record["data"] if record is not None else {}
    if arguments.points is not None:
        require_name("--points", arguments.points, PARTS)
    if arguments.data is None and arguments.task is None and data.get("path") is not None:
        return _points_of_record(arguments, data, network)
    if arguments.data is None:
        require_no_columns(None, arguments.label, arguments.without)
        if arguments.points == "all":
            raise ValueError("--points all needs --data, a CSV file whose rows are all new to the network")
        return _test_points(named_task(arguments.task or data.get("task") or "moons"))
    return _points_of_file(arguments, data)


def points_of_plan(folder, data):
    """The same for the network in a plan's folder, and a file or folder with points, or None."""
    nothing = SimpleNamespace(task=None, data=data, label=None, without=None, split_seed=0, points=None)
    return points_to_judge(nothing, Path(folder) / NETWORK)


def name_of_points(folder, data):
    """What people know these points by."""
    record = load_record(Path(folder) / NETWORK)
    known = (record["data"]["path"] or record["data"]["task"]) if record is not None else None
    return str(data or known or "the shipped half moons")


def recorded_task(data, network):
    """The task that a network was trained with, from the record beside it; ValueError if its file is not there any more."""
    path = Path(data["path"])
    where = f"{record_path(network)} says that the network was trained with {path}, which"
    if not path.exists():
        raise ValueError(f"{where} is not there; name the points with --data")
    if file_sha256(path) != data["sha256"]:
        raise ValueError(f"{where} has changed since; name the points with --data")
    task = task_of(path, data["label"], data["without"], data["split_seed"], tuple(data["class_names"]) or None)
    if task_sha256(task) != data["points_sha256"]:
        raise ValueError(f"{where} holds other points now; name the points with --data")
    return task


def _points_of_record(arguments, data, network):
    """Test points of the file that the network was trained with."""
    require_no_columns(None, arguments.label, arguments.without)
    return _test_points(recorded_task(data, network))


def _points_of_file(arguments, data):
    """Points of the file or folder that the command line names."""
    path, names = arguments.data, tuple(data.get("class_names") or ()) or None
    is_own = data.get("sha256") is not None and file_sha256(path) == data["sha256"]
    if is_own and arguments.points != "all" and arguments.split_seed not in (0, data["split_seed"]):
        raise ValueError(f"--split-seed {arguments.split_seed}: the network was trained with another split of this file, of "
                         f"seed {data['split_seed']}, so these test points may have been trained with; leave the option out")
    if is_own and arguments.points != "all":
        _require_own_columns(arguments, data)
    label, without = arguments.label or data.get("label"), arguments.without or data.get("without")
    if arguments.points == "all" or (arguments.points is None and data.get("sha256") is not None and not is_own):
        if Path(path).is_dir():
            raise ValueError(f"--points all needs a CSV file; {path} is a folder with half moons, which has test points")
        dataset = all_points(path, label, without, names, tuple(data.get("feature_names") or ()))
        return dataset, f"all rows of {path}"
    label, without = (data["label"], data["without"]) if is_own else (label, without)
    task = task_of(path, label, without, data["split_seed"] if is_own else arguments.split_seed, names)
    if data.get("feature_names") and task.feature_names:
        _require_same_order(path, task.feature_names, tuple(data["feature_names"]))
    return _test_points(task)


def _require_own_columns(arguments, data):
    """Raise ValueError if the command line names other columns than the network was trained with."""
    for name in ("label", "without"):
        given, trained = getattr(arguments, name), data[name]
        if given not in (None, trained):
            raise ValueError(f"--{name} {given}: the network was trained on this file with --{name} "
                             f"{trained or 'left out'}; leave the option out")


def _require_same_order(path, names, feature_names):
    """Raise ValueError unless these are the columns that a network was trained with, in the same order."""
    require_columns(path, names, feature_names)
    if names != feature_names:
        raise ValueError(f"{path} has the columns of the training data in another order; bring them into that order, or "
                         "take all rows with --points all")


def _test_points(task):
    """Test points of a task, as measured, and what they are."""
    source = task.source if task.scaling is None else task.source.removesuffix(_SCALED)
    return as_measured(task).test, f"test points: {source}"
