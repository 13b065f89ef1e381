"""Simulated chips of one network: what a write leaves behind, and what the arrays compute with it.

Each chip is a matrix per layer, because its devices are linear: with wires it is the transfer matrix of the solved
circuit, so that the wires cost a few solutions per chip and nothing per test point.
"""

from copy import copy

import numpy as np

from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.matrices import transfer_matrix
from tiocross.devices.writes import apply_writes, draw_writes
from tiocross.transfers.compensated import compensate_targets
from tiocross.mapping.pairs import blocks_of_arrays, map_weights

CHIPS_PER_BLOCK = 500  # drawn from one stream, so that chip 17 does not depend on how many follow it


class SimulatedChips:
    """Programmed chips of one network, made block by block, always the same for the same seed.

    Parameters
    ----------
    network : MLP
        The trained network (unitless).
    device : Device
        What programming leaves behind (unitless).
    wire_resistance : float, optional
        Of one wire segment [ohm].
    rng : numpy.random.Generator
        One number of it seeds all chips (unitless).
    mapping : str, optional
        "pairs" or, without wires, "signed" (unitless).
    compensated : bool, optional
        Whether targets make up for the wires, see `compensate_targets` (unitless).

    Attributes
    ----------
    targets : Targets
        What is programmed [S].
    entropy : int
        The seed (unitless).
    """

    def __init__(self, network, device, *, wire_resistance=0.0, rng, mapping="pairs", compensated=False):
        if mapping == "signed" and wire_resistance > 0:
            raise ValueError("signed coordinates are not conductances and cannot be solved with wires; use "
                             f"mapping='pairs' or wire_resistance=0; got {wire_resistance:g} ohm")
        self.device = device
        self.compensated = compensated
        self.entropy = int(rng.integers(2**63))
        self._mapped = map_weights(network, device, mapping=mapping)
        self._programmed = None
        self._set_wires(wire_resistance)

    def with_wires(self, wire_resistance):
        """The same chips with other wires; what is programmed is kept and shared from now on, unless it is compensated:
        then it depends on the wires, and only what chance does to it is the same.

        Parameters
        ----------
        wire_resistance : float
            Of one wire segment [ohm].

        Returns
        -------
        SimulatedChips
            Chips with the same conductances, or the same draws.
        """
        if self._programmed is None and not self.compensated:
            self._programmed = {}
        other = copy(self)
        other._set_wires(wire_resistance)
        return other

    def conductances(self, block):
        """What a write leaves behind on the chips of one block: a list of ``(CHIPS_PER_BLOCK, n_word_lines,
        n_bit_lines)`` arrays, one a layer [S]."""
        if self._programmed is not None and block in self._programmed:
            return self._programmed[block]
        states = [self._program(layer, index, block) for index, layer in enumerate(self.targets.layers)]
        if self._programmed is not None:
            self._programmed[block] = states
        return states

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
        programmed = [state[:n_chips] for state in self.conductances(block)]
        if self.wire_resistance > 0:
            programmed = [self._with_wires(state) for state in programmed]
        return self.targets.weights(programmed)

    def _set_wires(self, wire_resistance):
        self.wire_resistance = wire_resistance
        self.targets = self._mapped
        if self.compensated:
            self.targets = compensate_targets(self._mapped, self.device, wire_resistance)

    def _with_wires(self, state):
        """Transfer matrices of one layer, each of its arrays solved with its own wires [S]."""
        matrix = np.empty_like(state)
        for lines in blocks_of_arrays(state.shape[1:], self.device.array_shape):
            block = (slice(None), *lines)
            matrix[block] = transfer_matrix(Crossbar(state[block], self.wire_resistance))
        return matrix

    def _program(self, layer, index, block):
        writes = draw_writes(self.device, layer.n_later_writes, CHIPS_PER_BLOCK, chip_stream(self.entropy, (index, block)))
        return apply_writes(layer.conductances, writes, floor=self.targets.mapping == "pairs")


def chip_stream(entropy, key):
    """Generator of what a write leaves behind on the chips of one block, the same for all kinds of chips with the seed
    ``entropy``; ``key`` holds the number of the layer, or what else is drawn, and of the block (unitless)."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy, spawn_key=key)))
