"""What measured crossbars are predicted to answer, and how a prediction compares with what came."""

import numpy as np
import pytest

from tiocross import (
    MLP, TIO2, Crossbar, Sinh, compensate_targets, map_weights, plan, plot, program, read_crossbar, transfer, transfer_matrix)
from tiocross.transfers.comparing import compare_outputs
from tiocross.transfers.prediction import infer, measure_logits, predict_logits
from tiocross.transfers.chips import Chips
from tiocross.lab.report import InstrumentError
from tiocross.mapping.arrangements import arrange, share_arrays
from tiocross.mapping.mappings import DifferentialPairs, ReferenceColumn
from tiocross.units import uA, uS

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def three_layers():
    """A 3-5-4-2 network, no array of it square, with biases."""
    rng = np.random.default_rng(1)
    network = MLP(3, 5, 4, 2, rng=rng, activation="tanh")
    return network.with_arrays([rng.normal(size=array.shape) for array in network.arrays])


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(2).normal(size=(40, 3))


def crossbars_of(network, device=TIO2, **options):
    return [Crossbar(target, **options) for target in map_weights(network, device)]


def test_perfect_devices_give_the_network(three_layers, points):
    logits = predict_logits(three_layers, crossbars_of(three_layers), points)
    np.testing.assert_allclose(logits, three_layers.logits(points), rtol=0, atol=1e-12)
    assert np.array_equal(infer(three_layers, crossbars_of(three_layers), points), three_layers.predict(points))


def test_a_programmed_chip_answers_as_in_transfer(network, moons):
    """One chip of `transfer`, taken out of it device by device."""
    outcome = transfer(network, moons.test, device=TIO2, wire_resistance=3.0, n_transfers=1, rng=np.random.default_rng(4),
                       keep_correct=True)
    chips = Chips(network, TIO2, rng=np.random.default_rng(4))
    crossbars = [Crossbar(states[0], 3.0) for states in chips.programmed(range(500)).conductances]
    classes = infer(network, crossbars, moons.test.points)
    assert np.array_equal(classes == moons.test.labels, outcome.correct[0])
    assert np.array_equal(infer(network, crossbars, moons.test.points), classes)
    ideal = predict_logits(network, [Crossbar(c.conductances) for c in crossbars], moons.test.points)
    assert np.abs(predict_logits(network, crossbars, moons.test.points) - ideal).max() > 0.01  # wires count


def test_what_is_read_out_predicts_like_the_chip_itself(three_layers, points):
    rng = np.random.default_rng(5)
    chip = [Crossbar(state, 5.0) for state in
            (program(target, TIO2, rng=rng) for target in map_weights(three_layers, TIO2))]
    read = [read_crossbar(0.2 * transfer_matrix(c, rtol=1e-12), 0.2, wire_resistance=5.0) for c in chip]
    # Conductances come back to 1e-9, and a logit is a sum of a few terms of order 1 of them through three layers.
    np.testing.assert_allclose(predict_logits(three_layers, read, points), predict_logits(three_layers, chip, points),
                               rtol=0, atol=1e-6)


LAYOUTS = {"blocks of 3 x 6": arrange((3, 5, 4, 2), (3, 6)), "8 x 8 shared": share_arrays((3, 5, 4, 2), (8, 8)),
           "one shared array": share_arrays((3, 5, 4, 2), (15, 10)),
           "output bias in software": share_arrays((3, 5, 4, 2), (8, 8), mapping=DifferentialPairs(True)),
           "reference": arrange((3, 5, 4, 2), mapping=ReferenceColumn())}


@pytest.mark.parametrize("iv", [None, Sinh(0.3)])
@pytest.mark.parametrize("layout", list(LAYOUTS.values())[:3], ids=list(LAYOUTS)[:3])
def test_blocks_give_what_one_array_gives(three_layers, points, iv, layout):
    """With ideal wires it does not matter where a block stands, nor what stands beside it."""
    targets = map_weights(three_layers, TIO2, layout=layout)
    placed = [Crossbar(np.nan_to_num(array, nan=77 * uS), iv=iv) for array in layout.place(list(targets))]
    whole = crossbars_of(three_layers, iv=iv)
    np.testing.assert_allclose(predict_logits(three_layers, placed, points, layout=layout),
                               predict_logits(three_layers, whole, points), rtol=0, atol=1e-10)
    assert np.array_equal(infer(three_layers, placed, points, layout=layout), infer(three_layers, whole, points))


