"""What lies in series with every memristor: a selector, or a transistor that a gate line switches."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import LARGEST_CONDUCTANCE, as_finite, kind_of, require_name
from tiocross.circuit.curves import Tabulated
from tiocross.circuit.law import Law
from tiocross.circuit.laws import require_law
from tiocross.circuit.pairs import Pair, in_series
from tiocross.records import freeze, short_text

GATE_LINES = ("word lines", "bit lines")
_LARGEST_RESISTANCE = 1e15  # [ohm]; more is an open device


class _Element:
    """Base of what stands in series with each memristor."""

    def __reduce__(self):
        return type(self), tuple(getattr(self, field.name) for field in fields(self))  # read-only again

    def __repr__(self):
        return short_text(self)


@dataclass(frozen=True, eq=False, repr=False)
class Selector(_Element):
    """A two-terminal selector in series with every memristor, for `Crossbar` (1S1R).

    Parameters
    ----------
    iv : Sinh, Cubic, Polynomial, AbsolutePolynomial, Asymmetric, Tabulated or None
        Current-voltage law of the selectors; None for Ohm's law: a resistance.
    conductances : float or (..., n_word_lines, n_bit_lines) array_like, optional
        Of all selectors or of each at 0 V, in [0, 1] S, 0 for an open one; if not given, that of the measured curve, for
        which ``iv`` must be `Tabulated` then [S].

    Raises
    ------
    ValueError
        If a conductance lies outside [0, 1] S or there is none; and by `Crossbar`, if a shape does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import Crossbar, Selector, Sinh, solve, write_device
    >>> from tiocross.units import V, nS, ohm, uA, uS
    >>> selector = Selector(Sinh(0.1 * V), conductances=10 * nS)
    >>> crossbar = Crossbar(np.full((3, 2), 300) * uS, wire_resistance=2 * ohm, series=selector)
    >>> solution = solve(crossbar, write_device(crossbar, 1, 0, 2 * V))  # V/2 on the other lines
    >>> (solution.device_currents[:, 0] / uA).round(1).tolist()
    [8.3, 211.0, 8.3]
    >>> float(solution.selected_voltage.round(2)), float(solution.series_voltages[1, 0].round(2))
    (0.7, 1.3)
    """

    iv: Law | None
    conductances: ArrayLike | None = None

    def __post_init__(self):
        values = self.conductances
        if values is None:
            values = _measured(self.iv, "conductances")
        values = as_finite("conductances of the selectors", values)
        bad = (values < 0) | (values > LARGEST_CONDUCTANCE)
        if bad.any():
            raise ValueError(f"conductances of the selectors must lie in [0, 1] S; got {values[bad][0]:g}")
        object.__setattr__(self, "conductances", freeze(values))

    def at_rest(self) -> np.ndarray:
        """Conductances at 0 V, one number or fit for those of the memristors [S]."""
        return self.conductances


@dataclass(frozen=True, eq=False, repr=False)
class Transistor(_Element):
    """A transistor in series with every memristor, for `Crossbar` (1T1R): open while its gate line is off.

    Parameters
    ----------
    on_resistance : float or (..., n_word_lines, n_bit_lines) array_like, optional
        Of all transistors or of each at 0 V while they are on; if not given, that of the measured curve, for which ``iv``
        must be `Tabulated` then [ohm].
    gates : bool or (..., n_lines) array of bool, optional
        Which gate lines are on; all, if not given.
    along : str, optional
        Whether the gate lines run along the "word lines", one for each, or along the "bit lines".
    iv : Sinh, Cubic, Polynomial, AbsolutePolynomial, Asymmetric, Tabulated or None, optional
        Current-voltage law between drain and source at the gate voltage of a line that is on; None for Ohm's law.

    Raises
    ------
    ValueError
        If a resistance lies outside [0, 1e15] ohm or there is none, or ``along`` is neither; and by `Crossbar`, if a shape
        does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import Crossbar, Transistor, solve, transfer_matrix
    >>> from tiocross.units import kohm, uS
    >>> gates = [True, False, True]  # of the word lines
    >>> crossbar = Crossbar(np.full((3, 2), 500) * uS, series=Transistor(2 * kohm, gates=gates))
    >>> (transfer_matrix(crossbar) / uS).round(6).tolist()  # 2 kohm and 2 kohm; off; 2 kohm and 2 kohm
    [[250.0, 250.0], [0.0, 0.0], [250.0, 250.0]]
    >>> solve(crossbar, [0.2, 0.2, 0.1]).device_voltages.round(3).tolist()  # across the memristors
    [[0.1, 0.1], [0.0, 0.0], [0.05, 0.05]]
    """

    on_resistance: ArrayLike | None = None
    gates: ArrayLike = True
    along: str = "word lines"
    iv: Law | None = None

    def __post_init__(self):
        require_name("along", self.along, GATE_LINES)
        values = self.on_resistance
        if values is None:
            values = 1.0 / _measured(self.iv, "on_resistance")
        values = as_finite("on_resistance", values)
        bad = (values < 0) | (values > _LARGEST_RESISTANCE)
        if bad.any():
            raise ValueError(f"on_resistance must lie in [0, {_LARGEST_RESISTANCE:g}] ohm; got {values[bad][0]:g}")
        object.__setattr__(self, "on_resistance", freeze(values))
        gates = np.asarray(self.gates)
        if gates.dtype != bool:
            raise TypeError(f"gates must be True or False, or an array of these, one for each gate line; got "
                            f"{kind_of(self.gates)} of {gates.dtype}")
        object.__setattr__(self, "gates", freeze(gates))

    def at_rest(self) -> np.ndarray:
        """Conductances at 0 V, one number or fit for those of the memristors [S]."""
        on = self.gates if self.gates.ndim == 0 else self.gates[..., :, None] if self.along == GATE_LINES[
            0] else self.gates[..., None, :]
        with np.errstate(divide="ignore"):
            return np.where(on, 1.0 / self.on_resistance, 0.0)


SERIES = (Selector, Transistor)


def require_series(series, conductances):
    """Raise TypeError unless ``series`` is a selector, a transistor or None, ValueError unless it fits the conductances."""
    if series is None:
        return
    if not isinstance(series, SERIES):
        raise TypeError(f"series must be a Selector, a Transistor or None; got {series!r}")
    shape, lines = conductances.shape, {"word lines": -2, "bit lines": -1}
    if isinstance(series, Transistor) and series.gates.ndim and series.gates.shape[-1] != shape[lines[series.along]]:
        raise ValueError(f"gates must be one bool for each of the {shape[lines[series.along]]} {series.along}, along which "
                         f"the gate lines run; got {series.gates.shape[-1]}")
    others = series.at_rest()
    try:
        fits = np.broadcast_shapes(others.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        name = "gates and on_resistance" if isinstance(series, Transistor) else "conductances"
        raise ValueError(f"{name} of the {type(series).__name__} must be one number or fit the conductances {shape} of the "
                         f"memristors; together they have {others.shape}")
    require_law(series.iv, np.broadcast_to(others, shape))


def pair_up(conductances, iv, series):
    """Conductances of the pairs at 0 V [S], and their law, None for Ohm's."""
    others = series.at_rest()
    law = None if iv is None and series.iv is None else Pair(conductances, others, iv, series.iv)
    return in_series(conductances, others), law


