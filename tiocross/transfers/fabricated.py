"""Chips of a network programmed pulse by pulse, in place of the statistics of a card.

Each physical array of each chip is made and programmed whole, with a stream of its own: devices that carry nothing are there
too, as fresh as they came. What a `SimulatedFab` leaves is read as that of a card: solved with its wires.
"""

from dataclasses import fields
from typing import NamedTuple

import numpy as np

from tiocross.checks import kind_of
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.matrices import transfer_matrix
from tiocross.devices.retention import retention_notes
from tiocross.lab.fab import SimulatedFab, array_stream, make_chip, program_chip
from tiocross.lab.switching import require_switching
from tiocross.mapping.faults import offset_known
from tiocross.transfers.chips import Chips, Met
from tiocross.transfers.conducting import by_layout, whole_arrays
from tiocross.transfers.programming_cost import Programming
from tiocross.units import uS

_BYTES = 200  # of a device in work: its state and what is kept of it


class Fabricated(NamedTuple):
    """As `chips.Programmed`; with the whole arrays of each chip [S], a list for each."""

    conductances: list
    targets: list
    layouts: list
    held: list
    arrays: list


class FabChips(Chips):
    """`Chips` that a `SimulatedFab` makes and programs; ``operation.fab`` is the fab."""

    def __init__(self, network, device, *, operation, **options):
        _require_possible(operation, options.get("adaptation"))
        super().__init__(network, device, operation=operation, **options)
        fab = self.fab = operation.fab
        _require_window(fab.model, device, self.targets)
        require_switching(fab.model, fab.scheme)
        if not self.layout.mapping.is_physical:
            raise ValueError(f"chips= programs conductances, which {type(self.layout.mapping).__name__} does not give; use "
                             "DifferentialPairs()")
        self._figures = {}

    def __getstate__(self):
        return {**super().__getstate__(), "_figures": {}}

    @property
    def bytes_per_device(self):
        """As of `Chips`."""
        return super().bytes_per_device + _BYTES

    @property
    def block_bytes(self):
        """There is no block."""
        return 0

    @property
    def notes(self):
        """What of the model is stretched beyond what was measured, in sentences."""
        largest = max(self.layout.shapes, key=lambda shape: shape[0] * shape[1])
        stretched = [f"chips programmed pulse by pulse: the switching model was fitted to arrays of 8 x 8; one of "
                     f"{largest[0]} x {largest[1]} is an extrapolation"] if max(largest) > 16 else []
        return [*stretched, *retention_notes(self.device, self.operation.after)]

    def _sibling(self, shares):
        """A copy, to be programmed anew: pulses go through the wires too."""
        other = super()._sibling(shares=False)
        other._figures = {}
        return other

    def split(self, numbers, most):
        """Parts of at most ``most`` of these chips: each is made alone."""
        return [range(start, min(start + most, numbers.stop)) for start in range(numbers.start, numbers.stop, most)]

    def faults(self, numbers):
        """Stuck devices and failed lines of these chips, as `Chips.faults`."""
        found = [np.empty((len(numbers), *shape)) for shape in self.layout.shapes]
        for chip, number in enumerate(numbers):
            for index, (array, shape) in enumerate(zip(self.layout.arrays, self.layout.shapes)):
                made = self._make(number, array, shape)
                found[index][chip] = np.where(made.stuck, made.conductances, np.nan)
        return found

    def pop_figures(self, numbers):
        """What programming these chips took, (n_chips, n_figures) as `Programming.table`; told once."""
        return np.array([self._figures.pop(number) for number in numbers])

    def _make(self, number, array, shape):
        return make_chip(self.fab, shape, array_stream(self.entropy, number, array), self.wire_resistance)

    def _program(self, numbers, on_progress):
        layouts, wanted, targets = [self.layout] * len(numbers), list(self.targets), list(self.targets.layers)
        stuck = [None] * len(targets)
        if self.adaptation.map_known:
            networks = [self.network] * len(numbers)
            met = Met(*self._meet_faults(numbers), [])
            if self.adaptation.retraining is not None and met.damaged:
                self._retrain(networks, met, met.damaged, self._draws.generators(numbers), [], on_progress)
            targets, layouts, stuck = self._targets_of(networks, met), met.layouts, met.stuck
            wanted = [self._offset(layer.conductances, held) for layer, held in zip(targets, stuck)]
        work, made = None, []
        for chip, number in enumerate(numbers):
            if work is None or self.adaptation.map_known:
                work = self._work(layouts[chip], [_of_chip(layer, chip) for layer in wanted],
                                  [_of_chip(layer, chip) for layer in stuck])
            made.append(self._program_chip(number, layouts[chip], work))
            if on_progress:
                on_progress((chip + 1) / len(numbers))
        arrays, held = ([[getattr(array, name) for array in chip] for chip in made] for name in ("conductances", "stuck"))
        shapes = self.layout.layer_shapes
        return Fabricated(_layers_of(arrays, layouts, shapes), targets, layouts,
                          [layer > 0 for layer in _layers_of(held, layouts, shapes)], arrays)

    def _offset(self, wanted, stuck):
        """Targets whose partners make up for the known stuck devices [S]."""
        if self.adaptation.compensated:
            return wanted
        return offset_known(wanted, stuck, self.device, self.layout.mapping)

    def _work(self, layout, wanted, stuck):
        """Targets [S] and sequence of each array of a chip; devices known to be stuck are left out."""
        later = self._n_later_writes if layout is self.layout or self.adaptation.sensitive_last else layout.n_later_writes
        goals = layout.place([layer if held is None else np.where(np.isnan(held), layer, np.nan)
                              for layer, held in zip(wanted, stuck)])
        turns = layout.place([layer.astype(np.float64) for layer in later])
        return [(goal, np.argsort(np.where(np.isnan(turn), np.inf, -turn), axis=None, kind="stable"))
                for goal, turn in zip(goals, turns)]

    def _program_chip(self, number, layout, work):
        """The arrays of one chip after programming, each a `SimulatedCrossbar`."""
        figures, chips = np.zeros((len(work), len(fields(Programming)))), []
        for k, (array, shape, (targets, sequence)) in enumerate(zip(layout.arrays, layout.shapes, work)):
            chip, mask = self._make(number, array, shape), ~np.isnan(targets)
            made = program_chip(self.fab, chip, targets, mask, sequence)
            within = np.abs(made.readings - targets) <= self.fab.scheme.tolerance * targets
            n_stuck = np.char.startswith(made.outcomes, "stuck").sum()
            figures[k] = (mask.sum(), within.sum(), n_stuck, made.n_pulses.sum(), made.n_passes, made.seconds,
                          made.pulse_energy, made.read_energy)
            chips.append(chip)
        self._figures[number] = Programming.of_arrays(figures)
        return chips

    def _read(self, programmed):
        arrays = [None] * len(programmed.layouts)
        for layout, chips in by_layout(programmed.layouts):
            whole = whole_arrays(programmed, layout, chips)
            source, sensing = self.periphery.resistances
            if self.wire_resistance > 0 or source > 0 or sensing > 0:
                whole = [transfer_matrix(Crossbar(array, self.wire_resistance, source_resistance=source,
                                                  sense_resistance=sensing)) for array in whole]
            for chip, *parts in zip(chips, *whole):
                arrays[chip] = parts
        matrices = _layers_of(arrays, programmed.layouts, self.layout.layer_shapes)
        return [self._weights_of(layer, matrix) for layer, matrix in zip(programmed.targets, matrices)]


