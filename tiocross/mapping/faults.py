"""Known stuck devices: where they are, and what their partners in a pair can make good.

A stuck map has the shape of its array and holds the conductance at which a device is stuck, NaN where the device
answers. A weight is the difference g_plus - g_minus of a pair, so a healthy partner can shift the difference back as
far as the window reaches.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from tiocross.devices.device import Device, require_device
from tiocross.devices.writes import require_within_window
from tiocross.mapping.mappings import PAIRS
from tiocross.checks import as_conductances, as_number, as_reals, require_shape


def stuck_outside_window(conductances: ArrayLike, *, g_min: float, g_max: float, margin: float = 0.1) -> np.ndarray:
    """Stuck map from one measured map: devices outside the tuning window are taken as stuck where they are.

    Parameters
    ----------
    conductances : (n_rows, n_columns) array_like
        Measured conductances [S].
    g_min, g_max : float
        Ends of the tuning window [S].
    margin : float, optional
        How far beyond an end, as a fraction of it, a device still passes as healthy (unitless).

    Returns
    -------
    (n_rows, n_columns) ndarray
        Conductances of the devices taken as stuck, NaN elsewhere [S].

    Raises
    ------
    ValueError
        If a value is not a conductance, or the window is empty.

    Notes
    -----
    A device at g is healthy if g_min / (1 + margin) <= g <= g_max (1 + margin). The default margin, 0.1, is a choice: it is
    well above a tuning error of 1 %.

    One map does not show which devices answer. A device stuck within the window is missed. A device that was never
    written, or that was disturbed far out of the window, is taken as stuck. `stuck_unmoved` compares two maps instead.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import stuck_outside_window
    >>> from tiocross.units import uS
    >>> measured = np.array([[95, 30], [549, 600]]) * uS
    >>> (stuck_outside_window(measured, g_min=100 * uS, g_max=500 * uS) / uS).round(1).tolist()
    [[nan, 30.0], [nan, 600.0]]
    """
    conductances = _as_map("conductances", conductances)
    g_min, g_max = (as_number("an end of the window", end, low=0.0, high=1.0, unit="S") for end in (g_min, g_max))
    margin = as_number("margin", margin, low=0.0)
    if not g_min < g_max:
        raise ValueError(f"g_min must be below g_max; got {g_min:g} and {g_max:g} S")
    outside = (conductances < g_min / (1 + margin)) | (conductances > g_max * (1 + margin))
    return np.where(outside, conductances, np.nan)


def stuck_unmoved(after_set: ArrayLike, after_reset: ArrayLike, *, least_change: float) -> np.ndarray:
    """Stuck map from two measured maps: devices that do not rise by ``least_change`` from RESET to SET are stuck.

    Parameters
    ----------
    after_set, after_reset : (n_rows, n_columns) array_like
        Conductances read after all devices were SET, and after all were RESET [S].
    least_change : float
        Smallest change of a device that answers [S].

    Returns
    -------
    (n_rows, n_columns) ndarray
        Mean of the two readings where a device is stuck, NaN elsewhere [S].

    Raises
    ------
    ValueError
        If the maps differ in shape, a value is not a conductance, or most devices fall from RESET to SET.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import stuck_unmoved
    >>> from tiocross.units import uS
    >>> after_reset, after_set = np.array([[100, 300]]) * uS, np.array([[480, 304]]) * uS
    >>> (stuck_unmoved(after_set, after_reset, least_change=20 * uS) / uS).round(1).tolist()
    [[nan, 302.0]]
    """
    after_set, after_reset = _as_map("after_set", after_set), _as_map("after_reset", after_reset)
    require_shape("after_reset", after_reset.shape, after_set.shape)
    least_change = as_number("least_change", least_change, low=0.0, high=1.0, unit="S")
    changes = after_set - after_reset
    if np.median(changes) < -least_change:
        raise ValueError("after_set must hold the larger conductances, for SET raises them; most devices fall by "
                         f"{-np.median(changes):g} S. Are the two maps swapped?")
    return np.where(changes < least_change, 0.5 * (after_set + after_reset), np.nan)


def offset_partners(targets: Iterable, stuck: list, device: Device) -> list[np.ndarray]:
    """Targets in which the partner of a stuck device makes its pair's difference right, or as near as the window allows.

    Parameters
    ----------
    targets : Targets or list of (n_inputs + 1, 2 n_outputs) array_like
        Wanted conductances, one array a layer, plus and minus side by side; `map_weights` gives them [S].
    stuck : list of (n_inputs + 1, 2 n_outputs) array_like
        Stuck map of each layer, NaN where healthy [S].
    device : Device
        Its window holds what is programmed.

    Returns
    -------
    list of (n_inputs + 1, 2 n_outputs) ndarray
        What each layer shall hold, with stuck devices at their own conductance [S].

    Raises
    ------
    ValueError
        If there is not one stuck map of the right shape for each layer, a value is not a conductance, a target lies
        outside the window, or the targets do not stand on differential pairs.

    Notes
    -----
    For a wanted difference d, a plus device stuck at s wants g_minus = s - d and a minus device stuck at s wants
    g_plus = s + d, clipped to the window. Where both are stuck nothing can be done; healthy pairs stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import TIO2, offset_partners
    >>> from tiocross.units import uS
    >>> targets, stuck = [np.array([[300, 100]]) * uS], [np.array([[450 * uS, np.nan]])]
    >>> (offset_partners(targets, stuck, TIO2)[0] / uS).round(1).tolist()
    [[450.0, 250.0]]
    """
    require_device(device)
    layout = getattr(targets, "layout", None)  # a plain list of arrays has none, and means pairs
    if layout is not None and not layout.mapping.has_partners:
        raise ValueError(f"partners can be offset on differential pairs only; got {layout.mapping!r}")
    targets = [as_conductances(f"targets of layer {layer}", array) for layer, array in enumerate(targets)]
    stuck = as_stuck_maps(stuck, [array.shape for array in targets], "layer")
    for layer, array in enumerate(targets):
        if array.ndim != 2 or array.shape[1] % 2:
            raise ValueError(f"targets of layer {layer} must have shape (n_inputs + 1, 2 n_outputs), a pair of bit lines "
                             f"for each output; got {array.shape}")
        require_within_window(f"targets of layer {layer}", array, device)
    return [offset_known(array, faults, device) for array, faults in zip(targets, stuck)]


def offset_known(targets, stuck, device, mapping=PAIRS):
    """What devices shall hold, (..., n_word_lines, n_bit_lines): stuck ones their own conductance, partners what makes their
    pair's difference right or as near as the window allows, the others ``targets`` [S]."""
    conductances = np.where(np.isnan(stuck), targets, stuck)
    if not mapping.has_partners:
        return conductances
    wanted = targets[..., 0::2] - targets[..., 1::2]
    for side, other, sign in ((0, 1, 1.0), (1, 0, -1.0)):
        theirs = stuck[..., other::2]
        alone = np.isnan(stuck[..., side::2]) & ~np.isnan(theirs)
        nearest = np.clip(theirs + sign * wanted, device.g_min, device.g_max)
        conductances[..., side::2] = np.where(alone, nearest, conductances[..., side::2])
    return conductances


