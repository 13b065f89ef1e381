"""A third of a minute of random circuits against the long-double elimination of scripts/soak.py."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from oracle import dense_circuit

from tiocross import Crossbar, custom, solve

SCRIPT = Path(__file__).parents[2] / "scripts" / "soak.py"


@pytest.fixture(scope="module")
def soak():
    spec = importlib.util.spec_from_file_location("soak", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_of_the_soak_is_the_dense_solution(soak):
    g = np.array([[1e-4, 3e-5, 0.0, 2e-9], [2e-4, 1e-3, 5e-12, 1e-4]])
    ends = {"left": [0.2, np.nan], "right": [np.nan, -0.1], "top": np.nan, "bottom": [0.0, 0.3, np.nan, 0.1]}
    wires = {"word_line_resistance": [3.0, 0.0], "bit_line_resistance": [1.0, 0.0, 7.0, 2.0], "source_resistance": 10.0}
    crossbar = Crossbar(g, **wires)
    found = soak.reference_of(crossbar, custom(crossbar, **{**ends, "top": None}))
    exact = dense_circuit(g, **ends, **wires)
    np.testing.assert_allclose(found.currents.astype(float), -exact.end_currents.bottom, rtol=1e-13)
    np.testing.assert_allclose(found.words.astype(float), exact.word_line_voltages, rtol=1e-13)
    np.testing.assert_allclose(found.bits.astype(float), exact.bit_line_voltages, rtol=1e-13, atol=1e-17)


def test_the_first_circuits_of_the_soak_are_right(soak):
    verdicts, bad = soak.soak(7, n_circuits=12)
    assert not bad and verdicts.total() == 12


@pytest.mark.slow
def test_twenty_seconds_of_random_circuits_is_right(soak):
    verdicts, bad = soak.soak(12, seconds=20.0)
    assert not bad, bad[:5]
    assert verdicts.total() > 100 and verdicts["right"] > 0.99 * verdicts.total()


def test_a_dead_selected_line_beside_live_ones_is_no_reason_to_refuse(soak):
    """Devices far from ohmic: the current of the selected line goes to zero, by a factor each sweep, and never is."""
    crossbar, biasing = soak.draw_circuit(np.random.default_rng([105, 13583]))
    assert soak.judge(crossbar, biasing) == "right"
    solution = solve(crossbar, biasing)
    assert not solution.bit_line_currents.any() and solution.uncertainty == 0.0


def test_rounding_on_one_line_is_not_taken_for_a_pair_of_currents(soak):
    """A device of 0.5 S between lines that float behind 1e-6 S: its rounded voltages count at their full shares."""
    assert soak.judge(*soak.draw_circuit(np.random.default_rng([107, 15448]))) == "right"
