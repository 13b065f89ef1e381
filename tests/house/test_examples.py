"""Examples in docstrings are run as they stand: each starts from nothing and imports what it needs."""

import doctest
import inspect
from importlib.resources import files

import pytest

import tiocross
from tiocross import plot, tasks

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def shown_things():
    """(module, name, object) of every exported name and of the functions of tiocross.tasks and tiocross.plot."""
    things = {name: getattr(tiocross, name) for name in tiocross._HOMES}
    for room in (tasks, plot):
        things |= {f"{room.__name__.split('.')[-1]}.{name}": getattr(room, name) for name in room.__all__}
    for name, thing in things.items():
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__module__.startswith("tiocross"):
            yield thing.__module__, name, thing


def documented(name, thing):
    """(name, docstring) of a function, or of a class and its public methods and properties."""
    yield name, inspect.getdoc(thing)
    if inspect.isclass(thing):
        for inner, member in vars(thing).items():
            if not inner.startswith("_") and (callable(member) or isinstance(member, (classmethod, staticmethod, property))):
                yield f"{name}.{inner}", inspect.getdoc(member)


THINGS = list(shown_things())


@pytest.mark.parametrize("module", sorted({module for module, _, _ in THINGS}))
def test_examples_of_a_module_show_what_comes_out(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said, seen = [], set()
    for _, name, thing in (entry for entry in THINGS if entry[0] == module):
        for title, docstring in documented(name, thing):
            if docstring and docstring not in seen:
                seen.add(docstring)
                example = doctest.DocTestParser().get_doctest(docstring, {}, title, module, 0)
                doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(example, out=said.append)
    assert not said, "".join(said)


def test_a_wrong_example_is_found():
    said = []
    example = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", "here", 0)
    doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(example, out=said.append)
    assert "Expected:\n    3\nGot:\n    2" in "".join(said)


def test_editors_see_the_names_that_are_imported_when_first_used():
    source = inspect.getsource(tiocross)
    block = source.partition("if TYPE_CHECKING:\n")[2].partition("\n\n")[0].splitlines()
    wanted = [f"    from tiocross import {name} as {name}" for name in sorted(tiocross._MODULES)]
    wanted += [f"    from tiocross.{home} import {name} as {name}" for name, home in tiocross._HOMES.items()]
    assert block == wanted, "the block in tiocross/__init__.py should read\n" + "\n".join(wanted)


def test_the_package_says_that_it_is_annotated():
    assert files("tiocross").joinpath("py.typed").is_file()
