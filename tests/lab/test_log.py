"""The pulse log: what is written comes back, what is malformed is named, and what a log can tell."""

import math

import numpy as np
import pytest
from lab_cases import random_chip

from tiocross.lab.log import Event, EventLog, later_changes, log_shape, read_events, stuck_map, tuning_pairs
from tiocross.lab.programming import program_array
from tiocross.lab.write_verify import PulseScheme
from tiocross.units import uS

NAN = math.nan
EVENTS = [
    Event("read", 0, 0, 2, 1, 1e-4 / 3, NAN, NAN, 0.1 + 0.2, "", 1764349200.123456),
    Event("pulse", 0, 0, 2, 1, 1e-4 / 3, -1.1400000000000001, 1.04e-6),
    Event("read", 0, 0, 2, 1, 1e-4 / 3, conductance=NAN),
    Event("read", 0, 0, 2, 1, 1e-4 / 3, conductance=-math.inf),
    Event("done", 0, 0, 2, 1, 1e-4 / 3, conductance=5e-324, outcome="stuck_low"),
    Event("readback", 1, 0, 0, 3, NAN, conductance=1.7976931348623157e308),
]


def write(path, events=EVENTS, shape=(3, 4), **options):
    with EventLog(path, shape=shape, **options) as log:
        for event in events:
            log(event)
    return path


def done(n_pass, row, conductance, outcome="converged", target=2e-4):
    return Event("done", 0, n_pass, row, 0, target, conductance=conductance, outcome=outcome)


def readback(n_pass, row, conductance):
    return Event("readback", 0, n_pass, row, 0, 2e-4, conductance=conductance)


def test_round_trip_is_exact(tmp_path):
    path = write(tmp_path / "log.csv")
    back = read_events(path)
    assert back == EVENTS  # NaN included: each is the one object math.nan
    assert repr(back) == repr(EVENTS) and log_shape(path) == (3, 4)
    first, names, line = path.read_text().splitlines()[:3]
    assert first == "# tiocross pulse log 2; shape 3 x 4"
    assert names == "n_pass,turn,kind,row,column,target [S],amplitude [V],width [s],conductance [S],outcome,time [s]"
    assert line == "0,0,read,2,1,3.3333333333333335e-05,nan,nan,0.30000000000000004,,1764349200.123456"


def in_version_1(path):
    """A log as the first version wrote it, without times."""
    first, names, *lines = path.read_text().splitlines()
    lines = [first.replace("log 2", "log 1"), names.removesuffix(",time [s]"), *(line.rpartition(",")[0] for line in lines)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_logs_without_times_are_read_and_gone_on_with_as_they_began(tmp_path):
    path = in_version_1(write(tmp_path / "log.csv", EVENTS[:2]))
    write(path, EVENTS[2:], append=True)
    assert read_events(path) == [event._replace(time=NAN) for event in EVENTS]
    assert {line.count(",") for line in path.read_text().splitlines()[1:]} == {9}


def test_logs_from_a_spreadsheet_are_read(tmp_path):
    """Excel puts a byte-order mark in front, ends lines with CR LF, and fills all of them up to the longest."""
    path = write(tmp_path / "log.csv")
    lines = path.read_text().splitlines()
    lines = [lines[0] + 10 * ",", *lines[1:], 10 * ","]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, ""]).encode())
    assert read_events(path) == EVENTS and log_shape(path) == (3, 4)
    path.write_text("\n".join(line + ",," for line in lines) + "\n")
    assert read_events(path) == EVENTS
    path.write_text("\n".join(line.replace(",", ";") for line in lines) + "\n")
    with pytest.raises(ValueError, match="line 1 must be|Save it with commas between the columns"):
        read_events(path)
    path.write_text("\n".join([lines[0].rstrip(","), *(line.replace(",", ";") for line in lines[1:])]) + "\n")
    with pytest.raises(ValueError, match="Save it with commas between the columns"):
        read_events(path)


def test_append_cuts_off_a_whole_array_reading_that_stopped_midway(tmp_path):
    def readbacks(n_pass, n):
        return [Event("readback", 4, n_pass, *divmod(k, 4), 2e-4, conductance=1e-4) for k in range(n)]

    begun = EVENTS[:5]
    for n in range(12):
        path = write(tmp_path / f"{n}.csv", [*begun, *readbacks(0, n)])
        write(path, [], append=True)
        assert read_events(path) == begun
        path = write(tmp_path / f"second_{n}.csv", [*begun, *readbacks(0, 12), *readbacks(1, n)])
        write(path, [], append=True)
        assert read_events(path) == [*begun, *readbacks(0, 12)]


