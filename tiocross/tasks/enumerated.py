"""Tasks whose points can all be written down: letters of 3 x 3 pixels, and the decoder of the surface code of distance 3."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tiocross.checks import as_count, as_number
from tiocross.tasks.dataset import Dataset, Task

LETTERS = {"z": "111 010 111", "v": "101 101 010", "n": "010 101 101"}  # 1 for a dark pixel, row by row
_SIDE = 3  # qubits along an edge of the code
_PLAQUETTES_X = ((0, 1), (1, 2, 4, 5), (3, 4, 6, 7), (7, 8))  # data qubits, row by row, of the stabilisers made of X
_PLAQUETTES_Z = ((3, 6), (0, 1, 3, 4), (4, 5, 7, 8), (2, 5))  # of those made of Z
_LOGICAL_X, _LOGICAL_Z = (0, 3, 6), (0, 1, 2)  # a column that anticommutes with a row in one qubit
LOGICAL_CLASSES = ("I", "X", "Z", "Y")  # numbered as flips of the logical Z, plus twice flips of the logical X


def make_letters() -> Task:
    """The letters z, v and n of 3 x 3 pixels, each as it is and with one pixel flipped: 30 images.

    Returns
    -------
    Task
        All 30 images to train with, and the same to judge by: they are all there are.

    Notes
    -----
    The classes that Prezioso et al. learnt on a passive crossbar, with 10 inputs (9 pixels and a bias) and 3 outputs [1]_.

    References
    ----------
    .. [1] Prezioso et al., Training and operation of an integrated neuromorphic network based on metal-oxide memristors,
       Nature 521, 61 (2015). https://doi.org/10.1038/nature14441

    Examples
    --------
    >>> from tiocross import tasks
    >>> letters = tasks.make_letters()
    >>> len(letters.train), letters.class_names, letters.train.points[0].reshape(3, 3).astype(int).tolist()
    (30, ('z', 'v', 'n'), [[1, 1, 1], [0, 1, 0], [1, 1, 1]])
    """
    images, labels = [], []
    for label, text in enumerate(LETTERS.values()):
        image = np.array([float(pixel) for pixel in text.replace(" ", "")])
        flips = np.vstack([np.zeros(len(image)), np.eye(len(image))])
        images += list(np.abs(image - flips))
        labels += [label] * len(flips)
    points = Dataset(images, labels)
    source = "letters z, v and n of 3 x 3 pixels, as they are and with one pixel flipped; all 30 images are in both parts"
    return Task(points, points, source, class_names=tuple(LETTERS))


@dataclass(frozen=True, eq=False)
class SurfaceCode:
    """All syndromes of the rotated surface code of distance 3, with what lies behind each and how probable that is.

    Parameters
    ----------
    error_rate : float
        Probability that a data qubit suffers X, Y or Z, each with a third of it (unitless).
    syndromes : (256, 8) ndarray
        Which stabilisers are violated, 0 or 1: four made of X, then four made of Z (unitless).
    probabilities : (256, 4) ndarray
        Of a syndrome together with a logical class, numbered as in ``LOGICAL_CLASSES``; they sum to 1 (unitless).
    """

    error_rate: float
    syndromes: np.ndarray
    probabilities: np.ndarray

    def __repr__(self):
        return f"<SurfaceCode of distance 3 at an error rate of {self.error_rate:g}>"

    @cached_property
    def best_classes(self) -> np.ndarray:
        """(256,) the most likely class of each syndrome (unitless)."""
        return self.probabilities.argmax(axis=1)

    @property
    def best_logical_error(self) -> float:
        """What the best decoder leaves: the probability of a wrong logical class (unitless)."""
        return float(self.logical_error(self.best_classes))

    def logical_error(self, classes: np.ndarray) -> float | np.ndarray:
        """Probability that a decoder is wrong.

        Parameters
        ----------
        classes : (..., 256) array_like
            Class that it gives to each syndrome (unitless).

        Returns
        -------
        float or (...,) ndarray
            Sum of the probabilities of all errors that it does not correct (unitless).
        """
        classes = np.asarray(classes)
        right = np.take_along_axis(np.broadcast_to(self.probabilities, (*classes.shape, 4)), classes[..., None], axis=-1)
        return 1.0 - right[..., 0].sum(axis=-1)

    def task(self, n_train: int = 2_048) -> Task:
        """The decoder as a task of classification.

        Parameters
        ----------
        n_train : int, optional
            About how many training points there are: every syndrome once at least, and more often what is worth more, by
            the square root of how much its best class is more probable than its second (unitless).

        Returns
        -------
        Task
            Training points are syndromes with their most likely class. Test points are all 256 syndromes, each once, with
            the same classes: whoever is right at all of them is the best decoder.
        """
        n_train = as_count("n_train", n_train, low=len(self.syndromes))
        ordered = np.sort(self.probabilities, axis=1)
        worth = np.sqrt(ordered[:, -1] - ordered[:, -2])
        times = np.maximum(np.round((n_train - len(worth)) * worth / worth.sum()), 0).astype(int) + 1
        chosen = np.repeat(np.arange(len(times)), times)
        return Task(Dataset(self.syndromes[chosen], self.best_classes[chosen], len(LOGICAL_CLASSES)),
                    Dataset(self.syndromes, self.best_classes, len(LOGICAL_CLASSES)),
                    "all 256 syndromes of the rotated surface code of distance 3, depolarising noise of "
                    f"{self.error_rate:g}; all are in both parts", class_names=LOGICAL_CLASSES)


def enumerate_surface_code(error_rate: float = 0.05) -> SurfaceCode:
    """The rotated surface code of distance 3 under depolarising noise on its nine data qubits.

    Parameters
    ----------
    error_rate : float, optional
        Probability that a data qubit suffers X, Y or Z, each with a third of it, within [0, 1] (unitless).

    Returns
    -------
    SurfaceCode
        All 256 syndromes, from all 4^9 errors, with exact probabilities. Stabilisers are measured without errors.

    Notes
    -----
    The class of an error says which logical operators it flips, X along the first column and Z along the first row. It is
    the same for errors that differ by stabilisers. The best decoder gives each syndrome its most likely class.

    Examples
    --------
    >>> from tiocross import tasks
    >>> code = tasks.enumerate_surface_code(0.05)
    >>> code.syndromes.shape, round(code.best_logical_error, 5)
    ((256, 8), 0.02926)
    """
    p = as_number("error_rate", error_rate, low=0.0, high=1.0)
    flips_x, flips_z = np.indices((2**_SIDE**2, 2**_SIDE**2)).reshape(2, -1)  # qubits that an error hits by X, by Z, as bits
    n_hit = _count_bits(flips_x | flips_z)
    probability = (1 - p) ** (_SIDE**2 - n_hit) * (p / 3) ** n_hit
    violated = [_parity(flips, qubits) for flips, group in ((flips_z, _PLAQUETTES_X), (flips_x, _PLAQUETTES_Z))
                for qubits in group]
    number = sum(bit << k for k, bit in enumerate(violated))
    logical = _parity(flips_x, _LOGICAL_Z) + 2 * _parity(flips_z, _LOGICAL_X)
    n_syndromes = 2 ** len(violated)
    table = np.bincount(4 * number + logical, weights=probability, minlength=4 * n_syndromes).reshape(n_syndromes, 4)
    syndromes = (np.arange(n_syndromes)[:, None] >> np.arange(len(violated))) & 1
    return SurfaceCode(p, syndromes.astype(float), table)


def _parity(errors, qubits):
    """(n_errors,) whether an odd number of some qubits is hit, for errors as bits."""
    return _count_bits(errors & sum(1 << qubit for qubit in qubits)) & 1


def _count_bits(numbers):
    return sum((numbers >> k) & 1 for k in range(_SIDE**2))
