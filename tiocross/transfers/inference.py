"""Classes that many copies of a network, such as programmed chips, give to the same points."""

import numpy as np

from tiocross.learning.activations import find_activation
from tiocross.learning.classes_kernel import classify_points

_TILE = 32  # points evaluated together: wide enough to vectorise, small enough for most tiles to be of one class


class PointClassifier:
    """Points arranged for many copies of a network, of which sizes, activation and input encoding count, not the weights."""

    def __init__(self, network, points):
        encoded = network.encode(points)
        self._sizes = np.array(network.sizes, dtype=np.int64)
        activation = find_activation(network.activation)
        self._activation = activation.kind, np.array(activation.terms)
        order = order_by_neighbourhood(encoded, _TILE)
        self._places = np.ascontiguousarray(_in_groups(order[:, None], _TILE)[:, 0])  # (T, W)
        self._tiles = _in_groups(encoded[order], _TILE)[None]  # (1, T, F, W)
        corners = self._tiles[0].min(axis=2), self._tiles[0].max(axis=2)
        self._boxes = np.stack([_in_groups(corner, _TILE) for corner in corners])
        self.n_points, self.scratch_bytes = len(order), 0
        self.n_bytes = self._tiles.nbytes + self._boxes.nbytes + self._places.nbytes

    def classify(self, arrays):
        """(n_copies, n_points) uint8 classes, as `MLP.predict` gives them, for the weights of each layer,
        (n_copies, n_inputs + 1, n_outputs), bias last."""
        n_copies = len(arrays[0])
        flat = np.concatenate([np.reshape(array, (n_copies, -1)) for array in arrays], axis=1)
        hidden = np.empty((2, int(self._sizes[1:-1].sum()) * _TILE))
        ends = np.empty((2, 1, int(self._sizes[-1]), _TILE))
        verdicts = np.empty(_TILE, dtype=np.uint8)
        classes = np.empty((n_copies, self.n_points), dtype=np.uint8)
        classify_points(flat, self._sizes, *self._activation, self._tiles, self._places, self._boxes, hidden, ends, verdicts,
                        classes)
        return classes


def order_by_neighbourhood(points, size):
    """(n_points,) indices in an order where every ``size`` successive points are neighbours: halves along the widest
    feature, repeatedly. Only the last group may be smaller."""
    pending, groups = [np.arange(len(points))], []
    while pending:
        indices = pending.pop()
        if len(indices) <= size:
            groups.append(indices)
            continue
        widest = np.ptp(points[indices], axis=0).argmax()
        indices = indices[np.argsort(points[indices, widest], kind="stable")]
        half = size * max(1, len(indices) // size // 2)
        pending += [indices[half:], indices[:half]]
    return np.concatenate(groups)


def _in_groups(rows, size):
    """(n, F) rows as (ceil(n / size), F, size), the last group filled up with the last row."""
    n_groups = -(-len(rows) // size)
    filled = np.concatenate([rows, np.repeat(rows[-1:], n_groups * size - len(rows), axis=0)])
    return np.ascontiguousarray(filled.reshape(n_groups, size, -1).transpose(0, 2, 1))
