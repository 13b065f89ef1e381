"""The published card, its file form, and what a device record refuses."""

import hashlib
import inspect
import json
from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    TIO2, TIO2_8X8, Device, DisturbQuantiles, LineFailures, StuckDevices, TuningError, infer, load_device, save_device,
)
from tiocross.devices.programming import program
from tiocross.devices.writes import count_later_writes, disturb_changes, draw_array_writes
from tiocross.learning.techniques import ConductanceDropout, NoiseInjection
from tiocross.units import uS

LINES = LineFailures(0.1, 0.2, 1e-6, 1e-3, "a guess")
# Mean, std and quantiles of the measured changes after k later writes [uS], from the published lists.
PUBLISHED_DISTURB = {
    #   mean   std    1 %     5 %    25 %   50 %   75 %   95 %   99 %
    1: (-0.37, 6.68, -26.99, -8.97, -2.44, -0.07, 2.22, 7.66, 19.78),
    4: (-1.73, 10.02, -35.65, -21.87, -4.08, -0.47, 2.33, 11.35, 29.13),
    12: (-5.33, 12.97, -39.23, -32.56, -10.33, -2.24, 2.32, 10.80, 22.78),
    24: (-6.40, 16.79, -37.47, -33.81, -18.46, -3.29, 3.23, 21.52, 33.37),
    43: (-5.99, 18.52, -38.84, -34.58, -17.77, -10.66, 10.91, 17.83, 31.36),
}
LEVELS = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]


def changes_after(k, levels, disturb=TIO2.disturb):
    return disturb_changes(disturb, np.array([[k]]), np.asarray(levels)[:, None, None])[:, 0, 0]


def test_published_constants_of_drolet_2023():
    assert (TIO2.g_min / uS, TIO2.g_max / uS) == pytest.approx((100, 500))
    tuning, stuck = TIO2.tuning, TIO2.stuck
    assert (tuning.offset_mean, tuning.offset_std) == pytest.approx((-0.00589, 0.00339))
    # a G + b with a = -6.24e-4 %/uS and b = 0.691 %: 0.629 % at 100 uS, 0.379 % at 500 uS.
    assert tuning.spread_slope * 100e-6 + tuning.spread_intercept == pytest.approx(0.00691 - 6.24e-6 * 100)
    assert tuning.spread_slope * 500e-6 + tuning.spread_intercept == pytest.approx(0.00691 - 6.24e-6 * 500)
    assert (stuck.probability_lrs, stuck.probability_hrs) == (0.005, 0.005)
    assert (stuck.lrs_mean / uS, stuck.lrs_std / uS, stuck.hrs_low / uS, stuck.hrs_high / uS) == pytest.approx((573, 99, 10, 100))


@pytest.mark.parametrize("k", PUBLISHED_DISTURB)
def test_published_disturb_of_drolet_2023(k):
    mean, std, *quantiles = PUBLISHED_DISTURB[k]
    # The table holds these quantiles rounded to 0.005 uS.
    np.testing.assert_allclose(changes_after(k, LEVELS) / uS, quantiles, atol=0.006)
    # Straight lines between 27 quantiles lose a little of the tails' spread: 5 % of the std at most.
    levels = (np.arange(200_000) + 0.5) / 200_000
    drawn = changes_after(k, levels) / uS
    assert drawn.mean() == pytest.approx(mean, abs=0.2)
    assert drawn.std() == pytest.approx(std, rel=0.05)


def test_disturb_between_beyond_and_without_later_writes():
    levels = np.linspace(0, 0.999, 7)
    assert not changes_after(0, levels).any()
    np.testing.assert_allclose(changes_after(10, levels), (changes_after(8, levels) + changes_after(12, levels)) / 2)
    np.testing.assert_allclose(changes_after(60, levels), changes_after(43, levels) * (60 / 43) ** 0.28)


def test_quantile_table_follows_the_measured_lists(measured):
    table = np.loadtxt(measured / "write_disturb.csv", delimiter=",", skiprows=3)
    for k in TIO2.disturb.n_later_writes:
        samples = table[table[:, 0] == k, 1]
        np.testing.assert_allclose(changes_after(int(k), LEVELS), np.quantile(samples, LEVELS), atol=0.006e-6)


def test_print_lists_every_active_effect_with_unit_and_source():
    text = str(TIO2)
    for part in ("100 to 500 uS", "N(-0.589 %, 0.339 %)", "k = 1 to 43", "0.5 % stuck at LRS, N(573, 99) uS", "U(10, 100) uS"):
        assert part in text
    assert text.count("source: ") == 4 and "off" not in text.replace("offset", "")
    off = str(TIO2.without("disturb", "stuck"))
    assert "disturb: off" in off and "stuck: off" in off and off.count("source: ") == 2