def test_numbers_of_numpy_are_written_as_plain_numbers(tmp_path):
    event = EVENTS[0]._replace(row=np.int64(2), target=np.float64(1e-4 / 3), conductance=np.float64(0.1 + 0.2))
    assert read_events(write(tmp_path / "log.csv", [event])) == EVENTS[:1]


def test_every_line_is_written_through_at_once(tmp_path):
    path = tmp_path / "log.csv"
    with EventLog(path, shape=(3, 4)) as log:
        for n, event in enumerate(EVENTS):
            assert read_events(path) == EVENTS[:n]
            log(event)


def test_existing_log_is_neither_overwritten_nor_mixed_up(tmp_path):
    path = write(tmp_path / "log.csv", EVENTS[:2])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="exists and is not empty; choose another name, or pass append=True"):
        EventLog(path, shape=(3, 4))
    with pytest.raises(ValueError, match=r"log.csv must have shape \(3, 4\), as the log says; got \(4, 3\); transposed"):
        EventLog(path, shape=(4, 3), append=True)
    assert path.read_bytes() == before
    write(path, EVENTS[2:], append=True)
    assert read_events(path) == EVENTS
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="other.csv is not a pulse log .*: line 1 must be '# tiocross pulse log 2"):
        EventLog(tmp_path / "other.csv", shape=(3, 4), append=True)


@pytest.mark.parametrize("content", [None, ""])
def test_append_starts_a_log_where_there_is_none(tmp_path, content):
    path = tmp_path / "log.csv"
    if content is not None:
        path.write_text(content)
    assert read_events(write(path, append=True)) == EVENTS


def test_log_refuses_a_bad_shape(tmp_path):
    with pytest.raises(ValueError, match="shape must be at least 1; got 0"):
        EventLog(tmp_path / "log.csv", shape=(0, 4))
    assert not (tmp_path / "log.csv").exists()


def test_torn_last_line_is_dropped_wherever_it_is_torn(tmp_path):
    path = write(tmp_path / "log.csv", EVENTS[:2])
    content = path.read_bytes()
    start = content[:-1].rfind(b"\n") + 1
    for end in range(start, len(content)):
        path.write_bytes(content[:end])
        assert read_events(path) == EVENTS[:1]


def test_append_cuts_off_the_torn_line_first(tmp_path):
    path = write(tmp_path / "log.csv", EVENTS[:2])
    path.write_bytes(path.read_bytes()[:-9])
    write(path, EVENTS[1:], append=True)
    assert read_events(path) == EVENTS


@pytest.mark.parametrize("line, text", [
    ("0,0,read,2,1,1e-4,nan,nan,1e-4", "a line must have 10 values"),
    ("0,0,read,2,1,1e-4,nan,nan,1e-4,,5", "a line must have 10 values"),
    ("0,0,read,2,1,1_0e-4,nan,nan,1e-4,", r"target \[S\] must be a number"),
    ("0,0,read,2,1,\u0661e-4,nan,nan,1e-4,", r"target \[S\] must be a number"),
    ("0,0,reed,2,1,1e-4,nan,nan,1e-4,", "kind 'reed' is unknown; did you mean 'read'"),
    ("0,0,done,2,1,1e-4,nan,nan,1e-4,convergd", "outcome 'convergd' is unknown; did you mean 'converged'"),
    ("0,0,done,2,1,1e-4,nan,nan,1e-4,", "outcome '' is unknown"),
    ("0,0,read,2,1,1e-4,nan,nan,1e-4,converged", "only a done event has an outcome"),
    ("0,0,read,3,1,1e-4,nan,nan,1e-4,", "row 3, column 1 is outside the array of 3 x 4"),
    ("0,0,read,2,4,1e-4,nan,nan,1e-4,", "row 2, column 4 is outside"),
    ("0,0,done,2,1,nan,nan,nan,1e-4,converged", "a device that converged has a target above 0 and a reading"),
    ("0,0,done,2,1,0,nan,nan,1e-4,converged", "a device that converged has a target above 0 and a reading"),
    ("0,0,done,2,1,1e-4,nan,nan,nan,converged", "a device that converged has a target above 0 and a reading"),
    ("0,0,read,-1,1,1e-4,nan,nan,1e-4,", "row must be a whole number"),
    ("0.5,0,read,2,1,1e-4,nan,nan,1e-4,", "n_pass must be a whole number"),
    ("0,,read,2,1,1e-4,nan,nan,1e-4,", "turn must be a whole number"),
    ("0,0,read,2,1,1e-4 S,nan,nan,1e-4,", r"target \[S\] must be a number"),
    ("0,0,pulse,2,1,1e-4,,nan,1e-4,", r"amplitude \[V\] must be a number"),
])
def test_malformed_lines_are_named(tmp_path, line, text):
    path = in_version_1(write(tmp_path / "log.csv", EVENTS[:2]))
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n0,0,read,2,1,1e-4,nan,nan,1e-4,\n")
    with pytest.raises(ValueError, match=f"log.csv, line 5: {text}"):
        read_events(path)


