"""Weights made for single chips, of which the stuck devices or what a write left behind is known.

Three means, from the cheapest on: a gain and an offset of each output, or the whole output layer, refitted digitally on what
the chip's hidden units really give; and weights trained again, briefly, around known stuck devices. All take training points
only.
"""

from dataclasses import dataclass

import numpy as np

from tiocross.checks import as_finite, as_number, kind_of, require_generator, require_name
from tiocross.devices.device import Device, require_device
from tiocross.learning.losses import PointErrorRate, softmax
from tiocross.learning.network import MLP
from tiocross.learning.steps import run_steps, width_of
from tiocross.learning.training import TrainingSettings, require_matching, train_many
from tiocross.mapping.faults import as_stuck_maps
from tiocross.mapping.layout import Layout
from tiocross.mapping.targets import layout_for
from tiocross.tasks import Dataset
from tiocross.transfers.known_chips import KnownChips
from tiocross.transfers.regression import fit_outputs
from tiocross.records import short_text

TEACHERS = ("network", "labels")
RIDGE = 1e-5  # a choice of ours: the smallest tried, and better than 1e-4 or 1e-3 on half moons
RETRAINING = TrainingSettings(n_steps=400, n_chips=8, learning_rate=0.1, loss=PointErrorRate(), loss_from=0.3)
_VALUES_AT_ONCE = 4_000_000  # of hidden signals in memory


def refit_output(network: MLP, weights: list, dataset: Dataset, *, ridge: float = RIDGE,
                 teacher: str = "network") -> np.ndarray:
    """Output layers, to be computed digitally, that suit what the hidden layers of chips really give.

    Parameters
    ----------
    network : MLP
        The network that was programmed.
    weights : list of (..., n_inputs + 1, n_outputs) ndarray
        What the chips compute with, as read back, bias last; leading axes are chips. The last layer is not used (unitless).
    dataset : Dataset
        Training points.
    ridge : float, optional
        Factor of half the squared distance from the network's own output layer, above zero (unitless).
    teacher : str, optional
        "network": the chips learn the probabilities that the network gives to the points, whose labels are then not used;
        or "labels".

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

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, refit_output, tasks
    >>> network, moons = MLP(2, 8, 1, rng=np.random.default_rng(1)), tasks.load_moons()
    >>> refit_output(network, network.arrays, moons.train).shape
    (9, 1)
    """
    def features(arrays):
        signals = run_steps(network.steps[:-1], arrays[:-1], network.encode(dataset.points))
        return _with_ones(np.broadcast_to(signals, (len(arrays[-1]), *signals.shape[-2:])))[:, None]

    require_refittable(network)
    found = _refit(network, weights, dataset, (ridge, teacher), features, network.arrays[-1].T)
    return np.swapaxes(found, -1, -2)