def test_effects_are_switched_off_one_by_one():
    assert TIO2.without("tuning") == Device(TIO2.g_min, TIO2.g_max, None, TIO2.disturb, TIO2.stuck, TIO2.name, TIO2.source)
    ideal = TIO2.ideal()
    assert ideal.tuning is ideal.disturb is ideal.stuck is None
    with pytest.raises(ValueError, match="effect 'disturbance' is unknown; did you mean 'disturb'"):
        TIO2.without("disturbance")


def test_only_names_what_stays():
    device = replace(TIO2, lines=LINES)
    assert device.only("tuning", "lines") == device.without("disturb", "stuck")
    assert device.only() == device.ideal() and device.only("stuck", "tuning", "disturb", "lines") == device
    assert TIO2.only("lines") == TIO2.ideal()  # what was off stays off
    with pytest.raises(ValueError, match="effect 'stuk' is unknown; did you mean 'stuck'"):
        TIO2.only("stuk")


def test_records_are_frozen_and_hashable():
    with pytest.raises(AttributeError):
        TIO2.g_min = 0.0
    with pytest.raises(ValueError, match="read-only"):
        TIO2.disturb.changes[0, 0] = 1.0
    assert hash(TIO2) == hash(TIO2.without()) and TIO2 == TIO2.without()
    assert TIO2 != TIO2.without("stuck")


OTHER = Device(2e-6, 3e-4, disturb=DisturbQuantiles([1, 3], [0, 0.3, 1], [[-1e-7, 0, 1e-6]] * 2, 0.1, "a list"),
               name="other", source="a lab book")


@pytest.mark.parametrize("device", [TIO2, TIO2.ideal(), OTHER, replace(OTHER, lines=LINES, array_shape=(5, 6), name="lines")],
                         ids=lambda device: device.name)
def test_file_round_trip_is_exact(device, tmp_path):
    path = tmp_path / "device.json"
    save_device(device, path)
    assert load_device(path) == device
    content = json.loads(path.read_text())
    assert content["g_min [S]"] == device.g_min


# SHA-256 of files as they were written before fields declared their units themselves.
FILES_OF_OLD = {
    "tio2": "6a5b6977192aa9356f70286e06d0250516a6bd6f646841ef8e19804b48deb5e3",
    "tio2_8x8": "d17d70781902b027ea8ab94d4ad99c3dc65b80b327090778a4ec54aec9c066d1",
    "lines": "9511492882791eb86ffa7095e6cea479e8774080bac3f2eeb7446599a0ebd0f9",
}


@pytest.mark.parametrize("name", FILES_OF_OLD)
def test_files_are_the_same_to_the_byte_as_ever(name, tmp_path):
    device = {"tio2": TIO2, "tio2_8x8": TIO2_8X8,
              "lines": replace(TIO2, lines=LINES, array_shape=(5, 6), name="\u00b5")}[name]
    save_device(device, tmp_path / "device.json")
    assert hashlib.sha256((tmp_path / "device.json").read_bytes()).hexdigest() == FILES_OF_OLD[name]


def test_files_older_than_lines_and_array_shape_are_read(tmp_path):
    path = write(tmp_path, lines=KeyError, **{"array_shape [-]": KeyError})
    assert load_device(path) == TIO2


def write(tmp_path, **changes):
    save_device(TIO2, tmp_path / "device.json")
    content = json.loads((tmp_path / "device.json").read_text())
    for key, value in changes.items():
        target = content
        *path, last = key.split("/")
        for part in path:
            target = target[part]
        if value is KeyError:
            del target[last]
        else:
            target[last] = value
    (tmp_path / "device.json").write_text(json.dumps(content))
    return tmp_path / "device.json"


@pytest.mark.parametrize(("changes", "message"), [
    ({"g_mni [S]": 1.0}, r"device.json: device has the unknown key 'g_mni \[S\]'; did you mean 'g_min \[S\]'"),
    ({"stuck/lrs_mean [uS]": 573}, r"stuck has the unknown key 'lrs_mean \[uS\]'; did you mean 'lrs_mean \[S\]'"),
    ({"tuning/offset_std [-]": KeyError}, r"tuning lacks 'offset_std \[-\]'"),
    ({"g_max [S]": 500}, "If these are microsiemens"),
    ({"g_max [S]": 1e-5}, "g_min must be below g_max"),
    ({"stuck/probability_lrs [-]": 1.5}, r"probability_lrs must be finite and within \[0, 1\]; got 1.5"),
    ({"stuck/probability_lrs [-]": "some"}, "probability_lrs must be a number; got 'some'"),
    ({"tuning": 3}, "'tuning' must be an object or null; got 3"),
    ({"disturb/changes [S]": [[1, 2]]}, "changes must have shape"),
    ({"format": "other"}, "is not a device file"),
    ({"name": None}, "name must be a text; got None"),
    ({"source": 3}, "source must be a text; got 3"),
    ({"lines": {"g_low [uS]": 1}}, r"lines has the unknown key 'g_low \[uS\]'; did you mean 'g_low \[S\]'"),
])
def test_bad_files_are_refused_with_the_place(changes, message, tmp_path):
    with pytest.raises((ValueError, TypeError), match=message):
        load_device(write(tmp_path, **changes))


