"""What a file or folder is, by its content."""

from pathlib import Path

from tiocross.foreign import foreign_kind
from tiocross.lab.resistance_maps import is_lab_map
from tiocross.sheets import (
    CONDUCTANCES, RESISTANCES, VOLTAGES, name_and_unit, sheet_of_text, shortened, unit_of_comments,
)
from tiocross.storage import read_json
from tiocross.tasks.tables import points_of_sheet

_UNITS = {**CONDUCTANCES, **RESISTANCES, **VOLTAGES}


def recognise(path):
    """Kind of a file or folder, as `tiocross describe` names it; ValueError if it is none that tiocross knows."""
    path = Path(path)
    if path.is_dir():
        kinds = {"plan.json": "plan", "summary.json": "experiment", "programming.json": "programming run"}
        found = [kind for name, kind in kinds.items() if (path / name).is_file()]
        if found:
            return found[0]
        raise ValueError(f"{path} is a folder with neither {' nor '.join(kinds)} in it: no plan, "
                         "no finished programming run, no experiment's results")
    content = path.read_bytes()
    if path.suffix.lower() == ".safetensors":
        raise ValueError(f"{path} holds weights and no network yet; make it one: tiocross import {path} --activation ...")
    if foreign := foreign_kind(content):
        raise ValueError(f"{path} is nothing that tiocross knows: it is {foreign}")
    if content.startswith(b"PK"):
        return "transfer" if b"nominally_correct.npy" in content else "network"
    text = content.decode("utf-8-sig", errors="replace")  # spreadsheets put a byte-order mark in front
    kind = _kind_of_json(path) if text.lstrip().startswith("{") else _kind_of_table(path, text)
    if kind is None:
        raise ValueError(f"{path} is nothing that tiocross knows: no device (JSON), network (npz), resistance map of the "
                         "lab or pulse log, and no CSV that states its unit, such as '# conductances [uS]'; it begins with "
                         f"{shortened(text[:60])}")
    return kind


def _kind_of_json(path):
    try:
        content = read_json(path)
    except ValueError as error:
        reason = str(error).removeprefix(f"{path} is not JSON: ")
        raise ValueError(f"{path} begins like JSON but is none: {reason}") from None
    kinds = {"tiocross device": "device", "tiocross plan": "plan", "tiocross programming": "programming run",
             "tiocross training": "training", "tiocross transfer": "outcome of a transfer"}
    mark = str(content.get("format", "")).rsplit(" ", 1)[0]
    return kinds.get(mark) or ("experiment" if "n_transfers" in content and "rows" in content else None)


def _holds_points(sheet):
    """Whether a table has a header, numbers and, in its last column, classes."""
    try:
        points_of_sheet(sheet)
    except ValueError:
        return False
    return True


def _kind_of_table(path, text):
    first = text.lstrip()[:64].lstrip('"')
    if first.startswith("# tiocross pulse log"):
        return "pulse log"
    if is_lab_map(path):
        return "lab map"
    sheet = sheet_of_text(path, text)
    names = [name_and_unit(cell) for cell in sheet.rows[0][1]] if sheet.rows else []
    for kind, sign in (("disturb", "n_later_writes"), ("tuning", "programmed")):
        if any(sign in name for name, _ in names):
            return kind
    units = [unit for _, unit in names if unit in _UNITS]
    if not units and not sheet.stated_units():
        return "points" if _holds_points(sheet) else None
    unit = units[0] if units else unit_of_comments(sheet, _UNITS, "# conductances [S]")[1]
    return "voltages" if unit in VOLTAGES else "conductances"
