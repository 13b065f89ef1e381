"""Training through the periphery: signals of each layer as voltages and currents, line by line, on every simulated chip.

The way is that of `transfer`: numbers become voltages, the largest at the read voltage, and go through the DAC; arrays give
the currents of their lines; readings are noisy; sensing amplifies, with a gain and an offset of each physical line of each
chip, and saturates; lines are subtracted behind the ADC or before it; sums are scaled and activated.
"""

from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import ClassVar, NamedTuple

import numpy as np

from tiocross.checks import as_number
from tiocross.learning import signals as lines_of
from tiocross.learning.techniques import Course, Flow, Technique, split_layers
from tiocross.learning.tensor import Tensor
from tiocross.periphery.electronics import Periphery, require_periphery
from tiocross.transfers.scales import scales_for
from tiocross.transfers.wires import WiresInLoop, solve_arrays


@dataclass(frozen=True)
class PeripheryInLoop(Technique):
    """Train with what drives, senses and converts between the arrays, and with read noise and nonlinearity of the device.

    Each step draws gains and offsets of the lines and the noise of the readings anew. Where a step has no gradient it goes
    straight through: rounding to the levels of a converter counts as the identity within its range, and as constant beyond.
    Ranges are those that `transfer` would choose for the step's targets and points; they are constants in the gradient.

    Alone, arrays are programmed exactly; beside `NoiseInjection` or `ConductanceDropout`, as these leave them. Memory grows
    with chips times points times lines. Techniques that disturb weights, such as `GaussianNoise`, are refused beside it.

    Parameters
    ----------
    periphery : Periphery or None, optional
        What stands between the arrays; ideal without it, for read noise and nonlinearity alone.
    wire_resistance : float, optional
        Of one wire segment [ohm]. Wires, drivers and the inputs of the sensing are solved together, as by `WiresInLoop`.

    Raises
    ------
    TypeError, ValueError
        If the periphery is none, the resistance is negative, or `WiresInLoop` stands beside it.

    Notes
    -----
    A nonlinear device behind ideal wires carries conductance times f(V), exactly. With wires, or resistances of drivers or
    sensing, f acts on the driven voltage and the arrays are solved as ohmic ones: an approximation, which `transfer` does
    without.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, PERIPHERY_6_BIT, TIO2, NoiseInjection, PeripheryInLoop, TrainingSettings, tasks, train
    >>> moons, rng = tasks.load_moons(), np.random.default_rng(7)
    >>> techniques = [NoiseInjection(), PeripheryInLoop(PERIPHERY_6_BIT)]
    >>> train(MLP(2, 8, 1, rng=rng), moons.train, techniques, device=TIO2, rng=rng,
    ...       settings=TrainingSettings(n_steps=3, n_chips=2)).sizes
    (2, 8, 1)
    """

    effects: ClassVar[tuple[str, ...]] = ("read_noise", "nonlinearity")
    periphery: Periphery | None = None
    wire_resistance: float = 0.0

    def __post_init__(self):
        require_periphery(self.periphery)
        object.__setattr__(self, "periphery", Periphery() if self.periphery is None else self.periphery)
        as_number("wire_resistance", self.wire_resistance, low=0.0, unit="ohm")

    def require_company(self, techniques: list) -> None:
        """Raise ValueError beside `WiresInLoop`: arrays are solved once, with all of their resistances."""
        if any(isinstance(technique, WiresInLoop) for technique in techniques):
            raise ValueError("arrays are solved once, with wires, drivers and sensing together: leave WiresInLoop out, and "
                             "give PeripheryInLoop(periphery, wire_resistance=...)")

    def conduct(self, programmed: Tensor, course: Course) -> Tensor:
        """Entries of the transfer matrices with all resistances, ``(n_networks, n_chips, n_devices)`` Tensor [S]."""
        ends = self.periphery.driver.resistance, self.periphery.sensing.resistance
        return solve_arrays(programmed, course.layout, (self.wire_resistance, *ends))

    def follow(self, flow: Flow, course: Course) -> Tensor:
        """Logits of every point on every chip, ``(n_networks, n_chips, n_points, n_outputs)`` Tensor."""
        return _Path(self.periphery, flow, course).run()


