"""Training: the loop."""

from dataclasses import dataclass

import numpy as np

from tiocross.tasks import Dataset
from tiocross.checks import as_count, as_number, require_generator, require_name
from tiocross.learning.optimisers import Adam
from tiocross.learning.tensor import Tensor
from tiocross.learning.layers import run_copies
from tiocross.learning.losses import Loss, MeanLoss, RememberedRates
from tiocross.learning.network import MLP
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
    loss : MeanLoss, PointErrorRate or TailLoss
        What is lowered from ``loss_from`` on; before, the cross-entropy averaged over chips (unitless).
    loss_from : float
        Share of the steps after which ``loss`` takes over (unitless).
    scale_gradient_from : float or None
        Share of the steps after which gradients flow through the mapping's scale, see `ChipSampler.sample`; None for never.
        From the start it tends to end in a straight line: the boundary must have bent before (unitless).
    """

    n_steps: int = 2000
    batch_size: int = 256
    n_chips: int = 8
    learning_rate: float = 0.1
    schedule: str = "cosine"
    weight_decay: float = 0.0
    loss: object = MeanLoss()
    loss_from: float = 0.3
    scale_gradient_from: float | None = None

    def __post_init__(self):
        for name in ("n_steps", "batch_size", "n_chips"):
            as_count(name, getattr(self, name))
        as_number("learning_rate", self.learning_rate, low=0.0)
        as_number("weight_decay", self.weight_decay, low=0.0)
        require_name("schedule", self.schedule, SCHEDULES)
        if not isinstance(self.loss, Loss):
            raise TypeError(f"loss must be a Loss, such as MeanLoss(), PointErrorRate() or TailLoss(); got {self.loss!r}")
        as_number("loss_from", self.loss_from, low=0.0, high=1.0)
        if self.scale_gradient_from is not None:
            as_number("scale_gradient_from", self.scale_gradient_from, low=0.0, high=1.0)


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
    course = _Course(networks, dataset, techniques, rngs, settings)
    adam = Adam(course.weights, weight_decay=settings.weight_decay)
    for step in range(settings.n_steps):
        batch, chips = course.draw()
        gradient = course.gradient(step, course.weights, batch, chips)
        for technique in techniques:
            if hasattr(technique, "ascend"):
                gradient = course.gradient(step, technique.ascend(course.weights, gradient, course.shapes), batch, chips)
        adam.step(gradient, _rate_at(step, settings))
        if on_progress is not None:
            on_progress(step + 1, settings.n_steps)
    return [network.with_arrays([array.copy() for array in split_layers(trained, course.shapes)])
            for network, trained in zip(networks, course.weights[:, 0])]


class _Course:
    """Networks under training: what a step is made of. Axes: network, simulated chip, weights of all layers, 1."""

    def __init__(self, networks, dataset, techniques, rngs, settings):
        self.settings, self.rngs = settings, rngs
        self.sizes, self.activation = networks[0].sizes, networks[0].activation
        self.labels = dataset.labels
        self.inputs = np.stack([network.encode(dataset.points).T for network in networks])
        self.shapes = [array.shape for array in networks[0].arrays]
        self.weights = np.stack([np.concatenate([array.reshape(-1, 1) for array in network.arrays])
                                 for network in networks])[:, None]
        self.sampler = ChipSampler(techniques, networks[0].sizes)
        self.perturbing = [technique for technique in techniques if hasattr(technique, "perturb")]
        self.penalties = [technique for technique in techniques if hasattr(technique, "penalty")]
        if settings.scale_gradient_from is not None and self.sampler.mapping == "signed":
            raise ValueError("gradients through the scale are known for the physical mapping only; use mapping='pairs' or "
                             "scale_gradient_from=None")
        self.seen = RememberedRates(len(networks), len(dataset))
        self._batches = zip(*(draw_batches(len(dataset), settings.batch_size, rng) for rng in rngs))
        self._chips = _draw_chips(self.sampler, settings.n_chips, rngs)

    def draw(self):
        """Points and chips of the next step."""
        return np.stack(next(self._batches)), None if self.sampler.device is None else next(self._chips)

    def gradient(self, step, weights, batch, chips):
        """Gradient of the loss of all networks together by their weights."""
        share, tensor = step / self.settings.n_steps, Tensor(weights)
        sampled = tensor
        if chips is not None:
            through = self.settings.scale_gradient_from
            sampled = self.sampler.sample(tensor, chips, through_scale=through is not None and share >= through)
        for technique in self.perturbing:
            sampled = technique.perturb(sampled, self.shapes, self.settings.n_chips, self.rngs)
        inputs = np.take_along_axis(self.inputs, batch[:, None], axis=-1)
        logits = run_copies(sampled, self.sizes, inputs, self.activation)
        loss = self.settings.loss if share >= self.settings.loss_from else MeanLoss()
        self.seen.select(batch)
        value = loss(logits, self.labels[batch][:, None], self.seen)
        for technique in self.penalties:
            value = value + technique.penalty(split_layers(tensor, self.shapes))
        if not np.isfinite(value.value):
            raise FloatingPointError(f"the loss is {value.value} at step {step}; lower the learning rate "
                                     f"({self.settings.learning_rate:g})")
        value.backward()
        return tensor.grad


def _require_trainable(networks, dataset, techniques, rngs):
    if not networks or len(networks) != len(rngs):
        raise ValueError(f"train_many needs one generator for each network; got {len(networks)} networks, {len(rngs)} rngs")
    for rng in rngs:
        require_generator(rng)
    if not isinstance(techniques, list | tuple):
        raise TypeError(f"techniques must be a list, such as [NoiseInjection(TIO2)]; got {techniques!r}")
    for technique in techniques:
        known = any(hasattr(technique, name) for name in ("simulated_device", "conduct", "penalty", "perturb", "ascend"))
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
