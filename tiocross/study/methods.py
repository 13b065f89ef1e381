"""The recommended way to train for a crossbar, and the rows it is compared with.

Everything that was tuned for `ROBUST` stands in its two definitions. It was tuned on the shipped half moons and on three
more sets, with training seeds 0 to 17 (and seen on one of them with 100 to 109), and looked at on circles, spirals and
patterns that `tiocross compare` does not use; it judges the recipe on points and chips that had no part in that. Which units
serve best depends on the task: a boundary that closes on itself takes a large bias with tanh, and relu spares it. Some
starts end in a boundary that stands faults badly. Hence six of them. The literature's methods start from the same inputs,
steps and copies a step, so that only the method differs; a result of nothing stays in the table.
"""

from dataclasses import replace

import numpy as np

from tiocross.checks import as_count, require_generator
from tiocross.study.recipes import MORE_RECIPES, RECIPES, Recipe, make_row
from tiocross.study.starts import train_starts
from tiocross.learning.losses import MeanLoss, PointErrorRate, TailLoss
from tiocross.learning.literature import (
    CensoredNoise,
    FaultDropConnect,
    GaussianNoise,
    LipschitzPenalty,
    LogNormalNoise,
)
from tiocross.learning.sharpness import SharpnessAware
from tiocross.learning.training import TrainingSettings

ROBUST_TRAINING = TrainingSettings(n_steps=2000, n_chips=16, learning_rate=0.6, loss=PointErrorRate(), loss_from=0.2,
                                   scale_gradient_from=0.2)
ROBUST = Recipe("ROBUST", ("noise", "dropout"), centred=True, training=ROBUST_TRAINING,
                activations=("tanh", "tanh", "tanh", "relu", "relu", "sigmoid"))

PAPER = "Drolet et al., arXiv:2305.18495"
CURVED = ("regular", "hardware-aware (paper)", "ROBUST")  # rows that are followed through other conditions
QUICK = ("regular", "straight line, robustly trained", "hardware-aware (paper)", "hardware-aware, centred inputs", "ROBUST")
_KNOWN = {recipe.name: recipe for recipe in (*RECIPES, *MORE_RECIPES)}
_PLAIN = replace(ROBUST, name="regular, centred inputs, tanh", techniques=(), activations=("tanh",),
                 training=TrainingSettings(n_steps=ROBUST_TRAINING.n_steps, n_chips=ROBUST_TRAINING.n_chips))


def _changed(name, **changes):
    """ROBUST with another training."""
    return replace(ROBUST, name=name, training=replace(ROBUST_TRAINING, **changes))


_SPREAD = replace(ROBUST, name="ROBUST, spread", array_shape=(8, 2))  # one hidden unit an array
_LARGE = replace(ROBUST, name="ROBUST, 31 hidden units", sizes=(2, 31, 1))

