"""Many arrays and many inputs at once give what one circuit at a time gives, whatever method was chosen."""

import numpy as np
import pytest
from circuit_cases import ENDS, EPS, RESISTANCES

from tiocross import Crossbar, Cubic, Sinh, custom, read_device, solve, transfer_matrix

# All combinations of leading axes of conductances and of inputs.
AXES = [((), ()), ((), (5,)), ((4,), ()), ((4,), (4,)), ((4, 1), (5,)), ((4, 1), (4, 5)), ((1,), (6,)), ((4,), (5, 1)),
        ((2, 1, 3), (5, 1)), ((2, 1), (3, 1, 7)), ((3, 1), (2, 1, 7)), ((2, 1, 3), (2, 4, 1)),
        ((2, 3), (1, 3)), ((1, 1), (1,))]
WIRES = {"word_line_resistance": np.array([3.0, 8.0, 0.0]), "bit_line_resistance": 5.0,
         "source_resistance": 20.0, "sense_resistance": np.array([0.0, 10.0, 0.0, 4.0])}
# Node voltages are right to a few roundings of 0.5 V; 12 devices of 5e-4 S, made ten times steeper by sinh, pass that on,
# and so does the last segment of a line that is connected at both ends, at least 5 ohm.
ROUNDING = 4 * EPS * 0.5 * 12 * 5e-4 * 10
END_ROUNDING = 4 * EPS * 0.5 / 5.0


def one_by_one(batch, shapes, solve_one):
    """Results for each index of the batch; ``solve_one`` gets an index into each array of those leading shapes."""
    results = np.empty(batch, dtype=object)
    for index in np.ndindex(*batch):
        own = []
        for shape in shapes:
            tail = index[len(batch) - len(shape):]
            own.append(tuple(0 if length == 1 else i for i, length in zip(tail, shape)))
        results[index] = solve_one(*own)
    return results


def assert_each(solution, singles):
    """Same as the single solutions, within what both claim and rounding."""
    batch = singles.shape
    assert solution.bit_line_currents.shape == (*batch, 4)
    assert solution.n_sweeps.shape == solution.unbalanced.shape == solution.uncertainty.shape == batch
    assert solution.power.shape == solution.device_power.shape == solution.wire_power.shape == batch
    for index in np.ndindex(*batch):
        single = singles[index]
        assert solution.uncertainty[index] <= 1e-9 * np.abs(single.device_currents).sum(axis=0).max()
        limit = solution.uncertainty[index] + single.uncertainty + ROUNDING
        assert np.abs(solution.bit_line_currents[index] - single.bit_line_currents).max() <= limit
        # Voltages are solved for when asked for, to the same relative residual: of at most 12 devices of 5e-4 S at 0.5 V,
        # ten times that where sinh makes them steeper. They are as good as the single ones.
        limit = 1e-9 * np.abs(single.device_currents).sum() + single.uncertainty + ROUNDING
        assert np.abs(solution.device_currents[index] - single.device_currents).max() <= limit
        for end in ENDS:
            difference = getattr(solution.end_currents, end)[index] - getattr(single.end_currents, end)
            assert np.abs(difference).max() <= 2 * limit + END_ROUNDING
        for name in ("word_line_voltages", "bit_line_voltages"):
            # From every node one device of at least 1e-4 S leads to a line that is connected by less than 100 ohm.
            difference = getattr(solution, name)[index] - getattr(single, name)
            assert np.abs(difference).max() <= limit * 1.02e4
        for name in ("power", "device_power", "wire_power"):
            assert abs(getattr(solution, name)[index] - getattr(single, name)) <= 4 * 0.5 * (2 * limit + END_ROUNDING)


@pytest.mark.parametrize("of_arrays, of_inputs", AXES)
@pytest.mark.parametrize("law", [None, "sinh", "cubic"])
def test_plain_reads(of_arrays, of_inputs, law):
    rng = np.random.default_rng(1)
    g, volts = rng.uniform(1e-4, 5e-4, (*of_arrays, 3, 4)), rng.uniform(-0.4, 0.4, (*of_inputs, 3))
    # Parameters that differ from array to array and from device to device.
    parameters = rng.uniform(0.2, 5.0, g.shape)
    make = {None: lambda p: None, "sinh": Sinh, "cubic": Cubic}[law]
    solution = solve(Crossbar(g, **WIRES, iv=make(parameters)), volts)
    singles = one_by_one(np.broadcast_shapes(of_arrays, of_inputs), (of_arrays, of_inputs),
                         lambda a, k: solve(Crossbar(g[a], **WIRES, iv=make(parameters[a])), volts[k]))
    assert_each(solution, singles)


