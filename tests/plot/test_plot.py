"""Figures: what is drawn is what was given, with units on every label."""

import numpy as np
import pytest

from tiocross import Dataset, plot
from tiocross.units import uS, uW

RNG = np.random.default_rng


def all_axes(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def labels_of(axes):
    return axes.get_xlabel(), axes.get_ylabel()


def test_conductance_map_shows_microsiemens_word_lines_downwards():
    figure, axes = plot.new_figure()
    conductances = RNG(0).uniform(1e-4, 5e-4, (3, 7))
    plot.conductance_map(axes[0, 0], conductances, title="target", window=(1e-4, 5e-4))
    image = axes[0, 0].images[0]
    np.testing.assert_allclose(image.get_array(), conductances / uS)
    assert image.get_clim() == pytest.approx((100, 500))
    assert axes[0, 0].get_ylim()[0] > axes[0, 0].get_ylim()[1]  # word line 0 on top
    assert labels_of(axes[0, 0]) == ("bit line", "word line")
    assert figure.axes[1].get_ylabel() == "conductance (µS)"


def test_rate_curves_are_the_complement_of_the_distribution():
    _, axes = plot.new_figure()
    rates = RNG(1).uniform(0.5, 1, 500)
    plot.rate_curves(axes[0, 0], {"one": [rates], "two": [rates**2, rates**3]})
    x, y = axes[0, 0].lines[0].get_data()
    for level in (0.6, 0.95, 1.0):
        assert y[np.argmin(np.abs(x - level))] == pytest.approx((rates >= level).mean(), abs=0.003)
    assert [line.get_label() for line in axes[0, 0].lines[:2]] == ["one", "two"]
    assert axes[0, 0].lines[0].get_linestyle() != axes[0, 0].lines[1].get_linestyle()
    assert labels_of(axes[0, 0]) == ("chips on which a point is right, at least (%)", "test points (%)")


def test_accuracy_histogram_holds_every_chip():
    _, axes = plot.new_figure()
    accuracies = RNG(2).uniform(0.42, 0.98, 999)
    plot.accuracy_histogram(axes[0, 0], accuracies)
    stairs = axes[0, 0].patches[0].get_data()
    assert stairs.values.sum() == pytest.approx(1.0)
    assert stairs.edges[0] <= accuracies.min() and stairs.edges[-1] == 1.0
    assert "(%)" in axes[0, 0].get_xlabel() and "(%)" in axes[0, 0].get_ylabel()


def test_decision_map_draws_boundary_spread_and_points():
    figure, axes = plot.new_figure(1, 2)
    grid = np.linspace(0, 1, 20), np.linspace(-1, 1, 30)
    x, y = np.meshgrid(*grid)
    data = Dataset(RNG(3).uniform(0, 1, (50, 2)), np.arange(50) % 2)
    rates = RNG(4).uniform(0, 1, 50)
    plot.decision_map(axes[0, 0], grid, 1 / (1 + np.exp(-9 * (x - y))), x - y, data, rates, title="name")
    plot.decision_colour_bars(figure, axes)
    drawn = np.concatenate([c.get_array() for c in axes[0, 0].collections if c.get_offsets().shape[0] == 25])
    assert sorted(drawn) == pytest.approx(sorted(rates))
    bars = [axis.get_ylabel() for axis in figure.axes[2:]]
    assert bars == ["chips that are right at the point (%)", "chips against the majority (%)"]
    assert labels_of(axes[0, 0]) == ("feature x0", "feature x1")


def test_colours_of_neighbouring_lines_differ_in_lightness():
    # Relative luminance: lines must stay apart in grey, for colour-blind readers and printers.
    def luminance(colour):
        channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    values = [luminance(colour) for colour in plot.COLOURS[:5]]
    assert min(abs(a - b) for a, b in zip(values, values[1:])) > 0.05
    assert len(plot.DASHES) >= len(plot.COLOURS) and len(set(map(str, plot.DASHES))) == len(plot.DASHES)


def names_beside(axes):
    """Text and height of the names at the right ends of lines, from the top."""
    return sorted(((text.xy[1], text.get_text()) for text in axes.texts), reverse=True)


def test_voltage_map_shows_shares_word_lines_downwards_at_their_places():
    figure, axes = plot.new_figure()
    shares = np.linspace(1, 0.25, 12).reshape(4, 3)
    plot.voltage_map(axes[0, 0], 3.0 * shares, ideal=3.0, step=5, colour_bar=False, title="write")
    plot.voltage_colour_bar(figure, [axes[0, 0]], "device voltage / read voltage")
    image = axes[0, 0].images[0]
    np.testing.assert_allclose(image.get_array(), shares)
    assert image.get_clim() == (0, 1)
    assert image.get_extent() == [-2.5, 12.5, 17.5, -2.5]  # values at lines 0, 5, 10 and, downwards, 0, 5, 10, 15
    assert axes[0, 0].get_ylim()[0] > axes[0, 0].get_ylim()[1]
    assert labels_of(axes[0, 0]) == ("bit line", "word line")
    assert figure.axes[1].get_ylabel() == "device voltage / read voltage (%)"
    assert {text.get_text() for text in axes[0, 0].texts} <= {f"{share} %" for share in range(30, 100, 10)} != set()


def test_voltage_map_of_one_value_has_no_contours():
    _, axes = plot.new_figure()
    plot.voltage_map(axes[0, 0], np.ones((4, 3)))
    assert not axes[0, 0].texts


def test_contours_can_be_those_of_another_array():
    _, axes = plot.new_figure()
    plot.voltage_map(axes[0, 0], np.ones((4, 3)), ideal=1.0, smooth=np.linspace(0.75, 0.85, 12).reshape(4, 3))
    assert {text.get_text() for text in axes[0, 0].texts} == {"80 %"}


def test_bit_line_losses_are_points_and_lines_of_one_colour():
    _, axes = plot.new_figure()
    points, lines = {"1 ohm": [0.1, 0.3], "5 ohm": [0.4, 0.6]}, {"1 ohm": [0.1, 0.2], "5 ohm": [0.5, 0.5]}
    plot.bit_line_losses(axes[0, 0], points, lines)
    assert [list(line.get_ydata()) for line in axes[0, 0].lines] == [[0.1, 0.3], [0.1, 0.2], [0.4, 0.6], [0.5, 0.5]]
    colours = [line.get_color() for line in axes[0, 0].lines]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    assert labels_of(axes[0, 0]) == ("bit line", "loss of bit-line current (%)")
    assert [name for _, name in names_beside(axes[0, 0])] == ["5 ohm", "1 ohm"]


def test_read_errors_and_powers_are_medians_in_percent_and_microwatt():
    _, axes = plot.new_figure(1, 2)
    sizes = (4, 6, 8)
    values = {"floating": np.array([[1, 2, 4], [2, 3, 5], [9, 9, 9]]), "grounded": -np.array([[0.01, 0.02, 0.05]] * 3)}
    plot.read_errors(axes[0, 0], sizes, values)
    plot.read_powers(axes[0, 1], sizes, {name: np.abs(of_name) * uW for name, of_name in values.items()})
    for panel, scale in zip(axes[0], (100, 1)):
        np.testing.assert_allclose(panel.lines[0].get_ydata(), scale * np.array([2, 3, 5]))
        np.testing.assert_allclose(panel.lines[1].get_ydata(), scale * np.array([0.01, 0.02, 0.05]))
        assert panel.get_xscale() == panel.get_yscale() == "log"
        assert [tick.get_text() for tick in panel.get_xticklabels()] == ["4", "8"]
        assert [name for _, name in names_beside(panel)] == ["floating", "grounded"]
        band = panel.collections[0].get_paths()[0].get_extents()
        assert band.y0 < panel.lines[0].get_ydata()[0] and band.y1 > panel.lines[0].get_ydata()[-1]
    assert labels_of(axes[0, 0]) == ("word lines and bit lines", "error of the sensed current (%)")
    assert labels_of(axes[0, 1]) == ("word lines and bit lines", "power of one read (µW)")


def test_approximation_errors_keep_to_the_range_asked_for():
    _, axes = plot.new_figure()
    errors = {"8 x 8": np.array([[0.01, 0.1, 1.0]])}
    plot.approximation_errors(axes[0, 0], [0.1, 1, 10], errors, lowest=1e-3, highest=10)
    np.testing.assert_allclose(axes[0, 0].lines[0].get_ydata(), [1, 10, 100])
    assert axes[0, 0].get_ylim() == pytest.approx((0.1, 1000))
    assert labels_of(axes[0, 0]) == ("resistance of a wire segment (ohm)", "largest error of a bit-line current (%)")


def test_write_voltages_have_a_linear_scale_and_names_that_do_not_touch():
    _, axes = plot.new_figure()
    shares = {name: np.array([[1.0, 0.9, end]]) for name, end in (("a", 0.5), ("b", 0.505), ("c", 0.2), ("d", 0.495))}
    plot.write_voltages(axes[0, 0], (4, 8, 16), shares)
    assert axes[0, 0].get_yscale() == "linear" and axes[0, 0].get_ylim()[0] == 0
    assert labels_of(axes[0, 0]) == ("word lines and bit lines", "device voltage / write voltage (%)")
    heights, names = zip(*names_beside(axes[0, 0]))
    assert names == ("b", "a", "d", "c")
    assert min(-np.diff(heights)) > 0.06
    assert heights[-1] == pytest.approx(0.2 / 1.02)  # far from the others: where its line ends