def test_file_that_is_not_json(tmp_path):
    (tmp_path / "device.json").write_text('{"g_min')
    with pytest.raises(ValueError, match="device.json is not JSON"):
        load_device(tmp_path / "device.json")


def test_saving_fails_whole(tmp_path, monkeypatch):
    path = tmp_path / "device.json"
    save_device(TIO2, path)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_device(TIO2.ideal(), path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["device.json"]


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Device(5e-4, 1e-4), "g_min must be below g_max"),
    (lambda: Device(100, 500), "If these are microsiemens"),
    (lambda: TuningError(0, -1, 0, 0, ""), "offset_std must be finite and within"),
    (lambda: TuningError(0, 0.5, 0, 1, "percent"), "an offset of 50 % is no tuning; give fractions, as in 0.5 "),
    (lambda: TuningError(-0.589, 0, 0, 0.1, "percent"), "an offset of 58.9 % is no tuning"),
    (lambda: Device(1e-4, 5e-4, TuningError(0, 0.1, 0, 0.7, "")), "spread of tuning reaches 70 % within the window"),
    (lambda: Device(g_min=0.02, g_max=0.2), "g_max must be at most 0.01 S.*got 0.2 S, 5 ohm. If these are millisiemens"),
    (lambda: Device(1e-4, 5e-4, name="two\nlines"), "name must be text on one line"),
    (lambda: LineFailures(0, 0, 1e-6, 1e-4, "half \ud800"), "source must be text on one line"),
    (lambda: Device(1e-4, 10**400), "g_max must be finite .* got a number beyond 1e308"),
    (lambda: Device(1e-4, 5e-4, TuningError(0, 0, -100.0, 0.01, "")), "spread of tuning becomes negative before g_max"),
    (lambda: DisturbQuantiles([3, 1], [0, 1], [[0, 1], [0, 1]], 0, ""), "n_later_writes must increase"),
    (lambda: DisturbQuantiles([1], [0.1, 1], [[0, 1e-6]], 0, ""), "probabilities must increase from 0 to 1"),
    (lambda: DisturbQuantiles([1], [0, 1], [[1e-6, 0]], 0, ""), "not fall along a row"),
    (lambda: DisturbQuantiles([1], [0, 1], [[-40, 40]], 0, ""), "If these are microsiemens"),
    (lambda: StuckDevices(0.1, 573, 1e-4, 0.1, 0, 1e-4, ""), "lrs_mean .*If these are microsiemens"),
    (lambda: Device(1e-4, 5e-4, array_shape=(8, 1)), "bit lines of array_shape must be at least 2; got 1"),
    (lambda: StuckDevices(0.6, 5e-4, 1e-4, 0.6, 0, 1e-4, ""), "add up to at most 1"),
    (lambda: StuckDevices(0.1, 5e-4, 1e-4, 0.1, 2e-4, 1e-4, ""), "hrs_low must not exceed hrs_high"),
    (lambda: LineFailures(0.1, 0.1, 0.0, 1e-4, ""), "g_low must be above zero"),
    (lambda: LineFailures(0.1, 0.1, 2e-4, 1e-4, ""), "not exceed g_high"),
    (lambda: LineFailures(0.1, 1.1, 1e-5, 1e-4, ""), r"probability_bit_line must be finite and within \[0, 1\]"),
    (lambda: LineFailures(0.1, 0.1, 10, 100, ""), "If these are microsiemens"),
])
def test_bad_records_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Failed lines.

SHAPE = (5, 6)


def draws(device, n_chips=50, shape=SHAPE, seed=4):
    return draw_array_writes(device, count_later_writes(shape), n_chips, np.random.default_rng(seed))


