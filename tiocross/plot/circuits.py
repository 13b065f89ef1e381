"""Crossbar circuits to matplotlib Axes: IR drop, sneak currents, approximations, writes; units on every label.

In the style of `tiocross.plot`, whose colours and dashes it shares. Lines are named at their right ends.
"""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from tiocross.plot.maps import COLOURS, DASHES
from tiocross.units import percent, uW

_SHARE = {"cmap": "cividis", "vmin": 0.0, "vmax": 1.0}
_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_APART = 0.062  # of the height of the axes: names nearer to each other are moved apart


def voltage_map(axes, shares, *, smooth=None, step=1, title=""):
    """Voltage over an array, as a share of what ideal wires would give, word lines downwards as on the chip.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
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
    """
    n_word_lines, n_bit_lines = np.shape(shares)
    right, bottom = (n_bit_lines - 0.5) * step, (n_word_lines - 0.5) * step
    axes.imshow(shares, extent=(-step / 2, right, bottom, -step / 2), interpolation="nearest", aspect="auto", **_SHARE)
    smooth = shares if smooth is None else smooth
    levels = [level for level in _LEVELS if np.min(smooth) < level < np.max(smooth)]
    if levels:
        contours = axes.contour(np.arange(n_bit_lines) * step, np.arange(n_word_lines) * step, smooth, levels=levels,
                                colors=["white" if level < 0.65 else "black" for level in levels], linewidths=0.9)
        axes.clabel(contours, fmt=lambda level: f"{100 * level:.0f} %", fontsize=8)
    axes.set(title=title, xlabel="bit line", ylabel="word line")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    return axes


def voltage_colour_bar(figure, axes, label):
    """Add the colour bar of `voltage_map`, once for many maps.

    Parameters
    ----------
    figure : matplotlib Figure
        The figure (unitless).
    axes : list of matplotlib Axes
        Maps that make room for the bar (unitless).
    label : str
        Label of the bar: what is a share of what; the percent sign is added.
    """
    bar = figure.colorbar(ScalarMappable(Normalize(_SHARE["vmin"], _SHARE["vmax"]), _SHARE["cmap"]), ax=axes,
                          format=PercentFormatter(1, symbol=""))
    bar.set_label(f"{label} (%)")


def bit_line_losses(axes, points_by_name, lines_by_name, *, title=""):
    """What wires take from the current of each bit line.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
    points_by_name : dict of str to (n_bit_lines,) ndarray
        Losses over the ideal currents, drawn as points (unitless).
    lines_by_name : dict of str to (n_bit_lines,) ndarray
        The same of the array to compare with, drawn as lines (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.
    """
    for k, (name, losses) in enumerate(points_by_name.items()):
        axes.plot(losses, "o", color=COLOURS[k + 1], markersize=2.5)
        axes.plot(lines_by_name[name], color=COLOURS[k + 1], linestyle=DASHES[k], label=name)
    axes.set(title=title, xlabel="bit line", ylabel="loss of bit-line current (%)", ylim=(0, 1))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.grid(alpha=0.25)
    return _name_lines(axes)


def read_errors(axes, sizes, errors_by_name, *, title=""):
    """Error of a sensed current against the size of the array, for each read scheme.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
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
    """
    _draw_spreads(axes, sizes, {name: np.abs(errors) for name, errors in errors_by_name.items()}, scale=1 / percent)
    axes.set(title=title, ylabel="error of the sensed current (%)")
    return _name_lines(_size_axis(axes, sizes))


def read_powers(axes, sizes, powers_by_name, *, title=""):
    """Power during a read against the size of the array, for each read scheme.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
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
    """
    _draw_spreads(axes, sizes, powers_by_name, scale=1 / uW)
    axes.set(title=title, ylabel="power of one read (uW)")
    return _name_lines(_size_axis(axes, sizes))


def approximation_errors(axes, resistances, errors_by_name, *, lowest=1e-5, highest=None, title=""):
    """Error of approximate bit-line currents against wire resistance.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
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
    """
    _draw_spreads(axes, resistances, errors_by_name, scale=1 / percent)
    axes.axhline(1.0, color="0.6", linewidth=0.8)
    axes.set(title=title, xlabel="resistance of a wire segment (ohm)", ylabel="largest error of a bit-line current (%)",
             xlim=(resistances[0], resistances[-1]), ylim=(lowest / percent, None if highest is None else highest / percent))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    return _name_lines(axes)


def write_voltages(axes, sizes, shares_by_name, *, title=""):
    """Device voltages during a write against the size of the array.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
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
    """
    _draw_spreads(axes, sizes, shares_by_name, scale=1.0)
    axes.set_yscale("linear")
    axes.set(title=title, ylabel="device voltage / write voltage (%)", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    return _name_lines(_size_axis(axes, sizes))


def _draw_spreads(axes, x, values_by_name, *, scale):
    """Median and central 80 % of each, on logarithmic scales."""
    for k, (name, values) in enumerate(values_by_name.items()):
        low, middle, high = scale * np.percentile(values, [10, 50, 90], axis=0)
        axes.fill_between(x, low, high, color=COLOURS[k], alpha=0.14, linewidth=0)
        axes.plot(x, middle, color=COLOURS[k], linestyle=DASHES[k], label=name)
    axes.set(xscale="log", yscale="log")
    axes.yaxis.set_major_locator(LogLocator(numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.grid(alpha=0.25)


def _size_axis(axes, sizes):
    axes.set(xlabel="word lines and bit lines", xlim=(sizes[0], sizes[-1]))
    powers = [size for size in sizes if size & (size - 1) == 0]
    axes.set_xticks(powers, [f"{size:d}" for size in powers])
    axes.xaxis.set_minor_locator(NullLocator())
    return axes


def _name_lines(axes):
    """Names of the labelled lines beside their right ends, moved apart where they would touch."""
    lines = [line for line in axes.lines if not line.get_label().startswith("_")]
    to_share = (axes.transData + axes.transAxes.inverted()).transform
    ends = np.array([to_share((axes.get_xlim()[1], line.get_ydata()[-1]))[1] for line in lines]).clip(0, 1)
    heights = _move_apart(ends)
    for line, height in zip(lines, heights):
        axes.annotate(line.get_label(), (1.02, height), xycoords="axes fraction", va="center", fontsize=9,
                      color=_darken(line.get_color()), annotation_clip=False)
    return axes


def _move_apart(ends):
    """The heights nearest to ``ends`` that keep the order and a distance (projection by pooling neighbours)."""
    order = np.argsort(ends, kind="stable")
    pools = []
    for k, end in enumerate(np.asarray(ends)[order] - _APART * np.arange(len(ends))):
        pools.append([end])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    heights = np.empty(len(ends))
    heights[order] = np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools]) + _APART * np.arange(len(ends))
    return heights


def _darken(colour):
    """Light colours are hard to read as text."""
    return tuple(0.72 * part for part in to_rgb(colour))
