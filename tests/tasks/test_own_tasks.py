"""The user's own points: files of all kinds, splits, scaling, and what is refused with which words."""

import numpy as np
import pytest

from tiocross import tasks
from tiocross.tasks import tables
from tiocross.tasks.dataset import count_shared_points
from tiocross.tasks.splitting import number_groups, split_groups

ROWS = [(0.5 * k, k % 7, "left" if k < 10 else "right") for k in range(20)]


def written(tmp_path, text, name="mine.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8"))
    return path


def table(separator=",", header="length [cm],count,side", decimal=".", end="\n"):
    lines = [header.replace(",", separator)]
    lines += [separator.join([f"{length:.1f}".replace(".", decimal), str(count), side]) for length, count, side in ROWS]
    return end.join(lines) + end


# ---------------------------------------------------------------- files

@pytest.mark.parametrize("text", [
    table(), table(";"), table("\t"), table(";", decimal=","), table("\t", decimal=","), "\ufeff" + table(end="\r\n"),
    "# of 2026, device A\n\n" + table() + "\n\n", "sep=;\n" + table(";", decimal=","),
    table().replace("left", '"left"').replace("length [cm]", '"length [cm]"'),
    "\n".join(['length [cm],count,side', *(f'"{str(a).replace(".", ",")}",{b},{c}' for a, b, c in ROWS)])])
def test_files_of_all_kinds_give_one_task(text, tmp_path):
    task, plain = tasks.read_task(written(tmp_path, text)), tasks.read_task(written(tmp_path, table(), "plain.csv"))
    assert task.class_names == ("left", "right") and task.feature_names == ("length [cm]", "count")
    for name, part in task.parts.items():
        np.testing.assert_array_equal(part.points, plain.parts[name].points)
        np.testing.assert_array_equal(part.labels, plain.parts[name].labels)
    values = np.array([row[:2] for row in ROWS])
    found = np.concatenate([part.points for part in task.parts.values()]) / task.scaling.scale + task.scaling.offset
    np.testing.assert_allclose(sorted(found.tolist()), sorted(values.tolist()), atol=1e-12)  # every row is in one part


def test_the_label_may_stand_anywhere_and_columns_may_be_left_out(tmp_path):
    path = written(tmp_path, "side,name,length [cm]\n" + "\n".join(f"{c},row {k},{a}" for k, (a, _, c) in enumerate(ROWS)))
    for label in ("side", "SIDE"):
        task = tasks.read_task(path, label=label, without=["name"])
        assert (task.class_names, task.feature_names) == (("left", "right"), ("length [cm]",))
    numbered = written(tmp_path, "class [-],length\n" + "\n".join(f"{3 + k % 3},{k}" for k in range(30)), "numbered.csv")
    assert tasks.read_task(numbered, label="class").class_names == ("3", "4", "5")
    many = written(tmp_path, "length,class\n" + "\n".join(f"{k},kind {k % 30}" for k in range(150)), "many.csv")
    assert tasks.read_task(many).train.n_classes == 30


def test_class_names_of_an_earlier_file_keep_their_numbers(tmp_path):
    path = written(tmp_path, table())
    task = tasks.read_task(path, class_names=("up", "right", "left"))
    assert set(task.train.labels) == {1, 2} and task.train.n_classes == 3
    with pytest.raises(ValueError, match="class 'left' is unknown; the classes are 'right', 'up'"):
        tasks.read_task(path, class_names=("right", "up"))


@pytest.mark.parametrize(("change", "message"), [
    (("2.0,4,left", "2.0,,left"), "line 6, column 'count': the value is missing, ''; fill it in"),
    (("2.0,4,left", "2.0,NaN,left"), "line 6, column 'count': the value is missing, 'NaN'"),
    (("2.0,4,left", "2.0,?,left"), "or leave the row or the column out"),
    (("2.0,4,left", "2.0,4,"), "line 6, column 'side': the label is missing"),
    (("2.0,4,left", "2.0,four,left"), "line 6, column 'count': not a finite number: 'four'; write numbers with digits"),
    (("2.0,4,left", "2.0,inf,left"), "line 6, column 'count': not a finite number: 'inf'"),
    (("2.0,4,left", "2.0,left"), "line 6: expected 3 values as in the header; got 2; fill the missing cells"),
    (("2.0,4,left", "2.0,4,left,red"), "line 6: expected 3 values as in the header; got 4; put text that holds separators"),
    (("9.5,5,right\n", "9.5\n"), "line 21: expected 3 values as in the header; got 1; is the file truncated?"),
    (("2.0,4,left", "2.0,4,up"), "class 'up' has 1 point of its own, fewer than the 3 parts"),
    (("length [cm],count", "count,count"), "line 1: two columns have the name 'count'"),
    (("length [cm],count", "length [cm],"), "line 1: column 2 has no name"),
    (("length [cm],count,side\n", "1,2,3\n"), "the first row must name the columns")])
