"""Classes that many copies of a network, such as programmed chips, give to the same points."""

import numpy as np

from tiocross.transfers.classification_kernel import classify_points
from tiocross.learning.network import ACTIVATIONS

_TILE = 32  # points evaluated together: wide enough to vectorise, small enough for most tiles to be of one class


class PointClassifier:
    """Points arranged for evaluation by many copies of a network.

    Parameters
    ----------
    network : MLP
        Gives layer sizes, activation and input encoding; its weights are not used (unitless).
    points : (n_points, n_features) array_like
        Features (unitless).

    Raises
    ------
    ValueError
        If the network tells more than 256 classes apart.
    """

    def __init__(self, network, points):
        if network.n_classes > 256:
            raise ValueError(f"transfers tell at most 256 classes apart; the network has {network.n_classes}")
        encoded = network.encode(points)
        self._sizes = np.array(network.sizes, dtype=np.int64)
        self._activation = ACTIVATIONS.index(network.activation)
        order = order_by_neighbourhood(encoded, _TILE)
        self._n_points = len(order)
        self._places = np.ascontiguousarray(_in_groups(order[:, None], _TILE)[:, 0])  # (T, W)
        self._tiles = _in_groups(encoded[order], _TILE)  # (T, F, W)
        corners = self._tiles.min(axis=2), self._tiles.max(axis=2)
        self._box_low, self._box_high = (_in_groups(corner, _TILE) for corner in corners)

    def classify(self, arrays):
        """Class of each point on each copy.

        Parameters
        ----------
        arrays : list of (n_copies, n_inputs + 1, n_outputs) ndarray
            Weights of each layer, bias last (unitless).

        Returns
        -------
        (n_copies, n_points) uint8 ndarray
            Classes, as `MLP.predict` of a network with these weights gives them (unitless).
        """
        n_copies = len(arrays[0])
        flat = np.concatenate([np.reshape(array, (n_copies, -1)) for array in arrays], axis=1)
        signal = np.empty((4, int(self._sizes.max()), _TILE))
        verdicts = np.empty(_TILE, dtype=np.uint8)
        classes = np.empty((n_copies, self._n_points), dtype=np.uint8)
        classify_points(flat, self._sizes, self._activation, self._tiles, self._places, self._box_low, self._box_high,
                        signal, verdicts, classes)
        return classes


def order_by_neighbourhood(points, size):
    """Order in which every ``size`` successive points are neighbours: halves along the widest feature, repeatedly.

    Parameters
    ----------
    points : (n_points, n_features) ndarray
        Points (unitless).
    size : int
        Points in a group (unitless).

    Returns
    -------
    (n_points,) int ndarray
        Indices of the points; only the last group may be smaller (unitless).
    """
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
