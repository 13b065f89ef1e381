"""How much a comparison has to do, counted, and how long that may take."""

from tiocross.study.choosing import SEEDS, grid_of
from tiocross.study.comparison import HIDDEN_UNITS, followed, make_conditions, methods_to_choose, settings_of_curves
from tiocross.study.methods import STRENGTHS
from tiocross.study.run import group_by_training, n_chips_for

_SECONDS_OF_START = 0.6  # one start of 2 000 steps with 16 chips a step, on one core
_SECONDS_OF_CHIP = 1e-4  # 4 000 test points, on one core
_SECONDS_OF_ADAPTED_CHIP = 1e-2  # placed, read back or retrained


def count_effort(study):
    """Starts to train, chips to judge and chips to adapt to, three numbers."""
    settings = study.settings
    n_seeds, curves = len(settings.seeds), settings_of_curves(settings)
    n_starts = sum(n_seeds * len(group[0].activations) for group in group_by_training(settings.recipes))
    n_curves = len(make_conditions(study.device)) * len(followed(settings)) * len(curves.seeds)
    if study.choose is not None:
        for recipe in methods_to_choose(settings.recipes):
            n_starts += len(grid_of(STRENGTHS.get(recipe.name))) * len(SEEDS) * len(set(recipe.activations))
        n_starts += len(HIDDEN_UNITS) * len(curves.seeds) * sum(len(recipe.activations) for recipe in followed(settings))
    chips = [n_seeds * len(settings.wire_resistances) * n_chips_for(recipe, settings) for recipe in settings.recipes]
    n_adapted = sum(n for n, recipe in zip(chips, settings.recipes) if recipe.adaptation.knows_chip)
    return n_starts, sum(chips) - n_adapted + n_curves * curves.n_transfers, n_adapted


def describe_effort(study, workers):
    """One line for people before the work begins."""
    n_starts, n_chips, n_adapted = count_effort(study)
    seconds = n_starts * _SECONDS_OF_START + n_chips * _SECONDS_OF_CHIP + n_adapted * _SECONDS_OF_ADAPTED_CHIP
    minutes = max(round(seconds / workers / 60), 1)
    return (f"{n_starts} networks to train and {n_chips + n_adapted} chips to judge: some {minutes} min with {workers} "
            f"worker{'s' if workers > 1 else ''} at 2.3 GHz")
