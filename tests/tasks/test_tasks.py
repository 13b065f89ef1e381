"""Generated circles, spirals and patterns: their geometry, their parts, what can be reached on them."""

import numpy as np
import pytest

from tiocross.tasks import PARTS, PATTERNS, generate_circles, generate_patterns, generate_spirals
from tiocross.tasks.dataset import count_shared_points
from tiocross.tasks.generated import pattern_images

TASKS = {"circles": (generate_circles, 2, 2), "spirals": (generate_spirals, 2, 2), "patterns": (generate_patterns, 16, 4)}
STANDARD_NOISE = {"circles": {"noise": 0.13}, "spirals": {"noise": 0.125}, "patterns": {"noise": 0.28}}


def draw(name, seed=0, **options):
    counts = {"n_train": 90, "n_validation": 31, "n_test": 50}
    return TASKS[name][0](rng=np.random.default_rng(seed), **{**counts, **options})


@pytest.mark.parametrize("name", TASKS)
def test_parts_have_the_wanted_sizes_features_and_classes(name):
    generate, n_features, n_classes = TASKS[name]
    task, defaults = draw(name), generate(rng=np.random.default_rng(1))
    assert [len(getattr(task, part)) for part in PARTS] == [90, 31, 50]
    assert [len(getattr(defaults, part)) for part in PARTS] == [875, 125, 4000]
    for part in PARTS:
        data = getattr(task, part)
        assert (data.n_features, data.n_classes) == (n_features, n_classes)
        counts = np.bincount(data.labels)
        assert counts.max() - counts.min() <= 1
        assert (np.diff(data.labels) < 0).any() and (np.diff(data.labels) == 0).any()  # mixed
    assert f"generated {name}, noise" in task.source


@pytest.mark.parametrize("noise", [{}, {"noise": 0.0}])
@pytest.mark.parametrize("name", TASKS)
def test_parts_are_disjoint(name, noise):
    task = draw(name, **noise)
    assert task.overlaps == {"test_points_in_train": 0, "test_points_in_validation": 0}
    assert count_shared_points(task.train, task.validation) == 0


@pytest.mark.parametrize("name", TASKS)
def test_training_points_span_zero_to_one_and_scale_the_others(name):
    task = draw(name, n_train=20, n_test=2000)
    np.testing.assert_array_equal(task.train.points.min(axis=0), 0.0)
    np.testing.assert_array_equal(task.train.points.max(axis=0), 1.0)
    # The widest of 2000 noisy points lie outside the span of 20 training points in nearly every feature, unless each part is
    # scaled by itself.
    assert (task.test.points.min(axis=0) < 0).mean() > 0.7 and (task.test.points.max(axis=0) > 1).mean() > 0.7


@pytest.mark.parametrize("name", TASKS)
def test_same_seed_same_bits(name):
    first, second, other = draw(name, 3), draw(name, 3), draw(name, 4)
    for part in PARTS:
        assert getattr(first, part).points.tobytes() == getattr(second, part).points.tobytes()
        assert getattr(first, part).labels.tobytes() == getattr(second, part).labels.tobytes()
        assert not np.array_equal(getattr(first, part).points, getattr(other, part).points)


@pytest.mark.parametrize("name", TASKS)
def test_a_dark_feature_and_the_smallest_parts_are_no_trouble(name):
    n_classes = TASKS[name][2]
    task = draw(name, noise=0.0, n_train=n_classes, n_validation=n_classes, n_test=n_classes)  # many pixels stay dark
    for part in PARTS:
        assert sorted(getattr(task, part).labels) == list(range(n_classes))


def test_circles_without_noise_are_circles_of_radius_one_and_one_half():
    train = draw("circles", noise=0.0, n_train=400).train
    labels = train.labels
    # Both circles have one centre (a, b) and, scaled by (s, t), radius 1: ((x - a) s)^2 + ((y - b) t)^2 is 1 or 1/4. This is
    # linear in x^2, x, y^2, y and a constant; the solution is exact but for rounding, some 100 eps by its condition.
    x, y = train.points.T
    terms = np.stack([x * x, x, y * y, y, np.ones(len(x))], axis=1)
    solution = np.linalg.lstsq(terms, np.where(labels == 0, 1.0, 0.25), rcond=None)[0]
    np.testing.assert_allclose(terms @ solution, np.where(labels == 0, 1.0, 0.25), rtol=0, atol=1e-12)
    p, q, r, s, constant = solution
    assert constant == pytest.approx(q * q / (4 * p) + s * s / (4 * r), rel=1e-9)  # squares completed
    angles = np.arctan2(np.sqrt(r) * (y + s / (2 * r)), np.sqrt(p) * (x + q / (2 * p)))[labels == 0]
    # 200 angles uniform over the circle: 25 +- 4.7 in each eighth; 5 would be 4 sigma off.
    assert np.histogram(angles, bins=8, range=(-np.pi, np.pi))[0].min() >= 5


def test_spirals_without_noise_are_one_arm_and_its_half_turn():
    train = draw("spirals", noise=0.0, n_train=4000).train
    # The arms, r in [0.2, 1], written out; scaled by the span of a dense arm pair, which 4000 points reach to about 1e-3.
    radius = np.linspace(0.2, 1, 20_001)
    angle = 1.5 * np.pi * (radius - 0.2) / 0.8
    arm = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    span = 2 * np.abs(arm).max(axis=0)
    for label, dense in ((0, arm), (1, -arm)):
        dense = dense / span + 0.5
        points = train.points[train.labels == label][::20]
        gaps = np.sqrt(((points[:, None] - dense[::20]) ** 2).sum(axis=-1)).min(axis=1)
        assert gaps.max() < 0.01
        # Radii are uniform: their squares lead to no pile at the centre. A quarter lies below r = 0.4; 5 sigma of 2000.
        own = (train.points[train.labels == label] - 0.5) * span
        assert abs((np.hypot(*own.T) < 0.4).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 2000) + 0.01


