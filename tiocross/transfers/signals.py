"""The way of signals through chips with converters, drivers, amplifiers and noise: volts and amperes, layer by layer.

For each layer: numbers become voltages, the largest at the read voltage, and go through the DAC; arrays give the currents of
their lines; every reading has its noise; sensing amplifies, with a gain and an offset of each physical line of each chip,
and saturates; lines are subtracted before the ADC or behind it; what the arrays of a layer give is added, scaled, activated.

The noise of a line's current at one reading is the sum of those of its devices, each normal and independent of all others:
one normal number with the sum of their variances and that of the sensing. So one is drawn for each line, point and layer.
A device's own current is taken as its entry of the transfer matrix times the voltage.
"""

import warnings

import numpy as np

from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.matrices import transfer_matrix
from tiocross.learning.network import classify
from tiocross.transfers.conducting import by_layout, conduct, whole_arrays
from tiocross.transfers.curved import Currents, CurvedArrays, bent, scratch_of
from tiocross.transfers.draws import sensing_of_lines, stream_of_noise
from tiocross.transfers.scales import activated, scales_for
from tiocross.transfers.signals_kernel import add_noise, add_squares, convert, multiply, sense

KINDS = ("DAC", "sensing", "ADC", "activation")  # where signals can be cut off, in the order in which they pass
_DAC, _SENSING, _ADC, _ACTIVATION = range(len(KINDS))
_POINTS_AT_ONCE = 1_024  # sets the order in which noise is drawn: chips do not depend on the memory
_MOST_SIGNALS = 300_000  # of a layer of some chips, in memory together
_MOST_BENT = 32  # chips with bent devices behind wires together
_NO_NUMBERS = np.empty((0, 0, 0))


def needs_path(device, periphery):
    """Whether signals must be followed: else a read chip is the weights of its layers."""
    return not periphery.is_ideal or device.nonlinearity is not None or device.read_noise is not None


def require_path(device, periphery, layout, adaptation=None):
    """Raise ValueError where signals must be followed, and the mapping or the adaptation do not allow it."""
    if not needs_path(device, periphery):
        return
    mapping = type(layout.mapping).__name__
    if not layout.mapping.is_physical:
        raise ValueError(f"electronics and effects at read act on currents, which {mapping} does not give; use "
                         "DifferentialPairs(), or leave periphery, read_noise and nonlinearity out")
    if adaptation is not None and adaptation.refit is not None:
        raise ValueError("an output layer that is refitted in software sees no periphery; give refit=None, or leave "
                         "periphery, read_noise and nonlinearity out")
    require_subtraction(periphery, layout)


def require_subtraction(periphery, layout):
    """Raise ValueError where lines are subtracted by a circuit, and do not stand on one array."""
    is_analogue = periphery.subtraction == "analogue" and periphery.adc is not None
    if is_analogue and not all(_is_whole(block, layout) for block in layout.blocks):
        raise ValueError(f"lines that {type(layout.mapping).__name__} subtracts stand on different arrays, where no "
                         "analogue circuit subtracts them; use subtraction='digital' or a layout that keeps them together")


def _is_whole(block, layout):
    """Whether all lines that an output of the block is the difference of are in the block."""
    mapping, n_bit_lines = layout.mapping, layout.layer_shapes[block.layer][1]
    lines = np.zeros((n_bit_lines, n_bit_lines))
    np.fill_diagonal(lines, 1.0)
    takes = mapping.differences(lines) != 0  # (line, output): which lines make an output
    here = np.zeros(n_bit_lines, dtype=bool)
    here[block.layer_columns] = True
    own = takes[[line for line in block.layer_columns if mapping.output_of(int(line), n_bit_lines)[0] != "reference"]]
    return bool(here[takes[:, own.any(axis=0)].any(axis=1)].all())


