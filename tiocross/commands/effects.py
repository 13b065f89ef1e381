"""``tiocross effects``: what costs one trained network robust points, as a table and a figure."""

import sys
from pathlib import Path

import numpy as np

from tiocross import plot
from tiocross.commands.destinations import require_free_folder, save_figure
from tiocross.commands.networks import file_sha256
from tiocross.commands.operation import describe_operation, keywords_of, operation_record
from tiocross.commands.progress import ProgressLine
from tiocross.commands.studies import count_workers
from tiocross.commands.transfer import GB, what_to_judge
from tiocross.report.write import write_report
from tiocross.storage import save_json, save_text
from tiocross.study.results import command_of
from tiocross.transfers.conditions import Conditions
from tiocross.transfers.costs import effect_costs, settings_of

EFFECTS_RECORD = "tiocross effects 1"
_FILES = ("effects.json", "effects.csv", "effects.png", "effects.pdf")
_WIDTH, _HEIGHT, _PER_EFFECT = 6.4, 1.8, 0.5  # [inch]


def prepare(arguments):
    """The comparison that the command line asks for, ready to be called."""
    network, device, points, source, layout, operation = what_to_judge(arguments)
    conditions = Conditions(device, arguments.wire_resistance, operation)
    n_all = len(settings_of(conditions))
    folder = Path(arguments.out)
    require_free_folder(folder, _FILES, arguments.overwrite)
    return lambda: _compare(arguments, (network, device, points, layout, operation), source, n_all)


def _compare(arguments, judged, source, n_all):
    network, device, points, layout, operation = judged
    progress = ProgressLine(chips=arguments.transfers * n_all)
    progress.start()
    try:
        costs = effect_costs(network, points, device=device, layout=layout, wire_resistance=arguments.wire_resistance,
                             n_transfers=arguments.transfers, rng=np.random.default_rng(arguments.seed),
                             workers=count_workers(arguments.workers), memory=arguments.memory * GB,
                             **keywords_of(operation), on_progress=lambda done, total: progress.update("chips", done))
    finally:
        progress.close()
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    save_json(folder / _FILES[0], {
        "format": EFFECTS_RECORD, "command": command_of(sys.argv[1:]), "network": str(arguments.network),
        "network_sha256": file_sha256(arguments.network), "points": source, "device": device.name,
        "wire_resistance [ohm]": arguments.wire_resistance,
        "seed": arguments.seed, **operation_record(operation), **costs.to_dict()})
    save_text(folder / _FILES[1], costs.to_csv())
    _draw(costs, folder)
    page = write_report(folder)
    print(f"{network!r}, {arguments.wire_resistance:g} ohm per wire segment\n"
          + "".join(f"{line}\n" for line in (describe_operation(operation), source) if line) + f"{costs}\n"
          f"table and figure are in {folder}: {', '.join(_FILES)}; a page to read is {page}")


@plot.house_style()
def _draw(costs, folder):
    figure, axes = plot.new_figure(width=_WIDTH, height=_HEIGHT + _PER_EFFECT * len(costs.costs))
    plot.effect_costs(axes[0, 0], costs)
    save_figure(figure, *(folder / name for name in _FILES[2:]))