def pair_errors(differences, plus, minus, device):
    """Magnitude [S] of the error that stuck devices leave of pairs' ``differences`` [S] when the healthy device of each pair
    is programmed at best; ``plus`` and ``minus`` are stuck conductances [S], NaN where healthy. Zero for healthy pairs."""
    ends = [[np.where(np.isnan(side), end, side) for end in (device.g_min, device.g_max)] for side in (plus, minus)]
    (plus_low, plus_high), (minus_low, minus_high) = ends
    nearest = np.clip(differences, plus_low - minus_high, plus_high - minus_low)
    return np.where(np.isnan(plus) & np.isnan(minus), 0.0, np.abs(nearest - differences))


def as_stuck_maps(stuck, shapes, kind):
    """Stuck maps [S], one of each of the ``shapes``, checked: NaN or a conductance each. ``kind``, "layer" or "array", names
    them in errors."""
    if isinstance(stuck, np.ndarray) and stuck.ndim == 2:
        raise TypeError(f"stuck must be a list with one map for each {kind}; got a single array of shape {stuck.shape}")
    if not isinstance(stuck, (list, tuple, np.ndarray)):
        raise TypeError(f"stuck must be a list with one map for each {kind}; got {stuck!r}")
    stuck = [as_reals(f"the stuck map of {kind} {index}", faults) for index, faults in enumerate(stuck)]
    if len(stuck) != len(shapes):
        raise ValueError(f"stuck must hold one map for each of the {len(shapes)} {kind}s; got {len(stuck)}")
    for index, (faults, shape) in enumerate(zip(stuck, shapes)):
        require_shape(f"the stuck map of {kind} {index}", faults.shape, shape)
        as_conductances(f"the stuck map of {kind} {index}", np.where(np.isnan(faults), 0.0, faults))
    return stuck


def _as_map(what, values):
    conductances = as_conductances(what, values)
    if conductances.ndim != 2:
        raise ValueError(f"{what} must have shape (n_rows, n_columns); got {conductances.shape}")
    return conductances
