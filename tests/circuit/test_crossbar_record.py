"""A crossbar stays what it was made of: copies, changed copies, rounding that is refused instead of hidden."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from oracle import dense_circuit, reduced_crossbar

from tiocross import Biasing, Crossbar, Cubic, Polynomial, Sinh, custom, solve, transfer_matrix
from tiocross.circuit.solvers.prepared import prepare

G = np.random.default_rng(3).uniform(1e-3, 1e-2, (6, 5))
V = np.linspace(0.05, 0.2, 6)


def test_a_changed_copy_has_the_wires_that_were_asked_for():
    crossbar = Crossbar(G, 1.0)
    with pytest.raises(ValueError, match="wire_resistance = 100 ohm contradicts .* set those to be changed, or to None"):
        dataclasses.replace(crossbar, wire_resistance=100.0)
    with pytest.raises(ValueError, match="wire_resistance = 0 ohm contradicts"):
        dataclasses.replace(crossbar, wire_resistance=0.0)
    changed = dataclasses.replace(crossbar, wire_resistance=100.0, word_line_resistance=None, bit_line_resistance=None)
    assert np.array_equal(solve(changed, V).bit_line_currents, solve(Crossbar(G, 100.0), V).bit_line_currents)
    doubled = dataclasses.replace(crossbar, conductances=2 * G)
    assert np.array_equal(solve(doubled, V).bit_line_currents, solve(Crossbar(2 * G, 1.0), V).bit_line_currents)


def test_wire_resistance_is_told_where_all_segments_have_it():
    assert Crossbar(G).wire_resistance == 0.0
    assert Crossbar(G, word_line_resistance=2.0, bit_line_resistance=2.0).wire_resistance == 2.0
    assert Crossbar(G, 2.0, word_line_resistance=1.0).wire_resistance is None


@pytest.mark.parametrize("law", [None, Sinh(0.3), Cubic(np.full(G.shape, 2.0)), Polynomial(np.full(G.shape, 0.5), 1.0)])
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_as_frozen_as_the_original(duplicate, law):
    crossbar = duplicate(Crossbar(G, 1.0, sense_resistance=3.0, iv=law))
    for name in ("conductances", "word_line_resistance", "bit_line_resistance", "source_resistance", "sense_resistance"):
        assert not getattr(crossbar, name).flags.writeable
    assert np.shares_memory(crossbar.conductances, prepare(crossbar).arrays)
    assert law is None or not any(values.flags.writeable for values in crossbar.iv.parameters)
    assert np.array_equal(solve(crossbar, V).bit_line_currents,
                          solve(Crossbar(G, 1.0, sense_resistance=3.0, iv=law), V).bit_line_currents)


def test_a_biasing_stays_frozen_when_pickled():
    biasing = pickle.loads(pickle.dumps(custom(Crossbar(G, 1.0), left=V, bottom=0.0)))
    assert not any(getattr(biasing, end).flags.writeable for end in ("left", "right", "top", "bottom"))


def test_a_huge_sense_resistance_costs_no_digits_of_the_current():
    """The drop across the devices is 1e-8 of the voltage: no difference of node voltages may enter the current."""
    crossbar = Crossbar(G, 1.0, sense_resistance=1e9)
    selected = Biasing(np.full(6, 0.1), np.full(6, np.nan), np.full(5, np.nan), np.zeros(5), (0, 0))
    exact = dense_circuit(G, selected.left, selected.right, selected.top, selected.bottom, word_line_resistance=1.0,
                          bit_line_resistance=1.0, sense_resistance=1e9)
    error = np.abs(solve(crossbar, selected).bit_line_currents + exact.end_currents.bottom)
    assert error.max() <= 1e-9 * np.abs(exact.end_currents.bottom).max()


@pytest.mark.parametrize("resistance", [1e-6, 1e-9, 1e-12])
def test_bit_lines_held_at_both_ends_by_next_to_nothing_share_their_current(resistance):
    """How the current splits is a difference of voltages over that resistance, which double precision does not have."""
    crossbar = Crossbar(G, resistance)
    solution = solve(crossbar, custom(crossbar, left=0.3, top=0.1, bottom=0.1))
    exact = dense_circuit(G, 0.3, np.nan, 0.1, 0.1, word_line_resistance=resistance, bit_line_resistance=resistance)
    error = np.abs(solution.bit_line_currents + exact.end_currents.bottom)
    assert error.max() <= solution.uncertainty <= 1e-9 * np.abs(exact.device_currents).sum(axis=0).max()


def test_a_small_difference_of_large_voltages_is_what_counts():
    crossbar = Crossbar(G, 1.0)
    step = (1 + 1e-9) - 1.0
    found = solve(crossbar, custom(crossbar, left=1 + 1e-9, bottom=1.0)).bit_line_currents
    np.testing.assert_allclose(found, solve(crossbar, np.full(len(G), step)).bit_line_currents, rtol=2e-9)
    assert not solve(crossbar, custom(crossbar, left=1.0, bottom=1.0)).bit_line_currents.any()


def test_many_inputs_are_solved_where_the_matrix_cannot_be_confirmed():
    """With 1e6 ohm at every end the matrix cannot be had at the accuracy that confirms it, one input after the other can."""
    g = np.random.default_rng(0).uniform(1e-4, 5e-4, (20, 14))
    crossbar = Crossbar(g, 1.0, source_resistance=1e6, sense_resistance=1e6)
    inputs = np.random.default_rng(1).uniform(0.05, 0.2, (130, 20))
    solution = solve(crossbar, inputs)
    assert (solution.n_sweeps > 0).all()
    assert np.array_equal(solution.bit_line_currents[7], solve(crossbar, inputs[7]).bit_line_currents)


def test_transfer_matrix_of_shielded_rows_is_bounded_by_the_gross_current():
    """Rows far from the bottom hardly reach it: the bound refers to the gross current of the drive, as documented."""
    g = np.random.default_rng(2).uniform(1e-4, 1e-2, (12, 20))
    matrix = transfer_matrix(Crossbar(g, word_line_resistance=1.0, bit_line_resistance=1e3))
    for i, drive in enumerate(np.eye(12)):
        currents, gross = reduced_crossbar(g, drive, 1.0, 1e3)
        assert np.abs(matrix[i] - currents).max() <= 1e-9 * gross


def test_enormous_resistances_at_the_ends_leave_small_currents():
    g = np.random.default_rng(4).uniform(1e-3, 1e-2, (20, 14))
    crossbar = Crossbar(g, 1.0, source_resistance=1e14, sense_resistance=1e14)
    found = solve(crossbar, np.full(20, 0.1)).bit_line_currents
    np.testing.assert_allclose(found, 0.1 / (1e14 / 20 + 1e14 / 14) / 14, rtol=1e-9)  # the array itself is next to a short


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_array_with_an_island_is_found_for_any_number_of_workers(workers):
    conductances = np.full((4, 3, 2), 1e-4)
    conductances[3, 1] = 0.0
    crossbar = Crossbar(conductances, 1.0)
    left = np.array([0.1, np.nan, 0.1])
    solution = solve(crossbar, custom(crossbar, left=left, bottom=0.0), workers=workers)
    assert np.argwhere(solution.undetermined_word_lines).tolist() == [[3, 1]]


def test_mixed_floating_ends_give_the_same_bits_for_any_number_of_workers():
    rng = np.random.default_rng(5)
    crossbar = Crossbar(rng.uniform(1e-4, 5e-4, (4, 6, 5)), 2.0)
    left = rng.uniform(0.05, 0.2, (4, 6))
    left[1, 2] = np.nan
    biasing = custom(crossbar, left=left, bottom=0.0)
    one, two = (solve(crossbar, biasing, workers=workers).bit_line_currents for workers in (1, 2))
    assert np.array_equal(one, two)
    alone = Crossbar(crossbar.conductances[0], 2.0)
    assert np.array_equal(one[0], solve(alone, left[0]).bit_line_currents)


@pytest.mark.parametrize("resistances", [{"wire_resistance": 1e16}, {"sense_resistance": [1.0] * 4 + [1e300]}])
def test_resistances_beyond_an_open_line_are_refused(resistances):
    with pytest.raises(ValueError, match="must lie in \\[0, 1e\\+15\\] ohm"):
        Crossbar(G, **resistances)


def test_a_selected_device_is_a_pair():
    with pytest.raises(ValueError, match="selected must be a pair"):
        Biasing(V, np.full(6, np.nan), np.full(5, np.nan), np.zeros(5), 1)
    with pytest.raises(TypeError, match="right must be voltages, NaN where an end floats; got None"):
        Biasing(V, None, np.full(5, np.nan), np.zeros(5))
