"""Power, energy and time of a network on its arrays: circuits solved for the inputs that the network really meets.

What is solved are the mapped targets, every array of every layer with its wires, drivers and sensing. What the periphery
takes beside that is what its parts state; what they do not state is not guessed.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_number, kind_of
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.solver import solve
from tiocross.devices.device import Device, require_device
from tiocross.learning.network import MLP
from tiocross.mapping.layout import Layout
from tiocross.mapping.targets import map_weights
from tiocross.periphery.electronics import Periphery, require_periphery
from tiocross.periphery.presets import IDEAL_PERIPHERY
from tiocross.records import short_text
from tiocross.shown import table
from tiocross.transfers.curved import between_ends
from tiocross.transfers.driving import drive_layer
from tiocross.transfers.programming_cost import Programming
from tiocross.transfers.scales import activated, scales_for, with_bias
from tiocross.units import ns, prefix_of

PARTS = ("DAC", "driver", "sensing", "ADC", "activation")
_EDGE = 1.0 / 3.0  # of a voltage that rises evenly the mean square is a third of that at its end
_DEVICES_AT_ONCE = 2_000_000  # of all inputs solved together


@dataclass(frozen=True)
class LayerEnergy:
    """What one layer takes to answer one point, means over the points.

    Parameters
    ----------
    n_arrays, n_word_lines, n_bit_lines : int
        Physical arrays, and the lines of all that are driven and sensed (unitless).
    n_reads : int
        Readings one after another: positions of a convolution, each as often as the layer has blocks on one array; else 1
        (unitless).
    device_power, wire_power : float
        While inputs are driven, of all arrays that are read at once: in the devices; in wires, drivers and sensing
        resistances; means over the readings [W].
    largest_power : float
        Of devices and wires together, of the reading and the input that take most [W].
    device_energy, wire_energy : float
        Of all readings of the layer [J].
    parts : dict of str to float or None
        Energy of each part of the periphery, None where it states nothing [J].
    latency : float
        Of all readings: pulses, and conversions where their times are stated [s].
    """

    n_arrays: int
    n_word_lines: int
    n_bit_lines: int
    n_reads: int
    device_power: float
    wire_power: float
    largest_power: float
    device_energy: float
    wire_energy: float
    parts: dict
    latency: float

    @property
    def energy(self) -> float:
        """All that is solved or stated [J]."""
        return self.device_energy + self.wire_energy + sum(value for value in self.parts.values() if value is not None)


@dataclass(frozen=True, eq=False, repr=False)
class EnergyBudget:
    """What a classification takes: energy, time and power, layer by layer; print it.

    Parameters
    ----------
    layers : tuple of LayerEnergy
        One for each layer.
    read_time : float
        How long inputs are driven, edges included [s].
    edge : float
        Of each edge of the pulses [s].
    n_points : int
        Points whose circuits were solved (unitless).
    device_name, periphery_name : str
        What was solved.
    programming : Programming or None
        What programming chips took, if that was given.
    """

    layers: tuple[LayerEnergy, ...]
    read_time: float
    edge: float
    n_points: int
    device_name: str
    periphery_name: str
    programming: Programming | None = None

    @property
    def energy(self) -> float:
        """Of a classification, all that is solved or stated [J]."""
        return sum(layer.energy for layer in self.layers)

    @property
    def latency(self) -> float:
        """Of a classification, layer after layer [s]."""
        return sum(layer.latency for layer in self.layers)

    @property
    def power(self) -> float:
        """Mean power of a chip that classifies without a pause [W]."""
        return self.energy / self.latency

    @property
    def not_stated(self) -> tuple[str, ...]:
        """Parts of the periphery that state neither power nor energy."""
        return tuple(part for part in PARTS if any(layer.parts[part] is None for layer in self.layers))

    def to_dict(self) -> dict:
        """Everything as plain numbers, units in the names, for JSON."""
        units = {"power": "W", "energy": "J", "latency": "s"}
        layers = []
        for layer in self.layers:
            given = asdict(layer)
            parts = {f"{part} energy [J]": value for part, value in given.pop("parts").items()}
            named = {f"{name} [{units.get(name.rpartition('_')[2], '-')}]": value for name, value in given.items()}
            layers.append(named | parts)
        return {"energy [J]": self.energy, "latency [s]": self.latency, "power [W]": self.power,
                "read_time [s]": self.read_time, "edge [s]": self.edge, "n_points [-]": self.n_points,
                "device": self.device_name, "periphery": self.periphery_name, "not stated": list(self.not_stated),
                "layers": layers, **({} if self.programming is None else {"programming": _mean_of(self.programming)})}

    def __repr__(self):
        return short_text(self)

    def __str__(self):
        head = (f"a classification takes {shown(self.energy, 'J')} and {shown(self.latency, 's')}, "
                f"{shown(self.power, 'W')}; means over {self.n_points} points, inputs driven for "
                f"{self.read_time / ns:g} ns, targets of {self.device_name}, {self.periphery_name}")
        columns = ["devices", "wires", *(part for part in PARTS if part not in self.not_stated)]
        lines = [head, f"  {'layer':<7}{'lines':>11}{'power':>10}{'largest':>10}"
                 + "".join(f"{name:>11}" for name in columns) + f"{'together':>11}"]
        for k, layer in enumerate(self.layers):
            cells = self._cells(layer, columns)
            lines.append(f"  {k:<7}{f'{layer.n_word_lines} x {layer.n_bit_lines}':>11}"
                         f"{shown(layer.device_power + layer.wire_power, 'W'):>10}{shown(layer.largest_power, 'W'):>10}"
                         + "".join(f"{shown(cell, 'J'):>11}" for cell in cells) + f"{shown(layer.energy, 'J'):>11}")
        if self.not_stated:
            lines.append(f"  not stated, and not in these sums: {', '.join(self.not_stated)}")
        if self.programming is not None:
            mean = _mean_of(self.programming)
            lines.append(f"  programming a chip once: {shown(mean['pulse_energy [J]'], 'J')} in pulses, "
                         f"{shown(mean['read_energy [J]'], 'J')} in readings, {mean['seconds [s]']:.3g} s: as much as "
                         f"{(mean['pulse_energy [J]'] + mean['read_energy [J]']) / self.energy:.2g} classifications")
        return "\n".join(lines)

    def _cells(self, layer, columns):
        return [layer.device_energy, layer.wire_energy, *(layer.parts[part] for part in columns[2:])]

    def _repr_html_(self):
        """The table, for notebooks."""
        columns = ["devices", "wires", *(part for part in PARTS if part not in self.not_stated)]
        rows = [(str(k), *(shown(cell, "J") for cell in self._cells(layer, columns)), shown(layer.energy, "J"))
                for k, layer in enumerate(self.layers)]
        return table(f"a classification takes {shown(self.energy, 'J')}", ("layer", *columns, "together"), [("", rows)])


def energy_of(network: MLP, points: ArrayLike, *, device: Device, layout: Layout | None = None,
              wire_resistance: float = 0.0, periphery: Periphery | None = None, read_time: float | None = None,
              programming: Programming | None = None) -> EnergyBudget:
    """Energy, time and power that a network takes to classify points on its arrays.

    Parameters
    ----------
    network : MLP
        The network.
    points : (n_points, n_features) array_like
        Inputs whose circuits are solved; some hundreds tell a mean (unitless).
    device : Device
        Whose window the network is mapped on; its nonlinearity is solved, too.
    layout : Layout, optional
        Which device of which array carries what; as for `map_weights` without it.
    wire_resistance : float, optional
        Of one wire segment [ohm].
    periphery : Periphery, optional
        Read voltage, pulse and edges, resistances, and the power that its parts state.
    read_time : float, optional
        How long inputs are driven, edges included; the pulse length of the periphery without it [s].
    programming : Programming, optional
        ``transfer(..., chips=SimulatedFab(...)).programming``, to be told beside.

    Returns
    -------
    EnergyBudget
        By layer and together.

    Raises
    ------
    ValueError
        If nothing says how long inputs are driven, or the points do not fit the network.

    Notes
    -----
    Power is that of the solved circuits of the mapped targets, without write errors: in ohmic devices the sum of G V^2, and
    what wires, drivers and sensing dissipate. Inputs of a layer are what the arrays before it give, without what converters
    and noise change; the largest in software is at the read voltage. Arrays of a layer are read at once, blocks of it on one
    array one after another.
    Energy is power times the read time; each edge counts as a third of its length, as of ohmic devices under a voltage that
    rises evenly. A converter takes its energy for each conversion, or its power for its conversion time, or for the read
    time where that is not stated; drivers, sensing and activation circuits their power for the read time. Capacitances are
    not known.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, energy_of, tasks
    >>> moons, network = tasks.load_moons(), MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> found = energy_of(network, moons.test.points[:50], device=TIO2, read_time=300e-9)
    >>> len(found.layers), found.not_stated
    (2, ('DAC', 'driver', 'sensing', 'ADC', 'activation'))
    """
    require_device(device)
    require_periphery(periphery)
    periphery = IDEAL_PERIPHERY if periphery is None else periphery
    resistance = as_number("wire_resistance", wire_resistance, low=0.0, unit="ohm")
    read_time = as_read_time(read_time, periphery)
    if not isinstance(programming, (Programming, type(None))):
        raise TypeError("programming must be that of a transfer, transfer(..., chips=SimulatedFab()).programming; got "
                        f"{kind_of(programming)}")
    targets = map_weights(network, device, layout=layout)
    encoded = network.encode(points)
    if not len(encoded):
        raise ValueError("energy needs one point or more; got none")
    scales = scales_for(network, targets, encoded, periphery)
    crossbars = [between_ends(Crossbar(np.nan_to_num(placed), resistance), device.nonlinearity, periphery.resistances)
                 for placed in targets.layout.place([layer.conductances for layer in targets.layers])]
    layers, signal, last = [], encoded, len(network.steps) - 1
    for k, step in enumerate(network.steps):
        seen = step.gather(signal)
        inputs = with_bias(seen.reshape(-1, seen.shape[-1]), len(targets.layers[k].conductances))
        powers, sums = _read(k, targets, crossbars, inputs, scales[k].volts_per_unit)
        layers.append(_layer(k, targets, powers, len(encoded), (periphery, read_time, k == last)))
        signal = step.average(activated(step, sums.reshape(len(signal), -1), None if k == last else periphery.activation))
    return EnergyBudget(tuple(layers), read_time, periphery.edge or 0.0, len(encoded), device.name, periphery.name,
                        programming)


def shown(value, unit):
    """A value with a prefix of its unit, for people."""
    if value is None:
        return "-"
    size, prefix = prefix_of(value)
    return f"0 {unit}" if value == 0 else f"{value / size:.3g} {prefix}{unit}"


def as_read_time(read_time, periphery):
    """How long inputs are driven [s]; ValueError if nothing says so, or edges are longer."""
    if read_time is None and periphery.pulse_length is None:
        raise ValueError("how long inputs are driven is not known: give read_time=, in seconds, or a periphery that states "
                         "its pulse_length")
    time = periphery.pulse_length if read_time is None else as_number("read_time", read_time, low=0.0, unit="s")
    if time == 0.0 or 2.0 * (periphery.edge or 0.0) > time:
        raise ValueError(f"read_time must be above zero and hold two edges of {periphery.edge or 0.0:g} s; got {time:g} s")
    return time


class _Metered:
    """An array that is driven, and the power that it takes: ``readings``, (2, n_inputs) [W] each, in the devices, and in
    wires and ends."""

    def __init__(self, crossbar):
        self._crossbar, self.readings = crossbar, []

    def __call__(self, voltages):
        """(n_inputs, n_bit_lines) currents [A] for (n_inputs, n_word_lines) voltages [V]."""
        at_once, powers, currents = max(1, _DEVICES_AT_ONCE // self._crossbar.conductances.size), [], []
        for first in range(0, len(voltages), at_once):
            solution = solve(self._crossbar, voltages[first : first + at_once])
            powers.append([solution.device_power, solution.wire_power])
            currents.append(solution.bit_line_currents)
        self.readings.append(np.concatenate(powers, axis=1))
        return np.concatenate(currents)


def _read(k, targets, crossbars, inputs, volts_per_unit):
    """Power [W] in the devices, and in wires and ends, of each reading of a layer, (n_readings, 2, n_inputs); and the sums
    (n_inputs, n_outputs) that it gives (unitless)."""
    metered = [_Metered(crossbar) for crossbar in crossbars]
    sums = drive_layer(k, metered, targets, inputs, volts_per_unit)
    powers = np.zeros((max(len(array.readings) for array in metered), 2, len(inputs)))
    for array in metered:  # at once; their own readings follow each other
        powers[: len(array.readings)] += np.reshape(array.readings, (-1, 2, len(inputs)))
    return powers, sums


def _layer(k, targets, powers, n_points, how):
    periphery, read_time, is_last = how
    blocks = [block for block in targets.layout.blocks if block.layer == k]
    n_word_lines, n_bit_lines = (sum(len(getattr(block, name)) for block in blocks) for name in ("word_lines", "bit_lines"))
    n_positions, n_columns = powers.shape[-1] // n_points, targets.layers[k].conductances.shape[1]
    n_reads, n_units = n_positions * len(powers), targets.layout.mapping.differences(np.zeros(n_columns)).size
    device, wire = (float(power.mean()) for power in powers.swapaxes(0, 1))
    driven = read_time - 2.0 * (periphery.edge or 0.0) * (1.0 - _EDGE)
    n_behind = n_bit_lines if periphery.subtraction == "digital" else sum(
        _count_outputs(block, targets.layout.mapping, n_columns) for block in blocks)
    parts = {"DAC": _conversions(periphery.dac, n_word_lines, read_time), "driver": _at_work(periphery.driver, n_word_lines),
             "sensing": _at_work(periphery.sensing, n_bit_lines), "ADC": _conversions(periphery.adc, n_behind, read_time),
             "activation": 0.0 if is_last else _at_work(periphery.activation, n_units)}
    for name in ("driver", "sensing", "activation"):
        parts[name] = None if parts[name] is None else parts[name] * read_time
    parts = {name: None if value is None else n_positions * value for name, value in parts.items()}
    times = [converter.time for converter in (periphery.dac, periphery.adc) if converter and converter.time is not None]
    n_arrays, largest = len({block.array for block in blocks}), float(powers.sum(axis=1).max())
    return LayerEnergy(n_arrays, n_word_lines, n_bit_lines, n_reads, device, wire, largest,
                       n_reads * driven * device, n_reads * driven * wire, parts, n_reads * (read_time + sum(times)))


def _count_outputs(block, mapping, n_columns):
    """Outputs of which a block has a line, each subtracted before a converter of its own."""
    places = np.zeros(n_columns)
    places[block.layer_columns] = 1.0 + np.arange(len(block.layer_columns))
    return int((mapping.differences(places) != 0).sum())


def _conversions(converter, n_lines, read_time):
    """Energy of a reading's conversions [J], None where it is not stated."""
    if converter is None or (converter.energy is None and converter.power is None):
        return None
    each = converter.energy
    if each is None:
        each = converter.power * (read_time if converter.time is None else converter.time)
    return n_lines * each


def _at_work(part, n_parts):
    """Power of all such parts [W], None where it is not stated."""
    return None if part is None or part.power is None else n_parts * part.power


def _mean_of(programming):
    units = {"pulse_energy": "J", "read_energy": "J", "seconds": "s", "n_pulses": "-"}
    return {f"{name} [{unit}]": float(getattr(programming, name).mean()) for name, unit in units.items()}
