"""How well on this chip: stuck map or read-back in, accuracy with interval out; against chips made by hand."""

import numpy as np
import pytest
from oracle import dense_crossbar

from tiocross import MLP, TIO2, Crossbar, Dataset, infer, judge_plan, judge_readback, plan, program
from tiocross.intervals import wilson_interval
from tiocross.units import uS

RNG = np.random.default_rng
QUIET = TIO2.without("stuck")


@pytest.fixture(scope="module")
def few(moons):
    return Dataset(moons.test.points[:400], moons.test.labels[:400])


@pytest.fixture(scope="module")
def stuck():
    maps = [np.full((8, 8), np.nan) for _ in range(4)]
    maps[0][:, 1] = 20 * uS
    maps[1][2, 4] = 900 * uS
    return maps


@pytest.fixture(scope="module")
def made(network, moons, stuck):
    return plan(network, TIO2, stuck=stuck, points=moons.train.points, order="sensitive last")


def by_hand(made, network, points, rng, wire_resistance=0.0):
    """Classes that one programming of the plan's chip gives: program in the plan's order, overlay what is stuck, solve."""
    crossbars = []
    for wanted, order, used, stuck in zip(made.targets, made.orders, made.layout.used, made.stuck):
        programmed = program(wanted, QUIET, rng=rng, order=order)
        held = np.where(used & ~np.isnan(stuck), stuck, programmed)
        crossbars.append(Crossbar(np.nan_to_num(held), wire_resistance))
    return infer(network, crossbars, points, layout=made.targets_of(network))


def test_a_perfect_write_gives_what_the_plan_expects(network, made, few):
    ideal = plan(network, TIO2.ideal(), stuck=list(made.stuck), points=few.points)
    outcome = judge_plan(ideal, network, few, n_transfers=3, rng=RNG(1), keep_correct=True)
    crossbars = [Crossbar(np.nan_to_num(array)) for array in ideal.expected]
    right = infer(network, crossbars, few.points, layout=ideal.targets_of(network)) == few.labels
    assert (outcome.correct == right).all()


@pytest.mark.parametrize("wire_resistance", [0.0, 5.0])
def test_accuracy_is_that_of_chips_programmed_by_hand(network, made, few, wire_resistance):
    n_chips, rng = 150, RNG(2)
    outcome = judge_plan(made, network, few, wire_resistance=wire_resistance, n_transfers=n_chips, rng=RNG(3))
    hand = np.array([(by_hand(made, network, few.points, rng, wire_resistance) == few.labels).mean()
                     for _ in range(n_chips)])
    assert hand.std() > 0
    apart = outcome.accuracies.mean() - hand.mean()
    assert abs(apart) < 4 * np.hypot(outcome.accuracies.std(), hand.std()) / np.sqrt(n_chips)
    assert 0.5 < outcome.accuracies.std() / hand.std() < 2


def test_unknown_faults_make_it_worse(network, made, few):
    known, unknown = (judge_plan(made, network, few, map_known=known, n_transfers=300, rng=RNG(4)) for known in (True, False))
    assert unknown.accuracies.min() < known.accuracies.min()
    assert unknown.accuracies.mean() < known.accuracies.mean()


def test_the_same_chips_for_any_number_of_workers(network, made, few):
    one, two = (judge_plan(made, network, few, n_transfers=1001, rng=RNG(5), workers=n, keep_correct=True) for n in (1, 2))
    assert np.array_equal(one.correct, two.correct)


def test_a_readback_is_judged_device_by_device(network, made, few):
    """Every point driven through the dense circuit of each array, layer by layer."""
    rng, resistance = RNG(6), 4.0
    read = [np.nan_to_num(np.where(np.isnan(stuck), program(wanted, QUIET, rng=rng), stuck))
            for wanted, stuck in zip(made.targets, made.stuck)]
    judged = judge_readback(made, network, read, few, wire_resistance=resistance)
    matrices = []
    for array in read:
        columns = [dense_crossbar(array, volts, resistance)[0] for volts in np.eye(8)]
        matrices.append(np.array(columns))
    given = network.with_arrays(made.weights(matrices)).predict(few.points)
    assert judged.accuracy.value == (given == few.labels).mean()
    assert (judged.accuracy.low, judged.accuracy.high) == wilson_interval(int((given == few.labels).sum()), 400)
    counted = [[int(((few.labels == true) & (given == answer)).sum()) for answer in (0, 1)] for true in (0, 1)]
    assert judged.confusion.tolist() == counted
    assert "accuracy on the chip" in str(judged) and judged.to_dict()["confusion"] == counted


def test_a_readback_without_idle_devices_is_enough(network, made, few):
    whole = judge_readback(made, network, [np.nan_to_num(array) for array in made.expected], few, wire_resistance=2.0)
    holes = judge_readback(made, network, made.expected, few, wire_resistance=2.0)
    assert whole.to_dict() == holes.to_dict()


def test_a_device_in_use_that_was_not_read_is_named_with_the_cure(network, made, few):
    read = [array.copy() for array in made.expected]
    row, column = np.argwhere(made.layout.used[1])[5].tolist()
    read[1][row, column] = np.nan
    text = rf"array 1 has no reading \(nan\) of row {row}, column {column}, .* \(1 such\)\. Read it again, or .* 0 if"
    with pytest.raises(ValueError, match=text):
        judge_readback(made, network, read, few)
    read[1][row, column] = 0.0
    assert judge_readback(made, network, read, few).confusion.sum() == len(few)


def test_other_networks_and_maps_are_refused(network, made, few):
    other = MLP(2, 8, 1, rng=RNG(8))
    for judge in (lambda n: judge_plan(made, n, few, rng=RNG(1)), lambda n: judge_readback(made, n, made.expected, few)):
        with pytest.raises(ValueError, match="the plan is for another network"):
            judge(other)
    with pytest.raises(TypeError, match="plan must be a Plan"):
        judge_plan(made.targets_of(network), network, few, rng=RNG(1))
    wrong = [*made.expected[:3], made.expected[3][:, :4]]
    with pytest.raises(ValueError, match=r"arrays must have shapes .* got .*\(8, 4\)"):
        judge_readback(made, network, wrong, few)


def test_many_chips_are_answered_at_once(network, made, few):
    """Leading axes of the crossbars are chips."""
    chips = [program(np.where(np.isnan(wanted), 3e-4, wanted), QUIET, rng=RNG(9), n_chips=3) for wanted in made.targets]
    together = infer(network, [Crossbar(array, 2.0) for array in chips], few.points, layout=made.targets_of(network))
    for k in range(3):
        alone = infer(network, [Crossbar(array[k], 2.0) for array in chips], few.points, layout=made.targets_of(network))
        assert np.array_equal(together[k], alone)


def test_targets_without_a_number_are_not_programmed(made):
    """A device that is not programmed stays NaN and disturbs no other."""
    wanted = np.full((3, 4), np.nan)
    wanted[0, 1] = wanted[2, 2] = 300 * uS
    programmed = program(wanted, QUIET.without("tuning"), rng=RNG(1), n_chips=400)
    assert np.isnan(programmed[:, np.isnan(wanted)]).all()
    np.testing.assert_array_equal(programmed[:, 2, 2], 300 * uS)  # the last that is written
    one_later = program(np.array([[300, 300]]) * uS, QUIET.without("tuning"), rng=RNG(2), n_chips=400)
    assert np.quantile(programmed[:, 0, 1], 0.5) == pytest.approx(np.quantile(one_later[:, 0, 0], 0.5), rel=0.01)
