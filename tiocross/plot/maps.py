"""Records to matplotlib Axes, units on every label.

Every function draws on Axes it is given and returns them; `new_figure` makes a figure without the global state of
pyplot. Colours are those of Okabe and Ito, safe for colour-blind readers; neighbours differ
in lightness, lines in dash as well.
"""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from tiocross.units import uS

COLOURS = ("#000000", "#E69F00", "#0072B2", "#56B4E9", "#D55E00", "#CC79A7", "#009E73", "#F0E442")
_VERMILION = COLOURS[4]
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)), (0, (1, 3)), (0, (3, 1)))
_MARKERS = ("o", "^", "s", "D", "v")
_MOST_POINTS = 400  # more would hide the map behind them
_GREYS = LinearSegmentedColormap.from_list("light greys", ["white", "0.35"])  # black points stay visible on it
_DISAGREEMENT = {"cmap": _GREYS, "vmin": 0.0, "vmax": 0.5}
_RATE = {"cmap": "cividis", "vmin": 0.5, "vmax": 1.0}


def new_figure(n_rows=1, n_columns=1, *, width=6.4, height=4.8):
    """A figure with a grid of axes, outside pyplot.

    Parameters
    ----------
    n_rows, n_columns : int, optional
        Grid (unitless).
    width, height : float, optional
        Size of the figure, in inches (unitless here).

    Returns
    -------
    tuple
        Figure, and ``(n_rows, n_columns)`` ndarray of Axes.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(n_rows, n_columns, squeeze=False)


def decision_map(axes, grid, shares, nominal, dataset, rates, *, title=""):
    """Where chips disagree, the boundary in software, and test points coloured by their rate.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
    grid : tuple of ndarray
        Coordinates (n_x,) and (n_y,) of the map (unitless).
    shares : (n_y, n_x) ndarray
        Share of chips that answer class 1 (unitless).
    nominal : (n_y, n_x) ndarray
        Logit in software; its zero is the boundary (unitless).
    dataset : Dataset
        Test points; the first 400 are drawn (unitless).
    rates : (n_points,) ndarray
        Share of chips on which each point is right (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``; see `decision_colour_bars`.
    """
    axes.pcolormesh(*grid, np.minimum(shares, 1 - shares), rasterized=True, **_DISAGREEMENT)
    axes.contour(*grid, shares, levels=[0.05, 0.95], colors="0.35", linestyles="--", linewidths=0.9)
    axes.contour(*grid, nominal, levels=[0.0], colors=_VERMILION, linewidths=1.8)
    for label in np.unique(dataset.labels):
        here = np.flatnonzero(dataset.labels[:_MOST_POINTS] == label)
        axes.scatter(*dataset.points[here].T, c=rates[here], s=16, linewidths=0.3, edgecolors="white",
                     marker=_MARKERS[label % len(_MARKERS)], label=f"class {label}", **_RATE)
    axes.set(title=title, xlabel="feature x0 (unitless)", ylabel="feature x1 (unitless)",
             xlim=(grid[0][0], grid[0][-1]), ylim=(grid[1][0], grid[1][-1]))
    return axes


def decision_colour_bars(figure, axes):
    """Add the two colour bars of `decision_map`, once for many maps.

    Parameters
    ----------
    figure : matplotlib Figure
        The figure (unitless).
    axes : list of matplotlib Axes
        Maps that make room for the bars (unitless).
    """
    for scale, label, extend in ((_RATE, "chips that are right at the point (%)", "min"),
                                 (_DISAGREEMENT, "chips against the majority (%)", "neither")):
        mappable = ScalarMappable(Normalize(scale["vmin"], scale["vmax"]), scale["cmap"])
        bar = figure.colorbar(mappable, ax=axes, format=PercentFormatter(1, symbol=""), extend=extend, shrink=0.8)
        bar.set_label(label)


def rate_curves(axes, rates_by_name, *, title=""):
    """Share of test points that are right on at least x % of the chips.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
    rates_by_name : dict of str to list of (n_points,) ndarray
        For each network, the rates of every training seed; the line is their mean, the band their range (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.
    """
    levels = np.linspace(0.5, 1.0, 201)
    for k, (name, many) in enumerate(rates_by_name.items()):
        shares = np.array([[(rates >= level - 1e-7).mean() for level in levels] for rates in many])
        axes.fill_between(levels, shares.min(axis=0), shares.max(axis=0), color=COLOURS[k], alpha=0.18, linewidth=0)
        axes.plot(levels, shares.mean(axis=0), color=COLOURS[k], linestyle=DASHES[k], label=name)
    axes.axvline(0.95, color="0.6", linewidth=0.8)
    axes.set(title=title, xlabel="chips on which a point is right, at least (%)", ylabel="test points (%)", xlim=(0.5, 1),
             ylim=(0, 1.0))
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.grid(alpha=0.25)
    return axes


def accuracy_histogram(axes, accuracies, *, lowest=None, title="", colour=COLOURS[2]):
    """Distribution of the accuracy over chips, on a logarithmic scale that shows the rare bad ones.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
    accuracies : (n_chips,) ndarray
        Accuracy of each chip (unitless).
    lowest : float, optional
        Where the axis begins; the worst chip without it (unitless).
    title : str, optional
        Title of the axes.
    colour : str, optional
        Of the bars.

    Returns
    -------
    matplotlib Axes
        ``axes``; the dashed line is the mean, the dotted one the 5th percentile.
    """
    start = int(100 * min(np.min(accuracies), 0.99 if lowest is None else lowest))
    edges = np.arange(start, 101) / 100
    share = np.histogram(accuracies, edges)[0] / len(accuracies)
    axes.stairs(share, edges, color=colour, fill=True, baseline=1e-5)
    axes.axvline(np.mean(accuracies), color="black", linestyle="--", linewidth=1)
    axes.axvline(np.percentile(accuracies, 5), color="black", linestyle=":", linewidth=1.2)
    axes.set_yscale("log")
    axes.set(xlim=(edges[0], 1.0), ylim=(1e-5, 1.5))
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel("accuracy of a chip on the test points (%)")
    axes.set_ylabel("chips per 1 % bin (%)")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:g}"))
    axes.grid(alpha=0.25)
    return axes


def conductance_map(axes, conductances, *, title="", window=None, difference=False):
    """Conductances of one array, word lines downwards as on the chip.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
    conductances : (n_word_lines, n_bit_lines) ndarray
        What to show [S].
    title : str, optional
        Title of the axes.
    window : tuple of float, optional
        Ends of the colour scale [S].
    difference : bool, optional
        Whether ``conductances`` are differences, shown on a diverging scale (unitless).

    Returns
    -------
    matplotlib Axes
        ``axes``.
    """
    shown = np.asarray(conductances) / uS
    low, high = (shown.min(), shown.max()) if window is None else (window[0] / uS, window[1] / uS)
    image = axes.imshow(shown, cmap="PuOr" if difference else "viridis", vmin=low, vmax=high, aspect="auto",
                        interpolation="nearest")
    axes.set(title=title, xlabel="bit line", ylabel="word line (last: bias)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.figure.colorbar(image, ax=axes, extend="both" if difference else "neither").set_label(
        "difference (uS)" if difference else "conductance (uS)")
    return axes


def output_comparison(axes, comparison, *, title=""):
    """Measured outputs over predicted ones, beside the line on which both are equal.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
    comparison : Comparison
        What `compare_outputs` gave (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.
    """
    both = np.concatenate([comparison.predicted, comparison.measured])
    axes.axline((both.min(), both.min()), slope=1, color="0.6", linewidth=0.8, label="measured = predicted")
    _scatter_outputs(axes, comparison, comparison.measured)
    axes.set(title=title, xlabel=_of_output("predicted", comparison), ylabel=_of_output("measured", comparison))
    axes.legend(fontsize=8)
    return axes


def output_deviations(axes, comparison, *, title=""):
    """Measured less predicted outputs over predicted ones, with the line of best fit of each output.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
    comparison : Comparison
        What `compare_outputs` gave (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.
    """
    axes.axhline(0.0, color="0.6", linewidth=0.8)
    _scatter_outputs(axes, comparison, comparison.measured - comparison.predicted)
    for k, predicted in enumerate(comparison.predicted.T):
        ends = np.array([predicted.min(), predicted.max()])
        line = comparison.offset[k, 0] + (comparison.gain[k, 0] - 1) * ends
        axes.plot(ends, line, color="black", linestyle=DASHES[(k + 1) % len(DASHES)], linewidth=1.2,
                  label=f"fit of output {k}")
    axes.set(title=title, xlabel=_of_output("predicted", comparison), ylabel=_of_output("measured - predicted", comparison))
    axes.legend(fontsize=8)
    return axes


def _scatter_outputs(axes, comparison, values):
    for k, (predicted, shown) in enumerate(zip(comparison.predicted.T, values.T)):
        axes.scatter(predicted, shown, s=12, alpha=0.6, linewidths=0, color=COLOURS[2 + 2 * k % 6],
                     marker=_MARKERS[k % len(_MARKERS)], label=f"output {k}")
    axes.grid(alpha=0.25)


def _of_output(what, comparison):
    return f"{what} ({comparison.unit or 'logit, unitless'})"
