"""Pages made from results folders: whole, self-contained, readable by anybody, and true to the numbers in the folder."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tiocross import TIO2, TIO2_8X8, ProgramReport, PulseScheme, plot
from tiocross.devices.files import to_json
from tiocross.report import programs
from tiocross.report.write import write_report
from tiocross.storage import save_json
from tiocross.units import uS

VOID = {"img", "meta"}
FIGURES = ("nominal_accuracy", "mean_accuracy", "p05_accuracy", "robust_fraction_95", "robust_fraction_99")
LINE = "straight line, robustly trained"


class Page(HTMLParser):
    """A page taken apart: elements closed in order, tables by caption, text without markup, what is loaded."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.open, self.tables, self.images, self.loads, self.attributes, self.text = [], [], [], [], [], ""
        self.feed(self.source)
        self.close()
        assert self.open == []
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.attributes.append((tag, found))
        self.loads += [found[name] for name in ("src", "href", "action", "srcset", "data") if name in found]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(found)
        if tag == "table":
            self.tables.append({"caption": "", "rows": []})
        if tag == "tr":
            self.tables[-1]["rows"].append([])
        if tag in ("td", "th"):
            self.tables[-1]["rows"][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += f"{data} "
        if "caption" in self.open:
            self.tables[-1]["caption"] += data
        elif {"td", "th"} & set(self.open):
            self.tables[-1]["rows"][-1][-1] += data


def make_rows(names, wires=(0.0, 2.0), seeds=(3, 4, 5)):
    rng = np.random.default_rng(5)
    rows = []
    for name in names:
        for wire in wires:
            for seed in seeds:
                values = dict(zip(FIGURES, rng.uniform(0.3, 0.9, len(FIGURES))))
                rows.append({"name": name, "wire_resistance": wire, "seed": seed, **values, "n_devices": 66, "intervals": {
                    key: [value - 0.02, value + 0.03] for key, value in values.items()}})
    return rows


def make_study(folder, kind="experiment", rows=None, names=("regular", LINE, "ROBUST"), drawn=(), device=TIO2, **more):
    """A results folder as a study writes it, with the figures ``drawn``, of one dot each."""
    rows = make_rows(names) if rows is None else rows
    folder.mkdir(exist_ok=True)
    save_json(folder / "summary.json", {
        "schema": 2, "study": kind, "complete": True, "question": "Does it work?", "conclusion": ["It works."],
        "assumptions": ["Wires are lines."], "not_meant": ["Nothing about rain."], "how_to_read": ["Columns."],
        "arrays": [{"name": "regular", "n_devices": 66, "layout": "1 array(s) of 3 x 16, 2 array(s) of 9 x 2"}],
        "figures": [{"name": name, "caption": ""} for name in (drawn or ("decision_maps",))],
        "n_transfers": 50, "seeds": sorted({row["seed"] for row in rows}),
        "wire_resistances": [0.0, 2.0], "rows": rows,
        "data": {"source": "generated", "n_train": 8, "n_validation": 2, "n_test": 40, "test_points_in_train": 0}} | more)
    save_json(folder / "provenance.json", {
        "versions": {"tiocross": "0.1.0", "numpy": "2.0"}, "platform": "Linux", "arguments": [kind, "--out", "a b"],
        "device": to_json(device), "data_sha256": "80eda001", "workers": 2, "seconds": 1.5})
    for name in drawn:
        figure, axes = plot.new_figure(width=1, height=1)
        axes[0, 0].plot([0], [0], ".")
        figure.savefig(folder / f"{name}.png", dpi=20)
    return folder


def make_programming(folder, notes=("Write disturb is <extrapolated>.",), prediction=True):
    """The folder of a finished programming run: two arrays, one device of which is stuck."""
    folder.mkdir(exist_ok=True)
    entries = []
    for array, shape in ((0, (3, 4)), (2, (2, 5))):
        targets = np.random.default_rng(array).uniform(100 * uS, 500 * uS, shape)
        targets[0, 1] = np.nan
        outcomes = np.where(np.isnan(targets), "", "converged").astype("<U10")
        readings = np.stack([targets * 1.05, targets * 1.004])
        outcomes[1, 2], readings[-1, 1, 2] = "stuck_high", 900 * uS
        ProgramReport(targets, ~np.isnan(targets), outcomes, np.full(shape, 7), readings, 0.01, True).save(
            folder / f"array_{array:02d}_report.json")
        entries.append({"array": array, "layers": [0], "shape": list(shape), "report": f"array_{array:02d}_report.json",
                        "stuck [S]": np.full(shape, None).tolist(), "summary": ""})
    numbers = {"data": "half moons", "n_points": 200, "n_right": 180, "accuracy [-]": 0.9, "low [-]": 0.85,
               "high [-]": 0.935, "nominal_accuracy [-]": 0.96}
    save_json(folder / "programming.json", {
        "format": "tiocross programming 1", "tiocross": "0.1.0", "plan": "my plan", "plan_sha256": "12ab", "seed": 7,
        "wire_resistance [ohm]": 2.0, "max_passes": 2, "device": to_json(TIO2), "scheme": PulseScheme().to_json(),
        "chip": {"kind": "simulated", "switching": "they switch as <TiO2>", "scheme": "the default"}, "notes": list(notes),
        "arrays": entries, "prediction": numbers if prediction else None,
        "why_no_prediction": "" if prediction else "no accuracy: the network is not one for the half moons"})
    return folder


def make_comparison(folder):
    """The folder of a comparison, with its figures."""
    return make_study(folder, "compare", drawn=("methods", "conditions"))


def make_calibration(folder, name="chip 7", goodness=0.4, warnings=()):
    """The folder of a calibration of writes and faults."""
    folder.mkdir(exist_ok=True)
    fits = {
        "tuning": {"law": "relative offset N(...)", "n_samples [-]": 200, "test": "normal plot", "goodness [-]": 0.53,
                   "warning": "", "estimates": [
                       {"name": "offset_mean", "unit": "-", "shown": "%", "k [-]": None, "value": 0.002,
                        "interval": [0.001, 0.003]},
                       {"name": "g_high", "unit": "S", "shown": "uS", "k [-]": None, "value": 5e-3,
                        "interval": [5e-3, 0.01]},
                       {"name": "offset_std", "unit": "-", "shown": "%", "k [-]": None, "value": 0.0, "interval": None}]},
        "disturb": {"law": "quantile table", "n_samples [-]": 900, "test": "power law", "goodness [-]": goodness,
                    "warning": "", "estimates": [{"name": "median", "unit": "S", "shown": "uS", "k [-]": k,
                                                  "value": -2e-6, "interval": [-3e-6, -1e-6]} for k in range(1, 31)]}}
    save_json(folder / "calibration.json", {
        "format": "tiocross calibration 1", "device": to_json(replace(TIO2, name=name)), "device_file": "my device.json",
        "files": [{"name": "tuning.csv", "kind": "tuning", "understood": "target [uS]; 200 devices"}], "fits": fits,
        "effects asked": ["tuning", "disturb"], "all devices dead": False, "warnings": list(warnings),
        "figures": {"tuning": "tuning.png"}})
    return folder


MAKERS = {"experiment": make_study, "compare": make_comparison, "program": make_programming, "calibrate": make_calibration}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of each kind with its page."""
    made = {kind: make(tmp_path_factory.mktemp("report") / kind) for kind, make in MAKERS.items()}
    for folder in made.values():
        write_report(folder)
    return made


@pytest.fixture(params=MAKERS)
def page(request, folders):
    return Page(folders[request.param] / "report.html")


def test_a_page_is_whole_and_loads_nothing(page):
    assert page.source.startswith("<!DOCTYPE html>\n<html lang=\"en\">") and page.source.endswith("</html>\n")
    assert all(load.startswith("data:image/png;base64,") for load in page.loads)
    tags = {tag for tag, _ in page.attributes}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "base"})
    style = re.search("<style>(.*?)</style>", page.source, re.DOTALL)[1]
    assert "url(" not in style and "@import" not in style
    assert not [name for _, found in page.attributes for name in found if name.startswith("on")]


def test_a_page_can_be_read_by_anybody(page):
    tags = [tag for tag, _ in page.attributes]
    assert tags.count("h1") == tags.count("main") == tags.count("title") == 1 and tags.count("h2") >= 5
    assert all(found["alt"] for found in page.images)
    assert all(found.get("scope") for tag, found in page.attributes if tag == "th")
    assert tags.count("table") == tags.count("caption") == tags.count("thead")
    assert page.source.count("</table></div>") == tags.count("table")  # each is scrolled within itself, not cut
    style = re.search("<style>(.*?)</style>", page.source, re.DOTALL)[1]
    for rule in ("prefers-color-scheme:dark", "@media print", "size:A4", "break-inside:avoid", "max-width:600px"):
        assert rule in style
    narrow = style.partition("@media (max-width:600px)")[2].partition("@media print")[0]
    assert 'content:"scroll sideways' in narrow and "no-repeat scroll" in style  # a note on figures, shadows beside tables
    assert ".scroll{background:none}" in style.partition("@media print")[2]
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.attributes


@pytest.mark.parametrize("heading", ["The answer", "What was assumed", "What it does not mean", "How to do it again"])
def test_a_page_answers_what_a_reader_asks(page, heading):
    assert f"<h2>{heading}</h2>" in page.source


def test_the_table_of_a_study_has_the_numbers_of_its_summary(tmp_path):
    folder = make_study(tmp_path / "results")
    rows = json.loads((folder / "summary.json").read_text())["rows"]
    page = Page(write_report(folder))
    main, wires = page.tables[:2]
    assert main["rows"][0][:3] == ["training", "nominal", "robust\xa095\xa0%"]  # first what matters
    for name, *cells in main["rows"][1:]:
        here = [row for row in rows if row["name"] == name and row["wire_resistance"] == 0.0]
        for column, cell in zip(("nominal_accuracy", "robust_fraction_95", "mean_accuracy", "p05_accuracy"), cells):
            low = min(row["intervals"][column][0] for row in here)
            high = max(row["intervals"][column][1] for row in here)
            mean = sum(row[column] for row in here) / len(here)
            assert cell == f"{mean:.3f} [{low:.3f}, {high:.3f}]"
        assert cells[-1] == "66"
    for name, *cells in wires["rows"][1:]:
        means = [np.mean([row["robust_fraction_95"] for row in rows
                          if row["name"] == name and row["wire_resistance"] == wire]) for wire in (0.0, 2.0)]
        assert [cell.split(" ")[0] for cell in cells] == [f"{mean:.3f}" for mean in means]


def test_what_the_folder_says_of_itself_is_on_the_page(tmp_path):
    said = {"question": "Why & how?", "conclusion": ["ROBUST wins <by 0.1 +- 0.02>."], "how_to_read": ["Columns."],
            "figures": [{"name": "decision_maps", "caption": "Seed 3."}, {"name": "a_new_one", "caption": "Look here."}],
            "choices": [{"name": "ROBUST", "text": "rate 0.3", "at_edge": ["rate"], "grid": {"rate": [0.1, 0.3]}}]}
    page = Page(write_report(make_study(tmp_path / "a", drawn=("decision_maps", "a_new_one"), **said)))
    for text in ("Why & how?", "ROBUST wins <by 0.1 ± 0.02>.", "Wires are lines.", "Nothing about rain.", "Columns.",
                 "Look here.", "1 array of 3 x 16, 2 arrays of 9 x 2: all rows", "rate: 0.1, 0.3", "80eda001",
                 "tiocross experiment --out 'a b'"):
        assert text in page.text, text
    assert len(page.images) == 2 and "Not in the folder" not in page.text


def test_missing_and_damaged_figures_are_named(tmp_path):
    folder = make_study(tmp_path / "a", "compare", drawn=("methods", "conditions"))
    (folder / "conditions.png").write_bytes(b"torn")
    page = Page(write_report(folder))
    assert "Not in the folder, and so not shown: conditions.png." in page.text and len(page.images) == 1


def test_names_cannot_write_on_the_page(tmp_path):
    evil = "<script>alert('x')</script>"
    rows = make_rows((evil, "regular"))
    device = type(TIO2_8X8)(1e-4, 5e-4, name=evil, source=f"{evil} & co")
    page = Page(write_report(make_study(tmp_path / "a", rows=rows, device=device, question=evil)))
    assert "<script" not in page.source and evil in page.text and f"{evil} & co" in page.text


def test_the_device_card_is_on_the_page_with_every_value(tmp_path):
    page = Page(write_report(make_study(tmp_path / "a", device=TIO2_8X8)))
    card = next(table for table in page.tables if table["caption"].startswith("Device card"))
    shown = {row[0]: row[1:] for row in card["rows"] if len(row) == 3}
    assert shown["g min"] == ["100", "µS"] and shown["hrs high"] == [f"{TIO2_8X8.stuck.hrs_high / uS:g}", "µS"]
    assert shown["array shape"][0] == "8 x 8"
    everything = page.tables[page.tables.index(card) + 2]
    assert len(everything["rows"]) == 1 + len(TIO2_8X8.disturb.n_later_writes)
    assert float(everything["rows"][3][4]) == pytest.approx(TIO2_8X8.disturb.changes[2, 3] / uS, abs=0.005)


def test_the_life_of_a_chip_is_told_in_numbers(folders):
    page = Page(folders["program"] / "report.html")
    assert ("Of 20 devices on 2 arrays, 18 are within 1 % of their targets as last read, after 154 pulses; 2 ended stuck"
            in page.text)
    assert "180 of 200 test points: 90.00 % [85.00, 93.50]" in page.text
    assert "costs 6.00 points, more than the 95 % interval over the points explains" in page.text
    assert "Write disturb is <extrapolated>." in page.text and "they switch as <TiO2>" in page.text
    outcomes, passes = page.tables[:2]
    assert outcomes["rows"][1] == ["0", "11", "10", "10", "1", "2", "84", "0.40"]
    assert passes["rows"][2] == ["2", "5.00", "0.40"]
    assert len(page.images) == 2 and "--seed 7 --max-passes 2 --wire-resistance 2" in page.text


def test_a_chip_without_prediction_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "_MOST_FIGURES", 0)
    page = Page(write_report(make_programming(tmp_path / "a", prediction=False)))
    assert "There is no prediction of the accuracy: the network is not one for the half moons." in page.text


def test_a_calibration_is_told_with_intervals_in_the_units_of_people(folders):
    page = Page(folders["calibrate"] / "report.html")
    assert "describes error of writes (from 200 values) and write disturb (from 900 values)" in page.text
    assert "offset mean 0.2 [0.1, 0.3] %" in page.text.replace("\xa0", " ")
    assert "Nothing in the data speaks against the model (p = 0.53 and p = 0.4)" in page.text
    rows = page.tables[0]["rows"]
    assert ["offset mean", "0.2", "[0.1, 0.3]", "%"] in rows
    assert ["offset standard deviation", "0", "not told by these data", "%"] in rows
    assert ["g high", "5000", "[5000, 10000]", "µS"] in rows
    medians = [row for row in rows if row[0].startswith("median")]
    assert medians[0] == ["median after k = 1 later writes", "-2", "[-3, -1]", "µS"] and len(medians) == 6
    assert sum(row[0].startswith("median") for row in page.tables[1]["rows"]) == 30  # all of them, folded
    assert "Not in the folder, and so not shown: tuning.png." in page.text
    assert "tiocross calibrate tuning.csv --g-min 100 --g-max 500" in page.text and "'my device.json'" in page.text


def test_a_card_that_does_not_fit_is_said_to_be_rough(tmp_path):
    evil = "<script>"
    page = Page(write_report(make_calibration(tmp_path / "a", evil, 0.002, [f"disturb: {evil}"])))
    assert "does not describe the write disturb (p below 0.01)" in page.text
    assert "nothing speaks against it for the error of writes" in page.text
    assert evil not in page.source and page.text.count(evil) >= 3


def test_a_page_can_be_made_again(tmp_path):
    folder = make_study(tmp_path / "a")
    first = write_report(folder).read_bytes()
    assert write_report(str(folder)).read_bytes() == first
    assert sorted(path.name for path in folder.iterdir()) == ["provenance.json", "report.html", "summary.json"]


@pytest.mark.parametrize(("files", "text"), [
    ({}, "holds no finished results of tiocross experiment, compare, calibrate or program"),
    ({"run.json": "{}"}, "is not finished; go on with tiocross program and --resume"),
    ({"summary.json": '{"rows": []}', "provenance.json": "{}"}, "stopped before its first row"),
    ({"summary.json": "[]", "provenance.json": "{}"}, "damaged, or of another version"),
    ({"summary.json": "{", "provenance.json": "{}"}, "is not JSON"),
    ({"programming.json": '{"arrays": [{}]}'}, "damaged, or of another version")])
def test_what_is_no_finished_folder_is_refused_and_nothing_is_written(tmp_path, files, text):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=text):
        write_report(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)
