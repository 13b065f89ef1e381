"""Maps: conductances, stuck devices and voltages of an array, word lines downwards as on the chip; answers of chips over
the plane of two features."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike

from tiocross.plot.style import VERMILION
from tiocross.units import uS

if TYPE_CHECKING:
    from tiocross.tasks import Dataset

_MARKERS = ("o", "^", "s", "D", "v")
_MOST_POINTS = 400  # more would hide the map behind them
_GREYS = LinearSegmentedColormap.from_list("light greys", ["white", "0.35"])  # black points stay visible on it
_DISAGREEMENT = {"cmap": _GREYS, "vmin": 0.0, "vmax": 0.5}
_RATE = {"cmap": "cividis", "vmin": 0.5, "vmax": 1.0}
_VOLTAGE = {"cmap": "cividis", "vmin": 0.0, "vmax": 1.0}
_CONTOURS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of a voltage map
_NUMBERS = FuncFormatter(lambda value, _: f"{value:g}")


def conductance_map(axes: Axes, conductances: ArrayLike, *, title: str = "", window: tuple[float, float] | None = None,
                    difference: bool = False) -> Axes:
    """Conductances of one array, word lines downwards as on the chip.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    conductances : (n_word_lines, n_bit_lines) ndarray
        What to show [S].
    title : str, optional
        Title of the axes.
    window : tuple of float, optional
        Ends of the colour scale [S].
    difference : bool, optional
        Whether ``conductances`` are differences, shown on a diverging scale.

    Returns
    -------
    matplotlib Axes
        ``axes``.

    Examples
    --------
    >>> from tiocross import plot
    >>> figure, axes = plot.new_figure()
    >>> axes = plot.conductance_map(axes[0, 0], [[1e-4, 2e-4], [3e-4, 5e-4]])
    >>> figure.axes[1].get_ylabel()  # of the colour bar
    'conductance (uS)'
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


def fault_map(axes: Axes, conductances: ArrayLike, *, stuck: ArrayLike | None = None, title: str = "") -> Axes:
    """Conductances of a chip on a logarithmic scale, word lines downwards, devices that do not answer crossed out.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    conductances : (n_word_lines, n_bit_lines) array_like
        Conductance of every device, NaN where it is not known, which is left white [S].
    stuck : (n_word_lines, n_bit_lines) array_like of bool, optional
        Devices to cross out (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.

    Examples
    --------
    >>> from tiocross import plot
    >>> axes = plot.new_figure()[1][0, 0]
    >>> axes = plot.fault_map(axes, [[1e-4, 9e-4]], stuck=[[False, True]])
    >>> axes.lines[0].get_xdata()  # the crossed-out bit line
    array([1])
    """
    shown = np.ma.masked_invalid(np.asarray(conductances, dtype=np.float64) / uS)
    positive = np.ma.masked_less_equal(shown, 0.0)
    low, high = (positive.min(), positive.max()) if positive.count() else (1.0, 10.0)
    image = axes.imshow(np.ma.maximum(shown, low), cmap="cividis", norm=LogNorm(low, max(high, 1.001 * low)), aspect="auto",
                        interpolation="nearest")
    if stuck is not None:
        rows, columns = np.nonzero(stuck)
        axes.plot(columns, rows, "x", color="white", markersize=7, markeredgewidth=3)
        axes.plot(columns, rows, "x", color=VERMILION, markersize=6, markeredgewidth=1.5)
    axes.set(title=title, xlabel="bit line", ylabel="word line")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.get_major_locator().set_params(integer=True)
    steps = (1, 2, 5) if high < 100 * low else (1,)
    ticks = [step * 10.0**n for n in range(-9, 7) for step in steps if low <= step * 10.0**n <= high]
    bar = axes.figure.colorbar(image, ax=axes, format=_NUMBERS, ticks=ticks)
    bar.minorticks_off()
    bar.set_label("conductance (uS)")
    return axes


def voltage_map(axes: Axes, shares: ArrayLike, *, smooth: ArrayLike | None = None, step: int = 1, title: str = "") -> Axes:
    """Voltage over an array, as a share of what ideal wires would give, word lines downwards as on the chip.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    shares : (n_word_lines, n_bit_lines) ndarray
        Voltage over ideal voltage at every crossing, or at every ``step``-th from the first (unitless).
    smooth : (n_word_lines, n_bit_lines) ndarray, optional
        What the contours show instead of ``shares``, such as an array of equal devices (unitless).
    step : int, optional
        Lines between neighbouring values (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``; see `voltage_colour_bar`.

    Examples
    --------
    >>> from tiocross import plot
    >>> axes = plot.new_figure()[1][0, 0]
    >>> axes = plot.voltage_map(axes, [[1.0, 0.9], [0.95, 0.8]])
    >>> axes.get_ylabel()
    'word line'
    """
    n_word_lines, n_bit_lines = np.shape(shares)
    right, bottom = (n_bit_lines - 0.5) * step, (n_word_lines - 0.5) * step
    axes.imshow(shares, extent=(-step / 2, right, bottom, -step / 2), interpolation="nearest", aspect="auto", **_VOLTAGE)
    smooth = shares if smooth is None else smooth
    levels = [level for level in _CONTOURS if np.min(smooth) < level < np.max(smooth)]
    if levels:
        contours = axes.contour(np.arange(n_bit_lines) * step, np.arange(n_word_lines) * step, smooth, levels=levels,
                                colors=["white" if level < 0.65 else "black" for level in levels], linewidths=0.9)
        axes.clabel(contours, fmt=lambda level: f"{100 * level:.0f} %", fontsize=8)
    axes.set(title=title, xlabel="bit line", ylabel="word line")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    return axes


def voltage_colour_bar(figure: Figure, axes: list[Axes], label: str) -> None:
    """Add the colour bar of `voltage_map`, once for many maps.

    Parameters
    ----------
    figure : matplotlib Figure
        The figure.
    axes : list of matplotlib Axes
        Maps that make room for the bar.
    label : str
        Label of the bar: what is a share of what; the percent sign is added.

    Examples
    --------
    >>> from tiocross import plot
    >>> figure, axes = plot.new_figure()
    >>> plot.voltage_colour_bar(figure, [axes[0, 0]], "device voltage / read voltage")
    >>> figure.axes[1].get_ylabel()
    'device voltage / read voltage (%)'
    """
    bar = figure.colorbar(ScalarMappable(Normalize(_VOLTAGE["vmin"], _VOLTAGE["vmax"]), _VOLTAGE["cmap"]), ax=axes,
                          format=PercentFormatter(1, symbol=""))
    bar.set_label(f"{label} (%)")


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
    'feature x0 (unitless)'
    """
    axes.pcolormesh(*grid, np.minimum(shares, 1 - shares), rasterized=True, **_DISAGREEMENT)
    axes.contour(*grid, shares, levels=[0.05, 0.95], colors="0.35", linestyles="--", linewidths=0.9)
    axes.contour(*grid, nominal, levels=[0.0], colors=VERMILION, linewidths=1.8)
    for label in np.unique(dataset.labels):
        here = np.flatnonzero(dataset.labels[:_MOST_POINTS] == label)
        axes.scatter(*dataset.points[here].T, c=rates[here], s=16, linewidths=0.3, edgecolors="white",
                     marker=_MARKERS[label % len(_MARKERS)], label=f"class {label}", **_RATE)
    axes.set(title=title, xlabel="feature x0 (unitless)", ylabel="feature x1 (unitless)",
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
