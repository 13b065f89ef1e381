"""Figures of a study: methods beside each other, and names that do not touch."""

import numpy as np
import pytest
from matplotlib.text import Text

from tiocross import plot
from tiocross.plot.labels import keep_apart


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
