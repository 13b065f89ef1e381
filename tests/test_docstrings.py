"""Every public function says what it takes and gives, with units, and stays short."""

import ast
import re

import pytest
from conftest import ROOT

FILES = sorted((ROOT / "tiocross").rglob("*.py"))
UNIT = re.compile(r"\[[^\]]+\]|\(unitless|siemens|\bfile\b|\bname\b|Title|label", re.IGNORECASE)
PROSE = {"source", "name", "title", "colour"}  # text, which has no unit
LONGEST_FUNCTION = 40  # lines of code without docstring, blank lines and comments


def functions(tree, inside=None):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield node, inside
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, node)


def is_public(node, owner):
    return not node.name.startswith("_") and (owner is None or not owner.name.startswith("_"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_names_have_docstrings(path):
    tree = ast.parse(path.read_text())
    if path.name != "__init__.py" or path.parent.name == "tiocross":
        assert ast.get_docstring(tree)
    for node, owner in functions(tree):
        if is_public(node, owner) and "commands" not in path.parts:
            assert ast.get_docstring(node), f"{path.name}: {node.name}"


def documented(docstring):
    """Names in the Parameters section, each with the text below it."""
    section = re.search(r"Parameters\n-+\n(.*?)(?=\n\n\w[\w ]*\n-+\n|\Z)", docstring, re.DOTALL)
    if not section:
        return {}
    entries = re.split(r"\n(?=\S)", section.group(1))
    found = {}
    for entry in entries:
        names, _, text = entry.partition(" : ")
        for name in names.split(","):
            found[name.strip().lstrip("*")] = text
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_parameter_is_documented_with_its_unit(path):
    if "kernels" in path.parts:
        return  # a symbol table at the top of the file instead
    for node, owner in functions(ast.parse(path.read_text())):
        docstring = ast.get_docstring(node) or ""
        if "Parameters\n" not in docstring or not is_public(node, owner):
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        names = {argument.arg for argument in arguments} - {"self", "cls"}
        names |= {argument.arg for argument in (node.args.vararg, node.args.kwarg) if argument}
        entries = documented(docstring)
        assert set(entries) == names, f"{path.name}: {node.name}: {set(entries) ^ names}"
        for name, text in entries.items():
            assert name in PROSE or UNIT.search(text), f"{path.name}: {node.name}: {name} states no unit"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_with_parameters_have_a_parameters_section(path):
    if {"kernels", "commands"} & set(path.parts) or path.name in ("errors.py", "cli.py"):
        return
    for node, owner in functions(ast.parse(path.read_text())):
        names = [a.arg for a in (*node.args.args, *node.args.kwonlyargs) if a.arg not in ("self", "cls")]
        docstring = ast.get_docstring(node) or ""
        if names and is_public(node, owner) and not node.name.startswith("__"):
            short = len(names) <= 2 and re.search(r"\[\w+\]|\(unitless\)|Generator|Raise|\bBool\b|Class of each", docstring)
            assert "Parameters\n" in docstring or short, f"{path.name}: {node.name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_and_modules_stay_short(path):
    text = path.read_text()
    lines = text.splitlines()
    longest = 550 if "kernels" in path.parts else 300  # a kernel file stands alone: numba's cache does not see others change
    assert len(lines) <= longest, f"{path.name} has {len(lines)} lines"
    assert max(map(len, lines), default=0) <= 125
    for node, _ in functions(ast.parse(text)):
        body = node.body[1:] if ast.get_docstring(node) else node.body
        if body:
            code = [line for line in lines[body[0].lineno - 1 : node.end_lineno] if line.strip() and line.strip()[0] != "#"]
            assert len(code) <= LONGEST_FUNCTION, f"{path.name}: {node.name} has {len(code)} lines"
        assert len(node.args.args) + len(node.args.kwonlyargs) <= 9 or path.parent.name in ("kernels", "commands"), node.name
