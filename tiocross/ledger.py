"""What is finished of long work, on disk: one line of JSON for each unit, and an npz file with its arrays.

The first line says what the work is; only the same work goes on with it. A line is written through, after the file of the
unit's arrays took its name, so that a process killed at any time costs the units that were at work and no others. A line
that was being written, at the end, is cut off.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from tiocross.storage import replacing

_FORMAT = "tiocross ledger 1"


class Ledger:
    """Finished units by their keys, texts, in ``path``, a file; arrays lie in the folder ``<path without suffix>``.

    ``identity``, a dict, says what the work is. With ``resume`` units of an earlier process are there again; ValueError if
    it did other work, or if there is one and ``resume`` is not set. The caller holds the folder for one writer."""

    def __init__(self, path, identity, *, resume=False):
        self.path, self._arrays = Path(path), Path(path).with_suffix("")
        identity = as_in_file(identity)
        found, self._units = read_units(self.path) if self.path.exists() else (None, {})
        if found is not None and not resume:
            raise ValueError(f"{self.path.parent} holds {len(self._units)} finished units of earlier work; go on with it, "
                             "or choose another folder")
        if found is not None:
            require_same(found, identity, self.path.parent)
            os.truncate(self.path, _n_whole_bytes(self.path))
        self._arrays.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("ab" if found is not None else "wb")
        if found is None:
            self._write({"format": _FORMAT, "identity": identity})

    def __len__(self):
        return len(self._units)

    def __contains__(self, key):
        return key in self._units

    def get(self, key):
        """Record and arrays of a finished unit, two dicts; None if it is not finished, or its arrays are gone."""
        if key not in self._units:
            return None
        return load_unit(self.path, self._units[key])

    def add(self, key, record, arrays=None):
        """Keep a finished unit: plain names and numbers, and arrays by name; gives them as `get` will.

        ValueError if a number is not finite."""
        line = {"key": key, "record": record, "arrays": None}
        if arrays:
            line["arrays"] = f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"
        text = _as_line(line)  # first: what cannot be written leaves nothing
        if arrays:
            with replacing(self._arrays / line["arrays"]) as temporary, open(temporary, "wb") as file:
                np.savez(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
        self._write(text)
        self._units[key] = json.loads(text)
        return self._units[key]["record"], dict(arrays or {})

    def close(self):
        """End writing."""
        self._file.close()

    def remove(self):
        """End writing and remove everything."""
        self.close()
        remove_ledger(self.path)

    def _write(self, line):
        self._file.write((line if isinstance(line, str) else _as_line(line)).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def remove_ledger(path):
    """Remove a ledger, if there is one, and the arrays of its units."""
    path.unlink(missing_ok=True)  # first: without it the arrays mean nothing
    arrays = path.with_suffix("")
    if arrays.is_dir():
        for file in arrays.iterdir():
            if file.suffix == ".npz":
                file.unlink()
        if not any(arrays.iterdir()):
            arrays.rmdir()


def read_units(path):
    """Identity, a dict, and finished units by key, from a ledger's file; (None, {}) if not even its first line is whole.

    ValueError if it is no ledger."""
    identity, units = None, {}
    for number, line in enumerate(Path(path).read_bytes()[: _n_whole_bytes(path)].splitlines(), 1):
        try:
            content = json.loads(line)
            if number == 1:
                identity = content["identity"] if content["format"] == _FORMAT else content[_FORMAT]
            else:
                units[content["key"]] = {"record": content["record"], "arrays": content["arrays"]}
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path}, line {number} is not one that tiocross wrote: {line[:60]!r}") from None
    return identity, units


def load_unit(path, unit):
    """Record and arrays of one of `read_units`; None if its arrays are gone or damaged."""
    if unit["arrays"] is None:
        return unit["record"], {}
    try:
        with np.load(Path(path).with_suffix("") / unit["arrays"], allow_pickle=False) as archive:
            return unit["record"], {name: archive[name] for name in archive.files}
    except Exception:  # a damaged archive can make zipfile and NumPy raise almost anything; the unit is done again
        return None


def require_same(found, wanted, folder):
    """Raise ValueError that names what differs between two identities, dicts."""
    wanted = as_in_file(wanted)
    for name in dict.fromkeys([*wanted, *found]):
        if found.get(name) != wanted.get(name):
            raise ValueError(f"{folder} holds other work: {name} was {_shown(found.get(name))}, now it is "
                             f"{_shown(wanted.get(name))}. Only the same work can go on; choose another folder")


def as_in_file(content):
    """Plain content as a file of JSON gives it back: tuples are lists."""
    return json.loads(_as_line(content))


def _shown(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:60]}... ({hashlib.sha256(text.encode()).hexdigest()[:8]})"


def _as_line(content):
    return json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _n_whole_bytes(path):
    """Bytes up to the last end of line."""
    return Path(path).read_bytes().rfind(b"\n") + 1
