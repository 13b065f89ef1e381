"""Circuits of crossbars: what wires take from reads and writes, and how good approximations are. Lines are named at
their right ends."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter
from numpy.typing import ArrayLike

from tiocross.plot.labels import name_line_ends
from tiocross.plot.style import COLOURS, DASHES
from tiocross.units import percent, uW

_GAP = 0.062  # of the height of the axes, between names


def bit_line_losses(axes: Axes, points_by_name: dict[str, np.ndarray],
                    lines_by_name: dict[str, np.ndarray] | None = None, *, title: str = "") -> Axes:
    """What wires take from the current of each bit line.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    points_by_name : dict of str to (n_bit_lines,) ndarray
        Losses over the ideal currents, drawn as points (unitless).
    lines_by_name : dict of str to (n_bit_lines,) ndarray, optional
        Under the same names, or some of them, those of the array to compare with, drawn as lines (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``. The scale goes from 0 to 100 %, or a quarter further than the largest loss where that is less.

    Raises
    ------
    ValueError
        If there are no points, or a line has a name that no points have.

    Examples
    --------
    >>> from tiocross import plot
    >>> axes = plot.new_figure()[1][0, 0]
    >>> axes = plot.bit_line_losses(axes, {"5 ohm": [0.1, 0.2]}, {"5 ohm": [0.1, 0.15]})
    >>> axes.get_ylabel()
    'loss of bit-line current (%)'
    """
    _require_names("points_by_name", points_by_name)
    lines_by_name = lines_by_name or {}
    for name in lines_by_name:
        if name not in points_by_name:
            raise ValueError(f"the line {name!r} has no points; points_by_name holds {', '.join(map(repr, points_by_name))}")
    for k, (name, losses) in enumerate(points_by_name.items(), start=1):
        colour, line = COLOURS[k % len(COLOURS)], lines_by_name.get(name)
        axes.plot(losses, "o", color=colour, markersize=2.5, label=name if line is None else "")
        if line is not None:
            axes.plot(line, color=colour, linestyle=DASHES[(k - 1) % len(DASHES)], label=name)
    axes.set(title=title, xlabel="bit line", ylabel="loss of bit-line current (%)")
    axes.set_ylim(*_range_of_losses([*points_by_name.values(), *lines_by_name.values()]))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y / percent:.6g}"))
    axes.grid(alpha=0.25)
    return _name_lines(axes)


def _range_of_losses(losses):
    """Ends of an axis from 0 to 100 %, or a quarter further than the largest loss; beyond where a current is gained."""
    values = np.concatenate([np.ravel(values) for values in losses])
    values = values[np.isfinite(values)]
    low, high = values.min(initial=0.0), values.max(initial=0.0)
    return 1.1 * low, max(min(1.25 * high, 1.0), 1.05 * high) or 1.0


def read_errors(axes: Axes, sizes: ArrayLike, errors_by_name: dict[str, np.ndarray], *, title: str = "") -> Axes:
    """Error of a sensed current against the size of the array, for each read scheme.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    sizes : (n_sizes,) array_like
        Number of word lines and of bit lines (unitless).
    errors_by_name : dict of str to (n_arrays, n_sizes) ndarray
        Sensed current over the selected device's ideal current, less one; lines are medians of the absolute values, bands
        hold the central 80 % of the arrays (unitless).
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
    >>> axes = plot.read_errors(axes, [4, 8], {"floating": [[0.1, 0.3], [0.2, 0.4]]})
    >>> axes.lines[0].get_ydata().round(1)  # medians in percent
    array([15., 35.])
    """
    _draw_spreads(axes, sizes, {name: np.abs(errors) for name, errors in errors_by_name.items()}, scale=1 / percent)
    axes.set(title=title, ylabel="error of the sensed current (%)")
    return _name_lines(_size_axis(axes, sizes))


def read_powers(axes: Axes, sizes: ArrayLike, powers_by_name: dict[str, np.ndarray], *, title: str = "") -> Axes:
    """Power during a read against the size of the array, for each read scheme.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    sizes : (n_sizes,) array_like
        Number of word lines and of bit lines (unitless).
    powers_by_name : dict of str to (n_arrays, n_sizes) ndarray
        What the sources supply; lines are medians, bands hold the central 80 % of the arrays [W].
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
    >>> axes = plot.read_powers(axes, [4, 8], {"floating": [[1e-6, 2e-6], [3e-6, 4e-6]]})
    >>> axes.lines[0].get_ydata().round(1)  # medians in microwatt
    array([2., 3.])
    """
    _draw_spreads(axes, sizes, powers_by_name, scale=1 / uW)
    axes.set(title=title, ylabel="power of one read (µW)")
    return _name_lines(_size_axis(axes, sizes))


def approximation_errors(axes: Axes, resistances: ArrayLike, errors_by_name: dict[str, np.ndarray], *, lowest: float = 1e-5,
                         highest: float | None = None, title: str = "") -> Axes:
    """Error of approximate bit-line currents against wire resistance.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    resistances : (n_resistances,) array_like
        Of a wire segment [ohm].
    errors_by_name : dict of str to (n_arrays, n_resistances) ndarray
        Largest error of a bit line, over its exact current; lines are medians, bands hold the central 80 % (unitless).
    lowest, highest : float, optional
        Ends of the axis, to draw several alike; without ``highest`` the largest error (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``; the grey line is 1 %.

    Examples
    --------
    >>> from tiocross import plot
    >>> axes = plot.new_figure()[1][0, 0]
    >>> axes = plot.approximation_errors(axes, [1.0, 10.0], {"8 x 8": [[0.001, 0.01]]})
    >>> axes.get_xlabel()
    'resistance of a wire segment (ohm)'
    """
    _draw_spreads(axes, resistances, errors_by_name, scale=1 / percent)
    axes.axhline(1.0, color="0.6", linewidth=0.8)
    axes.set(title=title, xlabel="resistance of a wire segment (ohm)", ylabel="largest error of a bit-line current (%)",
             xlim=_ends(resistances), ylim=(lowest / percent, None if highest is None else highest / percent))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    return _name_lines(axes)


def write_voltages(axes: Axes, sizes: ArrayLike, shares_by_name: dict[str, np.ndarray], *, title: str = "") -> Axes:
    """Device voltages during a write against the size of the array.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    sizes : (n_sizes,) array_like
        Number of word lines and of bit lines (unitless).
    shares_by_name : dict of str to (n_arrays, n_sizes) ndarray
        Voltages over the write voltage; lines are medians, bands hold the central 80 % of the arrays (unitless).
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
    >>> axes = plot.write_voltages(axes, [4, 8], {"selected": [[0.98, 0.95]]})
    >>> axes.get_ylabel()
    'device voltage / write voltage (%)'
    """
    _draw_spreads(axes, sizes, shares_by_name, scale=1.0)
    axes.set_yscale("linear")
    axes.set(title=title, ylabel="device voltage / write voltage (%)", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    return _name_lines(_size_axis(axes, sizes))


def _draw_spreads(axes, x, values_by_name, *, scale):
    """Median and central 80 % of each, on logarithmic scales."""
    _require_names("the values to draw", values_by_name)
    for k, (name, values) in enumerate(values_by_name.items()):
        low, middle, high = scale * np.percentile(values, [10, 50, 90], axis=0)
        colour, dash = COLOURS[k % len(COLOURS)], DASHES[k % len(DASHES)]
        axes.fill_between(x, low, high, color=colour, alpha=0.14, linewidth=0)
        axes.plot(x, middle, color=colour, linestyle=dash, label=name, marker="o" if len(x) == 1 else "")
    axes.set(xscale="log", yscale="log")
    axes.yaxis.set_major_locator(LogLocator(numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.grid(alpha=0.25)


def _size_axis(axes, sizes):
    axes.set(xlabel="word lines and bit lines", xlim=_ends(sizes))
    powers = [int(size) for size in sizes if int(size) & (int(size) - 1) == 0]
    told = powers if len(powers) > 1 else [int(size) for size in sizes]
    axes.set_xticks(told, [f"{size:d}" for size in told])
    axes.xaxis.set_minor_locator(NullLocator())
    return axes


def _ends(x):
    """Ends of a logarithmic axis; a single value stands in its middle."""
    return (x[0], x[-1]) if x[0] != x[-1] else (x[0] / 2, x[0] * 2)


def _require_names(what, by_name):
    if not by_name:
        raise ValueError(f"{what} must have at least one name; got an empty {type(by_name).__name__}")


def _name_lines(axes):
    """Names of the labelled lines beside their right ends."""
    lines = [line for line in axes.lines if not line.get_label().startswith("_")]
    to_share = (axes.transData + axes.transAxes.inverted()).transform
    ends = [float(line.get_ydata()[-1]) for line in lines]
    if axes.get_yscale() == "log":  # zero is below any axis
        ends = [max(end, np.finfo(float).tiny) for end in ends]
    heights = np.nan_to_num([to_share((axes.get_xlim()[1], end))[1] for end in ends]).clip(0, 1)
    name_line_ends(axes, heights, [line.get_label() for line in lines], [_darken(line.get_color()) for line in lines],
                   gap=_GAP, fontsize=9)
    return axes


def _darken(colour):
    """Light colours are hard to read as text."""
    return tuple(0.72 * part for part in to_rgb(colour))
