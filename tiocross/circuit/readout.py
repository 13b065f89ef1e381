"""From the current of every device, each read alone, to conductances that explain them through the wires.

A device's apparent conductance, its current per volt, is not its own: the wires take part of the voltage, and other devices
lead current around it. Lines that are not selected are at 0 V, so that the apparent conductances are the transfer matrix,
or they float, and the apparent resistances are those between the ends of two lines.

The resistances R between the ends are convex in the conductances: Newton's method finds them from any side. With 1 A from
end i to end j and u the device voltages, dR_ij/dG_kl = -u_kl^2 by reciprocity. Without wires the sum of G R over all devices
is one less than the number of lines (Foster's theorem), which gives the start.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import LARGEST_CONDUCTANCE, as_finite, as_number, as_reals, require_name
from tiocross.circuit.biasing import Biasing
from tiocross.circuit.compensation import compensate
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.law import Law
from tiocross.circuit.solver import find_nodes, solve
from tiocross.circuit.solvers.results import Goal

UNSELECTED = ("grounded", "floating")

_EXPLAINED = 1e-8  # of the largest apparent conductance: readings met so far count as explained
_SETTLED = 1e-11  # the same: change of the ohmic readings that ends the search
_RTOL = 1e-11  # of the circuits
_MOST_ROUNDS, _MOST_STEPS = 100, 100
_MOST_FLOATING = 4096  # devices; the derivatives are a matrix of that size squared
_LEAST = 1e-2  # of an apparent conductance that the search starts from
_FURTHEST = 10.0  # factor by which one step changes a device at most


def read_crossbar(currents: ArrayLike, voltage: float, *, noise_floor: float = 0.0, unread: float = 0.0,
                  wire_resistance: float = 0.0, source_resistance: ArrayLike = 0.0, sense_resistance: ArrayLike = 0.0,
                  unselected: str = "grounded", iv: Law | None = None) -> Crossbar:
    """Crossbar whose devices explain measured readings, each device read alone.

    Parameters
    ----------
    currents : (n_word_lines, n_bit_lines) array_like
        Out of the selected bit line, with the voltage on the selected word line; NaN for a device that was not read [A].
    voltage : float
        Of the read; negative if the currents are [V].
    noise_floor : float, optional
        Readings, and conductances found, below it are noise: such a device becomes open, 0 S; other readings are met
        within it [S].
    unread : float, optional
        What devices that were not read are taken to have; 0, open, if not given [S].
    wire_resistance : float, optional
        As for `Crossbar` [ohm].
    source_resistance, sense_resistance : float or array_like, optional
        As for `Crossbar` [ohm].
    unselected : str, optional
        What the other lines do: "grounded", all at 0 V, or "floating", up to 4096 devices.
    iv : Sinh, Cubic, Polynomial, AbsolutePolynomial, Asymmetric, Tabulated or None, optional
        Law of the devices; conductances are its slopes at 0 V.

    Returns
    -------
    Crossbar
        ``(crossbar.conductances == 0).sum()`` counts its open devices.

    Raises
    ------
    ValueError
        If a current is infinite, flows against the voltage, means more than 1 S, or the readings cannot come from
        devices behind such wires.

    Notes
    -----
    Ohmic devices: Newton's method. Readings of others, and of open devices, whose currents are not known, are replaced by
    what the same conductances would show if they were ohmic, in turns with finding these conductances.

    Floating readings amplify noise relative to them, some 8-fold in 8 x 8 and 20-fold in 16 x 16: see `read_errors`.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import read_crossbar
    >>> from tiocross.units import ohm, uA, uS, V
    >>> currents = np.array([[22.9, 57.1], [85.8, 19.2], [48.5, 38.8]]) * uA  # other lines at 0 V
    >>> (read_crossbar(currents, 0.2 * V, wire_resistance=25 * ohm).conductances / uS).round(0).tolist()
    [[120.0, 300.0], [450.0, 100.0], [250.0, 200.0]]
    """
    apparent = _as_apparent(currents, voltage, noise_floor)
    unread = as_number("unread", unread, low=0.0, high=LARGEST_CONDUCTANCE, unit="S")
    fixed = np.where(np.isnan(apparent), unread, 0.0)  # of those whose readings tell nothing
    apparent = np.nan_to_num(apparent)
    wires = Crossbar(apparent, wire_resistance, source_resistance=source_resistance,
                     sense_resistance=sense_resistance, iv=iv)
    return replace(wires, conductances=_find_conductances(wires, apparent, fixed, voltage, noise_floor, unselected))


def _as_apparent(currents, voltage, noise_floor):
    """Apparent conductance of each device, zero below the noise floor, NaN where it was not read [S]."""
    currents = as_reals("currents", currents)
    as_finite("currents", np.where(np.isnan(currents), 0.0, currents), ndim=2)
    if 0 in currents.shape:
        raise ValueError(f"currents must have shape (n_word_lines, n_bit_lines), none of them zero; got {currents.shape}")
    voltage = as_number("voltage", voltage, unit="V")
    noise_floor = as_number("noise_floor", noise_floor, low=0.0, high=LARGEST_CONDUCTANCE, unit="S")
    if voltage == 0:
        raise ValueError("voltage must not be 0 V: no reading tells a conductance then")
    with np.errstate(over="ignore"):
        apparent = currents / voltage
    apparent = np.where(np.abs(apparent) < noise_floor, 0.0, apparent)
    _refuse(apparent < 0, currents, f"flows against the voltage of {voltage:g} V; if it is noise, raise noise_floor [S], "
                                    "else check the signs")
    _refuse(apparent > LARGEST_CONDUCTANCE, currents, f"at {voltage:g} V is more than a device of 1 S carries; if these "
                                                      "are microamperes, multiply by tiocross.units.uA")
    return np.abs(apparent)  # no -0.0


def _find_conductances(wires, apparent, fixed, voltage, noise_floor, unselected):
    """Conductances behind these wires whose readings are the apparent ones [S]."""
    require_name("unselected", unselected, UNSELECTED)
    if unselected == "floating" and apparent.size > _MOST_FLOATING:
        raise ValueError(f"floating readings are understood up to {_MOST_FLOATING} devices; got {apparent.size}: read with "
                         "the other lines grounded")
    if not apparent.any():
        return fixed
    voltage, largest, unknown = float(voltage), apparent.max(), apparent == 0
    invert = _invert_grounded if unselected == "grounded" else _invert_floating
    ohmic = apparent if wires.iv is None else np.maximum(wires.iv.scaled_to(apparent * voltage, voltage),
                                                                     _LEAST * apparent)
    for _ in range(_MOST_ROUNDS):
        devices, seen = invert(replace(wires, iv=None), ohmic, unknown, fixed)
        read = seen if wires.iv is None else _read_all(replace(wires, conductances=devices), voltage, unselected, ~unknown)
        before, ohmic = ohmic, np.where(unknown, seen, apparent * seen / np.where(unknown, 1.0, read))
        if np.abs(ohmic - before).max() <= _SETTLED * largest:
            break
    _require_explained(read, apparent, max(noise_floor, _EXPLAINED * largest), unselected)
    return np.where((devices < noise_floor) & (fixed == 0), 0.0, devices)


def _refuse(bad, currents, why):
    if bad.any():
        i, j = (int(k) for k in np.argwhere(bad)[0])
        raise ValueError(f"the current of {currents[i, j]:g} A at word line {i}, bit line {j} ({int(bad.sum())} such) {why}")


def _require_explained(read, apparent, allowed, unselected):
    apart = np.where(apparent > 0, np.abs(read - apparent), 0.0)
    if not apart.max() <= allowed:  # NaN is not explained either
        i, j = (int(k) for k in np.unravel_index(np.nanargmax(apart), apart.shape))
        raise ValueError(f"no conductances behind these wires give such readings: the device at word line {i}, bit line {j} "
                         f"shows {apparent[i, j]:.4g} S, the best found gives {read[i, j]:.4g} S. Check the resistances and "
                         f"what the other lines did ({unselected}), or raise noise_floor")


def _invert_grounded(wires, ohmic, unknown, fixed):
    """Conductances, ``fixed`` where unknown, and their transfer matrix: ``ohmic`` elsewhere, if there are any."""
    found = compensate(np.minimum(ohmic, LARGEST_CONDUCTANCE), 0.0, (fixed, np.where(unknown, fixed, LARGEST_CONDUCTANCE)),
                       word_line_resistance=wires.word_line_resistance, bit_line_resistance=wires.bit_line_resistance,
                       source_resistance=wires.source_resistance, sense_resistance=wires.sense_resistance)
    return found.conductances, found.transfer_matrix


def _invert_floating(wires, ohmic, unknown, fixed):
    """Conductances, ``fixed`` where unknown, and their conductances between the ends of two lines: ``ohmic`` elsewhere."""
    known = ~unknown
    n_lines = known.any(axis=1).sum() + known.any(axis=0).sum()
    devices, resistances = np.where(known, ohmic * (n_lines - 1) / known.sum(), fixed), 1.0 / ohmic[known]
    error, seen = np.inf, ohmic
    for _ in range(_MOST_STEPS):
        found, voltages = _between_ends(replace(wires, conductances=devices), known)
        before, error = error, np.abs(found / resistances - 1.0).max()
        seen = np.zeros_like(ohmic)
        seen[known] = 1.0 / found
        if error <= _SETTLED or before <= _EXPLAINED and error >= before:
            break
        try:
            step = np.linalg.solve(voltages**2, found - resistances) / devices[known]
        except np.linalg.LinAlgError:
            break
        devices[known] *= np.clip(1.0 + step, 1.0 / _FURTHEST, _FURTHEST)
        np.minimum(devices, LARGEST_CONDUCTANCE, out=devices)
    return devices, seen


def _between_ends(crossbar, known):
    """Resistances (K,) between the ends of the lines of the known devices, and the voltages (K, K) across these per ampere.

    All currents follow from those with one end at 1 V and the others at 0 V.
    """
    m, n = known.shape
    drives = np.eye(m + n)
    biasing = Biasing(drives[:, :m], np.full(m, np.nan), np.full(n, np.nan), drives[:, m:])
    voltages = find_nodes(crossbar, biasing, Goal(_RTOL, 1_000)).device_voltages
    currents = crossbar.conductances * voltages
    admittances = np.concatenate([currents.sum(axis=2), -currents.sum(axis=1)], axis=1)
    impedances = np.linalg.pinv(0.5 * (admittances + admittances.T), rcond=1e-13, hermitian=True)
    words, bits = np.nonzero(known)
    ends = impedances[words] - impedances[m + bits]
    each = np.arange(len(words))
    return ends[each, words] - ends[each, m + bits], ends @ voltages[:, known]


def _read_all(crossbar, voltage, unselected, known):
    """Apparent conductances of the known devices, read one after the other [S]."""
    m, n = known.shape
    if unselected == "grounded":
        return solve(crossbar, voltage * np.eye(m), rtol=_RTOL).bit_line_currents / voltage
    words, bits = np.nonzero(known)
    each = np.arange(len(words))
    left, bottom = np.full((len(words), m), np.nan), np.full((len(words), n), np.nan)
    left[each, words], bottom[each, bits] = voltage, 0.0
    currents = solve(crossbar, Biasing(left, np.full(m, np.nan), np.full(n, np.nan), bottom), rtol=_RTOL).bit_line_currents
    read = np.zeros((m, n))
    read[known] = currents[each, bits] / voltage
    return read