COMPARED = (
    _KNOWN["regular"],
    _KNOWN["regular, centred inputs"],
    _PLAIN,
    replace(_KNOWN["straight line, robustly trained"], source=PAPER),
    replace(_KNOWN["hardware-aware (paper)"], source=PAPER),
    replace(_KNOWN["hardware-aware, centred inputs"], source=PAPER),
    replace(_PLAIN, name="Gaussian noise, clipping", techniques=("gaussian",), source=GaussianNoise.source),
    replace(_PLAIN, name="censored Gaussian noise", techniques=("censored",), source=CensoredNoise.source),
    replace(_PLAIN, name="log-normal noise", techniques=("lognormal",), source=LogNormalNoise.source),
    replace(_PLAIN, name="Lipschitz penalty", techniques=("lipschitz",), source=LipschitzPenalty.source),
    replace(_PLAIN, name="drop-connect, fault values", techniques=("drop-connect",), source=FaultDropConnect.source),
    replace(_PLAIN, name="sharpness-aware steps", techniques=("sharpness",), source=SharpnessAware.source),
    replace(_PLAIN, name="layer ensemble averaging", copies=3, source="as described in general use"),
    ROBUST,
    _changed("ROBUST without per-point loss", loss=MeanLoss()),
    _changed("ROBUST with CVaR loss", loss=TailLoss(0.5)),
    _changed("ROBUST without memory of error rates", loss=replace(ROBUST_TRAINING.loss, memory=0.0)),
    _changed("ROBUST without saturation", loss=replace(ROBUST_TRAINING.loss, saturation=1.0)),
    _changed("ROBUST without scale gradient", scale_gradient_from=None),
    replace(ROBUST, name="ROBUST without noise injection", techniques=("dropout",)),
    replace(ROBUST, name="ROBUST without dropout", techniques=("noise",)),
    replace(ROBUST, name="ROBUST without centring", centred=False),
    replace(ROBUST, name="ROBUST from one start", activations=("tanh",)),
    replace(ROBUST, name="ROBUST with tanh alone", activations=("tanh",) * len(ROBUST.activations)),
    _SPREAD,
    _LARGE,
    replace(_LARGE, name="ROBUST, 31 hidden units, spread", array_shape=_SPREAD.array_shape),
    replace(ROBUST, name="ROBUST, each unit 3 times", copies=3),
    replace(ROBUST, name="ROBUST, wires in the loop", techniques=(*ROBUST.techniques, "wires")),
    replace(ROBUST, name="ROBUST, compensated mapping", compensated=True),
    replace(ROBUST, name="ROBUST, sensitive devices last", adaptation="ordered"),
    replace(ROBUST, name="ROBUST, placed around known faults", adaptation="placed"),
    replace(_SPREAD, name="ROBUST, spread, placed around known faults", adaptation="placed"),
    replace(ROBUST, name="ROBUST, retrained around known faults", adaptation="retrained"),
    replace(ROBUST, name="ROBUST, layer by layer", adaptation="layer by layer"),
    replace(ROBUST, name="ROBUST, read back, gain refitted", adaptation="gain"),
    replace(ROBUST, name="ROBUST, read back, output layer refitted", adaptation="refitted"),
    replace(_LARGE, name="ROBUST, 31 hidden units, placed around known faults", adaptation="placed"),
)


def train_robust(dataset, device, *, rng, sizes=None, n_hidden=8, settings=ROBUST_TRAINING, on_progress=None):
    """A network trained for a device by the recommended recipe, `ROBUST`.

    Parameters
    ----------
    dataset : Dataset
        Training points (unitless).
    device : Device
        Where the network is to run; its tuning error, write disturb and faults are trained against (unitless).
    rng : numpy.random.Generator
        Source of chance for start weights, batches and simulated chips (unitless).
    sizes : tuple of int, optional
        Layer sizes; one hidden layer of ``n_hidden`` units without it (unitless).
    n_hidden : int, optional
        Hidden units; more of them are more robust and take more devices (unitless).
    settings : TrainingSettings, optional
        In place of those of the recipe, for example with fewer steps (unitless).
    on_progress : callable, optional
        As in `train` (unitless).

    Returns
    -------
    MLP
        The network, with tanh units and centred inputs.

    Raises
    ------
    ValueError, TypeError
        If the sizes do not fit the dataset.
    """
    require_generator(rng)
    recipe = replace(ROBUST, sizes=(2, as_count("n_hidden", n_hidden), 1), training=settings)
    return train_starts(recipe, dataset, device, rngs=[rng], settings=settings, sizes=sizes, on_progress=on_progress)[0]


def shorten(recipe, n_steps):
    """A recipe with fewer steps of training, for a first look.

    Parameters
    ----------
    recipe : Recipe
        What to shorten; one without settings of its own is left to the common ones (unitless).
    n_steps : int
        Steps (unitless).

    Returns
    -------
    Recipe
        The shortened recipe.
    """
    if recipe.training is None:
        return recipe
    return replace(recipe, training=replace(recipe.training, n_steps=n_steps))


def compare_row(recipe, seed, outcome):
    """Row of the comparison's ``summary.json``: that of `make_row`, and what a comparison needs.

    Parameters
    ----------
    recipe : Recipe
        How the network was trained (unitless).
    seed : int
        Its training seed (unitless).
    outcome : Transfer
        What the chips did (unitless).

    Returns
    -------
    dict
        Also ``ratio``, robust share at 95 % over nominal accuracy, ``source`` of the method, and ``n_transfers``, the
        chips of this row.
    """
    row = make_row(recipe, seed, outcome)
    ratio = row["robust_fraction_95"] / row["nominal_accuracy"] if row["nominal_accuracy"] else 0.0
    return {**row, "ratio": float(np.round(ratio, 12)), "source": recipe.source, "n_transfers": outcome.n_transfers}
