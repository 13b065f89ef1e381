"""Records that declare their fields with units: checks, JSON, frozen arrays."""

import json
import math
import pickle
from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pytest

from tiocross.devices.device import LineFailures
from tiocross.lab.switching import SwitchingModel
from tiocross.lab.write_verify import PulseScheme
from tiocross.records import ArrayRecord, array, check_fields, count, declared, freeze, number, stated, to_json, values_from_json


@dataclass(frozen=True, eq=False)
class Cell(ArrayRecord):
    """A record with a field of each kind."""

    levels: np.ndarray = array("S", ndim=1, shown="uS")
    g_max: float = number("S", low=0.0, high=1.0, default=5e-4)
    n_levels: int = count(default=2, low=2)
    step: float = number("V", default=0.1, positive=True, source="chosen")
    place: tuple | None = stated("-", default=None)
    source: str = "a lab book"

    def __post_init__(self):
        check_fields(self)


def test_fields_are_checked_and_frozen():
    given = [1, 2]
    cell = Cell(given, n_levels=np.int64(3))
    assert cell.levels.dtype == np.float64 and type(cell.n_levels) is int and type(Cell(given, g_max=1).g_max) is float
    with pytest.raises(ValueError, match="read-only"):
        cell.levels[0] = 3.0
    with pytest.raises(FrozenInstanceError):
        cell.g_max = 0.1
    array_given = np.array([1.0, 2.0])
    cell = Cell(array_given)
    array_given[0] = 7.0
    assert cell.levels[0] == 1.0  # the record keeps a copy
    assert cell == Cell([1, 2]) != Cell([1, 3]) and hash(cell) == hash(Cell([1, 2])) != hash(Cell([1, 3]))
    assert pickle.loads(pickle.dumps(cell)) == cell


@pytest.mark.parametrize(("changes", "error", "message"), [
    ({"levels": [[1]]}, ValueError, "levels must have 1 axes"), ({"levels": [1, math.nan]}, ValueError, "levels must be finite"),
    ({"g_max": 300}, ValueError, r"g_max must be finite and within \[0, 1\] S; got 300 S\. If these are microsiemens"),
    ({"g_max": -1e-5}, ValueError, "got -1e-05 S$"), ({"g_max": "1"}, TypeError, "g_max must be a number; got '1'"),
    ({"n_levels": 1}, ValueError, "n_levels must be at least 2; got 1"), ({"n_levels": 2.0}, TypeError, "a whole number"),
    ({"step": 0}, ValueError, "step must be above zero; got 0"),
])
def test_what_is_wrong_is_named(changes, error, message):
    with pytest.raises(error, match=message):
        Cell(**{"levels": [1, 2], **changes})


def test_json_carries_the_units_and_comes_back():
    cell = Cell([1e-4, 2e-4], place=(3, 4))
    content = json.loads(json.dumps(to_json(cell)))
    assert content == {"levels [S]": [1e-4, 2e-4], "g_max [S]": 5e-4, "n_levels [-]": 2, "step [V]": 0.1,
                       "place [-]": [3, 4], "source": "a lab book"}
    assert list(content) == [*(f"{name} [{rules['unit']}]" for name, rules in declared(Cell).items()), "source"]
    values = values_from_json("the cell", content, Cell)
    assert Cell(**{**values, "place": tuple(values["place"])}) == cell


@pytest.mark.parametrize(("change", "message"), [
    (lambda content: content.pop("step [V]"), r"the cell lacks 'step \[V\]'"),
    (lambda content: content.pop("source"), "the cell lacks 'source'"),
    (lambda content: content.update({"step [mV]": 1}), r"the cell has the unknown key 'step \[mV\]'; did you mean 'step \[V\]'"),
])
def test_keys_unknown_or_missing_are_named(change, message):
    content = to_json(Cell([1]))
    change(content)
    with pytest.raises(ValueError, match=message):
        values_from_json("the cell", content, Cell)
    with pytest.raises(ValueError, match="the cell must be an object; got 3"):
        values_from_json("the cell", 3, Cell)


def test_every_record_of_the_package_states_a_unit_for_each_of_its_numbers():
    for kind in (LineFailures, PulseScheme, SwitchingModel):
        annotated = {name for name, type_of in kind.__annotations__.items() if type_of in (int, float)}
        assert annotated == set(declared(kind))
    assert all(rules["source"] for rules in declared(SwitchingModel).values())


def test_frozen_arrays_are_copies():
    given = np.arange(3)
    assert not freeze(given).flags.writeable and given.flags.writeable
