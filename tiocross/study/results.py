"""The results folder of a study: networks, rows, provenance, figures; every file whole or absent."""

import contextlib
import hashlib
import json
import os
import platform
import re
import shlex
import sys
from datetime import datetime, timezone
from importlib import metadata

import numpy as np

from tiocross import __version__
from tiocross.checks import as_path
from tiocross.storage import TEMPORARY, locked_folder, replacing, require_folder, save_json, save_text
from tiocross.study.choosing import N_CHIPS, SEEDS
from tiocross.ledger import remove_ledger
from tiocross.study.conclusions import conclude
from tiocross.study.finished import file_name, ledger_path
from tiocross.study.tables import format_csv, format_latex
from tiocross.study.words import NOT_MEANT, describe_chips

_MARK = "tiocross"  # in the provenance file: the folder was written by a run
_FIGURES = ("decision_maps", "rate_curves", "accuracy_histograms", "conductance_maps", "methods", "conditions")
FIGURE_KINDS = ("png", "pdf")
_FILES = ("summary.json", "table.txt", "table.csv", "table.tex", "curves.json", "report.html")
_HIDDEN = re.compile(rf"\.lock|{TEMPORARY.pattern}")


class ResultsFolder:
    """Where a run writes. One rule for earlier results: they are only replaced by a run that may ``overwrite``.

    Making it and `require_free` change nothing; they refuse (ValueError) a folder that cannot be made or written to, that
    holds files which no run of tiocross wrote, or results. `begin` makes the folder.
    """

    def __init__(self, path, *, overwrite=False, resume=False, kinds=FIGURE_KINDS):
        if overwrite and resume:
            raise ValueError("--resume goes on with earlier results, --overwrite replaces them; give one of them")
        if not str(path):
            raise ValueError("the output folder needs a name; got an empty one")
        self.path, self.overwrite, self.resume, self._kinds = as_path("folder", path), overwrite, resume, kinds
        require_folder(self.path)
        self.require_free()

    def require_free(self):
        """Raise ValueError unless a run may write here."""
        earlier = self._earlier_provenance()
        if earlier is None and self._holds_files_of_others():
            raise ValueError(f"the output folder {self.path} holds files that tiocross did not write; "
                             "choose another with --out")
        if self.resume and self._holds_results() and not ledger_path(self.path).exists():
            raise ValueError(f"the results in {self.path} are complete, or of a release that could not go on; there is "
                             "nothing to resume. Choose another folder with --out, or replace them with --overwrite")
        if earlier is not None and not self.overwrite and not self.resume and self._holds_results():
            also = ", or go on with --resume" if ledger_path(self.path).exists() else ""
            command = earlier.get("command") or " ".join(["tiocross", *map(str, earlier.get("arguments", ()))])
            raise ValueError(f"the output folder {self.path} holds results of an earlier run ({command}); choose another "
                             f"with --out, or replace them with --overwrite{also}")

    def locked(self):
        """A context in which no other process writes here; a last look whether the folder is free is part of it."""
        stack = contextlib.ExitStack()
        with stack:
            stack.enter_context(locked_folder(self.path))
            self.require_free()
            return stack.pop_all()

    def _earlier_provenance(self):
        """What an earlier run wrote; None if there was none."""
        try:
            content = json.loads((self.path / "provenance.json").read_text(encoding="utf-8"))
            return content if _MARK in content["versions"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _holds_files_of_others(self):
        """Whether there is more than a run leaves that died before its first file: hidden files and an empty folder."""
        if not self.path.is_dir():
            return False
        visible = [path for path in self.path.iterdir() if not _HIDDEN.fullmatch(path.name)]
        return any(path.name != "networks" or not path.is_dir() or any(path.iterdir()) for path in visible)

    def _holds_results(self):
        """Whether a row is finished there; a summary that cannot be read counts."""
        try:
            return bool(json.loads((self.path / "summary.json").read_text(encoding="utf-8"))["rows"])
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError):
            return True

    def begin(self):
        """Make the folder; remove what an earlier run left in it, and nothing else. Where a run goes on, all stays."""
        if self.resume and ledger_path(self.path).exists():
            return
        earlier = self._earlier_provenance() or {}
        networks = self.path / "networks"
        networks.mkdir(parents=True, exist_ok=True)
        ours = [self.path / name for name in _FILES]
        ours += [self.path / f"{figure}.{kind}" for figure in _FIGURES for kind in FIGURE_KINDS]
        for recipe in earlier.get("recipes", ()):
            ours += networks.glob(f"{file_name(recipe['name'])}_seed*.npz")
        ours += [path for folder in (self.path, networks) for path in folder.iterdir()
                 if TEMPORARY.fullmatch(path.name) and path.is_file()]
        for file in ours:
            file.unlink(missing_ok=True)
        remove_ledger(ledger_path(self.path))

    def save_network(self, network, recipe, seed):
        """Write one trained network."""
        network.save(self.path / "networks" / f"{file_name(recipe.name)}_seed{seed}.npz")

    def save_rows(self, rows, run, *, complete):
        """Write ``summary.json`` with the rows finished so far. Nothing in it depends on the machine."""
        study, task, settings = run.study, run.study.task, run.study.settings
        self.save_json("summary.json", {
            "schema": 2,
            "study": study.name,
            "complete": complete,
            "question": study.question,
            "conclusion": conclude(rows) if complete and rows else [],
            "assumptions": describe_chips(study),
            "not_meant": list(NOT_MEANT),
            "how_to_read": list(study.notes),
            "figures": [{"name": name, "caption": caption} for name, caption in study.captions.items()],
            "n_transfers": settings.n_transfers,
            "seeds": list(settings.seeds),
            "wire_resistances": list(settings.wire_resistances),
            "data": {"source": task.source, "n_train": len(task.train), "n_validation": len(task.validation or ()),
                     "n_test": len(task.test), **task.overlaps, **_describe_columns(task)},
            "arrays": [_describe_arrays(recipe, study) for recipe in settings.recipes],
            "choices": [describe_choice(choice, settings.recipes) for choice in run.choices],
            "rows": rows,
        })

    def save_tables(self, report, rows, costs):
        """Write what is printed, and the table as CSV and LaTeX."""
        self.save_text("table.txt", report)
        self.save_text("table.csv", format_csv(rows, costs))
        self.save_text("table.tex", format_latex(rows, costs))

    def save_provenance(self, **facts):
        """Write ``provenance.json``: versions, machine kind, arguments, and what the caller adds."""
        packages = {name: metadata.version(name) for name in ("numpy", "numba", "matplotlib")}
        self.save_json("provenance.json", {
            "versions": {_MARK: __version__, "python": platform.python_version(), **packages},
            "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
            "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "arguments": sys.argv[1:],
            "command": command_of(sys.argv[1:]),
            **facts,
        })

    def save_json(self, name, content):
        """Write a JSON file."""
        save_json(self.path / name, content)

    def save_text(self, name, text):
        """Write a text file."""
        save_text(self.path / name, text)

    def save_figure(self, figure, name):
        """Write a figure, one of those that `begin` removes, in every kind that the folder is to hold."""
        if name not in _FIGURES:
            raise ValueError(f"figure {name!r} must be one of {', '.join(_FIGURES)}, so that the next run removes it")
        for kind in self._kinds:
            with replacing(self.path / f"{name}.{kind}") as temporary:
                figure.savefig(temporary, dpi=120)
            figure.set_layout_engine("none")  # laid out once; doing it again takes as long as drawing


