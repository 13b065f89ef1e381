"""What a classification takes, layer by layer, as stacked bars."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tiocross.plot.style import COLOURS
from tiocross.units import prefix_of

_HATCHES = (None, "///", "...", "xx", "\\\\\\", "--", "++")


def energy(axes: Axes, budget: Any, *, title: str | None = None) -> Axes:
    """Stacked bars of the energy of a classification: devices, wires, and what parts of the periphery state.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    budget : EnergyBudget
        What `tiocross.energy_of` gave.
    title : str, optional
        Title of the axes; energy, time and power of a classification without it.

    Returns
    -------
    matplotlib Axes
        ``axes``; parts that state nothing are named below.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, energy_of, plot, tasks
    >>> moons, network = tasks.load_moons(), MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> found = energy_of(network, moons.test.points[:50], device=TIO2, wire_resistance=2.0, read_time=300e-9)
    >>> axes = plot.energy(plot.new_figure()[1][0, 0], found)
    >>> axes.get_xlabel()
    'energy of a classification (pJ)'
    """
    rows = {"devices": [layer.device_energy for layer in budget.layers],
            "wires and ends": [layer.wire_energy for layer in budget.layers]}
    for part in budget.layers[0].parts:
        if part not in budget.not_stated:
            rows[part] = [layer.parts[part] for layer in budget.layers]
    size, prefix = _prefix_of(budget.energy)
    places, left = np.arange(len(budget.layers)), np.zeros(len(budget.layers))
    for (name, values), colour, hatch in zip(rows.items(), (*COLOURS[2:], *COLOURS), _HATCHES):
        width = np.array(values) / size
        axes.barh(places, width, 0.6, left=left, color=colour, edgecolor="white", hatch=hatch, label=name)
        left += width
    axes.set_yticks(places, [f"layer {k}" for k in places])
    axes.set(ylim=(len(places) - 0.5, -0.5), xlabel=f"energy of a classification ({prefix}J)")
    said = f"{_shown(budget.energy, 'J')} and {_shown(budget.latency, 's')} a classification, {_shown(budget.power, 'W')}"
    axes.set_title(said if title is None else title, fontsize=10, loc="left")
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    legend = axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.45, -0.3), ncol=4, frameon=False)
    if budget.not_stated:
        legend.set_title(f"not stated, and not here: {', '.join(budget.not_stated)}", prop={"size": 8})
    return axes


def _prefix_of(value):
    """Size and prefix with which a value has one to four digits before its point."""
    size, prefix = prefix_of(value / 3)
    return size, prefix.replace("u", "µ")


def _shown(value, unit):
    size, prefix = _prefix_of(value)
    number = value / size
    return f"{f'{number:.0f}' if number >= 100 else f'{number:.3g}'} {prefix}{unit}"
