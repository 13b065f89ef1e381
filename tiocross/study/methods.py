"""The recommended way to train for a crossbar, and the rows it is compared with.

Everything that was tuned for `ROBUST` stands in its two definitions. It was tuned on the shipped half moons and on three
more sets, with training seeds 0 to 17 (and seen on one of them with 100 to 109), and looked at on circles, spirals and
patterns that `tiocross compare` does not use; the comparison judges the recipe on points and chips that had no part in
that. Which units serve best depends on the task: a boundary that closes on itself takes a large bias with tanh, and relu
spares it. Some starts end in a boundary that faults damage easily. Hence six of them.

Every method has the same budget: steps, chips a step, starts and kinds of units as `ROBUST`, and a learning rate and a
strength that the comparison chooses from grids of one size (`choosing`). A method that gains nothing stays in the table.
Rows that take a part away from `ROBUST` keep what was chosen for it, so that one thing changes.

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
from tiocross.learning.techniques import ConductanceDropout, NoiseInjection, RangePenalty
from tiocross.learning.training import TrainingSettings
from tiocross.mapping.mappings import DifferentialPairs
from tiocross.study.choosing import Strength
from tiocross.study.recipes import ALL_TECHNIQUES as _ALL, MORE_RECIPES, RECIPES, WEIGHT_DECAY, Arrangement, Recipe
from tiocross.study.starts import train_starts
from tiocross.tasks import Dataset
from tiocross.transfers.adaptation import RETRAINING, Adaptation
from tiocross.transfers.wires import WiresInLoop

WIRES_TRAINED_FOR = 10.0  # [ohm] of a segment
ROBUST_TRAINING = TrainingSettings(n_steps=2000, n_chips=16, learning_rate=0.6, loss=PointErrorRate(), loss_from=0.2,
                                   scale_gradient_from=0.2)
ROBUST = Recipe("ROBUST", (NoiseInjection(), ConductanceDropout()), centred=True, training=ROBUST_TRAINING,
                activations=("tanh", "tanh", "tanh", "relu", "relu", "sigmoid"), chosen_as="ROBUST")

PAPER = "Drolet et al., arXiv:2305.18495"
_GENERAL_USE = "as described in general use"
_BUDGET = TrainingSettings(n_steps=ROBUST_TRAINING.n_steps, n_chips=ROBUST_TRAINING.n_chips)
_OF_THE_PAPER = replace(_BUDGET, weight_decay=WEIGHT_DECAY)


def _fair(name, techniques=(), **changes):
    """A method with the budget of `ROBUST`; its learning rate and strength are chosen."""
    return replace(ROBUST, **{"name": name, "techniques": techniques, "training": _BUDGET, "chosen_as": name} | changes)


def _of_the_literature(name, *techniques):
    """Techniques of the literature, with the budget of `ROBUST`."""
    return _fair(name, techniques, source="; ".join(technique.source for technique in techniques))


def _own_budget(recipe, source=""):
    """A row of the experiment as it is there: other steps, 2 chips a step, one start, a learning rate of 0.1."""
    return replace(recipe, name=f"{recipe.name}, the paper's budget", source=source)


def _changed(name, **changes):
    """ROBUST with another training."""
    return replace(ROBUST, name=name, training=replace(ROBUST_TRAINING, **changes))


def _paper_techniques(strength, device):
    return NoiseInjection(), ConductanceDropout(), RangePenalty(strength)


def _fault_drop_connect(factor, device):
    """Faults ``factor`` times as frequent as the device has them."""
    if device.stuck is None:
        return FaultDropConnect()
    hits = [min(2 * factor * share, 0.5) for share in (device.stuck.probability_lrs, device.stuck.probability_hrs)]
    return FaultDropConnect(*hits)


_RANGES = Strength("range penalty", (1e-5, 1e-4, 1e-3), _paper_techniques)
STRENGTHS = {  # what the comparison chooses beside the learning rate, by row; of a noise its standard deviation
    "straight line, robustly trained": _RANGES,
    "hardware-aware (paper)": _RANGES,
    "hardware-aware, centred inputs": _RANGES,
    "Gaussian noise, clipping": Strength("noise", (0.05, 0.1, 0.2), lambda s, _: (GaussianNoise(s, clip=2.5),)),
    "censored Gaussian noise": Strength("noise", (0.05, 0.1, 0.2), lambda s, _: (CensoredNoise(s, bound=1.0),)),
    "log-normal noise": Strength("noise", (0.1, 0.3, 0.9), lambda s, _: (LogNormalNoise(s),)),
    "Lipschitz penalty": Strength("penalty", (1e-4, 1e-3, 1e-2), lambda s, _: (LipschitzPenalty(0.3, strength=s),)),
    "drop-connect, fault values": Strength("faults", (1.0, 2.0, 4.0), lambda s, card: (_fault_drop_connect(s, card),)),
    "Gaussian noise, drop-connect": Strength(
        "noise and faults", (1.0, 2.0, 4.0), lambda s, card: (GaussianNoise(0.05 * s), _fault_drop_connect(s, card))),
    "sharpness-aware steps": Strength("reach", (0.3, 1.0, 3.0), lambda s, _: (SharpnessAware(s),)),
}
CHOSEN = {  # by the grids for half moons on the published card; where nothing is chosen anew. Others keep what they state
    "regular": {"rate": 0.14},
    "hardware-aware, centred inputs": {"rate": 1.6, "range penalty": 1e-4},
    "ROBUST": {"rate": 0.8},
}

_KNOWN = {recipe.name: recipe for recipe in (*RECIPES, *MORE_RECIPES)}
_ON_TWO_BIT_LINES = Arrangement(array_shape=(8, 2))  # one hidden unit an array
_ON_ONE_ARRAY = Arrangement(shares_arrays=True, mapping=DifferentialPairs(digital_output_bias=True))
_SPREAD = replace(ROBUST, name="ROBUST, spread", arrangement=_ON_TWO_BIT_LINES)
_LARGE = replace(ROBUST, name="ROBUST, 31 hidden units", sizes=(2, 31, 1))

_ORDERED = Adaptation(sensitive_last=True)  # nothing is known of the chip: the order is the same for all
_KNOWN_MAP = replace(_ORDERED, map_known=True)
_PLACED = {"adaptation": _KNOWN_MAP, "most_chips": 1_000}
_RETRAINED = {"adaptation": replace(_KNOWN_MAP, retraining=RETRAINING), "most_chips": 200}
_LAYER_BY_LAYER = {"adaptation": replace(_KNOWN_MAP, retraining=RETRAINING, layer_by_layer=True), "most_chips": 50}
_GAIN = {"adaptation": Adaptation(refit="gain"), "most_chips": 1_000}
_REFITTED = {"adaptation": Adaptation(refit="output"), "most_chips": 1_000}

COMPARED = (
    _fair("regular", centred=False),
    _fair("regular, centred inputs"),
    _fair("straight line, robustly trained", _ALL, sizes=(2, 1), training=_OF_THE_PAPER, source=PAPER, centred=False),
    _fair("hardware-aware (paper)", _ALL, training=_OF_THE_PAPER, source=PAPER, centred=False),
    _fair("hardware-aware, centred inputs", _ALL, training=_OF_THE_PAPER, source=PAPER),
    _of_the_literature("Gaussian noise, clipping", GaussianNoise(0.1, clip=2.5)),
    _of_the_literature("censored Gaussian noise", CensoredNoise(0.1, bound=1.0)),
    _of_the_literature("log-normal noise", LogNormalNoise(0.3)),
    _of_the_literature("Lipschitz penalty", LipschitzPenalty(0.3, strength=1e-3)),
    _of_the_literature("drop-connect, fault values", FaultDropConnect()),
    _of_the_literature("Gaussian noise, drop-connect", GaussianNoise(0.05), FaultDropConnect()),
    _of_the_literature("sharpness-aware steps", SharpnessAware(1.0)),
    _fair("layer ensemble averaging", copies=3, source=_GENERAL_USE),
    ROBUST,
    _own_budget(_KNOWN["regular"]),
    _own_budget(_KNOWN["hardware-aware (paper)"], PAPER),
    _own_budget(_KNOWN["hardware-aware, centred inputs"], PAPER),
    _changed("ROBUST without per-point loss", loss=MeanLoss()),
    _changed("ROBUST with CVaR loss", loss=TailLoss(0.5)),
    _changed("ROBUST without memory of error rates", loss=replace(ROBUST_TRAINING.loss, memory=0.0)),
    _changed("ROBUST without saturation", loss=replace(ROBUST_TRAINING.loss, saturation=1.0)),
    _changed("ROBUST without scale gradient", scale_gradient_from=None),
    replace(ROBUST, name="ROBUST without noise injection", techniques=(ConductanceDropout(),)),
    replace(ROBUST, name="ROBUST without dropout", techniques=(NoiseInjection(),)),
    replace(ROBUST, name="ROBUST without centring", centred=False),
    replace(_changed("ROBUST at a rate of 0.1", learning_rate=0.1), chosen_as=""),
    _changed("ROBUST with 2 chips a step", n_chips=2),
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