def refit_gain(network, weights, dataset, *, ridge=RIDGE, teacher="network", later=None):
    """Output layers, ``(..., n_hidden + 1, n_outputs)``, with a digital gain and offset for each output in them; the output
    layer itself stays on its devices, and may be another ``later`` on. Arguments as of `refit_output`; the ridge draws to a
    gain of 1 and no offset."""
    def features(arrays):
        logits = run_steps(network.steps, arrays, network.encode(dataset.points))
        return _with_ones(np.swapaxes(logits, -1, -2)[..., None])

    require_refittable(network)
    start = np.tile([1.0, 0.0], (network.sizes[-1], 1))
    gains = _refit(network, weights, dataset, (ridge, teacher), features, start)
    outputs = (weights[-1] if later is None else later) * gains[..., None, :, 0]
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
    at_once = max(1, _VALUES_AT_ONCE // (len(dataset) * _width(network)))
    found = [fit_outputs(features([array[first : first + at_once] for array in flat]), shares, start, ridge=ridge)
             for first in range(0, len(flat[0]), at_once)]
    return np.concatenate(found).reshape(*leading, *start.shape)


def require_refittable(network):
    """Raise ValueError unless a network's outputs are those of a dense layer, which can be refitted one by one."""
    if network.steps[-1].seen is not None or network.steps[-1].pooled is not None:
        raise ValueError(f"outputs are refitted, or given a gain, where the last layer is dense; the network ends with "
                         f"{network.layers[-1]}: leave refit out, or end with a Dense layer")


def _width(network):
    return max(network.sizes) if network.is_plain else width_of(network.steps, network.arrays, network.sizes[0])


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


def retrain_around(network: MLP, dataset: Dataset, device: Device, stuck: list, *, rng: np.random.Generator,
                   layout: Layout | None = None, settings: TrainingSettings = RETRAINING) -> MLP:
    """The network trained again, briefly, for one chip whose stuck devices are known.

    Parameters
    ----------
    network : MLP
        Where to start: a network trained for any chip.
    dataset : Dataset
        Training points.
    device : Device
        What a write leaves behind on healthy devices.
    stuck : list of (n_word_lines, n_bit_lines) array_like
        Conductances of stuck devices in each layer, NaN where healthy [S].
    rng : numpy.random.Generator
        Source of chance.
    layout : Layout, optional
        Which device carries what; as for `map_weights` without it.
    settings : TrainingSettings, optional
        Steps, draws of the writes per step, loss.

    Returns
    -------
    MLP
        The network for this chip, to be mapped and given the partners' offset.

    Raises
    ------
    ValueError
        If there is not one stuck map of the right shape for each layer, or the dataset does not fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, TrainingSettings, retrain_around, tasks
    >>> network, moons = MLP(2, 4, 1, rng=np.random.default_rng(1)), tasks.load_moons()
    >>> stuck = [np.full((3, 8), np.nan), np.full((5, 2), np.nan)]
    >>> stuck[1][0, 0] = 5e-4  # siemens
    >>> retrain_around(network, moons.train, TIO2, stuck, rng=np.random.default_rng(2),
    ...                settings=TrainingSettings(n_steps=10, n_chips=2)).sizes
    (2, 4, 1)
    """
    require_matching(network, dataset)
    require_device(device)
    require_generator(rng)
    layout = layout_for(network.shapes, device, layout)
    stuck = as_stuck_maps(stuck, layout.layer_shapes, "layer")
    technique = KnownChips(device, layout, network.shapes, [array[None] for array in stuck], layout.n_later_writes)
    return train_many([network], dataset, [technique], rngs=[rng], settings=settings)[0]


def _refit_in_software(network, weights, dataset, *, ridge, later):
    """`refit_output`, which nothing later touches."""
    return refit_output(network, weights, dataset, ridge=ridge)


REFITS = {"output": _refit_in_software, "gain": refit_gain}


@dataclass(frozen=True)
class Adaptation:
    """What is known of each chip, and what is done with it. The default: nothing.

    Parameters
    ----------
    training : Dataset, optional
        Training points, for sensitivities, retraining and refits.
    map_known : bool, optional
        Whether stuck devices and failed lines are known: weights are placed around them, partners make up for those that
        remain.
    spare_lines : bool, optional
        Whether lines may move to spare ones of their array; else only hidden units and arrays are exchanged.
    sensitive_last : bool, optional
        Whether the devices whose weights matter most are programmed last, when fewer writes follow.
    retraining : TrainingSettings, optional
        Trains the network again for each chip on which known stuck devices leave damage.
    layer_by_layer : bool, optional
        Whether each layer is read back before the next is trained again, by ``retraining``, and programmed.
    refit : str, optional
        "output": the output layer is computed digitally, refitted on what the hidden layer was read to give; "gain": a
        digital gain and offset for each output, see `refit_output`.
    ridge : float, optional
        Of the refit (unitless).
    compensated : bool, optional
        Whether targets make up for the wires, see `compensate_targets`.
    """

    training: Dataset | None = None
    map_known: bool = False
    spare_lines: bool = True
    sensitive_last: bool = False
    retraining: TrainingSettings | None = None
    layer_by_layer: bool = False
    refit: str | None = None
    ridge: float = RIDGE
    compensated: bool = False

    def __repr__(self):
        return short_text(self)

    def __post_init__(self):
        if self.training is not None and not isinstance(self.training, Dataset):
            raise TypeError(f"training must be a Dataset of training points, or None; got {kind_of(self.training)}")
        if self.refit is not None and self.refit not in REFITS:
            raise ValueError(f"refit must be one of {', '.join(map(repr, REFITS))}, or None; got {self.refit!r}")
        if self.retraining is not None and not isinstance(self.retraining, TrainingSettings):
            raise TypeError(f"retraining must be TrainingSettings(...), or None; got {self.retraining!r}")
        if self.layer_by_layer and self.retraining is None:
            raise ValueError("layer_by_layer trains the layers that are left; give it retraining=RETRAINING")
        if self.retraining is not None and not (self.map_known or self.layer_by_layer):
            raise ValueError("retraining for a chip needs map_known or layer_by_layer; without them nothing is known of it")
        if as_number("ridge", self.ridge, low=0.0) == 0.0 and self.refit is not None:
            raise ValueError("ridge must be above zero, or points that can be told apart would need infinite weights; got 0")
        for name in ("map_known", "spare_lines", "sensitive_last", "layer_by_layer", "compensated"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False; got {getattr(self, name)!r}")

    @property
    def knows_chip(self) -> bool:
        """Whether anything of a chip is known, so that each gets weights of its own."""
        return self.map_known or self.layer_by_layer or self.refit is not None

    def require_possible(self, layout: Layout) -> None:
        """Raise ValueError where training points are lacking, or physics forbids it on this layout."""
        needing = [name for name in ("sensitive_last", "retraining", "refit") if getattr(self, name)]
        if needing and self.training is None:
            raise ValueError(f"{needing[0]} needs training points: Adaptation(training=task.train, ...)")
        if self.map_known and not layout.mapping.has_partners:
            raise ValueError("known faults are made up for by the partner in a pair; a layout on "
                             f"{type(layout.mapping).__name__} has none, use DifferentialPairs()")
        if self.map_known and sorted(layout.arrays) != list(range(len(layout.arrays))):
            raise ValueError(f"the arrays of a layout to be placed around faults are numbered from 0; got {layout.arrays}")
        if self.layer_by_layer and any(len({block.layer for block in blocks}) > 1 for blocks in layout.blocks_of):
            raise ValueError("layer_by_layer reads a layer back before the next is programmed; here layers share an array, "
                             "and programming the next disturbs what was read. Use arrange, or leave layer_by_layer out")
