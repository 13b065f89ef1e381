"""Files that are either whole or absent: written under a temporary name, then renamed. JSON that every reader accepts."""

import contextlib
import json
import os
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """Temporary path beside ``path``, with the same suffix; it takes the place of ``path`` when the block ends well.

    If the block raises, the temporary file is removed and ``path`` stays as it was.
    """
    path = Path(path)
    temporary = _new_file_beside(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save_json(path, content):
    """Write plain numbers, texts, lists and dicts as JSON; ValueError, and no file, if a number is not finite."""
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path):
    """Content of a JSON file; ValueError with the path if it is none."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None


def _new_file_beside(path):
    """Path of a new, empty, hidden file; the umask takes permissions away from 0o666 as for any other file."""
    while True:
        temporary = path.with_name(f".{path.stem}-{os.urandom(4).hex()}{path.suffix}")
        with contextlib.suppress(FileExistsError):
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            return temporary
