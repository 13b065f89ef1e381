"""The authors' coordinates, from the script that alone uses them: a mapping that is none of tiocross's own."""

import importlib.util
import sys

from conftest import ROOT


def _load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_load("options")  # which the script has beside it
_script = _load("paper_coordinates")
SignedCoordinates, arrange_signed = _script.SignedCoordinates, _script.arrange_signed
