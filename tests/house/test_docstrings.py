"""Exported names say what they take and give, with units; everything has a short docstring and stays short."""

import ast
import importlib
import inspect
import re

import tiocross
from conftest import ROOT

FILES = sorted((ROOT / "tiocross").rglob("*.py"))
UNIT = re.compile(r"\[[^\]]+\]|\(unitless")
NUMERIC = re.compile(r"ndarray|array_like|\bfloat\b|\bint\b")
LONGEST_FUNCTION = 40  # lines of code without docstring, blank lines and comments
MOST_PARAMETERS, MOST_OF_EXPORTED = 8, 18  # `transfer`: network, points, chips and what becomes of them, and how the work is done
LONGEST_BACK_ROOM = 3  # lines of a docstring of what is not exported


def functions(tree, inside=None):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield node, inside
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, node)


def exported():
    """(name, object) of every exported function and class, of the public methods of the classes, of tasks and of plot."""
    public = {name: getattr(tiocross, name) for name in tiocross._HOMES}
    public |= {f"tasks.{name}": getattr(tiocross.tasks, name) for name in tiocross.tasks.__all__}
    for name, thing in public.items():
        if inspect.isclass(thing) or inspect.isfunction(thing):
            yield name, thing
        if inspect.isclass(thing) and thing.__module__.startswith("tiocross"):
            for inner, member in vars(thing).items():
                if not inner.startswith("_") and (inspect.isfunction(member) or isinstance(member, classmethod)):
                    yield f"{name}.{inner}", getattr(thing, inner)
    for name in tiocross.plot.__all__:
        if inspect.isfunction(getattr(tiocross.plot, name)):
            yield f"plot.{name}", getattr(tiocross.plot, name)


def sections(docstring):
    """Entries of Parameters, Attributes and Returns: (heading, type text or names, description)."""
    for match in re.finditer(r"(Parameters|Attributes|Returns|Yields)\n-+\n(.*?)(?=\n\n\w[\w ]*\n-+\n|\Z)", docstring, re.DOTALL):
        for entry in re.split(r"\n(?=\S)", match.group(2)):
            head, _, text = entry.partition("\n")
            yield match.group(1), head, text


def test_everything_has_a_docstring():
    bare = []
    for path in FILES:
        tree = ast.parse(path.read_text())
        if not ast.get_docstring(tree):
            bare.append(str(path.relative_to(ROOT)))
        for node, owner in functions(tree):
            public = not node.name.startswith("_") and (owner is None or not owner.name.startswith("_"))
            if public and "commands" not in path.parts and not ast.get_docstring(node):
                bare.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert bare == []


def test_exported_names_document_every_parameter():
    wrong = []
    for name, thing in exported():
        docstring = inspect.getdoc(thing) or ""
        try:
            taken = {n.lstrip("*") for n in inspect.signature(thing).parameters} - {"self", "cls"}
        except ValueError:
            continue
        if inspect.isclass(thing) and (issubclass(thing, Exception) or getattr(thing, "_is_protocol", False)):
            continue
        found = {part.strip().lstrip("*") for heading, head, _ in sections(docstring) if heading == "Parameters"
                 for part in head.partition(" : ")[0].split(",")}
        short = "." in name and len(taken) <= 3 and not found  # a method of one line of prose
        if taken and not short and found != taken:
            wrong.append(f"{name}: {sorted(found ^ taken)}")
    assert wrong == []


def test_numbers_carry_units_and_nothing_else_does():
    wrong = []
    for name, thing in exported():
        for heading, head, text in sections(inspect.getdoc(thing) or ""):
            kind = head.partition(" : ")[2] or (head if heading in ("Returns", "Yields") else "")
            numeric = bool(NUMERIC.search(kind)) and not re.search(r"Tensor\b", kind)
            if numeric and not UNIT.search(text + head):
                wrong.append(f"{name}: {head.strip()} states no unit")
            if not numeric and "(unitless" in text:
                wrong.append(f"{name}: {head.strip()} is no number, but states that it has no unit")
    assert wrong == []


def test_exported_verbs_show_an_example():
    verbs = [(name, thing) for name, thing in exported() if inspect.isfunction(thing) and thing.__name__ == thing.__qualname__]
    assert [name for name, thing in verbs if "Examples\n--------" not in (inspect.getdoc(thing) or "")] == []


def test_exported_names_are_annotated():
    bare = []
    for name, thing in exported():
        if not inspect.isclass(thing):
            signature = inspect.signature(thing)
            places = [place for place in signature.parameters.values() if place.name not in ("self", "cls")]
            bare += [f"{name}: {place.name}" for place in places if place.annotation is place.empty]
            bare += [f"{name}: result"] if signature.return_annotation is signature.empty else []
    assert bare == []


def test_back_rooms_keep_docstrings_short():
    shown = {(thing.__module__, thing.__qualname__) for _, thing in exported()}
    shown_classes = {(module, name.split(".")[0]) for module, name in shown if isinstance(
        getattr(importlib.import_module(module), name.split(".")[0]), type)}
    long = []
    for path in FILES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for node, owner in functions(ast.parse(path.read_text())):
            if (module, node.name) in shown or owner and (module, owner.name) in shown_classes:
                continue
            lines = (ast.get_docstring(node) or "").count("\n") + 1
            if lines > LONGEST_BACK_ROOM:
                long.append(f"{path.relative_to(ROOT)}: {node.name} ({lines})")
    assert long == []


def test_functions_and_modules_stay_short():
    wrong, verbs = [], {thing.__qualname__ for _, thing in exported()}
    for path in FILES:
        text = path.read_text()
        lines = text.splitlines()
        longest = 550 if path.stem.endswith("_kernel") else 400
        if len(lines) > longest:
            wrong.append(f"{path.name} has {len(lines)} lines")
        if max(map(len, lines), default=0) > 125:
            wrong.append(f"{path.name} has a line of {max(map(len, lines))} characters")
        for node, owner in functions(ast.parse(text)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                code = [line for line in lines[body[0].lineno - 1 : node.end_lineno] if line.strip() and line.strip()[0] != "#"]
                if len(code) > LONGEST_FUNCTION:
                    wrong.append(f"{path.name}: {node.name} has {len(code)} lines")
            n_parameters = len([a for a in (*node.args.args, *node.args.kwonlyargs) if a.arg not in ("self", "cls")])
            name = f"{owner.name}.{node.name}" if owner else node.name
            most = MOST_OF_EXPORTED if name in verbs else MOST_PARAMETERS
            if n_parameters > most and not (path.stem.endswith("_kernel") or "commands" in path.parts):
                wrong.append(f"{path.name}: {node.name} takes {n_parameters} parameters")
    assert wrong == []


def test_files_of_tests_have_names_of_their_own():
    """Two of one name cannot be collected together."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert [name for name in names if names.count(name) > 1] == []
