"""Records show themselves in a line: what a notebook or a debugger prints when a name is typed."""

import inspect

import numpy as np
import pytest

import tiocross
from tiocross import TIO2, Adaptation, Crossbar, Sinh, SimulatedCrossbar, SwitchingModel, Transfer, read_device, solve
from tiocross.checks import kind_of, plural, with_article
from tiocross.mapping.targets import map_weights


def records(network, moons):
    targets = map_weights(network, TIO2)
    crossbar = Crossbar(targets[0], 1.0, iv=Sinh(np.full(targets[0].shape, 0.3)))
    made = tiocross.plan(network, TIO2)
    yield from (moons, moons.train, targets, targets.layers[0], targets.layout, targets.layout.blocks[0], made)
    yield from (crossbar, crossbar.iv, read_device(crossbar, 0, 1, 0.2), Adaptation(training=moons.train))
    yield from (tiocross.judge_readback(made, network, made.expected, moons.test), tiocross.TIO2_SWITCHING, TIO2.disturb)
    yield tiocross.compare_outputs([[1.0], [2.0], [3.0]], [[1.0], [2.0], [3.5]])
    solution = solve(Crossbar(targets[0]), np.zeros(len(targets[0])))
    yield from (solution, solution.end_currents)
    yield Transfer(np.ones(2), np.ones(3), np.eye(2, dtype=int), np.ones(3, bool), 4, 0.0, 0.2, ())


def test_every_record_shows_itself_in_one_short_line(network, moons):
    shown = {type(record).__name__: repr(record) for record in records(network, moons)}
    assert len(shown) >= 17
    for name, text in shown.items():
        assert name in text and len(text) < 300 and "\n" not in text and "array(" not in text, text
    assert shown["Task"].startswith(f"<Task: {len(moons.train)} training, ") and shown["Sinh"].count("x") == 1


def test_what_a_switching_model_shows_makes_it_again():
    assert repr(SwitchingModel()) == "SwitchingModel()" in str(inspect.signature(SimulatedCrossbar))
    changed = SwitchingModel(g_on=5e-4, stuck=None)
    assert repr(changed) == "SwitchingModel(g_on=0.0005, stuck=None)" and eval(repr(changed)) == changed


@pytest.mark.parametrize("v0", [0.3, np.float64(0.3)])
def test_one_number_is_shown_as_one(v0):
    assert repr(Sinh(v0)) == "Sinh(v0=0.3)"


def test_texts_say_a_or_an_and_one_or_many():
    assert [kind_of(value) for value in (1, 1.0, np.zeros(2), [], SwitchingModel())] == [
        "an int", "a float", "an ndarray", "a list", "a SwitchingModel"]
    nouns = ("8 x 8", "80", "18 x 4", "11 x 2", "110 x 2", "1 x 2", "4 x 8", "MLP", "Adam", "unit")
    assert [with_article(noun).split()[0] for noun in nouns] == ["an"] * 4 + ["a"] * 3 + ["an"] * 2 + ["a"]
    assert (plural(1, "seed"), plural(2, "seed"), plural(0, "seed")) == ("1 seed", "2 seeds", "0 seeds")
