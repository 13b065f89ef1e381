"""Training: the loop, the losses, Adam."""

from dataclasses import dataclass

import numpy as np

from tiocross.datasets import Dataset
from tiocross.errors import as_count, as_number, require_generator, require_name
from tiocross.learning.autograd import Tensor
from tiocross.learning.losses import classification_loss
from tiocross.learning.network import MLP, forward
from tiocross.learning.techniques import ChipSampler, split_layers

SCHEDULES = ("cosine", "constant")
_CHIPS_PER_DRAW = 256  # chips drawn at once: the cost of drawing is per call rather than per number


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Parameters
    ----------
    n_steps : int
        Steps of the optimiser (unitless).
    batch_size : int
        Points in a step, drawn without replacement within an epoch (unitless).
    n_chips : int
        Simulated chips in a step, where a technique simulates them (unitless).
    learning_rate : float
        Rate of Adam, at the start with a cosine schedule (unitless).
    schedule : str
        "cosine", falling to zero at the last step, or "constant" (unitless).
    weight_decay : float
        Added to the gradient as weight_decay * weight, bias included, as in the paper's code (unitless).
    """

    n_steps: int = 2000
    batch_size: int = 256
    n_chips: int = 8
    learning_rate: float = 0.1
    schedule: str = "cosine"
    weight_decay: float = 0.0

    def __post_init__(self):
        for name in ("n_steps", "batch_size", "n_chips"):
            as_count(name, getattr(self, name))
        as_number("learning_rate", self.learning_rate, low=0.0)
        as_number("weight_decay", self.weight_decay, low=0.0)
        require_name("schedule", self.schedule, SCHEDULES)


class Adam:
    """Adam on one array, in place (Kingma and Ba, arXiv:1412.6980).

    Parameters
    ----------
    weights : ndarray
        Changed by `step` (unitless).
    weight_decay : float, optional
        Added to the gradient as weight_decay * weight (unitless).
    """

    def __init__(self, weights, *, weight_decay=0.0):
        self.weights = weights
        self.weight_decay = weight_decay
        self.n_steps = 0
        self._mean, self._square = np.zeros((2, *weights.shape))

    def step(self, grad, learning_rate):
        """One step against ``grad``.

        Parameters
        ----------
        grad : ndarray
            Gradient, of the shape of the weights (unitless).
        learning_rate : float
            Rate of this step (unitless).
        """
        self.n_steps += 1
        grad = grad + self.weight_decay * self.weights
        self._mean += 0.1 * (grad - self._mean)
        self._square += 0.001 * (grad * grad - self._square)
        mean = self._mean / (1 - 0.9**self.n_steps)
        square = self._square / (1 - 0.999**self.n_steps)
        self.weights -= learning_rate * mean / (np.sqrt(square) + 1e-8)


def train(network, dataset, techniques=(), *, rng, settings=TrainingSettings(), on_progress=None):
    """A trained copy of a network.

    Parameters
    ----------
    network : MLP
        Where to start; left as it is (unitless).
    dataset : Dataset
        Training points (unitless).
    techniques : list, optional
        Any of `NoiseInjection`, `ConductanceDropout`, `RangePenalty` (unitless).
    rng : numpy.random.Generator
        Source of chance for batches and simulated chips (unitless).
    settings : TrainingSettings, optional
        Steps, batch, chips per step, Adam (unitless).
    on_progress : callable, optional
        Called as ``on_progress(n_done, n_steps)`` after each step; raise from it to stop (unitless).

    Returns
    -------
    MLP
        The network after the last step.

    Raises
    ------
    ValueError
        If the dataset does not fit the network, or the techniques do not fit each other.
    FloatingPointError
        If the loss is no longer finite.
    """
    return train_many([network], dataset, techniques, rngs=[rng], settings=settings, on_progress=on_progress)[0]


def train_many(networks, dataset, techniques=(), *, rngs, settings=TrainingSettings(), on_progress=None):
    """Trained copies of several networks of one shape, in one pass: the same bits as one after the other, but faster.

    Parameters
    ----------
    networks : list of MLP
        Where to start, for example one for each seed; left as they are (unitless).
    dataset : Dataset
        Training points (unitless).
    techniques : list, optional
        As in `train` (unitless).
    rngs : list of numpy.random.Generator
        Source of chance of each network (unitless).
    settings : TrainingSettings, optional
        As in `train` (unitless).
    on_progress : callable, optional
        As in `train` (unitless).

    Returns
    -------
    list of MLP
        The networks after the last step.

    Raises
    ------
    ValueError, FloatingPointError
        As in `train`; also if the networks differ in layer sizes or activation.
    """
    if not isinstance(settings, TrainingSettings):
        raise TypeError(f"settings must be TrainingSettings(...); got {settings!r}")
    _require_trainable(networks, dataset, techniques, rngs)
    inputs = np.stack([network.encode(dataset.points) for network in networks])
    sampler = ChipSampler(techniques, networks[0].sizes)
    penalties = [technique for technique in techniques if hasattr(technique, "penalty")]
    shapes = [array.shape for array in networks[0].arrays]
    # Axes: network, simulated chip, weights of all layers, 1.
    weights = np.stack([np.concatenate([array.reshape(-1, 1) for array in network.arrays]) for network in networks])[:, None]
    adam = Adam(weights, weight_decay=settings.weight_decay)
    batches = zip(*(draw_batches(len(dataset), settings.batch_size, rng) for rng in rngs))
    chips = _draw_chips(sampler, settings.n_chips, rngs)
    each = np.arange(len(networks))[:, None]
    for step in range(settings.n_steps):
        batch = np.stack(next(batches))
        tensor = Tensor(weights)
        sampled = tensor if sampler.device is None else sampler.sample(tensor, next(chips))
        logits = forward(split_layers(sampled, shapes), inputs[each, batch][:, None], networks[0].activation)
        loss = classification_loss(logits, dataset.labels[batch][:, None]) * len(networks)
        for technique in penalties:
            loss = loss + technique.penalty(split_layers(tensor, shapes))
        if not np.isfinite(loss.value):
            raise FloatingPointError(f"the loss is {loss.value} at step {step}; lower the learning rate "
                                     f"({settings.learning_rate:g})")
        loss.backward()
        adam.step(tensor.grad, _rate_at(step, settings))
        if on_progress is not None:
            on_progress(step + 1, settings.n_steps)
    return [network.with_arrays([array.copy() for array in split_layers(trained, shapes)])
            for network, trained in zip(networks, weights[:, 0])]


def _require_trainable(networks, dataset, techniques, rngs):
    if not networks or len(networks) != len(rngs):
        raise ValueError(f"train_many needs one generator for each network; got {len(networks)} networks, {len(rngs)} rngs")
    for rng in rngs:
        require_generator(rng)
    if not isinstance(techniques, list | tuple):
        raise TypeError(f"techniques must be a list, such as [NoiseInjection(TIO2)]; got {techniques!r}")
    for technique in techniques:
        known = hasattr(technique, "simulated_device") or hasattr(technique, "penalty")
        if not known or isinstance(technique, type):
            raise TypeError(f"techniques must be NoiseInjection, ConductanceDropout or RangePenalty; got {technique!r}")
    for network in networks:
        require_matching(network, dataset)
        if (network.sizes, network.activation) != (networks[0].sizes, networks[0].activation):
            raise ValueError(f"networks trained together must have one shape; got {networks[0].sizes} "
                             f"{networks[0].activation} and {network.sizes} {network.activation}")


def draw_batches(n_points, batch_size, rng):
    """Endless batches of indices; each epoch is a new order of all points, its last batch may be smaller.

    Parameters
    ----------
    n_points, batch_size : int
        Number of points, and of points in a batch (unitless).
    rng : numpy.random.Generator
        Source of chance (unitless).

    Yields
    ------
    (n,) int ndarray
        Indices of the points of one batch (unitless).
    """
    while True:
        order = rng.permutation(n_points)
        for start in range(0, n_points, batch_size):
            yield order[start : start + batch_size]


def require_matching(network, dataset):
    """Raise ValueError unless the network can classify the dataset.

    Parameters
    ----------
    network : MLP
        The network (unitless).
    dataset : Dataset
        The points (unitless).

    Raises
    ------
    ValueError, TypeError
        If it cannot, or one of them is something else.
    """
    for what, value, kind in (("network", network, MLP), ("dataset", dataset, Dataset)):
        if not isinstance(value, kind):
            raise TypeError(f"{what} must be a {kind.__name__}; got a {type(value).__name__}")
    if dataset.n_features != network.sizes[0]:
        raise ValueError(f"the network has {network.sizes[0]} inputs but the dataset has {dataset.n_features} features")
    if dataset.n_classes > network.n_classes:
        raise ValueError(f"the network tells {network.n_classes} classes apart but the dataset has labels up to "
                         f"{dataset.n_classes - 1}")


def _draw_chips(sampler, n_chips, rngs):
    """Endless draws of shape (n_networks, n_chips, n_weights, 2), many steps at once."""
    per_draw = max(1, _CHIPS_PER_DRAW // n_chips)
    while True:
        drawn = sampler.draw(per_draw * n_chips, rngs)
        for k in range(per_draw):
            yield drawn[:, k * n_chips : (k + 1) * n_chips]


def _rate_at(step, settings):
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * 0.5 * (1 + np.cos(np.pi * step / settings.n_steps))
