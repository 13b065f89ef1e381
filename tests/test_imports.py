"""Who may import whom, and what importing costs."""

import ast
import subprocess
import sys

import pytest
from conftest import ROOT

PACKAGE = ROOT / "tiocross"
LEAVES = {"units", "errors", "storage"}
# room -> rooms of tiocross it may import, besides itself
ALLOWED = {
    "units": set(), "errors": set(), "storage": set(),
    "circuit.kernels": set(),
    "learning.kernels": {"circuit.kernels"},  # the file of jit options
    "experiment.kernels": {"circuit.kernels"},
    "datasets": LEAVES,
    "tasks": LEAVES | {"datasets"},
    "circuit": LEAVES | {"circuit.kernels"},
    "devices": LEAVES,
    "mapping": LEAVES | {"devices"},
    "learning": LEAVES | {"datasets", "devices", "mapping", "learning.kernels"},
    "lab": LEAVES | {"circuit", "devices", "mapping"},
    "experiment": LEAVES | {"circuit", "datasets", "devices", "lab", "mapping", "learning", "experiment.kernels"},
    "plot": {"units"},
    "plot_circuits": {"units", "plot"},
    "plot_lab": {"units", "plot"},
    "plot_comparison": {"units", "plot"},
}
FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def room_of(module):
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[1:2] == ["kernels"] else parts[0]


def imports_of(path):
    """Modules imported anywhere in a file, with whether at top level."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module]
            if node.module == "tiocross":
                names = [f"tiocross.{alias.name}" for alias in node.names]
        for name in names:
            yield name, node in tree.body


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_keep_to_their_neighbours(path):
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    room = room_of(module)
    for name, _ in imports_of(path):
        top = name.split(".")[0]
        if top == "tiocross" and room in ALLOWED:
            other = room_of(name.removeprefix("tiocross."))
            assert other == room or other in ALLOWED[room], f"{module} must not import {name}"
        if top == "numba":
            assert room.endswith("kernels"), f"{module} must not import numba"
        if top == "matplotlib":
            assert room in ("plot", "plot_circuits", "plot_lab", "plot_comparison"), f"{module} must not import matplotlib"
        assert top not in {"scipy", "torch", "pandas", "sklearn"}
    if module == "learning.autograd" or module == "learning.network":
        assert not any("devices" in name or "mapping" in name for name, _ in imports_of(path))


def test_kernel_files_stand_alone():
    for folder in ("circuit", "learning", "experiment"):
        for path in (PACKAGE / folder / "kernels").glob("*.py"):
            names = [name for name, _ in imports_of(path) if name.startswith("tiocross")]
            assert names in ([], ["tiocross.jit"])


def test_function_level_imports_only_where_start_up_needs_them():
    inner = {(path.name, name) for path in FILES for name, at_top in imports_of(path) if not at_top}
    assert inner == {("__main__.py", "tiocross.commands.main"),
                     ("crossbar.py", "tiocross.circuit.readout")}  # a Crossbar's own reader, which solves crossbars


def test_no_cycles():
    graph = {}
    for path in FILES:
        module = ".".join(("tiocross", *path.relative_to(PACKAGE).with_suffix("").parts))
        graph[module] = {name for name, at_top in imports_of(path) if at_top and name.startswith("tiocross.")}
    done = set()

    def visit(module, trail):
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_modules_share_no_name_with_what_they_export():
    import tiocross

    for name, home in tiocross._HOMES.items():
        assert home.split(".")[-1] != name


def run(code, **options):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("start", ["import tiocross", "from tiocross.commands.main import main\ntry: main(['--help'])\nexcept SystemExit: pass"])
def test_starting_is_cheap_and_loads_neither_numba_nor_matplotlib(start):
    report = run(f"import time, sys\nbefore = time.process_time()\n{start}\n"
                 "print('cpu', time.process_time() - before, 'numba' in sys.modules, 'matplotlib' in sys.modules)")
    _, seconds, numba, matplotlib = report.splitlines()[-1].split()
    assert (numba, matplotlib) == ("False", "False")
    assert float(seconds) < 0.3


def test_importing_everything_changes_nothing_and_prints_nothing():
    code = ("import importlib, logging, os, pkgutil, signal, sys, warnings\n"
            "import numpy\n"
            "before = (signal.getsignal(signal.SIGINT), dict(os.environ), list(logging.root.handlers), numpy.geterr())\n"
            "import tiocross\n"
            "for module in pkgutil.walk_packages(tiocross.__path__, 'tiocross.'):\n"
            "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
            "for name in tiocross.__all__: getattr(tiocross, name)\n"
            "after = (signal.getsignal(signal.SIGINT), dict(os.environ), list(logging.root.handlers), numpy.geterr())\n"
            "assert before == after\n"
            "assert 'matplotlib.pyplot' not in sys.modules\n")
    assert run(code) == ""


def test_unknown_name_is_an_attribute_error():
    import tiocross

    with pytest.raises(AttributeError, match="no attribute 'Crosbar'"):
        tiocross.Crosbar  # noqa: B018
    assert set(dir(tiocross)) >= {"Crossbar", "transfer", "TIO2"}
