"""Peripheries as JSON in which every number carries its unit: ``"read_voltage [V]": 0.2``."""

from os import PathLike

from tiocross import records
from tiocross.periphery.electronics import PARTS, Periphery
from tiocross.storage import save_json

FORMAT = "tiocross periphery 1"
_TEXTS = {"sensing": ("kind",)}  # fields of parts that are texts, beside the source


def save_periphery(periphery: Periphery, path: str | PathLike) -> None:
    """Write a periphery as JSON.

    Parameters
    ----------
    periphery : Periphery
        The record.
    path : str or Path
        The file to write. It appears whole or not at all.

    Examples
    --------
    >>> import tempfile
    >>> from tiocross import PERIPHERY_8_BIT, load_periphery, save_periphery
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_periphery(PERIPHERY_8_BIT, f"{folder}/board.json")
    ...     load_periphery(f"{folder}/board.json") == PERIPHERY_8_BIT
    True
    """
    save_json(path, to_json(periphery))


def load_periphery(path: str | PathLike) -> Periphery:
    """Periphery from a JSON file that `save_periphery` or a person wrote.

    Parameters
    ----------
    path : str or Path
        The file to read.

    Returns
    -------
    Periphery
        The record, exactly as saved.

    Raises
    ------
    ValueError
        If the file is not such JSON, a key is missing or unknown, or a unit is not the expected one.

    Examples
    --------
    >>> import tempfile
    >>> from tiocross import Periphery, Sensing, load_periphery, save_periphery
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_periphery(Periphery(sensing=Sensing(offset=0.01)), f"{folder}/board.json")
    ...     load_periphery(f"{folder}/board.json").sensing.offset
    0.01
    """
    return records.load(path, from_json)


def to_json(periphery):
    """Content of a file: plain numbers, texts, lists and dicts, the unit in every key of a number."""
    content = {"format": FORMAT, "name": periphery.name, "subtraction": periphery.subtraction, **records.to_json(periphery)}
    for part in PARTS:
        value = getattr(periphery, part)
        texts = {name: getattr(value, name) for name in _TEXTS.get(part, ())}
        content[part] = None if value is None else {**texts, **records.to_json(value)}
    return content


def from_json(content):
    """Periphery from the content of a file; ValueError if a key is missing or unknown, or has another unit."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"this is not a file of a periphery: it must hold an object with \"format\": \"{FORMAT}\"")
    content = {key: value for key, value in content.items() if key != "format"}
    values = records.values_from_json("periphery", content, Periphery, extra=("name", "subtraction", *PARTS))
    for part, kind in PARTS.items():
        if values[part] is not None:
            if not isinstance(values[part], dict):
                raise ValueError(f"{part!r} must be an object or null; got {values[part]!r}")
            values[part] = kind(**records.values_from_json(part, values[part], kind, extra=_TEXTS.get(part, ())))
    return Periphery(**values)