def test_pattern_images_are_what_they_are_called():
    images = dict(zip(PATTERNS, pattern_images(), strict=True))
    assert {name: len(places) for name, places in images.items()} == {
        "horizontal bar": 4, "vertical bar": 4, "diagonal": 6, "cross": 4}

    def texts(name):
        rows = ["".join(".#"[int(pixel)] for pixel in row) for row in images[name].reshape(-1, 4)]
        return ["/".join(rows[k : k + 4]) for k in range(0, len(rows), 4)]

    assert texts("horizontal bar")[1] == "..../####/..../...."
    assert texts("vertical bar")[3] == "...#/...#/...#/...#"
    assert set(texts("diagonal")) == {"#.../.#../..#./...#", ".#../..#./...#/....", "..../#.../.#../..#.",
                                      "...#/..#./.#../#...", "..#./.#../#.../....", "..../...#/..#./.#.."}
    assert set(texts("cross")) == {".#../###./.#../....", "..#./.###/..#./....",
                                   "..../.#../###./.#..", "..../..#./.###/..#."}
    everything = np.concatenate(list(images.values()))
    assert len(np.unique(everything, axis=0)) == len(everything)


def test_patterns_without_noise_are_images_times_a_contrast():
    train = draw("patterns", noise=0.0, n_train=2000).train
    # The brightest of some 500 pixels, uniform up to 1.3, scales to 1; it is short of 1.3 by 0.6 / 500 on average.
    raw = train.points * 1.3
    seen = [set() for _ in PATTERNS]
    for label, image in zip(train.labels, raw):
        lit = (image > 0).astype(float)
        places = [k for k, place in enumerate(pattern_images()[label]) if np.array_equal(place, lit)]
        assert len(places) == 1
        seen[label].update(places)
        assert 0.69 < image[image > 0].mean() < 1.32
    assert [len(places) for places in seen] == [4, 4, 6, 4]  # every place occurs


@pytest.mark.parametrize("name", TASKS)
def test_noise_has_the_wanted_spread(name):
    # Same seed, with and without noise: the same clean points, since they are drawn before their noise. Only in the first
    # part, as later draws move on; scaling is undone by the best straight line from clean to noisy, feature by feature.
    noise, n_train = 0.05, 20_000
    clean = draw(name, 5, noise=0.0, n_train=n_train).train.points
    noisy = draw(name, 5, noise=noise, n_train=n_train).train.points
    for k in range(clean.shape[1]):
        slope, offset = np.polyfit(clean[:, k], noisy[:, k], 1)
        span = {"circles": 2.0, "spirals": None, "patterns": 1.3}[name]  # of the clean points, to some 1e-3
        if span is None:
            radius = np.linspace(0.2, 1, 20_001)
            angle = 1.5 * np.pi * (radius - 0.2) / 0.8
            span = 2 * np.abs(radius * (np.cos(angle), np.sin(angle))[k]).max()
        left = (noisy[:, k] - offset) / slope - clean[:, k]
        # A standard deviation of n samples is off by 1 / sqrt(2 n), 5 sigma; the line's slope and the span add 0.5 %.
        assert left.std() * span == pytest.approx(noise, rel=5 / np.sqrt(2 * n_train) + 0.005)


@pytest.mark.parametrize("name, best", [("circles", 0.972), ("spirals", 0.972), ("patterns", 0.995)])
def test_the_stated_accuracy_is_in_reach_and_not_surpassed(name, best):
    # A vote of 15 neighbours comes near the best rule without knowing it. 1500 test points: 5 sigma is 0.021 at 0.972.
    task = draw(name, 9, n_train=4000, n_test=1500, **STANDARD_NOISE[name])
    x, y = task.test.points, task.train.points
    distances = (x * x).sum(axis=1)[:, None] - 2 * x @ y.T + (y * y).sum(axis=1)
    votes = task.train.labels[np.argpartition(distances, 15, axis=1)[:, :15]]
    classes = (votes[..., None] == np.arange(4)).sum(axis=1).argmax(axis=1)
    assert best - 0.035 < (classes == task.test.labels).mean() < best + 5 * np.sqrt(best * (1 - best) / 1500)


@pytest.mark.parametrize("name", TASKS)
def test_standard_noise(name):
    given, standard = draw(name, 2, **STANDARD_NOISE[name]), draw(name, 2)
    assert given.test.points.tobytes() == standard.test.points.tobytes()


REFUSED = [({"n_train": 1}, ValueError, "n_train must be at least"),
           ({"n_test": 2.5}, TypeError, "n_test must be a whole number"),
           ({"n_validation": 0}, ValueError, "n_validation must be at least"),
           ({"noise": -0.1}, ValueError, "noise must be"),
           ({"noise": np.nan}, ValueError, "noise must be"), ({"noise": "much"}, TypeError, "noise must be a number")]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("options, error, text", REFUSED)
def test_bad_input_is_refused(name, options, error, text):
    with pytest.raises(error, match=text):
        draw(name, **options)


@pytest.mark.parametrize("name", TASKS)
def test_a_seed_is_no_generator(name):
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator"):
        TASKS[name][0](rng=3)


def test_patterns_need_a_point_of_each_class():
    with pytest.raises(ValueError, match="n_test must be at least 4; got 3"):
        draw("patterns", n_test=3)