def command_of(arguments):
    """The command as one would type it."""
    return shlex.join(["tiocross", *map(str, arguments)])


def _describe_arrays(recipe, study):
    """Devices of a row's networks, and the arrays that they lie on."""
    sizes = recipe.sizes_for(study.task.train)
    sizes = (sizes[0], *(recipe.copies * size for size in sizes[1:-1]), sizes[-1])
    layout = recipe.layout(sizes, study.device)
    shapes = [" x ".join(map(str, used.shape)) for used in layout.used]
    text = ", ".join(f"{shapes.count(shape)} array(s) of {shape}" for shape in dict.fromkeys(shapes))
    return {"name": recipe.name, "n_devices": int(sum(used.sum() for used in layout.used)), "layout": text}


def _describe_columns(task):
    """Names of features and classes and the scaling of a task, where it has them."""
    scaling = task.scaling and {"offset": task.scaling.offset.tolist(), "scale": task.scaling.scale.tolist()}
    found = {"class_names": list(task.class_names), "feature_names": list(task.feature_names), "scaling": scaling}
    return {name: value for name, value in found.items() if value}


def describe_choice(choice, recipes):
    """A `Choice` as ``summary.json`` has it."""
    return {"name": choice.name, "values": choice.values, "text": choice.text, "at_edge": choice.at_edge,
            "grid": {name: sorted({values[name] for values, _ in choice.trials}) for name in choice.values},
            "shares": [[values, share] for values, share in choice.trials], "n_seeds": len(SEEDS), "n_chips": N_CHIPS,
            "rows": [recipe.name for recipe in recipes if recipe.chosen_as == choice.name]}


def short_name(name):
    """A name as one word of the command line: "robust-spread"."""
    return file_name(name).lower().replace("_", "-")


def task_sha256(task):
    """SHA-256 of all points and labels, to tell data sets apart."""
    digest = hashlib.sha256()
    for part in task.parts.values():
        digest.update(np.ascontiguousarray(part.points).tobytes() + part.labels.tobytes())
    return digest.hexdigest()
