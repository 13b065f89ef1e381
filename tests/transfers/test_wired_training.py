"""Wires in the training loop: against chips with solved wires, and against central differences."""

from dataclasses import replace

import numpy as np
import pytest
from oracle import dense_circuit
from signed_coordinates import arrange_signed

from tiocross import MLP, TIO2, TIO2_8X8, Crossbar, Dataset, transfer_matrix
from tiocross.devices.writes import apply_writes
from tiocross.learning.on_devices import ChipSampler
from tiocross.learning.techniques import ConductanceDropout, Course, NoiseInjection, RangePenalty, split_layers
from tiocross.learning.tensor import Tensor
from tiocross.learning.training import TrainingSettings, train, train_many
from tiocross.mapping.arrangements import arrange, share_arrays
from tiocross.mapping.mappings import DifferentialPairs, ReferenceColumn
from tiocross.mapping.targets import map_weights
from tiocross.transfers.chips import Chips
from tiocross.transfers.wires import WiresInLoop

RNG = np.random.default_rng
SHORT = TrainingSettings(n_steps=8, batch_size=20, n_chips=3)
# Layers with fewer lines on either side, whole and on arrays of their own with remainders at both edges.
CASES = [arrange((2, 8, 1)), arrange((2, 8, 1), (8, 8)), arrange((3, 5, 2), (3, 4)), arrange((4, 3), (2, 6)),
         arrange((6, 7, 4, 3), (8, 2)), share_arrays((2, 8, 1), (8, 10)), share_arrays((3, 5, 2), (14, 12)),
         share_arrays((2, 8, 1), (8, 8), mapping=DifferentialPairs(digital_output_bias=True)),
         arrange((3, 5, 2), mapping=ReferenceColumn()), arrange((3, 5, 2), (3, 4), mapping=ReferenceColumn(True))]


