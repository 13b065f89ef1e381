"""Figures of a calibration: what is drawn is what was given, with units on every label."""

import numpy as np
import pytest

from tiocross import TIO2, TuningError, plot
from tiocross.units import percent, uS

RNG = np.random.default_rng


def new_axes():
    figure, axes = plot.new_figure()
    return figure, axes[0, 0]


def labels_of(axes):
    return axes.get_title(), axes.get_xlabel(), axes.get_ylabel()


def test_tuning_fit_shows_errors_and_the_band_of_two_standard_deviations():
    _, axes = new_axes()
    targets = RNG(0).uniform(1e-4, 5e-4, (3, 7))
    errors = RNG(1).normal(-0.005, 0.006, (3, 7))
    tuning = TuningError(-0.5 * percent, 0.3 * percent, -6e-4 * percent / uS, 0.7 * percent, "ours")
    plot.tuning_fit(axes, targets, targets * (1 + errors), tuning, title="errors")
    x, y = axes.lines[0].get_data()
    np.testing.assert_allclose(x, targets.ravel() / uS)
    np.testing.assert_allclose(y, errors.ravel() / percent, rtol=1e-9)
    band = axes.collections[0].get_paths()[0].get_extents()
    widest = 2 * np.hypot(0.3, 0.7 - 6e-4 * targets.min() / uS)  # the spread falls with the target
    assert (band.x0, band.x1) == pytest.approx((targets.min() / uS, targets.max() / uS))
    assert (band.y0, band.y1) == pytest.approx((-0.5 - widest, -0.5 + widest))
    assert labels_of(axes) == ("errors", "target conductance (µS)", "relative error of the write (%)")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "measured", "fitted, 2 standard deviations", "fitted mean"]


def test_disturb_fit_shows_measured_points_and_fitted_lines_of_seven_quantiles():
    _, axes = new_axes()
    later = np.concatenate([np.full(50, 1), np.full(40, 6), np.full(19, 30)])  # the last are too few for points
    changes = RNG(2).normal(0, 5e-6, len(later))
    plot.disturb_fit(axes, later, changes, TIO2.disturb, title="disturb")
    assert len(axes.lines) == 14
    names = [text.get_text() for text in axes.texts]
    assert names == ["1%", "5%", "25%", "50%", "75%", "95%", "99%"]
    heights = [text.xy[1] for text in axes.texts]
    assert min(np.diff(heights)) >= 0.04 * (1 - 1e-9)  # shares of the height of the axes
    for n, level in enumerate((0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)):
        points, line = axes.lines[2 * n : 2 * n + 2]
        assert list(points.get_xdata()) == [1, 6]
        np.testing.assert_allclose(points.get_ydata(), [np.quantile(changes[later == k], level) / uS for k in (1, 6)])
        np.testing.assert_array_equal(line.get_xdata(), TIO2.disturb.n_later_writes)
        at = list(TIO2.disturb.probabilities).index(level)
        np.testing.assert_allclose(line.get_ydata(), TIO2.disturb.changes[:, at] / uS)
        assert points.get_color() == line.get_color() == axes.lines[12 - 2 * n].get_color()  # 5 % looks like 95 %
    assert len({line.get_linestyle() for line in axes.lines[1:8:2]}) == 4  # told apart without colour
    assert labels_of(axes) == ("disturb", "devices programmed later", "change of conductance (µS)")
    assert axes.get_xscale() == "log"


def test_fault_map_shows_decades_and_crosses_out_stuck_devices():
    figure, axes = new_axes()
    conductances = np.exp(RNG(3).uniform(np.log(1e-6), np.log(9e-4), (4, 6)))
    conductances[0, 5], conductances[3, 0] = np.nan, 0.0
    stuck = np.zeros((4, 6), dtype=bool)
    stuck[1, 4] = stuck[2, 0] = True
    plot.fault_map(axes, conductances, stuck=stuck, title="chip 7")
    image = axes.images[0]
    shown, known = image.get_array(), np.isfinite(conductances)
    assert shown.shape == (4, 6) and shown.mask[0, 5] and shown.mask.sum() == 1  # what is not known is left white
    smallest = np.min(conductances[conductances > 0])  # a logarithm has no place for zero
    np.testing.assert_allclose(shown[known], np.maximum(conductances[known], smallest) / uS)
    assert type(image.norm).__name__ == "LogNorm" and image.get_clim() == pytest.approx((smallest / uS, shown.max()))
    for crosses in axes.lines:
        assert sorted(zip(*crosses.get_data())) == [(0, 2), (4, 1)]  # bit line, word line
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # word line 0 on top
    assert labels_of(axes) == ("chip 7", "bit line", "word line")
    assert figure.axes[1].get_ylabel() == "conductance (µS)"


@pytest.mark.parametrize("conductances", [np.full((2, 3), 3e-4), np.full((2, 3), np.nan), np.zeros((2, 3)),
                                          np.array([[1.1e-4, 4.5e-4]])])
def test_maps_without_range_can_be_drawn(conductances):
    figure, axes = new_axes()
    plot.fault_map(axes, conductances)
    figure.canvas.draw()
    assert not axes.lines
    if np.nanmin([1.0, *conductances.ravel()]) == 1.1e-4:  # less than a decade still has labelled ticks
        assert [tick.get_text() for tick in figure.axes[1].get_yticklabels()] == ["200", "300", "400"]


def test_figures_can_be_drawn(tmp_path):
    figure, axes = plot.new_figure(1, 3)
    later = np.tile(np.arange(1, 40), 30)
    changes = RNG(0).normal(0, 5e-6, len(later))
    plot.tuning_fit(axes[0, 0], [1e-4, 5e-4], [1.01e-4, 5e-4], TIO2.tuning)
    plot.disturb_fit(axes[0, 1], later, changes, TIO2.disturb)
    plot.fault_map(axes[0, 2], RNG(1).uniform(1e-6, 5e-4, (3, 5)))
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
