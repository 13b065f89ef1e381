"""Records and arrays drawn on matplotlib Axes: maps of arrays, circuits, measured devices, and the tables of the study.

Every function takes the Axes to draw on first and gives them back; `new_figure` makes some without the global state of
pyplot, and `house_style` draws alike whatever the user's settings. Every label states its unit. Nothing here computes
anything but a drawing.
"""

import tiocross.plot.start  # noqa: F401, before all others: it imports matplotlib
from tiocross.plot.circuits import approximation_errors, bit_line_losses, read_errors, read_powers, write_voltages
from tiocross.plot.decisions import decision_colour_bars, decision_map
from tiocross.plot.effects import effect_costs
from tiocross.plot.energy import energy
from tiocross.plot.lab import disturb_fit, output_comparison, output_deviations, retention_course, tuning_fit
from tiocross.plot.maps import conductance_map, count_map, fault_map, voltage_colour_bar, voltage_map
from tiocross.plot.study import (
    Method, accuracy_histogram, condition_curve, legend_of_kinds, limits_of, method_map, rate_curves,
)
from tiocross.plot.style import COLOURS, DASHES, house_style, new_figure

__all__ = ["COLOURS", "DASHES", "Method", "accuracy_histogram", "approximation_errors", "bit_line_losses", "condition_curve",
           "conductance_map", "count_map", "decision_colour_bars", "decision_map", "disturb_fit", "effect_costs", "energy",
           "fault_map", "house_style", "legend_of_kinds", "limits_of", "method_map", "new_figure", "output_comparison",
           "output_deviations", "rate_curves", "read_errors", "read_powers", "retention_course", "tuning_fit",
           "voltage_colour_bar", "voltage_map", "write_voltages"]
