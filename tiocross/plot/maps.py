"""Maps of an array, word lines downwards as on the chip: conductances, stuck devices, voltages, counts."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike

from tiocross.plot.style import VERMILION
from tiocross.units import uS

_VOLTAGE = {"cmap": "cividis", "vmin": 0.0, "vmax": 1.0}
_STEPS = ((5, range(1, 10)), (20, (1, 2, 3, 5)), (100, (1, 2, 5)), (float("inf"), (1,)))  # largest range, ticks of a decade
_NUMBERS = FuncFormatter(lambda value, _: f"{value:g}")


def conductance_map(axes: Axes, conductances: ArrayLike, *, title: str = "", window: tuple[float, float] | None = None,
                    difference: bool = False, stuck: ArrayLike | None = None) -> Axes:
    """Conductances of one array, word lines downwards as on the chip.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    conductances : (n_word_lines, n_bit_lines) array_like
        What to show, NaN where it is not known, which is left white [S].
    title : str, optional
        Title of the axes.
    window : tuple of float, optional
        Ends of the colour scale; without it those of the devices that are not stuck, nor among the one in twenty at most,
        or the one, that conduct five times as much as all others [S].
    difference : bool, optional
        Whether ``conductances`` are differences, shown on a diverging scale with zero in the middle.
    stuck : (n_word_lines, n_bit_lines) array_like, optional
        Devices to cross out: True, or a conductance where others have NaN (unitless or [S]).

    Returns
    -------
    matplotlib Axes
        ``axes``. Pointed ends of the colour bar say that devices lie beyond it.

    Raises
    ------
    TypeError, ValueError
        If ``conductances`` are not of two axes, or ``stuck`` is no such map of the same shape.

    Examples
    --------
    >>> from tiocross import plot
    >>> figure, axes = plot.new_figure()
    >>> axes = plot.conductance_map(axes[0, 0], [[1e-4, 2e-4], [3e-4, 5e-4]])
    >>> figure.axes[1].get_ylabel()  # of the colour bar
    'conductance (µS)'
    """
    shown = _as_map(conductances, uS)
    crossed = _as_crosses(stuck, shown.shape)
    scaled = shown[~crossed] if difference else _without_few(shown[~crossed])
    low, high = _ends(scaled, difference) if window is None else (window[0] / uS, window[1] / uS)
    image = axes.imshow(shown, cmap="PuOr" if difference else "viridis", vmin=low, vmax=high, aspect="auto",
                        interpolation="nearest")
    _cross_out(axes, crossed)
    _name_axes(axes, title)
    bar = axes.figure.colorbar(image, ax=axes, extend=_beyond(shown, low, high))
    bar.set_label("difference (µS)" if difference else "conductance (µS)")
    return axes


def fault_map(axes: Axes, conductances: ArrayLike, *, stuck: ArrayLike | None = None, title: str = "") -> Axes:
    """Conductances of a chip on a logarithmic scale, word lines downwards, devices that do not answer crossed out.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    conductances : (n_word_lines, n_bit_lines) array_like
        Conductance of every device, NaN where it is not known, which is left white [S].
    stuck : (n_word_lines, n_bit_lines) array_like, optional
        Devices to cross out: True, or a conductance where others have NaN (unitless or [S]).
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``. The colours are for the devices that are not crossed out; pointed ends of the colour bar say that others
        lie beyond it.

    Raises
    ------
    TypeError, ValueError
        If ``conductances`` are not of two axes, or ``stuck`` is no such map of the same shape.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import plot
    >>> axes = plot.new_figure()[1][0, 0]
    >>> axes = plot.fault_map(axes, [[1e-4, 9e-4]], stuck=[[np.nan, 9e-4]])
    >>> axes.lines[0].get_xdata()  # the crossed-out bit line
    array([1])
    """
    shown = _as_map(conductances, uS)
    crossed = _as_crosses(stuck, shown.shape)
    positive = np.ma.masked_less_equal(shown, 0.0)
    scaled = positive[~crossed] if positive[~crossed].count() else positive
    low, high = (float(scaled.min()), float(scaled.max())) if scaled.count() else (1.0, 10.0)
    image = axes.imshow(np.ma.maximum(shown, positive.min() if positive.count() else low), cmap="cividis",
                        norm=LogNorm(low, max(high, 1.001 * low)), aspect="auto", interpolation="nearest")
    _cross_out(axes, crossed)
    _name_axes(axes, title)
    steps = next(steps for most, steps in _STEPS if high <= most * low)
    ticks = [step * 10.0**n for n in range(-9, 7) for step in steps if low <= step * 10.0**n <= high]
    bar = axes.figure.colorbar(image, ax=axes, format=_NUMBERS, ticks=ticks or [low], extend=_beyond(positive, low, high))
    bar.minorticks_off()
    bar.set_label("conductance (µS)")
    return axes


def count_map(axes: Axes, counts: ArrayLike, *, label: str, title: str = "") -> Axes:
    """Numbers of something at each device, such as pulses, word lines downwards as on the chip.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    counts : (n_word_lines, n_bit_lines) array_like
        How many; none is left white (unitless).
    label : str
        What is counted.
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.

    Examples
    --------
    >>> from tiocross import plot
    >>> figure, axes = plot.new_figure()
    >>> axes = plot.count_map(axes[0, 0], [[3, 0, 41]], label="pulses")
    >>> figure.axes[1].get_ylabel()
    'pulses'
    """
    shown = np.ma.masked_less_equal(_as_map(counts, 1.0), 0.0)
    image = axes.imshow(shown, cmap="viridis", vmin=0.0, vmax=shown.max() if shown.count() else 1.0, aspect="auto",
                        interpolation="nearest")
    _name_axes(axes, title)
    axes.figure.colorbar(image, ax=axes, ticks=MaxNLocator(6, integer=True)).set_label(label)
    return axes


def voltage_map(axes: Axes, voltages: ArrayLike, *, ideal: ArrayLike | None = None, smooth: ArrayLike | None = None,
                step: int = 1, contours: bool = True, colour_bar: bool = True, title: str = "") -> Axes:
    """Voltages over an array, or their shares of what ideal wires would give, word lines downwards as on the chip.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    voltages : (n_word_lines, n_bit_lines) array_like
        Voltage at every crossing, or at every ``step``-th from the first; NaN where it is not known [V].
    ideal : float or (n_word_lines, n_bit_lines) array_like, optional
        What ideal wires would give: with it, shares of it are shown in percent, on a scale from 0 to 100 % [V].
    smooth : (n_word_lines, n_bit_lines) array_like, optional
        What the contours show instead of ``voltages``, such as those of an array of equal devices [V].
    step : int, optional
        Lines between neighbouring values (unitless).
    contours : bool, optional
        Whether to draw them.
    colour_bar : bool, optional
        Whether to draw one; for one that serves many maps see `voltage_colour_bar`.
    title : str, optional
        Title of the axes.

    Returns
    -------
    matplotlib Axes
        ``axes``.

    Raises
    ------
    ValueError
        If the voltages are not of two axes.

    Examples
    --------
    >>> from tiocross import plot
    >>> figure, axes = plot.new_figure()
    >>> axes = plot.voltage_map(axes[0, 0], [[0.2, 0.18], [0.19, 0.16]])
    >>> figure.axes[1].get_ylabel()
    'voltage (V)'
    """
    scale = 1.0 if ideal is None else np.asarray(ideal, dtype=np.float64)
    shown = _as_map(voltages, scale)
    n_word_lines, n_bit_lines = shown.shape
    low, high = (0.0, 1.0) if ideal is not None else _ends_from_zero(shown)
    right, bottom = (n_bit_lines - 0.5) * step, (n_word_lines - 0.5) * step
    image = axes.imshow(shown, extent=(-step / 2, right, bottom, -step / 2), interpolation="nearest", aspect="auto",
                        cmap=_VOLTAGE["cmap"], vmin=low, vmax=high)
    unit = "V" if ideal is None else "%"
    if contours:
        _draw_contours(axes, shown if smooth is None else _as_map(smooth, scale), step, (low, high), unit)
    if colour_bar:
        bar = axes.figure.colorbar(image, ax=axes, extend=_beyond(shown, low, high),
                                   format=_NUMBERS if unit == "V" else PercentFormatter(1, symbol=""))
        bar.set_label("voltage (V)" if unit == "V" else "voltage / ideal voltage (%)")
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


def _as_map(values, scale):
    """Values over a scale, masked where they are not known."""
    try:
        values = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        cure = "; give one of its arrays, such as word_line_voltages" if hasattr(values, "word_line_voltages") else ""
        raise TypeError("a map is drawn of an array of numbers, word lines by bit lines; got "
                        f"{type(values).__name__}{cure}") from None
    shown = np.ma.masked_invalid(values / scale)
    if shown.ndim != 2 or 0 in shown.shape:
        raise ValueError(f"a map has two axes, word lines and bit lines, none of them empty; got shape {shown.shape}")
    return shown


def _as_crosses(stuck, shape):
    """Which devices of an array of this shape are to be crossed out."""
    if stuck is None:
        return np.zeros(shape, dtype=bool)
    stuck = np.asarray(stuck)
    if stuck.dtype.kind not in "bf":
        raise TypeError("stuck must be bool, or conductances of stuck devices with NaN for the others; got an array of "
                        f"{stuck.dtype}")
    if stuck.shape != shape:
        raise ValueError(f"stuck must have the shape of the conductances, {shape}; got {stuck.shape}")
    return stuck if stuck.dtype.kind == "b" else ~np.isnan(stuck)


def _ends(shown, difference=False):
    """Ends of a colour scale that holds what is shown."""
    if not shown.count():
        return (-1.0, 1.0) if difference else (0.0, 1.0)
    low, high = float(shown.min()), float(shown.max())
    if difference:
        most = max(-low, high) or 1.0
        return -most, most
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _without_few(shown):
    """What sets the scale of conductances: all but the few that stand apart above, such as shorts."""
    values = np.sort(shown.compressed())
    first = len(values) - max(1, len(values) // 20)
    apart = [k for k in range(max(first, 2), len(values)) if values[k] > 5 * values[k - 1] > 0]
    return np.ma.array(values[:apart[0]] if apart else values)


def _ends_from_zero(shown):
    """Ends of a colour scale that holds what is shown, and zero."""
    values = [0.0, *shown.compressed()]
    return _ends(np.ma.array([min(values), max(values)]))


def _beyond(shown, low, high):
    """Which ends of a colour bar are to be pointed, because something lies beyond them."""
    slack = 1e-9 * (high - low)
    below, above = bool((shown < low - slack).any()), bool((shown > high + slack).any())
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]


def _cross_out(axes, crossed):
    rows, columns = np.nonzero(crossed)
    if len(rows):
        size = float(np.clip(260 / max(crossed.shape), 2.5, 6))  # of large arrays they would hide everything
        axes.plot(columns, rows, "x", color="white", markersize=size + 1, markeredgewidth=size / 2)
        axes.plot(columns, rows, "x", color=VERMILION, markersize=size, markeredgewidth=size / 4)


def _name_axes(axes, title):
    axes.set(title=title, xlabel="bit line", ylabel="word line")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.get_major_locator().set_params(integer=True)


def _draw_contours(axes, smooth, step, ends, unit):
    """Contours at round values of a map whose colours go from the first of ``ends`` to the last."""
    low, high = ends
    levels = [level for level in MaxNLocator(10).tick_values(low, high)
              if smooth.count() and smooth.min() < level < smooth.max()]
    if not levels or min(smooth.shape) < 2:
        return
    n_word_lines, n_bit_lines = smooth.shape
    colours = ["white" if level < low + 0.65 * (high - low) else "black" for level in levels]
    drawn = axes.contour(np.arange(n_bit_lines) * step, np.arange(n_word_lines) * step, smooth, levels=levels,
                         colors=colours, linewidths=0.9, linestyles="-")
    axes.clabel(drawn, fmt=(lambda level: f"{level:.4g} V") if unit == "V" else (lambda level: f"{100 * level:.0f} %"),
                fontsize=8)
