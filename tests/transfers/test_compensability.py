"""What training sees of an effect: against a model whose expected gradient is known in closed form, and known vectors."""

from dataclasses import dataclass

import numpy as np
import pytest
from effect_cases import everything

from tiocross import MLP, TIO2, TIO2_8X8, Dataset, Device, TuningError, compensability
from tiocross.learning.expected_loss import ExpectedLoss
from tiocross.learning.losses import Loss
from tiocross.mapping.targets import layout_for
from tiocross.transfers.compensation import agreement_of, signal_to_noise_of
from tiocross.transfers.conditions import Conditions
from tiocross.transfers.strengths import strength_of, techniques_against
from tiocross.units import uS

RNG = np.random.default_rng
SIGMA = 0.1
OFFSETS = Device(100 * uS, 500 * uS, tuning=TuningError(0.0, SIGMA, 0.0, 0.0, "a test"))


@dataclass(frozen=True)
class Squares(Loss):
    """Mean square of logit - label."""

    def __call__(self, logits, labels, remembered=None):
        return ((logits - labels[..., None]) ** 2).sum() * (1.0 / (logits.value[0].size))


def closed_form(w, b, x, y):
    """Expected loss of logit = w x + b in software; what offsets add; its slopes with the scale constant; and in truth.

    A weight w > 0 is w (1 + o) + r (o - o'), with o and o' from N(0, SIGMA) and r = g_min / scale; |w| is the largest."""
    c = OFFSETS.g_min / (OFFSETS.g_max - OFFSETS.g_min)
    r, square = c * abs(w), np.mean(x * x)
    residual = w * x + b - y
    added = SIGMA**2 * (square * ((abs(w) + r) ** 2 + r * r) + (abs(b) + r) ** 2 + r * r)
    software = 2 * np.array([np.mean(residual * x), np.mean(residual)])
    held = 2 * SIGMA**2 * np.array([square * (abs(w) + r) * np.sign(w), (abs(b) + r) * np.sign(b)])
    by_scale = 2 * SIGMA**2 * c * np.sign(w) * (square * (abs(w) + 2 * r) + abs(b) + 2 * r)
    return np.mean(residual**2), added, software, held, held + [by_scale, 0.0]


@pytest.fixture(scope="module")
def toy():
    x = RNG(0).uniform(-1, 1, 40)
    points = Dataset(x[:, None], (x > 0.2).astype(int))
    return MLP(1, 1, rng=RNG(0)).with_arrays([np.array([[0.8], [-0.5]])]), points


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def test_gradients_of_training_and_of_the_expected_loss_in_closed_form(toy):
    network, points = toy
    software, added, slopes, held, true = closed_form(0.8, -0.5, points.points[:, 0], points.labels)
    found = compensability(network, points, device=OFFSETS, n_simulated=5_000, loss=Squares(), rng=RNG(1))
    row = found["tuning"]
    assert found.software_loss == pytest.approx(software, rel=1e-5)  # passes are of single precision
    assert row.added_loss.low < added < row.added_loss.high
    for estimate, expected in ((row.agreement, cosine(slopes + held, slopes + true)),
                               (row.own_agreement, cosine(held, true)), (row.own_agreement_with_scale, 1.0)):
        assert estimate.low - 1e-3 <= expected <= estimate.high + 1e-3 and estimate.high - estimate.low < 0.1
    hidden = ExpectedLoss(network, points, techniques_against(Conditions(OFFSETS)), (OFFSETS, layout_for([(2, 1)], OFFSETS)),
                          n_groups=25, n_chips=200, loss=Squares(), rng=RNG(2))
    for through, expected in ((False, slopes + held), (True, slopes + true)):
        groups = hidden.gradients(hidden.weights, through_scale=through)
        assert (np.abs(groups.mean(axis=0) - expected) < 4 * groups.std(axis=0) / 5).all()
    # noise goes as 1 / sqrt(chips a step)
    one = compensability(network, points, device=OFFSETS, n_chips=1, n_simulated=5_000, loss=Squares(), rng=RNG(1))
    assert row.signal_to_noise.value == pytest.approx(np.sqrt(8) * one["tuning"].signal_to_noise.value, rel=1e-6)
    per_step = hidden.gradients(hidden.weights).std(axis=0, ddof=1) * np.sqrt(200 / 8)
    assert row.signal_to_noise.value == pytest.approx(np.linalg.norm(slopes + held) / np.linalg.norm(per_step), rel=0.3)


