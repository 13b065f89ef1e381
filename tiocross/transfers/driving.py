"""A network on arrays that are driven one after the other: voltages in, currents out, sums for the next layer."""

import numpy as np

from tiocross.transfers.outcomes import READ_VOLTAGE
from tiocross.transfers.scales import with_bias


def drive_layers(network, multiply, targets, signal):
    """Logits with every point driven at its true voltages, where a kernel is reused at every position, one after the other;
    ``multiply`` gives the currents of each array. And the voltage that stood for 1 in each layer [V]."""
    scales = []
    for k, step in enumerate(network.steps):
        seen = step.gather(signal)
        inputs = with_bias(seen.reshape(-1, seen.shape[-1]), len(targets.layers[k].conductances))
        scales.append(float(READ_VOLTAGE / np.abs(inputs).max(initial=1.0)))
        sums = drive_layer(k, multiply, targets, inputs, scales[-1])
        signal = step.average(step.activate(sums.reshape(len(signal), -1)))
    return signal, scales


def drive_layer(k, multiply, targets, inputs, volts_per_unit):
    """(n_points, n_outputs) sums of one layer for the (n_points, n_word_lines) that it is driven with, bias included; the
    blocks of an array one after the other."""
    layout, layer = targets.layout, targets.layers[k]
    n_bit_lines = layer.conductances.shape[1]
    sums = np.zeros((len(inputs), layout.mapping.differences(np.zeros(n_bit_lines)).size))
    for blocks, product in zip(layout.blocks_of, multiply):
        for block in blocks:
            if block.layer == k:
                currents = np.zeros((len(inputs), n_bit_lines))
                currents[:, block.layer_columns] = _drive_block(block, product, volts_per_unit * inputs)
                scale = layer.scale[block.layer_rows[0]]  # one for the block: its array has one gain
                sums += layout.mapping.differences(currents) / (volts_per_unit * scale)
    return sums if layer.digital_bias is None else sums + layer.digital_bias


def _drive_block(block, product, volts):
    """Currents of a block's array while its word lines are driven, all others at 0 V."""
    voltages = np.zeros((len(volts), block.shape[0]))
    voltages[:, block.word_lines] = volts[:, block.layer_rows]
    return product(voltages)[:, block.bit_lines]
