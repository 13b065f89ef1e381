"""Time between programming and use: in transfers, judged plans, training, and how often to refresh."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    MLP, PERIPHERY_8_BIT, RRAM_C, TIO2, TIO2_RETENTION, Adaptation, Ageing, ConductanceDropout, Dataset, NoiseInjection, Passes, Retention,
    SimulatedFab, TrainingSettings, judge_plan, plan, refresh_schedule, train, transfer,
)
from tiocross.lab.switching import switching_of
from tiocross.learning.on_devices import ChipSampler
from tiocross.learning.techniques import Course
from tiocross.learning.tensor import Tensor
from tiocross.mapping.targets import layout_for
from tiocross.transfers.chips import Chips
from tiocross.transfers.operation import Operation

RNG = np.random.default_rng
DECAY = Retention.linear(t_0=1.0, until=1e4, mean=-0.01, spread=0.02, source="-")
AGEING = replace(TIO2, retention=DECAY)


def chips_of(network, device, after, n_chips=6, **options):
    chips = Chips(network, device, operation=Operation(after=after), rng=RNG(3), **options)
    return chips, chips.to_be_read(range(n_chips)).conductances


@pytest.mark.parametrize("n_hidden", [8, 200], ids=["small", "large"])
def test_chips_follow_one_course_and_stuck_devices_stay(n_hidden):
    network = MLP(2, n_hidden, 3, rng=RNG(1))
    device = replace(AGEING, stuck=replace(TIO2.stuck, probability_lrs=0.2))
    (_, fresh), (_, early), (_, late) = (chips_of(network, device, after) for after in (0.0, 1e2, 1e4))
    plain = Chips(network, replace(device, retention=None), rng=RNG(3))
    for before, wanted in zip(fresh, plain.to_be_read(range(6)).conductances):
        assert np.array_equal(before, wanted)  # no time: the bits of a card without retention
    stayed, paces = 0, []
    for before, soon, end in zip(fresh, early, late):
        moved = end != before
        stayed += (~moved).mean() / len(fresh)
        assert np.allclose((end - before)[moved & (end > 0)], 2 * (soon - before)[moved & (end > 0)], rtol=1e-3, atol=1e-10)
        written = moved & (before > 5e-5)
        paces.append(end[written] / before[written] - 1)
    paces = np.concatenate(paces)
    assert 0.1 < stayed < 0.3  # 20.5 % are stuck
    assert np.isclose(paces.mean(), -0.04, atol=0.02) and np.isclose(paces.std(), 0.08, rtol=0.15)


def test_transfers_age_alike_for_any_workers_and_say_what_they_extrapolate(network, moons):
    some = Dataset(moons.test.points[::8], moons.test.labels[::8])
    found = [transfer(network, some, device=AGEING, after=after, n_transfers=60, rng=RNG(4), workers=workers, memory=memory,
                      keep_correct=True) for after, workers, memory in ((1e4, 1, 1e9), (1e4, 2, 2e8), (0.0, 1, 1e9), (1e6, 1, 1e9))]
    assert np.array_equal(found[0].correct, found[1].correct) and not np.array_equal(found[0].correct, found[2].correct)
    assert not any("retention" in note for note in found[0].notes)
    assert any("retention" in note and "extrapolat" in note for note in found[3].notes)
    for how in ({"passes": Passes(3)}, {"adaptation": Adaptation(moons.train, map_known=True)}, {"wire_resistance": 20.0},
                {"chips": SimulatedFab()}):
        one, other = (transfer(network, some, device=AGEING, after=after, n_transfers=20, rng=RNG(4), keep_correct=True, **how)
                      for after in (0.0, 1e4))
        assert not np.array_equal(one.correct, other.correct)
    with pytest.raises(ValueError, match="after=10 s needs a device with retention"):
        transfer(network, some, device=TIO2, after=10.0, n_transfers=2, rng=RNG(0))
    made = plan(network, AGEING)
    rates = [judge_plan(made, network, some, after=after, n_transfers=30, rng=RNG(1)).rates for after in (0.0, 1e4)]
    assert not np.array_equal(*rates)


def test_training_sees_what_time_does():
    """Weights of aged chips are those of the polynomial that ages them, and the gradient is its derivative."""
    network = MLP(3, 2, 1, rng=RNG(2))
    device = replace(TIO2.ideal(), retention=DECAY)
    layout = layout_for(network.shapes, device)
    sampler = ChipSampler([Ageing(1e4)], device, layout, network.shapes)
    weights = np.concatenate([array.ravel() for array in network.arrays])[None, None, :, None] + 0.1
    writes = sampler.draw(5, [RNG(8)])
    course = Course(network.shapes, 5, [RNG(8)], device, layout)

    def sampled(values):
        tensor = Tensor(values)
        return tensor, sampler.sample(tensor, writes, course, through_scale=True)

    tensor, found = sampled(weights)
    aged = found.value / weights
    assert np.isclose(np.median(aged), 0.96, atol=0.15)  # differences of pairs scatter more than devices do
    probe = RNG(1).standard_normal(found.shape)
    (found * probe).sum().backward()
    step = 1e-6 * RNG(4).standard_normal(weights.shape)
    up, down = ((sampled(weights + sign * step)[1].value * probe).sum() for sign in (1, -1))
    assert np.isclose((tensor.grad * step).sum(), (up - down) / 2, rtol=1e-5)


def test_training_against_time_needs_a_time_and_a_retention(moons):
    short, network = TrainingSettings(n_steps=2, n_chips=2), MLP(2, 3, 1, rng=RNG(0))
    with pytest.raises(ValueError, match="retention"):
        train(network, moons.train, [Ageing(1e4)], device=TIO2, rng=RNG(0), settings=short)
    with pytest.warns(UserWarning, match="extrapolat"):
        train(network, moons.train, [NoiseInjection(), ConductanceDropout(), Ageing(1e7)], device=TIO2_RETENTION, rng=RNG(0),
              settings=short)
    with pytest.raises(ValueError, match="must be above zero and increase"):
        Ageing((1e4, 1e3))


def test_a_refresh_schedule_is_where_the_share_is_lost(network, moons):
    some = Dataset(moons.test.points[::8], moons.test.labels[::8])
    device = replace(TIO2.ideal(), retention=Retention.linear(t_0=1.0, until=1e6, spread=0.05, source="-"))
    found = refresh_schedule(network, some, device=device, robust=0.8, latest=1e6, n_transfers=200, rng=RNG(5))
    assert found.longest.low <= found.longest.value <= found.longest.high and "program all" in str(found)

    def share(after):
        rates = transfer(network, some, device=device, after=after, n_transfers=200, rng=RNG(5)).rates
        return (rates >= 0.95).mean()

    assert share(found.longest.value / 4) >= 0.8 > share(found.longest.value * 4)
    never = refresh_schedule(network, some, device=device, robust=1.0, latest=1e6, n_transfers=50, rng=RNG(5))
    assert never.longest.value == 0.0 and "no refresh keeps" in str(never)
    kept = refresh_schedule(network, some, device=device, robust=0.01, latest=10.0, n_transfers=50, rng=RNG(5))
    assert kept.longest.value == np.inf and "the longest time looked at" in str(kept)


def test_transfers_of_other_conditions_are_not_merged(network, moons, tmp_path):
    some = Dataset(moons.test.points[::40], moons.test.labels[::40])
    made = [transfer(network, some, device=TIO2_RETENTION, n_transfers=range(first, first + 5), rng=RNG(4), **how)
            for first, how in ((0, {}), (5, {}), (5, {"after": 1e4}), (5, {"passes": 2}), (5, {"periphery": PERIPHERY_8_BIT}))]
    assert made[0].merge(made[1]).n_transfers == 10
    made[0].save(tmp_path / "saved.npz")
    assert type(made[0]).load(tmp_path / "saved.npz").conditions == made[0].conditions
    for other in made[2:]:
        with pytest.raises(ValueError, match="of one device, programmed and used alike"):
            made[0].merge(other)
    with pytest.raises(ValueError, match="targets of 0 S"):
        transfer(network, some, device=RRAM_C, chips=SimulatedFab(switching_of(RRAM_C)), n_transfers=2, rng=RNG(0))
