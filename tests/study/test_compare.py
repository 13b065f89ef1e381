"""The comparison of training methods: rows, table, files, figures, and that nothing is tuned on what judges it."""

import csv
import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tiocross import (
    MLP, TIO2, TIO2_8X8, ConductanceDropout, Dataset, DifferentialPairs, NoiseInjection, RangePenalty, Task, TrainingSettings,
    WiresInLoop, arrange, share_arrays, tasks)
from tiocross.commands.main import main
from tiocross.commands.compare import QUICK_ROWS, choose_recipes, make_task
from tiocross.study import comparison, figures, recipes as study_recipes
from tiocross.transfers.adaptation import Adaptation
from tiocross.transfers.chips import Chips
from tiocross.study.comparison import (
    FOLLOWED, HIDDEN_UNITS, STUCK_RATES, CurvePoint, kind_of_method, make_comparison, make_comparison_row, make_conditions,
    methods_to_choose, use_choices, with_stuck_rate, with_write_disturb)
from tiocross.study.results import ResultsFolder, file_name
from tiocross.study.run import Run, group_by_training
from tiocross.learning.training import train_many
from tiocross.study.starts import choose_start, start_network, train_starts
from tiocross.study.recipes import RECIPES, ExperimentSettings, Recipe, chip_generator, train_recipe, training_generator
from tiocross.study.choosing import ONLY_RATES, RATES, choose_values, grid_of, try_recipe, with_values
from tiocross.study.crew import Crew
from tiocross.study.effort import count_effort, describe_effort
from tiocross.study.methods import CHOSEN, COMPARED, ROBUST, STRENGTHS, WIRES_TRAINED_FOR, train_robust
from tiocross.transfers.judging import judge_chips, transfer
from tiocross.learning.literature import GaussianNoise

BY_NAME = {recipe.name: recipe for recipe in COMPARED}
SHORT = TrainingSettings(n_steps=6, n_chips=2)


@pytest.fixture(scope="module")
def few():
    """Half moons with few points."""
    return tasks.generate_moons(rng=np.random.default_rng(5), n_train=120, n_validation=20, n_test=90)


def short(recipe):
    """A recipe with six steps and its own values."""
    return recipe if recipe.training is None else replace(recipe, training=replace(recipe.training, n_steps=6), chosen_as="")


def once(recipe):
    """The same from one start."""
    return replace(short(recipe), activations=recipe.activations[:1])


def settings(*recipes, seeds=(0, 1)):
    return ExperimentSettings(seeds=seeds, training=SHORT, recipes=recipes, n_transfers=30)


def run_comparison(out, task, *recipes, n_seeds=1, n_transfers=30, wires=(0.0,), device=TIO2_8X8):
    """Rows of a comparison, run in this process."""
    sizes = ExperimentSettings(seeds=tuple(range(n_seeds)), training=SHORT, recipes=recipes, n_transfers=n_transfers,
                               wire_resistances=wires)
    Run(make_comparison(task, device, sizes), ResultsFolder(out, overwrite=True)).execute()
    return json.loads((out / "summary.json").read_text())["rows"]


def same_bits(first, second):
    pairs = [(a, b) for one, other in zip(first, second, strict=True) for a, b in zip(one.arrays, other.arrays, strict=True)]
    return all((a == b).all() for a, b in pairs)


@pytest.fixture(scope="module")
def finished(few, tmp_path_factory):
    """Folder of a run over three rows, one of them on more devices, with two seeds."""
    folder = tmp_path_factory.mktemp("compare") / "out"
    names = ("regular", "hardware-aware (paper)", "ROBUST, each unit 3 times")
    run_comparison(folder, few, *(once(BY_NAME[name]) for name in names), n_seeds=2, n_transfers=40, wires=(0.0, 10.0))
    return folder


# Rows.


