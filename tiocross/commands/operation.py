"""How chips are programmed and used, as the command line says it."""

from tiocross.checks import as_count, as_number
from tiocross.lab.fab import SimulatedFab
from tiocross.lab.switching import switching_of
from tiocross.periphery.presets import find_periphery
from tiocross.transfers.operation import Operation

_FAB_PASSES = 3


def operation_of(arguments, device):
    """`Operation` that the command line sets; ValueError in the command line's words."""
    passes = None if arguments.passes is None else as_count("--passes", arguments.passes)
    after = as_number("--after", getattr(arguments, "after", 0.0), low=0.0, unit="s")
    if after > 0 and device.retention is None:
        raise ValueError(f"--after lets time pass, and {device.name} has no retention: name a card that has it, such as "
                         "--device TIO2_RETENTION, or leave --after out")
    periphery = None if arguments.periphery is None else find_periphery(arguments.periphery)
    if getattr(arguments, "pulse_by_pulse", False):
        fab = SimulatedFab(switching_of(device), passes=passes or _FAB_PASSES)
        return Operation(after=after, periphery=periphery, fab=fab)
    return Operation(passes or 1, after, periphery)


def keywords_of(operation):
    """An `Operation` as `transfer` takes it."""
    return {"passes": operation.passes, "after": operation.after, "periphery": operation.periphery, "chips": operation.fab}


def describe_operation(operation):
    """An `Operation` in words; empty where nothing was set."""
    parts = []
    if (fab := operation.fab) is not None:
        parts.append(f"programmed pulse by pulse in at most {fab.passes} passes; devices switch as the published TiO2 does")
    if operation.passes.number > 1:
        parts.append(f"programmed in {operation.passes.number} passes")
    if operation.after > 0:
        parts.append(f"used {operation.after:g} s after the last write")
    if operation.periphery is not None:
        parts.append(f"periphery: {operation.periphery.name}")
    return "; ".join(parts)


def operation_record(operation):
    """An `Operation` for a file; empty where nothing was set, as in files before."""
    found = {}
    if operation.fab is not None:
        found["pulse_by_pulse"] = repr(operation.fab)
    if operation.passes.number > 1:
        found["passes [-]"] = operation.passes.number
    if operation.after > 0:
        found["after [s]"] = operation.after
    if operation.periphery is not None:
        found["periphery"] = operation.periphery.name
    return found