@pytest.mark.parametrize("iv", [None, Sinh(2000.0)])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_the_network(three_layers, points, layout, iv):
    targets = map_weights(three_layers, TIO2, layout=layout)
    crossbars = [Crossbar(np.nan_to_num(array, nan=77 * uS), iv=iv) for array in layout.place(list(targets))]
    # sinh(x) / x - 1 is x^2 / 6: with v0 = 2000 V at 0.2 V 2e-9 of every current.
    np.testing.assert_allclose(predict_logits(three_layers, crossbars, points, layout=layout), three_layers.logits(points),
                               rtol=0, atol=1e-12 if iv is None else 1e-7)


def test_one_layer_of_sinh_devices_by_hand():
    rng = np.random.default_rng(6)
    network = MLP(2, 3, rng=rng).with_arrays([np.array([[1.0, -0.5, 0.2], [0.3, 0.8, -1.0], [0.1, -0.4, 0.6]])])
    points = np.array([[0.5, -2.0], [1.5, 0.25]])  # the largest magnitude, 2, is driven at 0.2 V
    target = map_weights(network, TIO2)[0]
    voltages = 0.1 * np.concatenate([points, np.ones((2, 1))], axis=1)
    currents = np.einsum("pi,ij->pj", 0.25 * np.sinh(voltages / 0.25), target)
    expected = (currents[:, 0::2] - currents[:, 1::2]) / 0.1 / (400 * uS / 1.0)
    logits = predict_logits(network, [Crossbar(target, iv=Sinh(0.25))], points)
    np.testing.assert_allclose(logits, expected, rtol=1e-9)
    assert np.abs(logits - network.logits(points)).max() > 0.1


def test_nearly_ohmic_devices_answer_like_ohmic_ones(three_layers, points):
    """sinh(x) / x - 1 is x^2 / 6: with v0 = 200 V at 0.2 V, 2e-7 of every current."""
    ohmic = predict_logits(three_layers, crossbars_of(three_layers, wire_resistance=2.0), points)
    nearly = predict_logits(three_layers, crossbars_of(three_layers, wire_resistance=2.0, iv=Sinh(200.0)), points)
    np.testing.assert_allclose(nearly, ohmic, rtol=0, atol=1e-5)


def test_another_network_another_window_and_wrong_shapes(three_layers, points):
    good = crossbars_of(three_layers)
    with pytest.raises(ValueError, match="do not look like layer 0 .* are 0.0.* device="):
        predict_logits(three_layers, [Crossbar(c.conductances * 0.08) for c in good], points)
    many = [Crossbar(np.stack([c.conductances * 0.08] * 3)) for c in good]
    with pytest.raises(ValueError, match="are 0.0.*, median of 3 chips, .* device= has the window that the chips"):
        predict_logits(three_layers, many, points)
    with pytest.raises(ValueError, match=r"are -1 times what device= .*reversed or readings transposed"):
        predict_logits(three_layers, [Crossbar(swap(c.conductances)) for c in good], points)
    with pytest.raises(ValueError, match="device="):
        wide = type(TIO2)(g_min=1 * uS, g_max=2000 * uS)
        predict_logits(three_layers, good, points, device=wide)
    with pytest.raises(ValueError, match=r"got \[\(10, 4\), .*transposed\?"):
        predict_logits(three_layers, [Crossbar(c.conductances.T) for c in good], points)
    with pytest.raises(ValueError, match=r"crossbars must have shapes \[\(4, 10\), \(6, 8\), \(5, 4\)\]") as caught:
        predict_logits(three_layers, good[:2], points)
    assert "transposed" not in str(caught.value)
    with pytest.raises(TypeError, match="crossbar must be a Crossbar"):
        predict_logits(three_layers, list(map_weights(three_layers, TIO2)), points)
    with pytest.raises(TypeError, match="crossbars must be a list"):
        predict_logits(three_layers, good[0], points)
    with pytest.raises(ValueError, match="points must have 3 features"):
        predict_logits(three_layers, good, points[:, :2])
    with pytest.raises(TypeError, match="network must be an MLP"):
        predict_logits(map_weights(three_layers, TIO2), good, points)
    with pytest.raises(TypeError, match="layout must be a Layout"):
        predict_logits(three_layers, good, points, layout=(8, 8))
    with pytest.raises(ValueError, match="the layout is for layers of shapes"):
        predict_logits(three_layers, good, points, layout=arrange((3, 5), (8, 8)))


class Multiplier:
    """An instrument that drives all rows of an array behind its wires, with a distortion of what it answers."""

    def __init__(self, conductances, distort=lambda currents: currents):
        self.crossbar, self.shape = Crossbar(conductances, wire_resistance=4.0), conductances.shape
        self.distort, self.largest = distort, 0.0

    def multiply(self, voltages):
        self.largest = max(self.largest, np.abs(voltages).max())
        return self.distort(voltages @ transfer_matrix(self.crossbar))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_measured_outputs_are_those_predicted_for_the_same_arrays(three_layers, points, layout):
    targets = map_weights(three_layers, TIO2, layout=layout)
    chips = [Multiplier(np.nan_to_num(array, nan=77 * uS), np.ndarray.tolist) for array in layout.place(list(targets))]
    predicted = predict_logits(three_layers, [chip.crossbar for chip in chips], points, layout=layout)
    # Driven with 0.2 V and scaled back: roundings of sums of some currents, in logits of the order of 1.
    np.testing.assert_allclose(measure_logits(three_layers, chips, points, layout=layout), predicted, rtol=0, atol=1e-12)
    assert 0 < max(chip.largest for chip in chips) <= 0.2 * (1 + 1e-12)