def _layers_of(arrays, layouts, shapes):
    """Layers (n_chips, n_word_lines, n_bit_lines) from the arrays of each chip, which lie as its layout says."""
    layers = [np.empty((len(layouts), *shape)) for shape in shapes]
    for layout, chips in by_layout(layouts):
        whole = [np.stack([arrays[chip][k] for chip in chips]).astype(np.float64) for k in range(len(layout.arrays))]
        for layer, values in zip(layers, layout.collect(whole)):
            layer[chips] = values
    return layers


def _of_chip(layer, chip):
    """One chip's part of a layer that may be the same for all."""
    return layer if layer is None or layer.ndim == 2 else layer[chip]


def _require_possible(operation, adaptation):
    if not isinstance(operation.fab, SimulatedFab):
        raise TypeError(f"chips must be a SimulatedFab, such as SimulatedFab(passes=3); got {kind_of(operation.fab)}")
    if (n_passes := operation.passes.number) != 1:
        raise ValueError(f"passes={n_passes} is of a card's programming; a fab has its own: "
                         f"chips=SimulatedFab(..., passes={n_passes}), and leave passes out")
    if adaptation is not None and adaptation.layer_by_layer:
        raise ValueError("layer_by_layer programs a layer at a time by the card's statistics; with chips= whole chips are "
                         "programmed. Leave one of them out")


def _require_window(model, device, targets):
    """Raise ValueError if some target lies outside of what the fab's devices can be switched to."""
    low, high = (float(part([part(layer) for layer in targets])) for part in (np.min, np.max))
    if low <= 0.0:
        raise ValueError(f"{device.name} maps weights to targets of 0 S, within whose tolerance, a share of the target, no "
                         "pulse can bring a device: give chips= a device with g_min above zero")
    if low < model.g_off or high > model.g_on:
        raise ValueError(f"the fab's devices switch between {model.g_off / uS:g} and {model.g_on / uS:g} uS; targets for "
                         f"{device.name} lie at {low / uS:g} to {high / uS:g} uS. Give the fab a model of this device, "
                         "SimulatedFab(model=SwitchingModel(g_off=..., g_on=...)), or another device")


def make_chips(network, device, *, operation, **options):
    """`Chips`, or `FabChips` where a fab makes them."""
    kind = Chips if operation.fab is None else FabChips
    return kind(network, device, operation=operation, **options)
