"""Simulated chips whose stuck devices are known, or that are read back: what knowing the chip is worth.

Stuck devices are drawn at places of the physical arrays, spare lines included; only then are weights placed. A layer's
block starts at the lines next to sources and sense amplifiers, its spare lines lie beyond. Chips that nothing is known of
are those of `SimulatedChips` with the same seed; the others meet the same stuck devices, tuning errors and disturb.
"""

from dataclasses import replace

import numpy as np

from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.matrices import transfer_matrix
from tiocross.devices.device import require_device
from tiocross.devices.writes import Writes, apply_writes, draw_writes
from tiocross.checks import as_count, as_number, require_generator
from tiocross.transfers.adaptation import REFITS, Adaptation
from tiocross.transfers.chips import CHIPS_PER_BLOCK, chip_stream
from tiocross.transfers.known_chips import KnownChips, keep_stuck, offset_pairs, rank_within_arrays
from tiocross.transfers.judging import judge_chips
from tiocross.learning.training import require_matching, train_many
from tiocross.mapping.placement import place_around
from tiocross.mapping.pairs import largest_magnitudes, map_weights, pair_differences
from tiocross.mapping.sensitivity import weight_effects
from tiocross.mapping.layout import Layout, arrange

def adapted_transfer(network, dataset, *, training, adaptation, device, wire_resistance=0.0, n_transfers=2_000, rng,
                     workers=1):
    """`transfer` to chips that each get weights of their own.

    Parameters
    ----------
    network : MLP
        The trained network (unitless).
    dataset : Dataset
        Test points; nothing of them reaches the weights (unitless).
    training : Dataset
        Training points, for sensitivities, retraining and refits (unitless).
    adaptation : Adaptation
        What is known of a chip and done with it (unitless).
    device : Device
        What programming leaves behind, with an ``array_shape``; without failing lines (unitless).
    wire_resistance : float, optional
        Of one wire segment [ohm].
    n_transfers : int, optional
        Number of chips (unitless).
    rng : numpy.random.Generator
        Seeds the chips, as in `transfer` (unitless).
    workers : int, optional
        Threads; the outcome does not depend on it (unitless).

    Returns
    -------
    Transfer
        Which chip is right at which point.

    Raises
    ------
    ValueError
        If a dataset does not fit the network, or the device states no array or has failing lines.
    """
    as_count("n_transfers", n_transfers)
    as_count("workers", workers)
    require_matching(network, dataset)
    chips = AdaptedChips(network, training, device, adaptation, wire_resistance=wire_resistance, rng=rng)
    return judge_chips(network, dataset, chips, n_transfers=n_transfers, workers=workers)


