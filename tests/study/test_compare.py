"""The comparison of training methods: rows, table, files, figures, and that nothing is tuned on what judges it."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    MLP, TIO2, TIO2_8X8, ConductanceDropout, Dataset, DifferentialPairs, NoiseInjection, RangePenalty, Task, TrainingSettings,
    WiresInLoop, arrange, share_arrays, tasks)
from tiocross.commands.main import main
from tiocross.commands.compare import QUICK_ROWS, choose_recipes, make_task
from tiocross.study import comparison, recipes as study_recipes
from tiocross.transfers.adaptation import Adaptation
from tiocross.transfers.chips import Chips
from tiocross.study.comparison import (
    FOLLOWED, HIDDEN_UNITS, STUCK_RATES, kind_of_method, make_comparison, make_conditions, with_stuck_rate, with_write_disturb,
)
from tiocross.study.results import ResultsFolder, file_name
from tiocross.study.run import Run, group_by_training
from tiocross.study.tables import make_comparison_row
from tiocross.study.starts import choose_start, train_starts
from tiocross.study.recipes import RECIPES, ExperimentSettings, Recipe, chip_generator, train_recipe, training_generator
from tiocross.study.methods import COMPARED, ROBUST, WIRES_TRAINED_FOR, shorten, train_robust
from tiocross.transfers.judging import judge_chips, transfer
from tiocross.learning.literature import GaussianNoise

BY_NAME = {recipe.name: recipe for recipe in COMPARED}
SHORT = TrainingSettings(n_steps=6, n_chips=2)


@pytest.fixture(scope="module")
def few():
    """Half moons with few points."""
    return tasks.generate_moons(rng=np.random.default_rng(5), n_train=120, n_validation=20, n_test=90)


def short(recipe):
    return shorten(recipe, 6)


def settings(*recipes, seeds=(0, 1)):
    return ExperimentSettings(seeds=seeds, training=SHORT, recipes=recipes, n_transfers=30)


def run_comparison(out, task, *recipes, n_seeds=1, n_transfers=30, wires=(0.0,), device=TIO2_8X8):
    """Rows of a comparison, run in this process."""
    sizes = ExperimentSettings(seeds=tuple(range(n_seeds)), training=SHORT, recipes=recipes, n_transfers=n_transfers,
                               wire_resistances=wires)
    Run(make_comparison(task, device, sizes), ResultsFolder(out)).execute()
    return json.loads((out / "summary.json").read_text())["rows"]


def same_bits(first, second):
    pairs = [(a, b) for one, other in zip(first, second, strict=True) for a, b in zip(one.arrays, other.arrays, strict=True)]
    return all((a == b).all() for a, b in pairs)


@pytest.fixture(scope="module")
def finished(few, tmp_path_factory):
    """Folder of a run over three rows, one of them on more devices, with two seeds."""
    folder = tmp_path_factory.mktemp("compare") / "out"
    names = ("regular", "hardware-aware (paper)", "ROBUST, each unit 3 times")
    run_comparison(folder, few, *(short(BY_NAME[name]) for name in names), n_seeds=2, n_transfers=40, wires=(0.0, 10.0))
    return folder


# Rows.


@pytest.mark.slow
def test_names_differ_and_every_row_can_be_trained_and_judged(few):
    assert len(BY_NAME) == len(COMPARED)
    for recipe, *_ in group_by_training(COMPARED):
        network, = train_recipe(short(recipe), few, TIO2_8X8, settings(recipe, seeds=(0,)))
        outcome = transfer(network, few.test, device=TIO2_8X8, n_transfers=5, rng=chip_generator(0))
        row = make_comparison_row(recipe, 0, outcome)
        assert row["ratio"] == pytest.approx(row["robust_fraction_95"] / row["nominal_accuracy"], abs=1e-11)
        assert (row["source"], row["n_transfers"]) == (recipe.source, 5)
        assert row["n_devices"] <= 256


def test_leave_one_out_rows_change_exactly_what_they_say():
    def difference(name):
        changed = {key: value for key, value in vars(BY_NAME[name]).items() if value != getattr(ROBUST, key)}
        training = vars(changed.pop("training", ROBUST.training))
        changed |= {key: value for key, value in training.items() if value != getattr(ROBUST.training, key)}
        return set(changed) - {"name"}

    assert difference("ROBUST without per-point loss") == difference("ROBUST with CVaR loss") == {"loss"}
    assert difference("ROBUST without scale gradient") == {"scale_gradient_from"}
    assert difference("ROBUST without noise injection") == difference("ROBUST without dropout") == {"techniques"}
    assert difference("ROBUST without memory of error rates") == difference("ROBUST without saturation") == {"loss"}
    assert difference("ROBUST from one start") == difference("ROBUST with tanh alone") == {"activations"}
    assert difference("ROBUST without centring") == {"centred"}
    assert difference("ROBUST, 31 hidden units") == {"sizes"}
    assert difference("ROBUST, spread") == difference("ROBUST, all on one array") == {"arrangement"}
    assert difference("ROBUST, each unit 3 times") == {"copies"}
    assert difference("ROBUST, wires in the loop") == {"techniques"}
    assert difference("ROBUST, compensated mapping") == {"adaptation"}
    assert set(BY_NAME["ROBUST, wires in the loop"].techniques) - set(ROBUST.techniques) == {WiresInLoop(WIRES_TRAINED_FOR)}
    assert ROBUST.centred and ROBUST.activations[0] == "tanh" and set(ROBUST.techniques) == {NoiseInjection(), ConductanceDropout()}


def test_rows_from_elsewhere_state_their_source_and_start_alike():
    ours = NoiseInjection, ConductanceDropout, RangePenalty, WiresInLoop
    theirs = [recipe for recipe in COMPARED if any(not isinstance(technique, ours) for technique in recipe.techniques)]
    assert theirs and all(recipe.source for recipe in theirs)
    for recipe in theirs:
        assert (recipe.activations, recipe.centred, recipe.sizes) == (("tanh",), ROBUST.centred, ROBUST.sizes)
        assert (recipe.training.n_steps, recipe.training.n_chips) == (ROBUST.training.n_steps, ROBUST.training.n_chips)
    assert set(QUICK_ROWS) | set(FOLLOWED) <= set(BY_NAME)


def test_kinds_of_methods_follow_from_the_rows():
    kinds = {name: kind_of_method(BY_NAME[name]) for name in (*QUICK_ROWS, "ROBUST, spread", "Lipschitz penalty",
                                                              "ROBUST, placed around known faults")}
    assert list(kinds.values()) == [
        "no knowledge of the hardware", *["recipe of Drolet et al."] * 3, "ROBUST, and without each of its parts",
        "ROBUST with other sizes or layouts", "of the literature", "adapted to each chip"]


def test_recipes_refuse_what_they_cannot_train():
    with pytest.raises(TypeError, match="techniques must be objects such as NoiseInjection.*got 'noise'"):
        Recipe("x", ("noise",))
    with pytest.raises(TypeError, match="techniques must be objects"):
        Recipe("x", (NoiseInjection,))
    with pytest.raises(ValueError, match="activation 'tan' is unknown; did you mean 'tanh'"):
        Recipe("x", activations=("tanh", "tan"))
    with pytest.raises(ValueError, match="activations must name at least one"):
        Recipe("x", activations=())
    with pytest.raises(ValueError, match="state the weight decay in training"):
        Recipe("x", (), 1e-4, training=SHORT)
    with pytest.raises(ValueError, match="layers share arrays of a stated size"):
        BY_NAME["ROBUST, all on one array"].layout((2, 8, 1), TIO2)


def test_copies_and_finishing_touches_are_in_the_network(few):
    single, = train_recipe(short(ROBUST), few, TIO2_8X8, settings(ROBUST, seeds=(0,)))
    tripled, = train_recipe(short(replace(ROBUST, copies=3)), few, TIO2_8X8, settings(ROBUST, seeds=(0,)))
    assert (single.sizes, tripled.sizes, tripled.activation) == ((2, 8, 1), (2, 24, 1), single.activation)
    # The same function; sums of 24 products round differently.
    np.testing.assert_allclose(tripled.logits(few.test.points), single.logits(few.test.points), rtol=1e-12, atol=1e-12)
    clipping = replace(BY_NAME["Gaussian noise, clipping"], techniques=(GaussianNoise(0.05, clip=0.5),))
    clipped, = train_recipe(short(clipping), few, TIO2_8X8, settings(ROBUST, seeds=(0,)))
    magnitudes = np.abs(clipped.arrays[0])
    assert (magnitudes == magnitudes.max()).sum() > 5  # cut at half a standard deviation, as `finish` does it


def test_train_robust_is_the_recipe(few):
    recipe = short(ROBUST)
    expected = train_recipe(recipe, few, TIO2_8X8, settings(recipe))
    mine = [train_robust(few.train, TIO2_8X8, rng=training_generator(seed), settings=recipe.training) for seed in (0, 1)]
    assert same_bits(mine, expected)
    steps = []
    wide = train_robust(few.train, TIO2, rng=np.random.default_rng(0), n_hidden=5, settings=recipe.training,
                        on_progress=lambda done, total: steps.append((done, total)))
    assert wide.sizes == (2, 5, 1) and steps[-1] == (18, 18)  # three kinds of units
    deep = train_robust(few.train, TIO2, rng=np.random.default_rng(0), sizes=(2, 4, 3, 1), settings=recipe.training)
    assert deep.sizes == (2, 4, 3, 1)
    with pytest.raises(TypeError, match="Generator"):
        train_robust(few.train, TIO2, rng=3)


def test_tasks_of_other_sizes_keep_the_hidden_units():
    patterns = make_task("patterns", None)
    assert BY_NAME["ROBUST, 31 hidden units"].sizes_for(patterns.train) == (16, 31, 4)
    assert BY_NAME["straight line, robustly trained"].sizes_for(patterns.train) == (16, 4)
    assert RECIPES[0].sizes_for(make_task("circles", None).train) == (2, 8, 1)
    network, = train_recipe(short(ROBUST), patterns, TIO2_8X8, settings(ROBUST, seeds=(0,)))
    outcome = transfer(network, patterns.test, device=TIO2_8X8, n_transfers=3, rng=chip_generator(0))
    assert outcome.n_devices == 2 * (17 * 8 + 9 * 4)


# Nothing is tuned on what judges it.


def test_training_and_judging_draw_from_different_streams():
    draws = {}
    for seed in range(20):
        for name, make in (("training", training_generator), ("chips", chip_generator)):
            draws[name, seed] = tuple(make(seed).integers(2**63, size=4))
    assert len(set(draws.values())) == len(draws)


@pytest.mark.slow
def test_networks_do_not_depend_on_test_points_chips_or_validation_points(few, monkeypatch):
    rng = np.random.default_rng(8)
    poison = Dataset(rng.uniform(-9, 9, (50, 2)), rng.integers(0, 2, 50))
    for recipe, *_ in group_by_training(map(short, COMPARED)):  # the others of a group are put on chips in another way only
        before = train_recipe(recipe, few, TIO2_8X8, settings(recipe))
        with monkeypatch.context() as patched:
            patched.setattr(study_recipes, "chip_generator", lambda seed: pytest.fail("training looked at the chips that judge"))
            after = train_recipe(recipe, Task(few.train, poison, poison, "poisoned"), TIO2_8X8, settings(recipe))
        assert same_bits(before, after), recipe.name
    shuffled = Dataset(few.train.points, 1 - few.train.labels)
    other = train_recipe(short(ROBUST), Task(shuffled, poison, poison, "x"), TIO2_8X8, settings(ROBUST))
    assert not same_bits(train_recipe(short(ROBUST), few, TIO2_8X8, settings(ROBUST)), other)  # the test can fail


LAYOUTS = {"ROBUST": arrange((2, 8, 1), (8, 8)), "ROBUST, spread": arrange((2, 8, 1), (8, 2)),
           "ROBUST, all on one array": share_arrays((2, 8, 1), (8, 8), mapping=DifferentialPairs(digital_output_bias=True))}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYOUTS)
def test_three_layouts_of_one_network_are_rows(few, tmp_path, name):
    recipe, layout = short(BY_NAME[name]), LAYOUTS[name]
    assert recipe.layout((2, 8, 1), TIO2_8X8).to_json() == layout.to_json()
    rows = run_comparison(tmp_path, few, recipe, wires=(0.0, 10.0))
    network = MLP.load(tmp_path / "networks" / f"{file_name(name)}_seed0.npz")
    for row in rows:
        means = [transfer(network, few.test, device=TIO2_8X8, layout=other, n_transfers=30, rng=chip_generator(0),
                          wire_resistance=row["wire_resistance"]).accuracies.mean() for other in LAYOUTS.values()]
        assert row["mean_accuracy"] == pytest.approx(means[list(LAYOUTS).index(name)]) and len(set(means)) == 3
        assert row["n_devices"] == sum(used.sum() for used in layout.used)
    alone, = train_recipe(recipe, few, TIO2_8X8, settings(recipe, seeds=(0,)))
    assert same_bits([network], [alone])


@pytest.mark.slow
def test_the_compensated_row_has_the_networks_and_chips_of_robust_and_makes_up_for_each_resistance(few, tmp_path):
    robust, compensated = (short(BY_NAME[name]) for name in ("ROBUST", "ROBUST, compensated mapping"))
    wired = short(BY_NAME["ROBUST, wires in the loop"])
    assert group_by_training((robust, wired, compensated)) == [[robust, compensated], [wired]]
    rows = run_comparison(tmp_path, few, robust, compensated, wires=(40.0, 0.0, 20.0))
    network = MLP.load(tmp_path / "networks" / "ROBUST_seed0.npz")
    assert same_bits([network], [MLP.load(tmp_path / "networks" / "ROBUST_compensated_mapping_seed0.npz")])
    for row in rows:
        chips = Chips(network, TIO2_8X8, wire_resistance=row["wire_resistance"], rng=chip_generator(0),
                      adaptation=Adaptation(compensated=row["name"] == compensated.name))
        outcome = judge_chips(few.test, chips, n_transfers=30)
        assert row["mean_accuracy"] == pytest.approx(outcome.accuracies.mean())
    means = {(row["name"], row["wire_resistance"]): row["mean_accuracy"] for row in rows}
    assert [means[robust.name, r] == means[compensated.name, r] for r in (40.0, 0.0, 20.0)] == [False, True, False]


# Conditions.


def test_conditions_change_what_they_say_and_nothing_else():
    for rate in STUCK_RATES:
        changed = with_stuck_rate(TIO2_8X8, rate)
        assert changed.stuck.probability_lrs + changed.stuck.probability_hrs == pytest.approx(rate, abs=1e-15)
        assert replace(changed, stuck=TIO2_8X8.stuck) == TIO2_8X8
    uneven = replace(TIO2, stuck=replace(TIO2.stuck, probability_lrs=0.03, probability_hrs=0.01))
    assert with_stuck_rate(uneven, 0.02).stuck.probability_lrs == pytest.approx(0.015)
    assert with_stuck_rate(TIO2.ideal(), 0.02).stuck.lrs_mean == TIO2.stuck.lrs_mean
    np.testing.assert_array_equal(with_write_disturb(TIO2, 1.5).disturb.changes, 1.5 * TIO2.disturb.changes)
    assert with_write_disturb(TIO2, 1.0) == TIO2 and with_write_disturb(TIO2.ideal(), 2.0) == TIO2.ideal()
    with pytest.raises(ValueError, match="rate must be finite and within"):
        with_stuck_rate(TIO2, 1.2)


def test_conditions_hold_the_card_once_in_each_curve():
    for curve, home in (("stuck", 0.01), ("drift", 1.0), ("wires", 0.0)):
        here = [condition for condition in make_conditions(TIO2_8X8) if condition.curve == curve]
        at_home, = [condition for condition in here if condition.x == home]
        assert at_home.device == TIO2_8X8 and at_home.wire_resistance == 0.0
        assert len({condition.x for condition in here}) == len(here) >= 5


# The command.


def test_summary_has_the_schema_of_the_experiment_and_more(finished):
    summary = json.loads((finished / "summary.json").read_text())
    assert (summary["schema"], summary["complete"], summary["seeds"], summary["n_transfers"]) == (1, True, [0, 1], 40)
    keys = [(row["name"], row["seed"], row["wire_resistance"]) for row in summary["rows"]]
    names = {name for name, _, _ in keys}
    assert len(names) == 3 and set(keys) == set(itertools.product(names, (0, 1), (0.0, 10.0))) and len(keys) == len(set(keys))
    expected = {"name", "wire_resistance", "seed", "nominal_accuracy", "mean_accuracy", "p05_accuracy", "robust_fraction_95",
                "robust_fraction_99", "n_undecided", "n_devices", "intervals", "ratio", "source", "n_transfers"}
    for row in summary["rows"]:
        assert set(row) == expected
    assert {row["n_devices"] for row in summary["rows"]} == {66, 194}
    assert {path.name for path in finished.iterdir()} == {
        "summary.json", "provenance.json", "table.txt", "curves.json", "networks", *(
            f"{figure}.{kind}" for figure in ("methods", "conditions") for kind in ("png", "pdf"))}
    assert len(list((finished / "networks").glob("*.npz"))) == len(names) * 2
    provenance = json.loads((finished / "provenance.json").read_text())
    assert provenance["device"]["array_shape [-]"] == [8, 8]
    assert provenance["recipes"][2]["training"]["loss"] == {"kind": "PointErrorRate", **vars(ROBUST.training.loss)}


def test_table_shows_ratio_worst_seed_and_sources(finished):
    table = (finished / "table.txt").read_text()
    rows = json.loads((finished / "summary.json").read_text())["rows"]
    worst = min(row["ratio"] for row in rows if row["name"] == "regular" and row["wire_resistance"] == 10.0)
    line = table.split("wire resistance 10 ohm")[1].split("  regular ")[1].splitlines()[0]
    assert line.split()[-2:] == [f"{worst:.3f}", "66"]
    assert "robust/nominal" in table and "hardware-aware (paper): Drolet et al., arXiv:2305.18495" in table


def test_curves_are_complete_and_agree_with_a_transfer(finished, few):
    curves = json.loads((finished / "curves.json").read_text())
    assert curves["n_transfers"] == 40
    keys = [(point["curve"], point["x"], point["name"], point["seed"]) for point in curves["points"]]
    n_networks = len({"regular", "hardware-aware (paper)"} & set(FOLLOWED)) * 2  # rows and seeds
    assert len(set(keys)) == len(keys) == n_networks * (len(make_conditions(TIO2_8X8)) + len(HIDDEN_UNITS))
    assert {x for curve, x, _, _ in keys if curve == "devices"} == {34, 66, 130, 250}
    network = MLP.load(finished / "networks" / "regular_seed1.npz")
    outcome = transfer(network, few.test, device=with_stuck_rate(TIO2_8X8, 0.05), n_transfers=40, rng=chip_generator(1))
    point, = [point for point in curves["points"] if point["name"] == "regular" and point["seed"] == 1
              and point["curve"] == "stuck" and point["x"] == 0.05]
    assert point["robust_fraction_95"] == (outcome.rates >= 0.95 - 1e-7).mean()


def test_rows_with_nothing_to_follow_have_no_curves(few, tmp_path):
    run_comparison(tmp_path / "out", few, BY_NAME["regular, centred inputs"], n_transfers=10)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert "methods.png" in names and "conditions.png" not in names
    assert json.loads((tmp_path / "out" / "curves.json").read_text())["points"] == []
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["complete"] is True


@pytest.mark.slow
def test_rows_adapted_to_each_chip_share_the_networks(few, tmp_path):
    brief = TrainingSettings(n_steps=2, n_chips=2)
    recipes = tuple(short(recipe) for recipe in COMPARED if recipe.trains_like(ROBUST) and recipe.adaptation != Adaptation())
    slow = [recipe.name for recipe in recipes if recipe.adaptation.retraining is not None]
    recipes = tuple(replace(recipe, adaptation=replace(recipe.adaptation, retraining=brief), most_chips=7)
                    if recipe.name in slow else recipe for recipe in recipes)
    assert len(slow) == 2 and len(recipes) > 5
    assert group_by_training((*recipes, short(ROBUST), RECIPES[0])) == [[*recipes, short(ROBUST)], [RECIPES[0]]]
    rows = run_comparison(tmp_path / "out", few, *recipes, n_transfers=12)
    assert [row["n_transfers"] for row in rows] == [7 if recipe.name in slow else 12 for recipe in recipes]
    assert len({row["nominal_accuracy"] for row in rows}) == 1
    table = (tmp_path / "out" / "table.txt").read_text()
    assert "ROBUST, retrained around known faults: 7 chips only" in table and table.count("chips only") == len(slow)
    name = "ROBUST, read back, output layer refitted"
    network = MLP.load(tmp_path / "out" / "networks" / f"{file_name(name)}_seed0.npz")
    outcome = transfer(network, few.test, adaptation=Adaptation(training=few.train, refit="output"), device=TIO2_8X8,
                       n_transfers=12, rng=chip_generator(0))
    row, = [row for row in rows if row["name"] == name]
    assert row["mean_accuracy"] == pytest.approx(outcome.accuracies.mean())


def test_interrupt_while_curves_are_measured_keeps_table_and_rows(few, tmp_path, monkeypatch, capsys):
    def interrupt(run, crew):
        raise KeyboardInterrupt
        yield

    tasks.save_moons(few, tmp_path)
    monkeypatch.setattr(comparison, "measure_curves", interrupt)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["compare", "--quick", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--transfers", "10", "--workers",
                 "1", "--wire-resistance", "0", "--seeds", "1", "--only", "regular"]) == 130
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["complete"] is False and len(summary["rows"]) == 1
    assert "regular" in (tmp_path / "out" / "table.txt").read_text() and "1 of 1 rows are in" in capsys.readouterr().out


def test_rows_and_tasks_are_chosen_by_name():
    assert [recipe.name for recipe in choose_recipes(["ROBUST", "regular"], quick=False)] == ["regular", "ROBUST"]
    assert [recipe.name for recipe in choose_recipes(None, quick=True)] == list(QUICK_ROWS)
    assert choose_recipes(None, quick=False) == list(COMPARED)
    with pytest.raises(ValueError, match="row 'ROBUSTT' is unknown; did you mean 'ROBUST'"):
        choose_recipes(["ROBUSTT"], quick=False)
    with pytest.raises(ValueError, match="task 'moon' is unknown; did you mean 'moons'"):
        make_task("moon", None)
    with pytest.raises(ValueError, match="--data is for half moons; circles are generated"):
        make_task("circles", "somewhere")
    np.testing.assert_array_equal(make_task("spirals", None).test.points, make_task("spirals", None).test.points)


@pytest.mark.slow
def test_a_first_look_from_the_command_line(few, tmp_path, capsys):
    tasks.save_moons(few, tmp_path)
    assert main(["compare", "--quick", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--transfers", "20", "--workers",
                 "1", "--wire-resistance", "0", "--only", "straight line, robustly trained", "regular, centred inputs"]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [(row["name"], row["seed"]) for row in summary["rows"]] == [
        (name, seed) for name in ("regular, centred inputs", "straight line, robustly trained") for seed in (100, 101)]
    assert "robust/nominal" in capsys.readouterr().out
    assert main(["describe", str(tmp_path / "out")]) == 0
    assert "robust/nominal" in capsys.readouterr().out


# Several starts.


@pytest.mark.parametrize(("name", "wire_resistance"), [("ROBUST", 0.0), ("ROBUST, wires in the loop", WIRES_TRAINED_FOR)])
def test_the_best_of_several_starts_is_chosen_on_training_points(few, name, wire_resistance):
    recipe = replace(short(BY_NAME[name]), activations=("tanh", "relu", "tanh"))
    rngs = [training_generator(seed) for seed in (0, 1)]
    chosen = train_starts(recipe, few.train, TIO2_8X8, rngs=rngs, settings=recipe.training)
    again = train_starts(recipe, few.train, TIO2_8X8, rngs=[training_generator(1)], settings=recipe.training)
    assert same_bits(chosen[1:], again)  # together or alone
    rng = training_generator(0)
    sources = [np.random.default_rng(int(seed)) for seed in rng.integers(2**63, size=3)]
    singles = [train_starts(replace(recipe, activations=(activation,)), few.train, TIO2_8X8, rngs=[source],
                            settings=recipe.training)[0] for source, activation in zip(sources, recipe.activations)]
    seed = int(rng.integers(2**63))
    shares = [(transfer(single, few.train, device=TIO2_8X8, n_transfers=500, rng=np.random.default_rng(seed),
                        wire_resistance=wire_resistance).rates >= 0.95 - 1e-7).mean() for single in singles]
    assert same_bits(chosen[:1], [singles[int(np.argmax(shares))]])


def test_a_better_start_is_kept(few, moons):
    settings = replace(ROBUST.training, n_steps=150)
    trained, = train_starts(replace(ROBUST, activations=("tanh",)), moons.train, TIO2_8X8, rngs=[training_generator(3)], settings=settings)
    blank = trained.with_arrays([np.zeros_like(array) for array in trained.arrays])
    for order in ([blank, trained], [trained, blank]):
        assert choose_start(ROBUST, order, moons.train, TIO2_8X8, rng=training_generator(5)) is trained