@pytest.mark.parametrize(("distort", "error", "message"), [
    (lambda currents: np.where(currents == currents[3, 1], np.nan, currents), InstrumentError,
     r"instrument 1 failed when multiplying 40 points: .* must be finite; got nan at index \(3, 1\) \(1 such\)"),
    (np.transpose, InstrumentError,
     r"instrument 1 failed when multiplying 40 points: .*shape \(40, 8\), points x columns; got \(8, 40\); transposed"),
    (lambda currents: currents + 0j, InstrumentError, "instrument 1 failed when .* array of real numbers.* complex128"),
    (lambda currents: currents[0], InstrumentError, r"must have shape \(40, 8\), points x columns; got \(8,\)"),
    (lambda currents: None, InstrumentError, "instrument 1 failed when .* must be an array of real numbers"),
])
def test_what_is_no_answer_of_an_instrument_is_refused(three_layers, points, distort, error, message):
    chips = [Multiplier(array) for array in map_weights(three_layers, TIO2)]
    chips[1].distort, safe = distort, []
    chips[1].make_safe = lambda: safe.append(1)
    with pytest.raises(error, match=message):
        measure_logits(three_layers, chips, points)
    assert safe == [1]


def test_instruments_must_be_a_list_that_multiplies(three_layers, points):
    with pytest.raises(TypeError, match="instruments must be a list, one for each array; got an int"):
        measure_logits(three_layers, 5, points)
    with pytest.raises(TypeError, match="instruments must have multiply"):
        measure_logits(three_layers, crossbars_of(three_layers), points)


@pytest.mark.parametrize("fault", [5000 * uS, 0.0])  # as measured on dead arrays, and an open device
def test_one_broken_device_does_not_make_it_another_network(three_layers, points, fault):
    """A short of ten times the window outweighs all other pairs together; the chip still gets its prediction."""
    for layer, place in ((0, (2, 3)), (1, (0, 1)), (2, (4, 0)), (2, (1, 3))):
        chip = [np.array(target) for target in map_weights(three_layers, TIO2)]
        chip[layer][place] = fault
        logits = predict_logits(three_layers, [Crossbar(array) for array in chip], points)
        weights = map_weights(three_layers, TIO2).weights(chip)
        np.testing.assert_allclose(logits, three_layers.with_arrays(weights).logits(points), rtol=1e-9, atol=1e-12)


def swap(conductances):
    """Plus and minus side of each pair exchanged."""
    return conductances.reshape(len(conductances), -1, 2)[..., ::-1].reshape(conductances.shape)


def test_comparison_by_hand():
    predicted = np.array([[0.0], [1.0], [2.0], [3.0]])
    measured = np.array([[0.1], [0.9], [2.3], [2.7]])
    result = compare_outputs(predicted, measured, unit="A")
    # Deviations 0.1, -0.1, 0.3, -0.3; line: gain 0.92, offset 0.12, left 0.168 over 2 degrees of freedom.
    assert result.rms[0] == pytest.approx(np.sqrt(0.05)) and result.worst[0] == pytest.approx(0.3)
    error = 4.302652729911275 * np.sqrt(0.168 / 2)
    # Student's quantile is known to 2e-5 of itself.
    np.testing.assert_allclose(result.gain, [[0.92, 0.92 - error / np.sqrt(5), 0.92 + error / np.sqrt(5)]], rtol=1e-4)
    half = error * np.sqrt(1 / 4 + 1.5**2 / 5)
    np.testing.assert_allclose(result.offset, [[0.12, 0.12 - half, 0.12 + half]], rtol=1e-4)
    np.testing.assert_allclose(result.correlation, np.corrcoef(predicted[:, 0], measured[:, 0])[0, 1])
    assert result.same_class[0] == 0.75 and result.same_class[1] < 0.75 < result.same_class[2]
    text = str(result)
    for part in ("4 points, measured against predicted (A)", "same class 75.0 %", "0.9200 [", "0.12 ["):
        assert part in text