@pytest.mark.slow
def test_names_differ_and_every_row_can_be_trained_and_judged(few):
    assert len(BY_NAME) == len(COMPARED)
    for recipe, *_ in group_by_training(COMPARED):
        network, = train_recipe(short(recipe), few, TIO2_8X8, settings(recipe, seeds=(0,)))
        outcome = transfer(network, few.test, device=TIO2_8X8, n_transfers=5, rng=chip_generator(0))
        row = make_comparison_row(recipe, 0, outcome)
        assert (row["source"], row["n_transfers"], row["kind"]) == (recipe.source, 5, kind_of_method(recipe))
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
    assert difference("ROBUST at a rate of 0.1") == {"learning_rate", "chosen_as"}
    assert difference("ROBUST with 2 chips a step") == {"n_chips"}
    assert difference("ROBUST, 31 hidden units") == {"sizes"}
    assert difference("ROBUST, spread") == difference("ROBUST, all on one array") == {"arrangement"}
    assert difference("ROBUST, each unit 3 times") == {"copies"}
    assert difference("ROBUST, wires in the loop") == {"techniques"}
    assert difference("ROBUST, compensated mapping") == {"adaptation"}
    assert set(BY_NAME["ROBUST, wires in the loop"].techniques) - set(ROBUST.techniques) == {WiresInLoop(WIRES_TRAINED_FOR)}
    assert ROBUST.centred and ROBUST.activations[0] == "tanh" and set(ROBUST.techniques) == {NoiseInjection(), ConductanceDropout()}


def test_every_method_has_the_same_budget_and_states_its_source():
    methods = methods_to_choose(COMPARED)
    assert len(methods) == 14
    for recipe in methods:
        assert recipe.activations == ROBUST.activations and recipe.arrangement == ROBUST.arrangement
        assert (recipe.training.n_steps, recipe.training.n_chips) == (ROBUST.training.n_steps, ROBUST.training.n_chips)
        assert (recipe.training.batch_size, recipe.training.optimiser) == (ROBUST.training.batch_size, ROBUST.training.optimiser)
        assert len(grid_of(STRENGTHS.get(recipe.name))) == 9
    ours = NoiseInjection, ConductanceDropout, RangePenalty, WiresInLoop
    theirs = [recipe for recipe in COMPARED if any(not isinstance(technique, ours) for technique in recipe.techniques)]
    assert len(theirs) == 7 and all(recipe.source and recipe in methods for recipe in theirs)
    assert {recipe.chosen_as for recipe in COMPARED} == {"", *(recipe.name for recipe in methods)}
    keep_theirs = {recipe.name for recipe in COMPARED if not recipe.chosen_as}
    assert keep_theirs == {"ROBUST at a rate of 0.1", *(name for name in BY_NAME if name.endswith("the paper's budget"))}
    assert set(STRENGTHS) <= {recipe.name for recipe in methods} and set(CHOSEN) <= {recipe.name for recipe in methods}
    for name, values in CHOSEN.items():
        assert values in grid_of(STRENGTHS.get(name))
    assert set(QUICK_ROWS) | set(FOLLOWED) <= set(BY_NAME)