def split_pairs(crossbar, voltages):
    """Voltages across the memristors and across what lies in series with them [V]; across whatever is open, all of it."""
    law = crossbar.equivalent.iv
    if law is not None:
        return law.split(crossbar.equivalent.conductances, voltages)
    conductances, others = crossbar.conductances, crossbar.series.at_rest()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(conductances > 0, others / conductances, np.inf)
    first = np.where(others > 0, voltages / (1.0 + 1.0 / np.where(others > 0, ratio, 1.0)), 0.0)
    return first, voltages - first


def currents_by_conductance(crossbar, voltages):
    """Derivatives of the currents of memristors, with what is in series with them, by their conductances, at voltages across
    both [A/S]."""
    law = crossbar.equivalent.iv
    if law is not None:
        return law.by_conductance(crossbar.equivalent.conductances, voltages)
    if crossbar.series is None:
        return voltages
    others = crossbar.series.at_rest()
    share = 1.0 / (1.0 + crossbar.conductances / np.where(others > 0, others, 1.0))
    return np.where(others > 0, share**2, 0.0) * voltages


def _measured(iv, name):
    """Conductance of a measured curve at 0 V [S]."""
    if isinstance(iv, Tabulated):
        return iv.conductance
    raise ValueError(f"{name} must be given, unless iv is a measured curve, Tabulated(measured_voltages, measured_currents)")