def sizes_of(layout):
    """Layer sizes of a layout's network."""
    has_bias = not layout.mapping.digital_output_bias
    n_outputs = [shape[1] // 2 if layout.mapping.lines_per_output == 2 else shape[1] - 1 for shape in layout.layer_shapes]
    last = layout.layer_shapes[-1][0] - has_bias
    first = layout.layer_shapes[0][0] - 1 if len(layout.layer_shapes) > 1 else last
    return (first, *n_outputs)


def course_of(sizes, layout, device=None, n_chips=3):
    return Course([(n_in + 1, n_out) for n_in, n_out in zip(sizes, sizes[1:])], n_chips, [], device, layout)


def split_devices(values, layout):
    """(..., n_devices) as the layers' (..., n_word_lines, n_bit_lines)."""
    ends = np.cumsum([rows * columns for rows, columns in layout.layer_shapes])[:-1]
    parts = np.split(values, ends, axis=-1)
    return [part.reshape(*part.shape[:-1], *shape) for part, shape in zip(parts, layout.layer_shapes)]


@pytest.fixture(scope="module")
def few():
    points = RNG(0).uniform(-1, 1, (60, 2))
    return Dataset(points, (points[:, 1] > points[:, 0] ** 2 - 0.3).astype(int))


def as_column(networks):
    return np.stack([np.concatenate([array.reshape(-1, 1) for array in network.arrays]) for network in networks])[:, None]


def conduct(layout, resistance, programmed):
    return WiresInLoop(resistance).conduct(programmed, course_of(sizes_of(layout), layout))


@pytest.mark.parametrize("layout", CASES)
def test_programmed_chips_compute_as_simulated_chips_with_wires(layout):
    chips = Chips(MLP(*sizes_of(layout), rng=RNG(1)), TIO2, layout=layout, wire_resistance=30.0, rng=RNG(2))
    states = [state[:5] for state in chips.programmed(range(500)).conductances]
    programmed = np.concatenate([state.reshape(1, 5, -1) for state in states], axis=-1)
    found = conduct(layout, 30.0, Tensor(programmed)).value
    assert found.shape == programmed.shape
    matrices = split_devices(found[0], layout)
    for wired, expected in zip(chips.targets.weights(matrices), chips.weights(range(5))):
        # Both matrices to 1e-9 of a line's current per volt, some ten times an entry's difference.
        np.testing.assert_allclose(wired, expected, rtol=0, atol=3e-8 * np.abs(expected).max())


@pytest.mark.parametrize("layout", [arrange((2, 8, 1)), arrange((2, 8, 1), (8, 8)), share_arrays((2, 8, 1), (8, 10)),
                                    arrange((2, 8, 1), mapping=ReferenceColumn())])
def test_samples_of_several_networks_are_their_weights_through_the_wires(layout):
    networks = [MLP(2, 8, 1, rng=RNG(seed)) for seed in (3, 4)]
    sampler = ChipSampler([NoiseInjection(), ConductanceDropout(), WiresInLoop(20.0)], TIO2, layout, (2, 8, 1))
    writes = sampler.draw(3, [RNG(5), RNG(6)])
    sampled = sampler.sample(Tensor(as_column(networks)), writes, course_of((2, 8, 1), layout))
    assert sampled.shape == (2, 3, 33, 1)
    layers = split_layers(sampled.value, [(3, 8), (9, 1)])
    for k, network in enumerate(networks):
        targets, programmed, start = map_weights(network, TIO2, layout=layout), [], 0
        for wanted in targets:
            n = wanted.size
            drawn = type(writes)(*(getattr(writes, name)[k, :, start : start + n].reshape(3, *wanted.shape)
                                   for name in vars(writes)))
            programmed.append(apply_writes(wanted, drawn, floor=True))
            start += n
        arrays = [np.nan_to_num(array, nan=0.0) for array in layout.place(programmed)]
        matrices = layout.collect([transfer_matrix(Crossbar(array, 20.0)) for array in arrays])
        for depth, expected in enumerate(targets.weights(matrices)):
            np.testing.assert_allclose(layers[depth][k], expected, rtol=0, atol=3e-8 * np.abs(expected).max())


def test_the_matrix_is_what_the_dense_reference_solves():
    conductances, layout = RNG(7).uniform(1e-4, 5e-4, (4, 6)), arrange((3, 3))
    found = conduct(layout, 50.0, Tensor(conductances.reshape(1, 1, 24))).value.reshape(4, 6)
    for i, row in enumerate(np.eye(4)):
        solution = dense_circuit(conductances, row, np.nan, np.nan, 0.0, word_line_resistance=50.0, bit_line_resistance=50.0)
        np.testing.assert_allclose(found[i], -solution.end_currents.bottom, rtol=1e-8)


@pytest.mark.parametrize("layout", CASES)
def test_gradient_agrees_with_central_differences(layout):
    rng = RNG(8)
    n_devices = sum(rows * columns for rows, columns in layout.layer_shapes)
    programmed = rng.uniform(1e-4, 5e-4, (2, 3, n_devices))  # networks, chips
    wanted = rng.normal(size=programmed.shape)
    tensor = Tensor(programmed)
    (conduct(layout, 40.0, tensor) * wanted).sum().backward()
    for _ in range(3):
        direction = 1e-6 * rng.normal(size=programmed.shape)
        ends = [(conduct(layout, 40.0, Tensor(programmed + sign * direction)).value * wanted).sum() for sign in (1, -1)]
        # Truncation goes with the square of the step, some 0.3 % of a device: 1e-5. Solving to 1e-9 of a line's current
        # leaves less of the sum's change, some 0.1 % of the sum.
        terms = tensor.grad * direction  # of either sign: where they cancel, 2e-5 of the sum is less than was solved for
        assert terms.sum() == pytest.approx((ends[0] - ends[1]) / 2, rel=2e-5, abs=2e-7 * np.abs(terms).sum())


@pytest.mark.parametrize("through_scale", [False, True])
def test_gradient_by_weights_agrees_with_central_differences(through_scale):
    rng, network = RNG(9), MLP(2, 4, 1, rng=RNG(10))
    layout = arrange(network.sizes, (8, 8))
    sampler = ChipSampler([NoiseInjection(), WiresInLoop(25.0)], TIO2, layout, network.sizes)
    course = course_of(network.sizes, layout, n_chips=4)
    writes, weights = sampler.draw(4, [RNG(11)]), as_column([network])
    wanted = rng.normal(size=(1, 4, weights.shape[2], 1))
    tensor = Tensor(weights)
    (sampler.sample(tensor, writes, course, through_scale=through_scale) * wanted).sum().backward()
    direction = 1e-5 * rng.normal(size=weights.shape)
    if not through_scale:  # the scale is a constant in the gradient: leave the largest of each layer
        for part, values in zip(split_layers(direction, [(3, 4), (5, 1)]), split_layers(weights, [(3, 4), (5, 1)])):
            part[np.abs(values) == np.abs(values).max()] = 0.0
    ends = [(sampler.sample(Tensor(weights + sign * direction), writes, course).value * wanted).sum() for sign in (1, -1)]
    assert (tensor.grad * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2, rel=1e-3)


def test_stuck_devices_pass_no_gradient_and_still_load_the_wires():
    device = TIO2_8X8.without("tuning", "disturb")
    device = replace(device, stuck=replace(device.stuck, probability_lrs=0.3, probability_hrs=0.3))
    network = MLP(2, 4, 1, rng=RNG(12))
    layout = arrange(network.sizes, (8, 8))
    sampler = ChipSampler([ConductanceDropout(), WiresInLoop(25.0)], device, layout, network.sizes)
    writes = sampler.draw(1, [RNG(13)])
    tensor = Tensor(as_column([network]))
    sampler.sample(tensor, writes, course_of(network.sizes, layout, n_chips=1)).sum().backward()
    hit = writes.stuck[0, 0].reshape(-1, 2).any(axis=-1)
    assert hit.any() and not hit.all()
    np.testing.assert_array_equal(tensor.grad[0, 0, :, 0] != 0, ~hit)


def test_wires_without_resistance_change_nothing_but_rounding(few):
    start = MLP(2, 4, 1, rng=RNG(14))
    ideal, without, wired = (train(start, few, [NoiseInjection(), *more], device=TIO2_8X8, rng=RNG(15), settings=SHORT)
                             for more in ([WiresInLoop(0.0)], [], [WiresInLoop(40.0)]))
    for one, other, third in zip(ideal.arrays, without.arrays, wired.arrays):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)  # of single precision, after some steps of Adam
        assert np.abs(one - third).max() > 1e-3


