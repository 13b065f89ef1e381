"""Outputs off whatever happens: faults at every call, of every kind, once and twice; Ctrl-C after Ctrl-C; a report always."""

import itertools
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import ROOT
from lab_cases import random_chip

from tiocross import MLP, TIO2, measure_logits, map_weights
from tiocross.lab import safety
from tiocross.lab.characterisation import characterise
from tiocross.lab.programming import program_array, tune_device
from tiocross.lab.report import InstrumentError, ProgramReport
from tiocross.lab.safety import N_ATTEMPTS
from tiocross.lab.write_verify import Done, PulseScheme
from tiocross.units import uS

SCHEME = PulseScheme(increment=0.2, set_limit=1.9, reset_limit=-1.9)
KINDS = [TimeoutError("no answer"), ValueError("odd answer"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()]


class Bench:
    """A chip with outputs that are on after every read and pulse, and off only once make_safe() or close() came to its end.

    ``faults`` says which calls fail, counted over all methods or for one method: {7: error, ("make_safe", 0): error}.
    """

    def __init__(self, shape=(2, 1), faults=(), lacks=()):
        self.shape, self.faults, self.lacks = shape, dict(faults), lacks
        self.conductances = np.full(shape, 150 * uS)
        self.is_on, self.n_calls, self.n_of = False, 0, {}

    def __getattribute__(self, name):
        if name in ("make_safe", "close", "read_array") and name in object.__getattribute__(self, "lacks"):
            raise AttributeError(name)
        return object.__getattribute__(self, name)

    def _call(self, name):
        number, own = self.n_calls, self.n_of.get(name, 0)
        self.n_calls, self.n_of[name] = number + 1, own + 1
        for key in (number, (name, own), (name, "all")):
            if key in self.faults:
                raise self.faults[key]

    def read(self, row, column):
        self.is_on = True
        self._call("read")
        return float(self.conductances[row, column])

    def pulse(self, row, column, amplitude, width):
        self.is_on = True
        self._call("pulse")
        self.conductances[row, column] *= 1 + 0.05 * np.sign(amplitude)

    def multiply(self, voltages):
        self.is_on = True
        self._call("multiply")
        return voltages @ self.conductances

    def make_safe(self):
        self._call("make_safe")
        self.is_on = False

    def close(self):
        self._call("close")
        self.is_on = False


def program(bench):
    return program_array(bench, np.full(bench.shape, 200 * uS), PulseScheme(increment=0.2, tolerance=0.03), max_passes=1)


def tune(bench):
    return tune_device(bench, 1, 0, g_target=200 * uS, scheme=PulseScheme(increment=0.2, tolerance=0.03))


def characterise_it(bench):
    return characterise(bench, np.full(bench.shape, 200 * uS), PulseScheme(increment=0.2, tolerance=0.03)).report


def outcome_of(drive, bench):
    """What was raised, or the report."""
    try:
        return drive(bench)
    except BaseException as error:
        return error


def require_safe(bench, ended, report_kind):
    """Outputs are off, or an error says that they may be on; and there is a report either way."""
    report = ended if isinstance(ended, report_kind) else ended.report
    assert isinstance(report, report_kind)
    said = isinstance(ended, InstrumentError) and "switch its outputs off by hand" in str(ended)
    assert not bench.is_on or said


@pytest.mark.parametrize("lacks", [(), ("make_safe",)])
@pytest.mark.parametrize("drive, kind", [(program, ProgramReport), (tune, Done), (characterise_it, ProgramReport)])
def test_a_fault_at_any_call_leaves_outputs_off_and_a_report(drive, kind, lacks):
    whole = Bench(lacks=lacks)
    assert isinstance(drive(whole), kind)
    assert whole.is_on == bool(lacks)  # without a make_safe() a run that went well leaves things as they are
    for at, error in itertools.product(range(whole.n_calls), KINDS[:4]):
        bench = Bench(faults={at: error}, lacks=lacks)
        ended = outcome_of(drive, bench)
        assert not bench.is_on
        if not isinstance(ended, kind):  # a fault of make_safe() that was cured by the next call ends nothing
            require_safe(bench, ended, kind)
            assert ended is error or isinstance(ended, InstrumentError) and ended.__cause__ is error
        else:
            assert at == whole.n_calls - 1 and isinstance(error, Exception)


@pytest.mark.slow
@pytest.mark.parametrize("drive, kind", [(program, ProgramReport), (tune, Done), (characterise_it, ProgramReport)])
def test_two_faults_at_any_calls_leave_outputs_off_and_a_report(drive, kind):
    """A second fault that comes after the first one meets make_safe(), its repetitions, and close()."""
    whole = Bench()
    drive(whole)
    n_runs = 0
    kinds = KINDS[0], *KINDS[2:4]
    for first, gap, one, other, lacks in itertools.product(range(whole.n_calls), range(1, 5), kinds, kinds,
                                                           [(), ("make_safe",), ("close",)]):
        bench = Bench(faults={first: one, first + gap: other}, lacks=lacks)
        ended = outcome_of(drive, bench)
        if first < bench.n_calls:  # else nothing failed
            require_safe(bench, ended, kind)
            assert not bench.is_on
            n_runs += 1
    assert n_runs > 1000


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("before", [None, *KINDS[:3]], ids=lambda error: type(error).__name__)
def test_make_safe_that_raises_is_called_again_and_what_it_raised_is_not_lost(error, before):
    for n_faults in range(1, N_ATTEMPTS):
        faults = {("make_safe", k): error for k in range(n_faults)} | ({3: before} if before else {})
        bench = Bench(faults=faults)
        ended = outcome_of(program, bench)
        assert not bench.is_on and bench.n_of["make_safe"] == n_faults + 1 and "close" not in bench.n_of
        if before is None and isinstance(error, Exception):
            assert isinstance(ended, ProgramReport) and ended.complete
        elif before is None:
            assert ended is error and ended.report.complete
        else:
            assert ended is before or isinstance(ended, InstrumentError) and ended.__cause__ is before


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("drive, kind", [(program, ProgramReport), (tune, Done)])
def test_outputs_that_cannot_be_switched_off_are_told_of_with_a_report(drive, kind, error):
    for lacks, n_close in (((), 1), (("close",), None)):
        bench = Bench(faults={("make_safe", "all"): error}, lacks=lacks)
        ended = outcome_of(drive, bench)
        assert isinstance(ended, InstrumentError) and "switch its outputs off by hand" in str(ended)
        assert isinstance(ended.report, kind) and bench.n_of["make_safe"] == N_ATTEMPTS and bench.n_of.get("close") == n_close
        assert bench.is_on == bool(lacks)


def test_close_is_tried_again_where_nothing_else_is_left():
    bench = Bench(faults={3: KINDS[0], ("close", 0): KINDS[2], ("close", 1): KINDS[0]}, lacks=("make_safe",))
    assert isinstance(outcome_of(program, bench), InstrumentError) and not bench.is_on and bench.n_of["close"] == 3


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), SystemExit(1)])
def test_whatever_a_callback_raises_brings_a_report(error):
    for name in ("on_event", "should_stop"):
        chip, targets = random_chip((2, 3), seed=9)

        def callback(*event, chip=chip):
            if len(chip.pulses) == 20:
                raise error
            return False

        with pytest.raises(type(error)) as caught:
            program_array(chip, targets, PulseScheme(), **{name: callback})
        assert caught.value is error and chip.safe == 1 and error.report.n_pulses.sum() == 20
        with pytest.raises(type(error)) as caught:
            chip.pulses.clear()
            tune_device(chip, 1, 2, g_target=9 * chip.conductances[1, 2], scheme=PulseScheme(), **{name: callback})
        assert error.report.n_pulses == 20 and error.report.outcome == "aborted"


