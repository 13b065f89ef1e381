"""Where commands write: checked before any work."""

import os
from pathlib import Path

from tiocross.storage import replacing


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


def write_text(path, text):
    """Write a text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
