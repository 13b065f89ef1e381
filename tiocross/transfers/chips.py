"""Simulated chips of one network: drawn, placed, programmed, ageing, conducting, read.

Without an `Adaptation` nothing is known of a chip: all get the same targets on the same layout, and the stages in between do
nothing. Devices are linear, so a read chip is a matrix per layer: with wires it is the transfer matrix of the solved arrays,
and wires cost a few solutions per chip and nothing per test point.

Chips with the same seed meet the same stuck devices, failed lines, tuning errors and disturb, whatever is known of them.
"""

from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tiocross.checks import as_number, require_generator
from tiocross.devices.device import require_device
from tiocross.devices.retention import retention_notes
from tiocross.devices.writes import disturb_notes
from tiocross.learning.training import require_matching, train_many
from tiocross.mapping.faults import offset_known
from tiocross.mapping.placement import place_around
from tiocross.mapping.sensitivity import effects_per_siemens, sensitive_last, weight_effects
from tiocross.mapping.targets import LayerTargets, map_weights, weights_of
from tiocross.periphery.electronics import Periphery
from tiocross.transfers.adaptation import REFITS, Adaptation, require_refittable
from tiocross.transfers.ageing import AGED, age_layers, require_ageing
from tiocross.transfers.budget import DRAWN, KNOWN, TRAINED, WIRED
from tiocross.transfers.compensated import compensate_targets
from tiocross.transfers.conducting import conduct
from tiocross.transfers.draws import BlockDraws, draws_for, write_targets
from tiocross.transfers.known_chips import KnownChips
from tiocross.transfers.signals import require_path
from tiocross.transfers.operation import Operation
from tiocross.transfers.passing import STATE, Passing


class Programmed(NamedTuple):
    """Chips after programming, with a leading axis of chips: conductances of each layer [S], the `LayerTargets` that they
    were written for, a layout for each chip, and, where time will pass, which devices of each layer a fault holds."""

    conductances: list
    targets: list
    layouts: list
    held: list | None = None


class Met(NamedTuple):
    """Chips before programming: a layout for each, those that known faults damage, the known stuck devices of
    each layer (or None), and what writes will leave behind in each layer."""

    layouts: list
    damaged: list
    stuck: list | None
    writes: list


