"""``tiocross program``: the arrays of a plan on simulated chips, by write-verify."""

import contextlib
import hashlib
import re
from pathlib import Path

import numpy as np

from tiocross import __version__
from tiocross.checks import as_count, as_number
from tiocross.circuit.crossbar import LARGEST_RESISTANCE
from tiocross.circuit.readout import read_crossbar
from tiocross.commands.judged_points import name_of_points, points_of_plan
from tiocross.commands.plan import load_planned
from tiocross.commands.progress import ProgressLine
from tiocross.devices import files
from tiocross.devices.tio2 import TIO2
from tiocross.intervals import wilson_interval
from tiocross.lab.log import EventLog, read_events, without_torn_reading
from tiocross.lab.passes import Run
from tiocross.lab.plan_files import load_readback, save_readback
from tiocross.lab.programming import program_array
from tiocross.lab.report import ProgramReport
from tiocross.lab.simulated import SimulatedCrossbar
from tiocross.lab.switching import TIO2_SWITCHING, require_switching, switching_of
from tiocross.lab.write_verify import PulseScheme
from tiocross.report.write import write_report
from tiocross.storage import (
    TEMPORARY, locked_folder, read_json, require_folder, require_unlocked, require_writable_file, save_json, save_text,
)
from tiocross.transfers.prediction import infer
from tiocross.units import percent, uS

_READ_FLOOR = 1 * uS / TIO2.g_max  # of the window's upper end: TiO2's readings come in steps of 0.7 uS, as measured
SETTINGS = "run.json"  # what a run was started with
RESULT = "programming.json"  # what came of it, once all arrays are done
LOCK = ".lock"
_OF_LOG = {"targets": "targets [S]", "outcomes": "outcomes", "pulses": "n_pulses [-]", "readings": "readings [S]"}
_LOG_DIGEST = "log_sha256"  # in the report of an array, so that an edited log is found
_RESULT_FILE = re.compile(r"array_[0-9]{2,}_(log\.csv|readback\.csv|report\.(json|txt))|programming\.json|report\.html")
_OWN = re.compile(rf"{_RESULT_FILE.pattern}|run\.json|\.lock|{TEMPORARY.pattern}")
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
    if arguments.resume and arguments.overwrite:
        raise ValueError("--resume goes on with an earlier run and --overwrite replaces it; give one of them")
    plan, network = load_planned(arguments.plan)
    as_count("--seed", arguments.seed, low=0)
    as_count("--max-passes", arguments.max_passes)
    as_number("--wire-resistance", arguments.wire_resistance, low=0.0, high=LARGEST_RESISTANCE, unit="ohm")
    folder = Path(f"{Path(arguments.plan)}_programmed" if arguments.out is None else arguments.out)
    run = _ProgrammingRun(plan, folder, arguments)
    require_switching(run.model, plan.scheme)
    data, _ = points_of_plan(arguments.plan, arguments.data)
    if arguments.data is not None:
        network.encode(data.points)  # refuses other points
    fits = network.sizes[0] == data.points.shape[1] and network.n_classes > data.labels.max()
    with contextlib.ExitStack() as stack:
        if arguments.resume and (folder / SETTINGS).exists():
            require_writable_file(folder / SETTINGS)
            stack.enter_context(locked_folder(folder))
            run.resume()
        else:
            require_unlocked(folder)
            _find_earlier(folder, arguments)
            require_folder(folder)
            stack.enter_context(locked_folder(folder))
            run.earlier = _find_earlier(folder, arguments)
        held = stack.pop_all()
    return lambda: run.execute(network, data if fits else None, held)


def _find_earlier(folder, arguments):
    """Files of an earlier run in the folder; ValueError if it holds others, or results that are not to be replaced."""
    if not str(folder) or folder.exists() and not folder.is_dir():
        raise ValueError(f"cannot write to the output folder {str(folder)!r}: it is a file; choose another with --out")
    found = sorted(folder.iterdir()) if folder.exists() else []
    foreign = [path.name for path in found if path.is_dir() or not _OWN.fullmatch(path.name)]
    if foreign:
        why = f"; it has no {SETTINGS} to go on from" if arguments.resume else ""
        raise ValueError(f"the output folder {str(folder)!r} holds files that tiocross program did not write, such as "
                         f"{foreign[0]!r}; choose another with --out{why}")
    results = [path.name for path in found if _RESULT_FILE.fullmatch(path.name)]
    if results and not arguments.overwrite:
        more = "" if (folder / RESULT).exists() or not (folder / SETTINGS).exists() else ", or go on with --resume"
        why = f"; it has no {SETTINGS} to go on from" if arguments.resume else ""
        raise ValueError(f"the output folder {str(folder)!r} holds results of an earlier run, such as {results[0]!r}; "
                         f"choose another with --out, or replace them with --overwrite{more}{why}")
    return [path for path in found if path.name != LOCK]


