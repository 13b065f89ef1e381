"""Training with the wires: each simulated chip computes with the transfer matrices of its solved arrays."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tiocross.circuit.adjoint import matrices_with_pullback
from tiocross.checks import as_number
from tiocross.learning.tensor import Tensor
from tiocross.mapping.pairs import blocks_of_arrays


@dataclass(frozen=True)
class WiresInLoop:
    """Train with IR drop: what is programmed goes through the wires of its array before it is a weight.

    It takes what another technique programs, so one of `NoiseInjection` and `ConductanceDropout` must be there too, on
    "pairs". Its arrays are those of their device, and wired as those of `transfer`.

    Parameters
    ----------
    wire_resistance : float
        Of one wire segment [ohm].
    """

    wire_resistance: float

    def __post_init__(self):
        as_number("wire_resistance", self.wire_resistance, low=0.0, unit="ohm")

    def conduct(self, programmed, shapes, array_shape):
        """Transfer matrices of chips in the place of their conductances, differentiable.

        Parameters
        ----------
        programmed : (..., n_weights, 2) Tensor
            Conductances of the pairs, all layers one below the other [S].
        shapes : list of tuple of int
            (n_inputs + 1, n_outputs) of each layer (unitless).
        array_shape : tuple of int or None
            Of the physical arrays; None for one array a layer (unitless).

        Returns
        -------
        (..., n_weights, 2) Tensor
            Entries of the transfer matrices at the places of the devices [S].

        Notes
        -----
        dT_ij/dG_kl = u_kl(i) a_kl(j), with u the device voltages when 1 V drives word line i alone and a those when -1 V
        drives the bottom end of bit line j alone. The circuit is linear, so a gradient W by T gives the gradient
        sum_i u_kl(i) b_kl(i) by G, where b are the device voltages when -W_ij V drives the bottom ends of all bit lines j at
        once. With fewer bit lines than word lines the roles change; so the lines of the shorter side count, twice.
        """
        if self.wire_resistance == 0:
            return programmed
        flat = programmed.value.reshape(-1, 2 * sum(rows * columns for rows, columns in shapes))
        matrices, solved = np.empty_like(flat), []
        for places in _places_of_arrays(tuple(shapes), array_shape):
            found, pull_back = matrices_with_pullback(flat[:, places].reshape(-1, *places.shape[1:]), self.wire_resistance)
            matrices[:, places] = found.reshape(-1, *places.shape)
            solved.append((places, pull_back))

        def pull(g):
            g, gradient = g.reshape(flat.shape), np.empty_like(flat)
            for places, pull_back in solved:
                part = pull_back(g[:, places].reshape(-1, *places.shape[1:]))
                gradient[:, places] = part.reshape(-1, *places.shape)
            return (gradient.reshape(programmed.shape),)

        return Tensor(matrices.reshape(programmed.shape), (programmed,), pull)


@lru_cache(maxsize=64)
def _places_of_arrays(shapes, array_shape):
    """Places of the devices of each physical array among those of a network, one (n_arrays, n_word_lines, n_bit_lines)
    index for each shape that the arrays have."""
    groups, start = {}, 0
    for rows, columns in shapes:
        layer = rows, 2 * columns
        numbers = start + np.arange(rows * 2 * columns).reshape(layer)
        for block in blocks_of_arrays(layer, array_shape):
            groups.setdefault(numbers[block].shape, []).append(numbers[block])
        start += numbers.size
    return [np.stack(places) for places in groups.values()]
