"""Training through the periphery: gradients of smooth parts, straight-through ones, ideal parts, and the ranges."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    MLP, PERIPHERY_6_BIT, PERIPHERY_8_BIT, TIO2, TIO2_8X8, Conv1d, Converter, Dataset, Dense, Driver, MeasuredCurve, Network,
    NoiseInjection, Nonlinearity, Periphery, PeripheryInLoop, ReadNoise, Sensing, TrainingSettings, WiresInLoop,
    check_pullback, map_weights, train, transfer,
)
from tiocross.learning import signals as lines_of
from tiocross.learning.forward import Forward
from tiocross.learning.literature import GaussianNoise
from tiocross.learning.techniques import Course
from tiocross.learning.tensor import Tensor
from tiocross.learning.training import train_many
from tiocross.mapping.arrangements import arrange, share_arrays
from tiocross.mapping.mappings import DifferentialPairs, ReferenceColumn
from tiocross.transfers.scales import scales_for

RNG = np.random.default_rng
SUMS = np.linspace(-6, 6, 25)
CURVE = MeasuredCurve(SUMS, 1 / (1 + np.exp(-SUMS)), source="a test")
READ = replace(TIO2.ideal(), read_noise=ReadNoise(0.02, "a test"), nonlinearity=Nonlinearity(0.3, 0.2, "a test"))
SMOOTH = Periphery(driver=Driver(50.0), sensing=Sensing(resistance=30.0, gain_spread=0.05, offset=0.02, noise=0.01),
                   activation=CURVE)


def logits_of(network, points, technique, device, layout=None, n_chips=2, techniques=()):
    """A function of the weights (n_weights, 1), with the same chance each time."""
    layout = arrange(network.shapes) if layout is None else layout
    forward = Forward([*techniques, technique], (device, layout), [network], points)
    chips = forward.sampler.draw(n_chips, [RNG(5)])
    batch = np.arange(len(points))[None]

    def logits(weights):
        course = Course([array.shape for array in network.arrays], n_chips, [RNG(6)], device, layout)
        return forward.logits(weights.reshape(1, 1, -1, 1), batch, chips, course, through_scale=False)

    return logits


def column(network):
    return np.concatenate([array.ravel() for array in network.arrays])


@pytest.mark.parametrize("periphery, device", [(Periphery(), READ), (SMOOTH, TIO2.ideal()), (SMOOTH, READ)])
def test_gradients_of_smooth_parts_are_those_of_differences(periphery, device, monkeypatch):
    network, points = MLP(3, 4, 2, rng=RNG(1)), RNG(2).uniform(0, 1, (5, 3))
    layout = arrange(network.shapes, (3, 4))
    fixed = scales_for(network, map_weights(network, TIO2, layout=layout), points, periphery)
    # ranges are constants in the gradient
    monkeypatch.setattr("tiocross.transfers.electronics.scales_for", lambda *_: fixed)
    logits = logits_of(network, points, PeripheryInLoop(periphery), device, layout=layout)
    weights = column(network)
    largest = [np.abs(array).argmax() for array in network.arrays]  # these set the scale, which is held constant
    held = np.isin(np.arange(len(weights)), [largest[0], network.arrays[0].size + largest[1]])
    check_pullback(lambda others: logits(_placed(others, held, weights)), weights[~held], rng=RNG(3), step=1e-6)


def _placed(others, held, weights):
    full = weights.copy()
    full[~held] = others.value
    return Tensor(full, (others,), lambda g: (g[~held],))


def test_ideal_parts_change_nothing():
    network, points = MLP(3, 4, 2, rng=RNG(1)), RNG(2).uniform(0, 1, (5, 3))
    for layout in (arrange(network.shapes), arrange(network.shapes, (3, 4)), share_arrays((3, 4, 2), (14, 12)),
                   share_arrays((3, 4, 2), (14, 12), mapping=DifferentialPairs(digital_output_bias=True)),
                   arrange((3, 4, 2), mapping=ReferenceColumn())):
        logits = logits_of(network, points, PeripheryInLoop(), TIO2.ideal(), layout)
        np.testing.assert_allclose(logits(Tensor(column(network))).value[0, 0], network.logits(points), atol=1e-12)
    convolved = Network([Conv1d(2, 3, padding=1), Dense(2)], (1, 6), rng=RNG(1))
    points = RNG(2).uniform(0, 1, (5, 6))
    logits = logits_of(convolved, points, PeripheryInLoop(), TIO2.ideal())
    np.testing.assert_allclose(logits(Tensor(column(convolved))).value[0, 0], convolved.logits(points), atol=1e-12)
    check_pullback(logits, column(convolved), rng=RNG(3))


ROUNDED = [Periphery(dac=Converter(5), adc=Converter(5)), Periphery(adc=Converter(6), subtraction="analogue"),
           Periphery(sensing=Sensing(kind="mirror", saturation=0.1, gain_low=300.0, gain_high=300.0)),
           Periphery(driver=Driver(200.0), sensing=Sensing(resistance=100.0), activation=CURVE),
           Periphery(adc=Converter(5, 0.0, 0.05), sensing=Sensing(gain_low=100.0, gain_high=6e3))]


@pytest.mark.parametrize("periphery", ROUNDED)
def test_what_is_trained_is_what_transfer_simulates(periphery, network, moons):
    """Without chance there is one chip: the classes of 4 000 points are the same, whichever way signals are followed."""
    device = replace(TIO2_8X8.ideal(), nonlinearity=None if any(periphery.resistances) else READ.nonlinearity)
    layout = arrange(network.shapes, (4, 8))
    logits = logits_of(network, moons.test.points, PeripheryInLoop(periphery), device, layout, n_chips=1)
    right = (logits(Tensor(column(network))).value[0, 0, :, 0] > 0) == moons.test.labels
    outcome = transfer(network, moons.test, device=device, layout=layout, periphery=periphery, n_transfers=1, rng=RNG(0),
                       keep_correct=True)
    assert (right != outcome.correct[0]).sum() <= 2  # rounding at a level's edge
    assert not np.array_equal(right, network.predict(moons.test.points) == moons.test.labels)


def test_chance_at_read_is_that_of_transfer(network, moons):
    few = Dataset(moons.test.points[:300], moons.test.labels[:300])
    device, periphery = replace(TIO2.ideal(), read_noise=ReadNoise(0.1, "a test")), Periphery(
        sensing=Sensing(offset=0.03, gain_spread=0.05, noise=0.02))
    logits = logits_of(network, few.points, PeripheryInLoop(periphery), device, n_chips=400)
    right = (logits(Tensor(column(network))).value[0, :, :, 0] > 0) == few.labels
    outcome = transfer(network, few, device=device, periphery=periphery, n_transfers=400, rng=RNG(0))
    ours, theirs = right.mean(axis=1), outcome.accuracies
    for of in (np.mean, np.std):
        error = np.hypot(ours.std(), theirs.std()) / np.sqrt(400)
        assert abs(of(ours) - of(theirs)) < 4 * error


def test_rounding_passes_gradients_within_the_range_and_none_beyond():
    signals = Tensor(np.array([-0.2, 0.1, 0.5, 1.3]))
    clipped = lines_of.clip(signals, 0.0, 1.0)
    clipped.sum().backward()
    assert clipped.value.tolist() == [0.0, 0.1, 0.5, 1.0] and signals.grad.tolist() == [0.0, 1.0, 1.0, 0.0]
    network, points = MLP(2, 1, rng=RNG(1)).with_arrays([np.array([[0.5], [-0.25], [0.1]])]), np.array([[0.3, 0.7]])
    fine, coarse = (logits_of(network, points, PeripheryInLoop(Periphery(adc=adc)), TIO2.ideal(), n_chips=1)
                    for adc in (None, Converter(3)))
    narrow = logits_of(network, points, PeripheryInLoop(Periphery(adc=Converter(8, 0.0, 1e-5), sensing=Sensing(
        gain_low=1.0, gain_high=1.0))), TIO2.ideal(), n_chips=1)
    found = []
    for logits in (fine, coarse, narrow):
        weights = Tensor(column(network))
        value = logits(weights)
        value.sum().backward()
        found.append((value.value.item(), weights.grad))
    assert found[1][0] != found[0][0]  # rounded
    np.testing.assert_array_equal(found[1][1], found[0][1])  # but with the same gradient
    assert not found[2][1].any()  # all lines beyond the range


def test_more_bits_come_closer_and_offsets_differ_from_line_to_line():
    network, points = MLP(2, 8, 1, rng=RNG(1)), RNG(2).uniform(0, 1, (30, 2))
    nominal, errors = network.logits(points), []
    for bits in (4, 6, 8, 10):
        periphery = Periphery(dac=Converter(bits), adc=Converter(bits))
        logits = logits_of(network, points, PeripheryInLoop(periphery), TIO2.ideal())
        errors.append(np.abs(logits(Tensor(column(network))).value - nominal).max())
    assert all(more < 0.5 * less for less, more in zip(errors, errors[1:]))
    offsets = logits_of(network, points, PeripheryInLoop(Periphery(sensing=Sensing(offset=0.01))), TIO2.ideal(), n_chips=400)
    off = offsets(Tensor(column(network))).value - nominal
    assert np.abs(off.mean(axis=1)).max() < 5 * off.std() / 20 and off.std() > 0.01


def test_networks_trained_together_are_those_trained_alone(moons):
    few = Dataset(moons.train.points[:60], moons.train.labels[:60])
    settings = TrainingSettings(n_steps=4, batch_size=20, n_chips=2)
    periphery = replace(PERIPHERY_8_BIT, sensing=Sensing(offset=0.01, noise=0.01))
    techniques = [NoiseInjection(), PeripheryInLoop(periphery, wire_resistance=5.0)]
    starts = [MLP(2, 5, 1, rng=RNG(k)) for k in range(2)]
    together = train_many(starts, few, techniques, device=TIO2_8X8, rngs=[RNG(10), RNG(11)], settings=settings)
    for k, start in enumerate(starts):
        alone = train(start, few, techniques, device=TIO2_8X8, rng=RNG(10 + k), settings=settings)
        for one, other in zip(alone.arrays, together[k].arrays):
            np.testing.assert_allclose(one, other, rtol=1e-9)
        assert not np.array_equal(alone.arrays[0], start.arrays[0])


def test_large_networks_are_trained_through_it():
    network, rng = MLP(40, 30, 5, rng=RNG(1)), RNG(2)
    points = Dataset(rng.uniform(0, 1, (64, 40)), rng.integers(0, 5, 64))
    settings = TrainingSettings(n_steps=6, batch_size=64, n_chips=2, learning_rate=0.02)
    trained = train(network, points, [NoiseInjection(), PeripheryInLoop(PERIPHERY_6_BIT)], device=TIO2, rng=rng,
                    settings=settings, layout=arrange(network.shapes, (32, 32)))
    assert all(np.isfinite(array).all() for array in trained.arrays)


def test_contradictions_are_refused(moons):
    def start(techniques, **how):
        train(MLP(2, 4, 1, rng=RNG(0)), moons.train, techniques, rng=RNG(1), **how)

    with pytest.raises(ValueError, match=r"leave WiresInLoop out, and give PeripheryInLoop\(periphery, wire_resistance"):
        start([WiresInLoop(2.0), PeripheryInLoop()], device=TIO2)
    with pytest.raises(ValueError, match="no weights left to disturb; give one of PeripheryInLoop and GaussianNoise"):
        start([GaussianNoise(0.1), PeripheryInLoop()], device=TIO2)
    with pytest.raises(ValueError, match="PeripheryInLoop simulates a device"):
        start([PeripheryInLoop(PERIPHERY_6_BIT)])
    with pytest.raises(TypeError, match="periphery must be a Periphery"):
        PeripheryInLoop(Converter(8))
