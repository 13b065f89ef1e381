"""What a file or folder is, by its content."""

import json
import re
from pathlib import Path

_START = 4096  # bytes that tell
_UNIT = re.compile(r"\[([mun\u00b5\u03bc]?S|[kM]?ohm|m?V)\]")


def recognise(path):
    """Kind of a file or folder, as `tiocross describe` names it; ValueError if it is none that tiocross knows."""
    path = Path(path)
    if path.is_dir():
        kinds = {"plan.json": "plan", "summary.json": "experiment"}
        found = [kind for name, kind in kinds.items() if (path / name).is_file()]
        if found:
            return found[0]
        raise ValueError(f"{path} is a folder with neither {' nor '.join(kinds)} in it: no plan, no experiment's results")
    with path.open("rb") as file:
        start = file.read(_START)
    if start.startswith(b"PK"):
        return "network"
    text = start.decode("utf-8-sig", errors="replace")  # spreadsheets put a byte-order mark in front
    kind = _kind_of_json(path) if text.lstrip().startswith("{") else _kind_of_table(text)
    if kind is None:
        raise ValueError(f"{path} is nothing that tiocross knows: no device (JSON), network (npz), resistance map of the "
                         "lab or pulse log, and no CSV that states its unit, such as '# conductances [uS]'; it begins with "
                         f"{text[:60]!r}")
    return kind


def _kind_of_json(path):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} begins like JSON but is none: {error}") from None
    kinds = {"tiocross device": "device", "tiocross plan": "plan"}
    mark = str(content.get("format", "")).rsplit(" ", 1)[0]
    return kinds.get(mark) or ("experiment" if "n_transfers" in content and "rows" in content else None)


def _kind_of_table(text):
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and lines[0].startswith("# tiocross pulse log"):
        return "pulse log"
    if lines and lines[0].startswith("n_rows"):
        return "lab map"
    comment = " ".join(line for line in lines if line.startswith("#"))
    names = next((line for line in lines if not line.startswith("#")), "")
    for kind, sign in (("disturb", "n_later_writes"), ("tuning", "programmed")):
        if sign in names:
            return kind
    unit = _UNIT.search(comment)
    return unit and ("voltages" if unit[1].endswith("V") else "conductances")
