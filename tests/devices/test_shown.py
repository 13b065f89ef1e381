"""Records and tables as HTML: every value with its unit, every text escaped."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tiocross import TIO2, Device, ProgramReport, calibrate
from tiocross.shown import Html, element, join, table
from tiocross.transfers.summary import Estimate, Summary
from tiocross.units import percent, uS

VOID = {"img", "meta"}


class Cells(HTMLParser):
    """Checks that elements are closed in order, and gathers the rows of tables."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if {"th", "td"} & set(self.open):
            self.rows[-1][-1] += data


def test_texts_are_escaped_and_html_is_not_escaped_twice():
    inner = element("b", "1 < 2 & \"so\"")
    assert inner == "<b>1 &lt; 2 &amp; &quot;so&quot;</b>" and isinstance(inner, Html)
    assert element("p", inner, " <i>", title='"') == '<p title="&quot;"><b>1 &lt; 2 &amp; &quot;so&quot;</b> &lt;i&gt;</p>'
    assert join("a\x1b[31m", "\ud800", "\u202e") == "a\ufffd[31m" + 2 * "\ufffd"  # nothing that steers a screen


def test_numbers_stand_on_the_right_and_headings_say_their_scope():
    text = table("what", ("name", "value"), [("", [("a", "-1.5"), ("b", "none")])])
    assert '<th scope="row" style="text-align:left">a</th><td class="number" style="text-align:right">-1.5</td>' in text
    assert '<th scope="col" style="text-align:right">value</th>' in text and '<td style="text-align:left">none</td>' in text


def test_a_device_shows_every_value_with_unit_and_source():
    rows = Cells(TIO2._repr_html_()).rows
    shown = {row[0]: row[1:] for row in rows if len(row) == 3}
    assert shown["g max"] == [f"{TIO2.g_max / uS:.6g}", "µS"]
    assert shown["offset mean"] == [f"{TIO2.tuning.offset_mean / percent:.6g}", "%"]
    assert shown["lrs mean"] == [f"{TIO2.stuck.lrs_mean / uS:.6g}", "µS"]
    assert float(shown["spread slope"][0]) == pytest.approx(TIO2.tuning.spread_slope * uS / percent, rel=1e-5)
    headings = [row[0] for row in rows if len(row) == 1]
    assert f"stuck: {TIO2.stuck.source}" in headings and "lines: off" in headings


def test_names_of_devices_are_escaped():
    device = replace(TIO2, name="<script>alert(1)</script>", source="a & b")
    assert "<script" not in device._repr_html_() and "a &amp; b" in device._repr_html_()
    assert "<script" not in calibrate(g_min=1e-4, g_max=5e-4, name="<script>", source="<script>",
                                      maps=[np.where(np.eye(3, 4), 6e-4, np.nan)])._repr_html_()


def test_a_calibration_shows_estimates_with_intervals_and_its_warnings():
    maps = [np.full((8, 8), np.nan) for _ in range(3)]
    maps[0][2, 5], maps[2][7, 1] = 600 * uS, 20 * uS
    found = calibrate(g_min=100 * uS, g_max=500 * uS, name="chip", source="book", maps=maps)
    cells = Cells(found._repr_html_())
    shown = {row[0]: row[1:] for row in cells.rows if len(row) == 4}
    low, high = found.fits["stuck"].intervals["probability_lrs"]
    assert shown["probability_lrs"] == [f"{100 / 192:.3g}", f"[{low / percent:.3g}, {high / percent:.3g}]", "%"]
    assert all(warning in cells.text for warning in found.warnings)


def test_a_summary_shows_its_figures_and_intervals():
    figures = [Estimate(0.9 - 0.1 * k, 0.85 - 0.1 * k, 0.95 - 0.1 * k) for k in range(5)]
    summary = Summary(*figures, Estimate(41.0, 30.0, 55.0), n_transfers=50, n_points=400)
    shown = {row[0]: row[1:] for row in Cells(summary._repr_html_()).rows}
    assert shown["points right on at least 95 % of the chips"] == ["0.600", "0.550", "0.650"]
    assert shown["points undecided at 95 %"] == ["41", "30", "55"] and len(shown) == 7


def test_a_programming_report_shows_outcomes_and_the_error_of_each_pass():
    targets = np.array([[100, 200, np.nan], [300, 400, 500]]) * uS
    outcomes = np.array([["converged", "converged", ""], ["converged", "stuck_high", "budget"]])
    readings = np.stack([targets * 1.1, targets * [[1.005, 1.0, 1.0], [0.98, 1.5, 1.02]]])
    report = ProgramReport(targets, ~np.isnan(targets), outcomes, np.full((2, 3), 7), readings, 0.01, True)
    shown = {row[0]: row[1] for row in Cells(report._repr_html_()).rows if len(row) == 2}
    assert shown["pulses"] == "42" and shown["converged"] == "3" and shown["stuck_high"] == shown["budget"] == "1"
    assert shown["within 1 % as last read"] == "2"
    rms = 100 * np.sqrt((0.005**2 + 2 * 0.02**2) / 4)  # of the four that are not stuck
    assert shown["after pass 0"] == "10 %" and float(shown["after pass 1"].rstrip(" %")) == pytest.approx(rms, rel=5e-3)


def test_a_device_without_effects_is_said_to_be_so():
    headings = [row[0] for row in Cells(Device(1e-4, 5e-4)._repr_html_()).rows if len(row) == 1]
    assert headings == ["window: not stated", "tuning: off", "disturb: off", "stuck: off", "lines: off"]
