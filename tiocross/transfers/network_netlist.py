"""A whole network as a netlist: its arrays with all that stands between them, from the inputs to the answers.

A signal of the network is a voltage in volts, 1 V for 1: ``x{k}_{i}`` is input i of layer k, ``s{k}_{j}`` sum j of layer k
before its activation, ``logit{j}`` an answer, ``one`` what drives the bias. The nodes of an array have its number before
their names, ``a0_w2_1``. Where an array carries several blocks it stands there once for each, ``a0r0_`` and ``a0r1_``: they
are read one after the other. ``a0_out3`` is the amplifier behind bit line 3.
"""

from dataclasses import dataclass

import numpy as np

from tiocross.circuit.biasing import custom
from tiocross.circuit.matrices import transfer_matrix
from tiocross.circuit.netlists.dialects import Dialect
from tiocross.circuit.netlists.elements import array_lines, end_sources
from tiocross.circuit.solver import solve
from tiocross.transfers.driving import drive_layers
from tiocross.transfers.netlist_signals import Electronics, curve_lines

ACTIVATIONS = {  # of a sum; tanh and exp cannot overflow in any of them
    "sigmoid": "0.5+0.5*tanh(0.5*{0})",
    "tanh": "tanh({0})",
    "relu": "max({0},0)",
    "softplus": "max({0},0)+ln(1+exp(-abs({0})))",
    "hardtanh": "min(max({0},-1),1)",
    "linear": "{0}",
}


@dataclass(frozen=True)
class Wired:
    """A network on its chip: `Targets`, a crossbar for each of the layout's arrays, encoded points (n_points, n_inputs), the
    `Dialect` to write, and the `Electronics` between the arrays, None where they are ideal."""

    network: object
    targets: object
    crossbars: list
    encoded: np.ndarray
    dialect: Dialect
    electronics: Electronics | None = None


def network_deck(wired):
    """Pieces of the text."""
    network, dialect, last = wired.network, wired.dialect, len(wired.network.steps) - 1
    n_outputs = network.arrays[-1].shape[1]
    sizes = "-".join(map(str, (wired.encoded.shape[1], *(array.shape[1] for array in network.arrays))))
    yield (f"* tiocross, {dialect.name}: network {sizes} on {len(wired.crossbars)} arrays; the answers are v(logit0) to "
           f"v(logit{n_outputs - 1})\nVone one 0 1.0\n")
    for i, values in enumerate(wired.encoded.T):
        yield dialect.source(f"x0_{i}", f"x0_{i}", values.tolist())
    scales = read_scales(wired) if wired.electronics is None else [s.volts_per_unit for s in wired.electronics.scales]
    for k, volts_per_unit in enumerate(scales):
        sums = [[] for _ in range(network.arrays[k].shape[1])]
        for block, crossbar, prefix in _blocks(wired, k):
            yield from _block_lines(wired, block, crossbar, prefix, volts_per_unit)
            lines, found = _terms(wired, block, prefix, volts_per_unit)
            yield from lines
            for terms, more in zip(sums, found):
                terms += more
        yield from _units(wired, k, sums, [f"logit{j}" if k == last else f"x{k + 1}_{j}" for j in range(len(sums))])
    yield dialect.ending(len(wired.encoded), [f"v(logit{j})" for j in range(n_outputs)])


def _blocks(wired, k):
    """(block, crossbar, prefix of its names) of each block of a layer."""
    layout = wired.targets.layout
    for array, crossbar, blocks in zip(layout.arrays, wired.crossbars, layout.blocks_of):
        for number, block in enumerate(blocks):
            if block.layer == k:
                yield block, crossbar, f"a{array}_" if len(blocks) == 1 else f"a{array}r{number}_"


def _block_lines(wired, block, crossbar, prefix, volts_per_unit):
    """The array of a block, its drivers and its amplifiers."""
    held = custom(crossbar, left=0.0, bottom=0.0)
    yield from array_lines(crossbar, held, wired.dialect, prefix)
    signals = dict(zip(block.word_lines.tolist(), _signals(wired, block)))
    n_word_lines = crossbar.n_word_lines
    for number, (name, node, _, _) in enumerate(end_sources(crossbar, held, prefix)):
        if number < n_word_lines and number in signals:
            yield _driver(wired, block.layer, name, node, signals[number], volts_per_unit)
        else:
            yield f"V{name} {node} 0 0.0\n"
    gain = _gain(wired, block, volts_per_unit)
    for place, j in enumerate(block.bit_lines.tolist()):
        yield f"H{prefix}out{j} {prefix}out{j} 0 V{prefix}bottom{j} {gain!r}\n"
        if wired.electronics is not None:
            sensed = wired.electronics.sensed(block, place, f"v({prefix}out{j})", gain)
            yield f"B{prefix}read{j} {prefix}read{j} 0 v={wired.dialect.of(sensed)}\n"