def test_an_exception_that_takes_no_report_is_passed_on():
    class Closed(Exception):
        __slots__ = ()

        def __setattr__(self, name, value):
            raise AttributeError(name)

    error = Closed("odd")
    assert outcome_of(lambda bench: program_array(bench, np.full((2, 1), 2e-4), SCHEME, on_event=_raiser(error)),
                      Bench()) is error


def _raiser(error):
    def callback(*event):
        raise error

    return callback


def test_what_was_characterised_before_an_end_is_not_lost():
    whole = Bench((2, 2))
    found = characterise(whole, np.full((2, 2), 200 * uS), PulseScheme(increment=0.2, tolerance=0.03))
    assert len(found.changes) == 6
    for error in (KINDS[0], KINDS[2]):
        bench = Bench((2, 2), {("pulse", whole.n_of["pulse"] - 1): error})
        ended = outcome_of(characterise_it, bench)
        kept = ended.characterisation
        assert not bench.is_on and len(kept.targets) == 3 and kept.n_later_writes.tolist() == [1, 2, 1]
        np.testing.assert_array_equal(kept.changes, found.changes[:3])
        assert kept.report is ended.report and not kept.report.complete


# --- signals ---

class Pressed(Bench):
    """Somebody presses Ctrl-C while pulse number ``at`` is given, and ``n_more`` times while outputs are switched off."""

    def __init__(self, at, n_more, number=signal.SIGINT, **options):
        super().__init__(**options)
        self.at, self.n_more, self.number, self.n_pressed = at, n_more, number, 0

    def pulse(self, *arguments):
        super().pulse(*arguments)
        if self.n_of["pulse"] - 1 == self.at:
            signal.raise_signal(self.number)

    def make_safe(self):
        for _ in range(self.n_more):
            self.n_pressed += 1
            signal.raise_signal(self.number)
        super().make_safe()


