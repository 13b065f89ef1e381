"""Device records as JSON in which every number carries its unit: ``"g_min [S]": 0.0001``."""

from os import PathLike

from tiocross import records
from tiocross.checks import require_name
from tiocross.devices.device import EFFECTS, YOUNG, Device, effects_shown, kinds_of
from tiocross.storage import save_json

FORMAT = "tiocross device 1"
_YOUNGER = ("lines", "array_shape [-]", *YOUNG)  # keys that files written before them lack


def save_device(device: Device, path: str | PathLike) -> None:
    """Write a device as JSON.

    Parameters
    ----------
    device : Device
        The record.
    path : str or Path
        The file to write. It appears whole or not at all.

    Examples
    --------
    >>> import tempfile
    >>> from tiocross import TIO2, load_device, save_device
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_device(TIO2, f"{folder}/device.json")
    ...     load_device(f"{folder}/device.json") == TIO2
    True
    """
    save_json(path, to_json(device))


def load_device(path: str | PathLike) -> Device:
    """Device from a JSON file that `save_device` or a person wrote.

    Parameters
    ----------
    path : str or Path
        The file to read.

    Returns
    -------
    Device
        The record, exactly as saved.

    Raises
    ------
    ValueError
        If the file is not such JSON, a key is missing or unknown, or a unit is not the expected one.

    Examples
    --------
    >>> import tempfile
    >>> from tiocross import TIO2_8X8, load_device, save_device
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_device(TIO2_8X8, f"{folder}/device.json")
    ...     load_device(f"{folder}/device.json").array_shape
    (8, 8)
    """
    return records.load(path, from_json)


def to_json(device):
    """Content of a device file: plain numbers, texts, lists and dicts, the unit in every key of a number."""
    content = {"format": FORMAT, "name": device.name, **records.to_json(device)}
    for effect, value in effects_shown(device).items():
        content[effect] = None if value is None else _named(effect, value)
    return content


def _named(effect, value):
    """Content of an effect; one that is not of the usual kind says of which."""
    kind = {} if type(value) is kinds_of(effect)[0] else {"kind": type(value).__name__}
    return {**kind, **records.to_json(value)}


def from_json(content):
    """Device from the content of a device file; ValueError if a key is missing or unknown, or has another unit."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"this is not a device file: it must hold an object with \"format\": \"{FORMAT}\"")
    content = {**dict.fromkeys(_YOUNGER), **content}
    del content["format"]
    values = records.values_from_json("device", content, Device, extra=("name", *EFFECTS))
    for effect in EFFECTS:
        if values[effect] is not None:
            if not isinstance(values[effect], dict):
                raise ValueError(f"{effect!r} must be an object or null; got {values[effect]!r}")
            values[effect] = _effect(effect, dict(values[effect]))
    return Device(**values)


def _effect(effect, content):
    """The record of an effect; of the usual kind, unless it says of which."""
    kinds = {kind.__name__: kind for kind in kinds_of(effect)}
    name = content.pop("kind", next(iter(kinds)))
    require_name(f"kind of {effect}", name, kinds)
    return kinds[name](**records.values_from_json(effect, content, kinds[name]))
