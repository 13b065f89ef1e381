"""How long training takes: a step of the recommended recipe, beside the same step with the network's pass in plain NumPy."""

import statistics
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from benchmark_clock import again, interleave

from tiocross import ROBUST, TIO2_8X8, tasks, train_robust
from tiocross.transfers.adaptation import retrain_around
from tiocross.study.starts import start_network
from tiocross.learning import passes
from tiocross.learning.layers import run_copies
from tiocross.learning.techniques import split_layers
from tiocross.learning.tensor import Tensor
from tiocross.learning.training import train_many

_GOALS = {"one robust 2-8-1 network": "3 s on one core", "retrained for one chip": "< 3 s"}


def measure_training(quick, repetitions):
    """Seconds of a step, compiled and plain, and of whole trainings.

    Parameters
    ----------
    quick : bool
        Few points and steps: shows that all works (unitless).
    repetitions : int
        Samples of a step (unitless).

    Returns
    -------
    dict
        ``steps``: for each number of networks best and median seconds a step and the ratio to plain NumPy; ``whole``:
        seconds of one training from start to end, with the goal.
    """
    counts = {"n_train": 100, "n_validation": 10, "n_test": 10} if quick else {}
    points = tasks.generate_moons(rng=np.random.default_rng(1), **counts).train
    n_steps = 4 if quick else 40
    steps = [time_step(points, n_networks, n_steps, repetitions) for n_networks in ((1, 2) if quick else (1, 3, 30))]
    settings = replace(ROBUST.training, n_steps=10 if quick else ROBUST.training.n_steps)
    trained, *first = clock(train_robust, points, TIO2_8X8, rng=np.random.default_rng(2), settings=settings)
    stuck = [np.full((len(array), 2 * array.shape[1]), np.nan) for array in trained.arrays]
    stuck[0][1, 3] = TIO2_8X8.g_max
    _, *second = clock(retrain_around, trained, points, TIO2_8X8, stuck, rng=np.random.default_rng(3))
    whole = [{"case": name, "seconds": wall, "cpu_seconds": processor, "goal": _GOALS[name]}
             for name, (wall, processor) in zip(_GOALS, (first, second))]
    return {"steps": steps, "whole": whole}


def time_step(points, n_networks, n_steps, repetitions):
    """One line: networks trained together, past the step where the recipe's own loss takes over."""
    settings = replace(ROBUST.training, n_steps=n_steps, loss_from=0.0, scale_gradient_from=0.0)
    layout = ROBUST.layout(ROBUST.sizes_for(points), TIO2_8X8)

    def train():
        rngs = [np.random.default_rng(k) for k in range(n_networks)]
        networks = [start_network(ROBUST, points, rng, activation="tanh") for rng in rngs]
        return train_many(networks, points, ROBUST.techniques, device=TIO2_8X8, layout=layout, rngs=rngs, settings=settings)

    def train_plainly():
        with plain_passes():
            return train()

    differs_by = max(float(np.abs(one - other).max()) for one, other in zip(train()[0].arrays, train_plainly()[0].arrays))
    own, plain = interleave([again(train), again(train_plainly)], repetitions)
    return {"n_networks": n_networks, "best_s": min(own) / n_steps, "median_s": statistics.median(own) / n_steps,
            "plain_best_s": min(plain) / n_steps, "ratio": min(plain) / min(own), "differs_by": differs_by}


@contextmanager
def plain_passes():
    """Training with passes in plain NumPy, forwards and backwards, in place of the compiled ones; tanh networks only."""

    def run_plainly(weights, sizes, inputs, activation):
        arrays = split_layers(weights.value, [(n_in + 1, n_out) for n_in, n_out in zip(sizes, sizes[1:])])
        signals = [np.swapaxes(inputs, -1, -2)[:, None]]
        for depth, array in enumerate(arrays):
            sums = signals[-1] @ array[..., :-1, :] + array[..., -1:, :]
            signals.append(sums if depth == len(arrays) - 1 else np.tanh(sums))

        def pull(back):
            parts = []
            for array, below in zip(arrays[::-1], signals[-2::-1]):
                gradient = np.concatenate([np.swapaxes(below, -1, -2) @ back, back.sum(axis=-2, keepdims=True)], axis=-2)
                parts.append(gradient.reshape(*gradient.shape[:-2], -1, 1))
                back = (back @ np.swapaxes(array[..., :-1, :], -1, -2)) * (1 - below * below)
            return (np.concatenate(parts[::-1], axis=-2),)

        return Tensor(signals[-1], (weights,), pull)

    passes.run_copies = run_plainly
    try:
        yield
    finally:
        passes.run_copies = run_copies


def clock(function, *arguments, **options):
    """What a call gives, and its seconds: by the wall, and of processor."""
    start = time.perf_counter(), time.process_time()
    result = function(*arguments, **options)
    return result, time.perf_counter() - start[0], time.process_time() - start[1]


def format_training(found):
    """Lines for people."""
    lines = ["", "training 2-8-1: a step on 16 chips and 256 points, networks trained together",
             f"{'networks':>10}{'best':>12}{'median':>12}{'a network':>12}{'plain NumPy':>14}{'ratio':>16}"]
    for row in found["steps"]:
        times = [row["best_s"], row["median_s"], row["best_s"] / row["n_networks"], row["plain_best_s"]]
        lines.append(f"{row['n_networks']:>10}" + "".join(f"{1e3 * seconds:>{width - 3}.2f} ms"
                                                          for seconds, width in zip(times, (12, 12, 12, 14)))
                     + f"{row['ratio']:>7.1f} x faster")
    return "\n".join([*lines,
                      *(f"{row['case']}: {row['seconds']:.1f} s, {row['cpu_seconds']:.1f} s of processor (goal {row['goal']})"
                        for row in found["whole"])])