@pytest.mark.parametrize("n_more", [0, 1, 2, 7])
def test_ctrl_c_again_and_again_leaves_outputs_off(n_more):
    bench, before = Pressed(5, n_more), signal.getsignal(signal.SIGINT)
    ended = outcome_of(program, bench)
    assert type(ended) is KeyboardInterrupt and not bench.is_on and bench.n_pressed == n_more and bench.n_of["make_safe"] == 1
    assert ended.report.n_pulses.sum() == 6 and signal.getsignal(signal.SIGINT) is before
    bench = Pressed(None, n_more)  # at the end of a run that went well it counts, after the outputs are off
    ended = outcome_of(program, bench)
    assert not bench.is_on and (type(ended) is KeyboardInterrupt and ended.report.complete if n_more else ended.complete)


def test_ctrl_c_breaks_off_a_make_safe_that_hangs(monkeypatch):
    monkeypatch.setattr(safety, "PATIENCE", -1.0)  # every one takes too long
    bench = Pressed(5, 1)
    ended = outcome_of(program, bench)
    assert isinstance(ended, InstrumentError) and "switch its outputs off by hand: KeyboardInterrupt" in str(ended)
    assert bench.n_pressed == N_ATTEMPTS and bench.n_of["close"] == 1 and not bench.is_on


