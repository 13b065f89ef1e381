"""``tiocross energy``: what a classification by one network takes, as a table and a figure."""

from pathlib import Path

import numpy as np

from tiocross import plot
from tiocross.checks import as_count, as_number
from tiocross.commands.destinations import require_free_folder, save_figure
from tiocross.commands.networks import file_sha256
from tiocross.commands.transfer import what_to_judge
from tiocross.periphery.presets import IDEAL_PERIPHERY
from tiocross.storage import save_json
from tiocross.transfers.energy import as_read_time, energy_of
from tiocross.transfers.judging import transfer

ENERGY_RECORD = "tiocross energy 1"
_FILES = ("energy.json", "energy.png", "energy.pdf")
_WIDTH, _HEIGHT, _PER_LAYER = 6.4, 2.0, 0.6  # [inch]


def prepare(arguments):
    """The budget that the command line asks for, ready to be solved."""
    judged = what_to_judge(arguments)
    periphery = judged[-1].periphery
    as_count("--inputs", arguments.inputs)
    if arguments.passes is not None and not arguments.pulse_by_pulse:
        raise ValueError("--passes is of the programming of --pulse-by-pulse; add that, or leave --passes out")
    if arguments.read_time is not None:
        as_read_time(as_number("--read-time", arguments.read_time, low=0.0, unit="s"), periphery or IDEAL_PERIPHERY)
    elif periphery is None or periphery.pulse_length is None:
        raise ValueError("how long inputs are driven is not known: give --read-time, in seconds, or a --periphery that "
                         "states its pulse length, such as follow-up")
    if arguments.out is not None:
        require_free_folder(Path(arguments.out), _FILES, arguments.overwrite)
    return lambda: _solve(arguments, judged)


def _solve(arguments, judged):
    network, device, points, source, layout, operation = judged
    rng = np.random.default_rng(arguments.seed)
    some = points.points[np.sort(rng.permutation(len(points))[: arguments.inputs])]
    programming = None
    if operation.fab is not None:
        programming = transfer(network, points, device=device, layout=layout, wire_resistance=arguments.wire_resistance,
                               n_transfers=arguments.transfers, rng=rng, chips=operation.fab).programming
    found = energy_of(network, some, device=device, layout=layout, wire_resistance=arguments.wire_resistance,
                      periphery=operation.periphery, read_time=arguments.read_time, programming=programming)
    if arguments.out is not None:
        folder = Path(arguments.out)
        folder.mkdir(parents=True, exist_ok=True)
        save_json(folder / _FILES[0], {
            "format": ENERGY_RECORD, "network": str(arguments.network), "network_sha256": file_sha256(arguments.network),
            "points": source, "wire_resistance [ohm]": arguments.wire_resistance, "seed": arguments.seed, **found.to_dict()})
        _draw(found, folder)
    print(f"{network!r}, {arguments.wire_resistance:g} ohm per wire segment\n{source}\n{found}")
    if arguments.out is not None:
        print(f"table and figure are in {arguments.out}: {', '.join(_FILES)}")


@plot.house_style()
def _draw(found, folder):
    figure, axes = plot.new_figure(width=_WIDTH, height=_HEIGHT + _PER_LAYER * len(found.layers))
    plot.energy(axes[0, 0], found)
    save_figure(figure, *(folder / name for name in _FILES[1:]))
