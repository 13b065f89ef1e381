"""Files that are either whole or absent: written under a temporary name, then renamed. JSON that every reader accepts.

Links are written through. Devices and pipes, such as /dev/stdout, are written into: they are never replaced by a file. A
temporary file is locked while its writer lives, so that the next writer in the folder removes what a killed one left.
"""

import contextlib
import importlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from pathlib import Path

from tiocross.checks import as_path

_POSIX = os.name == "posix"
_LOCKS = importlib.import_module("fcntl" if _POSIX else "msvcrt")
_DAY = 86_400.0  # [s]
TEMPORARY = re.compile(r"\.tiocross-[0-9a-f]{16}(\.\w{1,8})?")  # names of files before they are whole


@contextlib.contextmanager
def replacing(path):
    """Temporary path with the suffix of ``path``, whose place it takes when the block ends well.

    If the block raises, the temporary file is removed and ``path`` stays as it was; errors name ``path``.
    """
    as_path("path", path)
    stream = _is_stream(path)
    place = Path(tempfile.gettempdir(), Path(path).name) if stream else Path(os.path.realpath(path))
    temporary, lock = None, None
    try:
        _remove_stale(place.parent)
        temporary, lock = _new_file_beside(place)
        yield temporary
        if stream:
            with temporary.open("rb") as source, open(_open_stream(path), "wb") as target:
                shutil.copyfileobj(source, target)
        else:
            with contextlib.suppress(OSError):  # an earlier file keeps its permissions
                os.chmod(temporary, stat.S_IMODE(place.stat().st_mode))
            os.replace(temporary, place)
    except OSError as error:
        named = error.filename
        if error.errno is None or not (named in (None, str(place)) or TEMPORARY.fullmatch(os.path.basename(named))):
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
            _release(lock)


@contextlib.contextmanager
def new_folder(path):
    """Temporary folder beside ``path``, whose place it takes when the block ends well; ``path`` may be an empty folder."""
    place = Path(os.path.realpath(as_path("path", path)))
    _remove_stale(place.parent)
    temporary, lock = place.with_name(f".tiocross-{os.urandom(8).hex()}"), None
    try:
        temporary.mkdir()
        lock = os.open(temporary, os.O_RDONLY) if _POSIX else None
        if lock is not None:
            _holds(lock)
        yield temporary
        os.replace(temporary, place)
    except OSError as error:
        if error.errno is None or not (error.filename is None or str(error.filename).startswith(str(temporary))):
            raise
        inside = str(error.filename or temporary).removeprefix(str(temporary))
        raise type(error)(error.errno, error.strerror, f"{path}{inside}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        _release(lock)


def save_json(path, content):
    """Write plain numbers, texts, lists and dicts as JSON; ValueError, and no file, if a number is not finite."""
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path):
    """Content of a JSON file; ValueError with the path if it is none, or gives a key twice."""
    try:
        return json.loads(as_path("path", path).read_text(encoding="utf-8-sig"), object_pairs_hook=without_doubles)
    except (ValueError, RecursionError) as error:  # of json, of undecodable bytes, of integers without end
        raise ValueError(f"{path} is not JSON: {error}") from None


def without_doubles(pairs):
    """Dict of the pairs of a JSON object; ValueError if a key is given twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return content


def _is_stream(path):
    """Whether a path is a device, a pipe, or a name of an open file, which are written into."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISDIR(mode) and (not stat.S_ISREG(mode) or _number_of_open_file(path) is not None)


def _number_of_open_file(path):
    """The number that a path such as /dev/stdout or /dev/fd/3 gives to a file that this process has open."""
    found = re.fullmatch(r"/dev/(stdout|stderr)|(?:/dev|/proc/self)/fd/(\d+)", os.path.abspath(path))
    return None if found is None else int(found[2] or {"stdout": 1, "stderr": 2}[found[1]])


def _open_stream(path):
    """Descriptor to write into; that of an open file goes on where it is."""
    number = _number_of_open_file(path)
    return os.open(path, os.O_WRONLY) if number is None else os.dup(number)


def _new_file_beside(path):
    """Path of a new, empty, hidden file, and its lock; the umask takes permissions away from 0o666 as for any other file."""
    suffix = path.suffix if re.fullmatch(r"\.\w{1,8}", path.suffix, re.ASCII) else ""
    while True:
        temporary = path.with_name(f".tiocross-{os.urandom(8).hex()}{suffix}")
        with contextlib.suppress(FileExistsError):
            lock = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            if not _POSIX:  # Windows neither locks such a file nor replaces by one that is open
                os.close(lock)
                return temporary, None
            if _holds(lock) and temporary.exists():  # nobody took it for a stale one meanwhile
                return temporary, lock
            os.close(lock)


