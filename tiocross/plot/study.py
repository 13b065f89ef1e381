"""Methods beside each other, to matplotlib Axes; units on every label. In the style of `tiocross.plot`."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from tiocross.plot.maps import COLOURS, DASHES

_MARKERS = ("o", "s", "^", "D", "v")
_KIND_COLOURS = tuple(COLOURS[k] for k in (0, 2, 4, 6, 5, 1))
_RATIOS = (0.8, 0.9, 0.95, 1.0)
_GAP = 0.042  # of the height of the axes, between names
_IN_PERCENT = FuncFormatter(lambda value, _: f"{100 * value:.6g}")


def method_map(axes, methods, *, window=None, named=None, title=""):
    """Robust share of test points over nominal accuracy, one marker a method, with names at the right side.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
    methods : list of tuple
        (name, kind, nominal, robust) of each method; nominal and robust are arrays over training seeds (unitless).
    window : tuple of tuple of float, optional
        Ends of both axes; all methods without it (unitless).
    named : list of str, optional
        Methods that get their names; all without it (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``; markers are means, bars reach from the lowest to the highest seed, grey lines are of one ratio.
    """
    kinds = list(dict.fromkeys(kind for _, kind, _, _ in methods))
    places = {}
    for name, kind, nominal, robust in methods:
        x, y = float(np.mean(nominal)), float(np.mean(robust))
        colour, marker = look_of(kinds.index(kind))
        reach = [[[mean - min(values)], [max(values) - mean]] for mean, values in ((x, nominal), (y, robust))]
        axes.errorbar(x, y, xerr=reach[0], yerr=reach[1], color=colour, marker=marker, markersize=5, elinewidth=0.8,
                      linestyle="none", label=name)
        places[name] = x, y, colour
    (x_low, x_high), (y_low, y_high) = window or window_of(methods)
    axes.set(title=title, xlim=(x_low, x_high), ylim=(y_low, y_high), xlabel="accuracy in software (%)",
             ylabel="test points right on at least 95 % of the chips (%)")
    _draw_ratios(axes)
    for formatted in (axes.xaxis, axes.yaxis):
        formatted.set_major_formatter(_IN_PERCENT)
    axes.grid(alpha=0.2)
    _name_at_the_side(axes, [(name, *places[name]) for name in (places if named is None else named)])
    return axes


def look_of(k):
    """Colour and marker of the ``k``-th kind of methods (unitless)."""
    return _KIND_COLOURS[k % len(_KIND_COLOURS)], _MARKERS[k % len(_MARKERS)]


def kind_legend(axes, kinds):
    """Add a legend of the kinds of methods.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw it (unitless).
    kinds : list of str
        In the order in which they first occur among the methods (unitless).
    """
    handles = [Line2D([], [], color=look_of(k)[0], marker=look_of(k)[1], linestyle="none", markersize=5, label=kind)
               for k, kind in enumerate(kinds)]
    axes.legend(handles=handles, fontsize=8, ncol=2, loc="upper center", bbox_to_anchor=(0.5, -0.1))  # off the bars


def window_of(methods, least=None):
    """Ends of both axes that hold methods.

    Parameters
    ----------
    methods : list of tuple
        As for `method_map` (unitless).
    least : tuple of float, optional
        Lowest mean nominal and robust values that count; all methods without it (unitless).

    Returns
    -------
    tuple of tuple of float
        Ends of the nominal and of the robust axis (unitless).
    """
    chosen = [(nominal, robust) for _, _, nominal, robust in methods
              if least is None or (np.mean(nominal) >= least[0] and np.mean(robust) >= least[1])]
    ends = []
    for values in (np.concatenate([pair[k] for pair in chosen]) for k in (0, 1)):
        margin = 0.05 * max(values.max() - values.min(), 0.02)
        ends.append((float(values.min() - margin), float(values.max() + margin)))
    return tuple(ends)


def condition_curve(axes, curves, *, xlabel, title="", trained_at=None):
    """Robust share over a condition of the chips: mean over training seeds and their range.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
    curves : dict of str to tuple
        For each method (x, robust): conditions (n,) in the unit that ``xlabel`` states, and shares (n, n_seeds) (unitless).
    xlabel : str
        Label of the condition, with its unit (unitless here).
    title : str, optional
        Title of the axes.
    trained_at : float, optional
        The condition that the networks were trained for, marked by a line, in the unit of x (unitless here).

    Returns
    -------
    matplotlib Axes
        ``axes``.
    """
    if trained_at is not None:
        axes.axvline(trained_at, color="0.6", linewidth=0.8)
    for k, (name, (x, robust)) in enumerate(curves.items()):
        colour = (COLOURS[0], COLOURS[2], COLOURS[4])[k % 3]
        axes.fill_between(x, np.min(robust, axis=1), np.max(robust, axis=1), color=colour, alpha=0.18, linewidth=0)
        axes.plot(x, np.mean(robust, axis=1), color=colour, linestyle=DASHES[k % len(DASHES)], marker=_MARKERS[k % 5],
                  markersize=4, label=name)
    axes.set(title=title, xlabel=xlabel, ylabel="points right on 95 % of chips (%)", ylim=(0, 1))
    axes.yaxis.set_major_formatter(_IN_PERCENT)
    axes.grid(alpha=0.25)
    return axes


def spread_apart(heights, gap, top=1.0):
    """Heights moved as little as it takes to lie ``gap`` apart, in the same order, below ``top``.

    Parameters
    ----------
    heights : (n,) array_like
        Wanted heights (unitless).
    gap : float
        Least distance (unitless).
    top : float, optional
        Highest height (unitless).

    Returns
    -------
    (n,) ndarray
        The new heights (unitless).
    """
    order = np.argsort(heights, kind="stable")
    places = np.asarray(heights, dtype=float)[order] - gap * np.arange(len(order))
    groups = []  # of means and sizes: pool neighbours that would come too near
    for place in places:
        groups.append([place, 1])
        while len(groups) > 1 and groups[-1][0] < groups[-2][0]:
            mean, size = groups.pop()
            groups[-1] = [(groups[-1][0] * groups[-1][1] + mean * size) / (groups[-1][1] + size), groups[-1][1] + size]
    pooled = np.repeat([mean for mean, _ in groups], [size for _, size in groups])
    limited = np.clip(pooled, 0.0, max(top - gap * (len(order) - 1), 0.0))
    result = np.empty(len(order))
    result[order] = limited + gap * np.arange(len(order))
    return result


def _draw_ratios(axes):
    """Grey lines on which robust share over nominal accuracy is the same, named where they leave the axes."""
    x_low, x_high = axes.get_xlim()
    y_low, y_high = axes.get_ylim()
    for ratio in _RATIOS:
        x = np.array([x_low, x_high])
        axes.plot(x, ratio * x, color="0.75", linewidth=0.7, zorder=0)
        if y_low < ratio * x_low < y_high:
            axes.annotate(f"ratio {ratio:g}", (x_low, ratio * x_low), xytext=(3, 2), textcoords="offset points", fontsize=7,
                          color="0.45")
    axes.set(xlim=(x_low, x_high), ylim=(y_low, y_high))


def _name_at_the_side(axes, named):
    """Names in a column right of the axes, in the order of their markers, each with a thin line to its own."""
    if not named:
        return
    low, high = axes.get_ylim()
    heights = spread_apart([(y - low) / (high - low) for _, _, y, _ in named], _GAP)
    for (name, x, y, colour), height in zip(named, heights):
        line = {"arrowstyle": "-", "relpos": (0, 0.5), "color": colour, "linewidth": 0.4, "alpha": 0.6}
        axes.annotate(name, (x, y), xytext=(1.06, height), textcoords="axes fraction", fontsize=8, va="center", color=colour,
                      arrowprops=line, annotation_clip=False)