class AdaptedChips:
    """Programmed chips, each with weights of its own, made block by block, always the same for the same seed.

    Parameters
    ----------
    network : MLP
        The trained network (unitless).
    training : Dataset
        Training points (unitless).
    device : Device
        What programming leaves behind (unitless).
    adaptation : Adaptation
        What is known of a chip and done with it (unitless).
    wire_resistance : float, optional
        Of one wire segment [ohm].
    rng : numpy.random.Generator
        One number of it seeds all chips (unitless).

    Attributes
    ----------
    targets : Targets
        What is programmed where nothing is known [S].
    entropy : int
        The seed (unitless).
    """

    def __init__(self, network, training, device, adaptation, *, wire_resistance=0.0, rng):
        require_device(device)
        require_matching(network, training)
        require_generator(rng)
        if not isinstance(adaptation, Adaptation):
            raise TypeError(f"adaptation must be Adaptation(...); got {adaptation!r}")
        if device.array_shape is None:
            raise ValueError("chips that are adapted need physical arrays, to tell which lines are spare; use "
                             "dataclasses.replace(device, array_shape=(8, 8))")
        if device.lines is not None:
            raise ValueError("adapted chips know single stuck devices only; use device.without('lines')")
        self.wire_resistance = as_number("wire_resistance", wire_resistance, low=0.0, unit="ohm")
        self.targets = map_weights(network, device)
        self.entropy = int(rng.integers(2**63))
        self._network, self._training, self._device, self._adaptation = network, training, device, adaptation
        self._shapes = [array.shape for array in self.targets]
        tiles = arrange(self._shapes, device.array_shape).tiles
        tiles = [replace(tile, word_lines=tile.word_lines + tile.shape[0] - len(tile.rows)) for tile in tiles]
        self._home = Layout(tuple(tiles), self._shapes)  # currents are sensed behind the last word line
        self._effects = weight_effects(network, training.points)
        self._later = [layer.n_later_writes for layer in self.targets.layers]
        if adaptation.sensitive_last:
            per_siemens = [np.repeat(effects / layer.scale, 2, axis=1)
                           for effects, layer in zip(self._effects, self.targets.layers)]
            self._later = rank_within_arrays(per_siemens, self._home)

    def stuck_arrays(self, block):
        """Stuck devices of one block's chips on the physical arrays.

        Parameters
        ----------
        block : int
            Number of the block (unitless).

        Returns
        -------
        list of (CHIPS_PER_BLOCK, n_rows, n_columns) ndarray
            Conductances of stuck devices, NaN where healthy, one array a tile [S].
        """
        only_stuck = self._device.without("tuning", "disturb")
        home = self._home.place([_stuck_of(self._draw(only_stuck, layer, self._later[layer], block))
                                 for layer in range(len(self._shapes))])
        arrays = []
        for index, (tile, values) in enumerate(zip(self._home.tiles, home)):
            whole = self._draw(only_stuck, len(self._shapes) + index, np.zeros(tile.shape, dtype=np.int64), block)
            arrays.append(np.where(tile.used, values, _stuck_of(whole)))
        return arrays

    def block(self, block, n_chips=CHIPS_PER_BLOCK):
        """Weights that the first chips of one block compute with, wires included.

        Parameters
        ----------
        block : int
            Number of the block (unitless).
        n_chips : int, optional
            How many of its chips (unitless).

        Returns
        -------
        list of (n_chips, n_inputs + 1, n_outputs) ndarray
            One array a layer, bias last (unitless).
        """
        arrays = [array[:n_chips] for array in self.stuck_arrays(block)]
        layouts, damaged = self._layouts(arrays)
        stuck = [np.stack(layer) for layer in zip(*(layout.collect([arrays[tile.array][chip] for tile in layout.tiles])
                                                    for chip, layout in enumerate(layouts)))]
        writes = self._writes(block, layouts, stuck)
        known = stuck if self._adaptation.map_known else [np.full(layer.shape, np.nan) for layer in stuck]
        networks, rngs = [self._network] * n_chips, self._generators(block, n_chips)
        measured = []
        for layer in range(len(self._shapes)):
            chosen = damaged if layer == 0 else np.arange(n_chips) if self._adaptation.layer_by_layer else []
            if self._adaptation.retraining is not None and len(chosen):
                self._retrain(networks, rngs, chosen, known, measured)
            weights = np.stack([network.arrays[layer] for network in networks])
            measured.append(self._program(weights, known[layer], writes[layer], layouts, layer))
        if self._adaptation.refit is None:
            return measured
        refitted = REFITS[self._adaptation.refit](self._network, measured, self._training, ridge=self._adaptation.ridge)
        return [*measured[:-1], refitted]

    def _retrain(self, networks, rngs, chosen, known, measured):
        """Replace the networks of some chips by ones trained for them."""
        technique = KnownChips(self._device, [layer[chosen] for layer in known], self._later, [w[chosen] for w in measured])
        retrained = train_many([networks[chip] for chip in chosen], self._training, [technique],
                               rngs=[rngs[chip] for chip in chosen], settings=self._adaptation.retraining)
        for chip, network in zip(chosen, retrained):
            networks[chip] = network

    def _layouts(self, arrays):
        """A layout for each chip, and which chips keep damage; only those with a stuck device in use need a layout."""
        layouts, damaged = [self._home] * len(arrays[0]), []
        if self._adaptation.map_known:
            hit = sum((~np.isnan(array) & tile.used).any(axis=(1, 2)) for array, tile in zip(arrays, self._home.tiles))
            for chip in np.flatnonzero(hit):
                placed = place_around(self.targets, self._device, [array[chip] for array in arrays], layout=self._home,
                                      sensitivities=self._effects, lines=self._adaptation.spare_lines)
                layouts[chip] = placed.layout
                if placed.damage_after > 0:
                    damaged.append(chip)
        return layouts, damaged

    def _writes(self, block, layouts, stuck):
        """What a write leaves behind in each layer of each chip; a draw belongs to a turn of an array's programming."""
        healthy = self._device.without("stuck")
        drawn = [self._draw(healthy, layer, later, block) for layer, later in enumerate(self._later)]
        parts = {}
        for name in ("constant", "linear", "quadratic"):
            layers = [getattr(writes, name)[: len(layouts)] for writes in drawn]
            for chip, layout in enumerate(layouts):
                if layout is not self._home:
                    _carry([layer[chip] for layer in layers], self._home, layout)
            parts[name] = layers
        return [keep_stuck(Writes(*values, stuck=None), faults) for *values, faults in zip(*parts.values(), stuck)]

    def _program(self, weights, known, writes, layouts, layer):
        """What one layer of each chip computes with (unitless)."""
        scale = (self._device.g_max - self._device.g_min) / largest_magnitudes(weights, "pairs")
        programmed = apply_writes(offset_pairs(weights, scale, known, self._device), writes)
        if self.wire_resistance > 0:
            programmed = self._with_wires(programmed, layouts, layer)
        return pair_differences(programmed) / scale

    def _with_wires(self, programmed, layouts, layer):
        """Transfer matrix of one layer of each chip; lines that are not in use carry no current [S]."""
        matrices = np.empty_like(programmed)
        for tiles in zip(*(layout.tiles for layout in layouts)):
            if tiles[0].layer != layer:
                continue
            arrays = np.zeros((len(tiles), *tiles[0].shape))
            for chip, tile in enumerate(tiles):
                arrays[chip][np.ix_(tile.word_lines, tile.bit_lines)] = programmed[chip][np.ix_(tile.rows, tile.columns)]
            solved = transfer_matrix(Crossbar(arrays, self.wire_resistance))
            for chip, tile in enumerate(tiles):
                matrices[chip][np.ix_(tile.rows, tile.columns)] = solved[chip][np.ix_(tile.word_lines, tile.bit_lines)]
        return matrices

    def _draw(self, device, number, later, block):
        return draw_writes(device, later, CHIPS_PER_BLOCK, chip_stream(self.entropy, (number, block)))

    def _generators(self, block, n_chips):
        number = len(self._shapes) + len(self._home.tiles)  # the first that no draw of writes has
        return [np.random.default_rng(np.random.SeedSequence(self.entropy, spawn_key=(number, block, chip)))
                for chip in range(n_chips)]


def _stuck_of(writes):
    return np.where(writes.stuck, writes.constant, np.nan)


def _carry(layers, home, layout):
    """Values of a chip's devices, in place: each takes what the device at its place had at home."""
    before = [layer.copy() for layer in layers]
    for old, new in zip(home.tiles, layout.tiles):
        layers[new.layer][np.ix_(new.rows, new.columns)] = before[old.layer][np.ix_(old.rows, old.columns)]