def test_each_bad_row_is_named_with_its_cure(change, message, tmp_path):
    with pytest.raises(ValueError) as caught:
        tasks.read_task(written(tmp_path, table().replace(*change)))
    assert message in str(caught.value) and "mine.csv" in str(caught.value)


@pytest.mark.parametrize(("text", "options", "message"), [
    ("", {}, "is empty; expected a header"), ("a,b\n", {}, "has a header and no rows"), ("a\n1\n", {}, "one column only, 'a'"),
    (table(), {"label": "sid"}, "the label 'sid' is none of the columns; did you mean 'side'?"),
    (table(), {"without": ["lenght"]}, "the column to leave out 'lenght' is none of the columns; did you mean 'length'?"),
    (table(), {"without": ["length", "count"]}, "besides the label there must be a column with numbers"),
    (table(), {"label": "count"}, "column 'side': not a number: 'left', like every value of the column"),
    ("a,b\n" + "\n".join(f"{k},{k}.5" for k in range(20)), {}, "20 different numbers in 20 rows look like a quantity"),
    ("a,b\n" + "\n".join(f"{k},{k % 15}.5" for k in range(200)), {}, "name another label column, or divide the values"),
    ("a,b\n1,2\n2,2\n", {}, "a task needs at least two classes; all 2 labels are '2'"),
    (table(), {"test_share": 0.0}, "test_share must be above 0"),
    (table(), {"test_share": 0.6, "validation_share": 0.4}, "leave something to train with; got 0.6 and 0.4"),
    ("a;b\n" + "\n".join(f"1,{k};{k % 2}" for k in range(9)) + "\n1.5;0", {}, "a decimal point, though other lines have")])
def test_what_is_no_task_is_refused(text, options, message, tmp_path):
    with pytest.raises(ValueError) as caught:
        tasks.read_task(written(tmp_path, text), **options)
    assert message in str(caught.value)


def test_a_first_row_that_is_a_point_is_no_header(tmp_path):
    path, rows = tmp_path / "iris.data", [f"5.{k},3.{k % 7},{'ab'[k % 2]}" for k in range(20)]
    path.write_text("\n".join(rows))
    with pytest.raises(ValueError, match="line 1: the first row must name the columns; it looks like a point, '5.0', '3.0', 'a'"):
        tasks.read_task(path)
    path.write_text("\n".join(["400,410,kind", *rows]))  # a spectrum's columns are numbers, too
    assert tasks.read_task(path).feature_names == ("400", "410")


