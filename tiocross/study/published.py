"""Tasks whose answer is known outside this project: what was published, on which hardware, and what tiocross puts beside it.

Only figures that stand in an abstract, or that follow exactly from a law, are quoted. Where a paper states its devices they
are taken; else the published TiO2 card is, on arrays of the paper's size where it states one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tiocross import tasks
from tiocross.devices.device import Device, TuningError
from tiocross.devices.tio2 import TIO2
from tiocross.study.comparison import with_stuck_rate
from tiocross.study.methods import COMPARED
from tiocross.study.recipes import Arrangement
from tiocross.learning.training import TrainingSettings
from tiocross.mapping.mappings import DifferentialPairs
from tiocross.transfers.adaptation import Adaptation

SEED = 4_711  # of generated points
RATES = (0.03, 0.1, 0.3)  # of which one is chosen for each row of each task
STARTS = ("tanh", "relu", "sigmoid")
TRAINING = TrainingSettings(n_steps=1_000, n_chips=8)  # steps, and chips a step, of every row
_MEAN_OF_HALF_NORMAL = 0.798  # mean magnitude of a normal error, in units of its standard deviation
_OUTPUT_BIAS_IN_SOFTWARE = DifferentialPairs(digital_output_bias=True)


def _with_budget(recipe, **changes):
    """A recipe with the budget that all rows have: steps, chips a step, starts."""
    training = replace(recipe.training, n_steps=TRAINING.n_steps, n_chips=TRAINING.n_chips)
    return replace(recipe, training=training, activations=STARTS, chosen_as="", **changes)


_ROWS = {recipe.name: _with_budget(recipe) for recipe in COMPARED if recipe.training is not None}
MAIN_ROWS = (_ROWS["regular"], _ROWS["ROBUST"], _ROWS["ROBUST without per-point loss"])
SPARE_ROWS = (
    _ROWS["ROBUST, each unit 3 times"],
    _ROWS["layer ensemble averaging"],
    replace(_ROWS["regular, centred inputs"], name="regular, centred, read back, output layer refitted",
            adaptation=Adaptation(refit="output"), most_chips=50),
    replace(_ROWS["layer ensemble averaging"], name="layer ensemble averaging, read back, output layer refitted",
            adaptation=Adaptation(refit="output"), most_chips=30),
)


@dataclass(frozen=True)
class KnownTask:
    """A task, how it is put on chips, and what is known of it.

    ``weights`` gives the probability of each test point, where they are not all equal: figures are weighed with it.
    """

    name: str
    make: Callable  # () -> Task
    published: str  # the answer, and on which hardware
    reference: str = ""
    hidden: tuple[int, ...] = (8,)
    device: Device = TIO2
    device_note: str = ""  # where the device is not the published card
    arrangement: Arrangement = Arrangement(array_shape=(8, 8))
    rows: tuple = MAIN_ROWS
    weights: Callable | None = None  # () -> (n_points,) ndarray
    note: str = ""

    def recipes(self, share_of_steps=1.0):
        """Its rows, with the task's units and arrays, and names that tell the task."""
        return tuple(replace(recipe, name=f"{self.name}: {recipe.name}", sizes=(2, *self.hidden, 1),
                             arrangement=self.arrangement, activations=STARTS if self.hidden else STARTS[:1],
                             training=replace(recipe.training, n_steps=max(1, round(share_of_steps * TRAINING.n_steps))))
                     for recipe in self.rows)


def _draw(generate):
    return generate(rng=np.random.default_rng(SEED))


def _generated(generate):
    """What draws a task, always alike."""
    return partial(_draw, generate)


def _decoder():
    """The decoder; test points are every syndrome with every logical class, of which one answer gets one right."""
    code = tasks.enumerate_surface_code()
    cases = tasks.Dataset(np.repeat(code.syndromes, 4, axis=0), np.tile(np.arange(4), len(code.syndromes)), 4)
    return replace(code.task(), test=cases)


def _probabilities():
    return tasks.enumerate_surface_code().probabilities.ravel()


def _kim_2021():
    """What Kim et al. state: a yield of 99 %, a mean tuning error below 4 % when all is tuned."""
    tuning = TuningError(0.0, 0.0, 0.0, 0.04 / _MEAN_OF_HALF_NORMAL, "Kim et al. 2021: mean error below 4 %")
    return replace(with_stuck_rate(TIO2, 0.01), name="as stated by Kim et al. 2021", tuning=tuning, disturb=None)


_KIM = "Kim et al., Nat. Commun. 12, 5198 (2021)"
_YOUSUF = "Yousuf et al., Nat. Commun. 16 (2025), doi 10.1038/s41467-025-56319-6"
KNOWN = (
    KnownTask("surface code", _decoder, "exact: the best decoder corrects 0.97074, a logical error of 0.02926 at p = 0.05; "
              "8-24-4 in software 0.97068", "enumeration of all 4^9 errors", (24,), weights=_probabilities,
              note="Shares are probabilities that the error is corrected, exact over all 256 syndromes."),
    KnownTask("letters", tasks.make_letters, "learnt on the chip, a passive crossbar, 10 x 3 weights",
              "Prezioso et al., Nature 521, 61 (2015)", (), note="No hidden units. Test points are the training points."),
    KnownTask("patterns", _generated(tasks.generate_patterns), "0.995 at best. Other patterns of 4 x 4 pixels in 4 classes, "
              "428 devices on two passive 20 x 20 arrays: within 0.03 of simulation",
              "Bayat et al., Nat. Commun. 9, 2331 (2018)", (10,), arrangement=Arrangement(array_shape=(20, 20))),
    KnownTask("iris", partial(tasks.load, "iris"), "0.933 on a memristor crossbar, by clustering without labels",
              "Jeong et al., Nano Lett. 18 (2018), K-means data clustering with memristor networks"),
    KnownTask("wine", partial(tasks.load, "wine"), "up to 0.953 on passive 15 x 15 arrays of magnetic tunnel junctions",
              "arXiv:2112.09159", arrangement=Arrangement(array_shape=(15, 15))),
    KnownTask("breast cancer", partial(tasks.load, "breast cancer"), "0.971 on a memristor array, by principal components "
              "learnt there (9 features of cells, where ours have 30 of nuclei)",
              "Choi et al., Nano Lett. 17, 3113 (2017)"),
    KnownTask("digits", partial(tasks.load, "digits"), "no accuracy; a 64 x 10 product on a passive 64 x 64 array, imported "
              "to about 0.01", _KIM, (), _kim_2021(), "99 % yield, mean tuning error 4 %, window of the TiO2 card",
              Arrangement(array_shape=(64, 64), mapping=_OUTPUT_BIAS_IN_SOFTWARE), note="No hidden units."),
    KnownTask("Yin-Yang", _generated(tasks.generate_yin_yang), "0.55 to 0.71 by layer ensemble averaging on a chip with "
              "defects, where it was learnt as several tasks in turn", _YOUSUF, (24,)),
    KnownTask("Yin-Yang, 20 % stuck", _generated(tasks.generate_yin_yang), "0.40 to 0.896 by layer ensemble averaging at 20 "
              "% stuck, in simulation; of images, not of Yin-Yang", _YOUSUF, (24,), with_stuck_rate(TIO2, 0.2),
              "20 % stuck, half of them at low resistance", rows=MAIN_ROWS + SPARE_ROWS,
              note="Rows that are read back know each chip; they have 50 and 30 chips a seed."),
    KnownTask("circles", _generated(tasks.generate_circles), "0.972 at best", "the law of the points"),
    KnownTask("spirals", _generated(tasks.generate_spirals), "0.972 at best", "the law of the points"),
)
