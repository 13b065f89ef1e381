"""Ranges of the electronics of each layer: which voltage stands for an input of 1, how large currents become, and where
converters and amplifiers end. One set for all chips, found from the mapped targets and the points in software.
"""

from typing import NamedTuple

import numpy as np

from tiocross.learning.activations import find_activation
from tiocross.periphery.electronics import Periphery

_BOUNDED = {name: 1.0 for name in ("sigmoid", "tanh", "hardtanh")}  # activations by their largest output


class LayerScale(NamedTuple):
    """Of one layer: ``volts_per_unit`` [V] stands for an input of 1; ``dac`` are the ends of the converter before the word
    lines [V], or None; ``full_scale`` is the largest current of a line, ``full_difference`` that of a pair [A]; ``gain`` of
    the sensing, or None where nothing sets it [ohm]; ``low`` and ``high`` are the currents of a line between which the
    sensing follows [A]; ``adc`` are the ends of the converter behind it [A], or None."""

    volts_per_unit: float
    dac: tuple | None
    full_scale: float
    full_difference: float
    gain: float | None
    low: float
    high: float
    adc: tuple | None


class Sent(NamedTuple):
    """What a network in software sends through one layer at some points: the largest magnitude of an input, and whether one
    is negative; least and largest current of a line and largest of a pair, for 1 V as the largest input [A]."""

    largest: float
    is_signed: bool
    least_current: float
    largest_current: float
    largest_difference: float


def scales_for(network, targets, encoded, periphery=None):
    """`LayerScale` of each layer of a network with these `Targets` at (n_points, n_inputs) encoded points."""
    periphery = Periphery() if periphery is None else periphery
    return [_scale_of(sent, periphery) for sent in what_is_sent(network, targets, encoded, periphery.activation)]


def what_is_sent(network, targets, encoded, curve=None):
    """`Sent` through each layer, with hidden units as the network's formula or a `MeasuredCurve` says."""
    found, signal, last = [], encoded, len(network.steps) - 1
    for k, (step, array, layer) in enumerate(zip(network.steps, network.arrays, targets.layers)):
        seen = step.gather(signal)
        driven = seen.reshape(-1, seen.shape[-1])
        known = 1.0
        if k and curve is not None:
            known = max(1.0, curve.largest)
        bounded = k and (curve is not None or network.steps[k - 1].activation in _BOUNDED)
        largest = known if bounded else max(1.0, float(np.abs(driven).max(initial=0.0)))
        found.append(_sent(driven, largest, targets.layout, k, layer.conductances))
        sums = (driven @ array[:-1] + array[-1]).reshape(len(signal), -1)
        signal = step.average(activated(step, sums, None if k == last else curve))
    return found


def activated(step, sums, curve):
    """What units give for these sums: by the measured curve of a circuit, or by the formula of the step."""
    by_formula = curve is None or step.activation == "linear"
    return find_activation(step.activation).value(sums) if by_formula else curve.value(sums)


def with_bias(driven, n_word_lines):
    """(n_points, n_word_lines) inputs of a layer's word lines, a 1 for the bias where it has a line."""
    return np.concatenate([driven, np.ones((len(driven), 1))], axis=1)[:, :n_word_lines]


def _sent(driven, largest, layout, k, conductances):
    inputs = with_bias(driven, len(conductances)) / largest
    least, most, difference = np.inf, 0.0, 0.0
    for block in layout.blocks:
        if block.layer == k:
            currents = np.zeros((len(inputs), conductances.shape[1]))
            currents[:, block.layer_columns] = inputs[:, block.layer_rows] @ conductances[block.in_layer]
            here = currents[:, block.layer_columns]
            least, most = min(least, float(here.min(initial=0.0))), max(most, float(np.abs(here).max(initial=0.0)))
            difference = max(difference, float(np.abs(layout.mapping.differences(currents)).max(initial=0.0)))
    whole = float(conductances.max()) or 1.0  # of layers that nothing is sent through
    return Sent(largest, bool((driven < 0).any()), min(least, 0.0), most or whole, difference or most or whole)


def _scale_of(sent, periphery):
    """`LayerScale` of what is sent through a layer."""
    volts, sensing = periphery.read_voltage, periphery.sensing
    full, difference = volts * sent.largest_current, volts * sent.largest_difference
    converted = full if periphery.subtraction == "digital" else difference
    gain = _gain(sensing, periphery.adc, full, converted)
    high = np.inf if sensing.saturation is None else sensing.saturation / gain
    low = 0.0 if sensing.kind == "mirror" else -high
    is_signed = sent.least_current < 0.0 or periphery.subtraction == "analogue"
    return LayerScale(volts / sent.largest, _ends(periphery.dac, volts, sent.is_signed), full, difference, gain, low, high,
                      _ends(periphery.adc, converted, is_signed, 1.0 if gain is None else gain))


def _ends(converter, largest, is_signed, gain=1.0):
    """Ends of a converter in the unit of its signals, or None: its own, or those that its largest signal sets."""
    if converter is None:
        return None
    if converter.is_automatic:
        return (-largest if is_signed else 0.0, largest)
    return converter.low / gain, converter.high / gain


def _gain(sensing, adc, full, converted):
    """Gain [ohm] that fills the converter's range or reaches the saturation, whichever is less, within its ends; None where
    nothing says how many volts there are."""
    wanted = [] if sensing.saturation is None else [sensing.saturation / full]
    if adc is not None and not adc.is_automatic:
        wanted.append(max(-adc.low, adc.high) / converted)
    if sensing.gain_low is None:
        return min(wanted) if wanted else None
    return float(np.clip(min(wanted, default=np.inf), sensing.gain_low, sensing.gain_high))
