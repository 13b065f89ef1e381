"""Weights made for single chips, of which the stuck devices or what a write left behind is known.

Three means, from the cheapest on: a gain and an offset of each output, or the whole output layer, refitted digitally on what
the chip's hidden units really give; and weights trained again, briefly, around known stuck devices. All take training points
only.
"""

from dataclasses import dataclass

import numpy as np

from tiocross.devices.device import require_device
from tiocross.checks import as_finite, as_number, require_generator, require_name
from tiocross.transfers.known_chips import KnownChips
from tiocross.transfers.regression import fit_outputs
from tiocross.learning.losses import PointErrorRate, softmax
from tiocross.learning.network import forward
from tiocross.learning.training import TrainingSettings, require_matching, train_many
from tiocross.mapping.faults import as_stuck_maps
from tiocross.mapping.pairs import count_pair_writes

TEACHERS = ("network", "labels")
RIDGE = 1e-5  # a choice of ours: the smallest tried, and better than 1e-4 or 1e-3 on half moons
RETRAINING = TrainingSettings(n_steps=400, n_chips=8, learning_rate=0.1, loss=PointErrorRate(), loss_from=0.3)
_VALUES_AT_ONCE = 4_000_000  # of hidden signals in memory


def refit_output(network, weights, dataset, *, ridge=RIDGE, teacher="network"):
    """Output layers, to be computed digitally, that suit what the hidden layers of chips really give.

    Parameters
    ----------
    network : MLP
        The network that was programmed (unitless).
    weights : list of (..., n_inputs + 1, n_outputs) ndarray
        What the chips compute with, as read back, bias last; leading axes are chips. The last layer is not used (unitless).
    dataset : Dataset
        Training points (unitless).
    ridge : float, optional
        Factor of half the squared distance from the network's own output layer, above zero (unitless).
    teacher : str, optional
        "network": the chips learn the probabilities that the network gives to the points, whose labels are then not used;
        or "labels" (unitless).

    Returns
    -------
    (..., n_hidden + 1, n_outputs) ndarray
        Weights, bias last (unitless).

    Raises
    ------
    ValueError
        If the weights do not have the shapes of the network's, a value is not finite, or the dataset does not fit.

    Notes
    -----
    Cross-entropy over the points plus the ridge, by Newton's method. The network knows more of a point than its label:
    labels of points where the classes overlap draw the boundary of every chip to another side.
    """
    def features(arrays):
        n_hidden = network.arrays[-1].shape[0] - 1
        passing = np.eye(n_hidden + 1, n_hidden)  # weights and bias of a layer that gives what it gets
        signals = forward([*arrays[:-1], passing], network.encode(dataset.points), network.activation)
        return _with_ones(np.broadcast_to(signals, (len(arrays[-1]), *signals.shape[-2:])))[:, None]

    found = _refit(network, weights, dataset, (ridge, teacher), features, network.arrays[-1].T)
    return np.swapaxes(found, -1, -2)


def refit_gain(network, weights, dataset, *, ridge=RIDGE, teacher="network"):
    """Output layers with a digital gain and offset for each output; the output layer itself stays on its devices.

    Parameters
    ----------
    network : MLP
        The network that was programmed (unitless).
    weights : list of (..., n_inputs + 1, n_outputs) ndarray
        What the chips compute with, bias last (unitless).
    dataset : Dataset
        Training points (unitless).
    ridge : float, optional
        As in `refit_output`, from a gain of 1 and no offset (unitless).
    teacher : str, optional
        As in `refit_output` (unitless).

    Returns
    -------
    (..., n_hidden + 1, n_outputs) ndarray
        The output layers with gain and offset in them, bias last (unitless).
    """
    def features(arrays):
        logits = forward(arrays, network.encode(dataset.points), network.activation)
        return _with_ones(np.swapaxes(logits, -1, -2)[..., None])

    start = np.tile([1.0, 0.0], (network.sizes[-1], 1))
    gains = _refit(network, weights, dataset, (ridge, teacher), features, start)
    outputs = weights[-1] * gains[..., None, :, 0]
    outputs[..., -1, :] += gains[..., 1]
    return outputs


