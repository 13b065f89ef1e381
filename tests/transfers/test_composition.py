"""Everything composes: layouts, mappings, wires and adaptations in any combination, or an error that names the reason."""

from dataclasses import replace

import numpy as np
import pytest
from oracle import reduced_device_currents

from tiocross import MLP, TIO2, Dataset, DifferentialPairs, LineFailures, ReferenceColumn, arrange, share_arrays, transfer
from tiocross.mapping.layout import Block, Layout
from tiocross.transfers import draws
from tiocross.transfers.adaptation import RETRAINING, Adaptation
from tiocross.transfers.chips import Chips
from tiocross.transfers.conducting import conduct
from tiocross.units import uS

RNG = np.random.default_rng
SIZES = (2, 8, 1)
LAYOUTS = {
    "8 x 8": arrange(SIZES, (8, 8)),
    "one shared array": share_arrays(SIZES, (8, 8), mapping=DifferentialPairs(digital_output_bias=True)),
    "spread": arrange(SIZES, (8, 2)),
    "reference column": arrange(SIZES, mapping=ReferenceColumn()),
}
FAULTY = replace(TIO2, stuck=replace(TIO2.stuck, probability_lrs=0.03, probability_hrs=0.03))
WITH_LINES = replace(FAULTY, lines=LineFailures(0.05, 0.05, 1 * uS, 2000 * uS, source="made up"))
BRIEF = replace(RETRAINING, n_steps=3, n_chips=2, batch_size=16)
ADAPTATIONS = {  # device, what is done with a chip
    "blind": (FAULTY, {}),
    "compensated": (FAULTY, {"compensated": True}),
    "placed": (FAULTY, {"map_known": True}),
    "placed around failed lines": (WITH_LINES, {"map_known": True}),
    "retrained and compensated": (FAULTY, {"map_known": True, "retraining": BRIEF, "compensated": True}),
    "output refitted": (FAULTY, {"refit": "output"}),
    "layer by layer": (FAULTY, {"layer_by_layer": True, "retraining": BRIEF}),
}
IMPOSSIBLE = {
    **{("reference column", name): "known faults are made up for by the partner in a pair; .* ReferenceColumn has none"
       for name in ("placed", "placed around failed lines", "retrained and compensated")},
    ("one shared array", "layer by layer"): "layers share an array, and programming the next disturbs what was read",
}
GRID = [(layout, name) for layout in LAYOUTS for name in ADAPTATIONS]
POSSIBLE = [case for case in GRID if case not in IMPOSSIBLE]
ROUNDS = pytest.mark.parametrize("wire_resistance", [0.0, 5.0])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of three chips, so that a few chips are several blocks."""
    monkeypatch.setattr(draws, "CHIPS_PER_BLOCK", 3)


@pytest.fixture(scope="module")
def training(moons):
    return Dataset(moons.train.points[:60], moons.train.labels[:60])


@pytest.fixture(scope="module")
def few(moons):
    return Dataset(moons.test.points[:200], moons.test.labels[:200])


def options(layout, name, training, *, ideal=False):
    device, changes = ADAPTATIONS[name]
    return {"layout": LAYOUTS[layout], "device": device.ideal() if ideal else device,
            "adaptation": Adaptation(training, **changes)}


def make_chips(network, layout, name, training, wire_resistance, *, ideal=False, seed=3):
    return Chips(network, wire_resistance=wire_resistance, rng=RNG(seed),
                 **options(layout, name, training, ideal=ideal))


def same_bits(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


@pytest.mark.slow
@ROUNDS
@pytest.mark.parametrize(("layout", "name"), POSSIBLE)
def test_a_combination_gives_the_same_bits_again_and_for_any_number_of_workers(network, training, few, layout, name,
                                                                                wire_resistance):
    outcomes = [transfer(network, few, wire_resistance=wire_resistance, n_transfers=5, rng=RNG(3), workers=workers, keep_correct=True,
                         **options(layout, name, training)) for workers in (1, 1, 2)]
    assert outcomes[0].correct.tobytes() == outcomes[1].correct.tobytes() == outcomes[2].correct.tobytes()
    assert outcomes[0].n_devices == sum(used.sum() for used in LAYOUTS[layout].used)
    first, again = (make_chips(network, layout, name, training, wire_resistance).weights(range(3)) for _ in range(2))
    assert same_bits(first, again)
    assert [array.shape for array in first] == [(3, *array.shape) for array in network.arrays]
    assert all(np.isfinite(array).all() for array in first)
    assert np.abs(first[0] - first[0][:1]).max() > 0  # chips differ


@ROUNDS
@pytest.mark.parametrize(("layout", "name"), IMPOSSIBLE)
def test_what_is_impossible_names_the_physical_reason_before_any_work(network, training, few, layout, name, wire_resistance):
    rng = RNG(3)
    with pytest.raises(ValueError, match=IMPOSSIBLE[layout, name]):
        transfer(network, few, wire_resistance=wire_resistance, n_transfers=5, rng=rng, **options(layout, name, training))
    assert rng.integers(2**63) == RNG(3).integers(2**63)


@pytest.mark.parametrize(("layout", "name"), POSSIBLE)
def test_ideal_devices_without_wires_give_exactly_the_nominal_classes(network, training, few, layout, name):
    """Also where the network is trained again: not at a learning rate of zero."""
    given = options(layout, name, training, ideal=True)
    if given["adaptation"].retraining is not None:
        given["adaptation"] = replace(given["adaptation"], retraining=replace(BRIEF, learning_rate=0.0))
    outcome = transfer(network, few, n_transfers=4, rng=RNG(4), keep_correct=True, **given)
    assert (outcome.correct == (network.predict(few.points) == few.labels)).all()
    assert (outcome.correct == outcome.nominally_correct).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_compensated_ideal_devices_give_weights_near_the_networks_through_wires(network, training, layout):
    plain, compensated = (make_chips(network, layout, name, training, 5.0, ideal=True).weights(range(1))
                          for name in ("blind", "compensated"))
    for array, before, after in zip(network.arrays, plain, compensated):
        errors = [np.linalg.norm(found[0] - array) / np.linalg.norm(array) for found in (before, after)]
        assert errors[1] < 0.02 and errors[1] < 0.4 * errors[0]


@pytest.mark.slow
@ROUNDS
@pytest.mark.parametrize(("layout", "name"), POSSIBLE)
def test_other_wires_are_those_of_chips_made_anew(network, training, layout, name, wire_resistance):
    chips = make_chips(network, layout, name, training, 2.0)
    moved = chips.with_wires(wire_resistance)
    assert (moved.wire_resistance, chips.wire_resistance, moved.entropy) == (wire_resistance, 2.0, chips.entropy)
    fresh = make_chips(network, layout, name, training, wire_resistance)
    assert same_bits(moved.weights(range(3, 5)), fresh.weights(range(3, 5)))
    assert same_bits(chips.weights(range(3, 5)), make_chips(network, layout, name, training, 2.0).weights(range(3, 5)))


@pytest.mark.parametrize(("layout", "name"), [case for case in POSSIBLE if "known" in str(ADAPTATIONS[case[1]][1])])
def test_chips_without_a_fault_are_the_same_whether_that_is_known_or_not(network, training, layout, name):
    """Chip 17 is chip 17: what a write leaves behind on it does not depend on what is known."""
    device = replace(TIO2, stuck=replace(TIO2.stuck, probability_lrs=0.01, probability_hrs=0.01), lines=WITH_LINES.lines)
    device = replace(device, lines=replace(device.lines, probability_word_line=0.005, probability_bit_line=0.005))
    layout, changes = LAYOUTS[layout], ADAPTATIONS[name][1]
    changes = {key: value for key, value in changes.items() if key != "compensated"}
    blind, known = (Chips(network, device, layout=layout, adaptation=Adaptation(training, **more), rng=RNG(5))
                    for more in ({}, changes))
    n_sound = 0
    for block in range(6):
        numbers = range(3 * block, 3 * block + 3)
        faults = blind.faults(numbers)
        assert all(np.array_equal(one, other, equal_nan=True) for one, other in zip(faults, known.faults(numbers)))
        sound = np.all([np.isnan(array[:, used]).all(axis=1) for array, used in zip(faults, layout.used)], axis=0)
        n_sound += sound.sum()
        for one, other in zip(blind.programmed(numbers).conductances, known.programmed(numbers).conductances):
            assert one[sound].tobytes() == other[sound].tobytes()
    assert 0 < n_sound < 18


def on_larger_arrays(layout, *, move):
    """The same blocks on arrays of twice the lines; moved ones on other arrays, on every other line, the order reversed."""
    n, blocks = len(layout.arrays), []
    for block in layout.blocks:
        rows, columns = 2 * block.shape[0], 2 * block.shape[1]
        word_lines, bit_lines, array = block.word_lines, block.bit_lines, block.array
        if move:
            word_lines, bit_lines, array = rows - 1 - 2 * word_lines, columns - 2 - 2 * bit_lines, n - 1 - array
        blocks.append(Block(block.layer, array, (rows, columns), block.layer_rows, block.layer_columns, word_lines,
                            bit_lines))
    return Layout(tuple(blocks), layout.layer_shapes, layout.mapping)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_conduct_what_a_dense_solution_of_the_whole_array_says(layout):
    """Devices not in use are open; every chip may have a layout of its own."""
    home, away = (on_larger_arrays(LAYOUTS[layout], move=move) for move in (False, True))
    layouts = [home, away, home]
    layers = [RNG(6).uniform(1e-4, 5e-4, (3, *shape)) for shape in home.layer_shapes]
    found = conduct(layers, layouts, 7.0)
    for chip, here in enumerate(layouts):
        arrays = here.place([layer[chip] for layer in layers])
        solved = []
        for array in arrays:
            whole = np.where(np.isnan(array), 0.0, array)
            solved.append(reduced_device_currents(whole, np.eye(len(whole)), 7.0, 7.0).sum(axis=1))
        for layer, expected in enumerate(here.collect(solved)):
            # Solved to 1e-9 of a line's current per volt, at most some ten devices' currents.
            np.testing.assert_allclose(found[layer][chip], expected, rtol=0, atol=2e-8 * expected.max())
            assert np.abs(found[layer][chip] - layers[layer][chip]).max() > 1e-6  # wires count
    for layer in range(len(layers)):
        alone = conduct(layers, layouts, 7.0, only=layer)[layer]
        np.testing.assert_allclose(alone, found[layer], rtol=0, atol=2e-8 * found[layer].max())
    assert conduct(layers, layouts, 0.0) is layers


@pytest.mark.slow
def test_compensation_follows_a_chip_to_the_places_it_was_moved_to(monkeypatch):
    """Also a chip that moved clear of all its faults is compensated for the lines that its weights stand on."""
    monkeypatch.setattr(draws, "CHIPS_PER_BLOCK", 60)
    network, layout = MLP(2, 8, 1, rng=RNG(2), activation="tanh"), arrange((2, 8, 1), (12, 12))
    device = replace(TIO2.ideal(), stuck=replace(TIO2.stuck, probability_lrs=0.03, probability_hrs=0.03))
    compensated, plain = (Chips(network, device, layout=layout, wire_resistance=20.0, rng=RNG(3),
                                adaptation=Adaptation(map_known=True, compensated=made_up)) for made_up in (True, False))
    stuck, layouts = plain._meet(range(60)).stuck, plain.programmed(range(60)).layouts
    clear = [chip for chip in range(60) if all(np.isnan(layer[chip]).all() for layer in stuck)]
    assert sum(layouts[chip] is not plain.layout for chip in clear) > 5
    errors = [np.abs(chips.weights(range(60))[0][clear] - network.arrays[0]).max(axis=(1, 2))
              for chips in (compensated, plain)]
    assert (errors[0] < 0.45 * errors[1]).all()  # 0.6 of it where targets are compensated for another place
