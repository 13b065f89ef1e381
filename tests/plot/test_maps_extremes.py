"""Maps and circuit figures with what users really have: stuck maps, volts, one line, nothing to compare with."""

import numpy as np
import pytest

from tiocross import Crossbar, Dataset, plot, solve
from tiocross.units import uS

RNG = np.random.default_rng


def one_panel():
    figure, axes = plot.new_figure()
    return figure, axes[0, 0]


def array_with_stuck():
    """Conductances (3, 5), and the map of the stuck ones: NaN where a device answers, as everywhere else in tiocross."""
    conductances = RNG(0).uniform(100 * uS, 500 * uS, (3, 5))
    stuck = np.full((3, 5), np.nan)
    stuck[0, 4], stuck[2, 1] = 5e-3, 1e-9
    return np.where(np.isnan(stuck), conductances, stuck), stuck


@pytest.mark.parametrize("draw", [plot.fault_map, plot.conductance_map])
@pytest.mark.parametrize("as_mask", [False, True])
def test_only_stuck_devices_are_crossed_out_and_they_do_not_stretch_the_colours(draw, as_mask):
    figure, axes = one_panel()
    conductances, stuck = array_with_stuck()
    draw(axes, conductances, stuck=~np.isnan(stuck) if as_mask else stuck)
    for crosses in axes.lines:
        assert sorted(zip(*crosses.get_data())) == [(1, 2), (4, 0)]
    healthy = conductances[np.isnan(stuck)] / uS
    assert axes.images[0].get_clim() == pytest.approx((healthy.min(), healthy.max()))
    assert figure.axes[1].get_ylabel() == "conductance (µS)"
    assert axes.images[0].colorbar.extend == "both"  # one device below the scale, one above it
    figure.canvas.draw()


@pytest.mark.parametrize(("stuck", "error", "text"), [
    (np.zeros((3, 5), dtype=int), TypeError, "must be bool, or conductances of stuck devices with NaN"),
    (np.zeros((5, 3), dtype=bool), ValueError, r"shape of the conductances, \(3, 5\); got \(5, 3\)")])
def test_what_is_no_stuck_map_is_refused(stuck, error, text):
    for draw in (plot.fault_map, plot.conductance_map):
        with pytest.raises(error, match=text):
            draw(one_panel()[1], array_with_stuck()[0], stuck=stuck)


def test_conductances_that_are_not_known_leave_the_scale_to_the_others():
    figure, axes = one_panel()
    plot.conductance_map(axes, [[1e-4, np.nan, 3e-4]])
    assert axes.images[0].get_clim() == pytest.approx((100, 300))
    figure.canvas.draw()


def test_one_short_that_nobody_marked_does_not_stretch_the_colours():
    figure, axes = one_panel()
    conductances, stuck = array_with_stuck()
    plot.conductance_map(axes, conductances, stuck=np.where(stuck > 1e-3, np.nan, stuck))  # the short is not in the map
    low, high = axes.images[0].get_clim()
    healthy = conductances[np.isnan(stuck)] / uS
    assert (low, high) == pytest.approx((healthy.min(), healthy.max())) and axes.images[0].colorbar.extend == "both"
    figure.canvas.draw()
    axes = plot.conductance_map(one_panel()[1], np.repeat([[20 * uS, 500 * uS]], 4, axis=0))  # two states, none of them few
    assert axes.images[0].get_clim() == pytest.approx((20, 500))


@pytest.mark.parametrize("draw", [plot.conductance_map, plot.fault_map, plot.voltage_map])
def test_a_map_of_what_is_no_array_is_refused_with_the_arrays_to_give(draw):
    solution = solve(Crossbar(np.full((3, 2), 1e-4), 1.0), [0.1, 0.2, 0.1])
    with pytest.raises(TypeError, match="drawn of an array of numbers, .*; got Solution; give .* such as word_line_voltages"):
        draw(one_panel()[1], solution)
    with pytest.raises(TypeError, match="got str$"):
        draw(one_panel()[1], "map.csv")
    draw(one_panel()[1], solution.word_line_voltages)


def test_differences_have_zero_in_the_middle_of_their_colours():
    figure, axes = one_panel()
    plot.conductance_map(axes, [[-1e-6, 4e-6, np.nan]], difference=True)
    assert axes.images[0].get_clim() == pytest.approx((-4, 4))
    assert figure.axes[1].get_ylabel() == "difference (µS)" and axes.images[0].colorbar.extend == "neither"