def test_intervals_of_the_line_cover_the_truth():
    """95 % of 1000 lines: 950 +- 7, four standard deviations allowed; five points, so that Student's law matters."""
    rng = np.random.default_rng(7)
    predicted = np.repeat(np.linspace(-2, 1, 5)[:, None], 1000, axis=1)
    result = compare_outputs(predicted, 0.1 + 0.9 * predicted + 0.2 * rng.standard_normal(predicted.shape))
    for truth, (_, low, high) in ((0.1, result.offset.T), (0.9, result.gain.T)):
        assert abs(((low <= truth) & (truth <= high)).sum() - 950) <= 28


def test_several_outputs_are_classes():
    predicted = np.array([[1.0, 2.0, 0.0], [3.0, 1.0, 0.5], [0.0, 0.1, 4.0], [0.2, 0.3, 0.1]])
    measured = predicted + np.array([[0, 0, 0], [-2.5, 0, 0], [0, 0, -1], [0, 0, 0]])
    result = compare_outputs(predicted, measured)
    assert result.same_class[0] == 0.75 and result.rms.shape == (3,) and result.gain.shape == (3, 3)


def test_outputs_that_cannot_be_compared():
    good = np.random.default_rng(8).normal(size=(6, 2))
    with pytest.raises(ValueError, match=r"got \(6, 2\) and \(2, 6\); transposed\?"):
        compare_outputs(good, good.T)
    with pytest.raises(ValueError, match="three points or more"):
        compare_outputs(good[:2], good[:2])
    with pytest.raises(ValueError, match="measured must vary over the points; output 1 is always 0.5"):
        compare_outputs(good, np.where([False, True], 0.5, good))
    with pytest.raises(ValueError, match="measured must be finite"):
        compare_outputs(good, np.where(good == good[3, 1], np.nan, good))
    with pytest.raises(ValueError, match="predicted must have 2 axes"):
        compare_outputs(good[:, 0], good[:, 0])


def test_figure_labels_state_the_unit():
    rng = np.random.default_rng(9)
    predicted = rng.normal(size=(30, 2)) * uA
    comparison = compare_outputs(predicted, 1.1 * predicted + 0.1 * uA, unit="A")
    _, axes = plot.new_figure(1, 2)
    plot.output_comparison(axes[0, 0], comparison, title="chip 7")
    plot.output_deviations(axes[0, 1], comparison)
    assert axes[0, 0].get_xlabel() == "predicted (A)" and axes[0, 0].get_ylabel() == "measured (A)"
    assert axes[0, 0].get_title() == "chip 7" and axes[0, 1].get_ylabel() == "measured - predicted (A)"
    np.testing.assert_allclose(axes[0, 1].collections[1].get_offsets()[:, 1], comparison.measured[:, 1] - predicted[:, 1])
    line = axes[0, 1].lines[1]
    np.testing.assert_allclose(line.get_ydata(), 0.1 * uA + 0.1 * np.array(line.get_xdata()))
    texts = [text.get_text() for text in axes[0, 0].get_legend().get_texts()]
    assert texts == ["measured = predicted", "output 0", "output 1"]
    plot.output_comparison(axes[0, 0], compare_outputs(predicted, predicted + rng.normal(size=predicted.shape)))
    assert axes[0, 0].get_xlabel() == "predicted (logit)"


@pytest.mark.parametrize("layout", [
    share_arrays((2, 8, 1), (8, 8), mapping=DifferentialPairs(digital_output_bias=True)), arrange((2, 8, 1), (8, 8)),
    arrange((2, 8, 1), (16, 16), mapping=ReferenceColumn())], ids=["one array", "four arrays", "reference column"])
def test_a_compensated_plan_is_read_with_its_own_scales(layout):
    network = MLP(2, 8, 1, rng=RNG(5), activation="tanh")
    points, wires = RNG(6).normal(size=(30, 2)), 10.0
    targets = compensate_targets(map_weights(network, TIO2, layout=layout), TIO2, wires)
    made = plan(network, TIO2, layout=targets)
    crossbars = [Crossbar(np.nan_to_num(array), wires) for array in made.targets]
    given = made.targets_of(network)
    expected = network.with_arrays(made.weights([transfer_matrix(crossbar) for crossbar in crossbars])).logits(points)
    found = predict_logits(network, crossbars, points, layout=given)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(predict_logits(network, crossbars, points, layout=targets), expected, rtol=1e-9, atol=1e-12)
    plain = [Crossbar(np.nan_to_num(array), wires) for array in layout.place(list(map_weights(network, TIO2, layout=layout)))]
    uncompensated = predict_logits(network, plain, points, layout=layout)
    nominal = network.logits(points)
    assert np.abs(found - nominal).max() < 0.5 * np.abs(uncompensated - nominal).max()
    with pytest.raises(ValueError, match="those of another network"):
        predict_logits(MLP(2, 8, 1, rng=RNG(7)), crossbars, points, layout=targets)
