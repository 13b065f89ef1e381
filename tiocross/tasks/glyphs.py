"""Generated images of 28 x 28 pixels in ten classes: digits drawn with a pen, as large as those that are read from forms.

A class is a few strokes through points of a unit square, x to the right and y down. Every image draws them anew: turned,
slanted, stretched and moved, each point displaced a little, with a pen of its own width, then noise.
"""

import numpy as np

from tiocross.checks import as_count, as_number, require_generator, require_memory
from tiocross.tasks.dataset import PARTS, Dataset, Task

GLYPH_SIDE = 28
_N_CLASSES = 10
_AT_ONCE = 64  # images drawn together
_BYTES_PER_POINT = 3 * 8 * GLYPH_SIDE**2


def _arc(x, y, width, height, first, last, n=7):
    """Points of a part of an ellipse around (x, y), from one angle to the other, in quarter turns from the right down."""
    angle = np.linspace(first, last, n) * np.pi / 2
    return np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], axis=1)


_STROKES = (
    [_arc(0.5, 0.5, 0.3, 0.45, 0, 4, 11)],
    [[(0.35, 0.2), (0.55, 0.05), (0.55, 0.95)]],
    [[*_arc(0.5, 0.3, 0.3, 0.25, -2, 0.3), (0.2, 0.95), (0.8, 0.95)]],
    [[*_arc(0.48, 0.28, 0.27, 0.23, -1.8, 0.9)], [*_arc(0.48, 0.72, 0.3, 0.23, -0.9, 1.9)]],
    [[(0.6, 0.95), (0.6, 0.05), (0.15, 0.65), (0.85, 0.65)]],
    [[(0.78, 0.05), (0.28, 0.05), (0.25, 0.45), *_arc(0.47, 0.67, 0.3, 0.27, -0.9, 1.9)]],
    [[(0.68, 0.05), (0.32, 0.35), *_arc(0.5, 0.7, 0.27, 0.25, -2, 2, 9)]],
    [[(0.2, 0.05), (0.8, 0.05), (0.4, 0.95)]],
    [_arc(0.5, 0.28, 0.23, 0.22, 0, 4, 9), _arc(0.5, 0.72, 0.28, 0.23, 0, 4, 9)],
    [_arc(0.5, 0.32, 0.26, 0.25, 0, 4, 9), [(0.76, 0.32), (0.7, 0.65), (0.5, 0.95)]],
)


def generate_glyphs(*, rng: np.random.Generator, n_train: int = 4000, n_validation: int = 500, n_test: int = 2000,
                    noise: float = 0.15) -> Task:
    """Images of 28 x 28 pixels, row by row, of the digits 0 to 9 drawn with a pen.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    n_train, n_validation, n_test : int, optional
        Number of images of each part, at least 10 (unitless).
    noise : float, optional
        Standard deviation of the Gaussian added to each pixel, from 0 to 1, before it is cut to [0, 1] (unitless).

    Notes
    -----
    A glyph is turned by up to 0.25 rad and slanted by up to 0.3. Its size varies by 15 %, its place by 2.5 pixels. Points of
    strokes move by 0.7 pixels (standard deviation). The pen is 1.4 to 3 pixels wide, its contrast 0.7 to 1. Each part has as
    many images of each class as of any other, give or take one.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import tasks
    >>> task = tasks.generate_glyphs(rng=np.random.default_rng(7), n_train=40, n_validation=10, n_test=20)
    >>> len(task.train), len(task.test), task.test.n_features, task.test.n_classes
    (40, 20, 784, 10)
    """
    require_generator(rng)
    counts = [as_count(f"n_{part}", n, low=_N_CLASSES) for part, n in zip(PARTS, (n_train, n_validation, n_test))]
    noise = as_number("noise", noise, low=0.0, high=1.0)
    require_memory(f"{sum(counts)} images", _BYTES_PER_POINT * sum(counts), "ask for fewer images")
    parts = {}
    for part, n_images in zip(PARTS, counts):
        labels = rng.permutation(n_images) % _N_CLASSES
        images = _draw_images(labels, rng)
        images += rng.normal(0, noise, images.shape)
        parts[part] = Dataset(np.clip(images, 0.0, 1.0, out=images), labels)
    return Task(**parts, source=f"generated glyphs, noise {noise:g}")


def _draw_images(labels, rng):
    """(n_images, 784) images without noise."""
    images = np.empty((len(labels), GLYPH_SIDE**2))
    for label in range(_N_CLASSES):
        chosen = np.flatnonzero(labels == label)
        for first in range(0, len(chosen), _AT_ONCE):
            some = chosen[first : first + _AT_ONCE]
            images[some] = _draw_glyphs(label, len(some), rng)
    return images


def _draw_glyphs(label, n_images, rng):
    """(n_images, 784) images of one class."""
    strokes = [np.asarray(stroke, dtype=float) - 0.5 for stroke in _STROKES[label]]
    ends = np.cumsum([len(stroke) for stroke in strokes])
    moved = _move(np.concatenate(strokes), n_images, rng)
    starts = np.setdiff1d(np.arange(ends[-1]), ends - 1)  # each point but the last of a stroke begins a segment
    distance = _distances(moved[:, starts], moved[:, starts + 1])
    width, contrast = rng.uniform(0.7, 1.5, (n_images, 1)), rng.uniform(0.7, 1.0, (n_images, 1))
    return contrast * np.clip(width + 0.5 - distance, 0.0, 1.0)


def _move(points, n_images, rng):
    """(n_images, n, 2) places [pixels] of the points of a glyph in each image."""
    angle, slant = rng.uniform(-0.25, 0.25, n_images), rng.uniform(-0.3, 0.3, n_images)
    size = 20.0 * rng.uniform(0.85, 1.15, (n_images, 2))
    x = size[:, :1] * (points[:, 0] - slant[:, None] * points[:, 1])
    y = size[:, 1:] * points[:, 1]
    sine, cosine = np.sin(angle)[:, None], np.cos(angle)[:, None]
    turned = np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=-1)
    place = (GLYPH_SIDE - 1) / 2 + rng.uniform(-2.5, 2.5, (n_images, 1, 2))
    return turned + place + rng.normal(0, 0.7, turned.shape)


def _distances(starts, ends):
    """(n_images, 784) distance [pixels] of each pixel to the nearest of (n_images, n_segments, 2) segments."""
    row, column = np.indices((GLYPH_SIDE, GLYPH_SIDE)).reshape(2, -1)
    nearest = np.full((len(starts), GLYPH_SIDE**2), np.inf)
    for start, along in zip(np.moveaxis(starts, 1, 0), np.moveaxis(ends - starts, 1, 0)):
        x, y = column - start[:, :1], row - start[:, 1:]
        share = (x * along[:, :1] + y * along[:, 1:]) / np.maximum((along**2).sum(axis=1, keepdims=True), 1e-12)
        np.clip(share, 0.0, 1.0, out=share)
        np.minimum(nearest, np.hypot(x - share * along[:, :1], y - share * along[:, 1:]), out=nearest)
    return nearest
