"""Known stuck devices: maps, partner offset, and placing a network around them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    MLP,
    TIO2,
    DifferentialPairs,
    Layout,
    LineFailures,
    NoiseInjection,
    ReferenceColumn,
    TrainingSettings,
    arrange,
    map_weights,
    offset_partners,
    place_around,
    share_arrays,
    stuck_outside_window,
    stuck_unmoved,
    train,
)
from tiocross.devices.writes import count_later_writes, draw_line_failures, draw_writes
from tiocross.learning.network import classify, forward
from tiocross.mapping.draws import failed_devices
from tiocross.mapping.faults import pair_errors
from tiocross.mapping.layout import Block
from tiocross.mapping.placement import solve_assignment
from tiocross.mapping.sensitivity import weight_effects
from tiocross.units import uS

NAN = np.nan
RNG = np.random.default_rng
EPS = np.finfo(float).eps
STUCK = replace(TIO2.ideal(), stuck=TIO2.stuck)  # 1 % of devices
MANY = replace(STUCK, stuck=replace(TIO2.stuck, probability_lrs=0.06, probability_hrs=0.06))
LINES = replace(TIO2.ideal(), lines=LineFailures(0.01, 0.01, 1 * uS, 1000 * uS, "a choice of this test"))
pair_differences = DifferentialPairs().differences


def stuck_maps(device, n_chips, n_arrays, shape=(8, 8), seed=0):
    """A list of maps, one an array, for each chip."""
    rng, maps = RNG(seed), []
    for _ in range(n_arrays):
        writes = draw_writes(device, count_later_writes(shape), n_chips, rng)
        if device.lines is not None:
            writes.fix_devices(failed_devices(*draw_line_failures(device.lines, shape, n_chips, rng)))
        maps.append(np.where(writes.stuck, writes.constant, NAN))
    return [[array[chip] for array in maps] for chip in range(n_chips)]


def some_targets(*sizes, seed=1, array_shape=(8, 8)):
    """Targets with one block on each array; with one array a layer where ``array_shape`` is None."""
    return map_weights(MLP(*sizes, rng=RNG(seed)), TIO2, layout=arrange(sizes, array_shape))


def targets_on(layout, *sizes, seed=1):
    return map_weights(MLP(*sizes, rng=RNG(seed)), TIO2, layout=layout)


# Stuck maps from measured maps.


def test_devices_outside_the_window_are_stuck_where_they_are():
    measured = np.array([[95, 89, 300, 551], [0, 549, 499, 101], [2000, 250, 91, 450]]) * uS  # window 100 to 500 uS, 10 %
    wanted = np.array([[NAN, 89, NAN, 551], [0, NAN, NAN, NAN], [2000, NAN, NAN, NAN]]) * uS
    np.testing.assert_array_equal(stuck_outside_window(measured, g_min=TIO2.g_min, g_max=TIO2.g_max), wanted)
    tight = stuck_outside_window(measured, g_min=TIO2.g_min, g_max=TIO2.g_max, margin=0.0)
    assert int((~np.isnan(tight)).sum()) == 7


def test_devices_that_do_not_answer_are_stuck_at_the_mean_of_two_readings():
    after_reset = np.array([[100, 300, 50], [520, 110, 90]]) * uS
    after_set = np.array([[480, 304, 49], [500, 115, 470]]) * uS
    found = stuck_unmoved(after_set, after_reset, least_change=20 * uS)
    np.testing.assert_allclose(found / uS, [[NAN, 302, 49.5], [510, 112.5, NAN]])


def test_measured_dead_arrays_give_stuck_maps(measured):
    lines = (measured / "dead_xbar_P464EC_HD.csv").read_text().splitlines()
    resistances = np.array([float(text) for text in lines[2].replace(",", ";").split(";") if text.strip()]).reshape(8, 8)
    stuck = stuck_outside_window(1 / resistances, g_min=TIO2.g_min, g_max=TIO2.g_max)
    targets = some_targets(3, 4)
    placed = place_around(targets, TIO2, [stuck])
    assert 0 <= placed.damage_after <= placed.damage_before


@pytest.mark.parametrize(("make", "message"), [
    (lambda: stuck_outside_window([[100, 200]], g_min=1e-4, g_max=5e-4), "conductances must lie in .* microsiemens"),
    (lambda: stuck_outside_window([[-1e-5, 2e-4]], g_min=1e-4, g_max=5e-4), "conductances must lie in"),
    (lambda: stuck_outside_window([[NAN, 2e-4]], g_min=1e-4, g_max=5e-4), "conductances must be finite"),
    (lambda: stuck_outside_window(np.zeros((2, 3, 4)), g_min=1e-4, g_max=5e-4), r"shape \(n_rows, n_columns\)"),
    (lambda: stuck_outside_window([[1e-4]], g_min=5e-4, g_max=1e-4), "g_min must be below g_max"),
    (lambda: stuck_outside_window([[1e-4]], g_min=1e-4, g_max=5e-4, margin=-0.1), "margin must be finite and at least 0"),
    (lambda: stuck_unmoved(np.ones((2, 3)) * 1e-4, np.ones((3, 2)) * 1e-4, least_change=1e-6), r"\(3, 2\); transposed\?"),
    (lambda: stuck_unmoved([[1e-4]], [[4e-4]], least_change=2e-5), "Are the two maps swapped"),
    (lambda: stuck_unmoved([[1e-4]], [[4e-4]], least_change=20), r"least_change must be finite and within \[0, 1\] S"),
])
def test_bad_maps_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# The partner's offset.


@pytest.mark.parametrize(("wanted", "stuck", "result"), [
    ((300, 100), (NAN, NAN), (300, 100)),  # healthy
    ((300, 100), (450, NAN), (450, 250)),  # d = 200: minus at 450 - 200
    ((300, 100), (NAN, 50), (250, 50)),    # plus at 50 + 200
    ((100, 300), (450, NAN), (450, 500)),  # minus at 650 would be right; 500 is nearest
    ((300, 100), (40, NAN), (40, 100)),    # minus at -160 would be right
    ((300, 100), (NAN, 600), (500, 600)),
    ((300, 100), (40, 600), (40, 600)),    # nothing to do
])
def test_partner_offset_by_hand(wanted, stuck, result):
    got = offset_partners([np.array([wanted]) * uS], [np.array([stuck]) * uS], TIO2)
    np.testing.assert_allclose(got[0] / uS, [result], rtol=4 * EPS)


def test_partner_offset_is_the_best_of_all_partners():
    targets = some_targets(6, 7, 3)
    maps = [np.where(RNG(k).random(array.shape) < 0.3, RNG(9 + k).uniform(0, 7e-4, array.shape), NAN)
            for k, array in enumerate(targets)]
    steps = np.linspace(TIO2.g_min, TIO2.g_max, 401)
    for array, stuck, got in zip(targets, maps, offset_partners(targets, maps, TIO2)):
        np.testing.assert_array_equal(got[~np.isnan(stuck)], stuck[~np.isnan(stuck)])
        wanted, left = pair_differences(array), np.abs(pair_differences(got) - pair_differences(array))
        told = pair_errors(wanted, stuck[:, 0::2], stuck[:, 1::2], TIO2)
        np.testing.assert_allclose(told, left, rtol=0, atol=4 * EPS * TIO2.g_max)
        for i, j in np.ndindex(wanted.shape):
            plus, minus = stuck[i, 2 * j], stuck[i, 2 * j + 1]
            choices = [steps if np.isnan(side) else np.array([side]) for side in (plus, minus)]
            best = np.abs(np.subtract.outer(*choices) - wanted[i, j]).min()
            assert left[i, j] <= best + 1e-15  # no step does better ...
            assert best <= left[i, j] + 0.5e-6  # ... and the nearest of steps 1 uS apart is no more than half of one away
            assert (np.isnan(plus) and np.isnan(minus)) <= (left[i, j] == 0)


@pytest.mark.parametrize(("stuck", "error", "message"), [
    ([np.full((6, 5), NAN), np.full((4, 2), NAN)], ValueError, r"map of layer 0 must have shape \(5, 6\).*transposed\?"),
    ([np.full((5, 6), NAN)], ValueError, "one map for each of the 2 layers; got 1"),
    ([np.full((5, 6), -1e-6), np.full((4, 2), NAN)], ValueError, r"layer 0 must lie in \[0, 1\] S; got -1e-06"),
    ([np.full((5, 6), NAN), np.full((4, 2), 573)], ValueError, "layer 1 must lie in .* multiply by tiocross.units.uS"),
    ([np.full((5, 6), np.inf), np.full((4, 2), NAN)], ValueError, "must be finite; got inf"),
    (np.full((5, 6), NAN), TypeError, r"a list with one map for each layer; got a single array of shape \(5, 6\)"),
    (None, TypeError, "a list with one map for each layer; got None"),
    ([np.full((5, 6), NAN), "none"], TypeError, "stuck map of layer 1 must be an array of real numbers"),
])
def test_bad_stuck_maps_are_refused(stuck, error, message):
    with pytest.raises(error, match=message):
        offset_partners(some_targets(4, 3, 1), stuck, TIO2)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4)])
def test_targets_without_pairs_are_refused(shape):
    with pytest.raises(ValueError, match=r"targets of layer 0 must have shape \(n_inputs \+ 1, 2 n_outputs\)"):
        offset_partners([np.full(shape, 2e-4)], [np.full(shape, NAN)], TIO2)


def test_targets_outside_the_window_are_refused():
    with pytest.raises(ValueError, match="targets of layer 0 must lie in the window .* at word line 0, bit line 1"):
        offset_partners([np.array([[200, 550]]) * uS], [np.full((1, 2), NAN)], TIO2)


# The assignment problem.


@pytest.mark.parametrize("kind", ["continuous", "ties", "negative"])
def test_assignment_against_all_permutations(kind):
    rng = RNG(5)
    for _ in range(150):
        n_items = int(rng.integers(1, 6))
        n_places = int(rng.integers(n_items, 7))
        costs = rng.integers(0, 4, (n_items, n_places)) if kind == "ties" else rng.random((n_items, n_places))
        costs = costs - 2.0 if kind == "negative" else costs
        places = solve_assignment(costs)
        assert len(set(places.tolist())) == n_items
        orders = itertools.permutations(range(n_places), n_items)
        least = min(sum(costs[i, p] for i, p in enumerate(order)) for order in orders)
        assert costs[np.arange(n_items), places].sum() == pytest.approx(least, abs=1e-12)


def test_assignment_of_a_large_array_has_prices_that_prove_it():
    # Shuffled diagonal of zeros in positive costs: the only assignment of cost zero.
    rng = RNG(6)
    costs, wanted = rng.uniform(0.1, 1, (90, 120)), rng.permutation(120)[:90]
    costs[np.arange(90), wanted] = 0
    assert solve_assignment(costs).tolist() == wanted.tolist()


@pytest.mark.parametrize(("costs", "message"), [
    (np.zeros((3, 2)), "at least as many places as items"),
    ([[1.0, NAN]], "costs must be finite"),
])
def test_assignment_refuses(costs, message):
    with pytest.raises(ValueError, match=message):
        solve_assignment(costs)


# Placing a network.


def test_without_faults_nothing_moves():
    targets = some_targets(2, 8, 1)
    placed = place_around(targets, TIO2, [np.full((8, 8), NAN)] * 6)
    assert placed.layout.to_json() == targets.layout.to_json() and placed.damage_before == placed.damage_after == 0
    for first, second in zip(placed.conductances, targets):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("may_move_lines", [True, False])
@pytest.mark.parametrize("sizes", [(2, 8, 1), (5, 6, 4, 2), (3, 20)])
def test_placements_are_whole_and_never_worse(sizes, may_move_lines):
    targets = some_targets(*sizes, array_shape=(6, 8))
    layout = targets.layout
    weights = [RNG(3).random(array.shape) for array in map(pair_differences, targets)]
    for stuck in stuck_maps(MANY, 6, len(layout.blocks) + 1, (6, 8)):
        placed = place_around(targets, TIO2, stuck, sensitivities=weights, may_move_lines=may_move_lines)
        assert placed.damage_after <= placed.damage_before
        here = [stuck[array] for array in placed.layout.arrays]
        left = [np.abs(pair_differences(got - wanted)) for got, wanted in zip(placed.conductances, targets)]
        # The damage told is that of what is to be programmed, put together by another way.
        damage = sum((error * weight).sum() for error, weight in zip(left, weights))
        assert placed.damage_after == pytest.approx(damage, rel=1e-9, abs=1e-15)
        for array, faults, used, whole in zip(placed.targets, here, placed.layout.used,
                                              placed.layout.place(placed.conductances), strict=True):
            np.testing.assert_array_equal(~np.isnan(array), used & np.isnan(faults))
            np.testing.assert_array_equal(np.where(np.isnan(faults), array, faults)[used], whole[used])
        if not may_move_lines:
            for block, start in zip(placed.layout.blocks, layout.blocks, strict=True):
                np.testing.assert_array_equal(block.word_lines, start.word_lines)
                np.testing.assert_array_equal(block.bit_lines, start.bit_lines)


def test_hidden_units_move_as_units_where_lines_are_fixed():
    targets = some_targets(3, 6, 2, array_shape=(7, 12))  # one array a layer: positions are lines
    moved = 0
    for stuck in stuck_maps(MANY, 5, 2, (7, 12)):
        first, second = place_around(targets, TIO2, stuck, may_move_lines=False).layout.blocks
        if (first.array, second.array) == (0, 1):
            assert second.layer_rows.tolist() == [*first.pairs, 6]  # the bias stays last
            assert first.layer_rows.tolist() == [0, 1, 2, 3] and second.pairs.tolist() == [0, 1]
            moved += first.pairs.tolist() != list(range(6))
    assert moved


def test_the_best_of_all_lines_is_found_for_a_small_block():
    # Rows on any of 4 word lines, two outputs on 2 pairs, either way round: 24 x 8 placements, tried one by one.
    targets, shape = some_targets(2, 2, array_shape=(4, 4)), (4, 4)
    wanted, n_best, pairs = pair_differences(targets[0]), 0, [[0, 1], [1, 0]]
    for (stuck,) in stuck_maps(MANY, 40, 1, shape, seed=2):
        damages = []
        for rows in itertools.permutations(range(4), 3):
            for order, one, two in itertools.product(pairs, pairs, pairs):
                plus, minus = ([2 * order[0] + one[side], 2 * order[1] + two[side]] for side in (0, 1))
                damages.append(pair_errors(wanted, stuck[np.ix_(rows, plus)], stuck[np.ix_(rows, minus)], TIO2).sum())
        found = place_around(targets, TIO2, [stuck]).damage_after
        assert found >= min(damages) - 1e-15  # the search finds nothing that does not exist
        n_best += found <= min(damages) + 1e-15
    assert n_best >= 36  # rows and pairs in turn may end beside the best; they rarely do


def test_a_failed_line_is_left_to_a_spare():
    targets = some_targets(2, 8, 1)  # blocks of 3 x 8 and 5 x 2 devices on 8 x 8
    stuck = [np.full((8, 8), NAN) for _ in range(5)]
    stuck[0][6] = 3e-6   # a word line: five spares are there
    stuck[2][:, 0] = 9e-4  # a bit line: three pairs are there
    stuck[1][:, 2] = 3e-6  # a bit line of a full block: only the spare array is without
    placed = place_around(targets, TIO2, stuck)
    assert placed.damage_before > 0 and placed.damage_after == 0
    assert [block.array for block in placed.layout.blocks] == [0, 4, 2, 3]
    assert 6 not in placed.layout.blocks[0].word_lines and 0 not in placed.layout.blocks[2].bit_lines


def test_a_block_that_fits_anywhere_makes_room():
    targets = some_targets(7, 4, 1)  # a full array, and a block of 5 x 2
    stuck = [np.full((8, 8), NAN), np.full((8, 8), NAN)]
    stuck[0][:, 2] = 3e-6
    placed = place_around(targets, TIO2, stuck)
    assert placed.damage_before > 0 and placed.damage_after == 0
    assert [block.array for block in placed.layout.blocks] == [1, 0]


def test_lines_are_tried_at_home_before_other_arrays(monkeypatch):
    """Of hundreds of arrays each pair of block and array would cost milliseconds."""
    monkeypatch.setattr("tiocross.mapping.placement._exchange_arrays", lambda *_: pytest.fail("not needed"))
    stuck = [np.full((8, 8), NAN) for _ in range(6)]
    stuck[0][6] = 3e-6  # a word line of a block of three
    placed = place_around(some_targets(2, 8, 1), TIO2, stuck)
    assert placed.damage_before > 0 and placed.damage_after == 0


def test_sensitive_weights_are_spared():
    network = MLP(2, 8, 1, rng=RNG(8))
    targets, points = map_weights(network, TIO2, layout=arrange(network.sizes, (8, 8))), RNG(9).random((40, 2))
    effects = [effect / layer.scale for effect, layer in zip(weight_effects(network, points), targets.layers)]
    change = {"plain": 0.0, "weighted": 0.0}
    for stuck in stuck_maps(MANY, 12, 4, seed=3):
        for name, weights in (("plain", None), ("weighted", effects)):
            placed = place_around(targets, TIO2, stuck, sensitivities=weights, may_move_lines=False)
            errors = [np.abs(pair_differences(got - wanted)) for got, wanted in zip(placed.conductances, targets)]
            change[name] += sum((error * effect).sum() for error, effect in zip(errors, effects))
    assert change["weighted"] < 0.9 * change["plain"]


def test_weight_effects_are_gradients():
    network, points = MLP(3, 4, 2, rng=RNG(1), activation="tanh"), RNG(2).random((30, 3))
    first, second = weight_effects(network, points)
    hidden = np.tanh(points @ network.arrays[0][:-1] + network.arrays[0][-1])
    signals = np.concatenate([hidden, np.ones((30, 1))], axis=1)
    np.testing.assert_allclose(second, np.abs(signals).mean(axis=0)[:, None] * np.ones(2), rtol=1e-7)
    inputs = np.concatenate([points, np.ones((30, 1))], axis=1)
    slopes = np.abs((1 - hidden**2)[..., None] * network.arrays[1][:-1]).sum(axis=2)
    np.testing.assert_allclose(first, np.abs(inputs[:, :, None] * slopes[:, None]).mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_weight_effects_are_those_of_changing_each_weight(activation):
    network, points = MLP(2, 4, 3, 2, rng=RNG(1), activation=activation), RNG(2).random((30, 2))
    network.input_offset, network.input_scale = np.array([0.4, -0.2]), np.array([2.0, 0.5])
    step = 1e-6
    for layer, effects in enumerate(weight_effects(network, points)):
        for place in np.ndindex(effects.shape):
            ends = []
            for sign in (-1, 1):
                arrays = [array.copy() for array in network.arrays]
                arrays[layer][place] += sign * step
                ends.append(network.with_arrays(arrays).logits(points))
            wanted = np.abs(ends[1] - ends[0]).sum(axis=1).mean() / (2 * step)
            assert effects[place] == pytest.approx(wanted, rel=1e-6, abs=1e-9)  # of logits of 1: eps / step is 2e-10


def test_weight_effects_need_a_network_and_points():
    with pytest.raises(TypeError, match="network must be an MLP; got a list"):
        weight_effects([np.zeros((3, 4))], RNG(2).random((30, 2)))
    with pytest.raises(ValueError, match="at least one point"):
        weight_effects(MLP(2, 3, 1, rng=RNG(1)), np.zeros((0, 2)))


@pytest.mark.parametrize(("changes", "message"), [
    ({"targets": [np.full((3, 16), 2e-4)]}, r"targets must be Targets, such as map_weights\(network, device\); got a list"),
    ({"stuck": None}, "stuck must be a list with one map for each physical array; got None"),
])
def test_what_is_no_targets_or_list_is_refused(changes, message):
    arguments = {"targets": some_targets(2, 8, 1), "device": TIO2, "stuck": [np.full((8, 8), NAN)] * 4, **changes}
    with pytest.raises(TypeError, match=message):
        place_around(**arguments)


@pytest.mark.parametrize(("changes", "message"), [
    ({"stuck": [np.full((8, 8), NAN)] * 3}, "a map for each of the 4 arrays"),
    ({"targets": some_targets(2, 8, 1, array_shape=(8, 6)),
      "stuck": [np.full((8, 6), NAN)] * 3 + [np.full((6, 8), NAN)] * 3},
     r"array 3 must have shape \(8, 6\).*transposed\?"),
    ({"stuck": []}, "stuck must hold a map .* got 0"),
    ({"stuck": [np.full((8, 8), 573.0)] * 4}, "stuck map of array 0 must lie in .* multiply by tiocross.units.uS"),
    ({"targets": targets_on(arrange((2, 8, 1), mapping=ReferenceColumn()), 2, 8, 1)}, r"whole pairs.* got ReferenceColumn"),
    ({"sensitivities": [np.ones((3, 16)), np.ones((9, 2))]}, "sensitivities must have shapes"),
    ({"sensitivities": [-np.ones((3, 8)), np.ones((9, 1))]}, "must not be negative"),
])
def test_what_does_not_fit_is_refused(changes, message):
    arguments = {"targets": some_targets(2, 8, 1), "device": TIO2, "stuck": [np.full((8, 8), NAN)] * 4, **changes}
    with pytest.raises(ValueError, match=message):
        place_around(**arguments)


def test_a_single_map_is_no_list_of_maps():
    with pytest.raises((TypeError, ValueError), match=r"one map for each array; got a single array of shape \(8, 8\)"):
        place_around(some_targets(2, 8, 1), TIO2, np.full((8, 8), NAN))


# Blocks that share arrays, and arrays of unequal shapes.


SOFTWARE_BIAS = DifferentialPairs(digital_output_bias=True)
SHARED = [(share_arrays((2, 8, 1), (8, 8), mapping=SOFTWARE_BIAS), (2, 8, 1)),
          (share_arrays((5, 6, 4, 2), (6, 8)), (5, 6, 4, 2)), (share_arrays((3, 4, 2), (12, 10)), (3, 4, 2))]


@pytest.mark.parametrize("may_move_lines", [True, False])
@pytest.mark.parametrize(("layout", "sizes"), SHARED, ids=["full array", "several arrays", "room to spare"])
def test_blocks_on_shared_arrays_keep_to_their_own_devices(layout, sizes, may_move_lines):
    targets, moved = targets_on(layout, *sizes), 0
    for stuck in stuck_maps(MANY, 8, max(layout.arrays) + 2, layout.shapes[0], seed=6):
        placed = place_around(targets, TIO2, stuck, may_move_lines=may_move_lines)
        assert placed.damage_after <= placed.damage_before
        errors = [np.abs(pair_differences(got - wanted)).sum() for got, wanted in zip(placed.conductances, targets)]
        assert placed.damage_after == pytest.approx(sum(errors), rel=1e-9, abs=1e-15)
        for block, start in zip(placed.layout.blocks, layout.blocks, strict=True):
            if sum(other.array == start.array for other in layout.blocks) > 1:
                assert block.array == start.array
                assert sorted(block.word_lines) == sorted(start.word_lines)
                assert sorted(block.bit_lines) == sorted(start.bit_lines)
        counts = {array: np.zeros(shape) for array, shape in zip(placed.layout.arrays, placed.layout.shapes)}
        for block in placed.layout.blocks:
            counts[block.array][np.ix_(block.word_lines, block.bit_lines)] += 1
        assert max(count.max() for count in counts.values()) == 1
        assert sum(int(count.sum()) for count in counts.values()) == targets.n_devices
        for array, used, values in zip(placed.layout.arrays, placed.layout.used, placed.targets, strict=True):
            np.testing.assert_array_equal(used, counts[array] == 1)
            np.testing.assert_array_equal(~np.isnan(values), used & np.isnan(stuck[array]))
        moved += placed.damage_after < placed.damage_before
    assert moved  # something was won


def test_a_stuck_device_on_a_full_shared_array_is_left_to_a_weight_that_bears_it():
    layout = SHARED[0][0]
    targets = targets_on(layout, 2, 8, 1)
    whole = layout.place(list(targets))[0]
    i, j = np.argwhere(whole > TIO2.g_min + 100 * uS)[0]  # a device that is wanted well above the low end
    stuck = np.full((8, 8), NAN)
    stuck[i, j] = TIO2.g_min
    placed = place_around(targets, TIO2, [stuck])
    assert placed.damage_before > 0 and placed.damage_after == 0


def test_arrays_of_unequal_shapes_are_exchanged_only_with_their_like():
    targets = some_targets(2, 8, 1, array_shape=None)  # 3 x 16 and 9 x 2
    shapes = [(3, 16), (9, 2), (9, 2), (4, 16), (3, 16)]
    stuck = [np.full(shape, NAN) for shape in shapes]
    stuck[0][:, 3] = 3e-6  # on arrays without spare lines
    stuck[1][4] = [3e-6, 9e-4]  # far from every weight, also from a bias of zero
    placed = place_around(targets, TIO2, stuck)
    assert placed.damage_before > 0 and placed.damage_after == 0
    assert [block.array for block in placed.layout.blocks] == [4, 2] and placed.layout.shapes == [(3, 16), (9, 2)]
    without = place_around(targets, TIO2, stuck[:2])
    assert [block.array for block in without.layout.blocks] == [0, 1] and 0 < without.damage_after <= without.damage_before
    np.testing.assert_array_equal(without.layout.place(without.conductances)[0][:, 3], stuck[0][:, 3])


def test_maps_are_by_physical_number_wherever_the_layout_starts():
    start = arrange((2, 8, 1), (8, 8))
    numbers = {0: 5, 1: 2, 2: 7, 3: 0}
    layout = Layout(tuple(replace(block, array=numbers[block.array]) for block in start.blocks), start.layer_shapes)
    stuck = [np.full((8, 8), NAN) for _ in range(8)]
    stuck[2][7, 3] = 9e-4  # in use by the second block
    targets = targets_on(layout, 2, 8, 1)
    placed = place_around(targets, TIO2, stuck)
    assert layout.arrays == (5, 2, 7, 0) and placed.layout.arrays == (5, 2, 7, 0)
    assert placed.damage_before > 0 and placed.damage_after == 0
    untouched = place_around(targets, TIO2, [*stuck[:2], stuck[0], stuck[2], *stuck[4:]])  # on array 3, a spare
    assert untouched.damage_before == 0
    with pytest.raises(ValueError, match=r"numbers \[5, 2, 7, 0\]; got 7"):
        place_around(targets, TIO2, stuck[:7])


def test_placing_needs_whole_pairs_side_by_side():
    split = Layout((Block(0, 0, (2, 2), [0, 1], [0], [0, 1], [0]), Block(0, 1, (2, 2), [0, 1], [1], [0, 1], [0])), ((2, 2),))
    with pytest.raises(ValueError, match="the layout must hold whole pairs"):
        place_around(targets_on(split, 1, 1), TIO2, [np.full((2, 2), NAN)] * 2)


def test_partners_are_offset_on_pairs_only():
    targets = targets_on(arrange((2, 3), mapping=ReferenceColumn()), 2, 3)  # 4 bit lines, but no pairs
    with pytest.raises(ValueError, match=r"partners .*differential pairs.*got ReferenceColumn"):
        offset_partners(targets, [np.full((3, 4), NAN)], TIO2)


# What it is good for: at 1 % stuck devices, and with failed lines.


def errors_of(conductances, targets):
    return sum(np.abs(pair_differences(got) - pair_differences(wanted)).sum() for got, wanted in zip(conductances, targets))


def tried_on(device, targets, n_chips, seed):
    """Conductances of chips that some fault hits: as they come, with offset, and placed with and without spare lines."""
    layout = targets.layout
    for stuck in stuck_maps(device, n_chips, len(layout.arrays), seed=seed):
        faults = layout.collect(stuck)
        if not all(np.isnan(layer).all() for layer in faults):
            yield {"as it comes": [np.where(np.isnan(layer), array, layer) for layer, array in zip(faults, targets)],
                   "offset": offset_partners(targets, faults, TIO2),
                   "units": place_around(targets, TIO2, stuck, may_move_lines=False).conductances,
                   "lines": place_around(targets, TIO2, stuck).conductances}


@pytest.mark.parametrize("sizes", [(2, 8, 1), (2, 16, 1), (4, 6, 5, 3)])
def test_errors_of_hit_pairs_fall_by_more_than_half_at_one_percent(sizes):
    targets = some_targets(*sizes)
    chips = list(tried_on(STUCK, targets, 50, seed=4))
    errors = {name: np.mean([errors_of(chip[name], targets) for chip in chips]) for name in chips[0]}
    assert errors["offset"] < 0.65 * errors["as it comes"]
    assert errors["units"] < 0.5 * errors["as it comes"]
    assert errors["lines"] < 0.05 * errors["as it comes"]


@pytest.mark.slow
@pytest.mark.parametrize("device", [STUCK, LINES], ids=["stuck", "lines"])
@pytest.mark.parametrize("n_hidden", [8, 16])
def test_accuracy_is_not_worse_on_average(n_hidden, device, moons, network):
    if n_hidden == 16:
        start = MLP(2, 16, 1, rng=RNG(3))
        start.centre_inputs(moons.train)
        settings = TrainingSettings(n_steps=250, n_chips=1)
        network = train(start, moons.train, [NoiseInjection()], device=TIO2, rng=RNG(4), settings=settings)
    targets = map_weights(network, TIO2, layout=arrange(network.sizes, (8, 8)))
    inputs = network.encode(moons.test.points)
    accuracies = {}
    for chip in tried_on(device, targets, 60, seed=5):
        for name, conductances in chip.items():
            logits = forward(targets.weights(conductances), inputs, network.activation)
            accuracies.setdefault(name, []).append((classify(logits) == moons.test.labels).mean())
    base = np.array(accuracies.pop("as it comes"))
    assert len(base) >= 15
    for name, values in accuracies.items():
        gains = np.array(values) - base
        assert gains.mean() > 0, name  # the same chips, so that only what the placement does counts
