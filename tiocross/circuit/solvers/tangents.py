"""Tangents of the devices of one array: by the kernel for the laws that it knows, else by NumPy."""

import numpy as np

from tiocross.circuit.solvers.tangents_kernel import CODES, take_tangents


class Tangents:
    """Takes tangents of devices with conductances at 0 V (M, N) [S], one law, and a parameter of it for each or for all."""

    def __init__(self, array, law):
        self.array, self.law = array, law
        self._parameters = None
        if law.code in CODES:
            self._parameters = np.stack([np.broadcast_to(values, array.shape) for values in law.parameters])

    def take(self, nodes, slope, injected, new_slope, new_injected):
        """Fill the next tangents from the node voltages (2, M, W): see `tangents_kernel`. Returns the sum and the largest of
        what the last ones got wrong [A]."""
        if self._parameters is not None:
            return take_tangents(self.law.code, self.array, self._parameters, nodes, slope, injected, new_slope,
                                 new_injected)
        n_bit = self.array.shape[1]
        u = nodes[1, :, :n_bit] - nodes[0, :, :n_bit]
        assumed = slope * u - injected
        with np.errstate(over="ignore", invalid="ignore"):  # a law may overflow; then it is not solved
            currents, new_slope[:] = self.law.follow(self.array, u)
            wrong = np.abs(currents - assumed)
            beyond = (np.abs(currents) > 2.0 * np.abs(assumed)) & (assumed * u > 0.0)
            if beyond.any():
                u[beyond], currents[beyond] = self._limit(beyond, assumed[beyond], new_slope)
            new_injected[:] = new_slope * u - currents
        return float(wrong.sum()), float(wrong.max())

    def _limit(self, beyond, currents, new_slope):
        """Voltages at which some devices carry these currents, and the currents; their slopes are filled in."""
        law = self.law.spread(lambda values: values[beyond] if values.ndim else values)
        array = self.array[beyond]
        voltages = law.voltages(array, currents)
        new_slope[beyond] = law.slopes(array, voltages)
        return voltages, currents
