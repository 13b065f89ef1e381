"""Figures of a study: what the chips of a network do, methods beside each other, other chips than those trained for."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, PercentFormatter

from tiocross.plot.labels import keep_apart
from tiocross.plot.style import BLACK, BLUE, COLOURS, DASHES, VERMILION

_MARKERS = ("o", "s", "^", "D", "v")
_KIND_COLOURS = tuple(COLOURS[k] for k in (0, 2, 4, 6, 5, 1))
_GAP = 0.042  # of the height of the axes, between names
Limits = tuple[tuple[float, float], tuple[float, float]]
_IN_PERCENT = FuncFormatter(lambda value, _: f"{100 * value:.6g}")


class Method(NamedTuple):
    """One method of `method_map`.

    Parameters
    ----------
    name : str
        Its name.
    kind : str
        Its kind; methods of one kind look alike.
    nominal : (n_seeds,) ndarray
        Accuracy in software (unitless).
    robust : (n_seeds,) ndarray
        Share of test points that are right on at least 95 % of the chips (unitless).
    """

    name: str
    kind: str
    nominal: np.ndarray
    robust: np.ndarray


def rate_curves(axes: Axes, rates_by_name: dict[str, np.ndarray | list[np.ndarray]], *, title: str = "") -> Axes:
    """Share of test points that are right on at least x % of the chips.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    rates_by_name : dict of str to (n_points,) ndarray or list of them
        For each network its rates, or those of every training seed; the line is their mean, the band their range (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import plot
    >>> axes = plot.rate_curves(plot.new_figure()[1][0, 0], {"a network": np.array([0.6, 0.97, 1.0])})
    >>> round(float(axes.lines[0].get_ydata()[180]), 3)  # of three points two are right on at least 95 % of the chips
    0.667
    """
    levels = np.linspace(0.5, 1.0, 201)
    for k, (name, many) in enumerate(rates_by_name.items()):
        shares = np.array([[(rates >= level - 1e-7).mean() for level in levels] for rates in _rates_of_seeds(name, many)])
        axes.fill_between(levels, shares.min(axis=0), shares.max(axis=0), color=COLOURS[k], alpha=0.18, linewidth=0)
        axes.plot(levels, shares.mean(axis=0), color=COLOURS[k], linestyle=DASHES[k], label=name)
    axes.axvline(0.95, color="0.6", linewidth=0.8)
    axes.set(title=title, xlabel="chips on which a point is right, at least (%)", ylabel="test points (%)", xlim=(0.5, 1),
             ylim=(0, 1.0))
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.grid(alpha=0.25)
    return axes


def _rates_of_seeds(name, given):
    """List of (n_points,) arrays, one for each training seed; one array is that of a single seed."""
    given = [given] if np.ndim(given[0] if len(given) else 0.0) == 0 else given
    seeds = [np.asarray(rates, dtype=np.float64) for rates in given]
    for rates in seeds:
        if rates.ndim != 1 or rates.size == 0 or not (rates >= 0.0).all() or not (rates <= 1.0).all():
            raise ValueError(f"the rates of {name!r} must be shares of chips within [0, 1], one for each test point; got "
                             f"an array of shape {rates.shape}, {rates.min(initial=0):g} to {rates.max(initial=0):g}")
    return seeds


def accuracy_histogram(axes: Axes, accuracies: np.ndarray, *, lowest: float | None = None, title: str = "",
                       colour: str = BLUE) -> Axes:
    """Distribution of the accuracy over chips, on a logarithmic scale that shows the rare bad ones.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
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

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import plot
    >>> axes = plot.accuracy_histogram(plot.new_figure()[1][0, 0], np.array([0.9, 0.95, 0.955]))
    >>> axes.get_ylabel()
    'chips per 1 % bin (%)'
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


def method_map(axes: Axes, methods: list[Method], *, limits: Limits | None = None, named: list[str] | None = None,
               front: Sequence[str] = (), title: str = "") -> Axes:
    """Robust share of test points over nominal accuracy: one marker for each method, with its name at the right side.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    methods : list of Method
        What is drawn.
    limits : tuple of tuple of float, optional
        Ends of both axes; without it they hold all methods (unitless).
    named : list of str, optional
        Methods whose names are written; all without it.
    front : sequence of str, optional
        Methods among which a line joins those that no other one beats in both, the Pareto front.
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``. Markers are means, bars reach from the lowest to the highest seed. No method can be above the dotted line,
        where all points that are right in software are robust.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import plot
    >>> methods = [plot.Method("regular", "plain", np.array([0.87, 0.89]), np.array([0.5, 0.7]))]
    >>> axes = plot.method_map(plot.new_figure()[1][0, 0], methods)
    >>> axes.get_xlabel()
    'nominal: accuracy in software (%)'
    """
    kinds = list(dict.fromkeys(method.kind for method in methods))
    places = {}
    for method in methods:
        x, y = float(np.mean(method.nominal)), float(np.mean(method.robust))
        colour, marker = _colour_and_marker(kinds.index(method.kind))
        reach = [np.maximum([[mean - min(values)], [max(values) - mean]], 0.0)  # a mean of equals may be off by a rounding
                 for mean, values in ((x, method.nominal), (y, method.robust))]
        axes.errorbar(x, y, xerr=reach[0], yerr=reach[1], color=colour, marker=marker, markersize=5, elinewidth=0.8,
                      linestyle="none", label=method.name)
        places[method.name] = x, y, colour
    (x_low, x_high), (y_low, y_high) = limits or limits_of(methods)
    axes.set(title=title, xlim=(x_low, x_high), ylim=(y_low, y_high), xlabel="nominal: accuracy in software (%)",
             ylabel="robust: test points right on at least 95 % of the chips (%)")
    _draw_front(axes, places, front)
    for formatted in (axes.xaxis, axes.yaxis):
        formatted.set_major_formatter(_IN_PERCENT)
    axes.grid(alpha=0.2)
    _name_at_the_side(axes, [(name, *places[name]) for name in (places if named is None else named)])
    return axes


def limits_of(methods: list[Method]) -> Limits:
    """Ends of both axes of `method_map` that hold methods.

    Parameters
    ----------
    methods : list of Method
        What the axes are to hold.

    Returns
    -------
    tuple of tuple of float
        Ends of the axis of nominal accuracy, and of that of the robust share (unitless).

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import plot
    >>> plot.limits_of([plot.Method("regular", "plain", np.array([0.8, 0.9]), np.array([0.5, 0.7]))])[0]
    (0.795, 0.905)
    """
    ends = []
    for values in (np.concatenate([method.nominal for method in methods]),
                   np.concatenate([method.robust for method in methods])):
        margin = 0.05 * max(values.max() - values.min(), 0.02)
        ends.append((float(values.min() - margin), float(values.max() + margin)))
    return tuple(ends)


def legend_of_kinds(axes: Axes, kinds: list[str]) -> None:
    """Add the legend of `method_map`, which tells kinds of methods apart.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw it, below the axes.
    kinds : list of str
        In the order in which they first occur among the methods.

    Examples
    --------
    >>> from tiocross import plot
    >>> axes = plot.new_figure()[1][0, 0]
    >>> plot.legend_of_kinds(axes, ["plain", "robust"])
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['plain', 'robust']
    """
    looks = [_colour_and_marker(k) for k in range(len(kinds))]
    handles = [Line2D([], [], color=colour, marker=marker, linestyle="none", markersize=5, label=kind)
               for kind, (colour, marker) in zip(kinds, looks)]
    axes.legend(handles=handles, fontsize=8, ncol=2, loc="upper center", bbox_to_anchor=(0.5, -0.1))  # off the bars


def _colour_and_marker(k):
    """Of the ``k``-th kind of methods."""
    return _KIND_COLOURS[k % len(_KIND_COLOURS)], _MARKERS[k % len(_MARKERS)]


def condition_curve(axes: Axes, curves: dict[str, tuple[np.ndarray, np.ndarray]], *, xlabel: str, title: str = "",
                    trained_at: float | None = None) -> Axes:
    """Robust share over a condition of the chips: mean over training seeds and their range.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    curves : dict of str to tuple of ndarray
        For each method (x, robust): conditions (n,) in the unit that ``xlabel`` states, and shares (n, n_seeds) (unitless).
    xlabel : str
        Label of the condition, with its unit.
    title : str, optional
        Title of the axes.
    trained_at : float, optional
        The condition that the networks were trained for, marked by a line, in the unit of x (unitless here).

    Returns
    -------
    matplotlib Axes
        ``axes``.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import plot
    >>> curves = {"regular": (np.array([0.0, 5.0]), np.array([[0.8, 0.9], [0.5, 0.7]]))}
    >>> axes = plot.condition_curve(plot.new_figure()[1][0, 0], curves, xlabel="resistance of a wire segment (ohm)")
    >>> axes.lines[0].get_ydata().round(2)
    array([0.85, 0.6 ])
    """
    if trained_at is not None:
        axes.axvline(trained_at, color="0.6", linewidth=0.8)
    for k, (name, (x, robust)) in enumerate(curves.items()):
        colour = (BLACK, BLUE, VERMILION)[k % 3]
        axes.fill_between(x, np.min(robust, axis=1), np.max(robust, axis=1), color=colour, alpha=0.18, linewidth=0)
        axes.plot(x, np.mean(robust, axis=1), color=colour, linestyle=DASHES[k % len(DASHES)], marker=_MARKERS[k % 5],
                  markersize=4, label=name)
    axes.set(title=title, xlabel=xlabel, ylabel="points right on 95 % of chips (%)", ylim=(0, 1))
    axes.yaxis.set_major_formatter(_IN_PERCENT)
    axes.grid(alpha=0.25)
    return axes


def _draw_front(axes, places, names):
    """Black steps through the methods that none of the named ones beats in both."""
    x_low, x_high = axes.get_xlim()
    y_low, y_high = axes.get_ylim()
    rivals = sorted((places[name][:2] for name in names if name in places), reverse=True)
    front, best = [], -np.inf
    for x, y in rivals:  # from the most accurate one on
        if y > best:
            front.append((x, y))
            best = y
    if front:
        x, y = np.array([(front[0][0], y_low - 1.0), *front, (x_low - 1.0, best)]).T
        axes.plot(x, y, color=BLACK, linewidth=0.9, alpha=0.6, drawstyle="steps-pre", zorder=1, label="front")
    axes.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, linestyle=":", zorder=0)  # robust cannot exceed nominal
    axes.set(xlim=(x_low, x_high), ylim=(y_low, y_high))


def _name_at_the_side(axes, named):
    """Names in a column right of the axes, in the order of their markers, each with a thin line to its own."""
    if not named:
        return
    low, high = axes.get_ylim()
    heights = keep_apart([(y - low) / (high - low) for _, _, y, _ in named], _GAP, low=0.0, high=1.0)
    for (name, x, y, colour), height in zip(named, heights):
        line = {"arrowstyle": "-", "relpos": (0, 0.5), "color": colour, "linewidth": 0.4, "alpha": 0.6}
        axes.annotate(name, (x, y), xytext=(1.06, height), textcoords="axes fraction", fontsize=8, va="center", color=colour,
                      arrowprops=line, annotation_clip=False)
