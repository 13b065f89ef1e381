"""What every current-voltage law of a device tells: currents, slopes, voltages; and Ohm's law among them."""

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from tiocross.checks import as_finite
from tiocross.records import freeze, short_text


OHM, SINH, POLYNOMIAL, TABLE = range(4)  # codes of the kernels of tangents; Ohm's law goes with SINH and POLYNOMIAL


class Law:
    """Base of the laws: frozen dataclasses whose fields are the parameters of the devices, or laws in turn.

    Currents rise with the voltage, at every voltage, from 0 A at 0 V, where the slope is the conductance.
    """

    code: ClassVar[int | None] = None  # of its branch in the kernels of tangents; without one, NumPy serves

    def __repr__(self):
        return short_text(self)

    def __post_init__(self):
        for field in fields(self):
            object.__setattr__(self, field.name, freeze(as_finite(field.name, getattr(self, field.name))))
        self._require_increasing()

    def __reduce__(self):
        return type(self), tuple(getattr(self, field.name) for field in fields(self))  # read-only again

    @property
    def parameters(self) -> tuple[np.ndarray, ...]:
        """The parameters, each one number or one for each device."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def with_parameters(self, values):
        """The same law with other parameters, in their order."""
        return type(self)(*values)

    def spread(self, change):
        """The same law with each parameter as ``change`` makes it, such as for a part of the devices."""
        return self.with_parameters([change(values) for values in self.parameters])

    def currents(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Current of each device [A] with conductances [S] at 0 V, at voltages across it [V]."""
        raise NotImplementedError

    def slopes(self, conductances: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        """Slope dI/dV of each device [S] with conductances [S] at 0 V, at voltages across it [V]."""
        raise NotImplementedError

    def voltages(self, conductances: np.ndarray, currents: np.ndarray) -> np.ndarray:
        """Voltage [V] at which each device with conductances above zero [S] at 0 V carries currents [A]."""
        raise NotImplementedError

    def follow(self, conductances, voltages):
        """Currents and slopes together [A, S]."""
        return self.currents(conductances, voltages), self.slopes(conductances, voltages)

    def least_slopes(self, conductances):
        """Least slope of each device at any voltage [S]."""
        return conductances

    @property
    def sides(self):
        """The laws of positive and of negative voltages."""
        return self, self

    @property
    def elements(self):
        """What lies in series between the nodes of a device: laws, and conductances at 0 V, None for those of the device."""
        return ((self, None),)

    def coefficients(self, conductances, code):
        """Both parameters of the kernels' branch with this code, each one number or one for each device."""
        raise NotImplementedError

    def by_conductance(self, conductances, voltages):
        """Derivative of each current by the device's conductance [A/S]; of most laws the current for 1 S."""
        return self.currents(1.0, voltages)

    def scaled_to(self, currents, voltages):
        """Conductances [S] with which devices carry currents [A] at voltages [V], neither of them zero."""
        return currents / self.currents(1.0, voltages)

    def require_fitting(self, conductances):
        """Raise ValueError unless the parameters fit these conductances (..., n_word_lines, n_bit_lines) [S]."""
        for field, values in zip(fields(self), self.parameters):
            if not _fits(values.shape, conductances.shape):
                raise ValueError(f"the parameter {field.name} of {type(self).__name__} must be one number or fit the "
                                 f"conductances {conductances.shape}; got {values.shape}")

    def _require_increasing(self):
        raise NotImplementedError


@dataclass(frozen=True, eq=False, repr=False)
class Ohm(Law):
    """I = G V."""

    code = OHM

    def coefficients(self, conductances, code):
        """A sinh that never bends, or a polynomial without coefficients."""
        return (2.0**100, 2.0**-100) if code == SINH else (0.0, 0.0)

    def currents(self, conductances, voltages):
        """Current of each device [A]."""
        return conductances * voltages

    def slopes(self, conductances, voltages):
        """Slope dI/dV of each device [S]."""
        return conductances * np.ones_like(voltages)

    def voltages(self, conductances, currents):
        """Voltage across each device [V]."""
        return currents / conductances

    def _require_increasing(self):
        pass


def as_law(law):
    """The law; Ohm's for None."""
    return Ohm() if law is None else law


def _fits(shape, wanted):
    try:
        return np.broadcast_shapes(shape, wanted) == wanted
    except ValueError:
        return False
