"""From arrays of unknown devices to a working network: a script to start from, here on simulated arrays.

Characterise the arrays, calibrate a device to what was measured, train for that device, plan around what is stuck,
program, read back, predict what the arrays will answer, measure it, compare. Replace `open_arrays` by your instruments:
anything with shape, read and pulse will do for all but the last step, which also needs multiply(voltages).

    python scripts/chip_on_the_table.py [--out DIR] [--seed N] [--wire-resistance OHM] [--quick]
"""

import argparse
import sys
import time

import numpy as np
from options import make_folder, whole

from tiocross import (
    MLP, ConductanceDropout, EventLog, NoiseInjection, PulseScheme, RangePenalty, SimulatedCrossbar, Sinh, TrainingSettings,
    arrange, calibrate, characterise, compare_outputs, measure_logits, plan, plot, predict_logits, program_array,
    read_crossbar, save_device, save_readback, tasks, train, transfer,
)
from tiocross.storage import replacing
from tiocross.units import V, ohm, percent, uS

SHAPE, N_ARRAYS, N_NEEDED = (8, 8), 6, 4  # the network needs four, two are spares
SIZES = (2, 8, 1)
LAYOUT = arrange(SIZES, SHAPE)
N_STEPS, N_TRANSFERS = 2_000, 2_000  # of training; simulated chips of what is expected
WINDOW = (100 * uS, 500 * uS)
READ_VOLTAGE = 0.2 * V
READ_STEP = 0.7 * uS  # of the converter
NONLINEARITY = 0.368 * V
N_POINTS = 500  # test points that are measured


