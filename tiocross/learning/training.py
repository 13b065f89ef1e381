"""Training: the loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tiocross.tasks import Dataset
from tiocross.devices.device import Device, require_device
from tiocross.checks import kind_of, require_generator, require_memory, with_article
from tiocross.learning.tensor import Tensor
from tiocross.learning.losses import MeanLoss, RememberedRates, classification_loss
from tiocross.learning.layered import Network, classify
from tiocross.learning.forward import Forward
from tiocross.learning.settings import TrainingSettings, rate_at
from tiocross.learning.techniques import Course, Technique, require_techniques, require_tensor, split_layers, uses
from tiocross.mapping.layout import Layout
from tiocross.mapping.targets import layout_for

_N_CHECKPOINTS = 20
_BYTES_PER_WEIGHT = 50  # of a chip in a step: two devices' draws, what they make of it, its gradient
_CHIPS_PER_DRAW = 256  # chips drawn at once: the cost of drawing is per call rather than per number


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network on the way, as `train` hands it to ``on_checkpoint``.

    Parameters
    ----------
    n_done : int
        Steps so far (unitless).
    network : MLP or Network
        A copy of the network, finished by the techniques; it may be kept, saved or put on chips.
    validation_loss : float or None
        Mean cross-entropy in software on the validation points, None without them (unitless).
    validation_accuracy : float or None
        Share of the validation points that it classifies rightly in software, None without them (unitless).

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TrainingSettings, tasks, train
    >>> moons, rng, kept = tasks.load_moons(), np.random.default_rng(7), []
    >>> _ = train(MLP(2, 8, 1, rng=rng), moons.train, rng=rng, settings=TrainingSettings(n_steps=200),
    ...           validation=moons.validation, on_checkpoint=kept.append)
    >>> best = max(kept, key=lambda checkpoint: checkpoint.validation_accuracy)
    >>> len(kept), kept[0].n_done, best.network.sizes
    (20, 10, (2, 8, 1))
    """

    n_done: int
    network: Network
    validation_loss: float | None = None
    validation_accuracy: float | None = None


def train(network: Network, dataset: Dataset, techniques: Sequence[Technique] = (), *, device: Device | None = None,
          layout: Layout | None = None, rng: np.random.Generator, settings: TrainingSettings = TrainingSettings(),
          on_progress: Callable | None = None, validation: Dataset | None = None,
          on_checkpoint: Callable | None = None) -> Network:
    """A trained copy of a network.

    Parameters
    ----------
    network : MLP or Network
        Where to start; left as it is.
    dataset : Dataset
        Training points.
    techniques : list of Technique, optional
        Such as `NoiseInjection`, `ConductanceDropout`, `RangePenalty`; none for regular training.
    device : Device, optional
        What the techniques simulate or guard against; needed by those that do.
    layout : Layout, optional
        Which device of which array carries what; as for `map_weights` without it.
    rng : numpy.random.Generator
        Source of chance for batches and simulated chips.
    settings : TrainingSettings, optional
        Steps, batch, chips per step, optimiser, loss.
    on_progress : callable, optional
        Called as ``on_progress(n_done, n_steps)`` after each step; raise from it to stop.
    validation : Dataset, optional
        Points that nothing is learnt from, to be reported by checkpoints.
    on_checkpoint : callable, optional
        Called with a `Checkpoint` twenty times, at equal distances and after the last step. It changes nothing of the
        training: keep its network where it does best, save it, plot its numbers.

    Returns
    -------
    MLP or Network
        The network after the last step, finished by the techniques: ready to be put on a chip.

    Raises
    ------
    ValueError
        If the dataset does not fit the network, the layout is for another one, or a technique lacks its device.
    FloatingPointError
        If the loss is no longer finite.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, ConductanceDropout, NoiseInjection, TrainingSettings, tasks, train
    >>> moons, rng = tasks.load_moons(), np.random.default_rng(7)
    >>> network = train(MLP(2, 8, 1, rng=rng), moons.train, [NoiseInjection(), ConductanceDropout()], device=TIO2, rng=rng,
    ...                 settings=TrainingSettings(n_steps=20, n_chips=2))
    >>> network.sizes
    (2, 8, 1)
    """
    if validation is not None:
        if on_checkpoint is None:
            raise ValueError("validation points are reported by checkpoints: give on_checkpoint too, such as kept.append")
        require_matching(network, validation)
    run = _begin([network], dataset, techniques, (device, layout), [rng], settings)
    for n_done in run.steps():
        if on_progress is not None:
            on_progress(n_done, run.settings.n_steps)
        if on_checkpoint is not None and _is_due(n_done, run.settings.n_steps):
            on_checkpoint(_checkpoint(n_done, _finish(run.networks()[0], techniques), validation))
    return _finish(run.networks()[0], techniques)