@pytest.mark.parametrize("content, text", [
    (b"", "is not a pulse log of this version: line 1 must be"), (b"# tiocross pulse log 1; shape 3 x", "is not a pulse log"),
    (b"# tiocross pulse log 3; shape 3 x 4\n", "is not a pulse log"), (b"# tiocross pulse log 1; shape 0 x 4\n", "is not a"),
    (b"# tiocross pulse log 1; shape 3 x 4\n", "line 2 must name the columns"),
    (b"# tiocross pulse log 1; shape 3 x 4\nn_pass,turn\n", "line 2 must name the columns"),
    (b"\xff\xfe\n", "is not a pulse log"),
])
def test_other_files_are_refused(tmp_path, content, text):
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(ValueError, match=text):
        read_events(tmp_path / "log.csv")


def test_line_ends_of_another_system_are_read(tmp_path):
    path = write(tmp_path / "log.csv")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_events(path) == EVENTS


def test_tuning_pairs_are_those_that_converged():
    events = [done(0, 0, 1.99e-4), done(0, 1, 5e-5, "stuck_low"), done(1, 0, 2.01e-4, target=2.02e-4), readback(1, 0, 1.0)]
    targets, programmed = tuning_pairs(events)
    assert targets.tolist() == [2e-4, 2.02e-4] and programmed.tolist() == [1.99e-4, 2.01e-4]
    assert [array.shape for array in tuning_pairs([])] == [(0,), (0,)]


def test_later_changes_count_devices_tuned_later_in_the_same_pass():
    events = [done(0, 0, 10 * uS), done(0, 1, 20 * uS, "budget"), done(0, 2, 30 * uS), done(0, 3, 40 * uS),
              *(readback(0, row, value * uS) for row, value in enumerate([13, 20, 29, 40])),
              done(1, 2, 31 * uS), done(1, 0, 11 * uS),
              *(readback(1, row, value * uS) for row, value in enumerate([11, 20, 33, 40]))]
    k, changes = later_changes(events)
    assert k.tolist() == [3, 1, 1]  # rows 0 and 2 of pass 0, row 2 of pass 1; the last ones have none later
    np.testing.assert_allclose(changes / uS, [3, -1, 2], rtol=1e-12)


def test_later_changes_use_the_last_tuning_and_valid_readings_only():
    events = [done(0, 0, 10 * uS), done(0, 1, 20 * uS), done(0, 0, 12 * uS), readback(0, 0, 15 * uS),
              readback(0, 1, 21 * uS)]
    k, changes = later_changes(events)
    assert k.tolist() == [1] and changes[0] == pytest.approx(1 * uS)  # row 1 came first in the end
    for failed in (NAN, 9.91e37 / 0.2, -1 * uS, math.inf):
        assert later_changes([*events[:4], readback(0, 1, failed)])[0].size == 0
    assert later_changes(events[:3])[0].size == 0  # no whole-array reading


def test_stuck_map_holds_what_ended_stuck_at_last():
    events = [done(0, 0, 5e-5, "stuck_low"), done(0, 1, 8e-4, "stuck_high"), done(0, 2, 2e-4), done(1, 0, 2e-4)]
    expected = np.full((4, 2), NAN)
    expected[1, 0] = 8e-4
    np.testing.assert_array_equal(stuck_map(events, (4, 2)), expected)


def test_log_of_a_run_agrees_with_its_report(tmp_path):
    chip, targets = random_chip((3, 4), seed=3, disturb=0.0005, stuck=[(1, 2)])
    with EventLog(tmp_path / "log.csv", shape=chip.shape) as log:
        report = program_array(chip, targets, PulseScheme(), on_event=log)
    events = read_events(tmp_path / "log.csv")
    given = [(e.row, e.column, e.amplitude, e.width) for e in events if e.kind == "pulse"]
    assert given == chip.pulses and len(given) == report.n_pulses.sum()
    last = [e for e in events if e.kind == "readback"][-12:]
    assert [e.conductance for e in last] == report.conductances.ravel().tolist()
    assert np.isfinite(stuck_map(events, chip.shape)).nonzero() == ([1], [2])
    assert len(tuning_pairs(events)[0]) == sum(e.outcome == "converged" for e in events) >= 11
