"""How the currents of a crossbar answer to a change of each device, by one more solution of the same circuit."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import LARGEST_CONDUCTANCE
from tiocross.circuit.adjoint import find_device_voltages
from tiocross.circuit.biasing import Biasing, as_biasing
from tiocross.circuit.crossbar import Crossbar, require_crossbar, spread_segments
from tiocross.circuit.series import currents_by_conductance
from tiocross.circuit.solver import arrange_batch
from tiocross.circuit.solvers.checks import as_values_of_lines, require_rtol


def sensitivities(crossbar: Crossbar, inputs: ArrayLike | Biasing, weights: ArrayLike, *, rtol: float = 1e-9) -> np.ndarray:
    """Gradient of a weighted sum of bit-line currents with respect to all conductances.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit, or many of one shape.
    inputs : (..., n_word_lines) array_like, or Biasing
        As for `solve` [V].
    weights : (..., n_bit_lines) array_like
        Of the bit-line currents in the sum, such as the derivatives of a loss by the currents; leading axes broadcast
        against those of the inputs and of the conductances (unitless).
    rtol : float, optional
        As for `solve`, for each of the two solutions (unitless).

    Returns
    -------
    (..., n_word_lines, n_bit_lines) ndarray
        d(sum_j weights_j I_j) / dG, I_j the current out of bit line j's bottom end; 0 A where that end floats [A/S].

    Raises
    ------
    ValueError
        As `solve`, and if the weights do not fit.
    ConvergenceError
        If a circuit is not solved to ``rtol``.

    Notes
    -----
    A change dG of a device draws the current dG dI/dG more from its word line into its bit line; I(G, u) is its law, with
    what lies in series with it, and u the voltage across both. By reciprocity the share of that current which leaves
    through the bottom ends, weighted, is the voltage a across the same device when the bottom ends are held at -weights
    instead, all other connected ends at 0 V and every device replaced by its slope dI/du. So the gradient is a dI/dG, and
    a u for Ohm's law. That of an open device is that of closing it.

    The voltages of nodes that are joined to the connected ends only through a large resistance R, such as lines that float
    behind nearly open devices, are known to rtol times the gross current times R.

    Examples
    --------
    >>> from tiocross import Crossbar, sensitivities
    >>> from tiocross.units import ohm
    >>> crossbar = Crossbar([[1.2e-4, 3e-4], [4.5e-4, 1e-4], [2.5e-4, 2e-4]], wire_resistance=25 * ohm)
    >>> gradient = sensitivities(crossbar, [0.2, 0.1, 0.2], [1.0, 0.0])  # of the current of bit line 0
    >>> gradient.round(3).tolist()  # with ideal wires: the voltages in column 0, zero in column 1 [A/S]
    [[0.185, -0.001], [0.09, -0.001], [0.19, -0.001]]
    """
    require_crossbar(crossbar)
    if inputs is None:
        raise TypeError("inputs must be voltages of the word lines or a Biasing; got None")
    biasing = as_biasing(crossbar, inputs)
    weights = _as_weights(crossbar, biasing, weights)
    require_rtol(rtol)
    batch = np.broadcast_shapes(arrange_batch(crossbar, biasing)[0], weights.shape[:-1])
    if 0 in batch:
        return np.zeros((*batch, crossbar.n_word_lines, crossbar.n_bit_lines))
    pairs = crossbar.equivalent  # of the devices and what lies in series with them
    voltages = np.nan_to_num(find_device_voltages(pairs, biasing, rtol))  # no device beside an undetermined line matters
    tangent = pairs if pairs.iv is None else _tangent(pairs, voltages)
    adjoints = find_device_voltages(tangent, _adjoint(crossbar, biasing, weights), rtol)
    return currents_by_conductance(crossbar, voltages) * np.nan_to_num(adjoints)


def _as_weights(crossbar, biasing, weights):
    weights = as_values_of_lines("weights", weights, crossbar.n_bit_lines, "bit line")
    batch, _ = arrange_batch(crossbar, biasing)
    try:
        np.broadcast_shapes(batch, weights.shape[:-1])
    except ValueError:
        raise ValueError(f"leading axes of the weights {weights.shape} do not broadcast against those of the conductances "
                         f"and the inputs, together {batch}") from None
    return weights


def _adjoint(crossbar, biasing, weights):
    """The same ends connected, the bottom ends at -weights and the others at 0 V."""
    left, right, top, bottom = (_floating(end) for end in (biasing.left, biasing.right, biasing.top, biasing.bottom))
    # All the current of a bit line without any resistance counts as leaving at the bottom, so that end alone is held.
    top = top | ~(spread_segments(crossbar)[1].any(axis=0) | (crossbar.sense_resistance > 0)) & ~bottom
    return Biasing(*(np.where(end, np.nan, 0.0) for end in (left, right, top)), np.where(bottom, np.nan, -weights))


def _floating(voltages):
    """Where an end floats; without the axes of the batch if it is the same throughout."""
    floating = np.isnan(voltages)
    first = floating.reshape(-1, floating.shape[-1])[0]
    return first if (floating == first).all() else floating


def _tangent(crossbar, voltages):
    """The crossbar of ohmic devices with the slopes at these device voltages, which may lie in the batch's axes.

    Conductances c G and resistances r / c give the same voltages: c keeps steep slopes within what a Crossbar takes.
    """
    slopes = crossbar.iv.slopes(crossbar.conductances, voltages)
    excess = np.log2(slopes.max(initial=LARGEST_CONDUCTANCE) / LARGEST_CONDUCTANCE)
    c = 2.0 ** -np.ceil(excess)  # a power of two: nothing is rounded
    names = ("word_line_resistance", "bit_line_resistance", "source_resistance", "sense_resistance")
    return replace(crossbar, conductances=c * slopes, iv=None, **{name: getattr(crossbar, name) / c for name in names})
