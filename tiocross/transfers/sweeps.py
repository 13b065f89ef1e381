"""A function at every point of a grid: on any executor, kept on disk as it goes, gone on with after a crash.

What a point gives depends on the point and on the seed alone: not on its place in the grid, not on who does it, not on
what was finished before. So a sweep that was killed and resumed gives the bytes that it would have given uninterrupted.
"""

import contextlib
import csv
import hashlib
import inspect
import io
import itertools
import json
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path

import numpy as np

from tiocross import __version__
from tiocross.checks import as_number, as_path, kind_of, require_generator, short_repr
from tiocross.ledger import Ledger, load_unit, read_units
from tiocross.storage import locked_folder, save_text
from tiocross.transfers.outcomes import Transfer
from tiocross.work import Executor, as_executor, as_ready

_LEDGER, _TABLE = "sweep.jsonl", "table.csv"
_PLAIN = (bool, int, float, str, type(None))
_TAKEN = ("rng", "until")  # arguments that are not the grid's


@dataclass(frozen=True, eq=False)
class Sweep:
    """What a function gave at the points of a grid.

    Parameters
    ----------
    points : tuple of dict
        The points, in the order of the grid.
    results : tuple of dict
        The names and numbers that the function gave at each.
    arrays : tuple of dict
        The arrays that it gave at each, by name.
    """

    points: tuple
    results: tuple
    arrays: tuple

    def __len__(self):
        return len(self.points)

    @property
    def rows(self) -> list:
        """A dict for each point: its values, then what the function gave."""
        return [{**point, **result} for point, result in zip(self.points, self.results)]

    def to_csv(self) -> str:
        """The rows as CSV, numbers with all their digits; a cell is empty where a row lacks the column."""
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows({name: "" if value is None else value for name, value in row.items()} for row in self.rows)
        return text.getvalue()

    @classmethod
    def load(cls, folder: str | Path) -> "Sweep":
        """What is finished in the folder of a sweep, even while it runs; ValueError if there is none."""
        path = as_path("folder", folder) / _LEDGER
        if not path.is_file():
            raise ValueError(f"{folder} is not the folder of a sweep: it has no {_LEDGER}")
        identity, units = read_units(path)
        points = {_key(point): point for point in (identity or {"grid": []})["grid"]}
        loaded = {key: load_unit(path, unit) for key, unit in units.items()}
        return _in_order(points, {key: unit for key, unit in loaded.items() if unit is not None})


