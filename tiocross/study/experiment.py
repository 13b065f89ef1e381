"""The paper's experiment as a study: a regular and hardware-aware networks on half moons, and four figures."""

from tiocross.study import figures
from tiocross.study.run import Study
from tiocross.study.tables import make_row

NOTES = """\
nominal: accuracy in software. mean, 5th pct: accuracy over chips. robust p %: share of test points that are right on at
least p % of the chips. Read it beside the nominal accuracy: the straight line has few weights to go wrong.
"hardware-aware (paper)": the paper's techniques on physical devices; its headline belongs to other coordinates (README)."""
_DRAWN = ("regular", "straight line, robustly trained", "hardware-aware (paper)", "hardware-aware, centred inputs")


def make_experiment(task, device, settings):
    """The experiment of Drolet et al. on a task, ready for `Run`."""
    return Study(task, device, settings, make_row, NOTES, draw_figures)


def draw_figures(run, crew):
    """Draw the rows that show most; where a run has none of them, its first ones."""
    study, settings = run.study, run.study.settings
    names = [recipe.name for recipe in settings.recipes]
    names = [name for name in _DRAWN if name in names] or names[: len(_DRAWN)]
    shown = "hardware-aware (paper)" if "hardware-aware (paper)" in names else names[0]
    figures.draw_all(crew, run.folder, {
        "decision_maps": (figures.decision_maps, names, study.task, study.device, settings, run.networks, run.outcomes),
        "rate_curves": (figures.rate_curves, names, settings, run.outcomes),
        "accuracy_histograms": (figures.accuracy_histograms, names, settings, run.outcomes),
        "conductance_maps": (figures.conductance_maps, shown, study.device, settings.seeds[0],
                             run.networks[shown, settings.seeds[0]]),
    })