class _ProgrammingRun:
    """The arrays of a plan, one after another, each on its own simulated chip."""

    def __init__(self, plan, folder, arguments):
        self.plan, self.folder, self.arguments = plan, folder, arguments
        self.wire_resistance = arguments.wire_resistance
        self.settings = {"format": "tiocross run 2", "plan_sha256": plan.sha256, "seed": arguments.seed,
                         "wire_resistance [ohm]": arguments.wire_resistance, "max_passes": arguments.max_passes}
        self.knows_stuck = not all(np.isnan(stuck).all() for stuck in plan.stuck)
        self.arrays = plan.layout.arrays
        self.model = switching_of(plan.device)
        self.earlier = []  # files of an earlier run, to be replaced
        self._begun = {}  # array: its chip, and the events so far
        self._reports = {}  # array: its report, once it is done
        self._tuned = set()  # (array, row, column) of the devices that were tuned at least once

    def resume(self):
        """Check what an interrupted run left, and bring the chip of the array under way to where it was."""
        _require_same(self.folder / SETTINGS, self.settings)
        for array in self.arrays:
            log_path = self._path(array, "log.csv")
            if self._path(array, "report.txt").exists():
                self._reports[array] = self._finished(array)
            elif log_path.exists() and log_path.stat().st_size:
                targets, chip = self.plan.targets[self.plan.index_of(array)], self._chip(array)
                events = without_torn_reading(read_events(log_path), targets.size)
                try:
                    Run(targets, ~np.isnan(targets), self.plan.scheme, self.arguments.go_on).replay(events)
                    _replay(chip, events)
                except ValueError as error:
                    raise ValueError(f"{log_path}: {error}") from None
                self._begun[array] = chip, events

    def _finished(self, array):
        """`ProgramReport` of an array that is done; ValueError unless its log, read-back and report tell the same."""
        readback = load_readback(self.plan, array, self._path(array, "readback.csv"))
        report_path, log_path = self._path(array, "report.json"), self._path(array, "log.csv")
        report, targets, events = ProgramReport.load(report_path), self.plan.targets[self.plan.index_of(array)], []
        told = Run(targets, ~np.isnan(targets), self.plan.scheme, go_on=True)  # whether or not it was told to
        try:
            events = read_events(log_path)
            told.replay(events)
        except ValueError as error:
            raise ValueError(f"{error}" if str(log_path) in str(error) else f"{log_path}: {error}") from None
        logged, reported = told.report().to_dict(), report.to_dict()
        found = [name for name, key in _OF_LOG.items() if logged[key] != reported[key]]
        apart = f"the {found[0]} of {report_path.name}" if found else ""
        if _without_nan(readback) != _without_nan(report.conductances):
            apart = apart or f"the conductances of {self._path(array, 'readback.csv').name}"
        if read_json(report_path).get(_LOG_DIGEST, digest := _digest(events)) != digest:
            apart = apart or f"what was logged when {report_path.name} was written"
        if apart:
            raise ValueError(f"{log_path}: does not agree with {apart}; one of them was edited. Put back the files of the "
                             "run, or start anew in another folder")
        return report

    def execute(self, network, data, held):
        """Program the arrays that are not yet programmed, then print the predicted accuracy; ``held`` is the lock."""
        with held:
            for path in self.earlier:
                path.unlink(missing_ok=True)
            save_json(self.folder / SETTINGS, self.settings)
            print("\n".join([*self._about(), *self.plan.notes]))
            n_devices = sum(int((~np.isnan(targets)).sum()) for targets in self.plan.targets)
            progress = ProgressLine(devices=n_devices, arrays=len(self.plan.targets))
            progress.start()
            try:
                for n_done, array in enumerate(self.arrays):
                    progress.update("arrays", n_done)
                    self._program(array, progress)
                    progress.close()
                    print(f"array {array}: {self._reports[array].summary()}")
            except (KeyboardInterrupt, RuntimeError) as error:
                progress.close()
                _say_report(error)
                print(f"stopped; the logs are in {self.folder}, go on with the same command and --resume")
                raise
            finally:
                progress.close()
            prediction, text = self._predict(network, data)
            save_json(self.folder / RESULT, self._result(prediction, "" if prediction else text))
            page = write_report(self.folder)
            print(f"{text}\nlogs, read-backs and reports are in {self.folder}; a page to read is {page}")

    def _path(self, array, name):
        return self.folder / f"array_{array:02d}_{name}"

    def _about(self):
        """Whose chips and whose scheme: sentences."""
        device = self.plan.device
        if self.model == TIO2_SWITCHING:
            chips = f"simulated chips: they switch as {TIO2.name} does"
        else:
            chips = (f"simulated chips: NOT {device.name}. Window and faults are that device's; voltages, speed, write "
                     f"disturb and noise are those of {TIO2.name}")
        scheme = self.plan.scheme
        whose = f"the default one, of a measured array of {TIO2.name}" if scheme == PulseScheme() else "the plan's own"
        return [chips, f"pulse scheme: {whose}, SET to {scheme.set_limit:g} V, RESET to {scheme.reset_limit:g} V"]

    def _chip(self, array):
        """A chip with the stuck devices that the plan goes around; if it knows of none, with some by chance."""
        index = self.plan.index_of(array)
        return SimulatedCrossbar(self.plan.targets[index].shape, self.model,
                                 rng=np.random.default_rng([self.settings["seed"], index]),
                                 wire_resistance=self.wire_resistance,
                                 stuck=self.plan.stuck[index] if self.knows_stuck else None)

    def _program(self, array, progress):
        """Program one array, unless it is done, and keep its report."""
        if array in self._reports:
            return
        index = self.plan.index_of(array)
        targets = self.plan.targets[index]
        chip, before = self._begun.get(array) or (self._chip(array), [])

        def follow(event):
            log(event)
            if event.kind == "done":
                self._tuned.add((array, event.row, event.column))
            progress.update("devices", len(self._tuned))

        with EventLog(self._path(array, "log.csv"), shape=targets.shape, append=True) as log:
            report = program_array(chip, targets, self.plan.scheme, order=self.plan.orders[index],
                                   max_passes=self.settings["max_passes"], on_event=follow, resume=before or None,
                                   go_on=self.arguments.go_on)
        save_readback(self.plan, array, report.conductances, self._path(array, "readback.csv"))
        digest = _digest(read_events(self._path(array, "log.csv")))
        save_json(self._path(array, "report.json"), {**report.to_dict(), _LOG_DIGEST: digest})
        save_text(self._path(array, "report.txt"), report.summary() + "\n")  # the last: the array is done
        self._reports[array] = report

    def _predict(self, network, data):
        """What the arrays, as they were read back, will answer: numbers, or None, and text."""
        if data is None:
            return None, "no accuracy: the network is not one for the half moons; name a data set that fits with --data"
        read = [np.nan_to_num(load_readback(self.plan, array, self._path(array, "readback.csv")))
                for array in self.arrays]
        try:
            crossbars = [read_crossbar(readings, 1.0, noise_floor=_READ_FLOOR * self.plan.device.g_max,
                                       wire_resistance=self.wire_resistance) for readings in read]
            classes = infer(network, crossbars, data.points, device=self.plan.device, layout=self.plan.targets_of(network))
        except ValueError as error:
            return None, f"no accuracy: {error}"
        n_right, n_points = int((classes == data.labels).sum()), len(data)
        low, high = wilson_interval(n_right, n_points)
        nominal = float((network.predict(data.points) == data.labels).mean())
        what = name_of_points(self.arguments.plan, self.arguments.data)
        numbers = {"data": f"{what}, test points", "n_points": n_points, "n_right": n_right,
                   "accuracy [-]": n_right / n_points, "low [-]": float(low), "high [-]": float(high),
                   "nominal_accuracy [-]": nominal}
        return numbers, (f"predicted accuracy on {n_points} test points: {n_right / n_points / percent:.2f} % "
                         f"[{low / percent:.2f}, {high / percent:.2f}]; in software {nominal / percent:.2f} %")

    def _result(self, prediction, why_none):
        """Content of programming.json."""
        plan, chips = self.plan, self._about()
        arrays = [{"array": array, "layers": list(dict.fromkeys(block.layer for block in blocks)), "shape": list(shape),
                   **{name: f"array_{array:02d}_{file}" for name, file in
                      (("log", "log.csv"), ("readback", "readback.csv"), ("report", "report.json"))},
                   "expected [S]": _without_nan(expected), "stuck [S]": _without_nan(stuck),
                   "summary": self._reports[array].summary()}
                  for array, blocks, shape, expected, stuck in zip(self.arrays, plan.layout.blocks_of, plan.layout.shapes,
                                                                   plan.expected, plan.stuck)]
        return {"format": "tiocross programming 1", "tiocross": __version__, "plan": str(self.arguments.plan),
                **{name: value for name, value in self.settings.items() if name != "format"},
                "device": files.to_json(plan.device), "scheme": plan.scheme.to_json(), "layout": plan.layout.to_json(),
                "chip": {"kind": "simulated", "switching": chips[0], "scheme": chips[1]}, "notes": plan.notes,
                "arrays": arrays, "prediction": prediction, "why_no_prediction": why_none}


def _say_report(error):
    report = getattr(error, "report", None)
    if report is not None:
        print(report.summary())


def _without_nan(table):
    return np.where(np.isnan(table), None, table).tolist()


def _digest(events):
    """SHA-256 of what a log tells but for the times, in hexadecimal."""
    return hashlib.sha256("".join(f"{event[:-1]}\n" for event in events).encode()).hexdigest()


def _require_same(path, settings):
    """Raise ValueError unless a run was started with these settings."""
    found = read_json(path)
    for name, value in settings.items():
        was = found.get(name) if isinstance(found, dict) else None
        if was != value:
            raise ValueError(f"{path} is of another run: {name} was {was!r} and is {value!r} now. Go on with the plan and "
                             "the options of that run, or choose another folder with --out")


def _replay(chip, events):
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
                value = np.nan if readback is None else readback[event.row, event.column]
            if value != event.conductance:
                raise ValueError(f"of another chip: row {event.row}, column {event.column} read {event.conductance:g} S and "
                                 f"reads {value:g} S now. The log was edited, or written by another version of tiocross; "
                                 "start anew in another folder")
