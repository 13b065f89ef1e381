"""What people need to know beside the numbers of a study: how to read the columns, what was assumed, what the results do not
mean. Sentences that depend on the run are made from it."""

import textwrap

from tiocross.study.tables import WIDTH

ROBUST_SHARE = ("robust p %: share of test points that are right on at least p % of the chips. Read it beside the nominal "
                "accuracy: a straight line has few weights to go wrong.")
NOMINAL = "nominal: accuracy in software. mean, 5th pct: accuracy over chips, its mean and 5th percentile."
NOT_MEANT = (
    "Chips are simulated from a device card: what the card does not describe is not in the numbers.",
    "Devices are linear at read; read noise, converters, temperature and loss of memory are left out.",
    "One task and small networks: which method leads may differ on another task, and for other devices.",
)


def describe_chips(study):
    """Sentences on points, chips and arrays."""
    task, settings, shape = study.task, study.settings, study.device.array_shape
    arrays = f"arrays of {shape[0]} x {shape[1]} devices" if shape else "one array for each layer, as large as it needs"
    wires = " and ".join(f"{wire:g}" for wire in settings.wire_resistances)
    return [f"{len(task.train)} training points and {len(task.test)} test points ({task.source}).",
            f"{settings.n_transfers} simulated chips of {study.device.name} for each network, the same for every network of "
            f"a training seed; training seeds: {len(settings.seeds)}.",
            f"Layout: {arrays}; a weight is the difference of two devices, the bias on the last word line, unless a row "
            "says otherwise.",
            f"Wires have {wires} ohm per segment; sources and sense amplifiers are ideal."]


def about_99(n_transfers):
    """On how many chips the robust share at 99 % hangs."""
    n_worst = n_transfers // 100
    if n_transfers < 1_000:
        return f"at 99 %: robust 99 % hangs on the worst {max(n_worst, 1)} of {n_transfers} chips, too few for a figure."
    return (f"at 99 %: robust 99 % hangs on the worst {n_worst} of {n_transfers} chips of a network, so its 95 % interval "
            "is shown, over seeds from the lowest to the highest end.")


def about_spread(n_seeds):
    """What +- means."""
    return ("+-: standard deviation over training seeds." if n_seeds > 1 else
            "+-: half of the 95 % interval over chips and points; one training seed says nothing about other starts.")


def fill(text, indent=""):
    """A text in lines for the terminal."""
    return textwrap.fill(text, WIDTH, subsequent_indent=indent)
