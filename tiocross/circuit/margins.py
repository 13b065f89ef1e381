"""What a read can tell apart, and how well devices are known from noisy reads."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import LARGEST_CONDUCTANCE, as_finite, as_number, require_name
from tiocross.circuit.biasing import READ_SCHEMES, read_device
from tiocross.circuit.crossbar import Crossbar, require_crossbar
from tiocross.circuit.laws import spread_law
from tiocross.circuit.sensitivity import sensitivities
from tiocross.circuit.solver import solve

_MOST_DEVICES = 1024  # of `read_errors`: the derivatives are a matrix of that size squared


def read_margin(crossbar: Crossbar, word_line: ArrayLike, bit_line: ArrayLike, voltage: ArrayLike, *, low: float,
                high: float, unselected: str = "floating", rtol: float = 1e-9) -> np.ndarray:
    """Share of the current of a read that tells a device at ``high`` from one at ``low``, all others as they are.

    Parameters
    ----------
    crossbar : Crossbar
        The array; what the selected device has there does not matter.
    word_line, bit_line : int or int array_like
        The selected device, or those of many reads; they and the voltages broadcast against each other (unitless).
    voltage : float or array_like
        Of the selected word line [V].
    low, high : float
        The two conductances [S].
    unselected : str, optional
        What the other lines do, as for `read_device`.
    rtol : float, optional
        As for `solve` (unitless).

    Returns
    -------
    (...) ndarray
        1 - I(low) / I(high), of the currents of the selected bit line; 0 where the read tells nothing (unitless).

    Raises
    ------
    ValueError
        If ``low`` is not below ``high``, or a line or voltage is none.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import Crossbar, read_margin
    >>> from tiocross.units import ohm, uS, V
    >>> crossbar = Crossbar(np.full((8, 6), 500 * uS), wire_resistance=2 * ohm)
    >>> [float(read_margin(crossbar, 0, 5, 0.2 * V, low=100 * uS, high=500 * uS, unselected=lines).round(2))
    ...  for lines in ("floating", "grounded")]  # 0.8 without sneak paths and wires
    [0.21, 0.8]
    """
    require_crossbar(crossbar)
    low = as_number("low", low, low=0.0, high=LARGEST_CONDUCTANCE, unit="S")
    high = as_number("high", high, low=0.0, high=LARGEST_CONDUCTANCE, unit="S")
    if not low < high:
        raise ValueError(f"low must be below high; got {low:g} and {high:g} S")
    if crossbar.conductances.ndim != 2:
        raise ValueError(f"crossbar must be one array; got conductances of shape {crossbar.conductances.shape}")
    biasing = read_device(crossbar, word_line, bit_line, voltage, unselected=unselected)
    words, bits = (np.broadcast_to(lines, biasing.batch) for lines in biasing.selected)
    currents = []
    for value in (low, high):
        conductances = np.broadcast_to(crossbar.conductances, (*biasing.batch, *crossbar.conductances.shape)).copy()
        conductances[(*np.indices(biasing.batch, sparse=True), words, bits)] = value
        each = replace(crossbar, conductances=conductances, iv=spread_law(crossbar.iv, conductances.shape))
        found = solve(each, biasing, rtol=rtol)
        currents.append(found.selected_current + found.sneak_current)
    return np.where(currents[1] == 0.0, 0.0, 1.0 - currents[0] / np.where(currents[1] == 0.0, 1.0, currents[1]))


def read_errors(crossbar: Crossbar, voltage: float, noise: ArrayLike, *, unselected: str = "grounded") -> np.ndarray:
    """How far noisy readings put the conductances off that `read_crossbar` finds: their standard deviations.

    Readings through sneak paths amplify noise: an error of 1 % of every reading becomes some 8 % of the conductances of
    8 x 8 devices with floating lines, and some 20 % of 16 x 16; with grounded lines it stays about 1 %. A 95 % interval
    is 1.96 of what is given here on both sides.

    Parameters
    ----------
    crossbar : Crossbar
        One array of up to 1024 devices, such as `read_crossbar` gives.
    voltage : float
        Of the reads [V].
    noise : float or (n_word_lines, n_bit_lines) array_like
        Standard deviation of each reading; readings are independent [A].
    unselected : str, optional
        What the other lines did: "grounded", "floating", or another of `read_device`.

    Returns
    -------
    (n_word_lines, n_bit_lines) ndarray
        Standard deviation of each conductance; 0 for open devices, which `read_crossbar` knows to be open [S].

    Notes
    -----
    First order: the inverse of the derivatives of all readings by all conductances, from `sensitivities`.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import Crossbar, read_errors
    >>> from tiocross.units import nA, ohm, uS, V
    >>> crossbar = Crossbar(np.full((5, 4), 200 * uS), wire_resistance=2 * ohm)
    >>> for lines in ("grounded", "floating"):
    ...     print(lines, (read_errors(crossbar, 0.2 * V, 10 * nA, unselected=lines).max() / uS).round(3))
    grounded 0.051
    floating 0.066
    """
    require_crossbar(crossbar)
    require_name("unselected", unselected, READ_SCHEMES)
    voltage, shape = as_number("voltage", voltage, unit="V"), crossbar.conductances.shape
    if voltage == 0:
        raise ValueError("voltage must not be 0 V: no reading tells a conductance then")
    noise = as_finite("noise", noise)
    if noise.shape not in ((), shape) or (noise < 0).any():
        raise ValueError(f"noise must be one number or have shape {shape}, at least 0 A; got {noise.shape}, at least "
                         f"{noise.min():g} A")
    if len(shape) != 2 or crossbar.conductances.size > _MOST_DEVICES:
        raise ValueError(f"crossbar must be one array of up to {_MOST_DEVICES} devices; got conductances of shape {shape}")
    errors, (words, bits) = np.zeros(shape), np.nonzero(crossbar.conductances)
    if len(words) == 0:
        return errors
    reads = read_device(crossbar, words, bits, voltage, unselected=unselected)
    derivatives = sensitivities(crossbar, reads, np.eye(shape[1])[bits])[:, words, bits]
    errors[words, bits] = np.sqrt(np.linalg.inv(derivatives) ** 2 @ np.broadcast_to(noise, shape)[words, bits] ** 2)
    return errors
