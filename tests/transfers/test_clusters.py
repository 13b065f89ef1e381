"""Real clusters on one computer: Dask, MPI, loky and processes give the bits of one thread, and lost workers cost nothing.

They come with the extra ``cluster``; where a package is missing its test is skipped.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from cluster_cases import judge_all, sweep_all
from conftest import ROOT

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def expected():
    """What one thread gives."""
    return judge_all(), sweep_all()


@pytest.fixture
def workers_find_the_cases(monkeypatch, tmp_path):
    """Processes that are started import the work and tiocross from here, and know where to note that one of them died."""
    monkeypatch.setenv("CASES_FOLDER", str(tmp_path))
    monkeypatch.setenv("CASES_PARENT", str(os.getpid()))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(ROOT), os.environ.get("PYTHONPATH", "")]))


def test_threads_and_processes(expected, workers_find_the_cases):
    with ThreadPoolExecutor(3) as threads:
        assert judge_all(threads) == expected[0]
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        assert judge_all(processes) == expected[0]


def test_a_killed_process_costs_nothing_but_its_unit(expected, workers_find_the_cases, tmp_path):
    with ProcessPoolExecutor(2, get_context("spawn")) as processes, pytest.warns(RuntimeWarning, match="takes no more work"):
        assert sweep_all(processes) == expected[1]
    assert (tmp_path / "died").exists()


@pytest.fixture
def client(workers_find_the_cases):
    """A Dask cluster of two processes on this computer."""
    pytest.importorskip("distributed", reason="Dask is not installed; it comes with the extra cluster")
    import dask
    from distributed import Client, LocalCluster

    options = {"distributed.scheduler.allowed-failures": 3, "distributed.worker.daemon": True}
    with dask.config.set(options), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Dask and what it loads, on forks, ports and files
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
                          silence_logs=logging.CRITICAL) as cluster, Client(cluster) as client:
            yield client


def test_dask(expected, client):
    with client.get_executor() as executor:
        assert judge_all(executor) == expected[0]
    assert len(client.scheduler_info()["workers"]) == 2


def test_a_killed_worker_of_dask_costs_nothing_but_its_unit(expected, client, tmp_path):
    with client.get_executor() as executor:
        assert sweep_all(executor) == expected[1]
    assert (tmp_path / "died").exists()


@pytest.mark.filterwarnings("ignore")  # of loky, on how many processors there are
def test_loky(expected, workers_find_the_cases):
    loky = pytest.importorskip("joblib.externals.loky", reason="joblib is not installed; it comes with the extra cluster")
    executor = loky.get_reusable_executor(max_workers=2)
    try:
        assert judge_all(executor) == expected[0]
    finally:
        executor.shutdown(wait=True)


def test_mpi(expected):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed; it comes with the extra cluster")
    mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if mpiexec is None:
        pytest.skip("there is no mpiexec; it comes with the extra cluster")
    done = subprocess.run([mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", str(HERE / "cluster_cases.py")],
                          capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)])})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [*expected[0], 2]
