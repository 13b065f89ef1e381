"""The experiment of Drolet et al., arXiv:2305.18495, on the physical mapping: recipes, runs, rows.

Every recipe gets the same number of steps and the same start and chips for the same seed. A straight line trained with
every technique keeps the robust share honest: it wins it cheaply. More recipes tell apart what weight decay, which the
authors' code gives only to the hardware-aware network, and centred inputs do alone.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from tiocross.checks import as_count, as_number, require_name
from tiocross.study.ingredients import ADAPTATIONS, TECHNIQUES
from tiocross.study.starts import train_starts
from tiocross.learning.network import ACTIVATIONS
from tiocross.learning.training import TrainingSettings

WEIGHT_DECAY = 1e-4  # of the authors' hardware-aware optimiser


@dataclass(frozen=True)
class Recipe:
    """How one row of a table is trained, and what is done for each chip.

    Parameters
    ----------
    name : str
        Name of the row (unitless).
    techniques : tuple of str
        Any of ``TECHNIQUES``, such as "noise", "dropout", "range" (unitless).
    weight_decay : float
        Of the optimiser (unitless).
    sizes : tuple of int
        Layer sizes; other tasks take the hidden ones of them (unitless).
    centred : bool
        Whether the network sees inputs centred on zero instead of in [0, 1] (unitless).
    activations : tuple of str
        Of the hidden units: one network is trained from a start of its own for each, and the most robust one on training
        points is kept (unitless).
    training : TrainingSettings or None
        In place of the settings that the recipes have in common, weight decay included (unitless).
    copies : int
        How often each hidden unit is put on the chip, after training (unitless).
    array_shape : tuple of int or None
        Lines of an array that are used at most, in place of the device's; fewer devices on an array disturb each other
        less, and more arrays are needed (unitless).
    source : str
        Where the method comes from; empty for those of tiocross.
    adaptation : str or None
        What is done for each chip, any of ``ADAPTATIONS``; None for chips of which nothing is known (unitless).
    compensated : bool
        Whether conductances are mapped so that the solved arrays have the weights, see `compensate_targets` (unitless).
    """

    name: str
    techniques: tuple = ()
    weight_decay: float = 0.0
    sizes: tuple = (2, 8, 1)
    centred: bool = False
    activations: tuple = ("sigmoid",)
    training: TrainingSettings | None = None
    copies: int = 1
    array_shape: tuple | None = None
    source: str = ""
    adaptation: str | None = None
    compensated: bool = False

    def __post_init__(self):
        for name in self.techniques:
            require_name("technique", name, TECHNIQUES)
        if self.adaptation is not None:
            require_name("adaptation", self.adaptation, ADAPTATIONS)
            if self.compensated:
                raise ValueError(f"{self.name}: adapted chips have no compensated mapping; got {self.adaptation!r} too")
        as_count("copies", self.copies)
        if not self.activations:
            raise ValueError(f"{self.name}: activations must name at least one; got none")
        for name in self.activations:
            require_name("activation", name, ACTIVATIONS)
        if self.training is not None and self.weight_decay:
            raise ValueError(f"{self.name}: state the weight decay in training; got {self.weight_decay:g} beside it")

    def device_on(self, device):
        """The device on the arrays that this recipe uses.

        Parameters
        ----------
        device : Device
            With arrays of its own, or none (unitless).

        Returns
        -------
        Device
            The same, or with the recipe's ``array_shape``.
        """
        return device if self.array_shape is None else replace(device, array_shape=self.array_shape)

    def sizes_for(self, dataset):
        """Layer sizes for a task, the hidden ones being the recipe's.

        Parameters
        ----------
        dataset : Dataset
            Training points (unitless).

        Returns
        -------
        tuple of int
            Inputs, hidden units, outputs: one output for two classes (unitless).
        """
        return (dataset.n_features, *self.sizes[1:-1], 1 if dataset.n_classes == 2 else dataset.n_classes)


_ALL = ("noise", "dropout", "range")
RECIPES = (
    Recipe("regular"),
    Recipe("straight line, robustly trained", _ALL, WEIGHT_DECAY, sizes=(2, 1)),
    Recipe("hardware-aware (paper)", _ALL, WEIGHT_DECAY),
    Recipe("noise injection alone", ("noise",)),
    Recipe("conductance dropout alone", ("dropout",)),
    Recipe("range penalty alone", ("range",)),
    Recipe("hardware-aware, centred inputs", _ALL, WEIGHT_DECAY, centred=True),
)
MORE_RECIPES = (  # what centring and weight decay do without any knowledge of the hardware
    Recipe("weight decay alone", (), WEIGHT_DECAY),
    Recipe("regular, centred inputs", centred=True),
)


@dataclass(frozen=True)
class ExperimentSettings:
    """Size of the experiment.

    Parameters
    ----------
    seeds : tuple of int
        Training seeds (unitless).
    wire_resistances : tuple of float
        Of one wire segment [ohm].
    n_transfers : int
        Simulated chips for each network and wire resistance (unitless).
    training : TrainingSettings
        The same for every recipe, save the weight decay (unitless).
    recipes : tuple of Recipe
        Rows of the table (unitless).
    """

    seeds: tuple = (0, 1, 2)
    wire_resistances: tuple = (0.0, 2.0)
    n_transfers: int = 20_000
    training: TrainingSettings = field(default_factory=lambda: TrainingSettings(n_steps=3000, n_chips=2))
    recipes: tuple = RECIPES

    def __post_init__(self):
        if not self.seeds or not self.wire_resistances:
            raise ValueError("an experiment needs at least one seed and one wire resistance")
        for seed in self.seeds:
            as_count("a seed", seed, low=0)
        for name in ("seeds", "wire_resistances"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ValueError(f"{name} must differ from each other; got {getattr(self, name)}")
        for resistance in self.wire_resistances:
            as_number("wire_resistance", resistance, low=0.0, unit="ohm")
        as_count("n_transfers", self.n_transfers)


def train_recipe(recipe, moons, device, settings, on_progress=None):
    """Networks of one recipe, one for each seed.

    Parameters
    ----------
    recipe : Recipe
        What to train (unitless).
    moons : Task
        The data (unitless).
    device : Device
        What the techniques simulate (unitless).
    settings : ExperimentSettings
        Seeds and training; a seed gives the same start to every recipe of the same layer sizes (unitless).
    on_progress : callable, optional
        As in `train` (unitless).

    Returns
    -------
    list of MLP
        The trained networks, in the order of the seeds.
    """
    rngs = [training_generator(seed) for seed in settings.seeds]
    training = recipe.training or replace(settings.training, weight_decay=recipe.weight_decay)
    return train_starts(recipe, moons.train, recipe.device_on(device), rngs=rngs, settings=training, on_progress=on_progress)


def training_generator(seed):
    """Generator of start weights, batches and simulated chips of one training seed, a `numpy.random.Generator`."""
    return np.random.default_rng([seed, 0])


def chip_generator(seed):
    """Generator of the chips that every network of one training seed is put on, a `numpy.random.Generator`."""
    return np.random.default_rng([seed, 1])
