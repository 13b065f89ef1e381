"""Matplotlib imported, whatever backend or settings file the surroundings name: tiocross draws to files only."""

import contextlib
import importlib
import os
import sys


def _import_matplotlib():
    """Import it; what the environment names is set afterwards, for pyplot, if there is such a backend."""
    if "matplotlib" in sys.modules:
        return
    wanted = os.environ.pop("MPLBACKEND", None)  # a notebook's is unknown to its sub-processes, and stops the import
    try:
        try:
            matplotlib = importlib.import_module("matplotlib")
        except (ValueError, OSError):  # a matplotlibrc that is no text, or may not be read
            matplotlib = _import_without_settings()
    finally:
        if wanted is not None:
            os.environ["MPLBACKEND"] = wanted
    if wanted:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = wanted


def _import_without_settings():
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        del sys.modules[name]  # what the first attempt left
    own = os.environ.get("MATPLOTLIBRC")
    os.environ["MATPLOTLIBRC"] = os.devnull
    try:
        return importlib.import_module("matplotlib")
    finally:
        if own is None:
            del os.environ["MATPLOTLIBRC"]
        else:
            os.environ["MATPLOTLIBRC"] = own


_import_matplotlib()
