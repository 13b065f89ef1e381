"""What writes leave behind on chips with a layout: draws for every layer, and lines that fail on the physical arrays."""

from typing import NamedTuple

import numpy as np

from tiocross.devices.writes import draw_line_failures, draw_writes, failed_devices


class Draws(NamedTuple):
    """``writes`` of each layer, and the failed lines of each physical array: for lines in use the conductance [S] of a
    failed word line, (n_chips, n), and bit line, (n_chips, m), NaN where a line is sound; None where no line fails."""

    writes: list
    failures: list


def draw_chips(device, layout, n_later_writes, n_chips, rngs):
    """Draw for each layer what writes leave behind; ``rngs`` has a generator for each layer.

    Lines fail by physical array: their draws follow those of the layer of the array's first block, from its generator.
    """
    writes, failures = [], [None] * len(layout.arrays)
    for layer, (later, rng) in enumerate(zip(n_later_writes, rngs, strict=True)):
        writes.append(draw_writes(device, later, n_chips, rng))
        if device.lines is not None:
            for index, (blocks, used) in enumerate(zip(layout.blocks_of, layout.used)):
                if blocks[0].layer == layer:
                    shape = (int(used.any(axis=1).sum()), int(used.any(axis=0).sum()))
                    failures[index] = draw_line_failures(device.lines, shape, n_chips, rng)
    if device.lines is not None:
        _fail_lines(writes, failures, layout)
    return Draws(writes, failures)


def fail_lines(lines, layout, writes, rng):
    """Draw which lines of each physical array fail, and give their devices the line's conductance, in place: ``writes`` are
    those of each layer."""
    n_chips = len(writes[0].stuck)
    shapes = [(int(used.any(axis=1).sum()), int(used.any(axis=0).sum())) for used in layout.used]
    _fail_lines(writes, [draw_line_failures(lines, shape, n_chips, rng) for shape in shapes], layout)


def _fail_lines(writes, failures, layout):
    """Give the devices on failed lines the line's conductance, in place."""
    for blocks, used, (word_lines, bit_lines) in zip(layout.blocks_of, layout.used, failures):
        failed = np.full((len(word_lines), *used.shape), np.nan)
        failed[(slice(None), *np.ix_(used.any(axis=1), used.any(axis=0)))] = failed_devices(word_lines, bit_lines)
        for block in blocks:
            writes[block.layer].fix_devices(failed[(slice(None), *block.in_array)], (slice(None), *block.in_layer))