def test_kinds_of_methods_follow_from_the_rows():
    kinds = {name: kind_of_method(BY_NAME[name]) for name in (*QUICK_ROWS, "ROBUST, spread", "Lipschitz penalty",
                                                              "ROBUST, placed around known faults")}
    assert list(kinds.values()) == [
        "no knowledge of the hardware", *["recipe of Drolet et al."] * 3, "ROBUST, and with a part changed",
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
    assert wide.sizes == (2, 5, 1) and steps == [(k, 12) for k in range(1, 13)]  # 6 steps, 6 starts
    deep = train_robust(few.train, TIO2, rng=np.random.default_rng(0), sizes=(2, 4, 3, 1), settings=recipe.training)
    assert deep.sizes == (2, 4, 3, 1)
    with pytest.raises(TypeError, match="Generator"):
        train_robust(few.train, TIO2, rng=3)


def test_a_figure_of_conditions_leaves_out_curves_without_points():
    found = [CurvePoint("stuck", x, "regular", 0, 0.9, 0.5 + x) for x in (0.0, 0.1)]
    drawn = figures.condition_curves(found, ["regular"], TIO2_8X8)
    assert [axes.axison for axes in drawn.axes] == [True, False, False, False]


def points(task, data=None):
    """What a command line says of points."""
    return SimpleNamespace(task=task, data=data, label=None, without=None, split_seed=0)


def test_tasks_of_other_sizes_keep_the_hidden_units():
    patterns = make_task(points("patterns"))
    assert BY_NAME["ROBUST, 31 hidden units"].sizes_for(patterns.train) == (16, 31, 4)
    assert BY_NAME["straight line, robustly trained"].sizes_for(patterns.train) == (16, 4)
    assert RECIPES[0].sizes_for(make_task(points("circles")).train) == (2, 8, 1)
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


@pytest.mark.slow
def test_values_are_chosen_on_validation_points_with_seeds_and_chips_of_their_own(few, monkeypatch):
    """Neither test points nor the generators of the table's networks and chips have a part in the choice."""
    recipes = [replace(short(BY_NAME[name]), chosen_as=name) for name in ("regular", "Gaussian noise, clipping")]
    rng = np.random.default_rng(8)
    poison = Dataset(rng.uniform(-9, 9, (50, 2)), rng.integers(0, 2, 50))

    def choose(task):
        with Crew(1) as crew:
            return [(choice.name, choice.values, choice.trials) for choice in choose_values(recipes, STRENGTHS, task, TIO2_8X8, crew)]

    before = choose(few)
    for name in ("chip_generator", "training_generator"):
        monkeypatch.setattr(study_recipes, name, lambda seed: pytest.fail("the choice drew from the table's chance"))
    assert choose(replace(few, test=poison)) == before
    assert choose(replace(few, validation=poison)) != before  # the test can fail
    assert [len(trials) for _, _, trials in before] == [9, 9]
    streams = {tuple(np.random.default_rng([seed, stream]).integers(2**63, size=3)) for seed in (0, 1, 100, 101) for stream in range(4)}
    assert len(streams) == 16


def test_choices_are_the_best_of_their_grids_and_go_into_the_rows(few):
    recipe = replace(once(BY_NAME["Gaussian noise, clipping"]), chosen_as="Gaussian noise, clipping")
    with Crew(1) as crew:
        choice, = choose_values([recipe], STRENGTHS, few, TIO2_8X8, crew)
    values, shares = zip(*choice.trials)
    assert values == tuple({"rate": rate, "noise": noise} for rate in RATES for noise in (0.05, 0.1, 0.2))
    assert choice.values == values[int(np.argmax(shares))] and choice.core_seconds > 0
    again, _ = try_recipe(with_values(recipe, values[4], STRENGTHS[recipe.name], TIO2_8X8), few, TIO2_8X8)
    assert again == shares[4]
    taken, robust, kept = use_choices([recipe, ROBUST, RECIPES[0]], [choice], device=TIO2_8X8)
    assert (taken.training.learning_rate, taken.techniques) == (choice.values["rate"], (GaussianNoise(choice.values["noise"], clip=2.5),))
    assert (robust, kept) == (ROBUST, RECIPES[0])
    assert choice._replace(values=values[0]).at_edge == ["rate", "noise"] and choice._replace(values=values[4]).at_edge == []


@pytest.mark.slow
def test_a_run_chooses_first_and_says_what(few, tmp_path):
    recipes = [replace(once(BY_NAME[name]), chosen_as="drop-connect, fault values") for name in ("drop-connect, fault values",)]
    recipes.append(replace(once(RECIPES[0]), name="regular"))
    run_comparison(tmp_path / "out", few, *recipes, n_transfers=20)
    summary, provenance = (json.loads((tmp_path / "out" / name).read_text()) for name in ("summary.json", "provenance.json"))
    choice, = summary["choices"]
    assert choice["grid"] == {"rate": list(RATES), "faults": [1.0, 2.0, 4.0]} and len(choice["shares"]) == 9
    assert choice["values"] == max(choice["shares"], key=lambda pair: pair[1])[0] and choice["rows"] == [recipes[0].name]
    trained, = [recipe for recipe in provenance["recipes"] if recipe["name"] == recipes[0].name]
    assert trained["training"]["learning_rate"] == choice["values"]["rate"]
    expected = 2 * choice["values"]["faults"] * TIO2_8X8.stuck.probability_lrs
    assert trained["techniques"][0]["probability_lrs"] == pytest.approx(expected)
    assert provenance["choice_core_seconds"][recipes[0].name] > 0
    assert choice["text"] in (tmp_path / "out" / "table.txt").read_text() and "chosen values" in summary_text(tmp_path / "out")
    assert summary["conclusion"][0].startswith("The most robust row is ") and summary["complete"] is True


def summary_text(folder):
    return (folder / "table.txt").read_text()


def test_the_work_is_counted_before_it_begins(few):
    sizes = ExperimentSettings(seeds=(0, 1, 2), recipes=COMPARED, n_transfers=5_000, wire_resistances=(0.0, 2.0))
    n_starts, n_chips, n_adapted = count_effort(make_comparison(few, TIO2_8X8, sizes))
    groups = group_by_training(COMPARED)
    assert n_starts == 3 * sum(len(group[0].activations) for group in groups) + 14 * 9 * 2 * 3 + 4 * 3 * 18
    assert n_adapted == 3 * 2 * (3 * 1_000 + 1_000 + 1_000 + 200 + 50)
    n_plain = sum(not recipe.adaptation.knows_chip for recipe in COMPARED)
    assert n_chips == 3 * 2 * 5_000 * n_plain + len(make_conditions(TIO2_8X8)) * 3 * 3 * 2_000
    assert "min with 2 workers" in describe_effort(make_comparison(few, TIO2_8X8, sizes, quick=True), 2)


def test_rows_take_the_values_of_their_method_and_keep_their_parts():
    choice = comparison.Choice("ROBUST", {"rate": ONLY_RATES[2]}, [], 0.0)
    for recipe, used in zip(COMPARED, use_choices(COMPARED, [choice], device=TIO2_8X8)):
        expected = ONLY_RATES[2] if recipe.chosen_as == "ROBUST" else getattr(recipe.training, "learning_rate", None)
        assert getattr(used.training, "learning_rate", None) == expected and used.techniques == recipe.techniques
        assert (used.training and replace(used.training, learning_rate=0.5)) == (
            recipe.training and replace(recipe.training, learning_rate=0.5))


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
    assert (summary["schema"], summary["complete"], summary["seeds"], summary["n_transfers"]) == (2, True, [0, 1], 40)
    keys = [(row["name"], row["seed"], row["wire_resistance"]) for row in summary["rows"]]
    names = {name for name, _, _ in keys}
    assert len(names) == 3 and set(keys) == set(itertools.product(names, (0, 1), (0.0, 10.0))) and len(keys) == len(set(keys))
    expected = {"name", "wire_resistance", "seed", "nominal_accuracy", "mean_accuracy", "p05_accuracy", "robust_fraction_95",
                "robust_fraction_99", "n_undecided", "n_devices", "intervals", "kind", "source", "n_transfers"}
    for row in summary["rows"]:
        assert set(row) == expected
    assert {row["n_devices"] for row in summary["rows"]} == {66, 194}
    assert {path.name for path in finished.iterdir()} == {
        "summary.json", "provenance.json", "table.txt", "table.csv", "table.tex", "curves.json", "networks", *(
            f"{figure}.{kind}" for figure in ("methods", "conditions") for kind in ("png", "pdf"))}
    assert len(list((finished / "networks").glob("*.npz"))) == len(names) * 2
    provenance = json.loads((finished / "provenance.json").read_text())
    assert provenance["device"]["array_shape [-]"] == [8, 8]
    assert provenance["recipes"][2]["training"]["loss"] == {"kind": "PointErrorRate", **vars(ROBUST.training.loss)}


def test_table_leads_with_nominal_and_robust_and_shows_worst_seed_wires_and_cost(finished):
    table = (finished / "table.txt").read_text()
    rows = [row for row in json.loads((finished / "summary.json").read_text())["rows"] if row["name"] == "regular"]
    nominal, robust = (np.array([row[figure] for row in rows if row["wire_resistance"] == 0.0])
                       for figure in ("nominal_accuracy", "robust_fraction_95"))
    wired = np.mean([row["robust_fraction_95"] for row in rows if row["wire_resistance"] == 10.0])
    header, line = (next(line for line in table.splitlines() if start(line)) for start in (
        lambda line: "nominal  " in line, lambda line: line.startswith("regular ")))
    assert header.split() == ["nominal", "robust", "95", "%", "worst", "10", "ohm", "devices", "core-s"]
    assert line.split()[:-1] == ["regular", *(word for values in (nominal, robust) for word in (
        f"{values.mean():.3f}", "+-", f"{values.std(ddof=1):.3f}")), f"{robust.min():.3f}", f"{wired:.3f}", "66"]
    cost = json.loads((finished / "provenance.json").read_text())["core_seconds"]["regular"]
    assert 0.0 < cost < 60.0 and abs(float(line.split()[-1]) - cost) < 0.051
    assert "hardware-aware (paper): Drolet et al., arXiv:2305.18495" in table
    assert max(map(len, table.splitlines())) <= 100


def test_table_is_there_as_csv_and_latex(finished):
    rows = json.loads((finished / "summary.json").read_text())["rows"]
    header, *lines = csv.reader((finished / "table.csv").read_text().splitlines())
    assert len(lines) == 3 * 2 and all(len(line) == len(header) for line in lines)
    found = dict(zip(header, lines[1]))
    values = [row["robust_fraction_95"] for row in rows if (row["name"], row["wire_resistance"]) == (found["name"], 0.0)]
    assert found["name"] == "hardware-aware (paper)" and found["wire_resistance [ohm]"] == "0"
    assert float(found["robust_fraction_95 mean [-]"]) == pytest.approx(np.mean(values))
    assert float(found["robust_fraction_95 sd over seeds [-]"]) == pytest.approx(np.std(values, ddof=1))
    latex = (finished / "table.tex").read_text()
    assert r"robust 95 \%" in latex and r"$\pm$" in latex and latex.count(r"\\") == 4


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
    run_comparison(tmp_path / "out", few, once(BY_NAME["regular, centred inputs"]), n_transfers=10)
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
    monkeypatch.setattr(comparison, "measure_conditions", interrupt)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["compare", "--quick", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--transfers", "10", "--workers",
                 "1", "--wire-resistance", "0", "--seeds", "1", "--only", "regular"]) == 130
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["complete"] is False and len(summary["rows"]) == 1
    assert "regular" in (tmp_path / "out" / "table.txt").read_text() and "1 of 1 rows are in" in capsys.readouterr().out


