"""How many chips fit into memory at a time. It sets the pace, never an outcome."""

from tiocross.checks import as_number

MEMORY = 1e9  # [bytes] that the work of a transfer may take
DRAWN = 40  # bytes of a device while it is drawn, programmed and read, with the weights made of it
WIRED = 16  # with wires: its place in the transfer matrix
KNOWN = 100  # where faults are known: their maps, what writes leave behind, targets of its own
TRAINED = 160  # of each draw of a chip that is trained for: targets, weights, and the way back through both


def as_memory(memory):
    """Float of ``memory`` [bytes], above zero; an error names it otherwise."""
    memory = as_number("memory", memory, low=0.0, unit="bytes")
    if memory == 0.0:
        raise ValueError("memory must be above zero; the default is 1e9, a gigabyte")
    return memory


def chips_at_once(chips, classifier, memory, workers):
    """Number of chips that each worker can have in work at a time within ``memory`` [bytes], all workers and the points
    together; ValueError if there is no room for one each."""
    n_devices, n_points = chips.targets.n_devices, classifier.n_points
    per_chip = chips.bytes_per_device * n_devices + 2 * n_points
    least = classifier.n_bytes + workers * (classifier.scratch_bytes + chips.block_bytes + per_chip)
    if least > memory:
        each = f" for each of {workers} workers" if workers > 1 else ""
        raise ValueError(f"one chip of {n_devices} devices{each} takes {least / 1e6:.3g} MB with the {n_points} points; "
                         f"memory is {memory / 1e6:.3g} MB. Give more, such as memory={1.1 * least:.1e}"
                         f"{', or fewer workers' if each else ''}")
    return int((memory - least) / workers // per_chip) + 1
