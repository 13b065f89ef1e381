"""Tasks with an answer outside the project: exact numbers of the surface code, the shipped sets, letters, Yin-Yang."""

import itertools

import numpy as np
import pytest

from tiocross import tasks
from tiocross.tasks import enumerated
from tiocross.tasks.dataset import count_shared_points


def pauli_oracle(p):
    """Probability of every (syndrome, logical class) from all 4^9 errors, with symplectic products."""
    def vector(qubits):
        return np.isin(np.arange(9), qubits).astype(int)

    x_checks, z_checks = ([vector(q) for q in group] for group in (enumerated._PLAQUETTES_X, enumerated._PLAQUETTES_Z))
    errors = np.indices((4,) * 9).reshape(9, -1).T  # of each qubit: I, X, Y or Z
    by_x, by_z, n_hit = np.isin(errors, (1, 2)).astype(int), np.isin(errors, (2, 3)).astype(int), (errors > 0).sum(axis=1)
    syndromes = [by_z @ check % 2 for check in x_checks] + [by_x @ check % 2 for check in z_checks]
    logical = by_x @ vector(enumerated._LOGICAL_Z) % 2 + 2 * (by_z @ vector(enumerated._LOGICAL_X) % 2)
    found, place = np.unique(np.transpose(syndromes), axis=0, return_inverse=True)
    table = np.zeros((len(found), 4))
    np.add.at(table, (place.ravel(), logical), (1 - p) ** (9 - n_hit) * (p / 3) ** n_hit)
    return {tuple(syndrome): row for syndrome, row in zip(found.tolist(), table)}


def test_stabilisers_commute_and_logical_operators_anticommute_with_each_other_alone():
    for x in enumerated._PLAQUETTES_X + (enumerated._LOGICAL_X,):
        for z in enumerated._PLAQUETTES_Z + (enumerated._LOGICAL_Z,):
            is_logical_pair = x == enumerated._LOGICAL_X and z == enumerated._LOGICAL_Z
            assert len(set(x) & set(z)) % 2 == is_logical_pair


def test_surface_code_has_its_pseudo_threshold_and_logical_error():
    # The exact optimum of the code of distance 3 under code-capacity depolarising noise.
    code = tasks.enumerate_surface_code(0.05)
    assert code.best_logical_error == pytest.approx(0.02926, abs=5e-6)
    assert tasks.enumerate_surface_code(0.0974).best_logical_error < 0.0974
    assert tasks.enumerate_surface_code(0.0976).best_logical_error > 0.0976
    assert code.probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    assert tasks.enumerate_surface_code(0.0).best_logical_error == 0.0


def test_surface_code_equals_an_enumeration_error_by_error():
    code, oracle = tasks.enumerate_surface_code(0.07), pauli_oracle(0.07)
    for syndrome, row in zip(code.syndromes, code.probabilities):
        np.testing.assert_allclose(row, oracle[tuple(syndrome.astype(int))], rtol=1e-12)


def test_errors_of_one_qubit_are_all_corrected_by_the_best_decoder():
    # Distance 3: to first order in p nothing is lost, so the logical error falls with p squared.
    small, smaller = (tasks.enumerate_surface_code(p).best_logical_error for p in (1e-3, 1e-4))
    assert small / smaller == pytest.approx(100, rel=0.05)


def test_logical_error_of_decoders():
    code, rng = tasks.enumerate_surface_code(0.05), np.random.default_rng(3)
    never = code.logical_error(np.zeros(256, dtype=int))
    assert never == pytest.approx(1 - code.probabilities[:, 0].sum())
    many = rng.integers(0, 4, (5, 256))
    by_hand = [1 - sum(code.probabilities[s, c] for s, c in enumerate(row)) for row in many]
    np.testing.assert_allclose(code.logical_error(many), by_hand, rtol=1e-12)
    assert (code.logical_error(many) > code.best_logical_error).all()
    task = code.task()
    assert len(task.test) == 256 and set(map(tuple, task.train.points)) == set(map(tuple, task.test.points))
    np.testing.assert_array_equal(task.test.labels, code.best_classes)


def test_letters_are_thirty_different_images_one_pixel_from_their_letter():
    task = tasks.make_letters()
    images = task.train.points
    assert images.shape == (30, 9) and len(np.unique(images, axis=0)) == 30 and np.bincount(task.train.labels).tolist() == [10] * 3
    for label in range(3):
        own = images[task.train.labels == label]
        assert np.abs(own - own[0]).sum(axis=1).tolist() == [0] + [1] * 9
    ideal = images[::10]
    assert [int(np.abs(a - b).sum()) for a, b in itertools.combinations(ideal, 2)] == [6, 6, 6]


@pytest.mark.parametrize(("name", "n_points", "n_features", "counts"), [
    ("iris", 150, 4, [50, 50, 50]), ("wine", 178, 13, [59, 71, 48]), ("breast cancer", 569, 30, [357, 212]),
    ("digits", 1797, 64, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])])
def test_shipped_sets_have_the_numbers_that_uci_states(name, n_points, n_features, counts):
    task = tasks.load(name)
    parts = list(task.parts.values())
    assert sum(map(len, parts)) == n_points and task.train.n_features == n_features
    assert np.bincount(np.concatenate([part.labels for part in parts])).tolist() == counts
    assert task.overlaps["test_points_in_train"] == 0 and count_shared_points(task.train, task.validation) == 0
    assert "UCI" in task.source and "CC BY 4.0" in task.source and "seed 2026" in task.source


def test_shipped_sets_are_small_and_a_wrong_name_gets_a_hint():
    from tiocross.tasks.files import shipped_folder

    assert sum(path.stat().st_size for path in shipped_folder().glob("*.csv.gz")) < 300_000
    with pytest.raises(ValueError, match="did you mean 'iris'"):
        tasks.load("irirs")


def test_yin_yang_is_the_figure_of_its_definition():
    task = tasks.generate_yin_yang(rng=np.random.default_rng(5), n_train=3000)
    points, labels = task.train.points, task.train.labels
    x, y = points[:, 0], points[:, 1]
    np.testing.assert_allclose(points[:, 2:], 1 - points[:, :2])
    assert np.hypot(x - 0.5, y - 0.5).max() <= 0.5
    near = np.minimum(np.hypot(x - 0.25, y - 0.5), np.hypot(x - 0.75, y - 0.5))
    assert (near[labels == 2] < 0.1).all() and (near[labels != 2] >= 0.1).all()
    # Turned by half a turn, yin becomes yang.
    from tiocross.tasks.generated import _yin_yang_class

    turned = _yin_yang_class(1 - x, 1 - y)
    np.testing.assert_array_equal(turned[labels < 2], 1 - labels[labels < 2])
    assert np.bincount(labels).tolist() == [1000, 1000, 1000] and task.overlaps["test_points_in_train"] == 0
