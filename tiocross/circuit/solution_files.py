"""Solutions as files: everything a `Solution` is made of, in one ``.npz`` without pickle."""

import re
import zipfile
from dataclasses import fields
from functools import partial

import numpy as np

from tiocross.checks import as_path
from tiocross.circuit.biasing import Biasing
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.law import Law
from tiocross.circuit.laws import LAWS
from tiocross.circuit.series import SERIES
from tiocross.circuit.solvers.results import N_FIGURES, Nodes, Report
from tiocross.storage import replacing

FORMAT = "tiocross-solution-1"
_ENDS = ("left", "right", "top", "bottom")
_WIRES = ("word_line_resistance", "bit_line_resistance", "source_resistance", "sense_resistance")
_OF_LAWS = re.compile(r"series|(law|series)(_[0-9])+")  # files of before had nothing in series
_LARGEST_FILE = 2**33  # bytes of all arrays; no solution of ours is larger


def write_solution(solution, nodes, report, path):
    """Write a solution with its `Nodes` and `Report`; the file appears whole or not at all."""
    crossbar, biasing = solution.crossbar, solution.biasing
    content = {"conductances": crossbar.conductances, "bit_line_currents": solution.bit_line_currents,
               "figures": report.figures, "bit_line_voltages": nodes.bit_lines, "word_line_voltages": nodes.word_lines,
               "voltage_uncertainty": nodes.error,
               "selected": np.array(() if biasing.selected is None else np.broadcast_arrays(*biasing.selected), np.int64)}
    content |= {name: getattr(crossbar, name) for name in _WIRES} | {name: getattr(biasing, name) for name in _ENDS}
    content |= dict(_take_apart("law", crossbar.iv)) | dict(_take_apart("series", crossbar.series))
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, format=FORMAT, **content)


def read_solution(path, make_solution):
    """The solution in a file; ValueError if it is no such file, or damaged."""
    content = _read(as_path("path", path))
    try:
        crossbar = Crossbar(content["conductances"], **{name: content[name] for name in _WIRES},
                            iv=_put_together("law", content), series=_put_together("series", content))
        selected = content["selected"]
        pair = None if selected.size == 0 else tuple(lines if lines.ndim else int(lines) for lines in selected)
        biasing = Biasing(*(content[name] for name in _ENDS), pair)
        _require_shapes(content, crossbar, biasing)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    nodes = Nodes(content["bit_line_voltages"], content["word_line_voltages"], content["voltage_uncertainty"])
    for values in (nodes.bit_lines, nodes.word_lines):
        values.flags.writeable = False
    return make_solution(crossbar, biasing, content["bit_line_currents"], Report(content["figures"]), partial(Nodes, *nodes))


def _require_shapes(content, crossbar, biasing):
    """Raise ValueError unless results have the shapes that the circuit gives them."""
    figures, lines = content["figures"], crossbar.conductances.shape[-2:]
    batch = content["bit_line_currents"].shape[:-1]
    wanted = {"bit_line_currents": (*batch, lines[1]), "bit_line_voltages": (*batch, *lines),
              "word_line_voltages": (*batch, *lines), "voltage_uncertainty": batch}
    for name, shape in wanted.items():
        if content[name].shape != shape or content[name].dtype != np.float64:
            raise ValueError(f"{name} has shape {content[name].shape}, not {shape}")
    if figures.size != N_FIGURES * int(np.prod(batch)) or figures.dtype != np.float64:
        raise ValueError(f"figures of shape {figures.shape} are not {N_FIGURES} for each circuit")
    if np.broadcast_shapes(crossbar.conductances.shape[:-2], biasing.batch) != batch:
        raise ValueError("crossbar and biasing are not those of the currents")


def _take_apart(key, record):
    """A law or what is in series, under a key, and its fields under the key and their number, laws among them likewise."""
    yield key, "" if record is None else type(record).__name__
    for k, field in enumerate(() if record is None else fields(record)):
        value = getattr(record, field.name)
        if value is None or isinstance(value, Law):
            yield from _take_apart(f"{key}_{k}", value)
        else:
            yield f"{key}_{k}", value


def _put_together(key, content):
    """What `_take_apart` took apart, or None."""
    name, kinds = str(content.get(key, "")), {kind.__name__: kind for kind in (*LAWS, *SERIES)}
    if name and name not in kinds:
        raise ValueError(f"the {key.partition('_')[0]} {name!r} is none of {', '.join(kinds)}")
    if not name:
        return None
    values = []
    for k, field in enumerate(fields(kinds[name])):
        value = content[f"{key}_{k}"]
        is_law = value.dtype.kind == "U" and field.name in ("iv", "forward", "reverse")
        values.append(_put_together(f"{key}_{k}", content) if is_law else str(value) if value.dtype.kind == "U" else value)
    return kinds[name](*values)


def _read(path):
    """All arrays of a file that `write_solution` wrote."""
    expected = {"format", "law", "conductances", "bit_line_currents", "figures", "bit_line_voltages", "word_line_voltages",
                "voltage_uncertainty", "selected", *_WIRES, *_ENDS}
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _LARGEST_FILE:
                raise ValueError("it is too large")
            names = {name.removesuffix(".npy") for name in archive.namelist()}
        strange = {name for name in names - expected if not _OF_LAWS.fullmatch(name)} | expected - names
        if strange:
            raise ValueError(f"{sorted(strange)[0]!r} is missing or does not belong there")
        with np.load(path, allow_pickle=False) as archive:
            content = {name: archive[name] for name in archive.files}
    except OSError:
        raise
    except Exception as error:  # a damaged archive can make zipfile and NumPy raise almost anything
        raise ValueError(f"{path} is not a solution that tiocross saved, or it is truncated: {error}") from None
    if str(content["format"]) != FORMAT:
        raise ValueError(f"{path} is not a solution that tiocross saved: it lacks the mark {FORMAT!r}")
    return content
