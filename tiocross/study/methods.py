"""The recommended way to train for a crossbar, and the rows it is compared with.

Everything that was tuned for `ROBUST` stands in its two definitions. It was tuned on the shipped half moons and on three
more sets, with training seeds 0 to 17 (and seen on one of them with 100 to 109), and looked at on circles, spirals and
patterns that `tiocross compare` does not use; the comparison judges the recipe on points and chips that had no part in
that. Which units serve best depends on the task: a boundary that closes on itself takes a large bias with tanh, and relu
spares it. Some starts end in a boundary that faults damage easily. Hence six of them. The literature's methods start from
the same inputs, steps and copies a step; a method that gains nothing stays in the table.

A new row is one line in `COMPARED`; a new method of the literature one more class in ``learning/literature.py``.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tiocross.checks import as_count, require_generator
from tiocross.devices.device import Device
from tiocross.learning.losses import MeanLoss, PointErrorRate, TailLoss
from tiocross.learning.literature import (
    CensoredNoise, FaultDropConnect, GaussianNoise, LipschitzPenalty, LogNormalNoise)
from tiocross.learning.network import MLP
from tiocross.learning.sharpness import SharpnessAware
from tiocross.learning.techniques import ConductanceDropout, NoiseInjection
from tiocross.learning.training import TrainingSettings
from tiocross.mapping.mappings import DifferentialPairs
from tiocross.study.recipes import MORE_RECIPES, RECIPES, Arrangement, Recipe
from tiocross.study.starts import train_starts
from tiocross.tasks import Dataset
from tiocross.transfers.adaptation import RETRAINING, Adaptation
from tiocross.transfers.wires import WiresInLoop

WIRES_TRAINED_FOR = 10.0  # [ohm] of a segment
_SPREAD_OF_WEIGHTS = 0.05  # what tuning and write disturb of the published card do to a weight, relative to the largest

ROBUST_TRAINING = TrainingSettings(n_steps=2000, n_chips=16, learning_rate=0.6, loss=PointErrorRate(), loss_from=0.2,
                                   scale_gradient_from=0.2)
ROBUST = Recipe("ROBUST", (NoiseInjection(), ConductanceDropout()), centred=True, training=ROBUST_TRAINING,
                activations=("tanh", "tanh", "tanh", "relu", "relu", "sigmoid"))

PAPER = "Drolet et al., arXiv:2305.18495"
_KNOWN = {recipe.name: recipe for recipe in (*RECIPES, *MORE_RECIPES)}
_PLAIN = replace(ROBUST, name="regular, centred inputs, tanh", techniques=(), activations=("tanh",),
                 training=TrainingSettings(n_steps=ROBUST_TRAINING.n_steps, n_chips=ROBUST_TRAINING.n_chips))


def _of_the_literature(name, technique):
    """One technique alone, under the conditions of `ROBUST`."""
    return replace(_PLAIN, name=name, techniques=(technique,), source=technique.source)


def _changed(name, **changes):
    """ROBUST with another training."""
    return replace(ROBUST, name=name, training=replace(ROBUST_TRAINING, **changes))


_ON_TWO_BIT_LINES = Arrangement(array_shape=(8, 2))  # one hidden unit an array
_ON_ONE_ARRAY = Arrangement(shares_arrays=True, mapping=DifferentialPairs(digital_output_bias=True))
_SPREAD = replace(ROBUST, name="ROBUST, spread", arrangement=_ON_TWO_BIT_LINES)
_LARGE = replace(ROBUST, name="ROBUST, 31 hidden units", sizes=(2, 31, 1))

_ORDERED = Adaptation(sensitive_last=True)  # nothing is known of the chip: the order is the same for all
_KNOWN_MAP = replace(_ORDERED, map_known=True)
_PLACED = {"adaptation": _KNOWN_MAP, "most_chips": 5_000}
_RETRAINED = {"adaptation": replace(_KNOWN_MAP, retraining=RETRAINING), "most_chips": 500}
_LAYER_BY_LAYER = {"adaptation": replace(_KNOWN_MAP, retraining=RETRAINING, layer_by_layer=True), "most_chips": 200}
_GAIN = {"adaptation": Adaptation(refit="gain"), "most_chips": 5_000}
_REFITTED = {"adaptation": Adaptation(refit="output"), "most_chips": 5_000}

COMPARED = (
    _KNOWN["regular"],
    _KNOWN["regular, centred inputs"],
    _PLAIN,
    replace(_KNOWN["straight line, robustly trained"], source=PAPER),
    replace(_KNOWN["hardware-aware (paper)"], source=PAPER),
    replace(_KNOWN["hardware-aware, centred inputs"], source=PAPER),
    _of_the_literature("Gaussian noise, clipping", GaussianNoise(_SPREAD_OF_WEIGHTS, clip=2.5)),
    _of_the_literature("censored Gaussian noise", CensoredNoise(_SPREAD_OF_WEIGHTS, bound=1.0)),
    _of_the_literature("log-normal noise", LogNormalNoise(0.3)),
    _of_the_literature("Lipschitz penalty", LipschitzPenalty(0.3, strength=1e-3)),
    _of_the_literature("drop-connect, fault values", FaultDropConnect()),
    _of_the_literature("sharpness-aware steps", SharpnessAware(1.0)),
    replace(_PLAIN, name="layer ensemble averaging", copies=3, source="as described in general use"),
    ROBUST,
    _changed("ROBUST without per-point loss", loss=MeanLoss()),
    _changed("ROBUST with CVaR loss", loss=TailLoss(0.5)),
    _changed("ROBUST without memory of error rates", loss=replace(ROBUST_TRAINING.loss, memory=0.0)),
    _changed("ROBUST without saturation", loss=replace(ROBUST_TRAINING.loss, saturation=1.0)),
    _changed("ROBUST without scale gradient", scale_gradient_from=None),
    replace(ROBUST, name="ROBUST without noise injection", techniques=(ConductanceDropout(),)),
    replace(ROBUST, name="ROBUST without dropout", techniques=(NoiseInjection(),)),
    replace(ROBUST, name="ROBUST without centring", centred=False),
    replace(ROBUST, name="ROBUST from one start", activations=("tanh",)),
    replace(ROBUST, name="ROBUST with tanh alone", activations=("tanh",) * len(ROBUST.activations)),
    _SPREAD,
    replace(ROBUST, name="ROBUST, all on one array", arrangement=_ON_ONE_ARRAY),
    _LARGE,
    replace(_LARGE, name="ROBUST, 31 hidden units, spread", arrangement=_ON_TWO_BIT_LINES),
    replace(ROBUST, name="ROBUST, each unit 3 times", copies=3),
    replace(ROBUST, name="ROBUST, wires in the loop", techniques=(*ROBUST.techniques, WiresInLoop(WIRES_TRAINED_FOR))),
    replace(ROBUST, name="ROBUST, compensated mapping", adaptation=Adaptation(compensated=True)),
    replace(ROBUST, name="ROBUST, sensitive devices last", adaptation=_ORDERED),
    replace(ROBUST, name="ROBUST, placed around known faults", **_PLACED),
    replace(_SPREAD, name="ROBUST, spread, placed around known faults", **_PLACED),
    replace(ROBUST, name="ROBUST, retrained around known faults", **_RETRAINED),
    replace(ROBUST, name="ROBUST, layer by layer", **_LAYER_BY_LAYER),
    replace(ROBUST, name="ROBUST, read back, gain refitted", **_GAIN),
    replace(ROBUST, name="ROBUST, read back, output layer refitted", **_REFITTED),
    replace(_LARGE, name="ROBUST, 31 hidden units, placed around known faults", **_PLACED),
)


def train_robust(dataset: Dataset, device: Device, *, rng: np.random.Generator, sizes: tuple[int, ...] | None = None,
                 n_hidden: int = 8, settings: TrainingSettings = ROBUST_TRAINING,
                 on_progress: Callable | None = None) -> MLP:
    """A network trained for a device by the recommended recipe, `ROBUST`.

    Parameters
    ----------
    dataset : Dataset
        Training points.
    device : Device
        Where the network is to run; its tuning error, write disturb and faults are trained against.
    rng : numpy.random.Generator
        Source of chance for start weights, batches and simulated chips.
    sizes : tuple of int, optional
        Layer sizes; one hidden layer of ``n_hidden`` units without it (unitless).
    n_hidden : int, optional
        Hidden units; more of them are more robust and take more devices (unitless).
    settings : TrainingSettings, optional
        In place of those of the recipe, for example with fewer steps.
    on_progress : callable, optional
        Called as ``on_progress(n_done, n_all)`` after each step, and while the networks are judged to choose among them.

    Returns
    -------
    MLP
        The most robust of six networks on training points, with centred inputs and tanh, relu or sigmoid units.

    Raises
    ------
    ValueError, TypeError
        If the sizes do not fit the dataset.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import TIO2_8X8, TrainingSettings, tasks, train_robust
    >>> quick = TrainingSettings(n_steps=10, n_chips=2)  # leave settings out for a network worth having: seconds
    >>> train_robust(tasks.load_moons().train, TIO2_8X8, rng=np.random.default_rng(7), settings=quick).sizes
    (2, 8, 1)
    """
    require_generator(rng)
    recipe = replace(ROBUST, sizes=(2, as_count("n_hidden", n_hidden), 1), training=settings)
    return train_starts(recipe, dataset, device, rngs=[rng], settings=settings, sizes=sizes, on_progress=on_progress)[0]


def shorten(recipe, n_steps):
    """A recipe with fewer steps of training, for a first look; one without settings of its own keeps the common ones."""
    if recipe.training is None:
        return recipe
    return replace(recipe, training=replace(recipe.training, n_steps=n_steps))
