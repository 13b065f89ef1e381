"""The results folder of a study: networks, rows, provenance, figures; every file whole or absent."""

import hashlib
import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

from tiocross import __version__
from tiocross.storage import replacing, require_folder, save_json, save_text

_MARK = "tiocross"  # in the provenance file: the folder was written by a run
_FIGURES = ("decision_maps", "rate_curves", "accuracy_histograms", "conductance_maps", "methods", "conditions")
_KINDS = ("png", "pdf")


class ResultsFolder:
    """Where a run writes. A new run takes the place of an earlier one in the same folder.

    `begin` makes the folder. It is refused (ValueError, nothing is changed) where it cannot be made or written to, or
    holds files that no run of tiocross wrote.
    """

    def __init__(self, path):
        if not str(path):
            raise ValueError("the output folder needs a name; got an empty one")
        self.path = Path(path)
        require_folder(self.path)
        if self.path.is_dir() and any(self.path.iterdir()) and self._earlier_provenance() is None:
            raise ValueError(f"the output folder {self.path} holds files that tiocross did not write; "
                             "choose another with --out")

    def _earlier_provenance(self):
        """What an earlier run wrote; None if there was none."""
        try:
            content = json.loads((self.path / "provenance.json").read_text(encoding="utf-8"))
            return content if _MARK in content["versions"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def begin(self):
        """Make the folder; remove what an earlier run left in it, and nothing else."""
        earlier = self._earlier_provenance() or {}
        (self.path / "networks").mkdir(parents=True, exist_ok=True)
        ours = [self.path / name for name in ("summary.json", "table.txt", "curves.json", "report.html")]
        ours += [self.path / f"{figure}.{kind}" for figure in _FIGURES for kind in _KINDS]
        for recipe in earlier.get("recipes", ()):
            ours += (self.path / "networks").glob(f"{file_name(recipe['name'])}_seed*.npz")
        for file in ours:
            file.unlink(missing_ok=True)

    def save_network(self, network, recipe, seed):
        """Write one trained network."""
        network.save(self.path / "networks" / f"{file_name(recipe.name)}_seed{seed}.npz")

    def save_rows(self, rows, study, *, complete):
        """Write ``summary.json`` with the rows finished so far."""
        task, settings = study.task, study.settings
        self.save_json("summary.json", {
            "schema": 1,
            "complete": complete,
            "n_transfers": settings.n_transfers,
            "seeds": list(settings.seeds),
            "wire_resistances": list(settings.wire_resistances),
            "data": {"source": task.source, "n_train": len(task.train), "n_validation": len(task.validation or ()),
                     "n_test": len(task.test), **task.overlaps},
            "rows": rows,
        })

    def save_provenance(self, **facts):
        """Write ``provenance.json``: versions, machine kind, arguments, and what the caller adds."""
        packages = {name: metadata.version(name) for name in ("numpy", "numba", "matplotlib")}
        self.save_json("provenance.json", {
            "versions": {_MARK: __version__, "python": platform.python_version(), **packages},
            "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
            "arguments": sys.argv[1:],
            **facts,
        })

    def save_json(self, name, content):
        """Write a JSON file."""
        save_json(self.path / name, content)

    def save_text(self, name, text):
        """Write a text file."""
        save_text(self.path / name, text)

    def save_figure(self, figure, name):
        """Write a figure, one of those that `begin` removes, as PNG and PDF."""
        if name not in _FIGURES:
            raise ValueError(f"figure {name!r} must be one of {', '.join(_FIGURES)}, so that the next run removes it")
        for kind in _KINDS:
            with replacing(self.path / f"{name}.{kind}") as temporary:
                figure.savefig(temporary, dpi=120)
            figure.set_layout_engine("none")  # laid out once; doing it again takes as long as drawing


def file_name(name):
    """File name for a recipe: letters and digits joined by single underscores."""
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name).split())


def task_sha256(task):
    """SHA-256 of all points and labels, to tell data sets apart."""
    digest = hashlib.sha256()
    for part in task.parts.values():
        digest.update(np.ascontiguousarray(part.points).tobytes() + part.labels.tobytes())
    return digest.hexdigest()