@pytest.mark.parametrize("of_arrays, of_inputs", AXES)
@pytest.mark.parametrize("law", [None, "sinh"])
def test_other_ends_with_axes_of_their_own(of_arrays, of_inputs, law):
    rng = np.random.default_rng(2)
    g = rng.uniform(1e-4, 5e-4, (*of_arrays, 3, 4))
    left, bottom = rng.uniform(-0.4, 0.4, (*of_inputs, 3)), rng.uniform(-0.1, 0.1, (*of_inputs[-1:], 4))
    # Ends float in some inputs and not in others; word line 2 has neither wire nor source that would matter.
    left[rng.random(left.shape) < 0.3], bottom[rng.random(bottom.shape) < 0.3] = np.nan, np.nan
    left[..., 0], bottom[..., 3] = 0.25, 0.0
    top = np.array([0.1, np.nan, np.nan, 0.05])
    # One parameter for each word line: smaller axes than the conductances'.
    law = Sinh(np.array([[0.2], [0.3], [0.4]])) if law else None
    crossbar = Crossbar(g, **WIRES, iv=law)
    solution = solve(crossbar, custom(crossbar, left=left, top=top, bottom=bottom))

    def single(a, k, b):
        one = Crossbar(g[a], **WIRES, iv=law)
        return solve(one, custom(one, left=left[k], top=top, bottom=bottom[b]))

    assert_each(solution, one_by_one(np.broadcast_shapes(of_arrays, of_inputs),
                                     (of_arrays, of_inputs, of_inputs[-1:]), single))


def test_parameters_of_a_law_shared_by_arrays():
    g = np.random.default_rng(3).uniform(1e-4, 5e-4, (3, 1, 3, 4))
    strengths = np.array([0.5, 5.0, 50.0]).reshape(3, 1, 1, 1)
    volts = np.random.default_rng(4).uniform(-1, 1, (2, 1, 7, 3))
    solution = solve(Crossbar(g, 5.0, iv=Cubic(strengths)), volts)
    assert solution.bit_line_currents.shape == (2, 3, 7, 4)
    for k, c in np.ndindex(2, 3):
        single = solve(Crossbar(g[c, 0], 5.0, iv=Cubic(strengths[c].item())), volts[k, 0])
        # Devices are up to 1 + 3 * 50 V^-2 * (1 V)^2 steeper, not ten times.
        limit = solution.uncertainty[k, c].max() + single.uncertainty.max() + 16 * ROUNDING
        assert np.abs(solution.bit_line_currents[k, c] - single.bit_line_currents).max() <= limit
        assert np.abs(solution.device_currents[k, c] - single.device_currents).max() <= limit


