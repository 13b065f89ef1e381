"""What several test files need."""

import gc
from pathlib import Path

import numpy as np
import pytest

from tiocross import MLP, TIO2, NoiseInjection, TrainingSettings, plan, tasks, train

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT.parent / "shared" / "data" / "drolet2023"


def pytest_collection_finish(session):
    """What has been imported and collected stays, and need not be looked through again whenever garbage is collected."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def moons():
    return tasks.load_moons()


@pytest.fixture(scope="session")
def network(moons):
    """A 2-8-1 network that bends around the moons and stands some noise."""
    rng = np.random.default_rng(3)
    start = MLP(2, 8, 1, rng=rng)
    start.centre_inputs(moons.train)
    settings = TrainingSettings(n_steps=600, n_chips=2)
    return train(start, moons.train, [NoiseInjection()], device=TIO2, rng=rng, settings=settings)


@pytest.fixture(scope="module")
def planned(network, tmp_path_factory):
    """A plan of the network, and the folder that holds both."""
    folder = tmp_path_factory.mktemp("planned") / "plan"
    made = plan(network, TIO2)
    made.save(folder)
    network.save(folder / "network.npz")
    return made, folder


@pytest.fixture(scope="session")
def measured():
    """Folder with the measured data, or a skip."""
    if not MEASURED.is_dir():
        pytest.skip("the measured data are not here")
    return MEASURED