def _refit(network, weights, dataset, how, features, start):
    """(..., n_outputs, n_features) coefficients of each chip, fitted some chips at a time."""
    require_matching(network, dataset)
    ridge, teacher = how
    if as_number("ridge", ridge, low=0.0) == 0.0:
        raise ValueError("ridge must be above zero, or points that can be told apart would need infinite weights; got 0")
    require_name("teacher", teacher, TEACHERS)
    shapes = [array.shape for array in network.arrays]
    weights = [as_finite(f"weights of layer {layer}", array) for layer, array in enumerate(weights)]
    leading = weights[-1].shape[:-2] if weights else ()
    if [array.shape for array in weights] != [(*leading, *shape) for shape in shapes]:
        raise ValueError(f"weights must have shapes (..., *shape) of {shapes}, with the same leading axes; got "
                         f"{[array.shape for array in weights]}")
    shares = _class_shares(network, dataset, teacher)
    flat = [array.reshape(-1, *array.shape[-2:]) for array in weights]
    at_once = max(1, _VALUES_AT_ONCE // (len(dataset) * max(network.sizes)))
    found = [fit_outputs(features([array[first : first + at_once] for array in flat]), shares, start, ridge=ridge)
             for first in range(0, len(flat[0]), at_once)]
    return np.concatenate(found).reshape(*leading, *start.shape)


def _class_shares(network, dataset, teacher):
    """(n_points, n_outputs) share of each output's class in a point; that of class 1 where there is one output."""
    n_outputs = network.sizes[-1]
    if teacher == "labels":
        return (dataset.labels[:, None] == (np.arange(n_outputs) if n_outputs > 1 else 1)).astype(np.float64)
    logits = network.logits(dataset.points)
    if n_outputs == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    return softmax(logits)[1][:, -n_outputs:]


def _with_ones(signals):
    return np.concatenate([signals, np.ones((*signals.shape[:-1], 1))], axis=-1)


def retrain_around(network, dataset, device, stuck, *, rng, settings=RETRAINING):
    """The network trained again, briefly, for one chip whose stuck devices are known.

    Parameters
    ----------
    network : MLP
        Where to start: a network trained for any chip (unitless).
    dataset : Dataset
        Training points (unitless).
    device : Device
        What a write leaves behind on healthy devices (unitless).
    stuck : list of (n_inputs + 1, 2 n_outputs) array_like
        Conductances of stuck devices in each layer, NaN where healthy [S].
    rng : numpy.random.Generator
        Source of chance (unitless).
    settings : TrainingSettings, optional
        Steps, draws of the writes per step, loss (unitless).

    Returns
    -------
    MLP
        The network for this chip, to be mapped and given the partners' offset.

    Raises
    ------
    ValueError
        If there is not one stuck map of the right shape for each layer, or the dataset does not fit the network.
    """
    require_matching(network, dataset)
    require_device(device)
    require_generator(rng)
    stuck = as_stuck_maps(stuck, [(len(array), 2 * array.shape[1]) for array in network.arrays], "layer")
    later = [count_pair_writes(array.shape, "pairs", device.array_shape) for array in network.arrays]
    technique = KnownChips(device, [array[None] for array in stuck], later)
    return train_many([network], dataset, [technique], rngs=[rng], settings=settings)[0]


REFITS = {"output": refit_output, "gain": refit_gain}


@dataclass(frozen=True)
class Adaptation:
    """What is known of each chip, and what is done with it. The default: nothing.

    Parameters
    ----------
    map_known : bool
        Whether stuck devices are known: weights are placed around them, partners make up for those that remain (unitless).
    spare_lines : bool
        Whether lines may move to spare ones of their array; else only hidden units and arrays are exchanged (unitless).
    sensitive_last : bool
        Whether the devices whose weights matter most are programmed last, when fewer writes follow (unitless).
    retraining : TrainingSettings or None
        Trains the network again for each chip on which known stuck devices leave damage (unitless).
    layer_by_layer : bool
        Whether each layer is read back before the next is trained again, by ``retraining``, and programmed (unitless).
    refit : str or None
        "output": the output layer is computed digitally, refitted on what the hidden layer was read to give; "gain": a
        digital gain and offset for each output, see `refit_output`, `refit_gain` (unitless).
    ridge : float
        Of the refit (unitless).
    """

    map_known: bool = False
    spare_lines: bool = True
    sensitive_last: bool = False
    retraining: TrainingSettings | None = None
    layer_by_layer: bool = False
    refit: str | None = None
    ridge: float = RIDGE

    def __post_init__(self):
        if self.refit is not None and self.refit not in REFITS:
            raise ValueError(f"refit must be one of {', '.join(map(repr, REFITS))}, or None; got {self.refit!r}")
        if self.retraining is not None and not isinstance(self.retraining, TrainingSettings):
            raise TypeError(f"retraining must be TrainingSettings(...), or None; got {self.retraining!r}")
        if self.layer_by_layer and self.retraining is None:
            raise ValueError("layer_by_layer trains the layers that are left; give it retraining=RETRAINING")
        if self.retraining is not None and not (self.map_known or self.layer_by_layer):
            raise ValueError("retraining for a chip needs map_known or layer_by_layer; without them nothing is known of it")
        as_number("ridge", self.ridge, low=0.0)

    @property
    def knows_chip(self):
        """Whether anything of a chip is known, so that each gets weights of its own (unitless)."""
        return self.map_known or self.layer_by_layer or self.refit is not None
