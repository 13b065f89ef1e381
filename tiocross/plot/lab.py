"""Measured beside fitted or predicted: writes, write disturb, outputs of arrays."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from tiocross.plot.labels import name_line_ends
from tiocross.plot.style import BLACK, BLUE, COLOURS, DASHES, VERMILION
from tiocross.units import percent, uS

if TYPE_CHECKING:
    from tiocross.devices.device import DisturbQuantiles, TuningError
    from tiocross.devices.retention import Retention
    from tiocross.transfers.comparing import Comparison

_MARKERS = ("o", "^", "s", "D", "v")
_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)  # of a disturb figure
_FEWEST = 20  # changes at a number of later writes, below which its quantiles are not drawn
_GAP = 0.04  # of the height of the axes, between names


def tuning_fit(axes: Axes, targets: ArrayLike, programmed: ArrayLike, tuning: "TuningError", *, title: str = "") -> Axes:
    """Relative errors of writes against their targets, with the fitted mean and the band of two standard deviations.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    targets, programmed : (n_samples,) array_like
        Conductances wanted and reached [S].
    tuning : TuningError
        The fitted law; its band holds 95 % of the errors.
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.

    Examples
    --------
    >>> from tiocross import TIO2, plot
    >>> axes = plot.new_figure()[1][0, 0]
    >>> axes = plot.tuning_fit(axes, [2e-4, 4e-4], [2.01e-4, 3.98e-4], TIO2.tuning)
    >>> axes.lines[0].get_ydata().round(2)  # measured, in percent
    array([ 0.5, -0.5])
    """
    targets, programmed = np.ravel(targets), np.ravel(programmed)
    x = np.linspace(targets.min(), targets.max(), 101)
    reach = 2 * np.hypot(tuning.offset_std, tuning.spread_slope * x + tuning.spread_intercept)
    axes.plot(targets / uS, (programmed / targets - 1) / percent, ".", color=BLACK, markersize=3, label="measured")
    axes.fill_between(x / uS, (tuning.offset_mean - reach) / percent, (tuning.offset_mean + reach) / percent, color=BLUE,
                      alpha=0.2, linewidth=0, label="fitted, 2 standard deviations")
    axes.axhline(tuning.offset_mean / percent, color=BLUE, linestyle=DASHES[1], label="fitted mean")
    axes.set(title=title, xlabel="target conductance (µS)", ylabel="relative error of the write (%)")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    return axes


def retention_course(axes: Axes, retention: "Retention", conductances: ArrayLike, *, measured: dict | None = None,
                     relative: bool = False, title: str = "") -> Axes:
    """Mean and standard deviation of the change against the time since the write: lines of a card, points of its source.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    retention : Retention
        The law; beyond the end of what was measured its lines are dashed.
    conductances : array_like
        Conductances of the devices that the figures are of [S].
    measured : dict of float to tuple, optional
        For a time [s] the mean and the standard deviation of the change, None for one that is not known [S, or unitless
        where relative].
    relative : bool, optional
        Whether changes are relative to the conductance.
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.

    Examples
    --------
    >>> from tiocross import RRAM_C, plot
    >>> axes = plot.new_figure()[1][0, 0]
    >>> axes = plot.retention_course(axes, RRAM_C.retention, [20e-6], measured={1.0: (None, 2.05e-6)})
    >>> axes.get_ylabel()
    'change of conductance (µS)'
    """
    scale, unit = (percent, "%") if relative else (uS, "µS")
    times = np.geomspace(retention.times[0], 10 * retention.until, 241)
    courses = np.array([retention.moments_over(time, conductances, relative=relative) for time in times]).T / scale
    names = ("mean", "standard deviation between devices")
    within = times <= retention.until
    for course, name, colour, marker, k in zip(courses, names, (BLUE, VERMILION), _MARKERS, (0, 1)):
        axes.plot(times[within], course[within], color=colour, label=name)
        axes.plot(times[~within], course[~within], color=colour, linestyle=DASHES[1])
        known = {time: pair[k] / scale for time, pair in (measured or {}).items() if pair[k] is not None}
        if known:
            axes.plot(list(known), list(known.values()), marker, color=colour, markersize=5, label=f"{name}, source")
    axes.axvline(retention.until, color=BLACK, linewidth=0.8, linestyle=DASHES[2])
    axes.annotate("measured until here", (retention.until, 0.02), xycoords=("data", "axes fraction"), rotation=90,
                  xytext=(3, 0), textcoords="offset points", fontsize=7, ha="left", va="bottom")
    axes.set(title=title, xscale="log", xlabel="time since the write (s)", ylabel=f"change of conductance ({unit})")
    axes.grid(alpha=0.25)
    axes.margins(y=0.2)
    axes.legend(fontsize=7, loc="upper left")
    return axes


def disturb_fit(axes: Axes, n_later_writes: ArrayLike, changes: ArrayLike, disturb: "DisturbQuantiles", *,
                title: str = "") -> Axes:
    """Quantiles of the change against the number of later writes: measured points, fitted lines.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    n_later_writes : (n_samples,) array_like
        Number of devices programmed later (unitless).
    changes : (n_samples,) array_like
        Change of conductance; a number of later writes with fewer than 20 changes has no points [S].
    disturb : DisturbQuantiles
        The fitted table.
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``; lines are named at their right ends.

    Examples
    --------
    >>> from tiocross import TIO2, plot
    >>> axes = plot.new_figure()[1][0, 0]
    >>> axes = plot.disturb_fit(axes, [1] * 20, [1e-6] * 20, TIO2.disturb)
    >>> [text.get_text() for text in axes.texts]
    ['1%', '5%', '25%', '50%', '75%', '95%', '99%']
    """
    later, changes = np.ravel(n_later_writes), np.ravel(changes)
    shown = [k for k in np.unique(later) if (later == k).sum() >= _FEWEST]
    measured = np.array([np.quantile(changes[later == k], _QUANTILES) for k in shown]).reshape(-1, len(_QUANTILES))
    colours, ends = [], []
    for n, level in enumerate(_QUANTILES):
        depth = abs(n - len(_QUANTILES) // 2)  # the same look for 5 % and 95 %
        colours.append((BLACK, BLUE, VERMILION, COLOURS[6])[depth])
        fitted = np.array([np.interp(level, disturb.probabilities, row) for row in disturb.changes]) / uS
        axes.plot(shown, measured[:, n] / uS, "osD^"[depth], color=colours[-1], markersize=3, alpha=0.6)
        axes.plot(disturb.n_later_writes, fitted, color=colours[-1], linestyle=DASHES[depth])
        ends.append(fitted[-1])
    low, high = axes.get_ylim()
    name_line_ends(axes, (np.array(ends) - low) / (high - low), [f"{level:.0%}" for level in _QUANTILES], colours, gap=_GAP,
                   fontsize=8)
    axes.set(title=title, xlabel="devices programmed later", ylabel="change of conductance (µS)", xscale="log",
             ylim=(low, high))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(alpha=0.25)
    return axes


def output_comparison(axes: Axes, comparison: "Comparison", *, title: str = "") -> Axes:
    """Measured outputs over predicted ones, beside the line on which both are equal.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    comparison : Comparison
        What `compare_outputs` gave.
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.

    Examples
    --------
    >>> from tiocross import compare_outputs, plot
    >>> comparison = compare_outputs([[0.0], [1.0], [2.0]], [[0.1], [1.0], [1.9]])
    >>> axes = plot.output_comparison(plot.new_figure()[1][0, 0], comparison)
    >>> axes.get_xlabel()
    'predicted (logit)'
    """
    both = np.concatenate([comparison.predicted, comparison.measured])
    axes.axline((both.min(), both.min()), slope=1, color="0.6", linewidth=0.8, label="measured = predicted")
    _scatter_outputs(axes, comparison, comparison.measured)
    axes.set(title=title, xlabel=_of_output("predicted", comparison), ylabel=_of_output("measured", comparison))
    axes.legend(fontsize=8)
    return axes


def output_deviations(axes: Axes, comparison: "Comparison", *, title: str = "") -> Axes:
    """Measured less predicted outputs over predicted ones, with the line of best fit of each output.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    comparison : Comparison
        What `compare_outputs` gave.
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.

    Examples
    --------
    >>> from tiocross import compare_outputs, plot
    >>> comparison = compare_outputs([[0.0], [1.0], [2.0]], [[0.1], [1.0], [1.9]])
    >>> axes = plot.output_deviations(plot.new_figure()[1][0, 0], comparison)
    >>> axes.get_ylabel()
    'measured - predicted (logit)'
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
    return f"{what} ({comparison.unit or 'logit'})"
