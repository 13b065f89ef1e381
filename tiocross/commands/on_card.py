"""The part of ``tiocross describe`` that simulates: what training sees of a card's effects, for a network on it."""

from types import SimpleNamespace

import numpy as np

from tiocross.checks import as_count, as_number
from tiocross.circuit.crossbar import LARGEST_RESISTANCE
from tiocross.commands.judged_points import fitting_points
from tiocross.commands.networks import arrangement_of
from tiocross.commands.operation import describe_operation, operation_of
from tiocross.commands.progress import ProgressLine
from tiocross.devices.published import find_device
from tiocross.learning.network import Network
from tiocross.periphery.electronics import Periphery
from tiocross.study.recipes import Arrangement
from tiocross.tasks import Dataset
from tiocross.transfers.compensation import compensability
from tiocross.transfers.signals import needs_path

OF_A_CARD = ("task", "data", "label", "without", "points", "array_shape", "share_arrays", "wire_resistance", "after",
             "periphery", "seed")
_N_SIMULATED, _N_POINTS = 500, 250  # enough to tell an agreement of 0.9 from one of 0.5
_N_FOLLOWED = 150  # chips where signals are followed line by line, which takes some ten times as long
_MOST_DEVICES = 200_000  # of all chips of an expectation; fewer chips of large networks


def prepare_on_card(arguments, kind, text):
    """A job that prints ``text`` and what training sees of the card; ``kind`` is what was described."""
    if kind != "network":
        raise ValueError(f"--device is for a network on a card; {arguments.subject} is a {kind}")
    named = SimpleNamespace(**{**vars(arguments), "network": arguments.subject})
    network = Network.load(arguments.subject)
    device = find_device(arguments.device)
    points, source = fitting_points(named, network)
    layout = arrangement_of(arguments, Arrangement()).layout(network.shapes, device)
    resistance = as_number("--wire-resistance", arguments.wire_resistance, low=0.0, high=LARGEST_RESISTANCE, unit="ohm")
    rng = np.random.default_rng(as_count("--seed", arguments.seed, low=0))
    n_simulated = _MOST_DEVICES // sum(rows * columns for rows, columns in layout.layer_shapes)
    operation = operation_of(SimpleNamespace(**{**vars(arguments), "passes": None}), device)
    most = _N_FOLLOWED if needs_path(device, operation.periphery or Periphery()) else _N_SIMULATED
    how = {"layout": layout, "wire_resistance": resistance, "n_simulated": max(75, min(most, n_simulated)),
           "after": operation.after, "periphery": operation.periphery}

    def describe():
        progress = ProgressLine(effects=1)
        progress.start()
        try:
            found = compensability(network, _some(points, rng), device=device, rng=rng, **how)
        finally:
            progress.close()
        print("\n".join(line for line in (text, describe_operation(operation), source, str(found)) if line))

    return describe


def _some(points, rng):
    """At most so many points as an expectation needs."""
    if len(points) <= _N_POINTS:
        return points
    chosen = np.sort(rng.choice(len(points), _N_POINTS, replace=False))
    return Dataset(points.points[chosen], points.labels[chosen])