class SignalPath:
    """Points on their way through many chips; made once for all chips of a network.

    ``chips`` gives the network, its `Targets` and layout, device, periphery, wires and seed, as `Chips` does."""

    def __init__(self, chips, points):
        self._network, self._targets, self._device = chips.network, chips.targets, chips.device
        self._periphery, self._wires, self._seed = chips.periphery, chips.wire_resistance, chips.entropy
        self._points = chips.network.encode(points)
        self._scales = scales_for(chips.network, chips.targets, self._points, self._periphery)
        self._arrays = dict(zip(chips.layout.arrays, (shape[1] for shape in chips.layout.shapes)))
        self.n_points = len(self._points)
        some = min(self.n_points, _POINTS_AT_ONCE)
        widest = max(_width(step, layer) for step, layer in zip(self._network.steps, self._targets.layers))
        self._at_once = max(1, _MOST_SIGNALS // (some * widest))
        self.n_bytes = self._points.nbytes
        if self._is_bent and self._has_wires:  # each has steps of its own
            self._at_once = min(self._at_once, _MOST_BENT)
        self.scratch_bytes = 48 * self._at_once * some * widest
        if self._is_bent and self._has_wires:
            self.scratch_bytes += scratch_of(self._at_once, chips.layout.shapes, some)

    def classify(self, programmed, numbers):
        """(n_chips, n_points) uint8 classes that these chips, `Programmed` and numbered, give to the points; and how many
        signals were cut off, (n_layers, 4, 2): where, of how many."""
        classes = np.empty((len(numbers), self.n_points), dtype=np.uint8)
        cut = np.zeros((len(self._network.steps), len(KINDS), 2), dtype=np.int64)
        for layout, chips in _some_by_layout(programmed.layouts, self._at_once):
            targets = [_of_chips(layer, chips) for layer in programmed.targets]
            logits, some = self.logits(self._circuits(programmed, layout, chips), targets, layout,
                                       [numbers[chip] for chip in chips])
            classes[chips] = classify(logits)
            cut += some
        return classes, cut

    def logits(self, circuits, targets, layout, numbers):
        """(n_chips, n_points, n_outputs) outputs of the last layer, and what was cut off as from `classify`.

        ``circuits[array](block, volts, is_noisy)`` gives `Currents` of a block; ``targets`` are `LayerTargets`."""
        cut = np.zeros((len(self._network.steps), len(KINDS), 2), dtype=np.int64)
        lines, noise, found = self.lines(numbers), self._noise(numbers), []
        for first in range(0, self.n_points, _POINTS_AT_ONCE):
            points = self._points[first : first + _POINTS_AT_ONCE]
            found.append(self._run(circuits, targets, layout, lines, noise, points, cut).swapaxes(-1, -2))
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1), cut

    def _run(self, circuits, targets, layout, lines, noise, points, cut):
        """(n_chips, n_outputs, n_points) outputs of the last layer for some of the points."""
        steps, signal = self._network.steps, np.ascontiguousarray(points.T)[None]  # (1, n_features, n_points)
        for k, (step, layer, scale) in enumerate(zip(steps, targets, self._scales)):
            volts = self._drive(step, scale, signal, len(layer.scale[..., 0].T), cut[k])
            sums = self._sums(k, circuits, layer, layout, lines, noise, volts, cut[k])
            signal = self._activate(step, _by_position(step, sums, signal.shape[-1]), k == len(steps) - 1, cut[k])
        return signal

    def _drive(self, step, scale, signal, n_word_lines, cut):
        """(C or 1, n_word_lines, n_points x n_positions) voltages of a layer's word lines [V]."""
        seen = _gather(step, signal)
        inputs = np.concatenate([seen, np.ones((len(seen), 1, seen.shape[2]))], axis=1)[:, :n_word_lines]
        volts = np.ascontiguousarray(inputs * scale.volts_per_unit)
        if scale.dac is not None:
            n_steps = self._periphery.dac.n_steps(*scale.dac)
            cut[_DAC] += convert(volts.reshape(-1), *scale.dac, n_steps), volts.size
        return volts

    def _sums(self, k, circuits, layer, layout, lines, noise, volts, cut):
        """(n_chips, n_outputs, n) sums of a layer (unitless)."""
        scale, mapping, total = self._scales[k], layout.mapping, None
        for array, blocks in enumerate(layout.blocks_of):
            for block in blocks:
                if block.layer != k:
                    continue
                found = circuits[array](block, np.ascontiguousarray(volts[:, block.layer_rows]), self._has_read_noise)
                currents = self._sense(found, scale, lines(block), noise, cut)
                part = self._subtract(currents, block, mapping, layout.layer_shapes[k][1], scale, cut)
                per_unit = scale.volts_per_unit * layer.scale[..., block.layer_rows[0], :]
                part /= per_unit[..., None]
                total = part if total is None else total + part
        return total if layer.digital_bias is None else total + layer.digital_bias[..., None]

    def _sense(self, found, scale, lines, noise, cut):
        """Currents as they are sensed, with the noise of this reading, in place [A]."""
        currents, sensing = found.currents, self._periphery.sensing
        relative = self._device.read_noise.relative if self._has_read_noise else 0.0
        if self._is_noisy:
            squares = found.squares if relative else _NO_NUMBERS
            add_noise(currents, squares, relative, sensing.noise * scale.full_scale, noise(currents.shape))
        if not sensing.is_ideal:
            gains, offsets = lines
            n_cut = sense(currents, gains, offsets * scale.full_scale, scale.low, scale.high)
            if np.isfinite(scale.high) or np.isfinite(scale.low):
                cut[_SENSING] += n_cut, currents.size
        return currents

    def _subtract(self, currents, block, mapping, n_bit_lines, scale, cut):
        """(n_chips, n_outputs, n) differences of a block's lines after conversion [A]."""
        is_digital = self._periphery.subtraction == "digital"
        if is_digital:
            self._convert(currents, scale, cut)
        lines = currents
        if len(block.layer_columns) < n_bit_lines or (np.diff(block.layer_columns) != 1).any():
            lines = np.zeros((len(currents), n_bit_lines, currents.shape[2]))
            lines[:, block.layer_columns] = currents
        differences = np.ascontiguousarray(mapping.differences(lines.swapaxes(-1, -2)).swapaxes(-1, -2))
        if not is_digital:
            places = np.zeros(n_bit_lines)
            places[block.layer_columns] = 1.0 + np.arange(len(block.layer_columns))
            here = mapping.differences(places) != 0  # outputs of the block
            converted = np.ascontiguousarray(differences[:, here])
            self._convert(converted, scale, cut)
            differences[:, here] = converted
        return differences

    def _convert(self, currents, scale, cut):
        if scale.adc is not None:
            n_steps = self._periphery.adc.n_steps(*scale.adc)
            cut[_ADC] += convert(currents.reshape(-1), *scale.adc, n_steps), currents.size

    def _activate(self, step, sums, is_last, cut):
        """Signals of the next layer, (n_chips, n_features, n_points)."""
        curve = None if is_last else self._periphery.activation
        if curve is not None and step.activation != "linear":
            cut[_ACTIVATION] += int(curve.is_beyond(sums).sum()), sums.size
        given = activated(step, sums, curve)
        return given if step.pooled is None else step.average(given.swapaxes(-1, -2)).swapaxes(-1, -2)

    def _circuits(self, programmed, layout, chips):
        """For each array of the layout what its blocks give, with these chips' conductances."""
        ends, law = self._periphery.resistances, self._device.nonlinearity
        if self._is_bent and self._has_wires:
            return [CurvedArrays(array, used, (self._wires, *ends), law, self._periphery.read_voltage)
                    for array, used in zip(whole_arrays(programmed, layout, chips), layout.used)]
        if self._has_wires and hasattr(programmed, "arrays"):
            matrices = layout.collect([transfer_matrix(Crossbar(array, self._wires, source_resistance=ends[0],
                                                                sense_resistance=ends[1]))
                                       for array in whole_arrays(programmed, layout, chips)])
        else:
            states = [np.asarray(state[chips], dtype=np.float64) for state in programmed.conductances]
            matrices = conduct(states, [layout] * len(chips), self._wires, ends=ends)
        return [_Matrices(matrices, law)] * len(layout.blocks_of)

    def lines(self, numbers):
        """``lines(block)``: gains, and offsets over full scale, of the sensing of a block's lines on these chips."""
        sensing = self._periphery.sensing
        if sensing.is_ideal:
            return lambda block: None
        drawn = [sensing_of_lines(self._seed, number, self._arrays.values()) for number in numbers]
        drawn = dict(zip(self._arrays, (np.stack(array) for array in zip(*drawn))))  # (n_chips, 2, n_bit_lines) each

        def lines(block):
            gains, offsets = (np.ascontiguousarray(drawn[block.array][:, kind][:, block.bit_lines]) for kind in (0, 1))
            return 1.0 + sensing.gain_spread * gains, sensing.offset * offsets

        return lines

    def _noise(self, numbers):
        """``noise(shape)``: normal numbers for the next readings, from each chip's own stream."""
        streams = [stream_of_noise(self._seed, number) for number in numbers] if self._is_noisy else []

        def noise(shape):
            normals = np.empty(shape, dtype=np.float32)
            for chip, stream in zip(normals, streams):
                stream.standard_normal(dtype=np.float32, out=chip)
            return normals

        return noise

    @property
    def _is_bent(self):
        return self._device.nonlinearity is not None

    @property
    def _has_wires(self):
        return self._wires > 0 or any(self._periphery.resistances)

    @property
    def _has_read_noise(self):
        return self._device.read_noise is not None and self._device.read_noise.relative > 0

    @property
    def _is_noisy(self):
        return self._has_read_noise or self._periphery.sensing.noise > 0