def test_failed_lines_share_one_conductance_and_have_the_stated_rates_and_law():
    only_lines = replace(TIO2.ideal(), lines=LINES)
    writes = draws(only_lines, n_chips=20_000)
    whole_rows, whole_columns = writes.stuck.all(axis=2), writes.stuck.all(axis=1)
    assert (writes.stuck == (whole_rows[:, :, None] | whole_columns[:, None, :])).all()
    # 100 000 word lines and 120 000 bit lines: 4 sigma are 0.004 and 0.005. All of a chip's crossing lines failing, which
    # would make a healthy line look failed, has a chance of 1e-4 at most.
    assert abs(whole_rows.mean() - 0.1) < 0.004 and abs(whole_columns.mean() - 0.2) < 0.005
    columns = np.swapaxes(writes.constant, 1, 2)[whole_columns]
    assert (columns == columns[:, :1]).all()
    alone = whole_rows & ~whole_columns.any(axis=1, keepdims=True)
    assert (writes.constant[alone] == writes.constant[alone][:, :1]).all() and alone.any()
    levels = np.log(columns[:, 0] / 1e-6) / np.log(1000)
    assert levels.min() >= 0 and levels.max() <= 1
    # Uniform levels: 24 000 of them, so 4 sigma of their mean are 4 sqrt(1/12/24000) = 0.0075.
    assert abs(levels.mean() - 0.5) < 0.0075 and np.quantile(levels, 0.25) == pytest.approx(0.25, abs=0.015)
    assert not writes.linear[writes.stuck].any() and not writes.quadratic[writes.stuck].any()


def test_failed_lines_are_drawn_last_and_override_stuck_devices():
    many = replace(TIO2, stuck=replace(TIO2.stuck, probability_lrs=0.3))
    before, after = draws(many), draws(replace(many, lines=LINES))
    failed = after.stuck & (before.constant != after.constant)
    for name in ("constant", "linear", "quadratic", "stuck"):  # elsewhere the same bits
        np.testing.assert_array_equal(getattr(before, name)[~failed], getattr(after, name)[~failed])
    assert (failed & before.stuck).any() and (failed & ~before.stuck).any()


def test_program_leaves_failed_lines_at_one_conductance():
    device = replace(TIO2, lines=replace(LINES, probability_word_line=0.0, probability_bit_line=1.0))
    programmed = program(np.full(SHAPE, 3e-4), device, rng=np.random.default_rng(0))
    assert (programmed == programmed[:1]).all() and len(np.unique(programmed)) == SHAPE[1]


def test_files_from_before_failed_lines_were_known_still_load(tmp_path):
    assert load_device(write(tmp_path, lines=KeyError)) == TIO2


def test_print_and_switching_off_of_failed_lines():
    device = replace(TIO2, lines=LINES)
    assert "10 % of word lines and 20 % of bit lines fail" in str(device) and "1 to 1000 uS" in str(device)
    assert str(device).count("source: ") == 5 and "lines" not in str(TIO2)
    assert device.without("lines") == TIO2 and device.ideal().lines is None
    with pytest.raises(TypeError, match="lines must be a LineFailures, or None"):
        replace(TIO2, lines=TIO2.stuck)


def test_techniques_treat_failed_lines_like_stuck_devices():
    assert set(NoiseInjection.effects) == {"tuning", "disturb"} and set(ConductanceDropout.effects) == {"stuck", "lines"}


def test_cards_print_on_one_line(tmp_path):
    for record in (TIO2, TIO2.disturb, TIO2.without("disturb", "lines"), TIO2.tuning):
        assert len(repr(record).splitlines()) == 1 and len(repr(record)) < 250
    assert repr(TIO2) == "<Device 'TiO2 (Drolet et al. 2023)': 100 to 500 uS; tuning, disturb, stuck>"
    assert repr(replace(TIO2.ideal(), array_shape=(8, 8))).endswith("500 uS, arrays of 8 x 8; no effects>")
    assert repr(TIO2.disturb).startswith("DisturbQuantiles(n_later_writes=<15 array>, probabilities=<31 array>, changes=<15 x 31")
    assert len(str(inspect.signature(infer))) < 1_000  # a card is its default


def test_cards_of_editors_are_read_and_of_doubled_keys_refused(tmp_path):
    save_device(TIO2, tmp_path / "device.json")
    text = (tmp_path / "device.json").read_text(encoding="utf-8")
    (tmp_path / "device.json").write_text("\ufeff" + text, encoding="utf-8")
    assert load_device(tmp_path / "device.json") == TIO2
    for changed, message in ((text.replace('"g_max [S]"', '"g_min [S]"'), "the key 'g_min \\[S\\]' is given twice"),
                             (text.replace("0.0001", "9" * 400, 1), "g_min must be finite and within .* beyond 1e308"),
                             (text.replace("TiO2 (", "\\ud800 ("), "name must be text on one line")):
        assert changed != text
        (tmp_path / "device.json").write_text(changed, encoding="utf-8")
        with pytest.raises(ValueError, match=f"device.json.*{message}"):
            load_device(tmp_path / "device.json")
