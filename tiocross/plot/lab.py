"""What was measured, beside what was fitted to it, to matplotlib Axes; units on every label.

In the style of `tiocross.plot`, whose colours it shares.
"""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter

from tiocross.plot.maps import COLOURS, DASHES
from tiocross.units import percent, uS

_BLACK, _BLUE, _VERMILION = COLOURS[0], COLOURS[2], COLOURS[4]
_SHOWN = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)  # quantiles of a disturb figure
_FEWEST = 20  # changes at a k below which its quantiles are not drawn
_APART = 0.04  # of the height of the axes: names nearer to each other are moved apart
_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")


def tuning_fit(axes, targets, programmed, tuning, *, title=""):
    """Relative errors of writes against their targets, with the fitted mean and the band of two standard deviations.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
    targets, programmed : (n_samples,) array_like
        Conductances wanted and reached [S].
    tuning : TuningError
        The fitted law; its band holds 95 % of the errors (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.
    """
    targets, programmed = np.ravel(targets), np.ravel(programmed)
    x = np.linspace(targets.min(), targets.max(), 101)
    reach = 2 * np.hypot(tuning.offset_std, tuning.spread_slope * x + tuning.spread_intercept)
    axes.plot(targets / uS, (programmed / targets - 1) / percent, ".", color=_BLACK, markersize=3, label="measured")
    axes.fill_between(x / uS, (tuning.offset_mean - reach) / percent, (tuning.offset_mean + reach) / percent, color=_BLUE,
                      alpha=0.2, linewidth=0, label="fitted, 2 standard deviations")
    axes.axhline(tuning.offset_mean / percent, color=_BLUE, linestyle=DASHES[1], label="fitted mean")
    axes.set(title=title, xlabel="target conductance (uS)", ylabel="relative error of the write (%)")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    return axes


def disturb_fit(axes, n_later_writes, changes, disturb, *, title=""):
    """Quantiles of the change against the number of later writes: measured points, fitted lines.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
    n_later_writes : (n_samples,) array_like
        Number of devices programmed later (unitless).
    changes : (n_samples,) array_like
        Change of conductance; a number of later writes with fewer than 20 changes has no points [S].
    disturb : DisturbQuantiles
        The fitted table (unitless).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``; lines are named at their right ends.
    """
    later, changes = np.ravel(n_later_writes), np.ravel(changes)
    counts = {k: int((later == k).sum()) for k in np.unique(later)}
    shown = [k for k, count in counts.items() if count >= _FEWEST]
    measured = np.array([np.quantile(changes[later == k], _SHOWN) for k in shown]).reshape(-1, len(_SHOWN))
    ends = []
    for n, level in enumerate(_SHOWN):
        depth = abs(n - len(_SHOWN) // 2)  # the same look for 5 % and 95 %
        colour, x = (_BLACK, _BLUE, _VERMILION, COLOURS[6])[depth], disturb.n_later_writes
        fitted = np.array([np.interp(level, disturb.probabilities, row) for row in disturb.changes]) / uS
        axes.plot(shown, measured[:, n] / uS, "osD^"[depth], color=colour, markersize=3, alpha=0.6)
        axes.plot(x, fitted, color=colour, linestyle=DASHES[depth])
        ends.append((fitted[-1], f"{level:.0%}", colour))
    low, high = axes.get_ylim()
    bottom = -np.inf
    for height, name, colour in ends:  # rising, so that each name needs to keep clear of the one before only
        bottom = max(height, bottom + _APART * (high - low))
        axes.annotate(name, (1.01, bottom), xycoords=axes.get_yaxis_transform(), va="center", fontsize=8, color=colour,
                      annotation_clip=False)
    axes.set(title=title, xlabel="devices programmed later", ylabel="change of conductance (uS)", xscale="log")
    axes.xaxis.set_major_formatter(_PLAIN)
    axes.grid(alpha=0.25)
    return axes


def fault_map(axes, conductances, *, stuck=None, title=""):
    """Conductances of a chip on a logarithmic scale, word lines downwards, devices that do not answer crossed out.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw (unitless).
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
    """
    shown = np.ma.masked_invalid(np.asarray(conductances, dtype=np.float64) / uS)
    positive = np.ma.masked_less_equal(shown, 0.0)
    low, high = (positive.min(), positive.max()) if positive.count() else (1.0, 10.0)
    image = axes.imshow(np.ma.maximum(shown, low), cmap="cividis", norm=LogNorm(low, max(high, 1.001 * low)), aspect="auto",
                        interpolation="nearest")
    if stuck is not None:
        rows, columns = np.nonzero(stuck)
        axes.plot(columns, rows, "x", color="white", markersize=7, markeredgewidth=3)
        axes.plot(columns, rows, "x", color=_VERMILION, markersize=6, markeredgewidth=1.5)
    axes.set(title=title, xlabel="bit line", ylabel="word line")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.get_major_locator().set_params(integer=True)
    steps = (1, 2, 5) if high < 100 * low else (1,)
    ticks = [step * 10.0**n for n in range(-9, 7) for step in steps if low <= step * 10.0**n <= high]
    bar = axes.figure.colorbar(image, ax=axes, format=_PLAIN, ticks=ticks)
    bar.minorticks_off()
    bar.set_label("conductance (uS)")
    return axes