class _Matrices:
    """Arrays of ohmic devices, or of bent ones behind ideal wires: transfer matrices of each layer, (n_chips, ...) [S]."""

    def __init__(self, matrices, law):
        self._matrices, self._law = matrices, law

    def __call__(self, block, volts, is_noisy):
        """`Currents` of a block's lines at the voltages of its word lines."""
        matrix = np.ascontiguousarray(self._matrices[block.layer][(slice(None), *block.in_layer)])
        return currents_of(matrix, volts if self._law is None else bent(self._law, volts), is_noisy)


def currents_of(matrix, volts, is_noisy):
    """`Currents` of lines with a transfer matrix (n_chips, n_word_lines, n_bit_lines) [S] at voltages [V]; their squares, by
    device, where readings are noisy."""
    currents = np.empty((len(matrix), matrix.shape[2], volts.shape[2]))
    multiply(volts, matrix, currents)
    squares = np.empty_like(currents) if is_noisy else None
    if is_noisy:
        add_squares(volts, matrix, squares)
    return Currents(currents, squares)


def warn_of_cut(cut):
    """Warn of every place where more than one signal of a hundred was cut off."""
    for note in describe_cut(cut):
        warnings.warn(note, RuntimeWarning, stacklevel=5)


def describe_cut(cut):
    """Sentences about every place where more than one signal of a hundred was cut off, from what `SignalPath` counts."""
    notes = []
    for layer, places in enumerate(cut):
        for kind, (n_cut, n_all) in zip(KINDS, places):
            if n_cut > 0.01 * n_all:
                what = "lie beyond the measured curve of" if kind == "activation" else "are cut off by"
                notes.append(f"{100.0 * n_cut / n_all:.2g} % of the signals of layer {layer} {what} the {kind}: widen its "
                             "range")
    return tuple(notes)


