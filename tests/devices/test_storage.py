"""Files that are whole or absent: their permissions, their names, and JSON."""

import errno
import os
import stat
import subprocess
import sys
import threading

import pytest
from conftest import ROOT

from tiocross.storage import (
    locked_folder, new_folder, read_json, replacing, require_folder, require_new_folder, require_writable_file, save_json,
    save_text,
)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_have_the_permissions_that_the_umask_leaves(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        save_json(tmp_path / "new.json", [1])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.json").stat().st_mode) == mode


def test_the_umask_of_the_process_is_never_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask belongs to the whole process"))
    save_json(tmp_path / "new.json", [1])
    assert read_json(tmp_path / "new.json") == [1]


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".csv" and temporary.name.startswith(".tiocross-")
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        save_json(tmp_path / "nowhere" / "new.json", [1])


def test_writers_side_by_side_do_not_meet(tmp_path):
    threads = [threading.Thread(target=save_json, args=(tmp_path / "one.json", [k] * 1000)) for k in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(read_json(tmp_path / "one.json"))) == 1 and len(list(tmp_path.iterdir())) == 1


def test_what_is_no_json_is_refused_with_its_path(tmp_path):
    for content in (b"{", b"\xff", b"[" * 100_000):
        (tmp_path / "bad.json").write_bytes(content)
        with pytest.raises(ValueError, match="bad.json is not JSON"):
            read_json(tmp_path / "bad.json")
    with pytest.raises(ValueError):
        save_json(tmp_path / "new.json", [float("nan")])
    assert not (tmp_path / "new.json").exists()


def test_a_folder_has_one_writer_and_the_lock_leaves_nothing(tmp_path):
    folder = tmp_path / "new" / "folder"
    with locked_folder(folder):
        with (pytest.raises(ValueError, match="another process writes to .*folder; wait for it, or choose another"),
              locked_folder(folder)):
            pass
        with locked_folder(tmp_path / "another"):
            pass
    (folder / ".lock").touch()  # as a killed process leaves it
    with locked_folder(folder), pytest.raises(ValueError), locked_folder(folder):
        pass
    assert not list(folder.iterdir())


def test_links_are_written_through_and_streams_into(tmp_path, monkeypatch):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "real.json").chmod(0o640)
    for name, target in (("link.json", "real.json"), ("new.json", "made.json")):  # the second leads to what is not there yet
        (tmp_path / name).symlink_to(target)
        require_writable_file(tmp_path / name)
        save_json(tmp_path / name, [1])
        assert (tmp_path / name).is_symlink() and read_json(tmp_path / target) == [1]
    assert stat.S_IMODE((tmp_path / "real.json").stat().st_mode) == 0o640
    os.mkfifo(tmp_path / "pipe")
    require_writable_file(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    save_text(tmp_path / "pipe", "through\n")
    reader.join()
    assert read == ["through\n"] and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    save_text("/dev/null", "gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "made.json", "new.json", "pipe", "real.json"]


def test_an_open_file_named_by_its_number_is_written_on(tmp_path):
    with open(tmp_path / "shown.txt", "w") as file:
        file.write("before\n")
        file.flush()
        save_text(f"/dev/fd/{file.fileno()}", "between\n")
        file.write("after\n")
    assert (tmp_path / "shown.txt").read_text() == "before\nbetween\nafter\n"


@pytest.mark.parametrize("kind", ["loop", "nowhere", "long", "proc", "sys", "folder", "empty"])
def test_places_that_take_no_file_are_refused_beforehand(kind, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("no/file")
    path = {"long": tmp_path / ("a" * 256), "proc": "/proc/file.json", "sys": "/sys/file.json", "folder": tmp_path,
            "empty": ""}.get(kind, tmp_path / kind)
    with pytest.raises(ValueError, match="choose another with --out"):
        require_writable_file(path)
    if kind not in ("folder", "empty"):
        for require in (require_new_folder, require_folder):
            with pytest.raises(ValueError, match="choose another with --out"):
                require(path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["loop", "nowhere"]


def test_names_may_be_as_long_as_the_file_system_allows(tmp_path):
    for name in ("a" * 250, "b." + "c" * 240, "\u00e9" * 120 + ".json"):
        require_writable_file(tmp_path / name)
        save_json(tmp_path / name, [name])
        assert read_json(tmp_path / name) == [name]


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    killed = ("import os, sys\nfrom tiocross.storage import replacing\nwith replacing(sys.argv[1]) as temporary:\n"
              "    temporary.write_text('half')\n    os.kill(os.getpid(), 9)")
    subprocess.run([sys.executable, "-c", killed, str(tmp_path / "figure.png")], cwd=ROOT, check=False)
    left = list(tmp_path.iterdir())
    assert len(left) == 1 and left[0].name.startswith(".tiocross-")
    with replacing(tmp_path / "slow.json") as temporary:
        save_json(tmp_path / "other.json", [1])
        assert temporary.exists() and not left[0].exists()  # a writer that lives keeps its file
        temporary.write_text("[2]")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.json", "slow.json"]
    assert read_json(tmp_path / "slow.json") == [2]


def test_errors_name_the_file_that_was_wanted(tmp_path):
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        save_text("/dev/full", "too much")
    with pytest.raises(OSError) as raised, replacing(tmp_path / "full.json"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert raised.value.filename == str(tmp_path / "full.json")
    with pytest.raises(FileNotFoundError) as raised:
        save_text(tmp_path / "nowhere" / "new.txt", "")
    assert raised.value.filename == str(tmp_path / "nowhere" / "new.txt")


def test_json_of_editors_is_read_and_of_doubled_keys_refused(tmp_path):
    path = tmp_path / "card.json"
    path.write_bytes(b"\xef\xbb\xbf{\"a\": 1}")
    assert read_json(path) == {"a": 1}
    for content in ('{"a": 1, "b": {"c": 1, "c": 2}}', f'{{"a": {"9" * 5000}}}'):
        path.write_text(content)
        with pytest.raises(ValueError, match=r"card.json is not JSON: (the key 'c' is given twice|Exceeds)"):
            read_json(path)


def test_a_folder_is_whole_or_absent_and_what_a_killed_writer_left_is_removed(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "run") as whole:
        (whole / "half.txt").write_text("half")
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    killed = ("import os, sys\nfrom tiocross.storage import new_folder\nwith new_folder(sys.argv[1]) as whole:\n"
              "    (whole / 'half.txt').write_text('half')\n    os.kill(os.getpid(), 9)")
    subprocess.run([sys.executable, "-c", killed, str(tmp_path / "run")], cwd=ROOT, check=False)
    left = list(tmp_path.iterdir())
    assert len(left) == 1 and (left[0] / "half.txt").exists()
    with new_folder(tmp_path / ("r" * 250)) as whole:
        assert not left[0].exists()
        save_json(tmp_path / "other.json", 1)  # a writer that lives keeps its folder
        save_json(whole / "all.json", 2)
    assert read_json(tmp_path / ("r" * 250) / "all.json") == 2 and len(list(tmp_path.iterdir())) == 2
    with pytest.raises(FileNotFoundError) as raised, new_folder(tmp_path / "no" / "run"):
        pass
    assert raised.value.filename == str(tmp_path / "no" / "run")