@pytest.mark.parametrize("shape", [(9, 30), (30, 9), (55, 61), (64, 50)])
@pytest.mark.parametrize("low", [1e-4, 1e-9])
def test_many_inputs_by_matrix_equal_one_by_one(shape, low):
    rng = np.random.default_rng(5)
    crossbar = Crossbar(10 ** rng.uniform(np.log10(low), -2.5, shape), 10.0, source_resistance=30.0)
    volts = np.concatenate([rng.uniform(-0.2, 0.2, (80, shape[0])), np.eye(shape[0])])
    many = solve(crossbar, volts)
    for k in (0, 7, 79, 80, 80 + shape[0] // 2, len(volts) - 1):
        single = solve(crossbar, volts[k], rtol=1e-12)
        gross = np.abs(single.device_currents).sum(axis=0).max()
        error = np.abs(many.bit_line_currents[k] - single.bit_line_currents).max()
        assert error <= 1e-9 * gross
        # Elimination and the product of a hundred numbers are rounded beside that.
        assert error <= many.uncertainty[k] + single.uncertainty + 1e3 * EPS * gross
    np.testing.assert_allclose(many.bit_line_currents[80:], transfer_matrix(crossbar), rtol=0,
                               atol=2e-9 * transfer_matrix(crossbar).max())


@pytest.mark.parametrize("shape", [(128, 8), (300, 6), (300, 50)])
def test_many_inputs_from_which_wires_shield_the_output(shape):
    crossbar = Crossbar(np.full(shape, 5e-4), 20.0)
    many = solve(crossbar, np.eye(shape[0]))
    for i in (0, 5, shape[0] // 2, shape[0] - 1):
        single = solve(crossbar, np.eye(shape[0])[i], rtol=1e-12)
        gross = np.abs(single.device_currents).sum(axis=0).max()
        error = np.abs(many.bit_line_currents[i] - single.bit_line_currents).max()
        assert error <= 1e-9 * gross
        assert error <= many.uncertainty[i] + single.uncertainty + 4 * EPS * gross


def test_matrices_of_many_arrays_equal_one_by_one():
    g = np.random.default_rng(6).uniform(1e-4, 5e-4, (2, 3, 5, 4))
    for wires in ({"wire_resistance": 10.0},
                  {"word_line_resistance": [0.0, 1, 2, 3, 4], "sense_resistance": [5.0, 0, 1, 2]}):
        matrices = transfer_matrix(Crossbar(g, **wires))
        assert matrices.shape == g.shape
        for index in np.ndindex(2, 3):
            single = transfer_matrix(Crossbar(g[index], **wires))
            assert np.abs(matrices[index] - single).max() <= 2e-9 * single.max()
    large = np.random.default_rng(7).uniform(1e-4, 5e-4, (3, 70, 50))
    for array, matrix in zip(large, transfer_matrix(Crossbar(large, 3.0))):
        np.testing.assert_allclose(matrix, transfer_matrix(Crossbar(array, 3.0)), rtol=0, atol=1e-13 * matrix.max())


def test_selected_devices_of_many_arrays():
    g = np.random.default_rng(8).uniform(1e-4, 5e-4, (6, 3, 4))
    crossbar = Crossbar(g, 10.0, iv=Sinh(0.3))
    many = solve(crossbar, read_device(crossbar, 1, 2, 0.5))
    assert many.selected_current.shape == many.sneak_current.shape == many.selected_voltage.shape == (6,)
    for c in range(6):
        one = Crossbar(g[c], 10.0, iv=Sinh(0.3))
        single = solve(one, read_device(one, 1, 2, 0.5))
        limit = many.uncertainty[c] + single.uncertainty + ROUNDING
        assert abs(many.selected_current[c] - single.selected_current) <= limit
        assert abs(many.sneak_current[c] - single.sneak_current) <= 2 * limit
        assert abs(many.selected_voltage[c] - single.selected_voltage) <= limit / g[c, 1, 2]


def test_a_thousand_small_arrays_are_all_solved():
    g = np.random.default_rng(9).uniform(1e-6, 5e-4, (1000, 5, 8))
    volts = np.array([0.2, -0.1, 0.15, 0.2, 0.05])
    solution = solve(Crossbar(g, 10.0), volts)
    assert (solution.n_sweeps > 0).all()
    # Ohm's law in the last segments, from voltages found in a second run.
    np.testing.assert_allclose(solution.bit_line_voltages[:, -1] / 10.0, solution.bit_line_currents, rtol=0,
                               atol=float(solution.uncertainty.max()) + 1e-17)
    for c in (0, 123, 500, 999):
        single = solve(Crossbar(g[c], 10.0), volts)
        limit = solution.uncertainty[c] + single.uncertainty + ROUNDING
        assert np.abs(solution.bit_line_currents[c] - single.bit_line_currents).max() <= limit


@pytest.mark.parametrize("law", [None, Sinh(0.3)])
@pytest.mark.parametrize("wires", [{}, {"wire_resistance": 5.0}])
def test_empty_batches_give_empty_answers(law, wires):
    solution = solve(Crossbar(np.full((3, 2), 1e-4), **wires, iv=law), np.zeros((4, 0, 3)))
    assert solution.bit_line_currents.shape == (4, 0, 2) and solution.n_sweeps.shape == (4, 0)
    assert solution.word_line_voltages.shape == solution.device_currents.shape == (4, 0, 3, 2)
    assert solution.power.shape == solution.wire_power.shape == (4, 0) and solution.end_currents.left.shape == (4, 0, 3)


def test_ideal_wires_have_voltages_and_powers_too():
    g, volts = np.random.default_rng(10).uniform(1e-4, 5e-4, (2, 3, 4)), np.array([0.2, -0.1, 0.3])
    solution = solve(Crossbar(g), volts)
    assert np.array_equal(solution.word_line_voltages, np.broadcast_to(volts[:, None], g.shape))
    assert not solution.bit_line_voltages.any() and not solution.wire_power.any()
    assert (solution.uncertainty < 1e-14 * solution.bit_line_currents.sum(axis=1)).all()  # rounding
    np.testing.assert_allclose(solution.power, (g * volts[:, None] ** 2).sum(axis=(1, 2)), rtol=1e-14)
    np.testing.assert_allclose(solution.end_currents.left, g.sum(axis=2) * volts, rtol=1e-14)
    for name in RESISTANCES:
        assert not getattr(solution.crossbar, name).any()
