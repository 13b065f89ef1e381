"""Files that are either whole or absent: written under a temporary name, then renamed."""

import contextlib
import json
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """Temporary path beside ``path`` that takes its place when the block ends well, and vanishes otherwise.

    Parameters
    ----------
    path : str or Path
        The file to write (unitless).

    Yields
    ------
    Path
        Where to write; same suffix, same folder, so that the last step is one rename.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_current_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save_json(path, content):
    """Write ``content`` as JSON that every reader accepts (no NaN, no infinity).

    Parameters
    ----------
    path : str or Path
        The file to write (unitless).
    content : dict or list
        Plain numbers, strings, lists and dicts (unitless).

    Raises
    ------
    ValueError
        If a number is not finite; nothing is written.
    """
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def save_text(path, text):
    """Write a text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def require_writable_file(path):
    """Raise ValueError unless a file can be written there."""
    folder = Path(path).parent
    if not str(path) or Path(path).is_dir():
        raise ValueError(f"cannot write the file {str(path)!r}: it is a folder; choose another with --out")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"cannot write {path}: {folder} is not a folder that can be written to; choose another with --out")


def require_new_folder(path, also=""):
    """Raise ValueError unless a folder can be made there, or an empty one is there; ``also`` says what else helps."""
    path = Path(path)
    if not str(path) or path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"the output folder {str(path)!r} exists already; choose another with --out{also}")
    require_writable_file(path / "a file" if path.exists() else path)


def require_folder(path):
    """Raise ValueError unless files can be written there, after making the folder and those on the way to it."""
    path = Path(path)
    resolved = path.resolve()
    existing = next(parent for parent in (resolved, *resolved.parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        what = "is not a folder" if not existing.is_dir() else "is not writable"
        raise ValueError(f"cannot write to the output folder {path}: {existing} {what}; choose another with --out")