def test_networks_trained_together_have_the_bits_of_those_trained_alone(few):
    starts, techniques = [MLP(2, 4, 1, rng=RNG(seed)) for seed in (16, 17)], [NoiseInjection(), WiresInLoop(40.0)]
    together = train_many(starts, few, techniques, device=TIO2_8X8, rngs=[RNG(18), RNG(19)], settings=SHORT)
    alone = [train(start, few, techniques, device=TIO2_8X8, rng=RNG(seed), settings=SHORT)
             for start, seed in zip(starts, (18, 19))]
    for one, other in zip(together, alone):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one.arrays, other.arrays))


@pytest.mark.parametrize(("techniques", "hardware", "message"), [
    ([WiresInLoop(2.0)], {}, r"WiresInLoop simulates a device: say which, for example train\(\.\.\., device=TIO2\)"),
    ([RangePenalty(0.1), WiresInLoop(2.0)], {}, "WiresInLoop simulates a device"),
    ([WiresInLoop(2.0), NoiseInjection()], {"device": TIO2, "layout": arrange_signed((2, 3, 1))},
     "wires join conductances: WiresInLoop needs a physical mapping; got SignedCoordinates"),
])
def test_wires_without_devices_are_named(few, techniques, hardware, message):
    with pytest.raises(ValueError, match=message):
        train(MLP(2, 3, 1, rng=RNG(0)), few, techniques, rng=RNG(1), settings=SHORT, **hardware)


def test_wires_alone_train_with_exactly_programmed_arrays(few):
    """Wires alone, and wires beside effects that the device does not have, are one training but for draws of the order."""
    start, whole = MLP(2, 4, 1, rng=RNG(14)), replace(SHORT, batch_size=60)
    alone, beside = (train(start, few, [*techniques, WiresInLoop(40.0)], device=device, rng=RNG(15), settings=whole)
                     for techniques, device in (([], TIO2_8X8), ([NoiseInjection()], TIO2_8X8.ideal())))
    for one, other, before in zip(alone.arrays, beside.arrays, start.arrays):
        assert one.tobytes() == other.tobytes() != before.tobytes()


def test_negative_resistance_is_named():
    with pytest.raises(ValueError, match="wire_resistance must be finite and at least 0 ohm; got -2 ohm"):
        WiresInLoop(-2.0)


@pytest.mark.parametrize("layout", [arrange((6, 7, 4, 3), (8, 2)), arrange((70, 3), (40, 40))], ids=["small arrays", "large"])
def test_arrays_solved_some_at_a_time_give_what_all_together_give(layout, monkeypatch):
    rng, n_devices = RNG(20), sum(rows * columns for rows, columns in layout.layer_shapes)
    programmed, slopes = rng.uniform(1e-4, 5e-4, (2, 3, n_devices)), rng.normal(size=(2, 3, n_devices))
    whole, pieces, found = Tensor(programmed), Tensor(programmed), []
    for tensor, at_once in ((whole, 10**9), (pieces, 100)):
        monkeypatch.setattr("tiocross.transfers.wires._AT_ONCE", at_once)
        found.append(conduct(layout, 40.0, tensor))
        (found[-1] * slopes).sum().backward()
    # Both to 1e-9 of a line's current per volt, some ten times an entry.
    np.testing.assert_allclose(found[0].value, found[1].value, rtol=3e-8)
    np.testing.assert_allclose(whole.grad, pieces.grad, rtol=0, atol=3e-8 * np.abs(whole.grad).max())
