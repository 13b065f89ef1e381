"""Generated images of digits: what is stated of them, and that they can be told apart."""

import numpy as np
import pytest

from tiocross import tasks
from tiocross.tasks.glyphs import GLYPH_SIDE, _distances, _draw_glyphs

RNG = np.random.default_rng


def test_parts_have_as_many_images_of_each_class_and_share_none():
    task = tasks.generate_glyphs(rng=RNG(1), n_train=103, n_validation=20, n_test=50)
    for part, n_images in (("train", 103), ("validation", 20), ("test", 50)):
        points = getattr(task, part)
        assert points.points.shape == (n_images, GLYPH_SIDE**2) and points.n_classes == 10
        assert 0.0 == points.points.min() and points.points.max() == 1.0
        counts = np.bincount(points.labels)
        assert counts.max() - counts.min() <= 1
    assert not any(task.overlaps.values())
    again = tasks.generate_glyphs(rng=RNG(1), n_train=103, n_validation=20, n_test=50)
    np.testing.assert_array_equal(task.train.points, again.train.points)


def test_distances_are_those_of_many_points_along_the_segments():
    rng = RNG(2)
    starts, ends = rng.uniform(0, 27, (2, 3, 4, 2))
    row, column = np.indices((GLYPH_SIDE, GLYPH_SIDE)).reshape(2, -1)
    along = starts[:, :, None] + np.linspace(0, 1, 2001)[:, None] * (ends - starts)[:, :, None]
    for found, points in zip(_distances(starts, ends), along.reshape(3, -1, 2)):
        expected = np.array([np.hypot(x - points[:, 0], y - points[:, 1]).min() for x, y in zip(column, row)])
        np.testing.assert_allclose(found, expected, atol=0.01)  # points are at most 0.02 pixels apart


def test_ink_stays_within_the_image_and_strokes_are_as_wide_as_stated():
    for label in range(10):
        images = _draw_glyphs(label, 40, RNG(label)).reshape(-1, GLYPH_SIDE, GLYPH_SIDE)
        assert ((images.max(axis=(1, 2)) <= 1.0) & (images.max(axis=(1, 2)) > 0.6)).all()
        ink = images.sum(axis=(1, 2))
        border = ink - images[:, 1:-1, 1:-1].sum(axis=(1, 2))
        assert border.sum() < 0.03 * ink.sum()
    one = _draw_glyphs(1, 400, RNG(3)).reshape(-1, GLYPH_SIDE, GLYPH_SIDE)
    middle = (one > 0.5 * one.max(axis=(1, 2), keepdims=True)).sum(axis=2)[:, 12:17].mean()
    assert 1.4 < middle < 3.0  # the straight stroke of a one


def test_the_nearest_mean_image_tells_most_classes():
    task = tasks.generate_glyphs(rng=RNG(4), n_train=400, n_validation=10, n_test=300)
    means = np.stack([task.train.points[task.train.labels == label].mean(axis=0) for label in range(10)])
    found = ((task.test.points[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1)
    assert 0.5 < np.mean(found == task.test.labels) < 0.95  # chance: 0.1


@pytest.mark.parametrize(("ask", "message"), [
    ({"n_train": 9}, "n_train must be at least 10; got 9"),
    ({"noise": 1.5}, r"noise must lie in \[0, 1\]|noise must be .*1.5"),
    ({"n_test": 10**12}, "ask for fewer images"),
])
def test_what_cannot_be_drawn_is_refused(ask, message):
    with pytest.raises(ValueError, match=message):
        tasks.generate_glyphs(rng=RNG(1), **ask)
