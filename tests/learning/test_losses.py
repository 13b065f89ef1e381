"""Losses over chips, the gradient through the mapping's scale, and arrays of a stated size."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    MLP,
    TIO2,
    TIO2_8X8,
    Crossbar,
    NoiseInjection,
    TrainingSettings,
    load_device,
    map_weights,
    save_device,
    train,
    transfer,
    transfer_matrix,
)
from tiocross.transfers.chips import Chips
from tiocross.learning.tensor import Tensor
from tiocross.learning.losses import MeanLoss, PointErrorRate, RememberedRates, TailLoss, point_margins
from tiocross.learning.on_devices import ChipSampler
from tiocross.learning.techniques import Course
from tiocross.mapping.arrangements import arrange
from tiocross.mapping.targets import weights_of

RNG = np.random.default_rng
LOSSES = (MeanLoss(), PointErrorRate(0.1, 0.7, 0.2, 0.4), PointErrorRate(0.0, 2.0, 0.0, 1.0), TailLoss(0.4), TailLoss(1.0))


def draw(n_outputs, rng, shape=(2, 5, 6)):
    n_classes = max(2, n_outputs)
    return rng.normal(0, 2, (*shape, n_outputs)), rng.integers(0, n_classes, (shape[0], 1, shape[2]))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_gradients_are_those_of_central_differences(loss, n_outputs):
    rng = RNG(1)
    logits, labels = draw(n_outputs, rng)
    tensor = Tensor(logits)
    loss(tensor, labels).backward()
    for _ in range(5):
        direction = rng.normal(size=logits.shape)
        # Central differences err by h^2 = 1e-10 relative, and by rounding 1e-16 / h = 1e-11.
        ahead, behind = (float(loss(Tensor(logits + h * direction), labels).value) for h in (1e-5, -1e-5))
        np.testing.assert_allclose((tensor.grad * direction).sum(), (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-9)


def test_point_error_rate_is_its_formula():
    logits, labels = draw(1, RNG(2))
    loss = PointErrorRate(allowed=0.35, sharpness=0.5, share=0.3, saturation=0.5)
    expected, kinds = 0.0, set()
    for network in range(2):
        for point in range(6):
            margins = [logits[network, chip, point, 0] * (1 if labels[network, 0, point] else -1) for chip in range(5)]
            rate = np.mean([1 / (1 + np.exp(0.5 * m)) for m in margins])
            cost = 0.0 if rate < 0.35 else rate - 0.35 if rate < 0.5 else 2 * 0.5 - 0.35 - 0.5**2 / rate
            kinds.add(int(rate > 0.35) + int(rate > 0.5))
            expected += cost / 6 + 0.3 * np.mean([np.log(1 + np.exp(-0.5 * m)) for m in margins]) / 6
    np.testing.assert_allclose(float(loss(Tensor(logits), labels).value), expected, rtol=1e-12)
    assert kinds == {0, 1, 2}


def test_what_was_seen_of_a_point_decides_how_much_it_counts():
    loss = PointErrorRate(allowed=0.1, sharpness=1.0, share=0.0, saturation=0.2, memory=0.75)
    seen = RememberedRates(1, 4)
    margins = np.array([[-0.5, 3.0, -9.0], [0.5, 3.0, -9.0]])  # two chips, three points: near a half, right, hopeless
    present = (1 / (1 + np.exp(margins))).mean(axis=0)
    logits, labels = margins[None, ..., None], np.ones((1, 1, 3), dtype=int)

    def step(batch):
        tensor = Tensor(logits)
        seen.select(np.array([batch]))
        loss(tensor, labels, seen).backward()
        return tensor.grad[0, ..., 0]

    alone = Tensor(logits)
    loss(alone, labels).backward()
    np.testing.assert_array_equal(step([2, 0, 1]), alone.grad[0, ..., 0])  # nothing was seen of them before
    rates = 0.75 * present[[1, 0, 2]] + 0.25 * present
    wrong = 1 / (1 + np.exp(margins))
    slopes = (rates > 0.1) * (0.2 / np.maximum(rates, 0.2)) ** 2
    np.testing.assert_allclose(step([0, 2, 1]), -wrong * (1 - wrong) * slopes / margins.size, rtol=1e-12)


def test_tail_loss_takes_the_worst_chips_of_each_network():
    logits, labels = draw(3, RNG(3))
    means = np.array([[float(MeanLoss()(Tensor(logits[n : n + 1, c : c + 1]), labels[n : n + 1]).value) for c in range(5)]
                      for n in range(2)])
    expected = np.sort(means, axis=1)[:, -2:].mean(axis=1).sum()
    np.testing.assert_allclose(float(TailLoss(0.4)(Tensor(logits), labels).value), expected, rtol=1e-12)
    np.testing.assert_allclose(float(TailLoss(1.0)(Tensor(logits), labels).value), means.mean(axis=1).sum(), rtol=1e-12)


def test_margins_are_positive_where_right():
    logits, labels = draw(1, RNG(4))
    margins, _ = point_margins(logits, labels)
    np.testing.assert_array_equal(margins > 0, (logits[..., 0] > 0) == labels)
    logits, labels = draw(4, RNG(5))
    margins, _ = point_margins(logits, labels)
    assert ((logits.argmax(axis=-1) == labels) | (margins < 0)).all()
    assert (margins > 0).any()


@pytest.mark.parametrize("kind, options, text", [
    (PointErrorRate, {"sharpness": 0.0}, "sharpness must be above zero"), (PointErrorRate, {"allowed": 1.2}, "allowed"),
    (PointErrorRate, {"saturation": 0.03}, "saturation must be above allowed"), (PointErrorRate, {"memory": 1.0}, "memory must"),
    (PointErrorRate, {"share": -1.0}, "share"), (TailLoss, {"tail": 0.0}, "tail must be above zero"),
    (TailLoss, {"tail": 2.0}, "tail")])
def test_bad_losses_are_refused(kind, options, text):
    with pytest.raises(ValueError, match=text):
        kind(**options)


@pytest.mark.parametrize("options, kind, text", [
    ({"loss": "mean"}, TypeError, r"loss must be a Loss, such as MeanLoss\(\)"), ({"loss_from": 1.5}, ValueError, "loss_from"),
    ({"scale_gradient_from": -0.1}, ValueError, "scale_gradient_from")])
def test_bad_settings_are_refused(options, kind, text):
    with pytest.raises(kind, match=text):
        TrainingSettings(**options)


def sampled_sum(weights, through_scale, factors, sizes=(2, 3, 1)):
    layout = arrange(sizes)
    sampler = ChipSampler([NoiseInjection()], TIO2, layout, sizes)
    course = Course([(n_in + 1, n_out) for n_in, n_out in zip(sizes, sizes[1:])], 4, [], TIO2, layout)
    writes = sampler.draw(4, [RNG(7), RNG(8)])
    tensor = Tensor(weights)
    total = (sampler.sample(tensor, writes, course, through_scale=through_scale) * factors).sum()
    return tensor, total


def test_gradient_through_the_scale_is_the_true_one():
    rng = RNG(6)
    weights, factors = rng.normal(size=(2, 1, 13, 1)), rng.normal(size=(2, 4, 13, 1))
    tensor, total = sampled_sum(weights, True, factors)
    total.backward()
    constant, same = sampled_sum(weights, False, factors)
    same.backward()
    np.testing.assert_allclose(total.value, same.value, rtol=1e-13)  # only the gradient differs
    for _ in range(4):
        direction = rng.normal(size=weights.shape)
        ahead, behind = (float(sampled_sum(weights + h * direction, True, factors)[1].value) for h in (1e-6, -1e-6))
        np.testing.assert_allclose((tensor.grad * direction).sum(), (ahead - behind) / 2e-6, rtol=1e-6)
    assert np.abs(tensor.grad - constant.grad).max() > 1e-3
    apart = (tensor.grad != constant.grad)[:, 0, :, 0]
    largest = [(slice(0, 9), 9), (slice(9, 13), 4)]
    for network in range(2):  # beside rounding, only the largest weight of each layer feels it
        for layer, n in largest:
            difference = np.abs(tensor.grad - constant.grad)[network, 0, layer, 0]
            assert difference.argmax() == np.abs(weights[network, 0, layer, 0]).argmax()
            assert (np.sort(difference)[:-1] < 1e-12 * np.abs(constant.grad).max()).all() and n == len(difference)
    assert apart.any()


def test_training_goes_over_to_the_loss_and_to_the_scale(moons):
    network = MLP(2, 4, 1, rng=RNG(0), activation="tanh")

    def weights(**options):
        settings = TrainingSettings(n_steps=20, n_chips=4, **options)
        trained = train(network, moons.train, [NoiseInjection()], device=TIO2, rng=RNG(1), settings=settings)
        return b"".join(array.tobytes() for array in trained.arrays)

    plain = weights()
    assert weights(loss=PointErrorRate(), loss_from=1.0) == plain
    assert weights(scale_gradient_from=None, loss_from=0.0) == plain
    changed = {weights(loss=PointErrorRate(), loss_from=0.5), weights(scale_gradient_from=0.5), weights(loss=TailLoss())}
    assert len(changed | {plain}) == 4


def test_later_writes_count_within_one_array():
    assert arrange((2, 8, 1)).n_later_writes[0].max() == 47
    counts, tall = arrange((2, 8, 1), (8, 8)).n_later_writes
    np.testing.assert_array_equal(counts[:, :8], counts[:, 8:])
    np.testing.assert_array_equal(counts[:, :8], np.arange(23, -1, -1).reshape(3, 8))
    assert tall[:5].max() == 9 and tall[5:].max() == 7 and tall[4, 1] == tall[8, 1] == 0


def test_wires_are_those_of_each_array():
    network = MLP(2, 8, 1, rng=RNG(3))
    chips = Chips(network, TIO2_8X8, wire_resistance=50.0, rng=RNG(4))
    state, weights = chips.programmed(range(2)).conductances[0], chips.weights(range(2))[0]
    matrix = np.concatenate([transfer_matrix(Crossbar(state[:, :, part], 50.0)) for part in (slice(0, 8), slice(8, 16))],
                            axis=-1)
    np.testing.assert_allclose(weights, weights_of(chips.targets.layers[0], matrix, chips.layout.mapping), rtol=1e-9)
    whole = Chips(network, TIO2, wire_resistance=50.0, rng=RNG(4)).weights(range(2))[0]
    assert np.abs(weights - whole).max() > 1e-3


def test_smaller_arrays_disturb_less(network, moons):
    accuracies = [transfer(network, moons.test, device=device.without("stuck"), n_transfers=500, rng=RNG(2)).accuracies.mean()
                  for device in (TIO2, TIO2_8X8, replace(TIO2, array_shape=(8, 2)))]
    assert accuracies[0] < accuracies[1] < accuracies[2]


def test_array_shape_is_part_of_the_card(tmp_path):
    save_device(TIO2_8X8, tmp_path / "device.json")
    assert load_device(tmp_path / "device.json") == TIO2_8X8 != TIO2
    assert "arrays of 8 x 8" in str(TIO2_8X8) and "arrays of" not in str(TIO2)
    text = (tmp_path / "device.json").read_text().replace('"array_shape [-]"', '"array_shape"')
    (tmp_path / "device.json").write_text(text)
    with pytest.raises(ValueError, match="array_shape"):
        load_device(tmp_path / "device.json")
    for shape, kind in ((8, TypeError), ((8, 1), ValueError), ((0, 8), ValueError), ((8.5, 8), TypeError)):
        with pytest.raises(kind, match="array_shape"):
            replace(TIO2, array_shape=shape)
    assert [array.shape for array in map_weights(MLP(2, 8, 1, rng=RNG(0)), TIO2_8X8)] == [(3, 16), (9, 2)]
