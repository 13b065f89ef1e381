"""Files that are either whole or absent: written under a temporary name, then renamed. JSON that every reader accepts."""

import contextlib
import importlib
import json
import os
from pathlib import Path

_LOCKS = importlib.import_module("fcntl" if os.name == "posix" else "msvcrt")


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


@contextlib.contextmanager
def locked_folder(path):
    """Hold a folder, which is made, for one writer; ValueError if another one holds it. The lock ends with the process;
    of one that was killed a file ``.lock`` stays, which locks nothing."""
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(_lock(path)) as file:
        try:
            yield
        finally:
            if os.name != "posix":  # Windows removes no open file
                file.close()
            (path / ".lock").unlink(missing_ok=True)


def _lock(folder):
    """The folder's lock file, open and held by this process."""
    while True:
        file = (folder / ".lock").open("a")
        try:
            _hold(file)
            if os.fstat(file.fileno()).st_ino == (folder / ".lock").stat().st_ino:
                return file
        except FileNotFoundError:
            pass
        except OSError:
            file.close()
            raise ValueError(f"another process writes to {folder}; wait for it, or choose another folder with "
                             "--out") from None
        file.close()  # the holder before removed this file in the meantime


def _hold(file):
    """Take the lock of an open file, or raise OSError."""
    if os.name == "posix":
        _LOCKS.flock(file, _LOCKS.LOCK_EX | _LOCKS.LOCK_NB)
    else:
        _LOCKS.locking(file.fileno(), _LOCKS.LK_NBLCK, 1)