def sweep(function: Callable, grid: Mapping | Iterable[Mapping], *, rng: np.random.Generator,
          executor: Executor | None = None, folder: str | Path | None = None, resume: bool = False,
          until: float | None = None, on_progress: Callable | None = None) -> Sweep:
    """Call a function at every point of a grid.

    Parameters
    ----------
    function : callable
        Called as ``function(**point, rng=generator)``; with ``until`` also ``until=until``. It gives a dict or a record of
        names, numbers and arrays, or a `Transfer`: its figures with their intervals, rates and accuracies are kept.
    grid : dict, or list of dict
        Values by name, of which all combinations are points; or the points. Values are plain: numbers, texts, True, None.
    rng : numpy.random.Generator
        Seeds the generators: each point has its own, by its values, wherever and whenever it is done.
    executor : Executor, optional
        Where the points are done: anything with ``submit`` of `concurrent.futures.Executor`. Without it here, in turn.
    folder : str or Path, optional
        Where every finished point is kept, and the table, ``table.csv``, when all are.
    resume : bool, optional
        Whether to go on with what is finished in the folder.
    until : float, optional
        Handed to the function, for ``transfer(..., until=until)``: half the width of the interval with which the robust
        share of a row is known well enough (unitless).
    on_progress : callable, optional
        Called as ``on_progress(n_done, n_points)``; raise from it to stop.

    Returns
    -------
    Sweep
        All points, in the order of the grid.

    Raises
    ------
    ValueError
        If a grid has no points, or one twice; if a folder holds files, or a sweep of another function, grid or seed.
    UnitError
        If the function fails; the message names the point. What is finished is in the folder.

    Notes
    -----
    A sweep is told from another by the function's name and source text, the grid, the seed, ``until`` and the version of
    tiocross. A point whose worker was lost is done again, up to three times; when the executor takes no more, as a broken
    `ProcessPoolExecutor`, the other points are done in this process, with a warning.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, sweep, tasks, transfer
    >>> def measure(n_hidden, wire_resistance, rng):
    ...     network = MLP(2, n_hidden, 1, rng=rng)
    ...     return transfer(network, tasks.load_moons().test, device=TIO2, wire_resistance=wire_resistance, n_transfers=50,
    ...                     rng=rng)
    >>> found = sweep(measure, {"n_hidden": [4, 8], "wire_resistance": [0.0, 2.0]}, rng=np.random.default_rng(11))
    >>> [row["n_hidden"] for row in found.rows]
    [4, 4, 8, 8]
    """
    if not callable(function):
        raise TypeError(f"function must be callable as function(**point, rng=generator); got {kind_of(function)}")
    require_generator(rng)
    points, executor = {_key(point): point for point in grid_points(grid)}, as_executor(executor)
    until = None if until is None else as_number("until", until, low=0.0)
    if resume and folder is None:
        raise ValueError("resume needs the folder of the sweep to go on with; give folder=...")
    entropy = int(rng.integers(2**63))
    with contextlib.ExitStack() as stack:
        identity = _identity(function, points, entropy, until)
        finished = _Kept() if folder is None else _open(stack, folder, identity, resume)
        _do(function, points, finished, (entropy, until), executor, on_progress or (lambda n_done, n_points: None))
        found = _in_order(points, {key: finished.get(key) for key in points})
        if folder is not None:
            save_text(Path(folder) / _TABLE, found.to_csv())
    return found


def grid_points(grid):
    """The points of a grid, dicts, checked: a dict of values by name, or a list of points."""
    if isinstance(grid, Mapping):
        for name, values in grid.items():
            if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
                raise TypeError(f"grid[{name!r}] must be a list of values; got {kind_of(values)}")
        grid = [dict(zip(grid, values)) for values in itertools.product(*map(list, grid.values()))] if grid else []
    points = [_checked_point(point) for point in grid]
    if not points:
        raise ValueError("the grid must have at least one point; got none")
    keys = [_key(point) for point in points]
    if len(set(keys)) < len(keys):
        twice = next(point for point, key in zip(points, keys) if keys.count(key) > 1)
        raise ValueError(f"every point of the grid must be there once; {_shown(twice)} is there "
                         f"{keys.count(_key(twice))} times")
    return points


def _checked_point(point):
    if not isinstance(point, Mapping):
        raise TypeError(f"a point of the grid must be a dict of values by name; got {kind_of(point)}")
    checked = {}
    for name, value in point.items():
        value = value.item() if isinstance(value, np.generic) else value
        if not isinstance(name, str) or not name.isidentifier() or name in _TAKEN:
            raise ValueError(f"names of the grid must be those of arguments, other than {' and '.join(_TAKEN)}; "
                             f"got {name!r}")
        if not isinstance(value, _PLAIN) or isinstance(value, float) and not np.isfinite(value):
            raise TypeError(f"values of the grid must be finite numbers, texts, True, False or None; {name} is "
                            f"{short_repr(value)}. Put names into the grid, and look up in the function what they stand for")
        checked[name] = value
    return checked


def _do(function, points, finished, chance, executor, on_progress):
    """Have all points done that are not finished."""
    missing = [point for key, point in points.items() if finished.get(key) is None]
    n_done = len(points) - len(missing)
    on_progress(n_done, len(points))
    for k, (record, arrays) in as_ready(_measure, [(function, point, *chance) for point in missing], executor,
                                        describe=lambda unit: f"the point {_shown(unit[1])} of the sweep"):
        finished.add(_key(missing[k]), record, arrays)
        n_done += 1
        on_progress(n_done, len(points))