def train_many(networks, dataset, techniques=(), *, device=None, layout=None, rngs, settings=TrainingSettings(),
               on_progress=None):
    """Trained copies of several networks of the same layer sizes, not yet finished by techniques, otherwise as `train`: the
    same bits as one after the other, but faster. Networks given one and the same generator object meet the same points and
    the same simulated chips in each step, drawn once for all of them."""
    run = _begin(networks, dataset, techniques, (device, layout), rngs, settings)
    for n_done in run.steps():
        if on_progress is not None:
            on_progress(n_done, run.settings.n_steps)
    return run.networks()


def _begin(networks, dataset, techniques, hardware, rngs, settings):
    """A checked `_Run`."""
    device, layout = hardware
    if not isinstance(settings, TrainingSettings):
        raise TypeError(f"settings must be TrainingSettings(...); got {settings!r}")
    _require_trainable(networks, dataset, techniques, rngs)
    if device is None and layout is not None:
        raise ValueError("a layout says what lies where on chips of a device: give the device too, as in train(..., "
                         "device=TIO2), or no layout")
    if device is not None:
        require_device(device)
        layout = layout_for(networks[0].shapes, device, layout)
    settings = settings.for_points(len(dataset))
    n_weights = len(networks) * settings.n_chips * sum(array.size for array in networks[0].arrays)
    require_memory(f"a step on {settings.n_chips} chips", _BYTES_PER_WEIGHT * n_weights, "give settings with fewer n_chips")
    return _Run(networks, dataset, techniques, rngs, settings, (device, layout))


def _is_due(n_done, n_steps):
    """Whether a checkpoint follows this step."""
    return n_done * _N_CHECKPOINTS // n_steps > (n_done - 1) * _N_CHECKPOINTS // n_steps


def _checkpoint(n_done, network, validation):
    if validation is None:
        return Checkpoint(n_done, network)
    logits = network.logits(validation.points)
    return Checkpoint(n_done, network, float(classification_loss(Tensor(logits), validation.labels).value),
                      float(np.mean(classify(logits) == validation.labels)))


def _finish(network, techniques):
    for technique in techniques:
        network = technique.finish(network)
    return network


