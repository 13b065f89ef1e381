"""Settings of a training: steps or epochs, and those of fine-tuning."""

import numpy as np
import pytest

from tiocross import MLP, Dataset, TrainingSettings, train
from tiocross.learning.training import draw_batches

RNG = np.random.default_rng
POINTS = Dataset(RNG(0).uniform(-1, 1, (70, 2)), RNG(1).permutation(70) % 2)


@pytest.mark.parametrize(("n_epochs", "batch_size", "n_steps"), [(1, 70, 1), (1, 69, 2), (3, 16, 15), (0.5, 16, 2),
                                                                 (0.01, 16, 1), (2.5, 256, 2)])
def test_epochs_become_steps(n_epochs, batch_size, n_steps):
    settings = TrainingSettings(n_epochs=n_epochs, batch_size=batch_size)
    assert settings.for_points(70).n_steps == n_steps and settings.for_points(70).n_epochs is None
    done = []
    network = train(MLP(2, 3, 1, rng=RNG(2)), POINTS, rng=RNG(3), settings=settings, on_progress=lambda *at: done.append(at))
    assert done == [(step + 1, n_steps) for step in range(n_steps)]
    in_steps = TrainingSettings(n_steps=n_steps, batch_size=batch_size)
    assert in_steps.for_points(70) is in_steps
    again = train(MLP(2, 3, 1, rng=RNG(2)), POINTS, rng=RNG(3), settings=in_steps)
    assert all(one.tobytes() == other.tobytes() for one, other in zip(network.arrays, again.arrays))


def test_whole_epochs_meet_every_point_equally_often():
    settings = TrainingSettings(n_epochs=3, batch_size=16).for_points(70)
    batches = draw_batches(70, 16, RNG(4))
    counts = np.bincount(np.concatenate([next(batches) for _ in range(settings.n_steps)]))
    assert (counts == 3).all()


@pytest.mark.parametrize(("n_epochs", "message"), [(0, "n_epochs must be above zero, or None"), (-1, "n_epochs must be"),
                                                   (float("nan"), "n_epochs must be")])
def test_epochs_that_mean_nothing_are_refused(n_epochs, message):
    with pytest.raises(ValueError, match=message):
        TrainingSettings(n_epochs=n_epochs)


def test_a_step_that_fits_into_no_memory_is_refused_at_once():
    with pytest.raises(ValueError, match=r"a step on 100000000000 chips would take .* GB .*; give settings with fewer n_chips"):
        train(MLP(2, 3, 1, rng=RNG(2)), POINTS, rng=RNG(3), settings=TrainingSettings(n_chips=10**11))


def test_fine_tuning_is_slow_and_short():
    settings = TrainingSettings.fine_tuning()
    assert settings == TrainingSettings(n_epochs=settings.n_epochs, learning_rate=settings.learning_rate)
    assert settings.learning_rate < 0.1 * TrainingSettings().learning_rate
    assert TrainingSettings.fine_tuning(2, 1e-4, 3) == TrainingSettings(n_epochs=2, learning_rate=1e-4, n_chips=3)
