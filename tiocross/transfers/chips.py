"""Simulated chips of one network: drawn, placed, programmed, conducting, read.

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
from tiocross.devices.writes import apply_writes, disturb_notes, draw_line_failures, draw_writes, failed_devices
from tiocross.learning.training import require_matching, train_many
from tiocross.mapping.draws import draw_chips
from tiocross.mapping.faults import offset_known
from tiocross.mapping.placement import place_around
from tiocross.mapping.sensitivity import effects_per_siemens, sensitive_last, weight_effects
from tiocross.mapping.targets import LayerTargets, map_weights, weights_of
from tiocross.transfers.adaptation import REFITS, Adaptation
from tiocross.transfers.compensated import compensate_targets
from tiocross.transfers.conducting import conduct
from tiocross.transfers.known_chips import KnownChips

CHIPS_PER_BLOCK = 500  # drawn from one stream, so that chip 17 does not depend on how many follow it


class Programmed(NamedTuple):
    """Chips after programming, with a leading axis of chips: conductances of each layer [S], the `LayerTargets` that they
    were written for, and a layout for each chip."""

    conductances: list
    targets: list
    layouts: list


class _Met(NamedTuple):
    """A block's chips before programming: a layout for each, those that known faults damage, the known stuck devices of
    each layer (or None), and what writes will leave behind in each layer."""

    layouts: list
    damaged: list
    stuck: list | None
    writes: list


class Chips:
    """Programmed chips of one network, made block by block, always the same for the same seed.

    ``targets`` are what is programmed where nothing is known of a chip; ``entropy`` is the seed.
    """

    def __init__(self, network, device, *, layout=None, wire_resistance=0.0, adaptation=Adaptation(), rng):
        require_device(device)
        require_generator(rng)
        if not isinstance(adaptation, Adaptation):
            raise TypeError(f"adaptation must be Adaptation(...); got {adaptation!r}")
        self.network, self.device, self.adaptation = network, device, adaptation
        self._mapped = map_weights(network, device, layout=layout)
        self.layout = self._mapped.layout
        adaptation.require_possible(self.layout)
        self._effects, self._n_later_writes, self._kept = None, self.layout.n_later_writes, None
        if adaptation.training is not None:
            require_matching(network, adaptation.training)
            if adaptation.map_known or adaptation.sensitive_last:
                self._effects = weight_effects(network, adaptation.training.points)
        if adaptation.sensitive_last:
            self._n_later_writes = self.layout.later_writes(sensitive_last(self._effects, self._mapped))
        self._set_wires(wire_resistance)
        self.entropy = int(rng.integers(2**63))

    def with_wires(self, wire_resistance):
        """The same chips with other wires; what is programmed is kept and shared, unless it depends on the wires."""
        if self._kept is None and not (self.adaptation.compensated or self.adaptation.layer_by_layer):
            self._kept = {}
        other = copy(self)
        other._set_wires(wire_resistance)
        return other

    def _set_wires(self, wire_resistance):
        self.wire_resistance = as_number("wire_resistance", wire_resistance, low=0.0, unit="ohm")
        if self.wire_resistance > 0 and not self.layout.mapping.is_physical:
            raise ValueError(f"wires join conductances, which {type(self.layout.mapping).__name__} does not give; use "
                             f"wire_resistance=0 or DifferentialPairs(); got {wire_resistance:g} ohm")
        self.targets = self._with_compensation(self._mapped)

    @property
    def notes(self):
        """What of the device's model is stretched beyond what was measured, in sentences."""
        return disturb_notes(self.device, max(int(later.max()) for later in self._n_later_writes))

    def block(self, block, n_chips=CHIPS_PER_BLOCK, *, on_progress=None):
        """Weights of the first chips of a block as read, ``(n_chips, n_inputs + 1, n_outputs)`` a layer, bias last.

        ``on_progress(share)`` hears of long work for single chips; raise from it to stop."""
        if self.adaptation.layer_by_layer:
            weights = self._program_layer_by_layer(block, n_chips, on_progress)
        else:
            weights = self._read(self.programmed(block, n_chips, on_progress), n_chips)
        if self.adaptation.refit is None:
            return weights
        refit = REFITS[self.adaptation.refit]
        return [*weights[:-1], refit(self.network, weights, self.adaptation.training, ridge=self.adaptation.ridge)]

    def programmed(self, block, n_chips=CHIPS_PER_BLOCK, on_progress=None):
        """The first chips, or more, of one block after programming."""
        if self._kept is None:
            return self._program(block, n_chips, on_progress)
        if block not in self._kept or len(self._kept[block].layouts) < n_chips:
            self._kept[block] = self._program(block, n_chips, on_progress)
        return self._kept[block]

    # Draw.

    def _draw(self, device, block, n_chips):
        streams = [chip_stream(self.entropy, (layer, block)) for layer in range(len(self.targets))]
        drawn = draw_chips(device, self.layout, self._n_later_writes, CHIPS_PER_BLOCK, streams)
        return drawn._replace(writes=[writes[:n_chips] for writes in drawn.writes])

    def faults(self, block):
        """Stuck devices and failed lines of one block's chips, spare devices included: ``(CHIPS_PER_BLOCK, n_word_lines,
        n_bit_lines)`` for each of the layout's arrays, NaN where healthy [S]."""
        drawn = self._draw(self.device.only("stuck", "lines"), block, CHIPS_PER_BLOCK)
        used_ones = self.layout.place([np.where(writes.stuck, writes.constant, np.nan) for writes in drawn.writes])
        arrays = []
        for index, (used, values) in enumerate(zip(self.layout.used, used_ones)):
            stream = chip_stream(self.entropy, (len(self.targets) + index, block))
            spare = draw_writes(self.device.only("stuck"), np.zeros(used.shape, dtype=np.int64), CHIPS_PER_BLOCK, stream)
            whole = np.where(used, values, np.where(spare.stuck, spare.constant, np.nan))
            if self.device.lines is not None:
                lines = draw_line_failures(self.device.lines, used.shape, CHIPS_PER_BLOCK, stream)
                for line, axis, known in zip(lines, (1, 0), drawn.failures[index]):
                    line[:, used.any(axis=axis)] = known
                failed = failed_devices(*lines)
                whole = np.where(np.isnan(failed), whole, failed)
            arrays.append(whole)
        return arrays

    # Place.

    def _meet(self, block, n_chips):
        if not self.adaptation.map_known:
            return _Met([self.layout] * n_chips, [], None, self._draw(self.device, block, n_chips).writes)
        faults = [array[:n_chips] for array in self.faults(block)]
        layouts, damaged = self._place(faults)
        at = {array: index for index, array in enumerate(self.layout.arrays)}
        stuck = [layout.collect([faults[at[array]][chip] for array in layout.arrays]) for chip, layout in enumerate(layouts)]
        stuck = [np.stack(layer) for layer in zip(*stuck)]
        writes = self._draw(self.device.without("stuck", "lines"), block, n_chips).writes
        for layer, held in zip(self._carried(writes, layouts), stuck):
            layer.fix_devices(held)
        return _Met(layouts, damaged, stuck, writes)

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

    def _program(self, block, n_chips, on_progress):
        met, networks = self._meet(block, n_chips), [self.network] * n_chips
        if self.adaptation.retraining is not None and met.damaged:
            self._retrain(networks, met, met.damaged, self._generators(block, n_chips), [], on_progress)
        targets = self._targets_of(networks, met)
        return Programmed([self._write(layer, met, k) for k, layer in enumerate(targets)], targets, met.layouts)

    def _write(self, targets, met, layer):
        """(n_chips, n_word_lines, n_bit_lines) conductances of one layer after programming [S]."""
        wanted = targets.conductances
        if met.stuck is not None and not self.adaptation.compensated:
            wanted = offset_known(wanted, met.stuck[layer], self.device, self.layout.mapping)
        return apply_writes(wanted, met.writes[layer], floor=self.layout.mapping.is_physical)

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

    def _program_layer_by_layer(self, block, n_chips, on_progress):
        """Weights of each layer: each is read back before what follows is trained again and programmed."""
        met, networks, rngs = self._meet(block, n_chips), [self.network] * n_chips, self._generators(block, n_chips)
        states = [np.full((n_chips, *shape), np.nan) for shape in self.layout.layer_shapes]
        measured = []
        n_layers = len(self.targets)
        for layer in range(n_layers):
            chosen = list(range(n_chips)) if layer else met.damaged
            if chosen:
                part = on_progress and (lambda share, layer=layer: on_progress((layer + share) / n_layers))
                self._retrain(networks, met, chosen, rngs, measured, part)
            targets = self._targets_of(networks, met)[layer]
            states[layer] = self._write(targets, met, layer)
            matrices = conduct(states, met.layouts, self.wire_resistance, only=layer)
            measured.append(weights_of(targets, matrices[layer], self.layout.mapping))
        return measured

    def _generators(self, block, n_chips):
        number = len(self.targets) + len(self.layout.arrays)  # the first that no draw of writes has
        return [np.random.default_rng(np.random.SeedSequence(self.entropy, spawn_key=(number, block, chip)))
                for chip in range(n_chips)]

    # Conduct and read.

    def _read(self, programmed, n_chips):
        states = [state[:n_chips] for state in programmed.conductances]
        matrices = conduct(states, programmed.layouts[:n_chips], self.wire_resistance)
        return [weights_of(_first(layer, n_chips), matrix, self.layout.mapping)
                for layer, matrix in zip(programmed.targets, matrices)]


def chip_stream(entropy, key):
    """Generator of what a write leaves behind on the chips of one block, the same for all kinds of chips with the seed
    ``entropy``; ``key`` holds the number of the layer, or what else is drawn, and of the block."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy, spawn_key=key)))


def _stack(layers):
    """One `LayerTargets` for many chips."""
    shape = np.broadcast_shapes(*(layer.scale.shape for layer in layers))
    bias = None if layers[0].digital_bias is None else np.stack([layer.digital_bias for layer in layers])
    return LayerTargets(np.stack([layer.conductances for layer in layers]),
                        np.stack([np.broadcast_to(layer.scale, shape) for layer in layers]), bias)


def _first(layer, n_chips):
    """`LayerTargets` of the first chips, where chips have their own."""
    if layer.conductances.ndim == 2:
        return layer
    bias = None if layer.digital_bias is None else layer.digital_bias[:n_chips]
    return LayerTargets(layer.conductances[:n_chips], layer.scale[:n_chips], bias)