class _Run:
    """Networks under training: what a step is made of. Axes: network, simulated chip, weights of all layers, 1."""

    def __init__(self, networks, dataset, techniques, rngs, settings, hardware):
        self.settings, self.techniques, self._starts = settings, techniques, networks
        self.labels = dataset.labels
        self.course = Course([array.shape for array in networks[0].arrays], settings.n_chips, list(rngs), *hardware)
        self.weights = np.stack([np.concatenate([array.reshape(-1, 1) for array in network.arrays])
                                 for network in networks])[:, None]
        self.forward = Forward(techniques, hardware, networks, dataset.points)
        self.sampler = self.forward.sampler
        self.seen = RememberedRates(len(networks), len(dataset))
        different = list(dict.fromkeys(map(id, rngs)))
        self._source = [different.index(id(rng)) for rng in rngs]  # which draws each network gets
        rngs = [rngs[self._source.index(k)] for k in range(len(different))]
        self._batches = zip(*(draw_batches(len(dataset), settings.batch_size, rng) for rng in rngs))
        self._chips = _draw_chips(self.sampler, settings.n_chips, rngs)

    def networks(self):
        """The networks as they are now."""
        return [network.with_arrays([array.copy() for array in split_layers(trained, self.course.shapes)])
                for network, trained in zip(self._starts, self.weights[:, 0])]

    def steps(self):
        """Take all steps, one after the other; yields how many are done."""
        optimiser = self.settings.optimiser(self.weights, weight_decay=self.settings.weight_decay)
        for step in range(self.settings.n_steps):
            batch, chips = self.draw()
            gradient = self.gradient(step, self.weights, batch, chips)
            for technique in self.techniques:
                moved = technique.ascend(self.weights, gradient, self.course)
                if moved is not None:
                    if np.shape(moved) != self.weights.shape:
                        raise ValueError(f"{type(technique).__name__}.ascend must give weights of shape "
                                         f"{self.weights.shape}; got {np.shape(moved)}")
                    gradient = self.gradient(step, moved, batch, chips)
            optimiser.step(gradient, rate_at(step, self.settings))
            yield step + 1

    def draw(self):
        """Points of the next step for each network, and chips; one set of these where all networks share it."""
        batch = np.stack(next(self._batches))
        if not self.sampler.is_on:
            return batch[self._source], None
        chips = next(self._chips)
        return batch[self._source], chips if len(batch) in (1, len(self._source)) else chips[self._source]

    def gradient(self, step, weights, batch, chips):
        """Gradient of the loss of all networks together by their weights."""
        share, tensor = step / self.settings.n_steps, Tensor(weights)
        through = self.settings.scale_gradient_from
        logits = self.forward.logits(tensor, batch, chips, self.course,
                                     through_scale=through is not None and share >= through)
        loss = self.settings.loss if share >= self.settings.loss_from else MeanLoss()
        self.seen.select(batch)
        value = loss(logits, self.labels[batch][:, None], self.seen)
        for technique in self.techniques:
            penalty = technique.penalty(split_layers(tensor, self.course.shapes)) if uses(technique, "penalty") else None
            if penalty is not None:
                require_tensor(technique, "penalty", penalty, ())
                value = value + penalty
        if not np.isfinite(value.value):
            raise FloatingPointError(f"the loss is {value.value} at step {step}; lower the learning rate "
                                     f"({self.settings.learning_rate:g})")
        value.backward()
        if not np.isfinite(tensor.grad).all():
            raise FloatingPointError(f"the gradient is not finite at step {step}; lower the learning rate "
                                     f"({self.settings.learning_rate:g})")
        return tensor.grad


def _require_trainable(networks, dataset, techniques, rngs):
    if not networks or len(networks) != len(rngs):
        raise ValueError(f"train_many needs one generator for each network; got {len(networks)} networks, {len(rngs)} rngs")
    for rng in rngs:
        require_generator(rng)
    require_techniques(techniques)
    for network in networks:
        require_matching(network, dataset)
        if network.shapes != networks[0].shapes:
            raise ValueError(f"networks trained together must have the same layer sizes; got {networks[0].sizes} and "
                             f"{network.sizes}")
        if not all(one.is_built_as(other) for one, other in zip(network.steps, networks[0].steps)):
            raise ValueError("networks trained together must have the same layers but for activations; got ones that see, "
                             "average or add a bias otherwise")


def draw_batches(n_points, batch_size, rng):
    """Endless batches of indices; each epoch is a new order of all points, its last batch may be smaller."""
    while True:
        order = rng.permutation(n_points)
        for start in range(0, n_points, batch_size):
            yield order[start : start + batch_size]


def require_matching(network, dataset):
    """Raise ValueError or TypeError unless the network can classify the dataset."""
    for what, value, kind in (("network", network, Network), ("dataset", dataset, Dataset)):
        if not isinstance(value, kind):
            raise TypeError(f"{what} must be {with_article(kind.__name__)}; got {kind_of(value)}")
    if dataset.n_features != network.sizes[0]:
        raise ValueError(f"the network has {network.sizes[0]} inputs but the dataset has {dataset.n_features} features")
    if dataset.n_classes > network.n_classes:
        raise ValueError(f"the network tells {network.n_classes} classes apart but the dataset has labels up to "
                         f"{dataset.n_classes - 1}")


def _draw_chips(sampler, n_chips, rngs):
    """Endless draws of the chips of one step; for small networks many steps at once."""
    per_draw = 1 if sampler.is_large else max(1, _CHIPS_PER_DRAW // n_chips)
    while True:
        drawn = sampler.shorten(sampler.draw(per_draw * n_chips, rngs))
        for k in range(per_draw):
            yield drawn[:, k * n_chips : (k + 1) * n_chips]
