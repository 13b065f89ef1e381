"""The scripts run as they stand, on small numbers."""

import subprocess
import sys

from conftest import ROOT


def run(name, *arguments):
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / name), *arguments], capture_output=True, text=True, cwd=ROOT,
                          check=True)
    assert done.stderr == ""
    return done.stdout


def test_paper_coordinates_prints_both_networks_under_both_mappings():
    output = run("paper_coordinates.py", "--seeds", "2", "--transfers", "200", "--steps", "50")
    rows = [line.split()[:2] for line in output.splitlines() if line.startswith(("regular", "hardware-aware"))]
    assert rows == [["regular", "signed"], ["regular", "pairs"], ["hardware-aware", "signed"], ["hardware-aware", "pairs"]]
    assert "the paper: regular 0.185, hardware-aware 0.795" in output
