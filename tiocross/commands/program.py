"""``tiocross program``: the arrays of a plan on simulated chips, by write-verify."""

from pathlib import Path

import numpy as np

from tiocross.circuit.readout import read_crossbar
from tiocross.commands.plan import NETWORK
from tiocross.commands.progress import ProgressLine
from tiocross.tasks import load_moons
from tiocross.checks import as_count, as_number
from tiocross.transfers.prediction import infer
from tiocross.intervals import wilson_interval
from tiocross.lab.log import EventLog, read_events
from tiocross.lab.plan_files import load_readback, save_readback
from tiocross.lab.plans import load_plan
from tiocross.lab.programming import program_array
from tiocross.lab.simulated import SimulatedCrossbar
from tiocross.learning.network import MLP
from tiocross.storage import read_json, require_new_folder, require_writable_file, save_json, save_text
from tiocross.units import percent, uS

_READ_FLOOR = 1 * uS  # readings of the simulated chips come in steps of 0.7 uS, as measured
_LARGEST_RESISTANCE = 1e15  # [ohm]; the largest that circuits take
SETTINGS = "run.json"  # what a run was started with
_FROM_PYTHON = """\
this command drives simulated chips only: add --simulate. Real instruments are driven from Python:
    plan = load_plan({plan!r})
    for array, targets, order in zip(plan.layout.arrays, plan.targets, plan.orders):
        with EventLog(f"array_{{array:02d}}_log.csv", shape=targets.shape) as log:
            report = program_array(instrument_of(array), targets, plan.scheme, order=order, on_event=log)"""


def prepare(arguments):
    """The run that the command line asks for, ready to be called."""
    if not arguments.simulate:
        raise ValueError(_FROM_PYTHON.format(plan=arguments.plan))
    plan = load_plan(arguments.plan)
    network = MLP.load(Path(arguments.plan) / NETWORK)
    plan.require_network(network)
    as_count("--seed", arguments.seed, low=0)
    as_count("--max-passes", arguments.max_passes)
    as_number("--wire-resistance", arguments.wire_resistance, low=0.0, high=_LARGEST_RESISTANCE, unit="ohm")
    folder = Path(f"{Path(arguments.plan)}_programmed" if arguments.out is None else arguments.out)
    run = _ProgrammingRun(plan, folder, arguments.seed, arguments.wire_resistance, arguments.max_passes)
    data = load_moons(arguments.data).test
    if arguments.data is not None:
        network.encode(data.points)  # refuses other points
    fits = network.sizes[0] == data.points.shape[1] and network.n_classes > data.labels.max()
    if arguments.resume and (run.folder / SETTINGS).exists():
        run.resume()
    else:
        require_new_folder(run.folder, also=f"; it has no {SETTINGS} to go on from" if arguments.resume else
                           ", or go on with --resume")
    return lambda: run.execute(network, data if fits else None)