def test_numbers_that_are_classes_are_not_taken_for_a_quantity(tmp_path):
    digits = written(tmp_path, "a,b\n" + "\n".join(f"{k},{k % 12}" for k in range(120)))
    assert tasks.read_task(digits).train.n_classes == 12
    halves = written(tmp_path, "a,b\n" + "\n".join(f"{k},{k % 4 / 2}" for k in range(40)))
    assert tasks.read_task(halves).class_names == ("0", "0.5", "1", "1.5")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_large_files_are_read_fast_and_alike(separator, tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    rows = [separator.join([f"{value:.17g}" for value in row] + [f"kind {k % 3}", str(k)])
            for k, row in enumerate(rng.normal(size=(120, 4)) * 10.0 ** rng.integers(-8, 8, (120, 4)))]
    path = written(tmp_path, "# made here\n" + separator.join(["a [cm]", "b", "c", "d", "species", "n"]) + "\n" + "\r\n".join(rows))
    slow = tables.read_points(path, label="species", without=["n"])
    monkeypatch.setattr(tables, "_LARGE", 0)
    assert tables._plain_points(path, path.read_text(), "species", ["n"]) is not None
    fast = tables.read_points(path, label="species", without=["n"])
    assert fast[0].tobytes() == slow[0].tobytes() and (fast[1] == slow[1]).all() and fast[2] == slow[2]


@pytest.mark.parametrize("change", [
    ("2.0,4,left", "2.0,,left"), ("2.0,4,left", "2.0,four,left"), ("2.0,4,left", "2.0,4"), ("2.0,4,left", "2.0,4,left,"),
    ("2.0,4,left", "2.0,nan,left"), ("2.0,4,left", "2.0,4,"), ("left", '"left"'), ("2.0,4,left", '"2,0",4,left'),
    ("2.0,4,left", "1_0,4,left"), ("left", "le#ft"), ("2.0,4,left", "2.0,4,left;right")])
def test_the_fast_way_leaves_everything_odd_to_the_careful_one(change, tmp_path):
    text = table().replace(*change)
    assert tables._plain_points("mine.csv", text, None, []) is None


# ---------------------------------------------------------------- splits

@pytest.mark.parametrize("seed", range(5))
def test_splits_are_stratified_and_never_divide_equal_points(seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, 400, p=[0.6, 0.25, 0.1, 0.05])
    points = rng.integers(0, 12, (400, 2)).astype(float)  # many are equal, with different labels too
    part = split_groups(labels, number_groups(points), (0.6, 0.2, 0.2), rng)
    sides = {}
    for point, side in zip(map(tuple, points), part):
        assert sides.setdefault(point, side) == side
    distinct = np.arange(400.0)[:, None]
    part = split_groups(labels, number_groups(distinct), (0.6, 0.2, 0.2), rng)
    for label in range(4):
        counts = np.bincount(part[labels == label], minlength=3)
        wanted = (labels == label).sum() * np.array([0.6, 0.2, 0.2])
        assert (np.abs(counts - wanted) <= 1).all(), (counts, wanted)


def test_a_seed_states_the_split_and_another_gives_another():
    values = np.random.default_rng(1).normal(size=(60, 3))
    labels = np.where(values[:, 0] > 0, "warm", "cold")
    first, again, other = (tasks.Task.from_arrays(values, labels, seed=seed) for seed in (3, 3, 4))
    assert first.test.points.tobytes() == again.test.points.tobytes()
    assert sorted(map(tuple, first.test.points)) != sorted(map(tuple, other.test.points))
    assert "split with seed 3, 20 % validation and 20 % test" in first.source


def test_small_classes_have_a_point_in_every_part():
    labels = np.array([0] * 30 + [1] * 3)
    task = tasks.Task.from_arrays(np.arange(33.0)[:, None], labels)
    assert all(set(part.labels) == {0, 1} for part in task.parts.values())
    two = tasks.Task.from_arrays(np.arange(33.0)[:, None], labels, validation_share=0.0)
    assert two.validation is None and len(two.train) + len(two.test) == 33


def test_scaling_comes_from_training_points_alone_and_serves_new_ones():
    values = np.random.default_rng(2).normal(10.0, 3.0, (200, 4))
    values[:, 2] = 5.0
    task = tasks.Task.from_arrays(values, values[:, 0] > 10, feature_names=("a", "b", "c", "d"))
    np.testing.assert_allclose(task.train.points.min(axis=0), 0.0, atol=1e-15)
    np.testing.assert_allclose(task.train.points.max(axis=0), [1, 1, 0, 1], atol=1e-12)
    assert (task.test.points[:, 0] > 1).any() or (task.validation.points[:, 0] > 1).any() or task.test.points.max() <= 1
    known = set(map(tuple, np.round(task.scaling.apply(values), 12)))
    assert all(tuple(point) in known for part in task.parts.values() for point in np.round(part.points, 12))
    assert any("1 column without any change" in note and "'c'" in note for note in task.notes)
    with pytest.raises(ValueError, match="a column for each feature"):
        task.scaling.apply(values[:, :3])


def test_repeated_points_are_told_and_kept_together():
    values = np.repeat(np.arange(20.0)[:, None], 2, axis=0)
    task = tasks.Task.from_arrays(values, np.repeat(np.arange(20) % 2, 2))
    assert "40 points occur more than once; equal points are kept in one part" in task.notes
    assert task.overlaps == {"test_points_in_train": 0, "test_points_in_validation": 0}
    assert count_shared_points(task.train, task.validation) == 0
    odd = tasks.Task.from_arrays(np.append(values, [[0.0]], axis=0), np.append(np.repeat(np.arange(20) % 2, 2), 1))
    assert any(note == "1 group of equal points has more than one label" for note in odd.notes)
