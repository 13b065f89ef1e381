"""Measured data to a `Device`: each effect fitted by its own module, with intervals, goodness and warnings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tiocross.devices.calibration.disturb import fit_disturb
from tiocross.devices.calibration.faults import fit_faults
from tiocross.devices.calibration.fit import Fit
from tiocross.devices.calibration.tuning import fit_tuning
from tiocross.devices.device import Device, LineFailures
from tiocross.devices.files import to_json as device_to_json
from tiocross.shown import element, join, micro, table
from tiocross.units import uS


@dataclass(frozen=True, eq=False)
class Calibration:
    """A device fitted to measured data.

    Parameters
    ----------
    device : Device
        The record, for simulation and for `save_device`.
    fits : dict of str to Fit
        For each effect that was fitted ("tuning", "disturb", "stuck" or "lines"), how well it is known.
    """

    device: Device
    fits: dict[str, Fit]

    @property
    def warnings(self) -> list[str]:
        """What does not fit, as texts that begin with the effect's name."""
        return [f"{effect}: {fit.warning}" for effect, fit in self.fits.items() if fit.warning]

    def __repr__(self):
        fitted = ", ".join(f"{effect} (p = {fit.goodness:.2g})" for effect, fit in self.fits.items())
        return f"<Calibration of {self.device.name!r}: {fitted}; {len(self.warnings)} warnings>"

    def __str__(self):
        device = self.device
        lines = [f"{device.name}, window {device.g_min / uS:g} to {device.g_max / uS:g} uS", f"source: {device.source}"]
        for effect, fit in self.fits.items():
            lines += ["", f"{effect}: {fit}"]
        return "\n".join(lines)

    def _repr_html_(self):
        """Estimates with their 95 % intervals, goodness and warnings, for notebooks."""
        bodies = [(join(element("strong", effect), f": {fit.n_samples} values; {fit.test}: p = {fit.goodness:.2g}"),
                   [(*row, micro(unit)) for *row, unit in fit.rows()]) for effect, fit in self.fits.items()]
        caption = f"{self.device.name}; source: {self.device.source}"
        return join(table(caption, ("quantity", "value", "95 % interval", "unit"), bodies),
                    *(element("p", element("strong", "Warning"), f": {text}") for text in self.warnings))


def to_json(calibration):
    """Content of a calibration for files: the device, its fits in SI units with the unit of each, the warnings."""
    return {"device": device_to_json(calibration.device),
            "fits": {effect: fit.to_json() for effect, fit in calibration.fits.items()}, "warnings": calibration.warnings}


def calibrate(*, g_min: float, g_max: float, name: str, source: str, tuning: Sequence[ArrayLike] | None = None,
              disturb: Sequence[ArrayLike] | None = None, maps: list[ArrayLike] | None = None,
              rng: np.random.Generator | None = None) -> Calibration:
    """Device from measured data.

    Parameters
    ----------
    g_min, g_max : float
        Ends of the tuning window, which are chosen, not measured [S].
    name : str
        What to call the device.
    source : str
        Where the data come from.
    tuning : tuple of array_like, optional
        Conductances wanted and reached, (targets, programmed) or (targets, programmed, groups), see `fit_tuning` [S].
    disturb : tuple of array_like, optional
        Numbers of later writes and changes of conductance, (n_later_writes, changes), see `fit_disturb` [S].
    maps : list of (n_word_lines, n_bit_lines) array_like, optional
        Conductances of devices that do not answer, NaN elsewhere, see `fit_faults` [S].
    rng : numpy.random.Generator, optional
        Source of randomness of bootstraps and permutations. Without it a fixed one, so that the same data give the same
        device.

    Returns
    -------
    Calibration
        The device, whose effects without data are switched off, and its fits.

    Raises
    ------
    ValueError
        If there are no data, or too few or bad ones, see the fits.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import calibrate
    >>> state = np.full((8, 8), np.nan)
    >>> state[2, 5] = 600e-6  # one device of 64 does not answer
    >>> found = calibrate(g_min=100e-6, g_max=500e-6, name="chip 7", source="my lab book", maps=[state])
    >>> found.device.stuck.probability_lrs, found.device.tuning, list(found.fits)
    (0.015625, None, ['stuck'])
    """
    window = Device(g_min, g_max, name=name, source=source)  # refuses what is bad before any work
    fits = {}
    for what, data, counts in (("tuning", tuning, (2, 3)), ("disturb", disturb, (2,))):
        if data is not None and not (isinstance(data, (tuple, list)) and len(data) in counts):
            raise TypeError(f"{what} must be a tuple of {' or '.join(map(str, counts))} arrays; got {str(data)[:80]!r}")
    if tuning is not None:
        targets, programmed, *groups = tuning
        fits["tuning"] = fit_tuning(targets, programmed, source=source, groups=groups[0] if groups else None,
                                    g_max=window.g_max, rng=rng)
    if disturb is not None:
        fits["disturb"] = fit_disturb(*disturb, source=source, rng=rng)
    if maps is not None:
        fit = fit_faults(maps, g_min=window.g_min, g_max=window.g_max, source=source, rng=rng)
        fits["lines" if isinstance(fit.value, LineFailures) else "stuck"] = fit
    if not fits:
        raise ValueError("calibrate needs data: tuning, disturb or maps; got none")
    effects = {effect: fit.value for effect, fit in fits.items()}
    return Calibration(Device(window.g_min, window.g_max, name=name, source=source, **effects), fits)
