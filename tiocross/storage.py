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
