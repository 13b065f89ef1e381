"""Device records as JSON in which every number carries its unit: ``"g_min [S]": 0.0001``."""

import json
from pathlib import Path

import numpy as np

from tiocross.devices.device import EFFECTS, Device
from tiocross.devices.effects import DisturbQuantiles, DisturbSamples, LineFailures, StuckDevices, TuningError
from tiocross.checks import nearest_name
from tiocross.storage import save_json

FORMAT = "tiocross device 1"
_UNITS = {  # field -> unit in the file
    Device: {"g_min": "S", "g_max": "S", "array_shape": "-"},
    TuningError: {"offset_mean": "-", "offset_std": "-", "spread_slope": "1/S", "spread_intercept": "-"},
    DisturbQuantiles: {"n_later_writes": "-", "probabilities": "-", "changes": "S", "growth_exponent": "-"},
    DisturbSamples: {"n_later_writes": "-", "changes": "S", "growth_exponent": "-"},
    StuckDevices: {"probability_lrs": "-", "lrs_mean": "S", "lrs_std": "S",
                   "probability_hrs": "-", "hrs_low": "S", "hrs_high": "S"},
    LineFailures: {"probability_word_line": "-", "probability_bit_line": "-", "g_low": "S", "g_high": "S"},
}


def save_device(device, path):
    """Write a device as JSON.

    Parameters
    ----------
    device : Device
        The record (unitless).
    path : str or Path
        The file to write; it appears whole or not at all (unitless).
    """
    save_json(path, to_json(device))


def to_json(device):
    """Content of a device file.

    Parameters
    ----------
    device : Device
        The record (unitless).

    Returns
    -------
    dict
        Plain numbers, strings, lists and dicts; every key of a number states its unit.
    """
    content = {"format": FORMAT, "name": device.name, **_record_to_json(device)}
    for effect in EFFECTS:
        value = getattr(device, effect)
        content[effect] = None if value is None else _record_to_json(value)
    return content


def load_device(path):
    """Device from a JSON file that `save_device` or a person wrote.

    Parameters
    ----------
    path : str or Path
        The file to read (unitless).

    Returns
    -------
    Device
        The record, exactly as saved.

    Raises
    ------
    ValueError
        If the file is not such JSON, a key is missing or unknown, or a unit is not the expected one.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    try:
        return from_json(content)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{path}: {error}") from None


def from_json(content):
    """Device from the content of a device file.

    Parameters
    ----------
    content : dict
        What `to_json` gave, every key of a number with its unit (unitless).

    Returns
    -------
    Device
        The record.

    Raises
    ------
    ValueError
        If a key is missing or unknown, or a unit is not the expected one.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"this is not a device file: it must hold an object with \"format\": \"{FORMAT}\"")
    content = {key: value for key, value in content.items() if key != "format"}
    for key in ("lines", "array_shape [-]"):
        content.setdefault(key, None)  # files written before these were known lack them
    fields = _fields_from("device", content, Device, extra={"name", *EFFECTS})
    effects = {effect: fields.pop(effect) for effect in EFFECTS}
    built = {effect: _effect_from(effect, value) for effect, value in effects.items() if value is not None}
    return Device(**fields, **built)


def _effect_from(effect, content):
    if not isinstance(content, dict):
        raise ValueError(f"{effect!r} must be an object or null; got {content!r}")
    kinds = EFFECTS[effect]
    kind = kinds[0] if len(kinds) == 1 or any(key.startswith("probabilities") for key in content) else kinds[1]
    return kind(**_fields_from(effect, content, kind))


def _fields_from(where, content, kind, extra=frozenset()):
    keys = {f"{name} [{unit}]": name for name, unit in _UNITS[kind].items()}
    keys.update({name: name for name in extra | {"source"}})
    for key in content:
        if key not in keys:
            raise ValueError(f"{where} has the unknown key {key!r}; {nearest_name(key, keys)}")
    missing = [key for key in keys if key not in content]
    if missing:
        raise ValueError(f"{where} lacks {missing[0]!r}")
    return {keys[key]: value for key, value in content.items()}


def _record_to_json(record):
    units = _UNITS[type(record)]
    content = {f"{name} [{unit}]": _plain(getattr(record, name)) for name, unit in units.items()}
    return {**content, "source": record.source}


def _plain(value):
    return value.tolist() if isinstance(value, np.ndarray) else value
