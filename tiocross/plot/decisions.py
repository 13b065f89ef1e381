"""Answers of chips over the plane of two features."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tiocross.plot.style import VERMILION

if TYPE_CHECKING:
    from tiocross.tasks import Dataset

_MARKERS = ("o", "^", "s", "D", "v")
_MOST_POINTS = 400  # more would hide the map behind them
_GREYS = LinearSegmentedColormap.from_list("light greys", ["white", "0.35"])  # black points stay visible on it
_DISAGREEMENT = {"cmap": _GREYS, "vmin": 0.0, "vmax": 0.5}
_RATE = {"cmap": "cividis", "vmin": 0.5, "vmax": 1.0}


def decision_map(axes: Axes, grid: tuple[np.ndarray, np.ndarray], shares: np.ndarray, nominal: np.ndarray,
                 dataset: "Dataset", rates: np.ndarray, *, title: str = "") -> Axes:
    """Where chips disagree, the boundary in software, and test points coloured by their rate.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    grid : tuple of ndarray
        Coordinates (n_x,) and (n_y,) of the map (unitless).
    shares : (n_y, n_x) ndarray
        Share of chips that answer class 1 (unitless).
    nominal : (n_y, n_x) ndarray
        Logit in software; its zero is the boundary (unitless).
    dataset : Dataset
        Test points; the first 400 are drawn.
    rates : (n_points,) ndarray
        Share of chips on which each point is right (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``; see `decision_colour_bars`.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import Dataset, plot
    >>> x = np.linspace(0.0, 1.0, 5)
    >>> logits = np.add.outer(x, x) - 1.0
    >>> points = Dataset([[0.1, 0.2], [0.8, 0.7]], [0, 1])
    >>> axes = plot.new_figure()[1][0, 0]
    >>> axes = plot.decision_map(axes, (x, x), 1 / (1 + np.exp(-9 * logits)), logits, points, np.array([0.9, 1.0]))
    >>> axes.get_xlabel()
    'feature x0'
    """
    axes.pcolormesh(*grid, np.minimum(shares, 1 - shares), rasterized=True, **_DISAGREEMENT)
    for values, levels, look in ((shares, (0.05, 0.95), {"colors": "0.35", "linestyles": "--", "linewidths": 0.9}),
                                 (nominal, (0.0,), {"colors": VERMILION, "linewidths": 1.8})):
        crossed = [level for level in levels if np.min(values) < level < np.max(values)]
        if crossed:
            axes.contour(*grid, values, levels=crossed, **look)
    for label in np.unique(dataset.labels):
        here = np.flatnonzero(dataset.labels[:_MOST_POINTS] == label)
        axes.scatter(*dataset.points[here].T, c=rates[here], s=16, linewidths=0.3, edgecolors="white",
                     marker=_MARKERS[label % len(_MARKERS)], label=f"class {label}", **_RATE)
    axes.set(title=title, xlabel="feature x0", ylabel="feature x1",
             xlim=(grid[0][0], grid[0][-1]), ylim=(grid[1][0], grid[1][-1]))
    return axes


def decision_colour_bars(figure: Figure, axes: list[Axes]) -> None:
    """Add the two colour bars of `decision_map`, once for many maps.

    Parameters
    ----------
    figure : matplotlib Figure
        The figure.
    axes : list of matplotlib Axes
        Maps that make room for the bars.

    Examples
    --------
    >>> from tiocross import plot
    >>> figure, axes = plot.new_figure()
    >>> plot.decision_colour_bars(figure, [axes[0, 0]])
    >>> len(figure.axes)  # the map and two bars
    3
    """
    for scale, label, extend in ((_RATE, "chips that are right at the point (%)", "min"),
                                 (_DISAGREEMENT, "chips against the majority (%)", "neither")):
        mappable = ScalarMappable(Normalize(scale["vmin"], scale["vmax"]), scale["cmap"])
        bar = figure.colorbar(mappable, ax=axes, format=PercentFormatter(1, symbol=""), extend=extend, shrink=0.8)
        bar.set_label(label)