def _width(step, layer):
    """Most numbers of one point at one layer, all positions together."""
    n_positions = 1 if step.seen is None else len(step.seen)
    return n_positions * (layer.conductances.shape[0] + layer.conductances.shape[1])


def _some_by_layout(layouts, most):
    """Each layout with the numbers of its chips among all, at most so many at a time."""
    for layout, chips in by_layout(layouts):
        for first in range(0, len(chips), most):
            yield layout, chips[first : first + most]


def _of_chips(layer, chips):
    """`LayerTargets` of some chips, where they have their own."""
    if layer.conductances.ndim == 2:
        return layer
    bias = None if layer.digital_bias is None else layer.digital_bias[chips]
    return type(layer)(layer.conductances[chips], layer.scale[chips], bias)


def _gather(step, signal):
    """(C or 1, n_seen, n_points x n_positions) of what the matrix of a layer sees, position by position."""
    if step.seen is None:
        return signal
    seen = step.gather(signal.swapaxes(-1, -2))  # (C, n_points, n_positions, n_seen)
    return np.ascontiguousarray(seen.transpose(0, 3, 2, 1)).reshape(len(signal), step.seen.shape[1], -1)


def _by_position(step, sums, n_points):
    """(n_chips, n_positions x n_outputs, n_points) from (n_chips, n_outputs, n_positions x n_points)."""
    if step.seen is None:
        return sums
    n_chips, n_outputs, _ = sums.shape
    return sums.reshape(n_chips, n_outputs, -1, n_points).swapaxes(1, 2).reshape(n_chips, -1, n_points)
