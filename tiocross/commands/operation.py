"""How chips are programmed and used, as the command line says it."""

from tiocross.checks import as_count, as_number
from tiocross.lab.fab import SimulatedFab
from tiocross.lab.switching import switching_of
from tiocross.periphery.presets import find_periphery
from tiocross.transfers.operation import Operation

_FAB_PASSES = 3


def operation_of(arguments, device):
    """Arguments of `transfer` that the command line sets; ValueError in the command line's words."""
    passes = None if arguments.passes is None else as_count("--passes", arguments.passes)
    after = as_number("--after", getattr(arguments, "after", 0.0), low=0.0, unit="s")
    if after > 0 and device.retention is None:
        raise ValueError(f"--after lets time pass, and {device.name} has no retention: name a card that has it, such as "
                         "--device TIO2_RETENTION, or leave --after out")
    found = {"after": after}
    if arguments.periphery is not None:
        found["periphery"] = find_periphery(arguments.periphery)
    if getattr(arguments, "pulse_by_pulse", False):
        found["chips"] = SimulatedFab(switching_of(device), passes=passes or _FAB_PASSES)
    elif passes is not None:
        found["passes"] = passes
    return found


def as_operation(operation):
    """`Operation` of what `operation_of` gave."""
    return Operation(operation.get("passes", 1), operation["after"], operation.get("periphery"), operation.get("chips"))


def describe_operation(operation):
    """What `operation_of` gave, in words; empty where nothing was set."""
    parts = []
    if (fab := operation.get("chips")) is not None:
        parts.append(f"programmed pulse by pulse in at most {fab.passes} passes; devices switch as the published TiO2 does")
    if operation.get("passes", 1) > 1:
        parts.append(f"programmed in {operation['passes']} passes")
    if operation["after"] > 0:
        parts.append(f"used {operation['after']:g} s after the last write")
    if (periphery := operation.get("periphery")) is not None:
        parts.append(f"periphery: {periphery.name}")
    return "; ".join(parts)


def operation_record(operation):
    """What `operation_of` gave, for a file; empty where nothing was set, as in files before."""
    found = {}
    if (fab := operation.get("chips")) is not None:
        found["pulse_by_pulse"] = repr(fab)
    if operation.get("passes", 1) > 1:
        found["passes [-]"] = operation["passes"]
    if operation["after"] > 0:
        found["after [s]"] = operation["after"]
    if (periphery := operation.get("periphery")) is not None:
        found["periphery"] = periphery.name
    return found