def _holds(lock):
    """Whether this process now holds the lock; True where the file system knows no locks."""
    try:
        _LOCKS.flock(lock, _LOCKS.LOCK_EX | _LOCKS.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _release(lock):
    if lock is not None:
        os.close(lock)


def _remove_stale(folder):
    """Remove the temporary files and folders that killed processes left in a folder: those that nobody holds locked, or,
    where files cannot be locked, those older than a day."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for path in [entry.path for entry in entries if TEMPORARY.fullmatch(entry.name)]:
            with contextlib.suppress(OSError):
                if not _POSIX:
                    if time.time() - os.stat(path).st_mtime > _DAY:
                        _remove(path)
                    continue
                lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
                try:
                    _LOCKS.flock(lock, _LOCKS.LOCK_EX | _LOCKS.LOCK_NB)
                    _remove(path)
                finally:
                    os.close(lock)


def _remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def save_text(path, text):
    """Write a text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def require_writable_file(path):
    """Raise ValueError unless a file can be written there, or what is there can be written into."""
    if not str(path) or os.path.isdir(path):
        raise ValueError(f"cannot write the file {str(path)!r}: it is a folder; choose another with --out")
    try:
        if os.path.islink(path) and not os.path.exists(path):
            os.stat(os.path.dirname(os.path.realpath(path, strict=False)))
        with contextlib.suppress(FileNotFoundError):
            os.stat(path)  # a name too long, links in a circle
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror}; choose another with --out") from None
    if _is_stream(path):
        if not os.access(path, os.W_OK):
            raise ValueError(f"cannot write into {path}; choose another with --out")
        return
    folder = Path(os.path.realpath(path)).parent
    shown = Path(path).parent if not os.path.islink(path) else folder
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"cannot write {path}: {shown} is not a folder that can be written to; choose another with --out")
    _try_folder(folder, f"cannot write {path}: {shown} takes no new files")


def require_new_folder(path, also=""):
    """Raise ValueError unless a folder can be made there, or an empty one is there; ``also`` says what else helps."""
    path = Path(path)
    _require_whole_links(path)
    if not str(path) or path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"the output folder {str(path)!r} exists already; choose another with --out{also}")
    require_writable_file(path / "a file" if path.exists() else path)


def require_folder(path):
    """Raise ValueError unless files can be written there, after making the folder and those on the way to it."""
    path = Path(path)
    _require_whole_links(path)
    resolved = path.resolve()
    existing = next(parent for parent in (resolved, *resolved.parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        what = "is not a folder" if not existing.is_dir() else "is not writable"
        raise ValueError(f"cannot write to the output folder {path}: {existing} {what}; choose another with --out")
    _try_folder(existing, f"cannot write to the output folder {path}: {existing} takes no new files")


def _require_whole_links(path):
    """Raise ValueError if a part of a path is a link that leads nowhere, or a name that no folder can have."""
    try:
        for part in (*reversed(path.parents), path):
            if part.is_symlink() and not os.path.exists(part):
                raise ValueError(f"cannot write to {path}: {part} is a link that leads nowhere; choose another with --out")
    except OSError as error:
        raise ValueError(f"cannot write to {path}: {error.strerror}; choose another with --out") from None


def _try_folder(folder, problem):
    """Raise ValueError unless a file can be made in a folder; some, such as /proc, only look as if."""
    try:
        temporary, lock = _new_file_beside(folder / "file")
        temporary.unlink()
        _release(lock)
    except OSError as error:
        raise ValueError(f"{problem}: {error.strerror}; choose another with --out") from None


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


def require_unlocked(path):
    """Raise ValueError if another process holds the folder; nothing is made or removed."""
    if (Path(path) / ".lock").is_file() and os.access(Path(path) / ".lock", os.R_OK | os.W_OK):
        with contextlib.suppress(FileNotFoundError), (Path(path) / ".lock").open("a") as file:
            try:
                _hold(file)
            except OSError:
                raise _held(path) from None


def _held(folder):
    return ValueError(f"another process writes to {folder}; wait for it, or choose another folder with --out")


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
            raise _held(folder) from None
        file.close()  # the holder before removed this file in the meantime


def _hold(file):
    """Take the lock of an open file, or raise OSError."""
    if os.name == "posix":
        _LOCKS.flock(file, _LOCKS.LOCK_EX | _LOCKS.LOCK_NB)
    else:
        _LOCKS.locking(file.fileno(), _LOCKS.LK_NBLCK, 1)
