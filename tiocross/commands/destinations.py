"""Where a command may write."""

import os
from pathlib import Path

from tiocross.storage import replacing, require_folder


def require_no_input(out, *inputs):
    """Raise ValueError if the file to be written is one that is read."""
    for path in inputs:
        if Path(out).exists() and Path(path).exists() and os.path.samefile(out, path):
            raise ValueError(f"--out {out} would take the place of {path}, which is read; choose another with --out")


def require_free_folder(folder, names, overwrite):
    """Raise ValueError unless files of these names can be written in a folder and take the place of nothing, or may."""
    require_folder(folder)
    there = [folder / name for name in names if (folder / name).exists()]
    if there and not overwrite:
        raise ValueError(f"{there[0]} exists already; choose another folder with --out, or replace it with --overwrite")


def save_figure(figure, *paths):
    """Write a figure in every kind that the paths name, each whole or not at all."""
    for path in paths:
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=120)