class Chips:
    """Programmed chips of one network, by their numbers, always the same for the same seed.

    ``targets`` are what is programmed where nothing is known of a chip; ``entropy`` is the seed. Chips can be pickled.
    """

    def __init__(self, network, device, *, layout=None, wire_resistance=0.0, adaptation=Adaptation(),
                 operation=Operation(), rng):
        require_device(device)
        require_generator(rng)
        if not isinstance(adaptation, Adaptation):
            raise TypeError(f"adaptation must be Adaptation(...); got {adaptation!r}")
        self.network, self.device, self.adaptation, self.operation = network, device, adaptation, operation
        self._mapped = map_weights(network, device, layout=layout)
        self.layout, self.periphery = self._mapped.layout, operation.periphery or Periphery()
        require_path(device, self.periphery, self.layout, adaptation)
        require_ageing(device, self.layout.mapping, operation.after)
        adaptation.require_possible(self.layout)
        if adaptation.refit is not None:
            require_refittable(network)
        self._effects, self._n_later_writes, self._kept = None, self.layout.n_later_writes, None
        if adaptation.training is not None:
            require_matching(network, adaptation.training)
            if adaptation.map_known or adaptation.sensitive_last:
                self._effects = weight_effects(network, adaptation.training.points)
        if adaptation.sensitive_last:
            self._n_later_writes = self.layout.later_writes(sensitive_last(self._effects, self._mapped))
        self._set_wires(wire_resistance)
        self.entropy = int(rng.integers(2**63))
        self._draws = draws_for(device, self.layout, self._n_later_writes, self.entropy)
        self._passing = Passing(device, self.layout, self._n_later_writes, self._draws, operation.passes)

    def __getstate__(self):
        """Kept chips do not travel: they are the same when made again."""
        return {**vars(self), "_kept": None}

    @property
    def bytes_per_device(self):
        """Memory of a device of a chip in work [bytes]."""
        wired = WIRED if self.wire_resistance > 0 else 0
        known = KNOWN if self.adaptation.map_known or self.adaptation.layer_by_layer else 0
        trained = 0 if self.adaptation.retraining is None else TRAINED * self.adaptation.retraining.n_chips
        return (DRAWN + wired + known + trained + (STATE if self._passing.is_on else 0)
                + (AGED if self._ages else 0))

    @property
    def block_bytes(self):
        """Memory of what is drawn for chips that are not asked for [bytes]."""
        return self._draws.block_bytes

    def with_wires(self, wire_resistance):
        """The same chips with other wires; what is programmed is kept and shared, unless it depends on the wires."""
        depends = self.adaptation.compensated or self.adaptation.layer_by_layer
        other = self._sibling(shares=not depends)
        other._set_wires(wire_resistance)
        return other

    def with_after(self, after):
        """The same chips a time ``after`` [s] their programming, which is kept and shared."""
        other = self._sibling(shares=not self.adaptation.layer_by_layer)
        other.operation = replace(self.operation, after=after)
        require_ageing(other.device, other.layout.mapping, other.operation.after)
        return other

    def _sibling(self, shares):
        """A copy; where it ``shares`` what is programmed, that is kept from now on."""
        if self._kept is None and shares and type(self._draws) is BlockDraws:  # large ones are made anew: memory has bounds
            self._kept = {}
        other = copy(self)
        other._kept = self._kept  # which does not travel with copies
        return other

    @property
    def _ages(self):
        """Whether devices change between programming and use."""
        return self.operation.after > 0

    def _set_wires(self, wire_resistance):
        self.wire_resistance = as_number("wire_resistance", wire_resistance, low=0.0, unit="ohm")
        if self.wire_resistance > 0 and not self.layout.mapping.is_physical:
            raise ValueError(f"wires join conductances, which {type(self.layout.mapping).__name__} does not give; use "
                             f"wire_resistance=0 or DifferentialPairs(); got {wire_resistance:g} ohm")
        self.targets = self._with_compensation(self._mapped)

    @property
    def notes(self):
        """What of the device's model is stretched beyond what was measured, in sentences."""
        return [*disturb_notes(self.device, max(int(later.max()) for later in self._n_later_writes)),
                *retention_notes(self.device, self.operation.after)]

    def split(self, numbers, most):
        """Parts of at most ``most`` of these chips, as the other methods take them: each drawn together."""
        return self._draws.split(numbers, most)

    def weights(self, numbers, *, on_progress=None):
        """Weights of these chips, a range, as read: ``(n_chips, n_inputs + 1, n_outputs)`` a layer, bias last.

        ``on_progress(share)`` hears of long work for single chips; raise from it to stop."""
        parts = self.split(numbers, len(numbers))
        if len(parts) > 1:
            return [np.concatenate(layer) for layer in zip(*(self.weights(part, on_progress=on_progress) for part in parts))]
        if self.adaptation.layer_by_layer:
            made, fresh = self._program_layer_by_layer(numbers, on_progress)
        else:
            made, fresh = self.programmed(numbers, on_progress=on_progress), None
        refit = self.adaptation.refit and REFITS[self.adaptation.refit]
        if fresh is None and (refit or not self._ages):
            fresh = self._read(made)
        weights = self._read(self._aged(made, numbers)) if self._ages else fresh
        if not refit:
            return weights
        last = refit(self.network, fresh, self.adaptation.training, ridge=self.adaptation.ridge, later=weights[-1])
        return [*weights[:-1], last]

    def to_be_read(self, numbers, *, on_progress=None):
        """`Programmed` of these chips, of one part that `split` gives, as they are when signals come."""
        made = (self._program_layer_by_layer(numbers, on_progress)[0] if self.adaptation.layer_by_layer
                else self.programmed(numbers, on_progress=on_progress))
        return self._aged(made, numbers) if self._ages else made

    def programmed(self, numbers, *, on_progress=None):
        """`Programmed` of these chips, of one part that `split` gives, just after the last write."""
        if self._kept is None:
            return self._program(numbers, on_progress)
        start = self._draws.start_of_block(numbers.start)
        kept = self._kept.get(start)
        if kept is None or len(kept.layouts) < numbers.stop - start or (self._ages and kept.held is None):
            self._kept[start] = self._program(range(start, numbers.stop), on_progress)
        return _some(self._kept[start], slice(numbers.start - start, numbers.stop - start))

    def pop_figures(self, numbers):
        """What programming each of these chips took, None where a card tells nothing of that; told once."""

    def faults(self, numbers):
        """Stuck devices and failed lines of these chips, spare devices included: ``(n_chips, n_word_lines, n_bit_lines)``
        for each of the layout's arrays, NaN where healthy [S]."""
        return self._draws.faults(numbers)

    # Place.

    def _meet(self, numbers):
        if not self.adaptation.map_known:
            return Met([self.layout] * len(numbers), [], None, self._draws.writes(numbers))
        layouts, damaged, stuck = self._meet_faults(numbers)
        writes = self._draws.writes(numbers, "healthy")
        for layer, held in zip(self._carried(writes, layouts), stuck):
            layer.fix_devices(held)
        return Met(layouts, damaged, stuck, writes)

    def _meet_faults(self, numbers):
        """What known faults make of chips, as in `Met`: layouts, damaged chips and stuck devices of each layer."""
        faults = self.faults(numbers)
        layouts, damaged = self._place(faults)
        at = {array: index for index, array in enumerate(self.layout.arrays)}
        stuck = [layout.collect([faults[at[array]][chip] for array in layout.arrays]) for chip, layout in enumerate(layouts)]
        return layouts, damaged, [np.stack(layer) for layer in zip(*stuck)]

    def _place(self, faults):
        """A layout for each chip, and which chips keep damage; only those with a fault in use need a layout of their own."""
        layouts, damaged = [self.layout] * len(faults[0]), []
        hit = sum((~np.isnan(array) & used).any(axis=(1, 2)) for array, used in zip(faults, self.layout.used))
        numbered = dict(zip(self.layout.arrays, faults))
        maps = [numbered[array] for array in sorted(numbered)]
        effects = self._effects and effects_per_siemens(self._effects, self._mapped)
        for chip in np.flatnonzero(hit):
            placed = place_around(self._mapped, self.device, [array[chip] for array in maps],
                                  sensitivities=effects, may_move_lines=self.adaptation.spare_lines)
            layouts[chip] = placed.layout
            if placed.damage_after > 0:
                damaged.append(int(chip))
        return layouts, damaged

    def _carried(self, writes, layouts):
        """``writes``, in place, at the places of chips with layouts of their own: a draw belongs to a turn of an array's
        programming, so each device takes the draw of the device that stands at its place in the common layout."""
        for chip, layout in enumerate(layouts):
            if layout is self.layout:
                continue
            for name in ("constant", "linear", "quadratic"):
                before = [getattr(layer, name)[chip].copy() for layer in writes]
                for old, new in zip(self.layout.blocks, layout.blocks):
                    getattr(writes[new.layer], name)[chip][new.in_layer] = before[old.layer][old.in_layer]
        return writes

    # Program.

    def _program(self, numbers, on_progress):
        if not self.adaptation.map_known and not self._passing.is_on:  # the same targets at the same places on all chips
            floor, held = self.layout.mapping.is_physical, None
            if self._ages:
                writes = self._draws.writes(numbers)
                states = [write_targets(target, layer, floor=floor) for target, layer in zip(self.targets, writes)]
                held = [layer.stuck for layer in writes]
            else:
                states = self._draws.program(list(self.targets), numbers, floor=floor)
            return Programmed(states, list(self.targets.layers), [self.layout] * len(numbers), held)
        met, networks = self._meet(numbers), [self.network] * len(numbers)
        if self.adaptation.retraining is not None and met.damaged:
            self._retrain(networks, met, met.damaged, self._draws.generators(numbers), [], on_progress)
        targets = self._targets_of(networks, met)
        states = self._write(targets, met, numbers)
        return Programmed(states, targets, met.layouts, [layer.stuck for layer in met.writes])

    def _write(self, targets, met, numbers, only=None):
        """(n_chips, n_word_lines, n_bit_lines) conductances of the layers, or of one alone, after programming [S]."""
        chosen = range(len(targets)) if only is None else [only]
        wanted, floor = [targets[layer].conductances for layer in chosen], self.layout.mapping.is_physical
        known = None if met.stuck is None else [met.stuck[layer] for layer in chosen]
        if known is not None and not self.adaptation.compensated:
            wanted = [offset_known(layer, stuck, self.device, self.layout.mapping) for layer, stuck in zip(wanted, known)]
        writes = [met.writes[layer] for layer in chosen]
        if self._passing.is_on:
            return self._passing.program(wanted, writes, numbers, layouts=met.layouts, known=known, floor=floor, only=only)
        return [write_targets(layer, drawn, floor=floor) for layer, drawn in zip(wanted, writes)]

    def _targets_of(self, networks, met):
        """`LayerTargets` of each layer, with a leading axis of chips where chips have targets of their own."""
        own = np.array([network is not self.network for network in networks])
        if self.adaptation.compensated and met.stuck is not None:  # what is stuck shifts the currents of a whole array
            own |= np.any([~np.isnan(layer).all(axis=(1, 2)) for layer in met.stuck], axis=0)
            own |= [layout is not self.layout for layout in met.layouts]  # other places have other wires
        if not np.any(own):
            return list(self.targets.layers)
        chips = [self._own_targets(networks[chip], met, chip) if is_own else self.targets for chip, is_own in enumerate(own)]
        return [_stack(layers) for layers in zip(*(targets.layers for targets in chips))]

    def _own_targets(self, network, met, chip):
        targets = map_weights(network, self.device, layout=met.layouts[chip])
        if not self.adaptation.compensated or met.stuck is None:
            return self._with_compensation(targets)
        stuck = [layer[chip] for layer in met.stuck]
        layers = (replace(layer, conductances=offset_known(layer.conductances, faults, self.device, self.layout.mapping))
                  for layer, faults in zip(targets.layers, stuck))
        return compensate_targets(replace(targets, layers=tuple(layers)), self.device, self.wire_resistance, stuck=stuck)

    def _with_compensation(self, targets):
        if not self.adaptation.compensated:
            return targets
        return compensate_targets(targets, self.device, self.wire_resistance)

    def _retrain(self, networks, met, chosen, rngs, measured, on_progress=None):
        """Replace the networks of some chips by ones trained for them."""
        stuck = [np.full((len(chosen), *shape), np.nan) for shape in self.layout.layer_shapes]
        if met.stuck is not None:
            stuck = [layer[chosen] for layer in met.stuck]
        technique = KnownChips(self.device, self.layout, self.network.shapes, stuck, self._n_later_writes,
                               [layer[chosen] for layer in measured])
        retrained = train_many([networks[chip] for chip in chosen], self.adaptation.training, [technique],
                               rngs=[rngs[chip] for chip in chosen], settings=self.adaptation.retraining,
                               on_progress=on_progress and (lambda done, total: on_progress(done / total)))
        for chip, network in zip(chosen, retrained):
            networks[chip] = network

    def _program_layer_by_layer(self, numbers, on_progress):
        """`Programmed`, and weights of each layer: each is read back before what follows is trained again and programmed."""
        n_chips = len(numbers)
        met, networks, rngs = self._meet(numbers), [self.network] * n_chips, self._draws.generators(numbers)
        states = [np.full((n_chips, *shape), np.nan) for shape in self.layout.layer_shapes]
        measured, written = [], []
        n_layers = len(self.targets)
        for layer in range(n_layers):
            chosen = list(range(n_chips)) if layer else met.damaged
            if chosen:
                part = on_progress and (lambda share, layer=layer: on_progress((layer + share) / n_layers))
                self._retrain(networks, met, chosen, rngs, measured, part)
            targets = self._targets_of(networks, met)
            (states[layer],) = self._write(targets, met, numbers, only=layer)
            matrices = conduct(states, met.layouts, self.wire_resistance, only=layer, ends=self.periphery.resistances)
            measured.append(weights_of(targets[layer], matrices[layer], self.layout.mapping))
            written.append(targets[layer])
        return Programmed(states, written, met.layouts, [writes.stuck for writes in met.writes]), measured

    # Age, conduct and read.

    def _aged(self, programmed, numbers):
        """`Programmed` at the time of use."""
        states, held = programmed.conductances, programmed.held
        aged = age_layers(states, held, self._draws, numbers, self.device, self.operation.after)
        return programmed._replace(conductances=aged)

    def _read(self, programmed):
        matrices = conduct(programmed.conductances, programmed.layouts, self.wire_resistance,
                           ends=self.periphery.resistances)
        return [self._weights_of(layer, matrix) for layer, matrix in zip(programmed.targets, matrices)]

    def _weights_of(self, targets, matrix):
        return weights_of(targets, matrix, self.layout.mapping)


def _stack(layers):
    """One `LayerTargets` for many chips."""
    shape = np.broadcast_shapes(*(layer.scale.shape for layer in layers))
    bias = None if layers[0].digital_bias is None else np.stack([layer.digital_bias for layer in layers])
    return LayerTargets(np.stack([layer.conductances for layer in layers]),
                        np.stack([np.broadcast_to(layer.scale, shape) for layer in layers]), bias)


def _some(programmed, chips):
    """`Programmed` of some of the chips, a slice."""
    targets = [layer if layer.conductances.ndim == 2 else
               LayerTargets(layer.conductances[chips], layer.scale[chips],
                            None if layer.digital_bias is None else layer.digital_bias[chips])
               for layer in programmed.targets]
    held = programmed.held and [layer[chips] for layer in programmed.held]
    return Programmed([state[chips] for state in programmed.conductances], targets, programmed.layouts[chips], held)
