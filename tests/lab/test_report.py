"""The report of a programming run: saved and read back, damaged files, short prints."""

import json

import numpy as np
import pytest
from lab_cases import random_chip

from tiocross import MLP, TIO2, ProgramReport, PulseScheme, SimulatedCrossbar, plan, program_array
from tiocross.units import uS


def make_report(**options):
    chip, targets = random_chip((3, 4), seed=3, stuck=[(1, 2)], silent=[(0, 1)], disturb=0.0005)
    targets[2, 3] = np.nan
    return program_array(chip, targets, PulseScheme(), **options)


def require_equal(one, other):
    for name in ("targets", "mask", "outcomes", "n_pulses", "readings", "tolerance", "complete"):
        assert np.array_equal(getattr(one, name), getattr(other, name), **({"equal_nan": True} if name in ("targets", "readings")
                                                                           else {})), name
        assert np.asarray(getattr(one, name)).dtype == np.asarray(getattr(other, name)).dtype


@pytest.mark.parametrize("options", [{}, {"should_stop": lambda: True}])
def test_a_report_comes_back_to_the_bit(tmp_path, options):
    report = make_report(**options)
    report.save(tmp_path / "report.json")
    back = ProgramReport.load(tmp_path / "report.json")
    require_equal(back, report)
    require_equal(ProgramReport.from_dict(report.to_dict()), report)
    assert back.summary() == report.summary() and (report.n_passes == 0) == bool(options)
    json.loads((tmp_path / "report.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize("change, text", [
    ({"format": "tiocross program report 9"}, "is not a report of this version"), ({"targets [S]": None}, "malformed|targets"),
    ({"mask": [[True]]}, r"mask of the report must have shape \(3, 4\)"), ({"complete": 1}, "malformed"),
    ({"outcomes": [["odd"] * 4] * 3}, "the unknown outcome 'odd'"), ({"tolerance [-]": "small"}, "malformed|tolerance"),
    ({"readings [S]": [[1e-4]]}, "readings"), ({"n_pulses [-]": [["many"] * 4] * 3}, "could not convert|malformed"),
])
def test_a_damaged_report_is_named(tmp_path, change, text):
    content = {**make_report().to_dict(), **change}
    (tmp_path / "report.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"report.json: .*({text})"):
        ProgramReport.load(tmp_path / "report.json")
    for key in content:
        with pytest.raises(ValueError, match="this version|lacks"):
            ProgramReport.from_dict({name: value for name, value in make_report().to_dict().items() if name != key})


def test_reports_plans_and_chips_print_short():
    report = make_report()
    assert str(report) == report.summary() and len(repr(report)) < 150 and "\n" not in repr(report)
    made = plan(MLP(2, 8, 1, rng=np.random.default_rng(7)), TIO2)
    assert repr(made) == str(made) == (f"Plan(4 of 8 x 8: 66 devices to program, 0 known to be stuck; {TIO2.name}, 100 to 500 uS "
                                       f"within 1 %; network {made.network_sha256[:12]}...)")
    chip = SimulatedCrossbar((3, 2), rng=np.random.default_rng(1), stuck=[[np.nan, 5 * uS], [np.nan] * 2, [np.nan] * 2])
    chip.pulse(0, 0, 1.5, 1e-6)
    assert repr(chip) == "SimulatedCrossbar(3 x 2, 1 stuck, 2 ohm a segment, V/2 pulses, grounded reads; 1 pulses, 0 reads)"
