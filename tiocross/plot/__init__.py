"""Records and arrays drawn on matplotlib Axes: maps of arrays, circuits, measured devices, and the tables of the study.

Every function takes the Axes to draw on first. Nothing here computes anything but a drawing.
"""

from tiocross.plot.maps import (
    COLOURS, DASHES, accuracy_histogram, conductance_map, decision_colour_bars, decision_map, new_figure,
    output_comparison, output_deviations, rate_curves,
)
from tiocross.plot.circuits import (
    approximation_errors, bit_line_losses, read_errors, read_powers, voltage_colour_bar, voltage_map, write_voltages,
)
from tiocross.plot.lab import disturb_fit, fault_map, tuning_fit
from tiocross.plot.study import condition_curve, kind_legend, look_of, method_map, spread_apart, window_of

__all__ = ["COLOURS", "DASHES", "accuracy_histogram", "approximation_errors", "bit_line_losses", "condition_curve",
           "conductance_map", "decision_colour_bars", "decision_map", "disturb_fit", "fault_map", "kind_legend",
           "look_of", "method_map", "new_figure", "output_comparison", "output_deviations", "rate_curves",
           "read_errors", "read_powers", "spread_apart", "tuning_fit", "voltage_colour_bar", "voltage_map",
           "window_of", "write_voltages"]