def test_a_handler_of_ones_own_is_called_and_only_takes_note():
    noted, before = [], signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, lambda number, frame: noted.append(number))
    try:
        bench = Pressed(5, 2)
        report = program_array(bench, np.full((2, 1), 200 * uS), PulseScheme(increment=0.2, tolerance=0.03), max_passes=1,
                               should_stop=lambda: bool(noted))
        assert not report.complete and report.n_pulses.sum() == 6 and not bench.is_on
        assert noted == [signal.SIGINT] * 2  # those that waited, as one
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_nothing_is_held_and_outputs_go_off():
    ends = []

    def work():
        for error in KINDS:
            bench = Bench(faults={7: error, ("make_safe", 0): KINDS[2], ("make_safe", 1): KINDS[3]})
            ends.append((bench, outcome_of(program, bench)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(ends) == len(KINDS) and all(not bench.is_on and bench.n_of["make_safe"] == 3 for bench, _ in ends)
    assert all(isinstance(ended.report, ProgramReport) for _, ended in ends)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_that_ends_the_process_ends_it_when_the_outputs_are_off(name):
    text = f"""
import signal, sys, time
import numpy as np
from tiocross import PulseScheme, program_array
signal.signal(signal.SIGINT, signal.SIG_DFL)  # as programs with windows do
class Chip:
    shape = (1, 2)
    def read(self, row, column): return 1e-4
    def pulse(self, *arguments): print("pulse", flush=True); time.sleep(0.01)
    def make_safe(self): time.sleep(0.3); print("off", flush=True)
program_array(Chip(), np.full((1, 2), 4e-4), PulseScheme())
"""
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout.readline() == "pulse\n"
        for _ in range(3):
            process.send_signal(getattr(signal, name))
            time.sleep(0.05)
        assert process.stdout.read().splitlines()[-1] == "off" and process.wait() == -getattr(signal, name)


@pytest.mark.slow
def test_ctrl_c_at_random_moments_leaves_outputs_off():
    """Signals of a thread that presses three times hit every line, those of the ending too."""
    text = """
import signal, sys, threading, time
import numpy as np
sys.path.insert(0, "tests")
sys.path.insert(0, "tests/lab")
from test_safety import Bench, program
rng, n_interrupted = np.random.default_rng(5), 0
for _ in range(300):
    bench, delays, is_over = Bench((3, 2)), rng.uniform(0, 6e-3, 3), threading.Event()
    def press():
        for delay in delays:
            time.sleep(delay)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        is_over.set()
    presser = threading.Thread(target=press)
    try:
        try:
            presser.start()
            program(bench)
        finally:
            if bench.is_on: sys.exit("outputs are on")
            while not is_over.is_set(): time.sleep(1e-4)
    except KeyboardInterrupt:
        n_interrupted += 1
    while not is_over.is_set() or presser.is_alive():
        try: time.sleep(1e-3)
        except KeyboardInterrupt: pass
print("interrupted", n_interrupted)
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[-1]) > 150


# --- what a network's arrays answer ---

def benches_of(network, faults=((), ()), **options):
    found = []
    for targets, fault in zip(map_weights(network, TIO2), faults):
        bench = Bench(targets.shape, fault, **options)
        bench.conductances = np.array(targets)
        found.append(bench)
    return found


@pytest.mark.parametrize("lacks", [(), ("make_safe",)])
def test_measuring_outputs_leaves_every_array_safe_at_every_end(lacks):
    network, points = MLP(2, 3, 1, rng=np.random.default_rng(4)), np.random.default_rng(5).uniform(0, 1, (7, 2))
    benches = benches_of(network, lacks=lacks)
    np.testing.assert_allclose(measure_logits(network, benches, points), network.logits(points), rtol=0, atol=1e-12)
    assert [bench.is_on for bench in benches] == [bool(lacks)] * 2
    for error in KINDS:
        for faults in (({0: error}, ()), ((), {0: error}), ({0: error}, {("make_safe", 0): KINDS[2]})):
            benches = benches_of(network, faults, lacks=lacks)
            ended = outcome_of(lambda benches: measure_logits(network, benches, points), benches)
            assert not any(bench.is_on for bench in benches)
            if isinstance(error, Exception):
                number = 0 if faults[0] else 1
                text = f"instrument {number} failed when multiplying 7 points: {type(error).__name__}: {error}"
                assert isinstance(ended, InstrumentError) and str(ended) == text and ended.__cause__ is error
            else:
                assert ended is error


def test_one_array_that_cannot_be_made_safe_does_not_keep_the_others_on():
    network, points = MLP(2, 3, 1, rng=np.random.default_rng(4)), np.zeros((7, 2))
    for jammed in (0, 1):
        faults = [{}, {}]
        faults[jammed] = {("make_safe", "all"): KINDS[0], ("close", "all"): KINDS[2]}
        benches = benches_of(network, faults)
        ended = outcome_of(lambda benches: measure_logits(network, benches, points), benches)
        assert isinstance(ended, InstrumentError) and "by hand: TimeoutError: no answer" in str(ended)
        assert [bench.is_on for bench in benches] == [jammed == 0, jammed == 1]
