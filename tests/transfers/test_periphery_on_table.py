"""The chip on the table behind a periphery: predicted as in transfer, measured through converters, judged as read back."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    IDEAL_PERIPHERY, MLP, PERIPHERY_6_BIT, TIO2, Adaptation, Converter, Crossbar, Dataset, Driver, MeasuredCurve,
    Nonlinearity, Periphery, ReadNoise, ReferenceColumn, Sensing, Sinh, arrange, infer, judge_plan, judge_readback,
    map_weights, measure_logits, plan, predict_logits, tasks, transfer)
from tiocross.transfers.chips import Chips
from tiocross.transfers.operation import Operation

RNG = np.random.default_rng
CURVE = MeasuredCurve(np.linspace(-9, 9, 73), np.tanh(np.linspace(-9, 9, 73)), source="an example")
BOARD = Periphery(dac=Converter(5), adc=Converter(5), driver=Driver(120.0), activation=CURVE)


@pytest.fixture(scope="module")
def network():
    made = MLP(2, 6, 1, rng=RNG(1), activation="tanh")
    return made.with_arrays([RNG(2).normal(size=array.shape) for array in made.arrays])


@pytest.fixture(scope="module")
def points():
    return Dataset(RNG(3).normal(size=(50, 2)), RNG(4).integers(0, 2, 50))


@pytest.mark.parametrize("layout", [None, (4, 8)], ids=["one array a layer", "4 x 8"])
@pytest.mark.parametrize("law", [None, Nonlinearity(0.3, 0.2, "an example")], ids=["ohmic", "bent"])
def test_a_chip_out_of_transfer_answers_as_there(network, points, layout, law):
    layout = layout and arrange(network.shapes, layout)
    device = replace(TIO2, nonlinearity=law)
    outcome = transfer(network, points, device=device, layout=layout, wire_resistance=2.0, periphery=BOARD, n_transfers=2,
                       rng=RNG(5), keep_correct=True)
    chips = Chips(network, TIO2, layout=layout, operation=Operation(periphery=BOARD), rng=RNG(5))
    arrays = chips.layout.place(chips.programmed(range(2)).conductances)
    crossbars = [Crossbar(np.nan_to_num(array), 2.0) for array in arrays]
    classes = infer(network, crossbars, points.points, device=device, layout=layout, periphery=BOARD)
    assert np.array_equal(classes == points.labels, outcome.correct)
    own = [Crossbar(crossbar.conductances[1] * (1.0 if law is None else law.at_zero), 2.0, iv=law and Sinh(law.v0),
                    source_resistance=120.0) for crossbar in crossbars]
    one = infer(network, own, points.points, layout=layout, periphery=replace(BOARD, driver=Driver()))
    assert np.array_equal(one, classes[1])


def test_instruments_are_driven_with_levels_and_read_through_the_converter(network, points):
    class Bench:
        def __init__(self, conductances):
            self.conductances, self.shape, self.driven = conductances, conductances.shape, []

        def multiply(self, voltages):
            self.driven.append(voltages)
            return voltages @ self.conductances

    states = [np.asarray(target) for target in map_weights(network, TIO2)]
    bench = [Bench(state) for state in states]
    measured = measure_logits(network, bench, points.points, periphery=replace(BOARD, sensing=Sensing(offset=0.1)))
    wanted = predict_logits(network, [Crossbar(state) for state in states], points.points,
                            periphery=replace(BOARD, driver=Driver()))
    np.testing.assert_allclose(measured, wanted, atol=1e-12)
    levels = np.linspace(-0.2, 0.2, 31)
    assert np.abs(bench[0].driven[0][..., None] - levels).min(axis=-1).max() < 1e-15
    half = measure_logits(network, [Bench(state) for state in states], points.points,
                          periphery=replace(IDEAL_PERIPHERY, read_voltage=0.1))
    np.testing.assert_allclose(half, network.logits(points.points), atol=1e-9)


def test_plans_and_read_backs_are_judged_through_the_periphery(points):
    moons = tasks.load_moons()
    network, some = MLP(2, 8, 1, rng=RNG(7)), Dataset(moons.test.points[:60], moons.test.labels[:60])
    made = plan(network, TIO2)
    coarse = replace(PERIPHERY_6_BIT, adc=Converter(2))
    outcome = judge_plan(made, network, some, n_transfers=3, rng=RNG(1), periphery=coarse, keep_correct=True)
    ideal = judge_plan(made, network, some, n_transfers=3, rng=RNG(1), keep_correct=True)
    assert not np.array_equal(outcome.correct, ideal.correct)
    crossbars = [Crossbar(np.nan_to_num(array)) for array in made.expected]
    classes = infer(network, crossbars, some.points, layout=made.targets_of(network), periphery=coarse)
    found = judge_readback(made, network, made.expected, some, periphery=coarse)
    assert found.accuracy.value == (classes == some.labels).mean() and found.same_class < 1.0


def test_what_cannot_be_followed_is_refused_with_the_cure(network, points):
    crossbars = [Crossbar(target) for target in map_weights(network, TIO2)]
    offset = Periphery(sensing=Sensing(offset=0.01))
    with pytest.raises(ValueError, match=r"give rng=np.random.default_rng\(seed\), or periphery.without_chance"):
        infer(network, crossbars, points.points, periphery=offset)
    with pytest.raises(ValueError, match=r"device.without\('read_noise'\)"):
        infer(network, crossbars, points.points, device=replace(TIO2, read_noise=ReadNoise(0.1, "x")))
    assert infer(network, crossbars, points.points, periphery=offset, rng=RNG(1)).shape == (50,)
    with pytest.raises(TypeError, match="periphery must be a Periphery, such as tiocross.PERIPHERY_8_BIT.*got a str"):
        transfer(network, points, device=TIO2, rng=RNG(1), periphery="8 bit")
    known = Adaptation(training=points, refit="output")
    with pytest.raises(ValueError, match="refit=None"):
        transfer(network, points, device=TIO2, rng=RNG(1), periphery=PERIPHERY_6_BIT, adaptation=known)
    apart = arrange([(3, 6), (7, 1)], (8, 4), mapping=ReferenceColumn())
    with pytest.raises(ValueError, match="use subtraction='digital'"):
        transfer(network, points, device=TIO2, layout=apart, rng=RNG(1), n_transfers=1,
                 periphery=Periphery(adc=Converter(8), subtraction="analogue"))
    with pytest.warns(RuntimeWarning, match=r"% of the signals of layer \d are cut off by the ADC: widen its range"):
        predict_logits(network, crossbars, points.points,
                       periphery=Periphery(adc=Converter(8, -0.05, 0.05), sensing=Sensing(gain_low=1e3, gain_high=1e3)))
