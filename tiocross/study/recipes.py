"""What the rows of the study's tables are: recipes to train a network, and the settings that they have in common.

Every recipe of `RECIPES` gets the same number of steps and the same start and chips for the same seed. A straight line
trained with every technique keeps the robust share honest: it wins it cheaply. More recipes tell apart what weight decay,
which the authors' code (Drolet et al., arXiv:2305.18495) gives only to the hardware-aware network, and centred inputs do
alone.
"""

from dataclasses import dataclass, field, fields, is_dataclass, replace

import numpy as np

from tiocross.checks import as_count, as_number, require_name
from tiocross.learning.activations import ACTIVATIONS
from tiocross.learning.techniques import ConductanceDropout, NoiseInjection, RangePenalty, Technique, require_techniques
from tiocross.learning.training import TrainingSettings
from tiocross.mapping.arrangements import arrange, share_arrays
from tiocross.mapping.mappings import PAIRS, Mapping
from tiocross.study.starts import train_starts
from tiocross.transfers.adaptation import Adaptation
from tiocross.transfers.stopping import as_until

WEIGHT_DECAY = 1e-4  # of the authors' hardware-aware optimiser
RANGE_STRENGTH = 1e-4
LARGEST_RESISTANCE = 1e9  # [ohm] of a wire segment: no current is left then


@dataclass(frozen=True)
class Arrangement:
    """How a recipe's networks lie on arrays: the lines of an array that are used at most, None for the device's; whether
    layers share arrays; the mapping."""

    array_shape: tuple[int, int] | None = None
    shares_arrays: bool = False
    mapping: Mapping = PAIRS

    def layout(self, sizes, device):
        """Layout of a network of these layer sizes on the device's arrays."""
        array_shape = self.array_shape or device.array_shape
        if self.shares_arrays:
            if array_shape is None:
                raise ValueError("layers share arrays of a stated size; give the device an array_shape, such as (8, 8)")
            return share_arrays(sizes, array_shape, mapping=self.mapping)
        return arrange(sizes, array_shape, mapping=self.mapping)


@dataclass(frozen=True)
class Recipe:
    """How one row of a table is trained, and what is done for each chip.

    Parameters
    ----------
    name : str
        Name of the row.
    techniques : tuple of Technique
        What it is trained with.
    weight_decay : float
        Of the optimiser (unitless).
    sizes : tuple of int
        Layer sizes; other tasks take the hidden ones of them (unitless).
    centred : bool
        Whether the network sees inputs centred on zero instead of in [0, 1].
    activations : tuple of str
        Of the hidden units: one network is trained from a start of its own for each, and the most robust one on training
        points is kept.
    training : TrainingSettings or None
        In place of the settings that the recipes have in common, weight decay included.
    copies : int
        How often each hidden unit is put on the chip, after training (unitless).
    arrangement : Arrangement
        How the network lies on arrays.
    source : str
        Where the method comes from; empty for those of tiocross.
    adaptation : Adaptation
        What is known of each chip, and done with it; training points are added when it is judged.
    most_chips : int or None
        Chips that are judged at most, where each takes long (unitless).
    chosen_as : str
        Row of the comparison whose learning rate and strength, chosen there from a grid, it takes; empty where it keeps
        those that it states.
    """

    name: str
    techniques: tuple[Technique, ...] = ()
    weight_decay: float = 0.0
    sizes: tuple[int, ...] = (2, 8, 1)
    centred: bool = False
    activations: tuple[str, ...] = ("sigmoid",)
    training: TrainingSettings | None = None
    copies: int = 1
    arrangement: Arrangement = Arrangement()
    source: str = ""
    adaptation: Adaptation = Adaptation()
    most_chips: int | None = None
    chosen_as: str = ""

    def __post_init__(self):
        require_techniques(self.techniques)
        as_count("copies", self.copies)
        if not self.activations:
            raise ValueError(f"{self.name}: activations must name at least one; got none")
        for name in self.activations:
            require_name("activation", name, ACTIVATIONS)
        if self.training is not None and self.weight_decay:
            raise ValueError(f"{self.name}: state the weight decay in training; got {self.weight_decay:g} beside it")

    def trains_like(self, other):
        """Whether two recipes give the same networks, which differ in how they are put on chips only."""
        plain = {"name": "", "source": "", "adaptation": Adaptation(), "most_chips": None, "chosen_as": ""}
        return replace(self, **plain) == replace(other, **plain)

    def sizes_for(self, dataset):
        """Layer sizes for a task, the hidden ones being the recipe's; one output for two classes."""
        return (dataset.n_features, *self.sizes[1:-1], 1 if dataset.n_classes == 2 else dataset.n_classes)

    def layout(self, sizes, device):
        """Layout of its networks, of these layer sizes, on the device's arrays."""
        return self.arrangement.layout(sizes, device)

    def adaptation_on(self, training):
        """Its adaptation with these training points, if it needs any."""
        return self.adaptation if self.adaptation == Adaptation() else replace(self.adaptation, training=training)


