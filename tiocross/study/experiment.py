"""The paper's experiment as a study: a regular and hardware-aware networks on half moons beside the recommended recipe, and
four figures."""

from tiocross.study import figures
from tiocross.study.methods import ROBUST
from tiocross.study.recipes import MORE_RECIPES, RECIPES
from tiocross.study.run import Study
from tiocross.study.tables import make_row
from tiocross.study.words import NOMINAL, ROBUST_SHARE, about_99, about_spread

ROWS = (*RECIPES, ROBUST)
MORE_ROWS = (*RECIPES, *MORE_RECIPES, ROBUST)
_DRAWN = ("regular", "straight line, robustly trained", "hardware-aware (paper)", "hardware-aware, centred inputs", "ROBUST")
QUICK_ROWS = tuple(recipe for recipe in ROWS if recipe.name in _DRAWN)  # those of the figures, trained as in the whole study
_QUESTION = ("How much of its accuracy does a small network keep on passive TiO2 crossbars, trained as usual, by the "
             "techniques of Drolet et al., and by the recipe of tiocross?")
_BUDGETS = ("ROBUST has more training than the other rows, which have the paper's budget: it starts six networks with 16 "
            "chips a step, they one with 2. With equal budgets: tiocross compare.")
_COORDINATES = ('"hardware-aware (paper)": the paper\'s techniques on physical devices; its headline belongs to other '
                "coordinates (README of the study).")
_LINEAR = ("straight line: no hidden units; any two classes are told apart by one flat boundary.")
_CAPTIONS = {
    "decision_maps": "Where the chips of a network disagree: grey, the share of chips that answer otherwise; points, "
                     "coloured by the share of chips on which they are right.",
    "rate_curves": "Share of test points that are right on at least x % of the chips.",
    "accuracy_histograms": "Accuracy of single chips, on a logarithmic scale that shows the rare bad ones.",
    "conductance_maps": "Targets of one network, what was programmed on its first chip, and the difference.",
}


def make_experiment(task, device, settings):
    """The experiment of Drolet et al. on a task, ready for `Run`."""
    names = [recipe.name for recipe in settings.recipes]
    notes = [NOMINAL, ROBUST_SHARE, about_99(settings.n_transfers), about_spread(len(settings.seeds)),
             *([_BUDGETS] if "ROBUST" in names else []), *([_COORDINATES] if "hardware-aware (paper)" in names else [])]
    notes += [*([_LINEAR] if task.train.n_features > 2 or task.train.n_classes > 2 else []), *task.notes]
    captions = {name: caption for name, caption in _CAPTIONS.items() if name != "decision_maps" or has_decision_map(task)}
    return Study("experiment", task, device, settings, make_row, _QUESTION, notes, captions, draw_figures)


def has_decision_map(task):
    """Whether the boundary of a task can be drawn: two features, two classes."""
    return (task.train.n_features, task.train.n_classes) == (2, 2)


def draw_figures(run, crew):
    """Draw the rows that show most; where a run has none of them, its first ones."""
    study, settings = run.study, run.study.settings
    names = [recipe.name for recipe in settings.recipes]
    names = [name for name in _DRAWN if name in names] or names[: len(_DRAWN)]
    shown = next((name for name in ("ROBUST", "hardware-aware (paper)") if name in names), names[0])
    maps = (figures.decision_maps, names, study.task, study.device, settings, run.networks, run.outcomes)
    figures.draw_all(crew, run.folder, {
        **({"decision_maps": maps} if has_decision_map(study.task) else {}),
        "rate_curves": (figures.rate_curves, names, settings, run.outcomes),
        "accuracy_histograms": (figures.accuracy_histograms, names, settings, run.outcomes),
        "conductance_maps": (figures.conductance_maps, shown, study.device, settings.seeds[0],
                             run.networks[shown, settings.seeds[0]]),
    })
