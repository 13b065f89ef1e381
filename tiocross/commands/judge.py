"""``tiocross judge``: how well a planned network works on the chip at hand."""

from pathlib import Path

import numpy as np

from tiocross.checks import as_count, as_number
from tiocross.circuit.crossbar import LARGEST_RESISTANCE
from tiocross.commands.judged_points import points_of_plan
from tiocross.commands.plan import load_planned
from tiocross.commands.progress import ProgressLine
from tiocross.lab.plan_files import PLAN, load_readback
from tiocross.learning.training import require_matching
from tiocross.storage import require_writable_file, save_json
from tiocross.transfers.planned import judge_plan, judge_readback

_N_TRANSFERS = 2_000


def prepare(arguments):
    """The judgement that the command line asks for, ready to be called."""
    made, network = load_planned(arguments.plan)
    as_count("--seed", arguments.seed, low=0)
    resistance = as_number("--wire-resistance", arguments.wire_resistance, low=0.0, high=LARGEST_RESISTANCE, unit="ohm")
    data, _ = points_of_plan(arguments.plan, arguments.data)
    require_matching(network, data)
    if arguments.out is not None:
        require_writable_file(arguments.out)
    if arguments.readback is not None:
        if arguments.unknown_faults or arguments.transfers is not None:
            raise ValueError("--unknown-faults and --transfers are for a chip that is not yet programmed; leave them out, "
                             "or leave out --readback")
        read = load_readbacks(made, Path(arguments.readback))
        return lambda: _show(judge_readback(made, network, read, data, wire_resistance=resistance), arguments.out)
    n_transfers = as_count("--transfers", _N_TRANSFERS if arguments.transfers is None else arguments.transfers)
    return lambda: _show(_simulate(made, network, data, n_transfers, arguments), arguments.out)


def load_readbacks(made, folder):
    """Conductances of the plan's arrays from the read-backs in a folder."""
    files = {array: folder / f"array_{array:02d}_readback.csv" for array in made.layout.arrays}
    if missing := [file for file in files.values() if not file.exists()]:
        known = "; it is the folder of a plan" if (folder / PLAN).exists() else ""
        raise FileNotFoundError(f"{missing[0]}: No such file; --readback needs a folder with one such file for each of the "
                                f"{len(files)} arrays, as tiocross program and save_readback write them{known}")
    return [load_readback(made, array, file) for array, file in files.items()]


def _simulate(made, network, data, n_transfers, arguments):
    progress = ProgressLine(chips=n_transfers)
    progress.start()
    try:
        return judge_plan(made, network, data, map_known=not arguments.unknown_faults, n_transfers=n_transfers,
                          wire_resistance=arguments.wire_resistance, rng=np.random.default_rng(arguments.seed),
                          on_progress=lambda done, total: progress.update("chips", done)).summary()
    finally:
        progress.close()


def _show(judgement, out):
    """Write the figures, if a file is asked for, and print them."""
    if out is not None:
        save_json(out, judgement.to_dict())
    print(judgement)
