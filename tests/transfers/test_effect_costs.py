"""What each effect costs: against single transfers, identities of paired differences, and resampled verdicts."""

from dataclasses import replace

import numpy as np
import pytest

from effect_cases import everything

from tiocross import (
    Converter, Dataset, Driver, LineFailures, Periphery, Sensing, SimulatedFab, TIO2, TIO2_8X8, TIO2_RETENTION, effect_costs,
    plot, transfer,
)
from tiocross.devices.device import EFFECTS
from tiocross.transfers.conditions import PARTS, Conditions
from tiocross.transfers.operation import Operation

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def few(moons):
    return Dataset(moons.test.points[::8], moons.test.labels[::8])


def robust(network, few, device, **conditions):
    rates = transfer(network, few, device=device, n_transfers=200, rng=RNG(11), **conditions).rates
    return float((rates >= 0.95 - 1e-7).mean())


def test_costs_are_differences_of_transfers_on_the_same_chips(network, few):
    rng = RNG(11)
    found = effect_costs(network, few, device=TIO2_8X8, wire_resistance=20.0, n_transfers=200, rng=rng)
    assert {cost.effect for cost in found.costs} == {"tuning", "disturb", "stuck", "wires"}
    whole, ideal = robust(network, few, TIO2_8X8, wire_resistance=20.0), robust(network, few, TIO2_8X8.ideal())
    assert (found.robust, found.robust_ideal) == (whole, ideal)
    assert ideal == np.mean(network.predict(few.points) == few.labels)
    for name in ("tuning", "disturb", "stuck"):
        without = robust(network, few, TIO2_8X8.without(name), wire_resistance=20.0)
        alone = robust(network, few, TIO2_8X8.only(name))
        assert (found[name].removed.value, found[name].alone.value) == (without - whole, ideal - alone)
    assert found["wires"].removed.value == robust(network, few, TIO2_8X8) - whole
    assert found["wires"].alone.value == ideal - robust(network, few, TIO2_8X8.ideal(), wire_resistance=20.0)
    assert [cost.removed.value for cost in found.costs] == sorted((c.removed.value for c in found.costs), reverse=True)
    assert rng.integers(2**63) != RNG(11).integers(2**63)  # the next call meets other chips


def test_what_comes_back_and_what_the_other_costs_alone_add_up(network, few):
    """Of two effects a and b: without a there is b alone, so what comes back without a and what b costs alone are all."""
    found = effect_costs(network, few, device=TIO2.only("stuck", "disturb"), n_transfers=100, rng=RNG(1))
    stuck, disturb = found["stuck"], found["disturb"]
    for one, other in ((stuck, disturb), (disturb, stuck)):
        assert one.removed.value + other.alone.value == pytest.approx(found.total.value, abs=1e-12)
        assert one.removed_mean.value + other.alone_mean.value == pytest.approx(found.total_mean.value, abs=1e-12)
    single = effect_costs(network, few, device=TIO2.only("stuck"), n_transfers=100, rng=RNG(1))
    assert single["stuck"].removed == single["stuck"].alone == single.total


def test_an_effect_that_does_nothing_costs_exactly_nothing(network, few):
    never = LineFailures(0.0, 0.0, 1e-6, 1e-5, "never")
    found = effect_costs(network, few, device=replace(TIO2, lines=never), n_transfers=60, rng=RNG(2))
    for estimate in (found["lines"].removed, found["lines"].alone, found["lines"].removed_mean, found["lines"].alone_mean):
        assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)


def test_intervals_are_those_of_verdicts_resampled_by_chip_and_point(network, few):
    found = effect_costs(network, few, device=TIO2, n_transfers=150, rng=RNG(4))
    kept = {"n_transfers": 150, "keep_correct": True}
    whole, without = (transfer(network, few, device=device, rng=RNG(4), **kept).correct
                      for device in (TIO2, TIO2.without("stuck")))
    rng, differences = RNG(0), []
    for _ in range(400):
        chips, points = rng.integers(0, 150, 150), rng.integers(0, len(few), len(few))
        shares = [(verdicts[np.ix_(chips, points)].mean(axis=0) >= 0.95 - 1e-7).mean() for verdicts in (without, whole)]
        differences.append(shares[0] - shares[1])
    low, high = np.percentile(differences, [2.5, 97.5]) - (np.mean(differences) - found["stuck"].removed.value)
    # 200 resamples know a 95 % quantile to some 12 % of the width
    assert found["stuck"].removed.low == pytest.approx(low, abs=0.25 * (high - low))
    assert found["stuck"].removed.high == pytest.approx(high, abs=0.25 * (high - low))


