"""The work that the tests of clusters give to each executor, as a module that workers can import."""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

from tiocross import MLP, TIO2, Dataset, sweep, transfer
from tiocross.transfers import units


def digest_of(outcome):
    """All bits of a transfer, as one text."""
    digest = hashlib.sha256(repr(outcome.summary()).encode())
    for values in (outcome.accuracies, outcome.rates, outcome.confusion):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def judge_all(executor=None, seconds=0.05):
    """Digests of a transfer of a small and of a large network, in units of about so many seconds."""
    units.UNIT_SECONDS, units._MEASURED, units.BYTES_PER_SECOND = seconds, 0.0, 1e12
    rng = np.random.default_rng(5)
    points = Dataset(rng.random((300, 2)), rng.integers(0, 2, 300))
    images = Dataset(rng.random((200, 64)), rng.integers(0, 10, 200))
    found = []
    for network, dataset, n_chips in ((MLP(2, 8, 1, rng=rng), points, 6_000), (MLP(64, 32, 10, rng=rng), images, 150)):
        outcome = transfer(network, dataset, device=TIO2, wire_resistance=2.0, n_transfers=n_chips,
                           rng=np.random.default_rng(3), executor=executor)
        found.append(digest_of(outcome))
    return found


def measure(a, rng):
    """A point of a sweep; at one of them a worker dies, once, where the environment names a folder to note it in."""
    died = Path(os.environ.get("CASES_FOLDER", ""), "died")
    if a == 5 and os.environ.get("CASES_PARENT", str(os.getpid())) != str(os.getpid()) and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"sum": a + rng.random(), "values": rng.random(4)}


def sweep_all(executor=None):
    """The table of a sweep of twelve points, and its arrays."""
    found = sweep(measure, {"a": list(range(12))}, rng=np.random.default_rng(9), executor=executor)
    return found.to_csv(), [values["values"].tolist() for values in found.arrays]


def main():
    """Under ``mpiexec -n 3 python -m mpi4py.futures``: print the digests of all work as one line of JSON."""
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor() as executor:
        print(json.dumps(judge_all(executor) + [executor.num_workers]))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from cluster_cases import main as run  # functions of __main__ are not found by the workers

    run()
