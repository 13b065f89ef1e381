"""Lines and order of writing of all devices of a network, which stand in one row: layer by layer, word line by word line."""

import numpy as np

from tiocross.devices.state_disturb import Wiring


def wiring_of(layout, n_later_writes):
    """`Wiring` of the devices of a layout with these numbers of later writes, an array a layer."""
    starts = np.cumsum([0, *(rows * columns for rows, columns in layout.layer_shapes)])
    words, bits, arrays = (np.empty(starts[-1], dtype=np.int64) for _ in range(3))
    n_words = n_bits = 0
    for index, (shape, blocks) in enumerate(zip(layout.shapes, layout.blocks_of)):
        for block in blocks:
            place = (starts[block.layer] + block.layer_rows[:, None] * layout.layer_shapes[block.layer][1]
                     + block.layer_columns)
            words[place], bits[place], arrays[place] = n_words + block.word_lines[:, None], n_bits + block.bit_lines, index
        n_words, n_bits = n_words + shape[0], n_bits + shape[1]
    later = np.concatenate([layer.ravel() for layer in n_later_writes])
    return Wiring(np.lexsort((-later, arrays)), words, bits, arrays)


def places_of(common, layout):
    """For each device of a layout, in its row, the place of the device of the ``common`` layout whose turn it has."""
    starts = np.cumsum([0, *(rows * columns for rows, columns in layout.layer_shapes)])
    found = np.empty(starts[-1], dtype=np.int64)
    for old, new in zip(common.blocks, layout.blocks):
        places = [starts[block.layer] + block.layer_rows[:, None] * layout.layer_shapes[block.layer][1] + block.layer_columns
                  for block in (old, new)]
        found[places[1]] = places[0]
    return found
