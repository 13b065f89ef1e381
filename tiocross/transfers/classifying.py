"""The way to the classes that many copies of a network give to the same points: compiled for small networks, by matrix
products for large ones and for those that the compiled way does not know."""

from tiocross.transfers.inference import PointClassifier
from tiocross.transfers.products import ProductClassifier

MOST_CLASSES = 256  # told by a byte
_SMALL = 1_024  # weights up to which bounds of boxes of points decide most points, and products are slower


def classifier_for(network, points):
    """`PointClassifier` or `ProductClassifier` of the points; ValueError for too many classes."""
    if network.n_classes > MOST_CLASSES:
        raise ValueError(f"transfers tell at most {MOST_CLASSES} classes apart; the network has {network.n_classes}")
    return (PointClassifier if is_compiled(network) else ProductClassifier)(network, points)


def is_compiled(network):
    """Whether the compiled way serves the network: small and plain."""
    return network.is_plain and sum(array.size for array in network.arrays) <= _SMALL