class _ProgrammingRun:
    """The arrays of a plan, one after another, each on its own simulated chip."""

    def __init__(self, plan, folder, seed, wire_resistance, max_passes):
        self.plan, self.folder, self.seed = plan, folder, seed
        self.wire_resistance, self.max_passes = wire_resistance, max_passes
        self.settings = {"format": "tiocross run 1", "plan_sha256": plan.sha256, "seed": seed,
                         "wire_resistance [ohm]": wire_resistance, "max_passes": max_passes}
        self.knows_stuck = not all(np.isnan(stuck).all() for stuck in plan.stuck)
        self.arrays = plan.layout.arrays
        self._begun = {}  # array: its chip, and the events so far

    def resume(self):
        """Check what an interrupted run left, and bring the chip of the array under way to where it was."""
        _require_same(self.folder / SETTINGS, self.settings)
        require_writable_file(self._path(self.arrays[0], "log.csv"))
        for array in self.arrays:
            log_path = self._path(array, "log.csv")
            if self._path(array, "report.txt").exists():
                load_readback(self.plan, array, self._path(array, "readback.csv"))
            elif log_path.exists() and log_path.stat().st_size:
                chip, events = self._chip(array), read_events(log_path)
                _replay(chip, events, log_path)
                self._begun[array] = chip, events

    def execute(self, network, data):
        """Program the arrays that are not yet programmed, then print the predicted accuracy."""
        self.folder.mkdir(exist_ok=True)
        save_json(self.folder / SETTINGS, self.settings)
        n_devices = sum(int((~np.isnan(targets)).sum()) for targets in self.plan.targets)
        progress = ProgressLine(arrays=len(self.plan.targets), devices=n_devices)
        progress.start()
        try:
            for n_done, array in enumerate(self.arrays):
                progress.update("arrays", n_done)
                text = self._program(array, progress)
                progress.close()
                print(f"array {array}: {text}")
        except KeyboardInterrupt:
            progress.close()
            print(f"stopped; the logs are in {self.folder}, go on with the same command and --resume")
            raise
        finally:
            progress.close()
        print(self._predict(network, data) + f"\nlogs, read-backs and reports are in {self.folder}")

    def _path(self, array, name):
        return self.folder / f"array_{array:02d}_{name}"

    def _chip(self, array):
        """A chip with the stuck devices that the plan goes around; if it knows of none, with some by chance."""
        index = self.plan.index_of(array)
        return SimulatedCrossbar(self.plan.targets[index].shape, rng=np.random.default_rng([self.seed, index]),
                                 wire_resistance=self.wire_resistance,
                                 stuck=self.plan.stuck[index] if self.knows_stuck else None)

    def _program(self, array, progress):
        """Program one array; summary of what was done."""
        report_path, log_path = self._path(array, "report.txt"), self._path(array, "log.csv")
        if report_path.exists():
            return report_path.read_text(encoding="utf-8").rstrip("\n")
        index = self.plan.index_of(array)
        targets, done = self.plan.targets[index], []
        chip, before = self._begun.get(array) or (self._chip(array), [])

        def follow(event):
            log(event)
            if event.kind == "done":
                done.append(event)
            progress.update("devices", len(done))

        with EventLog(log_path, shape=targets.shape, append=True) as log:
            report = program_array(chip, targets, self.plan.scheme, order=self.plan.orders[index],
                                   max_passes=self.max_passes, on_event=follow, resume=before or None)
        save_readback(self.plan, array, report.conductances, self._path(array, "readback.csv"))
        save_text(report_path, report.summary() + "\n")
        return report.summary()

    def _predict(self, network, data):
        """What the arrays, as they were read back, will answer."""
        if data is None:
            return "no accuracy: the network is not one for the half moons; name a data set that fits with --data"
        read = [np.nan_to_num(load_readback(self.plan, array, self._path(array, "readback.csv")))
                for array in self.arrays]
        crossbars = [read_crossbar(readings, 1.0, noise_floor=_READ_FLOOR, wire_resistance=self.wire_resistance)
                     for readings in read]
        classes = infer(network, crossbars, data.points, device=self.plan.device, layout=self.plan.targets_of(network))
        n_right, n_total = int((classes == data.labels).sum()), len(data)
        low, high = (end / percent for end in wilson_interval(n_right, n_total))
        nominal = (network.predict(data.points) == data.labels).mean() / percent
        return (f"predicted accuracy on {n_total} test points: {n_right / n_total / percent:.2f} % [{low:.2f}, {high:.2f}]; "
                f"in software {nominal:.2f} %")


def _require_same(path, settings):
    """Raise ValueError unless a run was started with these settings."""
    found = read_json(path)
    for name, value in settings.items():
        was = found.get(name) if isinstance(found, dict) else None
        if was != value:
            raise ValueError(f"{path} is of another run: {name} was {was!r} and is {value!r} now. Go on with the plan and "
                             "the options of that run, or choose another folder with --out")


def _replay(chip, events, path):
    """Do to a new simulated chip what was done to it before the run was interrupted; it answers alike."""
    readback = None
    for event in events:
        if event.kind == "pulse":
            chip.pulse(event.row, event.column, event.amplitude, event.width)
        elif event.kind in ("read", "readback"):
            if event.kind == "read":
                value = chip.read(event.row, event.column)
            else:
                readback = chip.read_array() if (event.row, event.column) == (0, 0) else readback
                value = readback[event.row, event.column]
            if value != event.conductance:
                raise ValueError(f"{path} is of another chip: row {event.row}, column {event.column} read "
                                 f"{event.conductance:g} S and reads {value:g} S now. It was edited, or written by another "
                                 "version of tiocross; start anew in another folder")
