"""Half moons, files of labelled points, and everything that is refused about them."""

import numpy as np
import pytest
from conftest import MEASURED

from tiocross.tasks import PARTS, Dataset, Task, generate_moons, load_moons, read_dataset, save_moons
from tiocross.tasks.dataset import count_shared_points

PUBLISHED = MEASURED
HEADER = "x0 [-],x1 [-],label [-]\n"


def draw_moons(seed=0, n_train=90, n_validation=31, n_test=50, noise=0.2):
    return generate_moons(rng=np.random.default_rng(seed), n_train=n_train, n_validation=n_validation, n_test=n_test,
                          noise=noise)


def write(folder, text, name="points.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# Dataset.


def test_a_dataset_knows_its_size():
    dataset = Dataset([[1, 2, 3], [4, 5, 6], [7, 8, 9], [0, 1, 2]], [0.0, 2.0, 0.0, 2.0], n_classes=4)
    assert (len(dataset), dataset.n_features, dataset.n_classes) == (4, 3, 4)
    assert (dataset.points.dtype, dataset.labels.dtype) == (np.float64, np.int64)
    np.testing.assert_array_equal(dataset.labels, [0, 2, 0, 2])


REFUSED_DATASETS = {
    "a point is NaN": ([[0, 1], [2, np.nan], [np.nan, 1]], [0, 1, 0],
                       r"points must be finite; got nan at index \(1, 1\) \(2 such\)"),
    "a point is infinite": ([[0, 1], [-np.inf, 2]], [0, 1], r"points must be finite; got -inf at index \(1, 0\)"),
    "points with one axis": ([0.0, 1.0], [0, 1], r"points must have 2 axes; got shape \(2,\)"),
    "points with three axes": (np.zeros((2, 3, 1)), [0, 1], r"points must have 2 axes; got shape \(2, 3, 1\)"),
    "no point": (np.zeros((0, 2)), [], r"at least one point and one feature; got points of shape \(0, 2\)"),
    "no feature": (np.zeros((2, 0)), [0, 1], r"at least one point and one feature; got points of shape \(2, 0\)"),
    "a label too few": ([[0, 1], [2, 3], [4, 5]], [0, 1], "must be equally many; got 3 points, 2 labels"),
    "labels as a column": ([[0, 1], [2, 3]], [[0], [1]], r"labels must have 1 axes; got shape \(2, 1\)"),
    "a label is NaN": ([[0, 1], [2, 3]], [0, np.nan], r"labels must be finite; got nan at index \(1,\)"),
    "a label is infinite": ([[0, 1], [2, 3]], [np.inf, 0], r"labels must be finite; got inf at index \(0,\)"),
    "a label is negative": ([[0, 1], [2, 3]], [0, -1], "labels must be whole numbers from 0; got -1"),
    "a label is broken": ([[0, 1], [2, 3]], [0, 0.5], "labels must be whole numbers from 0; got 0.5"),
    "a label is negative and broken": ([[0, 1], [2, 3]], [1, -0.5], "labels must be whole numbers from 0; got -0.5"),
    "one class": ([[0, 1], [2, 3], [4, 5]], [1, 1, 1], "at least two classes; all 3 labels are 1"),
    "one point": ([[0, 1]], [0], "at least two classes; all 1 labels are 0"),
}


@pytest.mark.parametrize("case", REFUSED_DATASETS)
def test_a_wrong_dataset_is_refused(case):
    points, labels, text = REFUSED_DATASETS[case]
    with pytest.raises(ValueError, match=text):
        Dataset(points, labels)


@pytest.mark.parametrize("points, labels, what", [([["a", "b"], ["c", "d"]], [0, 1], "points"),
                                                  ([[0, 1], [2, 3]], ["yes", "no"], "labels"),
                                                  ([[0, 1], [2]], [0, 1], "points")])
def test_what_is_not_numbers_is_refused(points, labels, what):
    with pytest.raises(TypeError, match=f"{what} must be an array of .*numbers; got a .*list"):
        Dataset(points, labels)


# Generated moons.


def test_the_parts_have_the_wanted_numbers_of_points():
    moons = draw_moons()
    assert [len(getattr(moons, part)) for part in PARTS] == [90, 31, 50]
    assert all(getattr(moons, part).points.shape[1] == 2 for part in PARTS)
    defaults = generate_moons(rng=np.random.default_rng(0))
    assert [len(getattr(defaults, part)) for part in PARTS] == [875, 125, 4000]


def test_the_labels_are_balanced_and_mixed():
    moons = draw_moons()
    for part, n_ones in zip(PARTS, (45, 15, 25)):
        labels = getattr(moons, part).labels
        assert labels.sum() == n_ones
        assert 0 < np.abs(np.diff(labels)).sum() < len(labels) - 1  # neither sorted nor alternating


def test_the_parts_are_disjoint():
    moons = draw_moons()
    assert moons.overlaps == {"test_points_in_train": 0, "test_points_in_validation": 0}
    assert count_shared_points(moons.train, moons.validation) == 0
    points = np.concatenate([getattr(moons, part).points for part in PARTS])
    assert len(np.unique(points, axis=0)) == len(points)


def test_the_training_points_span_zero_to_one_exactly():
    for seed in range(5):
        points = draw_moons(seed).train.points
        np.testing.assert_array_equal(points.min(axis=0), 0.0)
        np.testing.assert_array_equal(points.max(axis=0), 1.0)


def test_the_other_parts_are_scaled_by_the_training_points():
    # The widest of 2000 noisy points lie outside the span of 20 training points, unless each part is scaled by itself.
    test = draw_moons(n_train=20, n_test=2000).test.points
    assert (test.min(axis=0) < 0).all() and (test.max(axis=0) > 1).all()


def test_same_seed_same_bits():
    first, second, other = draw_moons(3), draw_moons(3), draw_moons(4)
    for part in PARTS:
        assert getattr(first, part).points.tobytes() == getattr(second, part).points.tobytes()
        assert getattr(first, part).labels.tobytes() == getattr(second, part).labels.tobytes()
        assert not np.array_equal(getattr(first, part).points, getattr(other, part).points)


def undo_scaling(points, labels):
    """Points in the coordinates where the outer moon lies on the unit circle around the origin.

    With raw = scale * point + offset, the circle |raw| = 1 reads A x^2 + B x + C y^2 + D y = 1 in scaled coordinates,
    linear in A = sx^2 / K, B = 2 sx ox / K, C = sy^2 / K, D = 2 sy oy / K with K = 1 - ox^2 - oy^2.
    """
    x, y = points[labels == 0].T
    a, b, c, d = np.linalg.lstsq(np.stack([x * x, x, y * y, y], axis=1), np.ones(len(x)), rcond=None)[0]
    k = 1 / (1 + b * b / (4 * a) + d * d / (4 * c))
    scale = np.sqrt([a * k, c * k])
    return points * scale + np.array([b, d]) * k / (2 * scale)


def test_without_noise_the_points_lie_on_two_half_circles():
    moons = draw_moons(noise=0.0, n_train=200, n_test=150)
    points = np.concatenate([getattr(moons, part).points for part in PARTS])
    labels = np.concatenate([getattr(moons, part).labels for part in PARTS])
    raw = undo_scaling(points, labels)
    # The fit has a condition number of about 100 and is squared nowhere: 1e-16 becomes some 1e-14, below 1e-11.
    for label, centre, side in ((0, (0.0, 0.0), 1), (1, (1.0, 0.5), -1)):
        offsets = raw[labels == label] - centre
        np.testing.assert_allclose(np.hypot(*offsets.T), 1.0, rtol=0, atol=1e-11)
        assert (side * offsets[:, 1] > -1e-11).all()  # the outer moon opens downwards, the inner one upwards
        angles = np.arctan2(side * offsets[:, 1], offsets[:, 0])
        # Angles are uniform over the half circle: 17 to 18 of some 180 points lie in each tenth; 3 would be 4 sigma off.
        counts = np.histogram(angles, bins=10, range=(0, np.pi))[0]
        assert counts.min() >= 3 and counts.sum() == (labels == label).sum()


def test_noise_has_the_wanted_spread():
    # With t uniform in [0, pi] and noise s, the means of the two moons differ by 1 in x and by 1/2 - 4/pi in y, and the
    # variance of a moon is 1/2 + s^2 in x and 1/2 - 4/pi^2 + s^2 in y. The difference of the means undoes the scaling.
    noise, n_train = 0.5, 40_000
    part = draw_moons(noise=noise, n_train=n_train).train
    moons = [part.points[part.labels == label] for label in (0, 1)]
    gaps = np.array([1.0, 0.5 - 4 / np.pi])
    variances = np.array([0.5, 0.5 - 4 / np.pi**2]) + noise**2
    scale = gaps / (moons[1].mean(axis=0) - moons[0].mean(axis=0))
    # Relative error of a variance: sqrt(4 / n) itself, and 2 sqrt(4 variance / n) / gap by the scale; 5 sigma together.
    slack = 5 * (np.sqrt(4 / n_train) + 2 * np.sqrt(4 * variances / n_train) / np.abs(gaps))
    assert (scale > 0).all()
    for moon in moons:
        np.testing.assert_array_less(np.abs(moon.var(axis=0) * scale**2 / variances - 1), slack)
    assert (slack * variances < noise**2 / 2).all()  # so that noise s taken for a variance s would be seen


def test_the_source_says_how_the_points_were_made():
    assert draw_moons(noise=0.15).source == "generated, noise 0.15, scaled to [0, 1] by the training points"


@pytest.mark.parametrize("argument, value, kind, text", [
    ("n_train", 1, ValueError, "n_train must be at least 2; got 1"),
    ("n_validation", 0, ValueError, "n_validation must be at least 2; got 0"),
    ("n_test", 10.0, TypeError, "n_test must be a whole number; got 10.0"),
    ("noise", -0.1, ValueError, "noise must be finite and at least 0; got -0.1"),
    ("noise", np.nan, ValueError, "noise must be finite and at least 0; got nan"),
    ("noise", "0.2", TypeError, "noise must be a number; got '0.2'"),
])
def test_wrong_arguments_are_refused(argument, value, kind, text):
    with pytest.raises(kind, match=text):
        draw_moons(**{argument: value})


def test_chance_must_be_a_generator():
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator"):
        generate_moons(rng=7)


def test_the_smallest_moons_have_two_points_a_part():
    moons = draw_moons(n_train=2, n_validation=2, n_test=2)
    assert [sorted(getattr(moons, part).labels) for part in PARTS] == [[0, 1]] * 3


# Overlaps.


def test_overlaps_are_counted_by_points_of_the_test_part():
    train = Dataset([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]], [0, 1, 0])
    validation = Dataset([[3.0, 3.0], [1.0, 1.0]], [0, 1])
    test = Dataset([[1.0, 1.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [9.0, 9.0]], [1, 1, 0, 0, 1])
    moons = Task(train, test, "made up", validation)
    assert moons.overlaps == {"test_points_in_train": 3, "test_points_in_validation": 3}
    assert (count_shared_points(test, train), count_shared_points(train, test)) == (3, 2)


def test_points_are_the_same_to_nine_decimals_and_whatever_their_label():
    known = Dataset([[0.25, 0.5], [0.0, -1.0]], [0, 1])
    near = Dataset([[0.25 + 1e-11, 0.5], [-1e-12, -1.0], [0.25, 0.5 + 1e-8], [0.25, 0.25]], [1, 0, 0, 1])
    assert count_shared_points(near, known) == 2


# Files.


def test_saved_moons_come_back_bit_for_bit(tmp_path):
    moons = draw_moons(noise=0.3)
    save_moons(moons, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["moons_test.csv", "moons_train.csv", "moons_validation.csv"]
    loaded = load_moons(tmp_path)
    for part in PARTS:
        assert getattr(loaded, part).points.tobytes() == getattr(moons, part).points.tobytes()
        assert getattr(loaded, part).labels.tobytes() == getattr(moons, part).labels.tobytes()
    assert loaded.source == moons.source


def test_awkward_numbers_survive_a_round_trip(tmp_path):
    part = Dataset([[-0.0, 5e-324], [1 / 3, -1.7976931348623157e308], [1e22, 0.1 + 0.2]], [0, 1, 1])
    save_moons(Task(part, part, "made up", validation=part), str(tmp_path))
    assert load_moons(str(tmp_path)).test.points.tobytes() == part.points.tobytes()


def test_a_saved_file_states_its_part_its_source_and_its_units(tmp_path):
    save_moons(draw_moons(noise=0.25), tmp_path)
    lines = (tmp_path / "moons_validation.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# Half moons, validation part; generated, noise 0.25")
    assert lines[1] == HEADER.strip()
    assert len(lines) == 2 + 31


def test_no_partial_file_stays_if_writing_fails(tmp_path):
    class Broken:
        points, labels, n_features = [[0.0, 1.0], [None, 2.0]], [0, 1], 2

    with pytest.raises(TypeError):
        save_moons(Task(Broken, Broken, "made up", validation=Broken), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_shipped_moons():
    moons = load_moons()
    assert [len(getattr(moons, part)) for part in PARTS] == [875, 125, 4000]
    assert moons.overlaps == {"test_points_in_train": 0, "test_points_in_validation": 0}
    assert count_shared_points(moons.validation, moons.train) == 0
    np.testing.assert_array_equal(moons.train.points.min(axis=0), 0.0)
    np.testing.assert_array_equal(moons.train.points.max(axis=0), 1.0)
    for part, n_ones in zip(PARTS, (437, 62, 2000)):
        assert getattr(moons, part).labels.sum() == n_ones


def test_published_moons_of_drolet_2023_and_how_much_their_parts_overlap():
    if not PUBLISHED.is_dir():
        pytest.skip(f"the published data are not in {PUBLISHED}")
    moons = load_moons(PUBLISHED)
    assert [len(getattr(moons, part)) for part in PARTS] == [875, 125, 200]
    assert moons.overlaps == {"test_points_in_train": 172, "test_points_in_validation": 28}


def test_comments_blank_lines_and_spaces_are_skipped(tmp_path):
    text = "# a comment, with a comma\n\n x0 [-] , x1 [-] ,label [-]\n0.5, 1e-3 ,0\n  # another\n\n-2,3.0,1\n"
    path = write(tmp_path, text)
    dataset = read_dataset(path)
    np.testing.assert_array_equal(dataset.points, [[0.5, 1e-3], [-2.0, 3.0]])
    np.testing.assert_array_equal(dataset.labels, [0, 1])


def test_files_with_windows_line_ends_and_other_numbers_of_features(tmp_path):
    path = tmp_path / "points.csv"
    path.write_bytes(b"height [-],label [-]\r\n1.5,0\r\n2.5,2\r\n")
    dataset = read_dataset(str(path), n_classes=3)
    assert (dataset.points.tolist(), dataset.labels.tolist(), dataset.n_classes) == ([[1.5], [2.5]], [0, 2], 3)


@pytest.mark.parametrize("labels, text", [
    ([1, 2, 3], "got 1, 2, 3 and no 0. Number them anew, for example with np.unique"),
    ([0, 5, 5], "got 0, 5 and no 1"), ([2, 1, 2], "got 1, 2 and no 0"),
])
def test_labels_that_leave_out_a_class_make_no_silent_class_more(labels, text, tmp_path):
    points = [[0.0], [1.0], [2.0]]
    with pytest.raises(ValueError, match=text):
        Dataset(points, labels)
    rows = "".join(f"{x},{label}\n" for (x,), label in zip(points, labels))
    with pytest.raises(ValueError, match=text) as caught:
        read_dataset(write(tmp_path, "x [-],label [-]\n" + rows))
    assert str(tmp_path / "points.csv") in str(caught.value)
    assert Dataset(points, np.unique(labels, return_inverse=True)[1]).n_classes == len(set(labels))


def test_a_part_of_a_dataset_keeps_the_number_of_classes_and_stated_classes_are_checked():
    whole = Dataset([[0.0], [1.0], [2.0], [3.0]], [0, 1, 2, 1])
    part = whole.part(slice(1, 3))
    assert (part.points.tolist(), part.labels.tolist(), part.n_classes) == ([[1.0], [2.0]], [1, 2], 3)
    with pytest.raises(ValueError, match="labels must be below n_classes, 2; got 2"):
        Dataset([[0.0], [1.0]], [0, 2], n_classes=2)
    with pytest.raises(TypeError, match="n_classes must be a whole number; got '3'"):
        Dataset([[0.0], [1.0]], [0, 2], n_classes="3")


REFUSED_FILES = {
    "empty": ("", "is empty; expected a header such as 'x0 \\[-\\],x1 \\[-\\],label \\[-\\]'"),
    "comments only": ("# nothing\n\n", "is empty; expected a header"),
    "header only": (HEADER, r"at least one point and one feature; got points of shape \(0, 2\)"),
    "no unit": ("x0 [-],x1,label [-]\n1,2,0\n3,4,1\n", r"line 1: column 'x1' must end with its unit, here '\[-\]'"),
    "another unit": ("# c\nx0 [-],x1 [V],label [-]\n1,2,0\n3,4,1\n", r"line 2: column 'x1 \[V\]' must end with its unit"),
    "no header": ("1,2,0\n3,4,1\n", "line 1: column '1' must end with its unit"),
    "no label column": ("x0 [-],x1 [-]\n1,2\n3,4\n", r"line 1: the last column must be 'label \[-\]'; got \['x0"),
    "label first": ("label [-],x0 [-]\n0,2\n1,4\n", r"line 1: the last column must be 'label \[-\]'"),
    "label only": ("label [-]\n0\n1\n", r"line 1: the last column must be 'label \[-\]'"),
    "semicolons": ("x0 [-];x1 [-];label [-]\n1;2;0\n3;4;1\n", r"the last column must be 'label \[-\]'"),
    "a value too few": (HEADER + "1,2,0\n3,4\n", "line 3: expected 3 values as in the header; got 2"),
    "a value too many": (HEADER + "# c\n1,2,0,9\n3,4,1\n", "line 3: expected 3 values as in the header; got 4"),
    "trailing comma": (HEADER + "1,2,0,\n3,4,1,\n", "line 2: expected 3 values as in the header; got 4"),
    "words": (HEADER + "1,2,0\n3,high,1\n", r"line 3: not numbers: \['3', 'high', '1'\]"),
    "a hole": (HEADER + "1,2,0\n3,,1\n", "line 3: not numbers"),
    "decimal comma": (HEADER + '"1,5",2,0\n3,4,1\n', "line 2: not numbers"),
    "NaN": (HEADER + "1,2,0\nnan,4,1\n", r"points must be finite; got nan at index \(1, 0\)"),
    "infinity": (HEADER + "1,2,0\n3,inf,1\n", r"points must be finite; got inf at index \(1, 1\)"),
    "label is NaN": (HEADER + "1,2,0\n3,4,nan\n", "labels must be finite"),
    "negative label": (HEADER + "1,2,0\n3,4,-1\n", "labels must be whole numbers from 0; got -1"),
    "broken label": (HEADER + "1,2,0\n3,4,1.5\n", "labels must be whole numbers from 0; got 1.5"),
    "one class": (HEADER + "1,2,1\n3,4,1\n", "at least two classes; all 2 labels are 1"),
}


@pytest.mark.parametrize("case", REFUSED_FILES)
def test_a_wrong_file_is_refused_with_its_path_and_line(tmp_path, case):
    content, text = REFUSED_FILES[case]
    path = write(tmp_path, content)
    with pytest.raises(ValueError, match=text) as caught:
        read_dataset(path)
    assert str(path) in str(caught.value)


def test_a_file_that_does_not_exist_stays_a_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_dataset(tmp_path / "absent.csv")
    save_moons(draw_moons(), tmp_path)
    (tmp_path / "moons_test.csv").unlink()
    with pytest.raises(FileNotFoundError, match="moons_test.csv"):
        load_moons(tmp_path)


def test_validation_points_are_optional(tmp_path):
    moons = draw_moons()
    without = Task(moons.train, moons.test, "made up")
    assert without.validation is None and list(without.parts) == ["train", "test"]
    assert without.overlaps == {"test_points_in_train": 0, "test_points_in_validation": 0}
    save_moons(without, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["moons_test.csv", "moons_train.csv"]
    loaded = load_moons(tmp_path)
    assert loaded.validation is None and loaded.test.points.tobytes() == moons.test.points.tobytes()


def test_points_without_validation_do_not_meet_those_of_another_task(tmp_path):
    save_moons(draw_moons(1), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="moons_validation.csv is there, but .* no validation part.*another folder"):
        save_moons(Task(draw_moons(2).train, draw_moons(2).test, "made up"), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_files_are_utf8_whatever_the_locale(tmp_path):
    moons = draw_moons()
    save_moons(Task(moons.train, moons.test, "TiO₂, Sherbrooke, été"), tmp_path)
    assert load_moons(tmp_path).source == "TiO₂, Sherbrooke, été"
    assert "été".encode("utf-8") in (tmp_path / "moons_train.csv").read_bytes()


@pytest.mark.parametrize("content, text", [
    ("x0 [-],label [-]\n1,0\n2,1\n", "must hold 2 features and labels 0 and 1; got 1 features and labels up to 1"),
    (HEADER + "1,2,0\n3,4,2\n5,6,1\n", "must hold 2 features and labels 0 and 1; got 2 features and labels up to 2"),
])
def test_moons_have_two_features_and_two_classes(tmp_path, content, text):
    save_moons(draw_moons(), tmp_path)
    write(tmp_path, content, "moons_test.csv")
    with pytest.raises(ValueError, match=text) as caught:
        load_moons(tmp_path)
    assert str(tmp_path / "moons_test.csv") in str(caught.value)
