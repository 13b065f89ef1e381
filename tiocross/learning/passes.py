"""By which passes networks are trained, and the points that these see: the kernel of small networks, or matrix products."""

import numpy as np

from tiocross.learning.layers import is_served, run_copies
from tiocross.learning.products import run_products


def choose_passes(steps, shapes, points):
    """An object whose ``run(weights, batch)`` gives the logits of all copies of networks on the points that they draw, of
    the (n_points, n_inputs) encoded ``points`` of each network; ``steps`` are those of each, ``shapes`` of the layers."""
    n_weights = sum(rows * columns for rows, columns in shapes)
    passes = _SmallPasses if all(is_served(own, n_weights) for own in steps) else _LargePasses
    return passes(steps, shapes, [each.astype(np.float32) for each in points])


class _SmallPasses:
    """One call of a compiled kernel; points stand feature by feature."""

    def __init__(self, steps, shapes, points):
        self._sizes = (points[0].shape[1], *(columns for _, columns in shapes))
        self._activations = [own[0].activation for own in steps]
        self._inputs = np.stack([each.T for each in points])
        self._rows = len(points[0]) * np.arange(len(points) * self._sizes[0]).reshape(len(points), -1, 1)

    def run(self, weights, batch):
        """Logits, a Tensor (n_networks, n_copies, n_points, n_outputs), for (n_networks, n_points) numbers of points."""
        return run_copies(weights, self._sizes, self._inputs.take(self._rows + batch[:, None]), self._activations)


class _LargePasses:
    """Matrix products. Points stand as they came: of many features it is cheaper to fetch whole points."""

    def __init__(self, steps, shapes, points):
        self._steps, self._shapes, self._points = steps, shapes, points

    def run(self, weights, batch):
        """As of `_SmallPasses`."""
        inputs = np.stack([own[chosen].T for own, chosen in zip(self._points, batch)])
        return run_products(weights, self._shapes, inputs, self._steps)
