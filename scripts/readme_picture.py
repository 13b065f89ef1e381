"""Draw the picture of the README: how much of its accuracy each way of training keeps on a chip.

    tiocross compare --only regular "hardware-aware (paper)" ROBUST    (or all rows; it writes results/compare)
    python scripts/readme_picture.py [--results DIR] [--out FILE]
"""

import argparse
import io
import statistics
from pathlib import Path

from options import make_folder, require_file_place
from PIL import Image
from readme_tables import ROOT, Results

from tiocross import plot

SHOWN = {  # row of the comparison: what a reader who does not know it is told
    "regular, the paper's budget": "regular training",
    "regular": "regular, rate chosen for robustness",
    "straight line, robustly trained": "a straight line, robustly trained",
    "hardware-aware (paper)": "hardware-aware training (Drolet et al.)",
    "hardware-aware, centred inputs": "hardware-aware, centred inputs",
    "Gaussian noise, drop-connect": "Gaussian noise and drop-connect",
    "ROBUST": "ROBUST, the recipe of tiocross",
    "ROBUST, each unit 3 times": "ROBUST, each hidden unit 3 times",
}
BLUE, ORANGE = "#0072b2", "#d55e00"  # of Okabe and Ito: told apart by any eye, and in grey


def draw(run):
    """A figure with one line for each row: accuracy in software, and the share of points that is robust."""
    names = [name for name in SHOWN if name in run.names]
    figure, axes = plot.new_figure(width=8, height=1.5 + 0.38 * len(names))
    panel = axes[0, 0]
    for place, name in enumerate(names):
        nominal = statistics.fmean(run.values(name, "nominal_accuracy", run.wires[0]))
        robust = run.values(name, "robust_fraction_95", run.wires[0])
        mean, spread = statistics.fmean(robust), statistics.stdev(robust) if len(robust) > 1 else 0.0
        panel.plot([mean, nominal], [place, place], color="0.8", linewidth=3, solid_capstyle="butt", zorder=1)
        panel.errorbar(mean, place, xerr=spread, fmt="o", color=BLUE, markersize=7, capsize=3, zorder=3,
                       label="" if place else "robust: right on at least 95 % of the chips")
        panel.plot(nominal, place, "D", color=ORANGE, markerfacecolor="white", markersize=7, markeredgewidth=1.6, zorder=2,
                   label="" if place else "nominal: right in software")
    devices = [run.values(name, "n_devices", run.wires[0])[0] for name in names]
    panel.set_yticks(range(len(names)), [f"{SHOWN[name]}  [{n} devices]" for name, n in zip(names, devices)])
    panel.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, 1.02), xlabel="share of the test points")
    panel.grid(axis="x", color="0.9")
    panel.set_axisbelow(True)
    figure.suptitle(f"Half moons, {run.n_chips} simulated TiO2 chips a network, wires without resistance;\n"
                    f"mean and standard deviation over {run.n_seeds} training seeds", fontsize=10)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=10)
    return figure


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "compare", metavar="DIR", help="of tiocross compare")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "pictures" / "robustness.png", metavar="FILE",
                        help="the picture (default: %(default)s)")
    arguments = parser.parse_args(arguments)
    make_folder(parser, arguments.out.parent)
    require_file_place(parser, "--out", arguments.out)
    try:
        results = Results(arguments.results)
    except (OSError, ValueError, KeyError) as error:
        parser.error(f"--results {arguments.results} holds no results of tiocross compare: {error}")
    drawn = io.BytesIO()
    with plot.house_style():
        draw(results).savefig(drawn, dpi=130)
    Image.open(drawn).convert("RGB").quantize(48).save(arguments.out, optimize=True)  # few colours: a small file
    print(arguments.out)


if __name__ == "__main__":
    main()
