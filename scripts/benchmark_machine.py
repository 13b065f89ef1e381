"""What the machine could do: how fast numbers come and go at each level of memory, and how fast it counts."""

import platform
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import benchmark_kernel as loops
import numpy as np
from benchmark_clock import stopwatch

# What the solver does for each device: pass, arrays read, arrays written, operations, divisions. Adapt it to
# tiocross/circuit/solvers when that changes. An array written without being read is fetched first, and counts twice.
SWEEP = (
    ("word lines", "g b f_word", "w", 9, 0),
    ("bit lines", "g w b f_bit", "b", 9, 0),
)
FACTORING = (("both lines", "g", "f_word f_bit", 8, 2),)
_ARRAYS = 5  # g, b, w, f_word, f_bit
_COARSER = 8 / 7  # levels: two sweeps on a sixteenth of the devices, four on a sixteenth of those ...
_LEVELS = (("L1", 32 << 10), ("L2", 512 << 10), ("L3", 16 << 20))  # bytes of the caches, where the system does not tell
_SAMPLE, _SAMPLES, _CALLED = 1e-3, 15, 3e-6  # seconds of a sample, samples, seconds that calling a loop may take


def counted(passes):
    """Numbers read, written, and fetched before written, operations and divisions a device."""
    loads = sum(len(reads.split()) for _, reads, _, _, _ in passes)
    stores = sum(len(written.split()) for _, _, written, _, _ in passes)
    fetched = sum(len(set(written.split()) - set(reads.split())) for _, reads, written, _, _ in passes)
    return loads, stores, fetched, sum(row[3] for row in passes), sum(row[4] for row in passes)


def floor_ns(passes, bandwidth, speed):
    """Nanoseconds a device by bytes, at ``bandwidth`` [B/s], and by operations, at what `measure_speed` gives."""
    loads, stores, fetched, operations, divisions = counted(passes)
    return (8e9 * (loads + stores + fetched) / bandwidth,
            1e9 * (operations / max(speed["apart"], speed["fused"]) + divisions / speed["divisions"]))


def whole_floor_ns(n_sweeps, bandwidth, speed):
    """Nanoseconds a device of a solution: its sweeps on all levels, and factoring once."""
    return _COARSER * (n_sweeps * max(floor_ns(SWEEP, bandwidth, speed)) + max(floor_ns(FACTORING, bandwidth, speed)))


def floor_text():
    """What the floor assumes."""
    lines = [f"{name}: {loads} numbers read, {stores} written, {fetched} more fetched because they are written, "
             f"{operations} operations, {divisions} divisions"
             for name, (loads, stores, fetched, operations, divisions)
             in (("a sweep", counted(SWEEP)), ("factoring", counted(FACTORING)))]
    return "\n".join([
        "floor: the larger of bytes / bandwidth and operations / speed, one core, both as measured above, counted a device:",
        *lines, "a solution: its sweeps and factoring once, x 8/7 for the coarser levels; not counted: packing, scratch in",
        "faster cache, counting residuals, and that operations along a line wait for each other"])


def working_bytes(n):
    """Bytes of the arrays that a sweep of n x n devices goes through."""
    return 8 * _ARRAYS * n * n


# --- measured ------------------------------------------------------------------------------------------------------------


def measure_levels(quick):
    """Bytes per second of one core at each level: read, written, mixed, and mixed in two threads."""
    levels = [(name, n_bytes // (4 if name == "L3" else 2)) for name, n_bytes in read_caches()]  # L3 is shared
    levels = levels[:1] if quick else [*levels, ("DRAM", 256 << 20)]
    return [measure_level(name, n_bytes) for name, n_bytes in levels]


def measure_level(name, n_bytes):
    n = n_bytes // 32
    whole = [np.ones(n, np.int64) for _ in range(4)]
    filled = np.ones(4 * n)
    return {"level": name, "bytes": n_bytes, "read": 32 * n / best_seconds(partial(loops.read, *whole)),
            "written": 32 * n / best_seconds(partial(loops.write, filled, 0.5)), "mixed": measure_mix(n_bytes),
            "mixed_by_two": _measure_mix_by_two(n_bytes)}


def measure_mix(n_bytes):
    """Bytes per second of d = a b + c on four arrays of ``n_bytes`` together: three read, one fetched and written."""
    arrays = [np.full(max(1, n_bytes // 32), 0.1) for _ in range(4)]
    return 80 * arrays[0].size / best_seconds(partial(loops.mix, *arrays))


def _measure_mix_by_two(n_bytes):
    """The same by two threads, half of the arrays each."""
    halves = [[np.full(n_bytes // 64, 0.1) for _ in range(4)] for _ in range(2)]

    def run(n_times):
        for future in [pool.submit(loops.mix, *half, n_times) for half in halves]:
            future.result()

    with ThreadPoolExecutor(2) as pool:
        return 2 * 80 * halves[0][0].size / best_seconds(run, 1e-4)


def measure_speed():
    """Operations per second on numbers at hand: additions and multiplications apart and fused, and divisions."""
    numbers = np.full(512, 0.1)
    return {"apart": 128 * 512 / best_seconds(partial(loops.operate, numbers, 0.3)),
            "fused": 128 * 512 / best_seconds(partial(loops.operate_fused, numbers, 0.3)),
            "divisions": 4 * 512 / best_seconds(partial(loops.divide, numbers, 0.3))}


def best_seconds(loop, called=_CALLED):
    """Best seconds of a repetition of ``loop``, called with the number of repetitions."""
    loop(1)  # compiles
    n_times = 1
    while _timed(loop, n_times) < max(_SAMPLE, 100 * called):
        n_times *= 2
    return min(_timed(loop, n_times) for _ in range(_SAMPLES)) / n_times


def _timed(loop, n_times):
    stop = stopwatch()
    loop(n_times)
    return stop()


# --- what the system tells -----------------------------------------------------------------------------------------------


def read_caches():
    """Name and bytes of the first core's caches for data, as the system tells them, else usual ones."""
    found = {}
    try:
        for place in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
            level, kind, size = ((place / name).read_text().strip() for name in ("level", "type", "size"))
            if kind != "Instruction":
                found[f"L{level}"] = int(size.removesuffix("K").removesuffix("M")) << (20 if size.endswith("M") else 10)
    except (OSError, ValueError):
        found = {}
    return sorted(found.items()) or list(_LEVELS)


def read_clock():
    """Clock of the fastest core [Hz] as the system tells it, or None."""
    try:
        with open("/proc/cpuinfo") as lines:
            return max(float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")) * 1e6
    except (OSError, ValueError):
        return None


def read_vectors():
    """Name of the processor's widest vectors and how many numbers of double precision they hold."""
    from llvmlite.binding import get_host_cpu_features

    features = get_host_cpu_features()
    for feature, name, width in (("avx512f", "AVX-512", 8), ("avx2", "AVX2", 4), ("avx", "AVX", 4)):
        if features.get(feature):
            return name, width
    return platform.machine(), 2