def _measure(function, point, entropy, until):
    """Record and arrays of one point."""
    words = tuple(np.frombuffer(hashlib.sha256(_key(point).encode()).digest()[:16], dtype="<u4").tolist())
    generator = np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=words))
    result = function(**point, rng=generator, **({} if until is None else {"until": until}))
    record, arrays = {}, {}
    for name, value in _as_dict(result).items():
        if isinstance(value, np.ndarray) and value.ndim and not value.dtype.hasobject:
            arrays[name] = value
            continue
        value = value.item() if isinstance(value, (np.generic, np.ndarray)) and not value.dtype.hasobject else value
        if not isinstance(value, _PLAIN) or isinstance(value, float) and not np.isfinite(value):
            raise ValueError(f"results must be finite numbers, texts, True, False, None or arrays; {name} is "
                             f"{short_repr(value)}")
        if name in point:
            raise ValueError(f"results must have other names than the grid; both have {name}")
        record[str(name)] = value
    return record, arrays


def _as_dict(result):
    """What a function gave, by name."""
    if isinstance(result, Transfer):
        return {**_figures(result), "rates": result.rates, "accuracies": result.accuracies}
    if isinstance(result, Mapping):
        return dict(result)
    if isinstance(result, tuple) and hasattr(result, "_asdict"):  # a NamedTuple
        return result._asdict()
    if is_dataclass(result) and not isinstance(result, type):
        return asdict(result)
    raise TypeError(f"the function must give a dict, a record or a Transfer; got {kind_of(result)}")


def _figures(transfer):
    """Figures of a transfer and the ends of their intervals, one after the other."""
    figures = {}
    for name, value in transfer.summary().to_dict().items():
        if isinstance(value, dict):
            figures |= {name: value["value"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
        elif name != "notes":
            figures[name] = value
    return figures


class _Kept:
    """What is finished, in memory; as a `Ledger`."""

    def __init__(self):
        self._units = {}

    def get(self, key):
        """Record and arrays, or None."""
        return self._units.get(key)

    def add(self, key, record, arrays):
        """Keep them."""
        self._units[key] = record, arrays


def _open(stack, folder, identity, resume):
    """The `Ledger` in a folder that is this sweep's or empty, held until the stack ends."""
    folder = as_path("folder", folder)
    others = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
    if others and _LEDGER not in others:
        raise ValueError(f"{folder} holds files that no sweep wrote, such as {min(others)}; choose another folder")
    stack.enter_context(locked_folder(folder))
    try:
        ledger = Ledger(folder / _LEDGER, identity, resume=resume)
    except ValueError as error:
        raise ValueError(str(error).replace("go on with it", "go on with it by resume=True")) from None
    stack.callback(ledger.close)
    return ledger


def _identity(function, points, entropy, until):
    """What tells a sweep from another."""
    inner, given = function, []
    while hasattr(inner, "func"):  # of functools.partial
        given.append((inner.args, sorted(inner.keywords.items())))
        inner = inner.func
    try:
        text = inspect.getsource(inner)
    except (OSError, TypeError):
        text = ""
    content = hashlib.sha256(text.encode() + (pickle.dumps(given) if given else b"")).hexdigest()
    name = f"{inner.__module__}.{getattr(inner, '__qualname__', type(inner).__name__)}"
    if name.startswith("__main__."):  # one script under two names
        name = name.removeprefix("__main__.")
    return {"function": name, "source of the function": content, "grid": list(points.values()), "seed": entropy,
            "until": until, "version of tiocross": __version__}


def _in_order(points, finished):
    """The `Sweep` of finished points, in the order of the grid."""
    keys = [key for key in points if key in finished]
    return Sweep(tuple(points[key] for key in keys), *(tuple(finished[key][part] for key in keys) for part in (0, 1)))


def _key(point):
    """A point as text, the same for any order of its names."""
    return json.dumps(point, sort_keys=True)


def _shown(point):
    return ", ".join(f"{name}={value!r}" for name, value in point.items())