def chosen(*names):
    return [recipe.name for recipe in choose_recipes(list(names), quick=False)]


def test_rows_and_tasks_are_chosen_by_name():
    assert chosen("ROBUST", "regular") == ["regular", "ROBUST"]
    assert [recipe.name for recipe in choose_recipes(None, quick=True)] == list(QUICK_ROWS)
    assert choose_recipes(None, quick=False) == list(COMPARED)
    with pytest.raises(ValueError, match="task 'moon' is unknown; did you mean 'moons'"):
        make_task(points("moon"))
    with pytest.raises(ValueError, match="--data somewhere and --task circles name two tasks"):
        make_task(points("circles", data="somewhere"))
    with pytest.raises(ValueError, match="--task letters: learning rates and strengths are chosen on validation points"):
        make_task(points("letters"))
    np.testing.assert_array_equal(make_task(points("spirals")).test.points, make_task(points("spirals")).test.points)
    assert len(make_task(points(None)).validation) == 1_000 and make_task(points("wine")).class_names


def test_rows_are_named_in_any_case_by_short_names_and_with_commas_between_or_within():
    assert chosen("robust") == chosen("ROBUST") == ["ROBUST"]
    assert chosen("robust, spread", "Regular") == chosen("robust-spread,regular") == ["regular", "ROBUST, spread"]
    assert chosen("hardware-aware-centred-inputs") == chosen("hardware-aware, centred inputs")
    for wrong, near in (("robustt", "ROBUST"), ("ROBUST, spred", "ROBUST, spread"), ("regular,ROBUS", "regular-centred-inputs")):
        with pytest.raises(ValueError, match=f"row '{wrong}' is unknown; did you mean '"):
            chosen(wrong)
        assert near
    with pytest.raises(ValueError, match="row 'xyz' is unknown; tiocross compare --list shows all"):
        chosen("xyz")


