"""What each effect of the chips costs a network, as ranked bars."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from tiocross.plot.style import COLOURS

_WITHOUT, _ALONE = COLOURS[2], COLOURS[1]  # blue and orange differ in lightness, too
_HEIGHT = 0.36  # of a bar; effects are 1 apart
_IN_POINTS = FuncFormatter(lambda value, _: f"{100 * value:.6g}")


def effect_costs(axes: Axes, costs: Any, *, title: str | None = None) -> Axes:
    """Ranked bars of what each effect costs: switched off by itself, and left on by itself.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    costs : EffectCosts
        What `tiocross.effect_costs` gave.
    title : str, optional
        Title of the axes; the robust share with all effects and with none without it.

    Returns
    -------
    matplotlib Axes
        ``axes``; lines at the ends of the bars are 95 % intervals.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, effect_costs, plot, tasks
    >>> moons, network = tasks.load_moons(), MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> found = effect_costs(network, moons.test, device=TIO2, n_transfers=100, rng=np.random.default_rng(11))
    >>> axes = plot.effect_costs(plot.new_figure()[1][0, 0], found)
    >>> axes.get_xlabel()
    'robust points (% of the points)'
    """
    ranked, places = costs.costs, np.arange(len(costs.costs))
    for offset, name, colour, hatch, label in ((-0.5, "removed", _WITHOUT, None, "come back when it alone is switched off"),
                                               (0.5, "alone", _ALONE, "///", "lost when all others are switched off")):
        found = [getattr(cost, name) for cost in ranked]
        values = np.array([estimate.value for estimate in found])
        reach = np.abs([[value - estimate.low, estimate.high - value] for value, estimate in zip(values, found)]).T
        axes.barh(places + offset * _HEIGHT, values, _HEIGHT, color=colour, edgecolor="white", hatch=hatch, label=label)
        axes.errorbar(values, places + offset * _HEIGHT, xerr=reach, fmt="none", ecolor="black", elinewidth=1, capsize=2)
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set_yticks(places, [cost.label for cost in ranked])
    axes.set(ylim=(len(ranked) - 0.4, -0.6), xlabel="robust points (% of the points)")  # the dearest on top
    axes.set_title(_said(costs) if title is None else title, fontsize=10, loc="left")
    axes.xaxis.set_major_formatter(_IN_POINTS)
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.4, -0.16), ncol=1, frameon=False)
    return axes


def _said(costs):
    """The whole and the ideal in one line."""
    return (f"what costs you robust points: {100 * costs.robust:.1f} % with all effects, {100 * costs.robust_ideal:.1f} % "
            "with none")
