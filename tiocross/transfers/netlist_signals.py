"""What a periphery does to signals, as formulas of a netlist: levels, gains and offsets, ends, measured curves."""

from typing import NamedTuple

import numpy as np

from tiocross.periphery.electronics import Periphery


class Electronics(NamedTuple):
    """A `Periphery` with the `LayerScale` of each layer, and ``lines(block)``, gains and offsets over full scale of the
    sensing of a block's lines, (1, n) each, or None, as `SignalPath` has them."""

    periphery: Periphery
    scales: list
    lines: object

    def driven(self, k, text):
        """Voltage of a word line of layer k, from what it should be [V]."""
        return quantised(text, self.scales[k].dac, self.periphery.dac)

    def sensed(self, block, j, text, gain):
        """Voltage that stands for the current of line j of a block, from that behind an ideal amplifier of this gain [ohm];
        the text itself where nothing is done to it."""
        scale, found = self.scales[block.layer], self.lines(block)
        if found is not None:
            own, offset = (float(values[0, j]) for values in found)
            text = f"({own!r}*{text}+({offset * scale.full_scale * gain!r}))"
            text = clipped(text, scale.low * gain, scale.high * gain)
        return self._converted(text, scale, gain) if self.periphery.subtraction == "digital" else text

    def subtracted(self, k, text, gain):
        """The same of the difference of two lines, where a circuit subtracts them."""
        return text if self.periphery.subtraction == "digital" else self._converted(text, self.scales[k], gain)

    def _converted(self, text, scale, gain):
        return quantised(text, scale.adc and tuple(gain * end for end in scale.adc), self.periphery.adc)


def quantised(text, ends, converter):
    """The nearest of a converter's levels between its ends; the text itself without a converter. Halfway, such as a sigmoid
    of 0, is the level above, as of `Converter`, although ngspice reads numbers in formulas to twelve digits."""
    if converter is None:
        return text
    low, high = (float(end) for end in ends)
    step = (high - low) / converter.n_steps(low, high)
    return f"({low!r}+{step!r}*floor(({clipped(text, low, high)}-({low!r}))/{step!r}+0.500000001))"


def clipped(text, low, high):
    """A formula between two ends, each of which may be infinite."""
    text = f"max({text},{float(low)!r})" if np.isfinite(low) else text
    return f"min({text},{float(high)!r})" if np.isfinite(high) else text


def curve_lines(curve, name, source, dialect):
    """Lines of a unit with a `MeasuredCurve`: each piece is a cubic of its place, which stops at both of its ends."""
    t = np.array([0.0, 1 / 3, 2 / 3, 1.0])
    inverse = np.linalg.inv(np.vander(t, increasing=True))
    value, terms = float(curve.value(np.array(_sums(curve, curve.inputs[:1])))[0]), []
    for k, (low, high) in enumerate(zip(curve.inputs[:-1].tolist(), curve.inputs[1:].tolist())):
        at = curve.value(_sums(curve, low + (high - low) * t))
        _, a, b, c = (inverse @ (at - at[0])).tolist()
        place = (f"min(max(({curve.input_per_unit!r}*{source}+({curve.input_at_zero - low!r}))/{high - low!r},0),1)")
        yield f"B{name}_t{k} {name}_t{k} 0 v={dialect.of(place)}\n"
        terms.append(f"+v({name}_t{k})*({a!r}+v({name}_t{k})*({b!r}+v({name}_t{k})*({c!r})))")
    yield f"B{name} {name} 0 v={dialect.of(chr(10).join([repr(value), *('+ ' + term for term in terms)]))}\n"


def _sums(curve, inputs):
    """Sums of the network that give these inputs of the circuit."""
    return (np.asarray(inputs) - curve.input_at_zero) / curve.input_per_unit