def test_the_list_names_every_row_and_touches_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(COMPARED) and not list(tmp_path.iterdir())
    for line, recipe in zip(lines, COMPARED):
        short_name, rest = line.split("  ", 1)
        assert recipe.name in rest and chosen(short_name) == [recipe.name]


@pytest.mark.slow
def test_a_first_look_from_the_command_line(few, tmp_path, capsys):
    tasks.save_moons(few, tmp_path)
    assert main(["compare", "--quick", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--transfers", "20", "--workers",
                 "1", "--wire-resistance", "0", "--only", "straight line, robustly trained", "regular, centred inputs"]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [(row["name"], row["seed"]) for row in summary["rows"]] == [
        (name, seed) for name in ("regular, centred inputs", "straight line, robustly trained") for seed in (100, 101)]
    assert "core-s" in capsys.readouterr().out
    assert main(["describe", str(tmp_path / "out")]) == 0
    assert "nominal     robust 95 %" in capsys.readouterr().out


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
    networks = [start_network(recipe, few.train, source, activation=activation)
                for source, activation in zip(sources, recipe.activations)]
    singles = train_many(networks, few.train, recipe.techniques, device=TIO2_8X8, layout=recipe.layout((2, 8, 1), TIO2_8X8),
                         rngs=[rng] * 3, settings=recipe.training)  # the same points and chips for all
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