def test_table_record_and_figure(network, few):
    found = effect_costs(network, few, device=TIO2, n_transfers=60, rng=RNG(5))
    assert all(cost.label in str(found) for cost in found.costs) and "comes back without it" in str(found)
    assert found.to_dict()["costs"][0]["removed"]["value"] == found.costs[0].removed.value
    assert len(found.to_csv().splitlines()) == 4
    axes = plot.effect_costs(plot.new_figure()[1][0, 0], found)
    assert [label.get_text() for label in axes.get_yticklabels()] == [cost.label for cost in found.costs]
    bars = [bar.get_width() for bar in axes.patches]
    assert bars == [cost.removed.value for cost in found.costs] + [cost.alone.value for cost in found.costs]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the dearest on top


def test_nothing_to_switch_off_is_refused(network, few):
    with pytest.raises(ValueError, match="nothing to switch off"):
        effect_costs(network, few, device=TIO2.ideal(), rng=RNG(0))
    assert Conditions(TIO2, 2.0).only("wires").effects == ("wires",)


def test_every_effect_can_be_switched_off_and_left_alone():
    conditions = everything()
    assert set(conditions.effects) == {*EFFECTS, "wires", *PARTS}
    for effect in conditions.effects:
        assert set(conditions.without(effect).effects) == set(conditions.effects) - {effect}
        assert conditions.only(effect).effects == (effect,)
    ideal = conditions.only()
    assert ideal.effects == () and ideal.periphery.is_ideal and ideal.operation.after == 0.0


def test_programming_by_pulses_is_one_effect_beside_the_faults_of_the_fab(network, few):
    fab = SimulatedFab(passes=1)
    conditions = Conditions(TIO2_8X8, 0.0, Operation(fab=fab))
    assert conditions.effects == ("pulses", "stuck")
    assert conditions.without("stuck").operation.fab.model.stuck is None
    assert conditions.only("stuck").operation.fab is None and conditions.only("stuck").device == TIO2_8X8.only("stuck")
    points = Dataset(few.points[:60], few.labels[:60])
    found = effect_costs(network, points, device=TIO2_8X8, chips=fab, n_transfers=10, rng=RNG(3))
    rates = transfer(network, points, device=TIO2_8X8, chips=fab, n_transfers=10, rng=RNG(3)).rates
    assert found.robust == (rates >= 0.95 - 1e-7).mean()
    assert found["pulses"].removed.value + found["stuck"].alone.value == pytest.approx(found.total.value, abs=1e-12)


def test_effects_at_read_and_time_are_switched_off_in_transfers(network, few):
    conditions = everything()
    periphery = replace(conditions.periphery, sensing=Sensing(offset=0.03), driver=Driver(), activation=None, dac=None)
    device, fewer = conditions.device.only("retention", "read_noise"), Dataset(few.points[:60], few.labels[:60])
    how = {"wire_resistance": 2.0, "after": 1e4, "n_transfers": 20}
    found = effect_costs(network, fewer, device=device, periphery=periphery, rng=RNG(11), **how)
    assert {cost.effect for cost in found.costs} == {"retention", "read_noise", "wires", "offset", "adc"}
    for effect, device, other in (("read_noise", device.only("retention"), periphery),
                                  ("offset", device, replace(periphery, sensing=Sensing()))):
        rates = transfer(network, fewer, device=device, periphery=other, rng=RNG(11), **how).rates
        assert found[effect].robust_without == (rates >= 0.95 - 1e-7).mean()


def test_what_is_extrapolated_or_cut_off_is_said(network, few):
    found = effect_costs(network, few, device=TIO2_RETENTION, after=1e9, n_transfers=20, rng=RNG(1),
                         periphery=Periphery(adc=Converter(8, 0.0, 0.05), sensing=Sensing(gain_low=1e4, gain_high=1e4)))
    assert any("extrapolated" in note for note in found.notes) and any("cut off by the ADC" in note for note in found.notes)
    assert all(note in str(found) for note in found.notes) and list(found.to_dict()["notes"]) == list(found.notes)
