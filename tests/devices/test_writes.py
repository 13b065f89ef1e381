"""What a write leaves behind: draws, lines that fail, devices that keep what they hold."""

from dataclasses import replace

import numpy as np
import pytest

from tiocross import TIO2, ConductanceDropout, LineFailures, NoiseInjection, arrange, program
from tiocross.devices.writes import Writes, count_later_writes, draw_line_failures, draw_writes
from tiocross.learning.on_devices import ChipSampler
from tiocross.mapping.draws import failed_devices

LINES = LineFailures(0.1, 0.2, 1e-6, 1e-3, "a guess")
SHAPE = (5, 6)


def draws(device, n_chips=50, shape=SHAPE, seed=4):
    """Of one array: writes, then lines, as `program` draws them."""
    rng = np.random.default_rng(seed)
    writes = draw_writes(device, count_later_writes(shape), n_chips, rng)
    if device.lines is not None:
        writes.fix_devices(failed_devices(*draw_line_failures(device.lines, shape, n_chips, rng)))
    return writes


def test_lines_are_drawn_by_themselves():
    many = replace(TIO2, lines=replace(LINES, probability_word_line=1.0))
    one, other = (draw_writes(device, count_later_writes(SHAPE), 9, np.random.default_rng(4)) for device in (TIO2, many))
    for name in ("constant", "linear", "quadratic", "stuck"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    word_lines, bit_lines = draw_line_failures(many.lines, SHAPE, 9, np.random.default_rng(4))
    assert word_lines.shape == (9, SHAPE[0]) and bit_lines.shape == (9, SHAPE[1])
    assert not np.isnan(word_lines).any() and np.isnan(bit_lines).any() and not np.isnan(bit_lines).all()
    held = np.concatenate([word_lines.ravel(), bit_lines[~np.isnan(bit_lines)]])
    assert held.min() >= LINES.g_low and held.max() <= LINES.g_high


@pytest.mark.parametrize("device", [TIO2, replace(TIO2, lines=LINES)], ids=["no lines", "lines"])
def test_program_is_the_polynomial_of_its_draws(device):
    targets = np.random.default_rng(1).uniform(TIO2.g_min, TIO2.g_max, SHAPE)
    writes = draws(device)
    wanted = np.maximum(writes.constant + targets * (writes.linear + targets * writes.quadratic), 0.0)
    np.testing.assert_array_equal(program(targets, device, rng=np.random.default_rng(4), n_chips=50), wanted)


def test_held_devices_keep_what_they_hold_and_the_others_their_draws():
    writes, before = draws(TIO2, n_chips=3), draws(TIO2, n_chips=3)
    held = np.full((3, 2, 2), np.nan)
    held[0, 1, 0], held[2, 0, 1] = 7e-5, 0.0
    rows, columns = np.array([[1], [4]]), np.array([[5, 2]])
    writes.fix_devices(held, (slice(None), rows, columns))
    places = {(0, 4, 5): 7e-5, (2, 1, 2): 0.0}
    for place in np.ndindex(3, *SHAPE):
        if place in places:
            values = writes.constant[place], writes.linear[place], writes.quadratic[place], bool(writes.stuck[place])
            assert values == (places[place], 0.0, 0.0, True)
        else:
            for name in ("constant", "linear", "quadratic", "stuck"):
                assert getattr(writes, name)[place] == getattr(before, name)[place]
    some = writes[[2, 0]]
    assert isinstance(some, Writes) and np.array_equal(some.constant, writes.constant[[2, 0]])


def test_techniques_treat_failed_lines_like_stuck_devices():
    device, layout = replace(TIO2, lines=LINES), arrange((2, 3, 1))

    def seen(*techniques):
        return ChipSampler(techniques, device, layout, (2, 3, 1)).device

    assert seen(NoiseInjection()) == TIO2.without("stuck")
    assert seen(ConductanceDropout()) == replace(TIO2.ideal(), stuck=TIO2.stuck, lines=LINES)
    assert seen(NoiseInjection(), ConductanceDropout()) == device
