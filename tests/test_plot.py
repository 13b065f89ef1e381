"""Figures: what is drawn is what was given, with units on every label."""

import numpy as np
import pytest

from tiocross import Dataset, plot
from tiocross.units import uS

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
    assert labels_of(axes[0, 0]) == ("bit line", "word line (last: bias)")
    assert figure.axes[1].get_ylabel() == "conductance (uS)"


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
    assert all("(unitless)" in label for label in labels_of(axes[0, 0]))


def test_colours_of_neighbouring_lines_differ_in_lightness():
    # Relative luminance: lines must stay apart in grey, for colour-blind readers and printers.
    def luminance(colour):
        channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    values = [luminance(colour) for colour in plot.COLOURS[:5]]
    assert min(abs(a - b) for a, b in zip(values, values[1:])) > 0.05
    assert len(plot.DASHES) >= len(plot.COLOURS) and len(set(map(str, plot.DASHES))) == len(plot.DASHES)