ALL_TECHNIQUES = (NoiseInjection(), ConductanceDropout(), RangePenalty(RANGE_STRENGTH))
RECIPES = (
    Recipe("regular"),
    Recipe("straight line, robustly trained", ALL_TECHNIQUES, WEIGHT_DECAY, sizes=(2, 1)),
    Recipe("hardware-aware (paper)", ALL_TECHNIQUES, WEIGHT_DECAY),
    Recipe("noise injection alone", (NoiseInjection(),)),
    Recipe("conductance dropout alone", (ConductanceDropout(),)),
    Recipe("range penalty alone", (RangePenalty(RANGE_STRENGTH),)),
    Recipe("hardware-aware, centred inputs", ALL_TECHNIQUES, WEIGHT_DECAY, centred=True),
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
        The same for every recipe, save the weight decay.
    recipes : tuple of Recipe
        Rows of the table.
    until : float or None
        Half the width of the interval with which a robust share is known well enough, see `transfer`; None judges all
        chips (unitless).
    keep_correct : bool
        Whether rows need to know which chip is right at which point.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    wire_resistances: tuple[float, ...] = (0.0, 2.0)
    n_transfers: int = 20_000
    training: TrainingSettings = field(default_factory=lambda: TrainingSettings(n_steps=3000, n_chips=2))
    recipes: tuple[Recipe, ...] = RECIPES
    until: float | None = None
    keep_correct: bool = False

    def __post_init__(self):
        as_until(self.until)
        if not self.seeds or not self.wire_resistances:
            raise ValueError("an experiment needs at least one seed and one wire resistance")
        for seed in self.seeds:
            as_count("a seed", seed, low=0)
        for name in ("seeds", "wire_resistances"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ValueError(f"{name} must differ from each other; got {getattr(self, name)}")
        for resistance in self.wire_resistances:
            as_number("wire_resistance", resistance, low=0.0, high=LARGEST_RESISTANCE, unit="ohm")
        as_count("n_transfers", self.n_transfers)


def train_recipe(recipe, task, device, settings, on_progress=None):
    """Networks of one recipe, one for each seed; a seed gives the same start to every recipe of the same layer sizes."""
    rngs = [training_generator(seed) for seed in settings.seeds]
    training = recipe.training or replace(settings.training, weight_decay=recipe.weight_decay)
    return train_starts(recipe, task.train, device, rngs=rngs, settings=training, on_progress=on_progress)


def as_plain(value):
    """A record as JSON takes it: one within another states its kind."""
    if isinstance(value, (tuple, list)):
        return [as_plain(item) for item in value]
    if isinstance(value, type):
        return value.__name__
    if not is_dataclass(value):
        return value
    content = {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    return {"kind": type(value).__name__, **content} if not isinstance(value, Recipe) else content


def training_generator(seed):
    """Generator of start weights, batches and simulated chips of one training seed, a `numpy.random.Generator`."""
    return np.random.default_rng([seed, 0])


def chip_generator(seed):
    """Generator of the chips that every network of one training seed is put on, a `numpy.random.Generator`."""
    return np.random.default_rng([seed, 1])
