"""The results folder of an experiment or comparison: networks, rows, provenance, figures; every file whole or absent."""

import hashlib
import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

import tiocross
from tiocross import plot
from tiocross.transfers.chips import CHIPS_PER_BLOCK, SimulatedChips
from tiocross.study.recipes import MORE_RECIPES, RECIPES, chip_generator
from tiocross.transfers.inference import PointClassifier
from tiocross.study.methods import COMPARED
from tiocross.storage import replacing, save_json
from tiocross.units import uS

MAPPED = ("regular", "straight line, robustly trained", "hardware-aware (paper)", "hardware-aware, centred inputs")
_MARK = "tiocross"  # in the provenance file: the folder was written by a run
FIGURES = ("decision_maps", "rate_curves", "accuracy_histograms", "conductance_maps")
_COMPARISON_FIGURES = ("methods", "conditions")


class ResultsFolder:
    """Where a run writes. A new run takes the place of an earlier one in the same folder.

    Parameters
    ----------
    path : str or Path
        The folder; `begin` makes it if it does not exist (unitless).

    Raises
    ------
    ValueError
        If it cannot be made or written to, or holds files that no run of tiocross wrote; nothing is changed then.
    """

    def __init__(self, path):
        if not str(path):
            raise ValueError("the output folder needs a name; got an empty one")
        self.path = Path(path)
        _require_writable(self.path)
        if self.path.is_dir() and any(self.path.iterdir()) and not self._is_ours():
            raise ValueError(f"the output folder {self.path} holds files that tiocross did not write; "
                             "choose another with --out")

    def _is_ours(self):
        try:
            return _MARK in json.loads((self.path / "provenance.json").read_text(encoding="utf-8"))["versions"]
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def begin(self):
        """Make the folder; remove what an earlier run left in it, and nothing else."""
        (self.path / "networks").mkdir(parents=True, exist_ok=True)
        ours = [self.path / name for name in ("summary.json", "table.txt", "curves.json")]
        ours += [self.path / f"{figure}.{kind}" for figure in (*FIGURES, *_COMPARISON_FIGURES) for kind in ("png", "pdf")]
        for recipe in (*RECIPES, *MORE_RECIPES, *COMPARED):
            ours += (self.path / "networks").glob(f"{slug(recipe.name)}_seed*.npz")
        for file in ours:
            file.unlink(missing_ok=True)

    def save_network(self, network, recipe, seed):
        """Write one trained network."""
        network.save(self.path / "networks" / f"{slug(recipe.name)}_seed{seed}.npz")

    def save_rows(self, rows, settings, moons, *, complete):
        """Write ``summary.json`` with the rows finished so far."""
        save_json(self.path / "summary.json", {
            "schema": 1,
            "complete": complete,
            "n_transfers": settings.n_transfers,
            "seeds": list(settings.seeds),
            "wire_resistances": list(settings.wire_resistances),
            "data": {"source": moons.source, "n_train": len(moons.train), "n_validation": len(moons.validation or ()),
                     "n_test": len(moons.test), **moons.overlaps},
            "rows": rows,
        })

    def save_provenance(self, **facts):
        """Write ``provenance.json``: versions, machine kind, arguments, and what the caller adds."""
        packages = {name: metadata.version(name) for name in ("numpy", "numba", "matplotlib")}
        save_json(self.path / "provenance.json", {
            "versions": {_MARK: tiocross.__version__, "python": platform.python_version(), **packages},
            "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
            "arguments": sys.argv[1:],
            **facts,
        })

    def save_text(self, name, text):
        """Write a text file."""
        with replacing(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def save_figure(self, figure, name):
        """Write a figure as PNG and PDF."""
        for kind in ("png", "pdf"):
            with replacing(self.path / f"{name}.{kind}") as temporary:
                figure.savefig(temporary, dpi=120)
            figure.set_layout_engine("none")  # laid out once; doing it again takes as long as drawing


def _require_writable(path):
    """Raise before a folder is made on the way to one that cannot be made."""
    resolved = path.resolve()
    existing = next(parent for parent in (resolved, *resolved.parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        what = "is not a folder" if not existing.is_dir() else "is not writable"
        raise ValueError(f"cannot write to the output folder {path}: {existing} {what}; choose another with --out")


def slug(name):
    """File name for a recipe: letters and digits joined by single underscores."""
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name).split())


def fingerprint(moons):
    """SHA-256 of all points and labels, to tell data sets apart."""
    digest = hashlib.sha256()
    for part in moons.parts.values():
        digest.update(np.ascontiguousarray(part.points).tobytes() + part.labels.tobytes())
    return digest.hexdigest()


def draw_figure(name, path, moons, device, settings, networks, outcomes):
    """Draw and save one figure.

    Parameters
    ----------
    name : str
        One of `FIGURES` (unitless).
    path : Path
        The results folder (unitless).
    moons : Task
        The data (unitless).
    device : Device
        The device of the chips (unitless).
    settings : ExperimentSettings
        Seeds and wires (unitless).
    networks : dict
        (recipe name, seed) to MLP (unitless).
    outcomes : dict
        (recipe name, seed, wire resistance) to (rates, accuracies) (unitless).
    """
    makers = {"decision_maps": lambda: _decision_maps(moons, device, settings, networks, outcomes),
              "rate_curves": lambda: _rate_curves(settings, outcomes),
              "accuracy_histograms": lambda: _accuracy_histograms(settings, outcomes),
              "conductance_maps": lambda: _conductance_maps(device, settings, networks)}
    ResultsFolder(path).save_figure(makers[name](), name)


def _decision_maps(moons, device, settings, networks, outcomes):
    seed, resistance = settings.seeds[0], settings.wire_resistances[-1]
    low, high = moons.test.points.min(axis=0), moons.test.points.max(axis=0)
    grid = tuple(np.linspace(a, b, 120) for a, b in zip(low - 0.05, high + 0.05))
    points = np.stack(np.meshgrid(*grid), axis=-1).reshape(-1, 2)
    figure, axes = plot.new_figure(2, 2, width=10, height=8)
    for panel, name in zip(axes.flat, MAPPED):
        network = networks[name, seed]
        chips = SimulatedChips(network, device, wire_resistance=resistance, rng=chip_generator(seed))
        shares = PointClassifier(network, points).classify(chips.block(0)).mean(axis=0).reshape(120, 120)
        nominal = network.logits(points).reshape(120, 120)
        plot.decision_map(panel, grid, shares, nominal, moons.test, outcomes[name, seed, resistance][0], title=name)
    plot.decision_colour_bars(figure, axes)
    for handle in axes[0, 0].legend(loc="lower left", fontsize=8).legend_handles:
        handle.set(array=None, facecolor="0.5")  # the marker tells the class; colour is the rate
    figure.suptitle(f"Seed {seed}, {resistance:g} ohm per wire segment. Solid: boundary in software. "
                    f"Dashed: 5 % and 95 % of {CHIPS_PER_BLOCK} chips answer class 1.", fontsize=10)
    return figure


def _rate_curves(settings, outcomes):
    figure, axes = plot.new_figure(1, len(settings.wire_resistances), width=5.6 * len(settings.wire_resistances), height=4.6)
    for panel, resistance in zip(axes[0], settings.wire_resistances):
        rates = {name: [outcomes[name, seed, resistance][0] for seed in settings.seeds] for name in MAPPED}
        plot.rate_curves(panel, rates, title=f"{resistance:g} ohm per wire segment")
    axes[0, 0].legend(fontsize=8, loc="lower left")
    figure.suptitle(f"Mean and range over {len(settings.seeds)} training seed(s)", fontsize=10)
    return figure


def _accuracy_histograms(settings, outcomes):
    n_columns = len(settings.wire_resistances)
    lowest = min(outcomes[name, seed, resistance][1].min() for name in MAPPED for seed in settings.seeds
                 for resistance in settings.wire_resistances)
    figure, axes = plot.new_figure(len(MAPPED), n_columns, width=5 * n_columns, height=1.75 * len(MAPPED))
    for k, name in enumerate(MAPPED):
        for panel, resistance in zip(axes[k], settings.wire_resistances):
            accuracies = np.concatenate([outcomes[name, seed, resistance][1] for seed in settings.seeds])
            plot.accuracy_histogram(panel, accuracies, lowest=lowest, colour=plot.COLOURS[k],
                                    title=f"{name}, {resistance:g} ohm per segment")
            panel.label_outer()
    figure.suptitle(f"All chips of {len(settings.seeds)} training seed(s) together. Dashed: mean. Dotted: 5th percentile.",
                    fontsize=10)
    return figure


def _conductance_maps(device, settings, networks):
    name, seed = "hardware-aware (paper)", settings.seeds[0]
    chips = SimulatedChips(networks[name, seed], device, rng=chip_generator(seed))
    figure, axes = plot.new_figure(len(chips.targets), 3, width=13, height=3.2 * len(chips.targets))
    for layer, (row, target, states) in enumerate(zip(axes, chips.targets, chips.conductances(0))):
        programmed = states[0]
        window = (min(target.min(), programmed.min()), max(target.max(), programmed.max()))
        plot.conductance_map(row[0], target, title=f"layer {layer + 1}, target", window=window)
        plot.conductance_map(row[1], programmed, title=f"layer {layer + 1}, programmed (chip 0)", window=window)
        plot.conductance_map(row[2], programmed - target, title="programmed - target", window=(-40 * uS, 40 * uS),
                             difference=True)
    figure.suptitle(f"{name}, seed {seed}: bit lines 2 j and 2 j + 1 are the plus and minus side of output j", fontsize=10)
    return figure
