"""Several starts of one recipe: bits that do not depend on company, progress to the end, refusals before any work."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import ROBUST, TIO2_8X8, TrainingSettings, train_robust
from tiocross.study import starts
from tiocross.study.starts import train_starts
from tiocross.tasks import generate_moons

RNG = np.random.default_rng
SHORT = TrainingSettings(n_steps=5, n_chips=2, batch_size=32)
RECIPE = replace(ROBUST, activations=("tanh", "relu"), training=SHORT)


@pytest.fixture(scope="module")
def moons():
    return generate_moons(rng=RNG(1), n_train=60, n_validation=10, n_test=10).train


@pytest.fixture
def few_chips(monkeypatch):
    monkeypatch.setattr(starts, "_CHIPS", 5)


def test_a_seed_gives_the_same_network_alone_and_with_others(moons, few_chips):
    together = train_starts(RECIPE, moons, TIO2_8X8, rngs=[RNG(1), RNG(2), RNG(3)], settings=SHORT)
    alone = train_starts(RECIPE, moons, TIO2_8X8, rngs=[RNG(2)], settings=SHORT)[0]
    assert together[1].activation == alone.activation
    assert [a.tobytes() for a in together[1].arrays] == [a.tobytes() for a in alone.arrays]


@pytest.mark.parametrize("activations, n_all", [(("tanh", "relu"), 5 + 4), (("tanh",), 5)])
def test_progress_goes_on_while_starts_are_chosen_and_ends_at_the_total(moons, few_chips, activations, n_all):
    seen = []
    train_starts(replace(RECIPE, activations=activations), moons, TIO2_8X8, rngs=[RNG(1), RNG(2)], settings=SHORT,
                 on_progress=lambda *progress: seen.append(progress))
    assert seen == [(k, n_all) for k in range(1, n_all + 1)]


@pytest.mark.parametrize("wrong, text", [
    ({"dataset": [[0.0, 1.0]]}, "dataset must be a Dataset; got a list"),
    ({"settings": "quick"}, r"settings must be TrainingSettings\(...\); got 'quick'"),
    ({"settings": None}, r"settings must be TrainingSettings\(...\); got None"),
])
def test_a_list_as_dataset_and_a_text_as_settings_are_named(moons, wrong, text):
    arguments = {"dataset": moons, "settings": SHORT, **wrong}
    with pytest.raises(TypeError, match=text):
        train_robust(arguments["dataset"], TIO2_8X8, rng=RNG(0), settings=arguments["settings"])


def test_the_text_of_train_robust_names_all_units_that_it_may_choose():
    assert all(name in train_robust.__doc__ for name in set(ROBUST.activations))
