"""What a solution takes beside what the machine would need for its numbers and operations alone."""

from functools import partial

from benchmark_cases import PROMISED, one_input
from benchmark_clock import again, interleave
from benchmark_machine import (
    FACTORING,
    SWEEP,
    floor_ns,
    floor_text,
    measure_levels,
    measure_mix,
    measure_speed,
    whole_floor_ns,
    working_bytes,
)


def measure_machine(quick):
    """One dict: bytes per second at each level of memory, operations per second."""
    return [{"levels": measure_levels(quick), "speed": measure_speed()}]


def format_machine(found):
    """Lines for people."""
    (machine,) = found
    titles = ("memory", "arrays", "read", "written", "mixed", "by two threads")
    lines = ["", "what one core reaches [GB/s]; mixed: three numbers read, one fetched and written, as in a sweep",
             "".join(f"{title:>15}" for title in titles)]
    for level in machine["levels"]:
        speeds = [f"{level[name] / 1e9:.1f}" for name in ("read", "written", "mixed", "mixed_by_two")]
        lines.append("".join(f"{cell:>15}" for cell in (level["level"], f"{level['bytes'] / 1e6:.3g} MB", *speeds)))
    speed = {name: each / 1e9 for name, each in machine["speed"].items()}
    lines += [f"operations a nanosecond on numbers at hand: {speed['apart']:.1f} additions and multiplications, "
              f"{speed['fused']:.1f} fused in pairs (tiocross does not), {speed['divisions']:.1f} divisions"]
    return "\n".join(lines)


def measure_sweeps(sizes, repetitions):
    """A dict for each size: nanoseconds a device, beside the floor."""
    speed = measure_speed()
    return [_measure_size(n, speed, repetitions) for n in sizes]


def _measure_size(n, speed, repetitions):
    problem = one_input(n)
    rtols = (1e-2, 1e-11)
    low_sweeps, high_sweeps = (int(problem.solve(rtol).n_sweeps) for rtol in rtols)
    n_sweeps = int(problem.solve(PROMISED).n_sweeps)
    samples = interleave([partial(problem.renewed, PROMISED), *(again(partial(problem.currents, rtol)) for rtol in rtols)],
                         repetitions)
    whole, low, high = (1e9 * min(sample) / n**2 for sample in samples)
    bandwidth = measure_mix(working_bytes(n))
    by_bytes, by_operations = floor_ns(SWEEP, bandwidth, speed)
    return {"n": n, "n_sweeps": n_sweeps, "whole_ns": whole, "whole_floor_ns": whole_floor_ns(n_sweeps, bandwidth, speed),
            "more_sweeps": high_sweeps - low_sweeps, "sweep_ns": (high - low) / max(1, high_sweeps - low_sweeps),
            "bandwidth": bandwidth, "by_bytes_ns": by_bytes, "by_operations_ns": by_operations,
            "factoring_ns": max(floor_ns(FACTORING, bandwidth, speed))}


def format_sweeps(rows):
    """Lines for people."""
    titles = ("array", "sweeps", "solution", "its floor", "solution/floor", "one more sweep", "by bytes", "by operations",
              "sweep/floor", "bandwidth", "five arrays")
    lines = ["", "nanoseconds a device, beside the floor", "".join(f"{title:>15}" for title in titles)]
    for row in rows:
        floor = max(row["by_bytes_ns"], row["by_operations_ns"])
        seen = row["sweep_ns"] > 0
        sweep = (f"{row['sweep_ns']:.2f} ns", f"{row['sweep_ns'] / floor:.1f}") if seen else ("in the noise", "")
        cells = (f"{row['n']}x{row['n']}", row["n_sweeps"], f"{row['whole_ns']:.1f} ns", f"{row['whole_floor_ns']:.2f} ns",
                 f"{row['whole_ns'] / row['whole_floor_ns']:.1f}", sweep[0], f"{row['by_bytes_ns']:.2f} ns",
                 f"{row['by_operations_ns']:.2f} ns", sweep[1],
                 f"{row['bandwidth'] / 1e9:.1f} GB/s", f"{working_bytes(row['n']) / 1e6:.3g} MB")
        lines.append("".join(f"{cell:>15}" for cell in cells))
    return "\n".join([*lines, _TEXT, floor_text()])


_TEXT = """solution: fresh at rtol = 1e-6; one more sweep: from times at 1e-2 and 1e-11, coarser levels included
bandwidth: mixed as above, one core, on four arrays as large together as the five of a sweep"""
