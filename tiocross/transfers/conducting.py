"""What programmed arrays conduct: devices at their places on the physical arrays, wires solved, read back by layer."""

import numpy as np

from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.matrices import transfer_matrix
from tiocross.mapping.layout import lines_that_count


def conduct(layers, layouts, wire_resistance, only=None):
    """Transfer matrices of each layer of each chip, or of the layer ``only``, in the place of its conductances; both are
    lists of ``(n_chips, n_word_lines, n_bit_lines)`` [S], with a layout for each chip. Devices not in use are open."""
    if wire_resistance == 0:
        return layers
    groups = {}
    for chip, layout in enumerate(layouts):
        groups.setdefault(id(layout), (layout, []))[1].append(chip)
    matrices = [np.empty(layer.shape) for layer in layers]
    placed = [(layout, chips, layout.place([layer[chips] for layer in layers])) for layout, chips in groups.values()]
    solved = [[np.zeros(array.shape) for array in arrays] for _, _, arrays in placed]
    for index, blocks in enumerate(layouts[0].blocks_of):  # arrays of all chips together: many are solved side by side
        if only is not None and all(block.layer != only for block in blocks):
            continue
        _solve_together([arrays[index] for _, _, arrays in placed], [arrays[index] for arrays in solved],
                        [layout.used[index] for layout, _, _ in placed], wire_resistance)
    for (layout, chips, _), arrays in zip(placed, solved):
        for matrix, layer in zip(matrices, layout.collect(arrays)):
            matrix[chips] = layer
    return matrices


def _solve_together(arrays, solved, masks, wire_resistance):
    """Fill ``solved`` with the transfer matrices of ``arrays``, lists of (n_chips, n_word_lines, n_bit_lines) [S]."""
    here = (slice(None), *lines_that_count(np.logical_or.reduce(masks)))
    joined = np.concatenate([np.nan_to_num(array[here], nan=0.0) for array in arrays])
    found = transfer_matrix(Crossbar(joined, wire_resistance))
    start = 0
    for whole in solved:
        whole[here] = found[start : start + len(whole)]
        start += len(whole)
