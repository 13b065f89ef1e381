"""Who may import whom, and what importing costs."""

import ast
import subprocess
import sys
from functools import lru_cache

import pytest
from conftest import ROOT

PACKAGE = ROOT / "tiocross"
GROUND = {"units", "errors", "checks", "records", "shown", "storage", "intervals", "jit", "vectors", "foreign", "sheets",
          "work", "ledger"}
# room -> rooms that it may import besides itself; arrows go only towards physics
ALLOWED = {
    **{module: set() for module in ("units", "errors", "checks", "jit", "vectors", "foreign")},
    "intervals": {"checks"},
    "sheets": {"checks", "foreign", "units"},
    "storage": {"checks"},
    "ledger": {"checks", "storage"},
    "work": {"checks", "errors"},
    "records": {"checks", "storage"},
    "shown": {"records", "units"},
    "tasks": GROUND,
    "circuit": GROUND,
    "devices": GROUND,
    "mapping": GROUND | {"devices"},
    "learning": GROUND | {"tasks", "devices", "mapping"},
    "periphery": GROUND | {"circuit"},
    "lab": GROUND | {"circuit", "devices", "mapping"},
    "transfers": GROUND | {"tasks", "circuit", "periphery", "devices", "mapping", "learning", "lab"},
    "plot": {"units"},
    "study": GROUND | {"tasks", "devices", "mapping", "periphery", "learning", "transfers", "plot"},
    "report": GROUND | {"devices", "lab", "plot"},
    "commands": GROUND | {"tasks", "circuit", "periphery", "devices", "mapping", "learning", "lab", "transfers", "plot",
                          "study", "report"},
    "__main__": {"commands"},
    "__init__": GROUND,
}
FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def room_of(module):
    return module.split(".")[0]


def is_typing_only(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@lru_cache(maxsize=None)
def imports_of(path):
    """Modules imported anywhere in a file, with whether at top level; what only type checkers see is left out."""
    return list(_find_imports(path))


def _find_imports(path):
    tree = ast.parse(path.read_text())
    unseen = {id(inner) for node in ast.walk(tree) if is_typing_only(node) for inner in ast.walk(node)}
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
            if id(node) not in unseen:
                yield name, node in tree.body


def test_rooms_keep_to_their_neighbours():
    wrong = []
    for path in FILES:
        module = module_of(path)
        room = room_of(module)
        for name, _ in imports_of(path):
            if name.split(".")[0] == "tiocross":
                other = room_of(name.removeprefix("tiocross."))
                if other != room and other not in ALLOWED[room] | {"__version__"}:
                    wrong.append(f"{module} must not import {name}")
    assert wrong == []


def test_heavy_and_foreign_packages_stay_where_they_belong():
    wrong = []
    for path in FILES:
        module = module_of(path)
        for name, _ in imports_of(path):
            top = name.split(".")[0]
            allowed = {"numba": module in ("jit", "vectors"), "llvmlite": module == "vectors", "matplotlib": room_of(module) == "plot"}.get(
                top, top not in {"scipy", "torch", "pandas", "sklearn"})
            if not allowed:
                wrong.append(f"{module} must not import {name}")
    assert wrong == []


def test_tensors_and_networks_know_no_device():
    for name in ("tensor", "network"):
        assert not any(part in other for other, _ in imports_of(PACKAGE / "learning" / f"{name}.py")
                       for part in ("devices", "mapping"))


def test_kernel_files_depend_on_kernel_files_alone():
    kernels = [path for path in FILES if path.stem.endswith("_kernel")]
    assert len(kernels) >= 5
    for path in kernels:  # the cache sees a change in another file only where helpers come from it
        ours = {name for name, _ in imports_of(path) if name.startswith("tiocross")}
        assert all(name in ("tiocross.jit", "tiocross.vectors") or name.endswith("_kernel") for name in ours), path


def test_imports_stand_at_the_top_except_where_start_up_needs_them():
    inner = {(module_of(path), name) for path in FILES for name, at_top in imports_of(path) if not at_top}
    assert inner == {("__main__", "tiocross.commands.main")}


def test_no_cycles():
    graph = {}
    for path in FILES:
        module = "tiocross." + module_of(path).removesuffix(".__init__")
        graph[module] = {name for name, _ in imports_of(path) if name.startswith("tiocross.")} - {module}
    done = set()

    def visit(module, trail):
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for other in graph.get(module, ()):
                if not module.startswith(f"{other}."):
                    visit(other, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_modules_share_no_name_with_what_they_export():
    import tiocross

    assert [name for name, home in tiocross._HOMES.items() if home.split(".")[-1] == name] == []


def run(code, **options):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("start", [
    "import tiocross",
    "from tiocross.commands.main import main\ntry: main(['--help'])\nexcept SystemExit: pass"])
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
