"""Figures of a study: methods beside each other, and names that do not touch."""

import numpy as np
import pytest
from matplotlib.text import Text

from tiocross import plot
from tiocross.plot.labels import keep_apart
from tiocross.study import figures


def test_labels_are_moved_as_little_as_it_takes():
    heights = np.random.default_rng(2).uniform(0.9, 0.93, 18)
    placed = keep_apart(heights, 0.05, low=0.0, high=1.0)
    order = np.argsort(heights)
    assert (np.diff(placed[order]) >= 0.05 - 1e-12).all() and placed.min() >= 0 and placed.max() <= 1 + 1e-12
    free = keep_apart(heights, 0.05)
    np.testing.assert_allclose(np.diff(free[order]), 0.05)  # all of them touch, so they lie around their common mean
    assert free.mean() == pytest.approx(heights.mean())
    np.testing.assert_allclose(keep_apart([0.2, 0.8, 0.5], 0.05), [0.2, 0.8, 0.5])
    np.testing.assert_allclose(keep_apart([0.5, 0.9, 0.5, 0.51], 0.1), [0.5 - 0.29 / 3, 0.9, 0.5 + 0.01 / 3, 0.5 + 0.31 / 3])


def test_names_beside_the_axes_do_not_overlap():
    figure, axes = plot.new_figure(width=8, height=7)
    rng = np.random.default_rng(4)
    names = [f"a method of number {k}" for k in range(20)]
    methods = [plot.Method(name, "a kind", rng.normal(0.968, 0.001, 3), rng.normal(0.92, 0.01, 3)) for name in names]
    plot.method_map(axes[0, 0], methods)
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in axes[0, 0].texts if text.get_text() in names]
    assert len(boxes) == len(names)
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[k + 1 :])


def test_method_map_draws_mean_and_range_with_units():
    _, axes = plot.new_figure()
    panel = plot.method_map(axes[0, 0], [plot.Method("one", "a", np.array([0.9, 0.94]), np.array([0.5, 0.8]))])
    bars = panel.containers[0]
    assert (bars[0].get_xdata()[0], bars[0].get_ydata()[0]) == (pytest.approx(0.92), pytest.approx(0.65))
    across, upwards = (collection.get_segments()[0] for collection in bars[2])
    np.testing.assert_allclose(across[:, 0], [0.9, 0.94])
    np.testing.assert_allclose(upwards[:, 1], [0.5, 0.8])
    assert "(%)" in panel.get_xlabel() and "(%)" in panel.get_ylabel()


def test_condition_curve_draws_mean_and_range():
    _, axes = plot.new_figure()
    robust = np.array([[0.9, 0.7], [0.5, 0.3]])
    panel = plot.condition_curve(axes[0, 0], {"one": (np.array([0.0, 5.0]), robust)}, xlabel="wires (ohm)",
                                            trained_at=0.0)
    line = panel.lines[-1]
    np.testing.assert_allclose(line.get_ydata(), [0.8, 0.4])
    assert panel.get_xlabel() == "wires (ohm)" and line.get_label() == "one"


def test_rates_of_one_network_are_one_seed_not_one_for_each_point():
    rates = np.linspace(0.6, 1.0, 135)
    line, *_ = plot.rate_curves(plot.new_figure()[1][0, 0], {"a": rates}).lines
    again, *_ = plot.rate_curves(plot.new_figure()[1][0, 0], {"a": [rates]}).lines
    np.testing.assert_allclose(line.get_ydata(), again.get_ydata())
    assert line.get_ydata()[100] == pytest.approx((rates >= 0.75).mean())
    two = plot.rate_curves(plot.new_figure()[1][0, 0], {"a": np.stack([rates, rates**2])}).lines[0].get_ydata()
    assert two[100] == pytest.approx(((rates >= 0.75).mean() + (rates**2 >= 0.75).mean()) / 2)
    for wrong in (np.ones((2, 3, 4)), [rates, []], rates * 2, [np.nan, 0.5]):
        with pytest.raises(ValueError, match="the rates of 'a' must be shares of chips within"):
            plot.rate_curves(plot.new_figure()[1][0, 0], {"a": wrong})


def test_the_front_joins_what_no_rival_beats_in_both():
    methods = [plot.Method(name, "k", np.array([x]), np.array([y])) for name, x, y in (
        ("a", 0.97, 0.3), ("b", 0.96, 0.9), ("c", 0.95, 0.8), ("d", 0.86, 0.92), ("huge", 0.98, 0.99))]
    panel = plot.method_map(plot.new_figure()[1][0, 0], methods, front=["a", "b", "c", "d"])
    front, = [line for line in panel.lines if line.get_label() == "front"]
    assert list(zip(*front.get_data()))[1:-1] == [(0.97, 0.3), (0.96, 0.9), (0.86, 0.92)]
    assert "nominal" in panel.get_xlabel() and "robust" in panel.get_ylabel()


def test_a_comparison_of_one_method_has_one_panel():
    one = [plot.Method("regular", "k", np.array([0.9]), np.array([0.5]))]
    assert len([axes for axes in figures.method_maps(one, ["regular"], 0.0).axes]) == 1
    top = [*one, *(plot.Method(name, "k", np.array([0.96]), np.array([y])) for name, y in (("b", 0.93), ("c", 0.92)))]
    assert len(figures.method_maps(top, ["b"], 0.0).axes) == 2


def test_no_axis_of_a_study_says_unitless():
    assert not any("unitless" in label for label, _ in figures.CURVES.values())