@plot.house_style()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/chip_on_the_table", metavar="DIR",
                        help="where it goes (default: %(default)s)")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="of arrays and training (default: %(default)s)")
    parser.add_argument("--wire-resistance", type=float, default=2.0, metavar="OHM",
                        help="of one wire segment of the arrays, ohm (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="no spare arrays, a fifth of the training, for a first look")
    arguments = parser.parse_args()
    if not 0 <= arguments.wire_resistance < np.inf:
        parser.error(f"--wire-resistance must be finite and at least 0 ohm; got {arguments.wire_resistance:g}")
    folder = make_folder(parser, arguments.out, empty=True)
    run(folder, arguments.seed, arguments.wire_resistance * ohm, arguments.quick)


def run(folder, seed, wire_resistance, quick):
    start = time.monotonic()
    arrays, moons, scheme = open_arrays(seed, wire_resistance), tasks.load_moons(), PulseScheme()
    n_steps, n_transfers = N_STEPS, N_TRANSFERS
    if quick:
        arrays, n_steps, n_transfers = arrays[:N_NEEDED], n_steps // 5, n_transfers // 5
    measured = [measure_devices(array, number, scheme, seed) for number, array in enumerate(arrays)]
    say(start, "characterised", describe_measured(measured))
    calibration = fit_device(measured, folder)
    say(start, "calibrated", str(calibration))
    network = train_for(calibration.device, moons, seed, n_steps)
    expected = transfer(network, moons.test, device=calibration.device, layout=LAYOUT, wire_resistance=wire_resistance,
                        n_transfers=n_transfers, rng=np.random.default_rng([seed, 2]))
    say(start, "trained", f"on {expected.n_devices} such devices, one pass of programming, stuck devices unknown\n"
                          f"{expected.summary()}")
    stuck = [one.stuck for one in measured]
    programming = plan(network, calibration.device, layout=LAYOUT, scheme=scheme, stuck=stuck, points=moons.train.points)
    programming.save(folder / "plan")
    network.save(folder / "plan" / "network.npz")
    say(start, "planned", describe_plan(programming, stuck))
    numbers = programming.layout.arrays
    reports = [program(arrays[number], programming, number, folder) for number in numbers]
    say(start, "programmed", "\n".join(f"array {n}: {report.summary()}" for n, report in zip(numbers, reports)))
    comparison, verdict = judge(network, programming, reports, used(arrays, programming), moons, expected, wire_resistance)
    say(start, "measured", f"{comparison}\n{verdict}")
    save_figure(draw(programming, reports, measured, comparison, calibration, expected), folder / "chip_on_the_table")
    with replacing(folder / "verdict.txt") as temporary:
        temporary.write_text(f"{comparison}\n{verdict}\n", encoding="utf-8")
    print(f"device, plan, logs, read-backs and figures: {folder} ({time.monotonic() - start:.1f} s)")


def open_arrays(seed, wire_resistance):
    """The arrays on the table. Yours go here."""
    return [SimulatedCrossbar(SHAPE, rng=np.random.default_rng([seed, 0, number]), wire_resistance=wire_resistance)
            for number in range(N_ARRAYS)]


def measure_devices(array, number, scheme, seed):
    """Targets spread over the window, programmed one by one, all earlier devices read after each."""
    targets = np.random.default_rng([seed, 1, number]).uniform(*WINDOW, SHAPE)
    return characterise(array, targets, scheme)


def describe_measured(measured):
    outcomes, counts = np.unique(np.concatenate([one.report.outcomes.ravel() for one in measured]), return_counts=True)
    return (f"{len(measured)} arrays of {SHAPE[0]} x {SHAPE[1]}: " + ", ".join(f"{n} {o}" for n, o in zip(counts, outcomes))
            + f"; {sum(len(one.changes) for one in measured)} changes after later writes")


def fit_device(measured, folder):
    """The device that these arrays are made of."""
    def joined(name):
        return np.concatenate([getattr(one, name) for one in measured])

    tuning = joined("targets"), joined("programmed")
    disturb = joined("n_later_writes"), joined("changes")
    calibration = calibrate(g_min=WINDOW[0], g_max=WINDOW[1], name="the arrays on the table",
                            source=f"{len(measured)} arrays", tuning=tuning, disturb=disturb,
                            maps=[one.stuck for one in measured])
    save_device(calibration.device, folder / "device.json")
    figure, axes = plot.new_figure(1, 2, width=11, height=4.4)
    plot.tuning_fit(axes[0, 0], *tuning, calibration.device.tuning, title="tuning")
    plot.disturb_fit(axes[0, 1], *disturb, calibration.device.disturb, title="write disturb")
    save_figure(figure, folder / "calibration")
    return calibration


def train_for(device, moons, seed, n_steps):
    rng = np.random.default_rng([seed, 3])
    start = MLP(*SIZES, rng=rng, activation="tanh")
    start.centre_inputs(moons.train)
    techniques = [NoiseInjection(), ConductanceDropout(), RangePenalty(1e-4)]
    return train(start, moons.train, techniques, device=device, layout=LAYOUT, rng=rng,
                 settings=TrainingSettings(n_steps=n_steps, weight_decay=1e-4))


def used(arrays, programming):
    return [arrays[number] for number in programming.layout.arrays]


def describe_plan(programming, stuck):
    layout = programming.layout
    hit = sum(int((used & ~np.isnan(stuck[number])).sum()) for number, used in zip(layout.arrays, layout.used))
    return (f"arrays {', '.join(map(str, layout.arrays))} of {len(stuck)}; stuck devices: "
            + ", ".join(str(int((~np.isnan(one)).sum())) for one in stuck) + f"; in use in spite of that: {hit}")


def program(array, programming, number, folder):
    index = programming.index_of(number)
    targets, order = programming.targets[index], programming.orders[index]
    with EventLog(folder / f"array_{number:02d}_log.csv", shape=array.shape) as log:
        report = program_array(array, targets, programming.scheme, order=order, max_passes=5, on_event=log)
    save_readback(programming, number, report.conductances, folder / f"array_{number:02d}_readback.csv")
    report.save(folder / f"array_{number:02d}_report.json")
    return report


def judge(network, programming, reports, arrays, moons, expected, wire_resistance):
    """Logits predicted from the read-backs, logits measured on the arrays, and what accuracy both mean."""
    points, labels = moons.test.points[:N_POINTS], moons.test.labels[:N_POINTS]
    crossbars = [read_crossbar(report.conductances * READ_VOLTAGE, READ_VOLTAGE, noise_floor=READ_STEP,
                                 wire_resistance=wire_resistance, iv=Sinh(NONLINEARITY)) for report in reports]
    options = {"device": programming.device, "layout": programming.layout}
    predicted = predict_logits(network, crossbars, points, **options)
    comparison = compare_outputs(predicted, measure_logits(network, arrays, points, **options))
    right = {name: ((logits[:, 0] > 0) == labels).mean() for name, logits in
             (("in software", network.logits(points)), ("predicted from the read-back", predicted),
              ("measured on the arrays", comparison.measured))}
    low, high = np.quantile(expected.accuracies, [0.05, 0.95])
    lines = [f"accuracy on {N_POINTS} points",
             f"  {'expected before programming':<30} {expected.accuracies.mean() / percent:.1f} % (90 % of simulated chips "
             f"within {low / percent:.1f} to {high / percent:.1f} %)"]
    lines += [f"  {name:<30} {share / percent:.1f} %" for name, share in right.items()]
    return comparison, "\n".join(lines)


def draw(programming, reports, measured, comparison, calibration, expected):
    figure, axes = plot.new_figure(2, 3, width=14, height=8)
    first = programming.layout.arrays[0]
    plot.fault_map(axes[0, 0], measured[first].report.conductances, stuck=~np.isnan(measured[first].stuck),
                       title=f"array {first} when characterised; crossed: stuck")
    plot.conductance_map(axes[0, 1], programming.targets[0], window=WINDOW,
                         title=f"array {first}, targets (white: not programmed)")
    errors = np.where(reports[0].mask, reports[0].conductances - reports[0].targets, np.nan)
    plot.conductance_map(axes[0, 2], errors, title=f"array {first}, read back - target", window=(-40 * uS, 40 * uS),
                         difference=True)
    plot.accuracy_histogram(axes[1, 0], expected.accuracies, title=f"expected of {calibration.device.name}")
    plot.output_comparison(axes[1, 1], comparison, title="outputs")
    plot.output_deviations(axes[1, 2], comparison, title="deviation from the prediction")
    return figure


def save_figure(figure, path):
    for kind in ("png", "pdf"):
        with replacing(path.with_suffix(f".{kind}")) as temporary:
            figure.savefig(temporary, dpi=120)


def say(start, title, text):
    print(f"== {title} ({time.monotonic() - start:.1f} s)\n{text}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