def test_a_voltage_map_shows_volts_as_volts():
    figure, axes = one_panel()
    voltages = np.linspace(0.2, 0.1, 12).reshape(3, 4)
    plot.voltage_map(axes, voltages)
    np.testing.assert_allclose(axes.images[0].get_array(), voltages)
    assert axes.images[0].get_clim() == pytest.approx((0, 0.2))
    assert figure.axes[1].get_ylabel() == "voltage (V)"
    assert {text.get_text() for text in axes.texts} <= {f"{level:g} V" for level in (0.12, 0.14, 0.16, 0.18)} != set()


def test_shares_have_a_bar_of_their_own_unless_one_serves_many_maps():
    figure, axes = one_panel()
    plot.voltage_map(axes, [[0.2, 0.1, 0.3]], ideal=0.2)
    np.testing.assert_allclose(axes.images[0].get_array(), [[1.0, 0.5, 1.5]])
    assert figure.axes[1].get_ylabel() == "voltage / ideal voltage (%)" and axes.images[0].colorbar.extend == "max"
    figure, axes = one_panel()
    plot.voltage_map(axes, [[0.2, 0.1]], ideal=0.2, colour_bar=False)
    assert figure.axes == [axes]


def test_contours_can_be_left_out():
    _, axes = one_panel()
    plot.voltage_map(axes, np.linspace(0.2, 0.1, 12).reshape(3, 4), contours=False)
    assert not axes.texts and len(axes.collections) == 0


@pytest.mark.parametrize("voltages", [np.zeros((2, 3)), np.full((2, 3), -0.2), np.full((2, 3), np.nan), [[-1.1, 0.3, 0.0]],
                                      [[1e-9, 2e-9], [3e-9, 1e-9], [1e-9, 1e-9]]])
def test_voltages_of_any_sign_and_size_can_be_drawn(voltages):
    figure, axes = one_panel()
    plot.voltage_map(axes, voltages)
    figure.canvas.draw()
    low, high = axes.images[0].get_clim()
    assert low <= 0 <= high and low < high


def test_losses_need_nothing_to_compare_with_and_use_their_axis():
    figure, axes = one_panel()
    plot.bit_line_losses(axes, {"2 ohm": [0.01, 0.02], "4 ohm": [0.02, 0.04]}, {})
    assert axes.get_ylim() == pytest.approx((0, 0.05))  # not up to 100 %
    assert {text.get_text() for text in axes.texts} == {"2 ohm", "4 ohm"}
    plot.bit_line_losses(axes, {"2 ohm": [-0.5, 1.2]})
    assert axes.get_ylim() == pytest.approx((-0.55, 1.26))  # gained, and turned round
    figure.canvas.draw()


def test_nothing_to_draw_is_said():
    _, axes = one_panel()
    with pytest.raises(ValueError, match="points_by_name must have at least one name"):
        plot.bit_line_losses(axes, {}, {})
    with pytest.raises(ValueError, match="line '3 ohm' has no points"):
        plot.bit_line_losses(axes, {"2 ohm": [0.1]}, {"3 ohm": [0.1]})
    with pytest.raises(ValueError, match="at least one name"):
        plot.read_errors(axes, [4, 8], {})


def test_more_curves_than_colours_one_size_and_errors_of_zero_can_be_drawn():
    figure, axes = plot.new_figure(1, 4)
    many = {f"scheme {k}": [[0.1 + 0.01 * k, 0.2]] for k in range(11)}
    plot.read_errors(axes[0, 0], np.array([4.0, 8.0]), many)
    plot.read_errors(axes[0, 1], [12], {"floating": [[0.0]], "V/2": [[0.1]]})
    plot.bit_line_losses(axes[0, 2], {f"{k} ohm": [0.1, 0.2] for k in range(11)})
    plot.write_voltages(axes[0, 3], [5, 6, 7], {"selected": [[0.9, 0.8, 0.7]]})
    figure.canvas.draw()
    assert [len(panel.texts) for panel in axes[0]] == [11, 2, 11, 1]
    assert [tick.get_text() for tick in axes[0, 3].get_xticklabels()] == ["5", "6", "7"]


def test_a_network_that_gives_one_class_everywhere_has_a_map():
    figure, axes = one_panel()
    x, points = np.linspace(0.0, 1.0, 4), Dataset([[0.1, 0.2], [0.7, 0.8]], [1, 0])
    plot.decision_map(axes, (x, x), np.ones((4, 4)), np.ones((4, 4)), points, np.array([1.0, 0.0]))
    figure.canvas.draw()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("feature x0", "feature x1")