class _Rows(NamedTuple):
    """Word lines of a layer that are driven together: their numbers, which of the layer's bit lines are there, and which of
    all physical lines each of these is."""

    rows: np.ndarray
    here: np.ndarray
    physical: np.ndarray


@lru_cache(maxsize=64)
def _rows_of(layout):
    """List of `_Rows` for each layer, and the number of physical bit lines."""
    starts = dict(zip(layout.arrays, np.cumsum([0, *(shape[1] for shape in layout.shapes)])))
    layers = [{} for _ in layout.layer_shapes]
    for block in layout.blocks:
        n_lines = layout.layer_shapes[block.layer][1]
        empty = _Rows(block.layer_rows, np.zeros(n_lines), np.zeros(n_lines, dtype=np.int64))
        group = layers[block.layer].setdefault(block.layer_rows.tobytes(), empty)
        group.here[block.layer_columns] = 1.0
        group.physical[block.layer_columns] = starts[block.array] + block.bit_lines
    return [list(groups.values()) for groups in layers], sum(shape[1] for shape in layout.shapes)


class _Path:
    """The way of the signals of one step of training."""

    def __init__(self, periphery, flow, course):
        self._periphery, self._flow, self._course = periphery, flow, course
        self._device, self._layout = course.device, course.layout
        self._kind = flow.conductances.value.dtype
        self._scales = self._find_scales()
        self._rows, self._n_lines = _rows_of(course.layout)
        self._noise_of_devices = self._device.read_noise.relative if self._device.read_noise is not None else 0.0
        self._draw_lines()

    def run(self):
        """Logits of all points."""
        flow, layout = self._flow, self._layout
        n_networks, n_chips = flow.conductances.shape[:2]
        layers = split_layers(flow.conductances.reshape(n_networks, n_chips, -1, 1), layout.layer_shapes)
        shapes = [layout.mapping.differences(np.empty(shape)).shape for shape in layout.layer_shapes]
        scales = split_layers(flow.scale, shapes)
        weights = split_layers(flow.weights, self._course.shapes)
        signals = Tensor(flow.inputs[:, None].astype(self._kind, copy=False))
        for k, (conductances, scale, own) in enumerate(zip(layers, scales, weights)):
            steps = [steps[k] for steps in flow.steps]
            sums = self._sums(k, lines_of.gather(signals, steps[0]), conductances, scale)
            if layout.layer_shapes[k][0] < own.shape[-2] and steps[0].has_bias:  # the bias is on no device
                sums = sums + own[..., -1:, :]
            sums = sums.reshape(n_networks, n_chips, signals.shape[-2], -1)
            signals = lines_of.average(self._activate(sums, steps, k == len(layers) - 1), steps[0])
        return signals

    def _sums(self, k, seen, conductances, scale):
        """Sums of a layer for what each position sees, (n_networks, n_chips, n, n_outputs)."""
        volts = self._drive(k, lines_of.with_bias(seen, conductances.shape[-2]))
        total = None
        for group in self._rows[k]:
            whole = len(group.rows) == conductances.shape[-2]
            part = self._differences(k, volts if whole else volts[..., group.rows],
                                     conductances if whole else conductances[..., group.rows, :], group)
            part = part / (scale[..., group.rows[:1], :1] * self._of(k, "volts_per_unit"))
            total = part if total is None else total + part
        return total

    def _drive(self, k, inputs):
        """Voltages of the word lines, and what devices make of them [V]."""
        volts = self._convert(k, inputs * self._of(k, "volts_per_unit"), self._periphery.dac, "dac")
        law = self._device.nonlinearity
        if law is None:
            return volts
        ratio = law.read_voltage / np.sinh(law.read_voltage / law.v0)
        x = volts.value / law.v0
        return lines_of.apply(volts, ratio * np.sinh(x), ratio / law.v0 * np.cosh(x))

    def _differences(self, k, volts, conductances, group):
        """Differences of the lines of some word lines, as they are read [A]."""
        sensing, is_digital = self._periphery.sensing, self._periphery.subtraction == "digital"
        currents = self._read(k, volts, conductances)
        if not sensing.is_ideal:
            gains, offsets = (drawn[..., group.physical][..., None, :] for drawn in (self._gains, self._offsets))
            currents = lines_of.clip(currents * gains + offsets * self._of(k, "full_scale"), self._of(k, "low"),
                                     self._of(k, "high"))
        if is_digital:
            currents = self._convert(k, currents, self._periphery.adc, "adc")
        mapping, is_part = self._layout.mapping, not group.here.all()
        found = mapping.differences(currents * group.here.astype(self._kind) if is_part else currents)
        if is_digital:
            return found
        outputs = (mapping.added(group.here) > 0).astype(self._kind)  # whose lines are here
        found = self._convert(k, found, self._periphery.adc, "adc")
        return found * outputs if is_part else found

    def _read(self, k, volts, conductances):
        """Currents of lines with the noise of this reading [A]."""
        currents = lines_of.multiply(volts, conductances)
        own = self._periphery.sensing.noise
        if not own and not self._noise_of_devices:
            return currents
        chance = self._normals(currents.shape)
        if not self._noise_of_devices:
            return currents + own * self._of(k, "full_scale") * chance
        squares = lines_of.multiply(volts * volts, conductances * conductances) * self._noise_of_devices**2
        return currents + lines_of.root(squares + (own * self._of(k, "full_scale")) ** 2) * chance

    def _convert(self, k, signals, converter, name):
        """Nearest levels of a converter, where there is one."""
        if converter is None:
            return signals
        low, high = (np.array([getattr(scales[k], name)[end] for scales in self._scales], dtype=self._kind)
                     .reshape(-1, 1, 1, 1) for end in (0, 1))
        n_steps = np.array([converter.n_steps(*getattr(scales[k], name)) for scales in self._scales]).reshape(-1, 1, 1, 1)
        step = ((high - low) / n_steps).astype(self._kind)
        values = signals.value
        levels = low + step * np.floor((np.clip(values, low, high) - low) / step + self._kind.type(0.5))
        return lines_of.straight_through(signals, levels, (low <= values) & (values <= high))

    def _activate(self, sums, steps, is_last):
        curve = None if is_last else self._periphery.activation
        if curve is None or steps[0].activation == "linear":
            return lines_of.activate(sums, steps)
        value, slope = (found.astype(self._kind, copy=False) for found in (curve.value(sums.value), curve.slope(sums.value)))
        return lines_of.apply(sums, value, slope)

    def _find_scales(self):
        """`LayerScale` of each layer of each network, for its targets and its points of this step."""
        flow, found = self._flow, []
        targets = split_layers(flow.targets[..., None], self._layout.layer_shapes)
        arrays = split_layers(flow.weights.value[:, 0], self._course.shapes)
        for n, steps in enumerate(flow.steps):
            network = SimpleNamespace(steps=steps, arrays=[array[n] for array in arrays])
            mapped = SimpleNamespace(layout=self._layout,
                                     layers=[SimpleNamespace(conductances=layer[n]) for layer in targets])
            found.append(scales_for(network, mapped, flow.inputs[n], self._periphery))
        return found

    def _of(self, k, name):
        """(n_networks, 1, 1, 1) values of a layer's scale."""
        return np.array([getattr(scales[k], name) for scales in self._scales], dtype=self._kind).reshape(-1, 1, 1, 1)

    def _draw_lines(self):
        """Draw relative gains and offsets of all physical lines, (n_networks, n_chips, n_lines)."""
        sensing = self._periphery.sensing
        if sensing.gain_spread or sensing.offset:
            shape = len(self._flow.inputs), self._course.n_chips, 2, self._n_lines
            gains, offsets = np.moveaxis(self._normals(shape), 2, 0)
        else:
            gains = offsets = np.zeros((1, 1, self._n_lines), dtype=self._kind)
        self._gains, self._offsets = 1 + sensing.gain_spread * gains, sensing.offset * offsets

    def _normals(self, shape):
        """Normal numbers (n_networks, ...) from the networks' generators; networks that share one get the same."""
        drawn = {id(rng): rng.standard_normal(shape[1:], dtype=self._kind) for rng in
                 {id(rng): rng for rng in self._course.rngs}.values()}
        return np.stack([drawn[id(rng)] for rng in self._course.rngs])
