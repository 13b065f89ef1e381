"""What is kept between processes may be damaged or lost, and compiling is watched."""

import importlib.util
import json
import logging
import os
import subprocess
import sys
import threading
import time

import numba
import pytest
from conftest import ROOT

from tiocross import jit

ADD = """
from tiocross.jit import helper, kernel


@helper
def twice(x):
    return 2.0 * x


@kernel
def add(x, y):
    return twice(x) + y
"""
CALL = """
import json
from sums import add
print(json.dumps([add(1.5, 0.25), sum(add.stats.cache_hits.values())]))
"""
DAMAGES = {"empty": lambda data: b"", "truncated": lambda data: data[: len(data) // 2],
           "one bit": lambda data: data[:-40] + bytes([data[-40] ^ 1]) + data[-39:]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with kernels, and a cache of its own."""
    (tmp_path / "sums.py").write_text(ADD)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def call(folder):
    """Value of a kernel that was imported anew, as a new process does, and whether it came from the cache in ``folder``."""
    spec = importlib.util.spec_from_file_location("sums", folder / "sums.py")
    sums = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "sums", sums)
        spec.loader.exec_module(sums)
        return [sums.add(1.5, 0.25), sum(sums.add.stats.cache_hits.values())]


def call_in_a_process(folder):
    """The same in a process of its own."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", CALL], capture_output=True, text=True, cwd=ROOT,
                          env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": f"{folder}:{ROOT}"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def kept(folder, suffix):
    return sorted((folder / "cache").rglob(f"*.{suffix}"))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_a_damaged_file_of_the_cache_means_to_compile_anew(folder, suffix):
    assert call_in_a_process(folder) == [3.25, 0]
    assert call(folder) == [3.25, 1]
    for name, damage in DAMAGES.items():
        (path,) = kept(folder, suffix)
        path.write_bytes(damage(path.read_bytes()))
        value, n_hits = call(folder)
        assert value == 3.25 and (n_hits == 0 or (suffix, name) == ("nbi", "one bit")), name
    assert call_in_a_process(folder) == [3.25, 1]  # and it is mended


@pytest.mark.slow
def test_a_lost_file_of_the_cache_means_to_compile_anew(folder):
    call(folder)
    kept(folder, "nbc")[0].unlink()
    assert call(folder) == [3.25, 0]
    assert call(folder) == [3.25, 1]


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_after_the_import_is_done_without(tmp_path, monkeypatch):
    for error in (PermissionError(13, "Permission denied"), OSError(28, "No space left on device"),
                  OSError(30, "Read-only file system")):
        def refuse(self, path, error=error):
            raise error

        monkeypatch.setattr(jit._CheckedFile, "_open_for_write", refuse)
        assert jit.kernel(lambda x: x + 1)(2) == 3


@pytest.mark.slow
def test_a_cache_whose_folder_became_a_file_is_done_without(tmp_path):
    add = jit.kernel(lambda x, y: x - y)
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    add._cache._cache_file._cache_path = str(blocked)
    add._cache._cache_file._index_path = str(blocked / "index.nbi")
    assert add(5, 3) == 2 and numba.__version__


@pytest.mark.slow
def test_compiling_says_for_how_long_and_logs_once_when_it_is_long(monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(jit, "_LONG", 0.0)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))  # where an earlier run has left nothing
    assert jit.compiling() == 0.0
    seen, done = [], threading.Event()

    def watch():
        while not done.is_set():
            seen.append(jit.compiling())
            time.sleep(0.002)

    def report_late(watch, name, report=jit._Watch.report):
        time.sleep(0.1)  # a small kernel is compiled before the other thread looks
        report(watch, name)

    monkeypatch.setattr(jit._Watch, "report", report_late)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with caplog.at_level(logging.INFO, logger="tiocross"):
            jit.kernel(lambda x: x * 3)(2)
    finally:
        done.set()
        watcher.join()
    assert max(seen) > 0.0 and jit.compiling() == 0.0
    assert len(caplog.records) == 1 and caplog.records[0].name == "tiocross"
    assert caplog.records[0].levelno == logging.INFO and "compiling" in caplog.records[0].getMessage()


@pytest.mark.slow
def test_a_kernel_that_cannot_be_compiled_leaves_nothing_under_way():
    import gc

    with pytest.raises(numba.core.errors.TypingError):
        jit.kernel(lambda x: x.nothing)(2)
    assert jit.compiling() == 0.0 and gc.isenabled()
