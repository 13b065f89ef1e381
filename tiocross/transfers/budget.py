"""How many chips fit into memory at a time. It sets the pace, never an outcome."""

from tiocross.checks import as_number

MEMORY = 1e9  # [bytes] that the work of a transfer may take
_BYTES_PER_DEVICE = 64  # of a chip while it is drawn, programmed and read: draws, coefficients, conductances, weights


def as_memory(memory):
    """Float of ``memory`` [bytes], above zero; an error names it otherwise."""
    memory = as_number("memory", memory, low=0.0, unit="bytes")
    if memory == 0.0:
        raise ValueError("memory must be above zero; the default is 1e9, a gigabyte")
    return memory


def chips_at_once(chips, n_points, memory):
    """Number of chips that can be in work at a time within ``memory`` [bytes]; ValueError if there is no room for one."""
    per_chip = _BYTES_PER_DEVICE * chips.targets.n_devices + n_points
    if per_chip > memory:
        raise ValueError(f"one chip of {chips.targets.n_devices} devices on {n_points} points takes {per_chip / 1e6:.3g} MB; "
                         f"the memory for it is {memory / 1e6:.3g} MB. Give more: memory=2e9, or fewer workers")
    return int(memory // per_chip)
