"""Files that are whole or absent: their permissions, their names, and JSON."""

import os
import stat
import threading

import pytest

from tiocross.storage import locked_folder, read_json, replacing, save_json


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
        with pytest.raises(ValueError, match="another process writes to .*folder; wait for it, or choose another"), locked_folder(folder):
            pass
        with locked_folder(tmp_path / "another"):
            pass
    (folder / ".lock").touch()  # as a killed process leaves it
    with locked_folder(folder), pytest.raises(ValueError), locked_folder(folder):
        pass
    assert not list(folder.iterdir())