def _driver(wired, k, name, node, signal, volts_per_unit):
    """What holds one word line."""
    if wired.electronics is None or wired.electronics.periphery.dac is None:
        return f"E{name} {node} 0 {signal} 0 {volts_per_unit!r}\n"
    return f"B{name} {node} 0 v={wired.dialect.of(wired.electronics.driven(k, f'{volts_per_unit!r}*v({signal})'))}\n"


def _signals(wired, block):
    """Nodes of the signals that drive the word lines of a block."""
    n_inputs = len(wired.network.arrays[block.layer]) - 1
    return [f"x{block.layer}_{row}" if row < n_inputs else "one" for row in block.layer_rows.tolist()]


def _scale_of(wired, block):
    """Difference of conductance per unit weight of each output, of a block whose word lines share it [S]."""
    scale = wired.targets.layers[block.layer].scale[block.layer_rows[0]]
    return np.broadcast_to(scale, wired.network.arrays[block.layer].shape[1])


def _gain(wired, block, volts_per_unit):
    """Transimpedance of the periphery, or else that with which a weight of 1 gives 1 V for an input of 1 [ohm]."""
    own = None if wired.electronics is None else wired.electronics.scales[block.layer].gain
    if own is not None:
        return float(own)
    return float(1.0 / (volts_per_unit * _scale_of(wired, block).max()))


def _terms(wired, block, prefix, volts_per_unit):
    """Lines of what subtracts a block's bit lines, and what it adds to the sum of each output: (factor, node)."""
    mapping, n_bit_lines = wired.targets.layout.mapping, wired.targets.layers[block.layer].conductances.shape[1]
    worth = mapping.differences(np.eye(n_bit_lines))[block.layer_columns]
    gain, electronics = _gain(wired, block, volts_per_unit), wired.electronics
    per_volt = np.broadcast_to(1.0 / (volts_per_unit * _scale_of(wired, block) * gain), worth.shape[1])
    nodes = [f"v({prefix}{'out' if electronics is None else 'read'}{j})" for j in block.bit_lines.tolist()]
    if electronics is None or electronics.periphery.subtraction == "digital" or electronics.periphery.adc is None:
        return [], [[(factor, node) for factor, node in zip(column, nodes) if factor]
                    for column in (worth * per_volt).T.tolist()]
    lines, found = [], []
    for j, (column, factor) in enumerate(zip(worth.T.tolist(), per_volt.tolist())):
        terms = [(part, node) for part, node in zip(column, nodes) if part]
        if terms:
            held = electronics.subtracted(block.layer, f"({_sum(terms)})", gain)
            lines.append(f"B{prefix}pair{j} {prefix}pair{j} 0 v={wired.dialect.of(held)}\n")
        found.append([(factor, f"v({prefix}pair{j})")] if terms else [])
    return lines, found


def _sum(terms):
    """Terms, (factor, node), added up."""
    return "".join(f"{'-' if factor < 0 else '+'}{'' if abs(factor) == 1.0 else f'{abs(factor)!r}*'}{node}"
                   for factor, node in terms).removeprefix("+")


def _units(wired, k, sums, names):
    """Sums of one layer, with what is added in software, and their activations."""
    layer, step = wired.targets.layers[k], wired.network.steps[k]
    biases = np.zeros(len(sums)) if layer.digital_bias is None else layer.digital_bias
    for j, (terms, bias, name) in enumerate(zip(sums, biases.tolist(), names)):
        text = _sum(terms)
        yield f"Bs{k}_{j} s{k}_{j} 0 v={wired.dialect.of(_wrapped(text + (f'+({bias!r})' if bias else '') or '0'))}\n"
        is_measured = wired.electronics is not None and k < len(wired.network.steps) - 1
        curve = wired.electronics.periphery.activation if is_measured else None
        if curve is not None and step.activation != "linear":
            yield from curve_lines(curve, name, f"v(s{k}_{j})", wired.dialect)
        else:
            yield f"B{name} {name} 0 v={wired.dialect.of(ACTIVATIONS[step.activation].format(f'v(s{k}_{j})'))}\n"


def _wrapped(text, width=100):
    """A long sum over several lines."""
    lines = [""]
    for part in text.replace("+v", " +v").replace("-v", " -v").split(" "):
        if len(lines[-1]) + len(part) > width:
            lines.append("+ ")
        lines[-1] += part
    return "\n".join(lines)


def read_scales(wired):
    """Voltage that stands for 1, of each layer: the largest input of a layer, bias included, is at the read voltage [V]."""
    multiply = [_product_of(crossbar) for crossbar in wired.crossbars]
    return drive_layers(wired.network, multiply, wired.targets, wired.encoded)[1]


def _product_of(crossbar):
    """What gives the currents of an array for voltages."""
    if crossbar.equivalent.iv is not None:
        return lambda voltages: solve(crossbar, voltages).bit_line_currents
    matrix = transfer_matrix(crossbar)
    return lambda voltages: voltages @ matrix
