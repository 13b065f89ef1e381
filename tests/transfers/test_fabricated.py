"""Networks judged on chips that were programmed pulse by pulse: which chip it is, what it is read as, what it took."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    MLP, TIO2, Adaptation, Crossbar, Device, PulseScheme, SimulatedCrossbar, SimulatedFab, Transfer, arrange,
    program_array, tasks, transfer, transfer_matrix,
)
from tiocross.devices.device import StuckDevices
from tiocross.lab.fab import array_stream
from tiocross.lab.switching import TIO2_SWITCHING
from tiocross.mapping.targets import weights_of
from tiocross.transfers.adaptation import RETRAINING
from tiocross.transfers.fabricated import FabChips
from tiocross.transfers.operation import Operation
from tiocross.units import percent, uS

MOONS = tasks.load_moons()
NETWORK = MLP(2, 3, 1, rng=np.random.default_rng(0))
FAB = SimulatedFab(passes=2)
FAULTY = replace(TIO2_SWITCHING, stuck=StuckDevices(8 * percent, 700 * uS, 100 * uS, 8 * percent, 10 * uS, 90 * uS, "test"))


def judge(n_transfers, **options):
    return transfer(NETWORK, MOONS.test, n_transfers=n_transfers, rng=np.random.default_rng(11),
                    **{"device": TIO2, "wire_resistance": 2.0, "chips": FAB} | options)


def chips_of(fab=FAB, **options):
    return FabChips(NETWORK, TIO2, operation=Operation(fab=fab), wire_resistance=2.0, rng=np.random.default_rng(11), **options)


def test_a_chip_is_its_arrays_programmed_one_pulse_at_a_time_and_solved():
    layout = arrange(NETWORK.sizes, (8, 8))
    chips = chips_of(layout=layout)
    matrices = []
    for array, shape, targets in zip(layout.arrays, layout.shapes, layout.place(list(chips.targets))):
        chip = SimulatedCrossbar(shape, rng=array_stream(chips.entropy, 5, array), wire_resistance=2.0)
        program_array(chip, targets, FAB.scheme, max_passes=2, go_on=True)
        matrices.append(transfer_matrix(Crossbar(chip.conductances, 2.0)))  # devices that carry nothing are there too
    expected = [weights_of(layer, matrix, layout.mapping) for layer, matrix in zip(chips.targets.layers, layout.collect(matrices))]
    for found, wanted in zip(chips.weights(range(4, 7)), expected):
        np.testing.assert_allclose(found[1], wanted, rtol=1e-9)


def test_a_chip_is_the_same_in_any_company():
    many = judge(9, keep_correct=True)
    for other in (judge(range(4, 8), keep_correct=True), judge(range(4, 8), workers=3, keep_correct=True)):
        np.testing.assert_array_equal(other.correct, many.correct[4:8])
        np.testing.assert_array_equal(other.programming.table(), many.programming.table()[4:8])
    with ProcessPoolExecutor(1) as executor:
        np.testing.assert_array_equal(judge(9, executor=executor, keep_correct=True).correct, many.correct)


def test_what_programming_took_is_told_kept_and_merged(tmp_path):
    first, second = judge(5), judge(range(5, 8))
    took = first.merge(second).programming
    np.testing.assert_array_equal(took.table(), judge(8).programming.table())
    first.save(tmp_path / "transfer.npz")
    loaded = Transfer.load(tmp_path / "transfer.npz")
    np.testing.assert_array_equal(loaded.programming.table(), first.programming.table())
    text = str(loaded.summary())
    for part in ("devices within the tolerance, last read", "pulses  ", "energy of pulses", "uJ", "time  "):
        assert part in text
    assert (took.n_devices == 26).all() and (took.n_passes == 2).all() and (took.yields <= 1).all()
    assert (took.pulse_energy > 0).all() and (took.seconds > 26 * 0.02).all()  # two calls of 5 ms twice for each device
    card = judge(5, chips=None)
    assert card.programming is None
    with pytest.raises(ValueError, match="both be of chips programmed pulse by pulse"):
        first.merge(card)


def test_passes_bring_chips_back():
    """One pass leaves what later writes did to the devices before; three take most of it away."""
    network = MLP(2, 3, 1, rng=np.random.default_rng(1))
    fabs = (SimulatedFab(replace(TIO2_SWITCHING, stuck=None), passes=n) for n in (1, 3))
    errors = []
    for fab in fabs:
        chips = FabChips(network, TIO2, operation=Operation(fab=fab), rng=np.random.default_rng(3))
        made = chips.programmed(range(30))
        errors.append(np.mean([np.abs(layer - target).mean() for layer, target in zip(made.conductances, chips.targets)]))
    assert errors[1] < 0.6 * errors[0]


def test_known_faults_are_met_beforehand():
    fab = SimulatedFab(FAULTY, passes=1)
    layout = arrange(NETWORK.sizes, (8, 8))
    plain, known = (chips_of(fab, layout=layout, adaptation=adaptation)
                    for adaptation in (Adaptation(), Adaptation(training=MOONS.train, map_known=True)))
    faults, made = known.faults(range(6)), known.programmed(range(6))
    assert any(chip is not layout for chip in made.layouts)
    for chip in range(6):
        for found, array in zip(faults, made.arrays[chip]):
            stuck = ~np.isnan(found[chip])
            np.testing.assert_array_equal(array[stuck], found[chip][stuck])
    wrong = [np.mean([np.abs(layer - net).mean() for layer, net in zip(chips.weights(range(6)), NETWORK.arrays)])
             for chips in (plain, known)]
    assert wrong[1] < wrong[0]
    took = known.pop_figures(range(6))
    assert (took[:, 2] == 0).sum() > (plain.pop_figures(range(6))[:, 2] == 0).sum()  # ended stuck: hardly any, left out


@pytest.mark.parametrize("change, error, text", [
    ({"chips": "fab"}, TypeError, "chips must be a SimulatedFab"),
    ({"passes": 3}, ValueError, r"chips=SimulatedFab\(..., passes=3\), and leave passes out"),
    ({"device": Device(g_min=100 * uS, g_max=2000 * uS)}, ValueError, "switch between 15 and 970 uS; targets .* lie at 100 to 2000 uS"),
    ({"chips": SimulatedFab(scheme=PulseScheme(width=1e-9))}, ValueError, "pulse scheme does not switch"),
    ({"adaptation": Adaptation(training=MOONS.train, retraining=RETRAINING,
                               layer_by_layer=True)}, ValueError, "layer_by_layer")])
def test_contradictory_settings_are_refused_before_any_work(change, error, text):
    with pytest.raises(error, match=text):
        judge(3, **change)