def test_agreement_and_noise_of_known_vectors():
    one, other = np.array([1.0, 2.0, 0.0]), np.array([2.0, 1.0, 1.0])
    inside = 0
    for seed in range(60):
        shared = RNG(seed).normal(size=(25, 3))  # both have the same noise, which must not count
        found = agreement_of(one + shared, other + shared)
        inside += found.low <= cosine(one, other) <= found.high
    assert inside >= 50  # of 57 expected; leaving out one of 25 groups is approximate
    inside = 0
    for seed in range(60):  # along random directions, of vectors that are known
        vectors = RNG(seed).normal(size=(2, 400)) + np.linspace(0, 1, 400)
        directions = RNG(seed + 100).normal(size=(400, 64))
        groups = [np.tile(vector @ directions, (25, 1)) for vector in vectors]
        found = agreement_of(*groups, n_random=64)
        inside += found.low <= cosine(*vectors) <= found.high
    assert inside >= 50
    noisy = one + 3.0 * RNG(1).normal(size=(4_000, 3))
    ratio = signal_to_noise_of(noisy, 1)
    assert ratio.value == pytest.approx(np.sqrt(5 / 27), rel=0.1) and ratio.low < np.sqrt(5 / 27) < ratio.high
    lost = agreement_of(RNG(2).normal(size=(25, 3)), one + 0 * shared)
    assert lost.high - lost.low > 0.5
    assert signal_to_noise_of(np.ones((25, 3)), 1).value == np.inf


def test_every_effect_of_a_card_and_the_wires_have_a_row(network, moons):
    few = Dataset(moons.train.points[:80], moons.train.labels[:80])
    done = []
    found = compensability(network, few, device=TIO2_8X8, wire_resistance=20.0, n_simulated=100, rng=RNG(3),
                           on_progress=lambda *counts: done.append(counts))
    assert {row.effect for row in found.rows} == {"tuning", "disturb", "stuck", "wires", "all together"}
    assert done[-1] == (5, 5) and found.rows[-1].effect == "all together" and "own part" in str(found)
    assert found["wires"].signal_to_noise.value == np.inf  # nothing differs from chip to chip
    assert found["stuck"].loss_per_unit.value > 0 and found["stuck"].unit == "1 % of devices"
    assert found["wires"].unit == "ohm" and found.to_dict()["rows"][0]["effect"] == found.rows[0].effect
    with pytest.raises(ValueError, match="nothing to compensate"):
        compensability(network, few, device=TIO2.ideal(), rng=RNG(0))
    with pytest.raises(ValueError, match="n_simulated must be at least 75"):
        compensability(network, few, device=TIO2, n_simulated=50, rng=RNG(0))


def test_strengths_are_in_units_of_a_lab(network):
    layout = layout_for(network.shapes, TIO2)
    stuck = strength_of(Conditions(TIO2, 2.0), "stuck", network, layout)
    assert stuck.apart == pytest.approx(1.0)  # 1 % are stuck: from 0.5 % to 1.5 %
    more, less = (some.device.stuck for some in stuck.conditions)
    assert more.probability_lrs == pytest.approx(3 * less.probability_lrs)
    assert all(some.device.tuning == TIO2.tuning and some.wire_resistance == 2.0 for some in stuck.conditions)
    disturb = strength_of(Conditions(TIO2), "disturb", network, layout)
    assert disturb.unit == "uS of error" and 5 < disturb.apart < 30  # of 7 to 20 uS, the measured spread


def test_every_effect_is_let_into_training_and_grows(network, moons):
    """Time, line failures, read noise, bent currents, all parts of a periphery: each adds to the loss what training sees."""
    few, conditions = Dataset(moons.train.points[:20], moons.train.labels[:20]), everything()
    layout = layout_for(network.shapes, conditions.device)
    for effect in conditions.effects:
        alone = conditions.only(effect)
        expected = ExpectedLoss(network, few, techniques_against(alone), (alone.device, layout), n_groups=2, n_chips=3,
                                rng=RNG(1))
        software = ExpectedLoss(network, few, (), (None, None), n_groups=2, n_chips=1, rng=RNG(1))
        assert np.isfinite(expected.gradients(expected.weights)).all()
        assert effect in ("mirror", "saturation", "lines") or (
            expected.losses(expected.weights) != software.losses(software.weights)).all(), effect
        strength = strength_of(conditions, effect, network, layout)
        assert strength is None if effect in ("mirror", "saturation", "activation") else strength.apart > 0
